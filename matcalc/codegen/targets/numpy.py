"""The NumPy dialect, with SciPy's factorizations and its BLAS where SciPy is installed."""

from __future__ import annotations

from functools import cache

from ...tables.functions import Row
from ..passes.congruence import congruent
from ..passes.fusion import both_ways
from ..plan.planner import Plan
from ..write.dialect import Dialect
from ..write.excerpts import excerpts

CALLS = {
    "commutation": "commutation({sizes}, dtype)",
    "shifts": "shifts({sizes}, dtype)",
    "ones": "np.ones({shape}, dtype=dtype)",
    "zeros": "np.zeros({shape}, dtype=dtype)",
    "eye": "np.eye({length}, dtype=dtype)",
    "concat": "np.concat([{arrays}], axis={data})",
    "einsum": "np.einsum('{data}', {arrays}{optimize})",
    "reshape": "np.reshape({0}, {shape})",
    "outer": "outer({0}, {1})",
    "fill": "np.full({shape}, {0}, dtype=dtype)",
    "shift": "add_diagonal({0}, {1})",
    "shift diag": "add_diagonal({0}, {1})",
    "sum": "<0>.sum()",
    "sum 0": "<0>.sum(axis=0)",
    "sum 1": "<0>.sum(axis=1)",
    "vdot": "<0>.ravel() @ <1>.ravel()",
    "vdott": "np.einsum('ij,ji->', {0}, {1})",
    "rowdot": "np.einsum('ij,ij->i', {0}, {1})",
    "trace": "np.trace({0})",
    "diag": "np.diag({0})",
    "diagonal": "np.diag({0})",
    "sqrt": "np.sqrt({0})",
    "softmax_logsumexp": "softmax_logsumexp({0})",
    "softmax_logsumexp_rows": "softmax_logsumexp_rows({0})",
}
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


def _spelling(row: Row) -> str:
    return {"step": "unit_step({x})", "softplus": "softplus({x})"}.get(row.name, row.numpy)


def _both_ways(plan: Plan) -> Plan:
    return both_ways(plan, ("both", "", BOTH_OR_EACH))


def _with_lapack(plan: Plan) -> Plan:
    return _both_ways(congruent(plan))


@cache
def dialect(scipy: bool) -> Dialect:
    """NumPy alone, or with SciPy."""
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
        blocks=True,
        spelling=_spelling,
    )
