"""Functions that generated source brings along: each gives what an oracle gives, as a module and as
text, in every library; and source takes those that it calls, in order.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy
import targets
from reference import HELPERS as REFERENCE
from scipy import special

from matcalc.codegen import dialect, source
from matcalc.codegen.passes.congruence import LEAST
from matcalc.codegen.write.excerpts import RUNTIME, Excerpts, cut, excerpts
from matcalc.codegen.write.reusing import HELPERS as REUSING
from matcalc.language.typed import typed

RNG = np.random.default_rng(4)
Array = Any
Pairs = Iterator[tuple[Any, Any]]  # values of a function and those of its oracle

REAL = np.array([-40.0, -8, -3.9, -1.5, -1, -0.2, -1e-9, 0, 1e-12, 0.3, 1, 2.5, 6.1, 9, 50])
POSITIVE = np.array([1e-3, 0.4, 1, 1.5, 3, 7.25, 20, 150])
ENTRIES: dict[str, tuple[Callable[[Array], Array], Array]] = {
    "erf": (special.erf, REAL),
    "erfc": (special.erfc, REAL),
    "erfcx": (special.erfcx, REAL[1:]),
    "normcdf": (special.ndtr, REAL),
    "log_normcdf": (special.log_ndtr, REAL),
    "lgamma": (special.gammaln, np.append(POSITIVE, np.inf)),
    "logcosh": (lambda x: np.logaddexp(x, -x) - np.log(2), REAL),
    "sech2": (lambda x: 1 / np.cosh(x) ** 2, REAL),
    "exp_below": (lambda x: np.exp(np.minimum(x, 0)), REAL),
    "reciprocal": (lambda x: np.where(x == 0, 0, 1 / np.where(x == 0, 1, x)), REAL),
    "sigmoid": (special.expit, np.append(np.linspace(-50, 50, 1001), [-800, 0, 800])),
    "softplus": (lambda x: np.logaddexp(0, x), np.append(REAL, [-800, 800])),
    "relu": (lambda x: np.maximum(x, 0), np.append(REAL, np.nan)),
    "unit_step": (lambda x: np.heaviside(x, 0), REAL),
}
ZEROS = np.array([0.0, 0, 2, -1, 0, 3])
OTHERS = np.array([0.0, 5, 2, 0.5, np.nan, 1])
PAIRS: dict[str, tuple[Callable[[Array, Array], Array], Array, Array]] = {
    "huber": (lambda x, w: special.huber(w, x), REAL, np.full(len(REAL), 1.25)),
    "masked": (lambda x, w: np.where(w == 0, -np.inf, x), OTHERS, ZEROS),
    "xlogy": (special.xlogy, ZEROS, OTHERS),
    "xlog1py": (special.xlog1py, ZEROS, OTHERS),
    "power_slope": (
        lambda x, p: (
            special.xlogy(p, np.e) * np.where(p == 0, np.where(x == x, 0, x), x ** (p - 1))
        ),
        np.array([0.0, 5, 2, 0.5, np.nan, 1]),
        ZEROS,
    ),
}
ROWS = np.array([[0.5, -2, 3], [900, 901, 899], [-np.inf, 0, 1], [4, 4, 4]])
OF_ROWS: dict[str, Callable[[Array], Array]] = {
    "softmax_rows": lambda x: special.softmax(x, axis=-1),
    "logsumexp_rows": lambda x: special.logsumexp(x, axis=-1),
    "logsoftmax_rows": lambda x: special.log_softmax(x, axis=-1),
    "top_rows": lambda x: x.max(-1),
}
SQUARE = np.array([[4.0, 1, 0.5], [0.3, 3, -1], [1, 0.2, 5]])
SINGULAR = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])
SYMMETRIC = SQUARE @ SQUARE.T
DIRECTION = np.array([[0.5, -1, 2], [1, 0, 0.3], [-0.7, 0.2, 1]])


class Library:
    """Functions by name, and arrays of their library."""

    def __init__(self, name: str, functions: dict[str, Any]) -> None:
        self.name, self.functions = name, functions
        self.f = SimpleNamespace(**functions)

    def array(self, x: Array) -> Array:
        return ARRAYS.get(self.name, np.array)(x)

    def sizes(self, *sizes: int) -> tuple[Any, ...]:
        """The arguments of a function of sizes: with the module before, with a device behind."""
        if self.name == "array_api":
            import array_api_strict

            return (array_api_strict, *sizes, array_api_strict.float64)
        if self.name == "torch":
            import torch

            return (*sizes, torch.float64, "cpu")
        return (*sizes, float)

    def lu(self, x: Array) -> Any:
        """The factor of a matrix, as the functions of the library take it."""
        if self.name == "jax":
            import jax

            return jax.scipy.linalg.lu_factor(x)
        if self.name == "torch":
            import torch

            return torch.linalg.lu_factor_ex(torch.tensor(x))[:2]
        return self.f.lu(x) if self.name == "scipy" else self.array(x)


def tensor(x: Array) -> Array:
    import torch

    return torch.tensor(np.array(x))


def strict(x: Array) -> Array:
    import array_api_strict

    return array_api_strict.asarray(np.array(x))


def traced(x: Array) -> Array:
    import jax.numpy as jnp

    return jnp.array(x)


ARRAYS: dict[str, Callable[[Array], Array]] = {
    "torch": tensor,
    "array_api": strict,
    "jax": traced,
}


# ---- the oracle of each function -----------------------------------------------------------------


def of_entries(library: Library, name: str) -> Pairs:
    oracle, x = ENTRIES[name]
    for part in (x, x[:3]):
        yield library.functions[name](library.array(part)), oracle(part)


def reciprocal(library: Library, name: str) -> Pairs:
    yield from of_entries(library, name)
    if library.name in ("numpy", "scipy", "reusing"):  # which take numbers of Python, too
        yield library.f.reciprocal(4.0), 0.25
        yield library.f.reciprocal(0.0), 0


def of_pairs(library: Library, name: str) -> Pairs:
    oracle, x, w = PAIRS[name]
    yield library.functions[name](library.array(x), library.array(w)), oracle(x, w)
    some = (x != 0) & (w != 0)
    x, w = x[some], w[some]
    yield library.functions[name](library.array(x), library.array(w)), oracle(x, w)


def of_rows(library: Library, name: str) -> Pairs:
    yield library.functions[name](library.array(ROWS)), OF_ROWS[name](ROWS)


def polygamma(library: Library, name: str) -> Pairs:
    for k in range(4):
        yield library.f.polygamma(k, library.array(POSITIVE)), special.polygamma(k, POSITIVE)


def softmax(library: Library, name: str) -> Pairs:
    yield library.f.softmax(library.array(ROWS[0])), special.softmax(ROWS[0])


def logsumexp(library: Library, name: str) -> Pairs:
    for row in (*ROWS, [-np.inf, -np.inf], [np.inf, 1.0]):
        yield library.f.logsumexp(library.array(row)), special.logsumexp(row)


def softmax_logsumexp(library: Library, name: str) -> Pairs:
    x = ROWS if name.endswith("rows") else ROWS[0]
    value, total = library.functions[name](library.array(x))
    yield value, special.softmax(x, axis=-1)
    yield total, special.logsumexp(x, axis=-1)


def top(library: Library, name: str) -> Pairs:
    yield library.f.top(library.array(ROWS[0])), 3
    yield library.f.top(library.array(np.full(2, -np.inf))), 0


def inverse_or_nan(library: Library, name: str) -> Pairs:
    yield library.f.inverse_or_nan(library.array(SQUARE)), np.linalg.inv(SQUARE)
    singular = library.f.inverse_or_nan(library.array(np.zeros((2, 2))))
    yield np.isfinite(np.asarray(singular)).any(), False


def matrix_function(library: Library, name: str) -> Pairs:
    oracle = getattr(scipy.linalg, name)
    yield library.functions[name](library.array(SQUARE)), oracle(SQUARE)
    negative = np.diag([-1.0, 2])
    if name != "expm":
        yield library.functions[name](library.array(negative)), np.full((2, 2), np.nan)


def expm(library: Library, name: str) -> Pairs:
    yield from matrix_function(library, name)
    yield library.f.expm(library.array(np.zeros((2, 2)))), np.eye(2)
    yield library.f.expm(library.array(np.full((2, 2), np.nan))), np.full((2, 2), np.nan)


def matrix_power(library: Library, name: str) -> Pairs:
    for k in (-2, 0, 1, 5):
        yield (
            library.f.matrix_power(library.array(SQUARE), k),
            np.linalg.matrix_power(SQUARE, k),
        )


def cubed_slope(x: Array, e: Array) -> Array:
    return e @ x @ x + x @ e @ x + x @ x @ e


def frechet(library: Library, name: str) -> Pairs:
    x, e = library.array(SQUARE), library.array(DIRECTION)
    yield library.f.frechet(lambda y: y @ y @ y, x, e), cubed_slope(SQUARE, DIRECTION)
    yield library.f.frechet(lambda y: y @ y @ y, x, 0 * e), 0 * SQUARE


def power_frechet(library: Library, name: str) -> Pairs:
    x, e = library.array(SQUARE), library.array(DIRECTION)
    yield library.f.power_frechet(x, e, 3), cubed_slope(SQUARE, DIRECTION)


def spectral_frechet(library: Library, name: str) -> Pairs:
    x, e = library.array(SYMMETRIC), library.array(DIRECTION)
    slopes = library.f.spectral_frechet(lambda a, b: a * a + a * b + b * b, x, e)
    yield slopes, cubed_slope(SYMMETRIC, DIRECTION)


def slopes(library: Library, name: str) -> Pairs:
    """Divided differences, and derivatives where both values are one."""
    of, slope = {
        "expm_slopes": (np.exp, np.exp),
        "logm_slopes": (np.log, lambda x: 1 / x),
        "sqrtm_slopes": (np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    }[name]
    above, below = np.array([2.0, 3, 9, 1]), np.array([1.0, 2.5, 0.1, 0.5])
    quotient = (of(above) - of(below)) / (above - below)
    yield library.functions[name](library.array(above), library.array(below)), quotient
    yield library.functions[name](library.array(above), library.array(above)), slope(above)


def minors(x: Array) -> Array:
    """The adjugate by determinants of parts."""
    n = len(x)
    result = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            part = np.delete(np.delete(x, j, 0), i, 1)
            result[i, j] = (-1) ** (i + j) * np.linalg.det(part)
    return result


def cofactors(library: Library, name: str) -> Pairs:
    for x in (SQUARE, SINGULAR, -SQUARE):
        yield library.f.cofactors(library.array(x)), minors(x)


def adjugate(library: Library, name: str) -> Pairs:
    for x in (SQUARE, SINGULAR, np.zeros((3, 3)), np.diag([1.0, 2, 0])):
        factor = library.lu(x)
        yield library.functions[name](factor, library.array(x)), minors(x)


def embed(library: Library, name: str) -> Pairs:
    for x in (SQUARE, SQUARE[0]):
        edges = [(1, 3)] + [(0, 0)] * (x.ndim - 1)
        yield library.f.embed(library.array(x), 1, 7), np.pad(x, edges)


def convmat(library: Library, name: str) -> Pairs:
    x, y = np.array([1.0, 2, 3]), np.array([4.0, 5])
    yield (
        library.f.convmat(library.array(x), library.array(y)) @ library.array(y),
        np.convolve(x, y),
    )


def hankel(library: Library, name: str) -> Pairs:
    x, y = np.arange(5.0), np.ones(2)
    expected = np.lib.stride_tricks.sliding_window_view(x, 2)
    yield library.f.hankel(library.array(x), library.array(y)), expected


def shifts(library: Library, name: str) -> Pairs:
    x, y = np.array([1.0, 2, 3]), np.array([4.0, 5])
    matrix = np.asarray(library.f.shifts(*library.sizes(3, 2)))
    yield matrix @ np.outer(x, y).ravel(), np.convolve(x, y)


def commutation(library: Library, name: str) -> Pairs:
    x = np.arange(6.0).reshape(2, 3)
    sizes = library.sizes(2, 3) if library.name != "plain" else (2, 3)
    yield np.asarray(library.f.commutation(*sizes)) @ x.ravel(order="F"), x.T.ravel(order="F")


def cross(library: Library, name: str) -> Pairs:
    x, y = np.array([1.0, -2, 3]), np.array([0.5, 4, -1])
    yield library.f.cross(library.array(x), library.array(y)), np.cross(x, y)


def skew(library: Library, name: str) -> Pairs:
    x, y = np.array([1.0, -2, 3]), np.array([0.5, 4, -1])
    yield library.f.skew(library.array(x)) @ library.array(y), np.cross(x, y)


def unskew(library: Library, name: str) -> Pairs:
    """⟨skew(x), A⟩ = ⟨x, unskew(A)⟩."""
    x = np.array([1.0, -2, 3])
    skewed = np.array([np.cross(x, unit) for unit in np.eye(3)]).T
    value = np.asarray(library.f.unskew(library.array(DIRECTION)))
    yield value @ x, (skewed * DIRECTION).sum()


def diag(library: Library, name: str) -> Pairs:
    yield library.f.diag(library.array(SQUARE[0])), np.diag(SQUARE[0])


def kron(library: Library, name: str) -> Pairs:
    for a, b in ((SQUARE, DIRECTION[:2]), (SQUARE[0], DIRECTION)):
        yield library.f.kron(library.array(a), library.array(b)), np.kron(a, b)


def einsum(library: Library, name: str) -> Pairs:
    x, y, z = SQUARE, DIRECTION, RNG.normal(size=(3, 3, 3))
    for text, arrays in (
        ("ij,jk->ik", (x, y)),
        ("ij,ij->", (x, y)),
        ("ii->", (x,)),
        ("ii,ij->j", (x, y)),
        ("iii,jk->kij", (z, x)),
        ("ij->ji", (x,)),
    ):
        yield library.f.einsum(text, *map(library.array, arrays)), np.einsum(text, *arrays)


def spread(library: Library, name: str) -> Pairs:
    yield library.f.spread(library.array(SQUARE), "kj", "ijk"), SQUARE.T[None]


def diagonal_of(library: Library, name: str) -> Pairs:
    cube = RNG.normal(size=(3, 2, 3))
    value, letters = library.f.diagonal_of(library.array(cube), "iji", "i")
    yield value, np.einsum("iji->ji", cube)
    yield letters == "ji", True


def signed_logdet(library: Library, name: str) -> Pairs:
    for x in (SQUARE, -SQUARE, np.eye(3)[[1, 0, 2]]):
        sign, value = np.linalg.slogdet(x)
        if library.name in ("jax", "torch"):
            computed = library.f.signed_logdet(*library.lu(x))
        else:
            computed = library.f.signed_logdet(library.array(sign), library.array(value))
        yield computed, value if sign > 0 else np.nan


# ---- by factors ----


def det(library: Library, name: str) -> Pairs:
    for x in (SQUARE, -SQUARE, SQUARE[[1, 0, 2]], SINGULAR):
        factor = library.lu(x)
        computed = library.f.det(factor) if library.name == "scipy" else library.f.det(*factor)
        yield computed, np.linalg.det(x)
    if library.name == "scipy":
        yield library.f.det(library.f.cholesky(SYMMETRIC)), np.linalg.det(SYMMETRIC)


def logdet(library: Library, name: str) -> Pairs:
    for x in (SQUARE, -SQUARE, SQUARE[[1, 0, 2]]):
        sign, value = np.linalg.slogdet(x)
        yield library.f.logdet(library.f.lu(x)), value
        yield library.f.logdet(library.f.lu(x), signed=True), value if sign > 0 else np.nan
    yield library.f.logdet(library.f.cholesky(SYMMETRIC)), np.linalg.slogdet(SYMMETRIC)[1]


def definite(n: int) -> Array:
    """A positive definite matrix."""
    x = RNG.normal(size=(n, n))
    return x @ x.T + n * np.eye(n)


NAN = np.array([[1.0, 2], [np.nan, 3]])


def factors(library: Library, name: str) -> Pairs:
    """Matrices, the factors of which solve and invert."""
    for s in (SYMMETRIC, definite(90), definite(350)):
        yield library.f.inverse(library.f.cholesky(s)), np.linalg.inv(s)
        yield (
            library.f.inverse(library.f.factor_symmetric(s - 2 * s[0, 0] * np.eye(len(s)))),
            (np.linalg.inv(s - 2 * s[0, 0] * np.eye(len(s)))),
        )
        for b in (s[0], s[:, :2], s):
            yield library.f.solve(library.f.cholesky(s), b), np.linalg.solve(s, b)
    for b in (DIRECTION[0], DIRECTION):
        factor = library.f.lu(SQUARE)
        yield library.f.solve(factor, b), np.linalg.solve(SQUARE, b)
        yield library.f.solve(factor, b, transposed=True), np.linalg.solve(SQUARE.T, b)
    for f in (library.f.inverse, lambda factor: library.f.solve(factor, NAN)):
        yield f(library.f.lu(NAN)), np.full((2, 2), np.nan)
        with pytest.raises(np.linalg.LinAlgError, match="a matrix is singular"):
            f(library.f.lu(np.zeros((2, 2))))
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        library.f.cholesky(-SYMMETRIC)


def triangle_inverse(library: Library, name: str) -> Pairs:
    for n in (3, 79, 200):
        lower = np.linalg.cholesky(definite(n))
        yield np.tril(library.f.triangle_inverse(np.asfortranarray(lower))), np.linalg.inv(lower)


def inverse_and_sandwich(library: Library, name: str) -> Pairs:
    for n in (5, LEAST - 1, LEAST):
        s, c = definite(n), definite(n)
        inverse = np.linalg.inv(s)
        both_sides = inverse @ c @ inverse
        for a, b in ((1, -1), (0.5, 2.0)):
            trace, total = library.f.inverse_and_sandwich(library.f.cholesky(s), c, a, b)
            yield trace, np.trace(inverse @ c)
            yield total, a * inverse + b * both_sides


def products(library: Library, name: str) -> Pairs:
    """Products of arrays in either layout, below and above the sizes that other ways begin at."""
    for n in (4, 140, 310):
        a, b, s = RNG.normal(size=(n, n + 1)), RNG.normal(size=(n + 1, n)), definite(n)
        for x in (a, np.asfortranarray(a)):
            for y in (b, np.asfortranarray(b)):
                yield library.f.mm(x, y), a @ b
            yield library.f.gram(x), a.T @ a
            yield library.f.sandwich(s, x), a.T @ s @ a


def plus_outer(library: Library, name: str) -> Pairs:
    u, v = RNG.normal(size=3), RNG.normal(size=3)
    expected = SQUARE + 0.5 * np.outer(u, v)
    for a in (SQUARE.copy(), np.asfortranarray(SQUARE), SQUARE.astype(complex)):
        yield library.f.plus_outer(a, 0.5, u, v), expected


def mirrored(library: Library, name: str) -> Pairs:
    for n in (5, 400):
        s = definite(n)
        yield library.f.mirrored(np.asfortranarray(np.tril(s))), s


def libraries_of_products(library: Library, name: str) -> Pairs:
    gemm, potrf = library.f.blas("gemm", float, float), library.f.lapack("potrf", float)
    yield gemm(1, SQUARE, DIRECTION), SQUARE @ DIRECTION
    yield np.tril(potrf(SYMMETRIC, lower=1)[0]), np.linalg.cholesky(SYMMETRIC)


def lu_solve(library: Library, name: str) -> Pairs:
    import torch

    for b in (DIRECTION[0], DIRECTION):
        yield library.f.lu_solve(library.lu(SQUARE), tensor(b)), np.linalg.solve(SQUARE, b)
        yield (
            library.f.lu_solve(library.lu(SQUARE), tensor(b), adjoint=True),
            np.linalg.solve(SQUARE.T, b),
        )
    with pytest.raises(torch.linalg.LinAlgError, match="a matrix is singular"):
        library.f.regular(library.lu(np.zeros((2, 2))))


def cholesky_solve(library: Library, name: str) -> Pairs:
    lower = library.array(np.linalg.cholesky(SYMMETRIC))
    factor = lower if library.name == "torch" else (lower, True)
    for b in (DIRECTION[0], DIRECTION[:, :2], DIRECTION):
        yield library.f.cholesky_solve(factor, library.array(b)), np.linalg.solve(SYMMETRIC, b)


def cholesky_inverse(library: Library, name: str) -> Pairs:
    factor = library.array(np.linalg.cholesky(SYMMETRIC)), True
    yield library.f.cholesky_inverse(factor), np.linalg.inv(SYMMETRIC)


# ---- in memory ----


def add_diagonal(library: Library, name: str) -> Pairs:
    larger = np.zeros((3, 5))
    for a in (np.zeros((3, 3)), np.zeros((3, 3), order="F"), larger[:, 1:4]):
        yield library.f.add_diagonal(a, np.arange(1.0, 4)), np.diag([1.0, 2, 3])
        yield a, np.diag([1.0, 2, 3])
    yield larger[:, [0, 4]], 0


def both(library: Library, name: str) -> Pairs:
    a, u, v = RNG.normal(size=(600, 900)), RNG.normal(size=900), RNG.normal(size=600)
    for x in (a, np.asfortranarray(a), np.repeat(a, 2, axis=1)[:, ::2]):
        right, left = library.f.both(x, u, v)
        yield right, a @ u
        yield left, a.T @ v


def outer(library: Library, name: str) -> Pairs:
    for n in (3, 300, 1500):
        u, v = RNG.normal(size=n), RNG.normal(size=n + 1)
        yield library.f.outer(u, v), np.outer(u, v)
        yield library.f.outer_into(u, v, np.empty((n, n + 1))), np.outer(u, v)
        yield library.f.outer_into(u, v, np.empty((n, n + 1), complex)), np.outer(u, v)


def aligned(library: Library, name: str) -> Pairs:
    for kind in (float, np.float32, complex):
        array = library.f.aligned((3, 5), kind)
        yield array.ctypes.data % 64, 0
        yield (array.shape, array.dtype) == ((3, 5), np.dtype(kind)), True


def spare(library: Library, name: str) -> Pairs:
    """Held results are left alone, the last one that is let go is written again."""
    first = library.f.spare("spare", 20, 30)
    second = library.f.spare("spare", 20, 30)
    yield np.shares_memory(first, second), False
    address = second.ctypes.data
    del second
    yield library.f.spare("spare", 20, 30).ctypes.data, address
    part = first[3:]
    address = first.ctypes.data
    del first
    later = [library.f.spare("spare", 20, 30) for _ in range(4)]
    yield any(a.ctypes.data == address for a in later), False
    yield part.shape == (17, 30), True


def in_blocks(library: Library, name: str) -> Pairs:
    block = library.functions["BLOCK"]
    rows = RNG.normal(size=(9 * block // 64, 64))

    seen: list[int] = []

    def of_rows(x: Array, w: Array) -> tuple[Array, Array, Array]:
        seen.append(len(x))
        return x.sum(), x.T @ x, x @ w

    w = RNG.normal(size=64)
    for x in (rows, rows[:5], np.asfortranarray(rows)):
        total, product, kept = library.f.in_blocks(of_rows, 2, (x,), (w,))
        yield total, x.sum()
        yield product, x.T @ x
        yield kept, x @ w
    yield len(seen) > 3 and max(seen[:-2]) < len(rows), True
    alone = library.f.in_blocks(lambda part: part.sum(0), 1, (rows,), ())
    yield alone, rows.sum(0)
    wide = RNG.normal(size=(5 * int(block**0.5), int(block**0.5) + 1))
    yield library.f.in_blocks(lambda part: part.T @ part, 1, (wide,), ()), wide.T @ wide


def room(library: Library, name: str) -> Pairs:
    types = (np.dtype(float),)
    first, number = library.f.room(types, (3, 4), (2,))
    yield (first.shape, number.shape) == ((3, 4), (2,)), True
    yield library.f.room(types, (3, 4), (2,))[0] is first, True
    for n in range(9):  # more kinds of calls than are kept
        library.f.room(types, (n + 1,))
    yield library.f.room(types, (3, 4), (2,))[0] is first, False


def written(library: Library, name: str) -> Pairs:
    """Functions that write to an array that is given."""
    for x in (ROWS, ROWS[0]):
        for f, oracle in (
            (library.f.softmax, special.softmax(x, axis=-1)),
            (library.f.softplus, np.logaddexp(0, x)),
        ):
            out = np.empty_like(x)
            yield f(x, out).copy(), oracle
            yield out, oracle
        out = np.empty_like(x)
        value, total = library.f.softmax_logsumexp(x, out)
        yield value.copy(), special.softmax(x, axis=-1)
        yield value is out, True
        yield total, special.logsumexp(x, axis=-1)
        yield library.f.logsumexp(x, out), special.logsumexp(x, axis=-1)
        yield library.f.logsumexp_rows(x), special.logsumexp(x, axis=-1)
        yield library.f.softplus(x), np.logaddexp(0, x)


CHECKS: dict[str, Callable[[Library, str], Pairs]] = {
    **dict.fromkeys(ENTRIES, of_entries),
    **dict.fromkeys(PAIRS, of_pairs),
    **dict.fromkeys(OF_ROWS, of_rows),
    **dict.fromkeys(("softmax_logsumexp", "softmax_logsumexp_rows"), softmax_logsumexp),
    **dict.fromkeys(("sqrtm", "logm"), matrix_function),
    **dict.fromkeys(("expm_slopes", "logm_slopes", "sqrtm_slopes"), slopes),
    **dict.fromkeys(("adjugate", "adjugate_by_factor"), adjugate),
    **dict.fromkeys(("cholesky", "lu", "factor_symmetric", "solve", "inverse"), factors),
    **dict.fromkeys(("mm", "gram", "sandwich"), products),
    **dict.fromkeys(("blas", "lapack"), libraries_of_products),
    **dict.fromkeys(("lu_solve", "regular"), lu_solve),
    **dict.fromkeys(("outer", "outer_into"), outer),
    **dict.fromkeys(("spare", "kept"), spare),
    **dict.fromkeys(("room", "rooms"), room),
    **dict.fromkeys(
        ("in_blocks", "block_length", "added", "BLOCK", "LIMITS", "THREADS"), in_blocks
    ),
    **{
        check.__name__: check
        for check in (
            reciprocal, polygamma, softmax, logsumexp, top, inverse_or_nan, expm, matrix_power,
            frechet, power_frechet, spectral_frechet, cofactors, embed, convmat, hankel, shifts,
            commutation, cross, skew, unskew, diag, kron, einsum, spread, diagonal_of,
            signed_logdet, det, logdet, triangle_inverse, inverse_and_sandwich, plus_outer,
            mirrored, cholesky_solve, cholesky_inverse, add_diagonal, both, aligned,
        )
    },
    "ERFCX": lambda library, _: of_entries(library, "erfcx"),
}  # fmt: skip
WRITTEN = ("softplus", "softmax", "logsumexp", "logsumexp_rows", "softmax_logsumexp")


def assert_right(library: Library, name: str) -> None:
    check = written if library.name == "reusing" and name in WRITTEN else CHECKS[name]
    with np.errstate(all="ignore"), targets.double_precision(library.name):
        pairs = list(check(library, name))
    assert pairs
    for value, expected in pairs:
        np.testing.assert_allclose(np.asarray(value), expected, rtol=2e-9, atol=1e-11)


# ---- as modules, and as text ---------------------------------------------------------------------

NUMPY = excerpts("common") | excerpts("plain") | excerpts("numpy")
STACKS: dict[str, Excerpts] = {
    "plain": REFERENCE,
    "numpy": NUMPY,
    "scipy": NUMPY | excerpts("scipy"),
    "reusing": NUMPY | REUSING,
    **{name: dialect(name).helpers for name in ("jax", "torch", "array_api")},
}
PACKAGES = {"plain": "numpy", "reusing": "numpy"}
HERE = [name for name in STACKS if targets.is_installed(PACKAGES.get(name, name))]
HEADS = {"jax": "import jax\nimport jax.numpy as jnp", "torch": "import torch", "array_api": ""}
MODULES = ["common", *HERE]


def as_text(stack: str) -> dict[str, Any]:
    """All functions of a stack, made of their texts."""
    texts, _ = STACKS[stack].needed(STACKS[stack])
    imports = STACKS[stack].imports.values()
    scope: dict[str, Any] = {}
    exec("\n".join([HEADS.get(stack, "import numpy as np"), *imports, *texts]), scope)
    return scope


@pytest.mark.parametrize("stack", HERE)
def test_every_function_as_text(stack: str) -> None:
    library = Library(stack, as_text(stack))
    for name in STACKS[stack]:
        assert_right(library, name)


@pytest.mark.parametrize("module", MODULES)
def test_every_function_as_a_function(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a module calls of ``common`` is NumPy's there: here it is that of the library."""
    loaded = import_module(f"matcalc.codegen.runtime.{module}")
    if module in ("jax", "torch"):
        monkeypatch.setattr(loaded, "cofactors", as_text(module)["cofactors"])
    own = vars(loaded)
    below = {"scipy": "numpy", "reusing": "numpy"}.get(module, "common")
    others = vars(import_module(f"matcalc.codegen.runtime.{below}"))
    library = Library("plain" if module == "common" else module, {**others, **own})
    for name in excerpts(module):
        assert_right(library, name)


