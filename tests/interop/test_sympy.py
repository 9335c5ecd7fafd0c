"""SymPy in and out: what is written has the same numbers, what is read is the same expression, the
rest is refused by name.

SymPy is no oracle for gradients: matcalc verifies each derivative itself, and the answers of
SymPy's own tests are compared with it as numbers.
"""

import csv
import subprocess
import sys
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import numpy as np
import points
import pytest
import sympy as sp
from strategies import expression as random_expression
from sympy import (
    Determinant,
    DiagMatrix,
    HadamardPower,
    HadamardProduct,
    Identity,
    Inverse,
    KroneckerProduct,
    MatrixSymbol,
    OneMatrix,
    S,
    Trace,
    ZeroMatrix,
    cos,
    exp,
    log,
    sin,
    sqrt,
)
from sympy.matrices.expressions.diagonal import DiagonalMatrix, DiagonalOf
from sympy.matrices.expressions.dotproduct import DotProduct
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
    ZeroArray,
)

import matcalc as mc
from matcalc import expr as ex
from matcalc.errors import (
    LimitProblem,
    MatcalcError,
    NameProblem,
    NoMatrixForm,
    OptionProblem,
    ShapeProblem,
    Unsupported,
)
from matcalc.interop import from_sympy, to_sympy
from matcalc.language.typed import typed
from matcalc.tables.functions import BY_NAME, visible

# ---- numbers: an expression, and what SymPy makes of its SymPy form ------------------------------


def point(*roots, low=0.2, high=0.7):
    """Sizes, and values of the variables, that respect what is declared.

    Square matrices can be inverted.
    """
    rng = np.random.default_rng(5)
    nodes = ex.postorder(*roots)
    met = [
        *(size for e in nodes for size in e.shape_),
        *((e.data,) for e in nodes if e.head == "size"),
    ]
    names = sorted({atom for size in met for atom in size if isinstance(atom, str)})
    sizes = dict(zip(names, cycle((2, 4, 3)), strict=False)) | {
        n: k for n, k in {"m": 4, "n": 3, "p": 2, "q": 2}.items() if n in names
    }
    return sizes, {
        v.name: _value(v, sizes, rng.uniform(low, high, _lengths(v, sizes)))
        for v in ex.variables(*roots)
    }


def _lengths(v, sizes):
    return [int(np.prod([sizes.get(a, a) for a in size])) for size in v.shape_ if size]


def _value(v, sizes, x):
    if x.ndim == 2 and x.shape[0] == x.shape[1]:
        x = x + 2 * np.eye(len(x))
        x = (x + x.T) / 2 if {"symmetric", "spd"}.intersection(v.properties) else x
        return np.diag(np.diag(x)) if "diagonal" in v.properties else x
    return x + 2 * ("positive" in v.properties)


def by_sympy(node, sizes, values):
    """The value of a SymPy expression as SymPy computes it, node by node."""
    if isinstance(node, (sp.Symbol, MatrixSymbol)):
        return sp.Integer(sizes[node.name]) if node.name in sizes else _explicit(values[node.name])
    if isinstance(node, sp.matrices.expressions.applyfunc.ElementwiseApplyFunction):
        return by_sympy(node.expr, sizes, values).applyfunc(node.function)
    if isinstance(node, sp.BlockMatrix):
        return sp.ImmutableMatrix(
            sp.BlockMatrix(
                [[by_sympy(b, sizes, values) for b in row] for row in node.blocks.tolist()]
            ).as_explicit()
        )
    if not node.args:
        return node
    args = [by_sympy(a, sizes, values) for a in node.args]
    if isinstance(node, DiagonalOf):  # of an explicit matrix, SymPy's own fails
        return sp.ImmutableMatrix(args[0].diagonal().T)
    made = node.func(*args)
    return (
        made.doit().as_explicit().as_immutable() if isinstance(made, sp.MatrixExpr) else made.doit()
    )


def _explicit(x):
    x = np.asarray(x)
    return (
        sp.Float(float(x)) if x.ndim == 0 else sp.ImmutableMatrix(x if x.ndim == 2 else x[:, None])
    )


def numbers(e, sizes, values):
    return np.asarray(e.compile()(**sizes, **values), dtype=float)


def assert_same_numbers(e, sizes, values):
    want = numbers(e, sizes, values)
    found = by_sympy(to_sympy(e), sizes, values)
    got = np.array(found.tolist() if found.is_Matrix else found, dtype=float).reshape(want.shape)
    assert np.isfinite(want).all()
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


# ---- out -----------------------------------------------------------------------------------------

