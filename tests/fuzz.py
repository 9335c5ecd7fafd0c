"""Random cases over the whole table, each judged by differences of what its text means.

    python tests/fuzz.py --cases 20000 --seed 1

prints a table of outcomes, and every case that fails, cut down. Nothing of matcalc's own
verification is asked: the text is read by :mod:`meaning`, to sixty digits, and the printed
derivative too.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from itertools import product
from typing import Any

import expressions
import meaning
import numpy as np
from expressions import Case
from lark import Token
from meaning import MP, Point, Unclear, Undefined
from targets import double_precision

import matcalc as mc
from matcalc.errors import MatcalcError, WrongAnswer
from matcalc.expr import declared_text
from matcalc.labels.index_form import IndexForm
from matcalc.language.syntax import syntax
from matcalc.tables.functions import MACROS, visible

Array = Any
# what compiled code needs, and every how many cases it is tried: tracing and compiling are slow
TARGETS = {
    "numpy": ("numpy", 1),
    "numba": ("numba", 40),
    "array_api": ("array_api_strict", 8),
    "jax": ("jax", 50),
    "torch": ("torch", 12),
}
LIMIT = 2.0  # seconds of the processor for a derivation with its verification
PATIENCE, ORACLE = 12.0, 3.0  # seconds after which a derivation, or its judge, is given up
TRIES, POINTS = 14, 2  # points that are drawn, and at which a derivative is compared
STEP = {1: MP.mpf(10) ** -20, 2: MP.mpf(10) ** -14, 3: MP.mpf(10) ** -11}
ONE_SIDED = {1: MP.mpf(10) ** -25, 2: MP.mpf(10) ** -20, 3: MP.mpf(10) ** -14}
SETTLED = MP.mpf(10) ** -8  # how far differences of two steps may be apart
WRONG = MP.mpf(10) ** -10  # relative: beyond the error of the differences
SMALL = 1e-4  # numbers of compiled code below are compared with this
MANY = 20_000  # entries of an answer of compiled code that are compared
OF_CODE = 1e-6  # relative, where only the compiled answer can be read
COARSE = 1e-3  # below which it may be doubles that cancel
OF_DOUBLES = 1e-7  # between compiled code and the sixty digits

ENOUGH = 2  # cases of one cause that are cut down

BAD = ("WRONG", "SELF-REFUTED", "CRASH", "SLOW", "TARGET", "READBACK", "CHECK")
DEFECTS = tuple(label for label in BAD if label not in ("SLOW", "READBACK"))  # whatever the machine
FAIR = ("right", "not verified", "undecided", "refused")


class Expired(BaseException):
    """A case ran out of time."""


@dataclass(frozen=True)
class Question:
    """What is asked of an expression."""

    wrt: str
    order: int = 1
    along: str | None = None
    layout: str = "denominator"
    symmetric: str = "gradient"
    together: bool = False

    @property
    def options(self) -> dict[str, Any]:
        usual = Question(self.wrt)
        named = ("order", "along", "layout", "symmetric")
        return {n: getattr(self, n) for n in named if getattr(self, n) != getattr(usual, n)}

    @property
    def kind(self) -> str:
        words = [
            f"order {self.order}",
            "along" * (self.along is not None),
            self.layout[:3] * (self.layout != "denominator"),
        ]
        return " ".join(
            w
            for w in [
                *words,
                self.symmetric * (self.symmetric != "gradient"),
                "together" * self.together,
            ]
            if w
        )


@dataclass
class Outcome:
    label: str
    detail: str = ""
    where: str = ""
    seconds: float = 0.0
    answer: str = ""

    @property
    def bad(self) -> bool:
        return self.label in BAD

    @property
    def group(self) -> str:
        """What defects of one cause have in common."""
        detail = re.sub(r"[0-9.]+|e[+-][0-9]+", "#", self.detail)
        return f"{self.label}: {detail[:70]} {self.where}".strip()


# ---- points -------------------------------------------------------------------------------------

LINEAR = (
    "symmetric",
    "spd",
    "diagonal",
    "lower",
    "upper",
)  # sets that are spaces, in which a variable moves


def drawn(
    shape: tuple[int, int], properties: Sequence[str], rng: np.random.Generator, kind: int
) -> Array:
    """A value with its declared properties, of doubles wherever that is exact."""
    rows, cols = shape
    if 0 in shape:
        return meaning.constant(0, *shape)
    for name in properties:
        if name == "spd":
            a = np.round(rng.uniform(-1, 1, shape), 6)
            return meaning.array(a) @ meaning.array(a).T + meaning.identity(rows) / 2
        if name == "symmetric":
            a = rng.uniform(-1.5, 1.5, shape)
            return meaning.array((a + a.T) / 2)
        if name == "diagonal":
            return meaning.array(np.diag(rng.uniform(0.3, 1.7, rows)))
        if name in ("lower", "upper"):
            a = rng.uniform(-1, 1, shape) + np.eye(rows)
            return meaning.array(np.tril(a) if name == "lower" else np.triu(a))
        if name == "orthogonal":
            k = meaning.array(np.triu(rng.uniform(-1, 1, shape), 1))
            return (meaning.identity(rows) - (k - k.T)) @ meaning.inverse(
                meaning.identity(rows) + (k - k.T)
            )
        if name == "simplex":
            weights = rng.integers(1, 9, shape).astype(object)
            total = 1 << int(weights.sum()).bit_length()
            weights[0, 0] += total - weights.sum()
            return meaning.array(weights) / MP.mpf(total)
        if name == "onehot":
            place = rng.integers(0, rows if cols == 1 else cols, 1 if cols == 1 else rows)
            return meaning.array(
                np.eye(rows if cols == 1 else cols)[place].T if cols == 1 else np.eye(cols)[place]
            )
        if name in ("pm1", "mask"):
            return meaning.array(rng.choice([-1.0 if name == "pm1" else 0.0, 1.0], shape))
        if name == "unit":
            return meaning.array(rng.uniform(0.05, 0.95, shape))
        if name == "positive":
            return meaning.array(rng.uniform(0.1, 2.0, shape))
    spread = (1.2, 0.6, 1.0, 3.0)[kind % 4]
    a = rng.uniform(-spread, spread, shape) + (1.5 if kind % 4 == 2 else 0)
    return meaning.array(a + (1.5 * np.eye(rows) if rows == cols > 1 and kind % 2 else 0))


def direction(shape: tuple[int, int], properties: Sequence[str], rng: np.random.Generator) -> Array:
    """A direction in which a variable may move: any, unless it is declared to have a structure."""
    d = np.round(rng.uniform(-1, 1, shape), 4)
    for name in properties:
        if name in ("symmetric", "spd"):
            d = (d + d.T) / 2
        elif name == "diagonal":
            d = np.diag(np.diag(d))
        elif name in ("lower", "upper"):
            d = np.tril(d) if name == "lower" else np.triu(d)
    return meaning.array(d)


def lengths(case: Case, rng: np.random.Generator, kind: int) -> dict[str, int]:
    """A length for every letter."""
    free = list(rng.permutation([2, 3, 4, 5] if kind % 2 else [3, 2, 4, 3]))
    named = {
        text: int(k) for text, k in zip(dict.fromkeys(case.letters.values()), free, strict=False)
    }
    return {
        letter: int(t) if (t := case.letters[letter]).isdigit() else named[t] for letter in "mnkl"
    }


def length(size: expressions.Size, of: Mapping[str, int]) -> int:
    if len(size) == 1:
        return of[str(size[0])] if str(size[0]) in of else int(str(size[0]))
    a, b = length(size[1], of), length(size[2], of)  # type: ignore[arg-type]
    return {"+": a + b, "-": a - b, "*": a * b}[str(size[0])]


@dataclass
class Place:
    """A point of a case: what the interpreter reads, and the same as arrays of doubles."""

    at: Point
    properties: Mapping[str, Sequence[str]]

    def moved(self, steps: Mapping[str, Array]) -> Point:
        return Point(
            self.at.values | {n: self.at.values[n] + d for n, d in steps.items()}, self.at.sizes
        )


def point(
    case: Case,
    program: Any,
    question: Question | None,
    rng: np.random.Generator,
    kind: int,
    short: str = "",
) -> Place:
    of = lengths(case, rng, kind)
    if short:  # one size at its smallest
        letter, shortest = short[0], int(short[1:])
        of |= {
            k: shortest
            for k in "mnkl"
            if case.letters[k] == case.letters[letter] and not case.letters[k].isdigit()
        }
    properties = {n: d.split()[1:] for n, d in case.shapes.items()}
    if case.undeclared:
        properties = dict.fromkeys(case.shapes, ())
    values = {}
    names = set(re.findall(r"[^\W\d]\w*", case.text)) & set(case.shapes)
    for n, t in case.types.items():
        if n in names:
            shape = (length(t[0], of), length(t[1], of))
            if min(shape) < 0:
                raise Unclear("a length below 0")
            values[n] = drawn(shape, properties[n], rng, kind)
    sizes = {text: of[letter] for letter, text in case.letters.items() if not text.isdigit()}
    for name, v in getattr(program, "variables", {}).items():
        if name in values:
            for size, k in zip(
                v.shape,
                [
                    s
                    for s, t in zip(values[name].shape, case.types[name], strict=True)
                    if t != expressions.ONE
                ],
                strict=False,
            ):
                if isinstance(size, str) and re.fullmatch(r"[a-z]\w*", size):
                    sizes[size] = k
    for name, axis in case.places.items():
        sizes[name] = (
            1 if axis == expressions.ONE else int(rng.integers(1, max(1, length(axis, of)) + 1))
        )
    for name in case.whole:
        sizes[name] = 2 + kind % 2
    if question is not None and question.along:
        values[question.along] = direction(
            values[question.wrt].shape, properties[question.wrt], rng
        )
    return Place(Point(values, sizes), properties)


# ---- the oracle ---------------------------------------------------------------------------------


def differences(
    text: str, place: Place, wrt: str, directions: Sequence[Array], h: Any, one_sided: bool = False
) -> Array:
    """The derivative of a text along directions; central, or to the side to which they point."""
    steps = [(1, 1), (0, -1)] if one_sided else [(1, 1), (-1, -1)]
    total: Any = 0
    for chosen in product(steps, repeat=len(directions)):
        move = sum(
            (k * h * d for (k, _), d in zip(chosen, directions, strict=True)), 0 * directions[0]
        )
        sign = int(np.prod([s for _, s in chosen]))
        total = total + sign * meaning.value(text, place.moved({wrt: move}))
    return total / (h if one_sided else 2 * h) ** len(directions)


def slope(
    text: str, place: Place, wrt: str, directions: Sequence[Array], kinked: bool
) -> Array | None:
    """The derivative along directions, or None where those to different sides are apart."""
    if kinked:
        near = {wrt: ONE_SIDED[len(directions)] * directions[0]}
        if rank(text, place.moved({})) != rank(text, place.moved(near)):
            return None
        sides = list(one_sided(text, place, wrt, directions))
        if any(apart(sides[0], other) > SETTLED for other in sides[1:]):
            return None
    return differences(text, place, wrt, directions, STEP[len(directions)])


def rank(text: str, at: Point) -> int:
    """The ranks of the matrices that are pseudo-inverted, together: where they change, there is
    no derivative.
    """
    meaning.value(text, at)
    return at.ranks


def one_sided(text: str, place: Place, wrt: str, directions: Sequence[Array]) -> Iterator[Array]:
    """The derivative along directions, with each of them turned around in every combination."""
    h = ONE_SIDED[len(directions)]
    for signs in product((1, -1), repeat=len(directions)):
        turned = [s * d for s, d in zip(signs, directions, strict=True)]
        yield int(np.prod(signs)) * differences(text, place, wrt, turned, h, one_sided=True)


def apart(a: Array, b: Array) -> Any:
    """The largest difference of two arrays, relative to their largest entry."""
    a, b = np.asarray(a, dtype=object), np.asarray(b, dtype=object)
    scale = max([abs(x) for x in a.ravel()] + [abs(x) for x in b.ravel()] + [MP.mpf(10) ** -20])
    return max([abs(x) for x in (a - b).ravel()] + [MP.mpf(0)]) / scale


def contracted(claim: Array, directions: Sequence[Array]) -> Array:
    """A derivative applied to directions, the last axes first."""
    for d in reversed(directions):
        nothing = np.zeros(claim.shape[:-2], dtype=object)
        claim = (claim * d).sum(axis=(-2, -1)) if claim.size else nothing
    return claim


def each_once(directions: Sequence[Array], symmetric: str) -> list[Array]:
    """Directions for a derivative by elements, which has the two entries of each pair as one."""
    if symmetric != "elements":
        return list(directions)
    return [meaning.triangle(d, lambda i, j: i <= j) for d in directions]


def claimed(
    d: Any, place: Place, shape: Sequence[int], directions: Sequence[Array] = (), exact: bool = True
) -> Array:
    """What the printed answer means, an array of this shape, applied to directions.

    Sums over the indices of an index form are of doubles unless ``exact``.
    """
    if isinstance(d.result, IndexForm):
        return _form_claimed(d, place, shape, directions, exact)
    found = meaning.value(str(d.result), place.at)
    if d.layout == "numerator":
        found = found.T
    if found.size != int(np.prod(shape)):
        raise Misshapen(f"the printed answer has shape {found.shape}, not {tuple(shape)}")
    return contracted(found.reshape(shape), directions)


def _form_claimed(
    d: Any, place: Place, shape: Sequence[int], directions: Sequence[Array], exact: bool
) -> Array:
    """Of axes of length one by declaration an index form has no index."""
    text, form = str(d.result), d.result
    if re.search(r"\[\w+(,\w+){2,}\]", text) or any(len(size) > 1 for size in form.axes):
        raise Unclear("a product of sizes has two indices")
    kept = [bool(size) for axes in form.shapes for size in axes]
    if len(kept) != len(shape):
        raise Unclear("other axes than those of the expression and of the variable")
    axes = [k for k, keep in zip(shape, kept, strict=True) if keep]
    first = len(shape) - 2 * len(directions)
    reduced = [
        v.reshape([k for k, keep in zip(v.shape, kept[first + 2 * i :], strict=False) if keep])
        for i, v in enumerate(directions)
    ]
    try:
        found = meaning.form_value(text, axes, place.at, form.alphabet, reduced, exact)
    except (ValueError, IndexError, ArithmeticError) as problem:  # of NumPy and mpmath
        raise Unclear(f"{type(problem).__name__}: {problem}") from None
    return found.reshape(shape[:first])


def claimed_by_code(
    d: Any, place: Place, case: Case, question: Question, shape: tuple[int, ...]
) -> Array:
    """What the compiled answer gives, where the interpreter cannot read it."""
    with np.errstate(all="ignore"):
        try:
            found = np.asarray(
                d.compile()(**of_doubles(place, case.types, question, "numpy")), dtype=float
            )
        except Exception as problem:  # it is another question whether the code runs
            raise Unclear(str(problem)) from None
    if not np.isfinite(found).all():
        raise Undefined("not finite")
    found = found.T if d.layout == "numerator" else found
    if found.size != int(np.prod(shape)):
        raise Misshapen(f"the answer has shape {found.shape}, not {shape}")
    return meaning.array(found.reshape(-1)).reshape(shape)


class Misshapen(Exception):
    """A printed answer of the wrong shape."""


def judged_by_differences(
    d: Any, case: Case, question: Question, places: Iterator[Place], rng: np.random.Generator
) -> Outcome:
    """Right or wrong at the first points that decide it."""
    decided, reason = 0, "no point"
    for place in places:
        try:
            found = judged_at(d, case, question, place, rng)
        except Undefined as problem:
            reason = str(problem)
            continue
        except Unclear as problem:
            return Outcome("undecided", f"interpreter: {problem}")
        except Misshapen as problem:
            return Outcome("WRONG", str(problem))
        if found.bad:
            return found
        reason = found.detail or reason
        decided += found.label == "right"
        if decided == POINTS:
            break
    return Outcome("right") if decided else Outcome("undecided", reason)


def judged_at(
    d: Any, case: Case, question: Question, place: Place, rng: np.random.Generator
) -> Outcome:
    """What differences at a point say; raises Undefined, Unclear or Misshapen."""
    here = meaning.value(case.text, place.at)
    x, properties = place.at.values[question.wrt], place.properties[question.wrt]
    kinked = place.at.kinks > 0
    own = [direction(x.shape, properties, rng) for _ in range(question.order)]
    along = [] if question.along is None else [place.at.values[question.along]]
    left = own[: question.order - len(along)]
    full = (*here.shape, *x.shape * len(left))
    allowed, applied = WRONG, each_once(left, question.symmetric)
    try:
        told = claimed(d, place, full, applied)
    except Unclear:
        allowed = MP.mpf(OF_CODE)
        told = contracted(claimed_by_code(d, place, case, question, full), applied)
    directions = [*left, *along]
    measured = slope(case.text, place, question.wrt, directions, kinked)
    if measured is None:
        return Outcome("undecided", "at a kink")
    gap = apart(told, measured)
    if allowed > WRONG and allowed < gap < COARSE:
        return Outcome("undecided", "what doubles say is off a little")
    if gap > allowed and not _both_zero(told, measured, here):
        h = STEP[len(directions)] / 7
        again = differences(case.text, place, question.wrt, directions, h)
        if apart(again, measured) * 100 > gap:
            return Outcome("undecided", "differences do not settle")
        return Outcome("WRONG", f"off by {float(gap):.1e}", where=_shown(place))
    if question.order == 1 and not along and d.expr.is_scalar and isinstance(d.result, mc.Expr):
        off = _pattern(claimed(d, place, full).reshape(x.shape), properties)
        return Outcome("WRONG", off) if off else Outcome("right")
    return Outcome("right")


def _both_zero(a: Array, b: Array, value: Array) -> bool:
    """Nothing but rounding is left of either."""
    scale = max([abs(v) for v in value.ravel()] + [MP.mpf(1)])
    return all(
        abs(x) < scale * MP.mpf(10) ** -15 for x in np.concatenate([np.ravel(a), np.ravel(b)])
    )


def _pattern(g: Array, properties: Sequence[str]) -> str:
    """A gradient has the structure of its variable."""
    for name in properties:
        if name in ("symmetric", "spd") and apart(g, g.T) > WRONG:
            return "a gradient by a symmetric variable that is not symmetric"
        keeps: dict[str, Callable[[int, int], bool]] = {
            "diagonal": lambda i, j: i == j,
            "lower": lambda i, j: i >= j,
            "upper": lambda i, j: i <= j,
        }
        if name in keeps and apart(g, meaning.triangle(g, keeps[name])) > WRONG:
            return f"a gradient by a {name} variable that is not {name}"
    return ""


def _shown(place: Place) -> str:
    sizes = ", ".join(f"{n}={k}" for n, k in place.at.sizes.items())
    values = "; ".join(
        f"{n}={np.round(a.astype(float), 3).tolist()}"
        for n, a in place.at.values.items()
        if a.size <= 9
    )
    return f"{sizes} {values}"[:300]


# ---- compiled code ------------------------------------------------------------------------------


def of_doubles(
    place: Place, types: Mapping[str, expressions.Type], question: Question, target: str
) -> dict[str, Any]:
    out: dict[str, Any] = dict(place.at.sizes)
    for n, a in place.at.values.items():
        t = types[question.wrt if n == question.along else n]
        b = a.astype(float)
        b = b[0, 0] if t == expressions.SCALAR else b.reshape(-1) if t[1] == expressions.ONE else b
        out[n] = float(b) if t == expressions.SCALAR else in_target(target, b)
    if target == "torch" and all(isinstance(v, (int, float)) for v in out.values()):
        # Python's numbers alone are of torch's default type, which is a single one
        out = {
            n: in_target(target, np.float64(v)) if isinstance(v, float) else v
            for n, v in out.items()
        }
    return out


def in_target(target: str, a: Array) -> Any:
    if target == "torch":
        import torch

        return torch.as_tensor(a)
    if target == "array_api":
        import array_api_strict

        return array_api_strict.asarray(a)
    return a


def judged_by_code(
    d: Any, case: Case, question: Question, place: Place, target: str, value: bool
) -> Outcome:
    """Compiled code gives what the texts say, or refuses."""
    wanted = _wanted(d, case, question, place)
    try:
        with np.errstate(all="ignore"), double_precision(target):
            function = d.compile(target, value=value)
            found = function(**of_doubles(place, case.types, question, target))
    except MatcalcError as problem:
        return Outcome("right", f"{target}: {problem}")
    except Exception as problem:
        said = f"{target}: {type(problem).__name__}: {problem}"[:150]
        if "linalg" in said.lower():  # torch has errors of its own
            return Outcome("undecided", said)  # a matrix may be singular in doubles alone
        if wanted is None and isinstance(problem, ArithmeticError):
            return Outcome("right", said)  # where there is no value
        return Outcome("CRASH", said, last_line(problem))
    if wanted is None:
        return Outcome("undecided", "no point")
    here, claim = wanted
    if value and (off := _gap(found[0], here)) > _allowed(case.text, place, here, off):
        return Outcome("TARGET", f"{target}: the value is off by {off:.1e}", where=_shown(place))
    got = np.asarray(found[1] if value else found, dtype=float)
    if got.size != claim.size:
        return Outcome("TARGET", f"{target}: {got.size} entries, not {claim.size}")
    got = got.T if d.layout == "numerator" else got
    if (off := _gap(got, claim)) > _allowed(d, place, claim, off):
        said = f"{target}: the derivative is off by {off:.1e}"
        return Outcome("TARGET", said, where=_shown(place))
    return Outcome("right")


def _wanted(d: Any, case: Case, question: Question, place: Place) -> tuple[Array, Array] | None:
    """The value and the derivative that the texts say, or None where they say none."""
    try:
        here = meaning.value(case.text, place.at)
        shape = place.at.values[question.wrt].shape
        full = (*here.shape, *shape * (question.order - (question.along is not None)))
        if np.prod(full) > MANY:
            return None
        return here, claimed(d, place, full, exact=False)
    except (Undefined, Unclear, Misshapen):
        return None


def _gap(got: Any, wanted: Array) -> float:
    a, b = np.asarray(got, dtype=float).reshape(-1), wanted.reshape(-1).astype(float)
    if not a.size:
        return 0.0
    if not np.isfinite(a).all():
        return float("inf")
    scale = max(np.abs(a).max(), np.abs(b).max(), SMALL)
    return float(np.abs(a - b).max() / scale)


def _allowed(of: Any, place: Place, wanted: Array, off: float) -> float:
    """How far doubles may be off here: more than the usual where their last digits matter."""
    if off <= OF_DOUBLES:
        return OF_DOUBLES
    rng = np.random.default_rng(0)
    steps = {
        n: a * meaning.array(rng.uniform(-1e-13, 1e-13, a.shape))
        for n, a in place.at.values.items()
        if a.size
    }
    moved = Place(place.moved(steps), place.properties)
    try:
        text = isinstance(of, str)
        there = meaning.value(of, moved.at) if text else claimed(of, moved, wanted.shape, (), False)
    except (Undefined, Unclear, Misshapen):
        return float("inf")
    return max(OF_DOUBLES, 1e3 * _gap(there, wanted))


def last_line(problem: BaseException) -> str:
    """The deepest line of matcalc that an exception passed."""
    frames = [
        f
        for f in traceback.extract_tb(problem.__traceback__)
        if "matcalc" in f.filename and "tests" not in f.filename
    ]
    return (
        f"{frames[-1].filename.rsplit('matcalc/', 1)[-1]}:{frames[-1].lineno} {frames[-1].name}"
        if frames
        else ""
    )


# ---- a case -------------------------------------------------------------------------------------


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    def expire(*_: Any) -> None:
        raise Expired

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)  # again, if a destructor has swallowed it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def is_symmetric(case: Case, name: str) -> bool:
    return any(p in case.shapes[name].split() for p in ("symmetric", "spd"))


def question_of(case: Case, seed: int) -> Question | None:
    """What is asked of the case of a seed: every kind of derivative in turn."""
    rng = random.Random(seed * 7 + 3)
    names = sorted(n for n in case.shapes if re.search(rf"(?<!\w){re.escape(n)}(?!\w)", case.text))
    if not names:
        return None
    wrt = rng.choice(names)
    is_scalar = case.tree.type == expressions.SCALAR
    direct = next(
        n
        for n in ("V", "v", "D", "dd", "Vdir")
        if n not in case.shapes and n not in case.letters.values()
    )
    linear = is_symmetric(case, wrt)
    options = [Question(wrt)] * 6 + [Question(wrt, along=direct)] * 2
    if is_scalar:
        options += (
            [Question(wrt, 2)] * 3
            + [Question(wrt, 2, direct)] * 2
            + [Question(wrt, layout="numerator"), Question(wrt, together=True)]
        )
        options += (
            [Question(wrt, 3)]
            if case.types[wrt] == expressions.SCALAR or expressions.ONE in case.types[wrt]
            else []
        )
        options += [Question(wrt, 3, direct)]
        options += [Question(wrt, symmetric="elements")] * 4 * linear + [
            Question(wrt, 2, symmetric="elements")
        ] * linear
    else:
        options += [Question(wrt, 2, direct), Question(wrt, 2)] + [
            Question(wrt, symmetric="elements")
        ] * linear
    return rng.choice(options)


def judge(case: Case, question: Question, seed: int, extras: bool = True) -> Outcome:
    """The outcome of a case, the worst first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = _derived(case, question)
        if isinstance(found, Outcome):
            return found
        d, took = found
        try:
            with patience(ORACLE):
                outcome = _of_answer(d, case, question, seed, extras)
        except Expired:
            outcome = Outcome("undecided", "the oracle takes too long")
        if not outcome.bad and took > LIMIT:
            outcome = Outcome("SLOW", f"{took:.1f} s")
        elif not outcome.bad and not d.verification.ok:
            outcome = Outcome("not verified", f"{outcome.label}; {d.verification.note}"[:160])
        return replace(outcome, seconds=took, answer=str(d.result))


