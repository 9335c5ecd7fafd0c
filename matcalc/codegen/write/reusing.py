"""Functions that keep their arrays: results are written to places that stay from call to call.

Every step is a statement that says where its result goes. A place is free again after the last use
of what it holds, and a function of entries writes over an argument that ends with it. What NumPy
cannot be told where to write is copied to its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence, Set
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
# the first two terms of a sum as one call, by their coefficients
OF_TWO = {
    (1, 1): "np.add({0}, {1}, out={2})",
    (1, -1): "np.subtract({0}, {1}, out={2})",
    (-1, 1): "np.subtract({1}, {0}, out={2})",
}
SEVERAL = frozenset({"kernel", "congruence"})  # what may have several results
# what may write over one of its arguments
BY_ENTRIES = frozenset({"add", "mul", "pow", "fn", "shift", "factor"})


def write_reusing(plan: Plan, dialect: Dialect, name: str, several: bool) -> Source:
    """The source of a function that keeps its arrays, in NumPy's dialect or one made of it."""
    if dialect.kernels is not None:
        plan = dialect.kernels(plan)
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
            comma = "," if len(self.places) == 1 else ""
            self.lines.insert(0, f"{names}{comma} = room({self._types()}, {shapes})")
        return super()._body(result)

    def _types(self) -> str:
        """The types that decide that of the places: those of the arguments, if all are arrays.

        Numbers of Python have none, so that the common type is asked for.
        """
        if not self.variables or any(v.is_scalar for v in self.variables):
            self.needs_dtype = True
        if self.needs_dtype:
            return "(dtype,)"
        arrays = [f"{self.names[v]}.dtype" for v in self.variables]
        return f"({', '.join(arrays)}{',' * (len(arrays) == 1)})"

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
        """A scalar of arrays is computed at once; what ends with a step leaves its place."""
        reads_arrays = any(map(_is_array, step.args))
        if not step.axes and reads_arrays and not code.text.isidentifier():
            code = self.named(code)
        for a in self.ends.get(step, ()):
            if a in self.holds:
                place = self.holds.pop(a)
                if place not in self.holds.values():
                    self.give(place, a.axes)
        return code

    def _overwritten(self, step: Step) -> Step | None:
        """An argument that ends here and whose place the result can take."""
        if step.op not in BY_ENTRIES or step.data == "softplus":
            return None
        # a divisor must outlast what it divides
        args = step.args[: step.data[1]] if step.op == "mul" else step.args
        return next((a for a in args if self._can_take(step, a)), None)

    def _can_take(self, step: Step, a: Step) -> bool:
        """Whether a step may write over an argument: it ends, fits, and is read only once."""
        if a not in self.ends.get(step, ()) or a not in self.holds:
            return False
        others = [b for b in step.args if b is not a]
        return a.axes == step.axes and step.args.count(a) == 1 and a not in owners(others)

    # ---- one step --------------------------------------------------------------------------------

    def code(self, step: Step) -> Code:
        if step.op in SEVERAL:
            return self.named(super().code(step))
        if not step.axes or step.op in VIEWS:
            return super().code(step)
        old = self._overwritten(step)
        return self.into(step, self.take(step.axes) if old is None else self.holds[old], old)

    def into(self, step: Step, out: str, old: Step | None = None) -> Code:
        """Write a step to a place, which may hold one of its arguments."""
        self.holds[step] = out
        name = _INTO.get(step.op, Reusing._stated)(self, step, out, old)
        return Code(name or out, ATOM)

    def _stated(self, step: Step, out: str, old: Step | None = None) -> None:
        """A statement for any step: a call that can be told where to write, or a copy."""
        key = step.data if step.op == "fn" else step.op
        text = CALLS.get(key)
        if text is None:
            self.lines.append(f"{out}[...] = {super().code(step).text}")
        else:
            self.lines.append(self.filled(text.replace("«out»", out), step).text)

    def function(self, step: Step, out: str, old: Step | None) -> str | None:
        """A function of the table."""
        x, *others = (self.of(a).text for a in step.args)
        ufunc = self._ufunc(step)
        if step.data == "step":
            self.lines.append(f"np.greater({x}, 0, out={out})")
        elif ufunc is not None:
            self.lines.append(f"{ufunc.format(x, *others)}, out={out})")
        elif step.data not in BY_NAME:
            return self.keep(f"softmax_logsumexp({x}, {out})")
        elif step.data == "logsumexp_rows":
            room = self.take(step.args[0].axes)
            self.lines.append(f"{out}[...] = logsumexp({x}, {room})")
            self.give(room, step.args[0].axes)
        else:
            self._stated(step, out)
        return None

    def _ufunc(self, step: Step) -> str | None:
        """The call of a function of entries without its last bracket, if it takes an ``out``."""
        row = BY_NAME.get(step.data)
        if row is None or not row.elementwise:
            return None
        call = UFUNC.fullmatch(template(row, self.dialect))
        return None if call is None else call[1]

    def product(self, step: Step, out: str, old: Step | None) -> None:
        """Arrays one after the other, then the number, then what divides."""
        scalar, above = self._scalar(step), step.data[1]
        over = [self.of(a).text for a in step.args[:above] if a.axes and a is not old]
        under = [self.of(b).text for b in step.args[above:] if b.axes]
        if old is None:
            scalar = self._begun(out, over, under, scalar)
        over += [scalar] if scalar else []
        self.lines += [f"{out} *= {a}" for a in over]
        self.lines += [f"{out} /= {b}" for b in under]

    def _begun(self, out: str, over: list[str], under: list[str], scalar: str) -> str:
        """Write the first operation of a product, and take from the lists what it has used.

        The scalar that is left to be multiplied is the result.
        """
        if len(over) > 1:
            self.lines.append(f"np.multiply({over.pop(0)}, {over.pop(0)}, out={out})")
            return scalar
        call, first = ("multiply", over.pop()) if over else ("divide", under.pop(0))
        self.lines.append(f"np.{call}({scalar or '1.0'}, {first}, out={out})")
        return ""

    def _scalar(self, step: Step) -> str:
        """The number that a product multiplies with; nothing if it is 1."""
        coefficient, above = step.data
        over = [self.of(a).at(SIGN) for a in step.args[:above] if a.is_scalar]
        under = [b for b in step.args[above:] if b.is_scalar]
        if abs(coefficient) != 1 or not over:
            over.insert(0, self.literal(abs(coefficient), not over and not under))
        text = "*".join(over) + self._divisors(under)
        text = f"-{text}" if coefficient < 0 else text
        return "" if text == "1.0" else text

    def total(self, step: Step, out: str, old: Step | None) -> None:
        """A sum, term by term; what ends here comes first."""
        terms = sorted(zip(step.data, step.args, strict=True), key=lambda term: term[1] is not old)
        (k, a), (c, b), *rest = terms
        if a is old and k == 1:
            rest = terms[1:]
        elif (k, c) in OF_TWO:
            self.lines.append(OF_TWO[k, c].format(self.of(a).text, self.of(b).text, out))
        else:
            self._scaled(k, a, out, a is old)
            rest = terms[1:]
        for c, b in rest:
            self._added(c, b, out)

    def _scaled(self, k: Fraction, a: Step, out: str, is_there: bool) -> None:
        """A multiple of the first term, which may be in its place already."""
        factor = self.literal(k, True)
        if is_there:
            self.lines.append(f"{out} *= {factor}")
        elif k == 1:
            self.lines.append(f"{out}[...] = {self.of(a).text}")
        else:
            self.lines.append(f"np.multiply({factor}, {self.of(a).text}, out={out})")

    def _added(self, c: Fraction, b: Step, out: str) -> None:
        """One more term of a sum; a multiple of an array needs a place for a moment."""
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
        """Something added to the diagonal of a matrix, which is copied unless it ends here."""
        matrix, shift = step.args
        if matrix is not old:
            self.lines.append(f"{out}[...] = {self.of(matrix).text}")
        self.lines.append(f"add_diagonal({out}, {self.of(shift).text})")

    def power(self, step: Step, out: str, old: Step | None) -> None:
        x, k = self.of(step.args[0]).text, step.data
        calls = {
            Fraction(2): f"np.square({x}, out={out})",
            Fraction(1, 2): f"np.sqrt({x}, out={out})",
        }
        self.lines.append(calls.get(k, f"np.power({x}, {number(k)}, out={out})"))

    def on_diagonal(self, step: Step, out: str, old: Step | None) -> None:
        """A diagonal matrix, or the identity."""
        entries = self.of(step.args[0]).text if step.args else 1
        self.lines += [f"{out}.fill(0)", f"{out}.flat[:: len({out}) + 1] = {entries}"]

    def factored(self, step: Step, out: str, old: Step | None) -> str:
        """A Cholesky factor takes the place of its matrix.

        Others are made elsewhere, and without LAPACK the matrix stands for itself.
        """
        call = self.dialect.calls.get(f"factor {step.data}")
        if call is not None and step.data != "chol":
            return self.keep(super().code(step).text)
        if step.args[0] is not old:
            self.lines.append(f"{out}[...] = {self.of(step.args[0]).text}")
        return out if call is None else self.keep(call.replace("{0}", f"{out}, overwrite=1"))

    # ---- what the sizes decide -------------------------------------------------------------------

    def chosen(self, step: Step, out: str, old: Step | None) -> None:
        """The cheapest order for the sizes at hand, as a statement."""
        tests = self._tests(step)
        for part in self.shared.get(step, ()):
            if part not in self.codes:
                place = self.take(part.axes)
                condition = " or ".join(self._tests_of_part(step, part))
                self._branch(f"if {condition}:", part, place)
                self.codes[part] = Code(place, ATOM)
        heads = [f"if {tests[0]}:", *(f"elif {t}:" for t in tests[1:-1]), "else:"]
        for i, (head, arg) in enumerate(zip(heads, step.args, strict=True)):
            self._branch(head, arg, out, self._hidden(step, i))

    def _hidden(self, step: Step, i: int) -> set[Step]:
        """The products in common that are not there when the i-th order is taken."""
        if step not in self.shared:
            return set()
        hidden = set[Step]()
        for users_of in self.shared.values():
            for part, users in users_of.items():
                if (step, i) not in users:
                    hidden.add(part)
        return hidden

    def _branch(self, head: str, root: Step, out: str, hidden: Set[Step] = frozenset()) -> None:
        """Statements under a condition; their own places are free afterwards."""
        lines, codes, holds, places = self.lines, self.codes, dict(self.holds), set(self.places)
        free = {axes: list(names) for axes, names in self.free.items()}
        self.lines, self.codes = [], {s: code for s, code in codes.items() if s not in hidden}
        self._write_to(root, out)
        inside, self.lines, self.codes, self.holds = self.lines, lines, codes, holds
        self.lines += [head, *(f"    {line}" for line in inside)]
        self.free = free
        for name in self.places:
            if name not in places:
                self.give(name, self.axes[name])

    def _write_to(self, root: Step, out: str) -> None:
        """The statements of a step and of all that it needs; the result goes to a place."""
        for s in certain([root]):
            if s in self.codes:
                continue
            is_result = s is root and s.op not in VIEWS
            code = self.into(s, out) if is_result else self.code(s)
            self.codes[s] = self._placed(s, code)
        if self.codes[root].text != out:
            self.lines.append(f"{out}[...] = {self.codes[root].text}")


def owners(steps: Iterable[Step]) -> dict[Step, None]:
    """The steps whose memory is read, seen through views, in a certain order."""
    arrays, stack = dict[Step, None](), list(steps)
    while stack:
        a = stack.pop()
        if a.op in VIEWS:
            stack += a.args
        else:
            arrays[a] = None
    return arrays


def _is_array(a: Step) -> bool:
    return bool(a.axes) or a.op == "factor"


def _ends(order: list[Step], roots: Iterable[Step]) -> dict[Step, list[Step]]:
    """The steps that each step uses for the last time; what is returned is never over."""
    last: dict[Step, Step] = {}
    for s in order:
        last.update(dict.fromkeys(owners(_read_by(s)), s))
        last.setdefault(s, s)
    returned = owners(roots)
    ends: dict[Step, list[Step]] = {}
    for a, s in last.items():
        if a not in returned:
            ends.setdefault(s, []).append(a)
    return ends


def _read_by(s: Step) -> Sequence[Step]:
    """The arguments of a step; of several orders, those of all steps in them."""
    if s.op != "choose":
        return s.args
    return [b for step in reachable(s.args) for b in (*step.args, step)]


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