WRITTEN = (
    ("2*X'*(X*w - y)", "X: m×n"),
    ("X + 1", "X: m×n"),
    ("X + w' - a", "X: m×n; w: n; a: scalar"),
    ("w' + a*v'", "w: n; v: n"),
    ("1 - x'", "x: n"),
    ("a*b*X.*Y./exp(Z)", "X: m×n; Y: m×n; Z: m×n"),
    ("x.^a", "x: n"),
    ("x.^y", "x: n; y: n"),
    ("a.^x", "x: n; a: scalar"),
    ("a^b + 2^a + sqrt(a)", ""),
    ("x'*A*y*(y'*x)*x", "A: n×n"),
    ("x*y' + 3*ones(m,n) - zeros(m,n)", "x: m; y: n"),
    ("A^3 + eye(n) - inv(A)*A'", "A: n×n"),
    ("n*x + m*y", "A: n×m; x: p; y: p"),
    ("tr(A)*det(A) + logdet(A*A)", "A: n×n"),
    ("diag(x)*A + diag(diag(A))", "A: n×n; x: n"),
    ("kron(A,B)*kron(x,y)", "A: m×n; B: p×q; x: n; y: q"),
    ("sum(X) + sum(x) + sum(x')", "X: m×n; x: n"),
    ("norm2(X) + norm2(x) + norm2(a) + norm1(X - 0.3)", "X: m×n; x: n"),
    ("(A - B)'*(A - B)'", "A: n×n; B: n×n"),
    ("exp(A.*B')'.*B", "A: n×m; B: m×n"),
    ("1/3*x", "X: m×3; x: 3"),
)


@pytest.mark.parametrize(("text", "shapes"), WRITTEN)
def test_written_expression_has_the_same_numbers(text, shapes):
    e = typed(text, shapes).expr
    assert_same_numbers(e, *point(e))


@pytest.mark.parametrize(("text", "shapes"), WRITTEN)
def test_what_is_written_reads_back_with_the_same_numbers(text, shapes):
    e = typed(text, shapes).expr
    back = from_sympy(to_sympy(e))
    assert back.shape == e.shape
    np.testing.assert_allclose(numbers(back, *point(e)), numbers(e, *point(e)), rtol=1e-12)


NO_FORM = set(
    "vec pinv expm logm sqrtm expm_frechet logm_frechet sqrtm_frechet chol eigvals eigvecs "
    "normnuc normspec polar leading "
    "tril triu amax amin ismax cross skew unskew conv corr convmat hankel".split()
)


@pytest.mark.parametrize("row", list(visible()), ids=lambda row: row.name)
def test_every_function_is_written_or_refused_by_name(row):
    """A row added to the table must be writable, or be listed here."""
    e = ex.call(row.name, *points.arguments(row))
    if row.name in NO_FORM:
        with pytest.raises(Unsupported, match=f"{row.name} has no SymPy form"):
            to_sympy(e)
        return
    sizes, values = point(e)
    if row.elementwise and not row.second:
        values = {"X": np.random.default_rng(3).uniform(*_inside(row.domain), values["X"].shape)}
    assert_same_numbers(e, sizes, values)


def _inside(domain):
    low = max(domain[0] + 0.1, -0.9)
    return low, max(low, 0) + 0.9


ON_SCALARS = [
    row for row in visible() if row.elementwise and row.domain[0] < 1 and row.name not in NO_FORM
]
SCALARS = ("t", "u")


@pytest.mark.parametrize("row", ON_SCALARS, ids=lambda row: row.name)
def test_functions_of_scalars_are_written_as_scalars(row):
    e = ex.call(row.name, *map(ex.var, SCALARS[: row.arity]))
    assert not to_sympy(e).is_Matrix
    assert_same_numbers(e, {}, dict(zip(SCALARS[: row.arity], (0.37, 0.22), strict=False)))


@pytest.mark.parametrize("text", ["norm2(t)", "norm1(t)", "det(t)*inv(t)*tr(t)"])
def test_functions_of_arrays_are_written_for_negative_scalars(text):
    assert_same_numbers(typed(text, "t: scalar").expr, {}, {"t": -0.37})


def test_logdet_takes_the_absolute_value():
    assert to_sympy(typed("logdet(t)", "t: scalar").expr) == log(sp.Abs(t))
    e = typed("logdet(A)", "A: n×n").expr
    assert_same_numbers(e, {"n": 2}, {"A": np.array([[1.0, 2.0], [3.0, 1.0]])})


def test_sums_are_written_with_ones_where_there_is_an_axis():
    sums = typed("sum(M)", "M: m×n").expr, typed("sum(w)", "w: n").expr
    assert tuple(map(to_sympy, sums)) == (
        Trace(OneMatrix(1, m) * M * OneMatrix(n, 1)),
        Trace(OneMatrix(1, n) * w),
    )


