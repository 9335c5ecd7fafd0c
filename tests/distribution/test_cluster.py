"""A loss over more data than the workers have memory, on real worker processes, one of which is
killed in the middle of a pass; JAX on two processes.

    python -m pytest -m cluster                                      about half a gigabyte
    MATCALC_CLUSTER=full python -m pytest -m cluster -s    above four gigabytes, with a transcript
"""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import matcalc as mc

pytestmark = pytest.mark.cluster
da = pytest.importorskip("dask.array")
optimize = pytest.importorskip("scipy.optimize")
psutil = pytest.importorskip("psutil")
# distributed is imported in the test alone: it changes how every exception of the process is
# pickled

LOSS, SHAPES = "sum(softplus(-y.*(X*w)))/m + c/2*w'*w", "X: m×n; y: m; w: n; c: scalar"
HOW = {"jac": True, "method": "L-BFGS-B", "options": {"gtol": 1e-9, "ftol": 0.0}}
C = 1e-3


@dataclass(frozen=True)
class Size:
    blocks: int
    rows: int  # of a block
    features: int
    memory: int  # of a worker, in bytes
    sample: int  # blocks that fit into the memory of one process
    # the scale of the last feature, that of the first being 1: the smaller, the more iterations
    least: float

    @property
    def bytes(self):
        return self.blocks * self.rows * self.features * 8


