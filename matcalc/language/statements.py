"""Definitions and an expression as one program, with names for the sizes that nothing says.

A name is a scalar (a-g, Greek letters), a vector (h-z) or a matrix (A-Z) unless it is declared, or
used in a way that only a vector allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import cached_property

from .. import expr as ex
from ..errors import NameProblem
from ..expr import Expr
from ..expr.sizes import (
    UNIT,
    Shape,
    Unknown,
    base_atoms,
    fresh_names,
    in_any_order,
    might_be_equal,
    names_of_sizes,
    unify,
)
from .declarations import Declared, is_function, kind_shape
from .elaborate import Builder
from .names import written_sizes
from .notes import note_on_call, notes_on_names, notes_on_numbers
from .program import Program
from .settle import is_settled, name_unknowns, settle, settled_leaf
from .syntax import Syntax, span, subtrees, tokens


class Statements:
    """The statements of a text, which are built in order.

    ``kinds`` are those of the names that are not declared; ``numbers`` are names that stand for
    whole numbers although nothing but their use says so.
    """

    def __init__(
        self,
        text: str,
        tree: Syntax,
        declared: Mapping[str, Declared],
        kinds: Mapping[str, str],
        numbers: Set[str] = frozenset(),
    ) -> None:
        self.text, self.tree, self.declared = text, tree, declared
        self.names: dict[str, Expr] = {}
        self.definitions: dict[str, Expr] = {}
        self.assumed: list[str] = []  # the names of which a kind or a size is assumed
        self.integers = tuple(name for name, d in declared.items() if d.is_integer)
        declared_sizes = names_of_sizes(size for d in declared.values() for size in d.shape)
        self.sizes = declared_sizes.union(written_sizes(tree), numbers, self.integers)
        for name, d in declared.items():
            if not d.is_integer:
                self._declare(name, d)
        for name, kind in kinds.items():
            if name not in self.sizes:
                self.names[name] = ex.var(name, kind_shape(kind))
                self.assumed.append(name)
        self.builder = Builder(text, self.names, self.sizes)

    def _declare(self, name: str, d: Declared) -> None:
        rows, cols = map(in_any_order, d.shape)
        self.names[name] = ex.var(name, (rows, cols), d.properties)
        if any(isinstance(a, Unknown) for size in d.shape for a in base_atoms(size)):
            self.assumed.append(name)

    def program(self, fitting: Sequence[Shape] = ()) -> Program[Expr]:
        """The program; sizes that it leaves open are those of the first shape that fits."""
        *definitions, body = subtrees(self.tree)
        for statement in definitions:
            self._define(statement)
        expr = self.builder.build(body)
        _fit(expr, fitting)
        return self._settled(expr)

    # ---- definitions -----------------------------------------------------------------------------

    def _define(self, statement: Syntax) -> None:
        (name,), (value,) = tokens(statement), subtrees(statement)
        self._check_new(name, statement)
        self.names[name] = self.definitions[name] = self.builder.build(value)
        if name in self.assumed:
            self.assumed.remove(name)

    def _check_new(self, name: str, statement: Syntax) -> None:
        """Raise NameProblem for a name that has a meaning, or is used up to its definition."""
        if is_function(name) or name in self.definitions or name in self.declared:
            raise NameProblem(f"'{name}' already has a meaning", "choose another name").at(
                self.text, span(statement)
            )
        use = self.first_uses.get(name)
        if use is not None and use.meta.start_pos < statement.meta.end_pos:
            fact = f"'{name}' is used before it is defined"
            raise NameProblem(fact).at(self.text, span(use))

    @cached_property
    def first_uses(self) -> dict[str, Syntax]:
        """The node of the first use of each name, later uses first."""
        uses = sorted(self.tree.find_data("name"), key=lambda node: -node.meta.start_pos)
        return {str(node.children[0]): node for node in uses}

    # ---- sizes and variables ---------------------------------------------------------------------

    def _settled(self, expr: Expr) -> Program[Expr]:
        """The program with names for the sizes that are still unknown."""
        roots = [expr, *self.definitions.values()]
        self._name_unknown_sizes(roots)
        settled = ex.substitute_all(roots, settled_leaf, skip=is_settled)
        variables = self._variables(settled.values())
        assumed = tuple(name for name in self.assumed if name in variables)
        notes = self._notes([variables[name] for name in assumed])
        return Program(
            settled[expr],
            {name: settled[e] for name, e in self.definitions.items()},
            variables,
            assumed,
            self._unused(variables),
            self.text,
            self.integers,
            tuple(dict.fromkeys(notes)),
        )

    def _name_unknown_sizes(self, roots: list[Expr]) -> None:
        """Name the sizes of variables, those of matrices first, and then all others."""
        typed = [self.names[name] for name in self.names if name in self.first_uses]
        used = [*ex.variables(*roots), *(e for e in typed if e.head == "var")]
        taken = {v.name for v in used}.union(self.definitions, self.sizes, self.names)
        names = fresh_names(taken)
        for v in sorted(used, key=_matrices_first):
            for size in reversed(v.shape_):  # the columns first: X is m×n, a lone vector n
                name_unknowns(size, names)
        for size in ex.sizes_of(ex.postorder(*roots)):
            name_unknowns(size, names)

    def _variables(self, roots: Iterable[Expr]) -> dict[str, Expr]:
        """The variables by their names, those that cancel among them."""
        variables = {v.name: v for v in ex.variables(*roots)}
        for name in self.first_uses:
            if name in self.names and name not in variables and name not in self.definitions:
                variables[name] = settle(self.names[name])
        return variables

    def _unused(self, variables: Mapping[str, Expr]) -> tuple[str, ...]:
        """The declared names that the text does not use."""
        used = {*variables, *(name for name in self.integers if name in self.first_uses)}
        return tuple(name for name in self.declared if name not in used)

    def _notes(self, assumed: list[Expr]) -> Iterator[str]:
        yield from notes_on_names(assumed, self.tree)
        yield from notes_on_numbers(self.tree)
        for call, name, argument in self.builder.entrywise:
            note = note_on_call(call, name, settle(argument))
            if note is not None:
                yield note


def _matrices_first(v: Expr) -> tuple[bool, str]:
    return (v.shape_[1] == UNIT, v.name)


def _fit(e: Expr, shapes: Iterable[Shape]) -> None:
    """Make the open sizes of an expression those of the first shape that fits."""
    for shape in shapes:
        if all(map(might_be_equal, e.shape_, shape)):
            for own, size in zip(e.shape_, shape, strict=True):
                unify(own, size)
            return
