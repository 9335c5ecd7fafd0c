"""The cost report: flops, bytes, temporaries and growth, beside those of the expression."""

from __future__ import annotations

import numpy as np
import pytest
from targets import installed

import matcalc as mc

WRONG_SHAPES: tuple[object, ...] = ("a", -1, None, [1.5], 2.0, (2, -3), {}, [[1, 2]])


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


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ({"v": (10,)}, "v is no argument of the function — it has X, c, m, n, w, y"),
        ({"V": np.ones(3)}, "V is no argument"),
        ({"w": (10, 2)}, r"w has shape \(10, 2\) — w is n"),
        ({"X": 3}, "X has shape"),
        ({"w": (3,), "X": (2, 4)}, "w has shape"),
        ({"X": (3, 3), "m": 2}, "X has shape"),
        ({"c": (2, 3)}, "c has shape"),
        *(({"w": wrong}, "w has no shape") for wrong in WRONG_SHAPES),
        *(({"n": wrong}, "n is a size") for wrong in (-2, 2.5, "n", None, (3,))),
    ],
)
def test_what_is_no_shape_is_said_by_name(shapes, said):
    f = mc.derive("norm2(X*w - y)^2 + c*sum(w)", "w").compile()
    with pytest.raises(mc.MatcalcError, match=said):
        f.cost(**shapes)


@pytest.mark.parametrize(
    ("text", "shapes"),
    [("corr(x,w)", {"x": 3, "w": 9}), ("x[5]", {"x": 3}), ("x[i]", {"x": 3, "i": 4})],
)
def test_lengths_that_leave_no_place_are_refused(text, shapes):
    with pytest.raises(mc.ShapeProblem):
        mc.parse(text).compile().cost(**shapes)


def test_shapes_in_every_form_that_a_call_takes():
    f = mc.derive("norm2(X*w - y)^2 + c*sum(w)", "w").compile()
    forms = [
        {"X": (4, 3)},
        {"X": np.ones((4, 3))},
        {"m": 4, "n": 3},
        {"w": 3, "y": [4]},
        {"X": [4, 3], "c": 2.5},
        {"w": (3,), "y": 4, "c": ()},
    ]
    assert len({f.cost(**shapes).flops for shapes in forms}) == 1


def test_a_variable_of_the_expression_alone_may_be_named():
    f = mc.derive("a'*x + norm2(y)^2", "x", {"a": "n", "x": "n", "y": "m"}).compile()
    assert f.cost(x=3, y=(5,)).expression.flops == 2 * 3 + 2 * 5 + 1


def test_an_exponent_is_given_by_its_name():
    f = mc.parse("x'*A^k*x").compile()
    assert f.cost(A=(9, 9)).flops is None
    products = [f.cost(A=(9, 9), k=k).flops - f.cost(A=(9, 9), k=1).flops for k in (2, 3, 15, 16)]
    assert products == [2 * 9**3 * n for n in (1, 2, 6, 4)]


def test_a_function_of_the_user_costs_what_it_means():
    mc.function("energy", meaning="sum(x.^2)", signature="ij->11", rule="2 x[i,j] dx[i,j]")
    try:
        found = mc.derive("energy(A*X)", "X").compile().cost(A=(7, 7), X=(7, 3))
        assert (
            found.expression.flops
            == mc.parse("sum((A*X).^2)").compile().cost(A=(7, 7), X=(7, 3)).flops
        )
    finally:
        mc.remove_function("energy")


@pytest.mark.parametrize(
    ("text", "growth"),
    [
        ("x'*x", "O(n)"),
        ("inv(A)*x", "O(n^3)"),
        ("tr(A*B)", "O(m*n)"),
        ("a + b", "O(1)"),
        ("x*y'", "O(m*n)"),
    ],
)
def test_growth(text, growth):
    assert (
        mc.parse(text, "A: n×m; B: m×n" if "tr" in text else None)
        .compile()
        .cost()
        .growth.replace("n*m", "m*n")
        == growth
    )


def test_a_gradient_costs_a_small_multiple_of_its_expression():
    for text, wrt, sizes in (
        ("norm2(X*w - y)^2", "w", {"m": 1000, "n": 50}),
        ("tr(A*X*B*X'*C)", "X", {"m": 50, "n": 60, "p": 70}),
        ("logdet(X'*X + eye(n))", "X", {"m": 500, "n": 50}),
    ):
        cost = mc.derive(text, wrt).compile(value=True).cost(**sizes)
        assert cost.flops <= 3 * cost.expression.flops, text


def test_it_reads_well():
    assert (
        str(mc.derive("x'*A*x", "x").compile().cost(A=(100, 100)))
        .split("\n")[0]
        .startswith("O(n^2): 40")
    )


def test_factorizations_are_counted_exactly():
    n = 300
    alone = mc.parse("logdet(S)", "S: n×n spd").compile().cost(S=(n, n))
    whole = mc.derive("logdet(S)", "S", "S: n×n spd").compile(value=True).cost(S=(n, n))
    assert alone.flops == pytest.approx(n**3 / 3, rel=0.02)
    # an inverse after Cholesky: 2/3 n^3 more, so three times the value is the least
    assert whole.flops == pytest.approx(n**3, rel=0.02)
    assert mc.parse("inv(A)", "A: n×n").compile().cost(A=(n, n)).flops == pytest.approx(
        2 * n**3, rel=0.02
    )


@pytest.mark.parametrize(
    ("text", "flops"), [("X'*X", 1), ("X'*Y", 2), ("inv(S) - inv(S)*C*inv(S)", 4)]
)
def test_symmetric_products_take_half(text, flops):
    f = mc.parse(text, "X: n×n; Y: n×n; S: n×n spd; C: n×n symmetric").compile()
    assert f.cost(n=100).flops == pytest.approx(flops * 100**3, rel=0.02)


@pytest.mark.parametrize("target", installed())
def test_every_target_reports_its_cost(target):
    cost = mc.derive("norm2(X*w - y)^2", "X").compile(target, value=True).cost(X=(1000, 50))
    assert cost.growth == cost.expression.growth == "O(m*n)"
    assert cost.temporary < 3 * 8 * 1000
    assert cost.flops < 3 * cost.expression.flops


def test_the_order_that_the_sizes_decide_is_the_one_that_is_counted():
    f = mc.parse("A*B*C", "A: m×n; B: n×k; C: k×l").compile()
    assert f.cost(m=1, n=100, k=100, l=100).flops == 2 * (100**2 + 100**2)
    assert f.cost(m=100, n=100, k=100, l=1).flops == 2 * (100**2 + 100**2)
