"""Random Jacobians and Hessians against differences of the compiled order below, which no
verification takes part in.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import points
import pytest
from strategies import Generator

import matcalc as mc
from matcalc.codegen import compile_expr
from matcalc.expr import Expr, variables
from matcalc.labels.roots import Root, parts

BLOCK = 25
STEP = 1e-4
SIZES = {"m": 4, "n": 3, "p": 2}

TIME = 120  # seconds: what is verified here does not depend on the machine


def generated(seed: int, scalar: bool) -> tuple[str, dict[str, str]]:
    g = Generator(random.Random(seed).choice, equal=seed % 2 == 0)
    return (g.scalar(2) if scalar else g.vector(g.size(), 2)), g.shapes


def arrays(variables: list[Expr], rng: np.random.Generator) -> dict[str, Any]:
    return {
        v.name: points.draw(v, tuple(SIZES.get(size[0], 1) for size in v.shape_ if size), rng)
        for v in variables
    }


def compiled(root: Root, at: dict[str, Any]) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(compile_expr(root)(**SIZES, **at), dtype=float)


def slope(root: Root, v: Expr, at: dict[str, Any], along: np.ndarray) -> tuple[np.ndarray, float]:
    """The change of a compiled function along a direction, extrapolated (Richardson), and an
    estimate of its error.
    """
    coarse, fine = (
        (
            compiled(root, at | {v.name: at[v.name] + h * along})
            - compiled(root, at | {v.name: at[v.name] - h * along})
        )
        / (2 * h)
        for h in (STEP, STEP / 2)
    )
    best = (4 * fine - coarse) / 3
    return best, float(np.abs(best - fine).max(initial=0.0))


def judged(below: Root, derivative: Root, v: Expr, seed: int) -> bool | None:
    """Whether a derivative contracted with a direction is the slope of the order below.

    None where no point decides.
    """
    rng, disagreed = np.random.default_rng(seed), False
    for _ in range(12):
        at = arrays([*{*(u for e in parts(below, derivative) for u in variables(e)), v}], rng)
        along = points.direction(v, at[v.name], rng)
        try:
            value, claim = compiled(below, at), compiled(derivative, at)
            measured, error = slope(below, v, at, along)
        except np.linalg.LinAlgError:
            continue
        scale = np.abs(claim).max(initial=0.0) + np.abs(value).max(initial=0.0) + 1e-3
        if np.isfinite(claim).all() and np.isfinite(measured).all() and error < 1e-7 * scale:
            gap = np.abs(points.contracted(claim, along, value.ndim) - measured).max(initial=0.0)
            if gap < 1e-5 * scale:
                return True
            disagreed = True
    return False if disagreed else None


def cases(seeds: range, order: int) -> Iterator[tuple[mc.Derivation, int]]:
    """The derivatives of each expression by its variables that have a proven rule."""
    for seed in seeds:
        text, shapes = generated(seed, scalar=order == 2)
        for name in shapes:
            try:
                yield mc.derive(text, name, shapes, order=order, limit=TIME), seed
            except (mc.NotDifferentiable, mc.NameProblem):  # no rule, or the variable has cancelled
                continue


def check(seeds: range, order: int) -> int:
    decided = 0
    for d, seed in cases(seeds, order):
        below = d.lower[-1] if d.lower else d.expr
        right = judged(below, d.result, d.wrt, seed)
        assert right is not False, f"{d.program.text} by {d.wrt.name}, order {order}: {d.result}"
        decided += right is True
    return decided


@pytest.mark.parametrize("order", [1, 2])
def test_random_derivatives_of_vectors_and_of_second_order(order: int) -> None:
    assert check(range(40), order) > 30


@pytest.mark.slow
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("first", range(40, 1040, BLOCK))
def test_many_derivatives_of_vectors_and_of_second_order(first: int, order: int) -> None:
    assert check(range(first, first + BLOCK), order) > BLOCK // 2
