"""Derivatives of any order: chain, then arrange and simplify, as often as needed; no second engine.

An answer is a matrix expression where one exists, else an index form. A direction is one more factor on the variable's labels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from . import expr as ex
from .arrange import arrange
from .chain import Chain, chain
from .errors import NoMatrixForm
from .expr import Expr
from .index import IndexForm, Root, index_form
from .labels import Bag, Factor, Term, fresh, label_shape, rename
from .rules import recognised
from .simplify import simplify
from .sizes import UNIT, Shape, shape_of


@dataclass(frozen=True)
class Derivative:
    """An answer, the derivatives of lower order below it, and the chains that it was read from, one for each order in matrix notation."""

    result: Root
    lower: tuple[Root, ...]
    chains: tuple[Chain, ...]


def derivative_shape(e: Expr, wrt: Expr) -> Shape | None:
    """The shape of a derivative with at most two axes, or None if it has more."""
    if e.is_scalar:
        return wrt.shape_
    if wrt.is_scalar:
        return e.shape_
    if UNIT in e.shape_ and UNIT in wrt.shape_:
        return (e.shape_[0] or e.shape_[1], wrt.shape_[0] or wrt.shape_[1])
    return None


def derivative(e: Expr, wrt: Expr, order: int = 1, direction: Expr | None = None, first: Chain | None = None) -> Derivative:
    """The derivative of some order, contracted with a direction if there is one; ``first`` is the first chain, if it is known."""
    chains = [first if first is not None else first_chain(e, [wrt])]
    bag = chains[0].bags[wrt]
    lower: list[Root] = []
    for k in range(1, order):
        below = _answer(bag, e, wrt, k)
        lower.append(below)
        if isinstance(below, Expr):
            chains.append(chain(below, [wrt], fold))
            bag = chains[-1].bags[wrt]
        else:
            bag = _next(below, wrt)
    result = _answer(bag, e, wrt, order) if direction is None else _contracted(bag, e, wrt, direction, order)
    return Derivative(result, tuple(lower), tuple(chains))


def first_chain(e: Expr, wrt: Iterable[Expr]) -> Chain:
    """The chain of an expression as a user gives it, with what has a name called by it."""
    return chain(recognised(e), wrt, fold)


def fold(bag: Bag) -> Expr | None:
    """An adjoint with at most two axes as one factor, if it can be arranged."""
    if len(bag.out) > 2:
        return None
    try:
        return simplify(arrange(bag, label_shape(bag.out)))
    except NoMatrixForm:
        return None


def _answer(bag: Bag, e: Expr, wrt: Expr, order: int) -> Root:
    """A bag in matrix notation where that reaches, else in index form."""
    shapes = (e.shape_, *[wrt.shape_] * order)
    shape = derivative_shape(e, wrt) if order == 1 else _matrix_shape(shapes)
    if shape is not None:
        try:
            return _structured(simplify(arrange(bag, shape)), e, wrt, order)
        except NoMatrixForm:
            pass
    return index_form(bag, shapes)


def _matrix_shape(shapes: tuple[Shape, ...]) -> Shape | None:
    axes = [size for shape in shapes for size in shape if size]
    return shape_of(axes) if len(axes) <= 2 else None


def _contracted(bag: Bag, e: Expr, wrt: Expr, direction: Expr, order: int) -> Root:
    """The derivative along a direction: one more factor, on the variable's labels."""
    cut = len(bag.out) - sum(len(size) for size in wrt.shape_)
    extra = Factor(direction, bag.out[cut:])
    along = Bag(bag.out[:cut], tuple(Term(t.coefficient, (*t.factors, extra)) for t in bag.terms))
    shapes = (e.shape_, *[wrt.shape_] * (order - 1))
    shape = e.shape_ if order == 1 else derivative_shape(e, wrt) if order == 2 else _matrix_shape(shapes)
    if shape is not None:
        try:
            return simplify(arrange(along, shape))
        except NoMatrixForm:
            pass
    return index_form(along, shapes)


def _next(form: IndexForm, wrt: Expr) -> Bag:
    """The derivative of an index form: the product rule over its factors, each by its own chain."""
    inner = fresh(wrt.shape_)
    terms: list[Term] = []
    for t in form.bag.terms:
        for k, f in enumerate(t.factors):
            found = chain(f.expr, [wrt], fold)
            bag = found.bags[wrt]
            names = dict(zip(bag.out, f.labels + inner, strict=True))
            rest = t.factors[:k] + t.factors[k + 1 :]
            terms += (Term(t.coefficient * d.coefficient, (*rest, *rename(d.factors, names))) for d in bag.terms)
    return Bag(form.bag.out + inner, tuple(terms))


def _structured(g: Expr, e: Expr, wrt: Expr, order: int) -> Expr:
    """The gradient in the space of the symmetric, diagonal or triangular matrices, where the variable lives."""
    if not e.is_scalar or order != 1:
        return g
    if {"symmetric", "spd"}.intersection(wrt.properties) and ex.transpose(g) is not g:
        return simplify(ex.times(ex.num(1) / 2, ex.add(g, ex.transpose(g))))
    if "diagonal" in wrt.properties:
        return simplify(ex.call("diag", ex.call("diagonal", g)))
    for name, part in (("lower", "tril"), ("upper", "triu")):
        if name in wrt.properties:
            return simplify(ex.call(part, g))
    return g


# ---- conventions --------------------------------------------------------------------------------------------------------------


def in_convention(g: Expr, wrt: Expr, layout: str, symmetric: str) -> Expr:
    """A gradient in the layout and the symmetric convention that was asked for."""
    if symmetric == "elements" and ex.transpose(wrt) is wrt:
        g = simplify(ex.add(g, ex.transpose(g), ex.neg(ex.call("diag", ex.call("diagonal", g)))))
    return ex.transpose(g) if layout == "numerator" else g


def out_of_convention(g: Expr, wrt: Expr, layout: str, symmetric: str) -> Expr:
    """The gradient that a derivative in some layout and convention stands for."""
    g = ex.transpose(g) if layout == "numerator" else g
    if symmetric == "elements" and ex.transpose(wrt) is wrt:
        return ex.times(ex.num(1) / 2, ex.add(g, ex.call("diag", ex.call("diagonal", g))))
    return g


def kronecker_shape(e: Expr, wrt: Expr) -> Shape:
    """The shape of ∂vec(F)/∂vec(X)'."""
    return e.shape_[1] + e.shape_[0], wrt.shape_[1] + wrt.shape_[0]
