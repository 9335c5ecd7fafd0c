"""Dual numbers modulo p: the values and tangents of expressions at one random point.

An elementwise function is a free symbol: a random map that has the derivative and the parity of the
table. A function with an ``exact`` definition is evaluated by it, so its identities hold. Known
besides: exp and log undo each other, a^b is exp(b·log(a)), square roots are the roots that are
squares themselves, sign is the Legendre symbol (odd and multiplicative), and values of exp and
positive variables are squares. No other identity between functions is known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from fractions import Fraction
from functools import lru_cache, partial, reduce
from hashlib import blake2b
from itertools import product
from math import prod
from operator import mul
from random import Random

from .. import expr as ex
from ..budget import spend
from ..expr import Expr
from ..expr.parts import range_of
from ..expr.powers import is_whole
from ..expr.sizes import SCALAR, UNIT, Atom, Shape, dims, length
from ..language.elaborate import template
from ..tables.functions import ARGUMENTS, BY_NAME, Row
from ..tables.properties import BY_NAME as BY_PROPERTY
from ..tables.properties import Property, properties_of
from . import modular as mod
from .modular import Matrix, P, Singular

LARGEST = 20_000  # entries of one matrix
STEPS = 16  # entries that take as long as a step of the budget

Dual = tuple[Matrix, Matrix | None]  # a value and its tangent; None is zero
Values = MutableMapping[Expr, Dual]


class Undecided(Exception):
    """There is no exact model of this expression."""


class TooLarge(Undecided):
    """The arrays are too large at these lengths."""


class NoRoot(Exception):
    """This point needs the square root of a number that has none."""


# ---- one point -----------------------------------------------------------------------------------


class Point:
    """A random point, by the sizes of its axes and a key that decides every random number."""

    def __init__(self, sizes: Mapping[Atom, int], key: str) -> None:
        self.sizes, self.key = sizes, key
        self.random = Random(key)
        self.node = ex.ONE  # the node that is being evaluated
        # the nodes that took a sign, a root or one of few values
        self.two_valued: set[Expr] = set()
        self.chosen: dict[tuple[str, int], int] = {}
        self.exps, self.logs = {0: 1}, {1: 0}

    def evaluate(self, order: Iterable[Expr], values: Values, main: bool = True) -> Dual:
        """The last node of an order in which arguments come first (0 if there is none).

        What ``values`` holds already stays.
        """
        node = ex.ZERO
        values.setdefault(node, (mod.constant(0), None))
        for node in order:
            if node not in values:
                self.node = node if main else self.node
                value = self.apply(node, [values[a] for a in node.args])
                spend(1 + len(value[0]) * len(value[0][0]) // STEPS)
                values[node] = value
        return values[node]

    def apply(self, node: Expr, args: list[Dual]) -> Dual:
        if node.head in _LEAVES:
            return _LEAVES[node.head](self, node), None
        if node.head in _OPERATIONS:
            return _OPERATIONS[node.head](self, node, args)
        row = BY_NAME[node.head]
        if row.exact:
            return self.defined(
                row.exact, SCALAR if row.elementwise else node.args[0].shape_, *args
            )
        if row.derivative:
            return self.function(row, args[0])
        if row.define:
            return self.structural(row, args)
        raise Undecided(f"{row.name} has no exact model")

    def defined(self, text: str, shape: Shape, *args: Dual) -> Dual:
        placeholders, order = compiled_text(text, shape)
        return self.evaluate(order, dict(zip(placeholders, args, strict=False)), main=False)

    def structural(self, row: Row, args: list[Dual]) -> Dual:
        plan = _plan(row.name, tuple((len(a), len(a[0])) for a, _ in args))
        return _multilinear(
            plan, *(args[ARGUMENTS.index(name)] for name in re.findall(r"(\w)\[", row.define))
        )

    # leaves

    def dims(self, shape: Shape) -> tuple[int, int]:
        return _limited(*dims(shape, self.sizes))

    def noise(self, shape: Shape) -> Matrix:
        rows, cols = self.dims(shape)
        return [[self.random.getrandbits(61) % P for _ in range(cols)] for _ in range(rows)]

    def variable(self, node: Expr) -> Matrix:
        """A random value with the properties that are declared of a variable."""
        value = self.noise(node.shape_)
        for row in properties_of(node.properties):
            if row.values:
                self.two_valued.add(node)
                value = _chosen(row, node, value)
            elif text := row.residues or row.random or row.projection:
                value = self.defined(text, node.shape_, (value, None))[0]
        return value

    def direction(self, node: Expr) -> Matrix:
        """A random direction in which a variable may move."""
        return self.projected(node, self.noise(node.shape_))

    def projected(self, node: Expr, value: Matrix) -> Matrix:
        """The part of a matrix in the linear space that a variable is declared to be of."""
        for row in properties_of(node.properties):
            if row.space:
                text = BY_PROPERTY[row.space].projection
                value = self.defined(text, node.shape_, (value, None))[0]
        return value

    def part(self, node: Expr) -> Matrix:
        (rows, cols), places = self.dims(node.shape_), range_of(node)
        start = length((places.start,), self.sizes)
        return [[int(i == start + j) for j in range(cols)] for i in range(rows)]

    def size(self, node: Expr) -> Matrix:
        return mod.constant(length((node.atom,), self.sizes))

    # functions

    def function(self, row: Row, x: Dual) -> Dual:
        """A free symbol, with the derivative of the table."""
        value, change = mod.each(partial(self.symbol, row), x[0]), x[1]
        return value, change and mod.times(
            self.defined(row.derivative, SCALAR, (x[0], None))[0], change
        )

    def symbol(self, row: Row, x: int) -> int:
        if row.name in _SYMBOLS:
            return _SYMBOLS[row.name](self, x)
        if row.parity == "odd":
            return (
                0
                if not x
                else self.element(row.name, x)
                if x <= P // 2
                else P - self.element(row.name, P - x)
            )
        return self.element(row.name, min(x, P - x) if row.parity == "even" else x)

    def element(self, name: str, x: int) -> int:
        """A random number that is not zero, always the same one for the same function and
        argument.
        """
        digest = blake2b(f"{self.key} {name} {x}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % (P - 1) + 1

    def polygamma(self, node: Expr, args: list[Dual]) -> Dual:
        """A free symbol for every order, the derivative of which is that of the next."""
        k, (x, change) = int(node.args[0].value), args[1]
        value, slope = (
            mod.each(partial(self.element, f"polygamma {order}"), x) for order in (k, k + 1)
        )
        return value, change and mod.times(slope, change)

    def exp(self, x: int) -> int:
        if x not in self.exps:
            self.pair(x, self.element("exp", x) ** 2 % P)
        return self.exps[x]

    def log(self, x: int) -> int:
        if not x:
            raise Singular("takes the logarithm of zero")
        if x not in self.logs:
            self.pair(self.element("log", x), x)
        return self.logs[x]

    def pair(self, x: int, y: int) -> None:
        """From now on exp(x) = y, exp(-x) = 1/y, log(y) = x and log(1/y) = -x."""
        for a, b in ((x, y), (-x % P, pow(y, -1, P))):
            self.exps[a], self.logs[b] = b, a

    def sign(self, x: int) -> int:
        return self.choice("sign", mod.legendre, x) % P

    def root(self, x: int) -> int:
        return self.choice("root", _root, x)

    def choice(self, name: str, f: Callable[[int], int], x: int) -> int:
        """A function with a choice of two values, which is noted where it is first made."""
        if (name, x) not in self.chosen:
            self.two_valued.add(self.node)
            self.chosen[name, x] = f(x)
        return self.chosen[name, x]

    # powers and matrix functions

    def power(self, k: Fraction, x: Dual) -> Dual:
        """A constant power, integer or half."""
        d, factor, (value, change) = k.denominator, mod.residue(k), x
        base, top, below = (
            mod.each(self.root, value) if d == 2 else value,
            int(k * d),
            int(k * d) - d,
        )
        slope = change and mod.each(lambda a: factor * mod.power(a, below), base)
        return mod.each(lambda a: mod.power(a, top), base), slope and change and mod.times(
            slope, change
        )

    def pow(self, node: Expr, args: list[Dual]) -> Dual:
        """Any power; of no whole exponent a^(b+k) = exp(b·log(a))·a^k with k an integer: a^b and
        a^(b-1) are rational multiples.
        """
        exponent = node.args[1]
        if exponent.head == "num" and exponent.value.denominator <= 2:
            return self.power(exponent.value, args[0])
        if is_whole(exponent) and not args[1][1]:
            return self.power(Fraction(_signed(args[1][0][0][0])), args[0])
        last = exponent.args[-1] if exponent.head == "add" else exponent
        k = last.value // 1 if last.head == "num" else 0
        free = _multilinear(
            mod.times,
            _sum([args[1], (mod.constant(-k), None)]),
            self.function(BY_NAME["log"], args[0]),
        )
        return _multilinear(
            mod.times, self.function(BY_NAME["exp"], free), self.power(Fraction(k), args[0])
        )

    def inv(self, _: Expr, args: list[Dual]) -> Dual:
        """d inv(X) = -inv(X)·dX·inv(X)."""
        y, change = mod.inverse(args[0][0]), args[0][1]
        return y, change and mod.each(lambda x: -x % P, mod.dot(mod.dot(y, change), y))

    def det(self, _: Expr, args: list[Dual]) -> Dual:
        """Jacobi's formula."""
        value, change = args[0]
        d = mod.determinant(value)
        return mod.constant(d), change and mod.constant(
            d * sum(map(mul, mod.flat(mod.flip(mod.inverse(value))), mod.flat(change)))
        )

    def powm(self, node: Expr, args: list[Dual]) -> Dual:
        """A whole power of a square matrix, by squaring."""
        x, k = args[0], _signed(args[1][0][0][0])
        base = x if k >= 0 else self.inv(node, [x])
        total: Dual = (mod.identity(len(x[0])), None)
        for bit in f"{abs(k):b}":
            total = _multilinear(mod.dot, total, total)
            total = _multilinear(mod.dot, total, base) if bit == "1" else total
        return total

    def powm_frechet(self, node: Expr, args: list[Dual]) -> Dual:
        """Mathias 1996: the upper right block of the power of [x e; 0 x]."""
        (x, dx), (e, de), exponent = args
        still = mod.constant(0, len(x), len(x))
        tangent = _corner(dx or still, de or still) if dx or de else None
        value, change = self.powm(node, [(_corner(x, e), tangent), exponent])
        return _from_corner(value), change and _from_corner(change)

    def pinv(self, _: Expr, args: list[Dual]) -> Dual:
        """Golub & Pereyra 1973, eq. 4.12, at constant rank."""
        (x, dx), y = args[0], mod.pseudo_inverse(args[0][0])
        if dx is None:
            return y, None
        beside, below = (
            mod.minus(mod.identity(len(a)), mod.dot(a, b)) for a, b in ((x, y), (y, x))
        )
        dxt, yt = mod.flip(dx), mod.flip(y)
        outer = mod.plus(_chain(y, yt, dxt, beside), _chain(below, dxt, yt, y))
        return y, mod.minus(outer, _chain(y, dx, y))


