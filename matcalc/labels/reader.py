"""Index forms from text, as they are printed: ``2*A[i,k]*(B*C)[l,j]``.

The indices of the answer are named as they are printed, i, j, k, l, … without the names of
variables; every other index is summed over its term. ``I[i,j]``, or ``eye[i,j]``, is the identity
and ``1[i]`` ones. A name in brackets may be a place of the expression as well, as the j of X[:,j]
is: the caller says which names are.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from .. import expr as ex
from ..errors import MatcalcError, ShapeProblem, SyntaxProblem
from ..expr import Expr
from ..expr.sizes import Atom, show
from ..language.syntax import Syntax, span, subtrees, syntax, tokens
from .bag import Bag, Factor, Label, Term, one, wire
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

    @property
    def is_constant(self) -> bool:
        """Say if it is the identity or ones, whose lengths other factors say."""
        return self.expr is None or self.expr is ex.ONE


@dataclass(frozen=True)
class _Product:
    """A coefficient times factors."""

    coefficient: Fraction = Fraction(1)
    factors: tuple[_Indexed, ...] = ()


def index_names_in(text: str) -> set[str]:
    """The names that stand alone in brackets after a value, which may be indices or places."""
    names: set[str] = set()
    for node in syntax(text).find_data("indexed"):
        names.update(_names_in(node) or ())
    return names


def index_form_of(
    text: str, out: Sequence[Atom], typed: Typed, places: Container[str], taken: Container[str]
) -> Bag:
    """The bag of a typed index form, its outputs of the given sizes.

    ``typed`` reads the text of a factor; names in ``places`` are no indices; names that are
    ``taken`` are those of variables. Raises a MatcalcError, with its place, for what is no index
    form.
    """
    reader = _Reader(text, typed, places, taken)
    body = subtrees(syntax(text))[-1]
    return reader.bag(reader.products(body), out)


def _names_in(node: Syntax) -> tuple[str, ...] | None:
    """The indices of an indexed value, if they are names alone."""
    _, *indices = subtrees(node)
    if any(index.data != "name" for index in indices):
        return None
    return tuple(str(index.children[0]) for index in indices)


@dataclass(frozen=True)
class _Reader:
    text: str
    typed: Typed
    places: Container[str]
    taken: Container[str]

    # ---- sums of products ------------------------------------------------------------------------

    def products(self, node: Syntax) -> list[_Product]:
        """The terms of a sum, multiplied out."""
        if node.data == "sum":
            return self.added(node)
        if node.data == "signed":
            return [_signed(tokens(node)[0], p) for p in self.products(*subtrees(node))]
        if node.data == "product" and self.has_indices(node):
            return self.multiplied(node)
        if node.data == "indexed" and self.is_index(node):
            return [_Product(factors=(self.indexed(node),))]
        return [self.scalar(node)]

    def added(self, node: Syntax) -> list[_Product]:
        first, *others = subtrees(node)
        terms = self.products(first)
        for sign, other in zip(tokens(node), others, strict=True):
            terms += [_signed(sign, p) for p in self.products(other)]
        return terms

    def multiplied(self, node: Syntax) -> list[_Product]:
        first, *others = subtrees(node)
        terms = self.products(first)
        for operator, other in zip(tokens(node), others, strict=True):
            if operator in TIMES:
                factors = self.products(other)
            elif operator in OVER and not self.has_indices(other):
                inverse = ex.divide(ex.ONE, self.number(other))
                factors = [_Product(factors=(_Indexed(inverse, (), span(other)),))]
            else:
                raise SyntaxProblem(f"'{operator}' between factors with indices", "write *").at(
                    self.text, span(node)
                )
            terms = [_joined(a, b) for a, b in product(terms, factors)]
        return terms

    def has_indices(self, node: Syntax) -> bool:
        return any(map(self.is_index, node.find_data("indexed")))

    def is_index(self, node: Syntax) -> bool:
        """Say if the names in brackets are indices: not all of them are places."""
        names = _names_in(node)
        return names is not None and not all(name in self.places for name in names)

    # ---- factors ---------------------------------------------------------------------------------

    def scalar(self, node: Syntax) -> _Product:
        """A factor without indices."""
        inside = next(filter(self.is_index, node.find_data("indexed")), None)
        if inside is not None:
            fact = "an index inside of a function or a power"
            hint = "an index stands behind the whole factor: exp(x)[i], (x.^2)[i]"
            raise SyntaxProblem(fact, hint).at(self.text, span(inside))
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
        base, names = subtrees(node)[0], _names_in(node)
        assert names is not None
        value = None if self.is_identity(base) else self.read(base)
        return _Indexed(value, names, span(node))

    def is_identity(self, node: Syntax) -> bool:
        if node.data != "name":
            return False
        name = str(node.children[0])
        return name == "eye" or (name == "I" and "I" not in self.taken)

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
        """The products as a bag, its outputs lettered as an answer with these factors is."""
        bases = [Factor(f.expr, ()) for p in products for f in p.factors if f.expr is not None]
        alphabet = IndexForm(Bag((), (Term(Fraction(1), tuple(bases)),)), ()).alphabet
        no_variables = [letter for letter in alphabet if letter not in self.taken]
        letters = _outputs(products, len(out), no_variables, alphabet)
        outputs = {name: Label(size) for name, size in zip(letters, out, strict=False)}
        return Bag(tuple(outputs.values()), tuple(self.term(p, outputs) for p in products))

    def term(self, p: _Product, outputs: dict[str, Label]) -> Term:
        self.check_outputs(p, outputs)
        labels = dict(outputs)
        factors = [self.factor(f, labels) for f in p.factors if not f.is_constant]
        for f in p.factors:
            if f.is_constant:
                factors += self.constant(f, labels)
        return Term(p.coefficient, tuple(factors))

    def check_outputs(self, p: _Product, outputs: dict[str, Label]) -> None:
        """Raise SyntaxProblem for a term that does not have every index of the answer."""
        used = {name for f in p.factors for name in f.names}
        missing = [name for name in outputs if name not in used]
        if missing:
            hint = f"the indices of the answer are {', '.join(outputs)}; 1[{missing[0]}] is ones"
            place = p.factors[0].place if p.factors else (0, len(self.text))
            raise SyntaxProblem(f"a term without the index {missing[0]}", hint).at(self.text, place)

    def factor(self, f: _Indexed, labels: dict[str, Label]) -> Factor:
        """An expression with its labels, each with the length of its axis."""
        assert f.expr is not None
        sizes = [a for size in f.expr.shape_ for a in size]
        if len(sizes) != len(f.names):
            indices = "index" if len(f.names) == 1 else "indices"
            fact = f"{len(f.names)} {indices} for {len(sizes)} axes"
            raise ShapeProblem(fact, "a matrix has two indices, a vector one").at(
                self.text, f.place
            )
        for name, size in zip(f.names, sizes, strict=True):
            label = labels.setdefault(name, Label(size))
            if label.size != size:
                fact = f"the index {name} runs to {show((label.size,))} and to {show((size,))}"
                raise ShapeProblem(fact, "an index has one length").at(self.text, f.place)
        return Factor(f.expr, tuple(labels[name] for name in f.names))

    def constant(self, f: _Indexed, labels: dict[str, Label]) -> list[Factor]:
        """The identity or ones, which are as long as the other factors say."""
        return self.ones(f, labels) if f.expr is not None else [self.identity(f, labels)]

    def ones(self, f: _Indexed, labels: dict[str, Label]) -> list[Factor]:
        unknown = [name for name in f.names if name not in labels]
        if unknown:
            fact = f"nothing says how long the index {unknown[0]} is"
            raise ShapeProblem(fact).at(self.text, f.place)
        return [one(labels[name]) for name in f.names]

    def identity(self, f: _Indexed, labels: dict[str, Label]) -> Factor:
        sizes = [labels[name].size for name in f.names if name in labels]
        if len(f.names) != 2 or not sizes:
            fact = "the identity has two indices, one of them of another factor"
            raise ShapeProblem(fact).at(self.text, f.place)
        first, second = (labels.setdefault(name, Label(sizes[0])) for name in f.names)
        if first.size != second.size:
            fact = (
                f"the identity has the indices {f.names[0]} to {show((first.size,))} and "
                f"{f.names[1]} to {show((second.size,))}"
            )
            raise ShapeProblem(fact, "it is square").at(self.text, f.place)
        return wire(first, second)


def _outputs(products: Sequence[_Product], count: int, *alphabets: Sequence[str]) -> Sequence[str]:
    """The first letters of the first alphabet of which every term has them, else of the first."""
    used = [{name for f in p.factors for name in f.names} for p in products]
    wishes = [letters[:count] for letters in alphabets]
    for wish in wishes:
        if all(names.issuperset(wish) for names in used):
            return wish
    return wishes[0]


def _signed(sign: str, p: _Product) -> _Product:
    return p if sign == "+" else _Product(-p.coefficient, p.factors)


def _joined(a: _Product, b: _Product) -> _Product:
    return _Product(a.coefficient * b.coefficient, (*a.factors, *b.factors))
