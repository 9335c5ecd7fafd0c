"""One pass over the data: which steps read a matrix by rows, work on entries, and come back to the
same rows.

``X'*g(X*w)``, ``g(X*w)*w'`` and sums of functions of ``X*w`` need each row of X once: the entry of
X*w is known when the row has been read, and the row is still in the cache when it is needed again.
A fusion is the set of such steps for one X and one w. ``X'*v`` beside ``X*w`` needs nothing by
entries: NumPy does it by blocks of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

from ...expr.walk import arguments_first
from ...tables.functions import BY_NAME
from ..plan.planner import Plan
from ..plan.steps import Step, Steps, reachable
from .peephole import rebuilt

WORK = frozenset({"add", "mul", "pow"})
# beyond this it is a deep network, where each product depends on the last and none are paired
PAIRS = 8


@dataclass(frozen=True)
class Group:
    """Steps that become one function: ``outputs``, what is needed outside, of ``inputs``."""

    outputs: tuple[Step, ...]
    inputs: tuple[Step, ...]


AnyGroup = TypeVar("AnyGroup", bound=Group)


@dataclass(frozen=True)
class Fusion(Group):
    """Steps that one pass computes, ``rows`` entry by entry."""

    seed: Step  # X*w
    rows: tuple[Step, ...]

    @property
    def data(self) -> Step:
        return self.seed.args[0]


def fusions(roots: Sequence[Step], entrywise: Callable[[str], bool]) -> list[Fusion]:
    """The fusions of a plan; no step is in two of them."""
    order, found, taken = reachable(roots), list[Fusion](), set[Step]()
    columns = _columns(order)
    for seed in order:
        if (
            seed.op == "dot"
            and len(seed.axes) == 1
            and seed.args[0].op == "arg"
            and seed not in taken
        ):
            fusion = _fusion(seed, order, roots, entrywise, columns.get(seed.args[0], ()))
            if (
                fusion is not None
                and not taken.intersection(fusion.outputs + fusion.rows)
                and _can_follow(roots, [*found, fusion])
            ):
                found.append(fusion)
                taken.update(fusion.outputs + fusion.rows)
    return found


def _columns(order: Iterable[Step]) -> dict[Step, list[Step]]:
    """The products X'*v of each matrix X."""
    found: dict[Step, list[Step]] = {}
    for s in order:
        if s.op == "dot" and len(s.axes) == 1 and s.args[0].op == "T":
            found.setdefault(s.args[0].args[0], []).append(s)
    return found


def _fusion(
    seed: Step,
    order: Sequence[Step],
    roots: Sequence[Step],
    entrywise: Callable[[str], bool],
    columns: Sequence[Step],
) -> Fusion | None:
    rows = {seed: None}
    for s in order:
        if (
            s.axes == seed.axes
            and any(a in rows for a in s.args)
            and _by_entries(s, seed, entrywise)
        ):
            rows[s] = None
    if not any(s.args[1] in rows for s in columns) and not any(
        s.op == "outer" and s.args[0] in rows for s in order
    ):
        return None
    users = [s for s in order if s not in rows and any(a in rows for a in s.args)]
    kept = [
        s
        for s in rows
        if s in roots or any(s in u.args for u in users if not _is_output(u, seed, rows))
    ]
    outputs = [*kept, *(s for s in users if _is_output(s, seed, rows))]
    if not any(s.op == "outer" or _by_columns(s, seed) for s in outputs):
        return None
    taken = (a for s in (*rows, *outputs) for a in s.args if a not in rows and a.op != "num")
    inputs = dict.fromkeys(a for a in taken if not (a.op == "T" and a.args[0] is seed.args[0]))
    inside = {*rows, *outputs}
    if any(inside.intersection(reachable([a])) for a in inputs):
        return None
    return Fusion(tuple(outputs), tuple(inputs), seed, tuple(rows))


def _can_follow(roots: Sequence[Step], found: Sequence[Fusion]) -> bool:
    """Whether the fusions can run one after the other: none waits for itself through another."""
    whole = {s: fusion for fusion in found for s in fusion.outputs}
    waits: dict[Step | Fusion, set[Step | Fusion]] = {}
    for s in reachable(roots):
        node = whole.get(s, s)
        waits.setdefault(node, set()).update(
            whole.get(a, a) for a in (node.inputs if isinstance(node, Fusion) else s.args)
        )
    try:
        TopologicalSorter(waits).prepare()
    except CycleError:
        return False
    return True


def _by_entries(s: Step, seed: Step, entrywise: Callable[[str], bool]) -> bool:
    fits = all(a.axes in ((), seed.axes) for a in s.args)
    return fits and (
        s.op in WORK
        or (
            s.op == "fn"
            and BY_NAME.get(s.data) is not None
            and BY_NAME[s.data].elementwise
            and entrywise(s.data)
        )
    )


def _by_columns(s: Step, seed: Step) -> bool:
    """X'*v for the matrix of the seed."""
    return (
        s.op == "dot"
        and len(s.axes) == 1
        and s.args[0].op == "T"
        and s.args[0].args[0] is seed.args[0]
    )


def _is_output(s: Step, seed: Step, rows: Iterable[Step]) -> bool:
    """X'*e, e*v', the product of two vectors, or a sum."""
    if s.op == "dot" and len(s.axes) == 1:
        return _by_columns(s, seed) and s.args[1] in rows
    if s.op == "outer":
        return s.args[0] in rows and s.args[1] not in rows
    return s.is_scalar and (s.op == "dot" or (s.op == "sum" and s.data is None))


def both_ways(plan: Plan, kernel: tuple[str, str, str]) -> Plan:
    """A plan where X*u and X'*v, neither waiting for the other, are one step: a function of X, u
    and v.
    """
    order, found = reachable(plan.roots), list[Fusion]()
    seeds = [s for s in order if s.op == "dot" and len(s.axes) == 1 and s.args[0].op == "arg"]
    columns = _columns(order)
    pairs = [(s, columns[s.args[0]][0]) for s in seeds if s.args[0] in columns]
    for a, b in pairs if len(pairs) <= PAIRS else ():
        pair = Fusion((a, b), (a.args[0], a.args[1], b.args[1]), a, ())
        if not any({a, b} & set(other.outputs) for other in found) and _can_follow(
            plan.roots, [*found, pair]
        ):
            found.append(pair)
    if not found:
        return plan
    return replace(plan, roots=replaced(plan.roots, found, lambda pair: kernel))


def replaced(
    roots: Sequence[Step], found: Sequence[AnyGroup], kernel: Callable[[AnyGroup], tuple[str, ...]]
) -> tuple[Step, ...]:
    """The same results, with every group of steps as one: its name, its function, and the call
    if it is no plain one.
    """
    steps = Steps()
    whole = {s: group for group in found for s in group.outputs}
    made: dict[int, Step] = {}
    new: dict[Step, Step] = {}
    for s in arguments_first(roots, lambda s: whole[s].inputs if s in whole else s.args):
        group = whole.get(s)
        if group is None:
            new[s] = rebuilt(steps, s, tuple(new[a] for a in s.args))
            continue
        call = made.get(id(group))
        if call is None:
            call = made[id(group)] = steps.make(
                "kernel",
                *(new[a] for a in group.inputs),
                data=kernel(group),
                axes=group.outputs[0].axes,
            )
        several = len(group.outputs) > 1
        new[s] = (
            steps.make("item", call, data=group.outputs.index(s), axes=s.axes) if several else call
        )
    return tuple(new[r] for r in roots)
