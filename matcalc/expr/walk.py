"""The one walk over shared graphs, of expressions, of the steps of a plan and of SymPy's trees
alike.
"""

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
    done: dict[Node, None] = {}
    stack: list[tuple[Node, bool]] = [(r, False) for r in reversed(roots)]
    while stack:
        node, ready = stack.pop()
        if node in done or (skip is not None and skip(node)):
            continue
        below = () if ready else arguments(node)
        if below:
            stack.append((node, True))
            stack += [(a, False) for a in reversed(below) if a not in done]
        else:
            done[node] = None
    spend(len(done) // WALK)
    return list(done)
