"""Sizes of axes: their unification, and the names given to the unknown ones.

A size is a tuple of atoms: ``()`` is length 1, ``("n",)`` a named size, ``(3,)`` a number, and ``("n", "m")`` the product
n·m that ``vec`` and ``kron`` make. Atoms are names, integers or (while parsing) unknowns that unification binds.
Sizes check and report; they never drive the algebra, which labels do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class Unknown:
    """A size that the text has not decided yet; ``length``, if given, is the product that it must be, in some order."""

    __slots__ = ("length", "value")

    def __init__(self, length: Size | None = None) -> None:
        self.value: Size | None = None
        self.length = length

    def admits(self, size: Size) -> bool:
        """Whether it may become this size."""
        if size == UNIT or self in size:
            return False
        if self.length is None or any(isinstance(a, Unknown) for a in size):
            return True
        return sorted(map(str, size)) == sorted(map(str, self.length))


Atom = str | int | Unknown
Size = tuple[Atom, ...]
Shape = tuple[Size, Size]

UNIT: Size = ()
SCALAR: Shape = (UNIT, UNIT)
NAMES = ("n", "m", "p", "q", "r", "k", "l", "h")


def resolve(size: Size) -> Size:
    """Replace the unknowns that are bound by what they are bound to."""
    if all(not isinstance(a, Unknown) or a.value is None for a in size):
        return size
    return tuple(b for a in size for b in (_root(a) if isinstance(a, Unknown) else (a,)))


def _root(unknown: Unknown) -> Size:
    """What an unknown is bound to in the end; the way there is shortened for the next time."""
    way: list[Unknown] = []
    size: Size = (unknown,)
    while len(size) == 1 and isinstance(size[0], Unknown) and size[0].value is not None:
        way.append(size[0])
        size = size[0].value
    size = resolve(size) if len(size) > 1 else size
    for passed in way:
        passed.value = size
    return size


def unify(a: Size, b: Size) -> bool:
    """Make two sizes equal if that is possible; say whether it was."""
    a, b = resolve(a), resolve(b)
    if a == b:
        return True
    for this, other in ((a, b), (b, a)):
        if len(this) == 1 and isinstance(this[0], Unknown):
            if not this[0].admits(other):
                continue
            this[0].value = other
            return True
    return len(a) == len(b) and len(a) > 1 and all(unify((x,), (y,)) for x, y in zip(a, b, strict=True))


def shape_of(sizes: Iterable[Size]) -> Shape:
    """The shape with at most two axes of the given sizes, rows first."""
    rows, cols = [*sizes, UNIT, UNIT][:2]
    return rows, cols


def same(a: Size, b: Size) -> bool:
    """Equal already, without binding anything."""
    return resolve(a) == resolve(b)


def might_be_equal(a: Size, b: Size) -> bool:
    """Equal, or not known to differ."""
    a, b = resolve(a), resolve(b)
    return a == b or (a != UNIT != b and any(isinstance(atom, Unknown) for atom in a + b))


def show(size: Size) -> str:
    """The size as a reader writes it.

    >>> show(("m", "n")), show((3,)), show(())
    ('m*n', '3', '1')
    """
    return "*".join("?" if isinstance(a, Unknown) else str(a) for a in resolve(size)) or "1"


def show_shape(shape: Shape) -> str:
    """``m×n``, ``n`` for a column, ``1×n`` for a row, ``scalar``; sizes that nothing says yet leave only the kind."""
    rows, cols = resolve(shape[0]), resolve(shape[1])
    if any(isinstance(a, Unknown) for a in rows + cols):
        return "a matrix" if rows and cols else "a vector" if rows else "a row"
    if not cols:
        return show(rows) if rows else "scalar"
    return f"{show(rows)}×{show(cols)}"


def public_size(size: Size) -> str | int:
    """One length as users see it: a name, a product of names, or a number."""
    size = resolve(size)
    return size[0] if len(size) == 1 and isinstance(size[0], int) else 1 if not size else show(size)


def public(shape: Shape) -> tuple[str | int, ...]:
    """The shape as users see it: ``()``, ``("n",)``, ``("m", "n")``; numbers stay numbers."""
    rows, cols = shape
    if resolve(cols):
        return public_size(rows), public_size(cols)
    return (public_size(rows),) if resolve(rows) else ()


def fresh_names(taken: Iterable[str]) -> Iterator[str]:
    """Names for unknown sizes, avoiding those in use: n, m, p, …, then n1, m1, …"""
    used, round_ = set(taken), 0
    while True:
        for name in NAMES:
            candidate = f"{name}{round_ or ''}"
            if candidate not in used:
                yield candidate
        round_ += 1
