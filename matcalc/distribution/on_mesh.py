"""A distributed function on the devices of a JAX mesh: each runs the block function on its rows,
one all-reduce adds up.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ..codegen import compile_expr
from ..errors import ShapeProblem
from ..expr import Expr
from .blocks import Blocks

Array = Any
Arrays = Mapping[str, Array]
Sizes = tuple[tuple[str, int], ...]


class Sharded:
    """The value and the derivatives as a function of arrays by keyword.

    Those with rows are placed by rows over all axes of the mesh.

    Rows that are left over where they do not divide over the devices are evaluated where the sums
    end.
    """

    def __init__(self, f: Blocks, mesh: Mesh) -> None:
        self._f, self.mesh = f, mesh
        self._block = compile_expr((*f.parts.sums, *f.parts.rows.values()), "jax", "block")
        self._finish = compile_expr(tuple(f.parts.after.values()), "jax", "finish")
        self.run = jax.jit(self._evaluated, static_argnames="sizes")

    def __call__(self, /, **arguments: Any) -> tuple[Array, ...]:
        """The value and the derivatives.

        What has a row for each row of the data stays on its devices.
        """
        chunked, free, sizes = self._f.sorted(arguments)
        parts, rows = self._f.parts, sizes[self._f.rows]
        even = rows - rows % self.mesh.size
        if even < rows and parts.rows:
            raise ShapeProblem(
                f"{rows} rows over {self.mesh.size} devices, and a result has them too",
                "their number must divide",
            )
        placed = {
            v.name: self.placed(v, _cut(chunked[v.name], slice(even), self._f.axis(v)))
            for v in parts.chunked
        }
        left = (
            {
                v.name: _cut(chunked[v.name], slice(even, None), self._f.axis(v))
                for v in parts.chunked
            }
            if even < rows
            else {}
        )
        found: tuple[Array, ...] = self.run(
            placed, left, free, sizes=tuple((n, k) for n, k in sizes.items() if n != self._f.rows)
        )
        return found

    def placed(self, v: Expr, array: Array) -> Array:
        """An argument with its rows over the devices; one that lies so already is not moved."""
        return jax.device_put(array, NamedSharding(self.mesh, self._spec(v)))

    def _spec(self, v: Expr) -> PartitionSpec:
        return PartitionSpec(*[None] * self._f.axis(v), self.mesh.axis_names)

    def _evaluated(
        self, placed: Arrays, left: Arrays, free: Arrays, sizes: Sizes
    ) -> tuple[Array, ...]:
        parts = self._f.parts
        specs = {v.name: self._spec(v) for v in parts.chunked}
        out = (PartitionSpec(), tuple(map(self._spec, parts.rows.values())))
        over = jax.shard_map(
            partial(self._on_device, sizes=sizes),
            mesh=self.mesh,
            in_specs=(specs, PartitionSpec()),
            out_specs=out,
        )
        sums, rows = over(placed, free)
        if left:
            sums = tuple(
                a + b for a, b in zip(sums, self._on_block(left, free, sizes), strict=False)
            )
        known = {
            **free,
            **dict(sizes),
            **dict(zip((v.name for v in parts.totals), sums, strict=True)),
        }
        ends = iter(self._finish.raw(*(known[n] for n in self._finish.parameters)))
        each = iter(rows)
        return tuple(next(ends if i in parts.after else each) for i in range(len(self._f.roots)))

    def _on_device(
        self, placed: Arrays, free: Arrays, sizes: Sizes
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        found, cut = self._on_block(placed, free, sizes), len(self._f.parts.sums)
        return jax.lax.psum(found[:cut], self.mesh.axis_names), found[cut:]

    def _on_block(self, chunked: Arrays, free: Arrays, sizes: Sizes) -> tuple[Array, ...]:
        v = self._f.parts.chunked[0]
        known = {
            **free,
            **dict(sizes),
            **chunked,
            self._f.rows: chunked[v.name].shape[self._f.axis(v)],
        }
        found: tuple[Array, ...] | None = self._block.raw(
            *(known[n] for n in self._block.parameters)
        )
        return found or ()


def _cut(array: Array, rows: slice, axis: int) -> Array:
    """Some of the rows of an array; all of them are the array itself."""
    whole = rows.stop is not None and rows.stop >= array.shape[axis]
    return array if whole else array[(slice(None),) * axis + (rows,)]
