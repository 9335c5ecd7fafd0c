"""Handwritten digits as images with a small convolutional network, saved as a program that needs
NumPy alone.

    python docs/examples/digits_images.py     about 10 seconds, at least 98.5 % of 540 unseen digits
    python docs/examples/digits_images.py --small    a few epochs
"""

import sys

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import matcalc as mc


def main(small: bool) -> None:
    x, y = load_digits(return_X_y=True)
    train, test, a, b = train_test_split(
        (x / 16).reshape(-1, 8, 8, 1), y, test_size=0.3, random_state=0, stratify=y
    )
    convolutions = [
        mc.Conv2d(1, 16, 3, padding=1),
        mc.ReLU(),
        mc.Conv2d(16, 16, 3, padding=1, seed=9),
        mc.ReLU(),
        mc.MaxPool(2),
    ]
    network = mc.Network(
        [*convolutions, mc.Flatten(), mc.Dropout(0.4), mc.FullyConnected(256, 10, seed=3)],
        dtype=np.float32,
    )
    print(network)
    for epochs, rate in ((2, 0.002),) if small else ((15, 0.002), (30, 0.0005)):
        network.fit(train, a, epochs=epochs, rate=rate)
    print(f"{network.accuracy(test, b):.1%} of the test digits")
    network.save("digits_network.py")
    print("wrote digits_network.py and digits_network.npz")


if __name__ == "__main__":
    main("--small" in sys.argv)
