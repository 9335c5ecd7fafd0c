"""Expressions evaluated in decimal arithmetic of many digits, at one point.

Rounding errors of 70 digits leave differences of functions over 50 digits that are right, so that no tolerance has to
be chosen between an error of the numbers and an error of a formula. Numbers are :class:`decimal.Decimal`, matrices lists
of rows; factorizations and special functions are those of mpmath. A function of the table is evaluated by its definition,
never by its derivative: what it is, not what the table says of its slope.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow, getcontext
from functools import lru_cache, reduce
from itertools import pairwise, product
from math import prod
from operator import add, mul
from typing import TYPE_CHECKING, Any

from . import expr as ex
from . import modular as mod
from .budget import spend
from .dual import compiled_text, structural_places
from .errors import NotDifferentiable
from .expr import Expr
from .expr.parts import range_of
from .functions import BY_NAME, Row
from .modular import flat, flip
from .sizes import SCALAR, Atom, Shape, dims, length

if TYPE_CHECKING:
    from mpmath.ctx_mp import MPContext

Matrix = list[list[Decimal]]
Values = MutableMapping[Expr, Matrix]

GUARD_DIGITS = 6  # of mpmath beyond those that are kept
LARGEST_EXPONENT = 30  # of arguments of special functions: reducing larger ones takes digits that are not there
LARGEST_NORM = 10**9  # of a matrix in an exponent
SMALLEST_EXPONENT = 10**6  # below this a number is zero


class OutsideDomain(ArithmeticError):
    """A function has no real value at this point."""


def arithmetic(digits: int) -> Context:
    """Decimal arithmetic in which nothing is ever infinite or nan: what would be raises an ArithmeticError."""
    traps = [InvalidOperation, DivisionByZero, Overflow]
    return Context(prec=digits, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=traps)


class DecimalPoint:
    """The values of expressions where the variables have values, by the lengths of their sizes."""

    def __init__(self, lengths: Mapping[Atom, int], values: Values, digits: int) -> None:
        self.lengths, self.values, self.digits = lengths, values, digits
        self.on_kink = False  # whether a function was taken where it has a kink, and its slope there is a convention

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
        if node.head in _OPERATIONS:
            return _OPERATIONS[node.head](*args)
        row = BY_NAME[node.head]
        if row.kinks and any(x in row.kinks for x in flat(args[-1])):
            self.on_kink = True
        if row.name in _ENTRYWISE:
            return each(_ENTRYWISE[row.name], args[0])
        if row.name == "logdet":
            return self.logdet(args[0])
        if row.name in _SPECIAL:
            return self.special(_SPECIAL[row.name], args[0])
        if row.name in CROWDING and self.crowded(CROWDING[row.name], args[0]):
            self.on_kink = True
        if row.name in _BY_MPMATH:
            return self.by_mpmath(_BY_MPMATH[row.name], args)
        if row.exact:
            return self.defined(row.exact, SCALAR if row.elementwise else node.args[0].shape_, args)
        if row.define:
            return _structural(row, args)
        raise NotDifferentiable(f"{row.name} has no model in decimal arithmetic")

    def defined(self, text: str, shape: Shape, args: list[Matrix]) -> Matrix:
        """A definition of the table, in ``x``."""
        placeholder, order = compiled_text(text, shape)
        inner = DecimalPoint(self.lengths, {placeholder: args[0]}, self.digits)
        return inner.evaluate(order)

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

    def logdet(self, a: Matrix) -> Matrix:
        inverse(a)  # a determinant that is nothing but noise has no logarithm
        return self.special("log", [[abs(determinant(a))]])

    def special(self, name: str, x: Matrix) -> Matrix:
        """A function of mpmath, entry by entry."""
        m = _mpmath(self.digits)
        function = getattr(m, name)
        try:
            return each(lambda a: _real(m, function(_multiprecision(m, a))), x)
        except ValueError as problem:  # a pole
            raise OutsideDomain(str(problem)) from None

    @property
    def largest(self) -> Decimal:
        """The largest absolute value that was met."""
        return max(_norm(a) for a in self.values.values())

    def crowded(self, gaps: Callable[[MPContext, Any], list[Any]], x: Matrix) -> bool:
        """Whether eigenvalues or singular values are so close that what belongs to each is arbitrary."""
        m = _mpmath(self.digits)
        closest = min(gaps(m, m.matrix([[_multiprecision(m, a) for a in row] for row in x])), default=m.inf)
        return bool(closest <= _multiprecision(m, _noise() * _norm(x)))

    def by_mpmath(self, function: Callable[..., Any], args: list[Matrix]) -> Matrix:
        """A function of matrices that mpmath computes."""
        if function in _OF_REGULAR_MATRICES:
            inverse(args[0])
        m = _mpmath(self.digits)
        matrices = [m.matrix([[_multiprecision(m, x) for x in row] for row in a]) for a in args]
        try:
            value = function(m, *matrices)
        except (ZeroDivisionError, ValueError, m.NoConvergence) as problem:
            raise OutsideDomain(str(problem)) from None
        return [[_real(m, value[i, j]) for j in range(value.cols)] for i in range(value.rows)]


# ---- between decimals and mpmath ----------------------------------------------------------------------------------------


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


# ---- entries --------------------------------------------------------------------------------------------------------------


def constant(value: int | Decimal, rows: int = 1, cols: int = 1) -> Matrix:
    return [[Decimal(value)] * cols for _ in range(rows)]


def each(f: Callable[[Decimal], Decimal], a: Matrix) -> Matrix:
    return [[f(x) for x in row] for row in a]


def together(f: Callable[[Decimal, Decimal], Decimal], a: Matrix, b: Matrix) -> Matrix:
    """Entry by entry, the smaller one repeated."""
    rows, cols = max(len(a), len(b)), max(len(a[0]), len(b[0]))
    if len(a) != rows or len(a[0]) != cols:
        a = mod.fit(a, rows, cols)
    if len(b) != rows or len(b[0]) != cols:
        b = mod.fit(b, rows, cols)
    return [list(map(f, row, other)) for row, other in zip(a, b, strict=True)]


def plus(a: Matrix, b: Matrix) -> Matrix:
    return together(add, a, b)


def minus(a: Matrix, b: Matrix) -> Matrix:
    return together(Decimal.__sub__, a, b)


def times(a: Matrix, b: Matrix) -> Matrix:
    return together(mul, a, b)


def dot(a: Matrix, b: Matrix) -> Matrix:
    columns = list(zip(*b, strict=True))
    spend(len(a) * len(b) * len(columns))
    return [[sum(map(mul, row, column), Decimal(0)) for column in columns] for row in a]


def identity(n: int) -> Matrix:
    return [[Decimal(int(i == j)) for j in range(n)] for i in range(n)]


def sign(x: Decimal) -> Decimal:
    return Decimal((x > 0) - (x < 0))


def step(x: Decimal) -> Decimal:
    return Decimal(int(x > 0))


def power(x: Decimal, k: Decimal) -> Decimal:
    """x^k; no real power of a negative number but a whole one, and of zero no negative one."""
    if k == k.to_integral_value():
        return x ** int(k)
    if x < 0 or (x == 0 and k < 0):
        raise OutsideDomain("a power of no positive number")
    if not x:
        return x
    return x.sqrt() ** int(2 * k) if 2 * k == (2 * k).to_integral_value() else x**k


# ---- linear algebra -----------------------------------------------------------------------------------------------------


def _eliminated(a: Matrix, beside: Matrix) -> tuple[Matrix, Decimal]:
    """What stands beside a matrix when it has become the identity, and its determinant; pivots are the largest entries."""
    n, determinant = len(a), Decimal(1)
    rows = [[*row, *more] for row, more in zip(a, beside, strict=True)]
    for j in range(n):
        spend(n * len(rows[0]))
        pivot = max(range(j, n), key=lambda i: abs(rows[i][j]))
        if not rows[pivot][j]:
            return [], Decimal(0)
        if pivot != j:
            rows[j], rows[pivot] = rows[pivot], rows[j]
            determinant = -determinant
        head = rows[j][j]
        determinant *= head
        rows[j] = [x / head for x in rows[j]]
        for i, row in enumerate(rows):
            if i != j and row[j]:
                factor = row[j]
                rows[i] = [x - factor * y for x, y in zip(row, rows[j], strict=True)]
    return [row[n:] for row in rows], determinant


def inverse(a: Matrix) -> Matrix:
    """The inverse of a matrix that is regular beyond the noise of its digits."""
    value, determinant = _eliminated(a, identity(len(a)))
    if not determinant or _norm(a) * _norm(value) > _noise() ** -1:
        raise OutsideDomain("the inverse of a singular matrix")
    return value


def determinant(a: Matrix) -> Decimal:
    return _eliminated(a, [[] for _ in a])[1]


def _noise() -> Decimal:
    """A relative size between that of rounding errors and that of numbers: ten to half of the digits."""
    return Decimal(10) ** (-getcontext().prec // 2)


def _norm(a: Matrix) -> Decimal:
    return max(abs(x) for row in a for x in row)


def pseudo_inverse(a: Matrix) -> Matrix:
    """From independent columns c of a = c·r: r'(rr')⁻¹(c'c)⁻¹c' (Ben-Israel & Greville 2003, section 1.6)."""
    floor = _norm(a) * _noise()
    rest, columns = flip(a), list[int]()
    while len(columns) < len(rest):
        sizes = [max(map(abs, column)) for column in rest]
        best = max(range(len(rest)), key=lambda j: sizes[j])
        if sizes[best] <= floor:
            break
        columns.append(best)
        unit = rest[best]
        square = sum(map(mul, unit, unit))
        rest = [_without(column, unit, square) for column in rest]
    if not columns:
        return flip(a)
    c = flip([flip(a)[j] for j in columns])
    ct = flip(c)
    left = dot(inverse(dot(ct, c)), ct)
    r = dot(left, a)
    rt = flip(r)
    return dot(dot(rt, inverse(dot(r, rt))), left)


def _without(column: list[Decimal], unit: list[Decimal], square: Decimal | int) -> list[Decimal]:
    """A column less its part along another one."""
    share = sum(map(mul, column, unit)) / square
    return [x - share * y for x, y in zip(column, unit, strict=True)]


def cholesky(a: Matrix) -> Matrix:
    n = len(a)
    lower = constant(0, n, n)
    for i in range(n):
        for j in range(i + 1):
            rest = a[i][j] - sum(map(mul, lower[i][:j], lower[j][:j]))
            if i == j and rest <= 0:
                raise OutsideDomain("the matrix is not positive definite")
            lower[i][j] = rest.sqrt() if i == j else rest / lower[j][j]
    return lower


def largest(a: Matrix) -> Matrix:
    return [[max(flat(a))]]


def smallest(a: Matrix) -> Matrix:
    return [[min(flat(a))]]


def is_largest(a: Matrix) -> Matrix:
    """1 where the largest entry stands; entries that differ by noise are equal."""
    top = max(flat(a))
    floor = top - _noise() * _norm(a)
    return each(lambda x: Decimal(int(x >= floor)), a)


def whole_power(a: Matrix, exponent: Matrix) -> Matrix:
    k = int(exponent[0][0])
    base = a if k >= 0 else inverse(a)
    total = identity(len(a))
    for bit in f"{abs(k):b}":
        total = dot(total, total)
        total = dot(total, base) if bit == "1" else total
    return total


def power_slope(a: Matrix, direction: Matrix, exponent: Matrix) -> Matrix:
    """Mathias 1996: the upper right block of the power of [x e; 0 x]."""
    n = len(a)
    top = [x + e for x, e in zip(a, direction, strict=True)]
    corner = top + [[Decimal(0)] * n + x for x in a]
    return [row[n:] for row in whole_power(corner, exponent)[:n]]


def _commutation(m: int, n: int) -> Matrix:
    """K(m,n), whose row (i,j) picks the entry (j,i) of a column-major m×n matrix."""
    return [[Decimal(int(k == j * m + i)) for k in range(m * n)] for i in range(m) for j in range(n)]


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
    factors = ["xw".index(name) for name in re.findall(r"(\w)\[", row.define)]
    out = constant(0, rows, cols)
    for (r, c), *entries in places:
        out[r][c] += prod(args[f][i][j] for f, (i, j) in zip(factors, entries, strict=True))
    return out


def _power(base: Matrix, exponent: Matrix) -> Matrix:
    return together(power, base, exponent)


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
    "eye": lambda point, node: identity(point.dims(node.shape_)[0]),
    "part": DecimalPoint.part,
    "shifts": lambda point, node: _shifts(*(length((a,), point.lengths) for a in node.shape_[1])),
    "commutation": lambda point, node: _commutation(*(length((a,), point.lengths) for a in node.shape_[0])),
}
_OPERATIONS: dict[str, Callable[..., Matrix]] = {
    "add": lambda *args: reduce(plus, args),
    "times": lambda *args: reduce(times, args),
    "matmul": lambda *args: reduce(dot, args),
    "T": flip,
    "pow": _power,
    "tril": mod.PATTERNS["lower"],
    "triu": mod.PATTERNS["upper"],
    "conv": lambda x, w: dot(_toeplitz(x, w), w),
    "corr": lambda x, w: dot(_hankel(x, w), w),
    "convmat": _toeplitz,
    "hankel": _hankel,
    "cross": _cross,
    "skew": _skew,
    "unskew": _unskew,
    "inv": inverse,
    "det": lambda a: [[determinant(a)]],
    "pinv": pseudo_inverse,
    "chol": cholesky,
    "amax": largest,
    "amin": smallest,
    "ismax": is_largest,
    "powm": whole_power,
    "powm_frechet": power_slope,
}
_ENTRYWISE: dict[str, Callable[[Decimal], Decimal]] = {
    "sign": sign,
    "step": step,
    "abs": abs,
}
# the names that mpmath has for elementwise functions of the table
_SPECIAL = {
    "exp": "exp", "log": "log", "sin": "sin", "cos": "cos", "tan": "tan", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arcsinh": "asinh",
    "arccosh": "acosh", "arctanh": "atanh", "erf": "erf", "lgamma": "loggamma", "digamma": "digamma",
}  # fmt: skip


# ---- functions of matrices that mpmath has --------------------------------------------------------------------------------


def _eigenvalues(m: MPContext, s: Any) -> Any:
    return m.matrix(sorted(m.eigsy(s, eigvals_only=True)))


def _steps(values: Iterable[Any]) -> list[Any]:
    """The differences of neighbours."""
    ascending = list(values)
    return [b - a for a, b in pairwise(ascending)]


def _eigenvectors(m: MPContext, s: Any) -> Any:
    """Unit eigenvectors in ascending order of their eigenvalues, the largest entry of each one positive."""
    values, vectors = m.eigsy(s)
    order = sorted(range(s.rows), key=lambda k: values[k])
    columns = [[vectors[i, k] for i in range(s.rows)] for k in order]
    turned = [[x * m.sign(max(column, key=abs)) for x in column] for column in columns]
    return m.matrix(turned).T


def _frechet(function: Callable[[MPContext, Any], Any]) -> Callable[[MPContext, Any, Any], Any]:
    """The Fréchet derivative as a block of the function of [x e; 0 x] (Higham 2008, eq. 3.16)."""

    def derivative(m: MPContext, x: Any, e: Any) -> Any:
        n = x.rows
        corner = m.matrix(2 * n)
        corner[:n, :n] = corner[n:, n:] = x
        corner[:n, n:] = e
        return function(m, corner)[:n, n:]

    return derivative


def _expm(m: MPContext, x: Any) -> Any:
    if m.mnorm(x, 1) > LARGEST_NORM:
        raise OutsideDomain("an exponential beyond the range of numbers")
    return _of_symmetric(m, x, m.exp) if x == x.T else m.expm(x)


def _logm(m: MPContext, x: Any) -> Any:
    return _of_symmetric(m, x, m.log) if x == x.T else m.logm(x)


def _sqrtm(m: MPContext, x: Any) -> Any:
    return _of_symmetric(m, x, m.sqrt) if x == x.T else m.sqrtm(x)


def _of_symmetric(m: MPContext, x: Any, function: Callable[[Any], Any]) -> Any:
    """A function of a symmetric matrix, by that of its eigenvalues: much quicker than the iterations for any matrix."""
    values, vectors = m.eigsy(x)
    return vectors * m.diag([function(value) for value in values]) * vectors.T


def _singular_values(m: MPContext, x: Any) -> Any:
    return m.svd_r(x, compute_uv=False)


def _polar(m: MPContext, x: Any) -> Any:
    u, _, v = m.svd_r(x)
    return u * v


def _leading(m: MPContext, x: Any) -> Any:
    u, values, v = m.svd_r(x)
    top = max(range(len(values)), key=lambda k: values[k])
    return u[:, top] * v[top, :]


_sqrtm_frechet, _logm_frechet = _frechet(_sqrtm), _frechet(_logm)
# iterations that go on for long where a matrix is singular, and end nowhere
_OF_REGULAR_MATRICES = {_sqrtm, _logm, _sqrtm_frechet, _logm_frechet}
# how far apart the values are that a function of vectors belongs to
CROWDING: dict[str, Callable[[MPContext, Any], list[Any]]] = {
    "eigvecs": lambda m, x: _steps(_eigenvalues(m, x)),
    "polar": lambda m, x: [min(_singular_values(m, x))],
    "leading": lambda m, x: _steps(sorted(_singular_values(m, x)))[-1:],
}
_BY_MPMATH: dict[str, Callable[..., Any]] = {
    "eigvals": _eigenvalues,
    "eigvecs": _eigenvectors,
    "expm": _expm,
    "logm": _logm,
    "sqrtm": _sqrtm,
    "expm_frechet": _frechet(_expm),
    "logm_frechet": _logm_frechet,
    "sqrtm_frechet": _sqrtm_frechet,
    "polar": _polar,
    "leading": _leading,
    "normnuc": lambda m, x: m.matrix([sum(_singular_values(m, x))]),
    "normspec": lambda m, x: m.matrix([max(_singular_values(m, x))]),
    "polygamma": lambda m, k, x: x.apply(lambda entry: m.psi(int(k[0, 0]), entry)),
    "tanhalf": lambda m, x: x.apply(lambda entry: m.tan(entry / 2)),
}
