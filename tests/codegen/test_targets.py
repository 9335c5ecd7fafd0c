"""Every target gives the values of the plain translation, which rearranges nothing.

And its source stands on its own.
"""

from __future__ import annotations

import ast
import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
import points
import pytest
import reference as plain
import targets
from strategies import expression
from targets import installed, is_installed

import matcalc as mc
from matcalc import expr as ex
from matcalc.api.derive import unverified
from matcalc.api.inputs import as_program
from matcalc.codegen import TARGETS, compile_expr, source
from matcalc.codegen.compiled import load
from matcalc.expr import Expr
from matcalc.language.typed import typed
from matcalc.tables.functions import ROWS
from matcalc.tables.properties import ROWS as PROPERTIES

TABLE = Path(__file__).parent.parent / "identities.tsv"
RANDOM = 60
# every so many cases: tracing and dispatching are slow
SOME = {"numpy": 1, "numba": 3, "jax": 8, "torch": 4, "array_api": 4}
SMALLEST_SINGULAR = 1e-6


def cases():
    lines = (
        line for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    )
    for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
        yield row["expr"], row["wrt"], row["vars"], 2 if row["kind"] in ("hess", "vechess") else 1
    for seed in range(RANDOM):
        text, shapes = expression(seed, 2 + seed % 2)
        yield text, sorted(shapes)[seed % len(shapes)], shapes, 1


def roots(text, wrt, shapes, order):
    """The expression and its derivative."""
    program = typed(text, shapes)
    if wrt not in program.variables:
        return None
    (d,) = unverified(program, [program.variables[wrt]], order=order)
    return d.expr, d.result


CASES = list(cases())


def shown(case):
    """The expression of a case, as the name of its test."""
    return str(case[0])


def plain_values(found, at):
    code = plain.emit(found)
    return load(code)(*(at[n] for n in code.parameters.values()))


def regular_points(found, count=2):
    """Points where the plain values exist and do not hang on the last digits."""
    parts = [p for r in found for p in ((r,) if isinstance(r, Expr) else r.factors)]
    for _, (at, _) in zip(
        range(count), points.settled(parts, np.random.default_rng(5)), strict=False
    ):
        if all(np.linalg.cond(m) < 1 / SMALLEST_SINGULAR for m in inverted(found, at)):
            yield at


def inverted(found, at):
    nodes = [
        n
        for r in found
        if isinstance(r, Expr)
        for n in mc.expr.postorder(r)
        if n.head in ("inv", "logdet", "det", "pinv")
    ]
    return [np.atleast_2d(compile_expr(n.args[0])(**at)) for n in nodes]


def in_target(target, at):
    """The point as the target's own arrays."""
    if target in ("numpy", "numba"):
        return at
    if target == "torch":
        import torch

        return {n: a if isinstance(a, int) else torch.as_tensor(np.array(a)) for n, a in at.items()}
    if target == "jax":
        return at
    import array_api_strict as strict

    return {n: a if isinstance(a, int) else strict.asarray(np.array(a)) for n, a in at.items()}


@pytest.fixture
def double_precision():
    with targets.double_precision("jax" if is_installed("jax") else "numpy"):
        yield


def assert_right(target, case):
    found = roots(*case)
    if found is not None:
        assert_computes(target, found)


def assert_computes(target, found):
    f = compile_expr(found, target)
    for at in regular_points(found):
        with np.errstate(all="ignore"):
            for expected, value in zip(
                plain_values(found, at), f(**in_target(target, at)), strict=True
            ):
                assert points.gap(expected, np.asarray(value)) < 1e-9, f.source


@pytest.mark.parametrize("case", CASES, ids=shown)
def test_numpy(case):
    assert_right("numpy", case)


@pytest.mark.needs("numba")
@pytest.mark.parametrize("case", CASES[:: SOME["numba"]], ids=shown)
def test_numba(case):
    assert_right("numba", case)


@pytest.mark.needs("torch")
@pytest.mark.parametrize("case", CASES[:: SOME["torch"]], ids=shown)
def test_torch(case):
    assert_right("torch", case)


@pytest.mark.needs("array_api_strict")
@pytest.mark.parametrize("case", CASES[:: SOME["array_api"]], ids=shown)
def test_array_api_is_kept_strictly(case):
    assert_right("array_api", case)


@pytest.mark.needs("jax")
@pytest.mark.parametrize("case", CASES[:: SOME["jax"]], ids=shown)
def test_jax(case, double_precision):
    assert_right("jax", case)


