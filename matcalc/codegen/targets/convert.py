"""How each target takes its arguments: lists, numbers and integer arrays become arrays of
floating point numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from importlib import import_module
from typing import Any


def to_numpy(value: Any) -> Any:
    import numpy as np

    array = np.asarray(value)
    if array.dtype.kind not in "fc":
        return array.astype(float)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def to_jax(value: Any) -> Any:
    import jax.numpy as jnp

    array = jnp.asarray(value)
    return array if jnp.issubdtype(array.dtype, jnp.inexact) else array.astype(float)


def to_torch(value: Any) -> Any:
    import torch

    if not isinstance(value, torch.Tensor):
        array = to_numpy(value)
        value = torch.as_tensor(array if _is_plain(array) else array.copy())
    return value if value.is_floating_point() or value.is_complex() else value.to(torch.float64)


def _is_plain(array: Any) -> bool:
    """Whether PyTorch can share the memory of an array: it has no strides below zero, and no
    tensors that must not be written.
    """
    return array.flags.writeable and min(array.strides, default=0) >= 0


def to_array_api(value: Any) -> Any:
    """An array of any library that follows the standard; anything else by NumPy."""
    if not hasattr(value, "__array_namespace__"):
        return to_numpy(value)
    library = value.__array_namespace__()
    is_floating = library.isdtype(value.dtype, ("real floating", "complex floating"))
    return value if is_floating else library.astype(value, library.float64)


def of_one_type_in_torch(arrays: list[Any]) -> list[Any]:
    """PyTorch multiplies no matrices of different types."""
    import torch

    widest = reduce(torch.promote_types, {a.dtype for a in arrays})
    return [a.to(widest) for a in arrays]


def of_one_type_in_array_api(arrays: list[Any]) -> list[Any]:
    library = arrays[0].__array_namespace__()
    widest = library.result_type(*arrays)
    return [library.astype(a, widest, copy=False) for a in arrays]


def number_like_numpy(value: float, arrays: list[Any]) -> Any:
    """A Python number; of the arrays' own type where they are not of double precision, so that
    they keep it.
    """
    import numpy as np

    dtype = np.result_type(*arrays) if arrays else np.dtype(float)
    return value if dtype == np.dtype(float) else dtype.type(value)


def number_like_torch(value: float, arrays: list[Any]) -> Any:
    import torch

    return (
        torch.as_tensor(value, dtype=arrays[0].dtype, device=arrays[0].device)
        if arrays
        else to_torch(value)
    )


def number_like_array_api(value: float, arrays: list[Any]) -> Any:
    if not arrays:
        return to_numpy(value)
    return arrays[0].__array_namespace__().asarray(value, dtype=arrays[0].dtype)


def library_of(array: Any) -> Any:
    """The module of an array; NumPy for a number."""
    if hasattr(array, "__array_namespace__"):
        return array.__array_namespace__()
    return import_module(
        "torch" if hasattr(array, "dtype") and hasattr(array, "device") else "numpy"
    )


def is_finite(array: Any) -> bool:
    """Whether every entry is a finite number."""
    library = library_of(array)
    return bool(library.all(library.isfinite(array)))


def undefined(shape: tuple[int, ...], like: Any) -> Any:
    """An array, or a number, of nan."""
    library = library_of(like)
    value = library.full(shape, library.nan, dtype=getattr(like, "dtype", None))
    return value[()] if library.__name__ == "numpy" else value


def reshaped(array: Any, shape: tuple[int, ...]) -> Any:
    """An array in another shape; the standard of arrays has a function for it, and no method."""
    if hasattr(array, "reshape"):
        return array.reshape(shape)
    return array.__array_namespace__().reshape(array, shape)


def number_of_numpy(value: float) -> Any:
    import numpy as np

    return np.float64(value)


def number_of_jax(value: float) -> Any:
    import jax.numpy as jnp

    return jnp.asarray(value)


def number_as_it_is(value: float, arrays: list[Any]) -> Any:
    return value


def is_number(value: Any, target: str) -> bool:
    """Whether a scalar argument takes the type of the arrays: a Python number.

    For the standard also one of another library.
    """
    if target == "array_api":
        return not hasattr(value, "__array_namespace__")
    return isinstance(value, (int, float)) and not hasattr(value, "dtype")


TO_ARRAY: Mapping[str, Callable[[Any], Any]] = {
    "numpy": to_numpy,
    "numba": to_numpy,
    "jax": to_jax,
    "torch": to_torch,
    "array_api": to_array_api,
}
TO_NUMBER: Mapping[str, Callable[[float, list[Any]], Any]] = {
    "numpy": number_like_numpy,
    "numba": number_like_numpy,
    "jax": number_as_it_is,
    "torch": number_like_torch,
    "array_api": number_like_array_api,
}
# where a library does not take arrays of different types together, or the code names the type of
# the first one
OF_ONE_TYPE: Mapping[str, Callable[[list[Any]], list[Any]]] = {
    "torch": of_one_type_in_torch,
    "array_api": of_one_type_in_array_api,
}
# numbers that are infinite where Python's raise an error
NUMBER_OF_ARRAYS: Mapping[str, Callable[[float], Any]] = {
    "numpy": number_of_numpy,
    "numba": number_of_numpy,
    "jax": number_of_jax,
    "torch": to_torch,
    "array_api": to_numpy,
}
