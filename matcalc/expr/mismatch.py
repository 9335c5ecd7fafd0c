"""Errors about shapes that do not fit: the fact, and what would be right."""

from __future__ import annotations

from math import prod

from ..errors import ShapeProblem
from .nodes import OPERATORS, Expr
from .sizes import UNIT, Shape, Size, might_be_equal, resolve, same, show, show_shape, unify

BRIEF = 12  # nodes from which on an expression is not written out in a message


def check_product(a: Expr, b: Expr) -> None:
    """Raise ShapeProblem unless the columns of a are the rows of b."""
    if not unify(a.shape_[1], b.shape_[0]):
        raise ShapeProblem(
            f"{brief(a)}: {show_shape(a.shape_)} times {brief(b)}: {show_shape(b.shape_)}",
            _product_hint(a, b),
        )


def brief(e: Expr) -> str:
    """The expression as text, if it is short."""
    return str(e) if e.count < BRIEF else f"a {e.head} expression"


def _product_hint(a: Expr, b: Expr) -> str:
    """A product of the two factors, transposed or in the other order, that would fit."""
    rows, inner = a.shape_
    other_inner, cols = b.shape_
    hint = _hint_on_numbers(inner, other_inner)
    if hint:
        return hint
    x, y = _as_factor(a), _as_factor(b)
    xt, yt = _as_factor(transposed(a)), _as_factor(transposed(b))
    if inner == UNIT == cols and might_be_equal(rows, other_inner):
        return f"did you mean {xt}*{y}, {x}*{yt} or {x}.*{y}?"
    if might_be_equal(rows, other_inner) and xt != x:
        return f"did you mean {xt}*{y}?"
    if might_be_equal(inner, cols) and yt != y:
        return f"did you mean {x}*{yt}?"
    if might_be_equal(rows, cols):
        return f"did you mean {y}*{x}?"
    return "the inner sizes must agree"


def _as_factor(e: Expr) -> str:
    return f"({brief(e)})" if e.head in ("add", "times", "matmul") else brief(e)


def transposed(e: Expr) -> Expr:
    """The transpose, by the operator, since normal forms are made with these messages."""
    return OPERATORS["transpose"](e)


def _hint_on_numbers(a: Size, b: Size) -> str:
    """A hint where one size is 12 and the other 3*4: axes of vec and kron keep their factors."""
    return _product_of_numbers(a, b) or _product_of_numbers(b, a)


def _product_of_numbers(product: Size, length: Size) -> str:
    product, length = resolve(product), resolve(length)
    numbers = [a for a in product if isinstance(a, int)]
    if len(numbers) == len(product) > 1 and length == (prod(numbers),):
        return f"declare the length {show(length)} as {show(product)}"
    return ""


def add_hint(a: Shape, b: Shape) -> str:
    """A hint for two shapes that cannot be added."""
    for x, y in zip(a, b, strict=True):
        if hint := _hint_on_numbers(x, y):
            return hint
    if same(a[0], b[1]) and same(a[1], b[0]):
        return "did you mean to transpose one of them?"
    if UNIT in (a[1], b[1]) and same(a[0], b[0]):
        return "a column is added to every column by writing v*ones(n)'"
    return ""