def test_kinks_have_matcalcs_values():
    """Heaviside(0) is 1/2 in SymPy unless it is told; step(0) is 0."""
    e = typed("step(x) + 2*sign(x) + 4*relu(x)", "x: n").expr
    assert_same_numbers(e, {"n": 3}, {"x": np.array([0.0, -1.0, 2.0])})


def drawn(seed):
    """A random expression."""
    return typed(*random_expression(seed, depth=2 + seed % 2)).expr


@pytest.mark.parametrize(
    "seed", [seed for seed in range(60) if not NO_FORM & drawn(seed).functions]
)
def test_random_expressions_have_the_same_numbers(seed):
    e = drawn(seed)
    at = point(e)
    assert_same_numbers(e, *at)
    np.testing.assert_allclose(numbers(from_sympy(to_sympy(e)), *at), numbers(e, *at), rtol=1e-9)


def identities():
    lines = [
        line
        for line in (Path(__file__).parents[1] / "identities.tsv").read_text().splitlines()
        if not line.startswith("#")
    ]
    return [
        row
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        if row["kind"] == "grad"
    ]


@pytest.mark.parametrize("row", identities(), ids=lambda row: row["id"])
def test_identities_and_their_gradients_are_written_and_read(row):
    d = mc.derive(row["expr"], row["wrt"], row["vars"])
    at = point(d.expr, d.result)
    for e in (d.expr, d.result):
        if NO_FORM & e.functions:
            with pytest.raises(Unsupported, match="has no SymPy form"):
                to_sympy(e)
            continue
        assert_same_numbers(e, *at)
        np.testing.assert_allclose(
            numbers(from_sympy(to_sympy(e)), *at), numbers(e, *at), rtol=1e-9, atol=1e-12
        )


def test_most_identities_are_expressible():
    """The loop above compares numbers, it does not only refuse."""
    written = [
        row for row in identities() if not NO_FORM & typed(row["expr"], row["vars"]).expr.functions
    ]
    assert len(written) >= len(identities()) - 4


k, m, n, p, q, i, t = sp.symbols("k m n p q i t")
A, B, C, D, X = (MatrixSymbol(name, k, k) for name in "ABCDX")
a, b, c, d, x, y = (MatrixSymbol(name, k, 1) for name in "abcdxy")
M, N = MatrixSymbol("M", m, n), MatrixSymbol("N", m, n)
w, v = MatrixSymbol("w", n, 1), MatrixSymbol("v", m, 1)
s = MatrixSymbol("s", 1, 1)
r = MatrixSymbol("r", 1, n)


def test_a_gradient_is_written_as_sympy_writes_it():
    answer = mc.derive("norm2(M*w - v)^2", "w", "M: m×n; w: n; v: m").to_sympy()
    assert answer == 2 * M.T * (M * w - v)


def test_given_symbols_are_kept():
    real, size = sp.Symbol("t", real=True), sp.Symbol("n", integer=True)
    vector = MatrixSymbol("x", size, 1)
    gradient = mc.derive(sin(real) * Trace(vector.T * vector), vector).result
    assert to_sympy(gradient, [real, size, vector]) == 2 * sin(real) * vector
    assert to_sympy(gradient) == 2 * sin(t) * MatrixSymbol("x", n, 1)


def test_a_given_matrix_of_one_entry_is_written_as_its_entry():
    assert to_sympy(mc.derive(x.T * x * s, x).result, [s]) == 2 * s[0, 0] * x


def test_what_is_written_twice_is_equal():
    e = typed("exp(M)", "M: m×n").expr
    assert to_sympy(e) == to_sympy(e)
    assert to_sympy(e).dummy_eq(M.applyfunc(exp))


def test_a_positive_symbol_stays_positive():
    positive = sp.Symbol("u", positive=True)
    assert from_sympy(positive).properties == ("positive",)
    assert to_sympy(from_sympy(log(positive))) == log(positive)
    assert to_sympy(typed("u", "u: pos unit scalar").expr) == positive


# ---- in ------------------------------------------------------------------------------------------

