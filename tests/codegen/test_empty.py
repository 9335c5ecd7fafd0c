"""Arrays without entries, and with one: every function and abbreviation on every target, beside
NumPy.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from importlib import import_module
from itertools import product
from math import prod
from typing import Any

import axes_of_one as table
import numpy as np
import pytest
from targets import installed

import matcalc as mc
from matcalc.api.derive import unverified
from matcalc.expr import Expr
from matcalc.expr.sizes import length
from matcalc.language.typed import typed
from matcalc.tables.functions import BY_NAME

LENGTHS = [{"n": 0, "m": 0}, {"n": 3, "m": 0}, {"n": 1, "m": 1}]
SHAPES = ("n×1", "1×n", "n×n", "m×n")


@cache
def functions(name: str, shapes: tuple[str, ...], target: str) -> list[Any]:
    """The function, and the gradients of the sum of its entries, as far as there are such."""
    names, told = "xyz"[: len(shapes)], table.declared(name, shapes)
    text = f"{name}({', '.join(names)})"
    found: list[Any] = []
    with suppress(mc.ShapeProblem, mc.NotDifferentiable):
        found.append(mc.parse(text, told).compile(target))
        program = typed(f"sum({text})", told)
        derivatives = unverified(
            program, [program.variables[x] for x in names if x in program.variables]
        )
        found += [d.compile(target) for d in derivatives]
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target", installed())
@pytest.mark.parametrize("name", table.ORACLES)
def test_value_is_numpys_or_refused(
    name: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if target == "jax":
        import_module("jax").config.update("jax_enable_x64", True)
    for lengths, shapes in product(LENGTHS, product(SHAPES, repeat=table.arity(name))):
        monkeypatch.setattr(table, "LENGTHS", lengths)
        args = table.matrices(name, shapes)
        at = table.as_arguments(dict(zip("xyz", args, strict=False)), table.declared(name, shapes))
        wanted = table.expected(name, args)
        for f in functions(name, shapes, target):
            try:
                got = np.asarray(f(**at | lengths))
            except mc.ShapeProblem:
                assert 0 in lengths.values()
                continue
            (root,) = f.exprs
            if f is functions(name, shapes, target)[0] and wanted is not None:
                got = got.reshape([length(size, lengths) for size in root.shape_])
                np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-10)
            elif isinstance(root, Expr):
                assert got.size == prod(length(size, lengths) for size in root.shape_)


REFUSED = ["amax", "amin", "softmax", "logsumexp", "logsoftmax", "inv", "det", "eigvals"]


@pytest.mark.parametrize("name", REFUSED)
def test_function_of_nothing_is_refused_by_name(name: str) -> None:
    shape = "n×n symmetric" if BY_NAME[name].square else "n"
    f = mc.parse(f"sum({name}(X))", {"X": shape}).compile()
    with pytest.raises(mc.ShapeProblem, match=rf"{name} of an array without entries — n=0"):
        f(X=np.zeros((0, 0) if BY_NAME[name].square else 0))


def test_entry_of_nothing_is_refused() -> None:
    with pytest.raises(mc.ShapeProblem, match="index 1 is out of range for an axis of length n"):
        mc.parse("x[1]", "x: n").compile()(x=np.zeros(0))


def test_no_rows_are_no_rows() -> None:
    """An empty batch."""
    d = mc.derive("sum(logsumexp_rows(X*W)) - sum(Y.*(X*W))", "W", "X: m×n; W: n×k; Y: m×k")
    np.testing.assert_array_equal(
        d.compile()(X=np.zeros((0, 2)), W=np.ones((2, 3)), Y=np.zeros((0, 3))), np.zeros((2, 3))
    )
    assert d.expr.compile()(X=np.zeros((0, 2)), W=np.ones((2, 3)), Y=np.zeros((0, 3))) == 0


def test_size_that_nothing_shows_may_be_zero() -> None:
    assert mc.parse("ones(k,p)").compile()(k=0, p=2).shape == (0, 2)
    with pytest.raises(mc.ShapeProblem, match="k is a size"):
        mc.parse("ones(k,p)").compile()(k=-1, p=2)


def test_correlation_with_a_longer_vector_is_refused() -> None:
    with pytest.raises(mc.ShapeProblem, match="would have length -1"):
        mc.parse("corr(x,w)", "x: n; w: m").compile()(x=np.ones(2), w=np.ones(4))
