"""Larger expressions that people differentiate, by all their parameters: what deriving and
verifying them costs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    """A scalar as typed, the variables that it is derived by, and their shapes."""

    name: str
    expr: str
    wrt: tuple[str, ...]
    shapes: str


def normalized(name: str, of: str, mean: str) -> str:
    """Definitions: `name` is `of` less its mean, over its standard deviation, row by row."""
    centred = f"C{name} = {of} - {of}*{mean}"
    deviations = f"1./sqrt((C{name}.*C{name})*ones(n)/n + e)"
    return f"{centred}; {name} = diag({deviations})*C{name}"


TRANSFORMER = "; ".join(
    (
        normalized("N", "X", "ones(n)*ones(n)'/n"),
        "Z = N*diag(s) + b'",
        "H = X + softmax_rows(Z*Q*(Z*K)'/sqrt(d))*Z*V*O",
        normalized("M", "H", "ones(n)*ones(n)'/n"),
        "norm2(H + gelu((M*diag(t) + c')*A + p')*B + q' - Y)^2",
    )
)
TRANSFORMER_SHAPES = (
    "X: m×n; Y: m×n; Q: n×k; K: n×k; V: n×k; O: k×n; A: n×l; B: l×n; "
    "s: n; b: n; t: n; c: n; p: l; q: n; d: scalar positive; e: scalar positive"
)

LSTM = "; ".join(
    (
        "i = sigmoid(A*x + B*h + p)",
        "f = sigmoid(C*x + D*h + q)",
        "o = sigmoid(E*x + F*h + r)",
        "z = tanh(G*x + H*h + s)",
        "c = f.*w + i.*z",
        "norm2(o.*tanh(c) - y)^2 + norm2(c)^2",
    )
)
LSTM_SHAPES = (
    "A: k×n; C: k×n; E: k×n; G: k×n; B: k×k; D: k×k; F: k×k; H: k×k; "
    "p: k; q: k; r: k; s: k; x: n; h: k; w: k; y: k"
)

# channels are columns, and E[j,g] is 1 where channel j belongs to group g, of l channels each
GROUP_NORM = "; ".join(
    (
        "C = X - X*E*E'/l",
        "V = (C.*C)*E/l + e",
        "norm2((C.*(V*E').^(-0.5))*diag(w) + b' - Y)^2",
    )
)

TRIPLET = "; ".join(
    (
        "A = tanh(X*W + b')",
        "P = tanh(Y*W + b')",
        "N = tanh(Z*W + b')",
        "sum(relu(norm2_rows(A - P) - norm2_rows(A - N) + c))",
    )
)

# one step from the state x with covariance P: prediction, innovation v with covariance S, update
KALMAN_STEP = (
    "m{k} = F*x{j}",
    "M{k} = F*P{j}*F' + Q",
    "S{k} = H*M{k}*H' + R",
    "v{k} = y{k} - H*m{k}",
    "K{k} = M{k}*H'*inv(S{k})",
    "x{k} = m{k} + K{k}*v{k}",
    "P{k} = M{k} - K{k}*H*M{k}",
)


def kalman(steps: int) -> str:
    """Minus twice the log-likelihood of as many observations, without its constant."""
    lines = [line.format(k=k, j=k - 1) for k in range(1, steps + 1) for line in KALMAN_STEP]
    terms = [f"logdet(S{k}) + v{k}'*inv(S{k})*v{k}" for k in range(1, steps + 1)]
    return "; ".join([*lines, " + ".join(terms)])


KALMAN_SHAPES = (
    "F: n×n; H: m×n; Q: n×n spd; R: m×m spd; P0: n×n spd; x0: n; y1: m; y2: m; y3: m; y4: m"
)


def attention(heads: int) -> str:
    """A sum over heads, each with projections of its own."""
    head = "softmax_rows(X*Q{k}*(X*K{k})'/sqrt(d))*X*V{k}*O{k}"
    return f"norm2({' + '.join(head.format(k=k) for k in range(1, heads + 1))} - Y)^2"


def projections(heads: int) -> tuple[str, ...]:
    return tuple(f"{letter}{k}" for k in range(1, heads + 1) for letter in "QKVO")


def attention_shapes(heads: int) -> str:
    shapes = {"Q": "n×k", "K": "n×k", "V": "n×p", "O": "p×n"}
    declared = "; ".join(f"{name}: {shapes[name[0]]}" for name in projections(heads))
    return f"X: m×n; Y: m×n; d: scalar positive; {declared}"


MODELS = (
    Model("transformer block", TRANSFORMER, tuple("QKVOABsbtcpq"), TRANSFORMER_SHAPES),
    Model("LSTM cell", LSTM, tuple("ABCDEFGHpqrs"), LSTM_SHAPES),
    Model(
        "GroupNorm",
        GROUP_NORM,
        ("X", "w", "b"),
        "X: m×n; Y: m×n; E: n×g; w: n; b: n; e: scalar positive; l: scalar positive",
    ),
    Model("triplet loss", TRIPLET, ("W", "b"), "X: m×n; Y: m×n; Z: m×n; W: n×k; b: k; c: scalar"),
    Model("Kalman filter, 4 steps", kalman(4), ("F", "H", "Q", "R", "P0", "x0"), KALMAN_SHAPES),
    Model("attention, 6 heads", attention(6), ("X", *projections(6)), attention_shapes(6)),
)
