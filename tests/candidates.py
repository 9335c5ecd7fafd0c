"""Candidates for ``mc.check`` over the whole table: subtly wrong ones, and right ones in unusual
forms.

    python tests/candidates.py --cases 1000 --seed 1

A base is a random expression with a derivative that differences at sixty digits confirm. A wrong
candidate is that derivative with one small thing changed, which some point shows at sixty digits; a
right one is the same function written otherwise. What :mod:`meaning` says decides which is which.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import expressions
import fuzz
import meaning
import numpy as np
from expressions import ONE, SCALAR, Case, Generator
from fuzz import Place, Question, apart, contracted, differences, direction, patience
from lark import Token
from meaning import MP, Point, Unclear, Undefined

import matcalc as mc
from matcalc.errors import MatcalcError
from matcalc.language.syntax import Syntax, syntax
from matcalc.tables.functions import MACROS, visible

SEEN = MP.mpf(10) ** -10  # relative: by so much a candidate is wrong at a point
WITNESSES = 24  # points at which a wrong candidate may show itself
AGREEING = 4  # points at which a right one must agree


@dataclass(frozen=True)
class Candidate:
    """A claim about a derivative, and the truth about the claim."""

    expr: str
    wrt: str
    shapes: Mapping[str, str]
    text: str
    way: str
    right: bool

    def __str__(self) -> str:
        return f"mc.check({self.expr!r}, {self.wrt!r}, {self.text!r}, {dict(self.shapes)!r})"


def quoted() -> list[Candidate]:
    """Candidates that a checker has been wrong about."""
    wrong = [
        ("exp(-100-a)", "a", "exp(-100-a)", {}),
        ("1e12*sin(x[1]) + cos(x[2])", "x", "[1e12*cos(x[1]); sin(x[2])]", {"x": "2"}),
        ("sum(exp(100*(x-10)))", "x", "0*x", {"x": "n"}),
        ("abs(c)*normnuc(X)", "c", "normnuc(X)", {"X": "m×n"}),
        ("amax(A)", "A", "diag(ismax(diag(A)))", {"A": "n×n"}),
        ("1e-15*sum(exp(x))", "x", "-1e-15*exp(x)", {"x": "n"}),
        ("sqrt(a^2)", "a", "1", {}),
        ("norm2(x)^2", "x", "2*x + relu(abs(x) - 3)", {"x": "n"}),
        ("sum(x.^2)", "x", "2*x*(1 + relu(2 - n))", {"x": "n"}),
        ("tr(A*X)", "X", "A'*(1 + abs(m - n))", {"A": "m×n", "X": "n×m"}),
        ("1e9*x[1]^2 + x[2]^2", "x", "[2e9*x[1]; 2.00001*x[2]]", {"x": "2"}),
        ("normspec(X)", "X", "1.000000001*leading(X)", {"X": "m×n"}),
        ("sum(log(x))", "x", "1./abs(x) + relu(x - 5)", {"x": "n positive"}),
        ("amax(A + A')", "A", "2*ismax(A + A')", {"A": "n×n"}),
        ("lambda_max(S)", "S", "eye(n)/n", {"S": "n×n symmetric"}),
    ]
    right = [
        ("tr(X)", "X", "eye", {"X": "n×n"}),
        ("sum(x)", "x", "vector(1)", {"x": "n"}),
        ("A*X*B", "X", "A[i,k]*B[l,j]", {"A": "m×n", "X": "n×p", "B": "p×q"}),
        ("norm2(x)", "x", "x/sqrt(x'*x)", {"x": "n"}),
        ("logdet(S)", "S", "inv(S)'", {"S": "n×n spd"}),
        ("sum(sigmoid(x))", "x", "1./(2 + exp(x) + exp(-x))", {"x": "n"}),
        ("log(cosh(a))", "a", "tanh(a)", {}),
        ("logsumexp(x)", "x", "exp(x - log(sum(exp(x))))", {"x": "n"}),
        ("sum(abs(x))", "x", "x./abs(x)", {"x": "n"}),
        ("sum(y.*log(y))", "y", "log(y) + ones(n)", {"y": "n positive"}),
        ("exp(sum(y))", "y", "exp(1)*ones(n)", {"y": "n simplex"}),
        ("tr(A*X*B)", "X", "(B*A)'", {"A": "n×n", "X": "n×n", "B": "n×n"}),
    ]
    return [
        Candidate(expr, wrt, shapes, text, "quoted", right=kind)
        for kind, cs in ((False, wrong), (True, right))
        for expr, wrt, text, shapes in cs
    ]


# ---- bases --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Base:
    case: Case
    question: Question
    text: str  # of the derivative

    @property
    def type(self) -> expressions.Type:
        return self.case.types[self.question.wrt]

    @property
    def is_gradient(self) -> bool:
        return self.case.tree.type == SCALAR


def base(seed: int) -> Base | None:
    """An expression with its derivative as a text, if that is a matrix and differences confirm
    it.
    """
    case = expressions.case(900_000_000 + seed, depth=1 + seed % 3 % 2)
    rng = random.Random(seed)
    names = sorted(case.declared_variables)
    if case.undeclared or case.places or not names:
        return None
    question = Question(rng.choice(names))
    try:
        with patience(10), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (d,) = [mc.derive(case.text, question.wrt, case.declared)]
            text = str(d.result)
            if not isinstance(d.result, mc.Expr) or len(text) > 400:
                return None
            found = Base(case, question, text)
            return (
                found
                if disagreement(found, text, np.random.default_rng(seed), AGREEING) == 0
                else None
            )
    except (MatcalcError, fuzz.Expired):
        return None
    except Exception:  # what crashes is the business of the other harness
        return None


# ---- truth --------------------------------------------------------------------------------------


def points(b: Base, rng: np.random.Generator) -> Iterator[Place]:
    """Points of many kinds: small, large, of one sign, in order; sizes equal, different and one."""
    named = [letter for letter in "mnkl" if not b.case.letters[letter].isdigit()]
    for k in range(WITNESSES * 2):
        short = f"{named[k % len(named)]}1" if named and k % 4 == 3 else ""
        place = fuzz.point(b.case, None, b.question, rng, k, short)
        if named and k % 6 == 4:
            place = _of_equal_sizes(b, rng, k)
        yield _stretched(place, k)


def _of_equal_sizes(b: Base, rng: np.random.Generator, k: int) -> Place:
    case = Case(
        b.case.tree, b.case.shapes, b.case.types, b.case.letters, b.case.places, b.case.whole
    )
    before = fuzz.lengths
    try:
        fuzz.lengths = lambda c, r, i: {  # type: ignore[assignment]
            x: int(t) if (t := c.letters[x]).isdigit() else 3 for x in "mnkl"
        }
        return fuzz.point(case, None, b.question, rng, k)
    finally:
        fuzz.lengths = before


def _stretched(place: Place, k: int) -> Place:
    """Values of another magnitude, or of one sign, of those names that nothing is declared of."""
    change: Sequence[Callable[[Any], Any]] = (
        lambda a: a,
        lambda a: 4 * a,
        lambda a: -abs(a),
        lambda a: abs(a),
        lambda a: 12 * a,
        lambda a: np.sort(a, 0),
        lambda a: np.sort(a, 0)[::-1],
        lambda a: a - 3,
        lambda a: a + 4,
    )
    values = {}
    for name, a in place.at.values.items():
        free = not place.properties.get(name) or (
            place.properties[name][0] == "positive" and k % 9 in (1, 4)
        )
        values[name] = change[k % len(change)](a) if free and a.size else a
    return Place(Point(values, place.at.sizes), place.properties)


def disagreement(b: Base, text: str, rng: np.random.Generator, enough: int) -> float:
    """By how much a claim is off at some point, relatively, or 0 where it agrees at enough of them.

    Raises Undefined where that cannot be told.
    """
    agreed, worst = 0, 0.0
    for place in points(b, rng):
        try:
            here = meaning.value(b.case.text, place.at)
            x = place.at.values[b.question.wrt]
            d = direction(x.shape, place.properties[b.question.wrt], rng)
            claim = meaning.value(text, place.at)
            full = here.shape + x.shape
            if claim.size != int(np.prod(full)):
                raise Undefined("of another shape")
            if place.at.kinks:
                continue
            told = contracted(claim.reshape(full), [d])
            measured = differences(b.case.text, place, b.question.wrt, [d], fuzz.STEP[1])
        except Undefined:
            continue
        except Unclear:
            raise Undefined("not clear") from None
        if not fuzz._both_zero(told, measured, here) or _tells_apart(told, measured):
            gap = float(apart(told, measured))
            if gap > SEEN:
                return gap
            worst = max(worst, gap)
        agreed += 1
        if agreed >= enough:
            return 0.0
    if agreed < 2:
        raise Undefined("no point")
    return 0.0


def _tells_apart(told: Any, measured: Any) -> bool:
    """Tiny numbers that differ by more than the differences can be wrong."""
    top = max([abs(v) for v in np.ravel(measured)] + [abs(v) for v in np.ravel(told)])
    return top > MP.mpf(10) ** -45 and apart(told, measured) > MP.mpf(10) ** -3


# ---- text surgery -------------------------------------------------------------------------------


def nodes(text: str, kind: str) -> list[Syntax]:
    return [n for n in syntax(text).iter_subtrees() if n.data == kind and not n.meta.empty]


def span(node: Syntax | Token) -> tuple[int, int]:
    if isinstance(node, Token):
        return int(node.start_pos or 0), int(node.end_pos or 0)
    return node.meta.start_pos, node.meta.end_pos


def swapped(text: str, place: tuple[int, int], by: str) -> str:
    return text[: place[0]] + by + text[place[1] :]


def calls(text: str) -> Iterator[tuple[str, list[str], tuple[int, int]]]:
    """The calls in a text: the name, the arguments as texts, and the place."""
    for node in nodes(text, "call"):
        parts = [text[slice(*span(c))] for c in node.children[1:] if not isinstance(c, Token)]
        yield str(node.children[0]), parts, span(node)


# ---- wrong ones ---------------------------------------------------------------------------------


def size_text(b: Base, k: int) -> str:
    return Generator(random.Random(0), dict(b.case.letters)).size_text(b.type[k])


def unit_entry(b: Base) -> str:
    """One at the first entry of an array of the variable's shape, zeros elsewhere."""
    rows, cols = size_text(b, 0), size_text(b, 1)
    if b.type == SCALAR:
        return "1"
    if b.type[1] == ONE:
        return f"eye({rows})[:,1]"
    if b.type[0] == ONE:
        return f"eye({cols})[1,:]"
    return f"(eye({rows})[:,1]*eye({cols})[1,:])"


