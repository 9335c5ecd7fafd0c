"""What has more than two axes: an expression or a derivative in index form and, of a matrix by a matrix, the Kronecker form.

An index form is a bag that is shown as it is: ``A[i,k]*B[l,j]``, with the axes of the expression first (i, j), those of the
variable after (k, l), and every other letter summed. The Kronecker form is the matrix ∂vec(F)/∂vec(X)' for the
column-major vec, with the commutation matrix ``K(m,n)``, for which K(m,n)*vec(X) = vec(X') for X m×n.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from math import prod
from typing import TYPE_CHECKING

from . import expr as ex
from . import extend
from .arrange import reduced
from .budget import spend, within_limits
from .errors import LimitProblem, NoMatrixForm
from .expr import Expr
from .labels import Bag, Factor, Label, Labels, Term, is_one, is_wire, joined_to, wire
from .options import strict
from .simplify import simplify
from .sizes import UNIT, Atom, Shape, Size, length, public_size, shape_of, show

if TYPE_CHECKING:
    from .codegen import Compiled

Sizes = tuple[Size, ...]  # of the axes of an expression or a variable; those of a matrix are two, of length one or not
LETTERS = "ijklpqrstuvabcdefghmnowxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@strict
@dataclass(frozen=True, repr=False)
class IndexForm:
    """An expression or a derivative with any number of axes, as a sum of labelled bags."""

    bag: Bag
    shapes: tuple[Sizes, ...]  # of the expression, then of the variable for each order

    @property
    def axes(self) -> tuple[Size, ...]:
        """The sizes of the axes, those of length one left out."""
        return tuple(size for shape in self.shapes for size in shape if size)

    @property
    def shape(self) -> tuple[str | int, ...]:
        """The lengths of the axes, names or integers."""
        return tuple(map(public_size, self.axes))

    @property
    def is_scalar(self) -> bool:
        """Whether it is a number: all of its labels are summed."""
        return not self.bag.out

    @cached_property
    def factors(self) -> tuple[Expr, ...]:
        """The expressions that the terms are made of."""
        return tuple(dict.fromkeys(f.expr for t in self.bag.terms for f in t.factors))

    def with_factors(self, change: Callable[[Expr], Expr]) -> IndexForm:
        """The same form with every factor changed."""
        terms = (Term(t.coefficient, tuple(Factor(change(f.expr), f.labels) for f in t.factors)) for t in self.bag.terms)
        return IndexForm(Bag(self.bag.out, tuple(terms)), self.shapes)

    @property
    def count(self) -> int:
        """Nodes, with one for each subscript list."""
        return sum(sum(f.expr.count + 1 for f in t.factors) + len(t.factors) for t in self.bag.terms)

    @within_limits("printing")
    def __str__(self) -> str:
        from .printing.indices import index_text

        return index_text(self)

    def __repr__(self) -> str:
        return f"<{self} : {shape_text(self)}>"

    @within_limits("printing")
    def latex(self) -> str:
        """The index form in LaTeX."""
        from .printing.indices import index_latex

        return index_latex(self)

    def compile(self, target: str = "numpy", reuse: bool = False) -> Compiled:
        """A function of the variables, by keyword, that returns the array with all axes; with ``reuse`` always the same array."""
        from .codegen import compile_expr

        return compile_expr(self, target, reuse=reuse)

    @cached_property
    def alphabet(self) -> list[str]:
        """The letters that name nothing in a factor: no place, such as the j of X[:,j], no variable, no size that is written."""
        taken = ex.written_names(self.written_nodes)
        return [letter for letter in LETTERS if letter not in taken]

    @property
    def written_nodes(self) -> list[Expr]:
        """The nodes that stand in the text: the identity and ones stand there without their sizes."""
        return ex.postorder(*(f.expr for t in self.bag.terms for f in t.factors if not (is_wire(f) or is_one(f))))

    def letters(self, t: Term, taken: Collection[str] = ()) -> dict[Label, str]:
        """A letter for each label of a term, none that is ``taken``: outputs first, the same in every term."""
        labels = dict.fromkeys((*self.bag.out, *(i for f in t.factors for i in f.labels)))
        alphabet = [letter for letter in self.alphabet if letter not in taken]
        if len(labels) > len(alphabet):
            raise LimitProblem(f"an index form with {len(labels)} indices", f"the limit is {len(alphabet)}")
        return dict(zip(labels, alphabet, strict=False))

    def kronecker(self) -> Expr:
        """The matrix ∂vec(F)/∂vec(X)' of a first derivative; raises NoMatrixForm where Kronecker products do not reach."""
        shapes = [shape for shape in self.shapes if any(shape)]
        if [len(shape) for shape in shapes] != [2, 2] or any(len(size) > 1 for size in self.axes):
            raise NoMatrixForm("a Kronecker form is for the derivative of one matrix by another")
        left = iter(self.bag.out)
        a, b, i, j = (next(left) if size else None for shape in shapes for size in shape)
        rows, cols = (shape[1] + shape[0] for shape in shapes)
        terms = (_kronecker_term(t, a, b, i, j) for t in self.bag.terms)
        return simplify(ex.add(*terms)) if self.bag.terms else ex.zeros((rows, cols))


