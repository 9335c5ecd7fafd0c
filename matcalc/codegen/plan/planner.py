"""The plan: expressions as steps, in the order that costs least, every common part once.

Products with a vector at an end go from that end; a sum of matrices meets a vector term by term; an
inverse is a solve, and one factorization serves inv, det and logdet; the trace of a product is a
sum of products of entries; diagonal matrices scale; ones are never built. What stays open is only
what the sizes decide: a ``choose`` step lists the orders that can win.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from ... import expr as ex
from ...errors import NameProblem
from ...expr import Expr, split
from ...expr.blocks import grid
from ...expr.sizes import UNIT, total_of
from ...labels.bag import Factor, Term
from ...labels.index_form import IndexForm, subscripts
from ...labels.roots import Root, parts
from ...tables.functions import BY_NAME, Row
from ..passes.peephole import shortened
from .products import Products, axes_of, outer_cut, scalars_of
from .stable import stable
from .steps import Axes, Step, broadcast_axes


@dataclass(frozen=True)
class Plan:
    """The steps of one function; its results are ``roots``."""

    roots: tuple[Step, ...]
    exprs: tuple[Root, ...]
    variables: tuple[Expr, ...]
    known: tuple[Expr, ...] = ()  # variables that may show a size that the others do not


def plan(roots: Sequence[Root], known: Iterable[Expr] = ()) -> Plan:
    """The steps that compute expressions and index forms together.

    ``known`` variables may show sizes.
    """
    evaluated = parts(*roots)
    used = sorted(ex.variables(*evaluated), key=lambda v: v.name)
    _check_names(used)
    better = stable(evaluated)
    planner = Planner(list(dict.fromkeys(better[e] for e in evaluated)))
    found = tuple(
        planner(better[r])
        if isinstance(r, Expr)
        else planner.form(r.with_factors(better.__getitem__))
        for r in roots
    )
    return Plan(
        shortened(planner.steps, found),
        tuple(roots),
        tuple(used),
        tuple(v for v in known if v not in used),
    )


def _check_names(used: Sequence[Expr]) -> None:
    """Raise NameProblem if one name stands for two variables."""
    for a, b in pairwise(used):
        if a.name == b.name:
            kinds = [ex.declared_text(v) for v in (a, b)]
            raise NameProblem(
                f"'{a.name}' stands for two variables, {kinds[0]} and {kinds[1]}",
                "give one of them another name",
            )


class Planner(Products):
    """Turns expressions into steps, from the leaves up."""

    def __init__(self, roots: Sequence[Expr]) -> None:
        super().__init__(roots)
        self.found: dict[Expr, Step] = {}
        for e in self.order:
            self(e)

    def __call__(self, e: Expr) -> Step:
        step = self.found.get(e)
        if step is None:
            step = self.found[e] = self._lowered(e)
        return step

    def _lowered(self, e: Expr) -> Step:
        special = _SPECIAL.get(e.head)
        if special is not None:
            return special(self, e)
        row = BY_NAME.get(e.head)
        if row is not None:
            return self._function(row, e)
        return self.steps.make(
            e.head, data=e.shape_[0] if e.head == "commutation" else None, axes=axes_of(e)
        )

    def _function(self, row: Row, e: Expr) -> Step:
        """A function of the table, of whole arrays or of what broadcasts to them."""
        of_two_by_entries = row.signature == "ij,ij->ij" and not row.square
        if not of_two_by_entries:
            return self.steps.fn(row.name, *map(self, e.args), axes=axes_of(e))
        args = tuple(map(self.loose, e.args))
        if row.second:
            return self.whole(self.steps.fn(row.name, *args, axes=broadcast_axes(args)), axes_of(e))
        return self.steps.fn(row.name, *args, axes=axes_of(e))

    # ---- sums and products of entries ------------------------------------------------------------

    def loose(self, e: Expr) -> Step:
        """A step that broadcasts to the expression: a number for ones, a vector for a matrix of
        equal rows or columns.
        """
        if e.head == "ones":
            return self.steps.num(1)
        if e.head == "times":
            return self._times(e, whole=False)
        broadcast = self.broadcast(e)
        return self(e) if broadcast is None else broadcast

    def add(self, e: Expr) -> Step:
        """Multiples of the identity and diagonal matrices are added to the diagonal alone.

        Blocks are put side by side.
        """
        if (found := grid(e)) is not None and all(
            b is not None and len(axes_of(b)) == len(axes_of(e)) for row in found for b in row
        ):
            return self._beside([[self(b) for b in row if b is not None] for row in found])
        plain: list[tuple[Fraction, Step]] = []
        shifts: list[tuple[Fraction, Step]] = []
        for k, core in map(split, e.args):
            scale, body = scalars_of(core)
            if body.head in ("eye", "diag"):
                shifts.append(
                    (
                        k,
                        self.steps.mul(
                            1, (*map(self, scale), *([self(body.args[0])] if body.args else []))
                        ),
                    )
                )
            else:
                plain.append(
                    (k, self.loose(core))
                    if abs(k) == 1 or core.head != "times"
                    else (k / abs(k), self.loose(ex.scaled(abs(k), core)))
                )
        if not plain:
            return self.steps.make(
                "diag", self.whole(self.steps.add(shifts), axes_of(e)[:1]), axes=axes_of(e)
            )
        total = self.whole(self.steps.add(plain), axes_of(e))
        return (
            self.steps.make("shift", total, self.steps.add(shifts), axes=total.axes)
            if shifts
            else total
        )

    def _beside(self, blocks: list[list[Step]]) -> Step:
        """Arrays side by side, row by row."""
        if len(blocks[0]) == 1:
            return self._concatenated([row[0] for row in blocks], 0)
        return self._concatenated([self._concatenated(row, 1) for row in blocks], 0)

    def _concatenated(self, parts: list[Step], axis: int) -> Step:
        if len(parts) == 1:
            return parts[0]
        length = total_of([(a.axes[axis], 1) for a in parts]).size()
        axes = tuple(length if k == axis else size for k, size in enumerate(parts[0].axes))
        return self.steps.make("concat", *parts, data=axis, axes=axes)

    def times(self, e: Expr) -> Step:
        return self._times(e, whole=True)

    def _times(self, e: Expr, whole: bool) -> Step:
        k, _ = split(e)
        arrays = [a for a in e.args if not a.is_scalar]
        if any(a.head in ("eye", "diag") for a in arrays):
            return self._diagonal_product(e, arrays)
        if (
            len(arrays) == 1
            and (cut := outer_cut(arrays[0]))
            and whole
            and arrays[0].args[0].head != "ones" != arrays[0].args[-1].head
        ):
            return self._scaled_outer(e, arrays[0], cut)
        above, below = self._fraction([a for a in e.args if a.head != "num"])
        step = self.steps.mul(k, above, below)
        return self.whole(step, axes_of(e)) if whole else step

    def _fraction(self, factors: Iterable[Expr]) -> tuple[list[Step], list[Step]]:
        """Numerators and denominators; an outer product is a column and a row."""
        above: list[Step] = []
        below: list[Step] = []
        for a in factors:
            cut = outer_cut(a)
            if a.head == "pow" and a.args[1].head == "num" and a.args[1].value < 0:
                below.append(self.power(a.args[0], -a.args[1].value))
            elif cut:
                above += (self.steps.col(self.product(a.args[:cut])), self.product(a.args[cut:]))
            else:
                above.append(self.loose(a))
        return [a for a in above if a.op != "ones"], below

    def _scaled_outer(self, e: Expr, product: Expr, cut: int) -> Step:
        """The scalars go to the column, which is smaller than the product."""
        above, below = self._fraction([a for a in e.args if a.is_scalar and a.head != "num"])
        left, right = self.product(product.args[:cut]), self.product(product.args[cut:])
        return self.steps.outer(self.steps.mul(split(e)[0], (*above, left), below), right)

    def _diagonal_product(self, e: Expr, arrays: list[Expr]) -> Step:
        """A diagonal matrix times anything, entry by entry, is diagonal."""
        entries = [self(ex.call("diagonal", a)) for a in arrays if a.head != "eye"]
        scalars = [self(a) for a in e.args if a.is_scalar]
        vector = self.whole(self.steps.mul(1, (*scalars, *entries)), axes_of(e)[:1])
        return self.steps.make("diag", vector, axes=axes_of(e))

    def pow(self, e: Expr) -> Step:
        base, exponent = e.args
        if exponent.head != "num":
            args = (self.loose(base), self.loose(exponent))
            return self.whole(
                self.steps.make("power", *args, axes=broadcast_axes(args)), axes_of(e)
            )
        if exponent.value < 0:
            return self.steps.mul(1, (), (self.power(base, -exponent.value),))
        return self.power(base, exponent.value)

    def power(self, base: Expr, k: Fraction) -> Step:
        """Small powers by multiplication; the squared norm is a product of a vector with itself."""
        if base.head == "norm2" and k % 2 == 0:
            x = self(base.args[0])
            return self.steps.power(self.steps.vdot(x, x), k / 2)
        return self.steps.power(self(base), k)

    def gelu(self, e: Expr) -> Step:
        """A product, whose second factor is also in the derivative."""
        return self(ex.times(e.args[0], ex.call("normcdf", e.args[0])))

    def kron(self, e: Expr) -> Step:
        """Vectors are 1-D arrays: a column beside a matrix is shown as one, and two vectors are
        an outer product.
        """
        a, b = map(self, e.args)
        if len(a.axes) == len(b.axes) == 1:
            if (e.args[0].shape_[0] == UNIT) != (e.args[1].shape_[0] == UNIT):
                return self.steps.outer(*((b, a) if e.args[0].shape_[0] == UNIT else (a, b)))
            return self.steps.make("reshape", self.steps.outer(a, b), axes=axes_of(e))
        if not a.axes or not b.axes:
            return self.steps.mul(1, (a, b))
        args = (
            self.steps.col(x) if arg.shape_[1] == UNIT else x
            for x, arg in zip((a, b), e.args, strict=True)
        )
        return self.steps.fn("kron", *args, axes=axes_of(e))

    # ---- index forms -----------------------------------------------------------------------------

    def form(self, form: IndexForm) -> Step:
        """An index form as a sum of einsums."""
        axes = form.axes
        if not form.bag.terms:
            return self.steps.make("zeros", data=axes, axes=axes)
        flat = tuple((i.size,) for i in form.bag.out)
        total = self.steps.add(
            [(t.coefficient, self._einsum(form, t, flat)) for t in form.bag.terms]
        )
        return total if flat == axes else self.steps.make("reshape", total, axes=axes)

    def _einsum(self, form: IndexForm, t: Term, axes: Axes) -> Step:
        arrays = [self._array(f) for f in t.factors if f.labels]
        scalars = [self(f.expr) for f in t.factors if not f.labels]
        product = (
            [self.steps.make("einsum", *arrays, data=subscripts(form, t), axes=axes)]
            if arrays
            else []
        )
        return self.steps.mul(1, (*scalars, *product))

    def _array(self, f: Factor) -> Step:
        """A factor with one axis for each label."""
        return self.reshaped(self(f.expr), tuple((i.size,) for i in f.labels))

    def reshaped(self, step: Step, axes: Axes) -> Step:
        """The same entries, row by row, with other axes."""
        if step.op == "reshape":
            return self.reshaped(step.args[0], axes)
        return step if step.axes == axes else self.steps.make("reshape", step, axes=axes)

    def variable(self, e: Expr) -> Step:
        """An argument; an array comes with its own axes, and is unfolded."""
        return self.reshaped(self.steps.make("arg", data=e, axes=ex.own_axes(e)), axes_of(e))


_SPECIAL: dict[str, Callable[[Planner, Expr], Step]] = {
    "add": Planner.add,
    "times": Planner.times,
    "pow": Planner.pow,
    "matmul": Planner.matmul,
    "inv": Planner.inv,
    "det": Planner.det,
    "logdet": Planner.det,
    "log": Planner.log,
    "adjugate": Planner.adjugate,
    "tr": Planner.tr,
    "diagonal": Planner.diagonal,
    "sum": Planner.sum,
    "norm2": Planner.norm2,
    "kron": Planner.kron,
    "part": Planner.part,
    "gelu": Planner.gelu,
    "T": lambda p, e: p.steps.transpose(p(e.args[0])),
    "var": Planner.variable,
    "num": lambda p, e: p.steps.num(e.value),
    "size": lambda p, e: p.steps.make("size", data=e.atom),
    "diag": lambda p, e: p.steps.make("diag", p(e.args[0]), axes=axes_of(e)),
}
