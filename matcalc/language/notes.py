"""What is said of a text whose writer may have meant something else: sizes, names and functions
that are not what they look like.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace

from lark import Token

from .. import expr as ex
from ..expr import Expr
from ..expr.sizes import SCALAR, UNIT, names_of_sizes, renamed, unused
from ..tables.functions import BY_NAME, MACROS
from .declarations import NUMBERS, Declared, is_function
from .syntax import Syntax

MEANT = {"I": "the identity is eye", "E": "the identity is eye", "T": "the transpose is ' or .T"}
# the functions of matrices that functions of entries are mistaken for, by every name of these
OF_MATRICES = {name: f.of_matrices for name, f in (BY_NAME | MACROS).items() if f.of_matrices}
SHOWN = 30  # characters of a call in a note


def apart(
    declared: Mapping[str, Declared], tree: Syntax
) -> tuple[dict[str, Declared], tuple[str, ...]]:
    """The declarations with other names for the sizes whose names stand for something else, and
    what is said of that.
    """
    variables = {name for name, d in declared.items() if not d.is_integer}
    variables |= _written(tree, "definition")
    sizes = names_of_sizes(size for d in declared.values() for size in d.shape)
    meanings = {name: _other_meaning(name, variables) for name in sorted(sizes)}
    taken = {*declared, *sizes, *_written(tree, "name"), *variables}
    names: dict[str, str] = {}
    for name in filter(meanings.get, meanings):
        names[name] = unused(name, taken)
        taken.add(names[name])
    if not names:
        return dict(declared), ()
    other = {name: _with_other_sizes(d, names) for name, d in declared.items()}
    return other, tuple(
        f"{name} is a {meanings[name]} here (the size {name} is written {new})"
        for name, new in names.items()
    )


def _written(tree: Syntax, kind: str) -> set[str]:
    """The names at the head of all nodes of a kind."""
    return {str(node.children[0]) for node in tree.find_data(kind)}


def _with_other_sizes(declared: Declared, names: Mapping[str, str]) -> Declared:
    rows, columns = declared.shape
    return replace(declared, shape=(renamed(rows, names), renamed(columns, names)))


def _other_meaning(size: str, variables: Set[str]) -> str:
    """What the name of a size stands for beside, if anything."""
    if size in variables:
        return "variable"
    if is_function(size):
        return "function"
    return "number" if size in NUMBERS else ""


def notes_on_names(variables: Iterable[Expr], tree: Syntax) -> Iterator[str]:
    """What is said of undeclared variables that have the name of something else."""
    bases = {word for node in tree.find_data("power") if (word := _word(node.children[0], "name"))}
    for v in variables:
        kind = "scalar" if v.shape_ == SCALAR else "vector" if UNIT in v.shape_ else "free matrix"
        if v.name in MEANT:
            yield f"{v.name} is a {kind} here ({MEANT[v.name]})"
        if v.name == "e" and "e" in bases:
            yield f"e is a {kind} here (the exponential is exp)"


def notes_on_numbers(tree: Syntax) -> Iterator[str]:
    """What is said of 1', which is no row of ones."""
    for node in tree.find_data("transpose"):
        if number := _word(node.children[0], "number"):
            yield f"{number}' is the number {number} (a row of ones is ones(n)')"


def note_on_call(call: str, name: str, argument: Expr) -> str | None:
    """What is said of a function of entries that is applied to a symmetric matrix, of which
    there is a function of matrices, too.
    """
    if UNIT in argument.shape_ or ex.transpose(argument) is not argument:
        return None
    shown = call if len(call) <= SHOWN else f"{name}(…)"
    return f"{shown} is entry by entry ({OF_MATRICES[name]} is the matrix function)"


def _word(node: Syntax | Token, kind: str) -> str:
    """The word of a leaf of a kind, or nothing."""
    return str(node.children[0]) if not isinstance(node, Token) and node.data == kind else ""
