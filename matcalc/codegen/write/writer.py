"""The writer: a plan as the source of a function, in any dialect.

A step that is used once stays inside the expression that uses it; one that is shared has a line of
its own. Where the dialect allows it a function of entries overwrites a temporary that nothing else
needs. Orders that only the sizes can decide become conditional expressions.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

from ...expr import Expr, declared_text, own_axes
from ...expr.parts import Range
from ...expr.sizes import Size, linear
from ...labels.roots import Root
from ...tables.functions import BY_NAME
from ..plan.order import cheaper, tree_cost
from ..plan.planner import Plan
from ..plan.steps import (
    VIEWS,
    Step,
    certain,
    is_gram,
    is_symmetric,
    memory_of,
    reachable,
    shared_products,
    use_counts,
)
from .dialect import Dialect, template
from .source import (
    ATOM,
    POWER,
    PRODUCT,
    SIGN,
    SUM,
    Code,
    Source,
    level_of,
    negated,
    number,
    size_text,
    with_term,
)

DEEPEST = 12  # nesting of brackets in one line: more cannot be read, and parsers have a limit
LONGEST = 40  # terms in one line of code
WIDEST = 100  # characters in one line, where there is a choice
SHOWN = 60  # nodes of a formula in a docstring; a longer one says less than its name
WORDS = re.compile(r"\w+")
NAMES = re.compile(r"(?<![\w.])\w+")  # no attributes
# names that the code itself uses
OF_CODE = ("dtype", "device", "len", "range", "isinstance", "float", "int")
OF_NUMBERS = frozenset({"arg", "num", "size", "add", "mul", "pow", "power"})
OVERWRITES = re.compile(r"[\w.]+\(\{0\}\)")
TRANSPOSED_NAME = re.compile(r"\w+(\.T|')")  # X.T, and X' in MATLAB
SLOT = re.compile(r"([{<«])(\d+)[}>»]")  # an argument in a template
# how tightly an argument must bind that stands in such brackets, or else get brackets of its own
LEVELS = {"{": SUM - 1, "<": ATOM, "«": SIGN}


def write(plan: Plan, dialect: Dialect, name: str, several: bool) -> Source:
    """The source of a function of the variables of a plan."""
    if dialect.change is not None:
        plan = dialect.change(plan)
    return Writer(plan, dialect).source(name, several)


class Writer:
    """Writes one function."""

    def __init__(self, plan: Plan, dialect: Dialect) -> None:
        self.plan, self.dialect = plan, dialect
        self.variables = list(plan.variables)
        self.order = certain(plan.roots)
        steps = reachable(plan.roots)
        self.uses = use_counts(steps, plan.roots)
        # those without a text are among the helpers
        self.kernels = {s.data[0]: s.data[1] for s in steps if s.op == "kernel" and s.data[1]}
        self.codes: dict[Step, Code] = {}
        self.shared = shared_products(self.order)
        self.lines: list[str] = []
        self.taken: set[str] = set()
        self.names: dict[Any, str] = {v: self.fresh(v.name) for v in plan.variables}
        self.mentioned: dict[str, None] = {}
        self.needs_dtype = False

    # ---- names -----------------------------------------------------------------------------------

    def fresh(self, wish: str) -> str:
        """A name that nothing has yet: the wish, or the wish with a number."""
        name, i = wish, 1
        while name in self.taken or self._is_reserved(name):
            name, i = f"{wish}_{i}", i + 1
        self.taken.add(name)
        return name

    def _is_reserved(self, name: str) -> bool:
        """Tell if a name has a meaning in the source, or may be that of a temporary."""
        may_be_temporary = bool(self.lines) and re.fullmatch(r"t\d+", name) is not None
        return may_be_temporary or self.has_meaning(name)

    def has_meaning(self, name: str) -> bool:
        """Tell if the source has a name already: a word of the language, or of the dialect."""
        if keyword.iskeyword(name) or name in (*OF_CODE, self.dialect.module):
            return True
        helpers = self.dialect.helpers
        if any(name in names for names in (helpers, helpers.imports, self.dialect.imports)):
            return True
        return name in self.kernels or name in WORDS.findall("\n".join(self.dialect.head))

    def temporary(self) -> str:
        """The next free one of t1, t2, …"""
        i = 1
        while f"t{i}" in self.taken:
            i += 1
        self.taken.add(f"t{i}")
        return f"t{i}"

    def size(self, size: Size) -> str:
        return size_text(size, self._atom)

    def _atom(self, atom: str) -> str:
        if atom not in self.names:
            self.names[atom] = self.fresh(atom)
        self.mentioned[atom] = None
        return self.names[atom]

    def length(self, size: Size) -> str:
        """A length that stands alone."""
        return size_text(size, self._atom, alone=True)

    def slice(self, indices: Range) -> str:
        """An index, or a slice."""
        start, stop = self.length((indices.start,)), self.length((indices.stop,))
        if not indices.width:
            return start
        return f":{stop}" if start == "0" else f"{start}:{stop}"

    def shape(self, axes: Iterable[Size]) -> str:
        sizes = [self.size(s) for s in axes]
        return f"({', '.join(sizes)}{',' * (len(sizes) == 1)})"

    # ---- the function ----------------------------------------------------------------------------

    def source(self, name: str, several: bool) -> Source:
        """The function, with the docstring, helpers and imports that it needs."""
        body = self.body(several, own=True)
        shown = self._shown()
        hidden = [a for a in self.mentioned if a not in shown]
        parameters = {self.names[v]: v.name for v in self.variables}
        parameters |= {self.names[a]: a for a in hidden}
        text = self._assembled(f"def {name}({', '.join(parameters)}):", body)
        return Source(text, name, parameters, self.plan.exprs, tuple(self.variables), tuple(hidden))

    def body(self, several: bool, own: bool = False) -> list[str]:
        """The lines of the function; with ``own`` its results share no memory with anything."""
        for step in self.order:
            self.codes[step] = self._placed(step, self.code(step))
        results = list(self._results()) if own else [self.codes[r].text for r in self.plan.roots]
        self._find_sizes()
        comma = "," if several and len(results) == 1 else ""
        return self._body(f"return {', '.join(results)}{comma}")

    def _results(self) -> Iterator[str]:
        """The results, each in memory of its own that may be written to."""
        taken = set[Step]()
        for root in self.plan.roots:
            memory = memory_of(root)
            shared = memory.op == "arg" or memory in taken or root.op == "diagonal"
            taken.add(memory)
            if _is_constant(root):
                yield self.filled(self.dialect.number, replace(root, args=(root,))).text
            elif self.dialect.copy and shared and (root.axes or self.dialect.scalars):
                yield self.filled(self.dialect.copy, replace(root, args=(root,))).text
            else:
                yield self.codes[root].text

    def _find_sizes(self) -> None:
        """Ask for a known variable rather than for a size that it shows."""
        for v in self.plan.known:
            hidden = self.mentioned.keys() - self._shown().keys()
            if not hidden.isdisjoint(map(_name_shown, own_axes(v))):
                self.names[v] = self.fresh(v.name)
                self.variables.append(v)
        self.variables.sort(key=lambda v: v.name)

    def _body(self, result: str) -> list[str]:
        """The lines under the signature: docstring, opening, types, sizes, steps, result."""
        lines = [*self.lines, result]
        arrays = [self.names[v] for v in sorted(self.variables, key=lambda v: v.is_scalar)]
        if self.needs_dtype:
            lines.insert(0, self._dtype(arrays))
        if self.dialect.opening:
            lines.insert(0, self._opening(arrays))
        return [f"    {line}" if line else "" for line in [*self._doc(), *self._sizes(), *lines]]

    def _opening(self, arrays: list[str]) -> str:
        """The first line, which finds the library of the arrays; that is NumPy without arrays."""
        if not arrays:
            return "import numpy as xp"
        return self.dialect.opening.format(first=arrays[0])

    def _dtype(self, names: list[str]) -> str:
        """The line that finds the type of the result.

        Numbers of Python have the type of the arrays, and their own alone.
        """
        if not names:
            return self.dialect.no_dtype
        alone = all(v.is_scalar for v in self.variables)
        every = [self.dialect.lone.replace("{0}", name) if alone else name for name in names]
        return self.dialect.dtype.format(first=names[0], all=", ".join(every))

    def _sizes(self) -> list[str]:
        """Lines that read the sizes off the arguments, both of a matrix at once."""
        shown = self._shown()
        unread = [a for a in self.mentioned if a in shown]
        lines = []
        for v in self.variables:
            pair = _pair_shown(v)
            if pair and set(pair) <= set(unread):
                lines.append(f"{', '.join(self.names[a] for a in pair)} = {self.names[v]}.shape")
                unread = [a for a in unread if a not in pair]
        return lines + [f"{self.names[a]} = {shown[a]}" for a in unread]

    def _assembled(self, signature: str, body: list[str]) -> str:
        """The imports and helpers that occur, then the function."""
        kernels = self.kernels.values()
        code = "\n".join(body).rpartition('"""')[2]  # a docstring calls nothing
        helpers, names = self.dialect.helpers.needed(NAMES.findall("\n".join([*kernels, code])))
        brought = {**self.dialect.helpers.imports, **self.dialect.imports}
        imports = [line for name, line in brought.items() if name in names]
        head = [*self.dialect.head, *dict.fromkeys(imports), "", ""]
        functions = [f"{function}\n\n" for function in (*helpers, *kernels)]
        return "\n".join([*head, *functions, signature, *body, ""])

    def _shown(self) -> dict[str, str]:
        """The place that each named size can be read from."""
        axes = [
            (size, f"{self.names[v]}.shape[{i}]")
            for v in self.variables
            for i, size in enumerate(own_axes(v))
        ]
        axes.sort(key=lambda axis: not _is_name(axis[0]))  # n itself before n + 1
        shown: dict[str, str] = {}
        for size, length in axes:
            name = _name_shown(size)
            if name is not None and name not in shown:
                shown[name] = _solved(size, length)
        return shown

    def _doc(self) -> list[str]:
        """The formulas and the shapes."""
        formulas = [_formula(r) for r in self.plan.exprs]
        if not formulas:
            return []
        shapes = ", ".join(f"{self.names[v]}: {declared_text(v)}" for v in self.variables)
        first, *rest = [*formulas, "", shapes] if shapes else formulas
        return [f'"""{first}', *rest, '"""'] if rest else [f'"""{first}"""']

    # ---- placing ---------------------------------------------------------------------------------

    def _placed(self, step: Step, code: Code) -> Code:
        """A name for a step that is shared, deep or wide."""
        if _is_plain(step, code):
            return code
        wide = len(code.text) > WIDEST and bool(step.axes)
        named = step.op == "choose" or self.uses[step] > 1 or code.depth >= DEEPEST or wide
        return self.named(code) if named else code

    def keep(self, text: str) -> str:
        """The name of a new line that computes an expression."""
        name = self.temporary()
        self.lines.append(f"{name} = {text}")
        return name

    def named(self, code: Code) -> Code:
        """The same value under a name."""
        return Code(self.keep(code.text), ATOM)

    def of(self, step: Step) -> Code:
        """The code of a step; one that only some sizes need is written where it is used."""
        code = self.codes.get(step)
        return self.code(step) if code is None else code

    def listed(self, steps: Iterable[Step]) -> str:
        """The codes of steps, separated by commas."""
        return ", ".join(self.of(a).text for a in steps)

    def sizes(self, size: Size) -> str:
        """The atoms of a size, separated by commas."""
        return ", ".join(self.size((a,)) for a in size)

    # ---- one step --------------------------------------------------------------------------------

    def code(self, step: Step) -> Code:
        special = _SPECIAL.get(step.op)
        code = special(self, step) if special is not None else self._called(step)
        if self.dialect.plain and self._is_called(step, code) and _is_constant(step):
            code = Code(self.dialect.plain.replace("{0}", code.text), ATOM)
        depth = 1 + max((self.codes[a].depth for a in step.args if a in self.codes), default=0)
        return Code(code.text, code.level, depth if step.args else 0)

    def _is_called(self, step: Step, code: Code) -> bool:
        """Whether the value is what a function of the target returns."""
        power = self.dialect.power
        return step.op == "fn" or (bool(power) and code.text.startswith(f"{power}("))

    def _called(self, step: Step) -> Code:
        return self.filled(self.dialect.calls[self._key(step)], step)

    def _key(self, step: Step) -> str:
        """The key of an operation in the dialect, the most special that there is."""
        keys = [f"{step.op} {step.data}"]
        if step.op in _FACTORED:
            kind = step.args[0].data
            keys = [f"{step.op} {kind} {step.data}", f"{step.op} {kind}", *keys]
        return next((key for key in keys if key in self.dialect.calls), step.op)

    def filled(self, text: str, step: Step) -> Code:
        """A template with the codes of the arguments."""
        if text == "{0}":
            return self.of(step.args[0])
        text = self._with_data(text, step)
        slots = SLOT.findall(text)
        for i, a in enumerate(step.args):
            if sum(int(k) == i for _, k in slots) > 1:
                self._name_array(a)

        def code(slot: re.Match[str]) -> str:
            return self.of(step.args[int(slot[2])]).at(LEVELS[slot[1]])

        return Code(SLOT.sub(code, text), level_of(text))

    def _with_data(self, text: str, step: Step) -> str:
        """A template with the shape, the length and the data of a step."""
        if "dtype" in text:
            self.needs_dtype = True
        if "{shape}" in text:
            text = text.replace("{shape}", self.shape(step.axes))
        if "{length}" in text:
            text = text.replace("{length}", self.size(step.axes[0] if step.axes else ()))
        return text.replace("{data}", str(step.data))

    def _name_array(self, a: Step) -> None:
        """Give an array that is read twice a line of its own."""
        code = self.codes.get(a)
        if code is not None and not a.is_scalar and not code.text.isidentifier():
            self.codes[a] = self.named(code)

    def fn(self, step: Step) -> Code:
        """A function of the table; it overwrites a temporary where that can be seen to be safe."""
        row = BY_NAME.get(step.data)
        text = self.dialect.calls[step.data] if row is None else template(row, self.dialect)
        if row is not None and row.elementwise and self._can_overwrite(step, text):
            name = self.of(step.args[0]).text
            name = name if name.isidentifier() else self.keep(name)
            self.lines.append(text.replace("({0})", f"({name}, out={name})"))
            return Code(name, ATOM)
        return self.filled(self._with_constants(text, step), step)

    def _can_overwrite(self, step: Step, text: str) -> bool:
        """Whether an elementwise function is the last to need its argument, and can write to it."""
        if not self.dialect.in_place or OVERWRITES.fullmatch(text) is None:
            return False
        arg = step.args[0]
        return not self._is_helper(text) and self._dies(arg) and arg.axes == step.axes

    def _with_constants(self, text: str, step: Step) -> str:
        """A template whose functions take numbers for arrays where the target wants that."""
        if self.dialect.constant == "{0}":
            return text
        for i, a in enumerate(step.args):
            if self._is_bare(step, i):
                constant = self.dialect.constant.replace("{0}", self.of(a).text)
                text = text.replace(f"{{{i}}}", constant).replace(f"<{i}>", constant)
        return text

    def _is_bare(self, step: Step, i: int) -> bool:
        """Whether an argument is a number that a function takes for an array.

        The last one is, before it stands an order.
        """
        row = BY_NAME.get(step.data)
        if row is not None and row.second:
            return _is_constant(step.args[i])
        return i == len(step.args) - 1 and _is_constant(step)

    def _is_helper(self, text: str) -> bool:
        """Whether a function comes with the source and cannot be told where to write."""
        return "out=None" not in self.dialect.helpers.get(text.split("(")[0], "out=None")

    def _dies(self, arg: Step) -> bool:
        """Whether a temporary is an array of its own that this use ends."""
        return arg.fresh and self.uses[arg] == 1 and arg in self.codes and arg.op != "choose"

    def einsum(self, step: Step) -> Code:
        text = self.dialect.calls["einsum"].replace("{data}", step.data)
        text = text.replace("{arrays}", self.listed(step.args))
        optimize = ", optimize=True" if len(step.args) > 2 else ""
        return Code(text.replace("{optimize}", optimize), ATOM)

    def add(self, step: Step) -> Code:
        """A sum with its signs between the terms; a long one in several lines."""
        written_over = self._written_over(step)
        if written_over is not None:
            return written_over
        total = ""
        for i, (k, a) in enumerate(zip(step.data, step.args, strict=True)):
            if i and i % LONGEST == 0:
                total = self.keep(total)
            code = self.term(abs(k), a, step)
            text = code.at(PRODUCT) if total or k < 0 else code.text
            total = with_term(total, negated(text) if k < 0 else text)
        return Code(total, SUM)

    def _written_over(self, step: Step) -> Code | None:
        """An outer product added to an inverse, and written over that.

        The inverse has a factor, or nothing else waits for it.
        """
        if "plus_outer" not in self.dialect.helpers or step not in self.order:
            return None
        if sorted(a.op for a in step.args) != ["inverse", "outer"]:
            return None
        terms = sorted(zip(step.data, step.args, strict=True), key=lambda term: term[1].op)
        (k, inverse), (c, outer) = terms
        if self.uses[outer] > 1 or self.of(outer).text.isidentifier():
            return None
        if k == 1 and not self._ends(inverse, step, outer):
            return None
        first = self.term(k, inverse, step).text
        return Code(f"plus_outer({first}, {number(c)}, {self.listed(outer.args)})", ATOM)

    def _ends(self, matrix: Step, step: Step, outer: Step) -> bool:
        """Whether nothing waits for a matrix but a step, and the outer product in it.

        Others that need it must have a line of their own already, and be no views.
        """
        if matrix in self.plan.roots:
            return False
        users = {s for s in reachable(self.plan.roots) if matrix in s.args}
        inside = {step, *(s for s in outer.args if self.uses[s] == 1)}
        return all(map(self._has_line, users - inside))

    def _has_line(self, s: Step) -> bool:
        """Whether a step is an array of its own that has been computed."""
        is_named = s in self.codes and self.codes[s].text.isidentifier()
        return is_named and s.op != "choose" and s.op not in VIEWS

    def term(self, k: Fraction, a: Step, total: Step) -> Code:
        """A multiple of a step, in a sum; numbers as the arrays like them best."""
        if a.op == "num" and total.axes:
            return Code(self.literal(k * a.data, True), PRODUCT)
        if k == 1:
            return self.of(a)
        return Code(f"{self.literal(k, bool(a.axes))}*{self.of(a).at(SIGN)}", PRODUCT)

    def literal(self, k: Fraction, beside_array: bool) -> str:
        """A number as source.

        An array takes a third less time for 2.0*x than for 2*x where the target is NumPy.
        """
        if beside_array and self.dialect.in_place and k.denominator == 1:
            return f"{k}.0"
        return number(k)

    def mul(self, step: Step) -> Code:
        """A product: scalars first, so that they meet before they meet an array."""
        coefficient, above = step.data
        over, under = step.args[:above], step.args[above:]
        scalars = self._scalar_factors(step)
        # without a scalar above them, scalars divide the arrays
        early = [b for b in under if b.is_scalar] if scalars else []
        late = [b for b in under if b not in early]
        front = "*".join(scalars) + self._divisors(early)
        arrays = self._array_factors([a for a in over if not a.is_scalar])
        text = "*".join(filter(None, (front, *arrays))) or "1"
        text += self._divisors(late)
        return Code(f"-{text}" if coefficient < 0 else text, PRODUCT)

    def _scalar_factors(self, step: Step) -> list[str]:
        """The coefficient, unless it is 1, and the scalars that multiply."""
        coefficient, above = step.data
        scalars = [self.of(a).at(SIGN) for a in step.args[:above] if a.is_scalar]
        if abs(coefficient) == 1:
            return scalars
        only_arrays = bool(step.axes) and not any(a.is_scalar for a in step.args)
        return [self.literal(abs(coefficient), only_arrays), *scalars]

    def _array_factors(self, arrays: list[Step]) -> list[str]:
        """Arrays, then step functions, which select from the arrays if there are others."""
        plain = [a for a in arrays if a.data != "step"]
        steps = [a for a in arrays if a.data == "step"]
        if not plain:
            return [self.of(a).at(SIGN) for a in steps]
        return [self.of(a).at(SIGN) for a in plain] + [self._mask(a) for a in steps]

    def _divisors(self, steps: Iterable[Step]) -> str:
        return "".join(f"/{self.of(b).at(SIGN)}" for b in steps)

    def _mask(self, step: Step) -> str:
        """A step function as a comparison, where the dialect multiplies by truth values."""
        argument = step.args[0]
        if self.dialect.in_place and argument in self.codes:
            return f"({self.of(argument).at(PRODUCT)} > 0)"
        return self.of(step).at(SIGN)

    def pow(self, step: Step) -> Code:
        """A power with a number as exponent; a root of what may be negative by a function."""
        base, k = step.args[0], step.data
        if k == Fraction(1, 2) and not _is_constant(base):
            return self.filled(self.dialect.calls["sqrt"], step)
        exponent = number(k)
        is_root = k.denominator > 1 and _may_be_negative(base)
        if is_root and self.dialect.power:
            return Code(f"{self.dialect.power}({self.of(base).text}, {exponent})", ATOM)
        code = self.of(base)
        if is_root and _is_constant(base):
            code = self.filled(self.dialect.constant, step)
        exponent = exponent if exponent.isdigit() else f"({exponent})"
        return Code(f"{code.at(ATOM)}**{exponent}", POWER)

    def number_power(self, step: Step) -> Code:
        """A power with another exponent."""
        base, exponent = (self.of(a) for a in step.args)
        if self.dialect.power and all(map(_is_number, step.args)) and not _is_constant(step):
            return Code(f"{self.dialect.power}({base.text}, {exponent.text})", ATOM)
        return Code(f"{base.at(ATOM)}**{exponent.at(ATOM)}", POWER)

    def shift(self, step: Step) -> Code:
        """Something added to the diagonal: in place if the matrix is a temporary."""
        matrix, shift = step.args
        text = self.dialect.calls["shift" if shift.is_scalar else "shift diag"]
        if shift.op == "num" and shift.data == 1:
            text = text.replace("«1»*", "")
        if self.dialect.in_place and not self._dies(matrix):
            text = text.replace("{0}", "<0>.copy()", 1)
        return self.filled(text, step)

    def choose(self, step: Step) -> Code:
        """The cheapest order for the sizes at hand."""
        for part in self.shared.get(step, ()):
            if part not in self.codes:
                tests = self._tests_of_part(step, part)
                text = f"{self.of(part).text} if {' or '.join(tests)} else None"
                self.codes[part] = Code(self.keep(text), ATOM)
        *orders, last = step.args
        tests = self._tests(step)[:-1]
        text = self.of(last).text
        for order, test in reversed(list(zip(orders, tests, strict=True))):
            text = f"{self.of(order).at(SUM)} if {test} else {text}"
        return Code(text, SUM - 1)

    def _tests_of_part(self, step: Step, part: Step) -> list[str]:
        """When a product that several orders have in common is needed, each reason once."""
        return list(dict.fromkeys(self._tests(other)[i] for other, i in self.shared[step][part]))

    def _tests(self, step: Step) -> list[str]:
        """When each order is the cheapest, if those before it are not; the last is what is left."""
        trees, items = step.data
        costs = [tree_cost(tree, items) for tree in trees]
        tests = []
        for i, cost in enumerate(costs[:-1]):
            comparisons = [cheaper(cost, other, self.size) for other in costs[i + 1 :]]
            tests.append(" and ".join(comparisons))
        if len(tests) == 1:
            return [*tests, tests[0].replace("<=", ">")]
        return [*tests, f"not ({' or '.join(tests)})"]


