"""A derivative that somebody claims: read in the axes of the answer, checked, and if it is
wrong, what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from .. import expr as ex
from ..budget import Limits, as_limits, limited
from ..calculus.arrange import arrange
from ..calculus.conventions import kronecker_shape, turned, weighted
from ..calculus.derivative import (
    derivative,
    derivative_shape,
    moved_to,
    off_its_set,
    structure,
    structured,
)
from ..calculus.index import index_form
from ..calculus.simplify import simplify
from ..errors import LimitProblem, MatcalcError, NoMatrixForm, ShapeProblem
from ..expr import Expr
from ..expr.sizes import Atom, Shape, Size, show, show_shape
from ..labels.bag import Bag, Factor, Label, Term, one
from ..labels.index_form import IndexForm
from ..labels.reader import index_form_of, index_names_in
from ..labels.roots import Root, shape_as_matrix, sizes_of_axes
from ..language.program import Program
from ..options import strict
from ..printing.text import number, text
from .checking import verified
from .derivation import Derivation
from .derive import derive
from .inputs import Shapes, as_program, claimed, in_names_of, named_indices, size_names, variable_of
from .options import LAYOUTS, SYMMETRIC, Options, checked_options, direction_of

if TYPE_CHECKING:
    from ..proof.verify import Verification

TRANSPOSED = "the transpose: numerator layout"
KRONECKER = "the Kronecker form ∂vec(F)/∂vec(X)'"
ONE_SIDE = "it agrees at points, which lie on some sides of the kinks and branches alone"
REPEATED = "a number in every entry"
MULTIPLES = tuple(map(Fraction, ("2", "1/2", "-2", "-1/2", "3", "1/3", "4", "1/4")))
PATIENCE = 1.0  # seconds for finding out what is wrong with a candidate


@strict
def check(
    expr: Any,
    wrt: str | Expr,
    candidate: Any,
    shapes: Shapes = None,
    *,
    order: int = 1,
    layout: str | None = None,
    along: str | None = None,
    symmetric: str = SYMMETRIC[0],
    limit: float | Limits | None = None,
) -> Verification:
    """Decide if a claimed derivative is right; if not, say where and by how much it is off.

    Arguments:

    * ``expr``, ``wrt``, ``shapes``, ``order``, ``along``, ``symmetric`` and ``limit``: as those of
      :func:`derive`.
    * ``candidate``: a text, an Expr or an IndexForm in the names of ``expr``. It has the shape of
      the derivative, or is the Kronecker form ∂vec(F)/∂vec(X)' of a matrix by a matrix, or an index
      form with the indices that matcalc prints, as ``A[i,k]*B[l,j]``; a number stands for an array
      of it. The ``note`` of the answer says what it was taken for.
    * ``layout``: ``"denominator"`` or ``"numerator"``; without it the gradient of a scalar may be
      transposed.

    Raises ShapeProblem for any other shape, NameProblem for a name that ``expr`` does not have,
    SyntaxProblem for a text that cannot be read, OptionProblem for a choice that there is not,
    LimitProblem past the limit, and TypeError for an option that there is not.

    >>> check("norm2(X*w - y)^2", "w", "2*X'*(X*w - y)").ok
    True
    >>> check("norm2(X*w - y)^2", "w", "X'*(X*w - y)").ok
    False
    >>> check("A*X*B", "X", "A[i,k]*B[l,j]").ok
    True
    """
    options: Options = {"order": order, "along": along, "symmetric": symmetric, "limit": limit}
    found = examined(expr, wrt, candidate, shapes, layout, options)
    return found.verification


def examined(
    expr: Any, wrt: str | Expr, candidate: Any, shapes: Shapes, layout: str | None, options: Options
) -> Examined:
    """The first reading of a candidate that is right, or else the first of all."""
    checked_options(options if layout is None else {**options, "layout": layout})
    wrong: Examined | None = None
    with limited(as_limits(options.get("limit")), "checking"):
        question = _Question.of(as_program(expr, shapes, wrt), wrt, layout, options)
        for claim in question.claims(candidate):
            found = Examined(question, claim, question.verdict(claim.root))
            if found.verification.ok:
                return found
            wrong = wrong or found
    assert wrong is not None
    return wrong


@dataclass(frozen=True)
class Claim:
    """A candidate with the axes of the answer, and what it was taken for, if that is not what it
    says.
    """

    root: Root
    reading: str = ""


@dataclass(frozen=True)
class _Question:
    """The derivative that a candidate claims to be: of ``base``, which is the derivative of one
    order less.
    """

    derivation: Derivation  # its result is yet to be claimed
    layout: str | None

    @classmethod
    def of(
        cls, program: Program[Root], wrt: str | Expr, layout: str | None, options: Options
    ) -> _Question:
        target, order, along = (
            variable_of(program, wrt),
            options.get("order", 1),
            options.get("along"),
        )
        direction = None if along is None else direction_of(program, target, along)
        lower: tuple[Root, ...] = ()
        if order > 1:
            free = off_its_set(target)
            below = derivative(moved_to(program.expr, target, free), free, order - 1)
            lower = (*below.lower, below.result)
        symmetric = options.get("symmetric", SYMMETRIC[0])
        limits = as_limits(options.get("limit"))
        pending = Derivation(
            program,
            target,
            order,
            ex.ONE,
            (),
            along=direction,
            symmetric=symmetric,
            lower=lower,
            limits=limits,
        )
        return cls(pending, layout)

    @property
    def base(self) -> Root:
        d = self.derivation
        return moved_to(d.lower[-1], d.moving_variable, d.wrt) if d.lower else d.expr

    @cached_property
    def ours(self) -> Root:
        """The answer of matcalc itself."""
        d = self.derivation
        return derivative(d.expr, d.wrt, d.order, d.along).result

    @cached_property
    def shape(self) -> Shape | None:
        """The shape of the answer, if it has at most two axes."""
        if self.derivation.along is not None:
            return shape_as_matrix(self.base)
        return derivative_shape(self.base, self.derivation.wrt)

    @cached_property
    def axes(self) -> tuple[tuple[Size, ...], ...]:
        """The sizes of the axes of the expression, then of the variable for each order."""
        d = self.derivation
        times = d.order - (d.along is not None)
        return (sizes_of_axes(d.expr), *[sizes_of_axes(d.wrt)] * times)

    @property
    def kronecker(self) -> Shape | None:
        """The shape of ∂vec(F)/∂vec(X)', for a matrix by a matrix."""
        d = self.derivation
        matrices = shape_as_matrix(self.base) is not None and not ex.is_array(d.wrt)
        if (
            self.shape is not None
            or d.along is not None
            or not matrices
            or not isinstance(self.base, Expr)
        ):
            return None
        return kronecker_shape(self.base, d.wrt)

    @property
    def turns(self) -> bool:
        """Tell if the answer is the gradient of a scalar, which layouts transpose."""
        return self.derivation.kind == "gradient"

    def verdict(self, claim: Root) -> Verification:
        """Compare a claim with the expression and, where it has kinks, with the slopes on both
        sides of them.
        """
        found = verified(replace(self.derivation, result=claim))
        if found.numeric and (problem := self.beyond_the_slopes(claim)):
            return replace(found, ok=False, numeric=False, worst=problem)
        if found.numeric and found.exact is not True:
            return self.on_every_side(claim, found)
        return found

    def beyond_the_slopes(self, claim: Root) -> str:
        """The fault of a gradient at kinks, empty if there is none."""
        from ..proof.numeric import has_kinks
        from ..proof.sides import beyond_the_slopes

        d = self.derivation
        if d.kind != "gradient" or d.symmetric != SYMMETRIC[0] or not has_kinks(d.expr):
            return ""
        return beyond_the_slopes(d.expr, d.wrt, claim, self.ours)

    def on_every_side(self, claim: Root, found: Verification) -> Verification:
        """Of a claim that agrees at points alone: whether it also does on sides of kinks and
        branches where no point lies.
        """
        from ..proof.exact import check
        from ..proof.sides import agrees_on_every_side, has_sides
        from ..proof.verify import IDENTITY

        d = self.derivation
        if d.symmetric != SYMMETRIC[0] or not has_sides(d.expr, claim):
            return found
        same = agrees_on_every_side(d.expr, d.wrt, claim, self.ours, d.along)
        if found.exact is None:
            return (
                found
                if same
                else replace(
                    found, ok=False, numeric=None, note=f"{found.note}; {ONE_SIDE}".strip("; ")
                )
            )
        if same and check(self.base, d.wrt, self.ours, along=d.along).equal is True:
            return replace(found, ok=True, exact=None, note=IDENTITY)
        return found

    # ---- reading ---------------------------------------------------------------------------------

    def claims(self, candidate: Any) -> Iterator[Claim]:
        """The readings of a candidate; raises the problem of the first if there are none."""
        program, more = self.derivation.program, self.more
        if isinstance(candidate, IndexForm):
            yield self.of_form(claimed(program, candidate, more))
        elif isinstance(candidate, str):
            yield from self.of_text(candidate)
        else:
            yield self.of_matrix(claimed(program, ex.as_expr(candidate), more))

    @property
    def more(self) -> tuple[Expr, ...]:
        return () if self.derivation.along is None else (self.derivation.along,)

    def of_text(self, candidate: str) -> Iterator[Claim]:
        """A text in matrix notation, or as an index form.

        A name in brackets may be a place, a size or an index.
        """
        program, names = self.derivation.program, index_names_in(candidate)
        places = named_indices(program)
        known = places | size_names(program)
        readings: list[Callable[[], Claim]] = []
        if names <= known:
            readings.append(
                lambda: self.of_matrix(in_names_of(program, candidate, self.fitting, self.more))
            )
        if names:
            readings += (
                partial(self.of_indices, candidate, apart) for apart in (known, places, set())
            )
        problems: list[MatcalcError] = []
        for reading in readings:
            try:
                claim = reading()
            except MatcalcError as problem:
                problems.append(problem)
            else:
                yield claim
        if len(problems) == len(readings):
            raise problems[0] if names <= known else problems[-1]

    @property
    def fitting(self) -> tuple[Shape, ...]:
        """The shapes that a candidate may have."""
        if self.shape is None:
            return () if self.kronecker is None else (self.kronecker,)
        shapes = (
            {None: (self.shape, self.shape[::-1]), "numerator": (self.shape[::-1],)}
            if self.turns
            else {}
        )
        return shapes.get(self.layout, (self.shape,))

    def of_matrix(self, claim: Expr) -> Claim:
        """A candidate in matrix notation."""
        if self.shape is None and self.kronecker is None and not claim.is_scalar:
            fact = (
                f"the derivative by {self.derivation.wrt.name} is an index form, and a "
                "candidate is a matrix"
            )
            raise NoMatrixForm(fact, "give an index form, as derive(…).result is")
        if claim.shape_ in self.fitting:
            return self.of_fitting(claim)
        if not claim.is_scalar:
            raise ShapeProblem(f"the candidate is {show_shape(claim.shape_)}", self.expected())
        return Claim(
            self.repeated(claim), "" if claim.head == "num" and claim.value == 0 else REPEATED
        )

    def of_fitting(self, claim: Expr) -> Claim:
        if self.shape is None:
            return Claim(claim, KRONECKER)
        if claim.shape_ == self.shape and self.layout != "numerator":
            return Claim(claim)
        as_asked = self.layout == "numerator" or not self.turns or claim.shape_ == self.shape
        return Claim(ex.transpose(claim) if self.turns else claim, "" if as_asked else TRANSPOSED)

    def expected(self) -> str:
        """The shapes that a candidate may have, in words."""
        shown = " or ".join(dict.fromkeys(map(show_shape, self.fitting)))
        more = f", an index form or, as {KRONECKER}," if self.shape is None else ""
        return f"the derivative by {self.derivation.wrt.name} is{more} {shown}"

    def repeated(self, value: Expr) -> Root:
        """A number in every entry of the answer."""
        if self.shape is not None:
            return ex.spread(value, self.shape)
        out = tuple(map(Label, self.atoms))
        terms = (
            ()
            if value.head == "num" and value.value == 0
            else (Term(Fraction(1), (Factor(value, ()), *map(one, out))),)
        )
        return index_form(Bag(out, terms), self.axes)

    @property
    def atoms(self) -> list[Atom]:
        return [a for shape in self.axes for size in shape for a in size]

    def of_form(self, form: IndexForm) -> Claim:
        """A candidate that is an index form."""
        axes = tuple(size for shape in self.axes for size in shape if size)
        if form.axes != axes:
            given, expected = (
                "×".join(map(show, sizes)) or "scalar" for sizes in (form.axes, axes)
            )
            fact = f"the candidate is {given}"
            raise ShapeProblem(fact, f"the derivative by {self.derivation.wrt.name} is {expected}")
        return Claim(IndexForm(form.bag, self.axes))

    def of_indices(self, candidate: str, places: set[str]) -> Claim:
        """A candidate that is typed as an index form, with some names that are places and no
        indices.
        """
        program = self.derivation.program
        numerator = self.turns and self.layout == "numerator"
        out = self.atoms[::-1] if numerator else self.atoms

        def typed(part: str) -> Expr:
            return in_names_of(program, part, more=self.more)

        bag = index_form_of(candidate, out, typed, places, self.derivation.names)
        bag = Bag(bag.out[::-1], bag.terms) if numerator else bag
        if self.shape is not None:
            try:
                return Claim(simplify(arrange(bag, self.shape)))
            except NoMatrixForm:
                pass
        return Claim(index_form(bag, self.axes))


