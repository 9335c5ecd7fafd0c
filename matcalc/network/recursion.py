"""Back-propagation as a recursion, derived line by line from the forward expressions of a network
of dense layers.

With a(1) = x, z(l+1) = W(l)*a(l) + b(l), a(l) = f(z(l)) and δ(l) = ∂J/∂z(l), four gradients are
enough: of the loss by the last z, and of δ'*(W*f(z) + b) by z, W and b. Layers that read alike are
derived, and verified, once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

from ..api.derivation import Derivation
from ..api.derive import derive
from ..errors import ShapeProblem, flag
from ..expr import Expr, size_number, substitute, var
from ..expr.signed import joined
from ..expr.sizes import show_shape
from ..labels.bag import Factor, Term, is_one, is_wire
from ..labels.meaning import opened
from ..options import strict
from .vocabulary import ACTIVATIONS, LOSSES, contains_output, form

SAMPLE = (
    "the summed axis is the sample: adding up the gradients of all samples is what this "
    "matrix product does"
)
_K = r"\bk\b"  # the width of the output in the table of losses
COLUMN = {"W": "k×n", "a": "n", "z": "n", "b": "k", "δ": "k", "y": "n"}
ROWS = {"W": "k×n", "A": "m×n", "Z": "m×n", "b": "k", "Δ": "m×k", "Y": "m×n"}


@lru_cache(maxsize=512)
def _derived(expression: str, by: str, batch: bool) -> Derivation:
    """A gradient in generic names; equal layers share it."""
    return derive(
        expression,
        by,
        {n: s for n, s in (ROWS if batch else COLUMN).items() if n in _words(expression)},
    )


def _words(expression: str) -> set[str]:
    return set("".join(c if c.isalnum() else " " for c in expression).split())


@dataclass(frozen=True)
class Line:
    """One line of the recursion: what it is, the derivation that gives it, and the layers that
    its names belong to.
    """

    name: str
    derivation: Derivation
    indices: Mapping[str, int]
    sizes: Mapping[str, int | str]

    @property
    def verified(self) -> bool:
        """Tell if the derivation behind the line is verified."""
        return bool(self.derivation.verification)

    def _with_names(self, pattern: str) -> Expr:
        def leaf(node: Expr) -> Expr:
            if node.head == "size":
                return size_number((self.sizes.get(str(node.atom), node.atom),))
            indexed = node.head == "var" and node.name in self.indices
            return (
                var(
                    pattern.format(node.name, self.indices[node.name]), node.shape_, node.properties
                )
                if indexed
                else node
            )

        assert isinstance(self.derivation.result, Expr)
        return substitute(self.derivation.result, leaf)

    @cached_property
    def right(self) -> str:
        """The right-hand side, as ``δ(4)*a(3)'``."""
        return _products_first(self._with_names("{}({})"))

    def __str__(self) -> str:
        return f"{self.name} = {self.right}"

    def latex(self) -> str:
        """The line in LaTeX, for an align environment."""
        return f"{_latex_name(self.name)} &= {self._with_names('{}{}').latex()}"

    @property
    def scalar(self) -> str:
        """The derivative with every matrix read as a number."""
        d = self.derivation
        return joined(map(_as_numbers, d.chains[0].bags[d.wrt].terms))

    @property
    def arrangement(self) -> str:
        """The shapes of the factors, and the shape that the result must have."""
        d = self.derivation
        shapes = [self.shape(f.expr) for t in d.chains[0].bags[d.wrt].terms for f in _proper(t)]
        return f"{', '.join(shapes)} → {self.shape(d.wrt)}"

    def shape(self, e: Expr) -> str:
        sizes = [
            "*".join(str(self.sizes.get(str(a), a)) for a in size) for size in e.shape_ if size
        ]
        return "×".join(sizes) or "scalar"

    def sums_over_samples(self) -> bool:
        """Tell if a product sums the samples: they are an axis of a factor, not of the result."""
        d = self.derivation
        axes = {str(a) for size in d.wrt.shape_ for a in size}
        return "m" not in axes and any(
            "m" in map(str, size) for v in d.program.variables.values() for size in v.shape_
        )


def _proper(t: Term) -> list[Factor]:
    """The factors with axes, ones and identities left out."""
    return [f for f in opened(t.factors).factors if f.labels and not is_wire(f) and not is_one(f)]