def derived(text: str, question: Question, declared: Mapping[str, str]) -> Any:
    if question.together:
        return mc.derive(text, None, declared)[question.wrt]
    return mc.derive(text, question.wrt, declared, **question.options)


def _derived(case: Case, question: Question) -> tuple[Any, float] | Outcome:
    """The derivation and how long it took, or why there is none."""
    start = time.process_time()
    try:
        with patience(PATIENCE):
            d = derived(case.text, question, case.declared)
        return d, time.process_time() - start
    except Expired:
        return Outcome("SLOW", f"over {PATIENCE:.0f} s", seconds=PATIENCE)
    except WrongAnswer:
        return Outcome("SELF-REFUTED", "failed its own verification")
    except MatcalcError as problem:
        took, said = time.process_time() - start, f"{type(problem).__name__}: {problem}"
        if any(word in said for word in ("report", "defect", "internal")):
            return Outcome("CRASH", said[:120])
        return Outcome("SLOW" if took > LIMIT else "refused", said.splitlines()[0][:120], "", took)
    except Exception as problem:
        if question.together and problem.args == (question.wrt,):
            return Outcome("refused", "the variable has cancelled")
        return Outcome("CRASH", f"{type(problem).__name__}: {problem}"[:120], last_line(problem))


def _of_answer(d: Any, case: Case, question: Question, seed: int, extras: bool) -> Outcome:
    rng = np.random.default_rng(seed)
    places = (point(case, d.program, question, rng, k) for k in range(TRIES))
    found = judged_by_differences(d, case, question, places, rng)
    if found.bad:
        return found
    others = _others(d, case, question, seed, rng, extras)
    return next((o for o in others if o.bad), found)


