"""Explanations: what they say of an answer is true."""

from __future__ import annotations

import re
from itertools import pairwise, permutations, product

import numpy as np
import pytest

import matcalc as mc
from matcalc.api.derive import unverified
from matcalc.api.explain import explain
from matcalc.language.typed import typed

SAID = re.compile(r"with all sizes equal, (\d+) products of these factors have this shape")

# expression, variable, declarations, the factors of the answer as shapes at equal sizes: s is a
# symmetric matrix
PRODUCTS = (
    ("tr(A*X*B)", "X", "A: n×n; X: n×n; B: n×n", "mm"),
    ("tr(A*X*B)", "X", "", "mm"),
    ("tr(S*X*B)", "X", "S: n×n symmetric; X: n×n; B: n×n", "sm"),
    ("tr(S*X*P)", "X", "S: n×n symmetric; X: n×n; P: n×n spd", "ss"),
    ("tr(A*X*B*C)", "X", "A: n×n; X: n×n; B: n×n; C: n×n", "mmm"),
    ("tr(A*inv(B)*C*X)", "X", "A: n×n; X: n×n; B: n×n; C: n×n", "mmm"),
    ("u'*A*x", "x", "u: n; A: n×n", "mv"),
    ("u'*A*B*x", "x", "u: n; A: n×n; B: n×n", "mmv"),
    ("a*(u'*S*T*x)", "x", "a: scalar; u: n; S: n×n symmetric; T: n×n", "smv"),
    ("u'*X*v", "X", "u: n; v: n", "vv"),
    ("u'*A*X*v", "X", "u: n; v: n; A: n×n; X: n×n", "mvv"),
    ("norm2(X*w - y)^2", "w", "", "mv"),
    ("A*B*x", "x", "A: n×n; B: n×n", "mm"),
)

# the answer is no plain product of different matrices and vectors: nothing is said
SILENT = (
    ("sum(G.*softmax_rows(Z))", "Z", ""),  # entry by entry
    ("sum(A.*X.*B)", "X", ""),
    ("x'*diag(A)*b", "x", "x: n; A: n×n; b: scalar"),
    ("sum(A*X*B)", "X", ""),  # with ones
    ("tr(A)*tr(B*X)", "X", "A: n×n; B: n×n; X: n×n"),  # a trace beside it
    ("(u'*v)*(w'*x)", "x", ""),  # an inner product beside it
    ("x'*A*x", "x", "A: n×n"),  # a sum of two terms
    ("tr(A*X*A)", "X", "A: n×n; X: n×n"),  # a factor that stands twice
    ("tr(A*A*X*B)", "X", "A: n×n; X: n×n; B: n×n"),
    ("tr(inv(A)*X*A)", "X", "A: n×n; X: n×n"),  # A*inv(A) is no product of its own
    ("tr(expm(A)*A*X)", "X", "A: n×n; X: n×n"),
    ("u'*S*x", "x", "u: n; S: n×n symmetric"),  # there is one
    ("a*tr(A*X)", "X", "A: n×n; X: n×n"),  # a single matrix
    ("sum(sigmoid(W*x + b))", "W", "b: m"),
    ("y'*kron(A,B)*x", "x", "A: n×n; B: m×m"),
)


def told(text: str, wrt: str, shapes: str) -> list[int]:
    program = typed(text, shapes)
    (d,) = unverified(program, [program.variables[wrt]])
    return [int(n) for n in SAID.findall(explain(d))]


def distinct_products(kinds: str, columns: bool) -> int:
    """How many different values products of random factors have, each used once, in any order,
    transposed or not.
    """
    rng = np.random.default_rng(3)
    arrays = [rng.normal(size=(3, 1 if kind == "v" else 3)) for kind in kinds]
    arrays = [a + a.T if kind == "s" else a for a, kind in zip(arrays, kinds, strict=True)]
    values = set()
    for order in permutations(arrays):
        for flips in product((False, True), repeat=len(order)):
            chain = [a.T if flip else a for a, flip in zip(order, flips, strict=True)]
            if all(a.shape[1] == b.shape[0] for a, b in pairwise(chain)):
                value = np.linalg.multi_dot(chain)
                if value.shape == (3, 3 if columns else 1):
                    values.add(tuple(value.round(9).ravel()))
    return len(values)


@pytest.mark.parametrize(("text", "wrt", "shapes", "kinds"), PRODUCTS)
def test_products_of_the_factors_are_counted(text: str, wrt: str, shapes: str, kinds: str) -> None:
    expected = distinct_products(kinds, kinds.count("v") != 1)
    assert expected > 1
    assert told(text, wrt, shapes) == [expected]


@pytest.mark.parametrize(("text", "wrt", "shapes"), SILENT)
def test_nothing_is_said_of_other_products(text: str, wrt: str, shapes: str) -> None:
    assert told(text, wrt, shapes) == []


def test_an_explanation_is_public() -> None:
    assert "8 products" in mc.derive("tr(A*X*B)", "X", "A: n×n; X: n×n; B: n×n").explain()
