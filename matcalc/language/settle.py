"""Unknown sizes take the values that unification has found."""

from __future__ import annotations

from collections.abc import Iterator

from .. import expr as ex
from ..expr import Expr
from ..expr.parts import Range, check_fits
from ..expr.sizes import Size, Sum, Unknown, base_atoms, resolve


def name_unknowns(size: Size, names: Iterator[str]) -> None:
    for atom in base_atoms(resolve(size)):
        if isinstance(atom, Unknown):
            atom.value = atom.preferred() or (next(names),)


def settle(e: Expr) -> Expr:
    """Rebuild an expression with every unknown size replaced by what unification found."""
    return ex.substitute(e, settled_leaf, skip=is_settled)


def is_settled(node: Expr) -> bool:
    return not node.has_unknown_sizes


def settled_leaf(node: Expr) -> Expr:
    shape = (resolve(node.shape_[0]), resolve(node.shape_[1]))
    if node.head == "var":
        return ex.var(node.name, shape, node.properties)
    if node.head == "size":
        return ex.size_number(resolve((node.atom,)))
    if node.head == "part" and isinstance(node.data, Sum):
        start = node.data.resolved()
        check_fits(shape[0], Range(start, shape[1]))
        return ex.part(shape[0], start, shape[1])
    return {"ones": ex.ones(shape), "zeros": ex.zeros(shape)}.get(node.head) or ex.eye(shape[0])
