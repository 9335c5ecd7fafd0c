"""Windows of images and their adjoints, in JAX."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

Array = Any


def first_largest(p: Array) -> Array:
    """1 at the first largest entry of each row, else 0."""
    return (p.argmax(1)[:, None] == jnp.arange(p.shape[1])).astype(p.dtype)


def windows(x: Array, kernel: tuple[int, int], stride: int) -> list[Array]:
    """The pixels of all windows of an image batch, (samples, rows, columns, channels) for each
    pixel of the kernel.
    """
    rows, columns = (x.shape[1] - kernel[0]) // stride + 1, (x.shape[2] - kernel[1]) // stride + 1
    down, right = stride * (rows - 1) + 1, stride * (columns - 1) + 1
    places = [(i, j) for i in range(kernel[0]) for j in range(kernel[1])]
    return [x[:, i : i + down : stride, j : j + right : stride] for i, j in places]


def im2col(x: Array, kernel: tuple[int, int], stride: int = 1, padding: int = 0) -> Array:
    """Every window of the kernel's size as one row."""
    edges = (padding, padding)
    x = jnp.pad(x, ((0, 0), edges, edges, (0, 0)))
    return jnp.concatenate(windows(x, kernel, stride), axis=-1)


def col2im(
    g: Array, shape: tuple[int, ...], kernel: tuple[int, int], stride: int = 1, padding: int = 0
) -> Array:
    """The adjoint of im2col: every entry of a row is added to the pixel that it was read from."""
    samples, height, width, channels = shape
    parts = g.reshape(*g.shape[:3], *kernel, channels)
    size = (samples, height + 2 * padding, width + 2 * padding, channels)
    out = jnp.zeros(size, dtype=g.dtype)
    down, right = stride * (g.shape[1] - 1) + 1, stride * (g.shape[2] - 1) + 1
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            at = (slice(None), slice(i, i + down, stride), slice(j, j + right, stride))
            out = out.at[at].add(parts[:, :, :, i, j])
    return out[:, padding : padding + height, padding : padding + width]


def pool_windows(x: Array, kernel: tuple[int, int], stride: int) -> Array:
    """Every window of every channel as one row."""
    return jnp.stack(windows(x, kernel, stride), axis=-1)


def pool_windows_adjoint(
    g: Array, shape: tuple[int, ...], kernel: tuple[int, int], stride: int
) -> Array:
    """The adjoint of pool_windows: every entry is added to the pixel that it was read from."""
    parts = jnp.moveaxis(g, 3, -1)
    return col2im(parts.reshape(*parts.shape[:3], -1), shape, kernel, stride)
