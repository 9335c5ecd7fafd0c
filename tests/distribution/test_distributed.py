"""Losses over blocks of rows: the numbers of the in-memory function, one pass, nothing gathered,
and what is refused.
"""

import os
import subprocess
import sys
import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dask.callbacks import Callback
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st
from strategies import Generator

import matcalc as mc
from matcalc.api.inputs import as_program
from matcalc.calculus.separate import separate
from matcalc.codegen import compile_expr

da = pytest.importorskip("dask.array")
dask = pytest.importorskip("dask")
LENGTHS = {"m": 53, "n": 4, "k": 3, "p": 5}
REGRESSION = "X: m×n; y: m; w: n; c: scalar; d: scalar; "
# loss, variables, shapes
LOSSES = {
    "least squares": ("norm2(X*w - y)^2", "w", REGRESSION),
    "least squares, by everything": ("norm2(X*w - y)^2/m", ["X", "w", "y"], REGRESSION),
    "root of the sum": ("norm2(X*w - y)", "w", REGRESSION),
    "ridge logistic, mean": ("sum(softplus(-y.*(X*w)))/m + c/2*w'*w", ["w", "c"], REGRESSION),
    "with an intercept": ("sum(softplus(-y.*(X*w + d*ones(m)))) + c*w'*w", ["w", "d"], REGRESSION),
    "softmax cross entropy": (
        "(sum(logsumexp_rows(X*W)) - sum(Y.*(X*W)))/m + c*norm2(W)^2",
        "W",
        "X: m×n; W: n×k; Y: m×k; c: scalar",
    ),
    "softmax by its rows": (
        "-sum(Y.*log(softmax_rows(X*W)))",
        ["W", "Y"],
        "X: m×n; W: n×k; Y: m×k",
    ),
    "matrix factorization": (
        "norm2(R - U*V)^2 + c*norm2(V)^2",
        "V",
        "R: m×p; U: m×k; V: k×p; c: scalar",
    ),
    "matrix factorization, both": (
        "norm2(R - U*V)^2 + c*norm2(V)^2",
        ["U", "V"],
        "R: m×p; U: m×k; V: k×p; c: scalar",
    ),
    "huber": ("sum(huber(X*w - y, d))/m", "w", REGRESSION),
    "absolute deviations": ("norm1(X*w - y) + c*norm1(w)", "w", REGRESSION),
    "two layers": (
        "norm2(tanh(X*W + ones(m)*b')*v - y)^2/m",
        ["W", "b", "v"],
        "X: m×n; W: n×k; b: k; v: k; y: m",
    ),
    "Poisson": ("sum(exp(X*w)) - y'*X*w", "w", REGRESSION),
    "a Gaussian": (
        "m*logdet(S) + tr((X - ones(m)*q')*inv(S)*(X - ones(m)*q')')",
        ["q", "S"],
        "X: m×n; S: n×n spd; q: n",
    ),
    "weights of the samples": ("sum(v.*(X*w - y).^2)/sum(v)", "w", REGRESSION + "v: m positive"),
    "small algebra after the sums": (
        "logdet(X'*diag(v)*X/m + eye(n)) + sum(y)^2/m",
        [],
        REGRESSION + "v: m positive",
    ),
    "a product of sums": ("y'*X*X'*v", [], REGRESSION + "v: m"),
    "samples in columns": (
        "sum(logsumexp_cols(W'*X)) + norm2(X'*w - y)^2",
        ["w", "W"],
        "X: n×m; W: n×k; w: n; y: m",
    ),
    "integers as data": ("sum(softplus(N*w)) - m*sum(w)", "w", "N: m×n; w: n"),
}


def random_arrays(variables, seed=0, lengths=LENGTHS):
    rng = np.random.default_rng(seed)
    found = {}
    for v in variables:
        a = rng.normal(
            size=[int(np.prod([lengths.get(x, x) for x in size])) for size in v.shape_ if size]
        )
        found[v.name] = (
            rng.integers(0, 3, a.shape) if v.name == "N" else with_properties(a, v.properties)
        )
    return found


