"""matcalc: the gradient of a matrix expression, derived, explained and verified.

>>> import matcalc as mc
>>> d = mc.derive("norm2(X*w - y)^2", "w")
>>> print(d.gradient)
2*X'*(X*w - y)
>>> d.verification.ok
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .budget import Limits
    from .build import eye, function, hadamard, matrix, ones, remove_function, scalar, vector, zeros
    from .candidate import check
    from .derivation import Derivation, Derivations, derive, parse
    from .descent import SGD, Adam, GradientDescent
    from .distribution import Distributed, distribute
    from .errors import (
        LimitProblem,
        MatcalcError,
        NameProblem,
        NoMatrixForm,
        NotDifferentiable,
        NotSeparable,
        ShapeProblem,
        SyntaxProblem,
        WrongAnswer,
    )
    from .expr import Expr
    from .index import IndexForm
    from .network import (
        L2,
        MSE,
        Activation,
        AffineTransform,
        Attention,
        AveragePool,
        Conv2d,
        CrossEntropy,
        Dropout,
        Flatten,
        FullyConnected,
        GraphConvolution,
        Hinge,
        Layer,
        LayerNorm,
        Loss,
        MaxPool,
        Network,
        Recursion,
        ReLU,
        Residual,
        Sequential,
        Sigmoid,
        Softmax,
        Softplus,
        Tanh,
    )  # fmt: skip
    from .objective import value_and_grad
    from .optimize import minimize
    from .verify import Verification

__version__ = "0.1.0"

_HOMES = {
    "derive": "derivation", "check": "candidate", "parse": "derivation", "Derivation": "derivation", "Derivations": "derivation",
    "Expr": "expr", "IndexForm": "index", "Verification": "verify",
    "matrix": "build", "vector": "build", "scalar": "build", "hadamard": "build", "eye": "build", "ones": "build", "zeros": "build",
    "function": "build", "remove_function": "build",
    "MatcalcError": "errors", "SyntaxProblem": "errors", "NameProblem": "errors", "ShapeProblem": "errors",
    **dict.fromkeys(["Adam", "GradientDescent", "SGD"], "descent"), "minimize": "optimize", "value_and_grad": "objective",
    **dict.fromkeys([
        "Activation", "AffineTransform", "Attention", "AveragePool", "Conv2d", "CrossEntropy", "Dropout", "Flatten", "FullyConnected",
        "GraphConvolution", "Hinge", "L2", "Layer", "LayerNorm", "Loss", "MSE", "MaxPool", "Network", "ReLU", "Recursion", "Residual",
        "Sequential", "Sigmoid", "Softmax", "Softplus", "Tanh",
    ], "network"),
    **dict.fromkeys(["Distributed", "distribute"], "distribution"),
    "Limits": "budget",
    **dict.fromkeys(["LimitProblem", "NotDifferentiable", "NoMatrixForm", "NotSeparable", "WrongAnswer"], "errors"),
}  # fmt: skip

__all__ = [
    "L2",
    "MSE",
    "SGD",
    "Activation",
    "Adam",
    "AffineTransform",
    "Attention",
    "AveragePool",
    "Conv2d",
    "CrossEntropy",
    "Derivation",
    "Derivations",
    "Distributed",
    "Dropout",
    "Expr",
    "Flatten",
    "FullyConnected",
    "GradientDescent",
    "GraphConvolution",
    "Hinge",
    "IndexForm",
    "Layer",
    "LayerNorm",
    "LimitProblem",
    "Limits",
    "Loss",
    "MatcalcError",
    "MaxPool",
    "NameProblem",
    "Network",
    "NoMatrixForm",
    "NotDifferentiable",
    "NotSeparable",
    "ReLU",
    "Recursion",
    "Residual",
    "Sequential",
    "ShapeProblem",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "SyntaxProblem",
    "Tanh",
    "Verification",
    "WrongAnswer",
    "__version__",
    "check",
    "derive",
    "distribute",
    "eye",
    "function",
    "hadamard",
    "matrix",
    "minimize",
    "ones",
    "parse",
    "remove_function",
    "scalar",
    "value_and_grad",
    "vector",
    "zeros",
]


def __getattr__(name: str) -> Any:
    """Load a public name, or a function of the table (``mc.norm2``), when it is first used."""
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    functions = import_module(".functions", __name__)
    if name in functions.BY_NAME or name in functions.MACROS:
        return import_module(".build", __name__).table_function(name)
    raise AttributeError(f"module 'matcalc' has no attribute '{name}'")


def __dir__() -> list[str]:
    from .functions import BY_NAME, MACROS

    return sorted([*__all__, *BY_NAME, *MACROS])
