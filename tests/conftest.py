"""What holds for all tests: one thread for BLAS, since each core has a worker of its own."""

from __future__ import annotations

import os

for library in ("OPENBLAS", "OMP", "MKL"):  # before NumPy is imported; threads that wait for each other take most of the time
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
