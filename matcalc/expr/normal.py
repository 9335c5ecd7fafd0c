"""Normal forms: the constructors of sums, products, powers and transposes.

They flatten, sort, collect like terms and powers, pull scalars out of products and push transposes
towards the leaves, so that equal expressions become the same node. Sums that are smaller than their
terms broadcast, as in ``X + 1``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import pairwise

from ..errors import LimitProblem, ShapeProblem
from ..tables.functions import BY_NAME
from ..tables.properties import names_of
from .mismatch import add_hint, check_product
from .nodes import MINUS_ONE, ONE, ZERO, Expr, commutation, eye, node, num, ones, split, zeros
from .parts import is_part, joined_parts
from .sizes import SCALAR, UNIT, Atom, Shape, Size, Sum, is_row, same, show_shape, unify

SELF_TRANSPOSED = names_of(lambda row: row.transpose == "x")
ANTISYMMETRIC = names_of(lambda row: row.transpose == "-x")
MAX_FACTORS = 2000  # of one product of matrices; simplifying looks at it from each of its cuts
MAX_POWER_BITS = 4096  # of a power of numbers, which is computed exactly
# a sum or product of more parts than this stays whole inside another one, which keeps deep networks
# small
FLAT = 40
TRANSPOSE_LIMIT = 400  # a sum larger than this is transposed as a whole, without looking inside
# in larger functions of unknown sizes, whose transposes are not remembered, no symmetry is sought
UNKNOWN_SIZES_LIMIT = 100


def size_number(size: Size) -> Expr:
    """The length of an axis, as a number."""
    return times(*map(_atom_number, size))


def _atom_number(a: Atom) -> Expr:
    if isinstance(a, int):
        return num(a)
    if isinstance(a, Sum):
        return add(num(a.constant), *(times(num(k), size_number(size)) for size, k in a.terms))
    return node("size", (), a, SCALAR)


def scaled(coefficient: Fraction, e: Expr) -> Expr:
    """A number times an expression."""
    return e if coefficient == 1 else times(num(coefficient), e)


def neg(e: Expr) -> Expr:
    """The expression with the other sign."""
    return times(MINUS_ONE, e)


# ---- sums ----------------------------------------------------------------------------------------


def add(*args: Expr) -> Expr:
    """The sum, with like terms collected; a scalar is added to every entry, a row to every row."""
    if len(args) == 1:
        return args[0]
    shape = broadcast(a.shape_ for a in args)
    coefficients = _coefficients(args)
    _turn_ones_into_number(coefficients, shape)
    terms = [scaled(k, core) for core, k in coefficients.items() if k]
    if not terms:
        return zeros(shape)
    if not any(_fills(t, shape) for t in terms):
        terms[0] = spread(terms[0], shape)
    if len(terms) == 1:
        return terms[0]
    if is_row(shape):
        return transpose(add(*map(transpose, terms)))
    terms.sort(key=_sum_order)
    return _balanced(node("add", tuple(terms), None, shape))


def broadcast(shapes: Iterable[Shape]) -> Shape:
    """The shape that scalars, rows and equal shapes are added to."""
    common = SCALAR
    for shape in shapes:
        if shape not in (SCALAR, common):
            common = shape if common == SCALAR else _shape_of_two(common, shape)
    return common


def _shape_of_two(a: Shape, b: Shape) -> Shape:
    """The shape of a sum of two arrays, equal or one of them a row that is added to every row."""
    a_is_row = a[0] == UNIT != b[0] and b[1] != UNIT
    b_is_row = b[0] == UNIT != a[0] and a[1] != UNIT
    columns_fit = unify(a[1], b[1])
    if not (columns_fit and (a_is_row or b_is_row or unify(a[0], b[0]))):
        raise ShapeProblem(f"cannot add {show_shape(a)} and {show_shape(b)}", add_hint(a, b))
    return b if a_is_row else a


def _coefficients(args: Iterable[Expr]) -> dict[Expr, Fraction]:
    """The number of each term of a sum, like terms together; 0 for terms that cancel."""
    coefficients: dict[Expr, Fraction] = {}
    for k, core in _terms(args):
        if core in coefficients:
            coefficients[core] += k
        elif core.head != "zeros":
            coefficients[core] = k
    return coefficients


def _terms(args: Iterable[Expr]) -> Iterator[tuple[Fraction, Expr]]:
    """The terms of a sum, those of short sums inside it among them, each with its number."""
    for arg in args:
        coefficient, core = split(arg)
        if core.head == "add" and len(core.args) <= FLAT:
            for k, inner in map(split, core.args):
                yield coefficient * k, inner
        elif _is_flat_transposed_sum(core):
            for k, inner in map(split, core.args[0].args):
                yield coefficient * k, transpose(inner)
        else:
            yield coefficient, core


def _is_flat_transposed_sum(e: Expr) -> bool:
    if e.head != "T" or e.args[0].head != "add":
        return False
    return len(e.args[0].args) <= FLAT and not _repeats_rows(e.args[0])


def _turn_ones_into_number(coefficients: dict[Expr, Fraction], shape: Shape) -> None:
    """Beside a term that fills the shape, ones say no more than the number 1: X + 1."""
    full = ones(shape)
    if full is ONE or full not in coefficients:
        return
    if any(k and core is not full and _fills(core, shape) for core, k in coefficients.items()):
        coefficients[ONE] = coefficients.get(ONE, Fraction(0)) + coefficients.pop(full)


def _sum_order(term: Expr) -> tuple[object, ...]:
    """The order of terms: few transposes and large terms first, numbers last."""
    coefficient, core = split(term)
    return (core is ONE, core.transposes - core.count, core.order[1], core.order[2], coefficient)


def _fills(e: Expr, shape: Shape) -> bool:
    """Say if an expression has a shape, as far as unification knows."""
    return e.shape_ == shape or (same(e.shape_[0], shape[0]) and same(e.shape_[1], shape[1]))


def spread(e: Expr, shape: Shape) -> Expr:
    """A scalar, or a row, repeated to fill a shape."""
    if _fills(e, shape):
        return e
    return times(e, ones(shape)) if e.is_scalar else matmul(ones((shape[0], UNIT)), e)


def _balanced(e: Expr) -> Expr:
    """A sum or entry-by-entry product, as the transpose of another where that has fewer of them."""
    if e.transposes == 0 or e.count > TRANSPOSE_LIMIT or UNIT in e.shape_ or _repeats_rows(e):
        return e
    inside = [transpose(a) for a in e.args]
    if sum(a.transposes for a in inside) + 1 < e.transposes:
        return _wrapped(_plain(e.head, inside, e.shape_[::-1]))
    return e


def _plain(head: str, parts: Iterable[Expr], shape: Shape) -> Expr:
    """A sum or an entry-by-entry product of parts in order, as it stands."""
    order = _sum_order if head == "add" else _times_order
    return node(head, tuple(sorted(parts, key=order)), None, shape)


def _repeats_rows(e: Expr) -> bool:
    """Say if a sum adds a row to every row: its transpose cannot be written part by part."""
    return any(a.shape_ not in (e.shape_, SCALAR) for a in e.args)


def negative(e: Expr) -> bool:
    """Say if a sum has more minus than plus, and so reads better with every sign changed."""
    return e.head == "add" and 2 * sum(split(a)[0] < 0 for a in e.args) > len(e.args)


def _negated(e: Expr) -> Expr:
    """A sum with every sign changed."""
    return add(*map(neg, e.args))


# ---- commutative products ------------------------------------------------------------------------


def times(*args: Expr) -> Expr:
    """The commutative product: scalars, and matrices of one shape entry by entry.

    Equal bases merge their powers.
    """
    coefficient, powers, shape = _number_and_powers(args)
    if coefficient == 0:
        return zeros(shape)
    factors = [pow_(base, exponent) for base, exponent in powers.items() if exponent is not ZERO]
    if any(map(_is_flattened, factors)):
        return times(num(coefficient), ones(shape), *factors)
    return _times_node(coefficient, factors, shape)


def _number_and_powers(args: tuple[Expr, ...]) -> tuple[Fraction, dict[Expr, Expr], Shape]:
    """The number in a commutative product, the exponent of each base, and the shape of all."""
    coefficient, shape = Fraction(1), SCALAR
    powers: dict[Expr, Expr] = {}
    for e in _flat_factors(args):
        if e.head == "num":
            coefficient *= e.value
            continue
        if not e.is_scalar and e.shape_ != shape:
            shape = _equal_shape(shape, e.shape_)
        if e.head == "zeros":
            coefficient = Fraction(0)
        elif e.head != "ones":
            base, exponent = e.args if e.head == "pow" else (e, ONE)
            powers[base] = add(powers[base], exponent) if base in powers else exponent
    return coefficient, powers, shape


def _flat_factors(args: tuple[Expr, ...]) -> list[Expr]:
    """The factors, those of short products inside among them; the signs of sums are factors too."""
    factors: list[Expr] = []
    stack = list(reversed(args))
    while stack:
        e = stack.pop()
        if e.head == "times" and len(e.args) <= FLAT:
            stack += reversed(e.args)
        elif e.head == "T" and _is_flattened(e.args[0]):
            stack += map(transpose, reversed(e.args[0].args))
        elif len(args) > 1 and negative(e):
            stack += (_negated(e), MINUS_ONE)
        else:
            factors.append(e)
    return factors


def _is_flattened(e: Expr) -> bool:
    """Say if the factors of an expression are those of the product around it."""
    return e.head == "num" or (e.head == "times" and len(e.args) <= FLAT)


def _equal_shape(a: Shape, b: Shape) -> Shape:
    """The second shape, which must be equal to the first unless that is the shape of a scalar."""
    if a != SCALAR and not (unify(a[0], b[0]) and unify(a[1], b[1])):
        raise ShapeProblem(
            f"entry-by-entry product of {show_shape(a)} and {show_shape(b)}",
            "the shapes must be equal",
        )
    return b


def _times_node(coefficient: Fraction, factors: list[Expr], shape: Shape) -> Expr:
    """The product of a number and of powers of different bases."""
    scalars = [f for f in factors if f.is_scalar]
    arrays = [f for f in factors if not f.is_scalar]
    joined: list[Expr] = []
    for array in _joined_arrays(arrays, shape):
        sign, core = split(array)  # a transpose may have made one
        coefficient *= sign
        joined.append(core)
    return _numbered(coefficient, sorted([*scalars, *joined], key=_times_order), shape)


def _numbered(coefficient: Fraction, factors: list[Expr], shape: Shape) -> Expr:
    """The product of a number and of factors in order; -(a - b) is b - a."""
    if coefficient == -1 and len(factors) == 1 and factors[0].head == "add":
        return _negated(factors[0])
    if coefficient != 1 or not factors:
        factors = [num(coefficient), *factors]
    return factors[0] if len(factors) == 1 else node("times", tuple(factors), None, shape)


def _times_order(e: Expr) -> tuple[object, ...]:
    return (not e.is_scalar, *e.order)


def _joined_arrays(arrays: list[Expr], shape: Shape) -> list[Expr]:
    """The arrays among the factors, as one transposed factor where that takes fewer transposes."""
    if not arrays:
        return [] if shape == SCALAR else [ones(shape)]
    if is_row(shape) and any(a.head != "ones" for a in arrays):
        columns = [transpose(a) for a in arrays]
        if len(arrays) > 1 or split(columns[0])[0] == 1:
            return [transpose(times(*columns))]
    if len(arrays) == 1:
        return arrays
    product = _balanced(_plain("times", arrays, shape))
    return [product] if product.head == "T" else arrays


# ---- powers --------------------------------------------------------------------------------------


def pow_(base: Expr, exponent: Expr) -> Expr:
    """Entry-by-entry power; the base or the exponent may be a scalar."""
    if exponent.head == "num":
        simpler = _power_by_number(base, exponent)
        if simpler is not None:
            return simpler
    if base.head == "ones" or exponent.head == "ones":
        return times(base, ones(exponent.shape_))
    if base.head == "T" and exponent.is_scalar:
        return transpose(pow_(base.args[0], exponent))
    # the product refuses shapes that are not equal
    shape = base.shape_ if exponent.is_scalar else times(base, exponent).shape_
    return node("pow", (base, exponent), None, shape)


def _power_by_number(base: Expr, exponent: Expr) -> Expr | None:
    """A power with a number as exponent, where it is simpler than a power; else None."""
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
        return _power_of_number(base.value, k)
    return _whole_power(base, exponent) if k.denominator == 1 else None


def _whole_power(base: Expr, exponent: Expr) -> Expr | None:
    """A whole power taken inside a product, another power or a negative sum; else None."""
    if base.head == "times":
        return times(*(pow_(a, exponent) for a in base.args))
    if base.head == "pow" and base.args[1].head == "num":
        return pow_(base.args[0], num(base.args[1].value * exponent.value))
    if base.head == "add" and exponent.value % 2 == 0 and split(base.args[0])[0] < 0:
        return pow_(neg(base), exponent)
    return None


def _power_of_number(base: Fraction, k: Fraction) -> Expr:
    if base == 0 and k < 0:
        raise ShapeProblem("division by zero")
    if k.denominator != 1:
        return node("pow", (num(base), num(k)), None, SCALAR)
    bits = max(base.numerator.bit_length(), base.denominator.bit_length()) * abs(k)
    if bits > MAX_POWER_BITS:
        shown = str(base) if base.denominator == 1 else f"({base})"
        raise LimitProblem(
            f"the power {shown}^{k} is too large"[:60], f"numbers stay below 2^{MAX_POWER_BITS}"
        )
    return num(base ** int(k))


# ---- matrix products -----------------------------------------------------------------------------


def matmul(*args: Expr) -> Expr:
    """The matrix product of any number of factors, scalars among them."""
    scalars, chain = _scalars_and_chain(args)
    if not chain:
        return times(*scalars)
    _check_chain(chain)
    if any(e.head == "zeros" for e in chain):
        return times(*scalars, zeros(_shape_of_chain(chain)))
    segments = [_absorbed(segment) for segment in _cut_at_vectors(chain)]
    factors = [e for segment in segments for e in segment]
    if any(map(_is_gathered, factors)):
        return matmul(*scalars, *factors)
    return _product_of_segments(scalars, segments)


def _product_of_segments(scalars: list[Expr], segments: list[list[Expr]]) -> Expr:
    """The product of scalars and of the parts of a chain, of which some are numbers."""
    numbers = [_inner(segment) for segment in segments if _is_number(segment)]
    arrays = [e for segment in segments if not _is_number(segment) for e in segment]
    if not arrays:
        return times(*scalars, *numbers)
    product = _chain_node(_outer_of_ones(arrays))
    return times(*scalars, *numbers, product) if scalars or numbers else product


def _scalars_and_chain(args: Iterable[Expr]) -> tuple[list[Expr], list[Expr]]:
    """The scalars of a product, the signs of sums among them, and its other factors in order."""
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
            more, array = scalars_and_array(e)
            scalars += more
            stack.append(array)
        else:
            factor = _with_fewer_minuses(e)
            if factor is not e:
                scalars.append(MINUS_ONE)
            chain.append(factor)
    return scalars, chain


def _is_gathered(e: Expr) -> bool:
    """Say if a factor is none of a chain of matrices: it has scalars, factors or zeros."""
    return e.is_scalar or e.head in ("matmul", "zeros") or _has_scalars(e)


def _has_scalars(e: Expr) -> bool:
    return e.head == "times" and e.args[0].is_scalar


def _with_fewer_minuses(e: Expr) -> Expr:
    """A sum, transposed or not, with every sign changed where that reads better."""
    if e.head == "T":
        return transpose(_negated(e.args[0])) if negative(e.args[0]) else e
    return _negated(e) if negative(e) else e


def _check_chain(chain: list[Expr]) -> None:
    if len(chain) > MAX_FACTORS:
        raise LimitProblem(f"a product of {len(chain)} matrices", f"the limit is {MAX_FACTORS}")
    for a, b in pairwise(chain):
        check_product(a, b)


def _shape_of_chain(chain: list[Expr]) -> Shape:
    return (chain[0].shape_[0], chain[-1].shape_[1])


def _chain_node(chain: list[Expr]) -> Expr:
    if len(chain) == 1:
        return chain[0]
    return node("matmul", tuple(chain), None, _shape_of_chain(chain))


def _cut_at_vectors(chain: list[Expr]) -> Iterator[list[Expr]]:
    """A chain cut where a column meets a row: every part but the first and the last is a number."""
    start = 0
    for i in range(1, len(chain) + 1):
        if i == len(chain) or chain[i].shape_[0] == UNIT:
            yield chain[start:i]
            start = i


def _is_number(segment: list[Expr]) -> bool:
    return _shape_of_chain(segment) == SCALAR


def _absorbed(segment: list[Expr]) -> list[Expr]:
    """A chain without identities; a diagonal matrix scales its neighbour entry by entry."""
    chain = _without_identities(segment)
    if any(map(is_part, chain)):
        chain = joined_parts(chain)
    while (shorter := _one_diagonal_less(chain)) is not None:
        chain = shorter
    return _without_identities(chain)


def _without_identities(chain: list[Expr]) -> list[Expr]:
    return [e for e in chain if e.head != "eye"] or chain[:1]


def _one_diagonal_less(chain: list[Expr]) -> list[Expr] | None:
    """The chain with the first diagonal matrix multiplied that has a neighbour for it, or None."""
    for i, e in enumerate(chain):
        if e.head == "diag":
            shorter = _scaled_beside(e.args[0], chain[:i], chain[i + 1 :])
            if shorter is not None:
                return shorter
    return None


def _scaled_beside(diagonal: Expr, before: list[Expr], after: list[Expr]) -> list[Expr] | None:
    """The chain where a diagonal matrix meets a column, a row or a diagonal matrix, else None."""
    if after and after[0].shape_[1] == UNIT:
        return [*before, times(diagonal, after[0]), *after[1:]]
    if before and before[-1].shape_[0] == UNIT:
        column = times(diagonal, transpose(before[-1]))
        return [*before[:-1], transpose(column), *after]
    if after and after[0].head == "diag":
        return [*before, diagonal_matrix(times(diagonal, after[0].args[0])), *after[1:]]
    return None


def _inner(segment: list[Expr]) -> Expr:
    """A product that is a number, read in the better of its two directions."""
    if len(segment) == 1:
        return segment[0]
    # 1'*A*1 is sum(A)
    start = 1 if segment[0].head == "ones" else 0
    stop = len(segment) - (1 if segment[-1].head == "ones" else 0)
    if start == stop:
        return size_number(segment[-1].shape_[0])
    if stop - start < len(segment):
        return total(matmul(*segment[start:stop]))
    coefficient, backwards = signs_out(transpose(e) for e in reversed(segment))
    if coefficient == 1:
        return _chain_node(min(segment, backwards, key=_reading_order))
    if backwards == segment:  # x'*K*x is its own negative
        return ZERO
    if _reading_order(segment) <= _reading_order(backwards):
        return _chain_node(segment)
    return scaled(coefficient, _chain_node(backwards))


def _reading_order(chain: list[Expr]) -> tuple[object, ...]:
    return (sum(e.transposes for e in chain), [e.order for e in chain])


def _outer_of_ones(chain: list[Expr]) -> list[Expr]:
    """``ones(m)*ones(n)'`` is ``ones(m,n)``."""
    for i, (a, b) in enumerate(pairwise(chain)):
        if a.head == "ones" == b.head and a.shape_[1] == UNIT:
            return [*chain[:i], ones((a.shape_[0], b.shape_[1])), *chain[i + 2 :]]
    return chain


