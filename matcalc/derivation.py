"""The public entry: a typed expression in, its verified derivative out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

from . import expr as ex
from .budget import DEFAULT, Limits, as_limits, limited, share, within_limits
from .declarations import NUMBERS
from .differentiate import AnyChain, derivative, first_chain, moved_to, off_its_set, structure, turned, weighted
from .errors import LimitProblem, NameProblem, NoMatrixForm, WrongAnswer, described, flag, text_of
from .expr import Expr
from .given import Shapes, as_program, is_entry, matrix_and_entry, place_names, size_names, variable_of
from .index import Root, parts, replaced, shape_text
from .options import strict
from .printing.indices import root_latex, root_latex_notes, root_notes, root_text
from .printing.where import Named, named
from .program import Program
from .shapes import declared_name, typed
from .sizes import UNIT, Shape, unused
from .unfold import unfolded

if TYPE_CHECKING:
    from .codegen import Compiled
    from .verify import Verification

MAX_ORDER = 6
MANY = 4  # gradients that are verified together
LAYOUTS = ("denominator", "numerator")
SYMMETRIC = ("gradient", "elements")


ORDERS = ("", "first", "second", "third", "fourth", "fifth", "sixth")
# What to type for each derivative, of a scalar and of anything else.
_TO_TYPE = {
    ("gradient", True): "the gradient is derive(…).gradient",
    ("jacobian", True): "the first derivative of a scalar is derive(…).gradient",
    ("hessian", True): "the Hessian is derive(…, order=2).hessian",
    ("gradient", False): "the first derivative of what is no scalar is derive(…).jacobian",
    ("jacobian", False): "the Jacobian is derive(…).jacobian",
    ("hessian", False): "only a scalar has a Hessian; the second derivative is derive(…, order=2).result",
}


@strict
@dataclass(frozen=True, repr=False)
class Derivation:
    """The derivative of one expression by one variable, verified.

    ``result`` is the answer, whatever was asked. ``gradient`` is the first derivative of a scalar, ``jacobian`` that of
    anything else, ``hessian`` the second derivative of a scalar; each raises NameProblem, which says what to type, where
    the answer is none. The axes of the answer are the expression's axes followed by the variable's: the gradient of a
    scalar has the shape of the variable, the Jacobian of a vector f by a vector x is J[i,j] = ∂f_i/∂x_j. It is an
    :class:`Expr`, or an :class:`IndexForm` where there are more than two axes or no matrix form. With a direction
    (``along``) it is the derivative contracted with that direction, of one axis less.
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
    lower: tuple[Root, ...] = field(default=(), repr=False)  # the derivatives of lower order that this one was derived from
    limits: Limits = field(default=DEFAULT, repr=False)  # of deriving it, and again of each thing that is done with it

    @property
    def expr(self) -> Root:
        """The expression that was differentiated."""
        return self.program.expr

    @property
    def moving_variable(self) -> Expr:
        """The variable as the chains hold it: beyond the first order it moves off the set that is declared of it."""
        return off_its_set(self.wrt) if self.order > 1 else self.wrt

    @property
    def kind(self) -> str:
        """The name of the answer: gradient, jacobian, hessian, or nothing for a derivative without a name."""
        if self.along is not None:
            return ""
        if self.order == 1:
            return "gradient" if self.expr.is_scalar else "jacobian"
        return "hessian" if self.order == 2 and self.expr.is_scalar else ""

    @property
    def gradient(self) -> Root:
        """The first derivative of a scalar."""
        return self._named("gradient")

    @property
    def jacobian(self) -> Root:
        """The first derivative of what is no scalar."""
        return self._named("jacobian")

    @property
    def hessian(self) -> Root:
        """The second derivative of a scalar."""
        return self._named("hessian")

    def _named(self, name: str) -> Root:
        """The answer, if that is its name."""
        if self.kind == name:
            return self.result
        hint = f"{_TO_TYPE[name, self.expr.is_scalar]}; .result is whatever was asked"
        raise NameProblem(f"the answer is the {self.title}, not the {_capital(name)}", hint)

    @property
    def title(self) -> str:
        """What a reader calls the answer: gradient, Jacobian, Hessian, third derivative, second derivative along v."""
        along = "" if self.along is None else f" along {self.along}"
        return _capital(self.kind) or f"{ORDERS[self.order]} derivative{along}"

    def __repr__(self) -> str:
        shown = self.text if not isinstance(self.result, Expr) or self.result.count < 40 else "…"
        return f"<∂/∂{self.wrt.name} = {shown} : {self.shape_text}{', verified' if self.verification else ''}>"

    @property
    def shape(self) -> tuple[str | int, ...]:
        """The shape of the answer."""
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
        """The answer in one line, without names of its own: it means the same where the variables are what they are here."""
        with limited(self.limits, "printing"):
            return root_text(self.result, self.names)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader may take for something else: a size, a constant or a function that has another name or meaning here.

        >>> derive("pi*erf(a)", "a", "pi: scalar").notes
        ('pi is a variable here (the number is written π)',)
        """
        return (*self.program.notes, *root_notes(self.result, self.names))

    @property
    def latex_notes(self) -> tuple[str, ...]:
        """What is said of names that :meth:`latex` does not write as usual, since something else looks like that."""
        return tuple(root_latex_notes(self.result, self.names))

    @property
    def integers(self) -> tuple[str, ...]:
        """The sizes that the answer uses as numbers and that no variable has: they are to be declared where it is typed again.

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
        """A matrix by a matrix as the matrix ∂vec(F)/∂vec(X)' (column-major vec); the Hessian by a matrix as ∂²f/∂vec(X)∂vec(X)'.

        Raises NoMatrixForm where there are not four axes, or where Kronecker products do not reach.

        >>> print(derive("A*X*B", "X").kronecker())
        kron(B', A)
        """
        if isinstance(self.result, Expr):
            raise NoMatrixForm("the derivative is a matrix already")
        with limited(self.limits, "the Kronecker form"):
            return self.result.kronecker()

    def differential(self) -> Expr:
        """The change of the expression for a change dX of the variable, as ``A*dX*B``; raises NoMatrixForm where it is no matrix expression.

        >>> print(derive("A*inv(X)*B", "X").differential())
        -A*inv(X)*dX*inv(X)*B
        """
        with limited(self.limits, "the differential"):
            change = unused(f"d{self.wrt.name}", self.names)
            found = _one(self.program, self.wrt, {"along": change}).result
        if not isinstance(found, Expr):
            raise NoMatrixForm(f"the change of the expression has no matrix form: {found}")
        return found

    def __str__(self) -> str:
        """The answer, with a line for each name that it uses."""
        return self.named.show(self.wrt.name)

    def latex(self) -> str:
        """The answer in LaTeX."""
        with limited(self.limits, "printing"):
            return root_latex(self.result, self.names)

    def explain(self) -> str:
        """How the answer was found: the scalar derivative, the arrangement that the labels force, and the checks."""
        from .explain import explain

        with limited(self.limits, "explaining"):
            return explain(self)

    def check(self, seed: int = 1) -> Verification:
        """Verify once more, at the random points of another seed; for a claim of your own there is :func:`check`."""
        if not isinstance(seed, int):
            hint = "a derivative of your own is checked by matcalc.check(expression, variable, candidate)"
            raise TypeError(f"the seed of d.check() is a number, not {type(seed).__name__}; {hint}")
        if seed < 0:
            raise NameProblem(f"the seed {seed}", "seeds are 0, 1, 2, …")
        with limited(self.limits, "verifying"):
            return verified(self, seed)

    def compile(self, target: str = "numpy", value: bool = False, reuse: bool = False) -> Compiled:
        """The derivative as a function of arrays by keyword; with ``value``, the pair of the expression and its derivative.

        The type of the arrays is kept, integers and lists become float64. Results are fresh arrays, writable where those of the
        library are; they share no memory with an argument or with each other, and no argument is touched. What depends on NaN is
        NaN, but for the comparisons ``step`` and ``ismax`` and the slopes made of them, which are 0 there.

        With ``reuse`` (numpy and numba) what is returned is overwritten by the next call with the same shapes, by any thread:
        temporaries and results stay in arrays that are kept, and nothing large is allocated again.

        >>> import numpy as np
        >>> f = derive("norm2(X*w - y)^2", "w").compile("numpy")
        >>> f(X=np.eye(2), w=np.array([1.0, 2.0]), y=np.zeros(2))
        array([2., 4.])
        """
        from .codegen import compile_expr

        with limited(self.limits, "compiling"):
            return compile_expr(*self._function(target, value), self.expr, reuse, self._at_hand)

    def source(self, target: str = "numpy", value: bool = False) -> str:
        """The code of the compiled function; the packages of the target need not be installed.

        >>> derive("x'*A*x", "x").source("torch").splitlines()[-1]
        '    return A @ x + A.T @ x'
        """
        from .codegen import source

        with limited(self.limits, "compiling"):
            return source(*self._function(target, value), self._at_hand).text

    def _function(self, target: str, value: bool) -> tuple[Root | tuple[Root, ...], str, str]:
        """What the compiled function returns, its target, and its name."""
        if flag(value, "value"):
            return (self.expr, self.result), target, "value_and_gradient"
        return self.result, target, "gradient"

    @property
    def _at_hand(self) -> list[Expr]:
        """The variables of the expression as it was typed, those that have cancelled among them, and the direction."""
        return [*self.program.variables.values(), *self._directions]

    def to_sympy(self) -> Any:
        """The answer as a SymPy matrix expression; raises NoMatrixForm if it is an index form."""
        from .interop import to_sympy

        if not isinstance(self.result, Expr):
            raise NoMatrixForm("an index form has no SymPy matrix expression")
        return to_sympy(self.result)


