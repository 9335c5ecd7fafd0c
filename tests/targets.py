"""Which targets of generated code can run here: tests of the others are not collected."""

from __future__ import annotations

from importlib.util import find_spec

from matcalc.codegen import TARGETS

PACKAGES = {"array_api": "array_api_strict"}  # of a target that is not called like its package


def is_installed(target: str) -> bool:
    return find_spec(PACKAGES.get(target, target)) is not None


def installed(*targets: str) -> list[str]:
    """Those of some targets, or of all, whose packages are installed."""
    return [target for target in targets or TARGETS if is_installed(target)]