Mutation = Callable[[Base, random.Random], Iterator[str]]


def one_billionth(b: Base, rng: random.Random) -> Iterator[str]:
    g = b.text
    yield f"1.000000001*({g})"
    yield f"({g})*(1 - 1e-9)"
    for node in nodes(g, "number"):
        yield swapped(g, span(node), f"({g[slice(*span(node))]}*1.000000001)")
    for node in nodes(g, "name"):
        if str(node.children[0]) in b.case.types:
            yield swapped(g, span(node), f"(1.000000002*{node.children[0]})")


def one_entry(b: Base, rng: random.Random) -> Iterator[str]:
    if b.is_gradient:
        scale = rng.choice(("1e-6", "1e-3", "1e-8"))
        yield f"({b.text}) + {scale}*{unit_entry(b)}"
        yield (
            f"({b.text}).*(1 + 1e-7*{unit_entry(b)})"
            if b.type != SCALAR
            else f"({b.text})*(1 + 1e-7)"
        )


def far_away(b: Base, rng: random.Random) -> Iterator[str]:
    x, g = b.question.wrt, b.text
    if b.is_gradient:
        yield f"({g}) + relu(abs({x}) - 3)"
        yield f"({g}) + exp(40*({x} - 4))"
        yield f"({g}) + relu({x} - 2.5)"
        yield f"({g}).*(1 + relu(-3 - {x}))"
    else:
        yield f"({g})*(1 + relu(norm2({x}) - 8))"
        yield f"({g})*(1 + exp(20*(norminf({x}) - 5)))"