def _others(
    d: Any, case: Case, question: Question, seed: int, rng: np.random.Generator, extras: bool
) -> Iterator[Outcome]:
    """All else that should hold of an answer; what takes long is looked at in some of the cases."""
    yield reads_back(d, case, question)
    if not extras:
        return
    places = [point(case, d.program, question, rng, k) for k in range(TRIES)]
    place = next((p for p in places if is_defined(case.text, p)), None)
    for k, (target, (module, every)) in enumerate(TARGETS.items()):
        if place is not None and (seed + k) % every == 0 and find_spec(module):
            yield judged_by_code(d, case, question, place, target, value=seed % 5 == 0)
    named = [letter for letter in "mnkl" if not case.letters[letter].isdigit()]
    if named and seed % 4 == 0:
        short = f"{named[seed // 4 % len(named)]}{seed // 16 % 2}"
        with suppress(Unclear):  # no such size
            place = point(case, d.program, question, rng, 0, short)
            found = judged_by_code(d, case, question, place, "numpy", value=False)
            yield replace(found, detail=f"size {short[1:]}: {found.detail}")
    if seed % 6 == 1:
        yield from _shows(d, case, question)


def is_defined(text: str, place: Place) -> bool:
    try:
        meaning.value(text, place.at)
    except (Undefined, Unclear):
        return False
    return True