u = sp.Dummy("u")
READ = (
    (Trace(X.T * X), "tr(X'*X)", "X: k×k"),
    (M * w - v, "M*w - v", "M: m×n; w: n; v: m"),
    (2 * M.T * (M * w - v), "2*M'*(M*w - v)", "M: m×n; w: n; v: m"),
    (r * w, "r*w", "r: 1×n; w: n"),
    (M + OneMatrix(m, 1) * r, "M + ones(m)*r", "M: m×n; r: 1×n"),
    (s * x, "s*x", "s: scalar; x: k"),
    (s[0, 0] + 1, "s + 1", "s: scalar"),
    ((x.T * y) ** S.Half, "sqrt(x'*y)", "x: k; y: k"),
    (x * y.T * x, "x*(y'*x)", "x: k; y: k"),
    (DotProduct(x, y), "x'*y", "x: k; y: k"),
    (DotProduct(x.T, y.T), "x'*y", "x: k; y: k"),
    (sp.Mul(A, X, evaluate=False), "A*X", "X: k×k; A: k×k"),
    (Inverse(X) * A, "inv(X)*A", "X: k×k; A: k×k"),
    (X**-2, "inv(X)*inv(X)", "X: k×k"),
    (X**3 * x, "X*X*X*x", "X: k×k; x: k"),
    (X**0, "eye(k)", "X: k×k"),
    (log(sp.Abs(Determinant(X))), "logdet(X)", "X: k×k"),
    (log(Determinant(X)), "log(det(X))", "X: k×k"),
    (log(sp.Abs(t)), "log(abs(t))", "t: scalar"),
    (HadamardProduct(M, N, M), "M.*N.*M", "M: m×n; N: m×n"),
    (HadamardPower(M, 3), "M.^3", "M: m×n"),
    (HadamardPower(x, t), "x.^t", "x: k; t: scalar"),
    (HadamardPower(t, x), "t.^x", "x: k; t: scalar"),
    (HadamardPower(x, y), "x.^y", "x: k; y: k"),
    (KroneckerProduct(M, A, B), "kron(kron(M,A),B)", "M: m×n; A: k×k; B: k×k"),
    (KroneckerProduct(s, A), "s*A", "s: scalar; A: k×k"),
    (DiagMatrix(x) * A, "diag(x)*A", "A: k×k; x: k"),
    (DiagMatrix(x.T), "diag(x)", "x: k"),
    (DiagonalMatrix(A), "diag(diag(A))", "A: k×k"),
    (DiagonalOf(A), "diag(A)", "A: k×k"),
    (Identity(k) + X, "eye(k) + X", "X: k×k"),
    (OneMatrix(k, 1) * x.T, "ones(k)*x'", "x: k"),
    (X + ZeroMatrix(k, k), "X", "X: k×k"),
    (k * x, "k*x", "x: k"),
    (M.applyfunc(exp), "exp(M)", "M: m×n"),
    (M.applyfunc(sp.Lambda(u, t * u**2 + 1)), "t*M.^2 + 1", "M: m×n; t: scalar"),
    (M.applyfunc(sp.Lambda(u, 3)), "3*ones(m,n)", "M: m×n"),
    (M.applyfunc(sp.Lambda(u, 1 / (1 + exp(-u)))), "1./(1 + exp(-M))", "M: m×n"),
    (x.applyfunc(sp.Lambda(u, sp.Max(u, 0))), "relu(x)", "x: k"),
    (x.applyfunc(sp.Lambda(u, sp.Heaviside(u, 0))), "step(x)", "x: k"),
    (x.applyfunc(sp.Lambda(u, 2**u + u**t)), "2.^x + x.^t", "x: k; t: scalar"),
    ((x.T * y).applyfunc(sin), "sin(x'*y)", "x: k; y: k"),
    (x.applyfunc(sin).applyfunc(cos), "cos(sin(x))", "x: k"),
    (sp.Max(t, i), "i + relu(t - i)", "t: scalar; i: scalar"),
    (sp.Min(t, 0), "-relu(-t)", "t: scalar"),
    (exp(t) + log(t) + sp.Abs(t) * sp.sign(t), "exp(t) + log(t) + abs(t)*sign(t)", "t: scalar"),
    (
        sp.tan(t) + sp.asin(t) - sp.acos(t) * sp.atan(t),
        "tan(t) + arcsin(t) - arccos(t)*arctan(t)",
        "t: scalar",
    ),
    (sp.sinh(t) + sp.cosh(t) - sp.tanh(t), "sinh(t) + cosh(t) - tanh(t)", "t: scalar"),
    (sp.asinh(t) + sp.acosh(t) - sp.atanh(t), "arcsinh(t) + arccosh(t) - arctanh(t)", "t: scalar"),
    (sp.sec(t) + sp.csc(t) * sp.cot(t), "1/cos(t) + 1/sin(t)/tan(t)", "t: scalar"),
    (sp.sech(t) + sp.csch(t) * sp.coth(t), "1/cosh(t) + 1/sinh(t)/tanh(t)", "t: scalar"),
    (sqrt(t) / 3 + 0.1 * t, "sqrt(t)/3 + 0.1*t", "t: scalar"),
    (sp.Float(0), "0", ""),
    (sp.Float("1e-3") * t, "0.001*t", "t: scalar"),
    (sp.Abs(exp(t)), "exp(t)", "t: scalar"),
    (sp.E + sp.pi * t, "exp(1) + pi*t", "t: scalar"),
    (MatrixSymbol("Y", 3, 4) * MatrixSymbol("z", 4, 1), "Y*z", "Y: 3×4; z: 4"),
    # arrays: labels joined, renamed and left out
    (ArrayContraction(X, (0, 1)), "tr(X)", "X: k×k"),
    (ArrayContraction(M, (1,)), "M*ones(n)", "M: m×n"),
    (
        ArrayContraction(ArrayTensorProduct(A, X, B), (1, 2), (3, 4)),
        "A*X*B",
        "A: k×k; X: k×k; B: k×k",
    ),
    (
        ArrayContraction(ArrayTensorProduct(2, M, N), (0, 2), (1, 3)),
        "2*sum(M.*N)",
        "M: m×n; N: m×n",
    ),
    (ArrayTensorProduct(x, v), "x*v'", "x: k; v: m"),
    (ArrayTensorProduct(t, r.T, v.T), "t*r'*v'", "t: scalar; r: 1×n; v: m"),
    (ArrayDiagonal(A, (0, 1)), "diag(A)", "A: k×k"),
    (ArrayDiagonal(ArrayTensorProduct(M, N), (0, 2), (1, 3)), "M.*N", "M: m×n; N: m×n"),
    (ArrayDiagonal(ArrayTensorProduct(x, y), (0, 2)), "x.*y", "x: k; y: k"),
    (PermuteDims(M, [1, 0]), "M'", "M: m×n"),
    (ArrayAdd(A, PermuteDims(B, [1, 0]), A), "2*A + B'", "A: k×k; B: k×k"),
    (ArrayElementwiseApplyFunc(sin, M), "sin(M)", "M: m×n"),
    (ArrayElementwiseApplyFunc(sin, ArrayTensorProduct(x, v)), "sin(x*v')", "x: k; v: m"),
    (Reshape(M, (m * n,)), "vec(M')", "M: m×n"),
    (Reshape(M, (m, 1, n)), "M", "M: m×n"),
    (
        ArrayContraction(ArrayTensorProduct(ArraySymbol("h", (n,)), M), (0, 2)),
        "M*h",
        "M: m×n; h: n",
    ),
    (ArrayAdd(ArraySymbol("H", (m, n)), M), "H + M", "H: m×n; M: m×n"),
    (ArrayContraction(OneArray(m, n), (0,)), "numel(v)*ones(n)", "v: m"),
    (ArrayAdd(ZeroArray(m, n), M), "M", "M: m×n"),
    # sums over indices, and entries at an index that nothing binds: its unit vector
    (Trace(A * X).rewrite(sp.Sum), "tr(A*X)", "A: k×k; X: k×k"),
    (((X * b + c).T * (X * b + c))[0, 0], "sum((X*b + c).^2)", "X: k×k; b: k; c: k"),
    (sp.Sum(M[q, p], (q, 0, m - 1), (p, 0, n - 1)) ** 2, "sum(M)^2", "M: m×n"),
    (sp.Sum(sin(x[q, 0] * v[p, 0]), (q, 0, k - 1), (p, 0, m - 1)), "sum(sin(v*x'))", "x: k; v: m"),
    (
        sp.Sum((x[q, 0] + y[p, 0]) * A[q, p], (q, 0, k - 1), (p, 0, k - 1)),
        "tr(A*(ones(k)*x' + y*ones(k)'))",
        "A: k×k; x: k; y: k",
    ),
    (sp.Sum(sp.KroneckerDelta(q, p) * A[q, p], (q, 0, k - 1), (p, 0, k - 1)), "tr(A)", "A: k×k"),
    (
        sp.Sum(sp.KroneckerDelta(q, i) * M[q, p], (q, 0, m - 1), (p, 0, n - 1)),
        "i'*M*ones(n)",
        "M: m×n; i: m",
    ),
    (sp.Sum(2, (q, 0, m - 1)), "2*numel(v)", "v: m"),
    (X[i, t], "i'*X*t", "X: k×k; i: k; t: k"),
    (Trace(A) * (M * w).applyfunc(sin)[i, 0], "tr(A)*sin(i'*M*w)", "A: k×k; M: m×n; w: n; i: m"),
    (r[0, i], "r*i", "r: 1×n; i: n"),
    (X[2, 0] * x[2, 0], "X[3,1]*x[3]", "X: k×k; x: k"),
    (M[0, 0], "M[1,1]", "M: m×n"),
    (M[1:3, :], "M[2:3,:]", "M: m×n"),
    (sp.BlockMatrix([[X, A], [A, X]]), "[X, A; A, X]", "X: k×k; A: k×k"),
    (MatrixSymbol("Z", n + 1, n), "Z", "Z: (n+1)×n"),
    (
        sp.erf(t) + sp.loggamma(t) * sp.digamma(t) + sp.polygamma(2, t),
        "erf(t) + lgamma(t)*digamma(t) + polygamma(2,t)",
        "t: scalar",
    ),
    (MatrixSymbol("Z", 3, 3)[1, i], "Z[2,:]*i", "Z: 3×3; i: 3"),
    (ArraySymbol("H", (m, n))[i, t], "i'*H*t", "H: m×n; i: m; t: n"),
)


