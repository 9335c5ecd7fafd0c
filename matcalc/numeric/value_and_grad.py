"""A typed scalar in the form that SciPy's minimizers ask for: one flat vector in, the value and
one flat gradient out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..options import strict
from .objective import Objective


@strict
class ValueAndGrad:
    """A function of one flat vector.

    ``hessp`` and ``start`` are what ``scipy.optimize.minimize`` takes by these names.

    ``arrays(x)`` gives the variables back by name, in their shapes; ``flat(arrays)`` is the way
    there.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self.start = objective.flat(objective.start)
        self.flat, self.arrays = objective.flat, objective.arrays

    def __call__(self, x: Any) -> tuple[float, Any]:
        """The value, and the gradient as a flat vector."""
        return self._objective.value_and_gradient(x)

    def hessp(self, x: Any, p: Any) -> Any:
        """The Hessian at x times p, by a derived expression; no Hessian is formed."""
        return self._objective.hessian_product(x, p)


@strict
def value_and_grad(
    expr: Any,
    wrt: str | Sequence[str],
    data: Mapping[str, Any] | None = None,
    *,
    shapes: Any = None,
    start: Mapping[str, Any] | None = None,
) -> ValueAndGrad:
    """Make the value and the gradient of a scalar a function of one flat vector, for optimizers.

    ``scipy.optimize.minimize(f, f.start, jac=True, hessp=f.hessp)`` takes it as it is.

    Arguments:

    * ``expr``: a text, an Expr or a SymPy expression; a scalar.
    * ``wrt``: the variables that move, by name. Several make one vector of float64, in their order,
      matrices row by row.
    * ``data``: the other variables by name, arrays of real numbers in their shapes.
    * ``shapes``: declarations, as those of :func:`matcalc.derive`.
    * ``start``: first values by name; those of variables whose sizes no data shows must be given.

    Raises MissingData for data that is missing, NameProblem for a name that the scalar does not
    have, OptionProblem for data that is not given by name, and ShapeProblem for what is no scalar
    or does not fit.

    >>> import numpy as np
    >>> f = value_and_grad("norm2(X*w - y)^2", "w", {"X": np.eye(2), "y": np.ones(2)})
    >>> f(np.zeros(2))
    (2.0, array([-2., -2.]))
    >>> f.hessp(np.zeros(2), np.array([1.0, 0.0]))
    array([2., 0.])
    """
    return ValueAndGrad(Objective(expr, wrt, {} if data is None else data, shapes, start))
