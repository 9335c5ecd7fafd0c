"""Blocks of rows: all work on a block is done while it is in fast memory.

``X'*(X*w - y)`` reads X twice, and ``(A - U*V')*V`` makes a matrix of the size of A; where every
step works on the rows one by one or adds them up, it can do so for some rows first. A pass is the
set of such steps for one axis; its results are sums over the rows, or have a row for each of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
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
# views, which are made again outside a pass for nothing
REMADE = frozenset({"T", "col", "arg"})
# functions of each row
SOFTMAX = frozenset(f for name in EACH_ROW & set(PAIRS) for f in (name, PAIRS[name], BOTH[name]))
NAME = "of_rows"
# entries of a matrix from which blocks pay: from fewer where they save making other
# matrices with its rows, from more where they only save reading it again
LEAST_IF_WIDE, LEAST = 2**19, 2**21
# what multiplies the sum of each block may be this long: beyond, the products outweigh the reading
SHORT = 512
LONGEST = 500  # steps; longer functions are networks, whose products outweigh what reading costs


@dataclass(frozen=True)
class Pass(Group):
    """First come the outputs that are sums, and the inputs that are cut into blocks of rows."""

    sums: int
    cut: int
    wide: bool  # whether matrices with these rows are made on the way
    multiplies_sums: bool  # whether an order of a product multiplies the sum of each block

    @property
    def least(self) -> tuple[str, int]:
        """The matrix, and the number of its entries, from which the pass pays."""
        return self.inputs[0].data.name, LEAST_IF_WIDE if self.wide else LEAST


def by_blocks(plan: Plan, dialect: Dialect, name: str, several: bool) -> Source | None:
    """The source of a function that works by blocks of rows.

    None where that saves neither reading a large matrix again nor making one.
    """
    order = reachable(plan.roots)
    if not dialect.blocks or len(order) > LONGEST:
        return None
    if any(s.op == "factor" for s in order):
        # products beside a factor belong to LAPACK's library, and outweigh what reading costs
        return None
    first = _first_pass(order, plan.roots)
    if first is None or _has_kernels(plan, dialect):
        return None
    taken = {s.data.name for s in order if s.op == "arg"}
    kernel = partial(_kernel, dialect=dialect, taken=taken)
    changed = replace(plan, roots=replaced(plan.roots, [first], kernel))
    return replace(write(changed, dialect, name, several), least=first.least)


def _has_kernels(plan: Plan, dialect: Dialect) -> bool:
    """Whether the target has kernels of its own for a plan, which go by rows themselves."""
    return dialect.kernels is not None and dialect.kernels(plan) is not plan


# ---- which steps ---------------------------------------------------------------------------------


def _first_pass(order: Sequence[Step], roots: Sequence[Step]) -> Pass | None:
    """The pass over the first axis that has one."""
    for size in _row_axes(order):
        rows_pass = _pass(order, roots, size)
        if rows_pass is not None:
            return rows_pass
    return None


def _row_axes(order: Sequence[Step]) -> list[Size]:
    """The lengths that only first axes of the matrices among the arguments have."""
    matrices = [s for s in order if s.op == "arg" and len(s.axes) == 2]
    columns = {s.axes[1] for s in matrices}
    return [size for size in dict.fromkeys(s.axes[0] for s in matrices) if size not in columns]


def _pass(order: Sequence[Step], roots: Sequence[Step], size: Size) -> Pass | None:
    """The pass over an axis, if there is one and it is worth it."""
    kinds = _kinds(order, size)
    if kinds is None:
        return None
    outputs, outside = _cut(roots, kinds)
    inside = [s for s in reachable(outputs) if kinds[s] != FREE]
    sums, kept = _of_kind(TOTAL, outputs, kinds), _of_kind(ROWS, outputs, kinds)
    reads = _reads(inside, kinds)
    wide = _makes_matrix(set(inside).difference(kept), kinds)
    if not wide and not _reads_matrix_again(reads):
        return None
    if _is_made_twice(inside, outside) or not _are_narrow(kept, size, kinds):
        return None
    if _has_gram(outputs):
        return None
    rows = sorted(reads, key=lambda a: (-len(a.axes), -reads[a], a.data.name))
    return Pass(
        outputs=(*sums, *kept),
        inputs=(*rows, *_inputs_without_rows(inside, kinds)),
        sums=len(sums),
        cut=len(rows),
        wide=wide,
        multiplies_sums=bool(_of_kind(LINEAR, inside, kinds)),
    )


def _of_kind(kind: str, steps: Iterable[Step], kinds: Mapping[Step, str]) -> list[Step]:
    return [s for s in steps if kinds[s] == kind]


def _cut(roots: Sequence[Step], kinds: Mapping[Step, str]) -> tuple[list[Step], set[Step]]:
    """The results of a pass, and the steps outside it; views are made there."""
    stack, results, outside = list(reversed(roots)), dict[Step, None](), set[Step]()
    while stack:
        s = stack.pop()
        if kinds[s] in (ROWS, TOTAL) and s.op not in REMADE:
            results[s] = None
        elif s not in outside:
            outside.add(s)
            stack += reversed(s.args)
    return list(results), outside


def _reads(inside: Iterable[Step], kinds: Mapping[Step, str]) -> Counter[Step]:
    """How often each argument with rows is read; a transpose is no read of its own."""
    has_rows = {a for a, kind in kinds.items() if a.op == "arg" and kind == ROWS}
    reads = Counter[Step]()
    for step in inside:
        if step.op != "T":
            reads.update(has_rows & {_through_transpose(a) for a in step.args})
    return reads


def _through_transpose(a: Step) -> Step:
    return a.args[0] if a.op == "T" else a


def _makes_matrix(steps: Iterable[Step], kinds: Mapping[Step, str]) -> bool:
    """Whether a matrix with the rows is made on the way."""
    return any(s.fresh and len(s.axes) == 2 for s in _of_kind(ROWS, steps, kinds))


def _reads_matrix_again(reads: Mapping[Step, int]) -> bool:
    return any(times > 1 and len(a.axes) == 2 for a, times in reads.items())


def _is_made_twice(inside: Iterable[Step], outside: Collection[Step]) -> bool:
    """Whether a step of the pass is needed outside it as well, so that it would be made again."""
    return any(s.fresh and s in outside for s in inside)


def _has_gram(outputs: Sequence[Step]) -> bool:
    """Whether there is a product X'*X, whose multiplications outweigh what reading costs.

    There are as many for each entry of X as X has columns.
    """
    return any(s.op == "dot" and is_gram(s) for s in certain(outputs))


def _are_narrow(kept: Iterable[Step], size: Size, kinds: Mapping[Step, str]) -> bool:
    return all(_is_narrow(s, size, kinds) for s in kept)


def _is_narrow(s: Step, size: Size, kinds: Mapping[Step, str]) -> bool:
    """Whether it costs little to put the rows of a result together.

    It does for a vector, and for what comes of a product.
    """
    if len(s.axes) == 1:
        return True
    if s.axes[0] != size:
        return False
    if s.op == "dot":
        return True
    inner = [a for a in s.args if kinds[a] != FREE]
    return s.op in ("add", "mul") and len(inner) == 1 and _is_narrow(inner[0], size, kinds)


def _inputs_without_rows(inside: Iterable[Step], kinds: Mapping[Step, str]) -> list[Step]:
    """The arrays and numbers without rows that the pass reads, each once."""
    inputs = dict[Step, None]()
    for step in inside:
        for a in _of_kind(FREE, step.args, kinds):
            inputs.update(dict.fromkeys(_bare(a)))
    return list(inputs)


def _bare(a: Step) -> Iterator[Step]:
    """The array that a step without rows is a view of; numbers are written where they are used."""
    if a.op in ("T", "col"):
        yield from _bare(a.args[0])
    elif a.op != "num":
        yield a


# ---- what a step is to the rows ------------------------------------------------------------------


def _kinds(order: Iterable[Step], size: Size) -> dict[Step, str] | None:
    """What each step is to the rows; None if one of them cannot work on some rows at a time."""
    kinds: dict[Step, str] = {}
    for s in order:
        kind = _kind(s, kinds, size)
        if kind is None:
            return None
        kinds[s] = kind
    return kinds


def _kind(s: Step, kinds: Mapping[Step, str], size: Size) -> str | None:
    """What a step is to the rows; None if it needs them in a way that no block can give."""
    if s.axes.count(size) > 1:
        return None
    of_arguments = {kinds[a] for a in s.args}
    if of_arguments <= {FREE}:
        return _of_free(s, size)
    if ROWS not in of_arguments:
        return None if size in s.axes else _of_sums(s, of_arguments)
    return _of_rows(s, size) if of_arguments <= {FREE, ROWS} else None


def _of_free(s: Step, size: Size) -> str | None:
    """A step of arguments without rows: only an argument of the function can bring them."""
    if size not in s.axes:
        return FREE
    return ROWS if s.op == "arg" and s.axes[0] == size else None


def _of_sums(s: Step, of_arguments: set[str]) -> str | None:
    """A step of sums; of several orders of a product all must give a sum."""
    if s.op == "choose":
        return TOTAL if of_arguments <= {TOTAL, LINEAR} else None
    if s.op == "dot" and of_arguments == {FREE, TOTAL}:
        return LINEAR
    return LINEAR if s.op == "T" and of_arguments == {TOTAL} else AFTER


def _of_rows(s: Step, size: Size) -> str | None:
    """A step of arguments with rows and others without."""
    rule = _RULES.get(s.op)
    return None if rule is None else rule(s, size)


def _axis(s: Step, size: Size) -> int:
    """The axis that is cut, counted from the last one as arrays broadcast; 0 if there is none."""
    return len(s.axes) - s.axes.index(size) if size in s.axes else 0


def _axes(s: Step, size: Size) -> list[int]:
    """The axis of each argument that is cut."""
    return [_axis(a, size) for a in s.args]


def _moved(s: Step, size: Size) -> str:
    """A view, or an outer product, of something with rows."""
    return ROWS


def _by_entries(s: Step, size: Size) -> str | None:
    """Entries meet those of the same row."""
    own = _axis(s, size)
    return ROWS if own and set(_axes(s, size)) <= {0, own} else None


def _function(s: Step, size: Size) -> str | None:
    """A function of entries, or of each row."""
    row = BY_NAME.get(s.data)
    if row is not None and row.elementwise:
        return _by_entries(s, size)
    return ROWS if s.data in SOFTMAX and _axes(s, size) == [2] else None


def _product(s: Step, size: Size) -> str | None:
    """A sum over the rows where they meet; else one argument has them first, and no other."""
    left, right = _axes(s, size)
    if left and right:
        first = len(s.args[1].axes)
        return TOTAL if left == 1 and right == first else None
    return ROWS if (left, right) in ((2, 0), (0, 1)) and _axis(s, size) else None


def _entries_of_both(s: Step, size: Size) -> str | None:
    """The sum of A.*B, where rows meet rows."""
    left, right = _axes(s, size)
    return TOTAL if left and left == right else None


def _entries_of_transpose(s: Step, size: Size) -> str | None:
    """The sum of A.*B', where the rows of A meet the columns of B."""
    left, right = _axes(s, size)
    return TOTAL if left and right and left != right else None


