"""The public entry: a typed expression in, its verified derivative out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from . import expr as ex
from .arrange import arrange
from .chain import Chain, chain
from .errors import NameProblem, NoMatrixForm, ShapeProblem, WrongAnswer
from .expr import Expr
from .labels import Bag
from .printing.text import text
from .printing.where import Named, named
from .shapes import Declaration, Declared, Program, declarations, typed
from .simplify import simplify
from .sizes import UNIT, Shape, show_shape
from .syntax import nearest

if TYPE_CHECKING:
    from .codegen import Compiled
    from .verify import Verification

Shapes = str | Mapping[str, Declaration | Declared] | None
LAYOUTS = ("denominator", "numerator")


@dataclass(frozen=True)
class Derivation:
    """The derivative of one expression by one variable, verified.

    ``result`` (also ``gradient``, ``jacobian``, ``hessian``) is the answer whatever its order, an :class:`Expr`. Its axes are
    the expression's axes followed by the variable's: the gradient of a scalar has the shape of the variable, the Jacobian of
    a vector f by a vector x is J[i,j] = ∂f_i/∂x_j.
    """

    program: Program
    wrt: Expr
    order: int
    result: Expr
    chains: tuple[Chain, ...] = field(repr=False)
    layout: str = "denominator"
    verification: Verification | None = field(default=None, repr=False)

    @property
    def expr(self) -> Expr:
        """The expression that was differentiated."""
        return self.program.expr

    @property
    def gradient(self) -> Expr:
        return self.result

    jacobian = hessian = gradient

    @cached_property
    def named(self) -> Named:
        """The answer with the typed definitions, and large repeated parts, by name."""
        return named({self.wrt.name: self.result}, self.program.definitions)

    def __str__(self) -> str:
        """The answer, with a line for each name that it uses."""
        return self.named.show(self.wrt.name)

    def latex(self) -> str:
        """The answer in LaTeX."""
        return self.result.latex()

    def explain(self) -> str:
        """How the answer was found: the scalar derivative, the arrangement that the labels force, and the checks."""
        from .explain import explain

        return explain(self)

    def check(self, seed: int = 1) -> Verification:
        """Verify once more, at other random points."""
        return _verified(self, seed)

    def compile(self, target: str = "numpy", value: bool = False) -> Compiled:
        """The derivative as a function of arrays by keyword; with ``value``, the pair of the expression and its derivative.

        >>> import numpy as np
        >>> f = derive("norm2(X*w - y)^2", "w").compile("numpy")
        >>> f(X=np.eye(2), w=np.array([1.0, 2.0]), y=np.zeros(2))
        array([2., 4.])
        """
        from .codegen import compile_expr

        return compile_expr((self.expr, self.result) if value else self.result, target, "value_and_gradient" if value else "gradient")

    def to_sympy(self) -> Any:
        """The answer as a SymPy matrix expression."""
        from .interop import to_sympy

        return to_sympy(self.result)


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

    @cached_property
    def named(self) -> Named:
        """All answers, with what they share by name."""
        first = next(iter(self._found.values()))
        return named({n: d.result for n, d in self._found.items()}, first.program.definitions)

    def __str__(self) -> str:
        return self.named.show()

    def compile(self, target: str = "numpy", value: bool = False) -> Compiled:
        """One function that returns all derivatives as a tuple, after the value if that is wanted."""
        from .codegen import compile_expr

        first = next(iter(self._found.values()))
        return compile_expr(((first.expr,) if value else ()) + tuple(d.result for d in self.values()), target, "gradients")


# ---- the entry points ----------------------------------------------------------------------------------------------------


def parse(source: str, shapes: Shapes = None) -> Expr:
    """The expression that a text stands for.

    Raises SyntaxProblem, NameProblem, ShapeProblem or LimitProblem, each with the place in the text.

    >>> parse("X*w - y").shape
    ('m',)
    """
    return typed(source, shapes).expr


@overload
def derive(expr: Any, wrt: str | Expr, shapes: Shapes = None, *, order: int = 1, layout: str = "denominator") -> Derivation: ...
@overload
def derive(expr: Any, wrt: Sequence[str | Expr] | None = None, shapes: Shapes = None, *, order: int = 1, layout: str = "denominator") -> Derivations: ...


def derive(expr: Any, wrt: Any = None, shapes: Shapes = None, *, order: int = 1, layout: str = "denominator") -> Derivation | Derivations:
    """The verified derivative of an expression (a text, an Expr or a SymPy expression) by a variable, or by several.

    ``shapes`` declares names, as in ``{"S": "n×n spd"}`` or ``"X: m×n; w: n"``; what is not declared is inferred. ``order=2``
    gives the Hessian. ``layout="numerator"`` transposes a gradient. Without ``wrt``, or with a list, the result is a mapping.
    Raises a MatcalcError for input that does not fit, NotDifferentiable for a function without a proven rule, NoMatrixForm
    where matrix notation does not reach, and WrongAnswer if verification contradicts the derivation.

    >>> str(derive("norm2(X*w - y)^2", "w"))
    "2*X'*(X*w - y)"
    >>> derivations = derive("norm2(X*w - y)^2", ["X", "w"])
    >>> str(derivations["X"].gradient)
    "2*(X*w - y)*w'"
    """
    program = _program(expr, shapes)
    single = isinstance(wrt, (str, Expr)) or (wrt is not None and not isinstance(wrt, (list, tuple, set, frozenset)))
    targets = [_target(program, w) for w in ([wrt] if single else list(program.variables) if wrt is None else wrt)]
    if not targets:
        raise NameProblem("there is nothing to differentiate by", "the expression has no variables")
    found = [_checked(d) for d in unverified(program, targets, order, layout)]
    return found[0] if single else Derivations({d.wrt.name: d for d in found})


def check(expr: Any, wrt: str | Expr, candidate: Any, shapes: Shapes = None) -> Verification:
    """Whether a claimed derivative is right; if not, where and by how much.

    ``candidate`` is a text or an Expr in the names of ``expr``; it may have the shape of the derivative or, for a gradient,
    its transpose. Raises ShapeProblem for any other shape.

    >>> check("norm2(X*w - y)^2", "w", "2*X'*(X*w - y)").ok
    True
    >>> check("norm2(X*w - y)^2", "w", "X'*(X*w - y)").ok
    False
    """
    from .verify import verify

    program = _program(expr, shapes)
    target = _target(program, wrt)
    claim = candidate if isinstance(candidate, Expr) else _in_names_of(program, candidate)
    wanted = derivative_shape(program.expr, target)
    if claim.shape_ != wanted and claim.shape_ == wanted[::-1]:
        claim = ex.transpose(claim)
    if claim.shape_ != wanted:
        if not claim.is_scalar:
            raise ShapeProblem(f"the candidate is {show_shape(claim.shape_)}", f"the derivative by {target.name} is {show_shape(wanted)}")
        claim = ex.spread(claim, wanted)
    return verify(program.expr, target, claim)


def _in_names_of(program: Program, candidate: str) -> Expr:
    """A candidate may use the variables, the sizes and the definitions of the program."""
    prefix = "; ".join(f"{name} = {text(body)}" for name, body in program.definitions.items())
    return typed(f"{prefix}; {candidate}" if prefix else candidate, program.declarations).expr


def _program(expr: Any, shapes: Shapes) -> Program:
    if isinstance(expr, str):
        return typed(expr, shapes)
    if isinstance(expr, Expr):
        return _declared(expr, shapes)
    if isinstance(expr, Program):
        return expr
    from .interop import from_sympy

    return _declared(from_sympy(expr), shapes)


def _declared(expr: Expr, shapes: Shapes) -> Program:
    """An expression as a program; a declaration adds properties to its variables."""
    declared = declarations(shapes)

    def leaf(node: Expr) -> Expr:
        d = declared.get(node.name) if node.head == "var" else None
        return node if d is None else ex.var(node.name, d.shape, d.properties)

    expr = ex.substitute(expr, leaf) if declared else expr
    return Program(expr, {}, {v.name: v for v in ex.variables(expr)})


def _target(program: Program, wrt: Any) -> Expr:
    name = wrt.name if isinstance(wrt, Expr) else wrt if isinstance(wrt, str) else getattr(wrt, "name", str(wrt))
    name = name.strip()
    if name in program.variables:
        return program.variables[name]
    if name in program.definitions:
        raise NameProblem(f"'{name}' is a definition, not a variable", "differentiate by a variable, or remove the definition")
    known = ", ".join(program.variables) or "none"
    raise NameProblem(f"'{name[:40]}' is not in the expression", nearest(name, program.variables) or f"its variables are {known}")


# ---- the two passes --------------------------------------------------------------------------------------------------------


def derivative_shape(e: Expr, wrt: Expr) -> Shape:
    """The shape of a derivative that fits in matrix notation; raises NoMatrixForm if it has more than two axes."""
    if e.is_scalar:
        return wrt.shape_
    if wrt.is_scalar:
        return e.shape_
    if UNIT in e.shape_ and UNIT in wrt.shape_:
        return (e.shape_[0] or e.shape_[1], wrt.shape_[0] or wrt.shape_[1])
    axes = sum(bool(size) for size in (*e.shape_, *wrt.shape_))
    raise NoMatrixForm(
        f"the derivative of {show_shape(e.shape_)} by {wrt.name}: {show_shape(wrt.shape_)} has {axes} axes",
        "matrix notation holds two; differentiate a scalar of it, such as tr(A'*(…))",
    )


def fold(bag: Bag) -> Expr | None:
    """An adjoint with at most two axes as one factor, if it can be arranged."""
    if len(bag.out) > 2:
        return None
    rows, cols = [*((i.size,) for i in bag.out), UNIT, UNIT][:2]
    try:
        return simplify(arrange(bag, (rows, cols)))
    except NoMatrixForm:
        return None


def unverified(program: Program, targets: Iterable[Expr], order: int = 1, layout: str = "denominator") -> list[Derivation]:
    """The derivations before verification; for measuring, and for those who verify otherwise."""
    if layout not in LAYOUTS:
        raise NameProblem(f"unknown layout '{layout}'", f"layouts are {' and '.join(LAYOUTS)}")
    if not isinstance(order, int) or not 1 <= order <= 2:
        raise NameProblem(f"order {order!r}", "orders are 1 and 2")
    targets = list(targets)
    first = chain(program.expr, targets, fold)
    out = []
    for wrt in targets:
        result, chains = _arranged(program.expr, wrt, first), [first]
        for _ in range(order - 1):
            chains.append(chain(result, [wrt], fold))
            result = _arranged(result, wrt, chains[-1])
        out.append(Derivation(program, wrt, order, _laid_out(result, program.expr, layout, order), tuple(chains), layout))
    return out


def _arranged(e: Expr, wrt: Expr, derivative: Chain) -> Expr:
    shape = derivative_shape(e, wrt)
    return _structured(simplify(arrange(derivative.bags[wrt], shape)), e, wrt)


def _structured(g: Expr, e: Expr, wrt: Expr) -> Expr:
    """The gradient in the space of the symmetric or diagonal matrices, where the variable lives."""
    if not e.is_scalar:
        return g
    if {"symmetric", "spd"}.intersection(wrt.properties) and ex.transpose(g) is not g:
        return simplify(ex.times(ex.num(1) / 2, ex.add(g, ex.transpose(g))))
    if "diagonal" in wrt.properties:
        return simplify(ex.call("diag", ex.call("diagonal", g)))
    return g


def _laid_out(result: Expr, e: Expr, layout: str, order: int) -> Expr:
    return ex.transpose(result) if layout == "numerator" and e.is_scalar and order == 1 else result


# ---- verification ---------------------------------------------------------------------------------------------------------


def _verified(d: Derivation, seed: int) -> Verification:
    from .verify import verify

    if d.order == 2:
        gradient = unverified(d.program, [d.wrt])[0].result
        first, second = verify(d.expr, d.wrt, gradient, seed), verify(gradient, d.wrt, d.result, seed)
        return first if not first.ok else second
    claim = ex.transpose(d.result) if d.layout == "numerator" and d.expr.is_scalar else d.result
    return verify(d.expr, d.wrt, claim, seed)


def _checked(d: Derivation) -> Derivation:
    verification = _verified(d, 0)
    if verification.wrong:
        source = d.program.text or str(d.expr)
        raise WrongAnswer(f"the derivative of {source[:200]} by {d.wrt.name} failed its own verification", "please report this expression as a defect of matcalc")
    return Derivation(d.program, d.wrt, d.order, d.result, d.chains, d.layout, verification)
