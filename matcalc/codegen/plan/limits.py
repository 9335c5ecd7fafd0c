"""Products at the edge of their domain, where a factor is 0 and another infinite: the limit, where
it is finite.

x*log(x) is 0 at 0, the slope w*x^(w - 1) is 0 where w is 0, x/norm2(x) is 0 at 0, which is the
convention for kinks (the least of the subgradients), exp(-x^2)/erfc(x) is 1/erfcx(x), and
det(A)*inv(A) is the adjugate of a singular matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from ... import expr as ex
from ...expr import MINUS_ONE, ONE, Expr
from ...tables.functions import ROWS
from .proven import definite, positive
from .scale import factors

PRODUCTS = ("times", "matmul", "diag", "T")
LOGARITHMS = {row.name: row.weighted for row in ROWS if row.weighted}
NORMS = frozenset(row.name for row in ROWS if row.norm)


def limit(e: Expr) -> Expr | None:
    """A product with its limits, or nothing where it has none."""
    if e.head not in ("times", "matmul"):
        return None
    for rule in (_of_logarithm, _of_logarithms, _slope_of_power, _of_erfc, _of_norm, _adjugate):
        if (better := rule(e)) is not None:
            return better
    return None


# ---- x*log(x) ------------------------------------------------------------------------------------


def _of_logarithm(e: Expr) -> Expr | None:
    """u.*log(v)."""
    if e.head != "times":
        return None
    for logarithm in (a for a in e.args if a.head in LOGARITHMS):
        for other in e.args:
            if (
                other is not logarithm
                and other.shape_ == logarithm.shape_
                and _vanishes(other, logarithm)
            ):
                rest = (a for a in e.args if a is not other and a is not logarithm)
                return ex.times(
                    *rest, ex.call(LOGARITHMS[logarithm.head], other, logarithm.args[0])
                )
    return None


def _of_logarithms(e: Expr) -> Expr | None:
    """u'*log(v)."""
    if e.head != "matmul" or not e.is_scalar or len(e.args) != 2:
        return None
    row, column = ex.transpose(e.args[0]), e.args[1]
    for u, v in ((row, column), (column, row)):
        if v.head in LOGARITHMS and _vanishes(u, v):
            return ex.total(ex.call(LOGARITHMS[v.head], u, v.args[0]))
    return None


def _vanishes(u: Expr, logarithm: Expr) -> bool:
    """Whether u may be 0 where the logarithm is infinite: u is a factor of its argument, or that
    is data as it was typed.
    """
    if u.head == "num" or positive(u):
        return False
    argument = logarithm.args[0]
    return not argument.functions or not {_base(a) for a in factors(u)}.isdisjoint(
        map(_base, factors(argument))
    )


def _base(e: Expr) -> Expr:
    return e.args[0] if e.head == "pow" else e


# ---- w*x^(w - 1) ---------------------------------------------------------------------------------


def _slope_of_power(e: Expr) -> Expr | None:
    if e.head != "times":
        return None
    for power in (a for a in e.args if a.head == "pow" and a.args[1].head != "num"):
        exponent = ex.add(power.args[1], ONE)
        if exponent in e.args:
            rest = (a for a in e.args if a is not power and a is not exponent)
            both = (ex.spread(a, power.shape_) for a in (power.args[0], exponent))
            return ex.times(*rest, ex.call("power_slope", *both))
    return None


# ---- exp(-x^2)/erfc(x) ---------------------------------------------------------------------------


def _of_erfc(e: Expr) -> Expr | None:
    """erfc(x) is exp(-x^2)*erfcx(x): taken apart where the exponent meets its opposite."""
    if e.head != "times":
        return None
    exponentials = [a for a in e.args if _base(a).head == "exp"]
    for a in e.args:
        if (
            a.head == "pow"
            and a.args[0].head == "erfc"
            and a.args[1].head == "num"
            and a.args[1].value < 0
        ):
            x, k = a.args[0].args[0], a.args[1]
            for exponential in exponentials:
                u = exponential.args[0]
                u = ex.times(u.args[0], exponential.args[1]) if exponential.head == "pow" else u
                left = ex.add(u, ex.times(ex.neg(k), ex.pow_(x, ex.num(2))))
                if left.count < u.count:
                    rest = (b for b in e.args if b is not a and b is not exponential)
                    outside = (
                        ONE if left is ex.ZERO or left.head == "zeros" else ex.call("exp", left)
                    )
                    scaled = ex.pow_(ex.call("erfcx", x), k)
                    return ex.spread(ex.times(*rest, outside, scaled), e.shape_)
    return None


# ---- x/norm2(x) ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Norm:
    """What is 0 only where all of its leaves are, and as small as they are to the power of the
    degree.
    """

    leaves: frozenset[Expr]
    degree: Fraction


