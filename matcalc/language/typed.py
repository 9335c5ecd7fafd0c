"""A text as a typed program: read, elaborated, and read otherwise where it does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from ..errors import MatcalcError, ShapeProblem
from ..expr import Expr
from ..expr.sizes import Shape
from .declarations import Declaration, Declared, declarations
from .names import kinds_of, written_exponents
from .notes import apart
from .program import Program
from .statements import Statements
from .syntax import Syntax, syntax

OTHER_READINGS = 8  # scalars that are tried as vectors, each of which builds the program anew


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
        program = Statements(text, tree, declared, kinds_of(tree, declared)).program(fitting)
    except ShapeProblem as first:
        other = next(_other_readings(text, tree, declared), None)
        if other is None:
            raise first from None
        program = other
    return replace(program, notes=notes + program.notes)


def _other_readings(
    text: str, tree: Syntax, declared: Mapping[str, Declared]
) -> Iterator[Program[Expr]]:
    """The readings that make the shapes fit: exponents as whole numbers, or a scalar as a vector.

    A scalar is read as a vector only if it is the one for which that helps.
    """
    kinds = kinds_of(tree, declared)
    exponents = {n for n in written_exponents(tree) if kinds.get(n, "matrix") != "matrix"}
    if exponents:
        statements = Statements(text, tree, declared, kinds, exponents)
        with suppress(MatcalcError):
            program = statements.program()
            if exponents <= statements.builder.raised_to:
                yield program
    programs: list[Program[Expr]] = []
    scalars = [name for name, kind in kinds.items() if kind == "scalar"]
    for name in scalars[:OTHER_READINGS]:
        with suppress(MatcalcError):
            as_vector = kinds | {name: "vector"}
            programs.append(Statements(text, tree, declared, as_vector).program())
    if len(programs) == 1:
        yield programs[0]
