"""The library as its users call it: every kind of input, what comes back, and which errors."""

from __future__ import annotations

import copy
import pickle
import subprocess
import threading
from fractions import Fraction

import numpy as np
import pytest
import sympy
from command import PYTHON, ROOT

import matcalc as mc

LEAST_SQUARES = "norm2(X*w - y)^2"
X, w, y, a = mc.matrix("X", "m", "n"), mc.vector("w", "n"), mc.vector("y", "m"), mc.scalar("a")
S = mc.matrix("S", "n", "n")
POINT = {
    "X": np.array([[1.0, 2], [3, 4], [5, 7]]),
    "w": np.array([0.5, -1]),
    "y": np.array([1.0, 2, 3]),
}


# ---- one answer ----------------------------------------------------------------------------------

SOURCES = (
    (LEAST_SQUARES, "w", None),
    (LEAST_SQUARES, "w", "X: m×n; w: n"),
    (LEAST_SQUARES, "w", {"X": "m×n"}),
    (LEAST_SQUARES, "w", {"X": ("m", "n"), "w": ("n",)}),
    (LEAST_SQUARES, w, "X: m×n"),
    (mc.parse(LEAST_SQUARES), "w", None),
    (mc.norm2(X @ w - y) ** 2, w, None),
    (mc.norm2(X @ w - y) ** 2, "w", None),
    (mc.norm2(X * w - y) ** 2, " w ", None),
)


@pytest.mark.parametrize(("expr", "wrt", "declared"), SOURCES)
def test_every_kind_of_input(expr, wrt, declared):
    d = mc.derive(expr, wrt, declared)
    assert str(d) == str(d.gradient) == "2*X'*(X*w - y)"
    assert d.gradient == 2 * X.T @ (X @ w - y)
    assert d.gradient.shape == ("n",)
    assert d.verification.ok and d.verification


def test_sympy_in_and_out():
    A, x = sympy.MatrixSymbol("A", 3, 3), sympy.MatrixSymbol("x", 3, 1)
    d = mc.derive(x.T * A * x, x)
    assert str(d) == "(A + A')*x"
    assert d.to_sympy() == (A + A.T) * x


def test_what_a_derivation_holds():
    d = mc.derive(LEAST_SQUARES, "w")
    assert d.result is d.gradient
    assert (d.wrt, d.expr, d.order) == (w, mc.norm2(X @ w - y) ** 2, 1)
    assert d.latex() == r"2X^{\top}\left(Xw - y\right)"
    assert "Step 1" in d.explain()
    assert d.check().ok
    assert d.check(seed=5).max_error < 1e-6


def test_its_repr_fits_in_a_line():
    assert len(repr(mc.derive(LEAST_SQUARES, "w"))) < 120
    assert "∂" in repr(mc.derive(LEAST_SQUARES)) or "2*X'" in repr(mc.derive(LEAST_SQUARES))


@pytest.mark.parametrize("value", [False, True])
@pytest.mark.parametrize("wrt", ["w", ["w", "X"]])
def test_the_source_is_that_of_the_compiled_function(wrt, value):
    d = mc.derive(LEAST_SQUARES, wrt)
    assert d.source(value=value) == d.compile(value=value).source


def test_compiled():
    d = mc.derive(LEAST_SQUARES, "w")
    r = POINT["X"] @ POINT["w"] - POINT["y"]
    np.testing.assert_allclose(d.compile()(**POINT), 2 * POINT["X"].T @ r)
    value, gradient = d.compile("numpy", value=True)(**POINT)
    np.testing.assert_allclose(value, r @ r)
    np.testing.assert_allclose(gradient, 2 * POINT["X"].T @ r)
    np.testing.assert_allclose(d.expr.compile()(**POINT), r @ r)


CONSTANT = ("sum(w)", "a*sum(w)", "sum(w)/n", "sum(X)", "ones(m)'*X*w", "tr(w*w') - w'*w + sum(w)")


@pytest.mark.parametrize("text", CONSTANT)
def test_a_gradient_takes_the_variable_even_where_it_is_constant(text):
    values = {**POINT, "a": 2.0}
    for name, d in mc.derive(text, None, "w: n" if "X" not in text else "X: m×n").items():
        assert np.shape(d.compile()(**values)) == np.shape(values[name])


