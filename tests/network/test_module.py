"""The stand-alone modules: the same numbers as the layers, in every target, with nothing
imported but the target.
"""

import ast
import runpy
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import targets

import matcalc as mc


def networks():
    inner = mc.Sequential([mc.Conv2d(4, 4, 3, padding=1, seed=2), mc.Tanh()])
    pools = [
        mc.Conv2d(1, 4, 3, padding=1),
        mc.ReLU(),
        mc.MaxPool(2),
        mc.Residual(inner),
        mc.AveragePool(2),
    ]
    links = np.ones((6, 6)) - np.eye(6)
    return {
        "dense": mc.Network("64-12-10", activation="sigmoid"),
        "squared": mc.Network(
            [mc.FullyConnected(64, 5), mc.Softplus(), mc.FullyConnected(5, 10)], loss="squared"
        ),
        "images": mc.Network(
            [*pools, mc.Flatten(), mc.Dropout(0.3), mc.LayerNorm(16), mc.FullyConnected(16, 10)]
        ),
        "attention": mc.Network([mc.Attention(64, 8), mc.Softmax(), mc.FullyConnected(8, 10)]),
        "graph": mc.Network([mc.GraphConvolution(links, 64, 8), mc.FullyConnected(8, 10)]),
        "pixels": mc.Network([mc.Flatten(), mc.FullyConnected(64, 10)], loss="hinge"),
        "typed": mc.Network(
            [
                mc.Layer(
                    "tanh(X*A) + X*B", shapes="X: m×n; A: n×k; B: n×k", sizes={"n": 64, "k": 10}
                )
            ],
            loss="mse",
        ),
    }


def data(name):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(6, 64))
    y = np.eye(10)[rng.integers(0, 10, 6)]
    return x.reshape(-1, 8, 8, 1) if name in (
        "images",
        "pixels",
    ) else x, 2 * y - 1 if name == "pixels" else y


def prepared(name):
    net = networks()[name]
    for layer in net.layers():
        layer.training = False
    x, y = data(name)
    value, gradients = net.value_and_gradients(x, y)
    constants = {
        f"{i}.S": layer.constants["S"]
        for i, layer in enumerate(net.layers(), 1)
        if "S" in layer.constants
    }
    return net, x, y, value, gradients, net.parameters_by_name() | constants


@pytest.mark.parametrize("name", networks())
def test_numpy(name, tmp_path):
    net, x, y, value, gradients, parameters = prepared(name)
    net.save(tmp_path / "made.py")
    module = runpy.run_path(str(tmp_path / "made.py"))
    found, by_name = module["value_and_gradients"](parameters, x, y)
    np.testing.assert_allclose(found, value, rtol=1e-14)
    assert set(by_name) == set(gradients)
    for n, g in gradients.items():
        np.testing.assert_allclose(by_name[n], g, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(module["forward"](parameters, x), net.predict(x), rtol=1e-14)


@pytest.mark.needs("torch")
@pytest.mark.parametrize("name", networks())
def test_torch(name):
    import torch

    net, x, y, value, gradients, parameters = prepared(name)
    scope: dict[str, Any] = {}
    exec(net.source("torch"), scope)
    found, by_name = scope["value_and_gradients"](
        {n: torch.tensor(a) for n, a in parameters.items()}, torch.tensor(x), torch.tensor(y)
    )
    np.testing.assert_allclose(float(found), value, rtol=1e-12)
    for n, g in gradients.items():
        np.testing.assert_allclose(by_name[n].numpy(), g, rtol=1e-10, atol=1e-13)


@pytest.mark.needs("torch")
def test_torch_windows_stay_on_the_device():
    """On tensors that only say where they are."""
    import torch

    net, *_ = prepared("images")
    scope: dict[str, Any] = {}
    exec(net.source("torch"), scope)
    g = torch.zeros(2, 3, 3, 8, device="meta")
    assert scope["col2im"](g, (2, 4, 4, 2), (2, 2)).device.type == "meta"
    assert scope["first_largest"](torch.zeros(5, 4, device="meta")).device.type == "meta"


@pytest.fixture
def double():
    """JAX in double precision, for one test."""
    import jax

    with targets.double_precision("jax"):
        yield jax


@pytest.mark.needs("jax")
@pytest.mark.parametrize("name", ["dense", "images", "graph", "typed"])
def test_jax(name, double):
    jax = double
    net, x, y, value, gradients, parameters = prepared(name)
    scope: dict[str, Any] = {}
    exec(net.source("jax"), scope)
    found, by_name = scope["value_and_gradients"](
        parameters, jax.numpy.asarray(x), jax.numpy.asarray(y)
    )
    np.testing.assert_allclose(float(found), value, rtol=1e-12)
    for n, g in gradients.items():
        np.testing.assert_allclose(by_name[n], g, rtol=1e-10, atol=1e-13)


def test_the_numpy_module_imports_only_numpy(tmp_path):
    net = networks()["images"]
    x, y = data("images")
    net.value_and_gradients(x, y)
    net.save(tmp_path / "made.py")
    imported = {
        a.name
        for node in ast.walk(ast.parse((tmp_path / "made.py").read_text()))
        if isinstance(node, ast.Import)
        for a in node.names
    }
    assert imported == {"numpy"}
    script = (
        "import sys, numpy as np, made\nmade.forward(dict(np.load('made.npz')), np.ones((2, "
        "8, 8, 1)))\nassert 'matcalc' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)


def test_every_intermediate_is_computed_once():
    """The backward pass uses what the forward pass saved: sigmoid is called once for each layer."""
    source = mc.Network("6-5-4", activation="sigmoid").source()
    back = source.split("def sigmoid_back")[1].split("def ")[0]
    assert "np." not in back and "sigmoid(" not in back


def test_functions_bring_the_constants_that_they_use() -> None:
    """The product of a large column and a row keeps its memory in a dictionary of the module."""
    outer = mc.Layer("X*u*v'", shapes="u: n; v: k", sizes={"n": 5, "k": 4})
    scope: dict[str, Any] = {}
    exec(mc.Network([mc.FullyConnected(6, 5), outer], loss="mse").source(), scope)
    large = np.ones(300)
    assert scope["outer"](large, large).sum() == 300 * 300


def test_unknown_targets_are_said():
    with pytest.raises(mc.OptionProblem, match="targets are jax, numpy, torch"):
        mc.Network("3-2").source("fortran")