def one_sign(b: Base, rng: random.Random) -> Iterator[str]:
    x, g = b.question.wrt, b.text
    yield f"({g})*(1 + relu(-amax({x})))"
    yield f"({g})*(1 + step(amin({x})))"
    if b.is_gradient:
        yield f"({g}) + relu(-{x})"
    if b.type != SCALAR and b.type[1] == ONE:
        yield f"({g})*(1 + relu({x}[1] - {x}[2]))"
    yield f"({g})*(1 + relu(sum({x}) - 4))"
    yield f"({g})*(1 + relu(-4 - sum({x})))"


def another_branch(b: Base, rng: random.Random) -> Iterator[str]:
    g = b.text
    for name, arguments, place in calls(g):
        if name in ("abs", "relu"):
            yield swapped(g, place, f"({arguments[0]})")
        if name in ("sign", "step"):
            yield swapped(g, place, f"(0*({arguments[0]}) + 1)")
        if name == "sqrt" and ".^2" in arguments[0]:
            yield swapped(g, place, f"({arguments[0].replace('.^2', '')})")
    x = b.question.wrt
    yield f"({g})*sqrt(sum({x})^2)/sum({x})"
    yield f"({g})*sum({x})/abs(sum({x}))"
    yield f"({g})*sign(sum({x}))"
    for node in nodes(g, "name"):
        if str(node.children[0]) in b.case.types:
            yield swapped(g, span(node), f"abs({node.children[0]})")


def of_sizes(b: Base, rng: random.Random) -> Iterator[str]:
    g = b.text
    names = [
        n
        for n in dict.fromkeys(b.case.letters.values())
        if re.search(rf"\b{n}\b", " ".join(b.case.declared.values())) and not n.isdigit()
    ]
    for n in names:
        yield f"({g})*(1 + relu(2 - {n}))"
    for m, n in pairwise(names):
        yield f"({g})*(1 + abs({m} - {n}))"
        yield f"({g})*(1 + relu(1 - abs({m} - {n})))"
        yield f"({g})*(1 + relu({m} - {n}))"


