"""The table of functions: every row is proven, by a loop, against definitions that are not the
table's own.
"""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import points
import pytest
import sympy
from reference import emit

import matcalc as mc
from matcalc import expr as ex
from matcalc.codegen.compiled import load
from matcalc.language.declarations import CONSTANTS, declarations
from matcalc.language.elaborate import template
from matcalc.proof.decimal_matrices import Matrix, arithmetic
from matcalc.proof.decimals import DecimalPoint
from matcalc.tables.functions import BY_NAME, MACROS, ROWS, Row, visible

ELEMENTWISE = [row for row in ROWS if row.derivative and not row.second]
PAIRS = [row for row in ROWS if row.second]
PROVEN = [row for row in ROWS if row.rule or row.define or row.adjoint]
REFUSED = [row for row in ROWS if not (row.derivative or row.rule or row.define or row.adjoint)]
T = sympy.Symbol("t", real=True)
SYMPY: dict[str, Callable[[Any], Any]] = {
    "abs": sympy.Abs,
    "log1p": lambda t: sympy.log(1 + t),
    "expm1": lambda t: sympy.exp(t) - 1,
    "sigmoid": lambda t: 1 / (1 + sympy.exp(-t)),
    "softplus": lambda t: sympy.log(1 + sympy.exp(t)),
    "relu": lambda t: sympy.Max(t, 0),
    "step": lambda t: sympy.Heaviside(t, 0),
    "tanhalf": lambda t: sympy.tan(t / 2),
    "lgamma": sympy.loggamma,
}
MPMATH: dict[str, Callable[[Any], Any]] = {
    "abs": mpmath.fabs,
    "lgamma": mpmath.loggamma,
    "polygamma": mpmath.psi,
}


def named(row: Row) -> str:
    return row.name


# ---- one dimension -------------------------------------------------------------------------------


def numbers(row: Row) -> list[Fraction]:
    """Rational numbers inside the domain, none of them at a kink."""
    low = Fraction(row.domain[0]).limit_denominator(100) if row.domain[0] > -10 else Fraction(-2)
    high = (
        Fraction(row.domain[1]).limit_denominator(100)
        if row.domain[1] < 10
        else max(low, Fraction(0)) + 2
    )
    return [low + (high - low) * k / 7 for k in range(1, 7)]


def looked_up(
    module: Any, own: dict[str, Callable[[Any], Any]], name: str
) -> Callable[[Any], Any] | None:
    return own.get(name) or getattr(module, name.replace("arc", "a"), None)


def evaluated(
    text: str,
    x: Any,
    module: Any,
    own: dict[str, Callable[[Any], Any]],
    number: Callable[[Fraction], Any],
) -> Any:
    """A text of the table in ``x``, read by matcalc and evaluated by another library."""
    t = ex.var("x")
    at: dict[ex.Expr, Any] = {t: x}
    for node in ex.postorder(template(text, {"x": t})):
        if node not in at:
            at[node] = _evaluated(node, [at[a] for a in node.args], module, own, number)
    return at[template(text, {"x": t})]


def _evaluated(
    node: ex.Expr,
    args: list[Any],
    module: Any,
    own: dict[str, Callable[[Any], Any]],
    number: Callable[[Fraction], Any],
) -> Any:
    if node.head == "num":
        return number(node.value)
    if node.head == "pi":
        return +module.pi
    if node.head in ("add", "times"):
        total = args[0]
        for a in args[1:]:
            total = total + a if node.head == "add" else total * a
        return total
    if node.head == "pow":
        return args[0] ** args[1]
    function = looked_up(module, own, node.head)
    assert function is not None, f"{node.head} is not known to {module.__name__}"
    return function(*args)