@pytest.mark.parametrize("name", sorted(path.stem for path in RUNTIME.glob("[a-z]*.py")))
def test_modules_are_written_to_be_read(name: str) -> None:
    """Every function has a docstring and types; none of its lines has an annotation of its own."""
    tree = ast.parse((RUNTIME / f"{name}.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            assert ast.get_docstring(node), node.name
            assert node.returns, node.name
            assert not any(isinstance(inner, ast.AnnAssign) for inner in ast.walk(node))
    functions = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
    assert functions <= set(excerpts(name))


def test_constants_of_the_planner_are_those_of_the_functions() -> None:
    assert f"len(c) < {LEAST}" in STACKS["scipy"]["inverse_and_sandwich"]


# ---- excerpts ------------------------------------------------------------------------------------

MODULE = '''
"""A module."""

from collections.abc import Callable
from math import factorial
from operator import add as plus, mul

# a table
TABLE: dict[str, int] = {"one": 1}


@cache
def first(x: int, *more: float, key: Callable[[int], int] = abs) -> dict[str, int]:
    """The first."""
    # of all
    second = plus(x, 1)
    return {"a": [mul for mul in TABLE], **third(second)}


# ---- others ----


def second(
    x: int,
    y: float = 2.0,
) -> int:
    """The second."""
    return second(x - 1, y) if x else factorial(3)


def third(x: int) -> int:
    """The third."""
    return second(x)
'''


@pytest.fixture
def module(tmp_path: Any) -> Excerpts:
    (tmp_path / "made.py").write_text(MODULE, encoding="utf-8")
    return excerpts("made", folder=tmp_path)


def test_annotations_stay_behind(module: Excerpts) -> None:
    assert list(module) == ["TABLE", "first", "second", "third"]
    assert module["TABLE"] == '# a table\nTABLE = {"one": 1}'
    assert module["first"] == (
        '@cache\ndef first(x, *more, key=abs):\n    """The first."""\n    # of all\n'
        '    second = plus(x, 1)\n    return {"a": [mul for mul in TABLE], **third(second)}'
    )
    assert module["second"].startswith('def second(x, y=2.0):\n    """The second."""\n')


def test_functions_come_after_those_that_they_call(module: Excerpts) -> None:
    """A name that a function sets itself is none of another function."""
    texts, names = module.needed(["first", "other"])
    assert list(cut("\n".join(texts))) == ["TABLE", "second", "third", "first"]
    assert {"plus", "factorial", "cache", "other"} <= names
    assert "mul" not in names
    assert module.imports == {
        "factorial": "from math import factorial",
        "plus": "from operator import add as plus",
        "mul": "from operator import mul",
    }


def test_the_later_of_two_definitions_is_taken(module: Excerpts) -> None:
    other = Excerpts({"plus": "def plus(a, b):\n    return a"}, {"third": "from a import third"})
    union = module | other
    assert set(union) == {"TABLE", "first", "second", "plus"}
    assert set(union.imports) == {"factorial", "mul", "third"}
    back = other | module
    assert set(back) == {"TABLE", "first", "second", "third"}


def test_functions_of_another_language() -> None:
    """Which says by itself what the text and the names of a piece are."""
    pieces = {"first": "function y = first(x)", "second": "y = first(x)", "third": ""}
    helpers = Excerpts(pieces, read=lambda piece: (piece, frozenset(piece.split("(")[0].split())))
    assert helpers["second"] == pieces["second"]
    assert helpers.needed(["second"])[0] == [pieces["first"], pieces["second"]]


def test_a_docstring_brings_no_function() -> None:
    """The formula names erfcx, the code calls nothing but exp."""
    text = source(typed("erfcx(0*x)*0 + exp(x)", "x: scalar").expr, "array_api").text
    assert "def erfcx" not in text


def test_source_for_a_library_loads_nothing_of_it() -> None:
    script = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('jax', 'torch', 'scipy', 'numba', 'array_api_strict'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "import matcalc as mc\n"
        "d = mc.derive('logdet(S) + sum(erfcx(x))', 'x', 'S: n×n spd')\n"
        "for target in ('jax', 'torch', 'array_api'):\n"
        "    assert 'erfcx' in d.source(target)\n"
        "assert not [n for n in sys.modules if n.startswith('matcalc.codegen.runtime.')]\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