class Options(TypedDict, total=False):
    """What a derivation can be asked for, beside the expression and the variable."""

    order: int
    layout: str
    along: str | None
    symmetric: str
    limit: float | Limits | None


@strict
class Derivations(Mapping[str, Derivation]):
    """Derivatives by several variables, by name; the parts that they share are computed and written once."""

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
            return named({n: d.result for n, d in self._found.items()}, first.program.definitions, taken)

    def __str__(self) -> str:
        return self.named.show()

    def compile(self, target: str = "numpy", value: bool = False, reuse: bool = False) -> Compiled:
        """One function that returns all derivatives as a tuple, after the value if that is wanted; ``reuse`` as for one."""
        from .codegen import compile_expr

        with limited(self._limits, "compiling"):
            return compile_expr(self._roots(value), target, "gradients", self._expr, reuse, self._at_hand)

    def source(self, target: str = "numpy", value: bool = False) -> str:
        """The code of the compiled function; the packages of the target need not be installed."""
        from .codegen import source

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
        """What the compiled function returns."""
        results = tuple(d.result for d in self.values())
        return (self._expr, *results) if flag(value, "value") else results


def _capital(kind: str) -> str:
    """Jacobi and Hesse are names."""
    return kind.replace("jacobian", "Jacobian").replace("hessian", "Hessian")


