"""A network as a stand-alone module: the forward and the backward pass, every intermediate computed
once.

Each different layer becomes two functions, compiled from its expression and from its derived
gradients; then the two passes are written down call by call. ``p`` holds the parameters by name,
``masks`` those of dropout (1 where there is none).
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..codegen import dialect
from ..codegen.write.excerpts import Excerpts, cut, excerpts
from ..errors import OptionProblem, Unsupported
from ..faces import listed
from ..tables.functions import BY_NAME
from .backward import COTANGENT, Derived
from .layer import Layer, Part, Sequential
from .layers import Dropout, MaxPool
from .maps import Im2col, Reshape, Windows

Back = Callable[[str], str]
RUNTIME = Path(__file__).parent / "runtime"
TARGETS = listed("network.runtime")  # each has a file of functions there


class Written(Protocol):
    """A network, as far as a module is made of it."""

    parts: list[Any]
    widths: list[int] | None

    @property
    def loss(self) -> Layer: ...
    @property
    def recursion(self) -> Any: ...
    @property
    def trunk(self) -> Any: ...
    @property
    def parts_in_a_row(self) -> list[Any]: ...
    def layers(self) -> Iterator[Layer]: ...
    def parameters_by_name(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class _Call:
    """A call of a layer: the code of its names, and of the maps of its input ``x``."""

    layer: Layer
    number: int
    values: dict[str, str]
    maps: dict[str, tuple[str, int, Back]]
    x: str
    flat: bool  # whether arrays are taken as the matrices of their last axis
    wanted: bool  # whether something before the layer needs a cotangent
    vector: bool  # whether the result has one axis less


@dataclass
class _Writer:
    """The lines of the two passes, and the functions that they call."""

    target: str
    numbers: dict[int, int]  # layer -> its number in the network
    lines: list[str] = field(default_factory=list)
    functions: dict[str, str] = field(default_factory=dict)
    imports: dict[str, None] = field(default_factory=dict)
    called: dict[Derived, str] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)

    def fresh(self, wish: str) -> str:
        self.taken[wish] = self.taken.get(wish, 0) + 1
        return f"{wish}{self.taken[wish]}"

    def put(self, wish: str, value: str) -> str:
        name = self.fresh(wish)
        self.lines.append(f"{name} = {value}")
        return name

    # ---- parts: each writes its forward lines and returns the output, its rank and the writer of i

    def part(self, part: Any, x: str, rank: int, wanted: bool) -> tuple[str, int, Back]:
        if isinstance(part, Sequential):
            return self._sequence(part.parts, x, rank, wanted)
        return (
            self._layer(part, x, rank, wanted)
            if isinstance(part, Layer)
            else self._map(part, x, rank)
        )

    def _sequence(self, parts: list[Any], x: str, rank: int, wanted: bool) -> tuple[str, int, Back]:
        backs: list[Back] = []
        for part in parts:
            x, rank, back = self.part(part, x, rank, wanted)
            backs.append(back)
            wanted = wanted or (isinstance(part, Part) and part.trained)

        def all_back(g: str) -> str:
            for back in reversed(backs):
                g = back(g) if g else g
            return g

        return x, rank, all_back

    def _map(self, part: Any, x: str, rank: int) -> tuple[str, int, Back]:
        if isinstance(part, Reshape):
            y = self.put("a", f"{x}.reshape({', '.join([f'{x}.shape[0]', *map(str, part.shape)])})")
            return y, 1 + len(part.shape), lambda g: self.put("g", f"{g}.reshape({x}.shape)")
        if isinstance(part, Im2col):
            self._bring("im2col", "col2im")
            how = f"{part.kernel}, {part.stride}, {part.padding}"
            return (
                self.put("p", f"im2col({x}, {how})"),
                rank,
                lambda g: self.put("g", f"col2im({g}, {x}.shape, {how})"),
            )
        if isinstance(part, Windows):
            self._bring("pool_windows", "pool_windows_adjoint")
            how = f"{part.kernel}, {part.stride}"
            return (
                self.put("p", f"pool_windows({x}, {how})"),
                rank + 1,
                lambda g: self.put("g", f"pool_windows_adjoint({g}, {x}.shape, {how})"),
            )
        raise Unsupported(
            f"the map {type(part).__name__} has no code",
            "programs know Im2col, Windows and Reshape",
        )

    def _layer(self, layer: Layer, x: str, rank: int, wanted: bool) -> tuple[str, int, Back]:
        rule, number = layer.rule, self.numbers.get(id(layer), 0)
        maps = {n: self.part(part, x, rank, wanted) for n, part in layer.maps.items()}
        lead, lead_rank = (x, rank) if layer.uses_input else next(iter(maps.values()))[:2]
        flat = lead_rank > 2
        if flat:
            self._bring("rows", "like")
        values = self._values(layer, number, maps, x, flat)
        results = [self.fresh("a"), *(self.fresh("s") for _ in rule.saved)]
        self._call(results, self._function(rule, layer), values, layer)
        values |= {v.name: s for v, s in zip(rule.saved.values(), results[1:], strict=True)}
        y = self.put("a", f"like({results[0]}, {lead})") if flat else results[0]
        vector = rule.cotangent is not None and rule.cotangent.shape_[1] == ()
        call = _Call(layer, number, values, maps, x, flat, wanted, vector)
        return y, lead_rank - vector, lambda g: self._back(call, g)

    def _values(
        self, layer: Layer, number: int, maps: dict[str, Any], x: str, flat: bool
    ) -> dict[str, str]:
        """The code of each name of a layer's expression."""
        values = {n: self._flat(y, flat) for n, (y, _, _) in maps.items()}
        values |= self._constants(layer, number, maps, flat)
        if layer.uses_input:
            values[layer.input_name] = self._flat(x, flat)
        return values | {n: f'p["{number}.{n}"]' for n in layer.parameters}

    def _back(self, call: _Call, g: str) -> str:
        """The gradients of a call, and the cotangent of its input: "" where nothing needs one."""
        layer, number = call.layer, call.number
        names = layer.backward_names(call.wanted)
        if not names:
            return ""
        if layer.rule.cotangent is not None:
            flattened = f"{g}.reshape(-1)" if call.vector else self._flat(g, call.flat)
            call.values[COTANGENT] = flattened
        function = self._back_function(layer.rule, names, self.called[layer.rule])
        results = [
            f'd["{number}.{n}"]' if n in layer.parameters else self.fresh("g") for n in names
        ]
        self._call(results, function, call.values, layer)
        flows = list(self._flows(call, dict(zip(names, results, strict=True))))
        return self.put("g", " + ".join(flows)) if len(flows) > 1 else "".join(flows)

    def _flows(self, call: _Call, gradients: dict[str, str]) -> Iterator[str]:
        """The cotangents that reach the input, through maps and by itself."""
        for n, (y, _, back) in call.maps.items():
            if n in gradients:
                yield back(self._unflat(gradients[n], y, call.flat))
        name = call.layer.input_name
        if name in gradients:
            yield self._unflat(gradients[name], call.x, call.flat)

    # ---- small pieces

    def _call(
        self, results: list[str], function: str, values: dict[str, str], layer: Layer
    ) -> None:
        """A call by position; a size that no argument shows is read from an array that has it."""
        arguments = (
            values[n] if n in values else _size(n, values, layer)
            for n in _parameters(self.functions[function])
        )
        self.lines.append(f"{', '.join(results)} = {function}({', '.join(arguments)})")

    def _flat(self, name: str, flat: bool) -> str:
        return f"rows({name})" if flat else name

    def _unflat(self, name: str, like: str, flat: bool) -> str:
        return f"{name}.reshape({like}.shape)" if flat else name

    def _constants(
        self, layer: Layer, number: int, found: dict[str, Any], flat: bool
    ) -> dict[str, str]:
        out: dict[str, str] = {}
        for n, constant in layer.constants.items():
            if isinstance(layer, MaxPool):
                self._bring("first_largest")
                out[n] = self.put("m", f"first_largest({self._flat(found['P'][0], flat)})")
            elif isinstance(layer, Dropout):
                out[n] = f'masks.get("{number}.{n}", 1.0)'
            elif callable(constant):
                out[n] = n.lower()
            else:
                out[n] = repr(float(constant)) if np.ndim(constant) == 0 else f'p["{number}.{n}"]'
        return out

    def _bring(self, *names: str) -> None:
        """Take functions of images and rows, and those that they call."""
        runtime = _runtime(self.target)
        texts, used = runtime.needed(names)
        self._add("\n".join(texts))
        self.imports |= {line: None for name, line in runtime.imports.items() if name in used}

    def _function(self, rule: Derived, layer: Layer) -> str:
        if rule not in self.called:
            wish = re.sub(
                r"(?<=[a-z])(?=[A-Z])", "_", str(getattr(layer, "name", type(layer).__name__))
            ).lower()
            wish = f"{wish}_layer" if wish in BY_NAME else wish if wish.isidentifier() else "loss"
            self.called[rule] = wish if wish not in self.called.values() else self.fresh(f"{wish}_")
            self._add(rule.forward_source(self.target, self.called[rule]))
        return self.called[rule]

    def _back_function(self, rule: Derived, names: tuple[str, ...], forward: str) -> str:
        base = forward.removesuffix("_layer")
        name = (
            f"{base}_back" if names == tuple(rule.gradients) else f"{base}_back_{'_'.join(names)}"
        )
        if name not in self.functions:
            self._add(rule.backward_source(names, self.target, name))
        return name

    def _add(self, source: str) -> None:
        """Take the functions and the imports of a piece of source, each once."""
        for name, piece in cut(source).items():
            self.functions.setdefault(name, f"{piece}\n")
        lines = source.split("\n")
        self.imports |= {line: None for line in lines if line.startswith(("import ", "from "))}


