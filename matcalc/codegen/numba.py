"""The Numba dialect: NumPy's, with kernels where one pass over the data replaces several."""

from __future__ import annotations

from .numpy import dialect

__all__ = ["dialect"]
