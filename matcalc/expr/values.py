"""Calls that are something simpler at arguments of a known form, such as a diagonal matrix.

A value at 1×1 arguments or at a column stands in the table.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from ..errors import LimitProblem, ShapeProblem
from ..tables.functions import BY_NAME
from ..tables.properties import kept_by
from .calls import KNOWN, call, power
from .mismatch import brief
from .nodes import MINUS_ONE, ZERO, Expr, eye, node, num, ones, split, zeros
from .normal import (
    ANTISYMMETRIC,
    MAX_FACTORS,
    add,
    diagonal_matrix,
    matmul,
    neg,
    pow_,
    scalars_and_array,
    scaled,
    signs_out,
    size_number,
    spread,
    times,
    total,
    transpose,
)
from .powers import base_and_exponent, is_whole
from .signatures import result_shape
from .sizes import SCALAR, UNIT, same, show_shape

MAX_EXPONENT = 64
MAX_ORDER = 100  # of polygamma, whose factorials must be numbers of double precision


def _matrix_power(x: Expr, exponent: Expr) -> Expr | None:
    """A product if it can be written out.

    The power of a power, an inverse and a diagonal matrix by simpler ones.
    """
    if not is_whole(exponent):
        raise ShapeProblem(
            "a matrix power needs an integer exponent", "use .^ for the power of each entry"
        )
    if x.is_scalar:
        return pow_(x, exponent)
    k, rest = split(exponent)
    if exponent.head == "num" and abs(k) <= min(MAX_EXPONENT, MAX_FACTORS // x.count):
        return _repeated(x, int(k))
    if x.head == "eye":
        return x
    if x.head == "powm":
        return call("powm", x.args[0], times(x.args[1], exponent))
    if x.head == "diag":
        return diagonal_matrix(pow_(x.args[0], exponent))
    if k < 0 and x.head != "inv":
        return call("powm", call("inv", x), times(num(-k), rest))
    return None


def _repeated(x: Expr, k: int) -> Expr:
    """A power as a product."""
    if k == 0:
        return eye(x.shape_[0])
    return matmul(*[x if k > 0 else call("inv", x)] * abs(k))


def _power_slope(x: Expr, direction: Expr, exponent: Expr) -> Expr | None:
    """The derivative of a power in a direction that commutes with it, a multiple of the identity
    or another power; multiples come out.
    """
    if not is_whole(exponent):
        raise ShapeProblem(
            "a matrix power needs an integer exponent",
            "powm_frechet(X, E, k) is for a whole number k",
        )
    scalars, array = scalars_and_array(direction)
    (base, k), (other, j) = base_and_exponent(x), base_and_exponent(array)
    if array.head == "zeros":
        return direction
    if x.is_scalar:
        return times(exponent, pow_(x, add(exponent, MINUS_ONE)), direction)
    if array.head == "eye":
        other, j = base, ZERO
    if base is other:
        return times(*scalars, exponent, power(base, add(times(k, add(exponent, MINUS_ONE)), j)))
    return times(*scalars, call("powm_frechet", x, array, exponent)) if scalars else None


def _correlated(x: Expr, w: Expr) -> Expr | None:
    """A vector by a number, by one of the same length, and ones by any."""
    _not_longer("corr", w, x)
    if w.is_scalar:
        return times(x, w)
    if x.head == "ones":
        return times(total(w), ones(result_shape(BY_NAME["corr"], (x, w))))
    return matmul(transpose(x), w) if same(x.shape_[0], w.shape_[0]) else None


def _not_longer(name: str, w: Expr, x: Expr) -> None:
    if x.is_scalar and not w.is_scalar:
        raise ShapeProblem(
            f"{name} of a number by a vector", f"{name}(x, w) is for a w that is not longer than x"
        )


def _correlation_matrix(x: Expr, w: Expr) -> Expr | None:
    _not_longer("hankel", w, x)
    if w.is_scalar:
        return x
    return transpose(x) if same(x.shape_[0], w.shape_[0]) else None


def _convolved(x: Expr, w: Expr) -> Expr | None:
    return times(x, w) if x.is_scalar or w.is_scalar else None


def _convolution_matrix(x: Expr, w: Expr) -> Expr | None:
    return times(x, eye(w.shape_[0])) if x.is_scalar else x if w.is_scalar else None


def _of_columns(
    name: str, simple: Callable[[Expr, Expr], Expr | None]
) -> Callable[[Expr, Expr], Expr | None]:
    """A function of two columns, by a simpler one where there is such."""

    def value(x: Expr, w: Expr) -> Expr | None:
        for v in (x, w):
            if len(v.shape_[0]) > 1 or v.shape_[1] != UNIT:
                hint = f"{name} takes two columns, of lengths that are no products"
                raise ShapeProblem(f"{name}({brief(v)}) of {show_shape(v.shape_)}", hint)
        return simple(x, w)

    return value


def _kronecker(x: Expr, w: Expr) -> Expr | None:
    if x.is_scalar or w.is_scalar:
        return times(x, w)
    return eye(x.shape_[0] + w.shape_[0]) if x.head == "eye" == w.head else None


def _larger(x: Expr, w: Expr) -> Expr | None:
    if x.head == "num" == w.head:
        return max(x, w, key=lambda e: e.value)
    return x if x is w else call("relu", spread(x, w.shape_)) if _is_zero(w) else None


def _smaller(x: Expr, w: Expr) -> Expr | None:
    if x.head == "num" == w.head:
        return min(x, w, key=lambda e: e.value)
    return x if x is w else neg(call("relu", neg(spread(w, x.shape_)))) if _is_zero(x) else None


def _is_zero(e: Expr) -> bool:
    return e is ZERO or e.head == "zeros"


def _polygamma(k: Expr, _: Expr) -> None:
    if k.head != "num" or k.value.denominator != 1 or k.value < 0:
        raise ShapeProblem(f"polygamma of the order {brief(k)}", "the order is a number 0, 1, 2, …")
    if k.value > MAX_ORDER:
        raise LimitProblem(f"polygamma of the order {brief(k)}", f"the limit is {MAX_ORDER}")


def _trace(x: Expr) -> Expr | None:
    if x.head == "eye":
        return size_number(x.shape_[0])
    if not ANTISYMMETRIC.isdisjoint(x.properties):
        return ZERO
    return _cycle(x) if x.head == "matmul" else _without_scalars("tr", x)


def _diagonal(x: Expr) -> Expr | None:
    if x.head == "diag":
        return x.args[0]
    if not ANTISYMMETRIC.isdisjoint(x.properties):
        return zeros((x.shape_[0], UNIT))
    return ones((x.shape_[0], UNIT)) if x.head == "eye" else _without_scalars("diagonal", x)


def _triangle(name: str, x: Expr) -> Expr | None:
    if x.head in ("eye", "diag", "zeros") or kept_by(f"{name}(x)").intersection(x.properties):
        return x
    return _without_scalars(name, x)


def _without_scalars(name: str, x: Expr) -> Expr | None:
    """A linear function of a multiple."""
    if x.head != "times" or not x.args[0].is_scalar:
        return None
    scalars, array = scalars_and_array(x)
    return times(*scalars, call(name, array))


def _cycle(product: Expr) -> Expr:
    """The trace of a product, which may begin anywhere and run backwards: the way with the
    fewest transposes.
    """
    chain = product.args
    for i, e in enumerate(chain):
        if e.shape_[0] == UNIT:
            return matmul(*chain[i:], *chain[:i])
    turns = {chain[i:] + chain[:i]: Fraction(1) for i in range(len(chain))}
    for turn in list(turns):
        coefficient, backwards = signs_out(transpose(e) for e in reversed(turn))
        if turns.setdefault(tuple(backwards), coefficient) != coefficient:
            return ZERO  # the trace is its own negative
    best = min(turns, key=lambda turn: (sum(e.transposes for e in turn), [e.order for e in turn]))
    shape = (best[0].shape_[0], best[-1].shape_[1])
    trace = node("tr", (node("matmul", best, None, shape),), None, SCALAR)
    return scaled(turns[best], trace)


KNOWN.update(
    {
        "tr": _trace,
        "diagonal": _diagonal,
        "sum": total,
        "polygamma": _polygamma,
        "inv": lambda x: (
            call("powm", call("inv", x.args[0]), x.args[1]) if x.head == "powm" else None
        ),
        "det": lambda x: pow_(call("det", x.args[0]), x.args[1]) if x.head == "powm" else None,
        "logdet": lambda x: (
            times(x.args[1], call("logdet", x.args[0])) if x.head == "powm" else None
        ),
        "powm": _matrix_power,
        "powm_frechet": _power_slope,
        "conv": _of_columns("conv", _convolved),
        "corr": _of_columns("corr", _correlated),
        "convmat": _of_columns("convmat", _convolution_matrix),
        "hankel": _of_columns("hankel", _correlation_matrix),
        "tril": lambda x: _triangle("tril", x),
        "triu": lambda x: _triangle("triu", x),
        "kron": _kronecker,
        "max": _larger,
        "min": _smaller,
    }
)