def reads_back(d: Any, case: Case, question: Question) -> Outcome:
    """The printed answer is an expression of the same shape that prints alike."""
    if isinstance(d.result, IndexForm):
        return Outcome("right")
    text, declared = str(d.result), dict(d.program.declarations)
    if d.along is not None:
        declared[d.along.name] = declared_text(d.along)
    try:
        again = mc.parse(text, declared)
    except MatcalcError as problem:
        return Outcome("READBACK", f"{problem}".splitlines()[0][:120])
    if again.shape != d.result.shape:
        return Outcome("READBACK", f"it is read with the shape {again.shape}, not {d.result.shape}")
    if again is not d.result and str(again) != text:
        return Outcome("READBACK", f"it is read as {str(again)[:80]}")
    return Outcome("right")


def _shows(d: Any, case: Case, question: Question) -> Iterator[Outcome]:
    """Everything else that is printed of an answer, and the answer given back as a candidate."""
    for name, show in (
        ("latex", d.latex),
        ("str", d.__str__),
        ("explain", d.explain),
        ("repr", d.__repr__),
    ):
        try:
            show()
        except MatcalcError:
            continue
        except Exception as problem:
            yield Outcome(
                "CRASH", f"{name}: {type(problem).__name__}: {problem}"[:120], last_line(problem)
            )
    if question.options == {}:
        try:
            verdict = mc.check(case.text, question.wrt, str(d.result), case.declared)
            if verdict.wrong:
                yield Outcome("CHECK", f"its own answer: {verdict}"[:120])
        except MatcalcError as problem:
            if not isinstance(d.result, IndexForm):
                yield Outcome("CHECK", f"its own answer is refused: {problem}"[:120])
        except Exception as problem:
            yield Outcome(
                "CRASH", f"check: {type(problem).__name__}: {problem}"[:120], last_line(problem)
            )
    if isinstance(d.result, IndexForm) and question.order == 1:
        for name in ("kronecker", "differential"):
            try:
                getattr(d, name)()
            except MatcalcError:
                continue
            except Exception as problem:
                yield Outcome(
                    "CRASH",
                    f"{name}: {type(problem).__name__}: {problem}"[:120],
                    last_line(problem),
                )


