"""Sums of inv(S) and inv(S)*C*inv(S): found in every form, never where it is not right, the
plain formulas' values.
"""

from __future__ import annotations

import numpy as np
import pytest
from targets import installed

import matcalc as mc
from matcalc.codegen import compile_expr

pytest.importorskip("scipy")
SHAPES = "S: n×n spd; C: n×n symmetric; D: n×n symmetric; A: n×n; y: n; a: scalar; b: scalar"
SIZES = [(n, "plain") for n in (1, 2, 79, 80, 127, 128, 255, 256, 301, 400)]
SIZES += [(n, m) for n in (3, 128, 301) for m in ("diagonal", "zero", "definite")]
LAYOUTS = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "strided": lambda x: (
        np.repeat(np.repeat(x, 2, 0), 3, -1)[::2, ::3] if x.ndim == 2 else np.repeat(x, 2)[::2]
    ),
}
MIDDLES = {
    "plain": lambda x: x + x.T,
    "diagonal": lambda x: np.diag(x[0]),
    "zero": lambda x: 0 * x,
    "definite": lambda x: x @ x.T + np.eye(len(x)),
}


def point(
    n: int, dtype: type = np.float64, middle: str = "plain", layout: str = "rows"
) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(n)
    x, z, A, y = (
        rng.normal(size=(n, n)),
        rng.normal(size=(n, n)),
        rng.normal(size=(n, n)),
        rng.normal(size=n),
    )
    values = {
        "S": x @ x.T / n + np.eye(n),
        "C": MIDDLES[middle](z),
        "D": z @ z.T / n,
        "A": A,
        "y": y,
    }
    return {name: LAYOUTS[layout](value.astype(dtype)) for name, value in values.items()} | {
        "a": dtype(1.7),
        "b": dtype(-0.6),
    }


def found(text: str, shapes: str = SHAPES, target: str = "numpy") -> bool:
    return (
        "def inverse_and_sandwich("
        in mc.derive(text, "S", shapes).compile(target, value=True).source
    )


def plain(v: dict[str, np.ndarray], a: float, b: float, middle: np.ndarray) -> np.ndarray:
    """a*inv(S) + b*inv(S)*C*inv(S) in double precision."""
    inverse = np.linalg.inv(v["S"].astype(float))
    return a * inverse + b * inverse @ middle.astype(float) @ inverse


CASES = {
    "logdet(S) + tr(inv(S)*C)": lambda v: plain(v, 1, -1, v["C"]),
    "tr(C*inv(S)) - logdet(S)/2": lambda v: plain(v, -0.5, -1, v["C"]),
    "3*logdet(2*S) + tr(inv(2*S)*C)": lambda v: plain(v, 3, -0.5, v["C"]),
    "a*logdet(S) + b*tr(C*inv(S))/2": lambda v: plain(v, v["a"], -v["b"] / 2, v["C"]),
    "logdet(a*S) + tr(inv(a*S)*C)": lambda v: plain(v, 1, -1 / v["a"], v["C"]),
    "tr(inv(S)*C)": lambda v: plain(v, 0, -1, v["C"]),
    "logdet(S) + tr(inv(S)*(C - 2*D))": lambda v: plain(v, 1, -1, v["C"] - 2 * v["D"]),
    "logdet(S) + tr(inv(S)*(A + A'))": lambda v: plain(v, 1, -1, v["A"] + v["A"].T),
    "logdet(S) + tr(inv(S)*C) + tr(D*S)": lambda v: plain(v, 1, -1, v["C"]) + v["D"],
    "logdet(S + D*D) + tr(inv(S + D*D)*C)": lambda v: plain(
        v | {"S": v["S"] + v["D"] @ v["D"]}, 1, -1, v["C"]
    ),
}


@pytest.mark.parametrize("text", CASES)
def test_every_form_is_found_and_right(text):
    f = mc.derive(text, "S", SHAPES).compile(value=True)
    value, gradient = f.exprs[0].compile(), mc.derive(text, "S", SHAPES).compile()
    if text != "logdet(a*S) + tr(inv(a*S)*C)":  # nothing says that a is positive
        assert found(text)
    for n in (5, 260):
        v = point(n)
        alone, both = value(**v), f(**v)
        np.testing.assert_allclose(both[0], alone, rtol=1e-9)
        np.testing.assert_allclose(both[1], CASES[text](v), rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(gradient(**v), CASES[text](v), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "middle"), SIZES)
