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

from ...expr import declared_text, own_axes
from ...expr.parts import Range
from ...expr.sizes import Size, linear
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
from .source import ATOM, POWER, PRODUCT, SIGN, SUM, Code, Source, level_of, number, size_text

DEEPEST = 12  # nesting of brackets in one line of code
LONGEST = 40  # terms or factors in one line of code
WIDEST = 100  # characters in one line, where there is a choice
SHOWN = 60  # nodes of a formula in a docstring
WORDS = re.compile(r"\w+")
NAMES = re.compile(r"(?<![\w.])\w+")  # no attributes
# names that the code itself uses
OF_CODE = ("dtype", "device", "len", "range", "isinstance", "float", "int")
OF_NUMBERS = frozenset({"arg", "num", "size", "add", "mul", "pow", "power"})
OVERWRITES = re.compile(r"[\w.]+\(\{0\}\)")


def write(plan: Plan, dialect: Dialect, name: str, several: bool) -> Source:
    """The source of a function of the variables of a plan."""
    return Writer(plan if dialect.change is None else dialect.change(plan), dialect).source(
        name, several
    )


class Writer:
    """Writes one function."""

    def __init__(self, plan: Plan, dialect: Dialect) -> None:
        self.plan, self.dialect = plan, dialect
        self.variables = list(plan.variables)
        self.order = certain(plan.roots)
        whole = reachable(plan.roots)
        self.uses = use_counts(whole, plan.roots)
        # those without a text are among the helpers
        self.kernels = {s.data[0]: s.data[1] for s in whole if s.op == "kernel" and s.data[1]}
        self.codes: dict[Step, Code] = {}
        self.shared = shared_products(self.order)
        self.lines: list[str] = []
        self.taken: set[str] = set()
        self.names: dict[Any, str] = {v: self.fresh(v.name) for v in plan.variables}
        self.mentioned: dict[str, None] = {}
        self.needs_dtype = False

    # ---- names -----------------------------------------------------------------------------------

    def fresh(self, wish: str) -> str:
        name, i = wish, 1
        while name in self.taken or self._reserved(name):
            name, i = f"{wish}_{i}", i + 1
        self.taken.add(name)
        return name

    def _reserved(self, name: str) -> bool:
        brought = WORDS.findall("\n".join(self.dialect.head))
        known = {
            *OF_CODE,
            self.dialect.module,
            *brought,
            *self.dialect.helpers,
            *self.dialect.helpers.imports,
            *self.dialect.imports,
            *self.kernels,
        }
        return (
            keyword.iskeyword(name)
            or name in known
            or bool(re.fullmatch(r"t\d+", name) and self.lines)
        )

    def temporary(self) -> str:
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

    def slice(self, places: Range) -> str:
        """An index, or a slice."""
        start, stop = self.length((places.start,)), self.length((places.stop,))
        return f"{'' if start == '0' else start}:{stop}" if places.width else start

    def shape(self, axes: Iterable[Size]) -> str:
        sizes = [self.size(s) for s in axes]
        return f"({', '.join(sizes)}{',' * (len(sizes) == 1)})"

    # ---- the function ----------------------------------------------------------------------------

    def source(self, name: str, several: bool) -> Source:
        body = self.body(several, own=True)
        shown = self._shown()
        hidden = [a for a in self.mentioned if a not in shown]
        parameters = {self.names[v]: v.name for v in self.variables} | {
            self.names[a]: a for a in hidden
        }
        text = self._assembled(f"def {name}({', '.join(parameters)}):", body)
        return Source(text, name, parameters, self.plan.exprs, tuple(self.variables), tuple(hidden))

    def body(self, several: bool, own: bool = False) -> list[str]:
        """The lines of the function; with ``own`` its results share no memory with anything."""
        for step in self.order:
            self.codes[step] = self._placed(step, self.code(step))
        results = list(self._results()) if own else [self.codes[r].text for r in self.plan.roots]
        self._find_sizes()
        return self._body(f"return {', '.join(results)}" + "," * (several and len(results) == 1))

    def _results(self) -> Iterator[str]:
        """The results, a copy where one lies in the memory of an argument or of another one, or
        is read-only.
        """
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
            if any(
                a in self.mentioned and a not in self._shown()
                for a in map(_name_shown, own_axes(v))
            ):
                self.names[v] = self.fresh(v.name)
                self.variables.append(v)
        self.variables.sort(key=lambda v: v.name)

    def _body(self, result: str) -> list[str]:
        lines = [*self.lines, result]
        arrays = [self.names[v] for v in sorted(self.variables, key=lambda v: v.is_scalar)]
        if self.needs_dtype:
            lines.insert(0, self._dtype(arrays))
        if self.dialect.opening:
            lines.insert(
                0, self.dialect.opening.format(first=arrays[0]) if arrays else "import numpy as xp"
            )
        return [f"    {line}" if line else "" for line in [*self._doc(), *self._sizes(), *lines]]

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
        wanted, lines = [a for a in self.mentioned if a in shown], []
        for v in self.variables:
            pair = [size[0] for size in own_axes(v) if len(size) == 1]
            if len(pair) == 2 and pair[0] != pair[1] and all(a in wanted for a in pair):
                lines.append(f"{', '.join(self.names[a] for a in pair)} = {self.names[v]}.shape")
                wanted = [a for a in wanted if a not in pair]
        return lines + [f"{self.names[a]} = {shown[a]}" for a in wanted]

    def _assembled(self, signature: str, body: list[str]) -> str:
        kernels = self.kernels.values()
        code = "\n".join(body).rpartition('"""')[2]  # a docstring calls nothing
        helpers, names = self.dialect.helpers.needed(NAMES.findall("\n".join([*kernels, code])))
        brought = {**self.dialect.helpers.imports, **self.dialect.imports}
        imports = dict.fromkeys(line for name, line in brought.items() if name in names)
        functions = [*helpers, *kernels]
        return "\n".join(
            [
                *self.dialect.head,
                *imports,
                "",
                "",
                *(f"{function}\n\n" for function in functions),
                signature,
                *body,
                "",
            ]
        )

    def _shown(self) -> dict[str, str]:
        """Where each named size can be read from."""
        shown: dict[str, str] = {}
        axes = [
            (size, f"{self.names[v]}.shape[{i}]")
            for v in self.variables
            for i, size in enumerate(own_axes(v))
        ]
        # n itself before n + 1
        for size, length in sorted(axes, key=lambda axis: axis[0] != (_name_shown(axis[0]),)):
            if (name := _name_shown(size)) is not None:
                shown.setdefault(name, _solved(size, length))
        return shown

    def _doc(self) -> list[str]:
        """The formulas and the shapes."""
        formulas = [
            str(r) if r.count <= SHOWN else f"an expression of {r.count} nodes"
            for r in self.plan.exprs
        ]
        shapes = ", ".join(f"{self.names[v]}: {declared_text(v)}" for v in self.variables)
        if not formulas:
            return []
        first, *rest = [*formulas, *(["", shapes] if shapes else [])]
        return [f'"""{first}', *rest, '"""'] if rest else [f'"""{first}"""']

    # ---- placing ---------------------------------------------------------------------------------

    def _placed(self, step: Step, code: Code) -> Code:
        """A name for what is shared or deep."""
        if (
            step.op in ("arg", "num", "size")
            or code.text.isidentifier()
            or (step.op == "T" and code.text[:-2].isidentifier())
        ):
            return code
        wide = len(code.text) > WIDEST and bool(step.axes)
        named = step.op == "choose" or self.uses[step] > 1 or code.depth >= DEEPEST or wide
        return Code(self.keep(code.text), ATOM) if named else code

    def keep(self, text: str) -> str:
        name = self.temporary()
        self.lines.append(f"{name} = {text}")
        return name

    def of(self, step: Step) -> Code:
        """The code of a step; one that only some sizes need is written where it is used."""
        found = self.codes.get(step)
        return self.code(step) if found is None else found

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
        for key in (
            (f"{step.op} {step.args[0].data} {step.data}", f"{step.op} {step.args[0].data}")
            if step.op in _FACTORED
            else ()
        ):
            if key in self.dialect.calls:
                return self.filled(self.dialect.calls[key], step)
        key = (
            f"{step.op} {step.data}" if f"{step.op} {step.data}" in self.dialect.calls else step.op
        )
        return self.filled(self.dialect.calls[key], step)

    def filled(self, text: str, step: Step) -> Code:
        """A template with the codes of the arguments."""
        if text == "{0}":
            return self.of(step.args[0])
        if "dtype" in text:
            self.needs_dtype = True
        if "{shape}" in text:
            text = text.replace("{shape}", self.shape(step.axes))
        if "{length}" in text:
            text = text.replace("{length}", self.size(step.axes[0] if step.axes else ()))
        text = text.replace("{data}", str(step.data))
        for i, a in enumerate(step.args):
            if (
                len(re.findall(rf"[{{<«]{i}[}}>»]", text)) > 1
                and not self.of(a).text.isidentifier()
                and a in self.codes
                and not a.is_scalar
            ):
                self.codes[a] = Code(self.keep(self.codes[a].text), ATOM)
        level = {"{": SUM - 1, "<": ATOM, "«": SIGN}
        joined = re.sub(
            r"([{<«])(\d+)[}>»]",
            lambda found: self.of(step.args[int(found[2])]).at(level[found[1]]),
            text,
        )
        return Code(joined, level_of(text))

    def fn(self, step: Step) -> Code:
        """A function of the table; the temporary that it is applied to is overwritten where that
        can be seen to be safe.
        """
        row = BY_NAME.get(step.data)
        text = self.dialect.calls[step.data] if row is None else template(row, self.dialect)
        arg = step.args[0]
        ufunc = (
            row is not None
            and row.elementwise
            and OVERWRITES.fullmatch(text) is not None
            and not self._is_helper(text)
        )
        if self.dialect.in_place and ufunc and self._dies(arg) and arg.axes == step.axes:
            name = self.of(arg).text
            name = name if name.isidentifier() else self.keep(name)
            self.lines.append(text.replace("({0})", f"({name}, out={name})"))
            return Code(name, ATOM)
        for i, a in enumerate(step.args) if self.dialect.constant != "{0}" else ():
            if self._is_bare(step, i):
                number = self.dialect.constant.replace("{0}", self.of(a).text)
                text = text.replace(f"{{{i}}}", number).replace(f"<{i}>", number)
        return self.filled(text, step)

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
        text = (
            self.dialect.calls["einsum"]
            .replace("{data}", step.data)
            .replace("{arrays}", ", ".join(self.of(a).text for a in step.args))
        )
        return Code(
            text.replace("{optimize}", ", optimize=True" if len(step.args) > 2 else ""), ATOM
        )

    def add(self, step: Step) -> Code:
        if (found := self._written_over(step)) is not None:
            return found
        out = ""
        for i, (k, a) in enumerate(zip(step.data, step.args, strict=True)):
            out = self.keep(out) if i and i % LONGEST == 0 else out
            code = self.term(abs(k), a, step)
            text = code.at(PRODUCT) if out or k < 0 else code.text
            text = f"-{text}" if k < 0 and not text.startswith("-") else text[1:] if k < 0 else text
            out += text if not out else f" - {text[1:]}" if text.startswith("-") else f" + {text}"
        return Code(out, SUM)

    def _written_over(self, step: Step) -> Code | None:
        """An outer product added to a multiple of an inverse, or to an inverse that nothing else
        waits for: written over that.
        """
        if (
            "plus_outer" not in self.dialect.helpers
            or sorted(a.op for a in step.args) != ["inverse", "outer"]
            or step not in self.order
        ):
            return None
        (k, inverse), (c, product) = sorted(
            zip(step.data, step.args, strict=True), key=lambda term: term[1].op
        )
        if (
            self.uses[product] > 1
            or self.of(product).text.isidentifier()
            or (k == 1 and not self._ends(inverse, step, product))
        ):
            return None
        first = (
            self.of(inverse).text
            if k == 1
            else f"{self.literal(k, True)}*{self.of(inverse).at(SIGN)}"
        )
        arguments = [first, number(c), *(self.of(a).text for a in product.args)]
        return Code(f"plus_outer({', '.join(arguments)})", ATOM)

    def _ends(self, matrix: Step, step: Step, product: Step) -> bool:
        """Whether whatever needs a matrix beside a step, and the product in it, has a line of
        its own already and is no view.
        """
        users = [
            s
            for s in reachable(self.plan.roots)
            if matrix in s.args and s is not step and not (s in product.args and self.uses[s] == 1)
        ]
        done = all(
            s in self.codes and self.codes[s].text.isidentifier() and s.op not in (*VIEWS, "choose")
            for s in users
        )
        return done and matrix not in self.plan.roots

    def term(self, k: Fraction, a: Step, total: Step) -> Code:
        """A positive multiple of a step, in a sum; numbers as the arrays like them best."""
        if a.op == "num" and total.axes:
            return Code(self.literal(k * a.data, True), PRODUCT)
        return (
            self.of(a)
            if k == 1
            else Code(f"{self.literal(k, bool(a.axes))}*{self.of(a).at(SIGN)}", PRODUCT)
        )

    def literal(self, k: Fraction, beside_array: bool) -> str:
        """A number as source: an array takes a third less time for 2.0*x than for 2*x where the
        target is NumPy.
        """
        return (
            f"{k}.0" if beside_array and self.dialect.in_place and k.denominator == 1 else number(k)
        )

    def mul(self, step: Step) -> Code:
        """Scalars first, so that they meet before they meet an array."""
        coefficient, above = step.data
        over, under = step.args[:above], step.args[above:]
        alone = bool(step.axes) and not any(a.is_scalar for a in step.args)
        parts = [] if abs(coefficient) == 1 else [self.literal(abs(coefficient), alone)]
        parts += [self.of(a).at(SIGN) for a in over if a.is_scalar]
        text = "*".join(parts) + "".join(
            f"/{self.of(b).at(SIGN)}" for b in under if b.is_scalar and parts
        )
        plain = [a for a in over if not a.is_scalar and a.data != "step"]
        steps = [a for a in over if not a.is_scalar and a.data == "step"]
        arrays = [self.of(a).at(SIGN) for a in plain] + [
            self._mask(a) if plain else self.of(a).at(SIGN) for a in steps
        ]
        text = "*".join([text, *arrays] if text else arrays or ["1"])
        text += "".join(f"/{self.of(b).at(SIGN)}" for b in under if not (b.is_scalar and parts))
        return Code(f"-{text}" if coefficient < 0 else text, PRODUCT)

    def _mask(self, step: Step) -> str:
        """A step function that multiplies is a comparison, where the dialect multiplies by truth
        values.
        """
        return (
            f"({self.of(step.args[0]).at(PRODUCT)} > 0)"
            if self.dialect.in_place and step.args[0] in self.codes
            else self.of(step).at(SIGN)
        )

    def pow(self, step: Step) -> Code:
        base, k = step.args[0], step.data
        if k == Fraction(1, 2) and not _is_constant(base):
            return self.filled(self.dialect.calls["sqrt"], step)
        exponent = number(k)
        root = k.denominator > 1 and _may_be_negative(base)
        if root and self.dialect.power:
            return Code(f"{self.dialect.power}({self.of(base).text}, {exponent})", ATOM)
        code = (
            self.filled(self.dialect.constant, step)
            if root and _is_constant(base)
            else self.of(base)
        )
        return Code(
            f"{code.at(ATOM)}**{exponent if exponent.isdigit() else '(' + exponent + ')'}", POWER
        )

    def number_power(self, step: Step) -> Code:
        base, exponent = (self.of(a) for a in step.args)
        if self.dialect.power and all(map(_is_number, step.args)) and not _is_constant(step):
            return Code(f"{self.dialect.power}({base.text}, {exponent.text})", ATOM)
        return Code(f"{base.at(ATOM)}**{exponent.at(ATOM)}", POWER)

    def shift(self, step: Step) -> Code:
        """Something added to the diagonal: in place if the matrix is a temporary."""
        matrix, what = step.args
        text = self.dialect.calls["shift" if what.is_scalar else "shift diag"]
        if what.op == "num" and what.data == 1:
            text = text.replace("«1»*", "")
        if self.dialect.in_place and not self._dies(matrix):
            text = text.replace("{0}", "<0>.copy()", 1)
        return self.filled(text, step)

    def choose(self, step: Step) -> Code:
        """The cheapest order for the sizes at hand."""
        for part in self.shared.get(step, ()):
            if part not in self.codes:
                tests = list(
                    dict.fromkeys(self._tests(other)[i] for other, i in self.shared[step][part])
                )
                self.codes[part] = Code(
                    self.keep(f"{self.of(part).text} if {' or '.join(tests)} else None"), ATOM
                )
        text = self.of(step.args[-1]).text
        for i, test in reversed(list(enumerate(self._tests(step)[:-1]))):
            text = f"{self.of(step.args[i]).at(SUM)} if {test} else {text}"
        return Code(text, SUM - 1)

    def _tests(self, step: Step) -> list[str]:
        """When each order is the cheapest, if those before it are not; the last is what is left."""
        costs = [tree_cost(t, step.data[1]) for t in step.data[0]]
        tests = [
            " and ".join(cheaper(cost, other, self.size) for other in costs[i + 1 :])
            for i, cost in enumerate(costs[:-1])
        ]
        rest = tests[0].replace("<=", ">") if len(tests) == 1 else f"not ({' or '.join(tests)})"
        return [*tests, rest]


