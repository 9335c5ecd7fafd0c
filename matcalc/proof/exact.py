"""The exact check: an expression and its claimed derivative at random points of the integers modulo
the prime 2^61 - 1.

There is no rounding, no tolerance, no domain and no kink. The expression is evaluated in dual
numbers, the derivative in plain ones (:mod:`matcalc.proof.dual`), and the derivative applied to the
direction must be the tangent, entry by entry. A wrong claim that is a rational identity of degree d
passes a point with probability at most d/2^61 (Schwartz 1980, Zippel 1979).

Equal means equal; different may be an identity between functions that is not known here. What has
no model, or is singular everywhere, is undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from math import prod
from operator import add, mul
from typing import Any, TypeVar

from ..budget import spend
from ..expr import Expr, postorder
from ..expr.sizes import Atom, length
from ..labels.bag import Label, Labels, Term
from ..labels.index_form import IndexForm
from ..labels.roots import Root, form_sizes, parts
from ..tables.properties import properties_of
from . import modular as mod
from .dual import NoRoot, Point, TooLarge, Undecided, Values
from .lengths import Lengths, NoLengths, work
from .modular import Matrix, P, Singular

MANY, FEW = 11, 2  # different lengths of names: fewer where arrays would be too large
ENTRIES = 80_000  # entries that are evaluated in search of points where all square roots exist
FEWEST, MOST = 20, 4000  # tries of such a search, whatever their size
SINGULAR_TRIES = 40  # points where something is singular, the sizes in another order each time
OTHER_SIZES = 8  # one point in so many has other sizes, since a size itself may have no square root
BRIEF = 40  # nodes of an expression that a reason quotes
# where a sign or a root is taken, a wrong claim may pass a point with probability 1/2
SIGNED_POINTS = 20
LARGEST_WORK = 3_000_000  # multiplications at one point
LARGEST_FORM = 300_000  # entries of an index form, with those that are summed

T = TypeVar("T")
Table = list[list[T]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome: equal at every point (True), different (False) or undecided (None), and why
    it is not True.
    """

    equal: bool | None
    reason: str = ""


