"""The layers and the losses: each is one forward expression.

Rows are samples; images are (samples, height, width, channels).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import (
    OptionProblem,
    ShapeProblem,
    check_real,
    described,
    number,
    text_of,
    whole_number,
)
from .layer import Layer
from .maps import Array, Map, Reshape, Windows
from .runtime.numpy import first_largest
from .vocabulary import ACTIVATIONS, LOSSES, form


class FullyConnected(Layer):
    """X*W' + b' for every row: ``inputs`` numbers in, ``outputs`` numbers out.

    >>> layer = FullyConnected(3, 2)
    >>> for name in "WbX":
    ...     print(name, layer.derivations[name])
    W G'*X
    b G'*ones(m)
    X G*W
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        seed: int | None = None,
        start: Mapping[str, Any] | None = None,
    ) -> None:
        sizes = {"n": whole_number(inputs, "inputs", 1), "k": whole_number(outputs, "outputs", 1)}
        super().__init__(
            "X*W' + b'", shapes="X: m×n; W: k×n; b: k", sizes=sizes, seed=seed, start=start
        )


AffineTransform = FullyConnected


class Activation(Layer):
    """A function of each sample, named in the table of activations."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(form(ACTIVATIONS, name, "activation").rows, input="Z", shapes="Z: m×n")


class Sigmoid(Activation):
    """1/(1 + exp(-z)), entry by entry."""

    def __init__(self) -> None:
        super().__init__("sigmoid")


class Tanh(Activation):
    """The hyperbolic tangent, entry by entry."""

    def __init__(self) -> None:
        super().__init__("tanh")


class ReLU(Activation):
    """max(z, 0), entry by entry; derivative 0 at 0."""

    def __init__(self) -> None:
        super().__init__("relu")


class Softplus(Activation):
    """log(1 + exp(z)), entry by entry."""

    def __init__(self) -> None:
        super().__init__("softplus")


class Softmax(Activation):
    """exp(z)/sum(exp(z)) of each row."""

    def __init__(self) -> None:
        super().__init__("softmax")


class LayerNorm(Layer):
    """Each row with mean 0 and variance 1, then scaled by w and shifted by b (Ba, Kiros & Hinton
    2016).
    """

    CENTRED = "X - X*ones(n)*ones(n)'/n"

    def __init__(self, size: int, epsilon: float = 1e-5) -> None:
        text = f"C = {self.CENTRED}; diag(1./sqrt((C.*C)*ones(n)/n + e))*C*diag(w) + b'"
        width = whole_number(size, "size", 1)
        start = {"w": np.ones(width), "b": np.zeros(width)}
        super().__init__(
            text,
            shapes="X: m×n; w: n; b: n; e: scalar",
            constants={"e": number(epsilon, "epsilon")},
            start=start,
        )


class Dropout(Layer):
    """M.*X with a mask M of zeros and 1/(1 - rate); nothing is dropped when ``training`` is off."""

    def __init__(self, rate: float = 0.5, seed: int | None = None) -> None:
        if not isinstance(rate, (int, float)) or isinstance(rate, bool) or not 0 <= rate < 1:
            raise OptionProblem(
                f"rate is {described(rate)}", "it is a share from 0 up to, but not including, 1"
            )
        self.rate = rate
        super().__init__("M.*X", shapes="X: m×n; M: m×n", constants={"M": self._mask}, seed=seed)
        self.rng = np.random.default_rng(self.seed)

    def seeded(self, seed: tuple[int, int]) -> None:
        super().seeded(seed)
        self.rng = np.random.default_rng(self.seed)

    def _mask(self, values: Mapping[str, Array], _: Layer) -> Array:
        x = values["X"]
        return (
            (self.rng.random(x.shape) >= self.rate).astype(x.dtype) / (1 - self.rate)
            if self.training
            else np.ones_like(x)
        )


class AveragePool(Layer):
    """The mean of each window of each channel."""

    def __init__(self, kernel: int = 2, stride: int | None = None) -> None:
        super().__init__("P*ones(k)/k", shapes="P: m×k", maps={"P": Windows(kernel, stride)})


class MaxPool(Layer):
    """The largest entry of each window of each channel: (M.*P)*ones(k), where the mask M marks
    the first largest entry.
    """

    def __init__(self, kernel: int = 2, stride: int | None = None) -> None:
        super().__init__(
            "(M.*P)*ones(k)",
            shapes="P: m×k; M: m×k",
            maps={"P": Windows(kernel, stride)},
            constants={"M": _first_largest},
        )


def _first_largest(values: Mapping[str, Array], _: Layer) -> Array:
    return first_largest(values["P"])


class Flatten(Reshape):
    """Each sample as one row."""


# ---- composition ---------------------------------------------------------------------------------


class Residual(Layer):
    """X + F, where F is the output of another part for the input X (He et al. 2015)."""

    def __init__(self, inner: Map) -> None:
        super().__init__("X + F", shapes="X: m×n; F: m×n", maps={"F": inner})


class Attention(Layer):
    """Each row of X attends to all rows: softmax_rows(X*Q*(X*K)'/sqrt(d))*X*V (Vaswani et al.
    2017).

    Rows are the positions of a sequence; in an array (sequences, positions, features) each sequence
    attends to itself alone.
    """

    def __init__(self, inputs: int, size: int, seed: int | None = None) -> None:
        shapes = "X: m×n; Q: n×d; K: n×d; V: n×d"
        sizes = {"n": whole_number(inputs, "inputs", 1), "d": whole_number(size, "size", 1)}
        super().__init__(
            "softmax_rows(X*Q*(X*K)'/sqrt(d))*X*V", shapes=shapes, sizes=sizes, seed=seed
        )


class GraphConvolution(Layer):
    """relu(S*X*W) with the normalised adjacency matrix S (Kipf & Welling 2017)."""

    def __init__(
        self, adjacency: Array, inputs: int, outputs: int, seed: int | None = None
    ) -> None:
        links = np.asarray(adjacency)
        if links.dtype.kind not in "biuf" or links.ndim != 2 or links.shape[0] != links.shape[1]:
            raise ShapeProblem(
                f"adjacency is {described(adjacency)}", "it is a square matrix of numbers"
            )
        with_loops = links + np.eye(len(links))
        degree = with_loops.sum(1) ** -0.5
        constants = {"S": degree[:, None] * with_loops * degree}
        sizes = {"n": whole_number(inputs, "inputs", 1), "k": whole_number(outputs, "outputs", 1)}
        super().__init__(
            "relu(S*X*W)",
            shapes="S: m×m; X: m×n; W: n×k",
            constants=constants,
            sizes=sizes,
            seed=seed,
        )


# ---- losses --------------------------------------------------------------------------------------


class Loss(Layer):
    """A scalar of the output Z and the targets Y, by its name in the table of losses or as an
    expression in Z and Y.

    >>> loss = Loss("squared")
    >>> float(loss.propagate(np.array([[1.0, 2.0]]), np.array([[0.0, 0.0]])))
    2.5
    >>> loss.backpropagate()
    array([[1., 2.]])
    """

    def __init__(self, name: str) -> None:
        text_of(name, "the name of a loss")
        text = (
            LOSSES[name].rows
            if name in LOSSES or (name.isidentifier() and form(LOSSES, name, "loss"))
            else name
        )
        self.name, self.targets = name, None
        super().__init__(
            text,
            input="Z",
            shapes="Z: m×k; Y: m×k",
            constants={"Y": lambda values, _: self.targets},
        )

    def propagate(self, x: Array = None, y: Array = None) -> Array:
        z = self.input if x is None else np.asarray(x)
        check_real("the input", z)
        self.targets = (
            self.targets if y is None else as_targets(y, z, -1.0 if self.name == "hinge" else 0.0)
        )
        return super().propagate(z)

    def backpropagate(self, output_diff: Array = None, wanted: bool = True) -> Array:
        return super().backpropagate(1.0 if output_diff is None else output_diff, wanted)


def as_targets(y: Array, z: Array, low: float = 0.0) -> Array:
    """Class numbers as rows with a 1 in the place of the class.

    Other targets in the shape of the output.
    """
    y = np.asarray(y)
    check_real("the array of targets", y)
    if y.dtype.kind in "iu" and y.ndim == 1 and z.shape[-1] > 1:
        if len(y) != len(z) or y.min(initial=0) < 0 or y.max(initial=0) >= z.shape[-1]:
            fact = f"{len(y)} classes up to {y.max(initial=0)} for an output of shape {z.shape}"
            raise ShapeProblem(fact, "classes count from 0, one for each sample")
        out = np.full((len(y), z.shape[-1]), low, dtype=z.dtype)
        out[np.arange(len(y)), y] = 1
        return out
    if y.size != z.size:
        raise ShapeProblem(
            f"targets of shape {y.shape} for an output of shape {z.shape}",
            "there is one target for each entry",
        )
    return np.asarray(y, dtype=z.dtype).reshape(z.shape)


class MSE(Loss):
    """The mean of the squared errors."""

    def __init__(self) -> None:
        super().__init__("mse")


class CrossEntropy(Loss):
    """Of softmax(Z) and the targets, computed from Z itself: finite however large the entries of
    Z are.
    """

    def __init__(self) -> None:
        super().__init__("cross_entropy")


class Hinge(Loss):
    """sum(relu(1 - Y.*Z))/m for targets -1 and 1."""

    def __init__(self) -> None:
        super().__init__("hinge")


class L2(Layer):
    """The penalty c/2*norm2(W)^2 of a weight matrix; its gradient is c*W."""

    def __init__(self, strength: float) -> None:
        super().__init__(
            "c/2*norm2(W)^2",
            input="W",
            shapes="W: k×n; c: scalar",
            constants={"c": number(strength, "strength")},
        )
