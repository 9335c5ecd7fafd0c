"""The result of a minimization: the point, how it went, and one word for how it ended."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = Any
Arrays = dict[str, Array]

CONVERGED = "converged"
# how a minimization can end, and what is said of it
ENDINGS: Mapping[str, str] = {
    CONVERGED: "the gradient is within the tolerance",
    "limit": "the limit of {max_steps} is reached",
    "no progress": "no progress in {patience}",
    "stopped": "the callback ended it",
    "unbounded": "the value falls without end, the farther the point goes from the start",
    "diverged": "the values rise or are not finite: take a smaller rate, or none for a step that "
    "is searched",
    "kink": "the gradient jumps here, so it is no measure of a minimum: the function has a kink",
    "edge": "the way down ends where the objective has no value, or a matrix is not positive "
    "definite",
    "rounding": "no lower value can be told apart in double precision",
    "no descent": "the method finds no lower value, though the gradient points to one: try another",
    "saddle": "the gradient vanishes, and lower values are beside the point: give another start",
    "flat": "the gradient vanishes at the start, and no value around it differs: give another "
    "start",
}
UNENDING = ("unbounded", "diverged")  # the gradient says nothing of how near an end was


@dataclass
class History:
    """The steps of a run: value, norm of the gradient and seconds since the start of each."""

    values: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, value: float, norm: float, seconds: float) -> None:
        self.values.append(value)
        self.norms.append(norm)
        self.seconds.append(seconds)

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw the values and the norms of the gradient into a picture; needs matplotlib."""
        from .pictures import draw

        draw(path, {"objective": self.values, "norm of the gradient": self.norms}, "step")


@dataclass(repr=False)
class Minimum:
    """The end of a minimization: arrays by name (also ``found["w"]``), the value, the way.

    ``status`` is one word for the end, ``message`` a sentence; ``converged`` is true only where the
    largest entry of the gradient (of what bounds leave of it) is at most the tolerance, at a finite
    point that has every declared property. ``gradient_norm`` is the length of the gradient.
    """

    arrays: Arrays
    value: float
    gradient_norm: float
    steps: int
    evaluations: int
    status: str
    message: str
    history: History

    @property
    def converged(self) -> bool:
        """Tell if it ended at a minimum within the tolerance."""
        return self.status == CONVERGED

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]

    def __repr__(self) -> str:
        steps, calls = counted(self.steps, "step"), counted(self.evaluations, "evaluation")
        head = f"{self.status} after {steps}, {calls}: {self.message}"
        numbers = f"value {self.value:.10g}, norm of the gradient {self.gradient_norm:.3g}"
        return "\n".join([head, numbers, *(f"{n} = {shown(a)}" for n, a in self.arrays.items())])


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "step"), counted(2, "step")
    ('1 step', '2 steps')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shown(a: Array) -> str:
    """An array in few words: six digits of few entries.

    >>> shown(np.array([1.0, 2 / 3]))
    '[1.      , 0.666667]'
    """
    return np.array2string(np.asarray(a), precision=6, threshold=20, edgeitems=3, separator=", ")
