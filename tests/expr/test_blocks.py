"""Entries, ranges and blocks: what they mean, how they print, and their derivatives."""

from __future__ import annotations

import re

import numpy as np
import points
import pytest
from targets import installed

import matcalc as mc
from matcalc import expr as ex
from matcalc.codegen import compile_expr
from matcalc.expr.sizes import Sum, Unknown, length, total_of, unify
from matcalc.language.typed import typed
from matcalc.proof.exact import check as exactly

RNG = np.random.default_rng(0)
X, x, y, A = (
    RNG.normal(size=(5, 4)),
    RNG.normal(size=5),
    RNG.normal(size=3),
    RNG.normal(size=(4, 4)),
)
B, C, D = RNG.normal(size=(4, 2)), RNG.normal(size=(3, 4)), RNG.normal(size=(3, 2))
AT = {"X": X, "x": x, "y": y, "A": A, "B": B, "C": C, "D": D, "i": 2, "j": 3, "c": 2.5}
VALUES = [
    ("x[2]", x[1]),
    ("x[i]", x[1]),
    ("x[2:4]", x[1:4]),
    ("x[2:]", x[1:]),
    ("x[:3]", x[:3]),
    ("x[:]", x),
    ("x'[2]", x[1]),
    ("X[i,:]", X[1]),
    ("X[:,j]", X[:, 2]),
    ("X[i,j]", X[1, 2]),
    ("X[2:3,:]", X[1:3]),
    ("X[:,2:3]", X[:, 1:3]),
    ("X[2:4,1:2]", X[1:4, :2]),
    ("X'[j,:]", X.T[2]),
    ("(X*A)[i,:]", (X @ A)[1]),
    ("X[2:4,:][1,:]", X[1]),
    ("exp(x)[2:3]", np.exp(x[1:3])),
    ("X*A[:,j]", X @ A[:, 2]),
    ("X[i,:]*A[:,j]", X[1] @ A[:, 2]),
    ("x[2:] - x[:n-1]", np.diff(x)),
    ("j*x[j]", 3 * x[2]),
    ("X[:,2:3]*A[2:3,:]", X[:, 1:3] @ A[1:3]),
    ("[A, B; C, D]", np.block([[A, B], [C, D]])),
    ("[A, B]", np.hstack([A, B])),
    ("[A; C]", np.vstack([A, C])),
    ("[x; y]", np.r_[x, y]),
    ("[c, y'; y, C*C']", np.block([[np.array([[2.5]]), y[None]], [y[:, None], C @ C.T]])),
    ("[A, 0; 0, D]", np.block([[A, np.zeros((4, 2))], [np.zeros((3, 4)), D]])),
    ("[A, eye]", np.hstack([A, np.eye(4)])),
    ("[A, B; C, D]*[A, B]'", np.block([[A, B], [C, D]]) @ np.hstack([A, B]).T),
    ("[A, B; C, D][5:6,:]", np.block([[C, D]])[:2]),
    ("[x; y]'*[x; y]", x @ x + y @ y),
    ("[x; c; y]", np.r_[x, 2.5, y]),
    ("2*[A; C]*X[i,:]'", 2 * np.vstack([A, C]) @ X[1]),
]
SHAPES = {
    "x": "n",
    "X": "n×k",
    "A": "k×k",
    "B": "k×p",
    "C": "q×k",
    "D": "q×p",
    "y": "q",
    "c": "scalar",
}
CASES = VALUES


def declared(text: str) -> dict[str, str]:
    return {n: s for n, s in SHAPES.items() if n in text}


@pytest.mark.parametrize(("text", "value"), CASES, ids=[text for text, _ in CASES])
@pytest.mark.parametrize(
    ("target", "reuse"), [("numpy", False), ("numpy", True), ("array_api", False)]
)
def test_value(text: str, value: np.ndarray, target: str, reuse: bool) -> None:
    f = compile_expr(mc.parse(text, declared(text)), target, reuse=reuse)
    np.testing.assert_allclose(
        f(**{n: a for n, a in AT.items() if n in f.parameters}), value, rtol=1e-12
    )


