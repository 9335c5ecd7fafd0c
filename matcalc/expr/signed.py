"""Sums as text."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction


def joined(
    terms: Iterable[tuple[int | Fraction, str]], plus: str = " + ", minus: str = " - "
) -> str:
    """Join terms, each given by a number that has its sign and a text that has none.

    >>> joined([(1, "a"), (-2, "2*b"), (3, "3*c")])
    'a - 2*b + 3*c'
    >>> joined([(-1, "a")]), joined([])
    ('-a', '')
    """
    text = ""
    for number, body in terms:
        sign = minus if number < 0 else plus
        if not text:
            sign = minus.strip() if number < 0 else ""
        text += sign + body
    return text
