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