def _formula(root: Root) -> str:
    return str(root) if root.count <= SHOWN else f"an expression of {root.count} nodes"


def _is_plain(step: Step, code: Code) -> bool:
    """Whether the code of a step is a name, a number or a transpose, and needs no line."""
    if step.op in ("arg", "num", "size") or code.text.isidentifier():
        return True
    return step.op == "T" and TRANSPOSED_NAME.fullmatch(code.text) is not None


def _is_constant(step: Step) -> bool:
    """Whether a scalar hangs on no argument."""
    return all(s.op != "arg" and s.is_scalar for s in reachable([step]))


def _is_number(step: Step) -> bool:
    """Whether a step may be a number of Python's.

    A root of a negative one is complex there, and no nan.
    """
    return step.is_scalar and all(s.op in OF_NUMBERS for s in reachable([step]))


def _may_be_negative(step: Step) -> bool:
    """Whether it may be a negative number of Python's; sizes are none, their differences may be."""
    if step.op == "num" or not _is_number(step):
        return False
    return any(s.op in ("arg", "num", "add") for s in reachable([step]))


# ---- operations that are no call -----------------------------------------------------------------


def _argument(w: Writer, s: Step) -> Code:
    return Code(w.names[s.data], ATOM)


def _number(w: Writer, s: Step) -> Code:
    text = number(s.data)
    if s.data < 0:
        return Code(text, SIGN)
    return Code(text, PRODUCT if "/" in text else ATOM)


