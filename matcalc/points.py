"""Random points for the numerical check: lengths of sizes, and values of variables with what is declared of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .expr import Expr
from .sizes import Atom, Size, base_atoms

Array = Any
MANY_SIZES = 12  # more different sizes than this share their lengths, or the points would be huge
KEPT = 6  # numbers up to this keep their value as sizes of a point


def choose_lengths(
    sizes: list[Size], equal: bool, rng: np.random.Generator, attempt: int, least: int = 2, most: int = MANY_SIZES
) -> dict[Atom, int]:
    """Different small lengths, at most ``most``, for different sizes (or 3 for all), of at least ``least``; small numbers keep theirs; never 1.

    Which size is the larger one changes between attempts: X'*X has an inverse only for a tall X.
    """
    atoms = list(dict.fromkeys(a for size in sizes for a in base_atoms(size)))
    lengths: dict[Atom, int] = {a: a for a in atoms if isinstance(a, int) and (a <= KEPT or least > 2)}
    unknown = [a for a in atoms if a not in lengths]
    first = least + attempt % 2  # even and odd sizes in turn
    free = [k for k in range(first, first + len(atoms) + KEPT + 1) if k not in lengths.values()][: min(len(unknown), most)]
    order = rng.permutation(len(unknown)) if attempt else range(len(unknown))
    return lengths | {a: max(3, least) if equal else free[k % len(free)] for a, k in zip(unknown, order, strict=True)}


def random_value(v: Expr, shape: tuple[int, ...], rng: np.random.Generator, attempt: int) -> Array:
    """Random numbers with the structure that a variable is declared to have; which numbers are likely changes between attempts."""
    for name in ("simplex", "onehot", "pm1", "mask", "unit", "spd", "symmetric", "diagonal", "orthogonal", "lower", "upper", "positive"):
        if name in v.properties:
            return _SPECIAL[name](shape, rng)
    spread = (0.7, 0.7, 0.3, 1.5)[attempt % 4]
    x = rng.uniform(-spread, spread, shape)
    if attempt % 4 == 1:
        x = np.abs(x) + 0.3
    if len(shape) == 2 and shape[0] == shape[1]:
        x = x + (0.9 + attempt % 4) * np.eye(shape[0])
    return x


def _spd(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    a = rng.uniform(-0.7, 0.7, shape)
    return a @ a.T + 0.8 * np.eye(shape[0])


def _symmetric(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    a = rng.uniform(-0.7, 0.7, shape) + 0.9 * np.eye(shape[0])
    return (a + a.T) / 2


def _simplex(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    a = rng.uniform(0.2, 1.0, shape)
    return a / a.sum()


_SPECIAL: Mapping[str, Callable[[tuple[int, ...], np.random.Generator], Array]] = {
    "simplex": _simplex,
    "spd": _spd,
    "symmetric": _symmetric,
    "onehot": lambda shape, rng: np.eye(shape[-1])[rng.integers(0, shape[-1], shape[0])],
    "pm1": lambda shape, rng: rng.choice([-1.0, 1.0], shape),
    "mask": lambda shape, rng: rng.choice([0.0, 1.0], shape),
    "unit": lambda shape, rng: rng.uniform(0.15, 0.85, shape),
    "positive": lambda shape, rng: rng.uniform(0.4, 1.6, shape),
    "diagonal": lambda shape, rng: np.diag(rng.uniform(0.4, 1.6, shape[0])),
    "orthogonal": lambda shape, rng: np.linalg.qr(rng.normal(size=shape))[0],
    "lower": lambda shape, rng: np.tril(rng.uniform(-0.7, 0.7, shape)) + 0.9 * np.eye(shape[0]),
    "upper": lambda shape, rng: np.triu(rng.uniform(-0.7, 0.7, shape)) + 0.9 * np.eye(shape[0]),
}