@pytest.mark.parametrize(("given", "text", "shapes"), READ, ids=lambda value: str(value)[:50])
def test_sympy_is_read_as(given, text, shapes):
    assert from_sympy(given) is typed(text, shapes).expr


def test_a_kronecker_product_orders_the_dimensions_of_what_it_meets():
    product = KroneckerProduct(MatrixSymbol("F", p, n), MatrixSymbol("G", q, m)) * MatrixSymbol(
        "z", m * n, 1
    )
    assert from_sympy(product).shape == ("p*q",)
    assert mc.derive(Trace(product.T * product), "z").verification.ok


def test_products_of_dimensions_are_composite_sizes():
    assert from_sympy(MatrixSymbol("Z", 2 * m * n**2, 1)).shape_ == ((2, "m", "n", "n"), ())


RANGES = [(index, 0, k - 1) for index in (i, p, q)]
FREE = sp.Function("exp")  # shares a name with a function of the table, but not its meaning
REFUSED = (
    (sp.Sum(i, (i, 0, 3)), Unsupported, "Sum"),
    (sp.Sum(i * x[i, 0], (i, 0, k - 1)), Unsupported, "Sum over numbers i"),
    (sp.Sum(x[i, 0], (i, 1, k - 1)), Unsupported, "Sum from 1"),
    (sp.Sum(M[i, i], (i, 0, m - 1)), ShapeProblem, "the index i runs over m of n entries"),
    (
        sin(
            sp.Sum(
                A[i, p] * B[i, q] * C[i, t] * D[p, q] * X[p, t] * A[q, t], *RANGES, (t, 0, k - 1)
            )
        ),
        Unsupported,
        "no matrix expression joins",
    ),
    (
        sp.Sum((A[i, p] * B[p, q]) ** 2 + sin(A[i, p] * B[p, q]), *RANGES),
        Unsupported,
        "an entry of 3 indices",
    ),
    (sp.KroneckerDelta(i, t) * x[i, 0], Unsupported, "KroneckerDelta"),
    (sp.Sum(Determinant(x[i, 0] * A), (i, 0, k - 1)), Unsupported, "MatrixSymbol A among entries"),
    (i * x[i, 0], NameProblem, "two different symbols are named 'i'"),
    (X[n + 1, 0], Unsupported, "MatrixElement"),
    (
        2 * ArraySymbol("T", (2, 3, n)),
        Unsupported,
        "an array of 3 axes has no form inside another expression",
    ),
    (
        ArraySymbol("T", (2 * n, 3, n)),
        Unsupported,
        "the array T has an axis that is a product of sizes",
    ),
    (
        ArrayElementwiseApplyFunc(sin, ArrayDiagonal(ArrayTensorProduct(A, X), (0, 2))),
        Unsupported,
        "array of 3 axes that factors share",
    ),
    (Reshape(MatrixSymbol("Z", 4, 3), (6, 2)), Unsupported, "Reshape"),
    (X[0:4:2, :], Unsupported, "steps of 1"),
    (sp.Integral(t, t), Unsupported, "Integral"),
    (sp.Derivative(FREE(t), t), Unsupported, "Derivative"),
    (FREE(t), Unsupported, "exp"),
    (sp.Symbol("z", commutative=False), Unsupported, "'z' is not a real number"),
    (sp.Symbol("z", imaginary=True), Unsupported, "'z' is not a real number"),
    (sp.Integer(10) ** 2000, LimitProblem, "too large"),
    (sp.Rational(1, 10**2000), LimitProblem, "too large"),
    (sp.Float("1e400"), LimitProblem, "out of range"),
    (sp.Float("1e-400"), LimitProblem, "out of range"),
    (sp.erfc(t), Unsupported, "erfc"),
    (sp.Piecewise((t, t > 0), (0, True)), Unsupported, "Piecewise"),
    (sp.conjugate(t), Unsupported, "conjugate"),
    (sp.I * t, Unsupported, "ImaginaryUnit"),
    (sp.oo, Unsupported, "Infinity"),
    (sp.nan, Unsupported, "NaN"),
    (sp.zoo, Unsupported, "ComplexInfinity"),
    (t > 0, Unsupported, "StrictGreaterThan"),
    (X.adjoint(), Unsupported, "Adjoint"),
    (sp.FunctionMatrix(3, 3, sp.Lambda((i, t), i + t)), Unsupported, "FunctionMatrix"),
    (sp.Matrix([[1, 2]]), Unsupported, "MutableDenseMatrix"),
    (
        sp.ImmutableMatrix([[1], [2]]).T * MatrixSymbol("z", 2, 1),
        Unsupported,
        "ImmutableDenseMatrix",
    ),
    (sp.MatMul(), Unsupported, "GenericIdentity"),
    (exp(X), Unsupported, "exp of the k×k matrix X"),
    (sp.Add(X, 1, evaluate=False), Unsupported, "Add of the k×k matrix"),
    (x.applyfunc(sp.Lambda(u, Trace(u * A))), Unsupported, "no function of one entry"),
    (X ** sp.Symbol("q"), Unsupported, r"Symbol\('q', integer=True\)"),
    (X ** sp.Rational(1, 2), ShapeProblem, "integer exponent"),
    (X**S.Half, ShapeProblem, "integer exponent"),
    (DiagonalOf(M), ShapeProblem, "square"),
    (MatrixSymbol("Z", n + k / 2, n), ShapeProblem, r"dimension k/2"),
    (MatrixSymbol("Z", n / 2, n), ShapeProblem, "dimension n/2"),
    (MatrixSymbol("Z", n**100, n), ShapeProblem, r"dimension n\*\*100"),
    (MatrixSymbol("Z", 0, n), ShapeProblem, "dimension 0"),
    (sp.Symbol("__import__('os')"), NameProblem, "not a name"),
    (MatrixSymbol("x; import os", k, 1), NameProblem, "not a name"),
    (MatrixSymbol("Z", sp.Symbol("k)"), 1), NameProblem, "not a name"),
    (sp.Symbol("tr"), NameProblem, "is a function"),
    (sp.Symbol("t", real=True) + t, NameProblem, "two different symbols"),
    (sp.Symbol("X") * X, NameProblem, "two different symbols"),
    (MatrixSymbol("k", k, 1), NameProblem, "two different symbols"),
)