def _size(w: Writer, s: Step) -> Code:
    return Code(w.size((s.data,)), ATOM)


def _pi(w: Writer, s: Step) -> Code:
    return Code(f"{w.dialect.module}.pi", ATOM)


def _transpose(w: Writer, s: Step) -> Code:
    return Code(f"{w.of(s.args[0]).at(ATOM)}.T", ATOM)


def _column(w: Writer, s: Step) -> Code:
    return Code(f"{w.of(s.args[0]).at(ATOM)}[:, None]", ATOM)


def _item(w: Writer, s: Step) -> Code:
    return Code(f"{w.of(s.args[0]).at(ATOM)}[{s.data}]", ATOM)


def _embed(w: Writer, s: Step) -> Code:
    """Neighbouring rows in their place among zeros."""
    start, length = w.length((s.data.start,)), w.length(s.axes[0])
    return Code(f"embed({w.of(s.args[0]).text}, {start}, {length})", ATOM)


def _concatenation(w: Writer, s: Step) -> Code:
    return w.filled(w.dialect.calls["concat"].replace("{arrays}", w.listed(s.args)), s)


def _reshaped(w: Writer, s: Step) -> Code:
    return w.filled(w.dialect.calls["reshape"], s)


def _shifts(w: Writer, s: Step) -> Code:
    return w.filled(w.dialect.calls["shifts"].replace("{sizes}", w.sizes(s.axes[1])), s)


