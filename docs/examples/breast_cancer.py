"""Malignant or benign: a network with one output, early stop, a checkpoint that a killed run
continues from, and a picture.

    python docs/examples/breast_cancer.py            a few seconds
    python docs/examples/breast_cancer.py --small    a few epochs
"""

import sys

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

import matcalc as mc


def main(small: bool) -> None:
    x, y = load_breast_cancer(return_X_y=True)
    train, test, a, b = train_test_split(
        (x - x.mean(0)) / x.std(0), y.reshape(-1, 1), test_size=0.3, random_state=0, stratify=y
    )
    network = mc.Network("30-16-1", activation="tanh", loss="logistic", l2=0.01)
    run = network.fit(
        train,
        a,
        epochs=3 if small else 200,
        optimizer=mc.SGD(0.01, momentum=0.9),
        score=lambda n: -n.value(test, b),
        patience=20,
        checkpoint="breast_cancer.npz",
    )
    print(
        f"{len(run.losses)} epochs ({run.message or 'all of them'}), "
        f"{network.accuracy(test, b):.1%} of the test cases"
    )
    try:
        run.plot("breast_cancer.png")
    except mc.MatcalcError as problem:
        print(problem)


if __name__ == "__main__":
    main("--small" in sys.argv)
