"""SymPy in and out: SymPy's matrix expressions as expressions of matcalc, and back.

Nothing passes through text: a SymPy class is looked up in a table, a name becomes a symbol. What one side cannot say is
refused by name, never approximated. The two sides differ in two points: a 1×1 matrix of SymPy is a scalar of matcalc, and
comes back as a scalar, the trace of the 1×1 matrix where it is a product; and ``step(0)`` is 0 whatever Heaviside says of 0.

Reading, entry by entry and matrix operations are kept apart: SymPy's ``exp(X)`` of a matrix is no ``X.applyfunc(exp)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cache, reduce
from importlib import import_module
from math import prod
from typing import Any

from . import expr as ex
from .errors import LimitProblem, NameProblem, ShapeProblem
from .expr import Expr
from .functions import BY_NAME
from .graph import arguments_first
from .shapes import Declared, declarations, template
from .sizes import SCALAR, UNIT, Shape, Size, show_shape

MAX_ATOMS = 16  # of the product that one dimension may be
MAX_BITS = 4096
TINY = 1e-300

Read = Callable[["_Reader", Any, list[Expr]], Expr]
Write = Callable[["_Writer", Expr, list[Any]], Any]


def from_sympy(expression: Any) -> Expr:
    """The matcalc expression that a SymPy expression stands for; n×1 matrices are columns, 1×1 matrices scalars.

    Raises NameProblem for a class that matcalc has no form for, ShapeProblem for dimensions that are no products of names and
    numbers, LimitProblem for an expression too deep for SymPy.

    >>> from sympy import MatrixSymbol, Symbol, Trace
    >>> X = MatrixSymbol("X", Symbol("m"), Symbol("n"))
    >>> from_sympy(Trace(X.T * X))
    <tr(X*X') : scalar>
    """
    if not isinstance(expression, (_sympy().Basic, _sympy().MatrixBase)):
        raise TypeError(f"a text, a matcalc expression or a SymPy expression is needed, not {type(expression).__name__}")
    _kind(expression)  # what cannot be read at all need not be walked
    try:
        return _Reader(expression).read(expression)
    except RecursionError:
        raise LimitProblem("the expression is too deep for SymPy") from None


def to_sympy(e: Expr, symbols: Iterable[Any] = ()) -> Any:
    """The SymPy expression of a matcalc expression, in a Symbol or MatrixSymbol for every variable and a Symbol for every size.

    ``symbols`` are used where their names occur, so that their assumptions are kept. Raises NameProblem for a function that
    SymPy has no form for, LimitProblem for an expression too deep for SymPy.

    >>> from matcalc import parse
    >>> to_sympy(parse("2*X'*(X*w - y)"))
    2*X.T*(X*w - y)
    >>> to_sympy(parse("norm2(x)"))
    sqrt(Trace(x.T*x))
    """
    try:
        return _Writer(symbols).write(e)
    except RecursionError:
        raise LimitProblem("the expression is too deep for SymPy") from None


@cache
def _sympy() -> Any:
    return import_module("sympy")


# ---- SymPy in -----------------------------------------------------------------------------------------------------------


class _Reader:
    """Reads one SymPy expression, whose symbols and dimensions it knows from a first walk."""

    def __init__(self, root: Any) -> None:
        self.symbols: dict[str, Any] = {}  # the one symbol of every name
        self.orders: dict[Any, Size] = {}  # products of dimensions, in the order in which a Kronecker product makes them
        self.dimensions: set[Any] = set()  # symbols that are dimensions
        for node in arguments_first([root], lambda node: getattr(node, "args", ())[::-1]):
            kind = type(node).__name__
            if kind in _LEAVES:
                self.dimensions |= {s for dim in node.args[-2:] for s in dim.free_symbols}
            elif kind == "KroneckerProduct":
                for dims in zip(*(a.shape for a in node.args), strict=True):
                    self.orders.setdefault(prod(dims), tuple(atom for dim in dims for atom in self.size(dim)))

    def read(self, root: Any, bound: Mapping[Any, Expr] | None = None) -> Expr:
        """The expression; ``bound`` says what the variable of a Lambda stands for."""
        done: dict[Any, Expr] = dict(bound or {})
        for node in arguments_first([root], lambda node: () if node in done else _operands(node)[::-1]):
            if node not in done:
                done[node] = self._built(node, [done[a] for a in _operands(node)])
        return done[root]

    def _built(self, node: Any, args: list[Expr]) -> Expr:
        kind = _kind(node)
        if kind in _MATRIX:
            return _MATRIX[kind](self, node, args)
        for given, arg in zip(node.args, args, strict=False):
            if getattr(given, "is_Matrix", False) and not arg.is_scalar:
                raise NameProblem(f"SymPy's {kind} of the {show_shape(arg.shape_)} matrix {arg}", _ENTRYWISE_HINT)
        return _ENTRYWISE[kind](*args) if kind in _ENTRYWISE else template(_FUNCTIONS[kind], {"x": args[0]})

    def name(self, symbol: Any) -> str:
        """The name of a symbol, if matcalc can use it and it is the name of this symbol alone."""
        name: str = symbol.name
        declarations({name: Declared(SCALAR)})  # refuses what is not a name
        if self.symbols.setdefault(name, symbol) != symbol:
            raise NameProblem(f"two different symbols are named '{name}'", "rename one of them")
        return name

    def size(self, dim: Any) -> Size:
        """A dimension: a positive integer, a symbol, or a product of them."""
        if dim in self.orders:
            return self.orders[dim]
        atoms: list[str | int] = []
        for base, exponent in (f.as_base_exp() for f in dim.as_ordered_factors()):
            if not (exponent.is_Integer and 0 < exponent <= MAX_ATOMS and (base.is_Symbol or (base.is_Integer and base > 0))):
                raise ShapeProblem(f"the dimension {dim}", "dimensions are positive integers, names, and products of them")
            atoms += [self.name(base) if base.is_Symbol else int(base)] * int(exponent)
        return tuple(a for a in atoms if a != 1)

    def shape(self, node: Any) -> Shape:
        rows, columns = node.shape
        return self.size(rows), self.size(columns)

    # one method per class that needs more than its operands

    def symbol(self, node: Any, _: list[Expr]) -> Expr:
        name = self.name(node)
        if not node.is_commutative or node.is_real is False:
            raise NameProblem(f"the symbol '{name}' is not a real number", "matcalc is real; a matrix is a MatrixSymbol")
        return ex.size_number((name,)) if node in self.dimensions else ex.var(name, SCALAR, ("positive",) * bool(node.is_positive))

    def matrix_symbol(self, node: Any, _: list[Expr]) -> Expr:
        return ex.var(self.name(node), self.shape(node))

    def elementwise(self, node: Any, args: list[Expr]) -> Expr:
        function = node.function
        variables: Sequence[Any] = getattr(function, "variables", ())
        if len(variables) != 1 or any(_is_array_of(variables[0], part) for part in arguments_first([function.expr], lambda n: n.args)):
            raise NameProblem(f"the function {function} is no function of one entry", "use a Lambda of one scalar")
        return ex.spread(self.read(function.expr, {variables[0]: args[0]}), args[0].shape_)

    def element(self, node: Any, args: list[Expr]) -> Expr:
        if args[0].is_scalar:
            return args[0]
        raise NameProblem(f"SymPy's MatrixElement {node} has no form in matcalc", "write a'*X*b with unit vectors a and b")


def _kind(node: Any) -> str:
    """The class of a node, or the one it inherits from, that matcalc reads."""
    kinds = [c.__name__ for c in type(node).__mro__]
    if "AppliedUndef" not in kinds and not kinds[0].startswith("Generic"):
        for kind in kinds:
            if kind in _MATRIX or kind in _ENTRYWISE or kind in _FUNCTIONS:
                return kind
    raise NameProblem(f"SymPy's {kinds[0]} has no form in matcalc", _HINTS.get(kinds[0], ""))


def _operands(node: Any) -> tuple[Any, ...]:
    return tuple(node.args[_OPERANDS.get(_kind(node), slice(None))])


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
        raise LimitProblem(f"the number {node} is out of range", f"numbers stay between {TINY} and {1 / TINY}")
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


def _kron(a: Expr, b: Expr) -> Expr:
    return ex.times(a, b) if a.is_scalar or b.is_scalar else ex.call("kron", a, b)


def _dot(a: Expr, b: Expr) -> Expr:
    row, column = (a if a.shape_[0] == UNIT else ex.transpose(a)), (b if b.shape_[1] == UNIT else ex.transpose(b))
    return ex.matmul(row, column)


_ENTRYWISE_HINT = "of entries: X.applyfunc(f), HadamardProduct, HadamardPower; of matrices: MatAdd, MatMul, MatPow"
_HINTS = {
    "Sum": "write sums over indices with Trace, OneMatrix and products",
    "MutableDenseMatrix": "name the matrix with a MatrixSymbol",
    "ImmutableDenseMatrix": "name the matrix with a MatrixSymbol",
    "Adjoint": "matcalc is real: write the transpose",
    "Derivative": "call doit(), or derive the inner expression",
}
_LEAVES = ("MatrixSymbol", "Identity", "OneMatrix", "ZeroMatrix")
_OPERANDS = {
    **dict.fromkeys((*_LEAVES, "Symbol"), slice(0)), "ElementwiseApplyFunction": slice(1, 2), "MatrixElement": slice(1), "Heaviside": slice(1),
}  # fmt: skip
_MATRIX: dict[str, Read] = {
    "Symbol": _Reader.symbol, "MatrixSymbol": _Reader.matrix_symbol, "MatrixElement": _Reader.element,
    "ElementwiseApplyFunction": _Reader.elementwise,
    "Rational": lambda _, node, args: _rational(node), "Float": lambda _, node, args: _float(node),
    "Exp1": lambda *_: ex.call("exp", ex.ONE), "Pi": lambda *_: ex.times(ex.num(4), ex.call("arctan", ex.ONE)),
    "Identity": lambda reader, node, _: ex.eye(reader.shape(node)[0]),
    "OneMatrix": lambda reader, node, _: ex.ones(reader.shape(node)), "ZeroMatrix": lambda reader, node, _: ex.zeros(reader.shape(node)),
    "MatAdd": lambda _, node, args: ex.add(*args), "MatMul": lambda _, node, args: ex.matmul(*args),
    "MatPow": lambda _, node, args: ex.power(*args), "Transpose": lambda _, node, args: ex.transpose(*args),
    "HadamardProduct": lambda _, node, args: ex.times(*args), "HadamardPower": lambda _, node, args: ex.pow_(*args),
    "KroneckerProduct": lambda _, node, args: reduce(_kron, args), "DotProduct": lambda _, node, args: _dot(*args),
    "Inverse": lambda _, node, args: ex.call("inv", args[0]), "Trace": lambda _, node, args: ex.call("tr", *args),
    "Determinant": lambda _, node, args: ex.call("det", *args), "DiagMatrix": lambda _, node, args: ex.call("diag", *args),
    "DiagonalOf": lambda _, node, args: ex.call("diagonal", *args),
    "DiagonalMatrix": lambda _, node, args: ex.call("diag", ex.call("diagonal", *args)),
}  # fmt: skip
_ENTRYWISE: dict[str, Callable[..., Expr]] = {
    "Add": ex.add, "Mul": ex.times, "Pow": ex.pow_, "Max": _maximum, "Min": lambda *args: ex.neg(_maximum(*map(ex.neg, args))), "log": _logarithm,
}  # fmt: skip
_FUNCTIONS = {
    "exp": "exp(x)", "Abs": "abs(x)", "sign": "sign(x)", "Heaviside": "step(x)", "re": "x",
    "sin": "sin(x)", "cos": "cos(x)", "tan": "tan(x)", "asin": "arcsin(x)", "acos": "arccos(x)", "atan": "arctan(x)",
    "sinh": "sinh(x)", "cosh": "cosh(x)", "tanh": "tanh(x)", "asinh": "arcsinh(x)", "acosh": "arccosh(x)", "atanh": "arctanh(x)",
    "sec": "1./cos(x)", "csc": "1./sin(x)", "cot": "1./tan(x)", "sech": "1./cosh(x)", "csch": "1./sinh(x)", "coth": "1./tanh(x)",
}  # fmt: skip


# ---- SymPy out ----------------------------------------------------------------------------------------------------------


class _Writer:
    """Writes expressions with one symbol for every name."""

    def __init__(self, symbols: Iterable[Any]) -> None:
        self.symbols = {s.name: s[0, 0] if s.is_Matrix and s.shape == (1, 1) else s for s in symbols}

    def write(self, root: Expr) -> Any:
        root, done = _in_simpler_functions(root), dict[Expr, Any]()
        for e in ex.postorder(root):
            done[e] = self._written(e, [done[a] for a in e.args])
        return done[root]

    def _written(self, e: Expr, args: list[Any]) -> Any:
        if e.head in _WRITERS:
            return _WRITERS[e.head](self, e, args)
        if e.head not in _SCALAR_FUNCTIONS and not _defined_by_entry(e.head):
            raise NameProblem(f"the function {e.head} has no SymPy form", "SymPy has elementary functions, inverse, determinant and trace")
        if e.is_scalar:
            return _applied(e.head, args[0])
        return args[0].applyfunc(_sympy().Lambda(_entry(), _applied(e.head, _entry())))

    def dimension(self, size: Iterable[object]) -> Any:
        return _sympy().Mul(*(a if isinstance(a, int) else self.symbol(str(a)) for a in size))

    def symbol(self, name: str, **assumptions: bool) -> Any:
        return self.symbols.setdefault(name, _sympy().Symbol(name, **assumptions))

    def variable(self, e: Expr, _: list[Any]) -> Any:
        if e.is_scalar:
            return self.symbol(e.name, **{"positive": True} if "positive" in e.properties else {})
        return _sympy().MatrixSymbol(e.name, *map(self.dimension, e.shape_))

    def sum(self, e: Expr, args: list[Any]) -> Any:
        if e.is_scalar:
            return _sympy().Add(*args)
        return _plain(_sympy().MatAdd(*(self.spread(x, a.shape_, e.shape_) for x, a in zip(args, e.args, strict=True))))

    def spread(self, x: Any, shape: Shape, wanted: Shape) -> Any:
        """A scalar, or a row, repeated to fill a shape."""
        ones = self.ones(wanted[0], wanted[1] if shape == SCALAR else UNIT)
        return x if shape == wanted else self.product(ones, x)

    def ones(self, rows: Size, columns: Size) -> Any:
        return _sympy().OneMatrix(self.dimension(rows), self.dimension(columns))

    def product(self, *factors: Any) -> Any:
        return _plain(_sympy().MatMul(*factors))

    def times(self, e: Expr, args: list[Any]) -> Any:
        scalars, arrays = ([x for x, a in zip(args, e.args, strict=True) if a.is_scalar is kind] for kind in (True, False))
        if not arrays:
            return _sympy().Mul(*scalars)
        array = arrays[0] if len(arrays) == 1 else _sympy().HadamardProduct(*arrays)
        return self.product(*scalars, array) if scalars else array

    def closed(self, factors: Sequence[Any]) -> Any:
        """A product of 1×1 as a scalar."""
        return _sympy().Trace(self.product(*factors))

    def total(self, e: Expr, args: list[Any]) -> Any:
        rows, columns = e.args[0].shape_
        return self.closed((self.ones(UNIT, rows), *args, self.ones(columns, UNIT)))

    def norm(self, e: Expr, args: list[Any]) -> Any:
        return _sympy().Abs(args[0]) if e.args[0].is_scalar else _sympy().sqrt(self.closed((_sympy().Transpose(args[0]), args[0])))

    def logdet(self, e: Expr, args: list[Any]) -> Any:
        return _sympy().log(_sympy().Abs(args[0] if e.args[0].is_scalar else _sympy().Determinant(args[0])))


@cache
def _entry() -> Any:
    """The variable of every Lambda, so that what is written twice is equal."""
    return _sympy().Dummy("d")


def _plain(x: Any) -> Any:
    """One node in the form that SymPy's operators give, its arguments untouched."""
    return x.doit(deep=False)


def _in_simpler_functions(e: Expr) -> Expr:
    """The functions that SymPy does not have, by the table's definitions of them."""
    new: dict[Expr, Expr] = {}
    for node in ex.postorder(e):
        args = tuple(new[a] for a in node.args)
        meaning = _definition(node.head)
        new[node] = template(meaning, {"x": args[0]}) if meaning else ex.rebuild(node, args) if args != node.args else node
    return new[e]


def _definition(head: str) -> str:
    """The definition of a function of whole arrays."""
    if head in _WRITERS or head not in BY_NAME or BY_NAME[head].elementwise:
        return ""
    return "sum(abs(x))" if head == "norm1" else BY_NAME[head].exact


def _defined_by_entry(head: str) -> bool:
    return BY_NAME[head].elementwise and bool(BY_NAME[head].exact)


def _applied(name: str, x: Any) -> Any:
    """An elementwise function of the table on a scalar of SymPy: SymPy's own, or by the table's definition."""
    function = _SCALAR_FUNCTIONS.get(name)
    if function is None:
        definition = template(BY_NAME[name].exact, {"x": ex.var(_entry().name)})
        return to_sympy(definition, [_entry()]).xreplace({_entry(): x})
    return getattr(_sympy(), function)(x) if isinstance(function, str) else function(_sympy(), x)


_SCALAR_FUNCTIONS: dict[str, str | Callable[[Any, Any], Any]] = {
    "exp": "exp", "log": "log", "sin": "sin", "cos": "cos", "tan": "tan", "arcsin": "asin", "arccos": "acos", "arctan": "atan",
    "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
    "abs": "Abs", "sign": "sign",
    "sigmoid": lambda sp, x: 1 / (1 + sp.exp(-x)), "tanhalf": lambda sp, x: sp.tan(x / 2),
    "relu": lambda sp, x: sp.Max(x, 0), "step": lambda sp, x: sp.Heaviside(x, 0),
}  # fmt: skip
_WRITERS: dict[str, Write] = {
    "var": _Writer.variable, "num": lambda _, e, args: _sympy().Rational(e.value.numerator, e.value.denominator),
    "size": lambda writer, e, _: writer.dimension((e.data,)),
    "ones": lambda writer, e, _: writer.ones(*e.shape_), "zeros": lambda writer, e, _: _sympy().ZeroMatrix(*map(writer.dimension, e.shape_)),
    "eye": lambda writer, e, _: _sympy().Identity(writer.dimension(e.shape_[0])),
    "add": _Writer.sum, "times": _Writer.times, "pow": lambda _, e, args: (_sympy().Pow if e.is_scalar else _sympy().HadamardPower)(*args),
    "matmul": lambda writer, e, args: writer.closed(args) if e.is_scalar else writer.product(*args),
    "T": lambda _, e, args: _sympy().Transpose(*args), "tr": lambda _, e, args: _sympy().Trace(*args),
    "sum": _Writer.total, "norm2": _Writer.norm, "logdet": _Writer.logdet,
    "inv": lambda _, e, args: _sympy().Inverse(*args), "det": lambda _, e, args: _sympy().Determinant(*args),
    "diag": lambda _, e, args: _sympy().DiagMatrix(*args), "diagonal": lambda _, e, args: _sympy().DiagonalOf(*args),
    "kron": lambda _, e, args: _sympy().KroneckerProduct(*args),
}  # fmt: skip
