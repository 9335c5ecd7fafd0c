"""Expressions as functions: source code for a target, and the compiled function with its checks."""

from __future__ import annotations

from ..errors import NameProblem
from ..expr import Expr
from ..index import IndexForm, written_out
from .compiled import Compiled

TARGETS = ("numpy",)


def compile_expr(e: Expr | IndexForm | tuple[Expr | IndexForm, ...], target: str = "numpy", name: str = "f") -> Compiled:
    """Compile an expression, or several into a function that returns a tuple; raises NameProblem for a target that does not exist."""
    if target not in TARGETS:
        raise NameProblem(f"unknown target '{target[:40]}'", f"targets are {', '.join(TARGETS)}")
    from .numpy import emit

    return Compiled(emit(tuple(map(written_out, e)) if isinstance(e, tuple) else written_out(e), name))


__all__ = ["TARGETS", "Compiled", "compile_expr"]
