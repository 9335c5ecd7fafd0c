"""Roots: expressions and index forms, the two things that are derived and compiled."""

from __future__ import annotations

from collections.abc import Callable

from .. import expr as ex
from ..expr import Expr
from ..expr.sizes import Shape, Size, shape_of, show_axes
from ..language import user_functions
from .index_form import IndexForm, Sizes

Root = Expr | IndexForm


def shape_as_matrix(root: Root) -> Shape | None:
    """The shape with two axes, or None for what has more, as an array has."""
    if isinstance(root, Expr):
        return None if ex.is_array(root) else root.shape_
    return shape_of(root.axes) if len(root.axes) <= 2 else None


def sizes_of_axes(root: Root) -> Sizes:
    """The sizes of the axes: two of a matrix, as many as there are of what has more."""
    matrix = shape_as_matrix(root)
    if matrix is not None:
        return matrix
    return root.axes if isinstance(root, IndexForm) else ex.own_axes(root)


def shape_text(root: Root) -> str:
    """The shape as a reader writes it: ``m×n``, ``n``, ``m×n×p``."""
    return ex.shape_text(root) if isinstance(root, Expr) else show_axes(root.axes)


def parts(*roots: Root) -> tuple[Expr, ...]:
    """The expressions that are evaluated: an index form's factors, or the expression itself."""
    evaluated: list[Expr] = []
    for root in roots:
        evaluated += (root,) if isinstance(root, Expr) else root.factors
    return tuple(evaluated)


def form_sizes(*roots: Root) -> list[Size]:
    """The sizes of the axes of index forms, which no factor need have."""
    return [size for root in roots if isinstance(root, IndexForm) for size in root.axes]


def replaced(root: Root, leaf: Callable[[Expr], Expr]) -> Root:
    """The expression or index form with its leaves replaced."""
    if isinstance(root, Expr):
        return ex.substitute(root, leaf)
    return root.with_factors(lambda f: ex.substitute(f, leaf))


def written_out(root: Root) -> Root:
    """The root with every function that a user added replaced by its meaning."""
    if isinstance(root, Expr):
        return user_functions.written_out(root)
    return root.with_factors(user_functions.written_out)
