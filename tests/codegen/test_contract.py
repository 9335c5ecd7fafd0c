"""The contract of compiled functions, over the table and the gallery, on every target.

The type of the arguments is kept, integers and lists are of double precision; results are fresh
and, where the arrays of the library can be, writable; nan comes through; no argument is touched.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import points
import pytest
import targets
from targets import installed

import matcalc as mc
from matcalc import expr as ex
from matcalc.api.derive import unverified
from matcalc.api.inputs import as_program
from matcalc.codegen import Compiled, compile_expr
from matcalc.language.typed import typed
from matcalc.tables.functions import BY_NAME, MACROS, visible

IDENTITIES = Path(__file__).parent.parent / "identities.tsv"
LETTERS = (
    {"X": "n×m positive", "A": "n×n", "S": "n×n spd"}
    | dict.fromkeys("xywb", "n positive")
    | dict.fromkeys("dp", "scalar positive")
)
# every so many expressions of the gallery
SOME = {"numpy": 2, "numba": 12, "jax": 12, "torch": 4, "array_api": 4}
MORE = (
    "x",
    "x'",
    "[x, x]",
    "a*x",
    "X",
    "X'",
    "x[1]",
    "x[2:]",
    "X[1,:]",
    "vec(X)",
    "diag(A)",
    "A'",
    "numel(X)*a",
    "x/n",
    "2*a",
    "a",
    "x + log(2)",
)
COMPARISONS = {"step", "ismax"}  # nan is not above 0, nor the largest entry
FACTORIZED = {
    "chol",
    "eigvals",
    "eigvecs",
    "normnuc",
    "normspec",
    "polar",
    "leading",
    "pinv",
    "lambda_max",
    "lambda_min",
}


@pytest.fixture(autouse=True)
def double_precision(request: pytest.FixtureRequest) -> Iterator[None]:
    """JAX computes in single precision unless it is told; nan and infinity are no warnings here."""
    target = request.node.callspec.params.get("target")
    with np.errstate(all="ignore"), targets.double_precision(target):
        yield


def texts() -> list[tuple[str, str, str]]:
    lines = (
        line
        for line in IDENTITIES.read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    )
    return [
        (row["expr"], row["vars"], row["wrt"])
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    ]


def names() -> list[str]:
    return [*(row.name for row in visible()), *MACROS]


def of_table(name: str) -> ex.Expr:
    if name in BY_NAME:
        shift = ex.num(max(0, int(max(BY_NAME[name].domain[0], 0))))
        return ex.call(name, *(ex.add(x, shift) for x in points.arguments(BY_NAME[name])))
    letters = {p: "n×n" if name == "adj" else LETTERS[p] for p in MACROS[name].parameters}
    return mc.parse(f"{name}({', '.join(letters)})", letters)


def with_gradients(e: ex.Expr) -> tuple[ex.Expr, ...]:
    """An expression, and the gradients of the sum of the fourth powers of its entries.

    The sign of an eigenvector is any library's own.
    """
    even = ex.pow_(e, ex.num(4))
    scalar = even if e.is_scalar else ex.call("sum", even)
    first = scalar if e.head == "eigvecs" else e
    try:
        derivatives = unverified(as_program(scalar, None), list(ex.variables(scalar)))
    except mc.NotDifferentiable:
        return (first,)
    return (first, *(d.result for d in derivatives if isinstance(d.result, ex.Expr)))


@cache
def compiled(what: Any, target: str) -> tuple[Compiled, dict[str, Any]]:
    """A function, and a point."""
    if isinstance(what, str) and what in (*BY_NAME, *MACROS):
        roots = with_gradients(of_table(what))
    elif isinstance(what, str):
        declared = {"x": "n", "X": "n×m", "A": "n×n", "a": "scalar"}
        roots = (
            mc.parse(
                what, {v: shape for v, shape in declared.items() if v in what.replace("diag", "")}
            ),
        )
    else:
        program = typed(*what[:2])
        found = [
            d.result
            for v in [program.variables.get(what[2])]
            if v is not None
            for d in unverified(program, [v])
        ]
        roots = (program.expr, *(r for r in found if isinstance(r, ex.Expr)))
    at = next(points.settled(roots, np.random.default_rng(3)))[0]
    return compile_expr(roots, target), {
        n: v if isinstance(v, int) else np.asarray(v, dtype=float) for n, v in at.items()
    }


def in_library(target: str, value: Any) -> Any:
    """An array of the target's own."""
    if isinstance(value, int) or target in ("numpy", "numba"):
        return value
    if target == "jax":
        import jax.numpy as jnp

        return jnp.asarray(value)
    if target == "torch":
        import torch

        return torch.as_tensor(np.array(value))
    import array_api_strict as strict

    return strict.asarray(np.array(value))


