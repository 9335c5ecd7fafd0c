"""What to say when shapes do not fit: the facts of an error, and what would be right."""

from __future__ import annotations

from math import prod

from ..errors import ShapeProblem
from .nodes import OPERATORS, Expr
from .sizes import UNIT, Shape, Size, might_be_equal, resolve, same, show, show_shape, unify


def check_product(a: Expr, b: Expr) -> None:
    """Raise ShapeProblem unless the columns of a are the rows of b."""
    if not unify(a.shape_[1], b.shape_[0]):
        raise ShapeProblem(
            f"{brief(a)}: {show_shape(a.shape_)} times {brief(b)}: {show_shape(b.shape_)}",
            _product_hint(a, b),
        )


def brief(e: Expr) -> str:
    return str(e) if e.count < 12 else f"a {e.head} expression"


def _product_hint(a: Expr, b: Expr) -> str:
    (r, c), (p, q) = a.shape_, b.shape_
    if hint := _product_of_numbers(c, p) or _product_of_numbers(p, c):
        return hint
    x, y, xt, yt = (
        f"({s})" if e.head in ("add", "times", "matmul") else s
        for e in (a, b, transposed(a), transposed(b))
        for s in (brief(e),)
    )
    if c == UNIT == q and might_be_equal(r, p):
        return f"did you mean {xt}*{y}, {x}*{yt} or {x}.*{y}?"
    if might_be_equal(r, p) and xt != x:
        return f"did you mean {xt}*{y}?"
    if might_be_equal(c, q) and yt != y:
        return f"did you mean {x}*{yt}?"
    if might_be_equal(r, q):
        return f"did you mean {y}*{x}?"
    return "the inner sizes must agree"


def _product_of_numbers(product: Size, length: Size) -> str:
    """What to say where one size is 12 and the other 3*4: axes that vec and kron make keep their
    factors.
    """
    product, length = resolve(product), resolve(length)
    numbers = [a for a in product if isinstance(a, int)]
    if len(numbers) == len(product) > 1 and length == (prod(numbers),):
        return f"declare the length {show(length)} as {show(product)}"
    return ""


def transposed(e: Expr) -> Expr:
    return OPERATORS["transpose"](e)


def add_hint(a: Shape, b: Shape) -> str:
    for x, y in zip(a, b, strict=True):
        if hint := _product_of_numbers(x, y) or _product_of_numbers(y, x):
            return hint
    if same(a[0], b[1]) and same(a[1], b[0]):
        return "did you mean to transpose one of them?"
    if UNIT in (a[1], b[1]) and same(a[0], b[0]):
        return "a column is added to every column by writing v*ones(n)'"
    return ""
