"""A layer's backward pass, derived from its forward expression and compiled.

For a layer Y = f(X, θ) and the cotangent G = ∂J/∂Y, the change of J is that of sum(G.*f(X, θ)) with
G held fixed. So the gradients of that scalar, by X and by each θ, *are* the backward pass. A scalar
f is a loss and needs no G.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from ..api.derivation import Derivations
from ..api.derive import derive
from ..codegen import Compiled, compile_expr
from ..expr import Expr, call, matmul, postorder, rebuild, times, transpose, var, variables
from ..expr.sizes import UNIT
from ..language.typed import typed

COTANGENT = "G"


@dataclass(frozen=True, eq=False)
class Derived:
    """The forward expression, its derivations by name, and both passes as code.

    What the passes share is computed once.
    """

    text: str
    value: Expr
    cotangent: Expr | None
    derivations: Derivations

    @cached_property
    def saved(self) -> Mapping[Expr, Expr]:
        """The parts of the forward pass that the backward pass uses, as variables."""
        forward = {e for e in postorder(self.value) if e.args and variables(e) and e.head != "T"}
        roots = [_matrix_form(d.result) for d in self.derivations.values()]
        above = postorder(*roots, skip=lambda e: e in forward)
        met = dict.fromkeys(a for e in above for a in e.args if a in forward) | dict.fromkeys(
            e for e in roots if e in forward
        )
        return {e: var(f"S{i}", e.shape_) for i, e in enumerate(met, 1)}

    @cached_property
    def gradients(self) -> Mapping[str, Expr]:
        """The backward pass by name, in terms of what the forward pass saved."""
        return {
            n: _replaced(_matrix_form(d.result), self.saved) for n, d in self.derivations.items()
        }

    @cached_property
    def forward(self) -> Compiled:
        """The value, then what the backward pass needs."""
        return compile_expr((self.value, *self.saved), "numpy", "forward")

    def backward(self, names: tuple[str, ...]) -> Compiled:
        """The gradients by some of the names."""
        return _backward(self, names)

    def forward_source(self, target: str, name: str) -> str:
        """The forward pass as source; one value is no tuple."""
        return _source((self.value, *self.saved), target, name)

    def backward_source(self, names: tuple[str, ...], target: str, name: str) -> str:
        """The backward pass as source; one value is no tuple."""
        return _source(tuple(self.gradients[n] for n in names), target, name)


@lru_cache(maxsize=1024)
def _backward(rule: Derived, names: tuple[str, ...]) -> Compiled:
    return compile_expr(tuple(rule.gradients[n] for n in names), "numpy", "backward")


def _source(roots: tuple[Expr, ...], target: str, name: str) -> str:
    return compile_expr(roots[0] if len(roots) == 1 else roots, target, name).source


@lru_cache(maxsize=1024)
def derived(text: str, shapes: tuple[tuple[str, str], ...], wrt: tuple[str, ...]) -> Derived:
    """Derive the backward pass of an expression by some of its variables; equal layers share one.

    Raises what :func:`matcalc.derive` raises.

    >>> rule = derived("X*W'", (("X", "m×n"), ("W", "k×n")), ("X", "W"))
    >>> print(rule.derivations["W"].gradient)
    G'*X
    """
    value = typed(text, dict(shapes)).expr
    if value.is_scalar:
        return Derived(text, value, None, derive(value, wrt))
    cotangent = var(COTANGENT, value.shape_)
    scalar = (
        matmul(transpose(cotangent), value)
        if value.shape_[1] == UNIT
        else call("sum", times(cotangent, value))
    )
    return Derived(text, value, cotangent, derive(scalar, wrt))


def _matrix_form(e: object) -> Expr:
    assert isinstance(e, Expr)  # the gradient of a scalar always is one (theorem C)
    return e


def _replaced(e: Expr, table: Mapping[Expr, Expr]) -> Expr:
    """An expression with some of its parts replaced."""
    new = dict(table)
    for part in postorder(e, skip=lambda node: node in table):
        new[part] = rebuild(part, tuple(new.get(a, a) for a in part.args)) if part.args else part
    return new[e]
