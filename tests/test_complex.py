"""Complex arrays are refused by name: formulas of real variables make nonsense of them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import targets

import matcalc as mc

X = np.array([[1.0 + 2j, 0.5], [0.0, 1.0]])
OTHER = {
    "jax": lambda x: import_module("jax.numpy").asarray(x),
    "torch": lambda x: import_module("torch").as_tensor(x),
}


def network() -> Any:
    return mc.Network([mc.FullyConnected(2, 1)], loss="mse")


CALLS: dict[str, Callable[[], object]] = {
    "minimize": lambda: mc.minimize("norm2(X*w)^2", "w", {"X": X}),
    "value_and_grad": lambda: mc.value_and_grad("norm2(X*w)^2", "w", {"X": X}),
    "distribute": lambda: mc.distribute("norm2(X*w)^2", "w", rows="m")(X=X, w=np.ones(2)),
    "predict": lambda: network().predict(X),
    "a layer": lambda: mc.FullyConnected(2, 1).propagate(X),
    "a sequence": lambda: mc.Sequential([mc.FullyConnected(2, 1)]).propagate(X),
    "fit": lambda: network().fit(X, np.ones((2, 1)), epochs=1),
    "targets": lambda: network().fit(X.real, np.ones((2, 1)) * 1j, epochs=1),
}


@pytest.mark.parametrize("target", targets.installed())
def test_compiled_code_refuses_complex_arrays(target: str) -> None:
    f = mc.derive("norm2(X*w)^2", "w").compile(target)
    given = OTHER.get(target, np.asarray)
    with pytest.raises(mc.ShapeProblem, match="X has complex numbers"):
        f(X=given(X), w=given(np.ones(2)))
    with pytest.raises(mc.ShapeProblem, match="c has complex numbers"):
        mc.parse("c^2").compile(target)(c=1j)


def test_kept_arrays_refuse_complex_ones() -> None:
    f = mc.derive("norm2(X*w)^2", "w").compile("numpy", reuse=True)
    f(X=X.real, w=np.ones(2))
    with pytest.raises(mc.ShapeProblem, match="X has complex numbers"):
        f(X=X, w=np.ones(2))


@pytest.mark.parametrize("name", CALLS)
def test_what_takes_data_refuses_complex_arrays(name: str) -> None:
    with pytest.raises(
        mc.ShapeProblem, match=r"(X|the input|the array of targets) has complex numbers"
    ):
        CALLS[name]()
