"""The JAX dialect: pure functions, ready for jit, grad, vmap and sharding."""

from __future__ import annotations

from ...tables.functions import Row
from ..write.definitions import IMPORTS, definitions
from ..write.dialect import Dialect

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
HELPERS = definitions("jnp") | {
    "inverse_or_nan": "def inverse_or_nan(x):\n    # what has no inverse has one of infinities "
    "and nan here\n    return jnp.linalg.inv(x)",
    "cholesky_inverse": (
        "def cholesky_inverse(factor):\n    # one triangular solve and a product: half the time "
        "of two triangular solves\n"
        "    w = jax.scipy.linalg.solve_triangular(factor[0], jnp.eye(len(factor[0]), "
        "dtype=factor[0].dtype), lower=True)\n    return w.T @ w"
    ),
    "cholesky_solve": (
        "def cholesky_solve(factor, b):\n    # many columns are multiplied by the inverse\n"
        "    if b.ndim > 1 and b.shape[1] >= len(b):\n        return cholesky_inverse(factor) @ b\n"
        "    return jax.scipy.linalg.cho_solve(factor, b)"
    ),
    "commutation": (
        "def commutation(m, n, dtype):\n    # K vec(X) = vec(X') for X m×n, column-major\n"
        "    return jnp.eye(m*n, dtype=dtype)[jnp.arange(m*n).reshape(n, m).T.ravel()]"
    ),
    "det": "def det(c, pivots):\n    swaps = jnp.sum(pivots != jnp.arange(len(c)))\n    return "
    "jnp.prod(jnp.diag(c))*(1 - 2*(swaps % 2))",
    "signed_logdet": (
        "def signed_logdet(c, pivots):\n    # of a negative determinant nan\n    d = jnp.diag(c)\n"
        "    odd = jnp.sum(pivots != jnp.arange(len(c))) + jnp.sum(d < 0)\n"
        "    return jnp.where(odd % 2 == 1, jnp.nan, jnp.sum(jnp.log(jnp.abs(d))))"
    ),
    "adjugate_by_factor": (
        "def adjugate_by_factor(factor, x):\n    # the factor shows how near to a singular "
        "matrix x is\n    d = jnp.abs(jnp.diag(factor[0]))\n"
        "    unit = jnp.eye(len(x), dtype=x.dtype)\n"
        "    regular = lambda: det(*factor)*jax.scipy.linalg.lu_solve(factor, unit)\n"
        "    return jax.lax.cond(jnp.min(d) > 1e-8*jnp.max(d), regular, lambda: cofactors(x))"
    ),
    "softmax_logsumexp": (
        "def softmax_logsumexp(x):\n    total = jax.nn.logsumexp(x, -1, keepdims=True)\n    "
        "return jnp.exp(x - total), total[..., 0]"
    ),
}


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
    imports=IMPORTS,
)
