"""Minimization of any typed objective: the gradient and the Hessian-vector product are derived, SciPy or a loop here steps."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import expr as ex
from .derivation import Derivations, derive
from .descent import FIRST_ORDER, Optimizer, optimizer
from .errors import MatcalcError, NameProblem, ShapeProblem
from .given import as_program
from .index import Root, shape_text
from .longrun import load_arrays, no_progress, progress_bar, save_arrays, scipy_optimize
from .options import strict
from .sizes import length, show
from .syntax import nearest

Array = Any
Arrays = dict[str, Array]
Bounds = Mapping[str, tuple[Any, Any]]


SCIPY = {
    "l-bfgs": "L-BFGS-B", "cg": "CG", "bfgs": "BFGS", "newton-cg": "Newton-CG", "trust-ncg": "trust-ncg", "trust-krylov": "trust-krylov",
    "trust-constr": "trust-constr",
}  # fmt: skip
EXHAUSTED = 1e-8  # about the square root of the machine precision
CURVED = {"newton-cg", "trust-ncg", "trust-krylov", "trust-constr"}  # these use the Hessian-vector product
BOUNDED = {"l-bfgs", "trust-constr", *FIRST_ORDER}


# ---- the objective ----------------------------------------------------------------------------------------------------------


class Objective:
    """A typed scalar with its derived gradient and Hessian-vector product, as functions of one flat vector.

    Raises NameProblem for data that is missing and ShapeProblem for an expression that is no scalar.

    >>> f = Objective("norm2(X*w - y)^2", ["w"], {"X": np.eye(2), "y": np.ones(2)})
    >>> f.value_and_gradient(np.zeros(2))
    (2.0, array([-2., -2.]))
    >>> f.hessian_product(np.zeros(2), np.array([1.0, 0.0]))
    array([2., 0.])
    """

    def __init__(
        self, expression: Any, wrt: str | Sequence[str] | None, data: Mapping[str, Any], shapes: Any = None, start: Mapping[str, Any] | None = None
    ) -> None:
        self.program = as_program(expression, shapes)
        if not self.program.expr.is_scalar:
            raise ShapeProblem(f"the objective is {shape_text(self.program.expr)}", "only a scalar can be minimized")
        if not isinstance(data, Mapping):
            raise NameProblem(f"the data is a {type(data).__name__}", "give it by name: {'X': …}")
        names = [wrt] if isinstance(wrt, str) else [n for n in self.program.variables if n not in data] if wrt is None else list(wrt)
        self.derivations: Derivations = derive(self.program, names)
        self._function = self._compiled((self.program.expr, *(self.derivations[n].result for n in names)))
        self.data = {n: self._array(n, a) if n in self.program.variables else a for n, a in data.items()}  # a length or a place stays a number
        needed = dict.fromkeys([*self.program.variables, *getattr(self._function, "parameters", ())])
        missing = [n for n in needed if n not in self.data and n not in names]
        if missing:
            raise NameProblem(f"no data for {', '.join(missing)}", "give it in data, or minimize by it")
        given = _by_name(start, names)
        self.start = {n: self._start(n, given.get(n)) for n in names}
        self._curvature: Callable[..., Any] | None = None

    def _compiled(self, roots: tuple[Root, ...]) -> Callable[..., Any]:
        """The value and the derivatives as one function of arrays by name, which returns a tuple."""
        from .codegen import compile_expr

        return compile_expr(roots, "numpy", "objective", self.program.expr, known=self.program.variables.values())

    def _array(self, name: str, given: Any) -> Array:
        if hasattr(given, "__dask_graph__"):
            raise MatcalcError("the data is a dask array", "matcalc.distribute(…).value_and_grad leaves it where it lies")
        if np.iscomplexobj(given):
            raise ShapeProblem(f"{name} has complex numbers", "give their real and imaginary parts as variables of their own")
        try:
            return np.asarray(given, dtype=float)
        except (TypeError, ValueError):
            raise ShapeProblem(f"{name} is no array of numbers", f"it is a {type(given).__name__}") from None

    def _start(self, name: str, given: Any) -> Array:
        """The given start, or the identity for a spd matrix, ones for a positive variable and zeros for any other."""
        if given is not None:
            return self._array(name, given).copy()
        v = self.program.variables[name]
        lengths = [self._length(name, size) for size in ex.own_axes(v)]
        if "spd" in v.properties:
            return np.eye(lengths[0])
        return np.ones(lengths) if "positive" in v.properties else np.zeros(lengths)

    def _length(self, name: str, size: Sequence[Any]) -> int:
        given = [(self.program.variables[d].shape, array.shape) for d, array in self.data.items() if d in self.program.variables]
        known = {a: n for names, lengths in given for a, n in zip(names, lengths, strict=False)}
        try:
            return length(size, known)
        except KeyError:
            raise NameProblem(f"the size {show(tuple(size))} of {name} is in no data", f"give start={{'{name}': …}}") from None

    # one flat vector, and back

    def flat(self, arrays: Mapping[str, Array]) -> Array:
        return joined(arrays[n] for n in self.start)

    def arrays(self, x: Array) -> Arrays:
        size = sum(a.size for a in self.start.values())
        if np.shape(x) != (size,):
            raise ShapeProblem(f"a point of shape {np.shape(x)}", f"{', '.join(self.start)} make one vector of {size} numbers")
        return parted(x, self.start)

    def value_and_gradient(self, x: Array) -> tuple[float, Array]:
        value, *gradients = self._function(**self.data, **self.arrays(x))
        return float(value), joined(gradients)

    def hessian_product(self, x: Array, v: Array) -> Array:
        """The Hessian times a vector, by a derived expression of the cost of a gradient; no Hessian is formed."""
        self._curvature = self._curvature or self._derived_curvature()
        along = {self._along(n): a for n, a in self.arrays(v).items()}
        return joined(self._curvature(**self.data, **self.arrays(x), **along))

    def _along(self, name: str) -> str:
        return next(n for n in (f"{name}_along{'_' * i}" for i in range(9)) if n not in self.program.variables)

    def _derived_curvature(self) -> Callable[..., Any]:
        """By one variable: its second derivative along v. By several: the gradients of Σ ⟨∂J/∂x, v_x⟩."""
        names = list(self.start)
        if len(names) == 1:
            return self._compiled((derive(self.program, names[0], order=2, along=self._along(names[0])).result,))
        slopes = [_inner(self.derivations[n].gradient, self.program.variables[n], self._along(n)) for n in names]
        slope = ex.add(*slopes)
        depends = {v.name for v in ex.variables(slope)}
        zero = {n: ex.zeros(self.program.variables[n].shape_) for n in names if n not in depends}
        found = derive(slope, [n for n in names if n in depends])
        return self._compiled(tuple(zero[n] if n in zero else found[n].result for n in names))


def _by_name(start: Any, names: Sequence[str]) -> Mapping[str, Any]:
    """The start of each variable; of one variable it may be the array alone."""
    if start is None:
        return {}
    if not isinstance(start, Mapping):
        if len(names) > 1:
            raise NameProblem("the start is one array for several variables", f"give start={{'{names[0]}': …}}")
        return {names[0]: start}
    for name in start:
        if name not in names:
            raise NameProblem(f"a start for '{name}', which is not minimized by", nearest(name, names) or f"the variables are {', '.join(names)}")
    return start


def joined(arrays: Iterable[Array]) -> Array:
    """Arrays one after another as one flat vector, matrices row by row."""
    return np.concatenate([np.ravel(a) for a in arrays])


def parted(x: Array, like: Mapping[str, Array]) -> Arrays:
    """The arrays that a flat vector joins, in the shapes of others."""
    cuts = np.cumsum([a.size for a in like.values()])[:-1]
    return {n: part.reshape(a.shape) for (n, a), part in zip(like.items(), np.split(x, cuts), strict=True)}


def _inner(gradient: Any, variable: ex.Expr, along: str) -> ex.Expr:
    """⟨gradient, direction⟩ as a scalar expression."""
    product = ex.times(gradient, ex.var(along, variable.shape_, variable.properties))
    return product if product.is_scalar else ex.call("sum", product)


# ---- minimizing -------------------------------------------------------------------------------------------------------------


@dataclass
class History:
    """What happened, a row for each step: value, norm of the gradient and seconds since the start."""

    values: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, value: float, norm: float, seconds: float) -> None:
        self.values.append(value)
        self.norms.append(norm)
        self.seconds.append(seconds)

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw the values and the norms of the gradient into a picture; needs matplotlib."""
        from .network.pictures import draw

        draw(path, {"objective": self.values, "norm of the gradient": self.norms}, "step")


