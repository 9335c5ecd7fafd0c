"""The JAX dialect: pure functions, ready for jit, grad, vmap and sharding."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..write.dialect import Dialect, standard_calls, translated
from ..write.excerpts import excerpts

CALLS = standard_calls("jnp") | {
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
SPELLINGS = {
    "sigmoid": "jax.nn.sigmoid({x})",
    "softplus": "jax.nn.softplus({x})",
    "step": "({x} > 0)*jnp.ones_like({x})",
    "erf": "jax.scipy.special.erf({x})",
    "normcdf": "jax.scipy.special.ndtr({x})",
    "gelu": "{x}*jax.scipy.special.ndtr({x})",
    "erfc": "jax.scipy.special.erfc({x})",
    "erfcx": "jax.scipy.special.erfcx({x})",
    "lgamma": "jax.scipy.special.gammaln({x})",
    "digamma": "jax.scipy.special.digamma({x})",
    "polygamma": "jax.scipy.special.polygamma({x}, {w})",
    "vec": "{x}.T.ravel()",
    "expm": "jax.scipy.linalg.expm({x}, max_squarings=64)",
    "expm_frechet": "frechet(lambda y: jax.scipy.linalg.expm(y, max_squarings=64), {x}, {w})",
    "softmax": "jax.nn.softmax({x})",
    "logsoftmax": "jax.nn.log_softmax({x})",
    "logsumexp": "jax.nn.logsumexp({x})",
    "softmax_rows": "jax.nn.softmax({x})",
    "logsoftmax_rows": "jax.nn.log_softmax({x})",
    "logsumexp_rows": "jax.nn.logsumexp({x}, -1)",
}
HELPERS = excerpts("common", {"np.": "jnp."}) | excerpts("jax")


def _array(value: Any) -> Any:
    import jax.numpy as jnp

    array = jnp.asarray(value)
    return array if jnp.issubdtype(array.dtype, jnp.inexact) else array.astype(float)


def _lone_number(value: float) -> Any:
    import jax.numpy as jnp

    return jnp.asarray(value)


def _adapted(text: str) -> str:
    return translated(text, {"np.": "jnp.", "sigmoid(": "jax.nn.sigmoid("})


@cache
def dialect() -> Dialect:
    """JAX's dialect."""
    return Dialect(
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
        spellings=SPELLINGS,
        adapted=_adapted,
        to_array=_array,
        lone_number=_lone_number,
    )
