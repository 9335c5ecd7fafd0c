"""Labelled bags: every axis of every occurrence of every factor carries its own label.

    Factor = expression + labels, one per axis        A:(i,j)   x:(j)   sigmoid(Z):(i,j)   inv(X):(j,i)
    Term   = coefficient × unordered bag of factors;  a label that is not an output is summed

Matrix product, transpose, trace, sum, outer and Hadamard product, diag and broadcasting are nothing but bags with labels:
:func:`meaning` says which bag. An axis of length one has no label, an axis made by ``vec`` or ``kron`` has two.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from . import expr as ex
from .errors import LimitProblem
from .expr import Expr
from .functions import BY_NAME, Row, words
from .shapes import template
from .sizes import UNIT, Atom, Shape, shape_of

MAX_CUT = 5_000  # occurrences times factors of one product


class Label:
    """The identity of one axis of one occurrence; two labels are equal only if they are the same object."""

    __slots__ = ("size",)

    def __init__(self, size: Atom) -> None:
        self.size = size


Labels = tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Factor:
    """An expression with a label on each axis."""

    expr: Expr
    labels: Labels


@dataclass(frozen=True, slots=True)
class Term:
    """A coefficient times an unordered bag of factors."""

    coefficient: Fraction
    factors: tuple[Factor, ...]


@dataclass(frozen=True, slots=True)
class Bag:
    """A sum of terms, all with the same output labels."""

    out: Labels
    terms: tuple[Term, ...]


def fresh(shape: Shape) -> Labels:
    """New labels for the axes of a shape, rows first."""
    return tuple(Label(atom) for size in shape for atom in size)


def label_shape(labels: Iterable[Label]) -> Shape:
    """The shape of a matrix with these labels on its axes."""
    return shape_of((i.size,) for i in labels)


def joined_to(joined: Mapping[Label, Label], i: Label) -> Label:
    """The label that stands for ``i`` where wires have joined some."""
    while i in joined:
        i = joined[i]
    return i


def joined_by(factors: Iterable[Factor]) -> dict[Label, Label]:
    """Which labels the wires among some factors make one."""
    joined: dict[Label, Label] = {}
    for f in filter(is_wire, factors):
        a, b = (joined_to(joined, i) for i in f.labels)
        if a is not b:
            joined[a] = b
    return joined


def with_ones(factors: Iterable[Factor], labels: Iterable[Label]) -> tuple[Factor, ...]:
    """Factors, with ones along the labels that none of them holds."""
    found = tuple(factors)
    held = {i for f in found for i in f.labels}
    return (*found, *(one(i) for i in labels if i not in held))


def one(label: Label) -> Factor:
    """Ones along a label."""
    return Factor(ex.ones(((label.size,), UNIT)), (label,))


def wire(a: Label, b: Label) -> Factor:
    """The identity, which says that two labels are equal."""
    return Factor(ex.eye((a.size,)), (a, b))


def is_one(f: Factor) -> bool:
    return f.expr.head == "ones"


def is_wire(f: Factor) -> bool:
    return f.expr.head == "eye"


def rows_and_columns(e: Expr, labels: Labels) -> tuple[Labels, Labels]:
    """The labels of the two axes."""
    cut = len(e.shape_[0])
    return labels[:cut], labels[cut:]


def term(coefficient: Fraction, factors: Iterable[Factor]) -> Term:
    """A term with its numbers gathered in the coefficient."""
    kept: list[Factor] = []
    for f in factors:
        if f.expr.head == "num":
            coefficient *= f.expr.value
        else:
            kept.append(f)
    return Term(coefficient, tuple(kept))


def rename(factors: Iterable[Factor], names: Mapping[Label, Label]) -> list[Factor]:
    """The factors with some labels replaced."""
    return [Factor(f.expr, tuple(names.get(i, i) for i in f.labels)) for f in factors]


# ---- what an expression is, in labels ----------------------------------------------------------------------------------


def meaning(e: Expr, out: Labels) -> list[Term] | None:
    """The bag that an entry of ``e`` is, or None if ``e`` is not made of labels alone (a variable, a function)."""
    rows, cols = rows_and_columns(e, out)
    if e.head == "num":
        return [Term(e.value, ())]
    if e.head == "zeros":
        return []
    if e.head == "ones":
        return [Term(Fraction(1), tuple(map(one, out)))]
    if e.head == "eye":
        return [Term(Fraction(1), tuple(map(wire, rows, cols)))]
    if e.head == "T":
        return [term(Fraction(1), [Factor(e.args[0], cols + rows)])]
    if e.head == "times":
        return [term(Fraction(1), [Factor(a, () if a.is_scalar else out) for a in e.args])]
    if e.head == "matmul":
        return [term(Fraction(1), _chain(e, rows, cols))]
    if e.head == "add":
        return [_summand(a, e, rows, cols) for a in e.args]
    row = BY_NAME.get(e.head)
    if row is None or not row.define:
        return None
    return [term(f.coefficient, f.factors) for f in _apply(row, row.define, e, out)]


def _chain(e: Expr, rows: Labels, cols: Labels) -> list[Factor]:
    factors, left = [], rows
    for i, a in enumerate(e.args):
        right = cols if i == len(e.args) - 1 else fresh((a.shape_[1], UNIT))
        factors.append(Factor(a, left + right))
        left = right
    return factors


def _summand(a: Expr, e: Expr, rows: Labels, cols: Labels) -> Term:
    """A term of a sum, with ones along the axes over which it is repeated."""
    own = (rows if a.shape_[0] else ()) + (cols if a.shape_[1] else ())
    missing = [i for i in rows + cols if i not in own]
    return term(Fraction(1), [Factor(a, own), *map(one, missing)])


def opened(factors: Iterable[Factor], limit: int = 60) -> Term:
    """Replace products, transposes and the like by the bags they are, as deep as they go; sums stay whole.

    A factor with more than ``limit`` nodes stays whole too, so that the bag of a deep network stays small; that may cost
    beauty, never correctness.
    """
    coefficient, out = Fraction(1), list[Factor]()
    queue = list(reversed(list(factors)))
    while queue:
        f = queue.pop()
        shut = f.expr.head == "add" or (f.expr.count > limit and f.expr.head != "T") or (is_one(f) and len(f.labels) == 1)
        terms = None if shut or (is_wire(f) and len(f.labels) == 2) else meaning(f.expr, f.labels)
        if terms is None:
            out.append(f)
        elif not terms:
            return Term(Fraction(0), ())
        else:
            coefficient *= terms[0].coefficient
            queue += reversed(terms[0].factors)
    return term(coefficient, out)


# ---- derivatives of one operation ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain rule: an entry of the result changes by ``coefficient · factors · d argument[labels]``."""

    coefficient: Fraction
    factors: tuple[Factor, ...]
    argument: Expr
    labels: Labels


