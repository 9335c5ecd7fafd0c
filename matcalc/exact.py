"""The exact check: an expression and its claimed derivative at random points of the integers modulo the prime 2^61 - 1.

There is no rounding, no tolerance, no domain and no kink. The expression is evaluated in dual numbers, the derivative in
plain ones (:mod:`matcalc.dual`), and the derivative applied to the direction must be the tangent, entry by entry. A wrong
claim that is a rational identity of degree d passes a point with probability at most d/2^61 (Schwartz 1980, Zippel 1979).

Equal means equal; different may be an identity between functions that is not known here. What has no model, or is singular
everywhere, is undecided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count, islice, product
from math import prod
from operator import mul
from random import Random

from . import modular as mod
from .dual import LARGEST, PATTERNS, NoRoot, Point, Undecided, Values
from .expr import Expr, postorder, sizes_of
from .expr.parts import all_exist, bounded, index_names, least_length
from .index import IndexForm, Root, form_sizes, parts
from .labels import Term
from .modular import Matrix, P, Singular
from .sizes import Atom, Size, base_atoms, length, resolve

SMALL = 8  # integer sizes up to this are kept, larger ones are replaced by the next integers, in their order
MANY_SIZES = 11  # more different sizes than this share their lengths
TRIES = 2000  # points without the square roots that are needed
SINGULAR_TRIES = 40  # points where something is singular, the sizes in another order each time
PLACES_TRIES = 200  # lengths at which some place does not exist
OTHER_SIZES = 8  # one point in so many has other sizes, since a size itself may have no square root
BRIEF = 40  # nodes of an expression that a reason quotes
SIGNED_POINTS = 20  # where a sign or a root is taken, a wrong claim may pass a point with probability 1/2


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome: equal at every point (True), different (False) or undecided (None), and why it is not True."""

    equal: bool | None
    reason: str = ""


def check(
    e: Root, wrt: Expr, derivative: Root, points: int = 2, seed: int = 0, numerator: bool = False, along: Expr | None = None
) -> Verdict:
    """Compare a claimed derivative of ``e`` by the variable ``wrt`` with the exact one, at random points.

    The axes of ``derivative`` are those of ``e``, then those of ``wrt``: the shape of ``wrt`` for a scalar ``e`` (transposed if
    ``numerator``), the shape of ``e`` for a scalar ``wrt``, ``J[i,j] = ∂e_i/∂wrt_j`` for two vectors. By a symmetric,
    diagonal or triangular variable the derivative is the one that has the same pattern. The derivative of a matrix by a matrix
    may be given as ∂vec(F)/∂vec(X)'; with a direction ``along``, it is the derivative contracted with that variable.

    >>> from matcalc.shapes import typed
    >>> form, gradient = (typed(text, "A: n×n; x: n") for text in ("x'*A*x", "2*A*x"))
    >>> check(form.expr, form.variables["x"], gradient.expr)
    Verdict(equal=False, reason='they differ')
    """
    try:
        return _Claim(e, wrt, derivative, numerator, f"{seed}", along).verdict(points)
    except Undecided as problem:
        return Verdict(None, str(problem))


