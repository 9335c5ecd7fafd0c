"""Functions that keep their arrays: temporaries and results are written to places that stay from
call to call.

Every step is a statement that says where its result goes. A place is free again after the last use
of what it holds, and a function of entries writes over an argument that ends with it. What NumPy
cannot be told where to write is copied to its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction

from ...tables.functions import BY_NAME
from ..plan.planner import Plan
from ..plan.steps import VIEWS, Axes, Step, certain, reachable
from .dialect import Dialect, template
from .excerpts import excerpts
from .source import ATOM, SIGN, Code, Source, number
from .writer import Writer

UFUNC = re.compile(r"((?:np\.\w+|sigmoid)\(\{0\}(?:, (?:-?\w+|\{1\}))*)\)")
HELPERS = excerpts("reusing")
CALLS = {  # the statements that write a result to a place; «out» is its name
    "dot": "np.matmul({0}, {1}, out=«out»)",
    "outer": "outer_into({0}, {1}, «out»)",
    "power": "np.power({0}, {1}, out=«out»)",
    "rowdot": "np.einsum('ij,ij->i', {0}, {1}, out=«out»)",
    "sum": "np.sum({0}, axis={data}, out=«out»)",
    "ones": "«out».fill(1)",
    "zeros": "«out».fill(0)",
    "softplus": "softplus({0}, «out»)",
    "softmax": "softmax({0}, «out»)",
    "softmax_rows": "softmax({0}, «out»)",
}
SEVERAL = frozenset({"kernel", "congruence"})  # what may have several results
# what may write over one of its arguments
BY_ENTRIES = frozenset({"add", "mul", "pow", "fn", "shift", "factor"})


def write_reusing(plan: Plan, dialect: Dialect, name: str, several: bool) -> Source:
    """The source of a function that keeps its arrays, in NumPy's dialect or one made of it."""
    plan = plan if dialect.kernels is None else dialect.kernels(plan)
    return Reusing(plan, replace(dialect, helpers=dialect.helpers | HELPERS)).source(name, several)