def with_properties(a, properties):
    """An array as a variable with these properties has it."""
    forms = {
        "spd": lambda: a @ a.T + 3 * np.eye(len(a)),
        "symmetric": lambda: a + a.T,
        "diagonal": lambda: np.diag(np.diag(a)),
        "positive": lambda: np.abs(a) + 0.5,
    }
    return next((form() for name, form in forms.items() if name in properties), a)


def cut(rng, length, most=7):
    """Uneven blocks of a length."""
    blocks: list[int] = []
    while sum(blocks) < length:
        blocks.append(int(min(rng.integers(1, most + 1), length - sum(blocks))))
    return tuple(blocks)


def as_blocks(f, arrays, rng):
    """The arguments with rows as dask arrays, each with its own blocks, the other axis cut too."""
    out = dict(arrays)
    for v in f.parts.chunked:
        out[v.name] = da.from_array(
            arrays[v.name],
            chunks=tuple(cut(rng, n, 7 if n > 7 else 2) for n in arrays[v.name].shape),
        )
    return out


def roots(loss, wrt, shapes):
    """The function over blocks, and the one in memory."""
    if not wrt:
        program = as_program(loss, shapes)
        return (
            mc.Distributed((program.expr,), "m"),
            compile_expr((program.expr,), "numpy"),
            program.variables.values(),
        )
    d = mc.derive(loss, wrt, shapes=shapes)
    program = (d if isinstance(d, mc.Derivation) else next(iter(d.values()))).program
    return mc.distribute(d, rows="m"), d.compile("numpy", value=True), program.variables.values()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_numbers_are_those_in_memory(name, seed):
    f, in_memory, variables = roots(*LOSSES[name])
    arrays = random_arrays(variables, seed)
    wanted, found = in_memory(**arrays), f(**as_blocks(f, arrays, np.random.default_rng(seed)))
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(np.asarray(a), b, rtol=1e-10, atol=1e-10 * np.abs(b).max())


def test_what_has_rows_stays_in_blocks():
    f = mc.distribute("norm2(X*w - y)^2/m", ["w", "y", "X"], rows="m", shapes=REGRESSION)
    arrays = random_arrays([*f.parts.chunked, *f.parts.free])
    value, by_w, by_y, by_x = f(
        **(arrays | {n: da.from_array(arrays[n], chunks=(20, *arrays[n].shape[1:])) for n in "Xy"})
    )
    assert isinstance(value, float)
    assert isinstance(by_w, np.ndarray)
    assert by_y.chunks == ((20, 20, 13),)
    assert by_x.chunks == ((20, 20, 13), (4,))


def test_lazy_computes_nothing():
    def never(block_id=None):
        raise AssertionError("read")

    x = da.map_blocks(never, chunks=((5, 5), (2,)), dtype=float, meta=np.empty((0, 0)))
    value, gradient = mc.distribute("norm2(X*w)^2", "w", rows="m", shapes="X: m×n").lazy(
        X=x, w=np.ones(2)
    )
    assert (value.shape, gradient.shape) == ((), (2,))
    with pytest.raises(AssertionError, match="read"):
        value.compute()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=40).filter(any), st.integers(0, 2**32 - 1))
