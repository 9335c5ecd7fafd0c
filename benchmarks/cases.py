"""The cases: an expression, the sizes, the best NumPy/SciPy that one would write by hand, and the
loss for the automatic tools.

A loss is a function of a library (see :mod:`benchmarks.libraries`) and of the data by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit, softmax

Array = Any
Sizes = dict[str, int]


@dataclass(frozen=True)
class Case:
    """One line of the table for each of its sizes.

    ``memory_bound`` cases are those that stream their data once or twice.
    """

    name: str
    expr: str
    wrt: tuple[str, ...]
    shapes: str
    sizes: tuple[Sizes, Sizes, Sizes]
    hand: Callable[..., Any]
    loss: Callable[..., Any]
    kind: str = "gradient"  # or hessian, hvp
    memory_bound: bool = False


def least_squares_w(X: Array, w: Array, y: Array) -> Array:
    return 2 * (X.T @ (X @ w - y))


def least_squares_X(X: Array, w: Array, y: Array) -> Array:
    return np.outer(2 * (X @ w - y), w)


def logistic(X: Array, w: Array, y: Array, c: float) -> Array:
    return X.T @ (expit(X @ w) - y) + 2 * c * w


def logistic_hessian(X: Array, w: Array, y: Array, c: float) -> Array:
    s = expit(X @ w)
    H = X.T @ (X * (s * (1 - s))[:, None])
    H.flat[:: len(w) + 1] += 2 * c
    return H


def quadratic(x: Array, A: Array) -> Array:
    return A @ x + A.T @ x


def factorization(A: Array, U: Array, V: Array) -> Array:
    return -2 * ((A - U @ V.T) @ V)


def factorization_hvp(A: Array, U: Array, V: Array, H: Array) -> Array:
    return 2 * (H @ (V.T @ V))


def logdet(X: Array, c: float) -> Array:
    S = X.T @ X
    S.flat[:: len(S) + 1] += c
    return 2 * cho_solve(cho_factor(S), X.T).T


def gaussian(S: Array, C: Array) -> Array:
    P = np.linalg.inv(S)
    return P - P @ C @ P


def bilinear(A: Array, B: Array, C: Array, X: Array) -> Array:
    CA = C @ A
    return CA @ X @ B + CA.T @ X @ B.T


def cross_entropy(X: Array, W: Array, Y: Array) -> Array:
    return X.T @ (softmax(X @ W, axis=1) - Y)


def network(X: Array, A: Array, B: Array, C: Array, Y: Array) -> tuple[Array, ...]:
    h1 = expit(X @ A)
    h2 = expit(h1 @ B)
    h3 = expit(h2 @ C)
    d3 = 2 * (h3 - Y) * h3 * (1 - h3)
    d2 = (d3 @ C.T) * h2 * (1 - h2)
    d1 = (d2 @ B.T) * h1 * (1 - h1)
    return X.T @ d1, h1.T @ d2, h2.T @ d3


def convolution(P: Array, K: Array, T: Array) -> Array:
    return P.T @ (T * (P @ K > 0))


def metric(X: Array, Y: Array, L: Array) -> Array:
    D = X - Y
    return 2 * (D.T @ (D @ L))


def gls(S: Array, X: Array, w: Array, y: Array) -> Array:
    P = np.linalg.inv(S)
    v = P @ (y - X @ w)
    return P - np.outer(v, v)


def chain(A: Array, B: Array, C: Array, D: Array, x: Array, y: Array) -> Array:
    return np.outer(y, B @ (C @ (D @ x)))


def sizes(names: str, *rows: tuple[int, ...]) -> tuple[Sizes, Sizes, Sizes]:
    small, medium, large = (dict(zip(names, row, strict=True)) for row in rows)
    return small, medium, large


CASES = (
    Case(
        "least squares by w",
        "norm2(X*w - y)^2",
        ("w",),
        "X: m×n; w: n; y: m",
        sizes("mn", (50, 10), (2000, 200), (40000, 400)),
        least_squares_w,
        lambda L, X, w, y: L.sum((X @ w - y) ** 2),
        memory_bound=True,
    ),
    Case(
        "least squares by X",
        "norm2(X*w - y)^2",
        ("X",),
        "X: m×n; w: n; y: m",
        sizes("mn", (50, 10), (2000, 200), (20000, 400)),
        least_squares_X,
        lambda L, X, w, y: L.sum((X @ w - y) ** 2),
        memory_bound=True,
    ),
    Case(
        "ridge logistic",
        "sum(softplus(X*w)) - y'*X*w + c*norm2(w)^2",
        ("w",),
        "X: m×n; w: n; y: m; c: scalar positive",
        sizes("mn", (50, 10), (2000, 200), (40000, 400)),
        logistic,
        lambda L, X, w, y, c: L.sum(L.softplus(X @ w)) - y @ (X @ w) + c * (w @ w),
        memory_bound=True,
    ),
    Case(
        "ridge logistic, Hessian",
        "sum(softplus(X*w)) - y'*X*w + c*norm2(w)^2",
        ("w",),
        "X: m×n; w: n; y: m; c: scalar positive",
        sizes("mn", (50, 10), (1000, 100), (10000, 300)),
        logistic_hessian,
        lambda L, X, w, y, c: L.sum(L.softplus(X @ w)) - y @ (X @ w) + c * (w @ w),
        kind="hessian",
    ),
    Case(
        "x'Ax",
        "x'*A*x",
        ("x",),
        "A: n×n; x: n",
        sizes("n", (20,), (500,), (3000,)),
        quadratic,
        lambda L, x, A: x @ (A @ x),
    ),
    Case(
        "matrix factorization",
        "norm2(A - U*V')^2",
        ("U",),
        "A: m×n; U: m×k; V: n×k",
        sizes("mnk", (30, 20, 5), (500, 400, 20), (3000, 2000, 30)),
        factorization,
        lambda L, A, U, V: L.sum((A - U @ V.T) ** 2),
    ),
    Case(
        "matrix factorization, HVP",
        "norm2(A - U*V')^2",
        ("U",),
        "A: m×n; U: m×k; V: n×k; H: m×k",
        sizes("mnk", (30, 20, 5), (500, 400, 20), (3000, 2000, 30)),
        factorization_hvp,
        lambda L, A, U, V: L.sum((A - U @ V.T) ** 2),
        kind="hvp",
    ),
    Case(
        "logdet(X'X + λI)",
        "logdet(X'*X + c*eye(n))",
        ("X",),
        "X: m×n; c: scalar positive",
        sizes("mn", (30, 10), (1000, 200), (3000, 600)),
        logdet,
        lambda L, X, c: L.logdet(X.T @ X + c * L.eye(X.shape[1])),
    ),
    Case(
        "Gaussian likelihood",
        "logdet(S) + tr(inv(S)*C)",
        ("S",),
        "S: n×n spd; C: n×n symmetric",
        sizes("n", (10,), (200,), (800,)),
        gaussian,
        lambda L, S, C: L.logdet(S) + L.trace(L.inv(S) @ C),
    ),
    Case(
        "tr(A X B X' C)",
        "tr(A*X*B*X'*C)",
        ("X",),
        "A: m×n; X: n×n; B: n×n; C: n×m",
        sizes("mn", (10, 10), (200, 200), (600, 600)),
        bilinear,
        lambda L, A, B, C, X: L.trace(A @ X @ B @ X.T @ C),
    ),
    Case(
        "softmax cross entropy",
        "sum(logsumexp_rows(X*W)) - tr(Y'*X*W)",
        ("W",),
        "X: m×n; W: n×k; Y: m×k",
        sizes("mnk", (50, 10, 5), (1000, 100, 20), (10000, 400, 50)),
        cross_entropy,
        lambda L, X, W, Y: L.sum(L.logsumexp_rows(X @ W)) - L.sum(Y * (X @ W)),
    ),
    Case(
        "3-layer network",
        "norm2(sigmoid(sigmoid(sigmoid(X*A)*B)*C) - Y)^2",
        ("A", "B", "C"),
        "X: m×n; A: n×k; B: k×l; C: l×p; Y: m×p",
        sizes("mnklp", (32, 20, 16, 12, 4), (256, 100, 64, 32, 10), (2048, 400, 200, 100, 10)),
        network,
        lambda L, X, A, B, C, Y: L.sum((L.sigmoid(L.sigmoid(L.sigmoid(X @ A) @ B) @ C) - Y) ** 2),
    ),
    Case(
        "convolution by im2col",
        "tr(T'*relu(P*K))",
        ("K",),
        "P: m×n; K: n×k; T: m×k",
        sizes("mnk", (60, 9, 4), (5000, 75, 16), (50000, 144, 32)),
        convolution,
        lambda L, P, K, T: L.sum(T * L.relu(P @ K)),
    ),
    Case(
        "metric learning",
        "norm2((X - Y)*L)^2",
        ("L",),
        "X: m×n; Y: m×n; L: n×k",
        sizes("mnk", (50, 10, 5), (1000, 100, 10), (20000, 200, 20)),
        metric,
        lambda lib, X, Y, L: lib.sum(((X - Y) @ L) ** 2),
    ),
    Case(
        "GLS by the covariance",
        "(y - X*w)'*inv(S)*(y - X*w) + logdet(S)",
        ("S",),
        "S: n×n spd; X: n×k; w: k; y: n",
        sizes("nk", (10, 3), (200, 20), (800, 50)),
        gls,
        lambda L, S, X, w, y: (y - X @ w) @ (L.inv(S) @ (y - X @ w)) + L.logdet(S),
    ),
    Case(
        "tr(A B C D x y')",
        "tr(A*B*C*D*x*y')",
        ("A",),
        "A: n×n; B: n×n; C: n×n; D: n×n; x: n; y: n",
        sizes("n", (20,), (300,), (1000,)),
        chain,
        lambda L, A, B, C, D, x, y: L.trace(A @ B @ C @ D @ L.outer(x, y)),
    ),
)


def data(case: Case, lengths: Sizes, seed: int = 0) -> dict[str, Array]:
    """Random arguments of a case."""
    rng, out = np.random.default_rng(seed), {}
    for declared in case.shapes.split(";"):
        name, text = (part.strip() for part in declared.split(":"))
        shape, *properties = text.split()
        if shape == "scalar":
            out[name] = 0.1
            continue
        dims = tuple(lengths[a] for a in shape.split("×"))
        array = rng.normal(size=dims) / np.sqrt(dims[-1])
        out[name] = (
            array @ array.T + np.eye(dims[0])
            if "spd" in properties
            else array + array.T
            if "symmetric" in properties
            else array
        )
    return out
