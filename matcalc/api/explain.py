"""The derivation as a reader would do it: scalar derivative, arrangement, check.

It shows what chain and arrange did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise, permutations, product
from typing import TYPE_CHECKING

from .. import expr as ex
from ..calculus.arrange import arrange
from ..calculus.derivative import FactorChains, derivative, derivative_shape
from ..calculus.index import index_form
from ..errors import NoMatrixForm
from ..expr import Expr, postorder
from ..expr.sizes import UNIT, Shape, show_shape
from ..labels.bag import Bag, Factor, Label, Term, is_one, is_wire, joined_by, joined_to
from ..labels.meaning import opened
from ..labels.roots import sizes_of_axes
from ..printing.show import root_text
from ..printing.text import number, text
from ..printing.where import part_name
from ..tables.functions import BY_NAME

if TYPE_CHECKING:
    from ..calculus.chain import Chain, Step
    from ..labels.roots import Root
    from ..language.program import Program
    from .derived import Derived

MAX_STEPS = 24
MAX_NAMES = 12
SHORTEST = 4  # nodes of a part that gets a name
LONGEST = 80  # nodes of an expression that is written out
MAX_FACTORS = 5  # orders are counted for products of at most this many factors
LETTERS = "ijklpqrstuvabcdefgh"


def explain(d: Derived) -> str:
    """The whole explanation as plain text."""
    parts = []
    for order, chain in enumerate(d.chains, 1):
        title = (
            ""
            if len(d.chains) == 1
            else f"Derivative {order}, of {root_text(chain.root, d.program.names)}\n\n"
        )
        parts.append(
            title
            + (
                _by_factors(chain, d)
                if isinstance(chain, FactorChains)
                else _Explained(chain, d).text()
            )
        )
    if d.along is not None:
        parts.append(f"         along {d.along}: one more factor, on the axes of {d.wrt.name}")
    answer = "\n         ".join(
        ["Answer   " + str(d).replace("\n", "\n         "), f"shape: {d.shape_text}"]
    )
    check = f"Check    {d.verification}" if d.verification is not None else "Check    not run"
    return "\n\n".join([*parts, answer, check])


def _by_factors(chains: FactorChains, d: Derived) -> str:
    """The derivative of an index form: each factor by the chain rule, then the product rule."""
    taken = d.program.names
    lines = [
        f"Step 1   the expression is an index form: f = {root_text(chains.root, taken)}",
        f"         each factor that holds {d.wrt.name}, by the chain rule:",
    ]
    for factor, chain in chains.inner.items():
        result = derivative(factor, d.moving_variable, first=chain).result
        lines.append(
            f"         ∂({text(factor, None, taken)})/∂{d.wrt.name} = {root_text(result, taken)}"
        )
        if factor is not d.moving_variable:
            lines += (
                f"           {line.strip()}"
                for line in _Explained(chain, d).step_one().split("\n")[1:]
            )
    if not chains.inner:
        lines.append("         none: the derivative is zero")
    found = index_form(
        chains.bags[d.moving_variable], (sizes_of_axes(chains.root), sizes_of_axes(d.wrt))
    )
    rule = (
        "Step 2   the product rule: each of these derivatives times the other factors of its term"
    )
    return "\n".join([*lines, "", rule, f"         = {root_text(found, taken)}"])


class _Explained:
    """One pass through chain and arrange, with names for the parts that it goes through."""

    def __init__(self, chain: Chain, d: Derived) -> None:
        self.chain, self.wrt = chain, d.moving_variable
        self.taken = d.program.names
        self.names = _names(chain, d.program)

    def text(self) -> str:
        return "\n\n".join([self.step_one(), self.step_two()])

    def brief(self, e: Expr) -> str:
        if e in self.names:
            return self.names[e]
        return (
            text(e, self.names, self.taken)
            if e.count <= LONGEST
            else f"(an expression with {e.count} nodes)"
        )

    # ---- step 1: the chain rule link by link, what multiplies the change of each part

    def step_one(self) -> str:
        root = self.chain.root
        lines = [
            (
                "Step 1   the scalar chain rule: treat every matrix as a number; f = "
                f"{text(root, self.names, self.taken)}"
            )
        ]
        lines += (
            f"         where {name} = {text(part, self.names, self.taken)}"
            for part, name in reversed(self.names.items())
            if part is not root
        )
        shown = self.chain.steps[1:] if len(self.chain.steps) > 1 else self.chain.steps
        lines += (
            f"         ∂f/∂{self.bracketed(step.node)} = {self.adjoint(step)}"
            for step in shown[:MAX_STEPS]
        )
        if len(shown) > MAX_STEPS:
            lines.append(f"         … {len(shown) - MAX_STEPS} more links")
        terms = self.chain.bags[self.wrt].terms
        sum_of_terms = " + ".join(self.as_numbers(t) for t in terms[:8]) or "0"
        lines.append(
            f"         ∂f/∂{self.wrt.name} = {sum_of_terms}{' + …' if len(terms) > 8 else ''}"
        )
        return "\n".join(lines)

    def adjoint(self, step: Step) -> str:
        if step.folded is not None:
            return self.brief(step.folded)
        return " + ".join(self.as_numbers(t) for t in step.adjoint.terms[:4]) or "0"

    def as_numbers(self, t: Term) -> str:
        """A bag as a product of numbers: no order, no transposes.

        Powers on the same axes merged.
        """
        flat = opened(t.factors)
        groups: dict[tuple[Label, ...], list[Expr]] = {}
        for f in flat.factors:
            if not is_wire(f) and not is_one(f):
                upright = ex.transpose(f.expr) if f.expr.shape_[0] == UNIT else f.expr
                groups.setdefault(f.labels, []).append(upright)
        merged = [e for group in groups.values() for e in _factors(ex.times(*group))]
        k = t.coefficient * flat.coefficient
        for e in [e for e in merged if e.head == "num"]:
            k *= e.value
        shown = [self.bracketed(e) for e in merged if e.head not in ("num", "ones")]
        head = [] if k == 1 and shown else ["-1"] if k == -1 and shown else [number(k)]
        return " · ".join([*head, *shown])

    def bracketed(self, e: Expr) -> str:
        shown = self.brief(e)
        return (
            f"({shown})" if e not in self.names and e.head in ("add", "times", "matmul") else shown
        )

    def indexed(self, f: Factor, letters: Mapping[Label, str]) -> str:
        shown = "1" if is_one(f) else self.bracketed(f.expr)
        return f"{shown}[{','.join(letters[i] for i in f.labels)}]"

    # ---- step 2: the factors with their axes, and the arrangement that fits

    def step_two(self) -> str:
        bag = self.chain.bags[self.wrt]
        shape = derivative_shape(self.chain.root, self.wrt) or (UNIT, UNIT)
        lines = [
            (
                "Step 2   reorder and transpose until the dimensions agree; wanted: "
                f"{_wanted(bag, self.wrt)}"
            )
        ]
        for t in bag.terms[:6]:
            lines += self.one_term(t, bag, shape)
        if len(bag.terms) > 6:
            lines.append(f"         … {len(bag.terms) - 6} more terms")
        if not bag.terms:
            lines.append("         nothing depends on it: zero")
        return "\n".join(lines)

    def one_term(self, t: Term, bag: Bag, shape: Shape) -> list[str]:
        flat = opened(t.factors)
        letters = _letters(flat.factors, bag.out, self.names.values())
        factors = [f for f in flat.factors if not is_wire(f)]
        listed = ", ".join(self.indexed(f, letters) for f in factors if f.labels)
        out = [f"         axes: {listed or 'none'}; out: [{','.join(letters[i] for i in bag.out)}]"]
        notes: list[str] = []
        try:
            answer = arrange(
                Bag(bag.out, (t,)),
                shape,
                lambda why, e: notes.append(f"         {why}: {self.brief(e)}"),
            )
        except NoMatrixForm as problem:
            return [*out, f"         {problem}"]
        listed_arrays = [f.expr for f in factors if f.labels]
        said = _uniqueness(answer, listed_arrays) if len(bag.terms) == 1 else ""
        return [*out, *notes, f"         = {self.brief(answer)}{said}"]


def _factors(e: Expr) -> tuple[Expr, ...]:
    return e.args if e.head == "times" else (e,)


def _names(chain: Chain, program: Program[Root]) -> dict[Expr, str]:
    """Names for the sums and functions that the chain goes through, innermost first.

    Typed definitions keep theirs.
    """
    names = {e: n for n, e in program.definitions.items() if e.args}
    taken = {*ex.names_of(postorder(chain.root)), *program.names}
    for step in reversed(chain.steps[1:]):
        part = step.node
        worth_it = (
            not part.is_scalar
            and part.count >= SHORTEST
            and (part.head == "add" or part.head in BY_NAME)
        )
        if worth_it and part not in names and len(names) < MAX_NAMES:
            names[part] = part_name(part, False, taken)
            taken.add(names[part])
    return names


def _wanted(bag: Bag, wrt: Expr) -> str:
    if len(bag.out) == sum(bool(s) for s in wrt.shape_):
        return f"{show_shape(wrt.shape_)}, the shape of {wrt.name}"
    return "×".join(str(i.size) for i in bag.out)


def _letters(
    factors: tuple[Factor, ...], out: tuple[Label, ...], taken: Iterable[str]
) -> dict[Label, str]:
    """One letter for each axis, none that names something else.

    Axes joined by an identity share a letter.
    """
    names: dict[Label, str] = {}
    joined = joined_by(factors)
    written = {*ex.written_names(postorder(*(f.expr for f in factors))), *taken}
    free = [letter for letter in LETTERS if letter not in written]
    for i in (*out, *(i for f in factors for i in f.labels)):
        root = joined_to(joined, i)
        if root not in names:
            k = len(set(names.values()))
            names[root] = free[k % len(free)] + (str(k // len(free)) if k >= len(free) else "")
        names[i] = names[root]
    return names


def _uniqueness(answer: Expr, listed: Sequence[Expr]) -> str:
    """The number of products of the listed factors that would be legal if all sizes were equal."""
    factors = _plain_factors(answer)
    plain = Counter(factors) == Counter(listed) and _independent(factors)
    if not plain or not 2 <= len(factors) <= MAX_FACTORS:
        return ""
    legal = sum(
        _fits(chain, answer.shape_)
        for order in permutations(factors)
        for chain in _orientations(order)
    )
    said = (
        f"with all sizes equal, {legal} products of these factors have this shape; the labels "
        "allow one"
    )
    return f"     ({said})" if legal > 1 else ""


def _plain_factors(answer: Expr) -> list[Expr]:
    """The factors of a number times a matrix product, transposes left out.

    None of what is no such product.
    """
    arrays = [f for f in _factors(ex.split(answer)[1]) if not f.is_scalar]
    if len(arrays) != 1 or arrays[0].head != "matmul":
        return []
    return [f.args[0] if f.head == "T" else f for f in arrays[0].args]


def _independent(factors: Sequence[Expr]) -> bool:
    """Tell if different products of the factors have different values.

    They do where the factors are matrices in different variables, each with two single sizes.
    """
    matrices = [f for f in factors if UNIT not in f.shape_]
    names = [v for f in matrices for v in ex.variables(f)]
    generic = all(ex.variables(f) for f in factors) and len(set(factors)) == len(factors)
    return (
        generic
        and len(set(names)) == len(names)
        and all(len(size) < 2 for f in factors for size in f.shape_)
    )


def _orientations(order: Sequence[Expr]) -> Iterator[tuple[Expr, ...]]:
    """Every way to transpose the factors of one order; a symmetric one is its own transpose."""
    return product(*(dict.fromkeys((f, ex.transpose(f))) for f in order))


def _fits(chain: Sequence[Expr], shape: Shape) -> bool:
    """Tell if a product would be legal, and of the kind of a shape, if all sizes were equal."""
    kinds = [_kind(f.shape_) for f in chain]
    return all(a[1] == b[0] for a, b in pairwise(kinds)) and (kinds[0][0], kinds[-1][1]) == _kind(
        shape
    )


def _kind(shape: Shape) -> tuple[bool, bool]:
    """The axes that are longer than one: of rows, of columns."""
    return bool(shape[0]), bool(shape[1])
