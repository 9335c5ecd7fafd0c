"""Step 2: read a labelled bag back as matrix notation.

Labels are the nodes of a graph, matrices its edges, vectors loose ends. Reduce while anything fits:

* a closed loop is a trace, or a diagonal when its label is still needed;
* two factors on the same labels are an entry-by-entry product;
* a summed label held by one factor is multiplied by ones;
* a summed label held by exactly two factors is a matrix product, transposing as needed;
* a vector on a label that others need too scales rows or columns;
* a vector on one of the three labels of a shift makes a convolution matrix on the other two.

This is series-parallel reduction: it succeeds exactly for label graphs that have treewidth at most
two once the outputs are joined, in any order of the factors (Theorem C of docs/how-it-works.md).
Every step is an identity, so no order can be wrong; the order below is chosen to read well. Nothing
is simplified here except powers of factors on identical labels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import partial

from .. import expr as ex
from ..budget import spend
from ..errors import NoMatrixForm
from ..expr import Expr
from ..expr.sizes import UNIT, Shape
from ..labels.bag import (
    Bag,
    Factor,
    Label,
    Labels,
    Term,
    is_one,
    is_wire,
    joined_to,
    label_shape,
    wire,
    with_ones,
)
from ..labels.meaning import opened

PRODUCT = "two factors hold a summed axis, matrix product"
Note = Callable[[str, Expr], None]


def _silent(_why: str, _result: Expr) -> None:
    return None


def arrange(bag: Bag, shape: Shape, note: Note = _silent) -> Expr:
    """The bag as a matrix expression of the given shape, whose axes are the bag's outputs, rows
    first.

    Raises NoMatrixForm if there is none. ``note`` hears of every reduction.
    """
    if not bag.terms:
        return ex.zeros(shape)
    if any(len(size) > 1 for size in shape):
        return ex.add(*(_composite(t, bag.out, shape, note) for t in bag.terms))
    if len(bag.out) > 2:
        raise NoMatrixForm(f"the derivative has {len(bag.out)} axes and no matrix form")
    column = ex.add(*(_Graph(t, bag.out, note).read() for t in bag.terms))
    return ex.transpose(column) if shape[0] == UNIT != shape[1] else column


def reduced(bag: Bag) -> Bag:
    """The bag with every product, trace and sum inside it carried out, as far as matrix notation
    reaches.
    """
    return Bag(
        bag.out,
        tuple(
            t for t in (_Graph(t, bag.out, _silent).remainder() for t in bag.terms) if t.coefficient
        ),
    )


def _composite(t: Term, out: Labels, shape: Shape, note: Note) -> Expr:
    """A matrix whose axes are products of axes: vec of a matrix, or a Kronecker product of two."""
    rows, cols = out[: len(shape[0])], out[len(shape[0]) :]
    if len(rows) == 2 and not cols:
        inner = Bag((rows[1], rows[0]), (t,))
        return ex.call("vec", arrange(inner, label_shape(inner.out), note))
    if len(rows) != 2 or len(cols) != 2:
        raise NoMatrixForm(f"the derivative has {len(out)} axes and no matrix form")
    sides = [(rows[0], cols[0]), (rows[1], cols[1])]
    flat = opened(t.factors)
    groups = _components(flat.factors, sides)
    first, second = (
        arrange(Bag(side, (Term(Fraction(1), group),)), label_shape(side), note)
        for side, group in zip(sides, groups, strict=True)
    )
    return ex.times(ex.num(t.coefficient * flat.coefficient), ex.call("kron", first, second))


def _components(
    factors: Iterable[Factor], sides: list[tuple[Label, Label]]
) -> list[tuple[Factor, ...]]:
    """The factors that hang on each side; those that hang on neither go with the first."""
    left = list(factors)
    groups: list[list[Factor]] = []
    for side in reversed(sides):
        reached, group = set(side), list[Factor]()
        while near := [f for f in left if reached.intersection(f.labels)]:
            reached |= {i for f in near for i in f.labels}
            group += near
            left = [f for f in left if f not in near]
        groups.insert(0, group)
    first, second = groups
    if any(i in sides[0] for f in second for i in f.labels):
        raise NoMatrixForm("the two sides of the Kronecker product share a factor")
    return [tuple(first + left), tuple(second)]


class _Edge:
    """A matrix between two labels, or a vector on one."""

    __slots__ = ("expr", "labels")

    def __init__(self, expr: Expr, labels: Labels) -> None:
        self.expr, self.labels = expr, labels

    def seen_from(self, label: Label) -> Expr:
        """The expression with ``label`` on its rows."""
        return self.expr if self.labels[0] is label else ex.transpose(self.expr)

    def beyond(self, label: Label) -> Label:
        return self.labels[1] if self.labels[0] is label else self.labels[0]


class _Graph:
    """The label graph of one term, reduced in place."""

    def __init__(self, t: Term, out: Labels, note: Note) -> None:
        flat = opened(t.factors)
        self.coefficient = t.coefficient * flat.coefficient
        self.note = note
        # the two outputs, where they are one label: the answer is a diagonal matrix
        self.both: Labels = ()
        self.scalars: list[Expr] = []
        self.edges: list[_Edge] = []
        # the edges at each label, a loop twice
        self.ends: defaultdict[Label, list[_Edge]] = defaultdict(list)
        self.kept: list[Factor] = []  # factors with more than two axes, which nothing reduces
        self.out = out
        factors = self._joined(list(flat.factors))
        self._sort_in(factors)
        self._merge_powers()

    def _joined(self, factors: list[Factor]) -> list[Factor]:
        """Wires make their two labels one; between two of many outputs they stay."""
        name: dict[Label, Label] = {}
        joined: list[Labels] = []

        root = partial(joined_to, name)
        for a, b in (f.labels for f in factors if is_wire(f)):
            a, b = root(a), root(b)
            if a is b:
                continue
            if a not in self.out:
                name[a] = b
            elif b not in self.out:
                name[b] = a
            elif len(self.out) == 2:
                name[b] = a
                self.both = (a, b)
            else:
                joined.append((a, b))
        if self.both:
            self.out = (root(self.out[0]),)
        for a, b in joined:
            self._add(_Edge(ex.eye((a.size,)), (root(a), root(b))))
        return [
            Factor(f.expr, tuple(map(root, f.labels)))
            for f in factors
            if not is_wire(f) or root(f.labels[0]) not in self.out
        ]

    def _sort_in(self, factors: list[Factor]) -> None:
        held = {i for f in factors if not is_one(f) and not is_wire(f) for i in f.labels}
        counted: set[Label] = set()
        for f in sorted(factors, key=lambda f: f.expr.order):
            if is_one(f) or is_wire(f):
                label = f.labels[0]
                if label not in held and label not in self.out and label not in counted:
                    counted.add(label)  # ones on a label that nothing else holds: its length
                    self.scalars.append(ex.size_number((label.size,)))
            elif not f.labels:
                self.scalars.append(f.expr)
            elif len(f.labels) > 2 or any(len(size) > 1 for size in f.expr.shape_):
                self.kept.append(f)
            else:
                self._put(f.expr, f.labels)

    def _put(self, e: Expr, labels: Labels) -> None:
        """Add an edge; its scalar factors and its number go where they belong."""
        k, e = ex.split(e)
        self.coefficient *= k
        if e.head == "times" and e.args[0].is_scalar:
            self.scalars += (a for a in e.args if a.is_scalar)
            e = ex.times(*(a for a in e.args if not a.is_scalar))
        if not labels:
            self.scalars.append(e)
        else:
            column = ex.transpose(e) if len(labels) == 1 and e.shape_[0] == UNIT else e
            if column.head == "zeros":
                self.coefficient = Fraction(0)
            self._add(_Edge(column, labels))

    def _merge_powers(self) -> None:
        """Powers of one base on identical labels merge: s^-1 .* s is 1."""
        groups: dict[frozenset[Label], list[_Edge]] = {}
        for edge in self.edges:
            if len(set(edge.labels)) == len(edge.labels):
                groups.setdefault(frozenset(edge.labels), []).append(edge)
        for group in groups.values():
            if len(group) < 2:
                continue
            first = group[0].labels[0]
            product = ex.times(*(e.seen_from(first) for e in group))
            if product.count >= sum(e.expr.count for e in group):
                continue
            for edge in group:
                self._drop(edge)
            if all(
                f.head == "ones"
                for f in (product.args if product.head == "times" else (product,))
                if not f.is_scalar
            ):
                k, _ = ex.split(product)
                self.coefficient *= k
                self.scalars += (
                    a
                    for a in product.args
                    if product.head == "times" and a.is_scalar and a.head != "num"
                )
                bare = [i for i in group[0].labels if i not in self.out and not self.ends[i]]
                self.scalars += (ex.size_number((i.size,)) for i in bare)
            else:
                self._put(product, group[0].labels)

    # ---- reductions ------------------------------------------------------------------------------

    def _add(self, edge: _Edge) -> None:
        self.edges.append(edge)
        for i in edge.labels:
            self.ends[i].append(edge)

    def _drop(self, edge: _Edge) -> None:
        self.edges.remove(edge)
        for i in edge.labels:
            self.ends[i].remove(edge)

    def _inner(self, label: Label, ends: int) -> bool:
        return not self._needed(label) and len(self.ends[label]) == ends

    def _needed(self, label: Label) -> bool:
        """Tell if a label is an output, or belongs to a factor that nothing reduces."""
        return label in self.out or any(label in f.labels for f in self.kept)

    def _replace(self, old: list[_Edge], e: Expr, labels: Labels, why: str) -> bool:
        for edge in old:
            self._drop(edge)
        self.note(why, e)
        self._put(e, labels)
        return True

    def reduce(self) -> None:
        """Reduce as far as it goes."""
        steps = (self._loop, self._parallel, self._shift, self._pendant, self._series, self._scale)
        while self.coefficient and any(step() for step in steps):
            spend(len(self.edges))

    def remainder(self) -> Term:
        """The rest as a term: scalars, matrices between outputs, and irreducible factors."""
        self.reduce()
        diagonal = [wire(*self.both)] if self.both else []
        factors = [
            *(Factor(s, ()) for s in self.scalars),
            *(Factor(e.expr, e.labels) for e in self.edges),
            *self.kept,
            *diagonal,
        ]
        return Term(self.coefficient, with_ones(factors, self.out))

    def read(self) -> Expr:
        """Reduce as far as it goes, then write down what is left."""
        self.reduce()
        if not self.coefficient:
            return ex.zeros(label_shape(self.out if not self.both else self.out * 2))
        return self._written()

    def _loop(self) -> bool:
        for edge in self.edges:
            if len(edge.labels) == 2 and edge.labels[0] is edge.labels[1]:
                if self._inner(edge.labels[0], 2):
                    return self._replace([edge], ex.call("tr", edge.expr), (), "close the cycle")
                return self._replace(
                    [edge], ex.call("diagonal", edge.expr), edge.labels[:1], "take the diagonal"
                )
        return False

    def _parallel(self) -> bool:
        groups: dict[frozenset[Label], list[_Edge]] = {}
        for edge in self.edges:
            groups.setdefault(frozenset(edge.labels), []).append(edge)
        for labels in sorted(groups, key=len):
            group = groups[labels]
            if len(group) > 1:
                return self._join_vectors(group) if len(labels) == 1 else self._join_matrices(group)
        return False

    def _join_vectors(self, group: list[_Edge]) -> bool:
        label = group[0].labels[0]
        group.sort(key=lambda e: e.expr.order)
        alone = self._inner(label, len(group))
        if alone and len(group) == 2:
            a, b = group
            return self._replace(
                group,
                ex.matmul(ex.transpose(a.expr), b.expr),
                (),
                "both hold the same summed axis, inner product",
            )
        some = group[:-1] if alone else group
        return self._replace(
            some, ex.times(*(e.expr for e in some)), (label,), "same axis, entry by entry"
        )

    def _join_matrices(self, group: list[_Edge]) -> bool:
        i, j = group[0].labels
        group.sort(key=lambda e: e.expr.order)
        if len(group) > 2:
            some = group[:-1]
            return self._replace(
                some, ex.times(*(e.seen_from(i) for e in some)), (i, j), "same axes, entry by entry"
            )
        a, b = (e.seen_from(i) for e in group)
        closed_i, closed_j = self._inner(i, 2), self._inner(j, 2)
        if closed_i and closed_j:
            trace, total = (
                ex.call("tr", ex.matmul(ex.transpose(a), b)),
                ex.call("sum", ex.times(a, b)),
            )
            return self._replace(
                group, min(trace, total, key=lambda e: e.count), (), "close the cycle"
            )
        if closed_j:
            return self._replace(
                group,
                ex.call("diagonal", ex.matmul(a, ex.transpose(b))),
                (i,),
                "product along one axis, diagonal along the other",
            )
        if closed_i:
            return self._replace(
                group,
                ex.call("diagonal", ex.matmul(ex.transpose(a), b)),
                (j,),
                "product along one axis, diagonal along the other",
            )
        return self._replace(group, ex.times(a, b), (i, j), "same axes, entry by entry")

    def _shift(self) -> bool:
        """A vector on one axis of a shift: a convolution by it as a matrix on the other two."""
        for f in self.kept:
            if f.expr.head != "shifts":
                continue
            for i in (1, 2, 0):
                here = self.ends[f.labels[i]]
                if (
                    self._held_by(f, f.labels[i])
                    and len(here) < 2
                    and all(len(e.labels) == 1 for e in here)
                ):
                    return self._convolved(f, i, here)
        return False

    def _held_by(self, f: Factor, label: Label) -> bool:
        """Tell if a summed label belongs to one kept factor, once."""
        return (
            label not in self.out
            and sum(other.labels.count(label) for other in self.kept) == 1
            and f.labels.count(label) == 1
        )

    def _convolved(self, f: Factor, i: int, here: list[_Edge]) -> bool:
        vector = here[0].expr if here else ex.ones(((f.labels[i].size,), UNIT))
        rows, cols = (label for k, label in enumerate(f.labels) if k != i)
        self.kept.remove(f)
        like = ex.ones(((cols.size,), UNIT))
        why = "a vector on an axis of a shift, convolution"
        return self._replace(
            here[:], ex.call("hankel" if i == 0 else "convmat", vector, like), (rows, cols), why
        )

    def _pendant(self) -> bool:
        for edge in self.edges:
            for label in edge.labels:
                if self._inner(label, 1):
                    if len(edge.labels) == 1:
                        return self._replace(
                            [edge],
                            ex.call("sum", edge.expr),
                            (),
                            "nothing else holds the summed axis, sum",
                        )
                    rest = edge.beyond(label)
                    total = ex.matmul(edge.seen_from(rest), ex.ones(((label.size,), UNIT)))
                    return self._replace(
                        [edge], total, (rest,), "nothing else holds the summed axis, times ones"
                    )
        return False

    def _series(self) -> bool:
        for most in (3, 4):  # products with a vector first: they need no order of their own
            for edge in self.edges:
                for label in edge.labels:
                    if self._inner(label, 2):
                        other = self._other(edge, label)
                        if len(edge.labels) + len(other.labels) <= most:
                            return self._multiply(
                                min(edge, other, key=lambda e: len(e.labels)), label
                            )
        return False

    def _other(self, edge: _Edge, label: Label) -> _Edge:
        """The other factor on a label that two factors hold."""
        a, b = self.ends[label]
        return b if a is edge else a

    def _multiply(self, edge: _Edge, label: Label) -> bool:
        """The product along the path that leaves ``edge`` through ``label``, as far as two
        factors hold each axis.
        """
        path = [edge]
        chain = [ex.transpose(edge.seen_from(label))]
        ends: Labels = () if len(edge.labels) == 1 else (edge.beyond(label),)
        while self._inner(label, 2):
            following = self._other(path[-1], label)
            if following in path or (len(following.labels) == 1 and not ends):
                break
            path.append(following)
            chain.append(following.seen_from(label))
            if len(following.labels) == 1:
                return self._replace(path, ex.matmul(*chain), ends, PRODUCT)
            label = following.beyond(label)
            if label in ends:
                break
        product = ex.matmul(*chain)
        return self._replace(
            path, product if ends else ex.transpose(product), (*ends, label), PRODUCT
        )

    def _scale(self) -> bool:
        """A vector on a summed label that two or more matrices need scales the rows of one of
        them.
        """
        for vector in self.edges:
            label = vector.labels[0]
            if len(vector.labels) == 1 and not self._needed(label):
                matrices = [e for e in self.edges if len(e.labels) == 2 and label in e.labels]
                if matrices:
                    m = min(matrices, key=lambda e: e.expr.order)
                    scaled = ex.matmul(ex.call("diag", vector.expr), m.seen_from(label))
                    return self._replace(
                        [vector, m],
                        scaled,
                        (label, m.beyond(label)),
                        "a vector on an axis that others need, scale the rows",
                    )
        return False

    # ---- the end ---------------------------------------------------------------------------------

    def _written(self) -> Expr:
        matrices = [e for e in self.edges if len(e.labels) == 2]
        vectors = {e.labels[0]: e.expr for e in self.edges if len(e.labels) == 1}
        if (
            self.kept
            or len(matrices) > 1
            or any(i not in self.out for e in self.edges for i in e.labels)
        ):
            raise NoMatrixForm(
                "no arrangement in matrix notation fits: the factors' axes form a graph of "
                "treewidth above two"
            )
        factor = ex.times(ex.num(self.coefficient), *self.scalars)
        if self.both:
            (i,) = self.out
            return ex.times(
                factor, ex.call("diag", vectors[i]) if i in vectors else ex.eye((i.size,))
            )
        if not self.out:
            return factor
        sides = [vectors.get(i) for i in self.out]
        if len(self.out) == 1:
            return ex.times(
                factor, sides[0] if sides[0] is not None else ex.ones(label_shape(self.out))
            )
        left, right = sides
        i, j = self.out
        if not matrices:
            a = left if left is not None else ex.ones(((i.size,), UNIT))
            b = right if right is not None else ex.ones(((j.size,), UNIT))
            return ex.times(factor, ex.matmul(a, ex.transpose(b)))
        m = matrices[0].seen_from(i)
        if left is not None and right is not None:
            m = ex.times(ex.matmul(left, ex.transpose(right)), m)
        elif left is not None:
            m = ex.matmul(ex.call("diag", left), m)
        elif right is not None:
            m = ex.matmul(m, ex.call("diag", right))
        return ex.times(factor, m)
