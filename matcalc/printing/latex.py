r"""Expressions in LaTeX, as a mathematician would typeset them.

Products are juxtaposed, ``\odot`` and ``\oslash`` work entry by entry, ``^{\odot 2}`` is a power of
every entry. A sum never broadcasts silently: ``X + 1`` is ``X + \mathbf{1}_{m \times n}``. The
names of functions come from the table of functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..budget import room, spend
from ..expr import Expr, postorder, split, spread, written_names
from ..expr.blocks import grid, indexed
from ..expr.parts import Range, is_part, range_of
from ..expr.sizes import UNIT, Atom, Size, Sum
from ..tables.functions import BY_NAME, Row
from .symbols import Symbols
from .text import INLINE_LIMIT, LONG, number, shared_parts

# precedence, loose to tight; a NAME hides what it stands for
SUM, PRODUCT, FACTOR, ATOM, NAME = range(5)
WORDS = (r"\mathit", r"\mathtt", r"\mathrm")  # a word keeps away from its neighbours
SMALL = 9  # a larger denominator is written as a decimal where that is exact


@dataclass(frozen=True, slots=True)
class Piece:
    """The LaTeX of a node and how tightly it binds.

    Of an inverse also its base, of a quotient what is below the line.
    """

    tex: str
    level: int
    inverse_of: str = ""
    below: Piece | None = None

    def at(self, level: int) -> str:
        return self.tex if self.level >= level else _in_brackets(self.tex)


class Pieces(dict[Expr, Piece]):
    """The LaTeX of nodes, and of the names in them."""

    def __init__(self, symbols: Symbols) -> None:
        super().__init__()
        self.symbols = symbols


def latex(e: Expr, names: Mapping[Expr, str] | None = None, taken: Collection[str] = ()) -> str:
    r"""The expression in LaTeX, without dollar signs.

    Parts listed in ``names`` are written by their name.

    Nothing looks like another name, be it one that is ``taken`` elsewhere.

    >>> from matcalc.language.typed import typed
    >>> print(latex(typed("2*X'*(X*w - y)").expr))
    2X^{\top}\left(Xw - y\right)
    """
    if e.count > INLINE_LIMIT and not names:
        return _with_definitions(e, taken)
    names = names or {}
    symbols = symbols_of(postorder(e, *names), {*taken, *names.values()})
    return written(e, _pieces(names, symbols), symbols)


def symbols_of(
    nodes: Sequence[Expr], taken: Collection[str], indexed: Collection[str] = ()
) -> Symbols:
    """The LaTeX of the names in nodes, and of others.

    Of ``indexed`` names, and of those that places are taken of, there are entries.
    """
    taken_from = {
        f.name
        for e in nodes
        if e.head == "matmul" and any(map(is_part, e.args))
        for f in e.args
        if f.head == "var"
    }
    constants = [r"\pi"] * any(e.head == "pi" for e in nodes)
    return Symbols({*taken, *written_names(nodes)}, constants, {*indexed, *taken_from})


def _with_definitions(e: Expr, taken: Collection[str]) -> str:
    """A large expression, after the definitions of its shared parts."""
    names = {part: name for part, (name, _) in shared_parts(e, taken).items()}
    symbols = symbols_of(postorder(e), {*taken, *names.values()})
    named = _pieces(names, symbols)
    lines = [f"{name.tex} &= {written(part, named, symbols)}" for part, name in named.items()]
    return (
        r"\begin{aligned}"
        + r" \\ ".join([*lines, f"& {written(e, named, symbols)}"])
        + r"\end{aligned}"
    )


def _pieces(names: Mapping[Expr, str], symbols: Symbols) -> dict[Expr, Piece]:
    """The names of parts in LaTeX."""
    return {part: Piece(symbols(name), NAME) for part, name in names.items()}


def written(root: Expr, named: Mapping[Expr, Piece], symbols: Symbols) -> str:
    """Write arguments before the nodes that use them; nothing below a named part is looked at."""
    done = Pieces(symbols)
    done.update(named)
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
    return (
        [core for _, core in _summands(e, done)]
        if found is None
        else [b for row in found for b in row if b is not None]
    )


def _summands(e: Expr, done: Pieces) -> list[tuple[Fraction, Expr]]:
    """The terms of a sum, repeated over its whole shape, the positive ones first."""
    terms = ((Fraction(1), a) if _named(a, done) else split(spread(a, e.shape_)) for a in e.args)
    return sorted(terms, key=lambda term: term[0] < 0)


def _named(e: Expr, done: Pieces) -> bool:
    return e in done and done[e].level == NAME


# ---- joining -------------------------------------------------------------------------------------


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
    if right[0].isdigit() or (left[-1].isdigit() and right.startswith(r"\mathbf")):
        return r" \cdot "
    if left.startswith(WORDS) or right.startswith(WORDS):
        return r"\,"
    return " " if right[0].isalpha() and re.search(r"\\[A-Za-z]+$", left) else ""


def _raised(base: str, exponent: str) -> str:
    return f"{base}^{{{exponent}}}"


def _size(size: Size, symbols: Symbols) -> str:
    factors = [_size_atom(a, symbols) for a in size]
    return _row(
        _in_brackets(t) if isinstance(a, Sum) and len(size) > 1 else t
        for a, t in zip(size, factors, strict=True)
    )


def _size_atom(a: Atom, symbols: Symbols) -> str:
    if isinstance(a, Sum):
        return _sum_of_sizes(a, symbols)
    return symbols(a) if isinstance(a, str) else str(a)


def _sum_of_sizes(a: Sum, symbols: Symbols) -> str:
    terms = [
        (
            f"{'-' if k < 0 else '+'} "
            f"{_row([*([str(abs(k))] if abs(k) > 1 else []), _size(size, symbols)])}"
        )
        for size, k in a.terms
    ]
    terms += (
        [f"{'-' if a.constant < 0 else '+'} {abs(a.constant)}"] if a.constant or not terms else []
    )
    return " ".join(terms).removeprefix("+ ")


def _places(r: Range, symbols: Symbols) -> str:
    first, last = (_sum_of_sizes(place, symbols) for place in (r.first, r.stop))
    return rf"{first} : {last}" if r.width else first


# ---- leaves, sums, matrix products ---------------------------------------------------------------


def _fraction(q: Fraction) -> Piece:
    """A number that is not negative."""
    shown = number(q)
    if q.denominator == 1 or (q.denominator > SMALL and "/" not in shown):
        return Piece(shown, ATOM)
    return Piece(rf"\tfrac{{{q.numerator}}}{{{q.denominator}}}", FACTOR)


def _number(e: Expr, _: Pieces) -> Piece:
    return _fraction(e.value) if e.value >= 0 else Piece("-" + _fraction(-e.value).tex, SUM)


def _constant(e: Expr, done: Pieces) -> Piece:
    if e.head == "eye":
        return Piece(_identity(e.shape_[0], done), ATOM)
    sizes = r" \times ".join(_size(s, done.symbols) for s in e.shape_ if s)
    constant = rf"\mathbf{{{'1' if e.head == 'ones' else '0'}}}_{{{sizes}}}"
    return (
        Piece(_raised(constant, r"\top"), FACTOR) if e.shape_[0] == UNIT else Piece(constant, ATOM)
    )


def _identity(size: Size, done: Pieces) -> str:
    return f"{done.symbols.spelled('I', 'eye')}_{{{_size(size, done.symbols)}}}"


def _two_sizes(usual: str, word: str, axis: int) -> Callable[[Expr, Pieces], Piece]:
    """The writer of a constant that two sizes make, which are those of one of its axes."""

    def written(e: Expr, done: Pieces) -> Piece:
        sizes = ", ".join(_size((a,), done.symbols) for a in e.shape_[axis])
        return Piece(f"{done.symbols.spelled(usual, word)}_{{{sizes}}}", ATOM)

    return written


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
    places = [
        _places(r, done.symbols) if r else ":"
        for r, size in zip((rows, cols), factor.shape_, strict=True)
        if size
    ]
    return Piece(rf"{_with_bars(done[factor])}_{{{', '.join(places)}}}", FACTOR)


def _with_bars(piece: Piece) -> str:
    """What may take a subscript: a letter as it is, anything else in brackets."""
    return piece.tex if re.fullmatch(r"\\?[A-Za-z]+", piece.tex) else _in_brackets(piece.tex)


def _part(e: Expr, done: Pieces) -> Piece:
    """Columns of the identity, of which one is a unit vector."""
    places = range_of(e)
    shown = _places(places, done.symbols)
    if not places.width and "e" not in done.symbols.bases:
        return Piece(rf"e_{{{shown}}}", FACTOR)
    return Piece(rf"{_in_brackets(_identity(e.shape_[0], done))}_{{:, {shown}}}", FACTOR)


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
    return (
        _raised(piece.inverse_of, f"-{k}") if piece.inverse_of else _raised(piece.at(ATOM), str(k))
    )


def _transpose(e: Expr, done: Pieces) -> Piece:
    inner = done[e.args[0]]
    return Piece(
        _raised(inner.inverse_of, r"-\top")
        if inner.inverse_of
        else _raised(inner.at(ATOM), r"\top"),
        FACTOR,
    )


# ---- commutative products and powers -------------------------------------------------------------


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
    return Piece(
        _row([*(p.at(FACTOR) for p in (*coefficient, *scalars)), last.at(PRODUCT)]), PRODUCT
    )


def _entrywise(arrays: list[Piece]) -> Piece:
    """``A \\odot B \\oslash C``; a reciprocal with nothing above it is written as a power."""
    above = [p for p in arrays if p.below is None]
    below = [p.below for p in arrays if p.below is not None]
    if not above or not below:
        return _odot(arrays)
    over = _odot(above).at(PRODUCT if len(above) > 1 else FACTOR)
    return Piece(rf"{over} \oslash {_odot(below).at(FACTOR)}", PRODUCT)


def _odot(pieces: list[Piece]) -> Piece:
    return (
        pieces[0]
        if len(pieces) == 1
        else Piece(r" \odot ".join(p.at(FACTOR) for p in pieces), PRODUCT)
    )


def _power(e: Expr, done: Pieces) -> Piece:
    base, exponent = e.args
    if exponent.head != "num":
        return Piece(
            _raised(
                done[base].at(ATOM),
                _odot_before(e, done[exponent].at(SUM if e.is_scalar else FACTOR)),
            ),
            FACTOR,
        )
    k = exponent.value
    if k > 0:
        return _number_power(e, done[base], k)
    below = _number_power(e, done[base], -k)
    alone = (
        rf"\frac{{1}}{{{below.tex}}}"
        if e.is_scalar
        else _raised(done[base].at(ATOM), _odot_before(e, str(k)))
    )
    return Piece(alone, FACTOR, below=below)


def _matrix_power(e: Expr, done: Pieces) -> Piece:
    base, exponent = e.args
    return Piece(_raised(done[base].at(ATOM), done[exponent].at(SUM)), FACTOR)


def _number_power(e: Expr, base: Piece, k: Fraction) -> Piece:
    if k == 1:
        return base
    # of a matrix, a root sign would mean the matrix root
    if k == Fraction(1, 2) and UNIT in e.shape_:
        return Piece(rf"\sqrt{{{base.tex}}}", ATOM)
    return Piece(_raised(base.at(ATOM), _odot_before(e, str(k))), FACTOR)


def _odot_before(e: Expr, exponent: str) -> str:
    return exponent if e.is_scalar else rf"\odot {exponent}"


# ---- functions -----------------------------------------------------------------------------------


def _call(e: Expr, done: Pieces) -> Piece:
    """A function by the LaTeX column of its row: around its argument, between its two, or before
    them.
    """
    row = BY_NAME[e.head]
    name = done.symbols.spelled(row.latex, row.name) or rf"\operatorname{{{row.name}}}"
    if r"\cdot" in name:
        return Piece(_fences(row).replace(r"\cdot", done[e.args[0]].tex), ATOM)
    if row.arity == 2 and not name.startswith(r"\operatorname"):
        return Piece(f" {name} ".join(done[a].at(FACTOR) for a in e.args), PRODUCT)
    escaped = re.sub(
        r"(\\operatorname\{)([^{}]*)(\})",
        lambda m: m[1] + re.sub(r"\\?_", r"\\_", m[2]) + m[3],
        name,
    )
    return Piece(escaped + _in_brackets(", ".join(done[a].tex for a in e.args)), ATOM)


def _fences(row: Row) -> str:
    return row.latex.replace(r"\|", r"\lVert ", 1).replace(r"\|", r"\rVert")


def _norm(e: Expr, done: Pieces) -> Piece:
    return Piece(_call(e, done).tex + ("_2" if UNIT in e.args[0].shape_ else "_F"), ATOM)


def _inverse(e: Expr, done: Pieces) -> Piece:
    base = done[e.args[0]].at(ATOM)
    return Piece(_raised(base, "-1"), FACTOR, inverse_of=base)


def _exponential(e: Expr, done: Pieces) -> Piece:
    short = e.is_scalar and "e" not in done.symbols.bases
    return Piece(_raised("e", done[e.args[0]].tex), FACTOR) if short else _call(e, done)


def _absolute(e: Expr, done: Pieces) -> Piece:
    return Piece(rf"\left|{done[e.args[0]].tex}\right|", ATOM) if e.is_scalar else _call(e, done)


_WRITERS: dict[str, Callable[[Expr, Pieces], Piece]] = {
    "commutation": _two_sizes("K", "commutation", 0),
    "shifts": _two_sizes("S", "shifts", 1),
    "num": _number,
    "ones": _constant,
    "zeros": _constant,
    "eye": _constant,
    "add": _sum,
    "times": _times,
    "pow": _power,
    "powm": _matrix_power,
    "matmul": _matmul,
    "T": _transpose,
    "inv": _inverse,
    "norm2": _norm,
    "exp": _exponential,
    "abs": _absolute,
    "part": _part,
    "pi": lambda e, _: Piece(r"\pi", ATOM),
    "var": lambda e, done: Piece(done.symbols(e.name), ATOM),
    "size": lambda e, done: Piece(done.symbols(str(e.data)), ATOM),
}
