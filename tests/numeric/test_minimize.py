"""Minimization of typed objectives: optima that others agree with, bounds, history, checkpoints,
and what is refused.
"""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import matcalc as mc
from matcalc.numeric.minimize import BOUNDED, CURVED, FIRST_ORDER, SCIPY
from matcalc.numeric.objective import Objective

pytest.importorskip("scipy")
LOGISTIC = "sum(softplus(-y.*(X*w + b*ones(m)))) + c/2*w'*w"
SHAPES = "X: m×n; b: scalar; c: scalar"
RATES = {"adam": 0.1, "momentum": 0.002, "sgd": 0.002, "gradient-descent": 0.01}


def problem(m=120, n=6):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(m, n))
    return {"X": x, "y": np.sign(x @ rng.normal(size=n) + rng.normal(size=m)), "c": 2.0}


def logistic(method, **options):
    options = {"tolerance": 1e-8, "max_steps": 5000, "rate": RATES.get(method)} | options
    return mc.minimize(LOGISTIC, ["w", "b"], problem(), shapes=SHAPES, method=method, **options)


@pytest.mark.parametrize("method", [*SCIPY, *FIRST_ORDER])
def test_every_method_finds_the_same_optimum(method):
    best, found = logistic("trust-ncg"), logistic(method)
    assert found.converged
    np.testing.assert_allclose(found["w"], best["w"], atol=1e-6)
    np.testing.assert_allclose(found["b"], best["b"], atol=1e-6)
    assert found.steps == len(found.history.values) > 0
    assert found.gradient_norm < 1e-5


def wine():
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_wine(return_X_y=True)
    return (x - x.mean(0)) / x.std(0), y


@pytest.mark.parametrize("method", ["L-BFGS", "CG", "Newton-CG"])
def test_ridge_logistic_regression_against_scikit_learn(method):
    """Three classes, the penalty on W only; the intercept is determined up to a constant."""
    x, y = wine()
    from sklearn.linear_model import LogisticRegression

    theirs = LogisticRegression(C=0.5, tol=1e-12, max_iter=100_000).fit(x, y)
    objective = "sum(logsumexp_rows(X*W + ones(m)*b')) - sum(Y.*(X*W + ones(m)*b')) + norm2(W)^2"
    found = mc.minimize(
        objective,
        ["W", "b"],
        {"X": x, "Y": np.eye(3)[y]},
        shapes="X: m×n; W: n×k; b: k; Y: m×k",
        method=method,
        tolerance=1e-9,
    )
    np.testing.assert_allclose(found["W"], theirs.coef_.T, atol=1e-6)
    np.testing.assert_allclose(
        found["b"] - found["b"].mean(), theirs.intercept_ - theirs.intercept_.mean(), atol=1e-6
    )


def test_newton_needs_fewer_iterations_than_quasi_newton():
    x, y = wine()
    options = {"data": {"X": x, "Y": np.eye(3)[y]}, "shapes": "X: m×n; W: n×k", "tolerance": 1e-8}
    objective = "sum(logsumexp_rows(X*W)) - sum(Y.*(X*W)) + norm2(W)^2/2"
    newton, quasi = (
        mc.minimize(objective, "W", method=m, **options) for m in ("Newton-CG", "L-BFGS")
    )
    np.testing.assert_allclose(newton["W"], quasi["W"], atol=1e-6)
    assert newton.steps < quasi.steps


def test_ridge_regression_has_its_closed_form():
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_diabetes(return_X_y=True)
    found = mc.minimize(
        "norm2(X*w - y)^2 + c*w'*w",
        "w",
        {"X": x, "y": y, "c": 0.1},
        shapes="c: scalar",
        method="Newton-CG",
    )
    np.testing.assert_allclose(
        found["w"], np.linalg.solve(x.T @ x + 0.1 * np.eye(10), x.T @ y), rtol=1e-6
    )


# ---- the objective -------------------------------------------------------------------------------


