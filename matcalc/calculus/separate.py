"""Sums over samples: one pass over an expression proves, from its labels, how it falls apart into
blocks of rows.

One size, such as the m of ``X: m×n; y: m``, counts the samples. Every node of an expression is one
of five things:

* *free*: no sample in it; the weights, a penalty, the number m itself;
* *rows*: one axis of samples, and what stands there for a sample needs that sample alone: ``X*w -
  y``, ``softmax_rows(X*W)``;
* *sum*: no axis of samples, and the value for all samples is the sum of its values for the blocks:
  ``X'*(X*w - y)``;
* *after*: no axis of samples, and a function of sums: ``norm2(X*w - y)``, a sum plus a penalty,
  ``logdet(X'*X)``;
* *square*: two axes of samples, as in ``X*X'``, or in ``diag(v)``, whose two axes are one label.

The proof of a product is its bag: opened as deep as it goes, all its axes of samples must be *one*
label. If that label is an output the product is rows, if it is summed the product is a sum.
Functions are rows if each link of their differential carries the label. Whatever is none of these
is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from .. import expr as ex
from ..errors import NotSeparable
from ..expr import Expr
from ..expr.sizes import base_atoms, show_shape
from ..labels.bag import Factor, Label, Labels, Term, fresh, is_one, is_wire, joined_by, joined_to
from ..labels.differentials import links
from ..labels.meaning import meaning, opened
from ..labels.roots import Root, written_out
from ..language.elaborate import template
from ..tables.functions import BY_NAME, EACH_ROW, ROWS

WHOLE = 10**9  # products are opened whatever their size
SHOWN = 80  # characters of an expression that is refused
Kind = Enum("Kind", "FREE ROWS SUM AFTER SQUARE")
SMALL = frozenset({Kind.FREE, Kind.SUM, Kind.AFTER})
# of one argument and no larger than it
LINEAR = frozenset({"T"}) | {
    row.name for row in ROWS if row.structural and row.transpose == "invariant"
}
ONE_PASS = "only a sum over {rows} of what each sample gives by itself is found in one pass"


@dataclass(frozen=True)
class Separated:
    """Expressions as blocks see them.

    ``sums`` are to be evaluated on each block and added up; ``after`` are the results without
    samples, in terms of the variables ``totals`` for the sums; ``rows`` are the results that each
    block has for itself. Where the number of all samples is used as a number, it is the variable
    ``count``.
    """

    sums: tuple[Expr, ...]
    totals: tuple[Expr, ...]
    after: Mapping[int, Expr]  # by the place among the roots
    rows: Mapping[int, Expr]
    count: Expr
    chunked: tuple[Expr, ...]  # the variables with an axis of samples
    free: tuple[Expr, ...]


def separate(roots: Sequence[Root], rows: str) -> Separated:
    """The parts into which expressions fall over the size ``rows``.

    Raises NotSeparable, which names the part that does not.

    >>> from matcalc.language.typed import typed
    >>> found = separate([typed("norm2(X*w - y)^2/m + c*w'*w", "X: m×n; c: scalar").expr], "m")
    >>> [str(e) for e in found.sums], str(found.after[0])
    (['sum((X*w - y).^2)/count'], "c*(w'*w) + total")
    """
    exprs = _over_sums([_matrix_form(root) for root in roots], rows)
    found = _Separation(rows, exprs)
    kinds = [found.of_root(e) for e in exprs]
    after = {
        i: found.whole(e)
        for i, (e, kind) in enumerate(zip(exprs, kinds, strict=True))
        if kind in SMALL
    }
    local = {
        i: e for i, (e, kind) in enumerate(zip(exprs, kinds, strict=True)) if kind is Kind.ROWS
    }
    return found.counted(after, local)


def _matrix_form(root: Root) -> Expr:
    if not isinstance(root, Expr):
        raise NotSeparable(
            f"{str(root)[:60]} is an index form", "only a matrix is added up over the rows"
        )
    e = written_out(root)
    assert isinstance(e, Expr)
    return e


def _shown(e: Expr) -> str:
    shown = str(e)
    return shown if len(shown) <= SHOWN else f"{shown[: SHOWN - 1]}…"


def _hint(head: str) -> str:
    """What to write instead of a function that takes all samples together; "" for none."""
    if head == "part":
        return "every sample must be treated alike, wherever it stands"
    row = BY_NAME.get(head)
    if row is None or row.elementwise:
        return ""
    if row.vector:
        return "softmax_rows and logsumexp_rows take each row by itself"
    if row.each_row:
        return f"a largest entry is no sum; {row.each_row} is a smooth one in each row"
    if row.name in EACH_ROW:
        return "the samples must be the rows of its argument, not the columns"
    moves_entries = row.structural or row.cost == "0"
    makes_one_axis_of_two = "(" in row.signature
    if moves_entries and not makes_one_axis_of_two:
        return ""
    return "use it on what has no axis of length {rows}, such as X'*X"


def _over_sums(exprs: Sequence[Expr], rows: str) -> list[Expr]:
    """Norms over the samples as functions of sums."""
    new: dict[Expr, Expr] = {}
    for e in ex.postorder(*exprs):
        args = tuple(new[a] for a in e.args)
        if _is_norm(e) and any(rows in size for size in e.args[0].shape_):
            row = BY_NAME[e.head]
            new[e] = template(row.exact, row.named(args))
        else:
            new[e] = e if args == e.args else ex.rebuild(e, args)
    return [new[e] for e in exprs]


def _is_norm(e: Expr) -> bool:
    """Whether a node is a norm of all entries that is defined by a sum over them."""
    row = BY_NAME.get(e.head)
    return row is not None and row.norm and not row.elementwise and bool(row.exact)


class _Separation:
    """The kinds of the nodes of some expressions.

    Results of the kind *after* are rewritten in variables for the sums.
    """

    def __init__(self, rows: str, exprs: Sequence[Expr]) -> None:
        self.rows = rows
        self.kinds: dict[Expr, Kind] = {}
        self.rewritten: dict[Expr, Expr] = {}
        self.sums: dict[Expr, Expr] = {}
        nodes = ex.postorder(*exprs)
        self.taken = {v.name for v in ex.variables(*exprs)} | {
            str(a) for size in ex.sizes_of(nodes) for a in base_atoms(size)
        }
        variables = sorted(ex.variables(*exprs), key=lambda v: v.name)
        self.chunked = tuple(v for v in variables if self._samples(v))
        self.free = tuple(v for v in variables if not self._samples(v))

    def _samples(self, e: Expr) -> int:
        """The number of axes that are samples."""
        for size in e.shape_:
            if self.rows in base_atoms(size) and (
                self.rows not in size or len(size) > 1 or e.head == "part"
            ):
                raise self.refused(e, f"is {show_shape(e.shape_)}")
        return sum(self.rows in size for size in e.shape_)

    def refused(self, e: Expr, why: str) -> NotSeparable:
        """The refusal of an expression, or of the function of all samples that is a factor of
        it.
        """
        for a in e.args:
            if self.kinds.get(a) is Kind.SQUARE and _hint(a.head):
                e = a
                break
        hint = _hint(e.head) or ONE_PASS
        return NotSeparable(f"{_shown(e)} {why}", hint.format(rows=self.rows))

    def fresh(self, wish: str) -> str:
        name = next(
            n
            for n in (wish, *(f"{wish}{i}" for i in range(2, len(self.taken) + 3)))
            if n not in self.taken
        )
        self.taken.add(name)
        return name

    def counted(self, after: Mapping[int, Expr], local: Mapping[int, Expr]) -> Separated:
        """The length of the samples' axis is that of a block.

        As a number it is that of all blocks.
        """
        count = ex.var(self.fresh("count"))
        everything = [*self.sums, *after.values(), *local.values()]
        new = ex.substitute_all(
            everything,
            lambda leaf: count if leaf.head == "size" and leaf.data == self.rows else leaf,
        )
        ends, each = ({i: new[e] for i, e in found.items()} for found in (after, local))
        return Separated(
            tuple(new[e] for e in self.sums),
            tuple(self.sums.values()),
            ends,
            each,
            count,
            self.chunked,
            self.free,
        )

    # ---- kinds -----------------------------------------------------------------------------------

    def of_root(self, e: Expr) -> Kind:
        kind = self(e)
        if kind is Kind.SQUARE:
            raise self.refused(e, f"is {show_shape(e.shape_)}: every sample with every other")
        return kind

    def __call__(self, e: Expr) -> Kind:
        for node in ex.postorder(e, skip=self.kinds.__contains__):
            self.kinds[node] = self._kind(node)
        return self.kinds[e]

    def _kind(self, e: Expr) -> Kind:
        samples, below = self._samples(e), {self.kinds[a] for a in e.args}
        if not e.args:
            return (Kind.FREE, Kind.ROWS, Kind.SQUARE)[samples]
        if not samples and below <= SMALL:
            return self._small(e)
        if samples == 2:
            return Kind.SQUARE
        kind = self._by_labels(e)
        if kind is not None:
            return kind
        return self._refuse_rows(e) if samples else self._cut(e)

    def _by_labels(self, e: Expr) -> Kind | None:
        """The kind that all terms of a sum of products have, or that of a function."""
        out = fresh(e.shape_)
        terms = meaning(e, out)
        if terms is None:
            return self._function(e, out)
        kinds = {self._bag(t, out) for t in terms}
        return kinds.pop() if len(kinds) == 1 else None

    def _bag(self, t: Term, out: Labels) -> Kind | None:
        """A product with one label for samples is rows or a sum, whatever its order."""
        factors = opened(t.factors, WHOLE).factors
        joined = joined_by(factors)
        if not all(map(self._is_plain, factors)):
            return None
        inside = [i for f in factors for i in f.labels]
        samples = {joined_to(joined, i) for i in (*out, *inside) if i.size == self.rows}
        if len(samples) != 1:
            return None
        return Kind.ROWS if samples <= {joined_to(joined, i) for i in out} else Kind.SUM

    def _is_plain(self, f: Factor) -> bool:
        """Whether a factor needs no other sample than that of its labels."""
        return is_one(f) or is_wire(f) or self(f.expr) in (Kind.FREE, Kind.ROWS)

    def _function(self, e: Expr, out: Labels) -> Kind | None:
        """A function is rows if an entry of the result changes only with the same sample of the
        argument.
        """
        if not {self.kinds[a] for a in e.args} <= {Kind.FREE, Kind.ROWS}:
            return None
        if e.head == "pow" or BY_NAME[e.head].elementwise:
            return Kind.ROWS
        own = self._sample_labels(out)
        if not own:
            return None
        differential = [*(links(e, out, set(e.args)) or ())]
        carried = all(self._sample_labels(link.labels) == own for link in differential)
        return Kind.ROWS if differential and carried else None

    def _sample_labels(self, labels: Labels) -> set[Label]:
        return {i for i in labels if i.size == self.rows}

    def _small(self, e: Expr) -> Kind:
        """An operation on what has no samples: linear in one sum, or a function of sums."""
        kinds = [self.kinds[a] for a in e.args]
        if set(kinds) == {Kind.FREE}:
            return Kind.FREE
        if Kind.SUM in kinds and self._is_linear(e, kinds):
            return Kind.SUM
        args = e.args
        if e.head == "add" and kinds.count(Kind.SUM) > 1:
            args = self._added_together(e, kinds)
        self.rewritten[e] = ex.rebuild(e, tuple(map(self.whole, args)))
        return Kind.AFTER

    def _is_linear(self, e: Expr, kinds: list[Kind]) -> bool:
        """Whether a node of sums is the sum of its values for the blocks."""
        if e.head == "add":
            return set(kinds) == {Kind.SUM}
        if e.head == "times":
            return kinds.count(Kind.SUM) == 1 and Kind.AFTER not in kinds
        return e.head in LINEAR

    def _added_together(self, e: Expr, kinds: list[Kind]) -> tuple[Expr, ...]:
        """The terms of a sum, of which those that are sums over samples are one."""
        pairs = list(zip(e.args, kinds, strict=True))
        together = ex.add(*(a for a, kind in pairs if kind is Kind.SUM))
        self.kinds[together] = Kind.SUM
        return together, *(a for a, kind in pairs if kind is not Kind.SUM)

    def whole(self, e: Expr) -> Expr:
        """An expression without samples, in the sums."""
        if self.kinds[e] is not Kind.SUM:
            return self.rewritten.get(e, e)
        if (flipped := self.sums.get(ex.transpose(e))) is not None:
            return ex.transpose(flipped)
        if e not in self.sums:
            self.sums[e] = ex.var(self.fresh("total"), e.shape_)
        return self.sums[e]

    # ---- products of sums, and what is refused ---------------------------------------------------

    def _cut(self, e: Expr) -> Kind:
        """A product of sums: each is found by itself, and they meet afterwards."""
        new = _CUTS[e.head](self, e) if e.head in _CUTS else None
        if new is None:
            raise self.refused(e, "takes all samples together")
        self.rewritten[e] = new
        return Kind.AFTER

    def _refuse_rows(self, e: Expr) -> Kind:
        sums = [a for a in e.args if self.kinds[a] in (Kind.SUM, Kind.AFTER)]
        if sums:
            hint = "that takes a second pass; compute the sum first and give it as a variable"
            raise NotSeparable(
                f"{_shown(e)} needs {_shown(sums[0])}, a sum over {self.rows}, in every row", hint
            )
        raise self.refused(e, "mixes the samples")

    def product(self, e: Expr) -> Expr | None:
        """A matrix product, cut where no axis of samples is."""
        parts: list[list[Expr]] = [[]]
        for a in e.args:
            if parts[-1] and self.rows not in a.shape_[0]:
                parts.append([])
            parts[-1].append(a)
        return ex.matmul(*map(self._from_sums, parts)) if len(parts) > 1 else None

    def _from_sums(self, chain: list[Expr]) -> Expr:
        """A product of a chain as an expression in the sums."""
        part = ex.matmul(*chain)
        self.of_root(part)
        return self.whole(part)

    def trace(self, e: Expr) -> Expr | None:
        """The trace of a product, begun where no axis of samples is."""
        chain = e.args[0].args if e.args[0].head == "matmul" else ()
        start = next((i for i, a in enumerate(chain) if self.rows not in a.shape_[0]), None)
        return (
            None
            if start is None
            else ex.call("tr", self._from_sums([*chain[start:], *chain[:start]]))
        )


_CUTS: dict[str, Callable[[_Separation, Expr], Expr | None]] = {
    "matmul": _Separation.product,
    "tr": _Separation.trace,
}