def structure(b: Base, rng: random.Random) -> Iterator[str]:
    """A factor transposed, exchanged or of another name; a term dropped, or of the other sign."""
    g = b.text
    for node in nodes(g, "name"):
        t = b.case.types.get(str(node.children[0]))
        if t is None:
            continue
        if t[0] == t[1] != ONE:
            yield swapped(g, span(node), f"({node.children[0]}')")
        for other, u in b.case.types.items():
            if u == t and other != str(node.children[0]) and other in b.case.declared:
                yield swapped(g, span(node), other)
    for node in nodes(g, "product"):
        a, c = node.children[0], node.children[2]
        if str(node.children[1]) == "*":
            yield swapped(g, (span(a)[0], span(c)[1]), f"{g[slice(*span(c))]}*{g[slice(*span(a))]}")
    for node in nodes(g, "sum"):
        for sign in (c for c in node.children if isinstance(c, Token)):
            yield swapped(g, span(sign), "-" if str(sign) == "+" else "+")
        yield swapped(g, (span(node.children[1])[0], span(node.children[2])[1]), "")
    for node in nodes(g, "transpose"):
        yield swapped(g, span(node), f"({g[slice(*span(node.children[0]))]})")
    kin = {
        "exp": "expm1",
        "sin": "cos",
        "tanh": "sigmoid",
        "log": "log1p",
        "cosh": "exp",
        "sigmoid": "normcdf",
        "amax": "amin",
        "ismax": "abs",
        "tril": "triu",
        "sum": "mean",
        "softmax": "exp",
        "polar": "leading",
        "inv": "pinv",
    }
    for name, arguments, place in calls(g):
        if name in kin:
            yield swapped(g, place, f"{kin[name]}({', '.join(arguments)})")


def of_values(b: Base, rng: random.Random) -> Iterator[str]:
    """Right at zero, at one, at points near the identity, or for the first entries alone."""
    x, g = b.question.wrt, b.text
    yield f"({g})*(1 + 1e-4*sum({x}.^2))"
    yield f"({g})*(1 + sum({x})^2/1e6)"
    yield f"({g})*cos(sum({x})/1000)"
    if b.type != SCALAR and b.type[0] == b.type[1]:
        yield f"({g})*(1 + 1e-3*norm2({x} - diag(diag({x}))))"
        yield f"({g})*(1 + 1e-3*norm2({x} - {x}'))"
        yield f"({g}).*(1 - eye({size_text(b, 0)}))" if b.is_gradient else f"2*({g})"
    if b.type != SCALAR and b.type[1] == ONE and b.is_gradient:
        yield f"({g}) + 0.01*(({x} - {x}[1]).^2)"


WRONG_WAYS: Mapping[str, Mutation] = {
    "1e-9": one_billionth,
    "one entry": one_entry,
    "far away": far_away,
    "one sign": one_sign,
    "another branch": another_branch,
    "sizes": of_sizes,
    "structure": structure,
    "values": of_values,
}
SCALES = (  # of the expression: how its text and the derivative's become
    ("tiny", "1e-15*({0})", "1e-15*({1})"),
    ("huge", "1e12*({0})", "1e12*({1})"),
    ("far smaller", "1e-40*({0})", "1e-40*({1})"),
    ("beside a large one", "({0}) + 1e10*d9^2", "{1}"),
    ("beside a large constant", "({0}) + 1e12", "{1}"),
)


def scaled(b: Base, rng: random.Random) -> Iterator[tuple[str, str, str]]:
    """The expression at another scale, its derivative wrong by a sign, by a factor or
    altogether.
    """
    for name, of_f, of_g in SCALES:
        g = of_g.format("", b.text)
        for wrong in (f"-({g})", f"0*({g})", f"2*({g})", f"1.000001*({g})"):
            yield name, of_f.format(b.case.text, ""), wrong


def _is_transpose(b: Base, text: str, seed: int) -> bool:
    """Whether a claim is the gradient in numerator layout, which a checker takes and says so."""
    if not b.is_gradient or ONE in b.type:
        return False
    try:
        return disagreement(b, f"({text})'", np.random.default_rng(seed), AGREEING) == 0
    except (Undefined, MatcalcError):
        return False


def wrong(seed: int) -> Candidate | None:
    """The wrong candidate of a seed; None where the seed gives none."""
    b = base(seed)
    if b is None or b.case.defined is not None:
        return None
    rng = random.Random(seed)
    way = rng.choice([*WRONG_WAYS, "scale"])
    if way == "scale":
        name, f, g = rng.choice(list(scaled(b, rng)))
        zero = disagreement(b, f"2*({b.text})", np.random.default_rng(seed), WITNESSES) == 0
        return (
            None
            if zero
            else Candidate(f, b.question.wrt, b.case.declared, g, f"scale: {name}", right=False)
        )
    texts = list(dict.fromkeys(WRONG_WAYS[way](b, rng)))
    rng.shuffle(texts)
    for text in texts[:4]:
        try:
            off = disagreement(b, text, np.random.default_rng(seed), WITNESSES)
        except (Undefined, MatcalcError):
            continue
        if off and not _is_transpose(b, text, seed):
            return Candidate(b.case.text, b.question.wrt, b.case.declared, text, way, right=False)
    return None


# ---- right ones ---------------------------------------------------------------------------------


