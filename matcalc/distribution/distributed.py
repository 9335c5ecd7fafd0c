"""Bigger than one machine: a loss that is a sum over rows, with its gradient, on dask arrays or JAX
meshes, in one pass over the data.

:mod:`matcalc.calculus.separate` proves what to add up. Each block of rows runs the compiled
function of the sums and gives arrays as small as the answers; a tree adds them up; what is a
function of the sums, or does not depend on the rows, is found once at the end. Rows are never
brought together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from operator import index
from typing import Any

from ..api.derivation import Derivation, Derivations
from ..api.derive import derive
from ..api.inputs import Shapes
from ..calculus.separate import separate
from ..codegen import compile_expr
from ..codegen.arrays import to_numpy
from ..codegen.compiled import Compiled, fit
from ..errors import (
    MissingData,
    NotSeparable,
    OptionProblem,
    ShapeProblem,
    Unsupported,
    check_real,
    text_of,
)
from ..expr import Expr, postorder
from ..expr.parts import index_names
from ..expr.sizes import length, show_shape
from ..labels.roots import Root, parts
from ..language.program import Program
from ..numeric.objective import Objective
from ..numeric.value_and_grad import ValueAndGrad
from ..options import strict

Array = Any


@strict
def distribute(
    expr: Any,
    wrt: str | Sequence[str] | None = None,
    *,
    rows: str,
    shapes: Shapes = None,
    target: str = "numpy",
) -> Distributed:
    """Make a scalar and its derivatives a function of arrays that are cut into blocks of rows.

    Arguments:

    * ``expr``: an answer of :func:`matcalc.derive`, or a loss, which is then derived by ``wrt``.
    * ``rows``: the name of the size of the samples' axis, the m of ``X: m×n; y: m``. The arguments
      that have it are dask arrays of float64, the others are small and whole.
    * ``shapes``: declarations, as those of :func:`matcalc.derive`.
    * ``target``: the target of the function of a block, as that of ``compile``.

    The result gives the value and the derivatives in the order of the variables, as
    ``compile(value=True)`` does.

    Raises NotSeparable, which names what cannot be added up from blocks of rows; OptionProblem for
    a variable or shapes beside a derivation; and what :func:`matcalc.derive` raises.

    >>> import matcalc as mc
    >>> ridge = mc.derive("norm2(X*w - y)^2/m + c*w'*w", "w", shapes="X: m×n; c: scalar")
    >>> f = mc.distribute(ridge, rows="m")
    >>> print(f)
    in each block: sum((X*w - y).^2)/count, X'*(X*w - y)/count
    at the end: c*(w'*w) + total, 2*(c*w + total2)
    """
    derived = isinstance(expr, (Derivation, Derivations))
    if derived and (wrt is not None or shapes is not None):
        raise OptionProblem(
            "a derivation has its variable and its shapes",
            "give them to derive, or the expression here",
        )
    d = expr if derived else derive(expr, wrt, shapes)
    found = {d.wrt.name: d} if isinstance(d, Derivation) else dict(d)
    program = next(iter(found.values())).program
    variables = program.variables.values()
    text_of(rows, "rows")
    if not any(rows in size for v in variables for size in v.shape_):
        raise NotSeparable(
            f"no variable has an axis of length {rows}",
            "; ".join(f"{v.name}: {show_shape(v.shape_)}" for v in variables),
        )
    return Distributed(
        (program.expr, *(one.result for one in found.values())), rows, target, program, tuple(found)
    )


@strict
class Distributed:
    """The value and the derivatives as a function of arrays by keyword, block by block.

    ``f(X=…, y=…, w=…)`` computes all that is a sum over the rows, in one pass, where the blocks
    lie; what has a row for each row of the data, such as the derivative by y, is returned as a dask
    array. ``lazy`` computes nothing. ``block`` is the compiled function of a block,
    ``block.source`` its code.

    Raises MissingData for a missing argument, ShapeProblem for what does not fit, and Unsupported
    where dask is not installed.

    >>> import matcalc as mc
    >>> f = mc.distribute("norm2(X*w - y)^2", "w", rows="m")
    >>> print(f)
    in each block: sum((X*w - y).^2), 2*X'*(X*w - y)
    at the end: total, total2
    """

    def __init__(
        self,
        roots: Sequence[Root],
        rows: str,
        target: str = "numpy",
        program: Program[Root] | None = None,
        wrt: Sequence[str] = (),
    ) -> None:
        self.rows, self.target, self.roots = rows, target, tuple(roots)
        self.parts = separate(roots, rows)
        self._program, self._wrt = program, tuple(wrt)
        self._shapes = [root.shape_ for root in self.roots if isinstance(root, Expr)]

    def __str__(self) -> str:
        lines = {
            "in each block": self.parts.sums,
            "for each row": self.parts.rows.values(),
            "at the end": self.parts.after.values(),
        }
        return "\n".join(
            f"{where}: {', '.join(map(str, found))}" for where, found in lines.items() if found
        )

    def __call__(self, /, **arguments: Any) -> tuple[Array, ...]:
        """The value and the derivatives: one ``dask.compute``, by the current dask client if
        there is one.
        """
        found = list(self.lazy(**arguments))
        small = list(self.parts.after)
        for i, computed in zip(
            small, _package("dask").compute(*(found[i] for i in small)), strict=True
        ):
            found[i] = computed
        return tuple(found)

    def lazy(self, /, **arguments: Any) -> tuple[Array, ...]:
        """The same as dask arrays of one graph, of which nothing is computed yet.

        Raises MissingData for a missing argument and ShapeProblem for what does not fit.
        """
        _package("dask.array")
        from .on_dask import lazily

        return lazily(self, *self.sorted(arguments))

    def sharded(self, mesh: Any) -> Callable[..., tuple[Array, ...]]:
        """The same over the devices of a ``jax.sharding.Mesh``.

        Each has its rows, and one all-reduce adds the sums up. Raises ShapeProblem, when it is
        called, where the rows cannot be shared out alike.
        """
        _package("jax")
        from .on_mesh import Sharded

        return Sharded(self, mesh)

    def value_and_grad(
        self, data: Mapping[str, Any], start: Mapping[str, Any] | None = None
    ) -> ValueAndGrad:
        """The function that ``scipy.optimize.minimize(g, g.start, jac=True, hessp=g.hessp)`` takes.

        It is as :func:`matcalc.value_and_grad` gives it. ``data`` holds the dask arrays and the
        small arguments that stay; ``start`` the first values by name. Every call is one pass over
        the data. Raises MissingData for data that is missing, Unsupported where there is no
        variable to minimize by.
        """
        if self._program is None:
            raise Unsupported("there is no variable to minimize by", "use matcalc.distribute")
        return ValueAndGrad(_Chunked(self, self._program, self._wrt, data, start))

    # ---- the functions of a block, of its rows, and of the sums ----------------------------------

    @cached_property
    def block(self) -> Compiled:
        """The sums of one block."""
        return compile_expr(self.parts.sums, self.target, "block")

    @cached_property
    def row_functions(self) -> Mapping[int, Compiled]:
        """The results that have a row for each row, by their position among all."""
        return {i: compile_expr((e,), self.target, "rows") for i, e in self.parts.rows.items()}

    @cached_property
    def finish(self) -> Compiled:
        """The results, from the sums and the small arguments."""
        return compile_expr(tuple(self.parts.after.values()), "numpy", "finish")

    # ---- arguments -------------------------------------------------------------------------------

    def sorted(
        self, arguments: Mapping[str, Any]
    ) -> tuple[dict[str, Array], dict[str, Array], dict[str, int]]:
        """The arguments with rows, those without, in which the number of rows is one, and the
        length of every size.
        """
        indices = index_names(postorder(*parts(*self.roots)))
        names = [
            *(v.name for v in (*self.parts.chunked, *self.parts.free) if v is not self.parts.count),
            *indices,
        ]
        missing = [n for n in names if n not in arguments]
        if missing:
            raise MissingData(
                f"missing argument {', '.join(missing)}", f"the function takes {', '.join(names)}"
            )
        free = {v.name: _whole(v, arguments[v.name], self.rows) for v in self.parts.free}
        chunked = {v.name: arguments[v.name] for v in self.parts.chunked}
        for name, array in (chunked | free).items():
            check_real(name, array)
        sizes = lengths((*self.parts.chunked, *self.parts.free), chunked | free)
        free |= {
            n: _index(n, arguments[n], [length(size, sizes) for size in axes])
            for n, axes in indices.items()
        }
        return chunked, free | {self.parts.count.name: float(sizes.get(self.rows, 0))}, sizes

    def axis(self, v: Expr) -> int:
        """The number of the axis of an array along which the rows lie."""
        return next(i for i, size in enumerate(s for s in v.shape_ if s) if self.rows in size)

    def shape(self, i: int, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The shape of a result."""
        return tuple(length(size, sizes) for size in self._shapes[i] if size)


def _index(name: str, given: Any, axes: Sequence[int]) -> int:
    """An index on axes; raises ShapeProblem for one that they do not have."""
    try:
        number = index(given)
    except TypeError:
        number = 0
    if not 1 <= number <= min(axes):
        raise ShapeProblem(
            f"{name} is an index",
            f"it must be an integer from 1 to {min(axes)}, not {str(given)[:40]}",
        )
    return number


def lengths(variables: Iterable[Expr], arrays: Mapping[str, Array]) -> dict[str, int]:
    """The lengths of the named sizes; raises ShapeProblem where arrays do not fit together."""
    found: dict[str | int, int] = {}
    for v in variables:
        shape = tuple(getattr(arrays[v.name], "shape", ()))
        if any(n != n for n in shape):  # dask's nan for a length that only computing can tell
            raise ShapeProblem(
                f"how many rows {v.name} has is not known", "call its compute_chunk_sizes() first"
            )
        fit(v, shape, found)
    return {str(a): n for a, n in found.items()}


def _whole(v: Expr, value: Any, rows: str) -> Array:
    if hasattr(value, "__dask_graph__"):
        raise ShapeProblem(
            f"{v.name} is a dask array and has no axis of length {rows}",
            "give it whole, as an array of NumPy",
        )
    return float(value) if isinstance(value, (int, float)) else to_numpy(value)[()]


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        hint = (
            "install the extra matgrad[distribute]" if package == "dask" else f"install {package}"
        )
        raise Unsupported(
            f"this needs the package {package}, which is not installed here", hint
        ) from None


class _Chunked(Objective):
    """An objective whose data stays in blocks of rows."""

    def __init__(
        self,
        f: Distributed,
        program: Program[Root],
        wrt: Sequence[str],
        data: Mapping[str, Any],
        start: Mapping[str, Any] | None,
    ) -> None:
        self._how = f.rows, f.target
        super().__init__(program, wrt, data, None, start)

    def _compiled(self, roots: tuple[Root, ...]) -> Callable[..., Any]:
        return Distributed(roots, *self._how)

    def _array(self, name: str, given: Any) -> Array:
        return given if hasattr(given, "__dask_graph__") else super()._array(name, given)
