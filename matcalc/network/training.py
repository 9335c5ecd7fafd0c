"""Training: batches in a reproducible order, history, early stop, and checkpoints that a killed
process continues from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..errors import MatcalcError, OptionProblem, ShapeProblem
from ..numeric.optimizers import FIRST_ORDER, Optimizer, optimizer
from ..numeric.runs import load_arrays, no_progress, progress_bar, save_arrays, scipy_optimize
from ..options import strict
from .layer import Layer, real
from .maps import Array


@dataclass
class Training:
    """The losses of steps and epochs, scores, and gradient norms of parameters by epoch."""

    steps: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    norms: dict[str, list[float]] = field(default_factory=dict)
    message: str = ""

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw the loss curve and the gradient norms into a picture; needs matplotlib."""
        from ..numeric.pictures import draw

        draw(
            path,
            {"loss": self.losses} | ({"score": self.scores} if self.scores else {}),
            "epoch",
            self.norms,
        )


class Trainable(Protocol):
    """A model that can be trained: named parameters with a loss and its gradients."""

    dtype: Any

    @property
    def loss(self) -> Layer: ...

    def layers(self) -> Iterator[Layer]: ...
    def parameters_by_name(self) -> dict[str, Array]: ...
    def gradients_by_name(self) -> dict[str, Array]: ...
    def value(self, x: Array, y: Array) -> float: ...
    def value_and_gradients(self, x: Array, y: Array) -> tuple[float, dict[str, Array]]: ...
    def load(self, parameters: Mapping[str, Array]) -> None: ...


@strict
def fit(
    network: Trainable,
    x: Array,
    y: Array,
    *,
    epochs: int = 10,
    batch: int = 32,
    optimizer: str | Optimizer = "adam",
    rate: float | None = None,
    shuffle: bool = True,
    seed: int = 0,
    score: Callable[[Any], float] | None = None,
    patience: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    every: int | None = None,
    progress: bool | None = None,
    callback: Callable[[int, float], None] | None = None,
) -> Training:
    """Train a network; returns the history.

    ``score`` measures the network after each epoch, and ``patience`` stops after so many epochs in
    which neither the score (or without one the loss) became better. A ``checkpoint`` file is
    written ``every`` so many steps (by default each epoch); if it exists, training goes on from it,
    and ends with the same parameters as a run that was never interrupted. With
    ``optimizer="L-BFGS"`` (or CG, BFGS) all samples are used in each of at most ``epochs`` steps.
    """
    if isinstance(optimizer, str) and optimizer.lower() not in FIRST_ORDER:
        return _full_batch(network, x, y, optimizer, epochs, progress)
    if len(x) != len(y):
        raise ShapeProblem(
            f"{len(x)} samples and {len(y)} targets", "there is one target for each sample"
        )
    loop = _Loop(
        network,
        real(x, network.dtype),
        np.asarray(y),
        batch,
        _made(optimizer, rate),
        shuffle,
        seed,
        checkpoint,
        every,
    )
    loop.resume()
    with progress_bar("train", epochs, progress) as show:
        for loss in loop.epochs(epochs):
            loop.finish_epoch(loss, score)
            show(
                loop.epoch,
                f"loss {loss:.4g}" + (f", score {loop.history.scores[-1]:.4f}" if score else ""),
            )
            if callback is not None:
                callback(loop.epoch, loss)
            if patience is not None and loop.stuck(patience):
                loop.history.message = f"no progress in {patience} epochs"
                break
    return loop.history


_made = optimizer


