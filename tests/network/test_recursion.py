"""The printed recursion equals the textbook's formulas, and the textbook's formulas equal
differences of numbers.
"""

import re
import time

import numpy as np
import pytest

import matcalc as mc
from matcalc.network.vocabulary import ACTIVATIONS, LOSSES, SHARES


def lines(*arguments, **options):
    return [str(line) for line in mc.Recursion(*arguments, **options).lines]


def test_one_sample_as_a_column():
    assert lines([784, 128, 64, 10], "sigmoid") == [
        "δ(4) = softmax(z(4)) - y",
        "∂J/∂W(3) = δ(4)*a(3)'",
        "∂J/∂b(3) = δ(4)",
        "δ(3) = (W(3)'*δ(4)).*sigmoid(z(3)).*(1 - sigmoid(z(3)))",
        "∂J/∂W(2) = δ(3)*a(2)'",
        "∂J/∂b(2) = δ(3)",
        "δ(2) = (W(2)'*δ(3)).*sigmoid(z(2)).*(1 - sigmoid(z(2)))",
        "∂J/∂W(1) = δ(2)*a(1)'",
        "∂J/∂b(1) = δ(2)",
    ]


def test_a_batch_as_rows():
    assert lines([5, 4, 3], "relu", batch=True) == [
        "Δ(3) = (softmax_rows(Z(3)) - Y)/m",
        "∂J/∂W(2) = Δ(3)'*A(2)",
        "∂J/∂b(2) = Δ(3)'*ones(m)",
        "Δ(2) = (Δ(3)*W(2)).*step(Z(2))",
        "∂J/∂W(1) = Δ(2)'*A(1)",
        "∂J/∂b(1) = Δ(2)'*ones(m)",
    ]


def test_the_forward_pass():
    assert mc.Recursion([3, 4, 2], "tanh", "squared").forward == [
        "a(1) = x",
        "z(2) = W(1)*a(1) + b(1)",
        "a(2) = tanh(z(2))",
        "z(3) = W(2)*a(2) + b(2)",
        "J = norm2(z(3) - y)^2/2",
    ]


@pytest.mark.parametrize(
    ("loss", "output", "top"),
    [
        ("squared", "linear", "z(2) - y"),
        ("squared", "sigmoid", "sigmoid(z(2)).*(1 - sigmoid(z(2))).*(sigmoid(z(2)) - y)"),
        ("cross_entropy", "linear", "softmax(z(2)) - y"),
        ("logistic", "linear", "sigmoid(z(2)) - y"),
        ("hinge", "linear", "-y.*step(1 - y.*z(2))"),
    ],
)
def test_the_top_delta(loss, output, top):
    assert lines([3, 2], "relu", loss, output)[0] == f"δ(2) = {top}"


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_line_is_verified(activation, loss, batch):
    # refused as an output
    other = activation in SHARES and LOSSES[loss].contains not in ("", activation)
    assert mc.Recursion(
        [3, 4, 2], activation, loss, "linear" if other else activation, batch
    ).verified


def test_scalars_and_shapes():
    rows = {line.name: line for line in mc.Recursion([784, 128, 10]).lines}
    assert rows["δ(3)"].scalar == "softmax(z) - y"
    assert rows["∂J/∂W(2)"].scalar == "δ · a"
    assert rows["∂J/∂W(2)"].arrangement == "10, 128 → 10×128"
    assert rows["δ(2)"].scalar == "δ · W · step(z)"
    assert rows["δ(2)"].arrangement == "10, 10×128, 128 → 128"


def test_the_explanation_says_that_the_product_sums_over_the_batch():
    shown = mc.Recursion([3, 4, 2], batch=True).explain()
    assert shown.count("the summed axis is the sample") == 2  # for W and for b
    assert "Step 1   the scalar chain rule" in shown and "Check    verified" in shown
    assert "the summed axis" not in mc.Recursion([3, 4, 2]).explain()


def test_latex():
    shown = mc.Recursion([3, 4, 2]).latex()
    assert r"\delta_{3} &= \operatorname{softmax}\left(z_{3}\right) - y" in shown
    assert r"\frac{\partial J}{\partial W_{1}} &= \delta_{2}a_{1}^{\top}" in shown


def test_the_recursion_is_the_gradient_of_the_whole_network():
    """The lines, evaluated one after another as NumPy text, against the gradient of the network
    as one expression.
    """
    rng = np.random.default_rng(0)
    values = {
        "W1": rng.normal(size=(4, 3)),
        "b1": rng.normal(size=4),
        "W2": rng.normal(size=(2, 4)),
        "b2": rng.normal(size=2),
    }
    x, y = rng.normal(size=3), rng.normal(size=2)
    whole = "norm2(W2*tanh(W1*x + b1) + b2 - y)^2/2"
    gradients = mc.derive(whole, ["W1", "b1", "W2", "b2"], "b1: p; b2: q").compile("numpy")(
        x=x, y=y, **values
    )
    z2 = values["W1"] @ x + values["b1"]
    a2 = np.tanh(z2)
    at = {
        "x": x,
        "y": y,
        "a1": x,
        "z2": z2,
        "a2": a2,
        "z3": values["W2"] @ a2 + values["b2"],
        **values,
    }
    for line in mc.Recursion([3, 4, 2], "tanh", "squared").lines:
        name, right = (re.sub(r"\((\d)\)", r"\1", part) for part in str(line).split(" = "))
        known = {
            n: "×".join(map(str, a.shape)) for n, a in at.items() if re.search(rf"\b{n}\b", right)
        }
        at[name.removeprefix("∂J/∂") if name.startswith("δ") else f"d{name[4:]}"] = mc.parse(
            right, known
        ).compile("numpy")(**at)
    for name, expected in zip(("W1", "b1", "W2", "b2"), gradients, strict=True):
        np.testing.assert_allclose(at[f"d{name}"], expected)


def test_deep_networks_cost_in_proportion():
    def seconds(layers):
        start = time.perf_counter()
        assert len(str(mc.Recursion([10] * (layers + 1))).splitlines()) > 4 * layers
        return time.perf_counter() - start

    seconds(20)
    assert min(seconds(1000) for _ in range(2)) < 20 * min(seconds(200) for _ in range(2))


def test_a_network_needs_two_widths():
    for wrong in ("7", "7-x", "7-0-3", [5]):
        with pytest.raises(mc.ShapeProblem):
            mc.Network(wrong)


# ---- the command ---------------------------------------------------------------------------------


def run(capsys, *arguments):
    from matcalc.cli import main

    status = main(["network", *arguments])
    return status, *capsys.readouterr()


def test_the_command_prints_the_recursion(capsys):
    status, out, err = run(
        capsys, "784-128-64-10", "--activation", "relu", "--loss", "cross_entropy"
    )
    assert status == 0
    assert "δ(3) = (W(3)'*δ(4)).*step(z(3))" in out
    assert err.startswith("verified: 9 lines from 4 derivations")


def test_the_command_in_other_forms(capsys):
    assert r"\begin{align*}" in run(capsys, "4-3-2", "--to", "latex")[1]
    assert "Step 2" in run(capsys, "4", "3", "2", "--batch", "--explain")[1]
    assert "def value_and_gradients" in run(capsys, "4-3-2", "--to", "numpy")[1]


def test_the_command_says_what_is_wrong(capsys):
    status, _, err = run(capsys, "4-x-2")
    assert (
        status == 2
        and err
        == "matcalc: 'x' is not a width — write the widths of the layers, such as 784-128-10\n"
    )
