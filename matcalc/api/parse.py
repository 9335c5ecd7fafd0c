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
    """The expression that a text stands for.

    Raises SyntaxProblem, NameProblem, ShapeProblem or LimitProblem, each with the place in the
    text.

    >>> parse("X*w - y").shape
    ('m',)
    """
    return typed(source, shapes).expr
