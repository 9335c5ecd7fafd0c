"""Write what a person would: rules, common factors, and expansion where it cancels.

Works on finished matrix notation, never on the bags between chain and arrange. Bottom up, each node
is rewritten by the rules of :mod:`matcalc.calculus.rewrite`, then by the rearrangements below, each
kept only if it makes the expression smaller; the result is therefore never larger than what came
in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from math import prod

from .. import expr as ex
from ..budget import spend
from ..expr import Expr, postorder
from ..expr.parts import takes_rows
from ..expr.powers import base_and_exponent
from ..expr.sizes import UNIT
from ..tables.functions import BY_NAME
from .factoring import common_factor
from .rewrite import Rule, rules_for

ROUNDS = 12
MANY_TERMS = 64  # that a product of sums is not multiplied out to
EXPAND_LIMIT = 160  # nodes above which products are not multiplied out

_memo: dict[Expr, Expr] = {}
_MEMO_LIMIT = 200_000


def simplify(e: Expr) -> Expr:
    """An equal expression with no more nodes, as a person would write it.

    >>> from matcalc.language.typed import typed
    >>> str(simplify(typed("A*x + A'*x", "A: n×n").expr))
    "(A + A')*x"
    """
    if (known := _memo.get(e)) is not None:
        return known
    if len(_memo) > _MEMO_LIMIT:
        _memo.clear()
    better = e
    for node in postorder(e, skip=_memo.__contains__):
        spend()
        better = _memo.get(node) or _simplified(node)
        _memo[node] = better  # not before it is known: a limit may end the work anywhere
    return better


def _simplified(node: Expr) -> Expr:
    """A node whose arguments are simplified, simplified."""
    new = ex.rebuild(node, tuple(_memo.get(a, a) for a in node.args)) if node.args else node
    if new.head != node.head:
        new = _inside(new)
    better = _memo.get(new) if new is not node else None
    better = better or _improve(new)
    return _memo.get(better, better)


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


# ---- matrix products -----------------------------------------------------------------------------


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
                return ex.matmul(
                    *chain[: i - 1], ex.call("inv", ex.matmul(*m[:-1])), *chain[i + 1 :]
                )
            if i + 1 < len(chain) and chain[i + 1] is m[0]:
                return ex.matmul(*chain[:i], ex.call("inv", ex.matmul(*m[1:])), *chain[i + 2 :])
    return None


def _joined_powers(e: Expr) -> Expr | None:
    """X^k*X is X^(k + 1)."""
    for i, (a, b) in enumerate(pairwise(e.args) if "powm" in e.functions else ()):
        if "powm" in a.functions or "powm" in b.functions:
            (base, j), (other, k) = base_and_exponent(a), base_and_exponent(b)
            if base is other:
                return ex.matmul(*e.args[:i], ex.power(base, ex.add(j, k)), *e.args[i + 2 :])
    return None


def _part_inside(e: Expr) -> Expr | None:
    """A part of what is made entry by entry is made of parts: exp([x; y])[1:n] is exp(x)."""
    if e.count > EXPAND_LIMIT:
        return None
    for i, (a, b) in enumerate(pairwise(e.args)):
        if takes_rows(a) or b.head == "part":
            better = ex.matmul(
                *e.args[:i],
                _part_of(b, a, 0) if takes_rows(a) else _part_of(a, b, 1),
                *e.args[i + 2 :],
            )
            if better.count < e.count:
                return better
    return None


def _part_of(e: Expr, part: Expr, axis: int) -> Expr:
    """The rows or columns of an expression that a part takes, as deep as it is made entry by
    entry.
    """
    product = ex.matmul(part, e) if axis == 0 else ex.matmul(e, part)
    if e.head not in ("add", "times", "pow") and not (
        e.head in BY_NAME and BY_NAME[e.head].elementwise
    ):
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
                return ex.total(
                    ex.spread(ex.times(*(a for a in x.args if a is not divided)), x.shape_)
                )
    return None


def expand(e: Expr) -> Expr:
    """Multiply out sums inside matrix products, as deep as they go, unless that makes very many
    terms.
    """
    return _expanded(e) if _terms_in(e) <= MANY_TERMS else e


def _terms_in(e: Expr) -> int:
    """The number of terms once the sums in a product are multiplied out."""
    if e.head == "add":
        return sum(map(_terms_in, e.args))
    if e.head in ("matmul", "T"):
        return prod(map(_terms_in, e.args))
    return _terms_in(e.args[-1]) if e.head == "times" and e.args[0].is_scalar else 1


def _expanded(e: Expr) -> Expr:
    if e.head == "add":
        return ex.add(*map(_expanded, e.args))
    if e.head == "times" and e.args[0].is_scalar:
        return ex.times(*(a if a.is_scalar else _expanded(a) for a in e.args))
    if e.head == "T":
        inner = _expanded(e.args[0])
        return (
            ex.add(*map(ex.transpose, _parts(inner)))
            if inner.head == "add"
            else ex.transpose(inner)
        )
    if e.head != "matmul":
        return e
    for i, a in enumerate(e.args):
        inner = a.args[0] if a.head == "T" else a
        if inner.head == "add":
            parts = [
                ex.transpose(p) if a.head == "T" else p
                for p in (ex.spread(p, inner.shape_) for p in inner.args)
            ]
            return ex.add(
                *(_expanded(_cancelled(ex.matmul(*e.args[:i], p, *e.args[i + 1 :]))) for p in parts)
            )
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
        for better in (
            ex.matmul(expand(ex.matmul(*e.args[: i + 1])), *e.args[i + 1 :]),
            ex.matmul(*e.args[:i], expand(ex.matmul(*e.args[i:]))),
        ):
            if better.count < e.count:
                return better
    return None


# ---- entry-by-entry products ---------------------------------------------------------------------


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


# ---- sums ----------------------------------------------------------------------------------------


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
    parts = [(a, scalars, body) for a in e.args for scalars, body in [ex.scalars_and_array(a)]]
    diagonals = [
        ex.times(*scalars, body.args[0] if body.args else ex.ONE)
        for _, scalars, body in parts
        if body.head in ("diag", "eye")
    ]
    if len(diagonals) < 2:
        return None
    others = [a for a, _, body in parts if body.head not in ("diag", "eye")]
    return ex.add(*others, ex.call("diag", ex.spread(ex.add(*diagonals), (e.shape_[0], UNIT))))


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
        if len(parts) > MANY_TERMS:
            return [e]
    return [
        ex.spread(ex.times(ex.num(k), *p), core.shape_)
        if core.is_scalar
        else ex.times(ex.num(k), ex.ones(core.shape_), *p)
        for p in parts
    ]


def _over_sum(e: Expr) -> Expr | None:
    """A linear function of a sum, term by term."""
    inner = e.args[0]
    if inner.head != "add" or e.count > EXPAND_LIMIT:
        return None
    return ex.add(*(ex.call(e.head, ex.spread(p, inner.shape_)) for p in inner.args))


def _transposed_content(e: Expr) -> Expr | None:
    return ex.transpose(e.args[0]) if e.args[0].head in ("times", "matmul") else None


_ATTEMPTS: dict[str, tuple[Callable[[Expr], Expr | None], ...]] = {
    "matmul": (_cancel_inverse, _joined_powers, _part_inside, _cancel_quotient, _expand_side),
    "times": (_distribute,),
    "add": (_content, _one_diagonal, common_factor, _multiplied_out),
    "tr": (_over_sum,),
    "sum": (_over_sum,),
    "diagonal": (_over_sum,),
    "T": (_transposed_content,),
}
