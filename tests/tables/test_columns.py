"""The columns of the table beside the derivative: each row is proven by a loop, on arguments that
the column does not know.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import points
import pytest
import sympy

import matcalc as mc
from matcalc import expr as ex
from matcalc.expr.nodes import node
from matcalc.expr.sizes import SCALAR, UNIT
from matcalc.language.elaborate import template
from matcalc.language.notes import OF_MATRICES
from matcalc.proof.decimal_matrices import Matrix, OutsideDomain, arithmetic
from matcalc.proof.decimals import DecimalPoint
from matcalc.proof.modular import flat
from matcalc.tables.functions import (
    BY_NAME,
    EACH_ROW,
    INFINITY,
    MACROS,
    ROWS,
    Row,
    visible,
)

DIGITS = 40
EVERYWHERE = (-INFINITY, INFINITY)


def named(row: Row) -> str:
    return row.name


def with_column(column: str) -> list[Row]:
    return [row for row in ROWS if getattr(row, column)]


def decimals(values: dict[ex.Expr, Matrix], e: ex.Expr) -> Matrix:
    """The value of an expression by the functions of decimal arithmetic, which know matrices
    only.
    """
    lengths = {"n": 3}
    with decimal.localcontext(arithmetic(DIGITS)):
        return DecimalPoint(lengths, dict(values), DIGITS).evaluate(ex.postorder(e))


def same(left: Matrix, right: Matrix) -> bool:
    pairs = zip(flat(left), flat(right), strict=True)
    return all(abs(a - b) <= Decimal("1e-25") * (1 + abs(b)) for a, b in pairs)


# ---- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", with_column("scalar"), ids=named)
def test_value_at_scalars_is_that_of_a_matrix_of_one_entry(row: Row) -> None:
    args = [ex.var(name) for name in "xw"[: row.arity]]
    unevaluated = node(row.name, tuple(args), None, SCALAR)
    claim = template(row.scalar, row.named(args))
    assert ex.call(row.name, *args) is claim
    compared = 0
    for number in ("0.3", "2", "-0.7"):
        values = {x: [[Decimal(number) + k]] for k, x in enumerate(args)}
        try:
            of_matrix = decimals(values, unevaluated)
        except (OutsideDomain, decimal.InvalidOperation):
            continue
        assert same(of_matrix, decimals(values, claim))
        compared += 1
    assert compared >= 2


@pytest.mark.parametrize("row", with_column("column"), ids=named)
def test_value_at_a_column_is_that_of_a_matrix(row: Row) -> None:
    x, general = ex.var("X", (("m",), UNIT)), ex.var("X", (("m",), ("n",)))
    value = ex.call(row.name, x)
    assert value is template(row.column, {"x": x})
    column = np.array([0.3, -1.5, 2.0])
    of_matrix = np.asarray(ex.call(row.name, general).compile()(X=column[:, None]))
    at_column = value.compile()(X=column, m=3)
    np.testing.assert_allclose(of_matrix.ravel(), np.ravel(at_column), rtol=1e-14)


def contains(row: Row, value: float) -> bool:
    """Whether a number lies in the interval of a row's values."""
    low, high = row.bounds
    above = value >= low if row.values[0] == "[" else value > low
    below = value <= high if row.values[-1] == "]" else value < high
    return above and below


BOUNDED = [row for row in ROWS if row.bounds != EVERYWHERE]


@pytest.mark.parametrize("row", BOUNDED, ids=named)
def test_values_lie_in_their_interval(row: Row) -> None:
    for seed in range(20):
        args = points.arguments(row)
        if row.domain[0] >= 1:
            args = [ex.add(x, ex.ONE) for x in args]
        elif row.domain == EVERYWHERE and row.elementwise:
            args = [ex.times(ex.num(5), x) for x in args]
        e = ex.call(row.name, *args)
        _, (value,) = next(points.settled((e,), np.random.default_rng(seed)))
        assert all(contains(row, float(v)) for v in np.ravel(value))


def test_intervals_are_written_as_intervals() -> None:
    for row in ROWS:
        assert row.values[0] in "([" and row.values[-1] in ")]" and row.bounds[0] < row.bounds[1]


