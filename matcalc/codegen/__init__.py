"""Expressions as functions: a plan, its source for a target, and the compiled function with its
checks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..budget import within_limits
from ..errors import Unsupported, flag
from ..expr import Expr, variables
from ..labels.roots import Root, parts, written_out
from .compiled import Compiled
from .passes.row_blocks import by_blocks
from .plan.planner import plan
from .targets import TARGETS, dialect
from .write.reusing import write_reusing
from .write.source import Source
from .write.writer import write


def compile_expr(
    e: Root | tuple[Root, ...],
    target: str = "numpy",
    name: str = "f",
    beside: Root | None = None,
    reuse: bool = False,
    known: Iterable[Expr] = (),
) -> Compiled:
    """Compile an expression, or several into a function that returns a tuple.

    With ``reuse`` (numpy and numba) temporaries and results stay in arrays that the next call with
    the same shapes overwrites. ``beside`` is the expression that was differentiated: costs are
    shown beside its own. Its variables, and others that are ``known`` though they have cancelled,
    show sizes. Raises OptionProblem for a target that does not exist, Unsupported for
    one whose package is not installed.
    """
    if dialect(target).write is not None:
        raise Unsupported(
            f"functions for {target} do not run in Python", f"source({target!r}) is their text"
        )
    at_hand = dict.fromkeys([*(variables(*parts(beside)) if beside is not None else ()), *known])
    found = source(e, target, name, at_hand, reuse, large=True)
    try:
        return Compiled(found, target, beside)
    except ModuleNotFoundError as missing:
        raise Unsupported(
            f"the target {target} needs the package {missing.name}", "it is not installed here"
        ) from None


@within_limits("compiling")
def source(
    e: Root | tuple[Root, ...],
    target: str = "numpy",
    name: str = "f",
    known: Iterable[Expr] = (),
    reuse: bool = False,
    large: bool = False,
) -> Source:
    """The source of a function for a target, with another for large arrays on request.

    Nothing of the target is imported.
    """
    chosen = dialect(target)
    if flag(reuse, "reuse") and not chosen.reuses:
        able = [name for name in TARGETS if dialect(name).reuses]
        raise Unsupported(
            f"the target {target} keeps no arrays between calls", f"{' and '.join(able)} do"
        )
    several = isinstance(e, tuple)
    roots = tuple(map(written_out, e)) if isinstance(e, tuple) else (written_out(e),)
    made = plan(roots, known)
    if reuse:
        return write_reusing(made, chosen, name, several)
    if chosen.write is not None:
        return chosen.write(made, chosen, name, several)
    found = write(made, chosen, name, several)
    other = by_blocks(made, chosen, name, several) if large else None
    # sizes may be asked for in another order
    same = other is not None and list(other.parameters.values()) == list(found.parameters.values())
    return replace(found, large=other) if same else found


__all__ = ["TARGETS", "Compiled", "compile_expr", "dialect", "source"]
