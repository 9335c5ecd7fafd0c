"""Identities between analytic functions beside functions with kinks: right candidates are
accepted, no wrong one is.
"""

from __future__ import annotations

import re

import pytest

import matcalc as mc
from matcalc import expr as ex
from matcalc.language.typed import typed
from matcalc.proof.sides import agrees_on_every_side

SHAPES = "A: n×n; s: scalar; a: scalar; x: n; X: m×n"
RIGHT = (
    ("hardtanh(s)*sin(s)^2", "s", "step(s + 1)*step(1 - s)*sin(s)^2 + hardtanh(s)*sin(2*s)"),
    (
        "hardtanh(s)*sin(s)",
        "s",
        "(step(s + 1)*step(1 - s)*sin(s) + hardtanh(s)*cos(s))*(sin(2*s) + 1 - 2*sin(s)*cos(s))",
    ),
    ("sum(relu(x).*cos(x))", "x", "step(x).*cos(x) - relu(x).*cos(x - pi/2)"),
    (
        "min(s, 2)*tanh(s)",
        "s",
        "(tanh(s)*step(2 - s) + min(s, 2)*(1 - tanh(s)^2))*(tanh(s) + 1)/(2*sigmoid(2*s))",
    ),
    ("norm2(s)*sin(2*s)", "s", "sign(s)*2*sin(s)*cos(s) + 2*norm2(s)*(1 - 2*sin(s)^2)"),
    ("abs(a)*exp(a)", "a", "sign(a)*exp(a) + abs(a)*(cosh(a) + sinh(a))"),
    ("amax(x)*sqrt(sum(x))", "x", "sqrt(sum(x))*ismax(x)/sum(ismax(x)) + amax(x)/2/sqrt(sum(x))"),
    ("amax(log(x))", "x", "ismax(log(x))./x/sum(ismax(log(x)))"),
    ("amax(X)*normnuc(X)", "X", "normnuc(X)*ismax(X)/sum(ismax(X)) + amax(X)*polar(X)"),
    ("norm1(x)*lambda_max(x*x')", "x", None),
    (
        "sum(leaky_relu(X).*cos(X))",
        "X",
        "(0.01 + 0.99*step(X)).*cos(X) - leaky_relu(X).*sin(X + 2*pi)",
    ),
)
WRONG = (
    ("abs(a)*sin(2*a)", "a", "sign(a)*2*sin(a)*cos(a) + abs(a)*2*cos(2*a) + step(a - 1000)"),
    ("abs(a)*sin(2*a)", "a", "2*sin(a)*cos(a) + a*2*cos(2*a)"),
    ("amax(x)", "x", "ismax(x)/sum(ismax(x)) + relu(x - 1000)"),
    ("amax(x)", "x", "ismax(x)/sum(ismax(x)) + step(-x - 200)"),
    ("amax(x) + sum(relu(x - 1000))", "x", "ismax(x)/sum(ismax(x))"),
    ("tr(expm(A))", "A", "expm(A)' + relu(A - 1000)"),
    ("tr(expm(A))", "A", "expm(A)' + sqrt((A - 1000).^2) + A - 1000"),
    (
        "sum(relu(x).*cos(x))",
        "x",
        "step(x).*cos(x) - relu(x).*sin(x) + sqrt((x - 1000).^2) + x - 1000",
    ),
    (
        "sum(relu(x).*cos(x))",
        "x",
        "step(x).*cos(x) - relu(x).*sin(x) + exp(log((x - 1000).^2)/2) + x - 1000",
    ),
    ("relu(a - 1000)*sin(2*a) + sin(2*a)", "a", "2*(1 - 2*sin(a)^2)"),
    ("sum(relu(x).*cos(x))", "x", "step(x).*cos(x) - relu(x).*cos(x - pi/2) + 1e-9*relu(x - 500)"),
    ("sum(relu(x).*cos(x))", "x", "(step(x).*cos(x) - relu(x).*cos(x - pi/2))*(1 + relu(2 - n))"),
    ("hardtanh(s)*sin(s)^2", "s", "step(1 - s)*sin(s)^2 + hardtanh(s)*sin(2*s)"),
)


@pytest.mark.parametrize(("text", "wrt", "candidate"), RIGHT)
def test_a_right_candidate_is_accepted(text: str, wrt: str, candidate: str | None) -> None:
    claim = candidate or mc.derive(text, wrt, names(text)).result
    assert mc.check(text, wrt, claim, names(text)).ok


@pytest.mark.parametrize(("text", "wrt", "candidate"), WRONG)
def test_a_wrong_candidate_is_not(text: str, wrt: str, candidate: str) -> None:
    assert not mc.check(text, wrt, candidate, names(text)).ok


def names(text: str) -> dict[str, str]:
    """The declarations of the names that a text has."""
    declared = dict(part.split(": ") for part in SHAPES.split("; "))
    return {n: d for n, d in declared.items() if n in re.findall(r"\w+", text)}


EQUAL = (
    ("amax(x)*cos(2*a)", "amax(x)*(2*cos(a)^2 - 1)", True),
    ("amax(x)*cos(2*a)", "amax(2*x)*(2*cos(a)^2 - 1)/2", False),  # an identity of amax itself
    ("ismax(x)*sin(a)", "ismax(x)*cos(a - pi/2)", True),
    ("ismax(x)*sin(a)", "ismax(x)*cos(a - pi/3)", False),
    ("eigvals(X*X')*tan(a)", "eigvals(X*X')*sin(a)/cos(a)", True),
)


@pytest.mark.parametrize(("left", "right", "equal"), EQUAL)
def test_functions_with_kinks_are_any_functions(left: str, right: str, equal: bool) -> None:
    a, b = (typed(text, "a: scalar; x: n; X: m×n").expr for text in (left, right))
    t = ex.var("t")
    assert agrees_on_every_side(ex.times(t, a), t, b, a) is equal


ONLY_WITHOUT_TIES = (
    # right but where entries tie: each of them would count as the only largest one
    ("a*norminf(x)", "x", "a*sign(x).*ismax(abs(x))"),
    ("exp(amax(x))", "x", "exp(amax(x))*ismax(x)"),
    ("amax(x)*norm2(y)", "x", "norm2(y)*ismax(x)"),
    ("amin(x)*b", "x", "b*ismax(-x)"),
    ("amax(x + y)", "x", "ismax(x + y)"),
    ("sin(a)*amax(x)", "x", "sin(a)*ismax(x)"),
)


@pytest.mark.parametrize(("text", "wrt", "candidate"), ONLY_WITHOUT_TIES)
def test_what_counts_a_tie_twice_is_wrong(text: str, wrt: str, candidate: str) -> None:
    assert mc.check(text, wrt, candidate).wrong
    assert mc.check(text, wrt, mc.derive(text, wrt).result).ok
