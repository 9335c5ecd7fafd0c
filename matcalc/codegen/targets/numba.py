"""The Numba dialect: NumPy's, with a kernel where one pass over the data does what takes NumPy
several.

Each kernel stands beside the steps that it replaces, which run where the matrix is small, of
another type or not stored by rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial

from ...expr import Expr, var
from ...expr.sizes import shape_of
from ...tables.functions import BY_NAME, Row
from ..passes.fusion import Fusion, fusions, replaced
from ..passes.peephole import copied
from ..plan.planner import Plan
from ..plan.steps import Step, Steps
from ..write.dialect import Dialect
from ..write.source import number
from .numpy import dialect_with as numpy_with
from .numpy import has_scipy

LEAST = 100_000  # entries of a matrix below which NumPy's steps are as fast
NARROWEST = 24  # columns: below, the functions of the entries outweigh the pass over the data
UNROLLED = 4  # rows that are added up together, so that sums are carried through memory less often
BLOCK = 32  # rows that are read before the rows of an outer product are written
ENTRYWISE = {
    "sigmoid": "1/(1 + np.exp(-{x}))",
    "softplus": "max({x}, 0.0) + np.log1p(np.exp(-abs({x})))",
    "relu": "max({x}, 0.0)",
    "step": "1.0*({x} > 0)",
    "sech2": "1/np.cosh({x})**2",
}


def dialect() -> Dialect:
    """NumPy's dialect with kernels."""
    return dialect_with(has_scipy())


@cache
def dialect_with(scipy: bool) -> Dialect:
    """The dialect with kernels, of NumPy alone or with SciPy."""
    base = numpy_with(scipy)
    imports = {"njit": "from numba import get_num_threads, njit, prange"}
    kernels = partial(with_kernels, base=base)
    return replace(
        base, name="numba", imports=imports, change=partial(_changed, base=base), kernels=kernels
    )


def _changed(plan: Plan, base: Dialect) -> Plan:
    """With kernels, or as NumPy has it where there are none."""
    found = with_kernels(plan, base)
    return base.change(plan) if found is plan and base.change is not None else found


def _template(row: Row) -> str:
    return ENTRYWISE.get(row.name, row.numpy)


def _entrywise(name: str) -> bool:
    """Whether a function is one expression of numbers."""
    return name in ENTRYWISE or BY_NAME[name].numpy.startswith("np.")


def with_kernels(plan: Plan, base: Dialect) -> Plan:
    """The plan with a kernel for each pass over a matrix."""
    found = fusions(plan.roots, _entrywise)
    if not found:
        return plan
    names = {id(f): f"one_pass{'' if i == 0 else f'_{i + 1}'}" for i, f in enumerate(found)}

    return replace(
        plan,
        roots=replaced(
            plan.roots,
            found,
            lambda fusion: (names[id(fusion)], _text(fusion, names[id(fusion)], base)),
        ),
    )


# ---- the text of a kernel ------------------------------------------------------------------------


def _text(fusion: Fusion, name: str, base: Dialect) -> str:
    """The kernel, and the function that chooses between it and the steps that it replaces."""
    names = _names(fusion)
    parameters = ", ".join(names[a] for a in fusion.inputs)
    data = names[fusion.data]
    made = [
        f"spare('{name} {i}', len({data}), len({names[s.args[1]]}))"
        for i, s in enumerate(_sorted(fusion)[2])
    ]
    outs = [_total(s, fusion) for s in _sorted(fusion)[2]]
    kernel = _kernel(fusion, names, f"{name}_kernel({', '.join([parameters, *outs])})")
    fits = [
        f"{data}.size >= {LEAST}",
        f"{data}.shape[1] >= {NARROWEST}",
        f"{data}.flags.c_contiguous",
        *_double(fusion, names),
    ]
    call = (
        f"    if {' and '.join(fits)}:\n        return "
        f"{name}_kernel({', '.join([parameters, *made])})"
    )
    return "\n\n\n".join(
        [kernel, "\n".join([f"def {name}({parameters}):", call, *_steps(fusion, names, base)])]
    )


def _double(fusion: Fusion, names: dict[Step, str]) -> Iterator[str]:
    return (f"{names[a]}.dtype == np.float64" for a in fusion.inputs if a.axes)


