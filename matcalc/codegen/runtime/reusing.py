"""Functions that write to given arrays, for code that keeps its arrays from call to call."""

from __future__ import annotations

from typing import Any

import numpy as np

from .numpy import aligned
from .types import Array

rooms: dict[Any, list[Array]] = {}


def room(types: tuple[Any, ...], *shapes: tuple[int, ...]) -> list[Array]:
    """The arrays of the last call with these types and shapes."""
    places = rooms.get((types, shapes))
    if places is None:
        dtype = np.result_type(*types, np.float16)
        places = rooms[types, shapes] = [aligned(shape, dtype) for shape in shapes]
        if len(rooms) > 8:
            del rooms[next(iter(rooms))]
    return places


def softplus(x: Array, out: Array = None) -> Array:
    """log(1 + exp(x)), where exp(x) may overflow."""
    if out is None:
        return np.logaddexp(0, x)
    np.abs(x, out=out)
    np.negative(out, out=out)
    np.exp(out, out=out)
    np.log1p(out, out=out)
    return np.add(out, x, out=out, where=x > 0)


def softmax(x: Array, out: Array) -> Array:
    """softmax of a vector or of each row."""
    np.subtract(x, x.max(-1, keepdims=True), out=out)
    np.exp(out, out=out)
    out /= out.sum(-1, keepdims=True)
    return out


def logsumexp(x: Array, room: Array = None) -> Array:
    """logsumexp of a vector or of each row."""
    top = x.max(-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    room = np.empty_like(x) if room is None else room
    np.subtract(x, top, out=room)
    np.exp(room, out=room)
    return top[..., 0] + np.log(room.sum(-1))


def logsumexp_rows(x: Array) -> Array:
    """logsumexp of a single row, whose value has no place."""
    return logsumexp(x)


def softmax_logsumexp(x: Array, out: Array) -> Array:
    """softmax and logsumexp of a vector or of each row, of the same exponentials."""
    top = x.max(-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    np.subtract(x, top, out=out)
    np.exp(out, out=out)
    total = out.sum(-1, keepdims=True)
    out /= total
    return out, (top + np.log(total))[..., 0]