def scalars_and_array(e: Expr) -> tuple[tuple[Expr, ...], Expr]:
    """The scalar factors of a product, and its other factors as one.

    Anything else is its own array.
    """
    if e.head != "times":
        return (), e
    scalars = tuple(a for a in e.args if a.is_scalar)
    arrays = e.args[len(scalars) :]  # scalars stand first
    if len(arrays) > 1:
        return scalars, node("times", arrays, None, e.shape_)
    return scalars, arrays[0] if arrays else ONE


# ---- transposes ----------------------------------------------------------------------------------


def transpose(e: Expr) -> Expr:
    """The transpose, pushed through products to the leaves."""
    if e.is_scalar:
        return e
    # with unknown sizes it may become another one later
    if e.known_transpose is None or e.has_unknown_sizes:
        e.known_transpose = _TRANSPOSED.get(e.head, _transposed_function)(e)
    return e.known_transpose


def _wrapped(e: Expr) -> Expr:
    """The transpose of an expression as it stands, with the transpose around it."""
    return node("T", (e,), None, e.shape_[::-1])


def _transposed_variable(e: Expr) -> Expr:
    if not SELF_TRANSPOSED.isdisjoint(e.properties):
        return e
    return _wrapped(e) if ANTISYMMETRIC.isdisjoint(e.properties) else neg(e)