@pytest.mark.parametrize(("given", "error", "said"), REFUSED, ids=lambda value: str(value)[:50])
def test_the_rest_is_refused_by_name(given, error, said):
    with pytest.raises(error, match=said):
        from_sympy(given)


@pytest.mark.parametrize("given", [3, None, 1.5, [X], np.eye(2)], ids=repr)
def test_what_is_not_sympys_is_refused(given):
    with pytest.raises(TypeError, match="SymPy expression is needed"):
        from_sympy(given)


def test_shared_parts_are_read_once():
    """As a tree this has 2^40 leaves."""
    part = Trace(X)
    for _ in range(40):
        part = sin(part) * cos(part)
    assert len(ex.postorder(from_sympy(part))) < 200


def test_depth_ends_in_an_answer_or_in_a_limit():
    e = ex.var("t")
    for _ in range(20_000):
        e = ex.call("sin", e)
    with pytest.raises(LimitProblem, match="too deep"):
        from_sympy(to_sympy(e))


# ---- gradients of SymPy expressions --------------------------------------------------------------


def test_the_variable_may_be_a_symbol_of_sympy_or_a_name():
    expression = sin(t) * (x.T * A * x)
    by_matrix_symbol, by_name = mc.derive(expression, x), mc.derive(expression, "x")
    assert str(by_matrix_symbol.result) == str(by_name.result) == "sin(t)*(A + A')*x"
    assert str(mc.derive(expression, t).result) == "cos(t)*(x'*A*x)"
    assert set(mc.derive(expression, [x, t])) == {"x", "t"}
    assert set(mc.derive(expression)) == {"x", "t", "A"}


