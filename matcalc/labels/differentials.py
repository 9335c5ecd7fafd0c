"""The differential of one operation, in labels: what the chain rule multiplies by."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from fractions import Fraction

from .. import expr as ex
from ..errors import LimitProblem
from ..expr import Expr
from ..language.elaborate import template
from ..language.labelled_text import DIFFERENTIALS, ONES, terms_of
from ..tables.functions import BY_NAME, Row
from .bag import Factor, Labels, Term, term
from .meaning import meaning
from .notation import Letters

MAX_CUT = 5_000  # occurrences times factors of one product


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain rule: an entry of the result changes by ``coefficient · factors · d
    argument[labels]``.
    """

    coefficient: Fraction
    factors: tuple[Factor, ...]
    argument: Expr
    labels: Labels


def cut(terms: Iterable[Term], wanted: Container[Expr]) -> Iterable[Link]:
    """Theorem A: the derivative of a product by one occurrence is the product without it, its
    labels exposed.
    """
    for t in terms:
        places = [k for k, f in enumerate(t.factors) if f.expr in wanted]
        if len(places) * len(t.factors) > MAX_CUT:
            raise LimitProblem(
                f"a derivative of {len(places)} terms of {len(t.factors)} factors each",
                f"the limit is {MAX_CUT} factors in all",
            )
        for k in places:
            yield Link(
                t.coefficient,
                t.factors[:k] + t.factors[k + 1 :],
                t.factors[k].expr,
                t.factors[k].labels,
            )


def links(e: Expr, out: Labels, wanted: Container[Expr]) -> Iterable[Link] | None:
    """The differential of one operation by its ``wanted`` arguments, in labels, or None if the
    table has no proven rule for it.
    """
    terms = meaning(e, out)
    if terms is not None:
        return cut(terms, wanted)
    if e.head == "pow":
        return _power_links(e, out)
    row = BY_NAME.get(e.head)
    if row is None:
        return ()
    if row.derivative:
        names = dict(zip("xw", e.args, strict=False))
        return _entry_links(
            [template(text, names) for text in (row.derivative, row.second) if text], e, out
        )
    if not row.rule:
        return None
    return _rule_links(row, e, out)


def _power_links(e: Expr, out: Labels) -> list[Link]:
    """d a^b = b·a^(b-1) da + log(a)·a^b db."""
    base, exponent = e.args
    slope = ex.times(exponent, ex.pow_(base, ex.add(exponent, ex.MINUS_ONE)))
    growth = ex.times(ex.call("log", base), e)
    return _entry_links((slope, growth), e, out)


def _entry_links(slopes: Iterable[Expr], e: Expr, out: Labels) -> list[Link]:
    """A function of entries, by its slopes; a scalar among arrays has no labels."""
    return [
        Link(Fraction(1), (Factor(f, () if f.is_scalar else out),), a, () if a.is_scalar else out)
        for f, a in zip(slopes, e.args, strict=True)
    ]


def _rule_links(row: Row, e: Expr, out: Labels) -> Iterable[Link]:
    """The terms of a rule, each as one link by the argument whose differential it holds."""
    names = dict(zip("xw", e.args, strict=False)) | {"y": e}
    for t in terms_of(row.rule):
        letters = Letters(row, e, out)
        factors: list[Factor] = []
        struck: Link | None = None
        for f in t.factors:
            if f.text in DIFFERENTIALS:
                argument = names[f.text[1]]
                struck = Link(Fraction(1), (), argument, letters.of(f.letters, argument.shape_))
            elif f.text == ONES:
                factors += letters.ones(f.letters)
            else:
                value = template(f.text, names)
                factors.append(Factor(value, letters.of(f.letters, value.shape_)))
        assert struck is not None, row.rule
        rest = term(Fraction(t.sign), [*factors, *letters.wires])
        yield Link(rest.coefficient, rest.factors, struck.argument, struck.labels)
