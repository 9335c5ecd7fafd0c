"""Windows of images, rows of arrays, and their adjoints, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

Array = Any


def rows(x: Array) -> Array:
    """An array as the matrix of its last axis."""
    return x.reshape(-1, x.shape[-1])


def like(y: Array, x: Array) -> Array:
    """A matrix of rows, or a vector, with the leading axes of x."""
    return y.reshape(x.shape[:-1] + y.shape[1:])


def first_largest(p: Array) -> Array:
    """1 at the first largest entry of each row, else 0."""
    return (p.argmax(1)[:, None] == np.arange(p.shape[1])).astype(p.dtype)


def windows(x: Array, kernel: tuple[int, int], stride: int) -> Array:
    """All windows of an image batch, (samples, rows, columns, kernel rows, kernel columns,
    channels), as a view.
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
        part = parts[:, :, :, i, j]
        out[:, i : i + stride * rows : stride, j : j + stride * columns : stride] += part
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
