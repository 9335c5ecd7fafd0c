"""Generated NumPy code: right values, the caller's types and layouts, arguments checked first,
readable source.
"""

from __future__ import annotations

import ast
import keyword
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import scalars
from targets import installed

import matcalc as mc
from matcalc.codegen import TARGETS
from matcalc.errors import MatcalcError, MissingData, OptionProblem, ShapeProblem
from matcalc.expr import variables

RNG = np.random.default_rng(7)
A, B = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4))
S, T = RNG.normal(size=(3, 3)) + 3 * np.eye(3), RNG.normal(size=(3, 3))
x, z = RNG.normal(size=4), RNG.normal(size=3)
p = RNG.uniform(0.5, 2, size=4)
a, b = 1.7, 0.6
POINT = {"A": A, "B": B, "S": S, "T": T, "x": x, "z": z, "p": p, "a": a, "b": b, "m": 3, "n": 4}
SHAPES = "A: m×n; B: m×n; S: m×m; T: m×m; x: n; z: m; p: n; a: scalar; b: scalar"


def sigmoid(u):
    return 1 / (1 + np.exp(-u))


def softmax(u):
    return np.exp(u) / np.exp(u).sum(-1, keepdims=True)


VALUES = {
    "A*x - z": A @ x - z,
    "z'*A": z @ A,
    "z'*A*x": z @ A @ x,
    "z*x'": np.outer(z, x),
    "z*x'*A'": np.outer(z, x) @ A.T,
    "x*(z'*S*z)*x'*p": x * (z @ S @ z) * (x @ p),
    "A'*S*A": A.T @ S @ A,
    "A.*B": A * B,
    "A./(1 + B.^2)": A / (1 + B**2),
    "-A.*B + 2*A - B/3": -A * B + 2 * A - B / 3,
    "A + x'": A + x,
    "A - a": A - a,
    "1 - A": 1 - A,
    "x + x'*x": x + x @ x,
    "p.^a": p**a,
    "a.^p": a**p,
    "p.^x": p**x,
    "a^b": a**b,
    "2^a": 2**a,
    "a^-2": a**-2,
    "1/a/b": 1 / a / b,
    "(a+b)/(a-b)": (a + b) / (a - b),
    "-a^2": -(a**2),
    "(-a)^2": a**2,
    "1./p": 1 / p,
    "sqrt(p)": np.sqrt(p),
    "p.^(1/3)": np.cbrt(p),
    "p.^-1.5": p**-1.5,
    "sum(A)": A.sum(),
    "sum(x)/n": x.mean(),
    "norm2(A*x)^2/m": (A @ x) @ (A @ x) / 3,
    "norm2(A)": np.sqrt((A**2).sum()),
    "norm1(A)": np.abs(A).sum(),
    "tr(S*T)": np.trace(S @ T),
    "tr(S)": np.trace(S),
    "det(S)": np.linalg.det(S),
    "logdet(S*S')": np.linalg.slogdet(S @ S.T)[1],
    "inv(S)*z": np.linalg.solve(S, z),
    "S^3": S @ S @ S,
    "S^-2": np.linalg.inv(S @ S),
    "S^0": np.eye(3),
    "pinv(A)": np.linalg.pinv(A),
    "diag(x)": np.diag(x),
    "diag(z)*A*diag(x)": np.diag(z) @ A @ np.diag(x),
    "diag(z)*diag(z)": np.diag(z * z),
    "diag(S*T)": np.diag(S @ T),
    "A*diag(x)*x": A @ (x * x),
    "kron(S,A)": np.kron(S, A),
    "vec(A)": A.ravel("F"),
    "vec(A)'*vec(B)": (A * B).sum(),
    "ones(m)'*A": A.sum(0),
    "A*ones(n)": A.sum(1),
    "A*vector(1)": A.sum(1),
    "A + matrix(1)": A + 1,
    "S + 2*eye(m)": S + 2 * np.eye(3),
    "S + eye": S + np.eye(3),
    "x + 0*p": x,
    "zeros(m,n) + A": A,
    "exp(-a)*A": np.exp(-a) * A,
    "log(p) + log1p(p) + expm1(x)": np.log(p) + np.log1p(p) + np.expm1(x),
    "sin(x) + cos(x) - tan(x/9)": np.sin(x) + np.cos(x) - np.tan(x / 9),
    "arcsin(x/9) + arccos(x/9) + arctan(x)": np.arcsin(x / 9) + np.arccos(x / 9) + np.arctan(x),
    "sinh(x) + cosh(x) + tanh(x)": np.sinh(x) + np.cosh(x) + np.tanh(x),
    "relu(x) + abs(x) - sign(x) + step(x)": np.maximum(x, 0) + np.abs(x) - np.sign(x) + (x > 0),
    "sigmoid(A*x) + softplus(A*x)": sigmoid(A @ x) + np.log1p(np.exp(A @ x)),
    "softmax(x)": softmax(x),
    "softmax(x')": softmax(x),
    "softmax_rows(A)": softmax(A),
    "logsumexp(x)": np.log(np.exp(x).sum()),
    "logsumexp_rows(A)": np.log(np.exp(A).sum(1)),
    "x - logsumexp(x) - logsoftmax(x)": 0 * x,
    "expm(0*S)": np.eye(3),
    "expm(diag(z))": np.diag(np.exp(z)),
    "r = A*x - z; r'*r + norm2(r)": (A @ x - z) @ (A @ x - z) + np.linalg.norm(A @ x - z),
    "0.1*a + 0.2*a": 0.3 * a,
    "1/3*a": a / 3,
    "1e-3*a": a / 1000,
}


