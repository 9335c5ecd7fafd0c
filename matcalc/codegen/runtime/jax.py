"""JAX's functions, by its factorizations; all can be traced.

A factor is that of ``lu_factor`` or ``cho_factor``: the triangles, and the pivots or ``lower``.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from .common import cofactors
from .types import Array


def inverse_or_nan(x: Array) -> Array:
    """The inverse; what has none has one of infinities and nan here."""
    return jnp.linalg.inv(x)


def cholesky_inverse(factor: tuple[Array, Any]) -> Array:
    """inv(S) for the Cholesky factor of S."""
    # one triangular solve and a product: half the time of two triangular solves
    unit = jnp.eye(len(factor[0]), dtype=factor[0].dtype)
    w = jax.scipy.linalg.solve_triangular(factor[0], unit, lower=True)
    return w.T @ w


def cholesky_solve(factor: tuple[Array, Any], b: Array) -> Array:
    """inv(S)*b for the Cholesky factor of S; many columns are multiplied by the inverse."""
    if b.ndim > 1 and b.shape[1] >= len(b):
        return cholesky_inverse(factor) @ b
    return jax.scipy.linalg.cho_solve(factor, b)


def commutation(m: int, n: int, dtype: Any) -> Array:
    """K with K vec(X) = vec(X') for X m×n, column-major."""
    return jnp.eye(m * n, dtype=dtype)[jnp.arange(m * n).reshape(n, m).T.ravel()]


def det(c: Array, pivots: Array) -> Array:
    """det(A) for a factor of A."""
    swaps = jnp.sum(pivots != jnp.arange(len(c)))
    return jnp.prod(jnp.diag(c)) * (1 - 2 * (swaps % 2))


def signed_logdet(c: Array, pivots: Array) -> Array:
    """log(det(A)) for a factor of A, nan where it is negative."""
    d = jnp.diag(c)
    odd = jnp.sum(pivots != jnp.arange(len(c))) + jnp.sum(d < 0)
    return jnp.where(odd % 2 == 1, jnp.nan, jnp.sum(jnp.log(jnp.abs(d))))


def adjugate_by_factor(factor: tuple[Array, Any], x: Array) -> Array:
    """det(x)*inv(x) for a factor of x, which shows how near to a singular matrix x is."""
    d = jnp.abs(jnp.diag(factor[0]))
    unit = jnp.eye(len(x), dtype=x.dtype)
    return jax.lax.cond(
        jnp.min(d) > 1e-8 * jnp.max(d),
        lambda: det(*factor) * jax.scipy.linalg.lu_solve(factor, unit),
        lambda: cofactors(x),
    )


def softmax_logsumexp(x: Array) -> tuple[Array, Array]:
    """softmax and logsumexp of a vector or of each row."""
    total = jax.nn.logsumexp(x, -1, keepdims=True)
    return jnp.exp(x - total), total[..., 0]
