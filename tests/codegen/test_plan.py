"""What a plan does and does not do: orders of products, shared parts, factorizations, temporaries.

Seen in its steps.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest

import matcalc as mc
from matcalc.codegen.plan.order import Item, orders, tree_cost
from matcalc.codegen.plan.planner import plan
from matcalc.codegen.plan.proven import definite, nonnegative
from matcalc.codegen.plan.stable import stable
from matcalc.codegen.plan.steps import Step, reachable


def steps(text, wrt=None, shapes=None, value=False, **options):
    """The steps of an expression, or of its derivative (after the expression with ``value``)."""
    if wrt is None:
        return reachable(plan((mc.parse(text, shapes),)).roots)
    d = mc.derive(text, wrt, shapes, **options)
    return reachable(plan((d.expr, d.result) if value else (d.result,)).roots)


def ops(found, *names):
    return [s for s in found if s.op in names]


def matrices(found):
    """The matrices that are made, other than transposes."""
    return [s for s in found if len(s.axes) == 2 and s.op not in ("arg", "T", "col", "factor")]


# ---- orders of products --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "X'*X*w",
        "A*B*C*D*x",
        "x'*A*B*C",
        "(x'*A)*(B*(C*y))",
        "tr(A*B*C*D*x*y')",
        "(A*B + C)*x",
        "(x*x' + A)*y",
    ],
)
def test_a_vector_at_an_end_meets_the_matrices_one_by_one(text):
    assert not matrices(steps(text))


def test_a_thin_product_has_one_order_when_its_sizes_are_known():
    found = steps("A*B*C", shapes="A: 500×3; B: 3×500; C: 500×3")
    assert not ops(found, "choose")
    assert [s.axes for s in ops(found, "dot")] == [((3,), (3,)), ((500,), (3,))]


def test_sizes_that_are_names_leave_a_choice_where_both_can_win():
    (choice,) = ops(steps("A*B*C"), "choose")
    assert len(choice.args) == 2


@pytest.mark.parametrize("m", [2, 200])
def test_the_choice_is_the_cheaper_one(m):
    f = mc.parse("A*B*C", "A: m×n; B: n×m; C: m×n").compile()
    assert f.cost(m=m, n=20).flops == min(4 * m * m * 20, 4 * m * 20 * 20)


def test_orders_of_a_long_product_come_at_once():
    items = [Item(("n",), ("n",))] * 60
    assert len(orders(items)) == 1


def test_dynamic_programming_finds_the_least_of_all_orders():
    lengths = (30, 35, 15, 5, 10, 20, 25)  # Cormen, Leiserson, Rivest & Stein, section 15.2
    items = [Item((a,), (b,)) for a, b in pairwise(lengths)]
    (tree,) = orders(items)
    assert tree == ((0, (1, 2)), ((3, 4), 5))
    cost = tree_cost(tree, items)
    assert sum(k * a * b * c for (a, b, c), k in cost.items()) == 2 * 15125


def test_diagonal_matrices_scale():
    assert not ops(steps("diag(x)*A*diag(y)"), "dot", "diag")
    assert not ops(steps("diag(x)*y"), "dot", "diag")


# ---- no needless arrays --------------------------------------------------------------------------


def test_the_trace_of_a_product_is_a_sum_of_products_of_entries():
    assert [s.op for s in steps("tr(A*B)")] == ["arg", "arg", "vdott"]
    assert not matrices(steps("tr(A'*B)"))


def test_the_diagonal_of_a_product_is_row_sums():
    assert ops(steps("diag(A*B')"), "rowdot")
    assert not matrices(steps("diag(A*B')"))


def test_ones_are_never_built():
    for text in (
        "sum(A)",
        "A*ones(n)",
        "ones(m)'*A",
        "A + ones(m)*x'",
        "A + u*ones(n)'",
        "sum(A*B)",
        "A - ones(m,n)",
    ):
        assert not ops(steps(text, shapes="A: m×n"), "ones", "outer"), text


def test_a_multiple_of_the_identity_is_added_to_the_diagonal():
    assert not ops(steps("X'*X + a*eye(n)"), "eye", "diag")


def test_scalars_go_to_the_smaller_side_of_an_outer_product():
    found = steps("norm2(X*w - y)^2", "X")
    assert len(matrices(found)) == 1
    assert found[-1].op == "outer"


def test_least_squares_has_no_temporary_of_the_size_of_the_data():
    assert not matrices(steps("norm2(X*w - y)^2", "w", value=True))


def test_an_outer_product_in_a_product_of_entries_is_a_row_and_a_column():
    assert not ops(steps("A.*(u*v')"), "outer")


# ---- shared parts --------------------------------------------------------------------------------


def test_the_residual_is_computed_once_for_the_value_and_the_gradient():
    assert len(ops(steps("norm2(X*w - y)^2", "w", value=True), "dot")) == 3


def test_value_and_gradient_of_a_quadratic_form_share_a_product():
    found = ops(steps("x'*A*x", "x", value=True), "dot")
    assert len(found) == 3


def test_a_transposed_product_is_a_view():
    (product,) = ops(steps("A*B + (B'*A')'", shapes="A: m×k; B: k×n"), "dot")
    assert product.axes == (("m",), ("n",))


def test_equal_subexpressions_of_several_results_are_one_step():
    d = mc.derive("sum(softplus(X*w))", ["X", "w"])
    found = reachable(plan(tuple(x.result for x in d.values())).roots)
    assert len([s for s in ops(found, "fn") if s.data == "sigmoid"]) == 1


# ---- factorizations ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wrt", "shapes", "kind"),
    [
        ("logdet(X'*X + 0.1*eye(n)) + y'*inv(X'*X + 0.1*eye(n))*y", "X", "X: m×n; y: n", "chol"),
        ("logdet(S) + tr(inv(S)*C)", "S", "S: n×n spd; C: n×n", "chol"),
        ("logdet(S) + y'*inv(S)*y", "S", "S: n×n symmetric; y: n", "symmetric"),
        ("logdet(A) + y'*inv(A)*y + det(A)", "A", "A: n×n; y: n", "lu"),
    ],
)
def test_one_factorization_serves_all(text, wrt, shapes, kind):
    (factor,) = ops(steps(text, wrt, shapes, value=True), "factor")
    assert factor.data == kind


def test_an_inverse_beside_a_vector_is_a_solve():
    found = steps("y'*inv(A)*x")
    assert ops(found, "solve")
    assert not ops(found, "inverse")


def test_an_inverse_that_is_there_anyway_multiplies():
    found = steps("inv(A) + inv(A)*B*inv(A)")
    assert len(ops(found, "inverse")) == 1
    assert not ops(found, "solve")


def test_a_product_with_its_transpose_is_symmetric():
    found = steps("sum(softplus(X*w))", "w", order=2)
    product = ops(found, "dot")[-1]
    assert product.args[0].op == "T"
    assert product.args[0].args[0] is product.args[1]  # X'*D*X by the square root of D


# ---- what is proved of a form --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("S", 2),
        ("A'*A", 1),
        ("A'*A + eye(n)", 2),
        ("A'*A + c*eye(n)", 2),
        ("A'*A + a*eye(n)", 0),
        ("A'*A - eye(n)", 0),
        ("A'*S*A", 1),
        ("A'*B", 0),
        ("inv(S)", 2),
        ("diag(p)", 2),
        ("diag(x.^2)", 1),
        ("diag(x)", 0),
        ("2*S", 2),
        ("-S", 0),
        ("A", 0),
        ("S + A'*A", 2),
        ("A*A", 0),
    ],
)
def test_positive_definite_forms(text, known):
    shapes = "A: n×n; B: n×n; S: n×n spd; c: scalar positive; a: scalar; p: n positive; x: n"
    assert definite(mc.parse(text, shapes)) == known


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("exp(x)", True),
        ("x.^2", True),
        ("x", False),
        ("sigmoid(x).*(1 - sigmoid(x))", True),
        ("1 - x", False),
        ("abs(x) + exp(x)", True),
    ],
)
def test_nonnegative_forms(text, known):
    assert nonnegative(mc.parse(text)) is known


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("log(1 + exp(x))", "softplus(x)"),
        ("log(1 + x)", "log1p(x)"),
        ("exp(x) - 1", "expm1(x)"),
        ("log(sum(exp(x)))", "logsumexp(x)"),
        ("log(sigmoid(x))", "-softplus(-x)"),
        ("exp(x)/sum(exp(x))", "softmax(x)"),
        ("log(det(A'*A))", "logdet(A'*A)"),
        ("log(x)", "log(x)"),
    ],
)
def test_stable_forms(text, better):
    e = mc.parse(text)
    assert str(stable([e])[e]) == str(mc.parse(better))


def test_softmax_and_logsumexp_share_their_exponentials():
    found = steps("logsumexp(x)", "x", value=True)
    assert [s.data for s in ops(found, "fn")] == ["softmax_logsumexp"]


def test_steps_are_plain_data():
    (root,) = plan((mc.parse("2*x"),)).roots
    assert isinstance(root, Step)
    assert root.data == (Fraction(2), 1)
    assert root.axes == (("n",),)


def test_an_explanation_shows_the_orders_that_the_sizes_choose_between(capsys):
    from matcalc.cli import main

    main(
        [
            "norm2(A - U*V')^2",
            "U",
            "-s",
            "A: m×n; U: m×k; V: n×k; H: m×k",
            "--order",
            "2",
            "--along",
            "H",
            "--explain",
        ]
    )
    shown = capsys.readouterr().out
    assert "H @ (V.T @ V) if k*n + k*m <= 2*m*n else H @ V.T @ V" in shown
    assert "O(" in shown.split("the expression alone:")[1]
