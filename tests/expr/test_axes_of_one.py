"""Every function and abbreviation at matrices with axes of length one, beside NumPy on
two-dimensional arrays.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from axes_of_one import (
    ELSEWHERE,
    LENGTHS,
    ORACLES,
    REFUSED,
    STRICTER,
    as_arguments,
    cases,
    declared,
    evaluated,
    expected,
    matrices,
)

import matcalc as mc
from matcalc.api.derive import unverified
from matcalc.expr.sizes import show
from matcalc.language.typed import typed
from matcalc.tables.functions import BY_NAME, MACROS, ROWS


def test_every_function_has_an_oracle() -> None:
    assert {row.name for row in ROWS if not row.hidden} | set(MACROS) <= set(ORACLES) | ELSEWHERE


@pytest.mark.parametrize(("name", "shapes"), list(cases()))
def test_value_is_numpys(name: str, shapes: tuple[str, ...]) -> None:
    args = matrices(name, shapes)
    names = "xyz"[: len(shapes)]
    wanted = expected(name, args)
    try:
        e = mc.parse(f"{name}({', '.join(names)})", declared(name, shapes))
    except mc.ShapeProblem:
        assert wanted is None or name in STRICTER
        return
    assert wanted is not None, f"{e} has a value"
    got = evaluated(e, as_arguments(dict(zip(names, args, strict=True)), declared(name, shapes)))
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-10)


# ---- derivatives ---------------------------------------------------------------------------------


def gradient_cases() -> Iterator[Any]:
    for case in cases():
        name, shapes = case.values
        thin = [shape for shape in shapes if "1" in shape]
        if len(thin) == len(shapes) and expected(name, matrices(name, shapes)) is not None:
            yield case


@pytest.mark.parametrize(("name", "shapes"), list(gradient_cases()))
def test_gradient_is_the_slope(name: str, shapes: tuple[str, ...]) -> None:
    """Of a generic scalar, which has each entry of the value with a weight of its own, along a
    random direction.
    """
    names, told = "xyz"[: len(shapes)], declared(name, shapes)
    text = f"{name}({', '.join(names)})"
    rng, at = np.random.default_rng(2), dict(zip(names, matrices(name, shapes), strict=True))
    value = mc.parse(text, told)
    at["W"] = rng.uniform(0.5, 1.5, evaluated(value, as_arguments(at, told)).shape)
    told["W"] = "×".join(map(show, value.shape_))
    program = typed(f"sum(W.*{text})", told)
    for x in set(names) & set(program.variables):
        try:
            (d,) = unverified(program, [program.variables[x]])
        except mc.NotDifferentiable:
            assert BY_NAME[name] in REFUSED
            continue
        step = rng.uniform(-1, 1, at[x].shape) * 1e-5
        up, down = (
            evaluated(program.expr, as_arguments(at | {x: at[x] + s * step}, told)) for s in (1, -1)
        )
        slope = np.reshape(d.compile()(**as_arguments(at, told) | LENGTHS), at[x].shape)
        assert (slope * step).sum() == pytest.approx((up - down).item() / 2, rel=1e-5, abs=1e-13)
