"""First-order optimizers: gradient descent, SGD with momentum and Adam, which change arrays in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .errors import NameProblem
from .options import strict
from .syntax import nearest

Array = Any


class Optimizer:
    """Changes parameters in place by their gradients; ``state`` is all that it remembers, for a checkpoint."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        strict(cls)

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.state: dict[str, Array] = {}

    def update(self, parameters: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        for name, gradient in gradients.items():
            self._move(name, parameters[name], gradient)

    def _move(self, name: str, p: Array, g: Array) -> None:
        raise NotImplementedError

    def _memory(self, name: str, like: Array) -> Array:
        if name not in self.state:
            self.state[name] = np.zeros_like(like)
        return self.state[name]


class GradientDescent(Optimizer):
    """p ← p − rate·g.

    >>> p = np.array([1.0, 2.0])
    >>> GradientDescent(0.5).update({"p": p}, {"p": p.copy()})
    >>> p
    array([0.5, 1. ])
    """

    def __init__(self, rate: float = 0.1) -> None:
        super().__init__(rate)

    def _move(self, name: str, p: Array, g: Array) -> None:
        p -= self.rate * g


class SGD(Optimizer):
    """v ← momentum·v + g; p ← p − rate·v (Polyak 1964)."""

    def __init__(self, rate: float = 0.05, momentum: float = 0.9) -> None:
        super().__init__(rate)
        self.momentum = momentum

    def _move(self, name: str, p: Array, g: Array) -> None:
        v = self._memory(name, p)
        v *= self.momentum
        v += g
        p -= self.rate * v


class Adam(Optimizer):
    """Adam with corrected moments (Kingma & Ba 2015, algorithm 1)."""

    def __init__(self, rate: float = 0.001, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> None:
        super().__init__(rate)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon

    def update(self, parameters: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        self.state["steps"] = self.state.get("steps", np.zeros((), int)) + 1
        super().update(parameters, gradients)

    def _move(self, name: str, p: Array, g: Array) -> None:
        k = int(self.state["steps"])
        first, second = self._memory(f"{name}.first", p), self._memory(f"{name}.second", p)
        first += (1 - self.beta1) * (g - first)
        second += (1 - self.beta2) * (g * g - second)
        root = np.sqrt(second / (1 - self.beta2**k)) + self.epsilon
        p -= self.rate / (1 - self.beta1**k) * first / root


FIRST_ORDER: Mapping[str, Callable[..., Optimizer]] = {"gradient-descent": GradientDescent, "sgd": SGD, "momentum": SGD, "adam": Adam}


def optimizer(name: str | Optimizer, rate: float | None = None) -> Optimizer:
    """A first-order optimizer by its name; raises NameProblem.

    >>> optimizer("adam", 0.01).rate
    0.01
    """
    if isinstance(name, Optimizer):
        return name
    if name.lower() not in FIRST_ORDER:
        raise NameProblem(f"unknown optimizer '{name[:40]}'", nearest(name.lower(), FIRST_ORDER) or f"there are {', '.join(FIRST_ORDER)}")
    make = FIRST_ORDER[name.lower()]
    return make() if rate is None else make(rate)
