"""The value of a text of the language at a point, to sixty digits.

This interpreter of the syntax tree shares the grammar with matcalc, and nothing else: functions are
written anew from their descriptions, every value is an array of two axes of mpmath's numbers, and
no expression of matcalc is built. What it says is what the text means.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import mpmath
import numpy as np
from lark import Token

from matcalc.errors import LimitProblem
from matcalc.language.syntax import Syntax, syntax

MP: Any = mpmath.mp.clone()
MP.dps = 60
Array = Any
Number = Any
LARGE = MP.mpf(10) ** 40
EXPONENT = 1000  # of exp: beyond, numbers of doubles are long infinite
LETTERS = "ijklpqrstuvabcdefghmnowxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
TINY = MP.mpf(10) ** -30  # less is zero for matrices that have no inverse, and for singular values
NEAR = MP.mpf(10) ** -6  # this near to a kink, differences may see both sides
MOST, MOST_SINGULAR = 10, 6  # rows of matrices whose functions, or eigenvalues, take no long time


class Undefined(Exception):
    """The text has no real value at this point."""


class Unclear(Exception):
    """The interpreter cannot say what the text means: nothing gives a constant its size."""


@dataclass
class Point:
    """Values of names, arrays of two axes.

    Lengths of sizes and places; how many arguments are near a kink.
    """

    values: dict[str, Array]
    sizes: dict[str, int]
    kinks: int = 0
    ranks: int = 0  # of the matrices that have been pseudo-inverted, together

    def near(self, distance: Number) -> None:
        if abs(distance) < NEAR:
            self.kinks += 1


@dataclass(frozen=True)
class Fitting:
    """A constant whose size its place decides, as ``eye`` and ``vector(1)``, as far as it is
    known.
    """

    make: Callable[[int, int], Array]
    rows: int | None = None
    cols: int | None = None
    square: bool = False

    def fitted(self, rows: int | None, cols: int | None) -> Array:
        rows, cols = (
            self.rows if self.rows is not None else rows,
            self.cols if self.cols is not None else cols,
        )
        if self.square:
            rows, cols = (rows if rows is not None else cols), (cols if cols is not None else rows)
        if rows is None or cols is None:
            return Fitting(self.make, rows, cols, self.square)
        return self.make(rows, cols)

    def transposed(self) -> Fitting:
        return Fitting(
            lambda rows, cols: self.make(cols, rows).T, self.cols, self.rows, self.square
        )

    def mapped(self, function: Callable[[Array], Array]) -> Fitting:
        return Fitting(
            lambda rows, cols: function(self.make(rows, cols)), self.rows, self.cols, self.square
        )


def num(value: Any) -> Array:
    """A number as an array of one entry."""
    out = np.empty((1, 1), dtype=object)
    out[0, 0] = MP.mpf(value)
    return out


def array(values: Any) -> Array:
    """An array of two axes of exact numbers; a list is a column."""
    found = np.asarray(values, dtype=object)
    found = found.reshape(-1, 1) if found.ndim < 2 else found
    out = np.empty(found.shape, dtype=object)
    for place, value in np.ndenumerate(found):
        out[place] = MP.mpf(value)
    return out


def constant(value: int, rows: int, cols: int) -> Array:
    out = np.empty((rows, cols), dtype=object)
    out.fill(MP.mpf(value))
    return out


def identity(n: int, cols: int | None = None) -> Array:
    out = constant(0, n, n if cols is None else cols)
    for i in range(min(out.shape)):
        out[i, i] = MP.mpf(1)
    return out


def scalar(a: Array) -> Number:
    if a.size != 1:
        raise Unclear("a scalar is wanted")
    return a.reshape(-1)[0]


def is_scalar(a: Any) -> bool:
    return not isinstance(a, Fitting) and a.shape == (1, 1)


# ---- products and sums --------------------------------------------------------------------------


def fit_both(a: Any, b: Any) -> tuple[Any, Any]:
    """Two operands that must have one shape, unless one is a number."""
    if isinstance(a, Fitting) and not isinstance(b, Fitting):
        return (a, b) if is_scalar(b) else (a.fitted(*b.shape), b)
    if isinstance(b, Fitting) and not isinstance(a, Fitting):
        return (a, b) if is_scalar(a) else (a, b.fitted(*a.shape))
    if isinstance(a, Fitting):
        a, b = a.fitted(b.rows, b.cols), b.fitted(a.rows, a.cols)
    return a, b


def entrywise(operation: Callable[[Array, Array], Array], a: Any, b: Any) -> Any:
    a, b = fit_both(a, b)
    if isinstance(a, Fitting) and isinstance(b, Fitting):
        both = Fitting(
            lambda r, c: operation(a.make(r, c), b.make(r, c)), a.rows, a.cols, a.square or b.square
        )
        return both.fitted(None, None)
    if isinstance(a, Fitting):
        return a.mapped(lambda x: operation(x, b))
    if isinstance(b, Fitting):
        return b.mapped(lambda x: operation(a, x))
    rows_fit = a.shape[0] == b.shape[0] or 1 in (a.shape[0], b.shape[0])
    if not rows_fit or not (a.shape[1] == b.shape[1] or 1 in (a.shape[1], b.shape[1])):
        raise Unclear(f"shapes {a.shape} and {b.shape}")
    return operation(a, b)


def product(a: Any, b: Any) -> Any:
    if is_scalar(a) or is_scalar(b):
        return entrywise(np.multiply, a, b)
    if isinstance(a, Fitting) and isinstance(b, Fitting):
        a, b = a.fitted(None, b.rows), b.fitted(a.cols, None)
    if isinstance(a, Fitting):
        known = a.fitted(None, b.shape[0] if not isinstance(b, Fitting) else None)
        if isinstance(known, Fitting):
            if isinstance(b, Fitting):
                raise Unclear("a product of two constants without sizes")
            return Fitting(lambda r, c: known.make(r, b.shape[0]) @ b, known.rows, b.shape[1])
        a = known
    if isinstance(b, Fitting):
        known = b.fitted(a.shape[1], None)
        if isinstance(known, Fitting):
            return Fitting(lambda r, c: a @ known.make(a.shape[1], c), a.shape[0], known.cols)
        b = known
    if a.shape[1] != b.shape[0]:
        raise Unclear(f"a product of {a.shape} and {b.shape}")
    return a @ b if a.shape[1] else constant(0, a.shape[0], b.shape[1])


def divide(a: Array, b: Array) -> Array:
    if not np.all(b != 0):
        raise Undefined("division by zero")
    return a / b


def raised(x: Number, k: Number) -> Number:
    if k == int(k):
        if x == 0 and k < 0:
            raise Undefined("a negative power of zero")
        return MP.power(x, int(k))
    if x < 0 or (x == 0 and k < 0):
        raise Undefined("a power of a negative number")
    return MP.power(x, k) if x else MP.mpf(0)


def powers(a: Array, k: Array) -> Array:
    a, k = np.broadcast_arrays(a, k)
    return filled(a, (raised(x, e) for x, e in zip(a.ravel(), k.ravel(), strict=True)))


def filled(like: Array, values: Iterator[Number]) -> Array:
    out = np.empty(like.shape, dtype=object)
    out.reshape(-1)[:] = list(values)
    return out


def mapped(function: Callable[[Number], Number], a: Any) -> Any:
    if isinstance(a, Fitting):
        return a.mapped(lambda x: mapped(function, x))
    return filled(a, (function(x) for x in a.ravel()))


def summed(a: Array) -> Number:
    return sum(a.ravel(), MP.mpf(0))


# ---- functions of numbers -----------------------------------------------------------------------


def exp(x: Number) -> Number:
    if x > EXPONENT:
        raise Undefined("beyond the range of doubles")
    return MP.exp(x)


def _inside(
    function: Callable[[Number], Number], low: float, high: float
) -> Callable[[Number], Number]:
    def inside(x: Number) -> Number:
        if not low < x < high:
            raise Undefined("outside of its domain")
        return function(x)

    return inside


def sigmoid(x: Number) -> Number:
    return 1 / (1 + exp(-x)) if x > 0 else exp(x) / (1 + exp(x))


def softplus(x: Number) -> Number:
    return max(x, MP.mpf(0)) + MP.log1p(MP.exp(-abs(x)))


INFINITY = float("inf")
SMOOTH: dict[str, Callable[[Number], Number]] = {
    "exp": exp,
    "log": _inside(MP.log, 0, INFINITY),
    "sin": MP.sin,
    "cos": MP.cos,
    "tan": MP.tan,
    "arcsin": _inside(MP.asin, -1, 1),
    "arccos": _inside(MP.acos, -1, 1),
    "arctan": MP.atan,
    "sinh": _inside(MP.sinh, -EXPONENT, EXPONENT),
    "cosh": _inside(MP.cosh, -EXPONENT, EXPONENT),
    "tanh": MP.tanh,
    "arcsinh": MP.asinh,
    "arccosh": _inside(MP.acosh, 1, INFINITY),
    "arctanh": _inside(MP.atanh, -1, 1),
    "log1p": _inside(MP.log1p, -1, INFINITY),
    "expm1": lambda x: exp(x) - 1,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "silu": lambda x: x * sigmoid(x),
    "mish": lambda x: x * MP.tanh(softplus(x)),
    "erf": MP.erf,
    "erfc": MP.erfc,
    "erfcx": lambda x: exp(x * x) * MP.erfc(x),
    "log_normcdf": lambda x: MP.log(MP.erfc(-x / MP.sqrt(2)) / 2),
    "logcosh": _inside(lambda x: MP.log(MP.cosh(x)), -EXPONENT, EXPONENT),
    "lgamma": _inside(MP.loggamma, 0, INFINITY),
    "digamma": _inside(lambda x: MP.psi(0, x), 0, INFINITY),
    "square": lambda x: x * x,
    "log2": _inside(lambda x: MP.log(x) / MP.log(2), 0, INFINITY),
    "log10": _inside(lambda x: MP.log(x) / MP.log(10), 0, INFINITY),
    "gelu": lambda x: x * (1 + MP.erf(x / MP.sqrt(2))) / 2,
    "normcdf": lambda x: (1 + MP.erf(x / MP.sqrt(2))) / 2,
}
# with the places of their kinks
KINKED: dict[str, tuple[Callable[[Number], Number], tuple[int, ...]]] = {
    "relu": (lambda x: max(x, MP.mpf(0)), (0,)),
    "step": (lambda x: MP.mpf(x > 0), (0,)),
    "abs": (abs, (0,)),
    "sign": (lambda x: MP.mpf((x > 0) - (x < 0)), (0,)),
    "leaky_relu": (lambda x: x if x > 0 else x / 100, (0,)),
    "elu": (lambda x: x if x > 0 else MP.expm1(x), (0,)),
    "hardtanh": (lambda x: min(max(x, MP.mpf(-1)), MP.mpf(1)), (-1, 1)),
    "sqrt": (lambda x: raised(x, MP.mpf(1) / 2), (0,)),
}
ALIASES = {
    "ln": "log",
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
    "logistic": "sigmoid",
    "pos": "relu",
    "heaviside": "step",
    "sgn": "sign",
    "swish": "silu",
    "gammaln": "lgamma",
    "psi": "digamma",
    "trace": "tr",
    "norm_nuc": "normnuc",
    "norm_spec": "normspec",
    "norm": "norm2",
    "normF": "norm2",
    "norm_F": "norm2",
    "lse": "logsumexp",
}


# ---- functions of matrices ----------------------------------------------------------------------


def eliminated(a: Array, b: Array) -> tuple[Array, Number]:
    """The solution of a*x = b and the determinant of a, by elimination with pivots."""
    n = square(a)
    a, b, det = a.copy(), b.copy(), MP.mpf(1)
    scale = max((abs(x) for x in a.ravel()), default=MP.mpf(1))
    for k in range(n):
        p = max(range(k, n), key=lambda i: abs(a[i, k]))
        if abs(a[p, k]) <= TINY * scale:
            raise Undefined("a singular matrix")
        if p != k:
            a[[k, p]], b[[k, p]], det = a[[p, k]], b[[p, k]], -det
        det *= a[k, k]
        for i in range(k + 1, n):
            f = a[i, k] / a[k, k]
            a[i, k:] -= f * a[k, k:]
            b[i] -= f * b[k]
    for k in reversed(range(n)):
        b[k] = (b[k] - (a[k, k + 1 :] @ b[k + 1 :] if k + 1 < n else 0)) / a[k, k]
    return b, det


def square(a: Array) -> int:
    if a.shape[0] != a.shape[1]:
        raise Unclear(f"{a.shape} is not square")
    return int(a.shape[0])


def inverse(a: Any) -> Any:
    if isinstance(a, Fitting):
        return a.mapped(inverse)
    return eliminated(a, identity(square(a)))[0]


def determinant(a: Array) -> Number:
    """By elimination without a bound on pivots, since a determinant may be zero."""
    n = square(a)
    a, det = a.copy(), MP.mpf(1)
    for k in range(n):
        p = max(range(k, n), key=lambda i: abs(a[i, k]))
        if a[p, k] == 0:
            return MP.mpf(0)
        if p != k:
            a[[k, p]], det = a[[p, k]], -det
        det *= a[k, k]
        for i in range(k + 1, n):
            a[i, k:] -= a[i, k] / a[k, k] * a[k, k:]
    return det


def to_matrix(a: Array, most: int = MOST) -> Any:
    if max(a.shape) > most:
        raise Unclear("a matrix too large for sixty digits")
    return MP.matrix(a.tolist())


def from_matrix(m: Any) -> Array:
    out = np.empty((m.rows, m.cols), dtype=object)
    for i in range(m.rows):
        for j in range(m.cols):
            if abs(MP.im(m[i, j])) > TINY:
                raise Undefined("not real")
            out[i, j] = MP.re(m[i, j])
    return out


def exponential(a: Array) -> Array:
    square(a)
    if max((abs(x) for x in a.ravel()), default=0) > 50:
        raise Undefined("beyond the range of doubles")
    return from_matrix(MP.expm(to_matrix(a)))


def logarithm(a: Array) -> Array:
    square(a)
    _off_the_negative_axis(a)
    return from_matrix(MP.logm(to_matrix(a)))


def root(a: Array) -> Array:
    square(a)
    _off_the_negative_axis(a)
    return from_matrix(MP.sqrtm(to_matrix(a)))


def _off_the_negative_axis(a: Array) -> None:
    """Raise Undefined at an eigenvalue that is negative or zero.

    Doubles decide that well enough.
    """
    eigenvalues = np.linalg.eigvals(a.astype(float))
    if any(abs(z.imag) < 1e-3 and z.real < 1e-3 for z in eigenvalues):
        raise Undefined("an eigenvalue on the negative axis")


def frechet(function: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    """By the function of a block matrix: Higham 2008, eq. 3.16."""

    def derivative(a: Array, e: Array) -> Array:
        n = square(a)
        block = np.concatenate(
            [np.concatenate([a, e], 1), np.concatenate([constant(0, n, n), a], 1)], 0
        )
        return function(block)[:n, n:]

    return derivative


def whole_power(a: Array, k: Array) -> Array:
    e = scalar(k)
    if e != int(e) or abs(e) > 100:
        raise Unclear("a power that is no whole number")
    base, out = (inverse(a) if e < 0 else a), identity(square(a))
    for _ in range(abs(int(e))):
        out = out @ base
    return out


def cholesky(s: Array) -> Array:
    n = square(s)
    if not np.all(abs(s - s.T) < TINY):
        raise Undefined("not symmetric")
    low = constant(0, n, n)
    for j in range(n):
        d = s[j, j] - (low[j, :j] @ low[j, :j] if j else 0)
        if d <= TINY:
            raise Undefined("not positive definite")
        low[j, j] = MP.sqrt(d)
        for i in range(j + 1, n):
            low[i, j] = (s[i, j] - (low[i, :j] @ low[j, :j] if j else 0)) / low[j, j]
    return low


def eigen(at: Point, s: Array) -> tuple[Array, Array]:
    """Eigenvalues, ascending, and eigenvectors whose largest entry is positive."""
    n = square(s)
    if not np.all(abs(s - s.T) < TINY * (1 + abs(s).max(initial=0))):
        raise Undefined("not symmetric")
    if not n:
        return constant(0, 0, 1), constant(0, 0, 0)
    values, vectors = MP.eigsy(to_matrix(s, MOST_SINGULAR))
    w, v = from_matrix(values), from_matrix(vectors)
    order = sorted(range(n), key=lambda i: w[i, 0])
    w, v = w[order], v[:, order]
    for i in range(n - 1):
        at.near(w[i + 1, 0] - w[i, 0])
    for j in range(n):
        largest = max(range(n), key=lambda i: abs(v[i, j]))
        v[:, j] *= 1 if v[largest, j] > 0 else -1
    return w, v


def singular(a: Array) -> tuple[Array, Array, Array]:
    u, s, v = MP.svd_r(to_matrix(a, MOST_SINGULAR))
    return from_matrix(u), from_matrix(s), from_matrix(v)


def pseudoinverse(at: Point, a: Array) -> Array:
    if 0 in a.shape:
        return constant(0, *a.shape[::-1])
    u, s, v = singular(a)
    keep = [i for i in range(s.shape[0]) if s[i, 0] > TINY * (1 + s[0, 0])]
    for i in range(s.shape[0]):  # where the rank may change, too
        at.near(s[i, 0])
    at.ranks += len(keep)
    out = constant(0, *a.shape[::-1])
    for i in keep:
        out = out + np.outer(v[i, :], u[:, i]) / s[i, 0]
    return out


def polar(at: Point, a: Array) -> Array:
    u, s, v = singular(a)
    if s[-1, 0] < TINY:
        raise Undefined("not of full rank")
    at.near(s[-1, 0])
    return u @ v


def leading(at: Point, a: Array) -> Array:
    u, s, v = singular(a)
    if s.shape[0] > 1:
        at.near(s[0, 0] - s[1, 0])
    return np.outer(u[:, 0], v[0, :])


def triangle(a: Any, keep: Callable[[int, int], bool]) -> Any:
    if isinstance(a, Fitting):
        return a.mapped(lambda x: triangle(x, keep))
    out = a.copy()
    for i, j in np.ndindex(*a.shape):
        if not keep(i, j):
            out[i, j] = MP.mpf(0)
    return out


def diagonal(a: Array) -> Array:
    if a.shape[1] == 1 or a.shape[0] == 1:
        out = constant(0, a.size, a.size)
        for i, x in enumerate(a.ravel()):
            out[i, i] = x
        return out
    return column(a[i, i] for i in range(square(a)))


def column(values: Any) -> Array:
    found = list(values)
    out = np.empty((len(found), 1), dtype=object)
    out[:, 0] = found
    return out


def largest(at: Point, a: Array) -> Number:
    if not a.size:
        raise Undefined("the largest of nothing")
    ordered = sorted(a.ravel())
    if len(ordered) > 1:
        at.near(ordered[-1] - ordered[-2])
    return ordered[-1]


def norm(at: Point, a: Array) -> Number:
    length = MP.sqrt(sum((x * x for x in a.ravel()), MP.mpf(0)))
    at.near(length)
    return length


def total_abs(at: Point, a: Array) -> Number:
    for x in a.ravel():
        at.near(x)
    return sum((abs(x) for x in a.ravel()), MP.mpf(0))


def skew(x: Array) -> Array:
    a, b, c = x.ravel()
    zero = MP.mpf(0)
    return np.array([[zero, -c, b], [c, zero, -a], [-b, a, zero]], dtype=object)


def unskew(m: Array) -> Array:
    return column([m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]])


def convolution_matrix(x: Array, w: Array) -> Array:
    x, n, m = x.ravel(), x.size, w.size
    if not n or not m:
        raise Undefined("a convolution with nothing")
    out = constant(0, n + m - 1, m)
    for i in range(n):
        for j in range(m):
            out[i + j, j] = x[i]
    return out


def correlation_matrix(x: Array, w: Array) -> Array:
    x, rows, m = x.ravel(), x.size - w.size + 1, w.size
    if rows < 1 or not m:
        raise Undefined("a correlation with something longer")
    out = constant(0, rows, m)
    for i in range(rows):
        for j in range(m):
            out[i, j] = x[i + j]
    return out


def log_sum_exp(x: Array) -> Number:
    if not x.size:
        raise Undefined("the logarithm of an empty sum")
    top = max(x.ravel())
    return top + MP.log(sum((MP.exp(v - top) for v in x.ravel()), MP.mpf(0)))


def soft_max(x: Array) -> Array:
    total = log_sum_exp(x)
    return mapped(lambda v: MP.exp(v - total), x)


def by_rows(function: Callable[[Array], Array], a: Array) -> Array:
    if not a.shape[1]:
        raise Undefined("rows of nothing")
    return np.concatenate([function(row.reshape(1, -1)) for row in a], 0) if len(a) else a


def commutation(m: int, n: int) -> Array:
    out = constant(0, m * n, m * n)
    for i in range(m):
        for j in range(n):
            out[i * n + j, j * m + i] = MP.mpf(1)
    return out


def shifts(n: int, m: int) -> Array:
    out = constant(0, n + m - 1, n * m)
    for i in range(n):
        for j in range(m):
            out[i + j, i * m + j] = MP.mpf(1)
    return out


def mean(x: Array) -> Number:
    if not x.size:
        raise Undefined("the mean of nothing")
    return summed(x) / x.size


def variance(x: Array) -> Number:
    middle = mean(x)
    return sum(((v - middle) ** 2 for v in x.ravel()), MP.mpf(0)) / x.size


def deviation(at: Point, x: Array) -> Number:
    found = MP.sqrt(variance(x))
    at.near(found)
    return found


def row_norms(at: Point, x: Array) -> Array:
    return column(norm(at, row) for row in x)


def p_norm(at: Point, x: Array, p: Array) -> Number:
    for v in x.ravel():
        at.near(v)
    return raised(summed(powers(mapped(abs, x), p)), 1 / scalar(p))


def huber(at: Point, x: Array, d: Array) -> Array:
    x, d = np.broadcast_arrays(x, d)

    def one(v: Number, e: Number) -> Number:
        at.near(abs(v) - e)
        if e < 0:  # the formula, which means nothing there
            return v * v / 2 - max(abs(v) - e, MP.mpf(0)) ** 2 / 2
        return v * v / 2 if abs(v) <= e else e * abs(v) - e * e / 2

    return filled(x, (one(v, e) for v, e in zip(x.ravel(), d.ravel(), strict=True)))


def chosen(at: Point, pick: Callable[[Number, Number], Number], a: Any, b: Any) -> Any:
    def one(x: Array, y: Array) -> Array:
        x, y = np.broadcast_arrays(x, y)
        for v, w in zip(x.ravel(), y.ravel(), strict=True):
            at.near(v - w)
        return filled(x, (pick(v, w) for v, w in zip(x.ravel(), y.ravel(), strict=True)))

    return entrywise(one, a, b)


def angle(y: Array, x: Array) -> Array:
    y, x = np.broadcast_arrays(y, x)
    if any(v == 0 and w <= 0 for v, w in zip(y.ravel(), x.ravel(), strict=True)):
        raise Undefined("on the negative half axis")
    return filled(y, (MP.atan2(v, w) for v, w in zip(y.ravel(), x.ravel(), strict=True)))


def hypotenuse(at: Point, a: Array, b: Array) -> Array:
    lengths = entrywise(lambda x, y: x * x + y * y, a, b)
    for v in lengths.ravel():
        at.near(v)
    return mapped(MP.sqrt, lengths)


def one(value: Number) -> Array:
    return num(value)


Function = Callable[..., Any]
# of the point and the arguments
OF_ARRAYS: dict[str, Function] = {
    "polygamma": lambda at, k, x: mapped(
        _inside(lambda v: MP.psi(int(scalar(k)), v), 0, INFINITY), x
    ),
    "tr": lambda at, x: one(sum((x[i, i] for i in range(square(x))), MP.mpf(0))),
    "sum": lambda at, x: one(summed(x)),
    "diag": lambda at, x: diagonal(x),
    "kron": lambda at, x, w: (
        np.kron(x, w)
        if x.size and w.size
        else constant(0, x.shape[0] * w.shape[0], x.shape[1] * w.shape[1])
    ),
    "vec": lambda at, x: x.T.reshape(-1, 1),
    "tril": lambda at, x: triangle(x, lambda i, j: i >= j),
    "triu": lambda at, x: triangle(x, lambda i, j: i <= j),
    "inv": lambda at, x: inverse(x),
    "det": lambda at, x: one(determinant(x)),
    "logdet": lambda at, x: one(MP.log(abs(eliminated(x, identity(square(x)))[1]))),
    "pinv": pseudoinverse,
    "expm": lambda at, x: exponential(x),
    "logm": lambda at, x: logarithm(x),
    "sqrtm": lambda at, x: root(x),
    "expm_frechet": lambda at, x, e: frechet(exponential)(x, e),
    "logm_frechet": lambda at, x, e: frechet(logarithm)(x, e),
    "sqrtm_frechet": lambda at, x, e: frechet(root)(x, e),
    "powm": lambda at, x, k: whole_power(x, k),
    "powm_frechet": lambda at, x, e, k: frechet(lambda a: whole_power(a, k))(x, e),
    "chol": lambda at, s: cholesky(s),
    "eigvals": lambda at, s: eigen(at, s)[0],
    "eigvecs": lambda at, s: eigen(at, s)[1],
    "normnuc": lambda at, x: one(_nuclear(at, x)),
    "normspec": lambda at, x: one(_spectral(at, x)),
    "polar": polar,
    "leading": leading,
    "norm2": lambda at, x: one(norm(at, x)),
    "amax": lambda at, x: one(largest(at, x)),
    "amin": lambda at, x: one(-largest(at, -x)),
    "ismax": lambda at, x: _is_largest(at, x),
    "norm1": lambda at, x: one(total_abs(at, x)),
    "cross": lambda at, x, w: skew(x) @ w,
    "skew": lambda at, x: skew(x),
    "unskew": lambda at, x: unskew(x),
    "conv": lambda at, x, w: convolution_matrix(x, w) @ w,
    "corr": lambda at, x, w: correlation_matrix(x, w) @ w,
    "convmat": lambda at, x, w: convolution_matrix(x, w),
    "hankel": lambda at, x, w: correlation_matrix(x, w),
    "softmax": lambda at, x: soft_max(x),
    "logsoftmax": lambda at, x: x - log_sum_exp(x),
    "logsumexp": lambda at, x: one(log_sum_exp(x)),
    "softmax_rows": lambda at, x: by_rows(soft_max, x),
    "logsumexp_rows": lambda at, x: (
        by_rows(lambda r: one(log_sum_exp(r)), x) if len(x) else constant(0, 0, 1)
    ),
    "logsoftmax_rows": lambda at, x: mapped(SMOOTH["log"], OF_ARRAYS["softmax_rows"](at, x)),
    "norm2sq": lambda at, x: one(sum((v * v for v in x.ravel()), MP.mpf(0))),
    "max": lambda at, x, w: chosen(at, max, x, w),
    "min": lambda at, x, w: chosen(at, min, x, w),
    "hypot": hypotenuse,
    "atan2": lambda at, y, x: entrywise(angle, y, x),
    "huber": huber,
    "mean": lambda at, x: one(mean(x)),
    "var": lambda at, x: one(variance(x)),
    "std": lambda at, x: one(deviation(at, x)),
    "rowsums": lambda at, x: column(summed(row) for row in x),
    "colsums": lambda at, x: column(summed(c) for c in x.T).T,
    "norm2_rows": row_norms,
    "norm2_cols": lambda at, x: row_norms(at, x.T).T,
    "lambda_max": lambda at, s: one(eigen(at, s)[0][-1, 0]),
    "lambda_min": lambda at, s: one(eigen(at, s)[0][0, 0]),
    "norminf": lambda at, x: one(largest(at, mapped(abs, x))),
    "normp": lambda at, x, p: one(p_norm(at, x, p)),
    "cross_entropy": lambda at, y, p: -(y.T @ mapped(SMOOTH["log"], p)),
    "softmax_cols": lambda at, x: OF_ARRAYS["softmax_rows"](at, x.T).T,
    "logsumexp_cols": lambda at, x: OF_ARRAYS["logsumexp_rows"](at, x.T).T,
    "cumsum": lambda at, x: np.cumsum(x, 0),
    "dot": lambda at, x, y: one(summed(x * y)),
    "outer": lambda at, x, y: np.outer(x.ravel(), y.ravel()),
    "adj": lambda at, x: determinant(x) * inverse(x),
    "solve": lambda at, a, b: eliminated(a, b)[0],
    "quadform": lambda at, a, x: x.T @ a @ x,
    "numel": lambda at, x: one(MP.mpf(x.size)),
}


def _nuclear(at: Point, x: Array) -> Number:
    if 0 in x.shape:
        return MP.mpf(0)
    s = singular(x)[1]
    at.near(s[-1, 0])
    return summed(s)


def _spectral(at: Point, x: Array) -> Number:
    if 0 in x.shape:
        raise Undefined("the largest of nothing")
    s = singular(x)[1]
    at.near(s[0, 0] - s[1, 0] if s.shape[0] > 1 else s[0, 0])
    return s[0, 0]


def _is_largest(at: Point, x: Array) -> Array:
    top = largest(at, x)
    return mapped(lambda v: MP.mpf(abs(v - top) <= TINY * (1 + abs(top))), x)


def names() -> set[str]:
    """The functions that have a meaning here."""
    return {*SMOOTH, *KINKED, *OF_ARRAYS}


# ---- the tree -----------------------------------------------------------------------------------


def value(text: str, at: Point) -> Array:
    """The value of a program at a point; raises Undefined or Unclear."""
    *definitions, body = (n for n in syntax(text).children if not isinstance(n, Token))
    values = dict(at.values)
    reader = _Reader(Point(values, at.sizes))
    try:
        for definition in definitions:
            name, meaning = definition.children
            values[str(name)] = reader.read(meaning)
        found = reader.read(body)
    except (ValueError, IndexError, ArithmeticError) as problem:  # of NumPy and mpmath
        raise Unclear(f"{type(problem).__name__}: {problem}") from None
    at.kinks += reader.at.kinks
    at.ranks += reader.at.ranks
    if isinstance(found, Fitting):
        raise Unclear("nothing gives this constant its size")
    if found.size and max(abs(x) for x in found.ravel()) > LARGE:
        raise Undefined("too large")
    return found


@dataclass
class _Reader:
    """Reads a syntax tree bottom up."""

    at: Point
    letters: frozenset[str] = field(default=frozenset())

    def read(self, node: Syntax) -> Any:
        found = getattr(self, f"read_{node.data}")(node)
        if not isinstance(found, Fitting) and not all(MP.isfinite(x) for x in found.ravel()):
            raise Undefined("not finite")
        return found

    def operands(self, node: Syntax) -> list[Any]:
        return [self.read(c) for c in node.children if not isinstance(c, Token)]

    def read_number(self, node: Syntax) -> Array:
        return num(str(node.children[0]))

    def read_name(self, node: Syntax) -> Any:
        name = str(node.children[0])
        if name in self.at.values:
            return self.at.values[name]
        if name in self.at.sizes:
            return num(self.at.sizes[name])
        if name == "eye":
            return Fitting(identity, square=True)
        if name in ("pi", "π"):
            return num(MP.pi)
        raise Unclear(f"nothing is called {name}")

    def read_call(self, node: Syntax) -> Any:
        name = str(node.children[0])
        places = [c for c in node.children[1:] if not isinstance(c, Token)]
        if name in ("ones", "zeros"):
            lengths = [*map(self.length, places), 1][:2]
            return constant(name == "ones", *lengths)
        if name == "eye":
            return identity(self.length(places[0]))
        if name == "K":
            return commutation(*map(self.length, places))
        if name == "shifts":
            return shifts(*map(self.length, places))
        if name in ("vector", "matrix"):
            entry = scalar(self.read(places[0]))
            cols = 1 if name == "vector" else None
            return Fitting(lambda r, c: mapped(lambda _: entry, constant(0, r, c)), cols=cols)
        name = ALIASES.get(name, name)
        arguments = [self.read(p) for p in places]
        if name in SMOOTH:
            return mapped(SMOOTH[name], *arguments)
        if name in KINKED:
            function, kinks = KINKED[name]
            return mapped(lambda x: self.kinked(function, kinks, x), *arguments)
        if name not in OF_ARRAYS:
            raise Unclear(f"no function is called {name}")
        if name not in ("tril", "triu", "inv", "max", "min", "hypot") and any(
            isinstance(a, Fitting) for a in arguments
        ):
            raise Unclear(f"{name} of a constant without size")
        return OF_ARRAYS[name](self.at, *arguments)

    def kinked(
        self, function: Callable[[Number], Number], kinks: Sequence[int], x: Number
    ) -> Number:
        for k in kinks:
            self.at.near(x - k)
        return function(x)

    def read_transpose(self, node: Syntax) -> Any:
        found = self.read(node.children[0])
        return found.transposed() if isinstance(found, Fitting) else found.T

    def read_superscript(self, node: Syntax) -> Any:
        return self.raise_to(
            self.read(node.children[0]), num(2 if str(node.children[1]) == "²" else 3)
        )

    def read_signed(self, node: Syntax) -> Any:
        sign, inner = node.children
        found = self.read(inner)
        return found if sign == "+" else mapped(lambda x: -x, found)

    def read_norm(self, node: Syntax) -> Any:
        return one(norm(self.at, *self.operands(node)))

    def read_power(self, node: Syntax) -> Any:
        base, exponent = self.operands(node)
        if str(node.children[1]) == ".^":
            return entrywise(powers, base, exponent)
        return self.raise_to(base, exponent)

    def raise_to(self, base: Any, exponent: Any) -> Any:
        if is_scalar(base):
            return powers(base, exponent)
        return (
            base.mapped(lambda x: whole_power(x, exponent))
            if isinstance(base, Fitting)
            else whole_power(base, exponent)
        )

    def read_sum(self, node: Syntax) -> Any:
        total = self.read(node.children[0])
        for sign, term in zip(node.children[1::2], node.children[2::2], strict=True):
            total = entrywise(np.add if sign == "+" else np.subtract, total, self.read(term))
        return total

    def read_product(self, node: Syntax) -> Any:
        total = self.read(node.children[0])
        for operator, factor in zip(node.children[1::2], node.children[2::2], strict=True):
            total = PRODUCTS[str(operator)](total, self.read(factor))
        return total

    def read_block(self, node: Syntax) -> Array:
        rows = [
            [self.read(b) for b in row.children if not isinstance(b, Token)]
            for row in node.children
            if not isinstance(row, Token)
        ]
        heights = [max(b.shape[0] for b in row) for row in rows]
        widths = [max(b.shape[1] for b in line) for line in zip(*rows, strict=True)]
        full = [
            [_spread(b, h, w) for b, w in zip(row, widths, strict=True)]
            for row, h in zip(rows, heights, strict=True)
        ]
        return np.concatenate([np.concatenate(row, 1) for row in full], 0)

    def read_indexed(self, node: Syntax) -> Array:
        e, *places = (c for c in node.children if not isinstance(c, Token))
        found = self.read(e)
        axes = (
            [0, 1]
            if len(places) == 2
            else [1]
            if found.shape[0] == 1 and found.shape[1] > 1
            else [0]
        )
        for axis, place in zip(axes, places, strict=True):
            found = np.take(found, self.places(place, found.shape[axis]), axis)
        return found

    def places(self, node: Syntax, length: int) -> list[int]:
        """The places, counted from 0, that an index takes."""
        if node.data != "range":
            first = last = self.length(node)
        else:
            colon = next(i for i, c in enumerate(node.children) if isinstance(c, Token))
            before, after = node.children[:colon], node.children[colon + 1 :]
            first = self.length(before[0]) if before else 1
            last = self.length(after[0]) if after else length
        if not 1 <= first <= last <= length:
            raise Undefined("no such place")
        return list(range(first - 1, last))

    def length(self, node: Syntax) -> int:
        """A size: it is read as a number, of the sizes alone."""
        inside = _Reader(Point({}, self.at.sizes))
        found = scalar(inside.read(node))
        if found != int(found):
            raise Unclear("a size that is no whole number")
        return int(found)


def _spread(block: Any, rows: int, cols: int) -> Array:
    if isinstance(block, Fitting):
        return block.fitted(rows, cols)
    return constant(1, rows, cols) * block if block.shape == (1, 1) else block


PRODUCTS: dict[str, Callable[[Any, Any], Any]] = {
    "*": product,
    "@": product,
    "·": product,
    "/": lambda a, b: entrywise(divide, a, num(scalar(b))),
    ".*": lambda a, b: entrywise(np.multiply, a, b),
    "⊙": lambda a, b: entrywise(np.multiply, a, b),
    "∘": lambda a, b: entrywise(np.multiply, a, b),
    "./": lambda a, b: entrywise(divide, a, b),
    "\\": lambda a, b: eliminated(a, b)[0],
    "⊗": np.kron,
}


# ---- index forms --------------------------------------------------------------------------------


def form_value(
    text: str,
    lengths: Sequence[int],
    at: Point,
    alphabet: Sequence[str] = LETTERS,
    directions: Sequence[Array] = (),
    exact: bool = True,
) -> Array:
    """The array of an index form such as ``A[i,k]*B[l,j]``, of axes of these lengths, by its
    letters.

    It is contracted with directions, which have the last axes; without ``exact`` the sums are of
    doubles.
    """
    letters = list(alphabet[: len(lengths)])
    reader = _Form(at, frozenset(alphabet), dict(zip(letters, lengths, strict=True)), exact)
    left, applied = letters, []
    for d in reversed(directions):
        left, own = left[: len(left) - d.ndim], left[len(left) - d.ndim :]
        applied.append((d if exact else d.astype(float), own))
    try:
        (body,) = (n for n in syntax(text).children if not isinstance(n, Token))
    except LimitProblem as problem:
        raise Unclear(str(problem)) from None
    total: Any = 0
    for sign, term in _terms(body):
        total = total + sign * reader.term(term, left, applied)
    shape = [reader.lengths[letter] for letter in left]
    return np.asarray(total + reader.zeros(shape), dtype=object)


def _terms(node: Syntax) -> Iterator[tuple[int, Syntax]]:
    if node.data == "sum":
        signs = ["+", *map(str, node.children[1::2])]
        for sign, term in zip(signs, node.children[::2], strict=True):
            for inner, t in _terms(term):
                yield (inner if sign == "+" else -inner), t
    elif node.data == "signed":
        for inner, t in _terms(node.children[1]):
            yield (inner if str(node.children[0]) == "+" else -inner), t
    else:
        yield 1, node


@dataclass
class _Form:
    """Reads the terms of an index form."""

    at: Point
    alphabet: frozenset[str]
    lengths: dict[str, int]
    exact: bool

    def zeros(self, shape: Sequence[int]) -> Array:
        return np.full(tuple(shape), MP.mpf(0)) if self.exact else np.zeros(tuple(shape))

    def term(
        self, node: Syntax, out: list[str], applied: Sequence[tuple[Array, list[str]]]
    ) -> Array:
        factors = [("*", node)]
        if node.data == "product":
            operators = ["*", *map(str, node.children[1::2])]
            factors = list(zip(operators, node.children[::2], strict=True))
        lengths, operands = dict(self.lengths), list[tuple[Any, list[str]]](applied)
        coefficient: Any = MP.mpf(1)
        for operator, factor in factors:
            letters = self.letters(factor)
            if letters:
                operands.append((self.factor(factor.children[0], letters, lengths), letters))
                continue
            k = scalar(_Reader(self.at).read(factor))
            coefficient = coefficient / k if operator == "/" else coefficient * k
        coefficient = coefficient if self.exact else float(coefficient)
        return coefficient * self.contracted(operands, out, lengths)

    def letters(self, factor: Syntax) -> list[str]:
        """The indices of a factor, or none where it is a number."""
        if factor.data != "indexed":
            return []
        places = [c for c in factor.children[1:] if not isinstance(c, Token)]
        found = [str(p.children[0]) for p in places if p.data == "name"]
        return found if len(found) == len(places) and set(found) <= self.alphabet else []

    def factor(self, inner: Syntax, letters: list[str], lengths: dict[str, int]) -> Any:
        """The array of a factor, or the name of a constant whose lengths other factors know."""
        label = str(inner.children[0]) if inner.data in ("name", "number") else ""
        if (label == "I" and "I" not in self.at.values) or label == "1":
            return label
        found = _Reader(self.at).read(inner)
        if isinstance(found, Fitting):
            known = [lengths.get(letter) for letter in letters]
            found = found.fitted(*[*known, 1][:2])
        if isinstance(found, Fitting):
            raise Unclear("nothing gives this constant its size")
        found = found if len(letters) == 2 else found.reshape(-1)
        for letter, length in zip(letters, found.shape, strict=True):
            if lengths.setdefault(letter, length) != length:
                raise Unclear("an index of two lengths")
        return found if self.exact else found.astype(float)

    def contracted(
        self, operands: list[tuple[Any, list[str]]], out: list[str], lengths: Mapping[str, int]
    ) -> Array:
        held = {letter for _, letters in operands for letter in letters}
        left: list[tuple[Array, list[str]]] = []
        for found, letters in [
            *operands,
            *(("1", [letter]) for letter in out if letter not in held),
        ]:
            if any(letter not in lengths for letter in letters):
                raise Unclear("an index without a length")
            if isinstance(found, str):
                found = self.constant(found, [lengths[letter] for letter in letters])
            left.append((found, letters))
        if not left:
            return MP.mpf(1) if self.exact else 1.0
        while len(left) > 1:
            pairs = combinations(range(len(left)), 2)
            i, j = min(pairs, key=lambda pair: _size_of_pair(pair, left, out, lengths))
            second, first = left.pop(j), left.pop(i)
            left.append(_summed([first, second], _kept([first, second], left, out)))
        return _summed(left, out)[0]

    def constant(self, name: str, shape: list[int]) -> Array:
        rows, cols = [*shape, 1][:2]
        found = identity(rows, cols) if name == "I" else constant(1, rows, cols).reshape(shape)
        return found if self.exact else found.astype(float)


Operand = tuple[Array, list[str]]


def _kept(pair: Sequence[Operand], others: Sequence[Operand], out: Sequence[str]) -> list[str]:
    """The indices of two factors that others, or the result, have too."""
    needed = {letter for _, letters in others for letter in letters} | set(out)
    return [x for x in dict.fromkeys(x for _, letters in pair for x in letters) if x in needed]


def _size_of_pair(
    pair: tuple[int, int], left: Sequence[Operand], out: Sequence[str], lengths: Mapping[str, int]
) -> int:
    i, j = pair
    others = [left[k] for k in range(len(left)) if k not in pair]
    return math.prod(lengths[x] for x in _kept([left[i], left[j]], others, out))


def _summed(operands: Sequence[Operand], out: Sequence[str]) -> Operand:
    number = {x: k for k, x in enumerate(dict.fromkeys(x for _, xs in operands for x in xs))}
    arrays = [part for a, letters in operands for part in (a, [number[x] for x in letters])]
    return np.asarray(np.einsum(*arrays, [number[x] for x in out])), list(out)
