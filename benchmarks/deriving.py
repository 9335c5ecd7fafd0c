"""What deriving costs: ``python -m benchmarks.deriving`` prints the measured figures beside their
targets.

* the textbook identities: median and 95 % of the times without verification, and what verification
  adds;
* larger models by one of their parameters and by all, with their verification;
* a chain of 10, 100 and 1,000 layers by its first weight: the ratio of successive times, which
  linear growth keeps near 10;
* a sum of 10,000 terms;
* a whole cold run of the command, verification included, against ``python -c "import sympy"``,
  interleaved.

``--against PATH`` measures the matcalc of another checkout beside this one, case by case in turn.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .models import MODELS

HERE = Path(__file__).parent
ROOT = HERE.parent
IDENTITIES = ROOT / "tests" / "identities.tsv"
COLD_RUNS = 15
LAYERS = (10, 100, 1000)
TERMS = 10_000
# the targets of verification: times its derivation in the median, and seconds
MOST_TIMES, MOST_SECONDS = 5, 1
COMMAND = ["-m", "matcalc", "norm2(X*w - y)^2", "w"]


@dataclass(frozen=True)
class Times:
    """Seconds of a derivation and of its verification."""

    name: str
    derivation: float
    verification: float

    @property
    def ratio(self) -> float:
        return self.verification / self.derivation


class Checkout:
    """A process that times the matcalc of a directory, see :mod:`benchmarks.timed`."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self.environment = os.environ | one_thread | {"PYTHONPATH": str(self.path)}
        self._process: subprocess.Popen[str] | None = None
        self.restart()

    def restart(self) -> None:
        """Forget all that was derived: take a new process."""
        if self._process is not None:
            self._process.communicate()
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "timed.py")],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        imported = self._answer()
        if self.path not in Path(imported).parents:
            raise SystemExit(f"{self.path} holds no matcalc: {imported} was imported")

    def ask(self, measure: str, *arguments: object) -> Any:
        """The seconds that a measure of :mod:`benchmarks.timed` takes."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(json.dumps([measure, *arguments]) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process is not None and self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the measurement of {self.path} ended early")
        return json.loads(line)

    def cold(self) -> float:
        """Seconds of a whole run of the command."""
        return elapsed([sys.executable, *COMMAND], self.environment)


def elapsed(command: list[str], environment: dict[str, str] | None = None) -> float:
    """Seconds of a process that may write compiled modules."""
    variables = (environment or dict(os.environ)) | {"PYTHONDONTWRITEBYTECODE": ""}
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=variables, cwd=ROOT.anchor)
    return time.perf_counter() - start


# ---- the cases -----------------------------------------------------------------------------------

Case = tuple[str, str, list[str], str]  # name, expression, variables, shapes


def identities() -> list[Case]:
    """The first derivatives of the table of identities."""
    lines = IDENTITIES.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line[:1].isdigit()]
    return [(r[0], r[3], [r[4]], r[5]) for r in rows if r[2] in ("grad", "dscalar")]


def models() -> list[Case]:
    """Each model by its first parameter, and by all."""
    cases = []
    for m in MODELS:
        cases.append((f"{m.name} by {m.wrt[0]}", m.expr, [m.wrt[0]], m.shapes))
        cases.append((f"{m.name} by all {len(m.wrt)}", m.expr, list(m.wrt), m.shapes))
    return cases


def network(layers: int, letter: str) -> str:
    """The squared norm of a network whose weights carry a letter."""
    inner = "x"
    for k in range(1, layers + 1):
        inner = f"{letter}w{k}*tanh({inner})"
    return f"norm2({inner})^2"


# ---- the measurements ----------------------------------------------------------------------------


def verified(checkouts: list[Checkout], cases: list[Case]) -> list[list[Times]]:
    """The times of all cases, a list for each checkout."""
    times: list[list[Times]] = [[] for _ in checkouts]
    for name, *case in cases:
        for checkout, column in zip(checkouts, times, strict=True):
            column.append(Times(name, *checkout.ask("verification", *case)))
    return times


def verified_afresh(checkouts: list[Checkout], cases: list[Case]) -> list[list[Times]]:
    """The same, each in a new process: a model by all parameters repeats what it is by one."""
    times: list[list[Times]] = [[] for _ in checkouts]
    for case in cases:
        for checkout in checkouts:
            checkout.restart()
        for column, (one,) in zip(times, verified(checkouts, [case]), strict=True):
            column.append(one)
    return times


def chain(checkout: Checkout) -> list[float]:
    """Seconds for chains of layers.

    The best of three fresh names, so that nothing is remembered.
    """
    return [min(_layers(checkout, count, letter) for letter in "ABC") for count in LAYERS]


def _layers(checkout: Checkout, count: int, letter: str) -> float:
    seconds: float = checkout.ask("derivation", network(count, letter), [f"{letter}w1"], None)
    return seconds


def long_sum(checkout: Checkout) -> float:
    terms = " + ".join(f"a{k}'*x" for k in range(TERMS))
    seconds: float = checkout.ask("derivation", terms, ["x"], None)
    return seconds


def cold(checkouts: list[Checkout]) -> tuple[list[float], float]:
    """Median seconds of the whole command of each checkout and of importing SymPy, in turn."""
    for checkout in checkouts:
        compileall.compile_dir(str(checkout.path / "matcalc"), quiet=1)
    ours: list[list[float]] = [[] for _ in checkouts]
    theirs = []
    for _ in range(COLD_RUNS):
        for checkout, column in zip(checkouts, ours, strict=True):
            column.append(checkout.cold())
        theirs.append(elapsed([sys.executable, "-c", "import sympy"]))
    return [statistics.median(column) for column in ours], statistics.median(theirs)


# ---- the table -----------------------------------------------------------------------------------


def milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:,.1f} ms"


def show_identities(times: list[Times]) -> None:
    derivations = sorted(t.derivation for t in times)
    median = 1e3 * statistics.median(derivations)
    high = 1e3 * derivations[int(0.95 * len(derivations))]
    print(
        f"derive() on {len(times)} identities       median {median:.2f} ms (target 3)     95 % "
        f"{high:.2f} ms (target 15)"
    )
    show_verification(times)


def show_verification(times: list[Times]) -> None:
    worst = max(times, key=lambda t: t.verification)
    ratio = statistics.median(t.ratio for t in times)
    print(f"  verification/derivation      median {ratio:.1f} (target {MOST_TIMES})", end="     ")
    print(f"worst verification {worst.verification:.2f} s (target {MOST_SECONDS}): {worst.name}")


def show_models(times: list[Times]) -> None:
    print(f"{'':<34}{'derivation':>14}{'verification':>16}{'ratio':>8}")
    for t in times:
        print(
            f"{t.name:<34}{milliseconds(t.derivation):>14}{milliseconds(t.verification):>16}{t.ratio:>8.1f}"
        )
    show_verification(times)


def show_growth(checkout: Checkout) -> None:
    times = chain(checkout)
    ratios = [times[1] / times[0], times[2] / times[1]]
    shown = ", ".join(f"{1e3 * t:.0f} ms" for t in times)
    layers = f"{', '.join(map(str, LAYERS))} layers"
    print(f"{layers:<31}{shown}     ratios {ratios[0]:.1f}, {ratios[1]:.1f} (target 13)")
    print(f"a sum of 10,000 terms          {long_sum(checkout):.2f} s")


def show_cold(ours: float, theirs: float) -> None:
    ratio = f"{ours / theirs:.2f} × importing SymPy (target below 1)"
    print(f"cold run of the command        {ratio}: {ours:.3f} s against {theirs:.3f} s")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.deriving", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="PATH",
        help="another checkout, measured in turn with this one",
    )
    other = parser.parse_args().against
    paths = [ROOT] if other is None else [other, ROOT]
    checkouts = [Checkout(path) for path in paths]
    small, large = verified(checkouts, identities()), verified_afresh(checkouts, models())
    cold_runs, sympy = cold(checkouts)
    for k, checkout in enumerate(checkouts):
        if other is not None:
            print(checkout.path)
        show_identities(small[k])
        show_models(large[k])
        show_growth(checkout)
        show_cold(cold_runs[k], sympy)
        print()


if __name__ == "__main__":
    main()