# ---- the entry points ----------------------------------------------------------------------------------------------------


@within_limits("parsing")
@strict
def parse(source: str, shapes: Shapes = None) -> Expr:
    """The expression that a text stands for.

    Raises SyntaxProblem, NameProblem, ShapeProblem or LimitProblem, each with the place in the text.

    >>> parse("X*w - y").shape
    ('m',)
    """
    return typed(source, shapes).expr


@overload
def derive(expr: Any, wrt: str | Expr, shapes: Shapes = None, **options: Unpack[Options]) -> Derivation: ...
@overload
def derive(expr: Any, wrt: Sequence[str | Expr] | None = None, shapes: Shapes = None, **options: Unpack[Options]) -> Derivations: ...


@strict
def derive(
    expr: Any,
    wrt: Any = None,
    shapes: Shapes = None,
    *,
    order: int = 1,
    layout: str = LAYOUTS[0],
    along: str | None = None,
    symmetric: str = SYMMETRIC[0],
    limit: float | Limits | None = None,
) -> Derivation | Derivations:
    """The verified derivative of an expression (a text, an Expr, an IndexForm or a SymPy one) by a variable, or by several.

    ``shapes`` declares names, as in ``{"S": "n×n spd"}`` or ``"X: m×n; w: n"``; what is not declared is inferred. ``order=2``
    gives the Hessian, higher orders are index forms; ``along="v"`` contracts the last derivative with a direction v of the
    variable's shape (Jacobian-vector and Hessian-vector products, never through the matrix). ``layout="numerator"`` transposes
    a gradient. By a symmetric, diagonal or triangular variable the derivative of any order is the one on the space of such
    matrices; ``symmetric="elements"`` gives, for a symmetric variable, the derivative by S[i,j] and S[j,i] moved together,
    G + G' - diag(diag(G)) (Petersen & Pedersen, The Matrix Cookbook, 2.8.2), each pair of indices so. Without ``wrt``, or
    with a list, the result is a mapping; by an entry ``X[i, j]`` of a SymPy matrix it is the derivative by that entry alone.
    ``limit`` is how many seconds deriving may take, 10 by default, or :class:`Limits` for more than time; 0 sets none.
    Verifying has what is left of it and at least a half, and what it does not decide in that time is not verified. Raises
    LimitProblem past the limit, a MatcalcError for input that does not fit, NotDifferentiable for a function without a
    proven rule, WrongAnswer if verification contradicts the derivation, and TypeError for an option that there is not.

    >>> str(derive("norm2(X*w - y)^2", "w"))
    "2*X'*(X*w - y)"
    >>> derivations = derive("norm2(X*w - y)^2", ["X", "w"])
    >>> str(derivations["X"].gradient)
    "2*(X*w - y)*w'"
    >>> print(derive("norm2(X*w - y)^2", "w", order=2, along="v"))
    2*X'*X*v
    >>> print(derive("X*X'", "X"))
    X[j,l]*I[i,k] + X[i,l]*I[j,k]
    """
    options: Options = {"order": order, "layout": layout, "along": along, "symmetric": symmetric}
    limits = as_limits(limit)
    with limited(limits, "deriving") as budget:
        found, single = _derived(expr, wrt, shapes, options)
    with limited(limits.after(budget.elapsed), "verifying"):
        found = _all_checked([replace(d, limits=limits) for d in found])
    return found[0] if single else Derivations({d.wrt.name: d for d in found})


