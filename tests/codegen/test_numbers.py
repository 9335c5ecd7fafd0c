"""Scalars given as Python numbers: infinite or nan where NumPy's are, on every target."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from reference import emit
from targets import installed

import matcalc as mc
from matcalc.codegen.compiled import load

X = [1.0, 1.0]
CASES: list[tuple[str, dict[str, Any], Any]] = [
    ("1/a", {"a": 0.0}, np.inf),
    ("1/a", {"a": 0}, np.inf),
    ("a^(-2)", {"a": 0}, np.inf),
    ("a^(-1/2)", {"a": 0.0}, np.inf),
    ("1/a - 1/b", {"a": 0, "b": 0}, np.nan),
    ("a/b*x", {"a": 1.0, "b": 0.0, "x": X}, [np.inf, np.inf]),
    ("a^2", {"a": 1e300}, np.inf),
    ("a^b", {"a": 1e300, "b": 3.0}, np.inf),
    ("a^5*sum(x)", {"a": 10**80, "x": X}, np.inf),
    ("a^b", {"a": 0.0, "b": -1.0}, np.inf),
    ("a^b", {"a": -1.0, "b": 0.5}, np.nan),
    ("a^(1/3)", {"a": -8.0}, np.nan),
    ("abs(a^(1/3))*x", {"a": -8, "x": X}, [np.nan, np.nan]),
    ("(a - b)^(2/3)", {"a": 1.0, "b": 2.0}, np.nan),
    ("a^(n/4)*sum(x)", {"a": -1.0, "x": X}, np.nan),
    ("(n - 5)^(1/3)*x", {"x": X}, [np.nan, np.nan]),
    ("(n - 5)^(1/2)*x", {"x": X}, [np.nan, np.nan]),
    ("exp(a)", {"a": 1000.0}, np.inf),
    ("log(a)/a", {"a": 0}, -np.inf),
    ("a*x", {"a": 10**20, "x": X}, [1e20, 1e20]),
    ("a + 1", {"a": True}, 2.0),
]


def compiled(text: str, target: str) -> Callable[..., Any]:
    if target == "jax":
        import_module("jax").config.update("jax_enable_x64", True)
    return mc.parse(text, "x: n" if "x" in text.replace("exp", "") else None).compile(target)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("target", installed())
@pytest.mark.parametrize(("text", "arguments", "wanted"), CASES)
def test_number_of_python(text: str, arguments: dict[str, Any], wanted: Any, target: str) -> None:
    f = compiled(text, target)
    arguments = {
        n: np.array(value) if isinstance(value, list) else value for n, value in arguments.items()
    }
    for _ in range(2):  # the second call of a function is another way through it
        got = np.asarray(f(**arguments))
        assert got.dtype.kind == "f"
        np.testing.assert_allclose(got, wanted, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.parametrize("text", ["expm(A)", "expm_frechet(A, A)"])
@pytest.mark.parametrize("target", [t for t in installed() if t != "jax"])  # which compiles anew
def test_exponential_of_what_is_not_finite(target: str, text: str, number: float) -> None:
    a = np.array([[1.0, number], [0.0, 1.0]])
    got = np.asarray(compiled(text, target)(A=a))
    assert np.isnan(got).any()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("target", installed())
@pytest.mark.parametrize(
    ("text", "problem"),
    [("x*(1/((n - 2)^2))", "division by zero"), ("n^2000*x", "beyond double precision")],
)
def test_number_made_of_sizes_says_at_which(text: str, problem: str, target: str) -> None:
    try:
        got = np.asarray(compiled(text, target)(x=np.array(X)))
    except mc.ShapeProblem as found:
        assert problem in str(found) and "n=2" in str(found)
        return
    assert np.isinf(got).all()


@pytest.mark.parametrize("target", installed())
def test_number_that_no_double_holds(target: str) -> None:
    with pytest.raises(mc.ShapeProblem, match="a is beyond the numbers of double precision"):
        compiled("2*a", target)(a=10**400)


@pytest.mark.parametrize(
    "text",
    [
        "[a, 1/3]",
        "a*ones(n)",
        "logdet(3*eye(n) + a*ones(n,n))",
        "exp(-ones(n))",
        "[a; 1/3]'*[1; a]",
    ],
)
@pytest.mark.parametrize("target", installed("numpy", "numba"))
def test_numbers_alone_are_of_double_precision(text: str, target: str) -> None:
    e = mc.parse(text)
    for _ in range(2):
        got = e.compile(target)(a=0.1, n=2)
        source = emit(e)
        plain = load(source)(*({"a": 0.1, "n": 2}[n] for n in source.parameters.values()))
        assert np.asarray(got).dtype == np.asarray(plain).dtype == np.float64
        np.testing.assert_allclose(got, plain, rtol=1e-13)


def test_numbers_have_the_precision_of_the_arrays() -> None:
    f = mc.parse("a*x + ones(n)").compile()
    assert f(a=0.1, x=np.ones(2, np.float32)).dtype == np.float32
    assert mc.parse("a*ones(n)").compile()(a=np.float32(0.1), n=2).dtype == np.float32


def test_kronecker_product_with_a_number_is_a_multiple() -> None:
    for text in ("kron(a, b)", "kron(a, x)", "kron(x', a)"):
        e = mc.parse(text)
        source = emit(e)
        got = load(source)(
            *({"a": 2.0, "b": 3.0, "x": np.ones(3)}[n] for n in source.parameters.values())
        )
        assert np.ndim(got) == len(e.shape) - (text == "kron(x', a)")
