"""Random points and independent oracles: what the tests compare the answers of matcalc with.

Nothing here reads the derivation or the verification: sizes and values are drawn anew, derivatives
are differences of values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from matcalc import expr as ex
from matcalc.codegen import Compiled, compile_expr
from matcalc.expr import Expr
from matcalc.expr.parts import all_exist, index_names, least_length
from matcalc.expr.sizes import UNIT, base_atoms, length
from matcalc.labels.bag import Bag, Term
from matcalc.tables.functions import Row

Array = Any
Point = dict[str, Any]
TRIES = 300
LARGE = 1e7  # values beyond this say more about the point than about the expression


# ---- points --------------------------------------------------------------------------------------


def atoms(roots: Sequence[Expr]) -> list[Any]:
    """The sizes that occur, names and numbers."""
    nodes = ex.postorder(*roots)
    found = [a for n in nodes for size in n.shape_ for a in base_atoms(size)] + [
        n.data for n in nodes if n.head == "size"
    ]
    return [a for a in dict.fromkeys(found) if a not in index_names(nodes)]


def lengths(roots: Sequence[Expr], rng: np.random.Generator, equal: bool = False) -> dict[Any, int]:
    """Pairwise different lengths above 1 in random order, or 3 for every name.

    Numbers keep their value.
    """
    for k in range(200):  # where some place does not exist
        chosen = _lengths(
            roots, rng, equal and k < 100, least_length(ex.postorder(*roots)) + k // 8
        )
        if all_exist(ex.postorder(*roots), chosen):
            break
    return chosen


def _lengths(
    roots: Sequence[Expr], rng: np.random.Generator, equal: bool, least: int
) -> dict[Any, int]:
    found = atoms(roots)
    numbers = {a: a for a in found if isinstance(a, int)}
    names = [a for a in found if a not in numbers]
    free = [k for k in range(least, least + 1 + 2 * len(found)) if k not in numbers][
        : len(names) + 1
    ]
    rng.shuffle(free)
    chosen = numbers | {a: max(3, least) if equal else k for a, k in zip(names, free, strict=False)}
    places = index_names(ex.postorder(*roots))
    return chosen | {
        name: int(rng.integers(max(1, min(length(axis, chosen) for axis in axes)))) + 1
        for name, axes in places.items()
    }


def draw(v: Expr, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """A random value of a variable that has the declared properties."""
    for name, make in _WITH.items():
        if name in v.properties:
            return make(shape, rng)
    near_identity = 0.8 * np.eye(*shape) if len(shape) == 2 and shape[0] == shape[1] else 0.0
    return rng.uniform(-0.9, 0.9, shape) + near_identity


def _about_identity(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    return rng.uniform(-0.6, 0.6, shape) + np.eye(shape[0])


def _spd(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    a = _about_identity(shape, rng)
    return a @ a.T + 0.3 * np.eye(shape[0])


def _simplex(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    a = rng.uniform(0.1, 1.0, shape)
    return a / a.sum(-1, keepdims=True)


_WITH: Mapping[str, Callable[[tuple[int, ...], np.random.Generator], Array]] = {
    "spd": _spd,
    "symmetric": lambda shape, rng: _mirrored(_about_identity(shape, rng)),
    "diagonal": lambda shape, rng: np.diag(rng.uniform(0.3, 1.7, shape[0])),
    "skew": lambda shape, rng: _antisymmetric(rng.uniform(-0.9, 0.9, shape)),
    "orthogonal": lambda shape, rng: np.linalg.qr(rng.normal(size=shape))[0],
    "lower": lambda shape, rng: np.tril(_about_identity(shape, rng)),
    "upper": lambda shape, rng: np.triu(_about_identity(shape, rng)),
    "simplex": _simplex,
    "onehot": lambda shape, rng: np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])],
    "pm1": lambda shape, rng: rng.choice([-1.0, 1.0], shape),
    "mask": lambda shape, rng: rng.choice([0.0, 1.0], shape),
    "unit": lambda shape, rng: rng.uniform(0.1, 0.9, shape),
    "positive": lambda shape, rng: rng.uniform(0.3, 1.7, shape),
}


def _mirrored(a: Array) -> Array:
    return (a + a.T) / 2


def _antisymmetric(a: Array) -> Array:
    return (a - a.T) / 2


def point(roots: Sequence[Expr], rng: np.random.Generator, equal: bool = False) -> Point:
    """A value for every variable and a length for every named size."""
    found = lengths(roots, rng, equal)
    out: Point = {a: k for a, k in found.items() if isinstance(a, str)}
    for v in ex.variables(*roots):
        out[v.name] = draw(v, tuple(length(size, found) for size in v.shape_ if size), rng)
    return out


def values(roots: Sequence[Expr], at: Point) -> list[Array] | None:
    """The values of expressions, or None where one of them is not finite or not defined."""
    return _values(compile_expr(tuple(roots)), at)


def _values(f: Compiled, at: Point) -> list[Array] | None:
    with np.errstate(all="ignore"):
        try:
            found = [np.asarray(v, dtype=float) for v in f(**at)]
        except np.linalg.LinAlgError:
            return None
    return (
        found
        if all(np.isfinite(v).all() and np.abs(v).max(initial=0) < LARGE for v in found)
        else None
    )


def settled(
    roots: Sequence[Expr], rng: np.random.Generator, equal: bool = False
) -> Iterator[tuple[Point, list[Array]]]:
    """Points, at most TRIES, where the expressions are finite and where a tiny change of the
    input is a tiny change of the values.
    """
    f = compile_expr(tuple(roots))
    inverses = tuple(e.args[0] for e in ex.postorder(*roots) if e.head in ("inv", "logdet"))
    inverted = compile_expr(inverses) if inverses else None
    for _ in range(TRIES):
        at = point(roots, rng, equal)
        moved = {k: v if isinstance(v, int) else v * (1 + 1e-11) for k, v in at.items()}
        here, there = _values(f, at), _values(f, moved)
        close = (
            here is not None
            and there is not None
            and all(gap(a, b) < 1e-8 for a, b in zip(here, there, strict=True))
        )
        if close and here is not None and (inverted is None or not is_singular(inverted, at)):
            yield at, here


def is_singular(inverted: Compiled, at: Point) -> bool:
    """Whether what is inverted has no inverse to working precision: the values are then made of
    rounding errors.
    """
    return any(np.linalg.cond(np.atleast_2d(m)) > 1e12 for m in inverted(**at))


def gap(a: Array, b: Array) -> float:
    """The largest difference, relative to the largest entry."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    assert a.shape == b.shape, f"shapes {a.shape} and {b.shape}"
    scale = max(np.abs(a).max(initial=0), np.abs(b).max(initial=0))
    return float(np.abs(a - b).max(initial=0) / scale) if scale > 1e-13 else 0.0