def _chosen(row: Property, node: Expr, noise: Matrix) -> Matrix:
    """A matrix of few values, of which each row, or a vector, may have one nonzero entry alone."""
    if row.total is None:
        return mod.each(lambda x: row.values[x % len(row.values)] % P, noise)
    is_column = node.shape_[1] == UNIT
    rows = mod.flip(noise) if is_column else noise
    hot = [[row.total * (j == a[0] % len(a)) for j in range(len(a))] for a in rows]
    return mod.flip(hot) if is_column else hot


def _signed(residue: int) -> int:
    """The whole number nearest to zero that a residue stands for."""
    return residue if residue <= P // 2 else residue - P


def _corner(x: Matrix, e: Matrix) -> Matrix:
    """The matrix [x e; 0 x]."""
    return [a + b for a, b in zip(x, e, strict=True)] + [[0] * len(a) + a for a in x]


def _from_corner(a: Matrix) -> Matrix:
    n = len(a) // 2
    return [row[n:] for row in a[:n]]


def _commutation(m: int, n: int) -> Matrix:
    """K(m,n), whose row (i,j) picks the place (j,i) of a column-major m×n matrix."""
    return [
        [int(column == j * m + i) for column in range(m * n)] for i in range(m) for j in range(n)
    ]


def _shifts(first: int, second: int) -> Matrix:
    """1 where the row is the sum of the two places of the column."""
    return [
        [int(k == i + j) for i in range(first) for j in range(second)]
        for k in range(first + second - 1)
    ]


