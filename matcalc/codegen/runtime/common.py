"""Functions that array libraries lack, in words of NumPy that every library knows.

Other libraries read them with the name of their module in place of ``np``.
"""

from __future__ import annotations

from collections.abc import Callable
from math import factorial
from typing import Any

import numpy as np
from numpy.polynomial.legendre import leggauss

from .types import Array

# ---- functions of matrices ----


def inverse_or_nan(x: Array) -> Array:
    """The inverse, nan where there is none."""
    try:
        return np.linalg.inv(x)
    except np.linalg.LinAlgError:
        return np.full_like(x, np.nan)


def sqrtm(x: Array) -> Array:
    """The principal square root of a matrix, nan where it is not real."""
    # Denman & Beavers 1976: Newton's iteration, in its product form (Higham 2008, eq. 6.29)
    y, m, unit = x, x, np.eye(x.shape[0], dtype=x.dtype)
    for k in range(24):
        inverse = np.linalg.inv(m) if k == 0 else inverse_or_nan(m)
        y, m = y @ (unit + inverse) / 2, (unit + (m + inverse) / 2) / 2
    # with a negative eigenvalue m becomes singular or never settles at the identity
    return np.where(np.max(np.abs(m - unit)) < 1e-3, y, np.full_like(y, np.nan))


def logm(x: Array) -> Array:
    """The principal logarithm of a matrix, nan where it is not real."""
    # Higham 2008, section 11.5: eight square roots, then Padé's approximant as a Gauss
    # quadrature of order 16
    for _ in range(8):
        x = sqrtm(x)
    unit = np.eye(x.shape[0], dtype=x.dtype)
    e, total = x - unit, 0
    for node, weight in zip(*leggauss(16), strict=True):
        inverse = inverse_or_nan(unit + (1 + float(node)) / 2 * e)
        total = total + 128 * float(weight) * e @ inverse
    return total


def frechet(f: Callable[[Array], Array], x: Array, e: Array) -> Array:
    """The Fréchet derivative of a function of matrices at x, in the direction e."""
    # Mathias 1996: the upper right block of f of [x e; 0 x], of which e is not the larger part
    n, large = x.shape[0], np.max(np.abs(e))
    large = np.where(large > 0, large, np.ones_like(large))
    top = np.concat([x, e / large], axis=1)
    bottom = np.concat([np.zeros_like(x), x], axis=1)
    return large * f(np.concat([top, bottom], axis=0))[:n, n:]


def spectral_frechet(f: Callable[[Array, Array], Array], x: Array, e: Array) -> Array:
    """The Fréchet derivative at a symmetric x, of a function with the divided differences f."""
    # Daleckii & Krein 1965: in the eigenvectors of x it multiplies e by divided differences; of
    # equal eigenvalues these are derivatives
    values, v = np.linalg.eigh(x)
    above = np.maximum(values[:, None], values[None, :])
    below = np.minimum(values[:, None], values[None, :])
    return v @ (f(above, below) * (v.T @ e @ v)) @ v.T


def expm_slopes(above: Array, below: Array) -> Array:
    """Divided differences of exp."""
    gap = above - below
    divisor = np.where(gap > 0, gap, np.ones_like(gap))
    return np.exp(above) * np.where(gap > 0, -np.expm1(-gap) / divisor, np.ones_like(gap))


def logm_slopes(above: Array, below: Array) -> Array:
    """Divided differences of log."""
    gap = (above - below) / below
    divisor = np.where(gap == 0, np.ones_like(gap), gap)
    return np.where(gap == 0, np.ones_like(gap), np.log1p(gap) / divisor) / below


def sqrtm_slopes(above: Array, below: Array) -> Array:
    """Divided differences of sqrt."""
    return 1 / (np.sqrt(above) + np.sqrt(below))


def matrix_power(x: Array, k: int) -> Array:
    """The k-th power of a matrix, by squaring."""
    base, total = x if k >= 0 else np.linalg.inv(x), np.eye(x.shape[0], dtype=x.dtype)
    for bit in f"{abs(k):b}":
        total = total @ total
        total = total @ base if bit == "1" else total
    return total


def power_frechet(x: Array, e: Array, k: int) -> Array:
    """The Fréchet derivative of the k-th power of a matrix at x, in the direction e."""
    return frechet(lambda y: np.linalg.matrix_power(y, k), x, e)


def cofactors(x: Array) -> Array:
    """det(x)*inv(x), also of a matrix of rank n - 1."""
    # each singular value is replaced by the product of the others
    u, s, v = np.linalg.svd(x)
    unit = np.eye(x.shape[0], dtype=x.dtype)
    others = np.prod(np.where(unit == 1, np.ones_like(unit), s[None, :]), axis=1)
    return np.linalg.det(u) * np.linalg.det(v) * (v.T * others) @ u.T


def adjugate(factor: Array, x: Array) -> Array:
    """det(x)*inv(x); the factor is the matrix itself."""
    d = np.linalg.det(x)
    if d == 0:
        return cofactors(x)
    inverse = np.linalg.inv(x)
    regular = np.max(np.abs(x)) * np.max(np.abs(inverse)) < 1e8
    return d * inverse if regular else cofactors(x)