def test_every_size_type_and_layout(n, dtype, middle):
    f = mc.derive("logdet(S) + tr(inv(S)*C)", "S", SHAPES).compile(value=True)
    tolerance = (
        {"rtol": 1e-3, "atol": 2e-3} if dtype is np.float32 else {"rtol": 1e-9, "atol": 1e-9}
    )
    for layout in LAYOUTS:
        v = point(n, dtype, middle, layout)
        given = {name: x.copy() for name, x in v.items() if name in "SC"}
        value, gradient = f(S=v["S"], C=v["C"])
        assert value.dtype == gradient.dtype == dtype
        np.testing.assert_allclose(gradient, plain(v, 1, -1, v["C"]), **tolerance)
        S, C = v["S"].astype(float), v["C"].astype(float)
        expected = np.linalg.slogdet(S)[1] + np.trace(np.linalg.solve(S, C))
        np.testing.assert_allclose(
            value, expected, **(tolerance if dtype is np.float64 else {"rtol": 1e-3, "atol": 1e-2})
        )
        for name, x in given.items():
            np.testing.assert_array_equal(v[name], x)


@pytest.mark.parametrize("n", [50, 260])
def test_mixed_types_meet_in_the_wider(n):
    f = mc.derive("logdet(S) + tr(inv(S)*C)", "S", SHAPES).compile(value=True)
    v = point(n)
    for single in "SC":
        _, gradient = f(
            **{name: v[name].astype(np.float32 if name == single else np.float64) for name in "SC"}
        )
        assert gradient.dtype == np.float64
        np.testing.assert_allclose(gradient, plain(v, 1, -1, v["C"]), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("logdet(S) + tr(inv(S)*A)", "S: n×n spd; A: n×n"),
        ("logdet(S) + tr(inv(S)*C)", "S: n×n; C: n×n symmetric"),
        ("logdet(S) + tr(inv(S)*C)", "S: n×n symmetric; C: n×n symmetric"),
        ("logdet(S) + tr(inv(S)*C) + sum(inv(S).^2)", SHAPES),
        ("logdet(S) + tr(inv(S)*C)^2", SHAPES),
        ("logdet(S) + tr(inv(S)*C*inv(S)*D)", SHAPES),
        ("logdet(S) + tr(inv(S)*C) + tr(inv(S)*D)", SHAPES),
        ("logdet(S) + tr(inv(S)*(C + y*ones(n)'))", SHAPES),
        ("logdet(S)", SHAPES),
    ],
)
def test_not_where_it_would_be_wrong_or_of_no_use(text, shapes):
    assert not found(text, shapes)
    v = point(260)
    f = mc.derive(text, "S", shapes)
    _, gradient = f.compile(value=True)(**v)
    step = np.diag(np.linspace(1, 2, 260)) * 1e-5
    ahead, behind = (f.expr.compile()(**(v | {"S": v["S"] + t * step})) for t in (1, -1))
    np.testing.assert_allclose((gradient * step).sum(), (ahead - behind) / 2, rtol=1e-5)


@pytest.mark.parametrize("n", [30, 270])
def test_vectors_beside_it_are_solved_for(n):
    """The gradient of a sum with y'*inv(S)*b in another place, where nothing else needs the
    inverse.
    """
    e = mc.parse("inv(S) - inv(S)*C*inv(S) + (inv(S)*y)*(inv(S)*y)'", SHAPES)
    v = point(n)
    solved = np.linalg.solve(v["S"], v["y"])
    np.testing.assert_allclose(
        e.compile()(**v), plain(v, 1, -1, v["C"]) + np.outer(solved, solved), rtol=1e-8, atol=1e-8
    )


