"""Sizes and places as they are typed: ``ones(n+1)``, ``X[:,j]``, ``x[2:n]``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from math import prod

from lark import Token

from ..errors import NameProblem, ShapeProblem
from ..expr import Expr
from ..expr.parts import Range
from ..expr.sizes import UNIT, Size, Sum, Unknown, resolve, total_of, unify
from ..tables.functions import BY_NAME, MACROS
from .declarations import CONSTANTS, NUMBERS
from .syntax import Syntax, span

LENGTHS = {"rows": 0, "cols": 1}  # the axes of a variable whose lengths have names


def size_in(node: Syntax, text: str, variables: Mapping[str, Expr]) -> Size:
    """The size that a part of a text stands for; raises ShapeProblem for what is none."""
    found = _length(node, text, variables)
    if found.is_empty:
        raise ShapeProblem(f"{found} is not a size", "sizes are positive").at(text, span(node))
    written = tuple(a for part in _factors(node, text, variables) for a in part.size())
    return written if Counter(written) == Counter(found.size()) else found.size()


def range_in(node: Syntax, text: str, variables: Mapping[str, Expr], whole: Size) -> Range | None:
    """The places that an index takes on an axis, None for all of them.

    Places are counted from 1, and both ends are included.
    """
    if node.data != "range":
        return Range(total_of([((_length(node, text, variables),), 1)], -1), UNIT)
    colon = next(i for i, c in enumerate(node.children) if isinstance(c, Token))
    first, last = (
        [_length(c, text, variables) for c in side if not isinstance(c, Token)]
        for side in (node.children[:colon], node.children[colon:])
    )
    if not first and not last:
        return None
    start = total_of([((first[0],), 1)], -1) if first else Sum({})
    open_ended = any(isinstance(a, Unknown) for a in resolve(whole))
    if last and open_ended and last[0].size() in [size for size, _ in last[0].terms]:
        # x[2:n] of a vector that nothing else is known of: n is its length
        unify(whole, last[0].size())
    stop = last[0] if last else total_of([(whole, 1)])
    width = total_of([((stop,), 1), ((start,), -1)])
    if (not start.terms and start.constant < 0) or width.is_empty:
        raise ShapeProblem(
            "this range is empty", "places are counted from 1, and both ends are included"
        ).at(text, span(node))
    return Range(start, width.size())


def _factors(node: Syntax, text: str, variables: Mapping[str, Expr]) -> list[Sum]:
    """The factors of a product of sizes in the order in which they are written.

    None of what is no product.
    """
    if node.data != "product" or any(str(op) != "*" for op in node.children[1::2]):
        return []
    return [_length(part, text, variables) for part in node.children if not isinstance(part, Token)]


def _length(node: Syntax, text: str, variables: Mapping[str, Expr]) -> Sum:
    """A sum of sizes: names, whole numbers, their products and differences."""
    if node.data == "number" and re.fullmatch(r"[0-9]{1,9}", str(node.children[0])):
        return Sum({}, int(str(node.children[0])))
    if node.data == "name" and str(node.children[0]) not in variables:
        if str(node.children[0]) in (*NUMBERS, *CONSTANTS, *BY_NAME, *MACROS):
            raise NameProblem(
                f"'{node.children[0]}' is no size and no place", "it has a meaning already"
            ).at(text, span(node))
        return total_of([((str(node.children[0]),), 1)])
    parts = [part for part in node.children if not isinstance(part, Token)]
    if (
        (axis := measured_axis(node)) is not None
        and parts[0].data == "name"
        and str(parts[0].children[0]) in variables
    ):
        return total_of([(variables[str(parts[0].children[0])].shape_[axis], 1)])
    if factors := _factors(node, text, variables):
        names = tuple(a for f in factors if f.terms for a in f.size())
        return total_of([(names, prod(f.constant for f in factors if not f.terms))])
    if node.data == "sum":
        signs = ["+", *(str(t) for t in node.children if isinstance(t, Token))]
        return total_of(
            [
                ((_length(part, text, variables),), 1 if sign == "+" else -1)
                for sign, part in zip(signs, parts, strict=True)
            ]
        )
    raise ShapeProblem(
        "this is not a size", "sizes are positive integers, names, and sums and products of them"
    ).at(text, span(node))


def measured_axis(node: Syntax) -> int | None:
    """The axis whose length a call such as rows(X) stands for, if it is one."""
    if node.data != "call" or len(node.children) != 2:
        return None
    return LENGTHS.get(str(node.children[0]))