def _as_numbers(t: Term) -> tuple[Fraction, str]:
    """A bag as a number that has its sign, and as a product of numbers without it: no order, no
    transposes, no ones.

    A number and its inverse cancel.
    """
    flat = opened(t.factors)
    shown = [
        f"({f.expr})" if f.expr.head == "add" else str(f.expr)
        for f in flat.factors
        if not is_one(f) and not is_wire(f)
    ]
    for inverse in [s for s in shown if s.startswith("1/") and s[2:] in shown]:
        shown.remove(inverse)
        shown.remove(inverse[2:])
    k = t.coefficient * flat.coefficient
    if abs(k) != 1 or not shown:
        shown.insert(0, str(abs(k)))
    return k, " · ".join(shown)


def _products_first(e: Expr) -> str:
    """A product entry by entry as the textbooks write it: (W'*δ).*f'(z)."""
    if (
        e.head != "times"
        or not any(a.head == "matmul" for a in e.args)
        or any(a.is_scalar for a in e.args)
    ):
        return str(e)
    ordered = sorted(e.args, key=lambda a: a.head != "matmul")
    return ".*".join(f"({a})" if a.head in ("matmul", "add") else str(a) for a in ordered)


def _latex_name(name: str) -> str:
    plain = (
        name.replace("(", "_{").replace(")", "}").replace("δ", r"\delta").replace("Δ", r"\Delta")
    )
    left, slash, right = plain.partition("/")
    return rf"\frac{{\partial J}}{{\partial {right[1:]}}}" if slash and left else plain


