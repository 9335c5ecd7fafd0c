"""The entry point ``parse``: the expression that a text stands for."""

from __future__ import annotations

from ..budget import within_limits
from ..expr import Expr
from ..language.typed import typed
from ..options import strict
from .inputs import Shapes


@within_limits("parsing")
@strict
def parse(source: str, shapes: Shapes = None) -> Expr:
    """Read a text as an expression.

    ``source`` is the text, in the language of docs/reference.md; ``shapes`` declares names, as
    ``"X: m×n; w: n"`` or ``{"S": "n×n spd"}``. What is not declared is inferred.

    Raises SyntaxProblem, NameProblem, ShapeProblem or LimitProblem, each with the position in the
    text, and TypeError if ``source`` is no text.

    >>> parse("X*w - y").shape
    ('m',)
    """
    return typed(source, shapes).expr
