"""Common factors of sums: A*x + A'*x is (A + A')*x.

Each term is taken apart in every way that has a factor to give, on its left, on its right, among
its scalars or its entry-by-entry factors; the factor that shortens the sum most is taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from .. import expr as ex
from ..budget import spend
from ..expr import Expr
from ..expr.blocks import grid
from ..expr.parts import is_part
from ..expr.sizes import SCALAR, UNIT

FACTOR_LIMIT = 40  # terms above which no common factor is sought
FACTOR_NODES = 1000  # nodes above which none is


@dataclass(frozen=True, slots=True)
class _Reading:
    """One term of a sum, taken apart: number, scalars, and entry-by-entry factors or a chain."""

    coefficient: Fraction
    scalars: tuple[Expr, ...]
    arrays: tuple[Expr, ...]
    chain: tuple[Expr, ...]

    def value(
        self, scalars: tuple[Expr, ...], arrays: tuple[Expr, ...], chain: tuple[Expr, ...]
    ) -> Expr:
        return ex.times(
            ex.num(self.coefficient), *scalars, *arrays, *([ex.matmul(*chain)] if chain else [])
        )


_Side = Callable[[_Reading], Iterator[tuple[Expr, Expr]]]


def _readings(e: Expr) -> list[_Reading]:
    """A term taken apart; (u'*x)*v may also be read v*u'*x."""
    coefficient, core = ex.split(e)
    parts = core.args if core.head == "times" else () if core is ex.ONE else (core,)
    scalars = tuple(p for p in parts if p.is_scalar and p.head != "matmul")
    inner = tuple(p for p in parts if p.is_scalar and p.head == "matmul")
    arrays = tuple(p for p in parts if not p.is_scalar)
    chain = (
        arrays[0].args
        if len(arrays) == 1 and arrays[0].head == "matmul"
        else arrays
        if len(arrays) == 1
        else ()
    )
    rest = () if chain else arrays
    if not arrays and len(inner) == 1:
        return [
            _Reading(coefficient, scalars, (), inner[0].args),
            _Reading(coefficient, scalars + inner, (), ()),
        ]
    out = [_Reading(coefficient, scalars + inner, rest, chain)]
    if len(chain) > 1 and chain[0].head == "diag" and chain[1].shape_[1] != UNIT:
        repeated = ex.matmul(chain[0].args[0], ex.ones((UNIT, chain[-1].shape_[1])))
        out.append(_Reading(coefficient, scalars + inner, (ex.matmul(*chain[1:]), repeated), ()))
    if chain and chain[-1].shape_[1] == UNIT:
        for i, p in enumerate(inner):
            others = scalars + inner[:i] + inner[i + 1 :]
            ways = (p.args, tuple(ex.transpose(a) for a in reversed(p.args)))
            out += [_Reading(coefficient, others, rest, chain + way) for way in ways]
    return out


def common_factor(e: Expr) -> Expr | None:
    """Take out the factor that shortens the sum most."""
    if len(e.args) > FACTOR_LIMIT or e.count > FACTOR_NODES:
        return None
    readings = [_readings(a) for a in e.args]
    plain = _best_factor(e, [r[:1] for r in readings])
    if plain is not None and plain.count < e.count:
        return plain
    return _best_factor(e, readings) if any(len(r) > 1 for r in readings) else None


def _best_factor(e: Expr, read: list[list[_Reading]]) -> Expr | None:
    best: Expr | None = None
    for split_off, join in _SIDES:
        for factor, places in _places(read, split_off):
            spend(len(places))
            if len(places) < len(e.args) and any(
                ex.split(rest)[1].head == "matmul" for rest in places.values()
            ):
                continue  # nobody writes X*(X*A + A*X) + A*X^2
            if all(_of_parts(ex.split(rest)[1]) for rest in places.values()):
                continue  # nor a difference of x[2:n] and x[1:n-1] by parts of the identity
            if is_part(factor) and grid(e) is not None:
                continue  # nor a matrix made of blocks as a column of its rows
            taken = join(factor, places.values())
            if taken is None:
                continue
            candidate = ex.add(taken, *(a for i, a in enumerate(e.args) if i not in places))
            candidate = ex.spread(candidate, e.shape_)
            if best is None or (candidate.count, candidate.order) < (best.count, best.order):
                best = candidate
    return best


def _of_parts(e: Expr) -> bool:
    """Tell if it is a part of the identity, or a product of such."""
    return is_part(e) or (e.head == "matmul" and all(map(is_part, e.args)))


def _places(read: list[list[_Reading]], split_off: _Side) -> Iterator[tuple[Expr, dict[int, Expr]]]:
    """The factors that at least two terms share, with what is left of each of those terms."""
    seen: dict[Expr, dict[int, Expr]] = {}
    for i, readings in enumerate(read):
        for reading in readings:
            for factor, rest in split_off(reading):
                seen.setdefault(factor, {}).setdefault(i, rest)
    return ((factor, places) for factor, places in seen.items() if len(places) > 1)


def _off_scalar(r: _Reading) -> Iterator[tuple[Expr, Expr]]:
    for i, s in enumerate(r.scalars):
        yield from (
            (base, r.value((*r.scalars[:i], *more, *r.scalars[i + 1 :]), r.arrays, r.chain))
            for base, more in _lower(s)
        )


def _off_array(r: _Reading) -> Iterator[tuple[Expr, Expr]]:
    arrays = r.arrays or (
        (ex.matmul(*r.chain),) if r.chain and not ex.matmul(*r.chain).is_scalar else ()
    )
    for i, a in enumerate(arrays):
        for base, more in _lower(a):
            rest = (*arrays[:i], *more, *arrays[i + 1 :])
            yield base, r.value(r.scalars, rest, ())


def _lower(e: Expr) -> Iterator[tuple[Expr, tuple[Expr, ...]]]:
    """The ways to take one factor out of a power: x^3 is x·x^2, 1/x^2 is (1/x)·(1/x)."""
    yield e, ()
    if e.head == "pow" and e.args[1].head == "num" and abs(e.args[1].value) > 1:
        one = e.args[0] if e.args[1].value > 0 else ex.pow_(e.args[0], ex.MINUS_ONE)
        yield one, (ex.times(e, ex.pow_(one, ex.MINUS_ONE)),)


def _off_left(r: _Reading) -> Iterator[tuple[Expr, Expr]]:
    if len(r.chain) > 1:
        yield r.chain[0], r.value(r.scalars, (), r.chain[1:])
    elif r.chain and r.chain[0].shape_[1] != UNIT:
        yield r.chain[0], r.value(r.scalars, (), (ex.eye(r.chain[0].shape_[1]),))


def _off_right(r: _Reading) -> Iterator[tuple[Expr, Expr]]:
    if len(r.chain) > 1:
        yield r.chain[-1], r.value(r.scalars, (), r.chain[:-1])
    elif r.chain and r.chain[0].shape_[0] != UNIT:
        yield r.chain[0], r.value(r.scalars, (), (ex.eye(r.chain[0].shape_[0]),))


def _sum_of_equal_shapes(rests: Iterable[Expr]) -> Expr | None:
    parts = list(rests)
    return ex.add(*parts) if all(p.shape_ == parts[0].shape_ for p in parts) else None


def _join_times(factor: Expr, rests: Iterable[Expr]) -> Expr | None:
    parts = list(rests)
    shapes = {p.shape_ for p in parts} - {SCALAR, factor.shape_}
    if len(shapes) > 1 or (factor.is_scalar and len({p.shape_ for p in parts}) > 1):
        return None
    return ex.times(factor, ex.add(*parts))


def _join_left(factor: Expr, rests: Iterable[Expr]) -> Expr | None:
    inner = _sum_of_equal_shapes(rests)
    return None if inner is None or inner.is_scalar else ex.matmul(factor, inner)


def _join_right(factor: Expr, rests: Iterable[Expr]) -> Expr | None:
    inner = _sum_of_equal_shapes(rests)
    return None if inner is None or inner.is_scalar else ex.matmul(inner, factor)


_SIDES: tuple[tuple[_Side, Callable[[Expr, Iterable[Expr]], Expr | None]], ...] = (
    (_off_right, _join_right),
    (_off_left, _join_left),
    (_off_scalar, _join_times),
    (_off_array, _join_times),
)