def test_the_hessian():
    d = mc.derive("w'*S*w + a*sum(w)", "w", order=2)
    assert str(d) == "S + S'"
    assert d.result.shape == ("n", "n")
    assert d.order == 2
    assert d.verification.ok
    assert d.explain().count("Step 2") == 2


@pytest.mark.parametrize(
    "text",
    [
        "norm2_cols(X)'.*y",
        "sqrt(colsums(X.^2)).*y'",
        "norm2_cols(X)'.*y.*exp(y)",
        "norm2_rows(X).*(x'*X')'",
    ],
)
def test_explains_rows_beside_columns(text):
    for d in mc.derive(text).values():
        assert "Step 2" in d.explain()


@pytest.mark.parametrize("order", [0, -1, "2", 1.5, None])
def test_an_order_that_there_is_not(order):
    with pytest.raises(mc.MatcalcError):
        mc.derive(LEAST_SQUARES, "w", order=order)


def test_layouts():
    assert mc.derive("y'*X*w", "w", layout="numerator").result == y.T @ X
    assert mc.derive("X*w", "w", layout="numerator").result == mc.derive("X*w", "w").result
    with pytest.raises(mc.OptionProblem, match="denominator"):
        mc.derive("y'*X*w", "w", layout="rows")


# ---- several answers -----------------------------------------------------------------------------


@pytest.mark.parametrize("wrt", [["X", "w"], ("X", "w"), [X, "w"]])
def test_several_variables(wrt):
    found = mc.derive(LEAST_SQUARES, wrt)
    assert list(found) == ["X", "w"]
    assert len(found) == 2
    assert "w" in found
    assert "y" not in found
    assert found["X"].gradient == 2 * (X @ w - y) @ w.T
    assert dict(found)["w"] is found["w"]
    with pytest.raises(KeyError):
        found["y"]


def test_all_variables():
    found = mc.derive(LEAST_SQUARES)
    assert set(found) == {"X", "w", "y"}
    gradients = found.compile()(**POINT)
    value, *again = found.compile(value=True)(**POINT)
    assert value == pytest.approx(np.sum((POINT["X"] @ POINT["w"] - POINT["y"]) ** 2))
    for name, one, other in zip(found, gradients, again, strict=True):
        np.testing.assert_allclose(one, found[name].compile()(**POINT))
        np.testing.assert_allclose(one, other)


@pytest.mark.parametrize("wrt", [[], ["w", "q"], ["q"]])
def test_a_list_that_does_not_fit(wrt):
    with pytest.raises(mc.NameProblem):
        mc.derive(LEAST_SQUARES, wrt)


# ---- check ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("candidate", ["2*X'*(X*w - y)", "2*(X*w-y)'*X", 2 * X.T @ (X @ w - y)])
def test_check_right(candidate):
    assert mc.check(LEAST_SQUARES, "w", candidate)


@pytest.mark.parametrize(
    "candidate", ["X'*(X*w - y)", "2*X'*(X*w + y)", "2*X'*y", "w", "0*w", 2 * X.T @ (X @ w)]
)
def test_check_wrong(candidate):
    found = mc.check(mc.norm2(X @ w - y) ** 2, w, candidate)
    assert found.wrong and not found
    assert found.max_error > 1e-3
    assert "w[" in str(found)


@pytest.mark.parametrize("candidate", ["X", "X*w", "w*w'"])
def test_check_of_another_shape(candidate):
    with pytest.raises(mc.ShapeProblem, match="the derivative by w is n"):
        mc.check(LEAST_SQUARES, "w", candidate)


def test_check_of_a_number():
    assert mc.check("sum(w)", "w", "ones(n)", "w: n")
    assert mc.check("3*a", "a", "3")
    assert mc.check("3*a", "a", 3)
    assert not mc.check("3*a", "a", 2.5)


# ---- expressions from Python ---------------------------------------------------------------------