def in_lines(table: str) -> list[str]:
    return [f"({text})" for line in table.strip().splitlines() for text in line.split(" | ")]


def by_name(table: str) -> Mapping[str, list[str]]:
    """The texts of each name, which may have several lines."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in table.strip().splitlines():
        name, _, texts = line.partition(": ")
        found[name] += texts.split(" | ")
    return found


# texts that are one, of a number s, of a positive number p and of a number t between -1/2 and 1/2
ONES = in_lines("""
sin({s})^2 + cos({s})^2 | cosh({s})^2 - sinh({s})^2 | exp({s})/exp({s}) | exp({s})*exp(-({s}))
exp(log({p}))/({p}) | sigmoid({s}) + sigmoid(-({s})) | ({p})^2/({p})^2 | sqrt(({p})^2)/({p})
(1 + tan({t})^2)*cos({t})^2 | exp(2*({s}))/exp({s})^2 | (1 + {s})^2 - ({s})^2 - 2*({s})
2^({s})/exp(({s})*log(2)) | ({p})^1.5/(({p})*sqrt({p})) | (tanh({s}) + 1)/(2*sigmoid(2*({s})))
log10({p})*log(10)/log({p} + 0*({s})) | (1 - tanh({s})^2)*cosh({s})^2
sin(2*({s})) + 1 - 2*sin({s})*cos({s})
""")
# that are zero
ZEROS = in_lines("""
log(exp({s})) - ({s}) | log1p(({s})^2) - log(1 + ({s})^2) | expm1({s}) + 1 - exp({s})
softplus({s}) - softplus(-({s})) - ({s}) | lgamma(1 + {p}) - lgamma({p}) - log({p})
digamma({p} + 1) - digamma({p}) - 1/({p}) | erf({s}) + erf(-({s}))
relu({s}) - relu(-({s})) - ({s}) | arcsin({t}) + arccos({t}) - pi/2
arcsinh({s}) - log({s} + sqrt(({s})^2 + 1)) | arctanh({t}) - log((1 + {t})/(1 - {t}))/2
abs({s}) - ({s})*sign({s}) | max({s}, 0) - relu({s})
arccosh({p} + 1) - log({p} + 1 + sqrt(({p} + 1)^2 - 1)) | arctan({p}) + arctan(1/({p})) - pi/2
normcdf({s}) + normcdf(-({s})) - 1 | gelu({s}) - gelu(-({s})) - ({s})
silu({s}) - ({s})*sigmoid({s}) | atan2({s}, {p}) - arctan(({s})/({p}))
hypot({s}, {p}) - sqrt(({s})^2 + ({p})^2) | cos({s}) - sin({s} + pi/2) | log({p}) + log(1/({p}))
huber({t}, 1) - ({t})^2/2
""")
# that are zero, of a vector x
OF_VECTORS = in_lines("""
norm2({x})^2 - {x}'*{x} | sum({x}) - ones({n})'*{x} | logsumexp({x}) - log(sum(exp({x})))
sum(softmax({x})) - 1 | amax({x}) + amin(-{x}) | norm1({x}) - sum(abs({x}))
tr({x}*{x}') - {x}'*{x} | norm2({x}) - sqrt({x}'*{x}) | std({x})^2 - var({x})
logdet(eye({n}) + {x}*{x}') - log(1 + {x}'*{x}) | det(eye({n}) + {x}*{x}') - 1 - {x}'*{x}
norminf({x}) - max(amax({x}), amax(-{x})) | mean({x})*{n} - sum({x})
var({x}) - {x}'*{x}/{n} + mean({x})^2 | sum(kron({x}, {x})) - sum({x})^2
normspec({x}*{x}') - {x}'*{x} | sum(conv({x}, {x})) - sum({x})^2
quadform(eye({n}), {x}) - dot({x}, {x})
""")
# that are zero, of a matrix X, m×n
OF_MATRICES = in_lines("""
norm2({X})^2 - tr({X}'*{X}) | sum({X}) - ones({m})'*{X}*ones({n}) | tr({X}*{X}') - tr({X}'*{X})
vec({X})'*vec({X}) - norm2({X})^2 | logdet(eye({m}) + {X}*{X}') - logdet(eye({n}) + {X}'*{X})
tr(inv(eye({m}) + {X}*{X}')*(eye({m}) + {X}*{X}')) - {m}
det(eye({n}) + {X}'*{X})*det(inv(eye({n}) + {X}'*{X})) - 1 | sum(eigvals({X}'*{X})) - norm2({X})^2
logdet(expm({X}'*{X})) - tr({X}'*{X}) | norm2(chol(eye({n}) + {X}'*{X}))^2 - {n} - norm2({X})^2
tr(sqrtm(eye({n}) + {X}'*{X})^2) - {n} - norm2({X})^2 | normspec({X}) - normspec({X}')
normnuc({X}) - tr(polar({X})'*{X}) | normspec({X})^2 - lambda_max({X}'*{X})
sum(rowsums({X})) - sum(colsums({X})) | amax({X}) - amax({X}')
""")
# of calls in the derivative
REWRITINGS = by_name("""
norm2: sqrt(sum(({0}).^2)) | sqrt(tr(({0})'*({0}))) | norm2(-({0})) | norm2(({0})')
inv: inv(({0})')' | inv(-({0}))*(-1) | inv(2*({0}))*2 | inv(inv(inv({0}))) | ({0})^-1
sigmoid: (1./(1 + exp(-({0})))) | ((1 + tanh(({0})/2))/2) | (1 - sigmoid(-({0})))
sigmoid: (exp({0})./(1 + exp({0}))) | exp(-softplus(-({0})))
tanh: (2*sigmoid(2*({0})) - 1) | (sinh({0})./cosh({0})) | (-tanh(-({0})))
tanh: ((1 - exp(-2*({0})))./(1 + exp(-2*({0}))))
exp: (1./exp(-({0}))) | (exp(({0})/2).^2) | (cosh({0}) + sinh({0})) | (expm1({0}) + 1)
sum: (-sum(-({0}))) | (sum(2*({0}))/2) | sum(({0})')
cos: sin({0} + pi/2) | (1 - 2*sin(({0})/2).^2) | cos(-({0}))
sin: cos({0} - pi/2) | (2*sin(({0})/2).*cos(({0})/2)) | (-sin(-({0})))
cosh: ((exp({0}) + exp(-({0})))/2) | sqrt(1 + sinh({0}).^2)
sinh: ((exp({0}) - exp(-({0})))/2)
log: (-log(1./({0}))) | (log(({0}).^2)/2) | (log10({0})*log(10))
softmax: (exp({0})/sum(exp({0}))) | exp(logsoftmax({0})) | softmax(({0}) + 3)
softmax: exp(({0}) - logsumexp({0}))
softplus: log(1 + exp({0})) | (({0}) + softplus(-({0})))
sign: (({0})./abs({0})) | (-sign(-({0}))) | (2*step({0}) - 1) | sign(({0}).^3)
step: ((1 + sign({0}))/2) | (relu({0})./({0})) | (1 - step(-({0})))
relu: ((({0}) + abs({0}))/2) | (({0}) + relu(-({0}))) | max({0}, 0)
abs: sqrt(({0}).^2) | (({0}).*sign({0})) | (relu({0}) + relu(-({0}))) | abs(-({0}))
det: det(({0})') | (1/det(inv({0})))
tr: tr(({0})') | sum(diag({0})) | sum(eye.*({0}))
diag: diag(2*({0}))/2 | (-diag(-({0})))
sqrt: exp(log({0})/2) | (({0}).^0.5)
expm: inv(expm(-({0}))) | expm(({0})/2)^2 | expm(({0})')'
polar: polar(3*({0})) | polar(({0})')'
leading: leading(3*({0})) | leading(({0})')'
ismax: ismax(2*({0}) + 1) | ismax(exp({0}))
digamma: (digamma(({0}) + 1) - 1./({0})) | polygamma(0, {0})
softmax_rows: softmax_cols(({0})')' | softmax_rows(({0}) + 1)
pinv: pinv(({0})')' | pinv(2*({0}))*2
arctan: (-arctan(-({0})))
erf: (-erf(-({0})))
logm: (2*logm(sqrtm({0})))
eigvals: eigvals(2*({0}))/2 | eigvals(({0})')
chol: chol(4*({0}))/2
sqrtm: sqrtm(4*({0}))/2 | inv(sqrtm(inv({0})))
tril: tril(-({0}))*(-1) | triu(({0})')'
triu: tril(({0})')'
kron: kron(2*({0}), {1})/2 | kron(({0})', ({1})')'
cumsum: (-cumsum(-({0})))
logsumexp: log(sum(exp({0}))) | (logsumexp(({0}) - 2) + 2)
lgamma: (lgamma(({0}) + 1) - log({0}))
conv: conv({1}, {0}) | (convmat({0}, {1})*({1}))
""")


def numbers(b: Base, rng: random.Random) -> Mapping[str, str]:
    """Numbers of the base: any, a positive one and one within (-1/2, 1/2)."""
    x = rng.choice(sorted(b.case.declared_variables))
    s = rng.choice([f"sum({x})", f"sum({x}.^2)", f"norm2({x})", f"sin(sum({x}))"])
    return {"s": s, "p": f"(1 + ({s})^2)", "t": f"(tanh({s})/2)"}


def multiplied(b: Base, rng: random.Random) -> Iterator[str]:
    for one in rng.sample(ONES, 3):
        yield f"({b.text})*{one.format(**numbers(b, rng))}"
        yield f"{one.format(**numbers(b, rng))}*({b.text})"


def added(b: Base, rng: random.Random) -> Iterator[str]:
    for zero in rng.sample(ZEROS, 3):
        yield f"({b.text})*(1 + {zero.format(**numbers(b, rng))})"
        if b.is_gradient:
            yield f"({b.text}) + {zero.format(**numbers(b, rng))}"


def of_arrays(b: Base, rng: random.Random) -> Iterator[str]:
    """Identities of vectors and of matrices."""
    generator = Generator(rng, dict(b.case.letters))
    for name, t in b.case.types.items():
        if name not in b.case.declared or t == SCALAR:
            continue
        rows, cols = map(generator.size_text, t)
        found = OF_VECTORS if t[1] == ONE else OF_MATRICES if ONE not in t else ()
        for zero in rng.sample(found, min(3, len(found))):
            yield (
                f"({b.text})*(1 + "
                f"{zero.format(x=name, X=name, n=rows if t[1] == ONE else cols, m=rows)})"
            )


def rewritten(b: Base, rng: random.Random) -> Iterator[str]:
    g = b.text
    for name, arguments, place in calls(g):
        for form in REWRITINGS.get(name, ()):
            with_arguments = form.format(*arguments, "")
            yield swapped(g, place, f"({with_arguments})")


def regrouped(b: Base, rng: random.Random) -> Iterator[str]:
    """Expanded, split, transposed twice, or through functions that undo each other."""
    g = b.text
    yield f"({g})/2 + ({g})/2"
    yield f"3*({g}) - 2*({g})"
    yield f"((({g})'))'"
    yield f"-(-({g}))"
    yield f"(({g})*7)/7"
    yield f"2*(({g}) + ({g}))/4"
    yield f"(1/3)*({g}) + (2/3)*({g})"
    yield f"(({g}) + 1) - 1"
    yield f"log(exp({g}))"
    yield f"({g}).*(({g}).^2 + 1)./(({g}).^2 + 1)"
    yield f"arcsinh(sinh({g}))"
    yield f"sqrt(({g}).^2).*sign({g})"
    yield f"relu({g}) - relu(-({g}))"
    for node in nodes(g, "product"):
        if [str(c) for c in node.children[1::2]] == ["*"]:
            a, c = (g[slice(*span(k))] for k in node.children[::2])
            yield swapped(g, span(node), f"(({c})'*({a})')'")
            yield swapped(g, span(node), f"((({a}) + ({a}))*({c})/2)")
    for node in nodes(g, "power"):
        a, c = (g[slice(*span(k))] for k in node.children[::2])
        if c == "2":
            yield swapped(
                g, span(node), f"(({a}){'.*' if str(node.children[1]) == '.^' else '*'}({a}))"
            )
    for node in nodes(g, "name"):
        t = b.case.types.get(str(node.children[0]))
        if t is not None:
            name = str(node.children[0])
            yield swapped(
                g,
                span(node),
                rng.choice(
                    [
                        f"(2*{name} - {name})",
                        f"({name}/3*3)",
                        f"({name}'')",
                        f"(({name} + 1) - 1)",
                        f"log(exp({name}))",
                    ]
                ),
            )
    if b.type != SCALAR and b.type[1] == ONE and b.is_gradient:
        n = size_text(b, 0)
        yield f"inv(2*eye({n}))*({g})*2"
        yield f"diag({g})*ones({n})"
        yield f"diag(diag({g}))"
        yield f"vec(({g})')"
    if b.type != SCALAR and ONE not in b.type and b.is_gradient:
        yield f"eye({size_text(b, 0)})*({g})*eye({size_text(b, 1)})"
        yield f"[({g})[1,:]; ({g})[2:,:]]"


# that are one for all values with a property
FACTS = by_name("""
simplex: sum({x}) | (2 - sum({x}))
symmetric: (1 + norm2({x} - {x}')^2)
spd: (1 + sum(({x} - {x}').^2)) | (abs(det({x}))/det({x}))
orthogonal: (1 + norm2({x}'*{x} - eye)^2) | det({x})^2
diagonal: (1 + norm2({x} - diag(diag({x})))^2)
positive: (norm1({x})/sum({x}))
unit: (sum(abs({x}))/sum({x}))
pm1: (1 + sum({x}.^2 - 1))
mask: (1 + sum({x}.^2 - {x}))
onehot: (1 + sum({x}.^2 - {x}))
lower: (1 + norm2({x} - tril({x}))^2)
upper: (1 + norm2(triu({x}) - {x})^2)
""")


def on_the_set(b: Base, rng: random.Random) -> Iterator[str]:
    """Terms that vanish for all values with the declared properties."""
    for name, d in b.case.declared.items():
        for word in d.split()[1:]:
            for fact in FACTS.get(word, ()):
                yield f"({b.text})*{fact.format(x=name)}"


RIGHT_WAYS: Mapping[str, Mutation] = {
    "times one": multiplied,
    "plus zero": added,
    "of arrays": of_arrays,
    "rewritten": rewritten,
    "regrouped": regrouped,
    "on the set": on_the_set,
}


def right(seed: int) -> Candidate | None:
    """The right candidate of a seed, in an unusual form; None where the seed gives none."""
    b = base(seed)
    if b is None or b.case.defined is not None:
        return None
    rng = random.Random(seed)
    way = rng.choice([*RIGHT_WAYS, "rewritten", "regrouped"])
    texts = list(dict.fromkeys(RIGHT_WAYS[way](b, rng)))
    rng.shuffle(texts)
    for text in texts[:4]:
        try:
            if (
                disagreement(b, text, np.random.default_rng(seed), AGREEING * 2) == 0
                and "eye(1)[2" not in text
            ):
                return Candidate(
                    b.case.text, b.question.wrt, b.case.declared, text, way, right=True
                )
        except (Undefined, MatcalcError):
            continue
    return None


# ---- the run ------------------------------------------------------------------------------------


@dataclass
class Report:
    seed: int
    outcomes: dict[bool, Counter[str]] = field(
        default_factory=lambda: {False: Counter(), True: Counter()}
    )
    ways: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    failures: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    seconds: list[float] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def add(self, c: Candidate) -> str:
        outcome, note, took = asked(c)
        name = "right" if c.right else "wrong"
        self.outcomes[c.right][outcome] += 1
        self.ways[f"{name}, {c.way}"][outcome] += 1
        self.seconds.append(took)
        self.seen.update(set(fuzz.used(c.expr)))
        if outcome in ("crash", "slow") or (outcome == "accepted") != c.right:
            self.failures[f"{'right' if c.right else 'wrong'} {outcome}"].append(
                f"[{c.way}] {c}  # {note}"
            )
        return outcome

    def show(self) -> str:
        median, longest = sorted(self.seconds)[len(self.seconds) // 2], max(self.seconds)
        lines = [
            f"seed {self.seed}: a check takes {median:.3f} s in median, {longest:.1f} s at most"
        ]
        for kind, name in ((False, "wrong"), (True, "right")):
            if total := sum(self.outcomes[kind].values()):
                lines.append(f"{total} {name} ones: {_counts(self.outcomes[kind])}")
        lines += ["", *(f"{way:38} {_counts(c)}" for way, c in sorted(self.ways.items()))]
        for name, cases in sorted(self.failures.items()):
            lines += ["", f"{len(cases)} {name}", *(f"    {c}" for c in sorted(cases, key=len))]
        functions = {row.name for row in visible()} | set(MACROS)
        missing = ", ".join(sorted(functions - set(self.seen)))
        return "\n".join([*lines, "", f"never seen: {missing or 'nothing'}"])


def _counts(outcomes: Counter[str]) -> str:
    return ", ".join(f"{n} {outcome}" for outcome, n in outcomes.most_common())


def asked(c: Candidate) -> tuple[str, str, float]:
    """What the checker says: accepted, called wrong, not decided, refused, or it crashes."""
    start = time.process_time()
    try:
        with patience(30), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            verdict = mc.check(c.expr, c.wrt, c.text, dict(c.shapes))
    except MatcalcError as problem:
        return "refused", str(problem).splitlines()[0][:100], time.process_time() - start
    except fuzz.Expired:
        return "slow", "over 30 s", time.process_time() - start
    except Exception as problem:
        return (
            "crash",
            f"{type(problem).__name__}: {problem}"[:100] + " " + fuzz.last_line(problem),
            time.process_time() - start,
        )
    took = time.process_time() - start
    return (
        ("accepted" if verdict.ok else "called wrong" if verdict.wrong else "not decided"),
        str(verdict)[:200],
        took,
    )


def generated(
    make: Callable[[int], Candidate | None], first: int, number: int
) -> Iterator[Candidate]:
    """So many candidates, from consecutive seeds."""
    seed, made, known = first * 1000, 0, set[str]()
    while made < number:
        candidate = None
        try:
            with patience(30):
                candidate = make(seed)
        except (Undefined, fuzz.Expired):
            pass
        seed += 1
        if candidate is not None and str(candidate) not in known:
            known.add(str(candidate))
            made += 1
            yield candidate


def run(seed: int, number: int, log: Callable[[str], None] | None = None) -> Report:
    report = Report(seed)
    for c in quoted():
        report.add(c)
    for make in (wrong, right):
        for k, c in enumerate(generated(make, seed, number)):
            outcome = report.add(c)
            if log is not None and (k % 100 == 99 or (outcome == "accepted") != c.right):
                log(f"{k}: {outcome} [{c.way}] {c}")
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=200, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", default="")
    options = parser.parse_args(arguments)
    report = run(
        options.seed,
        options.cases,
        (lambda line: print(line, file=sys.stderr, flush=True)) if options.json else None,
    )
    print(report.show())
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"failures": report.failures}, file, ensure_ascii=False, indent=1)
    return int(report.outcomes[False]["accepted"] + report.outcomes[True]["called wrong"] > 0)


if __name__ == "__main__":
    sys.exit(main())
