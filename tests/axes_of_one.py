"""What NumPy says of every function and abbreviation, on two-dimensional arrays of any lengths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.special
from reference import emit

import matcalc as mc
from matcalc.codegen import compile_expr
from matcalc.codegen.compiled import load
from matcalc.expr import Expr
from matcalc.expr.sizes import length
from matcalc.tables.functions import BY_NAME, MACROS, ROWS

Array = Any
LENGTHS = {"n": 3, "m": 2}
SHAPES = ("1×1", "n×1", "1×n", "n×n", "m×n")


def number(x: Array) -> Array:
    """A matrix of one row and one column."""
    return np.reshape(x, (1, 1))


def square(x: Array) -> Array:
    assert x.shape[0] == x.shape[1]
    return x


def symmetric(x: Array) -> Array:
    assert np.array_equal(x, x.T)
    return x


def vector(x: Array) -> Array:
    assert 1 in x.shape
    return x


def matrix(x: Array) -> Array:
    assert x.shape == (1, 1) or 1 not in x.shape
    return x


def column(x: Array) -> Array:
    assert x.shape[1] == 1
    return x


def softmax(x: Array, axis: int | None = None) -> Array:
    return scipy.special.softmax(x, axis)


def diag(x: Array) -> Array:
    return np.diag(x.ravel()) if 1 in x.shape else np.diag(square(x))[:, None]


def convolved(x: Array, w: Array) -> Array:
    return np.convolve(column(x)[:, 0], column(w)[:, 0])[:, None]


def correlated(x: Array, w: Array) -> Array:
    assert len(x) >= len(w)
    return np.correlate(column(x)[:, 0], column(w)[:, 0], "valid")[:, None]


def columns(f: Callable[[Array, Array], Array], x: Array, w: Array) -> Array:
    """The matrix of a linear function of w."""
    return np.hstack([f(x, unit[:, None]) for unit in np.eye(len(column(w)))])


def broadcasts(*shapes: tuple[int, ...]) -> bool:
    """Whether matrices may stand beside each other entry by entry: a number with all of them, a
    row with those of its width.
    """
    full = max(shapes, key=prod)
    return all(prod(shape) == 1 or shape == full or shape == (1, full[1]) for shape in shapes)


def of_entries(f: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    def checked(x: Array, w: Array) -> Array:
        assert broadcasts(x.shape, w.shape)
        return f(x, w)

    return checked


def product_of(x: Array, w: Array) -> Array:
    return x * w if 1 in (x.size, w.size) else x @ w


def normp(x: Array, p: Array) -> Array:
    assert p.size == 1
    return number((np.abs(x) ** p).sum() ** (1 / p))


def sign_of(x: Array) -> Array:
    u, _, v = np.linalg.svd(x, full_matrices=False)
    return u @ v


def leading(x: Array) -> Array:
    u, _, v = np.linalg.svd(x, full_matrices=False)
    return u[:, :1] @ v[:1]


FUNCTIONS: dict[str, Callable[..., Array]] = {
    "tr": lambda x: number(np.trace(square(x))),
    "sum": lambda x: number(x.sum()),
    "diag": diag,
    "kron": np.kron,
    "vec": lambda x: x.T.reshape(-1, 1),
    "tril": lambda x: np.tril(matrix(x)),
    "triu": lambda x: np.triu(matrix(x)),
    "inv": lambda x: np.linalg.inv(square(x)),
    "det": lambda x: number(np.linalg.det(square(x))),
    "logdet": lambda x: number(np.linalg.slogdet(square(x))[1]),
    "pinv": np.linalg.pinv,
    "expm": lambda x: scipy.linalg.expm(square(x)),
    "logm": lambda x: scipy.linalg.logm(square(x)),
    "sqrtm": lambda x: scipy.linalg.sqrtm(square(x)),
    "expm_frechet": lambda x, w: scipy.linalg.expm_frechet(square(x), w)[1],
    "chol": lambda x: np.linalg.cholesky(symmetric(x)),
    "eigvals": lambda x: np.linalg.eigvalsh(symmetric(x))[:, None],
    "eigvecs": lambda x: np.linalg.eigh(symmetric(x))[1],
    "normnuc": lambda x: number(np.linalg.norm(matrix(x), "nuc")),
    "normspec": lambda x: number(np.linalg.norm(matrix(x), 2)),
    "polar": lambda x: sign_of(matrix(x)),
    "leading": lambda x: leading(matrix(x)),
    "norm2": lambda x: number(np.linalg.norm(x)),
    "norm1": lambda x: number(np.abs(x).sum()),
    "amax": lambda x: number(x.max()),
    "amin": lambda x: number(x.min()),
    "ismax": lambda x: 1.0 * (x == x.max()),
    "conv": convolved,
    "corr": correlated,
    "convmat": lambda x, w: columns(convolved, x, w),
    "hankel": lambda x, w: columns(correlated, x, w),
    "softmax": lambda x: softmax(vector(x)),
    "logsoftmax": lambda x: np.log(softmax(vector(x))),
    "logsumexp": lambda x: number(np.log(np.exp(vector(x)).sum())),
    "softmax_rows": lambda x: softmax(x, 1),
    "logsumexp_rows": lambda x: np.log(np.exp(x).sum(1, keepdims=True)),
    "logsoftmax_rows": lambda x: np.log(softmax(x, 1)),
}
ABBREVIATIONS: dict[str, Callable[..., Array]] = {
    "sqrt": np.sqrt,
    "square": np.square,
    "norm2sq": lambda x: number(np.linalg.norm(x) ** 2),
    "log2": np.log2,
    "log10": np.log10,
    "gelu": lambda x: x * (1 + scipy.special.erf(x / 2**0.5)) / 2,
    "normcdf": lambda x: (1 + scipy.special.erf(x / 2**0.5)) / 2,
    "max": of_entries(np.maximum),
    "min": of_entries(np.minimum),
    "hypot": of_entries(np.hypot),
    "atan2": of_entries(np.arctan2),
    "huber": of_entries(lambda x, d: np.where(np.abs(x) < d, x * x / 2, d * np.abs(x) - d * d / 2)),
    "mean": lambda x: number(x.mean()),
    "var": lambda x: number(x.var()),
    "std": lambda x: number(x.std()),
    "rowsums": lambda x: x.sum(1, keepdims=True),
    "colsums": lambda x: x.sum(0, keepdims=True),
    "norm2_rows": lambda x: np.linalg.norm(x, axis=1, keepdims=True),
    "norm2_cols": lambda x: np.linalg.norm(x, axis=0, keepdims=True),
    "lambda_max": lambda x: number(np.linalg.eigvalsh(symmetric(x)).max()),
    "lambda_min": lambda x: number(np.linalg.eigvalsh(symmetric(x)).min()),
    "norminf": lambda x: number(np.abs(x).max()),
    "normp": normp,
    "cross_entropy": lambda y, p: -product_of(y.T, np.log(p)),
    "softmax_cols": lambda x: softmax(x, 0),
    "logsumexp_cols": lambda x: np.log(np.exp(x).sum(0, keepdims=True)),
    "cumsum": lambda x: x.cumsum(0),
    "dot": lambda x, y: product_of(x.T, y),
    "outer": lambda x, y: product_of(x, y.T),
    "adj": lambda x: np.linalg.det(square(x)) * np.linalg.inv(x),
    "solve": lambda a, b: product_of(np.linalg.inv(square(a)), b),
    "quadform": lambda a, x: product_of(product_of(x.T, a), x),
}
# of vectors of length three, of a number first or last, or of matrices that are square whatever the
# shape
ELSEWHERE = {
    "cross",
    "skew",
    "unskew",
    "polygamma",
    "powm",
    "powm_frechet",
    "logm_frechet",
    "sqrtm_frechet",
    "diagonal",
}


def entrywise(name: str) -> Callable[[Array], Array]:
    """A function of numbers, applied to each entry."""
    code = load(emit(mc.parse(f"{name}(c)", "c: scalar")))
    return lambda x: np.reshape([float(code(np.float64(v))) for v in x.ravel()], x.shape)


ORACLES = (
    {
        row.name: entrywise(row.name)
        for row in ROWS
        if row.elementwise and not row.second and not row.hidden
    }
    | FUNCTIONS
    | ABBREVIATIONS
)
REFUSED = [row for row in ROWS if not (row.derivative or row.rule or row.define or row.adjoint)]
# a row beside a matrix may be refused
STRICTER = {"max", "min", "hypot", "atan2", "huber", "cross_entropy"}


def arity(name: str) -> int:
    return len(MACROS[name].parameters) if name in MACROS else BY_NAME[name].arity


def domain(name: str) -> tuple[float, float]:
    low, high = BY_NAME[name].domain if name in BY_NAME else (0.0, 1.0)
    return (low, low + 1) if low > -1 else (max(low, -1.0), min(high, 1.0))


def takes_symmetric(name: str) -> bool:
    return name.startswith("lambda_") or (name in BY_NAME and BY_NAME[name].symmetric)


def matrices(name: str, shapes: tuple[str, ...]) -> list[Array]:
    """Random matrices inside the domain of a function, the square ones well away from singular."""
    rng, (low, high) = np.random.default_rng(1), domain(name)
    found = []
    for shape in shapes:
        size = [LENGTHS.get(axis, 1) for axis in shape.split("×")]
        x = rng.uniform(low + 0.1 * (high - low), high - 0.1 * (high - low), size)
        square_one = size[0] == size[1] > 1
        if square_one and takes_symmetric(name):
            x = x + x.T
        found.append(x + 2 * np.eye(*size) if square_one and name not in ORDINARY else x)
    return found


def declared(name: str, shapes: tuple[str, ...]) -> dict[str, str]:
    structure = " symmetric" if takes_symmetric(name) else ""
    return {
        x: f"{shape}{structure if shape == 'n×n' else ''}"
        for x, shape in zip("xyz", shapes, strict=False)
    }


def argument(x: Array, shape: str) -> Array:
    """A matrix as matcalc takes it, without its axes of length one."""
    return x.reshape(
        [length for length, axis in zip(x.shape, shape.split("×"), strict=True) if axis != "1"]
    )[()]


ORDINARY = {row.name for row in ROWS if row.elementwise}


def as_arguments(at: dict[str, Array], shapes: dict[str, str]) -> dict[str, Array]:
    return {x: argument(value, shapes[x].split()[0]) for x, value in at.items()}


def expected(name: str, args: list[Array]) -> Array | None:
    """What NumPy says, or nothing where these shapes make no sense."""
    try:
        return ORACLES[name](*args)
    except (AssertionError, ValueError, np.linalg.LinAlgError):
        return None


def evaluated(e: Expr, arguments: dict[str, Array]) -> Array:
    """The value as a matrix."""
    shape = [length(size, LENGTHS) for size in e.shape_]
    return np.reshape(compile_expr(e)(**arguments | LENGTHS), shape)


def cases() -> Iterator[Any]:
    for name in ORACLES:
        for shapes in product(SHAPES, repeat=arity(name)):
            yield pytest.param(name, shapes, id=f"{name}-{'-'.join(shapes)}")
