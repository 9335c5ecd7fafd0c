"""The PyTorch dialect: tensors in, tensors out, on the device and of the type that they have."""

from __future__ import annotations

from ...tables.functions import Row
from ..write.dialect import Dialect
from ..write.excerpts import excerpts

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


WORDS = {
    "np.": "torch.",
    "axis=": "dim=",
    "keepdims=": "keepdim=",
    "dtype=x.dtype": "dtype=x.dtype, device=x.device",
}
HELPERS = excerpts("common", WORDS) | excerpts("torch")


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
)
