"""What can go wrong, said in one line: what, where, and what would be right."""

from __future__ import annotations

from math import isfinite
from numbers import Real
from operator import index

from .options import strict


@strict
class MatcalcError(Exception):
    """Base of every error that matcalc raises on purpose.

    ``hint`` says what would be right; ``span`` is the half-open range of the offending characters
    in ``text``, filled in by whoever knows it (a constructor raises the fact, the parser adds the
    place).
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.text: str | None = None
        self.span: tuple[int, int] | None = None

    def at(self, text: str, span: tuple[int, int] | None) -> MatcalcError:
        """Add the place, unless a more precise one is already known."""
        if self.span is None and span is not None:
            self.text, self.span = text, span
        return self

    def __str__(self) -> str:
        return f"{self.message} — {self.hint}" if self.hint else self.message

    def caret(self, width: int = 72) -> str:
        """The offending line with carets under it, cut to ``width`` characters.

        Empty when the place is unknown.

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
    """The text is not an expression: a character, a bracket or an operator is wrong."""


class NameProblem(MatcalcError):
    """A function or a variable that does not exist."""


class ShapeProblem(MatcalcError):
    """Sizes that do not fit together."""


class LimitProblem(MatcalcError):
    """The input is too long, too deep or too large.

    ``resource`` names what ran out where that is the budget: ``seconds``, ``nodes``, ``terms`` or
    ``bytes``.
    """

    resource = ""


class NotDifferentiable(MatcalcError):
    """The table holds no proven derivative for this function in this place: refused by name."""


class NoMatrixForm(MatcalcError):
    """The derivative exists, but no arrangement in matrix notation does (treewidth above two)."""


class NotSeparable(MatcalcError):
    """An expression that is no sum over the rows, so that blocks of rows cannot be added up:
    refused by name.
    """


class WrongAnswer(MatcalcError):
    """Derivation and verification disagree: a defect of matcalc, never shown as an answer."""


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

    Raises TypeError or ShapeProblem, which name it.

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
        raise ShapeProblem(f"{name} is {number}", f"it must be {least} or more")
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
    """An argument that must be a finite number; raises TypeError or ShapeProblem, which name it."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} is a number, not {described(value)}")
    if not isfinite(value):
        raise ShapeProblem(f"{name} is {described(value)}", "it must be finite")
    return float(value)