@dataclass(frozen=True)
class _Claim:
    """What is to be checked, and what all points share."""

    e: Root
    wrt: Expr
    derivative: Root
    numerator: bool
    seed: str
    along: Expr | None = None
    first: dict[Atom, int] = field(default_factory=dict)  # the sizes at the first point
    two_valued: set[Expr] = field(default_factory=set)  # nodes with signs, or roots of what may always be a square
    proven: set[Expr] = field(default_factory=set)  # nodes with a root of what is not always a square, since once it had no root

    def verdict(self, points: int) -> Verdict:
        k = 0
        while k < max(points, 1) or (k < SIGNED_POINTS and self.two_valued - self.proven):
            if difference := self.difference(k):
                return self.unequal(difference)
            k += 1
        return Verdict(True)

    def difference(self, k: int) -> str:
        """What differs at the k-th point, which is drawn again until it is regular."""
        singular = 0
        for attempt in range(TRIES):
            other = attempt if attempt % OTHER_SIZES == OTHER_SIZES - 1 else 0
            point = Point(self.sizes(k % 2 + singular + other, self.first if k % 2 else {}), f"{self.seed}/{k}/{attempt}")
            try:
                difference = self.compare(point)
            except Singular as problem:
                singular += 1
                if singular == SINGULAR_TRIES:
                    raise Undecided(f"{_brief(point.node)} {problem} for every input") from None
            except NoRoot:
                self.proven.add(point.node)
            else:
                self.first.update(() if self.first else point.sizes)
                return difference
            finally:
                self.two_valued.update(point.two_valued)
        raise Undecided(f"{_brief(point.node)} needs too many square roots at once")

    def compare(self, point: Point) -> str:
        """What differs at a point; nothing if the claim is right there."""
        direction = point.direction(self.wrt) if self.along is None else point.variable(self.along)
        values: Values = {self.wrt: (point.variable(self.wrt), direction)}
        if self.along is not None:
            values[self.along] = (direction, None)
        expected = self.tangents(point, values)
        constants: Values = {node: (at, None) for node, (at, _) in values.items()}
        point.evaluate(self.order_of_derivative, constants)
        if isinstance(self.derivative, IndexForm):
            claimed = entries(self.derivative, constants, point.sizes)
        else:
            derivative = constants[self.derivative][0]
            if isinstance(self.e, Expr) and self.e.is_scalar and self.numerator:
                derivative = mod.flip(derivative)
            if problem := self.wrong_form(derivative, values, direction):
                return problem
            claimed = _unfolded(derivative, values[self.e][0], direction) if isinstance(self.e, Expr) else mod.flat(derivative)
        return "" if (_contract(claimed, mod.flat(direction)) if self.along is None else claimed) == expected else "they differ"

    def tangents(self, point: Point, values: Values) -> list[int]:
        """The change of the expression along the direction, entry by entry."""
        point.evaluate(self.order, values)
        if isinstance(self.e, IndexForm):
            return changes(self.e, values, point.sizes)
        value, tangent = values[self.e]
        return mod.flat(tangent) if tangent else [0] * len(mod.flat(value))

    def wrong_form(self, derivative: Matrix, values: Values, direction: Matrix) -> str:
        """What is wrong with the shape or the pattern of a claim."""
        if not isinstance(self.e, Expr) or self.along is not None:
            return ""
        scalar = self.e.is_scalar
        if not _fits(derivative, values[self.e][0], direction):
            return "the derivative has another shape"
        for name, pattern in PATTERNS.items():
            if scalar and name in self.wrt.properties and pattern(derivative) != derivative:
                return f"the derivative by a variable that is {name} must have the same pattern"
        return ""

    def unequal(self, difference: str) -> Verdict:
        """Numbers that may be sizes that were replaced decide nothing."""
        numbers = {n for node in self.nodes if node.head == "num" for n in node.value.as_integer_ratio() if n}
        for size in self.replaced:
            if any(n % size == 0 for n in numbers):
                return Verdict(None, f"{difference}, but a number may be the size {size}, which was made smaller")
        return Verdict(False, difference)

    # nodes and sizes

    @cached_property
    def order(self) -> list[Expr]:
        return postorder(*parts(self.e))

    @cached_property
    def order_of_derivative(self) -> list[Expr]:
        return postorder(*parts(self.derivative))

    @cached_property
    def nodes(self) -> list[Expr]:
        return list(dict.fromkeys((self.wrt, *self.order, *self.order_of_derivative)))

    @cached_property
    def atoms(self) -> list[Atom]:
        """The atoms of the sizes, in the order in which they are met."""
        sizes = [*sizes_of(self.nodes), *form_sizes(self.e, self.derivative)]
        return [a for a in dict.fromkeys(a for size in sizes for a in base_atoms(resolve(size))) if a not in self.places]

    @cached_property
    def places(self) -> dict[str, list[Size]]:
        """The names that stand for a place on an axis, with the lengths of those axes."""
        return index_names(self.nodes)

    @cached_property
    def bounded(self) -> list[Expr]:
        """The nodes that some lengths do not allow."""
        return bounded(self.nodes)

    @cached_property
    def least(self) -> int:
        return least_length(self.bounded)

    @cached_property
    def replaced(self) -> dict[int, int]:
        """Large sizes and their small substitutes."""
        if any(node.head == "part" for node in self.bounded):
            return {}
        return dict(zip(sorted(a for a in self.atoms if isinstance(a, int) and a > SMALL), count(SMALL + 1), strict=False))

    @cached_property
    def square_sizes(self) -> bool:
        """Whether a size may stand under a root."""
        return any(node.head == "size" for node in self.nodes)

    def sizes(self, layout: int, others: Mapping[Atom, int]) -> dict[Atom, int]:
        """Lengths of the names, at which all places exist."""
        for k in range(PLACES_TRIES):
            chosen = self.lengths(layout + k, others, self.least + k // 8)
            if all_exist(self.bounded, chosen):
                return chosen
        raise Undecided("no lengths were found at which all places exist")

    def lengths(self, layout: int, others: Mapping[Atom, int], least: int) -> dict[Atom, int]:
        """Pairwise different sizes, also different from others: ascending, descending, then in random orders."""
        fixed: dict[Atom, int] = {a: self.replaced.get(a, a) for a in self.atoms if isinstance(a, int)}
        names = [a for a in self.atoms if a not in fixed]
        chosen = {a: least + (k * (layout + 1)) % MANY_SIZES for k, a in enumerate(names)}  # or the points would be huge
        for start in count() if len(names) <= MANY_SIZES else ():
            free = (n for n in count(least) if n not in fixed.values() and not (self.square_sizes and mod.root(n) is None))
            chosen = dict(zip(names, _arranged(list(islice(free, start, start + len(names) + 2)), len(names), layout), strict=True))
            if not chosen.items() & others.items():
                break
        lengths = fixed | chosen
        room = {name: max(1, min(length(axis, lengths) for axis in axes)) for name, axes in self.places.items()}
        return lengths | {name: 1 + (layout + k) % room[name] for k, name in enumerate(room)}


def _arranged(values: list[int], number: int, layout: int) -> list[int]:
    if layout > 1:
        return Random(layout).sample(values, number)
    return values[:number] if layout == 0 else values[:number][::-1]


def _brief(node: Expr) -> str:
    return str(node) if node.count < BRIEF else f"a part of the form {node.head}(…)"


def _contract(claimed: list[int], direction: list[int]) -> list[int]:
    """The derivative applied to the direction: the entries of both, row by row, are the entries of a Jacobian and of a vector."""
    width = len(direction)
    return [sum(map(mul, claimed[i : i + width], direction)) % P for i in range(0, len(claimed), width)]


def _unfolded(derivative: Matrix, value: Matrix, direction: Matrix) -> list[int]:
    """The entries in the order of the axes; a Kronecker form, whose rows are (column, row) of the value, is put in order."""
    (a, b), (i, j) = ((len(m), len(m[0])) for m in (value, direction))
    if not _is_kronecker(derivative, value, direction):
        return mod.flat(derivative)
    return [derivative[q * a + p][s * i + r] for p in range(a) for q in range(b) for r in range(i) for s in range(j)]


def _is_kronecker(derivative: Matrix, value: Matrix, direction: Matrix) -> bool:
    """Whether a derivative has a row for each entry of the value and a column for each entry of the direction."""
    large = all(len(mod.flat(m)) > 1 for m in (value, direction))
    return large and (len(derivative), len(derivative[0])) == (len(mod.flat(value)), len(mod.flat(direction)))


# ---- index forms ------------------------------------------------------------------------------------------------------------


def entries(form: IndexForm, values: Values, sizes: Mapping[Atom, int]) -> list[int]:
    """All entries of an index form, row by row."""
    return _total([[mod.flat(values[f.expr][0]) for f in t.factors] for t in form.bag.terms], form.bag.terms, form, sizes)


def changes(form: IndexForm, values: Values, sizes: Mapping[Atom, int]) -> list[int]:
    """The tangents of all entries: the product rule over the factors of each term."""
    terms, tables = [], []
    for t in form.bag.terms:
        flat = [mod.flat(values[f.expr][0]) for f in t.factors]
        for k, f in enumerate(t.factors):
            if (tangent := values[f.expr][1]) is not None:
                terms.append(t)
                tables.append([*flat[:k], mod.flat(tangent), *flat[k + 1 :]])
    return _total(tables, terms, form, sizes)


def _total(tables: list[list[list[int]]], terms: Iterable[Term], form: IndexForm, sizes: Mapping[Atom, int]) -> list[int]:
    """The sum of products of tables, each indexed by the labels of its factor."""
    lengths = [length((i.size,), sizes) for i in form.bag.out]
    if prod(lengths) > LARGEST:
        raise Undecided("an index form is too large to check")
    out = [0] * prod(lengths)
    for t, flat in zip(terms, tables, strict=True):
        labels = list(dict.fromkeys((*form.bag.out, *(i for f in t.factors for i in f.labels))))
        dims = {i: length((i.size,), sizes) for i in labels}
        if prod(dims.values()) > LARGEST:
            raise Undecided("an index form is too large to check")
        coefficient = mod.residue(t.coefficient)
        axes = [[labels.index(i) for i in f.labels] for f in t.factors]
        steps = [[(k, dims[labels[k]]) for k in axis] for axis in axes]
        for at in product(*(range(dims[i]) for i in labels)):
            entry = coefficient
            for table, step in zip(flat, steps, strict=True):
                entry = entry * table[_place(at, step)] % P
            place = _place(at, list(enumerate(lengths)))
            out[place] = (out[place] + entry) % P
    return out


def _place(at: tuple[int, ...], steps: Iterable[tuple[int, int]]) -> int:
    """The place in a table, row by row, of the entry with the given indices."""
    place = 0
    for k, width in steps:
        place = place * width + at[k]
    return place


def _fits(derivative: Matrix, value: Matrix, direction: Matrix) -> bool:
    """Whether a derivative has the axes of the expression, then those of the variable; a row may stand as a column."""
    if _is_kronecker(derivative, value, direction):
        return True
    shape = (len(derivative), len(derivative[0]))
    arrays = [a for a in (value, direction) if len(a) * len(a[0]) > 1]
    if len(arrays) == 2:
        return shape == (len(mod.flat(value)), len(mod.flat(direction)))
    rows, cols = (len(arrays[0]), len(arrays[0][0])) if arrays else (1, 1)
    return shape == (rows, cols) or (rows == 1 and shape == (cols, rows))