def _names(fusion: Fusion) -> dict[Step, str]:
    """A matrix X, vectors u, v, … and numbers a, b, …"""
    names: dict[Step, str] = {fusion.data: "X"}
    vectors, scalars = 0, 0
    for a in fusion.inputs:
        if a in names:
            continue
        vectors, scalars = vectors + bool(a.axes), scalars + (not a.axes)
        names[a] = f"v{vectors}" if a.axes else f"c{scalars}"
    return names | {s: f"r{i}" for i, s in enumerate(fusion.rows)}


def _steps(fusion: Fusion, names: dict[Step, str], base: Dialect) -> list[str]:
    """NumPy's steps for the same results."""
    from ..write.writer import Writer

    steps = Steps()
    new: dict[Step, Step] = {
        a: steps.make("arg", data=_variable(names[a], a), axes=a.axes) for a in fusion.inputs
    }
    variables = tuple(new[a].data for a in fusion.inputs)
    return Writer(Plan(copied(steps, fusion.outputs, new), (), variables), base).body(several=False)


def _variable(name: str, a: Step) -> Expr:
    return var(name, shape_of(a.axes))


def _kernel(fusion: Fusion, names: dict[Step, str], signature: str) -> str:
    """The compiled loop over rows; every thread has a stretch of them, and sums of its own."""
    sums, gradients, outers, vectors = _sorted(fusion)
    lines = [
        "@njit(parallel=True, fastmath={'reassoc', 'contract', 'nsz', 'arcp'})",
        f"def {signature}:",
    ]
    lines += ["    m, n = X.shape", "    parts = get_num_threads()"]
    rooms = dict.fromkeys(gradients, "zeros((parts, n))") | dict.fromkeys(sums, "zeros(parts)")
    rooms |= dict.fromkeys(vectors, "empty(m)")
    lines += [f"    {_total(s, fusion)} = np.{room}" for s, room in rooms.items()]
    lines += ["    for p in prange(parts):", "        first, last = p*m//parts, (p + 1)*m//parts"]
    own = _own(gradients, sums)
    lines += [f"        {name} = {first}" for name, (_, first) in own.items()]
    if gradients:
        lines += [f"        four = first + (last - first)//{UNROLLED}*{UNROLLED}"]
        lines += _loop(fusion, names, "        ", f"range(first, four, {UNROLLED})", UNROLLED)
    if outers and not gradients:
        lines += _in_blocks(fusion, names)
    else:
        lines += _loop(
            fusion, names, "        ", f"range({'four' if gradients else 'first'}, last)", 1
        )
    lines += [f"        {_total(s, fusion)}[p] = {name}" for name, (s, _) in own.items()]
    added = dict.fromkeys(gradients, ".sum(0)") | dict.fromkeys(sums, ".sum()")
    results = [_total(s, fusion) + added.get(s, "") for s in fusion.outputs]
    return "\n".join([*lines, f"    return {', '.join(results)}"])


def _own(gradients: list[Step], sums: list[Step]) -> dict[str, tuple[Step, str]]:
    """What each thread adds up, by name, and its first value."""
    vectors = {f"g{k}": (s, "np.zeros(n)") for k, s in enumerate(gradients)}
    return vectors | {f"s{k}": (s, "0.0") for k, s in enumerate(sums)}


def _in_blocks(fusion: Fusion, names: dict[Step, str]) -> list[str]:
    """A loop that reads some rows and then writes as many rows of the outer products: one stream
    at a time.
    """
    outers = list(enumerate(_sorted(fusion)[2]))
    lines = [f"        r{q} = np.empty({BLOCK})" for q, _ in outers]
    lines += [
        f"        for b in range(first, last, {BLOCK}):",
        f"            end = min(b + {BLOCK}, last)",
    ]
    lines += _loop(fusion, names, "            ", "range(b, end)", 1)
    for q, s in outers:
        v = names[s.args[1]]
        lines += [
            "            for i in range(b, end):",
            f"                for j in range({v}.size):",
        ]
        lines += [f"                    {_total(s, fusion)}[i, j] = r{q}[i - b]*{v}[j]"]
    return lines


