"""The dialect of the Python array API standard: one function for the arrays of every library
that follows it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from ..arrays import to_numpy
from ..write.dialect import STANDARD_CALLS, Dialect, translated
from ..write.excerpts import excerpts

CALLS = STANDARD_CALLS | {
    "commutation": "commutation(xp, {sizes}, dtype)",
    "shifts": "shifts(xp, {sizes}, dtype)",
    "einsum": "einsum('{data}', {arrays})",
    "fill": "xp.zeros({shape}, dtype=dtype) + «0»",
    "shift diag": "{0} + diag({1})",
    "trace": "xp.linalg.trace({0})",
    "diag": "diag({0})",
    "diagonal": "xp.linalg.diagonal({0})",
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
SPELLINGS = {
    "arcsin": "xp.asin({x})",
    "arccos": "xp.acos({x})",
    "arctan": "xp.atan({x})",
    "arcsinh": "xp.asinh({x})",
    "arccosh": "xp.acosh({x})",
    "arctanh": "xp.atanh({x})",
    "sigmoid": "sigmoid({x})",
    "softplus": "softplus({x})",
    "relu": "relu({x})",
    "step": "xp.astype({x} > 0, dtype)",
    "atan2": "xp.atan2({x}, {w})",
    "kron": "kron({x}, {w})",
    "vec": "xp.reshape({x}.T, (-1,))",
    "powm": "matrix_power({x}, {w})",
    "amax": "xp.max({x})",
    "amin": "xp.min({x})",
    "ismax": "xp.astype({x} == xp.max({x}), dtype)",
    "norm1": "xp.sum(xp.abs({x}))",
    "conv": "convmat({x}, {w}) @ {w}",
    "corr": "hankel({x}, {w}) @ {w}",
    "softmax": "softmax_rows({x})",
    "logsoftmax": "{x} - logsumexp_rows({x})",
    "logsumexp": "logsumexp_rows({x})",
}
WORDS = {"np.": "xp.", "xp.linalg.matrix_power": "matrix_power", "xp.amax": "xp.max"}
OPENING = "xp = {0}.__array_namespace__()"
HELPERS = excerpts("common", WORDS, OPENING) | excerpts("array_api")


def _array(value: Any) -> Any:
    """An array of any library that follows the standard; anything else by NumPy."""
    if not hasattr(value, "__array_namespace__"):
        return to_numpy(value)
    library = value.__array_namespace__()
    is_floating = library.isdtype(value.dtype, ("real floating", "complex floating"))
    return value if is_floating else library.astype(value, library.float64)


def _is_number(value: Any) -> bool:
    """Tell whether a scalar is of no library of arrays, or of one without the standard."""
    return not hasattr(value, "__array_namespace__")


def _number_beside(value: float, arrays: list[Any]) -> Any:
    if not arrays:
        return to_numpy(value)
    return arrays[0].__array_namespace__().asarray(value, dtype=arrays[0].dtype)


def _of_one_type(arrays: list[Any]) -> list[Any]:
    """The code names the type of the first array alone."""
    library = arrays[0].__array_namespace__()
    widest = library.result_type(*arrays)
    return [library.astype(a, widest, copy=False) for a in arrays]


def _adapted(text: str) -> str:
    return translated(text, {"np.": "xp."})


@cache
def dialect() -> Dialect:
    """The dialect of the standard."""
    return Dialect(
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
        spellings=SPELLINGS,
        adapted=_adapted,
        every_axis=True,
        to_array=_array,
        is_number=_is_number,
        number_beside=_number_beside,
        of_one_type=_of_one_type,
    )
