"""Stable forms: every row to fifty digits, hundreds of points on every target, limits at the
edge of a domain.
"""

from __future__ import annotations

import decimal
import json
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import targets

import matcalc as mc
from matcalc import expr as ex
from matcalc.calculus.rewrite import NAMES, Rule
from matcalc.codegen import compile_expr
from matcalc.codegen.plan.stable import DIFFERENCES, ROWS
from matcalc.language.typed import typed
from matcalc.proof.decimal_matrices import OutsideDomain, arithmetic
from matcalc.proof.decimals import DecimalPoint

VALUE, GRADIENT = 1e-12, 1e-10  # of the larger of the truth and LEAST
LEAST = 1e-300
LINES = [
    line.split("\t")
    for line in Path(__file__).parents[1].joinpath("stability.tsv").read_text("utf-8").splitlines()
]
TEXTS = list(dict.fromkeys(tuple(line[:3]) for line in LINES))


def doubles(target: str) -> Callable[[Any], Any]:
    """Arrays of double precision of a target."""
    if target == "jax":
        import_module("jax").config.update("jax_enable_x64", True)
        return lambda x: import_module("jax.numpy").asarray(x, dtype=float)
    if target == "torch":
        torch = import_module("torch")
        return lambda x: torch.as_tensor(x, dtype=torch.float64)
    if target == "array_api":
        return lambda x: import_module("array_api_strict").asarray(
            x, dtype=import_module("array_api_strict").float64
        )
    return lambda x: np.asarray(x, dtype=float)


def gap(value: Any, truth: Any) -> float:
    """The largest error relative to the larger of the truth and LEAST; nan is infinitely wrong."""
    true, value = np.array(truth, dtype=np.longdouble), getattr(value, "numpy", lambda: value)()
    error = np.abs(np.array(value, dtype=np.longdouble).reshape(true.shape) - true) / np.maximum(
        np.abs(true), LEAST
    )
    return float(np.max(np.where(np.isnan(error), np.inf, error)))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("target", targets.installed())
@pytest.mark.parametrize("text", TEXTS, ids="|".join)
def test_fifty_digits(text: tuple[str, ...], target: str) -> None:
    expression, shapes, variable = text
    f = mc.derive(expression, variable, shapes).compile(target, value=True)
    array = doubles(target)
    bad = []
    for line in LINES:
        if tuple(line[:3]) == text:
            point = {name: array(value) for name, value in json.loads(line[3]).items()}
            value, gradient = f(**point)
            errors = gap(value, line[4]), gap(gradient, json.loads(line[5]))
            if not (errors[0] <= VALUE and errors[1] <= GRADIENT):
                bad.append((line[3], *errors))
    assert not bad


def test_there_are_five_hundred_points() -> None:
    assert len(LINES) >= 500


# ---- the rows ------------------------------------------------------------------------------------

OWN = [(left, right, shapes) for left, right, shapes, _ in (*ROWS, *DIFFERENCES)]
RULES = [*OWN, *((rule.left_text, rule.right_text, rule.shapes) for rule in NAMES)]
MAGNITUDES = (1e-300, 1e-8, 1e-3, 0.7, 3.0, 30.0, 700.0, 1e4)
MODERATE = (0.2, 1.5, 4.0)  # where a plain left side has fifty digits among a few hundred
DIGITS = 400


# logarithms of sums that may be near 1, whose digits are those of numbers near 1
NEAR_ONE = {
    "log(1+erf(X))",
    "log(erfc(X))",
    "log(softmax_rows(X))",
    "log(sum(exp(x)))",
    "log(softmax(x))",
    "log(exp(X)*ones(n))",
    "log(exp(X)+exp(Y))",
    "log(exp(X)+exp(-X))",
}


def found_as_array(found: Any) -> Any:
    return np.array(getattr(found, "numpy", lambda: found)(), dtype=np.longdouble)