def equal_everywhere(
    a: Expr,
    b: Expr,
    rng: np.random.Generator,
    points: int = 3,
    tolerance: float = 1e-7,
    equal: bool = False,
) -> bool:
    """Whether two expressions agree at some random points; there must be such points."""
    found = [v for _, (_, v) in zip(range(points), settled((a, b), rng, equal), strict=False)]
    assert len(found) == points, f"no regular point of {a} and {b}"
    return all(gap(x, y) <= tolerance for x, y in found)


# ---- derivatives by differences ------------------------------------------------------------------


_KEPT: Mapping[str, Callable[[Array], Array]] = {
    "symmetric": _mirrored,
    "spd": _mirrored,
    "diagonal": lambda a: np.diag(np.diag(a)),
    "skew": _antisymmetric,
    "lower": np.tril,
    "upper": np.triu,
}


def direction(v: Expr, x: Array, rng: np.random.Generator) -> Array:
    """A random direction in which a variable may move."""
    d = rng.uniform(-1, 1, np.shape(x))
    for name in v.properties:
        d = _KEPT.get(name, np.asarray)(d)
    return d


def slope(e: Expr, v: Expr, at: Point, along: Array, h: float = 1e-3) -> tuple[Array, float]:
    """The directional derivative by central differences, extrapolated twice (Richardson), and an
    estimate of its error.
    """
    f = compile_expr(e)

    def central(step: float) -> Array:
        up, down = (
            np.asarray(f(**at | {v.name: at[v.name] + s * along}), dtype=float)
            for s in (step, -step)
        )
        return (up - down) / (2 * step)

    with np.errstate(all="ignore"):  # infinite where there is no value
        coarse, middle, fine = central(h), central(h / 2), central(h / 4)
        first, second = (4 * middle - coarse) / 3, (4 * fine - middle) / 3
        best = (16 * second - first) / 15
    return best, float(np.abs(best - second).max(initial=0)) if np.isfinite(best).all() else float(
        "inf"
    )


