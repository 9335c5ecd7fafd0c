"""Operators of the language, and calls of the functions of the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..errors import NameProblem, ShapeProblem
from ..faces import face
from ..tables.functions import ARGUMENTS, BY_NAME, Row
from .mismatch import brief
from .nodes import MINUS_ONE, Expr, node, zeros
from .normal import (
    TRANSPOSE_LIMIT,
    broadcast,
    diagonal_matrix,
    matmul,
    plainer,
    pow_,
    spread,
    times,
    transpose,
)
from .signatures import result_shape
from .sizes import SCALAR, UNIT, Shape, show_shape, unify


def product(a: Expr, b: Expr) -> Expr:
    """``*``: the matrix product, or a scalar times anything."""
    return times(a, b) if a.is_scalar or b.is_scalar else matmul(a, b)


def divide(a: Expr, b: Expr) -> Expr:
    """``/``: division by a scalar."""
    if not b.is_scalar:
        raise ShapeProblem(
            f"division by {brief(b)}: {show_shape(b.shape_)}",
            "use ./ for entries or inv() for matrices",
        )
    return times(a, pow_(b, MINUS_ONE))


def power(base: Expr, exponent: Expr) -> Expr:
    """``^``: a power of a scalar, or an integer power of a square matrix."""
    if base.is_scalar and exponent.is_scalar:
        return pow_(base, exponent)
    if not exponent.is_scalar:
        whole = (
            f"declare {exponent.name}: integer; "
            if exponent.head == "var" and UNIT not in base.shape_
            else ""
        )
        raise ShapeProblem(
            f"the exponent {brief(exponent)} is not a scalar",
            f"{whole}A' is the transpose, .^ the entry-by-entry power",
        )
    if base.shape_[1] == UNIT or base.shape_[0] == UNIT:
        raise ShapeProblem(
            f"{brief(base)} is a vector and has no power", "use .^ for the power of each entry"
        )
    if not unify(*base.shape_):
        raise ShapeProblem(
            f"power of {brief(base)}: {show_shape(base.shape_)}", "only a square matrix has powers"
        )
    return call("powm", base, exponent)


# Calls that are something simpler because of the form of their arguments, by algorithms that
# :mod:`matcalc.expr.values` enters; None where an argument has no such form.
KNOWN: dict[str, Callable[..., Expr | None]] = {}


# ---- calls of functions --------------------------------------------------------------------------


def call(name: str, *args: Expr, trusted: bool = False) -> Expr:
    """A function of the table applied to arguments.

    Raises NameProblem for a name or a number of arguments that the table does not have,
    ShapeProblem for a wrong shape, and, unless it is ``trusted``, for a matrix that must be
    symmetric and cannot be seen to be.
    """
    row = _row(name, len(args))
    if row.name == "diag":
        return _diag(args[0])
    _check(row, args[0])
    if row.symmetric and not trusted and transpose(args[0]) is not args[0]:
        raise ShapeProblem(
            f"{name}({brief(args[0])}) of a matrix that may not be symmetric",
            "declare it symmetric, or take (A + A')/2",
        )
    value = _value(row, args)
    return _function_node(row, args) if value is None else value


def _row(name: str, count: int) -> Row:
    """The row of a function that takes so many arguments."""
    row = BY_NAME.get(name)
    if row is None:
        raise NameProblem(f"unknown function '{name}'")
    if count != row.arity:
        plural = "s" * (row.arity > 1)
        raise NameProblem(f"{row.name} takes {row.arity} argument{plural}, not {count}")
    return row


def _value(row: Row, args: tuple[Expr, ...]) -> Expr | None:
    """A call as something simpler, from the table or by an algorithm."""
    text = _text_at(row, args)
    if text:
        return _evaluated(text, row, args)
    value = KNOWN[row.name](*args) if row.name in KNOWN else None
    if value is None and row.define and row.arity == 1 and args[0].head == "zeros":
        return zeros(result_shape(row, args))
    return value


def _text_at(row: Row, args: tuple[Expr, ...]) -> str:
    """The column of the table that says what a function is of such arguments, if one does."""
    if row.scalar and all(a.is_scalar for a in args):
        return row.scalar
    return row.column if args[0].shape_[1] == UNIT else ""


def _evaluated(text: str, row: Row, args: tuple[Expr, ...]) -> Expr:
    """A text of the table at the arguments of a call."""
    if text == ARGUMENTS[0]:  # most often; a text must be read
        return args[0]
    value: Expr = face("template")(text, row.named(args))
    return value


def _check(row: Row, x: Expr) -> None:
    """The shape that a function asks for."""
    name = "diag" if row.name == "diagonal" else row.name
    if row.square and not unify(*x.shape_):
        raise ShapeProblem(
            f"{name}({brief(x)}) of {show_shape(x.shape_)}", f"{name} needs a square matrix"
        )
    if row.matrix and UNIT in x.shape_ and not x.is_scalar:
        raise ShapeProblem(
            f"{name}({brief(x)}) of {show_shape(x.shape_)}", f"{name} needs a matrix"
        )
    if row.vector and UNIT not in x.shape_:
        raise ShapeProblem(
            f"{row.name}({brief(x)}) of {show_shape(x.shape_)} is ambiguous",
            f"write {row.each_row}({brief(x)}) for each row",
        )


def _diag(x: Expr) -> Expr:
    """The diagonal matrix of a vector, or the diagonal of a matrix."""
    column = transpose(x) if x.shape_[0] == UNIT else x
    return diagonal_matrix(column) if column.shape_[1] == UNIT else call("diagonal", x)


def _function_node(row: Row, args: tuple[Expr, ...]) -> Expr:
    if row.second:
        return _pair_node(row, args)
    plain = plainer(args[0]) if row.transpose else args[0]
    if plain is not args[0]:
        value = call(row.name, plain, *args[1:])
        return value if row.transpose == "invariant" else transpose(value)
    return node(row.name, args, None, result_shape(row, args))


def _pair_node(row: Row, args: tuple[Expr, ...]) -> Expr:
    """A function of the entries of two arguments, of which one may be a scalar: the transpose of
    the one of their transposes, if that is plainer.
    """
    shape = _common_shape(row, args)
    args = tuple(a if a.is_scalar else spread(a, shape) for a in args)
    if shape != SCALAR and sum(a.count for a in args) <= TRANSPOSE_LIMIT:
        turned = [transpose(a) for a in args]
        if _stands_better(shape, args, turned):
            return transpose(call(row.name, *turned))
    return node(row.name, args, None, shape)


def _common_shape(row: Row, args: tuple[Expr, ...]) -> Shape:
    """The shape to which the arguments broadcast."""
    try:
        return broadcast(a.shape_ for a in args)
    except ShapeProblem as problem:
        shown = " and ".join(show_shape(a.shape_) for a in args)
        raise ShapeProblem(f"{row.name} of {shown}", problem.hint) from None


def _stands_better(shape: Shape, args: Sequence[Expr], turned: Sequence[Expr]) -> bool:
    """Whether arguments are plainer transposed: a row always is, a column never."""
    if UNIT in shape:
        return shape[0] == UNIT
    return sum(a.transposes for a in turned) < sum(a.transposes for a in args)