class Reusing(Writer):
    """Writes one function whose steps have places."""

    def __init__(self, plan: Plan, dialect: Dialect) -> None:
        super().__init__(plan, dialect)
        self.places: dict[str, str] = {}  # name -> shape
        self.axes: dict[str, Axes] = {}
        self.free: dict[Axes, list[str]] = {}
        self.holds: dict[Step, str] = {}
        self.ends = _ends(self.order, plan.roots)

    def _body(self, result: str) -> list[str]:
        if self.places:
            names, shapes = ", ".join(self.places), ", ".join(self.places.values())
            self.lines.insert(
                0, f"{names}{',' * (len(self.places) == 1)} = room({self._types()}, {shapes})"
            )
        return super()._body(result)

    def _types(self) -> str:
        """What decides the type of the places: those of the arguments, or what they come to
        where some may be Python's numbers.
        """
        arrays = [f"{self.names[v]}.dtype" for v in self.variables]
        self.needs_dtype = (
            self.needs_dtype or not arrays or any(v.is_scalar for v in self.variables)
        )
        return (
            "(dtype,)" if self.needs_dtype else f"({', '.join(arrays)}{',' * (len(arrays) == 1)})"
        )

    def _dies(self, arg: Step) -> bool:
        return False

    # ---- places ----------------------------------------------------------------------------------

    def take(self, axes: Axes) -> str:
        """A place that is free, or a new one."""
        if self.free.get(axes):
            return self.free[axes].pop()
        name = self.temporary()
        self.places[name], self.axes[name] = self.shape(axes), axes
        return name

    def give(self, name: str, axes: Axes) -> None:
        self.free.setdefault(axes, []).append(name)

    def _placed(self, step: Step, code: Code) -> Code:
        """Scalars that read arrays are computed at once.

        What ends with this step leaves its place.
        """
        if (
            not step.axes
            and step.args
            and not code.text.isidentifier()
            and any(map(_reads_arrays, step.args))
        ):
            code = Code(self.keep(code.text), ATOM)
        for a in self.ends.get(step, ()):
            if a in self.holds:
                place = self.holds.pop(a)
                if place not in self.holds.values():
                    self.give(place, a.axes)
        return code

    def _overwritten(self, step: Step) -> Step | None:
        """An argument that ends here and whose place the result can take."""
        for a in step.args if step.op in BY_ENTRIES and step.data != "softplus" else ():
            others = [b for b in step.args if b is not a]
            fits = (
                a in self.ends.get(step, ())
                and a.axes == step.axes
                and a in self.holds
                and step.args.count(a) == 1
            )
            if (
                fits
                and a not in owners(others)
                and not (step.op == "mul" and a not in step.args[: step.data[1]])
            ):
                return a
        return None

    # ---- one step --------------------------------------------------------------------------------

    def code(self, step: Step) -> Code:
        if not step.axes or step.op in VIEWS or step.op in SEVERAL:
            code = super().code(step)
            return Code(self.keep(code.text), ATOM) if step.op in SEVERAL else code
        old = self._overwritten(step)
        return self.into(step, self.take(step.axes) if old is None else self.holds[old], old)

    def into(self, step: Step, out: str, old: Step | None = None) -> Code:
        """Write a step to a place, which may hold one of its arguments."""
        self.holds[step] = out
        name = _INTO.get(step.op, Reusing._stated)(self, step, out, old)
        return Code(name or out, ATOM)

    def _stated(self, step: Step, out: str, old: Step | None = None) -> None:
        key = step.data if step.op == "fn" else step.op
        text = CALLS.get(key)
        if text is None:
            self.lines.append(f"{out}[...] = {super().code(step).text}")
        else:
            self.lines.append(self.filled(text.replace("«out»", out), step).text)

    def function(self, step: Step, out: str, old: Step | None) -> str | None:
        """A function of the table."""
        row, (x, *others) = BY_NAME.get(step.data), [self.of(a).text for a in step.args]
        found = (
            UFUNC.fullmatch(template(row, self.dialect))
            if row is not None and row.elementwise
            else None
        )
        if step.data == "step":
            self.lines.append(f"np.greater({x}, 0, out={out})")
        elif found is not None:
            self.lines.append(f"{found[1].format(x, *others)}, out={out})")
        elif row is None:
            return self.keep(f"softmax_logsumexp({x}, {out})")
        elif step.data == "logsumexp_rows":
            room = self.take(step.args[0].axes)
            self.lines.append(f"{out}[...] = logsumexp({x}, {room})")
            self.give(room, step.args[0].axes)
        else:
            self._stated(step, out)
        return None

    def product(self, step: Step, out: str, old: Step | None) -> None:
        """Arrays one after the other, then the number, then what divides."""
        scalar, above = self._scalar(step), step.data[1]
        over = [self.of(a).text for a in step.args[:above] if a.axes and a is not old]
        under = [self.of(b).text for b in step.args[above:] if b.axes]
        if old is None and len(over) > 1:
            self.lines.append(f"np.multiply({over.pop(0)}, {over.pop(0)}, out={out})")
        elif old is None and over:
            self.lines.append(f"np.multiply({scalar or '1.0'}, {over.pop(0)}, out={out})")
            scalar = ""
        elif old is None:
            self.lines.append(f"np.divide({scalar or '1.0'}, {under.pop(0)}, out={out})")
            scalar = ""
        self.lines += [f"{out} *= {a}" for a in (*over, *([scalar] if scalar else []))] + [
            f"{out} /= {b}" for b in under
        ]

    def _scalar(self, step: Step) -> str:
        """The number that a product multiplies with; nothing if it is 1."""
        coefficient, above = step.data
        over = [self.of(a).at(SIGN) for a in step.args[:above] if a.is_scalar]
        under = [self.of(b).at(SIGN) for b in step.args[above:] if b.is_scalar]
        front = (
            []
            if abs(coefficient) == 1 and over
            else [self.literal(abs(coefficient), not over and not under)]
        )
        text = "*".join([*front, *over]) + "".join(f"/{b}" for b in under)
        text = f"-{text}" if coefficient < 0 else text
        return "" if text == "1.0" else text

    def total(self, step: Step, out: str, old: Step | None) -> None:
        """A sum, term by term; what ends here comes first."""
        terms = sorted(zip(step.data, step.args, strict=True), key=lambda term: term[1] is not old)
        (k, a), (c, b), *rest = terms
        if a is old and k == 1:
            rest = [(c, b), *rest]
        elif abs(k) != 1 or (k < 0 and c != 1):
            factor = self.literal(k, True)
            self.lines.append(
                f"{out} *= {factor}"
                if a is old
                else f"np.multiply({factor}, {self.of(a).text}, out={out})"
            )
            rest = [(c, b), *rest]
        elif k < 0:
            self.lines.append(f"np.subtract({self.of(b).text}, {self.of(a).text}, out={out})")
        elif abs(c) == 1:
            self.lines.append(
                f"np.{'add' if c > 0 else 'subtract'}({self.of(a).text}, {self.of(b).text}, "
                f"out={out})"
            )
        else:
            rest = [(c, b), *rest]
            self.lines.append(f"{out}[...] = {self.of(a).text}")
        for c, b in rest:
            self._added(c, b, out)

    def _added(self, c: Fraction, b: Step, out: str) -> None:
        sign = "+" if c > 0 else "-"
        if abs(c) == 1 or not b.axes:
            self.lines.append(f"{out} {sign}= {self.term(abs(c), b, b).text}")
            return
        room = self.take(b.axes)
        self.lines += [
            f"np.multiply({self.literal(abs(c), True)}, {self.of(b).text}, out={room})",
            f"{out} {sign}= {room}",
        ]
        self.give(room, b.axes)

    def shifted(self, step: Step, out: str, old: Step | None) -> None:
        matrix, what = step.args
        if matrix is not old:
            self.lines.append(f"{out}[...] = {self.of(matrix).text}")
        self.lines.append(f"add_diagonal({out}, {self.of(what).text})")

    def power(self, step: Step, out: str, old: Step | None) -> None:
        x, k = self.of(step.args[0]).text, step.data
        calls = {
            Fraction(2): f"np.square({x}, out={out})",
            Fraction(1, 2): f"np.sqrt({x}, out={out})",
        }
        self.lines.append(calls.get(k, f"np.power({x}, {number(k)}, out={out})"))

    def on_diagonal(self, step: Step, out: str, old: Step | None) -> None:
        self.lines += [
            f"{out}.fill(0)",
            f"{out}.flat[:: len({out}) + 1] = {self.of(step.args[0]).text if step.args else 1}",
        ]

    def factored(self, step: Step, out: str, old: Step | None) -> str:
        """A Cholesky factor takes the place of its matrix.

        Others are made elsewhere, and without LAPACK the matrix stands for itself.
        """
        made = self.dialect.calls.get(f"factor {step.data}")
        if made is not None and step.data != "chol":
            return self.keep(super().code(step).text)
        if step.args[0] is not old:
            self.lines.append(f"{out}[...] = {self.of(step.args[0]).text}")
        return out if made is None else self.keep(made.replace("{0}", f"{out}, overwrite=1"))

    # ---- what the sizes decide -------------------------------------------------------------------

    def chosen(self, step: Step, out: str, old: Step | None) -> None:
        """The cheapest order for the sizes at hand, as a statement."""
        tests = self._tests(step)
        for part in self.shared.get(step, ()):
            if part not in self.codes:
                place = self.take(part.axes)
                whens = dict.fromkeys(self._tests(other)[i] for other, i in self.shared[step][part])
                self._branch(f"if {' or '.join(whens)}:", part, place)
                self.codes[part] = Code(place, ATOM)
        heads = [f"if {tests[0]}:", *(f"elif {t}:" for t in tests[1:-1]), "else:"]
        for i, (head, arg) in enumerate(zip(heads, step.args, strict=True)):
            self._branch(head, arg, out, self._hidden(step, i) if step in self.shared else ())

    def _hidden(self, step: Step, i: int) -> set[Step]:
        """The products in common that are not there when an order is taken."""
        common = {part: users for found in self.shared.values() for part, users in found.items()}
        return {
            part
            for part, users in common.items()
            if not any(s is step and j == i for s, j in users)
        }

    def _branch(self, head: str, root: Step, out: str, hidden: Iterable[Step] = ()) -> None:
        """Statements under a condition; their own places are free afterwards."""
        lines, codes, holds, places = self.lines, self.codes, dict(self.holds), set(self.places)
        free = {axes: list(names) for axes, names in self.free.items()}
        self.lines, self.codes = [], {s: code for s, code in codes.items() if s not in hidden}
        for s in certain([root]):
            if s not in self.codes:
                self.codes[s] = self._placed(
                    s, self.into(s, out) if s is root and s.op not in VIEWS else self.code(s)
                )
        if self.codes[root].text != out:
            self.lines.append(f"{out}[...] = {self.codes[root].text}")
        inside, self.lines, self.codes, self.holds = self.lines, lines, codes, holds
        self.lines += [head, *(f"    {line}" for line in inside)]
        self.free = free
        for name in self.places:
            if name not in places:
                self.give(name, self.axes[name])