def _is_constant(step: Step) -> bool:
    return all(s.op not in ("arg",) and s.is_scalar for s in reachable([step]))


def _is_number(step: Step) -> bool:
    """Whether it may be a number of Python's, of which a root of a negative one is complex, and
    no nan.
    """
    return step.is_scalar and all(s.op in OF_NUMBERS for s in reachable([step]))


def _may_be_negative(step: Step) -> bool:
    """Whether it may be a negative number of Python's; sizes are none, their differences may be."""
    return (
        _is_number(step)
        and any(s.op in ("arg", "num", "add") for s in reachable([step]))
        and step.op != "num"
    )


def _dot(w: Writer, s: Step) -> Code:
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
    return (
        w.filled(call, s)
        if call
        else Code(f"{w.of(s.args[0]).at(ATOM)}[:, None]*{w.of(s.args[1]).at(SIGN)}", PRODUCT)
    )


def _symmetric_product(w: Writer, s: Step) -> Code:
    """A product with its own transpose, or with that and a symmetric matrix between them."""
    a, b = s.args
    if is_gram(s):
        return Code(w.dialect.calls["gram"].replace("{0}", w.of(b).text), ATOM)
    if a.op != "dot" or w.uses[a] > 1 or w.of(a).text.isidentifier():
        return w.filled(w.dialect.calls["dot"], s)
    return Code(
        w.dialect.calls["sandwich"]
        .replace("{0}", w.of(a.args[1]).text)
        .replace("{1}", w.of(b).text),
        ATOM,
    )


