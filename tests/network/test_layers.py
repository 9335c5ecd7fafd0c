"""Every layer against finite differences and against PyTorch, by input and by parameters, at
random shapes.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import matcalc as mc
from matcalc.network.layers import as_targets
from matcalc.network.maps import Im2col, Windows, adjoint_error

SMALL = settings(max_examples=15, deadline=None)
SIZE = st.integers(1, 5)
SEED = st.integers(0, 10**6)


def random_parameters(part, rng):
    """Parameters that no gradient can ignore."""
    for layer in part.layers():
        for a in layer.parameters.values():
            a[...] = rng.normal(size=a.shape)


def slopes(part, x, rng, h=1e-5):
    """Pairs of a derived and a measured directional derivative of ⟨output, G⟩, by the input and
    by each parameter.
    """
    g = rng.normal(size=part.propagate(x).shape)
    by_input = part.backpropagate(g).copy()
    found = [(x, by_input)] + [
        (layer.parameters[n], layer.gradients[n].copy())
        for layer in part.layers()
        for n in layer.parameters
    ]
    for a, gradient in found:
        assert gradient.shape == a.shape
        v, kept = rng.normal(size=a.shape), a.copy()

        def value(t, a=a, v=v, kept=kept):
            a[...] = kept + t * v
            return float((part.propagate(x) * g).sum())

        coarse, fine = ((value(s) - value(-s)) / (2 * s) for s in (h, h / 2))
        a[...] = kept
        yield float((gradient * v).sum()), (4 * fine - coarse) / 3


def assert_slopes(part, x, rng, tolerance=1e-7):
    x = np.array(x, dtype=float)
    part.propagate(x)
    random_parameters(part, rng)
    for derived, measured in slopes(part, x, rng):
        assert abs(derived - measured) <= tolerance * (1 + abs(measured))


DENSE = {
    "dense": lambda n: mc.FullyConnected(n, 3),
    "affine": lambda n: mc.AffineTransform(n, 1),
    "sigmoid": lambda n: mc.Sigmoid(),
    "tanh": lambda n: mc.Tanh(),
    "relu": lambda n: mc.ReLU(),
    "softplus": lambda n: mc.Softplus(),
    "softmax": lambda n: mc.Softmax(),
    "norm": lambda n: mc.LayerNorm(n, epsilon=0.1),
    "attention": lambda n: mc.Attention(n, 3),
    "residual": lambda n: mc.Residual(
        mc.Sequential([mc.FullyConnected(n, 4), mc.Tanh(), mc.FullyConnected(4, n)])
    ),
    "typed": lambda n: mc.Layer(
        "tanh(X*A)*B", shapes="X: m×n; A: n×p; B: p×q", sizes={"n": n, "p": 2, "q": 3}
    ),
}


@pytest.mark.parametrize("name", DENSE)
@SMALL
@given(m=SIZE, n=SIZE, seed=SEED)
def test_layers_of_rows(name, m, n, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(m, n))
    assert_slopes(DENSE[name](n), x + 1e-3 * np.sign(x), rng)


@SMALL
@given(m=st.integers(2, 5), n=SIZE, seed=SEED)
def test_graph_convolution(m, n, seed):
    rng = np.random.default_rng(seed)
    links = np.triu(rng.random((m, m)) > 0.5, 1).astype(float)
    assert_slopes(mc.GraphConvolution(links + links.T, n, 2), rng.normal(size=(m, n)), rng)


def test_dropout_keeps_its_mask_for_the_way_back():
    layer, x = mc.Dropout(0.4, seed=3), np.ones((50, 40))
    y = layer.propagate(x)
    np.testing.assert_array_equal(layer.backpropagate(x), y)
    assert set(np.unique(y)) == {0.0, 1 / 0.6}
    assert abs(y.mean() - 1) < 0.1
    layer.training = False
    np.testing.assert_array_equal(layer.propagate(x), x)


IMAGES = st.tuples(st.integers(1, 2), st.integers(3, 7), st.integers(3, 7), st.integers(1, 3))


@SMALL
@given(
    shape=IMAGES,
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    seed=SEED,
)
def test_convolution(shape, kernel, stride, padding, seed):
    rng = np.random.default_rng(seed)
    assert_slopes(mc.Conv2d(shape[3], 2, kernel, stride, padding), rng.normal(size=shape), rng)


@SMALL
@given(shape=IMAGES, kernel=st.integers(1, 3), stride=st.integers(1, 3), seed=SEED)
def test_pooling(shape, kernel, stride, seed):
    rng = np.random.default_rng(seed)
    x = rng.permutation(np.prod(shape)).reshape(shape) / 10  # no two entries are near each other
    for pool in (mc.MaxPool(kernel, stride), mc.AveragePool(kernel, stride)):
        assert_slopes(pool, x, rng)


def test_layers_of_rows_work_on_images():
    rng = np.random.default_rng(0)
    image = rng.normal(size=(2, 3, 4, 5))
    net = mc.Sequential(
        [mc.FullyConnected(5, 2), mc.Softmax(), mc.Flatten(), mc.FullyConnected(24, 3)]
    )
    assert_slopes(net, image, rng)
    assert mc.FullyConnected(5, 2).propagate(image[0, 0, 0]).shape == (2,)


@SMALL
@given(
    shape=IMAGES,
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    seed=SEED,
)
def test_the_adjoints_of_the_maps_are_exact(shape, kernel, stride, padding, seed):
    assert adjoint_error(Im2col(kernel, stride, padding), shape, seed) == 0
    assert adjoint_error(Windows(kernel, stride), shape, seed) == 0
    assert adjoint_error(mc.Flatten(), shape, seed) == 0


def test_a_wrong_adjoint_is_noticed():
    class Wrong(Im2col):
        def backpropagate(self, output_diff):
            return 2 * super().backpropagate(output_diff)

    assert adjoint_error(Wrong(2), (1, 4, 4, 1)) > 0


# ---- the interface -------------------------------------------------------------------------------


def test_the_classic_interface():
    layer = mc.FullyConnected(3, 2, seed=4)
    layer.input = np.ones((4, 3))
    layer.propagate()
    layer.output_diff = np.ones((4, 2))
    layer.backpropagate()
    np.testing.assert_allclose(layer.input_diff, np.ones((4, 2)) @ layer.parameters["W"])
    before = layer.parameters["W"].copy()
    layer.update(0.5)
    np.testing.assert_allclose(layer.parameters["W"], before - 0.5 * layer.gradients["W"])
    layer.update(mc.SGD(0.1))


def test_equal_layers_are_derived_once():
    assert mc.FullyConnected(3, 4).rule is mc.FullyConnected(50, 60).rule


def test_every_layer_is_verified():
    parts = [make(4) for make in DENSE.values()] + [
        mc.Dropout(),
        mc.Conv2d(1, 1),
        mc.MaxPool(),
        mc.AveragePool(),
        mc.L2(1.0),
    ]
    parts += [mc.MSE(), mc.CrossEntropy(), mc.Hinge(), mc.Loss("squared"), mc.Loss("logistic")]
    for part in parts:
        for layer in part.layers():
            assert all(d.verification.ok for d in layer.derivations.values()), layer.expression


def test_the_derived_formulas_are_the_textbooks():
    assert {n: str(d) for n, d in mc.FullyConnected(1, 1).derivations.items()} == {
        "W": "G'*X",
        "b": "G'*ones(m)",
        "X": "G*W",
    }
    assert {n: str(d) for n, d in mc.Conv2d(1, 1).derivations.items()} == {
        "K": "P'*G",
        "b": "G'*ones(m)",
        "P": "G*K'",
    }
    assert str(mc.CrossEntropy().derivations["Z"]) == "(softmax_rows(Z) - Y)/m"
    assert str(mc.L2(1.0).derivations["W"]) == "c*W"


def test_a_wrong_width_is_said():
    with pytest.raises(mc.ShapeProblem, match=r"X has shape \(4, 5\).*n = 3|W.*has shape"):
        mc.FullyConnected(3, 2).propagate(np.ones((4, 5)))


def test_the_input_must_occur():
    with pytest.raises(mc.NameProblem, match="the input 'X' is not in the expression"):
        mc.Layer("Z*W")
    with pytest.raises(mc.NameProblem, match="G is the gradient"):
        mc.Layer("X*G")


# ---- losses --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mse", "squared", "cross_entropy", "hinge", "logistic"])
def test_losses_against_differences(name):
    rng = np.random.default_rng(7)
    loss, z = mc.Loss(name), rng.normal(size=(4, 3))
    y = np.sign(rng.normal(size=(4, 3))) if name == "hinge" else np.eye(3)[[0, 2, 1, 1]]
    loss.propagate(z, y)
    gradient, v, h = loss.backpropagate(), rng.normal(size=z.shape), 1e-6
    measured = (loss.propagate(z + h * v, y) - loss.propagate(z - h * v, y)) / (2 * h)
    assert abs((gradient * v).sum() - measured) < 1e-8


def test_cross_entropy_is_stable_at_large_logits():
    z = np.array([[1000.0, -1000.0, 0.0], [-1000.0, 1000.0, 1000.0]])
    loss = mc.CrossEntropy()
    value = loss.propagate(z, np.array([0, 0]))
    np.testing.assert_allclose(value, (0 + 2000 + np.log(2)) / 2)
    np.testing.assert_allclose(
        loss.backpropagate(), np.array([[0, 0, 0], [-1, 0.5, 0.5]]) / 2, atol=1e-300
    )


def test_targets():
    np.testing.assert_array_equal(as_targets(np.array([1, 0]), np.zeros((2, 2))), [[0, 1], [1, 0]])
    np.testing.assert_array_equal(as_targets(np.array([1.0, 2.0]), np.zeros((2, 1))), [[1], [2]])
    assert mc.Hinge().propagate(np.zeros((1, 2)), np.array([0])) == 2


def test_unknown_names_are_said():
    with pytest.raises(mc.OptionProblem, match="did you mean cross_entropy"):
        mc.Loss("cross_entropi")
    with pytest.raises(mc.OptionProblem, match="did you mean relu"):
        mc.Network("3-4-2", activation="rellu")


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (
            lambda: mc.Layer("A*X*W", shapes="A: p×m", sizes={"k": 2}).propagate(np.ones((3, 4))),
            "the size p of A",
        ),
        (lambda: mc.FullyConnected(3, 2).backpropagate(np.ones((1, 2))), "propagate first"),
        (lambda: mc.MaxPool(5).propagate(np.ones((1, 4, 4, 1))), "windows of 5×5 in images of 4×4"),
        (
            lambda: mc.Conv2d(1, 1, method="fft").propagate(np.ones((1, 2, 2, 1))),
            "windows of 3×3 in images of 2×2",
        ),
        (lambda: mc.Conv2d(1, 1).propagate(np.ones((4, 4))), "they are arrays"),
        (lambda: mc.Conv2d(2, 1).propagate(np.ones((1, 4, 4, 1))), "P has shape|K has shape"),
        (
            lambda: mc.CrossEntropy().propagate(np.ones((2, 3)), np.array([0, 3])),
            "classes count from 0",
        ),
        (lambda: mc.MSE().propagate(np.ones((2, 3)), np.ones((2, 2))), "one target for each entry"),
        (
            lambda: mc.Network("3-2").fit(np.ones((4, 3)), np.ones(5, int)),
            "4 samples and 5 targets",
        ),
        (
            lambda: mc.Network("3-2", loss="squared").fit(
                np.full((4, 3), 1e200), np.ones((4, 2)), optimizer="sgd"
            ),
            "the loss is",
        ),
    ],
)
def test_misuse_is_said(run, words):
    with np.errstate(all="ignore"), pytest.raises(mc.MatcalcError, match=words):
        run()
