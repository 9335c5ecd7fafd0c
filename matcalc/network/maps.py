"""Fixed linear maps of images and arrays, each with its adjoint: the only derivatives that nobody
derives.

An image batch is an array (samples, height, width, channels). A map has ``propagate`` and
``backpropagate`` like a layer; :func:`adjoint_error` compares both sides of ⟨L x, y⟩ = ⟨x, L* y⟩ on
integers, where floating point is exact.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..errors import ShapeProblem, whole_number

Array = Any


class Map(Protocol):
    """What a layer may be built on: a map of arrays that carries cotangents back."""

    def propagate(self, x: Array) -> Array: ...

    def backpropagate(self, output_diff: Array) -> Array: ...


def windows(x: Array, kernel: tuple[int, int], stride: int) -> Array:
    """All windows of an image batch as a view (samples, rows, columns, kernel rows, kernel
    columns, channels); no copy.
    """
    samples, height, width, channels = x.shape
    rows, columns = (height - kernel[0]) // stride + 1, (width - kernel[1]) // stride + 1
    s, h, w, c = x.strides
    return as_strided(
        x,
        (samples, rows, columns, *kernel, channels),
        (s, h * stride, w * stride, h, w, c),
        writeable=False,
    )


def padded(x: Array, padding: int) -> Array:
    """An image batch with a border of zeros."""
    if not padding:
        return x
    samples, height, width, channels = x.shape
    out = np.zeros((samples, height + 2 * padding, width + 2 * padding, channels), x.dtype)
    out[:, padding:-padding, padding:-padding] = x
    return out


def im2col(x: Array, kernel: tuple[int, int], stride: int = 1, padding: int = 0) -> Array:
    """Every window of the kernel's size as one row: (samples, rows, columns, kernel rows ·
    kernel columns · channels).
    """
    seen = windows(padded(x, padding), kernel, stride)
    return seen.reshape(*seen.shape[:3], -1)


def col2im(
    g: Array, shape: tuple[int, ...], kernel: tuple[int, int], stride: int = 1, padding: int = 0
) -> Array:
    """The adjoint of im2col: every entry of a row is added to the pixel that it was read from."""
    samples, height, width, channels = shape
    _, rows, columns, _ = g.shape
    parts = g.reshape(samples, rows, columns, *kernel, channels)
    out = np.zeros((samples, height + 2 * padding, width + 2 * padding, channels), g.dtype)
    for i, j in np.ndindex(kernel):
        out[:, i : i + stride * rows : stride, j : j + stride * columns : stride] += parts[
            :, :, :, i, j
        ]
    return out[:, padding : padding + height, padding : padding + width]


def pool_windows(x: Array, kernel: tuple[int, int], stride: int) -> Array:
    """Every window of every channel as one row: (samples, rows, columns, channels, pixels of the
    window).
    """
    seen = np.moveaxis(windows(x, kernel, stride), -1, 3)
    return seen.reshape(*seen.shape[:4], -1)


def pool_windows_adjoint(
    g: Array, shape: tuple[int, ...], kernel: tuple[int, int], stride: int
) -> Array:
    """The adjoint of pool_windows: every entry is added to the pixel that it was read from."""
    parts = np.moveaxis(g, 3, -1)
    return col2im(parts.reshape(*parts.shape[:3], -1), shape, kernel, stride)


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
        self._shape = x.shape
        return x.reshape(len(x), *self.shape)

    def backpropagate(self, output_diff: Array) -> Array:
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
