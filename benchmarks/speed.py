"""The speed of the generated code beside what else one could run, from the same inputs.

    python -m benchmarks                 every case at three sizes, 21 rounds (a quarter of an hour)
    python -m benchmarks --quick         small and medium sizes, 7 rounds
    python -m benchmarks --case logdet   the cases whose name contains the word
    python -m benchmarks --write         the table of speed.md anew
    python -m benchmarks --threads 2     threads of each library, 1 by default: more need idle cores

A ratio is the time of the other over the time of matcalc: above 1, matcalc is faster. It is the
median of the ratios within the rounds, so that whatever else the machine does strikes both sides. A
row that misses a target is measured twice more, with new arrays, since where they lie in memory
makes a tenth of difference; all rounds count. OpenBLAS threads that have nothing to do are put to
sleep at once (OPENBLAS_THREAD_TIMEOUT=4): as they come they go on spinning and slow down whoever is
next. The two functions of JAX that are compared have rounds of their own. What takes less than some
milliseconds is timed while nobody else disturbs the core, as far as such moments are found
(quiet.py); the table says how often they were.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .quiet import Quiet

Run = Callable[[], Any]
TABLE = Path(__file__).parent / "speed.md"
BEGIN, END = "<!-- the table -->", "<!-- end of the table -->"
Rounds = list[dict[str, float]]  # seconds of each function in each round
LONGEST, FEWEST = 0.5, 3  # what takes longer than so many seconds is run so many times
# what takes longer brings its own data into the cache; the rest runs as often as it is timed before
WARM = 0.03
AGAIN = 2  # times that a row that misses a target is measured anew, with arrays elsewhere in memory
# seconds of one timing; faster functions are called several times, as an optimizer calls them
SHORTEST = 1e-3


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    _fix_threads(options.threads)
    runs = 7 if options.quick else 21
    from . import cases
    from .quiet import Quiet

    chosen = [case for case in cases.CASES if options.case in case.name]
    if not chosen:
        print(
            f"no case has '{options.case}' in its name: "
            f"{', '.join(case.name for case in cases.CASES)}",
            file=sys.stderr,
        )
        return 2
    lines = []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    say(_heading(options.threads, runs))
    rows, quiet = [], Quiet()
    for case in chosen:
        for label, lengths in list(zip(("small", "medium", "large"), case.sizes, strict=True))[
            : 2 if options.quick else 3
        ]:
            rows.append(_row(case, label, lengths, runs, quiet))
            say(rows[-1].line())
    say(f"\n{_summary(rows)}\n* {quiet.report()}\n* {compile_times(chosen)}")
    if options.write:
        head, _, rest = TABLE.read_text(encoding="utf-8").partition(BEGIN)
        TABLE.write_text(
            "\n".join([head + BEGIN, *lines, END]) + rest.partition(END)[2], encoding="utf-8"
        )
    return 0


def _heading(threads: int, runs: int) -> str:
    versions = ", ".join(
        f"{name} {version(name)}"
        for name in ("numpy", "scipy", "numba", "jax", "torch", "autograd")
    )
    return (
        f"{versions}; double precision; threads of every library: {threads}; {runs} interleaved "
        "rounds, up to three times as many, with new arrays,\n"
        "where a target was missed; ratios above 1: matcalc is faster\n\n| case | size | "
        f"matcalc numpy | {' | '.join(COLUMNS)} |\n"
        f"|---|---|--:|{'--:|' * len(COLUMNS)}"
    )


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--case", default="")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    return parser.parse_args(argv)


def _fix_threads(count: int) -> None:
    """Before any library is loaded."""
    if "numpy" in sys.modules:
        raise RuntimeError("NumPy is loaded already: its threads can no longer be set")
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(count)
    os.environ["OPENBLAS_THREAD_TIMEOUT"] = "4"
    os.environ["JAX_ENABLE_X64"] = "1"
    os.environ["XLA_FLAGS"] = (
        f"--xla_cpu_multi_thread_eigen={'true' if count > 1 else 'false'} "
        f"intra_op_parallelism_threads={count}"
    )


# ---- one case at one size ------------------------------------------------------------------------


def _row(case: Any, label: str, lengths: Mapping[str, int], runs: int, quiet: Quiet) -> Row:
    """Every competitor timed, after all of them have been seen to agree.

    Again where a target is missed.
    """
    from .cases import data

    arguments = data(case, lengths)
    functions = _functions(case, arguments)
    answers = {name: f() for name, f in functions.items()}
    for name, answer in answers.items():
        if "value" not in name:
            _assert_same(case.name, name, answers["hand"], answer)
    row = Row(case, label, _rounds(functions, runs, quiet), _counted(case, arguments))
    for _ in range(AGAIN):
        if not row.missed():
            break
        row = replace(
            row, rounds=row.rounds + _rounds(_functions(case, data(case, lengths)), runs, quiet)
        )
    return row


def _rounds(functions: dict[str, Run], runs: int, quiet: Quiet) -> Rounds:
    """JAX's two in rounds of their own: what they hand to its threads takes 7 µs or 20, by what
    other libraries' threads do.
    """
    others = {name: f for name, f in functions.items() if name != "jax"}
    return timed(others, runs, quiet) + timed(
        {name: functions[name] for name in ("jax", "jit(grad)")}, runs, quiet
    )


def timed(functions: dict[str, Run], runs: int, quiet: Quiet) -> Rounds:
    """Interleaved runs, in seconds."""
    once = {name: max(_once(f), 1e-9) for name, f in functions.items()}
    loops = {name: max(1, math.ceil(SHORTEST / t)) for name, t in once.items()}
    names, shuffle, rounds = list(functions), random.Random(0).shuffle, list[dict[str, float]]()
    for k in range(runs):
        shuffle(names)  # nobody always runs after the same neighbour
        rounds.append({})
        for name in names:
            if once[name] <= LONGEST or k < FEWEST:
                warm = once[name] < WARM
                measure = partial(_measured, functions[name], loops[name], warm)
                rounds[-1][name] = quiet.measure(measure, (1 + warm) * once[name] * loops[name])
    return rounds


def _once(f: Run) -> float:
    """Seconds of a call that neither compiles nor brings data into the cache."""
    f()
    found = [_seconds(f, 1)]
    while sum(found) < SHORTEST:
        found.append(_seconds(f, 1))
    return min(found)


def _measured(f: Run, loops: int, warm: bool) -> float:
    if warm:
        _seconds(f, loops)
    return _seconds(f, loops)


def _seconds(f: Run, loops: int) -> float:
    start = time.perf_counter()
    for _ in range(loops):
        f()
    return (time.perf_counter() - start) / loops


def _assert_same(case: str, name: str, expected: Any, found: Any) -> None:
    import numpy as np

    expected, found = ([np.squeeze(np.asarray(a)) for a in _flat(x)] for x in (expected, found))
    for a, b in zip(expected, found, strict=True):
        if not np.allclose(a, b, rtol=1e-6, atol=1e-6 * np.abs(a).max()):
            raise AssertionError(f"{case}: {name} disagrees with the form written by hand")


def _flat(x: Any) -> list[Any]:
    return [leaf for part in x for leaf in _flat(part)] if isinstance(x, (tuple, list)) else [x]


def _functions(case: Any, arguments: dict[str, Any]) -> dict[str, Run]:
    """Everything that is timed, as functions of nothing."""
    from . import libraries

    found: dict[str, Run] = {"hand": lambda: case.hand(**arguments)}
    for target in ("numpy", "numba", "jax", "our torch"):
        found[target] = _ours(case, arguments, target.removeprefix("our "))
    found["reuse"] = _ours(case, arguments, "numpy", reuse=True)
    found |= {
        "jit(grad)": libraries.jax_run(case, arguments),
        "torch": libraries.torch_run(case, arguments),
    }
    if (
        case.kind != "hessian"
        or max(a.size for a in arguments.values() if hasattr(a, "size")) < 1e5
    ):
        found["autograd"] = libraries.autograd_run(case, arguments)
    if case.kind == "gradient":
        found |= _with_value(case, arguments)
    return found


def _derivations(case: Any) -> Any:
    import matcalc as mc

    shapes = case.shapes.replace("; H: m×k", "")
    order, along = {"gradient": (1, None), "hessian": (2, None), "hvp": (2, "H")}[case.kind]
    return mc.derive(case.expr, list(case.wrt), shapes, order=order, along=along)


def _derived(case: Any) -> Any:
    """The one derivation of a case, or several that are compiled together."""
    derivations = _derivations(case)
    return next(iter(derivations.values())) if len(derivations) == 1 else derivations


def _ours(case: Any, arguments: dict[str, Any], target: str, reuse: bool = False) -> Run:
    f = _derived(case).compile(target, reuse=reuse)
    if target == "torch":
        import torch

        tensors = {n: torch.as_tensor(a) for n, a in arguments.items() if n in f.parameters}
        return lambda: f(**tensors)
    if target != "jax":
        return lambda: f(**arguments)
    import jax
    import jax.numpy as jnp

    run, values = jax.jit(f.raw), [jnp.asarray(arguments[n]) for n in f.parameters]
    return lambda: jax.block_until_ready(run(*values))


def _with_value(case: Any, arguments: dict[str, Any]) -> dict[str, Run]:
    """The value and the gradient together, and the value alone, by NumPy and by Numba."""
    import matcalc as mc

    found: dict[str, Run] = {}
    for target in ("numpy", "numba"):
        both, alone = (
            _derivations(case).compile(target, value=True),
            mc.parse(case.expr, case.shapes).compile(target),
        )
        found |= {
            f"{target} value and gradient": partial(both, **arguments),
            f"{target} value": partial(alone, **arguments),
        }
    return found


def _counted(case: Any, arguments: dict[str, Any]) -> str:
    """How many times the flops and the bytes of the value the value and the gradient take."""
    if case.kind != "gradient":
        return ""
    f = _derivations(case).compile("numpy", value=True)
    cost = f.cost(**{n: a for n, a in arguments.items() if hasattr(a, "shape")})
    return f"{cost.flops / cost.expression.flops:.1f}, {cost.bytes / cost.expression.bytes:.1f}"


def compile_times(chosen: Sequence[Any]) -> str:
    """How long it takes to make the functions: ours from the derivative, JAX's from the loss,
    which derives and compiles in its first call.
    """
    from . import libraries
    from .cases import data

    ours, jit = list[float](), list[float]()
    for case in chosen:
        arguments, make = data(case, case.sizes[0]), partial(_derived(case).compile, "numpy")
        make()  # what the first function of a process loads
        ours.append(min(_seconds(make, 1) for _ in range(5)))
        run = libraries.jax_run(case, arguments)
        jit.append(_seconds(run, 1) - _seconds(run, 1))
    found = (
        f"median {statistics.median(t) * 1000:.1f} ms, longest {max(t) * 1000:.1f} ms"
        for t in (ours, jit)
    )
    return (
        "compile time: numpy {} (target: median at most 20 ms); jit(grad), with deriving, {}"
    ).format(*found)


# ---- the table -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """The times of one case at one size."""

    case: Any
    label: str
    rounds: Rounds
    counted: str

    def ratio(self, above: str, below: str) -> float | None:
        """The median over the rounds of one time over another."""
        found = [r[above] / r[below] for r in self.rounds if above in r and below in r]
        return statistics.median(found) if found else None

    def line(self) -> str:
        found = {name: self.ratio(*pair) for name, pair in COLUMNS.items()}
        shown = ["" if r is None else f"{r:.2f}" for r in found.values()]
        own = statistics.median(r["numpy"] for r in self.rounds if "numpy" in r)
        return f"| {self.case.name} | {self.label} | {_time(own)} | {' | '.join(shown)} |"

    def missed(self) -> bool:
        """Whether a target for every single case is missed."""
        return any(t.missed_by(self) for t in TARGETS)


@dataclass(frozen=True)
class Target:
    """A line of the summary: a ratio, the rows that it is asked of, what the mean and the worst
    of them should be.
    """

    title: str
    above: str
    below: str
    mean: float = 0.0
    worst: float = 0.0
    most: float = math.inf
    rows: Callable[[Row], bool] = lambda row: True

    def found(self, row: Row) -> float | None:
        return row.ratio(self.above, self.below) if self.rows(row) else None

    def missed_by(self, row: Row) -> bool:
        found = self.found(row)
        return found is not None and not self.worst <= found <= self.most

    def line(self, rows: Sequence[Row]) -> str:
        found = [(r, row) for row in rows if (r := self.found(row)) is not None]
        if not found:
            return ""
        mean = math.exp(statistics.fmean(math.log(r) for r, _ in found))
        worst, where = (max if self.most < math.inf else min)(found, key=lambda pair: pair[0])
        asked = (
            [f"mean {self.mean}"] * (self.mean > 0)
            + [f"worst {self.worst}"] * (self.worst > 0)
            + [f"at most {self.most}"] * (self.most < math.inf)
        )
        shown = f"geometric mean {mean:.2f}, worst {worst:.2f} ({where.case.name}, {where.label})"
        failing = [
            f"{row.case.name}, {row.label}: {r:.2f}"
            + f" (count of flops, bytes: {row.counted})" * (self.most < math.inf)
            for r, row in found
            if self.missed_by(row)
        ]
        target = f" (target: {', '.join(asked)})" if asked else ""
        return f"* {self.title}{target}: {shown}" + "".join(
            f"\n  * missed: {line}" for line in failing
        )


def _large(row: Row) -> bool:
    return row.label == "large"


def _not_small(row: Row) -> bool:
    return row.label != "small"


def _second(row: Row) -> bool:
    return row.case.kind != "gradient"


BOTH = "value and gradient"
COLUMNS = {
    "hand": ("hand", "numpy"),
    "reuse: hand": ("hand", "reuse"),
    "jit(grad)": ("jit(grad)", "numpy"),
    "torch": ("torch", "numpy"),
    "autograd": ("autograd", "numpy"),
    "numba: hand": ("hand", "numba"),
    "numba: jit(grad)": ("jit(grad)", "numba"),
    "jax: jit(grad)": ("jit(grad)", "jax"),
    "torch: torch": ("torch", "our torch"),
    "value+gradient / value": (f"numpy {BOTH}", "numpy value"),
    "numba: value+gradient / value": (f"numba {BOTH}", "numba value"),
}
TARGETS = (
    Target("numpy against the form by hand", "hand", "numpy", mean=1.0, worst=0.85),
    Target(
        "numpy with reuse against the form by hand, medium and large",
        "hand",
        "reuse",
        rows=_not_small,
    ),
    Target("numpy against torch, medium and large", "torch", "numpy", worst=1.0, rows=_not_small),
    Target(
        "numpy against autograd, medium and large", "autograd", "numpy", worst=1.0, rows=_not_small
    ),
    Target(
        "numba against the form by hand, least squares by X, large",
        "hand",
        "numba",
        worst=2.5,
        rows=lambda row: _large(row) and row.case.name == "least squares by X",
    ),
    Target(
        "numba against the form by hand, the other memory-bound cases, large",
        "hand",
        "numba",
        worst=1.3,
        rows=lambda row: (
            _large(row) and row.case.memory_bound and row.case.name != "least squares by X"
        ),
    ),
    Target("numba against the numpy target", "numpy", "numba", worst=0.95),
    Target("numba against jit(grad)", "jit(grad)", "numba", mean=1.5),
    Target("jax against jit(grad)", "jit(grad)", "jax", mean=1.1, worst=0.95),
    Target(
        "torch against torch autograd, medium and large",
        "torch",
        "our torch",
        worst=1.0,
        rows=_not_small,
    ),
    Target("Hessians against jit(hessian)", "jit(grad)", "numpy", mean=5.0, rows=_second),
    Target("Hessians against torch.func.hessian", "torch", "numpy", mean=5.0, rows=_second),
    Target(
        "value with gradient over the value alone, numpy", f"numpy {BOTH}", "numpy value", most=3.0
    ),
    Target(
        "value with gradient over the value alone, numba", f"numba {BOTH}", "numba value", most=3.0
    ),
)


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.1f} ms"


def _summary(rows: Sequence[Row]) -> str:
    """Geometric means, the worst case, and every miss of every target."""
    return "\n".join(line for t in TARGETS if (line := t.line(rows)))
