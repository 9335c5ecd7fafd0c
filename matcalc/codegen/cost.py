"""What a plan costs: arithmetic, memory traffic, the most memory held by temporaries, and the growth in symbols.

A flop is an addition or a multiplication; a function of an entry (exp, log, …) counts as ten. Bytes are those of double
precision that a step reads and writes if nothing stays in the cache.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from ..graph import arguments_first
from ..index import Root
from ..sizes import Atom, Size, base_atoms, length
from .congruence import TARGETS, congruent
from .order import monomial, tree_cost
from .plan import plan
from .steps import LEAVES, VIEWS, Step, is_symmetric

Polynomial = Mapping[tuple[Atom, ...], Fraction | int]
FUNCTION = 10
WORD = 8


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a function, and of the expressions in it that are not derivatives (``expression``, of the first root).

    ``flops``, ``bytes`` and ``temporary`` (the most bytes of temporaries at one time) are None where a size is not known.
    """

    flops: int | None
    bytes: int | None
    temporary: int | None
    growth: str
    expression: Cost | None = None

    def __str__(self) -> str:
        """One line, and another for the expression.

        >>> print(Cost(2000, 16000, 800, "O(m*n)"))
        O(m*n): 2 kflops, 16 kB moved, 800 B of temporaries
        """
        line = self.growth
        if self.flops is not None:
            line += f": {_short(self.flops)}flops, {_short(self.bytes)}B moved, {_short(self.temporary)}B of temporaries"
        return line if self.expression is None else f"{line}\nthe expression alone: {self.expression}"


def cost(roots: tuple[Root, ...], sizes: Mapping[str | int, int], expression: Root | None = None, target: str = "numpy") -> Cost:
    """The cost of computing expressions together on a target; beside it that of another expression alone."""
    beside = None if expression is None else cost((expression,), sizes, None, target)
    found = congruent(plan(roots), sizes) if target in TARGETS else plan(roots)
    order = _chosen(found.roots, sizes)
    total: dict[tuple[Atom, ...], Fraction | int] = {}
    for step in order:
        for key, k in flops(step).items():
            total[key] = total.get(key, 0) + k
    wanted = [*(size for step in order for size in step.axes), *total]
    lengths = {a: a for size in wanted for a in base_atoms(size) if isinstance(a, int)} | dict(sizes)
    if not all(a in lengths for size in wanted for a in base_atoms(size)):
        return Cost(None, None, None, growth(total), beside)
    moved = sum(WORD * (_count(s.axes, lengths) + sum(_count(a.axes, lengths) for a in s.args)) for s in order if s.op not in VIEWS)
    return Cost(round(value(total, lengths)), moved, _peak(order, found.roots, lengths), growth(total), beside)


def _chosen(roots: tuple[Step, ...], sizes: Mapping[str | int, int]) -> list[Step]:
    """The steps that run at these sizes, arguments first; where sizes are open, those of the first order."""
    order = arguments_first(roots, lambda s: (best_order(s, sizes),) if s.op == "choose" else s.args)
    return [s for s in order if s.op != "choose"]


def best_order(step: Step, sizes: Mapping[str | int, int]) -> Step:
    """The order that a ``choose`` step takes at given sizes; the first where one is not given."""
    trees, items = step.data
    costs = [tree_cost(t, items) for t in trees]
    try:
        return min(zip((value(c, sizes) for c in costs), range(len(costs)), step.args, strict=True))[2]
    except KeyError:
        return step.args[0]


def value(polynomial: Polynomial, sizes: Mapping[str | int, int]) -> float:
    total = 0.0
    for key, k in polynomial.items():
        product = float(k)
        for a in key:
            product *= length((a,), sizes)
        total += product
    return total


def _count(axes: tuple[Size, ...], sizes: Mapping[str | int, int]) -> int:
    count = 1
    for size in axes:
        for a in size:
            count *= length((a,), sizes)
    return count


def _peak(order: list[Step], roots: tuple[Step, ...], sizes: Mapping[str | int, int]) -> int:
    """The most bytes held at one time by results that are not returned; each is let go after its last use."""
    last = {a: i for i, s in enumerate(order) for a in _owners(s)}
    kept = set(roots)
    held = peak = 0
    for i, step in enumerate(order):
        held += _held(step, kept, sizes)
        peak = max(peak, held)
        held -= sum(_held(a, kept, sizes) for a in _owners(step) if last[a] == i)
    return peak


def _owners(step: Step) -> set[Step]:
    """The arrays that a step reads, seen through views."""
    out: set[Step] = set()
    stack = list(step.args)
    while stack:
        a = stack.pop()
        if a.op in VIEWS or a.op == "choose":
            stack += a.args
        else:
            out.add(a)
    return out


def _held(step: Step, kept: set[Step], sizes: Mapping[str | int, int]) -> int:
    return 0 if step.op in VIEWS or step in kept else WORD * _count(step.axes, sizes)


# ---- the arithmetic of one step ---------------------------------------------------------------------------------------------


def flops(step: Step) -> Polynomial:
    """The additions and multiplications of a step, as a polynomial in the sizes."""
    if step.op in LEAVES or step.op in VIEWS:
        return Counter()
    entries = monomial(*step.axes)
    if step.op == "dot":
        half = len(step.axes) == 2 and is_symmetric(step)  # of which BLAS makes one triangle
        return Counter({monomial(*step.axes, step.args[0].axes[-1]): 1 if half else 2})
    if step.op in ("factor", "inverse"):  # Golub and Van Loan, Matrix Computations, 3.2 and 4.2; LAPACK Working Note 41 for inverses
        kind = step.data if step.op == "factor" else step.args[0].data
        thirds = (1 if kind == "chol" else 2) * (1 if step.op == "factor" else 2)
        return {monomial(*step.args[0].axes, step.args[0].axes[0]): Fraction(thirds, 3)}
    if step.op == "congruence":  # the inverse of a triangle, and two symmetric products with it
        return {monomial(*step.axes, step.axes[0]): Fraction(7, 3)}
    if step.op == "solve":
        return Counter({monomial(step.args[0].axes[0], *step.axes): 2})
    if step.op == "einsum":
        inputs = dict.fromkeys(size for a in step.args for size in a.axes)
        return Counter({monomial(*inputs): 2 * max(1, len(step.args) - 1)})
    if step.op in ("sum", "vdot", "vdott", "rowdot", "trace"):
        return Counter({monomial(*step.args[0].axes): 1 if step.op == "sum" else 2})
    return Counter({entries: FUNCTION if step.op in ("fn", "power") else max(1, len(step.args) - 1)})


def growth(polynomial: Polynomial) -> str:
    """The terms that no other term outgrows.

    >>> growth(Counter({("m", "n"): 2, ("n",): 3}))
    'O(m*n)'
    """
    monomials = {tuple(a for a in key if isinstance(a, str)) for key in polynomial}
    top = [k for k in monomials if not any(k != o and not Counter(k) - Counter(o) for o in monomials)]
    return f"O({' + '.join('*'.join(map(_power, sorted(Counter(k).items()))) or '1' for k in sorted(top)) or '1'})"


def _power(pair: tuple[Atom, int]) -> str:
    return f"{pair[0]}^{pair[1]}" if pair[1] > 1 else str(pair[0])


def _short(n: int | None) -> str:
    """A number with a prefix of three digits: 16 k, 2.5 G."""
    amount, prefixes = float(n or 0), iter(("", "k", "M", "G", "T", "P"))
    prefix = next(prefixes)
    while amount >= 1000 and (larger := next(prefixes, "")):
        amount, prefix = amount / 1000, larger
    return f"{amount:.3g} {prefix}"