@pytest.mark.parametrize("wrt", ["w", ["w", "b"], ["w", "b", "X"], ["c", "w"], "X"])
def test_the_hessian_product_is_the_slope_of_the_gradient(wrt):
    data = problem(8, 3)
    names = [wrt] if isinstance(wrt, str) else wrt
    rng = np.random.default_rng(1)
    start = {"w": rng.normal(size=3), "b": 0.3, "X": data["X"], "c": 2.0}
    fixed = {n: a for n, a in (data | start).items() if n not in names}
    f = Objective(LOGISTIC, wrt, fixed, SHAPES, {n: start[n] for n in names})
    x = f.flat(f.start)
    v, h = rng.normal(size=x.size), 1e-5
    measured = (f.value_and_gradient(x + h * v)[1] - f.value_and_gradient(x - h * v)[1]) / (2 * h)
    np.testing.assert_allclose(f.hessian_product(x, v), measured, rtol=1e-6, atol=1e-7)


def test_the_arrays_of_a_vector_and_back():
    f = Objective(
        "norm2(X*w - y)^2 + norm2(X)^2",
        ["X", "w"],
        {"y": np.ones(3)},
        start={"X": np.ones((3, 2)), "w": np.zeros(2)},
    )
    x = np.arange(8.0)
    np.testing.assert_array_equal(f.flat(f.arrays(x)), x)
    assert f.arrays(x)["X"].shape == (3, 2)


def test_matrices_factorize():
    rng = np.random.default_rng(2)
    a = rng.normal(size=(6, 2)) @ rng.normal(size=(2, 5))
    start = {"U": rng.normal(size=(6, 2)), "V": rng.normal(size=(5, 2))}
    assert mc.minimize("norm2(A - U*V')^2", ["U", "V"], {"A": a}, start=start).value < 1e-10


def test_a_covariance_is_estimated():
    """The minimum of logdet(S) + tr(inv(S)*C) is at S = C.

    The start of a spd matrix is the identity.
    """
    c = np.array([[2.0, 0.5], [0.5, 1.0]])
    found = mc.minimize(
        "logdet(S) + tr(inv(S)*C)",
        "S",
        {"C": c},
        shapes="S: n×n spd; C: n×n symmetric",
        method="BFGS",
    )
    np.testing.assert_allclose(found["S"], c, atol=1e-5)


def test_an_expression_is_an_objective():
    x, w, y = mc.matrix("X", "m", "n"), mc.vector("w", "n"), mc.vector("y", "m")
    found = mc.minimize(mc.norm2(x @ w - y) ** 2, "w", {"X": np.eye(3), "y": np.arange(3.0)})
    np.testing.assert_allclose(found["w"], np.arange(3.0), atol=1e-8)


# ---- bounds --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", ["L-BFGS", "trust-constr", "momentum", "adam", "gradient-descent"]
)
def test_nonnegative_least_squares(method):
    from scipy.optimize import nnls

    data = problem(40, 5)
    x, y = data["X"], data["y"]
    rate = {"adam": 0.01, "momentum": 1e-3, "gradient-descent": 5e-3}.get(method)
    found = mc.minimize(
        "norm2(X*w - y)^2",
        "w",
        {"X": x, "y": y},
        method=method,
        bounds={"w": (0, None)},
        rate=rate,
        max_steps=5000,
    )
    np.testing.assert_allclose(found["w"], nnls(x, y)[0], atol=1e-4)
    assert method == "trust-constr" or found["w"].min() >= 0


def test_methods_without_bounds_say_so():
    for method in {*SCIPY, *FIRST_ORDER} - BOUNDED:
        with pytest.raises(mc.Unsupported, match="knows no bounds"):
            mc.minimize("x'*x", "x", start={"x": np.ones(2)}, method=method, bounds={"x": (0, 1)})
    assert {"newton-cg", "trust-constr"} <= CURVED