PARTS = (
    "x[2]*X[:,j]'*X[:,1]",
    "tr(X[2:n,:]*X[1:n-1,:]')",
    "sum(exp([X, x; y', 1]))",
    "norm2(X[:,1:2]*[2; 1] + x)^2",
    "det([x'*x, y'*y; 2, 3])",
)


@pytest.mark.parametrize("target", installed("torch", "array_api", "jax"))
@pytest.mark.parametrize("text", PARTS)
def test_parts_and_blocks(text, target, double_precision):
    assert_right(target, (text, "x", {"X": "n×m", "x": "n", "y": "m"}, 1))
    assert_right(target, (text, "X", {"X": "n×m", "x": "n", "y": "m"}, 1))


@pytest.mark.parametrize("target", installed("numpy", "torch", "array_api", "jax"))
@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if "frechet" not in row.name or row.name == "powm_frechet"],
    ids=lambda row: row.name,
)
def test_every_function_and_its_derivative(row, target, double_precision):
    args = points.arguments(row)
    # the sign of an eigenvector is any library's own
    values = [ex.call("sum", ex.pow_(ex.call(row.name, *args), ex.num(4)))]
    if row.derivative or row.rule or row.define or row.adjoint:
        targets = [x for x in args if x.head == "var" and x in ex.variables(values[0])]
        values += [d.result for d in unverified(as_program(values[0], None), targets)]
    assert_computes(target, tuple(values))


@pytest.mark.parametrize("target", installed("numpy", "torch", "array_api", "jax"))
def test_the_order_of_polygamma_stays_a_number(target, double_precision):
    assert_right(
        target,
        ("sum(polygamma(2, x)) + a*polygamma(1, 0.5)", "x", {"x": "n positive", "a": "scalar"}, 1),
    )


@pytest.mark.parametrize("case", CASES[::5], ids=shown)
def test_numpy_without_scipy(case, monkeypatch):
    monkeypatch.setattr("matcalc.codegen.targets.numpy.find_spec", lambda name: None)
    found = roots(*case)
    if found is not None:
        assert "scipy" not in source(found).text
        assert_right("numpy", case)


# ---- sources -------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", targets.OF_PYTHON)
@pytest.mark.parametrize("case", CASES[::4], ids=shown)
def test_source_is_a_module_with_a_docstring(case, target):
    found = roots(*case)
    if found is not None:
        text = source(found, target).text
        functions = [n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)]
        assert functions[-1].name == "f"
        assert ast.get_docstring(functions[-1])
        assert not any(line.endswith(" ") for line in text.split("\n"))


@pytest.mark.parametrize("target", installed("numpy", "numba"))
def test_source_runs_alone(target):
    f = mc.derive("logdet(X'*X + 0.1*eye(n)) + sum(softplus(X*w))", "w").compile(target, value=True)
    scope: dict[str, Any] = {}
    exec(f.source, scope)
    X, w = np.random.default_rng(1).normal(size=(5, 3)), np.ones(3)
    for a, b in zip(scope["value_and_gradient"](X, w), f(X=X, w=w), strict=True):
        np.testing.assert_allclose(a, b)


@pytest.mark.parametrize("target", targets.OF_PYTHON)
def test_names_that_the_source_uses_itself_may_be_variables(target):
    text = (
        "sum(np.*lambda) + sum(t1.*dtype) + sum(jnp.*torch) + sum(xp.*sigmoid(mm)) + tr(lu*inv(A))"
    )
    shapes = dict.fromkeys(["np", "lambda", "t1", "dtype", "jnp", "torch", "xp", "mm"], "n") | {
        "A": "n×n",
        "lu": "n×n",
    }
    found = source(mc.parse(text, shapes), target)
    assert len(set(found.parameters)) == len(shapes)
    ast.parse(found.text)


# ---- types ---------------------------------------------------------------------------------------

TYPED = [
    "norm2(X*w - y)^2",
    "sum(softplus(X*w)) + 0.5*norm2(w)^2",
    "logdet(X'*X + 0.1*eye(n)) + sum(w)",
    "sum(relu(X*w))",
    "logsumexp(X*w)",
    "sum(logsumexp_rows(X)) + sum(w)",
    "w'*inv(X'*X + a*eye(n))*w",
]