@pytest.mark.parametrize("text", [text for text, _ in CASES])
def test_text_parses_back(text: str) -> None:
    e = mc.parse(text, declared(text))
    assert mc.parse(str(e), declared(text)) is e
    assert e.latex()


DERIVED = [
    ("norm2(X[:,j])^2", "X", "2*X[:,j]*eye(k)[:,j]'"),
    ("x[i]^3", "x", "3*x[i]^2*eye(n)[:,i]"),
    ("(X*w)[2:4]", "w", "X[2:4,:]"),
    ("norm2([A, B; C, D]*w)^2", "B", "2*[A, B]*w*w'[k+1:k+p]"),
    ("norm2([x; y])^2", "x", "2*x"),
    ("tr(S[1:2,1:2])", "S", "eye(h)[:,1:2]*eye(h)[:,1:2]'"),
    (
        "norm1(x[2:] - x[:n-1])",
        "x",
        "eye(n)[:,2:n]*sign(x[2:n] - x[1:n-1]) - eye(n)[:,1:n-1]*sign(x[2:n] - x[1:n-1])",
    ),
    ("logdet([A, B; B', E])", "A", None),
    ("sum(exp([x; y]).^2)", "y", "2*exp(y).^2"),
    ("y'*log(softmax([z; 0]))", "z", None),
    ("X[i,:]*X[:,j]", "X", None),
    ("norm2(tanh([A, B]*u + c*[x; y][1:k]))^2", "B", None),
    ("det([A, B; B', eye])", "B", None),
]
MORE = {"w": "", "E": "p×p", "S": "h×h", "z": "m", "u": "k+p"}


@pytest.mark.parametrize(("text", "wrt", "expected"), DERIVED, ids=[text for text, *_ in DERIVED])
@pytest.mark.parametrize("equal", [False, True])
def test_derivative(text: str, wrt: str, expected: str | None, equal: bool) -> None:
    letters = re.sub(r"[a-z]\w+\(", "(", text)
    shapes = {n: s for n, s in (SHAPES | MORE).items() if s and n in letters}
    shapes |= (
        {"x": "k", "y": "k"}
        if "1:k" in text
        else {"y": "m+1"}
        if "z" in shapes
        else {"X": "n×n"}
        if "X[i,:]*" in text
        else {}
    )
    d = mc.derive(text, wrt, shapes)
    assert d.verification.ok, d.verification
    if expected is not None:
        assert str(d.result) == expected
    off = points.differs_from_slope(d.expr, d.wrt, d.result, np.random.default_rng(3), equal=equal)
    assert off is not None and off < 1e-6


@pytest.mark.parametrize("order", [1, 2])
def test_hessian_of_a_column(order: int) -> None:
    d = mc.derive("sum(tanh(X[:,j]))", "X", order=order)
    assert d.verification.ok and d.verification.exact
    if order == 2:
        h = d.compile()(X=X, j=3)
        assert h.shape == (5, 4, 5, 4)
        assert np.count_nonzero(h) == 5


def test_places_do_not_collide_with_indices() -> None:
    assert str(mc.derive("X[:,i]", "X").result) == "eye(n)[:,i][l]*I[j,k]"


WRONG = [
    ("x[0]", "x: n", "indices start at 1"),
    ("x[5]", "x: 3", "length 3"),
    ("x[3:2]", "x: n", "empty"),
    ("x[1:m]", "x: n", "may not exist"),
    ("X[1]", "X: m×n", "two indices"),
    ("x[1,2]", "x: n", "no entry"),
    ("c[1]", "c: scalar", "no entry"),
    ("c[1:n]", "c: scalar", "no entry"),
    ("x[1.5]", "x: n", "not a size"),
    ("[A, B; C]", "", "different numbers"),
    ("[A, B]", "A: m×n; B: k×p", "beside"),
    ("[A; B]", "A: m×n; B: m×p", "beside"),
    ("[A, B", "", "never closed"),
    ("A]", "", "closes nothing"),
    ("x[", "x: n", "too early"),
    ("[A, B]*x", "A: m×n; B: m×p; x: n", "inner sizes"),
]


