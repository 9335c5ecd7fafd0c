"""Parts of vectors and matrices, and matrices made of blocks: products with columns of the
identity, and sums of such.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import index

from ..errors import ShapeProblem
from .mismatch import brief
from .nodes import Expr, eye, part, zeros
from .normal import add, matmul, scalars_and_array, spread, times, transpose
from .parts import Range, check_fits, is_part, range_of, takes_rows
from .sizes import UNIT, Size, Sum, resolve, show, show_shape, total_of, unify

# ---- parts ---------------------------------------------------------------------------------------


def taken(e: Expr, rows: Range | None, cols: Range | None) -> Expr:
    """The rows and columns of an expression, None for all of them.

    Raises ShapeProblem for places that it does not have.
    """
    left = [] if rows is None else [transpose(_checked_part(e, 0, rows))]
    right = [] if cols is None else [_checked_part(e, 1, cols)]
    return matmul(*left, e, *right)


def sliced(e: Expr, key: object) -> Expr:
    """What Python's index takes, counted from 0: ``x[0]``, ``x[-1]``, ``X[:, 1:3]``.

    Raises ShapeProblem, and TypeError for no index.
    """
    keys = key if isinstance(key, tuple) else (key,)
    axes = [axis for axis, size in enumerate(e.shape_) if size]
    if len(keys) != len(axes):
        wanted = (
            "a scalar has none"
            if not axes
            else "write x[i]"
            if len(axes) == 1
            else "write X[i, :] for a row, X[:, j] for a column"
        )
        raise ShapeProblem(f"{len(keys)} indices of {brief(e)}: {show_shape(e.shape_)}", wanted)
    ranges = dict(
        zip(
            axes,
            (_range(k, e.shape_[axis]) for k, axis in zip(keys, axes, strict=True)),
            strict=True,
        )
    )
    return taken(e, ranges.get(0), ranges.get(1))


def _range(key: object, whole: Size) -> Range | None:
    """The places of an axis that an integer or a slice takes, None for all of them."""
    if not isinstance(key, slice):
        return Range(_place(key, whole), UNIT)
    if key.step not in (None, 1):
        raise ShapeProblem(f"a step of {key.step}", "ranges go by steps of 1")
    if key.start is None and key.stop is None:
        return None
    start, stop = (
        Sum({}) if key.start is None else _place(key.start, whole),
        total_of([(whole, 1)]) if key.stop is None else _place(key.stop, whole),
    )
    width = total_of([((stop,), 1), ((start,), -1)])
    if width.is_empty:
        raise ShapeProblem(
            "this range is empty",
            "it begins at its first place and ends before its second, counted from 0",
        )
    return Range(start, width.size())


def _place(key: object, whole: Size) -> Sum:
    """A place counted from 0: an integer, negative from the end, or a size."""
    if isinstance(key, Expr) and key.head == "size":
        return total_of([((key.atom,), 1)])
    try:
        place = index(None if isinstance(key, bool) else key)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"an index is an integer, a size or a slice of them, not {key!r}") from None
    return Sum({}, place) if place >= 0 else total_of([(whole, 1)], place)


def _checked_part(e: Expr, axis: int, places: Range) -> Expr:
    whole = e.shape_[axis]
    if whole == UNIT:
        raise ShapeProblem(
            f"{brief(e)} is {show_shape(e.shape_)} and has no entry {places}",
            "a vector has one index, x[i], a matrix two, X[i,:]",
        )
    check_fits(whole, places)
    return part(whole, places.start, places.width)


# ---- blocks --------------------------------------------------------------------------------------


def blocks(rows: Sequence[Sequence[Expr]]) -> Expr:
    """The matrix made of blocks; a number fills a block that has the size of its neighbours."""
    if len({len(row) for row in rows}) > 1:
        raise ShapeProblem(
            "the rows of a block matrix have different numbers of blocks", "write [A, B; C, D]"
        )
    heights = [_common(row, 0) for row in rows]
    widths = [_common(column, 1) for column in zip(*rows, strict=True)]
    filled = [
        [spread(b, (h, w)) if b.is_scalar else b for b, w in zip(row, widths, strict=True)]
        for row, h in zip(rows, heights, strict=True)
    ]
    left, right = _parts(heights), _parts(widths)
    terms = [
        matmul(*p, b, *map(transpose, q))
        for row, p in zip(filled, left, strict=True)
        for b, q in zip(row, right, strict=True)
    ]
    return add(*terms) if terms else zeros((UNIT, UNIT))


def _common(line: Sequence[Expr], axis: int) -> Size:
    """The size that the blocks of one row, or of one column, share across it."""
    size = next((b.shape_[axis] for b in line if not b.is_scalar), UNIT)
    for b in line:
        if (
            not b.is_scalar
            and not (b.shape_[axis] == size == UNIT)
            and not unify(b.shape_[axis], size)
        ):
            what = "rows" if axis == 0 else "columns"
            raise ShapeProblem(
                f"the block {brief(b)} of {show_shape(b.shape_)} stands beside {what} of "
                "length "
                f"{show(size)}"
            )
    return resolve(size)


def _parts(sizes: Sequence[Size]) -> list[list[Expr]]:
    """The part of the identity that puts each block in its place.

    Nothing to do for a single one.
    """
    if len(sizes) == 1:
        return [[]]
    whole = total_of([(size, 1) for size in sizes]).size()
    return [
        [part(whole, total_of([(size, 1) for size in sizes[:k]]), width)]
        for k, width in enumerate(sizes)
    ]


# ---- reading back --------------------------------------------------------------------------------


def indexed(chain: Sequence[Expr]) -> Iterator[tuple[Expr, Range | None, Range | None]]:
    """The factors of a product, those that parts of the identity take rows or columns of with
    their places.
    """
    i = 0
    while i < len(chain):
        rows, cols = None, None
        if takes_rows(chain[i]) and i + 1 < len(chain) and not is_part(chain[i + 1]):
            rows, i = range_of(chain[i].args[0]), i + 1
        factor = chain[i]
        if i + 1 < len(chain) and chain[i + 1].head == "part" and not is_part(factor):
            cols, i = range_of(chain[i + 1]), i + 1
        yield factor, rows, cols
        i += 1


def grid(e: Expr) -> list[list[Expr | None]] | None:
    """The blocks of a sum that :func:`blocks` could have made, None for a block of zeros.

    Or None if it is no such sum.
    """
    placed: dict[tuple[Range | None, Range | None], Expr] = {}
    for term in e.args if e.head == "add" else ():
        found = _placed(term)
        if found is None or found[0] in placed:
            return None
        placed[found[0]] = found[1]
    rows, cols = (_tiled({key[axis] for key in placed}, e.shape_[axis]) for axis in (0, 1))
    return [[placed.get((r, c)) for c in cols] for r in rows] if rows and cols else None


def _placed(term: Expr) -> tuple[tuple[Range | None, Range | None], Expr] | None:
    """The places, None for all, and the block of a term that parts of the identity put there.

    A number goes with the block.
    """
    scalars, array = scalars_and_array(term)
    chain = array.args if array.head == "matmul" else (array,)
    rows = range_of(chain[0]) if chain[0].head == "part" else None
    cols = range_of(chain[-1].args[0]) if takes_rows(chain[-1]) else None
    either = rows or cols
    if either is None:
        return None
    inner = chain[rows is not None : len(chain) - (cols is not None)]
    return (rows, cols), times(*scalars, matmul(*inner) if inner else eye(either.width))


def _tiled(places: set[Range | None], whole: Size) -> Sequence[Range | None] | None:
    """The places in order, if they cover an axis without gaps."""
    if places == {None}:
        return [None]
    by_start = {r.start: r for r in places if r is not None}
    found, at = list[Range](), Sum({})
    while at in by_start and len(found) < len(places):
        found.append(by_start[at])
        at = found[-1].stop
    return found if len(found) == len(places) and at == total_of([(whole, 1)]) else None
