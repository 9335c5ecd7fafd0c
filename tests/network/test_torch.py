"""The layers and the training steps against PyTorch in double precision."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import matcalc as mc

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # the arrays are small
SMALL = settings(max_examples=10, deadline=None)
SEED = st.integers(0, 10**6)
EXACT = {"rtol": 1e-10, "atol": 1e-10}


def leaf(a):
    return torch.tensor(np.asarray(a), dtype=torch.float64, requires_grad=True)


def to_torch(images):
    return leaf(np.transpose(images, (0, 3, 1, 2)))


def from_torch(t):
    return np.transpose(t.detach().numpy(), (0, 2, 3, 1))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (mc.Sigmoid, torch.sigmoid),
        (mc.Tanh, torch.tanh),
        (mc.ReLU, torch.relu),
        (mc.Softplus, torch.nn.functional.softplus),
        (mc.Softmax, lambda z: torch.softmax(z, 1)),
    ],
    ids=["sigmoid", "tanh", "relu", "softplus", "softmax"],
)
@SMALL
@given(m=st.integers(1, 5), n=st.integers(1, 5), seed=SEED)
def test_activations(ours, theirs, m, n, seed):
    rng = np.random.default_rng(seed)
    z, g = rng.normal(size=(m, n)), rng.normal(size=(m, n))
    layer, t = ours(), leaf(z)
    out = theirs(t)
    out.backward(torch.tensor(g))
    np.testing.assert_allclose(layer.propagate(z), out.detach().numpy(), **EXACT)
    np.testing.assert_allclose(layer.backpropagate(g), t.grad.numpy(), **EXACT)


@SMALL
@given(m=st.integers(1, 5), n=st.integers(2, 6), seed=SEED)
def test_dense_and_layer_norm(m, n, seed):
    rng = np.random.default_rng(seed)
    x, w, b, g = (rng.normal(size=s) for s in ((m, n), (3, n), 3, (m, 3)))
    layer = mc.FullyConnected(n, 3, start={"W": w, "b": b})
    t, tw, tb = leaf(x), leaf(w), leaf(b)
    out = torch.nn.functional.linear(t, tw, tb)
    out.backward(torch.tensor(g))
    np.testing.assert_allclose(layer.propagate(x), out.detach().numpy(), **EXACT)
    np.testing.assert_allclose(layer.backpropagate(g), t.grad.numpy(), **EXACT)
    np.testing.assert_allclose(layer.gradients["W"], tw.grad.numpy(), **EXACT)
    np.testing.assert_allclose(layer.gradients["b"], tb.grad.numpy(), **EXACT)
    # no row is nearly constant, or the layer divides by almost nothing
    x = rng.uniform(-1, 1, (m, n)) + 3 * np.arange(n)
    norm, t, tw, tb, g = mc.LayerNorm(n), leaf(x), leaf(w[0]), leaf(w[1]), rng.normal(size=(m, n))
    norm.parameters = {"w": w[0], "b": w[1]}
    torch.nn.functional.layer_norm(t, (n,), tw, tb, 1e-5).backward(torch.tensor(g))
    norm.propagate(x)
    np.testing.assert_allclose(norm.backpropagate(g), t.grad.numpy(), **EXACT)
    np.testing.assert_allclose(norm.gradients["w"], tw.grad.numpy(), **EXACT)
    np.testing.assert_allclose(norm.gradients["b"], tb.grad.numpy(), **EXACT)


@pytest.mark.parametrize("method", ["im2col", "fft"])
@SMALL
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(3, 8), st.integers(3, 8), st.integers(1, 3)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    seed=SEED,
)
def test_convolution(method, shape, kernel, stride, padding, seed):
    rng = np.random.default_rng(seed)
    x, k, b = rng.normal(size=shape), rng.normal(size=(*kernel, shape[3], 2)), rng.normal(size=2)
    layer = mc.Conv2d(
        shape[3], 2, kernel, stride, padding, start={"K": k.reshape(-1, 2), "b": b}, method=method
    )
    t, tk, tb = to_torch(x), leaf(k.transpose(3, 2, 0, 1)), leaf(b)
    out = torch.nn.functional.conv2d(t, tk, tb, stride, padding)
    y = layer.propagate(x)
    g = rng.normal(size=y.shape)
    out.backward(torch.tensor(g.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(y, from_torch(out), **EXACT)
    np.testing.assert_allclose(layer.backpropagate(g), from_torch(t.grad), **EXACT)
    np.testing.assert_allclose(
        layer.gradients["K"], tk.grad.numpy().transpose(2, 3, 1, 0).reshape(-1, 2), **EXACT
    )
    np.testing.assert_allclose(layer.gradients["b"], tb.grad.numpy(), **EXACT)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (mc.MaxPool, torch.nn.functional.max_pool2d),
        (mc.AveragePool, torch.nn.functional.avg_pool2d),
    ],
    ids=["max", "average"],
)
@SMALL
@given(
    size=st.tuples(st.integers(3, 8), st.integers(3, 8)),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    seed=SEED,
    ties=st.booleans(),
)
def test_pooling(ours, theirs, size, kernel, stride, seed, ties):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, *size, 3)).round(0 if ties else 9)
    layer, t = ours(kernel, stride), to_torch(x)
    y, out = layer.propagate(x), theirs(t, kernel, stride)
    g = rng.normal(size=y.shape)
    out.backward(torch.tensor(g.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(y, from_torch(out), **EXACT)
    np.testing.assert_allclose(layer.backpropagate(g), from_torch(t.grad), **EXACT)


@SMALL
@given(m=st.integers(2, 5), n=st.integers(1, 4), seed=SEED)
def test_attention(m, n, seed):
    rng = np.random.default_rng(seed)
    x, q, k, v, g = (rng.normal(size=s) for s in ((m, n), (n, 3), (n, 3), (n, 3), (m, 3)))
    layer = mc.Attention(n, 3)
    layer.parameters = {"Q": q, "K": k, "V": v}
    t, tq, tk, tv = map(leaf, (x, q, k, v))
    torch.nn.functional.scaled_dot_product_attention(t @ tq, t @ tk, t @ tv).backward(
        torch.tensor(g)
    )
    layer.propagate(x)
    np.testing.assert_allclose(layer.backpropagate(g), t.grad.numpy(), **EXACT)
    for name, theirs in (("Q", tq), ("K", tk), ("V", tv)):
        np.testing.assert_allclose(layer.gradients[name], theirs.grad.numpy(), **EXACT)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("mse", torch.nn.functional.mse_loss),
        ("cross_entropy", torch.nn.functional.cross_entropy),
        (
            "logistic",
            lambda z, y: (
                torch.nn.functional.binary_cross_entropy_with_logits(z, y, reduction="sum") / len(z)
            ),
        ),
    ],
    ids=["mse", "cross_entropy", "logistic"],
)
@pytest.mark.parametrize("scale", [1, 1000])
def test_losses(name, theirs, scale):
    rng = np.random.default_rng(3)
    z, y = rng.normal(size=(5, 4)) * scale, np.eye(4)[rng.integers(0, 4, 5)]
    loss, t = mc.Loss(name), leaf(z)
    out = theirs(t, torch.tensor(y))
    out.backward()
    np.testing.assert_allclose(loss.propagate(z, y), out.item(), rtol=1e-12)
    np.testing.assert_allclose(loss.backpropagate(), t.grad.numpy(), **EXACT)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_two_hundred_steps_of_sgd(momentum):
    """The same start and the same batches give the same weights."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 8, 8, 1)), rng.integers(0, 10, 200)
    convolution = [mc.Conv2d(1, 3, 3, padding=1), mc.ReLU(), mc.MaxPool(2), mc.Flatten()]
    net = mc.Network(
        [*convolution, mc.FullyConnected(48, 16), mc.Tanh(), mc.FullyConnected(16, 10)]
    )
    p = {n: leaf(a) for n, a in net.parameters_by_name().items()}

    def model(x):
        kernel = p["1.K"].reshape(3, 3, 1, 3).permute(3, 2, 0, 1)
        a = torch.max_pool2d(
            torch.relu(
                torch.nn.functional.conv2d(x.permute(0, 3, 1, 2), kernel, p["1.b"], padding=1)
            ),
            2,
        )
        a = a.permute(0, 2, 3, 1).reshape(len(x), -1)
        return torch.tanh(a @ p["4.W"].T + p["4.b"]) @ p["6.W"].T + p["6.b"]

    ours, theirs = (
        mc.SGD(0.05, momentum),
        torch.optim.SGD(list(p.values()), lr=0.05, momentum=momentum),
    )
    for step in range(200):
        chosen = np.arange(step * 20, step * 20 + 20) % 200
        _, gradients = net.value_and_gradients(x[chosen], y[chosen])
        ours.update(net.parameters_by_name(), gradients)
        theirs.zero_grad()
        torch.nn.functional.cross_entropy(
            model(torch.tensor(x[chosen])), torch.tensor(y[chosen])
        ).backward()
        theirs.step()
    for name, a in net.parameters_by_name().items():
        np.testing.assert_allclose(a, p[name].detach().numpy(), rtol=1e-9, atol=1e-9)


def test_adam_steps():
    a, t = np.array([1.0, -2.0, 3.0]), leaf([1.0, -2.0, 3.0])
    ours, theirs = mc.Adam(0.1), torch.optim.Adam([t], lr=0.1)
    for _ in range(50):
        ours.update({"a": a}, {"a": a**3})
        theirs.zero_grad()
        (t**4 / 4).sum().backward()
        theirs.step()
    np.testing.assert_allclose(a, t.detach().numpy(), rtol=1e-10)
