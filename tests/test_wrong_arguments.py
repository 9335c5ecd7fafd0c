"""Every public function and class, each of its arguments replaced by wrong ones: only errors of
matcalc, or TypeErrors, come out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from targets import installed

import matcalc as mc
from matcalc.errors import MatcalcError
from matcalc.language.user_functions import USER

X, W, Y = np.eye(3), np.ones(3), np.zeros(3)
DATA = {"X": X, "y": Y}
LOSS = "norm2(X*w - y)^2"

# what is called, and right arguments of it by name
CALLS: dict[str, Mapping[str, Any]] = {
    "parse": {"source": LOSS, "shapes": "X: m×n"},
    "derive": {
        "expr": LOSS,
        "wrt": "w",
        "shapes": "X: m×n",
        "order": 1,
        "layout": "denominator",
        "along": None,
        "symmetric": "gradient",
    },
    "check": {"expr": LOSS, "wrt": "w", "candidate": "2*X'*(X*w - y)", "shapes": "X: m×n"},
    "value_and_grad": {
        "expr": LOSS,
        "wrt": "w",
        "data": DATA,
        "shapes": "X: m×n",
        "start": {"w": W},
    },
    "minimize": {
        "objective": LOSS,
        "wrt": "w",
        "data": DATA,
        "method": "adam",
        "shapes": "X: m×n",
        "start": {"w": W},
        "max_steps": 2,
        "bounds": {"w": (0, 1)},
        "tolerance": 1e-8,
        "rate": 0.1,
        "patience": 3,
    },
    "distribute": {"expr": LOSS, "wrt": "w", "rows": "m", "shapes": "X: m×n", "target": "numpy"},
    "function": {
        "name": "energy",
        "meaning": "sum(x.^2)",
        "signature": "ij->11",
        "rule": "2 x[i,j] dx[i,j]",
    },
    "remove_function": {"name": "nothing"},
    "matrix": {"name": "X", "rows": "m", "columns": "n"},
    "vector": {"name": "x", "size": "n"},
    "scalar": {"name": "a"},
    "eye": {"size": "n"},
    "Network": {
        "layers": "3-2",
        "activation": "relu",
        "loss": "cross_entropy",
        "output": "linear",
        "l2": 0.0,
        "seed": 0,
    },
    "Recursion": {
        "sizes": [3, 2],
        "activation": "relu",
        "loss": "cross_entropy",
        "output": "linear",
        "batch": False,
    },
    "Layer": {"expression": "tanh(W*x + b)", "input": "x", "shapes": "W: m×n; x: n; b: m"},
    "FullyConnected": {"inputs": 3, "outputs": 2, "seed": 0},
    "Attention": {"inputs": 3, "size": 2, "seed": 0},
    "Activation": {"name": "tanh"},
    "Loss": {"name": "mse"},
    "Dropout": {"rate": 0.5, "seed": 0},
    "LayerNorm": {"size": 3, "epsilon": 1e-5},
    "MaxPool": {"kernel": 2, "stride": 2},
    "AveragePool": {"kernel": 2, "stride": 2},
    "Conv2d": {"inputs": 1, "outputs": 2, "kernel": 3, "stride": 1, "padding": 0, "seed": 0},
    "GraphConvolution": {"adjacency": np.eye(3), "inputs": 3, "outputs": 2, "seed": 0},
    "SGD": {"rate": 0.1, "momentum": 0.9},
    "Adam": {"rate": 0.1},
    "GradientDescent": {"rate": 0.1},
    "L2": {"strength": 0.1},
    "Limits": {"seconds": 1.0},
}
# errors, results, and what has no arguments of its own
NOT_CALLED = {
    name
    for name in mc.__all__
    if isinstance(getattr(mc, name), type) and issubclass(getattr(mc, name), MatcalcError)
} | {
    "Derivation",
    "Derivations",
    "Distributed",
    "Expr",
    "IndexForm",
    "Verification",
    "__version__",
    "AffineTransform",
    "CrossEntropy",
    "Hinge",
    "MSE",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "Residual",
    "Sequential",
}
POSITIONAL = {
    "ones": ("m", "n"),
    "zeros": ("m", "n"),
    "hadamard": (mc.vector("x", "n"), mc.vector("y", "n")),
    "Flatten": (2, 3),
}
WRONG: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    3,
    2.5,
    float("nan"),
    float("inf"),
    1j,
    "",
    " ",
    "(((",
    "nothing",
    "x'*",
    "1",
    "w w",
    "'",
    "X: X: X",
    "n×n×n",
    b"w",
    [],
    ["w", "w"],
    [None],
    (),
    {},
    {"w": None},
    {"X": "m×"},
    {1: 2},
    set(),
    object(),
    len,
    np.ones((2, 2)),
    np.array("w"),
    mc.parse("x'*y"),
    mc.vector("w", "k"),
    "\N{REPLACEMENT CHARACTER}",
    "w" * 1000,
    "9" * 50,
    "0",
    "1e999",
    range(3),
    Ellipsis,
)


@pytest.fixture(autouse=True)
def no_function_stays() -> Iterator[None]:
    yield
    for name in list(USER):
        mc.remove_function(name)


def raised(call: Callable[[], object]) -> BaseException | None:
    try:
        call()
    except BaseException as problem:
        return problem
    return None


def is_clear(problem: BaseException | None) -> bool:
    """Nothing was raised, or an error of matcalc or a TypeError that says something, and no
    address of an object.
    """
    if problem is None:
        return True
    return (
        isinstance(problem, (MatcalcError, TypeError))
        and bool(str(problem))
        and " at 0x" not in str(problem)
    )


def shown(value: object) -> str:
    return f"{type(value).__name__} {str(value)[:30]!r}"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CALLS)
def test_wrong_arguments_by_name(name: str) -> None:
    function, right = getattr(mc, name), CALLS[name]
    unclear = []
    for parameter in right:
        for wrong in WRONG:
            problem = raised(lambda arguments={**right, parameter: wrong}: function(**arguments))
            if not is_clear(problem):
                unclear.append(
                    f"{name}({parameter}={shown(wrong)}): {type(problem).__name__}: "
                    f"{str(problem)[:80]}"
                )
            for added in list(USER):
                mc.remove_function(added)
    assert not unclear, "\n".join(unclear)


@pytest.mark.parametrize("name", POSITIONAL)
def test_wrong_positional_arguments(name: str) -> None:
    function, right = getattr(mc, name), POSITIONAL[name]
    unclear = []
    for k in range(len(right)):
        for wrong in WRONG:
            problem = raised(
                lambda arguments=(*right[:k], wrong, *right[k + 1 :]): function(*arguments)
            )
            if not is_clear(problem):
                unclear.append(
                    f"{name}({shown(wrong)}): {type(problem).__name__}: {str(problem)[:80]}"
                )
    assert not unclear, "\n".join(unclear)


def test_every_public_name_is_called() -> None:
    missing = set(mc.__all__) - set(CALLS) - set(POSITIONAL) - NOT_CALLED
    assert not missing, missing


METHODS: dict[str, tuple[Callable[[], Any], Mapping[str, Any]]] = {
    "compile": (lambda: mc.derive(LOSS, "w"), {"target": "numpy", "value": False, "reuse": False}),
    "check": (lambda: mc.derive(LOSS, "w"), {"seed": 1}),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", METHODS)
def test_wrong_arguments_of_methods(name: str) -> None:
    make, right = METHODS[name]
    method = getattr(make(), name)
    unclear = []
    for parameter in right:
        for wrong in WRONG:
            problem = raised(lambda arguments={**right, parameter: wrong}: method(**arguments))
            if not is_clear(problem):
                unclear.append(
                    f"{name}({parameter}={shown(wrong)}): {type(problem).__name__}: "
                    f"{str(problem)[:80]}"
                )
    assert not unclear, "\n".join(unclear)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("argument", ["X", "w", "y"])
@pytest.mark.parametrize("target", installed("numpy", "array_api"))
def test_wrong_arrays(argument: str, target: str) -> None:
    f = mc.derive(LOSS, "w").compile(target)
    unclear = []
    for wrong in WRONG:
        problem = raised(lambda arguments={"X": X, "w": W, "y": Y, argument: wrong}: f(**arguments))
        if not is_clear(problem):
            unclear.append(
                f"{argument}={shown(wrong)}: {type(problem).__name__}: {str(problem)[:80]}"
            )
    assert not unclear, "\n".join(unclear)


ENERGY = {"meaning": "sum(x.^2)", "signature": "ij->11", "rule": "2 x[i,j] dx[i,j]"}


@pytest.mark.parametrize(
    ("parameter", "texts"),
    [
        (
            "signature",
            [
                "ij->12",
                "ij->99",
                "ij->kl",
                "->",
                "ij",
                "ij,->11",
                "\N{LATIN SMALL LETTER E WITH ACUTE}j->11",
            ],
        ),
        ("meaning", ["energy(x)", "sum(energy(x))", "q", "sum(x.^2", "1", "tr(x)"]),
        (
            "rule",
            [
                "2 x[i,j dx[i,j]",
                "x",
                "+",
                "1/0 dx[i,j]",
                "2 x[i] dx[i,j]",
                "2 x[i,j] dw[i,j]",
                "2 x[i,j] dx[i,k]",
            ],
        ),
    ],
)
def test_functions_with_malformed_texts_are_refused(parameter: str, texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(MatcalcError):
            mc.function("energy", **{**ENERGY, parameter: text})
        assert not USER


def test_definitions_that_are_no_numbers_are_refused() -> None:
    sympy = pytest.importorskip("sympy")
    t = sympy.Symbol("t")
    for definition in (
        t > 0,
        sympy.Eq(t, 1),
        sympy.MatrixSymbol("A", 2, 2),
        {t},
        "t^2",
        sympy.Lambda(t, t),
    ):
        problem = raised(lambda definition=definition: mc.function("energy", definition))
        assert problem is not None
        assert is_clear(problem)
        assert "energy" in str(problem)