# ---- functions of entries ----


def erf(x: Array) -> Array:
    """The error function."""
    # Abramowitz & Stegun 1964, 7.1.6; beyond 6 it is 1 to double precision
    x = np.clip(x, -6, 6)
    term = total = 2 / np.pi**0.5 * x * np.exp(-x * x)
    for n in range(1, 120):
        term = term * (2 * x * x / (2 * n + 1))
        total = total + term
    return total


def normcdf(x: Array) -> Array:
    """The normal distribution function."""
    # Matta & Reichel 1971: erfc by the trapezoidal rule with steps of 1/2, to double precision
    # from 1 on
    size = np.abs(x) / 2**0.5
    z = np.clip(size, 1, 40)
    total, decay = 1 / z**2, 0.7788007830714049  # exp(-1/4)
    for n in range(1, 13):
        total = total + 2 * decay ** (n * n) / (n * n / 4 + z**2)
    pole = np.where(z < 6, 2 / (1 - np.exp(4 * np.pi * np.clip(z, 1, 6))), 0 * z)
    tail = np.where(size < 1, 1 - erf(size), z / (2 * np.pi) * np.exp(-z * z) * total + pole) / 2
    return np.where(x < 0, tail, 1 - tail)


# coefficients of the Chebyshev polynomials T_26, T_25, …, T_1
ERFCX = (
    -2.187342944303018e-18,
    -2.2370566594359995e-18,
    5.068148904796111e-17,
    7.418235256624044e-17,
    -1.2507950530688648e-15,
    -1.864562880419313e-15,
    3.3478119482868056e-14,
    3.25254814814874e-14,
    -9.65469674843344e-13,
    1.9455868545777347e-13,
    2.86879501093067e-11,
    -6.318088340886684e-11,
    -7.754400208831351e-10,
    4.521959811218287e-09,
    1.076499946567091e-08,
    -2.1886401049234397e-07,
    7.74038306619849e-07,
    4.13902798607301e-06,
    -6.916973302501207e-05,
    0.0004907758365258086,
    -0.002413163540417608,
    0.009074997670705265,
    -0.026658668435305753,
    0.05920993999819189,
    -0.08424913336651792,
    -0.004590054580646478,
)


def erfcx(x: Array) -> Array:
    """exp(x^2)*erfc(x), which never underflows."""
    # Shepherd & Laframboise 1981: (1 + 2*x)*erfcx(x) is smooth in (x - 3.75)/(x + 3.75); its
    # Chebyshev series by Clenshaw's recurrence
    z = np.abs(x)
    t = 1 - 7.5 / (z + 3.75)
    b, c = np.zeros_like(z), np.zeros_like(z)
    for a in ERFCX:
        b, c = 2 * t * b - c + a, b
    right = (t * b - c + 1.1775789345674017) / (1 + 2 * z)
    return np.where(x < 0, 2 * np.exp(np.minimum(x, np.zeros_like(x)) ** 2) - right, right)


def erfc(x: Array) -> Array:
    """1 - erf(x), accurate where it is small."""
    right = np.exp(-x * x) * erfcx(np.abs(x))
    return np.where(x < 0, 2 - right, right)


def log_normcdf(x: Array) -> Array:
    """The logarithm of the normal distribution function."""
    # by erfcx where the function would underflow, by log1p where its logarithm is near 0
    edge = -np.ones_like(x)
    low, high = np.minimum(x, edge), np.maximum(x, edge)
    left = np.log(erfcx(-low / 2**0.5) / 2) - low * low / 2
    return np.where(x < edge, left, np.log1p(-erfc(high / 2**0.5) / 2))


def huber(x: Array, w: Array) -> Array:
    """Half the square of x up to w, a line beyond."""
    size = np.abs(x)
    near = np.minimum(size, w)
    return near * (size - near / 2)


def logcosh(x: Array) -> Array:
    """log(cosh(x)), where cosh(x) may overflow or be near 1."""
    # by q = exp(-z) - 1 cosh(z) is 1 + q^2/(2*(1 + q)) near 0, and exp(z)*(1 + q*(2 + q)/2)
    # beyond 1
    z = np.abs(x)
    near, q = z < 1, np.expm1(-z)
    below = np.where(near, 1 + q, np.ones_like(z))
    excess = np.log1p(np.where(near, q * q / below, q * (2 + q)) / 2)
    return np.where(near, excess, z + excess)


def sech2(x: Array) -> Array:
    """1/cosh(x)^2, where cosh(x) may overflow."""
    e = np.exp(-2 * np.abs(x))
    return 4 * e / (1 + e) ** 2


def exp_below(x: Array) -> Array:
    """exp(x) for x below 0, else 1."""
    return np.exp(np.minimum(x, np.zeros_like(x)))


def reciprocal(x: Array) -> Array:
    """1/x, and 0 for 0: the slope of a norm at 0 is taken to be 0."""
    return np.where(x == 0, np.zeros_like(x), 1 / np.where(x == 0, np.ones_like(x), x))


