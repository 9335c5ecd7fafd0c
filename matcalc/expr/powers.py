"""Whole powers of square matrices."""

from __future__ import annotations

from collections.abc import Iterable

from ..tables.functions import ROWS
from .nodes import MINUS_ONE, ONE, Expr, num, postorder
from .normal import times, transpose
from .sizes import base_atoms

# the functions whose last argument is an exponent
POWERS = tuple(row.name for row in ROWS if row.signature.partition("->")[0].endswith(",11"))


def is_whole(e: Expr) -> bool:
    """Say if an expression is a whole number for all lengths of the names in it."""
    if e.head == "pow":
        base, exponent = e.args
        return is_whole(base) and _is_whole_number(exponent) and exponent.value > 0
    if e.head in ("add", "times"):
        return all(map(is_whole, e.args))
    return e.head == "size" or _is_whole_number(e)


def _is_whole_number(e: Expr) -> bool:
    return e.head == "num" and e.value.denominator == 1


def base_and_exponent(e: Expr) -> tuple[Expr, Expr]:
    """A matrix as a power of another: X^k, also transposed, inv(X), X*X, or its own first power."""
    if e.head == "powm":
        return e.args[0], e.args[1]
    if e.head == "T" and e.args[0].head == "powm":
        return transpose(e.args[0].args[0]), e.args[0].args[1]
    if e.head == "matmul" and len(set(e.args)) == 1:
        base, k = base_and_exponent(e.args[0])
        return base, times(num(len(e.args)), k)
    if e.head == "inv":
        base, k = base_and_exponent(e.args[0])
        return base, times(MINUS_ONE, k)
    return e, ONE


def names_in(exponent: Expr) -> set[str]:
    """The names of whole numbers in an exponent."""
    return {e.data for e in postorder(exponent) if e.head == "size" and type(e.data) is str}


def exponents_of(nodes: Iterable[Expr]) -> set[str]:
    """The names of whole numbers that matrices are raised to, and that are no axis' length."""
    nodes = list(nodes)
    exponents = {name for e in nodes if e.head in POWERS for name in names_in(e.args[-1])}
    if not exponents:
        return exponents
    return exponents - {a for e in nodes for size in e.shape_ for a in base_atoms(size)}
