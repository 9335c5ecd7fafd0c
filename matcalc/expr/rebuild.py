"""The same operations on other arguments: rebuilding, and substitution of leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..tables.functions import BY_NAME
from .calls import call
from .nodes import Expr, postorder
from .normal import add, matmul, pow_, spread, times, transpose


def rebuild(e: Expr, args: tuple[Expr, ...]) -> Expr:
    """The same operation on other arguments, in normal form."""
    if e.head == "add":
        total = add(*args)
        if e.shape_ == total.shape_ or e.has_unknown_sizes:
            return total
        return spread(total, e.shape_)
    if e.head in _BUILD:
        return _BUILD[e.head](*args)
    return call(e.head, *args, trusted=True) if e.head in BY_NAME else e


_BUILD: dict[str, Callable[..., Expr]] = {
    "times": times,
    "matmul": matmul,
    "T": transpose,
    "pow": pow_,
}


def substitute(
    e: Expr, leaf: Callable[[Expr], Expr], skip: Callable[[Expr], bool] | None = None
) -> Expr:
    """Replace every leaf and rebuild what stands above it.

    Nodes for which ``skip`` holds stay as they are.
    """
    return substitute_all((e,), leaf, skip)[e]


def substitute_all(
    roots: Iterable[Expr], leaf: Callable[[Expr], Expr], skip: Callable[[Expr], bool] | None = None
) -> dict[Expr, Expr]:
    """Several expressions at once, with the parts that they share rebuilt once."""
    roots = list(roots)
    new: dict[Expr, Expr] = {}
    for e in postorder(*roots, skip=skip):
        if e.args:
            new[e] = rebuild(e, tuple(new.get(a, a) for a in e.args))
        else:
            new[e] = leaf(e)
    return {e: new.get(e, e) for e in roots}
