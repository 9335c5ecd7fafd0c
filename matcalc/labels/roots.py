"""Roots: what is derived or compiled, an expression or an index form, looked at as one kind of
thing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

from .. import expr as ex
from ..expr import Expr
from ..expr.sizes import Atom, Shape, Size, length, shape_of, show_axes
from ..language import user_functions as extend
from .index_form import IndexForm, Sizes

Root = Expr | IndexForm  # what a derivative is, and what is evaluated


def shape_as_matrix(root: Root) -> Shape | None:
    """The shape with two axes, or None for what has more, as an array has."""
    if isinstance(root, Expr):
        return None if ex.is_array(root) else root.shape_
    return shape_of(root.axes) if len(root.axes) <= 2 else None


def sizes_of_axes(root: Root) -> Sizes:
    """The sizes of the axes: two of a matrix, as many as there are of what has more."""
    return shape_as_matrix(root) or (
        root.axes if isinstance(root, IndexForm) else ex.own_axes(root)
    )


def shape_text(root: Root) -> str:
    """The shape as a reader writes it: ``m×n``, ``n``, ``m×n×p``."""
    return ex.shape_text(root) if isinstance(root, Expr) else show_axes(root.axes)


def parts(*roots: Root) -> tuple[Expr, ...]:
    """The expressions that are evaluated: an index form's factors, or the expression itself."""
    return tuple(
        part for root in roots for part in ((root,) if isinstance(root, Expr) else root.factors)
    )


def form_sizes(*roots: Root) -> list[Size]:
    """The sizes of the axes of index forms, which no factor need have."""
    return [size for root in roots if isinstance(root, IndexForm) for size in root.axes]


def replaced(root: Root, leaf: Callable[[Expr], Expr]) -> Root:
    """The expression or index form with its leaves replaced."""
    return (
        ex.substitute(root, leaf)
        if isinstance(root, Expr)
        else root.with_factors(lambda f: ex.substitute(f, leaf))
    )


def entries_of(root: Root, lengths: Mapping[Atom, int]) -> int:
    """The number of entries of the array of an index form."""
    return prod(length(size, lengths) for size in form_sizes(root))


def written_out(root: Root) -> Root:
    """The expression or index form with every function that a user added replaced by its
    meaning.
    """
    return (
        extend.written_out(root)
        if isinstance(root, Expr)
        else root.with_factors(extend.written_out)
    )
