"""Whether two expressions are equal by identities between analytic functions, whatever the functions with kinks in them are.

Beside ``relu(x)`` each point speaks for one side of a kink alone, so that agreement at points is no proof. Where signs are drawn
anew for each argument, and any other function with kinks has random values, an identity such as sin(2x) = 2 sin x cos x holds as
before, and what holds at random points holds on every side, if no root or logarithm has branches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal, localcontext
from random import Random

from .branches import has_branches
from .decimal_matrices import LOST_DIGITS, Matrix, arithmetic, each, sign
from .decimals import DecimalPoint, Values
from .dual import TooLarge
from .errors import NotDifferentiable
from .expr import Expr, postorder, variables
from .functions import BY_NAME, Row
from .lengths import Lengths, NoLengths, work
from .modular import flat
from .points import random_value
from .sizes import SCALAR, Atom, dims

DIGITS = 70
AGREE = Decimal("1e-20")  # relative differences that are rounding
SAME = 40  # digits in which equal arguments agree, however they were computed
POINTS, TRIES = 8, 16  # that must agree, of all that are tried, since some lie outside of a domain
POINTS_OF_ONE = 3  # for each size that is 1
LARGEST_WORK = 400_000  # multiplications at one point
LENGTHS = 4  # different lengths of names


class AnyFunctions(DecimalPoint):
    """A point at which every function with kinks is any function: random values, the same for the same argument."""

    def apply(self, node: Expr, args: list[Matrix]) -> Matrix:
        row = BY_NAME.get(node.head)
        if row is None or row.smooth:
            return super().apply(node, args)
        if row.exact:
            return self.defined(row.exact, SCALAR if row.elementwise else node.args[0].shape_, args)
        if row.name == "sign":
            return each(_sign, args[0])
        if row.elementwise and len(args) == 1:
            return [[_value(row, x) for x in xs] for xs in args[0]]
        rows, cols = dims(node.shape_, self.lengths)
        entries = [x for a in args for x in flat(a)]
        return [[_value(row, *entries, Decimal(i), Decimal(j)) for j in range(cols)] for i in range(rows)]


def _sign(x: Decimal) -> Decimal:
    """A random sign, which is odd."""
    return sign(x) * Random(_rounded(abs(x))).choice((-1, 1))


def _value(row: Row, *arguments: Decimal) -> Decimal:
    """A random number."""
    return Decimal(Random(f"{row.name} {' '.join(map(_rounded, arguments))}").uniform(-1, 1))


def _rounded(x: Decimal) -> str:
    return f"{x:.{SAME}e}" if abs(x).adjusted() > -SAME else "0"


def equal_by_identity(a: Expr, b: Expr, seed: int = 0) -> bool:
    """Whether two expressions of one shape agree at random points, of many sizes, for any functions with kinks.

    >>> from matcalc.shapes import typed
    >>> program = typed("step(x).*cos(2*x)")
    >>> equal_by_identity(program.expr, typed("step(x).*(1 - 2*sin(x).^2)").expr)
    True
    >>> equal_by_identity(program.expr, typed("step(x).*(1 - 2*sin(x))").expr)
    False
    """
    nodes = list(dict.fromkeys((*variables(a, b), *postorder(a, b))))
    if has_branches(nodes):
        return False
    agreeing = 0
    try:
        for attempt, lengths in enumerate(_lengths(nodes)):
            if (verdict := _agree_at(a, b, nodes, lengths, f"{seed}/{attempt}", attempt)) is False:
                return False
            agreeing += verdict is True
    except (NoLengths, TooLarge, NotDifferentiable):
        return False
    return agreeing >= POINTS


def _lengths(nodes: list[Expr]) -> Iterator[dict[Atom, int]]:
    """Lengths of the names of sizes for one point after the other; raises TooLarge."""
    layouts = Lengths(nodes, (), many=LENGTHS)
    ones = [lengths for lengths in layouts.with_ones() for _ in range(POINTS_OF_ONE)]
    for lengths in (*(layouts.at(attempt) for attempt in range(TRIES)), *ones):
        if work(nodes, lengths) > LARGEST_WORK:
            raise TooLarge
        yield lengths


def _agree_at(
    a: Expr, b: Expr, nodes: Iterable[Expr], lengths: dict[Atom, int], seed: str, style: int
) -> bool | None:
    """Whether two expressions agree at a point; None where they have no values."""
    rng = Random(seed)
    values: Values = {
        v: random_value(v, *dims(v.shape_, lengths), rng, style) for v in nodes if v.head == "var"
    }
    with localcontext(arithmetic(DIGITS)):
        at = AnyFunctions(lengths, values, DIGITS)
        try:
            left, right = (flat(at.evaluate(postorder(root))) for root in (a, b))
        except ArithmeticError:  # outside of a domain
            return None
        lost = at.largest * Decimal(10) ** (LOST_DIGITS - DIGITS)
        pairs = zip(left, right, strict=True)
        return all(abs(x - y) <= max(lost, AGREE * (abs(x) + abs(y))) for x, y in pairs)
