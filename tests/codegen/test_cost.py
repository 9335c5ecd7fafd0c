"""The cost report: flops, bytes, temporaries and growth, beside those of the expression."""

from __future__ import annotations

import numpy as np
import pytest

import matcalc as mc


def test_least_squares():
    f = mc.derive("norm2(X*w - y)^2", "w").compile()
    cost = f.cost(X=(1000, 50), w=50, y=1000)
    assert cost.growth == "O(m*n)"
    assert cost.flops == pytest.approx(4 * 1000 * 50, rel=0.01)
    assert cost.temporary < 3 * 8 * 1000
    assert cost.bytes == pytest.approx(2 * 8 * 1000 * 50, rel=0.1)
    assert cost.expression.flops == pytest.approx(2 * 1000 * 50, rel=0.05)


def test_shapes_may_be_given_by_the_arrays():
    f = mc.parse("A*B").compile()
    assert f.cost(A=np.ones((2, 3)), B=np.ones((3, 4))).flops == 2 * 2 * 3 * 4


def test_without_shapes_the_growth_alone():
    cost = mc.parse("A*B").compile().cost()
    assert (cost.flops, cost.growth) == (None, "O(k*m*n)") or cost.growth.count("*") == 2


def test_a_shape_that_does_not_fit():
    with pytest.raises(mc.ShapeProblem):
        mc.parse("A*B").compile().cost(A=(2, 3), B=(4, 5))


@pytest.mark.parametrize(("text", "growth"), [("x'*x", "O(n)"), ("inv(A)*x", "O(n^3)"), ("tr(A*B)", "O(m*n)"), ("a + b", "O(1)"), ("x*y'", "O(m*n)")])
def test_growth(text, growth):
    assert mc.parse(text, "A: n×m; B: m×n" if "tr" in text else None).compile().cost().growth.replace("n*m", "m*n") == growth


def test_a_gradient_costs_a_small_multiple_of_its_expression():
    for text, wrt, sizes in (
        ("norm2(X*w - y)^2", "w", {"m": 1000, "n": 50}),
        ("tr(A*X*B*X'*C)", "X", {"m": 50, "n": 60, "p": 70}),
        ("logdet(X'*X + eye(n))", "X", {"m": 500, "n": 50}),
    ):
        cost = mc.derive(text, wrt).compile(value=True).cost(**sizes)
        assert cost.flops <= 3 * cost.expression.flops, text


def test_it_reads_well():
    assert str(mc.derive("x'*A*x", "x").compile().cost(A=(100, 100))).split("\n")[0].startswith("O(n^2): 40")


def test_factorizations_are_counted_exactly():
    n = 300
    alone = mc.parse("logdet(S)", "S: n×n spd").compile().cost(S=(n, n))
    whole = mc.derive("logdet(S)", "S", "S: n×n spd").compile(value=True).cost(S=(n, n))
    assert alone.flops == pytest.approx(n**3 / 3, rel=0.02)
    assert whole.flops == pytest.approx(n**3, rel=0.02)  # an inverse after Cholesky: 2/3 n^3 more, so three times the value is the least
    assert mc.parse("inv(A)", "A: n×n").compile().cost(A=(n, n)).flops == pytest.approx(2 * n**3, rel=0.02)


@pytest.mark.parametrize(("text", "flops"), [("X'*X", 1), ("X'*Y", 2), ("inv(S) - inv(S)*C*inv(S)", 4)])
def test_symmetric_products_take_half(text, flops):
    f = mc.parse(text, "X: n×n; Y: n×n; S: n×n spd; C: n×n symmetric").compile()
    assert f.cost(n=100).flops == pytest.approx(flops * 100**3, rel=0.02)


@pytest.mark.parametrize("target", ["numpy", "numba", "jax", "torch", "array_api"])
def test_every_target_reports_its_cost(target):
    pytest.importorskip({"array_api": "array_api_strict"}.get(target, target))
    cost = mc.derive("norm2(X*w - y)^2", "X").compile(target, value=True).cost(X=(1000, 50))
    assert cost.growth == cost.expression.growth == "O(m*n)"
    assert cost.temporary < 3 * 8 * 1000
    assert cost.flops < 3 * cost.expression.flops


def test_the_order_that_the_sizes_decide_is_the_one_that_is_counted():
    f = mc.parse("A*B*C", "A: m×n; B: n×k; C: k×l").compile()
    assert f.cost(m=1, n=100, k=100, l=100).flops == 2 * (100**2 + 100**2)
    assert f.cost(m=100, n=100, k=100, l=1).flops == 2 * (100**2 + 100**2)