def test_any_blocks_give_the_same(blocks, seed):
    f, in_memory, variables = roots(*LOSSES["ridge logistic, mean"])
    arrays = random_arrays(variables, seed, LENGTHS | {"m": sum(blocks)})
    others = cut(np.random.default_rng(seed), sum(blocks))
    over = f(
        **(
            arrays
            | {
                "X": da.from_array(arrays["X"], chunks=(tuple(blocks), -1)),
                "y": da.from_array(arrays["y"], chunks=(others,)),
            }
        )
    )
    for a, b in zip(over, in_memory(**arrays), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_a_derivation_has_its_variable_and_shapes():
    d = mc.derive("norm2(X*w - y)^2", "w")
    for options in ({"wrt": "X"}, {"shapes": "X: m×n"}):
        with pytest.raises(mc.OptionProblem, match="a derivation has its variable"):
            mc.distribute(d, rows="m", **options)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(st.data())
def test_whatever_is_separated_is_the_sum_of_its_blocks(data):
    """Random expressions of the whole language: what is not refused by name has the value that
    it has in memory.
    """
    generator = Generator(lambda options: data.draw(st.sampled_from(list(options))), equal=False)
    program = as_program(generator.scalar(3), generator.shapes)
    try:
        f = mc.Distributed((program.expr,), "m")
    except mc.NotSeparable:
        reject()
    assume(f.parts.sums)
    arrays = random_arrays(program.variables.values(), 1, {"m": 7, "n": 3, "p": 2})
    in_memory, sizes = program.expr.compile(), {"m": 7, "n": 3, "p": 2}
    with np.errstate(all="ignore"):
        try:
            wanted, beside = (
                in_memory(**{n: a * k for n, a in arrays.items()}, **sizes) for k in (1, 1 + 1e-9)
            )
        except np.linalg.LinAlgError:
            reject()
        assume(np.isclose(wanted, beside, rtol=1e-6))  # a singular matrix has any logdet
        found = blockwise(f, arrays, [0, 2, 3, 7])
    np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-8)


def blockwise(f, arrays, cuts):
    """The value without dask: block by block, and the end."""
    sizes, totals = (
        {"n": 3, "p": 2},
        [np.zeros([sizes_of(a) for a in v.shape_ if a]) for v in f.parts.totals],
    )
    for start, stop in pairwise(cuts):
        own = {
            v.name: arrays[v.name][(slice(None),) * f.axis(v) + (slice(start, stop),)]
            for v in f.parts.chunked
        }
        sums = f.block(**arrays | sizes | own | {"m": stop - start, f.parts.count.name: 7.0})
        totals = [t + s for t, s in zip(totals, sums, strict=True)]
    ends = {v.name: t[()] for v, t in zip(f.parts.totals, totals, strict=True)}
    return f.finish(**arrays | sizes | ends | {f.parts.count.name: 7.0})[0]


def sizes_of(size):
    return int(np.prod([{"n": 3, "p": 2}.get(a, a) for a in size]))


# ---- one pass, nothing gathered ------------------------------------------------------------------


class Watch(Callback):
    """The size of what every task gives."""

    def __init__(self):
        super().__init__(posttask=self.note)
        self.sizes: Counter[Any] = Counter()

    def note(self, key, result, graph, state, worker):
        name = (key if isinstance(key, str) else key[0]).rsplit("-", 1)[0]
        arrays = result if isinstance(result, tuple) else (result,)
        self.sizes[name] = max(self.sizes[name], sum(getattr(a, "nbytes", 0) for a in arrays))


@pytest.mark.parametrize(
    "name",
    ["ridge logistic, mean", "softmax cross entropy", "two layers", "huber", "root of the sum"],
)
def test_every_block_is_read_once_and_no_task_gives_more_than_the_answer(name):
    f, _, variables = roots(*LOSSES[name])
    lengths, lock = LENGTHS | {"m": 40 * 50}, threading.Lock()
    reads: Counter[Any] = Counter()
    arrays = random_arrays(variables, 0, lengths)

    def read(which, rows=50, block_id=None):
        with lock:
            reads[which, block_id[0]] += 1
        return arrays[which][block_id[0] * rows : (block_id[0] + 1) * rows]

    blocks = {}
    for v in f.parts.chunked:
        chunks = ((50,) * 40, *((n,) for n in arrays[v.name].shape[1:]))
        blocks[v.name] = da.map_blocks(
            read, v.name, chunks=chunks, dtype=float, meta=np.empty((0,) * len(chunks))
        )
    with Watch() as watch:
        found = f(**(arrays | blocks))
    assert reads == {(v.name, i): 1 for v in f.parts.chunked for i in range(40)}
    answer = sum(np.asarray(a).nbytes for a in found)
    assert set(watch.sizes) >= {"block", "added"}
    assert max(watch.sizes.values()) <= answer
    assert answer < 50 * 8 * 4  # less than one block of the data


