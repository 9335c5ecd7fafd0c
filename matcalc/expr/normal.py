"""Normal forms: the constructors of sums, products, powers and transposes.

They flatten, sort, collect like terms and powers, pull scalars out of products and push transposes
towards the leaves, so that equal expressions become the same node. Sums that are smaller than their
terms broadcast, as in ``X + 1``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import pairwise

from ..errors import LimitProblem, ShapeProblem
from ..tables.functions import BY_NAME
from .mismatch import add_hint, check_product
from .nodes import MINUS_ONE, ONE, ZERO, Expr, commutation, eye, node, num, ones, split, zeros
from .parts import is_part, joined_parts
from .sizes import SCALAR, UNIT, Shape, Size, Sum, same, show_shape, unify

SELF_TRANSPOSED = frozenset({"symmetric", "spd", "diagonal"})
MAX_FACTORS = 2000
# a sum or product of more parts than this stays whole inside another one, which keeps deep networks
# small
FLAT = 40
UNSETTLED_LIMIT = 100
TRANSPOSE_LIMIT = 400  # a sum larger than this is transposed as a whole, without looking inside


def size_number(size: Size) -> Expr:
    """The length of an axis, as a number."""
    return times(
        *(
            num(a)
            if isinstance(a, int)
            else _sum_number(a)
            if isinstance(a, Sum)
            else node("size", (), a, SCALAR)
            for a in size
        )
    )


def _sum_number(a: Sum) -> Expr:
    return add(num(a.constant), *(times(num(k), size_number(size)) for size, k in a.terms))


def scaled(coefficient: Fraction, e: Expr) -> Expr:
    """A number times an expression."""
    return e if coefficient == 1 else times(num(coefficient), e)


def neg(e: Expr) -> Expr:
    return times(MINUS_ONE, e)


# ---- sums ----------------------------------------------------------------------------------------


def broadcast(shapes: Iterable[Shape]) -> Shape:
    """The shape that scalars, rows and equal shapes are added to."""
    out = SCALAR
    for shape in shapes:
        if shape in (SCALAR, out):
            continue
        if out == SCALAR:
            out = shape
            continue
        row_below = shape[0] == UNIT != out[0] and out[1] != UNIT
        row_above = out[0] == UNIT != shape[0] and shape[1] != UNIT
        fits = unify(out[1], shape[1]) and (row_below or row_above or unify(out[0], shape[0]))
        if not fits:
            raise ShapeProblem(
                f"cannot add {show_shape(out)} and {show_shape(shape)}", add_hint(out, shape)
            )
        out = shape if row_above else out
    return out


def _terms(args: Iterable[Expr]) -> Iterator[tuple[Fraction, Expr]]:
    for arg in args:
        coefficient, core = split(arg)
        if core.head == "add" and len(core.args) <= FLAT:
            for k, inner in map(split, core.args):
                yield coefficient * k, inner
        elif (
            core.head == "T"
            and core.args[0].head == "add"
            and len(core.args[0].args) <= FLAT
            and not _repeats_rows(core.args[0])
        ):
            for k, inner in map(split, core.args[0].args):
                yield coefficient * k, transpose(inner)
        else:
            yield coefficient, core


def add(*args: Expr) -> Expr:
    """The sum, with like terms collected; a scalar is added to every entry, a row to every row."""
    if len(args) == 1:
        return args[0]
    shape = broadcast(a.shape_ for a in args)
    total: dict[Expr, Fraction] = {}
    for coefficient, core in _terms(args):
        if core.head != "zeros":
            total[core] = total.get(core, Fraction(0)) + coefficient
    full = ones(shape)
    if (
        full is not ONE
        and full in total
        and any(_fills(c, shape) and k for c, k in total.items() if c is not full)
    ):
        total[ONE] = total.get(ONE, Fraction(0)) + total.pop(full)
    parts = [scaled(k, core) for core, k in total.items() if k]
    if not parts:
        return zeros(shape)
    if not any(_fills(p, shape) for p in parts):
        if len(parts) == 1:
            return spread(parts[0], shape)
        parts = [spread(p, shape) if p is parts[0] else p for p in parts]
    if len(parts) == 1:
        return parts[0]
    if shape[0] == UNIT != shape[1]:
        return transpose(add(*map(transpose, parts)))
    parts.sort(key=_sum_order)
    return _balanced(node("add", tuple(parts), None, shape))


def _sum_order(term: Expr) -> tuple[object, ...]:
    coefficient, core = split(term)
    return (core is ONE, core.transposes - core.count, core.order[1], core.order[2], coefficient)


def _fills(e: Expr, shape: Shape) -> bool:
    """Whether an expression has a shape, as far as unification knows."""
    return e.shape_ == shape or (same(e.shape_[0], shape[0]) and same(e.shape_[1], shape[1]))


def spread(e: Expr, shape: Shape) -> Expr:
    """A scalar, or a row, repeated to fill a shape."""
    if _fills(e, shape):
        return e
    return times(e, ones(shape)) if e.is_scalar else matmul(ones((shape[0], UNIT)), e)


def _balanced(e: Expr) -> Expr:
    """A sum or entry-by-entry product whose parts are mostly transposed is the transpose of the
    plain one.
    """
    if e.transposes == 0 or e.count > TRANSPOSE_LIMIT or UNIT in e.shape_ or _repeats_rows(e):
        return e
    inside = [transpose(a) for a in e.args]
    if sum(a.transposes for a in inside) + 1 < e.transposes:
        return node("T", (_plain(e.head, inside, e.shape_[::-1]),), None, e.shape_)
    return e


def _plain(head: str, parts: Iterable[Expr], shape: Shape) -> Expr:
    """A sum or an entry-by-entry product of parts in order, as it stands."""
    order = _sum_order if head == "add" else _times_order
    return node(head, tuple(sorted(parts, key=order)), None, shape)


def _repeats_rows(e: Expr) -> bool:
    """A sum in which a row is added to every row: its transpose cannot be written part by part."""
    return any(a.shape_ not in (e.shape_, SCALAR) for a in e.args)


# ---- commutative products ------------------------------------------------------------------------


def _times_order(e: Expr) -> tuple[object, ...]:
    return (not e.is_scalar, *e.order)


def times(*args: Expr) -> Expr:
    """The commutative product: scalars, and matrices of one shape entry by entry.

    Equal bases merge their powers.
    """
    coefficient, shape = Fraction(1), SCALAR
    powers: dict[Expr, Expr] = {}
    queue = list(reversed(args))
    while queue:
        e = queue.pop()
        if e.head == "num":
            coefficient *= e.value
            continue
        if not e.is_scalar and e.shape_ != shape:
            if shape != SCALAR and not (
                unify(shape[0], e.shape_[0]) and unify(shape[1], e.shape_[1])
            ):
                raise ShapeProblem(
                    f"entry-by-entry product of {show_shape(shape)} and {show_shape(e.shape_)}",
                    "the shapes must be equal",
                )
            shape = e.shape_
        if e.head == "times" and len(e.args) <= FLAT:
            queue += reversed(e.args)
        elif e.head == "T" and e.args[0].head == "times" and len(e.args[0].args) <= FLAT:
            queue += map(transpose, reversed(e.args[0].args))
        elif len(args) > 1 and negative(e):
            queue += (_flipped(e), MINUS_ONE)
        elif e.head == "zeros":
            coefficient = Fraction(0)
        elif e.head != "ones":
            base, exponent = e.args if e.head == "pow" else (e, ONE)
            powers[base] = add(powers[base], exponent) if base in powers else exponent
    if coefficient == 0:
        return zeros(shape)
    parts = [pow_(base, exponent) for base, exponent in powers.items() if exponent is not ZERO]
    if any(p.head == "num" or (p.head == "times" and len(p.args) <= FLAT) for p in parts):
        return times(num(coefficient), ones(shape), *parts)
    return _times_node(coefficient, parts, shape)


def _times_node(coefficient: Fraction, parts: list[Expr], shape: Shape) -> Expr:
    if shape != SCALAR and all(p.is_scalar for p in parts):
        parts.append(ones(shape))
    arrays = [p for p in parts if not p.is_scalar]
    if shape[0] == UNIT != shape[1] and any(a.head != "ones" for a in arrays):
        scalars = [p for p in parts if p.is_scalar]
        row = transpose(times(*map(transpose, arrays)))
        parts = [*scalars, row]
    elif len(arrays) > 1:
        parts = [p for p in parts if p.is_scalar] + _hadamard(arrays, shape)
    parts.sort(key=_times_order)
    if coefficient != 1 or not parts:
        if len(parts) == 1 and parts[0].head == "add" and coefficient == -1:
            return _flipped(parts[0])
        parts.insert(0, num(coefficient))
    return parts[0] if len(parts) == 1 else node("times", tuple(parts), None, shape)


def _hadamard(arrays: list[Expr], shape: Shape) -> list[Expr]:
    """The factors, or one transposed factor where that takes fewer transposes."""
    arrays.sort(key=_times_order)
    whole = _balanced(node("times", tuple(arrays), None, shape))
    return [whole] if whole.head == "T" else arrays


def pow_(base: Expr, exponent: Expr) -> Expr:
    """Entry-by-entry power; the base or the exponent may be a scalar."""
    if exponent.head == "num":
        k = exponent.value
        if k == 1:
            return base
        if k == 0:
            return ones(base.shape_)
        if base.head == "zeros" and k < 0:
            raise ShapeProblem("division by zero")
        if base.head in ("ones", "zeros"):
            return base
        if base.head == "num":
            return _number_power(base.value, k)
        whole = k.denominator == 1
        if base.head == "times" and whole:
            return times(*(pow_(a, exponent) for a in base.args))
        if base.head == "pow" and base.args[1].head == "num" and whole:
            return pow_(base.args[0], num(base.args[1].value * k))
        if base.head == "add" and whole and k % 2 == 0 and split(base.args[0])[0] < 0:
            return pow_(neg(base), exponent)
    if base.head == "ones" or exponent.head == "ones":
        return times(base, ones(exponent.shape_))
    if base.head == "T" and exponent.is_scalar:
        return transpose(pow_(base.args[0], exponent))
    # the shapes must be equal
    shape = times(base, exponent).shape_ if not exponent.is_scalar else base.shape_
    return node("pow", (base, exponent), None, shape)


def _number_power(base: Fraction, k: Fraction) -> Expr:
    if base == 0 and k < 0:
        raise ShapeProblem("division by zero")
    if k.denominator == 1:
        bits = max(base.numerator.bit_length(), base.denominator.bit_length()) * abs(k)
        if bits > 4096:
            raise LimitProblem(
                f"the power {base}^{k} is too large".replace("/1", "")[:60],
                "numbers stay below 2^4096",
            )
        return num(base ** int(k))
    return node("pow", (num(base), num(k)), None, SCALAR)


# ---- matrix products -----------------------------------------------------------------------------


def matmul(*args: Expr) -> Expr:
    """The matrix product of any number of factors, scalars among them."""
    scalars, chain = _gathered(args)
    if not chain:
        return times(*scalars)
    if len(chain) > MAX_FACTORS:
        raise LimitProblem(f"a product of {len(chain)} matrices", f"the limit is {MAX_FACTORS}")
    for a, b in pairwise(chain):
        check_product(a, b)
    if any(e.head == "zeros" for e in chain):
        return times(*scalars, zeros((chain[0].shape_[0], chain[-1].shape_[1])))
    segments = [_absorb(part) for part in _cut_at_vectors(chain)]
    if any(
        e.is_scalar or e.head in ("matmul", "zeros") or (e.head == "times" and e.args[0].is_scalar)
        for part in segments
        for e in part
    ):
        return matmul(*scalars, *(e for part in segments for e in part))
    pieces: list[Expr] = []
    for part in segments:
        if part[0].shape_[0] == UNIT == part[-1].shape_[1]:
            scalars.append(_inner(part))
        else:
            pieces += part
    if not pieces:
        return times(*scalars)
    joined = _outer_of_ones(pieces)
    body = (
        joined[0]
        if len(joined) == 1
        else node("matmul", tuple(joined), None, (joined[0].shape_[0], joined[-1].shape_[1]))
    )
    return times(*scalars, body) if scalars else body


def _gathered(args: Iterable[Expr]) -> tuple[list[Expr], list[Expr]]:
    """The scalars of a product, and its other factors in order, with the signs of sums among the
    scalars.
    """
    scalars: list[Expr] = []
    chain: list[Expr] = []
    stack = list(args)[::-1]
    while stack:
        e = stack.pop()
        if e.is_scalar:
            scalars.append(e)
        elif e.head == "matmul":
            stack += reversed(e.args)
        elif e.head == "times" and e.args[0].is_scalar:
            scalars += (a for a in e.args if a.is_scalar)
            stack.append(times(*(a for a in e.args if not a.is_scalar)))
        elif negative(e.args[0] if e.head == "T" else e):
            scalars.append(MINUS_ONE)
            chain.append(transpose(_flipped(e.args[0])) if e.head == "T" else _flipped(e))
        else:
            chain.append(e)
    return scalars, chain


def _cut_at_vectors(chain: list[Expr]) -> Iterator[list[Expr]]:
    """A chain cut where a column meets a row: every part but the first and the last is a number."""
    start = 0
    for i in range(1, len(chain) + 1):
        if i == len(chain) or chain[i].shape_[0] == UNIT:
            yield chain[start:i]
            start = i


def negative(e: Expr) -> bool:
    """Whether a sum reads better with every sign changed: it has more minus than plus."""
    return e.head == "add" and 2 * sum(split(a)[0] < 0 for a in e.args) > len(e.args)


def _flipped(e: Expr) -> Expr:
    """A sum with every sign changed."""
    return add(*(neg(a) for a in e.args))


def _absorb(segment: list[Expr]) -> list[Expr]:
    """Drop identities; a diagonal matrix beside a vector is an entry-by-entry product."""
    chain = [e for e in segment if e.head != "eye"] or segment[:1]
    if any(map(is_part, chain)):
        chain = joined_parts(chain)
    changed = True
    while changed and len(chain) > 1:
        changed = False
        for i, e in enumerate(chain):
            if e.head != "diag":
                continue
            if i + 1 < len(chain) and chain[i + 1].shape_[1] == UNIT:
                chain[i : i + 2] = [times(e.args[0], chain[i + 1])]
            elif i and chain[i - 1].shape_[0] == UNIT:
                chain[i - 1 : i + 1] = [transpose(times(e.args[0], transpose(chain[i - 1])))]
            elif i + 1 < len(chain) and chain[i + 1].head == "diag":
                chain[i : i + 2] = [diagonal_matrix(times(e.args[0], chain[i + 1].args[0]))]
            else:
                continue
            changed = True
            break
    return [e for e in chain if e.head != "eye"] or chain[:1]


def _inner(segment: list[Expr]) -> Expr:
    """A product that is a number, read in the better of its two directions."""
    first, last = segment[0], segment[-1]
    if len(segment) == 1:
        return first
    if first.head == "ones" and last.head == "ones" and len(segment) == 2:
        return size_number(last.shape_[0])
    if first.head == "ones":
        return total(matmul(*segment[1:-1]) if last.head == "ones" else matmul(*segment[1:]))
    if last.head == "ones":
        return total(matmul(*segment[:-1]))
    flipped = [transpose(e) for e in reversed(segment)]
    best = min(
        segment,
        flipped,
        key=lambda chain: (sum(e.transposes for e in chain), [e.order for e in chain]),
    )
    return node("matmul", tuple(best), None, SCALAR)


def _outer_of_ones(chain: list[Expr]) -> list[Expr]:
    """``ones(m)*ones(n)'`` is ``ones(m,n)``."""
    for i in range(len(chain) - 1):
        a, b = chain[i : i + 2]
        if a.head == "ones" == b.head and a.shape_[1] == UNIT:
            return [*chain[:i], ones((a.shape_[0], b.shape_[1])), *chain[i + 2 :]]
    return chain