def _row_sums_of_both(s: Step, size: Size) -> str | None:
    """The row sums of A.*B: of these rows, or across them."""
    left, right = _axes(s, size)
    if not left or left != right:
        return None
    return ROWS if left == 2 else TOTAL


def _sum(s: Step, size: Size) -> str:
    """A sum of all entries, over the rows or along them."""
    (axis,) = _axes(s, size)
    along_rows = s.data is not None and s.data != len(s.args[0].axes) - axis
    return ROWS if along_rows else TOTAL


_RULES: dict[str, Callable[[Step, Size], str | None]] = {
    **dict.fromkeys(("T", "col", "item", "outer"), _moved),
    **dict.fromkeys(("add", "mul", "pow", "choose"), _by_entries),
    "fn": _function,
    "dot": _product,
    "vdot": _entries_of_both,
    "vdott": _entries_of_transpose,
    "rowdot": _row_sums_of_both,
    "sum": _sum,
}


# ---- the text ------------------------------------------------------------------------------------


def _kernel(rows_pass: Pass, dialect: Dialect, taken: Collection[str]) -> tuple[str, str, str]:
    """The name and the function of a block, and the call for all rows.

    An input that is no variable gets a name that no variable has.
    """
    names = (name for i in count(1) if (name := f"c{i}") not in taken)
    steps, arguments = Steps(), dict[Step, Step]()
    for a in rows_pass.inputs:
        variable = a.data if a.op == "arg" else var(next(names), shape_of(a.axes))
        arguments[a] = steps.make("arg", data=variable, axes=a.axes)
    variables = tuple(arguments[a].data for a in rows_pass.inputs)
    writer = Writer(Plan(copied(steps, rows_pass.outputs, arguments), (), variables), dialect)
    body = writer.body(several=False)
    parameters = ", ".join(writer.names[v] for v in variables)
    text = "\n".join([f"def {NAME}({parameters}):", *body])
    return NAME, text, _call(rows_pass)


def _call(rows_pass: Pass) -> str:
    """The call for all rows; where a block multiplies its sum, only if that takes little work."""
    inputs, cut = rows_pass.inputs, rows_pass.cut
    slots = [f"{{{i}}}" for i in range(len(inputs))]
    by_blocks = f"in_blocks({NAME}, {rows_pass.sums}, {_tuple(slots[:cut])}, {_tuple(slots[cut:])})"
    if not rows_pass.multiplies_sums:
        return by_blocks
    others = zip(slots[cut:], inputs[cut:], strict=True)
    short = [f"max({slot}.shape) <= {SHORT}" for slot, a in others if len(a.axes) == 2]
    return f"({by_blocks} if {' and '.join(short)} else {NAME}({', '.join(slots)}))"


def _tuple(items: Sequence[str]) -> str:
    return f"({', '.join(items)}{',' * (len(items) == 1)})"
