"""The cases that trip: each has an answer that looks right, has the right shape when all sizes
are equal, and is wrong.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import points
import pytest

import matcalc as mc


class Case(NamedTuple):
    """An expression, its gradient, and the wrong answer that it invites (of the right shape at
    equal sizes).
    """

    expr: str
    wrt: str
    shapes: str
    gradient: str
    trap: str


RESIDUAL = "(P*X + d*a' + ones(m)*a' - Y)"
CASES = (
    Case("x'*A*x", "x", "A: n×n; x: n", "(A+A')*x", "2*A*x"),
    Case("tr(A*X*B)", "X", "A: p×m; X: m×n; B: n×p", "A'*B'", "B'*A'"),
    Case("tr(X*A*X*B)", "X", "X: m×n; A: n×m; B: n×m", "A'*X'*B' + B'*X'*A'", "2*A'*X'*B'"),
    Case("tr(A*X')", "X", "X: m×n; A: m×n", "A", "A'"),
    Case("tr(X'*A*X*B)", "X", "X: m×n; A: m×m; B: n×n", "A*X*B + A'*X*B'", "2*A*X*B"),
    Case("tr(X^3*A)", "X", "X: n×n; A: n×n", "X'*X'*A' + X'*A'*X' + A'*X'*X'", "3*X'*X'*A'"),
    Case(
        "tr(A*inv(X)*B)",
        "X",
        "A: p×n; X: n×n; B: n×p",
        "-inv(X)'*A'*B'*inv(X)'",
        "-A'*inv(X)'*inv(X)'*B'",
    ),
    Case("logdet(X)", "X", "X: n×n", "inv(X)'", "inv(X)"),
    Case(
        "logdet(X'*A*X)",
        "X",
        "X: m×n; A: m×m",
        "A*X*inv(X'*A*X) + A'*X*inv(X'*A*X)'",
        "2*A*X*inv(X'*X*A)",
    ),
    Case("tr(A*X) - tr(A)*tr(X)", "X", "A: n×n; X: n×n", "A' - tr(A)*eye(n)", "zeros(n,n)"),
    Case(
        "tr(A*X*B*inv(X))",
        "X",
        "A: n×n; X: n×n; B: n×n",
        "A'*inv(X)'*B' - inv(X)'*B'*X'*A'*inv(X)'",
        "zeros(n,n)",
    ),
    Case(
        "tr(A*X)*tr(B*X)", "X", "X: m×n; A: n×m; B: n×m", "tr(B*X)*A' + tr(A*X)*B'", "2*tr(B*X)*A'"
    ),
    Case("sum(A*X*B)", "X", "A: p×m; X: m×n; B: n×q", "A'*ones(p)*ones(q)'*B'", "A'*B'"),
    Case("sum(P+s)", "s", "P: m×n; s: scalar", "m*n", "1"),
    Case(
        f"norm2sq{RESIDUAL}",
        "a",
        "P: m×k; X: k×n; d: m; a: n; Y: m×n",
        f"2*({RESIDUAL}'*d + {RESIDUAL}'*ones(m))",
        f"2*{RESIDUAL}'*d",
    ),
    Case(
        "a'*softmax(x)", "x", "a: n; x: n", "softmax(x).*a - (a'*softmax(x))*softmax(x)", "zeros(n)"
    ),
    Case(
        "-sum(Y.*log(softmax_rows(P*X)))",
        "X",
        "Y: m×n; P: m×k; X: k×n",
        "P'*(diag(Y*ones(n))*softmax_rows(P*X) - Y)",
        "P'*(softmax_rows(P*X) - Y)",
    ),
    Case("sum(exp(A*X).*B)", "X", "A: m×k; X: k×n; B: m×n", "A'*(exp(A*X).*B)", "A'*(exp(A*X)*B)"),
    Case("sum((x*x').*A)", "x", "x: n; A: n×n", "(A+A')*x", "2*A*x"),
    Case("diag(X)'*A*diag(X)", "X", "X: n×n; A: n×n", "diag((A+A')*diag(X))", "diag(2*A*diag(X))"),
    Case("tr(diag(x)*A*diag(x)*B)", "x", "x: n; A: n×n; B: n×n", "(A.*B' + A'.*B)*x", "2*(A.*B)*x"),
    Case(
        "logsumexp_rows(P*X)'*y",
        "X",
        "P: m×k; X: k×n; y: m",
        "P'*diag(y)*softmax_rows(P*X)",
        "P'*softmax_rows(P*X)*diag(y)",
    ),
    Case("exp(-x'*A*x)", "x", "x: n; A: n×n", "-exp(-x'*A*x)*(A+A')*x", "-(A+A')*x"),
    Case("a'*x/(b'*x)", "x", "a: n; b: n; x: n", "a/(b'*x) - (a'*x)*b/(b'*x)^2", "a/(b'*x)"),
    Case("det(X'*X)", "X", "X: m×n", "2*det(X'*X)*X*inv(X'*X)", "2*det(X'*X)*inv(X'*X)*X"),
    Case(
        "sum(X*X)",
        "X",
        "X: n×n",
        "ones(n)*(ones(n)'*X') + (X'*ones(n))*ones(n)'",
        "2*ones(n)*(ones(n)'*X')",
    ),
    Case(
        "norm2sq(V*relu(W*z+u) - c)",
        "W",
        "V: p×m; W: m×n; z: n; u: m; c: p",
        "2*((V'*(V*relu(W*z+u)-c)).*step(W*z+u))*z'",
        "2*(V'*(V*relu(W*z+u)-c))*z'",
    ),
    Case("norm1(P*x-y)", "x", "P: m×n; x: n; y: m", "P'*sign(P*x-y)", "P'*(P*x-y)"),
)


def equal_sizes(case: Case) -> Case:
    """The same case with every size declared n."""
    sizes = {
        s
        for declaration in case.shapes.split(";")
        for s in re.findall(r"\w+", declaration.partition(":")[2])
    } - {"n", "scalar"}
    return Case(*(re.sub(rf"\b({'|'.join(sizes) or 'n'})\b", "n", part) for part in case))


def case_id(case: Case) -> str:
    return f"{CASES.index(case) + 1} {case.expr}" if case in CASES else f"all n: {case.expr}"


ALL = [variant for case in CASES for variant in dict.fromkeys((case, equal_sizes(case)))]


@pytest.mark.parametrize("case", ALL, ids=case_id)
def test_derivation(case: Case) -> None:
    d = mc.derive(case.expr, case.wrt, case.shapes)
    assert d.verification.ok, d.verification
    assert points.equal_everywhere(
        d.result, mc.parse(case.gradient, case.shapes), np.random.default_rng(1)
    ), d.result


@pytest.mark.parametrize("case", ALL, ids=case_id)
def test_stated_gradient_passes(case: Case) -> None:
    found = mc.check(case.expr, case.wrt, case.gradient, case.shapes)
    assert found.ok, found


@pytest.mark.parametrize("case", list(map(equal_sizes, CASES)), ids=case_id)
def test_trap_is_caught_when_all_sizes_are_equal(case: Case) -> None:
    found = mc.check(case.expr, case.wrt, case.trap, case.shapes)
    assert found.wrong, found


def test_gradients_are_no_longer_than_the_stated_ones() -> None:
    ratios = {
        case.expr: mc.derive(case.expr, case.wrt, case.shapes).result.count
        / mc.parse(case.gradient, case.shapes).count
        for case in CASES
    }
    longer = {expr: ratio for expr, ratio in ratios.items() if ratio > 1}
    assert len(longer) <= 1, longer
    assert max(ratios.values()) <= 1.5, longer


@pytest.mark.parametrize("case", ALL, ids=case_id)
def test_derivative_is_the_slope(case: Case) -> None:
    d = mc.derive(case.expr, case.wrt, case.shapes)
    off = points.differs_from_slope(d.expr, d.wrt, d.result, np.random.default_rng(2))
    assert off is not None
    assert off < 1e-6


CANCELLING = {
    # what cancels as numbers does not cancel as matrices; a lost axis of ones is a lost factor n
    "sum(x./x)*sum(x)": "n*ones(n)",
    "sum(exp(x).*exp(-x))*sum(x)": "n*ones(n)",
    "sum(x - x + y)*sum(x)": "sum(y)*ones(n)",
    "tr(A*diag(x)) - tr(A)*sum(x)": "diag(A) - tr(A)*ones(n)",
    "sum(ones(n)*x')": "n*ones(n)",
    "tr(eye(n))*sum(x)": "n*ones(n)",
    "sum(A.*(x*ones(n)')) - sum(A*x)": "A*ones(n) - A'*ones(n)",
    "(x'*x)*(y'*x) - sum(x.*x.*y.*x)": "2*(x'*y)*x + (x'*x)*y - 3*x.^2.*y",
}


@pytest.mark.parametrize("expr", list(CANCELLING))
def test_cancelling(expr: str) -> None:
    shapes = "A: n×n; x: n; y: n"
    d = mc.derive(expr, "x", shapes)
    assert d.verification.ok, d.verification
    assert mc.check(expr, "x", CANCELLING[expr], shapes).ok
    assert points.equal_everywhere(
        d.result, mc.parse(CANCELLING[expr], shapes), np.random.default_rng(3)
    ), d.result
