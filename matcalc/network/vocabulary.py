"""The words of networks: activations and losses, each a forward expression in matcalc's language
and nothing more.

An expression is written twice, for one sample as a column (small letters) and for a batch whose
rows are the samples (capitals). ``z`` are the pre-activations of the last layer, ``y`` the targets,
``k`` their number and ``m`` the samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import OptionProblem, text_of
from ..options import nearest


@dataclass(frozen=True, slots=True)
class Form:
    """One function of a network: for one sample as a column, for a batch as rows, and what it is
    for.

    ``contains`` is the activation that a loss applies to z by itself.
    """

    column: str
    rows: str
    doc: str
    contains: str = ""


ACTIVATIONS: Mapping[str, Form] = {
    "linear": Form("z", "Z", "nothing is done"),
    "sigmoid": Form("sigmoid(z)", "sigmoid(Z)", "1/(1 + exp(-z))"),
    "tanh": Form("tanh(z)", "tanh(Z)", "hyperbolic tangent"),
    "relu": Form("relu(z)", "relu(Z)", "max(z, 0); derivative 0 at 0"),
    "softplus": Form("softplus(z)", "softplus(Z)", "log(1 + exp(z))"),
    "softmax": Form("softmax(z)", "softmax_rows(Z)", "exp(z)/sum(exp(z)) of each sample"),
}
LOSSES: Mapping[str, Form] = {
    "cross_entropy": Form(
        "logsumexp(z) - y'*z",
        "(sum(logsumexp_rows(Z)) - sum(Y.*Z))/m",
        "of softmax(z), from z itself; targets sum to 1",
        "softmax",
    ),
    "mse": Form("norm2(z - y)^2/k", "norm2(Z - Y)^2/(m*k)", "mean of the squared errors"),
    "squared": Form("norm2(z - y)^2/2", "norm2(Z - Y)^2/(2*m)", "half the squared error"),
    "hinge": Form("sum(relu(1 - y.*z))", "sum(relu(1 - Y.*Z))/m", "margin; targets are -1 and 1"),
    "logistic": Form(
        "sum(softplus(z)) - y'*z",
        "(sum(softplus(Z)) - sum(Y.*Z))/m",
        "of sigmoid(z), from z itself; targets are 0 and 1",
        "sigmoid",
    ),
}
SHARES = ("sigmoid", "softmax")  # activations whose outputs are probabilities


def form(table: Mapping[str, Form], name: str, kind: str) -> Form:
    """The row of a table; raises OptionProblem with the nearest name.

    >>> form(LOSSES, "mse", "loss").rows
    'norm2(Z - Y)^2/(m*k)'
    """
    if text_of(name, f"the name of {'an' if kind[0] in 'aeiou' else 'a'} {kind}") not in table:
        raise OptionProblem(
            f"unknown {kind} '{name[:40]}'", nearest(name, table) or f"there are {', '.join(table)}"
        )
    return table[name]


def contains_output(loss: str, output: str) -> bool:
    """Tell if a loss applies the activation of the output by itself, so that it is given z.

    Raises OptionProblem where it applies another one to what are probabilities already.

    >>> contains_output("cross_entropy", "softmax"), contains_output("mse", "softmax")
    (True, False)
    """
    own = LOSSES[loss].contains if loss in LOSSES else ""
    if own and output in SHARES and output != own:
        other = next((n for n, row in LOSSES.items() if row.contains == output), "")
        raise OptionProblem(
            f"{loss} is of {own}(z), and the output is {output} already",
            f"take the loss {other}, or output {own}",
        )
    return own != "" and own == output
