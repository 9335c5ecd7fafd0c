"""The command as its users run it: a process of its own, with a limit on its time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHON = sys.executable
MEMORY = 4 << 30


def matcalc(*arguments, stdin="", seconds=30.0, encoding="utf-8", **variables):
    """Run ``python -m matcalc``; the completed process, with text. A process that takes too long fails the test."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding, "OPENBLAS_NUM_THREADS": "1", **variables}
    return subprocess.run(
        [PYTHON, "-m", "matcalc", *arguments], input=stdin, capture_output=True, encoding="utf-8", errors="surrogateescape",
        timeout=seconds, env=environment, check=False, preexec_fn=_limit_memory if sys.platform == "linux" else None,
    )  # fmt: skip


def shell(command, seconds=60.0):
    """Run a line of shell in which ``matcalc`` is the command of this tree."""
    line = f'matcalc() {{ "{PYTHON}" -m matcalc "$@"; }}; {command}'
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, cwd=ROOT, timeout=seconds, check=False)


def _limit_memory():
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
