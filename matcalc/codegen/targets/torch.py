"""The PyTorch dialect: tensors in, tensors out, on the device and of the type that they have."""

from __future__ import annotations

from ...tables.functions import Row
from ..write.definitions import IMPORTS, definitions
from ..write.dialect import Dialect

CALLS = {
    "commutation": "commutation({sizes}, dtype, device)",
    "shifts": "shifts({sizes}, dtype, device)",
    "ones": "torch.ones({shape}, dtype=dtype, device=device)",
    "zeros": "torch.zeros({shape}, dtype=dtype, device=device)",
    "eye": "torch.eye({length}, dtype=dtype, device=device)",
    "concat": "torch.concat([{arrays}], dim={data})",
    "einsum": "torch.einsum('{data}', {arrays})",
    "reshape": "torch.reshape({0}, {shape})",
    "fill": "torch.zeros({shape}, dtype=dtype, device=device) + «0»",
    "shift": "{0} + «1»*torch.eye({length}, dtype=dtype, device=device)",
    "shift diag": "{0} + torch.diag({1})",
    "sum": "torch.sum({0})",
    "sum 0": "torch.sum({0}, dim=0)",
    "sum 1": "torch.sum({0}, dim=1)",
    "vdot": "torch.sum(«0»*«1»)",
    "vdott": "torch.sum(«0»*<1>.T)",
    "rowdot": "torch.sum(«0»*«1», dim=1)",
    "trace": "torch.trace({0})",
    "diag": "torch.diag({0})",
    "diagonal": "torch.diag({0})",
    "sqrt": "torch.sqrt({0})",
    "softmax_logsumexp": "softmax_logsumexp({0})",
    "softmax_logsumexp_rows": "softmax_logsumexp({0})",
    "factor": "torch.linalg.lu_factor_ex({0})[:2]",
    "factor chol": "torch.linalg.cholesky({0})",
    "solve": "lu_solve({0}, {1})",
    "solve lu True": "lu_solve({0}, {1}, adjoint=True)",
    "solve chol": "cholesky_solve({0}, {1})",
    "inverse": "torch.linalg.lu_solve(*regular({0}), torch.eye({length}, dtype=dtype, "
    "device=device))",
    "inverse chol": "torch.cholesky_inverse({0})",
    "det": "det(*<0>)",
    "det chol": "torch.prod(torch.diag({0}))**2",
    "logdet": "torch.sum(torch.log(torch.abs(torch.diag(<0>[0]))))",
    "logdet lu signed": "signed_logdet(*<0>)",
    "logdet symmetric signed": "signed_logdet(*<0>)",
    "adjugate": "adjugate_by_factor({0}, {1})",
    "logdet chol": "2*torch.sum(torch.log(torch.diag({0})))",
}
HELPERS = definitions(
    "torch",
    {"axis=": "dim=", "keepdims=": "keepdim=", "dtype=x.dtype": "dtype=x.dtype, device=x.device"},
) | {
    "commutation": (
        "def commutation(m, n, dtype, device):\n    # K vec(X) = vec(X') for X m×n, column-major\n"
        "    return torch.eye(m*n, dtype=dtype, device=device)[torch.arange(m*n).reshape(n, "
        "m).T.ravel()]"
    ),
    "inverse_or_nan": (
        "def inverse_or_nan(x):\n    inverse, info = torch.linalg.inv_ex(x)\n"
        "    return torch.where(info == 0, inverse, torch.full_like(x, torch.nan))"
    ),
    "shifts": (
        "def shifts(n, m, dtype, device):\n    # row i + j of column (i, j) is 1\n"
        "    places = torch.arange(n)[:, None] + torch.arange(m)[None, :]\n"
        "    return torch.eye(n + m - 1, dtype=dtype, device=device)[places.ravel()].T"
    ),
    "regular": (
        "def regular(factor):\n    # a determinant may be 0, what is inverted may not\n    if "
        "(torch.diag(factor[0]) == 0).any():\n"
        "        raise torch.linalg.LinAlgError('a matrix is singular')\n    return factor"
    ),
    "lu_solve": (
        "def lu_solve(factor, b, adjoint=False):\n"
        "    return torch.linalg.lu_solve(*regular(factor), b.reshape(len(b), -1), "
        "adjoint=adjoint).reshape(b.shape)"
    ),
    "cholesky_solve": "def cholesky_solve(c, b):\n    return "
    "torch.cholesky_solve(b.reshape(len(b), -1), c).reshape(b.shape)",
    "det": (
        "def det(c, pivots):\n    swaps = torch.sum(pivots != torch.arange(1, len(c) + 1, "
        "device=c.device))\n"
        "    return torch.prod(torch.diag(c))*(1 - 2*(swaps % 2))"
    ),
    "signed_logdet": (
        "def signed_logdet(c, pivots):\n    # of a negative determinant nan\n    d = "
        "torch.diag(c)\n"
        "    odd = torch.sum(pivots != torch.arange(1, len(c) + 1, device=c.device)) + "
        "torch.sum(d < 0)\n"
        "    return torch.where(odd % 2 == 1, torch.nan, torch.sum(torch.log(torch.abs(d))))"
    ),
    "adjugate_by_factor": (
        "def adjugate_by_factor(factor, x):\n    # the factor shows how near to a singular "
        "matrix x is\n    d = torch.abs(torch.diag(factor[0]))\n"
        "    if not torch.min(d) > 1e-8*torch.max(d):\n        return cofactors(x)\n"
        "    unit = torch.eye(len(x), dtype=x.dtype, device=x.device)\n"
        "    return det(*factor)*torch.linalg.lu_solve(*factor, unit)"
    ),
    "softmax_logsumexp": (
        "def softmax_logsumexp(x):\n    total = torch.logsumexp(x, -1, keepdim=True)\n    return "
        "torch.exp(x - total), total[..., 0]"
    ),
}


def _spelling(row: Row) -> str:
    return row.torch or row.numpy.replace("np.", "torch.").replace("sigmoid(", "torch.sigmoid(")


DIALECT = Dialect(
    name="torch",
    module="torch",
    head=("import torch",),
    calls=CALLS,
    helpers=HELPERS,
    dtype="dtype, device = {first}.dtype, {first}.device",
    no_dtype="dtype, device = torch.float64, 'cpu'",
    constant="torch.as_tensor({0}, dtype=dtype, device=device)",
    number="torch.as_tensor({0}, dtype=dtype, device=device)",
    copy="torch.clone({0})",
    scalars=True,
    spelling=_spelling,
    imports=IMPORTS,
)
