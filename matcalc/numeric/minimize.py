"""Minimization of any typed objective: the gradient and the Hessian-vector product are derived,
SciPy or a loop here steps.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Never

import numpy as np

from ..errors import OptionProblem, Unsupported, number, whole_number
from ..options import strict
from .feasible import (
    Feasible,
    bounds_of,
    check_array,
    feasible,
    in_space,
    is_bounded,
    is_definite,
    must_be_definite,
    refuse_constraints,
)
from .linesearch import SEARCHED, Searched
from .minimum import CONVERGED, ENDINGS, UNENDING, Arrays, History, Minimum, counted
from .objective import Array, Objective, joined
from .optimizers import FIRST_ORDER, Optimizer, method_name, optimizer
from .runs import load_arrays, no_progress, progress_bar, save_arrays, scipy_optimize

Bounds = Mapping[str, tuple[Any, Any]] | tuple[Any, Any]
SCIPY = {
    "l-bfgs": "L-BFGS-B",
    "cg": "CG",
    "bfgs": "BFGS",
    "newton-cg": "Newton-CG",
    "trust-ncg": "trust-ncg",
    "trust-krylov": "trust-krylov",
    "trust-constr": "trust-constr",
}
# these use the Hessian-vector product
CURVED = {"newton-cg", "trust-ncg", "trust-krylov", "trust-constr"}
BOUNDED = {"l-bfgs", "trust-constr", *FIRST_ORDER}
HIDDEN = 1e-9  # relative to a value: what its rounding may hide


# ---- the objective -------------------------------------------------------------------------------


def norm(x: Array) -> float:
    """The length of a vector, also where the squares of its entries overflow.

    >>> round(norm(np.array([3e200, 4e200])) / 1e200, 9)
    5.0
    """
    largest = float(np.abs(x).max(initial=0))
    return largest * float(np.linalg.norm(x / largest)) if 0 < largest < np.inf else largest


# ---- minimizing ----------------------------------------------------------------------------------


@strict
def minimize(
    objective: Any,
    wrt: str | Sequence[str] | None = None,
    data: Mapping[str, Any] | None = None,
    *,
    method: str = "L-BFGS",
    shapes: Any = None,
    start: Mapping[str, Any] | None = None,
    bounds: Bounds | None = None,
    tolerance: float = 1e-8,
    max_steps: int = 1000,
    rate: float | None = None,
    patience: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    callback: Callable[[int, float, Arrays], None] | None = None,
) -> Minimum:
    """Minimize a typed scalar by some of its variables.

    Arguments:

    * ``objective``: a text, an Expr or a SymPy expression; a scalar.
    * ``wrt``: the variables to minimize by, by name; all that ``data`` does not hold if left out.
    * ``data``: the other variables by name, arrays of real numbers in their shapes.
    * ``method``: through SciPy, with derived gradients and Hessian-vector products, L-BFGS, CG,
      BFGS, Newton-CG, trust-ncg, trust-krylov or trust-constr; otherwise gradient-descent, sgd,
      momentum or adam.
    * ``shapes``: declarations, as those of :func:`matcalc.derive`.
    * ``start``: first values by name, or one array for one variable. Left out, it is the identity
      for a variable declared spd, ones for a positive one and zeros for any other.
    * ``bounds``: pairs (low, high) by name, or one pair for one variable; None is no bound. A
      variable declared positive or unit is kept to its bounds, one declared spd stays definite;
      other sets (simplex, orthogonal) are refused.
    * ``tolerance``: of the largest entry of the gradient at a minimum.
    * ``max_steps``: the most steps that are made.
    * ``rate``: the length of the steps of gradient-descent, sgd, momentum and adam. Without it the
      steps of the first three are searched, so that the value falls.
    * ``patience``: stops after so many steps without progress.
    * ``checkpoint``: a file that is written after every step and continued from if it exists; the
      methods of SciPy begin anew at the saved point.
    * ``progress``: True for a bar, None for one in a terminal alone.
    * ``callback``: called after each step with its number, the value and the arrays by name.

    The result holds the arrays, the value, and in ``status`` a word for how it ended: see
    :class:`matcalc.numeric.minimum.Minimum`.

    Raises OptionProblem for a choice or a number that there is not; Unsupported for bounds and sets
    that the method does not keep to; MissingData for data without which there is no value;
    NameProblem for a name that the objective does not have; ShapeProblem for what does not fit;
    MatcalcError for NaN in the data and a start without a value.

    >>> data = {"X": np.diag([1.0, 2.0]), "y": np.array([3.0, 4.0])}
    >>> found = minimize("norm2(X*w - y)^2", "w", data)
    >>> found["w"].round(6)
    array([3., 2.])
    >>> found.converged, found.status
    (True, 'converged')
    """
    key = method_name(method, [*SCIPY, *FIRST_ORDER], "method")
    if number(tolerance, "tolerance") < 0:
        raise OptionProblem(f"tolerance is {tolerance}", "it must be 0 or more")
    if rate is not None and number(rate, "rate") <= 0:
        raise OptionProblem(f"rate is {rate}", "it must be above 0")
    whole_number(max_steps, "max_steps")
    if patience is not None:
        whole_number(patience, "patience", 1)
    target = Objective(objective, wrt, {} if data is None else data, shapes, start)
    allowed = _allowed(target, key, bounds)
    with np.errstate(all="ignore"):  # what is not finite is said by the status
        run = _Run(target, allowed, tolerance, checkpoint, patience, callback, max_steps)
        with progress_bar(f"minimize, {key}", max_steps, progress) as run.show:
            if key in SCIPY:
                return run.ended(lambda: run.scipy(key))
            if rate is None and key in SEARCHED:
                return run.ended(lambda: run.searched(SEARCHED[key]()))
            return run.ended(lambda: run.first_order(optimizer(key, rate)))


def _allowed(objective: Objective, key: str, bounds: Bounds | None) -> Feasible:
    """The set that the point is kept to, by the bounds and the declarations.

    Raises Unsupported for what the method does not keep to.
    """
    variables = {n: objective.program.variables[n] for n in objective.start}
    refuse_constraints(variables.values())
    allowed = feasible(bounds_of(bounds, variables), variables, objective.start)
    if allowed.bounded and key not in BOUNDED:
        fact = f"{key} knows no bounds"
        if not bounds:
            boxed = next(n for n, v in variables.items() if is_bounded(v))
            fact = f"{boxed} is declared {variables[boxed].properties[0]}, and {fact}"
        raise Unsupported(fact, "use L-BFGS or trust-constr")
    return allowed


class _Stop(Exception):
    """The end of a run, by its word among the endings."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class _Run:
    """One minimization: counts, records, saves, stops, and judges where it stopped."""

    objective: Objective
    allowed: Feasible
    tolerance: float
    checkpoint: str | os.PathLike[str] | None
    patience: int | None
    callback: Callable[[int, float, Arrays], None] | None
    max_steps: int
    show: Callable[[int, str], None] = lambda done, note: None
    history: History = field(default_factory=History)
    evaluations: int = 0
    steps: int = 0
    memory: Arrays = field(default_factory=dict)
    of_callback: Exception | None = None  # what the user's function raised
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.x = self.allowed.clipped(self.objective.flat(self.objective.start))
        if self.checkpoint is not None and Path(self.checkpoint).exists():
            saved = load_arrays(self.checkpoint)
            if saved["x"].shape != self.x.shape:
                raise OptionProblem(
                    f"the checkpoint {self.checkpoint} belongs to another problem",
                    "remove it, or name another file",
                )
            self.x, self.steps = saved.pop("x"), int(saved.pop("steps"))
            self.history = History(*(saved.pop(n).tolist() for n in ("values", "norms", "seconds")))
            self.memory = {n.removeprefix("memory of "): a for n, a in saved.items()}
        for name, a in self.objective.arrays(self.x).items():
            variable = self.objective.program.variables[name]
            if not must_be_definite(variable):
                check_array(variable, a)
        self.start = self.x.copy()
        here = self.probe(self.x)
        if here is None:
            self._refuse_start()
        self.last: tuple[Array, float, Array] = (self.x.copy(), *here)

    def _refuse_start(self) -> Never:
        """Raise MatcalcError that names what is wrong with the start, or with the data."""
        arrays = self.objective.arrays(self.x)
        for name in self.allowed.definite:
            if not is_definite(arrays[name]):
                raise OptionProblem(
                    "the objective has no value at the start",
                    f"{name} is not positive definite there",
                )
        given = {
            n: a for n, a in self.objective.data.items() if n in self.objective.program.variables
        }
        infinite = [n for n, a in {**given, **arrays}.items() if not np.isfinite(a).all()]
        if infinite:
            raise OptionProblem(
                "the objective has no finite value at the start", f"{infinite[0]} is not finite"
            )
        raise OptionProblem("the objective has no finite value at the start", "give another start")

    # ---- values ----------------------------------------------------------------------------------

    def probe(self, x: Array) -> tuple[float, Array] | None:
        """The value and the gradient, or None where there is no finite one or a matrix is not
        definite.

        Raises _Stop where the value is -inf.
        """
        self.evaluations += 1
        arrays = self.objective.arrays(x)
        if not np.isfinite(x).all() or not all(
            is_definite(arrays[n]) for n in self.allowed.definite
        ):
            return None
        try:
            value, gradient = self.objective.value_and_gradient(x)
        except np.linalg.LinAlgError:
            return None
        if value == -np.inf:
            raise _Stop("unbounded")
        if not np.isfinite(value) or not np.isfinite(gradient).all():
            return None
        self.last = x.copy(), value, gradient
        return value, gradient

    def evaluate(self, x: Array) -> tuple[float, Array]:
        """For methods that need a value everywhere: one that rises from the last point where
        there is none, which shortens the step.
        """
        here, value, _ = self.last
        tried = self.probe(x)
        if tried is not None:
            return tried
        rise = 1 + abs(value)
        return value + rise, 2 * rise / max(np.sum((x - here) ** 2), 1e-300) * (x - here)

    def at(self, x: Array) -> tuple[float, Array]:
        """The value and the gradient at a point that has one; they are often known already."""
        if np.array_equal(self.last[0], x):
            return self.last[1], self.last[2]
        tried = self.probe(x)
        return self.last[1:] if tried is None else tried

    def record(self, x: Array, memory: Arrays | None = None) -> None:
        value, gradient = self.at(x)
        self.x, self.steps = x.copy(), self.steps + 1
        self.history.add(value, norm(gradient), time.monotonic() - self.started)
        self.show(self.steps, f"{value:.6g}")
        if self.callback is not None:
            try:
                self.callback(self.steps, value, self.objective.arrays(self.x))
            except StopIteration:
                raise _Stop("stopped") from None
            except Exception as problem:
                self.of_callback = problem
                raise
        if self.checkpoint is not None:
            kept = {f"memory of {n}": a for n, a in (memory or {}).items()}
            save_arrays(
                self.checkpoint, {"x": x, "steps": np.array(self.steps)} | vars(self.history) | kept
            )
        if self.patience is not None and no_progress(self.history.values, self.patience):
            raise _Stop("no progress")

    def slope(self, x: Array) -> float:
        """The largest entry of the gradient, without what the bounds forbid to follow."""
        return float(np.abs(self.allowed.slope(x, self.at(x)[1])).max(initial=0))

    # ---- methods ---------------------------------------------------------------------------------

    def first_order(self, step: Optimizer) -> str:
        """Steps of a given rate; the word for the end."""
        step.state = dict(self.memory)
        begin = self.at(self.start)[0]
        while self.slope(self.x) > self.tolerance:
            if self.steps >= self.max_steps:
                return (
                    "diverged"
                    if self.at(self.x)[0] > max([begin, *self.history.values[:1]])
                    else "limit"
                )
            x, gradient = self.x.copy(), self.at(self.x)[1]
            step.update({"x": x}, {"x": gradient})
            x = self.allowed.clipped(x)
            if self.probe(x) is None:
                return "diverged"
            self.record(x, step.state)
        return CONVERGED

    def searched(self, step: Searched) -> str:
        """Steps of a searched length; the word for the end."""
        step.state = dict(self.memory)
        while self.slope(self.x) > self.tolerance:
            if self.steps >= self.max_steps:
                return "limit"
            value, gradient = self.at(self.x)
            x = step.advance(self.x, value, gradient, self.history.values, self.allowed, self.probe)
            if x is None:
                return self._polished()
            self.record(x, step.state)
        return CONVERGED

    def scipy(self, key: str) -> str:
        """A method of SciPy; the word for the end."""
        if self.slope(self.x) <= self.tolerance:
            return CONVERGED
        if self.steps >= self.max_steps:
            return "limit"
        x = self._end_of_scipy(key)
        tried = self.probe(x)
        if tried is not None and tried[0] <= self.at(self.x)[0]:
            self.x = x
        if self.slope(self.x) <= self.tolerance:
            return CONVERGED
        return "limit" if self.steps >= self.max_steps else self._polished()

    def _end_of_scipy(self, key: str) -> Array:
        """The point where a method of SciPy ends, or the last one where it gave up."""
        optimize = scipy_optimize()
        options = {"maxiter": self.max_steps - self.steps} | _TOLERANCES[key](self.tolerance)
        how: dict[str, Any] = {
            "jac": True,
            "method": SCIPY[key],
            "callback": self._after_step,
            "options": options,
        }
        if key in CURVED:
            how["hessp"] = self.objective.hessian_product
        if self.allowed.bounded:
            how["bounds"] = optimize.Bounds(self.allowed.low, self.allowed.high)
        try:
            return self.allowed.clipped(optimize.minimize(self.evaluate, self.x, **how).x)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as problem:  # SciPy gave up
            if problem is self.of_callback:
                raise
            return self.x

    def _after_step(self, x: Array, *_: Any) -> None:
        self.record(np.array(x))

    # ---- the end ---------------------------------------------------------------------------------

    def _polished(self) -> str:
        """Take Newton's steps by the gradient alone, as long as it halves.

        They go on where the rounding of the values hides the way.
        """
        while self.slope(self.x) > self.tolerance and self.steps < self.max_steps:
            value, slope = self.at(self.x)[0], self.slope(self.x)
            x = self._newton_point()
            tried = None if x is None else self.probe(x)
            if (
                x is None
                or tried is None
                or tried[0] > value + HIDDEN * abs(value)
                or self.slope(x) > slope / 2
            ):
                break
            self.record(x)
        return CONVERGED if self.slope(self.x) <= self.tolerance else "rounding"

    def _newton_point(self) -> Array | None:
        """The point of a Newton step in the entries that no bound holds.

        None where the Hessian is not positive definite.
        """
        x, gradient = self.x, self.at(self.x)[1]
        near = HIDDEN * (1 + np.abs(x))
        at_low, at_high = x <= self.allowed.low + near, x >= self.allowed.high - near
        low, high = at_low & (gradient > 0), at_high & (gradient < 0)
        free = np.where(low | high, 0.0, 1.0)
        step = _conjugate_gradients(lambda v: free * self._curvature(x, free * v), -free * gradient)
        if step is None:
            return None
        held = np.where(low, self.allowed.low, np.where(high, self.allowed.high, x))
        return self.allowed.clipped(held + step)

    def _curvature(self, x: Array, v: Array) -> Array:
        """The Hessian times v, by central differences of the gradient."""
        size = float(np.abs(v).max())
        h = 1e-5 * (1 + float(np.abs(x).max())) / size if size else 0.0
        above, below = (self.probe(x + sign * h * v) for sign in (1, -1)) if h else (None, None)
        if above is None or below is None:
            return np.full_like(x, np.nan)
        return (above[1] - below[1]) / (2 * h)

    def ended(self, run: Callable[[], str]) -> Minimum:
        """The result of a run, judged where it stopped: converged is what is proved, every other
        end has its own word.
        """
        try:
            status = run()
        except _Stop as stop:
            status = stop.status
        try:
            status = self._judged(status)
        except _Stop as stop:
            status = stop.status
        value, gradient = self.at(self.x)
        arrays = self.objective.arrays(self.x)
        limits = {
            "max_steps": counted(self.max_steps, "step"),
            "patience": counted(self.patience or 0, "step"),
        }
        message = ENDINGS[status].format(**limits)
        if status not in UNENDING and self.slope(self.x) > self.tolerance:
            message += (
                f" (largest entry of the gradient {self.slope(self.x):.2g}, tolerance "
                f"{self.tolerance:.2g})"
            )
        return Minimum(
            arrays,
            value,
            norm(gradient),
            self.steps,
            self.evaluations,
            status,
            message,
            self.history,
        )

    def _judged(self, status: str) -> str:
        if status == CONVERGED:
            return self._kind_of_stationary_point()
        if status in ("limit", "rounding") and self._falls_forever():
            return "unbounded"
        return self._hindrance() if status == "rounding" else status

    def _kind_of_stationary_point(self) -> str:
        """A point without a gradient is a minimum, unless the values around it or far along the
        way say otherwise.
        """
        value, gradient = self.at(self.x)
        if self._has_lower_neighbour():
            return "saddle"
        if self.steps == 0:
            return "flat" if self._is_flat() else CONVERGED
        still = -float(gradient @ (self.x - self.start))
        return (
            "unbounded"
            if still > 1e-6 * max(1.0, abs(value)) and self._falls_forever()
            else CONVERGED
        )

    def _falls_forever(self) -> bool:
        """Tell if the value falls without end.

        It falls at each doubling of the way from the start, forty times, by more than its size.
        """
        here = self.x.copy()
        value, gradient = self.at(here)
        way = here - self.start if np.any(here != self.start) else -gradient
        lowest = value
        for k in range(1, 41):
            point = self.allowed.clipped(self.start + 2.0**k * way)
            tried = self.probe(point)
            if tried is None or tried[0] >= lowest:
                return False
            lowest = tried[0]
        return lowest < value - max(1.0, abs(value))

    def _hindrance(self) -> str:
        """Why nothing lower was found though the gradient is not small."""
        value, gradient = self.at(self.x)
        slope = self.allowed.slope(self.x, gradient)
        wide, near, nearer = (self._down(slope, size) for size in (1e-3, 1e-6, 1e-7))
        if wide is None or near is None or nearer is None:
            return "edge"
        jumps = [float(np.abs(tried[1] - gradient).max()) for tried in (near, nearer)]
        # of what is smooth, a tenth of the way is a tenth of the change
        if jumps[1] > max(jumps[0], float(np.abs(slope).max())) / 2:
            return "kink"
        lowest = min(tried[0] for tried in (wide, near, nearer))
        return "no descent" if lowest < value - HIDDEN * max(1.0, abs(value)) else "rounding"

    def _down(self, slope: Array, size: float) -> tuple[float, Array] | None:
        """The value and the gradient a little way down."""
        way = size * max(1.0, float(np.abs(self.x).max())) / float(np.abs(slope).max()) * slope
        return self.probe(self.allowed.clipped(self.x - way))

    def _has_lower_neighbour(self) -> bool:
        """Tell if a point near by, in a random direction, is lower than the gradient explains."""
        value, gradient = self.at(self.x)
        for away, tried in self._neighbours(1e-3):
            hidden = HIDDEN * max(1.0, abs(value)) + 2 * norm(gradient) * norm(away)
            if tried is not None and tried[0] < value - hidden:
                return True
        return False

    def _is_flat(self) -> bool:
        """Tell if all points around have the same value, near ones and farther ones."""
        value = self.at(self.x)[0]
        tried = [there for size in (1e-3, 0.03) for _, there in self._neighbours(size)]
        return all(there is not None and there[0] == value for there in tried)

    def _neighbours(self, size: float) -> Iterator[tuple[Array, tuple[float, Array] | None]]:
        """Steps of a size, relative to the point, in random directions, with what is there."""
        rng, x = np.random.default_rng(0), self.x
        variables = self.objective.program.variables
        for _ in range(8):
            away = self.objective.arrays(rng.normal(size=x.shape) * size * (1 + np.abs(x)))
            point = self.allowed.clipped(
                x + joined(in_space(variables[n], a) for n, a in away.items())
            )
            yield point - x, self.probe(point)


def _conjugate_gradients(product: Callable[[Array], Array], right: Array) -> Array | None:
    """x with A·x = right, for a positive definite A (Hestenes & Stiefel 1952).

    None where A is not.
    """
    x, r = np.zeros_like(right), right.copy()
    p, size = r.copy(), float(r @ r)
    enough = 1e-8 * size
    for _ in range(min(right.size, 50)):
        if size <= enough:
            break
        along = product(p)
        curved = float(p @ along)
        if not curved > 0:
            return None
        x, r = x + size / curved * p, r - size / curved * along
        before, size = size, float(r @ r)
        p = r + size / before * p
    return x


def _gtol(tolerance: float) -> dict[str, float]:
    return {"gtol": tolerance}


_TOLERANCES: Mapping[str, Callable[[float], dict[str, float]]] = dict.fromkeys(SCIPY, _gtol) | {
    "l-bfgs": lambda tolerance: {"gtol": tolerance, "ftol": 1e-16, "maxfun": 10**6},
    "newton-cg": lambda tolerance: {"xtol": tolerance},
    "trust-constr": lambda tolerance: {"gtol": tolerance, "xtol": 1e-14},
}
