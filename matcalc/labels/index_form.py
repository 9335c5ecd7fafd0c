"""Index forms, of any number of axes, and, of a matrix by a matrix, the Kronecker form.

An index form is a bag that is shown as it is: ``A[i,k]*B[l,j]``, with the axes of the expression
first (i, j), those of the variable after (k, l), and every other letter summed. The Kronecker form
is the matrix ∂vec(F)/∂vec(X)' for the column-major vec, with the commutation matrix ``K(m,n)``, for
which K(m,n)*vec(X) = vec(X') for X m×n.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property

from .. import expr as ex
from ..budget import within_limits
from ..errors import LimitProblem
from ..expr import Expr
from ..expr.sizes import Size, public_size, show_axes
from ..faces import CompiledFunction, face
from ..options import strict
from .bag import Bag, Factor, Label, Labels, Term, is_one, is_wire

# of the axes of an expression or a variable; those of a matrix are two, of length one or not
Sizes = tuple[Size, ...]
LETTERS = "ijklpqrstuvabcdefghmnowxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@strict
@dataclass(frozen=True, repr=False)
class IndexForm:
    """An expression or a derivative with any number of axes, as a sum of labelled bags.

    ``bag`` holds the terms; ``shapes`` are those of the expression, then of the variable, once for
    each order. Its text names the axes i, j, k, l, …; every other index is summed over its term.

    >>> import matcalc as mc
    >>> form = mc.derive("A*X*B", "X").result
    >>> print(form, form.shape)
    A[i,k]*B[l,j] ('m', 'p', 'n', 'q')
    """

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
        """Tell if it is a number: all of its labels are summed."""
        return not self.bag.out

    @cached_property
    def factors(self) -> tuple[Expr, ...]:
        """The expressions that the terms are made of."""
        return tuple(dict.fromkeys(f.expr for t in self.bag.terms for f in t.factors))

    def with_factors(self, change: Callable[[Expr], Expr]) -> IndexForm:
        """The same form with every factor changed."""
        terms = (
            Term(t.coefficient, tuple(Factor(change(f.expr), f.labels) for f in t.factors))
            for t in self.bag.terms
        )
        return IndexForm(Bag(self.bag.out, tuple(terms)), self.shapes)

    @property
    def count(self) -> int:
        """Nodes, with one for each subscript list."""
        factors = [f for t in self.bag.terms for f in t.factors]
        return sum(f.expr.count + 2 for f in factors)

    @within_limits("printing")
    def __str__(self) -> str:
        shown: str = face("text")(self)
        return shown

    def __repr__(self) -> str:
        return f"<{self} : {show_axes(self.axes)}>"

    def latex(self) -> str:
        """The index form in LaTeX, without dollar signs; raises LimitProblem for a large one."""
        return self.to("latex")

    @within_limits("printing")
    def to(self, format: str) -> str:
        """The index form in a format: ``text``, ``latex``, ``typst`` or ``mathml``.

        Raises OptionProblem for any other format, LimitProblem for a large one.
        """
        written: str = face("shown")(self, format)
        return written

    def compile(self, target: str = "numpy", reuse: bool = False) -> CompiledFunction:
        """A function of the variables, by keyword, that returns the array with all axes.

        With ``reuse`` it is always the same array. What is raised is as for :meth:`Expr.compile`.
        """
        function: CompiledFunction = face("compile")(self, target, reuse=reuse)
        return function

    @cached_property
    def alphabet(self) -> list[str]:
        """The letters that name nothing in a factor: no index, no variable, no written size."""
        taken = ex.written_names(self.written_nodes)
        return [letter for letter in LETTERS if letter not in taken]

    @property
    def written_nodes(self) -> list[Expr]:
        """The nodes that stand in the text, where the identity and ones have no sizes."""
        factors = [f for t in self.bag.terms for f in t.factors]
        return ex.postorder(*(f.expr for f in factors if not (is_wire(f) or is_one(f))))

    def letters(self, t: Term, taken: Collection[str] = ()) -> dict[Label, str]:
        """A letter for each label of a term, none that is ``taken``.

        The outputs come first; they have the same letters in every term. Raises LimitProblem for
        more labels than letters.
        """
        of_factors = (i for f in t.factors for i in f.labels)
        labels = dict.fromkeys((*self.bag.out, *of_factors))
        alphabet = [letter for letter in self.alphabet if letter not in taken]
        if len(labels) > len(alphabet):
            raise LimitProblem(
                f"an index form with {len(labels)} indices", f"the limit is {len(alphabet)}"
            )
        return dict(zip(labels, alphabet, strict=False))

    def kronecker(self) -> Expr:
        """The matrix ∂vec(F)/∂vec(X)' of a first derivative.

        Raises NoMatrixForm where Kronecker products do not reach.
        """
        matrix: Expr = face("kronecker")(self)
        return matrix


# ---- evaluation ----------------------------------------------------------------------------------


def subscripts(form: IndexForm, t: Term) -> str:
    """The einsum text of a term: factors with axes, then the outputs."""
    letters = form.letters(t)

    def spelled(labels: Labels) -> str:
        return "".join(letters[i] for i in labels)

    inputs = [spelled(f.labels) for f in t.factors if f.labels]
    return f"{','.join(inputs)}->{spelled(form.bag.out)}"
