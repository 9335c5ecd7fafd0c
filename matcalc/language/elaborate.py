"""Syntax tree to typed expression: what every name is, and which sizes fit.

A name is a scalar (a-g, Greek letters), a vector (h-z) or a matrix (A-Z) unless it is declared, or
used in a way that only a vector allows. Sizes that nobody declared are unknowns, unified by the
operations and named at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from fractions import Fraction
from functools import cached_property

from lark import Token

from .. import expr as ex
from ..budget import spend
from ..errors import LimitProblem, MatcalcError, NameProblem, ShapeProblem
from ..expr import Expr
from ..expr.powers import POWERS, names_in
from ..expr.sizes import (
    UNIT,
    Shape,
    Size,
    Unknown,
    base_atoms,
    fresh_names,
    in_any_order,
    might_be_equal,
    resolve,
    unify,
)
from ..options import nearest
from ..tables.functions import BY_NAME, MACROS, visible
from .declarations import CONSTANTS, NUMBERS, Declared, declared_shape, is_function, kind_shape
from .indices import LENGTHS, range_in, size_in
from .names import OF_TWO_SIZES, written_sizes
from .notes import ENTRYWISE, note_on_call, notes_on_names, notes_on_numbers
from .program import Program
from .settle import is_settled, name_unknowns, settle, settled_leaf
from .syntax import Syntax, span, syntax

MAX_NUMBER_DIGITS = 400


# ---- typing --------------------------------------------------------------------------------------


class Builder:
    """Builds expressions bottom up from a syntax tree, with an explicit stack."""

    def __init__(
        self,
        text: str,
        tree: Syntax,
        declared: Mapping[str, Declared],
        kinds: Mapping[str, str],
        numbers: Set[str] = frozenset(),
    ) -> None:
        self.text, self.tree, self.declared = text, tree, declared
        self.raised_to: set[str] = set()  # the names of sizes that matrices are raised to
        self.trusted = False  # a text of the table may call the table's hidden functions
        self.names: dict[str, Expr] = {}
        # calls, their functions and their arguments
        self.entrywise: list[tuple[str, str, Expr]] = []
        self.definitions: dict[str, Expr] = {}
        self.sizes = {
            a
            for d in declared.values()
            for size in d.shape
            for a in base_atoms(size)
            if isinstance(a, str)
        }
        self.sizes |= written_sizes(tree) | numbers
        self.assumed: list[str] = []
        self.sizes |= {name for name, d in declared.items() if d.is_integer}
        for name, d in declared.items():
            if d.is_integer:
                continue
            rows, cols = map(in_any_order, d.shape)
            self.names[name] = ex.var(name, (rows, cols), d.properties)
            if any(isinstance(a, Unknown) for size in d.shape for a in base_atoms(size)):
                self.assumed.append(name)
        for name, kind in kinds.items():
            if name not in self.sizes:
                self.names[name] = ex.var(name, kind_shape(kind))
                self.assumed.append(name)

    def program(self, fitting: Sequence[Shape] = ()) -> Program[Expr]:
        *statements, body = [n for n in self.tree.children if not isinstance(n, Token)]
        for statement in statements:
            token, value = statement.children
            name = str(token)
            if is_function(name) or name in self.definitions or name in self.declared:
                raise NameProblem(f"'{name}' already has a meaning", "choose another name").at(
                    self.text, span(statement)
                )
            if (early := self._used_before(name, statement)) is not None:
                raise NameProblem(f"'{name}' is used before it is defined").at(
                    self.text, span(early)
                )
            assert not isinstance(value, Token)
            self.names[name] = self.definitions[name] = self.build(value)
            if name in self.assumed:
                self.assumed.remove(name)
        expr = self.build(body)
        _fit(expr, fitting)
        return self._named(expr)

    def _used_before(self, name: str, statement: Syntax) -> Syntax | None:
        """A use of a name up to the end of its own definition."""
        first = self.first_uses.get(name)
        return (
            first if first is not None and first.meta.start_pos < statement.meta.end_pos else None
        )

    @cached_property
    def first_uses(self) -> dict[str, Syntax]:
        """Where each name is used first."""
        found: dict[str, Syntax] = {}
        for node in sorted(self.tree.find_data("name"), key=lambda node: -node.meta.start_pos):
            found[str(node.children[0])] = node
        return found

    def _named(self, expr: Expr) -> Program[Expr]:
        """Give names to the sizes that are still unknown."""
        roots = [expr, *self.definitions.values()]
        used = [
            *ex.variables(*roots),
            *(v for n, v in self.names.items() if n in self.first_uses and v.head == "var"),
        ]
        taken = {v.name for v in used} | set(self.definitions) | self.sizes | set(self.names)
        names = fresh_names(taken)
        for v in sorted(used, key=lambda v: (v.shape_[1] == UNIT, v.name)):
            for size in reversed(v.shape_):  # the columns first: X is m×n, a lone vector n
                name_unknowns(size, names)
        for size in ex.sizes_of(ex.postorder(*roots)):
            name_unknowns(size, names)
        settled = ex.substitute_all(roots, settled_leaf, skip=is_settled)
        found = {v.name: v for v in ex.variables(*settled.values())}
        cancelled = [
            n
            for n in self.first_uses
            if n in self.names and n not in found and n not in self.definitions
        ]
        found |= {n: settle(self.names[n]) for n in cancelled}
        definitions = {n: settled[e] for n, e in self.definitions.items()}
        assumed = tuple(n for n in self.assumed if n in found)
        unused = tuple(
            n
            for n, d in self.declared.items()
            if n not in found and not (d.is_integer and n in self.first_uses)
        )
        integers = tuple(n for n, d in self.declared.items() if d.is_integer)
        notes = dict.fromkeys(self._notes([found[n] for n in assumed]))
        return Program(
            settled[expr], definitions, found, assumed, unused, self.text, integers, tuple(notes)
        )

    def _notes(self, assumed: list[Expr]) -> Iterator[str]:
        yield from notes_on_names(assumed, self.tree)
        yield from notes_on_numbers(self.tree)
        for call, name, argument in self.entrywise:
            if (note := note_on_call(call, name, settle(argument))) is not None:
                yield note

    def build(self, root: Syntax) -> Expr:
        done: dict[int, Expr] = {}
        stack: list[tuple[Syntax, bool]] = [(root, False)]
        while stack:
            spend()
            node, ready = stack.pop()
            children = self._operands(node)
            if not ready and children:
                stack.append((node, True))
                stack += ((c, False) for c in reversed(children))
                continue
            try:
                done[id(node)] = _NODES[node.data](
                    self, node, [done[id(c)] for c in children if id(c) in done]
                )
            except MatcalcError as problem:
                raise problem.at(self.text, span(node)) from None
        return done[id(root)]

    def _operands(self, node: Syntax) -> list[Syntax]:
        """The parts of a node that are expressions, not sizes or places."""
        parts = [c for c in node.children if not isinstance(c, Token)]
        if node.data == "block":
            return [
                block for row in parts for block in row.children if not isinstance(block, Token)
            ]
        name = str(node.children[0]) if node.data == "call" else ""
        sizes_only = name in CONSTANTS or (name in OF_TWO_SIZES and name not in self.names)
        return parts[: 1 if node.data == "indexed" else 0 if sizes_only else None]

    # one method per kind of syntax node

    def number(self, node: Syntax, _: list[Expr]) -> Expr:
        text = str(node.children[0])
        mantissa, _e, exponent = text.lower().partition("e")
        if len(exponent) > 4 or (exponent and abs(int(exponent)) > MAX_NUMBER_DIGITS):
            raise LimitProblem(
                f"the number {text[:40]} is out of range",
                f"exponents stay below {MAX_NUMBER_DIGITS}",
            )
        return ex.num(Fraction(mantissa) * Fraction(10) ** int(exponent or 0))

    def named(self, node: Syntax, _: list[Expr]) -> Expr:
        name = str(node.children[0])
        if name in self.names:
            return self.names[name]
        if name in self.sizes:
            return ex.size_number((name,))
        if name == "eye":
            return ex.eye((Unknown(),))
        if name in NUMBERS:
            return ex.PI
        known = [*self.names, *self.sizes]
        raise NameProblem(
            f"'{name}' is a function" if is_function(name) else f"unknown name '{name[:40]}'",
            nearest(name, known),
        )

    def call(self, node: Syntax, args: list[Expr]) -> Expr:
        name = str(node.children[0])
        if name in CONSTANTS:
            return self._constant(name, [c for c in node.children[1:] if not isinstance(c, Token)])
        if name in self.names:
            raise NameProblem(
                f"'{name}' is a variable, not a function", f"to multiply, write {name}*(…)"
            )
        if name in OF_TWO_SIZES:
            return self._of_two_sizes(
                name, [c for c in node.children[1:] if not isinstance(c, Token)]
            )
        if name in ENTRYWISE and len(args) == 1:
            start, stop = span(node) or (0, 0)
            self.entrywise.append((self.text[start:stop], name, args[0]))
        if name in MACROS:
            return abbreviation(name, args)
        if name == "numel" and len(args) == 1:
            return ex.times(*map(ex.size_number, args[0].shape_))
        if name in LENGTHS and len(args) == 1:
            return ex.size_number(args[0].shape_[LENGTHS[name]])
        if name not in BY_NAME or (BY_NAME[name].hidden and not self.trusted):
            rows = [n for row in visible() for n in (row.name, *row.aliases)]
            hint = nearest(name, [*rows, *MACROS, *CONSTANTS, "numel", *LENGTHS])
            raise NameProblem(f"unknown function '{name[:40]}'", hint).at(
                self.text, span(node.children[0])
            )
        if BY_NAME[name].symmetric and len(args) == 1 and unify(*args[0].shape_):
            # A + A' is seen to be symmetric when its sizes are known to be equal
            args = [settle(args[0])]
        if name in POWERS and args:
            self.raised_to |= names_in(args[-1])
        return ex.call(name, *args, trusted=self.trusted)

    def _constant(self, name: str, args: list[Syntax]) -> Expr:
        if name in ("vector", "matrix"):
            if len(args) != 1:
                raise NameProblem(f"{name} takes one number", f"{name}(1) is all ones")
            return ex.times(self.build(args[0]), ex.ones(kind_shape(name)))
        sizes = [in_any_order(self._size(a)) for a in args]
        if not sizes or len(sizes) > (1 if name == "eye" else 2):
            raise NameProblem(
                f"{name} takes {'one size' if name == 'eye' else 'one or two sizes'}",
                f"write {name}(n)",
            )
        if name == "eye":
            return ex.eye(sizes[0])
        return (ex.ones if name == "ones" else ex.zeros)(declared_shape(sizes))

    def _of_two_sizes(self, name: str, args: list[Syntax]) -> Expr:
        build, meaning = OF_TWO_SIZES[name]
        if len(args) != 2:
            raise NameProblem(f"{name} takes two sizes, not {len(args)}", meaning)
        return build(*map(self._size, args))

    def _size(self, node: Syntax) -> Size:
        return size_in(node, self.text, self.names)

    def indexed(self, node: Syntax, args: list[Expr]) -> Expr:
        places = [c for c in node.children[1:] if not isinstance(c, Token)]
        e = args[0]
        if len(places) > 2:
            raise ShapeProblem(f"{len(places)} indices", "a matrix has two")
        if len(places) == 1 and UNIT not in e.shape_:
            raise ShapeProblem(
                "a matrix has two indices", "write X[i,:] for a row, X[:,j] for a column"
            )
        axes = (0, 1) if len(places) == 2 else (1,) if e.shape_[0] == UNIT else (0,)
        found = {
            axis: range_in(p, self.text, self.names, e.shape_[axis])
            for axis, p in zip(axes, places, strict=True)
        }
        return ex.taken(e, found.get(0), found.get(1))

    def block(self, node: Syntax, args: list[Expr]) -> Expr:
        lengths = [
            sum(not isinstance(c, Token) for c in row.children)
            for row in node.children
            if not isinstance(row, Token)
        ]
        left = iter(args)
        return ex.blocks([[next(left) for _ in range(k)] for k in lengths])

    def transposed(self, _: Syntax, args: list[Expr]) -> Expr:
        return ex.transpose(args[0])

    def superscript(self, node: Syntax, args: list[Expr]) -> Expr:
        return ex.power(args[0], ex.num(2 if str(node.children[1]) == "²" else 3))

    def signed(self, node: Syntax, args: list[Expr]) -> Expr:
        return args[0] if str(node.children[0]) == "+" else ex.neg(args[0])

    def power(self, node: Syntax, args: list[Expr]) -> Expr:
        base, exponent = args
        operator = str(node.children[1])
        if operator == ".^":
            return ex.pow_(base, exponent)
        if exponent.head == "var" and exponent.name == "T":
            raise ShapeProblem("the exponent is the matrix T", "the transpose is ' or .T")
        if not base.is_scalar:
            self.raised_to |= names_in(exponent)
        return ex.power(base, exponent)

    def norm(self, _: Syntax, args: list[Expr]) -> Expr:
        return ex.call("norm2", args[0])

    def sum(self, node: Syntax, args: list[Expr]) -> Expr:
        signs = [str(t) for t in node.children if isinstance(t, Token)]
        terms = [
            args[0],
            *(ex.neg(a) if s != "+" else a for s, a in zip(signs, args[1:], strict=True)),
        ]
        shape = terms[0].shape_
        for i, term in enumerate(terms[1:], 1):
            try:
                shape = ex.broadcast((shape, term.shape_))
            except MatcalcError as problem:
                raise problem.at(self.text, span(node.children[2 * i])) from None
        return ex.add(*terms)

    def product(self, node: Syntax, args: list[Expr]) -> Expr:
        """A product left to right; runs of matrix products are joined at once."""
        total, run = args[0], [args[0]]
        for i, factor in enumerate(args[1:], 1):
            operator = str(node.children[2 * i - 1])
            try:
                if operator in ("*", "@", "·") and not (
                    run[0].is_scalar or factor.is_scalar or _closed(run)
                ):
                    ex.check_product(run[-1], factor)
                    run.append(factor)
                    continue
                total = _PRODUCTS[operator](ex.matmul(*run) if len(run) > 1 else run[0], factor)
                run = [total]
            except MatcalcError as problem:
                before, here = span(node.children[2 * i - 2]), span(node.children[2 * i])
                raise problem.at(
                    self.text, (before[0], here[1]) if before and here else None
                ) from None
        return ex.matmul(*run) if len(run) > 1 else run[0]


def _closed(run: list[Expr]) -> bool:
    """A run of factors that is already a number."""
    return resolve(run[0].shape_[0]) == UNIT == resolve(run[-1].shape_[1])


def _elementwise_division(a: Expr, b: Expr) -> Expr:
    return ex.times(a, ex.pow_(b, ex.MINUS_ONE))


_PRODUCTS: dict[str, Callable[[Expr, Expr], Expr]] = {
    "*": ex.product,
    "@": ex.product,
    "·": ex.product,
    "/": ex.divide,
    ".*": ex.times,
    "⊙": ex.times,
    "∘": ex.times,
    "\\": lambda a, b: ex.matmul(ex.call("inv", a), b),
    "./": _elementwise_division,
    "⊗": lambda a, b: ex.call("kron", a, b),
}
_NODES: dict[str, Callable[[Builder, Syntax, list[Expr]], Expr]] = {
    "number": Builder.number,
    "name": Builder.named,
    "call": Builder.call,
    "transpose": Builder.transposed,
    "superscript": Builder.superscript,
    "signed": Builder.signed,
    "power": Builder.power,
    "norm": Builder.norm,
    "sum": Builder.sum,
    "product": Builder.product,
    "indexed": Builder.indexed,
    "block": Builder.block,
}


def _fit(e: Expr, shapes: Iterable[Shape]) -> None:
    """Make the open sizes of an expression those of the first shape that fits."""
    for shape in shapes:
        if all(map(might_be_equal, e.shape_, shape)):
            for own, size in zip(e.shape_, shape, strict=True):
                unify(own, size)
            return


def abbreviation(name: str, args: list[Expr]) -> Expr:
    """What an abbreviated function means for its arguments.

    Raises NameProblem for a wrong number of them.
    """
    macro = MACROS[name]
    if len(args) != len(macro.parameters):
        raise NameProblem(
            f"{name} takes {len(macro.parameters)} "
            f"argument{'s' * (len(macro.parameters) > 1)}, "
            f"not {len(args)}"
        )
    try:
        return template(
            macro.meaning, dict(zip(macro.parameters, args, strict=True)), trusted=False
        )
    except MatcalcError as problem:
        # a place in the meaning is none in the text that uses it
        problem.text = problem.span = None
        raise


# ---- templates -----------------------------------------------------------------------------------

_templates: dict[str, Syntax] = {}


def template(text: str, names: Mapping[str, Expr], trusted: bool = True) -> Expr:
    """An expression of the table, or of a rewrite rule, with expressions put in for its names.

    A ``trusted`` one asks for no symmetry.
    """
    if text not in _templates:
        _templates[text] = syntax(text)
    tree = _templates[text]
    builder = Builder(text, tree, {}, {})
    builder.names, builder.trusted = dict(names), trusted
    body = tree.children[-1]
    assert not isinstance(body, Token)
    return settle(builder.build(body))
