"""A compiled function: checks its arguments, runs the generated code, gives the result back in the caller's layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import NameProblem, ShapeProblem
from ..expr import Expr
from ..sizes import show_shape

if TYPE_CHECKING:
    from .source import Source


class Compiled:
    """Evaluates an expression on arrays given by keyword.

    One dictionary may serve many functions: arguments that this one does not need are ignored. Vectors are 1-D arrays; a column (n, 1) is accepted and given back. ``source`` is the code that runs. Raises NameProblem
    for a missing argument and ShapeProblem for arrays that do not fit, before any work is done.
    """

    def __init__(self, source: Source) -> None:
        self.source = source.text
        self.exprs = source.roots
        self.parameters = tuple(source.parameters.values())
        self._sizes = source.sizes
        self._variables = {v.name: v for v in source.variables}
        self.raw = load(source)

    def __call__(self, **arguments: Any) -> Any:
        missing = [n for n in self.parameters if n not in arguments]
        if missing:
            raise NameProblem(f"missing argument {', '.join(missing)}", f"the function takes {', '.join(self.parameters)}")
        arrays, column = self._checked(arguments)
        result = self.raw(*(arrays[n] for n in self.parameters))
        if isinstance(result, tuple):
            return tuple(_as_given(r, column) for r in result)
        return _as_given(result, column)

    def _checked(self, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        import numpy as np

        sizes: dict[str | int, int] = {n: int(arguments[n]) for n in self._sizes}
        arrays: dict[str, Any] = dict(sizes)  # type: ignore[arg-type]
        column = False
        for name, v in self._variables.items():
            array = np.asarray(arguments[name])
            array = array if array.dtype.kind in "fc" else array.astype(float)
            wanted = _wanted(v)
            if array.ndim == len(wanted) + 1 and 1 in array.shape[-2:] and len(wanted) < 2:
                column = column or (len(wanted) == 1 and array.shape[1] == 1)
                array = array.reshape(-1) if wanted else array.reshape(())
            if array.shape != tuple(_bound(wanted, array.shape, sizes)):
                raise ShapeProblem(f"{name} has shape {array.shape}", f"{name} is {show_shape(v.shape_)}{_known(sizes)}")
            arrays[name] = array if wanted else array[()]
        return arrays, column


def _as_given(result: Any, column: bool) -> Any:
    """A vector as a column if vectors came as columns."""
    return result[:, None] if column and getattr(result, "ndim", 0) == 1 else result


def _wanted(v: Expr) -> tuple[Any, ...]:
    """The axes of a variable, unit axes left out."""
    return tuple(size for size in v.shape_ if size)


def _bound(wanted: tuple[Any, ...], shape: tuple[int, ...], sizes: dict[str | int, int]) -> list[int]:
    """The lengths that the axes must have; a name that is met first takes the length it is met with."""
    if len(shape) != len(wanted):
        return [-1]
    out = []
    for size, length in zip(wanted, shape, strict=True):
        if len(size) == 1 and isinstance(size[0], str):
            out.append(sizes.setdefault(size[0], length))
            continue
        product = 1
        for atom in size:
            product *= atom if isinstance(atom, int) else sizes.get(atom, 1)
        out.append(product)
    return out


def _known(sizes: Mapping[str | int, int]) -> str:
    named = {k: v for k, v in sizes.items() if isinstance(k, str)}
    return " with " + ", ".join(f"{k}={v}" for k, v in named.items()) if named else ""


def load(source: Source) -> Callable[..., Any]:
    """Run generated source and return its function. The source holds nothing of the user's but validated identifiers."""
    scope: dict[str, Any] = {}
    exec(compile(source.text, f"<matcalc {source.name}>", "exec"), scope)
    function: Callable[..., Any] = scope[source.name]
    return function