def _derived(expr: Any, wrt: Any, shapes: Shapes, options: Options) -> tuple[list[Derivation], bool]:
    """The derivations before verification, and whether one was asked for rather than a mapping."""
    program = as_program(expr, shapes, wrt)
    if is_entry(wrt):
        return [_by_entry(program, wrt, options)], True
    single = isinstance(wrt, (str, Expr)) or (wrt is not None and not isinstance(wrt, (list, tuple, set, frozenset)))
    targets = [variable_of(program, w) for w in ([wrt] if single else list(program.variables) if wrt is None else wrt)]
    if not targets:
        raise NameProblem("there is nothing to differentiate by", "the expression has no variables")
    return unverified(program, targets, **options), single


# ---- deriving ---------------------------------------------------------------------------------------------------------------


def unverified(program: Program[Root], targets: Iterable[Expr], **options: Unpack[Options]) -> list[Derivation]:
    """The derivations before verification; for measuring, and for those who verify otherwise."""
    targets = list(targets)
    _refuse_shared_direction(targets, options.get("along"))
    first = first_chain(program.expr, targets)
    return [_one(program, wrt, checked_options(options), first) for wrt in targets]


def _refuse_shared_direction(targets: list[Expr], along: str | None) -> None:
    """Raise NameProblem where one name would be a direction of several shapes."""
    spaces = {(v.shape_, structure(v)): v for v in targets}
    if along is not None and len(spaces) > 1:
        one, other = list(spaces.values())[:2]
        shapes = f"{ex.shape_text(one)} for {one.name} and {ex.shape_text(other)} for {other.name}"
        raise NameProblem(f"the direction '{along}' would be {shapes}", "differentiate by one variable at a time")


