"""What can go wrong, said in one line: what, where, and what would be right."""

from __future__ import annotations


class MatcalcError(Exception):
    """Base of every error that matcalc raises on purpose.

    ``hint`` says what would be right; ``span`` is the half-open range of the offending characters in ``text``,
    filled in by whoever knows it (a constructor raises the fact, the parser adds the place).
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
        """The offending line with carets under it, cut to ``width`` characters; empty when the place is unknown.

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
        visible = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line[shift : shift + width])
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

    ``resource`` names what ran out where that is the budget: ``seconds``, ``nodes``, ``terms`` or ``bytes``.
    """

    resource = ""


class NotDifferentiable(MatcalcError):
    """The table holds no proven derivative for this function in this place: refused by name."""


class NoMatrixForm(MatcalcError):
    """The derivative exists, but no arrangement in matrix notation does (treewidth above two)."""


class NotSeparable(MatcalcError):
    """An expression that is no sum over the rows, so that blocks of rows cannot be added up: refused by name."""


class WrongAnswer(MatcalcError):
    """Derivation and verification disagree: a defect of matcalc, never shown as an answer."""
