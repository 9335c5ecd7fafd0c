"""Functions that keep their arrays give what the others give, call after call, and allocate
nothing large again.
"""

from __future__ import annotations

import tracemalloc

import numpy as np
import points
import pytest
from targets import installed
from test_targets import CASES, regular_points, roots

import matcalc as mc
from matcalc.codegen import compile_expr, source
from matcalc.tables.functions import visible

RNG = np.random.default_rng(4)
NETWORK = "norm2(sigmoid(sigmoid(X*A)*B) - Y)^2", ["A", "B"], "X: m×n; A: n×k; B: k×p; Y: m×p"


def arrays(m, n=40, k=30, p=10):
    return {
        "X": RNG.normal(size=(m, n)),
        "A": RNG.normal(size=(n, k)),
        "B": RNG.normal(size=(k, p)),
        "Y": RNG.normal(size=(m, p)),
    }


def same(found, expected, tolerance=1e-10):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        assert points.gap(np.asarray(b), np.asarray(a)) < tolerance


@pytest.mark.parametrize("target", installed("numpy", "numba"))
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case[0]))
def test_the_same_numbers(case, target):
    found = roots(*case)
    if found is None:
        return
    plain, kept = compile_expr(found), compile_expr(found, target, reuse=True)
    for at in regular_points(found, 1):
        before = {n: np.array(a) for n, a in at.items()}
        with np.errstate(all="ignore"):
            kept(**at)  # what this call leaves behind is what the next one finds
            same(kept(**at), plain(**at))
        for n, a in at.items():
            np.testing.assert_array_equal(a, before[n])


@pytest.mark.parametrize("case", CASES[::7], ids=lambda case: str(case[0]))
def test_the_same_numbers_without_scipy(case, monkeypatch):
    monkeypatch.setattr("matcalc.codegen.targets.numpy.find_spec", lambda name: None)
    found = roots(*case)
    if found is not None:
        plain, kept = compile_expr(found), compile_expr(found, reuse=True)
        for at in regular_points(found, 1):
            with np.errstate(all="ignore"):
                kept(**at)
                same(kept(**at), plain(**at))


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (300, 400), (900, 700), (0, 4), (4, 0)])
@pytest.mark.parametrize("types", ["ff", "dd", "fd", "ll", "ld", "ee"])
def test_outer_products_of_every_size_and_type(shape, types):
    kept = mc.parse("u*v'", "u: m; v: n").compile(reuse=True)
    for _ in range(2):  # written over what the last call left
        u, v = (10 * RNG.normal(size=length) for length in shape)
        u, v = (a.astype(t) for a, t in zip((u, v), types, strict=True))
        found = kept(u=u, v=v)
        assert found.dtype == np.result_type(u, v, np.float16)
        np.testing.assert_allclose(found, np.outer(u, v), rtol=1e-3 if "e" in types else 1e-6)


def test_what_is_kept_begins_where_a_cache_line_does():
    results = [
        mc.derive("norm2(X*w - y)^2", "X", "X: m×n; w: n; y: m").compile(reuse=reuse)
        for reuse in (True, False)
    ]
    at = {"X": RNG.normal(size=(300, 301)), "w": RNG.normal(size=301), "y": RNG.normal(size=300)}
    for f in results:
        assert f(**at).ctypes.data % 64 == 0
        assert f(**at).flags.c_contiguous and f(**at).flags.writeable


def test_other_shapes_have_arrays_of_their_own():
    kept, plain = (mc.derive(*NETWORK).compile(value=True, reuse=reuse) for reuse in (True, False))
    small, large = arrays(5), arrays(50)
    first = [np.array(a) for a in kept(**small)]
    again = kept(**small)
    same(kept(**large), plain(**large))
    same(again, first)
    same(kept(**small), plain(**small))