def _total(s: Step, fusion: Fusion) -> str:
    return f"out{fusion.outputs.index(s)}"


def _sorted(fusion: Fusion) -> tuple[list[Step], list[Step], list[Step], list[Step]]:
    """Sums, products with X', outer products, and what is kept of the rows."""
    sums = [s for s in fusion.outputs if s.is_scalar]
    outers = [s for s in fusion.outputs if s.op == "outer"]
    vectors = [s for s in fusion.outputs if s in fusion.rows]
    return sums, [s for s in fusion.outputs if s not in (*sums, *outers, *vectors)], outers, vectors


def _loop(fusion: Fusion, names: dict[Step, str], indent: str, rows: str, count: int) -> list[str]:
    """The loop over some rows at a time."""
    sums, gradients, outers, vectors = _sorted(fusion)
    inner = indent + "    "
    at = [f"i + {k}" if k else "i" for k in range(count)]
    lines = [f"{indent}for i in {rows}:"]
    entries = [_Entries(fusion, names, k, i) for k, i in enumerate(at)]
    for row in entries:  # row by row, as memory is read fastest
        lines += [f"{inner}{line}" for line in row.seed()]
    for code in entries:
        lines += [f"{inner}{line}" for line in code.lines()]
        lines += [f"{inner}s{q} += {code.summed(s)}" for q, s in enumerate(sums)]
        lines += [f"{inner}{_total(s, fusion)}[{code.i}] = {code.of(s)}" for s in vectors]
    if gradients:
        lines += [f"{inner}{line}" for line in _added(fusion, names, entries)]
    else:
        lines += [f"{inner}r{q}[i - b] = {entries[0].of(s.args[0])}" for q, s in enumerate(outers)]
    return lines


def _added(fusion: Fusion, names: dict[Step, str], entries: list[_Entries]) -> Iterator[str]:
    """The lines that add rows to the products with X', and write rows of outer products."""
    _, gradients, outers, _ = _sorted(fusion)
    yield "for j in range(n):"
    for q, s in enumerate(gradients):
        total = " + ".join(f"{row.of(s.args[1])}*X[{row.i}, j]" for row in entries)
        yield f"    g{q}[j] += {total}"
    for s in outers:
        v = names[s.args[1]]
        for row in entries:
            yield f"for j in range({v}.size):"
            yield f"    {_total(s, fusion)}[{row.i}, j] = {row.of(s.args[0])}*{v}[j]"


class _Entries:
    """The entries of row vectors at one row: the k-th of those that are read together."""

    def __init__(self, fusion: Fusion, names: dict[Step, str], k: int, i: str) -> None:
        self.fusion, self.names, self.k, self.i = fusion, names, k, i

    def of(self, s: Step) -> str:
        if s is self.fusion.seed:
            return f"z{self.k}"
        if s in self.fusion.rows:
            return f"{self.names[s]}_{self.k}"
        if s.op == "num":
            return f"({number(s.data)})"
        return f"{self.names[s]}[{self.i}]" if s.axes else self.names[s]

    def seed(self) -> list[str]:
        """The product of the row and the vector that everything else starts from."""
        z, w = f"z{self.k}", self.names[self.fusion.seed.args[1]]
        return [f"{z} = 0.0", "for j in range(n):", f"    {z} += X[{self.i}, j]*{w}[j]"]

    def lines(self) -> list[str]:
        return [
            f"{self.of(s)} = {self.formula(s)}"
            for s in self.fusion.rows
            if s is not self.fusion.seed
        ]

    def summed(self, s: Step) -> str:
        return "*".join(map(self.of, s.args))

    def formula(self, s: Step) -> str:
        args = list(map(self.of, s.args))
        if s.op == "add":
            return " + ".join(
                f"({number(k)})*{a}" if k != 1 else a for k, a in zip(s.data, args, strict=True)
            )
        if s.op == "mul":
            k, above = s.data
            return "*".join([f"({number(k)})", *args[:above]]) + "".join(
                f"/{a}" for a in args[above:]
            )
        if s.op == "pow":
            return f"{args[0]}**({number(s.data)})"
        text = _template(BY_NAME[s.data])
        for name, a in zip(("{x}", "{w}"), args, strict=False):
            text = text.replace(name, a)
        return text