def _commutation(w: Writer, s: Step) -> Code:
    return w.filled(w.dialect.calls["commutation"].replace("{sizes}", w.sizes(s.axes[0])), s)


def _dot(w: Writer, s: Step) -> Code:
    """A product by ``@``, or by the library that has factored a matrix of the same function."""
    call = w.dialect.calls.get("dot")
    if call is not None and len(s.axes) == 2 and any(x.op == "factor" for x in w.order):
        return _symmetric_product(w, s) if is_symmetric(s) else w.filled(call, s)
    a, b = s.args
    if w.dialect.vector_first and a.op == "T" and len(s.axes) == 1:
        a, b = b, a.args[0]
    return Code(f"{w.of(a).at(PRODUCT)} @ {w.of(b).at(SIGN)}", PRODUCT)


def _rows(w: Writer, s: Step) -> Code:
    """Neighbouring rows; where a library slices every axis, the other axes are written too."""
    others = ", :" * (len(s.args[0].axes) - 1) if w.dialect.every_axis else ""
    return Code(f"{w.of(s.args[0]).at(ATOM)}[{w.slice(s.data)}{others}]", ATOM)


def _outer(w: Writer, s: Step) -> Code:
    call = w.dialect.calls.get("outer")
    if call:
        return w.filled(call, s)
    u, v = s.args
    return Code(f"{w.of(u).at(ATOM)}[:, None]*{w.of(v).at(SIGN)}", PRODUCT)


