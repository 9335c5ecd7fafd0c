"""Layouts and conventions of gradients, and the shape of the Kronecker form."""

from __future__ import annotations

from fractions import Fraction

from .. import expr as ex
from ..errors import NoMatrixForm
from ..expr import Expr
from ..expr.sizes import Shape
from ..labels.bag import Bag, Term, wire
from ..labels.index_form import IndexForm
from ..labels.roots import Root
from ..tables.properties import BY_NAME
from .derivative import axes_of, diagonal_of, structure
from .index import index_form
from .simplify import simplify


def turned(root: Root) -> Root:
    """The transpose of a gradient; raises NoMatrixForm for one by an array."""
    if isinstance(root, Expr):
        return ex.transpose(root)
    *before, shape = root.shapes
    if len(shape) > 2:
        raise NoMatrixForm(
            f"the gradient is an index form of {len(shape)} axes",
            "the numerator layout is for matrices",
        )
    cut = len(shape[0])
    out = (*root.bag.out[cut:], *root.bag.out[:cut])
    return IndexForm(Bag(out, root.bag.terms), (*before, shape[::-1]))


def weighted(root: Root, wrt: Expr, times: int, weight: Fraction) -> Root:
    """A derivative of some order by a symmetric variable, its entries off the diagonal weighted.

    With the weight 2 it is the derivative by S[i,j] and S[j,i] moved together; 1/2 takes that back.
    """
    space = structure(wrt)
    if not times or not space or not BY_NAME[space].twice:
        return root
    if isinstance(root, Expr):
        coefficient, core = ex.split(root)
        rest = ex.times(ex.num((1 - weight) * coefficient), diagonal_of(core))
        return simplify(ex.add(ex.times(ex.num(weight), root), rest))
    bag = root.bag
    for k in range(times):
        diagonal = tuple(map(wire, *axes_of(bag.out, wrt, k)))
        off = [Term(t.coefficient * weight, t.factors) for t in bag.terms]
        on = [Term(t.coefficient * (1 - weight), (*t.factors, *diagonal)) for t in bag.terms]
        bag = Bag(bag.out, (*off, *on))
    return index_form(bag, root.shapes)


def kronecker_shape(e: Expr, wrt: Expr) -> Shape:
    """The shape of ∂vec(F)/∂vec(X)'."""
    return e.shape_[1] + e.shape_[0], wrt.shape_[1] + wrt.shape_[0]
