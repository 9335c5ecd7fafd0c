"""Never show an answer unchecked: the two independent checks, and their combination.

*Exactly*: dual numbers modulo 2^61 - 1 (:mod:`matcalc.exact`); no tolerance, no kinks. *Numerically*: central finite
differences with extrapolation, and the complex step where every function allows it, at random points inside the domain and
away from kinks, with pairwise different sizes. What neither decides is *not verified*, never right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import exact
from .codegen.compiled import load
from .codegen.plain import emit
from .errors import NotDifferentiable
from .expr import Expr, is_array, own_axes, postorder, sizes_of, variables
from .expr.parts import all_exist, bounded, index_names, least_length
from .expr.powers import exponents_of
from .functions import BY_NAME
from .index import Root, entries_of, form_sizes, parts, written_out
from .points import choose_lengths, random_value
from .sizes import Atom, base_atoms, length

Array = Any
TRIES, PLACES_TRIES = 40, 200  # points; lengths, since at some a place does not exist
LARGEST = 10_000_000  # entries of an array; beyond, sizes share two lengths, and then nothing is checked
MORE_POINTS = 7  # at which the numbers must agree where the exact check does not
CONDITION = 300.0  # of the matrices that are inverted at a point
MARGIN, KINK, GAP = 0.02, 1e-2, 0.1  # distances from the edge of a domain, from a kink, and between singular values
FLOOR, STEP = 1e-5, 2e-3  # of the scale of a derivative, since a function may be constant; of the differences
TOLERANCE_COMPLEX, TOLERANCE_DIFFERENCES = 1e-9, 1e-6
DIRECTIONS = 40  # of a variable with more entries, some are tried

_EXACTLY = {True: "exact (modulo 2^61-1)", False: "NOT EQUAL modulo 2^61-1", None: "exactly not decided"}


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome of the checks.

    ``ok`` is True only if the numbers agree and the exact check does not object. ``exact`` and ``numeric`` are each True, False
    or None (not decided); ``max_error`` is the largest relative difference seen.
    """

    ok: bool
    exact: bool | None
    numeric: bool | None
    max_error: float
    method: str = ""
    note: str = ""
    worst: str = ""

    @property
    def wrong(self) -> bool:
        """Decided, and not right."""
        return self.numeric is False or (self.exact is False and self.numeric is None)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        said = {True: "agree", False: "DISAGREE", None: "not decided"}
        verdict = "verified" if self.ok else "wrong" if self.wrong else "not verified"
        text = f"{verdict}: {_EXACTLY[self.exact]}; {self.method or 'finite differences'} {said[self.numeric]}"
        text += f" (relative error {self.max_error:.0e})" if self.numeric is not None else ""
        return text + "".join(f"; {part}" for part in (self.worst, self.note) if part)


def verify(e: Root, wrt: Expr, derivative: Root, seed: int = 0, along: Expr | None = None) -> Verification:
    """Check a claimed derivative in both ways.

    ``derivative`` has the axes of ``e`` followed by those of ``wrt``; or it is the Kronecker form of a matrix by a matrix; or,
    with a direction ``along``, it is the derivative contracted with that variable. A verdict of wrong is that of the numbers, or of the
    exact check where they are undecided. An identity between smooth functions that only the numbers see is accepted, and said; where functions
    have kinks, or there is nothing but algebra, it is not verified.
    """
    verdict = exact.check(e, wrt, derivative, seed=seed, along=along)
    found = _numerically(e, wrt, derivative, seed, along)
    if verdict.equal is False and found.numeric:
        more = [_numerically(e, wrt, derivative, seed + k, along, start=k) for k in range(1, MORE_POINTS)]
        found = next((m for m in more if m.numeric is False), found)
        if found.numeric and all(m.numeric for m in more) and _smooth(e, derivative):
            note = "equal at every point tried, by an identity that the exact check does not know"
            return Verification(True, None, True, max(m.max_error for m in (found, *more)), found.method, note)
    ok = found.numeric is True and verdict.equal is not False
    note = "; ".join(n for n in (verdict.reason if verdict.equal is None else "", found.note) if n)
    return Verification(ok, verdict.equal, found.numeric, found.max_error, found.method, note, found.worst)


def _smooth(*roots: Root) -> bool:
    """Whether an identity between functions may be at work that no point of the numbers could miss: analytic, and not rational."""
    rows = list(_rows(*parts(*roots)))
    powers = any(n.head == "pow" and n.args[1].head != "num" for n in postorder(*parts(*roots)))
    transcendental = powers or any(r.elementwise or r.exact for r in rows)
    return transcendental and not any(r.kinks or r.complex_safe is None for r in rows)


