"""Operands that repeat one number, row or column: whatever is never built has its full shape
where it is needed.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import reference as plain

import matcalc as mc
from matcalc.codegen.compiled import load

SHAPES = "f: scalar; c: scalar; x: k; z: m; X: k×m"
AT = {
    "f": 0.5,
    "c": 1.5,
    "x": np.array([0.5, 0.7, 0.9]),
    "z": np.array([0.6, 0.8]),
    "X": np.linspace(0.5, 1, 6).reshape(3, 2),
    "k": 3,
    "m": 2,
}
OPERANDS = (
    "exp(f)",
    "x",
    "X",
    "ones(k)",
    "ones(k)'",
    "f*ones(k)",
    "c*ones(k,m)",
    "ones(k)*z'",
    "x*ones(m)'",
    "exp(c*ones(k))",
    "exp(ones(k)*z')",
)
PLACES = ("log1p({})", "norm2({})", "X'*{}", "{}*ones(m)", "x + {}", "[{}, x]")


def assert_plain(text):
    """The compiled value of a text is that of the plain translation.

    What the language refuses is let through.
    """
    try:
        e = mc.parse(text, SHAPES)
    except mc.MatcalcError:
        return
    source = plain.emit(e)
    expected = load(source)(*(AT[n] for n in source.parameters.values()))
    value = e.compile()(**AT)
    assert np.shape(value) == np.shape(expected), text
    np.testing.assert_allclose(value, expected, rtol=1e-13, err_msg=text)


@pytest.mark.parametrize("operator", [".^", ".*", "./", "+", "*"])
def test_operands_that_repeat_themselves(operator):
    for a, b in product(OPERANDS, repeat=2):
        assert_plain(f"({a}){operator}({b})")


@pytest.mark.parametrize("place", PLACES)
def test_powers_of_operands_that_repeat_themselves(place):
    for a, b in product(OPERANDS, repeat=2):
        assert_plain(place.format(f"(({a}).^({b}))"))


@pytest.mark.parametrize(
    "text",
    [
        "sum(exp(f).^(f*ones(k)))",
        "sum((f*ones(k)).^c)",
        "sum((x*ones(m)').^c)",
        "sum(exp(f).^ones(k)*f)",
    ],
)
def test_derivatives_of_powers_that_repeat_themselves(text):
    for d in mc.derive(text, None, SHAPES).values():
        assert d.verification.ok
        f, h = mc.parse(text, SHAPES).compile(), 1e-6
        ahead, back = ({**AT, d.wrt.name: AT[d.wrt.name] + k * h} for k in (1, -1))
        slope = (f(**ahead) - f(**back)) / (2 * h)
        assert np.sum(d.compile()(**AT)) == pytest.approx(slope, rel=1e-7)


def test_the_largest_entry_of_a_number_is_that_number():
    assert mc.parse("ismax(f)", SHAPES).compile()(f=0.5) == 1
