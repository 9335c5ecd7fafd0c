"""Time per epoch of two networks on the digits, matcalc's NumPy code against PyTorch eager on the
same cores.

    python benchmarks/network.py            the table, and the geometric mean of the ratios
    python benchmarks/network.py --fft      where Fourier transforms become faster than im2col

``--threads N`` sets the threads of both; by default all cores. Both train with the same batches of
32, SGD with momentum and the same precision. The times are the medians of interleaved epochs.
"""

from __future__ import annotations

import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

THREADS = (
    int(sys.argv[sys.argv.index("--threads") + 1])
    if "--threads" in sys.argv
    else os.cpu_count() or 1
)
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(THREADS)

import numpy as np  # noqa: E402 (after the number of threads)

import matcalc as mc  # noqa: E402

BATCH, RATE, MOMENTUM, EPOCHS = 32, 0.05, 0.9, 9


def digits(dtype: Any) -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return (x / 16).astype(dtype), y


def dense(dtype: Any) -> mc.Network:
    return mc.Network("64-128-64-10", dtype=dtype)


def convolutional(dtype: Any) -> mc.Network:
    layers = [
        mc.Conv2d(1, 16, 3, padding=1),
        mc.ReLU(),
        mc.AveragePool(2),
        mc.Conv2d(16, 32, 3, padding=1),
        mc.ReLU(),
        mc.AveragePool(2),
    ]
    return mc.Network([*layers, mc.Flatten(), mc.FullyConnected(128, 10)], dtype=dtype)


def torch_dense(torch: Any) -> Any:
    nn = torch.nn
    return nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
    )


def torch_convolutional(torch: Any) -> Any:
    nn = torch.nn
    layers = [
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
    ]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128, 10))


def our_epoch(network: mc.Network, x: Any, y: Any) -> Callable[[], None]:
    step = mc.SGD(RATE, MOMENTUM)
    starts = range(0, len(x), BATCH)

    def epoch() -> None:
        for i in starts:
            _, gradients = network.value_and_gradients(x[i : i + BATCH], y[i : i + BATCH])
            step.update(network.parameters_by_name(), gradients)

    return epoch


def torch_epoch(torch: Any, model: Any, x: Any, y: Any) -> Callable[[], None]:
    model = model.to(torch.from_numpy(x).dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
    loss = torch.nn.CrossEntropyLoss()
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)

    def epoch() -> None:
        for i in range(0, len(inputs), BATCH):
            optimizer.zero_grad()
            loss(model(inputs[i : i + BATCH]), targets[i : i + BATCH]).backward()
            optimizer.step()

    return epoch


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def compare() -> None:
    import torch

    torch.set_num_threads(THREADS)
    ratios = []
    print(f"{'network':<16}{'type':<9}{'matcalc ms':>11}{'torch ms':>10}{'ratio':>7}")
    for name, ours, theirs in (
        ("dense", dense, torch_dense),
        ("convolutional", convolutional, torch_convolutional),
    ):
        for dtype in (np.float32, np.float64):
            x, y = digits(dtype)
            image = name == "convolutional"
            a = our_epoch(ours(dtype), x.reshape(-1, 8, 8, 1) if image else x, y)
            b = torch_epoch(torch, theirs(torch), x.reshape(-1, 1, 8, 8) if image else x, y)
            times = [(seconds(a), seconds(b)) for _ in range(EPOCHS)][1:]
            here, there = (statistics.median(t[i] for t in times) * 1e3 for i in (0, 1))
            ratios.append(there / here)
            print(
                f"{name:<16}{np.dtype(dtype).name:<9}"
                f"{here:>11.1f}{there:>10.1f}{there / here:>7.2f}"
            )
    print(
        "geometric mean of the ratios (above 1: matcalc is faster): "
        f"{math.exp(statistics.fmean(map(math.log, ratios))):.2f}"
    )


def both_passes(layer: mc.Layer, x: np.ndarray) -> None:
    layer.backpropagate(layer.propagate(x))


def crossover() -> None:
    """Forward and backward of one layer on 8 images of 64×64, for growing kernels."""
    rng = np.random.default_rng(0)
    print(f"{'channels':<10}{'kernel':<8}{'im2col ms':>10}{'fft ms':>8}")
    for channels in (1, 4, 16, 32):
        for kernel in (3, 5, 7, 9, 11, 15):
            x = rng.normal(size=(8, 64, 64, channels))
            best = []
            for method in ("im2col", "fft"):
                layer = mc.Conv2d(channels, channels, kernel, padding=kernel // 2, method=method)
                best.append(1e3 * min(seconds(partial(both_passes, layer, x)) for _ in range(3)))
            print(f"{channels:<10}{kernel:<8}{best[0]:>10.1f}{best[1]:>8.1f}")


if __name__ == "__main__":
    crossover() if "--fft" in sys.argv else compare()
