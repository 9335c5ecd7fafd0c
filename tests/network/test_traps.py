"""Traps of networks: what trains silently wrong elsewhere is right here, or refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import matcalc as mc
from matcalc.cli import main
from matcalc.network import Recursion

RNG = np.random.default_rng(3)
X = RNG.normal(size=(12, 5))
CLASSES = RNG.integers(0, 3, 12)


def slopes(net: mc.Network, x: Any, y: Any) -> None:
    """The derived gradients of a network against differences of its value."""
    value, gradients = net.value_and_gradients(x, y)
    np.testing.assert_allclose(value, net.value(x, y))
    for name, a in net.parameters_by_name().items():
        along = np.random.default_rng(1).normal(size=a.shape)
        start, ends = a.copy(), []
        for h in (1e-6, -1e-6):
            a[...] = start + h * along
            ends.append(net.value(x, y))
        a[...] = start
        slope = (gradients[name] * along).sum()
        assert abs((ends[0] - ends[1]) / 2e-6 - slope) < 1e-7 * (1 + abs(slope)), name


# ---- an output and a loss that both normalise ----------------------------------------------------

OWN = [
    ("cross_entropy", "softmax", CLASSES, 3),
    ("logistic", "sigmoid", (CLASSES > 0).astype(float), 1),
]


@pytest.mark.parametrize(("loss", "output", "targets", "k"), OWN)
def test_the_activation_that_a_loss_contains_is_applied_once(
    loss: str, output: str, targets: Any, k: int
) -> None:
    plain = mc.Network(f"5-4-{k}", loss=loss, seed=2)
    shown = mc.Network(f"5-4-{k}", loss=loss, output=output, seed=2)
    assert shown.value(X, targets) == plain.value(X, targets)
    slopes(shown, X, targets)
    z = plain.predict(X)
    expected = mc.Activation(output).propagate(z)
    np.testing.assert_allclose(shown.predict(X), expected)
    assert shown.accuracy(X, CLASSES if k > 1 else targets) == plain.accuracy(
        X, CLASSES if k > 1 else targets
    )


@pytest.mark.parametrize(("loss", "output", "targets", "k"), OWN)
def test_it_is_applied_once_in_a_list_of_layers(
    loss: str, output: str, targets: Any, k: int
) -> None:
    layers = [mc.FullyConnected(5, k, seed=1)]
    activation = mc.Softmax() if output == "softmax" else mc.Sigmoid()
    plain = mc.Network(layers, loss=loss)
    shown = mc.Network([*layers, activation], loss=loss)
    assert shown.value(X, targets) == plain.value(X, targets)
    nested = mc.Network([mc.Sequential([*layers, activation])], loss=loss)
    assert nested.value(X, targets) == plain.value(X, targets)
    by_object = mc.Network([*layers, activation], loss=mc.Loss(loss))
    assert by_object.value(X, targets) == plain.value(X, targets)
    slopes(shown, X, targets)


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize(("loss", "output"), [(loss, output) for loss, output, _, _ in OWN])
def test_the_recursion_applies_it_once(loss: str, output: str, batch: bool) -> None:
    plain, shown = (Recursion([5, 4, 3], "tanh", loss, o, batch) for o in ("linear", output))
    assert [str(line) for line in shown.lines] == [str(line) for line in plain.lines]
    assert shown.verified
    assert shown.forward[-1] == plain.forward[-1]
    assert f"= {output}" in shown.forward[-2]


def test_the_command_applies_it_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["network", "5-4-3", "--output", "softmax"]) == 0
    assert "δ(3) = softmax(z(3)) - y " in capsys.readouterr().out


@pytest.mark.parametrize("target", ["numpy"])
def test_the_written_program_applies_it_once(target: str) -> None:
    plain, shown = (mc.Network("5-4-3", output=o, seed=2) for o in ("linear", "softmax"))
    spaces: list[dict[str, Any]] = [{}, {}]
    for space, net in zip(spaces, (plain, shown), strict=True):
        exec(net.source(target), space)
    y = np.eye(3)[CLASSES]
    (a, g), (b, h) = (
        s["value_and_gradients"](net.parameters_by_name(), X, y)
        for s, net in zip(spaces, (plain, shown), strict=True)
    )
    assert a == b
    for name in g:
        np.testing.assert_array_equal(g[name], h[name])
    np.testing.assert_allclose(
        spaces[1]["forward"](shown.parameters_by_name(), X), shown.predict(X)
    )


@pytest.mark.parametrize(
    ("loss", "output"), [("cross_entropy", "sigmoid"), ("logistic", "softmax")]
)
def test_a_loss_of_another_activation_is_refused(loss: str, output: str) -> None:
    with pytest.raises(mc.MatcalcError, match=f"{loss} is of .* output is {output} already"):
        mc.Network("5-4-3", loss=loss, output=output)
    with pytest.raises(mc.MatcalcError, match="already"):
        mc.Network([mc.FullyConnected(5, 3), mc.Activation(output)], loss=loss)
    with pytest.raises(mc.MatcalcError, match="already"):
        Recursion([5, 3], loss=loss, output=output)


def test_the_accuracy_of_one_output_is_that_of_its_activation() -> None:
    y = (X[:, 0] > 0).astype(int)
    net = mc.Network("5-1", loss="squared", output="sigmoid", seed=1)
    net.fit(X, y, epochs=300, rate=0.1)
    assert net.accuracy(X, y) >= 0.9
    signs = mc.Network("5-1", loss="hinge", seed=1)
    signs.fit(X, 2.0 * y - 1, epochs=200, rate=0.1)
    assert signs.accuracy(X, 2 * y - 1) == signs.accuracy(X, y) >= 0.9


# ---- seeds ---------------------------------------------------------------------------------------


def layers() -> list[Any]:
    inner = mc.Sequential([mc.FullyConnected(4, 4), mc.Tanh()])
    return [
        mc.FullyConnected(4, 4),
        mc.Tanh(),
        mc.FullyConnected(4, 4),
        mc.Residual(inner),
        mc.Attention(4, 4),
        mc.Layer("X*A", shapes="A: n×n", sizes={"n": 4}),
        mc.Layer("X*A", shapes="A: n×n"),
        mc.FullyConnected(4, 4),
    ]


def matrices(net: mc.Network) -> list[Any]:
    net.predict(np.ones((3, 4)))
    return [a for a in net.parameters_by_name().values() if a.ndim == 2]


def test_equal_layers_of_a_list_start_with_different_weights() -> None:
    found = matrices(mc.Network(layers()))
    assert len(found) == 9
    for i, a in enumerate(found):
        assert not any(np.array_equal(a, b) for b in found[:i])


def test_the_seed_of_a_network_is_that_of_its_layers() -> None:
    for a, b, c in zip(*(matrices(mc.Network(layers(), seed=s)) for s in (7, 7, 8)), strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)


def test_given_seeds_and_weights_stay() -> None:
    seeded, trained = mc.FullyConnected(4, 4, seed=0), mc.FullyConnected(4, 4)
    weights = seeded.parameters["W"].copy()
    trained.parameters["W"] += 1
    kept = trained.parameters["W"].copy()
    given = mc.FullyConnected(4, 4, start={"W": np.eye(4), "b": np.zeros(4)})
    mc.Network([seeded, trained, given], seed=7)
    np.testing.assert_array_equal(seeded.parameters["W"], weights)
    np.testing.assert_array_equal(trained.parameters["W"], kept)
    np.testing.assert_array_equal(given.parameters["W"], np.eye(4))


def test_two_dropouts_have_two_masks() -> None:
    def masks(**options: Any) -> list[Any]:
        first, second = mc.Dropout(0.5), mc.Dropout(0.5)
        mc.Network([first, second], **options)
        return [layer.propagate(np.ones((40, 5))) for layer in (first, second)]

    first, second = masks()
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(masks(seed=3)[0], masks(seed=3)[0])
    assert not np.array_equal(masks(seed=3)[0], masks(seed=4)[0])
    own = mc.Dropout(0.5, seed=9)
    expected = mc.Dropout(0.5, seed=9).propagate(np.ones((40, 5)))
    mc.Network([own])
    np.testing.assert_array_equal(own.propagate(np.ones((40, 5))), expected)


def test_one_layer_in_two_places_is_refused() -> None:
    shared = mc.ReLU()
    with pytest.raises(mc.MatcalcError, match="one ReLU stands twice"):
        mc.Network([mc.FullyConnected(3, 3), shared, mc.FullyConnected(3, 3), shared])
    dense = mc.FullyConnected(3, 3)
    with pytest.raises(mc.MatcalcError, match="FullyConnected stands twice"):
        mc.Sequential([dense, mc.Residual(mc.Sequential([dense]))])


# ---- sequences in a batch ------------------------------------------------------------------------

COUPLED = {
    "attention": lambda: mc.Attention(3, 2, seed=1),
    "a graph": lambda: mc.GraphConvolution(np.ones((4, 4)) - np.eye(4), 3, 2, seed=1),
    "a layer of one's own": lambda: mc.Layer(
        "softmax_rows(X*X')*X*A", shapes="X: m×n; A: n×k", sizes={"n": 3, "k": 2}, seed=1
    ),
    "the mean of all rows": lambda: mc.Layer(
        "X*A - ones(m)*(ones(m)'*X*A)/m", shapes="X: m×n; A: n×k", sizes={"n": 3, "k": 2}, seed=1
    ),
}


@pytest.mark.parametrize("name", COUPLED)
def test_sequences_of_a_batch_do_not_see_each_other(name: str) -> None:
    sequences = RNG.normal(size=(5, 4, 3))
    together = COUPLED[name]()
    y = together.propagate(sequences)
    assert y.shape == (5, 4, 2)
    g = RNG.normal(size=y.shape)
    dx = together.backpropagate(g)
    sums: dict[str, Any] = {}
    for k in range(5):
        alone = COUPLED[name]()
        np.testing.assert_allclose(y[k], alone.propagate(sequences[k]), atol=1e-14)
        np.testing.assert_allclose(dx[k], alone.backpropagate(g[k]), atol=1e-14)
        for n, a in alone.gradients.items():
            sums[n] = sums.get(n, 0) + a
    for n, a in together.gradients.items():
        np.testing.assert_allclose(a, sums[n], atol=1e-13)


def test_a_network_with_attention_trains_on_a_batch_of_sequences() -> None:
    sequences = RNG.normal(size=(6, 4, 3))
    block = mc.Residual(mc.Attention(3, 3))
    net = mc.Network([block, mc.LayerNorm(3), mc.Flatten(), mc.FullyConnected(12, 2)])
    slopes(net, sequences, np.array([0, 1, 1, 0, 1, 0]))
    changed = sequences.copy()
    changed[0] += 1
    np.testing.assert_allclose(net.predict(sequences)[1:], net.predict(changed)[1:])


# ---- one letter for one size ---------------------------------------------------------------------


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("loss", ["mse", "squared", "cross_entropy", "hinge", "logistic"])
def test_the_sizes_of_a_loss_are_called_alike_in_both_passes(loss: str, batch: bool) -> None:
    recursion = Recursion([5, 4, 3], loss=loss, batch=batch)
    forward, top = recursion.forward[-1], str(recursion.lines[0])
    for letter in "nk":
        assert letter not in set(
            "".join(c if c.isalnum() else " " for c in f"{forward} {top}").split()
        )
    if loss == "mse":
        assert "3" in forward.replace("(3)", "")
        assert "3" in top.replace("(3)", "")


def test_a_shape_that_samples_do_not_fill_is_refused() -> None:
    with pytest.raises(mc.ShapeProblem, match="as many entries"):
        mc.Flatten(5).propagate(np.zeros((2, 3)))


def test_a_step_is_a_rate_or_an_optimizer() -> None:
    layer = mc.FullyConnected(3, 2)
    with pytest.raises(TypeError, match="a rate or an optimizer"):
        layer.update("adam")  # type: ignore[arg-type]
