"""Typst, without dollar signs: ``2 X^⊤ (X w - y)``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..unicode import InCharacters

WHOLE = re.compile(r"\w|\d+|⊤")  # an exponent or an index that needs no parentheses
OPERATORS = {"/": r"\/", "_": r"\_"}  # that mean something else where they are bare
FONTS = {"mathit": "italic", "mathrm": "upright", "mathtt": "mono", "mathbf": "bold"}


class Format(InCharacters):
    """The mathematics of Typst."""

    name = "Typst"
    dot, thin = " ⋅ ", " thin "
    word_first = re.compile(r"italic|mono|upright")
    bold_first = re.compile("bold")
    number_first = re.compile(r"\d")
    number_last = re.compile(r"\d$")

    # ---- symbols ---------------------------------------------------------------------------------

    def beside(self, left: str, right: str) -> str:
        return " " if left[-1:].isalnum() and right[0].isalnum() else ""

    def letter(self, character: str) -> str:
        return character

    def digits(self, shown: str) -> str:
        return shown

    def operator(self, character: str) -> str:
        return OPERATORS.get(character, character)

    def word(self, text: str, font: str) -> str:
        return f'op("{text}")' if font == "operatorname" else f'{FONTS[font]}("{text}")'

    def known_function(self, name: str) -> str:
        return name

    def between(self, left: str, right: str) -> str:
        return " "

    # ---- constructs ------------------------------------------------------------------------------

    def infix(self, operator: str, arguments: Sequence[str]) -> str:
        return f" {self.spelled(operator)} ".join(arguments)

    def prefixed(self, operator: str, argument: str) -> str:
        return f"{self.spelled(operator)} {argument}"

    def listed(self, texts: Sequence[str]) -> str:
        return ", ".join(texts)

    def brackets(self, text: str) -> str:
        return f"({text})"

    def square_brackets(self, text: str) -> str:
        return f"[{text}]"

    def raised(self, base: str, exponent: str) -> str:
        return f"{base}^{_attached(exponent)}"

    def lowered(self, base: str, index: str) -> str:
        return f"{base}_{_attached(index)}"

    def fraction(self, over: str, under: str) -> str:
        return f"frac({over}, {under})"

    def root_sign(self, text: str) -> str:
        return f"sqrt({text})"

    def absolute_sign(self, text: str) -> str:
        return f"abs({text})"

    def norm_sign(self, text: str, index: str) -> str:
        return self.lowered(f"norm({text})", self.spelled(index))

    def function(self, name: str, arguments: Sequence[str]) -> str:
        return name + self.brackets(self.listed(arguments))

    def blocks(self, rows: Sequence[Sequence[str]]) -> str:
        return f'mat(delim: "[", {"; ".join(map(", ".join, rows))})'

    def defined(self, definitions: Sequence[tuple[str, str]], text: str) -> str:
        lines = [f"{name} &= {body}" for name, body in definitions]
        return " \\ ".join([*lines, f"& {text}"])


def _attached(text: str) -> str:
    """An exponent or an index: Typst shows no parentheses around it."""
    return text if WHOLE.fullmatch(text) else f"({text})"
