"""The speed of the generated code beside what else one could run, from the same inputs.

    python -m benchmarks                 every case at three sizes, the median of 21 interleaved runs (ten minutes or so)
    python -m benchmarks --quick         small and medium sizes, 7 runs
    python -m benchmarks --case logdet   the cases whose name contains the word
    python -m benchmarks --threads 2     the threads of every library, 1 by default: more are only comparable on idle cores

A ratio is the time of the other over the time of matcalc: above 1, matcalc is faster. OpenBLAS threads that have nothing to
do are put to sleep at once (OPENBLAS_THREAD_TIMEOUT=4): as they come they go on spinning and slow down whoever is next.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

Run = Callable[[], Any]
LONGEST, FEWEST = 0.5, 3  # what takes longer than so many seconds is run so many times
SHORTEST = 2e-4  # seconds of one timing; faster functions are called several times


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    _fix_threads(options.threads)
    runs = 7 if options.quick else 21
    from . import cases

    print(f"{options.threads} threads in every library; medians of {runs} interleaved runs; ratios above 1: matcalc is faster\n")
    print("| case | size | matcalc numpy | hand | jit(grad) | torch | autograd | numba: hand | jax: jit(grad) | value+gradient / value |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    rows = []
    for case in cases.CASES:
        if options.case not in case.name:
            continue
        for label, lengths in list(zip(("small", "medium", "large"), case.sizes, strict=True))[: 2 if options.quick else 3]:
            rows.append((case, label, _measured(case, cases.data(case, lengths), runs)))
            print(_line(case.name, label, rows[-1][2]), flush=True)
    print("\n" + _summary(rows))
    return 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--case", default="")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args(argv)


def _fix_threads(count: int) -> None:
    """Before any library is loaded."""
    if "numpy" in sys.modules:
        raise RuntimeError("NumPy is loaded already: its threads can no longer be set")
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(count)
    os.environ["OPENBLAS_THREAD_TIMEOUT"] = "4"
    os.environ["JAX_ENABLE_X64"] = "1"
    os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={'true' if count > 1 else 'false'} intra_op_parallelism_threads={count}"


# ---- one case at one size -----------------------------------------------------------------------------------------------------


def _measured(case: Any, arguments: dict[str, Any], runs: int) -> dict[str, float]:
    """The median time of every competitor, after all of them have been seen to agree."""
    functions = _functions(case, arguments)
    answers = {name: f() for name, f in functions.items()}
    for name, answer in answers.items():
        if not name.startswith("value"):
            _assert_same(case.name, name, answers["hand"], answer)
    return timed(functions, runs)


def timed(functions: dict[str, Run], runs: int) -> dict[str, float]:
    """Medians of interleaved runs, in seconds."""
    once = {name: max(_seconds(f, 1), 1e-9) for name, f in functions.items()}
    loops = {name: max(1, math.ceil(SHORTEST / t)) for name, t in once.items()}
    times: dict[str, list[float]] = {name: [] for name in functions}
    names, shuffle = list(functions), random.Random(0).shuffle
    for k in range(runs):
        shuffle(names)  # nobody always runs after the same neighbour
        for name in names:
            if once[name] > LONGEST and k >= FEWEST:
                continue
            functions[name]()
            times[name].append(_seconds(functions[name], loops[name]))
    return {name: statistics.median(t) for name, t in times.items()}


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
    for target in ("numpy", "numba", "jax"):
        found[target] = _ours(case, arguments, target)
    found |= {"jit(grad)": libraries.jax_run(case, arguments), "torch": libraries.torch_run(case, arguments)}
    if case.kind != "hessian" or max(a.size for a in arguments.values() if hasattr(a, "size")) < 1e5:
        found["autograd"] = libraries.autograd_run(case, arguments)
    if case.kind == "gradient":
        found |= _with_value(case, arguments)
    return found


def _derivations(case: Any) -> Any:
    import matcalc as mc

    shapes = case.shapes.replace("; H: m×k", "")
    order, along = {"gradient": (1, None), "hessian": (2, None), "hvp": (2, "H")}[case.kind]
    return mc.derive(case.expr, list(case.wrt), shapes, order=order, along=along)


def _ours(case: Any, arguments: dict[str, Any], target: str) -> Run:
    derivations = _derivations(case)
    one = next(iter(derivations.values()))
    f = one.compile(target) if len(derivations) == 1 else derivations.compile(target)
    if target != "jax":
        return lambda: f(**arguments)
    import jax
    import jax.numpy as jnp

    run, values = jax.jit(f.raw), [jnp.asarray(arguments[n]) for n in f.parameters]
    return lambda: jax.block_until_ready(run(*values))


def _with_value(case: Any, arguments: dict[str, Any]) -> dict[str, Run]:
    """The value and the gradient together, and the value alone."""
    import matcalc as mc

    both, alone = _derivations(case).compile("numpy", value=True), mc.parse(case.expr, case.shapes).compile("numpy")
    return {"value and gradient": lambda: both(**arguments), "value": lambda: alone(**arguments)}


# ---- the table ------------------------------------------------------------------------------------------------------------------


def _ratios(t: dict[str, float]) -> dict[str, float]:
    out: dict[str, float] = {name: t[name] / t["numpy"] for name in ("hand", "jit(grad)", "torch", "autograd") if name in t}
    out |= {"numba: hand": t["hand"] / t["numba"], "numba: jit(grad)": t["jit(grad)"] / t["numba"], "numba: numpy": t["numpy"] / t["numba"]}
    out["jax: jit(grad)"] = t["jit(grad)"] / t["jax"]
    return out | ({"value": t["value and gradient"] / t["value"]} if "value" in t else {})


def _line(name: str, label: str, times: dict[str, float]) -> str:
    ratios = _ratios(times)
    shown = [f"{ratios[c]:.2f}" if c in ratios else "" for c in ("hand", "jit(grad)", "torch", "autograd", "numba: hand", "jax: jit(grad)", "value")]
    return f"| {name} | {label} | {_time(times['numpy'])} | {' | '.join(shown)} |"


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.1f} ms"


def _summary(rows: Sequence[tuple[Any, str, dict[str, float]]]) -> str:
    """Geometric means and the worst case of every ratio, beside the targets."""
    gradients = [(case, label, _ratios(t)) for case, label, t in rows]
    big = [(case, label, r) for case, label, r in gradients if label != "small"]
    hessians = [(case, label, r) for case, label, r in gradients if case.kind != "gradient"]
    large = [(case, label, r) for case, label, r in gradients if label == "large" and case.memory_bound]
    lines = [
        _mean("numpy against the form by hand (target: mean 1.0, worst 0.85)", gradients, "hand"),
        _mean("numpy against torch, medium and large (target: worst 1.0)", big, "torch"),
        _mean("numpy against autograd, medium and large (target: worst 1.0)", big, "autograd"),
        _mean("numba against the form by hand, large and memory-bound (target: 1.3; by X 2.5)", large, "numba: hand"),
        _mean("numba against the numpy target (target: worst 0.95)", gradients, "numba: numpy"),
        _mean("numba against jit(grad) (target: mean 1.5)", gradients, "numba: jit(grad)"),
        _mean("jax against jit(grad) (target: mean 1.1, worst 0.95)", gradients, "jax: jit(grad)"),
        _mean("Hessians against jit(hessian) (target: mean 5)", hessians, "jit(grad)"),
        _mean("Hessians against torch.func.hessian (target: mean 5)", hessians, "torch"),
        _mean("value with gradient over the value alone (target: worst 3)", gradients, "value", largest=True),
    ]
    return "\n".join(line for line in lines if line)


def _mean(title: str, rows: Sequence[tuple[Any, str, dict[str, float]]], key: str, largest: bool = False) -> str:
    found = [(r[key], f"{case.name}, {label}") for case, label, r in rows if key in r]
    if not found:
        return ""
    mean = math.exp(statistics.fmean(math.log(r) for r, _ in found))
    worst, where = (max if largest else min)(found)
    return f"* {title}: geometric mean {mean:.2f}, worst {worst:.2f} ({where})"