def _symmetric_product(w: Writer, s: Step) -> Code:
    """A product with its own transpose, or with that and a symmetric matrix between them."""
    a, b = s.args
    if is_gram(s):
        return Code(w.dialect.calls["gram"].replace("{0}", w.of(b).text), ATOM)
    if a.op != "dot" or w.uses[a] > 1 or w.of(a).text.isidentifier():
        return w.filled(w.dialect.calls["dot"], s)
    call = w.dialect.calls["sandwich"].replace("{0}", w.of(a.args[1]).text)
    return Code(call.replace("{1}", w.of(b).text), ATOM)


def _kernel(w: Writer, s: Step) -> Code:
    """A function that the source brings along, called with its arguments or in a way of its own."""
    name, _, *call = s.data
    if call:
        return w.filled(call[0], s)
    return Code(f"{name}({w.listed(s.args)})", ATOM)


# ---- sizes that arguments show -------------------------------------------------------------------


def _is_name(size: Size) -> bool:
    return size == (_name_shown(size),)


def _name_shown(size: Size) -> str | None:
    """The name whose length that of an axis shows."""
    parts = linear(size)
    return None if parts is None else parts[0]


def _pair_shown(v: Expr) -> list[str]:
    """The names of both sizes of a matrix, if they are two names."""
    axes = own_axes(v)
    if len(axes) != 2 or axes[0] == axes[1]:
        return []
    return [str(size[0]) for size in axes] if all(map(_is_name, axes)) else []


def _solved(size: Size, length: str) -> str:
    """The length of the name in a size k*n + c, as source."""
    parts = linear(size)
    assert parts is not None
    _, k, c = parts
    if c:
        length = f"{length} {'-' if c > 0 else '+'} {abs(c)}"
    if k == 1:
        return length
    return f"({length})//{k}" if c else f"{length}//{k}"


# steps whose call is another for each kind of factor
_FACTORED = frozenset({"solve", "inverse", "det", "logdet", "adjugate"})
_SPECIAL: dict[str, Callable[[Writer, Step], Code]] = {
    "arg": _argument,
    "num": _number,
    "size": _size,
    "pi": _pi,
    "T": _transpose,
    "col": _column,
    "item": _item,
    "rows": _rows,
    "embed": _embed,
    "concat": _concatenation,
    "reshape": _reshaped,
    "shifts": _shifts,
    "commutation": _commutation,
    "dot": _dot,
    "outer": _outer,
    "kernel": _kernel,
    "fn": Writer.fn,
    "einsum": Writer.einsum,
    "add": Writer.add,
    "mul": Writer.mul,
    "pow": Writer.pow,
    "power": Writer.number_power,
    "shift": Writer.shift,
    "choose": Writer.choose,
}