OPERATORS = (
    (X + 1, "X + 1"),
    (1 + X, "X + 1"),
    (X - 1, "X - 1"),
    (1 - X, "1 - X"),
    (X + X, "2*X"),
    (X * 2, "2*X"),
    (2 * X, "2*X"),
    (X / 2, "X/2"),
    (X / a, "X/a"),
    (2 / a, "2/a"),
    (a / 2, "a/2"),
    (-X, "-X"),
    (X @ w, "X*w"),
    (X * w, "X*w"),
    (w.T @ w, "w'*w"),
    (w @ w.T, "w*w'"),
    (a**2, "a^2"),
    (a**-1, "1/a"),
    (a**0.5, "sqrt(a)"),
    (a**a, "a^a"),
    (a ** Fraction(1, 3), "a^(1/3)"),
    (S**2, "S*S"),
    (S**-1, "inv(S)"),
    (X.T, "X'"),
    (X.T.T, "X"),
    (2.5 * X, "2.5*X"),
    (0.1 * a + 0.2 * a, "0.3*a"),
    (sum([X, X, X]), "3*X"),
)


@pytest.mark.parametrize(("built", "typed"), OPERATORS, ids=[typed for _, typed in OPERATORS])
def test_operators(built, typed):
    assert built == mc.parse(typed, "X: m×n; w: n; S: n×n; a: scalar")


@pytest.mark.parametrize(
    "number",
    [np.float64(2), np.float32(2), np.int64(2), np.int8(2), np.float64(0.5), np.array(2.0)],
    ids=repr,
)
def test_numpy_numbers_are_numbers(number):
    assert X * number == number.item() * X
    assert number * X == number.item() * X
    assert X + number == X + number.item()
    assert a**number == a ** number.item()


def test_a_number_to_a_power_that_is_an_expression():
    assert 2**a == mc.parse("2^a")
    assert +a == a


@pytest.mark.parametrize(
    "other",
    [None, "X", [1], {}, float("nan"), float("inf"), 1j, object()],
    ids=lambda other: type(other).__name__,
)
def test_what_is_no_expression(other):
    for operation in (
        lambda: X + other,
        lambda: other - a,
        lambda: a * other,
        lambda: a**other,
        lambda: mc.exp(other),
    ):
        with pytest.raises(TypeError):
            operation()


def test_arrays_are_no_expressions():
    for operation in (
        lambda: X + np.ones((2, 2)),
        lambda: np.ones((2, 2)) + X,
        lambda: np.ones((2, 2)) @ X,
    ):
        with pytest.raises(TypeError):
            operation()


def test_operators_check_shapes():
    for operation in (
        lambda: X @ X,
        lambda: X + w,
        lambda: w * w,
        lambda: X**2,
        lambda: a / X,
        lambda: w**2,
        lambda: mc.tr(X),
        lambda: mc.hadamard(w, y),
        lambda: a / 0,
    ):
        with pytest.raises(mc.ShapeProblem):
            operation()


BUILT = (
    (mc.norm2(w), "norm2(w)"),
    (mc.exp(X), "exp(X)"),
    (mc.sqrt(a), "sqrt(a)"),
    (mc.tr(S), "tr(S)"),
    (mc.diag(w), "diag(w)"),
    (mc.kron(X, S), "kron(X, S)"),
    (mc.hadamard(w, w, w), "w.^3"),
    (mc.norm2sq(w), "norm2(w)^2"),
    (mc.ln(a), "log(a)"),
    (mc.logdet(S.T @ S), "logdet(S'*S)"),
    (mc.sum(X), "sum(X)"),
    (mc.exp(2), "exp(2)"),
)


@pytest.mark.parametrize(("built", "typed"), BUILT, ids=[typed for _, typed in BUILT])
def test_functions(built, typed):
    assert built == mc.parse(typed, "X: m×n; w: n; S: n×n; a: scalar")


@pytest.mark.parametrize("name", ["norm2", "sqrt", "kron", "softmax", "hadamard"])
def test_functions_are_documented(name):
    function = getattr(mc, name)
    assert function.__name__ == name
    assert len(function.__doc__) > 10
    assert "partial(" not in function.__doc__


@pytest.mark.parametrize("name", ["exp", "sqrt", "norm2", "kron"])
def test_functions_count_their_arguments(name):
    for arguments in ((), (a,) * 3):
        with pytest.raises((mc.NameProblem, TypeError), match=name):
            getattr(mc, name)(*arguments)


