"""Block by block of rows: what a large matrix is needed for is done while a block of its rows is in fast memory.

``X'*(X*w - y)`` reads X twice, and ``(A - U*V')*V`` makes a matrix of the size of A; where every step works on the rows one by one
or adds them up, it can do so for some rows first. A pass is the set of such steps for one axis; its results are sums over the rows,
or have a row for each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..expr import var
from ..functions import BY_NAME
from ..sizes import Size, shape_of
from .dialect import Dialect
from .fuse import Group, replaced
from .plan import Plan
from .settle import rebuilt
from .source import Source
from .steps import Step, Steps, is_gram, reachable
from .write import Writer, write

FREE, ROWS, TOTAL, AFTER = "free", "rows", "total", "after"  # without rows, with them, a sum over them, made of such sums
SOFTMAX = frozenset({"softmax_rows", "logsumexp_rows", "softmax_logsumexp_rows"})  # functions of each row
NAME = "of_rows"
LEAST = {True: 2**19, False: 2**21}  # entries of a matrix from which it pays: not to make others of as many rows, not to read it again
IN_BLOCKS = (
    "# of the library of products\n"
    "THREADS = next((int(n) for v in ('OPENBLAS', 'MKL', 'OMP') if (n := environ.get(f'{v}_NUM_THREADS', '')).isdigit()), cpu_count())\n\n\n"
    "def in_blocks(f, sums, rows, others):\n"
    "    # some rows at a time, in fast memory from the first product to the last; the first results are added up, the others have rows\n"
    "    m, width = len(rows[0]), max(n for x in (*(x[0] for x in rows), *others) for n in np.shape(x))\n"
    "    step = max(1, 2**17*THREADS//width)\n"
    "    if m < 4*step or not all(x.flags.c_contiguous for x in rows):\n        return f(*rows, *others)\n"
    "    totals, kept = None, []\n"
    "    for i in range(0, m, step):\n        parts = f(*(x[i : i + step] for x in rows), *others)\n"
    "        parts = parts if isinstance(parts, tuple) else (parts,)\n"
    "        totals = parts[:sums] if totals is None else [iadd(a, b) for a, b in zip(totals, parts)]\n"
    "        kept.append(parts[sums:])\n"
    "    results = (*totals, *map(np.concatenate, zip(*kept)))\n    return results if len(results) > 1 else results[0]"
)


@dataclass(frozen=True)
class Pass(Group):
    """First come the outputs that are sums, and the inputs that are cut into blocks of rows."""

    sums: int
    cut: int
    wide: bool  # whether matrices with these rows are made on the way


def by_blocks(plan: Plan, dialect: Dialect, name: str, several: bool) -> Source | None:
    """The source of a function that works by blocks of rows, where that saves reading a large matrix again or making one."""
    order = reachable(plan.roots)
    if not dialect.blocks or (dialect.kernels is not None and dialect.kernels(plan) is not plan):
        return None
    if any(s.op == "factor" for s in order):
        return None  # products beside a factor belong to LAPACK's library, and outweigh what reading costs
    for size in dict.fromkeys(s.axes[0] for s in order if s.op == "arg" and len(s.axes) == 2):
        found = _pass(order, plan.roots, size)
        if found is not None:
            changed = replace(plan, roots=replaced(plan.roots, [found], lambda one: _text(one, dialect)))
            return replace(write(changed, dialect, name, several), least=(found.inputs[0].data.name, LEAST[found.wide]))
    return None


# ---- which steps --------------------------------------------------------------------------------------------------------------


def _pass(order: Sequence[Step], roots: Sequence[Step], size: Size) -> Pass | None:
    """The pass over an axis, if there is one and it is worth it."""
    kinds: dict[Step, str] = {}
    for s in order:
        kind = _kind(s, kinds, size)
        if kind is None:
            return None
        kinds[s] = kind
    outputs, outside = _cut(roots, kinds)
    kept = [s for s in outputs if kinds[s] == ROWS]
    inside = [s for s in reachable(outputs) if kinds[s] != FREE]
    twice = any(s.fresh and s in outside for s in inside)
    reads = {a: sum(not {a, *_transposes(a, inside)}.isdisjoint(s.args) for s in inside if s.op != "T") for a in inside if a.op == "arg"}
    wide = any(s.fresh and kinds[s] == ROWS and len(s.axes) == 2 and s not in kept for s in inside)
    again = any(count > 1 and len(a.axes) == 2 for a, count in reads.items())
    if twice or not (wide or again) or not all(_is_narrow(s, size, kinds) for s in kept):
        return None
    if any(s.op == "dot" and is_gram(s) for s in inside):
        return None  # as many products for each entry as there are columns outweigh what reading costs
    others = dict.fromkeys(b for s in inside for a in s.args if kinds[a] == FREE for b in _bare(a))
    rows = sorted(reads, key=lambda a: (-len(a.axes), -reads[a]))
    sums = [s for s in outputs if s not in kept]
    return Pass((*sums, *kept), (*rows, *others), len(sums), len(rows), wide)


def _cut(roots: Sequence[Step], kinds: Mapping[Step, str]) -> tuple[list[Step], set[Step]]:
    """The results of a pass, and the steps outside it.

    Where only the sizes decide for an order of a product, the pass is for what is needed in any case; if that is nothing, for the
    first order.
    """

    def belongs(s: Step) -> bool:
        return kinds[s] in (ROWS, TOTAL) and s.op not in ("T", "col", "arg")  # views are made outside

    def opened(s: Step, count: int) -> tuple[Step, ...]:
        return s.args[:count] if s.op == "choose" else s.args

    outputs, _ = _walk(roots, belongs, lambda s: opened(s, 0))
    if outputs:
        return outputs, _walk(roots, set(outputs).__contains__, lambda s: s.args)[1]
    return _walk(roots, belongs, lambda s: opened(s, 1))


def _walk(roots: Sequence[Step], stops: Callable[[Step], bool], args: Callable[[Step], Sequence[Step]]) -> tuple[list[Step], set[Step]]:
    """Where a walk from the roots stops, and what it passes."""
    stack, ends, passed = list(reversed(roots)), dict[Step, None](), set[Step]()
    while stack:
        s = stack.pop()
        if stops(s):
            ends[s] = None
        elif s not in passed:
            passed.add(s)
            stack += reversed(args(s))
    return list(ends), passed


def _transposes(a: Step, steps: Sequence[Step]) -> list[Step]:
    return [s for s in steps if s.op == "T" and s.args[0] is a]


def _bare(a: Step) -> Iterator[Step]:
    """What a step without rows is a view of; numbers are written where they are used."""
    if a.op in ("T", "col"):
        yield from _bare(a.args[0])
    elif a.op != "num":
        yield a


def _is_narrow(s: Step, size: Size, kinds: Mapping[Step, str]) -> bool:
    """Whether it costs little to put the rows of a result together: a vector, or what comes of a product."""
    if len(s.axes) == 1:
        return True
    inner = [a for a in s.args if kinds[a] != FREE]
    if s.op in ("add", "mul") and len(inner) == 1:
        return s.axes[0] == size and _is_narrow(inner[0], size, kinds)
    return s.axes[0] == size and s.op == "dot"


# ---- what a step is to the rows -----------------------------------------------------------------------------------------------


def _kind(s: Step, kinds: Mapping[Step, str], size: Size) -> str | None:
    """What a step is to the rows; nothing if it needs them in a way that no block can give."""
    known = {kinds[a] for a in s.args}
    if s.axes.count(size) > 1:
        return None
    if not known - {FREE}:
        return FREE if size not in s.axes else ROWS if s.op == "arg" and s.axes[0] == size else None
    if ROWS not in known:
        return None if size in s.axes else TOTAL if s.op == "choose" and known == {TOTAL} else AFTER
    return _of_rows(s, size) if known <= {FREE, ROWS} else None


def _of_rows(s: Step, size: Size) -> str | None:
    """A step of arguments with rows and others without."""
    places = [len(a.axes) - a.axes.index(size) if size in a.axes else 0 for a in s.args]  # counted from the last axis, as arrays broadcast
    place = len(s.axes) - s.axes.index(size) if size in s.axes else 0
    ranks = [len(a.axes) for a in s.args]
    if s.op in ("T", "col", "item", "outer"):
        return ROWS
    if s.op in ("add", "mul", "pow", "choose") or (s.op == "fn" and s.data in BY_NAME and BY_NAME[s.data].elementwise):
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
        return None if not all(places) or places[0] != places[1] else ROWS if places[0] == 2 else TOTAL
    if s.op == "sum":
        return TOTAL if s.data is None or s.data == ranks[0] - places[0] else ROWS
    return None


# ---- the text -----------------------------------------------------------------------------------------------------------------


def _text(found: Pass, dialect: Dialect) -> tuple[str, str, str]:
    """The name and the function of a block, and the call for all rows."""
    steps, new = Steps(), dict[Step, Step]()
    for i, a in enumerate(found.inputs, 1):
        new[a] = steps.make("arg", data=a.data if a.op == "arg" else var(f"c{i}", shape_of(a.axes)), axes=a.axes)
    for s in reachable(found.outputs):
        if s not in new:
            new[s] = rebuilt(steps, s, tuple(new[a] for a in s.args)) if s.args else steps.make(s.op, data=s.data, axes=s.axes)
    writer = Writer(Plan(tuple(new[s] for s in found.outputs), (), tuple(new[a].data for a in found.inputs)), dialect)
    body = writer.body(several=False)
    parameters = ", ".join(writer.names[new[a].data] for a in found.inputs)
    text = "\n".join([f"def {NAME}({parameters}):", *body])
    slots = [f"{{{i}}}" for i in range(len(found.inputs))]
    cut, whole = _tuple(slots[: found.cut]), _tuple(slots[found.cut :])
    return NAME, text, f"in_blocks({NAME}, {found.sums}, {cut}, {whole})"


def _tuple(parts: Sequence[str]) -> str:
    return f"({', '.join(parts)}{',' * (len(parts) == 1)})"
