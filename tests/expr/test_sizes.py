"""Sizes that are declared as numbers: typed, differentiated and compiled, beside differences of
values.
"""

from __future__ import annotations

import numpy as np
import points
import pytest

import matcalc as mc
from matcalc.api.derive import unverified
from matcalc.expr.sizes import length
from matcalc.language.typed import typed

CASES = {
    "sum(conv(x,w).^2)": "x: 5; w: 3",
    "sum(conv(conv(x,w),v).^2)": "x: 5; w: 3; v: 2",
    "sum(conv(x,w)[2:4].^2)": "x: 5; w: 3",
    "sum(conv(x,w)).^2": "x: 1; w: 12",
    "sum(corr(x,w).^2)": "x: 12; w: 7",
    "sum(corr(x,w).^3)": "x: 5; w: 5",
    "sum(corr(x,w).^4)": "x: 5; w: 1",
    "norm2(convmat(x,w))^2": "x: 5; w: 3",
    "norm2(hankel(x,w))^2": "x: 5; w: 3",
    "sum(min(V, V*U))": "V: 7×12; U: 12×12",
    "sum(norm2_cols(X))": "X: 10×10",
    "sum(rowsums(X).^2)": "X: 12×1",
    "-sum(Y.*log(softmax_rows(X*W)))": "X: 100×20; W: 20×10; Y: 100×10",
    "var(v)": "v: 12",
    "std(v)": "v: 12",
    "var(v) + std(v)": "v: 1",
    "norm2([A, B; C, D])^2": "A: 7×8; B: 7×1; C: 1×8; D: 1×1",
    "sum([x; y].^2)": "x: 7; y: 8",
    "norm2([x, x; y, y])": "x: 7; y: 9",
    "sum([x, X].^2)": "x: 7; X: 7×9",
    "sum(exp(x[2:5]))": "x: 7",
    "X[2,3]*X[1,1]": "X: 7×8",
    "sum(X[2:4,1:7].^3)": "X: 7×8",
    "sum(kron(X,Y).^2)": "X: 2×7; Y: 8×3",
    "norm2(kron(X,Y)*z)^2": "X: 2×7; Y: 8×3; z: 7*3",
    "norm2(vec(X) - y)^2": "X: 7×8; y: 8*7",
    "logdet(eye(3) + X*X')": "X: 3×12",
    "sum((X + eye(7)).^2)": "X: 7×7",
    "norm2(ones(7,2)*X)": "X: 2×9",
    "norm2(K(7,8)*vec(X))^2": "X: 7×8",
    "norm2(shifts(7,8)*kron(x,y))": "x: 7; y: 8",
    "sum(cumsum(X).^2)": "X: 12×12",
    "lambda_max(S)": "S: 7×7 symmetric",
    "rows(X)*norm2(X)/numel(X)": "X: 7×12",
    "sum(cross(x,y).^2)": "x: 3; y: 3",
}


@pytest.mark.parametrize("target", ["numpy", "array_api"])
@pytest.mark.parametrize(("text", "shapes"), CASES.items())
def test_gradient_is_the_slope(text: str, shapes: str, target: str) -> None:
    program = typed(text, shapes)
    rng = np.random.default_rng(1)
    variables = program.variables.values()
    at = {
        v.name: np.abs(points.draw(v, tuple(length(size, {}) for size in v.shape_ if size), rng))
        for v in variables
    }
    f = program.expr.compile()
    for d in unverified(program, variables):
        step = points.direction(d.wrt, at[d.wrt.name], rng) * 1e-6
        change = (
            f(**at | {d.wrt.name: at[d.wrt.name] + step})
            - f(**at | {d.wrt.name: at[d.wrt.name] - step})
        ) / 2
        gradient = np.asarray(d.compile(target)(**at))
        assert gradient.shape == np.shape(step)
        assert (gradient * step).sum() == pytest.approx(change, rel=1e-4, abs=1e-12)


@pytest.mark.parametrize("shapes", ["x: 7; w: 12", "x: 1; w: 3"])
def test_correlation_with_a_longer_vector_is_refused(shapes: str) -> None:
    with pytest.raises(mc.ShapeProblem, match="longer"):
        mc.parse("corr(x,w)", shapes)


@pytest.mark.parametrize(
    ("text", "wrt", "shapes"), [("log2(P)", "P", "P: 12×8"), ("S^3*S", "S", "S: 12×12 diagonal")]
)
def test_declared_sizes_that_are_too_large_to_try_are_passed_over(
    text: str, wrt: str, shapes: str
) -> None:
    assert mc.derive(text, wrt, shapes, order=2).verification.ok


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("shapes", ["Q: 9×l", "Q: l×12", "Q: 7×l"])
@pytest.mark.parametrize("text", ["std(Q)", "var(Q)^2"])
def test_a_number_in_the_answer_stays_where_another_size_is_1(
    text: str, shapes: str, order: int
) -> None:
    assert not mc.derive(text, "Q", shapes, order=order, along="V").verification.wrong