def test_reading_and_evaluating_a_block_are_one_task():
    x = da.map_blocks(
        lambda block_id=None: np.ones((5, 2)),
        chunks=((5,) * 40, (2,)),
        dtype=float,
        meta=np.empty((0, 0)),
    )
    y = da.map_blocks(
        lambda block_id=None: np.ones(5), chunks=((5,) * 40,), dtype=float, meta=np.empty(0)
    )
    value, gradient = mc.distribute("norm2(X*w - y)^2", "w", rows="m", shapes="X: m×n").lazy(
        X=x, y=y, w=np.ones(2)
    )
    graph = dask.optimize(value, gradient)[0].__dask_graph__()
    assert sum(str(key[0]).startswith("block-") for key in graph if isinstance(key, tuple)) == 40
    assert len(graph) < 55


# ---- optimizers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["L-BFGS-B", "trust-ncg"])
def test_an_optimizer_of_scipy_finds_the_optimum_of_memory(method):
    optimize = pytest.importorskip("scipy.optimize")
    loss, wrt, shapes = "sum(softplus(-y.*(X*w + d*ones(m))))/m + c/2*w'*w", ["w", "d"], REGRESSION
    f = mc.distribute(loss, wrt, rows="m", shapes=shapes)
    arrays = random_arrays([*f.parts.chunked, *f.parts.free])
    arrays |= {"y": np.sign(arrays["y"]), "c": 0.1}
    data = {n: arrays[n] for n in ("X", "y", "c")}
    g = f.value_and_grad(
        data
        | {"X": da.from_array(data["X"], chunks=(11, 2)), "y": da.from_array(data["y"], chunks=9)}
    )
    h = mc.value_and_grad(loss, wrt, data, shapes=shapes)
    how = {
        "method": method,
        "options": {"gtol": 1e-10} | ({"ftol": 0} if method == "L-BFGS-B" else {}),
    }
    over, within = (
        optimize.minimize(
            e, e.start, jac=True, hessp=e.hessp if method == "trust-ncg" else None, **how
        )
        for e in (g, h)
    )
    np.testing.assert_allclose(over.x, within.x, atol=1e-6)
    assert over.fun == pytest.approx(within.fun, rel=1e-12)
    np.testing.assert_allclose(g.hessp(g.start, over.x), h.hessp(h.start, over.x), rtol=1e-10)
    assert g.arrays(over.x)["w"].shape == (4,)


def test_an_optimizer_of_arrays_in_memory_gathers_nothing_silently():
    with pytest.raises(
        mc.MatcalcError,
        match=r"the data is a dask array — matcalc.distribute\(…\).value_and_grad leaves it where it",
    ):
        mc.minimize("norm2(X*w)^2", "w", {"X": da.ones((4, 2))})


def test_a_hessian_is_a_sum_too():
    loss, _, shapes = LOSSES["ridge logistic, mean"]
    d = mc.derive(loss, "w", shapes=shapes, order=2)
    f = mc.distribute(d, rows="m")
    arrays = random_arrays([*f.parts.chunked, *f.parts.free])
    value, hessian = f(
        **(arrays | {n: da.from_array(arrays[n], chunks=(20, *arrays[n].shape[1:])) for n in "Xy"})
    )
    np.testing.assert_allclose(value, d.expr.compile()(**arrays), rtol=1e-10)
    np.testing.assert_allclose(hessian, d.compile()(**arrays), rtol=1e-10)


def test_numba_in_the_blocks():
    pytest.importorskip("numba")
    loss, wrt, shapes = LOSSES["ridge logistic, mean"]
    f, (_, in_memory, variables) = (
        mc.distribute(loss, wrt, rows="m", shapes=shapes, target="numba"),
        roots(loss, wrt, shapes),
    )
    arrays = random_arrays(variables)
    found = f(
        **(arrays | {n: da.from_array(arrays[n], chunks=(20, *arrays[n].shape[1:])) for n in "Xy"})
    )
    for a, b in zip(found, in_memory(**arrays), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)


