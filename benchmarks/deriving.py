"""What deriving costs: ``python -m benchmarks.deriving`` prints the measured figures beside their targets.

* derive() without verification on the textbook identities: median and 95 % of the times;
* a chain of 10, 100 and 1,000 layers by its first weight: the ratio of successive times, which linear growth keeps near 10;
* a sum of 10,000 terms;
* a whole cold run of the command, verification included, against ``python -c "import sympy"``, interleaved.
"""

from __future__ import annotations

import compileall
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import matcalc
from matcalc.derivation import unverified
from matcalc.shapes import typed

IDENTITIES = Path(__file__).parent.parent / "tests" / "identities.tsv"
COLD_RUNS = 15


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def derivation(text: str, wrt: str, shapes: str | None = None) -> Callable[[], object]:
    """Parsing, deriving, arranging and simplifying, without verification."""

    def work() -> object:
        program = typed(text, shapes)
        return unverified(program, [program.variables[wrt]])

    return work


def identities() -> tuple[float, float, int]:
    """Median and 95 % of the first derivation of each identity, in milliseconds."""
    rows = [line.split("\t") for line in IDENTITIES.read_text(encoding="utf-8").splitlines() if line[:1].isdigit()]
    times = sorted(1e3 * seconds(derivation(r[3], r[4], r[5])) for r in rows if r[2] in ("grad", "dscalar"))
    return statistics.median(times), times[int(0.95 * len(times))], len(times)


def network(layers: int) -> str:
    inner = "x"
    for k in range(1, layers + 1):
        inner = f"W{k}*tanh({inner})"
    return f"norm2({inner})^2"


def chain() -> dict[int, float]:
    """Seconds for chains of layers; the best of three fresh names, so that nothing is remembered."""
    return {n: min(seconds(derivation(network(n).replace("W", f"{letter}w"), f"{letter}w1")) for letter in "ABC") for n in (10, 100, 1000)}


def long_sum() -> float:
    return seconds(derivation(" + ".join(f"a{k}'*x" for k in range(10_000)), "x"))


def cold() -> tuple[float, float]:
    """Median seconds of the whole command and of importing SymPy, in turn."""
    compileall.compile_dir(str(Path(matcalc.__file__).parent), quiet=1)
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
    ours, theirs = [], []
    for _ in range(COLD_RUNS):
        for command, times in (([*_PYTHON, "-m", "matcalc", "norm2(X*w - y)^2", "w"], ours), ([*_PYTHON, "-c", "import sympy"], theirs)):
            times.append(seconds(lambda: subprocess.run(command, check=True, capture_output=True, env=environment)))  # noqa: B023 - run at once
    return statistics.median(ours), statistics.median(theirs)


_PYTHON = [sys.executable]


def main() -> None:
    typed("x")  # the grammar is read once, as in any session
    median, high, count = identities()
    print(f"derive() on {count} identities       median {median:.2f} ms (target 3)     95 % {high:.2f} ms (target 15)")
    times = chain()
    ratios = [times[100] / times[10], times[1000] / times[100]]
    shown = ", ".join(f"{1e3 * t:.0f} ms" for t in times.values())
    print(f"10, 100, 1000 layers           {shown}     ratios {ratios[0]:.1f}, {ratios[1]:.1f} (target 13)")
    print(f"a sum of 10,000 terms          {long_sum():.2f} s")
    ours, theirs = cold()
    print(f"cold run of the command        {ours / theirs:.2f} × importing SymPy (target below 1): {ours:.3f} s against {theirs:.3f} s")


if __name__ == "__main__":
    main()
