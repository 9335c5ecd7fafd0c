"""Arrangement: any order of the factors gives the same answer, the right one.

And it fails exactly where matrix notation ends.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np
import points
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import scalars

import matcalc as mc
from matcalc import expr as ex
from matcalc.calculus.arrange import arrange
from matcalc.calculus.chain import chain
from matcalc.calculus.derivative import fold
from matcalc.calculus.simplify import simplify
from matcalc.expr import Expr
from matcalc.expr.sizes import UNIT, Shape
from matcalc.labels.bag import Bag, Factor, Label, Labels, Term, one, wire

SETTINGS = settings(deadline=None, max_examples=150)


# ---- bags of derivatives -------------------------------------------------------------------------


def bags(e: Expr) -> Iterator[tuple[Expr, Bag]]:
    """The derivative of an expression by each of its variables, before arrangement."""
    targets = ex.variables(e)
    found = chain(e, targets, fold)
    yield from ((v, found.bags[v]) for v in targets)


def shuffled(bag: Bag, rng: random.Random) -> Bag:
    """The same bag with new labels, and with its terms and the factors of each in another order."""
    names: dict[Label, Label] = {}

    def renamed(labels: Labels) -> Labels:
        return tuple(names.setdefault(i, Label(i.size)) for i in labels)

    terms = [
        Term(
            t.coefficient,
            tuple(Factor(f.expr, renamed(f.labels)) for f in rng.sample(t.factors, len(t.factors))),
        )
        for t in bag.terms
    ]
    return Bag(renamed(bag.out), tuple(rng.sample(terms, len(terms))))


def written(bag: Bag, shape: Shape) -> str:
    return str(simplify(arrange(bag, shape)))


@SETTINGS
@given(scalars(depth=3), st.integers(0, 2**32))
def test_order_of_factors_does_not_matter(case: tuple[str, dict[str, str]], seed: int) -> None:
    rng = random.Random(seed)
    for v, bag in bags(mc.parse(*case)):
        assert written(bag, v.shape_) == written(shuffled(bag, rng), v.shape_)


def assert_same_value(bag: Bag, arranged: Expr, seed: int) -> None:
    """The einsum of the bag is the value of the matrix expression."""
    roots = (arranged, *(f.expr for t in bag.terms for f in t.factors))
    for at, (value, *_) in itertools.islice(points.settled(roots, np.random.default_rng(seed)), 1):
        sizes = {
            a: at.get(a, a)
            for a in points.atoms([*roots, ex.ones((tuple(i.size for i in bag.out), UNIT))])
        }
        assert points.gap(value, points.bag_value(bag, at, sizes).reshape(value.shape)) < 1e-9, (
            arranged
        )


@SETTINGS
@given(scalars(depth=3), st.integers(0, 2**32))
def test_arrangement_is_the_value_of_the_bag(case: tuple[str, dict[str, str]], seed: int) -> None:
    for v, bag in bags(mc.parse(*case)):
        assert_same_value(bag, arrange(bag, v.shape_), seed)


# ---- bags of any kind ----------------------------------------------------------------------------


def treewidth_is_at_most_two(edges: Iterable[tuple[int, int]]) -> bool:
    """Nodes of degree at most two can be removed, joining their neighbours, until none is left
    (Arnborg & Proskurowski 1986).
    """
    near: dict[int, set[int]] = {}
    for a, b in edges:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    near = {a: others - {a} for a, others in near.items()}
    while removable := [a for a, others in near.items() if len(others) <= 2]:
        a = removable[0]
        others = near.pop(a)
        for b in others:
            near[b] = near[b] - {a} | others - {b}
    return not near


Graph = tuple[Bag, list[tuple[int, int]]]


def graph_of(
    count: int,
    out: Sequence[int],
    edges: Sequence[tuple[int, int]],
    loose: Sequence[int],
    rng: random.Random,
) -> Graph:
    """A bag of one term with these matrices and vectors on labels 0, 1, ….

    And the edges of its label graph.
    """
    labels = [Label(f"n{k}") for k in range(count)]
    factors = [
        Factor(ex.var(f"M{k}", ((labels[a].size,), (labels[b].size,))), (labels[a], labels[b]))
        for k, (a, b) in enumerate(edges)
    ]
    factors += [
        Factor(ex.var(f"x{k}", ((labels[a].size,), UNIT)), (labels[a],))
        for k, a in enumerate(loose)
    ]
    factors += [one(labels[a]) for a in out if all(labels[a] not in f.labels for f in factors)]
    rng.shuffle(factors)
    bag = Bag(
        tuple(labels[a] for a in out), (Term(Fraction(rng.choice([1, -2, 3])), tuple(factors)),)
    )
    return bag, [*edges, *([(out[0], out[1])] if len(out) == 2 else [])]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Few labels, few factors: what hypothesis shrinks well."""
    count = draw(st.integers(1, 6))
    ends = st.integers(0, count - 1)
    out = draw(st.lists(ends, max_size=2, unique=True))
    edges, loose = (
        draw(st.lists(st.tuples(ends, ends), max_size=9)),
        draw(st.lists(ends, max_size=3)),
    )
    return graph_of(count, out, edges, loose, random.Random(draw(st.integers(0, 99))))