def by_numpy(value: Any) -> Any:
    """A result as an array of NumPy that shares its memory."""
    return np.asarray(getattr(value, "_array", value))


def dtype_of(value: Any) -> str:
    return str(getattr(value, "dtype", np.dtype(type(value)))).split(".")[-1]


def changed(at: dict[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """A point with every array changed, and its sizes."""
    return {n: v if isinstance(v, int) else change(v) for n, v in at.items()}


def strided(value: Any) -> Any:
    """A view of every second entry of a larger array, backwards."""
    room = np.full([2 * n for n in value.shape], np.nan)
    view = room[(..., *(slice(None, None, -2) for _ in value.shape))]
    view[...] = value
    return view


def read_only(value: Any) -> Any:
    value = np.array(value)
    value.flags.writeable = False
    return value


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "Fortran order": np.asfortranarray,
    "strides": strided,
    "read-only": read_only,
    "lists": lambda v: v.tolist(),
}


def assert_contract(what: Any, target: str) -> None:
    f, at = compiled(what, target)
    given = changed(at, lambda v: in_library(target, v))
    before = f(**given)
    expected = [by_numpy(v).copy() for v in before]
    assert {dtype_of(v) for v in before} == {"float64"}
    assert_fresh(f, before, given, target)
    for value, again, same in zip(expected, f(**given), f(**given), strict=True):
        assert points.gap(value, by_numpy(again)) < 1e-9
        assert points.gap(value, by_numpy(same)) < 1e-9
    assert_types(f, at, target)
    assert_layouts(f, at, expected, target)
    assert all(np.array_equal(by_numpy(given[n]), v) for n, v in at.items())


def assert_fresh(f: Compiled, results: Any, given: dict[str, Any], target: str) -> None:
    """Results that share memory with no argument and no other result, and that can be written
    to.
    """
    if target == "jax":
        return  # nothing can be changed
    held = [by_numpy(v) for v in given.values() if not isinstance(v, int)]
    for value in results:
        array = by_numpy(value)
        if isinstance(value, (float, np.floating)):
            continue
        assert not any(np.may_share_memory(array, other) for other in held), f.source
        assert array.flags.writeable, f.source
        array[...] = 7.0
        held.append(array)


def assert_types(f: Compiled, at: dict[str, Any], target: str) -> None:
    """Single precision is kept; integers are of double precision."""
    single = f(**changed(at, lambda v: in_library(target, v.astype(np.float32))))
    assert {dtype_of(v) for v in single} == {"float32"}, f.source
    whole = {n: v if isinstance(v, int) else np.rint(8 * v).astype(int) for n, v in at.items()}
    try:
        found = f(**changed(whole, lambda v: in_library(target, v)))
    except (np.linalg.LinAlgError, RuntimeError):  # the whole numbers have made a singular matrix
        return
    assert {dtype_of(v) for v in found} == {"float64"}, f.source


def assert_layouts(f: Compiled, at: dict[str, Any], expected: list[Any], target: str) -> None:
    for name, layout in LAYOUTS.items():
        if target == "array_api" and name != "lists":
            continue  # the standard knows no layouts
        arguments = changed(at, layout)
        copies = changed(arguments, np.array)
        for value, found in zip(expected, f(**arguments), strict=True):
            assert dtype_of(found) == "float64", name
            assert points.gap(value, by_numpy(found)) < 1e-8, name
        assert all(np.array_equal(arguments[n], v) for n, v in copies.items())


@pytest.mark.parametrize("target", installed())
@pytest.mark.parametrize("name", names())
def test_function_of_the_table(name: str, target: str) -> None:
    assert_contract(name, target)


@pytest.mark.parametrize("target", installed())
@pytest.mark.parametrize("text", MORE)
def test_what_is_an_argument_or_a_part_of_it(text: str, target: str) -> None:
    assert_contract(text, target)


GALLERY = texts()


@pytest.mark.parametrize(
    ("target", "case"),
    [pytest.param(t, c, id=f"{c[0]}-{t}") for t in installed() for c in GALLERY[:: SOME[t]]],
)
def test_expression_of_the_gallery(case: tuple[str, str, str], target: str) -> None:
    assert_contract(case, target)


# ---- nan, infinity, and the ends of the range ----------------------------------------------------

OF_MATRICES = (
    "inv(A)",
    "inv(A)'*x",
    "inv(S)",
    "inv(S)*x",
    "logdet(S)",
    "det(A)",
    "eigvals(S)",
    "normnuc(A)",
    "pinv(A)",
    "expm(A)",
)
SHAPES_ALONE = {"convmat": "W", "hankel": "W"}  # arguments of which only the shape matters


@pytest.mark.parametrize("target", installed())
@pytest.mark.parametrize("name", names())
def test_nan_comes_through(name: str, target: str) -> None:
    f, at = compiled(name, target)
    for v in (
        n for n, value in at.items() if not isinstance(value, int) and n != SHAPES_ALONE.get(name)
    ):
        given = {
            n: in_library(target, np.full_like(value, np.nan) if n == v else value)
            for n, value in at.items()
        }
        for _ in range(2):  # the second call is another way through the function
            value = by_numpy(f(**given)[0])
            assert np.isnan(value).any() == (name not in COMPARISONS), (v, value)


@pytest.mark.parametrize("target", installed())
@pytest.mark.parametrize("text", OF_MATRICES)
def test_one_nan_in_a_matrix_is_nan_everywhere(text: str, target: str) -> None:
    """Whatever the place, where LAPACK leaves numbers in some entries or says that it did not
    converge.
    """
    declared = {"A": "n×n", "S": "n×n spd", "x": "n"}
    f = mc.parse(
        text, {v: shape for v, shape in declared.items() if v in text.replace("expm", "")}
    ).compile(target)
    for i, j in np.ndindex(3, 3):
        matrix = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]])
        matrix[i, j] = matrix[j, i] = np.nan
        value = f(
            A=in_library(target, matrix),
            S=in_library(target, matrix),
            x=in_library(target, np.ones(3)),
        )
        assert np.isnan(by_numpy(value)).all(), (i, j)


