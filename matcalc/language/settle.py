"""Replace unknown sizes by the values that unification has given them."""

from __future__ import annotations

from collections.abc import Iterator

from .. import expr as ex
from ..expr import Expr
from ..expr.parts import Range, check_fits
from ..expr.sizes import Size, Sum, Unknown, base_atoms, resolve


def name_unknowns(size: Size, names: Iterator[str]) -> None:
    """Give the unknowns in a size the length that they must have, or else a name."""
    for atom in base_atoms(resolve(size)):
        if isinstance(atom, Unknown):
            atom.value = atom.preferred() or (next(names),)


def settle(e: Expr) -> Expr:
    """Rebuild an expression with every unknown size replaced by the one that is bound to it."""
    return ex.substitute(e, settled_leaf, skip=is_settled)


def is_settled(e: Expr) -> bool:
    """Say if no size in an expression is unknown."""
    return not e.has_unknown_sizes


def settled_leaf(e: Expr) -> Expr:
    """A leaf with its unknown sizes replaced; raises ShapeProblem for a part that is outside."""
    rows, cols = resolve(e.shape_[0]), resolve(e.shape_[1])
    if e.head == "var":
        return ex.var(e.name, (rows, cols), e.properties)
    if e.head == "size":
        return ex.size_number(resolve((e.atom,)))
    if e.head == "part" and isinstance(e.data, Sum):
        start = e.data.resolved()
        check_fits(rows, Range(start, cols))
        return ex.part(rows, start, cols)
    if e.head == "ones":
        return ex.ones((rows, cols))
    if e.head == "zeros":
        return ex.zeros((rows, cols))
    return ex.eye(rows)