def sides(rule: tuple[str, str, str]) -> tuple[ex.Expr, ex.Expr]:
    """Both sides; what holds entry by entry as one of numbers."""
    left, right, shapes = rule
    letters = sorted(set(re.findall(r"\b[A-Z]\b", left)))
    shapes = shapes or "; ".join(f"{x}: scalar" for x in letters)
    a, b = typed(left, shapes).expr, Rule(left, right, shapes).right
    return a, ex.spread(b({v.name: v for v in ex.variables(a)}, a), a.shape_)


def in_decimals(e: ex.Expr, point: Mapping[str, Any]) -> Any:
    """The value in hundreds of digits; None where there is none."""
    lengths = {
        name: n
        for v in ex.variables(e)
        for name, n in zip(sizes(v), np.shape(point[v.name]), strict=True)
    }
    with decimal.localcontext(arithmetic(DIGITS)):
        values = {
            v: [[decimal.Decimal(float(x)) for x in row] for row in upright(point[v.name])]
            for v in ex.variables(e)
        }
        try:
            return DecimalPoint(lengths, values, DIGITS).evaluate(ex.postorder(e))
        except OutsideDomain:
            return None


def sizes(v: ex.Expr) -> list[str]:
    return [str(size[0]) for size in v.shape_ if size]


def upright(value: Any) -> Any:
    return np.reshape(value, (-1, 1)) if np.ndim(value) < 2 else value


def points(e: ex.Expr, magnitudes: tuple[float, ...]) -> Iterator[dict[str, Any]]:
    """Every letter at every magnitude and sign.

    Of an array the entries, turned round from point to point.
    """
    letters = ex.variables(e)
    signed = [sign * x for x in magnitudes for sign in (1, -1)]
    if all(v.is_scalar for v in letters):
        yield from (
            dict(zip((v.name for v in letters), xs, strict=True))
            for xs in product(signed, repeat=len(letters))
        )
        return
    rng = np.random.default_rng(1)
    for _ in range(30):
        yield {v.name: rng.choice(signed, tuple(3 for size in v.shape_ if size)) for v in letters}


@pytest.mark.parametrize("rule", OWN, ids=lambda rule: rule[0])
def test_both_sides_are_equal_to_fifty_digits(rule: tuple[str, str, str]) -> None:
    left, right = sides(rule)
    seen = 0
    for point in points(left, MODERATE):
        one, other = in_decimals(left, point), in_decimals(right, point)
        if one is not None and other is not None:
            seen += 1
            pairs = [
                (x, y) for a, b in zip(one, other, strict=True) for x, y in zip(a, b, strict=True)
            ]
            assert all(abs(x - y) <= decimal.Decimal("1e-50") * abs(x) for x, y in pairs), point
    assert seen > 1


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("target", targets.installed())
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule[0])
def test_stable_side_over_the_range_of_doubles(rule: tuple[str, str, str], target: str) -> None:
    """What is written for the left side of a row has the digits of its right side."""
    left, right = sides(rule)
    array = doubles(target)
    f = compile_expr(left, target)
    seen = 0
    for point in points(left, MAGNITUDES):
        true = in_decimals(right, point)
        if true is None or max(abs(x) for row in true for x in row) > decimal.Decimal("1e300"):
            continue
        seen += 1
        found = f(**{name: array(value) for name, value in point.items()})
        truth = np.array([[f"{x:.40e}" for x in row] for row in true], dtype=np.longdouble)
        error = np.abs(np.reshape(found_as_array(found), truth.shape) - truth)
        assert (
            error <= VALUE * np.maximum(np.abs(truth), LEAST if rule[0] not in NEAR_ONE else 1)
        ).all(), point
    assert seen > 2


@pytest.mark.parametrize("row", (*ROWS, *DIFFERENCES), ids=lambda row: row[0])
def test_every_row_has_its_reason(row: tuple[str, str, str, str]) -> None:
    assert len(row[3]) > 5


# ---- limits and conventions ----------------------------------------------------------------------

