"""The numbers that a SymPy expression stands for, by NumPy, so that an answer of any form can be
judged by finite differences.

Every array has the axes that SymPy gives it, a column two; one function per class, one table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import prod
from typing import Any

import numpy as np
from sympy import KroneckerDelta, MatrixSymbol
from sympy.matrices.expressions.matexpr import MatrixElement
from sympy.tensor.array.expressions import ArrayElement, ArraySymbol

Array = Any
STEP = 1e-6


class NoNumbers(Exception):
    """What is left unevaluated, or has no function here."""


class Point:
    """The numbers of symbols by name, and of the indices that a sum or a function binds."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)
        self.bound: dict[Any, Any] = {}

    def number(self, node: Any) -> Array:
        """The value of an expression: a number, or an array."""
        for kind in type(node).__mro__:
            if kind.__name__ in _NUMBERS:
                return _NUMBERS[kind.__name__](self, node)
        function = _FUNCTIONS.get(type(node).__name__)
        if function is None:
            raise NoNumbers(type(node).__name__)
        return function(*map(self.number, node.args))

    def length(self, dim: Any) -> int:
        return int(self.number(dim))

    def symbol(self, node: Any) -> Array:
        if node in self.bound:
            return self.bound[node]
        name = str(node.name)
        if name not in self.values:
            raise NoNumbers(f"the symbol {name}")
        return self.values[name]

    def applied(self, function: Any, argument: Array) -> Array:
        """A Lambda at every entry."""
        before = dict(self.bound)
        self.bound[function.variables[0]] = argument
        found = np.broadcast_to(self.number(function.expr), np.shape(argument))
        self.bound = before
        return found

    def summed(self, node: Any) -> Array:
        """A sum over indices, term by term."""
        before, total = dict(self.bound), 0.0
        for _ in self.indices(list(node.limits)):
            total = total + self.number(node.function)
        self.bound = before
        return total

    def indices(self, limits: list[Any]) -> Iterator[None]:
        if not limits:
            yield
            return
        # the limits of an inner sum may hold the index of an outer one, which is written later
        index, first, last = limits[-1]
        for value in range(self.length(first), self.length(last) + 1):
            self.bound[index] = value
            yield from self.indices(limits[:-1])

    def element(self, node: Any) -> Array:
        return self.number(node.args[0])[tuple(map(self.length, _places(node)))]

    def contraction(self, node: Any, groups: Any, kept: bool) -> Array:
        """The axes of every group made one, and summed or put last."""
        a = self.number(node.expr)
        labels = list(range(a.ndim))
        for first, *others in (list(map(int, g)) for g in groups):
            for axis in others:
                labels[axis] = first
        joined = [int(g[0]) for g in groups]
        taken = {int(axis) for g in groups for axis in g}
        return np.einsum(a, labels, [x for x in range(a.ndim) if x not in taken] + joined * kept)


def _product(point: Point, node: Any) -> Array:
    """A matrix product; what has one entry is a factor of the others."""
    factors = [np.asarray(point.number(a)) for a in node.args]
    matrices = [f for f in factors if f.size > 1]
    coefficient = prod(f.item() for f in factors if f.size == 1)
    total = np.ones((1, 1)) if node.shape == (1, 1) and not matrices else np.ones(())
    for k, f in enumerate(matrices):
        total = f if k == 0 else total @ f if np.ndim(total) and np.size(total) > 1 else total * f
    return coefficient * total


def _outer(point: Point, node: Any) -> Array:
    total = np.ones(())
    for a in node.args:
        total = np.multiply.outer(total, point.number(a))
    return total


def _power(point: Point, node: Any) -> Array:
    base, exponent = map(point.number, node.args)
    return (
        np.linalg.matrix_power(base, int(exponent))
        if np.size(base) > 1
        else np.power(base, exponent)
    )


def _times(point: Point, node: Any) -> Array:
    total: Array = 1.0
    for a in node.args:
        total = total * point.number(a)
    return total


