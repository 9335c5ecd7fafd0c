"""Labelled texts, ``- y[j,p] dx[p,q] + …``: signed terms of factors, each with its letters.

A letter names an axis; one that is in no axis of the result is summed. Spaces part the factors, and
their order means nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from ..errors import SyntaxProblem
from ..tables.functions import words

ONES = "1"  # the factor 1[i], which is as long as the axis i is elsewhere
DIFFERENTIALS = ("dx", "dw")  # of the first and of the second argument
SIGNS = {"+": 1, "-": -1, "−": -1}
_FACTOR = re.compile(r"(?P<text>.*?)(?:\[\s*(?P<letters>[a-z1-9](?:\s*,\s*[a-z1-9])*)\s*\])?", re.S)
_HINT = "write factors with spaces between them, as in 2 x[i,j] dx[i,j]"


@dataclass(frozen=True, slots=True)
class LabelledFactor:
    """An expression as a text, the letters of its axes, and its position in the text."""

    text: str
    letters: tuple[str, ...]
    span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class LabelledTerm:
    """A sign times factors; ones come last, since other factors tell their lengths."""

    sign: int
    factors: tuple[LabelledFactor, ...]

    @property
    def span(self) -> tuple[int, int]:
        """The position in the text, from the first factor to the last."""
        spans = [f.span for f in self.factors]
        return min(start for start, _ in spans), max(stop for _, stop in spans)


@cache
def terms_of(text: str) -> tuple[LabelledTerm, ...]:
    """The terms of a labelled text.

    Raises SyntaxProblem for a sign that no factor follows.

    >>> [(t.sign, [f.text for f in t.factors]) for t in terms_of("1[i] x[i,j] dx[i,j] - dx[j,i]")]
    [(1, ['x', 'dx', '1']), (-1, ['dx'])]
    """
    terms: list[LabelledTerm] = []
    sign, factors = "", list[LabelledFactor]()
    span = (0, len(text))
    for start, stop in [*words(text), (len(text), len(text))]:
        word = text[start:stop]
        if word and word not in SIGNS:
            factors.append(_factor(word, (start, stop)))
            continue
        if factors:
            terms.append(LabelledTerm(SIGNS.get(sign, 1), tuple(sorted(factors, key=_is_ones))))
        elif sign or not word:
            raise SyntaxProblem("a term without factors", _HINT).at(text, span)
        sign, factors, span = word, [], (start, stop)
    return tuple(terms)


def _factor(word: str, span: tuple[int, int]) -> LabelledFactor:
    match = _FACTOR.fullmatch(word)
    assert match is not None  # the pattern takes any text
    letters = re.findall(r"\w", match["letters"] or "")
    return LabelledFactor(match["text"], tuple(letters), span)


def _is_ones(factor: LabelledFactor) -> bool:
    return factor.text == ONES
