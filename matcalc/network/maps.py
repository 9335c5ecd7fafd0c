"""Fixed linear maps of images and arrays, each with its adjoint: the only derivatives that nobody
derives.

An image batch is an array (samples, height, width, channels). A map has ``propagate`` and
``backpropagate`` like a layer; :func:`adjoint_error` compares both sides of ⟨L x, y⟩ = ⟨x, L* y⟩ on
integers, where floating point is exact.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ..errors import ShapeProblem, whole_number
from .runtime.numpy import col2im, im2col, pool_windows, pool_windows_adjoint

Array = Any


class Map(Protocol):
    """A part that a layer may be built on: a map of arrays that carries cotangents back."""

    def propagate(self, x: Array) -> Array: ...

    def backpropagate(self, output_diff: Array) -> Array: ...


def _fitting(x: Array, kernel: tuple[int, int], padding: int) -> tuple[int, ...]:
    """The shape of an image batch that holds a window; raises ShapeProblem."""
    if x.ndim != 4:
        raise ShapeProblem(
            f"images of shape {x.shape}", "they are arrays (samples, height, width, channels)"
        )
    if any(n + 2 * padding < k for n, k in zip(x.shape[1:3], kernel, strict=True)):
        raise ShapeProblem(
            f"windows of {kernel[0]}×{kernel[1]} in images of {x.shape[1]}×{x.shape[2]}",
            "use a smaller kernel, or padding",
        )
    shape: tuple[int, ...] = x.shape
    return shape


def _window(kernel: int | tuple[int, int]) -> tuple[int, int]:
    """The rows and columns of a window; raises TypeError or ShapeProblem."""
    if isinstance(kernel, (tuple, list)) and len(kernel) == 2:
        rows, cols = (whole_number(n, "kernel", 1) for n in kernel)
        return rows, cols
    side = whole_number(kernel, "kernel", 1)
    return side, side


class Im2col:
    """Windows as rows; the adjoint is col2im.

    >>> x = np.arange(9.0).reshape(1, 3, 3, 1)
    >>> Im2col(2).propagate(x)[0, 0, 0]
    array([0., 1., 3., 4.])
    >>> adjoint_error(Im2col(2, stride=2, padding=1), (2, 5, 4, 3))
    0.0
    """

    def __init__(self, kernel: int | tuple[int, int], stride: int = 1, padding: int = 0) -> None:
        self.kernel = _window(kernel)
        self.stride, self.padding = (
            whole_number(stride, "stride", 1),
            whole_number(padding, "padding"),
        )
        self._shape: tuple[int, ...] = ()

    def fitting(self, x: Array) -> tuple[int, ...]:
        """The shape of images that hold a window; raises ShapeProblem."""
        return _fitting(x, self.kernel, self.padding)

    def propagate(self, x: Array) -> Array:
        self._shape = self.fitting(x)
        return im2col(x, self.kernel, self.stride, self.padding)

    def backpropagate(self, output_diff: Array) -> Array:
        return col2im(output_diff, self._shape, self.kernel, self.stride, self.padding)


class Windows:
    """The windows of each channel as rows, for pooling; the adjoint adds them up again."""

    def __init__(self, kernel: int | tuple[int, int], stride: int | None = None) -> None:
        self.kernel = _window(kernel)
        self.stride = self.kernel[0] if stride is None else whole_number(stride, "stride", 1)
        self._shape: tuple[int, ...] = ()

    def propagate(self, x: Array) -> Array:
        self._shape = _fitting(x, self.kernel, 0)
        return pool_windows(x, self.kernel, self.stride)

    def backpropagate(self, output_diff: Array) -> Array:
        return pool_windows_adjoint(output_diff, self._shape, self.kernel, self.stride)


class Reshape:
    """Each sample as one row, or in any other shape; the adjoint gives the old shape back."""

    def __init__(self, *shape: int) -> None:
        self.shape = shape or (-1,)
        self._shape: tuple[int, ...] = ()

    def propagate(self, x: Array) -> Array:
        """The samples in the other shape; raises ShapeProblem if they do not fill it."""
        self._shape = x.shape
        try:
            return x.reshape(len(x), *self.shape)
        except ValueError:
            raise ShapeProblem(
                f"samples of shape {x.shape[1:]} in the shape {self.shape}",
                "both have as many entries",
            ) from None

    def backpropagate(self, output_diff: Array) -> Array:
        """A gradient by the output in the shape of the samples.

        Raises ValueError for one that is not of the shape of the output.
        """
        return output_diff.reshape(self._shape)


def adjoint_error(linear: Map, shape: tuple[int, ...], seed: int = 0) -> float:
    """|⟨L x, y⟩ − ⟨x, L* y⟩| for random integers x and y: exactly 0 for a map and its adjoint.

    >>> adjoint_error(Windows(2), (1, 4, 6, 2))
    0.0
    """
    rng = np.random.default_rng(seed)
    x = rng.integers(-9, 10, shape).astype(float)
    value = linear.propagate(x)
    y = rng.integers(-9, 10, value.shape).astype(float)
    return abs(float((value * y).sum() - (x * linear.backpropagate(y)).sum()))
