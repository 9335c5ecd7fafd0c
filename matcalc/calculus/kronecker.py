"""The Kronecker form of a matrix by a matrix: ∂vec(F)/∂vec(X)', with the commutation matrix
K(m,n).
"""

from __future__ import annotations

from .. import expr as ex
from ..errors import NoMatrixForm
from ..expr import Expr
from ..expr.sizes import UNIT, Size
from ..labels.bag import Factor, Label, Term, is_one
from ..labels.index_form import IndexForm
from .simplify import simplify

End = Label | None  # None is an axis of length one


def kronecker(form: IndexForm) -> Expr:
    """The matrix ∂vec(F)/∂vec(X)' of a first derivative.

    Raises NoMatrixForm where Kronecker products do not reach.
    """
    shapes = [shape for shape in form.shapes if any(shape)]
    if [len(shape) for shape in shapes] != [2, 2] or any(len(size) > 1 for size in form.axes):
        raise NoMatrixForm("a Kronecker form is for the derivative of one matrix by another")
    left = iter(form.bag.out)
    a, b, i, j = (next(left) if size else None for shape in shapes for size in shape)
    rows, cols = (shape[1] + shape[0] for shape in shapes)
    terms = (_kronecker_term(t, a, b, i, j) for t in form.bag.terms)
    return simplify(ex.add(*terms)) if form.bag.terms else ex.zeros((rows, cols))


def _kronecker_term(t: Term, a: End, b: End, i: End, j: End) -> Expr:
    """One term of ∂F[a,b]/∂X[i,j] as a matrix with rows (b,a) and columns (j,i)."""
    scalars = [f.expr for f in t.factors if not f.labels]
    edges = [f for f in t.factors if f.labels and not is_one(f)]
    if any(len(f.labels) > 2 or set(f.labels) - {a, b, i, j} for f in edges):
        raise NoMatrixForm(
            "the factors share their axes in a way that Kronecker products cannot write"
        )
    left, edges = _taken(edges, a, b)
    right, edges = _taken(edges, i, j)
    if left is not None and right is not None and not edges:
        body = ex.matmul(_vec(left), ex.transpose(_vec(right)))
    else:
        body = ex.matmul(*_scaling(left), _crossed(edges, a, b, i, j), *_scaling(right))
    return ex.times(ex.num(t.coefficient), *scalars, body)


def _vec(m: Expr) -> Expr:
    return ex.call("vec", m)


def _scaling(m: Expr | None) -> list[Expr]:
    return [] if m is None else [ex.call("diag", _vec(m))]


def _taken(edges: list[Factor], row: End, col: End) -> tuple[Expr | None, list[Factor]]:
    """The product of the factors that lie on both labels, or None, and the other factors."""
    here = [f for f in edges if set(f.labels) == {row, col}]
    rest = [f for f in edges if f not in here]
    return (ex.times(*(_oriented(f, row) for f in here)), rest) if here else (None, rest)


def _oriented(f: Factor, row: End) -> Expr:
    return f.expr if f.labels[0] is row else ex.transpose(f.expr)


def _size(end: End) -> Size:
    return () if end is None else (end.size,)


def _crossed(edges: list[Factor], a: End, b: End, i: End, j: End) -> Expr:
    """Factors from the axes of F to the axes of X: kron, with the commutation matrix where they
    cross.
    """
    if all(set(f.labels) <= {a, i} or set(f.labels) <= {b, j} for f in edges):
        return ex.call("kron", _between(edges, b, j), _between(edges, a, i))
    if all(set(f.labels) <= {a, j} or set(f.labels) <= {b, i} for f in edges):
        swap = ex.commutation(_size(i), _size(j)) if i is not None and j is not None else None
        crossed = ex.call("kron", _between(edges, b, i), _between(edges, a, j))
        return crossed if swap is None else ex.matmul(crossed, swap)
    raise NoMatrixForm("the factors share their axes in a way that Kronecker products cannot write")


def _between(edges: list[Factor], row: End, col: End) -> Expr:
    """The matrix that the factors on two labels make."""
    matrices = [_oriented(f, row) for f in edges if set(f.labels) == {row, col}]
    left = ex.times(*(f.expr for f in edges if f.labels == (row,)), ex.ones((_size(row), UNIT)))
    right = ex.times(*(f.expr for f in edges if f.labels == (col,)), ex.ones((_size(col), UNIT)))
    if not matrices:
        return ex.product(left, ex.transpose(right))
    scales = [[] if v.head == "ones" else [ex.call("diag", v)] for v in (left, right)]
    return ex.matmul(*scales[0], ex.times(*matrices), *scales[1])
