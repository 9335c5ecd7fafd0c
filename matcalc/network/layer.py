"""A layer is an expression: what is typed is the forward pass, the backward pass is derived from
it.

Rows are samples (or pixels, or positions): an array of more than two axes is evaluated as the
matrix of its last axis, and gets its leading axes back. A name of the expression may stand for a
*map* of the input, which is a linear map with its adjoint or another layer; the chain rule through
it is its own ``backpropagate``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Protocol

import numpy as np

from ..calculus.separate import separate
from ..errors import (
    MatcalcError,
    MissingData,
    NameProblem,
    NotSeparable,
    ShapeProblem,
    check_real,
    described,
    text_of,
    whole_number,
)
from ..expr import Expr, variables
from ..expr.sizes import show_shape
from ..language.program import Program
from ..language.typed import typed
from ..options import strict
from .backward import COTANGENT, Derived, derived
from .maps import Array, Map

Constant = Array | Callable[[Mapping[str, Array], "Layer"], Array]


class Step(Protocol):
    """Anything that changes arrays in place by their gradients."""

    def update(self, parameters: Mapping[str, Array], gradients: Mapping[str, Array]) -> None: ...


class Part:
    """The interface of layers and of compositions of layers."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        strict(cls)

    input: Array = None
    output: Array = None
    input_diff: Array = None
    output_diff: Array = None

    def propagate(self, x: Array = None) -> Array:
        """The output for an input (by default ``self.input``); kept for the backward pass.

        Raises ShapeProblem for an input that does not fit, MissingData for a size that is unknown.
        """
        raise NotImplementedError

    def backpropagate(self, output_diff: Array = None, wanted: bool = True) -> Array:
        """∂J/∂input from ∂J/∂output (by default ``self.output_diff``).

        The gradients by the parameters are then in ``gradients``. With ``wanted=False`` the
        gradient by the input is left out: the first layer of a network needs none. Raises
        MissingData before the first forward pass.
        """
        raise NotImplementedError

    def layers(self) -> Iterator[Layer]:
        """The layers that are made of an expression, in the order of the forward pass."""
        raise NotImplementedError

    @property
    def trained(self) -> bool:
        """Tell if there are parameters."""
        return any(layer.parameters for layer in self.layers())

    def update(self, step: float | Step = 0.01) -> None:
        """Move the parameters against their gradients: by a rate, or by an optimizer.

        Raises TypeError for a step that is neither.
        """
        if isinstance(step, (int, float)):
            for layer in self.layers():
                for name, gradient in layer.gradients.items():
                    layer.parameters[name] -= step * gradient
        elif not hasattr(step, "update"):
            raise TypeError(f"the step is a rate or an optimizer, not {described(step)}")
        else:
            step.update(self.parameters_by_name(), self.gradients_by_name())

    def parameters_by_name(self) -> dict[str, Array]:
        """All parameters as ``1.W``: the number of the layer and the name in its expression.

        Arrays, not copies.
        """
        return {
            f"{i}.{n}": a
            for i, layer in enumerate(self.layers(), 1)
            for n, a in layer.parameters.items()
        }

    def gradients_by_name(self) -> dict[str, Array]:
        """The gradients of the last backward pass, named as the parameters."""
        return {
            f"{i}.{n}": a
            for i, layer in enumerate(self.layers(), 1)
            for n, a in layer.gradients.items()
        }


@dataclass(frozen=True)
class _Pass:
    """One matrix of a batch: the input, and the values that its backward pass needs."""

    input: Array
    values: dict[str, Any]


