"""Parts of the identity, whose products with arrays are entries, ranges, rows and columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ShapeProblem
from .nodes import Expr, eye, node, ones, part, zeros
from .sizes import UNIT, Atom, Size, Sum, base_atoms, length, show, total_of


@dataclass(frozen=True, slots=True)
class Range:
    """Neighbouring indices of an axis, ``width`` of them after the first ``start``.

    One index is of width 1 and makes no axis.
    """

    start: Sum
    width: Size

    @property
    def first(self) -> Sum:
        """The first index, counted from 1."""
        return total_of([((self.start,), 1)], 1)

    @property
    def stop(self) -> Sum:
        """The last index."""
        return total_of([((self.start,), 1), (self.width, 1)])

    def __str__(self) -> str:
        return str(self.first) if self.width == UNIT else f"{self.first}:{self.stop}"


def range_of(p: Expr) -> Range:
    """The indices that a part of the identity takes."""
    assert isinstance(p.data, Sum)
    return Range(p.data, p.shape_[1])


def is_part(e: Expr) -> bool:
    """Say if it is a part of the identity, or the transpose of one."""
    return (e.args[0] if e.head == "T" else e).head == "part"


def takes_rows(e: Expr) -> bool:
    """Say if it is the transpose of a part, which takes rows of what stands to its right.

    A part takes columns of what stands to its left.
    """
    return e.head == "T" and e.args[0].head == "part"


# ---- indices that exist --------------------------------------------------------------------------


def check_fits(axis: Size, indices: Range) -> None:
    """Raise ShapeProblem for indices that an axis does not have, or may not have."""
    gap = total_of([(axis, 1), ((indices.stop,), -1)])
    if any(not isinstance(a, str) for size, _ in gap.terms for a in base_atoms(size)):
        return  # not known yet
    if gap.is_negative or indices.start.is_negative:
        raise ShapeProblem(
            f"index {indices} is out of range for an axis of length {show(axis)}",
            "indices start at 1",
        )
    if any(k < 0 for _, k in gap.terms) and any(isinstance(a, str) for a in indices.width):
        raise ShapeProblem(
            f"the indices {indices} of an axis of length {show(axis)} may not exist",
            "declare the length as a sum, as in x: m+k",
        )


def unsure(p: Expr) -> bool:
    """Say if only the lengths at hand decide that a part of the identity exists."""
    indices = range_of(p)
    axis = total_of([(p.shape_[0], 1)])
    return not (axis.covers(indices.stop) and indices.start.covers(Sum({})))


def exists(p: Expr, lengths: Mapping[Any, int]) -> bool:
    """Say if an axis has the indices that a part of the identity takes, at lengths of the names."""
    indices = range_of(p)
    start, stop = (length((a,), lengths) for a in (indices.start, indices.stop))
    return 0 <= start < stop <= length(p.shape_[0], lengths)


def bounded(nodes: Iterable[Expr]) -> list[Expr]:
    """The nodes that not all lengths of the names allow: parts, and axes that are sums."""
    return [e for e in nodes if e.head == "part" or _sums_in(e)]


def _sums_in(e: Expr) -> list[Sum]:
    """The sums of sizes in the axes of a node."""
    return [a for size in e.shape_ for a in size if isinstance(a, Sum)]


def all_exist(nodes: Iterable[Expr], lengths: Mapping[Any, int]) -> bool:
    """Say if all parts exist and all sums of sizes are positive, at lengths of the names."""
    for e in nodes:
        if e.head == "part" and not exists(e, lengths):
            return False
        if any(length((a,), lengths) <= 0 for a in _sums_in(e)):
            return False
    return True


def index_names(nodes: Sequence[Expr]) -> dict[str, list[Size]]:
    """The names of indices that are the length of no axis, with the axes that they run along."""
    parts = [e for e in nodes if e.head == "part"]
    if not parts:
        return {}
    lengths = _atoms_of_axes(nodes)
    axes: dict[str, list[Size]] = {}
    for p in parts:
        for a in base_atoms((range_of(p).start,)):
            if isinstance(a, str) and a not in lengths:
                axes.setdefault(a, []).append(p.shape_[0])
    return axes


def _atoms_of_axes(nodes: Iterable[Expr]) -> set[Atom]:
    return {a for e in nodes for size in e.shape_ for a in base_atoms(size)}


def least_length(nodes: Sequence[Expr]) -> int:
    """A length for every name at which fixed indices exist and sums are positive."""
    stops = [range_of(e).stop for e in nodes if e.head == "part"]
    sums = [a for e in nodes for a in _sums_in(e)]
    fixed = [stop.constant for stop in stops if not stop.terms]
    return max([2, *fixed, *(2 - a.constant for a in (*sums, *stops))])


# ---- products of parts ---------------------------------------------------------------------------


def joined_parts(chain: Sequence[Expr]) -> list[Expr]:
    """A product in which parts of the identity side by side are one: a part, an identity, zeros."""
    factors = list(chain)
    i = 0
    while i + 1 < len(factors):
        product = _product_of_parts(*factors[i : i + 2])
        if product is None:
            i += 1
        else:
            factors[i : i + 2] = [product]
            i = max(i - 1, 0)
    return [e for e in factors if e.head != "eye"] or factors[:1]


def _product_of_parts(a: Expr, b: Expr) -> Expr | None:
    """The product of two factors where a part makes it simpler, else None."""
    if a.head == b.head == "part":
        start = total_of([((range_of(a).start,), 1), ((range_of(b).start,), 1)])
        return part(a.shape_[0], start, b.shape_[1])
    if takes_rows(a) and takes_rows(b):
        return _transposed_part(_product_of_parts(b.args[0], a.args[0]))
    if (a.head == "ones" and b.head == "part") or (takes_rows(a) and b.head == "ones"):
        return ones((a.shape_[0], b.shape_[1]))
    if takes_rows(a) and b.head == "part":
        return _rows_of_part(a.args[0], b)
    return None


def _transposed_part(p: Expr | None) -> Expr | None:
    """The transpose of a part, which may be the identity."""
    if p is None or p.head == "eye":
        return p
    return node("T", (p,), None, p.shape_[::-1])


def _rows_of_part(p: Expr, q: Expr) -> Expr | None:
    """P'*Q for two parts of one identity: equal parts, or parts without an index in common."""
    if p is q:
        return eye(q.shape_[1])
    first, second = range_of(p), range_of(q)
    if first.start.covers(second.stop) or second.start.covers(first.stop):
        return zeros((p.shape_[1], q.shape_[1]))
    return None
