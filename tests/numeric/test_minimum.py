"""Problems without a minimum that a method can reach, each reported as what it is.

Converged means what it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import matcalc as mc
from matcalc.numeric.feasible import holds
from matcalc.numeric.minimize import BOUNDED, SCIPY
from matcalc.numeric.minimum import ENDINGS, Minimum
from matcalc.numeric.optimizers import FIRST_ORDER
from matcalc.tables.properties import BY_NAME, ROWS

pytest.importorskip("scipy")
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(50, 4)), RNG.normal(size=50)
LEAST_SQUARES = {"objective": "norm2(X*w - y)^2", "wrt": "w", "data": {"X": X, "y": Y}}
TWO = np.array([1.0, 0.3])


def asked(objective: str, wrt: str, **options: Any) -> Mapping[str, Any]:
    return {"objective": objective, "wrt": wrt, **options}


# a name, what is asked, and the words for an end that are true of it, whatever the method
HOPELESS: dict[str, tuple[Mapping[str, Any], set[str]]] = {
    "a line": (asked("c'*w", "w", data={"c": np.ones(2)}), {"unbounded"}),
    "a concave parabola": (asked("-w'*w", "w", start=TWO), {"unbounded"}),
    "a cubic": (asked("sum(x.^3)", "x", start=TWO), {"unbounded", "saddle"}),
    "an indefinite form": (
        asked("x'*A*x", "x", data={"A": np.diag([1.0, -1.0])}, start=TWO),
        {"unbounded"},
    ),
    "an exponential to -inf": (asked("-sum(exp(x))", "x", start=TWO), {"unbounded"}),
    "a logarithm": (asked("-log(a)", "a", start=np.array(1.0)), {"unbounded", "limit"}),
    "a line in a half plane": (
        asked("c'*w", "w", data={"c": np.array([1.0, -1.0])}, shapes="w: n positive"),
        {"unbounded"},
    ),
    "trace of a definite matrix": (
        asked("tr(S)", "S", shapes="S: n×n spd", start=np.eye(2)),
        {"edge", "no descent", "limit"},
    ),
    "minus the logarithm of a determinant": (
        asked("-logdet(S)", "S", shapes="S: n×n spd", start=np.eye(2)),
        {"unbounded", "limit"},
    ),
    "a norm": (asked("norm1(x)", "x", start=TWO), {"kink", "no descent", "limit"}),
    "a largest entry": (asked("amax(abs(x)) + 1", "x", start=TWO), {"kink", "no descent", "limit"}),
    "a kink off zero": (
        asked("abs(a - 1) + 7", "a", start=np.array(0.3)),
        {"kink", "no descent", "limit", "converged"},
    ),
    "a root at its end": (
        asked("sum(sqrt(x))", "x", start=TWO),
        {"edge", "kink", "no descent", "limit"},
    ),
    "a slope to the end of a logarithm": (
        asked("sum(log(x) + x)", "x", start=TWO),
        {"edge", "unbounded", "no descent", "limit"},
    ),
    "two steps only": ({**LEAST_SQUARES, "max_steps": 2}, {"limit", "converged"}),
    "no step at all": ({**LEAST_SQUARES, "max_steps": 0}, {"limit"}),
    "a tolerance of zero": (
        {**LEAST_SQUARES, "tolerance": 0.0, "max_steps": 300},
        {"rounding", "limit", "no descent", "converged"},
    ),
    "values of 1e10": (
        asked("norm2(X*w - y)^2", "w", data={"X": 1e4 * X, "y": 1e4 * Y}),
        {"rounding", "limit", "no descent"},
    ),
    "a saddle": (asked("norm2(A - u*v')^2", ["u", "v"], data={"A": X}), {"saddle"}),
    "a peak": (asked("-x'*x", "x", start=np.zeros(2)), {"saddle"}),
    "a plateau": (asked("sum(relu(x))", "x", start=-9 * np.ones(2)), {"flat"}),
    "a constant": (asked("0*sum(x) + 3", "x", start=TWO), {"flat"}),
    "a sigmoid that is one": (asked("sigmoid(a)", "a", start=np.array(900.0)), {"flat"}),
}
METHODS = [*SCIPY, *FIRST_ORDER]


def truthful(found: Minimum, problem: Mapping[str, Any]) -> None:
    """What converged promises, and what a result always has."""
    assert np.isfinite(found.value)
    assert np.isfinite(found.gradient_norm)
    assert all(np.isfinite(a).all() for a in found.arrays.values())
    assert found.steps <= problem.get("max_steps", 1000)
    assert found.converged == (found.status == "converged")
    assert found.status in ENDINGS
    if found.converged and "positive" not in problem.get("shapes", ""):
        assert (
            found.gradient_norm
            <= problem.get("tolerance", 1e-8)
            * max(a.size for a in found.arrays.values()) ** 0.5
            * 2
        )


@pytest.mark.parametrize("name", HOPELESS)
def test_hopeless_problems_are_reported_as_what_they_are(name: str) -> None:
    problem, words = HOPELESS[name]
    found = mc.minimize(**problem)
    truthful(found, problem)
    assert found.status in words, found
    assert found.status in repr(found)


@pytest.mark.parametrize("method", METHODS)
def test_no_method_says_converged_where_nothing_is(method: str) -> None:
    wrong = []
    for name, (problem, words) in HOPELESS.items():
        if "positive" in problem.get("shapes", "") and method not in BOUNDED:
            continue
        found = mc.minimize(**{"max_steps": 200, **problem}, method=method)
        truthful(found, problem)
        if found.status not in words | {"limit", "no descent", "diverged"}:
            wrong.append(f"{name}: {found}")
    assert not wrong, "\n".join(wrong)


# ---- what can be solved is solved ----------------------------------------------------------------


@pytest.mark.parametrize("method", [m for m in METHODS if m != "adam"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
def test_least_squares_with_the_defaults_of_each_method(method: str, scale: float) -> None:
    data = {"X": scale * X, "y": scale * Y}
    found = mc.minimize("norm2(X*w - y)^2", "w", data, method=method)
    honest = {"converged"} if scale <= 1 else {"converged", "rounding", "limit"}
    if method == "trust-krylov":  # whose steps differ from run to run
        honest.add("limit")
    assert found.status in honest, found
    if found.converged:
        assert found.gradient_norm <= 2e-8
    np.testing.assert_allclose(
        found["w"], np.linalg.lstsq(X, Y, rcond=None)[0], rtol=0, atol=1e-2 if scale < 1 else 1e-7
    )


@pytest.mark.parametrize("method", ["gradient-descent", "sgd", "momentum"])
def test_a_rate_that_is_too_large_is_said_to_diverge(method: str) -> None:
    found = mc.minimize(**LEAST_SQUARES, method=method, rate=0.1)
    assert found.status == "diverged"
    assert "smaller rate" in found.message
    assert np.isfinite(found.value)
    short = mc.minimize(**LEAST_SQUARES, method=method, rate=0.1, max_steps=20)
    assert short.status == "diverged"


def test_sgd_is_without_momentum() -> None:
    options = {"rate": 1e-4, "max_steps": 7}
    plain = mc.minimize(**LEAST_SQUARES, method="gradient-descent", **options)
    np.testing.assert_array_equal(
        mc.minimize(**LEAST_SQUARES, method="sgd", **options)["w"], plain["w"]
    )
    heavy = mc.minimize(**LEAST_SQUARES, method="momentum", **options)
    assert heavy.value < plain.value


def test_searched_steps_keep_to_bounds() -> None:
    for method in ("gradient-descent", "momentum", "L-BFGS", "trust-constr"):
        found = mc.minimize(**LEAST_SQUARES, method=method, bounds={"w": (0.1, 0.2)})
        assert found.converged, found
        assert ((found["w"] >= 0.1) & (found["w"] <= 0.2)).all()


@pytest.mark.parametrize(
    "typed",
    [
        "LBFGS",
        "L-BFGS-B",
        "l_bfgs",
        "lbfgs",
        "GD",
        "gradient descent",
        "Newton CG",
        "trust_ncg",
        "ADAM",
        "BFGS",
    ],
)
def test_methods_by_the_names_that_people_type(typed: str) -> None:
    assert mc.minimize(**LEAST_SQUARES, method=typed).status in ("converged", "limit")


def test_a_searched_run_goes_on_from_its_checkpoint(tmp_path: Any) -> None:
    for method in ("gradient-descent", "momentum"):
        path = tmp_path / f"{method}.npz"
        whole = mc.minimize(**LEAST_SQUARES, method=method, tolerance=0.0, max_steps=12)
        mc.minimize(**LEAST_SQUARES, method=method, tolerance=0.0, max_steps=5, checkpoint=path)
        rest = mc.minimize(
            **LEAST_SQUARES, method=method, tolerance=0.0, max_steps=12, checkpoint=path
        )
        np.testing.assert_array_equal(rest["w"], whole["w"])


# ---- declared properties -------------------------------------------------------------------------


def test_positive_and_unit_become_bounds() -> None:
    found = mc.minimize("norm2(x + ones(n))^2", "x", shapes="x: n positive", start=np.ones(2))
    assert found.converged
    np.testing.assert_array_equal(found["x"], 0)
    found = mc.minimize("norm2(x - 3*ones(n))^2", "x", shapes="x: n unit", start=np.ones(2) / 2)
    np.testing.assert_array_equal(found["x"], 1)
    found = mc.minimize(
        "norm2(x - 3*ones(n))^2", "x", shapes="x: n positive", start=np.ones(2), bounds=(None, 2)
    )
    np.testing.assert_array_equal(found["x"], 2)
    with pytest.raises(mc.Unsupported, match="x is declared positive, and cg knows no bounds"):
        mc.minimize(
            "norm2(x + ones(n))^2", "x", shapes="x: n positive", start=np.ones(2), method="CG"
        )


@pytest.mark.parametrize("prop", [row.name for row in ROWS if row.on_a_set])
def test_sets_that_no_method_keeps_to_are_refused_by_name(prop: str) -> None:
    name, shape = ("Q", "n×n") if prop == "orthogonal" else ("x", "n")
    with pytest.raises(
        mc.Unsupported, match=f"{name} is declared {prop}, which minimize does not keep to"
    ):
        mc.minimize(
            f"norm2({name})^2",
            name,
            start=np.eye(2) if name == "Q" else np.ones(2),
            shapes=f"{name}: {shape} {prop}",
        )


@pytest.mark.parametrize("method", METHODS)
def test_a_matrix_stays_in_the_space_that_is_declared(method: str) -> None:
    C = RNG.normal(size=(3, 3))
    for prop in (row.name for row in ROWS if row.projection):
        found = mc.minimize(
            "norm2(S - C)^2",
            "S",
            {"C": C},
            shapes=f"S: n×n {prop}; C: n×n",
            start=np.zeros((3, 3)),
            method=method,
        )
        assert holds(prop, found["S"])
        assert found.converged or method == "adam", found


@pytest.mark.parametrize("prop", [row.name for row in ROWS if row.variable])
def test_data_that_is_not_what_is_declared_is_refused(prop: str) -> None:
    square = BY_NAME[prop].square
    wrong = np.array([[1.0, 2.0], [3.0, 4.0]]) if square else np.array([-2.0, 3.0])
    expression, shape = (
        ("tr(P*W) + norm2(W)^2", "n×n") if square else ("sum(P.*W) + norm2(W)^2", "n")
    )
    start = np.zeros((2, 2)) if square else np.zeros(2)
    with pytest.raises(mc.ShapeProblem, match=f"P is declared {prop}, its array is not"):
        mc.minimize(
            expression, "W", {"P": wrong}, shapes=f"P: {shape} {prop}; W: {shape}", start=start
        )


def test_a_start_outside_what_is_declared_is_refused() -> None:
    with pytest.raises(mc.ShapeProblem, match="S is declared symmetric"):
        mc.minimize(
            "norm2(S)^2", "S", shapes="S: n×n symmetric", start=np.array([[1.0, 2.0], [0.0, 1.0]])
        )


# ---- what is said --------------------------------------------------------------------------------


def test_nan_in_the_data_is_named_with_its_place() -> None:
    holed = X.copy()
    holed[3, 1] = holed[7, 0] = np.nan
    with pytest.raises(mc.MatcalcError, match=r"X\[4,2\] is nan, and 1 more of its entries"):
        mc.minimize("norm2(X*w - y)^2", "w", {"X": holed, "y": Y})
    with pytest.raises(mc.MatcalcError, match=r"y\[2\] is nan"):
        mc.minimize("norm2(X*w - y)^2", "w", {"X": np.eye(2), "y": np.array([1.0, np.nan])})
    with pytest.raises(mc.MatcalcError, match="the start of w has nan"):
        mc.minimize("norm2(X*w - y)^2", "w", {"X": X, "y": Y}, start=np.full(4, np.nan))
    with pytest.raises(mc.MatcalcError, match="no finite value at the start — y is not finite"):
        mc.minimize("norm2(X*w - y)^2", "w", {"X": np.eye(2), "y": np.array([1.0, np.inf])})
    with pytest.raises(mc.MatcalcError, match="no finite value at the start — give another start"):
        mc.minimize("sum(log(x))", "x", start=-np.ones(2))


def test_a_result_says_how_it_ended_in_words() -> None:
    lines = repr(mc.minimize(**LEAST_SQUARES)).split("\n")
    assert lines[0].startswith("converged after ")
    assert lines[0].endswith(" evaluations: the gradient is within the tolerance")
    assert lines[1].startswith("value 70.76182392, norm of the gradient ")
    assert lines[2].startswith("w = [ 0.01")
    short = mc.minimize(**LEAST_SQUARES, max_steps=1)
    assert repr(short).startswith("limit after 1 step, ")
    assert "the limit of 1 step is reached (largest entry of the gradient " in short.message
    assert "tolerance 1e-08)" in short.message


def test_a_callback_may_stop_and_its_errors_come_out() -> None:
    def stop(step: int, value: float, arrays: Mapping[str, Any]) -> None:
        if step == 2:
            raise StopIteration

    def fail(step: int, value: float, arrays: Mapping[str, Any]) -> None:
        raise ValueError("of the user")

    for method in ("L-BFGS", "CG", "GD", "adam"):
        found = mc.minimize(**LEAST_SQUARES, method=method, callback=stop)
        assert (found.status, found.steps) == ("stopped", 2)
        with pytest.raises(ValueError, match="of the user"):
            mc.minimize(**LEAST_SQUARES, method=method, callback=fail)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bounds": {"z": (0, 1)}}, "bounds for 'z', which is not minimized by"),
        ({"bounds": (1, 0)}, "a lower bound of w is above the upper one"),
        ({"bounds": {"w": (np.zeros(3), None)}}, r"a bound of w has shape \(3,\)"),
        ({"bounds": {"w": 3}}, "the bounds of w are no pair"),
        ({"bounds": {"w": ("a", 1)}}, "a bound of w is no array of numbers"),
        ({"bounds": {"w": (float("nan"), 1)}}, "a bound of w is nan"),
        ({"tolerance": -1.0}, "tolerance is -1.0"),
        ({"rate": 0.0, "method": "gd"}, "rate is 0.0"),
        ({"max_steps": -1}, "max_steps is -1"),
        ({"patience": 0}, "patience is 0"),
        ({"method": "nelder-mead"}, "unknown method 'nelder-mead'"),
    ],
)
def test_options_that_do_not_fit_are_named(options: Mapping[str, Any], words: str) -> None:
    with pytest.raises(mc.MatcalcError, match=words):
        mc.minimize(**LEAST_SQUARES, **options)


def test_bounds_of_one_variable_may_be_a_pair() -> None:
    np.testing.assert_allclose(
        mc.minimize("x'*x", "x", start=np.ones(2), bounds=(0.5, 1))["x"], 0.5
    )
    with pytest.raises(mc.OptionProblem, match="one pair for several variables"):
        mc.minimize(
            "x'*x + y'*y", ["x", "y"], start={"x": np.ones(2), "y": np.ones(2)}, bounds=(0, 1)
        )