# ---- numerically ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    numeric: bool | None
    max_error: float = float("nan")
    method: str = ""
    note: str = ""
    worst: str = ""


def _numerically(e: Root, wrt: Expr, derivative: Root, seed: int, along: Expr | None, start: int = 0) -> _Found:
    """Compare with numbers at one point of different sizes and, where sizes are declared equal, one of equal sizes."""
    try:
        functions = _Functions(e, wrt, derivative, along)
    except NotDifferentiable as problem:
        return _Found(None, note=str(problem))
    outcomes = []
    for equal in (False, True) if any(len(set(sizes)) < len(sizes) for sizes in map(own_axes, functions.variables)) else (False,):
        outcomes.append(_at_some_point(functions, np.random.default_rng([seed, equal]), equal, start))
        if outcomes[-1].numeric is not True:
            return outcomes[-1]
    return max(outcomes, key=lambda o: o.max_error)


class _Functions:
    """The compiled expression, its claimed derivative, and the arguments that must stay inside domains."""

    def __init__(self, e: Root, wrt: Expr, derivative: Root, along: Expr | None) -> None:
        e, derivative = written_out(e), written_out(derivative)
        self.e, self.wrt, self.derivative, self.along = e, wrt, derivative, along
        self.parts = parts(e, derivative)
        self.variables = sorted({*variables(*self.parts), wrt} | ({along} if along is not None else set()), key=lambda v: v.name)
        self.guards = _guards(*self.parts)
        self.value = _compiled((e,), self.variables, False)
        assert self.value is not None
        self.complex_value = None if any(r.complex_safe is None for r in _rows(*parts(e))) else _compiled((e,), self.variables, True)
        self.claim = _compiled((derivative, *(g.argument for g in self.guards)), self.variables, False)


def _rows(*roots: Expr) -> Iterator[Any]:
    return (BY_NAME[n.head] for n in postorder(*roots) if n.head in BY_NAME)


def _compiled(roots: tuple[Root, ...], known: list[Expr], complex_safe: bool) -> Callable[..., Any]:
    source = emit(roots, complex_safe=complex_safe, known=known)
    function = load(source)
    names, sizes = [v.name for v in known], source.sizes
    return lambda point: function(*(point[n] for n in (*names, *sizes)))


def _at_some_point(functions: _Functions, rng: np.random.Generator, equal: bool, start: int) -> _Found:
    for attempt in range(start, start + TRIES):
        if (point := sample(functions, rng, attempt, equal)) is None:
            break
        if _entries(functions, {a: point[str(a)] for size in form_sizes(functions.e, functions.derivative) for a in base_atoms(size)}) > LARGEST:
            return _Found(None, note="an index form is too large to check by numbers")
        with np.errstate(all="ignore"):
            try:
                claim, *arguments = functions.claim(point)
                if not all(g.admits(np.asarray(a)) for g, a in zip(functions.guards, arguments, strict=True)):
                    continue
                found = _compare(functions, point, claim, rng)
            except (np.linalg.LinAlgError, ArithmeticError):  # whole numbers in Python overflow, or divide by zero, with an exception
                continue
        on_kink = any(g.on_kink(np.asarray(a)) for g, a in zip(functions.guards, arguments, strict=True))
        if found.numeric is not None and not (found.numeric is False and on_kink):
            return found
    return _Found(None, note=f"no admissible point in {TRIES} tries")


# ---- points -----------------------------------------------------------------------------------------------------------------


