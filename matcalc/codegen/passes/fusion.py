"""Fusion: steps that read a matrix by rows, work on entries, and come back to the same rows.

``X'*g(X*w)``, ``g(X*w)*w'`` and sums of functions of ``X*w`` need each row of X once: the entry of
X*w is known when the row has been read, and the row is still in the cache when it is needed again.
A fusion is the set of such steps for one X and one w. ``X'*v`` beside ``X*w`` needs nothing by
entries: NumPy does it by blocks of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
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
    """Steps that become one function of ``inputs``; ``outputs`` are needed outside."""

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
    order = reachable(roots)
    columns = _columns(order)
    fused, taken = list[Fusion](), set[Step]()
    for seed in order:
        if not _is_seed(seed) or seed in taken:
            continue
        fusion = _fusion(seed, order, roots, entrywise, columns.get(seed.args[0], ()))
        if fusion is None or taken.intersection(fusion.outputs + fusion.rows):
            continue
        if _can_follow(roots, [*fused, fusion]):
            fused.append(fusion)
            taken.update(fusion.outputs + fusion.rows)
    return fused


def _is_seed(s: Step) -> bool:
    """Whether a step is X*w for an argument X."""
    return s.op == "dot" and len(s.axes) == 1 and s.args[0].op == "arg"


def _columns(order: Iterable[Step]) -> dict[Step, list[Step]]:
    """The products X'*v of each matrix X."""
    columns: dict[Step, list[Step]] = {}
    for s in order:
        if s.op == "dot" and len(s.axes) == 1 and s.args[0].op == "T":
            columns.setdefault(s.args[0].args[0], []).append(s)
    return columns


def _fusion(
    seed: Step,
    order: Sequence[Step],
    roots: Sequence[Step],
    entrywise: Callable[[str], bool],
    columns: Sequence[Step],
) -> Fusion | None:
    """The fusion that begins with X*w, if its entries come back to the rows of X.

    ``columns`` are the products X'*v of the same matrix.
    """
    rows = _rows(seed, order, entrywise)
    if not _come_back(rows, order, columns):
        return None
    outputs = _outputs(seed, rows, order, roots)
    if not any(s.op == "outer" or _by_columns(s, seed) for s in outputs):
        return None
    steps = (*rows, *outputs)
    inputs = _inputs(seed, steps, rows)
    if any(not set(steps).isdisjoint(reachable([a])) for a in inputs):
        return None  # it would wait for itself
    return Fusion(tuple(outputs), tuple(inputs), seed, tuple(rows))


def _rows(seed: Step, order: Iterable[Step], entrywise: Callable[[str], bool]) -> dict[Step, None]:
    """The entries of X*w, and the steps that work on them entry by entry."""
    rows = {seed: None}
    for s in order:
        if s.axes == seed.axes and _reads(s, rows) and _by_entries(s, seed, entrywise):
            rows[s] = None
    return rows


def _reads(s: Step, steps: Collection[Step]) -> bool:
    return any(a in steps for a in s.args)


def _come_back(rows: Collection[Step], order: Iterable[Step], columns: Iterable[Step]) -> bool:
    """Whether entries e of the rows meet X' again, or a vector in e*v'."""
    meet_columns = any(s.args[1] in rows for s in columns)
    return meet_columns or any(s.op == "outer" and s.args[0] in rows for s in order)


def _outputs(
    seed: Step, rows: Collection[Step], order: Iterable[Step], roots: Collection[Step]
) -> list[Step]:
    """The results of a fusion: entries that are needed elsewhere, then sums over the rows."""
    users = [s for s in order if s not in rows and _reads(s, rows)]
    sums = [s for s in users if _is_output(s, seed, rows)]
    others = set(users).difference(sums)
    kept = [s for s in rows if s in roots or any(s in user.args for user in others)]
    return [*kept, *sums]


def _inputs(seed: Step, steps: Iterable[Step], rows: Collection[Step]) -> list[Step]:
    """What a fusion reads from outside; X' is X, and numbers are written where they are used."""
    inputs = dict[Step, None]()
    for a in (a for s in steps for a in s.args):
        is_transpose = a.op == "T" and a.args[0] is seed.args[0]
        if a not in rows and a.op != "num" and not is_transpose:
            inputs[a] = None
    return list(inputs)


