"""Points where plain code loses digits or overflows, with values and gradients to 50 digits:
``python tests/stability.py``.

Writes tests/stability.tsv: expression, shapes, variable, point, value, gradient. The truth is the
expression as it is typed, and its printed derivative, in decimals of so many digits that twice as
many give the same fifty; nothing of the stable forms is asked. A point is left out where the
problem itself is ill conditioned: where a change of the arguments by a part in 10^16 changes the
value, or the gradient, by more than the tests allow.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import matcalc as mc
from matcalc import expr as ex
from matcalc.errors import MatcalcError
from matcalc.proof import decimals
from matcalc.proof.decimal_matrices import Matrix, OutsideDomain, arithmetic
from matcalc.proof.decimals import DecimalPoint

decimals.LARGEST_EXPONENT = 10**6  # so many digits as are taken here reach further
decimals.SMALLEST_EXPONENT = 10**12
SEED = 7
TABLE = Path(__file__).with_name("stability.tsv")
DIGITS, MOST, KEPT = 120, 20_000, 50
LEAST = Decimal("1e-300")  # what is smaller counts as nothing
NOTHING, LIMITS = Decimal("1e-400"), ("x", "y")  # stands for 0 where these approach it
MOST_OF_DOUBLES = Decimal("1e300")
CHANGE = Decimal("1e-16")
# the changes that are allowed: a part of the tests' tolerances
VALUE, GRADIENT = Decimal("2e-13"), Decimal("2e-11")

Point = Mapping[str, Any]
Case = tuple[str, str, str, Sequence[Point]]  # expression, shapes, variable, points

NUMBERS = (
    -1e4,
    -1e3,
    -745.5,
    -100.0,
    -38.0,
    -8.5,
    -1.0,
    -1e-3,
    1e-8,
    0.3,
    5.0,
    38.0,
    709.9,
    1e3,
    1e4,
)
VECTORS = (
    [0.5, -1.0, 2.0],
    [1e3, -1e3, 3.0],
    [1e4, -1e4, 0.25],
    [800.0, 790.0, -5.0],
    [-800.0, -810.0, -805.0],
    [1e4, 1e4, 1e4],
    [-1e4, -9999.0, -1e4],
    [30.0, -40.0, 50.0],
    [709.5, 711.0, 710.0],
)
MATRICES = (
    [[0.5, -1.0, 2.0], [3.0, 0.1, -2.0], [1.0, 1.5, -0.5]],
    [[1e3, -1e3, 3.0], [2.0, 1e3, 999.0], [-1e3, -998.0, -1e3]],
    [[1e4, -1e4, 0.0], [1e4, 1e4, 9999.0], [-1e4, -1e4, -9998.0]],
    [[30.0, -40.0, 50.0], [700.0, 712.0, 705.0], [-750.0, -760.0, -755.0]],
)
WEIGHTS, TARGETS = [0.2, 0.5, 0.3], [0.25, 1.0, 0.0]
TARGET_ROWS = [[1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.2, 0.3, 0.5]]


def at(name: str, values: Sequence[Any], **others: Any) -> list[Point]:
    """A point for each value of a variable."""
    return [{name: value, **others} for value in values]


def cases() -> Iterator[Case]:
    """What is evaluated where."""
    for text in (
        "log(normcdf(a))",
        "log(1 - normcdf(a))",
        "log(1 - sigmoid(a))",
        "log(sigmoid(a))",
        "exp(a)/(1 + exp(a))",
        "1/(1 + exp(-a))",
        "log(1 + exp(a))",
        "log(cosh(a))",
        "sinh(a)/cosh(a)",
        "(exp(a) - exp(-a))/(exp(a) + exp(-a))",
        "log(exp(a) + exp(-a))",
        "log(1 + exp(a) + exp(2*a))",
        "a*log(normcdf(a))",
        "log_normcdf(a)",
        "logcosh(a)",
        "log(exp(a))",
        "exp(a)*exp(-a)",
        "log(3*exp(a) + 2)",
    ):
        yield text, "a: scalar", "a", at("a", NUMBERS)
    for text in (
        "sum(log(1 - sigmoid(x)))",
        "sum(exp(x)./(1+exp(x)))",
        "log(sum(exp(x)))",
        "logsumexp(x)",
        "y'*(exp(x)/sum(exp(x)))",
        "-y'*log(exp(x)/sum(exp(x)))",
        "-y'*log(softmax(x))",
        "sum(log(cosh(x)))",
        "log(w'*exp(x))",
        "log(sum(w.*exp(x)))",
        "sum(log(exp(x) + exp(2*x)))",
        "log(sum(exp(-x.^2/2)))",
        "log(w'*exp(-(x - 1).^2/2))",
        "-sum(y.*log(1./(1+exp(-x))) + (1-y).*log(1-1./(1+exp(-x))))",
        "-sum(y.*log(sigmoid(x)) + (1-y).*log(1-sigmoid(x)))",
    ):
        used = {"w": WEIGHTS, "y": TARGETS}
        given = {n: v for n, v in used.items() if f"{n}'" in text or f"{n}." in text}
        yield text, "; ".join(f"{n}: n" for n in ["x", *given]), "x", at("x", VECTORS, **given)
    for text in (
        "sum(log(exp(Z)*vector(1)))",
        "tr(log(softmax_rows(Z)))",
        "-sum(Y.*log(softmax_rows(Z)))",
        "sum(Y.*(exp(Z)./(exp(Z)*ones(n,n))))",
        "sum(Y.*(diag(1./(exp(Z)*vector(1)))*exp(Z)))",
        "-sum(Y.*log(exp(Z)./(exp(Z)*ones(n,n))))",
        "sum(log(exp(Z)*y))",
        "log(sum(exp(Z)))",
    ):
        fixed: dict[str, object] = {}
        if "Y" in text:
            fixed = {"Y": TARGET_ROWS}
        elif "y)" in text:
            fixed = {"y": WEIGHTS}
        shapes = "; ".join(["Z: n×n", *(f"{n}: {'n×n' if n == 'Y' else 'n'}" for n in fixed)])
        yield text, shapes, "Z", at("Z", MATRICES, **fixed)
    yield from of_two_numbers()
    yield from mixtures()
    yield from at_the_edge()
    yield from of_matrices()


def of_two_numbers() -> Iterator[Case]:
    pairs = [
        (1e4, -1e4),
        (1e3, 999.0),
        (-1e3, -1e3),
        (0.1, 0.2),
        (-800.0, -750.0),
        (720.0, 710.0),
        (50.0, -3.0),
        (1e4, 1e4),
    ]
    points = [{"a": a, "b": b} for a, b in pairs]
    for text in (
        "log(exp(a) + exp(b))",
        "exp(a)/(exp(a) + exp(b))",
        "log(exp(a) + exp(b) + exp(a + b))",
        "log(2*exp(a) + 3*exp(b))",
    ):
        # of exp(a)/(exp(a) + exp(b)) by a, typed like this, the last digits are lost where a - b is
        # large
        by_a = [p for p in points if p["a"] - p["b"] < 50] if text.startswith("exp") else points
        yield text, "a: scalar; b: scalar", "a", by_a
        yield text, "a: scalar; b: scalar", "b", points


def mixtures() -> Iterator[Case]:
    one = "log(sum(w.*exp(-(x-m).^2./(2*s.^2))./s))"
    shapes = "x: scalar; m: n; w: n; s: n"
    given = {"w": WEIGHTS, "s": [0.5, 1.0, 2.0], "m": [-1.0, 0.0, 3.0]}
    points = at("x", (-1e4, -100.0, -30.0, 0.5, 40.0, 1e3, 1e4), **given)
    points += at("x", (0.5, 60.0), **given | {"w": [0.0, 1.0, 0.0]})
    for variable in ("x", "m", "w", "s"):
        yield one, shapes, variable, points
    two = "log(p*exp(-(x-a)^2/2) + (1-p)*exp(-(x-b)^2/2))"
    places = [
        {"x": x, "p": p, "a": -2.0, "b": 3.0}
        for x in (-1e4, -50.0, 0.4, 70.0, 1e3)
        for p in (0.25, 1.0)
    ]
    for variable in ("a", "b", "x"):
        yield two, "x: scalar; p: scalar; a: scalar; b: scalar", variable, places


def at_the_edge() -> Iterator[Case]:
    """At 0, as a limit from above."""
    shares = {"y": [0.0, 0.75, 0.25], "p": [0.5, 0.2, 0.3]}
    more = {"y": [1.0, 0.0, 0.0], "p": [0.9, 0.05, 0.05]}
    for text in (
        "sum(y.*log(y./p))",
        "cross_entropy(y, p)",
        "-y'*log(p)",
        "-sum(y.*log(p) + (1 - y).*log(1 - p))",
    ):
        yield text, "y: n; p: n", "p", [shares, more]
    for k in (0.0, 1.0, 2.0, 3.5):
        yield (
            "sum(x.^p)",
            "x: n; p: scalar",
            "x",
            [{"x": [0.0, 2.0, 0.5], "p": k}] if k != 3.5 else [],
        )
        yield "sum(x.^p)", "x: n; p: scalar", "p", [{"x": [0.0, 2.0, 0.5], "p": k}] if k else []
    yield "sum(y.*log(y))", "y: n", "y", [{"y": [0.25, 1e-300, 0.5]}]


def of_matrices() -> Iterator[Case]:
    for k in (1e-4, 1.0, 1e4, 1e150):
        matrix = [[4 * k, k, 0.0], [k, 3 * k, k], [0.0, k, 5 * k]]
        yield "log(det(K))", "K: n×n spd", "K", [{"K": matrix}]
        yield "log(det(A))", "A: n×n", "A", [{"A": matrix}]
        yield (
            "-log(exp(-x'*inv(K)*x/2)/det(K)^(1/2))",
            "K: n×n spd; x: n",
            "x",
            [{"K": matrix, "x": [1.0, 2.0, 3.0]}],
        )
    for scale in (1.0, 1e4, 1e6):
        direction = [[scale, 2 * scale], [-scale, scale]]
        for f in ("expm", "sqrtm"):
            yield (
                f"tr({f}(A)*B)",
                "A: n×n; B: n×n",
                "A",
                [{"A": [[1.0, 0.5], [0.25, 2.0]], "B": direction}],
            )


# ---- the truth -----------------------------------------------------------------------------------


def truth(e: ex.Expr, point: Point, lengths: Mapping[Any, int], changed: bool = False) -> Matrix:
    """The value of an expression to fifty digits, at the point or at one beside it."""
    digits = DIGITS
    before: Matrix | None = None
    while digits <= MOST:
        try:
            here = _evaluated(e, point, lengths, digits, random.Random(SEED) if changed else None)
        except OutsideDomain:  # what has lost all digits
            here = None
        if before is not None and here is not None and _agree(before, here):
            return here
        before, digits = here, digits * 2
    raise ArithmeticError(f"{e} at {point}: fifty digits are not there")


def _evaluated(
    e: ex.Expr, point: Point, lengths: Mapping[Any, int], digits: int, changes: random.Random | None
) -> Matrix:
    with localcontext(arithmetic(digits)):
        values = {v: _matrix(v, point[v.name], changes) for v in ex.variables(e)}
        return DecimalPoint(lengths, values, digits).evaluate(ex.postorder(e))


def _matrix(v: ex.Expr, value: Any, changes: random.Random | None) -> Matrix:
    """A value in decimals, where there are changes each entry changed.

    A symmetric matrix stays one.
    """
    if not isinstance(value, list):
        return [[_moved(Decimal(value), changes)]]
    given = [x if isinstance(x, list) else [x] for x in value]
    least = NOTHING if v.name in LIMITS else Decimal(0)
    rows = [[_moved(Decimal(x) or least, changes) for x in row] for row in given]
    if "spd" in v.properties:
        return [[rows[min(i, j)][max(i, j)] for j in range(len(rows))] for i in range(len(rows))]
    return rows


def _moved(x: Decimal, changes: random.Random | None) -> Decimal:
    """A number changed by a part in 10^16; 0 and 1 are meant as they are."""
    fixed = changes is None or x in (0, 1)
    return x if fixed else x * (1 + CHANGE * changes.choice((-1, 1)))


def _agree(a: Matrix, b: Matrix, tolerance: Decimal = Decimal(10) ** -KEPT) -> bool:
    pairs = [
        (x, y) for one, other in zip(a, b, strict=True) for x, y in zip(one, other, strict=True)
    ]
    return all(abs(x - y) <= tolerance * max(abs(y), LEAST) for x, y in pairs)


def written(x: Decimal) -> str:
    return f"{x:.{KEPT}e}" if abs(x) > LEAST else "0"


def rows() -> Iterator[list[str]]:
    for text, shapes, variable, points in cases():
        d = mc.derive(text, variable, shapes)
        truths = [d.expr, d.result]
        if "normcdf" in text:  # digits of 1 + erf(x) would go by the ten million
            other = text.replace("log(normcdf(a))", "log_normcdf(a)").replace(
                "log(1 - normcdf(a))", "log_normcdf(-a)"
            )
            known = mc.derive(other, variable, shapes)
            truths = [known.expr, known.result]
        for point in points:
            lengths = dict.fromkeys(
                "n", next((len(v) for v in point.values() if isinstance(v, list)), 0)
            )
            try:
                found = [truth(e, point, lengths) for e in truths]
                moved = [truth(e, point, lengths, changed=True) for e in truths]
            except (ArithmeticError, MatcalcError) as problem:
                print("no truth:", text, variable, point, type(problem).__name__, problem)
                continue
            if max(abs(x) for row in (*found[0], *found[1]) for x in row) > MOST_OF_DOUBLES:
                continue
            if not _agree(found[0], moved[0], VALUE) or not _agree(found[1], moved[1], GRADIENT):
                continue
            value, gradient = (
                written(found[0][0][0]),
                [[written(x) for x in row] for row in found[1]],
            )
            yield [text, shapes, variable, json.dumps(point), value, json.dumps(gradient)]


if __name__ == "__main__":
    lines = list(rows())
    TABLE.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")
    print(len(lines), "points")
