"""Which targets of generated code can run here: tests of the others are not collected.

And in which precision.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from matcalc.codegen import TARGETS, dialect

PACKAGES = {"array_api": "array_api_strict"}  # of a target that is not called like its package


# those whose code is Python
OF_PYTHON = [target for target in TARGETS if dialect(target).write is None]


def is_installed(target: str) -> bool:
    return find_spec(PACKAGES.get(target, target)) is not None


def installed(*targets: str) -> list[str]:
    """Those of some targets, or of all, whose packages are installed."""
    return [target for target in targets or TARGETS if is_installed(target)]


@contextmanager
def double_precision(target: str) -> Iterator[None]:
    """JAX computes in double precision only where it is told to."""
    if target != "jax":
        yield
        return
    import jax

    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)
