"""What can be proved of an expression from its form: symmetric, positive definite, nonnegative; and its stable equivalents."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from .. import expr as ex
from ..expr import ONE, Expr, split
from ..sizes import UNIT

POSITIVE = frozenset({"positive", "unit", "simplex"})
NONNEGATIVE = frozenset({"onehot", "mask"}) | POSITIVE
POSITIVE_FUNCTIONS = frozenset({"exp", "sigmoid", "softplus", "softmax", "softmax_rows", "cosh"})
SUMS = frozenset({"T", "kron", "matmul", "sum", "vec"})  # of products of entries, without signs
NONNEGATIVE_FUNCTIONS = frozenset({"abs", "relu", "step", "norm2", "norm1"}) | POSITIVE_FUNCTIONS


def symmetric(e: Expr) -> bool:
    """Whether a square matrix equals its transpose."""
    return ex.transpose(e) is e or definite(e) > 0


def positive(e: Expr) -> bool:
    """Whether every entry is above zero."""
    if e.head == "num":
        return e.value > 0
    if e.head == "times":
        return all(map(positive, e.args))
    if e.head == "pow":
        return positive(e.args[0])
    if e.head == "add":
        return all(map(nonnegative, e.args)) and any(map(positive, e.args))
    if e.head in SUMS:
        return all(map(positive, e.args))
    return e.head in ("size", "ones", "pi") or e.head in POSITIVE_FUNCTIONS or bool(POSITIVE.intersection(e.properties))


def nonnegative(e: Expr) -> bool:
    """Whether no entry is below zero."""
    if positive(e) or e.head in NONNEGATIVE_FUNCTIONS or NONNEGATIVE.intersection(e.properties):
        return True
    if e.head == "pow":
        k = e.args[1]
        return k.head == "num" and k.value > 0 and (nonnegative(e.args[0]) or (k.value.denominator == 1 and k.value % 2 == 0))
    if e.head == "times":
        return all(map(nonnegative, e.args))
    return e.head == "add" and (all(map(nonnegative, e.args)) or _complement(e))


def _complement(e: Expr) -> bool:
    """One minus something that is between 0 and 1."""
    terms = [split(a) for a in e.args]
    return len(terms) == 2 and (Fraction(1), ONE) in terms and any(k == -1 and c.head in ("sigmoid", "softmax", "step") for k, c in terms)


def definite(e: Expr) -> int:
    """2 for a matrix that is symmetric and positive definite, 1 for one that is so or singular, 0 where nothing is known."""
    if "spd" in e.properties or e.head == "eye":
        return 2
    if e.head == "add":
        found = [definite(a) for a in e.args]
        return max(found) if all(found) else 0
    if e.head == "times" and all(a.is_scalar for a in e.args[:-1]):
        return definite(e.args[-1]) if all(map(positive, e.args[:-1])) else bool(definite(e.args[-1])) and all(map(nonnegative, e.args[:-1]))
    if e.head == "diag":
        return 2 if positive(e.args[0]) else int(nonnegative(e.args[0]))
    if e.head == "inv":
        return definite(e.args[0])
    return _sandwich(e) if e.head == "matmul" else 0


def _sandwich(e: Expr) -> int:
    """Y'*Y and Y'*S*Y."""
    chain = e.args
    half = len(chain) // 2
    mirrored = all(ex.transpose(a) is b for a, b in zip(chain[:half], reversed(chain), strict=False))
    return int(mirrored and (len(chain) % 2 == 0 or definite(chain[half]) > 0))


# ---- stable forms ---------------------------------------------------------------------------------------------------------


def stable(e: Expr) -> Expr:
    """An expression of the same value that loses no digits where the plain one does, or the expression itself."""
    better = _STABLE.get(e.head)
    return e if better is None else better(e)


def _stable_log(e: Expr) -> Expr:
    x = e.args[0]
    if x.head == "sigmoid":
        return ex.neg(ex.call("softplus", ex.neg(x.args[0])))
    if x.head == "softmax":
        return ex.call("logsoftmax", x.args[0])
    if x.head == "sum" and x.args[0].head == "exp" and UNIT in x.args[0].shape_:
        return ex.call("logsumexp", x.args[0].args[0])
    if x.head == "det" and definite(x.args[0]):
        return ex.call("logdet", x.args[0])
    if x.head != "add" or ONE not in x.args:
        return e
    rest = ex.add(*(a for a in x.args if a is not ONE))
    if rest.shape_ != x.shape_:
        return e
    return ex.call("softplus", rest.args[0]) if rest.head == "exp" else ex.call("log1p", rest)


def _stable_log1p(e: Expr) -> Expr:
    x = e.args[0]
    return ex.call("softplus", x.args[0]) if x.head == "exp" else e


def _stable_sum(e: Expr) -> Expr:
    """1 - sigmoid(x) is sigmoid(-x); exp(x) - 1 is expm1(x)."""
    if len(e.args) != 2:
        return e
    (k, x), (c, y) = sorted(map(split, e.args), key=lambda term: term[1] is ONE)
    if y is ONE and k == 1 and c == -1 and x.head == "exp":
        return ex.call("expm1", x.args[0])
    return e


def _stable_product(e: Expr) -> Expr:
    """exp(x)/sum(exp(x)) is softmax(x)."""
    for a in e.args:
        if a.head == "exp" and a.shape_[1] == UNIT and not a.is_scalar:
            whole = ex.pow_(ex.call("sum", a), ex.MINUS_ONE)
            if whole in e.args:
                return ex.times(*(b for b in e.args if b is not a and b is not whole), ex.call("softmax", a.args[0]))
    return e


_STABLE: dict[str, Callable[[Expr], Expr]] = {"log": _stable_log, "log1p": _stable_log1p, "add": _stable_sum, "times": _stable_product}
