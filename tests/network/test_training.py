"""Training: reproducible, interruptible, and good on real data."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import matcalc as mc

WORK = """
import sys, numpy as np, matcalc as mc
rng = np.random.default_rng(0)
x, y = rng.normal(size=(60, 6)), rng.integers(0, 3, 60)
net = mc.Network([mc.FullyConnected(6, 8), mc.Tanh(), mc.Dropout(0.2), mc.FullyConnected(8, 3)], seed=1)
slow = (lambda *_: __import__("time").sleep(0.02)) if len(sys.argv) > 2 else None
net.fit(x, y, epochs=40, batch=7, optimizer=mc.Adam(0.01), checkpoint=sys.argv[1], every=3, callback=slow)
np.savez(sys.argv[1] + ".done", **net.parameters_by_name())
"""


def weights(path):
    with np.load(path) as file:
        return {n: file[n] for n in file.files}


def test_a_killed_run_ends_with_the_same_weights(tmp_path):
    whole, killed = tmp_path / "whole.npz", tmp_path / "killed.npz"
    subprocess.run([sys.executable, "-c", WORK, whole], check=True)
    kills = 0
    for wait in (0.05, 0.2, 0.35):
        killed.unlink(missing_ok=True) if not kills else None
        process = subprocess.Popen([sys.executable, "-c", WORK, killed, "slow"])
        while not killed.exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    assert kills >= 2
    subprocess.run([sys.executable, "-c", WORK, killed], check=True)
    a, b = weights(f"{whole}.done.npz"), weights(f"{killed}.done.npz")
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


def small():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 5))
    return x, (x[:, 0] + x[:, 1] > 0).astype(int)


def test_a_checkpoint_of_another_task_is_refused(tmp_path):
    x, y = small()
    mc.Network("5-4-2").fit(x, y, epochs=1, checkpoint=tmp_path / "c.npz")
    with pytest.raises(mc.MatcalcError, match="belongs to another task"):
        mc.Network("5-3-3-2").fit(x, y, epochs=2, checkpoint=tmp_path / "c.npz")
    with pytest.raises(mc.MatcalcError, match="belongs to another task"):
        mc.Network("5-4-2").fit(x, y, epochs=2, batch=16, checkpoint=tmp_path / "c.npz")


def test_a_checkpoint_is_complete_or_untouched(tmp_path, monkeypatch):
    from matcalc.numeric.runs import load_arrays, save_arrays

    save_arrays(tmp_path / "c.npz", {"a": np.ones(3)})

    def fails(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="disk full"):
        save_arrays(tmp_path / "c.npz", {"a": np.zeros(3)})
    np.testing.assert_array_equal(load_arrays(tmp_path / "c.npz")["a"], np.ones(3))


def test_history_and_early_stop():
    x, y = small()
    net = mc.Network("5-4-2")
    run = net.fit(x, y, epochs=500, rate=0.05, score=lambda n: n.accuracy(x, y), patience=5)
    assert len(run.losses) == len(run.scores) < 500 and run.message == "no progress in 5 epochs"
    assert run.losses[-1] < run.losses[0] / 2
    assert set(run.norms) == {"1.W", "1.b", "3.W", "3.b"} and len(run.norms["1.W"]) == len(
        run.losses
    )


def test_training_is_reproducible():
    x, y = small()
    first, second = (
        mc.Network([mc.FullyConnected(5, 4), mc.ReLU(), mc.Dropout(0.5), mc.FullyConnected(4, 2)])
        for _ in range(2)
    )
    first.fit(x, y, epochs=3)
    second.fit(x, y, epochs=3)
    np.testing.assert_array_equal(first.predict(x), second.predict(x))


@pytest.mark.parametrize(
    "optimizer", ["gradient-descent", "sgd", "momentum", "adam", "L-BFGS", "CG"]
)
def test_every_optimizer_trains(optimizer):
    pytest.importorskip("scipy") if optimizer in ("L-BFGS", "CG") else None
    x, y = small()
    net = mc.Network("5-8-2", activation="tanh")
    run = net.fit(
        x,
        y,
        epochs=60,
        optimizer=optimizer,
        rate=0.5 if optimizer in ("gradient-descent", "sgd") else 0.05,
    )
    assert net.accuracy(x, y) >= 0.97
    assert run.losses[-1] < run.losses[0]


def test_unknown_optimizers_are_said():
    x, y = small()
    with pytest.raises(mc.MatcalcError, match="does not train networks"):
        mc.Network("5-2").fit(x, y, optimizer="newton")
    with pytest.raises(mc.OptionProblem, match="did you mean adam"):
        from matcalc.numeric.optimizers import optimizer

        optimizer("adamm")


def test_l2_is_in_the_value_and_in_the_gradient():
    x, y = small()
    plain, heavy = mc.Network("5-4-2", seed=3), mc.Network("5-4-2", seed=3, l2=0.1)
    (v, g), (w, h) = (net.value_and_gradients(x, y) for net in (plain, heavy))
    p = plain.parameters_by_name()
    np.testing.assert_allclose(w - v, 0.05 * sum((p[n] ** 2).sum() for n in ("1.W", "3.W")))
    np.testing.assert_allclose(h["1.W"] - g["1.W"], 0.1 * p["1.W"])
    np.testing.assert_allclose(h["1.b"], g["1.b"])
    np.testing.assert_allclose(heavy.value(x, y), w)


def test_single_precision_stays_single():
    x, y = small()
    net = mc.Network(
        [mc.FullyConnected(5, 6), mc.LayerNorm(6), mc.Softplus(), mc.FullyConnected(6, 2)],
        dtype=np.float32,
        l2=0.01,
    )
    net.fit(x, y, epochs=2)
    _, gradients = net.value_and_gradients(x, y)
    assert {a.dtype for a in (*net.parameters_by_name().values(), *gradients.values())} == {
        np.dtype(np.float32)
    }


def test_pictures(tmp_path):
    pytest.importorskip("matplotlib")
    x, y = small()
    mc.Network("5-4-2").fit(x, y, epochs=3).plot(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_progress_is_silent_in_a_pipe(capfd):
    x, y = small()
    mc.Network("5-4-2").fit(x, y, epochs=2)
    assert capfd.readouterr() == ("", "")


def test_a_network_of_layers_prints_its_formulas():
    shown = str(mc.Network([mc.Conv2d(1, 2), mc.Flatten(), mc.FullyConnected(8, 2)]))
    assert "∂J/∂K = P'*G" in shown and "P = Im2col of the input" in shown and "loss: " in shown
    assert mc.Network([mc.Conv2d(1, 2)]).verified
    with pytest.raises(mc.NameProblem, match="no parameter"):
        mc.Network("5-2").load({"9.W": np.ones((2, 5))})


# ---- real data -----------------------------------------------------------------------------------


def digits(images=False):
    datasets = pytest.importorskip("sklearn.datasets")
    from sklearn.model_selection import train_test_split

    x, y = datasets.load_digits(return_X_y=True)
    x = (x / 16).reshape(-1, 8, 8, 1) if images else x / 16
    return train_test_split(x, y, test_size=0.3, random_state=0, stratify=y)


def test_digits_with_a_dense_network():
    train, test, a, b = digits()
    net = mc.Network("64-128-64-10", seed=1)
    net.fit(train, a, epochs=30, rate=0.002)
    assert net.accuracy(test, b) >= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_digits_with_a_convolutional_network(seed):
    train, test, a, b = digits(images=True)
    net = mc.Network(
        [
            mc.Conv2d(1, 16, 3, padding=1, seed=seed),
            mc.ReLU(),
            mc.Conv2d(16, 16, 3, padding=1, seed=seed + 9),
            mc.ReLU(),
            mc.MaxPool(2),
            mc.Flatten(),
            mc.Dropout(0.4, seed=seed),
            mc.FullyConnected(256, 10, seed=3),
        ],
        dtype=np.float32,
    )
    net.fit(train, a, epochs=15, rate=0.002, seed=seed)
    net.fit(train, a, epochs=30, rate=0.0005, seed=seed + 1)
    assert net.accuracy(test, b) >= 0.985


EXAMPLES = sorted((Path(__file__).parents[2] / "docs" / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
@pytest.mark.parametrize("size", ["small", pytest.param("full", marks=pytest.mark.slow)])
def test_examples(path, size, tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("scipy")
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, path, *(["--small"] if size == "small" else [])]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout
