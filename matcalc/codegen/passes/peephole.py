"""Peephole pass over a finished plan.

Inverses replace repeated solves; softmax and logsumexp share exponentials.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set

from ...tables.functions import ROWS
from ..plan.steps import Step, Steps, reachable

# functions that share their exponentials with another, and the function of a target that gives both
PAIRS = {row.name: row.normalizer for row in ROWS if row.normalizer}
BOTH = {name: f"{name.removesuffix('_rows')}_{other}" for name, other in PAIRS.items()}
FIRST_OF = {other: name for name, other in PAIRS.items()}


def shortened(
    steps: Steps, roots: Sequence[Step], inverted: Set[Step] = frozenset()
) -> tuple[Step, ...]:
    """The same results by fewer steps: the inverse of a factor that is ``inverted``, or that is
    there anyway, multiplies; softmax and logsumexp share their exponentials.
    """
    order = reachable(roots)
    inverted = inverted | {s.args[0] for s in order if s.op == "inverse"}
    calls = {(s.data, s.args) for s in order if s.op == "fn"}
    both = {args for name, args in calls for other in [PAIRS.get(name)] if (other, args) in calls}
    new: dict[Step, Step] = {}
    for s in order:
        args = tuple(new[a] for a in s.args)
        if s.op == "solve" and s.args[0] in inverted:
            new[s] = _multiplied(steps, s, args)
        elif s.op == "fn" and s.args in both and s.data in (*PAIRS, *PAIRS.values()):
            new[s] = _half_of_pair(steps, s, args)
        else:
            new[s] = rebuilt(steps, s, args)
    return tuple(new[r] for r in roots)


def solved_twice(order: Sequence[Step]) -> set[Step]:
    """The Cholesky factors that are solved more than once with as many columns as rows: by
    LAPACK an inverse costs a third of a solve.
    """
    solves = (s for s in order if s.op == "solve" and s.args[0].data == "chol")
    square = Counter(s.args[0] for s in solves if len(s.axes) == 2 and s.axes[0] == s.axes[1])
    return {factor for factor, times in square.items() if times > 1}


def copied(steps: Steps, roots: Sequence[Step], new: Mapping[Step, Step]) -> tuple[Step, ...]:
    """The same results of other steps, which ``new`` has in place of some."""
    new = dict(new)
    for s in reachable(roots):
        if s not in new:
            new[s] = (
                rebuilt(steps, s, tuple(new[a] for a in s.args))
                if s.args
                else steps.make(s.op, data=s.data, axes=s.axes)
            )
    return tuple(new[r] for r in roots)


def rebuilt(steps: Steps, s: Step, args: tuple[Step, ...]) -> Step:
    """The same operation on other arguments."""
    if args == s.args:
        return s
    again = _AGAIN.get(s.op)
    return (
        again(steps, args)
        if again is not None
        else steps.make(s.op, *args, data=s.data, axes=s.axes)
    )


_AGAIN: dict[str, Callable[[Steps, tuple[Step, ...]], Step]] = {
    "T": lambda steps, args: steps.transpose(args[0]),
    "dot": lambda steps, args: steps.dot(*args),
}


def _multiplied(steps: Steps, s: Step, args: tuple[Step, ...]) -> Step:
    factor, b = args
    inverse = steps.make("inverse", factor, axes=factor.axes)
    inverse = steps.transpose(inverse) if s.data else inverse
    return (
        steps.transpose(steps.dot(b.args[0], steps.transpose(inverse)))
        if b.op == "T"
        else steps.dot(inverse, b)
    )


def _half_of_pair(steps: Steps, s: Step, args: tuple[Step, ...]) -> Step:
    first = FIRST_OF.get(s.data, s.data)
    pair = steps.make("fn", *args, data=BOTH[first], axes=args[0].axes)
    return steps.make("item", pair, data=int(s.data != first), axes=s.axes)
