"""The derivation as a reader would do it: scalar derivative, arrangement, check. It shows what chain and arrange did."""

from __future__ import annotations

from itertools import pairwise, permutations, product
from typing import TYPE_CHECKING

from .arrange import arrange, derivative_shape
from .errors import NoMatrixForm
from .expr import Expr
from .labels import Bag, Factor, Label, Term, is_one, is_wire, opened
from .printing.text import number, text
from .sizes import UNIT, Shape, show_shape

if TYPE_CHECKING:
    from .chain import Chain, Step
    from .derivation import Derivation

MAX_STEPS = 24
MAX_FACTORS = 5  # orders are counted for products of at most this many factors
LETTERS = "ijklpqrstuvabcdefgh"


def explain(d: Derivation) -> str:
    """The whole explanation as plain text."""
    parts = []
    for order, chain in enumerate(d.chains, 1):
        title = "" if len(d.chains) == 1 else f"Derivative {order}, of {text(chain.root)}\n\n"
        parts.append(title + "\n\n".join([_step_one(d.wrt, chain), _step_two(chain, d.wrt)]))
    if d.along is not None:
        parts.append(f"         along {d.along.name}: one more factor, on the axes of {d.wrt.name}")
    answer = f"Answer   {d}\n         shape: {d.shape_text}"
    check = f"Check    {d.verification}" if d.verification is not None else "Check    not run"
    return "\n\n".join([*parts, answer, check])


# ---- step 1 ----------------------------------------------------------------------------------------------------------------


def _step_one(wrt: Expr, chain: Chain) -> str:
    """The chain rule link by link: what multiplies the change of each part."""
    lines = [f"Step 1   the scalar chain rule: treat every matrix as a number; f = {_brief(chain.root)}"]
    shown = chain.steps[1:] if len(chain.steps) > 1 else chain.steps
    for step in shown[:MAX_STEPS]:
        lines.append(f"         ∂f/∂({_brief(step.node)}) = {_as_numbers(step)}")
    if len(shown) > MAX_STEPS:
        lines.append(f"         … {len(shown) - MAX_STEPS} more links")
    terms = chain.bags[wrt].terms
    lines.append(f"         ∂f/∂{wrt.name} = {' + '.join(_bag_text(t) for t in terms[:8]) or '0'}{' + …' if len(terms) > 8 else ''}")
    return "\n".join(lines)


def _as_numbers(step: Step) -> str:
    if step.folded is not None:
        return _brief(step.folded)
    return " + ".join(_bag_text(t) for t in step.adjoint.terms[:4]) or "0"


def _brief(e: Expr) -> str:
    return text(e) if e.count <= 60 else f"(an expression with {e.count} nodes)" if e.count < 10**6 else "(a very large expression)"


def _bag_text(t: Term) -> str:
    """A bag as a product of numbers: no order, no transposes."""
    flat = opened(t.factors)
    k = t.coefficient * flat.coefficient
    factors = [_bare(f.expr) for f in flat.factors if not is_wire(f) and not is_one(f)]
    head = [] if k == 1 and factors else [number(k)] if k != -1 or not factors else ["-1"]
    return " · ".join([*head, *factors])


def _bare(e: Expr) -> str:
    shown = _brief(e)
    return f"({shown})" if e.head in ("add", "times", "matmul") else shown


# ---- step 2 ----------------------------------------------------------------------------------------------------------------


def _step_two(chain: Chain, wrt: Expr) -> str:
    bag = chain.bags[wrt]
    shape = derivative_shape(chain.root, wrt) or (UNIT, UNIT)
    lines = [f"Step 2   reorder and transpose until the dimensions agree; wanted: {_wanted(bag, wrt)}"]
    for t in bag.terms[:6]:
        lines += _one_term(t, bag, shape)
    if len(bag.terms) > 6:
        lines.append(f"         … {len(bag.terms) - 6} more terms")
    if not bag.terms:
        lines.append("         nothing depends on it: zero")
    return "\n".join(lines)


def _wanted(bag: Bag, wrt: Expr) -> str:
    if len(bag.out) == sum(bool(s) for s in wrt.shape_):
        return f"{show_shape(wrt.shape_)}, the shape of {wrt.name}"
    return "×".join(str(i.size) for i in bag.out)


def _one_term(t: Term, bag: Bag, shape: Shape) -> list[str]:
    flat = opened(t.factors)
    names = _letters(flat.factors, bag.out)
    factors = [f for f in flat.factors if not is_wire(f)]
    listed = ", ".join(f"{'1' if is_one(f) else _bare(f.expr)}[{','.join(names[i] for i in f.labels)}]" for f in factors if f.labels)
    out = [f"         axes: {listed or 'none'}; out: [{','.join(names[i] for i in bag.out)}]"]
    notes: list[str] = []
    try:
        answer = arrange(Bag(bag.out, (t,)), shape, lambda why, e: notes.append(f"         {why}: {_brief(e)}"))
    except NoMatrixForm as problem:
        return [*out, f"         {problem}"]
    return [*out, *notes, f"         = {_brief(answer)}{_uniqueness(factors, shape)}"]


def _letters(factors: tuple[Factor, ...], out: tuple[Label, ...]) -> dict[Label, str]:
    """One letter for each axis; axes joined by an identity share a letter."""
    names: dict[Label, str] = {}
    joined: dict[Label, Label] = {}
    for f in factors:
        if is_wire(f):
            a, b = (_root(joined, i) for i in f.labels)
            if a is not b:
                joined[a] = b
    for i in (*out, *(i for f in factors for i in f.labels)):
        root = _root(joined, i)
        if root not in names:
            k = len(set(names.values()))
            names[root] = LETTERS[k % len(LETTERS)] + (str(k // len(LETTERS)) if k >= len(LETTERS) else "")
        names[i] = names[root]
    return names


def _root(joined: dict[Label, Label], i: Label) -> Label:
    while i in joined:
        i = joined[i]
    return i


def _uniqueness(factors: list[Factor], shape: Shape) -> str:
    """How many products of the factors would be legal if all sizes were equal; the labels allow this one."""
    plain = [f for f in factors if f.labels and not is_one(f)]
    if not 2 <= len(plain) <= MAX_FACTORS or shape == (UNIT, UNIT):
        return ""
    kinds = [(bool(f.expr.shape_[0]), bool(f.expr.shape_[1])) for f in plain]
    wanted = (bool(shape[0]), bool(shape[1]))
    legal = {way for order in permutations(range(len(kinds))) for way in _orientations(order, kinds) if _fits(way, wanted)}
    return f"     (with all sizes equal, {len(legal)} products of these factors have this shape; the labels allow one)" if len(legal) > 1 else ""


def _orientations(order: tuple[int, ...], kinds: list[tuple[bool, bool]]) -> list[tuple[tuple[int, bool, bool, bool], ...]]:
    """Every way to transpose the factors of one order."""
    options = [[(i, False, *kinds[i]), (i, True, *kinds[i][::-1])] for i in order]
    return [tuple(way) for way in product(*options)]


def _fits(way: tuple[tuple[int, bool, bool, bool], ...], wanted: tuple[bool, bool]) -> bool:
    chained = all(a[3] == b[2] for a, b in pairwise(way))
    return chained and (way[0][2], way[-1][3]) == wanted
