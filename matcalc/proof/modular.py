"""Matrices modulo the prime 2^61 - 1: lists of rows of integers, and the linear algebra on them.

Nothing here rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache, partial
from operator import mul
from typing import TypeVar

from ..budget import spend

# leaves the remainder 3 modulo 4: -1 is no square, and a^((P+1)/4) is a root of every square a
P = 2**61 - 1

STEPS = 16  # multiplications that take as long as a step of the budget
Matrix = list[list[int]]
T = TypeVar("T")  # what entries are: what only moves them serves other numbers, too


class Singular(Exception):
    """A division by zero, or a singular matrix."""


# ---- numbers -------------------------------------------------------------------------------------


@lru_cache(1024)
def residue(value: Fraction) -> int:
    """A rational number modulo p."""
    return value.numerator * pow(value.denominator, -1, P) % P


def power(base: int, exponent: int) -> int:
    if exponent < 0 and not base:
        raise Singular("divides by zero")
    return pow(base, exponent, P)


def legendre(x: int) -> int:
    """1 for a square, -1 for any other number, 0 for 0."""
    return 1 if pow(x, (P - 1) // 2, P) == 1 else -1 if x else 0


def root(x: int) -> int | None:
    """The square root that is a square itself, as the positive root of a positive number is."""
    found = pow(x, (P + 1) // 4, P)
    return found if found * found % P == x else None


# ---- entries -------------------------------------------------------------------------------------


def each(f: Callable[[int], int], a: Matrix) -> Matrix:
    return [[f(x) for x in row] for row in a]


def fit(a: list[list[T]], rows: int, cols: int) -> list[list[T]]:
    """A scalar, or a row, repeated to fill a shape."""
    tall = a if len(a) == rows else a * rows
    return tall if len(tall[0]) == cols else [row * cols for row in tall]


def together(f: Callable[[int, int], int], a: Matrix, b: Matrix) -> Matrix:
    """Entry by entry, the smaller one repeated."""
    rows, cols = max(len(a), len(b)), max(len(a[0]), len(b[0]))
    return [
        [f(x, y) % P for x, y in zip(*pair, strict=True)]
        for pair in zip(fit(a, rows, cols), fit(b, rows, cols), strict=True)
    ]


plus = partial(together, int.__add__)
minus = partial(together, int.__sub__)
times = partial(together, mul)


def flat(a: list[list[T]]) -> list[T]:
    return [x for row in a for x in row]


def constant(value: int, rows: int = 1, cols: int = 1) -> Matrix:
    return [[value % P] * cols for _ in range(rows)]


def where(keep: Callable[[int, int], bool], a: list[list[T]]) -> list[list[T]]:
    """The entries whose row and column are kept, and zeros."""
    return [[x * keep(i, j) for j, x in enumerate(row)] for i, row in enumerate(a)]  # type: ignore[misc, operator]


lower = partial(where, int.__ge__)
upper = partial(where, int.__le__)


# ---- linear algebra ------------------------------------------------------------------------------


def identity(n: int) -> Matrix:
    return [[int(i == j) for j in range(n)] for i in range(n)]


def flip(a: list[list[T]]) -> list[list[T]]:
    return list(map(list, zip(*a, strict=True)))


def dot(a: Matrix, b: Matrix) -> Matrix:
    columns = list(zip(*b, strict=True))
    spend(len(a) * len(b) * len(columns) // STEPS)
    return [[sum(map(mul, row, column)) % P for column in columns] for row in a]


def reduced(a: Matrix) -> tuple[Matrix, list[int], int]:
    """The reduced row echelon form, its pivot columns, and the product of the pivots with the
    sign of the row exchanges.
    """
    a, pivots, total = [row[:] for row in a], list[int](), 1
    for j in range(len(a[0])):
        top = len(pivots)
        pivot = next((i for i in range(top, len(a)) if a[i][j]), None)
        if pivot is None:
            continue
        total = total * a[pivot][j] * (1 if pivot == top else -1) % P
        a[top], a[pivot] = a[pivot], a[top]
        _clear_column(a, top, j)
        pivots.append(j)
        spend(len(a) * len(a[0]) // STEPS)
    return a, pivots, total


def _clear_column(a: Matrix, top: int, j: int) -> None:
    """Make a pivot 1, and every other entry of its column 0."""
    scale = pow(a[top][j], -1, P)
    a[top] = [x * scale % P for x in a[top]]
    for i, row in enumerate(a):
        if i != top and row[j]:
            a[i] = [(x - row[j] * y) % P for x, y in zip(row, a[top], strict=True)]


def determinant(a: Matrix) -> int:
    _, pivots, total = reduced(a)
    return total if len(pivots) == len(a) else 0


def inverse(a: Matrix) -> Matrix:
    n = len(a)
    form, pivots, _ = reduced([row + unit for row, unit in zip(a, identity(n), strict=True)])
    if pivots != list(range(n)):
        raise Singular("is singular")
    return [row[n:] for row in form]


def pseudo_inverse(a: Matrix) -> Matrix:
    """From the rank factorization a = c·r: r'(rr')⁻¹(c'c)⁻¹c' (Ben-Israel & Greville 2003,
    section 1.6).
    """
    form, pivots, _ = reduced(a)
    if not pivots:
        return flip(a)
    c, r = [[row[j] for j in pivots] for row in a], form[: len(pivots)]
    return dot(dot(flip(r), inverse(dot(r, flip(r)))), dot(inverse(dot(flip(c), c)), flip(c)))


def toeplitz(x: list[list[T]], width: int) -> list[list[T | int]]:
    """The matrix of the convolution by a column."""
    n = len(x)
    return [
        [x[k - j][0] if 0 <= k - j < n else 0 for j in range(width)] for k in range(n + width - 1)
    ]


def hankel(x: list[list[T]], width: int) -> list[list[T]]:
    """The matrix of the correlation of a column with others."""
    return [[x[i + j][0] for j in range(width)] for i in range(len(x) - width + 1)]


def convolution(x: Matrix, y: Matrix) -> Matrix:
    return dot(toeplitz(x, len(y)), y)


def correlation(x: Matrix, y: Matrix) -> Matrix:
    return dot(hankel(x, len(y)), y)


def skew(x: Matrix) -> Matrix:
    """The matrix of the cross product by a vector of length 3."""
    (a,), (b,), (c,) = x
    return [[0, -c % P, b], [c, 0, -a % P], [-b % P, a, 0]]


def unskew(a: Matrix) -> Matrix:
    """The adjoint of :func:`skew`."""
    return [[(a[2][1] - a[1][2]) % P], [(a[0][2] - a[2][0]) % P], [(a[1][0] - a[0][1]) % P]]