# ---- transposes, sums of entries, diagonal matrices ----------------------------------------------


def transpose(e: Expr) -> Expr:
    """The transpose, pushed through products to the leaves."""
    if e.is_scalar:
        return e
    if e.flipped is None or e.unsettled:
        e.flipped = _transposed(e)
    return e.flipped


def _transposed(e: Expr) -> Expr:
    if e.head == "T":
        return e.args[0]
    if e.head in ("eye", "diag") or SELF_TRANSPOSED.intersection(e.properties):
        return e
    flipped = e.shape_[::-1]
    if e.head == "ones":
        return ones(flipped)
    if e.head == "commutation":
        return (
            commutation((e.shape_[1][0],), (e.shape_[1][1],))
            if len(e.shape_[0]) == 2
            else node("T", (e,), None, flipped)
        )
    if e.head == "kron":
        return node("kron", tuple(map(transpose, e.args)), None, flipped)
    if e.head == "zeros":
        return zeros(flipped)
    if e.head == "matmul":
        return node("matmul", tuple(map(transpose, reversed(e.args))), None, flipped)
    if e.head == "times" and e.args[0].is_scalar:
        scalars, array = scalars_and_array(e)
        return times(*scalars, transpose(array))
    if (
        e.head in ("add", "times")
        and e.count <= TRANSPOSE_LIMIT
        and UNIT not in e.shape_
        and not _repeats_rows(e)
    ):
        return _transposed_parts(e)
    if (
        _commutes(e)
        and e.args[0].count <= _symmetry_limit(e)
        and all(transpose(a) is a for a in e.args)
    ):
        return e
    return node("T", (e,), None, flipped)


