"""The NumPy dialect, with SciPy's factorizations and its BLAS where SciPy is installed."""

from __future__ import annotations

from functools import cache

from ...tables.functions import Row
from ..passes.congruence import LEAST, congruent
from ..passes.fusion import both_ways
from ..passes.row_blocks import IN_BLOCKS
from ..plan.planner import Plan
from ..write.definitions import DEFINITIONS, IMPORTS, NUMPY_ONLY
from ..write.dialect import Dialect

CALLS = {
    "commutation": "commutation({sizes}, dtype)",
    "shifts": "shifts({sizes}, dtype)",
    "ones": "np.ones({shape}, dtype=dtype)",
    "zeros": "np.zeros({shape}, dtype=dtype)",
    "eye": "np.eye({length}, dtype=dtype)",
    "concat": "np.concat([{arrays}], axis={data})",
    "einsum": "np.einsum('{data}', {arrays}{optimize})",
    "reshape": "np.reshape({0}, {shape})",
    "outer": "outer({0}, {1})",
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
    # the sum is for nan, which LAPACK does not spread to all entries
    "solve": "np.linalg.solve({0}, {1}) + 0*np.sum({0})",
    "solve lu True": "np.linalg.solve(<0>.T, {1}) + 0*np.sum({0})",
    "inverse": "np.linalg.inv({0}) + 0*np.sum({0})",
    "det": "np.linalg.det({0})",
    "logdet": "np.linalg.slogdet({0})[1]",
    "logdet signed": "signed_logdet(*np.linalg.slogdet({0}))",
    "adjugate": "adjugate({0}, {1})",
}
LAPACK = {
    "dot": "mm({0}, {1})",
    "gram": "gram({0})",
    "sandwich": "sandwich({0}, {1})",
    "factor chol": "cholesky({0})",
    "factor symmetric": "factor_symmetric({0})",
    "factor lu": "lu({0})",
    "solve": "solve({0}, {1})",
    "solve lu True": "solve({0}, {1}, transposed=True)",
    "inverse": "inverse({0})",
    "congruence True": "inverse_and_sandwich({0}, {1}, {2}, {3})",
    "congruence False": "inverse_and_sandwich({0}, {1}, {2}, {3}, trace=False)",
    "det": "det({0})",
    "logdet": "logdet({0})",
    "logdet signed": "logdet({0}, signed=True)",
    "adjugate": "adjugate_by_factor({0}, {1})",
}
ALIGNED = (
    "def aligned(shape, dtype):\n    # an array that begins where a cache line does: BLAS writes "
    "it up to a third faster\n"
    "    room = np.empty(prod(shape)*np.dtype(dtype).itemsize + 64, np.uint8)\n"
    "    start = -room.__array_interface__['data'][0] % 64\n    return np.ndarray(shape, dtype, "
    "room, start)"
)
SPARE = (
    "kept = {}\n\n\ndef spare(name, m, n):\n"
    "    # a result that nobody holds any more is written again: new pages for it cost more time "
    "than what is written to them\n"
    "    for key in (name, 0), (name, 1):\n        a, alone = kept.pop(key, (None, 0))\n"
    "        if a is None or a.shape != (m, n):\n            a = aligned((m, n), float)\n"
    "            alone = getrefcount(a) + getrefcount(a.base)\n"
    "        held = getrefcount(a) + getrefcount(a.base) > alone  # parts of it hold its base\n"
    "        kept[key] = a, alone\n        if not held:\n            return a\n    return "
    "aligned((m, n), float)"
)
BOTH = (
    "def both(a, u, v):\n    # a*u and a'*v; of a large matrix every block of rows is still in "
    "fast memory for its second product\n"
    "    if not a.flags.c_contiguous:\n        return both(a.T, v, u)[::-1] if "
    "a.flags.f_contiguous else (a @ u, a.T @ v)\n"
    "    step = max(1, 2**18//a.shape[1])\n    parts = [(a[i : i + step], v[i : i + step]) for i "
    "in range(0, len(a), step)]\n"
    "    pairs = [(rows @ u, some @ rows) for rows, some in parts]\n"
    "    return np.concatenate([p for p, _ in pairs]), np.sum([q for _, q in pairs], axis=0)"
)
BOTH_OR_EACH = "both({0}, {1}, {2}) if <0>.size > 2**22 else (<0> @ <1>, <0>.T @ <2>)"
HELPERS = (
    NUMPY_ONLY
    | DEFINITIONS
    | {
        "signed_logdet": "def signed_logdet(sign, value):\n    return np.nan if sign < 0 else "
        "value",
        # where nothing is 0 there is nothing to mask, and to see that takes no time
        "masked": "def masked(x, w):\n    return x if np.all(w) else np.where(w == 0, -np.inf, x)",
        "exp_below": "def exp_below(x):\n    return np.exp(np.minimum(x, 0.0))",
        "xlogy": (
            "def xlogy(x, w):\n    if np.all(x):\n        return x*np.log(w)\n    none = (x == "
            "0) & (w == w)\n"
            "    return np.where(none, 0.0, x*np.log(np.where(none, 1.0, w)))"
        ),
        "xlog1py": (
            "def xlog1py(x, w):\n    if np.all(x):\n        return x*np.log1p(w)\n    none = (x "
            "== 0) & (w == w)\n"
            "    return np.where(none, 0.0, x*np.log1p(np.where(none, 0.0, w)))"
        ),
        "power_slope": (
            "def power_slope(x, p):\n    if np.all(p):\n        return p*x**(p - 1)\n    none = "
            "(p == 0) & (x == x)\n"
            "    return np.where(none, 0.0, p*np.where(none, 1.0, x)**(p - 1))"
        ),
        "top": "def top(x):\n    t = x.max()\n    return t if np.isfinite(t) else x.dtype.type(0)",
        "reciprocal": (
            "def reciprocal(x):\n    # the slope of a norm at 0 is taken to be 0\n    if not "
            "getattr(x, 'ndim', 0):\n"
            "        return 1/x if x else 0*x\n    return np.divide(1, x, out=np.zeros_like(x), "
            "where=x != 0)"
        ),
        "commutation": (
            "def commutation(m, n, dtype):\n    # K vec(X) = vec(X') for X m×n, column-major\n"
            "    return np.eye(m*n, dtype=dtype)[np.arange(m*n).reshape(n, m).T.ravel()]"
        ),
        "in_blocks": IN_BLOCKS,
        "aligned": ALIGNED,
        "spare": SPARE,
        "outer_into": (
            "def outer_into(u, v, out):\n    # BLAS writes a column times a row twice as fast as "
            "broadcasting does, until it leaves the fast memory\n"
            "    if out.size < 2**20 and out.dtype == u.dtype == v.dtype:\n        return "
            "np.dot(u[:, None], v[None], out=out)\n"
            "    return np.einsum('i,j->ij', u, v, out=out)"
        ),
        "outer": (
            "def outer(u, v):\n    if u.size*v.size < 2**16 or not u.dtype == v.dtype == "
            "np.float64:\n        return u[:, None].dot(v[None])\n"
            "    return outer_into(u, v, spare('outer', len(u), len(v)))"
        ),
        "add_diagonal": (
            "def add_diagonal(a, d):\n    # ravel is quicker, and would copy a part of a larger "
            "array\n"
            "    (a.ravel('K') if a.flags.forc else a.flat)[:: len(a) + 1] += d\n    return a"
        ),
        "unit_step": "def unit_step(x):\n    # a comparison, in the type of x\n    return "
        "np.greater(x, 0, out=np.empty_like(x))[()]",
        "softplus": "def softplus(x):\n    e = np.abs(x)\n    return np.maximum(x, 0) + "
        "np.log1p(np.exp(-e))",
        "softmax_rows": (
            "def softmax_rows(x):\n    e = x - x.max(-1, keepdims=True)\n    np.exp(e, out=e)\n  "
            "  e /= e.sum(-1, keepdims=True)\n    return e"
        ),
        "logsumexp_rows": (
            "def logsumexp_rows(x):\n    top = x.max(-1)\n"
            "    top = np.where(np.isfinite(top), top, 0)\n    e = x - top[..., None]\n"
            "    np.exp(e, out=e)\n    return top + np.log(e.sum(-1))"
        ),
        "softmax_logsumexp_rows": (
            "def softmax_logsumexp_rows(x):\n    top = x.max(-1, keepdims=True)\n"
            "    top = np.where(np.isfinite(top), top, 0)\n    e = x - top\n    np.exp(e, out=e)\n"
            "    total = e.sum(-1, keepdims=True)\n    e /= total\n    return e, (top + "
            "np.log(total))[..., 0]"
        ),
        "softmax_logsumexp": "def softmax_logsumexp(x):\n    return softmax_logsumexp_rows(x)",
    }
)
SCIPY_FUNCTIONS = {
    "erf": "from scipy.special import erf",
    "normcdf": "from scipy.special import ndtr as normcdf",
    "erfc": "from scipy.special import erfc",
    "erfcx": "from scipy.special import erfcx",
    "log_normcdf": "from scipy.special import log_ndtr as log_normcdf",
    "lgamma": "from scipy.special import gammaln as lgamma",
    "polygamma_of_doubles": "from scipy.special import polygamma as polygamma_of_doubles",
}
PLAIN_HELPERS = {
    "sigmoid": "def sigmoid(x, out=None):\n    e = np.exp(-np.abs(x))\n    return "
    "np.divide(np.where(x >= 0, 1, e), 1 + e, out=out)",
}
SCIPY_LIBRARIES = {
    "blas": "@cache\ndef blas(name, one, other):\n    # looked up once for each type\n"
    "    return get_blas_funcs(name, dtype=np.result_type(one, other))",
    "lapack": "@cache\ndef lapack(name, dtype):\n    return get_lapack_funcs(name, dtype=dtype)",
}
SCIPY_HELPERS = {
    "polygamma": "def polygamma(k, x):\n    return polygamma_of_doubles(k, "
    "x).astype(np.asarray(x).dtype)[()]",
    "sigmoid": (
        "def sigmoid(x, out=None):\n    if getattr(x, 'size', 1) < 1000:\n        return "
        "expit(x, out)\n"
        "    # of large arrays four simple passes take a third of the time\n"
        "    e = np.negative(x, out=out)\n    with np.errstate(over='ignore'):\n        "
        "np.exp(e, out=e)\n    e += 1.0\n"
        "    return np.reciprocal(e, out=e)"
    ),
    "mm": (
        "def mm(a, b):\n    # the product by SciPy's BLAS, which factorizes too: two BLAS "
        "libraries in turn fight for the cores\n"
        "    gemm = blas('gemm', a.dtype, b.dtype)\n"
        "    if a.flags.c_contiguous and b.flags.c_contiguous:\n        return gemm(1, b.T, "
        "a.T).T\n"
        "    (b, flip_b), (a, flip_a) = ((x.T, 0) if x.flags.c_contiguous else (x, 1) for x in "
        "(b, a))\n"
        "    return gemm(1, b, a, trans_a=flip_b, trans_b=flip_a).T"
    ),
    "outer_into": (
        "def outer_into(u, v, out):\n    # BLAS writes a column times a row three times as fast "
        "as broadcasting does,\n"
        "    # until it leaves the fast memory\n"
        "    if not 0 < out.size <= 2**19 or not out.dtype == u.dtype == v.dtype or "
        "out.dtype.char not in 'fdFD':\n"
        "        return np.einsum('i,j->ij', u, v, out=out)\n"
        "    # SciPy's gemm, since NumPy's dot first fills the array with zeros\n"
        "    blas('gemm', u.dtype, v.dtype)(1, v[:, None], u[None], c=out.T, overwrite_c=1)\n    "
        "return out"
    ),
    "plus_outer": (
        "def plus_outer(a, k, u, v):\n    # a + k*u*v', written over a: new pages for a large "
        "matrix cost more time than what is written to them\n"
        "    if not a.dtype == u.dtype == v.dtype or a.dtype.kind == 'c':\n        return a + "
        "k*outer(u, v)\n"
        "    add = blas('ger', a.dtype, a.dtype)\n    if a.flags.c_contiguous:\n        return "
        "add(k, v, u, a=a.T, overwrite_a=1).T\n"
        "    return add(k, u, v, a=a, overwrite_a=1)"
    ),
    "mirrored": (
        "def mirrored(c):\n    # the upper triangle is written from the lower one, of a large "
        "matrix in place and block by block\n"
        "    if len(c) < 300:\n        s = c + c.T\n        s.flat[:: len(s) + 1] = "
        "c.diagonal()\n        return s\n"
        "    for k in range(0, len(c), 128):\n        end = k + 128\n"
        "        c[k:end, k:end] += np.tril(c[k:end, k:end], -1).T\n        c[k:end, end:] = "
        "c[end:, k:end].T\n    return c.T"
    ),
    "gram": (
        "def gram(x):\n    # x'*x, of which BLAS makes one triangle\n"
        "    x, flip = (x.T, 0) if x.flags.c_contiguous else (x, 1)\n"
        "    return mirrored(blas('syrk', x.dtype, x.dtype)(1, x, trans=flip, lower=1))"
    ),
    "sandwich": (
        "def sandwich(c, y):\n    # y'*c*y with symmetric c = t + t', t a triangle: y'*t*y and "
        "its transpose, a quarter of the work saved\n"
        "    if len(c) < 128:\n        return mm(mm(y.T, c), y)\n"
        "    t, types = np.array(c, order='C'), (c.dtype, y.dtype)\n    t.flat[:: len(t) + 1] *= "
        "0.5\n"
        "    return mirrored(blas('syr2k', *types)(1, y.T, blas('trmm', *types)(1, t.T, y.T, "
        "side=1), lower=1))"
    ),
    "cholesky": (
        "def cholesky(s, overwrite=0):\n    c, info = lapack('potrf', s.dtype)(s.T, lower=1, "
        "overwrite_a=overwrite)\n"
        "    if info:\n        raise np.linalg.LinAlgError('a matrix is not positive "
        "definite')\n    return c, None, 0"
    ),
    "lu": (
        "def lu(a):\n    # of the transpose, which lies in memory as LAPACK wants it\n    c, "
        "pivots, info = lapack('getrf', a.dtype)(a.T)\n"
        "    trace = c.trace()\n    if trace != trace:\n        c[-1, -1] = np.nan  # LAPACK "
        "leaves entries without\n    return c, pivots, info"
    ),
    "factor_symmetric": (
        "def factor_symmetric(s):\n    # Cholesky if s is positive definite\n"
        "    try:\n        return cholesky(s)\n    except np.linalg.LinAlgError:\n        return "
        "lu(s)"
    ),
    "triangle_inverse": (
        "def triangle_inverse(c):\n    # half by half: BLAS multiplies triangles three times as "
        "fast as LAPACK inverts one\n"
        "    n = len(c)\n    if n < 80:\n        return lapack('trtri', c.dtype)(c, lower=1)[0]\n"
        "    h, times, out = n//2, blas('trmm', c.dtype, c.dtype), np.zeros_like(c)\n"
        "    a = out[:h, :h] = triangle_inverse(c[:h, :h])\n    b = out[h:, h:] = "
        "triangle_inverse(c[h:, h:])\n"
        "    out[h:, :h] = times(1, a, times(-1, b, c[h:, :h], lower=1), side=1, lower=1, "
        "overwrite_b=1)\n    return out"
    ),
    "inverse": (
        "def inverse(factor):\n    c, pivots, info = factor\n    if c[-1, -1] != c[-1, -1]:\n    "
        "    return np.full_like(c, np.nan)\n"
        "    if pivots is None:\n        return mirrored(lapack('lauum', "
        "c.dtype)(triangle_inverse(c), lower=1, overwrite_c=1)[0])\n"
        "    if info:\n        raise np.linalg.LinAlgError('a matrix is singular')\n"
        "    return lapack('getri', c.dtype)(c, pivots, lwork=32*len(c))[0].T"
    ),
    "inverse_and_sandwich": (
        "def inverse_and_sandwich(factor, c, a, b, trace=True):\n    # tr(inv(S)*C), and "
        "a*inv(S) + b*inv(S)*C*inv(S), of symmetric C and S = L*L'\n"
        f"    l = factor[0]\n    if len(c) < {LEAST} or 'c' in (c.dtype.kind, l.dtype.kind):\n"
        "        t = inverse(factor)\n        s = sandwich(c, t)\n"
        "        return trace and c.ravel() @ t.ravel(), t - s if (a, b) == (1, -1) else a*t + "
        "b*s\n"
        "    # tr(M) and T'*(a*I + b*M)*T with T = inv(L) and M = T*C*T': LAPACK multiplies from "
        "both sides at once\n"
        "    times = lapack('sygst', np.result_type(c, l, a, b))\n    m = times(np.triu(c).T, l, "
        "lower=1, overwrite_a=1)[0]\n"
        "    trace = trace and m.trace()\n    m *= b\n    add_diagonal(m, a)\n"
        "    return trace, mirrored(times(m, triangle_inverse(l), itype=2, lower=1, "
        "overwrite_a=1)[0])"
    ),
    "solve": (
        "def solve(factor, b, transposed=False):\n    c, pivots, info = factor\n"
        "    if c[-1, -1] != c[-1, -1]:\n        return np.full_like(b, np.nan)\n"
        "    if pivots is None and b.ndim > 1 and b.shape[1] >= len(c):\n"
        "        # with so many columns an inverse and a product take half the time of two "
        "triangular solves\n"
        "        return mm(inverse(factor), b)\n"
        "    if pivots is None:\n        return lapack('potrs', c.dtype)(c, b, lower=1)[0]\n"
        "    if info:\n        raise np.linalg.LinAlgError('a matrix is singular')\n"
        "    return lapack('getrs', c.dtype)(c, pivots, b, trans=not transposed)[0]"
    ),
    "det": (
        "def det(factor):\n    c, pivots, _ = factor\n    d = c.diagonal().prod()\n"
        "    if pivots is None:\n        return d*d\n    return -d if (pivots != "
        "np.arange(len(c))).sum() % 2 else d"
    ),
    "logdet": (
        "def logdet(factor, signed=False):\n    # of a negative determinant nan where the sign "
        "counts\n    c, pivots, _ = factor\n"
        "    d = np.log(np.abs(c.diagonal())).sum()\n    if signed and pivots is not None:\n"
        "        odd = (pivots != np.arange(len(c))).sum() + (c.diagonal() < 0).sum()\n        "
        "return np.nan if odd % 2 else d\n"
        "    return 2*d if pivots is None else d"
    ),
    "adjugate_by_factor": (
        "def adjugate_by_factor(factor, x):\n    # the factor shows how near to a singular "
        "matrix x is\n    d = np.abs(factor[0].diagonal())\n"
        "    return det(factor)*inverse(factor) if d.min() > 1e-8*d.max() else cofactors(x)"
    ),
}