def check(
    e: Root,
    wrt: Expr,
    derivative: Root,
    points: int = 2,
    seed: int = 0,
    numerator: bool = False,
    along: Expr | None = None,
    many: int = MANY,
) -> Verdict:
    """Compare a claimed derivative of ``e`` by the variable ``wrt`` with the exact one, at random
    points.

    The axes of ``derivative`` are those of ``e``, then those of ``wrt``: the shape of ``wrt`` for a
    scalar ``e`` (transposed if ``numerator``), the shape of ``e`` for a scalar ``wrt``, ``J[i,j] =
    ∂e_i/∂wrt_j`` for two vectors. By a symmetric, diagonal or triangular variable the derivative is
    the one that has the same pattern. The derivative of a matrix by a matrix may be given as
    ∂vec(F)/∂vec(X)'; with a direction ``along``, it is the derivative contracted with that
    variable. Names of sizes have at most ``many`` different lengths.

    >>> from matcalc.language.typed import typed
    >>> form, gradient = (typed(text, "A: n×n; x: n") for text in ("x'*A*x", "2*A*x"))
    >>> check(form.expr, form.variables["x"], gradient.expr)
    Verdict(equal=False, reason='they differ')
    """
    claim = _Claim(e, wrt, derivative, numerator, f"{seed}", along, many=many)
    try:
        verdict = claim.verdict(points)
        # a number may be a size that was made smaller
        if verdict.equal is False and claim.layouts.shrinks:
            return replace(claim, actual=True, first={}).verdict(points)
        return verdict
    except TooLarge as problem:
        if claim.many > FEW:
            return check(e, wrt, derivative, points, seed, numerator, along, many=FEW)
        return Verdict(None, str(problem))
    except (Undecided, NoLengths) as problem:
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
    many: int = MANY
    actual: bool = False  # with declared sizes as they are, however large
    first: dict[Atom, int] = field(default_factory=dict)  # the sizes at the first point
    # nodes that took a sign or a root: one agreement there may be luck (probability 1/2)
    two_valued: set[Expr] = field(default_factory=set)
    # those that failed to have a root at some point, so that their choice was really tested
    proven: set[Expr] = field(default_factory=set)

    def verdict(self, points: int) -> Verdict:
        tries = iter(range(self.most_tries))
        k = 0
        while k < max(points, 1) or (k < SIGNED_POINTS and self.two_valued - self.proven):
            if difference := self.difference(k, tries):
                return Verdict(False, difference)
            k += 1
        return Verdict(True)

    def difference(self, k: int, tries: Iterator[int]) -> str:
        """What differs at the k-th point, which is drawn again until it is regular."""
        singular = 0
        for attempt in tries:
            other = attempt if attempt % OTHER_SIZES == OTHER_SIZES - 1 else 0
            sizes = self.sizes(k % 2 + singular + other, self.first if k % 2 else {})
            point = Point(sizes, f"{self.seed}/{k}/{attempt}")
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
        raise Undecided(self.rootless())

    def rootless(self) -> str:
        """Why no point was found."""
        nodes = [node for node in self.nodes if node in self.proven]
        needs = _brief(nodes[0]) if nodes else "the expression"
        return f"{needs} needs too many square roots at once"

    @cached_property
    def most_tries(self) -> int:
        """Points that may be drawn in all: many of a small expression."""
        entries = work(self.nodes, self.sizes(0, {}))
        if entries > LARGEST_WORK:
            raise TooLarge("the arrays are too large to check exactly")
        return min(max(ENTRIES // max(entries, 1), FEWEST), MOST)

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
            claimed = (
                unfolded(derivative, values[self.e][0], direction)
                if isinstance(self.e, Expr)
                else mod.flat(derivative)
            )
        change = claimed
        if self.along is None:
            if problem := self.wrong_pattern(claimed, point):
                return problem
            change = [x % P for x in contracted(claimed, mod.flat(direction))]
        return "" if change == expected else "they differ"

    def tangents(self, point: Point, values: Values) -> list[int]:
        """The change of the expression along the direction, entry by entry."""
        point.evaluate(self.order, values)
        if isinstance(self.e, IndexForm):
            return changes(self.e, values, point.sizes)
        value, tangent = values[self.e]
        return mod.flat(tangent) if tangent else [0] * len(mod.flat(value))

    def wrong_form(self, derivative: Matrix, values: Values, direction: Matrix) -> str:
        """What is wrong with the shape of a claim in matrix notation."""
        if not isinstance(self.e, Expr) or self.along is not None:
            return ""
        return (
            ""
            if _fits(derivative, values[self.e][0], direction)
            else "the derivative has another shape"
        )

    def wrong_pattern(self, claimed: list[int], point: Point) -> str:
        """What the derivative of an entry lacks of the structure of the variable, if anything.

        It lies in the space of the variable if and only if it is orthogonal to what the projection
        takes away from a matrix; of a random one that is seen all but surely.
        """
        for row in properties_of(self.wrt.properties):
            if row.space:
                noise = point.noise(self.wrt.shape_)
                taken = mod.minus(noise, point.projected(self.wrt, noise))
                if any(x % P for x in contracted(claimed, mod.flat(taken))):
                    return (
                        f"the derivative by a variable that is {row.name} must have the same "
                        "pattern"
                    )
        return ""

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
    def layouts(self) -> Lengths:
        """The lengths that the sizes may have."""
        return Lengths(self.nodes, form_sizes(self.e, self.derivative), self.actual, self.many)

    @cached_property
    def square_sizes(self) -> bool:
        """Whether a size may stand under a root."""
        return any(node.head == "size" for node in self.nodes)

    def sizes(self, layout: int, others: Mapping[Atom, int]) -> dict[Atom, int]:
        """Pairwise different lengths, also different from others, at which all indices exist."""
        if self.square_sizes:
            return self.layouts.at(layout, others, allowed=lambda n: mod.root(n) is not None)
        return self.layouts.at(layout, others)


def _brief(node: Expr) -> str:
    return str(node) if node.count < BRIEF else f"a part of the form {node.head}(…)"


# ---- derivatives as lists of entries, of residues or of other numbers ----------------------------


def contracted(claimed: Sequence[Any], direction: Sequence[Any]) -> list[Any]:
    """The derivative applied to the direction: the entries of both, row by row, are those of a
    Jacobian and of a vector.
    """
    width = len(direction)
    return [sum(map(mul, claimed[i : i + width], direction)) for i in range(0, len(claimed), width)]


def by_entries(claimed: Sequence[T], direction: Table[T]) -> Iterator[Table[T]]:
    """For each entry of the expression its derivative, in the shape of the variable."""
    rows, cols = len(direction), len(direction[0])
    for start in range(0, len(claimed), rows * cols):
        yield [list(claimed[start + i * cols : start + (i + 1) * cols]) for i in range(rows)]


def unfolded(derivative: Table[T], value: Table[T], direction: Table[T]) -> list[T]:
    """The entries in the order of the axes.

    A Kronecker form, whose rows are (column, row) of the value, is put in order.
    """
    (a, b), (i, j) = ((len(m), len(m[0])) for m in (value, direction))
    if not is_kronecker(derivative, value, direction):
        return [x for row in derivative for x in row]
    return [
        derivative[q * a + p][s * i + r]
        for p in range(a)
        for q in range(b)
        for r in range(i)
        for s in range(j)
    ]


def is_kronecker(derivative: Table[T], value: Table[T], direction: Table[T]) -> bool:
    """Whether a derivative has a row for each entry of the value and a column for each entry of
    the direction.
    """
    entries = [len(m) * len(m[0]) for m in (value, direction)]
    return min(entries) > 1 and [len(derivative), len(derivative[0])] == entries


# ---- index forms ---------------------------------------------------------------------------------


def entries(form: IndexForm, values: Values, sizes: Mapping[Atom, int]) -> list[int]:
    """All entries of an index form, row by row."""
    tables = [[mod.flat(values[f.expr][0]) for f in t.factors] for t in form.bag.terms]
    return _residues(summed(tables, form.bag.terms, form, sizes, mod.residue))


def changes(form: IndexForm, values: Values, sizes: Mapping[Atom, int]) -> list[int]:
    """The tangents of all entries: the product rule over the factors of each term."""
    terms, tables = [], []
    for t in form.bag.terms:
        flat = [mod.flat(values[f.expr][0]) for f in t.factors]
        for k, f in enumerate(t.factors):
            if (tangent := values[f.expr][1]) is not None:
                terms.append(t)
                tables.append([*flat[:k], mod.flat(tangent), *flat[k + 1 :]])
    return _residues(summed(tables, terms, form, sizes, mod.residue))


def _residues(numbers: Iterable[int]) -> list[int]:
    return [x % P for x in numbers]


def summed(
    tables: list[list[list[Any]]],
    terms: Iterable[Term],
    form: IndexForm,
    sizes: Mapping[Atom, int],
    number: Callable[[Fraction], Any],
) -> list[Any]:
    """The sum of products of tables, each indexed by the labels of its factor.

    Coefficients become a ``number``.
    """
    out = list(form.bag.out)
    total: list[Any] = []
    for t, flat in zip(terms, tables, strict=True):
        labels = dict.fromkeys((*out, *(i for f in t.factors for i in f.labels)))
        dims = {i: length((i.size,), sizes) for i in labels}
        entries = _product(number(t.coefficient), [f.labels for f in t.factors], flat, out, dims)
        total = list(map(add, total, entries)) if total else entries
    return total or [number(Fraction(0))] * prod(length((i.size,), sizes) for i in out)


def _product(
    coefficient: Any,
    axes: list[Labels],
    tables: list[list[Any]],
    out: list[Label],
    dims: Mapping[Label, int],
) -> list[Any]:
    """The entries of a product of tables, one factor after the other.

    Labels are summed as soon as no other factor has them.
    """
    labels: list[Label] = []
    entries = [coefficient]
    for k, (own, table) in enumerate(zip(axes, tables, strict=True)):
        later = {*out, *(i for others in axes[k + 1 :] for i in others)}
        met = dict.fromkeys((*labels, *own))
        kept, summed_now = ([i for i in met if (i in later) is kind] for kind in (True, False))
        order = [*kept, *summed_now]
        _check_room(prod(dims[i] for i in order))
        left, right = (_indices(held, order, dims) for held in (labels, own))
        entries = [entries[i] * table[j] for i, j in zip(left, right, strict=True)]
        if summed_now:
            width = prod(dims[i] for i in summed_now)
            entries = [sum(entries[i : i + width]) for i in range(0, len(entries), width)]
        labels = kept
    _check_room(prod(dims[i] for i in out))
    return [entries[i] for i in _indices(labels, out, dims)]


def _check_room(entries: int) -> None:
    if entries > LARGEST_FORM:
        raise TooLarge("an index form is too large to check")
    spend(1 + entries // 8)


def _indices(held: Sequence[Label], order: Sequence[Label], dims: Mapping[Label, int]) -> list[int]:
    """For every value of the labels in order, the index in a table that holds some of them, row
    by row.
    """
    strides: dict[Label, int] = {}
    stride = 1
    for label in reversed(held):
        strides[label] = strides.get(label, 0) + stride
        stride *= dims[label]
    indices = [0]
    for label in order:
        steps = [strides.get(label, 0) * k for k in range(dims[label])]
        indices = [i + more for i in indices for more in steps]
    return indices


def _fits(derivative: Matrix, value: Matrix, direction: Matrix) -> bool:
    """Whether a derivative has the axes of the expression, then those of the variable.

    A row may stand as a column.
    """
    if is_kronecker(derivative, value, direction):
        return True
    shape = (len(derivative), len(derivative[0]))
    arrays = [a for a in (value, direction) if len(a) * len(a[0]) > 1]
    if len(arrays) == 2:
        return shape == (len(mod.flat(value)), len(mod.flat(direction)))
    rows, cols = (len(arrays[0]), len(arrays[0][0])) if arrays else (1, 1)
    return shape == (rows, cols) or (rows == 1 and shape == (cols, rows))
