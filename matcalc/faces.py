"""Texts and functions that later stages make of an expression.

An expression prints itself and compiles itself, yet no early stage imports a printer or a compiler:
the package's ``__init__``, which knows every stage, says here where each of them is found, and it
is imported when it is first called.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

_HOMES: dict[str, str] = {}


class CompiledFunction(Protocol):
    """A function of arrays by keyword, as far as whoever compiles an expression asks."""

    parameters: tuple[str, ...]
    raw: Callable[..., Any]

    @property
    def source(self) -> str: ...
    @property
    def source_for_large(self) -> str | None: ...
    @property
    def steps(self) -> str: ...
    def cost(self, /, **shapes: Any) -> Any: ...
    def __call__(self, /, **arguments: Any) -> Any: ...


def register(**homes: str) -> None:
    """Say where the function behind each name is found, as ``matcalc.printing.text:text``."""
    _HOMES.update(homes)


def face(name: str) -> Callable[..., Any]:
    """The function behind a name."""
    module, _, function = _HOMES[name].partition(":")
    behind: Callable[..., Any] = getattr(import_module(module), function)
    return behind


def listed(package: str) -> tuple[str, ...]:
    """The modules of a package, as its folder lists them; nothing is imported.

    >>> "numpy" in listed("codegen.targets")
    True
    """
    from pkgutil import iter_modules

    folder = Path(__file__).parent.joinpath(*package.split("."))
    return tuple(sorted(module.name for module in iter_modules([str(folder)])))
