"""The labelled texts of the table of functions, read as terms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from .. import expr as ex
from ..expr import Expr
from ..expr.sizes import UNIT, Shape
from ..language.labelled_text import ONES, terms_of
from ..tables.functions import Row
from .bag import Factor, Label, Labels, Term, fresh, one, wire


class Letters:
    """The labels that the letters of one rule stand for in one call."""

    def __init__(self, row: Row, e: Expr, out: Labels) -> None:
        self.sizes = ex.letter_sizes(row, e.args)
        self.labels: dict[str, Labels] = {"1": ()}
        self.wires: list[Factor] = []
        left = out
        for letter in "".join(ex.signature_axes(row)[1]):
            count = len(self.sizes[letter])
            here, left = left[:count], left[count:]
            if letter in self.labels:
                self.wires += map(wire, self.labels[letter], here)
            else:
                self.labels[letter] = here

    def of(self, letters: Iterable[str], shape: Shape) -> Labels:
        """The labels on the axes of a factor of some shape; a new letter gets new ones."""
        labels: list[Label] = []
        for letter, size in zip(letters, shape, strict=False):
            labels += self.labels.setdefault(letter, fresh((size, UNIT)))
        return tuple(labels)

    def ones(self, letters: Iterable[str]) -> Iterator[Factor]:
        """Ones along each letter, which another factor or the signature gives its length."""
        for letter in letters:
            labels = self.labels.get(letter)
            if labels is None:
                labels = self.of(letter, (self.sizes[letter], UNIT))
            yield from map(one, labels)

    def shift(self, letters: tuple[str, ...]) -> Factor:
        """The factor that is 1 where the first index is the sum of the two others."""
        sizes = [self.sizes[letter] for letter in letters]
        labels: list[Label] = []
        for letter, size in zip(letters, sizes, strict=True):
            labels += self.of(letter, (size, UNIT))
        return Factor(ex.shifts(sizes[1], sizes[2]), tuple(labels))


def labelled(row: Row, text: str, e: Expr, out: Labels) -> Iterable[Term]:
    """The terms of a labelled text, without differentials."""
    names = dict(zip(("x", "w"), e.args, strict=False))
    for t in terms_of(text):
        letters = Letters(row, e, out)
        factors: list[Factor] = []
        for f in t.factors:
            if f.text == ONES:
                factors += letters.ones(f.letters)
            elif f.text == "shift":
                factors.append(letters.shift(f.letters))
            else:
                value = names[f.text]
                factors.append(Factor(value, letters.of(f.letters, value.shape_)))
        yield Term(Fraction(t.sign), (*factors, *letters.wires))
