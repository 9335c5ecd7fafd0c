"""Functions that the array API standard lacks, in its own words; each asks its arrays for the
library.
"""

from __future__ import annotations

from typing import Any

from .types import Array

# ---- functions of entries ----


def relu(x: Array) -> Array:
    """max(x, 0), nan where x is nan."""
    xp = x.__array_namespace__()
    return xp.where(x <= 0, xp.zeros_like(x), x)


def sigmoid(x: Array) -> Array:
    """1/(1 + exp(-x)), where exp(-x) may overflow."""
    xp = x.__array_namespace__()
    e = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, xp.ones_like(x), e) / (1 + e)


def softplus(x: Array) -> Array:
    """log(1 + exp(x)), where exp(x) may overflow."""
    xp = x.__array_namespace__()
    return xp.where(x > 0, x, xp.zeros_like(x)) + xp.log1p(xp.exp(-xp.abs(x)))


# ---- functions of rows ----


def softmax_rows(x: Array) -> Array:
    """softmax of a vector or of each row."""
    xp = x.__array_namespace__()
    e = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
    return e / xp.sum(e, axis=-1, keepdims=True)


def logsumexp_rows(x: Array) -> Array:
    """logsumexp of a vector or of each row."""
    xp = x.__array_namespace__()
    top = xp.max(x, axis=-1, keepdims=True)
    top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
    return (top + xp.log(xp.sum(xp.exp(x - top), axis=-1, keepdims=True)))[..., 0]


def softmax_logsumexp(x: Array) -> tuple[Array, Array]:
    """softmax and logsumexp of a vector or of each row, of the same exponentials."""
    xp = x.__array_namespace__()
    top = xp.max(x, axis=-1, keepdims=True)
    top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
    e = xp.exp(x - top)
    total = xp.sum(e, axis=-1, keepdims=True)
    return e / total, (top + xp.log(total))[..., 0]


# ---- matrices ----


def diag(v: Array) -> Array:
    """The diagonal matrix of a vector."""
    xp = v.__array_namespace__()
    unit = xp.eye(v.shape[0], dtype=v.dtype)
    return xp.where(unit > 0, v[:, None], 0 * unit)


def kron(a: Array, b: Array) -> Array:
    """The Kronecker product; a vector is a row."""
    xp = a.__array_namespace__()
    a, b = (x if x.ndim == 2 else x[None, :] for x in (a, b))
    (m, n), (p, q) = a.shape, b.shape
    return xp.reshape(a[:, None, :, None] * b[None, :, None, :], (m * p, n * q))


def commutation(xp: Any, m: int, n: int, dtype: Any) -> Array:
    """K with K vec(X) = vec(X') for X m×n, column-major."""
    rows = xp.reshape(xp.reshape(xp.arange(m * n), (n, m)).T, (-1,))
    return xp.take(xp.eye(m * n, dtype=dtype), rows, axis=0)


def shifts(xp: Any, n: int, m: int, dtype: Any) -> Array:
    """The matrix with 1 in row i + j of column (i, j)."""
    rows = xp.arange(n)[:, None] + xp.arange(m)[None, :]
    return xp.take(xp.eye(n + m - 1, dtype=dtype), xp.reshape(rows, (-1,)), axis=0).T


def einsum(text: str, *arrays: Array) -> Array:
    """The sum of products that a text like 'ij,jk->ik' means."""
    # every array gets all axes, the summed ones last
    xp = arrays[0].__array_namespace__()
    inputs, result = text.split("->")
    letters = result + "".join(sorted(set(inputs) - set(result + ",")))
    total = 1
    for axes, a in zip(inputs.split(","), arrays, strict=True):
        total = total * spread(a, axes, letters)
    summed = tuple(range(len(result), len(letters)))
    return xp.sum(total, axis=summed) if summed else total


def spread(a: Array, axes: str, letters: str) -> Array:
    """An array with an axis for every letter, of length 1 where it has none."""
    xp = a.__array_namespace__()
    for letter in axes:
        if axes.count(letter) > 1:
            a, axes = diagonal_of(a, axes, letter)
    order = sorted(range(len(axes)), key=lambda i: letters.index(axes[i]))
    a = xp.permute_dims(a, tuple(order))
    lengths = iter(a.shape)
    return xp.reshape(a, tuple(next(lengths) if letter in axes else 1 for letter in letters))


def diagonal_of(a: Array, axes: str, letter: str) -> tuple[Array, str]:
    """An array with the diagonal of two axes of a letter as its last axis, and its letters."""
    xp = a.__array_namespace__()
    p, q = [i for i, c in enumerate(axes) if c == letter][:2]
    rest = [i for i in range(len(axes)) if i not in (p, q)]
    a = xp.linalg.diagonal(xp.permute_dims(a, (*rest, p, q)))
    return a, "".join(axes[i] for i in rest) + letter


def inverse_or_nan(x: Array) -> Array:
    """The inverse, nan where there is none."""
    # the standard names no error for a matrix without an inverse
    xp = x.__array_namespace__()
    try:
        return xp.linalg.inv(x)
    except (ArithmeticError, RuntimeError, ValueError):
        return xp.full_like(x, xp.nan)


def signed_logdet(sign: Array, value: Array) -> Array:
    """The logarithm of a determinant, nan where it is negative."""
    xp = value.__array_namespace__()
    return xp.where(sign < 0, xp.full_like(value, xp.nan), value)


def expm(x: Array) -> Array:
    """The exponential of a matrix."""
    # Higham 2005: scaling and squaring, here with a Taylor polynomial of degree 18 below norm 1/2
    xp, halvings = x.__array_namespace__(), 0
    norm = float(xp.max(xp.sum(xp.abs(x), axis=0)))
    if not norm < xp.inf:
        return xp.full_like(x, xp.nan)
    while norm > 0.5:
        norm, halvings = norm / 2, halvings + 1
    a = x * 0.5**halvings
    term = total = xp.eye(x.shape[0], dtype=x.dtype)
    for k in range(1, 19):
        term = (term @ a) / k
        total = total + term
    for _ in range(halvings):
        total = total @ total
    return total