@pytest.mark.parametrize("row", [row for row in ROWS if row.structural], ids=named)
def test_structural_functions_of_positive_entries(row: Row) -> None:
    """Sums of products are positive; only a diagonal matrix has zeros beside them."""
    args = [ex.var(v.name, v.shape_, ("positive",)) for v in points.arguments(row)]
    _, (value,) = next(points.settled((ex.call(row.name, *args),), np.random.default_rng(1)))
    assert value.min() >= 0
    assert (value.min() == 0) == row.signature.endswith("->ii")


@pytest.mark.parametrize("row", with_column("norm"), ids=named)
def test_norm_vanishes_at_zero_alone_and_grows_with_its_arguments(row: Row) -> None:
    args = points.arguments(row)
    other = [ex.times(ex.num(-2), x) for x in args]
    calls = tuple(ex.call(row.name, *a) for a in (args, other))
    _, (once, twice) = next(points.settled(calls, np.random.default_rng(2)))
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-12)
    assert np.all(once > 0)
    f = ex.call(row.name, *args).compile()
    assert np.all(f(**{x.name: np.zeros((3, 3)) for x in args}) == 0)


# ---- singular points -----------------------------------------------------------------------------


def function_of_mpmath(row: Row) -> Callable[[Any], Any] | None:
    """The function of complex numbers, where mpmath has it under the name of SymPy."""
    own = {"log1p": mpmath.log1p}
    return own.get(row.name) or (getattr(mpmath, row.sympy, None) if row.sympy else None)


def is_singular(f: Callable[[Any], Any], at: Any) -> bool:
    """Whether a function is infinite at a point, or jumps on a circle around it."""
    try:
        if abs(f(at)) > 1e10:
            return True
    except (ValueError, ZeroDivisionError):  # a pole
        return True
    circle = [f(at + 0.4 * mpmath.expjpi(k / 180 + 0.001)) for k in range(-180, 181)]
    return max(abs(b - a) for a, b in pairwise(circle)) > 0.3


KNOWN_BEYOND = [
    row for row in ROWS if row.elementwise and function_of_mpmath(row) and not row.kinks
]


@pytest.mark.parametrize("row", KNOWN_BEYOND, ids=named)
def test_singular_points_are_declared(row: Row) -> None:
    f = function_of_mpmath(row)
    assert f is not None
    ends = [end for end in row.domain if abs(end) < INFINITY] if row.beyond == "branches" else []
    candidates = [*ends, 0, 1, -1, 1j, -1j, mpmath.pi / 2]
    assert any(is_singular(f, at) for at in candidates) == bool(row.beyond)


def test_a_function_with_a_domain_says_what_lies_beyond() -> None:
    assert {row.beyond for row in ROWS} == {"", "branches", "poles"}
    assert all(row.beyond for row in ROWS if row.domain != EVERYWHERE)


@pytest.mark.parametrize("row", [r for r in with_column("beyond") if r.square], ids=named)
def test_matrix_function_with_poles_is_infinite_at_a_singular_matrix(row: Row) -> None:
    assert row.beyond == "poles"
    x = ex.var("X", (("n",), ("n",)))
    f = ex.call(row.name, x, *[ex.num(-1)] * (row.arity - 1)).compile()
    sizes = [np.abs(f(X=np.diag([1.0, 1.0, tiny]))).max() for tiny in (1e-2, 1e-6, 1e-12)]
    assert sizes[0] + 8 < sizes[1] and sizes[1] + 8 < sizes[2]


# ---- functions that belong together --------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(EACH_ROW))
def test_function_of_each_row_takes_no_other(name: str) -> None:
    x = ex.var("X", (("m",), ("n",)))
    f = ex.call(name, x).compile()
    values = np.random.default_rng(3).uniform(-1, 1, (4, 3))
    rows = [np.asarray(f(X=values[[i, (i + 1) % 4]]))[0] for i in range(4)]
    np.testing.assert_allclose(f(X=values), rows, rtol=1e-12)


@pytest.mark.parametrize("row", with_column("each_row"), ids=named)
def test_function_of_each_row_is_the_function_of_a_vector(row: Row) -> None:
    values = np.random.default_rng(4).uniform(-1, 1, (4, 3))
    by_rows = ex.call(row.each_row, ex.var("X", (("m",), ("n",)))).compile()
    of_vector = ex.call(row.name, ex.var("x", (("n",), UNIT))).compile()
    if row.rule and not row.smooth:  # the largest entry, which the function of rows approaches
        largest = values[range(4), values.argmax(1)]
        np.testing.assert_allclose(by_rows(X=1000 * values) / 1000, largest, atol=2e-3)
        return
    np.testing.assert_allclose(by_rows(X=values), [of_vector(x=x) for x in values], rtol=1e-12)