def _transposed_commutation(e: Expr) -> Expr:
    rows, cols = e.shape_
    return commutation((cols[0],), (cols[1],)) if len(rows) == 2 else _wrapped(e)


def _transposed_kron(e: Expr) -> Expr:
    coefficient, parts = signs_out(map(transpose, e.args))
    return scaled(coefficient, node("kron", tuple(parts), None, e.shape_[::-1]))


def _transposed_chain(e: Expr) -> Expr:
    coefficient, chain = signs_out(map(transpose, reversed(e.args)))
    return scaled(coefficient, node("matmul", tuple(chain), None, e.shape_[::-1]))


def signs_out(factors: Iterable[Expr]) -> tuple[Fraction, list[Expr]]:
    """The factors of a product without their coefficients, which transposing may have made."""
    total, cores = Fraction(1), list[Expr]()
    for e in factors:
        coefficient, core = split(e)
        if negative(core):
            coefficient, core = -coefficient, neg(core)
        total *= coefficient
        cores.append(core)
    return total, cores


def _transposed_product(e: Expr) -> Expr:
    if not _has_scalars(e):
        return _transposed_parts(e)
    scalars, array = scalars_and_array(e)
    return times(*scalars, transpose(array))


def _transposed_parts(e: Expr) -> Expr:
    """The transpose of a sum or entry-by-entry product, inside it or outside with fewer of them."""
    if e.count > TRANSPOSE_LIMIT or UNIT in e.shape_ or _repeats_rows(e):
        return _wrapped(e)
    parts = [transpose(a) for a in e.args]
    if any(a.head == e.head for a in parts):  # a transpose of a transposed sum: flatten
        return add(*parts) if e.head == "add" else times(*parts)
    inside = _plain(e.head, parts, e.shape_[::-1])
    return inside if inside is e or inside.transposes <= e.transposes + 1 else _wrapped(e)


