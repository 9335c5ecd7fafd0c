"""NumPy's functions by SciPy's LAPACK and BLAS, and SciPy's functions of entries.

A factor is that of LAPACK: a triangle or both, the pivots (none of a Cholesky factor), and whether
an entry of the diagonal is 0. LAPACK does not spread nan to all entries: a factor with nan shows
it in its last entry.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from scipy.linalg import get_blas_funcs, get_lapack_funcs
from scipy.special import erf, erfc, erfcx, expit
from scipy.special import gammaln as lgamma
from scipy.special import log_ndtr as log_normcdf
from scipy.special import ndtr as normcdf
from scipy.special import polygamma as polygamma_of_doubles

from .common import cofactors
from .numpy import add_diagonal, outer
from .types import Array, Factor

__all__ = ["erf", "erfc", "erfcx", "lgamma", "log_normcdf", "normcdf"]  # under the table's names


@cache
def blas(name: str, one: Any, other: Any) -> Any:
    """A function of BLAS, looked up once for each type."""
    return get_blas_funcs(name, dtype=np.result_type(one, other))


@cache
def lapack(name: str, dtype: Any) -> Any:
    """A function of LAPACK, looked up once for each type."""
    return get_lapack_funcs(name, dtype=dtype)


# ---- functions of entries ----


def polygamma(k: int, x: Array) -> Array:
    """The k-th derivative of digamma, in the type of x."""
    return polygamma_of_doubles(k, x).astype(np.asarray(x).dtype)[()]


def sigmoid(x: Array, out: Array = None) -> Array:
    """1/(1 + exp(-x)), where exp(-x) may overflow."""
    if getattr(x, "size", 1) < 1000:
        return expit(x, out)
    # of large arrays four simple passes take a third of the time
    e = np.negative(x, out=out)
    with np.errstate(over="ignore"):
        np.exp(e, out=e)
    e += 1.0
    return np.reciprocal(e, out=e)


# ---- products ----


def mm(a: Array, b: Array) -> Array:
    """The product by SciPy's BLAS, which factorizes too."""
    # two BLAS libraries in turn fight for the cores
    gemm = blas("gemm", a.dtype, b.dtype)
    if a.flags.c_contiguous and b.flags.c_contiguous:
        return gemm(1, b.T, a.T).T
    (b, flip_b), (a, flip_a) = ((x.T, 0) if x.flags.c_contiguous else (x, 1) for x in (b, a))
    return gemm(1, b, a, trans_a=flip_b, trans_b=flip_a).T


def outer_into(u: Array, v: Array, out: Array) -> Array:
    """A column times a row, written to an array."""
    # BLAS writes it three times as fast as broadcasting does, until it leaves the fast memory
    same = out.dtype == u.dtype == v.dtype
    if not 0 < out.size <= 2**19 or not same or out.dtype.char not in "fdFD":
        return np.einsum("i,j->ij", u, v, out=out)
    # SciPy's gemm, since NumPy's dot first fills the array with zeros
    blas("gemm", u.dtype, v.dtype)(1, v[:, None], u[None], c=out.T, overwrite_c=1)
    return out


def plus_outer(a: Array, k: float, u: Array, v: Array) -> Array:
    """a + k*u*v', written over a."""
    # new pages for a large matrix cost more time than what is written to them
    if not a.dtype == u.dtype == v.dtype or a.dtype.kind == "c":
        return a + k * outer(u, v)
    add = blas("ger", a.dtype, a.dtype)
    if a.flags.c_contiguous:
        return add(k, v, u, a=a.T, overwrite_a=1).T
    return add(k, u, v, a=a, overwrite_a=1)


def mirrored(c: Array) -> Array:
    """A symmetric matrix from its lower triangle; c is written over."""
    if len(c) < 300:
        s = c + c.T
        s.flat[:: len(s) + 1] = c.diagonal()
        return s
    for k in range(0, len(c), 128):
        end = k + 128
        c[k:end, k:end] += np.tril(c[k:end, k:end], -1).T
        c[k:end, end:] = c[end:, k:end].T
    return c.T


def gram(x: Array) -> Array:
    """x'*x, of which BLAS makes one triangle."""
    x, flip = (x.T, 0) if x.flags.c_contiguous else (x, 1)
    return mirrored(blas("syrk", x.dtype, x.dtype)(1, x, trans=flip, lower=1))


def sandwich(c: Array, y: Array) -> Array:
    """y'*c*y with symmetric c, a quarter of the work saved."""
    if len(c) < 128:
        return mm(mm(y.T, c), y)
    # c = t + t' with a triangle t: y'*t*y and its transpose
    t, types = np.array(c, order="C"), (c.dtype, y.dtype)
    t.flat[:: len(t) + 1] *= 0.5
    half = blas("trmm", *types)(1, t.T, y.T, side=1)
    return mirrored(blas("syr2k", *types)(1, y.T, half, lower=1))


# ---- factors ----


