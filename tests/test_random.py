"""Random expressions by every variable: the answer is verified or the reason is structural,
never wrong, never another error.
"""

from __future__ import annotations

import re

import numpy as np
import points
import pytest
from hypothesis import given, settings
from strategies import CASES, expression, scalars

import matcalc as mc
from matcalc.api.derivation import Derivation
from matcalc.language.typed import typed

Case = tuple[str, dict[str, str]]
BLOCK = 25

TIME = 120  # seconds: what is verified here does not depend on the machine


def assert_verified(d: Derivation) -> None:
    """Verified; or singular, or outside every domain, whatever the input, as far as every
    function has an exact model.
    """
    v = d.verification
    assert v is not None
    assert v.ok or v.exact is v.numeric is None, f"{d.program.text} by {d.wrt.name}: {v}"
    structural = "for every input" in v.note or (
        "no exact model" in v.note and "no admissible point" in v.note
    )
    assert v.ok or structural, f"{d.program.text} by {d.wrt.name}: {v}"


def assert_parses_back(d: Derivation) -> None:
    assert mc.parse(str(d.result), d.program.declarations) is d.result, (
        f"{d.program.text} by {d.wrt.name}: {d.result}"
    )


def assert_is_slope(d: Derivation, seed: int) -> None:
    """Differences of values agree with the derivative, which needs no help from the
    verification.
    """
    off = points.differs_from_slope(d.expr, d.wrt, d.result, np.random.default_rng(seed))
    assert off is None or off < 1e-6, (
        f"{d.program.text} by {d.wrt.name}: {d.result} is off by {off:.1e}"
    )


def assert_right(case: Case, seed: int = 0) -> None:
    text, shapes = case
    e = typed(text, shapes)
    assert mc.parse(str(e.expr), e.declarations) is e.expr, f"{text}: {e.expr}"
    if not e.variables:
        return
    for d in mc.derive(text, None, shapes, limit=TIME).values():
        assert_verified(d)
        assert_parses_back(d)
        assert d.result.shape_ == d.wrt.shape_
        if d.verification.ok:
            assert_is_slope(d, seed)


@pytest.mark.parametrize("first", range(0, CASES, BLOCK))
def test_random_expressions(first: int) -> None:
    for seed in range(first, first + BLOCK):
        assert_right(expression(seed, wide=True), seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(300, 2300, BLOCK))
def test_many_random_expressions(first: int) -> None:
    for seed in range(first, first + BLOCK):
        assert_right(expression(seed, depth=3 + seed // BLOCK % 2, wide=seed % 4 > 1), seed)


@settings(deadline=None, max_examples=100)
@given(scalars(wide=True))
def test_small_expressions(case: Case) -> None:
    assert_right(case)


@settings(deadline=None, max_examples=40)
@given(scalars(depth=1))
def test_second_derivatives(case: Case) -> None:
    """Hessians by the vectors: each is the derivative of the gradient."""
    text, shapes = case
    for name, shape in shapes.items():
        if "×" not in shape and name in typed(text, shapes).variables:
            d = mc.derive(text, name, shapes, order=2, limit=TIME)
            assert_verified(d)


ROUND_TRIPS = (
    # texts whose normal form depended on the way in which it was built
    "-((1-a)*sum(A*B - a))",
    "(a-1)*sum(A*B - a)*C",
    "tr((A+B)' + S - a)",
    "((A+B)' + S - a)'",
    "logdet(2*eye(n) + (A - a)')",
    "det(2*eye(n) + (x*x')*diag(a*y))",
    "A.*(B'*C'*B')./(D+1).^2",
    "(B'*C'*B').*A./(D+1).^2",
    "((B'*C'*B')./(D+1).^2).*A",
    "C*(exp(A)'.*sigmoid(-A)'.*(A*B))",
    "(A.*B'.*C')'./D'",
    "A.*B.*(A' + x')",
)


@pytest.mark.parametrize("text", ROUND_TRIPS)
def test_normal_form_parses_back(text: str) -> None:
    shapes = (
        dict.fromkeys("ABCD", "n×n")
        | dict.fromkeys("xy", "n")
        | {"S": "n×n symmetric", "a": "scalar"}
    )
    e = mc.parse(text, shapes)
    assert mc.parse(str(e), shapes) is e
    assert mc.parse(str(e.T), shapes) is e.T
    assert e.T.T is e


DERIVED_ROUND_TRIPS = (
    ("tr(inv(2*eye(n) + (A' + x').*(A.*B)))", "A"),
    ("sqrt(1 + (tr(S) - a*n)^2)", "S"),
    ("norm2(A*B - tanh(a))", "a"),
    ("logdet(2*eye(n) + arctan((S + A')./(1 + (x*y').^2)))", "x"),
    ("sum((inv(S./(1 + A.^2)))*(2*x))*sum(B*y)", "A"),
    ("x'*inv(a*A.*exp(B))*y", "B"),
    ("tr(inv(cos(A./(1 + (A').^2))))", "A"),
)


@pytest.mark.parametrize(("text", "wrt"), DERIVED_ROUND_TRIPS)
def test_derivative_parses_back(text: str, wrt: str) -> None:
    shapes = (
        dict.fromkeys("ABCD", "n×n")
        | dict.fromkeys("xy", "n")
        | {"S": "n×n symmetric", "a": "scalar"}
    )
    assert_parses_back(mc.derive(text, wrt, shapes, limit=TIME))


def test_half_of_the_seeds_have_equal_sizes() -> None:
    # the n of n+1, too
    sizes = [
        set(re.findall(r"\b[a-z]\b", " ".join(expression(seed, wide=True)[1].values())))
        for seed in range(100)
    ]
    assert all(found <= {"n"} for found in sizes[::2])
    assert sum(len(found) > 1 for found in sizes[1::2]) > 30


def test_expressions_are_reproducible() -> None:
    assert expression(17) == expression(17)
    assert len({expression(seed)[0] for seed in range(100)}) > 95