# ---- JAX -----------------------------------------------------------------------------------------

ON_EIGHT_DEVICES = """
import jax, numpy as np, matcalc as mc, test_distributed as t
jax.config.update("jax_enable_x64", True)
assert len(jax.devices()) == 8
mesh = jax.sharding.Mesh(np.array(jax.devices()).reshape(4, 2), ("hosts", "cards"))
for name, rows in (("ridge logistic, mean", 400), ("two layers", 403), ("a Gaussian", 5), ("matrix factorization, both", 64)):
    f, in_memory, variables = t.roots(*t.LOSSES[name])
    arrays = t.random_arrays(variables, 0, t.LENGTHS | {"m": rows})
    over = f.sharded(mesh)
    found = over(**arrays)
    loss, wrt, shapes = t.LOSSES[name]
    for a, b, c in zip(found, in_memory(**arrays), mc.derive(loss, wrt, shapes=shapes).compile("jax", value=True)(**arrays), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(a, c, rtol=1e-10, atol=1e-10)
        assert len(a.sharding.device_set) == 8
    if rows % 8 == 0:
        assert all(len(over.placed(v, arrays[v.name]).addressable_shards) == 8 for v in f.parts.chunked)
        chunked, free, sizes = f.sorted(arrays)
        placed = {v.name: over.placed(v, chunked[v.name]) for v in f.parts.chunked}
        text = over.run.lower(placed, {}, free, sizes=tuple((n, k) for n, k in sizes.items() if n != "m")).compile().as_text()
        assert "all-reduce" in text and "all-gather" not in text and "all-to-all" not in text
    print(name, "ok")
"""