def dense_graph(seed: int) -> Graph:
    """Many factors on four to six labels, about half of them beyond matrix notation."""
    rng = random.Random(seed)
    count = rng.randint(4, 6)
    pairs = [(a, b) for a in range(count) for b in range(count) if a != b or a == 0]
    edges = rng.choices(pairs, k=rng.randint(count, 3 * count))
    loose = [rng.randrange(count) for _ in range(rng.randint(0, 2))]
    return graph_of(count, rng.sample(range(count), rng.randint(0, 2)), edges, loose, rng)


def shape_of(bag: Bag) -> Shape:
    rows, cols = [*((i.size,) for i in bag.out), UNIT, UNIT][:2]
    return rows, cols


def assert_read_or_refused(graph: Graph, seed: int) -> bool:
    """Read, rightly and in any order, exactly where the label graph has treewidth at most two.

    Says which it was.
    """
    bag, edges = graph
    if not treewidth_is_at_most_two(edges):
        with pytest.raises(mc.NoMatrixForm):
            arrange(bag, shape_of(bag))
        return False
    assert_same_value(bag, arrange(bag, shape_of(bag)), seed)
    assert written(bag, shape_of(bag)) == written(shuffled(bag, random.Random(seed)), shape_of(bag))
    return True


@settings(deadline=None, max_examples=300)
@given(graphs(), st.integers(0, 2**32))
def test_matrix_notation_reaches_treewidth_two_and_no_further(graph: Graph, seed: int) -> None:
    assert_read_or_refused(graph, seed)


def test_dense_graphs() -> None:
    read = [assert_read_or_refused(dense_graph(seed), seed) for seed in range(300)]
    assert 60 < sum(read) < 240


@pytest.mark.slow
def test_many_dense_graphs() -> None:
    for seed in range(500, 10_000):
        assert_read_or_refused(dense_graph(seed), seed)


# ---- small bags by hand --------------------------------------------------------------------------

I, J, K = (Label(name) for name in "ijk")  # noqa: E741 - the labels of the theory
NAMED = {
    "A": (I, J),
    "B": (J, K),
    "C": (K, I),
    "D": (I, J),
    "S": (I, I),
    "x": (I,),
    "y": (J,),
    "z": (I,),
}


def bag_of(names: str, out: Labels, *more: Factor) -> Bag:
    factors = [
        Factor(
            ex.var(name, tuple((i.size,) for i in NAMED[name]) + (UNIT,) * (2 - len(NAMED[name]))),
            NAMED[name],
        )
        for name in names
    ]
    return Bag(out, (Term(Fraction(1), (*factors, *more)),))