def owners(steps: Iterable[Step]) -> set[Step]:
    """The steps whose memory is read, seen through views."""
    found, stack = set[Step](), list(steps)
    while stack:
        a = stack.pop()
        if a.op in VIEWS:
            stack += a.args
        else:
            found.add(a)
    return found


def _reads_arrays(a: Step) -> bool:
    return bool(a.axes) or a.op == "factor"


def _ends(order: list[Step], roots: Iterable[Step]) -> dict[Step, set[Step]]:
    """What each step uses for the last time; what is returned is never over."""
    last: dict[Step, Step] = {}
    for s in order:
        read = reachable(s.args) if s.op == "choose" else [s]
        for a in owners(b for r in read for b in (*r.args, *([r] if s.op == "choose" else []))):
            last[a] = s
        last.setdefault(s, s)
    ends: dict[Step, set[Step]] = {}
    for a in last.keys() - owners(roots):
        ends.setdefault(last[a], set()).add(a)
    return ends


_INTO: dict[str, Callable[[Reusing, Step, str, Step | None], str | None]] = {
    "fn": Reusing.function,
    "mul": Reusing.product,
    "add": Reusing.total,
    "shift": Reusing.shifted,
    "pow": Reusing.power,
    "diag": Reusing.on_diagonal,
    "eye": Reusing.on_diagonal,
    "factor": Reusing.factored,
    "choose": Reusing.chosen,
}
