"""Options of a derivation, and the direction that one of them names."""

from __future__ import annotations

from typing import TypedDict

from .. import expr as ex
from ..budget import Limits
from ..calculus.derivative import structure
from ..errors import NameProblem, OptionProblem, described, text_of
from ..expr import Expr
from ..labels.roots import Root
from ..language.declarations import NUMBERS, declared_name
from ..language.program import Program
from ..tables.properties import properties_of
from .inputs import named_indices, size_names

MAX_ORDER = 6  # the derivative of order k of a product has up to k! terms: 720
LAYOUTS = ("denominator", "numerator")
SYMMETRIC = ("gradient", "elements")


class Options(TypedDict, total=False):
    """The options of a derivation, beside the expression and the variable."""

    order: int
    layout: str
    along: str | None
    symmetric: str
    limit: float | Limits | None


def refuse_shared_direction(targets: list[Expr], along: str | None) -> None:
    """Raise OptionProblem where one name would be a direction of several shapes."""
    spaces = {(v.shape_, structure(v)): v for v in targets}
    if along is not None and len(spaces) > 1:
        one, other = list(spaces.values())[:2]
        shapes = f"{ex.shape_text(one)} for {one.name} and {ex.shape_text(other)} for {other.name}"
        raise OptionProblem(
            f"the direction '{along}' would be {shapes}", "differentiate by one variable at a time"
        )


def checked_options(options: Options) -> Options:
    """The options, if they can be chosen; raises OptionProblem."""
    order = options.get("order", 1)
    if not isinstance(order, int) or isinstance(order, bool) or not 1 <= order <= MAX_ORDER:
        raise OptionProblem(f"order {described(order)}", f"orders are 1 to {MAX_ORDER}")
    choices = (
        ("layout", options.get("layout"), LAYOUTS),
        ("convention", options.get("symmetric"), SYMMETRIC),
    )
    for name, given, allowed in choices:
        if given is not None and text_of(given, f"the {name}") not in allowed:
            raise OptionProblem(f"unknown {name} '{given[:40]}'", f"choose {' or '.join(allowed)}")
    return options


def direction_of(program: Program[Root], wrt: Expr, name: str) -> Expr:
    """The direction with a name that nothing in the program has, in the space of the variable."""
    if name in program.variables or name in program.definitions:
        raise NameProblem(
            f"the direction '{name}' is in the expression already", "choose another name"
        )
    if name in size_names(program) or name in named_indices(program):
        raise NameProblem(
            f"the direction '{name}' is a size or an index of the expression", "choose another name"
        )
    if name in NUMBERS:
        raise NameProblem(f"the direction '{name}' is a number", "choose another name")
    return ex.var(declared_name(name), wrt.shape_, _linear_structure(wrt))


def _linear_structure(v: Expr) -> list[str]:
    """The properties that a change of a variable has, too: a positive definite matrix changes by
    a symmetric one.
    """
    spaces = dict.fromkeys(row.space for row in properties_of(v.properties) if row.space)
    return [*spaces, ex.ARRAY] if ex.is_array(v) else [*spaces]