Z3, E = np.zeros(3), float(np.exp(1.0))
SINGULAR = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
COFACTORS = np.array([[-3.0, 6.0, -3.0], [6.0, -12.0, 6.0], [-3.0, 6.0, -3.0]])
B2 = np.array([[1.0, 2.0], [4.0, 3.0]])
# text, variable, shapes, point, value, gradient
EDGES: tuple[tuple[str, str, Any, dict[str, Any], Any, Any], ...] = (
    ("norm2(x - y)", "x", "", {"x": np.ones(3), "y": np.ones(3)}, 0, Z3),
    ("norm2(A*x - y)", "x", "", {"A": np.eye(3), "x": np.ones(3), "y": np.ones(3)}, 0, Z3),
    ("sqrt(sum((x - y).^2))", "y", "", {"x": np.ones(3), "y": np.ones(3)}, 0, Z3),
    ("norm2(X)", "X", "", {"X": np.zeros((2, 3))}, 0, np.zeros((2, 3))),
    (
        "sum(norm2_rows(X))",
        "X",
        "",
        {"X": np.array([[0.0, 0.0], [3.0, 4.0]])},
        5,
        [[0, 0], [0.6, 0.8]],
    ),
    (
        "sum(norm2_cols(X))",
        "X",
        "",
        {"X": np.array([[0.0, 3.0], [0.0, 4.0]])},
        5,
        [[0, 0.6], [0, 0.8]],
    ),
    (
        "sum(hypot(x, y))",
        "x",
        "",
        {"x": np.array([0.0, 3.0]), "y": np.array([0.0, 4.0])},
        5,
        [0, 0.6],
    ),
    ("std(x)", "x", "", {"x": np.ones(3)}, 0, Z3),
    ("normp(x, 3)", "x", "x: n", {"x": Z3}, 0, Z3),
    (
        "sum(x.^p)",
        "x",
        "x: n; p: scalar",
        {"x": np.array([0.0, 2.0]), "p": np.array(0.0)},
        2,
        [0, 0],
    ),
    (
        "sum(x.^p)",
        "x",
        "x: n; p: n",
        {"x": np.array([0.0, 2.0]), "p": np.array([0.0, 3.0])},
        9,
        [0, 12],
    ),
    (
        "sum(x.^p)",
        "p",
        "x: n; p: scalar",
        {"x": np.array([0.0, 2.0]), "p": np.array(2.0)},
        4,
        4 * np.log(2),
    ),
    (
        "sum(y.*log(y./p))",
        "p",
        "y: n; p: n",
        {"y": np.array([0.0, 1.0]), "p": np.array([0.5, 0.5])},
        np.log(2),
        [0, -2],
    ),
    (
        "cross_entropy(y, p)",
        "y",
        "y: n; p: n",
        {"y": np.array([0.0, 1.0]), "p": np.array([0.0, 0.5])},
        np.log(2),
        [np.inf, np.log(2)],
    ),
    (
        "-sum(y.*log(p) + (1 - y).*log(1 - p))",
        "y",
        "y: n; p: n",
        {"y": np.array([0.0, 1.0]), "p": np.array([0.0, 1.0])},
        0,
        [np.inf, -np.inf],
    ),
    ("det(A)", "A", "", {"A": SINGULAR}, None, COFACTORS),
    ("det(A)", "A", "", {"A": np.array([[1.0, 2.0], [2.0, 4.0]])}, 0, [[4, -2], [-2, 1]]),
    ("det(A)", "A", "", {"A": np.outer([1.0, 2, 3], [1.0, 1, 1])}, 0, np.zeros((3, 3))),
    ("det(A)^2", "A", "", {"A": np.zeros((2, 2))}, 0, np.zeros((2, 2))),
    (
        "det(S)",
        "S",
        "S: n×n symmetric",
        {"S": np.array([[1.0, 2.0], [2.0, 4.0]])},
        0,
        [[4, -2], [-2, 1]],
    ),
    (
        "det(A*B)",
        "A",
        "A: n×n; B: n×n",
        {"A": np.array([[1.0, 2.0], [2.0, 4.0]]), "B": np.eye(2)},
        0,
        [[4, -2], [-2, 1]],
    ),
    (
        "sum(B.*(eigvecs(S)*diag(exp(eigvals(S)))*eigvecs(S)'))",
        "S",
        "S: n×n symmetric; B: n×n",
        {"S": np.eye(2), "B": B2},
        4 * E,
        E * (B2 + B2.T) / 2,
    ),
    (
        "sum(B.*(eigvecs(S)*diag(log(eigvals(S)))*eigvecs(S)'))",
        "S",
        "S: n×n spd; B: n×n",
        {"S": 2 * np.eye(2), "B": B2},
        4 * np.log(2),
        (B2 + B2.T) / 4,
    ),
    (
        "sum(B.*sqrtm(S))",
        "S",
        "S: n×n spd; B: n×n",
        {"S": 4 * np.eye(2), "B": B2},
        8,
        (B2 + B2.T) / 8,
    ),
    ("sum(exp(eigvals(S)))", "S", "S: n×n symmetric", {"S": np.eye(2)}, 2 * E, E * np.eye(2)),
)


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("target", targets.installed())
@pytest.mark.parametrize("case", EDGES, ids=lambda case: f"{case[0]} by {case[1]}")
def test_limits_at_the_edge(
    case: tuple[str, str, Any, dict[str, Any], Any, Any], target: str
) -> None:
    text, variable, shapes, point, value, gradient = case
    array = doubles(target)
    found = mc.derive(text, variable, shapes or None).compile(target, value=True)(
        **{n: array(a) for n, a in point.items()}
    )
    for one, true in zip(found, (value, gradient), strict=True):
        if true is not None:
            np.testing.assert_allclose(np.asarray(one), true, rtol=1e-12, atol=1e-12)


