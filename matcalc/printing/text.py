"""Expressions as text in matcalc's own language: what is printed parses back to an equal
expression.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property

from ..expr import Expr, postorder, written_names
from ..expr.parts import Range, is_part, range_of
from ..expr.sizes import UNIT, show
from ..labels.bag import Factor, is_one, is_wire
from ..tables.functions import BY_NAME
from .constants import SPELLINGS, spelling, spelling_notes
from .layout import ATOM, FACTOR, NAME, PRODUCT, Line, Piece, Printer


def text(e: Expr, names: Mapping[Expr, str] | None = None, taken: Collection[str] = ()) -> str:
    """The expression; the parts below it that are listed in ``names`` are written by their name.

    No constant is spelled as a variable of the expression is, nor as a name that is ``taken``
    elsewhere.
    """
    return Text(e, names, taken).text()


def number(q: Fraction) -> str:
    """A rational number: a decimal where that is short and exact, else a fraction.

    >>> number(Fraction(1, 2)), number(Fraction(1, 3)), number(Fraction(-7))
    ('0.5', '1/3', '-7')
    """
    if q.denominator == 1:
        return str(q.numerator)
    shown = format(float(q), ".12f").rstrip("0")
    return shown if len(shown) <= 14 and Fraction(shown) == q else f"{q.numerator}/{q.denominator}"


class Text(Printer):
    """The language that is typed: ``2*X'*(X*w - y)``, ``x.^2``, ``A[i,k]*B[l,j]``."""

    @cached_property
    def spelled_names(self) -> set[str]:
        """The names that no constant is spelled as."""
        if isinstance(self.root, Expr):
            variables = {e.name for e in postorder(self.root) if e.head == "var"}
        else:
            variables = written_names(self.root.written_nodes)
        return {*self.taken, *self.names.values(), *variables}

    def notes(self) -> list[str]:
        if isinstance(self.root, Expr):
            nodes, factors = postorder(self.root), []
        else:
            nodes = self.root.written_nodes
            factors = [f for t in self.root.bag.terms for f in t.factors]
        constants = [e.head for e in nodes if e.head in SPELLINGS]
        if any(map(is_wire, factors)):
            constants.append("identity")
        return list(spelling_notes(constants, self.taken | written_names(nodes)))

    # ---- leaves and functions --------------------------------------------------------------------

    def named(self, name: str) -> Piece:
        return Piece(name, NAME)

    def variable(self, e: Expr) -> Piece:
        return Piece(e.name, ATOM)

    def length(self, e: Expr) -> Piece:
        return Piece(str(e.data), ATOM)

    def number(self, k: Fraction) -> Piece:
        shown = number(k)
        return Piece(shown, PRODUCT if "/" in shown else ATOM)

    def circle_number(self, e: Expr) -> Piece:
        return Piece(spelling("pi", self.spelled_names), ATOM)

    def filled(self, e: Expr) -> Piece:
        rows, cols = e.shape_
        if rows == UNIT:
            return Piece(f"{e.head}({show(cols)})'", ATOM)
        return Piece(f"{e.head}({', '.join(show(size) for size in (rows, cols) if size)})", ATOM)

    def identity(self, e: Expr) -> Piece:
        return Piece(f"eye({show(e.shape_[0])})", ATOM)

    def commutation(self, e: Expr) -> Piece:
        return self.of_two_sizes(e, 0)

    def shifts(self, e: Expr) -> Piece:
        return self.of_two_sizes(e, 1)

    def of_two_sizes(self, e: Expr, axis: int) -> Piece:
        """A constant that two sizes make, which are those of one of its axes: K(m,n)."""
        sizes = ",".join(show((a,)) for a in e.shape_[axis])
        return Piece(f"{spelling(e.head, self.spelled_names)}({sizes})", ATOM)

    def unit_vectors(self, e: Expr) -> Piece:
        return Piece(f"eye({show(e.shape_[0])})[:,{range_of(e)}]", ATOM)

    def call(self, e: Expr) -> Piece:
        name = "diag" if e.head == "diagonal" else BY_NAME[e.head].name
        return Piece(f"{name}({', '.join(self.pieces[a].text for a in e.args)})", ATOM)

    # ---- products and powers ---------------------------------------------------------------------

    def brackets(self, text: str) -> str:
        return f"({text})"

    def defined(self, definitions: Sequence[tuple[str, str]], text: str) -> str:
        return "; ".join([*(f"{name} = {body}" for name, body in definitions), text])

    def blocks(self, rows: Sequence[Sequence[str]]) -> str:
        return f"[{'; '.join(map(', '.join, rows))}]"

    def divided(self, k: Fraction, scalars: Line, arrays: Line) -> Piece:
        """Number, scalars, arrays; ``./`` before each array and ``/`` before the scalars below."""
        above = [*scalars.above, *arrays.above]
        loosest = PRODUCT if len(above) == 1 and not arrays.below else FACTOR
        factors = [self.at(s, loosest) for s in scalars.above]
        if k != 1 or not above:
            factors.insert(0, self.number(k).text)
        if arrays.above:
            factors.append(self.entry_by_entry(arrays))
        below = [f"./{self.at(a, FACTOR)}" for a in arrays.below]
        return Piece("".join(["*".join(factors), *below, self.under(scalars)]), PRODUCT)

    def entry_by_entry(self, arrays: Line) -> str:
        """The arrays above the line."""
        alone = len(arrays.above) == 1 and not arrays.below
        return ".*".join(self.at(a, PRODUCT if alone else FACTOR) for a in arrays.above)

    def under(self, scalars: Line) -> str:
        """The division by scalars."""
        below = "*".join(self.at(s, FACTOR) for s in scalars.below)
        if len(scalars.below) > 1:
            return f"/({below})"
        return f"/{below}" if below else ""

    def reciprocal(self, e: Expr, below: Piece) -> Piece:
        return Piece(f"{'1' if e.is_scalar else '1.'}/{self.at(below, FACTOR)}", PRODUCT)

    def number_power(self, e: Expr, base: Piece, k: Fraction) -> Piece:
        if k == 1:
            return base
        if k == Fraction(1, 2):
            return Piece(f"sqrt({base.text})", ATOM)
        shown = number(k)
        return self.raised(e, base, shown if shown.isdigit() else f"({shown})")

    def open_power(self, e: Expr, base: Piece, exponent: Piece) -> Piece:
        return self.raised(e, base, self.at(exponent, ATOM))

    def raised(self, e: Expr, base: Piece, exponent: str) -> Piece:
        return Piece(f"{self.at(base, ATOM)}{'^' if e.is_scalar else '.^'}{exponent}", FACTOR)

    def matrix_power(self, e: Expr) -> Piece:
        base, exponent = (self.at(self.pieces[a], ATOM) for a in e.args)
        return Piece(f"{base}^{exponent}", FACTOR)

    def transposed(self, e: Expr) -> Piece:
        return Piece(self.at(self.pieces[e.args[0]], ATOM) + "'", ATOM)

    def matrix_product(self, e: Expr) -> Piece:
        piece = super().matrix_product(e)
        # a power of a matrix is a product, which a product entry by entry takes in brackets
        return piece if any(map(is_part, e.args)) else replace(piece, level=PRODUCT)

    def row(self, factors: Sequence[str]) -> str:
        return "*".join(factors)

    def repeated(self, factor: Expr, k: int) -> Piece:
        if k == 1:
            return self.pieces[factor]
        if factor.head == "T" and not self.is_named(factor):
            return Piece(f"({self.at(self.pieces[factor.args[0]], ATOM)}^{k})'", ATOM)
        return Piece(f"{self.at(self.pieces[factor], ATOM)}^{k}", FACTOR)

    def with_indices(self, piece: Piece, places: Sequence[Range | None]) -> Piece:
        return Piece(f"{self.at(piece, ATOM)}[{','.join(str(r or ':') for r in places)}]", ATOM)

    # ---- index forms -----------------------------------------------------------------------------

    def entry(self, f: Factor, letters: Sequence[str]) -> str:
        piece = self.written(f.expr)
        if not letters:
            return self.at(piece, FACTOR)
        if is_wire(f):
            name = spelling("identity", self.spelled_names)
        else:
            name = "1" if is_one(f) else self.at(piece, ATOM)
        return f"{name}[{','.join(letters)}]"

    def product_of_entries(self, factors: Sequence[str]) -> str:
        return "*".join(factors)