@pytest.mark.parametrize(
    "row", [r for r in ELEMENTWISE if looked_up(sympy, SYMPY, r.name)], ids=named
)
def test_derivative_is_sympys(row: Row) -> None:
    claim = evaluated(
        row.derivative, T, sympy, SYMPY, lambda q: sympy.Rational(q.numerator, q.denominator)
    )
    difference = sympy.diff(looked_up(sympy, SYMPY, row.name)(T), T) - claim
    for q in numbers(row):
        assert (
            abs(
                sympy.N(
                    difference.subs(T, sympy.Rational(q.numerator, q.denominator)), 50, maxn=400
                )
            )
            < 1e-45
        )


@pytest.mark.parametrize(
    "row", [r for r in ELEMENTWISE if looked_up(mpmath, MPMATH, r.name)], ids=named
)
def test_derivative_to_fifty_digits(row: Row) -> None:
    with mpmath.workdps(50):
        for q in numbers(row):
            x = mpmath.mpf(q.numerator) / q.denominator
            claim = evaluated(
                row.derivative, x, mpmath, MPMATH, lambda q: mpmath.mpf(q.numerator) / q.denominator
            )
            assert (
                abs(mpmath.diff(looked_up(mpmath, MPMATH, row.name), x) - claim)
                < mpmath.mpf(10) ** -35
            )


def code(e: ex.Expr) -> Callable[..., Any]:
    return load(emit(e, known=[ex.var("x")]))


def ridders(f: Callable[[Any], Any], x: float, h: float = 0.02) -> float:
    """Central differences with smaller and smaller steps, extrapolated to none (Ridders 1982)."""
    table = [[(f(x + h) - f(x - h)) / (2 * h)]]
    for _ in range(6):
        h /= 2
        line = [(f(x + h) - f(x - h)) / (2 * h)]
        for k, above in enumerate(table[-1]):
            line.append(line[k] + (line[k] - above) / (4 ** (k + 1) - 1))
        table.append(line)
    return min((abs(a[-1] - b[-1]), a[-1]) for a, b in zip(table[1:], table, strict=False))[1]


