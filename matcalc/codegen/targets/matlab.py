"""The MATLAB dialect: the functions are Octave's, in words that both read."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from ..write.dialect import Dialect
from . import octave


@cache
def dialect() -> Dialect:
    """MATLAB's dialect."""
    return replace(octave.dialect(), name="matlab")
