"""Expressions from Python: variables, the functions of the table, and functions of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .. import expr as ex
from ..calculus.simplify import simplify
from ..errors import NameProblem, ShapeProblem, WrongAnswer
from ..expr import Expr
from ..expr.sizes import UNIT, Shape, Size, show_shape
from ..language.declarations import declarations
from ..language.elaborate import abbreviation, template
from ..language.user_functions import ARGUMENTS, forget, register
from ..options import strict
from ..tables.functions import BY_NAME, INFINITY, MACROS, Row


@strict
def matrix(name: str, rows: str | int, columns: str | int, *properties: str) -> Expr:
    """A matrix variable, of named or numeric sizes.

    >>> matrix("S", "n", "n", "spd")
    <S : n×n>
    """
    return _variable(name, f"{rows}×{columns} {' '.join(properties)}")


@strict
def vector(name: str, size: str | int, *properties: str) -> Expr:
    """A column vector variable.

    >>> (matrix("X", "m", "n") @ vector("w", "n")).shape
    ('m',)
    """
    return _variable(name, f"{size} {' '.join(properties)}")


@strict
def scalar(name: str, *properties: str) -> Expr:
    """A scalar variable; with ``integer`` a whole number, as sizes are, such as the exponent of a
    matrix.

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
    """The product entry by entry, ``.*`` in the typed language."""
    return ex.times(*map(ex.as_expr, factors))


@strict
def ones(*sizes: str | int) -> Expr:
    """A vector, or a matrix, of ones.

    >>> ones("m", "n")
    <ones(m, n) : m×n>
    """
    return ex.ones(declarations({"X": sizes})["X"].shape)


@strict
def zeros(*sizes: str | int) -> Expr:
    """A vector, or a matrix, of zeros."""
    return ex.zeros(declarations({"X": sizes})["X"].shape)


@strict
def eye(size: str | int) -> Expr:
    """The identity matrix."""
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


@strict
def function(
    name: str,
    definition: Any = None,
    *,
    meaning: str = "",
    signature: str = "ij->ij",
    rule: str = "",
    domain: tuple[float, float] = (-INFINITY, INFINITY),
) -> Callable[..., Expr]:
    """Add a function to the language, and return it as a Python function.

    Either an elementwise function by a SymPy expression in one symbol (its derivative is SymPy's),
    or a matrix function by its ``meaning`` in matcalc's language (arguments ``x`` and ``w``), its
    ``signature`` and its differential, a ``rule`` in the notation of the table of functions. The
    derivative is verified against the meaning before the function is accepted. Raises NameProblem
    for a name that is taken and WrongAnswer for a rule that is wrong.

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
        if not isinstance(text, str):
            raise TypeError(f"the {parameter} of a function is a text, not {type(text).__name__}")
    if definition is not None:
        row = _elementwise(name, definition, domain)
    elif meaning and rule:
        row = Row(name, f"{meaning}, added by the user", signature, rule=rule, exact=meaning)
    else:
        raise NameProblem(f"{name} needs a SymPy expression, or a meaning and a rule")
    register(row)
    try:
        _prove(row)
    except Exception:
        forget(name)
        raise
    return table_function(name)


@strict
def remove_function(name: str) -> None:
    """Take a function that was added out of the language again.

    Raises NameProblem if there is none.
    """
    forget(name)


def _elementwise(name: str, definition: Any, domain: tuple[float, float]) -> Row:
    """A row from a SymPy expression in one symbol."""
    if not hasattr(definition, "free_symbols") or not hasattr(definition, "diff"):
        raise TypeError(
            f"the definition of {name} is a SymPy expression, not {type(definition).__name__}"
        )
    symbols = sorted(definition.free_symbols, key=str)
    if len(symbols) != 1:
        raise NameProblem(
            f"the definition of {name} has {len(symbols)} symbols", "it must have exactly one"
        )
    if not getattr(symbols[0], "is_Symbol", False):
        raise NameProblem(
            f"the definition of {name} is of {symbols[0]}, which is no number",
            "it must be of a Symbol",
        )
    value, slope = (_entrywise(e, symbols[0]) for e in (definition, definition.diff(symbols[0])))
    return Row(
        name,
        f"{value}, added by the user",
        derivative=slope,
        exact=value,
        domain=domain,
        transpose="commutes",
    )


def _entrywise(definition: Any, symbol: Any) -> str:
    """A SymPy expression in one symbol as a text of the table, in x and with entry-by-entry
    operators.
    """
    from ..interop import from_sympy

    found = from_sympy(definition.subs(symbol, type(symbol)("x")))
    if not isinstance(found, Expr):
        raise NameProblem(
            f"the definition {definition} has no matrix form", "it must be a function of one scalar"
        )
    scalar_text = str(simplify(found))
    return scalar_text.translate({ord(c): f".{c}" for c in "*/^"})


def _prove(row: Row) -> None:
    """Verify the derivative of a row on a generic scalar of it.

    Raises WrongAnswer with what the numbers say.
    """
    from ..language.program import Program
    from ..proof.verify import verify
    from .derive import unverified

    args = [ex.var(f"X{k}", shape) for k, shape in enumerate(_generic_shapes(row))]
    value = ex.call(row.name, *args)
    if row.exact and not row.elementwise:
        _check_meaning(row, args, value)
    weight = ex.var("C", value.shape_)
    total = ex.total(ex.times(weight, value))
    program = Program(total, {}, {v.name: v for v in (weight, *args)})
    for argument, d in zip(ARGUMENTS, unverified(program, args), strict=False):
        verification = verify(total, d.wrt, d.result)
        if not verification.ok:
            raise WrongAnswer(
                f"the derivative of {row.name} by {argument} is not verified", str(verification)
            )


def _generic_shapes(row: Row) -> Iterator[Shape]:
    """A shape for each argument: a size for each letter of the signature."""
    sizes: dict[str, Size] = {"1": UNIT}
    for axes in ex.signature_axes(row)[0]:
        rows, cols = (
            tuple(
                a
                for letter in axis
                for a in sizes.setdefault(
                    letter, (int(letter) if letter.isdigit() else f"n{letter}",)
                )
            )
            for axis in axes
        )
        yield (rows, rows) if row.square else (rows, cols)


def _check_meaning(row: Row, args: list[Expr], value: Expr) -> None:
    """Raise ShapeProblem if a meaning has another shape than the signature says."""
    meant = template(row.exact, dict(zip(ARGUMENTS, args, strict=False)))
    if meant.shape_ != value.shape_:
        said, is_ = show_shape(value.shape_), show_shape(meant.shape_)
        raise ShapeProblem(f"the meaning of {row.name} is {is_}, its signature says {said}")
