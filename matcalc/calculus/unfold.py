"""Fold a bag of three axes or more into one Kronecker expression.

An elementwise function can then be applied to it.

An array lies unfolded in its variable, and factors that share no axis lie side by side in a
Kronecker product:

    A[i,k]*v[j]   is   kron(v', A)   with the row label i and the column labels j, k
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

from .. import expr as ex
from ..errors import NoMatrixForm
from ..expr import Expr
from ..expr.sizes import Shape
from ..labels.bag import Bag, Factor, Labels, Term, label_shape, rows_and_columns
from ..labels.roots import Root
from .arrange import arrange, reduced


def unfolded(root: Root) -> Expr:
    """The matrix of the first axis of an answer by all others, as an array is unfolded.

    Raises NoMatrixForm where there is none.
    """
    return root if isinstance(root, Expr) else _on(root.bag, root.bag.out[:1], root.bag.out[1:])


def as_factor(bag: Bag) -> Factor:
    """One expression that holds the outputs of a bag, in an order of its own.

    Raises NoMatrixForm where its terms share none.
    """
    for rows, cols in (*map(_own_order, reduced(bag).terms), (bag.out[:1], bag.out[1:])):
        if set(rows + cols) == set(bag.out):  # or the labels that are left out would be summed
            try:
                return Factor(_on(bag, rows, cols), rows + cols)
            except NoMatrixForm:
                continue
    raise NoMatrixForm("the terms hold their axes in ways that no Kronecker product has in common")


def _on(bag: Bag, rows: Labels, cols: Labels) -> Expr:
    """The bag as a matrix with these labels on its rows and columns."""
    terms = [_side_by_side(t, rows, cols) for t in reduced(Bag(rows + cols, bag.terms)).terms]
    return ex.add(*terms) if terms else ex.zeros(_shape(rows, cols))


def _shape(rows: Labels, cols: Labels) -> Shape:
    return tuple(i.size for i in rows), tuple(i.size for i in cols)


@dataclass(frozen=True)
class _Group:
    """Factors that share axes, and the labels that they hold."""

    factors: tuple[Factor, ...]

    @property
    def labels(self) -> Labels:
        return tuple(dict.fromkeys(i for f in self.factors for i in f.labels))

    def on(self, rows: Labels, cols: Labels) -> Expr:
        """The group as a matrix."""
        if len(self.labels) > 2 or any(len(f.labels) > 2 for f in self.factors):
            return ex.times(*(_turned(f, rows, cols) for f in self.factors))
        if len(rows) == 2 or len(cols) == 2:
            i, j = rows or cols
            column = ex.call("vec", self.arranged((j, i)))
            return column if rows else ex.transpose(column)
        return self.arranged(rows + cols) if rows else ex.transpose(self.arranged(cols))

    def arranged(self, out: Labels) -> Expr:
        return arrange(Bag(out, (Term(Fraction(1), self.factors),)), label_shape(out))


def _turned(f: Factor, rows: Labels, cols: Labels) -> Expr:
    """A factor that has these rows and columns, or these columns and rows."""
    own = rows_and_columns(f.expr, f.labels)
    if own == (rows, cols):
        return f.expr
    if own == (cols, rows):
        return ex.transpose(f.expr)
    raise NoMatrixForm("an array has its axes in another order")


def _side_by_side(t: Term, rows: Labels, cols: Labels) -> Expr:
    """A term as the Kronecker product of its groups, in the order in which their labels follow
    each other.
    """
    scalars, groups = [f.expr for f in t.factors if not f.labels], list(_groups(t))
    matrices: list[Expr] = []
    while groups:
        for g in groups:
            here, there = (tuple(i for i in side if i in g.labels) for side in (rows, cols))
            if (
                len(here + there) == len(g.labels)
                and rows[: len(here)] == here
                and cols[: len(there)] == there
            ):
                break
        else:
            raise NoMatrixForm("the factors share axes in a way that no Kronecker product has")
        matrices.append(g.on(here, there))
        groups.remove(g)
        rows, cols = rows[len(here) :], cols[len(there) :]
    return ex.times(
        ex.num(t.coefficient),
        *scalars,
        *([reduce(lambda a, b: ex.call("kron", a, b), matrices)] if matrices else []),
    )


def _groups(t: Term) -> Iterator[_Group]:
    """The factors of a term, those together that share labels."""
    left = [f for f in t.factors if f.labels]
    while left:
        group, left = left[:1], left[1:]
        while near := [
            f for f in left if {i for g in group for i in g.labels}.intersection(f.labels)
        ]:
            group += near
            left = [f for f in left if f not in near]
        yield _Group(tuple(group))


def _own_order(t: Term) -> tuple[Labels, Labels]:
    """The rows and the columns that the Kronecker product of the groups of a term has."""
    sides = [rows_and_columns(f.expr, f.labels) for f in _first_of_each(t)]
    return tuple(i for rows, _ in sides for i in rows), tuple(i for _, cols in sides for i in cols)


def _first_of_each(t: Term) -> Iterable[Factor]:
    """The factor with the most labels of each group."""
    return (max(g.factors, key=lambda f: len(f.labels)) for g in _groups(t))
