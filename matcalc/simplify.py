"""What a person would write: rules, common factors, and expansion where it cancels.

Works on finished matrix notation, never on the bags between chain and arrange. Bottom up, each node is rewritten by the
rules of :mod:`matcalc.rules`, then by the rearrangements below, each kept only if it makes the expression smaller; the
result is therefore never larger than what came in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from . import expr as ex
from .expr import Expr, postorder
from .expr.blocks import grid
from .expr.parts import is_part
from .functions import BY_NAME
from .rules import Rule, rules_for
from .sizes import SCALAR, UNIT

ROUNDS = 12
EXPAND_LIMIT = 160  # nodes above which products are not multiplied out
FACTOR_LIMIT = 40  # terms above which no common factor is sought
FACTOR_NODES = 1000  # nodes above which none is

_memo: dict[Expr, Expr] = {}
_MEMO_LIMIT = 200_000


def simplify(e: Expr) -> Expr:
    """An equal expression with no more nodes, as a person would write it.

    >>> from matcalc.shapes import typed
    >>> str(simplify(typed("A*x + A'*x", "A: n×n").expr))
    "(A + A')*x"
    """
    if len(_memo) > _MEMO_LIMIT:
        _memo.clear()
    for node in postorder(e, skip=_memo.__contains__):
        if node not in _memo:
            settled = ex.rebuild(node, tuple(_memo.get(a, a) for a in node.args)) if node.args else node
            if settled.head != node.head:
                settled = _inside(settled)
            _memo[node] = settled if settled is not node and settled in _memo else _improve(settled)
            _memo[node] = _memo.get(_memo[node], _memo[node])
    return _memo[e]


def _improve(e: Expr) -> Expr:
    """Rewrite the root until nothing makes it smaller."""
    for _ in range(ROUNDS):
        better = _by_rule(e) or _by_shape(e)
        if better is None or better is e:
            return e
        e = _inside(better)
    return e


def _inside(e: Expr) -> Expr:
    """The arguments of a new node may have become improvable."""
    new = [simplify(a) if a.args else a for a in e.args]
    return e if all(a is b for a, b in zip(new, e.args, strict=True)) else ex.rebuild(e, tuple(new))


def _by_rule(e: Expr) -> Expr | None:
    table = rules_for(e.functions)
    rules: Iterable[Rule] = table.get(e.head, ())
    if e.head == "times":
        rules = (*rules, *table.get("pow", ()))
    for rule in rules:
        better = rule.rewrite(e)
        if better is not None and better is not e and better.count <= e.count:
            return better
    return None


def _by_shape(e: Expr) -> Expr | None:
    for attempt in _ATTEMPTS.get(e.head, ()):
        better = attempt(e)
        if better is not None and better.count < e.count:
            return better
    return None


# ---- matrix products -----------------------------------------------------------------------------------------------------


def _inverse_chain(e: Expr) -> tuple[Expr, ...] | None:
    """The factors of M if ``e`` is inv(M), or inv(M') written inv(M)'."""
    if e.head == "inv":
        m = e.args[0]
    elif e.head == "T" and e.args[0].head == "inv":
        m = ex.transpose(e.args[0].args[0])
    else:
        return None
    return m.args if m.head == "matmul" else (m,)


def _cancel_inverse(e: Expr) -> Expr | None:
    """A*inv(A) is the identity; with square factors, A*inv(B*A) is inv(B)."""
    chain = list(e.args)
    for i, factor in enumerate(chain):
        m = _inverse_chain(factor)
        if m is None:
            continue
        k = len(m)
        identity = ex.eye(factor.shape_[0])
        if tuple(chain[i + 1 : i + 1 + k]) == m:
            return ex.matmul(*chain[:i], identity, *chain[i + 1 + k :])
        if i >= k and tuple(chain[i - k : i]) == m:
            return ex.matmul(*chain[: i - k], identity, *chain[i + 1 :])
        if k > 1 and all(f.shape_[0] == f.shape_[1] for f in m):
            if i and chain[i - 1] is m[-1]:
                return ex.matmul(*chain[: i - 1], ex.call("inv", ex.matmul(*m[:-1])), *chain[i + 1 :])
            if i + 1 < len(chain) and chain[i + 1] is m[0]:
                return ex.matmul(*chain[:i], ex.call("inv", ex.matmul(*m[1:])), *chain[i + 2 :])
    return None


def _part_inside(e: Expr) -> Expr | None:
    """A part of what is made entry by entry is made of parts: exp([x; y])[1:n] is exp(x)."""
    if e.count > EXPAND_LIMIT:
        return None
    for i, (a, b) in enumerate(pairwise(e.args)):
        if (is_part(a) and a.head == "T") or b.head == "part":
            better = ex.matmul(*e.args[:i], _part_of(b, a, 0) if a.head == "T" and is_part(a) else _part_of(a, b, 1), *e.args[i + 2 :])
            if better.count < e.count:
                return better
    return None


def _part_of(e: Expr, part: Expr, axis: int) -> Expr:
    """The rows or columns of an expression that a part takes, as deep as it is made entry by entry."""
    product = ex.matmul(part, e) if axis == 0 else ex.matmul(e, part)
    if e.head not in ("add", "times", "pow") and not (e.head in BY_NAME and BY_NAME[e.head].elementwise):
        return product
    taken = tuple(a if a.shape_[axis] == UNIT else _part_of(a, part, axis) for a in e.args)
    return ex.spread(ex.add(*taken) if e.head == "add" else ex.rebuild(e, taken), product.shape_)


def _cancel_quotient(e: Expr) -> Expr | None:
    """(x./y)'*y is sum(x), whatever product y is."""
    if not e.is_scalar:
        return None
    for i in range(1, len(e.args)):
        left, right = ex.transpose(ex.matmul(*e.args[:i])), ex.matmul(*e.args[i:])
        for x, y in ((left, right), (right, left)):
            if x.head == "times" and (divided := ex.pow_(y, ex.MINUS_ONE)) in x.args:
                return ex.total(ex.spread(ex.times(*(a for a in x.args if a is not divided)), x.shape_))
    return None


def expand(e: Expr) -> Expr:
    """Multiply out sums inside matrix products, as deep as they go."""
    if e.head == "add":
        return ex.add(*map(expand, e.args))
    if e.head == "times" and e.args[0].is_scalar:
        return ex.times(*(a if a.is_scalar else expand(a) for a in e.args))
    if e.head == "T":
        inner = expand(e.args[0])
        return ex.add(*map(ex.transpose, _parts(inner))) if inner.head == "add" else ex.transpose(inner)
    if e.head != "matmul":
        return e
    for i, a in enumerate(e.args):
        inner = a.args[0] if a.head == "T" else a
        if inner.head == "add":
            parts = [ex.transpose(p) if a.head == "T" else p for p in (ex.spread(p, inner.shape_) for p in inner.args)]
            return ex.add(*(expand(_cancelled(ex.matmul(*e.args[:i], p, *e.args[i + 1 :]))) for p in parts))
    return _cancelled(e)


def _parts(e: Expr) -> list[Expr]:
    """The terms of a sum; those that repeat are written out, but for scalars."""
    return [p if p.is_scalar else ex.spread(p, e.shape_) for p in e.args]


def _cancelled(e: Expr) -> Expr:
    """A product, with the inverses in it cancelled."""
    k, core = ex.split(e)
    while core.head == "matmul" and (better := _cancel_inverse(core)) is not None:
        more, core = ex.split(better)
        k *= more
    return ex.scaled(k, core)


def _expand_side(e: Expr) -> Expr | None:
    """Multiply out what stands to the left, or to the right, of a sum, if that cancels."""
    if e.count > EXPAND_LIMIT:
        return None
    for i, a in enumerate(e.args):
        if (a.args[0] if a.head == "T" else a).head != "add":
            continue
        for better in (ex.matmul(expand(ex.matmul(*e.args[: i + 1])), *e.args[i + 1 :]), ex.matmul(*e.args[:i], expand(ex.matmul(*e.args[i:])))):
            if better.count < e.count:
                return better
    return None


# ---- entry-by-entry products ------------------------------------------------------------------------------------------------


def _distribute(e: Expr) -> Expr | None:
    """Multiply one sum out over the other factors."""
    if e.count > EXPAND_LIMIT:
        return None
    for i, a in enumerate(e.args):
        if a.head == "add":
            others = e.args[:i] + e.args[i + 1 :]
            better = ex.add(*(ex.times(*others, p) for p in _parts(a)))
            if better.count < e.count:
                return ex.spread(better, e.shape_)
    return None


# ---- sums ---------------------------------------------------------------------------------------------------------------------


def _content(e: Expr) -> Expr | None:
    """A number that all terms share."""
    sizes = {abs(ex.split(a)[0]) for a in e.args}
    if len(sizes) != 1 or (k := sizes.pop()) == 1:
        return None
    if any(a.head == "num" for a in e.args):
        return None
    return ex.times(ex.num(k), ex.add(*(ex.scaled(1 / k, a) for a in e.args)))


def _one_diagonal(e: Expr) -> Expr | None:
    """diag(x) + diag(y) is diag(x + y), and the identity is diag(1)."""
    parts = [(a, scalars, body) for a in e.args for scalars, body in [_scalars_and_array(a)]]
    diagonals = [ex.times(*scalars, body.args[0] if body.args else ex.ONE) for _, scalars, body in parts if body.head in ("diag", "eye")]
    if len(diagonals) < 2:
        return None
    others = [a for a, _, body in parts if body.head not in ("diag", "eye")]
    return ex.add(*others, ex.call("diag", ex.spread(ex.add(*diagonals), (e.shape_[0], UNIT))))


def _scalars_and_array(e: Expr) -> tuple[tuple[Expr, ...], Expr]:
    """The scalar factors of a term, and the rest."""
    if e.head != "times":
        return (), e
    return tuple(a for a in e.args if a.is_scalar), ex.times(*(a for a in e.args if not a.is_scalar))


def _multiplied_out(e: Expr) -> Expr | None:
    """Every product that holds a sum, multiplied out; kept where terms cancel."""
    if e.count > EXPAND_LIMIT:
        return None
    flat = [p for a in e.args for p in _products_of_sums(a)]
    return ex.spread(ex.add(*flat), e.shape_) if len(flat) > len(e.args) else None


def _products_of_sums(e: Expr) -> list[Expr]:
    """The terms of a product multiplied out entry by entry and along matrix products."""
    k, core = ex.split(e)
    if core.head == "matmul":
        core = expand(core)
        return [ex.scaled(k, p) for p in (core.args if core.head == "add" else (core,))]
    if core.head != "times":
        return [e]
    parts: list[list[Expr]] = [[]]
    for f in core.args:
        options = _parts(f) if f.head == "add" else [f]
        parts = [[*done, option] for done in parts for option in options]
        if len(parts) > 64:
            return [e]
    return [ex.spread(ex.times(ex.num(k), *p), core.shape_) if core.is_scalar else ex.times(ex.num(k), ex.ones(core.shape_), *p) for p in parts]


@dataclass(frozen=True, slots=True)
class _Reading:
    """One term of a sum, taken apart: number, scalars, and entry-by-entry factors or a chain."""

    coefficient: Fraction
    scalars: tuple[Expr, ...]
    arrays: tuple[Expr, ...]
    chain: tuple[Expr, ...]

    def value(self, scalars: tuple[Expr, ...], arrays: tuple[Expr, ...], chain: tuple[Expr, ...]) -> Expr:
        return ex.times(ex.num(self.coefficient), *scalars, *arrays, *([ex.matmul(*chain)] if chain else []))


_Side = Callable[[_Reading], Iterator[tuple[Expr, Expr]]]


def _readings(e: Expr) -> list[_Reading]:
    """A term taken apart; (u'*x)*v may also be read v*u'*x."""
    coefficient, core = ex.split(e)
    parts = core.args if core.head == "times" else () if core is ex.ONE else (core,)
    scalars = tuple(p for p in parts if p.is_scalar and p.head != "matmul")
    inner = tuple(p for p in parts if p.is_scalar and p.head == "matmul")
    arrays = tuple(p for p in parts if not p.is_scalar)
    chain = arrays[0].args if len(arrays) == 1 and arrays[0].head == "matmul" else arrays if len(arrays) == 1 else ()
    rest = () if chain else arrays
    if not arrays and len(inner) == 1:
        return [_Reading(coefficient, scalars, (), inner[0].args), _Reading(coefficient, scalars + inner, (), ())]
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


def _common_factor(e: Expr) -> Expr | None:
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
            if len(places) < len(e.args) and any(ex.split(rest)[1].head == "matmul" for rest in places.values()):
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
    """Whether it is a part of the identity, or a product of such."""
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
        yield from ((base, r.value((*r.scalars[:i], *more, *r.scalars[i + 1 :]), r.arrays, r.chain)) for base, more in _lower(s))


def _off_array(r: _Reading) -> Iterator[tuple[Expr, Expr]]:
    arrays = r.arrays or ((ex.matmul(*r.chain),) if r.chain and not ex.matmul(*r.chain).is_scalar else ())
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


def _over_sum(e: Expr) -> Expr | None:
    """A linear function of a sum, term by term."""
    inner = e.args[0]
    if inner.head != "add" or e.count > EXPAND_LIMIT:
        return None
    return ex.add(*(ex.call(e.head, ex.spread(p, inner.shape_)) for p in inner.args))


def _transposed_content(e: Expr) -> Expr | None:
    return ex.transpose(e.args[0]) if e.args[0].head in ("times", "matmul") else None


_ATTEMPTS: dict[str, tuple[Callable[[Expr], Expr | None], ...]] = {
    "matmul": (_cancel_inverse, _part_inside, _cancel_quotient, _expand_side),
    "times": (_distribute,),
    "add": (_content, _one_diagonal, _common_factor, _multiplied_out),
    "tr": (_over_sum,),
    "sum": (_over_sum,),
    "diagonal": (_over_sum,),
    "T": (_transposed_content,),
}
