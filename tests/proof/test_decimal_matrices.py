"""Functions of matrices in decimals against those of mpmath, at random matrices of several sizes
and magnitudes.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from random import Random
from typing import Any

import mpmath
import pytest

from matcalc.proof import decimal_matrices as dm
from matcalc.proof.decimal_matrices import (
    Matrix,
    OutsideDomain,
    arithmetic,
    dot,
    identity,
    minus,
    norm,
    plus,
)
from matcalc.proof.modular import flip

DIGITS = 70
CLOSE = Decimal("1e-60")
SIZES = (1, 2, 3, 5)


def random_matrix(rng: Random, rows: int, cols: int, size: float = 1.0) -> Matrix:
    return [[Decimal(str(rng.uniform(-size, size))) for _ in range(cols)] for _ in range(rows)]


def symmetric(rng: Random, n: int) -> Matrix:
    a = random_matrix(rng, n, n)
    return plus(a, flip(a))


def near_identity(rng: Random, n: int) -> Matrix:
    return plus(dm.times([[Decimal("0.4")]], random_matrix(rng, n, n)), identity(n))


def by_mpmath(function: Callable[[Any], Any], a: Matrix) -> Matrix:
    with mpmath.workdps(DIGITS + 20):
        value = function(mpmath.matrix([[mpmath.mpf(str(x)) for x in row] for row in a]))
        rows = [[value[i, j] for j in range(value.cols)] for i in range(value.rows)]
        return [[Decimal(mpmath.nstr(mpmath.re(x), DIGITS + 10)) for x in row] for row in rows]


def assert_close(a: Matrix, b: Matrix) -> None:
    assert norm(minus(a, b)) <= CLOSE * norm(b)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("magnitude", (0.01, 1.0, 30.0))
def test_exponentials(n: int, magnitude: float) -> None:
    with localcontext(arithmetic(DIGITS)):
        a = random_matrix(Random(n), n, n, magnitude)
        assert_close(dm.exponential(a), by_mpmath(mpmath.expm, a))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(
    ("ours", "theirs"), [(dm.square_root, mpmath.sqrtm), (dm.logarithm, mpmath.logm)]
)
def test_roots_and_logarithms(
    n: int, ours: Callable[[Matrix], Matrix], theirs: Callable[[Any], Any]
) -> None:
    with localcontext(arithmetic(DIGITS)):
        a = near_identity(Random(n), n)
        assert_close(ours(a), by_mpmath(theirs, a))
        spd = dot(a, flip(a))
        assert_close(ours(spd), by_mpmath(theirs, spd))


@pytest.mark.parametrize("function", [dm.square_root, dm.logarithm])
def test_no_real_value_where_an_eigenvalue_is_negative(
    function: Callable[[Matrix], Matrix],
) -> None:
    with localcontext(arithmetic(DIGITS)):
        for text in ("-1 0; 0 2", "1 2; 2 1", "-3 1; 0 2", "0 1; 0 0", "-2 0; 0 -2"):
            a = [[Decimal(x) for x in row.split()] for row in text.split(";")]
            with pytest.raises(ArithmeticError):
                function(a)


def test_a_rotation_has_a_real_logarithm() -> None:
    with localcontext(arithmetic(DIGITS)):
        turn = [[Decimal("0.6"), Decimal("-0.8")], [Decimal("0.8"), Decimal("0.6")]]
        assert_close(dm.exponential(dm.logarithm(turn)), turn)
        root = dm.square_root(turn)
        assert_close(dot(root, root), turn)


@pytest.mark.parametrize("n", SIZES)
def test_eigenvalues_and_eigenvectors(n: int) -> None:
    with localcontext(arithmetic(DIGITS)):
        s = symmetric(Random(n), n)
        values, vectors = dm.eigen(s)
        assert values == sorted(values)
        scaled = [[x * value for x, value in zip(row, values, strict=True)] for row in vectors]
        assert_close(dot(s, vectors), scaled)
        assert_close(dot(flip(vectors), vectors), identity(n))
        assert all(max(column, key=abs) > 0 for column in flip(vectors))


def test_equal_eigenvalues() -> None:
    with localcontext(arithmetic(DIGITS)):
        assert dm.eigen(identity(3)) == ([1, 1, 1], identity(3))


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (3, 2), (2, 4), (4, 4), (5, 1)])
def test_singular_values(rows: int, cols: int) -> None:
    with localcontext(arithmetic(DIGITS)):
        x = random_matrix(Random(rows), rows, cols)
        left, values, right = dm.singular(x)
        scaled = [[value * y for y in row] for value, row in zip(values, right, strict=True)]
        assert_close(dot(flip(left), scaled), x)
        assert_close(dot(left, flip(left)), identity(len(values)))
        assert values == sorted(values)


def test_singular_values_of_a_matrix_of_lower_rank() -> None:
    with localcontext(arithmetic(DIGITS)):
        rng = Random(3)
        x = dot(random_matrix(rng, 4, 2), random_matrix(rng, 2, 3))
        left, values, _ = dm.singular(x)
        assert values[0] < CLOSE
        assert_close(dot(left, flip(left)), identity(3))
        assert dm.singular([[Decimal(0)] * 3] * 2)[1] == [0, 0]


@pytest.mark.parametrize("name", ["exponential", "square_root", "logarithm"])
def test_frechet_derivatives(name: str) -> None:
    function = getattr(dm, name)
    with localcontext(arithmetic(2 * DIGITS)):
        rng = Random(name)
        x, direction = near_identity(rng, 3), random_matrix(rng, 3, 3, 1e6)
        step = Decimal("1e-50")
        ahead, behind = (function(plus(x, dm.times([[s * step]], direction))) for s in (1, -1))
        difference = dm.times([[1 / (2 * step)]], minus(ahead, behind))
        assert_close(dm.frechet(function)(x, direction), difference)


def test_a_singular_matrix_has_no_inverse_and_no_logarithm() -> None:
    with localcontext(arithmetic(DIGITS)):
        ones = dm.constant(1, 2, 2)
        for function in (dm.inverse, dm.logarithm, dm.log_determinant):
            with pytest.raises(OutsideDomain):
                function(ones)
