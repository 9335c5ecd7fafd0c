"""Sizes and indices as they are typed: ``ones(n+1)``, ``X[:,j]``, ``x[2:n]``.

Indices start at 1, and both ends of a range are included.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from lark import Token

from ..errors import NameProblem, ShapeProblem
from ..expr import Expr
from ..expr.parts import Range
from ..expr.sizes import UNIT, Atom, Size, Sum, Unknown, resolve, total_of, unify
from ..tables.functions import BY_NAME, MACROS
from .declarations import CONSTANTS, NUMBER, NUMBERS
from .syntax import Syntax, span

LENGTHS = {"rows": 0, "cols": 1}  # the axes of a variable whose lengths have names


def size_in(node: Syntax, text: str, variables: Mapping[str, Expr]) -> Size:
    """The size that a part of a text stands for, its factors in the order in which they stand.

    Raises ShapeProblem for what is no size, NameProblem for a name that has another meaning.
    """
    size = _length(node, text, variables)
    if size.is_empty:
        raise ShapeProblem(f"{size} is not a size", "sizes are positive").at(text, span(node))
    as_typed = tuple(a for part in _factors(node, text, variables) for a in part.size())
    return as_typed if Counter(as_typed) == Counter(size.size()) else size.size()


def range_in(node: Syntax, text: str, variables: Mapping[str, Expr], axis: Size) -> Range | None:
    """The part of an axis that an index or a range takes, None for all of it.

    Raises ShapeProblem for an empty range and for what is no index.
    """
    if node.data != "range":
        return Range(_before(_length(node, text, variables)), UNIT)
    first, last = _ends(node, text, variables)
    if first is None and last is None:
        return None
    start = Sum({}) if first is None else _before(first)
    if last is None:
        stop = total_of([(axis, 1)])
    else:
        _bind_length(axis, last)
        stop = last
    width = total_of([((stop,), 1), ((start,), -1)])
    starts_too_early = not start.terms and start.constant < 0
    if starts_too_early or width.is_empty:
        raise ShapeProblem(
            "this range is empty", "indices start at 1, and both ends are included"
        ).at(text, span(node))
    return Range(start, width.size())


def _ends(node: Syntax, text: str, variables: Mapping[str, Expr]) -> tuple[Sum | None, Sum | None]:
    """The first and the last index of a range, None for one that is left out."""
    is_before = True
    first = last = None
    for child in node.children:
        if isinstance(child, Token):  # the colon
            is_before = False
        elif is_before:
            first = _length(child, text, variables)
        else:
            last = _length(child, text, variables)
    return first, last


def _before(index: Sum) -> Sum:
    """The number of entries before an index."""
    return total_of([((index,), 1)], -1)


def _bind_length(axis: Size, last: Sum) -> None:
    """Take n as the length of an axis that nothing else is known of: x[2:n] of a vector x."""
    is_unknown = any(isinstance(atom, Unknown) for atom in resolve(axis))
    if is_unknown and last.size() in [size for size, _ in last.terms]:
        unify(axis, last.size())


def _factors(node: Syntax, text: str, variables: Mapping[str, Expr]) -> list[Sum]:
    """The factors of a product of sizes in the order in which they stand; empty for no product."""
    if node.data != "product" or any(str(op) != "*" for op in node.children[1::2]):
        return []
    return [_length(part, text, variables) for part in _parts(node)]


def _parts(node: Syntax) -> list[Syntax]:
    """The children of a node that are no tokens."""
    return [child for child in node.children if not isinstance(child, Token)]


def _length(node: Syntax, text: str, variables: Mapping[str, Expr]) -> Sum:
    """A sum of sizes: names, whole numbers, their products and differences."""
    if node.data == "number" and re.fullmatch(NUMBER, str(node.children[0])):
        return Sum({}, int(str(node.children[0])))
    if node.data == "name" and str(node.children[0]) not in variables:
        return _named_length(node, text)
    measured = _measured_length(node, variables)
    if measured is not None:
        return total_of([(measured, 1)])
    if factors := _factors(node, text, variables):
        return _product_of_lengths(factors)
    if node.data == "sum":
        return _sum_of_lengths(node, text, variables)
    raise ShapeProblem(
        "this is not a size", "sizes are positive integers, names, and sums and products of them"
    ).at(text, span(node))


def _named_length(node: Syntax, text: str) -> Sum:
    """A name as a size; raises NameProblem for that of a number or of a function."""
    name = str(node.children[0])
    if name in (*NUMBERS, *CONSTANTS, *BY_NAME, *MACROS):
        raise NameProblem(f"'{name}' is no size and no index", "it has a meaning already").at(
            text, span(node)
        )
    return total_of([((name,), 1)])


def _sum_of_lengths(node: Syntax, text: str, variables: Mapping[str, Expr]) -> Sum:
    """A sum of lengths with its signs; a leading sign stands inside the first part."""
    signs = ["+", *(str(child) for child in node.children if isinstance(child, Token))]
    lengths = []
    for sign, part in zip(signs, _parts(node), strict=True):
        lengths.append(((_length(part, text, variables),), 1 if sign == "+" else -1))
    return total_of(lengths)


def _product_of_lengths(factors: list[Sum]) -> Sum:
    """The product of factors, each a number or a size."""
    number, names = 1, list[Atom]()
    for factor in factors:
        if factor.terms:
            names += factor.size()
        else:
            number *= factor.constant
    return total_of([(tuple(names), number)])


def _measured_length(node: Syntax, variables: Mapping[str, Expr]) -> Size | None:
    """The length that rows(X) or cols(X) stands for, if X is the name of a variable."""
    axis = measured_axis(node)
    if axis is None:
        return None
    (argument,) = _parts(node)
    if argument.data != "name" or str(argument.children[0]) not in variables:
        return None
    return variables[str(argument.children[0])].shape_[axis]


def measured_axis(node: Syntax) -> int | None:
    """The axis whose length a call such as rows(X) stands for, if it is one of these."""
    if node.data != "call" or len(node.children) != 2:
        return None
    return LENGTHS.get(str(node.children[0]))
