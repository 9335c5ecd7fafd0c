"""The layout that all printers share: the walk, signs, the line of division, powers, brackets.

A printer is a class that says how each construct is spelled. Here is decided what is written: the
parts of a node before the node, nothing below a part that has a name; the terms of a sum with the
positive ones first; the factors of a product as scalars and arrays above and below the line; runs
of equal factors as powers; parts of the identity as indices; the sums that are block matrices.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count
from typing import NamedTuple

from ..budget import room, spend
from ..expr import Expr, names_of, postorder, split, written_names
from ..expr.blocks import grid, indexed
from ..expr.parts import Range, is_part
from ..expr.signed import joined
from ..expr.sizes import UNIT
from ..expr.walk import arguments_first
from ..labels.bag import Factor, Term
from ..labels.index_form import IndexForm
from ..labels.roots import Root

SUM, PRODUCT, FACTOR, ATOM, NAME = range(5)  # precedence, loose to tight; a NAME hides its part
LONG = 10_000  # characters that are joined in the time of one step
INLINE_LIMIT = 3000  # a larger expression is written with definitions for its shared parts
SMALLEST_SHARED = 4  # nodes of a part that gets a definition there


@dataclass(frozen=True, slots=True)
class Piece:
    """The text of a node and how tightly it binds.

    Of an inverse also its base; of a negative power what it is the reciprocal of.
    """

    text: str
    level: int
    inverse_of: str = ""
    below: Piece | None = None
    is_letter: bool = False  # it takes an index as it is


class Line(NamedTuple):
    """Factors above and below a line of division; the latter by themselves are reciprocals."""

    above: list[Piece]
    below: list[Piece]
    reciprocals: list[Piece]


# The method that writes each head; the other heads are functions of the table.
WRITERS: Mapping[str, str] = {
    "var": "variable",
    "size": "length",
    "num": "constant_number",
    "pi": "circle_number",
    "ones": "filled",
    "zeros": "filled",
    "eye": "identity",
    "part": "unit_vectors",
    "commutation": "commutation",
    "shifts": "shifts",
    "add": "sum",
    "times": "times",
    "pow": "power",
    "matmul": "matrix_product",
    "powm": "matrix_power",
    "T": "transposed",
}


class Printer(ABC):
    """One text of an expression or an index form, with names for some of its parts.

    ``taken`` are names that stand elsewhere in what the text is read with.
    """

    writers = WRITERS

    def __init__(
        self, root: Root, names: Mapping[Expr, str] | None = None, taken: Iterable[str] = ()
    ) -> None:
        self.root = root
        self.names = dict(names or {})
        self.taken = frozenset(taken)
        self.pieces: dict[Expr, Piece] = {}

    def text(self) -> str:
        """The whole text; a large expression stands after definitions of its shared parts."""
        if not isinstance(self.root, Expr):
            return self.index_form(self.root)
        large = self.root.count > INLINE_LIMIT and not self.names
        if large:
            self.names = shared_parts(self.root, self.taken)
        self.pieces = {part: self.named(name) for part, name in self.names.items()}
        if not large:
            return self.written(self.root).text
        definitions = [(self.pieces[part].text, self.written(part).text) for part in self.names]
        return self.defined(definitions, self.written(self.root).text)

    def notes(self) -> list[str]:
        """What is said of names and constants that are not spelled as usual."""
        return []

    # ---- the walk --------------------------------------------------------------------------------

    def written(self, root: Expr) -> Piece:
        """Write an expression, itself not by its name, arguments before the nodes that use them."""
        name = self.pieces.pop(root, None)
        characters = 0
        for e in arguments_first([root], self.parts, skip=self.pieces.__contains__):
            piece: Piece = getattr(self, self.writers.get(e.head, "call"))(e)
            self.pieces[e] = piece
            characters += len(piece.text)
            spend(1 + len(piece.text) // LONG)
            room(characters)
        own = self.pieces[root]
        if name is not None:
            self.pieces[root] = name
        return own

    def parts(self, e: Expr) -> Sequence[Expr]:
        """The nodes whose texts the text of a node is made of."""
        if e.head == "times":
            return self.factors(split(e)[1])
        if e.head != "add":
            return e.args
        blocks = grid(e)
        if blocks is None:
            return [core for _, core in self.terms(e)]
        return [block for row in blocks for block in row if block is not None]

    def is_named(self, e: Expr) -> bool:
        """Whether a part is written by its name."""
        return e in self.pieces and self.pieces[e].level == NAME

    # ---- sums ------------------------------------------------------------------------------------

    def terms(self, e: Expr) -> list[tuple[Fraction, Expr]]:
        """The terms of a sum by their numbers and the rest, the positive ones first."""
        return positive_first(split(a) for a in e.args)

    def sum(self, e: Expr) -> Piece:
        blocks = grid(e)
        if blocks is not None:
            return Piece(self.blocks([list(map(self.block, row)) for row in blocks]), ATOM)
        terms = [(k, self.at(self.product(abs(k), core), PRODUCT)) for k, core in self.terms(e)]
        return Piece(self.joined(terms), SUM)

    def block(self, block: Expr | None) -> str:
        return self.number(Fraction(0)).text if block is None else self.pieces[block].text

    def joined(self, terms: Iterable[tuple[int | Fraction, str]]) -> str:
        """A sum of texts with the signs of their numbers."""
        return joined(terms)

    def constant_number(self, e: Expr) -> Piece:
        piece = self.number(abs(e.value))
        return piece if e.value >= 0 else Piece(self.joined([(-1, piece.text)]), SUM)

    # ---- products and powers, entry by entry -----------------------------------------------------

    def times(self, e: Expr) -> Piece:
        k, core = split(e)
        piece = self.quotient(abs(k), self.factors(core))
        return piece if k > 0 else Piece(self.joined([(k, self.at(piece, PRODUCT))]), SUM)

    def product(self, k: Fraction, core: Expr) -> Piece:
        """A positive number times a term."""
        if core.head == "num":
            return self.number(k * core.value)
        return self.pieces[core] if k == 1 else self.quotient(k, self.factors(core))

    def factors(self, core: Expr) -> tuple[Expr, ...]:
        """The factors of a product, unless it is written by a name."""
        return core.args if core.head == "times" and not self.is_named(core) else (core,)

    def quotient(self, k: Fraction, factors: Iterable[Expr]) -> Piece:
        """A positive number times factors, those that are negative powers below the line."""
        scalars, arrays = Line([], [], []), Line([], [], [])
        for f in factors:
            line, piece = scalars if f.is_scalar else arrays, self.pieces[f]
            if piece.below is None:
                line.above.append(piece)
            else:
                line.below.append(piece.below)
                line.reciprocals.append(piece)
        return self.divided(k, scalars, arrays)

    def power(self, e: Expr) -> Piece:
        base, exponent = e.args
        if exponent.head != "num":
            return self.open_power(e, self.pieces[base], self.pieces[exponent])
        k = exponent.value
        if k > 0:
            return self.number_power(e, self.pieces[base], k)
        below = self.number_power(e, self.pieces[base], -k)
        return replace(self.reciprocal(e, below), below=below)

    # ---- matrix products -------------------------------------------------------------------------

    def matrix_product(self, e: Expr) -> Piece:
        if any(map(is_part, e.args)):
            pieces = [self.taken_from(*factor) for factor in indexed(e.args)]
        else:
            pieces = [self.repeated(a, k) for a, k in runs(e.args)]
        if len(pieces) == 1:
            return pieces[0]
        return Piece(self.row([self.at(piece, FACTOR) for piece in pieces]), PRODUCT)

    def taken_from(self, factor: Expr, rows: Range | None, cols: Range | None) -> Piece:
        """A factor of which parts of the identity take rows and columns, or none."""
        piece = self.pieces[factor]
        if rows is None and cols is None:
            return piece
        axes = zip((rows, cols), factor.shape_, strict=True)
        return self.with_indices(piece, [places for places, size in axes if size])

    # ---- index forms -----------------------------------------------------------------------------

    def index_form(self, form: IndexForm) -> str:
        """A sum of products of entries; an index that is not an output is summed."""
        taken = self.taken | written_names(form.written_nodes)
        terms = [(t.coefficient, self.entries(t, form, taken)) for t in form.bag.terms]
        return self.joined(terms) or self.number(Fraction(0)).text

    def entries(self, t: Term, form: IndexForm, taken: AbstractSet[str]) -> str:
        letters = form.letters(t, taken)
        factors = [self.entry(f, [letters[i] for i in f.labels]) for f in t.factors]
        if abs(t.coefficient) != 1 or not factors:
            factors.insert(0, self.coefficient(abs(t.coefficient)))
        return self.product_of_entries(factors)

    def coefficient(self, k: Fraction) -> str:
        """The positive number before a product of entries."""
        return self.number(k).text

    # ---- how things are spelled ------------------------------------------------------------------

    def at(self, piece: Piece, level: int) -> str:
        """The text where only what binds as tightly as ``level`` stands without brackets."""
        return piece.text if piece.level >= level else self.brackets(piece.text)

    @abstractmethod
    def named(self, name: str) -> Piece:
        """A part by its name."""

    @abstractmethod
    def variable(self, e: Expr) -> Piece: ...

    @abstractmethod
    def defined(self, definitions: Sequence[tuple[str, str]], text: str) -> str:
        """A text and the names in it, with what they stand for."""

    @abstractmethod
    def number(self, k: Fraction) -> Piece:
        """A number that is not negative."""

    @abstractmethod
    def brackets(self, text: str) -> str: ...

    @abstractmethod
    def row(self, factors: Sequence[str]) -> str:
        """A matrix product."""

    @abstractmethod
    def blocks(self, rows: Sequence[Sequence[str]]) -> str:
        """A matrix made of blocks."""

    @abstractmethod
    def divided(self, k: Fraction, scalars: Line, arrays: Line) -> Piece:
        """A number, scalars and arrays, above and below the line."""

    @abstractmethod
    def open_power(self, e: Expr, base: Piece, exponent: Piece) -> Piece:
        """A power whose exponent is no number, of every entry."""

    @abstractmethod
    def number_power(self, e: Expr, base: Piece, k: Fraction) -> Piece:
        """A power of every entry, ``k`` being positive."""

    @abstractmethod
    def reciprocal(self, e: Expr, below: Piece) -> Piece:
        """A negative power by itself."""

    @abstractmethod
    def repeated(self, factor: Expr, k: int) -> Piece:
        """A factor of a matrix product that stands there ``k`` times."""

    @abstractmethod
    def with_indices(self, piece: Piece, places: Sequence[Range | None]) -> Piece:
        """Rows and columns of a factor; None are all of them."""

    @abstractmethod
    def entry(self, f: Factor, letters: Sequence[str]) -> str:
        """A factor of an index form; one without indices is a scalar."""

    @abstractmethod
    def product_of_entries(self, factors: Sequence[str]) -> str: ...


def positive_first(terms: Iterable[tuple[Fraction, Expr]]) -> list[tuple[Fraction, Expr]]:
    """Terms in their order, those with negative numbers last."""
    return sorted(terms, key=lambda term: term[0] < 0)


def runs(factors: Iterable[Expr]) -> list[tuple[Expr, int]]:
    """The factors of a matrix product with how often each square one stands there in a row."""
    found: list[tuple[Expr, int]] = []
    for a in factors:
        if found and found[-1][0] is a and UNIT not in a.shape_:
            found[-1] = (a, found[-1][1] + 1)
        else:
            found.append((a, 1))
    return found


def shared_parts(root: Expr, taken: Iterable[str] = ()) -> dict[Expr, str]:
    """Names for the parts of a large expression that are used more than once, innermost first."""
    nodes = postorder(root)
    uses: dict[Expr, int] = {}
    for e in nodes:
        for a in e.args:
            uses[a] = uses.get(a, 0) + 1
    occupied = {*taken, *names_of(nodes)}
    free = (name for i in count(1) if (name := f"t{i}") not in occupied)
    shared = [e for e in nodes if e.args and e.count >= SMALLEST_SHARED and uses.get(e, 0) > 1]
    return dict(zip(shared, free, strict=False))
