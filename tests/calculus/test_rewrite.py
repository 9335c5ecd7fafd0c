"""The rewrite rules: every row is proven by evaluating both of its sides on random matrices, and
is applied where it should be.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import points
import pytest

from matcalc import expr as ex
from matcalc.calculus.rewrite import RULES, Rule
from matcalc.calculus.simplify import simplify
from matcalc.expr import Expr
from matcalc.expr.sizes import UNIT
from matcalc.language.declarations import declarations
from matcalc.language.typed import typed
from matcalc.tables.rules import ROWS

# properties that only a variable can have
KEPT = {"orthogonal", "simplex", "onehot", "symmetric", "spd"}


def title(rule: Rule) -> str:
    return f"{rule.left_text} -> {rule.right_text}"


def sides(rule: Rule) -> tuple[Expr, Expr]:
    left, right = (typed(text, rule.shapes).expr for text in (rule.left_text, rule.right_text))
    return left, ex.spread(right, left.shape_)


def fresh(v: Expr) -> Expr:
    """The same letter under another name."""
    return ex.var(v.name + "1", v.shape_, v.properties)


def composite(v: Expr) -> Expr:
    """An expression of the kind that the letter stands for."""
    if KEPT.intersection(v.properties):
        return v
    if "positive" in v.properties:
        return ex.add(ex.pow_(ex.var(f"M_{v.name}", v.shape_), ex.num(2)), ex.ONE)
    if v.is_scalar:
        u = ex.var(f"u_{v.name}", (("k",), UNIT))
        return ex.add(ex.times(ex.var(f"s_{v.name}"), ex.matmul(ex.transpose(u), u)), ex.num(2))
    left, right = (
        ex.var(f"P_{v.name}", (v.shape_[0], ("k",))),
        ex.var(f"R_{v.name}", (("k",), v.shape_[1])),
    )
    return ex.add(ex.matmul(left, right), ex.times(ex.num(3), ex.var(f"M_{v.name}", v.shape_)))


def instances(rule: Rule) -> list[tuple[Expr, ...]]:
    """Both sides as they stand, with other letters, and with expressions for the letters."""
    return [
        sides(rule),
        *(tuple(with_letters(side, put) for side in sides(rule)) for put in (fresh, composite)),
    ]


def with_letters(e: Expr, put: Callable[[Expr], Expr]) -> Expr:
    return ex.substitute(e, lambda leaf: put(leaf) if leaf.head == "var" else leaf)


@pytest.mark.parametrize("rule", RULES, ids=title)
def test_both_sides_are_equal(rule: Rule) -> None:
    left, right = sides(rule)
    assert left is not right
    assert points.equal_everywhere(left, right, np.random.default_rng(1), points=5, tolerance=1e-9)
    assert points.equal_everywhere(
        left, right, np.random.default_rng(2), points=2, tolerance=1e-9, equal=True
    )


@pytest.mark.parametrize(
    "rule", [r for r in RULES if {"relu", "step", "abs", "sign"} & r.needs], ids=title
)
def test_both_sides_are_equal_at_kinks(rule: Rule) -> None:
    left, right = sides(rule)
    shapes = declarations(rule.shapes)
    rng = np.random.default_rng(3)
    at = {
        name: rng.choice([-1.0, 0.0, 1.0], tuple(3 + k for k, size in enumerate(d.shape) if size))
        for name, d in shapes.items()
    }
    a, b = points.values((left, right), at)
    assert points.gap(a, b) == 0
    assert any((np.asarray(x) == 0).any() for x in at.values()) or all(
        np.ndim(x) == 0 for x in at.values()
    )


@pytest.mark.parametrize("rule", RULES, ids=title)
def test_left_becomes_right(rule: Rule) -> None:
    for left, right in instances(rule):
        found = simplify(left)
        assert found is simplify(right) or found.count <= right.count, (
            f"{left} became {found}, not {right}"
        )
        assert found.shape_ == left.shape_
        assert points.equal_everywhere(
            left, found, np.random.default_rng(4), points=2, tolerance=1e-7
        ), f"{left} is not {found}"


@pytest.mark.parametrize("rule", RULES, ids=title)
def test_right_is_no_larger(rule: Rule) -> None:
    left, right = sides(rule)
    assert right.count <= left.count


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_letters_of_the_right_are_bound_by_the_left(row: tuple[str, str, str]) -> None:
    left, right, shapes = row
    declared, written = set(declarations(shapes)), set(re.findall(r"\b[A-Za-z]\b", left))
    assert declared <= written
    assert {name for name in re.findall(r"\b[A-Za-z]\b", right) if name in declared} <= written


LOOKALIKES = (
    # what a careless matcher would rewrite
    ("inv(X'*X)*Y'", "X: m×n; Y: m×n"),
    ("exp(X)./(1+exp(Y))", "X: m×n; Y: m×n"),
    ("exp(X)./(2+exp(X))", "X: m×n"),
    ("log(2+exp(X))", "X: m×n"),
    ("1./(1+exp(X))", "X: m×n"),
    ("exp(x)/sum(exp(y))", "x: n; y: n"),
    ("exp(X)/sum(exp(X))", "X: m×n"),
    ("log(sum(exp(X)))", "X: m×n"),
    ("log(sum(exp(x) + y))", "x: n; y: n positive"),
    ("sum(x)", "x: n positive"),
    ("Q'*R", "Q: n×n orthogonal; R: n×n orthogonal"),
    ("Q'*A*Q", "Q: n×n orthogonal; A: n×n"),
    ("inv(Q + A)", "Q: n×n orthogonal; A: n×n"),
    ("ones(m)'*Y", "Y: m×n onehot"),
    ("relu(X).*step(Y)", "X: m×n; Y: m×n"),
    ("relu(X).*step(-X)", "X: m×n"),
    ("step(X) + step(X).^2", "X: m×n"),
    ("sign(X).^2", "X: m×n"),
    ("abs(X).^3", "X: m×n"),
    ("abs(X).*sign(Y)", "X: m×n; Y: m×n"),
    ("sum(X.^3)", "X: m×n"),
    ("sum(X.^2.*Y)", "X: m×n; Y: m×n"),
    ("det(inv(A) + B)", "A: n×n; B: n×n"),
    ("log(2*det(A))", "A: n×n"),
    ("log(det(A)^2)", "A: n×n"),
    ("log(a*exp(b))", "a: scalar positive; b: scalar"),
    ("exp(a*log(b))", "a: scalar; b: scalar positive"),
    ("log(exp(a)*exp(b))", "a: scalar; b: scalar"),
    ("exp(-X).*sigmoid(Y)", "X: m×n; Y: m×n"),
    ("exp(X).*sigmoid(X)", "X: m×n"),
    ("exp(-x)'*sigmoid(x)", "x: n"),
    ("X*inv(X'*A*X)*X'", "X: m×n; A: m×m spd"),
    ("inv(X'*X + A)*X'", "X: m×n; A: n×n spd"),
    ("expm_frechet(A,2*eye(n))", "A: n×n"),
    ("inv(diag(x) + A)", "x: n; A: n×n"),
    ("inv(x*y' + A)", "x: n; y: n; A: n×n"),
    ("A*B*inv(A*B)", "A: n×n; B: n×n"),
    ("A*inv(B*A)*C", "A: n×n; B: n×n; C: n×n"),
    ("A'*inv(A)", "A: n×n"),
    ("inv(A')*A", "A: n×n"),
    ("X*inv(Y*X)", "X: m×n; Y: n×m"),
    ("sum(x./x)*sum(x)", "x: n positive"),
    ("sum(ones(m,n) + X)", "X: m×n"),
    ("tr(x*y' + eye(n))", "x: n; y: n"),
    ("norm2(x - y)^2 - norm2(x)^2", "x: n; y: n"),
    ("softmax(x + a)", "x: n; a: scalar"),
    ("(X + y')'*(X + y')", "X: m×n; y: n"),
    ("(X + a)*(X + a)'", "X: m×n; a: scalar"),
    ("A*(x + a) - A*x", "A: m×n; x: n; a: scalar"),
    ("a*(X + y') + b*(X + y')", "X: m×n; y: n; a: scalar; b: scalar"),
    ("X.*(Y + z') - X.*Y", "X: m×n; Y: m×n; z: n"),
    ("sum(X + y') - sum(X)", "X: m×n; y: n"),
    ("diag(x)*A + diag(x)*B", "x: n; A: n×m; B: n×m"),
    ("A*diag(x) + B*diag(x)", "x: n; A: m×n; B: m×n"),
    ("x*x'*y + y*x'*x", "x: n; y: n"),
    ("x^2*a + a", "x: scalar; a: scalar"),
    ("a/b + a/b^2", "a: scalar; b: scalar positive"),
    ("A^2 + A*B + A", "A: n×n; B: n×n"),
    ("A*B*A + A*C*A", "A: n×n; B: n×n; C: n×n"),
)


@pytest.mark.parametrize(("text", "shapes"), LOOKALIKES)
def test_simplification_keeps_the_value(text: str, shapes: str) -> None:
    e = typed(text, shapes).expr
    found = simplify(e)
    assert found.shape_ == e.shape_
    assert found.count <= e.count
    assert points.equal_everywhere(e, found, np.random.default_rng(5), tolerance=1e-7), (
        f"{e} is not {found}"
    )


EQUALS = {
    # rearrangements that have no row: common factors, inverses, expansion where it cancels
    "A*x + A'*x": "(A + A')*x",
    "A*inv(A)*x": "x",
    "A*inv(B*A)": "inv(B)",
    "2*A + 2*B": "2*(A + B)",
    "inv(A)*A + eye(n)": "2*eye(n)",
    "a*A + a*B": "a*(A + B)",
    "(A + B)*x - B*x": "A*x",
    "x*x'*A*x + (x'*x)*A'*x": "x*x'*A*x + A'*x*x'*x",
}


@pytest.mark.parametrize("text", list(EQUALS))
def test_rearrangements(text: str) -> None:
    shapes = "A: n×n; B: n×n; x: n; a: scalar"
    e, wanted = typed(text, shapes).expr, typed(EQUALS[text], shapes).expr
    found = simplify(e)
    assert found.count <= wanted.count, str(found)
    assert points.equal_everywhere(e, found, np.random.default_rng(6))