# ---- cutting down -------------------------------------------------------------------------------


def smaller(case: Case) -> Iterator[Case]:
    """Cases with a part dropped: a part of its type from inside it, or a name, in its place."""
    if case.defined is not None:
        yield replace(case, defined=None)
    if case.undeclared:
        yield replace(case, undeclared=frozenset())
    nodes = list(case.tree.walk())
    for way, node in nodes:
        inside = sorted(
            (n for w, n in node.walk() if w and n.type == node.type), key=lambda n: len(n.text)
        )
        for part in inside:
            yield replace(case, tree=case.tree.put(way, part), defined=None)
    for way, node in nodes:
        if node.parts:
            for name in (n for n, t in case.types.items() if t == node.type and n in case.shapes):
                yield replace(
                    case,
                    tree=case.tree.put(way, expressions.Node(name, (), node.type)),
                    defined=None,
                )
            if node.type == expressions.SCALAR:
                yield replace(
                    case,
                    tree=case.tree.put(way, expressions.Node("2", (), node.type)),
                    defined=None,
                )
    for n, d in case.shapes.items():
        if " " in d:
            yield replace(case, shapes=dict(case.shapes) | {n: d.split()[0]})


def cut_down(
    case: Case, question: Question, seed: int, outcome: Outcome, seconds: float = 15.0
) -> tuple[Case, Outcome]:
    """The smallest case found that fails alike."""
    until = time.monotonic() + seconds
    again = True
    while again:
        again = False
        for other in smaller(case):
            if time.monotonic() > until:
                return case, outcome
            if (
                len(other.text) + len(str(other.declared))
                >= len(case.text) + len(str(case.declared))
                or question.wrt not in other.declared
            ):
                continue
            if question.symmetric == "elements" and not is_symmetric(other, question.wrt):
                continue
            found = judge(other, question, seed)
            if found.label == outcome.label and found.group[:30] == outcome.group[:30]:
                case, outcome, again = other, found, True
                break
    return case, outcome


