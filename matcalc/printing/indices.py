"""Index forms as text and as LaTeX: each factor with its indices.

An index that is not an output is summed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from ..expr import Expr, postorder, written_names
from ..labels.bag import Factor, Term, is_one, is_wire
from .constants import SPELLINGS, spelling, spelling_notes
from .latex import latex, symbols_of, written
from .symbols import Symbols
from .text import ATOM, SIGN, number, pieces, text

LETTER = re.compile(r"\\?[A-Za-z]+")

if TYPE_CHECKING:
    from ..labels.index_form import IndexForm
    from ..labels.roots import Root


def index_text(form: IndexForm, taken: Collection[str] = ()) -> str:
    """``A[i,k]*B[l,j]``, with ``I`` for the identity and ``1`` for ones.

    Letters and constants give way to names that are ``taken``.
    """
    taken = {*taken, *written_names(form.written_nodes)}

    def body(t: Term) -> str:
        letters = form.letters(t, taken)
        head = [] if abs(t.coefficient) == 1 and t.factors else [number(abs(t.coefficient))]
        return "*".join(
            [*head, *(_text(f, [letters[i] for i in f.labels], taken) for f in t.factors)]
        )

    return _signed(form, body)


def root_text(root: Root, taken: Collection[str] = ()) -> str:
    """The text of an expression or an index form beside the names that are ``taken``."""
    return text(root, None, taken) if isinstance(root, Expr) else index_text(root, taken)


def root_notes(root: Root, taken: Collection[str] = ()) -> list[str]:
    """What is said of constants that are not spelled as usual."""
    nodes = _written_nodes(root)
    used = [e.head for e in nodes if e.head in SPELLINGS]
    if not isinstance(root, Expr) and any(is_wire(f) for t in root.bag.terms for f in t.factors):
        used.append("identity")
    return list(spelling_notes(used, {*taken, *written_names(nodes)}))


def index_latex(form: IndexForm, taken: Collection[str] = ()) -> str:
    """``A_{ik}B_{lj}``, with δ for the identity.

    Nothing looks like another name, be it one that is ``taken`` elsewhere.
    """
    symbols = _symbols(form, taken)
    taken = {*taken, *written_names(form.written_nodes)}

    def body(t: Term) -> str:
        letters = form.letters(t, taken)
        head = [] if abs(t.coefficient) == 1 and t.factors else [_latex_number(t)]
        return r"\,".join(
            [*head, *(_latex(f, [letters[i] for i in f.labels], symbols) for f in t.factors)]
        )

    return _signed(form, body)


def root_latex(root: Root, taken: Collection[str] = ()) -> str:
    """The LaTeX of an expression or an index form beside the names that are ``taken``."""
    return latex(root, None, taken) if isinstance(root, Expr) else index_latex(root, taken)


def root_latex_notes(root: Root, taken: Collection[str] = ()) -> list[str]:
    """What is said of names that are not written as usual in LaTeX."""
    nodes = _written_nodes(root)
    symbols = symbols_of(nodes, taken) if isinstance(root, Expr) else _symbols(root, taken)
    return list(symbols.notes(written_names(nodes)))


def _symbols(form: IndexForm, taken: Collection[str]) -> Symbols:
    return symbols_of(form.written_nodes, taken, {f.name for f in form.factors if f.head == "var"})


def _written_nodes(root: Root) -> list[Expr]:
    return postorder(root) if isinstance(root, Expr) else root.written_nodes


def _signed(form: IndexForm, body: Callable[[Term], str]) -> str:
    out = ""
    for t in form.bag.terms:
        minus = t.coefficient < 0
        out += (("-" if minus else "") if not out else (" - " if minus else " + ")) + body(t)
    return out or "0"


def _text(f: Factor, letters: list[str], taken: Collection[str]) -> str:
    piece = pieces(f.expr, {}, taken)[f.expr]
    if not letters:
        return piece.at(SIGN)
    name = spelling("identity", taken) if is_wire(f) else "1" if is_one(f) else piece.at(ATOM)
    return f"{name}[{','.join(letters)}]"


def _latex_number(t: Term) -> str:
    k = abs(t.coefficient)
    return str(k) if k.denominator == 1 else rf"\tfrac{{{k.numerator}}}{{{k.denominator}}}"


def _latex(f: Factor, letters: list[str], symbols: Symbols) -> str:
    shown = written(f.expr, {}, symbols)
    if not letters:
        return rf"\left({shown}\right)" if f.expr.head in ("add", "times") else shown
    if is_wire(f):
        name = symbols.spelled(r"\delta", "eye")
    elif is_one(f):
        name = r"\mathbf{1}"
    else:
        name = shown if LETTER.fullmatch(shown) else rf"\left[{shown}\right]"
    return f"{name}_{{{''.join(letters)}}}"