class Layer(Part):
    """A layer given by its forward expression; the backward pass is derived from it.

    Arguments:

    * ``expression``: a text. Its variables that are no input, map or constant are parameters.
    * ``input``: the variable that is the input.
    * ``maps``: names for maps of the input: linear maps with their adjoints, or layers.
    * ``constants``: arrays that are not trained, or functions of the values known so far, such as a
      mask.
    * ``shapes``: declarations, as those of :func:`matcalc.derive`; the rest is inferred.
    * ``sizes``: the lengths of named axes of parameters.
    * ``start``: first values of parameters by name, arrays of float.
    * ``seed``: of the other first values; without one they are those of its place in a network.

    Of an input with more than two axes each row is treated by itself; if the expression mixes rows,
    as attention does, each matrix of the last two axes is.

    Raises SyntaxProblem, NameProblem or ShapeProblem for an expression or declarations that do not
    fit, and OptionProblem for a seed that there is not.

    >>> given = {"S": np.eye(3)}
    >>> layer = Layer("relu(S*X*W)", shapes="S: m×m; W: n×k", constants=given, sizes={"k": 2})
    >>> layer.propagate(np.ones((3, 4))).shape
    (3, 2)
    >>> print(layer.derivations["W"])
    X'*S'*(G.*step(S*X*W))
    """

    def __init__(
        self,
        expression: str,
        *,
        input: str = "X",
        shapes: str | Mapping[str, str] | None = None,
        maps: Mapping[str, Map] | None = None,
        constants: Mapping[str, Constant] | None = None,
        sizes: Mapping[str, int] | None = None,
        start: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> None:
        self.maps, self.constants = dict(maps or {}), dict(constants or {})
        self.input_name, self._start, self.training = (
            text_of(input, "input"),
            dict(start or {}),
            True,
        )
        self.seed: int | tuple[int, int] = 0 if seed is None else whole_number(seed, "seed")
        self.has_own_seed = seed is not None
        if shapes is not None and not isinstance(shapes, (str, Mapping)):
            raise TypeError(f"shapes are declared in a text or a mapping, not {described(shapes)}")
        program = _program(
            text_of(expression, "expression"),
            tuple(shapes.items()) if isinstance(shapes, Mapping) else shapes,
        )
        if COTANGENT in program.variables:
            raise NameProblem(f"{COTANGENT} is the gradient by the output", "choose another name")
        names = set(program.variables)
        self.uses_input = input in names
        if not (self.uses_input or names & set(self.maps)):
            raise NameProblem(
                f"the input '{input}' is not in the expression",
                f"its variables are {', '.join(program.variables)}",
            )
        self._trained = tuple(
            n
            for n in program.variables
            if n != input and n not in self.maps and n not in self.constants
        )
        flowing = (
            *self._trained,
            *(n for n in self.maps if n in names),
            *([input] if self.uses_input else []),
        )
        self.rule: Derived = derived(expression, _declarations(program.variables), flowing)
        self.sizes: dict[str, int] = dict(sizes or {})
        self.parameters: dict[str, Array] = {}
        self.gradients: dict[str, Array] = {}
        self._values: dict[str, Any] = {}
        self._each: list[_Pass] = []
        if all(self._known(n) for n in self._trained):
            self._initialise()

    @property
    def expression(self) -> str:
        """The forward expression as it was typed."""
        return self.rule.text

    @property
    def derivations(self) -> Mapping[str, Any]:
        """The derivation of the backward pass by each name; G stands for ∂J/∂output."""
        return self.rule.derivations

    def layers(self) -> Iterator[Layer]:
        for part in self.maps.values():
            if isinstance(part, Part):
                yield from part.layers()
        yield self

    # ---- parameters ------------------------------------------------------------------------------

    def _shape(self, name: str) -> tuple[str | int, ...]:
        return next(v.shape for v in self.variables() if v.name == name)

    def variables(self) -> list[Any]:
        """The variables of the forward expression, with their shapes."""
        return list(next(iter(self.rule.derivations.values())).program.variables.values())

    def _known(self, name: str) -> bool:
        return name in self._start or all(
            isinstance(a, int) or a in self.sizes for a in self._shape(name)
        )

    def _initialise(self) -> None:
        """First values: given, or zeros for vectors and uniform within sqrt(6/(rows + columns))
        for matrices (Glorot & Bengio 2010).
        """
        self.parameters.update(self._first_values())

    def _first_values(self) -> dict[str, Array]:
        rng, values = np.random.default_rng(self.seed), {}
        for name in self._trained:
            if name in self._start:
                values[name] = np.array(self._start[name], dtype=float)
                continue
            lengths = tuple(
                a if isinstance(a, int) else self._length(name, a) for a in self._shape(name)
            )
            bound = np.sqrt(6 / sum(lengths)) if len(lengths) == 2 else 0.0
            values[name] = rng.uniform(-bound, bound, lengths)
        return values

    def seeded(self, seed: tuple[int, int]) -> None:
        """Draw the first values by a seed, unless the layer has one of its own, or values that
        are the first no more.
        """
        if self.has_own_seed or (self.parameters and not self._is_fresh()):
            return
        self.seed = seed
        if self.parameters:
            self._initialise()

    def _is_fresh(self) -> bool:
        """Tell if no parameter has been changed since it was drawn."""
        first = self._first_values()
        return all(np.array_equal(a, first[n]) for n, a in self.parameters.items())

    def _length(self, name: str, size: str) -> int:
        if size not in self.sizes:
            raise MissingData(
                f"the size {size} of {name} in {self.expression} is not known",
                f"give sizes={{'{size}': …}}",
            )
        return self.sizes[size]

    def _learn_sizes(self, values: Mapping[str, Array]) -> None:
        """The lengths of the named axes, from the arrays that are there."""
        for v in self.variables():
            if v.name in values:
                for atom, length in zip(v.shape, np.shape(values[v.name]), strict=False):
                    if isinstance(atom, str):
                        self.sizes[atom] = length

    def _checked(self, values: Mapping[str, Array]) -> None:
        """Raise ShapeProblem where an array has another length than the layer was made for."""
        lengths: dict[str, int] = {}
        for v in (v for v in self.variables() if v.name in values):
            for atom, length in zip(v.shape, np.shape(values[v.name]), strict=False):
                known = atom if isinstance(atom, int) else lengths.setdefault(atom, length)
                if known != length:
                    fact = f"{v.name} has shape {np.shape(values[v.name])} in {self.expression}"
                    raise ShapeProblem(
                        fact, f"{v.name} is {show_shape(v.shape_)} with {atom} = {known}"
                    )

    # ---- the two passes --------------------------------------------------------------------------

    @cached_property
    def mixes_rows(self) -> bool:
        """Tell if a row of the output needs other rows of the input, or their number."""
        if self.rule.cotangent is None or not self.uses_input:
            return False
        rows = self._shape(self.input_name)[:1]
        if not rows or not isinstance(rows[0], str):
            return bool(rows)
        try:
            separated = separate([self.rule.value], rows[0])
        except NotSeparable:
            return True
        return any(separated.count in variables(e) for e in separated.rows.values())

    def propagate(self, x: Array = None) -> Array:
        self.input = x = self.input if x is None else np.asarray(x)
        check_real("the input", x)
        self._each = []
        if x.ndim > 2 and self.mixes_rows:
            return self._propagated_each(x)
        return self._propagated(x)

    def _propagated_each(self, x: Array) -> Array:
        """The output for each matrix of the last two axes.

        What its backward pass needs is kept for each.
        """
        if self.maps:
            fact = f"{self.expression} mixes the rows of its input and of its maps"
            raise ShapeProblem(fact, "give it one matrix at a time")
        outputs = []
        for matrix in x.reshape(-1, *x.shape[-2:]):
            outputs.append(self._propagated(matrix))
            self._each.append(_Pass(matrix, self._values))
        self.output = np.stack(outputs).reshape(x.shape[:-2] + outputs[0].shape)
        return self.output

    def _propagated(self, x: Array) -> Array:
        values = self._values = {}
        if self.uses_input:
            values[self.input_name] = _rows(x)
        mapped = {n: part.propagate(x) for n, part in self.maps.items()}
        values |= {n: _rows(a) for n, a in mapped.items()}
        self._lead = (x if self.uses_input else next(iter(mapped.values()))).shape[:-1]
        self._mapped_shapes = {n: a.shape for n, a in mapped.items()}
        for name, constant in self.constants.items():
            values[name] = constant(values, self) if callable(constant) else constant
        if len(self.parameters) < len(self._trained):
            self._learn_sizes(values)
            self._initialise()
        values |= self.parameters
        return self._evaluated(values)

    def _evaluated(self, values: dict[str, Any]) -> Array:
        forward = self.rule.forward
        try:
            results = forward.raw(
                *[values[n] if n in values else self._size(n) for n in forward.parameters]
            )
        except ValueError:
            self._checked(values)
            raise
        values |= {v.name: r for v, r in zip(self.rule.saved.values(), results[1:], strict=True)}
        self.output = self._shaped(results[0])
        return self.output

    def _shaped(self, value: Array) -> Array:
        """A value of the expression with the leading axes of the input."""
        if len(self._lead) == 1 or np.ndim(value) == 0:
            return value
        return value.reshape(self._lead + value.shape[1:])

    def _size(self, name: str) -> int:
        self._learn_sizes(self._values)
        return self.sizes[name]

    def backpropagate(self, output_diff: Array = None, wanted: bool = True) -> Array:
        self.output_diff = g = self.output_diff if output_diff is None else output_diff
        values = self._values
        if not values or (g is None and self.rule.cotangent is not None):
            raise MissingData(
                "there is nothing to go back from", "propagate first, then give output_diff"
            )
        if self._each:
            return self._pulled_back_each(g, wanted)
        self.gradients, self.input_diff = self._pulled_back_once(self.input, g, wanted)
        return self.input_diff

    def _pulled_back_each(self, g: Array, wanted: bool) -> Array:
        """The backward pass of each matrix of a batch.

        The gradients by the parameters are added up.
        """
        gradients: dict[str, Array] = {}
        flows = []
        for part, there in zip(
            g.reshape(len(self._each), -1, g.shape[-1]), self._each, strict=True
        ):
            self._values, self._lead = there.values, there.input.shape[:-1]
            found, flow = self._pulled_back_once(there.input, part, wanted)
            flows.append(flow)
            gradients = {n: a + gradients[n] if gradients else a for n, a in found.items()}
        self.gradients = gradients
        self.input_diff = (
            np.stack(flows).reshape(self.input.shape) if flows[0] is not None else None
        )
        return self.input_diff

    def _pulled_back_once(self, x: Array, g: Array, wanted: bool) -> tuple[dict[str, Array], Array]:
        """The gradients by the parameters, and that by the input."""
        values = self._values
        if self.rule.cotangent is not None:
            values[COTANGENT] = g.reshape(-1) if self.rule.cotangent.shape_[1] == () else _rows(g)
        names = self.backward_names(wanted)
        found = dict(zip(names, self._pulled_back(names), strict=True))
        gradients = {n: found[n] for n in self._trained}
        flows = [
            self.maps[n].backpropagate(found[n].reshape(self._mapped_shapes[n]))
            for n in self.maps
            if n in found
        ]
        if self.input_name in found:
            flows.append(found[self.input_name].reshape(x.shape))
        return gradients, sum(flows[1:], start=flows[0]) if flows else None

    def backward_names(self, wanted: bool) -> tuple[str, ...]:
        """The names by which the backward pass takes gradients.

        A map with parameters needs its gradient in any case.
        """
        return tuple(
            n
            for n in self.rule.gradients
            if wanted or n in self._trained or isinstance(self.maps.get(n), Part)
        )

    def _pulled_back(self, names: tuple[str, ...]) -> tuple[Array, ...]:
        if not names:
            return ()
        values, backward = self._values, self.rule.backward(names)
        found: tuple[Array, ...] = backward.raw(
            *[values[n] if n in values else self._size(n) for n in backward.parameters]
        )
        return found


@lru_cache(maxsize=1024)
def _program(expression: str, shapes: str | tuple[tuple[str, str], ...] | None) -> Program[Expr]:
    """A typed expression; equal layers share it."""
    return typed(expression, dict(shapes) if isinstance(shapes, tuple) else shapes)


def _declarations(variables: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The shapes and properties of names as text, the key of what equal layers derive once."""
    return tuple((n, " ".join([show_shape(v.shape_), *v.properties])) for n, v in variables.items())


def _rows(x: Array) -> Array:
    """An array as the matrix of its last axis."""
    return x if x.ndim == 2 else x.reshape(-1, x.shape[-1])


def real(x: Any, dtype: Any) -> Array:
    """The input of a network, of its type."""
    given = np.asarray(x)
    check_real("the input", given)
    return np.asarray(given, dtype=dtype)


class Sequential(Part):
    """Layers one after another, each with first weights of its own; none stands twice.

    ``parts`` are layers, other sequences, or maps with ``propagate`` and ``backpropagate``. Raises
    MatcalcError for a part that stands twice, and ShapeProblem where an output does not fit the
    next input.

    >>> from matcalc.network import FullyConnected, Sequential, Tanh
    >>> net = Sequential([FullyConnected(3, 4), Tanh(), FullyConnected(4, 2)])
    >>> net.propagate(np.zeros((5, 3))).shape
    (5, 2)
    >>> net.backpropagate(np.ones((5, 2))).shape
    (5, 3)
    """

    def __init__(self, parts: list[Any]) -> None:
        self.parts = list(parts)
        self._refuse_repeated()
        for i, layer in enumerate(self.layers()):
            layer.seeded((0, i))

    def _refuse_repeated(self) -> None:
        """Raise MatcalcError for a part in two places: each place needs what its own backward
        pass will use.
        """
        seen: set[int] = set()
        for part in [*self.layers(), *(p for p in self.parts if not isinstance(p, Layer))]:
            if id(part) in seen:
                raise MatcalcError(
                    f"one {type(part).__name__} stands twice in a network",
                    "make another for the second place",
                )
            seen.add(id(part))

    def layers(self) -> Iterator[Layer]:
        for part in self.parts:
            if isinstance(part, Part):
                yield from part.layers()

    def propagate(self, x: Array = None) -> Array:
        self.input = x = self.input if x is None else np.asarray(x)
        check_real("the input", x)
        for part in self.parts:
            x = part.propagate(x)
        self.output = x
        return x

    def backpropagate(self, output_diff: Array = None, wanted: bool = True) -> Array:
        self.output_diff = g = self.output_diff if output_diff is None else output_diff
        if not self.parts:
            self.input_diff = g
            return g
        lowest = 0 if wanted else self._first_trained()
        for i in range(len(self.parts) - 1, lowest, -1):
            g = self.parts[i].backpropagate(g)
        bottom = self.parts[lowest]
        self.input_diff = (
            bottom.backpropagate(g, wanted) if isinstance(bottom, Part) else bottom.backpropagate(g)
        )
        return self.input_diff

    def _first_trained(self) -> int:
        """The first part that has parameters: below it no gradient is needed."""
        return next(
            (i for i, part in enumerate(self.parts) if isinstance(part, Part) and part.trained), 0
        )