@cache
def _runtime(target: str) -> Excerpts:
    """The functions of images and rows for a target; NumPy's where it has no other."""
    common = excerpts("numpy", folder=RUNTIME)
    return common if target == "numpy" else common | excerpts(target, folder=RUNTIME)


def _size(name: str, values: dict[str, str], layer: Layer) -> str:
    for v in layer.variables():
        if name in v.shape and v.name in values:
            return f"{values[v.name]}.shape[{v.shape.index(name)}]"
    raise Unsupported(f"the size {name} is in no array of {layer.expression}")


def _parameters(function: str) -> list[str]:
    node = ast.parse(function).body[0]
    assert isinstance(node, ast.FunctionDef)
    return [a.arg for a in node.args.args]


def source(network: Written, target: str = "numpy") -> str:
    """The text of the module; raises OptionProblem for a target that does not exist.

    >>> from matcalc.network import Network
    >>> print(source(Network("3-4-2")).split("def value_and_gradients")[1])
    (p, x, y, masks={}):
        # the loss, and its gradients by name
        d = {}
        a1 = fully_connected(p["1.W"], x, p["1.b"])
        a2 = relu_layer(a1)
        a3 = fully_connected(p["3.W"], a2, p["3.b"])
        a4 = cross_entropy(y, a3)
        g1 = cross_entropy_back(y, a3)
        d["3.W"], d["3.b"], g2 = fully_connected_back(g1, p["3.W"], a2)
        g3 = relu_back(g2, a1)
        d["1.W"], d["1.b"] = fully_connected_back_W_b(g3, x)
        return a4, d
    <BLANKLINE>
    """
    if target not in TARGETS:
        raise OptionProblem(f"unknown target '{target[:40]}'", f"targets are {', '.join(TARGETS)}")
    numbers = {id(layer): i for i, layer in enumerate(network.layers(), 1)}
    forward = _Writer(target, numbers, imports=dict.fromkeys(dialect(target).head))
    rank = 4 if network.parts and _sees_images(network.parts[0]) else 2
    below, rank, back = forward.part(network.trunk, "x", rank, False)
    prediction, output = list(forward.lines), below
    if network.trunk is not network:  # the loss applies the activation of the output by itself
        output = forward.part(network.parts_in_a_row[-1], below, rank, False)[0]
        prediction, forward.lines = forward.lines, prediction
    loss, _, loss_back = forward.part(network.loss, below, rank, True)
    back(loss_back(""))
    body = "".join(f"    {line}\n" for line in prediction)
    whole = "".join(f"    {line}\n" for line in forward.lines)
    functions = "\n\n".join(forward.functions.values())
    title = (
        network.recursion.title
        if network.widths is not None
        else ", ".join(type(part).__name__ for part in network.parts)
    )
    return (
        f'"""{title}: made by matcalc, every backward function derived and verified."""\n\n'
        + "\n".join(forward.imports)
        + f"\n\n\n{functions}\n\n"
        f"def forward(p, x, masks={{}}):\n    # the output for samples x\n{body}    return "
        f"{output}\n\n\n"
        f"def value_and_gradients(p, x, y, masks={{}}):\n    # the loss, and its gradients by "
        f"name\n    d = {{}}\n{whole}    return {loss}, d\n"
    )


def _sees_images(part: Any) -> bool:
    if isinstance(part, Sequential):
        return bool(part.parts) and _sees_images(part.parts[0])
    return isinstance(part, (Im2col, Windows)) or (
        isinstance(part, Layer) and any(_sees_images(m) for m in part.maps.values())
    )


def save(network: Written, path: str | os.PathLike[str], target: str = "numpy") -> None:
    """Write the module to ``path`` and the parameters beside it with the ending ``.npz``."""
    from ..numeric.runs import save_arrays

    Path(path).write_text(source(network, target), encoding="utf-8")
    constants = {
        f"{i}.{n}": a
        for i, layer in enumerate(network.layers(), 1)
        for n, a in layer.constants.items()
        if not callable(a) and np.ndim(a)
    }
    save_arrays(Path(path).with_suffix(".npz"), network.parameters_by_name() | constants)
