"""The steps of a plan: what is computed, in what order, and the shape of every result.

No target, no text.

A step is an operation on earlier steps. Its axes are the axes of the array that it makes, axes of
length one left out, so that rows and columns are the same 1-D array. Equal steps are one object:
whatever is needed twice is computed once.

The operations, with their data:

    arg name · num Fraction · size Atom · ones, zeros, eye, commutation
    einsum subscripts · fn name of a row of the table
    T · dot (the last axis of a with the first of b) · outer
    choose (orders of a product, decided by the sizes)
    add coefficients · mul (coefficient, how many arguments multiply, the others divide)
    pow Fraction · power · col (a vector along the rows) · fill · shift (add to the diagonal)
    sum axis · vdot, vdott (sum of A.*B, of A.*B') · rowdot (row sums of A.*B)
    concat axis · rows, embed range (neighbours on the first axis, or the array among zeros)
    trace · diag · diagonal
    factor "chol", "symmetric" or "lu" · solve transposed · inverse · det
    logdet ("signed": nan of a negative determinant) · adjugate (of a factor and its matrix)
    kernel (a function that the target brings along) · item number
    congruence traced (of a factor, C, a, b: tr(inv*C) if so, a*inv + b*inv*C*inv)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ...budget import spend
from ...expr.normal import SELF_TRANSPOSED
from ...expr.sizes import Size
from ...expr.walk import arguments_first

Axes = tuple[Size, ...]
STEP = 8  # steps of work that a step of a plan takes, from making it to writing its line
LEAVES = frozenset({"arg", "num", "size"})
# results that own no memory
VIEWS = frozenset({*LEAVES, "T", "col", "diagonal", "item", "reshape", "rows"})
# vec of an array that lies column by column, the first power
MAY_BE_VIEWS = {("fn", "vec"), ("fn", "powm")}


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """One operation; ``factor`` makes no array, and ``axes`` are then those of the matrix."""

    op: str
    args: tuple[Step, ...]
    data: Any
    axes: Axes

    @property
    def is_scalar(self) -> bool:
        return not self.axes

    @property
    def fresh(self) -> bool:
        """Whether the result is an array of its own, that may be overwritten once nothing else
        needs it.
        """
        is_view = (
            self.op in VIEWS
            or (self.op, self.data) in MAY_BE_VIEWS
            or (self.op == "einsum" and len(self.args) == 1)
        )
        return not is_view and bool(self.axes)


def memory_of(step: Step) -> Step:
    """The step in whose memory a result lies: the result itself, or what it may be a view of."""
    while step.args and step.op != "item" and not step.fresh and (step.axes or step.op in VIEWS):
        step = step.args[0]
    return step


class Steps:
    """Makes steps, each once."""

    def __init__(self) -> None:
        self.known: dict[tuple[Any, ...], Step] = {}

    def make(self, op: str, *args: Step, data: Any = None, axes: Axes = ()) -> Step:
        key = (op, args, data, axes)
        found = self.known.get(key)
        if found is None:
            spend(STEP)
            found = self.known[key] = Step(op, args, data, axes)
        return found

    def num(self, value: Fraction | int) -> Step:
        return self.make("num", data=Fraction(value))

    def transpose(self, a: Step) -> Step:
        """The transpose, pushed to where it costs nothing."""
        if len(a.axes) < 2 or a.op in ("diag", "eye") or is_symmetric(a):
            return a
        if a.op == "T":
            return a.args[0]
        if a.op == "outer":
            return self.make("outer", *reversed(a.args), axes=a.axes[::-1])
        return self.make("T", a, axes=a.axes[::-1])

    def dot(self, a: Step, b: Step) -> Step:
        """The product; a product whose transpose is known already is a view of that."""
        if a.is_scalar or b.is_scalar:
            return self.mul(1, (a, b))
        axes = a.axes[:-1] + b.axes[1:]
        if len(axes) == 2:
            flipped = (self.transpose(b), self.transpose(a))
            if ("dot", flipped, None, axes[::-1]) in self.known and flipped != (a, b):
                return self.make("T", self.make("dot", *flipped, axes=axes[::-1]), axes=axes)
        if len(a.axes) == 1 and len(b.axes) == 2:
            return self.make("dot", self.transpose(b), a, axes=axes)
        return self.make("dot", a, b, axes=axes)

    def outer(self, u: Step, v: Step) -> Step:
        return (
            self.make("outer", u, v, axes=u.axes + v.axes)
            if u.axes and v.axes
            else self.mul(1, (u, v))
        )

    def vdot(self, a: Step, b: Step) -> Step:
        """The sum of the entry-by-entry product of two arrays of one shape."""
        if len(a.axes) == 1:
            return self.dot(a, b)
        if a.op == "T":
            a, b = self.transpose(a), self.transpose(b)
        if b.op == "T":
            return self.make("vdott", a, self.transpose(b))
        return self.make("vdot", a, b)

    def rowdot(self, a: Step, b: Step) -> Step:
        """The row sums of the entry-by-entry product: the diagonal of A*B'."""
        if len(a.axes) == 1:
            return self.mul(1, (a, b))
        return self.make("rowdot", a, b, axes=a.axes[:1])

    def row_sums(self, a: Step) -> Step:
        """The sum of each row of a matrix."""
        return (
            self.make("sum", self.transpose(a), data=0, axes=a.axes[:1])
            if a.op == "T"
            else self.make("sum", a, data=1, axes=a.axes[:1])
        )

    def col(self, v: Step) -> Step:
        """A vector along the rows, for broadcasting."""
        return v if v.is_scalar else self.make("col", v, axes=(v.axes[0], ()))

    def mul(
        self, coefficient: Fraction | int, above: Iterable[Step], below: Iterable[Step] = ()
    ) -> Step:
        """A product of scalars and arrays entry by entry, scalars first so that they meet before
        they meet an array.
        """
        coefficient, over, under = _gathered(Fraction(coefficient), above, below)
        if not over and not under:
            return self.num(coefficient)
        if coefficient == 1 and len(over) == 1 and not under:
            return over[0]
        if (
            len(over)
            and over[-1].op == "T"
            and all(a.is_scalar for a in (*over[:-1], *under))
            and over[-1].args[0].fresh
        ):
            # what owns its memory can be overwritten
            return self.transpose(self.mul(coefficient, (*over[:-1], over[-1].args[0]), under))
        axes = broadcast_axes(over + under)
        return self.make("mul", *over, *under, data=(coefficient, len(over)), axes=axes)

    def add(self, terms: Iterable[tuple[Fraction, Step]]) -> Step:
        """A sum with coefficients; what is smaller broadcasts."""
        terms = [(k, a) for k, a in terms if k]
        if len(terms) == 1:
            return self.mul(terms[0][0], (terms[0][1],))
        terms.sort(key=lambda term: term[0] < 0)
        axes = broadcast_axes([a for _, a in terms])
        return self.make("add", *(a for _, a in terms), data=tuple(k for k, _ in terms), axes=axes)

    def power(self, x: Step, k: Fraction) -> Step:
        """An entry-by-entry power; small ones by multiplication."""
        if k == 1:
            return x
        if k in (3, 4):
            square = self.make("pow", x, data=Fraction(2), axes=x.axes)
            return (
                self.mul(1, (square, x))
                if k == 3
                else self.make("pow", square, data=Fraction(2), axes=x.axes)
            )
        return self.make("pow", x, data=k, axes=x.axes)

    def fn(self, name: str, *args: Step, axes: Axes) -> Step:
        return self.make("fn", *args, data=name, axes=axes)


