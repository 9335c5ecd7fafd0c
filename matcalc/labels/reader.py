"""Index forms from text: what :mod:`matcalc.printing.indices` writes, as ``2*A[i,k]*(B*C)[l,j]``,
read back.

The indices of the answer are named as they are printed, i, j, k, l, … without the names of
variables; every other index is summed over its term. ``I[i,j]``, or ``eye[i,j]``, is the identity
and ``1[i]`` ones. A name in brackets may be a place of the expression as well, as the j of X[:,j]
is: the caller says which names are.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product

from lark import Token

from .. import expr as ex
from ..errors import MatcalcError, ShapeProblem, SyntaxProblem
from ..expr import Expr
from ..expr.sizes import Atom, show
from ..language.syntax import Syntax, span, syntax
from .bag import Bag, Factor, Label, Labels, Term
from .index_form import IndexForm

TIMES = ("*", "@", "·", ".*", "⊙", "∘")
OVER = ("/", "./")
Typed = Callable[[str], Expr]


@dataclass(frozen=True)
class _Indexed:
    """A factor with the names of its indices, and its place in the text.

    The identity has no expression.
    """

    expr: Expr | None
    names: tuple[str, ...]
    place: tuple[int, int] | None


@dataclass(frozen=True)
class _Product:
    """A coefficient times factors."""

    coefficient: Fraction = Fraction(1)
    factors: tuple[_Indexed, ...] = ()


def index_names_in(text: str) -> set[str]:
    """The names that stand alone in brackets after a value, which may be indices or places."""
    return {name for node in syntax(text).find_data("indexed") for name in _names_in(node) or ()}


def index_form_of(
    text: str, out: Sequence[Atom], typed: Typed, places: Container[str], taken: Container[str]
) -> Bag:
    """The bag of a typed index form, its outputs of the given sizes.

    ``typed`` reads the text of a factor; names in ``places`` are no indices; names that are
    ``taken`` are those of variables. Raises a MatcalcError, with its place, for what is no index
    form.
    """
    reader = _Reader(text, typed, places, taken)
    *_, body = (node for node in syntax(text).children if not isinstance(node, Token))
    return reader.bag(reader.products(body), out)


def _names_in(node: Syntax) -> tuple[str, ...] | None:
    """The indices of an indexed value, if they are names alone."""
    places = [c for c in node.children[1:] if not isinstance(c, Token)]
    if not all(p.data == "name" for p in places):
        return None
    return tuple(str(p.children[0]) for p in places)


@dataclass(frozen=True)
class _Reader:
    text: str
    typed: Typed
    places: Container[str]
    taken: Container[str]
    labels: dict[str, Label] = field(default_factory=dict)

    # ---- sums of products ------------------------------------------------------------------------

    def products(self, node: Syntax) -> list[_Product]:
        """The terms of a sum, multiplied out."""
        parts = [c for c in node.children if not isinstance(c, Token)]
        signs = [str(c) for c in node.children if isinstance(c, Token)]
        if node.data == "sum":
            minus = [False, *(s != "+" for s in signs)]
            return [
                _times(p, -1 if m else 1)
                for m, part in zip(minus, parts, strict=True)
                for p in self.products(part)
            ]
        if node.data == "signed":
            return [_times(p, 1 if signs[0] == "+" else -1) for p in self.products(parts[0])]
        if node.data == "product" and self.has_indices(node):
            return self.multiplied(node, parts, signs)
        if node.data == "indexed" and self.is_index(node):
            return [_Product(factors=(self.indexed(node),))]
        return [self.scalar(node)]

    def multiplied(
        self, node: Syntax, factors: list[Syntax], operators: list[str]
    ) -> list[_Product]:
        total = self.products(factors[0])
        for operator, factor in zip(operators, factors[1:], strict=True):
            if operator in TIMES:
                total = [_joined(a, b) for a, b in product(total, self.products(factor))]
            elif operator in OVER and not self.has_indices(factor):
                inverse = ex.divide(ex.ONE, self.number(factor))
                total = [
                    _joined(p, _Product(factors=(_Indexed(inverse, (), span(factor)),)))
                    for p in total
                ]
            else:
                raise SyntaxProblem(f"'{operator}' between factors with indices", "write *").at(
                    self.text, span(node)
                )
        return total

    def has_indices(self, node: Syntax) -> bool:
        return any(self.is_index(inner) for inner in node.find_data("indexed"))

    def is_index(self, node: Syntax) -> bool:
        names = _names_in(node)
        return names is not None and not all(name in self.places for name in names)

    # ---- factors ---------------------------------------------------------------------------------

    def scalar(self, node: Syntax) -> _Product:
        """A factor without indices."""
        for inner in node.find_data("indexed"):
            if self.is_index(inner):
                hint = "an index stands behind the whole factor: exp(x)[i], (x.^2)[i]"
                raise SyntaxProblem("an index inside of a function or a power", hint).at(
                    self.text, span(inner)
                )
        value = self.number(node)
        if value.head == "num":
            return _Product(value.value)
        return _Product(factors=(_Indexed(value, (), span(node)),))

    def number(self, node: Syntax) -> Expr:
        value = self.read(node)
        if not value.is_scalar:
            raise ShapeProblem("a factor without indices that is no number", "write A[i,k]").at(
                self.text, span(node)
            )
        return value

    def indexed(self, node: Syntax) -> _Indexed:
        names, base = _names_in(node), node.children[0]
        assert names is not None and not isinstance(base, Token)
        if base.data == "name" and str(base.children[0]) in (
            ("eye",) if "I" in self.taken else ("eye", "I")
        ):
            return _Indexed(None, names, span(node))
        return _Indexed(self.read(base), names, span(node))

    def read(self, node: Syntax) -> Expr:
        """A part of the text as an expression; an error is shown where the part stands."""
        start, stop = span(node) or (0, len(self.text))
        try:
            return self.typed(self.text[start:stop])
        except MatcalcError as problem:
            place = problem.span or (0, stop - start)
            problem.text, problem.span = self.text, (start + place[0], start + place[1])
            raise

    # ---- labels ----------------------------------------------------------------------------------

    def bag(self, products: list[_Product], out: Sequence[Atom]) -> Bag:
        """The products as a bag, whose outputs have the letters that an answer with these
        factors is printed with.
        """
        bases = [Factor(f.expr, ()) for p in products for f in p.factors if f.expr is not None]
        alphabet = IndexForm(Bag((), (Term(Fraction(1), tuple(bases)),)), ()).alphabet
        letters = _outputs(
            products,
            len(out),
            [letter for letter in alphabet if letter not in self.taken],
            alphabet,
        )
        outputs = {name: Label(size) for name, size in zip(letters, out, strict=False)}
        return Bag(tuple(outputs.values()), tuple(self.term(p, outputs) for p in products))

    def term(self, p: _Product, outputs: dict[str, Label]) -> Term:
        used = {name for f in p.factors for name in f.names}
        missing = next((name for name in outputs if name not in used), None)
        if missing is not None:
            hint = f"the indices of the answer are {', '.join(outputs)}; 1[{missing}] is ones"
            place = next((f.place for f in p.factors), (0, len(self.text)))
            raise SyntaxProblem(f"a term without the index {missing}", hint).at(self.text, place)
        labels = dict(outputs)
        factors = [f for f in p.factors if f.expr is not None and f.expr is not ex.ONE]
        constants = [f for f in p.factors if f not in factors]
        written = [Factor(f.expr, self.on(f, labels)) for f in factors if f.expr is not None]
        return Term(
            p.coefficient, (*written, *(g for f in constants for g in self.constant(f, labels)))
        )

    def on(self, f: _Indexed, labels: dict[str, Label]) -> Labels:
        """The labels of a factor, each with the length of its axis."""
        assert f.expr is not None
        sizes = [a for size in f.expr.shape_ for a in size]
        if len(sizes) != len(f.names):
            fact = (
                f"{len(f.names)} {'index' if len(f.names) == 1 else 'indices'} for "
                f"{len(sizes)} axes"
            )
            raise ShapeProblem(fact, "a matrix has two indices, a vector one").at(
                self.text, f.place
            )
        for name, size in zip(f.names, sizes, strict=True):
            label = labels.setdefault(name, Label(size))
            if label.size != size:
                fact = f"the index {name} runs to {show((label.size,))} and to {show((size,))}"
                raise ShapeProblem(fact, "an index has one length").at(self.text, f.place)
        return tuple(labels[name] for name in f.names)

    def constant(self, f: _Indexed, labels: dict[str, Label]) -> Iterator[Factor]:
        """The identity or ones, which are as long as the other factors say."""
        unknown = next((name for name in f.names if name not in labels), None)
        if f.expr is None:
            known = next((labels[name] for name in f.names if name in labels), None)
            if len(f.names) != 2 or known is None:
                raise ShapeProblem(
                    "the identity has two indices, one of them of another factor"
                ).at(self.text, f.place)
            first, second = (labels.setdefault(name, Label(known.size)) for name in f.names)
            if first.size != second.size:
                fact = (
                    f"the identity has the indices {f.names[0]} to {show((first.size,))} and "
                    f"{f.names[1]} to {show((second.size,))}"
                )
                raise ShapeProblem(fact, "it is square").at(self.text, f.place)
            yield Factor(ex.eye((known.size,)), (first, second))
        elif unknown is not None:
            raise ShapeProblem(f"nothing says how long the index {unknown} is").at(
                self.text, f.place
            )
        else:
            yield from (
                Factor(ex.ones(((labels[name].size,), ())), (labels[name],)) for name in f.names
            )


def _outputs(products: Sequence[_Product], count: int, *alphabets: Sequence[str]) -> Sequence[str]:
    """The first letters of the first alphabet of which every term has them: one without the
    names of variables, or any.
    """
    used = [{name for f in p.factors for name in f.names} for p in products]
    wishes = [letters[:count] for letters in alphabets]
    return next(
        (wish for wish in wishes if all(names.issuperset(wish) for names in used)), wishes[0]
    )


def _times(p: _Product, sign: int) -> _Product:
    return _Product(sign * p.coefficient, p.factors)


def _joined(a: _Product, b: _Product) -> _Product:
    return _Product(a.coefficient * b.coefficient, (*a.factors, *b.factors))
