"""Numerical check of a claim: differences of many digits at random points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cached_property
from itertools import product
from random import Random
from typing import NamedTuple

from ..budget import limited, share
from ..errors import LimitProblem, NotDifferentiable
from ..expr import Expr, own_axes, postorder, variables
from ..expr.sizes import Atom, dims
from ..labels.index_form import IndexForm
from ..labels.roots import Root, form_sizes, parts
from ..tables.functions import BY_NAME, Row
from ..tables.properties import properties_of
from .branches import has_branches
from .decimal_matrices import LOST_DIGITS, Matrix, arithmetic, constant, each
from .decimals import DecimalPoint, Values
from .dual import TooLarge
from .exact import FEW, by_entries, contracted, summed, unfolded
from .lengths import Lengths, NoLengths, work
from .modular import flat
from .points import TIES, in_space, random_direction, random_value

DIGITS = 70
STEP = 20  # differences are taken over 10^-20, where rounding and curvature both leave forty digits
AGREE = Decimal("1e-30")  # relative differences of derivatives that are rounding, or curvature
# relative differences of the slopes on both sides of a point off every kink
SMOOTH = Decimal("1e-8")
# what is left of a difference that is rounding when there are twice as many digits
ROUNDING = Decimal("1e-10")
LARGEST_VALUE = Decimal("1e50")  # beyond which a one beside it may be lost, and no point refutes
COMPARING = arithmetic(2 * DIGITS)  # whatever the decimal context of the caller
TRIES = 40  # points, since some lie outside of a domain or on a kink
POINTS_IF_PROVEN = 2  # that must agree beside an exact proof
# without one: analytic functions that differ at all differ at almost every point
POINTS_IF_ANALYTIC = 4
# where each point speaks for itself alone: on one side of a kink, on a branch, of few possible
# values
POINTS = 8
POINTS_AT_ONE = 3  # of such, where sizes are 1
FEWEST_POINTS = 3  # that decide without an exact proof, where more are not found
LARGEST_WORK = 400_000  # multiplications at one point
# up to which declared numbers are taken as they are at some points, too
MUCH_WORK, ACTUAL_POINTS = 20_000, 2
ENTRIES_SHOWN = 60  # of the variable that are tried one by one to say where a claim is wrong
LENGTHS = 4  # different lengths of names: points are many, so that small ones do


def has_kinks(*roots: Root) -> bool:
    """Whether a function is not smooth everywhere, so that one point says little about others."""
    return any(row.kinks or not row.smooth for row in rows_of(*roots))


def rows_of(*roots: Root) -> list[Row]:
    """The rows of the table for the functions that occur."""
    return [BY_NAME[n.head] for n in postorder(*parts(*roots)) if n.head in BY_NAME]


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the numbers say: whether they agree, the largest relative difference, and at how many
    points.

    ``elsewhere`` is said where they disagree at sizes that were passed over, ``doubtful`` where
    values were too large to tell.
    """

    agree: bool | None
    error: float = float("nan")
    points: int = 0
    note: str = ""
    worst: str = ""
    elsewhere: bool = False
    doubtful: bool = False

    @property
    def method(self) -> str:
        at = f" at {self.points} points" if self.points > 1 else ""
        return f"differences of {DIGITS} digits{at}"


class _Difference(NamedTuple):
    """A difference of two numbers, relative to their size and as it is."""

    relative: Decimal
    absolute: Decimal


def _difference(a: Decimal, b: Decimal, size: Decimal) -> _Difference:
    apart = abs(a - b)
    return _Difference(apart / size if apart else apart, apart)


class _Pattern(NamedTuple):
    """The property that a claim lacks, if any, and by how much."""

    name: str = ""
    apart: Decimal = Decimal(0)


class _Slopes(NamedTuple):
    """Directional derivatives of all entries at a point: as claimed and as measured, and how far
    apart.

    ``gaps`` compare the two, beside the size of what the claim adds up; ``turns`` the slopes on
    both sides of the point. ``pattern`` says what the claim lacks of the variable's structure.
    """

    claimed: list[Decimal]
    measured: list[Decimal]
    gaps: list[_Difference]
    turns: list[_Difference]
    pattern: _Pattern
    point: DecimalPoint
    point_of_claim: DecimalPoint
    step: Decimal

    @property
    def largest(self) -> Decimal:
        """The largest value that was met."""
        return max(self.point.largest, self.point_of_claim.largest)

    @property
    def rounding(self) -> Decimal:
        """A size of slopes that are lost in the rounding of the values."""
        relative = Decimal(10) ** (LOST_DIGITS - self.point.digits)
        return relative * max(self.point.largest / self.step, self.point_of_claim.largest)


