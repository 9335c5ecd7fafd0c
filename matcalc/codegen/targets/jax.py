"""The JAX dialect: pure functions, ready for jit, grad, vmap and sharding."""

from __future__ import annotations

from ...tables.functions import Row
from ..write.dialect import Dialect
from ..write.excerpts import excerpts

CALLS = {
    "commutation": "commutation({sizes}, dtype)",
    "shifts": "shifts({sizes}, dtype)",
    "ones": "jnp.ones({shape}, dtype=dtype)",
    "zeros": "jnp.zeros({shape}, dtype=dtype)",
    "eye": "jnp.eye({length}, dtype=dtype)",
    "concat": "jnp.concat([{arrays}], axis={data})",
    "einsum": "jnp.einsum('{data}', {arrays})",
    "reshape": "jnp.reshape({0}, {shape})",
    "fill": "jnp.full({shape}, {0}, dtype=dtype)",
    "shift": "{0} + «1»*jnp.eye({length}, dtype=dtype)",
    "shift diag": "{0} + jnp.diag({1})",
    "sum": "jnp.sum({0})",
    "sum 0": "jnp.sum({0}, axis=0)",
    "sum 1": "jnp.sum({0}, axis=1)",
    "vdot": "jnp.sum(«0»*«1»)",
    "vdott": "jnp.sum(«0»*<1>.T)",
    "rowdot": "jnp.sum(«0»*«1», axis=1)",
    "trace": "jnp.trace({0})",
    "diag": "jnp.diag({0})",
    "diagonal": "jnp.diag({0})",
    "sqrt": "jnp.sqrt({0})",
    "softmax_logsumexp": "softmax_logsumexp({0})",
    "softmax_logsumexp_rows": "softmax_logsumexp({0})",
    "factor": "jax.scipy.linalg.lu_factor({0})",
    "factor chol": "jax.scipy.linalg.cho_factor({0}, lower=True)",
    # the trace is for nan, which LAPACK does not spread to all entries
    "solve": "jax.scipy.linalg.lu_solve({0}, {1}) + 0*jnp.trace(<0>[0])",
    "solve lu True": "jax.scipy.linalg.lu_solve({0}, {1}, trans=1) + 0*jnp.trace(<0>[0])",
    "solve chol": "cholesky_solve({0}, {1})",
    "inverse": "jax.scipy.linalg.lu_solve({0}, jnp.eye({length}, dtype=dtype)) + "
    "0*jnp.trace(<0>[0])",
    "inverse chol": "cholesky_inverse({0})",
    "det": "det(*<0>)",
    "det chol": "jnp.prod(jnp.diag(<0>[0]))**2",
    "logdet": "jnp.sum(jnp.log(jnp.abs(jnp.diag(<0>[0]))))",
    "logdet lu signed": "signed_logdet(*<0>)",
    "logdet symmetric signed": "signed_logdet(*<0>)",
    "adjugate": "adjugate_by_factor({0}, {1})",
    "logdet chol": "2*jnp.sum(jnp.log(jnp.diag(<0>[0])))",
}
HELPERS = excerpts("common", {"np.": "jnp."}) | excerpts("jax")


def _spelling(row: Row) -> str:
    return row.jax or row.numpy.replace("np.", "jnp.").replace("sigmoid(", "jax.nn.sigmoid(")


DIALECT = Dialect(
    name="jax",
    module="jnp",
    head=("import jax", "import jax.numpy as jnp"),
    calls=CALLS,
    helpers=HELPERS,
    dtype="dtype = jnp.result_type({all})",
    no_dtype="dtype = float",
    power="jnp.power",
    number="jnp.asarray({0}, dtype=dtype)",
    vector_first=True,
    spelling=_spelling,
)
