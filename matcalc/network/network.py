"""A network: layers, a loss, and what one does with them.

The backward pass of every layer is derived.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import (
    NameProblem,
    ShapeProblem,
    Unsupported,
    described,
    number,
    text_of,
    whole_number,
)
from ..printing.text import text
from .layer import Layer, Sequential, real
from .layers import L2, Activation, FullyConnected, Loss
from .maps import Array
from .recursion import Recursion
from .vocabulary import LOSSES, contains_output

if TYPE_CHECKING:
    from .training import Training


def widths(spec: str | Sequence[int]) -> list[int]:
    """The widths of the layers, from ``784-128-10`` or a sequence of numbers; raises ShapeProblem.

    >>> widths("784-128-10")
    [784, 128, 10]
    """
    words = (
        re.split(r"\s*[-–→,]\s*|\s+", spec.strip())
        if isinstance(spec, str)
        else [str(n) for n in spec]
    )
    bad = next((w for w in words if not re.fullmatch(r"[1-9]\d{0,6}", w)), None)
    if bad is not None or len(words) < 2:
        problem = f"'{bad[:40]}' is not a width" if bad is not None else f"{spec} is one width only"
        raise ShapeProblem(problem, "write the widths of the layers, such as 784-128-10")
    return [int(w) for w in words]


class Network(Sequential):
    """Layers with a loss: ``Network("784-128-10")`` or ``Network([layers], loss=…)``.

    Arguments:

    * ``layers``: the widths of dense layers, as a text or numbers, or a list of layers.
    * ``activation``, ``output``: between dense layers, and after the last one, by name.
    * ``loss``: a name in the table of losses, an expression in Z and Y, or a Loss. One that
      contains the activation of the output (cross_entropy softmax, logistic sigmoid) is given what
      comes before it: the activation is applied once.
    * ``l2``: the strength of the penalty c/2·‖W‖² on every matrix of parameters.
    * ``seed``: that of the first values of layers without one of their own.
    * ``batch``: writes the recursion in matrices, a sample a row, instead of columns.
    * ``dtype``: the type of the parameters.

    ``trunk`` are the layers below the loss.

    Raises OptionProblem for a name or a number that there is not, ShapeProblem for widths that are
    none, TypeError for an argument of a wrong type.

    >>> net = Network("4-3-2", loss="squared", seed=1)
    >>> value, gradients = net.value_and_gradients(np.ones((5, 4)), np.zeros((5, 2)))
    >>> gradients["3.W"].shape
    (2, 3)
    >>> print(net.recursion.lines[0])
    δ(3) = z(3) - y
    """

    def __init__(
        self,
        layers: str | Sequence[Any],
        activation: str = "relu",
        loss: str | Loss = "cross_entropy",
        output: str = "linear",
        l2: float = 0.0,
        seed: int = 0,
        batch: bool = False,
        dtype: Any = float,
    ) -> None:
        activation, output = text_of(activation, "activation"), text_of(output, "output")
        dense = isinstance(layers, str) or all(isinstance(n, (int, np.integer)) for n in layers)
        self.widths: list[int] | None = widths(layers) if dense else None
        if not isinstance(loss, (str, Loss)):
            raise TypeError(f"loss is the name of a loss, or a Loss, not {described(loss)}")
        self._words = {
            "activation": activation,
            "loss": loss if isinstance(loss, str) else loss.name,
            "output": output,
        }
        self._batch, self.dtype = batch, np.dtype(dtype)
        whole_number(seed, "seed")
        super().__init__(
            _dense(self.widths, activation, output, seed)
            if self.widths is not None
            else list(layers)
        )
        self.loss = Loss(loss) if isinstance(loss, str) else loss
        self.parts_in_a_row = _in_a_row(self.parts)
        self._output = getattr(self.parts_in_a_row[-1], "name", "") if self.parts_in_a_row else ""
        of_z = contains_output(_name_of(self.loss), self._output)
        self.trunk = Sequential(self.parts_in_a_row[:-1]) if of_z else self
        for i, layer in enumerate(self.layers()):
            layer.seeded((seed, i))
        self.l2 = number(l2, "l2")
        self._penalty = L2(l2) if l2 else None

    # ---- values ----------------------------------------------------------------------------------

    def predict(self, x: Array) -> Array:
        """The output for new samples, one a row; dropout is off.

        Raises ShapeProblem for samples that do not fit.
        """
        self._set_training(False)
        out = self.propagate(real(x, self.dtype))
        self._set_training(True)
        return out

    def accuracy(self, x: Array, classes: Array) -> float:
        """The share of samples whose largest output is their class, counted from 0.

        With one output the class is 1 where it is positive (of a sigmoid, above one half), and 0,
        or -1, elsewhere. Raises ShapeProblem for samples that do not fit.
        """
        out, given = self.predict(x), np.asarray(classes).reshape(-1)
        if out.shape[1] > 1:
            return float((out.argmax(1) == given).mean())
        middle = 0.5 if self._output == "sigmoid" else 0.0
        return float(((out[:, 0] > middle) == (given > 0)).mean())

    def value(self, x: Array, y: Array) -> float:
        """The loss of samples and targets, with the penalty.

        Targets are an array like the output, or class numbers from 0. Raises ShapeProblem for what
        does not fit.
        """
        value = self._loss(x, y)
        return value + sum(float(penalty.propagate(w)) for penalty, _, w in self._penalised())

    def value_and_gradients(self, x: Array, y: Array) -> tuple[float, dict[str, Array]]:
        """The loss and its gradients by all parameters, by name as ``1.W``.

        Raises ShapeProblem for samples or targets that do not fit.
        """
        value = self._loss(x, y)
        self.trunk.backpropagate(self.loss.backpropagate(), wanted=False)
        gradients = self.gradients_by_name()
        for penalty, name, w in self._penalised():
            value += float(penalty.propagate(w))
            gradients[name] += penalty.backpropagate(np.ones((), w.dtype))
        return value, gradients

    def _loss(self, x: Array, y: Array) -> float:
        """The loss of the layers below it, without the penalty."""
        below = real(x, self.dtype)
        z = self._of_own_type(partial(self.trunk.propagate, below))
        return float(self.loss.propagate(z, y))

    def propagate(self, x: Array = None) -> Array:
        """The output for an input; raises ShapeProblem for one that does not fit."""
        return self._of_own_type(partial(super().propagate, x))

    def _of_own_type(self, passing: Callable[[], Array]) -> Array:
        """The result of a pass, in the type of the network.

        The first pass makes parameters, which may be of another type.
        """
        out = passing()
        return passing() if self._set_dtype_of_parameters() else out

    def _set_dtype_of_parameters(self) -> bool:
        """Give all parameters the type of the network; whether one had another."""
        if self.dtype == np.float64:  # as they are made
            return False
        if all(a.dtype == self.dtype for layer in self.layers() for a in layer.parameters.values()):
            return False
        for layer in self.layers():
            layer.parameters = {n: a.astype(self.dtype) for n, a in layer.parameters.items()}
        return True

    def _penalised(self) -> Iterator[tuple[L2, str, Array]]:
        """The penalty with the name and the value of every matrix of parameters that it is for."""
        if self._penalty is not None:
            yield from (
                (self._penalty, n, a) for n, a in self.parameters_by_name().items() if a.ndim == 2
            )

    def _set_training(self, on: bool) -> None:
        for layer in self.layers():
            layer.training = on

    def load(self, parameters: Mapping[str, Array]) -> None:
        """Set parameters by name; raises NameProblem for a name that is not there."""
        layers = list(self.layers())
        for name, a in parameters.items():
            number, _, letter = name.partition(".")
            if not number.isdigit() or not 0 < int(number) <= len(layers):
                raise NameProblem(
                    f"there is no parameter '{name[:40]}'", "parameters are named as 1.W"
                )
            layers[int(number) - 1].parameters[letter] = np.array(a, dtype=self.dtype)

    # ---- training --------------------------------------------------------------------------------

    def fit(self, x: Array, y: Array, **options: Any) -> Training:
        """Train by batches, or with ``optimizer="L-BFGS"`` and its like on all samples.

        The options, and what is raised, are those of :func:`matcalc.network.training.fit`.
        """
        from .training import fit

        return fit(self, x, y, **options)

    # ---- formulas --------------------------------------------------------------------------------

    @property
    def recursion(self) -> Recursion:
        """The recursion of back-propagation of dense layers.

        Raises Unsupported for a network that is not given by its widths.
        """
        if self.widths is None:
            raise Unsupported(
                "only a network of dense layers has one recursion",
                "print the network for the formulas of each layer",
            )
        return Recursion(self.widths, batch=self._batch, **self._words)

    def __str__(self) -> str:
        if self.widths is not None:
            return str(self.recursion)
        lines: list[str] = []
        for i, layer in enumerate(self.layers(), 1):
            lines += _formulas(i, layer)
        return "\n".join([*lines, *_formulas(0, self.loss)])

    @property
    def verified(self) -> bool:
        """Tell if every derivation behind the network is verified."""
        return all(
            bool(d.verification)
            for layer in (*self.layers(), self.loss)
            for d in layer.derivations.values()
        )

    def latex(self) -> str:
        """The recursion in LaTeX; raises Unsupported where :attr:`recursion` does."""
        return self.recursion.latex()

    def explain(self) -> str:
        """Every different derivation step by step."""
        if self.widths is not None:
            return self.recursion.explain()
        found = {
            id(d): d for layer in (*self.layers(), self.loss) for d in layer.derivations.values()
        }
        return "\n\n".join([str(self), *(d.explain() for d in found.values())])

    def source(self, target: str = "numpy") -> str:
        """The network as a stand-alone module: ``forward`` and ``value_and_gradients``.

        ``target`` is numpy, jax or torch. Raises OptionProblem for any other, and Unsupported for a
        map without code.
        """
        from .module import source

        return source(self, target)

    def save(self, path: str | os.PathLike[str], target: str = "numpy") -> None:
        """Write the module, with the parameters beside it as ``.npz``.

        Raises what :meth:`source` raises, and OSError for a file that cannot be written.
        """
        from .module import save

        save(self, path, target)


def _in_a_row(parts: Sequence[Any]) -> list[Any]:
    """The parts of a network with those of its sequences in their place."""
    row: list[Any] = []
    for part in parts:
        row += _in_a_row(part.parts) if isinstance(part, Sequential) else [part]
    return row


def _name_of(loss: Loss) -> str:
    """The name of a loss in the table, also where it was typed as an expression."""
    return next((n for n, row in LOSSES.items() if loss.expression in (n, row.rows)), "")


def _dense(sizes: Sequence[int], activation: str, output: str, seed: int) -> list[Layer]:
    """Affine layers with activations between them."""
    found: list[Layer] = []
    for i in range(1, len(sizes)):
        found.append(FullyConnected(sizes[i - 1], sizes[i], seed=seed + i))
        name = activation if i + 1 < len(sizes) else output
        if name != "linear":
            found.append(Activation(name))
    return found


def _formulas(number: int, layer: Layer) -> list[str]:
    """A layer's forward expression and its derived backward pass."""
    title = f"{number}  {type(layer).__name__}" if number else "loss"
    maps = "".join(f", {n} = {type(part).__name__} of the input" for n, part in layer.maps.items())
    back = [f"   ∂J/∂{n} = {text(d.gradient)}" for n, d in layer.derivations.items()]
    return [f"{title}: {layer.expression}{maps}", *back]
