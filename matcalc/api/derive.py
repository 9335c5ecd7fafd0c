"""The entry point ``derive``: a typed expression in, its verified derivatives out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, Unpack, overload

from .. import expr as ex
from ..budget import Limits, as_limits, limited, share
from ..calculus.conventions import turned, weighted
from ..calculus.derivative import AnyChain, derivative, first_chain
from ..calculus.unfold import unfolded
from ..errors import LimitProblem, NameProblem, OptionProblem, WrongAnswer
from ..expr import Expr
from ..expr.sizes import UNIT
from ..labels.roots import Root
from ..language.program import Program
from ..options import strict
from ..proof.verify import Verification, verify
from .checking import fresh_variables, times_derived, verified
from .derivation import Derivation, Derivations
from .inputs import Shapes, as_program, is_entry, matrix_and_entry, variable_of
from .options import (
    LAYOUTS,
    SYMMETRIC,
    Options,
    checked_options,
    direction_of,
    refuse_shared_direction,
)

MANY = 4  # gradients that are verified together


@overload
def derive(
    expr: Any, wrt: str | Expr, shapes: Shapes = None, **options: Unpack[Options]
) -> Derivation: ...


@overload
def derive(
    expr: Any,
    wrt: Sequence[str | Expr] | None = None,
    shapes: Shapes = None,
    **options: Unpack[Options],
) -> Derivations: ...


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
    """Derive an expression by a variable, or by several, and verify the answer.

    Arguments:

    * ``expr``: a text, an Expr, an IndexForm or a SymPy expression, of any shape.
    * ``wrt``: a variable, by name or as an expression. A list of them, or None for all, gives a
      mapping. An entry ``X[i, j]`` of a SymPy matrix gives the derivative by that entry alone.
    * ``shapes``: declarations, as ``"X: m×n; w: n"`` or ``{"S": "n×n spd"}``. What is not declared
      is inferred.
    * ``order``: 1 to 6. The gradient of a scalar has the shape of the variable; of anything else,
      and of a higher order, the axes are the expression's followed by the variable's, once for each
      order. More than two axes, or no matrix form, make an index form.
    * ``layout``: ``"denominator"``, or ``"numerator"``, which transposes a gradient.
    * ``along``: the name of a direction, of the variable's shape, with which the last derivative is
      contracted: Jacobian-vector and Hessian-vector products, never through the matrix.
    * ``symmetric``: ``"gradient"``, the derivative on the space of symmetric, diagonal or
      triangular matrices, or ``"elements"``: for a symmetric variable the derivative by S[i,j] and
      S[j,i] moved together, G + G' - diag(diag(G)) (Petersen & Pedersen, The Matrix Cookbook,
      2.8.2), each pair of indices so.
    * ``limit``: how many seconds deriving may take, 10 by default and 0 for no limit, or
      :class:`Limits` for more than time. Verifying has what is left of it and at least a half; an
      answer that is not decided in that time is not verified.

    Raises LimitProblem past the limit; SyntaxProblem, NameProblem or ShapeProblem for input that
    does not fit; OptionProblem for a choice that there is not; Unsupported for a SymPy class
    without a form; NotDifferentiable for a function without a proven rule; WrongAnswer if the
    verification refutes the answer; TypeError for an option that there is not.

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


def _derived(
    expr: Any, wrt: Any, shapes: Shapes, options: Options
) -> tuple[list[Derivation], bool]:
    """The derivations before verification, and whether one was asked for rather than a mapping."""
    program = as_program(expr, shapes, wrt)
    if is_entry(wrt):
        return [_by_entry(program, wrt, options)], True
    single = isinstance(wrt, (str, Expr)) or (
        wrt is not None and not isinstance(wrt, (list, tuple, set, frozenset))
    )
    targets = [
        variable_of(program, w)
        for w in ([wrt] if single else list(program.variables) if wrt is None else wrt)
    ]
    if not targets:
        raise NameProblem("there is nothing to differentiate by", "the expression has no variables")
    return unverified(program, targets, **options), single


def unverified(
    program: Program[Root], targets: Iterable[Expr], **options: Unpack[Options]
) -> list[Derivation]:
    """The derivations before verification; for measuring, and for those who verify otherwise."""
    targets = list(targets)
    refuse_shared_direction(targets, options.get("along"))
    first = first_chain(program.expr, targets)
    return [_one(program, wrt, checked_options(options), first) for wrt in targets]


def _one(
    program: Program[Root], wrt: Expr, options: Options, first: AnyChain | None = None
) -> Derivation:
    order, along = options.get("order", 1), options.get("along")
    layout, symmetric = options.get("layout", LAYOUTS[0]), options.get("symmetric", SYMMETRIC[0])
    direction = None if along is None else direction_of(program, wrt, along)
    found = derivative(program.expr, wrt, order, direction, first)
    d = Derivation(
        program,
        wrt,
        order,
        found.result,
        found.chains,
        layout,
        direction,
        symmetric,
        lower=found.lower,
    )
    return replace(d, result=_in_convention(d))


