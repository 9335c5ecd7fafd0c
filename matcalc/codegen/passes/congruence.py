"""Congruences: multiples of inv(S) and of inv(S)*C*inv(S), with symmetric C, as one step.

With S = L*L' and T = inv(L) the sum a*inv(S) + b*inv(S)*C*inv(S) is T'*(a*I + b*M)*T, where M =
T*C*T' has the trace of inv(S)*C. LAPACK makes M from L and the sum from T in n³ flops each, since
both are symmetric: 8/3 n³ with the factor and T, where inverse and products take 4 n³.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from ...expr.sizes import base_atoms, length
from ..plan.planner import Plan
from ..plan.steps import Step, Steps, are_transposes, reachable
from .peephole import rebuilt, shortened, solved_twice

LEAST = 256  # rows below which an inverse and two products take no longer


@dataclass(frozen=True)
class Sum:
    """The matrix a*J + b*J*C*J of an inverse J and a matrix C; or a*I + b*J*C, before J follows."""

    a: Step
    b: Step
    middle: Step | None = None


@dataclass(frozen=True)
class Congruence:
    """A step ``total`` that is a ``core`` of the inverse and products with it, and a ``rest``.

    ``parts`` are the steps that make the core.
    """

    inverse: Step
    total: Step
    core: Sum
    rest: tuple[tuple[Fraction, Step], ...]
    parts: frozenset[Step]

    def is_trace(self, s: Step) -> bool:
        """Whether a step is the trace of inverse*middle."""
        return s.op in ("vdot", "vdott") and set(s.args) == {self.inverse, self.core.middle}

    def is_applied(self, s: Step) -> bool:
        """Whether a step is the inverse times a vector, which the factor solves."""
        return s.op == "dot" and s.args[0] is self.inverse and len(s.axes) == 1


def congruent(plan: Plan, sizes: Mapping[str | int, int] | None = None) -> Plan:
    """The plan with each such sum, and the trace beside it, as one step.

    An inverse that anything else needs stays. Where the sizes are given, small matrices are left as
    they are: the step itself treats them so.
    """
    steps = Steps()
    if twice := solved_twice(reachable(plan.roots)):
        plan = replace(plan, roots=shortened(steps, plan.roots, twice))
    for inverse in _cholesky_inverses(plan):
        if _is_small(inverse, sizes or {}):
            continue
        order = reachable(plan.roots)
        for congruence in _congruences(inverse, order, steps):
            if _stands_alone(congruence, order, plan.roots):
                plan = replace(plan, roots=_replaced(congruence, steps, order, plan.roots))
                break
    return plan


def _cholesky_inverses(plan: Plan) -> list[Step]:
    inverses = [s for s in reachable(plan.roots) if s.op == "inverse"]
    return [s for s in inverses if s.args[0].data == "chol"]


def _is_small(s: Step, sizes: Mapping[str | int, int]) -> bool:
    """Whether a matrix is known to have too few rows for a congruence to pay."""
    has_length = all(isinstance(a, int) or a in sizes for a in base_atoms(s.axes[0]))
    return has_length and length(s.axes[0], sizes) < LEAST


# ---- what a step is the sum of -------------------------------------------------------------------


def _congruences(inverse: Step, order: Sequence[Step], steps: Steps) -> Iterator[Congruence]:
    """The sums with a symmetric matrix in the middle, the largest first."""
    expansion = Expansion(inverse, steps)
    for s in order:
        expansion.enter(s)
    parts = frozenset(expansion.whole.keys() | expansion.half.keys())
    for s in reversed(order):
        terms = _terms(s)
        rest = tuple(term for term in terms if term[1] not in expansion.whole)
        core = expansion.total([(k, expansion.whole[a]) for k, a in terms if (k, a) not in rest])
        if core is not None and core.middle is not None and _equals_transpose(core.middle):
            yield Congruence(inverse, s, core, rest, parts.intersection(reachable([s])) - {s})


def _terms(s: Step) -> list[tuple[Fraction, Step]]:
    """The terms of a sum with their coefficients; anything else is the one term of itself."""
    return list(zip(s.data, s.args, strict=True)) if s.op == "add" else [(Fraction(1), s)]


class Expansion:
    """The steps of a plan that are multiples of an inverse and of products with it.

    ``whole`` has those that are such sums, ``half`` those that are when the inverse follows.
    """

    def __init__(self, inverse: Step, steps: Steps) -> None:
        self.inverse, self.steps, self.zero, self.one = inverse, steps, steps.num(0), steps.num(1)
        self.whole = {inverse: Sum(self.one, self.zero)}
        self.half: dict[Step, Sum] = {}

    def enter(self, s: Step) -> None:
        """See what a step is, all of whose arguments have been seen."""
        rules = {
            "add": self._enter_combination,
            "mul": self._enter_combination,
            "dot": self._enter_product,
            "T": self._enter_transpose,
            "shift": self._enter_shift,
        }
        rule = rules.get(s.op)
        if rule is not None:
            rule(s)

    def _enter_combination(self, s: Step) -> None:
        for sums in (self.half, self.whole):
            combination = self._added(s, sums) if s.op == "add" else self._multiplied(s, sums)
            if combination is not None:
                sums[s] = combination

    def _enter_product(self, s: Step) -> None:
        left, right = s.args
        if left is self.inverse and len(s.axes) == 2:
            self.half[s] = Sum(self.zero, self.one, right)
        if right is self.inverse and left in self.half:
            self.whole[s] = self.half[left]

    def _enter_transpose(self, s: Step) -> None:
        if s.args[0] in self.whole:  # symmetric, as the middle is
            self.whole[s] = self.whole[s.args[0]]

    def _enter_shift(self, s: Step) -> None:
        """J*C with a number added to its diagonal."""
        matrix, shift = s.args
        if matrix in self.half and shift.is_scalar:
            sum_ = self.half[matrix]
            a = self._plus([(Fraction(1), sum_.a), (Fraction(1), shift)])
            self.half[s] = replace(sum_, a=a)

    def _added(self, s: Step, sums: Mapping[Step, Sum]) -> Sum | None:
        """A sum whose terms are all such sums."""
        if any(a not in sums for a in s.args):
            return None
        return self.total([(k, sums[a]) for k, a in _terms(s)])

    def _multiplied(self, s: Step, sums: Mapping[Step, Sum]) -> Sum | None:
        """A product of one such sum, which is the last of its numerators, with scalars."""
        coefficient, above = s.data
        if not above:
            return None
        *scalars, last = s.args[:above]
        divisors = s.args[above:]
        if last not in sums or not all(a.is_scalar for a in (*scalars, *divisors)):
            return None

        def scaled(y: Step) -> Step:
            return y if y is self.zero else self.steps.mul(coefficient, [*scalars, y], divisors)

        sum_ = sums[last]
        return Sum(scaled(sum_.a), scaled(sum_.b), sum_.middle)

    def total(self, terms: Sequence[tuple[Fraction, Sum]]) -> Sum | None:
        """The sum of multiples of sums that have at most one matrix in the middle."""
        middles = {sum_.middle for _, sum_ in terms if sum_.middle is not None}
        if len(middles) > 1:
            return None
        a = self._plus([(k, sum_.a) for k, sum_ in terms])
        b = self._plus([(k, sum_.b) for k, sum_ in terms])
        return Sum(a, b, next(iter(middles), None))

    def _plus(self, terms: Sequence[tuple[Fraction, Step]]) -> Step:
        """A sum of scalars, numbers added up."""
        constant = sum((k * a.data for k, a in terms if a.op == "num"), Fraction(0))
        others = [(k, a) for k, a in terms if a.op != "num"]
        if not others:
            return self.steps.num(constant)
        return self.steps.add([*others, (constant, self.one)] if constant else others)


def _equals_transpose(c: Step) -> bool:
    """Whether a matrix is symmetric, or a sum that has the transpose of each of its terms."""
    terms = _terms(c)
    if any(a.axes != c.axes for _, a in terms):
        return False
    return all(_has_transpose(term, terms) for term in terms)


def _has_transpose(term: tuple[Fraction, Step], terms: Sequence[tuple[Fraction, Step]]) -> bool:
    k, a = term
    return any(j == k and _are_transposes(a, b) for j, b in terms)


def _are_transposes(a: Step, b: Step) -> bool:
    return are_transposes(a, b) or (a is b and a.op == "outer" and a.args[0] is a.args[1])


# ---- the plan with it ----------------------------------------------------------------------------


def _stands_alone(c: Congruence, order: Sequence[Step], roots: Sequence[Step]) -> bool:
    """Whether the inverse and the parts serve the sum, its trace and vectors alone.

    Neither the scalars nor the middle may need the inverse.
    """
    if c.parts.intersection(roots):
        return False
    users = [s for s in order if c.parts.intersection(s.args)]
    if not all(_belongs_to(c, s) for s in users):
        return False
    needed = [x for x in (c.core.a, c.core.b, c.core.middle) if x is not None]
    return c.inverse not in reachable(needed)


def _belongs_to(c: Congruence, s: Step) -> bool:
    return s in c.parts or s is c.total or c.is_trace(s) or c.is_applied(s)


def _replaced(
    c: Congruence, steps: Steps, order: Sequence[Step], roots: Sequence[Step]
) -> tuple[Step, ...]:
    """The same results, with a sum and its trace as one step."""
    factor, axes, middle = c.inverse.args[0], c.inverse.axes, c.core.middle
    assert middle is not None
    has_trace = any(map(c.is_trace, order))
    pair = steps.make("congruence", factor, middle, c.core.a, c.core.b, data=has_trace, axes=axes)
    new = dict[Step, Step]()
    for s in order:
        if s is c.total:
            core = steps.make("item", pair, data=1, axes=axes)
            new[s] = steps.add([(Fraction(1), core), *((k, new[a]) for k, a in c.rest)])
        elif c.is_trace(s):
            new[s] = steps.make("item", pair, data=0)
        elif c.is_applied(s):
            new[s] = steps.make("solve", factor, new[s.args[1]], data=False, axes=s.axes)
        else:
            new[s] = rebuilt(steps, s, tuple(new[a] for a in s.args))
    return tuple(new[r] for r in roots)