# ---- long runs -----------------------------------------------------------------------------------


def test_patience_and_history():
    # x, -x, x, …
    found = mc.minimize(
        "x'*x", "x", start={"x": np.ones(2)}, method="gradient-descent", rate=1.0, patience=4
    )
    assert (
        not found.converged
        and found.message.startswith("no progress in 4 steps (")
        and found.steps == 5
    )
    scipy = mc.minimize(
        "norm2(x)^4",
        "x",
        start={"x": np.ones(2)},
        method="L-BFGS",
        callback=lambda step, value, at: None,
    )
    assert scipy.history.values == sorted(scipy.history.values, reverse=True)


WORK = """
import sys, time, numpy as np, matcalc as mc
rng = np.random.default_rng(0)
x = rng.normal(size=(30, 4))
slow = (lambda *_: time.sleep(0.01)) if len(sys.argv) > 2 else None
options = dict(method="adam", rate=0.01, max_steps=150, tolerance=0, checkpoint=sys.argv[1], callback=slow)
found = mc.minimize("norm2(X*w - y)^2", "w", {"X": x, "y": x[:, 0]}, **options)
np.save(sys.argv[1] + ".done", found["w"])
"""


def test_a_killed_run_ends_where_the_whole_run_ends(tmp_path):
    whole, killed = tmp_path / "whole.npz", tmp_path / "killed.npz"
    subprocess.run([sys.executable, "-c", WORK, whole], check=True)
    process = subprocess.Popen([sys.executable, "-c", WORK, killed, "slow"])
    while not killed.exists():
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    subprocess.run([sys.executable, "-c", WORK, killed], check=True)
    np.testing.assert_array_equal(np.load(f"{whole}.done.npy"), np.load(f"{killed}.done.npy"))


def test_methods_of_scipy_go_on_from_the_saved_point(tmp_path):
    path = tmp_path / "c.npz"
    first = logistic("L-BFGS", checkpoint=path)
    again = logistic("L-BFGS", checkpoint=path)
    assert again.steps - first.steps <= 2
    np.testing.assert_allclose(again["w"], first["w"], atol=1e-7)
    with pytest.raises(mc.MatcalcError, match="belongs to another problem"):
        mc.minimize("x'*x", "x", start={"x": np.ones(99)}, checkpoint=path)


def test_progress_is_silent_in_a_pipe(capfd):
    logistic("L-BFGS")
    assert capfd.readouterr() == ("", "")


def test_a_bar_on_request(capfd):
    pytest.importorskip("rich")
    mc.minimize("x'*x", "x", start={"x": np.ones(2)}, method="momentum", max_steps=3, progress=True)
    assert capfd.readouterr().out == ""


def test_pictures(tmp_path):
    pytest.importorskip("matplotlib")
    logistic("L-BFGS").history.plot(tmp_path / "curve.svg")
    assert "<svg" in (tmp_path / "curve.svg").read_text()


# ---- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("X*w", "w", {"X": np.eye(2)}), "only a scalar can be minimized"),
        (("norm2(X*w - y)^2", "w", {"X": np.eye(2)}), "no data for y"),
        (("x'*x", "x"), "the size n of x is in no data|give start"),
        (("x'*x", "z"), "'z' is not in the expression"),
    ],
)
def test_what_does_not_fit_is_said(arguments, words):
    with pytest.raises(mc.MatcalcError, match=words):
        mc.minimize(*arguments)


def test_unknown_methods_are_said():
    with pytest.raises(mc.OptionProblem, match="did you mean newton-cg"):
        mc.minimize("x'*x", "x", start={"x": np.ones(2)}, method="newton")


def test_an_expression_keeps_what_its_variables_are_declared_to_be():
    s = mc.matrix("S", "n", "n", "spd")
    objective = Objective(mc.tr(s @ s) - mc.logdet(s), ["S"], {}, start={"S": 2 * np.eye(3)})
    assert objective.program.variables["S"] is s
    np.testing.assert_allclose(
        mc.minimize(mc.tr(s @ s) - mc.logdet(s), "S", start=objective.start)["S"],
        np.eye(3) / np.sqrt(2),
        atol=1e-6,
    )


