"""Functions that a user adds: wrong rules are caught, what cannot be read is pointed at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import matcalc as mc
from matcalc.errors import (
    MatcalcError,
    NameProblem,
    OptionProblem,
    ShapeProblem,
    SyntaxProblem,
    WrongAnswer,
)
from matcalc.expr import HEADS
from matcalc.labels.bag import fresh
from matcalc.labels.notation import labelled
from matcalc.language.user_functions import USER
from matcalc.tables.functions import BY_NAME, MACROS, Row


@pytest.fixture(autouse=True)
def no_function_stays() -> Iterator[None]:
    yield
    for name in list(USER):
        mc.remove_function(name)


RIGHT = (
    ("sum(exp(x))", "ij->11", "exp(x)[i,j] dx[i,j]"),
    ("1e-15*sum(exp(x))", "ij->11", "(1e-15*exp(x))[i,j] dx[i,j]"),
    ("sum(x.^2)", "ij->11", "dx[i,j] x[i,j] 2"),
    ("sum(x.^2)", "ij->11", "2 x[i, j] dx[i, j]"),
    ("sum(x)", "ij->11", "1[i] dx[i,j] 1[j]"),
    ("sum(x)", "ij->11", "1[i] 1[j] dx[i,j]"),
    ("sum(x)*numel(w)", "ij,kl->11", "1[k] 1[l] dx[i,j]"),
    ("x*ones(cols(x))", "ij->i1", "1[j] dx[i,j]"),
    ("x*inv(x)", "ii->ii", "- x[i,k] y[k,l] inv(x)[l,j] 0 dx[i,i]"),
    ("exp(x)", "ij->ij", "y[i,j] dx[i,j]"),
    ("vec(x)", "ij->(ji)1", "dx[i,j]"),
    ("tr(x)", "22->11", "dx[i,i]"),
    ("x'*w", "i1,i1->11", "w[i,1] dx[i,1] + x[i,1] dw[i,1]"),
    ("x*w", "ij,jk->ik", "w[j,k] dx[i,j] + x[i,j] dw[j,k]"),
)


@pytest.mark.parametrize(("meaning", "signature", "rule"), RIGHT)
def test_right_rules_are_accepted(meaning: str, signature: str, rule: str) -> None:
    mc.function("mine", meaning=meaning, signature=signature, rule=rule)
    arguments = "A, B" if "," in signature else "A"
    if "i1" not in signature.split("->")[0]:
        assert all(d.verification.ok for d in mc.derive(f"sum(mine({arguments}))").values())


@pytest.mark.parametrize(("meaning", "signature", "rule"), RIGHT)
def test_factors_of_a_rule_stand_in_any_order(meaning: str, signature: str, rule: str) -> None:
    turned: list[str] = []
    for part in re.split(r" ([+-]) |^(- )", rule):
        if part:
            words = [part] if part.strip() in "+-" else part.replace(", ", ",").split()[::-1]
            turned += words
    mc.function("mine", meaning=meaning, signature=signature, rule=" ".join(turned))


def test_the_order_of_factors_means_nothing_in_the_notation_of_the_table() -> None:
    row = Row("mine", "", "ij->i1", define="1[j] x[i,j]")
    call = mc.parse("sin(A)")  # the notation looks at the arguments of a call alone
    for text in ("1[j] x[i,j]", "x[i,j] 1[j]"):
        (term,) = labelled(row, text, call, fresh((("m",), ())))
        assert [f.expr.head for f in term.factors] == ["var", "ones"]
        assert term.factors[1].labels == term.factors[0].labels[1:]


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
    ("sum(x)", "", "1[i] 1[j] dx[i,j]", ""),
    ("sum(x)", "(ij)1->11", "1[i] dx[i,1]", "(ij)1->11"),
    ("x", "ij->ik", "dx[i,j]", "k"),
    ("x'", "ij->ij", "dx[j,i]", "ij->ij"),
    ("sum(x)", "ij->11", "1[k] 1[j] dx[i,j]", "1[k]"),
    ("sum(x)", "ij->11", "2 x[i,j]", "2 x[i,j]"),
    ("sum(x)", "ij->11", "2 dx[i,j] dx[i,j]", "2 dx[i,j] dx[i,j]"),
    ("sum(x)", "ij->11", "2*x[i,j]*dx[i,j]", "2*x[i,j]*dx[i,j]"),
    ("sum(x)", "ij->11", "1[i] 1[j] dx[i,j] + x[i,j]", "x[i,j]"),
    ("sum(x)", "ij->11", "1[i] 1[j] dx[i]", "dx[i]"),
    ("sum(x)", "ij->11", "1[i] 1[j] dw[i,j]", "dw[i,j]"),
    ("sum(x)", "ij->11", "dx[i,j] +", "+"),
    ("sum(x)", "ij->11", "dx[i,j] + - dx[i,j]", "+"),
    ("sum(x)", "ij->11", "- - dx[i,j]", "-"),
    ("sum(x)", "ij->11", "+", "+"),
    ("sum(x)", "ij->11", "x[i] dx[i,j]", "x[i]"),
    ("sum(x)", "ij->11", "x dx[i,j]", "x"),
    ("sum(x)", "ij->11", "x[i,j,k] dx[i,j]", "x[i,j,k]"),
    ("sum(x)", "ij->11", "x[j,i] dx[i,j]", "x[j,i]"),
    ("sum(x)", "ij->11", "dx[i,i]", "dx[i,i]"),
    ("sum(x)", "ij->11", "z[i,j] dx[i,j]", "z"),
    ("sum(x)", "ij->11", "(2*q*x)[i,j] dx[i,j]", "q"),
    ("sum(x)", "ij->11", "snu(x)[i,j] dx[i,j]", "snu"),
    ("sum(x)", "ij->11", "(x*x)[i,j] dx[i,j]", "x*x"),
    ("sum(x)", "ij->11", "ones(n)[i] dx[i,j]", "n"),
    ("sum(x)", "ij->11", "(x[i,j] dx[i,j]", "(x[i,j] dx[i,j]"),
    ("sum(x", "ij->11", "dx[i,j]", "("),
    ("sum(x)*z", "ij->11", "dx[i,j]", "z"),
    ("sum(x)*sum(w)", "ij->11", "dx[i,j]", "w"),
    ("sum(x)*n", "ij->11", "dx[i,j]", "n"),
    ("sum(x) + sum(ones(n))", "ij->11", "dx[i,j]", "n"),
    ("x[k,1]", "ij->11", "dx[i,j]", "k"),
    ("a = x; sum(a)", "ij->11", "dx[i,j]", "a = x; sum(a)"),
    ("sum(mine(x))", "ij->11", "dx[i,j]", "mine"),
    ("x", "ij->11", "dx[i,j]", "ij->11"),
)


@pytest.mark.parametrize(("meaning", "signature", "rule", "place"), UNREADABLE)
def test_what_cannot_be_read_is_pointed_at(
    meaning: str, signature: str, rule: str, place: str
) -> None:
    with pytest.raises((SyntaxProblem, NameProblem, ShapeProblem)) as caught:
        mc.function("mine", meaning=meaning, signature=signature, rule=rule)
    assert caught.value.text in (meaning, signature, rule)
    assert caught.value.span is not None
    assert caught.value.text[slice(*caught.value.span)] == place
    assert "mine" not in USER


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


# ---- any text ------------------------------------------------------------------------------------

RULES = st.lists(
    st.sampled_from(
        "2 x[i,j] dx[i,j] 1[i] 1[j] y y[i,j] exp(x)[i,j] dx[i,i] tr(x) + - w[j,k] dw[j,k] 1[k] "
        "x[k,l] dx[k,l] inv(x)[j,i] (x' [i] dx[,] dx[i,j 1/0 shift[i,j,k] eye[i,j]".split()
    ),
    max_size=6,
).map(" ".join)
SIGNATURES = st.sampled_from(
    "ij->11 ij->ij ij->ji ii->11 ii->ii i1->11 11->11 ij,jk->ik ij->(ji)1 33->33 ij->(ii)j".split()
)
MEANINGS = st.sampled_from(
    "sum(x.^2) sum(x) x x' x*w tr(x) inv(x) vec(x) exp(x) x*x x;; eye "
    "ones(n) x[1,1] x[j,1] 1/0".split()
)
TEXTS = st.text("xwyijkd1023[](),->+-*'^.;= \né", max_size=24)


@given(meaning=MEANINGS | TEXTS, signature=SIGNATURES | TEXTS, rule=RULES | TEXTS)
@example(meaning="x;;", signature="31,31->31", rule="dx[3,3] x[i] dx[,]")
@example(meaning="x^3", signature="(ii)1->ii", rule="dx[1,1] z[i,j]")
@example(meaning="sum(x)", signature="ij->11", rule="2 x[i,j] dx[i,j] +")
@example(meaning="sum(x)", signature="ij,jk->11", rule="1[k] dx[i,j]")
def test_any_texts_make_a_function_or_an_error_of_matcalc(
    meaning: str, signature: str, rule: str
) -> None:
    try:
        mc.function("mine", meaning=meaning, signature=signature, rule=rule)
    except MatcalcError as problem:
        assert problem.message
        problem.caret()
        assert "mine" not in USER
    else:
        mc.remove_function("mine")


NAMES = st.sampled_from(
    [*"xwyKfeEIn", "pi", "π", "rows", "cols", "numel", "dx", "lambda", "if", "X0", "λ"]
) | st.text("abxK1_ é", max_size=4)


@given(name=NAMES | st.sampled_from([*BY_NAME, *MACROS, *HEADS]))
def test_every_function_that_is_accepted_can_be_called_from_a_text(name: str) -> None:
    before = BY_NAME.get(name)
    try:
        mc.function(name, meaning="sum(x.^2)", signature="ij->11", rule="2 x[i,j] dx[i,j]")
    except NameProblem:
        assert BY_NAME.get(name) is before
        return
    try:
        assert str(mc.derive(f"{name}(A*B)", "A").gradient) == "2*A*B*B'"
        assert str(mc.parse(f"{name}(A) + {name}(B)")) == f"{name}(A) + {name}(B)"
    finally:
        mc.remove_function(name)


@pytest.mark.parametrize("name", ["x", "w", "y", "K", "pi", "π", "rows", "cols", "numel"])
def test_names_that_a_text_reads_otherwise_are_refused(name: str) -> None:
    with pytest.raises(NameProblem, match="choose another name"):
        mc.function(name, meaning="sum(x.^2)", signature="ij->11", rule="2 x[i,j] dx[i,j]")
    assert name not in BY_NAME


@pytest.mark.parametrize(
    ("domain", "error"),
    [
        ((1, 0), OptionProblem),
        ((0, 0), OptionProblem),
        ((0, float("nan")), OptionProblem),
        ((0,), TypeError),
        ((0, 1, 2), TypeError),
        ("01", TypeError),
        (None, TypeError),
        (3, TypeError),
        ((0, "1"), TypeError),
        ((0, 1j), TypeError),
        ((False, True), TypeError),
    ],
)
def test_a_malformed_domain_is_refused(domain: Any, error: type[Exception]) -> None:
    sympy = pytest.importorskip("sympy")
    with pytest.raises(error, match="domain"):
        mc.function("mine", sympy.Symbol("t") ** 2, domain=domain)
    assert "mine" not in USER


def test_a_definition_is_of_a_real_number() -> None:
    sympy = pytest.importorskip("sympy")
    t = sympy.Symbol("t")
    mc.function("mine", t / (1 + sympy.Abs(t)))
    found = mc.derive("sum(mine(x))", "x")
    assert found.verification.ok
    assert float(found.compile()(x=[-3.0])[0]) == 1 / 16


def test_a_function_is_given_in_one_way() -> None:
    sympy = pytest.importorskip("sympy")
    for more in ({"meaning": "x"}, {"rule": "dx[i,j]"}, {"signature": "ij->11"}):
        with pytest.raises(OptionProblem, match="give either"):
            mc.function("mine", sympy.Symbol("t") ** 2, **more)
