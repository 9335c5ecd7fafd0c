"""The class of an error says what kind of thing went wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import matcalc as mc
from matcalc.errors import whole_number
from matcalc.network.module import source

X = np.eye(2)
LOSS = "norm2(X*w - y)^2"
SQUARE = "sum(x.^2)"

RAISED: dict[type[mc.MatcalcError], list[Callable[[], Any]]] = {
    mc.SyntaxProblem: [
        lambda: mc.parse("x +"),
        lambda: mc.function("mine", meaning="x", signature="ij", rule="dx[i,j]"),
    ],
    mc.NameProblem: [
        lambda: mc.parse("f(x)"),
        lambda: mc.parse("sin(x, y)"),
        lambda: mc.parse("x", "sin: n"),
        lambda: mc.derive("5"),
        lambda: mc.derive("x'*x", "y"),
        lambda: mc.derive("x'*x", "x").hessian,
        lambda: mc.derive("x'*x", "x", along="x"),
        lambda: mc.check("x'*x", "x", "2*z"),
        lambda: mc.remove_function("nothing"),
        lambda: mc.function("x", meaning="x", rule="dx[i,j]"),
        lambda: mc.minimize(SQUARE, "x", shapes="x: 2", start={"z": X}),
        lambda: mc.minimize(SQUARE, "x", shapes="x: 2", bounds={"z": (0, 1)}),
        lambda: mc.Layer("W*x", input="z"),
        lambda: mc.Network("2-2").load({"7.W": X}),
    ],
    mc.Unsupported: [
        lambda: mc.minimize(SQUARE, "x", shapes="x: 2", method="cg", bounds=(0, 1)),
        lambda: mc.minimize("sum(Q)", "Q", shapes="Q: 2×2 orthogonal"),
        lambda: mc.parse("x'*x").compile(target="torch", reuse=True),
        lambda: mc.Network([mc.MaxPool(2), mc.Flatten(), mc.FullyConnected(4, 2)]).recursion,
    ],
    mc.OptionProblem: [
        lambda: mc.derive("x'*x", "x", order=0),
        lambda: mc.derive("x'*x", "x", layout="rows"),
        lambda: mc.derive("x'*x", "x", symmetric="both"),
        lambda: mc.derive("x'*A*x", ["x", "A"], along="v"),
        lambda: mc.derive("norm2(X)^2", "X", order=2, layout="numerator"),
        lambda: mc.derive("x'*x", "x").check(-1),
        lambda: mc.parse("x'*x").compile(target="fortran"),
        lambda: mc.minimize(SQUARE, "x", shapes="x: 2", method="newton"),
        lambda: mc.minimize(SQUARE, "x", shapes="x: 2", rate=0.0),
        lambda: mc.minimize(SQUARE, "x", shapes="x: 2", tolerance=-1.0),
        lambda: mc.minimize(LOSS, ["X", "w"], {"y": X[0]}, start=X),
        lambda: mc.Limits(seconds=-1.0),
        lambda: mc.Network("2-2", loss="crossentropy"),
        lambda: mc.Network("2-2", seed=-1),
        lambda: mc.Dropout(1.5),
        lambda: mc.Conv2d(1, 2, method="fourier"),
        lambda: mc.Activation("tahn"),
        lambda: source(mc.Network("2-2"), "fortran"),
        lambda: whole_number(-1, "patience"),
        lambda: mc.function("mine"),
    ],
    mc.MissingData: [
        lambda: mc.derive(LOSS, "w").compile()(X=X, w=X[0]),
        lambda: mc.minimize(LOSS, "w", {"X": X}),
        lambda: mc.minimize(SQUARE, "x"),
        lambda: mc.value_and_grad(LOSS, "w", {"X": X}),
        lambda: mc.FullyConnected(2, 2).backpropagate(),
        lambda: mc.Layer("W*x", input="x", shapes="W: k×n; x: n").propagate(X[0]),
    ],
    mc.ShapeProblem: [lambda: mc.parse("X + y", "X: m×n; y: n")],
    mc.NoMatrixForm: [lambda: mc.derive("x'*x", "x").kronecker()],
    mc.NotSeparable: [lambda: mc.distribute("logsumexp(X*w)", "w", rows="m", shapes="X: m×n")],
    mc.NotDifferentiable: [lambda: mc.derive("sum(expm(X))", "X", order=2)],
}
CASES = [(error, call) for error, calls in RAISED.items() for call in calls]


@pytest.mark.parametrize(("error", "call"), CASES)
def test_the_class_says_what_kind_of_thing_went_wrong(
    error: type[mc.MatcalcError], call: Callable[[], Any]
) -> None:
    with pytest.raises(mc.MatcalcError) as caught:
        call()
    assert caught.type is error, caught.value


def test_code_that_catches_the_older_class_still_does() -> None:
    for error in (mc.Unsupported, mc.OptionProblem, mc.MissingData):
        assert issubclass(error, mc.NameProblem)
