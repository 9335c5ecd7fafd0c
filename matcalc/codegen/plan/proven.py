"""What can be proved of an expression from its form: symmetric, positive definite, nonnegative."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from ... import expr as ex
from ...expr import ONE, Expr, split
from ...tables.functions import ROWS
from ...tables.properties import names_of

POSITIVE = names_of(lambda row: row.positive)
NONNEGATIVE = names_of(lambda row: row.nonnegative)
DEFINITE = names_of(lambda row: row.definite)
# the functions whose values are so
POSITIVE_FUNCTIONS = frozenset(row.name for row in ROWS if row.positive)
NONNEGATIVE_FUNCTIONS = frozenset(row.name for row in ROWS if row.bounds[0] >= 0)
UP_TO_ONE = frozenset(row.name for row in ROWS if row.bounds[1] <= 1)
# sums of products of entries, without signs; a diagonal matrix has zeros beside
SUMS = frozenset({"T", "matmul"}) | {
    row.name for row in ROWS if row.structural and not row.signature.endswith("->ii")
}


def symmetric(e: Expr) -> bool:
    """Whether a square matrix equals its transpose."""
    return ex.transpose(e) is e or definite(e) > 0


def positive(e: Expr) -> bool:
    """Whether every entry is above zero."""
    if e.head == "num":
        return e.value > 0
    if e.head == "times":
        return all(map(positive, e.args))
    if e.head == "pow":
        return positive(e.args[0])
    if e.head == "add":
        return all(map(nonnegative, e.args)) and any(map(positive, e.args))
    if e.head in SUMS:
        return all(map(positive, e.args))
    return (
        e.head in ("size", "ones", "pi")
        or e.head in POSITIVE_FUNCTIONS
        or bool(POSITIVE.intersection(e.properties))
    )


def nonnegative(e: Expr) -> bool:
    """Whether no entry is below zero."""
    if positive(e) or e.head in NONNEGATIVE_FUNCTIONS or NONNEGATIVE.intersection(e.properties):
        return True
    if e.head == "pow":
        return _is_nonnegative_power(e)
    if e.head == "times":
        return all(map(nonnegative, e.args))
    return e.head == "add" and (all(map(nonnegative, e.args)) or _complement(e))


def _is_nonnegative_power(e: Expr) -> bool:
    """An even power, or a positive one of what is not below zero."""
    base, exponent = e.args
    if exponent.head != "num" or exponent.value <= 0:
        return False
    is_even = exponent.value.denominator == 1 and exponent.value % 2 == 0
    return is_even or nonnegative(base)


def _complement(e: Expr) -> bool:
    """One minus something that is not above 1."""
    terms = [split(a) for a in e.args]
    if len(terms) != 2 or (Fraction(1), ONE) not in terms:
        return False
    return any(k == -1 and core.head in UP_TO_ONE for k, core in terms)


def definite(e: Expr) -> int:
    """2 for a matrix that is symmetric and positive definite, 1 for one that is so or singular,
    0 where nothing is known.
    """
    if DEFINITE.intersection(e.properties) or e.head == "eye":
        return 2
    return _DEFINITE[e.head](e) if e.head in _DEFINITE else 0


def _definite_sum(e: Expr) -> int:
    terms = [definite(a) for a in e.args]
    return max(terms) if all(terms) else 0


def _definite_multiple(e: Expr) -> int:
    """A definite matrix times numbers that are not below zero."""
    *scalars, matrix = e.args
    if not all(a.is_scalar for a in scalars):
        return 0
    if all(map(positive, scalars)):
        return definite(matrix)
    return int(definite(matrix) > 0 and all(map(nonnegative, scalars)))


def _sandwich(e: Expr) -> int:
    """Y'*Y and Y'*S*Y."""
    chain = e.args
    half = len(chain) // 2
    mirrored = all(
        ex.transpose(a) is b for a, b in zip(chain[:half], reversed(chain), strict=False)
    )
    return int(mirrored and (len(chain) % 2 == 0 or definite(chain[half]) > 0))


_DEFINITE: dict[str, Callable[[Expr], int]] = {
    "add": _definite_sum,
    "times": _definite_multiple,
    "diag": lambda e: 2 if positive(e.args[0]) else int(nonnegative(e.args[0])),
    "inv": lambda e: definite(e.args[0]),
    "matmul": _sandwich,
}
