"""Networks by the principle: forward expressions are typed, every backward pass is derived.

>>> from matcalc.network import Recursion
>>> print(Recursion([3, 4, 2]).lines[3])
δ(2) = (W(2)'*δ(3)).*step(z(2))
"""

from __future__ import annotations

from .convolution import Conv2d
from .layer import Layer, Sequential
from .layers import (
    L2,
    MSE,
    Activation,
    AffineTransform,
    Attention,
    AveragePool,
    CrossEntropy,
    Dropout,
    Flatten,
    FullyConnected,
    GraphConvolution,
    Hinge,
    LayerNorm,
    Loss,
    MaxPool,
    ReLU,
    Residual,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
)
from .network import Network
from .recursion import Recursion

__all__ = [
    "L2",
    "MSE",
    "Activation",
    "AffineTransform",
    "Attention",
    "AveragePool",
    "Conv2d",
    "CrossEntropy",
    "Dropout",
    "Flatten",
    "FullyConnected",
    "GraphConvolution",
    "Hinge",
    "Layer",
    "LayerNorm",
    "Loss",
    "MaxPool",
    "Network",
    "ReLU",
    "Recursion",
    "Residual",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]
