r"""LaTeX, without dollar signs: ``2X^{\top}\left(Xw - y\right)``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from ..typeset import Typeset

COMMAND_LAST = re.compile(r"\\[A-Za-z]+$")


class Format(Typeset):
    """LaTeX with amsmath."""

    name = "LaTeX"
    dot, thin = r" \cdot ", r"\,"
    word_first = re.compile(r"\\mathit|\\mathtt|\\mathrm")
    bold_first = re.compile(r"\\mathbf")
    number_first = re.compile(r"\d")
    number_last = re.compile(r"\d$")

    def spelled(self, tex: str) -> str:
        return tex

    def digits(self, shown: str) -> str:
        return shown

    def between(self, left: str, right: str) -> str:
        """A command ends where no letter follows."""
        return " " if right[0].isalpha() and COMMAND_LAST.search(left) else ""

    def infix(self, operator: str, arguments: Sequence[str]) -> str:
        return f" {operator} ".join(arguments)

    def prefixed(self, operator: str, argument: str) -> str:
        return f"{operator} {argument}"

    def listed(self, texts: Sequence[str]) -> str:
        return ", ".join(texts)

    def brackets(self, text: str) -> str:
        return rf"\left({text}\right)"

    def square_brackets(self, text: str) -> str:
        return rf"\left[{text}\right]"

    def raised(self, base: str, exponent: str) -> str:
        return f"{base}^{{{exponent}}}"

    def lowered(self, base: str, index: str) -> str:
        return f"{base}_{{{index}}}"

    def fraction(self, over: str, under: str) -> str:
        return rf"\frac{{{over}}}{{{under}}}"

    def small_fraction(self, k: Fraction) -> str:
        return rf"\tfrac{{{k.numerator}}}{{{k.denominator}}}"

    def root_sign(self, text: str) -> str:
        return rf"\sqrt{{{text}}}"

    def absolute_sign(self, text: str) -> str:
        return rf"\left|{text}\right|"

    def norm_sign(self, text: str, index: str) -> str:
        return rf"\lVert {text}\rVert_{index}"

    def function(self, name: str, arguments: Sequence[str]) -> str:
        return name + self.brackets(self.listed(arguments))

    def blocks(self, rows: Sequence[Sequence[str]]) -> str:
        lines = map(" & ".join, rows)
        return r"\begin{bmatrix} " + r" \\ ".join(lines) + r" \end{bmatrix}"

    def defined(self, definitions: Sequence[tuple[str, str]], text: str) -> str:
        lines = [*(f"{name} &= {body}" for name, body in definitions), f"& {text}"]
        return r"\begin{aligned}" + r" \\ ".join(lines) + r"\end{aligned}"
