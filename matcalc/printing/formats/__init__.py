"""The formats: each file of this folder is one, and is read when it is asked for.

Such a file has a class ``Format``, which says how each construct is spelled. A new format is a new
file.
"""

from __future__ import annotations

from importlib import import_module

from ...errors import OptionProblem, text_of
from ...faces import listed
from ..layout import Printer
from ..text import Text

LANGUAGE = "text"  # what is typed, which is no file of this folder
FORMATS = (LANGUAGE, *listed("printing.formats"))


def printer(format: str) -> type[Printer]:
    """The printer of a format; raises OptionProblem for a format that does not exist."""
    if text_of(format, "the format") not in FORMATS:
        hint = f"formats are {', '.join(FORMATS)}"
        raise OptionProblem(f"unknown format '{format[:40]}'", hint)
    if format == LANGUAGE:
        return Text
    kind: type[Printer] = import_module(f".{format}", __name__).Format
    return kind