def _transposed_function(e: Expr) -> Expr:
    """The transpose of a function, which is itself where that is seen from symmetric arguments."""
    limit = UNKNOWN_SIZES_LIMIT if e.has_unknown_sizes else TRANSPOSE_LIMIT
    if _commutes(e) and e.args[0].count <= limit and all(transpose(a) is a for a in e.args):
        return e
    return _wrapped(e)


def _commutes(e: Expr) -> bool:
    """Say if the function of transposed arguments is the transposed function."""
    return e.head == "pow" or (e.head in BY_NAME and BY_NAME[e.head].transpose == "commutes")


def _itself(e: Expr) -> Expr:
    return e


_TRANSPOSED: dict[str, Callable[[Expr], Expr]] = {
    "T": lambda e: e.args[0],
    "var": _transposed_variable,
    "eye": _itself,
    "diag": _itself,
    "ones": lambda e: ones(e.shape_[::-1]),
    "zeros": lambda e: zeros(e.shape_[::-1]),
    "commutation": _transposed_commutation,
    "kron": _transposed_kron,
    "matmul": _transposed_chain,
    "times": _transposed_product,
    "add": _transposed_parts,
}


def plainer(e: Expr) -> Expr:
    """The expression or its transpose, whichever has fewer transposes.

    A row always becomes a column.
    """
    if e.shape_[1] == UNIT or e.count > TRANSPOSE_LIMIT:
        return e
    other = transpose(e)
    if e.shape_[0] == UNIT or e.head == "T" or other.transposes < e.transposes:
        return other
    return e


# ---- sums of entries, diagonal matrices ----------------------------------------------------------


def total(e: Expr) -> Expr:
    """The sum of all entries."""
    if e.is_scalar:
        return e
    if e.head == "zeros":
        return ZERO
    if e.head == "ones":
        return times(*map(size_number, e.shape_))
    if e.head == "matmul" and (simpler := _total_of_product(e.args)) is not None:
        return simpler
    if _has_scalars(e):
        scalars, array = scalars_and_array(e)
        return times(*scalars, total(array))
    upright = plainer(e)
    return node("sum", (e,), None, SCALAR) if upright is e else total(upright)


def _total_of_product(chain: tuple[Expr, ...]) -> Expr | None:
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
    if v.head == "ones":
        return eye(size)
    if v.head == "zeros":
        return zeros((size, size))
    return v if v.is_scalar else node("diag", (v,), None, (size, size))
