"""Functions that the module of a network brings along: NumPy's by what they are, those of other
libraries by NumPy's.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
import targets

from matcalc.network.runtime import numpy as ours

RNG = np.random.default_rng(6)
KERNELS = [((2, 2), 1, 0), ((3, 2), 2, 1), ((1, 3), 3, 2)]  # with strides and paddings
IMAGES = RNG.integers(-9, 10, (2, 7, 8, 3)).astype(float)


def window(x: Any, kernel: tuple[int, int], stride: int, row: int, column: int) -> Any:
    """The window of the first image at a row and a column."""
    i, j = stride * row, stride * column
    return x[0, i : i + kernel[0], j : j + kernel[1]]


@pytest.mark.parametrize(("kernel", "stride", "padding"), KERNELS)
def test_rows_are_windows(kernel: tuple[int, int], stride: int, padding: int) -> None:
    edges = (padding, padding)
    bordered = np.pad(IMAGES, ((0, 0), edges, edges, (0, 0)))
    found = ours.im2col(IMAGES, kernel, stride, padding)
    pooled = ours.pool_windows(IMAGES, kernel, stride)
    for row, column in np.ndindex(found.shape[1:3]):
        expected = window(bordered, kernel, stride, row, column)
        np.testing.assert_array_equal(found[0, row, column], expected.ravel())
    for row, column in np.ndindex(pooled.shape[1:3]):
        expected = window(IMAGES, kernel, stride, row, column)
        np.testing.assert_array_equal(pooled[0, row, column], expected.reshape(-1, 3).T)


@pytest.mark.parametrize(("kernel", "stride", "padding"), KERNELS)
def test_adjoints(kernel: tuple[int, int], stride: int, padding: int) -> None:
    """⟨L x, y⟩ = ⟨x, L* y⟩ on whole numbers, where floating point is exact."""
    for forward, back in (
        (
            ours.im2col(IMAGES, kernel, stride, padding),
            lambda y: ours.col2im(y, IMAGES.shape, kernel, stride, padding),
        ),
        (
            ours.pool_windows(IMAGES, kernel, stride),
            lambda y: ours.pool_windows_adjoint(y, IMAGES.shape, kernel, stride),
        ),
    ):
        y = RNG.integers(-9, 10, forward.shape).astype(float)
        assert (forward * y).sum() == (IMAGES * back(y)).sum()


def test_the_first_of_the_largest_is_marked() -> None:
    p = np.array([[1.0, 3, 3], [2, 2, 2], [0, -1, 5]])
    np.testing.assert_array_equal(ours.first_largest(p), [[0, 1, 0], [1, 0, 0], [0, 0, 1]])


def test_rows_get_their_axes_back() -> None:
    assert ours.rows(IMAGES).shape == (112, 3)
    np.testing.assert_array_equal(ours.like(ours.rows(IMAGES), IMAGES), IMAGES)
    assert ours.like(ours.rows(IMAGES) @ np.ones(3), IMAGES).shape == (2, 7, 8)


@pytest.mark.parametrize("library", targets.installed("jax", "torch"))
@pytest.mark.parametrize(("kernel", "stride", "padding"), KERNELS)
def test_other_libraries(library: str, kernel: tuple[int, int], stride: int, padding: int) -> None:
    theirs = import_module(f"matcalc.network.runtime.{library}")
    array = import_module({"jax": "jax.numpy"}.get(library, library)).asarray
    columns = ours.im2col(IMAGES, kernel, stride, padding)
    pixels = ours.pool_windows(IMAGES, kernel, stride)
    shape = IMAGES.shape
    for name, x, rest in (
        ("first_largest", ours.rows(IMAGES), ()),
        ("im2col", IMAGES, (kernel, stride, padding)),
        ("col2im", columns, (shape, kernel, stride, padding)),
        ("pool_windows", IMAGES, (kernel, stride)),
        ("pool_windows_adjoint", pixels, (shape, kernel, stride)),
    ):
        expected = getattr(ours, name)(x, *rest)
        found = getattr(theirs, name)(array(x.copy()), *rest)
        np.testing.assert_array_equal(np.asarray(found), expected)