def index_form(bag: Bag, shapes: tuple[Sizes, ...], settle: Callable[[Expr], Expr] = simplify) -> IndexForm:
    """The index form of a bag, its terms reduced, simplified and collected."""
    total: dict[tuple[object, ...], tuple[Fraction, tuple[Factor, ...]]] = {}
    for t in _polished_terms(bag, settle):
        spend(terms=1)
        t = _multiplied_vectors(Term(t.coefficient, _rewired(t.factors, bag.out)), settle)
        factors = _ordered(_mirrored(t.factors, bag.out), bag.out)
        key = _key(factors, bag.out)
        total[key] = (total.get(key, (Fraction(0), ()))[0] + t.coefficient, factors)
    terms = [Term(k, factors) for k, factors in total.values() if k]
    return IndexForm(Bag(bag.out, tuple(_added_on_diagonals(terms, bag.out, settle))), shapes)


def _multiplied_vectors(t: Term, settle: Callable[[Expr], Expr]) -> Term:
    """Vectors on one axis as one, since identities may have brought them together."""
    on: dict[Labels, list[Factor]] = {}
    for f in t.factors:
        if len(f.labels) == 1 and not is_one(f):
            on.setdefault(f.labels, []).append(f)
    coefficient, factors = t.coefficient, [f for f in t.factors if len(on.get(f.labels, ())) < 2]
    for labels, vectors in on.items():
        if len(vectors) > 1:
            k, product = ex.split(settle(ex.times(*(f.expr for f in vectors))))
            coefficient *= k
            factors.append(Factor(product, labels))
    return Term(coefficient, tuple(factors))


def _added_on_diagonals(terms: Iterable[Term], out: Labels, settle: Callable[[Expr], Expr]) -> list[Term]:
    """Vectors beside the same identities added up: a[i]*I[i,j]*I[i,k] + b[i]*I[i,j]*I[i,k] is (a + b)[i]*I[i,j]*I[i,k]."""
    sums: dict[tuple[object, ...], list[Term]] = {}
    for t in terms:
        sums.setdefault(_diagonal_key(t, out) or (t,), []).append(t)
    return [group[0] if len(group) == 1 else _sum_of(group, settle) for group in sums.values()]


def _diagonal_key(t: Term, out: Labels) -> tuple[object, ...] | None:
    """What terms have in common that can be added: their outputs joined in the same way; None for other terms."""
    vectors = [f for f in t.factors if len(f.labels) == 1]
    wires = tuple(f.labels for f in t.factors if is_wire(f))
    if not wires or len(vectors) != 1 or 1 + len(wires) != len(out) or any(len(f.labels) > 1 and not is_wire(f) for f in t.factors):
        return None
    return (vectors[0].labels, wires) if all(f.labels[0] is vectors[0].labels[0] for f in t.factors if f.labels) else None


