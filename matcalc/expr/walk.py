"""The one walk over shared graphs: of expressions, of steps of a plan and of SymPy's trees."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from ..budget import spend

WALK = 8  # nodes that are passed in the time of one step

Node = TypeVar("Node", bound=Hashable)


def arguments_first(
    roots: Sequence[Node],
    arguments: Callable[[Node], Sequence[Node]],
    skip: Callable[[Node], bool] | None = None,
) -> list[Node]:
    """Every node once, its arguments before it; no recursion, whatever the depth.

    Nodes for which ``skip`` holds are left out, and so is what only they use.

    >>> arguments_first(["ab"], lambda word: tuple(word) if len(word) > 1 else ())
    ['a', 'b', 'ab']
    """
    passed: dict[Node, None] = {}  # in order
    stack: list[tuple[Node, bool]] = [(root, False) for root in reversed(roots)]
    while stack:
        node, arguments_passed = stack.pop()
        if node in passed or (skip is not None and skip(node)):
            continue
        below = () if arguments_passed else arguments(node)
        if below:
            stack.append((node, True))
            stack += [(a, False) for a in reversed(below) if a not in passed]
        else:
            passed[node] = None
    spend(len(passed) // WALK)
    return list(passed)
