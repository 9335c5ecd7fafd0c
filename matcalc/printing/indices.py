"""Index forms as text and as LaTeX: each factor with its indices; an index that is not an output is summed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from ..expr import Expr, postorder, written_names
from ..labels import Factor, Term, is_one, is_wire
from .latex import latex
from .names import SPELLINGS, spelling, spelling_notes
from .text import ATOM, SIGN, number, pieces, text

if TYPE_CHECKING:
    from ..index import IndexForm, Root


def index_text(form: IndexForm, taken: Collection[str] = ()) -> str:
    """``A[i,k]*B[l,j]``, with ``I`` for the identity and ``1`` for ones; letters and constants give way to names that are ``taken``."""
    taken = {*taken, *written_names(postorder(*form.factors))}

    def body(t: Term) -> str:
        letters = form.letters(t, taken)
        head = [] if abs(t.coefficient) == 1 and t.factors else [number(abs(t.coefficient))]
        return "*".join([*head, *(_text(f, [letters[i] for i in f.labels], taken) for f in t.factors)])

    return _signed(form, body)


def root_text(root: Root, taken: Collection[str] = ()) -> str:
    """The text of an expression or an index form beside the names that are ``taken``."""
    return text(root, None, taken) if isinstance(root, Expr) else index_text(root, taken)


def root_notes(root: Root, taken: Collection[str] = ()) -> list[str]:
    """What is said of constants that are not spelled as usual."""
    nodes = postorder(root) if isinstance(root, Expr) else postorder(*root.factors)
    used = [e.head for e in nodes if e.head in SPELLINGS]
    if not isinstance(root, Expr) and any(is_wire(f) for t in root.bag.terms for f in t.factors):
        used.append("identity")
    return list(spelling_notes(used, {*taken, *written_names(nodes)}))


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


def _text(f: Factor, letters: list[str], taken: Collection[str]) -> str:
    piece = pieces(f.expr, {}, taken)[f.expr]
    if not letters:
        return piece.at(SIGN)
    name = spelling("identity", taken) if is_wire(f) else "1" if is_one(f) else piece.at(ATOM)
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