def _gathered(
    coefficient: Fraction, above: Iterable[Step], below: Iterable[Step]
) -> tuple[Fraction, list[Step], list[Step]]:
    """Nested products opened one level where they are scalars, numbers multiplied."""
    over: list[Step] = []
    under = list(below)
    for a in above:
        if a.op == "num":
            coefficient *= a.data
        elif a.op == "mul" and a.is_scalar:
            coefficient *= a.data[0]
            over += a.args[: a.data[1]]
            under += a.args[a.data[1] :]
        else:
            over.append(a)
    return (
        coefficient,
        sorted(over, key=lambda a: len(a.axes)),
        sorted(under, key=lambda a: len(a.axes)),
    )


def is_symmetric(a: Step) -> bool:
    """Whether a step equals its transpose: declared so, of the form Y'*Y or Y'*S*Y, or an
    inverse of such.
    """
    if a.op == "arg":
        return bool(SELF_TRANSPOSED.intersection(a.data.properties))
    if a.op == "inverse":
        return bool(a.args[0].data != "lu")
    if a.op == "shift":
        return is_symmetric(a.args[0])
    if a.op != "dot" or len(a.axes) < 2:
        return False
    left, right = a.args
    return is_gram(a) or (
        left.op == "dot" and is_symmetric(left.args[1]) and are_transposes(left.args[0], right)
    )


def is_gram(a: Step) -> bool:
    """Whether a product is one of a matrix and its own transpose."""
    left, right = a.args
    return left is not right and are_transposes(left, right)


def are_transposes(a: Step, b: Step) -> bool:
    """Whether two matrices can be seen to be each other's transposes."""
    return (
        (a.op == "T" and a.args[0] is b)
        or (b.op == "T" and b.args[0] is a)
        or (a is b and is_symmetric(a))
    )


def broadcast_axes(args: Iterable[Step]) -> Axes:
    """The axes of a sum or an entry-by-entry product: a vector beside a matrix is a row, a
    ``col`` is a column.
    """
    out: list[Size] = []
    for a in args:
        axes = list(a.axes)
        longer, shorter = (out, axes) if len(out) >= len(axes) else (axes, out)
        gap = len(longer) - len(shorter)
        out = longer[:gap] + [x if x else y for x, y in zip(longer[gap:], shorter, strict=True)]
    return tuple(out)


def reachable(roots: Iterable[Step]) -> list[Step]:
    """Every step that the roots need, arguments first."""
    return arguments_first(list(roots), lambda step: step.args)


def certain(roots: Iterable[Step]) -> list[Step]:
    """The steps that are needed whatever the sizes are, arguments first."""
    whole, wanted = reachable(roots), set(roots)
    for step in reversed(whole):
        if step in wanted and step.op == "choose":
            wanted |= set.intersection(*(set(reachable([a])) for a in step.args))
        elif step in wanted:
            wanted.update(step.args)
    return [s for s in whole if s in wanted]


def use_counts(order: Iterable[Step], roots: Iterable[Step]) -> dict[Step, int]:
    """How many steps and roots take each step."""
    uses: dict[Step, int] = {}
    for a in (*roots, *(a for step in order for a in step.args)):
        uses[a] = uses.get(a, 0) + 1
    return uses


def shared_products(order: list[Step]) -> dict[Step, dict[Step, list[tuple[Step, int]]]]:
    """The products that orders of several ``choose`` steps have in common: for each such step,
    its products and who else has them.
    """
    always, users = set(order), dict[Step, list[tuple[Step, int]]]()
    choices = [s for s in order if s.op == "choose"]
    for step in choices:
        for i, arg in enumerate(step.args):
            for part in reachable([arg]):
                if part not in always and part.op == "dot":
                    users.setdefault(part, []).append((step, i))
    common = {part: found for part, found in users.items() if len({step for step, _ in found}) > 1}
    return {
        step: {part: found for part, found in common.items() if any(s is step for s, _ in found)}
        for step in choices
    }
