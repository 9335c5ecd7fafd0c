"""Pictures of a training run.

Matplotlib is an extra and is imported when a picture is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from ..errors import Unsupported


def draw(
    path: str | os.PathLike[str],
    curves: Mapping[str, Sequence[float]],
    unit: str,
    norms: Mapping[str, Sequence[float]] | None = None,
) -> None:
    """Draw each curve in a panel of its own, and the gradient norms of all parameters in one
    more.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise Unsupported("pictures need matplotlib", "pip install matplotlib") from None
    panels = [(name, {"": values}) for name, values in curves.items()] + (
        [("norm of the gradient", dict(norms))] if norms else []
    )
    figure = Figure(figsize=(5 * len(panels), 4), layout="constrained")
    for (title, lines), axes in zip(
        panels, figure.subplots(1, len(panels), squeeze=False)[0], strict=True
    ):
        for name, values in lines.items():
            axes.plot(range(1, len(values) + 1), values, label=name)
        axes.set(
            title=title,
            xlabel=unit,
            yscale="log"
            if all(v > 0 for values in lines.values() for v in values) and title != "score"
            else "linear",
        )
        if len(lines) > 1:
            axes.legend()
    figure.savefig(path)