def _can_follow(roots: Sequence[Step], fused: Sequence[Fusion]) -> bool:
    """Whether the fusions can run one after the other: none waits for itself through another."""
    fusion_of = {s: fusion for fusion in fused for s in fusion.outputs}
    waits: dict[Step | Fusion, set[Step | Fusion]] = {}
    for s in reachable(roots):
        fusion = fusion_of.get(s)
        needed = s.args if fusion is None else fusion.inputs
        waits.setdefault(fusion or s, set()).update(fusion_of.get(a, a) for a in needed)
    try:
        TopologicalSorter(waits).prepare()
    except CycleError:
        return False
    return True


def _by_entries(s: Step, seed: Step, entrywise: Callable[[str], bool]) -> bool:
    """Whether a step works entry by entry on numbers and arrays like X*w."""
    if any(a.axes not in ((), seed.axes) for a in s.args):
        return False
    if s.op != "fn":
        return s.op in WORK
    row = BY_NAME.get(s.data)
    return row is not None and row.elementwise and entrywise(s.data)


def _by_columns(s: Step, seed: Step) -> bool:
    """Whether a step is X'*v for the matrix of the seed."""
    if s.op != "dot" or len(s.axes) != 1:
        return False
    matrix = s.args[0]
    return matrix.op == "T" and matrix.args[0] is seed.args[0]


def _is_output(s: Step, seed: Step, rows: Collection[Step]) -> bool:
    """Whether a step is X'*e, e*v', the product of two vectors, or a sum."""
    if s.op == "dot" and len(s.axes) == 1:
        return _by_columns(s, seed) and s.args[1] in rows
    if s.op == "outer":
        return s.args[0] in rows and s.args[1] not in rows
    return s.is_scalar and (s.op == "dot" or (s.op == "sum" and s.data is None))


def both_ways(plan: Plan, kernel: tuple[str, str, str]) -> Plan:
    """A plan where X*u and X'*v, neither waiting for the other, are one function of X, u and v."""
    order = reachable(plan.roots)
    columns = _columns(order)
    pairs = [(s, columns[s.args[0]][0]) for s in order if _is_seed(s) and s.args[0] in columns]
    if len(pairs) > PAIRS:
        return plan
    fused, taken = list[Fusion](), set[Step]()
    for forward, backward in pairs:
        matrix, u = forward.args
        pair = Fusion((forward, backward), (matrix, u, backward.args[1]), forward, ())
        if taken.isdisjoint(pair.outputs) and _can_follow(plan.roots, [*fused, pair]):
            fused.append(pair)
            taken.update(pair.outputs)
    if not fused:
        return plan
    return replace(plan, roots=replaced(plan.roots, fused, lambda pair: kernel))


def replaced(
    roots: Sequence[Step], groups: Sequence[AnyGroup], kernel: Callable[[AnyGroup], tuple[str, ...]]
) -> tuple[Step, ...]:
    """The same results, with every group of steps as one.

    A kernel is its name, its function, and the call if that is no plain one.
    """
    steps = Steps()
    group_of = {s: group for group in groups for s in group.outputs}
    calls: dict[int, Step] = {}
    new: dict[Step, Step] = {}

    def needed(s: Step) -> tuple[Step, ...]:
        return group_of[s].inputs if s in group_of else s.args

    for s in arguments_first(roots, needed):
        group = group_of.get(s)
        if group is None:
            new[s] = rebuilt(steps, s, tuple(new[a] for a in s.args))
            continue
        if id(group) not in calls:
            inputs = [new[a] for a in group.inputs]
            axes = group.outputs[0].axes
            calls[id(group)] = steps.make("kernel", *inputs, data=kernel(group), axes=axes)
        call = calls[id(group)]
        if len(group.outputs) == 1:
            new[s] = call
        else:
            new[s] = steps.make("item", call, data=group.outputs.index(s), axes=s.axes)
    return tuple(new[r] for r in roots)
