"""Entries and sums over indices as labelled bags: an index of a sum is a label, ``A[i,j]`` is A
with two labels.

An index that no sum binds is its unit vector: a variable for a symbol, ``x[i, 0]`` is ``i'*x``, and
the derivative by x holds whatever vector stands there; for a number a column of the identity,
``x[2, 0]`` is ``x[3]``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import chain
from typing import Any

from .. import expr as ex
from ..calculus.arrange import arrange
from ..calculus.unfold import as_factor
from ..errors import NoMatrixForm, ShapeProblem, Unsupported
from ..expr import Expr
from ..expr.parts import Range
from ..expr.sizes import SCALAR, UNIT, Atom, Size, Sum, show_shape
from ..labels.bag import (
    Bag,
    Factor,
    Label,
    Labels,
    Term,
    fresh,
    label_shape,
    rename,
    wire,
    with_ones,
)
from .arrays import Array, Reader, Value, array, multiplied, root


def entry(reader: Reader, node: Any, _: list[Value]) -> Value:
    """A sum over indices, an entry of a matrix or an array, or a Kronecker delta, as a scalar."""
    terms = _Entries(reader).terms(node)
    try:
        return arrange(Bag((), terms), SCALAR)
    except NoMatrixForm:
        return Array((), terms)


class _Entries:
    """Reads a scalar of indices.

    ``bound`` has the label of every index that a sum around it binds.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.bound: dict[Any, Labels] = {}

    def terms(self, node: Any) -> tuple[Term, ...]:
        """A sum of terms, whose outputs are the labels of the indices that are bound outside."""
        read = _TERMS.get(type(node).__name__)
        if read is not None:
            return read(self, node)
        if not self.bound.keys() & node.free_symbols:
            return self.scalar(node)
        if not node.args:
            raise Unsupported(
                f"SymPy's Sum over numbers {node} has no form in matcalc",
                "an index stands in A[i, j] and KroneckerDelta(i, j)",
            )
        return self.function(node)

    def scalar(self, node: Any) -> tuple[Term, ...]:
        """A factor that depends on no index."""
        value = self.reader.value(node)
        e = root(value)
        if not e.is_scalar:
            raise Unsupported(
                f"SymPy's {type(node).__name__} {node} among entries has no form in matcalc",
                "a sum is of scalars, as A[i, j]",
            )
        return _single(e, ()) if isinstance(e, Expr) else array(node, value).terms

    def function(self, node: Any) -> tuple[Term, ...]:
        """A function, entry by entry, of arguments whose indices one expression can hold."""
        groups = [self.terms(a) for a in node.args]
        out = self.open(chain.from_iterable(groups))
        args = [self.factor(terms, out if self.open(terms) else ()) for terms in groups]
        labels = {f.labels for f in args if f.labels}
        if len(labels) > 1:
            raise _no_entry(out)
        value = self.reader.entrywise(node, [f.expr for f in args])
        return (Term(Fraction(1), (_factor(value, labels.pop() if labels else ()),)),)

    def open(self, terms: Iterable[Term]) -> Labels:
        """The labels that stand for an index of a sum around."""
        outside = {i for labels in self.bound.values() for i in labels}
        return tuple(
            dict.fromkeys(i for t in terms for f in t.factors for i in f.labels if i in outside)
        )

    def factor(self, terms: Iterable[Term], out: Labels) -> Factor:
        """A sum of terms as one expression with a label on each axis."""
        bag = Bag(out, tuple(_filled(t, out) for t in terms))
        try:
            return _factor(arrange(bag, label_shape(out)), out) if len(out) <= 2 else as_factor(bag)
        except NoMatrixForm:
            raise _no_entry(out) from None

    def product(self, node: Any) -> tuple[Term, ...]:
        """Terms side by side; a sum of terms is one factor."""
        return multiplied(self.single(self.terms(a)) for a in node.args)

    def single(self, terms: tuple[Term, ...]) -> tuple[Term, ...]:
        """A sum as one term where one expression can hold it."""
        if len(terms) == 1:
            return terms
        out = self.open(terms)
        try:
            return (Term(Fraction(1), (self.factor(terms, out),)),)
        except Unsupported:
            return tuple(_filled(t, out) for t in terms)

    def sum_of_terms(self, node: Any) -> tuple[Term, ...]:
        terms = [t for a in node.args for t in self.terms(a)]
        out = self.open(terms)
        return tuple(_filled(t, out) for t in terms)

    def sum_over_indices(self, node: Any) -> tuple[Term, ...]:
        """Every index of the sum is a label, from the first entry of its axis to the last."""
        before, labels = dict(self.bound), list[Label]()
        for index, first, last in node.limits:
            if first != 0:
                raise Unsupported(
                    f"SymPy's Sum from {first} has no form in matcalc",
                    "sum over all entries, from 0",
                )
            self.bound[index] = fresh((self.reader.size(last + 1), UNIT))
            labels += self.bound[index]
        terms = self.terms(node.function)
        self.bound = before
        return tuple(_filled(t, labels) for t in terms)

    def element(self, node: Any) -> tuple[Term, ...]:
        """An entry of a matrix, or of an array."""
        parent, *indices = node.args if len(node.args) == 3 else (node.args[0], *node.args[1])
        a, names, units = (
            array(parent, self.reader.value(parent)),
            dict[Label, Label](),
            list[Factor](),
        )
        for axis, index in zip(a.axes, indices, strict=True):
            if axis:
                labels, factors = self.at(index, tuple(i.size for i in axis), node)
                names |= zip(axis, labels, strict=True)
                units += factors
        return tuple(Term(t.coefficient, (*rename(t.factors, names), *units)) for t in a.terms)

    def at(self, index: Any, size: Size, node: Any) -> tuple[Labels, list[Factor]]:
        """The labels of an axis at an index: those of the sum, or some that a unit vector holds."""
        if index in self.bound:
            return _same_length(self.bound[index], size, index), []
        labels = fresh((size, UNIT))
        return labels, [Factor(self.unit(index, size, node), labels)]

    def unit(self, index: Any, size: Size, node: Any) -> Expr:
        """The unit vector of an index: a variable of its name, or a column of the identity."""
        if not index.is_Symbol and not index.is_Integer:
            raise Unsupported(
                f"SymPy's {type(node).__name__} {node} has no form in matcalc",
                "an index is a symbol or a number",
            )
        if index.is_Integer:
            return ex.taken(ex.eye(size), None, Range(Sum({}, int(index)), UNIT))
        return ex.var(self.reader.name(index, str(index.name)), (size, UNIT))

    def delta(self, node: Any) -> tuple[Term, ...]:
        """The identity at two indices."""
        size = self.delta_size(node)
        (a, left), (b, right) = (self.at(index, size, node) for index in node.args[:2])
        return (Term(Fraction(1), (*map(wire, a, b), *left, *right)),)

    def delta_size(self, node: Any) -> Size:
        for index in node.args[:2]:
            if index in self.bound:
                return tuple(i.size for i in self.bound[index])
        if node.delta_range is None:
            raise Unsupported(
                f"SymPy's {node} has no form in matcalc",
                "say the range of its indices, as in KroneckerDelta(i, j, (0, n - 1))",
            )
        return self.reader.size(node.delta_range[1] + 1)


