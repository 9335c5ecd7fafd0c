"""The index form of a bag: its terms reduced, simplified and collected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import partial

from .. import expr as ex
from ..budget import spend
from ..expr import Expr
from ..labels.bag import Bag, Factor, Label, Labels, Term, is_one, is_wire, joined_to, wire
from ..labels.index_form import IndexForm, Sizes
from .arrange import reduced
from .simplify import simplify


def index_form(
    bag: Bag, shapes: tuple[Sizes, ...], simple: Callable[[Expr], Expr] = simplify
) -> IndexForm:
    """The index form of a bag, its terms reduced, simplified and collected."""
    total: dict[tuple[object, ...], tuple[Fraction, tuple[Factor, ...]]] = {}
    for t in _polished_terms(bag, simple):
        spend(terms=1)
        t = _multiplied_vectors(Term(t.coefficient, _rewired(t.factors, bag.out)), simple)
        factors = _ordered(_mirrored(t.factors, bag.out), bag.out)
        key = _key(factors, bag.out)
        total[key] = (total.get(key, (Fraction(0), ()))[0] + t.coefficient, factors)
    terms = [Term(k, factors) for k, factors in total.values() if k]
    return IndexForm(Bag(bag.out, tuple(_added_on_diagonals(terms, bag.out, simple))), shapes)


def _multiplied_vectors(t: Term, simple: Callable[[Expr], Expr]) -> Term:
    """Vectors on one axis as one, since identities may have brought them together."""
    on: dict[Labels, list[Factor]] = {}
    for f in t.factors:
        if len(f.labels) == 1 and not is_one(f):
            on.setdefault(f.labels, []).append(f)
    coefficient, factors = t.coefficient, [f for f in t.factors if len(on.get(f.labels, ())) < 2]
    for labels, vectors in on.items():
        if len(vectors) > 1:
            k, product = ex.split(simple(ex.times(*(f.expr for f in vectors))))
            coefficient *= k
            factors.append(Factor(product, labels))
    return Term(coefficient, tuple(factors))


def _added_on_diagonals(
    terms: Iterable[Term], out: Labels, simple: Callable[[Expr], Expr]
) -> list[Term]:
    """Vectors beside the same identities added up: a[i]*I[i,j]*I[i,k] + b[i]*I[i,j]*I[i,k] is (a
    + b)[i]*I[i,j]*I[i,k].
    """
    sums: dict[tuple[object, ...], list[Term]] = {}
    for t in terms:
        sums.setdefault(_diagonal_key(t, out) or (t,), []).append(t)
    return [group[0] if len(group) == 1 else _sum_of(group, simple) for group in sums.values()]


def _diagonal_key(t: Term, out: Labels) -> tuple[object, ...] | None:
    """The key of terms that can be added: their outputs joined in the same way.

    None for other terms.
    """
    vectors = [f for f in t.factors if len(f.labels) == 1]
    wires = tuple(f.labels for f in t.factors if is_wire(f))
    if (
        not wires
        or len(vectors) != 1
        or 1 + len(wires) != len(out)
        or any(len(f.labels) > 1 and not is_wire(f) for f in t.factors)
    ):
        return None
    return (
        (vectors[0].labels, wires)
        if all(f.labels[0] is vectors[0].labels[0] for f in t.factors if f.labels)
        else None
    )


def _sum_of(terms: Iterable[Term], simple: Callable[[Expr], Expr]) -> Term:
    """Terms with a vector each beside the same identities as one."""
    parts: list[Expr] = []
    for t in terms:
        parts.append(
            ex.times(ex.num(t.coefficient), *(f.expr for f in t.factors if not is_wire(f)))
        )
        labelled = tuple(f for f in t.factors if f.labels)
    vector, *wires = labelled
    coefficient, total = ex.split(simple(ex.add(*parts)))
    return Term(coefficient, (Factor(total, vector.labels), *wires))


def _polished_terms(bag: Bag, simple: Callable[[Expr], Expr]) -> Iterator[Term]:
    """The terms reduced, with simple factors.

    Again where a factor has become an identity between summed labels.
    """
    for t in reduced(bag).terms:
        polished = _polished(t, simple)
        joins = any(is_wire(f) and not set(f.labels) <= set(bag.out) for f in polished.factors)
        yield from _polished_terms(Bag(bag.out, (polished,)), simple) if joins else (polished,)


def _polished(t: Term, simple: Callable[[Expr], Expr]) -> Term:
    """Simplify each factor, and the scalars together."""
    coefficient, scalar = ex.split(simple(ex.times(*(f.expr for f in t.factors if not f.labels))))
    factors: list[Factor] = [] if scalar is ex.ONE else [Factor(scalar, ())]
    coefficient *= t.coefficient
    for f in t.factors:
        if f.labels:
            k, core = ex.split(simple(f.expr))
            coefficient *= k
            if core.head == "diag" and len(f.labels) == 2:
                factors += (Factor(core.args[0], f.labels[:1]), wire(*f.labels))
                continue
            factors.append(
                Factor(core.args[0], f.labels[::-1])
                if core.head == "T" and len(f.labels) == 2
                else Factor(core, f.labels)
            )
    return Term(coefficient, tuple(factors))


def _rewired(factors: tuple[Factor, ...], out: Labels) -> tuple[Factor, ...]:
    """Identities between outputs all start at the first output that they join, and the other
    factors use that one.
    """
    first: dict[Label, Label] = {}
    root = partial(joined_to, first)
    for f in factors:
        if is_wire(f):
            a, b = sorted(map(root, f.labels), key=out.index)
            if a is not b:
                first[b] = a
    wires = [wire(root(i), i) for i in out if root(i) is not i]
    return (
        *(Factor(f.expr, tuple(map(root, f.labels))) for f in factors if not is_wire(f)),
        *wires,
    )


def _mirrored(factors: tuple[Factor, ...], out: Labels) -> tuple[Factor, ...]:
    """Symmetric factors with the earlier output first, so that like terms look alike."""
    place = {i: k for k, i in enumerate(out)}

    def turned(f: Factor) -> Factor:
        before, *after = [place.get(i, len(out)) for i in f.labels]
        return Factor(f.expr, f.labels[::-1]) if after and after[0] < before else f

    return tuple(turned(f) if _is_symmetric(f) else f for f in factors)


def _is_symmetric(f: Factor) -> bool:
    return len(f.labels) == 2 and not is_wire(f) and ex.transpose(f.expr) is f.expr


def _ordered(factors: tuple[Factor, ...], out: Labels) -> tuple[Factor, ...]:
    """Scalars first, identities last; equal expressions in the order of their outputs."""
    place = {i: k for k, i in enumerate(out)}

    def key(f: Factor) -> tuple[object, ...]:
        return (
            bool(f.labels),
            is_wire(f),
            () if is_wire(f) else f.expr.order,
            [place.get(i, len(out)) for i in f.labels],
        )

    return tuple(sorted(factors, key=key))


def _key(factors: tuple[Factor, ...], out: Labels) -> tuple[object, ...]:
    """Equal for terms that differ only in the names of their summed labels."""
    number: dict[Label, int] = {i: k for k, i in enumerate(out)}
    return tuple(
        (f.expr, tuple(number.setdefault(i, len(number)) for i in f.labels)) for f in factors
    )
