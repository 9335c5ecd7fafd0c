"""Expressions evaluated in decimal arithmetic of many digits, at one point.

Rounding errors of 70 digits leave differences of functions over 50 digits that are right, so that
no tolerance has to be chosen between an error of the numbers and an error of a formula. Numbers are
:class:`decimal.Decimal`, matrices lists of rows (:mod:`matcalc.proof.decimal_matrices`); special
functions are those of mpmath. A function of the table is evaluated by its definition, never by its
derivative: what it is, not what the table says of its slope.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from decimal import Decimal
from functools import lru_cache, reduce
from itertools import pairwise, product
from math import prod
from typing import TYPE_CHECKING, Any

from .. import expr as ex
from ..budget import spend
from ..errors import NotDifferentiable
from ..expr import Expr
from ..expr.parts import range_of
from ..expr.sizes import SCALAR, Atom, Shape, dims, length
from ..tables.functions import ARGUMENTS, BY_NAME, Row
from . import decimal_matrices as dm
from . import modular as mod
from .decimal_matrices import Matrix, OutsideDomain, constant, each
from .dual import compiled_text, structural_places
from .modular import flat, flip

if TYPE_CHECKING:
    from mpmath.ctx_mp import MPContext

Values = MutableMapping[Expr, Matrix]

GUARD_DIGITS = 6  # of mpmath beyond those that are kept
# of arguments of special functions: reducing larger ones takes digits that are not there
LARGEST_EXPONENT = 30
SMALLEST_EXPONENT = 10**6  # below this a number is zero


class DecimalPoint:
    """The values of expressions where the variables have values, by the lengths of their sizes."""

    def __init__(self, lengths: Mapping[Atom, int], values: Values, digits: int) -> None:
        self.lengths, self.values, self.digits = lengths, values, digits
        # whether a function was taken where it has a kink, and its slope there is a convention
        self.on_kink = False

    def evaluate(self, order: Iterable[Expr]) -> Matrix:
        """The last node of an order in which arguments come first."""
        node = ex.ZERO
        self.values.setdefault(node, constant(0))
        for node in order:
            if node not in self.values:
                value = self.apply(node, [self.values[a] for a in node.args])
                spend(len(value) * len(value[0]))
                self.values[node] = value
        return self.values[node]

    def apply(self, node: Expr, args: list[Matrix]) -> Matrix:
        if node.head in _LEAVES:
            return _LEAVES[node.head](self, node)
        if node.head in CROWDING and _crowded(CROWDING[node.head](args[0]), args[0]):
            self.on_kink = True
        if node.head in _OPERATIONS:
            return _OPERATIONS[node.head](*args)
        row = BY_NAME[node.head]
        if row.kinks and any(x in row.kinks for x in flat(args[-1])):
            self.on_kink = True
        if row.name in _ENTRYWISE:
            return each(_ENTRYWISE[row.name], args[0])
        special = self._function_of_mpmath(row)
        if special is not None:
            return self.special(special, *args)
        if row.exact:
            return self.defined(row.exact, SCALAR if row.elementwise else node.args[0].shape_, args)
        if row.define:
            return _structural(row, args)
        raise NotDifferentiable(f"{row.name} has no model in decimal arithmetic")

    def _function_of_mpmath(self, row: Row) -> Callable[..., Any] | None:
        """The function of a context of mpmath, and of numbers, that a row is: by its name there,
        or as it is written in it.
        """
        if row.name in _SPECIAL:
            return _SPECIAL[row.name]
        if not row.elementwise or not row.sympy.isidentifier():
            return None
        function = getattr(_mpmath(self.digits), row.sympy, None)
        return None if function is None else lambda _, x: function(x)

    def defined(self, text: str, shape: Shape, args: list[Matrix]) -> Matrix:
        """A definition of the table, in ``x`` and ``w``.

        One of two arguments has a kink where what it is made of has one.
        """
        placeholders, order = compiled_text(text, shape)
        inner = self.within(dict(zip(placeholders, args, strict=False)))
        value = inner.evaluate(order)
        self.on_kink = self.on_kink or (len(args) > 1 and inner.on_kink)
        return value

    def within(self, values: Values) -> DecimalPoint:
        """A point of the same kind for other variables."""
        return DecimalPoint(self.lengths, values, self.digits)

    def dims(self, shape: Shape) -> tuple[int, int]:
        return dims(shape, self.lengths)

    def part(self, node: Expr) -> Matrix:
        rows, cols = self.dims(node.shape_)
        start = length((range_of(node).start,), self.lengths)
        return [[Decimal(int(i == start + j)) for j in range(cols)] for i in range(rows)]

    def size(self, node: Expr) -> Matrix:
        return constant(length((node.atom,), self.lengths))

    def pi(self, _: Expr) -> Matrix:
        return [[_decimal(_mpmath(self.digits).pi)]]

    def special(self, function: Callable[..., Any], *args: Matrix) -> Matrix:
        """A function of mpmath, entry by entry of the last argument."""
        m = _mpmath(self.digits)
        numbers = [_multiprecision(m, a) for ((a,),) in args[:-1]]
        try:
            return each(lambda a: _real(m, function(m, *numbers, _multiprecision(m, a))), args[-1])
        except ValueError as problem:  # a pole
            raise OutsideDomain(str(problem)) from None

    @property
    def largest(self) -> Decimal:
        """The largest absolute value that was met."""
        return max(dm.norm(a) for a in self.values.values())


def _crowded(gaps: list[Decimal], x: Matrix) -> bool:
    """Whether eigenvalues or singular values are so close that what belongs to each is
    arbitrary.
    """
    return min(gaps, default=Decimal("inf")) <= dm.noise() * dm.norm(x)


# ---- between decimals and mpmath -----------------------------------------------------------------


@lru_cache(8)
def _mpmath(digits: int) -> MPContext:
    from mpmath.ctx_mp import MPContext

    context = MPContext()
    context.dps = digits + GUARD_DIGITS
    return context


def _multiprecision(m: MPContext, x: Decimal) -> Any:
    if x.adjusted() > LARGEST_EXPONENT:
        raise OutsideDomain("an argument beyond the range of the special functions")
    return m.mpf(str(x)) if x.adjusted() > -SMALLEST_EXPONENT else m.mpf(0)


def _real(m: MPContext, value: Any) -> Decimal:
    """A number of mpmath that is finite and real, or no value."""
    if isinstance(value, m.mpc):
        if value.imag and abs(value.imag) > abs(value.real) * m.mpf(10) ** (GUARD_DIGITS - m.dps):
            raise OutsideDomain("the value is complex")
        value = value.real
    if not m.isfinite(value):
        raise OutsideDomain("the value is infinite")
    return _decimal(value)


def _decimal(value: Any) -> Decimal:
    mantissa, exponent = Decimal(int(value.man)), int(value.exp)
    return mantissa * Decimal(2) ** exponent * (-1 if value < 0 < mantissa else 1)


def _where_not_zero(x: Decimal, weight: Decimal) -> Decimal:
    if not weight:
        raise OutsideDomain("the logarithm of zero")
    return x


def _commutation(m: int, n: int) -> Matrix:
    """K(m,n), whose row (i,j) picks the entry (j,i) of a column-major m×n matrix."""
    return [
        [Decimal(int(k == j * m + i)) for k in range(m * n)] for i in range(m) for j in range(n)
    ]


def _shifts(first: int, second: int) -> Matrix:
    """1 where the row is the sum of the two indices of the column."""
    indices = list(product(range(first), range(second)))
    return [[Decimal(int(k == i + j)) for i, j in indices] for k in range(first + second - 1)]


def _cross(x: Matrix, y: Matrix) -> Matrix:
    (a,), (b,), (c,) = x
    (d,), (e,), (f,) = y
    return [[b * f - c * e], [c * d - a * f], [a * e - b * d]]


def _skew(x: Matrix) -> Matrix:
    (a,), (b,), (c,) = x
    zero = Decimal(0)
    return [[zero, -c, b], [c, zero, -a], [-b, a, zero]]


def _unskew(a: Matrix) -> Matrix:
    return [[a[2][1] - a[1][2]], [a[0][2] - a[2][0]], [a[1][0] - a[0][1]]]


def _structural(row: Row, args: list[Matrix]) -> Matrix:
    """A function whose entries are products of entries, by its definition."""
    (rows, cols), places = structural_places(row.name, tuple((len(a), len(a[0])) for a in args))
    factors = [ARGUMENTS.index(name) for name in re.findall(r"(\w)\[", row.define)]
    out = constant(0, rows, cols)
    for (r, c), *entries in places:
        out[r][c] += prod(args[f][i][j] for f, (i, j) in zip(factors, entries, strict=True))
    return out


def _power(base: Matrix, exponent: Matrix) -> Matrix:
    return dm.together(dm.power, base, exponent)


def _hankel(x: Matrix, w: Matrix) -> Matrix:
    return mod.hankel(x, len(w))


def _toeplitz(x: Matrix, w: Matrix) -> Matrix:
    return [[Decimal(x) for x in row] for row in mod.toeplitz(x, len(w))]


_LEAVES: dict[str, Callable[[DecimalPoint, Expr], Matrix]] = {
    "num": lambda point, node: [[Decimal(node.value.numerator) / node.value.denominator]],
    "size": DecimalPoint.size,
    "pi": DecimalPoint.pi,
    "ones": lambda point, node: constant(1, *point.dims(node.shape_)),
    "zeros": lambda point, node: constant(0, *point.dims(node.shape_)),
    "eye": lambda point, node: dm.identity(point.dims(node.shape_)[0]),
    "part": DecimalPoint.part,
    "shifts": lambda point, node: _shifts(*(length((a,), point.lengths) for a in node.shape_[1])),
    "commutation": lambda point, node: _commutation(
        *(length((a,), point.lengths) for a in node.shape_[0])
    ),
}
_OPERATIONS: dict[str, Callable[..., Matrix]] = {
    "add": lambda *args: reduce(dm.plus, args),
    "times": lambda *args: reduce(dm.times, args),
    "matmul": lambda *args: reduce(dm.dot, args),
    "T": flip,
    "pow": _power,
    "tril": mod.lower,
    "triu": mod.upper,
    "conv": lambda x, w: dm.dot(_toeplitz(x, w), w),
    "corr": lambda x, w: dm.dot(_hankel(x, w), w),
    "convmat": _toeplitz,
    "hankel": _hankel,
    "cross": _cross,
    "skew": _skew,
    "unskew": _unskew,
    "inv": dm.inverse,
    "det": lambda a: [[dm.determinant(a)]],
    "pinv": dm.pseudo_inverse,
    "chol": dm.cholesky,
    "amax": dm.largest,
    "amin": dm.smallest,
    "ismax": dm.is_largest,
    "powm": dm.whole_power,
    "powm_frechet": dm.power_slope,
    "eigvals": dm.eigenvalues,
    "eigvecs": dm.eigenvectors,
    "polar": dm.polar,
    "leading": dm.leading,
    "normnuc": dm.nuclear_norm,
    "normspec": dm.spectral_norm,
    "expm": dm.exponential,
    "sqrtm": dm.square_root,
    "logm": dm.logarithm,
    "expm_frechet": dm.frechet(dm.exponential),
    "sqrtm_frechet": dm.frechet(dm.square_root),
    "logm_frechet": dm.frechet(dm.logarithm),
    "logdet": dm.log_determinant,
    "expm_frechet_symmetric": dm.frechet(dm.exponential),
    "sqrtm_frechet_symmetric": dm.frechet(dm.square_root),
    "logm_frechet_symmetric": dm.frechet(dm.logarithm),
    "adjugate": lambda a: dm.times([[dm.determinant(a)]], dm.inverse(a)),
    "top": dm.largest,
    "top_rows": lambda a: [[max(row)] for row in a],
    "masked": lambda a, w: dm.together(_where_not_zero, a, w),
    "xlogy": lambda a, b: dm.together(lambda x, y: x * y.ln() if x else x, a, b),
    "xlog1py": lambda a, b: dm.together(lambda x, y: x * (1 + y).ln() if x else x, a, b),
    "power_slope": lambda a, k: dm.together(lambda x, y: y * dm.power(x, y - 1) if y else y, a, k),
}
_ENTRYWISE: dict[str, Callable[[Decimal], Decimal]] = {
    "sign": dm.sign,
    "step": dm.step,
    "abs": abs,
    "exp_below": lambda x: min(x, Decimal(0)).exp(),
    "reciprocal": lambda x: 1 / x if x else x,
}
# by functions of mpmath that have other names, or for an entry and numbers before it
_SPECIAL: dict[str, Callable[..., Any]] = {
    "tanhalf": lambda m, x: m.tan(x / 2),
    "erfc": lambda m, x: m.erfc(x),
    "erfcx": lambda m, x: m.exp(x**2) * m.erfc(x),
    "log_normcdf": lambda m, x: m.log(m.erfc(-x / m.sqrt(2)) / 2),
    "sech2": lambda m, x: m.sech(x) ** 2,
    "polygamma": lambda m, k, x: m.psi(int(k), x),
}


def _steps(ascending: list[Decimal]) -> list[Decimal]:
    """The differences of neighbours."""
    return [b - a for a, b in pairwise(ascending)]


# how far apart the values are that a function of vectors belongs to
CROWDING: dict[str, Callable[[Matrix], list[Decimal]]] = {
    "eigvecs": lambda x: _steps(dm.eigen(x)[0]),
    "polar": lambda x: dm.singular(x)[1][:1],
    "leading": lambda x: _steps(dm.singular(x)[1])[-1:],
}
