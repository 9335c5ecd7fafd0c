"""The one table of declared properties: what is known of a matrix that is ``spd`` or ``lower``.

Declarations, normal forms, derivatives, both checks, code generators and the minimizer read this
table; nothing else names a property. Texts are in matcalc's own language, in a matrix ``x``.

A property says one of three things:

* ``projection`` — the matrix lies in a linear space: the orthogonal projection of any matrix onto
  it. A gradient is projected so, a random matrix has the property once it is, and an array has the
  property if the projection leaves it as it is;
* ``interval`` or ``definite`` — the matrix lies in an open set, in which it moves freely, or
  ``within`` a linear space;
* ``values``, ``total`` or ``zero`` — the matrix is a point of a set that has no inside. Derivatives
  are those of the expression on all of space, and are simplified by what holds at the point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

INFINITY = float("inf")


@dataclass(frozen=True, slots=True)
class Property:
    """One property. What is not given is not said: no fact about the matrix."""

    name: str
    doc: str
    aliases: tuple[str, ...] = ()
    # what may have it
    square: bool = False  # a square matrix only
    vector: bool = False  # a vector only
    variable: bool = True  # False for what is a size, and is not differentiated by
    number: str = ""  # the property of a 1×1 matrix that has it, if another
    only_number: str = ""  # the one number that would have it
    # what it says
    projection: str = ""  # onto the linear space of all matrices x that have it
    within: str = ""  # the linear property that it implies, in which a change of it moves
    definite: bool = False  # positive definite
    interval: tuple[float, float] = (-INFINITY, INFINITY)  # of every entry, without its ends
    values: tuple[int, ...] = ()  # the only ones of an entry
    total: int | None = None  # the sum of the entries of a vector, and of each row of a matrix
    zero: str = ""  # what is the zero matrix
    transpose: str = ""  # "x" or "-x", where it is that
    twice: bool = False  # the entries [i,j] and [j,i] are one, in the convention of elements
    # which others it goes with
    implies: tuple[str, ...] = ()
    excludes: tuple[tuple[str, str], ...] = ()  # some others, and why they contradict it
    # how to get one
    random: str = ""  # of random numbers x, where not by the projection or the values
    residues: str = ""  # the same modulo a prime, where no number is the larger one
    start: int = 0  # the entries that a minimizer starts from, if the matrix is not definite
    instead: str = ""  # how to minimize without it, on a set that no step keeps to
    # words of others
    sympy: str = ""  # the assumption that says the same

    @property
    def space(self) -> str:
        """The linear property of a change of the matrix, or nothing if any matrix is one."""
        return self.within or (self.name if self.projection else "")

    @property
    def on_a_set(self) -> bool:
        """Whether it holds on a set without an inside, and not around a point of it."""
        return bool(self.values or self.zero) or self.total is not None

    @property
    def is_open(self) -> bool:
        """Whether it holds around every point where it holds, but for a linear structure."""
        return self.variable and not self.projection and not self.on_a_set

    @property
    def positive(self) -> bool:
        """Whether every entry is above zero."""
        return self.interval[0] >= 0

    @property
    def nonnegative(self) -> bool:
        """Whether no entry is below zero."""
        return self.positive or (bool(self.values) and min(self.values) >= 0)

    @property
    def of_number(self) -> tuple[str, ...]:
        """The properties that are left of it where the matrix is a number."""
        if self.number:
            return (self.number,)
        return () if self.square else (self.name,)


_NOT_POSITIVE = (
    "diagonal lower upper orthogonal pm1 mask onehot",
    "zeros and negative numbers are not positive",
)
_TRIANGLE = ("lower upper", "a triangle that is symmetric is diagonal")
_NO_WAY = "and no gradient leads from one to the other"

ROWS: tuple[Property, ...] = (
    Property("integer", "a whole number 1, 2, 3, …", variable=False),
    # ---- linear spaces ---------------------------------------------------------------------------
    Property("symmetric", "equal to its transpose", ("sym",), square=True, projection="(x + x')/2", transpose="x", twice=True, excludes=(_TRIANGLE,)),
    Property("diagonal", "zero off the diagonal", ("diag",), square=True, projection="diag(diag(x))", transpose="x", implies=("symmetric", "lower", "upper")),
    Property("lower", "zero above the diagonal", square=True, projection="tril(x)", excludes=(("upper", "a matrix that is both is diagonal"),)),
    Property("upper", "zero below the diagonal", square=True, projection="triu(x)"),
    Property("skew", "the negative of its transpose", square=True, only_number="0", projection="(x - x')/2", transpose="-x", excludes=(("symmetric spd diagonal lower upper", "only the zero matrix is both"), ("positive unit simplex pm1 mask onehot", "its diagonal is zero, and its entries have both signs"))),
    # ---- open sets -------------------------------------------------------------------------------
    # the determinant of x*x' is a square modulo p, which has a root; in numbers it is kept off zero
    Property("spd", "symmetric and positive definite", square=True, number="positive", within="symmetric", definite=True, transpose="x", implies=("symmetric",), excludes=(_TRIANGLE,), random="x*x' + 2/5*amax(diag(x*x'))*eye", residues="x*x'"),
    # a square modulo p has a root, as a positive number has
    Property("positive", "positive entries", ("pos", "spos"), interval=(0, INFINITY), excludes=(_NOT_POSITIVE,), random="abs(x) + 1/100", residues="x.^2", start=1, sympy="positive"),
    Property("unit", "entries between 0 and 1", interval=(0, 1), implies=("positive",), excludes=(_NOT_POSITIVE,), random="1/10 + 4/5./(1 + abs(x))", residues="x.^2"),
    # ---- sets without an inside ------------------------------------------------------------------
    Property("simplex", "positive entries that sum to 1", vector=True, only_number="1", interval=(0, INFINITY), total=1, implies=("positive", "unit"), excludes=(_NOT_POSITIVE,), random="(abs(x) + 1/10)/sum(abs(x) + 1/10)", residues="x/sum(x)", instead="put softmax(z) in its place, and minimize by z"),
    Property("onehot", "one 1 in each row, the rest 0", only_number="1", values=(0, 1), total=1, implies=("mask",), instead=f"its entries are 0 and 1, {_NO_WAY}"),
    Property("mask", "entries 0 and 1", values=(0, 1), instead=f"its entries are 0 and 1, {_NO_WAY}"),
    Property("pm1", "entries -1 and 1", values=(-1, 1), excludes=(("diagonal lower upper mask onehot spd", "-1 and 1 leave no place for zeros, and none for a definite matrix"),), instead=f"its entries are -1 and 1, {_NO_WAY}"),
    # Cayley's transform of the antisymmetric part
    Property("orthogonal", "its transpose is its inverse", square=True, number="pm1", zero="x'*x - eye", excludes=(("spd diagonal lower upper", "such a matrix is the identity, or has -1 and 1 on its diagonal"),), random="(eye - (x - x'))*inv(eye + (x - x'))", instead="put expm(Z - Z') in its place, and minimize by Z"),
)  # fmt: skip

BY_NAME: dict[str, Property] = {row.name: row for row in ROWS}
BY_WORD: dict[str, Property] = {word: row for row in ROWS for word in (row.name, *row.aliases)}
INTEGER = next(row.name for row in ROWS if not row.variable)


def properties_of(names: Iterable[str]) -> list[Property]:
    """The rows of the properties of a variable.

    >>> [row.doc for row in properties_of(("lower",))]
    ['zero above the diagonal']
    """
    return [BY_NAME[name] for name in names if name in BY_NAME]


def with_implied(names: Iterable[str]) -> list[Property]:
    """The rows of some properties, and of those that they imply.

    >>> [row.name for row in with_implied(("spd",))]
    ['spd', 'symmetric']
    """
    rows = properties_of(names)
    return [*rows, *(BY_NAME[other] for row in rows for other in row.implies)]


@cache
def kept_by(projection: str) -> frozenset[str]:
    """The names of the properties of matrices that a projection leaves as they are.

    >>> sorted(kept_by("tril(x)"))
    ['diagonal', 'lower']
    """
    return names_of(
        lambda row: any(other.projection == projection for other in with_implied((row.name,)))
    )


def names_of(fact: Callable[[Property], object]) -> frozenset[str]:
    """The names of the properties of which a fact holds.

    >>> sorted(names_of(lambda row: row.definite))
    ['spd']
    """
    return frozenset(row.name for row in ROWS if fact(row))


def contradiction(one: str, other: str) -> str:
    """The reason why no matrix has two properties; empty if there is none.

    >>> contradiction("upper", "lower")
    'a matrix that is both is diagonal'
    """
    for row, name in ((BY_NAME[one], other), (BY_NAME[other], one)):
        for names, why in row.excludes:
            if name in names.split():
                return why
    return ""
