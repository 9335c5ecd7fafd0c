"""The names in expressions: of variables, of sizes and of indices."""

from __future__ import annotations

from collections.abc import Collection

from .nodes import Expr, sizes_of
from .parts import range_of
from .sizes import Size, names_of_sizes


def names_of(nodes: Collection[Expr]) -> set[str]:
    """The names in nodes: of variables, of sizes, and of indices."""
    return _names_of_variables(nodes) | names_of_sizes([*sizes_of(nodes), *_starts(nodes)])


def written_names(nodes: Collection[Expr]) -> set[str]:
    """The names in the text of nodes: of variables, of indices, and of sizes that are written."""
    numbers: list[Size] = [(e.atom,) for e in nodes if e.head == "size"]
    leaves = [e for e in nodes if not e.args and e.head != "var"]
    shapes = [size for e in leaves for size in e.shape_]
    return _names_of_variables(nodes) | names_of_sizes([*numbers, *shapes, *_starts(nodes)])


def _names_of_variables(nodes: Collection[Expr]) -> set[str]:
    return {e.name for e in nodes if e.head == "var"}


def _starts(nodes: Collection[Expr]) -> list[Size]:
    """The sizes after which parts begin."""
    return [(range_of(e).start,) for e in nodes if e.head == "part"]
