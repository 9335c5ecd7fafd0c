"""Types of the arguments of the functions beside this file, of whatever library."""

from __future__ import annotations

from typing import Any

Array = Any  # of the library at hand, or a number where one may stand
# of SciPy's LAPACK: the triangles; the pivots, or None of a Cholesky factor; whether it is singular
Factor = tuple[Array, Array, int]
