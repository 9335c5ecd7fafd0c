"""A compiled function: checks its arguments, runs the generated code, gives the result back in
the caller's layout.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any

from ..errors import MissingData, NameProblem, ShapeProblem, check_real
from ..expr import Expr, letter_sizes, own_axes, postorder, shape_text
from ..expr.parts import all_exist, bounded, exists, range_of, unsure
from ..expr.sizes import Sum, Unknown, base_atoms, linear, show, total_of
from ..expr.sizes import length as product_of
from ..labels.roots import Root, parts
from ..tables.functions import BY_NAME
from .arrays import is_finite, reshaped, undefined
from .targets import dialect

if TYPE_CHECKING:
    from .cost import Cost
    from .write.source import Source


# of NumPy and of PyTorch: a matrix that has no factorization
FAILURES = ("LinAlgError", "_LinAlgError")


class Compiled:
    """Evaluates an expression on arrays given by keyword.

    One dictionary may serve many functions: arguments that this one does not need are ignored.
    Vectors are 1-D arrays; a column (n, 1) is accepted and given back. ``source`` is the code that
    runs, ``raw`` the function that it defines, of positional arguments in the order of
    ``parameters`` and without checks. ``source_for_large`` is code for the same by blocks of rows,
    which runs where that takes less time, or empty. Raises MissingData for a missing argument and
    ShapeProblem for arrays that do not fit, before any work is done.
    """

    # under which names the call of a quick function compares the first shapes
    _first: Mapping[str, str] = {}
    _scope: dict[str, Any]

    def __init__(self, source: Source, target: str = "numpy", beside: Root | None = None) -> None:
        self._made_of = (source, target, beside)
        self.source = source.text
        self.source_for_large = source.large.text if source.large else ""
        self._least = source.large.least if source.large else ("", 0)
        self.exprs = source.roots
        self.target = target
        self._dialect = dialect(target)
        self._beside = beside
        self.parameters = tuple(source.parameters.values())
        self._sizes = source.sizes
        self._variables = {v.name: v for v in source.variables}
        self._wanted = {v.name: own_axes(v) for v in source.variables}
        self._nodes = postorder(*parts(*source.roots))
        self._parts = [e for e in self._nodes if e.head == "part" and unsure(e)]
        sums = {a for e in self._nodes for size in e.shape_ for a in size if isinstance(a, Sum)}
        self._sums = sorted(a for a in sums if not a.is_positive)
        self._body = source.body
        self.seen: set[Any] = set()
        self.raw = load(source)
        if (
            self._dialect.of_numpy
            and self.parameters == tuple(source.parameters)
            and self.parameters
        ):
            self.__class__ = _quick(self, source)

    def __reduce__(self) -> tuple[type[Compiled], tuple[Source, str, Root | None]]:
        """Pickled as its source, which runs again where it is read."""
        return Compiled, self._made_of

    def __call__(self, /, **arguments: Any) -> Any:
        return self.checked(arguments)

    def checked(self, arguments: Mapping[str, Any]) -> Any:
        """Check the arguments, then run.

        What needed no change is let through at once from then on.
        """
        missing = [n for n in self.parameters if n not in arguments]
        if missing:
            raise MissingData(
                f"missing argument {', '.join(missing)}",
                f"the function takes {', '.join(self.parameters)}",
            )
        arrays, column = self._checked(arguments)
        ready = [arrays[n] for n in self.parameters]
        result = self._evaluated(ready)
        if all(ready[i] is arguments[n] for i, n in enumerate(self.parameters)):
            self._remember(
                {
                    n: getattr(a, "shape", a if n in self._sizes else None)
                    for n, a in zip(self.parameters, ready, strict=True)
                }
            )
        return (
            tuple(_as_given(r, column) for r in result)
            if isinstance(result, tuple)
            else _as_given(result, column)
        )

    def _evaluated(self, arguments: list[Any]) -> Any:
        """The results; Python's numbers raise where those of an array are infinite, and become
        such then.
        """
        of, least = self._least
        large = bool(of) and arguments[self.parameters.index(of)].size > least
        function = self.large if large else self.raw
        try:
            return function(*arguments)
        except (ZeroDivisionError, OverflowError):
            pass
        except Exception as problem:
            if type(problem).__name__ not in FAILURES or all(map(is_finite, arguments)):
                raise
            return self._undefined(arguments)
        try:
            return function(
                *(self._dialect.lone_number(a) if isinstance(a, float) else a for a in arguments)
            )
        except (ZeroDivisionError, OverflowError) as problem:  # by numbers made of sizes alone
            what = (
                "a division by zero"
                if isinstance(problem, ZeroDivisionError)
                else "a number beyond double precision"
            )
            raise ShapeProblem(f"{what} at these sizes", self._said_sizes(arguments)) from None

    def _undefined(self, arguments: list[Any]) -> Any:
        """The results where what is not finite has no factorization."""
        sizes = self._lengths(arguments)
        like = max(arguments, key=lambda a: getattr(a, "ndim", -1))
        axes = [own_axes(r) if isinstance(r, Expr) else r.axes for r in self.exprs]
        results = tuple(
            undefined(tuple(product_of(size, sizes) for size in shape), like) for shape in axes
        )
        return results if len(results) > 1 or self._body.endswith(",") else results[0]

    def _lengths(self, arguments: list[Any]) -> dict[str | int, int]:
        """The lengths of the named sizes, as arguments in order show them."""
        sizes: dict[str | int, int] = {}
        for name, value in zip(self.parameters, arguments, strict=True):
            if name in self._sizes:
                sizes[name] = value
            else:
                fit(self._variables[name], tuple(getattr(value, "shape", ())), sizes)
        _solve(sizes)
        return sizes

    def _said_sizes(self, arguments: list[Any]) -> str:
        return _known(self._lengths(arguments)).removeprefix(" with ")

    @cached_property
    def large(self) -> Callable[..., Any]:
        """The function for large arrays."""
        large = self._made_of[0].large
        return self.raw if large is None else load(large)

    def _remember(self, shapes: Mapping[str, Any]) -> None:
        """Shapes that fit."""
        if not self.seen and self._first:
            self._scope.update({name: shapes[n] for n, name in self._first.items()})
        self.seen.add(tuple(shapes.values()))

    @property
    def steps(self) -> str:
        """What the function does, line by line: the body of its source."""
        return dedent(self._body).strip()

    def cost(self, /, **shapes: Any) -> Cost:
        """What a call costs, beside the evaluation of the expression as it is written.

        Each array is given by its shape, or by itself, or a named size by its length; without them
        only the symbols are filled in. Raises NameProblem for a name that neither the function nor
        the expression has, ShapeProblem for what is no shape or does not fit.
        """
        from .cost import cost

        return cost(self.exprs, self._bound(shapes), self._beside, self.target)

    def _bound(self, shapes: Mapping[str, Any]) -> dict[str | int, int]:
        """The lengths of the named sizes."""
        nodes = postorder(*parts(*self.exprs, *([] if self._beside is None else [self._beside])))
        variables = self._variables | {e.name: e for e in nodes if e.head == "var"}
        names = _size_names(nodes)
        unknown = [n for n in shapes if n not in variables and n not in names]
        if unknown:
            known = ", ".join(sorted({*variables, *names}))
            raise NameProblem(f"{unknown[0]} is no argument of the function", f"it has {known}")
        sizes: dict[str | int, int] = {}
        sizes |= {n: _length(n, shapes[n]) for n in shapes if n not in variables}
        for name in (n for n in variables if n in shapes):
            is_value = not own_axes(variables[name]) and isinstance(shapes[name], (int, float))
            fit(variables[name], () if is_value else _shape(name, shapes[name]), sizes)
        _consistent(sizes)
        for e in bounded(nodes):
            _check_bounds(e, sizes)
        return sizes

    def _checked(self, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        sizes: dict[str | int, int] = {n: _length(n, arguments[n]) for n in self._sizes}
        arrays: dict[str, Any] = {n: sizes[n] for n in self._sizes}
        column, numbers = False, []
        for name, wanted in self._wanted.items():
            value = arguments[name]
            check_real(name, value)
            if not wanted and self._dialect.is_number(value):
                numbers.append(name)
                continue
            array = self._array(name, value)
            check_real(name, array)
            if array.ndim == len(wanted) + 1 and 1 in array.shape[-2:] and len(wanted) < 2:
                column = column or (len(wanted) == 1 and array.shape[1] == 1)
                array = reshaped(array, (-1,) if wanted else ())
            fit(self._variables[name], tuple(array.shape), sizes)
            arrays[name] = array if wanted or not self._dialect.of_numpy else array[()]
        _solve(sizes)
        _consistent(sizes)
        for p in self._parts:
            _present(p, sizes)
        for a in self._sums:
            _positive(a, sizes)
        if 0 in sizes.values():
            _check_empty(self._nodes, sizes)
        self._unite(arrays)
        known = [a for n, a in arrays.items() if self._wanted.get(n)]
        return arrays | {
            n: self._dialect.number_beside(_double(n, arguments[n]), known) for n in numbers
        }, column

    def _array(self, name: str, value: Any) -> Any:
        try:
            return self._dialect.to_array(value)
        except (TypeError, ValueError, RuntimeError):
            raise ShapeProblem(
                f"{name} is no array of numbers", f"it is a {type(value).__name__}"
            ) from None

    def _unite(self, arrays: dict[str, Any]) -> None:
        """Arrays of one type, the widest, where the target needs that."""
        unite, names = self._dialect.of_one_type, [n for n in self._wanted if n in arrays]
        if unite is not None and len({arrays[n].dtype for n in names}) > 1:
            arrays |= zip(names, unite([arrays[n] for n in names]), strict=True)


def fit(v: Expr, shape: tuple[int, ...], sizes: dict[str | int, int]) -> None:
    """Learn the lengths of named sizes from the shape of an array.

    Raises ShapeProblem where it does not fit what is known.
    """
    if shape != tuple(_bound(own_axes(v), shape, sizes)):
        raise ShapeProblem(
            f"{v.name} has shape {shape}", f"{v.name} is {shape_text(v)}{_known(sizes)}"
        )


def _size_names(nodes: Iterable[Expr]) -> set[str]:
    """The names of the sizes and of the whole numbers in expressions."""
    sizes = [size for e in nodes for size in e.shape_]
    sizes += [(e.atom,) for e in nodes if e.head == "size"]
    sizes += [(range_of(e).start,) for e in nodes if e.head == "part"]
    return {a for size in sizes for a in base_atoms(size) if isinstance(a, str)}


def _check_bounds(e: Expr, sizes: Mapping[str | int, int]) -> None:
    """Raise ShapeProblem where the lengths at hand leave a part no index or an axis no length."""
    try:
        possible = all_exist([e], sizes)
    except KeyError:
        return  # a length that is not known
    if e.head == "part":
        _present(e, sizes)
    if not possible:
        lengths = _known(sizes).removeprefix(" with ")
        raise ShapeProblem(f"nothing is left of {shape_text(e)}", lengths)


def _shape(name: str, given: Any) -> tuple[int, ...]:
    """A shape: that of an array, a tuple of lengths, or one length."""
    shape = getattr(given, "shape", given)
    shape = shape if isinstance(shape, (tuple, list)) else (shape,)
    try:
        lengths = tuple(map(operator.index, shape))
    except TypeError:
        lengths = (-1,)
    if min(lengths, default=0) < 0:
        shown = str(given)[:40]
        raise ShapeProblem(
            f"{name} has no shape {shown}", "one is a whole number, a tuple of them, or an array"
        )
    return lengths


def _double(name: str, value: Any) -> float:
    """A number given as an argument, of double precision."""
    try:
        return float(value)
    except OverflowError:
        raise ShapeProblem(f"{name} is beyond the numbers of double precision") from None


def _length(name: str, value: Any) -> int:
    """A size given as an argument."""
    try:
        length = operator.index(value)
    except TypeError:
        length = -1
    if length < 0:
        raise ShapeProblem(
            f"{name} is a size", f"it must be a whole number, 0 or more, not {str(value)[:40]}"
        )
    return length


def _quick(f: Compiled, source: Source) -> type[Compiled]:
    """The class of one function, whose call is the code itself behind the least that must be known
    of arrays of double precision.

    The shapes of the first call are compared one by one, others are looked up.
    """
    import numpy as np

    arrays = [n for n, wanted in f._wanted.items() if wanted]
    scalars = [n for n, wanted in f._wanted.items() if not wanted]
    taken = set(f.parameters) | set(f.raw.__globals__) | set(re.findall(r"\w+", source.text))
    own = ("this", "others", "array", "double", "number", "whole", "missing", "singular")
    this, others, array, double, number, whole, missing, singular = (_unused(n, taken) for n in own)
    failures = f"ZeroDivisionError, OverflowError, {singular}"
    first = {n: _unused(f"{n}_shape", taken) for n in arrays} | {
        n: _unused(f"{n}_size", taken) for n in f._sizes
    }
    kinds = [
        (arrays, "__class__", array),
        (arrays, "dtype", double),
        (scalars, "__class__", number),
        (f._sizes, "__class__", whole),
    ]
    types = [
        f"{' is '.join(f'{n}.{attribute}' for n in names)} is {kind}"
        for names, attribute, kind in kinds
        if names
    ]
    seen = {
        n: f"{n}.shape" if n in arrays else n if n in f._sizes else "None" for n in f.parameters
    }
    same = " and ".join(f"{seen[n]} == {name}" for n, name in first.items()) or "True"
    of, least = f._least
    large = (
        (
            f"        if {of}.size > {least}:\n            return "
            f"{this}.large({', '.join(f.parameters)})\n"
        )
        if of
        else ""
    )
    declared = ", ".join(f"{n}={missing}" for n in f.parameters)
    by_name = ", ".join(f"{n!r}: {n}" for n in f.parameters)
    seen_before = f"({same} or ({', '.join(seen.values())},) in {this}.seen)"
    text = f"""def __call__({this}, /, {declared}, **{others}):
    if {" and ".join([*types, seen_before])}:
        try:
{indent(large, "    ")}{indent(source.body, "        ")}
        except ({failures}):
            pass
    given = {{n: a for n, a in {{{by_name}}}.items() if a is not {missing}}}
    return {this}.checked(given | {others})
