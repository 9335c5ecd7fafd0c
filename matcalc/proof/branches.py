"""Where functions go over to another branch, so that what holds at some points need not hold
beyond.

sqrt(a^2) is a where a > 0 and -a elsewhere, without a kink of the root in between: its argument
touches zero. Roots, logarithms and arcs are of one branch where nothing has a pole and the
arguments of roots and logarithms are positive throughout.
"""

from __future__ import annotations

from collections.abc import Collection

from ..codegen.plan.proven import positive
from ..expr import Expr
from ..expr.powers import is_whole

LOGARITHMS = {"log", "lgamma", "digamma", "polygamma"}  # of positive numbers
ARCS = {"arctan", "arcsinh"}  # of all numbers
# whose domain ends where none can be seen to stay inside
BOUNDED = {"log1p", "arcsin", "arccos", "arccosh", "arctanh"}
BRANCHED = LOGARITHMS | ARCS | BOUNDED
WITH_POLES = {"inv", "pinv", "tan", "powm", "logdet"}


def has_branches(nodes: Collection[Expr]) -> bool:
    """Whether a root, a logarithm or an arc among the nodes may be of several branches."""
    heads = {n.head for n in nodes}
    powers = [n.args[0] for n in nodes if n.head == "pow" and not _is_natural(n.args[1])]
    logs = [n.args[-1] for n in nodes if n.head in LOGARITHMS]
    if all(map(positive, powers + logs)) and not heads & WITH_POLES:
        return bool(heads & BOUNDED)
    roots = any(n.head == "pow" and not is_whole(n.args[1]) for n in nodes)
    return roots or bool(heads & BRANCHED)


def _is_natural(e: Expr) -> bool:
    return e.head == "num" and e.value.denominator == 1 and e.value >= 0
