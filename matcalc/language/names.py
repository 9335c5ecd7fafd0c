"""What an undeclared name is, by its first letter and its use: a scalar, a vector, a matrix, a
size or a place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from lark import Token

from .. import expr as ex
from ..expr import Expr
from ..expr.powers import POWERS
from ..expr.sizes import Size
from ..tables.functions import BY_NAME, MACROS
from .declarations import NUMBERS, SPELLED_GREEK, Declared, default_kind, is_function
from .indices import measured_axis
from .syntax import Syntax, span

# constants that answers may hold
OF_TWO_SIZES: dict[str, tuple[Callable[[Size, Size], Expr], str]] = {
    "K": (ex.commutation, "K(m,n)*vec(X) is vec(X') for X m×n"),
    # where K is a variable
    "commutation": (ex.commutation, "commutation(m,n)*vec(X) is vec(X') for X m×n"),
    "shifts": (ex.shifts, "shifts(n,m)*kron(x,y) is conv(x,y) for x: n and y: m"),
}


def kinds_of(tree: Syntax, declared: Mapping[str, Declared]) -> dict[str, str]:
    """The kind of every undeclared name: by its first letter, unless it is transposed or is the
    argument of a vector function.
    """
    kinds: dict[str, str] = {}
    for node in sorted(tree.find_data("name"), key=lambda node: span(node) or (0, 0)):
        name = str(node.children[0])
        if name not in declared and name not in NUMBERS and not is_function(name):
            kinds.setdefault(name, default_kind(name))
    for name in _used_as_vectors(tree):
        if kinds.get(name) == "scalar" and name not in SPELLED_GREEK and "a" <= name[0] <= "g":
            kinds[name] = "vector"
    return kinds


def _is_of_vectors(function: str) -> bool:
    """Whether a function is one of vectors first of all."""
    if function in MACROS:
        return MACROS[function].of_vectors
    row = BY_NAME.get(function)
    return row is not None and (row.vector or row.of_vectors)


def _used_as_vectors(tree: Syntax) -> Iterator[str]:
    """The names that are transposed, or are the argument of a function of vectors."""
    for node in tree.iter_subtrees():
        if node.data == "transpose":
            inside = node.children[:1]
        elif node.data == "norm" or (node.data == "call" and _is_of_vectors(str(node.children[0]))):
            inside = node.children[1:]
        else:
            continue
        yield from (
            str(inner.children[0])
            for inner in inside
            if not isinstance(inner, Token) and inner.data == "name"
        )


def written_sizes(tree: Syntax) -> set[str]:
    """The names that stand as sizes in ones(n), zeros(m,n) and eye(n), and as places in X[:,j]."""
    places = [place for node in tree.find_data("indexed") for place in node.children[1:]]
    for node in tree.find_data("call"):
        if str(node.children[0]) in ("ones", "zeros", "eye", *OF_TWO_SIZES):
            places += node.children[1:]
    return {
        name for place in places if not isinstance(place, Token) for name in _sizes_named(place)
    }


def _sizes_named(place: Syntax) -> Iterator[str]:
    """The names in a place, but not that of the matrix in rows(X)."""
    if place.data == "name":
        yield str(place.children[0])
    elif measured_axis(place) is None:
        for part in place.children:
            if not isinstance(part, Token):
                yield from _sizes_named(part)


def written_exponents(tree: Syntax) -> set[str]:
    """The names that stand in exponents and nowhere else, which are whole numbers if they are
    those of matrices.
    """
    inside: set[int] = set()
    for exponent in _exponents(tree):
        inside.update(id(name) for name in exponent.find_data("name"))
    names = list(tree.find_data("name"))
    elsewhere = {str(name.children[0]) for name in names if id(name) not in inside}
    return {str(name.children[0]) for name in names} - elsewhere


def _exponents(tree: Syntax) -> Iterator[Syntax]:
    """The exponents that may be those of matrices."""
    for power in tree.find_data("power"):
        if str(power.children[1]) != ".^" and not isinstance(power.children[2], Token):
            yield power.children[2]
    for call in tree.find_data("call"):
        if str(call.children[0]) in POWERS and not isinstance(call.children[-1], Token):
            yield call.children[-1]
