"""The NumPy dialect, with SciPy's factorizations and its BLAS where SciPy is installed."""

from __future__ import annotations

from functools import cache

from ..functions import Row
from .definitions import DEFINITIONS, IMPORTS
from .dialect import Dialect
from .plain import HELPERS as PLAIN

CALLS = {
    "commutation": "commutation({sizes}, dtype)",
    "ones": "np.ones({shape}, dtype=dtype)",
    "zeros": "np.zeros({shape}, dtype=dtype)",
    "eye": "np.eye({length}, dtype=dtype)",
    "concat": "np.concat([{arrays}], axis={data})",
    "einsum": "np.einsum('{data}', {arrays}{optimize})",
    "reshape": "np.reshape({0}, {shape})",
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
    "solve": "np.linalg.solve({0}, {1})",
    "solve lu True": "np.linalg.solve(<0>.T, {1})",
    "inverse": "np.linalg.inv({0})",
    "det": "np.linalg.det({0})",
    "logdet": "np.linalg.slogdet({0})[1]",
}
LAPACK = {
    "dot": "mm({0}, {1})",
    "gram": "gram({0})",
    "factor chol": "cholesky({0})",
    "factor symmetric": "factor_symmetric({0})",
    "factor lu": "lu({0})",
    "solve": "solve({0}, {1})",
    "solve lu True": "solve({0}, {1}, transposed=True)",
    "inverse": "inverse({0})",
    "det": "det({0})",
    "logdet": "logdet({0})",
}
HELPERS = {name: PLAIN[name] for name in ("softmax", "logsumexp", "expm")} | DEFINITIONS | {
    "commutation": (
        "def commutation(m, n, dtype):\n    # K vec(X) = vec(X') for X m×n, column-major\n"
        "    return np.eye(m*n, dtype=dtype)[np.arange(m*n).reshape(n, m).T.ravel()]"
    ),
    "add_diagonal": "def add_diagonal(a, d):\n    a.ravel('K')[:: len(a) + 1] += d\n    return a",
    "softplus": "def softplus(x):\n    e = np.abs(x)\n    return np.maximum(x, 0) + np.log1p(np.exp(-e))",
    "softmax_rows": (
        "def softmax_rows(x):\n    e = x - x.max(-1, keepdims=True)\n    np.exp(e, out=e)\n    e /= e.sum(-1, keepdims=True)\n    return e"
    ),
    "logsumexp_rows": (
        "def logsumexp_rows(x):\n    top = x.max(-1)\n    e = x - top[..., None]\n    np.exp(e, out=e)\n    return top + np.log(e.sum(-1))"
    ),
    "softmax_logsumexp_rows": (
        "def softmax_logsumexp_rows(x):\n    top = x.max(-1, keepdims=True)\n    e = x - top\n    np.exp(e, out=e)\n"
        "    total = e.sum(-1, keepdims=True)\n    e /= total\n    return e, (top + np.log(total))[..., 0]"
    ),
    "softmax_logsumexp": "def softmax_logsumexp(x):\n    return softmax_logsumexp_rows(x)",
}
SCIPY_FUNCTIONS = {
    "erf": "from scipy.special import erf",
    "lgamma": "from scipy.special import gammaln as lgamma",
    "polygamma": "from scipy.special import polygamma",
}
PLAIN_HELPERS = {
    "sigmoid": "def sigmoid(x):\n    e = np.exp(-np.abs(x))\n    return np.where(x >= 0, 1, e)/(1 + e)",
}
SCIPY_HELPERS = {
    "mm": (
        "def mm(a, b):\n    # the product by SciPy's BLAS, which factorizes too: two BLAS libraries in turn fight for the cores\n"
        "    if a.flags.c_contiguous and b.flags.c_contiguous:\n        return get_blas_funcs('gemm', (a, b))(1, b.T, a.T).T\n"
        "    (b, flip_b), (a, flip_a) = ((x.T, 0) if x.flags.c_contiguous else (x, 1) for x in (b, a))\n"
        "    return get_blas_funcs('gemm', (a, b))(1, b, a, trans_a=flip_b, trans_b=flip_a).T"
    ),
    "mirrored": "def mirrored(c):\n    s = c + c.T\n    np.fill_diagonal(s, c.diagonal())\n    return s",
    "gram": (
        "def gram(x):\n    # x'*x, of which BLAS makes one triangle\n"
        "    x, flip = (x.T, 0) if x.flags.c_contiguous else (x, 1)\n"
        "    return mirrored(get_blas_funcs('syrk', (x,))(1, x, trans=flip, lower=1))"
    ),
    "cholesky": (
        "def cholesky(s):\n    c, info = get_lapack_funcs('potrf', (s,))(s.T, lower=1)\n"
        "    if info:\n        raise np.linalg.LinAlgError('a matrix is not positive definite')\n    return c, None"
    ),
    "lu": (
        "def lu(a):\n    # of the transpose, which lies in memory as LAPACK wants it\n    c, pivots, _ = get_lapack_funcs('getrf', (a,))(a.T)\n"
        "    return c, pivots"
    ),
    "factor_symmetric": (
        "def factor_symmetric(s):\n    # Cholesky if s is positive definite\n"
        "    try:\n        return cholesky(s)\n    except np.linalg.LinAlgError:\n        return lu(s)"
    ),
    "solve": (
        "def solve(factor, b, transposed=False):\n    c, pivots = factor\n"
        "    if pivots is None:\n        return get_lapack_funcs('potrs', (c, b))(c, b, lower=1)[0]\n"
        "    if not c.diagonal().all():\n        raise np.linalg.LinAlgError('a matrix is singular')\n"
        "    return get_lapack_funcs('getrs', (c, b))(c, pivots, b, trans=not transposed)[0]"
    ),
    "inverse": (
        "def inverse(factor):\n    c, pivots = factor\n"
        "    if pivots is None:\n        return mirrored(get_lapack_funcs('potri', (c,))(c, lower=1)[0])\n"
        "    if not c.diagonal().all():\n        raise np.linalg.LinAlgError('a matrix is singular')\n"
        "    return get_lapack_funcs('getri', (c,))(c, pivots, lwork=32*len(c))[0].T"
    ),
    "det": (
        "def det(factor):\n    c, pivots = factor\n    d = c.diagonal().prod()\n"
        "    if pivots is None:\n        return d*d\n    return -d if (pivots != np.arange(len(c))).sum() % 2 else d"
    ),
    "logdet": (
        "def logdet(factor):\n    c, pivots = factor\n    d = np.log(np.abs(c.diagonal())).sum()\n    return 2*d if pivots is None else d"
    ),
}


def _spelling(row: Row) -> str:
    return {"step": "np.heaviside({x}, 0)", "softplus": "softplus({x})"}.get(row.name, row.numpy)


def _scipy_spelling(row: Row) -> str:
    return _spelling(row).replace("sigmoid(", "expit(")


@cache
def dialect(scipy: bool) -> Dialect:
    """NumPy alone, or with SciPy."""
    return Dialect(
        name="numpy",
        module="np",
        head=("import numpy as np",),
        calls=CALLS | (LAPACK if scipy else PLAIN_LINALG),
        helpers={n: h for n, h in HELPERS.items() if not scipy or n not in SCIPY_FUNCTIONS} | (SCIPY_HELPERS if scipy else PLAIN_HELPERS),
        dtype="dtype = np.result_type({all}, np.float16)",
        no_dtype="dtype = np.float64",
        in_place=True,
        spelling=_scipy_spelling if scipy else _spelling,
        imports=IMPORTS
        | {
            "get_blas_funcs": "from scipy.linalg import get_blas_funcs",
            "get_lapack_funcs": "from scipy.linalg import get_lapack_funcs",
            "expit": "from scipy.special import expit",
        }
        | (SCIPY_FUNCTIONS if scipy else {}),
    )
