"""Block by block of rows: what a large matrix is needed for is done while a block of its rows is in
fast memory.

``X'*(X*w - y)`` reads X twice, and ``(A - U*V')*V`` makes a matrix of the size of A; where every
step works on the rows one by one or adds them up, it can do so for some rows first. A pass is the
set of such steps for one axis; its results are sums over the rows, or have a row for each of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

from ...expr import var
from ...expr.sizes import Size, shape_of
from ...tables.functions import BY_NAME, EACH_ROW
from ..plan.planner import Plan
from ..plan.steps import Step, Steps, certain, is_gram, reachable
from ..write.dialect import Dialect
from ..write.source import Source
from ..write.writer import Writer, write
from .fusion import Group, replaced
from .peephole import BOTH, PAIRS, copied

# A step is without rows, has them, is a sum over them, is a product with such a sum, or is made of
# such sums in another way.
FREE, ROWS, TOTAL, LINEAR, AFTER = "free", "rows", "total", "linear", "after"
# functions of each row
SOFTMAX = frozenset(f for name in EACH_ROW & set(PAIRS) for f in (name, PAIRS[name], BOTH[name]))
NAME = "of_rows"
# entries of a matrix from which it pays: not to make others of as many rows, not to read it again
LEAST = {True: 2**19, False: 2**21}
SHORT = 512  # of what multiplies the sum of a block, where an order of a product does that
LONGEST = 500  # steps; longer functions are networks, whose products outweigh what reading costs


@dataclass(frozen=True)
class Pass(Group):
    """First come the outputs that are sums, and the inputs that are cut into blocks of rows."""

    sums: int
    cut: int
    wide: bool  # whether matrices with these rows are made on the way
    open: bool  # whether an order of a product multiplies the sum of each block


def by_blocks(plan: Plan, dialect: Dialect, name: str, several: bool) -> Source | None:
    """The source of a function that works by blocks of rows, where that saves reading a large
    matrix again or making one.
    """
    order = reachable(plan.roots)
    if not dialect.blocks or len(order) > LONGEST:
        return None
    if any(s.op == "factor" for s in order):
        # products beside a factor belong to LAPACK's library, and outweigh what reading costs
        return None
    matrices = [s for s in order if s.op == "arg" and len(s.axes) == 2]
    for size in dict.fromkeys(s.axes[0] for s in matrices):
        found = None if any(s.axes[1] == size for s in matrices) else _pass(order, plan.roots, size)
        if found is not None and dialect.kernels is not None and dialect.kernels(plan) is not plan:
            return None  # they go by rows themselves
        if found is not None:
            text = partial(
                _text, dialect=dialect, taken={s.data.name for s in order if s.op == "arg"}
            )
            changed = replace(plan, roots=replaced(plan.roots, [found], text))
            return replace(
                write(changed, dialect, name, several),
                least=(found.inputs[0].data.name, LEAST[found.wide]),
            )
    return None


# ---- which steps ---------------------------------------------------------------------------------


def _pass(order: Sequence[Step], roots: Sequence[Step], size: Size) -> Pass | None:
    """The pass over an axis, if there is one and it is worth it."""
    kinds: dict[Step, str] = {}
    for s in order:
        kind = _kind(s, kinds, size)
        if kind is None:
            return None
        kinds[s] = kind
    outputs, outside = _cut(roots, kinds)
    sums, kept = ([s for s in outputs if kinds[s] == kind] for kind in (TOTAL, ROWS))
    inside = [s for s in reachable(outputs) if kinds[s] != FREE]
    twice = any(s.fresh and s in outside for s in inside)
    reads = Counter(
        a
        for s in inside
        if s.op != "T"
        for a in {b.args[0] if b.op == "T" else b for b in s.args}
        if a.op == "arg" and kinds[a] == ROWS
    )
    wide = any(s.fresh and kinds[s] == ROWS and len(s.axes) == 2 and s not in kept for s in inside)
    again = any(times > 1 and len(a.axes) == 2 for a, times in reads.items())
    if twice or not (wide or again) or not all(_is_narrow(s, size, kinds) for s in kept):
        return None
    if any(s.op == "dot" and is_gram(s) for s in certain(outputs)):
        # as many products for each entry as there are columns outweigh what reading costs
        return None
    others = dict.fromkeys(b for s in inside for a in s.args if kinds[a] == FREE for b in _bare(a))
    rows = sorted(reads, key=lambda a: (-len(a.axes), -reads[a], a.data.name))
    return Pass(
        (*sums, *kept),
        (*rows, *others),
        len(sums),
        len(rows),
        wide,
        any(kinds[s] == LINEAR for s in inside),
    )


def _cut(roots: Sequence[Step], kinds: Mapping[Step, str]) -> tuple[list[Step], set[Step]]:
    """The results of a pass, and the steps outside it; views are made there."""
    stack, results, outside = list(reversed(roots)), dict[Step, None](), set[Step]()
    while stack:
        s = stack.pop()
        if kinds[s] in (ROWS, TOTAL) and s.op not in ("T", "col", "arg"):
            results[s] = None
        elif s not in outside:
            outside.add(s)
            stack += reversed(s.args)
    return list(results), outside


def _bare(a: Step) -> Iterator[Step]:
    """What a step without rows is a view of; numbers are written where they are used."""
    if a.op in ("T", "col"):
        yield from _bare(a.args[0])
    elif a.op != "num":
        yield a


def _is_narrow(s: Step, size: Size, kinds: Mapping[Step, str]) -> bool:
    """Whether it costs little to put the rows of a result together: a vector, or what comes of a
    product.
    """
    if len(s.axes) == 1:
        return True
    inner = [a for a in s.args if kinds[a] != FREE]
    if s.op in ("add", "mul") and len(inner) == 1:
        return s.axes[0] == size and _is_narrow(inner[0], size, kinds)
    return s.axes[0] == size and s.op == "dot"


# ---- what a step is to the rows ------------------------------------------------------------------


def _kind(s: Step, kinds: Mapping[Step, str], size: Size) -> str | None:
    """What a step is to the rows; nothing if it needs them in a way that no block can give."""
    known = {kinds[a] for a in s.args}
    if s.axes.count(size) > 1:
        return None
    if not known - {FREE}:
        return FREE if size not in s.axes else ROWS if s.op == "arg" and s.axes[0] == size else None
    if ROWS not in known:
        return None if size in s.axes else _of_sums(s, known)
    return _of_rows(s, size) if known <= {FREE, ROWS} else None


def _of_sums(s: Step, known: set[str]) -> str | None:
    """A step of sums; of several orders of a product all must give a sum."""
    if s.op == "choose":
        return TOTAL if known <= {TOTAL, LINEAR} else None
    return (
        LINEAR
        if (s.op == "dot" and known == {FREE, TOTAL}) or (s.op == "T" and known == {TOTAL})
        else AFTER
    )


def _of_rows(s: Step, size: Size) -> str | None:
    """A step of arguments with rows and others without."""
    # counted from the last axis, as arrays broadcast
    places = [len(a.axes) - a.axes.index(size) if size in a.axes else 0 for a in s.args]
    place = len(s.axes) - s.axes.index(size) if size in s.axes else 0
    ranks = [len(a.axes) for a in s.args]
    if s.op in ("T", "col", "item", "outer"):
        return ROWS
    if s.op in ("add", "mul", "pow", "choose") or (
        s.op == "fn" and s.data in BY_NAME and BY_NAME[s.data].elementwise
    ):
        return ROWS if place and set(places) <= {0, place} else None
    if s.op == "fn":
        return ROWS if s.data in SOFTMAX and places == [2] else None
    if s.op == "dot":
        if all(places):
            return TOTAL if places == [1, ranks[1]] else None
        return ROWS if places in ([2, 0], [0, 1]) and place else None
    if s.op in ("vdot", "vdott"):
        return TOTAL if all(places) and (places[0] == places[1]) == (s.op == "vdot") else None
    if s.op == "rowdot":
        return (
            None if not all(places) or places[0] != places[1] else ROWS if places[0] == 2 else TOTAL
        )
    if s.op == "sum":
        return TOTAL if s.data is None or s.data == ranks[0] - places[0] else ROWS
    return None


# ---- the text ------------------------------------------------------------------------------------


def _text(found: Pass, dialect: Dialect, taken: Collection[str]) -> tuple[str, str, str]:
    """The name and the function of a block, and the call for all rows.

    What is no variable has a name that no variable has.
    """
    steps, new = Steps(), dict[Step, Step]()
    names = (name for i in count(1) if (name := f"c{i}") not in taken)
    for a in found.inputs:
        new[a] = steps.make(
            "arg", data=a.data if a.op == "arg" else var(next(names), shape_of(a.axes)), axes=a.axes
        )
    writer = Writer(
        Plan(copied(steps, found.outputs, new), (), tuple(new[a].data for a in found.inputs)),
        dialect,
    )
    body = writer.body(several=False)
    parameters = ", ".join(writer.names[new[a].data] for a in found.inputs)
    text = "\n".join([f"def {NAME}({parameters}):", *body])
    slots = [f"{{{i}}}" for i in range(len(found.inputs))]
    cut, whole = _tuple(slots[: found.cut]), _tuple(slots[found.cut :])
    call = f"in_blocks({NAME}, {found.sums}, {cut}, {whole})"
    if found.open:
        short = (
            f"max({{{i}}}.shape) <= {SHORT}"
            for i, a in enumerate(found.inputs)
            if i >= found.cut and len(a.axes) == 2
        )
        call = f"({call} if {' and '.join(short)} else {NAME}({', '.join(slots)}))"
    return NAME, text, call


def _tuple(parts: Sequence[str]) -> str:
    return f"({', '.join(parts)}{',' * (len(parts) == 1)})"
