"""Functions that a user adds: wrong rules are caught, what cannot be read is pointed at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import matcalc as mc
from matcalc.errors import MatcalcError, SyntaxProblem, WrongAnswer
from matcalc.language.user_functions import USER


@pytest.fixture(autouse=True)
def no_function_stays() -> Iterator[None]:
    yield
    for name in list(USER):
        mc.remove_function(name)


RIGHT = (
    ("sum(exp(x))", "ij->11", "exp(x)[i,j] dx[i,j]"),
    ("1e-15*sum(exp(x))", "ij->11", "(1e-15*exp(x))[i,j] dx[i,j]"),
    ("sum(x.^2)", "ij->11", "dx[i,j] x[i,j] 2"),
    ("x'*w", "i1,i1->11", "w[i,1] dx[i,1] + x[i,1] dw[i,1]"),
    ("x*w", "ij,jk->ik", "w[j,k] dx[i,j] + x[i,j] dw[j,k]"),
)


@pytest.mark.parametrize(("meaning", "signature", "rule"), RIGHT)
def test_right_rules_are_accepted(meaning: str, signature: str, rule: str) -> None:
    mc.function("mine", meaning=meaning, signature=signature, rule=rule)
    arguments = "A, B" if "," in signature else "A"
    if "i1" not in signature:
        assert all(d.verification.ok for d in mc.derive(f"sum(mine({arguments}))").values())


WRONG = (
    ("1e-15*sum(exp(x))", "ij->11", "(-1e-15*exp(x))[i,j] dx[i,j]"),
    ("sum(x.^2)", "ij->11", "x[i,j] dx[i,j]"),
    ("sum(x.^2)", "ij->11", "(2.000000001*x)[i,j] dx[i,j]"),
    ("1e12*sum(x) + sum(sin(x))", "ij->11", "(1e12 - cos(x))[i,j] dx[i,j]"),
    ("x*w", "ij,jk->ik", "w[j,k] dx[i,j] - x[i,j] dw[j,k]"),
)


@pytest.mark.parametrize(("meaning", "signature", "rule"), WRONG)
def test_wrong_rules_are_refused(meaning: str, signature: str, rule: str) -> None:
    with pytest.raises(WrongAnswer, match=r"mine by .* is not verified"):
        mc.function("mine", meaning=meaning, signature=signature, rule=rule)
    assert "mine" not in USER


UNREADABLE = (
    # meaning, signature, rule, what the caret stands under
    ("sum(x)", "ij-11", "1[i] 1[j] dx[i,j]", "ij-11"),
    ("sum(x)", "ijk->11", "1[i] 1[j] dx[i,j]", "ijk->11"),
    ("sum(x)", "ij->1", "1[i] 1[j] dx[i,j]", "ij->1"),
    ("x", "ij->ik", "dx[i,j]", "k"),
    ("sum(x)", "ij->11", "1[k] 1[j] dx[i,j]", "1[k]"),
    ("sum(x)", "ij->11", "2 x[i,j]", "2 x[i,j]"),
    ("sum(x)", "ij->11", "1[i] 1[j] dx[i,j] + x[i,j]", "x[i,j]"),
    ("sum(x)", "ij->11", "1[i] 1[j] dx[i]", "dx[i]"),
    ("sum(x)", "ij->11", "1[i] 1[j] dw[i,j]", "dw[i,j]"),
)


@pytest.mark.parametrize(("meaning", "signature", "rule", "place"), UNREADABLE)
def test_what_cannot_be_read_is_pointed_at(
    meaning: str, signature: str, rule: str, place: str
) -> None:
    with pytest.raises(SyntaxProblem) as caught:
        mc.function("mine", meaning=meaning, signature=signature, rule=rule)
    assert caught.value.text is not None and caught.value.span is not None
    assert caught.value.text[slice(*caught.value.span)] == place
    assert caught.value.hint


@pytest.mark.parametrize(
    "options",
    [
        {"meaning": 3, "rule": "dx[i,j]"},
        {"meaning": "x", "rule": 3},
        {"meaning": "x", "rule": "dx[i,j]", "signature": None},
        {"definition": 3.0},
        {"meaning": "x"},
        {},
        {"meaning": "x*", "rule": "dx[i,j]"},
        {"meaning": "x", "rule": "sin( dx[i,j]"},
        {"meaning": "w", "rule": "dx[i,j]"},
        {"meaning": "x'", "rule": "dx[i,j]"},
    ],
)
def test_wrong_arguments_end_in_errors_of_matcalc(options: dict[str, object]) -> None:
    with pytest.raises((MatcalcError, TypeError)):
        mc.function("mine", **options)  # type: ignore[arg-type]
    assert "mine" not in USER
