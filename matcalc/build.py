"""Expressions from Python: variables, and the functions of the table as Python functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from . import expr as ex
from .expr import Expr
from .functions import MACROS
from .shapes import declarations, template


def matrix(name: str, rows: str | int, columns: str | int, *properties: str) -> Expr:
    """A matrix variable, of named or numeric sizes.

    >>> matrix("S", "n", "n", "spd")
    <S : n×n>
    """
    return _variable(name, f"{rows}×{columns} {' '.join(properties)}")


def vector(name: str, size: str | int, *properties: str) -> Expr:
    """A column vector variable.

    >>> (matrix("X", "m", "n") @ vector("w", "n")).shape
    ('m',)
    """
    return _variable(name, f"{size} {' '.join(properties)}")


def scalar(name: str, *properties: str) -> Expr:
    """A scalar variable."""
    return _variable(name, f"scalar {' '.join(properties)}")


def _variable(name: str, shape: str) -> Expr:
    declared = declarations({name: shape})[name]
    return ex.var(name, declared.shape, declared.properties)


def hadamard(*factors: Expr) -> Expr:
    """The product entry by entry, ``.*`` in the typed language."""
    return ex.times(*map(ex.as_expr, factors))


def function(name: str) -> Callable[..., Expr]:
    """The function of the table with this name, on expressions and numbers."""
    return partial(_abbreviation if name in MACROS else _called, name)


def _called(name: str, *args: object) -> Expr:
    return ex.call(name, *map(ex.as_expr, args))


def _abbreviation(name: str, *args: object) -> Expr:
    macro = MACROS[name]
    return template(macro.meaning, dict(zip(macro.parameters, map(ex.as_expr, args), strict=True)))
