"""What a plan costs: arithmetic, memory traffic, the memory of temporaries, growth in symbols.

A flop is one of + - * / or a comparison; a function is as many as its ``cost`` in the table.
Bytes are those of double precision that a step reads and writes if nothing stays in the cache.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import product
from math import prod

from ..expr.sizes import UNIT, Atom, Size, Sum, base_atoms, length, show
from ..expr.walk import arguments_first
from ..labels.roots import Root, written_out
from ..tables.functions import BY_NAME
from .passes.congruence import congruent
from .passes.peephole import BOTH
from .plan.order import contractions, monomial, tree_cost
from .plan.planner import plan
from .plan.steps import VIEWS, Step, is_symmetric
from .targets import dialect

Monomial = tuple[Atom, ...]
Polynomial = Mapping[Monomial, Fraction | int]
FUNCTION, ROOT = 8, 4  # flops of a power and of a root of an entry, as in the table of functions
TYPICAL = 100  # the length of an axis in the choice of an order where its name has none
WORD = 8
WITH_ANOTHER = {both: name for name, both in BOTH.items()}


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a function, and of the ``expression`` that was differentiated alone.

    ``flops``, ``bytes`` and ``temporary`` (the most bytes of temporaries at one time) are None
    where a size is not known.
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
            line += f": {_short(self.flops)}flops, {_short(self.bytes)}B moved"
            line += f", {_short(self.temporary)}B of temporaries"
        return (
            line if self.expression is None else f"{line}\nthe expression alone: {self.expression}"
        )


class Least(str):
    """The lesser of two sizes, as an atom of a monomial."""

    sizes: tuple[Size, Size]

    def __new__(cls, a: Size, b: Size) -> Least:
        self = super().__new__(cls, f"min({show(a)},{show(b)})")
        self.sizes = a, b
        return self


class Squarings(str):
    """The number of products that a power takes by squaring, as an atom of a monomial.

    It is floor(log2(k)) and the ones in k, less one (Knuth 1997, volume 2, 4.6.3).
    """

    exponent: Step

    def __new__(cls, exponent: Step) -> Squarings:
        self = super().__new__(cls, f"log({'*'.join(sorted(_names_of(exponent)))})")
        self.exponent = exponent
        return self

    def number(self, sizes: Mapping[str | int, int]) -> int:
        k = abs(int(_number(self.exponent, sizes)))
        return max(0, k.bit_length() + k.bit_count() - 2)


def cost(
    roots: tuple[Root, ...],
    sizes: Mapping[str | int, int],
    expression: Root | None = None,
    target: str = "numpy",
) -> Cost:
    """The cost of expressions together on a target; beside it that of another expression alone."""
    beside = None if expression is None else cost((expression,), sizes, None, target)
    made = plan(tuple(map(written_out, roots)))
    made = congruent(made, sizes) if dialect(target).congruences else made
    order = _chosen(made.roots, sizes)
    total: Counter[Monomial] = Counter()
    for step in order:
        total.update(flops(step, sizes))
        if step.op not in VIEWS:
            total.update({monomial(*step.axes): 0})  # what is written, for the growth
    keys = [*total, *(size for step in order for size in step.axes)]
    atoms = {a for key in keys for a in _base(key)}
    lengths = {a: a for a in atoms if isinstance(a, int)} | dict(sizes)
    if not atoms <= lengths.keys():
        return Cost(None, None, None, growth(total), beside)
    moved = sum(_moved(s, lengths) for s in order if s.op not in VIEWS)
    return Cost(
        round(value(total, lengths)),
        moved,
        _peak(order, made.roots, lengths),
        growth(total),
        beside,
    )


def _moved(step: Step, sizes: Mapping[str | int, int]) -> int:
    """The bytes that a step reads and writes."""
    return WORD * (_count(step.axes, sizes) + sum(_count(a.axes, sizes) for a in step.args))


def _base(key: Iterable[Atom]) -> Iterator[Atom]:
    """The names and numbers that decide the value of a monomial."""
    for a in key:
        if isinstance(a, Least):
            for size in a.sizes:
                yield from base_atoms(size)
        elif isinstance(a, Squarings):
            yield from _names_of(a.exponent)
        else:
            yield from base_atoms((a,))


def _names_of(exponent: Step) -> set[str]:
    """The names of whole numbers in an exponent."""
    steps = arguments_first([exponent], lambda s: s.args)
    atoms = {a for s in steps if s.op == "size" for a in base_atoms((s.data,))}
    return {str(a) for a in atoms if not isinstance(a, int)}


def _number(exponent: Step, sizes: Mapping[str | int, int]) -> Fraction:
    """The value of an exponent, a polynomial in names of whole numbers."""
    if exponent.op == "num":
        return Fraction(exponent.data)
    if exponent.op == "size":
        return Fraction(length((exponent.data,), sizes))
    args = [_number(a, sizes) for a in exponent.args]
    if exponent.op == "add":
        return sum((k * a for k, a in zip(exponent.data, args, strict=True)), Fraction(0))
    if exponent.op == "mul":
        coefficient, above = exponent.data
        return Fraction(coefficient * prod(args[:above]) / prod(args[above:]))
    return Fraction(args[0] ** int(exponent.data))


def _chosen(roots: tuple[Step, ...], sizes: Mapping[str | int, int]) -> list[Step]:
    """The steps that run at these sizes, arguments first; of the first order where it is open."""
    order = arguments_first(
        roots, lambda s: (best_order(s, sizes),) if s.op == "choose" else s.args
    )
    return [s for s in order if s.op != "choose"]


def best_order(step: Step, sizes: Mapping[str | int, int]) -> Step:
    """The order that a ``choose`` step takes at given sizes; the first where one is not given."""
    trees, items = step.data
    costs = [tree_cost(t, items) for t in trees]
    try:
        return min(
            zip((value(c, sizes) for c in costs), range(len(costs)), step.args, strict=True)
        )[2]
    except KeyError:
        return step.args[0]


def value(polynomial: Polynomial, sizes: Mapping[str | int, int]) -> float:
    """The value of a polynomial; raises KeyError where a size is not known."""
    return sum(float(k) * prod(_factor(a, sizes) for a in key) for key, k in polynomial.items())


def _factor(a: Atom, sizes: Mapping[str | int, int]) -> int:
    if isinstance(a, Least):
        return min(length(size, sizes) for size in a.sizes)
    return a.number(sizes) if isinstance(a, Squarings) else length((a,), sizes)


def _count(axes: tuple[Size, ...], sizes: Mapping[str | int, int]) -> int:
    count = 1
    for size in axes:
        for a in size:
            count *= length((a,), sizes)
    return count


def _peak(order: list[Step], roots: tuple[Step, ...], sizes: Mapping[str | int, int]) -> int:
    """The most bytes held at one time by results that are not returned, each until its last use."""
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


# ---- the arithmetic of one step -----------------------------------------------------------------


def flops(step: Step, sizes: Mapping[str | int, int]) -> Polynomial:
    """The flops of a step by the sizes; those that are known decide the order of contractions."""
    count = _FLOPS.get(step.op)
    if step.op == "einsum":
        return _contraction(step, sizes)
    return {} if count is None else count(step)


def _dot(step: Step) -> Polynomial:
    half = len(step.axes) == 2 and is_symmetric(step)  # of which BLAS makes one triangle
    return {monomial(*step.axes, step.args[0].axes[-1]): 1 if half else 2}


def _add(step: Step) -> Polynomial:
    total = Counter({monomial(*step.axes): len(step.args) - 1})
    for k, a in zip(step.data, step.args, strict=True):
        total[monomial(*a.axes)] += abs(k) != 1
    return total


def _mul(step: Step) -> Polynomial:
    """Scalars meet first, then one of them the first array."""
    coefficient, above = step.data
    scalars = sum(a.is_scalar for a in step.args) + (coefficient != 1 or not above)
    arrays = len(step.args) - sum(a.is_scalar for a in step.args)
    if not arrays:
        return {(): scalars - 1}
    return {monomial(*step.axes): arrays - 1 + (scalars > 0), (): max(0, scalars - 1)}


def _pow(step: Step) -> Polynomial:
    each = {Fraction(2): 1, Fraction(1, 2): ROOT}
    return {monomial(*step.axes): each.get(step.data, FUNCTION)}


def _factorized(step: Step) -> Polynomial:
    """Cholesky's factor or that of Gauss, whose cost is the determinant's."""
    return _row_flops("chol" if step.data == "chol" else "det", step.args[0])


def _inverse(step: Step) -> Polynomial:
    """What is left of an inverse after its factor."""
    factor = step.args[0]
    whole, by_lu = (_row_flops(name, factor.args[0]) for name in ("inv", "det"))
    share = Fraction(1, 2) if factor.data == "chol" else 1
    return {key: (k - by_lu[key]) * share for key, k in whole.items()}


def _row_flops(name: str, matrix: Step) -> Polynomial:
    """The cost of a function of a square matrix."""
    return _polynomial(name, {"i": matrix.axes[0], "j": matrix.axes[0]}, ())


def _function(step: Step) -> Polynomial:
    """The cost of a row of the table."""
    name = WITH_ANOTHER.get(step.data, step.data)
    arguments, result = BY_NAME[name].signature.split("->")
    letters: dict[str, Size] = {}
    for axes, a in zip((*arguments.split(","), result), (*step.args, step), strict=True):
        for letter, size in zip(axes, a.axes, strict=False):
            letters.setdefault(letter, size)
    return _polynomial(name, letters, step.args)


def _polynomial(name: str, letters: Mapping[str, Size], args: tuple[Step, ...]) -> Polynomial:
    """The cost of a row for the sizes of its letters; a letter without one is of length one."""
    total: Counter[Monomial] = Counter()
    for coefficient, factors in terms(BY_NAME[name].cost):
        atoms = [_atoms(factor, letters, args) for factor in factors]
        total[monomial(*atoms)] += coefficient  # type: ignore[assignment]
    return total


def _atoms(factor: str, letters: Mapping[str, Size], args: tuple[Step, ...]) -> Size:
    if factor == "products(w)":
        return (Squarings(args[-1]),)
    if not factor.startswith("min"):
        return letters.get(factor, UNIT)
    a, b = (letters.get(letter, UNIT) for letter in factor[4:-1].split(","))
    if a == b or UNIT in (a, b):
        return a if a == b else UNIT
    return (Least(a, b),)


@cache
def terms(formula: str) -> tuple[tuple[Fraction, tuple[str, ...]], ...]:
    """A cost of the table as coefficients and factors.

    >>> terms("4*i*j - 4/3*min(i,j)^2")
    ((Fraction(4, 1), ('i', 'j')), (Fraction(-4, 3), ('min(i,j)', 'min(i,j)')))
    """
    return tuple(_term(sign, text) for sign, text in re.findall(r"([+-]?)\s*([^\s+-]+)", formula))


def _term(sign: str, text: str) -> tuple[Fraction, tuple[str, ...]]:
    coefficient, factors = Fraction(-1 if sign == "-" else 1), list[str]()
    for factor in text.split("*"):
        base, _, power = factor.partition("^")
        if base[0].isdigit():
            coefficient *= Fraction(base)
        else:
            factors += [base] * int(power or 1)
    return coefficient, tuple(factors)


_FLOPS: dict[str, Callable[[Step], Polynomial]] = {
    "dot": _dot,
    "add": _add,
    "mul": _mul,
    "pow": _pow,
    "fn": _function,
    "factor": _factorized,
    "inverse": _inverse,
    "adjugate": lambda s: _inverse(s),
    "power": lambda s: {monomial(*s.axes): FUNCTION},
    "outer": lambda s: {monomial(*s.axes): 1},
    "shift": lambda s: {monomial(s.axes[0]): 1},
    "sum": lambda s: {monomial(*s.args[0].axes): 1},
    "trace": lambda s: {monomial(s.args[0].axes[0]): 1},
    "det": lambda s: {monomial(s.args[0].axes[0]): 1},
    "logdet": lambda s: {monomial(s.args[0].axes[0]): FUNCTION + 1},
    **dict.fromkeys(("vdot", "vdott", "rowdot"), lambda s: {monomial(*s.args[0].axes): 2}),
    # two triangular solves; the inverse of a triangle and two symmetric products with it
    "solve": lambda s: {monomial(s.args[0].axes[0], *s.axes): 2},
    "congruence": lambda s: {monomial(*s.axes, s.axes[0]): Fraction(7, 3)},
}


# ---- contractions -------------------------------------------------------------------------------


def _contraction(step: Step, sizes: Mapping[str | int, int]) -> Polynomial:
    """An einsum, pair by pair in NumPy's order; one pair is a loop over all of its axes."""
    inputs, output = step.data.split("->")
    texts = inputs.split(",")
    letters = {
        c: size
        for text, a in zip(texts, step.args, strict=True)
        for c, size in zip(text, a.axes, strict=True)
    }
    total: Counter[Monomial] = Counter()
    for group in _contraction_order(texts, output, letters, sizes):
        parts = [texts[k] for k in group]
        texts = [text for k, text in enumerate(texts) if k not in group]
        met, needed = set("".join(parts)), set("".join([*texts, output]))
        texts.append("".join(sorted(met & needed)))
        each = len(parts) - 1 + (not met <= needed)
        total[monomial(*(letters[c] for c in met))] += each
    return total