def test_variables():
    assert mc.matrix("X", 3, 4).shape == (3, 4)
    assert mc.matrix("S", "n", "n", "spd").properties == ("spd",)
    assert mc.vector("w", 3).shape == (3,)
    assert mc.scalar("s", "positive").shape == ()
    assert X.name == "X"
    assert mc.matrix("S", "n", "n", "symmetric").T is mc.matrix("S", "n", "n", "symmetric")


VARIABLES = (
    lambda: mc.matrix("1", "m", "n"),
    lambda: mc.matrix("X", 0, 4),
    lambda: mc.matrix("X", "m", "n", "spd"),
    lambda: mc.matrix("X", "m", "n", "nice"),
    lambda: mc.vector("exp", "n"),
    lambda: mc.vector("v", 3.5),
    lambda: mc.vector("v", -1),
    lambda: mc.vector("v", ""),
    lambda: mc.scalar(""),
    lambda: mc.vector("v w", "n"),
)


@pytest.mark.parametrize("make", VARIABLES)
def test_variables_that_cannot_be(make):
    with pytest.raises(mc.MatcalcError):
        make()


CLASHES = (
    lambda: mc.derive(mc.sum(mc.vector("x", "n")) + mc.sum(mc.vector("x", "m")), "x"),
    lambda: mc.derive(mc.scalar("x") * mc.sum(mc.vector("x", "m")), "x"),
    lambda: mc.derive(mc.tr(mc.matrix("S", "n", "n") @ mc.matrix("S", "n", "n", "spd")), "S"),
    lambda: mc.derive(mc.norm2(X @ w) ** 2, mc.vector("w", "p")),
    lambda: mc.derive(mc.norm2(X @ w) ** 2, mc.matrix("w", "n", "n")),
    lambda: mc.derive(mc.norm2(X @ w) ** 2, X @ w),
    lambda: (mc.scalar("x") * mc.vector("x", "m")).compile()(x=1.0),
)


@pytest.mark.parametrize("clash", CLASHES)
def test_one_name_stands_for_one_thing(clash):
    with pytest.raises((mc.NameProblem, mc.ShapeProblem)):
        clash()


def test_attributes_of_an_expression():
    e = X @ w - y
    assert e.shape == ("m",)
    assert e.latex() == "Xw - y"
    assert repr(e) == "<X*w - y : m>"
    assert not hasattr(e, "name")
    assert not hasattr(e, "value")
    assert "__dict__" not in dir(e)


# ---- equality, copies, threads -------------------------------------------------------------------


def test_equality_is_structure():
    assert mc.parse("X*w - y", "X: m×n") == X @ w - y
    assert hash(mc.parse("X*w - y", "X: m×n")) == hash(X @ w - y)
    assert mc.parse("w'*w + w'*w", "w: n") == 2 * w.T @ w
    assert mc.vector("w", "n") != mc.vector("w", "m")
    assert w != "w"
    assert len({X, w, y, mc.vector("w", "n")}) == 3


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda e: pickle.loads(pickle.dumps(e)),
}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_equal(kind):
    e = mc.norm2(X @ w - y) ** 2 + 1
    again = COPIES[kind](e)
    assert again == e
    assert e - again == mc.parse("0")
    assert mc.derive(e + again, "w").gradient == 4 * X.T @ (X @ w - y)


@pytest.mark.parametrize("kind", COPIES)
def test_a_derivation_can_be_copied(kind):
    d = mc.derive(LEAST_SQUARES, "w")
    assert COPIES[kind](d).gradient == d.gradient


def test_an_expression_crosses_processes():
    program = "import sys, pickle; print(pickle.load(sys.stdin.buffer))"
    found = subprocess.run(
        [PYTHON, "-c", program],
        input=pickle.dumps(X @ w - y),
        capture_output=True,
        cwd=ROOT,
        timeout=30,
        check=False,
    )
    assert found.stdout.strip() == b"X*w - y", found.stderr[-300:]


def test_threads():
    texts = [
        f"sum(tanh({k}*A*x + {k}*x)) + norm2(A*x)^{k % 3 + 1} + x'*A*x/{k}" for k in range(1, 9)
    ]
    expected = [str(mc.derive(text, "x")) for text in texts]
    found, errors = {}, []

    def work(start):
        try:
            for i in range(len(texts)):
                k = (i + start) % len(texts)
                found[start, k] = str(mc.derive(texts[k], "x"))
        except BaseException as problem:
            errors.append(problem)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert found == {(start, k): expected[k] for start in range(4) for k in range(len(texts))}