def _root(x: int) -> int:
    found = mod.root(x)
    if found is None:
        raise NoRoot
    return found


def _chain(*factors: Matrix) -> Matrix:
    return reduce(mod.dot, factors)


def _limited(rows: int, cols: int) -> tuple[int, int]:
    if rows * cols > LARGEST:
        raise TooLarge(f"a matrix of {rows}×{cols} is too large to check")
    return rows, cols


def _multilinear(f: Callable[..., Matrix], *args: Dual) -> Dual:
    """The product rule: each argument in turn is replaced by its tangent."""
    values = [a for a, _ in args]
    changes = [
        f(*values[:k], change, *values[k + 1 :]) for k, (_, change) in enumerate(args) if change
    ]
    return f(*values), reduce(mod.plus, changes) if changes else None


def _sum(args: Iterable[Dual]) -> Dual:
    """A sum; its tangent is as large as its value, even if what is repeated is all that changes."""
    values, changes = zip(*args, strict=True)
    value = reduce(mod.plus, values)
    moving = [mod.fit(change, len(value), len(value[0])) for change in changes if change]
    return value, reduce(mod.plus, moving) if moving else None


_LEAVES: dict[str, Callable[[Point, Expr], Matrix]] = {
    "var": Point.variable,
    "size": Point.size,
    "num": lambda point, node: mod.constant(mod.residue(node.value)),
    "ones": lambda point, node: mod.constant(1, *point.dims(node.shape_)),
    "zeros": lambda point, node: mod.constant(0, *point.dims(node.shape_)),
    "commutation": lambda point, node: _commutation(
        *(length((a,), point.sizes) for a in node.shape_[0])
    ),
    "eye": lambda point, node: mod.identity(point.dims(node.shape_)[0]),
    "part": Point.part,
    "shifts": lambda point, node: _shifts(*(length((a,), point.sizes) for a in node.shape_[1])),
    "pi": lambda point, node: mod.constant(point.element("pi", 0) ** 2),
}
_OPERATIONS: dict[str, Callable[[Point, Expr, list[Dual]], Dual]] = {
    "add": lambda point, node, args: _sum(args),
    "times": lambda point, node, args: reduce(partial(_multilinear, mod.times), args),
    "matmul": lambda point, node, args: reduce(partial(_multilinear, mod.dot), args),
    "T": lambda point, node, args: _multilinear(mod.flip, *args),
    "tril": lambda point, node, args: _multilinear(mod.lower, *args),
    "triu": lambda point, node, args: _multilinear(mod.upper, *args),
    "conv": lambda point, node, args: _multilinear(mod.convolution, *args),
    "corr": lambda point, node, args: _multilinear(mod.correlation, *args),
    "convmat": lambda point, node, args: _multilinear(
        partial(mod.toeplitz, width=len(args[1][0])), args[0]
    ),
    "hankel": lambda point, node, args: _multilinear(
        partial(mod.hankel, width=len(args[1][0])), args[0]
    ),
    "cross": lambda point, node, args: _multilinear(lambda a, b: mod.dot(mod.skew(a), b), *args),
    "skew": lambda point, node, args: _multilinear(mod.skew, *args),
    "unskew": lambda point, node, args: _multilinear(mod.unskew, *args),
    "polygamma": Point.polygamma,
    "pow": Point.pow,
    "inv": Point.inv,
    "det": Point.det,
    "pinv": Point.pinv,
    "powm": Point.powm,
    "powm_frechet": Point.powm_frechet,
}
_SYMBOLS: dict[str, Callable[[Point, int], int]] = {
    "exp": Point.exp,
    "log": Point.log,
    "sign": Point.sign,
}


