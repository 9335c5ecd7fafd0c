"""SymPy's own cases, which benchmarks/sympy.md shows: each is derived, verified and written back.

How the benchmark judges is tested as well: a wrong answer must be judged wrong.
"""

import random
import re
from typing import Any

import numpy as np
import pytest
import sympy as sp
from sympy import DiagMatrix, HadamardProduct, Identity, KroneckerDelta, MatrixSymbol, Trace, sin
from sympy.tensor.array.expressions import (
    ArrayAdd,
    ArrayContraction,
    ArrayDiagonal,
    ArrayElementwiseApplyFunc,
    ArraySymbol,
    ArrayTensorProduct,
    OneArray,
    PermuteDims,
    Reshape,
)

import matcalc as mc
from benchmarks import sympy_tests
from benchmarks.sympy_cases import CASES, A, B, Case, X, a, b, i, j, k, m, n, x, y
from benchmarks.sympy_numbers import NoNumbers, Point, agree, derivative, points
from matcalc.expr import variables
from matcalc.interop import from_sympy, to_sympy
from matcalc.labels.roots import parts


def shown(case):
    return f"{case.expression} by {case.wrt}"[:80]


@pytest.mark.parametrize("case", CASES, ids=shown)
def test_every_case_is_verified_and_written_back(case):
    assert sympy_tests.ours(case).verdict == "verified"
    d = sympy_tests.derived(case)
    if not isinstance(d.result, mc.Expr):
        with pytest.raises(mc.NoMatrixForm, match="index form"):
            d.to_sympy()
        return
    for at in points(case.expression, case.wrt):
        assert_same_numbers(d, at)


def assert_same_numbers(d, at):
    """SymPy's form of the answer has its numbers, and so has what is read back from it."""
    arguments = sympy_tests.arguments(d, at)
    columns = {
        name: np.reshape(v, (-1, 1)) if np.ndim(v) == 1 else v for name, v in arguments.items()
    }
    want, written = sympy_tests.numbers(d, at), d.to_sympy()
    back = np.asarray(from_sympy(written).compile()(**arguments))
    for found in (np.asarray(Point(columns).number(written)), back):
        np.testing.assert_allclose(
            0 * want if written == 0 else found.reshape(want.shape), want, rtol=1e-9, atol=1e-12
        )


def test_the_page_counts_these_cases():
    found = re.search(
        r"(\d+) cases\. matcalc: (\d+) verified\.", sympy_tests.PAGE.read_text(encoding="utf-8")
    )
    assert found is not None
    assert [int(count) for count in found.groups()] == [len(CASES)] * 2


# ---- how answers are judged ----------------------------------------------------------------------

RIGHT = (
    (x.T * A * x, x, (A + A.T) * x),
    (x.T * A * x, x, x.T * (A + A.T)),  # the other layout
    (A * x, x, A),
    (A * x, x, A.T),
    (a.T * X.applyfunc(sin) * b, X, DiagMatrix(a) * X.applyfunc(sp.cos) * DiagMatrix(b)),
    (Trace(X) ** 2, X[m, n], 2 * Trace(X) * KroneckerDelta(m, n)),
    (A * X * B, X, PermuteDims(ArrayTensorProduct(A, B), [0, 3, 1, 2])),
    (A * X * B, X, PermuteDims(ArrayTensorProduct(A, B), [1, 2, 0, 3])),
    (x, i, sp.ZeroMatrix(k, 1)),
    (X, A, sp.Integer(0)),
)
WRONG = (
    (x.T * A * x, x, 2 * A * x),
    (x.T * A * x, x, (A + A.T) * x + x),
    (A * x, x, A + Identity(k)),
    (Trace(A * X), X, A + A.T),
    (Trace(X) ** 2, X[m, n], 2 * Trace(X)),  # only right at m = n
    (A * X * B, X, PermuteDims(ArrayTensorProduct(A, B), [0, 2, 1, 3])),
    (x, i, x),
    (x, x, sp.Integer(1)),
    (x.T * y, x, HadamardProduct(y, y)),
)


@pytest.mark.parametrize(("expression", "wrt", "answer"), RIGHT, ids=str)
def test_a_right_answer_is_judged_right_in_either_layout(expression, wrt, answer):
    assert sympy_tests.judged(Case("", expression, wrt), answer).startswith("right")


@pytest.mark.parametrize(("expression", "wrt", "answer"), WRONG, ids=str)
def test_a_wrong_answer_is_judged_wrong(expression, wrt, answer):
    assert sympy_tests.judged(Case("", expression, wrt), answer) == "wrong"


def test_what_cannot_be_judged_is_said():
    case = Case("", x.T * x, x)
    assert sympy_tests.judged(case, sp.Derivative(sin(i), i)) == "unevaluated"
    assert sympy_tests.judged(case, sp.gamma(i) * x) == "no numbers: gamma"
    assert (
        sympy_tests.judged(
            case, sp.Basic.__new__(sp.MatAdd, sp.OneMatrix(2, 2), sp.OneMatrix(3, 3))
        )
        == "wrong: its shapes do not fit"
    )


def test_crashes_are_named():
    answer = sympy_tests.theirs(Case("", x.T * x, sp.Integer(3)))
    assert answer.verdict == "crash"
    assert answer.text == "ValueError"


