"""Arguments as arrays, whatever the target: what every library of arrays can be asked."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def to_numpy(value: Any) -> Any:
    """An array of floating point numbers in the machine's order of bytes.

    Lists, numbers and arrays of integers become arrays of double precision.
    """
    import numpy as np

    array = np.asarray(value)
    if array.dtype.kind not in "fc":
        return array.astype(float)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def is_python_number(value: Any) -> bool:
    """Tell whether a value is a Python number, which takes the type of the arrays beside it."""
    return isinstance(value, (int, float)) and not hasattr(value, "dtype")


def library_of(array: Any) -> Any:
    """The module of an array; NumPy for a number."""
    if hasattr(array, "__array_namespace__"):
        return array.__array_namespace__()
    return import_module(
        "torch" if hasattr(array, "dtype") and hasattr(array, "device") else "numpy"
    )


def is_finite(array: Any) -> bool:
    """Tell whether every entry is a finite number."""
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
