"""NumPy's simplest forms of functions, those of the reference that plans are compared with."""

from __future__ import annotations

import numpy as np

from .types import Array


def commutation(m: int, n: int) -> Array:
    """K with K vec(X) = vec(X') for X m×n, column-major."""
    return np.eye(m * n)[np.arange(m * n).reshape(n, m).T.ravel()]


def sigmoid(x: Array) -> Array:
    """1/(1 + exp(-x)), where exp(-x) may overflow."""
    return np.exp(-np.logaddexp(0, -x))


def softmax(x: Array) -> Array:
    """exp(x)/sum(exp(x))."""
    e = np.exp(x - x.max())
    return e / e.sum()


def softmax_rows(x: Array) -> Array:
    """softmax of each row."""
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def logsumexp(x: Array) -> Array:
    """log(sum(exp(x)))."""
    top = x.max()
    top = top if np.isfinite(top) else x.dtype.type(0)
    return top + np.log(np.exp(x - top).sum())


def logsumexp_rows(x: Array) -> Array:
    """logsumexp of each row."""
    top = x.max(-1)
    top = np.where(np.isfinite(top), top, 0)
    return top + np.log(np.exp(x - top[..., None]).sum(-1))


def expm(x: Array) -> Array:
    """The exponential of a matrix."""
    # Higham 2005: scaling and squaring, here with a Taylor polynomial of degree 18 below norm 1/2
    norm = np.abs(x).sum(0).max()
    if not norm < np.inf:
        return np.full_like(x, np.nan)
    halvings = max(0, int(np.ceil(np.log2(max(norm, 1e-300)))) + 1)
    a = x * 0.5**halvings
    term = total = np.eye(len(x), dtype=a.dtype)
    for k in range(1, 19):
        term = term @ a / k
        total = total + term
    for _ in range(halvings):
        total = total @ total
    return total