def _kernel(w: Writer, s: Step) -> Code:
    """A function that the source brings along, called with its arguments or in a way of its own."""
    name, _, *call = s.data
    return (
        w.filled(call[0], s)
        if call
        else Code(f"{name}({', '.join(w.of(a).text for a in s.args)})", ATOM)
    )


def _name_shown(size: Size) -> str | None:
    """The name whose length that of an axis shows."""
    found = linear(size)
    return None if found is None else found[0]


def _solved(size: Size, length: str) -> str:
    """The length of the name in a size k*n + c, as source."""
    found = linear(size)
    assert found is not None
    _, k, c = found
    rest = f"{length} {'-' if c > 0 else '+'} {abs(c)}" if c else length
    if k == 1:
        return rest
    return f"({rest})//{k}" if c else f"{rest}//{k}"


_FACTORED = frozenset({"solve", "inverse", "det", "logdet", "adjugate"})
_SPECIAL: dict[str, Callable[[Writer, Step], Code]] = {
    "arg": lambda w, s: Code(w.names[s.data], ATOM),
    "num": lambda w, s: Code(
        number(s.data), SIGN if s.data < 0 else PRODUCT if "/" in number(s.data) else ATOM
    ),
    "rows": _rows,
    "embed": lambda w, s: Code(
        f"embed({w.of(s.args[0]).text}, {w.length((s.data.start,))}, {w.length(s.axes[0])})", ATOM
    ),
    "concat": lambda w, s: w.filled(
        w.dialect.calls["concat"].replace("{arrays}", ", ".join(w.of(a).text for a in s.args)), s
    ),
    "pi": lambda w, s: Code(f"{w.dialect.module}.pi", ATOM),
    "size": lambda w, s: Code(w.size((s.data,)), ATOM),
    "T": lambda w, s: Code(f"{w.of(s.args[0]).at(ATOM)}.T", ATOM),
    "col": lambda w, s: Code(f"{w.of(s.args[0]).at(ATOM)}[:, None]", ATOM),
    "outer": _outer,
    "kernel": _kernel,
    "item": lambda w, s: Code(f"{w.of(s.args[0]).at(ATOM)}[{s.data}]", ATOM),
    "reshape": lambda w, s: w.filled(w.dialect.calls["reshape"], s),
    "shifts": lambda w, s: w.filled(
        w.dialect.calls["shifts"].replace("{sizes}", ", ".join(w.size((a,)) for a in s.axes[1])), s
    ),
    "commutation": lambda w, s: w.filled(
        w.dialect.calls["commutation"].replace(
            "{sizes}", ", ".join(w.size((a,)) for a in s.axes[0])
        ),
        s,
    ),
    "dot": _dot,
    "fn": Writer.fn,
    "einsum": Writer.einsum,
    "add": Writer.add,
    "mul": Writer.mul,
    "pow": Writer.pow,
    "power": Writer.number_power,
    "shift": Writer.shift,
    "choose": Writer.choose,
}
