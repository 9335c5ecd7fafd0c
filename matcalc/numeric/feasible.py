"""Declared properties of a point that is minimized: bounds, shortened steps, or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import MissingData, NameProblem, OptionProblem, ShapeProblem, Unsupported
from ..expr import Expr

Array = Any
NEAR = 1e-6  # how far typed or computed numbers may be from what is declared of them

# a box, for every entry: the minimizer keeps to it as to bounds that the user gives
BOXES: Mapping[str, tuple[float, float]] = {"positive": (0.0, np.inf), "unit": (0.0, 1.0)}
# an open set: a step that leaves it is shortened
OPEN = ("spd",)
# no minimizer here keeps to these; beside each, how the objective is typed instead
REFUSED: Mapping[str, str] = {
    "simplex": "put softmax(z) in its place, and minimize by z",
    "orthogonal": "put expm(Z - Z') in its place, and minimize by Z",
    "pm1": "its entries are -1 and 1, and no gradient leads from one to the other",
    "mask": "its entries are 0 and 1, and no gradient leads from one to the other",
    "onehot": "its entries are 0 and 1, and no gradient leads from one to the other",
}


def _square(a: Array) -> bool:
    return bool(a.ndim == 2 and a.shape[0] == a.shape[1])


def _equal(a: Array, b: Array) -> bool:
    return bool(np.allclose(a, b, rtol=NEAR, atol=NEAR * np.max(np.abs(a), initial=0)))


def is_definite(a: Array) -> bool:
    """Tell if a symmetric matrix, or a number, is positive definite.

    >>> is_definite(np.eye(2)), is_definite(-np.eye(2))
    (True, False)
    """
    if not _square(a):
        return bool(np.all(a > 0))
    try:
        np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        return False
    return True


# the gradient by such a variable lies in its space, and so does every step from a start that does
SPACES: Mapping[str, Callable[[Array], Array]] = {
    "symmetric": lambda a: (a + a.T) / 2,
    "spd": lambda a: (a + a.T) / 2,
    "diagonal": lambda a: np.diag(np.diag(a)),
    "lower": np.tril,
    "upper": np.triu,
}


def in_space(variable: Expr, a: Array) -> Array:
    """The part of an array in the space that a square matrix is declared to be of."""
    for prop in variable.properties:
        if prop in SPACES and _square(a):
            a = SPACES[prop](a)
    return a


def _last_sums(a: Array) -> Array:
    """The sums of the rows; of a vector, as a column too, its sum."""
    return a.sum(-1) if a.ndim == 2 and a.shape[1] > 1 else a.sum()


def _is_orthogonal(a: Array) -> bool:
    return not _square(a) or bool(np.allclose(a.T @ a, np.eye(len(a)), atol=NEAR))


HOLDS: Mapping[str, Callable[[Array], bool]] = {
    "positive": lambda a: bool(np.all(a >= 0)),
    "unit": lambda a: bool(np.all((a >= 0) & (a <= 1))),
    "pm1": lambda a: bool(np.all(np.abs(a) == 1)),
    "mask": lambda a: bool(np.all((a == 0) | (a == 1))),
    "simplex": lambda a: bool(np.all(a >= 0) and np.allclose(_last_sums(a), 1, atol=NEAR)),
    "onehot": lambda a: bool(np.all((a == 0) | (a == 1)) and np.all(_last_sums(a) == 1)),
    "orthogonal": _is_orthogonal,
}


def holds(prop: str, a: Array) -> bool:
    """Tell if an array has a property."""
    if prop in SPACES and _square(a) and not _equal(a, SPACES[prop](a)):
        return False
    if prop in OPEN and not is_definite(a):
        return False
    return prop not in HOLDS or HOLDS[prop](a)


def broken(variable: Expr, a: Array) -> str:
    """The first property declared of a variable that an array does not have; empty if it has all.

    >>> from matcalc import matrix
    >>> broken(matrix("S", "n", "n", "symmetric"), np.array([[1.0, 2.0], [3.0, 4.0]]))
    'symmetric'
    """
    return next((p for p in variable.properties if not holds(p, a)), "")


def check_array(variable: Expr, a: Array) -> None:
    """Raise MatcalcError for NaN, which it places, and ShapeProblem for an array that is not
    what its name is declared to be.
    """
    if np.isnan(a).any():
        place = ",".join(str(i + 1) for i in np.argwhere(np.isnan(a))[0])
        count = int(np.isnan(a).sum())
        entry = f"{variable.name}[{place}]" if place else variable.name
        more = f", and {count - 1} more of its entries" if count > 1 else ""
        raise MissingData(f"{entry} is nan{more}", "fill in what is missing, or leave out its rows")
    if prop := broken(variable, a):
        name = variable.name
        raise ShapeProblem(
            f"{name} is declared {prop}, its array is not",
            f"give another, or declare {name} without it",
        )


@dataclass(frozen=True)
class Feasible:
    """The set that a flat point is kept to: between two bounds, its spd matrices definite."""

    low: Array
    high: Array
    definite: tuple[str, ...]  # the names of the variables that must stay positive definite

    @property
    def bounded(self) -> bool:
        return bool(np.isfinite(self.low).any() or np.isfinite(self.high).any())

    def clipped(self, x: Array) -> Array:
        return np.clip(x, self.low, self.high)

    def slope(self, x: Array, gradient: Array) -> Array:
        """The gradient without what the bounds forbid to follow: zero at a minimum."""
        return x - self.clipped(x - gradient)


def refuse_constraints(variables: Iterable[Expr]) -> None:
    """Raise Unsupported for a variable of a set that no method keeps to."""
    for v in variables:
        for prop in v.properties:
            if prop in REFUSED:
                raise Unsupported(
                    f"{v.name} is declared {prop}, which minimize does not keep to", REFUSED[prop]
                )


def bounds_of(given: Any, variables: Mapping[str, Expr]) -> dict[str, tuple[Any, Any]]:
    """The bounds of each variable: those given by name, or for one variable alone, within those
    that are declared.

    Raises NameProblem, OptionProblem and ShapeProblem, which name what does not fit.

    >>> from matcalc import vector
    >>> bounds_of((None, 1), {"x": vector("x", "n", "positive")})
    {'x': (0.0, 1.0)}
    """
    pairs = _by_name(given, list(variables))
    return {n: _within(n, pairs.get(n, (None, None)), v) for n, v in variables.items()}


def _by_name(given: Any, names: list[str]) -> Mapping[str, Any]:
    if given is None:
        return {}
    if isinstance(given, Mapping):
        unknown = next((n for n in given if n not in names), None)
        if unknown is not None:
            fact = f"bounds for {unknown!r}, which is not minimized by"
            raise NameProblem(fact, f"the variables are {', '.join(names)}")
        return given
    if len(names) > 1:
        raise OptionProblem(
            "the bounds are one pair for several variables",
            f"give bounds={{'{names[0]}': (0, None)}}",
        )
    return {names[0]: given}


def _within(name: str, pair: Any, variable: Expr) -> tuple[Any, Any]:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ShapeProblem(
            f"the bounds of {name} are no pair", "give (low, high), with None for no bound"
        )
    low, high = _side(name, pair[0], -np.inf), _side(name, pair[1], np.inf)
    for prop in variable.properties:
        least, most = BOXES.get(prop, (-np.inf, np.inf))
        low, high = np.maximum(low, least), np.minimum(high, most)
    if np.size(low) == np.size(high) == 1:
        low, high = float(np.ravel(low)[0]), float(np.ravel(high)[0])
    return low, high


def _side(name: str, bound: Any, missing: float) -> Array:
    """A bound as an array of numbers."""
    try:
        side = np.asarray(missing if bound is None else bound, dtype=float)
    except (TypeError, ValueError):
        raise ShapeProblem(
            f"a bound of {name} is no array of numbers", f"it is a {type(bound).__name__}"
        ) from None
    if np.isnan(side).any():
        raise ShapeProblem(f"a bound of {name} is nan", "None is no bound")
    return side


def feasible(
    bounds: Mapping[str, tuple[Any, Any]], variables: Mapping[str, Expr], like: Mapping[str, Array]
) -> Feasible:
    """The set that the flat point of some variables is kept to.

    Raises ShapeProblem for bounds that do not fit or exclude each other.
    """
    sides: tuple[list[Array], list[Array]] = ([], [])
    for name, a in like.items():
        for bound, side in zip(bounds[name], sides, strict=True):
            try:
                side.append(np.broadcast_to(bound, a.shape).ravel())
            except ValueError:
                raise ShapeProblem(
                    f"a bound of {name} has shape {np.shape(bound)}", f"{name} has shape {a.shape}"
                ) from None
        if np.any(sides[0][-1] > sides[1][-1]):
            raise ShapeProblem(
                f"a lower bound of {name} is above the upper one", "give (low, high)"
            )
    definite = tuple(n for n in like if set(OPEN) & set(variables[n].properties))
    return Feasible(np.concatenate(sides[0]), np.concatenate(sides[1]), definite)