def _total(point: Point, node: Any) -> Array:
    total: Array = 0.0
    for a in node.args:
        total = total + point.number(a)
    return total


def _kronecker_product(point: Point, node: Any) -> Array:
    total: Array = np.ones((1, 1))
    for a in node.args:
        total = np.kron(total, point.number(a))
    return total


def _full(value: float) -> Callable[[Point, Any], Array]:
    return lambda point, node: np.full([point.length(dim) for dim in node.shape], value)


_NUMBERS: dict[str, Callable[[Point, Any], Array]] = {
    "Number": lambda _, node: float(node),
    "Exp1": lambda *_: np.e,
    "Pi": lambda *_: np.pi,
    "Symbol": Point.symbol,
    "MatrixSymbol": Point.symbol,
    "ArraySymbol": Point.symbol,
    "MatrixSlice": lambda point, node: point.number(node.args[0])[
        tuple(slice(point.length(a), point.length(b)) for a, b, _ in node.args[1:])
    ],
    "BlockMatrix": lambda point, node: np.block(
        [[point.number(block) for block in row] for row in node.blocks.tolist()]
    ),
    "Identity": lambda point, node: np.eye(point.length(node.shape[0])),
    "OneMatrix": _full(1),
    "OneArray": _full(1),
    "ZeroMatrix": _full(0),
    "ZeroArray": _full(0),
    "Add": _total,
    "MatAdd": _total,
    "ArrayAdd": _total,
    "Mul": _times,
    "HadamardProduct": _times,
    "MatMul": _product,
    "ArrayTensorProduct": _outer,
    "KroneckerProduct": _kronecker_product,
    "MatPow": _power,
    "Inverse": lambda point, node: np.linalg.inv(point.number(node.args[0])),
    "Pow": lambda point, node: np.power(*map(point.number, node.args)),
    "HadamardPower": lambda point, node: np.power(*map(point.number, node.args)),
    "Transpose": lambda point, node: point.number(node.args[0]).T,
    "Trace": lambda point, node: np.trace(point.number(node.args[0])),
    "Determinant": lambda point, node: np.linalg.det(point.number(node.args[0])),
    "DiagMatrix": lambda point, node: np.diag(point.number(node.args[0]).ravel()),
    "DiagonalOf": lambda point, node: np.diag(point.number(node.args[0]))[:, None],
    "DiagonalMatrix": lambda point, node: np.diag(np.diag(point.number(node.args[0]))),
    "ElementwiseApplyFunction": lambda point, node: point.applied(
        node.function, point.number(node.expr)
    ),
    "ArrayElementwiseApplyFunc": lambda point, node: point.applied(
        node.function, point.number(node.expr)
    ),
    "ArrayContraction": lambda point, node: point.contraction(
        node, node.contraction_indices, False
    ),
    "ArrayDiagonal": lambda point, node: point.contraction(node, node.diagonal_indices, True),
    "PermuteDims": lambda point, node: np.transpose(
        point.number(node.expr), node.permutation.array_form
    ),
    "Reshape": lambda point, node: np.reshape(
        point.number(node.expr), [point.length(dim) for dim in node.shape]
    ),
    "Sum": Point.summed,
    "MatrixElement": Point.element,
    "ArrayElement": Point.element,
    "KroneckerDelta": lambda point, node: float(
        point.number(node.args[0]) == point.number(node.args[1])
    ),
}
_FUNCTIONS = {"sin": np.sin, "cos": np.cos, "tan": np.tan, "exp": np.exp, "log": np.log}


def derivative(expression: Any, wrt: Any, values: Mapping[str, Any]) -> Array:
    """The derivative by central differences, with the axes of the expression before those of the
    variable.
    """
    name, at = _place(wrt, values)
    start = np.asarray(values[name], float)
    columns = []
    for place in np.ndindex(start.shape) if at is None else [at]:
        step = np.zeros(start.shape)
        step[place] = STEP
        above, below = (
            np.asarray(Point({**values, name: start + sign * step}).number(expression), float)
            for sign in (1, -1)
        )
        columns.append((above - below) / (2 * STEP))
    return (
        columns[0]
        if at is not None
        else np.stack(columns, -1).reshape((*columns[0].shape, *start.shape))
    )


