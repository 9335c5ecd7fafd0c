"""Signatures of functions: which axes of the arguments are which axes of the result, and their
sizes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..errors import ShapeProblem
from ..tables.functions import Row
from .mismatch import brief
from .nodes import Expr
from .sizes import UNIT, Shape, Size, Sum, resolve, show_shape, total_of, unify

# a digit in a signature is the length of its axis
DIGIT_LENGTHS: dict[str, Size] = {"1": UNIT, **{str(n): (n,) for n in range(2, 10)}}


def signature_axes(row: Row) -> tuple[list[list[str]], list[str]]:
    """The letters of each axis: ``ij,kl->(ik)(jl)`` gives [["i", "j"], ["k", "l"]] and ["ik",
    "jl"].
    """
    inputs, output = row.signature.split("->")

    def axes(side: str) -> list[str]:
        out: list[str] = []
        while side:
            stop = side.index(")") if side[0] == "(" else 0
            out.append(side[1:stop] if stop else side[0])
            side = side[stop + 1 :]
        return out

    return [axes(side) for side in inputs.split(",")], axes(output)


def letter_sizes(row: Row, args: tuple[Expr, ...]) -> dict[str, Size]:
    """The size that each letter of the signature has in a call.

    Letters that meet twice are unified.
    """
    sizes = dict(DIGIT_LENGTHS)
    arrays = [a for a in args if not a.is_scalar]
    for letters, arg in zip(signature_axes(row)[0], args, strict=True):
        fills_an_array = row.second and arrays and arg.is_scalar
        if not fills_an_array:
            _measure(row, letters, arg, sizes)
    if row.lengths:
        letter, _, text = row.lengths.partition("=")
        sizes[letter] = _positive(row, _total(text, sizes))
    return sizes


def _measure(row: Row, letters: Sequence[str], arg: Expr, sizes: dict[str, Size]) -> None:
    """Enter the sizes of the axes of an argument; raise ShapeProblem where a letter has another."""
    for letter, size in zip(letters, arg.shape_, strict=True):
        if letter in sizes and not unify(sizes[letter], size):
            hint = f"it is to be of length {letter}" if letter.isdigit() else ""
            raise ShapeProblem(f"{row.name}({brief(arg)}) of {show_shape(arg.shape_)}", hint)
        sizes[letter] = resolve(size)


def _total(text: str, sizes: Mapping[str, Size]) -> Sum:
    """A sum of letters and numbers, as i+j-1."""
    number, terms = 0, list[tuple[Size, int]]()
    for sign, term in re.findall(r"([+-]?)(\w)", text):
        factor = -1 if sign == "-" else 1
        if term.isdigit():
            number += factor * int(term)
        else:
            terms.append((sizes[term], factor))
    return total_of(terms, number)


def _positive(row: Row, length: Sum) -> Size:
    if length.is_empty:
        raise ShapeProblem(
            f"{row.name} of a vector by a longer one", f"its length would be {length}"
        )
    size = length.size()
    if len(size) > 1:
        raise ShapeProblem(
            f"{row.name} of the length {length}, a product",
            "lengths of convolutions are names, numbers and sums",
        )
    return size


def result_shape(row: Row, args: tuple[Expr, ...]) -> Shape:
    """The shape of a call, from the signature."""
    sizes = letter_sizes(row, args)
    rows, cols = (
        tuple(a for letter in axis for a in sizes[letter]) for axis in signature_axes(row)[1]
    )
    return rows, cols
