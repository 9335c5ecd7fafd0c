"""Never show an answer unchecked: the two independent checks, and their combination.

*Exactly*: dual numbers modulo 2^61 - 1 (:mod:`matcalc.proof.exact`); no tolerance, no kinks.
*Numerically*: central differences in decimals of 70 digits (:mod:`matcalc.proof.decimals`), along a
random direction at random points of several magnitudes, signs and sizes. The rounding of 70 digits
leaves fifty in a difference, so a claim that is wrong by a part in 10^15, or in an entry beside one
that is 10^12 times as large, is seen; where a claim and the numbers disagree, twice as many digits
say whether that was rounding. What neither check decides is *not verified*, never right.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import localcontext

from ..budget import limited, share
from ..errors import LimitProblem
from ..expr import Expr
from ..labels.roots import Root, written_out
from . import exact
from .numeric import COMPARING, NumericClaim

IDENTITY = "equal by an identity between functions, which are free symbols to the exact check"
_EXACTLY = {
    True: "exact (modulo 2^61-1)",
    False: "NOT EQUAL modulo 2^61-1",
    None: "exactly not decided",
}
_NUMERICALLY = {True: "agree", False: "DISAGREE", None: "not decided"}


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome of the checks of a derivative; true where it is verified.

    * ``ok``: True only if the numbers agree and the exact check does not object.
    * ``exact``, ``numeric``: True, False or None (not decided), for each of the two checks.
    * ``max_error``: the largest relative difference seen.
    * ``worst``: the entry where the numbers disagree, with both values.
    * ``note``: remarks, such as what a candidate was taken for.

    >>> import matcalc as mc
    >>> found = mc.check("x'*x", "x", "3*x")
    >>> found.ok, found.exact, found.numeric
    (False, False, False)
    """

    ok: bool
    exact: bool | None
    numeric: bool | None
    max_error: float
    method: str = ""
    note: str = ""
    worst: str = ""

    @property
    def wrong(self) -> bool:
        """Tell if it is decided, and not right."""
        return self.numeric is False or (self.exact is False and self.numeric is None)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        verdict = "verified" if self.ok else "wrong" if self.wrong else "not verified"
        text = f"{verdict}: {_EXACTLY[self.exact]}; {self.method} {_NUMERICALLY[self.numeric]}"
        if self.numeric is not None:
            error = f"{self.max_error:.0e}" if self.max_error else "0"
            text += f" (relative error {error})"
        return text + "".join(f"; {part}" for part in (self.worst, self.note) if part)


def verify(
    e: Root, wrt: Expr, derivative: Root, seed: int = 0, along: Expr | None = None
) -> Verification:
    """Check a claimed derivative in both ways.

    ``derivative`` has the axes of ``e`` followed by those of ``wrt``; or it is the Kronecker form
    of a matrix by a matrix; or, with a direction ``along``, it is the derivative contracted with
    that variable. It is right if the exact check says so, or cannot decide, and the numbers agree.
    An identity between analytic functions, which are free symbols to the exact check, is seen by
    the numbers alone; where functions have kinks, or there is nothing but algebra, such a claim is
    not verified. What takes longer than the open budget, or ten seconds without one, is not
    verified.
    """
    e, derivative = written_out(e), written_out(derivative)
    claim = NumericClaim(e, wrt, derivative, along, seed)
    with limited(share(1), "verifying"):
        try:
            with limited(share(2), "the exact check"):
                verdict = exact.check(e, wrt, derivative, seed=seed, along=along)
        except LimitProblem:
            verdict = exact.Verdict(None, "the exact check ran out of time")
        with localcontext(COMPARING):
            numbers = claim.compared(verdict.equal)
    if numbers.elsewhere:
        verdict = exact.Verdict(None, "equal at other sizes")
    if verdict.equal is False and numbers.agree and claim.is_analytic and not numbers.doubtful:
        return Verification(True, None, True, numbers.error, numbers.method, IDENTITY)
    notes = [verdict.reason if verdict.equal is None else "", numbers.note]
    note = "; ".join(dict.fromkeys(n for n in notes if n))
    ok = numbers.agree is True and verdict.equal is not False
    return Verification(
        ok, verdict.equal, numbers.agree, numbers.error, numbers.method, note, numbers.worst
    )