def test_declarations_add_properties_to_sympys_symbols():
    assert str(mc.derive(x.T * A * x, x, "A: k×k symmetric").result) == "2*A*x"


# ---- derivatives of more axes, and by what does not occur ----------------------------------------

MORE_THAN_TWO_AXES = (
    (A, A),
    (A.T, A),
    (2 * A, A),
    (sp.MatAdd(A, A), A),
    (A + B, A),
    (Trace(A) * A, A),
    (a.T * (A * X * b).applyfunc(sin) * b.T, X),
)


@pytest.mark.parametrize(("expression", "wrt"), MORE_THAN_TWO_AXES, ids=str)
def test_derivatives_of_more_than_two_axes_have_no_matrix_form(expression, wrt):
    derivation = mc.derive(expression, wrt)
    assert derivation.verification.ok
    assert len(derivation.result.shape) > 2
    with pytest.raises(NoMatrixForm, match="index form"):
        derivation.to_sympy()


ABSENT = (
    (A, i),
    (A * (X + B) * c, i),
    (x, i),
    (x.T * y, i),
    (x * x.T, i),
    (x + y, i),
    (HadamardPower(x, 2), i),
    (HadamardProduct(x, y), i),
    (x.applyfunc(sin), i),
    (k, A),
)


@pytest.mark.parametrize(("expression", "wrt"), ABSENT, ids=str)
def test_the_derivative_by_a_symbol_that_does_not_occur_is_zero(expression, wrt):
    derivation = mc.derive(expression, wrt)
    assert derivation.verification.ok
    shape = expression.shape if expression.is_Matrix else wrt.shape
    assert sp.ZeroMatrix(*shape) == derivation.to_sympy() or (
        shape == (1, 1) and derivation.to_sympy() == 0
    )


