"""Step 1: the scalar chain rule, in reverse over the shared graph, and nothing else.

The adjoint of a node is a bag: its free labels (the axes of the whole expression) and the node's
own axes are its outputs. Every operation passes its adjoint on by its links; a sum of several terms
that fits in matrix notation becomes one factor, the δ of the textbooks, so the cost stays a small
multiple of the size of the expression.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from ..budget import spend
from ..errors import NotDifferentiable
from ..expr import Expr, postorder
from ..labels.bag import Bag, Factor, Label, Labels, Term, fresh, rename, term, wire, with_ones
from ..labels.differentials import Link, links
from ..language.elaborate import template
from ..tables.functions import BY_NAME

# a structural node with more terms than this in its adjoint is folded into one factor
MANY_TERMS = 4
LONG_BAG = 12  # so is a term with more factors than this

Fold = Callable[[Bag], Expr | None]


@dataclass(frozen=True, slots=True)
class Step:
    """One node that the chain rule passed through, with its adjoint: what an explanation is made
    of.
    """

    node: Expr
    adjoint: Bag
    folded: Expr | None


@dataclass
class Chain:
    """The derivative of an expression by several variables, before arrangement."""

    root: Expr
    free: Labels
    bags: dict[Expr, Bag] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)


def chain(root: Expr, wrt: Iterable[Expr], fold: Fold) -> Chain:
    """The derivative of ``root`` by each variable, as bags with the labels of the root followed by
    the variable's.

    ``fold`` arranges a bag in matrix notation, or returns None. Raises NotDifferentiable for a
    function without a rule.
    """
    targets = set(wrt)
    order = postorder(root)
    reached = _depends(order, targets)
    free, top = fresh(root.shape_), fresh(root.shape_)
    axes = {root: top}
    adjoints: dict[Expr, list[Term]] = {root: [Term(Fraction(1), tuple(map(wire, free, top)))]}
    result = Chain(root, free)
    for node in reversed(order):
        if node not in reached or node not in adjoints:
            continue
        bag = Bag(free + axes[node], tuple(adjoints.pop(node)))
        if node in targets:
            result.bags[node] = bag
            continue
        folded = fold(bag) if _should_fold(node, bag) else None
        result.steps.append(Step(node, bag, folded))
        terms = bag.terms if folded is None else _as_factor(folded, bag)
        if (adjoint := adjoint_of(node, free)) is not None:
            argument = node.args[0]
            inner = axes.setdefault(argument, fresh(argument.shape_))
            value = _linear(node, adjoint, folded if folded is not None else fold(bag), free)
            adjoints.setdefault(argument, []).append(term(Fraction(1), [Factor(value, inner)]))
            continue
        for link in _links(node, axes[node], reached):
            if link.argument in reached:
                inner = axes.setdefault(link.argument, fresh(link.argument.shape_))
                pushed = [_push(t, link, inner) for t in terms]
                adjoints.setdefault(link.argument, []).extend(t for t in pushed if t.coefficient)
    for target in targets:
        result.bags.setdefault(target, Bag(free + fresh(target.shape_), ()))
    return result


def _depends(order: list[Expr], targets: set[Expr]) -> set[Expr]:
    """The nodes through which a target is reached."""
    found: set[Expr] = set()
    for node in order:
        if node in targets or any(a in found for a in node.args):
            found.add(node)
    return found


def _should_fold(node: Expr, bag: Bag) -> bool:
    if len(bag.terms) > (
        1 if node.head in ("add", "pow") or links_through_function(node) else MANY_TERMS
    ):
        return True
    return any(len(t.factors) > LONG_BAG for t in bag.terms)


def links_through_function(node: Expr) -> bool:
    """Tell if a node is a proper function, not a product or rearrangement of its arguments."""
    if node.head in BY_NAME:
        return not BY_NAME[node.head].structural
    return node.head not in ("times", "matmul", "T")


def _as_factor(folded: Expr, bag: Bag) -> tuple[Term, ...]:
    if folded.head == "zeros" or (folded.head == "num" and folded.value == 0):
        return ()
    return (term(Fraction(1), [Factor(folded, bag.out)]),)


def adjoint_of(node: Expr, free: Labels) -> str | None:
    """The adjoint text of a function, where no rule in labels serves."""
    row = BY_NAME.get(node.head)
    if row is None or not row.adjoint or (free and row.rule):
        return None
    return row.adjoint


def _linear(node: Expr, adjoint: str, g: Expr | None, free: Labels) -> Expr:
    if g is None or free:
        raise NotDifferentiable(
            f"{node.head} has a derivative in the table for gradients of scalars only"
        )
    return template(adjoint, BY_NAME[node.head].named(node.args) | {"y": node, "g": g})


def _links(node: Expr, labels: Labels, wanted: Container[Expr]) -> Iterable[Link]:
    found = links(node, labels, wanted)
    if found is None:
        raise NotDifferentiable(f"the derivative of {node.head} is not in the table here")
    return found


def _push(adjoint: Term, link: Link, inner: Labels) -> Term:
    """Multiply an adjoint by one link, and rename the struck-out labels to the argument's own."""
    spend(terms=1)
    names: dict[Label, Label] = {}
    wires: list[Factor] = []
    for old, new in zip(link.labels, inner, strict=True):
        if old in names:
            wires.append(wire(names[old], new))
        else:
            names[old] = new
    factors = rename((*adjoint.factors, *link.factors), names) + wires
    return term(adjoint.coefficient * link.coefficient, with_ones(factors, inner))