@pytest.mark.parametrize(("text", "shapes", "said"), WRONG)
def test_wrong_places_and_blocks_are_refused(text: str, shapes: str, said: str) -> None:
    with pytest.raises(mc.MatcalcError, match=said):
        mc.parse(text, shapes)


@pytest.mark.parametrize(("text", "given"), [("x[5]*x", {}), ("x[j]*x", {"j": 4}), ("x[2:6]", {})])
def test_places_beyond_the_arrays_are_refused_before_any_work(
    text: str, given: dict[str, int]
) -> None:
    with pytest.raises(mc.ShapeProblem, match="length is 3"):
        mc.parse(text, "x: n").compile()(x=np.ones(3), **given)


def test_a_length_that_is_no_sum_of_its_parts_is_refused() -> None:
    f = mc.parse("[A, B]*u", "A: m×n; B: m×p; u: n+p").compile()
    assert f(A=np.ones((2, 3)), B=np.ones((2, 1)), u=np.ones(4)).shape == (2,)
    with pytest.raises(mc.ShapeProblem, match=r"n\+p"):
        f(A=np.ones((2, 3)), B=np.ones((2, 1)), u=np.ones(5))


def test_a_range_to_a_name_says_the_length_of_what_is_not_declared() -> None:
    d = mc.derive("norm2(x[2:n] - x[1:n-1])^2", "x")
    assert d.wrt.shape == ("n",) and d.verification.ok
    assert mc.parse("x[1:n-1] - x[2:n]").shape == ("n-1",)


@pytest.mark.parametrize("text", ["pi*x[pi]", "x[sin]", "x[1:eye]", "ones(mean)"])
def test_what_has_a_meaning_is_no_place(text: str) -> None:
    with pytest.raises(mc.NameProblem, match="no index"):
        mc.parse(text)


def test_the_exact_check_sees_a_wrong_place() -> None:
    program = typed("x[2]*sum(x)", "x: n")
    right, wrong = (
        typed(text, "x: n").expr
        for text in ("x[2]*ones(n) + sum(x)*eye(n)[:,2]", "x[2]*ones(n) + sum(x)*eye(n)[:,1]")
    )
    assert exactly(program.expr, program.variables["x"], right).equal
    assert exactly(program.expr, program.variables["x"], wrong).equal is False


# ---- sums of sizes -------------------------------------------------------------------------------


def test_sums_of_sizes() -> None:
    n, m = ("n",), ("m",)
    assert total_of([(n, 1), (m, 1)]) == total_of([(m, 1), (n, 1)]) == "m+n"
    assert total_of([(n, 2), (n, -1)]).size() == n
    assert total_of([((3,), 1), ((), 1)]).size() == (4,)
    assert length((total_of([(n, 2)], -1),), {"n": 3}) == 5
    assert Sum({n: 1, m: 1}).covers(Sum({n: 1}, 1)) and not Sum({n: 1}).covers(Sum({}, 2))


def test_unification_of_sums() -> None:
    u, v = Unknown(), Unknown()
    assert unify(
        total_of([((u,), 1), (("n",), 1)]).size(), total_of([(("n",), 1), (("m",), 1)]).size()
    )
    assert u.value == ("m",)
    assert unify(total_of([((v,), 1), ((2,), 1)]).size(), (5,)) and v.value == (3,)
    assert not unify(("k",), total_of([(("n",), 1), (("m",), 1)]).size())


def test_blocks_beside_each_other_agree_part_by_part() -> None:
    for _ in range(20):
        program = typed("[A, B] + [C, D]")
        assert (
            program.variables["A"].shape
            == program.variables["C"].shape
            != program.variables["B"].shape
        )


def test_a_size_of_a_sum_is_a_number() -> None:
    e = mc.parse("sum([x; y])/numel([x; y])", "x: n; y: m")
    assert e.compile()(x=np.ones(3), y=np.zeros(1)) == 0.75
    assert ex.size_number(total_of([(("n",), 1)], -1).size()) is mc.parse(
        "n - 1 + 0*sum(x)", "x: n"
    )