def test_a_place_in_the_data_stays_a_number() -> None:
    found = mc.minimize("(x[i] - 1)^2 + norm2(x)^2", "x", {"i": 2}, start={"x": np.zeros(3)})
    np.testing.assert_allclose(found.arrays["x"], [0, 0.5, 0])


@pytest.mark.parametrize("method", ["BFGS", "Newton-CG", "trust-ncg"])
def test_a_step_that_leaves_the_positive_definite_matrices_is_shortened(method):
    A = np.random.default_rng(0).normal(size=(4, 4))
    C = A @ A.T / 4 + 0.1 * np.eye(4)
    found = mc.minimize(
        "logdet(S) + tr(inv(S)*C)",
        "S",
        {"C": C},
        shapes="S: n×n spd; C: n×n symmetric",
        method=method,
    )
    assert found.converged
    np.testing.assert_allclose(found["S"], C, atol=1e-6)


def test_a_start_without_a_value_is_refused():
    with pytest.raises(mc.MatcalcError, match="no value at the start"):
        mc.minimize(
            "logdet(S) + tr(inv(S)*C)",
            "S",
            {"C": np.eye(2)},
            shapes="S: n×n spd; C: n×n symmetric",
            start={"S": -np.eye(2)},
        )


def test_the_start_of_one_variable_may_be_an_array():
    data = {"X": np.eye(2), "y": np.ones(2)}
    np.testing.assert_allclose(
        mc.minimize("norm2(X*w - y)^2", "w", data, start=np.zeros(2))["w"], 1
    )
    with pytest.raises(mc.OptionProblem, match="one array for several variables"):
        mc.minimize("norm2(X*w - y)^2", ["w", "y"], {"X": np.eye(2)}, start=np.zeros(2))


@pytest.mark.parametrize(
    ("data", "start"),
    [({"X": "abc", "y": [1.0]}, None), ({"X": np.eye(2), "y": np.ones(2)}, {"w": "q"})],
)
def test_what_is_no_array_of_numbers_is_refused(data, start):
    with pytest.raises(mc.ShapeProblem, match="is no array of numbers"):
        mc.minimize("norm2(X*w - y)^2", "w", data, start=start)


@pytest.mark.parametrize(
    "given",
    [{"data": {"y": np.array([1j, 2.0])}}, {"data": {"y": np.ones(2)}, "start": np.ones(2) * 1j}],
)
def test_complex_numbers_are_refused_not_cut(given):
    with pytest.raises(mc.ShapeProblem, match="has complex numbers"):
        mc.minimize("norm2(x - y)^2", "x", **given)


def test_data_and_starts_by_the_wrong_name_are_refused():
    data = {"X": np.eye(2), "y": np.ones(2)}
    with pytest.raises(mc.OptionProblem, match="by name"):
        mc.minimize("norm2(x - y)^2", "x", [1, 2])
    with pytest.raises(mc.NameProblem, match="'z', which is not minimized by"):
        mc.minimize("norm2(X*w - y)^2", "w", data, start={"z": np.zeros(2)})
    with pytest.raises(mc.MissingData, match="no data for k"):
        mc.minimize("norm2(X^k*w)^2 + norm2(w - y)^2", "w", data, shapes="k: integer; X: n×n")


@pytest.mark.parametrize("x", [np.zeros(3), np.zeros((2, 1)), 1.0])
def test_a_point_of_another_length_is_refused(x):
    f = mc.value_and_grad("norm2(X*w - y)^2", "w", {"X": np.eye(2), "y": np.ones(2)})
    with pytest.raises(mc.ShapeProblem, match="one vector of 2 numbers"):
        f(x)