# ---- coverage -----------------------------------------------------------------------------------


def used(text: str) -> Iterator[str]:
    """The functions and the operations of a text."""
    for node in syntax(text).iter_subtrees():
        if node.data == "call":
            yield meaning.ALIASES.get(str(node.children[0]), str(node.children[0]))
        elif node.data in ("product", "power", "superscript"):
            yield from (str(t) for t in node.children if isinstance(t, Token))
        elif node.data not in ("start", "name", "number"):
            yield str(node.data)
        elif node.data == "name" and str(node.children[0]) in ("eye", "pi"):
            yield str(node.children[0])


OPERATIONS = (
    "sum",
    "signed",
    "*",
    "@",
    ".*",
    "./",
    "/",
    "\\",
    "⊙",
    "∘",
    "⊗",
    "·",
    "^",
    ".^",
    "**",
    "²",
    "transpose",
    "indexed",
    "range",
    "norm",
    "block",
    "definition",
    "ones",
    "zeros",
    "eye",
    "vector",
    "matrix",
    "K",
    "shifts",
    "numel",
    "pi",
)
PROPERTIES = (
    "symmetric",
    "spd",
    "diagonal",
    "positive",
    "unit",
    "simplex",
    "pm1",
    "onehot",
    "mask",
    "orthogonal",
    "lower",
    "upper",
    "integer",
)