# ---- convolution ---------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("wrt", ["x", "w"])
def test_derivatives_of_a_convolution(wrt: str, order: int) -> None:
    d = mc.derive("sum(tanh(conv(x, w) - y))", wrt, "x: n; w: m", order=order)
    assert d.verification.ok and d.verification.exact
    e = mc.derive("norm2(conv(x,w) - y)^2", wrt)
    assert (
        str(e.result) == {"x": "2*corr(conv(x, w) - y, w)", "w": "2*corr(conv(x, w) - y, x)"}[wrt]
    )


@pytest.mark.parametrize("target", installed("numpy", "array_api", "jax", "torch"))
def test_convolution_on_every_target(target: str) -> None:
    rng = np.random.default_rng(7)
    x, w = rng.normal(size=6), rng.normal(size=3)
    f = mc.parse("conv(x, w)", "x: n; w: m").compile(target)
    np.testing.assert_allclose(np.asarray(f(x=x, w=w)), np.convolve(x, w), rtol=1e-5)
    g = mc.parse("corr(x, w)", "x: n; w: m").compile(target)
    np.testing.assert_allclose(np.asarray(g(x=x, w=w)), np.correlate(x, w), rtol=1e-5)
    for text, by_hand in (("conv(x, w)", np.convolve), ("corr(x, w)", np.correlate)):
        wanted = np.array([by_hand(row, w) for row in np.eye(6)]).T
        np.testing.assert_allclose(
            np.asarray(mc.derive(text, "x", "x: n; w: m").compile(target)(x=x, w=w)),
            wanted,
            atol=1e-6,
        )


NOT_CONVOLVED = [
    ("corr(x,w)", "x: 2; w: 3", "longer"),
    ("conv(X,w)", "X: m×n; w: k", "two columns"),
    ("conv(x',w)", "x: n; w: k", "two columns"),
]


@pytest.mark.parametrize(("text", "shapes", "said"), NOT_CONVOLVED)
def test_what_cannot_be_convolved_is_refused(text: str, shapes: str, said: str) -> None:
    with pytest.raises(mc.ShapeProblem, match=said):
        mc.parse(text, shapes)


NUMBERS = [
    ("lambda_max([a,b;b,c])", "b"),
    ("tr(chol([a,b;b,c]))", "b"),
    ("det([a,b;c,d])", "a"),
    ("x'*inv([a,b;b,c])*x", "b"),
]


@pytest.mark.parametrize(("text", "wrt"), NUMBERS)
def test_a_matrix_of_numbers_stays_one(text: str, wrt: str) -> None:
    d = mc.derive(text, wrt)
    assert d.verification.ok, d.verification
    assert mc.parse(str(d.result), d.program.declarations) is d.result
    assert re.search(r"\[a, b; [bc], [cd]\]", str(d.result))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("X[:,j]'*X[:,1]", "X[:,1]*eye(k)[:,j]' + X[:,j]*eye(k)[:,1]'"),
        ("tr(X[2:n,:]*X[1:n-1,:]')", "eye(n)[:,1:n-1]*X[2:n,:] + eye(n)[:,2:n]*X[1:n-1,:]"),
    ],
)
def test_parts_stay_with_what_they_take(text: str, expected: str) -> None:
    assert str(mc.derive(text, "X", "X: n×k").result) == expected


@pytest.mark.parametrize(
    "text",
    [
        "C[:,1:m]*eye(m+1)[:,2:m+1]' + eye(m+1)[:,2:m+1]*C[1:m,:]",
        "x*eye(m+1)[:,1]' + eye(m+1)[:,2:m+1]*C[1:m,:]",
    ],
)
def test_all_rows_are_not_taken_for_the_first(text: str) -> None:
    e = mc.parse(text, "C: m+1×m+1; x: m+1")
    assert str(e).startswith(("C[", "x*", "eye(")) and mc.parse(str(e), "C: m+1×m+1; x: m+1") is e


@pytest.mark.parametrize(
    ("text", "shapes"), [("vec(X)[i]", "X: m×n"), ("kron(X,B)[1,2]", "X: n×n; B: m×m")]
)
def test_a_change_without_a_matrix_form_is_refused(text: str, shapes: str) -> None:
    d = mc.derive(text, "X", shapes)
    assert d.verification.ok
    with pytest.raises(mc.NoMatrixForm, match="no matrix form"):
        d.differential()


