"""Arrays and declared properties: whether an array has one, and what a minimizer makes of it.

A minimizer keeps to an interval as to bounds that the user gives; a step that leaves the definite
matrices is shortened; the gradient by a matrix of a linear space lies in that space, and so does
every step from a start that does. Sets without an inside are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from .. import expr as ex
from ..codegen import Compiled, compile_expr
from ..errors import MissingData, NameProblem, OptionProblem, ShapeProblem, Unsupported
from ..expr import Expr
from ..language.elaborate import template
from ..tables.properties import BY_NAME, Property, properties_of

Array = Any
NEAR = 1e-6  # how far typed or computed numbers may be from what is declared of them


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


def must_be_definite(variable: Expr) -> bool:
    """Whether a variable is declared positive definite."""
    return any(row.definite for row in properties_of(variable.properties))


def is_bounded(variable: Expr) -> bool:
    """Whether the entries of a variable are declared to lie in an interval."""
    return any(row.interval != (-np.inf, np.inf) for row in properties_of(variable.properties))


def in_space(variable: Expr, a: Array) -> Array:
    """The part of an array in the space that a square matrix is declared to be of."""
    if not _square(a):
        return a
    for row in properties_of(variable.properties):
        a = _projected(row, a)
    return a


def _projected(row: Property, a: Array) -> Array:
    """The nearest matrix of the linear space of a property."""
    return evaluated(BY_NAME[row.space].projection, a) if row.space else a


def evaluated(text: str, a: Array) -> Array:
    """A text of the table of properties at a square matrix x.

    >>> evaluated("tril(x)", np.ones((2, 2)))
    array([[1., 0.],
           [1., 1.]])
    """
    return _compiled(text)(x=np.asarray(a, dtype=float))


@cache
def _compiled(text: str) -> Compiled:
    x = ex.var("x", (("n",), ("n",)))
    return compile_expr(template(text, {"x": x}))


def start_of(variable: Expr, lengths: Sequence[int]) -> Array:
    """Where a minimizer starts: the identity for a definite matrix, else what the table says."""
    if must_be_definite(variable):
        return np.eye(lengths[0])
    starts = [row.start for row in properties_of(variable.properties)]
    return np.full(lengths, float(max(starts, default=0)))


def _last_sums(a: Array) -> Array:
    """The sums of the rows; of a vector, as a column too, its sum."""
    return a.sum(-1) if a.ndim == 2 and a.shape[1] > 1 else a.sum()


def _is_within(row: Property, a: Array) -> bool:
    """Whether all entries, and their sums, are what they must be."""
    low, high = row.interval
    allowed = (a >= low) & (a <= high)
    if row.values:
        allowed &= np.isin(a, row.values)
    sums = row.total is None or np.allclose(_last_sums(a), row.total, rtol=NEAR, atol=NEAR)
    return bool(np.all(allowed) and sums)


def _is_matrix(row: Property, a: Array) -> bool:
    """Whether a square matrix lies in the space of a property, and in its set there."""
    if not _equal(a, _projected(row, a)):
        return False
    if row.definite and not is_definite(a):
        return False
    return not row.zero or bool(np.allclose(evaluated(row.zero, a), 0, atol=NEAR))


def holds(prop: str, a: Array) -> bool:
    """Tell if an array has a property.

    >>> holds("lower", np.eye(2)), holds("lower", np.ones((2, 2)))
    (True, False)
    """
    row = BY_NAME[prop]
    return _is_within(row, a) and (not (row.square and _square(a)) or _is_matrix(row, a))


def broken(variable: Expr, a: Array) -> str:
    """The first property declared of a variable that an array does not have; empty if it has all.

    >>> from matcalc import matrix
    >>> broken(matrix("S", "n", "n", "symmetric"), np.array([[1.0, 2.0], [3.0, 4.0]]))
    'symmetric'
    """
    rows = properties_of(variable.properties)
    return next((row.name for row in rows if not holds(row.name, a)), "")


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
        for row in properties_of(v.properties):
            if row.instead:
                raise Unsupported(
                    f"{v.name} is declared {row.name}, which minimize does not keep to", row.instead
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
    for row in properties_of(variable.properties):
        least, most = row.interval
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
    definite = tuple(n for n in like if must_be_definite(variables[n]))
    return Feasible(np.concatenate(sides[0]), np.concatenate(sides[1]), definite)
