"""The bag that an expression is: products, sums, traces and the like in labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

from ..expr import Expr
from ..expr.sizes import UNIT
from ..tables.functions import BY_NAME
from .bag import (
    Factor,
    Labels,
    Term,
    fresh,
    is_one,
    is_wire,
    one,
    rows_and_columns,
    term,
    wire,
    with_ones,
)
from .notation import labelled

LARGE = 60  # nodes beyond which a factor is not opened, so that bags of deep networks stay small


def meaning(e: Expr, out: Labels) -> list[Term] | None:
    """The bag that ``e`` is with these labels, None where labels do not say it all.

    They do not for a variable, and for a function without a definition in labels.
    """
    in_labels = _MEANINGS.get(e.head)
    if in_labels is not None:
        return in_labels(e, out)
    row = BY_NAME.get(e.head)
    if row is None or not row.define:
        return None
    return [term(f.coefficient, f.factors) for f in labelled(row, row.define, e, out)]


def _number(e: Expr, _: Labels) -> list[Term]:
    return [Term(e.value, ())]


def _zeros(_: Expr, __: Labels) -> list[Term]:
    return []


def _ones(_: Expr, out: Labels) -> list[Term]:
    return [Term(Fraction(1), tuple(map(one, out)))]


def _identity(e: Expr, out: Labels) -> list[Term]:
    return [Term(Fraction(1), tuple(map(wire, *rows_and_columns(e, out))))]


def _transpose(e: Expr, out: Labels) -> list[Term]:
    rows, cols = rows_and_columns(e, out)
    return [term(Fraction(1), [Factor(e.args[0], cols + rows)])]


def _entrywise(e: Expr, out: Labels) -> list[Term]:
    return [term(Fraction(1), [Factor(a, () if a.is_scalar else out) for a in e.args])]


def _matrix_product(e: Expr, out: Labels) -> list[Term]:
    left, cols = rows_and_columns(e, out)
    *others, last = e.args
    factors: list[Factor] = []
    for a in others:
        right = fresh((a.shape_[1], UNIT))
        factors.append(Factor(a, left + right))
        left = right
    return [term(Fraction(1), [*factors, Factor(last, left + cols)])]


def _sum(e: Expr, out: Labels) -> list[Term]:
    rows, cols = rows_and_columns(e, out)
    return [_summand(a, rows, cols) for a in e.args]


_MEANINGS: dict[str, Callable[[Expr, Labels], list[Term]]] = {
    "num": _number,
    "zeros": _zeros,
    "ones": _ones,
    "eye": _identity,
    "T": _transpose,
    "times": _entrywise,
    "matmul": _matrix_product,
    "add": _sum,
}


def _summand(a: Expr, rows: Labels, cols: Labels) -> Term:
    """A term of a sum, with ones along the axes over which it is repeated."""
    own = (rows if a.shape_[0] else ()) + (cols if a.shape_[1] else ())
    return term(Fraction(1), with_ones([Factor(a, own)], rows + cols))


def opened(factors: Iterable[Factor], limit: int = LARGE) -> Term:
    """Replace products, transposes and the like by the bags they are, as deep as they go.

    Sums stay whole, and so does a factor with more than ``limit`` nodes; that may cost beauty,
    never correctness.
    """
    coefficient = Fraction(1)
    whole: list[Factor] = []
    stack = list(factors)[::-1]
    while stack:
        f = stack.pop()
        terms = None if _stays_whole(f, limit) else meaning(f.expr, f.labels)
        if terms is None:
            whole.append(f)
        elif not terms:
            return Term(Fraction(0), ())
        else:
            coefficient *= terms[0].coefficient
            stack += reversed(terms[0].factors)
    return term(coefficient, whole)


def _stays_whole(f: Factor, limit: int) -> bool:
    e = f.expr
    if e.head == "add" or (e.count > limit and e.head != "T"):
        return True
    # the factors with labels that all others are made of
    return (is_one(f) and len(f.labels) == 1) or (is_wire(f) and len(f.labels) == 2)
