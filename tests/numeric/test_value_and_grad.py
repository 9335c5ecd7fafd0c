"""Objectives as SciPy's minimizers take them."""

from __future__ import annotations

import numpy as np
import pytest

import matcalc as mc

RNG = np.random.default_rng(4)
X, y = RNG.normal(size=(20, 4)), RNG.normal(size=20)
A = RNG.normal(size=(6, 5))


def test_minimize_by_a_vector():
    optimize = pytest.importorskip("scipy.optimize")
    f = mc.value_and_grad("norm2(X*w - y)^2", "w", {"X": X, "y": y})
    found = optimize.minimize(f, f.start, jac=True, hessp=f.hessp, method="Newton-CG")
    np.testing.assert_allclose(found.x, np.linalg.lstsq(X, y, rcond=None)[0], atol=1e-6)


def test_matrices_are_flat_and_come_back():
    f = mc.value_and_grad(
        "norm2(A - U*V')^2",
        ["U", "V"],
        {"A": A},
        start={"U": np.ones((6, 2)), "V": np.ones((5, 2))},
    )
    value, gradient = f(f.start)
    assert isinstance(value, float)
    assert gradient.shape == f.start.shape == (22,)
    arrays = f.arrays(f.start)
    assert {n: a.shape for n, a in arrays.items()} == {"U": (6, 2), "V": (5, 2)}
    np.testing.assert_array_equal(f.flat(arrays), f.start)
    np.testing.assert_allclose(
        f.arrays(gradient)["U"], -2 * (A - arrays["U"] @ arrays["V"].T) @ arrays["V"]
    )


def test_hessp_is_the_slope_of_the_gradient():
    f = mc.value_and_grad(
        "norm2(A - U*V')^2",
        ["U", "V"],
        {"A": A},
        start={"U": RNG.normal(size=(6, 2)), "V": RNG.normal(size=(5, 2))},
    )
    p, h = RNG.normal(size=f.start.size), 1e-6
    slope = (f(f.start + h * p)[1] - f(f.start - h * p)[1]) / (2 * h)
    np.testing.assert_allclose(f.hessp(f.start, p), slope, rtol=1e-6, atol=1e-6)


def test_missing_data_is_named():
    with pytest.raises(mc.MissingData, match="y"):
        mc.value_and_grad("norm2(X*w - y)^2", "w", {"X": X})