# ---- the table's texts ---------------------------------------------------------------------------


@lru_cache(1024)
def compiled_text(text: str, shape: Shape) -> tuple[list[Expr], list[Expr]]:
    """A text of the table in ``x`` and ``w``, in evaluation order.

    An elementwise text is typed for scalars and serves every shape.
    """
    placeholders = [ex.var(name, shape) for name in ARGUMENTS[:2]]
    return placeholders, ex.postorder(template(text, {v.name: v for v in placeholders}))


@lru_cache(64)
def structural_places(
    name: str, dims: tuple[tuple[int, int], ...]
) -> tuple[tuple[int, int], list[list[tuple[int, int]]]]:
    """The shape of a structural function of arguments of certain shapes, and what its entries are
    products of.

    Each product is a list of rows and columns: that of the entry of the result, then that of an
    entry of each factor.
    """
    row = BY_NAME[name]
    inputs, output = ex.signature_axes(row)
    lengths = {"1": 1}
    for axes, shape in zip(inputs, dims, strict=True):
        lengths |= zip(axes, shape, strict=True)
    rows, cols = _limited(*(prod(lengths[letter] for letter in axis) for axis in output))
    factors = [axes.split(",") for axes in re.findall(r"\[(.*?)\]", row.define)]
    return (rows, cols), list(
        _places(lengths, [*output, *(letter for axes in factors for letter in axes)])
    )


def _plan(name: str, dims: tuple[tuple[int, int], ...]) -> Callable[..., Matrix]:
    """A structural function of arguments of certain shapes."""
    (rows, cols), places = structural_places(name, dims)

    def apply(*args: Matrix) -> Matrix:
        out = mod.constant(0, rows, cols)
        for (r, c), *entries in places:
            product_of_entries = prod(a[i][j] for a, (i, j) in zip(args, entries, strict=True))
            out[r][c] = (out[r][c] + product_of_entries) % P
        return out

    return apply


def _places(sizes: Mapping[str, int], axes: list[str]) -> Iterator[list[tuple[int, int]]]:
    """For every value of the letters, the row and column of the result, then those of each
    factor.
    """
    letters = sorted(set("".join(axes)))
    for values in product(*(range(sizes[letter]) for letter in letters)):
        at = dict(zip(letters, values, strict=True))
        places = [_place(axis, at, sizes) for axis in axes]
        yield list(zip(places[::2], places[1::2], strict=True))


def _place(axis: str, at: Mapping[str, int], sizes: Mapping[str, int]) -> int:
    """The place along an axis that may be the product of several: the last letter moves fastest."""
    return reduce(lambda place, letter: place * sizes[letter] + at[letter], axis, 0)
