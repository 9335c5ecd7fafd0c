"""Candidates: every form that matcalc prints is read back, and what is wrong with a wrong one is
said.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import matcalc as mc
from matcalc.api.candidate import examined
from matcalc.cli import main

# expression, variable, declarations, order: answers in matrix notation, as index forms and zero
PRINTED = (
    ("A*X*B", "X", "", 1),
    ("X'", "X", "", 1),
    ("X*X'", "X", "", 1),
    ("inv(X)", "X", "X: n×n", 1),
    ("exp(X)", "X", "", 1),
    ("X*b", "X", "b: n", 1),
    ("x*x'", "x", "", 1),
    ("softmax(x)", "x", "", 1),
    ("det(X)*X", "X", "X: n×n", 1),
    ("a*X", "X", "", 1),
    ("vec(X)", "X", "", 1),
    ("kron(A,X)", "X", "", 1),
    ("diag(x)", "x", "", 1),
    ("sum(X)*x", "X", "x: k", 1),
    ("X.*k", "X", "k: m×n", 1),
    ("X + i*j'", "X", "i: m; j: n", 1),
    ("A*X*B", "X", "A: i×k; X: k×l; B: l×j", 1),
    ("x[j]*A*X*B", "X", "x: k", 1),
    ("sum(X[:,j])*X", "X", "", 1),
    ("L*L'", "L", "L: n×n lower", 1),
    ("S*x", "S", "S: n×n symmetric", 1),
    ("norm2(A*X - B)^2", "X", "", 2),
    ("logdet(S)", "S", "S: n×n spd", 2),
    ("tr(A*L*L')", "L", "L: n×n lower", 2),
    ("x'*A*x", "x", "", 2),
    ("sum(exp(x))", "x", "", 3),
    ("x'*A*x", "x", "", 3),
    ("sum(tanh(A*x))", "x", "", 3),
    ("sum(x.^3)", "x", "", 4),
)


@pytest.mark.parametrize(("text", "wrt", "shapes", "order"), PRINTED)
def test_what_is_printed_is_read_back(text: str, wrt: str, shapes: str, order: int) -> None:
    d = mc.derive(text, wrt, shapes, order=order)
    for candidate in (str(d.result), d.result):
        found = mc.check(text, wrt, candidate, shapes, order=order)
        assert found.ok, (str(candidate), str(found))
        wrong = mc.check(
            text,
            wrt,
            f"{candidate} + 0.01*({candidate})" if isinstance(candidate, str) else twice(d),
            shapes,
            order=order,
        )
        assert not wrong.ok or str(d.result) == "0", str(candidate)


def twice(d: mc.Derivation) -> Any:
    from matcalc import expr as ex
    from matcalc.api.candidate import multiple

    return multiple(d.result, ex.num(2))


@pytest.mark.parametrize("text", ["A*X*B", "X*X'", "inv(X)", "A*X'", "X'*A*X"])
def test_kronecker_forms_are_read(text: str) -> None:
    d = mc.derive(text, "X", "X: n×n")
    found = mc.check(text, "X", str(d.kronecker()), "X: n×n")
    assert found.ok
    assert "the Kronecker form" in found.note
    assert not mc.check(text, "X", f"2*({d.kronecker()})", "X: n×n").ok


@pytest.mark.parametrize(
    ("text", "wrt", "candidate", "shapes"),
    [
        ("tr(X)", "X", "eye", ""),
        ("tr(X)", "X", "eye", "X: 3×3"),
        ("sum(x)", "x", "vector(1)", ""),
        ("sum(X)", "X", "matrix(1)", ""),
        ("x", "x", "eye", ""),
        ("a*x", "x", "a*eye", ""),
        ("vec(X)", "X", "eye", ""),
        ("2*sum(x)", "x", "2*vector(1)", ""),
        ("norm2(x)^2", "x", "2*x*n/n", ""),
        ("mean(x)", "x", "vector(1)/n", ""),
        ("x'*A*x", "x", "A[i,p]*x[p] + A[p,i]*x[p]", ""),
        ("tr(A*X)", "X", "A[j,i]", ""),
        ("r = X*w - y; r'*r", "w", "2*X'*r", ""),
        ("A*X*B", "X", "-(-2*A[i,k]*B[l,j])/2", ""),
        ("A*X*B", "X", "(A[i,k] + A[i,k])*B[l,j]*0.5", ""),
        ("X", "X", "I[i,k]*eye[j,l]", ""),
        ("sum(X)*x", "X", "x[i]*1[j]*1[k]", "x: p"),
    ],
)
def test_right_candidates_in_other_forms(text: str, wrt: str, candidate: str, shapes: str) -> None:
    assert mc.check(text, wrt, candidate, shapes).ok


@pytest.mark.parametrize(
    ("candidate", "problem", "said"),
    [
        ("A[i,k]*B[j,l]", mc.ShapeProblem, "the index j runs to"),
        (
            "A[i,k]*B[l,p]",
            mc.SyntaxProblem,
            "a term without the index j — the indices of the answer are i, j, k, l",
        ),
        ("exp(A[i,k])*B[l,j]", mc.SyntaxProblem, "an index inside of a function"),
        ("A[i,k]^2*B[l,j]", mc.SyntaxProblem, "an index inside of a function or a power"),
        ("A[i,k,l]*B[l,j]", mc.ShapeProblem, "3 indices for 2 axes"),
        ("A[i]*B[l,j]*1[k]", mc.ShapeProblem, "1 index for 2 axes"),
        ("A[i,k]*B[l,j]*A", mc.ShapeProblem, "a factor without indices that is no number"),
        ("A[i,k]*C[l,j]", mc.NameProblem, "'C' is not in the expression"),
        ("A[i,k]/B[l,j]", mc.SyntaxProblem, "'/' between factors with indices"),
        ("A[i,k]*B[l,j]*I[r,s]", mc.ShapeProblem, "the identity has two indices"),
        ("I[i,k]*B[l,j]", mc.ShapeProblem, "the identity has the indices i to "),
        ("v", mc.NameProblem, "'v' is not in the expression"),
        ("kron(B', AA)", mc.NameProblem, "did you mean A?"),
        ("ones(z)", mc.NameProblem, "'z' is not in the expression"),
        (
            "sum(vector(1))*A[i,k]*B[l,j]",
            mc.ShapeProblem,
            "nothing says how long a constant of the candidate is",
        ),
        ("A", mc.ShapeProblem, "the derivative by X is, an index form or"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(
    candidate: str, problem: type[mc.MatcalcError], said: str
) -> None:
    with pytest.raises(problem) as caught:
        mc.check("A*X*B", "X", candidate)
    assert said in str(caught.value)
    if caught.value.span is not None:
        start, stop = caught.value.span
        assert caught.value.text == candidate
        assert 0 <= start < stop <= len(candidate)


def test_the_place_is_that_in_the_candidate() -> None:
    with pytest.raises(mc.NameProblem) as caught:
        mc.check("r = X*w - y; r'*r", "w", "2*X'*(r + z)")
    assert caught.value.caret() == "2*X'*(r + z)\n          ^"


def test_expressions_of_other_shapes_and_names() -> None:
    x, k = mc.vector("x", "n"), mc.vector("x", "k")
    assert mc.check("x'*x", "x", 2 * x)
    with pytest.raises(mc.NameProblem, match="x is n in the expression and k in the candidate"):
        mc.check("x'*x", "x", 2 * k)
    with pytest.raises(mc.NameProblem, match="'z' is not in the expression"):
        mc.check("x'*x", "x", 2 * mc.vector("z", "n"))
    with pytest.raises(mc.ShapeProblem, match="the candidate is n×m×m×n"):
        mc.check("X", "X", mc.derive("X'", "X", "X: m×n").result, "X: m×n")


# ---- layouts and other readings ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("candidate", "layout", "note"),
    [
        ("2*x", None, ""),
        ("2*x'", None, "taken as the transpose: numerator layout"),
        ("2*x", "denominator", ""),
        ("2*x'", "numerator", ""),
        ("0*x + 2*x", "denominator", ""),
    ],
)
def test_layouts(candidate: str, layout: str | None, note: str) -> None:
    found = mc.check("x'*x", "x", candidate, layout=layout)
    assert found.ok
    assert found.note == note


def test_a_layout_that_is_not_the_one_asked_for() -> None:
    for candidate, layout in (("2*x'", "denominator"), ("2*x", "numerator")):
        with pytest.raises(mc.ShapeProblem):
            mc.check("x'*x", "x", candidate, layout=layout)
    assert mc.check("tr(A*X)", "X", "A", "X: n×n", layout="numerator").ok
    assert mc.check("tr(A*X)", "X", "A[i,j]", "X: n×n", layout="numerator").ok
    assert not mc.check("tr(A*X)", "X", "A", "X: n×n", layout="denominator").ok
    with pytest.raises(mc.OptionProblem, match="unknown layout"):
        mc.check("x'*x", "x", "2*x", layout="rows")


def test_a_number_in_every_entry_is_said() -> None:
    assert mc.check("sum(x)", "x", "1").note == "taken as a number in every entry"
    assert mc.check("sum(x)", "x", "0").note.startswith("taken as") is False


def test_the_options_of_derive() -> None:
    assert mc.check("x'*A*x", "x", "A + A'", order=2).ok
    assert not mc.check("x'*A*x", "x", "A", order=2).ok
    assert mc.check("x'*A*x", "x", "(A + A')*v", order=2, along="v").ok
    assert mc.check(
        "logdet(S)", "S", "2*inv(S) - diag(diag(inv(S)))", "S: n×n spd", symmetric="elements"
    ).ok
    assert not mc.check("logdet(S)", "S", "2*inv(S) - diag(diag(inv(S)))", "S: n×n spd").ok
    with pytest.raises(mc.OptionProblem, match="order 7"):
        mc.check("x'*x", "x", "2*x", order=7)


# ---- what is wrong with a wrong candidate --------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wrt", "candidate", "shapes", "said"),
    [
        ("norm2(X*w - y)^2", "w", "X'*(X*w - y)", "", "it is 0.5 times the gradient"),
        ("norm2(X*w - y)^2", "w", "2*X'*(y - X*w)", "", "the sign is wrong"),
        ("tr(A*X)", "X", "A", "X: n×n", "it is the transpose of the gradient"),
        ("A*x", "x", "A'", "A: n×n", "it is the transpose of the Jacobian"),
        ("mean(x)", "x", "vector(1)", "", "it is n times the gradient"),
        ("sum(x)", "x", "vector(1)/n", "", "it is 1/n of the gradient"),
        ("A*X*B", "X", "-3*A[i,k]*B[l,j]", "", ""),
        ("A*X*B", "X", "3*A[i,k]*B[l,j]", "", "it is 3 times the Jacobian"),
        ("logdet(S)", "S", "2*inv(S) - diag(diag(inv(S)))", "S: n×n spd", "moved together"),
        ("tr(A*S)", "S", "A'", "S: n×n symmetric", "without structure, and S is symmetric"),
        ("x'*x", "x", "x.^2", "", ""),
    ],
)
def test_what_is_wrong_is_said(text: str, wrt: str, candidate: str, shapes: str, said: str) -> None:
    found = examined(text, wrt, candidate, shapes, None, {})
    assert found.verification.wrong
    assert said in found.diagnosis
    assert bool(said) == bool(found.diagnosis)
    assert str(mc.derive(text, wrt, shapes).result) in found.answer


def test_the_command_says_what_is_wrong_and_what_is_right(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check", "norm2(X*w - y)^2", "w", "X'*(X*w - y)"]) == 1
    out, err = capsys.readouterr()
    assert out == "not equal\n"
    assert "it is 0.5 times the gradient" in err
    assert "the gradient is 2*X'*(X*w - y)" in err


STATUSES = [
    (["x'*x", "x", "2*x"], 0, "equal"),
    (["x'*x", "x", "2*x'"], 0, "equal, as the transpose: numerator layout"),
    (["sum(x)", "x", "1"], 0, "equal, as a number in every entry"),
    (["A*X*B", "X", "kron(B', A)"], 0, "equal, as the Kronecker form ∂vec(F)/∂vec(X)'"),
    (["A*X*B", "X", "A[i,k]*B[l,j]"], 0, "equal"),
    (["x'*x", "x", "2*x'", "--layout", "numerator"], 0, "equal"),
    (["x'*x", "x", "3*x"], 1, "not equal"),
    (["x'*A*x", "x", "A + A'", "--order", "2"], 0, "equal"),
    (["logdet(x*x')", "x", "x"], 3, "not decided"),
    (["x'*x", "x", "2*x'", "--layout", "denominator"], 2, ""),
    (["x'*x", "x", "2*v"], 2, ""),
]


@pytest.mark.parametrize(("arguments", "status", "said"), STATUSES)
def test_statuses(
    arguments: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *arguments]) == status
    assert capsys.readouterr().out.strip() == said


# ---- d.check -------------------------------------------------------------------------------------


def test_a_derivation_is_checked_by_a_seed() -> None:
    d = mc.derive("x'*x", "x")
    assert d.check(3).ok
    for seed in ("2*x", d.gradient, 1.5, None, np.ones(2)):
        with pytest.raises(TypeError, match=r"matcalc\.check\(expression, variable, candidate\)"):
            d.check(seed)
    with pytest.raises(mc.OptionProblem, match="the seed -1"):
        d.check(-1)
