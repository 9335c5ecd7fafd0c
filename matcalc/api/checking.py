"""Verification of a derivation: each order against the one below it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import count

from .. import expr as ex
from ..calculus.conventions import turned, weighted
from ..calculus.derivative import moved_to
from ..expr import Expr
from ..expr.sizes import Shape
from ..labels.roots import Root, parts, replaced
from ..proof.verify import Verification, verify
from .derived import Derived


def _out_of_convention(d: Derived) -> Root:
    """The derivative that the answer stands for."""
    root = turned(d.result) if d.layout == "numerator" and d.kind == "gradient" else d.result
    return (
        weighted(root, d.wrt, times_derived(d), Fraction(1, 2))
        if d.symmetric == "elements"
        else root
    )


def times_derived(d: Derived) -> int:
    """The number of times that the axes of the variable are among those of the answer."""
    return d.order - (d.along is not None)


def verified(d: Derived, seed: int = 0) -> Verification:
    """Each order is checked against the one below it, the first against the expression."""
    free = d.moving_variable
    e: Root = moved_to(d.expr, d.wrt, free)
    for below in d.lower:
        found = verify(e, free, below, seed)
        if not found.ok:
            return found
        e = below
    e = moved_to(e, free, d.wrt)
    claim = d.result
    if d.along is not None and d.along.head != "var":
        return _verified_in_place(e, d.wrt, claim, d.along, seed)
    return verify(e, d.wrt, _out_of_convention(d), seed, along=d.along)


def _verified_in_place(e: Root, wrt: Expr, claim: Root, direction: Expr, seed: int) -> Verification:
    """At X + t·D for a direction D that is an expression, the derivative by t is the claim
    there.
    """
    names = {v.name for root in (e, claim) for v in ex.variables(*parts(root), wrt, direction)}
    t, _ = next(fresh_variables(names, [ex.ONE.shape_]))
    moved = ex.add(wrt, ex.times(ex.var(t), direction))
    at, claimed = (
        replaced(root, lambda leaf: moved if leaf is wrt else leaf) for root in (e, claim)
    )
    return verify(at, ex.var(t), claimed, seed)


def fresh_variables(taken: set[str], shapes: Iterable[Shape]) -> Iterator[tuple[str, Shape]]:
    names = (f"t{k}" for k in count() if f"t{k}" not in taken)
    return zip(names, shapes, strict=False)
