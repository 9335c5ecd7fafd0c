"""SymPy in: SymPy's matrix and array expressions, and sums over their entries, as expressions of
matcalc.

Reading, entry by entry and matrix operations are kept apart: SymPy's ``exp(X)`` of a matrix is no
``X.applyfunc(exp)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from importlib import import_module
from itertools import chain
from math import prod
from typing import Any

from .. import expr as ex
from ..errors import LimitProblem, NameProblem, ShapeProblem, Unsupported
from ..expr import Expr
from ..expr.parts import Range
from ..expr.sizes import SCALAR, UNIT, Shape, Size, Sum, show_shape, total_of
from ..expr.walk import arguments_first
from ..labels.roots import Root
from ..language.declarations import Declared, declarations
from ..language.elaborate import template
from ..tables.functions import ROWS, Row
from ..tables.properties import ROWS as PROPERTIES
from .arrays import ARRAY_OPERANDS, ARRAYS, Value, combined, matrix, root
from .entries import ENTRIES, ENTRY_OPERANDS

MAX_ATOMS = 16  # of the product that one dimension may be
MAX_BITS = 4096
TINY = 1e-300

Read = Callable[["_Reader", Any, list[Expr]], Expr]


def from_sympy(expression: Any, beside: Iterable[Any] = ()) -> Root:
    """The matcalc expression that a SymPy expression stands for.

    N×1 matrices are columns, 1×1 matrices scalars.

    An array with more than two axes longer than one, or without matrix form, is an index form.
    ``x[i, 0]`` of an index i that no sum binds is ``i'*x`` with the unit vector i, ``x[2, 0]`` of a
    vector of n entries ``e2_n'*x``. The dimensions and names of the symbols ``beside`` belong with
    those of the expression.

    Raises Unsupported for a class that matcalc has no form for, ShapeProblem for dimensions that
    are no products of names and numbers, LimitProblem for an expression too deep for SymPy.

    >>> from sympy import MatrixSymbol, Symbol, Trace
    >>> X = MatrixSymbol("X", Symbol("m"), Symbol("n"))
    >>> from_sympy(Trace(X.T * X))
    <tr(X*X') : scalar>
    >>> from sympy.tensor.array.expressions import ArraySymbol, ArrayTensorProduct
    >>> from_sympy(ArrayTensorProduct(X, ArraySymbol("T", (2, 3, 4))))
    <T[k,l,p]*X[i,j] : m×n×2×3×4>
    """
    sympy = import_module("sympy")
    if not isinstance(expression, (sympy.Basic, sympy.MatrixBase)):
        raise TypeError(
            "a text, a matcalc expression or a SymPy expression is needed, not "
            f"{type(expression).__name__}"
        )
    _kind(expression)  # what cannot be read at all need not be walked
    try:
        return root(_Reader([expression, *beside]).value(expression))
    except RecursionError:
        raise LimitProblem("the expression is too deep for SymPy") from None


class _Reader:
    """Reads one SymPy expression, whose symbols and dimensions it knows from a first walk."""

    def __init__(self, roots: Sequence[Any]) -> None:
        # the one symbol of every name, and the unit vector that it is as an index
        self.symbols: dict[str, tuple[Any, str]] = {}
        # products of dimensions, in the order in which a Kronecker product makes them
        self.orders: dict[Any, Size] = {}
        nodes = list(arguments_first(roots, lambda node: getattr(node, "args", ())[::-1]))
        # symbols that are dimensions, or whole exponents
        self.dimensions: set[Any] = set().union(*map(_sizes_in, nodes))
        for node in nodes:
            for dims in _joined_dimensions(node, type(node).__name__):
                order = tuple(atom for dim in dims for atom in self.size(dim))
                self.orders.setdefault(prod(dims), order)

    def read(self, root: Any, bound: Mapping[Any, Expr] | None = None) -> Expr:
        """The matrix expression; ``bound`` says what the variable of a Lambda stands for."""
        return matrix(self.value(root, bound))

    def value(self, root: Any, bound: Mapping[Any, Expr] | None = None) -> Value:
        """The expression, or the array."""
        done: dict[Any, Value] = dict(bound or {})
        for node in arguments_first(
            [root], lambda node: () if node in done else _operands(node)[::-1]
        ):
            if node not in done:
                done[node] = self._built(node, [done[a] for a in _operands(node)])
        return done[root]

    def _built(self, node: Any, values: list[Value]) -> Value:
        kind = _kind(node)
        if kind in _ARRAYS:
            return _ARRAYS[kind](self, node, values)
        if kind in ("Add", "Mul", "Pow") and (found := combined(node, values)) is not None:
            return found
        args = [matrix(value) for value in values]
        if kind in _MATRIX:
            return _MATRIX[kind](self, node, args)
        for given, arg in zip(node.args, args, strict=False):
            if getattr(given, "shape", ()) and not arg.is_scalar:
                raise Unsupported(
                    f"SymPy's {kind} of the {show_shape(arg.shape_)} matrix {arg}", _ENTRYWISE_HINT
                )
        return self.entrywise(node, args)

    def entrywise(self, node: Any, args: list[Expr]) -> Expr:
        """A function of scalars, entry by entry."""
        kind = _kind(node)
        if kind in _ENTRYWISE:
            return _ENTRYWISE[kind](*args)
        if kind not in _FUNCTIONS:
            raise Unsupported(f"SymPy's {kind} has no form in matcalc", _HINTS.get(kind, ""))
        return template(_FUNCTIONS[kind], {"x": args[0]})

    def name(self, symbol: Any, unit: str = "") -> str:
        """The name of a symbol, or of the unit vector of an index, if matcalc can use it and it
        is the name of this one alone.
        """
        name = unit or str(symbol.name)
        declarations({name: Declared(SCALAR)})  # refuses what is not a name
        if self.symbols.setdefault(name, (symbol, unit)) != (symbol, unit):
            raise NameProblem(f"two different symbols are named '{name}'", "rename one of them")
        return name

    def size(self, dim: Any) -> Size:
        """A dimension: a positive integer, a symbol, or a product of them."""
        if dim in self.orders:
            return self.orders[dim]
        if dim.is_Add:
            terms = [term.as_coeff_Mul() for term in dim.args]
            if all(k.is_Integer for k, _ in terms):
                return total_of([(self._core(rest), int(k)) for k, rest in terms]).size()
        return tuple(chain.from_iterable(self._atoms(dim, f) for f in dim.as_ordered_factors()))

    def _core(self, term: Any) -> Size:
        """A term of a sum of dimensions without its coefficient."""
        return UNIT if term == 1 else self.size(term)

    def _atoms(self, dim: Any, factor: Any) -> list[str | int]:
        """The power of a name or a positive integer, as a product."""
        base, exponent = factor.as_base_exp()
        is_atom = base.is_Symbol or (base.is_Integer and base > 0)
        if not (is_atom and exponent.is_Integer and 0 < exponent <= MAX_ATOMS):
            raise ShapeProblem(
                f"the dimension {dim}",
                "dimensions are positive integers, names, sums and products of them",
            )
        if base == 1:
            return []
        return [self.name(base) if base.is_Symbol else int(base)] * int(exponent)

    def shape(self, node: Any) -> Shape:
        rows, columns = node.shape
        return self.size(rows), self.size(columns)

    # one method per class that needs more than its operands

    def symbol(self, node: Any, _: list[Expr]) -> Expr:
        name = self.name(node)
        if not node.is_commutative or node.is_real is False:
            raise Unsupported(
                f"the symbol '{name}' is not a real number",
                "matcalc is real; a matrix is a MatrixSymbol",
            )
        if node in self.dimensions:
            return ex.size_number((name,))
        assumed = [row for row in PROPERTIES if row.sympy and getattr(node, f"is_{row.sympy}")]
        return ex.var(name, SCALAR, (row.name for row in assumed))

    def matrix_symbol(self, node: Any, _: list[Expr]) -> Expr:
        return ex.var(self.name(node), self.shape(node))

    def matrix_power(self, node: Any, args: list[Expr]) -> Expr:
        unknown = [s for s in node.args[1].free_symbols if s not in self.dimensions]
        if unknown:
            hint = f"say so of its symbol: Symbol('{unknown[0]}', integer=True)"
            raise Unsupported(
                f"the exponent {node.args[1]} of a matrix may not be a whole number", hint
            )
        return ex.power(*args)

    def slice(self, node: Any, args: list[Expr]) -> Expr:
        """Rows and columns, which SymPy counts from 0."""
        return ex.taken(
            args[0], *(self.range(node, places) for places in (node.rowslice, node.colslice))
        )

    def range(self, node: Any, places: Sequence[Any]) -> Range:
        start, stop, step = places
        if step != 1:
            raise Unsupported(
                f"SymPy's slice {node} has no form in matcalc", "ranges go by steps of 1"
            )
        first, last = (total_of([(self.size(s), 1)]) if s else Sum({}) for s in (start, stop))
        return Range(first, total_of([((last,), 1), ((first,), -1)]).size())

    def applied(self, function: Any, argument: Expr) -> Expr:
        """A Lambda of one entry, at every entry."""
        variables: Sequence[Any] = getattr(function, "variables", ())
        if len(variables) != 1 or any(
            _is_array_of(variables[0], part)
            for part in arguments_first([function.expr], lambda n: n.args)
        ):
            raise Unsupported(
                f"the function {function} is no function of one entry", "use a Lambda of one scalar"
            )
        return ex.spread(self.read(function.expr, {variables[0]: argument}), argument.shape_)


def _kind(node: Any) -> str:
    """The class of a node, or the one it inherits from, that matcalc reads."""
    kinds = [c.__name__ for c in type(node).__mro__]
    if "AppliedUndef" not in kinds and not kinds[0].startswith("Generic"):
        for kind in kinds:
            if kind in _ARRAYS or kind in _MATRIX or kind in _ENTRYWISE or kind in _FUNCTIONS:
                return kind
    raise Unsupported(f"SymPy's {kinds[0]} has no form in matcalc", _HINTS.get(kinds[0], ""))


def _operands(node: Any) -> tuple[Any, ...]:
    kind = _kind(node)
    return (
        tuple(node.blocks)
        if kind == "BlockMatrix"
        else tuple(node.args[_OPERANDS.get(kind, slice(None))])
    )


def _sizes_in(node: Any) -> set[Any]:
    """The symbols that a node has as dimensions, or as a whole exponent of a matrix."""
    kind = type(node).__name__
    if kind in _LEAVES:
        return {symbol for dim in node.shape for symbol in dim.free_symbols}
    if kind == "MatPow":
        return {symbol for symbol in node.args[1].free_symbols if symbol.is_integer}
    return set()


def _joined_dimensions(node: Any, kind: str) -> Iterable[Sequence[Any]]:
    """The dimensions of which a node makes one, in the order in which it makes it."""
    if kind == "KroneckerProduct":
        return list(zip(*(a.shape for a in node.args), strict=True))
    return [node.expr.shape] if kind == "Reshape" else []


def _is_array_of(variable: Any, part: Any) -> bool:
    return bool(getattr(part, "is_Matrix", False) and variable in part.free_symbols)


def _rational(node: Any) -> Expr:
    value = Fraction(int(node.p), int(node.q))
    if max(abs(value.numerator), value.denominator) >> MAX_BITS:
        raise LimitProblem("a number is too large", f"numbers stay below 2^{MAX_BITS}")
    return ex.num(value)


def _float(node: Any) -> Expr:
    """The shortest decimal that is this number in double precision."""
    value = float(node)
    if not node.is_zero and not TINY < abs(value) < 1 / TINY:
        raise LimitProblem(
            f"the number {node} is out of range", f"numbers stay between {TINY} and {1 / TINY}"
        )
    return ex.num(Fraction(repr(value)))


def _maximum(*args: Expr) -> Expr:
    """The greatest of several; relu(x) where one of them is 0."""
    first, *others = sorted(args, key=lambda a: a.head != "num")
    return reduce(lambda a, b: ex.add(a, ex.call("relu", ex.add(b, ex.neg(a)))), others, first)


def _logarithm(x: Expr) -> Expr:
    """The logarithm; that of the absolute value of a determinant has a name."""
    if x.head == "abs" and x.args[0].head == "det":
        return ex.call("logdet", *x.args[0].args)
    return ex.call("log", x)


def _called(row: Row) -> Read:
    """The reader of a function that SymPy has, too."""
    return lambda _, node, args: ex.call(row.name, *args[: row.arity])


def _kron(a: Expr, b: Expr) -> Expr:
    return ex.times(a, b) if a.is_scalar or b.is_scalar else ex.call("kron", a, b)


def _blocks(node: Any, args: list[Expr]) -> Expr:
    """A block matrix, whose blocks are given row by row."""
    width = node.blockshape[1]
    return ex.blocks([args[i : i + width] for i in range(0, len(args), width)])


def _dot(a: Expr, b: Expr) -> Expr:
    row, column = (
        (a if a.shape_[0] == UNIT else ex.transpose(a)),
        (b if b.shape_[1] == UNIT else ex.transpose(b)),
    )
    return ex.matmul(row, column)


_ENTRYWISE_HINT = (
    "of entries: X.applyfunc(f), HadamardProduct, HadamardPower; of matrices: "
    "MatAdd, MatMul, MatPow"
)
_HINTS = {
    "MutableDenseMatrix": "name the matrix with a MatrixSymbol",
    "ImmutableDenseMatrix": "name the matrix with a MatrixSymbol",
    "Adjoint": "matcalc is real: write the transpose",
    "Derivative": "call doit(), or derive the inner expression",
}
_LEAVES = (
    "MatrixSymbol",
    "Identity",
    "OneMatrix",
    "ZeroMatrix",
    "ArraySymbol",
    "ZeroArray",
    "OneArray",
)
_ARRAYS = ARRAYS | ENTRIES
_OPERANDS = {
    **dict.fromkeys((*_LEAVES, "Symbol"), slice(0)),
    "ElementwiseApplyFunction": slice(1, 2),
    "Heaviside": slice(1),
    "MatrixSlice": slice(1),
    **ARRAY_OPERANDS,
    **ENTRY_OPERANDS,
}
_BY_SYMPY = {row.sympy.partition("(")[0]: row for row in ROWS if row.sympy}
_MATRIX: dict[str, Read] = {
    **{name: _called(row) for name, row in _BY_SYMPY.items() if not row.elementwise},
    "Symbol": _Reader.symbol,
    "MatrixSymbol": _Reader.matrix_symbol,
    "ElementwiseApplyFunction": lambda reader, node, args: reader.applied(node.function, args[0]),
    "Rational": lambda _, node, args: _rational(node),
    "Float": lambda _, node, args: _float(node),
    "Exp1": lambda *_: ex.call("exp", ex.ONE),
    "Pi": lambda *_: ex.PI,
    "Identity": lambda reader, node, _: ex.eye(reader.shape(node)[0]),
    "OneMatrix": lambda reader, node, _: ex.ones(reader.shape(node)),
    "ZeroMatrix": lambda reader, node, _: ex.zeros(reader.shape(node)),
    "MatAdd": lambda _, node, args: ex.add(*args),
    "MatMul": lambda _, node, args: ex.matmul(*args),
    "MatPow": _Reader.matrix_power,
    "Transpose": lambda _, node, args: ex.transpose(*args),
    "HadamardProduct": lambda _, node, args: ex.times(*args),
    "HadamardPower": lambda _, node, args: ex.pow_(*args),
    "KroneckerProduct": lambda _, node, args: reduce(_kron, args),
    "DotProduct": lambda _, node, args: _dot(*args),
    "BlockMatrix": lambda _, node, args: _blocks(node, args),
    "MatrixSlice": _Reader.slice,
    "DiagonalMatrix": lambda _, node, args: ex.call("diag", ex.call("diagonal", *args)),
}
_ENTRYWISE: dict[str, Callable[..., Expr]] = {
    "Add": ex.add,
    "Mul": ex.times,
    "Pow": ex.pow_,
    "Max": _maximum,
    "Min": lambda *args: ex.neg(_maximum(*map(ex.neg, args))),
    "log": _logarithm,
    "polygamma": lambda k, x: ex.call("digamma", x) if k is ex.ZERO else ex.call("polygamma", k, x),
}
# functions of scalars, in matcalc's language
_FUNCTIONS = {
    **{name: f"{row.name}(x)" for name, row in _BY_SYMPY.items() if row.elementwise},
    "re": "x",
    "sec": "1./cos(x)",
    "csc": "1./sin(x)",
    "cot": "1./tan(x)",
    "sech": "1./cosh(x)",
    "csch": "1./sinh(x)",
    "coth": "1./tanh(x)",
}
