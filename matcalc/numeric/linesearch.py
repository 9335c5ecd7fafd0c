"""First-order steps whose length is searched: they lower the value on whatever scale the problem
has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from .feasible import Feasible

Array = Any
# the value and the gradient, None where there is none
Probe = Callable[[Array], tuple[float, Array] | None]

SUFFICIENT = 1e-4  # the share of the fall along the gradient that a step must reach (Armijo 1966)
# values that a step is compared with: a lower one than the highest of them is progress
REMEMBERED = 10
LONGEST = 1e30
ROUNDING = 4 * np.finfo(float).eps
# of the rate, after a step that lowers the value and after one that does not
GROWTH, SHRINK = 1.1, 0.5


class Searched(Protocol):
    """A step of searched length; ``state`` is all that it remembers, for a checkpoint."""

    state: dict[str, Array]

    def advance(
        self,
        x: Array,
        value: float,
        gradient: Array,
        past: Sequence[float],
        allowed: Feasible,
        probe: Probe,
    ) -> Array | None:
        """The next point, or None if no step is long enough to move the point and lowers the
        value.
        """
        ...


def _moves(step: Array, x: Array) -> bool:
    """Tell if a step is more than the rounding of the point."""
    return bool(np.abs(step).max() > ROUNDING * max(1.0, np.abs(x).max()))


def _first_rate(slope: Array) -> float:
    """The rate that moves the point by one, in its largest entry."""
    return 1 / max(float(np.abs(slope).max()), 1 / LONGEST)


class SearchedGradient:
    """Projected gradient steps of the length of Barzilai and Borwein, shortened until they lower
    the value.

    The spectral projected gradient method (Birgin, Martínez & Raydan 2000).
    """

    def __init__(self) -> None:
        self.state: dict[str, Array] = {}

    def advance(
        self,
        x: Array,
        value: float,
        gradient: Array,
        past: Sequence[float],
        allowed: Feasible,
        probe: Probe,
    ) -> Array | None:
        rate = float(self.state.get("rate", _first_rate(allowed.slope(x, gradient))))
        step = allowed.clipped(x - rate * gradient) - x
        fall, highest = float(gradient @ step), max([value, *past[-REMEMBERED:]])
        length = 1.0
        while _moves(length * step, x):
            point = x + length * step
            tried = probe(point)
            if tried is not None and tried[0] <= highest + SUFFICIENT * length * fall:
                self.state["rate"] = np.array(_spectral(point - x, tried[1] - gradient, rate))
                return point
            length *= SHRINK
        return None


def _spectral(move: Array, change: Array, rate: float) -> float:
    """|s|²/s'y for the move s and the change y of the gradient: the inverse of a curvature
    between the two points.
    """
    curved = float(move @ change)
    return min(float(move @ move) / curved if curved > 0 else 10 * rate, LONGEST)


class SearchedMomentum:
    """Momentum that begins anew where the value would rise (O'Donoghue & Candès 2015), and then
    with a smaller rate.
    """

    def __init__(self, momentum: float = 0.9) -> None:
        self.momentum = momentum
        self.state: dict[str, Array] = {}

    def advance(
        self,
        x: Array,
        value: float,
        gradient: Array,
        past: Sequence[float],
        allowed: Feasible,
        probe: Probe,
    ) -> Array | None:
        rate = float(self.state.get("rate", _first_rate(allowed.slope(x, gradient))))
        velocity = self.state.get("velocity", np.zeros_like(x))
        while True:
            direction = self.momentum * velocity + gradient
            step = allowed.clipped(x - rate * direction) - x
            begins = not velocity.any()
            if begins and not _moves(step, x):
                return None
            fall = SUFFICIENT * float(gradient @ step) if begins else 0.0
            tried = probe(x + step)
            if tried is not None and tried[0] <= value + ROUNDING * abs(value) + fall:
                grown = min(GROWTH * rate, LONGEST)
                self.state = {"rate": np.array(grown), "velocity": direction}
                return x + step
            velocity, rate = np.zeros_like(x), SHRINK * rate


SEARCHED: Mapping[str, Callable[[], Searched]] = {
    "gradient-descent": SearchedGradient,
    "sgd": SearchedGradient,
    "momentum": SearchedMomentum,
}
