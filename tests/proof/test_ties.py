"""Values that are equal by the form of the argument: the printed gradient is right there too.

Where both one-sided differences along a direction agree the function is smooth along it, and the
gradient must say the same. Values are entries, eigenvalues and singular values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import points
import pytest

import matcalc as mc
from matcalc import expr as ex
from matcalc.expr.sizes import length

STEP = 1e-6
SMOOTH = 1e-3  # how much the sides may differ, and the gradient from them, relatively
DECLARED = {"A": "n×n", "S": "n×n sym", "X": "m×n", "x": "n", "y": "n", "z": "3", "a": "scalar"}

EQUAL_ENTRIES = (
    "A + A'",
    "A.*A'",
    "A*A'",
    "X'*X - eye(n)",
    "A - A'",
    "S",
    "[A,A]",
    "[A;A']",
    "kron(eye(2),A)",
    "vec(A + A')",
    "x*ones(1,n)",
    "[x;x]",
    "[x;-x]",
    "skew(z)",
    "x*x' + y*y'",
    "kron(x,x)",
    "a*eye(n)",
    "tril(A)",
    "diag(x)",
    "exp(A + A')",
    "abs(A - A')",
)
OF_ENTRIES = (
    "amax({})",
    "amin({})",
    "norminf({})",
    "amax({})*amin(2*({}))",
    "amax(abs({})) - amin({})",
)
EQUAL_EIGENVALUES = (
    "[S,zeros(n,n);zeros(n,n),S]",
    "kron(eye(2),S)",
    "kron(S,eye(2))",
    "a*eye(n)",
    "x*x' + y*y'",
)
OF_EIGENVALUES = (
    "lambda_max({})",
    "lambda_min({})",
    "sum(eigvals({}).^3)",
    "eigvals({})[2]",
    "amax(abs(eigvals({})))",
)
EQUAL_SINGULAR_VALUES = (
    "kron(eye(2),X)",
    "[X,zeros(m,n);zeros(m,n),X]",
    "a*eye(n)",
    "skew(z)",
    "x*y'",
    "A - A'",
    "[X,X]",
    "x*x'",
)
OF_SINGULAR_VALUES = ("normspec({})", "normnuc({})", "normspec({})*normnuc({})")
WITH_KINKS = (
    "lambda_max(x*x')",
    "lambda_min(x*x')",
    "sum(eigvals(x*x').^3)",
    "sum(exp(eigvals(x*x')))",
    "sum(max(A, A'))",
    "sum(min(A, A'))",
    "max(tr(A*B), tr(B*A))",
    "sum(abs(A - A'))",
    "norm1(A - A')",
    "sum(relu(tril(A)))",
    "sum(huber(tril(A),0.5))",
    "sum(max(abs(A), abs(A')))",
    "sum(elu(A - A'))",
    "norm1(skew(z))",
    "sum(pinv(x*y'))",
    "sum(pinv(X*X'))",
    "sum(pinv([X,X]))",
)
PAIRS = (
    (OF_ENTRIES, EQUAL_ENTRIES),
    (OF_EIGENVALUES, EQUAL_EIGENVALUES),
    (OF_SINGULAR_VALUES, EQUAL_SINGULAR_VALUES),
    (WITH_KINKS, ("",)),
)
TEXTS = [f.replace("{}", x) for functions, arguments in PAIRS for f in functions for x in arguments]


def slopes(f: Any, at: dict[str, Any], name: str, direction: Any) -> tuple[float, float]:
    """The differences to the left and to the right."""
    left, here, right = (f(**(at | {name: at[name] + h * direction})) for h in (-STEP, 0.0, STEP))
    return float(here - left) / STEP, float(right - here) / STEP


@pytest.mark.parametrize("text", TEXTS)
def test_gradient_where_values_are_equal_by_form(text: str) -> None:
    names = {v.name for v in ex.variables(mc.parse(text, {**DECLARED, "B": "n×n"}))}
    declared = {name: shape for name, shape in {**DECLARED, "B": "n×n"}.items() if name in names}
    wrt = next(name for name in "ASXxza" if name in names)
    d = mc.derive(text, wrt, declared)
    f, gradient = mc.parse(text, declared).compile(), d.compile()
    smooth = 0
    for seed, sizes in enumerate([{"n": 3, "m": 4}, {"n": 4, "m": 2}, {"n": 2, "m": 3}]):
        rng = np.random.default_rng(seed)
        shape_of = {
            v.name: tuple(length(size, sizes) for size in v.shape_ if size)
            for v in ex.variables(d.expr)
        }
        at = {v.name: points.draw(v, shape_of[v.name], rng) for v in ex.variables(d.expr)} | sizes
        for _ in range(3):
            direction = rng.normal(size=shape_of[wrt])
            direction = direction + direction.T if wrt == "S" else direction
            left, right = slopes(f, at, wrt, direction)
            if abs(left - right) < SMOOTH * (1 + abs(right)):
                smooth += 1
                assert np.sum(gradient(**at) * direction) == pytest.approx(
                    right, abs=SMOOTH * (1 + abs(right))
                )
    assert smooth >= 3


@pytest.mark.parametrize("text", ["amax(x)", "amin(x)", "norminf(x)", "lambda_max(x*x')"])
def test_gradient_of_single_precision_is_of_single_precision(text: str) -> None:
    f = mc.derive(text, "x").compile()
    assert f(x=np.array([1.0, 3.0, 3.0], np.float32)).dtype == np.float32


@pytest.mark.parametrize("structure", ["", " upper", " diagonal"])
@pytest.mark.parametrize("f", ["erf", "tanh", "sigmoid", "normcdf"])
@pytest.mark.parametrize("options", [{}, {"along": "V"}])
def test_entries_that_are_nearly_equal_are_not_told_apart(
    f: str, structure: str, options: dict[str, str]
) -> None:
    """Far out these functions differ from 1 by less than the noise of many digits."""
    assert mc.derive(f"amax({f}(Q))", "Q", f"Q: n×n{structure}", **options).verification.ok


AT_KINKS = ("huber(max(y, x), 1)", "max(y, x).^2", "relu(y - x).^2", "hardtanh(x).^2.*step(y - x)")


@pytest.mark.parametrize("text", AT_KINKS)
@pytest.mark.parametrize("values", ["mask", "pm1", "onehot"])
def test_variables_whose_values_lie_on_kinks(text: str, values: str) -> None:
    """The exact check has the same conventions at kinks as the derivatives."""
    d = mc.derive(text, "x", f"x: n {values}; y: n {values}", order=2, along="v")
    assert d.verification.exact is not False


@pytest.mark.parametrize("y", ["n", "n onehot"])
@pytest.mark.parametrize(
    ("text", "slope"),
    [("sum(relu(r))*sum(y)", "step(r)*sum(y)"), ("sum(max(r, y))", "step(r - y)")],
)
def test_rounding_leaves_no_slopes(text: str, slope: str, y: str) -> None:
    """At a kink whose slopes are zero a right claim may be rounding."""
    zero = "arctanh(tanh(sum(y))/2) - log((1 + tanh(sum(y))/2)/(1 - tanh(sum(y))/2))/2"
    assert not mc.check(text, "r", f"{slope} + ({zero})", {"r": "n", "y": y}).wrong