def _in_convention(d: Derivation) -> Root:
    """The answer in the layout and the symmetric convention that was asked for."""
    root = d.result
    if d.layout == "numerator" and d.kind != "gradient":
        _refuse_layout(d)
    if d.symmetric == "elements":
        root = weighted(root, d.wrt, times_derived(d), Fraction(2))
    return turned(root) if d.layout == "numerator" and d.kind == "gradient" else root


def _refuse_layout(d: Derivation) -> None:
    """Raise OptionProblem for what is neither a gradient nor the same in both layouts, as a
    Jacobian and a Hessian are.
    """
    same = d.result.is_scalar or (d.along is None and UNIT in d.wrt.shape_)
    if d.expr.is_scalar and not same:
        raise OptionProblem(f"the {d.title} has no numerator layout", "layouts are for gradients")


def _by_entry(program: Program[Root], wrt: Any, options: Options) -> Derivation:
    """The derivative by one entry: along the direction in which it alone grows, the derivative
    of the entry by the matrix.
    """
    plain: Options = {"order": 1, "layout": LAYOUTS[0], "along": None, "symmetric": SYMMETRIC[0]}
    asked = [name for name, value in options.items() if value != plain.get(name)]
    if asked:
        raise OptionProblem(
            f"{wrt} is an entry, and has no {', '.join(asked)}", "differentiate by the whole matrix"
        )
    matrix, entry = matrix_and_entry(program, wrt)
    direction = unfolded(derivative(entry, matrix).result)
    found = derivative(program.expr, matrix, 1, direction)
    return Derivation(program, matrix, 1, found.result, found.chains, along=direction)


def _all_checked(found: list[Derivation]) -> list[Derivation]:
    """Each derivative checked; many gradients together, which costs little more than one, where
    that decides them.
    """
    together = _verified_together(found) if len(found) >= MANY else None
    if together is not None and together.ok:
        return [replace(d, verification=together) for d in found]
    return [_checked(d, len(found) - k) for k, d in enumerate(found)]


def _verified_together(found: list[Derivation]) -> Verification | None:
    """All gradients at once: at v + t·dv for random directions dv, the derivative by t is the
    sum of their products with the dv.
    """
    e = found[0].expr
    if not isinstance(e, Expr) or not all(map(_is_plain, found)):
        return None
    taken = set(found[0].program.variables)
    t, *steps = (
        ex.var(name, shape)
        for name, shape in fresh_variables(taken, [ex.ONE.shape_, *(d.wrt.shape_ for d in found)])
    )
    moved = {d.wrt: ex.add(d.wrt, ex.times(t, step)) for d, step in zip(found, steps, strict=True)}
    gradients = [d.result for d in found if isinstance(d.result, Expr)]
    at = ex.substitute_all([e, *gradients], lambda node: moved.get(node, node))
    return verify(
        at[e],
        t,
        ex.add(
            *(ex.total(ex.times(step, at[g])) for step, g in zip(steps, gradients, strict=True))
        ),
    )


def _is_plain(d: Derivation) -> bool:
    """Tell if it is a gradient in matrix notation, by a variable without properties."""
    unrestricted = d.layout == LAYOUTS[0] and not d.wrt.properties
    return d.kind == "gradient" and unrestricted and isinstance(d.result, Expr)


def _checked(d: Derivation, waiting: int) -> Derivation:
    """A derivation with its verification, which has its share of the time while so many are
    waiting.
    """
    verification = _in_time(d, waiting)
    if verification.wrong:
        source = " ".join((d.program.text or str(d.expr)).split())
        shown = source if len(source) <= 200 else source[:199] + "…"
        message = f"the derivative of {shown} by {d.wrt.name} failed its own verification"
        raise WrongAnswer(
            f"{message}: {_refuted(verification)}",
            "please report this expression as a defect of matcalc",
        )
    return replace(d, verification=verification)


def _refuted(verification: Verification) -> str:
    """Name the checks that refute an answer, and the entry where the numbers do."""
    exactly = (
        "the exact check refutes it"
        if verification.exact is False
        else "the exact check does not refute it"
    )
    numbers = (
        f"the numbers refute it, {verification.worst}"
        if verification.numeric is False
        else "the numbers do not decide"
    )
    return f"{exactly}; {numbers}"


def _in_time(d: Derivation, waiting: int) -> Verification:
    """The verification; past its limit the answer is not verified, which is no error."""
    try:
        with limited(share(waiting), "verifying"):
            return verified(d)
    except LimitProblem as problem:
        return Verification(False, None, None, float("nan"), "numbers", problem.message)
