"""The public entry: a typed expression in, its verified derivative out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .. import expr as ex
from ..budget import DEFAULT, Limits, limited
from ..calculus.derivative import AnyChain, derivative, off_its_set
from ..errors import NameProblem, NoMatrixForm, OptionProblem, flag
from ..expr import Expr
from ..expr.sizes import unused
from ..labels.roots import Root, parts, shape_text
from ..language.program import Program
from ..options import strict
from ..printing.show import notes, root_text, shown
from ..printing.where import Named, named
from .checking import verified
from .options import direction_of

if TYPE_CHECKING:
    from ..codegen import Compiled
    from ..proof.verify import Verification


ORDERS = ("", "first", "second", "third", "fourth", "fifth", "sixth")
# What to type for each derivative, of a scalar and of anything else.
_TO_TYPE = {
    ("gradient", True): "the gradient is derive(…).gradient",
    ("jacobian", True): "the first derivative of a scalar is derive(…).gradient",
    ("hessian", True): "the Hessian is derive(…, order=2).hessian",
    ("gradient", False): "the first derivative of what is no scalar is derive(…).jacobian",
    ("jacobian", False): "the Jacobian is derive(…).jacobian",
    (
        "hessian",
        False,
    ): "only a scalar has a Hessian; the second derivative is derive(…, order=2).result",
}


@strict
@dataclass(frozen=True, repr=False)
class Derivation:
    """The derivative of one expression by one variable, verified; what :func:`derive` returns.

    ``result`` is the answer, whatever was asked: an :class:`Expr`, or an :class:`IndexForm` where
    there are more than two axes or no matrix form. ``verification`` says how it was checked.
    ``expr``, ``wrt``, ``order``, ``layout``, ``along`` and ``symmetric`` say what was asked.

    ``gradient`` is the first derivative of a scalar, ``jacobian`` that of anything else,
    ``hessian`` the second derivative of a scalar.

    The axes of the answer are the expression's axes followed by the variable's: the gradient of a
    scalar has the shape of the variable, the Jacobian of a vector f by a vector x is
    J[i,j] = ∂f_i/∂x_j. With a direction (``along``) it is the derivative contracted with that
    direction, of one axis less.

    Raises NameProblem, which says what to type, from ``gradient``, ``jacobian`` and ``hessian``
    where the answer is another.

    >>> from matcalc import derive
    >>> d = derive("sin(a'*x)", "x", order=2)
    >>> print(d.hessian, d.shape, d.verification.ok)
    -sin(a'*x)*a*a' ('n', 'n') True
    """

    program: Program[Root]
    wrt: Expr
    order: int
    result: Root
    chains: tuple[AnyChain, ...] = field(repr=False)
    layout: str = "denominator"
    along: Expr | None = None
    symmetric: str = "gradient"
    verification: Verification | None = field(default=None, repr=False)
    # the derivatives of lower order that this one was derived from
    lower: tuple[Root, ...] = field(default=(), repr=False)
    # of deriving it, and again of each thing that is done with it
    limits: Limits = field(default=DEFAULT, repr=False)

    @property
    def expr(self) -> Root:
        """The expression that was differentiated."""
        return self.program.expr

    @property
    def moving_variable(self) -> Expr:
        """The variable as the chains hold it: beyond the first order it moves off the set that
        is declared of it.
        """
        return off_its_set(self.wrt) if self.order > 1 else self.wrt

    @property
    def kind(self) -> str:
        """The name of the answer: gradient, jacobian or hessian; empty for any other derivative."""
        if self.along is not None:
            return ""
        if self.order == 1:
            return "gradient" if self.expr.is_scalar else "jacobian"
        return "hessian" if self.order == 2 and self.expr.is_scalar else ""

    @property
    def gradient(self) -> Root:
        """The first derivative of a scalar; raises NameProblem for another answer."""
        return self._named("gradient")

    @property
    def jacobian(self) -> Root:
        """The first derivative of a vector or a matrix; raises NameProblem for another answer."""
        return self._named("jacobian")

    @property
    def hessian(self) -> Root:
        """The second derivative of a scalar; raises NameProblem for another answer."""
        return self._named("hessian")

    def _named(self, name: str) -> Root:
        """The answer, if it has this name."""
        if self.kind == name:
            return self.result
        hint = f"{_TO_TYPE[name, self.expr.is_scalar]}; .result is whatever was asked"
        raise NameProblem(f"the answer is the {self.title}, not the {_capital(name)}", hint)

    @property
    def title(self) -> str:
        """The answer in words: gradient, Jacobian, third derivative, first derivative along v."""
        along = "" if self.along is None else f" along {self.along}"
        return _capital(self.kind) or f"{ORDERS[self.order]} derivative{along}"

    def __repr__(self) -> str:
        shown = self.text if not isinstance(self.result, Expr) or self.result.count < 40 else "…"
        return (
            f"<∂/∂{self.wrt.name} = {shown} : "
            f"{self.shape_text}{', verified' if self.verification else ''}>"
        )

    @property
    def shape(self) -> tuple[str | int, ...]:
        """The shape of the answer: a tuple of names and numbers, empty for a scalar."""
        return self.result.shape

    @property
    def shape_text(self) -> str:
        """The shape of the answer as a reader writes it: ``m×n``, ``n``, ``m×n×p``."""
        return shape_text(self.result)

    @cached_property
    def named(self) -> Named:
        """The answer with the typed definitions, and large repeated parts, by name."""
        with limited(self.limits, "printing"):
            return named({self.wrt.name: self.result}, self.program.definitions, self.names)

    @property
    def text(self) -> str:
        """The answer in one line, without names of its own.

        It means the same where the variables are what they are here. Raises LimitProblem for a text
        beyond the limits of the derivation.
        """
        with limited(self.limits, "printing"):
            return root_text(self.result, self.names)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on names in the answer that a reader may take for something else.

        >>> from matcalc import derive
        >>> derive("pi*erf(a)", "a", "pi: scalar").notes
        ('pi is a variable here (the number is written π)',)
        """
        return (*self.program.notes, *notes(self.result, "text", self.names))

    @property
    def latex_notes(self) -> tuple[str, ...]:
        """Remarks on names that :meth:`latex` writes in another way than usual."""
        return self.notes_of("latex")

    def notes_of(self, format: str) -> tuple[str, ...]:
        """Remarks on names that :meth:`to` writes in another way than usual in a format.

        Raises OptionProblem for what is no format.
        """
        return tuple(notes(self.result, format, self.names))

    @property
    def integers(self) -> tuple[str, ...]:
        """The sizes that stand as numbers in the answer and that no variable has.

        They are to be declared where the answer is typed again.

        >>> from matcalc import derive
        >>> derive("sum(ones(k,m)*x)", "x").integers
        ('k',)
        """
        numbers = {str(e.data) for e in ex.postorder(*parts(self.result)) if e.head == "size"}
        shown = ex.names_of([*self.program.variables.values(), *self._directions])
        return tuple(sorted(numbers - shown))

    @property
    def names(self) -> frozenset[str]:
        """The names of the expression, and of the direction."""
        return self.program.names | {v.name for v in self._directions}

    @property
    def _directions(self) -> list[Expr]:
        return [] if self.along is None else ex.variables(self.along)

    def kronecker(self) -> Expr:
        """The derivative of a matrix F by a matrix X as the matrix ∂vec(F)/∂vec(X)'.

        vec stacks columns; the Hessian of a scalar by a matrix is ∂²f/∂vec(X)∂vec(X)' (Magnus &
        Neudecker, Matrix Differential Calculus, chapter 9).

        Raises NoMatrixForm where there are not four axes, or where Kronecker products do not reach.

        >>> from matcalc import derive
        >>> print(derive("A*X*B", "X").kronecker())
        kron(B', A)
        """
        if isinstance(self.result, Expr):
            raise NoMatrixForm("the derivative is a matrix already")
        with limited(self.limits, "the Kronecker form"):
            return self.result.kronecker()

    def differential(self) -> Expr:
        """The change of the expression for a change dX of the variable, as ``A*dX*B``.

        Raises NoMatrixForm where it is no matrix expression.

        >>> from matcalc import derive
        >>> print(derive("A*inv(X)*B", "X").differential())
        -A*inv(X)*dX*inv(X)*B
        """
        with limited(self.limits, "the differential"):
            change = unused(f"d{self.wrt.name}", self.names)
            direction = direction_of(self.program, self.wrt, change)
            found = derivative(self.program.expr, self.wrt, 1, direction).result
        if not isinstance(found, Expr):
            raise NoMatrixForm(f"the change of the expression has no matrix form: {found}")
        return found

    def __str__(self) -> str:
        """The answer, with a line for each name that it uses."""
        return self.named.show(self.wrt.name)

    def latex(self) -> str:
        """The answer in LaTeX, without dollar signs; raises LimitProblem beyond the limits.

        >>> from matcalc import derive
        >>> derive("x'*A*x", "x", "A: n×n sym").latex()
        '2Ax'
        """
        return self.to("latex")

    def to(self, format: str) -> str:
        """The answer in a format: ``text``, ``latex``, ``typst`` or ``mathml``.

        LaTeX and Typst are without dollar signs, MathML is an element ``math``. Raises
        OptionProblem for any other format, LimitProblem beyond the limits.

        >>> from matcalc import derive
        >>> derive("norm2(X*w - y)^2", "w").to("typst")
        '2 X^⊤ (X w - y)'
        """
        with limited(self.limits, "printing"):
            return shown(self.result, format, taken=self.names)

    def explain(self) -> str:
        """The way to the answer: scalar derivative, arrangement by labels, checks.

        Raises LimitProblem beyond the limits of the derivation.
        """
        from .explain import explain

        with limited(self.limits, "explaining"):
            return explain(self)

    def check(self, seed: int = 1) -> Verification:
        """Verify once more, at the random points of another seed.

        For a claim of your own there is :func:`check`. Raises OptionProblem for a negative seed and
        TypeError for what is no whole number.

        >>> from matcalc import derive
        >>> derive("x'*x", "x").check(seed=7).ok
        True
        """
        if not isinstance(seed, int):
            hint = (
                "a derivative of your own is checked by matcalc.check(expression, variable, "
                "candidate)"
            )
            raise TypeError(f"the seed of d.check() is a number, not {type(seed).__name__}; {hint}")
        if seed < 0:
            raise OptionProblem(f"the seed {seed}", "seeds are 0, 1, 2, …")
        with limited(self.limits, "verifying"):
            return verified(self, seed)

    def compile(self, target: str = "numpy", value: bool = False, reuse: bool = False) -> Compiled:
        """The derivative as a function of arrays by keyword.

        With ``value``, the pair of the expression and its derivative.

        ``target`` is numpy, numba, jax, torch or array_api. The arguments are arrays whose shapes
        fit the variables, and numbers for sizes that no array shows; a vector may be a column.

        The type of the arrays is kept, integers and lists become float64. Results are fresh arrays,
        writable where those of the library are; they share no memory with an argument or with each
        other, and no argument is touched. What depends on NaN is NaN, but for the comparisons
        ``step`` and ``ismax`` and the slopes made of them, which are 0 there.

        With ``reuse`` (numpy and numba) what is returned is overwritten by the next call with the
        same shapes, by any thread: temporaries and results stay in arrays that are kept, and
        nothing large is allocated again.

        Raises OptionProblem for a target that does not exist, Unsupported for one that is not
        installed or does not reuse arrays. The function raises MissingData for a missing argument
        and ShapeProblem for what does not fit.

        >>> import numpy as np
        >>> from matcalc import derive
        >>> f = derive("norm2(X*w - y)^2", "w").compile("numpy")
        >>> f(X=np.eye(2), w=np.array([1.0, 2.0]), y=np.zeros(2))
        array([2., 4.])
        """
        from ..codegen import compile_expr

        with limited(self.limits, "compiling"):
            return compile_expr(*self._function(target, value), self.expr, reuse, self._at_hand)

    def source(self, target: str = "numpy", value: bool = False) -> str:
        """The code of the compiled function; the packages of the target need not be installed.

        Raises OptionProblem for a target that does not exist.

        >>> from matcalc import derive
        >>> derive("x'*A*x", "x").source("torch").splitlines()[-1]
        '    return A @ x + A.T @ x'
        """
        from ..codegen import source

        with limited(self.limits, "compiling"):
            return source(*self._function(target, value), self._at_hand).text

    def _function(self, target: str, value: bool) -> tuple[Root | tuple[Root, ...], str, str]:
        """The roots, the target and the name of the compiled function."""
        if flag(value, "value"):
            return (self.expr, self.result), target, "value_and_gradient"
        return self.result, target, "gradient"

    @property
    def _at_hand(self) -> list[Expr]:
        """The variables of the expression as it was typed, those that have cancelled among them,
        and the direction.
        """
        return [*self.program.variables.values(), *self._directions]

    def to_sympy(self) -> Any:
        """The answer as a SymPy matrix expression.

        Raises NoMatrixForm if it is an index form, Unsupported for a function that SymPy does not
        have, LimitProblem for what is too deep for SymPy.

        >>> from matcalc import derive
        >>> derive("x'*A*x", "x", "A: n×n sym").to_sympy()
        2*A*x
        """
        from ..interop import to_sympy

        if not isinstance(self.result, Expr):
            raise NoMatrixForm("an index form has no SymPy matrix expression")
        return to_sympy(self.result)


@strict
class Derivations(Mapping[str, Derivation]):
    """Derivatives by several variables, a mapping by name; parts that they share are written once.

    Large parts have names of their own where they are printed. Raises KeyError for a variable that
    was not asked for.

    >>> from matcalc import derive
    >>> both = derive("norm2(X*w - y)^2", ["X", "w"])
    >>> print(both)
    ∂/∂X = 2*(X*w - y)*w'
    ∂/∂w = 2*X'*(X*w - y)
    """

    def __init__(self, found: Mapping[str, Derivation]) -> None:
        self._found = dict(found)

    def __getitem__(self, name: str) -> Derivation:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return f"<{', '.join(f'∂/∂{n}' for n in self._found)}>"

    @cached_property
    def named(self) -> Named:
        """All answers, with what they share by name."""
        first = next(iter(self._found.values()))
        taken = frozenset().union(*(d.names for d in self.values()))
        with limited(first.limits, "printing"):
            return named(
                {n: d.result for n, d in self._found.items()}, first.program.definitions, taken
            )

    def __str__(self) -> str:
        return self.named.show()

    def compile(self, target: str = "numpy", value: bool = False, reuse: bool = False) -> Compiled:
        """One function that returns all derivatives as a tuple, with ``value`` after the value.

        The arguments, and what is raised, are those of :meth:`Derivation.compile`.
        """
        from ..codegen import compile_expr

        with limited(self._limits, "compiling"):
            return compile_expr(
                self._roots(value), target, "gradients", self._expr, reuse, self._at_hand
            )

    def source(self, target: str = "numpy", value: bool = False) -> str:
        """The code of the compiled function; the packages of the target need not be installed.

        Raises OptionProblem for a target that does not exist.
        """
        from ..codegen import source

        with limited(self._limits, "compiling"):
            return source(self._roots(value), target, "gradients", self._at_hand).text

    @property
    def _program(self) -> Program[Root]:
        return next(iter(self._found.values())).program

    @property
    def _limits(self) -> Limits:
        return next(iter(self._found.values())).limits

    @property
    def _expr(self) -> Root:
        return self._program.expr

    @property
    def _at_hand(self) -> list[Expr]:
        """The variables of the expression as it was typed."""
        return list(self._program.variables.values())

    def _roots(self, value: bool) -> tuple[Root, ...]:
        """The roots of the compiled function."""
        results = tuple(d.result for d in self.values())
        return (self._expr, *results) if flag(value, "value") else results


def _capital(kind: str) -> str:
    """Jacobi and Hesse are names."""
    return kind.replace("jacobian", "Jacobian").replace("hessian", "Hessian")