"""
    scope = f.raw.__globals__ | {
        array: np.ndarray,
        double: np.dtype(float),
        missing: object(),
        number: float,
        whole: int,
    }
    scope[singular] = np.linalg.LinAlgError
    scope |= dict.fromkeys(first.values())
    call = defined(text, "__call__", scope)
    return type(
        "Compiled",
        (Compiled,),
        {"__call__": call, "__doc__": Compiled.__doc__, "_first": first, "_scope": scope},
    )


def _unused(wish: str, taken: set[str]) -> str:
    while wish in taken:
        wish += "_"
    taken.add(wish)
    return wish


def _as_given(result: Any, column: bool) -> Any:
    """A vector as a column if vectors came as columns."""
    return result[:, None] if column and getattr(result, "ndim", 0) == 1 else result


def _bound(
    wanted: tuple[Any, ...], shape: tuple[int, ...], sizes: dict[str | int, int]
) -> list[int]:
    """The lengths that the axes must have.

    A name that is met first takes the length it is met with.
    """
    if len(shape) != len(wanted):
        return [-1]
    out = []
    for size, length in zip(wanted, shape, strict=True):
        if len(size) == 1 and isinstance(size[0], str):
            out.append(sizes.setdefault(size[0], length))
            continue
        try:
            out.append(product_of(size, sizes))
        except KeyError:
            out.append(
                length if linear(size) is None else sizes.setdefault(total_of([(size, 1)]), length)
            )
    return out


def _solve(sizes: dict[str | int, int]) -> None:
    """Learn n from the length of n + 1 or 2*n; raises ShapeProblem where no n has that length."""
    for a, length in list(sizes.items()):
        solvable = linear((a,)) if isinstance(a, Sum) else None
        if solvable is not None and solvable[0] not in sizes:
            name, k, c = solvable
            if (length - c) % k or length < c:
                raise ShapeProblem(
                    f"an axis of length {a} has length {length}", f"no {name} has that"
                )
            sizes[name] = (length - c) // k


def _consistent(sizes: Mapping[str | int, int]) -> None:
    """Raise ShapeProblem where the length of a sum of sizes is not that sum."""
    simple = {a: n for a, n in sizes.items() if not isinstance(a, Sum)}
    for a, found in sizes.items():
        if (
            isinstance(a, Sum)
            and all(b in simple for b in base_atoms((a,)))
            and product_of((a,), simple) != found
        ):
            raise ShapeProblem(
                f"an axis of length {a} has length {found}", _known(simple).removeprefix(" with ")
            )


def _present(p: Expr, sizes: Mapping[str | int, int]) -> None:
    """Raise ShapeProblem for a part that goes beyond its axis."""
    if not exists(p, sizes):
        raise ShapeProblem(
            f"index {range_of(p)} is out of range for an axis of length {show(p.shape_[0])}",
            f"the length is {product_of(p.shape_[0], sizes)}",
        )


def _positive(a: Sum, sizes: Mapping[str | int, int]) -> None:
    """Raise ShapeProblem for an axis that would be shorter than nothing."""
    if (
        all(b in sizes or isinstance(b, int) for b in base_atoms((a,)))
        and (found := product_of((a,), sizes)) < 0
    ):
        raise ShapeProblem(
            f"an axis of length {a} would have length {found}", _known(sizes).removeprefix(" with ")
        )


def _check_empty(nodes: Iterable[Expr], sizes: Mapping[str | int, int]) -> None:
    """Raise ShapeProblem for an entry of an empty array, and for a function that has no value of
    such.
    """
    for e in nodes:
        if e.head == "part" and all(a in sizes for size in e.shape_ for a in base_atoms(size)):
            _present(e, sizes)
        row = BY_NAME.get(e.head)
        if row is None or not row.entries:
            continue
        letters = letter_sizes(row, e.args)
        if any(
            sizes.get(a) == 0
            for letter in row.entries
            for a in letters[letter]
            if not isinstance(a, Unknown)
        ):
            raise ShapeProblem(
                f"{row.name} of an array without entries", _known(sizes).removeprefix(" with ")
            )


def _known(sizes: Mapping[str | int, int]) -> str:
    named = {k: v for k, v in sizes.items() if isinstance(k, str)}
    return " with " + ", ".join(f"{k}={v}" for k, v in named.items()) if named else ""


def load(source: Source) -> Callable[..., Any]:
    """Run generated source and return its function.

    The source holds nothing of the user's but validated identifiers.
    """
    return defined(source.text, source.name, {})


def defined(text: str, name: str, scope: dict[str, Any]) -> Callable[..., Any]:
    """The function of a name in generated source."""
    exec(compile(text, f"<matcalc {name}>", "exec"), scope)
    function: Callable[..., Any] = scope[name]
    return function
