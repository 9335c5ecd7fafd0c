r"""Expressions in LaTeX, as a mathematician would typeset them.

Products are juxtaposed, ``\odot`` and ``\oslash`` work entry by entry, ``^{\odot 2}`` is a power of every entry. A sum never
broadcasts silently: ``X + 1`` is ``X + \mathbf{1}_{m \times n}``. The names of functions come from the table of functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from ..budget import room, spend
from ..expr import Expr, split, spread
from ..expr.blocks import grid, indexed
from ..expr.parts import Range, is_part, range_of
from ..functions import BY_NAME, Row
from ..sizes import UNIT, Size, Sum
from .text import INLINE_LIMIT, LONG, number, shared_parts

SUM, PRODUCT, FACTOR, ATOM, NAME = range(5)  # precedence, loose to tight; a NAME hides what it stands for
SMALL = 9  # a larger denominator is written as a decimal where that is exact

_LETTERS = {
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\epsilon", "ζ": r"\zeta", "η": r"\eta", "θ": r"\theta",
    "ι": r"\iota", "κ": r"\kappa", "λ": r"\lambda", "μ": r"\mu", "ν": r"\nu", "ξ": r"\xi", "ο": "o", "π": r"\pi", "ρ": r"\rho",
    "ς": r"\varsigma", "σ": r"\sigma", "τ": r"\tau", "υ": r"\upsilon", "φ": r"\phi", "χ": r"\chi", "ψ": r"\psi", "ω": r"\omega",
    "Γ": r"\Gamma", "Δ": r"\Delta", "Θ": r"\Theta", "Λ": r"\Lambda", "Ξ": r"\Xi", "Π": r"\Pi", "Σ": r"\Sigma", "Υ": r"\Upsilon",
    "Φ": r"\Phi", "Ψ": r"\Psi", "Ω": r"\Omega",
    **{greek: rf"\mathrm{{{latin}}}" for greek, latin in zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧ", "ABEZHIKMNOPTX", strict=True)},  # TeX has no command for these
}  # fmt: skip
_SPELLED = {tex[1:]: tex for tex in _LETTERS.values() if tex[1:].isalpha()} | {"lam": r"\lambda"}


@dataclass(frozen=True, slots=True)
class Piece:
    """The LaTeX of a node and how tightly it binds; of an inverse also its base, of a quotient what is below the line."""

    tex: str
    level: int
    inverse_of: str = ""
    below: Piece | None = None

    def at(self, level: int) -> str:
        return self.tex if self.level >= level else _in_brackets(self.tex)


Pieces = Mapping[Expr, Piece]


def latex(e: Expr, names: Mapping[Expr, str] | None = None) -> str:
    r"""The expression in LaTeX, without dollar signs; parts listed in ``names`` are written by their name.

    >>> from matcalc.shapes import typed
    >>> print(latex(typed("2*X'*(X*w - y)").expr))
    2X^{\top}\left(Xw - y\right)
    """
    if e.count > INLINE_LIMIT and not names:
        return _with_definitions(e)
    return _written(e, _symbols(names or {}))


def symbol(name: str) -> str:
    r"""The LaTeX of a matcalc name: subscripts for what follows ``_`` or for digits at the end, Greek where it is meant.

    >>> symbol("W1"), symbol("x_train"), symbol("lambda"), symbol("loss")
    ('W_{1}', 'x_{\\mathrm{train}}', '\\lambda', '\\mathit{loss}')
    """
    first, *below = name.split("_")
    letters, digits = re.fullmatch(r"(.+?)(\d*)", first, re.DOTALL).groups()  # type: ignore[union-attr]
    subscripts = [digits] * bool(digits) + [_word(part, "mathrm") or r"\_" for part in below]
    return _word(letters, "mathit") + (f"_{{{','.join(subscripts)}}}" if subscripts else "")


def _word(word: str, font: str) -> str:
    if word in _SPELLED or word.isdigit() or len(word) < 2:
        return _SPELLED.get(word) or _LETTERS.get(word, word)
    letters = "".join(f"{_LETTERS[c]} " if c in _LETTERS else c for c in word)
    return f"\\{font}{{{letters.strip()}}}"


def _with_definitions(e: Expr) -> str:
    """A large expression, after the definitions of its shared parts."""
    names = {part: name for part, (name, _) in shared_parts(e).items()}
    symbols = _symbols(names)
    lines = [f"{name.tex} &= {_written(part, symbols)}" for part, name in symbols.items()]
    return r"\begin{aligned}" + r" \\ ".join([*lines, f"& {_written(e, symbols)}"]) + r"\end{aligned}"


def _symbols(names: Mapping[Expr, str]) -> dict[Expr, Piece]:
    """The names of parts in LaTeX."""
    return {part: Piece(symbol(name), NAME) for part, name in names.items()}


def _written(root: Expr, symbols: Mapping[Expr, Piece]) -> str:
    """Write arguments before the nodes that use them; nothing below a named part is looked at."""
    done = dict(symbols)
    done.pop(root, None)
    stack, characters = [root], 0
    while stack:
        e = stack[-1]
        if e in done:
            stack.pop()
        elif missing := [part for part in _parts(e, done) if part not in done]:
            stack += missing
        else:
            done[e] = _WRITERS.get(e.head, _call)(e, done)
            characters += len(done[e].tex)
            spend(1 + len(done[e].tex) // LONG)
            room(characters)
    return done[root].tex


def _parts(e: Expr, done: Pieces) -> Iterable[Expr]:
    """The nodes whose LaTeX that of ``e`` is made of."""
    if e.head != "add":
        return e.args
    found = grid(e)
    return [core for _, core in _summands(e, done)] if found is None else [b for row in found for b in row if b is not None]


def _summands(e: Expr, done: Pieces) -> list[tuple[Fraction, Expr]]:
    """The terms of a sum, repeated over its whole shape, the positive ones first."""
    terms = ((Fraction(1), a) if _named(a, done) else split(spread(a, e.shape_)) for a in e.args)
    return sorted(terms, key=lambda term: term[0] < 0)


def _named(e: Expr, done: Pieces) -> bool:
    return e in done and done[e].level == NAME


# ---- joining --------------------------------------------------------------------------------------------------------------


def _in_brackets(tex: str) -> str:
    return f"\\left({tex}\\right)"


def _row(factors: Iterable[str]) -> str:
    """Juxtapose."""
    row = list(factors)
    return "".join(_gap(left, right) + right for left, right in zip(["", *row], row, strict=False))


def _gap(left: str, right: str) -> str:
    """The space that TeX, or the eye, needs between two factors."""
    if not left:
        return ""
    if right[0].isdigit():
        return r" \cdot "
    if r"\mathit" in (left[:7], right[:7]):
        return r"\,"
    return " " if right[0].isalpha() and re.search(r"\\[A-Za-z]+$", left) else ""


def _raised(base: str, exponent: str) -> str:
    return f"{base}^{{{exponent}}}"


def _size(size: Size) -> str:
    texts = (_sum_of_sizes(a) if isinstance(a, Sum) else symbol(a) if isinstance(a, str) else str(a) for a in size)
    return _row(_in_brackets(t) if isinstance(a, Sum) and len(size) > 1 else t for a, t in zip(size, texts, strict=True))


def _sum_of_sizes(a: Sum) -> str:
    terms = [f"{'-' if k < 0 else '+'} {_row([*([str(abs(k))] if abs(k) > 1 else []), _size(size)])}" for size, k in a.terms]
    terms += [f"{'-' if a.constant < 0 else '+'} {abs(a.constant)}"] if a.constant or not terms else []
    return " ".join(terms).removeprefix("+ ")


def _places(r: Range) -> str:
    first, last = map(_sum_of_sizes, (r.first, r.stop))
    return rf"{first} : {last}" if r.width else first


# ---- leaves, sums, matrix products -----------------------------------------------------------------------------------------


def _fraction(q: Fraction) -> Piece:
    """A number that is not negative."""
    shown = number(q)
    if q.denominator == 1 or (q.denominator > SMALL and "/" not in shown):
        return Piece(shown, ATOM)
    return Piece(rf"\tfrac{{{q.numerator}}}{{{q.denominator}}}", FACTOR)


def _number(e: Expr, _: Pieces) -> Piece:
    return _fraction(e.value) if e.value >= 0 else Piece("-" + _fraction(-e.value).tex, SUM)


def _constant(e: Expr, _: Pieces) -> Piece:
    if e.head == "eye":
        return Piece(f"I_{{{_size(e.shape_[0])}}}", ATOM)
    sizes = r" \times ".join(_size(s) for s in e.shape_ if s)
    constant = rf"\mathbf{{{'1' if e.head == 'ones' else '0'}}}_{{{sizes}}}"
    return Piece(_raised(constant, r"\top"), FACTOR) if e.shape_[0] == UNIT else Piece(constant, ATOM)


def _blocks(found: list[list[Expr | None]], done: Pieces) -> Piece:
    rows = [" & ".join("0" if b is None else done[b].tex for b in row) for row in found]
    return Piece(r"\begin{bmatrix} " + r" \\ ".join(rows) + r" \end{bmatrix}", ATOM)


def _sum(e: Expr, done: Pieces) -> Piece:
    if (found := grid(e)) is not None:
        return _blocks(found, done)
    out = ""
    for k, core in _summands(e, done):
        sign = " - " if k < 0 else " + "
        out += (sign if out else sign.strip(" +")) + _product(abs(k), core, done).at(PRODUCT)
    return Piece(out, SUM)


def _indexed(factor: Expr, rows: Range | None, cols: Range | None, done: Pieces) -> Piece:
    """A factor of which parts of the identity take rows and columns."""
    if rows is None and cols is None:
        return done[factor]
    places = [_places(r) if r else ":" for r, size in zip((rows, cols), factor.shape_, strict=True) if size]
    return Piece(rf"{_with_bars(done[factor])}_{{{', '.join(places)}}}", FACTOR)


def _with_bars(piece: Piece) -> str:
    """What may take a subscript: a letter as it is, anything else in brackets."""
    return piece.tex if re.fullmatch(r"\\?[A-Za-z]+", piece.tex) else _in_brackets(piece.tex)


def _part(e: Expr, _: Pieces) -> Piece:
    places = range_of(e)
    return Piece(rf"e_{{{_places(places)}}}" if not places.width else rf"{{I_{{{_size(e.shape_[0])}}}}}_{{:, {_places(places)}}}", FACTOR)


def _matmul(e: Expr, done: Pieces) -> Piece:
    if any(map(is_part, e.args)):
        pieces = [_indexed(*found, done) for found in indexed(e.args)]
        return Piece(_row([p.at(FACTOR) for p in pieces]), PRODUCT if len(pieces) > 1 else FACTOR)
    runs: list[tuple[Expr, int]] = []
    for a in e.args:
        if runs and runs[-1][0] is a and UNIT not in a.shape_:
            runs[-1] = (a, runs[-1][1] + 1)
        else:
            runs.append((a, 1))
    factors = [_repeated(done[a], k) for a, k in runs]
    return Piece(_row(factors), PRODUCT if len(factors) > 1 else FACTOR)


def _repeated(piece: Piece, k: int) -> str:
    """A factor, or a power of it."""
    if k == 1:
        return piece.at(FACTOR)
    return _raised(piece.inverse_of, f"-{k}") if piece.inverse_of else _raised(piece.at(ATOM), str(k))


def _transpose(e: Expr, done: Pieces) -> Piece:
    inner = done[e.args[0]]
    return Piece(_raised(inner.inverse_of, r"-\top") if inner.inverse_of else _raised(inner.at(ATOM), r"\top"), FACTOR)


# ---- commutative products and powers ----------------------------------------------------------------------------------------


def _times(e: Expr, done: Pieces) -> Piece:
    k, core = split(e)
    piece = _quotient(abs(k), _factors(core, done), done)
    return piece if k > 0 else Piece("-" + piece.at(PRODUCT), SUM)


def _product(k: Fraction, core: Expr, done: Pieces) -> Piece:
    """A positive number times a term."""
    if core.head == "num":
        return _fraction(k * core.value)
    return done[core] if k == 1 else _quotient(k, _factors(core, done), done)


def _factors(core: Expr, done: Pieces) -> tuple[Expr, ...]:
    return core.args if core.head == "times" and not _named(core, done) else (core,)


def _quotient(k: Fraction, factors: Iterable[Expr], done: Pieces) -> Piece:
    """Number, scalars and arrays in a row, over the scalars that have negative powers."""
    scalars = [done[f] for f in factors if f.is_scalar]
    above = [p for p in scalars if p.below is None]
    below = [p.below for p in scalars if p.below is not None]
    arrays = [done[f] for f in factors if not f.is_scalar]
    if arrays:
        above.append(_entrywise(arrays))
    if not below:
        return _in_a_row(k, above)
    over = _in_a_row(Fraction(k.numerator), above)
    under = _in_a_row(Fraction(k.denominator), below)
    return Piece(rf"\frac{{{over.tex}}}{{{under.tex}}}", FACTOR)


def _in_a_row(k: Fraction, pieces: list[Piece]) -> Piece:
    coefficient = [] if k == 1 and pieces else [_fraction(k)]
    if len(coefficient) + len(pieces) == 1:
        return (coefficient or pieces)[0]
    *scalars, last = pieces
    return Piece(_row([*(p.at(FACTOR) for p in (*coefficient, *scalars)), last.at(PRODUCT)]), PRODUCT)


def _entrywise(arrays: list[Piece]) -> Piece:
    """``A \\odot B \\oslash C``; a reciprocal with nothing above it is written as a power."""
    above = [p for p in arrays if p.below is None]
    below = [p.below for p in arrays if p.below is not None]
    if not above or not below:
        return _odot(arrays)
    over = _odot(above).at(PRODUCT if len(above) > 1 else FACTOR)
    return Piece(rf"{over} \oslash {_odot(below).at(FACTOR)}", PRODUCT)


def _odot(pieces: list[Piece]) -> Piece:
    return pieces[0] if len(pieces) == 1 else Piece(r" \odot ".join(p.at(FACTOR) for p in pieces), PRODUCT)


def _power(e: Expr, done: Pieces) -> Piece:
    base, exponent = e.args
    if exponent.head != "num":
        return Piece(_raised(done[base].at(ATOM), _odot_before(e, done[exponent].at(SUM if e.is_scalar else FACTOR))), FACTOR)
    k = exponent.value
    if k > 0:
        return _number_power(e, done[base], k)
    below = _number_power(e, done[base], -k)
    alone = rf"\frac{{1}}{{{below.tex}}}" if e.is_scalar else _raised(done[base].at(ATOM), _odot_before(e, str(k)))
    return Piece(alone, FACTOR, below=below)


def _matrix_power(e: Expr, done: Pieces) -> Piece:
    base, exponent = e.args
    return Piece(_raised(done[base].at(ATOM), done[exponent].at(SUM)), FACTOR)


def _number_power(e: Expr, base: Piece, k: Fraction) -> Piece:
    if k == 1:
        return base
    if k == Fraction(1, 2) and UNIT in e.shape_:  # of a matrix, a root sign would mean the matrix root
        return Piece(rf"\sqrt{{{base.tex}}}", ATOM)
    return Piece(_raised(base.at(ATOM), _odot_before(e, str(k))), FACTOR)


def _odot_before(e: Expr, exponent: str) -> str:
    return exponent if e.is_scalar else rf"\odot {exponent}"


# ---- functions ---------------------------------------------------------------------------------------------------------------


def _call(e: Expr, done: Pieces) -> Piece:
    """A function by the LaTeX column of its row: around its argument, between its two, or before them."""
    row = BY_NAME[e.head]
    if r"\cdot" in row.latex:
        return Piece(_fences(row).replace(r"\cdot", done[e.args[0]].tex), ATOM)
    if row.arity == 2 and row.latex and not row.latex.startswith(r"\operatorname"):
        return Piece(f" {row.latex} ".join(done[a].at(FACTOR) for a in e.args), PRODUCT)
    name = row.latex or rf"\operatorname{{{row.name}}}"
    escaped = re.sub(r"(\\operatorname\{)([^{}]*)(\})", lambda m: m[1] + re.sub(r"\\?_", r"\\_", m[2]) + m[3], name)
    return Piece(escaped + _in_brackets(", ".join(done[a].tex for a in e.args)), ATOM)


def _fences(row: Row) -> str:
    return row.latex.replace(r"\|", r"\lVert ", 1).replace(r"\|", r"\rVert")


def _norm(e: Expr, done: Pieces) -> Piece:
    return Piece(_call(e, done).tex + ("_2" if UNIT in e.args[0].shape_ else "_F"), ATOM)


def _inverse(e: Expr, done: Pieces) -> Piece:
    base = done[e.args[0]].at(ATOM)
    return Piece(_raised(base, "-1"), FACTOR, inverse_of=base)


def _exponential(e: Expr, done: Pieces) -> Piece:
    return Piece(_raised("e", done[e.args[0]].tex), FACTOR) if e.is_scalar else _call(e, done)


def _absolute(e: Expr, done: Pieces) -> Piece:
    return Piece(rf"\left|{done[e.args[0]].tex}\right|", ATOM) if e.is_scalar else _call(e, done)


_WRITERS: dict[str, Callable[[Expr, Pieces], Piece]] = {
    "commutation": lambda e, _: Piece(f"K_{{{', '.join(_size((a,)) for a in e.shape_[0])}}}", ATOM),
    "num": _number, "ones": _constant, "zeros": _constant, "eye": _constant, "add": _sum, "times": _times, "pow": _power, "powm": _matrix_power,
    "matmul": _matmul, "T": _transpose, "inv": _inverse, "norm2": _norm, "exp": _exponential, "abs": _absolute,
    "part": _part, "shifts": lambda e, _: Piece(rf"S_{{{', '.join(_size((a,)) for a in e.shape_[1])}}}", ATOM),
    "pi": lambda e, _: Piece(r"\pi", ATOM),
    "var": lambda e, _: Piece(symbol(e.name), ATOM), "size": lambda e, _: Piece(symbol(str(e.data)), ATOM),
}  # fmt: skip
