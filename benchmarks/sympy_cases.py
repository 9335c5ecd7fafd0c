"""The expressions that SymPy's own tests differentiate, by matrices, by their entries and by
scalars, in the order of those tests.

Of SymPy 1.14: every expression of the functions that are named, those whose assertion is commented
out there included. ``x[i, 0]`` is an entry, ``array_derive`` in a file's name the function that is
tested. Where SymPy's test uses one letter for an index and for a number or a dimension, the index
has another letter here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sympy import (
    Determinant,
    HadamardPower,
    HadamardProduct,
    Inverse,
    KroneckerProduct,
    MatAdd,
    MatMul,
    MatrixSymbol,
    OneMatrix,
    Rational,
    S,
    Sum,
    Trace,
    exp,
    log,
    sin,
    symbols,
    tan,
)
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.tensor.array.expressions import (
    ArrayContraction,
    ArrayDiagonal,
    ArrayElementwiseApplyFunc,
    ArraySymbol,
    ArrayTensorProduct,
    Reshape,
)


class Case(NamedTuple):
    """An expression, the variable or the entry by which it is differentiated, and the test of
    SymPy where it stands.
    """

    test: str
    expression: Any
    wrt: Any
    order: int = 1


i, j, k, m, n, mu, t = symbols("i j k m n mu t")
A, B, C, D, X = (MatrixSymbol(name, k, k) for name in "ABCDX")
a, b, c, d, x, y = (MatrixSymbol(name, k, 1) for name in "abcdxy")

COMPLICATED = (
    a.T
    * (
        A * X * (X.T * B + X * A)
        + B.T
        * X.T
        * (
            a * b.T * (X * D * X.T + X * (X.T * B + A * X) * D * B - X.T * C.T * A) * B
            + B * (X * D.T + B * A * X * A.T - 3 * X * D)
        )
        * B
        + 42 * X * B * X.T * A.T * (X + X.T)
    )
    * b
)
BLEND = (X * b + c).T * D * (X * b + c)
TRACES = {
    Trace(X): X,
    Trace(X * A): X,
    Trace(A * X * B): X,
    Trace(A * X.T * B): X,
    Trace(X.T * A): X,
    Trace(A * X.T): X,
    Trace(KroneckerProduct(A, X)): X,
    Trace(X**2): X,
    Trace(X**2 * B): X,
    Trace(MatMul(X, X, B)): X,
    Trace(X.T * B * X): X,
    Trace(B * X * X.T): X,
    Trace(X * X.T * B): X,
    Trace(X * B * X.T): X,
    Trace(B * X.T * X): X,
    Trace(X.T * X * B): X,
    Trace(A * X * B * X): X,
    Trace(X.T * X): X,
    Trace(X * X.T): X,
    Trace(B.T * X.T * C * X * B): X,
    Trace(X.T * B * X * C): X,
    Trace(A * X * B * X.T * C): X,
    Trace((A * X * B + C) * (A * X * B + C).T): X,
    Trace(KroneckerProduct(X, X)): X,
    Trace(X) * Trace(X): X,
    Trace(X**k): X,
    Trace(A * X**k): X,
    Trace(B.T * X.T * C * X * X.T * C * X * B): X,
    Trace(A * X ** (-1) * B): X,
    Trace(Inverse(X.T * C * X) * A): X,
    Trace((X.T * C * X).inv() * (X.T * B * X)): X,
    Trace((A + X.T * C * X).inv() * (X.T * B * X)): X,
}

MATRICES = {
    "test_matrix_derivative_by_scalar": (
        (A, i),
        (A * (X + B) * c, i),
        (x, i),
        (x.T * y, i),
        (x * x.T, i),
        (x + y, i),
        (HadamardPower(x, 2), i),
        (HadamardPower(x, i), i),
        (HadamardProduct(x, y), i),
        (HadamardProduct(i * OneMatrix(k, 1), x, y), i),
        (i * x, i),
        (sin(i) * A * B * x, i),
        (x.applyfunc(sin), i),
        (Trace(i**2 * X), i),
        (2 * mu * x, x),
    ),
    "test_one_matrix": ((MatMul(x.T, OneMatrix(k, 1)), x),),
    "test_matrix_derivative_non_matrix_result": (
        (A, A),
        (A.T, A),
        (2 * A, A),
        (MatAdd(A, A), A),
        (A + B, A),
    ),
    "test_matrix_derivative_trivial_cases": ((X, A),),
    "test_matrix_derivative_with_inverse": (
        (a.T * Inverse(X) * b, X),
        (Determinant(Inverse(X)), X),
        (Trace(A * Inverse(X) * B), X),
        (Trace(Inverse(X + A)), X),
    ),
    "test_matrix_derivative_vectors_and_scalars": (
        (x, x),
        (x[i, 0], x[m, 0]),
        (x.T, x),
        (x.T * a, x),
        ((x.T * a)[0, 0], x[m, 0]),
        (a.T * x, x),
        (a.T * X * b, X),
        (a.T * X.T * b, X),
        (a.T * X * a, X),
        (a.T * X.T * a, X),
        (b.T * X.T * X * c, X),
        ((B * x + b).T * C * (D * x + d), x),
        (x.T * B * x, x),
        (b.T * X.T * D * X * c, X),
        (BLEND, X),
        (BLEND[0, 0], X[m, n]),
        (x * x.T * x, x),
    ),
    "test_matrix_derivatives_of_traces": (
        (Trace(A) * A, A),
        ((Trace(A) * A)[i, j], A[m, n]),
        *TRACES.items(),
        *((e.rewrite(Sum), X[m, n]) for e in (Trace(X), Trace(X * A), Trace(A * X * B))),
    ),
    "test_derivatives_of_complicated_matrix_expr": ((COMPLICATED, X),),
    "test_mixed_deriv_mixed_expressions": (
        (3 * Trace(A), A),
        (k, A),
        (Trace(A) ** 2, A),
        (Trace(A) * A, A),
        (Trace(Trace(A) * A), A),
        (Trace(Trace(Trace(A) * A) * A), A),
    ),
    "test_derivatives_matrix_norms": (
        (x.T * y, x),
        ((x.T * y)[0, 0], x[m, 0]),
        ((x.T * y) ** S.Half, x),
        ((x.T * x) ** S.Half, x),
        ((c.T * a * x.T * b) ** S.Half, x),
        ((c.T * a * x.T * b) ** Rational(1, 3), x),
        ((a.T * X * b) ** S.Half, X),
        (d.T * x * (a.T * X * b) ** S.Half * y.T * c, X),
    ),
    "test_derivatives_elementwise_applyfunc": (
        (x.applyfunc(tan), x),
        (x.applyfunc(tan)[i, 0], x[m, 0]),
        ((i**2 * x).applyfunc(sin), i),
        ((i**2 * x).applyfunc(sin)[j, 0], i),
        ((log(i) * A * B).applyfunc(sin), i),
        (A * x.applyfunc(exp), x),
        (x.T * A * x + k * y.applyfunc(sin).T * x, x),
        (x.applyfunc(sin).T * y, x),
        ((a.T * X * b).applyfunc(sin), X),
        (a.T * X.applyfunc(sin) * b, X),
        (a.T * (A * X * B).applyfunc(sin) * b, X),
        (a.T * (A * X * b).applyfunc(sin) * b.T, X),
        (a.T * A * X.applyfunc(sin) * B * b, X),
        (a.T * (A * X.applyfunc(sin) * B).applyfunc(log) * b, X),
        (a.T * X.applyfunc(sin).applyfunc(log) * b, X),
    ),
    "test_derivatives_of_hadamard_expressions": (
        (HadamardProduct(a, x, b), x),
        (a.T * HadamardProduct(A, X, B) * b, X),
        (HadamardPower(x, 2), x),
        (HadamardPower(x.T, 2), x),
        (HadamardPower(x, S.Half), x),
        (HadamardPower(a.T * X * b, 2), X),
        (HadamardPower(a.T * X * b, S.Half), X),
    ),
}

OUTER, CUBE, K4 = (
    ArrayTensorProduct(A, X, B),
    ArraySymbol("A", (3, 2, k)),
    ArraySymbol("K4", (k, k, k, k)),
)
ENTRY = K4[i, j, m, n]
SINE = ArrayElementwiseApplyFunc(sin, CUBE)
ARRAYS = {
    "test_arrayexpr_derivatives1": (
        (X, X),
        (OUTER, X),
        (ArrayContraction(X, (0, 1)), X),
        (ArrayDiagonal(X, (0, 1)), X),
        (ElementwiseApplyFunction(sin, X), X),
        (ArrayElementwiseApplyFunc(sin, X), X),
        (CUBE, CUBE),
        (SINE, CUBE),
        (Reshape(A, (k**2,)), A),
    ),
}


def _of_matexpr() -> dict[str, tuple[Any, ...]]:
    n, m, k, p = symbols("n m k p", integer=True)
    A, D, w = MatrixSymbol("A", n, m), MatrixSymbol("D", n, n), MatrixSymbol("w", n, 1)
    E, F, u = MatrixSymbol("A", 2, 3), MatrixSymbol("B", 3, 2), MatrixSymbol("u", 2, 3)
    return {
        "test_MatrixElement_diff": ((A[3, 0] * A[0, 0], A[0, 0]),),
        "test_matrixelement_diff": (
            ((D * w)[k, 0], w[p, 0]),
            (w[k, p], w[k, p]),
            (w[k, p], w[0, 0]),
        ),
        "test_issue_24859": ((((E + t * u) * F)[1, 1], t),),
    }


def _of_arrays() -> tuple[tuple[Any, Any], ...]:
    M, N = ArraySymbol("M", (k, k)), ArraySymbol("N", (k, k))
    return (
        (M[0, 0], M[0, 0]),
        (M[0, 0], M[1, 0]),
        (M[0, 0], N[0, 0]),
        (M[0, 1], M[i, j]),
        (M[0, 1], N[i, j]),
        (ENTRY, K4[1, 2, 3, 4]),
    )


def _of_dots() -> tuple[tuple[Any, Any], ...]:
    a, b = MatrixSymbol("a", 3, 1), MatrixSymbol("b", 3, 1)
    dot = a[0, 0] * b[0, 0] + a[1, 0] * b[1, 0] + a[2, 0] * b[2, 0]
    return ((dot, a[0, 0]), (b[0, 0], a[0, 0]))


def _of_array_derivative() -> tuple[tuple[Any, ...], ...]:
    M, N = MatrixSymbol("M", 3, 2), MatrixSymbol("N", 4, 3)
    return ((M, N), (M, N, 2))


FILES: dict[str, dict[str, tuple[Any, ...]]] = {
    "matrices/expressions/tests/test_derivatives.py": MATRICES,
    "matrices/expressions/tests/test_matexpr.py": _of_matexpr(),
    "matrices/tests/test_matrices.py": {"test_issue_8207": _of_dots()},
    "tensor/array/expressions/tests/test_arrayexpr_derivatives.py, array_derive": ARRAYS,
    "tensor/array/expressions/__init__.py, array_derive": {
        "its docstring": ((MatrixSymbol("M", 3, 3), MatrixSymbol("M", 3, 3)),)
    },
    "tensor/array/expressions/tests/test_array_expressions.py": {
        "test_array_element_expressions": _of_arrays()
    },
    "core/tests/test_kind.py": {"test_Derivative_kind": ((MatrixSymbol("A", 2, 2), t),)},
    "tensor/array/tests/test_array_derivatives.py": {
        "test_array_derivative_construction": _of_array_derivative()
    },
}
CASES = tuple(
    Case(f"{file}: {test}", *given)
    for file, tests in FILES.items()
    for test, rows in tests.items()
    for given in rows
)