def xlogy(x: Array, w: Array) -> Array:
    """x*log(w), and 0 for x = 0 unless w is nan."""
    none = (x == 0) & (w == w)
    return np.where(none, np.zeros_like(x), x * np.log(np.where(none, np.ones_like(w), w)))


def xlog1py(x: Array, w: Array) -> Array:
    """x*log(1 + w), and 0 for x = 0 unless w is nan."""
    none = (x == 0) & (w == w)
    return np.where(none, np.zeros_like(x), x * np.log1p(np.where(none, np.zeros_like(w), w)))


def power_slope(x: Array, p: Array) -> Array:
    """p*x^(p - 1), and 0 for p = 0 unless x is nan."""
    none = (p == 0) & (x == x)
    return np.where(none, np.zeros_like(x), p * np.where(none, np.ones_like(x), x) ** (p - 1))


def masked(x: Array, w: Array) -> Array:
    """x, and -inf where w is 0."""
    return np.where(w == 0, np.full_like(x, -np.inf), x)


def lgamma(x: Array) -> Array:
    """The logarithm of the gamma function."""
    # Abramowitz & Stegun 1964, 6.1.41: Stirling's series, beyond 16
    z = x + 16
    shift = sum(np.log(x + k) for k in range(16))
    series = 1 / (12 * z) - 1 / (360 * z**3) + 1 / (1260 * z**5)
    series = series - 1 / (1680 * z**7) + 1 / (1188 * z**9)
    half_log_two_pi = 0.9189385332046727
    return np.where(x < np.inf, (z - 0.5) * np.log(z) - z + half_log_two_pi + series - shift, x)


def polygamma(k: int, x: Array) -> Array:
    """The k-th derivative of digamma."""
    # Abramowitz & Stegun 1964, 6.3.18 and 6.4.11: the asymptotic series, beyond 16
    z, sign = x + 16, (-1) ** (k + 1)
    bernoulli = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)
    total = np.log(z) if k == 0 else sign * factorial(k - 1) / z**k
    total = total + sign * factorial(k) / (2 * z ** (k + 1))
    for j, b in enumerate(bernoulli, 1):
        total = total + sign * b * factorial(2 * j + k - 1) / (factorial(2 * j) * z ** (2 * j + k))
    for j in range(16):
        total = total + sign * factorial(k) / (x + j) ** (k + 1)
    return total


# ---- functions of rows ----


def logsoftmax_rows(x: Array) -> Array:
    """The logarithm of the softmax of each row."""
    y = x - np.amax(x, axis=-1, keepdims=True)
    return y - np.log(np.sum(np.exp(y), axis=-1, keepdims=True))


def top(x: Array) -> Array:
    """The largest entry, 0 if it is not finite."""
    t = np.amax(x)
    return np.where(np.isfinite(t), t, np.zeros_like(t))


def top_rows(x: Array) -> Array:
    """The largest entry of each row, 0 if it is not finite."""
    t = np.amax(x, axis=-1)
    return np.where(np.isfinite(t), t, np.zeros_like(t))


# ---- entries in new places ----


def embed(x: Array, start: int, length: int) -> Array:
    """Rows among rows of zeros, from an index on."""
    shape, after = x.shape[1:], length - start - x.shape[0]
    zeros = [np.zeros((n, *shape), dtype=x.dtype) for n in (start, after)]
    return np.concat([zeros[0], x, zeros[1]], axis=0)


def convmat(x: Array, y: Array) -> Array:
    """The matrix C with C*y = conv(x, y): entry x[i] stands in row i + j of column j."""
    n, m = x.shape[0], y.shape[0]
    edge = np.zeros((m - 1,), dtype=x.dtype)
    padded = np.concat([edge, x, edge], axis=0)
    return padded[np.arange(n + m - 1)[:, None] - np.arange(m)[None, :] + (m - 1)]


def hankel(x: Array, y: Array) -> Array:
    """The matrix with x[i + j] in row i of column j, with a column for each entry of y."""
    m = y.shape[0]
    return x[np.arange(x.shape[0] - m + 1)[:, None] + np.arange(m)[None, :]]


def shifts(n: int, m: int, dtype: Any) -> Array:
    """The matrix with 1 in row i + j of column (i, j)."""
    rows = np.arange(n)[:, None] + np.arange(m)[None, :]
    return np.eye(n + m - 1, dtype=dtype)[np.reshape(rows, (-1,))].T


def cross(x: Array, y: Array) -> Array:
    """The cross product."""
    first = x[1] * y[2] - x[2] * y[1]
    second = x[2] * y[0] - x[0] * y[2]
    third = x[0] * y[1] - x[1] * y[0]
    return np.stack([first, second, third])


def skew(x: Array) -> Array:
    """The matrix S with S*y = cross(x, y)."""
    zero = 0 * x[0]
    return np.reshape(np.stack([zero, -x[2], x[1], x[2], zero, -x[0], -x[1], x[0], zero]), (3, 3))


def unskew(a: Array) -> Array:
    """The adjoint of skew."""
    return np.stack([a[2, 1] - a[1, 2], a[0, 2] - a[2, 0], a[1, 0] - a[0, 1]])