def everything() -> set[str]:
    """What cases should have in them."""
    return {*(row.name for row in visible()), *MACROS, *OPERATIONS, *PROPERTIES}


def seen_in(case: Case) -> set[str]:
    return {
        *used(case.text),
        *(word for d in case.declared.values() for word in d.split() if word in PROPERTIES),
    }


# ---- the run ------------------------------------------------------------------------------------


@dataclass
class Report:
    seed: int
    outcomes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    failures: dict[str, list[str]] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def bad(self) -> int:
        return sum(self.outcomes[label] for label in BAD)

    @property
    def defects(self) -> int:
        """The bad outcomes but for those that are slow, or print another form of the same value."""
        return sum(self.outcomes[label] for label in DEFECTS)

    def show(self, examples: int = 4) -> str:
        total = sum(self.outcomes.values())
        lines = [f"seed {self.seed}: {total} cases in {self.seconds:.0f} s", ""]
        lines += [
            f"{label:14}{self.outcomes[label]:7}" for label in (*BAD, *FAIR) if self.outcomes[label]
        ]
        lines += ["", "kinds: " + ", ".join(f"{k} {n}" for k, n in self.kinds.most_common())]
        lines += ["", "reasons: " + "; ".join(f"{n}× {r}" for r, n in self.reasons.most_common(12))]
        for group, cases in sorted(self.failures.items(), key=lambda item: -len(item[1])):
            lines += [
                "",
                f"{len(cases)}× {group}",
                *(f"    {c}" for c in sorted(cases, key=len)[:examples]),
            ]
        missing = sorted(everything() - set(self.seen))
        return "\n".join([*lines, "", f"never seen: {', '.join(missing) or 'nothing'}"])