@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize("target", installed("numpy", "numba"))
@pytest.mark.parametrize("n", [30, 270])
def test_in_kept_arrays_and_for_numba(n, target, reuse):
    v = point(n)
    d = mc.derive("logdet(S) + tr(inv(S)*C)", "S", SHAPES)
    f = d.compile(target, value=True, reuse=reuse)
    for _ in range(2):
        value, gradient = f(S=v["S"], C=v["C"])
        np.testing.assert_allclose(gradient, plain(v, 1, -1, v["C"]), rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(value, d.expr.compile()(**v), rtol=1e-9)


@pytest.mark.parametrize("target", installed("numpy", "numba", "jax", "torch"))
def test_other_targets_keep_the_inverse(target):
    assert found("logdet(S) + tr(inv(S)*C)", target=target) == (target in ("numpy", "numba"))


def test_the_flops_are_those_of_what_is_done():
    f = mc.derive("logdet(S) + tr(inv(S)*C)", "S", SHAPES).compile(value=True)
    for n, flops in ((200, 4), (1000, 8 / 3)):
        cost = f.cost(n=n)
        assert cost.flops == pytest.approx(flops * n**3, rel=0.02)
        assert cost.expression.flops == pytest.approx(n**3, rel=0.02)


# ---- an outer product beside an inverse ----------------------------------------------------------

OUTER = {
    "y'*inv(S)*y + logdet(S)": (1, -1),
    "logdet(S) - 3*y'*inv(S)*y": (1, 3),
    "a*logdet(S)/a + y'*inv(S)*y/2": (1, -0.5),
    "2*logdet(S) + y'*inv(S)*y": (2, -1),
    "y'*inv(S)*y - logdet(S)/3": (-1 / 3, -1),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("text", OUTER)
def test_an_outer_product_is_written_over_an_inverse(text, dtype):
    d = mc.derive(text, "S", SHAPES)
    tolerance = (
        {"rtol": 1e-3, "atol": 1e-3} if dtype is np.float32 else {"rtol": 1e-9, "atol": 1e-9}
    )
    for f in (d.compile(value=True), d.compile()):
        assert (
            "plus_outer(t" in f.source
            or "plus_outer(2.0*t" in f.source
            or "plus_outer(-1/3*t" in f.source
        )
        for n in (1, 2, 79, 128, 301, 400):
            for layout in LAYOUTS:
                v = point(n, dtype, layout=layout)
                given = {name: np.copy(x) for name, x in v.items()}
                found = f(**v)
                gradient = found[1] if isinstance(found, tuple) else found
                k, c = OUTER[text]
                solved = np.linalg.solve(v["S"].astype(float), v["y"].astype(float))
                np.testing.assert_allclose(
                    gradient,
                    k * np.linalg.inv(v["S"].astype(float)) + c * np.outer(solved, solved),
                    **tolerance,
                )
                assert gradient.dtype == dtype
                for name, x in given.items():
                    np.testing.assert_array_equal(v[name], x)


def test_an_inverse_that_is_needed_later_is_left_alone():
    v = point(40)
    inverse, y = np.linalg.inv(v["S"]), v["y"]
    plain = inverse - np.outer(inverse @ y, inverse @ y)
    pair = (
        mc.parse("inv(S) - (inv(S)*y)*(inv(S)*y)'", SHAPES),
        mc.parse("inv(S)", SHAPES),
        mc.parse("tr(inv(S)*A)", SHAPES),
    )
    for order in ((0, 1, 2), (1, 0, 2), (2, 0), (0, 2), (2, 1, 0)):
        results = compile_expr(tuple(pair[i] for i in order))(**v)
        for i, found in zip(order, results, strict=True):
            np.testing.assert_allclose(
                found, (plain, inverse, (inverse * v["A"].T).sum())[i], rtol=1e-9, atol=1e-9
            )


def test_an_outer_product_of_wider_numbers_widens_the_sum():
    e = mc.parse("inv(S) - y*y'", SHAPES)
    v = point(30)
    found = e.compile()(S=v["S"].astype(np.float32), y=v["y"])
    assert found.dtype == np.float64
    np.testing.assert_allclose(
        found, np.linalg.inv(v["S"]) - np.outer(v["y"], v["y"]), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("n", [2, 90, 300])
def test_a_factor_that_is_solved_twice_is_inverted_once(n):
    f = mc.derive("tr(inv(S)*C)", "S", "S: n×n spd; C: n×n").compile()
    assert f.steps.count("inverse(") == 1
    assert "solve" not in f.steps
    A = np.random.default_rng(n).normal(size=(n, n)) / n**0.5
    S, inverse = A @ A.T + np.eye(n), np.linalg.inv(A @ A.T + np.eye(n))
    expected = -inverse @ (A + A.T) @ inverse / 2
    np.testing.assert_allclose(f(S=S, C=A), expected, rtol=1e-9, atol=1e-10)
