"""Objectives: a typed scalar, its gradient and its Hessian-vector product as functions of one
flat vector.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import expr as ex
from ..api.derivation import Derivations
from ..api.derive import derive
from ..api.inputs import as_program
from ..errors import MissingData, NameProblem, OptionProblem, ShapeProblem, Unsupported
from ..expr.sizes import length, show
from ..labels.roots import Root, shape_text
from ..options import nearest
from .feasible import check_array, start_of
from .minimum import Arrays

Array = Any


class Objective:
    """A typed scalar with its derived gradient and Hessian-vector product, as functions of one flat
    vector.

    Raises MissingData for data that is missing and ShapeProblem for an expression that is no
    scalar.

    >>> f = Objective("norm2(X*w - y)^2", ["w"], {"X": np.eye(2), "y": np.ones(2)})
    >>> f.value_and_gradient(np.zeros(2))
    (2.0, array([-2., -2.]))
    >>> f.hessian_product(np.zeros(2), np.array([1.0, 0.0]))
    array([2., 0.])
    """

    def __init__(
        self,
        expression: Any,
        wrt: str | Sequence[str] | None,
        data: Mapping[str, Any],
        shapes: Any = None,
        start: Mapping[str, Any] | None = None,
    ) -> None:
        self.program = as_program(expression, shapes)
        if not self.program.expr.is_scalar:
            raise ShapeProblem(
                f"the objective is {shape_text(self.program.expr)}",
                "only a scalar can be minimized",
            )
        if not isinstance(data, Mapping):
            raise OptionProblem(f"the data is a {type(data).__name__}", "give it by name: {'X': …}")
        names = self._moving(wrt, data)
        self.derivations: Derivations = derive(self.program, names)
        self._function = self._compiled(
            (self.program.expr, *(self.derivations[n].result for n in names))
        )
        self.data = self._checked_data(data)
        self._refuse_missing(names)
        given = _by_name(start, names)
        self.start = {n: self._start(n, given.get(n)) for n in names}
        self._curvature: Callable[..., Any] | None = None

    def _moving(self, wrt: str | Sequence[str] | None, data: Mapping[str, Any]) -> list[str]:
        """The names of the variables that move, by default all without data, each once."""
        if isinstance(wrt, str):
            return [wrt]
        if wrt is None:
            return [n for n in self.program.variables if n not in data]
        return list(dict.fromkeys(wrt))

    def _checked_data(self, data: Mapping[str, Any]) -> Arrays:
        """The data as arrays that fit their variables; lengths and indices stay numbers."""
        arrays = dict(data)
        for name, variable in self.program.variables.items():
            if name in data:
                arrays[name] = self._array(name, data[name])
                check_array(variable, arrays[name])
        return arrays

    def _refuse_missing(self, moving: Sequence[str]) -> None:
        """Raise MissingData for a variable that neither moves nor has data."""
        parameters = getattr(self._function, "parameters", ())
        needed = dict.fromkeys([*self.program.variables, *parameters])
        missing = [n for n in needed if n not in self.data and n not in moving]
        if missing:
            raise MissingData(
                f"no data for {', '.join(missing)}", "give it in data, or minimize by it"
            )

    def _compiled(self, roots: tuple[Root, ...]) -> Callable[..., Any]:
        """The value and the derivatives as one function of arrays by name, which returns a
        tuple.
        """
        from ..codegen import compile_expr

        return compile_expr(
            roots, "numpy", "objective", self.program.expr, known=self.program.variables.values()
        )

    def _array(self, name: str, given: Any) -> Array:
        if hasattr(given, "__dask_graph__"):
            raise Unsupported(
                "the data is a dask array",
                "matcalc.distribute(…).value_and_grad leaves it where it lies",
            )
        if np.iscomplexobj(given):
            raise ShapeProblem(
                f"{name} has complex numbers",
                "give their real and imaginary parts as variables of their own",
            )
        try:
            return np.asarray(given, dtype=float)
        except (TypeError, ValueError):
            raise ShapeProblem(
                f"{name} is no array of numbers", f"it is a {type(given).__name__}"
            ) from None

    def _start(self, name: str, given: Any) -> Array:
        """The given start, or the identity for a spd matrix, ones for a positive variable and
        zeros for any other.
        """
        v = self.program.variables[name]
        if given is not None:
            start = self._array(name, given).copy()
            if np.isnan(start).any():
                raise OptionProblem(f"the start of {name} has nan", "give numbers")
            return start
        lengths = [self._length(name, size) for size in ex.own_axes(v)]
        return start_of(v, lengths)

    def _length(self, name: str, size: Sequence[Any]) -> int:
        given = [
            (self.program.variables[d].shape, array.shape)
            for d, array in self.data.items()
            if d in self.program.variables
        ]
        known = {a: n for names, lengths in given for a, n in zip(names, lengths, strict=False)}
        try:
            return length(size, known)
        except KeyError:
            raise MissingData(
                f"the size {show(tuple(size))} of {name} is in no data",
                f"give start={{'{name}': …}}",
            ) from None

    # one flat vector, and back

    def flat(self, arrays: Mapping[str, Array]) -> Array:
        """The arrays of the moving variables as one vector."""
        return joined(arrays[n] for n in self.start)

    def arrays(self, x: Array) -> Arrays:
        """The moving variables that a vector holds; raises ShapeProblem for another size."""
        size = sum(a.size for a in self.start.values())
        if np.shape(x) != (size,):
            raise ShapeProblem(
                f"a point of shape {np.shape(x)}",
                f"{', '.join(self.start)} make one vector of {size} numbers",
            )
        return parted(x, self.start)

    def value_and_gradient(self, x: Array) -> tuple[float, Array]:
        """The value and the gradient, a vector like ``x``."""
        value, *gradients = self._function(**self.data, **self.arrays(x))
        return float(value), joined(gradients)

    def hessian_product(self, x: Array, v: Array) -> Array:
        """The Hessian times a vector, by a derived expression of the cost of a gradient.

        No Hessian is formed.
        """
        self._curvature = self._curvature or self._derived_curvature()
        along = {self._along(n): a for n, a in self.arrays(v).items()}
        return joined(self._curvature(**self.data, **self.arrays(x), **along))

    def _along(self, name: str) -> str:
        return next(
            n
            for n in (f"{name}_along{'_' * i}" for i in range(9))
            if n not in self.program.variables
        )

    def _derived_curvature(self) -> Callable[..., Any]:
        """By one variable: its second derivative along v.

        By several: the gradients of Σ ⟨∂J/∂x, v_x⟩.
        """
        names = list(self.start)
        if len(names) == 1:
            return self._compiled(
                (derive(self.program, names[0], order=2, along=self._along(names[0])).result,)
            )
        slopes = [
            _inner(self.derivations[n].gradient, self.program.variables[n], self._along(n))
            for n in names
        ]
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
            raise OptionProblem(
                "the start is one array for several variables", f"give start={{'{names[0]}': …}}"
            )
        return {names[0]: start}
    for name in start:
        if name not in names:
            raise NameProblem(
                f"a start for '{name}', which is not minimized by",
                nearest(name, names) or f"the variables are {', '.join(names)}",
            )
    return start


def joined(arrays: Iterable[Array]) -> Array:
    """Arrays one after another as one flat vector, matrices row by row."""
    return np.concatenate([np.ravel(a) for a in arrays])


def parted(x: Array, like: Mapping[str, Array]) -> Arrays:
    """The arrays that a flat vector joins, in the shapes of others."""
    cuts = np.cumsum([a.size for a in like.values()])[:-1]
    return {
        n: part.reshape(a.shape)
        for (n, a), part in zip(like.items(), np.split(x, cuts), strict=True)
    }


def _inner(gradient: Any, variable: ex.Expr, along: str) -> ex.Expr:
    """⟨gradient, direction⟩ as a scalar expression."""
    product = ex.times(gradient, ex.var(along, variable.shape_, variable.properties))
    return product if product.is_scalar else ex.call("sum", product)
