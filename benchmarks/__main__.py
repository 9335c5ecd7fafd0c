"""``python -m benchmarks``: the speed of the generated code."""

from __future__ import annotations


def run() -> int:
    """The exit status of the benchmark; says what to install where a library is missing."""
    try:
        from .speed import main

        return main()
    except ModuleNotFoundError as missing:
        hint = "pip install --group oracles brings all that is compared (pip 25.1 or newer)"
        raise SystemExit(f"{missing.name} is not installed: {hint}") from None


raise SystemExit(run())
