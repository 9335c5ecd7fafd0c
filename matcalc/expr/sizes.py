"""Sizes of axes: their unification, and the names given to the unknown ones.

A size is a tuple of atoms: ``()`` is length 1, ``("n",)`` a named size, ``(3,)`` a number, and
``("n", "m")`` the product n·m that ``vec`` and ``kron`` make. Atoms are names, integers, sums (n +
m, of blocks; n - 1, of a range) or, while parsing, unknowns that unification binds. Sizes check and
report; they never drive the algebra, which labels do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import chain, count
from math import prod
from typing import Any, TypeGuard

from .signed import joined


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
        """Say if it may become this size."""
        if size == UNIT or self in base_atoms(size):
            return False
        if self.length is None or any(isinstance(a, Unknown) for a in size):
            return True
        return multiple(size) == multiple(self.length)

    def preferred(self) -> Size | None:
        """The product that it must be, where nothing says in which order.

        With a number in it that is a multiple, n + n for n*2.
        """
        if self.length is None or not any(isinstance(a, int) for a in self.length):
            return self.length
        return multiple(self.length).size()


def in_any_order(size: Size) -> Size:
    """A size as it is written, whose factors may turn out to stand in another order.

    So n*m may stand beside kron(x, y).
    """
    return size if len(size) < 2 else (Unknown(size),)


class Sum(str):
    """A sum of sizes with whole coefficients and a number, as a name that knows its terms.

    >>> Sum({("n",): 1, ("m", "k"): 2}, -1)
    'n+2*k*m-1'
    """

    terms: tuple[tuple[Size, int], ...]
    constant: int

    def __new__(cls, terms: Mapping[Size, int], constant: int = 0) -> Sum:
        with_sorted_factors = {tuple(sorted(size, key=str)): k for size, k in terms.items()}
        ordered = tuple(sorted(with_sorted_factors.items(), key=_term_order))
        signed = [(k, _term_text(size, abs(k))) for size, k in ordered]
        if constant or not signed:
            signed.append((constant, str(abs(constant))))
        self = super().__new__(cls, joined(signed, "+", "-"))
        self.terms, self.constant = ordered, constant
        return self

    def __getnewargs__(self) -> tuple[dict[Size, int], int]:  # type: ignore[override]
        return dict(self.terms), self.constant

    def size(self) -> Size:
        """The sum as a size, which may be a number or a single name."""
        if not self.terms:
            return UNIT if self.constant == 1 else (self.constant,)
        (size, k), *others = self.terms
        return size if k == 1 and not others and not self.constant else (self,)

    def resolved(self) -> Sum:
        """The sum with the unknowns replaced that unification has bound."""
        return total_of([(resolve(size), k) for size, k in self.terms], self.constant)

    @property
    def is_empty(self) -> bool:
        """Say if an axis of this length has no place, for all lengths of the names."""
        return all(k < 0 for _, k in self.terms) and self._at_ones() < 1

    @property
    def is_positive(self) -> bool:
        """Say if an axis of this length has a place, for all lengths of the names."""
        return self.covers(Sum({}, 1))

    def covers(self, other: Sum) -> bool:
        """Say if it is at least as large as another sum, for all lengths of the names."""
        gap = total_of([((self,), 1), ((other,), -1)])
        return all(k > 0 for _, k in gap.terms) and gap._at_ones() >= 0

    @property
    def is_negative(self) -> bool:
        """Say if it is below 0, for all lengths of the names."""
        return all(k < 0 for _, k in self.terms) and self._at_ones() < 0

    def _at_ones(self) -> int:
        """The value where every name is 1, its least length."""
        return self.constant + sum(k for _, k in self.terms)


def _term_order(term: tuple[Size, int]) -> tuple[bool, int, str]:
    """The order of terms: what is added before what is subtracted, short products first."""
    size, k = term
    return (k < 0, len(size), show(size, marks=True))


def _term_text(size: Size, k: int) -> str:
    return f"{k}*{show(size, marks=True)}" if k > 1 else show(size, marks=True)


def total_of(parts: Iterable[tuple[Size, int]], constant: int = 0) -> Sum:
    """A sum of multiples of sizes."""
    terms: Counter[Size] = Counter()
    for part, k in parts:
        inner, number = _terms_and_number(part)
        constant += k * number
        for size, c in inner:
            terms[size] += k * c
    if constant or len(terms) > 1 or any(k != 1 for k in terms.values()):  # 2*n - n is n
        terms = _with_coefficients(terms)
    return Sum({size: k for size, k in terms.items() if k}, constant)


def _terms_and_number(part: Size) -> tuple[Iterable[tuple[Size, int]], int]:
    """A size as a sum: its terms, and its number."""
    size = part if _is_sum(part) else resolve(part)
    if all(isinstance(a, int) for a in size):
        return (), length(size, {})
    if _is_sum(size):
        inner = _up_to_date(size[0])
        return inner.terms, inner.constant
    return [(tuple(sorted(size, key=str)), 1)], 0


def _is_sum(size: Size) -> TypeGuard[tuple[Sum]]:
    return len(size) == 1 and isinstance(size[0], Sum)


def _up_to_date(a: Sum) -> Sum:
    """A sum without the unknowns that are bound by now; mostly there are none."""
    if any(isinstance(b, Unknown) and b.value is not None for b in base_atoms((a,))):
        return a.resolved()
    return a


def _with_coefficients(terms: Mapping[Size, int]) -> Counter[Size]:
    """The terms with the numbers of their products multiplied into their coefficients."""
    multiplied: Counter[Size] = Counter()
    for size, k in terms.items():
        names, number = _names_and_number(size)
        multiplied[names] += k * number
    return multiplied


def _names_and_number(size: Size) -> tuple[Size, int]:
    """The factors of a product that are no numbers, and the product of those that are."""
    names = tuple(a for a in size if not isinstance(a, int))
    return names, prod(a for a in size if isinstance(a, int))


def multiple(size: Size) -> Sum:
    """A product with its numbers in front: n*2 as n + n."""
    return total_of([_names_and_number(size)])


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
    if all(type(a) in (str, int) for a in size):  # neither sums nor unknowns
        return size
    return tuple(b for a in size for b in _resolved_atom(a))


def _resolved_atom(a: Atom) -> Size:
    if isinstance(a, Unknown):
        return _binding(a)
    return a.resolved().size() if isinstance(a, Sum) else (a,)


def _binding(unknown: Unknown) -> Size:
    """The size that an unknown is bound to in the end; later searches take the shortened way."""
    passed: list[Unknown] = []
    size: Size = (unknown,)
    while len(size) == 1 and isinstance(size[0], Unknown) and size[0].value is not None:
        passed.append(size[0])
        size = size[0].value
    size = resolve(size) if len(size) > 1 or isinstance(size[0], Sum) else size
    for a in passed:
        a.value = size
    return size


def unify(a: Size, b: Size) -> bool:
    """Make two sizes equal if that is possible; say if it was."""
    a, b = resolve(a), resolve(b)
    if a == b or _bind(a, b) or _bind(b, a):
        return True
    if any(isinstance(atom, Sum) for atom in a + b):
        return _balance(total_of([(a, 1), (b, -1)]))
    if len(a) != len(b) or len(a) < 2:
        return False
    return all(unify((x,), (y,)) for x, y in zip(a, b, strict=True))


def _bind(size: Size, value: Size) -> bool:
    """Bind a single unknown that may become the value; say if it is one."""
    if len(size) == 1 and isinstance(size[0], Unknown) and size[0].admits(value):
        size[0].value = value
        return True
    return False


def _balance(gap: Sum) -> bool:
    """Make a sum zero by what is unknown in it, if that is possible; say if it was."""
    unknowns = [(size[0], k) for size, k in gap.terms if _is_unknown(size)]
    if not unknowns:
        return gap == Sum({})
    (first, k), *others = unknowns
    partners = [other for other, c in others if c == -k]
    if partners:  # [A, B] beside [C, D]: part by part
        return unify((first,), (partners[0],)) and _balance(gap.resolved())
    return abs(k) == 1 and _bind_to_sum(first, _rest(gap, first, k))


def _rest(gap: Sum, unknown: Unknown, k: int) -> Sum:
    """The sum that an unknown must be for the gap to be zero, where its coefficient is 1 or -1."""
    others = [(size, -c * k) for size, c in gap.terms if size != (unknown,)]
    return total_of(others, -gap.constant * k)


def _is_unknown(size: Size) -> TypeGuard[tuple[Unknown]]:
    return len(size) == 1 and isinstance(size[0], Unknown)


def _bind_to_sum(unknown: Unknown, value: Sum) -> bool:
    """Make an unknown equal to a sum that can be a length; say if it could be."""
    if all(k < 0 for _, k in value.terms) and (value.terms or value.constant < 1):
        return False
    if unknown.length is not None and not unknown.admits(value.size()):
        return False
    return unify((unknown,), value.size())


def linear(size: Size) -> tuple[str, int, int] | None:
    """The name n, the factor k and the number c of a size that is k*n + c, with k above 0.

    >>> linear((2, "n")), linear((Sum({("n",): 1}, -1),)), linear(("m", "n"))
    (('n', 2, 0), ('n', 1, -1), None)
    """
    total = multiple(size)
    if len(total.terms) != 1:
        return None
    atoms, coefficient = total.terms[0]
    names, number = _names_and_number(atoms)
    k = coefficient * number
    if k <= 0 or len(names) != 1 or type(names[0]) is not str:
        return None
    return names[0], k, total.constant


def shape_of(sizes: Iterable[Size]) -> Shape:
    """The shape with at most two axes of the given sizes, rows first."""
    rows, cols = [*sizes, UNIT, UNIT][:2]
    return rows, cols


def is_row(shape: Shape) -> bool:
    """Say if a shape is that of a row, a matrix with one row and more than one column."""
    return shape[0] == UNIT != shape[1]


def dims(shape: Shape, lengths: Mapping[Any, int]) -> tuple[int, int]:
    """The rows and columns of a shape, from the lengths of names.

    >>> dims((("m",), ()), {"m": 3})
    (3, 1)
    """
    rows, cols = (length(resolve(size), lengths) for size in shape)
    return rows, cols


def same(a: Size, b: Size) -> bool:
    """Say if two sizes are equal already, without binding anything."""
    return resolve(a) == resolve(b)


def might_be_equal(a: Size, b: Size) -> bool:
    """Say if two sizes are equal, or not known to differ."""
    a, b = resolve(a), resolve(b)
    if a == b:
        return True
    return a != UNIT != b and any(isinstance(atom, Unknown) for atom in base_atoms(a + b))


def show(size: Size, marks: bool = False) -> str:
    """The size as a reader writes it; with ``marks``, every unknown in its own way.

    >>> show(("m", "n")), show((3,)), show(()), show(("k", Sum({("n",): 1}, 1)))
    ('m*n', '3', '1', 'k*(n+1)')
    """
    size = resolve(size)
    if len(size) == 1:
        return _atom_text(size[0], marks)
    return "*".join(_factor_text(a, marks) for a in size) or "1"


def _factor_text(a: Atom, marks: bool) -> str:
    return f"({a})" if isinstance(a, Sum) else _atom_text(a, marks)


def _atom_text(a: Atom, marks: bool) -> str:
    if not isinstance(a, Unknown):
        return str(a)
    return f"?{a.serial:09d}" if marks else "?"


def show_shape(shape: Shape) -> str:
    """``m×n``, ``n`` for a column, ``1×n`` for a row, ``scalar``.

    With sizes that nothing says yet: ``a matrix``, ``a vector``, ``a row``.
    """
    rows, cols = resolve(shape[0]), resolve(shape[1])
    if any(isinstance(a, Unknown) for a in base_atoms(rows + cols)):
        if not rows:
            return "a row"
        return "a matrix" if cols else "a vector"
    if not cols:
        return show(rows) if rows else "scalar"
    return f"{show(rows)}×{show(cols)}"


def show_axes(axes: Iterable[Size]) -> str:
    """``m×n×p``, and ``scalar`` where there are no axes."""
    return "×".join(map(show, axes)) or "scalar"


def public_size(size: Size) -> str | int:
    """One length as users see it: a name, a product of names, or a number."""
    size = resolve(size)
    if not size:
        return 1
    return size[0] if len(size) == 1 and isinstance(size[0], int) else show(size)


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
    numbered = (f"{wish}{i}" for i in count(1))
    return next(name for name in chain([wish], numbered) if name not in taken)


def fresh_names(taken: Iterable[str]) -> Iterator[str]:
    """Names for unknown sizes, avoiding those in use: n, m, p, …, then n1, m1, …"""
    avoided = set(taken)
    numbers = chain([""], map(str, count(1)))
    candidates = (f"{name}{number}" for number in numbers for name in NAMES)
    return (name for name in candidates if name not in avoided)
