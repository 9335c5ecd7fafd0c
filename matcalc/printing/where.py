"""Answers with names for what they repeat: the typed definitions, and large parts that occur
more than once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ..budget import spend
from ..expr import Expr, names_of, postorder, split
from ..expr.sizes import UNIT, unused
from ..expr.walk import arguments_first
from ..tables.functions import BY_NAME
from .show import root_text
from .text import text

SMALLEST = 5  # nodes of a part that deserves a name
SAVING = 12  # characters that a name must save
WIDTH = 3  # characters that a node takes, about
LONG = 1000
RESERVED = ("I", "K")  # a reader takes them for the identity and the commutation matrix


@dataclass(frozen=True)
class Named:
    """Texts of several expressions, and the names that they use with their texts, each before
    those that its own text uses.
    """

    texts: Mapping[str, str]
    where: tuple[tuple[str, str], ...]

    def show(self, only: str | None = None) -> str:
        """The answer (or a line ∂/∂x = … for each), then a line for each name."""
        lines = (
            [self.texts[only]]
            if only is not None
            else [f"∂/∂{n} = {t}" for n, t in self.texts.items()]
        )
        return "\n".join(
            [
                *lines,
                *(
                    f"{'where' if i == 0 else '     '} {n} = {t}"
                    for i, (n, t) in enumerate(self.where)
                ),
            ]
        )

    def program(self, only: str) -> str:
        """One of the answers as a text of the language: the names that are used, then the
        answer.
        """
        return "; ".join([*(f"{n} = {t}" for n, t in reversed(self.where)), self.texts[only]])


def named(
    roots: Mapping[str, Any], definitions: Mapping[str, Expr], taken: Collection[str] = ()
) -> Named:
    """Write expressions with the given definitions and with names for their shared parts.

    An index form stands as it is.

    No name that is ``taken`` by what the roots were made of gets another meaning.
    """
    taken = {*taken, *definitions}
    if not all(isinstance(e, Expr) for e in roots.values()):
        return Named({n: root_text(e, taken) for n, e in roots.items()}, ())
    names = {e: n for n, e in definitions.items() if e.args}
    taken |= names_of(postorder(*roots.values(), *definitions.values()))
    _name_repeated(roots, names, taken)
    where = [(names[part], text(part, names, taken)) for part in _used(roots, names)]
    texts = {n: names[e] if e in names else text(e, names, taken) for n, e in roots.items()}
    return Named(texts, tuple(where))


def _name_repeated(roots: Mapping[str, Expr], names: dict[Expr, str], taken: set[str]) -> None:
    """Enter names for the parts that are worth one, which are taken from then on."""
    shared = _in_many(roots)
    for part, uses in _repeated(roots, names):
        saved = (uses - 1) * WIDTH * min(part.count, LONG)
        if saved - 2 * uses - 8 >= SAVING:  # a name is two characters, a definition eight more
            names[part] = part_name(part, part in shared, taken)
            taken.add(names[part])


def _children(e: Expr) -> tuple[Expr, ...]:
    """Arguments, looking through numeric coefficients: 2*δ uses δ, and so does a - 2*δ."""
    core = split(e)[1]
    return (core,) if core is not e and core.args else tuple(map(_core, e.args))


def _core(e: Expr) -> Expr:
    return e if e.head == "num" else split(e)[1]


def _repeated(roots: Mapping[str, Expr], names: Mapping[Expr, str]) -> list[tuple[Expr, int]]:
    """Parts that are used more than once, with how often, the largest first."""
    uses = _uses(roots, names)
    many = [e for e, k in uses.items() if k > 1 and e.count >= SMALLEST and e not in names]
    many = [e for e in many if e.head not in ("T", "pow")]
    return [(e, uses[e]) for e in sorted(many, key=lambda e: (-e.count, e.order))]


def _uses(roots: Mapping[str, Expr], names: Mapping[Expr, str]) -> Counter[Expr]:
    """How often each part is used; nothing below a named part is looked at."""
    stack = [split(e)[1] for e in roots.values()]
    uses = Counter(stack)
    seen: set[Expr] = set()
    while stack:
        e = stack.pop()
        if e not in seen and e not in names:
            seen.add(e)
            uses.update(_children(e))
            stack += _children(e)
    return uses


def _in_many(roots: Mapping[str, Expr]) -> set[Expr]:
    """The parts that occur in more than one answer."""
    once: set[Expr] = set()
    more: set[Expr] = set()
    for e in roots.values():
        here = {*postorder(e), split(e)[1]}
        more |= once & here
        once |= here
    return more


def part_name(part: Expr, shared: bool, taken: set[str]) -> str:
    """The initial of a function, r for a sum, δ for another part that several answers share, else
    t.

    Capital for matrices, but for I.
    """
    plain = "r" if part.head == "add" else "δ" if shared else "t"
    wish = BY_NAME[part.head].name[0] if part.head in BY_NAME else plain
    wish = wish.upper() if UNIT not in part.shape_ and wish != "δ" else wish
    return unused(wish, {*taken, *RESERVED})


def _used(roots: Mapping[str, Expr], names: Mapping[Expr, str]) -> list[Expr]:
    """The named parts that the shown texts mention, each before those that its own text
    mentions, as a reader meets them.
    """
    shown = [part for e in roots.values() for part in ([e] if e in names else _mentions(e, names))]
    defined_first = arguments_first(shown[::-1], lambda part: _mentions(part, names)[::-1])
    return defined_first[::-1]


def _mentions(e: Expr, names: Mapping[Expr, str]) -> list[Expr]:
    """The named parts that the text of an expression mentions, none below another."""
    found: dict[Expr, None] = {}
    visited: set[Expr] = set()
    stack = [*reversed(_children(e))]
    while stack:
        node = stack.pop()
        spend()
        if node in visited:
            continue
        visited.add(node)
        if node in names:
            found[node] = None
        else:
            stack += reversed(_children(node))
    return list(found)
