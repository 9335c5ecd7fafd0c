"""Derivatives of every kind, conventions, functions of one's own, and what happens when a rule
is wrong.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import matcalc as mc
from matcalc.api.derive import unverified
from matcalc.cli import main
from matcalc.language.typed import typed
from matcalc.tables import functions

WRONG = dataclasses.replace(functions.BY_NAME["tanh"], derivative="1+tanh(x).^2")


@pytest.mark.parametrize("text", ["sum(tanh(x))", "y'*tanh(A*x)", "tanh(x'*y)"])
def test_a_wrong_rule_is_reported_as_a_defect(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(functions.BY_NAME, "tanh", WRONG)
    with pytest.raises(mc.WrongAnswer, match="report this expression") as caught:
        mc.derive(text, "x")
    assert text in caught.value.message
    assert main([text, "x"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert text in printed.err


def test_what_cannot_be_decided_is_not_verified(capsys: pytest.CaptureFixture[str]) -> None:
    d = mc.derive("logdet(x*x')", "x")
    assert d.verification is not None
    assert not d.verification.ok
    assert not d.verification.wrong
    assert main(["logdet(x*x')", "x"]) == 1
    assert "not verified" in capsys.readouterr().err


INDEX_FORMS = (
    ("A*X*B", "X", 1, "A[i,k]*B[l,j]"),
    ("X'", "X", 1, "I[i,l]*I[j,k]"),
    ("X*b", "X", 1, "b[k]*I[i,j]"),
    ("norm2(A*X - B)^2", "X", 2, "2*(A'*A)[i,k]*I[j,l]"),
    ("sum(exp(x))", "x", 3, "exp(x)[i]*I[i,j]*I[i,k]"),
    ("x'*A*x", "x", 3, "0"),
)


@pytest.mark.parametrize(("text", "wrt", "order", "answer"), INDEX_FORMS)
def test_index_forms(text: str, wrt: str, order: int, answer: str) -> None:
    d = mc.derive(text, wrt, "b: n" if "b" in text else None, order=order)
    assert str(d) == answer
    assert d.verification is not None
    assert d.verification.exact is True
    assert d.verification.numeric is True


DIFFERENTIALS = [
    ("A*X*B", "A*dX*B"),
    ("inv(X)", "-inv(X)*dX*inv(X)"),
    ("X'*X", "X'*dX + dX'*X"),
    ("det(X)", "det(X)*tr(dX*inv(X))"),
]


@pytest.mark.parametrize(("text", "answer"), DIFFERENTIALS)
def test_differentials(text: str, answer: str) -> None:
    d = mc.derive(text, "X", "X: n×n")
    assert str(d.differential()) == str(
        mc.parse(answer, {"dX": "n×n", **{v: x.shape for v, x in d.program.variables.items()}})
    )


def test_a_hessian_by_the_first_weights_of_a_network() -> None:
    d = mc.derive("norm2(W3*tanh(W2*tanh(W1*x)) - y)^2", "W1", order=2)
    assert d.shape == ("n", "p", "n", "p") or len(d.shape) == 4
    assert d.verification is not None
    assert d.verification.ok
    rng = np.random.default_rng(0)
    sizes = {"W1": (3, 2), "W2": (4, 3), "W3": (2, 4), "x": 2, "y": 2}
    point = {name: rng.normal(size=size) for name, size in sizes.items()}
    gradient = mc.derive("norm2(W3*tanh(W2*tanh(W1*x)) - y)^2", "W1").compile()
    hessian, h = d.compile()(**point), 1e-5
    moved = np.zeros((3, 2))
    moved[1, 0] = h
    slope = (
        gradient(**(point | {"W1": point["W1"] + moved}))
        - gradient(**(point | {"W1": point["W1"] - moved}))
    ) / (2 * h)
    np.testing.assert_allclose(hessian[:, :, 1, 0], slope, rtol=1e-6, atol=1e-8)


def test_directions() -> None:
    assert str(mc.derive("norm2(X*w - y)^2", "w", order=2, along="v")) == "2*X'*X*v"
    assert str(mc.derive("tanh(A*x)", "x", along="v")) == "(A*v).*(1 - tanh(A*x).^2)"
    with pytest.raises(mc.NameProblem, match="already"):
        mc.derive("norm2(X*w - y)^2", "w", along="X")


NAMED = [
    ("x'*A*x", 1, None, "gradient"),
    ("x'*A*x", 2, None, "hessian"),
    ("x'*A*x", 3, None, ""),
    ("x'*A*x", 1, "v", ""),
    ("x'*A*x", 2, "v", ""),
    ("A*x", 1, None, "jacobian"),
    ("A*x", 2, None, ""),
    ("A*x", 1, "v", ""),
    ("a'*x", 1, None, "gradient"),
    ("x*x'", 1, None, "jacobian"),
]


@pytest.mark.parametrize(("text", "order", "along", "name"), NAMED)
def test_each_derivative_goes_by_its_name(
    text: str, order: int, along: str | None, name: str
) -> None:
    d = mc.derive(text, "x", order=order, along=along)
    for other in ("gradient", "jacobian", "hessian"):
        if other == name:
            assert getattr(d, other) is d.result
            continue
        with pytest.raises(mc.NameProblem, match=r"the answer is the .*, not the .* — .*derive\(…"):
            getattr(d, other)


def test_what_to_type_for_another_derivative() -> None:
    with pytest.raises(mc.NameProblem, match=r"the Hessian is derive\(…, order=2\)\.hessian"):
        _ = mc.derive("x'*A*x", "x").hessian
    with pytest.raises(
        mc.NameProblem, match=r"the answer is the second derivative along v, not the Hessian"
    ):
        _ = mc.derive("x'*A*x", "x", order=2, along="v").hessian


TAKEN = [
    ("x'*A*x", "n"),
    ("x'*A*x", "A"),
    ("X[:,j]'*X[:,j] + x'*x", "j"),
    ("x'*A*x", "pi"),
    ("r = A*x; r'*r", "r"),
    ("x'*A*x", "tanh"),
]


@pytest.mark.parametrize(("text", "name"), TAKEN)
def test_a_direction_has_a_name_of_its_own(text: str, name: str) -> None:
    with pytest.raises(mc.NameProblem):
        mc.derive(text, "x", along=name)


def test_a_direction_has_one_shape() -> None:
    with pytest.raises(mc.OptionProblem, match="the direction 'v' would be m for x and m×n for A"):
        mc.derive("x'*A*y", along="v")
    assert str(mc.derive("x'*A*y", ["x", "y"], "A: n×n", along="v")["y"].result) == "x'*A*v"


def test_a_layout_is_obeyed_or_refused() -> None:
    for text, shapes, options in (
        ("tr(A*X*B*X)", "X: n×n", {"order": 2, "along": "V"}),
        ("tr(A*X*B*X)", "X: n×n", {"order": 2}),
        ("sum(exp(X))", "", {"order": 3, "along": "V"}),
    ):
        with pytest.raises(mc.OptionProblem, match="has no numerator layout"):
            mc.derive(text, "X", shapes, layout="numerator", **options)
    assert str(mc.derive("x'*A*x", "x", order=2, layout="numerator")) == "A + A'"
    assert str(mc.derive("A*x", "x", layout="numerator")) == "A"
    assert str(mc.derive("x'*x", "x", layout="numerator")) == "2*x'"


def test_an_order_is_a_number() -> None:
    for order in (True, 2.0, "2", 0, 7, None):
        with pytest.raises(mc.OptionProblem, match="orders are 1 to 6"):
            mc.derive("x'*x", "x", order=order)


def test_the_matrix_cookbook_convention() -> None:
    d = mc.derive("log(det(S))", "S", "S: n×n spd", symmetric="elements")
    assert str(d) == "2*inv(S) - diag(diag(inv(S)))"
    assert d.verification is not None
    assert d.verification.ok


def test_mixed_second_derivatives() -> None:
    first = mc.derive("x'*A*y + norm2(x)^2*norm2(y)^2", "x").gradient
    assert str(mc.derive(first, "y")) == "4*x*y' + A"


def test_a_function_of_ones_own_with_a_wrong_rule_is_refused() -> None:
    with pytest.raises(mc.WrongAnswer):
        mc.function("energy", meaning="sum(x.^2)", signature="ij->11", rule="3 x[i,j] dx[i,j]")
    with pytest.raises(mc.NameProblem, match="unknown function"):
        mc.parse("energy(x)")


def test_published_answers_that_run_long_come_out_short() -> None:
    one = mc.derive("y'*log(x*exp(t)/sum(exp(t)))-1/18*t'*t", "t", "x: m×n; y: m; t: n")
    two = mc.derive(
        "norm2(v*(p+B*-inv(B'*v'*v*B)*B'*v'*(v*p-w))-w)^2", "B", "v: m×n; B: n×q; p: n; w: m"
    )
    assert len(str(one.result)) <= 94
    assert len(str(two.result)) <= 94


LAYERS = 12
DEEP = (
    "; ".join(f"A{k + 1} = tanh(W{k}*A{k} + V{k})" for k in range(LAYERS))
    + f"; norm2(A{LAYERS} - Y)^2"
)


def test_many_gradients_are_verified_together() -> None:
    found = mc.derive(DEEP, [f"W{k}" for k in range(LAYERS)])
    verifications = {id(d.verification) for d in found.values()}
    assert len(verifications) == 1
    assert all(
        d.verification is not None and d.verification.ok and d.verification.exact
        for d in found.values()
    )
    alone = mc.derive(DEEP, "W3")
    assert alone.verification is not None
    assert alone.verification.ok
    assert str(alone.result) == str(found["W3"].result)


def test_many_gradients_of_which_one_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(functions.BY_NAME, "tanh", WRONG)
    with pytest.raises(mc.WrongAnswer):
        mc.derive(
            "sum(tanh(W0*x)) + " + " + ".join(f"sum(W{k})" for k in range(1, LAYERS)),
            [f"W{k}" for k in range(LAYERS)],
        )


@pytest.mark.parametrize(
    ("expression", "order", "answer"),
    [
        ("sum(exp(x).^2)", 3, "8*(exp(x).^2)[i]*I[i,j]*I[i,k]"),
        (
            "sum(sin(x.^2))",
            4,
            "(sin(x.^2).*(16*x.^4 - 12) - 48*x.^2.*cos(x.^2))[i]*I[i,j]*I[i,k]*I[i,l]",
        ),
        ("x'*diag(x)*exp(x)", 3, "(exp(x).*(x.*(x + 6) + 6))[i]*I[i,j]*I[i,k]"),
    ],
)
def test_what_works_entry_by_entry_has_one_term_at_every_order(
    expression: str, order: int, answer: str
) -> None:
    d = mc.derive(expression, "x", order=order)
    assert str(d) == answer
    assert d.verification


def test_terms_beside_different_identities_stay_apart() -> None:
    d = mc.derive("sum(x)^2*sum(x.^2)", "x", order=3)
    assert isinstance(d.result, mc.IndexForm)
    assert d.verification
    assert len(d.result.bag.terms) == 6


def test_a_long_answer_of_higher_order_does_not_grow_by_terms() -> None:
    program = typed("log1p(huber(h,0.5).^2)")
    (d,) = unverified(program, [program.variables["h"]], order=4)
    assert isinstance(d.result, mc.IndexForm)
    assert len(d.result.bag.terms) == 1
