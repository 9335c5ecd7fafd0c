"""The command as its users run it: a process of its own, with a limit on its time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHON = sys.executable
MEMORY = 4 << 30


def matcalc(*arguments, stdin="", seconds=60.0, processor=30, encoding="utf-8", **variables):
    """Run ``python -m matcalc``; the completed process, with text.

    One that takes too much of the processor is killed by a signal.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": encoding,
        "OPENBLAS_NUM_THREADS": "1",
        **variables,
    }
    limits = (
        [
            "sh",
            "-c",
            f'ulimit -t {processor}; ulimit -v {MEMORY >> 10} 2>/dev/null; exec "$@"',
            "sh",
        ]
        if os.name == "posix"
        else []
    )
    return subprocess.run(
        [*limits, PYTHON, "-m", "matcalc", *arguments],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=seconds,
        env=environment,
        check=False,
    )


def shell(command, seconds=60.0):
    """Run a line of shell in which ``matcalc`` is the command of this tree."""
    line = f'matcalc() {{ "{PYTHON}" -m matcalc "$@"; }}; {command}'
    return subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, cwd=ROOT, timeout=seconds, check=False
    )
