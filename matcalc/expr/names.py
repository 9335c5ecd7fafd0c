"""The names in expressions: of variables, of sizes and of places."""

from __future__ import annotations

from collections.abc import Collection

from .nodes import Expr, sizes_of
from .parts import range_of
from .sizes import Size, names_of_sizes


def names_of(nodes: Collection[Expr]) -> set[str]:
    """The names in nodes: of variables, of sizes, and of places."""
    variables = {e.name for e in nodes if e.head == "var"}
    starts: list[Size] = [(range_of(e).start,) for e in nodes if e.head == "part"]
    return variables | names_of_sizes([*sizes_of(nodes), *starts])


def written_names(nodes: Collection[Expr]) -> set[str]:
    """The names that stand in the text of nodes: those of variables, and sizes only where they
    are written.
    """
    variables = {e.name for e in nodes if e.head == "var"}
    numbers: list[Size] = [(e.atom,) for e in nodes if e.head == "size"]
    shapes = [size for e in nodes if not e.args and e.head != "var" for size in e.shape_]
    starts: list[Size] = [(range_of(e).start,) for e in nodes if e.head == "part"]
    return variables | names_of_sizes([*numbers, *shapes, *starts])
