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
    """A scalar as ``scipy.optimize.minimize(f, f.start, jac=True, hessp=f.hessp)`` takes it.

    ``data`` holds the other variables.

    Several variables make one vector, in the order of ``wrt``, matrices row by row; ``start`` gives
    the ones whose sizes no data shows. Raises MissingData for data that is missing and ShapeProblem
    for what is no scalar or does not fit.

    >>> import numpy as np
    >>> f = value_and_grad("norm2(X*w - y)^2", "w", {"X": np.eye(2), "y": np.ones(2)})
    >>> f(np.zeros(2))
    (2.0, array([-2., -2.]))
    >>> f.hessp(np.zeros(2), np.array([1.0, 0.0]))
    array([2., 0.])
    """
    return ValueAndGrad(Objective(expr, wrt, {} if data is None else data, shapes, start))
