"""Syntax tree to expression: what every name stands for, and which sizes fit.

Sizes that nobody declared are unknowns, which the operations unify. The texts of the table and of
the rewrite rules are read here too, see :func:`template`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from fractions import Fraction
from functools import cache

from .. import expr as ex
from ..budget import spend
from ..errors import LimitProblem, MatcalcError, NameProblem, ShapeProblem
from ..expr import Expr
from ..expr.powers import POWERS, names_in
from ..expr.sizes import UNIT, Size, Unknown, in_any_order, resolve, unify
from ..options import nearest
from ..tables.functions import BY_NAME, MACROS, visible
from .declarations import CONSTANTS, NUMBERS, declared_shape, is_function, kind_shape
from .indices import LENGTHS, range_in, size_in
from .names import OF_TWO_SIZES, written_sizes
from .notes import OF_MATRICES
from .settle import settle
from .syntax import Syntax, span, subtrees, syntax, tokens

# of an exponent of ten: numbers beyond 10^300 are refused, 1e-350*1e100 is not
MAX_NUMBER_DIGITS = 400
MATRIX_PRODUCTS = ("*", "@", "·")
SUPERSCRIPTS = {"²": 2, "³": 3}
MEASURES = ("numel", *LENGTHS)


class Builder:
    """Builds expressions bottom up from a syntax tree, with an explicit stack.

    ``names`` says what a name stands for, ``sizes`` which names are numbers. A ``trusted`` text,
    one of the table, may call the hidden functions of the table.
    """

    def __init__(
        self, text: str, names: dict[str, Expr], sizes: Set[str], trusted: bool = False
    ) -> None:
        self.text, self.names, self.sizes, self.trusted = text, names, sizes, trusted
        self.raised_to: set[str] = set()  # the names of sizes that matrices are raised to
        # calls, their functions and their arguments
        self.entrywise: list[tuple[str, str, Expr]] = []

    def build(self, root: Syntax) -> Expr:
        """The expression of a syntax tree; an error has the place of the node where it was met."""
        values: dict[int, Expr] = {}
        stack: list[tuple[Syntax, bool]] = [(root, False)]
        while stack:
            spend()
            node, operands_built = stack.pop()
            operands = self._operands(node)
            if operands and not operands_built:
                stack.append((node, True))
                stack += ((c, False) for c in reversed(operands))
                continue
            try:
                values[id(node)] = _NODES[node.data](self, node, [values[id(c)] for c in operands])
            except MatcalcError as problem:
                raise problem.at(self.text, span(node)) from None
        return values[id(root)]

    def _operands(self, node: Syntax) -> list[Syntax]:
        """The parts of a node that are expressions, not sizes or places."""
        parts = subtrees(node)
        if node.data == "block":
            return [block for row in parts for block in subtrees(row)]
        if node.data == "indexed":
            return parts[:1]
        if node.data == "call" and self._takes_sizes(str(node.children[0])):
            return []
        return parts

    def _takes_sizes(self, name: str) -> bool:
        return name in CONSTANTS or (name in OF_TWO_SIZES and name not in self.names)

    # ---- leaves ----------------------------------------------------------------------------------

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
        fact = f"'{name}' is a function" if is_function(name) else f"unknown name '{name[:40]}'"
        raise NameProblem(fact, nearest(name, [*self.names, *self.sizes]))

    # ---- calls -----------------------------------------------------------------------------------

    def call(self, node: Syntax, args: list[Expr]) -> Expr:
        name = str(node.children[0])
        if name in CONSTANTS:
            return self._constant(name, subtrees(node))
        if name in self.names:
            fact = f"'{name}' is a variable, not a function"
            raise NameProblem(fact, f"to multiply, write {name}*(…)")
        if name in OF_TWO_SIZES:
            return self._of_two_sizes(name, subtrees(node))
        if name in OF_MATRICES and len(args) == 1:
            start, stop = span(node) or (0, 0)
            self.entrywise.append((self.text[start:stop], name, args[0]))
        if name in MACROS:
            return abbreviation(name, args)
        if name in MEASURES and len(args) == 1:
            return _measured(name, args[0])
        return self._of_table(name, node, args)

    def _of_table(self, name: str, node: Syntax, args: list[Expr]) -> Expr:
        """A function of the table."""
        row = BY_NAME.get(name)
        if row is None or (row.hidden and not self.trusted):
            raise NameProblem(f"unknown function '{name[:40]}'", _nearest_function(name)).at(
                self.text, span(node.children[0])
            )
        if row.symmetric and len(args) == 1 and unify(*args[0].shape_):
            # A + A' is seen to be symmetric when its sizes are known to be equal
            args = [settle(args[0])]
        if name in POWERS and args:
            self.raised_to |= names_in(args[-1])
        return ex.call(name, *args, trusted=self.trusted)

    def _constant(self, name: str, args: list[Syntax]) -> Expr:
        """An array that is given by its size, or by the number in all of its entries."""
        if name in ("vector", "matrix"):
            if len(args) != 1:
                raise NameProblem(f"{name} takes one number", f"{name}(1) is all ones")
            return ex.times(self.build(args[0]), ex.ones(kind_shape(name)))
        sizes = [in_any_order(self._size(a)) for a in args]
        if not 1 <= len(sizes) <= (1 if name == "eye" else 2):
            number = "one size" if name == "eye" else "one or two sizes"
            raise NameProblem(f"{name} takes {number}", f"write {name}(n)")
        if name == "eye":
            return ex.eye(sizes[0])
        shape = declared_shape(sizes)
        return ex.ones(shape) if name == "ones" else ex.zeros(shape)

    def _of_two_sizes(self, name: str, args: list[Syntax]) -> Expr:
        matrix, meaning = OF_TWO_SIZES[name]
        if len(args) != 2:
            raise NameProblem(f"{name} takes two sizes, not {len(args)}", meaning)
        return matrix(*map(self._size, args))

    def _size(self, node: Syntax) -> Size:
        return size_in(node, self.text, self.names)

    # ---- parts and blocks ------------------------------------------------------------------------

    def indexed(self, node: Syntax, args: list[Expr]) -> Expr:
        e = args[0]
        _, *places = subtrees(node)
        if len(places) > 2:
            raise ShapeProblem(f"{len(places)} indices", "a matrix has two")
        if len(places) == 1 and UNIT not in e.shape_:
            hint = "write X[i,:] for a row, X[:,j] for a column"
            raise ShapeProblem("a matrix has two indices", hint)
        axes = [0, 1]
        if len(places) == 1:
            axes = [1] if e.shape_[0] == UNIT else [0]
        ranges = {
            axis: range_in(place, self.text, self.names, e.shape_[axis])
            for axis, place in zip(axes, places, strict=True)
        }
        return ex.taken(e, ranges.get(0), ranges.get(1))

    def block(self, node: Syntax, args: list[Expr]) -> Expr:
        blocks = iter(args)
        return ex.blocks([[next(blocks) for _ in subtrees(row)] for row in subtrees(node)])

    # ---- operators -------------------------------------------------------------------------------

    def transposed(self, _: Syntax, args: list[Expr]) -> Expr:
        return ex.transpose(args[0])

    def superscript(self, node: Syntax, args: list[Expr]) -> Expr:
        return ex.power(args[0], ex.num(SUPERSCRIPTS[str(node.children[1])]))

    def signed(self, node: Syntax, args: list[Expr]) -> Expr:
        return args[0] if str(node.children[0]) == "+" else ex.neg(args[0])

    def power(self, node: Syntax, args: list[Expr]) -> Expr:
        base, exponent = args
        if str(node.children[1]) == ".^":
            return ex.pow_(base, exponent)
        if exponent.head == "var" and exponent.name == "T":
            raise ShapeProblem("the exponent is the matrix T", "the transpose is ' or .T")
        if not base.is_scalar:
            self.raised_to |= names_in(exponent)
        return ex.power(base, exponent)

    def norm(self, _: Syntax, args: list[Expr]) -> Expr:
        return ex.call("norm2", args[0])

    def sum(self, node: Syntax, args: list[Expr]) -> Expr:
        signs = ["+", *tokens(node)]
        terms = [a if sign == "+" else ex.neg(a) for sign, a in zip(signs, args, strict=True)]
        shape = terms[0].shape_
        for part, term in zip(subtrees(node)[1:], terms[1:], strict=True):
            try:
                shape = ex.broadcast((shape, term.shape_))
            except MatcalcError as problem:
                raise problem.at(self.text, span(part)) from None
        return ex.add(*terms)

    def product(self, node: Syntax, args: list[Expr]) -> Expr:
        """A product left to right; runs of matrix products are joined at once."""
        parts = subtrees(node)
        run = args[:1]
        for i, (operator, factor) in enumerate(zip(tokens(node), args[1:], strict=True)):
            try:
                run = _multiplied(run, operator, factor)
            except MatcalcError as problem:
                raise problem.at(self.text, _from_to(parts[i], parts[i + 1])) from None
        return _joined(run)


def _measured(name: str, e: Expr) -> Expr:
    """A length of an axis, or the number of entries, as a number."""
    if name == "numel":
        return ex.times(*map(ex.size_number, e.shape_))
    return ex.size_number(e.shape_[LENGTHS[name]])


def _nearest_function(name: str) -> str:
    """The function that may be meant, as a hint."""
    rows = [spelling for row in visible() for spelling in (row.name, *row.aliases)]
    return nearest(name, [*rows, *MACROS, *CONSTANTS, *MEASURES])


def _multiplied(run: list[Expr], operator: str, factor: Expr) -> list[Expr]:
    """A run of matrices times one more factor: a longer run, or a new one with the product."""
    is_number = run[0].is_scalar or factor.is_scalar or _is_closed(run)
    if operator in MATRIX_PRODUCTS and not is_number:
        ex.check_product(run[-1], factor)
        run.append(factor)
        return run
    return [_PRODUCTS[operator](_joined(run), factor)]


def _is_closed(run: list[Expr]) -> bool:
    """Say if the product of a run of factors is a number."""
    return resolve(run[0].shape_[0]) == UNIT == resolve(run[-1].shape_[1])


def _joined(run: list[Expr]) -> Expr:
    return ex.matmul(*run) if len(run) > 1 else run[0]


def _from_to(first: Syntax, last: Syntax) -> tuple[int, int] | None:
    """The range of characters from one node to another."""
    start, stop = span(first), span(last)
    return (start[0], stop[1]) if start and stop else None


def _left_division(a: Expr, b: Expr) -> Expr:
    return ex.matmul(ex.call("inv", a), b)


def _elementwise_division(a: Expr, b: Expr) -> Expr:
    return ex.times(a, ex.pow_(b, ex.MINUS_ONE))


def _kronecker(a: Expr, b: Expr) -> Expr:
    return ex.call("kron", a, b)


_PRODUCTS: dict[str, Callable[[Expr, Expr], Expr]] = {
    **dict.fromkeys(MATRIX_PRODUCTS, ex.product),
    "/": ex.divide,
    ".*": ex.times,
    "⊙": ex.times,
    "∘": ex.times,
    "\\": _left_division,
    "./": _elementwise_division,
    "⊗": _kronecker,
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


# ---- texts of the tables -------------------------------------------------------------------------


def abbreviation(name: str, args: list[Expr]) -> Expr:
    """The meaning of an abbreviated function for its arguments.

    Raises NameProblem for a wrong number of them.
    """
    macro = MACROS[name]
    expected = len(macro.parameters)
    if len(args) != expected:
        plural = "s" if expected > 1 else ""
        raise NameProblem(f"{name} takes {expected} argument{plural}, not {len(args)}")
    names = dict(zip(macro.parameters, args, strict=True))
    try:
        return template(macro.meaning, names, trusted=False)
    except MatcalcError as problem:
        # a place in the meaning is none in the text that uses it
        problem.text = problem.span = None
        raise


def template(text: str, names: Mapping[str, Expr], trusted: bool = True) -> Expr:
    """An expression of the table, or of a rewrite rule, with expressions put in for its names.

    A ``trusted`` one asks for no symmetry.
    """
    body, sizes = _template(text)
    return settle(Builder(text, dict(names), sizes, trusted).build(body))


@cache
def _template(text: str) -> tuple[Syntax, Set[str]]:
    """The syntax tree of a text of the tables, and the sizes in it."""
    tree = syntax(text)
    return subtrees(tree)[-1], written_sizes(tree)