def checked_options(options: Options) -> Options:
    order = options.get("order", 1)
    if not isinstance(order, int) or isinstance(order, bool) or not 1 <= order <= MAX_ORDER:
        raise NameProblem(f"order {described(order)}", f"orders are 1 to {MAX_ORDER}")
    choices = ("layout", options.get("layout"), LAYOUTS), ("convention", options.get("symmetric"), SYMMETRIC)
    for name, given, allowed in choices:
        if given is not None and text_of(given, f"the {name}") not in allowed:
            raise NameProblem(f"unknown {name} '{given[:40]}'", f"choose {' or '.join(allowed)}")
    return options


def _one(program: Program[Root], wrt: Expr, options: Options, first: AnyChain | None = None) -> Derivation:
    order, along = options.get("order", 1), options.get("along")
    layout, symmetric = options.get("layout", LAYOUTS[0]), options.get("symmetric", SYMMETRIC[0])
    direction = None if along is None else direction_of(program, wrt, along)
    found = derivative(program.expr, wrt, order, direction, first)
    d = Derivation(program, wrt, order, found.result, found.chains, layout, direction, symmetric, lower=found.lower)
    return replace(d, result=_in_convention(d))


def _in_convention(d: Derivation) -> Root:
    """The answer in the layout and the symmetric convention that was asked for."""
    root = d.result
    if d.layout == "numerator" and d.kind != "gradient":
        _refuse_layout(d)
    if d.symmetric == "elements":
        root = weighted(root, d.wrt, _times(d), Fraction(2))
    return turned(root) if d.layout == "numerator" and d.kind == "gradient" else root


def _refuse_layout(d: Derivation) -> None:
    """Raise NameProblem for what is neither a gradient nor the same in both layouts, as a Jacobian and a Hessian are."""
    same = d.result.is_scalar or (d.along is None and UNIT in d.wrt.shape_)
    if d.expr.is_scalar and not same:
        raise NameProblem(f"the {d.title} has no numerator layout", "layouts are for gradients")


def _out_of_convention(d: Derivation) -> Root:
    """The derivative that the answer stands for."""
    root = turned(d.result) if d.layout == "numerator" and d.kind == "gradient" else d.result
    return weighted(root, d.wrt, _times(d), Fraction(1, 2)) if d.symmetric == "elements" else root


def _times(d: Derivation) -> int:
    """How many times the axes of the variable are among those of the answer."""
    return d.order - (d.along is not None)


def _by_entry(program: Program[Root], wrt: Any, options: Options) -> Derivation:
    """The derivative by one entry: along the direction in which it alone grows, the derivative of the entry by the matrix."""
    plain: Options = {"order": 1, "layout": LAYOUTS[0], "along": None, "symmetric": SYMMETRIC[0]}
    asked = [name for name, value in options.items() if value != plain.get(name)]
    if asked:
        raise NameProblem(f"{wrt} is an entry, and has no {', '.join(asked)}", "differentiate by the whole matrix")
    matrix, entry = matrix_and_entry(program, wrt)
    direction = unfolded(derivative(entry, matrix).result)
    found = derivative(program.expr, matrix, 1, direction)
    return Derivation(program, matrix, 1, found.result, found.chains, along=direction)


def direction_of(program: Program[Root], wrt: Expr, name: str) -> Expr:
    """The direction with a name that nothing in the program has, in the space of the variable."""
    if name in program.variables or name in program.definitions:
        raise NameProblem(f"the direction '{name}' is in the expression already", "choose another name")
    if name in size_names(program) or name in place_names(program):
        raise NameProblem(f"the direction '{name}' is a size or a place of the expression", "choose another name")
    if name in NUMBERS:
        raise NameProblem(f"the direction '{name}' is a number", "choose another name")
    return ex.var(declared_name(name), wrt.shape_, _linear_structure(wrt))


def _linear_structure(v: Expr) -> list[str]:
    """The properties that a change of a variable has, too: a positive definite matrix changes by a symmetric one."""
    changes = {"spd": "symmetric"}
    kept = {"symmetric", "spd", "diagonal", "lower", "upper", ex.ARRAY}
    return list(dict.fromkeys(changes.get(name, name) for name in v.properties if name in kept))


# ---- verification ---------------------------------------------------------------------------------------------------------


