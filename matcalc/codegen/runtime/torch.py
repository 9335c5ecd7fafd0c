"""PyTorch's functions, by its factorizations, on the device of their arguments.

A factor is that of ``lu_factor_ex``: the triangles, and the pivots, counted from 1.
"""

from __future__ import annotations

from typing import Any

import torch

from .common import cofactors
from .types import Array


def inverse_or_nan(x: Array) -> Array:
    """The inverse, nan where there is none."""
    inverse, info = torch.linalg.inv_ex(x)
    return torch.where(info == 0, inverse, torch.full_like(x, torch.nan))


def shifts(n: int, m: int, dtype: Any, device: Any) -> Array:
    """The matrix with 1 in row i + j of column (i, j)."""
    rows = torch.arange(n)[:, None] + torch.arange(m)[None, :]
    return torch.eye(n + m - 1, dtype=dtype, device=device)[rows.ravel()].T


def commutation(m: int, n: int, dtype: Any, device: Any) -> Array:
    """K with K vec(X) = vec(X') for X m×n, column-major."""
    rows = torch.arange(m * n).reshape(n, m).T.ravel()
    return torch.eye(m * n, dtype=dtype, device=device)[rows]


def regular(factor: tuple[Array, Any]) -> tuple[Array, Any]:
    """A factor that is to be inverted; raises LinAlgError if it is singular."""
    # a determinant may be 0, what is inverted may not
    if (torch.diag(factor[0]) == 0).any():
        raise torch.linalg.LinAlgError("a matrix is singular")
    return factor


def lu_solve(factor: tuple[Array, Any], b: Array, adjoint: bool = False) -> Array:
    """inv(A)*b or inv(A')*b for a factor of A; raises LinAlgError if A is singular."""
    columns = b.reshape(len(b), -1)
    return torch.linalg.lu_solve(*regular(factor), columns, adjoint=adjoint).reshape(b.shape)


def cholesky_solve(c: Array, b: Array) -> Array:
    """inv(S)*b for the Cholesky factor of S."""
    return torch.cholesky_solve(b.reshape(len(b), -1), c).reshape(b.shape)


def det(c: Array, pivots: Array) -> Array:
    """det(A) for a factor of A."""
    swaps = torch.sum(pivots != torch.arange(1, len(c) + 1, device=c.device))
    return torch.prod(torch.diag(c)) * (1 - 2 * (swaps % 2))


def signed_logdet(c: Array, pivots: Array) -> Array:
    """log(det(A)) for a factor of A, nan where it is negative."""
    d = torch.diag(c)
    odd = torch.sum(pivots != torch.arange(1, len(c) + 1, device=c.device)) + torch.sum(d < 0)
    return torch.where(odd % 2 == 1, torch.nan, torch.sum(torch.log(torch.abs(d))))


def adjugate_by_factor(factor: tuple[Array, Any], x: Array) -> Array:
    """det(x)*inv(x) for a factor of x, which shows how near to a singular matrix x is."""
    d = torch.abs(torch.diag(factor[0]))
    if not torch.min(d) > 1e-8 * torch.max(d):
        return cofactors(x)
    unit = torch.eye(len(x), dtype=x.dtype, device=x.device)
    return det(*factor) * torch.linalg.lu_solve(*factor, unit)


def softmax_logsumexp(x: Array) -> tuple[Array, Array]:
    """softmax and logsumexp of a vector or of each row."""
    total = torch.logsumexp(x, -1, keepdim=True)
    return torch.exp(x - total), total[..., 0]
