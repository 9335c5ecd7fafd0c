"""Derivatives of any order: chain, then arrange and simplify, as often as needed; no second engine.

An answer is a matrix expression where one exists, else an index form. A direction is one more
factor on the variable's labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from .. import expr as ex
from ..budget import reached, spend
from ..errors import NoMatrixForm
from ..expr import Expr
from ..expr.sizes import SCALAR, UNIT, Shape, Size, shape_of
from ..labels.bag import (
    Bag,
    Factor,
    Labels,
    Term,
    fresh,
    label_shape,
    rename,
    rows_and_columns,
)
from ..labels.index_form import IndexForm
from ..labels.roots import Root, replaced, shape_as_matrix, sizes_of_axes
from ..language.elaborate import template
from ..tables.properties import BY_NAME, properties_of
from .arrange import arrange
from .chain import Chain, chain
from .index import index_form
from .rewrite import recognised
from .simplify import simplify


@dataclass(frozen=True)
class FactorChains:
    """The derivative of an index form by several variables: the product rule, with the chain of
    each factor that holds one of them.
    """

    root: IndexForm
    inner: dict[Expr, Chain]
    bags: dict[Expr, Bag]


AnyChain = Chain | FactorChains


@dataclass(frozen=True)
class Derivative:
    """An answer, the derivatives of lower order below it, and the chains that it was read from,
    one for each order.
    """

    result: Root
    lower: tuple[Root, ...]
    chains: tuple[AnyChain, ...]


def derivative_shape(e: Root, wrt: Expr) -> Shape | None:
    """The shape of a derivative with at most two axes, or None if it has more, or is by an array
    or of one.
    """
    above, below = shape_as_matrix(e), shape_as_matrix(wrt)
    if above is None or below is None:
        return None
    if above == SCALAR:
        return below
    if below == SCALAR:
        return above
    if UNIT in above and UNIT in below:
        return (above[0] or above[1], below[0] or below[1])
    return None


def off_its_set(v: Expr) -> Expr:
    """A variable without the properties that hold on a set alone, and not around it.

    The second derivative moves the variable off the set before it comes back: what is simplified by
    such a property, as sum(y) = 1, is no longer the function whose derivative is wanted.
    """
    on_sets = {row.name for row in properties_of(v.properties) if row.on_a_set}
    kept = [name for name in v.properties if name not in on_sets]
    return v if len(kept) == len(v.properties) else ex.var(v.name, v.shape_, kept)


def moved_to(root: Root, old: Expr, new: Expr) -> Root:
    """An expression or index form in another version of a variable."""
    return root if old is new else replaced(root, lambda leaf: new if leaf is old else leaf)


def derivative(
    e: Root, wrt: Expr, order: int = 1, direction: Expr | None = None, first: AnyChain | None = None
) -> Derivative:
    """The derivative of some order, contracted with a direction if there is one.

    ``first`` is the first chain, if it is known.

    By a variable on a set it is that of the expression on all of space, at points of the set.
    """
    free = off_its_set(wrt) if order > 1 else wrt
    if free is wrt:
        return _derivative(e, wrt, order, direction, first)
    in_space = _derivative(moved_to(e, wrt, free), free, order, direction, None)
    result = moved_to(in_space.result, free, wrt)
    if isinstance(result, Expr):
        answer: Root = simplify(result)
    else:
        answer = index_form(result.bag, result.shapes)
    return Derivative(answer, in_space.lower, in_space.chains)


def _derivative(
    e: Root, wrt: Expr, order: int, direction: Expr | None, first: AnyChain | None
) -> Derivative:
    chains: list[AnyChain] = [first if first is not None else first_chain(e, [wrt])]
    lower: list[Root] = []
    for k in range(1, order):
        reached(f"order {k} of {order}")
        lower.append(_answer(chains[-1].bags[wrt], e, wrt, k))
        chains.append(_chain(lower[-1], [wrt]))
    bag = chains[-1].bags[wrt]
    reached(f"order {order} of {order}" if order > 1 else "")
    result = (
        _answer(bag, e, wrt, order)
        if direction is None
        else _contracted(bag, e, wrt, direction, order)
    )
    return Derivative(result, tuple(lower), tuple(chains))


def first_chain(e: Root, wrt: Iterable[Expr]) -> AnyChain:
    """The chain of an expression as a user gives it, with what has a name called by it."""
    return _chain(e, list(wrt), recognised)


def _chain(e: Root, wrt: list[Expr], seen: Callable[[Expr], Expr] = lambda e: e) -> AnyChain:
    """The chain of an expression, or of each factor of an index form."""
    if isinstance(e, Expr):
        return chain(seen(e), wrt, fold)
    inner = {
        f: chain(seen(f), wrt, fold) for f in e.factors if not set(wrt).isdisjoint(ex.variables(f))
    }
    return FactorChains(e, inner, {v: _by_product_rule(e, inner, v) for v in wrt})


def fold(bag: Bag) -> Expr | None:
    """An adjoint with at most two axes as one factor, if it can be arranged."""
    if len(bag.out) > 2:
        return None
    try:
        return simplify(arrange(bag, label_shape(bag.out)))
    except NoMatrixForm:
        return None


def _answer(bag: Bag, e: Root, wrt: Expr, order: int) -> Root:
    """A bag in matrix notation where that reaches, else in index form."""
    shapes = (sizes_of_axes(e), *[sizes_of_axes(wrt)] * order)
    shape = derivative_shape(e, wrt) if order == 1 else _matrix_shape(shapes)
    if shape is not None:
        try:
            return structured(simplify(arrange(bag, shape)), wrt)
        except NoMatrixForm:
            pass
    return index_form(_in_structure(bag, wrt), shapes)


def _matrix_shape(shapes: Iterable[tuple[Size, ...]]) -> Shape | None:
    axes = [size for shape in shapes for size in shape if size]
    return shape_of(axes) if len(axes) <= 2 else None


def _contracted(bag: Bag, e: Root, wrt: Expr, direction: Expr, order: int) -> Root:
    """The derivative along a direction: one more factor, on the variable's labels."""
    cut = len(bag.out) - sum(len(size) for size in wrt.shape_)
    extra = Factor(direction, bag.out[cut:])
    along = Bag(bag.out[:cut], tuple(Term(t.coefficient, (*t.factors, extra)) for t in bag.terms))
    shapes = (sizes_of_axes(e), *[sizes_of_axes(wrt)] * (order - 1))
    shape = (
        shape_as_matrix(e)
        if order == 1
        else derivative_shape(e, wrt)
        if order == 2
        else _matrix_shape(shapes)
    )
    if shape is not None:
        try:
            return simplify(arrange(along, shape))
        except NoMatrixForm:
            pass
    return index_form(along, shapes)


