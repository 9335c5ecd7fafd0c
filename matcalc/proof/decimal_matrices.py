"""Matrices of decimals: entries, linear algebra, and functions of matrices, to all digits of the
open context.

What has no real value raises :class:`OutsideDomain`. The iterations are those that are simple and
exact to the last digits, not those that are quick in double precision: matrices here have few rows,
and numbers many digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    getcontext,
    localcontext,
)
from itertools import combinations, count
from operator import add, mul

from ..budget import spend
from . import modular as mod
from .modular import flat, flip

Matrix = list[list[Decimal]]

LOST_DIGITS = 15  # that sums and functions may take from a value
LARGEST_NORM = 10**9  # of a matrix in an exponent
GUARD_DIGITS = 15  # that iterations take beyond those that are kept
ITERATIONS = 100  # of what converges quadratically, or not at all
NEAR_IDENTITY = Decimal("0.5")  # where the series of the logarithm is quicker than one more root
NEAR_ROOT = Decimal("0.1")  # a relative change below which an iteration needs no scale


class OutsideDomain(ArithmeticError):
    """A function has no real value at this point."""


def arithmetic(digits: int) -> Context:
    """Decimal arithmetic in which nothing is ever infinite or nan: what would be raises an
    ArithmeticError.
    """
    traps = [InvalidOperation, DivisionByZero, Overflow]
    return Context(prec=digits, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=traps)


@contextmanager
def guarded(digits: int = GUARD_DIGITS) -> Iterator[None]:
    """Arithmetic of some digits more."""
    with localcontext() as context:
        context.prec += digits
        yield


# ---- entries -------------------------------------------------------------------------------------


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


# ---- linear algebra ------------------------------------------------------------------------------


def _eliminated(a: Matrix, beside: Matrix) -> tuple[Matrix, Decimal]:
    """What stands beside a matrix when it has become the identity, and its determinant.

    Pivots are the largest entries.
    """
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
    if not determinant or norm(a) * norm(value) > noise() ** -1:
        raise OutsideDomain("the inverse of a singular matrix")
    return value


def log_determinant(a: Matrix) -> Matrix:
    inverse(a)  # a determinant that is nothing but noise has no logarithm
    return [[abs(determinant(a)).ln()]]


def determinant(a: Matrix) -> Decimal:
    return _eliminated(a, [[] for _ in a])[1]


def noise() -> Decimal:
    """A relative size between that of rounding errors and that of numbers: ten to half of the
    digits.
    """
    return Decimal(10) ** (-getcontext().prec // 2)


def rounding() -> Decimal:
    """A relative size that sums of rounding errors stay below."""
    return Decimal(10) ** (LOST_DIGITS - getcontext().prec)


def norm(a: Matrix) -> Decimal:
    return max(abs(x) for row in a for x in row)


def pseudo_inverse(a: Matrix) -> Matrix:
    """From independent columns c of a = c·r: r'(rr')⁻¹(c'c)⁻¹c' (Ben-Israel & Greville 2003,
    section 1.6).
    """
    floor = norm(a) * noise()
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
    """1 where the largest entry stands.

    Entries that differ by rounding are equal, and none may be nearly so.
    """
    top = max(flat(a))
    nearly, equal = (top - gap * norm(a) for gap in (noise(), rounding()))
    if any(nearly <= x < equal for x in flat(a)):
        raise OutsideDomain("entries that are nearly equal")
    return each(lambda x: Decimal(int(x >= equal)), a)


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
    return frechet(lambda x: whole_power(x, exponent))(a, direction)


# ---- eigenvalues and singular values -------------------------------------------------------------


def eigen(s: Matrix) -> tuple[list[Decimal], Matrix]:
    """Ascending eigenvalues of a symmetric matrix, and unit eigenvectors in columns, the largest
    entry of each positive.

    Cyclic rotations (Golub & Van Loan 2013, algorithm 8.5.3).
    """
    n = len(s)
    with guarded():
        a, vectors = [row[:] for row in s], identity(n)  # vectors in rows
        floor = _last_digits() * norm(s)
        for _ in range(ITERATIONS):
            places = [(i, j) for i, j in combinations(range(n), 2) if abs(a[i][j]) > floor]
            for i, j in places:
                cosine, sine = _rotation(a[i][i], a[i][j], a[j][j])
                _turn(a, i, j, cosine, sine)
                a = flip(a)
                _turn(a, i, j, cosine, sine)
                _turn(vectors, i, j, cosine, sine)
            if not places:
                break
    order = sorted(range(n), key=lambda k: a[k][k])
    return [+a[k][k] for k in order], _rounded(
        flip([_with_positive_top(vectors[k]) for k in order])
    )


def singular(x: Matrix) -> tuple[Matrix, list[Decimal], Matrix]:
    """Left singular vectors in rows, ascending singular values, and right singular vectors in rows.

    Rotations of pairs of columns until all are orthogonal (Golub & Van Loan 2013, section 8.6.3).
    """
    if len(x) < len(x[0]):
        return singular(flip(x))[::-1]
    with guarded():
        columns, turned = flip(x), identity(len(x[0]))
        floor = _last_digits()
        zero = (floor * norm(x)) ** 2
        for _ in range(ITERATIONS):
            quiet = True
            for i, j in combinations(range(len(columns)), 2):
                a, b, c = (_inner(columns[k], columns[m]) for k, m in ((i, i), (i, j), (j, j)))
                if b * b > floor * floor * a * c and min(a, c) > zero:
                    cosine, sine = _rotation(a, b, c)
                    _turn(columns, i, j, cosine, sine)
                    _turn(turned, i, j, cosine, sine)
                    quiet = False
            if quiet:
                break
        values = [_inner(column, column).sqrt() for column in columns]
        order = sorted(range(len(columns)), key=lambda k: values[k])
        left: Matrix = []
        for k in reversed(order):
            is_zero = values[k] <= noise() * norm(x)
            left.append(_orthogonal_to(left, len(x)) if is_zero else _unit(columns[k]))
    return _rounded(left[::-1]), [+values[k] for k in order], _rounded([turned[k] for k in order])


def _inner(a: list[Decimal], b: list[Decimal]) -> Decimal:
    return sum(map(mul, a, b), Decimal(0))


def _unit(a: list[Decimal]) -> list[Decimal]:
    size = _inner(a, a).sqrt()
    return [x / size for x in a]


def _orthogonal_to(units: Matrix, n: int) -> list[Decimal]:
    """A unit vector orthogonal to orthonormal ones: of the axes the one that is furthest from
    their span, less its part there.
    """
    rest = identity(n)
    for unit in units:
        rest = [_without(axis, unit, 1) for axis in rest]
    return _unit(max(rest, key=lambda axis: _inner(axis, axis)))


def _rotation(a: Decimal, b: Decimal, c: Decimal) -> tuple[Decimal, Decimal]:
    """Cosine and sine of the rotation that makes [a b; b c] diagonal."""
    ratio = (c - a) / (2 * b)
    tangent = (1 if ratio >= 0 else -1) / (abs(ratio) + (1 + ratio * ratio).sqrt())
    cosine = 1 / (1 + tangent * tangent).sqrt()
    return cosine, tangent * cosine


def _turn(rows: Matrix, i: int, j: int, cosine: Decimal, sine: Decimal) -> None:
    """Rotate two rows in place."""
    pairs = list(zip(rows[i], rows[j], strict=True))
    rows[i] = [cosine * x - sine * y for x, y in pairs]
    rows[j] = [sine * x + cosine * y for x, y in pairs]


def _with_positive_top(vector: list[Decimal]) -> list[Decimal]:
    top = max(vector, key=abs)
    return [x.copy_sign(x * top) for x in vector]


def _last_digits() -> Decimal:
    """A relative size that is lost in rounding, but for a few digits."""
    return Decimal(10) ** (5 - getcontext().prec)


def eigenvalues(s: Matrix) -> Matrix:
    return [[value] for value in eigen(s)[0]]


def eigenvectors(s: Matrix) -> Matrix:
    return eigen(s)[1]


def polar(x: Matrix) -> Matrix:
    """The nearest matrix with orthonormal rows or columns."""
    left, _, right = singular(x)
    return dot(flip(left), right)


def leading(x: Matrix) -> Matrix:
    """The product of the singular vectors of the largest singular value."""
    left, _, right = singular(x)
    return [[u * v for v in right[-1]] for u in left[-1]]


def nuclear_norm(x: Matrix) -> Matrix:
    return [[sum(singular(x)[1], Decimal(0))]]


def spectral_norm(x: Matrix) -> Matrix:
    return [[singular(x)[1][-1]]]


# ---- exponentials, roots and logarithms of matrices ----------------------------------------------


def exponential(a: Matrix) -> Matrix:
    """By the series of a part 2^-k of the matrix, squared k times (Higham 2008, section 10.3)."""
    size = norm(a) * len(a)
    if size > LARGEST_NORM:
        raise OutsideDomain("an exponential beyond the range of numbers")
    if a == flip(a):
        return _of_symmetric(a, Decimal.exp)
    squarings = int(size).bit_length() + 6
    with guarded(GUARD_DIGITS + squarings):
        part = _scaled(a, Decimal(2) ** -squarings)
        total = term = identity(len(a))
        for k in count(1):
            term = _scaled(dot(term, part), 1 / Decimal(k))
            total = plus(total, term)
            if norm(term) < _last_digits():
                break
        for _ in range(squarings):
            total = dot(total, total)
    return _rounded(total)


def square_root(a: Matrix) -> Matrix:
    """The principal root."""
    inverse(a)  # a matrix that is singular to its digits has no root to them
    if a == flip(a):
        return _of_symmetric(a, Decimal.sqrt)
    with guarded():
        root = _principal_root(a)
    return _rounded(root)


def logarithm(a: Matrix) -> Matrix:
    """The principal logarithm, by that of a root of a root, near the identity (Higham 2008,
    section 11.5).
    """
    inverse(a)
    if a == flip(a):
        return _of_symmetric(a, Decimal.ln)
    unit, roots = identity(len(a)), 0
    with guarded():
        near = a
        while norm(minus(near, unit)) * len(a) > NEAR_IDENTITY:
            near, roots = _principal_root(near), roots + 1
        # log(x) = 2·artanh((x - 1)/(x + 1))
        term = dot(minus(near, unit), inverse(plus(near, unit)))
        square, total = dot(term, term), term
        for k in count(3, 2):
            term = dot(term, square)
            if norm(term) <= _last_digits() * norm(total):
                break
            total = plus(total, _scaled(term, 1 / Decimal(k)))
        total = _scaled(total, Decimal(2) ** (roots + 1))
    return _rounded(total)


def _principal_root(a: Matrix) -> Matrix:
    """Denman's and Beavers's iteration, with its scale by determinants (Higham 2008, eqs. 6.15
    and 6.28).
    """
    unit = identity(len(a))
    root, inverse_root, near = a, unit, False
    for _ in range(ITERATIONS):
        of_root, of_inverse = _eliminated(root, unit), _eliminated(inverse_root, unit)
        size = abs(of_root[1] * of_inverse[1])
        if not size:
            break
        scale = Decimal(1) if near else size ** (Decimal(-1) / (2 * len(a)))
        following = _mean(root, of_inverse[0], scale)
        inverse_root = _mean(inverse_root, of_root[0], scale)
        change = norm(minus(following, root)) / norm(following)
        root, near = following, change < NEAR_ROOT
        if change < noise():  # the next one would be that of change^2
            if norm(minus(dot(root, root), a)) < noise() * norm(a):
                return root
            break
    raise OutsideDomain("the matrix has no principal square root")


def _mean(a: Matrix, b: Matrix, scale: Decimal) -> Matrix:
    return _scaled(plus(_scaled(a, scale), _scaled(b, 1 / scale)), Decimal("0.5"))


def _scaled(a: Matrix, factor: Decimal) -> Matrix:
    return each(lambda x: x * factor, a)


def _rounded(a: Matrix) -> Matrix:
    """To the digits of the open context."""
    return each(Decimal.__pos__, a)


def _of_symmetric(a: Matrix, function: Callable[[Decimal], Decimal]) -> Matrix:
    """A function of the eigenvalues."""
    with guarded():
        values, vectors = eigen(a)
        changed = [function(value) for value in values]
        product = dot([list(map(mul, row, changed)) for row in vectors], flip(vectors))
    return _rounded(product)


def frechet(function: Callable[[Matrix], Matrix]) -> Callable[[Matrix, Matrix], Matrix]:
    """The derivative along a direction, as a block of the function of [x e.

    0 x] (Higham 2008, eq. 3.16).
    """

    def derivative(x: Matrix, direction: Matrix) -> Matrix:
        size = norm(direction) or Decimal(1)
        block = corner(x, _scaled(direction, 1 / size))
        return _scaled([row[len(x) :] for row in function(block)[: len(x)]], size)

    return derivative


def corner(x: Matrix, beside: Matrix) -> Matrix:
    """The matrix [x e; 0 x]."""
    below = [[Decimal(0)] * len(x) + row for row in x]
    return [row + more for row, more in zip(x, beside, strict=True)] + below
