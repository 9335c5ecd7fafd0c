"""Labelled bags: every axis of every occurrence of every factor carries its own label.

    Factor = expression + labels, one per axis: A:(i,j)  x:(j)  sigmoid(Z):(i,j)  inv(X):(j,i)
    Term   = coefficient × unordered bag of factors;  a label that is not an output is summed

Matrix product, transpose, trace, sum, outer and Hadamard product, diag and broadcasting are nothing
but bags with labels: :func:`meaning` says which bag. An axis of length one has no label, an axis
made by ``vec`` or ``kron`` has two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from .. import expr as ex
from ..expr import Expr
from ..expr.sizes import UNIT, Atom, Shape, shape_of


class Label:
    """The identity of one axis of one occurrence.

    Two labels are equal only if they are the same object.
    """

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
    """The label that stands for ``i`` where wires have made some labels one."""
    while i in joined:
        i = joined[i]
    return i


def joined_by(factors: Iterable[Factor]) -> dict[Label, Label]:
    """The labels that the wires among some factors make one, each with the one it becomes."""
    joined: dict[Label, Label] = {}
    for f in filter(is_wire, factors):
        a, b = (joined_to(joined, i) for i in f.labels)
        if a is not b:
            joined[a] = b
    return joined


def with_ones(factors: Iterable[Factor], labels: Iterable[Label]) -> tuple[Factor, ...]:
    """Factors, with ones along the labels that none of them holds."""
    given = tuple(factors)
    held = {i for f in given for i in f.labels}
    return (*given, *(one(i) for i in labels if i not in held))


def one(label: Label) -> Factor:
    """Ones along a label."""
    return Factor(ex.ones(((label.size,), UNIT)), (label,))


def wire(a: Label, b: Label) -> Factor:
    """The identity, which says that two labels are equal."""
    return Factor(ex.eye((a.size,)), (a, b))


def is_one(f: Factor) -> bool:
    """Say if a factor is ones along its labels."""
    return f.expr.head == "ones"


def is_wire(f: Factor) -> bool:
    """Say if a factor makes two labels equal."""
    return f.expr.head == "eye"


def rows_and_columns(e: Expr, labels: Labels) -> tuple[Labels, Labels]:
    """The labels of the two axes."""
    cut = len(e.shape_[0])
    return labels[:cut], labels[cut:]


def term(coefficient: Fraction, factors: Iterable[Factor]) -> Term:
    """A term with its numbers gathered in the coefficient."""
    others: list[Factor] = []
    for f in factors:
        if f.expr.head == "num":
            coefficient *= f.expr.value
        else:
            others.append(f)
    return Term(coefficient, tuple(others))


def rename(factors: Iterable[Factor], names: Mapping[Label, Label]) -> list[Factor]:
    """The factors with some labels replaced."""
    return [Factor(f.expr, tuple(names.get(i, i) for i in f.labels)) for f in factors]