def _place(wrt: Any, values: Mapping[str, Any]) -> tuple[str, tuple[int, ...] | None]:
    """The name of the variable, and the place in it of an entry."""
    if not isinstance(wrt, MatrixElement | ArrayElement):
        return str(wrt.name), None
    return str(wrt.args[0].name), tuple(map(Point(values).length, _places(wrt)))


def agree(found: Array, wanted: Array, rank: int) -> bool:
    """Whether an answer has these numbers in one of the two layouts.

    ``rank`` is the number of axes of the expression.
    """
    last_first = np.transpose(wanted, [*range(rank, np.ndim(wanted)), *range(rank)])
    layouts = [np.squeeze(w) for w in (wanted, last_first)]
    if max(w.ndim for w in layouts) <= 2:
        layouts += [w.T for w in layouts]
    found = np.squeeze(np.asarray(found, float))
    if not np.any(wanted) and not np.any(found):
        return found.ndim == 0 or any(found.shape == w.shape for w in layouts)
    return any(
        found.shape == w.shape and np.allclose(found, w, rtol=1e-5, atol=1e-6) for w in layouts
    )


def values_of(*expressions: Any) -> dict[str, Any]:
    """A length for every dimension, a place for every index, and random numbers for the rest,
    inside every domain.
    """
    rng = np.random.default_rng(7)
    arrays = sorted({s for e in expressions for s in e.atoms(MatrixSymbol, ArraySymbol)}, key=str)
    scalars = sorted({s for e in expressions for s in e.free_symbols} - set(arrays), key=str)
    names = sorted({str(dim) for s in arrays for size in s.shape for dim in size.free_symbols})
    shortest = max(
        [
            3,
            *(
                int(index) + 1
                for node in _elements(expressions)
                for index in _places(node)
                if index.is_Integer
            ),
        ]
    )
    values: dict[str, Any] = {name: shortest + k for k, name in enumerate(names)}
    indices = {
        name: unit for name, unit in sorted(_indices(expressions).items()) if name not in names
    }
    values |= {
        name: 0 if unit else place % 3 for place, (name, unit) in enumerate(indices.items(), 1)
    }
    for s in (*arrays, *scalars):
        if str(s.name) not in values:
            shape = [
                int(dim) if dim.is_Integer else values[str(dim)] for dim in getattr(s, "shape", ())
            ]
            values[str(s.name)] = rng.uniform(0.2, 0.7, shape) + (
                np.eye(*shape) if len(shape) == 2 and min(shape) > 1 else 0
            )
    return values


def _elements(expressions: tuple[Any, ...]) -> list[Any]:
    return [node for e in expressions for node in e.atoms(MatrixElement, ArrayElement)]


def _indices(expressions: tuple[Any, ...]) -> dict[str, bool]:
    """The names of the symbols that stand as indices, and whether of an axis of length one."""
    entries = [
        (size, index)
        for node in _elements(expressions)
        for size, index in zip(node.args[0].shape, _places(node), strict=True)
    ]
    entries += [
        (None, index)
        for e in expressions
        for node in e.atoms(KroneckerDelta)
        for index in node.args[:2]
    ]
    found: dict[str, bool] = {}
    for size, index in entries:
        found |= {
            str(s.name): size == 1 or found.get(str(s.name), False) for s in index.free_symbols
        }
    return found


def _places(element: Any) -> tuple[Any, ...]:
    """The indices of an entry of a matrix, or of an array."""
    return tuple(element.args[1:] if len(element.args) == 3 else element.args[1])


def points(*expressions: Any) -> list[dict[str, Any]]:
    """Two points: with the indices apart, and with all of them 0."""
    values = values_of(*expressions)
    return [values, {**values, **dict.fromkeys(values.keys() & _indices(expressions).keys(), 0)}]
