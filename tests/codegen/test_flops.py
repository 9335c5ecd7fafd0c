"""The costs of the table: every row against flops counted as its code runs, or given by a book."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import points
import pytest

import matcalc as mc
from matcalc import expr as ex
from matcalc.codegen.compiled import load
from matcalc.codegen.cost import cost, terms
from matcalc.codegen.plan.planner import plan
from matcalc.codegen.targets.numpy import dialect_with
from matcalc.codegen.write.writer import write
from matcalc.tables.functions import BY_NAME, MACROS, ROWS, Row

FUNCTIONS = (
    "exp log log2 log1p expm1 sin cos tan sinh cosh tanh"
    " arcsin arccos arctan arcsinh arccosh arctanh"
)
LEAST, MOST = 0.75, 1.4  # of the count; a wrong exponent doubles it from one size to the next


class Number:
    """A number that counts what is done with it."""

    flops = 0

    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return float(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __ceil__(self) -> int:
        return int(np.ceil(self.value))

    def conjugate(self) -> Number:
        return self

    def __pow__(self, k: Any) -> Number:
        weight = {2: 1, 0.5: 4}.get(float(k), 8)
        return counted(lambda a: a ** float(k), weight, self)

    def sqrt(self) -> Number:
        return counted(np.sqrt, 4, self)


def counted(f: Callable[..., float], weight: int, *args: Any) -> Number:
    """A function of numbers, and its flops."""
    Number.flops += weight
    return Number(f(*map(float, args)))


def enter(name: str, f: Callable[..., float], weight: int) -> None:
    """Give the class a method that counts, and leaves arrays to NumPy."""

    def method(*args: Any) -> Any:
        return NotImplemented if any(np.ndim(a) for a in args[1:]) else counted(f, weight, *args)

    setattr(Number, name, method)


def reversed_arguments(f: Callable[..., float]) -> Callable[..., float]:
    return lambda a, b: f(b, a)


for word in ("add", "sub", "mul", "truediv", "lt", "le", "gt", "ge", "eq", "neg", "abs"):
    enter(f"__{word}__", getattr(operator, word), 1)
for word in ("add", "sub", "mul", "truediv"):
    enter(f"__r{word}__", reversed_arguments(getattr(operator, word)), 1)
for word in FUNCTIONS.split():
    enter(word, getattr(np, word), 8)


def of_entries(f: Callable[..., float], weight: int, arity: int = 1) -> Callable[..., Any]:
    """A function of a library, entry by entry."""
    return np.frompyfunc(lambda *args: counted(f, weight, *args), arity, 1)


def inverse(a: Any) -> Any:
    """The inverse, of 2 n³ flops (LAPACK Working Note 41)."""
    Number.flops += 2 * len(a) ** 3
    return numbers(np.linalg.inv(a.astype(float)))


def eigenvectors(a: Any) -> tuple[Any, Any]:
    """Eigenvalues and eigenvectors, of 9 n³ flops (Golub & Van Loan 2013, 8.3)."""
    Number.flops += 9 * len(a) ** 3
    values, vectors = np.linalg.eigh(a.astype(float))
    return numbers(values), numbers(vectors)


def determinant(a: Any) -> Number:
    """The determinant beside an inverse, whose factors give it."""
    return Number(float(np.linalg.det(a.astype(float))))


class Counting:
    """NumPy, with the functions that know no objects."""

    linalg = type(
        "linalg",
        (),
        {
            "inv": inverse,
            "det": determinant,
            "eigh": eigenvectors,
            "matrix_power": np.linalg.matrix_power,
            "norm": np.linalg.norm,
        },
    )
    heaviside = staticmethod(of_entries(np.heaviside, 1, 2))
    maximum = staticmethod(of_entries(max, 1, 2))
    minimum = staticmethod(of_entries(min, 1, 2))
    hypot = staticmethod(of_entries(lambda x, w: x, 7, 2))  # two squares, their sum, and a root
    arctan2 = staticmethod(of_entries(lambda x, w: x, 8, 2))
    isfinite = staticmethod(lambda x: np.ones(np.shape(x), bool))
    logaddexp = staticmethod(of_entries(np.logaddexp, 20, 2))  # abs, max, neg, exp, log1p, add

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


LIBRARY = {
    "np": Counting(),
    "erf": of_entries(lambda x: x, 8),
    "normcdf": of_entries(lambda x: x, 8),
    **dict.fromkeys(("erfc", "erfcx", "log_normcdf"), of_entries(lambda x: x + 1, 8)),
    "lgamma": of_entries(lambda x: x, 8),
    "polygamma": lambda k, x: of_entries(lambda y: y, 8)(x),
}


def numbers(values: Any) -> Any:
    """An array whose entries count."""
    return (
        np.frompyfunc(Number, 1, 1)(np.asarray(values, float))
        if np.ndim(values)
        else Number(values)
    )


def count(e: ex.Expr, sizes: Mapping[str | int, int], low: float = 0.0) -> float:
    """The flops of an expression by NumPy alone, counted, of entries between low and low + 1."""
    source = write(plan((e,)), dialect_with(scipy=False), "f", several=False)
    f = load(source)
    f.__globals__.update(LIBRARY)
    point: dict[Any, Any] = dict(sizes)
    for v in ex.variables(e):
        shape = tuple(points.length(size, sizes) for size in v.shape_ if size)
        value = np.random.default_rng(1).uniform(low + 0.1, low + 0.9, shape)
        square = len(shape) == 2 and shape[0] == shape[1]
        point[v.name] = numbers(
            np.eye(shape[0]) * 0.9 + value / (10 * shape[0]) if square else value
        )
    Number.flops = 0
    f(*(point[n] for n in source.parameters.values()))
    return Number.flops


def sizes_of(e: ex.Expr, base: int) -> dict[str | int, int]:
    """A length for every name, that of the second half of the first."""
    names = [a for a in points.atoms([e]) if isinstance(a, str)]
    return {name: base // 2 if k == 1 else base for k, name in enumerate(names)}


def named(row: Row) -> str:
    return row.name


# ---- every row ----------------------------------------------------------------------------------

SINGULAR_VALUES = lambda m, n: 4 * m * n**2 - 4 * n**3 / 3  # noqa: E731
WITH_VECTORS = lambda m, n: 14 * m * n**2 + 8 * n**3  # noqa: E731
PUBLISHED: dict[str, Callable[[int, int], float]] = {  # for m ≥ n
    # Golub & Van Loan 2013: 3.2, 4.2, 8.3, 8.6; LAPACK Working Note 41 for the inverse
    "det": lambda m, n: 2 * n**3 / 3,
    "logdet": lambda m, n: 2 * n**3 / 3,
    "inv": lambda m, n: 2 * n**3,
    "chol": lambda m, n: n**3 / 3,
    "eigvals": lambda m, n: 4 * n**3 / 3,
    "eigvecs": lambda m, n: 9 * n**3,
    "normnuc": SINGULAR_VALUES,
    "normspec": SINGULAR_VALUES,
    "leading": WITH_VECTORS,
    "polar": lambda m, n: WITH_VECTORS(m, n) + 2 * m * n * n,
    "pinv": lambda m, n: WITH_VECTORS(m, n) + 2 * m * n * n,
}
PLACED = [row for row in ROWS if row.cost == "0"]
COUNTED = [row for row in ROWS if row.name not in PUBLISHED and row not in PLACED]
BASES = {"logm": 4, "expm_frechet": 3, "logm_frechet": 2, "sqrtm_frechet": 3}  # counts take long


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_every_row_has_a_cost(row: Row) -> None:
    letters = set(row.signature) - set("13->,()")
    allowed = letters | {"min(i,j)", "products(w)"}
    assert row.cost
    assert all(set(factors) <= allowed for _, factors in terms(row.cost))


@pytest.mark.parametrize("row", COUNTED, ids=named)
def test_cost_is_what_is_counted(row: Row) -> None:
    args = points.arguments(row)
    e = ex.call(row.name, *args)
    first = sizes_of(e, BASES.get(row.name, 9))
    longer = [first | {name: 2 * k} for name, k in first.items()]
    for sizes in (first, *longer):
        claim = cost((e,), sizes).flops
        assert claim is not None
        assert LEAST <= count(e, sizes, max(row.domain[0], 0)) / claim <= MOST, (sizes, claim)


@pytest.mark.parametrize("row", PLACED, ids=named)
def test_what_only_moves_entries_counts_nothing(row: Row) -> None:
    e = ex.call(row.name, *points.arguments(row))
    sizes = sizes_of(e, 5)
    found = cost((e,), sizes)
    assert found.flops == 0
    assert found.growth != "O(1)" or row.name in ("skew", "diagonal")
    assert count(e, sizes) == 0


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("shape", [(100, 100), (100, 40), (40, 100), (300, 7)])
def test_cost_of_a_factorization_is_the_published_one(name: str, shape: tuple[int, int]) -> None:
    row = BY_NAME[name]
    shape = (shape[0],) * 2 if row.square else shape
    declared = {"X": f"{shape[0]}×{shape[1]}" + " spd" * row.symmetric}
    found = mc.parse(f"{name}(X)", declared).compile().cost()
    least = min(shape)
    known = PUBLISHED[name](max(shape), least) / (
        2 if name in ("det", "logdet", "inv") and row.symmetric else 1
    )
    assert found.flops == pytest.approx(known, rel=0.05 if least > 30 else 0.6)


# ---- what is made of them -----------------------------------------------------------------------

LETTERS = {"X": "n×m positive", "A": "n×n", "S": "n×n spd"} | dict.fromkeys("xywb", "n positive")
LETTERS |= dict.fromkeys("dp", "scalar positive")
FACTORIZED = ("adj", "solve", "lambda_max", "lambda_min")  # which objects have no code for


@pytest.mark.parametrize("name", [n for n in MACROS if n not in FACTORIZED])
def test_cost_of_an_abbreviation_is_what_is_counted(name: str) -> None:
    macro = MACROS[name]
    e = mc.parse(
        f"{name}({', '.join(macro.parameters)})", {p: LETTERS[p] for p in macro.parameters}
    )
    for sizes in ({"n": 9, "m": 4}, {"n": 18, "m": 4}, {"n": 9, "m": 8}):
        claim = cost((e,), sizes).flops
        assert claim is not None
        assert LEAST <= count(e, sizes) / claim <= MOST, (sizes, claim)


EXPRESSIONS = (
    "X'*X*w",
    "A*B*C",
    "tr(A*X'*X)",
    "sum(X.^2)",
    "sum(X.^3)",
    "norm2(X*w - y)^2",
    "x*y'",
    "diag(X*X')",
    "sum(exp(X*w))",
    "2*x - 3*z + 1",
    "-x./z",
    "x'*A^9*x",
    "x.^(1/2)",
    "x.^(3/2)",
    "x.^a",
    "kron(A,B)*vec(C)",
    "vec(A)'*kron(B,C)*vec(A)",
    "eye(n) + x*x'",
    "sum(conv(x,z))",
    "sum(softmax(X*w))",
    "cumsum(X)",
    "sum(X)",
    "X*vector(1)",
    "a*b*c*x",
)
DECLARED = {"X": "m×n", "w": "n", "y": "m", "A": "n×n", "B": "n×n", "C": "n×n", "x": "n", "z": "n"}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_cost_of_an_expression_is_what_is_counted(text: str) -> None:
    e = mc.parse(text, {n: s for n, s in DECLARED.items() if n in text.replace("exp", "")})
    for sizes in ({"n": 6, "m": 5}, {"n": 12, "m": 5}, {"n": 6, "m": 10}):
        claim = cost((e,), {a: k for a, k in sizes.items() if a in points.atoms([e])}).flops
        assert claim is not None
        assert LEAST <= count(e, sizes) / claim <= 2 * MOST, (sizes, claim)


SQUARE = {"A": "n×n", "B": "n×n", "X": "n×n"}


@pytest.mark.parametrize("n", [20, 50])
@pytest.mark.parametrize(
    ("text", "options", "flops"),
    [
        ("A*X*B", {}, lambda n: n**4),
        ("X*A*X'", {}, lambda n: 3 * n**4),  # A*X' and X*A, each times the identity, and the sum
        ("tr(A*X*B*X')", {"order": 2}, lambda n: 3 * n**4),
        ("tr(A*X*B*X'*A*X)", {"order": 2, "along": "V"}, lambda n: 28 * n**3),
    ],
)
def test_cost_of_a_contraction(
    text: str, options: dict[str, Any], flops: Callable[[int], int], n: int
) -> None:
    f = mc.derive(text, "X", SQUARE, **options).compile()
    assert f.cost(n=n).flops == pytest.approx(flops(n), rel=0.3)


@pytest.mark.parametrize(
    ("text", "growth"),
    [
        ("normnuc(X)", "O(m*n*min(m,n))"),
        ("tr(expm(A))", "O(n^3)"),
        ("sum(eigvals(S))", "O(n^3)"),
        ("pinv(X)", "O(m*n*min(m,n))"),
        ("conv(x,y)", "O(m*n)"),
        ("x'*A^k*x", "O(n^3*log(k))"),
        ("vec(X)", "O(m*n)"),
        ("diag(x)", "O(n^2)"),
        ("A'", "O(1)"),
        ("tr(A)", "O(n)"),
        ("normnuc(S)", "O(n^3)"),
        ("normspec(Y)", "O(n)"),
        ("kron(x,y)", "O(m*n)"),
    ],
)
def test_growth_of_a_function(text: str, growth: str) -> None:
    declared = {"X": "m×n", "A": "n×n", "S": "n×n sym", "Y": "3×n", "x": "n", "y": "m"}
    used = {name: shape for name, shape in declared.items() if name in text.replace("expm", "")}
    assert mc.parse(text, used).compile().cost().growth == growth


# singular vectors are nine times the singular values, a Fréchet derivative eight times the function
DEAREST = 12
# the inverse of a factor by LU; a sum over all places
BY_OTHER_MEANS = ("chol", "convmat", "hankel")
GRADIENTS = [
    r
    for r in ROWS
    if (r.derivative or r.rule or r.adjoint or r.define) and r.name not in BY_OTHER_MEANS
]


@pytest.mark.parametrize("row", GRADIENTS, ids=named)
def test_a_gradient_costs_a_small_multiple_of_the_function(row: Row) -> None:
    args = points.arguments(row)
    value = ex.call(row.name, *args)
    scalar = value if value.is_scalar else ex.call("norm2", value)
    x = next(a for a in args if a.head == "var")
    for base in (10, 300):
        found = mc.derive(scalar, x).compile(value=True).cost(**sizes_of(scalar, base))
        assert found.expression is not None
        work = found.expression.flops + found.expression.bytes / 8
        assert found.expression.flops <= found.flops <= DEAREST * work
