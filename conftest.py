"""One thread for BLAS, since each core has a worker of its own.

No deadlines, on shared machines; nothing of packages that are missing.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from shutil import which
from typing import Any

# before NumPy is imported; threads that wait for each other take most of the time
for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import pytest  # noqa: E402 - after the number of threads
from hypothesis import settings  # noqa: E402

settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")

# by a file as it is read
IMPORTED = {
    "matcalc/codegen/runtime/jax.py": "jax",
    "matcalc/codegen/runtime/scipy.py": "scipy",
    "matcalc/codegen/runtime/torch.py": "torch",
    "matcalc/distribution/on_mesh.py": "jax",
    "matcalc/network/runtime/jax.py": "jax",
    "matcalc/network/runtime/torch.py": "torch",
    "tests/codegen/test_runtime.py": "scipy",
    "tests/network/test_torch.py": "torch",
}
collect_ignore = [file for file, package in IMPORTED.items() if find_spec(package) is None]


def pytest_pycollect_makeitem(
    collector: pytest.Collector, name: str, obj: Any
) -> list[pytest.Item] | None:
    """None of a test that needs a package or a program that is not installed."""
    packages = [name for mark in _marks(obj) if mark.name == "needs" for name in mark.args]
    programs = [name for mark in _marks(obj) if mark.name == "needs_program" for name in mark.args]
    missing = [name for name in packages if find_spec(name) is None]
    missing += [name for name in programs if which(name) is None]
    return [] if missing else None


def _marks(obj: Any) -> list[pytest.Mark]:
    marks = getattr(obj, "pytestmark", [])
    return marks if isinstance(marks, list) else [marks]
