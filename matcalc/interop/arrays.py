"""Arrays of SymPy as labelled bags: tensor products, contractions, diagonals and permutations only
rename labels.

An array of any number of axes is kept as labels and terms while it is read; what is left at the end
with at most two axes longer than one is a matrix expression, which :func:`matrix` arranges, and an
index form where that has no form or there are more axes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, product
from typing import Any, Protocol

from .. import expr as ex
from ..calculus.arrange import arrange
from ..calculus.index import index_form
from ..calculus.unfold import as_factor
from ..errors import NoMatrixForm, Unsupported
from ..expr import Expr
from ..expr.sizes import UNIT, Shape, Size, shape_of
from ..labels.bag import Bag, Factor, Label, Labels, Term, fresh, one, rename, rows_and_columns
from ..labels.roots import Root


@dataclass(frozen=True, slots=True)
class Array:
    """The labels of every axis (none where it has length one, several where it is a product of
    axes), and a sum of terms.
    """

    axes: tuple[Labels, ...]
    terms: tuple[Term, ...]

    @property
    def out(self) -> Labels:
        return tuple(i for axis in self.axes for i in axis)


Value = Expr | Array


class Reader(Protocol):
    """The reader of the rest of the expression."""

    def read(self, root: Any) -> Expr: ...
    def name(self, symbol: Any, unit: str = ...) -> str: ...
    def value(self, root: Any) -> Value: ...
    def size(self, dim: Any) -> Size: ...
    def applied(self, function: Any, argument: Expr) -> Expr: ...
    def entrywise(self, node: Any, args: list[Expr]) -> Expr: ...


MAX_POWER = 4  # of a scalar without matrix form, which is multiplied out
Build = Callable[[Reader, Any, list[Value]], Value]


def root(value: Value) -> Root:
    """The matrix expression that an array is, or its index form where it has more than two axes
    longer than one, or no matrix form.
    """
    if isinstance(value, Expr):
        return value
    try:
        return _arranged(value)
    except NoMatrixForm:
        long = tuple(axis for axis in value.axes if axis)
        sizes = tuple(tuple(i.size for i in axis) for axis in long)
        return index_form(
            Bag(value.out, value.terms),
            (sizes if len(sizes) > 2 else shape_of(sizes),),
            lambda e: e,
        )


def matrix(value: Value) -> Expr:
    """The matrix expression that an array inside another expression is.

    Raises Unsupported where it has none.
    """
    if isinstance(value, Expr):
        return value
    try:
        return _arranged(value)
    except NoMatrixForm:
        long = sum(map(bool, value.axes))
        what = f"of {long} axes" if long > 2 else "whose axes no matrix expression joins"
        raise Unsupported(
            f"an array {what} has no form inside another expression", _INSIDE
        ) from None


def _arranged(a: Array) -> Expr:
    """An array as a matrix expression; raises NoMatrixForm where there is none."""
    shape = _shape(a)
    if len(a.terms) == 1 and _is_whole(a.terms[0], a.out, shape):
        return a.terms[0].factors[0].expr
    return arrange(Bag(a.out, a.terms), shape)


def combined(node: Any, values: Sequence[Value]) -> Array | None:
    """The sum, the product or the power of scalars some of which have no matrix form.

    None if that is not what it is.
    """
    if any(getattr(a, "shape", ()) for a in node.args) or all(map(_has_form, values)):
        return None
    parts = list(zip(node.args, values, strict=True))
    if node.is_Pow:
        if not (node.exp.is_Integer and 0 < node.exp <= MAX_POWER):
            return None
        parts = parts[:1] * int(node.exp)
    # each is read by itself, so that the factors of a power have labels of their own
    terms = [array(a, value).terms for a, value in parts]
    return Array((), tuple(chain.from_iterable(terms)) if node.is_Add else multiplied(terms))


def _has_form(value: Value) -> bool:
    return isinstance(root(value), Expr)


def multiplied(groups: Iterable[Iterable[Term]]) -> tuple[Term, ...]:
    """The product of sums of terms, multiplied out."""
    return tuple(_joint(terms) for terms in product(*groups))


def _joint(terms: Iterable[Term]) -> Term:
    coefficient, factors = Fraction(1), list[Factor]()
    for t in terms:
        coefficient, factors = coefficient * t.coefficient, factors + list(t.factors)
    return Term(coefficient, tuple(factors))


def _shape(a: Array) -> Shape:
    """The shape as a matrix: of two axes as they are, else of those longer than one."""
    long = [axis for axis in a.axes if axis]
    if len(long) > 2:
        raise NoMatrixForm(f"an array of {len(long)} axes has no matrix form")
    return shape_of(tuple(i.size for i in axis) for axis in (a.axes if len(a.axes) == 2 else long))


def _is_whole(t: Term, out: Labels, shape: Shape) -> bool:
    """Tell if a term is one matrix expression as it stands."""
    return (
        t.coefficient == 1
        and len(t.factors) == 1
        and t.factors[0].labels == out
        and t.factors[0].expr.shape_ == shape
    )


def array(node: Any, value: Value) -> Array:
    """A value that was read, as an array with labels of its own.

    A scalar that SymPy has no axes for has none.
    """
    if isinstance(value, Array):
        return _renewed(value)
    if any(len(size) > 1 for size in value.shape_):
        raise Unsupported(
            f"an array of {value} has no form in matcalc", "its axes are products of axes"
        )
    labels = fresh(value.shape_)
    axes = rows_and_columns(value, labels) if getattr(node, "shape", ()) else ()
    return Array(axes, (Term(Fraction(1), (Factor(value, labels),)),))


def _renewed(a: Array) -> Array:
    """The same array on new labels, so that it can be used once more."""
    labels = dict.fromkeys((*a.out, *(i for t in a.terms for f in t.factors for i in f.labels)))
    return _renamed(a, {i: Label(i.size) for i in labels})


def _renamed(a: Array, names: dict[Label, Label]) -> Array:
    axes = tuple(tuple(names.get(i, i) for i in axis) for axis in a.axes)
    return Array(axes, tuple(Term(t.coefficient, tuple(rename(t.factors, names))) for t in a.terms))


# ---- one builder per class -----------------------------------------------------------------------


def _tensor_product(_: Reader, node: Any, args: list[Value]) -> Array:
    parts = [array(given, arg) for given, arg in zip(node.args, args, strict=True)]
    return Array(tuple(axis for a in parts for axis in a.axes), multiplied(a.terms for a in parts))


def _sum(_: Reader, node: Any, args: list[Value]) -> Array:
    first, *others = (array(given, arg) for given, arg in zip(node.args, args, strict=True))
    aligned = [_renamed(a, dict(zip(a.out, first.out, strict=True))) for a in others]
    return Array(first.axes, tuple(t for a in (first, *aligned) for t in a.terms))


def _permuted(_: Reader, node: Any, args: list[Value]) -> Array:
    a = array(node.expr, args[0])
    return Array(tuple(a.axes[k] for k in node.permutation.array_form), a.terms)


def _joined(node: Any, value: Value, groups: Iterable[Any]) -> tuple[Array, tuple[Labels, ...]]:
    """The axes of each group made one: the array with the axes that are left, and the joined
    axes.
    """
    a = array(node.expr, value)
    positions = [[int(k) for k in group] for group in groups]
    names: dict[Label, Label] = {}
    for first, *rest in positions:
        for k in rest:
            names.update(zip(a.axes[k], a.axes[first], strict=True))
    taken = set(chain.from_iterable(positions))
    left = tuple(axis for k, axis in enumerate(a.axes) if k not in taken)
    return Array(left, _renamed(a, names).terms), tuple(a.axes[group[0]] for group in positions)


def _contraction(_: Reader, node: Any, args: list[Value]) -> Array:
    return _joined(node, args[0], node.contraction_indices)[0]


def _diagonal(_: Reader, node: Any, args: list[Value]) -> Array:
    left, diagonals = _joined(node, args[0], node.diagonal_indices)
    return Array(left.axes + diagonals, left.terms)


def _elementwise(reader: Reader, node: Any, args: list[Value]) -> Value:
    """A function of every entry: of a matrix expression where there is one, else of one that has
    a label for each axis.
    """
    a = args[0]
    if isinstance(a, Expr):
        return reader.applied(node.function, a)
    return Array(a.axes, (Term(Fraction(1), (_applied(reader, node, a),)),))


def _applied(reader: Reader, node: Any, a: Array) -> Factor:
    try:
        try:
            inner = Factor(_arranged(a), a.out)
        except NoMatrixForm:
            inner = as_factor(Bag(a.out, a.terms))
    except NoMatrixForm:
        why = "its entries share axes, or its terms hold them in different orders"
        what = f"an array of {len(a.out)} ax{'is' if len(a.out) == 1 else 'es'} that factors share"
        raise Unsupported(
            f"SymPy's {type(node).__name__} of {what} has no form in matcalc", why
        ) from None
    return Factor(reader.applied(node.function, inner.expr), inner.labels)


def _reshaped(reader: Reader, node: Any, args: list[Value]) -> Array:
    """All entries in one axis, row by row; or axes of length one added and taken away."""
    a = array(node.expr, args[0])
    sizes = [reader.size(dim) for dim in node.shape]
    axes = list(filter(None, a.axes))
    long = list(filter(None, sizes))
    if long == [tuple(i.size for i in axis) for axis in axes]:
        return Array(_at_long(sizes, axes), a.terms)
    if len(long) == 1:
        return Array(_at_long(sizes, [a.out]), a.terms)
    raise Unsupported(
        f"SymPy's Reshape to {node.shape} has no form in matcalc",
        "all axes become one, or none changes",
    )


def _at_long(sizes: Iterable[Size], axes: Iterable[Labels]) -> tuple[Labels, ...]:
    """The axes in order where sizes are longer than one, and none elsewhere."""
    left = iter(axes)
    return tuple(next(left) if size else () for size in sizes)


def _symbol(reader: Reader, node: Any, _: list[Value]) -> Value:
    """A vector, a matrix or an array of its own."""
    sizes = tuple(reader.size(dim) for dim in node.shape)
    long = [size for size in sizes if size]
    if len(long) > 2 and any(len(size) > 1 for size in long):
        raise Unsupported(
            f"the array {node.name} has an axis that is a product of sizes",
            "name that size, or give it as a number",
        )
    e = (
        ex.array(reader.name(node), long)
        if len(long) > 2
        else ex.var(reader.name(node), sizes if len(sizes) == 2 else shape_of(long))
    )
    return e if len(sizes) == 2 else _of_variable(e, sizes)


def _of_variable(e: Expr, sizes: tuple[Size, ...]) -> Array:
    """A variable as an array, with its axes of length one in their places."""
    labels = fresh(e.shape_)
    left = list(labels)
    axes = tuple(tuple(left.pop(0) for _ in size) for size in sizes)
    return Array(axes, (Term(Fraction(1), (Factor(e, labels),)),))


def _filled(reader: Reader, node: Any, with_ones: bool) -> Array:
    axes = tuple(fresh((reader.size(dim), UNIT)) for dim in node.shape)
    return Array(
        axes,
        (Term(Fraction(1), tuple(one(i) for axis in axes for i in axis)),) if with_ones else (),
    )


_INSIDE = "ArrayTensorProduct, ArrayAdd, ArrayElementwiseApplyFunc and the like take arrays"
ARRAYS: dict[str, Build] = {
    "ArrayTensorProduct": _tensor_product,
    "ArrayAdd": _sum,
    "PermuteDims": _permuted,
    "ArrayContraction": _contraction,
    "ArrayDiagonal": _diagonal,
    "ArrayElementwiseApplyFunc": _elementwise,
    "Reshape": _reshaped,
    "ArraySymbol": _symbol,
    "ZeroArray": lambda reader, node, _: _filled(reader, node, False),
    "OneArray": lambda reader, node, _: _filled(reader, node, True),
}
ARRAY_OPERANDS = {
    **dict.fromkeys(("PermuteDims", "ArrayContraction", "ArrayDiagonal", "Reshape"), slice(1)),
    "ArrayElementwiseApplyFunc": slice(1, 2),
    **dict.fromkeys(("ArraySymbol", "ZeroArray", "OneArray"), slice(0)),
}