@pytest.mark.parametrize("row", ELEMENTWISE, ids=named)
def test_derivative_of_the_code(row: Row) -> None:
    x = ex.var("x")
    f, slope = code(ex.call(row.name, x)), code(template(row.derivative, {"x": x}))
    for q in map(np.float64, numbers(row)):
        assert slope(q) == pytest.approx(ridders(f, q), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("row", [r for r in ELEMENTWISE if r.exact], ids=named)
def test_exact_definition_is_the_function(row: Row) -> None:
    x = ex.var("x")
    f, g = code(ex.call(row.name, x)), code(template(row.exact, {"x": x}))
    assert all(
        f(q) == pytest.approx(g(q), rel=1e-12) for q in map(np.float64, [*numbers(row), *row.kinks])
    )


PARITIES: dict[str, Callable[[Any, Any], Any]] = {
    "odd": lambda f, x: f(-x) + f(x),
    "even": lambda f, x: f(-x) - f(x),
    "reciprocal": lambda f, x: f(-x) * f(x) - 1,
    "logarithm": lambda f, x: f(1 / x) + f(x),
}


@pytest.mark.parametrize("row", [r for r in ROWS if r.parity], ids=named)
def test_parity(row: Row) -> None:
    f = code(ex.call(row.name, ex.var("x")))
    assert all(abs(PARITIES[row.parity](f, x)) < 1e-12 for x in map(np.float64, numbers(row)))


@pytest.mark.parametrize("row", [r for r in ELEMENTWISE if r.kinks], ids=named)
def test_derivative_at_a_kink_is_the_stated_one(row: Row) -> None:
    """Where the doc states one; elsewhere it is one of the two one-sided derivatives, or between
    them.
    """
    x = ex.var("x")
    f, slope = code(ex.call(row.name, x)), code(template(row.derivative, {"x": x}))
    said = re.search(r"derivative (\S+) at", row.doc)
    for k in map(np.float64, row.kinks):
        sides = [f(k + h) - f(k) for h in (-1e-6, 1e-6)]
        low, high = (
            sorted((-sides[0] / 1e-6, sides[1] / 1e-6)) if max(map(abs, sides)) < 0.1 else (0, 0)
        )
        assert low - 1e-5 <= slope(k) <= high + 1e-5
        assert said is None or slope(k) == float(Fraction(said[1]))


# ---- elementwise, of two arguments ---------------------------------------------------------------

POINTS = [(a, b) for a in (-1.7, -0.4, 0.3, 1.1) for b in (-0.9, 0.5, 2.2)]
MEANINGS: dict[str, Callable[[Any, Any], Any]] = {
    "max": max,
    "min": min,
    "hypot": mpmath.hypot,
    "atan2": mpmath.atan2,
    "huber": lambda x, w: x * x / 2 if abs(x) <= w else w * (abs(x) - w / 2),
}


@pytest.mark.parametrize("row", PAIRS, ids=named)
def test_function_of_two_is_its_meaning(row: Row) -> None:
    x, w = ex.var("x"), ex.var("w")
    by_name = {"x": x, "w": w}
    f, g = (
        load(emit(e, known=[x, w])) for e in (ex.call(row.name, x, w), template(row.exact, by_name))
    )
    for a, b in POINTS:
        assert f(x=np.float64(a), w=np.float64(b)) == pytest.approx(
            float(MEANINGS[row.name](a, b)), rel=1e-14
        )
        assert g(x=np.float64(a), w=np.float64(b)) == pytest.approx(
            f(x=np.float64(a), w=np.float64(b)), rel=1e-12
        )


@pytest.mark.parametrize("row", PAIRS, ids=named)
def test_slopes_of_a_function_of_two_to_thirty_digits(row: Row) -> None:
    x, w = ex.var("x"), ex.var("w")
    slopes = [
        load(emit(template(text, {"x": x, "w": w}), known=[x, w]))
        for text in (row.derivative, row.second)
    ]
    for a, b in POINTS:
        at = [(1, 0), (0, 1)]
        with mpmath.workdps(30):
            expected = [mpmath.diff(MEANINGS[row.name], (a, b), n) for n in at]
        assert [s(x=np.float64(a), w=np.float64(b)) for s in slopes] == pytest.approx(
            [float(v) for v in expected], rel=1e-12
        )


ARGUMENTS = (
    "X, Y'",
    "X', Y",
    "X', a",
    "a, X",
    "x', y'",
    "a, b",
    "X, 2",
    "1, x'",
    "X, z'",
    "Y', z'",
    "ones(m,n), a",
    "x, b*ones(n)",
)


@pytest.mark.parametrize("row", PAIRS, ids=named)
@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_function_of_two_of_any_shapes(row: Row, arguments: str) -> None:
    """A scalar goes with any shape and a row with any matrix of such rows.

    The derivatives are verified.
    """
    declared = {
        "X": "m×n",
        "Y": "n×m",
        "x": "n",
        "y": "n",
        "z": "n",
        "a": "scalar",
        "b": "scalar positive",
    }
    used = {name: shape for name, shape in declared.items() if re.search(rf"\b{name}\b", arguments)}
    e = mc.parse(f"{row.name}({arguments})", used)
    (point, (value,)) = next(points.settled((e,), np.random.default_rng(7)))
    parts = {name: point.get(name) for name in used}
    for text, flip in (("X'", "X"), ("Y'", "Y")):
        parts[text] = np.transpose(parts[flip]) if flip in parts else None
    first, second = (_value(text, parts, point) for text in arguments.split(", "))
    expected = np.frompyfunc(lambda a, b: float(MEANINGS[row.name](a, b)), 2, 1)(first, second)
    np.testing.assert_allclose(value, np.asarray(expected, dtype=float), rtol=1e-13)
    for d in mc.derive(ex.call("sum", ex.times(e, e)), None).values():
        assert d.verification.ok, d.verification


def _value(text: str, parts: dict[str, Any], point: dict[str, Any]) -> Any:
    """The value of one of the arguments above."""
    if "ones" in text:
        return (
            np.ones((point["m"], point["n"]))
            if text == "ones(m,n)"
            else parts["b"] * np.ones(point["n"])
        )
    return (
        float(text) if text.isdigit() else parts[text] if text in parts else parts[text.rstrip("'")]
    )


@pytest.mark.parametrize(
    "text",
    [
        "max(x, y)*X[1,1]",
        "huber(X, y')*x[1]",
        "hypot(x)*X[1,1]*y[1]",
        "atan2(1, 2, 3)*X[1,1]*y[1]*x[1]",
    ],
)
def test_a_function_of_two_refuses_what_does_not_fit(text: str) -> None:
    with pytest.raises(mc.MatcalcError):
        mc.parse(text, "x: n; y: m; X: p×n")


# ---- the other rows ------------------------------------------------------------------------------


def inside(row: Row, x: ex.Expr) -> ex.Expr:
    """An argument inside the domain, made of a variable whose entries are between 0 and 1."""
    return ex.add(x, ex.ONE) if row.domain[0] >= 1 else x


def weighted(row: Row, args: list[ex.Expr]) -> ex.Expr:
    """A generic scalar of the function: each entry of the result with a weight of its own."""
    result = ex.call(row.name, *(inside(row, x) for x in args))
    if result.is_scalar:
        return ex.times(ex.var("c"), result)
    made_of_two = any(len(size) > 1 for size in result.shape_)
    weights = (
        ex.call(row.name, *points.arguments(row, "CD"))
        if made_of_two
        else ex.var("C", result.shape_)
    )
    return ex.call("sum", ex.times(weights, result))


def cases() -> Iterator[Any]:
    for row in [*ELEMENTWISE, *PAIRS, *PROVEN]:
        for k in set(range(row.arity)) - {points.WHOLE.get(row.name, (-1,))[0]}:
            yield pytest.param(row, k, id=f"{row.name}-{k + 1}")


@pytest.mark.parametrize(("row", "k"), list(cases()))
def test_generic_scalar_is_derived(row: Row, k: int) -> None:
    args = points.arguments(row)
    e = weighted(row, args)
    d = mc.derive(e, args[k])
    assert d.verification.ok, d.verification
    if not isinstance(d.result, ex.Expr):
        assert row.name in ("convmat", "hankel")  # a matrix of weights meets three axes
        return
    off = points.differs_from_slope(e, args[k], d.result, np.random.default_rng(1))
    assert off is not None and off < 1e-6, f"{d.result} is off by {off}"


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_decimals_are_the_function(row: Row) -> None:
    """Every row has a value in decimals of many digits, which is that of the code in double
    precision.
    """
    args = points.arguments(row)
    e = ex.call(row.name, *(inside(row, x) for x in args))
    point, (value,) = next(points.settled((e,), np.random.default_rng(2)))
    lengths = {name: n for name, n in point.items() if isinstance(n, int)}
    with decimal.localcontext(arithmetic(40)):
        values = {v: in_decimals(v, point[v.name]) for v in ex.variables(e)}
        found = DecimalPoint(lengths, values, 40).evaluate(ex.postorder(e))
        numbers = np.array([[float(entry) for entry in line] for line in found])
    if row.name == "eigvecs":  # each is one of two
        value, numbers = np.abs(value), np.abs(numbers)
    assert points.gap(value, numbers.reshape(np.shape(value))) < 1e-9


def in_decimals(v: ex.Expr, value: Any) -> Matrix:
    """A value of a variable as rows of decimals; a vector stands upright unless it is a row."""
    rows = np.atleast_2d(value)
    upright = rows.T if np.ndim(value) == 1 and v.shape_[0] else rows
    return [[decimal.Decimal(float(x)) for x in row] for row in upright]


@pytest.mark.parametrize("row", [r for r in ROWS if r.transpose], ids=named)
def test_transpose_column(row: Row) -> None:
    x, *others = points.arguments(row)
    flipped = [ex.var(v.name, v.shape_[::-1]) if v is x or row.second else v for v in (x, *others)]
    point, (value,) = next(
        points.settled((ex.call(row.name, inside(row, x), *others),), np.random.default_rng(3))
    )
    source = emit(ex.call(row.name, inside(row, flipped[0]), *flipped[1:]))
    turned = load(source)(
        *(point[v.name].T for v in source.variables), *(point[size] for size in source.sizes)
    )
    assert points.gap(value if row.transpose == "invariant" else value.T, turned) < 1e-9


@pytest.mark.parametrize("row", REFUSED, ids=named)
def test_function_without_a_rule_is_refused_by_name(row: Row) -> None:
    args = points.arguments(row)
    with pytest.raises(mc.NotDifferentiable, match=rf"\b{row.name}\b"):
        mc.derive(weighted(row, args), args[0])


def test_adjoint_serves_gradients_of_scalars_only() -> None:
    with pytest.raises(mc.NotDifferentiable, match=r"\bexpm\b"):
        mc.derive("expm(t*A)*x", "t", "t: scalar; A: n×n; x: n")


# ---- the columns ---------------------------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_row_is_complete(row: Row) -> None:
    assert row.doc and row.numpy and ex.call(row.name, *points.arguments(row)).latex()
    assert (
        "{x}" in row.numpy
        and ("{w}" in row.numpy) == (row.arity > 1)
        and ("{z}" in row.numpy) == (row.arity > 2)
    )
    assert sum(map(bool, (row.derivative, row.define, row.rule or row.adjoint))) <= 1
    assert (
        row.domain[0] < row.domain[1]
        and row.parity in ("", *PARITIES)
        and row.transpose in ("", "commutes", "invariant")
    )


def test_names_do_not_collide() -> None:
    names = [name for row in ROWS for name in (row.name, *row.aliases)] + [
        *MACROS,
        *CONSTANTS,
    ]
    assert len(names) == len(set(names))
    assert all(BY_NAME[name] is row for row in ROWS for name in (row.name, *row.aliases))


def test_hidden_functions_cannot_be_called() -> None:
    hidden = [row for row in ROWS if row not in list(visible())]
    assert hidden
    for row in hidden:
        with pytest.raises(mc.NameProblem):
            mc.parse(f"{row.name}(x)")


LETTERS = (
    {"X": "n×m positive", "A": "n×n", "S": "n×n spd"}
    | dict.fromkeys("xywb", "n positive")
    | dict.fromkeys("dp", "scalar positive")
)


@pytest.mark.parametrize("name", list(MACROS))
def test_macro_is_its_meaning(name: str) -> None:
    macro = MACROS[name]
    shapes_of = {p: "n×n" if name == "adj" else LETTERS[p] for p in macro.parameters}
    e, meaning = (
        mc.parse(f"{name}({', '.join(macro.parameters)})", shapes_of),
        mc.parse(macro.meaning, shapes_of),
    )
    assert macro.doc
    assert points.equal_everywhere(e, meaning, np.random.default_rng(4))
    for d in mc.derive(ex.call("sum", e), None).values():
        off = points.differs_from_slope(d.expr, d.wrt, d.result, np.random.default_rng(5))
        assert d.verification.ok, d.verification
        assert off is not None
        assert off < 1e-6


# ---- every function at every shape ---------------------------------------------------------------

SHAPES = ("scalar", "n", "1×n", "m×n", "n×n")


def fits(row: Row, shape: str) -> bool:
    """Square functions refuse what is not square, vector functions what is a matrix."""
    return not (row.square and shape in ("n", "1×n", "m×n")) and not (
        row.vector and shape in ("m×n", "n×n")
    )


def applied(row: Row, shape: str) -> ex.Expr | None:
    """The function of a variable of some shape.

    None where it is refused, which an elementwise function never is.
    """
    x = ex.var(
        "x",
        declarations({"x": shape})["x"].shape,
        ("unit",) if row.domain != (-np.inf, np.inf) else (),
    )
    try:
        e = ex.call(row.name, inside(row, x))
    except mc.ShapeProblem as problem:
        assert row.name in str(problem)
        assert not row.elementwise
        return None
    assert fits(row, shape)
    return e


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("row", [r for r in visible() if r.arity == 1], ids=named)
def test_function_of_any_shape_is_right_or_refused(row: Row, shape: str) -> None:
    e = applied(row, shape)
    if e is None:
        return
    point, (value,) = next(points.settled((e,), np.random.default_rng(5)))
    assert value.shape == tuple(
        int(np.prod([point[str(n)] for n in size])) for size in e.shape_ if size
    )
    if row in REFUSED or not ex.variables(e):
        return
    d = mc.derive(ex.call("sum", e), "x")
    assert d.verification.ok, d.verification
    assert d.result.shape_ == d.wrt.shape_


@pytest.mark.parametrize("second", SHAPES)
@pytest.mark.parametrize("first", SHAPES)
def test_kron_of_any_shapes(first: str, second: str) -> None:
    declared = {"x": first, "y": second.replace("m", "p").replace("n", "q")}
    d = mc.derive("sum(kron(x,y))", "x", declared)
    assert d.verification.ok, d.verification
    assert points.equal_everywhere(
        d.expr, mc.parse("sum(x)*sum(y)", declared), np.random.default_rng(6)
    )


# ---- matrices that must be symmetric -------------------------------------------------------------

SYMMETRIC = (
    "A + A'",
    "(A + A')/2",
    "A*A' + eye",
    "x*x' + eye(n)",
    "x*y' + y*x'",
    "exp(A + A')",
    "A.*A'",
    "A'*diag(x)*A",
    "[a, b; b, c]",
    "[A*A', x; x', c]",
)
NOT_SYMMETRIC = ("A", "A*B", "A^2", "A + x'", "x*y'", "[a, b; c, a]")


@pytest.mark.parametrize(
    "function",
    [
        "sum(eigvals({}))",
        "lambda_max({})",
        "lambda_min({})",
        "tr(chol({}))",
        "norm2(eigvecs({}).^3)",
    ],
)
@pytest.mark.parametrize("argument", SYMMETRIC)
def test_what_is_symmetric_by_its_form_needs_no_declaration(function: str, argument: str) -> None:
    mc.parse(function.format(argument))
    mc.parse(
        function.format(argument),
        {n: {"A": "n×n", "x": "n", "y": "n"}[n] for n in "Axy" if re.search(rf"\b{n}\b", argument)},
    )


@pytest.mark.parametrize(
    "function", ["eigvals({})", "lambda_max({})", "lambda_min({})", "chol({})", "eigvecs({})"]
)
@pytest.mark.parametrize("argument", NOT_SYMMETRIC)
def test_what_may_not_be_symmetric_is_refused(function: str, argument: str) -> None:
    with pytest.raises(mc.ShapeProblem, match="may not be symmetric"):
        mc.parse(function.format(argument))


def test_an_error_inside_an_abbreviation_points_at_its_use() -> None:
    with pytest.raises(mc.ShapeProblem) as problem:
        mc.parse("3 + lambda_max(A)", "A: n×n")
    assert problem.value.caret() == "3 + lambda_max(A)\n    ^^^^^^^^^^^^^"


@pytest.mark.parametrize("order", ["101", "1000", "10^30"])
def test_the_order_of_polygamma_has_a_limit(order: str) -> None:
    with pytest.raises(mc.LimitProblem, match="the limit is 100"):
        mc.derive(f"polygamma({order}, a)", "a")
    assert mc.parse("polygamma(100, a)").compile()(a=2.0) == pytest.approx(
        float(mpmath.psi(100, 2))
    )


@pytest.mark.parametrize("text", ["eigvals()", "chol()", "lambda_max()", "eigvals(A, B)"])
def test_a_wrong_number_of_symmetric_matrices(text: str) -> None:
    with pytest.raises(mc.NameProblem, match="takes 1 argument"):
        mc.parse(text)
