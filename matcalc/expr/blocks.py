"""Parts of vectors and matrices, and matrices made of blocks.

They are products with columns of the identity, and sums of such.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import index

from ..errors import ShapeProblem
from .mismatch import brief
from .nodes import Expr, eye, part, zeros
from .normal import add, matmul, scalars_and_array, spread, times, transpose
from .parts import Range, check_fits, is_part, range_of, takes_rows
from .sizes import UNIT, Size, Sum, resolve, show, show_shape, total_of, unify

# ---- parts ---------------------------------------------------------------------------------------


def taken(e: Expr, rows: Range | None, cols: Range | None) -> Expr:
    """The rows and columns of an expression, None for all; ShapeProblem for some it has not."""
    left = [] if rows is None else [transpose(_checked_part(e, 0, rows))]
    right = [] if cols is None else [_checked_part(e, 1, cols)]
    return matmul(*left, e, *right)


# how to index an expression with so many axes longer than one
_HINTS = (
    "a scalar has none",
    "write x[i]",
    "write X[i, :] for a row, X[:, j] for a column",
)


def sliced(e: Expr, key: object) -> Expr:
    """The entries that Python's index takes, counted from 0: ``x[0]``, ``x[-1]``, ``X[:, 1:3]``.

    Raises ShapeProblem, and TypeError for no index.
    """
    keys = key if isinstance(key, tuple) else (key,)
    axes = [axis for axis, size in enumerate(e.shape_) if size]
    if len(keys) != len(axes):
        fact = f"{len(keys)} indices of {brief(e)}: {show_shape(e.shape_)}"
        raise ShapeProblem(fact, _HINTS[len(axes)])
    ranges = {axis: _range(k, e.shape_[axis]) for axis, k in zip(axes, keys, strict=True)}
    return taken(e, ranges.get(0), ranges.get(1))


def _range(key: object, whole: Size) -> Range | None:
    """The indices of an axis that an integer or a slice takes, None for all of them."""
    if not isinstance(key, slice):
        return Range(_counted(key, whole), UNIT)
    if key.step not in (None, 1):
        raise ShapeProblem(f"a step of {key.step}", "ranges go by steps of 1")
    if key.start is None and key.stop is None:
        return None
    start = Sum({}) if key.start is None else _counted(key.start, whole)
    stop = total_of([(whole, 1)]) if key.stop is None else _counted(key.stop, whole)
    width = total_of([((stop,), 1), ((start,), -1)])
    if width.is_empty:
        raise ShapeProblem(
            "this range is empty",
            "it begins at its first index and ends before its second, counted from 0",
        )
    return Range(start, width.size())


def _counted(key: object, whole: Size) -> Sum:
    """An index counted from 0: an integer, negative from the end, or a size."""
    if isinstance(key, Expr) and key.head == "size":
        return total_of([((key.atom,), 1)])
    try:
        number = index(None if isinstance(key, bool) else key)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"an index is an integer, a size or a slice of them, not {key!r}") from None
    return Sum({}, number) if number >= 0 else total_of([(whole, 1)], number)


def _checked_part(e: Expr, axis: int, indices: Range) -> Expr:
    """The part of the identity that takes these indices of an axis, which must have them."""
    whole = e.shape_[axis]
    if whole == UNIT:
        raise ShapeProblem(
            f"{brief(e)} is {show_shape(e.shape_)} and has no entry {indices}",
            "a vector has one index, x[i], a matrix two, X[i,:]",
        )
    check_fits(whole, indices)
    return part(whole, indices.start, indices.width)


# ---- blocks --------------------------------------------------------------------------------------


def blocks(rows: Sequence[Sequence[Expr]]) -> Expr:
    """The matrix made of blocks; a number fills a block that has the size of its neighbours."""
    if len({len(row) for row in rows}) > 1:
        raise ShapeProblem(
            "the rows of a block matrix have different numbers of blocks", "write [A, B; C, D]"
        )
    columns = list(zip(*rows, strict=True))
    heights = [_shared_size(row, 0) for row in rows]
    widths = [_shared_size(column, 1) for column in columns]
    above, left = _parts(heights), _parts(widths)
    terms: list[Expr] = []
    for row, height, p in zip(rows, heights, above, strict=True):
        for block, width, q in zip(row, widths, left, strict=True):
            filled = spread(block, (height, width)) if block.is_scalar else block
            terms.append(matmul(*p, filled, *map(transpose, q)))
    return add(*terms) if terms else zeros((UNIT, UNIT))


def _shared_size(line: Sequence[Expr], axis: int) -> Size:
    """The size that the blocks of one row, or of one column, share across it."""
    arrays = [b for b in line if not b.is_scalar]
    size = arrays[0].shape_[axis] if arrays else UNIT
    for b in arrays:
        if b.shape_[axis] == size == UNIT or unify(b.shape_[axis], size):
            continue
        across = "rows" if axis == 0 else "columns"
        raise ShapeProblem(
            f"the block {brief(b)} of {show_shape(b.shape_)} "
            f"stands beside {across} of length {show(size)}"
        )
    return resolve(size)


def _parts(sizes: Sequence[Size]) -> list[list[Expr]]:
    """The part of the identity that puts each block in its place; none for a single block."""
    if len(sizes) == 1:
        return [[]]
    whole = total_of([(size, 1) for size in sizes]).size()
    starts = [total_of([(size, 1) for size in sizes[:k]]) for k in range(len(sizes))]
    return [[part(whole, start, width)] for start, width in zip(starts, sizes, strict=True)]


# ---- reading back --------------------------------------------------------------------------------


def indexed(chain: Sequence[Expr]) -> Iterator[tuple[Expr, Range | None, Range | None]]:
    """The factors of a product, each with the rows and columns that parts beside it take of it."""
    i = 0
    while i < len(chain):
        rows, cols = None, None
        if takes_rows(chain[i]) and i + 1 < len(chain) and not is_part(chain[i + 1]):
            rows = range_of(chain[i].args[0])
            i += 1
        factor = chain[i]
        if i + 1 < len(chain) and chain[i + 1].head == "part" and not is_part(factor):
            cols = range_of(chain[i + 1])
            i += 1
        yield factor, rows, cols
        i += 1


def grid(e: Expr) -> list[list[Expr | None]] | None:
    """The blocks of a sum that :func:`blocks` could have made, None for a block of zeros.

    Or None if it is no such sum.
    """
    if e.head != "add":
        return None
    placed = _placed_blocks(e.args)
    if placed is None:
        return None
    rows = _tiled({rows for rows, _ in placed}, e.shape_[0])
    cols = _tiled({cols for _, cols in placed}, e.shape_[1])
    if rows is None or cols is None:
        return None
    return [[placed.get((r, c)) for c in cols] for r in rows]


_Places = tuple[Range | None, Range | None]  # of a block in rows and columns, None for all


def _placed_blocks(terms: Iterable[Expr]) -> dict[_Places, Expr] | None:
    """The block at each place, if each term of a sum puts a block at a place of its own."""
    blocks_at: dict[_Places, Expr] = {}
    for term in terms:
        placed = _placed(term)
        if placed is None or placed[0] in blocks_at:
            return None
        places, block = placed
        blocks_at[places] = block
    return blocks_at


def _placed(term: Expr) -> tuple[_Places, Expr] | None:
    """The places and the block of a term that parts of the identity put there, if some do.

    A number goes with the block.
    """
    scalars, array = scalars_and_array(term)
    chain = array.args if array.head == "matmul" else (array,)
    rows = range_of(chain[0]) if chain[0].head == "part" else None
    cols = range_of(chain[-1].args[0]) if takes_rows(chain[-1]) else None
    either = rows or cols
    if either is None:
        return None
    start = 0 if rows is None else 1
    stop = len(chain) if cols is None else len(chain) - 1
    inner = chain[start:stop]
    block = matmul(*inner) if inner else eye(either.width)
    return (rows, cols), times(*scalars, block)


def _tiled(places: set[Range | None], whole: Size) -> Sequence[Range | None] | None:
    """The places in order, if they cover an axis without gaps."""
    if places == {None}:
        return [None]
    by_start = {r.start: r for r in places if r is not None}
    tiles: list[Range] = []
    at = Sum({})
    while at in by_start and len(tiles) < len(places):
        tiles.append(by_start[at])
        at = tiles[-1].stop
    covers = len(tiles) == len(places) and at == total_of([(whole, 1)])
    return tiles if covers else None
