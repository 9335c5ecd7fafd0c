"""SymPy out: expressions of matcalc as SymPy's matrix expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from .. import expr as ex
from ..errors import LimitProblem, Unsupported
from ..expr import Expr
from ..expr.parts import range_of
from ..expr.powers import exponents_of
from ..expr.sizes import SCALAR, UNIT, Shape, Size, Sum
from ..language.elaborate import template
from ..tables.functions import BY_NAME, Row
from ..tables.properties import with_implied

Write = Callable[["_Writer", Expr, list[Any]], Any]


def to_sympy(e: Expr, symbols: Iterable[Any] = ()) -> Any:
    """The SymPy expression of a matcalc expression, in a Symbol or MatrixSymbol for every variable
    and a Symbol for every size.

    ``symbols`` are used where their names occur, so that their assumptions are kept. Raises
    Unsupported for a function that SymPy has no form for, LimitProblem for an expression too deep
    for SymPy.

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


class _Writer:
    """Writes expressions with one symbol for every name."""

    def __init__(self, symbols: Iterable[Any]) -> None:
        self.symbols = {
            s.name: s[0, 0] if s.is_Matrix and s.shape == (1, 1) else s for s in symbols
        }

    def write(self, root: Expr) -> Any:
        root, done = _in_simpler_functions(root), dict[Expr, Any]()
        nodes = ex.postorder(root)
        for name in exponents_of(nodes):
            self.symbol(name, integer=True)
        for e in nodes:
            done[e] = self._written(e, [done[a] for a in e.args])
        return done[root]

    def _written(self, e: Expr, args: list[Any]) -> Any:
        if e.head in _WRITERS:
            return _WRITERS[e.head](self, e, args)
        row = BY_NAME.get(e.head)
        if row is not None and row.elementwise and (row.sympy or row.exact):
            if e.is_scalar:
                return _applied(row, args[0])
            return args[0].applyfunc(_sympy().Lambda(_entry(), _applied(row, _entry())))
        if row is not None and row.sympy:
            return getattr(_sympy(), row.sympy)(*args)
        shown = f"the function {e.head}" if row is not None else str(e)
        raise Unsupported(
            f"{shown} has no SymPy form",
            "SymPy has elementary functions, inverse, determinant and trace",
        )

    def dimension(self, size: Iterable[object]) -> Any:
        return _sympy().Mul(
            *(
                a
                if isinstance(a, int)
                else self.total(a)
                if isinstance(a, Sum)
                else self.symbol(str(a))
                for a in size
            )
        )

    def total(self, a: Sum) -> Any:
        """A sum of sizes."""
        return _sympy().Add(a.constant, *(k * self.dimension(size) for size, k in a.terms))

    def part(self, e: Expr, _: list[Any]) -> Any:
        """Columns of the identity."""
        rows, places = self.dimension(e.shape_[0]), range_of(e)
        start, stop = (self.total(s) for s in (places.start, places.stop))
        return _sympy().MatrixSlice(_sympy().Identity(rows), (0, rows), (start, stop))

    def polygamma(self, e: Expr, args: list[Any]) -> Any:
        k, x = args
        if e.is_scalar:
            return _sympy().polygamma(k, x)
        return x.applyfunc(_sympy().Lambda(_entry(), _sympy().polygamma(k, _entry())))

    def power_slope(self, e: Expr, args: list[Any]) -> Any:
        """The upper right block of the power of [x e; 0 x] (Mathias 1996)."""
        x, direction, k = args
        n = x.shape[0]
        power = _sympy().MatPow(
            _sympy().BlockMatrix([[x, direction], [_sympy().ZeroMatrix(n, n), x]]), k
        )
        return _sympy().MatrixSlice(power, (0, n), (n, 2 * n))

    def symbol(self, name: str, **assumptions: bool) -> Any:
        return self.symbols.setdefault(name, _sympy().Symbol(name, **assumptions))

    def variable(self, e: Expr, _: list[Any]) -> Any:
        if e.is_scalar:
            assumed = [row.sympy for row in with_implied(e.properties) if row.sympy]
            return self.symbol(e.name, **dict.fromkeys(assumed, True))
        return _sympy().MatrixSymbol(e.name, *map(self.dimension, e.shape_))

    def sum(self, e: Expr, args: list[Any]) -> Any:
        if e.is_scalar:
            return _sympy().Add(*args)
        return _plain(
            _sympy().MatAdd(
                *(self.spread(x, a.shape_, e.shape_) for x, a in zip(args, e.args, strict=True))
            )
        )

    def spread(self, x: Any, shape: Shape, wanted: Shape) -> Any:
        """A scalar, or a row, repeated to fill a shape."""
        ones = self.ones(wanted[0], wanted[1] if shape == SCALAR else UNIT)
        return x if shape == wanted else self.product(ones, x)

    def ones(self, rows: Size, columns: Size) -> Any:
        return _sympy().OneMatrix(self.dimension(rows), self.dimension(columns))

    def product(self, *factors: Any) -> Any:
        return _plain(_sympy().MatMul(*factors))

    def times(self, e: Expr, args: list[Any]) -> Any:
        scalars, arrays = (
            [x for x, a in zip(args, e.args, strict=True) if a.is_scalar is kind]
            for kind in (True, False)
        )
        if not arrays:
            return _sympy().Mul(*scalars)
        array = arrays[0] if len(arrays) == 1 else _sympy().HadamardProduct(*arrays)
        return self.product(*scalars, array) if scalars else array

    def closed(self, factors: Sequence[Any]) -> Any:
        """A product of 1×1 as a scalar."""
        return _sympy().Trace(self.product(*factors))

    def sum_of_entries(self, e: Expr, args: list[Any]) -> Any:
        rows, columns = e.args[0].shape_
        return self.closed((self.ones(UNIT, rows), *args, self.ones(columns, UNIT)))

    def norm(self, e: Expr, args: list[Any]) -> Any:
        return (
            _sympy().Abs(args[0])
            if e.args[0].is_scalar
            else _sympy().sqrt(self.closed((_sympy().Transpose(args[0]), args[0])))
        )

    def logdet(self, e: Expr, args: list[Any]) -> Any:
        return _sympy().log(
            _sympy().Abs(args[0] if e.args[0].is_scalar else _sympy().Determinant(args[0]))
        )


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
        if _needs_definition(node.head):
            row = BY_NAME[node.head]
            new[node] = template(row.exact, row.named(args))
        else:
            new[node] = node if args == node.args else ex.rebuild(node, args)
    return new[e]


