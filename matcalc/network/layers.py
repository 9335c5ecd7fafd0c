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
    """X*W' + b' for every row of X: m×n, with W: k×n and b: k.

    Arguments:

    * ``inputs``, ``outputs``: the numbers n and k of columns in and out.
    * ``seed``: that of the first values of W; without it they are those of its place in a network.
    * ``start``: first values by name, arrays of float in the shapes above.

    Raises TypeError or OptionProblem for a size that is no positive whole number.

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
    """A function of each sample, by its name: relu, tanh, sigmoid, softplus, softmax and so on.

    Raises OptionProblem, which names the nearest, for a name that the table does not have.

    >>> Activation("tanh").propagate(np.zeros((2, 3))).shape
    (2, 3)
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(form(ACTIVATIONS, name, "activation").rows, input="Z", shapes="Z: m×n")


class Sigmoid(Activation):
    """1/(1 + exp(-z)), entry by entry.

    >>> Sigmoid().propagate(np.zeros((1, 2)))
    array([[0.5, 0.5]])
    """

    def __init__(self) -> None:
        super().__init__("sigmoid")


class Tanh(Activation):
    """The hyperbolic tangent, entry by entry.

    >>> Tanh().propagate(np.zeros((1, 2)))
    array([[0., 0.]])
    """

    def __init__(self) -> None:
        super().__init__("tanh")


class ReLU(Activation):
    """max(z, 0), entry by entry; derivative 0 at 0.

    >>> ReLU().propagate(np.array([[-1.0, 2.0]]))
    array([[0., 2.]])
    """

    def __init__(self) -> None:
        super().__init__("relu")


class Softplus(Activation):
    """log(1 + exp(z)), entry by entry.

    >>> Softplus().propagate(np.zeros((1, 2)))
    array([[0.69314718, 0.69314718]])
    """

    def __init__(self) -> None:
        super().__init__("softplus")


class Softmax(Activation):
    """exp(z)/sum(exp(z)) of each row.

    >>> Softmax().propagate(np.zeros((1, 2)))
    array([[0.5, 0.5]])
    """

    def __init__(self) -> None:
        super().__init__("softmax")


class LayerNorm(Layer):
    """Each row with mean 0 and variance 1, then scaled by w and shifted by b.

    See Ba, Kiros & Hinton 2016. ``size`` is the length of the rows, ``epsilon`` is added to the
    variance. Raises TypeError or OptionProblem for a size that is no positive whole number, or an
    epsilon that is no number.

    >>> LayerNorm(2).propagate(np.array([[1.0, 3.0]])).round(3)
    array([[-1.,  1.]])
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
    """M.*X with a mask M of zeros and 1/(1 - rate); nothing is dropped when ``training`` is off.

    ``rate`` is the share of entries that are dropped, from 0 up to, but not including, 1; see
    Srivastava et al. 2014. Raises OptionProblem for any other.

    >>> sorted({float(a) for a in Dropout(0.5, seed=0).propagate(np.ones((1, 20)))[0]})
    [0.0, 2.0]
    """

    def __init__(self, rate: float = 0.5, seed: int | None = None) -> None:
        if not isinstance(rate, (int, float)) or isinstance(rate, bool) or not 0 <= rate < 1:
            raise OptionProblem(
                f"rate is {described(rate)}", "it is a share from 0 up to, but not including, 1"
            )
        self.rate = rate
        super().__init__("M.*X", shapes="X: m×n; M: m×n", constants={"M": self._mask}, seed=seed)
        self.rng = np.random.default_rng(self.seed)

    def seeded(self, seed: tuple[int, int]) -> None:
        """Start the masks anew, from a seed of the network."""
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
    """The mean of each window of each channel of images (samples, height, width, channels).

    ``kernel`` is the side of a window, ``stride`` the step between windows, by default as much.
    Raises TypeError or OptionProblem for what is no positive whole number, and ShapeProblem for
    images smaller than a window.

    >>> AveragePool(2).propagate(np.ones((1, 4, 4, 3))).shape
    (1, 2, 2, 3)
    """

    def __init__(self, kernel: int = 2, stride: int | None = None) -> None:
        super().__init__("P*ones(k)/k", shapes="P: m×k", maps={"P": Windows(kernel, stride)})


class MaxPool(Layer):
    """The largest entry of each window of each channel of images.

    Images are (samples, height, width, channels). It is (M.*P)*ones(k), where the mask M marks the
    first largest entry of a row of P.

    ``kernel`` is the side of a window, ``stride`` the step between windows, by default as much.
    Raises TypeError or OptionProblem for what is no positive whole number, and ShapeProblem for
    images smaller than a window.

    >>> MaxPool(2).propagate(np.arange(16.0).reshape(1, 4, 4, 1)).ravel()
    array([ 5.,  7., 13., 15.])
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
    """Each sample as one row, or in the ``shape`` that is given; the adjoint turns it back.

    Propagating raises ShapeProblem for a shape that the entries of a sample do not fill.

    >>> Flatten().propagate(np.zeros((2, 4, 4, 3))).shape
    (2, 48)
    """


