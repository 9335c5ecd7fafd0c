"""A text as a typed program: read, elaborated, and read otherwise where it does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from ..errors import MatcalcError, ShapeProblem
from ..expr import Expr
from ..expr.sizes import Shape
from .declarations import Declaration, Declared, declarations
from .elaborate import Builder
from .names import kinds_of, written_exponents
from .notes import apart
from .program import Program
from .syntax import Syntax, syntax


def typed(
    text: str,
    shapes: str | Mapping[str, Declaration | Declared] | None = None,
    fitting: Sequence[Shape] = (),
) -> Program[Expr]:
    """The typed expression that a text stands for; the errors carry the place.

    Sizes that the text leaves open are those of the first of the shapes that fits.
    """
    if not isinstance(text, str):
        raise TypeError(f"an expression is given as a text, not {type(text).__name__}")
    tree = syntax(text)
    declared, notes = apart(declarations(shapes), tree)
    try:
        program = Builder(text, tree, declared, kinds_of(tree, declared)).program(fitting)
    except ShapeProblem as first:
        other = next(_other_readings(text, tree, declared), None)
        if other is None:
            raise first from None
        program = other
    return replace(program, notes=notes + program.notes)


def _other_readings(
    text: str, tree: Syntax, declared: Mapping[str, Declared]
) -> Iterator[Program[Expr]]:
    """If reading an exponent as a whole number, or exactly one scalar-by-default name as a
    vector, makes the shapes fit, that was meant.
    """
    kinds = kinds_of(tree, declared)
    found: list[Program[Expr]] = []
    if exponents := {
        name for name in written_exponents(tree) if kinds.get(name, "matrix") != "matrix"
    }:
        builder = Builder(text, tree, declared, kinds, exponents)
        with suppress(MatcalcError):
            program = builder.program()
            if exponents <= builder.raised_to:
                yield program
    for name in [n for n, kind in kinds.items() if kind == "scalar"][:8]:
        try:
            found.append(Builder(text, tree, declared, kinds | {name: "vector"}).program())
        except MatcalcError:
            continue
    if len(found) == 1:
        yield found[0]