def test_a_matrix_by_a_matrix_that_does_not_occur_is_zero():
    derivation = mc.derive(X, A)
    assert derivation.verification.ok
    assert derivation.shape == ("k", "k", "k", "k")
    assert str(derivation.kronecker()) == "zeros(k*k, k*k)"


@pytest.mark.parametrize(
    ("expression", "wrt"), [(x.T * x, k), (k * Trace(X), k), (x.T * x, "z")], ids=str
)
def test_a_dimension_or_a_name_that_is_no_variable_is_refused(expression, wrt):
    with pytest.raises(MatcalcError, match="is not in the expression"):
        mc.derive(expression, wrt)


# ---- derivatives by one entry --------------------------------------------------------------------

BY_ENTRY = (
    (Trace(X * A * X), X[p, q], "q'*(A*X + X*A)*p"),
    (A * X * b, X[p, q], "(b'*q)*A*p"),
    (X, X[0, 1], "eye(k)[:,1]*eye(k)[:,2]'"),
    (x[i, 0], x[p, 0], "i'*p"),
    (Inverse(X) * x, X[p, p], "-(p'*inv(X)*x)*inv(X)*p"),
    (KroneckerProduct(X, A), X[p, q], "kron(p*q', A)"),
    (M.applyfunc(sin) * w, M[p, q], "p.*(cos(M)*(q.*w))"),
    (ArrayContraction(ArraySymbol("X", (k, k)), (0, 1)), ArraySymbol("X", (k, k))[p, q], "p'*q"),
    (Trace(A), X[p, q], "0"),
)


@pytest.mark.parametrize(("expression", "entry", "text"), BY_ENTRY, ids=str)
def test_the_derivative_by_an_entry_is_that_entry_of_the_derivative(expression, entry, text):
    derivation = mc.derive(expression, entry)
    assert derivation.verification.ok
    assert derivation.check().ok
    assert str(derivation.result) == text


@pytest.mark.parametrize(
    ("expression", "entry"), [row[:2] for row in BY_ENTRY if row[2] != "0"], ids=str
)
def test_a_wrong_derivative_by_an_entry_is_not_verified(expression, entry):
    derivation = mc.derive(expression, entry)
    assert not replace(derivation, result=2 * derivation.result).check().ok


def test_what_is_no_variable_and_no_entry_alone_is_refused():
    with pytest.raises(NameProblem, match=r"X\[i, t\] is an entry, not a variable"):
        mc.derive(Trace(X * X), [X[i, t]])
    with pytest.raises(OptionProblem, match=r"X\[i, t\] is an entry, and has no order"):
        mc.derive(Trace(X * X), X[i, t], order=2)
    with pytest.raises(NameProblem, match="'t' stands for two different variables"):
        mc.derive(t * Trace(X), X[i, t])


# ---- imports -------------------------------------------------------------------------------------


def test_sympy_is_imported_on_use():
    code = (
        "import sys, matcalc.interop as i, matcalc; matcalc.derive('x.*x', 'x'); "
        "print('sympy' in sys.modules)"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "False\n"
    )


def test_the_tables_name_functions_that_exist():
    from matcalc.interop.incoming import _FUNCTIONS
    from matcalc.interop.outgoing import _WRITERS

    heads = {
        "var",
        "num",
        "size",
        "ones",
        "zeros",
        "eye",
        "add",
        "times",
        "matmul",
        "T",
        "pow",
        "part",
        "pi",
    }
    assert set(_WRITERS) <= set(BY_NAME) | heads
    assert all(hasattr(sp, name) for name in _FUNCTIONS)


@pytest.mark.parametrize(
    "shape", [(sp.Symbol("n"), sp.Symbol("n")), (sp.Symbol("n") + sp.Symbol("m"),) * 2], ids=str
)
def test_a_size_is_no_absent_symbol(shape):
    """A derivative by a symbol that does not occur is 0; a size occurs, in a sum of sizes too."""
    with pytest.raises(NameProblem, match="not in the expression"):
        mc.derive(Trace(MatrixSymbol("A", *shape)), sp.Symbol("n"))