def norm(e: Expr) -> Norm | None:
    """How an expression is a norm: norm2(x), sum(abs(x).^3)^(1/3), ((X.^2)*ones(n)).^(1/2)."""
    if e.head in NORMS:
        return Norm(frozenset(e.args), Fraction(1))
    if e.head == "sum":
        return norm(e.args[0])
    if e.head == "pow" and e.args[1].head == "num" and e.args[1].value > 0:
        base, k = e.args[0], e.args[1].value
        inside = norm(base)
        if inside is not None:
            return Norm(inside.leaves, inside.degree * k)
        return Norm(frozenset({base}), k) if k.denominator == 1 and k % 2 == 0 else None
    if e.head == "add":
        terms = [norm(core) for k, core in map(ex.split, e.args) if k > 0]
        return _joined(terms) if len(terms) == len(e.args) else None
    if e.head == "matmul" and len(e.args) == 2:
        a, b = e.args
        if a.head == "ones" or b.head == "ones":
            return norm(b if a.head == "ones" else a)
        return Norm(frozenset({b}), Fraction(2)) if ex.transpose(a) is b and e.is_scalar else None
    return None


def _joined(terms: list[Norm | None]) -> Norm | None:
    """The norm of terms of one degree."""
    known = [t for t in terms if t is not None]
    if len(known) < len(terms) or len({t.degree for t in known}) != 1:
        return None
    return Norm(frozenset().union(*(t.leaves for t in known)), known[0].degree)


def _of_norm(e: Expr) -> Expr | None:
    """A quotient by a norm, of what vanishes as fast as that: 1/norm as 0 where the norm is 0."""
    chain = list(_all_factors(e))
    for quotient in chain:
        if quotient.head != "pow" or quotient.args[1].head != "num" or quotient.args[1].value > 0:
            continue
        base, k = quotient.args[0], -quotient.args[1].value
        size = norm(ex.pow_(base, ex.num(k)))
        if size is not None and _vanishing(chain, size.leaves) >= size.degree:
            safe = ex.call("reciprocal", ex.pow_(base, ex.num(k)))
            return _with(e, quotient, safe)
    return None


def _vanishing(chain: list[Expr], leaves: frozenset[Expr]) -> Fraction:
    """How fast factors vanish with some leaves: the sum of the degrees of those that do.

    Less than 0 where none does.
    """
    known = leaves | {ex.transpose(x) for x in leaves}
    known |= {ex.neg(x) for x in known}
    degrees = [d for f in chain if (d := _degree(f, known)) is not None]
    return sum(degrees, Fraction(0)) if degrees else Fraction(-1)


def _degree(f: Expr, leaves: frozenset[Expr]) -> Fraction | None:
    if f in leaves or (f.head == "abs" and f.args[0] in leaves):
        return Fraction(1)
    if f.head == "sign" and f.args[0] in leaves:
        return Fraction(0)
    if f.head == "pow" and f.args[1].head == "num" and f.args[1].value > 0:
        inside = _degree(f.args[0], leaves)
        return None if inside is None else inside * f.args[1].value
    return None


def _all_factors(e: Expr) -> Iterator[Expr]:
    """The factors of a product, of products in it, of diagonal matrices and transposes.

    And these themselves.
    """
    yield e
    for a in e.args if e.head in PRODUCTS else ():
        yield from _all_factors(a)


# ---- det(A)*inv(A) -------------------------------------------------------------------------------


def _adjugate(e: Expr) -> Expr | None:
    """One power of det(A) and an inv(A), wherever it stands in the product."""
    if e.head != "times":
        return None
    for a in e.args:
        base, k = (a.args[0], a.args[1]) if a.head == "pow" else (a, ONE)
        if base.head != "det" or k.head != "num" or k.value < 1 or definite(base.args[0]) == 2:
            continue
        rest = [b for b in e.args if b is not a]
        for matrix, others in _by_factors(base.args[0]):
            inverse, cofactors = ex.call("inv", matrix), ex.call("adjugate", matrix)
            for old, new in (
                (inverse, cofactors),
                (ex.transpose(inverse), ex.transpose(cofactors)),
            ):
                if any(old in _all_factors(b) for b in rest):
                    fewer = ex.pow_(base, ex.add(k, MINUS_ONE))
                    return ex.times(fewer, *others, *(_with(b, old, new) for b in rest))
    return None


def _by_factors(x: Expr) -> Iterator[tuple[Expr, list[Expr]]]:
    """A matrix, and each square factor of a product beside the determinants of the others."""
    yield x, []
    if x.head == "matmul" and all(a.shape_[0] == a.shape_[1] for a in x.args):
        for i, a in enumerate(x.args):
            yield a, [ex.call("det", b) for k, b in enumerate(x.args) if k != i]


def _with(e: Expr, old: Expr, new: Expr) -> Expr:
    """The product with one factor changed."""
    if e is old:
        return new
    if e.head not in PRODUCTS:
        return e
    return ex.spread(ex.rebuild(e, tuple(_with(a, old, new) for a in e.args)), e.shape_)