def _contraction_order(
    texts: list[str], output: str, letters: Mapping[str, Size], sizes: Mapping[str | int, int]
) -> list[tuple[int, ...]]:
    """Which arrays are contracted, one group after another, each result coming last."""
    if len(texts) < 3:
        return [tuple(range(len(texts)))]
    names = {
        a: TYPICAL for size in letters.values() for a in base_atoms(size) if isinstance(a, str)
    }
    lengths = {c: max(1, length(size, names | dict(sizes))) for c, size in letters.items()}
    return contractions(texts, output, lengths)


# ---- growth -------------------------------------------------------------------------------------


def growth(polynomial: Polynomial) -> str:
    """The terms that no other term outgrows.

    >>> growth(Counter({("m", "n"): 2, ("n",): 3}))
    'O(m*n)'
    """
    monomials = {key for whole in polynomial for key in _without_numbers(whole)}
    top = [
        key
        for key in monomials
        if not any(key != other and _outgrows(other, key) for other in monomials)
    ]
    texts = ["*".join(map(_power, sorted(Counter(key).items(), key=_place))) for key in sorted(top)]
    return f"O({' + '.join(texts) or '1'})"


def _without_numbers(key: Monomial) -> Iterator[Monomial]:
    """A monomial by the names in it alone; a sum of sizes by each of its terms."""
    choices: list[list[Monomial]] = []
    for a in key:
        if isinstance(a, Sum):
            choices.append([size for size, k in a.terms if k > 0])
        elif isinstance(a, Least) and any(
            all(isinstance(b, int) for b in size) for size in a.sizes
        ):
            choices.append([()])
        else:
            choices.append([(a,) if isinstance(a, str) and a != "log()" else ()])
    for parts in product(*choices):
        yield monomial(tuple(a for part in parts for a in part if isinstance(a, str)))


def _outgrows(one: Monomial, other: Monomial) -> bool:
    """Whether a monomial has the factors of another; the lesser of two sizes is at most either."""
    choices = [[(a,), *a.sizes] if isinstance(a, Least) else [(a,)] for a in other]
    return any(not Counter(monomial(*parts)) - Counter(one) for parts in product(*choices))


def _place(pair: tuple[Atom, int]) -> tuple[bool, str]:
    """Names first, then what is made of them."""
    return isinstance(pair[0], (Least, Squarings)), str(pair[0])


def _power(pair: tuple[Atom, int]) -> str:
    return f"{pair[0]}^{pair[1]}" if pair[1] > 1 else str(pair[0])


def _short(n: int | None) -> str:
    """A number with a prefix of three digits: 16 k, 2.5 G."""
    amount, prefixes = float(n or 0), iter(("", "k", "M", "G", "T", "P"))
    prefix = next(prefixes)
    while amount >= 1000 and (larger := next(prefixes, "")):
        amount, prefix = amount / 1000, larger
    return f"{amount:.3g} {prefix}"
