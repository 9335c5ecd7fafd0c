"""The PyTorch dialect: tensors in, tensors out, on the device and of the type that they have."""

from __future__ import annotations

from functools import cache, reduce
from typing import Any

from ..arrays import to_numpy
from ..write.dialect import Dialect, standard_calls, translated
from ..write.excerpts import excerpts

WORDS = {"axis=": "dim=", "dtype=dtype": "dtype=dtype, device=device"}
CALLS = standard_calls("torch", WORDS) | {
    "commutation": "commutation({sizes}, dtype, device)",
    "shifts": "shifts({sizes}, dtype, device)",
    "fill": "torch.zeros({shape}, dtype=dtype, device=device) + «0»",
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
SPELLINGS = {
    "sigmoid": "torch.sigmoid({x})",
    "softplus": "torch.nn.functional.softplus({x}, threshold=40)",
    "relu": "torch.relu({x})",
    "step": "({x} > 0).to(dtype)",
    "sign": "torch.where({x}.isnan(), {x}, torch.sign({x}))",
    "elu": "torch.nn.functional.elu({x})",
    "mish": "torch.nn.functional.mish({x})",
    "erf": "torch.erf({x})",
    "normcdf": "torch.special.erfc(-{x}/2**0.5)/2",
    "gelu": "{x}*torch.special.erfc(-{x}/2**0.5)/2",
    "erfc": "torch.erfc({x})",
    "erfcx": "torch.special.erfcx({x})",
    "lgamma": "torch.lgamma({x})",
    "digamma": "torch.digamma({x})",
    "polygamma": "torch.polygamma({x}, {w})",
    "kron": "torch.kron({x}.contiguous(), {w}.contiguous())",
    "vec": "{x}.T.ravel()",
    "expm": "torch.linalg.matrix_exp({x})",
    "expm_frechet": "frechet(torch.linalg.matrix_exp, {x}, {w})",
    "ismax": "({x} == {x}.max()).to(dtype)",
    "conv": "torch.nn.functional.conv1d({x}[None, None], {w}.flip(0)[None, None], "
    "padding={w}.shape[0] - 1)[0, 0]",
    "corr": "torch.nn.functional.conv1d({x}[None, None], {w}[None, None])[0, 0]",
    "softmax": "torch.softmax({x}, -1)",
    "logsoftmax": "torch.log_softmax({x}, -1)",
    "logsumexp": "torch.logsumexp({x}, -1)",
    "softmax_rows": "torch.softmax({x}, -1)",
    "logsoftmax_rows": "torch.log_softmax({x}, -1)",
    "logsumexp_rows": "torch.logsumexp({x}, -1)",
}
HELPER_WORDS = {
    "np.": "torch.",
    "axis=": "dim=",
    "keepdims=": "keepdim=",
    "dtype=x.dtype": "dtype=x.dtype, device=x.device",
}
HELPERS = excerpts("common", HELPER_WORDS) | excerpts("torch")


def _array(value: Any) -> Any:
    import torch

    if not isinstance(value, torch.Tensor):
        array = to_numpy(value)
        value = torch.as_tensor(array if _is_plain(array) else array.copy())
    return value if value.is_floating_point() or value.is_complex() else value.to(torch.float64)


def _is_plain(array: Any) -> bool:
    """Tell whether PyTorch can share the memory of an array: it has no strides below zero, and no
    tensors that must not be written.
    """
    return array.flags.writeable and min(array.strides, default=0) >= 0


def _number_beside(value: float, arrays: list[Any]) -> Any:
    import torch

    if not arrays:
        return _array(value)
    return torch.as_tensor(value, dtype=arrays[0].dtype, device=arrays[0].device)


def _of_one_type(arrays: list[Any]) -> list[Any]:
    """PyTorch multiplies no matrices of different types."""
    import torch

    widest = reduce(torch.promote_types, {a.dtype for a in arrays})
    return [a.to(widest) for a in arrays]


def _adapted(text: str) -> str:
    return translated(text, {"np.": "torch.", "sigmoid(": "torch.sigmoid("})


@cache
def dialect() -> Dialect:
    """PyTorch's dialect."""
    return Dialect(
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
        spellings=SPELLINGS,
        adapted=_adapted,
        to_array=_array,
        number_beside=_number_beside,
        lone_number=_array,
        of_one_type=_of_one_type,
    )
