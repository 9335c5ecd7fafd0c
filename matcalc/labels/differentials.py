"""The differential of one operation, in labels: the factor of the chain rule."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
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
    """One link of the chain rule, by which the argument changes the result.

    An entry of the result changes by ``coefficient · factors · d argument[labels]``.
    """

    coefficient: Fraction
    factors: tuple[Factor, ...]
    argument: Expr
    labels: Labels


def cut(terms: Iterable[Term], targets: Container[Expr]) -> Iterator[Link]:
    """Theorem A: the derivative of a product by one occurrence is the product without it.

    The labels of the occurrence are those of the derivative.
    """
    for t in terms:
        occurrences = [k for k, f in enumerate(t.factors) if f.expr in targets]
        if len(occurrences) * len(t.factors) > MAX_CUT:
            raise LimitProblem(
                f"a derivative of {len(occurrences)} terms of {len(t.factors)} factors each",
                f"the limit is {MAX_CUT} factors in all",
            )
        for k in occurrences:
            others = t.factors[:k] + t.factors[k + 1 :]
            yield Link(t.coefficient, others, t.factors[k].expr, t.factors[k].labels)


def links(e: Expr, out: Labels, targets: Container[Expr]) -> Iterable[Link] | None:
    """The differential of one operation by those of its arguments that are ``targets``.

    None if the table has no proven rule for it. A function may have links to other arguments, too.
    """
    terms = meaning(e, out)
    if terms is not None:
        return cut(terms, targets)
    if e.head == "pow":
        return _power_links(e, out)
    row = BY_NAME.get(e.head)
    if row is None:
        return ()
    if row.derivative:
        names = row.named(e.args)
        slopes = [template(text, names) for text in (row.derivative, row.second) if text]
        return _entry_links(slopes, e, out)
    return _rule_links(row, e, out) if row.rule else None


def _power_links(e: Expr, out: Labels) -> list[Link]:
    """d a^b = b·a^(b-1) da + log(a)·a^b db."""
    base, exponent = e.args
    slope = ex.times(exponent, ex.pow_(base, ex.add(exponent, ex.MINUS_ONE)))
    growth = ex.times(ex.call("log", base), e)
    return _entry_links((slope, growth), e, out)


def _entry_links(slopes: Iterable[Expr], e: Expr, out: Labels) -> list[Link]:
    """A function of entries, by its slopes; a scalar among arrays has no labels."""
    by_entry: list[Link] = []
    for slope, argument in zip(slopes, e.args, strict=True):
        factor = Factor(slope, () if slope.is_scalar else out)
        labels = () if argument.is_scalar else out
        by_entry.append(Link(Fraction(1), (factor,), argument, labels))
    return by_entry


def _rule_links(row: Row, e: Expr, out: Labels) -> Iterator[Link]:
    """The terms of a rule, each as one link by the argument whose differential it holds."""
    names = dict(zip("xw", e.args, strict=False)) | {"y": e}
    for t in terms_of(row.rule):
        letters = Letters(row, e, out)
        factors: list[Factor] = []
        change: Factor | None = None
        for f in t.factors:
            if f.text in DIFFERENTIALS:
                argument = names[f.text[1]]
                change = Factor(argument, letters.of(f.letters, argument.shape_))
            elif f.text == ONES:
                factors += letters.ones(f.letters)
            else:
                value = template(f.text, names)
                factors.append(Factor(value, letters.of(f.letters, value.shape_)))
        assert change is not None, row.rule
        rest = term(Fraction(t.sign), [*factors, *letters.wires])
        yield Link(rest.coefficient, rest.factors, change.expr, change.labels)
