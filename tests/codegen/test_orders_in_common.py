"""Products that several open orders have in common: made where an order that is taken needs
them.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from reference import emit

import matcalc as mc
from matcalc.api.derive import unverified
from matcalc.codegen import compile_expr
from matcalc.codegen.compiled import load
from matcalc.codegen.plan.planner import plan
from matcalc.codegen.plan.steps import reachable
from matcalc.expr import variables
from matcalc.expr.sizes import length
from matcalc.language.typed import typed

THREE = "A*B*C*E*F + G*C*E + C*E*H*E'*E"
SUMS = [
    ("A*B*C*D + B*C*D*E", ""),
    (THREE, ""),
    (THREE, "A: n×n; B: n×n; C: n×m; E: m×k; F: k×k; G: n×n; H: k×k"),
    (f"{THREE} + (A*B*C*E*F)*F'*E'*C'*G*C*E", ""),
]


def values(roots, sizes):
    rng = np.random.default_rng(1)
    return {
        v.name: rng.uniform(-1, 1, [length(size, sizes) for size in v.shape_ if size])
        for v in variables(*roots)
    }


def naive(roots):
    """The values as they are written, left to right."""
    source = emit(roots)
    function = load(source)
    return lambda at: function(*(at[name] for name in source.parameters))


def assert_right_at_all_sizes(roots, reuse, lengths=(1, 2, 3)):
    names = sorted({str(a) for v in variables(*roots) for size in v.shape_ for a in size})
    f, plain = compile_expr(roots, reuse=reuse), naive(roots)
    for chosen in product(lengths, repeat=len(names)):
        at = values(roots, dict(zip(names, chosen, strict=True)))
        for got, wanted in zip(f(**at), plain(at), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize(("text", "shapes"), SUMS)
def test_sum_of_products_is_right_whatever_order_is_taken(text, shapes, reuse):
    assert_right_at_all_sizes(
        (mc.parse(text, shapes or None),), reuse, (1, 2, 3, 9)[: 3 if reuse else 4]
    )


def test_three_orders_are_open():
    found = reachable(plan((mc.parse(THREE),)).roots)
    assert any(s.op == "choose" and len(s.args) == 3 for s in found)


@pytest.mark.parametrize("reuse", [False, True])
def test_second_derivative_along_a_direction(reuse):
    program = typed("tr(pinv(B*W))", "B: m×n; W: n×m")
    (d,) = unverified(program, [program.variables["B"]], order=2, along="V")
    f, plain = compile_expr(d.result, reuse=reuse), naive((d.result,))
    for m, n in [(1, 1), (1, 2), (2, 3), (2, 9)]:
        at = values((d.result,), {"m": m, "n": n})
        np.testing.assert_allclose(f(**at), *plain(at), rtol=1e-6, atol=1e-6)
