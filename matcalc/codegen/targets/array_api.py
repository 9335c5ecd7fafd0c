"""The dialect of the Python array API standard: one function for the arrays of every library
that follows it.
"""

from __future__ import annotations

import re

from ...tables.functions import Row
from ..write.dialect import Dialect
from ..write.excerpts import excerpts

CALLS = {
    "commutation": "commutation(xp, {sizes}, dtype)",
    "shifts": "shifts(xp, {sizes}, dtype)",
    "ones": "xp.ones({shape}, dtype=dtype)",
    "zeros": "xp.zeros({shape}, dtype=dtype)",
    "eye": "xp.eye({length}, dtype=dtype)",
    "concat": "xp.concat([{arrays}], axis={data})",
    "einsum": "einsum('{data}', {arrays})",
    "reshape": "xp.reshape({0}, {shape})",
    "fill": "xp.zeros({shape}, dtype=dtype) + «0»",
    "shift": "{0} + «1»*xp.eye({length}, dtype=dtype)",
    "shift diag": "{0} + diag({1})",
    "sum": "xp.sum({0})",
    "sum 0": "xp.sum({0}, axis=0)",
    "sum 1": "xp.sum({0}, axis=1)",
    "vdot": "xp.sum(«0»*«1»)",
    "vdott": "xp.sum(«0»*<1>.T)",
    "rowdot": "xp.sum(«0»*«1», axis=1)",
    "trace": "xp.linalg.trace({0})",
    "diag": "diag({0})",
    "diagonal": "xp.linalg.diagonal({0})",
    "sqrt": "xp.sqrt({0})",
    "softmax_logsumexp": "softmax_logsumexp({0})",
    "softmax_logsumexp_rows": "softmax_logsumexp({0})",
    "factor": "{0}",
    # the sum is for nan, which LAPACK does not spread to all entries
    "solve": "xp.linalg.solve({0}, {1}) + 0*xp.sum({0})",
    "solve lu True": "xp.linalg.solve(<0>.T, {1}) + 0*xp.sum({0})",
    "inverse": "xp.linalg.inv({0}) + 0*xp.sum({0})",
    "det": "xp.linalg.det({0})",
    "logdet": "xp.linalg.slogdet({0})[1]",
    "logdet signed": "signed_logdet(*xp.linalg.slogdet({0}))",
    "adjugate": "adjugate({0}, {1})",
}


WORDS = {"np.": "xp.", "xp.linalg.matrix_power": "matrix_power", "xp.amax": "xp.max"}
OPENING = "xp = {0}.__array_namespace__()"
HELPERS = excerpts("common", WORDS, OPENING) | excerpts("array_api")


def _spelling(row: Row) -> str:
    if row.array_api:
        return row.array_api
    return re.sub(
        r"np\.linalg|np\b",
        lambda found: "xp.linalg" if found[0] == "np.linalg" else "xp",
        row.numpy,
    )


DIALECT = Dialect(
    name="array_api",
    module="xp",
    head=(),
    calls=CALLS,
    helpers=HELPERS,
    opening="xp = {first}.__array_namespace__()",
    dtype="dtype = {first}.dtype",
    no_dtype="dtype = xp.float64",
    constant="xp.asarray({0}, dtype=dtype)",
    number="xp.asarray({0}, dtype=dtype)",
    copy="xp.asarray({0}, copy=True)",
    scalars=True,
    spelling=_spelling,
    every_axis=True,
)
