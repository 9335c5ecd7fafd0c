"""The NumPy dialect, with SciPy's factorizations and its BLAS where SciPy is installed."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

from ..passes.congruence import congruent
from ..passes.fusion import both_ways
from ..plan.planner import Plan
from ..write.dialect import Dialect, standard_calls
from ..write.excerpts import excerpts

CALLS = standard_calls("np") | {
    "einsum": "np.einsum('{data}', {arrays}{optimize})",
    "outer": "outer({0}, {1})",
    "shift": "add_diagonal({0}, {1})",
    "shift diag": "add_diagonal({0}, {1})",
    "sum": "<0>.sum()",
    "sum 0": "<0>.sum(axis=0)",
    "sum 1": "<0>.sum(axis=1)",
    "vdot": "<0>.ravel() @ <1>.ravel()",
    "vdott": "np.einsum('ij,ji->', {0}, {1})",
    "rowdot": "np.einsum('ij,ij->i', {0}, {1})",
    "softmax_logsumexp_rows": "softmax_logsumexp_rows({0})",
}
SPELLINGS = {"step": "unit_step({x})", "softplus": "softplus({x})"}
PLAIN_LINALG = {
    "factor": "{0}",
    # the sum is for nan, which LAPACK does not spread to all entries
    "solve": "np.linalg.solve({0}, {1}) + 0*np.sum({0})",
    "solve lu True": "np.linalg.solve(<0>.T, {1}) + 0*np.sum({0})",
    "inverse": "np.linalg.inv({0}) + 0*np.sum({0})",
    "det": "np.linalg.det({0})",
    "logdet": "np.linalg.slogdet({0})[1]",
    "logdet signed": "signed_logdet(*np.linalg.slogdet({0}))",
    "adjugate": "adjugate({0}, {1})",
}
LAPACK = {
    "dot": "mm({0}, {1})",
    "gram": "gram({0})",
    "sandwich": "sandwich({0}, {1})",
    "factor chol": "cholesky({0})",
    "factor symmetric": "factor_symmetric({0})",
    "factor lu": "lu({0})",
    "solve": "solve({0}, {1})",
    "solve lu True": "solve({0}, {1}, transposed=True)",
    "inverse": "inverse({0})",
    "congruence True": "inverse_and_sandwich({0}, {1}, {2}, {3})",
    "congruence False": "inverse_and_sandwich({0}, {1}, {2}, {3}, trace=False)",
    "det": "det({0})",
    "logdet": "logdet({0})",
    "logdet signed": "logdet({0}, signed=True)",
    "adjugate": "adjugate_by_factor({0}, {1})",
}
BOTH_OR_EACH = "both({0}, {1}, {2}) if <0>.size > 2**22 else (<0> @ <1>, <0>.T @ <2>)"
HELPERS = excerpts("common") | excerpts("plain") | excerpts("numpy")


def _number_beside(value: float, arrays: list[Any]) -> Any:
    """A Python number; of the arrays' own type where they are not of double precision, so that
    they keep it.
    """
    import numpy as np

    dtype = np.result_type(*arrays) if arrays else np.dtype(float)
    return value if dtype == np.dtype(float) else dtype.type(value)


def _lone_number(value: float) -> Any:
    import numpy as np

    return np.float64(value)


def _both_ways(plan: Plan) -> Plan:
    return both_ways(plan, ("both", "", BOTH_OR_EACH))


def _with_lapack(plan: Plan) -> Plan:
    return _both_ways(congruent(plan))


def has_scipy() -> bool:
    """Tell whether SciPy is installed."""
    return find_spec("scipy") is not None


def dialect() -> Dialect:
    """NumPy's dialect; with SciPy where that is installed."""
    return dialect_with(has_scipy())


@cache
def dialect_with(scipy: bool) -> Dialect:
    """The dialect of NumPy alone, or with SciPy."""
    return Dialect(
        name="numpy",
        module="np",
        head=("import numpy as np",),
        calls=CALLS | (LAPACK if scipy else PLAIN_LINALG),
        helpers=HELPERS | excerpts("scipy") if scipy else HELPERS,
        dtype="dtype = np.result_type({all}, np.float16)",
        lone="np.asarray({0})",
        no_dtype="dtype = np.dtype(float)",
        plain="float({0})",
        number="dtype.type({0})",
        copy="<0>.copy()",
        power="np.power",
        in_place=True,
        change=_with_lapack if scipy else _both_ways,
        spellings=SPELLINGS,
        number_beside=_number_beside,
        lone_number=_lone_number,
        of_numpy=True,
        reuses=True,
        blocks=True,
        congruences=True,
    )
