"""The dialect of the Python array API standard: one function for the arrays of every library
that follows it.
"""

from __future__ import annotations

import re

from ...tables.functions import Row
from ..write.definitions import IMPORTS, definitions
from ..write.dialect import Dialect

CALLS = {
    "commutation": "commutation(xp, {sizes}, dtype)",
    "shifts": "shifts(xp, {sizes}, dtype)",
    "ones": "xp.ones({shape}, dtype=dtype)",
    "zeros": "xp.zeros({shape}, dtype=dtype)",
    "eye": "xp.eye({length}, dtype=dtype)",
    "concat": "xp.concat([{arrays}], axis={data})",
    "einsum": "einsum('{data}', {arrays})",
    "reshape": "xp.reshape({0}, {shape})",
    "fill": "xp.zeros({shape}, dtype=dtype) + «0»",
    "shift": "{0} + «1»*xp.eye({length}, dtype=dtype)",
    "shift diag": "{0} + diag({1})",
    "sum": "xp.sum({0})",
    "sum 0": "xp.sum({0}, axis=0)",
    "sum 1": "xp.sum({0}, axis=1)",
    "vdot": "xp.sum(«0»*«1»)",
    "vdott": "xp.sum(«0»*<1>.T)",
    "rowdot": "xp.sum(«0»*«1», axis=1)",
    "trace": "xp.linalg.trace({0})",
    "diag": "diag({0})",
    "diagonal": "xp.linalg.diagonal({0})",
    "sqrt": "xp.sqrt({0})",
    "softmax_logsumexp": "softmax_logsumexp({0})",
    "softmax_logsumexp_rows": "softmax_logsumexp({0})",
    "factor": "{0}",
    # the sum is for nan, which LAPACK does not spread to all entries
    "solve": "xp.linalg.solve({0}, {1}) + 0*xp.sum({0})",
    "solve lu True": "xp.linalg.solve(<0>.T, {1}) + 0*xp.sum({0})",
    "inverse": "xp.linalg.inv({0}) + 0*xp.sum({0})",
    "det": "xp.linalg.det({0})",
    "logdet": "xp.linalg.slogdet({0})[1]",
    "logdet signed": "signed_logdet(*xp.linalg.slogdet({0}))",
    "adjugate": "adjugate({0}, {1})",
}
HELPERS = definitions(
    "xp",
    {"xp.linalg.matrix_power": "matrix_power", "xp.amax": "xp.max"},
    "xp = {0}.__array_namespace__()",
) | {
    "commutation": (
        "def commutation(xp, m, n, dtype):\n    # K vec(X) = vec(X') for X m×n, column-major\n"
        "    return xp.take(xp.eye(m*n, dtype=dtype), xp.reshape(xp.reshape(xp.arange(m*n), (n, "
        "m)).T, (-1,)), axis=0)"
    ),
    "shifts": (
        "def shifts(xp, n, m, dtype):\n    # row i + j of column (i, j) is 1\n"
        "    places = xp.arange(n)[:, None] + xp.arange(m)[None, :]\n"
        "    return xp.take(xp.eye(n + m - 1, dtype=dtype), xp.reshape(places, (-1,)), axis=0).T"
    ),
    "einsum": (
        "def einsum(text, *arrays):\n    # the standard has none: every array gets all axes, the "
        "summed ones last\n"
        "    xp = arrays[0].__array_namespace__()\n    inputs, out = text.split('->')\n"
        "    letters, total = out + ''.join(sorted(set(inputs) - set(out + ','))), 1\n"
        "    for axes, a in zip(inputs.split(','), arrays, strict=True):\n"
        "        while twice := [c for c in axes if axes.count(c) > 1]:\n"
        "            p, q = [i for i, c in enumerate(axes) if c == twice[0]][:2]\n"
        "            rest = [i for i in range(len(axes)) if i not in (p, q)]\n"
        "            a, axes = xp.linalg.diagonal(xp.permute_dims(a, (*rest, p, q))), "
        "''.join(axes[i] for i in rest) + twice[0]\n"
        "        a = xp.permute_dims(a, tuple(sorted(range(len(axes)), key=lambda i: "
        "letters.index(axes[i]))))\n"
        "        lengths = iter(a.shape)\n"
        "        total = total*xp.reshape(a, tuple(next(lengths) if c in axes else 1 for c in "
        "letters))\n"
        "    return xp.sum(total, axis=tuple(range(len(out), len(letters)))) if len(letters) > "
        "len(out) else total"
    ),
    "diag": (
        "def diag(v):\n    xp = v.__array_namespace__()\n    unit = xp.eye(v.shape[0], "
        "dtype=v.dtype)\n"
        "    return xp.where(unit > 0, v[:, None], 0*unit)"
    ),
    "kron": (
        "def kron(a, b):\n    xp = a.__array_namespace__()\n    a, b = (x if x.ndim == 2 else "
        "x[None, :] for x in (a, b))\n"
        "    (m, n), (p, q) = a.shape, b.shape\n"
        "    return xp.reshape(a[:, None, :, None]*b[None, :, None, :], (m*p, n*q))"
    ),
    "relu": (
        "def relu(x):\n    # where x is nan, so is the result\n    xp = x.__array_namespace__()\n"
        "    return xp.where(x <= 0, xp.zeros_like(x), x)"
    ),
    "inverse_or_nan": (
        "def inverse_or_nan(x):\n    # the standard names no error for a matrix without an "
        "inverse\n"
        "    xp = x.__array_namespace__()\n    try:\n        return xp.linalg.inv(x)\n"
        "    except (ArithmeticError, RuntimeError, ValueError):\n        return xp.full_like(x, "
        "xp.nan)"
    ),
    "signed_logdet": (
        "def signed_logdet(sign, value):\n    xp = value.__array_namespace__()\n"
        "    return xp.where(sign < 0, xp.full_like(value, xp.nan), value)"
    ),
    "sigmoid": (
        "def sigmoid(x):\n    xp = x.__array_namespace__()\n    e = xp.exp(-xp.abs(x))\n    "
        "return xp.where(x >= 0, xp.ones_like(x), e)/(1 + e)"
    ),
    "softplus": (
        "def softplus(x):\n    xp = x.__array_namespace__()\n"
        "    return xp.where(x > 0, x, xp.zeros_like(x)) + xp.log1p(xp.exp(-xp.abs(x)))"
    ),
    "softmax_rows": (
        "def softmax_rows(x):\n    xp = x.__array_namespace__()\n    e = xp.exp(x - xp.max(x, "
        "axis=-1, keepdims=True))\n"
        "    return e/xp.sum(e, axis=-1, keepdims=True)"
    ),
    "logsumexp_rows": (
        "def logsumexp_rows(x):\n    xp = x.__array_namespace__()\n"
        "    top = xp.max(x, axis=-1, keepdims=True)\n"
        "    top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))\n"
        "    return (top + xp.log(xp.sum(xp.exp(x - top), axis=-1, keepdims=True)))[..., 0]"
    ),
    "softmax_logsumexp": (
        "def softmax_logsumexp(x):\n    xp = x.__array_namespace__()\n"
        "    top = xp.max(x, axis=-1, keepdims=True)\n"
        "    top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))\n    e = xp.exp(x - top)\n"
        "    total = xp.sum(e, axis=-1, keepdims=True)\n    return e/total, (top + "
        "xp.log(total))[..., 0]"
    ),
    "expm": (
        "def expm(x):\n    # Higham 2005: scaling and squaring, here with a Taylor polynomial of "
        "degree 18 below norm 1/2\n"
        "    xp, halvings = x.__array_namespace__(), 0\n    norm = "
        "float(xp.max(xp.sum(xp.abs(x), axis=0)))\n"
        "    if not norm < xp.inf:\n        return xp.full_like(x, xp.nan)\n"
        "    while norm > 0.5:\n        norm, halvings = norm/2, halvings + 1\n"
        "    a = x*0.5**halvings\n    term = total = xp.eye(x.shape[0], dtype=x.dtype)\n"
        "    for k in range(1, 19):\n        term = (term @ a)/k\n        total = total + term\n"
        "    for _ in range(halvings):\n        total = total @ total\n    return total"
    ),
}


def _spelling(row: Row) -> str:
    if row.array_api:
        return row.array_api
    return re.sub(
        r"np\.linalg|np\b",
        lambda found: "xp.linalg" if found[0] == "np.linalg" else "xp",
        row.numpy,
    )


DIALECT = Dialect(
    name="array_api",
    module="xp",
    head=(),
    calls=CALLS,
    helpers=HELPERS,
    opening="xp = {first}.__array_namespace__()",
    dtype="dtype = {first}.dtype",
    no_dtype="dtype = xp.float64",
    constant="xp.asarray({0}, dtype=dtype)",
    number="xp.asarray({0}, dtype=dtype)",
    copy="xp.asarray({0}, copy=True)",
    scalars=True,
    spelling=_spelling,
    imports=IMPORTS,
    every_axis=True,
)
