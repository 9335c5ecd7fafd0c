"""What can be proved of an expression from its form: symmetric, positive definite, nonnegative."""

from __future__ import annotations

from fractions import Fraction

from ... import expr as ex
from ...expr import ONE, Expr, split
from ...tables.properties import names_of

POSITIVE = names_of(lambda row: row.positive)
NONNEGATIVE = names_of(lambda row: row.nonnegative)
DEFINITE = names_of(lambda row: row.definite)
POSITIVE_FUNCTIONS = frozenset(
    {
        "exp",
        "sigmoid",
        "softplus",
        "softmax",
        "softmax_rows",
        "cosh",
        "erfc",
        "erfcx",
        "exp_below",
        "sech2",
    }
)
SUMS = frozenset({"T", "kron", "matmul", "sum", "vec"})  # of products of entries, without signs
NONNEGATIVE_FUNCTIONS = frozenset({"abs", "relu", "step", "norm2", "norm1"}) | POSITIVE_FUNCTIONS


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
        k = e.args[1]
        return (
            k.head == "num"
            and k.value > 0
            and (nonnegative(e.args[0]) or (k.value.denominator == 1 and k.value % 2 == 0))
        )
    if e.head == "times":
        return all(map(nonnegative, e.args))
    return e.head == "add" and (all(map(nonnegative, e.args)) or _complement(e))


def _complement(e: Expr) -> bool:
    """One minus something that is between 0 and 1."""
    terms = [split(a) for a in e.args]
    return (
        len(terms) == 2
        and (Fraction(1), ONE) in terms
        and any(k == -1 and c.head in ("sigmoid", "softmax", "step") for k, c in terms)
    )


def definite(e: Expr) -> int:
    """2 for a matrix that is symmetric and positive definite, 1 for one that is so or singular,
    0 where nothing is known.
    """
    if DEFINITE.intersection(e.properties) or e.head == "eye":
        return 2
    if e.head == "add":
        found = [definite(a) for a in e.args]
        return max(found) if all(found) else 0
    if e.head == "times" and all(a.is_scalar for a in e.args[:-1]):
        return (
            definite(e.args[-1])
            if all(map(positive, e.args[:-1]))
            else bool(definite(e.args[-1])) and all(map(nonnegative, e.args[:-1]))
        )
    if e.head == "diag":
        return 2 if positive(e.args[0]) else int(nonnegative(e.args[0]))
    if e.head == "inv":
        return definite(e.args[0])
    return _sandwich(e) if e.head == "matmul" else 0


def _sandwich(e: Expr) -> int:
    """Y'*Y and Y'*S*Y."""
    chain = e.args
    half = len(chain) // 2
    mirrored = all(
        ex.transpose(a) is b for a, b in zip(chain[:half], reversed(chain), strict=False)
    )
    return int(mirrored and (len(chain) % 2 == 0 or definite(chain[half]) > 0))