@strict
class Recursion:
    """The forward and the backward pass of a network of dense layers, derived and verified.

    Arguments:

    * ``sizes``: the widths, numbers or names, first the input's.
    * ``activation``, ``output``, ``loss``: names in the tables of activations and of losses.
    * ``batch``: writes the samples as rows of matrices instead of one column.

    Raises ShapeProblem for fewer than two sizes, OptionProblem for a name that the tables do not
    have, TypeError for an argument of a wrong type.

    >>> print(Recursion([3, 4, 2], "tanh", "squared").lines[-1])
    ∂J/∂b(1) = δ(2)
    >>> Recursion([3, 4, 2], "tanh", "squared", batch=True).verified
    True
    """

    def __init__(
        self,
        sizes: Sequence[int | str],
        activation: str = "relu",
        loss: str = "cross_entropy",
        output: str = "linear",
        batch: bool = False,
    ) -> None:
        if len(sizes) < 2:
            raise ShapeProblem("a network needs two sizes or more", "write 784-128-10")
        self.sizes, self.batch = tuple(sizes), flag(batch, "batch")
        self.activation, self.output = (
            form(ACTIVATIONS, activation, "activation"),
            form(ACTIVATIONS, output, "activation"),
        )
        self.loss = form(LOSSES, loss, "loss")
        self.of_z = contains_output(loss, output)  # the loss is given z and not the output
        self.title = f"{'-'.join(map(str, sizes))}, activation {activation}, loss {loss}" + (
            f", output {output}" if output != "linear" else ""
        )
        self._a, self._z, self._d = ("A", "Z", "Δ") if batch else ("a", "z", "δ")

    # ---- the lines -------------------------------------------------------------------------------

    def _text(self, row: object, argument: str = "") -> str:
        text: str = getattr(row, "rows" if self.batch else "column")
        return text.replace("Z" if self.batch else "z", argument) if argument else text

    @cached_property
    def forward(self) -> list[str]:
        """The forward pass, line by line."""
        last = len(self.sizes)
        found = [f"{self._a}(1) = {'X' if self.batch else 'x'}"]
        for here in range(1, last):
            found.append(self._affine(here))
            activation = self.activation if here + 1 < last else self.output
            if here + 1 < last or activation is not ACTIVATIONS["linear"]:
                found.append(
                    f"{self._a}({here + 1}) = {self._text(activation, f'{self._z}({here + 1})')}"
                )
        of_z = self.of_z or self.output is ACTIVATIONS["linear"]
        loss = _indexed(self._text(self.loss), self._z, self._z if of_z else self._a, last)
        return [*found, f"J = {re.sub(_K, str(self.sizes[-1]), loss)}"]

    def _affine(self, here: int) -> str:
        if self.batch:
            return f"Z({here + 1}) = A({here})*W({here})' + ones(m)*b({here})'"
        return f"z({here + 1}) = W({here})*a({here}) + b({here})"

    @cached_property
    def lines(self) -> list[Line]:
        """The backward pass, from the loss down to the first layer."""
        last = len(self.sizes)
        found = [self._top(last)]
        for here in range(last - 1, 0, -1):
            found += [self._parameter("W", here), self._parameter("b", here)]
            if here > 1:
                found.append(self._delta(here))
        return found

    def _top(self, last: int) -> Line:
        loss = self._text(self.loss, "" if self.of_z else self._text(self.output))
        loss = re.sub(_K, "n", loss)
        return Line(
            f"{self._d}({last})",
            _derived(loss, self._z, self.batch),
            {self._z: last},
            self._named_sizes(last),
        )

    def _delta(self, here: int) -> Line:
        expression = self._contracted(self._text(self.activation))
        indices = {"W": here, self._z: here, self._d: here + 1}
        return Line(
            f"{self._d}({here})",
            _derived(expression, self._z, self.batch),
            indices,
            self._named_sizes(here),
        )

    def _parameter(self, name: str, here: int) -> Line:
        indices = {"W": here, "b": here, self._a: here, self._d: here + 1}
        return Line(
            f"∂J/∂{name}({here})",
            _derived(self._contracted(self._a), name, self.batch),
            indices,
            self._named_sizes(here),
        )

    def _contracted(self, activation: str) -> str:
        """J as a function of one layer, up to first order: its δ times its z."""
        return (
            f"sum(Δ.*({activation}*W' + ones(m)*b'))" if self.batch else f"δ'*(W*{activation} + b)"
        )

    def _named_sizes(self, here: int) -> dict[str, int | str]:
        above = self.sizes[here] if here < len(self.sizes) else self.sizes[-1]
        return {"n": self.sizes[here - 1], "k": above, "m": "m"}

    # ---- what is shown ---------------------------------------------------------------------------

    @property
    def derivations(self) -> list[Derivation]:
        """The different derivations behind the lines."""
        return list({id(line.derivation): line.derivation for line in self.lines}.values())

    @property
    def verified(self) -> bool:
        """Tell if every line is verified."""
        return all(line.verified for line in self.lines)

    def __str__(self) -> str:
        rows = [
            (str(line), f"as numbers {line.scalar}", f"shapes {line.arrangement}")
            for line in self.lines
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(2)]
        table = [f"  {a:<{widths[0]}}   {b:<{widths[1]}}   {c}" for a, b, c in rows]
        how = "a batch, its samples as rows" if self.batch else "one sample as a column"
        forward = [f"  {line}" for line in self.forward]
        return "\n".join(
            [
                f"{self.title}; {how}",
                "",
                "forward",
                *forward,
                "",
                f"backward, {self._d}(l) = ∂J/∂{self._z}(l)",
                *table,
            ]
        )

    @property
    def verdict(self) -> str:
        """The verification of all lines in one sentence."""
        count = len(self.derivations)
        state = "verified" if self.verified else "NOT verified"
        return (
            f"{state}: {len(self.lines)} lines from {count} derivations, each checked exactly "
            "and numerically"
        )

    def latex(self) -> str:
        """The backward pass as an align environment."""
        return (
            "\\begin{align*}\n"
            + " \\\\\n".join(line.latex() for line in self.lines)
            + "\n\\end{align*}"
        )

    def explain(self) -> str:
        """The recursion, then each different derivation step by step."""
        return "\n\n".join([str(self), *(self._explained(d) for d in self.derivations)])

    def _explained(self, d: Derivation) -> str:
        users = [line for line in self.lines if line.derivation is d]
        shown = ", ".join(line.name for line in users[:6]) + (
            f", … {len(users) - 6} more" if len(users) > 6 else ""
        )
        note = f"\nBatch    {SAMPLE}" if self.batch and users[0].sums_over_samples() else ""
        shapes = ", ".join(f"{n}: {show_shape(v.shape_)}" for n, v in d.program.variables.items())
        return f"---- {shown}\n     ({shapes})\n\n{d.explain()}{note}"


def _indexed(text: str, old: str, new: str, index: int) -> str:
    """A loss with the index of its layer."""
    return re.sub(rf"\b{old}\b", f"{new}({index})", text)
