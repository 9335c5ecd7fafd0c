"""Every row of the table of properties: declared, drawn, derived on its space, compiled, kept."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import numpy as np
import points as oracle
import pytest

import matcalc as mc
from matcalc import expr as ex
from matcalc.language.declarations import declarations
from matcalc.numeric.feasible import holds
from matcalc.proof.points import random_value
from matcalc.tables.properties import BY_NAME, BY_WORD, ROWS

VARIABLE = [row.name for row in ROWS if row.variable]
LINEAR = [row.name for row in ROWS if row.projection]
SQUARE = [row.name for row in ROWS if row.square]
TEXTS = ("tr(A'*X)", "tr(A*X*B*X)", "norm2(X*u - v)^2", "sum(exp(A.*X))", "norm2(X'*u)^2", "u'*X*v")


def declared(prop: str) -> str:
    return f"{'n×n' if BY_NAME[prop].square else 'n'} {prop}"


def given(text: str) -> dict[str, object]:
    rng = np.random.default_rng(3)
    shapes = {"A": (3, 3), "B": (3, 3), "u": 3, "v": 3}
    return {n: rng.normal(size=shape) for n, shape in shapes.items() if n in text}


@pytest.mark.parametrize("word", BY_WORD)
def test_a_word_reads_back_as_its_property(word: str) -> None:
    row = BY_WORD[word]
    if row.variable:
        shape = declared(row.name).split()[0]
        v = variable(f"{shape} {word}")
        assert ex.declared_text(v) == f"{shape} {row.name}"


def variable(text: str) -> ex.Expr:
    found = declarations({"X": text})["X"]
    return ex.var("X", found.shape, found.properties)


@pytest.mark.parametrize("prop", VARIABLE)
@pytest.mark.parametrize("style", range(8))
def test_random_values_have_the_property(prop: str, style: int) -> None:
    """Those of the checks, and those that tests compare with."""
    v = variable(declared(prop))
    cols = 4 if BY_NAME[prop].square else 1
    value = random_value(v, 4, cols, Random(style), style)
    assert isinstance(value[0][0], Decimal)
    assert holds(prop, np.array(value, dtype=float))
    shape = (4, 4) if BY_NAME[prop].square else (4,)
    assert holds(prop, oracle.draw(v, shape, np.random.default_rng(style)))


@pytest.mark.parametrize("prop", SQUARE)
def test_a_square_property_is_of_square_matrices(prop: str) -> None:
    with pytest.raises(mc.ShapeProblem, match=f"X is declared {prop} but has shape m×n"):
        declarations(f"X: m×n {prop}")


@pytest.mark.parametrize("prop", LINEAR)
@pytest.mark.parametrize("text", TEXTS)
def test_derivatives_are_verified_on_the_space(prop: str, text: str) -> None:
    shapes = f"X: n×n {prop}; A: n×n; B: n×n; u: n; v: n"
    for order in (1, 2):
        assert mc.derive(text, "X", shapes, order=order).verification.ok
    d, free = mc.derive(text, "X", shapes), mc.derive(text, "X", shapes.replace(f" {prop}", ""))
    v = variable(declared(prop))
    x = oracle.draw(v, (3, 3), np.random.default_rng(1))
    values = given(text) | {"X": x, "n": 3}
    gradient, plain = (
        f(**{n: values[n] for n in f.parameters}) for f in (d.compile(), free.compile())
    )
    np.testing.assert_allclose(gradient, oracle._KEPT[prop](plain), atol=1e-12)


@pytest.mark.parametrize("prop", LINEAR)
def test_a_minimum_has_the_property(prop: str) -> None:
    target = np.random.default_rng(2).normal(size=(3, 3))
    shapes = f"X: n×n {prop}; C: n×n"
    result = mc.minimize("norm2(X - C)^2", "X", {"C": target}, shapes=shapes)
    np.testing.assert_allclose(result["X"], oracle._KEPT[prop](target), atol=1e-6)


@pytest.mark.parametrize("text", ["x'*K*x", "tr(K)", "tr(K*S)", "sum(diag(K))", "sum(K' + K)"])
def test_what_is_its_own_negative_is_zero(text: str) -> None:
    assert str(mc.parse(text, "K: n×n skew; S: n×n symmetric; x: n")) == "0"


def test_a_function_and_a_property_may_have_one_name() -> None:
    d = mc.derive("norm2(skew(w)*K)^2", "K", "K: 3×3 skew; w: 3")
    assert d.text == "-K*skew(w)^2 - skew(w)^2*K" and d.verification.ok