@pytest.mark.needs("jax")
def test_eight_devices_of_jax_give_the_numbers_of_one():
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    path = os.pathsep.join(
        [*map(str, Path(__file__).parents[:2]), str(Path(mc.__file__).parent.parent)]
    )
    found = subprocess.run(
        [sys.executable, "-c", ON_EIGHT_DEVICES],
        env=os.environ | flags | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("ok") == 4


# ---- what is refused -----------------------------------------------------------------------------

REFUSED = {
    "logsumexp(X*w)": (
        "logsumexp(X*w) takes all samples together",
        "softmax_rows and logsumexp_rows take each row by itself",
    ),
    "y'*softmax(X*w)": ("softmax(X*w) mixes the samples", "each row by itself"),
    "y'*logsoftmax(X*w)": ("logsoftmax(X*w) mixes the samples", "each row by itself"),
    "amax(X*w)": ("amax(X*w) takes all samples together", "is no sum"),
    "logdet(X*X')": ("logdet(X*X') takes all samples together", "no axis of length m"),
    "det(X*X')": ("det(X*X') takes all samples together", "no axis of length m"),
    "y'*inv(X*X' + eye(m))*y": (
        "inv(X*X' + eye(m)) takes all samples together",
        "no axis of length m",
    ),
    "sum(kron(X, w))": ("kron(X, w) is m*n×n", "no axis of length m"),
    "norm2(vec(X))^2": ("vec(X) is n*m", "no axis of length m"),
    "sum(pinv(X)*y)": ("pinv(X) mixes the samples", "no axis of length m"),
    "norm2(cumsum(X)*w)^2": ("tril(ones(m, m))*X*w mixes the samples", "only a sum over m"),
    "var(X*w)": ("a sum over m, in every row", "that takes a second pass"),
    "norm2(X*X'*y)^2": ("X*X'*y mixes the samples", "only a sum over m"),
    "sum(exp(X*X'))": ("sum(exp(X*X')) takes all samples together", "only a sum over m"),
    "sum(softmax_rows(X')*y)": (
        "softmax_rows(X') mixes the samples",
        "must be the rows of its argument",
    ),
    "y'*A*y": ("y'*A*y takes all samples together", "only a sum over m"),
    "x'*w": ("no variable has an axis of length m", "w: n; x: n"),
}


@pytest.mark.parametrize("loss", REFUSED)
def test_what_is_no_sum_is_refused_by_name(loss):
    what, hint = REFUSED[loss]
    program = as_program(loss, "X: m×n; w: n; x: n; y: m; A: m×m")
    with pytest.raises(mc.NotSeparable) as refused:
        mc.distribute(
            program, [n for n in program.variables if n != "A"][:1], rows="m"
        ) if loss == "x'*w" else separate([program.expr], "m")
    text = str(refused.value)
    assert what in text
    assert hint in text
    assert "\n" not in text


def test_a_derivative_that_needs_a_second_pass_is_refused():
    with pytest.raises(mc.NotSeparable, match="in every row — that takes a second pass"):
        mc.distribute("norm2(X*w - y)", "y", rows="m", shapes=REGRESSION)
    with pytest.raises(mc.NotSeparable, match=r"pinv\(X\) mixes the samples"):
        mc.distribute("logdet(X'*X)", "X", rows="m", shapes=REGRESSION)


def test_arguments_that_do_not_fit_are_refused():
    f = mc.distribute("norm2(X*w - y)^2", "w", rows="m", shapes=REGRESSION)
    x, y, w = da.ones((10, 2), chunks=5), da.ones(10, chunks=3), np.ones(2)
    with pytest.raises(mc.MissingData, match="missing argument y — the function takes X, y, w"):
        f(X=x, w=w)
    with pytest.raises(mc.ShapeProblem, match=r"y has shape \(9,\) — y is m with m=10, n=2"):
        f(X=x, y=y[:9], w=w)
    with pytest.raises(mc.ShapeProblem, match=r"w has shape \(3,\) — w is n with m=10, n=2"):
        f(X=x, y=y, w=np.ones(3))
    with pytest.raises(mc.ShapeProblem, match="w is a dask array and has no axis of length m"):
        f(X=x, y=y, w=da.ones(2))
    with pytest.raises(
        mc.ShapeProblem,
        match=r"how many rows X has is not known — call its compute_chunk_sizes\(\) first",
    ):
        f(X=x[y > 0], y=y[y > 0], w=w)


@pytest.mark.parametrize(
    ("package", "module", "extra"),
    [("dask.array", "blocks", r"the extra matgrad\[distribute\]"), ("jax", "sharding", "jax")],
)
def test_a_missing_package_is_said_in_one_line(package, module, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"matcalc.{module}", raising=False)
    f = mc.distribute("norm2(X*w)^2", "w", rows="m", shapes="X: m×n")
    with pytest.raises(
        mc.MatcalcError,
        match=rf"needs the package {package[:4].rstrip('.')}, which is not installed here — install "
        rf"{extra}$",
    ):
        f.lazy(X=np.ones((2, 2)), w=np.ones(2)) if module == "blocks" else f.sharded(None)


def test_places_by_name_reach_the_blocks() -> None:
    da = pytest.importorskip("dask.array")
    X, y = np.random.default_rng(0).normal(size=(12, 4)), np.ones(12)
    f = mc.distribute("sum(X[:,j].^2.*y)*w[j]", "w", rows="m", shapes="X: m×n; y: m; w: n")
    value, gradient = f(
        X=da.from_array(X, chunks=(5, 4)), y=da.from_array(y, chunks=5), w=np.arange(4.0), j=3
    )
    np.testing.assert_allclose(
        [value, *gradient], [2 * X[:, 2] @ X[:, 2], 0, 0, X[:, 2] @ X[:, 2], 0]
    )
    for wrong in (0, 5, 1.5):
        with pytest.raises(mc.ShapeProblem, match="from 1 to 4"):
            f(X=da.from_array(X), y=da.from_array(y), w=np.ones(4), j=wrong)
    with pytest.raises(mc.NameProblem, match="j"):
        f(X=da.from_array(X), y=da.from_array(y), w=np.ones(4))