# ---- composition ---------------------------------------------------------------------------------


class Residual(Layer):
    """X + F, where F is the output of another part for the input X (He et al. 2015).

    ``inner`` is a layer, or a linear map with its adjoint, whose output has the shape of its input;
    propagating raises ShapeProblem where it has another.

    >>> Residual(Tanh()).propagate(np.zeros((2, 3))).shape
    (2, 3)
    """

    def __init__(self, inner: Map) -> None:
        super().__init__("X + F", shapes="X: m×n; F: m×n", maps={"F": inner})


class Attention(Layer):
    """softmax_rows(X*Q*(X*K)'/sqrt(d))*X*V: each row of X attends to all rows.

    See Vaswani et al. 2017, equation 1. Rows are the positions of a sequence; in an array
    (sequences, positions, features) each sequence attends to itself alone. ``inputs`` is the number
    of features n, ``size`` the number d of columns of Q, K and V.

    Raises TypeError or OptionProblem for a size that is no positive whole number.

    >>> Attention(3, 2, seed=0).propagate(np.zeros((4, 5, 3))).shape
    (4, 5, 2)
    """

    def __init__(self, inputs: int, size: int, seed: int | None = None) -> None:
        shapes = "X: m×n; Q: n×d; K: n×d; V: n×d"
        sizes = {"n": whole_number(inputs, "inputs", 1), "d": whole_number(size, "size", 1)}
        super().__init__(
            "softmax_rows(X*Q*(X*K)'/sqrt(d))*X*V", shapes=shapes, sizes=sizes, seed=seed
        )


class GraphConvolution(Layer):
    """relu(S*X*W) with the normalised adjacency matrix S = D^(-1/2)*(A + I)*D^(-1/2).

    D holds the row sums of A + I on its diagonal (Kipf & Welling 2017, equation 2).

    Arguments:

    * ``adjacency``: A: m×m, numbers; a row of X: m×n is a node of the graph.
    * ``inputs``, ``outputs``: the numbers n and k of columns of X and of W: n×k.
    * ``seed``: that of the first values of W; without it they are those of its place in a network.

    Raises ShapeProblem for what is no square matrix of numbers, TypeError or OptionProblem for a
    size that is no positive whole number.

    >>> GraphConvolution(np.eye(4), 3, 2).propagate(np.ones((4, 3))).shape
    (4, 2)
    """

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
    """A scalar of the output Z and the targets Y, both m×k.

    ``name`` is a name in the table of losses, or an expression in Z and Y. Targets are an array
    like Z, or class numbers from 0. Raises OptionProblem, which names the nearest, for a name that
    the table does not have, and SyntaxProblem for a text that is no expression.

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
        """The loss of outputs and targets, by default those of the last call.

        Raises ShapeProblem for targets that do not fit, or complex numbers.
        """
        z = self.input if x is None else np.asarray(x)
        check_real("the input", z)
        self.targets = (
            self.targets if y is None else as_targets(y, z, -1.0 if self.name == "hinge" else 0.0)
        )
        return super().propagate(z)

    def backpropagate(self, output_diff: Array = None, wanted: bool = True) -> Array:
        """The gradient by the output, times ``output_diff``, by default 1.

        Raises MissingData before the first forward pass.
        """
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
    """The mean of the squared errors.

    >>> float(MSE().propagate(np.array([[1.0, 3.0]]), np.zeros((1, 2))))
    5.0
    """

    def __init__(self) -> None:
        super().__init__("mse")


class CrossEntropy(Loss):
    """The cross entropy of softmax(Z) and the targets, averaged over the samples.

    It is computed from Z itself: finite however large the entries of Z are.

    >>> float(CrossEntropy().propagate(np.array([[0.0, 1000.0]]), np.array([0])))
    1000.0
    """

    def __init__(self) -> None:
        super().__init__("cross_entropy")


class Hinge(Loss):
    """sum(relu(1 - Y.*Z))/m for targets -1 and 1.

    >>> float(Hinge().propagate(np.array([[0.5], [-2.0]]), np.array([[1.0], [-1.0]])))
    0.25
    """

    def __init__(self) -> None:
        super().__init__("hinge")


class L2(Layer):
    """The penalty c/2*norm2(W)^2 of a weight matrix; its gradient is c*W.

    ``strength`` is c. Raises TypeError or OptionProblem for what is no finite number.

    >>> float(L2(0.5).propagate(np.array([[1.0, 2.0]])))
    1.25
    """

    def __init__(self, strength: float) -> None:
        super().__init__(
            "c/2*norm2(W)^2",
            input="W",
            shapes="W: k×n; c: scalar",
            constants={"c": number(strength, "strength")},
        )