ENDS = (np.inf, -np.inf, 1e300, -1e300, 1e-310, -1e-310, 1e17, -1e17, 0.0)
BY_ENTRIES = [row for row in visible() if row.elementwise]


@pytest.mark.parametrize("target", installed("numba", "jax", "torch", "array_api"))
@pytest.mark.parametrize("row", BY_ENTRIES, ids=lambda row: row.name)
def test_values_at_the_ends_are_numpys(row: Any, target: str) -> None:
    tiny = target == "jax" or row.name == "lgamma"  # XLA takes them for 0, as SciPy's gammaln does
    ends = [x for x in ENDS if not (tiny and 0 < abs(x) < 1e-300)]
    low, high = row.domain
    inside = np.array([x for x in ends if low < x < high or (np.isinf(x) and x in row.domain)])
    pairs = np.array(np.meshgrid(inside, inside)).reshape(2, -1)
    e = mc.parse(
        f"{row.name}({', '.join('xw'[: row.arity])})", dict.fromkeys("xw"[: row.arity], "n")
    )
    arguments = dict(zip("xw", pairs, strict=True)) if row.second else {"x": inside}
    expected = e.compile()(**arguments)
    found = by_numpy(e.compile(target)(**{n: in_library(target, v) for n, v in arguments.items()}))
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-305)


