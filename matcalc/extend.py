"""Functions that a user adds: written out by what they mean wherever they are evaluated."""

from __future__ import annotations

from . import expr as ex
from .errors import NameProblem
from .expr import Expr
from .functions import BY_NAME, Row
from .shapes import declared_name, template

USER: set[str] = set()


def register(row: Row) -> None:
    """Add a row to the table; raises NameProblem if its name is taken or not a name."""
    declared_name(row.name)
    BY_NAME[row.name] = row
    USER.add(row.name)


def forget(name: str) -> None:
    """Take a user's function out of the table again."""
    if name not in USER:
        raise NameProblem(f"'{name}' is not a function that was added")
    USER.remove(name)
    del BY_NAME[name]


def written_out(e: Expr) -> Expr:
    """An expression with every user's function replaced by its meaning."""
    if not USER or not USER.intersection(e.functions):
        return e
    new: dict[Expr, Expr] = {}
    for node in ex.postorder(e, skip=lambda node: not USER.intersection(node.functions)):
        args = tuple(new.get(a, a) for a in node.args)
        new[node] = written_out(_meaning(node.head, args)) if node.head in USER else ex.rebuild(node, args)
    return new[e]


def _meaning(name: str, args: tuple[Expr, ...]) -> Expr:
    return template(BY_NAME[name].exact, dict(zip("xw", args, strict=False)))