def cholesky(s: Array, overwrite: int = 0) -> Factor:
    """The Cholesky factor; raises LinAlgError if s is not positive definite."""
    c, info = lapack("potrf", s.dtype)(s.T, lower=1, overwrite_a=overwrite)
    if info:
        raise np.linalg.LinAlgError("a matrix is not positive definite")
    return c, None, 0


def lu(a: Array) -> Factor:
    """Both triangles of the transpose, which lies in memory as LAPACK wants it."""
    c, pivots, info = lapack("getrf", a.dtype)(a.T)
    trace = c.trace()
    if trace != trace:
        c[-1, -1] = np.nan
    return c, pivots, info


def factor_symmetric(s: Array) -> Factor:
    """The Cholesky factor if s is positive definite, else both triangles."""
    try:
        return cholesky(s)
    except np.linalg.LinAlgError:
        return lu(s)


def solve(factor: Factor, b: Array, transposed: bool = False) -> Array:
    """inv(A)*b for a factor of A; raises LinAlgError if A is singular."""
    c, pivots, info = factor
    if c[-1, -1] != c[-1, -1]:
        return np.full_like(b, np.nan)
    if pivots is None and b.ndim > 1 and b.shape[1] >= len(c):
        # with so many columns an inverse and a product take half the time of two triangular solves
        return mm(inverse(factor), b)
    if pivots is None:
        return lapack("potrs", c.dtype)(c, b, lower=1)[0]
    if info:
        raise np.linalg.LinAlgError("a matrix is singular")
    return lapack("getrs", c.dtype)(c, pivots, b, trans=not transposed)[0]


def triangle_inverse(c: Array) -> Array:
    """The inverse of a lower triangle, half by half."""
    # BLAS multiplies triangles three times as fast as LAPACK inverts one
    n = len(c)
    if n < 80:
        return lapack("trtri", c.dtype)(c, lower=1)[0]
    h, times, out = n // 2, blas("trmm", c.dtype, c.dtype), np.zeros_like(c)
    a = out[:h, :h] = triangle_inverse(c[:h, :h])
    b = out[h:, h:] = triangle_inverse(c[h:, h:])
    out[h:, :h] = times(1, a, times(-1, b, c[h:, :h], lower=1), side=1, lower=1, overwrite_b=1)
    return out


def inverse(factor: Factor) -> Array:
    """inv(A) for a factor of A; raises LinAlgError if A is singular."""
    c, pivots, info = factor
    if c[-1, -1] != c[-1, -1]:
        return np.full_like(c, np.nan)
    if pivots is None:
        return mirrored(lapack("lauum", c.dtype)(triangle_inverse(c), lower=1, overwrite_c=1)[0])
    if info:
        raise np.linalg.LinAlgError("a matrix is singular")
    return lapack("getri", c.dtype)(c, pivots, lwork=32 * len(c))[0].T


def inverse_and_sandwich(
    factor: Factor, c: Array, a: Any, b: Any, trace: bool = True
) -> tuple[Any, Array]:
    """tr(inv(S)*C), and a*inv(S) + b*inv(S)*C*inv(S), of symmetric C and S = L*L'."""
    lower = factor[0]
    if len(c) < 256 or "c" in (c.dtype.kind, lower.dtype.kind):
        t = inverse(factor)
        s = sandwich(c, t)
        return trace and c.ravel() @ t.ravel(), t - s if (a, b) == (1, -1) else a * t + b * s
    # tr(M) and T'*(a*I + b*M)*T with T = inv(L) and M = T*C*T': LAPACK multiplies from both sides
    # at once
    times = lapack("sygst", np.result_type(c, lower, a, b))
    m = times(np.triu(c).T, lower, lower=1, overwrite_a=1)[0]
    trace = trace and m.trace()
    m *= b
    add_diagonal(m, a)
    both_sides = times(m, triangle_inverse(lower), itype=2, lower=1, overwrite_a=1)[0]
    return trace, mirrored(both_sides)


def det(factor: Factor) -> Array:
    """det(A) for a factor of A."""
    c, pivots, _ = factor
    d = c.diagonal().prod()
    if pivots is None:
        return d * d
    return -d if (pivots != np.arange(len(c))).sum() % 2 else d


def logdet(factor: Factor, signed: bool = False) -> Array:
    """log(abs(det(A))) for a factor of A; nan of a negative determinant where the sign counts."""
    c, pivots, _ = factor
    d = np.log(np.abs(c.diagonal())).sum()
    if signed and pivots is not None:
        odd = (pivots != np.arange(len(c))).sum() + (c.diagonal() < 0).sum()
        return np.nan if odd % 2 else d
    return 2 * d if pivots is None else d


def adjugate_by_factor(factor: Factor, x: Array) -> Array:
    """det(x)*inv(x) for a factor of x, which shows how near to a singular matrix x is."""
    d = np.abs(factor[0].diagonal())
    return det(factor) * inverse(factor) if d.min() > 1e-8 * d.max() else cofactors(x)