TRUTHS: list[tuple[str, dict[str, float], float]] = [
    ("max(a,b)", {"a": 1, "b": -1e20}, 1),
    ("max(a,b)", {"a": 2, "b": -np.inf}, 2),
    ("max(a,-1e20)", {"a": 1}, 1),
    ("a + 1e20", {"a": 1}, 1e20),
    ("min(a,b)", {"a": 1, "b": 1e20}, 1),
    ("min(a,b)", {"a": -3, "b": np.inf}, -3),
    ("huber(a,b)", {"a": 1e17, "b": 1}, 1e17),
    ("huber(a,b)", {"a": -1e200, "b": 2}, 2e200),
    ("huber(a,b)", {"a": 3, "b": np.inf}, 4.5),
    ("normcdf(a)", {"a": -10}, 7.619853024160526e-24),
    ("normcdf(a)", {"a": -37}, 5.725571222524577e-300),
    ("normcdf(a)", {"a": 9}, 1),
    ("gelu(a)", {"a": -10}, -7.619853024160526e-23),
    ("gelu(a)", {"a": 1e300}, 1e300),
    ("hypot(a,b)", {"a": 1e300, "b": 1e300}, 1.4142135623730951e300),
    ("hypot(a,b)", {"a": 3e-300, "b": 4e-300}, 5e-300),
    ("atan2(a,b)", {"a": 1e-8, "b": -1}, 3.141592643589793),
]
SLOPES: list[tuple[str, str, dict[str, float], float]] = [
    ("max(a,b)", "a", {"a": 1, "b": -1e20}, 1),
    ("max(a,b)", "b", {"a": 1, "b": -1e20}, 0),
    ("huber(a,b)", "a", {"a": 1e17, "b": 1}, 1),
    ("huber(a,b)", "a", {"a": -1e17, "b": 2}, -2),
    ("huber(a,b)", "b", {"a": 1e17, "b": 1}, 1e17),
    ("normcdf(a)", "a", {"a": -10}, 7.69459862670642e-23),
    ("gelu(a)", "a", {"a": -10}, -7.618400096464814e-22),
    ("hypot(a,b)", "a", {"a": 1e300, "b": 1e300}, 0.7071067811865476),
    ("atan2(a,b)", "a", {"a": 1e-8, "b": -1}, -1),
    ("atan2(a,b)", "b", {"a": 1e-8, "b": -1}, -1e-8),
]


@pytest.mark.parametrize("target", installed())
@pytest.mark.parametrize(("text", "at", "value"), TRUTHS)
def test_value_far_out(text: str, at: dict[str, float], value: float, target: str) -> None:
    given = {n: in_library(target, np.asarray(float(v))) for n, v in at.items()}
    assert float(by_numpy(mc.parse(text).compile(target)(**given))) == pytest.approx(
        value, rel=1e-12, abs=0
    )
    assert float(by_numpy(mc.parse(text).compile(target)(**at))) == pytest.approx(
        value, rel=1e-12, abs=0
    )


@pytest.mark.parametrize("target", installed())
@pytest.mark.parametrize(("text", "wrt", "at", "value"), SLOPES)
def test_slope_far_out(
    text: str, wrt: str, at: dict[str, float], value: float, target: str
) -> None:
    d = mc.derive(text, wrt)
    assert d.verification.ok
    given = {n: in_library(target, np.asarray(float(v))) for n, v in at.items()}
    assert float(by_numpy(d.compile(target)(**given))) == pytest.approx(value, rel=1e-9, abs=0)
