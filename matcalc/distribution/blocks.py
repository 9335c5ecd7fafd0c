"""A separated function, as far as what evaluates it asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ..calculus.separate import Separated
from ..codegen.compiled import Compiled
from ..expr import Expr
from ..labels.roots import Root


class Blocks(Protocol):
    """A separated function, compiled: what runs on each block of rows, and what ends it."""

    rows: str
    target: str
    roots: tuple[Root, ...]
    parts: Separated

    @property
    def block(self) -> Compiled: ...
    @property
    def row_functions(self) -> Mapping[int, Compiled]: ...
    @property
    def finish(self) -> Compiled: ...
    def axis(self, v: Expr) -> int: ...
    def shape(self, i: int, sizes: Mapping[str, int]) -> tuple[int, ...]: ...
    def sorted(
        self, arguments: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, int]]: ...