@dataclass
class _Loop:
    """The state of one training run."""

    network: Trainable
    x: Array
    y: Array
    batch: int
    step: Optimizer
    shuffle: bool
    seed: int
    checkpoint: str | os.PathLike[str] | None
    every: int | None
    epoch: int = 0
    position: int = 0
    history: Training = field(default_factory=Training)

    def epochs(self, count: int) -> Iterator[float]:
        """Run epoch by epoch; gives the mean loss of each."""
        per_epoch = -(-len(self.x) // self.batch)
        while self.epoch < count:
            order = self._order()
            for start in range(self.position, len(self.x), self.batch):
                self._step(order[start : start + self.batch])
                self.position = start + self.batch
                if self.every is not None and len(self.history.steps) % self.every == 0:
                    self.save()
            self.epoch, self.position = self.epoch + 1, 0
            yield float(np.mean(self.history.steps[-per_epoch:]))

    def _order(self) -> Array:
        """The order of the samples in this epoch: a function of the seed and the epoch alone."""
        return (
            np.random.default_rng([self.seed, self.epoch]).permutation(len(self.x))
            if self.shuffle
            else np.arange(len(self.x))
        )

    def _step(self, chosen: Array) -> None:
        value, gradients = self.network.value_and_gradients(self.x[chosen], self.y[chosen])
        if not np.isfinite(value):
            raise OptionProblem(
                f"the loss is {value} after {len(self.history.steps)} steps",
                "use a smaller rate, or scale the data",
            )
        self.history.steps.append(value)
        self.step.update(self.network.parameters_by_name(), gradients)

    def finish_epoch(self, loss: float, score: Callable[[Any], float] | None) -> None:
        self.history.losses.append(loss)
        for name, gradient in self.network.gradients_by_name().items():
            self.history.norms.setdefault(name, []).append(float(np.linalg.norm(gradient)))
        if score is not None:
            self.history.scores.append(score(self.network))
        self.save()

    def stuck(self, patience: int) -> bool:
        return no_progress(
            [-score for score in self.history.scores] or self.history.losses, patience
        )

    # checkpoints: parameters, the optimizer's memory, generators, position and history

    def save(self) -> None:
        if self.checkpoint is None:
            return
        plain = {
            "epoch": self.epoch,
            "position": self.position,
            "random": self._generators(),
            "history": vars(self.history),
            "task": self._task(),
        }
        arrays = {f"p:{n}": a for n, a in self.network.parameters_by_name().items()} | {
            f"o:{n}": a for n, a in self.step.state.items()
        }
        save_arrays(self.checkpoint, {"plain": np.array(json.dumps(plain)), **arrays})

    def resume(self) -> None:
        """Continue from the checkpoint if there is one.

        Raises MatcalcError if it belongs to another task.
        """
        if self.checkpoint is None or not Path(self.checkpoint).exists():
            return
        saved = load_arrays(self.checkpoint)
        plain = json.loads(str(saved.pop("plain")))
        if plain["task"] != self._task():
            raise MatcalcError(
                f"the checkpoint {self.checkpoint} belongs to another task",
                "remove it, or name another file",
            )
        self.network.load({n[2:]: a for n, a in saved.items() if n.startswith("p:")})
        self.step.state = {n[2:]: a for n, a in saved.items() if n.startswith("o:")}
        self.epoch, self.position, self.history = (
            plain["epoch"],
            plain["position"],
            Training(**plain["history"]),
        )
        for layer, state in zip(self._random_layers(), plain["random"], strict=True):
            layer.rng.bit_generator.state = state

    def _task(self) -> list[Any]:
        """The settings that must be the same for a checkpoint to fit."""
        layers = [layer.expression for layer in (*self.network.layers(), self.network.loss)]
        return [
            layers,
            type(self.step).__name__,
            self.step.rate,
            self.batch,
            self.seed,
            self.shuffle,
            list(self.x.shape),
        ]

    def _random_layers(self) -> list[Any]:
        return [layer for layer in self.network.layers() if hasattr(layer, "rng")]

    def _generators(self) -> list[Any]:
        return [layer.rng.bit_generator.state for layer in self._random_layers()]


def _full_batch(
    network: Trainable, x: Array, y: Array, method: str, steps: int, progress: bool | None
) -> Training:
    """Train with a method of SciPy on all samples."""
    from ..numeric.minimize import CURVED, SCIPY
    from ..numeric.objective import joined, parted

    key = method.lower()
    if key not in SCIPY or key in CURVED:
        raise OptionProblem(
            f"{method[:40]} does not train networks",
            f"there are {', '.join([*FIRST_ORDER, *(m for m in SCIPY if m not in CURVED)])}",
        )
    network.value(real(x, network.dtype), y)
    parameters, history = network.parameters_by_name(), Training()

    def put(flat: Array) -> None:
        for name, part in parted(flat, parameters).items():
            parameters[name][...] = part

    def evaluate(flat: Array) -> tuple[float, Array]:
        put(flat)
        value, gradients = network.value_and_gradients(x, y)
        history.steps.append(value)
        return value, joined(gradients[n] for n in parameters).astype(float)

    with progress_bar(f"train, {method}", steps, progress) as show:

        def record(*_: Any) -> None:
            history.losses.append(history.steps[-1])
            show(len(history.losses), f"loss {history.losses[-1]:.4g}")

        start = joined(parameters.values()).astype(float)
        found = scipy_optimize().minimize(
            evaluate,
            start,
            jac=True,
            method=SCIPY[key],
            callback=record,
            options={"maxiter": steps},
        )
    put(found.x)
    history.message = str(found.message)
    return history