def _spelling(row: Row) -> str:
    return {"step": "unit_step({x})", "softplus": "softplus({x})"}.get(row.name, row.numpy)


def _with_scipy() -> dict[str, str]:
    """The helpers, each after those that it calls."""
    return (
        SCIPY_LIBRARIES
        | {n: h for n, h in HELPERS.items() if n not in SCIPY_FUNCTIONS}
        | SCIPY_HELPERS
    )


def _both_ways(plan: Plan) -> Plan:
    return both_ways(plan, ("both", BOTH, BOTH_OR_EACH))


def _with_lapack(plan: Plan) -> Plan:
    return _both_ways(congruent(plan))


@cache
def dialect(scipy: bool) -> Dialect:
    """NumPy alone, or with SciPy."""
    return Dialect(
        name="numpy",
        module="np",
        head=("import numpy as np",),
        calls=CALLS | (LAPACK if scipy else PLAIN_LINALG),
        helpers=_with_scipy() if scipy else HELPERS | PLAIN_HELPERS,
        dtype="dtype = np.result_type({all}, np.float16)",
        lone="np.asarray({0})",
        no_dtype="dtype = np.dtype(float)",
        plain="float({0})",
        number="dtype.type({0})",
        copy="<0>.copy()",
        power="np.power",
        in_place=True,
        change=_with_lapack if scipy else _both_ways,
        blocks=True,
        spelling=_spelling,
        imports=IMPORTS
        | {
            "cache": "from functools import cache",
            "environ": "from os import cpu_count, environ",
            "iadd": "from operator import iadd",
            "prod": "from math import prod",
            "getrefcount": "from sys import getrefcount",
            "get_blas_funcs": "from scipy.linalg import get_blas_funcs",
            "get_lapack_funcs": "from scipy.linalg import get_lapack_funcs",
            "expit": "from scipy.special import expit",
        }
        | (SCIPY_FUNCTIONS if scipy else {}),
    )
