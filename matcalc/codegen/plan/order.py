"""The order of a product: dynamic programming over its parts (Godbole 1973), at many sizes at once
where sizes are names.

What comes out is the few trees that some sizes can make the best; one tree if it wins everywhere. A
part that several products share costs each of them its share alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import gcd
from typing import Any

import numpy as np

from ...expr.sizes import Atom, Size

Tree = Any  # the position of a factor, or a pair of trees
Cost = Counter[tuple[Atom, ...]]  # size names -> coefficient
SAMPLES = 48
LENGTHS = (4.0, 40.0, 400.0, 4000.0)
LOSS = 1.2  # an order is worth a branch if the others cost this much more somewhere
ORDERS = 3
SPARSE = ("diag", "part")  # kinds of factors that cost an entry each
LONGEST = 24  # factors; longer products are taken in pieces from the left


@dataclass(frozen=True, slots=True)
class Item:
    """A factor: its sizes, and whether it is dense, diagonal or an inverse to be applied by
    solving.
    """

    rows: Size
    cols: Size
    kind: str = "dense"


def orders(items: Sequence[Item], shared: Callable[[int, int], int] = lambda i, j: 1) -> list[Tree]:
    """The orders of multiplication that can win, the one that wins most often first."""
    if len(items) == 1:
        return [0]
    if len(items) > LONGEST:
        return [_leftwards(len(items))]
    at = Sampled(items)
    cuts = _cuts(items, at, shared)
    found = Counter(_tree(cuts, k, 0, len(items)) for k in range(at.samples))
    return _worth_it([tree for tree, _ in found.most_common()], items, at)


class Sampled:
    """The lengths of the axes at many sizes at once."""

    def __init__(self, items: Sequence[Item]) -> None:
        names = sorted(
            {a for e in items for size in (e.rows, e.cols) for a in size if isinstance(a, str)}
        )
        self.samples = SAMPLES if len(names) > 1 else 1
        grid = _grid(len(names))
        self.lengths = {name: grid[i, : self.samples] for i, name in enumerate(names)}

    def __call__(self, size: Size) -> Any:
        out: Any = np.ones(self.samples)
        for a in size:
            out = out * (self.lengths[a] if isinstance(a, str) else int(str(a)))
        return out


@cache
def _grid(names: int) -> Any:
    return np.random.default_rng(names).choice(LENGTHS, (max(names, 1), SAMPLES))


def _cuts(
    items: Sequence[Item], at: Sampled, shared: Callable[[int, int], int]
) -> dict[tuple[int, int], Any]:
    """Where to cut each stretch of factors, at each of the sampled sizes."""
    return _table(items, at, shared)[1]


def _table(
    items: Sequence[Item], at: Sampled, shared: Callable[[int, int], int]
) -> tuple[dict[tuple[int, int], Any], dict[tuple[int, int], Any]]:
    """The least cost of each stretch, and where it is cut."""
    n = len(items)
    best: dict[tuple[int, int], Any] = {(i, i + 1): np.zeros(at.samples) for i in range(n)}
    cuts: dict[tuple[int, int], Any] = {}
    for span in range(2, n + 1):
        for i in range(n - span + 1):
            j = i + span
            costs = np.array(
                [
                    best[i, k] + best[k, j] + _value(join(items, i, k, j), at)
                    for k in range(i + 1, j)
                ]
            )
            cuts[i, j] = costs.argmin(0) + i + 1
            best[i, j] = costs.min(0) / shared(i, j)
    return best, cuts


def typical_cost(parts: Sequence[tuple[Sequence[Item], int]]) -> float:
    """The logarithm of the cost of several products, each shared by some number of users,
    averaged over many sizes.
    """
    at = Sampled([item for items, _ in parts for item in items])
    total = np.ones(at.samples)
    for items, users in parts:
        alone = len(items) == 1 and items[0].kind == "inv"
        cost = (
            2 * at(items[0].rows) ** 3
            if alone
            else _table(items, at, lambda i, j: 1)[0][0, len(items)]
        )
        total = total + cost / max(users, 1)
    return float(np.log(total).mean())


def join(items: Sequence[Item], i: int, k: int, j: int) -> Cost:
    """The flops of one product, of the factors i to k with those from k to j."""
    left, right = items[i], items[j - 1]
    if (k - i == 1 and left.kind in SPARSE) or (j - k == 1 and right.kind in SPARSE):
        return Counter({monomial(left.rows, right.cols): 1})
    return Counter({monomial(left.rows, items[k].rows, right.cols): 2})


def monomial(*sizes: Size) -> tuple[Atom, ...]:
    """The product of sizes, as sorted atoms."""
    return tuple(sorted((a for size in sizes for a in size), key=str))


def _value(cost: Cost, at: Sampled) -> Any:
    return sum(k * at(key) for key, k in cost.items())


def _tree(cuts: dict[tuple[int, int], Any], sample: int, i: int, j: int) -> Tree:
    if j - i == 1:
        return i
    k = int(cuts[i, j][sample])
    return _tree(cuts, sample, i, k), _tree(cuts, sample, k, j)


def _leftwards(n: int) -> Tree:
    tree: Tree = 0
    for i in range(1, n):
        tree = (tree, i)
    return tree


def ends(tree: Tree) -> tuple[int, int]:
    """The first factor, and the one after the last."""
    if isinstance(tree, int):
        return tree, tree + 1
    return ends(tree[0])[0], ends(tree[1])[1]


def joins(tree: Tree) -> Iterator[tuple[int, int, int]]:
    """The products that a tree makes."""
    if not isinstance(tree, int):
        yield from joins(tree[0])
        yield from joins(tree[1])
        yield ends(tree[0])[0], ends(tree[0])[1], ends(tree[1])[1]


def tree_cost(tree: Tree, items: Sequence[Item]) -> Cost:
    """The flops of an order, as a polynomial in the sizes."""
    total: Cost = Counter()
    for i, k, j in joins(tree):
        total.update(join(items, i, k, j))
    return total


def cheaper(a: Cost, b: Cost, spelled: Callable[[Size], str]) -> str:
    """One polynomial in the sizes at most another, as source; what they share is left out."""
    left, right = Counter(a), Counter(b)
    left.subtract(b)
    right.subtract(a)
    sides = [{key: k for key, k in side.items() if k > 0} for side in (left, right)]
    common = _common([key for side in sides for key in side])
    unit = gcd(*(k for side in sides for k in side.values()))
    return " <= ".join(_polynomial(side, common, unit, spelled) for side in sides)


def _polynomial(
    side: Mapping[tuple[Atom, ...], int],
    common: tuple[Atom, ...],
    unit: int,
    spelled: Callable[[Size], str],
) -> str:
    terms = []
    for key, k in side.items():
        names = list(key)
        for a in common:
            names.remove(a)
        terms.append(
            "*".join([*([str(k // unit)] if k != unit else []), *(spelled((a,)) for a in names)])
            or "1"
        )
    return " + ".join(terms) or "0"


def _common(keys: list[tuple[Atom, ...]]) -> tuple[Atom, ...]:
    """The sizes that every term of a comparison has."""
    shared = Counter(keys[0]) if keys else Counter()
    for key in keys:
        shared &= Counter(key)
    return tuple(shared.elements())


def _worth_it(trees: list[Tree], items: Sequence[Item], at: Sampled) -> list[Tree]:
    """The orders that win by enough somewhere."""
    costs = {tree: _value(tree_cost(tree, items), at) for tree in trees}
    least = np.min(list(costs.values()), 0)
    kept = trees[:1]
    for tree in trees[1:]:
        if (
            len(kept) < ORDERS
            and (np.min([costs[t] for t in kept], 0) / least > LOSS)[costs[tree] <= least].any()
        ):
            kept.append(tree)
    return kept


def contractions(
    texts: Sequence[str], output: str, lengths: Mapping[str, int]
) -> list[tuple[int, ...]]:
    """The order of NumPy's einsum: the places of the arrays that meet, whose result comes last."""
    arrays = [np.broadcast_to(0.0, [lengths[c] for c in text]) for text in texts]
    path, _ = np.einsum_path(f"{','.join(texts)}->{output}", *arrays, optimize=True)
    return [tuple(group) for group in path[1:]]
