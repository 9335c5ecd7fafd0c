"""The exact check: an expression and its claimed derivative at random points of the integers modulo the prime 2^61 - 1.

There is no rounding, no tolerance, no domain and no kink. The expression is evaluated in dual numbers, the derivative in
plain ones, and the derivative applied to the direction must be the tangent, entry by entry. A wrong rational identity of
degree d passes a point with probability at most d/2^61 (Schwartz 1980, Zippel 1979).

An elementwise function is a free symbol: a random map that has the derivative and the parity of the table. Functions with an
``exact`` definition are evaluated by it, so their identities hold. Known besides: exp and log undo each other, a^b is
exp(b·log(a)), square roots are the roots that are squares themselves, sign is the Legendre symbol (odd, multiplicative,
since -1 is no square), and values of exp and positive variables are squares. Other identities between functions are
unknown here: they come out unequal. What has no model, or is singular everywhere, is undecided, never equal.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache, partial, reduce
from hashlib import blake2b
from itertools import count, islice, product
from math import prod
from operator import mul
from random import Random

from . import expr as ex
from .expr import Expr
from .functions import BY_NAME, Row
from .shapes import template
from .sizes import SCALAR, Atom, Shape, resolve

P = 2**61 - 1
SMALL = 8  # integer sizes up to this are kept, larger ones are replaced by the next integers, in their order
TRIES = 1000  # points without the square roots that are needed
SINGULAR_TRIES = 40  # points where something is singular, with the sizes in another order each time
SIGNED_POINTS = 20  # where signs or roots may be two-valued, a wrong claim passes a point with probability 1/2
LARGEST = 20_000  # entries of one matrix

Matrix = list[list[int]]
Dual = tuple[Matrix, Matrix | None]  # a value and its tangent; None is zero
Scalar = Callable[[int], int]
Values = MutableMapping[Expr, Dual]


class Undecided(Exception):
    """There is no exact model of this expression."""


class _Singular(Exception):
    """This point divides by zero."""


class _NoRoot(Exception):
    """This point needs the square root of a number that has none."""


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
    claim = _Claim(e, wrt, derivative, numerator, f"{seed}")
    try:
        return claim.verdict(points)
    except Undecided as problem:
        return Verdict(None, str(problem))


# ---- matrices modulo p ----------------------------------------------------------------------------------------------------


def _each(f: Scalar, a: Matrix) -> Matrix:
    return [[f(x) for x in row] for row in a]


def _fit(a: Matrix, rows: int, cols: int) -> Matrix:
    """A scalar, or a row, repeated to fill a shape."""
    tall = a if len(a) == rows else a * rows
    return tall if len(tall[0]) == cols else [row * cols for row in tall]


def _together(f: Callable[[int, int], int], a: Matrix, b: Matrix) -> Matrix:
    """Entry by entry, the smaller one repeated."""
    rows, cols = max(len(a), len(b)), max(len(a[0]), len(b[0]))
    return [[f(x, y) % P for x, y in zip(*pair, strict=True)] for pair in zip(_fit(a, rows, cols), _fit(b, rows, cols), strict=True)]


_plus = partial(_together, int.__add__)
_minus = partial(_together, int.__sub__)
_times = partial(_together, mul)


def _dot(a: Matrix, b: Matrix) -> Matrix:
    columns = list(zip(*b, strict=True))
    return [[sum(map(mul, row, column)) % P for column in columns] for row in a]


def _flip(a: Matrix) -> Matrix:
    return list(map(list, zip(*a, strict=True)))


def _constant(value: int, rows: int = 1, cols: int = 1) -> Matrix:
    return [[value % P] * cols for _ in range(rows)]


def _identity(n: int) -> Matrix:
    return [[int(i == j) for j in range(n)] for i in range(n)]


def _flat(a: Matrix) -> list[int]:
    return [x for row in a for x in row]


def _reduced(a: Matrix) -> tuple[Matrix, list[int], int]:
    """The reduced row echelon form, its pivot columns, and the product of the pivots with the sign of the row exchanges."""
    a, pivots, total = [row[:] for row in a], list[int](), 1
    for j in range(len(a[0])):
        top = len(pivots)
        found = next((i for i in range(top, len(a)) if a[i][j]), None)
        if found is None:
            continue
        total = total * a[found][j] * (1 if found == top else -1) % P
        a[top], a[found] = a[found], a[top]
        scale = pow(a[top][j], -1, P)
        a[top] = [x * scale % P for x in a[top]]
        for i, row in enumerate(a):
            if i != top and row[j]:
                a[i] = [(x - row[j] * y) % P for x, y in zip(row, a[top], strict=True)]
        pivots.append(j)
    return a, pivots, total


def _determinant(a: Matrix) -> int:
    _, pivots, total = _reduced(a)
    return total if len(pivots) == len(a) else 0


def _inverse(a: Matrix) -> Matrix:
    n = len(a)
    reduced, pivots, _ = _reduced([row + unit for row, unit in zip(a, _identity(n), strict=True)])
    if pivots != list(range(n)):
        raise _Singular("is singular")
    return [row[n:] for row in reduced]


def _pseudo_inverse(a: Matrix) -> Matrix:
    """From the rank factorization a = c·r: r'(rr')⁻¹(c'c)⁻¹c' (Ben-Israel & Greville 2003, section 1.6)."""
    reduced, pivots, _ = _reduced(a)
    if not pivots:
        return _flip(a)
    c, r = [[row[j] for j in pivots] for row in a], reduced[: len(pivots)]
    left, right = _dot(_inverse(_dot(_flip(c), c)), _flip(c)), _dot(_flip(r), _inverse(_dot(r, _flip(r))))
    return _dot(right, left)


def _power(base: int, exponent: int) -> int:
    if exponent < 0 and not base:
        raise _Singular("divides by zero")
    return pow(base, exponent, P)


def _legendre(x: int) -> int:
    return 1 if pow(x, (P - 1) // 2, P) == 1 else -1 if x else 0


@lru_cache(1024)
def _modular(value: Fraction) -> int:
    return value.numerator * pow(value.denominator, -1, P) % P


# ---- declared structure ---------------------------------------------------------------------------------------------------


def _where(keep: Callable[[int, int], bool], a: Matrix) -> Matrix:
    return [[x * keep(i, j) for j, x in enumerate(row)] for i, row in enumerate(a)]


def _mirrored(a: Matrix) -> Matrix:
    return [[a[min(i, j)][max(i, j)] for j in range(len(a))] for i in range(len(a))]


def _cayley(a: Matrix) -> Matrix:
    skew, unit = _minus(a, _flip(a)), _identity(len(a))
    return _dot(_minus(unit, skew), _inverse(_plus(unit, skew)))


def _along_vectors(change: Callable[[list[int]], list[int]], a: Matrix) -> Matrix:
    """Change a vector, or each row of a matrix."""
    return [change(row) for row in a] if len(a[0]) > 1 else _flip([change(_flat(a))])


_PATTERNS: dict[str, Callable[[Matrix], Matrix]] = {
    "symmetric": _mirrored, "spd": _mirrored, "diagonal": partial(_where, int.__eq__),
    "lower": partial(_where, int.__ge__), "upper": partial(_where, int.__le__),
}  # fmt: skip
_PROPERTIES: dict[str, Callable[[Matrix], Matrix]] = {
    "positive": partial(_each, lambda x: x * x % P),
    "unit": partial(_each, lambda x: x * x % P),
    "pm1": partial(_each, lambda x: x % 2 * 2 - 1),
    "mask": partial(_each, lambda x: x % 2),
    "onehot": partial(_along_vectors, lambda row: [int(j == row[0] % len(row)) for j in range(len(row))]),
    "simplex": partial(_along_vectors, lambda row: [*row[:-1], (1 - sum(row[:-1])) % P]),
    "orthogonal": _cayley,
    **_PATTERNS,
    "spd": lambda a: _dot(a, _flip(a)),
}


# ---- the claim ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Claim:
    """What is to be checked, and what all points share."""

    e: Expr
    wrt: Expr
    derivative: Expr
    numerator: bool
    seed: str

    @cached_property
    def order(self) -> list[Expr]:
        return ex.postorder(self.e)

    @cached_property
    def order_of_derivative(self) -> list[Expr]:
        return ex.postorder(self.derivative)

    @cached_property
    def nodes(self) -> list[Expr]:
        return self.order + self.order_of_derivative

    @cached_property
    def two_valued(self) -> set[Expr]:
        """Nodes with signs, or with roots of what may be a square for every input."""
        return set()

    @cached_property
    def proven(self) -> set[Expr]:
        """Nodes with roots of what is no square, since somewhere it had no root."""
        return set()

    @cached_property
    def atoms(self) -> list[Atom]:
        """The atoms of the sizes, in the order in which they are met."""
        return list(dict.fromkeys(a for node in self.nodes for size in node.shape_ for a in resolve(size)))

    @cached_property
    def replaced(self) -> dict[Atom, int]:
        """Large sizes and their small substitutes."""
        return dict(zip(sorted(a for a in self.atoms if isinstance(a, int) and a > SMALL), count(SMALL + 1), strict=False))

    def sizes(self, layout: int) -> dict[Atom, int]:
        """Pairwise different sizes: ascending, descending, then in random orders."""
        fixed: dict[Atom, int] = {a: a for a in self.atoms if isinstance(a, int)} | self.replaced
        names = [a for a in self.atoms if a not in fixed]
        rooted = any(node.head == "size" for node in self.nodes)  # a size may stand under a root
        free = (n for n in count(2) if n not in fixed.values() and (not rooted or _legendre(n) == 1))
        values = list(islice(free, len(names) + len(names) % 2))
        if layout == 1:
            values.reverse()
        elif layout:
            Random(layout).shuffle(values)
        return fixed | dict(zip(names, values, strict=False))

    def verdict(self, points: int) -> Verdict:
        k = 0
        while k < points or (k < SIGNED_POINTS and self.two_valued - self.proven):
            if difference := self.difference(k):
                return self.unequal(difference)
            k += 1
        return Verdict(True)

    def difference(self, k: int) -> str:
        """What differs at the k-th point, resampled until it is regular."""
        singular = 0
        for attempt in range(TRIES):
            point = _Point(self, self.sizes(k + singular + attempt // 50), f"{self.seed}/{k}/{attempt}")
            try:
                return point.difference()
            except _Singular as problem:
                singular += 1
                if singular == SINGULAR_TRIES:
                    raise Undecided(f"{point.node} {problem} for every input") from None
            except _NoRoot:
                self.proven.add(point.node)
        raise Undecided(f"{point.node} needs too many square roots at once")

    def unequal(self, difference: str) -> Verdict:
        """Numbers that may be sizes that were replaced decide nothing."""
        numbers = {n for node in self.nodes if node.head == "num" for n in node.value.as_integer_ratio() if n}
        for size in self.replaced:
            if any(n % int(str(size)) == 0 for n in numbers):
                return Verdict(None, f"{difference}, but a number in it may be the size {size}, which was made smaller")
        return Verdict(False, difference)


# ---- one point ------------------------------------------------------------------------------------------------------------


class _Point:
    """Values and tangents at one random point."""

    def __init__(self, claim: _Claim, sizes: Mapping[Atom, int], key: str) -> None:
        self.claim, self.sizes, self.key = claim, sizes, key
        self.random = Random(key)
        self.node = claim.e  # the node that is being evaluated
        self.exps, self.logs = {0: 1}, {1: 0}

    def difference(self) -> str:
        claim = self.claim
        at, direction = self.variable(claim.wrt), self.direction(claim.wrt)
        values: Values = {claim.wrt: (at, direction)}
        value, tangent = self.evaluate(claim.order, values)
        constants = ChainMap[Expr, Dual]({}, {node: (dual[0], None) for node, dual in values.items()})
        derivative, _ = self.evaluate(claim.order_of_derivative, constants)
        return self.compare(value, tangent or _each(lambda _: 0, value), derivative, direction)

    def compare(self, value: Matrix, tangent: Matrix, derivative: Matrix, direction: Matrix) -> str:
        e, wrt = self.claim.e, self.claim.wrt
        if e.is_scalar and self.claim.numerator:
            derivative = _flip(derivative)
        if not self.fits(derivative, value, direction):
            return f"the derivative has the shape {len(derivative)}×{len(derivative[0])} where the sizes are {self.named_sizes()}"
        for name, pattern in _PATTERNS.items():
            if e.is_scalar and name in wrt.properties and pattern(derivative) != derivative:
                return f"the derivative by a variable that is {name} must have its pattern"
        entries, change = _flat(derivative), _flat(direction)
        width = len(change)
        rows = [entries[i : i + width] for i in range(0, len(entries), width)]
        same = all(sum(map(mul, row, change)) % P == t for row, t in zip(rows, _flat(tangent), strict=True))
        return "" if same else "they differ"

    def fits(self, derivative: Matrix, value: Matrix, direction: Matrix) -> bool:
        """Whether the derivative has the axes of the expression, then those of the variable; a row may be a column."""
        rows, cols = len(derivative), len(derivative[0])
        arrays = [a for a in (value, direction) if a != a[:1] or len(a[0]) > 1]
        if len(arrays) == 2:
            return (rows, cols) == (len(_flat(value)), len(_flat(direction)))
        expected = (len(arrays[0]), len(arrays[0][0])) if arrays else (1, 1)
        return (rows, cols) == expected or (expected[0] == 1 and (cols, rows) == expected)

    def named_sizes(self) -> str:
        return ", ".join(f"{name}={size}" for name, size in self.sizes.items())

    # leaves

    def dims(self, shape: Shape) -> tuple[int, int]:
        rows, cols = (prod(self.sizes[a] for a in resolve(size)) for size in shape)
        if rows * cols > LARGEST:
            raise Undecided(f"{self.node.head} makes a matrix of {rows}×{cols}")
        return rows, cols

    def element(self, *key: object) -> int:
        """A deterministic random number that is not zero."""
        digest = blake2b(f"{self.key}{key}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % (P - 1) + 1

    def noise(self, shape: Shape) -> Matrix:
        rows, cols = self.dims(shape)
        return [[self.random.getrandbits(61) % P for _ in range(cols)] for _ in range(rows)]

    def variable(self, node: Expr) -> Matrix:
        return reduce(lambda a, name: _PROPERTIES[name](a) if name in node.properties else a, _PROPERTIES, self.noise(node.shape_))

    def direction(self, wrt: Expr) -> Matrix:
        return reduce(lambda a, name: _PATTERNS[name](a) if name in wrt.properties else a, _PATTERNS, self.noise(wrt.shape_))

    # nodes

    def evaluate(self, order: Iterable[Expr], values: Values, main: bool = True) -> Dual:
        """The last node of an order in which arguments come first; whatever ``values`` holds is not evaluated again."""
        for node in order:
            if node not in values:
                self.node = node if main else self.node
                values[node] = self.apply(node, [values[a] for a in node.args])
        return values[node]

    def apply(self, node: Expr, args: list[Dual]) -> Dual:
        if node.head in _LEAVES:
            return _LEAVES[node.head](self, node), None
        if node.head in _OPERATIONS:
            return _OPERATIONS[node.head](self, node, args)
        row = BY_NAME[node.head]
        if row.exact:
            return self.defined(row.exact, SCALAR if row.elementwise else node.args[0].shape_, args[0])
        if row.derivative:
            return self.function(row, args[0])
        if row.define:
            return self.structural(row, args)
        raise Undecided(f"{row.name} has no exact model")

    def defined(self, text: str, shape: Shape, x: Dual) -> Dual:
        placeholder, order = _compiled(text, shape)
        return self.evaluate(order, {placeholder: x}, main=False)

    def structural(self, row: Row, args: list[Dual]) -> Dual:
        self.dims(self.node.shape_)
        plan = _plan(row.name, tuple((len(a), len(a[0])) for a, _ in args))
        return _multilinear(plan, *(args["xw".index(name)] for name in re.findall(r"(\w)\[", row.define)))

    def function(self, row: Row, x: Dual) -> Dual:
        """A free symbol, with the derivative of the table."""
        value, change = _each(partial(self.symbol, row), x[0]), x[1]
        return value, change and _times(self.defined(row.derivative, SCALAR, (x[0], None))[0], change)

    def symbol(self, row: Row, x: int) -> int:
        if row.name in _SYMBOLS:
            return _SYMBOLS[row.name](self, x)
        if row.parity == "odd":
            return 0 if not x else self.element(row.name, x) if x <= P // 2 else P - self.element(row.name, P - x)
        return self.element(row.name, min(x, P - x) if row.parity == "even" else x)

    def exp(self, x: int) -> int:
        if x not in self.exps:
            self.pair(x, self.element("exp", x) ** 2 % P)
        return self.exps[x]

    def log(self, x: int) -> int:
        if not x:
            raise _Singular("takes the logarithm of zero")
        if x not in self.logs:
            self.pair(self.element("log", x), x)
        return self.logs[x]

    def pair(self, x: int, exp: int) -> None:
        """From now on exp(x) = exp, and what follows from it."""
        for a, b in ((x, exp), (-x % P, pow(exp, -1, P))):
            self.exps[a], self.logs[b] = b, a

    def sign(self, x: int) -> int:
        self.claim.two_valued.add(self.node)
        return _legendre(x) % P

    def root(self, x: int) -> int:
        """The root that is a square itself, as the positive root of a positive number is."""
        self.claim.two_valued.add(self.node)
        root = pow(x, (P + 1) // 4, P)
        if root * root % P != x:
            raise _NoRoot
        return root

    def power(self, k: Fraction, x: Dual) -> Dual:
        """A constant power, integer or half."""
        d, (value, change) = k.denominator, x
        base = _each(self.root, value) if d == 2 else value
        slope = change and _each(lambda a: _modular(k) * _power(a, int((k - 1) * d)) % P, base)
        return _each(lambda a: _power(a, int(k * d)), base), slope and change and _times(slope, change)

    def pow(self, node: Expr, args: list[Dual]) -> Dual:
        """Any power; a^(b+k) = exp(b·log(a))·a^k with k an integer, so that the derivative is a rational multiple."""
        base, exponent = node.args
        if exponent.head == "num" and exponent.value.denominator <= 2:
            return self.power(exponent.value, args[0])
        last = exponent.args[-1] if exponent.head == "add" else exponent
        k = last.value // 1 if last.head == "num" else 0
        rest = _sum([args[1], (_constant(-k), None)])
        free = self.function(BY_NAME["exp"], _multilinear(_times, rest, self.function(BY_NAME["log"], args[0])))
        return _multilinear(_times, free, self.power(Fraction(k), args[0]))

    def inv(self, node: Expr, args: list[Dual]) -> Dual:
        (value, change), y = args[0], _inverse(args[0][0])
        return y, change and _each(lambda x: -x % P, _dot(_dot(y, change), y))

    def det(self, node: Expr, args: list[Dual]) -> Dual:
        """Jacobi's formula."""
        (value, change), d = args[0], _determinant(args[0][0])
        return _constant(d), change and _constant(d * sum(map(mul, _flat(_flip(_inverse(value))), _flat(change))))

    def pinv(self, node: Expr, args: list[Dual]) -> Dual:
        """Golub & Pereyra 1973, eq. 4.12."""
        (x, dx), y = args[0], _pseudo_inverse(args[0][0])
        if dx is None:
            return y, None
        left, right = _minus(_identity(len(y)), _dot(y, x)), _minus(_identity(len(x)), _dot(x, y))
        one, two = _dot(_dot(y, _flip(y)), _dot(_flip(dx), right)), _dot(_dot(left, _flip(dx)), _dot(_flip(y), y))
        return y, _minus(_plus(one, two), _dot(_dot(y, dx), y))


def _multilinear(f: Callable[..., Matrix], *args: Dual) -> Dual:
    """The product rule: each argument in turn is replaced by its tangent."""
    values = [a for a, _ in args]
    changes = (f(*values[:k], change, *values[k + 1 :]) for k, (_, change) in enumerate(args) if change)
    return f(*values), reduce(_plus, changes, None)


def _sum(args: Iterable[Dual]) -> Dual:
    """A sum; the tangent is as large as the value."""
    def plus(a: Dual, b: Dual) -> Dual:
        value = _plus(a[0], b[0])
        zero = _constant(0, len(value), len(value[0]))
        return value, reduce(_plus, (change for _, change in (a, b) if change), zero) if a[1] or b[1] else None

    return reduce(plus, args)


Leaf = Callable[[_Point, Expr], Matrix]
Operation = Callable[[_Point, Expr, list[Dual]], Dual]
_LEAVES: dict[str, Leaf] = {
    "var": _Point.variable,
    "num": lambda point, node: _constant(_modular(node.value)),
    "size": lambda point, node: _constant(point.sizes[node.data]),
    "ones": lambda point, node: _constant(1, *point.dims(node.shape_)),
    "zeros": lambda point, node: _constant(0, *point.dims(node.shape_)),
    "eye": lambda point, node: _identity(point.dims(node.shape_)[0]),
}
_OPERATIONS: dict[str, Operation] = {
    "add": lambda point, node, args: _sum(args),
    "times": lambda point, node, args: reduce(partial(_multilinear, _times), args),
    "matmul": lambda point, node, args: reduce(partial(_multilinear, _dot), args),
    "T": lambda point, node, args: _multilinear(_flip, *args),
    "pow": _Point.pow, "inv": _Point.inv, "det": _Point.det, "pinv": _Point.pinv,
}  # fmt: skip
_SYMBOLS: dict[str, Callable[[_Point, int], int]] = {"exp": _Point.exp, "log": _Point.log, "sign": _Point.sign}


# ---- the table's texts ----------------------------------------------------------------------------------------------------


@lru_cache(1024)
def _compiled(text: str, shape: Shape) -> tuple[Expr, list[Expr]]:
    """A text of the table in ``x``, in evaluation order; elementwise texts are typed for a scalar and serve every shape."""
    x = ex.var("x", shape)
    return x, ex.postorder(template(text, {"x": x}))


@lru_cache(1024)
def _plan(name: str, dims: tuple[tuple[int, int], ...]) -> Callable[..., Matrix]:
    """A structural row for arguments of certain sizes: which entries of the arguments make which entry of the result."""
    row = BY_NAME[name]
    inputs, output = ex.signature_axes(row)
    sizes = {letter: n for axes, shape in zip(inputs, dims, strict=True) for letter, n in zip(axes, shape, strict=True)} | {"1": 1}
    factors = [axes.split(",") for axes in re.findall(r"\[(.*?)\]", row.define)]
    entries = list(_places(sizes, [*output, *(letter for axes in factors for letter in axes)]))
    rows, cols = (prod(sizes[letter] for letter in axis) for axis in output)

    def apply(*args: Matrix) -> Matrix:
        out = _constant(0, rows, cols)
        for (r, c), places in entries:
            out[r][c] = (out[r][c] + prod(a[i][j] for a, (i, j) in zip(args, places, strict=True))) % P
        return out

    return apply


def _places(sizes: Mapping[str, int], axes: list[str]) -> Iterator[tuple[tuple[int, int], list[tuple[int, int]]]]:
    """The place of each axis for every value of the letters, in pairs: the result's, then the factors'."""
    letters = sorted(set("".join(axes)))
    for values in product(*(range(sizes[letter]) for letter in letters)):
        at = dict(zip(letters, values, strict=True))
        places = [reduce(lambda place, letter: place * sizes[letter] + at[letter], axis, 0) for axis in axes]  # noqa: B023
        pairs = list(zip(places[::2], places[1::2], strict=True))
        yield pairs[0], pairs[1:]
