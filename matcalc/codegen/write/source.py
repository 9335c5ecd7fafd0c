"""Generated source, and the pieces of text that it is made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from ...expr import Expr
from ...expr.sizes import Atom, Size, Sum
from ...labels.roots import Root

SUM, PRODUCT, SIGN, POWER, ATOM = range(5)
# bits of the whole numbers that are all exact, and of those that are finite, in double precision
EXACT, LARGEST = 53, 1023
BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")


@dataclass(frozen=True, slots=True)
class Code:
    """A piece of source, how tightly it binds, and how deep its brackets go."""

    text: str
    level: int
    depth: int = 0

    def at(self, level: int) -> str:
        return self.text if self.level >= level else f"({self.text})"


def level_of(text: str) -> int:
    """How tightly a template binds."""
    bare, inner = text, ""
    while bare != inner:
        bare, inner = BRACKETS.sub("", bare), bare
    if re.search(r" [-+<>] | if ", bare) or bare.startswith("-"):
        return SUM
    return PRODUCT if re.search(r"[*/@]", bare) else ATOM


@dataclass(frozen=True)
class Source:
    """The source of one function, and what it takes."""

    text: str
    name: str
    parameters: Mapping[str, str]  # name in the source -> name of the variable or size
    roots: tuple[Root, ...]
    variables: tuple[Expr, ...]
    sizes: tuple[str, ...] = ()  # sizes that no argument shows
    # the matrix, and the number of its entries, from which it is for
    least: tuple[str, int] = ("", 0)
    large: Source | None = None  # what runs instead on large arrays

    @property
    def body(self) -> str:
        """The lines of the function after its docstring."""
        lines = self.text[self.text.rindex("\ndef ") :].split("\n")
        start = max((i for i, line in enumerate(lines) if line.endswith('"""')), default=1)
        return "\n".join(lines[start + 1 :]).rstrip()


def size_text(size: Size, name: Callable[[str], str], alone: bool = False) -> str:
    """A length as source; sums of sizes in brackets, unless they stand ``alone``.

    >>> size_text(("n", 2), str)
    'n*2'
    """
    text = "*".join(_atom_text(a, name) for a in size) or "1"
    return text[1:-1] if alone and len(size) == 1 and text.startswith("(") else text


def _atom_text(a: Atom, name: Callable[[str], str]) -> str:
    """A name, a number, or a sum of sizes in brackets."""
    if isinstance(a, Sum):
        text = _sum_text(a, name)
        return f"({text})" if " " in text else text
    return str(a) if isinstance(a, int) else name(str(a))


def _sum_text(a: Sum, name: Callable[[str], str]) -> str:
    total = ""
    for size, k in a.terms:
        text = size_text(size, name)
        text = f"{abs(k)}*{text}" if abs(k) > 1 else text
        total = with_term(total, negated(text) if k < 0 else text)
    if a.constant or not total:
        total = with_term(total, str(a.constant))
    return total


def with_term(total: str, term: str) -> str:
    """A sum with one more term, whose own minus is the sign before it.

    >>> with_term("a", "-b*c"), with_term("", "-b")
    ('a - b*c', '-b')
    """
    if not total:
        return term
    return f"{total} - {term[1:]}" if term.startswith("-") else f"{total} + {term}"


def negated(term: str) -> str:
    """A term with the other sign."""
    return term[1:] if term.startswith("-") else f"-{term}"


def number(q: Fraction) -> str:
    """A rational number as source: 2, 0.5, 1/3, 1e+20."""
    if q.denominator == 1:
        # no library has whole numbers that are larger than the exact ones
        too_large = EXACT < q.numerator.bit_length() <= LARGEST
        return repr(float(q)) if too_large else str(q.numerator)
    text = repr(float(q))
    return text if Fraction(text) == q else f"{q.numerator}/{q.denominator}"