ARRAYS = (
    ArrayContraction(ArrayTensorProduct(A, X, B), (1, 2), (3, 4)),
    ArrayDiagonal(ArrayTensorProduct(A, X), (0, 2), (1, 3)),
    ArrayDiagonal(ArrayTensorProduct(x, y), (0, 2)),
    PermuteDims(ArrayTensorProduct(x, a), [2, 0, 1, 3]),
    Reshape(A, (k**2,)),
    sp.Sum(A[i, j] * X[j, m], (j, 0, k - 1)),
    sp.Sum((x[i, 0] + y[j, 0]) ** 2 * A[i, j], (i, 0, k - 1), (j, 0, k - 1)),
    sp.Sum(KroneckerDelta(i, j) * A[i, j], (i, 0, k - 1), (j, 0, k - 1)),
)


@pytest.mark.parametrize("expression", ARRAYS, ids=str)
def test_the_numbers_are_those_of_sympys_explicit_arrays(expression):
    """The evaluation by NumPy against SymPy's own, at k = 2."""
    at: dict[str, Any] = {"k": 2, "i": 0, "j": 1, "m": 1} | {
        name: np.arange(4.0).reshape(2, 2) ** p for p, name in enumerate("AXB", 1)
    }
    at |= {name: np.array([[p], [p**2 + 1.0]]) for p, name in enumerate("xya", 1)}
    two = expression.subs(k, 2).doit()
    explicit = two.as_explicit() if hasattr(two, "as_explicit") else two
    entries = {
        MatrixSymbol(name, *v.shape)[p, q]: v[p, q]
        for name, v in at.items()
        if np.ndim(v)
        for p, q in np.ndindex(v.shape)
    }
    values = {i: 0, j: 1, m: 1}
    found = explicit.subs(values).doit().xreplace(entries)
    np.testing.assert_allclose(
        Point(at).number(expression),
        np.array(found.tolist() if hasattr(found, "tolist") else found, dtype=float),
    )


LEAVES = (
    MatrixSymbol("M", k, m),
    B,
    a,
    MatrixSymbol("r", 1, k),
    Identity(k),
    sp.OneMatrix(k, m),
    ArraySymbol("v", (k,)),
    OneArray(m, k),
)
INDEX = {i: k, j: m, n: k}


def random_array(rng, depth):
    """Tensor products, contractions, diagonals, permutations, sums and functions of entries, at
    random axes.
    """
    if depth == 0:
        return rng.choice(LEAVES)
    e = random_array(rng, depth - 1)
    pairs = [(p, q) for q in range(len(e.shape)) for p in range(q) if e.shape[p] == e.shape[q]]
    choices = [
        lambda: ArrayTensorProduct(e, random_array(rng, depth - 1)),
        lambda: ArrayAdd(e, ArrayTensorProduct(2, e)),
    ]
    choices += [
        lambda: PermuteDims(e, rng.sample(range(len(e.shape)), len(e.shape))),
        lambda: ArrayElementwiseApplyFunc(sin, e),
    ]
    choices += [
        lambda: ArrayContraction(e, rng.choice(pairs)),
        lambda: ArrayDiagonal(e, rng.choice(pairs)),
    ] * bool(pairs)
    return rng.choice(choices)() if e.shape else e


def random_entry(rng, depth):
    """A scalar of the indices i, j and n."""
    if depth == 0:
        leaf = rng.choice(LEAVES[:4])
        return leaf[
            tuple(
                0
                if size == 1
                else rng.choice([index for index, length in INDEX.items() if length == size])
                for size in leaf.shape
            )
        ]
    e, f = random_entry(rng, depth - 1), random_entry(rng, depth - 1)
    inner = sp.Sum(f, (n, 0, k - 1))
    return rng.choice([e * f, e + 2 * f, sin(e), e**2, e * KroneckerDelta(i, n), e * inner])


@pytest.mark.parametrize("seed", range(80))
def test_random_arrays_and_sums_are_read_with_their_numbers(seed):
    rng = random.Random(seed)
    expression = (
        random_array(rng, 3)
        if seed % 2
        else sp.Sum(random_entry(rng, 2), *((index, 0, size - 1) for index, size in INDEX.items()))
    )
    try:
        e = from_sympy(expression)
    except mc.Unsupported as problem:
        assert re.search(
            r"(that factors share|that share factors|of \d+ axes) has no form"
            r"|no matrix expression joins",
            str(problem),
        )
        return
    values = np.random.default_rng(seed)
    at = {"k": 3, "m": 4} | {
        name: values.uniform(0.2, 0.9, shape)
        for name, shape in {"M": (3, 4), "B": (3, 3), "a": (3, 1), "r": (1, 3), "v": 3}.items()
    }
    given = {
        v.name: at[v.name].ravel() if len(v.shape) == 1 else at[v.name]
        for v in variables(*parts(e))
    }
    np.testing.assert_allclose(
        e.compile()(k=3, m=4, **given), np.squeeze(Point(at).number(expression)), rtol=1e-9
    )


def test_differences_and_layouts():
    at = {"k": 2, "X": np.array([[1.0, 2.0], [3.0, 4.0]])}
    found = derivative(X * X, X, at)
    assert found.shape == (2, 2, 2, 2)
    np.testing.assert_allclose(found[0, 1, 0, 0], 2, rtol=1e-6)
    assert agree(found, found, 2)
    assert agree(found.transpose(2, 3, 0, 1), found, 2)
    assert not agree(found.transpose(1, 0, 2, 3), found, 2)
    with pytest.raises(NoNumbers, match="gamma"):
        Point(at).number(sp.gamma(i))


def test_the_command_prints_the_cases_that_are_asked_for(capsys):
    assert sympy_tests.main(["--case", "test_one_matrix"]) == 0
    printed = capsys.readouterr().out
    assert "1 cases. matcalc: 1 verified." in printed
    assert "| `x.T*1` | `x` | `ones(k)` | verified |" in printed


def test_sympys_form_keeps_the_symbols():
    assert to_sympy(from_sympy(A * x)) == A * x
