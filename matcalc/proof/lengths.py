"""Lengths of sizes at a random point: one substitution, which knows every place where a size can
stand.

Sizes with different names have different lengths, so that no arrangement fits by luck. A declared
number that is large is replaced by a small one of the same rank, in shapes and in indices alike, or
not at all: where numbers are sums of others, as in blocks and convolutions, each must stay what it
is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import count, islice
from math import prod
from random import Random

from ..expr import Expr, sizes_of
from ..expr.parts import all_exist, bounded, index_names, range_of
from ..expr.sizes import UNIT, Atom, Size, Sum, base_atoms, dims, length, resolve
from ..tables.functions import BY_NAME, ROWS

KEPT = 6  # numbers up to this are never replaced: they stand in formulas for other reasons, too
NAMES_AT_ONE = 3  # names that are given the length 1 alone
TRIES = 200  # lengths at which some index does not exist
# functions whose lengths are sums of others
ADDITIVE = {"shifts"} | {row.name for row in ROWS if row.lengths}


class NoLengths(Exception):
    """There are no lengths of the sizes at which every index exists."""


class Lengths:
    """Small lengths for the sizes of some nodes, and of others that no node need have.

    With ``actual``, declared numbers are what they are. At most ``many`` different lengths are used
    for names.
    """

    def __init__(
        self, nodes: list[Expr], others: Iterable[Size] = (), actual: bool = False, many: int = 11
    ) -> None:
        self.nodes, self.many = nodes, many
        self.indices = index_names(nodes)
        self.bounded = bounded(nodes)
        sizes = [*sizes_of(nodes), *others]
        atoms = dict.fromkeys(a for size in sizes for a in base_atoms(resolve(size)))
        self.numbers = sorted(a for a in atoms if isinstance(a, int))
        self.names = [a for a in atoms if not isinstance(a, int) and a not in self.indices]
        self.shrinks = not actual and self._may_shrink()

    @cached_property
    def indexed(self) -> list[int]:
        """The numbers that stand as an index: an entry's own, and the one before it."""
        entries = [range_of(p) for p in self.bounded if p.head == "part"]
        fixed = [r.start.constant for r in entries if r.width == UNIT and not r.start.terms]
        return [k for start in fixed for k in (start, start + 1)]

    @property
    def has_large_numbers(self) -> bool:
        """Whether a declared size is replaced by a smaller one."""
        return self.shrinks and any(map(_is_large, self.numbers))

    def _may_shrink(self) -> bool:
        """Whether large numbers can be replaced: there are some, and none is a sum of others."""
        large = [*self.numbers, *self.indexed]
        return any(k > KEPT for k in large) and not any(map(self._is_additive, self.nodes))

    def _is_additive(self, node: Expr) -> bool:
        """Whether a large number in a node is bound to others by a sum."""
        if node.head == "part":
            places = range_of(node)
            if places.width != UNIT:
                return _has_large((places.width,)) or _is_large(places.start.constant)
            if places.start.terms:
                return _is_large(places.start.constant)
        elif node.head in ADDITIVE and _has_large(
            (*node.shape_, *(s for a in node.args for s in a.shape_))
        ):
            return True
        sums = (a for size in node.shape_ for a in size if isinstance(a, Sum))
        return any(_is_large(a.constant) for a in sums)

    def at(
        self,
        layout: int,
        others: Mapping[Atom, int] | None = None,
        equal: bool = False,
        allowed: Callable[[int], bool] = lambda _: True,
    ) -> dict[Atom, int]:
        """The lengths of one layout: ascending, descending, then in random orders; none is 1.

        Names differ from ``others``, unless all are to be ``equal``. Raises NoLengths.
        """
        for k in range(TRIES):
            alike = equal and k < TRIES // 2  # if no equal lengths will do, different ones may
            chosen = self._some(layout + k, others or {}, k // 8, alike, allowed)
            if all_exist(self.bounded, chosen):
                return chosen
        raise NoLengths("no lengths were found at which every index exists")

    def with_ones(self) -> Iterator[dict[Atom, int]]:
        """Lengths with every name at 1, then one name after the other, where every index exists
        then.
        """
        several = [[name] for name in self.names[:NAMES_AT_ONE]] if len(self.names) > 1 else []
        for names in (self.names, *several):
            chosen = self.at(0) | dict.fromkeys(names, 1)
            room = {
                name: min(length(axis, chosen) for axis in axes)
                for name, axes in self.indices.items()
            }
            chosen |= {name: max(1, n) for name, n in room.items()}
            if names and all_exist(self.bounded, chosen):
                yield chosen

    def _some(
        self,
        layout: int,
        others: Mapping[Atom, int],
        more: int,
        equal: bool,
        allowed: Callable[[int], bool],
    ) -> dict[Atom, int]:
        numbers = self._numbers(layout)
        least = self._least(numbers) + more
        if equal:
            same: dict[Atom, int] = dict.fromkeys(self.names, max(3, least))
            lengths = numbers | same
        elif len(self.names) > self.many:  # lengths are shared, or points would be huge
            places = Random(layout).sample(range(len(self.names)), len(self.names))
            shared: dict[Atom, int] = {
                a: least + k % self.many for a, k in zip(self.names, places, strict=True)
            }
            lengths = numbers | shared
        else:
            lengths = numbers | self._different(layout, others, least, numbers, allowed)
        room = {
            name: max(1, min(length(axis, lengths) for axis in axes))
            for name, axes in self.indices.items()
        }
        return lengths | {name: 1 + (layout + k) % room[name] for k, name in enumerate(room)}

    def _different(
        self,
        layout: int,
        others: Mapping[Atom, int],
        least: int,
        numbers: Mapping[Atom, int],
        allowed: Callable[[int], bool],
    ) -> dict[Atom, int]:
        """A length of its own for each name, also different from the one that it has in
        ``others``.
        """
        taken = set(numbers.values())
        chosen: dict[Atom, int] = {}
        for start in count():
            free = (n for n in count(least) if n not in taken and allowed(n))
            some = list(islice(free, start, start + len(self.names) + 2))
            chosen = dict(zip(self.names, _arranged(some, len(self.names), layout), strict=True))
            if not chosen.items() & others.items():
                break
        return chosen

    def _numbers(self, layout: int) -> dict[Atom, int]:
        """The declared numbers, and those that stand as indices, each by what it becomes.

        Ranks stay as they are.
        """
        if not self.shrinks:
            return {k: k for k in self.numbers}
        small = [k for k in (*self.numbers, *self.indexed) if k <= KEPT]
        large = sorted({k for k in (*self.numbers, *self.indexed) if k > KEPT})
        becomes = {k: k for k in small}
        last, image = KEPT, max(small, default=1)
        for rank, k in enumerate(large):
            image += min(k - last, 1 + (layout + rank) % 3)
            becomes[k], last = image, k
        as_sums: dict[Atom, int] = {str(k): becomes[k] for k in self.indexed}
        return as_sums | {k: becomes[k] for k in self.numbers}

    def _least(self, numbers: Mapping[Atom, int]) -> int:
        """A length for every name at which all entries exist, and all sums of sizes are
        positive.
        """
        stops = [range_of(e).stop for e in self.bounded if e.head == "part"]
        fixed = [length((s,), numbers) for s in stops if not s.terms]
        sums = [a for e in self.bounded for size in e.shape_ for a in size if isinstance(a, Sum)]
        return max([2, *fixed, *(2 - a.constant for a in (*sums, *stops))])


def work(nodes: Iterable[Expr], lengths: Mapping[Atom, int]) -> int:
    """The number of multiplications that evaluating takes, roughly."""
    return sum(_work(node, lengths) for node in nodes)


def _work(node: Expr, lengths: Mapping[Atom, int]) -> int:
    """One for each entry; a product row by column.

    Of any other function of a matrix, as much as a product with itself.
    """
    rows, cols = dims(node.shape_, lengths)
    if node.head == "matmul":
        return rows * cols + dims(node.args[0].shape_, lengths)[0] * sum(
            prod(dims(a.shape_, lengths)) for a in node.args[1:]
        )
    row = BY_NAME.get(node.head)
    if row is not None and not row.elementwise and not row.define:
        return rows * cols + sum(
            prod(d) * min(d) for d in (dims(a.shape_, lengths) for a in node.args)
        )
    return rows * cols


def _is_large(number: int) -> bool:
    return abs(number) > KEPT


def _has_large(sizes: Iterable[Size]) -> bool:
    return any(
        isinstance(a, int) and _is_large(a) for size in sizes for a in base_atoms(resolve(size))
    )


def _arranged(values: list[int], number: int, layout: int) -> list[int]:
    """So many of ascending lengths: the first ones, the same descending (another one, if it is
    alone), then at random.
    """
    if layout > 1:
        return Random(layout).sample(values, number)
    if layout == 0:
        return values[:number]
    return values[: max(number, 2)][::-1][:number]
