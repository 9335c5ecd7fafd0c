"""What is said of a text whose writer may have meant something else: sizes, names and functions
that are not what they look like.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from lark import Token

from .. import expr as ex
from ..expr import Expr
from ..expr.sizes import SCALAR, UNIT, names_of_sizes, renamed, unused
from .declarations import NUMBERS, Declared, is_function
from .syntax import Syntax

MEANT = {"I": "the identity is eye", "E": "the identity is eye", "T": "the transpose is ' or .T"}
# and the functions of matrices
ENTRYWISE = {"exp": "expm", "log": "logm", "ln": "logm", "sqrt": "sqrtm"}
SHOWN = 30  # characters of a call in a note


def apart(
    declared: Mapping[str, Declared], tree: Syntax
) -> tuple[dict[str, Declared], tuple[str, ...]]:
    """The declarations with other names for the sizes whose names stand for something else, and
    what is said of that.
    """
    variables = {name for name, d in declared.items() if not d.is_integer}
    variables |= {str(node.children[0]) for node in tree.find_data("definition")}
    sizes = names_of_sizes(size for d in declared.values() for size in d.shape)
    clashes = sorted(
        name for name in sizes if name in variables or name in NUMBERS or is_function(name)
    )
    taken = {
        *declared,
        *sizes,
        *(str(node.children[0]) for node in tree.find_data("name")),
        *variables,
    }
    names: dict[str, str] = {}
    for name in clashes:
        names[name] = unused(name, taken)
        taken.add(names[name])
    if not names:
        return dict(declared), ()
    other = {
        name: replace(d, shape=(renamed(d.shape[0], names), renamed(d.shape[1], names)))
        for name, d in declared.items()
    }
    kinds = {
        name: "variable" if name in variables else "function" if is_function(name) else "number"
        for name in names
    }
    return other, tuple(
        f"{name} is a {kinds[name]} here (the size {name} is written {new})"
        for name, new in names.items()
    )


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
    return f"{shown} is entry by entry ({ENTRYWISE[name]} is the matrix function)"


def _word(node: Syntax | Token, kind: str) -> str:
    """The word of a leaf of a kind, or nothing."""
    return str(node.children[0]) if not isinstance(node, Token) and node.data == kind else ""
