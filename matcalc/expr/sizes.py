"""Sizes of axes: their unification, and the names given to the unknown ones.

A size is a tuple of atoms: ``()`` is length 1, ``("n",)`` a named size, ``(3,)`` a number, and
``("n", "m")`` the product n·m that ``vec`` and ``kron`` make. Atoms are names, integers, sums (n +
m, of blocks; n - 1, of a range) or, while parsing, unknowns that unification binds. Sizes check and
report; they never drive the algebra, which labels do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import count
from math import prod
from typing import Any


class Unknown:
    """A size that the text has not decided yet.

    ``length``, if given, is the product that it must be, in some order.
    """

    __slots__ = ("length", "serial", "value")
    made = count()

    def __init__(self, length: Size | None = None) -> None:
        self.value: Size | None = None
        self.length = length
        self.serial = next(Unknown.made)  # sums put unknowns in the order in which they were met

    def admits(self, size: Size) -> bool:
        """Whether it may become this size."""
        if size == UNIT or self in base_atoms(size):
            return False
        if self.length is None or any(isinstance(a, Unknown) for a in size):
            return True
        return multiple(size) == multiple(self.length)

    def preferred(self) -> Size | None:
        """The product that it must be where nothing says in which order: a multiple, as n + n
        is, where there is a number in it.
        """
        counted = self.length is not None and any(isinstance(a, int) for a in self.length)
        return multiple(self.length or ()).size() if counted else self.length


def in_any_order(size: Size) -> Size:
    """A size as it is written; a product may turn out to be one in another order, as n*m beside
    kron(x, y).
    """
    return size if len(size) < 2 else (Unknown(size),)


class Sum(str):
    """A sum of sizes with whole coefficients, and a number: a name like any other, which knows what
    it is made of.

    >>> Sum({("n",): 1, ("m", "k"): 2}, -1)
    'n+2*k*m-1'
    """

    terms: tuple[tuple[Size, int], ...]
    constant: int

    def __new__(cls, terms: Mapping[Size, int], constant: int = 0) -> Sum:
        settled = {tuple(sorted(size, key=str)): k for size, k in terms.items()}
        ordered = sorted(
            settled.items(), key=lambda term: (term[1] < 0, len(term[0]), show(term[0], marks=True))
        )
        parts = [
            f"{'-' if k < 0 else '+'}{f'{abs(k)}*' if abs(k) > 1 else ''}{show(size, marks=True)}"
            for size, k in ordered
        ]
        self = super().__new__(
            cls,
            "".join([*parts, f"{constant:+d}" if constant or not parts else ""]).removeprefix("+"),
        )
        self.terms, self.constant = tuple(ordered), constant
        return self

    def __getnewargs__(self) -> tuple[dict[Size, int], int]:  # type: ignore[override]
        return dict(self.terms), self.constant

    def size(self) -> Size:
        """The sum as a size, which may be a number or a single name."""
        if not self.terms:
            return UNIT if self.constant == 1 else (self.constant,)
        return (
            self.terms[0][0]
            if len(self.terms) == 1 and self.terms[0][1] == 1 and not self.constant
            else (self,)
        )

    def resolved(self) -> Sum:
        """The sum with what unification has bound put in."""
        return total_of([(resolve(size), k) for size, k in self.terms], self.constant)

    @property
    def is_empty(self) -> bool:
        """Whether an axis of this length has no place, whatever the sizes are."""
        return (
            all(k < 0 for _, k in self.terms) and self.constant + sum(k for _, k in self.terms) < 1
        )

    @property
    def is_positive(self) -> bool:
        """Whether an axis of this length has a place, whatever the sizes are."""
        return self.covers(Sum({}, 1))

    def covers(self, other: Sum) -> bool:
        """Whether it is at least as large as another sum, whatever the sizes are."""
        gap = total_of([((self,), 1), ((other,), -1)])
        return all(k > 0 for _, k in gap.terms) and gap.constant + sum(k for _, k in gap.terms) >= 0


def total_of(parts: Iterable[tuple[Size, int]], constant: int = 0) -> Sum:
    """A sum of multiples of sizes."""
    terms: Counter[Size] = Counter()
    for part, k in parts:
        size = part if len(part) == 1 and isinstance(part[0], Sum) else resolve(part)
        if all(isinstance(a, int) for a in size):
            constant += k * length(size, {})
        elif len(size) == 1 and isinstance(size[0], Sum):
            bound = any(isinstance(a, Unknown) and a.value is not None for a in base_atoms(size))
            inner = size[0].resolved() if bound else size[0]
            constant += k * inner.constant
            for below, c in inner.terms:
                terms[below] += k * c
        else:
            terms[tuple(sorted(size, key=str))] += k
    if constant or len(terms) > 1 or any(k != 1 for k in terms.values()):  # 2*n - n is n
        terms = _with_coefficients(terms)
    return Sum({size: k for size, k in terms.items() if k}, constant)


def _with_coefficients(terms: Mapping[Size, int]) -> Counter[Size]:
    """The terms with the numbers of their products multiplied into their coefficients."""
    found: Counter[Size] = Counter()
    for size, k in terms.items():
        numbers = [a for a in size if isinstance(a, int)]
        found[tuple(a for a in size if not isinstance(a, int))] += k * prod(numbers)
    return found


def multiple(size: Size) -> Sum:
    """A product with its numbers in front: n*2 as n + n."""
    others = tuple(a for a in size if not isinstance(a, int))
    return total_of([(others, prod(a for a in size if isinstance(a, int)))])


def base_atoms(size: Size) -> Iterator[Atom]:
    """The atoms of a size, those of sums among them."""
    for a in size:
        if isinstance(a, Sum):
            for inner, _ in a.terms:
                yield from base_atoms(inner)
        else:
            yield a


def length(size: Iterable[Atom], lengths: Mapping[Any, int]) -> int:
    """The length of an axis, from the lengths of names; raises KeyError for a name without one.

    >>> length(("n", Sum({("m",): 1}, -1)), {"n": 2, "m": 4})
    6
    """
    product = 1
    for a in size:
        if isinstance(a, Sum) and a not in lengths:
            product *= a.constant + sum(k * length(inner, lengths) for inner, k in a.terms)
        else:
            product *= lengths[a] if a in lengths or not isinstance(a, int) else a
    return product


Atom = str | int | Unknown
Size = tuple[Atom, ...]
Shape = tuple[Size, Size]

UNIT: Size = ()
SCALAR: Shape = (UNIT, UNIT)
NAMES = ("n", "m", "p", "q", "r", "k", "l", "h")


def resolve(size: Size) -> Size:
    """Replace the unknowns that are bound by what they are bound to."""
    if all(
        (not isinstance(a, Unknown) or a.value is None) and not isinstance(a, Sum) for a in size
    ):
        return size
    return tuple(
        b
        for a in size
        for b in (
            _root(a)
            if isinstance(a, Unknown)
            else a.resolved().size()
            if isinstance(a, Sum)
            else (a,)
        )
    )


def _root(unknown: Unknown) -> Size:
    """What an unknown is bound to in the end; the way there is shortened for the next time."""
    way: list[Unknown] = []
    size: Size = (unknown,)
    while len(size) == 1 and isinstance(size[0], Unknown) and size[0].value is not None:
        way.append(size[0])
        size = size[0].value
    size = resolve(size) if len(size) > 1 or isinstance(size[0], Sum) else size
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
    if any(isinstance(x, Sum) for x in a + b):
        return _balance(total_of([(a, 1), (b, -1)]))
    return (
        len(a) == len(b)
        and len(a) > 1
        and all(unify((x,), (y,)) for x, y in zip(a, b, strict=True))
    )


def _balance(gap: Sum) -> bool:
    """Make a sum zero by what is unknown in it, if that is possible."""
    unknown = [
        (size[0], k) for size, k in gap.terms if len(size) == 1 and isinstance(size[0], Unknown)
    ]
    if not unknown:
        return not gap.terms and not gap.constant
    (first, k), *others = unknown
    partner = next((other for other, c in others if c == -k), None)
    if partner is not None and len(unknown) > 1:  # [A, B] beside [C, D]: part by part
        return unify((first,), (partner,)) and _balance(gap.resolved())
    if abs(k) != 1:
        return False
    rest = total_of(
        [(size, -c * k) for size, c in gap.terms if size != (first,)], -gap.constant * k
    )
    if all(c < 0 for _, c in rest.terms) and (rest.terms or rest.constant < 1):
        return False
    return (first.length is None or first.admits(rest.size())) and unify((first,), rest.size())


def linear(size: Size) -> tuple[str, int, int] | None:
    """The name n, the factor k and the number c of a size that is k*n + c, with k above 0.

    >>> linear((2, "n")), linear((Sum({("n",): 1}, -1),)), linear(("m", "n"))
    (('n', 2, 0), ('n', 1, -1), None)
    """
    total = multiple(size)
    atoms, k = total.terms[0] if len(total.terms) == 1 else ((), 0)
    names = [a for a in atoms if not isinstance(a, int)]
    k *= prod(a for a in atoms if isinstance(a, int))
    named = len(names) == 1 and isinstance(names[0], str) and not isinstance(names[0], Sum)
    return (str(names[0]), k, total.constant) if named and k > 0 else None


def shape_of(sizes: Iterable[Size]) -> Shape:
    """The shape with at most two axes of the given sizes, rows first."""
    rows, cols = [*sizes, UNIT, UNIT][:2]
    return rows, cols


def dims(shape: Shape, lengths: Mapping[Any, int]) -> tuple[int, int]:
    """The rows and columns of a shape, from the lengths of names.

    >>> dims((("m",), ()), {"m": 3})
    (3, 1)
    """
    rows, cols = (length(resolve(size), lengths) for size in shape)
    return rows, cols


def same(a: Size, b: Size) -> bool:
    """Equal already, without binding anything."""
    return resolve(a) == resolve(b)


def might_be_equal(a: Size, b: Size) -> bool:
    """Equal, or not known to differ."""
    a, b = resolve(a), resolve(b)
    return a == b or (
        a != UNIT != b and any(isinstance(atom, Unknown) for atom in base_atoms(a + b))
    )


def show(size: Size, marks: bool = False) -> str:
    """The size as a reader writes it; with ``marks``, every unknown in its own way.

    >>> show(("m", "n")), show((3,)), show(()), show(("k", Sum({("n",): 1}, 1)))
    ('m*n', '3', '1', 'k*(n+1)')
    """
    size = resolve(size)
    texts = [
        (f"?{a.serial:09d}" if marks else "?") if isinstance(a, Unknown) else str(a) for a in size
    ]
    return (
        "*".join(
            f"({t})" if isinstance(a, Sum) and len(size) > 1 else t
            for a, t in zip(size, texts, strict=True)
        )
        or "1"
    )


def show_shape(shape: Shape) -> str:
    """``m×n``, ``n`` for a column, ``1×n`` for a row, ``scalar``.

    Sizes that nothing says yet leave only the kind.
    """
    rows, cols = resolve(shape[0]), resolve(shape[1])
    if any(isinstance(a, Unknown) for a in base_atoms(rows + cols)):
        return "a matrix" if rows and cols else "a vector" if rows else "a row"
    if not cols:
        return show(rows) if rows else "scalar"
    return f"{show(rows)}×{show(cols)}"


def show_axes(axes: Iterable[Size]) -> str:
    """``m×n×p``, and ``scalar`` where there are no axes."""
    return "×".join(map(show, axes)) or "scalar"


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


def names_of_sizes(sizes: Iterable[Size]) -> set[str]:
    """The names that sizes are made of."""
    return {a for size in sizes for a in base_atoms(size) if isinstance(a, str)}


def renamed(size: Size, names: Mapping[str, str]) -> Size:
    """A size with other names in it."""
    return tuple(b for a in size for b in _renamed_atom(a, names))


def _renamed_atom(a: Atom, names: Mapping[str, str]) -> Size:
    if isinstance(a, Sum):
        return total_of([(renamed(size, names), k) for size, k in a.terms], a.constant).size()
    return (names.get(a, a) if isinstance(a, str) else a,)


def unused(wish: str, taken: Container[str]) -> str:
    """The wish, or the wish with the first number that makes it a new name."""
    return next(name for i in count() if (name := f"{wish}{i or ''}") not in taken)


def fresh_names(taken: Iterable[str]) -> Iterator[str]:
    """Names for unknown sizes, avoiding those in use: n, m, p, …, then n1, m1, …"""
    used, round_ = set(taken), 0
    while True:
        for name in NAMES:
            candidate = f"{name}{round_ or ''}"
            if candidate not in used:
                yield candidate
        round_ += 1
