"""Points at which functions with kinks or branches are any functions, so that agreement there is no
luck of the side.

Beside ``relu(x - 1000)`` each point speaks for one side of the kink alone. Where signs are drawn
anew for each argument, and any other function with kinks has random values, an identity such as
sin(2x) = 2 sin x cos x holds as before, and what holds at random points holds on every side. Where
roots and logarithms may have several branches, roots have random signs and logarithms and arcs
random values, too.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

from ..expr import Expr
from ..expr.sizes import SCALAR
from ..tables.functions import BY_NAME
from .branches import BRANCHED
from .decimal_matrices import Matrix, each, sign, times
from .decimals import DecimalPoint, Values
from .modular import flat

SAME = 40  # digits in which equal arguments agree, however they were computed


class OpaquePoint(DecimalPoint):
    """Values of expressions where what has kinks is any function, the same for the same
    argument.
    """

    def __init__(self, *given: Any, branched: bool, seed: str) -> None:
        super().__init__(*given)
        self.branched = branched  # whether roots and logarithms are of any branch
        self.seed = seed  # decides which functions they are

    def within(self, values: Values) -> DecimalPoint:
        return OpaquePoint(
            self.lengths, values, self.digits, branched=self.branched, seed=self.seed
        )

    def apply(self, node: Expr, args: list[Matrix]) -> Matrix:
        row = BY_NAME.get(node.head)
        if self.branched and node.head == "pow" and node.args[1].head == "num":
            return times(super().apply(node, args), self.signs_of_root(node.args[1].value, args[0]))
        if self.branched and (node.head in BRANCHED or node.head == "pow"):
            return self.any_function(node, args)
        if row is None or row.smooth:
            return super().apply(node, args)
        if row.exact:
            return self.defined(row.exact, SCALAR if row.elementwise else node.args[0].shape_, args)
        if row.name == "sign":
            return each(self.sign, args[0])
        return self.any_function(node, args)

    def any_function(self, node: Expr, args: list[Matrix]) -> Matrix:
        """Random values, entry by entry of an elementwise function's argument, or of all of any
        other.
        """
        row = BY_NAME.get(node.head)
        if row is not None and row.elementwise and len(args) == 1:
            return each(lambda x: self.number(node.head, x), args[0])
        rows, cols = self.dims(node.shape_)
        entries = [x for a in args for x in flat(a)]
        indices = [[(Decimal(i), Decimal(j)) for j in range(cols)] for i in range(rows)]
        return [[self.number(node.head, *entries, *index) for index in line] for line in indices]

    def number(self, name: str, *arguments: Decimal) -> Decimal:
        return Decimal(self.random(name, *arguments).uniform(-1, 1))

    def sign(self, x: Decimal) -> Decimal:
        """A random sign, which is odd."""
        return sign(x) * self.random("sign", abs(x)).choice((-1, 1))

    def signs_of_root(self, exponent: Fraction, base: Matrix) -> Matrix:
        """1 or -1 for each entry of a base: the branch of its root, raised to a power."""
        if exponent.denominator % 2 or exponent.numerator % 2 == 0:
            return [[Decimal(1)]]
        return each(lambda x: Decimal(self.random("root", x).choice((-1, 1))), base)

    def random(self, name: str, *arguments: Decimal) -> Random:
        """The same random numbers for the same function and arguments."""
        return Random(f"{self.seed} {name} {' '.join(map(_rounded, arguments))}")


def _rounded(x: Decimal) -> str:
    return f"{x:.{SAME}e}" if abs(x).adjusted() > -SAME else "0"
