"""The bag that an expression is: products, sums, traces and the like in labels."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from ..expr import Expr
from ..expr.sizes import UNIT
from ..tables.functions import BY_NAME
from .bag import Factor, Labels, Term, fresh, is_one, is_wire, one, rows_and_columns, term, wire
from .notation import labelled


def meaning(e: Expr, out: Labels) -> list[Term] | None:
    """The bag that an entry of ``e`` is, or None if ``e`` is not made of labels alone (a
    variable, a function).
    """
    rows, cols = rows_and_columns(e, out)
    if e.head == "num":
        return [Term(e.value, ())]
    if e.head == "zeros":
        return []
    if e.head == "ones":
        return [Term(Fraction(1), tuple(map(one, out)))]
    if e.head == "eye":
        return [Term(Fraction(1), tuple(map(wire, rows, cols)))]
    if e.head == "T":
        return [term(Fraction(1), [Factor(e.args[0], cols + rows)])]
    if e.head == "times":
        return [term(Fraction(1), [Factor(a, () if a.is_scalar else out) for a in e.args])]
    if e.head == "matmul":
        return [term(Fraction(1), _chain(e, rows, cols))]
    if e.head == "add":
        return [_summand(a, e, rows, cols) for a in e.args]
    row = BY_NAME.get(e.head)
    if row is None or not row.define:
        return None
    return [term(f.coefficient, f.factors) for f in labelled(row, row.define, e, out)]


def _chain(e: Expr, rows: Labels, cols: Labels) -> list[Factor]:
    factors, left = [], rows
    for i, a in enumerate(e.args):
        right = cols if i == len(e.args) - 1 else fresh((a.shape_[1], UNIT))
        factors.append(Factor(a, left + right))
        left = right
    return factors


def _summand(a: Expr, e: Expr, rows: Labels, cols: Labels) -> Term:
    """A term of a sum, with ones along the axes over which it is repeated."""
    own = (rows if a.shape_[0] else ()) + (cols if a.shape_[1] else ())
    missing = [i for i in rows + cols if i not in own]
    return term(Fraction(1), [Factor(a, own), *map(one, missing)])


def opened(factors: Iterable[Factor], limit: int = 60) -> Term:
    """Replace products, transposes and the like by the bags they are, as deep as they go.

    Sums stay whole.

    A factor with more than ``limit`` nodes stays whole too, so that the bag of a deep network stays
    small; that may cost beauty, never correctness.
    """
    coefficient, out = Fraction(1), list[Factor]()
    queue = list(reversed(list(factors)))
    while queue:
        f = queue.pop()
        shut = (
            f.expr.head == "add"
            or (f.expr.count > limit and f.expr.head != "T")
            or (is_one(f) and len(f.labels) == 1)
        )
        terms = None if shut or (is_wire(f) and len(f.labels) == 2) else meaning(f.expr, f.labels)
        if terms is None:
            out.append(f)
        elif not terms:
            return Term(Fraction(0), ())
        else:
            coefficient *= terms[0].coefficient
            queue += reversed(terms[0].factors)
    return term(coefficient, out)
