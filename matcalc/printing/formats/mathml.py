"""Presentation MathML (MathML Core): an element ``math`` for a page of the web."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction

from ...expr.signed import joined
from ..unicode import InCharacters

START = '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">'
TIMES, APPLY, COMMA = (f"<mo>{c}</mo>" for c in "\u2062\u2061\u2063")  # that are not seen
THIN = '<mspace width="0.1667em"/>'
LEAF = re.compile(r"<(m[ino])>[^<]*</\1>")
OPENED = r"(?:<(?:mrow|msub|msup|msubsup)>)*"
CLOSED = r"(?:</(?:mrow|msub|msup|msubsup)>)*"
# The A, a and 0 of each font: in MathML Core a font is a choice of characters.
FONTS = {"mathit": "𝐴𝑎0", "mathtt": "𝙰𝚊𝟶", "mathbf": "𝐀𝐚𝟎"}
ITALIC_H = {"\U0001d455": "ℎ"}  # stands outside its alphabet, as the constant of Planck


class Format(InCharacters):
    """Elements of MathML Core.

    Whatever takes an exponent or an index is one element; other texts are several.
    """

    name = "MathML"
    dot, thin = "<mo>⋅</mo>", THIN
    word_first = re.compile(OPENED + r"<mi>[^<]{2,}")
    bold_first = re.compile(OPENED + "<mi>𝟏")
    number_first = re.compile(OPENED + "<mn>")
    number_last = re.compile("</mn>" + CLOSED + "$")

    def text(self) -> str:
        return f"{START}{super().text()}</math>"

    # ---- symbols ---------------------------------------------------------------------------------

    def beside(self, left: str, right: str) -> str:
        return THIN if self.word_first.match(left) and right.startswith("<mi") else ""

    def letter(self, character: str) -> str:
        return f"<mi>{character}</mi>"

    def digits(self, shown: str) -> str:
        return f"<mn>{shown}</mn>"

    def operator(self, character: str) -> str:
        return f"<mo>{'−' if character == '-' else character}</mo>"

    def word(self, text: str, font: str) -> str:
        # a word is upright by itself, a letter is not
        upright = ' mathvariant="normal"' if len(text) == 1 and font == "mathrm" else ""
        return f"<mi{upright}>{''.join(_in_font(c, FONTS.get(font, '')) for c in text)}</mi>"

    def known_function(self, name: str) -> str:
        return f"<mi>{name}</mi>"

    def between(self, left: str, right: str) -> str:
        return TIMES

    # ---- constructs ------------------------------------------------------------------------------

    def joined(self, terms: Iterable[tuple[int | Fraction, str]]) -> str:
        return joined(terms, "<mo>+</mo>", "<mo>−</mo>")

    def infix(self, operator: str, arguments: Sequence[str]) -> str:
        return self.spelled(operator).join(arguments)

    def prefixed(self, operator: str, argument: str) -> str:
        return self.spelled(operator) + argument

    def listed(self, texts: Sequence[str]) -> str:
        return "<mo>,</mo>".join(texts)

    def indices(self, letters: Sequence[str]) -> str:
        return COMMA.join(map(self.letter, letters))

    def brackets(self, text: str) -> str:
        return _fenced("(", text, ")")

    def square_brackets(self, text: str) -> str:
        return _fenced("[", text, "]")

    def raised(self, base: str, exponent: str) -> str:
        if base.startswith("<msub>"):
            inside = base.removeprefix("<msub>").removesuffix("</msub>")
            return f"<msubsup>{inside}{_one(exponent)}</msubsup>"
        return f"<msup>{base}{_one(exponent)}</msup>"

    def lowered(self, base: str, index: str) -> str:
        return f"<msub>{base}{_one(index)}</msub>"

    def fraction(self, over: str, under: str) -> str:
        return f"<mfrac>{_one(over)}{_one(under)}</mfrac>"

    def root_sign(self, text: str) -> str:
        return f"<msqrt>{text}</msqrt>"

    def absolute_sign(self, text: str) -> str:
        return _fenced("|", text, "|")

    def norm_sign(self, text: str, index: str) -> str:
        return self.lowered(_fenced("‖", text, "‖"), self.spelled(index))

    def function(self, name: str, arguments: Sequence[str]) -> str:
        return f"<mrow>{name}{APPLY}{self.brackets(self.listed(arguments))}</mrow>"

    def blocks(self, rows: Sequence[Sequence[str]]) -> str:
        return _fenced("[", _table(rows), "]")

    def defined(self, definitions: Sequence[tuple[str, str]], text: str) -> str:
        lines = [(name, f"<mo>=</mo>{body}") for name, body in definitions]
        return _table([*lines, ("", text)])


def _one(text: str) -> str:
    """A text as one element."""
    return text if LEAF.fullmatch(text) else f"<mrow>{text}</mrow>"


def _fenced(left: str, text: str, right: str) -> str:
    return f"<mrow><mo>{left}</mo>{text}<mo>{right}</mo></mrow>"


def _table(rows: Iterable[Sequence[str]]) -> str:
    lines = ["".join(f"<mtd>{cell}</mtd>" for cell in row) for row in rows]
    return f"<mtable>{''.join(f'<mtr>{line}</mtr>' for line in lines)}</mtable>"


def _in_font(c: str, font: str) -> str:
    """A letter or a digit of ASCII in a font."""
    for first, start, last in zip("Aa0", font, "Zz9", strict=False):
        if first <= c <= last:
            shown = chr(ord(start) + ord(c) - ord(first))
            return ITALIC_H.get(shown, shown)
    return c
