"""The plan: expressions as steps, in the order that costs least, every common part once.

Products with a vector at an end go from that end; a sum of matrices meets a vector term by term; an inverse is a solve, and
one factorization serves inv, det and logdet; the trace of a product is a sum of products of entries; diagonal matrices scale;
ones are never built. What stays open is only what the sizes decide: a ``choose`` step lists the orders that can win.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from .. import expr as ex
from ..expr import Expr, postorder, split
from ..functions import BY_NAME
from ..index import IndexForm, subscripts
from ..labels import Factor, Term
from ..sizes import UNIT
from .facts import definite, nonnegative, stable, symmetric
from .order import Item, Tree, ends, orders, typical_cost
from .settle import settled
from .steps import Axes, Step, Steps

Root = Expr | IndexForm
LONGEST_SHARED = 12  # factors of a product that is searched for common parts
SPREAD = 4  # terms of a sum of matrices that a vector meets one by one


@dataclass(frozen=True)
class Plan:
    """The steps of one function; its results are ``roots``."""

    roots: tuple[Step, ...]
    exprs: tuple[Root, ...]
    variables: tuple[Expr, ...]
    known: tuple[Expr, ...] = ()  # variables that may show a size that the others do not


def plan(roots: Sequence[Root], known: Iterable[Expr] = ()) -> Plan:
    """The steps that compute expressions and index forms together; ``known`` variables may show sizes."""
    parts = [p for r in roots for p in ((r,) if isinstance(r, Expr) else r.factors)]
    used = sorted(ex.variables(*parts), key=lambda v: v.name)
    planner = Planner(parts)
    found = tuple(planner(r) if isinstance(r, Expr) else planner.form(r) for r in roots)
    return Plan(settled(planner.steps, found), tuple(roots), tuple(used), tuple(v for v in known if v not in used))


def axes_of(e: Expr) -> Axes:
    return tuple(size for size in e.shape_ if size)


def _is_outer(e: Expr) -> int:
    """Where a product is cut into a column and a row; 0 if nowhere."""
    return next((i for i in range(1, len(e.args)) if e.args[i].shape_[0] == UNIT), 0) if e.head == "matmul" else 0


class Planner:
    """Turns expressions into steps, from the leaves up."""

    def __init__(self, roots: Sequence[Expr]) -> None:
        self.steps = Steps()
        self.found: dict[Expr, Step] = {}
        self.products: dict[tuple[Expr, ...], Step] = {}
        order = postorder(*roots)
        self.kept = set(roots) | {a for e in order if e.head not in ("matmul", "T") for a in e.args}
        self.stretches = _stretches(order)
        for e in order:
            self(e)

    def __call__(self, e: Expr) -> Step:
        step = self.found.get(e)
        if step is None:
            better = stable(e)
            step = self._lowered(e) if better is e else self(better)
            self.found[e] = step
        return step

    def _lowered(self, e: Expr) -> Step:
        special = _SPECIAL.get(e.head)
        if special is not None:
            return special(self, e)
        if e.head in BY_NAME:
            return self.steps.fn(BY_NAME[e.head].name, *map(self, e.args), axes=axes_of(e))
        return self.steps.make(e.head, data=e.shape_[0] if e.head == "commutation" else None, axes=axes_of(e))

    # ---- sums and products of entries -----------------------------------------------------------------------------------

    def loose(self, e: Expr) -> Step:
        """A step that broadcasts to the expression: a number for ones, a vector for a matrix of equal rows or columns."""
        if e.head == "ones":
            return self.steps.num(1)
        if e.head == "times":
            return self._times(e, whole=False)
        cut = _is_outer(e)
        if cut and e.args[0].head == "ones" and cut == 1:
            return self._product(e.args[1:])
        if cut and e.args[-1].head == "ones" and cut == len(e.args) - 1:
            return self.steps.col(self._product(e.args[:-1]))
        return self(e)

    def _whole(self, step: Step, e: Expr) -> Step:
        """The step with all axes of the expression."""
        axes = axes_of(e)
        return step if step.axes == axes else self.steps.make("fill", step, axes=axes)

    def add(self, e: Expr) -> Step:
        """Multiples of the identity and diagonal matrices are added to the diagonal alone."""
        plain: list[tuple[Fraction, Step]] = []
        shifts: list[tuple[Fraction, Step]] = []
        for k, core in map(split, e.args):
            scale, body = _scalars(core)
            if body.head in ("eye", "diag"):
                shifts.append((k, self.steps.mul(1, (*map(self, scale), *([self(body.args[0])] if body.args else [])))))
            else:
                plain.append((k, self.loose(core)) if abs(k) == 1 or core.head != "times" else (k / abs(k), self.loose(ex.scaled(abs(k), core))))
        if not plain:
            return self.steps.make("diag", self._filled(self.steps.add(shifts), axes_of(e)[:1]), axes=axes_of(e))
        total = self._whole(self.steps.add(plain), e)
        return self.steps.make("shift", total, self.steps.add(shifts), axes=total.axes) if shifts else total

    def _filled(self, step: Step, axes: Axes) -> Step:
        return step if step.axes == axes else self.steps.make("fill", step, axes=axes)

    def times(self, e: Expr) -> Step:
        return self._times(e, whole=True)

    def _times(self, e: Expr, whole: bool) -> Step:
        k, _ = split(e)
        arrays = [a for a in e.args if not a.is_scalar]
        if any(a.head in ("eye", "diag") for a in arrays):
            return self._diagonal_product(e, arrays)
        if len(arrays) == 1 and (cut := _is_outer(arrays[0])) and whole and arrays[0].args[0].head != "ones" != arrays[0].args[-1].head:
            return self._scaled_outer(e, arrays[0], cut)
        above, below = self._fraction([a for a in e.args if a.head != "num"])
        step = self.steps.mul(k, above, below)
        return self._whole(step, e) if whole else step

    def _fraction(self, factors: Iterable[Expr]) -> tuple[list[Step], list[Step]]:
        """Numerators and denominators; an outer product is a column and a row."""
        above: list[Step] = []
        below: list[Step] = []
        for a in factors:
            cut = _is_outer(a)
            if a.head == "pow" and a.args[1].head == "num" and a.args[1].value < 0:
                below.append(self.power(a.args[0], -a.args[1].value))
            elif cut:
                above += (self.steps.col(self._product(a.args[:cut])), self._product(a.args[cut:]))
            else:
                above.append(self.loose(a))
        return [a for a in above if a.op != "ones"], below

    def _scaled_outer(self, e: Expr, product: Expr, cut: int) -> Step:
        """The scalars go to the column, which is smaller than the product."""
        above, below = self._fraction([a for a in e.args if a.is_scalar and a.head != "num"])
        left, right = self._product(product.args[:cut]), self._product(product.args[cut:])
        return self.steps.outer(self.steps.mul(split(e)[0], (*above, left), below), right)

    def _diagonal_product(self, e: Expr, arrays: list[Expr]) -> Step:
        """A diagonal matrix times anything, entry by entry, is diagonal."""
        entries = [self(ex.call("diagonal", a)) for a in arrays if a.head != "eye"]
        scalars = [self(a) for a in e.args if a.is_scalar]
        vector = self._filled(self.steps.mul(1, (*scalars, *entries)), axes_of(e)[:1])
        return self.steps.make("diag", vector, axes=axes_of(e))

    def pow(self, e: Expr) -> Step:
        base, exponent = e.args
        if exponent.head != "num":
            return self.steps.make("power", self.loose(base), self.loose(exponent), axes=axes_of(e))
        if exponent.value < 0:
            return self.steps.mul(1, (), (self.power(base, -exponent.value),))
        return self.power(base, exponent.value)

    def power(self, base: Expr, k: Fraction) -> Step:
        """Small powers by multiplication; the squared norm is a product of a vector with itself."""
        if base.head == "norm2" and k % 2 == 0:
            x = self(base.args[0])
            return self._power(self.steps.vdot(x, x), k / 2)
        return self._power(self(base), k)

    def _power(self, x: Step, k: Fraction) -> Step:
        if k == 1:
            return x
        if k in (3, 4):
            square = self.steps.make("pow", x, data=Fraction(2), axes=x.axes)
            return self.steps.mul(1, (square, x)) if k == 3 else self.steps.make("pow", square, data=Fraction(2), axes=x.axes)
        return self.steps.make("pow", x, data=k, axes=x.axes)

    def kron(self, e: Expr) -> Step:
        """Vectors are 1-D arrays: a column beside a matrix is shown as one, and two vectors are an outer product."""
        a, b = map(self, e.args)
        if len(a.axes) == len(b.axes) == 1:
            if (e.args[0].shape_[0] == UNIT) != (e.args[1].shape_[0] == UNIT):
                return self.steps.outer(*((b, a) if e.args[0].shape_[0] == UNIT else (a, b)))
            return self.steps.make("reshape", self.steps.outer(a, b), axes=axes_of(e))
        if not a.axes or not b.axes:
            return self.steps.mul(1, (a, b))
        args = (self.steps.col(x) if arg.shape_[1] == UNIT else x for x, arg in zip((a, b), e.args, strict=True))
        return self.steps.fn("kron", *args, axes=axes_of(e))

    # ---- matrix products ------------------------------------------------------------------------------------------------

    def matmul(self, e: Expr) -> Step:
        return self._whole(self.loose(e), e) if "ones" in (e.args[0].head, e.args[-1].head) and _is_outer(e) else self._product(e.args)

    def _product(self, chain: Sequence[Expr]) -> Step:
        """A product in matrix notation: cut where a column meets a row, from a vector at an end, else in the best order."""
        if len(chain) == 1:
            return self(chain[0])
        cut = next((i for i in range(1, len(chain)) if chain[i].shape_[0] == UNIT), 0)
        if cut:
            return self.steps.outer(self._product(chain[:cut]), self._product(chain[cut:]))
        left, right = chain[0].shape_[0] == UNIT, chain[-1].shape_[1] == UNIT
        if not left and not right:
            return self._best(chain)
        if left and (not right or self._prefers_left(chain)):
            return self._applied(list(map(ex.transpose, chain[1:])), self._vector(chain[0]))
        return self._applied(list(reversed(chain[:-1])), self._vector(chain[-1]))

    def _prefers_left(self, chain: Sequence[Expr]) -> bool:
        """Whether the other products of the function contain the left end rather than the right one."""
        half = max(2, len(chain) - 1)
        return self.stretches[_key(chain[:half])] > self.stretches[_key(chain[-half:])]

    def _vector(self, v: Expr) -> Step:
        return self.steps.make("ones", axes=axes_of(v)) if v.head == "ones" else self(v)

    def _applied(self, operators: Iterable[Expr], v: Step) -> Step:
        for a in operators:
            v = self._apply(a, v)
        return self.steps.num(1) if v.op == "ones" else v

    def _apply(self, a: Expr, v: Step) -> Step:
        """A matrix (or a row) times a vector, by the structure of the matrix."""
        inner, flipped = (a.args[0], True) if a.head == "T" else (a, False)
        if a.head == "add" and self._meets_terms(a):
            return self._sum_applied(a, v)
        if v.op == "ones":
            return self._summed(a, v)
        if inner.head == "diag":
            return self.steps.mul(1, (self(inner.args[0]), v))
        if inner.head == "eye" or (v.is_scalar and not a.is_scalar):
            return v if inner.head == "eye" else self.steps.mul(1, (v, self(a)))
        if inner.head == "inv":
            return self._solve(inner.args[0], v, flipped)
        if inner.head == "matmul":
            return self._applied(reversed(inner.args if not flipped else ex.transpose(inner).args), v)
        return self.steps.dot(self(a), v)

    def _summed(self, a: Expr, v: Step) -> Step:
        """A matrix times ones is its row sums."""
        if a.head in ("diag", "eye"):
            return self._filled(self(a.args[0]), axes_of(a)[:1]) if a.args else v
        if _kind(a) == "inv":
            return self._solve(a.args[0] if a.head == "inv" else a.args[0].args[0], v, a.head == "T")
        if a.head == "matmul":
            return self._applied(reversed(a.args), v)
        x = self(a)
        return self.steps.make("sum", x) if len(x.axes) < 2 else self.steps.row_sums(x)

    def _meets_terms(self, a: Expr) -> bool:
        """Whether a vector should meet the terms of a sum one by one: nothing else needs the sum, and none is work by entries."""
        return a not in self.kept and UNIT not in a.shape_ and len(a.args) <= SPREAD and all(_cheap(_scalars(t)[1], a) for t in a.args)

    def _sum_applied(self, a: Expr, v: Step) -> Step:
        terms = []
        for k, core in map(split, a.args):
            scale, body = _scalars(core)
            chain = body.args if body.head == "matmul" else (body,)
            applied = self._applied(reversed(chain), v)
            terms.append((k, self.steps.mul(1, (*map(self, scale), applied))))
        return self._filled(self.steps.add(terms), axes_of(a)[:1])

    def _best(self, chain: Sequence[Expr]) -> Step:
        """A product of matrices in the order that costs least, or the orders that can."""
        if (d := _mirrored_root(chain)) is not None:
            half = self.steps.mul(1, (self.steps.col(self._power(self(d), Fraction(1, 2))), self(chain[2])))
            return self.steps.dot(self.steps.transpose(half), half)
        chain = tuple(chain)
        flipped = self.products.get(tuple(ex.transpose(a) for a in reversed(chain)))
        if chain not in self.products:
            self.products[chain] = self._ordered(chain) if flipped is None else self.steps.transpose(flipped)
        return self.products[chain]

    def _ordered(self, chain: Sequence[Expr]) -> Step:
        items = [_item(e) for e in chain]
        trees = orders(items, lambda i, j: max(1, self.stretches[_key(chain[i:j])]) if j - i < len(chain) else 1)
        found = [self._pair(tree, chain) for tree in trees]
        if len(found) == 1:
            return found[0]
        return self.steps.make("choose", *found, data=(tuple(trees), tuple(items)), axes=found[0].axes)

    def _joined(self, tree: Tree, chain: Sequence[Expr]) -> Step:
        """A part of a product; what other products have too is planned on its own."""
        if isinstance(tree, int):
            return self(chain[tree])
        part = chain[slice(*ends(tree))]
        return self._best(part) if self.stretches[_key(part)] > 1 else self._pair(tree, chain)

    def _pair(self, tree: Tree, chain: Sequence[Expr]) -> Step:
        left, right = tree
        if isinstance(left, int) and _kind(chain[left]) != "dense":
            return self._scaled(chain[left], self._joined(right, chain), False)
        if isinstance(right, int) and _kind(chain[right]) != "dense":
            return self._scaled(chain[right], self._joined(left, chain), True)
        return self.steps.dot(self._joined(left, chain), self._joined(right, chain))

    def _scaled(self, a: Expr, x: Step, right: bool) -> Step:
        """A diagonal matrix, or an inverse, times a matrix from the left or the right."""
        inner, flipped = (a.args[0], True) if a.head == "T" else (a, False)
        if inner.head == "diag":
            v = self(inner.args[0])
            return self.steps.mul(1, (x, v if right else self.steps.col(v)))
        if right:
            return self.steps.transpose(self._solve(inner.args[0], self.steps.transpose(x), not flipped))
        return self._solve(inner.args[0], x, flipped)

    # ---- inverses -------------------------------------------------------------------------------------------------------

    def factor(self, a: Expr) -> Step:
        kind = "chol" if definite(a) == 2 else "symmetric" if symmetric(a) else "lu"
        return self.steps.make("factor", self(a), data=kind, axes=axes_of(a))

    def _solve(self, a: Expr, b: Step, flipped: bool) -> Step:
        factor = self.factor(a)
        return self.steps.make("solve", factor, b, data=flipped and factor.data == "lu", axes=b.axes)

    def inv(self, e: Expr) -> Step:
        return self.steps.make("inverse", self.factor(e.args[0]), axes=axes_of(e))

    def det(self, e: Expr) -> Step:
        return self.steps.make(e.head, self.factor(e.args[0]))

    # ---- traces, diagonals, sums ----------------------------------------------------------------------------------------

    def tr(self, e: Expr) -> Step:
        x = e.args[0]
        if x.head != "matmul":
            return self.steps.make("trace", self(x))
        left, right = self._halves(x.args, cyclic=True)
        if len(right) == 1 and _kind(right[0]) == "diag":
            left, right = right, left
        if len(left) == 1 and _kind(left[0]) == "diag":
            return self.steps.dot(self(ex.call("diagonal", left[0])), self(ex.call("diagonal", ex.matmul(*right))))
        return self.steps.vdot(self._product(left), self.steps.transpose(self._product(right)))

    def diagonal(self, e: Expr) -> Step:
        x = e.args[0]
        if x.head != "matmul":
            return self.steps.make("diagonal", self(x), axes=axes_of(e))
        if cut := _is_outer(x):
            return self.steps.mul(1, (self._product(x.args[:cut]), self._product(x.args[cut:])))
        left, right = self._halves(x.args, cyclic=False)
        return self.steps.rowdot(self._product(left), self.steps.transpose(self._product(right)))

    def _halves(self, chain: tuple[Expr, ...], cyclic: bool) -> tuple[tuple[Expr, ...], tuple[Expr, ...]]:
        """The two parts whose entries are multiplied: the best of all cuts, and of all places to begin."""
        turns = [chain[i:] + chain[:i] for i in range(len(chain))] if cyclic and len(chain) < 8 else [chain]
        cuts = [(turn[:k], turn[k:]) for turn in turns for k in range(1, len(turn))]
        if len(chain) == 2:
            return cuts[0]
        return min(cuts, key=lambda cut: typical_cost([([_item(e) for e in part], self.stretches[_key(part)]) for part in cut]))

    def sum(self, e: Expr) -> Step:
        x = e.args[0]
        if x.head == "matmul" and not _is_outer(x):
            ones = ex.ones((x.shape_[1], UNIT))
            row = self._applied([ex.transpose(x.args[0])], self._vector(ex.ones((x.shape_[0], UNIT))))
            return self.steps.dot(row, self._applied(reversed(x.args[1:]), self._vector(ones)))
        if x.head == "pow" and x.args[1] is ex.num(2):
            return self.steps.vdot(self(x.args[0]), self(x.args[0]))
        if x.head == "times" and len(x.args) > 1 and all(a.head not in ("eye", "diag", "ones", "matmul", "pow") for a in x.args):
            last = self(x.args[-1])
            return self.steps.vdot(self.steps.mul(1, [self(a) for a in x.args[:-1]]), last)
        return self.steps.make("sum", self(x))

    def norm2(self, e: Expr) -> Step:
        x = self(e.args[0])
        return self.steps.make("pow", self.steps.vdot(x, x), data=Fraction(1, 2))

    # ---- index forms ----------------------------------------------------------------------------------------------------

    def form(self, form: IndexForm) -> Step:
        """An index form as a sum of einsums."""
        axes = form.axes
        if not form.bag.terms:
            return self.steps.make("zeros", data=axes, axes=axes)
        flat = tuple((i.size,) for i in form.bag.out)
        total = self.steps.add([(t.coefficient, self._einsum(form, t, flat)) for t in form.bag.terms])
        return total if flat == axes else self.steps.make("reshape", total, axes=axes)

    def _einsum(self, form: IndexForm, t: Term, axes: Axes) -> Step:
        arrays = [self._array(f) for f in t.factors if f.labels]
        scalars = [self(f.expr) for f in t.factors if not f.labels]
        return self.steps.mul(1, (*scalars, self.steps.make("einsum", *arrays, data=subscripts(form, t), axes=axes)))

    def _array(self, f: Factor) -> Step:
        """A factor with one axis for each label."""
        step, axes = self(f.expr), tuple((i.size,) for i in f.labels)
        return step if step.axes == axes else self.steps.make("reshape", step, axes=axes)


def _kind(e: Expr) -> str:
    inner = e.args[0] if e.head == "T" else e
    return {"diag": "diag", "inv": "inv"}.get(inner.head, "dense")


def _item(e: Expr) -> Item:
    return Item(*e.shape_, _kind(e))


def _scalars(core: Expr) -> tuple[tuple[Expr, ...], Expr]:
    """The scalar factors of a term, and the rest."""
    if core.head != "times" or sum(not a.is_scalar for a in core.args) != 1:
        return (), core
    return core.args[:-1], core.args[-1]


def _cheap(body: Expr, total: Expr) -> bool:
    """Whether a term times a vector costs no more than the term itself does."""
    if body.shape_ != total.shape_ or body.is_scalar:
        return False
    inner = body.args[0] if body.head == "T" else body
    return inner.head in ("var", "eye", "diag", "inv") or (inner.head == "matmul" and all(a.head != "ones" for a in inner.args))


def _mirrored_root(chain: Sequence[Expr]) -> Expr | None:
    """The d of Y'*diag(d)*Y with d ≥ 0, which is Z'*Z: a symmetric product takes half the time."""
    if len(chain) != 3 or chain[1].head != "diag" or ex.transpose(chain[0]) is not chain[2] or _kind(chain[2]) != "dense":
        return None
    return chain[1].args[0] if nonnegative(chain[1].args[0]) else None


def _key(chain: Sequence[Expr]) -> tuple[Expr, ...]:
    """One name for a stretch of factors and for its transpose."""
    flipped = tuple(ex.transpose(a) for a in reversed(chain))
    return min(tuple(chain), flipped, key=lambda c: [e.order for e in c])


def _stretches(order: Sequence[Expr]) -> Counter[tuple[Expr, ...]]:
    """How often each stretch of factors occurs among the products of a function, or its transpose; a trace has no ends."""
    found: Counter[tuple[Expr, ...]] = Counter()
    turned = {e.args[0] for e in order if e.head == "tr"}
    for e in order:
        n = len(e.args)
        if e.head == "matmul" and n <= LONGEST_SHARED:
            chain, starts = (e.args * 2, n) if e in turned else (e.args, n - 1)
            found.update({_key(chain[i:j]) for i in range(starts) for j in range(i + 2, min(i + n, len(chain)) + 1)})
    return found


_SPECIAL: dict[str, Callable[[Planner, Expr], Step]] = {
    "add": Planner.add, "times": Planner.times, "pow": Planner.pow, "matmul": Planner.matmul, "inv": Planner.inv, "det": Planner.det,
    "logdet": Planner.det, "tr": Planner.tr, "diagonal": Planner.diagonal, "sum": Planner.sum, "norm2": Planner.norm2, "kron": Planner.kron,
    "T": lambda p, e: p.steps.transpose(p(e.args[0])),
    "var": lambda p, e: p.steps.make("arg", data=e, axes=axes_of(e)),
    "num": lambda p, e: p.steps.num(e.value),
    "size": lambda p, e: p.steps.make("size", data=e.atom),
    "diag": lambda p, e: p.steps.make("diag", p(e.args[0]), axes=axes_of(e)),
}  # fmt: skip
