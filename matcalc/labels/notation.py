"""The labelled texts of the table of functions, read as terms."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from functools import cache

from .. import expr as ex
from ..expr import Expr
from ..expr.sizes import UNIT, Shape
from ..tables.functions import Row, words
from .bag import Factor, Label, Labels, Term, fresh, wire

_FACTOR = re.compile(r"(?P<text>.*?)(?:\[(?P<letters>[\w,]*)\])?$")


@cache
def terms_of(rule: str) -> tuple[tuple[int, tuple[tuple[str, tuple[str, ...]], ...]], ...]:
    """``- y[j,p] dx[p,q] + …`` as signed lists of factor texts with their letters."""
    signed: list[tuple[int, list[tuple[str, tuple[str, ...]]]]] = [(1, [])]
    for word in (rule[i:j] for i, j in words(rule)):
        if word in "+-":
            if signed[-1][1]:
                signed.append((1, []))
            signed[-1] = (-1 if word == "-" else 1, [])
            continue
        match = _FACTOR.match(word)
        assert match is not None, word
        letters = tuple(match["letters"].split(",")) if match["letters"] else ()
        signed[-1][1].append((match["text"], letters))
    return tuple((sign, tuple(factors)) for sign, factors in signed)


class Letters:
    """The labels that the letters of one rule stand for in one call."""

    def __init__(self, row: Row, e: Expr, out: Labels) -> None:
        self.sizes = ex.letter_sizes(row, e.args)
        self.labels: dict[str, Labels] = {"1": ()}
        self.wires: list[Factor] = []
        left = list(out)
        for letter in (letter for axis in ex.signature_axes(row)[1] for letter in axis):
            here, left = tuple(left[: len(self.sizes[letter])]), left[len(self.sizes[letter]) :]
            if letter in self.labels:
                self.wires += map(wire, self.labels[letter], here)
            else:
                self.labels[letter] = here

    def of(self, letters: Iterable[str], shape: Shape) -> Labels:
        found: list[Label] = []
        for letter, size in zip(letters, shape, strict=False):
            found += self.labels.setdefault(letter, fresh((size, UNIT)))
        return tuple(found)

    def shift(self, letters: tuple[str, ...]) -> Factor:
        """The factor that is 1 where the first place is the sum of the two others."""
        sizes = [self.sizes[letter] for letter in letters]
        labels = [
            i
            for letter, size in zip(letters, sizes, strict=True)
            for i in self.of(letter, (size, UNIT))
        ]
        return Factor(ex.shifts(sizes[1], sizes[2]), tuple(labels))


def labelled(row: Row, text: str, e: Expr, out: Labels) -> Iterable[Term]:
    """The terms of a labelled text, without differentials."""
    for sign, read in terms_of(text):
        letters = Letters(row, e, out)
        names = dict(zip(("x", "w"), e.args, strict=False))
        factors = [
            letters.shift(axes)
            if word == "shift"
            else Factor(names[word], letters.of(axes, names[word].shape_))
            for word, axes in read
        ]
        yield Term(Fraction(sign), (*factors, *letters.wires))