READ = (
    ("AB", (I, K), "A*B"),
    ("AB", (K, I), "B'*A'"),
    ("ABC", (), "tr(A*B*C)"),
    ("AD", (I, J), "A.*D"),
    ("AD", (J, I), "(A.*D)'"),
    ("AD", (I,), "diag(A*D')"),
    ("AD", (J,), "diag(A'*D)"),
    ("AD", (), "sum(A.*D)"),
    ("A", (I,), "A*ones(j)"),
    ("A", (J,), "A'*ones(i)"),
    ("A", (), "sum(A)"),
    ("S", (), "tr(S)"),
    ("S", (I,), "diag(S)"),
    ("Ay", (I,), "A*y"),
    ("Ax", (J,), "A'*x"),
    ("Axy", (), "x'*A*y"),
    ("Axy", (I, J), "A.*(x*y')"),
    ("Ax", (I, J), "diag(x)*A"),
    ("Ay", (I, J), "A*diag(y)"),
    ("xy", (I, J), "x*y'"),
    ("xz", (), "x'*z"),
    ("xz", (I,), "x.*z"),
    ("x", (), "sum(x)"),
    ("xzS", (I,), "x.*z.*diag(S)"),
)


@pytest.mark.parametrize(
    ("names", "out", "text"), READ, ids=lambda value: value if isinstance(value, str) else ""
)
def test_reading(names: str, out: Labels, text: str) -> None:
    bag = bag_of(names, out)
    assert str(arrange(bag, shape_of(bag))) == text


def test_wires_join_labels() -> None:
    twin, other = Label("i"), Label("k")
    joined = bag_of("x", (I, twin), wire(I, twin))
    assert str(arrange(joined, shape_of(joined))) == "diag(x)"
    alone = Bag((I, twin), (Term(Fraction(2), (wire(I, twin),)),))
    assert str(arrange(alone, shape_of(alone))) == "2*eye(i)"
    closed = Bag((), (Term(Fraction(1), (wire(I, I),)),))
    assert str(arrange(closed, (UNIT, UNIT))) == "i"
    inner = bag_of("AB", (I, other), wire(K, other))
    assert str(arrange(inner, shape_of(inner))) == "A*B"


def test_what_no_factor_holds() -> None:
    free = Bag((I, J), (Term(Fraction(3), (one(I), one(J))),))
    assert str(arrange(free, shape_of(free))) == "3*ones(i, j)"
    lost = bag_of("x", (I,), one(J))
    assert str(arrange(lost, shape_of(lost))) == "j*x"
    assert str(arrange(Bag((I, J), ()), shape_of(free))) == "zeros(i, j)"


K4 = "((A*(C.*(B*diag(x)*X'))).*H)*ones(c)"
K4_SHAPES = "A: a×b; B: b×j; C: b×c; X: c×j; H: a×c; x: j"


def test_four_labels_that_all_meet_have_no_matrix_form() -> None:
    e = mc.parse(K4, K4_SHAPES)
    x = next(v for v in ex.variables(e) if v.name == "x")
    bag = chain(e, [x], fold).bags[x]
    with pytest.raises(mc.NoMatrixForm, match="treewidth"):
        arrange(bag, (e.shape_[0], x.shape_[0]))


def test_without_a_matrix_form_there_is_the_index_form() -> None:
    d = mc.derive(K4, "x", K4_SHAPES)
    assert not isinstance(d.result, Expr)
    assert d.verification.ok, d.verification


def test_the_bag_without_a_matrix_form_is_right() -> None:
    e = mc.parse(K4, K4_SHAPES)
    x = next(v for v in ex.variables(e) if v.name == "x")
    bag = chain(e, [x], fold).bags[x]
    rng = np.random.default_rng(7)
    at, _ = next(points.settled((e,), rng))
    along = rng.uniform(-1, 1, at["x"].shape)
    measured, _ = points.slope(e, x, at, along)
    jacobian = points.bag_value(bag, at, {a: at[a] for a in points.atoms((e,))})
    assert points.gap(jacobian @ along, measured) < 1e-8


def test_a_gradient_of_the_same_has_a_matrix_form() -> None:
    d = mc.derive(f"v'*({K4})", "x", f"{K4_SHAPES}; v: a")
    assert d.verification.ok