# ---- places that may not exist -------------------------------------------------------------------

RUNNING = [
    ("(x[i+1] - 2*x[i] + x[i-1])^2", "x: n"),
    ("x[2:][j]^3", "x: n"),
    ("x[n-5]^2", "x: n"),
    ("norm2(x[i:i+2])^2", "x: n"),
    ("x[n-m+1:n]'*y", "x: n; y: m"),
    ("x[n-m]^2*sum(y)", "x: n; y: m"),
    ("x[m]^2", "x: n; y: m"),
    ("x[n-i]^2*x[i]", "x: n"),
    ("x[i+j]^2", "x: n"),
]


@pytest.mark.parametrize(("text", "shapes"), RUNNING)
def test_places_that_some_lengths_do_not_have_are_checked_where_they_exist(
    text: str, shapes: str
) -> None:
    d = mc.derive(text, "x", shapes)
    assert d.verification.exact and d.verification.numeric, d.verification
    assert mc.parse(str(d.result), d.program.declarations) is d.result
    off = points.differs_from_slope(d.expr, d.wrt, d.result, np.random.default_rng(3))
    assert off is not None and off < 1e-6


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("x[n-3]", {}),
        ("sum(x[n-3:n])", {}),
        ("x[i-1]", {"i": 1}),
        ("x[i+1]", {"i": 3}),
        ("x[n-i]", {"i": 3}),
    ],
)
def test_places_before_the_first_are_refused_not_counted_from_the_end(
    text: str, given: dict[str, int]
) -> None:
    with pytest.raises(mc.ShapeProblem, match="length is 3"):
        mc.parse(text, "x: n").compile()(x=np.ones(3), **given)


def test_many_sizes_and_a_place() -> None:
    names = "abcdefghklmnp"
    text = " + ".join(f"sum(x{a})" for a in names) + " + xa[i]^2"
    assert mc.derive(text, "xa", {f"x{a}": f"{a}1" for a in names}).verification.exact


# ---- Python's indices ----------------------------------------------------------------------------

SYMBOLIC = {
    "X": mc.matrix("X", 4, 3),
    "x": mc.vector("x", 5),
    "M": mc.matrix("M", "m", "n"),
    "v": mc.vector("v", "n+k"),
    "k": mc.scalar("k", "integer"),
}


@pytest.mark.parametrize(
    "key",
    [
        "X[0, 0]",
        "X[-1, :]",
        "X[:, 1]",
        "X[1:3, :-1]",
        "X[2:, 2]",
        "x[0]",
        "x[-2]",
        "x[1:]",
        "x[:-1]",
        "x[-3:-1]",
        "x[:]",
        "(X @ X.T)[0, 1:]",
    ],
)
def test_an_index_takes_what_it_takes_of_an_array(key):
    at = {"X": np.arange(12.0).reshape(4, 3), "x": np.arange(5.0)}
    found = eval(key, dict(SYMBOLIC))
    arguments = {v.name: at[v.name] for v in mc.expr.variables(found)}
    np.testing.assert_array_equal(
        np.squeeze(found.compile()(**arguments)), np.squeeze(eval(key, dict(at)))
    )


def test_an_index_may_be_a_size():
    v, k = SYMBOLIC["v"], SYMBOLIC["k"]
    assert (v[:k].shape, v[k:].shape, v[k:].shape_[0]) == (("k",), ("n",), ("n",))
    assert mc.derive(mc.norm2(v[k:]) ** 2 + v[0], v).verification.ok


@pytest.mark.parametrize(
    "key", ["X[0]", "x[0, 0]", "X[4, 0]", "x[-6]", "x[1:1]", "x[3:2]", "x[::2]", "mc.norm2(x)[0]"]
)
def test_an_index_that_takes_nothing_is_refused(key):
    with pytest.raises(mc.ShapeProblem):
        eval(key, SYMBOLIC | {"mc": mc})


@pytest.mark.parametrize("key", ["x[1.0]", "x['i']", "x[x]", "x[True]", "list(x)", "1 in x"])
def test_what_is_no_index_is_a_type_error(key):
    with pytest.raises(TypeError):
        eval(key, dict(SYMBOLIC))