@dataclass
class Minimum:
    """Where a minimization ended: ``arrays`` by name (also ``found["w"]``), the value there, and how it went."""

    arrays: Arrays
    value: float
    gradient_norm: float
    steps: int
    evaluations: int
    converged: bool
    message: str
    history: History = field(repr=False)

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]


@strict
def minimize(
    objective: Any, wrt: str | Sequence[str] | None = None, data: Mapping[str, Any] | None = None, *, method: str = "L-BFGS", shapes: Any = None,
    start: Mapping[str, Any] | None = None, bounds: Bounds | None = None, tolerance: float = 1e-8, max_steps: int = 1000,
    rate: float | None = None, patience: int | None = None, checkpoint: str | os.PathLike[str] | None = None, progress: bool | None = None,
    callback: Callable[[int, float, Arrays], None] | None = None,
) -> Minimum:  # fmt: skip
    """Minimize a typed scalar by some of its variables; ``data`` holds the others.

    Methods: L-BFGS, CG, BFGS, Newton-CG, trust-ncg, trust-krylov, trust-constr (through SciPy, with derived gradients and
    Hessian-vector products) and gradient-descent, momentum, adam. ``bounds`` are pairs by name, None for no bound.
    ``tolerance`` is for the largest entry of the gradient. ``patience`` stops after so many steps without progress.
    A ``checkpoint`` file is written after every step and continued from if it exists; the methods of SciPy begin anew at the
    saved point. Raises NameProblem and ShapeProblem for what does not fit.

    >>> found = minimize("norm2(X*w - y)^2", "w", {"X": np.array([[1.0, 0.0], [0.0, 2.0]]), "y": np.array([3.0, 4.0])})
    >>> found["w"].round(6)
    array([3., 2.])
    >>> found.converged
    True
    """
    key = method.lower()
    if key not in SCIPY and key not in FIRST_ORDER:
        known = [*SCIPY, *FIRST_ORDER]
        raise NameProblem(f"unknown method '{method[:40]}'", nearest(key, known) or f"there are {', '.join(known)}")
    if bounds and key not in BOUNDED:
        raise NameProblem(f"{method} knows no bounds", "use L-BFGS or trust-constr")
    run = _Run(Objective(objective, wrt, {} if data is None else data, shapes, start), checkpoint, patience, callback, max_steps)
    with progress_bar(f"minimize, {method}", max_steps, progress) as run.show:
        return run.first_order(optimizer(key, rate), tolerance, bounds) if key in FIRST_ORDER else run.scipy(key, tolerance, bounds)


