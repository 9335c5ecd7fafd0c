"""Rewrite rules, as strings in matcalc's own language, and the matcher that applies them.

``left -> right`` with the shapes and properties of its letters; a letter stands for any expression
of that kind: a scalar, a column (``n``), or any array (``m×n``; square where both sizes are equal).
Sums and entry-by-entry products match any of their parts, matrix products any run of their factors.
A test proves every row by evaluating both sides on random matrices. A rule that is not applied is a
missed beauty, never a wrong answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from .. import expr as ex
from ..budget import spend
from ..expr import Expr
from ..expr.sizes import UNIT
from ..language.elaborate import template
from ..language.typed import typed
from ..tables.properties import Property, properties_of
from ..tables.rules import ROWS

Bindings = Mapping[str, Expr]
ROUNDS = 8  # how often one node may be rewritten


@dataclass(frozen=True)
class Rule:
    """One compiled row."""

    left_text: str
    right_text: str
    shapes: str

    @cached_property
    def needs(self) -> frozenset[str]:
        """The functions that an expression must contain for the rule to apply."""
        return frozenset(re.findall(r"([a-z]\w*)\(", self.left_text)) - {"eye", "ones"}

    @cached_property
    def left(self) -> Expr:
        return typed(self.left_text, self.shapes).expr

    def rewrite(self, e: Expr) -> Expr | None:
        """The expression with the rule applied at its root, or None."""
        for bound, rebuild in _roots(self.left, e):
            return rebuild(bound, self)
        return None

    def right(self, bound: Bindings, like: Expr) -> Expr:
        """The right side, filled out to the shape of what it replaces."""
        if self.right_text == "eye(n)":
            return ex.eye(like.shape_[0])
        if self.right_text == "ones(m)":
            return ex.ones((like.shape_[0], UNIT))
        return template(self.right_text, bound)


RULES = tuple(Rule(*row) for row in ROWS)
_NAMED = re.compile(
    r"(A\*)?(sigmoid|softplus|softmax|logsumexp|logsoftmax|tanh|logcosh)(_rows)?\(-?\w\)"
)
NAMES = tuple(rule for rule in RULES if _NAMED.fullmatch(rule.right_text))
"""The rules that say what has a name."""
OF_EIGENVALUES = tuple(rule for rule in RULES if "eigvecs" in rule.left_text)
"""Those that say what is a function of a matrix."""


def recognised(e: Expr) -> Expr:
    """An equal expression in which what has a name is called by it: ``exp(x)/sum(exp(x))`` is
    ``softmax(x)``.

    >>> print(recognised(typed("y'*log(1+exp(x))").expr))
    y'*softplus(x)
    """
    return rewritten(ex.postorder(e), _named)[e] if _named(e.functions) else e


Table = Callable[[frozenset[str]], Mapping[str, tuple["Rule", ...]]]
Rewrite = Callable[[Expr], Expr | None]


def rewritten(
    order: Iterable[Expr], table: Table, others: Iterable[Rewrite] = ()
) -> dict[Expr, Expr]:
    """Every node with its arguments rewritten, then itself: by the rules of a table while one
    applies, then by each other.
    """
    known: dict[Expr, Expr] = {}
    # as products see them: a rule for a quotient comes before one for a reciprocal
    powers: dict[Expr, Expr] = {}
    for node in order:
        seen = powers if node.head == "times" else known
        args = tuple(seen.get(a, known[a]) for a in node.args)
        here = node if args == node.args else ex.rebuild(node, args)
        if here.head == "pow":
            powers[node] = here
        here = _applied(here, table)
        for other in others:
            here = other(here) or here
        known[node] = here if here is node else ex.spread(here, node.shape_)
    return known


def _applied(e: Expr, table: Table) -> Expr:
    """An expression with the rules applied at its root, one after the other."""
    for _ in range(ROUNDS):
        rules = table(e.functions)
        heads = ("times", "pow") if e.head == "times" else (e.head,)
        tries = (rule.rewrite(e) for head in heads for rule in rules.get(head, ()))
        better = next((found for found in tries if found is not None), None)
        if better is None:
            break
        e = better
    return e


@cache
def rules_for(functions: frozenset[str]) -> Mapping[str, tuple[Rule, ...]]:
    """The rules that can apply to an expression with these functions, by the head of their left
    side.
    """
    return by_head(RULES, functions)


@cache
def _named(functions: frozenset[str]) -> Mapping[str, tuple[Rule, ...]]:
    return by_head((*NAMES, *OF_EIGENVALUES), functions)


def by_head(rules: Iterable[Rule], functions: frozenset[str]) -> Mapping[str, tuple[Rule, ...]]:
    """Those of some rules that can apply to an expression with these functions, by the head of
    their left side.
    """
    out: dict[str, list[Rule]] = {}
    for rule in rules:
        if rule.needs <= functions:
            out.setdefault(rule.left.head, []).append(rule)
    return {head: tuple(found) for head, found in out.items()}


def _roots(p: Expr, e: Expr) -> Iterator[tuple[Bindings, _Rebuild]]:
    """Ways in which the pattern is the whole of ``e``, or a part of its n-ary root."""
    if p.head in ("add", "times"):
        for bound, rest in _subset(p.args, e.args, {}):
            yield bound, _Rebuild(e, tuple(rest), ())
    elif p.head == "matmul":
        width = len(p.args)
        for i in range(len(e.args) - width + 1):
            for bound in _sequence(p.args, e.args[i : i + width], {}):
                yield bound, _Rebuild(e, e.args[:i], e.args[i + width :])
    elif p.head == "pow" and e.head == "times":
        for i, arg in enumerate(e.args):
            for bound in match(p, arg, {}):
                yield bound, _Rebuild(e, e.args[:i] + e.args[i + 1 :], ())
    else:
        for bound in match(p, e, {}):
            yield bound, _Rebuild(e, (), ())


@dataclass(frozen=True)
class _Rebuild:
    """Puts the right side of a rule back among the parts that the left side did not take."""

    whole: Expr
    before: tuple[Expr, ...]
    after: tuple[Expr, ...]

    def __call__(self, bound: Bindings, rule: Rule) -> Expr:
        if self.whole.head == "matmul":
            taken = self.whole.args[len(self.before) : len(self.whole.args) - len(self.after)]
            return ex.matmul(*self.before, rule.right(bound, taken[0]), *self.after)
        new = rule.right(bound, self.whole)
        if self.whole.head == "add":
            return ex.add(*self.before, new)
        return ex.times(*self.before, new) if self.before else ex.spread(new, self.whole.shape_)


def match(p: Expr, e: Expr, bound: Bindings) -> Iterator[Bindings]:
    """Every way to read ``e`` as the pattern ``p``."""
    if p.head == "var":
        if p.name in bound:
            if bound[p.name] is e:
                yield bound
        elif _fits(p, e):
            yield {**bound, p.name: e}
    elif (
        p.head == "times"
        and len(p.args) == 2
        and p.args[0].head == "num"
        and p.args[1].head == "var"
    ):
        yield from match(p.args[1], ex.scaled(1 / p.args[0].value, e), bound)
    elif p.head != e.head:
        return
    elif not p.args:
        if (
            p is e
            or (p.head == "eye")
            or (
                p.head in ("ones", "zeros")
                and [s == UNIT for s in p.shape_] == [s == UNIT for s in e.shape_]
            )
        ):
            yield bound
    elif len(p.args) != len(e.args):
        return
    elif p.head in ("add", "times"):
        yield from (found for found, _rest in _subset(p.args, e.args, bound))
    else:
        yield from _sequence(p.args, e.args, bound)


def _fits(p: Expr, e: Expr) -> bool:
    """Tell if a letter of a pattern may stand for an expression: kind, squareness, properties."""
    if p.is_scalar != e.is_scalar or (p.shape_[1] == UNIT and e.shape_[1] != UNIT):
        return False
    if p.shape_[0] == p.shape_[1] and e.shape_[0] != e.shape_[1]:
        return False
    return all(row.is_open or has(e, row) for row in properties_of(p.properties))


def has(e: Expr, row: Property) -> bool:
    """Whether a property is declared of an expression, or seen: its projection changes nothing."""
    if row.name in e.properties:
        return True
    return bool(row.projection) and template(row.projection, {"x": e}) is e


def _sequence(ps: tuple[Expr, ...], es: tuple[Expr, ...], bound: Bindings) -> Iterator[Bindings]:
    if not ps:
        yield bound
    else:
        for b in match(ps[0], es[0], bound):
            yield from _sequence(ps[1:], es[1:], b)


def _subset(
    ps: tuple[Expr, ...], es: tuple[Expr, ...], bound: Bindings
) -> Iterator[tuple[Bindings, list[Expr]]]:
    """Match each pattern with a different expression; the rest is left over."""
    if not ps:
        yield bound, list(es)
        return
    spend(len(es) // 4)
    for i, e in enumerate(es):
        for b in match(ps[0], e, bound):
            yield from _subset(ps[1:], es[:i] + es[i + 1 :], b)
