"""By blocks of rows the same numbers come out, whatever the length of a block.

What no block can give is left alone.
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import points
import pytest
from hypothesis import given, settings
from strategies import scalars
from targets import installed
from test_targets import CASES, regular_points, roots

import matcalc as mc
from matcalc.codegen import compile_expr, dialect, source
from matcalc.codegen.compiled import defined

RNG = np.random.default_rng(7)
SHAPES = "X: m×n; Y: m×n; W: n×k; T: m×k; w: n; v: n; y: m; z: m; c: scalar; A: n×n; V: n×k; U: m×k"
PASSES = [
    "X'*(X*w - y)",
    "X'*sigmoid(X*w)*c + w",
    "norm2(X - U*V')^2",
    "(X - U*V')*V",
    "(X - U*V')'*U",
    "sum(logsumexp_rows(X*W)) - tr(T'*X*W)",
    "X'*(softmax_rows(X*W) - T)",
    "X'*(T.*step(X*W))",
    "sum(exp(X))",
    "exp(X)*w",
    "exp(X)'*y",
    "sum(exp(X).*Y)",
    "(X - Y)'*((X - Y)*W)",
    "tr(exp(X)'*Y)",
    "X'*diag(y)*X*w",
    "sum(exp(X)*w)",
    "diag(exp(X)*Y')",
    "y'*exp(X)*w",
    "exp(X)'*diag(y)*(X*w)",
    "ones(m)'*exp(X)",
    "(X*w)'*(X*v)",
    "exp(c*X + y*w')*v",
    "sum(relu(X*A*W)*W'*w)",
    "max(sum(exp(X)), c)*w",
]
NONE = [
    "norm2(X*w - y)^2",
    "A*w",
    "X*w",
    "X.*Y",
    "exp(X)",
    "X'*X",
    "w'*A*w",
    "X*(X'*y)",
    "softmax(X*w)'*y*w",
    "logdet(X'*X + eye(n))",
    "X*inv(A)",
    "exp(X)*w*y'",
    "norm2(X*w - y)^2*X",
    "X'*diag(exp(X*w))*X",
    "A'*(A*w)",
    "kron(X, Y)*ones(n*n)",
    "vec(X)'*vec(Y)*w",
]


def in_short_blocks(f, rows):
    """The function for large arrays, with blocks of some rows."""
    large = defined(f.source_for_large, f.raw.__name__, {})
    large.__globals__["block_length"] = lambda arrays, others: rows
    return large


def at(lengths, f):
    sizes = dict(zip("mnk", lengths, strict=True))
    shaped = {
        n: [sizes[a] for a in t.split("×")]
        for n, t in (d.split(": ") for d in SHAPES.split("; "))
        if n != "c"
    }
    made = {n: RNG.normal(size=shape) for n, shape in shaped.items()} | {"c": 0.7}
    return [made[n] for n in f.parameters]


def assert_same(found, expected):
    found, expected = (x if isinstance(x, tuple) else (x,) for x in (found, expected))
    for a, b in zip(found, expected, strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * max(1, np.abs(b).max()))


@pytest.mark.parametrize("text", PASSES)
@pytest.mark.parametrize("lengths", [(7, 5, 3), (4, 4, 4), (9, 1, 2), (1, 3, 2)])
@pytest.mark.parametrize("rows", [1, 2, 4, 100])
def test_the_same_numbers(text, lengths, rows):
    f = mc.parse(text, SHAPES).compile()
    arguments = at(lengths, f)
    before = [np.array(a) for a in arguments]
    assert_same(in_short_blocks(f, rows)(*arguments), f.raw(*arguments))
    for a, b in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("text", NONE)
def test_what_no_block_can_give_or_what_gains_nothing_is_left_alone(text):
    assert not mc.parse(text, SHAPES).compile().source_for_large


def check(found, target):
    f = compile_expr(found, target)
    if not f.source_for_large:
        return False
    for point in regular_points(found, 1):
        arguments = [np.asarray(point[n]) if np.ndim(point[n]) else point[n] for n in f.parameters]
        with np.errstate(all="ignore"):
            expected = f.raw(*arguments)
            for rows in (1, 2, 3):
                for a, b in zip(in_short_blocks(f, rows)(*arguments), expected, strict=True):
                    assert np.shape(a) == np.shape(b)
                    assert points.gap(np.asarray(b), np.asarray(a)) < 1e-8
    return True


@pytest.mark.parametrize("target", installed("numpy", "numba"))
def test_textbook_and_random_expressions(target):
    least = {"numpy": 25, "numba": 10}[target]
    assert (
        sum(check(found, target) for case in CASES if (found := roots(*case)) is not None) >= least
    )


@settings(max_examples=60)
@given(scalars(depth=3, wide=True))
def test_random_expressions_with_their_derivatives(found):
    text, shapes = found
    try:
        made = [roots(text, name, shapes, 1) for name in sorted(shapes)]
    except mc.MatcalcError:
        return
    for one in made:
        if one is not None:
            check(one, "numpy")


def test_large_arrays_go_by_blocks_and_small_ones_do_not():
    f = mc.derive(
        "sum(softplus(X*w)) - y'*X*w + c*norm2(w)^2", "w", "X: m×n; y: m; w: n; c: scalar"
    ).compile(value=True)
    called: list[int] = []
    large = f.large

    def counted(*args: Any) -> Any:
        called.append(1)
        return large(*args)

    f.__dict__["large"] = counted
    for m, blocks in ((2000, 0), (3000, 1)):
        at = {
            "X": RNG.normal(size=(m, 1000)),
            "y": RNG.normal(size=m),
            "w": RNG.normal(size=1000) / 30,
            "c": 0.1,
        }
        for dtype in (np.float64, np.float32):
            called.clear()
            arguments = {n: np.asarray(a, dtype) if n != "c" else a for n, a in at.items()}
            for _ in range(2):  # the first call checks everything, the next what it must
                for a, b in zip(
                    f(**arguments), f.raw(*(arguments[n] for n in f.parameters)), strict=True
                ):
                    assert a.dtype == b.dtype == dtype
                    np.testing.assert_allclose(a, b, rtol=1e-3 if dtype == np.float32 else 1e-9)
            assert len(called) == 2 * blocks


def test_rows_that_do_not_lie_one_after_the_other_are_taken_whole():
    f = mc.derive("norm2(X*w - y)^2", "w", "X: m×n; y: m; w: n").compile()
    X, w, y = RNG.normal(size=(1000, 2200)).T, RNG.normal(size=1000), RNG.normal(size=2200)
    for each in (X, np.ascontiguousarray(X), X[::-1], np.broadcast_to(X[0], (2200, 1000))):
        np.testing.assert_allclose(
            f(X=each, w=w, y=y), 2 * each.T @ (each @ w - y), rtol=1e-8, atol=1e-8
        )


def test_it_is_pickled_and_stands_alone():
    f = mc.derive("norm2(X*w - y)^2", "w", "X: m×n; y: m; w: n").compile()
    again = pickle.loads(pickle.dumps(f))
    assert again.source_for_large == f.source_for_large
    arguments = [RNG.normal(size=s) for s in ((7, 5), 5, 7)]
    assert_same(in_short_blocks(again, 2)(*arguments), f.raw(*arguments))


@pytest.mark.parametrize(
    "name", ["of_rows", "in_blocks", "THREADS", "added", "iadd", "environ", "cpu_count"]
)
def test_variables_may_have_any_name(name):
    f = mc.derive(f"norm2({name}*w - y)^2", "w", f"{name}: m×n; y: m; w: n").compile()
    arguments = {name: RNG.normal(size=(5, 3)), "w": RNG.normal(size=3), "y": RNG.normal(size=5)}
    ready = [arguments[n] for n in f.parameters]
    assert_same(in_short_blocks(f, 2)(*ready), f.raw(*ready))


def test_results_as_large_as_a_block_are_added_up_once():
    f = mc.parse("exp(X)'*Y", "X: m×n; Y: m×k").compile()
    large = defined(f.source_for_large.replace("2**17 * THREADS", "12"), f.raw.__name__, {})
    X, Y = RNG.normal(size=(50, 4)), RNG.normal(size=(50, 5))
    assert_same(large(X, Y), np.exp(X).T @ Y)
    seen: list[int] = []

    def of_rows(a: Any, b: Any) -> Any:
        seen.append(len(a))
        return np.exp(a).T @ b

    large.__globals__["of_rows"] = of_rows
    assert_same(large(X, Y), np.exp(X).T @ Y)
    assert seen == [2, 48]


def test_what_is_computed_before_has_a_name_of_its_own():
    f = mc.parse(
        "exp(c1*c2*X)*(A*w) + (c1 + c2)*(exp(c1*c2*X)*v)",
        "X: m×n; A: n×n; w: n; v: n; c1: scalar; c2: scalar",
    ).compile()
    arguments = {
        "X": RNG.normal(size=(5, 3)),
        "A": RNG.normal(size=(3, 3)),
        "w": RNG.normal(size=3),
        "v": RNG.normal(size=3),
        "c1": 0.3,
        "c2": 0.9,
    }
    ready = [arguments[n] for n in f.parameters]
    assert_same(in_short_blocks(f, 2)(*ready), f.raw(*ready))


def test_more_than_ten_arguments():
    layers = 6
    text = "X"
    for i in range(layers):
        text = f"tanh({text}*W{i} + ones(m)*b{i}')"
    shapes = (
        {"X": "m×n", "Y": "m×n"}
        | {f"W{i}": "n×n" for i in range(layers)}
        | {f"b{i}": "n" for i in range(layers)}
    )
    f = mc.derive(f"norm2({text} - Y)^2", [f"W{i}" for i in range(layers)], shapes).compile(
        value=True
    )
    lengths = {"m": 7, "n": 3}
    ready = [RNG.normal(size=[lengths[a] for a in shapes[n].split("×")]) for n in f.parameters]
    assert len(ready) > 10
    assert_same(in_short_blocks(f, 2)(*ready), f.raw(*ready))


def test_only_compiled_functions_carry_it():
    e = mc.parse("norm2(X*w - y)^2*w", SHAPES)
    assert source(e).large is None
    assert not mc.derive("norm2(X*w - y)^2", "w").compile("numpy", reuse=True).source_for_large
    assert dialect("numpy").blocks and not dialect("jax").blocks


def test_where_a_kernel_goes_by_rows_no_blocks_do():
    pytest.importorskip("numba")
    assert not mc.derive("norm2(X*w - y)^2", "w").compile("numba").source_for_large
    assert (
        mc.derive("norm2(A - U*V')^2", "U", "A: m×n; U: m×k; V: n×k")
        .compile("numba")
        .source_for_large
    )
