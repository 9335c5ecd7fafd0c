"""Multiples of inv(S) and of inv(S)*C*inv(S), with symmetric C, as one step that multiplies from
both sides at once.

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
    """The matrix a*J + b*J*C*J of an inverse J and a matrix C.

    Or a*I + b*J*C, which is as much when J follows.
    """

    a: Step
    b: Step
    middle: Step | None = None


@dataclass(frozen=True)
class Congruence:
    """A step ``total`` that is a sum of the inverse and products with it, ``found``, and of
    ``rest``; ``parts`` are the steps that make it.
    """

    inverse: Step
    total: Step
    found: Sum
    rest: tuple[tuple[Fraction, Step], ...]
    parts: frozenset[Step]

    def is_trace(self, s: Step) -> bool:
        """Whether a step is the trace of inverse*middle."""
        return s.op in ("vdot", "vdott") and set(s.args) == {self.inverse, self.found.middle}

    def is_applied(self, s: Step) -> bool:
        """Whether a step is the inverse times a vector, which the factor solves."""
        return s.op == "dot" and s.args[0] is self.inverse and len(s.axes) == 1


def congruent(plan: Plan, sizes: Mapping[str | int, int] | None = None) -> Plan:
    """The plan with each such sum, and the trace beside it, as one step.

    An inverse that anything else needs stays.

    Where the sizes are given, small matrices are left as they are: the step itself treats them so.
    """
    steps = Steps()
    if twice := solved_twice(reachable(plan.roots)):
        plan = replace(plan, roots=shortened(steps, plan.roots, twice))
    inverses = [s for s in reachable(plan.roots) if s.op == "inverse" and s.args[0].data == "chol"]
    for inverse in (s for s in inverses if not _is_small(s, sizes or {})):
        order = reachable(plan.roots)
        found = next(
            (c for c in _congruences(inverse, order, steps) if _stands_alone(c, order, plan.roots)),
            None,
        )
        if found is not None:
            plan = replace(plan, roots=_replaced(found, steps, order, plan.roots))
    return plan


def _is_small(s: Step, sizes: Mapping[str | int, int]) -> bool:
    known = all(isinstance(a, int) or a in sizes for a in base_atoms(s.axes[0]))
    return known and length(s.axes[0], sizes) < LEAST


# ---- what a step is the sum of -------------------------------------------------------------------


def _congruences(inverse: Step, order: Sequence[Step], steps: Steps) -> Iterator[Congruence]:
    """The sums with a symmetric matrix in the middle, the largest first."""
    expansion = Expansion(inverse, steps)
    for s in order:
        expansion.enter(s)
    parts = frozenset(expansion.whole.keys() | expansion.half.keys())
    for s in reversed(order):
        terms = list(zip(s.data, s.args, strict=True)) if s.op == "add" else [(Fraction(1), s)]
        found = expansion.total([(k, expansion.whole[a]) for k, a in terms if a in expansion.whole])
        if found is not None and found.middle is not None and _equals_transpose(found.middle):
            rest = tuple((k, a) for k, a in terms if a not in expansion.whole)
            yield Congruence(inverse, s, found, rest, parts.intersection(reachable([s])) - {s})


class Expansion:
    """The steps of a plan that are such sums, ``whole``, and those that are when the inverse
    follows, ``half``.
    """

    def __init__(self, inverse: Step, steps: Steps) -> None:
        self.inverse, self.steps, self.zero, self.one = inverse, steps, steps.num(0), steps.num(1)
        self.whole = {inverse: Sum(self.one, self.zero)}
        self.half: dict[Step, Sum] = {}

    def enter(self, s: Step) -> None:
        """See what a step is, all of whose arguments have been seen."""
        for known in (self.half, self.whole):
            if s.op in ("add", "mul") and (found := self.combined(s, known)) is not None:
                known[s] = found
        if s.op == "dot" and s.args[0] is self.inverse and len(s.axes) == 2:
            self.half[s] = Sum(self.zero, self.one, s.args[1])
        if s.op == "dot" and s.args[1] is self.inverse and s.args[0] in self.half:
            self.whole[s] = self.half[s.args[0]]
        if s.op == "T" and s.args[0] in self.whole:  # symmetric, as the middle is
            self.whole[s] = self.whole[s.args[0]]
        if s.op == "shift" and s.args[0] in self.half and s.args[1].is_scalar:
            x = self.half[s.args[0]]
            self.half[s] = replace(x, a=self.plus([(Fraction(1), x.a), (Fraction(1), s.args[1])]))

    def combined(self, s: Step, known: Mapping[Step, Sum]) -> Sum | None:
        """A sum of known steps, or a scalar times one."""
        if s.op == "add":
            return (
                self.total([(k, known[a]) for k, a in zip(s.data, s.args, strict=True)])
                if all(a in known for a in s.args)
                else None
            )
        k, above = s.data
        scalars = [a for a in s.args[:above] if a.is_scalar]
        x = (
            known.get(s.args[above - 1])
            if len(scalars) == above - 1 and all(b.is_scalar for b in s.args[above:])
            else None
        )
        if x is None:
            return None
        a, b = (
            y if y is self.zero else self.steps.mul(k, [*scalars, y], s.args[above:])
            for y in (x.a, x.b)
        )
        return Sum(a, b, x.middle)

    def total(self, terms: Sequence[tuple[Fraction, Sum]]) -> Sum | None:
        """The sum of multiples of sums that have at most one matrix in the middle."""
        middles = {x.middle for _, x in terms if x.middle is not None}
        if len(middles) > 1:
            return None
        a, b = self.plus([(k, x.a) for k, x in terms]), self.plus([(k, x.b) for k, x in terms])
        return Sum(a, b, next(iter(middles), None))

    def plus(self, terms: Sequence[tuple[Fraction, Step]]) -> Step:
        """A sum of scalars, numbers added up."""
        number = sum((k * a.data for k, a in terms if a.op == "num"), Fraction(0))
        others = [(k, a) for k, a in terms if a.op != "num"]
        return (
            self.steps.add([*others, *([(number, self.one)] if number else [])])
            if others
            else self.steps.num(number)
        )


def _equals_transpose(c: Step) -> bool:
    """Whether a matrix is symmetric, or a sum that has the transpose of each of its terms."""
    terms = list(zip(c.data, c.args, strict=True)) if c.op == "add" else [(1, c)]
    whole = all(a.axes == c.axes for _, a in terms)
    return whole and all(any(j == k and _are_transposes(a, b) for j, b in terms) for k, a in terms)


def _are_transposes(a: Step, b: Step) -> bool:
    return are_transposes(a, b) or (a is b and a.op == "outer" and a.args[0] is a.args[1])


# ---- the plan with it ----------------------------------------------------------------------------


def _stands_alone(c: Congruence, order: Sequence[Step], roots: Sequence[Step]) -> bool:
    """Whether inverse and parts serve the sum, its trace and vectors alone, and neither scalars
    nor middle need the inverse.
    """
    users = [s for s in order if c.parts.intersection(s.args)]
    ours = all(s in c.parts or s is c.total or c.is_trace(s) or c.is_applied(s) for s in users)
    needed = [x for x in (c.found.a, c.found.b, c.found.middle) if x is not None]
    return ours and not c.parts.intersection(roots) and c.inverse not in reachable(needed)


def _replaced(
    c: Congruence, steps: Steps, order: Sequence[Step], roots: Sequence[Step]
) -> tuple[Step, ...]:
    """The same results, with a sum and its trace as one step."""
    factor, middle, axes, new = (
        c.inverse.args[0],
        c.found.middle,
        c.inverse.axes,
        dict[Step, Step](),
    )
    assert middle is not None
    pair = steps.make(
        "congruence",
        factor,
        middle,
        c.found.a,
        c.found.b,
        data=any(map(c.is_trace, order)),
        axes=axes,
    )
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