def _sum_of(terms: Iterable[Term], settle: Callable[[Expr], Expr]) -> Term:
    """Terms with a vector each beside the same identities as one."""
    parts: list[Expr] = []
    for t in terms:
        parts.append(ex.times(ex.num(t.coefficient), *(f.expr for f in t.factors if not is_wire(f))))
        labelled = tuple(f for f in t.factors if f.labels)
    vector, *wires = labelled
    coefficient, total = ex.split(settle(ex.add(*parts)))
    return Term(coefficient, (Factor(total, vector.labels), *wires))


def _polished_terms(bag: Bag, settle: Callable[[Expr], Expr]) -> Iterator[Term]:
    """The terms reduced, with simple factors; again where a factor has become an identity between summed labels."""
    for t in reduced(bag).terms:
        polished = _polished(t, settle)
        joins = any(is_wire(f) and not set(f.labels) <= set(bag.out) for f in polished.factors)
        yield from _polished_terms(Bag(bag.out, (polished,)), settle) if joins else (polished,)


def _polished(t: Term, settle: Callable[[Expr], Expr]) -> Term:
    """Simplify each factor, and the scalars together."""
    coefficient, scalar = ex.split(settle(ex.times(*(f.expr for f in t.factors if not f.labels))))
    factors: list[Factor] = [] if scalar is ex.ONE else [Factor(scalar, ())]
    coefficient *= t.coefficient
    for f in t.factors:
        if f.labels:
            k, core = ex.split(settle(f.expr))
            coefficient *= k
            if core.head == "diag" and len(f.labels) == 2:
                factors += (Factor(core.args[0], f.labels[:1]), wire(*f.labels))
                continue
            factors.append(Factor(core.args[0], f.labels[::-1]) if core.head == "T" and len(f.labels) == 2 else Factor(core, f.labels))
    return Term(coefficient, tuple(factors))


def _rewired(factors: tuple[Factor, ...], out: Labels) -> tuple[Factor, ...]:
    """Identities between outputs all start at the first output that they join, and the other factors use that one."""
    first: dict[Label, Label] = {}
    root = partial(joined_to, first)
    for f in factors:
        if is_wire(f):
            a, b = sorted(map(root, f.labels), key=out.index)
            if a is not b:
                first[b] = a
    wires = [wire(root(i), i) for i in out if root(i) is not i]
    return (*(Factor(f.expr, tuple(map(root, f.labels))) for f in factors if not is_wire(f)), *wires)


def _mirrored(factors: tuple[Factor, ...], out: Labels) -> tuple[Factor, ...]:
    """Symmetric factors with the earlier output first, so that like terms look alike."""
    place = {i: k for k, i in enumerate(out)}

    def turned(f: Factor) -> Factor:
        before, *after = [place.get(i, len(out)) for i in f.labels]
        return Factor(f.expr, f.labels[::-1]) if after and after[0] < before else f

    return tuple(turned(f) if _is_symmetric(f) else f for f in factors)


def _is_symmetric(f: Factor) -> bool:
    return len(f.labels) == 2 and not is_wire(f) and ex.transpose(f.expr) is f.expr


def _ordered(factors: tuple[Factor, ...], out: Labels) -> tuple[Factor, ...]:
    """Scalars first, identities last; equal expressions in the order of their outputs."""
    place = {i: k for k, i in enumerate(out)}

    def key(f: Factor) -> tuple[object, ...]:
        return bool(f.labels), is_wire(f), () if is_wire(f) else f.expr.order, [place.get(i, len(out)) for i in f.labels]

    return tuple(sorted(factors, key=key))


def _key(factors: tuple[Factor, ...], out: Labels) -> tuple[object, ...]:
    """Equal for terms that differ only in the names of their summed labels."""
    number: dict[Label, int] = {i: k for k, i in enumerate(out)}
    return tuple((f.expr, tuple(number.setdefault(i, len(number)) for i in f.labels)) for f in factors)


Root = Expr | IndexForm  # what a derivative is, and what is evaluated


def shape_as_matrix(root: Root) -> Shape | None:
    """The shape with two axes, or None for what has more, as an array has."""
    if isinstance(root, Expr):
        return None if ex.is_array(root) else root.shape_
    return shape_of(root.axes) if len(root.axes) <= 2 else None


