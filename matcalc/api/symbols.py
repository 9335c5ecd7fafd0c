"""Expressions from Python: variables, the functions of the table, and functions of one's own."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

from .. import expr as ex
from ..budget import within_limits
from ..calculus.simplify import simplify
from ..errors import OptionProblem, Unsupported, WrongAnswer, described, text_of
from ..expr import Expr
from ..language.declarations import declarations
from ..language.elaborate import abbreviation
from ..language.user_functions import forget, generic_arguments, register
from ..options import strict
from ..tables.functions import ARGUMENTS, BY_NAME, INFINITY, MACROS, Row

EACH_ENTRY = "ij->ij"  # the signature of an elementwise function


@strict
def matrix(name: str, rows: str | int, columns: str | int, *properties: str) -> Expr:
    """Make a matrix variable.

    Arguments:

    * ``name``: letters, digits and ``_``; no function of the language.
    * ``rows``, ``columns``: names or numbers, or sums and products of them as ``"n+1"``.
    * ``properties``: words such as ``symmetric``, ``spd`` or ``orthogonal``.

    Raises NameProblem for what is no name, ShapeProblem for what is no size or a property that does
    not fit.

    >>> matrix("S", "n", "n", "spd")
    <S : n×n>
    """
    return _variable(name, f"{rows}×{columns} {' '.join(properties)}")


@strict
def vector(name: str, size: str | int, *properties: str) -> Expr:
    """Make a column vector variable; ``size`` and ``properties`` are as those of :func:`matrix`.

    Raises NameProblem for what is no name, ShapeProblem for what is no size or a property that does
    not fit.

    >>> (matrix("X", "m", "n") @ vector("w", "n")).shape
    ('m',)
    """
    return _variable(name, f"{size} {' '.join(properties)}")


@strict
def scalar(name: str, *properties: str) -> Expr:
    """Make a scalar variable, or with ``"integer"`` a whole number, such as a size or an exponent.

    Raises NameProblem for what is no name, ShapeProblem for a property that does not fit.

    >>> print(matrix("X", "n", "n") ** scalar("k", "integer"))
    X^k
    """
    return _variable(name, f"scalar {' '.join(properties)}")


def _variable(name: str, shape: str) -> Expr:
    declared = declarations({name: shape})[name]
    if declared.is_integer:
        return ex.size_number((name,))
    return ex.var(name, declared.shape, declared.properties)


@strict
def hadamard(*factors: Expr) -> Expr:
    """Multiply entry by entry, ``.*`` in the typed language; a scalar multiplies every entry.

    Raises ShapeProblem for factors of different shapes, TypeError for what is no expression.

    >>> x = vector("x", "n")
    >>> print(hadamard(x, x, 2))
    2*x.^2
    """
    return ex.times(*map(ex.as_expr, factors))


@strict
def ones(*sizes: str | int) -> Expr:
    """Make a vector of ones, of one size, or a matrix, of two; a size is a name or a number.

    Raises ShapeProblem for what is no size.

    >>> ones("m", "n")
    <ones(m, n) : m×n>
    """
    return ex.ones(declarations({"X": sizes})["X"].shape)


@strict
def zeros(*sizes: str | int) -> Expr:
    """Make a vector of zeros, of one size, or a matrix, of two; a size is a name or a number.

    Raises ShapeProblem for what is no size.

    >>> zeros("n").shape
    ('n',)
    """
    return ex.zeros(declarations({"X": sizes})["X"].shape)


@strict
def eye(size: str | int) -> Expr:
    """Make the identity matrix; ``size`` is a name or a number.

    Raises ShapeProblem for what is no size.

    >>> print(eye("n") @ vector("x", "n"))
    x
    """
    return ex.eye(declarations({"x": (size,)})["x"].shape[0])


def table_function(name: str) -> Callable[..., Expr]:
    """The function of the table with this name, on expressions and numbers."""

    def function(*args: object) -> Expr:
        given = [ex.as_expr(a) for a in args]
        return abbreviation(name, given) if name in MACROS else ex.call(name, *given)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (MACROS[name] if name in MACROS else BY_NAME[name]).doc
    return function


# ---- functions of one's own ----------------------------------------------------------------------


@within_limits("adding a function")
@strict
def function(
    name: str,
    definition: Any = None,
    *,
    meaning: str = "",
    signature: str = EACH_ENTRY,
    rule: str = "",
    domain: tuple[float, float] = (-INFINITY, INFINITY),
) -> Callable[..., Expr]:
    """Add a function to the language, and return it as a Python function of expressions.

    It is either elementwise, given by a ``definition``, or a function of one or two matrices, given
    by its ``meaning``, ``signature`` and ``rule``. Its derivative is verified before it is added.

    Arguments:

    * ``name``: letters, digits and ``_``; not a name that the language reads otherwise.
    * ``definition``: a SymPy expression in one symbol. Its derivative is SymPy's.
    * ``domain``: the interval of real numbers on which ``definition`` is defined.
    * ``meaning``: the function as a text, in the arguments ``x`` and ``w``: ``sum(x.^2)``.
    * ``signature``: two axes for each argument and for the result. A letter is an axis of any
      length, a digit is a length, and equal letters are equal lengths: ``ij,jk->ik`` for a product,
      ``i1->11`` for a scalar of a vector, ``ij->(ji)1`` for the stacked columns.
    * ``rule``: the differential, a sum of terms. Each term is one ``dx[i,j]`` or ``dw[k,l]`` among
      factors in ``x``, ``w`` and the result ``y``, in any order and with spaces between them. The
      letters in brackets name axes; one that is not in the result is summed.

    Raises SyntaxProblem, NameProblem or ShapeProblem, with the position, for a text that cannot be
    read or does not fit; OptionProblem if the arguments do not say one function; Unsupported for a
    definition without a form in matcalc; WrongAnswer if the derivative is refuted; LimitProblem
    past ten seconds; TypeError for an argument of a wrong type.

    >>> import sympy
    >>> t = sympy.Symbol("t")
    >>> softsign = function("softsign", t / sympy.sqrt(1 + t**2))
    >>> from matcalc import derive
    >>> print(derive("sum(softsign(A*x))", "x").gradient)
    A'*(1./sqrt((A*x).^2 + 1) - (A*x).^2./((A*x).^2 + 1).^(1.5))
    >>> rule = "2 x[i,j] dx[i,j]"
    >>> energy = function("energy", meaning="sum(x.^2)", signature="ij->11", rule=rule)
    >>> print(derive("energy(A*X)", "X").gradient)
    2*A'*A*X
    >>> remove_function("softsign"); remove_function("energy")
    """
    texts = {"name": name, "meaning": meaning, "signature": signature, "rule": rule}
    for parameter, text in texts.items():
        text_of(text, f"the {parameter} of a function")
    if definition is None:
        row = _of_matrices(name, meaning, signature, rule)
    elif meaning or rule or signature != EACH_ENTRY:
        raise OptionProblem(
            f"{name} has a definition, and a meaning, a signature or a rule", "give either"
        )
    else:
        row = _elementwise(name, definition, _interval(domain))
    register(row)
    try:
        _prove(row)
    except BaseException:
        forget(name)
        raise
    return table_function(name)


@strict
def remove_function(name: str) -> None:
    """Take a function that was added out of the language again.

    Raises NameProblem if there is none of this name, TypeError for what is no text.

    >>> texts = {"signature": "ij->11", "rule": "3 (x.^2)[i,j] dx[i,j]"}
    >>> cubes = function("cubes", meaning="sum(x.^3)", **texts)
    >>> remove_function("cubes")
    """
    forget(name)


def _of_matrices(name: str, meaning: str, signature: str, rule: str) -> Row:
    """A row from texts; raises OptionProblem if one of them is missing."""
    if not meaning or not rule:
        raise OptionProblem(f"{name} needs a SymPy expression, or a meaning and a rule")
    return Row(name, f"{meaning}, added by the user", signature, rule=rule, exact=meaning)


def _interval(domain: object) -> tuple[float, float]:
    """A domain, if it is two numbers in order; raises TypeError or OptionProblem."""
    if not isinstance(domain, (tuple, list)) or len(domain) != 2:
        raise TypeError(f"domain is a pair of numbers, (low, high), not {described(domain)}")
    for end in domain:
        if isinstance(end, bool) or not isinstance(end, Real):
            raise TypeError(f"an end of domain is a number, not {described(end)}")
    low, high = map(float, domain)
    if not low < high:  # nan is not, either
        raise OptionProblem(f"domain is ({low}, {high})", "it is (low, high) with low < high")
    return low, high


def _elementwise(name: str, definition: Any, domain: tuple[float, float]) -> Row:
    """A row from a SymPy expression in one symbol."""
    if not hasattr(definition, "free_symbols") or not hasattr(definition, "diff"):
        raise TypeError(
            f"the definition of {name} is a SymPy expression, not {type(definition).__name__}"
        )
    symbols = sorted(definition.free_symbols, key=str)
    if len(symbols) != 1:
        raise OptionProblem(
            f"the definition of {name} has {len(symbols)} symbols", "it must have exactly one"
        )
    if not getattr(symbols[0], "is_Symbol", False):
        raise OptionProblem(
            f"the definition of {name} is of {symbols[0]}, which is no number",
            "it must be of a Symbol",
        )
    x = type(symbols[0])("x", real=True)  # of a complex number abs has no derivative
    value = definition.subs(symbols[0], x)
    exact, slope = _entrywise(value), _entrywise(value.diff(x))
    return Row(
        name,
        f"{exact}, added by the user",
        derivative=slope,
        exact=exact,
        domain=domain,
        transpose="commutes",
    )


def _entrywise(definition: Any) -> str:
    """A SymPy expression in x as a text of the table, with entry-by-entry operators."""
    from ..interop import from_sympy

    scalar = from_sympy(definition)
    if not isinstance(scalar, Expr):
        raise Unsupported(
            f"the definition {definition} has no matrix form", "it must be a function of one scalar"
        )
    return str(simplify(scalar)).translate({ord(c): f".{c}" for c in "*/^"})


def _prove(row: Row) -> None:
    """Verify the derivative of a row on a generic scalar of it.

    Raises WrongAnswer with what the numbers say.
    """
    from ..language.program import Program
    from ..proof.verify import verify
    from .derive import unverified

    args = generic_arguments(row)
    value = ex.call(row.name, *args)
    weight = ex.var("C", value.shape_)
    total = ex.total(ex.times(weight, value))
    program = Program(total, {}, {v.name: v for v in (weight, *args)})
    for argument, d in zip(ARGUMENTS, unverified(program, args), strict=False):
        verification = verify(total, d.wrt, d.result)
        if not verification.ok:
            raise WrongAnswer(
                f"the derivative of {row.name} by {argument} is not verified", str(verification)
            )
