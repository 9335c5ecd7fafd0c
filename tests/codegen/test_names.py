"""Any name of the language may be that of a variable: each target's code is renamed, and is
called by the name.
"""

from __future__ import annotations

import keyword
import string

import numpy as np
import pytest
from targets import installed

import matcalc as mc

KEYWORDS = [word for word in keyword.kwlist if word.islower() and word not in ("and",)]
OF_PYTHON = [
    "self",
    "len",
    "range",
    "isinstance",
    "float",
    "int",
    "tuple",
    "print",
    "args",
    "kwargs",
    "True",
    "None",
]
OF_TARGETS = [
    "np",
    "jax",
    "jnp",
    "xp",
    "torch",
    "numba",
    "scipy",
    "dtype",
    "device",
    "math",
    "nb",
    "njit",
    "lax",
]
OF_THE_CODE = [
    "kept",
    "out",
    "x1",
    "t1",
    "t2",
    "f",
    "gradient",
    "value",
    "this",
    "others",
    "array",
    "double",
    "number",
    "whole",
    "missing",
    "arguments",
    "source",
    "np_1",
    "self_",
    "softmax_1",
    "leggauss",
    "factorial",
    "x__",
    "T",
    "I",
    "K",
    "E",
    "e",
    "pi",
]
NAMES = [*KEYWORDS, "and", *OF_PYTHON, *OF_TARGETS, *OF_THE_CODE]
CALLS = [
    (target, reuse)
    for target in installed()
    for reuse in (False, True)
    if not reuse or target in ("numpy", "numba")
]


@pytest.mark.parametrize(("target", "reuse"), CALLS)
@pytest.mark.parametrize("kind", ["scalar", "n"])
def test_every_name(target: str, reuse: bool, kind: str) -> None:
    """All the names at once, in the code and as keywords."""
    text = " + ".join(
        f"sum(softmax({name}*w).*w)" if kind == "scalar" else f"tanh({name}'*w)" for name in NAMES
    )
    d = mc.derive(text, "w", {"w": "n"} | dict.fromkeys(NAMES, kind))
    renamed = {name: f"v{i}" for i, name in enumerate(NAMES)}
    plain = " + ".join(
        f"sum(softmax({v}*w).*w)" if kind == "scalar" else f"tanh({v}'*w)" for v in renamed.values()
    )
    expected = mc.derive(plain, "w", {"w": "n"} | dict.fromkeys(renamed.values(), kind)).compile()
    rng = np.random.default_rng(0)
    at = {name: rng.normal(size=() if kind == "scalar" else 3) for name in NAMES}
    w = rng.normal(size=3)
    f = d.compile(target, reuse=reuse)
    assert set(f.parameters) == {*NAMES, "w"}
    for _ in range(2):  # the first call checks its arguments, the second one may not
        found = f(w=w, **at)
        np.testing.assert_allclose(
            found, expected(w=w, **{renamed[n]: a for n, a in at.items()}), rtol=2e-4
        )


def test_self_is_an_argument_like_any_other() -> None:
    f = mc.derive("norm2(self*w)^2", "w", {"self": "m×n"}).compile("array_api")
    assert f(self=np.eye(2), w=np.ones(2)).tolist() == [2, 2]
    assert "m" in str(f.cost(self=(3, 2)))


@pytest.mark.parametrize("target", installed())
def test_every_letter(target: str) -> None:
    """A name that is a part of a word of the code: add_diagonal(i, 2)."""
    text = "logdet(eye(size)*2 + {0}) + sum(inv(eye(size) + {0})*tanh({0})) + norm2({0} + 1)^2"
    x = np.random.default_rng(1).normal(size=(3, 3)) / 4
    expected = mc.derive(text.format("Z"), "Z", {"Z": "size×size"}).compile(
        "array_api", value=True
    )(Z=x)
    # those take long to compile
    for letter in "aio" if target in ("jax", "numba") else string.ascii_letters:
        d = mc.derive(text.format(letter), letter, {letter: "size×size"})
        value, gradient = d.compile(target, value=True)(**{letter: x})
        np.testing.assert_allclose(value, expected[0], rtol=2e-4)
        np.testing.assert_allclose(gradient, expected[1], rtol=2e-3, atol=1e-5)