def asked(case: Case, question: Question) -> str:
    """A case as one may paste it."""
    options = "".join(f", {n}={v!r}" for n, v in question.options.items())
    return f"mc.derive({case.text!r}, {question.wrt!r}, {case.declared!r}{options})"


def run(
    seeds: Sequence[int], shrink: bool = True, log: Callable[[str], None] | None = None
) -> Report:
    report = Report(seeds[0] if seeds else 0)
    start = time.monotonic()
    for seed in seeds:
        case = expressions.case(seed)
        report.seen.update(seen_in(case))
        question = question_of(case, seed)
        if question is None:
            continue
        outcome = judge(case, question, seed)
        report.outcomes[outcome.label] += 1
        report.kinds[question.kind] += 1
        if outcome.label in ("not verified", "undecided", "refused"):
            report.reasons[f"{outcome.label}: {re.sub(r'[0-9.]+', '#', outcome.detail)[:60]}"] += 1
        if outcome.bad:
            alike = report.failures.get(outcome.group, ())
            if shrink and outcome.seconds < 5 and (len(alike) < ENOUGH or outcome.label == "WRONG"):
                case, outcome = cut_down(case, question, seed, outcome)
            said = f"{outcome.detail}; {outcome.answer[:120]} {outcome.where[:160]}"
            line = f"{asked(case, question)}  # seed {seed}: {said}"
            report.failures.setdefault(
                outcome.group if outcome.label != "WRONG" else "WRONG", []
            ).append(line)
            if log is not None:
                log(f"{outcome.label}: {line}")
    report.seconds = time.monotonic() - start
    return report


def ready() -> None:
    """Load what is slow to load before anything is timed."""
    for module in ("jax", "torch"):
        if find_spec(module):
            import_module(module)
    mc.derive("logdet(S) + sum(exp(x))", "x", {"S": "n×n spd"})


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1, help="of the first case")
    parser.add_argument("--only", type=int, default=None, help="one case, with its outcome")
    parser.add_argument("--no-shrink", action="store_true")
    parser.add_argument("--json", default="", help="a file for the table")
    options = parser.parse_args(arguments)
    ready()
    if options.only is not None:
        case = expressions.case(options.only)
        question = question_of(case, options.only)
        print(asked(case, question) if question else case.text)
        print(judge(case, question, options.only) if question else "no variable")
        return 0
    log = (
        (lambda line: print(line, file=sys.stderr, flush=True))
        if sys.stderr.isatty() or options.json
        else None
    )
    report = run(range(options.seed, options.seed + options.cases), not options.no_shrink, log)
    print(report.show())
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(
                {"outcomes": report.outcomes, "failures": report.failures},
                file,
                ensure_ascii=False,
                indent=1,
            )
    return int(report.bad > 0)


if __name__ == "__main__":
    sys.exit(main())
