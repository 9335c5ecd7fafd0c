"""Long runs: checkpoints that survive the end of the process, and a progress bar.

A checkpoint is written to a new file that then takes the old one's name: a killed process leaves
the last complete one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Unsupported

Array = Any


def save_arrays(path: str | os.PathLike[str], arrays: Mapping[str, Array]) -> None:
    """Write arrays so that the file is complete or untouched, whatever happens meanwhile."""
    final = Path(path)
    partial = final.with_name(f".{final.name}.{os.getpid()}")
    with open(partial, "wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, final)


def load_arrays(path: str | os.PathLike[str]) -> dict[str, Array]:
    """The arrays of a checkpoint; nothing in the file is executed."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def scipy_optimize() -> Any:
    """scipy.optimize; raises MatcalcError with what to do where SciPy is not installed."""
    try:
        return import_module("scipy.optimize")
    except ImportError:
        hint = (
            "install the extra matgrad[fast], or take the method gradient-descent, momentum or adam"
        )
        raise Unsupported("this method needs SciPy", hint) from None


def no_progress(values: Sequence[float], patience: int) -> bool:
    """Tell if the last ``patience`` values hold none that is below all before them.

    >>> no_progress([3.0, 1.0, 2.0, 1.0], 2), no_progress([3.0, 1.0, 2.0, 0.0], 2)
    (True, False)
    """
    return len(values) > patience and min(values[-patience:]) >= min(values[:-patience])


@contextmanager
def progress_bar(
    title: str, total: int, wanted: bool | None = None
) -> Iterator[Callable[[int, str], None]]:
    """A function that moves a bar on a terminal; it does nothing in a pipe or without rich."""
    bar = _rich_bar() if (sys.stderr.isatty() if wanted is None else wanted) else None
    if bar is None:
        yield lambda done, note: None
        return
    with bar:
        task = bar.add_task(title, total=total, note="")
        yield lambda done, note: bar.update(task, completed=done, note=note)


def _rich_bar() -> Any:
    try:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )
    except ImportError:
        return None
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)