def test_a_result_is_overwritten_by_the_next_call():
    kept = mc.derive("norm2(X*w - y)^2", "w").compile(reuse=True)
    X, w, y = RNG.normal(size=(6, 3)), np.ones(3), np.zeros(6)
    first = kept(X=X, w=w, y=y)
    assert kept(X=X, w=2 * w, y=y) is first
    np.testing.assert_allclose(first, 4 * X.T @ X @ w)


def test_many_shapes_do_not_pile_up():
    kept = mc.parse("X*w").compile(reuse=True)
    for m in range(1, 30):
        kept(X=np.ones((m, 2)), w=np.ones(2))
    assert len(kept.raw.__globals__["rooms"]) == 8


def test_single_precision():
    kept, plain = (mc.derive(*NETWORK).compile(value=True, reuse=reuse) for reuse in (True, False))
    single = {n: a.astype(np.float32) for n, a in arrays(20).items()}
    kept(**arrays(20))
    found = kept(**single)
    assert {a.dtype for a in found[1:]} == {np.dtype(np.float32)}
    same(found, plain(**single), 1e-4)


@pytest.mark.parametrize("value", [False, True])
def test_the_second_call_allocates_nothing(value):
    kept = mc.derive(*NETWORK).compile(value=value, reuse=True)
    at = arrays(500)
    for _ in range(2):
        kept(**at)
    tracemalloc.start()
    kept(**at)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # a column of the batch takes 4 kB, the hidden layer 120 kB; ufuncs have small buffers
    assert peak < 20_000


def test_what_the_sizes_decide_is_still_decided_by_the_call():
    shapes = "A: m×n; B: n×k; C: k×l; x: l"
    kept, plain = (mc.parse("A*B*C", shapes).compile(reuse=reuse) for reuse in (True, False))
    for m, n, k, q in ((2, 9, 3, 8), (9, 2, 8, 3), (3, 3, 30, 2), (30, 2, 2, 30)):
        at = {
            "A": RNG.normal(size=(m, n)),
            "B": RNG.normal(size=(n, k)),
            "C": RNG.normal(size=(k, q)),
        }
        same((kept(**at),), (plain(**at),))
    assert "    np.matmul" in kept.steps


def test_the_source_is_the_same_wherever_steps_lie_in_memory():
    d = mc.derive("tr(inv(A + X)*B)", "X", "A: n×n; B: n×n; X: n×n")
    texts, held = set(), []
    for number in range(30):
        texts.add(source((d.expr, d.result), reuse=True).text)
        held.append([object() for _ in range(7 * number)])
    assert len(texts) == 1


def test_the_source_says_where_things_go():
    steps = mc.derive("norm2(X*w - y)^2", "w").compile(reuse=True).steps
    assert steps.split("\n")[1:] == [
        "t1, t2 = room((X.dtype, w.dtype, y.dtype), (m,), (n,))",
        "np.matmul(X, w, out=t1)",
        "t1 -= y",
        "np.matmul(X.T, t1, out=t2)",
        "t2 *= 2.0",
        "return t2",
    ]


@pytest.mark.parametrize("target", ["jax", "torch", "array_api"])
def test_other_targets_keep_nothing(target):
    with pytest.raises(mc.Unsupported, match="numpy and numba do"):
        mc.parse("X*w").compile(target, reuse=True)


SHAPES = {"n": (3,), "1×n": (3,), "n×n symmetric": (3, 3), "m×n": (2, 3), "scalar": ()}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", [row.name for row in visible() if row.arity == 1])
def test_every_function_at_every_shape(name, shape):
    value = np.random.default_rng(1).uniform(1.2, 1.8, SHAPES[shape])
    value = value + value.T + 3 * np.eye(3) if "symmetric" in shape else value
    try:
        e = mc.parse(f"sum(X) + {name}(X)", f"X: {shape}")
    except mc.ShapeProblem:
        return
    with np.errstate(all="ignore"):
        same([e.compile(reuse=True)(X=value, n=3)], [e.compile()(X=value, n=3)])
