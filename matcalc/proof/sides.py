"""Claims of others at kinks and branches, where agreement at points alone is not enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from decimal import Decimal, localcontext
from random import Random

from ..errors import NotDifferentiable
from ..expr import Expr, postorder
from ..expr.sizes import Atom, dims
from ..labels.roots import Root, form_sizes, parts, written_out
from .branches import has_branches
from .decimal_matrices import LOST_DIGITS
from .decimals import CROWDING
from .dual import TooLarge
from .lengths import Lengths, NoLengths, work
from .numeric import (
    AGREE,
    COMPARING,
    DIGITS,
    LARGEST_WORK,
    LENGTHS,
    POINTS,
    NumericClaim,
    WrongForm,
    has_kinks,
    rows_of,
)
from .opaque import OpaquePoint
from .points import random_direction, random_value

KINK_POINTS = 16  # with ties and zeros, where a claim is compared with the slopes on both sides


def beyond_the_slopes(e: Root, wrt: Expr, claim: Root, derivative: Root, seed: int = 0) -> str:
    """Say where a claim leaves the slopes on both sides of a kink, and the derivative does not.

    Nothing if nowhere.

    At a kink, as where entries of an amax tie, the derivative of a direction lies between the
    slopes on both sides. A claim that agrees everywhere else may still count a tie twice. What the
    claim has no value for is no fault of it, nor are eigenvectors of equal eigenvalues, which are
    arbitrary.
    """
    if any(row.name in CROWDING for row in rows_of(e, claim, derivative)):
        return ""
    ours, theirs = (
        NumericClaim(written_out(e), wrt, written_out(g), None, seed) for g in (derivative, claim)
    )
    layouts = Lengths(theirs.nodes, form_sizes(e, claim), many=LENGTHS)
    for attempt in range(KINK_POINTS):
        try:
            lengths = layouts.at(attempt)
            if work(theirs.nodes, lengths) > LARGEST_WORK:
                return ""
            with localcontext(COMPARING):
                both = [c.leaves_slopes(lengths, attempt) for c in (ours, theirs)]
        except (ArithmeticError, NoLengths, TooLarge, NotDifferentiable, WrongForm):
            continue
        if both == [False, True]:
            return (
                "where entries tie, or at another kink, it leaves the slopes on both sides "
                f"of {wrt.name}"
            )
    return ""


def agrees_on_every_side(
    e: Root, wrt: Expr, claim: Root, derivative: Root, along: Expr | None = None, seed: int = 0
) -> bool:
    """Whether a claim is the derivative whatever the functions with kinks or branches in them are.

    At points alone it may be right on one side of a kink, and wrong where no point lies.
    """
    both = [
        NumericClaim(written_out(e), wrt, written_out(g), along, seed) for g in (derivative, claim)
    ]
    nodes = list(dict.fromkeys(n for c in both for n in c.nodes))
    branched = has_branches(nodes)
    layouts = Lengths(nodes, form_sizes(e, claim, derivative), many=LENGTHS)
    agreeing = 0
    try:
        for attempt, lengths in enumerate(_lengths_of_sides(layouts)):
            if work(nodes, lengths) > LARGEST_WORK:
                return False
            with localcontext(COMPARING), suppress(ArithmeticError):
                if not _agree_at(both, nodes, lengths, attempt, branched):
                    return False
                agreeing += 1
    except (NoLengths, TooLarge, NotDifferentiable, WrongForm):
        return False
    return agreeing >= POINTS


def _lengths_of_sides(layouts: Lengths) -> Iterator[dict[Atom, int]]:
    """Lengths for points where functions are any functions, some of them 1."""
    yield from (layouts.at(attempt) for attempt in range(2 * POINTS))
    with suppress(NoLengths):
        yield from layouts.with_ones()


def _agree_at(
    both: list[NumericClaim],
    nodes: list[Expr],
    lengths: Mapping[Atom, int],
    attempt: int,
    branched: bool,
) -> bool:
    """Whether two claims say the same at a point where functions with kinks are any functions."""
    ours, rng = both[0], Random(f"{both[0].seed}/{attempt}")
    variables_met = [n for n in nodes if n.head == "var"]
    values = {v: random_value(v, *dims(v.shape_, lengths), rng, attempt) for v in variables_met}
    along = ours.along
    direction = (
        values[along] if along else random_direction(ours.wrt, *dims(ours.wrt.shape_, lengths), rng)
    )
    points = [
        OpaquePoint(lengths, dict(values), DIGITS, branched=branched, seed=f"{attempt}")
        for _ in both
    ]
    (left, sizes, _), (right, others, _) = (
        c.slopes_claimed(point, direction) for c, point in zip(both, points, strict=True)
    )
    if len(left) != len(right):
        return False
    lost = Decimal(10) ** (LOST_DIGITS - DIGITS) * max(point.largest for point in points)
    entries = zip(left, right, sizes, others, strict=True)
    return all(abs(x - y) <= max(lost, AGREE * (a + b)) for x, y, a, b in entries)


def has_sides(*roots: Root) -> bool:
    """Whether functions have kinks or branches."""
    return has_kinks(*roots) or has_branches(postorder(*parts(*roots)))