def contracted(g: Array, along: Array, axes: int) -> Array:
    """A derivative array, whose first axes are those of the expression, applied to a direction."""
    if np.ndim(along) == 0:
        return np.asarray(g) * along
    return (
        (np.asarray(g) * along).sum() if axes == 0 else np.tensordot(g, along, axes=np.ndim(along))
    )


def differs_from_slope(
    e: Expr, v: Expr, g: Expr, rng: np.random.Generator, equal: bool = False, tries: int = 8
) -> float | None:
    """How far a derivative is from differences of values, at best over some points (others are
    near a kink); None without a point.
    """
    best: float | None = None
    for _, (at, (value, claim)) in zip(range(tries), settled((e, g), rng, equal), strict=False):
        if v.name not in at:  # it has cancelled out of both
            return float(np.abs(claim).max(initial=0))
        along = direction(v, at[v.name], rng)
        measured, error = slope(e, v, at, along)
        scale = float(np.abs(claim).max(initial=0) + np.abs(value).max(initial=0)) + 1e-3
        if error > 1e-6 * scale:
            continue
        off = (
            float(np.abs(contracted(claim, along, np.ndim(value)) - measured).max(initial=0))
            / scale
        )
        best = off if best is None else min(best, off)
        if best < 1e-7:
            break
    return best


# ---- functions of the table ----------------------------------------------------------------------


# not variables
WHOLE = {
    "polygamma": (0, ex.num(2)),
    "powm": (1, ex.size_number(("k",))),
    "powm_frechet": (2, ex.size_number(("k",))),
}


def arguments(row: Row, names: str = "XWZ") -> list[ex.Expr]:
    """Variables of the shapes that the signature wants, as general as the row allows.

    Between 0 and 1 where there is a domain.
    """
    inputs, _ = ex.signature_axes(row)
    letters = [
        [axis if axis == "1" else inputs[k][0] if row.square else axis for axis in axes]
        for k, axes in enumerate(inputs)
    ]
    shaped = [
        tuple(
            UNIT
            if axis == "1" or (row.vector and axis == "j")
            else (3,)
            if axis == "3"
            else (axis,)
            for axis in axes
        )
        for axes in letters
    ]
    properties = ("unit",) if row.domain != (-np.inf, np.inf) else ("spd",) if row.symmetric else ()
    found = [ex.var(name, shape, properties) for name, shape in zip(names, shaped, strict=False)]
    place, whole = WHOLE.get(row.name, (-1, ex.ONE))
    return [whole if k == place else e for k, e in enumerate(found)]


# ---- bags ----------------------------------------------------------------------------------------


def bag_value(bag: Bag, at: Point, sizes: Mapping[Any, int]) -> Array:
    """A labelled bag evaluated as the sum of einsums that it is."""
    shape = [sizes[i.size] for i in bag.out]
    return sum((_term_value(t, bag, at, sizes) for t in bag.terms), np.zeros(shape))


def _term_value(t: Term, bag: Bag, at: Point, sizes: Mapping[Any, int]) -> Array:
    number: dict[Any, int] = {}
    operands: list[Any] = []
    for f in t.factors:
        value = _factor_value(f.expr, at, sizes).reshape([sizes[i.size] for i in f.labels])
        operands += [value, [number.setdefault(i, len(number)) for i in f.labels]]
    for i in bag.out:
        if i not in number:
            operands += [np.ones(sizes[i.size]), [number.setdefault(i, len(number))]]
    total = (
        np.einsum(*operands, [number[i] for i in bag.out], optimize="greedy")
        if operands
        else np.array(1.0)
    )
    return float(t.coefficient) * total


def _factor_value(e: Expr, at: Point, sizes: Mapping[Any, int]) -> Array:
    return np.asarray(compile_expr(e)(**{str(a): k for a, k in sizes.items()} | at), dtype=float)