@pytest.mark.parametrize("name", OF_MATRICES)
def test_function_of_matrices_is_that_of_the_entries_of_a_diagonal(name: str) -> None:
    x = np.array([0.5, 1.5, 2.5])
    entries = mc.parse(f"{name}(x)", "x: n").compile()(x=x)
    matrix = mc.parse(f"{OF_MATRICES[name]}(A)", "A: n×n").compile()(A=np.diag(x))
    np.testing.assert_allclose(matrix, np.diag(entries), atol=1e-12)


@pytest.mark.parametrize("row", with_column("weighted"), ids=named)
def test_weighted_function_is_a_product_and_zero_where_the_weight_is(row: Row) -> None:
    x, w = ex.var("x"), ex.var("w")
    f = ex.call(row.weighted, x, w).compile()
    product = ex.times(x, ex.call(row.name, w)).compile()
    assert f(x=0.3, w=0.7) == pytest.approx(product(x=0.3, w=0.7), rel=1e-14)
    assert f(x=0.0, w=row.domain[0]) == 0


@pytest.mark.parametrize("row", with_column("normalizer"), ids=named)
def test_normalized_function_is_an_exponential(row: Row) -> None:
    x = ex.var("x", (UNIT, ("n",)))
    pair = ex.call(row.name, x), ex.call(row.normalizer, x)
    at, (value, normalizer) = next(points.settled(pair, np.random.default_rng(5)))
    np.testing.assert_allclose(np.ravel(value), np.exp(np.ravel(at["x"]) - normalizer), rtol=1e-12)


@pytest.mark.parametrize("row", with_column("exponent"), ids=named)
def test_exponent_leaves_a_moderate_factor(row: Row) -> None:
    """Of a scalar, also beyond the range of double precision; a determinant is that of a definite
    matrix.
    """
    x = ex.var("x")
    logarithm = template(row.exponent, {"x": x})
    for number in ("1e-3", "5", "900"):
        values = {x: [[Decimal(number)]]}
        ((value,),) = decimals(values, node(row.name, (x,), None, SCALAR))
        ((t,),) = decimals(values, logarithm)
        with decimal.localcontext(arithmetic(DIGITS)):
            assert 0 < value / t.exp() <= 2
            assert value / t.exp() > Decimal("1e-3") / 2


def test_the_functions_of_a_column_are_in_the_table() -> None:
    for column in ("each_row", "of_matrices", "weighted", "normalizer"):
        assert {getattr(row, column) for row in with_column(column)} <= {row.name for row in ROWS}


# ---- what a caller sees --------------------------------------------------------------------------


def is_of_vectors(name: str) -> bool:
    """Whether an undeclared a is taken for a vector in a call."""
    arity = len(MACROS[name].parameters) if name in MACROS else BY_NAME[name].arity
    letters = "abc"[:arity]
    try:
        e = mc.parse(f"{name}({', '.join(letters)})")
    except mc.MatcalcError:  # a scalar is no matrix
        return False
    shapes = {v.name: v.shape_ for v in ex.variables(e)}
    return shapes.get("a", SCALAR) != SCALAR


def callable_names(functions: Sequence[Row]) -> list[str]:
    return [name for row in functions for name in (row.name, *row.aliases)]


@pytest.mark.parametrize("name", callable_names(list(visible())))
def test_functions_of_vectors_take_letters_for_vectors(name: str) -> None:
    """By every name that a function has."""
    row = BY_NAME[name]
    vanishes = row.name in EACH_ROW  # softmax_rows(a) is 1 whatever a is
    assert vanishes or is_of_vectors(name) == (row.of_vectors or row.vector)


@pytest.mark.parametrize("name", MACROS)
def test_abbreviations_of_vectors_take_letters_for_vectors(name: str) -> None:
    assert is_of_vectors(name) == MACROS[name].of_vectors


@pytest.mark.parametrize("row", with_column("sympy"), ids=named)
def test_sympy_has_the_name(row: Row) -> None:
    name, _, numbers = row.sympy.partition("(x, ")
    assert hasattr(sympy, name) or hasattr(sympy.matrices.expressions.diagonal, name)
    assert not numbers or numbers.removesuffix(")").isdigit()