def _by_product_rule(form: IndexForm, inner: Mapping[Expr, Chain], wrt: Expr) -> Bag:
    """The derivative of an index form: the sum over its factors of the others times the
    derivative of that one.
    """
    new = fresh(wrt.shape_)
    terms: list[Term] = []
    for t in form.bag.terms:
        for k, f in enumerate(t.factors):
            bag = inner[f.expr].bags[wrt] if f.expr in inner else Bag((), ())
            names = dict(zip(bag.out, f.labels + new, strict=True)) if bag.terms else {}
            rest = t.factors[:k] + t.factors[k + 1 :]
            spend(terms=len(bag.terms))
            terms += (
                Term(t.coefficient * d.coefficient, (*rest, *rename(d.factors, names)))
                for d in bag.terms
            )
    return Bag(form.bag.out + new, tuple(terms))


# ---- structured variables: a derivative lives on the space where the variable does ---------------


def structure(wrt: Expr) -> str:
    """The property of a change of the variable: symmetric for spd; nothing for any matrix."""
    if wrt.is_scalar:
        return ""
    return next((row.space for row in properties_of(wrt.properties) if row.space), "")


def structured(g: Expr, wrt: Expr) -> Expr:
    """A gradient on the space of the variable."""
    space = structure(wrt)
    if not space:
        return g
    projected = template(BY_NAME[space].projection, {"x": g})
    return g if projected is g else simplify(projected)


def _in_structure(bag: Bag, wrt: Expr) -> Bag:
    """The same in index form: the last derivative on the space, its axes the last outputs.

    The projection is linear, so that its derivative is what it multiplies by.
    """
    space = structure(wrt)
    if not space:
        return bag
    x = ex.var("x", wrt.shape_)
    projection = chain(template(BY_NAME[space].projection, {"x": x}), [x], fold).bags[x]
    own = sum(axes_of(bag.out, wrt, 0), ())
    projected, argument = projection.out[: len(own)], projection.out[len(own) :]
    inside = dict(zip(own, argument, strict=True))
    outside = dict(zip(projected, own, strict=True))
    terms: list[Term] = []
    for t in bag.terms:
        factors = rename(t.factors, inside)
        for p in projection.terms:
            weights = rename(p.factors, outside)
            terms.append(Term(t.coefficient * p.coefficient, (*factors, *weights)))
    return Bag(bag.out, tuple(terms))


def axes_of(out: Labels, wrt: Expr, after: int) -> tuple[Labels, Labels]:
    """The rows and the columns of the last derivative by a variable, or of the one so many
    before it.
    """
    width = sum(map(len, wrt.shape_))
    start = len(out) - width * (after + 1)
    return rows_and_columns(wrt, out[start : start + width])


def diagonal_of(g: Expr) -> Expr:
    """The diagonal matrix with the diagonal of a matrix."""
    return ex.call("diag", ex.call("diagonal", g))
