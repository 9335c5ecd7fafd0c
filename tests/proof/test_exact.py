"""The exact check accepts every textbook gradient, rejects wrong ones, and says what it cannot
decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache
from math import prod
from pathlib import Path

import numpy as np
import pytest
from sympy import isprime

from matcalc import expr as ex
from matcalc.errors import MatcalcError
from matcalc.expr import Expr
from matcalc.language.program import Program
from matcalc.language.typed import typed
from matcalc.proof import dual, exact
from matcalc.proof import modular as mod
from matcalc.proof.exact import Verdict, check
from matcalc.tables.functions import BY_NAME, ROWS
from matcalc.tables.rules import ROWS as RULES

KINDS = ("grad", "dscalar", "jac", "symgrad", "diaggrad")
FIELDS = ("id", "source", "kind", "expr", "wrt", "vars", "gradient", "note")
WITHOUT_MODEL = {
    "expm",
    "logm",
    "sqrtm",
    "expm_frechet",
    "logm_frechet",
    "sqrtm_frechet",
    "chol",
    "eigvals",
    "eigvecs",
}
SIZES = {"m": 5, "n": 4, "p": 3, "q": 2, "k": 6, "r": 7}


def _identities() -> dict[str, dict[str, str]]:
    lines = (
        Path(__file__)
        .parents[1]
        .joinpath("identities.tsv")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    cells = [line.split("\t") for line in lines if line and not line.startswith(("#", "id\t"))]
    rows = [dict(zip(FIELDS, row, strict=False)) for row in cells]
    return {row["id"]: row for row in rows if row["kind"] in (*KINDS, "symelem")}


IDENTITIES = _identities()


@cache
def claim(name: str) -> tuple[Program, Expr, Expr]:
    """The typed expression of an identity, its variable and its gradient."""
    row = IDENTITIES[name]
    program = typed(row["expr"], row["vars"])
    return program, program.variables[row["wrt"]], typed(row["gradient"], row["vars"]).expr


def has_model(e: Expr) -> bool:
    return not any(node.head in WITHOUT_MODEL for node in ex.postorder(e))


DECIDED = [
    n for n, row in IDENTITIES.items() if row["kind"] in KINDS and has_model(claim(n)[0].expr)
]


def verdict(text: str, wrt: str, derivative: str, shapes: str = "", **options: int) -> Verdict:
    program = typed(text, shapes)
    return check(program.expr, program.variables[wrt], typed(derivative, shapes).expr, **options)


def equal(left: str, right: str, shapes: str) -> bool | None:
    """Whether two expressions are the same, by the derivative of t·left."""
    t, a, b = ex.var("t"), typed(left, shapes).expr, typed(right, shapes).expr
    return check(ex.times(t, a), t, b if b.shape_ == a.shape_ else ex.spread(b, a.shape_)).equal


# ---- textbook gradients --------------------------------------------------------------------------


def test_the_table_of_identities_is_there() -> None:
    assert len(DECIDED) > 180


@pytest.mark.parametrize("name", DECIDED)
def test_textbook_gradient_is_accepted(name: str) -> None:
    program, wrt, gradient = claim(name)
    assert check(program.expr, wrt, gradient) == Verdict(True)


def test_moving_both_symmetric_entries_is_another_convention() -> None:
    program, wrt, gradient = claim("076")
    assert check(program.expr, wrt, gradient).equal is False
    assert check(program.expr, wrt, typed("inv(S)", "S: n×n spd").expr).equal is True


# ---- mutants -------------------------------------------------------------------------------------


def replaced(root: Expr, old: Expr, new: Expr) -> Expr | None:
    """The expression with one node replaced wherever it stands, if the sizes still fit."""
    done: dict[Expr, Expr] = {}
    try:
        for node in ex.postorder(root):
            done[node] = (
                new
                if node is old
                else ex.rebuild(node, tuple(done[a] for a in node.args))
                if node.args
                else node
            )
    except MatcalcError:
        return None
    return done[root]


def variants(node: Expr) -> Iterator[Expr]:
    """Wrong versions of one node: a dropped term, a transpose dropped or added, neighbours
    swapped.
    """
    if node.head == "add":
        yield from (
            ex.spread(ex.add(*node.args[:i], *node.args[i + 1 :]), node.shape_)
            for i in range(len(node.args))
        )
    if node.head in ("var", "T") and node.shape_[0] == node.shape_[1] != ():
        yield ex.transpose(node)
    if node.head == "matmul":
        for i in range(len(node.args) - 1):
            try:
                yield ex.matmul(*node.args[:i], node.args[i + 1], node.args[i], *node.args[i + 2 :])
            except MatcalcError:
                continue


def one_entry(gradient: Expr) -> Expr:
    """The gradient with one added to one entry."""
    u, v = (
        ex.var(name, (size, ()), ["onehot"])
        for name, size in zip(("u0", "v0"), gradient.shape_, strict=True)
    )
    return ex.add(gradient, ex.matmul(u, ex.transpose(v)))


def mutants(gradient: Expr) -> Iterator[Expr]:
    yield from (ex.times(ex.num(k), gradient) for k in (-1, 2, Fraction(1001, 1000)))
    yield one_entry(gradient)
    if gradient.shape_[0] == gradient.shape_[1]:
        yield ex.transpose(gradient)
    for node in ex.postorder(gradient):
        yield from (
            m
            for new in variants(node)
            if (m := replaced(gradient, node, new)) is not None and m.shape_ == gradient.shape_
        )


def array(v: Expr, random: np.random.Generator) -> np.ndarray:
    """A generic real value of a variable."""
    shape = tuple(prod(SIZES[str(a)] for a in size) for size in v.shape_ if size)
    a = random.normal(size=shape)
    if len(set(shape)) < len(shape):
        a = a / 2 + 2 * np.eye(*shape)
    changes = {
        "positive": lambda a: np.exp(a / 4) + 3,
        "unit": lambda a: 0.2 + 0.6 * random.random(a.shape),
        "pm1": np.sign,
        "spd": lambda a: a @ a.T,
        "symmetric": lambda a: a + a.T,
        "diagonal": lambda a: np.diag(np.diag(a)),
        "simplex": lambda a: np.exp(a) / np.exp(a).sum(),
        "onehot": lambda a: (
            np.eye(*shape)[::-1]
            if len(shape) > 1
            else np.eye(*(shape or (1,)), 1)[:, 0].reshape(shape)
        ),
    }
    for name in v.properties:
        a = changes[name](a)
    return a


def numbers(*roots: Expr) -> list[list[np.ndarray]]:
    """The values of expressions at generic real points.

    Several, since a sign may agree by chance.
    """
    random = np.random.default_rng(5)
    variables = sorted(ex.variables(*roots), key=lambda v: v.name)
    functions = [root.compile() for root in roots]
    points = [SIZES | {v.name: array(v, random) for v in variables} for _ in range(25)]
    found = [[np.asarray(f(**point)) for point in points] for f in functions]
    assert np.isfinite(np.concatenate([a.ravel() for values in found for a in values])).all()
    return found


@pytest.mark.parametrize("name", DECIDED)
def test_mutants_are_rejected_and_only_they(name: str) -> None:
    program, wrt, gradient = claim(name)
    wrong = list(dict.fromkeys(mutants(gradient)))
    true, *values = numbers(gradient, *wrong)
    for mutant, value in zip(wrong, values, strict=True):
        same = all(
            a.shape == b.shape and np.allclose(a, b, rtol=1e-9, atol=1e-12)
            for a, b in zip(true, value, strict=True)
        )
        assert check(program.expr, wrt, mutant).equal is same, (str(gradient), str(mutant))


# ---- identities between functions ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right", "shapes"),
    [row for row in RULES if not any(name in row[0] for name in WITHOUT_MODEL)],
)
def test_rewrite_rules_hold(left: str, right: str, shapes: str) -> None:
    assert (
        equal(left, right, shapes + "; n1: n" if "eye(n)" in left and not shapes else shapes)
        is True
    )


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row.exact and row.derivative and not row.hidden],
    ids=lambda row: row.name,
)
def test_definition_has_the_derivative_of_the_table(row: dual.Row) -> None:
    arguments = "X,W" if row.second else "X"
    shapes = "X: m×n; W: m×n" if row.second else "X: m×n"
    for name, text in zip("XW", (row.derivative, row.second), strict=True):
        if text:
            slope = re.sub(r"\b[xw]\b", lambda found: found[0].upper(), text)
            assert (
                verdict(
                    f"sum({row.name}({arguments}))", name, f"ones(m,n).*({slope})", shapes
                ).equal
                is True
            )


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row.parity in ("odd", "even") and not row.hidden],
    ids=lambda row: row.name,
)
def test_parity(row: dual.Row) -> None:
    sign = {"odd": "-", "even": ""}[row.parity]
    assert equal(f"{row.name}(-X)", f"{sign}{row.name}(X)", "X: m×n") is True
    assert equal(f"{row.name}(-X)", f"{'' if sign else '-'}{row.name}(X)", "X: m×n") is False


def test_odd_symbols_vanish_at_zero() -> None:
    assert dual.Point({}, "key").symbol(BY_NAME["arctan"], 0) == 0


def test_even_symbols() -> None:
    bump = replace(BY_NAME["arctan"], name="bump", parity="even")
    point = dual.Point({}, "key")
    assert point.symbol(bump, 5) == point.symbol(bump, mod.P - 5) != point.symbol(bump, 6)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("exp(-x)", "1./exp(x)", True),
        ("exp(-x)", "exp(x)", False),
        ("log(1./x)", "-log(x)", True),
        ("log(1./x)", "log(x)", False),
        ("log(exp(x))", "x", True),
        ("exp(log(x))", "x", True),
        ("exp(-log(x))", "1./x", True),
        ("log(1./exp(x))", "-x", True),
        ("exp(0*x)", "1", True),
        ("log(exp(x)) + x", "x", False),
        ("exp(a*log(x))", "x.^a", True),
        ("x.^(a-1)", "x.^a./x", True),
        ("x.^(1/3).*x.^(5/3)", "x.^2", True),
        ("x.^(-1/3)", "x.^(2/3)./x", True),
        ("x.^(1/3)", "x.^(2/3)", False),
        ("sin(x).^2 + cos(x).^2", "1", True),
        ("tan(x)", "sin(x)./cos(x)", True),
        ("cosh(x).^2 - sinh(x).^2", "1", True),
        ("tanh(x)", "2*sigmoid(2*x)-1", False),
        ("sigmoid(-x)", "1-sigmoid(x)", True),
        ("softplus(x)", "log1p(exp(x))", True),
        ("sqrt(x.^2)", "abs(x)", True),
        ("sqrt(x.^2)", "x", False),
        ("sqrt(x).^2", "x", True),
        ("sign(a*x)", "sign(a)*sign(x)", True),
        ("sign(exp(x))", "1", True),
        ("sign(x)", "1", False),
        ("sign(x).^2", "1", True),
        ("exp(logsoftmax(x))", "softmax(x)", True),
    ],
)
def test_functions_are_consistent(left: str, right: str, same: bool) -> None:
    assert equal(left, right, "x: n; a: scalar") is same


@pytest.mark.parametrize(
    ("text", "wrt", "derivative"),
    [
        ("sum(x.^a)", "x", "a*x.^(a-1)"),
        ("sum(x.^a)", "a", "sum(x.^a.*log(x))"),
        ("sum(x.^y)", "y", "x.^y.*log(x)"),
        ("sum(x.^(1/3))", "x", "x.^(-2/3)/3"),
        ("sum(x.^-2)", "x", "-2*x.^-3"),
        ("sum(x.^(3/2))", "x", "3/2*sqrt(x)"),
        ("2^a", "a", "log(2)*2^a"),
    ],
)
def test_powers(text: str, wrt: str, derivative: str) -> None:
    shapes = "x: n; y: n; a: scalar"
    assert verdict(text, wrt, derivative, shapes).equal is True
    assert verdict(text, wrt, f"2*({derivative})", shapes).equal is False


@pytest.mark.parametrize("name", ["arcsin", "arccos", "arcsinh", "arccosh", "arctanh", "arctan"])
def test_roots_of_many_entries_are_found_by_drawing_again(name: str) -> None:
    slope = BY_NAME[name].derivative.replace("sqrt(x", "sqrt(X").replace("x.", "X.")
    assert verdict(f"sum({name}(X))", "X", f"0*X + {slope}", "X: m×n").equal is True
    assert verdict(f"sum({name}(X))", "X", f"0*X + 2*({slope})", "X: m×n").equal is False


# ---- structure and shapes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "derivative", "same"),
    [
        ("symmetric", "(A+A')/2", True),
        ("symmetric", "A", False),
        ("spd", "(A+A')/2", True),
        ("diagonal", "A.*eye(n)", True),
        ("diagonal", "A", False),
        ("orthogonal", "A", True),
        ("", "A", True),
        ("", "(A+A')/2", False),
        ("lower", "A", False),
        ("upper", "A", False),
    ],
)
def test_structured_variables(declared: str, derivative: str, same: bool) -> None:
    assert verdict("tr(A'*S)", "S", derivative, f"A: n×n; S: n×n {declared}").equal is same


def test_triangular_variables() -> None:
    shapes = "L: n×n lower; x: n"
    assert verdict("norm2(L)^2", "L", "2*L", shapes).equal is True
    assert verdict("norm2(L)^2", "L", "2*L + x*x'", shapes).equal is False


@pytest.mark.parametrize(
    ("left", "right", "shapes"),
    [
        ("S'", "S", "S: n×n spd"),
        ("Q'*Q", "eye(n)", "Q: n×n orthogonal"),
        ("sum(y)", "1", "y: n simplex"),
        ("y.*y", "ones(n)", "y: n pm1"),
        ("D.*eye(n)", "D", "D: n×n diagonal"),
        ("M.*M", "M", "M: m×n mask"),
        ("Y*ones(n)", "ones(m)", "Y: m×n onehot"),
        ("sum(y)", "1", "y: n onehot"),
        ("sign(x)", "ones(n)", "x: n positive"),
        ("sign(x)", "ones(n)", "x: n unit"),
        ("sign(det(S))", "1", "S: n×n spd"),
    ],
)
def test_declared_properties_hold(left: str, right: str, shapes: str) -> None:
    bare = "; ".join(part.rsplit(" ", 1)[0] for part in shapes.split(";"))
    assert equal(left, right, shapes) is True
    assert equal(left, right, bare) is False


def test_row_vectors_are_vectors() -> None:
    shapes = "r: 1×n; x: n"
    assert verdict("r*x", "r", "x", shapes).equal is verdict("r*x", "r", "x'", shapes).equal is True
    assert verdict("r*x", "x", "r", shapes).equal is False
    assert verdict("r*x", "r", "2*x", shapes).equal is False


def test_numerator_layout() -> None:
    shapes = "A: m×n; X: m×n"
    assert verdict("tr(A'*X)", "X", "A'", shapes, numerator=True).equal is True
    assert verdict("tr(A'*X)", "X", "A", shapes, numerator=True).equal is False
    assert verdict("A*x", "x", "A", "A: m×n; x: n", numerator=True).equal is True


def test_wrong_shape_is_different() -> None:
    assert verdict("a'*x", "x", "a'", "a: n; x: n") == Verdict(
        False, "the derivative has another shape"
    )
    assert verdict("A*x", "x", "A'", "A: m×n; x: n").equal is False


def test_independent_of_the_variable() -> None:
    x, y = typed("x", "x: n").expr, ex.var("y")
    assert check(y, x, ex.zeros(x.shape_)).equal is True
    assert check(y, x, x).equal is False


@pytest.mark.parametrize("size", ["7", "10", "784"])
def test_numeric_sizes(size: str) -> None:
    shapes = f"A: {size}×3; x: 3; y: {size}"
    assert verdict("norm2(A*x-y)^2", "x", "2*A'*(A*x-y)", shapes).equal is True
    assert verdict("norm2(A*x-y)^2", "x", "A'*(A*x-y)", shapes).equal is False


def test_a_number_that_may_be_a_large_size_is_compared_at_that_size() -> None:
    assert verdict("c*sum(x.^0)", "c", "20", "x: 20; c: scalar").equal is True
    assert verdict("sum(x+c)", "c", "20", "x: 20; c: scalar").equal is True
    assert all(
        verdict("sum(x+c)", "c", f"{k}", "x: 20; c: scalar").equal is False for k in range(1, 13)
    )
    assert verdict("sum(x+c)", "c", "21", "x: 20; c: scalar").equal is False
    assert verdict("sum(x+c)", "c", "n", "x: n; c: scalar").equal is True


@pytest.mark.parametrize("number", ["2", "3"])
def test_no_number_passes_for_a_size(number: str) -> None:
    assert verdict("sum(x+c)", "c", number, "x: n; c: scalar").equal is False
    assert (
        verdict("c*logdet(X'*X)/n/n", "c", f"logdet(X'*X)/{number}/n", "X: m×n; c: scalar").equal
        is False
    )


@pytest.mark.parametrize(
    ("text", "derivative", "shapes"),
    [
        ("logdet(X'*X)", "2*X*inv(X'*X)", "X: m×n"),
        ("logdet(X*X')", "2*inv(X*X')*X", "X: m×n"),
        ("logdet(B'*X'*X*B)", "2*X*B*inv(B'*X'*X*B)*B'", "X: m×n; B: n×p"),
    ],
)
def test_sizes_are_ordered_so_that_inverses_exist(text: str, derivative: str, shapes: str) -> None:
    assert verdict(text, "X", derivative, shapes).equal is True
    assert verdict(text, "X", f"-{derivative}", shapes).equal is False


@pytest.mark.parametrize("shapes", ["X: m×n; A: m×n", "X: 3×5; A: 3×5", "X: 5×3; A: 5×3"])
def test_pseudo_inverse(shapes: str) -> None:
    slope = (
        "-(pinv(X)*A*pinv(X))' + (eye-X*pinv(X))*A*pinv(X)*pinv(X)' + "
        "pinv(X)'*pinv(X)*A*(eye-pinv(X)*X)"
    )
    assert verdict("tr(A*pinv(X))", "X", slope, shapes).equal is True
    assert verdict("tr(A*pinv(X))", "X", "-(pinv(X)*A*pinv(X))'", shapes).equal is False


# ---- what cannot be decided ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wrt", "derivative", "reason"),
    [
        ("tr(A*inv(v*v'))", "v", "v", "inv(v*v') is singular for every input"),
        ("logdet(v*v')", "v", "v", "logdet(v*v') is singular for every input"),
        ("a*log(v'*v - v'*v)", "a", "a", "log(0) takes the logarithm of zero for every input"),
        ("tr(expm(A))", "A", "expm(A)'", "expm has no exact model"),
        ("a*sqrt(-v'*v*v'*v)", "a", "a", "sqrt(-(v'*v)^2) needs too many square roots at once"),
        ("sum(kron(kron(kron(A,A),kron(A,A)),kron(kron(A,A),kron(A,A))))", "A", "A", "a matrix of"),
    ],
)
def test_undecided(text: str, wrt: str, derivative: str, reason: str) -> None:
    found = check(
        *(typed(part, "A: n×n; v: n; a: scalar").expr for part in (text, wrt, derivative))
    )
    assert found.equal is None
    assert reason in found.reason


def test_a_zero_determinant_is_a_value() -> None:
    assert verdict("a*det(v*v')", "a", "det(v*v')", "a: scalar; v: n").equal is True
    assert verdict("det(v*v')", "v", "0*v", "v: n").equal is None


# ---- certainty and determinism -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wrt", "derivative"),
    [
        ("abs(a)", "a", "1"),
        ("relu(a)", "a", "1"),
        ("relu(a)", "a", "0"),
        ("sqrt(a^2)", "a", "1"),
        ("norm2(a)", "a", "1"),
        ("a*y'*x", "a", "sum(x)"),
    ],
)
@pytest.mark.parametrize("seed", range(25))
def test_wrong_claims_that_hold_at_half_of_the_points(
    text: str, wrt: str, derivative: str, seed: int
) -> None:
    assert verdict(text, wrt, derivative, "a: scalar; y: 2 pm1; x: 2", seed=seed).equal is False


@pytest.mark.parametrize("seed", range(25))
def test_right_claims_hold_for_every_seed(seed: int) -> None:
    shapes = "W: m×n; x: n; b: m; y: m"
    gradient = "(2*(sigmoid(W*x+b)-y).*sigmoid(W*x+b).*(1-sigmoid(W*x+b)))*x'"
    assert verdict("norm2(sigmoid(W*x+b)-y)^2", "W", gradient, shapes, seed=seed).equal is True


def test_points_are_deterministic_and_differ() -> None:
    x = typed("x", "x: n").expr
    first, again, other = (
        dual.Point({"n": 3}, key).variable(x) for key in ("0/0/0", "0/0/0", "0/1/0")
    )
    assert first == again != other


@pytest.mark.parametrize(
    "shapes", ["A: n×n", "A: m×n", "A: m×n; B: n×p", "A: m×n; B: n×p; C: p×q", "A: m×2; B: n×3"]
)
@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 1), (2, 2), (3, 2)])
def test_points_differ_in_every_size(shapes: str, first: int, second: int) -> None:
    e = typed("+".join(f"sum({part[0]})" for part in shapes.split("; ")), shapes).expr
    claim = exact._Claim(e, ex.var("t"), ex.ZERO, False, "0")
    one = claim.sizes(first, {})
    two = claim.sizes(second, one)
    assert all(one[name] != two[name] for name in one if isinstance(name, str))
    assert 1 not in {*one.values(), *two.values()}
    assert len(set(one.values())) == len(set(two.values())) == len(one)


def test_more_points_until_a_root_is_known_to_be_no_square() -> None:
    e = typed("norm2(x)", "x: n").expr
    claim = exact._Claim(e, e.args[0], typed("x/norm2(x)", "x: n").expr, False, "0")
    assert claim.verdict(2).equal is True
    assert claim.proven == claim.two_valued == {e}


def test_sizes_under_a_root() -> None:
    shapes = "x: n; y: n; c: scalar"
    assert verdict("x'*y/sqrt(n)", "x", "y/sqrt(n)", shapes).equal is True
    assert verdict("sum(x+c)/sqrt(n)", "c", "sqrt(n)", shapes).equal is True
    assert all(
        verdict("sum(x+c)*sqrt(n)", "c", f"{k}*sqrt(n)", shapes).equal is False for k in range(2, 9)
    )
    assert verdict("c*norm2(ones(n))", "c", "norm2(ones(n))", shapes).equal is True


def test_at_least_one_point() -> None:
    assert verdict("a'*x", "x", "x", "a: n; x: n", points=0).equal is False


def test_deep_expressions_do_not_recurse() -> None:
    e = x = ex.var("x")
    for _ in range(3000):
        e = ex.call("sin", e)
    assert check(e, x, e, points=1).equal is False


# ---- arithmetic modulo p -------------------------------------------------------------------------


def test_linear_algebra_modulo_p() -> None:
    a = [[0, 2, 1], [3, 0, 5], [1, 1, 1]]
    assert mod.dot(a, mod.inverse(a)) == mod.identity(3)
    assert mod.determinant(a) == 7
    assert mod.determinant([[1, 2], [2, 4]]) == 0
    with pytest.raises(mod.Singular):
        mod.inverse([[1, 2], [2, 4]])


@pytest.mark.parametrize(
    "a",
    [[[1, 2], [3, 4], [5, 6]], [[1, 2, 3], [4, 5, 6]], [[1, 2, 3], [2, 4, 6], [1, 1, 1]], [[0, 0]]],
)
def test_pseudo_inverse_modulo_p(a: mod.Matrix) -> None:
    b = mod.pseudo_inverse(a)
    ab, ba = mod.dot(a, b), mod.dot(b, a)
    assert (mod.dot(ab, a), mod.dot(ba, b), mod.flip(ab), mod.flip(ba)) == (a, b, ab, ba)


def test_the_prime() -> None:
    assert (mod.P, mod.P % 4, isprime(mod.P)) == (2**61 - 1, 3, True)


def test_roots_modulo_p() -> None:
    assert mod.root(49) in (7, mod.P - 7)
    assert mod.root(mod.P - 49) is None
    assert all(mod.legendre(r) == 1 for a in range(2, 50) if (r := mod.root(a)) is not None)
    assert mod.legendre(mod.P - 1) == -1
    assert mod.legendre(0) == 0
