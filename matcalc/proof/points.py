"""Random values of variables in decimals, with what is declared of them.

Magnitudes, signs and orders vary from point to point.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, getcontext
from random import Random

from ..expr import Expr
from ..expr.sizes import UNIT
from ..tables.properties import BY_NAME, Property, properties_of
from .decimal_matrices import Matrix, each, identity, plus
from .decimals import DecimalPoint
from .dual import compiled_text
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
    for row in properties_of(v.properties):
        a = _with_property(row, v, a, rng)
    return a


def _with_property(row: Property, v: Expr, a: Matrix, rng: Random) -> Matrix:
    """Random numbers turned into a matrix that has a property."""
    if not row.values:
        text = row.random or row.projection
        return evaluated(text, a) if text else a
    if row.total is None:
        return each(lambda x: Decimal(row.values[x > 0]), a)
    is_column = v.shape_[1] == UNIT  # a matrix may have one column, and rows of one entry
    rows = [_one_of(row.total, len(entries), rng) for entries in (flip(a) if is_column else a)]
    return flip(rows) if is_column else rows


def _one_of(value: int, length: int, rng: Random) -> list[Decimal]:
    """Zeros, and one value at a random place."""
    hot = rng.randrange(length)
    return [Decimal(value * (j == hot)) for j in range(length)]


def random_direction(v: Expr, rows: int, cols: int, rng: Random) -> Matrix:
    """A direction in which the variable may move; no entry is zero that may be another number."""
    entry = _uniform(0.5, 1.5)
    a = [[rng.choice((-1, 1)) * entry(rng) for _ in range(cols)] for _ in range(rows)]
    return in_space(v, a)


def in_space(v: Expr, a: Matrix) -> Matrix:
    """The part of a matrix in the linear space that a variable is declared to be of."""
    for row in properties_of(v.properties):
        if row.space:
            a = evaluated(BY_NAME[row.space].projection, a)
    return a


def evaluated(text: str, a: Matrix) -> Matrix:
    """A text of the table of properties at a matrix x.

    >>> print(*evaluated("tril(x)", [[Decimal(1), Decimal(2)], [Decimal(3), Decimal(4)]])[0])
    1 0
    """
    rows, cols = len(a), len(a[0])
    shape = (("n",), ("n",)) if rows == cols else (("n",), ("m",))
    (x, *_), order = compiled_text(text, shape)
    return DecimalPoint({"n": rows, "m": cols}, {x: a}, getcontext().prec).evaluate(order)