class _Stop(Exception):
    """No progress for as long as patience lasts."""


@dataclass
class _Run:
    """One minimization: counts, records, saves and stops."""

    objective: Objective
    checkpoint: str | os.PathLike[str] | None
    patience: int | None
    callback: Callable[[int, float, Arrays], None] | None
    max_steps: int
    show: Callable[[int, str], None] = lambda done, note: None
    history: History = field(default_factory=History)
    evaluations: int = 0
    steps: int = 0
    memory: Arrays = field(default_factory=dict)
    went_beyond: bool = False  # some point had no value
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.x = self.objective.flat(self.objective.start)
        if self.checkpoint is not None and Path(self.checkpoint).exists():
            saved = load_arrays(self.checkpoint)
            if saved["x"].shape != self.x.shape:
                raise MatcalcError(f"the checkpoint {self.checkpoint} belongs to another problem", "remove it, or name another file")
            self.x, self.steps = saved.pop("x"), int(saved.pop("steps"))
            self.history = History(*(saved.pop(n).tolist() for n in ("values", "norms", "seconds")))
            self.memory = {n.removeprefix("memory of "): a for n, a in saved.items()}

    def evaluate(self, x: Array) -> tuple[float, Array]:
        self.evaluations += 1
        try:
            found = self.objective.value_and_gradient(x)
        except np.linalg.LinAlgError as problem:
            if not hasattr(self, "last"):
                raise MatcalcError(f"the objective has no value at the start: {problem}", "give another start") from None
            return self._beyond(x)
        self.last = x.copy(), *found
        return self.last[1], self.last[2]

    def _beyond(self, x: Array) -> tuple[float, Array]:
        """Where there is no value, as beside the positive definite matrices, one that rises from the last point: the step is shortened."""
        self.went_beyond = True
        here, value, _ = self.last
        rise = 1 + abs(value)
        return value + rise, 2 * rise / np.sum((x - here) ** 2) * (x - here)

    def at(self, x: Array) -> tuple[float, Array]:
        """The value and the gradient, which are often known already."""
        known = getattr(self, "last", None)
        return (known[1], known[2]) if known is not None and np.array_equal(known[0], x) else self.evaluate(x)

    def record(self, x: Array, memory: Arrays | None = None) -> None:
        value, gradient = self.at(x)
        self.x, self.steps = x.copy(), self.steps + 1
        self.history.add(value, float(np.linalg.norm(gradient)), time.monotonic() - self.started)
        self.show(self.steps, f"{value:.6g}")
        if self.callback is not None:
            self.callback(self.steps, value, self.objective.arrays(self.x))
        if self.checkpoint is not None:
            kept = {f"memory of {n}": a for n, a in (memory or {}).items()}
            save_arrays(self.checkpoint, {"x": x, "steps": np.array(self.steps)} | vars(self.history) | kept)
        if self.patience is not None and no_progress(self.history.values, self.patience):
            raise _Stop

    def first_order(self, step: Optimizer, tolerance: float, bounds: Bounds | None) -> Minimum:
        step.state = dict(self.memory)
        x, (low, high) = self.x.copy(), self._limits(bounds)
        try:
            while self.steps < self.max_steps:
                _, gradient = self.at(x)
                if np.abs(x - np.clip(x - gradient, low, high)).max() <= tolerance:
                    return self.result(x, True, "the gradient is below the tolerance")
                step.update({"x": x}, {"x": gradient})
                np.clip(x, low, high, out=x)
                self.record(x, step.state)
        except _Stop:
            return self.result(self.x, False, f"no progress in {self.patience} steps")
        return self.result(x, False, "the limit of steps is reached")

    def scipy(self, key: str, tolerance: float, bounds: Bounds | None) -> Minimum:
        optimize = scipy_optimize()
        left = self.max_steps - self.steps
        options = {"maxiter": max(1, left)} | _TOLERANCES[key](tolerance)
        curved = {"hessp": self.objective.hessian_product} if key in CURVED else {}
        limits = {"bounds": optimize.Bounds(*self._limits(bounds))} if bounds else {}
        try:
            how = {"jac": True, "method": SCIPY[key], "callback": self._after_step, "options": options}
            found = optimize.minimize(self.evaluate, self.x, **how, **curved, **limits)
        except _Stop:
            return self.result(self.x, False, f"no progress in {self.patience} steps")
        return self.result(found.x, (bool(found.success) and not self.went_beyond) or self._small(found.x, tolerance, bounds), str(found.message))

    def _after_step(self, x: Array, *_: Any) -> None:
        self.record(np.asarray(x))

    def _small(self, x: Array, tolerance: float, bounds: Bounds | None) -> bool:
        """Whether the projected gradient is small, or as small as the rounding of the value allows, whatever the line search says."""
        value, gradient = self.at(x)
        rounding = EXHAUSTED * max(1.0, abs(value))
        return bool(np.abs(x - np.clip(x - gradient, *self._limits(bounds))).max() <= max(tolerance, rounding))

    def _limits(self, bounds: Bounds | None) -> tuple[Array, Array]:
        def side(i: int, missing: float) -> Array:
            given = {n: pair[i] for n, pair in (bounds or {}).items() if pair[i] is not None}
            return self.objective.flat({n: np.broadcast_to(given.get(n, missing), a.shape) for n, a in self.objective.start.items()})

        return side(0, -np.inf), side(1, np.inf)

    def result(self, x: Array, converged: bool, message: str) -> Minimum:
        value, gradient = self.at(x)
        norm = float(np.linalg.norm(gradient))
        return Minimum(self.objective.arrays(x), value, norm, self.steps, self.evaluations, converged, message, self.history)


def _gtol(tolerance: float) -> dict[str, float]:
    return {"gtol": tolerance}


_TOLERANCES: Mapping[str, Callable[[float], dict[str, float]]] = dict.fromkeys(SCIPY, _gtol) | {
    "l-bfgs": lambda tolerance: {"gtol": tolerance, "ftol": 1e-16, "maxfun": 10**6},
    "newton-cg": lambda tolerance: {"xtol": tolerance},
    "trust-constr": lambda tolerance: {"gtol": tolerance, "xtol": 1e-14},
}