def _needs_definition(head: str) -> bool:
    """Whether a node is a function of whole arrays, or of the entries of two, that has a definition
    by simpler ones.
    """
    row = BY_NAME.get(head)
    if head in _WRITERS or row is None or (row.elementwise and not row.second):
        return False
    return bool(row.exact)


def _applied(row: Row, x: Any) -> Any:
    """An elementwise function of the table on a scalar of SymPy: SymPy's own, or by the table's
    definition.
    """
    if not row.sympy:
        definition = template(row.exact, {"x": ex.var(_entry().name)})
        return to_sympy(definition, [_entry()]).xreplace({_entry(): x})
    name, _, numbers = row.sympy.removesuffix(")").partition("(x, ")
    return getattr(_sympy(), name)(x, *map(int, numbers.split()))


_WRITERS: dict[str, Write] = {
    "var": _Writer.variable,
    "num": lambda _, e, args: _sympy().Rational(e.value.numerator, e.value.denominator),
    "size": lambda writer, e, _: writer.dimension((e.data,)),
    "ones": lambda writer, e, _: writer.ones(*e.shape_),
    "zeros": lambda writer, e, _: _sympy().ZeroMatrix(*map(writer.dimension, e.shape_)),
    "eye": lambda writer, e, _: _sympy().Identity(writer.dimension(e.shape_[0])),
    "add": _Writer.sum,
    "times": _Writer.times,
    "pow": lambda _, e, args: (_sympy().Pow if e.is_scalar else _sympy().HadamardPower)(*args),
    "matmul": lambda writer, e, args: writer.closed(args) if e.is_scalar else writer.product(*args),
    "T": lambda _, e, args: _sympy().Transpose(*args),
    "sum": _Writer.sum_of_entries,
    "part": _Writer.part,
    "polygamma": _Writer.polygamma,
    "pi": lambda *_: _sympy().pi,
    "norm2": _Writer.norm,
    "logdet": _Writer.logdet,
    "powm_frechet": _Writer.power_slope,
}
