"""Kernels: one pass over the data gives what NumPy's steps give, and stands aside where it would
not help.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import matcalc as mc
from matcalc.codegen import source
from matcalc.codegen.passes.fusion import fusions
from matcalc.codegen.plan.planner import plan
from matcalc.codegen.runtime.numpy import spare
from matcalc.codegen.targets.numba import LEAST, with_kernels
from matcalc.codegen.targets.numpy import dialect

pytest.importorskip("numba")
RNG = np.random.default_rng(8)
M, N = LEAST // 50 + 3, 50
BIG = {
    "X": RNG.normal(size=(M, N)) / 7,
    "w": RNG.normal(size=N),
    "y": RNG.normal(size=M),
    "c": 0.3,
    "s": RNG.uniform(0.5, 1, size=M),
}


def roots(text, wrt, **options):
    d = mc.derive(text, wrt, "X: m×n; w: n; y: m; s: m; c: scalar", **options)
    return d.expr, d.result


@pytest.mark.parametrize(
    ("text", "wrt"),
    [
        ("norm2(X*w - y)^2", "X"),
        ("sum(s.*softplus(X*w)) - y'*X*w + c*norm2(w)^2", "w"),
        ("sum(relu(X*w - y).^2) + sum(exp(c*tanh(X*w)))/m", "w"),
    ],
)
def test_a_kernel_agrees_with_the_steps(text, wrt):
    d = mc.derive(text, wrt, "X: m×n; w: n; y: m; s: m; c: scalar")
    fast, plain = d.compile("numba", value=True), d.compile("numpy", value=True)
    assert "one_pass_kernel" in fast.source
    for a, b in zip(fast(**BIG), plain(**BIG), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * np.abs(b).max())
    by_columns = BIG | {"X": np.asfortranarray(BIG["X"])}
    np.testing.assert_allclose(fast(**by_columns)[0], plain(**BIG)[0], rtol=1e-9)
    single = {n: a if isinstance(a, float) else np.float32(a) for n, a in BIG.items()}
    assert fast(**single)[1].dtype == np.float32


@pytest.mark.parametrize("text", ["x'*A*x", "norm2(A*x)^2 + y'*A*x", "y'*A*x + b'*A'*x"])
def test_both_products_with_a_matrix_take_one_pass(text):
    d = mc.derive(text, "x", "A: n×n; x: n; y: n; b: n")
    at = {
        "A": RNG.normal(size=(N * 7, N * 7)) / N,
        **{v: RNG.normal(size=N * 7) / N for v in "xyb"},
    }
    fast, plain = d.compile("numba", value=True), d.compile("numpy", value=True)
    assert "both(" in fast.source or fast.source.count("@njit") == 1
    for a, b in zip(fast(**at), plain(**at), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * np.abs(b).max())


@pytest.mark.parametrize(
    ("text", "wrt", "outputs"),
    [
        ("norm2(X*w - y)^2", "w", 2),
        ("norm2(X*w - y)^2", "X", 2),
        ("sum(softplus(X*w)) - y'*X*w", "w", 3),
    ],
)
def test_what_is_fused(text, wrt, outputs):
    (fusion,) = fusions(plan(roots(text, wrt)).roots, lambda name: True)
    assert len(fusion.outputs) == outputs


@pytest.mark.parametrize(
    "text",
    ["A*x", "A*B", "exp(A*x)", "norm2(A*x)^2", "softmax(A*x)", "A'*softmax(A*x)", "B'*(A*x) + A*x"],
)
def test_where_one_pass_is_not_enough_nothing_is_fused(text):
    assert not fusions(plan((mc.parse(text),)).roots, lambda name: True)
    assert "njit" not in source(mc.parse(text), "numba").text


def test_a_plan_without_fusions_is_left_alone():
    found = plan((mc.parse("A*B"),))
    assert with_kernels(found, dialect()) is found


# ---- results that nobody holds are written again -------------------------------------------------


@pytest.fixture(scope="module", params=["numpy", "numba"])
def by_X(request):
    return mc.derive("norm2(X*w - y)^2", "X", "X: m×n; w: n; y: m").compile(request.param)


def given(k):
    return {"X": BIG["X"], "w": k * BIG["w"], "y": BIG["y"]}


def expected(k):
    at = given(k)
    return 2 * np.outer(at["X"] @ at["w"] - at["y"], at["w"])


def test_a_result_that_is_let_go_is_written_again(by_X):
    pages = {by_X(**given(k)).ctypes.data for k in range(1, 9)}
    assert len(pages) == 1


@pytest.mark.parametrize(
    "part",
    [
        lambda a: a,
        lambda a: a[3:],
        lambda a: a.T[5],
        lambda a: a.reshape(-1)[::2],
        lambda a: memoryview(a),
    ],
)
def test_a_result_that_is_held_in_any_way_is_left_alone(by_X, part):
    held = [part(by_X(**given(k))) for k in range(1, 6)]
    for k, kept in enumerate(held, 1):
        np.testing.assert_allclose(
            np.asarray(kept), np.asarray(part(expected(k))), rtol=1e-10, atol=1e-12
        )


def test_threads_do_not_share_results():
    def work(k):
        for _ in range(200):
            mine = spare("result", 40, 50)
            mine.fill(k)
            time.sleep(1e-6)
            assert (mine == k).all()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_passes_that_would_wait_for_each_other_are_not_made():
    d = mc.derive("(A*x + b)'*C*(D*x + e)", "x", "A: m×n; b: m; C: m×p; D: p×n; e: p; x: n")
    at = {
        "A": RNG.normal(size=(400, 300)),
        "C": RNG.normal(size=(400, 350)),
        "D": RNG.normal(size=(350, 300)),
        "x": RNG.normal(size=300),
    }
    at |= {"b": RNG.normal(size=400), "e": RNG.normal(size=350)}
    for a, b in zip(d.compile("numba", value=True)(**at), d.compile(value=True)(**at), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8 * np.abs(b).max())
