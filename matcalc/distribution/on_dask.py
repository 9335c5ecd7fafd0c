"""The dask graph of a distributed function: one task for each block of rows, and a tree that
adds up what they give.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.delayed import Delayed, delayed
from dask.highlevelgraph import HighLevelGraph

from ..codegen.arrays import to_numpy
from ..codegen.compiled import Compiled, defined
from .blocks import Blocks

Array = Any
Sums = tuple[Array, ...]
WIDTH = 16  # partial sums that one task of the tree adds up


@dataclass(frozen=True)
class Code:
    """A compiled function as it travels to a worker: its source, which is compiled once in each
    process.
    """

    text: str
    name: str
    parameters: tuple[str, ...]

    @staticmethod
    def of(f: Compiled) -> Code:
        return Code(f.source, f.raw.__name__, f.parameters)

    def __call__(self, arrays: Mapping[str, Array]) -> Sums:
        found: Sums = _loaded(self)(*(arrays[n] for n in self.parameters))
        return found


@cache
def _loaded(code: Code) -> Any:
    return defined(code.text, code.name, {})


@dataclass(frozen=True)
class Block:
    """A function of the rows of one block; ``axis`` is that of the rows in the first array."""

    code: Code
    names: tuple[str, ...]
    rows: str
    axis: int

    def __call__(self, free: Mapping[str, Array], *chunks: Any) -> Sums:
        arrays = {n: to_numpy(_only(chunk)) for n, chunk in zip(self.names, chunks, strict=True)}
        sums = self.code({**free, **arrays, self.rows: arrays[self.names[0]].shape[self.axis]})
        return tuple(np.asarray(s, dtype=np.result_type(s, np.float64)) for s in sums)

    def single(self, free: Mapping[str, Array], *chunks: Any) -> Array:
        """The only result."""
        return self(free, *chunks)[0]


def _only(chunk: Any) -> Array:
    """dask gives the blocks along an axis that is not kept as a list; here there is one."""
    while isinstance(chunk, list):
        (chunk,) = chunk
    return chunk


def added(parts: Sequence[Sums]) -> Sums:
    """Partial sums, added up."""
    return tuple(reduce(np.add, same) for same in zip(*parts, strict=True))


@dataclass(frozen=True)
class Finish:
    """The results from the sums."""

    code: Code
    totals: tuple[str, ...]

    def __call__(self, totals: Sums, free: Mapping[str, Array]) -> Sums:
        return self.code({**free, **dict(zip(self.totals, (t[()] for t in totals), strict=True))})


def lazily(
    f: Blocks, chunked: Mapping[str, Any], free: Mapping[str, Any], sizes: Mapping[str, int]
) -> tuple[Any, ...]:
    """The results as dask arrays."""
    chunked, token = _aligned(f, chunked), tokenize(f.parts, f.target, chunked, free)
    known = {n: k for n, k in sizes.items() if n != f.rows} | dict(free)
    given = delayed(known, traverse=False, name=f"given-{token}")
    found = {i: _for_each_row(f, i, chunked, given, sizes, token) for i in f.parts.rows}
    finish = Finish(Code.of(f.finish), tuple(v.name for v in f.parts.totals))
    results = delayed(finish, pure=True)(
        _summed(f, chunked, given, token), given, dask_key_name=f"finish-{token}"
    )
    for place, i in enumerate(f.parts.after):
        found[i] = da.from_delayed(results[place], f.shape(i, sizes), dtype=float)
    return tuple(found[i] for i in range(len(f.roots)))


def _aligned(f: Blocks, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays with the same blocks of rows, and whole along every other axis."""
    flat: list[Any] = []
    for v in f.parts.chunked:
        array, axis = da.asarray(arrays[v.name]), f.axis(v)
        flat += (
            array.rechunk({k: -1 for k in range(array.ndim) if k != axis}),
            _indices(v.name, array.ndim, axis),
        )
    aligned = da.core.unify_chunks(*flat, warn=False)[1]
    return {v.name: array for v, array in zip(f.parts.chunked, aligned, strict=True)}


def _indices(name: str, ndim: int, axis: int) -> tuple[str, ...]:
    """A name for each axis; the rows' is the same for all arrays."""
    return tuple("rows" if k == axis else f"{name} {k}" for k in range(ndim))


def _blockwise(
    f: Blocks, code: Compiled, arrays: Mapping[str, Any], given: Delayed
) -> tuple[Block, list[Any]]:
    """The function of a block, and what dask's blockwise gives it: only the arrays that it uses,
    or one that shows the rows.
    """
    used = [v for v in f.parts.chunked if v.name in code.parameters] or list(f.parts.chunked[:1])
    block = Block(Code.of(code), tuple(v.name for v in used), f.rows, f.axis(used[0]))
    pairs = ((arrays[v.name], _indices(v.name, arrays[v.name].ndim, f.axis(v))) for v in used)
    return block, [given, None, *(item for pair in pairs for item in pair)]


def _summed(f: Blocks, arrays: Mapping[str, Any], given: Delayed, token: str) -> Any:
    """The sums over all rows: a task for each block, and a tree."""
    if not f.parts.sums:
        return ()
    block, operands = _blockwise(f, f.block, arrays, given)
    name = f"added-{token}"
    # so that no block comes as a list
    kept = tuple(
        dict.fromkeys(("rows", *(index for indices in operands[3::2] for index in indices)))
    )
    parts = da.blockwise(
        block,
        kept,
        *operands,
        dtype=object,
        meta=np.empty((0,) * len(kept), object),
        name=f"block-{token}",
    )
    keys = [(parts.name, i, *(0,) * (len(kept) - 1)) for i in range(parts.npartitions)]
    tree = _tree(keys, name)
    graph = HighLevelGraph.from_collections(name, tree, dependencies=[parts])
    return Delayed(name, graph)


def _tree(keys: Iterable[Any], name: str) -> dict[Any, Any]:
    """Tasks that add up a few partial sums each, until one is left, whose key is the name."""
    left, tree = list(keys), dict[Any, Any]()
    level = 0
    while len(left) > WIDTH:
        groups = [left[i : i + WIDTH] for i in range(0, len(left), WIDTH)]
        left = [(name, level, i) for i in range(len(groups))]
        tree |= dict(zip(left, ((added, group) for group in groups), strict=True))
        level += 1
    return tree | {name: (added, left)}


def _for_each_row(
    f: Blocks,
    i: int,
    arrays: Mapping[str, Any],
    given: Delayed,
    sizes: Mapping[str, int],
    token: str,
) -> Any:
    """A result that each block has for its own rows."""
    block, operands = _blockwise(f, f.row_functions[i], arrays, given)
    axis = next(
        k for k, size in enumerate(s for s in f.parts.rows[i].shape_ if s) if f.rows in size
    )
    shape = f.shape(i, sizes)
    out = _indices("result", len(shape), axis)
    new = {index: n for index, n in zip(out, shape, strict=True) if index != "rows"}
    return da.blockwise(
        block.single,
        out,
        *operands,
        dtype=float,
        new_axes=new,
        meta=np.empty((0,) * len(shape)),
        name=f"rows-{i}-{token}",
    )