# ---- errors --------------------------------------------------------------------------------------

ERRORS = (
    ("x +", "x", mc.SyntaxProblem),
    ("foo(x)", "x", mc.NameProblem),
    ("x'*x", "y", mc.NameProblem),
    ("x*y", "x", mc.ShapeProblem),
    ("2^9^9^9", "a", mc.LimitProblem),
    ("r = x; r'*r", "r", mc.NameProblem),
    ("5", None, mc.NameProblem),
    ("expm(A)", "A", mc.NotDifferentiable),
)


@pytest.mark.parametrize(("text", "wrt", "error"), ERRORS)
def test_errors(text, wrt, error):
    with pytest.raises(error) as caught:
        mc.derive(text, wrt)
    assert issubclass(error, mc.MatcalcError)
    assert str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).message == caught.value.message


def test_an_error_in_the_declarations_is_an_error():
    with pytest.raises(mc.ShapeProblem):
        mc.derive(LEAST_SQUARES, "w", "X: m×n; y: n; w: n")


@pytest.mark.parametrize("source", [None, 5, b"x", ["x"], 1.5, np.ones(3)], ids=repr)
def test_what_is_no_text(source):
    for call in (
        mc.parse,
        lambda text: mc.derive(text, "x"),
        lambda text: mc.check(text, "x", "x"),
    ):
        with pytest.raises(TypeError, match=r"text|expression"):
            call(source)


def test_overflow_is_no_crash():
    for text in ("1e300*1e300*a", "a^1e300", "1e-300*1e-300*a", "(10^300)^3*a"):
        try:
            assert mc.derive(text, "a").result
        except mc.MatcalcError as problem:
            assert str(problem)


PROPERTIES = (
    "symmetric sym spd diagonal diag positive pos spos unit simplex pm1 onehot mask "
    "orthogonal lower upper"
).split()


@pytest.mark.parametrize("name", PROPERTIES)
def test_no_property_makes_a_wrong_answer(name):
    try:
        assert mc.derive("x'*P*y", "P", f"P: n×n {name}").verification
    except (mc.NotDifferentiable, mc.NameProblem, mc.ShapeProblem, mc.NoMatrixForm) as problem:
        assert name in str(problem) or "P" in str(problem)


# ---- the module ----------------------------------------------------------------------------------


def test_dir_lists_what_there_is():
    names = dir(mc)
    assert names == sorted(names)
    for name in names:
        assert getattr(mc, name) is not None
    assert {
        "derive",
        "parse",
        "check",
        "matrix",
        "norm2",
        "softmax",
        "sqrt",
        "MatcalcError",
    } <= set(names)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="nosuch"):
        mc.nosuch  # noqa: B018


def loaded(program):
    """Which heavy packages a program has loaded."""
    program += (
        "; import sys; print(*sorted({'numpy', 'sympy', 'lark', 'scipy', 'torch', 'jax', "
        "'matplotlib', 'pytest'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [PYTHON, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=30, check=True
    )
    return found.stdout.split()


def test_importing_loads_nothing_heavy():
    assert loaded("import matcalc") == []
    assert loaded("import matcalc; matcalc.__version__, dir(matcalc), matcalc.MatcalcError") == []
    assert loaded("import matcalc; matcalc.parse('x')") == ["lark"]


def test_deriving_does_not_load_sympy():
    assert loaded("import matcalc; matcalc.derive('norm2(X*w - y)^2', 'w').compile().source") == [
        "lark",
        "numpy",
    ]


@pytest.mark.parametrize(
    ("text", "wrt"), [("norm2(X*w - y)^2", "w"), ("X*w", "X"), ("sum(X[:,j].^2)", "X")]
)
def test_compiled_functions_are_pickled_as_their_source(text: str, wrt: str) -> None:
    f = mc.derive(text, wrt).compile()
    g = pickle.loads(pickle.dumps(f))
    arguments = {
        n: v
        for n, v in {
            "X": np.arange(6.0).reshape(3, 2),
            "w": np.ones(2),
            "y": np.ones(3),
            "j": 2,
        }.items()
        if n in f.parameters
    }
    assert g.source == f.source
    np.testing.assert_array_equal(g(**arguments), f(**arguments))
