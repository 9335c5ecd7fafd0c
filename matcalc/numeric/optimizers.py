"""First-order optimizers: gradient descent, SGD, momentum and Adam, which change arrays in place.

The names of all methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import OptionProblem, number, text_of
from ..options import nearest, strict

Array = Any

# how people type the methods, in small letters and without what is no letter
ALSO: Mapping[str, str] = {
    "gd": "gradient-descent",
    "steepestdescent": "gradient-descent",
    "heavyball": "momentum",
    "lbfgsb": "l-bfgs",
    "conjugategradient": "cg",
    "conjugategradients": "cg",
    "quasinewton": "bfgs",
    "stochasticgradientdescent": "sgd",
}


def method_name(given: str, known: Iterable[str], kind: str) -> str:
    """The method that is meant, however its letters, signs and spaces are typed.

    Raises OptionProblem with the nearest.

    >>> method_name("LBFGS", ["l-bfgs", "cg"], "method")
    'l-bfgs'
    >>> method_name("GD", FIRST_ORDER, "optimizer")
    'gradient-descent'
    """
    names = list(known)
    typed = "".join(c for c in text_of(given, f"the {kind}").lower() if c.isalnum())
    meant = {name.replace("-", ""): name for name in names} | {
        a: n for a, n in ALSO.items() if n in names
    }
    if typed in meant:
        return meant[typed]
    hint = nearest(given.lower(), names) or f"there are {', '.join(names)}"
    raise OptionProblem(f"unknown {kind} '{given[:40]}'", hint)


class Optimizer:
    """Move parameters in place by their gradients.

    ``rate`` is the length of a step; ``state`` is all that it remembers, for a checkpoint.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        strict(cls)

    def __init__(self, rate: float) -> None:
        self.rate = number(rate, "rate")
        self.state: dict[str, Array] = {}

    def update(self, parameters: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """Move each parameter that has a gradient: arrays of float by name, of equal shapes.

        Raises KeyError for a gradient of a name that is no parameter.
        """
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

    Raises TypeError or OptionProblem for a rate that is no finite number.

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
    """v ← momentum·v + g; p ← p − rate·v (Polyak 1964); without momentum p ← p − rate·g.

    Raises TypeError or OptionProblem for a rate or a momentum that is no finite number.

    >>> p = np.array([1.0])
    >>> heavy = SGD(0.5, momentum=0.9)
    >>> for _ in range(2):
    ...     heavy.update({"p": p}, {"p": np.ones(1)})
    >>> p
    array([-0.45])
    """

    def __init__(self, rate: float = 0.05, momentum: float = 0.0) -> None:
        super().__init__(rate)
        self.momentum = number(momentum, "momentum")

    def _move(self, name: str, p: Array, g: Array) -> None:
        if not self.momentum:
            p -= self.rate * g
            return
        v = self._memory(name, p)
        v *= self.momentum
        v += g
        p -= self.rate * v


class Adam(Optimizer):
    """Adam with corrected moments (Kingma & Ba 2015, algorithm 1).

    Arguments:

    * ``rate``: the length of a step.
    * ``beta1``, ``beta2``: the shares of the first and the second moment that a step keeps.
    * ``epsilon``: a number that is added to the root of the second moment.

    Raises TypeError or OptionProblem for what is no finite number.

    >>> p = np.array([1.0])
    >>> Adam(0.5).update({"p": p}, {"p": np.array([3.0])})
    >>> p.round(6)
    array([0.5])
    """

    def __init__(
        self, rate: float = 0.001, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
    ) -> None:
        super().__init__(rate)
        self.beta1, self.beta2 = number(beta1, "beta1"), number(beta2, "beta2")
        self.epsilon = number(epsilon, "epsilon")

    def update(self, parameters: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """Count the step, then move each parameter that has a gradient.

        Raises KeyError for a gradient of a name that is no parameter.
        """
        self.state["steps"] = self.state.get("steps", np.zeros((), int)) + 1
        super().update(parameters, gradients)

    def _move(self, name: str, p: Array, g: Array) -> None:
        k = int(self.state["steps"])
        first, second = self._memory(f"{name}.first", p), self._memory(f"{name}.second", p)
        first += (1 - self.beta1) * (g - first)
        second += (1 - self.beta2) * (g * g - second)
        root = np.sqrt(second / (1 - self.beta2**k)) + self.epsilon
        p -= self.rate / (1 - self.beta1**k) * first / root


def _momentum(rate: float = 0.05) -> SGD:
    return SGD(rate, momentum=0.9)


FIRST_ORDER: Mapping[str, Callable[..., Optimizer]] = {
    "gradient-descent": GradientDescent,
    "sgd": SGD,
    "momentum": _momentum,
    "adam": Adam,
}


def optimizer(name: str | Optimizer, rate: float | None = None) -> Optimizer:
    """A first-order optimizer by its name; raises OptionProblem.

    >>> optimizer("adam", 0.01).rate
    0.01
    """
    if isinstance(name, Optimizer):
        return name
    make = FIRST_ORDER[method_name(name, FIRST_ORDER, "optimizer")]
    return make() if rate is None else make(rate)
