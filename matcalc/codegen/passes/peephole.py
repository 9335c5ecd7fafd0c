"""Peephole pass over a finished plan, which sees all of its steps at once.

Inverses that are there anyway replace repeated solves; softmax and logsumexp of the same argument
share their exponentials.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set

from ...tables.functions import ROWS
from ..plan.steps import Step, Steps, reachable

# functions that share their exponentials with another, and the function of a target that gives both
PAIRS = {row.name: row.normalizer for row in ROWS if row.normalizer}
BOTH = {name: f"{name.removesuffix('_rows')}_{other}" for name, other in PAIRS.items()}
FIRST_OF = {other: name for name, other in PAIRS.items()}


def shortened(
    steps: Steps, roots: Sequence[Step], inverted: Set[Step] = frozenset()
) -> tuple[Step, ...]:
    """The same results by fewer steps.

    A factor that is ``inverted``, or whose inverse is there anyway, multiplies instead of solving.
    """
    order = reachable(roots)
    inverted = inverted | {s.args[0] for s in order if s.op == "inverse"}
    paired = _paired(order)
    new: dict[Step, Step] = {}
    for s in order:
        args = tuple(new[a] for a in s.args)
        if s.op == "solve" and s.args[0] in inverted:
            new[s] = _multiplied(steps, s, args)
        elif s.op == "fn" and (s.data, s.args) in paired:
            new[s] = _half_of_pair(steps, s, args)
        else:
            new[s] = rebuilt(steps, s, args)
    return tuple(new[r] for r in roots)


def _paired(order: Iterable[Step]) -> set[tuple[str, tuple[Step, ...]]]:
    """The names and arguments of softmax and logsumexp where there are both."""
    calls = {(s.data, s.args) for s in order if s.op == "fn"}
    paired = set[tuple[str, tuple[Step, ...]]]()
    for name, args in calls:
        partner = (PAIRS.get(name, ""), args)
        if partner in calls:
            paired |= {(name, args), partner}
    return paired


def solved_twice(order: Sequence[Step]) -> set[Step]:
    """The Cholesky factors that are solved more than once with as many columns as rows.

    By LAPACK an inverse costs a third of such a solve.
    """
    solves = Counter(s.args[0] for s in order if s.op == "solve" and _is_square(s))
    return {factor for factor, times in solves.items() if times > 1 and factor.data == "chol"}


def _is_square(s: Step) -> bool:
    return len(s.axes) == 2 and s.axes[0] == s.axes[1]


def copied(steps: Steps, roots: Sequence[Step], new: Mapping[Step, Step]) -> tuple[Step, ...]:
    """The same results made by ``steps``, with ``new`` in place of some of the old ones."""
    new = dict(new)
    for s in reachable(roots):
        if s in new:
            continue
        if s.args:
            new[s] = rebuilt(steps, s, tuple(new[a] for a in s.args))
        else:
            new[s] = steps.make(s.op, data=s.data, axes=s.axes)
    return tuple(new[r] for r in roots)


def rebuilt(steps: Steps, s: Step, args: tuple[Step, ...]) -> Step:
    """The same operation on other arguments."""
    if args == s.args:
        return s
    if s.op == "T":
        return steps.transpose(args[0])
    if s.op == "dot":
        return steps.dot(*args)
    return steps.make(s.op, *args, data=s.data, axes=s.axes)


def _multiplied(steps: Steps, s: Step, args: tuple[Step, ...]) -> Step:
    """A solve as a product with the inverse; by a transpose, in the order that needs no copy."""
    factor, b = args
    inverse = steps.make("inverse", factor, axes=factor.axes)
    if s.data:
        inverse = steps.transpose(inverse)
    if b.op == "T":
        return steps.transpose(steps.dot(b.args[0], steps.transpose(inverse)))
    return steps.dot(inverse, b)


def _half_of_pair(steps: Steps, s: Step, args: tuple[Step, ...]) -> Step:
    """One result of the function that computes softmax and logsumexp together."""
    first = FIRST_OF.get(s.data, s.data)
    pair = steps.make("fn", *args, data=BOTH[first], axes=args[0].axes)
    return steps.make("item", pair, data=int(s.data != first), axes=s.axes)
