"""What holds for all tests: one thread for BLAS, since each core has a worker of its own; and no deadlines, on shared machines."""

from __future__ import annotations

import os

for library in ("OPENBLAS", "OMP", "MKL"):  # before NumPy is imported; threads that wait for each other take most of the time
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

from hypothesis import settings  # noqa: E402 - after the number of threads

settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")