LARGE = np.array([[1e4, 9999.0], [-1e4, -9998.0]])


@pytest.mark.parametrize("target", targets.installed())
@pytest.mark.parametrize(
    ("text", "axis"), [("diag(1./(exp(Z)*w))*exp(Z)", 1), ("exp(Z)*diag(1./(exp(Z)'*w))", 0)]
)
def test_rows_and_columns_by_their_own_largest_exponent(text: str, axis: int, target: str) -> None:
    array, w = doubles(target), np.array([1.0, 2.0])
    found = mc.parse(text, "Z: n×n; w: n").compile(target)(Z=array(LARGE), w=array(w))
    shares = np.exp(LARGE - LARGE.max(axis, keepdims=True))
    totals = (shares @ w)[:, None] if axis else w @ shares
    np.testing.assert_allclose(np.asarray(found), shares / totals, rtol=1e-13, atol=1e-300)


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("target", targets.installed())
def test_logsumexp_of_nothing_but_minus_infinity(target: str) -> None:
    array, none = doubles(target), [-np.inf, -np.inf]
    for text, at, value in (
        ("logsumexp(x)", none, -np.inf),
        ("logsumexp_rows(X)", [none, [0.0, -np.inf]], [-np.inf, 0]),
    ):
        found = mc.parse(text).compile(target)(**{"x" if "(x)" in text else "X": array(at)})
        np.testing.assert_array_equal(np.asarray(found), value)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("target", targets.installed())
@pytest.mark.parametrize(
    "matrix", [-np.eye(2), np.diag([-1.0, 4.0]), np.array([[-1.0, 5.0], [0.0, 2.0]])], ids=str
)
@pytest.mark.parametrize("function", ["logm", "sqrtm"])
def test_what_has_no_real_value_is_nan(function: str, matrix: Any, target: str) -> None:
    found = mc.parse(f"{function}(A)").compile(target)(A=doubles(target)(matrix))
    assert np.isnan(np.asarray(found)).all()


@pytest.mark.parametrize("target", targets.installed())
@pytest.mark.parametrize("size", [1e-200, 1e4, 1e6, 1e200])
@pytest.mark.parametrize("function", ["expm", "logm", "sqrtm"])
def test_frechet_derivatives_are_linear_at_any_size(
    function: str, size: float, target: str
) -> None:
    array, b = doubles(target), np.array([[1.0, 2.0], [3.0, 4.0]])
    f, a = mc.parse(f"{function}_frechet(A,B)").compile(target), array([[1.0, 0.5], [0.2, 2.0]])
    one, large = (np.asarray(f(A=a, B=array(b * k))) for k in (1.0, size))
    np.testing.assert_allclose(large, one * size, rtol=1e-13)
