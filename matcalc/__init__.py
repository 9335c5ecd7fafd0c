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
    from .api.candidate import check
    from .api.derivation import Derivation, Derivations
    from .api.derive import derive
    from .api.parse import parse
    from .api.symbols import (
        eye,
        function,
        hadamard,
        matrix,
        ones,
        remove_function,
        scalar,
        vector,
        zeros,
    )
    from .budget import Limits
    from .distribution.distributed import Distributed, distribute
    from .errors import (
        LimitProblem,
        MatcalcError,
        MissingData,
        NameProblem,
        NoMatrixForm,
        NotDifferentiable,
        NotSeparable,
        OptionProblem,
        ShapeProblem,
        SyntaxProblem,
        Unsupported,
        WrongAnswer,
    )
    from .expr import Expr
    from .labels.index_form import IndexForm
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
    )
    from .numeric.minimize import minimize
    from .numeric.optimizers import SGD, Adam, GradientDescent
    from .numeric.value_and_grad import value_and_grad
    from .proof.verify import Verification

from .faces import register

__version__ = "0.1.0"

register(
    text="matcalc.printing.show:root_text",
    shown="matcalc.printing.show:shown",
    template="matcalc.language.elaborate:template",
    kronecker="matcalc.calculus.kronecker:kronecker",
    compile="matcalc.codegen:compile_expr",
)

# the public names of each module
_NAMES = {
    "api.candidate": "check",
    "api.derivation": "Derivation Derivations",
    "api.derive": "derive",
    "api.parse": "parse",
    "api.symbols": "eye function hadamard matrix ones remove_function scalar vector zeros",
    "budget": "Limits",
    "distribution.distributed": "Distributed distribute",
    "errors": (
        "LimitProblem MatcalcError MissingData NameProblem NoMatrixForm NotDifferentiable "
        "NotSeparable OptionProblem ShapeProblem SyntaxProblem Unsupported WrongAnswer"
    ),
    "expr": "Expr",
    "labels.index_form": "IndexForm",
    "network": (
        "Activation AffineTransform Attention AveragePool Conv2d CrossEntropy Dropout Flatten "
        "FullyConnected GraphConvolution Hinge L2 Layer LayerNorm Loss MSE MaxPool Network "
        "ReLU Recursion Residual Sequential Sigmoid Softmax Softplus Tanh"
    ),
    "numeric.minimize": "minimize",
    "numeric.optimizers": "Adam GradientDescent SGD",
    "numeric.value_and_grad": "value_and_grad",
    "proof.verify": "Verification",
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names.split()}

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
    "MissingData",
    "NameProblem",
    "Network",
    "NoMatrixForm",
    "NotDifferentiable",
    "NotSeparable",
    "OptionProblem",
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
    "Unsupported",
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
    functions = import_module(".tables.functions", __name__)
    if name in functions.BY_NAME or name in functions.MACROS:
        return import_module(".api.symbols", __name__).table_function(name)
    raise AttributeError(f"module 'matcalc' has no attribute '{name}'")


def __dir__() -> list[str]:
    from .tables.functions import BY_NAME, MACROS

    return sorted([*__all__, *BY_NAME, *MACROS])
