"""Parts of the identity, whose products with vectors and matrices are entries, ranges, rows and
columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ShapeProblem
from .nodes import Expr, eye, node, ones, part, zeros
from .sizes import UNIT, Size, Sum, base_atoms, length, show, total_of


@dataclass(frozen=True, slots=True)
class Range:
    """Neighbouring places of an axis: those after the first ``start``, ``width`` of them.

    One place is of width 1 and makes no axis.
    """

    start: Sum
    width: Size

    @property
    def first(self) -> Sum:
        """The first place, counted from 1."""
        return total_of([((self.start,), 1)], 1)

    @property
    def stop(self) -> Sum:
        """The last place."""
        return total_of([((self.start,), 1), (self.width, 1)])

    def __str__(self) -> str:
        return str(self.first) if self.width == UNIT else f"{self.first}:{self.stop}"


def range_of(p: Expr) -> Range:
    """The places that a part of the identity takes."""
    assert isinstance(p.data, Sum)
    return Range(p.data, p.shape_[1])


def is_part(e: Expr) -> bool:
    """Whether it is a part of the identity, or the transpose of one."""
    return (e.args[0] if e.head == "T" else e).head == "part"


def takes_rows(e: Expr) -> bool:
    """Whether it is the transpose of a part, which takes rows of what stands to its right.

    A part takes columns.
    """
    return e.head == "T" and e.args[0].head == "part"


# ---- places that exist ---------------------------------------------------------------------------


def check_fits(whole: Size, places: Range) -> None:
    """Raise ShapeProblem for places that an axis does not have, or may not have."""
    gap = total_of([(whole, 1), ((places.stop,), -1)])
    if any(not isinstance(a, str) for size, _ in gap.terms for a in base_atoms(size)):
        return  # not known yet
    if _negative(gap) or _negative(places.start):
        raise ShapeProblem(
            f"the place {places} of an axis of length {show(whole)}", "places are counted from 1"
        )
    if any(k < 0 for _, k in gap.terms) and any(isinstance(a, str) for a in places.width):
        raise ShapeProblem(
            f"the places {places} of an axis of length {show(whole)} may not exist",
            "declare the length as a sum, as in x: m+k",
        )


def _negative(gap: Sum) -> bool:
    """Whether a sum is below 0, whatever the sizes are."""
    return all(k < 0 for _, k in gap.terms) and gap.constant + sum(k for _, k in gap.terms) < 0


def unsure(p: Expr) -> bool:
    """Whether only the lengths at hand say if a part of the identity exists."""
    places = range_of(p)
    return not (total_of([(p.shape_[0], 1)]).covers(places.stop) and places.start.covers(Sum({})))


def exists(p: Expr, lengths: Mapping[Any, int]) -> bool:
    """Whether an axis has the places that a part of the identity takes, at certain lengths of
    the names.
    """
    places = range_of(p)
    return (
        0
        <= length((places.start,), lengths)
        < length((places.stop,), lengths)
        <= length(p.shape_[0], lengths)
    )


def bounded(nodes: Iterable[Expr]) -> list[Expr]:
    """The nodes that some lengths of the names do not allow: parts, and what has a sum of sizes
    as an axis.
    """
    return [
        e
        for e in nodes
        if e.head == "part" or any(isinstance(a, Sum) for size in e.shape_ for a in size)
    ]


def all_exist(nodes: Iterable[Expr], lengths: Mapping[Any, int]) -> bool:
    """Whether all places exist and all sums of sizes are positive, at certain lengths of the
    names.
    """
    return all(
        (e.head != "part" or exists(e, lengths))
        and all(length((a,), lengths) > 0 for size in e.shape_ for a in size if isinstance(a, Sum))
        for e in nodes
    )


def index_names(nodes: Sequence[Expr]) -> dict[str, list[Size]]:
    """The names that stand for a place and for no length, with the lengths of the axes of which
    they are places.
    """
    parts = [e for e in nodes if e.head == "part"]
    lengths = {a for e in nodes for size in e.shape_ for a in base_atoms(size)} if parts else set()
    found: dict[str, list[Size]] = {}
    for e in parts:
        for a in base_atoms((range_of(e).start,)):
            if isinstance(a, str) and a not in lengths:
                found.setdefault(a, []).append(e.shape_[0])
    return found


def least_length(nodes: Sequence[Expr]) -> int:
    """A length for every name at which all parts of fixed places exist, and all sums of sizes
    are positive.
    """
    stops = [range_of(e).stop for e in nodes if e.head == "part"]
    sums = [a for e in nodes for size in e.shape_ for a in size if isinstance(a, Sum)]
    return max(
        [2, *(s.constant for s in stops if not s.terms), *(2 - a.constant for a in (*sums, *stops))]
    )


# ---- products of parts ---------------------------------------------------------------------------


def joined_parts(chain: Sequence[Expr]) -> list[Expr]:
    """A product with what parts of the identity side by side are: a part of a part, the
    identity, zeros.
    """
    found = list(chain)
    i = 0
    while i + 1 < len(found):
        better = (
            _product(found[i], found[i + 1]) if is_part(found[i]) or is_part(found[i + 1]) else None
        )
        if better is None:
            i += 1
        else:
            found[i : i + 2] = [better]
            i = max(i - 1, 0)
    return [e for e in found if e.head != "eye"] or found[:1]


def _product(a: Expr, b: Expr) -> Expr | None:
    """The product of two factors, one of them a part, if it is simpler than that."""
    if a.head == b.head == "part":
        return part(
            a.shape_[0],
            total_of([((range_of(a).start,), 1), ((range_of(b).start,), 1)]),
            b.shape_[1],
        )
    if takes_rows(a) and takes_rows(b):
        flipped = _product(b.args[0], a.args[0])
        assert flipped is not None
        return (
            flipped if flipped.head == "eye" else node("T", (flipped,), None, flipped.shape_[::-1])
        )
    if (a.head == "ones" and b.head == "part") or (a.head == "T" and b.head == "ones"):
        return ones((a.shape_[0], b.shape_[1]))
    if not (takes_rows(a) and b.head == "part"):
        return None
    if a.args[0] is b:
        return eye(b.shape_[1])
    first, second = range_of(a.args[0]), range_of(b)
    apart = any(x.start.covers(y.stop) for x, y in ((first, second), (second, first)))
    return zeros((a.shape_[0], b.shape_[1])) if apart else None