def cut(terms: Iterable[Term], wanted: Container[Expr]) -> Iterable[Link]:
    """Theorem A: the derivative of a product by one occurrence is the product without it, its labels exposed."""
    for t in terms:
        places = [k for k, f in enumerate(t.factors) if f.expr in wanted]
        if len(places) * len(t.factors) > MAX_CUT:
            raise LimitProblem(f"a derivative of {len(places)} terms of {len(t.factors)} factors each", f"the limit is {MAX_CUT} factors in all")
        for k in places:
            yield Link(t.coefficient, t.factors[:k] + t.factors[k + 1 :], t.factors[k].expr, t.factors[k].labels)


def links(e: Expr, out: Labels, wanted: Container[Expr]) -> Iterable[Link] | None:
    """The differential of one operation by its ``wanted`` arguments, in labels, or None if the table has no proven rule for it."""
    terms = meaning(e, out)
    if terms is not None:
        return cut(terms, wanted)
    if e.head == "pow":
        return _power_links(e, out)
    row = BY_NAME.get(e.head)
    if row is None:
        return ()
    if row.derivative:
        names = dict(zip("xw", e.args, strict=False))
        return _entry_links([template(text, names) for text in (row.derivative, row.second) if text], e, out)
    if not row.rule:
        return None
    return _rule_links(row, e, out)


def _power_links(e: Expr, out: Labels) -> list[Link]:
    """d a^b = b·a^(b-1) da + log(a)·a^b db."""
    base, exponent = e.args
    slope = ex.times(exponent, ex.pow_(base, ex.add(exponent, ex.MINUS_ONE)))
    growth = ex.times(ex.call("log", base), e)
    return _entry_links((slope, growth), e, out)


def _entry_links(slopes: Iterable[Expr], e: Expr, out: Labels) -> list[Link]:
    """A function of entries, by its slopes; a scalar among arrays has no labels."""
    return [
        Link(Fraction(1), (Factor(f, () if f.is_scalar else out),), a, () if a.is_scalar else out)
        for f, a in zip(slopes, e.args, strict=True)
    ]


# ---- reading the table's labelled texts -----------------------------------------------------------------------------------

_FACTOR = re.compile(r"(?P<text>.*?)(?:\[(?P<letters>[\w,]*)\])?$")


@cache
def _read(rule: str) -> tuple[tuple[int, tuple[tuple[str, tuple[str, ...]], ...]], ...]:
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


class _Letters:
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
        labels = [i for letter, size in zip(letters, sizes, strict=True) for i in self.of(letter, (size, UNIT))]
        return Factor(ex.shifts(sizes[1], sizes[2]), tuple(labels))


def _apply(row: Row, text: str, e: Expr, out: Labels) -> Iterable[Term]:
    """The terms of a labelled text, without differentials."""
    for sign, read in _read(text):
        letters = _Letters(row, e, out)
        names = dict(zip(("x", "w"), e.args, strict=False))
        factors = [letters.shift(axes) if word == "shift" else Factor(names[word], letters.of(axes, names[word].shape_)) for word, axes in read]
        yield Term(Fraction(sign), (*factors, *letters.wires))


def _rule_links(row: Row, e: Expr, out: Labels) -> Iterable[Link]:
    names = dict(zip(("x", "w"), e.args, strict=False)) | {"y": e}
    for sign, read in _read(row.rule):
        letters = _Letters(row, e, out)
        factors: list[Factor] = []
        struck: Link | None = None
        for word, axes in sorted(read, key=lambda factor: factor[0] == "1"):  # ones know their axes from other factors
            if word in ("dx", "dw"):
                argument = names[word[1]]
                struck = Link(Fraction(sign), (), argument, letters.of(axes, argument.shape_))
            elif word == "1":
                factors += (one(i) for letter in axes for i in letters.labels[letter])
            else:
                value = template(word, names)
                factors.append(Factor(value, letters.of(axes, value.shape_)))
        assert struck is not None, row.rule
        t = term(Fraction(sign), [*factors, *letters.wires])
        yield Link(t.coefficient, t.factors, struck.argument, struck.labels)