def _symmetry_limit(e: Expr) -> int:
    """How large an argument may be in which symmetry is looked for.

    Where sizes are open nothing is remembered, and the look is deep.
    """
    return UNSETTLED_LIMIT if e.unsettled else TRANSPOSE_LIMIT


def scalars_and_array(e: Expr) -> tuple[tuple[Expr, ...], Expr]:
    """The scalar factors of a product, and its other factors as one.

    Anything else is its own array.
    """
    if e.head != "times":
        return (), e
    scalars, arrays = (tuple(a for a in e.args if a.is_scalar is kind) for kind in (True, False))
    array = (
        ONE
        if not arrays
        else arrays[0]
        if len(arrays) == 1
        else node("times", arrays, None, e.shape_)
    )
    return scalars, array


def _transposed_parts(e: Expr) -> Expr:
    """The transpose of a sum or an entry-by-entry product: inside or outside, whichever has
    fewer transposes.
    """
    parts = [transpose(a) for a in e.args]
    if any(a.head == e.head for a in parts):  # a transpose of a transposed sum: flatten
        return add(*parts) if e.head == "add" else times(*parts)
    inside = _plain(e.head, parts, e.shape_[::-1])
    return (
        inside
        if inside is e or inside.transposes <= e.transposes + 1
        else node("T", (e,), None, e.shape_[::-1])
    )