def _single(e: Expr, labels: Labels) -> tuple[Term, ...]:
    return (Term(Fraction(1), (_factor(e, labels),)),)


def _factor(e: Expr, labels: Labels) -> Factor:
    return Factor(e, () if e.is_scalar else labels)


def _no_entry(out: Labels) -> Unsupported:
    what = (
        f"a function of an entry of {len(out)} ind{'ex' if len(out) == 1 else 'ices'} that "
        "share factors"
    )
    return Unsupported(
        f"{what} has no form in matcalc",
        "one of factors side by side has, as of T[i, j, k] - x[i]*A[j, k]",
    )


def _filled(t: Term, out: Iterable[Label]) -> Term:
    """A term with ones along the labels that it does not hold."""
    return Term(t.coefficient, with_ones(t.factors, out))


def _same_length(labels: Labels, size: Size, index: Any) -> Labels:
    found: tuple[Atom, ...] = tuple(i.size for i in labels)
    if found != size:
        raise ShapeProblem(
            f"the index {index} runs over {show_shape((found, UNIT))} of "
            f"{show_shape((size, UNIT))} entries",
            "sum over all of them",
        )
    return labels


_TERMS: dict[str, Callable[[_Entries, Any], tuple[Term, ...]]] = {
    "Sum": _Entries.sum_over_indices,
    "Mul": _Entries.product,
    "Add": _Entries.sum_of_terms,
    "MatrixElement": _Entries.element,
    "ArrayElement": _Entries.element,
    "KroneckerDelta": _Entries.delta,
}
ENTRIES = dict.fromkeys(("Sum", "MatrixElement", "ArrayElement", "KroneckerDelta"), entry)
ENTRY_OPERANDS = dict.fromkeys(ENTRIES, slice(0))