SIZE = (
    Size(84, 65_536, 100, 1_500_000_000, 8, 0.2)
    if os.environ.get("MATCALC_CLUSTER") == "full"
    else Size(22, 60_000, 50, 250_000_000, 4, 1.0)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The data, made block by block; removed at the end."""
    folder = tmp_path_factory.mktemp("rows")
    start, truth = (
        time.monotonic(),
        np.random.default_rng(0).normal(size=SIZE.features) / np.sqrt(SIZE.features),
    )
    scales = np.geomspace(1, SIZE.least, SIZE.features)
    for i in range(SIZE.blocks):
        rng = np.random.default_rng([1, i])
        x = scales * rng.normal(size=(SIZE.rows, SIZE.features))
        np.save(folder / f"X-{i}.npy", x)
        np.save(
            folder / f"y-{i}.npy",
            np.where(rng.random(SIZE.rows) < 1 / (1 + np.exp(-x @ truth)), 1.0, -1.0),
        )
    on_disk = sum(p.stat().st_size for p in folder.iterdir())
    print(
        f"\ndata: {SIZE.blocks * SIZE.rows:,} rows × {SIZE.features}, {on_disk / 1e9:.2f} GB in "
        f"{SIZE.blocks} blocks",
        end="",
    )
    print(
        f" of {SIZE.bytes / SIZE.blocks / 1e6:.0f} MB, written in {time.monotonic() - start:.0f} s"
    )
    yield folder
    for path in folder.iterdir():
        path.unlink()


def read(folder, name, block_id=None):
    return np.load(f"{folder}/{name}-{block_id[0]}.npy")


def data(folder, blocks):
    """The blocks on disk as dask arrays; a task reads one."""
    rows = ((SIZE.rows,) * blocks,)
    x = da.map_blocks(
        read, str(folder), "X", chunks=(*rows, (SIZE.features,)), dtype=float, meta=np.empty((0, 0))
    )
    return {
        "X": x,
        "y": da.map_blocks(read, str(folder), "y", chunks=rows, dtype=float, meta=np.empty(0)),
        "c": C,
    }


class Passes:
    """Counts the blocks that are evaluated in each pass, and kills the worker that has just
    finished one in the middle of a pass.
    """

    def __init__(self, f):
        self.f, self.seconds, self.blocks, self.traffic = f, [], [], []
        self.pids, self.kill_in, self.killed = {}, None, ""

    def __call__(self, x):
        self.blocks.append(0)
        start, before = time.monotonic(), psutil.net_io_counters(pernic=True)["lo"].bytes_sent
        found = self.f(x)
        self.seconds.append(time.monotonic() - start)
        self.traffic.append(psutil.net_io_counters(pernic=True)["lo"].bytes_sent - before)
        return found

    def transition(self, key, start, finish, *args, worker=None, **more):
        if finish != "memory" or not str(key[0]).startswith("block-"):
            return
        self.blocks[-1] += 1
        if (
            len(self.blocks) == self.kill_in
            and self.blocks[-1] == SIZE.blocks // 3
            and not self.killed
        ):
            os.kill(self.pids[worker], signal.SIGKILL)
            self.killed = (
                f"process {self.pids[worker]} by SIGKILL in pass {self.kill_in}, after "
                f"{self.blocks[-1]} of {SIZE.blocks} blocks"
            )


def peak():
    """The most memory that this process has had, in bytes."""
    return 1024 * int(
        next(
            line.split()[1]
            for line in Path("/proc/self/status").read_text().splitlines()
            if line.startswith("VmHWM")
        )
    )


def minimized(client, g, kill_in=None):
    """The optimum, and what its passes were like."""
    from distributed.diagnostics.plugin import SchedulerPlugin

    passes, listener = Passes(g), SchedulerPlugin()
    passes.pids, passes.kill_in = client.run(os.getpid), kill_in
    setattr(listener, "transition", passes.transition)  # noqa: B010 (a method, for mypy)
    client.cluster.scheduler.add_plugin(listener, name="passes")
    try:
        start = time.monotonic()
        found = optimize.minimize(passes, np.zeros(SIZE.features), **HOW)
    finally:
        client.cluster.scheduler.remove_plugin("passes")
    print(
        f"L-BFGS: {found.nit} iterations, {len(passes.seconds)} passes, "
        f"{time.monotonic() - start:.0f} s;",
        end=" ",
    )
    print(
        f"a pass: {np.median(passes.seconds):.2f} s "
        f"({SIZE.bytes / np.median(passes.seconds) / 1e9:.2f} GB/s),",
        end=" ",
    )
    print(
        f"{np.median(passes.traffic) / 1e3:.0f} kB on the network; |gradient| ≤ "
        f"{np.abs(found.jac).max():.1e}"
    )
    return found, passes


def test_more_data_than_memory_and_a_worker_that_is_killed(folder):
    distributed = pytest.importorskip("distributed")
    assert 2 * SIZE.memory < SIZE.bytes
    f = mc.distribute(LOSS, "w", rows="m", shapes=SHAPES)
    g = f.value_and_grad(data(folder, SIZE.blocks), {"w": np.zeros(SIZE.features)})
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            memory_limit=SIZE.memory,
            dashboard_address=None,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        print(
            f"2 worker processes of {SIZE.memory / 1e9:.2f} GB each; "
            f"{mc.derive(LOSS, 'w', shapes=SHAPES).gradient}"
        )
        found, passes = minimized(client, g)
        assert passes.blocks == [SIZE.blocks] * len(passes.seconds)  # every block once a pass
        assert np.median(passes.traffic) < SIZE.bytes / 100
        before = client.run(peak)
        again, disturbed = minimized(client, g, kill_in=3)
        peaks = [*before.values(), *client.run(peak).values()]
        print(
            f"killed: {disturbed.killed}; the pass took {disturbed.seconds[2]:.2f} s and "
            f"{disturbed.blocks[2]} blocks"
        )
        print(f"memory of a worker at its peak: {max(peaks) / 1e6:.0f} MB")
        assert disturbed.killed
        assert disturbed.blocks[2] > SIZE.blocks
        assert set(client.run(os.getpid).values()) != set(passes.pids.values())
        # the tree adds in the same order, whoever does it
        np.testing.assert_array_equal(again.x, found.x)
        assert (again.nit, again.fun) == (found.nit, found.fun)
        assert max(peaks) < SIZE.memory
        compare_with_memory(folder, f)
    check_by_hand(folder, found.x)


def compare_with_memory(folder, f):
    """A sample of the blocks over the cluster and in one process: the same optimum."""
    over = optimize.minimize(
        f.value_and_grad(data(folder, SIZE.sample)), np.zeros(SIZE.features), **HOW
    )
    arrays = {
        n: np.concatenate([np.load(folder / f"{n}-{i}.npy") for i in range(SIZE.sample)])
        for n in "Xy"
    }
    within = optimize.minimize(
        mc.value_and_grad(LOSS, "w", arrays | {"c": C}, shapes=SHAPES),
        np.zeros(SIZE.features),
        **HOW,
    )
    print(
        f"{SIZE.sample} blocks, cluster against memory: |Δw| ≤ "
        f"{np.abs(over.x - within.x).max():.1e}, Δvalue {abs(over.fun - within.fun):.1e}"
    )
    np.testing.assert_allclose(over.x, within.x, atol=1e-7)
    assert over.fun == pytest.approx(within.fun, rel=1e-12)


def check_by_hand(folder, w):
    """The gradient at the optimum of all blocks, by formulas written by hand."""
    total = np.zeros(SIZE.features)
    for i in range(SIZE.blocks):
        x, y = (np.load(folder / f"{n}-{i}.npy") for n in "Xy")
        total -= x.T @ (y / (1 + np.exp(y * (x @ w))))
    gradient = total / (SIZE.blocks * SIZE.rows) + C * w
    print(f"gradient at the optimum of all blocks, by hand: ≤ {np.abs(gradient).max():.1e}")
    assert np.abs(gradient).max() < 1e-7


# ---- JAX on several hosts ------------------------------------------------------------------------

HOST = """
import os, sys
import numpy as np
rank, port = int(sys.argv[1]), sys.argv[2]
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
import jax
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.distributed.initialize("127.0.0.1:" + port, num_processes=2, process_id=rank)
from jax.sharding import NamedSharding, PartitionSpec
import matcalc as mc
X, y, w = np.load(sys.argv[3]).values()
here = slice(rank*len(X)//2, (rank + 1)*len(X)//2)  # the rows of this host
mesh = jax.make_mesh((jax.device_count(),), ("rows",))
over_rows = NamedSharding(mesh, PartitionSpec("rows"))
parts = {name: jax.make_array_from_process_local_data(over_rows, a[here]) for name, a in (("X", X), ("y", y))}
f = mc.distribute(sys.argv[4], "w", rows="m", shapes=sys.argv[5]).sharded(mesh)
value, gradient = f(w=w, c=0.1, **parts)
assert jax.process_count() == 2 and jax.device_count() == 4
np.savez(f"{sys.argv[3]}.{rank}.npz", value=value, gradient=gradient)
"""


@pytest.mark.needs("jax")
def test_jax_on_two_processes_of_two_devices(tmp_path):
    rng = np.random.default_rng(0)
    X, y, w = rng.normal(size=(4000, 7)), rng.choice([-1.0, 1.0], 4000), rng.normal(size=7)
    data = tmp_path / "data.npz"
    np.savez(data, X=X, y=y, w=w)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "JAX_PLATFORMS": "cpu"}
    run = [sys.executable, "-c", HOST]
    hosts = [
        subprocess.Popen([*run, str(rank), port, str(data), LOSS, SHAPES], env=environment)
        for rank in range(2)
    ]
    assert [host.wait(timeout=300) for host in hosts] == [0, 0]
    z = -y * (X @ w)
    for rank in range(2):
        found = np.load(f"{data}.{rank}.npz")
        assert found["value"] == pytest.approx(np.logaddexp(0, z).mean() + 0.05 * w @ w, rel=1e-12)
        np.testing.assert_allclose(
            found["gradient"], -X.T @ (y / (1 + np.exp(-z))) / len(X) + 0.1 * w, rtol=1e-10
        )
