"""Random values of variables in decimals, with what is declared of them.

Magnitudes, signs and orders vary from point to point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from random import Random

from ..expr import Expr
from ..expr.sizes import UNIT
from . import modular as mod
from .decimal_matrices import Matrix, dot, each, identity, inverse, minus, plus
from .modular import flip

GRID = 10**9  # random numbers are fractions of it: short ones, so that arithmetic on them is quick
Entry = Callable[[Random], Decimal]


def _uniform(low: float, high: float) -> Entry:
    least, span = Decimal(str(low)), Decimal(str(high)) - Decimal(str(low))
    return lambda rng: least + span * rng.randrange(1, GRID) / GRID


def _of_all_magnitudes(rng: Random) -> Decimal:
    """Entries between 1/100 and 100 in absolute value."""
    return rng.choice((-1, 1)) * _uniform(1, 10)(rng) * Decimal(10) ** rng.randrange(-2, 2)


# how entries are drawn from one point to the next, and what is added to the diagonal of a square
# matrix
STYLES: tuple[tuple[Entry, Decimal], ...] = (
    (_uniform(-0.7, 0.7), Decimal("0.9")),
    (_uniform(0.3, 1.0), Decimal("1.9")),
    (_uniform(-1.5, 1.5), Decimal(0)),
    (_uniform(-6, 6), Decimal("3.9")),
    (_uniform(-0.02, 0.02), Decimal("0.1")),
    (_of_all_magnitudes, Decimal(0)),
    (_uniform(-1, -0.1), Decimal(0)),
    (_uniform(-40, 40), Decimal(0)),
)


TIES = -1  # the style in which entries are few different numbers, and lie on the kinks of functions


def _of_few_values(rng: Random) -> Decimal:
    return Decimal(rng.choice((-1, 0, 1)))


def random_value(v: Expr, rows: int, cols: int, rng: Random, style: int) -> Matrix:
    """Random numbers with the structure that a variable is declared to have.

    A column has that of a row of a matrix.
    """
    entry, diagonal = (_of_few_values, Decimal(0)) if style == TIES else STYLES[style % len(STYLES)]
    a = [[entry(rng) for _ in range(cols)] for _ in range(rows)]
    if rows == cols > 1 and diagonal:
        a = plus(a, each(lambda x: x * diagonal, identity(rows)))
    for name, change in _ENTRIES.items():
        if name in v.properties:
            a = flip(change(flip(a), rng)) if v.shape_[1] == UNIT else change(a, rng)
    a = in_pattern(v, a)
    for name, shape in _SQUARES.items():
        if name in v.properties:
            a = shape(a)
    return a


def random_direction(v: Expr, rows: int, cols: int, rng: Random) -> Matrix:
    """A direction in which the variable may move; no entry is zero that may be another number."""
    entry = _uniform(0.5, 1.5)
    a = [[rng.choice((-1, 1)) * entry(rng) for _ in range(cols)] for _ in range(rows)]
    return in_pattern(v, a)


def in_pattern(v: Expr, a: Matrix) -> Matrix:
    """A matrix with the linear structure of a variable."""
    for name, pattern in mod.PATTERNS.items():
        if name in v.properties:
            a = pattern(a)
    return a


def _spd(a: Matrix) -> Matrix:
    """A·A' and something on the diagonal, of the size of the entries."""
    square = dot(a, flip(a))
    size = max(square[i][i] for i in range(len(a)))
    return plus(square, each(lambda x: x * size * Decimal("0.4"), identity(len(a))))


def _orthogonal(a: Matrix) -> Matrix:
    """Cayley's transform of the antisymmetric part."""
    unit, turn = identity(len(a)), minus(a, flip(a))
    return dot(minus(unit, turn), inverse(plus(unit, turn)))


def _on_simplex(row: list[Decimal]) -> list[Decimal]:
    positive = [abs(x) + Decimal("0.1") for x in row]
    total = sum(positive)
    return [x / total for x in positive]


def _one_hot(row: list[Decimal], rng: Random) -> list[Decimal]:
    at = rng.randrange(len(row))
    return [Decimal(int(j == at)) for j in range(len(row))]


def _sign(x: Decimal) -> Decimal:
    return Decimal(1 if x > 0 else -1)


def _fraction(x: Decimal) -> Decimal:
    """A number between 0 and 1, away from both."""
    return Decimal("0.1") + Decimal("0.8") / (1 + abs(x))


# in this order where several are declared; where all entries are drawn of one sign, those of two
# values are alike
_ENTRIES: Mapping[str, Callable[[Matrix, Random], Matrix]] = {
    "positive": lambda a, rng: each(lambda x: abs(x) + Decimal("0.01"), a),
    "unit": lambda a, rng: each(_fraction, a),
    "pm1": lambda a, rng: each(_sign, a),
    "mask": lambda a, rng: each(lambda x: max(_sign(x), Decimal(0)), a),
    "simplex": lambda a, rng: list(map(_on_simplex, a)),
    "onehot": lambda a, rng: [_one_hot(row, rng) for row in a],
}
_SQUARES: Mapping[str, Callable[[Matrix], Matrix]] = {"spd": _spd, "orthogonal": _orthogonal}