@pytest.mark.parametrize("target", installed())
@pytest.mark.parametrize("text", TYPED)
def test_single_precision_is_kept(text, target):
    f = mc.derive(text, "w", "X: m×n; w: n; y: m; a: scalar").compile(target, value=True)
    rng = np.random.default_rng(3)
    at = {"X": rng.normal(size=(5, 3)), "w": rng.normal(size=3), "y": rng.normal(size=5)}
    single = {n: a.astype(np.float32) for n, a in at.items()}
    found = f(**in_target(target, single), a=0.5, m=5, n=3)
    assert [str(np.asarray(v).dtype) for v in found] == ["float32", "float32"]
    expected = mc.derive(text, "w", "X: m×n; w: n; y: m; a: scalar").compile(value=True)(
        **at, a=0.5, m=5, n=3
    )
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(a), b, rtol=2e-4, atol=2e-4)


@pytest.mark.needs("torch")
def test_torch_code_stays_on_the_device():
    """On tensors that only say where they are; a sum across devices is refused."""
    import torch

    f = mc.parse("K(m,n) + vec(X)*vec(Y)'", "X: n×m; Y: m×n").compile("torch")
    assert "commutation(" in f.source
    assert (
        f(X=torch.zeros(2, 3, device="meta"), Y=torch.zeros(3, 2, device="meta")).device.type
        == "meta"
    )


@pytest.mark.needs("jax")
def test_jax_code_can_be_jitted_and_differentiated_again(double_precision):
    import jax

    d = mc.derive("norm2(X*w - y)^2", "w")
    f = d.compile("jax")
    X, w, y = np.random.default_rng(0).normal(size=(4, 3)), np.ones(3), np.zeros(4)
    again = jax.jit(jax.jacobian(f.raw, 1))(X, w, y)
    np.testing.assert_allclose(again, 2 * X.T @ X)


@pytest.mark.needs("torch")
def test_torch_code_keeps_a_graph():
    import torch

    f = mc.parse("norm2(X*w)^2").compile("torch")
    w = torch.ones(2, dtype=torch.float64, requires_grad=True)
    f(X=torch.eye(2, dtype=torch.float64), w=w).backward()
    assert w.grad.tolist() == [2, 2]


def test_calls_after_the_first_are_checked_too():
    f = mc.parse("X*w").compile()
    X, w = np.ones((3, 2)), np.ones(2)
    assert f(X=X, w=w).tolist() == f(X=X, w=w).tolist() == [2, 2, 2]
    with pytest.raises(mc.ShapeProblem):
        f(X=X, w=np.ones(3))
    assert f(X=X, w=[1, 1]).tolist() == [2, 2, 2]
    assert f(X=X, w=w[:, None]).shape == (3, 1)


def test_a_target_whose_package_is_missing_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(mc.Unsupported, match="needs the package jax"):
        mc.parse("x'*y").compile("jax")


@pytest.mark.parametrize("target", installed())
def test_wrong_shapes_are_refused_by_every_target_before_any_work(target):
    f = mc.derive("norm2(X*w - y)^2", "w", "X: m×n; w: n; y: m").compile(target, value=True)
    right = {"X": np.ones((5, 3)), "w": np.ones(3), "y": np.ones(5)}
    f(**in_target(target, right))
    f.raw = lambda *_: pytest.fail("it began to work")
    with pytest.raises(mc.ShapeProblem, match=r"y has shape \(4,\)"):
        f(**in_target(target, right | {"y": np.ones(4)}))
    with pytest.raises(mc.ShapeProblem, match=r"X has shape|w has shape"):
        f(**in_target(target, right | {"X": np.ones((3, 5))}))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("reuse", [False, True])
def test_the_docstring_says_what_is_declared(target, reuse):
    """Code that factors S as Cholesky did says that S must be positive definite."""
    if reuse and target not in ("numpy", "numba"):
        return
    shapes = "S: n×n spd; C: n×n symmetric; p: n positive"
    (d,) = unverified(
        typed("logdet(S) + x'*C*x + sum(log(p))", shapes), [ex.var("S", (("n",), ("n",)), ("spd",))]
    )
    text = source((d.expr, d.result), target, reuse=reuse).text
    assert "C: n×n symmetric, S: n×n spd, p: n positive, x: n" in text


@pytest.mark.parametrize("target", TARGETS)
def test_the_docstring_says_every_property(target):
    for row in PROPERTIES:
        if row.variable:
            declared = f"n×n {row.name}" if row.square else f"n {row.name}"
            text = source(typed("sum(V)", f"V: {declared}").expr, target).text
            assert f"V: {declared}" in text


def test_the_function_for_large_arrays_says_what_is_declared():
    f = mc.derive("norm2(X*w - y)^2", "w", "X: m×n; w: n positive; y: m").compile()
    assert "X: m×n, w: n positive, y: m" in f.source_for_large
