"""The scalar chain rule in labels: its bags are the derivative, and its cost is that of the
expression.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import points
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import scalars

import matcalc as mc
from matcalc import expr as ex
from matcalc.calculus.chain import Chain, chain
from matcalc.calculus.derivative import fold
from matcalc.expr import Expr
from matcalc.expr.sizes import UNIT
from matcalc.labels.bag import Bag
from matcalc.labels.differentials import links


def derivative(
    text: str, shapes: str = "", *names: str, folding: Callable[[Bag], Expr | None] = fold
) -> Chain:
    e = mc.parse(text, shapes)
    return chain(e, [v for v in ex.variables(e) if v.name in names or not names], folding)


def roots_of(e: Expr, bag: Bag) -> list[Expr]:
    return [e, *(f.expr for t in bag.terms for f in t.factors)]


def assert_is_slope(e: Expr, v: Expr, bag: Bag, seed: int) -> None:
    """The bag as an einsum, along a random direction, is the difference quotient at one of a few
    points.
    """
    rng = np.random.default_rng(seed)
    for at, (value, *_) in itertools.islice(points.settled(roots_of(e, bag), rng), 6):
        sizes = {a: at.get(a, a) for a in points.atoms([e, v])}
        along = points.direction(v, at[v.name], rng)
        measured, error = points.slope(e, v, at, along)
        claimed = points.contracted(points.bag_value(bag, at, sizes), along, np.ndim(value))
        # where all is zero but for rounding, differences are off by some 1e-9
        scale = float(np.abs(claimed).max(initial=0) + np.abs(value).max(initial=0)) + 1e-2
        if error <= 1e-6 * scale and np.abs(claimed - measured).max(initial=0) < 1e-6 * scale:
            return
    assert not list(itertools.islice(points.settled(roots_of(e, bag), rng), 1)), (
        f"{e} by {v.name}: never the slope"
    )


@settings(deadline=None, max_examples=100)
@given(scalars(depth=3), st.integers(0, 2**32))
def test_bag_is_the_derivative_of_a_scalar(case: tuple[str, dict[str, str]], seed: int) -> None:
    e = mc.parse(*case)
    for v, bag in chain(e, ex.variables(e), fold).bags.items():
        assert_is_slope(e, v, bag, seed)


ARRAYS = (
    ("A*X*B", "A: p×m; X: m×n; B: n×q"),
    ("X'*A*X", "X: m×n; A: m×m"),
    ("inv(X)", "X: n×n"),
    ("det(X)*X", "X: n×n"),
    ("exp(A*X).*X", "A: m×m; X: m×n"),
    ("softmax_rows(X)", "X: m×n"),
    ("softmax(A*x)", "A: m×n; x: n"),
    ("diag(x)*A", "A: n×m; x: n"),
    ("X + y'", "X: m×n; y: n"),
    ("X.*(x*y')", "X: m×n; x: m; y: n"),
    ("a*X + X.^a", "X: m×n positive; a: scalar"),
    ("pinv(X)*y", "X: m×n; y: m"),
    ("x*sum(x) + x.^3", "x: n"),
)


@pytest.mark.parametrize(("text", "shapes"), ARRAYS)
@pytest.mark.parametrize("folding", [fold, lambda bag: None], ids=["folded", "open"])
def test_bag_is_the_derivative_of_an_array(
    text: str, shapes: str, folding: Callable[[Bag], Expr | None]
) -> None:
    e = mc.parse(text, shapes)
    for v, bag in derivative(text, shapes, folding=folding).bags.items():
        assert_is_slope(e, v, bag, 1)


def test_outputs_are_the_axes_of_the_expression_then_of_the_variable() -> None:
    (bag,) = derivative("A*X*y", "A: m×p; X: p×n; y: n", "X").bags.values()
    assert [i.size for i in bag.out] == ["m", "p", "n"]


def test_every_term_mentions_every_output() -> None:
    for text in (
        "sum(X + y')",
        "sum(A*ones(n))",
        "sum(x)*sum(y)",
        "tr(A) + sum(diag(A))",
        "x'*A*y",
    ):
        for bag in derivative(text, "X: m×n; y: n; x: n; A: n×n").bags.values():
            assert all(set(bag.out) <= {i for f in t.factors for i in f.labels} for t in bag.terms)


def test_cut_strikes_out_one_occurrence_at_a_time() -> None:
    (bag,) = derivative("x'*A*x", "A: n×n; x: n", "x").bags.values()
    assert len(bag.terms) == 2
    assert all(t.coefficient == Fraction(1) for t in bag.terms)


def test_nothing_cancels_in_the_world_of_numbers() -> None:
    (bag,) = derivative("tr(A*X) - tr(A)*tr(X)", "A: n×n; X: n×n", "X").bags.values()
    assert {t.coefficient for t in bag.terms} == {1, -1}


def test_by_a_variable_that_is_not_there() -> None:
    e, z = mc.parse("x'*x", {"x": "n"}), ex.var("z", (("m",), UNIT))
    bag = chain(e, [z], fold).bags[z]
    assert bag.terms == ()
    assert [i.size for i in bag.out] == ["m"]


def test_function_without_a_rule_is_refused_by_name() -> None:
    with pytest.raises(mc.NotDifferentiable, match="expm_frechet"):
        derivative("sum(expm_frechet(A,B))", "A: n×n; B: n×n", "A")


# ---- the cost ------------------------------------------------------------------------------------


def network(depth: int, shared: bool) -> Expr:
    e = ex.var("x", (("n",), UNIT))
    for k in range(depth):
        e = ex.call("tanh", ex.matmul(ex.var("W" if shared else f"W{k}", (("n",), ("n",))), e))
    return ex.call("sum", e)


def skipping(depth: int) -> Expr:
    """Each layer uses the one below twice: written out as a tree it doubles with every layer."""
    e = ex.var("x", (("n",), UNIT))
    for _ in range(depth):
        e = ex.add(ex.call("sin", e), ex.times(e, ex.call("cos", e)))
    return ex.call("sum", e)


def nested_softmax(depth: int) -> Expr:
    e = ex.var("x", (("n",), UNIT))
    for _ in range(depth):
        e = ex.call("softmax", ex.matmul(ex.var("A", (("n",), ("n",))), e))
    return ex.call("sum", ex.times(e, e))


def cost(e: Expr) -> tuple[int, int]:
    """Steps of the chain, and factors in all of their adjoints."""
    found = chain(e, ex.variables(e), fold)
    adjoints = [s.adjoint for s in found.steps] + list(found.bags.values())
    return len(found.steps), sum(len(t.factors) for bag in adjoints for t in bag.terms)


GROWING = {
    "network": lambda d: network(d, False),
    "recurrent": lambda d: network(d, True),
    "skipping": skipping,
    "softmax": nested_softmax,
}


@pytest.mark.parametrize("make", GROWING.values(), ids=list(GROWING))
def test_cost_is_linear_in_the_depth(make: Callable[[int], Expr]) -> None:
    (a, fa), (b, fb), (c, fc) = (cost(make(depth)) for depth in (5, 10, 20))
    assert c - b == 2 * (b - a)
    assert fc - fb <= 2.2 * (fb - fa)


def test_a_step_for_each_node_that_is_reached() -> None:
    e = network(5, False)
    found = chain(e, [v for v in ex.variables(e) if v.name == "W4"], fold)
    assert [s.node.head for s in found.steps] == ["sum", "tanh", "matmul"]


def test_a_thousand_layers() -> None:
    e = network(1000, False)
    assert len(chain(e, ex.variables(e), fold).bags) == 1001


def test_links_of_a_leaf_are_none() -> None:
    assert not links(ex.var("x"), (), set())
