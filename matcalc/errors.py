"""Errors, each said in one line: what is wrong, where, and what would be right."""

from __future__ import annotations

from math import isfinite
from numbers import Real
from operator import index

from .options import strict


@strict
class MatcalcError(Exception):
    """Base of every error that matcalc raises on purpose.

    ``message`` says what is wrong, ``hint`` what would be right. ``span`` is the half-open range of
    the offending characters in ``text``, filled in by whoever knows it: a constructor raises the
    fact, the parser adds the position.

    >>> import matcalc as mc
    >>> try:
    ...     mc.parse("A*tanhh(x)")
    ... except mc.MatcalcError as error:
    ...     print(error)
    ...     print(error.caret())
    unknown function 'tanhh' — did you mean tanh?
    A*tanhh(x)
      ^^^^^
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.text: str | None = None
        self.span: tuple[int, int] | None = None

    def at(self, text: str, span: tuple[int, int] | None) -> MatcalcError:
        """Add the position, unless a more precise one is already known."""
        if self.span is None and span is not None:
            self.text, self.span = text, span
        return self

    def __str__(self) -> str:
        return f"{self.message} — {self.hint}" if self.hint else self.message

    def caret(self, width: int = 72) -> str:
        """The offending line with carets under it, cut to ``width`` characters.

        Empty when the position is unknown.

        >>> error = SyntaxProblem("unexpected ')'").at("a + )", (4, 5))
        >>> print(error.caret())
        a + )
            ^
        """
        if self.text is None or self.span is None:
            return ""
        start, stop = self.span
        line_start = self.text.rfind("\n", 0, start) + 1
        line_stop = self.text.find("\n", start)
        line = self.text[line_start : len(self.text) if line_stop < 0 else line_stop]
        column = start - line_start
        shift = max(0, column - width // 2)
        visible = "".join(
            c if c.isprintable() else "\N{REPLACEMENT CHARACTER}"
            for c in line[shift : shift + width]
        )
        marks = "^" * max(1, min(stop - start, width - (column - shift), len(line) - column))
        return f"{visible}\n{' ' * (column - shift)}{marks}"


class SyntaxProblem(MatcalcError):
    """A text that is no expression: a character, a bracket or an operator is wrong.

    >>> import matcalc as mc
    >>> mc.parse("X*(w - y")
    Traceback (most recent call last):
    ...
    matcalc.errors.SyntaxProblem: '(' is never closed
    """


class NameProblem(MatcalcError):
    """A name that does not exist, is taken, or is used as what it is not.

    >>> import matcalc as mc
    >>> mc.parse("tanhh(x)")
    Traceback (most recent call last):
    ...
    matcalc.errors.NameProblem: unknown function 'tanhh' — did you mean tanh?
    """


# The next three are kinds of NameProblem, because the code of users that was written before they
# existed catches that one.


class Unsupported(NameProblem):
    """A request that is well formed, but that matcalc, SymPy or a method cannot do.

    >>> import matcalc as mc
    >>> mc.minimize("sum(x.^2)", "x", method="cg", shapes="x: 2", bounds=(0, 1))
    Traceback (most recent call last):
    ...
    matcalc.errors.Unsupported: cg knows no bounds — use L-BFGS or trust-constr
    """


class OptionProblem(NameProblem):
    """A wrong choice or value of an option: an order, a layout, a method, a target, a seed.

    >>> import matcalc as mc
    >>> mc.derive("x'*x", "x", order=9)
    Traceback (most recent call last):
    ...
    matcalc.errors.OptionProblem: order 9 — orders are 1 to 6
    """


class MissingData(NameProblem):
    """Data that a computation needs and was not given: an argument, a size, an earlier pass.

    >>> import matcalc as mc
    >>> mc.parse("X*w").compile()(w=[1.0, 2.0])
    Traceback (most recent call last):
    ...
    matcalc.errors.MissingData: missing argument X — the function takes X, w
    """


class ShapeProblem(MatcalcError):
    """Sizes that do not fit together, or an array that is not what its variable is declared to be.

    >>> import matcalc as mc
    >>> mc.parse("X + y", "X: m×n; y: k")
    Traceback (most recent call last):
    ...
    matcalc.errors.ShapeProblem: cannot add m×n and k
    """


class LimitProblem(MatcalcError):
    """An input that is too long, too deep or too large.

    ``resource`` names what ran out where that is the budget: ``seconds``, ``nodes``, ``terms`` or
    ``bytes``; otherwise it is empty.

    >>> import matcalc as mc
    >>> mc.parse("x" * 500_000)
    Traceback (most recent call last):
    ...
    matcalc.errors.LimitProblem: the text has 500000 characters — the limit is 400000
    """

    resource = ""


class NotDifferentiable(MatcalcError):
    """A function for which the table has no proven derivative where one is needed.

    >>> import matcalc as mc
    >>> mc.derive("sum(expm(X))", "X", order=2)
    Traceback (most recent call last):
    ...
    matcalc.errors.NotDifferentiable: the derivative of expm_frechet is not in the table here
    """


class NoMatrixForm(MatcalcError):
    """A result that exists, but not in the matrix notation that was asked for.

    It is raised where

    * a derivative of more than two axes, or the change of an expression, is wanted as one matrix;
    * the factors of a term share their axes in a way that products, transposes and Kronecker
      products cannot write (their graph has a treewidth above two);
    * a Kronecker form, a numerator layout or a SymPy matrix is asked of an answer that has none.

    The index form, ``derive(…).result``, holds such a result.

    >>> import matcalc as mc
    >>> mc.derive("x'*x", "x").kronecker()
    Traceback (most recent call last):
    ...
    matcalc.errors.NoMatrixForm: the derivative is a matrix already
    """


class NotSeparable(MatcalcError):
    """An expression that is no sum over rows, so that blocks of rows cannot be added up.

    >>> import matcalc as mc
    >>> mc.distribute("logsumexp(X*w)", "w", rows="m", shapes="X: m×n")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    matcalc.errors.NotSeparable: logsumexp(X*w) takes all samples together — ...
    """


class WrongAnswer(MatcalcError):
    """A derivative that its verification refutes; it is never shown as an answer.

    From :func:`matcalc.function` it says that the given rule is wrong, from anywhere else it is a
    defect of matcalc.

    >>> import matcalc as mc
    >>> wrong = {"meaning": "sum(x.^2)", "signature": "ij->11", "rule": "x[i,j] dx[i,j]"}
    >>> mc.function("energy", **wrong)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    matcalc.errors.WrongAnswer: the derivative of energy by x is not verified — ...
    """


# ---- arguments of public functions ---------------------------------------------------------------


def check_real(name: str, array: object) -> None:
    """Raise ShapeProblem for an array of complex numbers, of which formulas of real ones make
    nonsense.
    """
    dtype = getattr(array, "dtype", type(array).__name__)
    if "complex" in str(dtype):
        hint = "give their real and imaginary parts as variables of their own"
        raise ShapeProblem(f"{name} has complex numbers", hint)


def described(value: object) -> str:
    """A value for a message: texts and numbers as they are, cut short, anything else by its type.

    >>> described("w"), described(2.5), described(None), described(object())
    ("'w'", '2.5', 'None', 'a value of type object')
    """
    if value is None or isinstance(value, (str, int, float, complex)):
        shown = repr(value)
        return shown if len(shown) <= 42 else f"{shown[:40]}…"
    return f"a value of type {type(value).__name__}"


def whole_number(value: object, name: str, least: int = 0) -> int:
    """An argument that must be a whole number of at least some size.

    Raises TypeError or OptionProblem, which name it.

    >>> whole_number(3, "seed")
    3
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} is a whole number, not {described(value)}")
    try:
        number = index(value)
    except TypeError:  # an array of several numbers, which has an __index__ that refuses
        raise TypeError(f"{name} is a whole number, not {described(value)}") from None
    if number < least:
        raise OptionProblem(f"{name} is {number}", f"it must be {least} or more")
    return number


def text_of(value: object, name: str) -> str:
    """An argument that must be a text; raises TypeError, which names it."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is a text, not {described(value)}")
    return value


def flag(value: object, name: str) -> bool:
    """An argument that must be True or False; raises TypeError, which names it."""
    if not isinstance(value, bool) and type(value).__name__ != "bool":
        raise TypeError(f"{name} is True or False, not {described(value)}")
    return bool(value)


def number(value: object, name: str) -> float:
    """An argument that must be a finite number.

    Raises TypeError or OptionProblem, which name it.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} is a number, not {described(value)}")
    if not isfinite(value):
        raise OptionProblem(f"{name} is {described(value)}", "it must be finite")
    return float(value)
