"""Sums of exponentials as exp(t) times a sum of moderate size: t is the largest exponent, and no
exponential overflows.

log(w'*exp(x)) is t + log(w'*exp(x - t)), and exp(x)/(w'*exp(x)) is exp(x - t)/(w'*exp(x - t)), for
t = max(x) over the entries whose weight in w is not 0. The rows of a matrix have a t each. The
determinant of a positive definite matrix is an exponential, too: that of its logdet.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

from ... import expr as ex
from ...expr import MINUS_ONE, ONE, ZERO, Expr
from ...expr.sizes import UNIT, Shape, Size
from ...language.elaborate import template
from ...tables.functions import ROWS
from .proven import definite, positive

LARGEST = 600  # nodes of an expression that is looked into
EXPONENTS = {row.name: row.exponent for row in ROWS if row.exponent}


class Scale:
    """The exponents of expressions, each found once."""

    def __init__(self) -> None:
        self.known: dict[Expr, Expr | None] = {}

    def exponent(self, e: Expr) -> Expr | None:
        """The t for which e is exp(t) times something of moderate size: a number, or one for
        each entry.
        """
        if e.functions.isdisjoint(EXPONENTS) or e.count > LARGEST:
            return None
        for node in ex.postorder(e, skip=self.known.__contains__):
            self.known[node] = self._exponent(node)
        return self.known[e]

    # ---- the rewrites ----------------------------------------------------------------------------

    def log(self, e: Expr) -> Expr | None:
        """log(S) is t + log(S/exp(t))."""
        if e.head != "log" or (t := self.exponent(e.args[0])) is None:
            return None
        if ONE in e.args[0].args and e.args[0].head == "add":
            return ex.add(t, ex.call("log1p", self._beyond_one(e.args[0], t)))
        rest = self.divided(e.args[0], t)
        return t if rest.head in ("num", "ones") else ex.add(t, ex.call("log", rest))

    def _beyond_one(self, e: Expr, t: Expr) -> Expr:
        """(1 + S)/exp(t) - 1, which is S where t is 0."""
        others = (self.divided(a, t) for a in e.args if a is not ONE)
        return ex.spread(ex.add(*others, ex.call("expm1", ex.neg(t))), e.shape_)

    def quotient(self, e: Expr) -> Expr | None:
        """A product with 1/S: what has exponents is divided by exp of them, and the exponents
        are added up.
        """
        if e.head != "times" or not any(map(self._has_reciprocal, e.args)):
            return None
        exponents = [(a, t) for a in e.args if (t := self.exponent(a)) is not None]
        if len(exponents) < 2:
            return None
        total = ex.add(*(t for _, t in exponents))
        others = [a for a in e.args if self.exponent(a) is None]
        moderate = [self.divided(a, t) for a, t in exponents if a.head != "exp"]
        own = ex.add(*(t for a, t in exponents if a.head == "exp"))
        bounded = _bounded(own, total, others)
        outside = ex.call("exp_below", total) if bounded else _exp(total)
        return ex.spread(ex.times(*others, *moderate, outside), e.shape_)

    def rows(self, e: Expr) -> Expr | None:
        """diag(1./S)*E, and E*diag(1./S): the exponents of S are those of the rows, or of the
        columns, of E.
        """
        if e.head != "matmul":
            return None
        for i, v in enumerate(e.args):
            if v.head != "diag" or not any(map(self._is_reciprocal, factors(v.args[0]))):
                continue
            for j in (i + 1, i - 1):
                if 0 <= j < len(e.args) and self.exponent(e.args[j]) is not None:
                    return self._scaled_rows(e, i, j)
        return None

    def _scaled_rows(self, e: Expr, i: int, j: int) -> Expr:
        column, beside = e.args[i].args[0], e.args[j]
        t = _filled(self._needed(column), column.shape_)
        rows, cols = beside.shape_
        spread = (
            ex.matmul(t, ex.ones((UNIT, cols)))
            if j > i
            else ex.matmul(ex.ones((rows, UNIT)), ex.transpose(t))
        )
        args = list(e.args)
        args[i] = ex.call("diag", self.divided(column, t))
        args[j] = self.divided(beside, ex.neg(spread))
        return ex.matmul(*args)

    def _is_reciprocal(self, e: Expr) -> bool:
        """A negative power of a sum that has exponents; that of an exponential is one itself."""
        if e.head != "pow" or e.args[1].head != "num" or e.args[1].value > 0:
            return False
        base = e.args[0].args[0] if e.args[0].head == "pow" else e.args[0]
        return _may_be_a_sum(base) and self.exponent(e) is not None

    def _has_reciprocal(self, e: Expr) -> bool:
        """Whether a factor is a reciprocal, or a sum or a product of some."""
        if e.head not in ("add", "times", "matmul", "T") or self.exponent(e) is None:
            return self._is_reciprocal(e)
        return any(map(self._has_reciprocal, e.args))

    def _needed(self, e: Expr) -> Expr:
        t = self.exponent(e)
        assert t is not None
        return t

    # ---- exponents -------------------------------------------------------------------------------

    def _exponent(self, e: Expr) -> Expr | None:
        known = self.known.get
        if e.head == "det" and not definite(e.args[0]):
            return None
        if e.head in EXPONENTS:
            return template(EXPONENTS[e.head], {"x": e.args[0]})
        if e.head == "T" and (t := known(e.args[0])) is not None:
            return ex.transpose(t)
        if e.head == "pow" and e.args[1].head == "num" and (t := known(e.args[0])) is not None:
            return ex.times(e.args[1], t)
        if e.head == "times":
            found = [t for a in e.args if (t := known(a)) is not None]
            return ex.add(*found) if found else None
        if e.head == "sum" and (t := known(e.args[0])) is not None:
            return t if t.is_scalar else ex.call("top", self._masked(e.args[0], t))
        if e.head == "add" and any(known(a) is not None for a in e.args):
            return self._largest(e)
        return self._of_product(e) if e.head == "matmul" else None

    def _largest(self, e: Expr) -> Expr:
        """The largest exponent of the terms of a sum."""
        exponents = [self._masked(a, self.known.get(a) or ZERO) for a in e.args]
        if any(not t.is_scalar for t in exponents):
            exponents = [ex.spread(t, e.shape_) if t is not ZERO else t for t in exponents]
        first, *others = sorted(dict.fromkeys(exponents), key=lambda t: t is ZERO)
        return reduce(_larger, others, first)

    def _masked(self, e: Expr, t: Expr) -> Expr:
        """The exponent of a term, minus infinity where its weight is 0."""
        weight = self.weight(e)
        if weight is ONE or (t.is_scalar is not e.is_scalar and t is not ZERO):
            return t
        return ex.call("masked", _filled(t, e.shape_), _filled(weight, e.shape_))

    def weight(self, e: Expr) -> Expr:
        """The factors of a term that have no exponents and may be 0."""
        weights = (a for a in factors(e) if self.known.get(a) is None)
        return ex.times(*(a for a in weights if a.head != "num" and not positive(a)))

    def _of_product(self, e: Expr) -> Expr | None:
        carriers = [i for i, a in enumerate(e.args) if self.known.get(a) is not None]
        if len(carriers) != 1:
            return None
        (i,) = carriers
        t, carrier = self._needed(e.args[i]), e.args[i]
        if t.is_scalar:
            return t
        rows, cols = e.shape_
        if i == 0 and rows != UNIT:
            return _beside(_top_rows(t), cols)
        if i == len(e.args) - 1 and cols != UNIT:
            return ex.transpose(_beside(_top_rows(ex.transpose(t)), rows))
        others = [a for k, a in enumerate(e.args) if k != i]
        if e.is_scalar and UNIT in carrier.shape_ and len(others) == 1:
            weight = others[0] if others[0].shape_ == carrier.shape_ else ex.transpose(others[0])
            t = t if positive(weight) else ex.call("masked", t, weight)
        return ex.call("top", t)

    # ---- what remains ----------------------------------------------------------------------------

    def divided(self, e: Expr, t: Expr) -> Expr:
        """e/exp(t), without what overflows where t is no less than the exponent of e."""
        out = self._divided(e, t)
        return ex.spread(out, e.shape_) if out.is_scalar else out

    def _divided(self, e: Expr, t: Expr) -> Expr:
        own = self.exponent(e)
        if own is None:
            return ex.times(e, _exp(ex.neg(t)))
        if e.head == "exp" or e.head == "det":
            return _below(ex.add(own, ex.neg(t)))
        if e.head == "cosh":
            return _divided_pair(e.args[0], t, ONE)
        if e.head == "sinh":
            return _divided_pair(e.args[0], t, MINUS_ONE)
        if e.head == "pow":
            return ex.pow_(
                self.divided(e.args[0], ex.times(t, ex.pow_(e.args[1], MINUS_ONE))), e.args[1]
            )
        if e.head == "add":
            terms = (a if a.is_scalar else ex.spread(a, e.shape_) for a in e.args)
            return ex.add(*(self.divided(a, t) for a in terms))
        if e.head == "times":
            return self._divided_factors(e, t)
        if e.head == "T":
            return ex.transpose(self.divided(e.args[0], ex.transpose(t)))
        if t is not own:
            return ex.times(self.divided(e, own), _below(ex.add(own, ex.neg(t))))
        if e.head == "sum":
            return ex.total(self.divided(e.args[0], t))
        return self._divided_product(e, t)

    def _divided_factors(self, e: Expr, t: Expr) -> Expr:
        carriers = [a for a in e.args if self.exponent(a) is not None]
        others = [a for a in e.args if self.exponent(a) is None]
        if len(carriers) == 1:
            return ex.times(*others, self._divided(carriers[0], t))
        moderate = [self._divided(a, self._needed(a)) for a in carriers if a.head != "exp"]
        rest = ex.add(*map(self._needed, carriers), ex.neg(t))
        return ex.times(*others, *moderate, _below(rest))

    def _divided_product(self, e: Expr, t: Expr) -> Expr:
        """A matrix product by its own exponent."""
        i = next(i for i, a in enumerate(e.args) if self.exponent(a) is not None)
        carrier, exponents = e.args[i], self._needed(e.args[i])
        if not t.is_scalar and i == 0 and e.shape_[0] != UNIT:
            t = _beside(_top_rows(exponents), carrier.shape_[1])
        elif not t.is_scalar:
            t = ex.transpose(_beside(_top_rows(ex.transpose(exponents)), carrier.shape_[0]))
        return ex.matmul(*e.args[:i], self.divided(carrier, t), *e.args[i + 1 :])


def _larger(a: Expr, b: Expr) -> Expr:
    return ex.call("relu", a) if b is ZERO else ex.call("max", a, b)


def _filled(e: Expr, shape: Shape) -> Expr:
    return ex.spread(e, shape)


def factors(e: Expr) -> tuple[Expr, ...]:
    """The factors of an entry-by-entry product."""
    return e.args if e.head == "times" else (e,)


def _beside(column: Expr, cols: Size) -> Expr:
    """A column repeated."""
    return column if cols == UNIT else ex.matmul(column, ex.ones((UNIT, cols)))


def _top_rows(t: Expr) -> Expr:
    return ex.call("top_rows", t)


def _below(t: Expr) -> Expr:
    """exp(t) of what is not above 0, but where its weight is 0."""
    return ONE if t is ZERO else ex.call("exp_below" if "masked" in t.functions else "exp", t)


def _divided_pair(x: Expr, t: Expr, sign: Expr) -> Expr:
    """(exp(x) + exp(-x))/2, or the difference, divided by exp(t)."""
    up, down = _below(ex.add(x, ex.neg(t))), _below(ex.add(ex.neg(x), ex.neg(t)))
    return ex.times(ex.num(1) / 2, ex.add(up, ex.times(sign, down)))


def _may_be_a_sum(e: Expr) -> bool:
    """Whether a node with an exponent is a sum; its reciprocal has no exponential by itself."""
    if e.head == "cosh" or e.head == "det":
        return True
    return e.head in ("add", "sum", "matmul")


def _exp(t: Expr) -> Expr:
    return ONE if t is ZERO else ex.call("exp", t)


def _bounded(own: Expr, total: Expr, others: Iterable[Expr]) -> bool:
    """Whether exp(total) is above 1 only where a weight beside it is 0, that for which its own
    exponent does not count.
    """
    masks = [node for node in ex.postorder(total) if node.head == "masked"]
    zeros = set(others)
    weights = [m.args[1] for m in masks if m.args[0] is ex.spread(own, m.shape_)]
    return any(set(filter(_may_vanish, factors(w))) <= zeros for w in weights)


def _may_vanish(e: Expr) -> bool:
    return e.head != "ones" and not (
        e.head == "pow" and e.args[1].head == "num" and e.args[1].value < 0
    )