# ---- what is wrong -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Examined:
    """A candidate and the verdict on it."""

    question: _Question
    claim: Claim
    verdict: Verification

    @property
    def verification(self) -> Verification:
        """The verdict, with what the candidate was taken for."""
        if not self.claim.reading:
            return self.verdict
        note = "; ".join(filter(None, (f"taken as {self.claim.reading}", self.verdict.note)))
        return replace(self.verdict, note=note)

    @property
    def answer(self) -> str:
        """The derivative that is right, as text.

        Nothing where it cannot be derived and verified.
        """
        d = self.question.derivation
        layout = self.question.layout or LAYOUTS[0]
        along = None if d.along is None else d.along.name
        try:
            right = derive(
                d.program,
                d.wrt,
                order=d.order,
                layout=layout,
                along=along,
                symmetric=d.symmetric,
                limit=d.limits,
            )
        except MatcalcError:
            return ""
        return f"the {d.title} is {right.result}" if right.verification else ""

    @property
    def diagnosis(self) -> str:
        """The one small change that would make a wrong candidate right, if there is one.

        Each is tried by the checks themselves.
        """
        with suppress(LimitProblem), limited(Limits(seconds=PATIENCE), "the diagnosis"):
            for said, root in self.variations():
                if self.question.verdict(root).ok:
                    return said
        return ""

    def variations(self) -> Iterator[tuple[str, Root]]:
        """Faults that a candidate may have, each with the candidate without it."""
        d, root = self.question.derivation, self.claim.root
        yield "the sign is wrong", multiple(root, ex.num(-1))
        if isinstance(root, Expr) and root.shape_[0] == root.shape_[1]:
            yield f"it is the transpose of the {d.title}", turned(root)
        if self.question.turns and isinstance(root, Expr) and structured(root, d.wrt) is not root:
            said = (
                f"it is the {d.title} by a matrix without structure, and {d.wrt.name} is "
                f"{structure(d.wrt)}"
            )
            yield said, structured(root, d.wrt)
        if d.symmetric == SYMMETRIC[0]:
            moved = weighted(root, d.wrt, len(self.question.axes) - 1, Fraction(1, 2))
            if moved is not root:
                yield (
                    (
                        f"it is the derivative by {d.wrt.name}[i,j] and {d.wrt.name}[j,i] moved "
                        'together (symmetric="elements")'
                    ),
                    moved,
                )
        for k in MULTIPLES:
            yield f"it is {number(k)} times the {d.title}", multiple(root, ex.num(1 / k))
        for size in dict.fromkeys((s,) for s in sorted(size_names(d.program))):
            n = ex.size_number(size)
            yield f"it is {text(n)} times the {d.title}", multiple(root, ex.divide(ex.ONE, n))
            yield f"it is 1/{text(n)} of the {d.title}", multiple(root, n)


def multiple(root: Root, k: Expr) -> Root:
    """An answer times a number."""
    if isinstance(root, Expr):
        return ex.times(k, root)
    return IndexForm(
        Bag(
            root.bag.out,
            tuple(Term(t.coefficient, (Factor(k, ()), *t.factors)) for t in root.bag.terms),
        ),
        root.shapes,
    )