def sizes_of_axes(root: Root) -> Sizes:
    """The sizes of the axes: two of a matrix, as many as there are of what has more."""
    return shape_as_matrix(root) or (root.axes if isinstance(root, IndexForm) else ex.own_axes(root))


def shape_text(root: Root) -> str:
    """The shape as a reader writes it: ``m×n``, ``n``, ``m×n×p``."""
    return ex.shape_text(root) if isinstance(root, Expr) else "×".join(map(show, root.axes)) or "scalar"


def parts(*roots: Root) -> tuple[Expr, ...]:
    """The expressions that are evaluated: an index form's factors, or the expression itself."""
    return tuple(part for root in roots for part in ((root,) if isinstance(root, Expr) else root.factors))


def form_sizes(*roots: Root) -> list[Size]:
    """The sizes of the axes of index forms, which no factor need have."""
    return [size for root in roots if isinstance(root, IndexForm) for size in root.axes]


def replaced(root: Root, leaf: Callable[[Expr], Expr]) -> Root:
    """The expression or index form with its leaves replaced."""
    return ex.substitute(root, leaf) if isinstance(root, Expr) else root.with_factors(lambda f: ex.substitute(f, leaf))


def entries_of(root: Root, lengths: Mapping[Atom, int]) -> int:
    """How many entries the array of an index form has."""
    return prod(length(size, lengths) for size in form_sizes(root))


def written_out(root: Root) -> Root:
    """The expression or index form with every function that a user added replaced by its meaning."""
    return extend.written_out(root) if isinstance(root, Expr) else root.with_factors(extend.written_out)


# ---- Kronecker form -------------------------------------------------------------------------------------------------------


End = Label | None  # None is an axis of length one


def _kronecker_term(t: Term, a: End, b: End, i: End, j: End) -> Expr:
    """One term of ∂F[a,b]/∂X[i,j] as a matrix with rows (b,a) and columns (j,i)."""
    scalars = [f.expr for f in t.factors if not f.labels]
    edges = [f for f in t.factors if f.labels and not is_one(f)]
    if any(len(f.labels) > 2 or set(f.labels) - {a, b, i, j} for f in edges):
        raise NoMatrixForm("the factors hang together in a way that Kronecker products cannot write")
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
    """Factors from the axes of F to the axes of X: kron, with the commutation matrix where they cross."""
    if all(set(f.labels) <= {a, i} or set(f.labels) <= {b, j} for f in edges):
        return ex.call("kron", _between(edges, b, j), _between(edges, a, i))
    if all(set(f.labels) <= {a, j} or set(f.labels) <= {b, i} for f in edges):
        swap = ex.commutation(_size(i), _size(j)) if i is not None and j is not None else None
        crossed = ex.call("kron", _between(edges, b, i), _between(edges, a, j))
        return crossed if swap is None else ex.matmul(crossed, swap)
    raise NoMatrixForm("the factors hang together in a way that Kronecker products cannot write")


def _between(edges: list[Factor], row: End, col: End) -> Expr:
    """The matrix that the factors on two labels make."""
    matrices = [_oriented(f, row) for f in edges if set(f.labels) == {row, col}]
    left = ex.times(*(f.expr for f in edges if f.labels == (row,)), ex.ones((_size(row), UNIT)))
    right = ex.times(*(f.expr for f in edges if f.labels == (col,)), ex.ones((_size(col), UNIT)))
    if not matrices:
        return ex.product(left, ex.transpose(right))
    scales = [[] if v.head == "ones" else [ex.call("diag", v)] for v in (left, right)]
    return ex.matmul(*scales[0], ex.times(*matrices), *scales[1])


# ---- evaluation -------------------------------------------------------------------------------------------------------------


def subscripts(form: IndexForm, t: Term) -> str:
    """The einsum text of a term: factors with axes, then the outputs."""
    letters = form.letters(t)
    inputs = ",".join("".join(letters[i] for i in f.labels) for f in t.factors if f.labels)
    return f"{inputs}->{''.join(letters[i] for i in form.bag.out)}"