def verified(d: Derivation, seed: int = 0) -> Verification:
    """Each order is checked against the one below it, the first against the expression."""
    from .verify import verify

    free = d.moving_variable
    e: Root = moved_to(d.expr, d.wrt, free)
    for below in d.lower:
        found = verify(e, free, below, seed)
        if not found.ok:
            return found
        e = below
    e = moved_to(e, free, d.wrt)
    claim = d.result
    if d.along is not None and d.along.head != "var":
        return _verified_in_place(e, d.wrt, claim, d.along, seed)
    return verify(e, d.wrt, _out_of_convention(d), seed, along=d.along)


def _verified_in_place(e: Root, wrt: Expr, claim: Root, direction: Expr, seed: int) -> Verification:
    """At X + t·D for a direction D that is an expression, the derivative by t is the claim there."""
    from .verify import verify

    names = {v.name for root in (e, claim) for v in ex.variables(*parts(root), wrt, direction)}
    t, _ = next(_fresh_variables(names, [ex.ONE.shape_]))
    moved = ex.add(wrt, ex.times(ex.var(t), direction))
    at, claimed = (replaced(root, lambda leaf: moved if leaf is wrt else leaf) for root in (e, claim))
    return verify(at, ex.var(t), claimed, seed)


def _all_checked(found: list[Derivation]) -> list[Derivation]:
    """Each derivative checked; many gradients together, which costs little more than one, where that decides them."""
    together = _verified_together(found) if len(found) >= MANY else None
    if together is not None and together.ok:
        return [replace(d, verification=together) for d in found]
    return [_checked(d, len(found) - k) for k, d in enumerate(found)]


def _verified_together(found: list[Derivation]) -> Verification | None:
    """All gradients at once: at v + t·dv for random directions dv, the derivative by t is the sum of their products with the dv."""
    from .verify import verify

    e = found[0].expr
    if not isinstance(e, Expr) or not all(map(_is_plain, found)):
        return None
    taken = set(found[0].program.variables)
    t, *steps = (ex.var(name, shape) for name, shape in _fresh_variables(taken, [ex.ONE.shape_, *(d.wrt.shape_ for d in found)]))
    moved = {d.wrt: ex.add(d.wrt, ex.times(t, step)) for d, step in zip(found, steps, strict=True)}
    gradients = [d.result for d in found if isinstance(d.result, Expr)]
    at = ex.substitute_all([e, *gradients], lambda node: moved.get(node, node))
    return verify(at[e], t, ex.add(*(ex.total(ex.times(step, at[g])) for step, g in zip(steps, gradients, strict=True))))


def _is_plain(d: Derivation) -> bool:
    """Whether it is a gradient in matrix notation, by a variable that may move in every direction."""
    unrestricted = d.layout == LAYOUTS[0] and not d.wrt.properties
    return d.kind == "gradient" and unrestricted and isinstance(d.result, Expr)


def _fresh_variables(taken: set[str], shapes: Iterable[Shape]) -> Iterator[tuple[str, Shape]]:
    names = (f"t{k}" for k in count() if f"t{k}" not in taken)
    return zip(names, shapes, strict=False)


def _checked(d: Derivation, waiting: int) -> Derivation:
    """A derivation with its verification, which has its share of the time while so many are waiting."""
    verification = _in_time(d, waiting)
    if verification.wrong:
        source = " ".join((d.program.text or str(d.expr)).split())
        shown = source if len(source) <= 200 else source[:199] + "…"
        message = f"the derivative of {shown} by {d.wrt.name} failed its own verification"
        raise WrongAnswer(f"{message}: {_refuted(verification)}", "please report this expression as a defect of matcalc")
    return replace(d, verification=verification)


def _refuted(verification: Verification) -> str:
    """Which of the two checks refutes an answer, and where."""
    exactly = "the exact check refutes it" if verification.exact is False else "the exact check does not refute it"
    numbers = f"the numbers refute it, {verification.worst}" if verification.numeric is False else "the numbers do not decide"
    return f"{exactly}; {numbers}"


def _in_time(d: Derivation, waiting: int) -> Verification:
    """The verification; past its limit the answer is not verified, which is no error."""
    from .verify import Verification

    try:
        with limited(share(waiting), "verifying"):
            return verified(d)
    except LimitProblem as problem:
        return Verification(False, None, None, float("nan"), "numbers", problem.message)