class _Found(NamedTuple):
    """The largest relative difference at a point, what is wrong there, and whether a slope was
    not zero.
    """

    gap: Decimal
    worst: str = ""
    says_something: bool = False


class _Lost(ArithmeticError):
    """A claim and the numbers differ, by little or beside values so large that both may have
    lost what they say.
    """


class _Undecided(ArithmeticError):
    """The function has no derivative at this point, or one that is lost in the rounding of its
    values, as that of erf far out.
    """


class NumericClaim:
    """A claimed derivative, and what all points share."""

    def __init__(self, e: Root, wrt: Expr, derivative: Root, along: Expr | None, seed: int) -> None:
        self.e, self.wrt, self.derivative, self.along, self.seed = e, wrt, derivative, along, seed
        self.order = postorder(*parts(e))
        self.order_of_derivative = postorder(*parts(derivative))
        directions = [along] if along is not None else []
        variables_met = {*variables(*parts(e), *parts(derivative)), wrt, *directions}
        self.variables = sorted(variables_met, key=lambda v: v.name)
        self.is_refuted = False  # by the exact check, so that numbers must agree to all digits
        self.nodes = list(dict.fromkeys((*self.variables, *self.order, *self.order_of_derivative)))

    @cached_property
    def has_kinks(self) -> bool:
        return has_kinks(self.e, self.derivative)

    @cached_property
    def has_branches(self) -> bool:
        return has_branches(self.nodes)

    @cached_property
    def is_analytic(self) -> bool:
        """Whether there are functions, and all are analytic on one piece: what agrees at a
        random point then agrees everywhere.
        """
        if self.has_kinks or self.has_branches:
            return False
        symbols = any(row.elementwise or row.exact for row in rows_of(self.e, self.derivative))
        return symbols or any(n.head == "pow" and not _is_half(n.args[1]) for n in self.nodes)

    def compared(self, proven: bool | None) -> Numbers:
        """Compare at as many points as are needed, with declared sizes as they are if smaller
        ones do not decide.
        """
        self.is_refuted = proven is False
        layouts = self.layouts
        try:
            numbers = self._at_points(layouts, proven)
        except TooLarge:
            layouts = self._lengths(many=FEW)
            numbers = self._decided_at(layouts, proven)
        if numbers.agree is not True and layouts.shrinks:
            layouts = self._lengths(actual=True)
            numbers = self._decided_at(layouts, proven)
        if numbers.agree and (worst := self._wrong_elsewhere(layouts)):
            return Numbers(False, 1.0, 1, worst=worst, elsewhere=True)
        return numbers

    @cached_property
    def layouts(self) -> Lengths:
        return self._lengths()

    def _lengths(self, actual: bool = False, many: int = LENGTHS) -> Lengths:
        return Lengths(self.nodes, form_sizes(self.e, self.derivative), actual, many)

    def _decided_at(self, layouts: Lengths, proven: bool | None) -> Numbers:
        try:
            return self._at_points(layouts, proven)
        except TooLarge as problem:
            return Numbers(None, note=str(problem))

    def _at_points(self, layouts: Lengths, proven: bool | None) -> Numbers:
        wanted = self._points_wanted(proven)
        seen, empty, error, doubtful = 0, 0, Decimal(0), False
        note = f"no admissible point in {TRIES} tries"
        try:
            for attempt, lengths in self._layouts(layouts):
                try:
                    found = self._at(lengths, attempt)
                except _Lost:
                    doubtful = True
                    continue
                except ArithmeticError:  # outside of a domain, or on a kink
                    continue
                if found.worst:
                    return Numbers(False, float(found.gap), 1, worst=found.worst)
                error = max(error, found.gap)
                if found.says_something or proven:
                    seen += 1
                else:
                    empty += 1
                if seen == wanted:
                    break
        except (NoLengths, NotDifferentiable) as problem:
            return Numbers(None, note=str(problem))
        except LimitProblem:
            note = "there was no time for the numbers"
        if seen == 0:  # the derivative is zero everywhere, as that of a constant
            seen = empty
        if seen >= min(wanted, FEWEST_POINTS) or (seen and proven):
            return Numbers(True, float(error), seen, doubtful=doubtful)
        return Numbers(None, note=note)

    def _wrong_elsewhere(self, layouts: Lengths) -> str:
        """What is wrong at sizes that were passed over, if anything is: at 1, and at declared
        numbers as they are.
        """
        if worst := self._wrong_at(self._lengths_of_one(layouts)):
            return worst
        if layouts.has_large_numbers:
            with suppress(LimitProblem), limited(share(2), "trying the declared sizes"):
                return self._wrong_at(self._declared_lengths())
        return ""

    def _wrong_at(self, others: Iterable[tuple[dict[Atom, int], str]]) -> str:
        """What is wrong at some sizes, each with what a message says of them."""
        for k, (lengths, said) in enumerate(others):
            try:
                found = self._at(lengths, k)
            except (ArithmeticError, TooLarge):
                continue
            if found.worst:
                return f"{found.worst}{said}"
        return ""

    def _declared_lengths(self) -> Iterator[tuple[dict[Atom, int], str]]:
        """The declared numbers as they are, if that is not much work."""
        actual = self._lengths(actual=True)
        with suppress(NoLengths):
            if work(self.nodes, actual.at(0)) <= MUCH_WORK:
                yield from ((actual.at(k), ", at the declared sizes") for k in range(ACTUAL_POINTS))

    def _lengths_of_one(self, layouts: Lengths) -> Iterator[tuple[dict[Atom, int], str]]:
        if isinstance(self.derivative, Expr) and any(
            len(size) > 1 for size in self.derivative.shape_
        ):
            return  # a Kronecker form cannot be told from another at sizes of 1
        with suppress(NoLengths):
            for lengths in layouts.with_ones():
                ones = (
                    f"{name} = 1" for name, n in lengths.items() if n == 1 and isinstance(name, str)
                )
                said = f", where {', '.join(ones)}"
                yield from [(lengths, said)] * (POINTS_AT_ONE if self.has_kinks else 1)

    def _points_wanted(self, proven: bool | None) -> int:
        if proven is False:  # agreement would speak against the exact check
            return 2 * POINTS
        if self.has_kinks or (self.has_branches and not proven):
            return POINTS
        if any(row.values for v in self.variables for row in properties_of(v.properties)):
            return POINTS
        return POINTS_IF_PROVEN if proven else POINTS_IF_ANALYTIC

    def _layouts(self, layouts: Lengths) -> Iterator[tuple[int, dict[Atom, int]]]:
        """Lengths of one try after the other.

        Where sizes are declared equal, every other one has all lengths equal.
        """
        alike = any(len(set(sizes)) < len(sizes) for sizes in map(own_axes, self.variables))
        for attempt in range(TRIES):
            lengths = layouts.at(attempt, equal=alike and attempt % 2 == 1)
            if work(self.nodes, lengths) > LARGEST_WORK:
                raise TooLarge("the arrays are too large to check by numbers")
            yield attempt, lengths

    # ---- one point -------------------------------------------------------------------------------

    def _at(self, lengths: Mapping[Atom, int], attempt: int) -> _Found:
        """What a claim and the numbers say of each other at a point.

        Raises ArithmeticError for one that is not admissible.
        """
        try:
            slopes = self._slopes(lengths, attempt, DIGITS)
        except WrongForm as problem:
            return _Found(Decimal(1), str(problem))
        pairs = zip(slopes.gaps, slopes.measured, strict=True)
        says_something = any(gap.relative <= AGREE and m for gap, m in pairs)
        if (
            _largest(slopes.turns) <= SMOOTH
            and _largest(slopes.gaps) <= AGREE
            and not slopes.pattern.name
        ):
            if (
                self.is_refuted
                and _largest(self._slopes(lengths, attempt, 2 * DIGITS).gaps) > AGREE**2
            ):
                raise _Lost
            return _Found(_largest(slopes.gaps), says_something=says_something)
        finer = self._slopes(lengths, attempt, 2 * DIGITS)
        if _persisting(slopes.turns, finer.turns, SMOOTH) or _jumps(
            slopes.measured, finer.measured
        ):
            raise _Undecided
        if (
            slopes.pattern.name
            and finer.pattern.name
            and finer.pattern.apart > ROUNDING * slopes.pattern.apart
        ):
            return _Found(
                Decimal(1), f"{self.wrt.name} is {finer.pattern.name} and the derivative is not"
            )
        persisting = _persisting(slopes.gaps, finer.gaps, AGREE)
        if not persisting:
            gap = _largest(finer.gaps)
            return _Found(gap if gap <= AGREE else Decimal(0), says_something=says_something)
        if finer.point.on_kink:
            raise _Undecided
        if finer.largest > LARGEST_VALUE:
            raise _Lost
        if all(gap.absolute <= finer.rounding for gap in persisting):
            raise _Undecided
        return _Found(_largest(persisting), self._worst(lengths, attempt))

    def leaves_slopes(self, lengths: Mapping[Atom, int], attempt: int) -> bool:
        """Whether the claim is beyond the slopes on both sides of a point with ties and zeros."""
        slopes = self._slopes(lengths, attempt, DIGITS, ties=True)
        rows = zip(slopes.claimed, slopes.measured, slopes.turns, strict=True)
        allowed = ((t.absolute / 2 + SMOOTH * (abs(c) + abs(m)), abs(c - m)) for c, m, t in rows)
        return any(apart > most + slopes.rounding for most, apart in allowed)

    def _slopes(
        self,
        lengths: Mapping[Atom, int],
        attempt: int,
        digits: int,
        entry: tuple[int, int] | None = None,
        ties: bool = False,
    ) -> _Slopes:
        """The slopes at a point along its random direction, or along one entry of the variable.

        With ``ties``, where entries are equal.

        Along every other direction all entries that tie grow, so that no sum of their slopes lies
        between those of both sides.
        """
        with localcontext(arithmetic(digits)):
            rng = Random(f"{self.seed}/{attempt}")
            values = self._values(lengths, rng, attempt, ties)
            if self.along is not None:
                direction = values[self.along]
            elif entry is None:
                direction = random_direction(self.wrt, *dims(self.wrt.shape_, lengths), rng)
                if ties and attempt % 2:
                    direction = each(abs, direction)
            else:
                direction = _unit(self.wrt, *dims(self.wrt.shape_, lengths), entry)
            step = Decimal(10) ** (-STEP * digits // DIGITS)
            moved = [self._moved(values, direction, k * step, lengths, digits) for k in (-1, 0, 1)]
            low, middle, high = (self._entries(self.e, point) for point in moved)
            point_of_claim = DecimalPoint(lengths, dict(values), digits)
            claimed, scale, pattern = self.slopes_claimed(point_of_claim, direction)
            if len(claimed) != len(middle):
                raise WrongForm("the candidate has another shape")
            left = [(b - a) / step for a, b in zip(low, middle, strict=True)]
            right = [(b - a) / step for a, b in zip(middle, high, strict=True)]
            measured = [(a + b) / 2 for a, b in zip(left, right, strict=True)]
            sizes = [size + abs(b) for size, b in zip(scale, measured, strict=True)]
            gaps = list(map(_difference, claimed, measured, sizes))
            turns = [_difference(a, b, abs(a) + abs(b)) for a, b in zip(left, right, strict=True)]
            return _Slopes(claimed, measured, gaps, turns, pattern, moved[1], point_of_claim, step)

    def _values(self, lengths: Mapping[Atom, int], rng: Random, attempt: int, ties: bool) -> Values:
        """A random value of every variable; each point draws them in another style.

        With ``ties``, the entries of the variable are few different numbers, at every other pair of
        points those of others, too.
        """
        tied = set(self.variables if attempt % 4 > 1 else [self.wrt]) if ties else set()
        styles = {v: TIES if v in tied else attempt for v in self.variables}
        return {
            v: random_value(v, *dims(v.shape_, lengths), rng, style) for v, style in styles.items()
        }

    def _moved(
        self,
        values: Values,
        direction: Matrix,
        by: Decimal,
        lengths: Mapping[Atom, int],
        digits: int,
    ) -> DecimalPoint:
        """The expression evaluated where the variable has moved along the direction."""
        rows = zip(values[self.wrt], direction, strict=True)
        moved = [[x + by * d for x, d in zip(*pair, strict=True)] for pair in rows]
        point = DecimalPoint(lengths, {**values, self.wrt: moved}, digits)
        point.evaluate(self.order)
        return point

    def slopes_claimed(
        self, point: DecimalPoint, direction: Matrix
    ) -> tuple[list[Decimal], list[Decimal], _Pattern]:
        """The claimed change of each entry along the direction, the sizes of what it is the sum
        of, and what its pattern lacks.
        """
        point.evaluate(self.order_of_derivative)
        claim = self._entries(self.derivative, point)
        if self.along is not None:
            return claim, list(map(abs, claim)), _Pattern()
        if isinstance(self.derivative, Expr) and isinstance(self.e, Expr):
            matrix = point.values[self.derivative]
            rows, cols = point.dims(self.e.shape_)
            claim = unfolded(matrix, constant(0, rows, cols), direction)
        steps = flat(direction)
        if len(claim) % len(steps):
            raise WrongForm("the candidate has another shape")
        sizes = contracted(list(map(abs, claim)), list(map(abs, steps)))
        return contracted(claim, steps), sizes, self._pattern(list(by_entries(claim, direction)))

    def _entries(self, root: Root, point: DecimalPoint) -> list[Decimal]:
        if isinstance(root, Expr):
            return flat(point.values[root])
        assert isinstance(root, IndexForm)
        tables = [[flat(point.values[f.expr]) for f in t.factors] for t in root.bag.terms]

        def number(k: Fraction) -> Decimal:
            return Decimal(k.numerator) / k.denominator

        return [Decimal(x) for x in summed(tables, root.bag.terms, root, point.lengths, number)]

    def _pattern(self, derivatives: list[Matrix]) -> _Pattern:
        """The structure of the variable that the derivative of an entry lacks, if any."""
        allowed = AGREE * max((abs(x) for g in derivatives for x in flat(g)), default=Decimal(0))
        for row in properties_of(self.wrt.properties):
            if row.space:
                apart = max(_apart(g, in_space(self.wrt, g)) for g in derivatives)
                if apart > allowed:
                    return _Pattern(row.name, apart)
        return _Pattern()

    def _worst(self, lengths: Mapping[Atom, int], attempt: int) -> str:
        """The entry of the variable along which a claim is furthest off."""
        rows, cols = dims(self.wrt.shape_, lengths)
        places = list(product(range(rows), range(cols)))
        if self.along is not None or len(places) > ENTRIES_SHOWN:
            places = []
        worst, where = Decimal(0), ""
        for i, j in places:
            slopes = self._slopes(lengths, attempt, DIGITS, entry=(i, j))
            entries = zip(slopes.gaps, slopes.claimed, slopes.measured, strict=True)
            (gap, _), claimed, measured = max(entries)
            if gap > worst:
                index = ",".join(str(k + 1) for k, n in ((i, rows), (j, cols)) if n > 1)
                entry = f"{self.wrt.name}[{index}]" if index else self.wrt.name
                worst = gap
                where = (
                    f"at {entry} the candidate says {_shown(claimed)}, the numbers say "
                    f"{_shown(measured)}"
                )
        return where or "the candidate differs from the numbers along a direction"


def _is_half(e: Expr) -> bool:
    """Whether an exponent is one that the exact check knows."""
    return e.head == "num" and e.value.denominator <= 2


class WrongForm(Exception):
    """A claim without the shape, or the structure, of the derivative."""


def _apart(a: Matrix, b: Matrix) -> Decimal:
    return max(abs(x - y) for x, y in zip(flat(a), flat(b), strict=True))


def _largest(differences: list[_Difference]) -> Decimal:
    return max((d.relative for d in differences), default=Decimal(0))


def _persisting(
    rough: list[_Difference], fine: list[_Difference], allowed: Decimal
) -> list[_Difference]:
    """The differences of entries that are more than rounding, which twice as many digits take
    away.
    """
    return [
        b
        for a, b in zip(rough, fine, strict=True)
        if min(a.relative, b.relative) > allowed and b.absolute > ROUNDING * a.absolute
    ]


def _jumps(rough: list[Decimal], fine: list[Decimal]) -> bool:
    """Whether a slope grows as the step shrinks: the function jumps there."""
    return any(ROUNDING * abs(b) > abs(a) for a, b in zip(rough, fine, strict=True) if a)


def _unit(v: Expr, rows: int, cols: int, entry: tuple[int, int]) -> Matrix:
    """The direction in which one entry alone grows, with what its structure binds to it.

    Zero where it must stay.
    """
    alone = constant(0, rows, cols)
    alone[entry[0]][entry[1]] = Decimal(1)
    return in_space(v, alone)


def _shown(x: Decimal) -> str:
    return f"{float(x):.6g}" if abs(x.adjusted()) < 300 or not x else f"{x:.6g}"
