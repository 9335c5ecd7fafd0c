"""Expressions as text in matcalc's own language: what is printed parses back to an equal
expression.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import count

from ..budget import room, spend
from ..expr import Expr, names_of, postorder, split
from ..expr.blocks import grid, indexed
from ..expr.parts import Range, is_part, range_of
from ..expr.sizes import UNIT, show
from ..expr.walk import arguments_first
from ..tables.functions import BY_NAME
from .constants import SPELLINGS, spelling

SUM, PRODUCT, SIGN, POWER, ATOM = range(5)  # precedence, loose to tight
LONG = 10_000  # characters that are joined in the time of one step
INLINE_LIMIT = 3000  # a larger expression is written with definitions for its shared parts


@dataclass(frozen=True, slots=True)
class Piece:
    """The text of a node and how tightly it binds."""

    text: str
    level: int

    def at(self, level: int) -> str:
        return self.text if self.level >= level else f"({self.text})"


def text(e: Expr, names: Mapping[Expr, str] | None = None, taken: Collection[str] = ()) -> str:
    """The expression; the parts below it that are listed in ``names`` are written by their name.

    No constant is spelled as a variable of the expression is, nor as a name that is ``taken``
    elsewhere.
    """
    if e.count > INLINE_LIMIT and not names:
        shared = shared_parts(e, taken)
        definitions = [f"{name} = {body}" for name, body in shared.values()]
        named = {part: name for part, (name, _) in shared.items()}
        return "; ".join([*definitions, pieces(e, named, taken)[e].text])
    return pieces(e, names or {}, taken)[e].text


def number(q: Fraction) -> str:
    """A rational number: a decimal where that is short and exact, else a fraction.

    >>> number(Fraction(1, 2)), number(Fraction(1, 3)), number(Fraction(-7))
    ('0.5', '1/3', '-7')
    """
    if q.denominator == 1:
        return str(q.numerator)
    shown = format(float(q), ".12f").rstrip("0")
    return shown if len(shown) <= 14 and Fraction(shown) == q else f"{q.numerator}/{q.denominator}"


def pieces(root: Expr, names: Mapping[Expr, str], taken: Collection[str] = ()) -> dict[Expr, Piece]:
    """The text of every node under the root, names first, arguments before users."""
    done: dict[Expr, Piece] = {}
    nodes = list(_visible_postorder(root, names))
    words = _spelled(nodes, names, taken)
    characters = 0
    for e in nodes:
        if e in names and e is not root:
            done[e] = Piece(names[e], ATOM)
        else:
            done[e] = words[e] if e in words else _piece(e, done)
        characters += len(done[e].text)
        spend(1 + len(done[e].text) // LONG)
        room(characters)
    return done


def _spelled(
    nodes: Iterable[Expr], names: Mapping[Expr, str], taken: Collection[str]
) -> dict[Expr, Piece]:
    """The constants whose spelling depends on the names of variables."""
    constants = [e for e in nodes if e.head in SPELLINGS]
    if not constants:
        return {}
    taken = {*taken, *names.values(), *(e.name for e in nodes if e.head == "var")}
    return {e: Piece(spelling(e.head, taken) + _two_sizes(e), ATOM) for e in constants}


def _two_sizes(e: Expr) -> str:
    """The arguments of K(m,n) and shifts(n,m)."""
    size = {"commutation": e.shape_[0], "shifts": e.shape_[1]}.get(e.head, ())
    return f"({','.join(show((a,)) for a in size)})" if size else ""


def _visible_postorder(root: Expr, names: Mapping[Expr, str]) -> Iterable[Expr]:
    """Postorder that does not look below named parts; hidden cores of terms are included."""
    return arguments_first(
        [root], lambda e: () if e in names and e is not root else _parts(e, names)
    )


def _parts(e: Expr, names: Mapping[Expr, str]) -> tuple[Expr, ...]:
    if e.head == "add":
        blocks = [b for row in grid(e) or () for b in row if b is not None]
        return tuple(split(a)[1] for a in e.args) if not blocks else tuple(blocks)
    if e.head == "times":
        if e.args[0].head == "num" and split(e)[1] in names:
            return (split(e)[1],)
        factors = [a for a in e.args if a.head != "num"]
        return tuple(
            part
            for a in factors
            for part in (a.args if a.head == "pow" and a not in names else (a,))
        )
    return e.args


def _piece(e: Expr, done: Mapping[Expr, Piece]) -> Piece:
    if e.head in _WRITERS:
        return _WRITERS[e.head](e, done)
    name = "diag" if e.head == "diagonal" else BY_NAME[e.head].name
    return Piece(f"{name}({', '.join(done[a].text for a in e.args)})", ATOM)


def _number(e: Expr, _: Mapping[Expr, Piece]) -> Piece:
    shown = number(e.value)
    return Piece(shown, SIGN if shown[0] == "-" else PRODUCT if "/" in shown else ATOM)


def _constant(e: Expr, _: Mapping[Expr, Piece]) -> Piece:
    rows, cols = e.shape_
    if e.head == "eye":
        return Piece(f"eye({show(rows)})", ATOM)
    if rows == UNIT:
        return Piece(f"{e.head}({show(cols)})'", ATOM)
    return Piece(f"{e.head}({', '.join(show(s) for s in (rows, cols) if s)})", ATOM)


def _sum(e: Expr, done: Mapping[Expr, Piece]) -> Piece:
    if (found := grid(e)) is not None and all(b is None or b in done for row in found for b in row):
        return Piece(
            "["
            + "; ".join(", ".join("0" if b is None else done[b].text for b in row) for row in found)
            + "]",
            ATOM,
        )
    positive_first = sorted(e.args, key=lambda a: split(a)[0] < 0)
    out = ""
    for a in positive_first:
        coefficient, core = split(a)
        body = _with_coefficient(abs(coefficient), core, done)
        sign = ("-" if coefficient < 0 else "") if not out else " - " if coefficient < 0 else " + "
        out += sign + body.at(PRODUCT)
    return Piece(out, SUM)


def _with_coefficient(k: Fraction, core: Expr, done: Mapping[Expr, Piece]) -> Piece:
    if core.head == "num":
        return Piece(number(k * core.value), PRODUCT if "/" in number(k * core.value) else ATOM)
    if k == 1:
        return done[core]
    return _product(k, _written_factors(core, done), done)


def _times(e: Expr, done: Mapping[Expr, Piece]) -> Piece:
    k, core = split(e)
    return _product(k, _written_factors(core, done), done)


def _written_factors(core: Expr, done: Mapping[Expr, Piece]) -> tuple[Expr, ...]:
    """The factors of a product, unless it is written by a name."""
    by_name = core in done and done[core].level == ATOM
    return core.args if core.head == "times" and not by_name else (core,)


def _product(k: Fraction, factors: Iterable[Expr], done: Mapping[Expr, Piece]) -> Piece:
    """Coefficient, scalars, arrays; negative powers below a division."""
    above: list[tuple[Expr, Expr | None]] = []
    below: list[tuple[Expr, Expr | None]] = []
    for f in factors:
        named = f in done and done[f].level == ATOM
        exponent = f.args[1] if f.head == "pow" and not named else None
        if exponent is not None and exponent.head == "num" and exponent.value < 0:
            below.append((f, exponent))
        else:
            above.append((f, None))
    scalars = [f for f, _ in above if f.is_scalar]
    arrays = [f for f, _ in above if not f.is_scalar]
    under_scalars = [f for f, _ in below if f.is_scalar]
    under_arrays = [f for f, _ in below if not f.is_scalar]
    lone = len(scalars) + len(arrays) == 1 and not under_arrays
    head: list[str] = []
    if abs(k) != 1 or not (scalars or arrays):
        head.append(number(abs(k)))
    for s in scalars:
        head.append(
            done[s].at(PRODUCT if lone else SIGN) if s in done else _power_piece(s, done).at(SIGN)
        )
    body = ""
    for i, a in enumerate(arrays):
        piece = done[a] if a in done else _power_piece(a, done)
        alone = len(arrays) == 1 and not under_arrays
        body += (".*" if i else "") + piece.at(PRODUCT if alone else SIGN)
    out = "*".join([*head, body] if body else head)
    for a in under_arrays:
        out += "./" + _reciprocal(a, done).at(SIGN)
    if len(under_scalars) == 1:
        out += "/" + _reciprocal(under_scalars[0], done).at(SIGN)
    elif under_scalars:
        out += "/(" + "*".join(_reciprocal(s, done).at(SIGN) for s in under_scalars) + ")"
    return Piece(("-" if k < 0 else "") + out, PRODUCT if k > 0 else SUM)


def _reciprocal(f: Expr, done: Mapping[Expr, Piece]) -> Piece:
    """The text of 1/f for a negative power f."""
    base, exponent = f.args
    return _raised(base, -exponent.value, done, f.is_scalar)


def _power_piece(e: Expr, done: Mapping[Expr, Piece]) -> Piece:
    base, exponent = e.args
    if exponent.head == "num":
        if exponent.value < 0:
            return _product(Fraction(1), (e,), done)
        return _raised(base, exponent.value, done, e.is_scalar)
    shown = done[exponent].at(ATOM)
    return Piece(f"{done[base].at(ATOM)}{'^' if e.is_scalar else '.^'}{shown}", POWER)


def _raised(base: Expr, k: Fraction, done: Mapping[Expr, Piece], scalar: bool) -> Piece:
    if k == 1:
        return done[base]
    if k == Fraction(1, 2):
        return Piece(f"sqrt({done[base].text})", ATOM)
    shown = number(k)
    exponent = shown if shown.isdigit() else f"({shown})"
    return Piece(f"{done[base].at(ATOM)}{'^' if scalar else '.^'}{exponent}", POWER)


def _matmul(e: Expr, done: Mapping[Expr, Piece]) -> Piece:
    if any(map(is_part, e.args)):
        return _indexed(e, done)
    out: list[str] = []
    i = 0
    while i < len(e.args):
        factor, run = e.args[i], 1
        while i + run < len(e.args) and e.args[i + run] is factor:
            run += 1
        flipped = factor.head == "T"
        if run > 1 and UNIT not in factor.shape_:
            base = done[factor.args[0] if flipped else factor].at(ATOM)
            out.append(f"({base}^{run})'" if flipped else f"{base}^{run}")
        else:
            out += [done[factor].at(SIGN)] * run
        i += run
    return Piece("*".join(out), PRODUCT)


def _indexed(e: Expr, done: Mapping[Expr, Piece]) -> Piece:
    """A product in which parts of the identity take rows and columns."""
    factors = [_with_places(factor, rows, cols, done) for factor, rows, cols in indexed(e.args)]
    return (
        factors[0] if len(factors) == 1 else Piece("*".join(f.at(SIGN) for f in factors), PRODUCT)
    )


def _with_places(
    factor: Expr, rows: Range | None, cols: Range | None, done: Mapping[Expr, Piece]
) -> Piece:
    if rows is None and cols is None:
        return done[factor]
    places = [str(r or ":") for r, size in zip((rows, cols), factor.shape_, strict=True) if size]
    return Piece(f"{done[factor].at(ATOM)}[{','.join(places)}]", ATOM)


def _part(e: Expr, _: Mapping[Expr, Piece]) -> Piece:
    return Piece(f"eye({show(e.shape_[0])})[:,{range_of(e)}]", ATOM)


def _transpose(e: Expr, done: Mapping[Expr, Piece]) -> Piece:
    return Piece(done[e.args[0]].at(ATOM) + "'", ATOM)


_WRITERS: dict[str, Callable[[Expr, Mapping[Expr, Piece]], Piece]] = {
    "num": _number,
    "ones": _constant,
    "zeros": _constant,
    "eye": _constant,
    "add": _sum,
    "times": _times,
    "pow": _power_piece,
    "matmul": _matmul,
    "T": _transpose,
    "part": _part,
    "powm": lambda e, done: Piece(f"{done[e.args[0]].at(ATOM)}^{done[e.args[1]].at(ATOM)}", POWER),
    "var": lambda e, _: Piece(e.name, ATOM),
    "size": lambda e, _: Piece(str(e.data), ATOM),
}


def shared_parts(root: Expr, taken: Collection[str] = ()) -> dict[Expr, tuple[str, str]]:
    """Names and bodies for the parts of a large expression that are used more than once,
    innermost first.
    """
    uses: dict[Expr, int] = {}
    for e in postorder(root):
        for a in e.args:
            uses[a] = uses.get(a, 0) + 1
    taken = {*taken, *names_of(uses)}
    out: dict[Expr, tuple[str, str]] = {}
    names: dict[Expr, str] = {}
    for e in postorder(root):
        if e is not root and e.args and e.count > 3 and uses[e] > 1:
            name = next(c for i in count(len(out) + 1) if (c := f"t{i}") not in taken)
            taken.add(name)
            body = pieces(e, names, taken)[e].text
            names[e] = name
            out[e] = (name, body)
    return out