def sample(functions: _Functions, rng: np.random.Generator, attempt: int, equal: bool) -> dict[str, Array] | None:
    """Random values of every variable, and of the sizes that no variable shows; None without lengths at which all places exist."""
    nodes = [*postorder(*functions.parts), *functions.variables]
    places, limited = index_names(nodes), bounded(nodes)
    least, exponents = least_length(limited), exponents_of(nodes)
    sizes = [s for s in (*sizes_of(nodes), *form_sizes(functions.e, functions.derivative)) if s not in {(name,) for name in places}]
    for k in range(PLACES_TRIES):  # if no equal lengths will do, others may
        chosen = (sizes, equal and k < PLACES_TRIES // 2, rng, attempt + k, least + k // 8)
        lengths = choose_lengths(*chosen)
        if _entries(functions, lengths) > LARGEST:
            lengths = choose_lengths(*chosen, most=2)
        lengths |= {name: int(rng.integers(max(1, min(length(axis, lengths) for axis in axes)))) + 1 for name, axes in places.items()}
        if all_exist(limited, lengths):
            break
    else:
        return None
    lengths |= {name: 2 + (k + attempt) % 2 for k, name in enumerate(sorted(exponents))}  # high powers have no accurate numbers
    point: dict[str, Array] = {str(a): k for a, k in lengths.items()}
    for v in functions.variables:
        shape = tuple(length(size, lengths) for size in v.shape_ if size)
        point[v.name] = random_value(v, shape, rng, attempt)
    return point


def _entries(functions: _Functions, lengths: Mapping[Atom, int]) -> int:
    return max(entries_of(functions.e, lengths), entries_of(functions.derivative, lengths))


@dataclass(frozen=True, slots=True)
class _Guard:
    """An argument that a point must keep inside a domain, off a kink or well conditioned."""

    argument: Expr
    low: float = -np.inf
    high: float = np.inf
    kinks: tuple[float, ...] = ()
    inverted: bool = False
    simple: bool = False  # its singular values should lie apart

    def admits(self, a: Array) -> bool:
        if not np.isfinite(a).all():
            return False
        if self.inverted:
            return bool(np.linalg.cond(a) < CONDITION if a.ndim == 2 else np.abs(a).min() > MARGIN)
        inside = bool((a > self.low + MARGIN).all() and (a < self.high - MARGIN).all())
        return inside and all(bool(((np.abs(a - k) > KINK) | (a == k)).all()) for k in self.kinks)

    def on_kink(self, a: Array) -> bool:
        """Whether an entry lies on a kink exactly, as those do that are zero by declaration, or singular values are too close."""
        crowded = self.simple and np.abs(np.diff(np.linalg.svd(np.atleast_2d(a), compute_uv=False), append=0)).min() < GAP
        return bool(crowded) or any(bool((a == k).any()) for k in self.kinks)


def _guards(*roots: Expr) -> list[_Guard]:
    found: dict[_Guard, None] = {}
    for n in postorder(*roots):
        row = BY_NAME.get(n.head)
        if row is not None and n.head in ("inv", "logdet", "pinv", "norm2"):
            found[_Guard(n if n.head == "norm2" else n.args[0], inverted=True)] = None
        elif n.head in ("eigvals", "eigvecs", "normspec", "normnuc", "polar", "leading"):
            found[_Guard(n.args[0], simple=True)] = None
        elif row is not None and (row.kinks or row.domain != (-np.inf, np.inf)):
            found[_Guard(n.args[-1], *row.domain, row.kinks)] = None
        elif n.head == "pow":
            exponent = n.args[1]
            whole = exponent.head == "num" and exponent.value.denominator == 1
            if not whole:
                found[_Guard(n.args[0], low=0.0)] = None
            elif exponent.value < 0:
                found[_Guard(n.args[0], kinks=(0.0,))] = None
    return list(found)


# ---- comparison -------------------------------------------------------------------------------------------------------------


def _compare(functions: _Functions, point: dict[str, Array], claim: Array, rng: np.random.Generator) -> _Found:
    """Directional derivatives along a basis, by differences and by the complex step, against the claim."""
    wrt, x = functions.wrt, point[functions.wrt.name]
    claim = np.asarray(claim, dtype=float)
    value = np.asarray(functions.value(point)[0], dtype=float)
    pattern = _pattern_error(wrt, claim) if value.ndim == 0 and functions.along is None else ""
    if pattern:
        return _Found(False, 1.0, "structure", worst=pattern)
    claim = claim.reshape(value.shape + x.shape) if is_array(wrt) and functions.along is None else _unfolded(claim, value, x)
    worst, scale, where = 0.0, float(np.abs(claim).max(initial=0.0) + np.abs(value).max(initial=0.0) / (1.0 + np.abs(x).max())) + FLOOR, ""
    method = "complex step and finite differences" if functions.complex_value else "finite differences"
    for direction in _directions(wrt, x, rng) if functions.along is None else [np.asarray(point[functions.along.name])]:
        claimed = _contract(claim, direction, value.ndim) if functions.along is None else claim
        differences, error = _central(functions, point, x, direction)
        if error > 1e-4 * scale or not np.isfinite(differences).all():
            return _Found(None, note="finite differences do not settle")
        gap = np.abs(claimed - differences)
        if functions.complex_value is not None:
            apart = (gap > 10 * error + TOLERANCE_DIFFERENCES * scale).any()
            gap = np.abs(claimed - _complex_step(functions.complex_value, point, wrt, direction))
            if apart and gap.max(initial=0.0) <= TOLERANCE_COMPLEX * scale:  # a function that turns faster than the steps are long
                return _Found(None, note="finite differences do not settle")
        if gap.max(initial=0.0) > worst:
            worst, where = float(gap.max()), _describe(wrt, direction, claimed, differences)
    allowed = TOLERANCE_COMPLEX if functions.complex_value is not None else TOLERANCE_DIFFERENCES
    good = worst <= allowed * scale
    return _Found(good, worst / scale, method, worst="" if good else where)


def _unfolded(claim: Array, value: Array, x: Array) -> Array:
    """The Kronecker form ∂vec(F)/∂vec(X)' as an array with the axes of F, then those of X."""
    axes = value.ndim + np.ndim(x)
    if axes < 3 or claim.shape != (value.size, x.size):
        return claim
    order = [*reversed(range(value.ndim)), *reversed(range(value.ndim, axes))]
    return claim.reshape(*value.shape[::-1], *x.shape[::-1]).transpose(order)


def _describe(wrt: Expr, direction: Array, claimed: Array, measured: Array) -> str:
    place = np.argwhere(direction != 0)
    index = f"[{','.join(str(i + 1) for i in place[0])}]" if len(place) == 1 and direction.ndim else ""
    a, b = np.atleast_1d(claimed).ravel(), np.atleast_1d(measured).ravel()
    k = int(np.abs(a - b).argmax())
    return f"at {wrt.name}{index} the candidate says {a[k]:.6g}, the numbers say {b[k]:.6g}"


def _pattern_error(wrt: Expr, g: Array) -> str:
    """The derivative by a structured variable has the structure of the variable."""
    if g.ndim != 2:
        return ""
    for name, pattern in (("symmetric", g.T), ("spd", g.T), ("diagonal", np.diag(np.diag(g))), ("lower", np.tril(g)), ("upper", np.triu(g))):
        if name in wrt.properties and not np.allclose(g, pattern, rtol=1e-9, atol=1e-9):
            return f"{wrt.name} is {name} and the derivative is not"
    return ""


def _directions(wrt: Expr, x: Array, rng: np.random.Generator) -> Iterator[Array]:
    """A basis of the directions in which the variable may move; random ones when there are very many."""
    if np.ndim(x) == 0:
        yield np.array(1.0)
        return
    indices = [i for i in np.ndindex(*x.shape) if _may_move(wrt, i)]
    if len(indices) > DIRECTIONS:
        indices = [indices[k] for k in rng.choice(len(indices), DIRECTIONS, replace=False)]
    for index in indices:
        direction = np.zeros(x.shape)
        direction[index] = 1.0
        if {"symmetric", "spd"}.intersection(wrt.properties):
            direction[index[::-1]] = 1.0
        yield direction


def _may_move(wrt: Expr, index: tuple[int, ...]) -> bool:
    i, j = index if len(index) == 2 else (0, 0)
    rules = {"symmetric": i <= j, "spd": i <= j, "diagonal": i == j, "lower": i >= j, "upper": i <= j}
    return all(rules.get(p, True) for p in wrt.properties)


def _contract(claim: Array, direction: Array, value_axes: int) -> Array:
    """The change of the value along a direction, by the claimed derivative."""
    if direction.ndim == 0:
        return claim * direction
    if value_axes == 0:
        return (claim * direction).sum()
    return np.tensordot(claim, direction, axes=direction.ndim)


def _central(functions: _Functions, point: dict[str, Array], x: Array, direction: Array) -> tuple[Array, float]:
    """Central differences at two steps, extrapolated (Richardson), and an estimate of their error."""

    def slope(h: float) -> Array:
        up = functions.value(point | {functions.wrt.name: x + h * direction})[0]
        down = functions.value(point | {functions.wrt.name: x - h * direction})[0]
        return (np.asarray(up, dtype=float) - np.asarray(down, dtype=float)) / (2 * h)

    coarse, fine = slope(STEP), slope(STEP / 2)
    better = (4 * fine - coarse) / 3
    return better, float(np.abs(better - fine).max(initial=0.0)) / 4 + 1e-10


def _complex_step(function: Callable[..., Any], point: dict[str, Array], wrt: Expr, direction: Array) -> Array:
    """The imaginary part of f(x + ih)/h: no subtraction, so no cancellation (Squire & Trapp 1998)."""
    h = 1e-30
    moved = point | {wrt.name: point[wrt.name] + 1j * h * direction}
    return np.imag(np.asarray(function(moved)[0])) / h
