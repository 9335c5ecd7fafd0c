"""Products of matrices, and what is made of them: inverses, traces, diagonals and sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction

from ... import expr as ex
from ...expr import Expr, postorder, split
from ...expr.parts import range_of, takes_rows
from ...expr.sizes import UNIT
from .order import Item, Tree, ends, orders, typical_cost
from .proven import definite, nonnegative, symmetric
from .steps import Axes, Step, Steps

LONGEST_SHARED = 12  # factors of a product that is searched for common parts
SPREAD = 4  # terms of a sum of matrices that a vector meets one by one


def axes_of(e: Expr) -> Axes:
    return tuple(size for size in e.shape_ if size)


def outer_cut(e: Expr) -> int:
    """Where a product is cut into a column and a row; 0 if nowhere."""
    return (
        next((i for i in range(1, len(e.args)) if e.args[i].shape_[0] == UNIT), 0)
        if e.head == "matmul"
        else 0
    )


class Products:
    """The half of the planner that knows about products.

    The other half makes the steps of their factors.
    """

    def __init__(self, roots: Sequence[Expr]) -> None:
        self.steps = Steps()
        self.products: dict[tuple[Expr, ...], Step] = {}
        self.order = postorder(*roots)
        self.kept = set(roots) | {
            a for e in self.order if e.head not in ("matmul", "T") for a in e.args
        }
        self.stretches = _stretches(self.order)

    def __call__(self, e: Expr) -> Step:
        """The step of an expression."""
        raise NotImplementedError

    def whole(self, step: Step, axes: Axes) -> Step:
        """A step with all of the axes that it stands for."""
        return step if step.axes == axes else self.steps.make("fill", step, axes=axes)

    def matmul(self, e: Expr) -> Step:
        broadcast = self.broadcast(e)
        return self.product(e.args) if broadcast is None else self.whole(broadcast, axes_of(e))

    def broadcast(self, e: Expr) -> Step | None:
        """The vector whose copies are the rows, or the columns, of a product with a column or a
        row of ones.
        """
        cut = outer_cut(e)
        if cut == 1 and e.args[0].head == "ones":
            return self.product(e.args[1:])
        if cut and cut == len(e.args) - 1 and e.args[-1].head == "ones":
            return self.steps.col(self.product(e.args[:-1]))
        return None

    def product(self, chain: Sequence[Expr]) -> Step:
        """A product in matrix notation: cut where a column meets a row, from a vector at an end,
        else in the best order.
        """
        if len(chain) == 1:
            return self(chain[0])
        cut = next((i for i in range(1, len(chain)) if chain[i].shape_[0] == UNIT), 0)
        if cut:
            return self.steps.outer(self.product(chain[:cut]), self.product(chain[cut:]))
        if chain[-1].head == "part" and chain[-1].shape_[1] == UNIT:
            return self._applied(
                reversed(chain[:-2]), self.select(self.steps.transpose(self(chain[-2])), chain[-1])
            )
        if takes_rows(chain[0]) and chain[0].shape_[0] == UNIT:
            return self._applied(
                map(ex.transpose, chain[2:]), self.select(self(chain[1]), chain[0].args[0])
            )
        left, right = chain[0].shape_[0] == UNIT, chain[-1].shape_[1] == UNIT
        if not left and not right:
            return self.best(chain)
        if left and (not right or self._prefers_left(chain)):
            return self._applied(list(map(ex.transpose, chain[1:])), self._vector(chain[0]))
        return self._applied(list(reversed(chain[:-1])), self._vector(chain[-1]))

    def _prefers_left(self, chain: Sequence[Expr]) -> bool:
        """Whether the other products of the function contain the left end rather than the right
        one.
        """
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
        if inner.head == "part":
            return self.select(v, inner) if flipped else self.embed(v, inner)
        if inner.head == "matmul":
            return self._applied(
                reversed(inner.args if not flipped else ex.transpose(inner).args), v
            )
        return self.steps.dot(self(a), v)

    def _summed(self, a: Expr, v: Step) -> Step:
        """A matrix times ones is its row sums."""
        if a.head in ("diag", "eye"):
            return self.whole(self(a.args[0]), axes_of(a)[:1]) if a.args else v
        if _kind(a) == "inv":
            return self._solve(
                a.args[0] if a.head == "inv" else a.args[0].args[0], v, a.head == "T"
            )
        if a.head == "matmul":
            return self._applied(reversed(a.args), v)
        x = self(a)
        return self.steps.make("sum", x) if len(x.axes) < 2 else self.steps.row_sums(x)

    def _meets_terms(self, a: Expr) -> bool:
        """Whether a vector should meet the terms of a sum one by one: nothing else needs the
        sum, and none is work by entries.
        """
        return (
            a not in self.kept
            and UNIT not in a.shape_
            and len(a.args) <= SPREAD
            and all(_cheap(scalars_of(t)[1], a) for t in a.args)
        )

    def _sum_applied(self, a: Expr, v: Step) -> Step:
        terms = []
        for k, core in map(split, a.args):
            scale, body = scalars_of(core)
            chain = body.args if body.head == "matmul" else (body,)
            applied = self._applied(reversed(chain), v)
            terms.append((k, self.steps.mul(1, (*map(self, scale), applied))))
        return self.whole(self.steps.add(terms), axes_of(a)[:1])

    def best(self, chain: Sequence[Expr]) -> Step:
        """A product of matrices in the order that costs least, or the orders that can."""
        if (d := _mirrored_root(chain)) is not None:
            half = self.steps.mul(
                1, (self.steps.col(self.steps.power(self(d), Fraction(1, 2))), self(chain[2]))
            )
            return self.steps.dot(self.steps.transpose(half), half)
        chain = tuple(chain)
        flipped = self.products.get(tuple(ex.transpose(a) for a in reversed(chain)))
        if chain not in self.products:
            self.products[chain] = (
                self._ordered(chain) if flipped is None else self.steps.transpose(flipped)
            )
        return self.products[chain]

    def _ordered(self, chain: Sequence[Expr]) -> Step:
        items = [_item(e) for e in chain]
        trees = orders(
            items,
            lambda i, j: max(1, self.stretches[_key(chain[i:j])]) if j - i < len(chain) else 1,
        )
        found = [self._pair(tree, chain) for tree in trees]
        if len(found) == 1:
            return found[0]
        return self.steps.make(
            "choose", *found, data=(tuple(trees), tuple(items)), axes=found[0].axes
        )

    def _joined(self, tree: Tree, chain: Sequence[Expr]) -> Step:
        """A part of a product; what other products have too is planned on its own."""
        if isinstance(tree, int):
            return self(chain[tree])
        part = chain[slice(*ends(tree))]
        return self.best(part) if self.stretches[_key(part)] > 1 else self._pair(tree, chain)

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
        if inner.head == "part" and right:
            y = self.steps.transpose(x)
            return self.steps.transpose(self.embed(y, inner) if flipped else self.select(y, inner))
        if inner.head == "part":
            return self.select(x, inner) if flipped else self.embed(x, inner)
        if right:
            return self.steps.transpose(
                self._solve(inner.args[0], self.steps.transpose(x), not flipped)
            )
        return self._solve(inner.args[0], x, flipped)

    # ---- parts -----------------------------------------------------------------------------------

    def part(self, e: Expr) -> Step:
        """Columns of the identity."""
        return self.steps.transpose(self.select(self.steps.make("eye", axes=(e.shape_[0],) * 2), e))

    def select(self, x: Step, p: Expr) -> Step:
        """The rows of an array that a part of the identity takes."""
        axes = ((p.shape_[1],) if p.shape_[1] else ()) + x.axes[1:]
        return self.steps.make("rows", x, data=range_of(p), axes=axes)

    def embed(self, x: Step, p: Expr) -> Step:
        """The rows of an array in their place among zeros."""
        return self.steps.make("embed", x, data=range_of(p), axes=(p.shape_[0], *x.axes[1:]))

    # ---- inverses --------------------------------------------------------------------------------

    def factor(self, a: Expr) -> Step:
        kind = "chol" if definite(a) == 2 else "symmetric" if symmetric(a) else "lu"
        return self.steps.make("factor", self(a), data=kind, axes=axes_of(a))

    def _solve(self, a: Expr, b: Step, flipped: bool) -> Step:
        factor = self.factor(a)
        return self.steps.make(
            "solve", factor, b, data=flipped and factor.data == "lu", axes=b.axes
        )

    def inv(self, e: Expr) -> Step:
        return self.steps.make("inverse", self.factor(e.args[0]), axes=axes_of(e))

    def det(self, e: Expr) -> Step:
        return self.steps.make(e.head, self.factor(e.args[0]))

    def log(self, e: Expr) -> Step:
        """The logarithm of a determinant, which itself may be beyond double precision, by its
        factor.
        """
        x = e.args[0]
        if x.head == "det":
            return self.steps.make("logdet", self.factor(x.args[0]), data="signed")
        return self.steps.fn("log", self(x), axes=axes_of(e))

    def adjugate(self, e: Expr) -> Step:
        x = e.args[0]
        return self.steps.make("adjugate", self.factor(x), self(x), axes=axes_of(e))

    # ---- traces, diagonals, sums -----------------------------------------------------------------

    def tr(self, e: Expr) -> Step:
        x = e.args[0]
        if x.head != "matmul":
            return self.steps.make("trace", self(x))
        left, right = self._halves(x.args, cyclic=True)
        if len(right) == 1 and _kind(right[0]) == "diag":
            left, right = right, left
        if len(left) == 1 and _kind(left[0]) == "diag":
            return self.steps.dot(
                self(ex.call("diagonal", left[0])), self(ex.call("diagonal", ex.matmul(*right)))
            )
        return self.steps.vdot(self.product(left), self.steps.transpose(self.product(right)))

    def diagonal(self, e: Expr) -> Step:
        x = e.args[0]
        if x.head != "matmul":
            return self.steps.make("diagonal", self(x), axes=axes_of(e))
        if cut := outer_cut(x):
            return self.steps.mul(1, (self.product(x.args[:cut]), self.product(x.args[cut:])))
        left, right = self._halves(x.args, cyclic=False)
        return self.steps.rowdot(self.product(left), self.steps.transpose(self.product(right)))

    def _halves(
        self, chain: tuple[Expr, ...], cyclic: bool
    ) -> tuple[tuple[Expr, ...], tuple[Expr, ...]]:
        """The two parts whose entries are multiplied: the best of all cuts, and of all places to
        begin.
        """
        turns = (
            [chain[i:] + chain[:i] for i in range(len(chain))]
            if cyclic and len(chain) < 8
            else [chain]
        )
        cuts = [(turn[:k], turn[k:]) for turn in turns for k in range(1, len(turn))]
        if len(chain) == 2:
            return cuts[0]
        return min(
            cuts,
            key=lambda cut: typical_cost(
                [([_item(e) for e in part], self.stretches[_key(part)]) for part in cut]
            ),
        )

    def sum(self, e: Expr) -> Step:
        x = e.args[0]
        if x.head == "matmul" and not outer_cut(x):
            ones = ex.ones((x.shape_[1], UNIT))
            row = self._applied(
                [ex.transpose(x.args[0])], self._vector(ex.ones((x.shape_[0], UNIT)))
            )
            return self.steps.dot(row, self._applied(reversed(x.args[1:]), self._vector(ones)))
        if x.head == "pow" and x.args[1] is ex.num(2):
            return self.steps.vdot(self(x.args[0]), self(x.args[0]))
        if (
            x.head == "times"
            and len(x.args) > 1
            and all(a.head not in ("eye", "diag", "ones", "matmul", "pow") for a in x.args)
        ):
            last = self(x.args[-1])
            return self.steps.vdot(self.steps.mul(1, [self(a) for a in x.args[:-1]]), last)
        return self.steps.make("sum", self(x))

    def norm2(self, e: Expr) -> Step:
        x = self(e.args[0])
        return self.steps.make("pow", self.steps.vdot(x, x), data=Fraction(1, 2))


def _kind(e: Expr) -> str:
    inner = e.args[0] if e.head == "T" else e
    return inner.head if inner.head in ("diag", "inv", "part") else "dense"


def _item(e: Expr) -> Item:
    return Item(*e.shape_, _kind(e))


def scalars_of(core: Expr) -> tuple[tuple[Expr, ...], Expr]:
    """The scalar factors of a term, and the rest."""
    if core.head != "times" or sum(not a.is_scalar for a in core.args) != 1:
        return (), core
    return core.args[:-1], core.args[-1]


def _cheap(body: Expr, total: Expr) -> bool:
    """Whether a term times a vector costs no more than the term itself does."""
    if body.shape_ != total.shape_ or body.is_scalar:
        return False
    inner = body.args[0] if body.head == "T" else body
    return inner.head in ("var", "eye", "diag", "inv") or (
        inner.head == "matmul" and all(a.head != "ones" for a in inner.args)
    )


def _mirrored_root(chain: Sequence[Expr]) -> Expr | None:
    """The d of Y'*diag(d)*Y with d ≥ 0, which is Z'*Z: a symmetric product takes half the time."""
    if (
        len(chain) != 3
        or chain[1].head != "diag"
        or ex.transpose(chain[0]) is not chain[2]
        or _kind(chain[2]) != "dense"
    ):
        return None
    return chain[1].args[0] if nonnegative(chain[1].args[0]) else None


def _key(chain: Sequence[Expr]) -> tuple[Expr, ...]:
    """One name for a stretch of factors and for its transpose."""
    flipped = tuple(ex.transpose(a) for a in reversed(chain))
    return min(tuple(chain), flipped, key=lambda c: [e.order for e in c])


def _stretches(order: Sequence[Expr]) -> Counter[tuple[Expr, ...]]:
    """How often each stretch of factors occurs among the products of a function, or its transpose.

    A trace has no ends.
    """
    found: Counter[tuple[Expr, ...]] = Counter()
    turned = {e.args[0] for e in order if e.head == "tr"}
    for e in order:
        n = len(e.args)
        if e.head == "matmul" and n <= LONGEST_SHARED:
            chain, starts = (e.args * 2, n) if e in turned else (e.args, n - 1)
            found.update(
                {
                    _key(chain[i:j])
                    for i in range(starts)
                    for j in range(i + 2, min(i + n, len(chain)) + 1)
                }
            )
    return found
