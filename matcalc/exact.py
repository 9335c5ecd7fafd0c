"""The exact check: an expression and its claimed derivative at random points of the integers modulo the prime 2^61 - 1.

There is no rounding, no tolerance, no domain and no kink. The expression is evaluated in dual numbers, the derivative in
plain ones (:mod:`matcalc.dual`), and the derivative applied to the direction must be the tangent, entry by entry. A wrong
claim that is a rational identity of degree d passes a point with probability at most d/2^61 (Schwartz 1980, Zippel 1979).

Equal means equal; different may be an identity between functions that is not known here. What has no model, or is singular
everywhere, is undecided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count, islice
from operator import mul
from random import Random

from . import modular as mod
from .dual import PATTERNS, NoRoot, Point, Undecided, Values
from .expr import Expr, postorder
from .modular import Matrix, P, Singular
from .sizes import Atom, resolve

SMALL = 8  # integer sizes up to this are kept, larger ones are replaced by the next integers, in their order
TRIES = 2000  # points without the square roots that are needed
SINGULAR_TRIES = 40  # points where something is singular, the sizes in another order each time
OTHER_SIZES = 8  # one point in so many has other sizes, since a size itself may have no square root
BRIEF = 40  # nodes of an expression that a reason quotes
SIGNED_POINTS = 20  # where a sign or a root is taken, a wrong claim may pass a point with probability 1/2


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome: equal at every point (True), different (False) or undecided (None), and why it is not True."""

    equal: bool | None
    reason: str = ""


def check(e: Expr, wrt: Expr, derivative: Expr, points: int = 2, seed: int = 0, numerator: bool = False) -> Verdict:
    """Compare a claimed derivative of ``e`` by the variable ``wrt`` with the exact one, at random points.

    The axes of ``derivative`` are those of ``e``, then those of ``wrt``: the shape of ``wrt`` for a scalar ``e`` (transposed if
    ``numerator``), the shape of ``e`` for a scalar ``wrt``, ``J[i,j] = ∂e_i/∂wrt_j`` for two vectors. By a symmetric,
    diagonal or triangular variable the derivative is the one that has the same pattern.

    >>> from matcalc.shapes import typed
    >>> form, gradient = (typed(text, "A: n×n; x: n") for text in ("x'*A*x", "2*A*x"))
    >>> check(form.expr, form.variables["x"], gradient.expr)
    Verdict(equal=False, reason='they differ')
    """
    if sum(map(bool, (*e.shape_, *wrt.shape_))) > 2:
        return Verdict(None, "the derivative has more than two axes")
    try:
        return _Claim(e, wrt, derivative, numerator, f"{seed}").verdict(points)
    except Undecided as problem:
        return Verdict(None, str(problem))


@dataclass(frozen=True)
class _Claim:
    """What is to be checked, and what all points share."""

    e: Expr
    wrt: Expr
    derivative: Expr
    numerator: bool
    seed: str
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
        direction = point.direction(self.wrt)
        values: Values = {self.wrt: (point.variable(self.wrt), direction)}
        value, tangent = point.evaluate(self.order, values)
        constants: Values = {node: (at, None) for node, (at, _) in values.items()}
        derivative, _ = point.evaluate(self.order_of_derivative, constants)
        if self.e.is_scalar and self.numerator:
            derivative = mod.flip(derivative)
        if not _fits(derivative, value, direction):
            return "the derivative has another shape"
        for name, pattern in PATTERNS.items():
            if self.e.is_scalar and name in self.wrt.properties and pattern(derivative) != derivative:
                return f"the derivative by a variable that is {name} must have the same pattern"
        expected = mod.flat(tangent) if tangent else [0] * len(mod.flat(value))
        return "" if _contract(derivative, direction) == expected else "they differ"

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
        return postorder(self.e)

    @cached_property
    def order_of_derivative(self) -> list[Expr]:
        return postorder(self.derivative)

    @cached_property
    def nodes(self) -> list[Expr]:
        return list(dict.fromkeys((self.wrt, *self.order, *self.order_of_derivative)))

    @cached_property
    def atoms(self) -> list[Atom]:
        """The atoms of the sizes, in the order in which they are met."""
        return list(dict.fromkeys(a for node in self.nodes for size in node.shape_ for a in resolve(size)))

    @cached_property
    def replaced(self) -> dict[int, int]:
        """Large sizes and their small substitutes."""
        return dict(zip(sorted(a for a in self.atoms if isinstance(a, int) and a > SMALL), count(SMALL + 1), strict=False))

    @cached_property
    def square_sizes(self) -> bool:
        """Whether a size may stand under a root."""
        return any(node.head == "size" for node in self.nodes)

    def sizes(self, layout: int, others: Mapping[Atom, int]) -> dict[Atom, int]:
        """Pairwise different sizes, also different from others: ascending, descending, then in random orders."""
        fixed: dict[Atom, int] = {a: self.replaced.get(a, a) for a in self.atoms if isinstance(a, int)}
        names = [a for a in self.atoms if a not in fixed]
        for start in count():
            free = (n for n in count(2) if n not in fixed.values() and not (self.square_sizes and mod.root(n) is None))
            chosen = dict(zip(names, _arranged(list(islice(free, start, start + len(names) + 2)), len(names), layout), strict=True))
            if not chosen.items() & others.items():
                break
        return fixed | chosen


def _arranged(values: list[int], number: int, layout: int) -> list[int]:
    if layout > 1:
        return Random(layout).sample(values, number)
    return values[:number] if layout == 0 else values[:number][::-1]


def _brief(node: Expr) -> str:
    return str(node) if node.count < BRIEF else f"a part of the form {node.head}(…)"


def _contract(derivative: Matrix, direction: Matrix) -> list[int]:
    """The derivative applied to the direction: the entries of both, row by row, are the entries of a Jacobian and of a vector."""
    entries, change = mod.flat(derivative), mod.flat(direction)
    width = len(change)
    return [sum(map(mul, entries[i : i + width], change)) % P for i in range(0, len(entries), width)]


def _fits(derivative: Matrix, value: Matrix, direction: Matrix) -> bool:
    """Whether a derivative has the axes of the expression, then those of the variable; a row may stand as a column."""
    shape = (len(derivative), len(derivative[0]))
    arrays = [a for a in (value, direction) if len(a) * len(a[0]) > 1]
    if len(arrays) == 2:
        return shape == (len(mod.flat(value)), len(mod.flat(direction)))
    rows, cols = (len(arrays[0]), len(arrays[0][0])) if arrays else (1, 1)
    return shape == (rows, cols) or (rows == 1 and shape == (cols, rows))
