r"""Expressions as a mathematician would typeset them, whatever the format.

Products are juxtaposed, ⊙ and ⊘ work entry by entry, a power of every entry has ⊙ before its
exponent. A sum never broadcasts silently: X + 1 is X plus a matrix of ones. Symbols, and the names
of functions that their rows give, are written in LaTeX here; a format says what they look like.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property

from ..expr import Expr, postorder, split, spread, written_names
from ..expr.parts import Range, is_part, range_of
from ..expr.sizes import UNIT, Atom, Size, Sum
from ..labels.bag import Factor, is_one, is_wire
from ..tables.functions import BY_NAME
from .layout import ATOM, FACTOR, NAME, PRODUCT, SUM, WRITERS, Line, Piece, Printer, positive_first
from .symbols import Symbols
from .text import number

LARGEST_DENOMINATOR = 9  # a larger one is written as a decimal where that is exact
LETTER = re.compile(r"\\?[A-Za-z]+")
NORM = re.compile(r"\\\|\\cdot\\\|_?(.*)")  # the column of a norm, and the index in it
UNDERSCORE = re.compile(r"\\?_")  # of a function's name, escaped or not
COLON = ":"  # all rows, or all columns


class Typeset(Printer):
    """A format that is typeset: what its methods return are texts of the format."""

    writers = {
        **WRITERS,
        "inv": "inverse",
        "norm2": "norm",
        "exp": "exponential",
        "abs": "absolute_value",
    }
    name: str  # of the format, as it is said
    dot: str  # between a factor and a number
    thin: str  # a space beside a word
    word_first: re.Pattern[str]  # what begins with a word; so for the others
    bold_first: re.Pattern[str]
    number_first: re.Pattern[str]
    number_last: re.Pattern[str]

    @cached_property
    def symbols(self) -> Symbols:
        """The looks of all names."""
        nodes = self.written_nodes
        constants = [r"\pi"] if any(e.head == "pi" for e in nodes) else []
        names = {*self.taken, *self.names.values(), *written_names(nodes)}
        return Symbols(names, constants, self.indexed_names(nodes))

    def indexed_names(self, nodes: Sequence[Expr]) -> set[str]:
        """Names of which there are entries: in index forms, and where parts of the identity take
        rows and columns.
        """
        factors = [] if isinstance(self.root, Expr) else list(self.root.factors)
        for e in nodes:
            if e.head == "matmul" and any(map(is_part, e.args)):
                factors += e.args
        return {f.name for f in factors if f.head == "var"}

    @property
    def written_nodes(self) -> list[Expr]:
        if isinstance(self.root, Expr):
            return postorder(self.root, *self.names)
        return self.root.written_nodes

    def notes(self) -> list[str]:
        """What is said of names that are not written as usual."""
        changed = self.symbols.changed(written_names(self.written_nodes))
        return [
            f"in {self.name} {name} is written {self.spelled(tex)}, since {self.spelled(usual)} "
            "is something else"
            for name, tex, usual in changed
        ]

    # ---- leaves ----------------------------------------------------------------------------------

    def named(self, name: str) -> Piece:
        tex = self.symbols(name)
        return Piece(self.spelled(tex), NAME, is_letter=bool(LETTER.fullmatch(tex)))

    def variable(self, e: Expr) -> Piece:
        tex = self.symbols(e.name)
        return Piece(self.spelled(tex), ATOM, is_letter=bool(LETTER.fullmatch(tex)))

    def length(self, e: Expr) -> Piece:
        return Piece(self.spelled(self.symbols(str(e.data))), ATOM)

    def circle_number(self, e: Expr) -> Piece:
        return Piece(self.spelled(r"\pi"), ATOM)

    def number(self, k: Fraction) -> Piece:
        shown = number(k)
        if k.denominator == 1 or (k.denominator > LARGEST_DENOMINATOR and "/" not in shown):
            return Piece(self.digits(shown), ATOM)
        return Piece(self.small_fraction(k), FACTOR)

    def coefficient(self, k: Fraction) -> str:
        return self.digits(str(k)) if k.denominator == 1 else self.small_fraction(k)

    def small_fraction(self, k: Fraction) -> str:
        return self.fraction(self.digits(str(k.numerator)), self.digits(str(k.denominator)))

    def filled(self, e: Expr) -> Piece:
        sizes = self.infix(r"\times", [self.size(size) for size in e.shape_ if size])
        digit = "1" if e.head == "ones" else "0"
        constant = self.lowered(self.spelled(rf"\mathbf{{{digit}}}"), sizes)
        if e.shape_[0] == UNIT:
            return Piece(self.raised(constant, self.spelled(r"\top")), FACTOR)
        return Piece(constant, ATOM)

    def identity(self, e: Expr) -> Piece:
        return Piece(self.identity_of(e.shape_[0]), ATOM)

    def identity_of(self, size: Size) -> str:
        return self.lowered(self.constant("I", "eye"), self.size(size))

    def constant(self, usual: str, word: str) -> str:
        """A constant as usual, or by its word where a name looks like it."""
        return self.spelled(self.symbols.spelled(usual, word))

    def commutation(self, e: Expr) -> Piece:
        return self.of_two_sizes(self.constant("K", "commutation"), e.shape_[0])

    def shifts(self, e: Expr) -> Piece:
        return self.of_two_sizes(self.constant("S", "shifts"), e.shape_[1])

    def of_two_sizes(self, constant: str, axis: Size) -> Piece:
        """A constant that two sizes make, which are those of one of its axes."""
        return Piece(self.lowered(constant, self.listed([self.size((a,)) for a in axis])), ATOM)

    def unit_vectors(self, e: Expr) -> Piece:
        """Columns of the identity, of which one is a unit vector."""
        places = range_of(e)
        if not places.width and "e" not in self.symbols.bases:
            return Piece(self.lowered(self.spelled("e"), self.places(places)), FACTOR)
        identity = self.brackets(self.identity_of(e.shape_[0]))
        index = self.listed([self.spelled(COLON), self.places(places)])
        return Piece(self.lowered(identity, index), FACTOR)

    # ---- sizes -----------------------------------------------------------------------------------

    def size(self, size: Size) -> str:
        atoms = [(a, self.atom(a)) for a in size]
        several = len(size) > 1
        return self.row(
            [self.brackets(t) if several and isinstance(a, Sum) else t for a, t in atoms]
        )

    def atom(self, a: Atom) -> str:
        if isinstance(a, Sum):
            return self.sum_of_sizes(a)
        return self.spelled(self.symbols(a)) if isinstance(a, str) else self.digits(str(a))

    def sum_of_sizes(self, a: Sum) -> str:
        terms = [(k, self.multiple(abs(k), size)) for size, k in a.terms]
        if a.constant or not terms:
            terms.append((a.constant, self.digits(str(abs(a.constant)))))
        return self.joined(terms)

    def multiple(self, k: int, size: Size) -> str:
        return self.size(size) if k == 1 else self.row([self.digits(str(k)), self.size(size)])

    def places(self, r: Range) -> str:
        first, last = (self.sum_of_sizes(place) for place in (r.first, r.stop))
        return self.infix(COLON, [first, last]) if r.width else first

    # ---- sums and matrix products ----------------------------------------------------------------

    def terms(self, e: Expr) -> list[tuple[Fraction, Expr]]:
        """The terms, each repeated over the whole shape of the sum."""
        return positive_first(
            (Fraction(1), a) if self.is_named(a) else split(spread(a, e.shape_)) for a in e.args
        )

    def row(self, factors: Sequence[str]) -> str:
        """Juxtapose."""
        neighbours = zip(["", *factors], factors, strict=False)
        return "".join(self.gap(left, right) + right for left, right in neighbours)

    def gap(self, left: str, right: str) -> str:
        """The space that a reader needs between two factors."""
        if not left:
            return ""
        before_one = self.number_last.search(left) and self.bold_first.match(right)
        if self.number_first.match(right) or before_one:
            return self.dot
        if self.word_first.match(left) or self.word_first.match(right):
            return self.thin
        return self.between(left, right)

    def repeated(self, factor: Expr, k: int) -> Piece:
        piece = self.pieces[factor]
        if k == 1:
            return piece
        if piece.inverse_of:
            return Piece(self.raised(piece.inverse_of, self.spelled(f"-{k}")), FACTOR)
        return Piece(self.raised(self.at(piece, ATOM), self.spelled(str(k))), FACTOR)

    def with_indices(self, piece: Piece, places: Sequence[Range | None]) -> Piece:
        base = piece.text if piece.is_letter else self.brackets(piece.text)
        index = self.listed([self.places(r) if r else self.spelled(COLON) for r in places])
        return Piece(self.lowered(base, index), FACTOR)

    def transposed(self, e: Expr) -> Piece:
        inner = self.pieces[e.args[0]]
        if inner.inverse_of:
            return Piece(self.raised(inner.inverse_of, self.spelled(r"-\top")), FACTOR)
        return Piece(self.raised(self.at(inner, ATOM), self.spelled(r"\top")), FACTOR)

    # ---- products and powers, entry by entry -----------------------------------------------------

    def divided(self, k: Fraction, scalars: Line, arrays: Line) -> Piece:
        """Number, scalars and arrays in a row, over the scalars that have negative powers."""
        above = list(scalars.above)
        if arrays.above or arrays.below:
            above.append(self.entrywise(arrays))
        if not scalars.below:
            return self.in_a_row(k, above)
        over = self.in_a_row(Fraction(k.numerator), above)
        under = self.in_a_row(Fraction(k.denominator), scalars.below)
        return Piece(self.fraction(over.text, under.text), FACTOR)

    def in_a_row(self, k: Fraction, pieces: Sequence[Piece]) -> Piece:
        factors = list(pieces) if k == 1 and pieces else [self.number(k), *pieces]
        if len(factors) == 1:
            return factors[0]
        *first, last = factors
        texts = [*(self.at(piece, FACTOR) for piece in first), self.at(last, PRODUCT)]
        return Piece(self.row(texts), PRODUCT)

    def entrywise(self, arrays: Line) -> Piece:
        """Arrays over arrays; reciprocals with nothing above them are powers."""
        if not arrays.above or not arrays.below:
            return self.hadamard(arrays.above or arrays.reciprocals)
        over = self.hadamard(arrays.above)
        level = PRODUCT if len(arrays.above) > 1 else FACTOR
        texts = [self.at(over, level), self.at(self.hadamard(arrays.below), FACTOR)]
        return Piece(self.infix(r"\oslash", texts), PRODUCT)

    def hadamard(self, pieces: Sequence[Piece]) -> Piece:
        """The product of arrays entry by entry."""
        if len(pieces) == 1:
            return pieces[0]
        return Piece(self.infix(r"\odot", [self.at(piece, FACTOR) for piece in pieces]), PRODUCT)

    def open_power(self, e: Expr, base: Piece, exponent: Piece) -> Piece:
        shown = self.at(exponent, SUM if e.is_scalar else FACTOR)
        return self.of_entries(e, base, shown)

    def number_power(self, e: Expr, base: Piece, k: Fraction) -> Piece:
        if k == 1:
            return base
        # of a matrix, a root sign would mean the matrix root
        if k == Fraction(1, 2) and UNIT in e.shape_:
            return Piece(self.root_sign(base.text), ATOM)
        return self.of_entries(e, base, self.spelled(str(k)))

    def reciprocal(self, e: Expr, below: Piece) -> Piece:
        if e.is_scalar:
            return Piece(self.fraction(self.digits("1"), below.text), FACTOR)
        base, exponent = e.args
        return self.of_entries(e, self.pieces[base], self.spelled(str(exponent.value)))

    def of_entries(self, e: Expr, base: Piece, exponent: str) -> Piece:
        """A power of every entry."""
        shown = exponent if e.is_scalar else self.prefixed(r"\odot", exponent)
        return Piece(self.raised(self.at(base, ATOM), shown), FACTOR)

    def matrix_power(self, e: Expr) -> Piece:
        base, exponent = (self.pieces[a] for a in e.args)
        return Piece(self.raised(self.at(base, ATOM), exponent.text), FACTOR)

    # ---- functions -------------------------------------------------------------------------------

    def call(self, e: Expr) -> Piece:
        """A function by the LaTeX column of its row: around its argument, between its two, or
        before them.
        """
        row = BY_NAME[e.head]
        arguments = [self.pieces[a] for a in e.args]
        word = rf"\operatorname{{{row.name}}}"
        column = self.symbols.spelled(row.latex, row.name) or word
        if norm := NORM.fullmatch(column):
            return Piece(self.norm_sign(arguments[0].text, norm[1]), ATOM)
        if row.arity == 2 and not column.startswith(r"\operatorname"):
            return Piece(self.infix(column, [self.at(a, FACTOR) for a in arguments]), PRODUCT)
        name = self.spelled(UNDERSCORE.sub(r"\\_", column))
        return Piece(self.function(name, [a.text for a in arguments]), ATOM)

    def norm(self, e: Expr) -> Piece:
        argument = e.args[0]
        index = "2" if UNIT in argument.shape_ else "F"
        return Piece(self.norm_sign(self.pieces[argument].text, index), ATOM)

    def inverse(self, e: Expr) -> Piece:
        base = self.at(self.pieces[e.args[0]], ATOM)
        return Piece(self.raised(base, self.spelled("-1")), FACTOR, inverse_of=base)

    def exponential(self, e: Expr) -> Piece:
        if not e.is_scalar or "e" in self.symbols.bases:
            return self.call(e)
        return Piece(self.raised(self.spelled("e"), self.pieces[e.args[0]].text), FACTOR)

    def absolute_value(self, e: Expr) -> Piece:
        if not e.is_scalar:
            return self.call(e)
        return Piece(self.absolute_sign(self.pieces[e.args[0]].text), ATOM)

    # ---- index forms -----------------------------------------------------------------------------

    def entry(self, f: Factor, letters: Sequence[str]) -> str:
        piece = self.written(f.expr)
        if not letters:
            return self.brackets(piece.text) if f.expr.head in ("add", "times") else piece.text
        if is_wire(f):
            name = self.constant(r"\delta", "eye")
        elif is_one(f):
            name = self.spelled(r"\mathbf{1}")
        else:
            name = piece.text if piece.is_letter else self.square_brackets(piece.text)
        return self.lowered(name, self.indices(letters))

    def indices(self, letters: Sequence[str]) -> str:
        """The indices of an entry, side by side."""
        return self.row(list(map(self.spelled, letters)))

    def product_of_entries(self, factors: Sequence[str]) -> str:
        return self.thin.join(factors)

    # ---- how things are spelled ------------------------------------------------------------------

    @abstractmethod
    def spelled(self, tex: str) -> str:
        """A symbol, an operator or a name of a function, which is given in LaTeX."""

    @abstractmethod
    def digits(self, shown: str) -> str:
        """A decimal number."""

    @abstractmethod
    def between(self, left: str, right: str) -> str:
        """What stands between two factors."""

    @abstractmethod
    def infix(self, operator: str, arguments: Sequence[str]) -> str:
        """An operator, given in LaTeX, between its arguments."""

    @abstractmethod
    def prefixed(self, operator: str, argument: str) -> str:
        """An operator, given in LaTeX, before its argument."""

    @abstractmethod
    def listed(self, texts: Sequence[str]) -> str:
        """Texts with commas."""

    @abstractmethod
    def square_brackets(self, text: str) -> str: ...

    @abstractmethod
    def raised(self, base: str, exponent: str) -> str: ...

    @abstractmethod
    def lowered(self, base: str, index: str) -> str: ...

    @abstractmethod
    def fraction(self, over: str, under: str) -> str: ...

    @abstractmethod
    def root_sign(self, text: str) -> str: ...

    @abstractmethod
    def absolute_sign(self, text: str) -> str: ...

    @abstractmethod
    def norm_sign(self, text: str, index: str) -> str:
        """A norm; its index is given in LaTeX."""

    @abstractmethod
    def function(self, name: str, arguments: Sequence[str]) -> str: ...
