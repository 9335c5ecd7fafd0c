"""Index forms as text and as LaTeX: each factor with its indices; an index that is not an output is summed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..labels import Factor, Term, is_one, is_wire
from .latex import latex
from .text import ATOM, SIGN, number, pieces

if TYPE_CHECKING:
    from ..index import IndexForm


def index_text(form: IndexForm) -> str:
    """``A[i,k]*B[l,j]``, with ``I`` for the identity and ``1`` for ones."""
    return _signed(form, lambda t: "*".join(_parts(form, t, _text, number(abs(t.coefficient)))))


def index_latex(form: IndexForm) -> str:
    """``A_{ik}B_{lj}``, with δ for the identity."""
    return _signed(form, lambda t: r"\,".join(_parts(form, t, _latex, _latex_number(t))))


def _signed(form: IndexForm, body: Callable[[Term], str]) -> str:
    out = ""
    for t in form.bag.terms:
        minus = t.coefficient < 0
        out += (("-" if minus else "") if not out else (" - " if minus else " + ")) + body(t)
    return out or "0"


def _parts(form: IndexForm, t: Term, write: Callable[[Factor, list[str]], str], coefficient: str) -> list[str]:
    letters = form.letters(t)
    head = [] if coefficient == "1" and t.factors else [coefficient]
    return [*head, *(write(f, [letters[i] for i in f.labels]) for f in t.factors)]


def _text(f: Factor, letters: list[str]) -> str:
    piece = pieces(f.expr, {})[f.expr]
    if not letters:
        return piece.at(SIGN)
    name = "I" if is_wire(f) else "1" if is_one(f) else piece.at(ATOM)
    return f"{name}[{','.join(letters)}]"


def _latex_number(t: Term) -> str:
    k = abs(t.coefficient)
    return str(k) if k.denominator == 1 else rf"\tfrac{{{k.numerator}}}{{{k.denominator}}}"


def _latex(f: Factor, letters: list[str]) -> str:
    if not letters:
        return latex(f.expr) if f.expr.head not in ("add", "times") else rf"\left({latex(f.expr)}\right)"
    short = f.expr.head == "var" and len(f.expr.name) == 1
    name = r"\delta" if is_wire(f) else "1" if is_one(f) else latex(f.expr) if short else rf"\left[{latex(f.expr)}\right]"
    return f"{name}_{{{''.join(letters)}}}"
