"""Expressions of the same value that lose no digits, and do not overflow, where the plain ones do.

Every expression of a plan, a value or a derivative, is rewritten before it is planned, so that all
targets have the same stable forms. A row of the tables is an equality in matcalc's own language
with the reason why it is there. What no such row can say is said by two ideas:

* *scale*: a sum of exponentials is exp(t) times a sum of moderate size, for t the largest of its
  exponents (:mod:`matcalc.codegen.plan.scale`); logarithms and quotients of such sums are taken of
  the moderate ones;
* *limit*: a product at the edge of its domain has its limit there, where that is finite: x*log(x)
  is 0 at 0 (:mod:`matcalc.codegen.plan.limits`).

A rewrite that is missed costs digits at some points, never a wrong formula.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from ... import expr as ex
from ...calculus.rewrite import NAMES, Rule, by_head, rewritten
from ...expr import Expr
from ...tables.functions import BY_NAME
from .limits import limit
from .proven import symmetric
from .scale import Scale

ENTRIES = ""  # the shapes of a row that holds entry by entry: of arrays, and of numbers
LETTER = re.compile(r"\b[A-Z]\b")

# left, right, the shapes of the letters, the reason
ROWS: tuple[tuple[str, str, str, str], ...] = (
    ("log(exp(X))", "X", ENTRIES, "exp(X) overflows above 709 and is 0 below -745"),
    ("exp(X).*exp(Y)", "exp(X+Y)", ENTRIES, "infinity times 0 where the product is finite"),
    ("(exp(X)-1)./(exp(X)+1)", "tanh(X/2)", ENTRIES, "exp(X) overflows above 709"),
    ("(1-exp(X))./(1+exp(X))", "-tanh(X/2)", ENTRIES, "the same"),
    ("exp(X)./(exp(X)+exp(Y))", "sigmoid(X-Y)", ENTRIES, "infinity over infinity above 709"),
    ("(exp(X)-1).*sigmoid(-X)", "tanh(X/2)", ENTRIES, "exp(X) overflows above 709"),
    ("(1-exp(X)).*sigmoid(-X)", "-tanh(X/2)", ENTRIES, "the same"),
    ("sigmoid(X)-sigmoid(-X)", "tanh(X/2)", ENTRIES, "exp(X) overflows above 709"),
    ("log(sigmoid(X))", "-softplus(-X)", ENTRIES, "sigmoid(X) is 0 below -745"),
    ("log(1-sigmoid(X))", "-softplus(X)", ENTRIES, "1 - sigmoid(X) is 0 above 37"),
    ("log(exp(X)+exp(-X))", "logcosh(X)+log(2)", ENTRIES, "overflow beyond 709"),
    ("log(exp(X)+exp(Y))", "max(X,Y)+softplus(-abs(X-Y))", ENTRIES, "overflow above 709"),
    ("log(softmax_rows(X))", "logsoftmax_rows(X)", "X: m×n", "softmax is 0 745 below the top"),
    ("log(cosh(X))", "logcosh(X)", ENTRIES, "cosh(X) overflows beyond 710"),
    ("normcdf(X)", "erfc(-X/2^(1/2))/2", ENTRIES, "its scale is that of erfc"),
    ("log(erfc(X)/2)", "log_normcdf(-2^(1/2)*X)", ENTRIES, "erfc(X) is 0 above 27"),
    ("log(1-erfc(X)/2)", "log_normcdf(2^(1/2)*X)", ENTRIES, "the same, below -27"),
    ("log((1+erf(X))/2)", "log_normcdf(2^(1/2)*X)", ENTRIES, "1 + erf(X) is noise below -5"),
    ("log(1-(1+erf(X))/2)", "log_normcdf(-2^(1/2)*X)", ENTRIES, "the same, above 5"),
    ("log((1-erf(X))/2)", "log_normcdf(-2^(1/2)*X)", ENTRIES, "the same, above 5"),
    ("log(1+erf(X))", "log_normcdf(2^(1/2)*X)+log(2)", ENTRIES, "the same, below -5"),
    ("log(erfc(X))", "log_normcdf(-2^(1/2)*X)+log(2)", ENTRIES, "erfc(X) is 0 above 27"),
    ("log(1+X)", "log1p(X)", ENTRIES, "1 + X has no digits of a small X"),
    ("log1p(exp(X))", "softplus(X)", ENTRIES, "exp(X) overflows above 709"),
)
# what the rows above must see as it is written
DIFFERENCES: tuple[tuple[str, str, str, str], ...] = (
    ("exp(X)-1", "expm1(X)", ENTRIES, "both are near 1 for a small X"),
    ("1-sigmoid(X)", "sigmoid(-X)", ENTRIES, "it is 0 above 37"),
    (
        "X-sign(X).*relu(abs(X)-Y)",
        "sign(X).*min(abs(X),Y)",
        ENTRIES,
        "both are large where it is Y",
    ),
    ("X-sign(X).*relu(abs(X)-a)", "sign(X).*min(abs(X),a)", "X: m×n; a: scalar", "the same"),
    ("1-tanh(X).^2", "sech2(X)", ENTRIES, "it is noise beyond 8 and 0 beyond 19"),
    ("1-erfc(X)/2", "erfc(-X)/2", ENTRIES, "it is 0 below -6"),
    ("2-erfc(X)", "erfc(-X)", ENTRIES, "the same"),
    ("1/2+erf(X)/2", "erfc(-X)/2", ENTRIES, "the same"),
    ("1/2-erf(X)/2", "erfc(X)/2", ENTRIES, "it is 0 above 6"),
    ("1+erf(X)", "erfc(-X)", ENTRIES, "it is 0 below -6"),
    ("1-erf(X)", "erfc(X)", ENTRIES, "it is 0 above 6"),
)


def stable(roots: Iterable[Expr]) -> Mapping[Expr, Expr]:
    """The stable form of every node of some expressions.

    >>> from matcalc.language.typed import typed
    >>> e = typed("y'*log(1 + exp(x))").expr
    >>> print(stable([e])[e])
    y'*softplus(x)
    """
    order = ex.postorder(*roots)
    if not any(node.functions or node.head == "pow" for node in order):
        return {node: node for node in order}
    scale = Scale()
    first = rewritten(order, _first, (scale.log, scale.quotient, scale.rows, spectral))
    second = rewritten(ex.postorder(*first.values()), _second, (limit,))
    return {node: second[better] for node, better in first.items()}


def spectral(e: Expr) -> Expr | None:
    """A Fréchet derivative at a symmetric matrix, by its eigenvectors: of a block matrix it has
    half the digits.
    """
    by_eigenvectors = f"{e.head}_symmetric"
    if by_eigenvectors not in BY_NAME or not symmetric(e.args[0]):
        return None
    return ex.call(by_eigenvectors, *e.args, trusted=True)


def _rules(rows: Iterable[tuple[str, str, str, str]]) -> Iterator[Rule]:
    """The rules of some rows; one that holds entry by entry is a rule for arrays and one for
    numbers.
    """
    for left, right, shapes, _ in rows:
        letters = sorted(set(LETTER.findall(left)))
        for shape in ("m×n", "scalar") if shapes == ENTRIES else ():
            yield Rule(left, right, "; ".join(f"{x}: {shape}" for x in letters))
        if shapes != ENTRIES:
            yield Rule(left, right, shapes)


FIRST, SECOND = (*NAMES, *_rules(ROWS)), tuple(_rules(DIFFERENCES))


@cache
def _first(functions: frozenset[str]) -> Mapping[str, tuple[Rule, ...]]:
    return by_head(FIRST, functions)


@cache
def _second(functions: frozenset[str]) -> Mapping[str, tuple[Rule, ...]]:
    return by_head(SECOND, functions)
