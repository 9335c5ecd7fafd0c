"""Whole powers of matrices whose exponent is a name: typed, simplified, derived, compiled, and
what is refused.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from targets import installed

import matcalc as mc

KNOWN = (
    ("tr(X^k)", "X", "", "k*(X^(k - 1))'"),
    ("tr(X^n)", "X", "X: n×n", "n*(X^(n - 1))'"),
    ("tr(S^k)", "S", "S: n×n symmetric", "k*S^(k - 1)"),
    ("tr(X^-k)", "X", "", "-k*(inv(X)^(k + 1))'"),
    ("tr(X^(2*k))", "X", "", "2*k*(X^(2*k - 1))'"),
    ("tr(X^(k-1)*X)", "X", "", "k*(X^(k - 1))'"),
    ("tr((X^k)^l)", "X", "", "k*l*(X^(k*l - 1))'"),
    ("tr((A*X*B)^k)", "X", "", "k*A'*((A*X*B)^(k - 1))'*B'"),
    ("tr((a*X)^k)", "a", "", "k*tr(X*(a*X)^(k - 1))"),
    ("det(X^k)", "X", "", "k*det(X)^k*inv(X)'"),
    ("logdet(X^k)", "X", "", "k*inv(X)'"),
    ("sum(diag(x)^k)", "x", "", "k*x.^(k - 1)"),
    ("x'*X^k*y", "y", "", "(X^k)'*x"),
    ("tr(A*X^k)", "X", "", "powm_frechet(X', A', k)"),
    ("tr(A*X^100)", "X", "", "powm_frechet(X', A', 100)"),
    ("norm2(X^k*x)^2", "X", "", "2*powm_frechet(X', X^k*x*x', k)"),
)


@pytest.mark.parametrize(("text", "wrt", "shapes", "answer"), KNOWN, ids=[row[0] for row in KNOWN])
def test_the_answer_is_verified_and_short(text, wrt, shapes, answer):
    d = mc.derive(text, wrt, shapes)
    assert str(d.result) == answer
    assert d.verification.ok and d.verification.exact and d.verification.numeric
    assert mc.check(text, wrt, answer, shapes).ok
    assert not mc.check(text, wrt, f"({answer})*2", shapes).ok


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize(
    "text", ["tr(A*X^k)", "x'*X^(k+1)*x", "tr(X^(2*k-1))", "tr(A*X^(k-4))", "tr(A*X^-k)"]
)
def test_every_whole_number_may_be_put_in(text, k):
    rng = np.random.default_rng(k + 9)
    f = mc.derive(text, "X", "k: integer").compile(value=True)
    at = {
        "A": rng.normal(size=(3, 3)),
        "X": np.eye(3) + 0.3 * rng.normal(size=(3, 3)),
        "x": rng.normal(size=3),
    }
    arguments = {name: at[name] for name in f.parameters if name in at} | (
        {"k": k} if "k" in f.parameters else {}
    )
    _, gradient = f(**arguments)
    for place in np.ndindex(3, 3):
        step = np.zeros((3, 3))
        step[place] = 1e-5
        up, down = (f(**arguments | {"X": at["X"] + sign * step})[0] for sign in (1, -1))
        assert gradient[place] == pytest.approx((up - down) / 2e-5, rel=1e-6, abs=1e-7)


MATRICES = st.recursive(
    st.sampled_from(["X", "X'", "A", "inv(X)", "(X + A)"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["k", "(k+1)", "(2*k)", "-k", "2", "(k*l)"])).map(
            "({0[0]})^{0[1]}".format
        ),
        st.tuples(inner, inner).map("{0[0]}*{0[1]}".format),
    ),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None)
@given(MATRICES, st.booleans())
def test_random_powers_are_verified_exactly(matrix, equal):
    text = f"tr(A*{matrix})"
    sizes = "n×n" if not equal else "k×k"
    d = mc.derive(f"{text} + sum(X)", "X", f"X: {sizes}; A: {sizes}; k: integer; l: integer")
    assert d.verification.ok and d.verification.exact, d.verification


@pytest.mark.parametrize(
    ("text", "shapes", "part"),
    [
        ("X^T", "", "the transpose is ' or .T"),
        ("tr(X^k)+k", "", "declare k: integer"),
        ("tr(X^y)+y'*y", "", "declare y: integer"),
        ("2^x", "", ".^ the entry-by-entry power"),
        ("2^x*tr(Y^x)+sum(x)", "", "exponent x"),
        ("tr(X^0.5)", "", "integer exponent"),
        ("tr(X^a)", "a: scalar", "integer exponent"),
        ("x^k", "k: integer", "is a vector"),
        ("X^k", "X: m×n; k: integer", "only a square matrix"),
        ("tr(X^k)", "k: n integer", "contradicts itself"),
        ("powm_frechet(X, X, 0.5)", "", "integer exponent"),
    ],
)
def test_what_is_no_whole_power_is_refused(text, shapes, part):
    with pytest.raises(mc.MatcalcError) as refusal:
        mc.parse(text, shapes)
    assert part in str(refusal.value)


def test_a_declared_integer_may_stand_anywhere():
    assert (
        str(mc.derive("k*sum(x.^k) + tr(X^k)", "x", "k: integer; x: n").result) == "k^2*x.^(k - 1)"
    )


def test_from_python():
    X, k = mc.matrix("X", "n", "n"), mc.scalar("k", "integer")
    assert str(mc.derive(mc.tr(X**k), X).result) == "k*(X^(k - 1))'"


def test_a_jacobian_is_refused_by_name():
    with pytest.raises(mc.NotDifferentiable, match="gradients of scalars only"):
        mc.derive("X^k", "X")


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("powm(a, k)", "a^k"),
        ("powm_frechet(a, b, k)", "b*k*a^(k - 1)"),
        ("powm_frechet(a, a, k)", "k*a^k"),
        ("powm_frechet(X, 3*eye, k)", "3*k*X^(k - 1)"),
        ("powm_frechet(X, 2*X, k)", "2*k*X^k"),
        ("powm_frechet(X, 0*X, k)", "0*X"),
        ("powm_frechet(X^l, inv(X), k)", "k*X^(k*l - l - 1)"),
        ("powm_frechet(X', (X^l)', k)", "k*(X^(k + l - 1))'"),
    ],
)
def test_directions_that_commute(text, same):
    shapes = "k: integer; l: integer; a: scalar; b: scalar; X: n×n"
    assert "powm_frechet" not in str(mc.parse(text, shapes))
    e, other = (mc.parse(t, shapes).compile() for t in (text, same))
    at = {
        "a": 1.3,
        "b": 0.4,
        "X": np.eye(3) + np.random.default_rng(1).normal(size=(3, 3)) / 4,
        "k": 3,
        "l": 2,
        "n": 3,
    }
    values = [f(**{name: at[name] for name in f.parameters}) for f in (e, other)]
    np.testing.assert_allclose(*values, rtol=1e-12)


@pytest.mark.parametrize("text", ["tr(A*X^k)", "tr(A*expm(X))", "tr(A*logm(X))", "tr(A*sqrtm(X))"])
@pytest.mark.parametrize("target", installed("numpy", "numba"))
def test_the_identity_is_added_to_a_part_of_a_larger_array(text, target):
    """A Fréchet derivative is a block of a larger matrix."""
    rng = np.random.default_rng(3)
    at = {"X": np.eye(3) + 0.2 * rng.normal(size=(3, 3)), "A": rng.normal(size=(3, 3))} | (
        {"k": 3} if "^k" in text else {}
    )
    alone, beside = (mc.derive(t, "X").compile(target)(**at) for t in (text, f"{text} + 5*tr(X)"))
    np.testing.assert_allclose(beside, alone + 5 * np.eye(3), rtol=1e-12)


@pytest.mark.parametrize(
    "text",
    ["y'*(X^k + eye(n))*y", "sin(X^k)", "sum(exp(X'^k))", "tr(A*exp(X^k))", "tr(A*exp(X)^k)"],
)
@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize("target", installed("numpy", "numba"))
def test_the_first_power_is_not_written_over(text, target, reuse):
    rng = np.random.default_rng(4)
    at = {
        "X": rng.normal(size=(3, 3)),
        "A": rng.normal(size=(3, 3)),
        "y": rng.normal(size=3),
        "k": 1,
    }
    f = mc.parse(text, "y: n; A: n×n; X: n×n; k: integer").compile(target, reuse=reuse)
    before = np.copy(at["X"])
    f(**{name: at[name] for name in f.parameters})
    np.testing.assert_array_equal(at["X"], before)


@pytest.mark.parametrize(
    ("text", "wrt", "shapes"),
    [
        ("(a^k)^2", "a", ""),
        ("det(X^k)^2", "X", ""),
        ("det((X^k)^2)", "X", ""),
        ("sum((x.^k).^2)", "x", "x: n"),
        ("(a^n)^2*x'*x", "a", "x: n"),
        ("a^k*a^2*(a^k)^3", "a", ""),
        ("det(X^-k)^2*tr(X)", "X", ""),
        ("(a^(k-3))^2", "a", ""),
        ("det(X^(k^2))^2", "X", ""),
    ],
)
def test_powers_of_scalar_powers_are_verified_exactly(text, wrt, shapes):
    d = mc.derive(text, wrt, f"k: integer; {shapes}")
    assert d.verification.ok and d.verification.exact
    assert not mc.check(text, wrt, f"3*({d.result})", f"k: integer; {shapes}").exact


def test_a_power_that_is_too_large_is_named_as_it_is() -> None:
    with pytest.raises(mc.LimitProblem, match=r"the power \(3/10\)\^5000 is too large"):
        mc.parse("0.3^5000")
    with pytest.raises(mc.LimitProblem, match=r"the power 7\^5000 is too large"):
        mc.parse("7^5000")