def _commutes(e: Expr) -> bool:
    return e.head == "pow" or (e.head in BY_NAME and BY_NAME[e.head].transpose == "commutes")


def total(e: Expr) -> Expr:
    """The sum of all entries."""
    if e.is_scalar:
        return e
    if e.head == "zeros":
        return ZERO
    if e.head == "ones":
        return times(*map(size_number, e.shape_))
    if e.head == "matmul" and (known := _sum_of_product(e.args)) is not None:
        return known
    if e.head == "times" and e.args[0].is_scalar:
        scalars, array = scalars_and_array(e)
        return times(*scalars, total(array))
    flipped = plainer(e)
    return node("sum", (e,), None, SCALAR) if flipped is e else total(flipped)


def plainer(e: Expr) -> Expr:
    """The expression or its transpose, whichever has fewer transposes.

    A row always becomes a column.
    """
    if e.shape_[1] == UNIT or e.count > TRANSPOSE_LIMIT:
        return e
    flipped = transpose(e)
    return (
        flipped if e.shape_[0] == UNIT or e.head == "T" or flipped.transposes < e.transposes else e
    )


def _sum_of_product(chain: tuple[Expr, ...]) -> Expr | None:
    """sum(1'*A) and sum(A*1) are sum(A); sum(u*v') is sum(u)*sum(v)."""
    for i in range(1, len(chain)):
        if chain[i].shape_[0] == UNIT:
            return times(total(matmul(*chain[:i])), total(matmul(*chain[i:])))
    if chain[0].head == "ones":
        return times(size_number(chain[0].shape_[0]), total(matmul(*chain[1:])))
    if chain[-1].head == "ones":
        return times(size_number(chain[-1].shape_[1]), total(matmul(*chain[:-1])))
    return None


def diagonal_matrix(v: Expr) -> Expr:
    """The diagonal matrix of a column."""
    size = v.shape_[0]
    if v.head in ("ones", "zeros"):
        return eye(size) if v.head == "ones" else zeros((size, size))
    return v if v.is_scalar else node("diag", (v,), None, (size, size))
