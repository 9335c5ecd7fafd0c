"""A typed text: its expression, its definitions and its variables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from .. import expr as ex
from ..expr import Expr
from .declarations import INTEGER, Declared


class Factored(Protocol):
    """An answer that is made of expressions, as an index form is."""

    @property
    def factors(self) -> tuple[Expr, ...]: ...


E_co = TypeVar("E_co", bound=Expr | Factored, covariant=True)


@dataclass
class Program(Generic[E_co]):
    """A typed program: the expression, its definitions by name, and what was assumed.

    The expression of a text is an Expr.
    """

    expr: E_co
    definitions: dict[str, Expr] = field(default_factory=dict)
    variables: dict[str, Expr] = field(default_factory=dict)
    assumed: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()  # declared, but not in the text
    text: str = ""
    integers: tuple[str, ...] = ()  # declared to be whole numbers
    notes: tuple[str, ...] = ()  # what a reader may take for something else

    @property
    def declarations(self) -> dict[str, Declared]:
        """The names that a text beside this one may use: its variables, and its sizes as whole
        numbers.
        """
        integers = dict.fromkeys(sorted(ex.names_of(self._nodes) - set(self.variables)), INTEGER)
        return integers | {n: Declared(v.shape_, v.properties) for n, v in self.variables.items()}

    @property
    def names(self) -> frozenset[str]:
        """The names of variables and definitions, with those that have cancelled."""
        return frozenset([*self.variables, *self.definitions, *self.unused])

    @property
    def _nodes(self) -> list[Expr]:
        roots = (self.expr,) if isinstance(self.expr, Expr) else self.expr.factors
        return ex.postorder(*roots, *self.definitions.values(), *self.variables.values())
