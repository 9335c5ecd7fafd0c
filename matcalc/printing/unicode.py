r"""Symbols that are given in LaTeX, read for a format that writes characters.

The LaTeX of names and the LaTeX column of the table of functions have a small vocabulary: letters
and digits, ``\lambda``, ``\mathit{loss}``, ``\log``, ``\operatorname{tr}``, operators, subscripts.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence

from .symbols import CHARACTERS
from .typeset import Typeset

FONTS = "mathit|mathrm|mathtt|mathbf|operatorname"
TOKEN = re.compile(rf"\\(?P<font>{FONTS})\{{(?P<word>[^{{}}]*)\}}|\\[A-Za-z]+|\\.|\d+|\S")
COMMAND = re.compile(r"\\([A-Za-z]+) ?|\\(.)")
OPERATORS = {
    r"\cdot": "⋅",
    r"\odot": "⊙",
    r"\oslash": "⊘",
    r"\otimes": "⊗",
    r"\times": "×",
    r"\star": "⋆",
    r"\top": "⊤",
    "*": "∗",
}


class InCharacters(Typeset):
    """A format whose symbols are characters of Unicode, in several fonts."""

    def spelled(self, tex: str) -> str:
        return self.group(self.symbols_of(TOKEN.finditer(tex)))

    def symbols_of(self, tokens: Iterator[re.Match[str]]) -> list[str]:
        """The symbols up to the end of a group."""
        found: list[str] = []
        for token in tokens:
            if token[0] == "}":
                break
            if token[0] == "_":
                found[-1] = self.lowered(found[-1], self.group(self.symbols_of(tokens)))
            elif token[0] != "{":
                found.append(self.symbol(token))
        return found

    def symbol(self, token: re.Match[str]) -> str:
        """One symbol."""
        tex = token[0]
        if token["font"]:
            return self.word(COMMAND.sub(_character, token["word"]), token["font"])
        if tex in CHARACTERS or tex.isalpha():
            return self.letter(CHARACTERS.get(tex, tex))
        if tex.isdigit():
            return self.digits(tex)
        if tex in OPERATORS or len(tex.lstrip("\\")) == 1:
            return self.operator(OPERATORS.get(tex, tex.lstrip("\\")))
        return self.known_function(tex.lstrip("\\"))

    def group(self, symbols: Sequence[str]) -> str:
        """Symbols side by side."""
        neighbours = zip(["", *symbols], symbols, strict=False)
        return "".join(self.beside(left, right) + right for left, right in neighbours)

    @abstractmethod
    def beside(self, left: str, right: str) -> str:
        """What stands between two symbols of one name."""

    @abstractmethod
    def letter(self, character: str) -> str:
        """A letter, in italics."""

    @abstractmethod
    def operator(self, character: str) -> str: ...

    @abstractmethod
    def word(self, text: str, font: str) -> str:
        """Text in a font, which is called as in LaTeX."""

    @abstractmethod
    def known_function(self, name: str) -> str:
        """A function that LaTeX knows: log, sin, det."""


def _character(command: re.Match[str]) -> str:
    return CHARACTERS.get(command[0].strip(), command[2] or "")
