"""The formats, a file each, whose ``Format`` says how things are spelled; found by listing them."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from ...errors import OptionProblem
from ..layout import Printer
from ..text import Text


@cache
def formats() -> tuple[str, ...]:
    """The names of the formats: the language itself, and the files of this folder."""
    return ("text", *sorted(module.name for module in iter_modules(__path__)))


def printer(name: str) -> type[Printer]:
    """The printer of a format; raises OptionProblem for a name that is none."""
    if name == "text":
        return Text
    if name not in formats():
        raise OptionProblem(f"the format '{name}'", f"formats are {', '.join(formats())}")
    kind: type[Printer] = import_module(f".{name}", __name__).Format
    return kind
