"""Operators of the language, and calls of the functions of the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fractions import Fraction

from ..errors import LimitProblem, NameProblem, ShapeProblem
from ..functions import BY_NAME, Row
from ..sizes import SCALAR, UNIT, Shape, Size, Sum, resolve, same, show_shape, total_of, unify
from .algebra import (
    MAX_FACTORS,
    TRANSPOSE_LIMIT,
    add,
    broadcast,
    diagonal_matrix,
    matmul,
    neg,
    plainer,
    pow_,
    scalars_and_array,
    size_number,
    spread,
    times,
    total,
    transpose,
)  # fmt: skip
from .hints import brief
from .nodes import MINUS_ONE, ONE, ZERO, Expr, eye, node, num, ones, postorder, split, zeros
from .powers import base_and_exponent, is_whole

MAX_EXPONENT = 64
MAX_ORDER = 100  # of polygamma, whose factorials must be numbers of double precision


def product(a: Expr, b: Expr) -> Expr:
    """``*``: the matrix product, or a scalar times anything."""
    return times(a, b) if a.is_scalar or b.is_scalar else matmul(a, b)


def divide(a: Expr, b: Expr) -> Expr:
    """``/``: division by a scalar."""
    if not b.is_scalar:
        raise ShapeProblem(f"division by {brief(b)}: {show_shape(b.shape_)}", "use ./ for entries or inv() for matrices")
    return times(a, pow_(b, MINUS_ONE))


def power(base: Expr, exponent: Expr) -> Expr:
    """``^``: a power of a scalar, or an integer power of a square matrix."""
    if base.is_scalar and exponent.is_scalar:
        return pow_(base, exponent)
    if not exponent.is_scalar:
        whole = f"declare {exponent.name}: integer; " if exponent.head == "var" and UNIT not in base.shape_ else ""
        raise ShapeProblem(f"the exponent {brief(exponent)} is not a scalar", f"{whole}A' is the transpose, .^ the entry-by-entry power")
    if base.shape_[1] == UNIT or base.shape_[0] == UNIT:
        raise ShapeProblem(f"{brief(base)} is a vector and has no power", "use .^ for the power of each entry")
    if not unify(*base.shape_):
        raise ShapeProblem(f"power of {brief(base)}: {show_shape(base.shape_)}", "only a square matrix has powers")
    return call("powm", base, exponent)


# ---- calls of functions -----------------------------------------------------------------------------------------------


def call(name: str, *args: Expr, trusted: bool = False) -> Expr:
    """A function of the table applied to arguments.

    Raises NameProblem for a name or a number of arguments that the table does not have, ShapeProblem for a wrong shape, and, unless
    it is ``trusted``, for a matrix that must be symmetric and cannot be seen to be.
    """
    row = BY_NAME.get(name)
    if row is None:
        raise NameProblem(f"unknown function '{name}'")
    if len(args) != row.arity:
        raise NameProblem(f"{row.name} takes {row.arity} argument{'s' * (row.arity > 1)}, not {len(args)}")
    if row.name == "diag":
        return _diag(args[0])
    _check(row, args[0])
    if row.symmetric and not trusted and transpose(args[0]) is not args[0]:
        raise ShapeProblem(f"{name}({brief(args[0])}) of a matrix that may not be symmetric", "declare it symmetric, or take (A + A')/2")
    table = _OF_SCALARS if args[0].is_scalar and row.arity == 1 and row.name in _OF_SCALARS else _KNOWN
    known = table[row.name](*args) if row.name in table else None
    if known is not None:
        return known
    if row.define and row.arity == 1 and args[0].head == "zeros":
        return zeros(result_shape(row, args))
    return _function_node(row, args)


def _matrix_power(x: Expr, exponent: Expr) -> Expr | None:
    """A product if it can be written out; the power of a power, an inverse and a diagonal matrix by simpler ones."""
    k, rest = split(exponent)
    if not is_whole(exponent):
        raise ShapeProblem("a matrix power needs an integer exponent", "use .^ for the power of each entry")
    if x.is_scalar:
        return pow_(x, exponent)
    if exponent.head == "num" and abs(k) <= MAX_EXPONENT and abs(k) * x.count <= MAX_FACTORS:
        return matmul(*[x if k > 0 else call("inv", x)] * abs(int(k))) if k else eye(x.shape_[0])
    if x.head == "powm":
        return call("powm", x.args[0], times(x.args[1], exponent))
    if x.head == "diag":
        return diagonal_matrix(pow_(x.args[0], exponent))
    if k < 0 and x.head != "inv":
        return call("powm", call("inv", x), times(num(-k), rest))
    return x if x.head == "eye" else None


def _power_slope(x: Expr, direction: Expr, exponent: Expr) -> Expr | None:
    """The derivative of a power in a direction that commutes with it, a multiple of the identity or another power; multiples come out."""
    if not is_whole(exponent):
        raise ShapeProblem("a matrix power needs an integer exponent", "powm_frechet(X, E, k) is for a whole number k")
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
        raise ShapeProblem(f"{name} of a number by a vector", f"{name}(x, w) is for a w that is not longer than x")


def _correlation_matrix(x: Expr, w: Expr) -> Expr | None:
    _not_longer("hankel", w, x)
    if w.is_scalar:
        return x
    return transpose(x) if same(x.shape_[0], w.shape_[0]) else None


def _convolved(x: Expr, w: Expr) -> Expr | None:
    return times(x, w) if x.is_scalar or w.is_scalar else None


def _convolution_matrix(x: Expr, w: Expr) -> Expr | None:
    return times(x, eye(w.shape_[0])) if x.is_scalar else x if w.is_scalar else None


def _of_columns(name: str, simple: Callable[[Expr, Expr], Expr | None]) -> Callable[[Expr, Expr], Expr | None]:
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


def _frechet(slope: Callable[[Expr], Expr]) -> Callable[[Expr, Expr], Expr | None]:
    """The derivative of a function of matrices in a direction, at a 1×1 matrix."""
    return lambda x, w: times(slope(x), w) if x.is_scalar and w.is_scalar else None


def _polygamma(k: Expr, _: Expr) -> None:
    if k.head != "num" or k.value.denominator != 1 or k.value < 0:
        raise ShapeProblem(f"polygamma of the order {brief(k)}", "the order is a number 0, 1, 2, …")
    if k.value > MAX_ORDER:
        raise LimitProblem(f"polygamma of the order {brief(k)}", f"the limit is {MAX_ORDER}")


def _check(row: Row, x: Expr) -> None:
    """The shape that a function asks for."""
    name = "diag" if row.name == "diagonal" else row.name
    if row.square and not unify(*x.shape_):
        raise ShapeProblem(f"{name}({brief(x)}) of {show_shape(x.shape_)}", f"{name} needs a square matrix")
    if row.matrix and UNIT in x.shape_ and not x.is_scalar:
        raise ShapeProblem(f"{name}({brief(x)}) of {show_shape(x.shape_)}", f"{name} needs a matrix")
    if row.vector and UNIT not in x.shape_:
        raise ShapeProblem(f"{row.name}({brief(x)}) of {show_shape(x.shape_)} is ambiguous", f"write {row.name}_rows({brief(x)}) for each row")


def _diag(x: Expr) -> Expr:
    """The diagonal matrix of a vector, or the diagonal of a matrix."""
    column = transpose(x) if x.shape_[0] == UNIT else x
    return diagonal_matrix(column) if column.shape_[1] == UNIT else call("diagonal", x)


def _function_node(row: Row, args: tuple[Expr, ...]) -> Expr:
    if row.second:
        return _pair_node(row, args)
    plain = plainer(args[0]) if row.transpose else args[0]
    if plain is not args[0]:
        value = call(row.name, plain, *args[1:])
        return value if row.transpose == "invariant" else transpose(value)
    return node(row.name, args, None, result_shape(row, args))


def _pair_node(row: Row, args: tuple[Expr, ...]) -> Expr:
    """A function of the entries of two arguments, of which one may be a scalar: the transpose of the one of their transposes, if that is plainer."""
    try:
        shape = broadcast(a.shape_ for a in args)
    except ShapeProblem as problem:
        shown = " and ".join(show_shape(a.shape_) for a in args)
        raise ShapeProblem(f"{row.name} of {shown}", problem.hint) from None
    args = tuple(a if a.is_scalar else spread(a, shape) for a in args)
    if shape != SCALAR and sum(a.count for a in args) <= TRANSPOSE_LIMIT:
        flipped = [transpose(a) for a in args]
        transposes = [sum(a.transposes for a in side) for side in (args, flipped)]
        if shape[0] == UNIT != shape[1] or (shape[1] != UNIT and transposes[1] < transposes[0]):
            return transpose(call(row.name, *flipped))
    return node(row.name, args, None, shape)


# ---- values that need no function -----------------------------------------------------------------------------------------


def _trace(x: Expr) -> Expr | None:
    if x.head == "eye":
        return size_number(x.shape_[0])
    return _cycle(x) if x.head == "matmul" else _without_scalars("tr", x)


def _diagonal(x: Expr) -> Expr | None:
    if x.head == "diag":
        return x.args[0]
    return ones((x.shape_[0], UNIT)) if x.head == "eye" else _without_scalars("diagonal", x)


def _triangle(name: str, x: Expr, kept: set[str]) -> Expr | None:
    if x.head in ("eye", "diag", "zeros") or kept.intersection(x.properties):
        return x
    return _without_scalars(name, x)


def _without_scalars(name: str, x: Expr) -> Expr | None:
    """A linear function of a multiple."""
    if x.head != "times" or not x.args[0].is_scalar:
        return None
    scalars, array = scalars_and_array(x)
    return times(*scalars, call(name, array))


def _cycle(product: Expr) -> Expr:
    """The trace of a product, which may begin anywhere and run backwards: the way with the fewest transposes."""
    chain = product.args
    for i, e in enumerate(chain):
        if e.shape_[0] == UNIT:
            return matmul(*chain[i:], *chain[:i])
    turns = [chain[i:] + chain[:i] for i in range(len(chain))]
    turns += [tuple(transpose(e) for e in reversed(turn)) for turn in turns]
    best = min(turns, key=lambda turn: (sum(e.transposes for e in turn), [e.order for e in turn]))
    return node("tr", (node("matmul", best, None, (best[0].shape_[0], best[-1].shape_[1])),), None, SCALAR)


def _reciprocal(x: Expr) -> Expr:
    return pow_(x, MINUS_ONE)


# functions of matrices at a 1×1 matrix
_OF_SCALARS: dict[str, Callable[[Expr], Expr]] = {
    **dict.fromkeys(("tr", "sum", "det", "diagonal", "vec", "tril", "triu", "amax", "amin", "logsumexp", "logsumexp_rows", "eigvals"), lambda x: x),
    **dict.fromkeys(("top", "top_rows"), lambda x: x),
    **dict.fromkeys(("inv", "pinv"), _reciprocal),
    **dict.fromkeys(("norm1", "norm2", "normnuc", "normspec"), lambda x: call("abs", x)),
    **dict.fromkeys(("sqrtm", "chol"), lambda x: pow_(x, num(Fraction(1, 2)))),
    **dict.fromkeys(("polar", "leading"), lambda x: call("sign", x)),
    **dict.fromkeys(("softmax", "softmax_rows", "eigvecs", "ismax"), lambda _: ONE),
    **dict.fromkeys(("logsoftmax", "logsoftmax_rows"), lambda _: ZERO),
    "logdet": lambda x: call("log", call("abs", x)),
    "logm": lambda x: call("log", x),
    "expm": lambda x: call("exp", x),
}
_KNOWN: dict[str, Callable[..., Expr | None]] = {
    "tr": _trace,
    "diagonal": _diagonal,
    "sum": total,
    "polygamma": _polygamma,
    "inv": lambda x: call("powm", call("inv", x.args[0]), x.args[1]) if x.head == "powm" else None,
    "det": lambda x: pow_(call("det", x.args[0]), x.args[1]) if x.head == "powm" else None,
    "logdet": lambda x: times(x.args[1], call("logdet", x.args[0])) if x.head == "powm" else None,
    "powm": _matrix_power,
    "powm_frechet": _power_slope,
    "conv": _of_columns("conv", _convolved),
    "corr": _of_columns("corr", _correlated),
    "convmat": _of_columns("convmat", _convolution_matrix),
    "hankel": _of_columns("hankel", _correlation_matrix),
    "expm_frechet": _frechet(lambda x: call("exp", x)),
    "logm_frechet": _frechet(_reciprocal),
    "sqrtm_frechet": _frechet(lambda x: times(num(Fraction(1, 2)), pow_(x, num(Fraction(-1, 2))))),
    "pinv": lambda x: times(transpose(x), pow_(call("norm2", x), num(-2))) if x.shape_[1] == UNIT else None,
    "softmax_rows": lambda x: ones(x.shape_) if x.shape_[1] == UNIT else None,
    "logsumexp_rows": lambda x: x if x.shape_[1] == UNIT else None,
    "logsoftmax_rows": lambda x: zeros(x.shape_) if x.shape_[1] == UNIT else None,
    "top_rows": lambda x: x if x.shape_[1] == UNIT else None,
    "vec": lambda x: x if x.shape_[1] == UNIT else None,
    "tril": lambda x: _triangle("tril", x, {"lower", "diagonal"}),
    "triu": lambda x: _triangle("triu", x, {"upper", "diagonal"}),
    "kron": _kronecker,
    "max": _larger,
    "min": _smaller,
}


# ---- signatures -----------------------------------------------------------------------------------------------------------


def signature_axes(row: Row) -> tuple[list[list[str]], list[str]]:
    """The letters of each axis: ``ij,kl->(ik)(jl)`` gives [["i", "j"], ["k", "l"]] and ["ik", "jl"]."""
    inputs, output = row.signature.split("->")

    def axes(side: str) -> list[str]:
        out: list[str] = []
        while side:
            stop = side.index(")") if side[0] == "(" else 0
            out.append(side[1:stop] if stop else side[0])
            side = side[stop + 1 :]
        return out

    return [axes(side) for side in inputs.split(",")], axes(output)


def letter_sizes(row: Row, args: tuple[Expr, ...]) -> dict[str, Size]:
    """The size that each letter of the signature has in a call; letters that meet twice are unified."""
    sizes: dict[str, Size] = {"1": UNIT, "3": (3,)}
    spread_out = bool(row.second) and not all(a.is_scalar for a in args)
    for letters, arg in zip(signature_axes(row)[0], args, strict=True):
        if spread_out and arg.is_scalar:
            continue
        for letter, size in zip(letters, arg.shape_, strict=True):
            if letter in sizes and not unify(sizes[letter], size):
                hint = f"it is to be of length {letter}" if letter.isdigit() else ""
                raise ShapeProblem(f"{row.name}({brief(arg)}) of {show_shape(arg.shape_)}", hint)
            sizes[letter] = resolve(size)
    if row.lengths:
        letter, text = row.lengths.split("=")
        terms = re.findall(r"([+-]?)(\w)", text)
        numbers = sum(int(f"{sign}{t}") for sign, t in terms if t.isdigit())
        parts = [(sizes[t], -1 if sign == "-" else 1) for sign, t in terms if not t.isdigit()]
        sizes[letter] = _positive(row, total_of(parts, numbers))
    return sizes


def _positive(row: Row, length: Sum) -> Size:
    if length.is_empty:
        raise ShapeProblem(f"{row.name} of a vector by a longer one", f"its length would be {length}")
    size = length.size()
    if len(size) > 1:
        raise ShapeProblem(f"{row.name} of the length {length}, a product", "lengths of convolutions are names, numbers and sums")
    return size


def result_shape(row: Row, args: tuple[Expr, ...]) -> Shape:
    """The shape of a call, from the signature."""
    sizes = letter_sizes(row, args)
    rows, cols = (tuple(a for letter in axis for a in sizes[letter]) for axis in signature_axes(row)[1])
    return rows, cols


# ---- rebuilding ---------------------------------------------------------------------------------------------------------


def rebuild(e: Expr, args: tuple[Expr, ...]) -> Expr:
    """The same operation on other arguments, in normal form."""
    if e.head == "add":
        out = add(*args)
        return spread(out, e.shape_) if e.shape_ != out.shape_ and not e.unsettled else out
    if e.head in _BUILD:
        return _BUILD[e.head](*args)
    return call(e.head, *args, trusted=True) if e.head in BY_NAME else e


_BUILD: dict[str, Callable[..., Expr]] = {"times": times, "matmul": matmul, "T": transpose, "pow": pow_}


def substitute(e: Expr, leaf: Callable[[Expr], Expr], skip: Callable[[Expr], bool] | None = None) -> Expr:
    """Replace every leaf and rebuild what stands above it; nodes for which ``skip`` holds stay as they are."""
    return substitute_all((e,), leaf, skip)[e]


def substitute_all(roots: Iterable[Expr], leaf: Callable[[Expr], Expr], skip: Callable[[Expr], bool] | None = None) -> dict[Expr, Expr]:
    """Several expressions at once, with the parts that they share rebuilt once."""
    roots = list(roots)
    new: dict[Expr, Expr] = {}
    for part in postorder(*roots, skip=skip):
        new[part] = leaf(part) if not part.args else rebuild(part, tuple(new.get(a, a) for a in part.args))
    return {e: new.get(e, e) for e in roots}
