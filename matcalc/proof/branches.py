"""Where functions go over to another branch, so that what holds at some points need not hold
beyond.

sqrt(a^2) is a where a > 0 and -a elsewhere, without a kink of the root in between: its argument
touches zero. Roots, logarithms and arcs are of one branch where nothing has a pole and the
arguments of roots and logarithms are positive throughout.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ..codegen.plan.proven import positive
from ..expr import Expr
from ..expr.powers import is_whole
from ..tables.functions import BY_NAME, INFINITY, ROWS

EVERYWHERE, ABOVE_ZERO = (-INFINITY, INFINITY), (0, INFINITY)  # domains
BRANCHED = frozenset(row.name for row in ROWS if row.beyond == "branches")
WITH_POLES = frozenset(row.name for row in ROWS if row.beyond == "poles")
LOGARITHMS = frozenset(name for name in BRANCHED if BY_NAME[name].domain == ABOVE_ZERO)
# whose domain ends where no argument can be seen to stay inside
BOUNDED = frozenset(name for name in BRANCHED - LOGARITHMS if BY_NAME[name].domain != EVERYWHERE)


def has_branches(nodes: Collection[Expr]) -> bool:
    """Whether a root, a logarithm or an arc among the nodes may be of several branches."""
    heads = {n.head for n in nodes}
    if heads.isdisjoint(WITH_POLES) and all(map(positive, _branching_arguments(nodes))):
        return not heads.isdisjoint(BOUNDED)
    return not heads.isdisjoint(BRANCHED) or any(map(_is_root, nodes))


def _branching_arguments(nodes: Collection[Expr]) -> Iterator[Expr]:
    """The arguments of powers and logarithms, which are of one branch where these are positive."""
    for n in nodes:
        if n.head in LOGARITHMS:
            yield n.args[-1]
        elif n.head == "pow" and not _is_natural(n.args[1]):
            yield n.args[0]


def _is_root(e: Expr) -> bool:
    return e.head == "pow" and not is_whole(e.args[1])


def _is_natural(e: Expr) -> bool:
    return e.head == "num" and e.value.denominator == 1 and e.value >= 0
