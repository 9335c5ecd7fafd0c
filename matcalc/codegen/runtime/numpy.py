"""NumPy's functions: shorter ways where nothing needs care, and results written where they go."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from operator import iadd
from os import cpu_count, environ
from sys import getrefcount
from typing import Any

import numpy as np

from .types import Array

# ---- functions of entries ----


def sigmoid(x: Array, out: Array = None) -> Array:
    """1/(1 + exp(-x)), where exp(-x) may overflow."""
    e = np.exp(-np.abs(x))
    return np.divide(np.where(x >= 0, 1, e), 1 + e, out=out)


def softplus(x: Array) -> Array:
    """log(1 + exp(x)), where exp(x) may overflow."""
    e = np.abs(x)
    return np.maximum(x, 0) + np.log1p(np.exp(-e))


def unit_step(x: Array) -> Array:
    """1 for x > 0, else 0, in the type of x."""
    return np.greater(x, 0, out=np.empty_like(x))[()]


def exp_below(x: Array) -> Array:
    """exp(x) for x below 0, else 1."""
    return np.exp(np.minimum(x, 0.0))


def reciprocal(x: Array) -> Array:
    """1/x, and 0 for 0: the slope of a norm at 0 is taken to be 0."""
    if not getattr(x, "ndim", 0):
        return 1 / x if x else 0 * x
    return np.divide(1, x, out=np.zeros_like(x), where=x != 0)


def masked(x: Array, w: Array) -> Array:
    """x, and -inf where w is 0."""
    # where nothing is 0 there is nothing to mask, and to see that takes no time
    return x if np.all(w) else np.where(w == 0, -np.inf, x)


def xlogy(x: Array, w: Array) -> Array:
    """x*log(w), and 0 for x = 0 unless w is nan."""
    if np.all(x):
        return x * np.log(w)
    none = (x == 0) & (w == w)
    return np.where(none, 0.0, x * np.log(np.where(none, 1.0, w)))


def xlog1py(x: Array, w: Array) -> Array:
    """x*log(1 + w), and 0 for x = 0 unless w is nan."""
    if np.all(x):
        return x * np.log1p(w)
    none = (x == 0) & (w == w)
    return np.where(none, 0.0, x * np.log1p(np.where(none, 0.0, w)))


def power_slope(x: Array, p: Array) -> Array:
    """p*x^(p - 1), and 0 for p = 0 unless x is nan."""
    if np.all(p):
        return p * x ** (p - 1)
    none = (p == 0) & (x == x)
    return np.where(none, 0.0, p * np.where(none, 1.0, x) ** (p - 1))


def signed_logdet(sign: Array, value: Array) -> Array:
    """The logarithm of a determinant, nan where it is negative."""
    return np.nan if sign < 0 else value


# ---- functions of rows ----


def top(x: Array) -> Array:
    """The largest entry, 0 if it is not finite."""
    t = x.max()
    return t if np.isfinite(t) else x.dtype.type(0)


def softmax_rows(x: Array) -> Array:
    """softmax of each row."""
    e = x - x.max(-1, keepdims=True)
    np.exp(e, out=e)
    e /= e.sum(-1, keepdims=True)
    return e


def logsumexp_rows(x: Array) -> Array:
    """logsumexp of each row."""
    top = x.max(-1)
    top = np.where(np.isfinite(top), top, 0)
    e = x - top[..., None]
    np.exp(e, out=e)
    return top + np.log(e.sum(-1))


def softmax_logsumexp_rows(x: Array) -> Array:
    """softmax and logsumexp of each row, of the same exponentials."""
    top = x.max(-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    e = x - top
    np.exp(e, out=e)
    total = e.sum(-1, keepdims=True)
    e /= total
    return e, (top + np.log(total))[..., 0]


def softmax_logsumexp(x: Array) -> Array:
    """softmax and logsumexp, of the same exponentials."""
    return softmax_logsumexp_rows(x)


# ---- matrices ----


def commutation(m: int, n: int, dtype: Any) -> Array:
    """K with K vec(X) = vec(X') for X m×n, column-major."""
    return np.eye(m * n, dtype=dtype)[np.arange(m * n).reshape(n, m).T.ravel()]


def add_diagonal(a: Array, d: Array) -> Array:
    """A matrix with a vector or a number added to its diagonal, in place."""
    # ravel is quicker, and would copy a part of a larger array
    (a.ravel("K") if a.flags.forc else a.flat)[:: len(a) + 1] += d
    return a


def both(a: Array, u: Array, v: Array) -> Array:
    """a*u and a'*v, each block of rows read once."""
    # of a large matrix a block is still in fast memory for its second product
    if not a.flags.c_contiguous:
        return both(a.T, v, u)[::-1] if a.flags.f_contiguous else (a @ u, a.T @ v)
    step = max(1, 2**18 // a.shape[1])
    parts = [(a[i : i + step], v[i : i + step]) for i in range(0, len(a), step)]
    pairs = [(rows @ u, some @ rows) for rows, some in parts]
    return np.concatenate([p for p, _ in pairs]), np.sum([q for _, q in pairs], axis=0)


def outer_into(u: Array, v: Array, out: Array) -> Array:
    """A column times a row, written to an array."""
    # BLAS writes it twice as fast as broadcasting does, until it leaves the fast memory
    if out.size < 2**20 and out.dtype == u.dtype == v.dtype:
        return np.dot(u[:, None], v[None], out=out)
    return np.einsum("i,j->ij", u, v, out=out)


def outer(u: Array, v: Array) -> Array:
    """A column times a row; large ones reuse the buffer of a result without references."""
    if u.size * v.size < 2**16 or not u.dtype == v.dtype == np.float64:
        return u[:, None].dot(v[None])
    return outer_into(u, v, spare("outer", len(u), len(v)))


# ---- memory ----


def aligned(shape: tuple[int, ...], dtype: Any) -> Array:
    """An array that begins where a cache line does: BLAS writes it up to a third faster."""
    room = np.empty(prod(shape) * np.dtype(dtype).itemsize + 64, np.uint8)
    start = -room.__array_interface__["data"][0] % 64
    return np.ndarray(shape, dtype, room, start)


kept: dict[tuple[str, int], tuple[Array, int]] = {}


def spare(name: str, m: int, n: int) -> Array:
    """A matrix for a result: the last one under this name, if nothing refers to it any more."""
    # page-faulting a new large matrix costs more than filling it
    for key in (name, 0), (name, 1):
        a, alone = kept.pop(key, (None, 0))
        if a is None or a.shape != (m, n):
            a = aligned((m, n), float)
            alone = getrefcount(a) + getrefcount(a.base)
        held = getrefcount(a) + getrefcount(a.base) > alone  # parts of it hold its base
        kept[key] = a, alone
        if not held:
            return a
    return aligned((m, n), float)


# ---- blocks of rows ----

# what the library of products may use, or all
LIMITS = [environ.get(f"{library}_NUM_THREADS", "") for library in ("OPENBLAS", "MKL", "OMP")]
THREADS = next((int(limit) for limit in LIMITS if limit.isdigit()), cpu_count() or 1)
BLOCK = 2**17 * THREADS  # entries that stay in fast memory


def in_blocks(f: Callable[..., Any], sums: int, rows: tuple[Array, ...], others: Any) -> Any:
    """f of some rows at a time, in fast memory from the first product to the last."""
    # the first results, as many as sums, are added up; the others have rows
    length, step = len(rows[0]), block_length(rows, others)
    if step >= length:
        return f(*rows, *others)
    totals, pieces, i = (), [], 0
    while i < length:
        parts = f(*(x[i : i + step] for x in rows), *others)
        parts = parts if isinstance(parts, tuple) else (parts,)
        totals = added(totals, parts[:sums])
        pieces.append(parts[sums:])
        i += step
        if sum(map(np.size, totals)) > BLOCK:
            step = length  # adding up so large results again and again takes too long
    results = (*totals, *map(np.concatenate, zip(*pieces, strict=True)))
    return results if len(results) > 1 else results[0]


def added(totals: tuple[Array, ...], parts: tuple[Array, ...]) -> Any:
    """The sums of some blocks, which are written over, with those of one more."""
    return tuple(map(iadd, totals, parts)) if totals else parts


def block_length(rows: tuple[Array, ...], others: Any) -> int:
    """The number of rows of a block, all rows where blocks do not pay."""
    shapes = [*(x.shape[1:] for x in rows), *map(np.shape, others)]
    step = max(1, BLOCK // max(n for shape in shapes for n in shape))
    contiguous = all(x.flags.c_contiguous for x in rows)
    large = len(rows[0]) >= 4 * step and sum(map(np.size, others)) <= BLOCK
    return step if large and contiguous else len(rows[0])