@pytest.mark.parametrize("text", VALUES)
def test_values(text):
    found = mc.parse(text, SHAPES).compile()(**POINT)
    np.testing.assert_allclose(found, VALUES[text], rtol=1e-10, atol=1e-12)
    assert np.shape(found) == np.shape(VALUES[text])


def test_stable_where_the_formula_overflows():
    big = {"x": np.array([800.0, -800.0])}
    for text, value in (
        ("sigmoid(x)", [1, 0]),
        ("softplus(x)", [800, 0]),
        ("softmax(x)", [1, 0]),
        ("logsumexp(x)", 800),
        ("logsoftmax(x)", [0, -1600]),
    ):
        np.testing.assert_allclose(mc.parse(text).compile()(**big), value, atol=1e-300)


# ---- types ---------------------------------------------------------------------------------------


TYPED = [text for text in VALUES if text not in ("S^0", "expm(0*S)")]


@pytest.mark.parametrize("text", TYPED)
def test_the_type_that_comes_in_goes_out(text, dtype=np.float32):
    found = mc.parse(text, SHAPES).compile()(
        **{
            name: value if name in "mn" else np.asarray(value).astype(dtype)
            for name, value in POINT.items()
        }
    )
    assert np.asarray(found).dtype == dtype
    np.testing.assert_allclose(found, VALUES[text], rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize(
    "text", ["eye(3)", "ones(3)", "eye(n)", "ones(m,n)/2", "zeros(2,3)", "sum(x) - x'*ones(n) + 2"]
)
def test_constants_are_of_double_precision(text):
    found = mc.parse(text, "x: n").compile()(n=3, m=2, x=np.ones(3))
    assert np.asarray(found).dtype in (np.float64, np.int64)


def test_integers_and_lists_are_numbers():
    f = mc.parse("A*x/2 + p.^-1").compile()
    np.testing.assert_allclose(f(A=[[1, 2], [3, 4]], x=[1, 1], p=[2, 4]), [2, 3.75])
    np.testing.assert_allclose(
        f(A=np.eye(2, dtype=int), x=np.arange(2), p=np.array([1, 2], dtype=np.int8)), [1, 1]
    )
    np.testing.assert_allclose(f(A=np.eye(2, dtype=bool), x=(True, False), p=[1, 1]), [1.5, 1])


def test_inputs_are_left_alone():
    arguments = {name: np.array(value) for name, value in POINT.items()}
    arguments["B"] = np.asfortranarray(B)
    for text in (
        "x",
        "A'",
        "relu(x) + x",
        "S^2",
        "exp(vec(A))",
        "exp(vec(A'))",
        "sigmoid(vec(B))",
        "exp(vec(B'))",
        "exp(kron(x, z))",
    ):
        mc.parse(text, SHAPES).compile()(**arguments)
    for name, value in POINT.items():
        np.testing.assert_array_equal(arguments[name], value)


def test_views_of_any_layout():
    f = mc.parse("A'*A*x").compile()
    expected = f(A=A, x=x)
    np.testing.assert_allclose(f(A=np.asfortranarray(A), x=x), expected)
    np.testing.assert_allclose(f(A=np.repeat(A, 2, 0)[::2], x=np.repeat(x, 2)[::2]), expected)
    np.testing.assert_allclose(f(A=A[::-1][::-1], x=x[::-1][::-1]), expected)


# ---- layouts and checks --------------------------------------------------------------------------


def test_columns_come_back_as_columns():
    f = mc.parse("A*x + 1").compile()
    assert f(A=A, x=x).shape == (3,)
    assert f(A=A, x=x[:, None]).shape == (3, 1)
    np.testing.assert_array_equal(f(A=A, x=x[:, None])[:, 0], f(A=A, x=x))
    value, gradient = mc.derive("norm2(A*x)", "x").compile(value=True)(A=A, x=x[:, None])
    assert np.shape(value) == ()
    assert gradient.shape == (4, 1)
    assert mc.parse("x*x'").compile()(x=x[:, None]).shape == (4, 4)


def test_an_array_of_one_number_is_a_number():
    f = mc.parse("a*x").compile()
    np.testing.assert_allclose(f(a=np.array([2.0]), x=x), 2 * x)


MISFITS = (
    ("A*x", {"A": A, "x": z}, "x has shape \\(3,\\)"),
    ("A*x", {"A": x, "x": x}, "A has shape \\(4,\\)"),
    ("A*x", {"A": A, "x": 1.0}, "x has shape \\(\\)"),
    ("A*x", {"A": A, "x": A}, "x has shape"),
    ("A*x", {"A": A[None], "x": x}, "A has shape"),
    ("A.*B", {"A": A, "B": B.T}, "B has shape \\(4, 3\\)"),
    ("tr(A)", {"A": A}, "A has shape \\(3, 4\\)"),
    ("a*x", {"a": x, "x": x}, "a has shape"),
)


@pytest.mark.parametrize(("text", "arguments", "message"), MISFITS)
def test_wrong_shapes_are_refused_before_any_work(text, arguments, message):
    f = mc.parse(text).compile()
    f.raw = lambda *_: pytest.fail("it began to work")
    with pytest.raises(ShapeProblem, match=message):
        f(**arguments)


def test_declared_sizes_are_checked():
    f = mc.parse("A*x", "A: 3×4").compile()
    assert f(A=A, x=x).shape == (3,)
    with pytest.raises(ShapeProblem, match="A is 3×4"):
        f(A=A[:2], x=x)


@pytest.mark.parametrize(
    "value",
    ["text", None, object(), {"x": 1}, ["a", "b", "c", "d"], [[1, 2], [3]]],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_array_is_named(value):
    with pytest.raises((MatcalcError, TypeError, ValueError), match=r"\bx\b"):
        mc.parse("A*x").compile()(A=A, x=value)


def test_missing_and_superfluous_arguments():
    f = mc.parse("A*x").compile()
    with pytest.raises(MissingData, match=r"missing argument x.* A, x"):
        f(A=A)
    np.testing.assert_array_equal(f(**POINT), A @ x)


def test_sizes_that_no_array_shows_are_arguments():
    f = mc.parse("a*ones(n)").compile()
    assert set(f.parameters) == {"a", "n"}
    np.testing.assert_array_equal(f(a=2, n=3), [2, 2, 2])
    with pytest.raises(MissingData, match="missing argument n"):
        f(a=2)


@pytest.mark.parametrize("size", [-3, 2.5, "x", None, [3], float("nan")], ids=repr)
def test_a_size_is_a_positive_integer(size):
    with pytest.raises(MatcalcError, match=r"\bn\b"):
        mc.parse("a*ones(n)").compile()(a=2.0, n=size)


def test_empty_arrays_are_refused_or_empty():
    try:
        assert mc.parse("2*x").compile()(x=np.ones(0)).shape == (0,)
    except ShapeProblem as problem:
        assert "x" in problem.message


def test_targets():
    assert "numpy" in TARGETS
    with pytest.raises(OptionProblem, match="numpy"):
        mc.parse("x").compile("fortran")


# ---- source --------------------------------------------------------------------------------------


def test_the_source_is_what_a_person_would_write():
    d = mc.derive("norm2(X*w - y)^2", "w")
    first, *_, last = d.compile().source.strip().splitlines()
    assert (first, last) == ("import numpy as np", "    return 2.0*(X.T @ (X @ w - y))")
    assert "def gradient(X, w, y):" in d.compile().source


def test_vectors_are_met_first():
    assert "outer" not in mc.parse("A*B'*A*x").compile().source
    assert mc.parse("A*B*C*x").compile().source.rstrip().endswith("A @ (B @ (C @ x))")


def test_shared_parts_are_computed_once():
    source = mc.derive("sum(tanh(A*x).^2)", "A").compile(value=True).source
    assert source.count("np.tanh") == 1
    assert source.count("A @ x") == 1


@pytest.mark.parametrize("text", VALUES)
def test_the_source_stands_alone(text):
    f = mc.parse(text, SHAPES).compile()
    scope: dict[str, Any] = {}
    exec(f.source, scope)
    tree = ast.parse(f.source)
    (function,) = [
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "f"
    ]
    known = (
        set(scope)
        | {"len", "float", "max", "int", "range", "getattr"}
        | {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    )
    known |= {
        argument.arg
        for node in ast.walk(tree)
        if isinstance(node, ast.arguments)
        for argument in node.args
    }
    assert {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} <= known
    assert not any(keyword.iskeyword(argument.arg) for argument in function.args.args)
    assert all(len(line) <= 160 for line in f.source.splitlines())
    arguments = [POINT[argument.arg] for argument in function.args.args]
    np.testing.assert_allclose(scope["f"](*arguments), VALUES[text], rtol=1e-10, atol=1e-12)


def test_code_of_a_very_large_expression():
    text = "sum(" + "+".join(f"tanh({i}*x)" for i in range(1, 3000)) + ")"
    np.testing.assert_allclose(
        mc.parse(text).compile()(x=np.array([0.5])), sum(np.tanh(0.5 * i) for i in range(1, 3000))
    )
    deep = "sin(" * 900 + "x" + ")" * 900
    value = np.array([0.5])
    for _ in range(900):
        value = np.sin(value)
    np.testing.assert_allclose(mc.parse(deep).compile()(x=np.array([0.5])), value)


# ---- printed and compiled agree ------------------------------------------------------------------


def arguments_for(e, sizes, seed):
    """A random point that keeps what is declared of symmetric and of positive definite matrices."""
    rng = np.random.default_rng(seed)
    point = {}
    for v in variables(e):
        value = rng.normal(size=[sizes.get(size, size) for size in v.shape])
        value = value @ value.T + np.eye(len(value)) if "spd" in v.properties else value
        value = np.diag(np.diag(value)) if "diagonal" in v.properties else value
        point[v.name] = (
            value + value.T
            if "symmetric" in v.properties
            else np.abs(value)
            if "positive" in v.properties
            else value
        )
    return point


@settings(max_examples=80, deadline=None)
@given(scalars(depth=2))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_printed_means_the_same(case):
    text, shapes = case
    e = mc.parse(text, shapes)
    again = mc.parse(str(e), shapes)
    sizes = {"m": 3, "n": 4, "p": 2}
    values = {**arguments_for(e, sizes, len(text)), **sizes}
    one, other = e.compile()(**values), again.compile()(**values)
    np.testing.assert_allclose(one, other, rtol=1e-8, equal_nan=True)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_sigmoid_of_large_arrays_is_that_of_small_ones(dtype):
    x = np.concatenate(
        [[-np.inf, np.inf, np.nan, 0.0, -800.0, 800.0], np.linspace(-60, 60, 3000)]
    ).astype(dtype)
    f = mc.parse("sigmoid(x)", "x: n").compile()
    with np.errstate(all="raise", under="ignore"):
        found = f(x=x)
    assert found.dtype == dtype
    expected = [f(x=x[i : i + 500]) for i in range(0, len(x), 500)]
    np.testing.assert_allclose(
        found, np.concatenate(expected), rtol=20 * np.finfo(dtype).eps, atol=np.finfo(dtype).tiny
    )


@pytest.mark.parametrize("text", ["x'*A*x", "y'*A*x + b'*A'*x"])
def test_both_products_with_a_large_matrix_read_it_once(text):
    n = 2100
    rng = np.random.default_rng(2)
    f = mc.derive(text, "x", "A: n×n; x: n; y: n; b: n").compile()
    assert "both(" in f.source
    at = {
        "A": rng.normal(size=(n, n)),
        "x": rng.normal(size=n),
        "y": rng.normal(size=n),
        "b": rng.normal(size=n),
    }
    A_, x_, y_, b_ = (at[k] for k in "Axyb")
    for matrix in (A_, np.asfortranarray(A_), np.repeat(A_, 2, axis=1)[:, ::2]):
        expected = (
            matrix @ x_ + matrix.T @ x_ if text.startswith("x") else matrix.T @ y_ + matrix @ b_
        )
        np.testing.assert_allclose(f(**at | {"A": matrix}), expected, rtol=1e-9, atol=1e-9)
    assert f(**{k: a.astype(np.float32) for k, a in at.items()}).dtype == np.float32


@pytest.mark.parametrize("n", [79, 80, 129, 301, 400])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_symmetric_results_at_the_sizes_where_the_way_changes(n, dtype):
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, n)).astype(dtype) / n**0.5
    S, C = X.T @ X + np.eye(n, dtype=dtype), X + X.T
    inverse = np.linalg.inv(S)
    shapes = "S: n×n spd; C: n×n symmetric; X: n×n"
    for text, expected in {
        "inv(S)": inverse,
        "inv(S)*C*inv(S) + logdet(S)": inverse @ C @ inverse + np.linalg.slogdet(S)[1],
        "inv(S) + X'*X": inverse + X.T @ X,
    }.items():
        f = mc.parse(text, shapes).compile()
        found = f(
            **{name: a for name, a in {"S": S, "C": C, "X": X}.items() if name in f.parameters}
        )
        assert found.dtype == dtype
        np.testing.assert_allclose(
            found,
            expected,
            rtol=2e3 * np.finfo(dtype).eps,
            atol=2e3 * np.finfo(dtype).eps * abs(expected).max(),
        )


@pytest.mark.parametrize("shape", [(200, 100), (400, 200), (400, 1400)])
def test_outer_products_at_the_sizes_where_the_way_changes(shape):
    u, v = (np.random.default_rng(n).normal(size=n) for n in shape)
    f = mc.parse("u*v'", "u: m; v: n").compile()
    first, second = f(u=u, v=v), f(u=u[::-1], v=v)  # the second is not written over the first
    np.testing.assert_allclose(first, u[:, None] * v, rtol=1e-15)
    np.testing.assert_allclose(second, u[::-1, None] * v, rtol=1e-15)


PRODUCTS_WITH_ONES = {
    "x*x'*ones(m,n)": lambda x, a, ones: x @ x.T @ ones,
    "ones(n,m)*x*x'": lambda x, a, ones: ones.T @ x @ x.T,
    "x*x'*ones(m,n) + A": lambda x, a, ones: x @ x.T @ ones + a,
    "x*ones(n)'*A'*ones(m,n)": lambda x, a, ones: x @ ones[:1] @ a.T @ ones,
    "ones(m,n)*A'*x*ones(n)'": lambda x, a, ones: ones @ a.T @ x @ ones[:1],
}


@pytest.mark.parametrize("text", PRODUCTS_WITH_ONES)
def test_products_with_matrices_of_ones(text):
    f = mc.parse(text, "x: m; A: m×n" if "A" in text else "x: m").compile()
    x, a = np.array([1.0, 2.0]), np.arange(6.0).reshape(2, 3)
    wanted = PRODUCTS_WITH_ONES[text](x[:, None], a, np.ones((2, 3)))
    np.testing.assert_allclose(f(x=x, A=a, n=3), wanted)


# ---- sizes ---------------------------------------------------------------------------------------

# expression, variable, declarations, arguments, the value
SIZES_AT_HAND = (
    ("norm2(u - u)^2", "u", "u: n", {"u": np.ones(3)}, np.zeros(3)),  # the variable has cancelled
    ("norm2(u - u)^2 + sum(x)", "x", "u: n; x: n", {"x": np.ones(3)}, np.ones(3)),
    ("tr(A - A)*sum(x)", "x", "A: m×m; x: n", {"x": np.ones(2)}, np.zeros(2)),
    ("0*sum(X)", "X", "X: m×n", {"X": np.ones((2, 3))}, np.zeros((2, 3))),
    ("sum(x)", "x", "x: n+1", {"x": np.ones(3)}, np.ones(3)),  # n itself is no argument's length
    ("n*sum(x)", "x", "x: n+1", {"x": np.ones(3)}, np.full(3, 2.0)),
    ("n*sum(x)", "x", "x: 2*n-1", {"x": np.ones(5)}, np.full(5, 3.0)),
    ("n*sum(x)", "x", "x: 2*n", {"x": np.ones(4)}, np.full(4, 2.0)),
    ("n*sum(x)", "x", "x: n+n", {"x": np.ones(4)}, np.full(4, 2.0)),
    ("sum(X)", "X", "X: n+1×3*n", {"X": np.ones((3, 6))}, np.ones((3, 6))),
    ("sum(ones(k,p)*x)", "x", "x: p", {"x": np.ones(3), "k": 2}, np.full(3, 2.0)),
    ("sum(X)", "X", "X: k×p", {"X": np.ones((0, 3))}, np.ones((0, 3))),  # nothing of anything
    ("sum(ones(k,p)*x)", "x", "x: p", {"x": np.ones(3), "k": 0}, np.zeros(3)),
)


@pytest.mark.parametrize(("text", "wrt", "shapes", "arguments", "value"), SIZES_AT_HAND)
@pytest.mark.parametrize("reuse", [False, True])
def test_sizes_are_read_off_the_arguments(text, wrt, shapes, arguments, value, reuse):
    found = mc.derive(text, wrt, shapes).compile(reuse=reuse)(**arguments)
    assert found.shape == value.shape
    assert np.array_equal(found, value)


@pytest.mark.parametrize("target", installed("jax", "torch", "array_api", "numba"))
def test_sizes_are_read_off_the_arguments_of_every_target(target):
    for text, wrt, shapes, arguments, value in SIZES_AT_HAND:
        assert np.array_equal(
            np.asarray(mc.derive(text, wrt, shapes).compile(target)(**arguments)), value
        ), text


def test_a_vanished_variable_serves_an_objective():
    assert (
        mc.value_and_grad(
            "norm2(u - u)^2 + 0*sum(x)", ["u", "x"], start={"u": np.ones(2), "x": np.ones(3)}
        )(np.ones(5))[0]
        == 0
    )


def test_lengths_that_no_size_has_are_refused():
    f = mc.derive("n*sum(x)", "x", "x: 2*n").compile()
    with pytest.raises(ShapeProblem, match=r"2\*n has length 3"):
        f(x=np.ones(3))
    with pytest.raises(ShapeProblem, match="not -1"):
        mc.parse("ones(k)").compile()(k=-1)
