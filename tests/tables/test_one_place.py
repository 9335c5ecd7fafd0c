"""What is known of a function stands in its row: no source keeps a list of functions of its own.

Outside the table a function may be *called* (``call("inv", x)``), *recognised* (``e.head ==
"inv"``) or *handled*: a dict by names is a dispatch table if all its values are code, or the names
of methods in its folder. Any other dict, set, tuple or list that names two functions says that they
have something in common, or something of each of them, and that is a column. One function among
heads of nodes, as in ``("eye", "diag")``, is the pattern of a rewrite.

Targets, with the functions that their code brings along, may spell a function in their own way; a
network has its own words for activations and losses. Words of another meaning are listed below.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set
from functools import cache
from pathlib import Path

import pytest

import matcalc
from matcalc.tables.functions import BY_NAME, MACROS

ROOT = Path(matcalc.__file__).parent
SPELLING = (
    "tables",
    "codegen/targets",
    "codegen/runtime",
    "codegen/write/reusing.py",  # how NumPy writes to a place
    "network",
)
NAMES = {*BY_NAME, *MACROS}
# what a step of a plan is called, after NumPy; a step is one call of a library
STEPS = {"sum", "dot", "outer", "trace", "diag", "diagonal", "solve", "det", "logdet", "adjugate"}
PLANS = ("codegen/plan", "codegen/passes", "codegen/write", "codegen/cost.py")
LEAVES = {"var"}  # the head of a variable, and the variance


def sources() -> list[str]:
    """The files that may not list functions, by their paths in the package."""
    paths = (path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))
    return sorted(path for path in paths if not path.startswith(SPELLING))


@cache
def methods(folder: Path) -> frozenset[str]:
    """The names of all functions that the files of a folder define."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in folder.glob("*.py"))
    nodes = (node for tree in trees for node in ast.walk(tree))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef))


def is_code(value: ast.expr, methods: Set[str]) -> bool:
    """Tell if the value of a dict is a function, or the name of a method."""
    if isinstance(value, ast.Constant):
        return value.value in methods
    return not isinstance(value, ast.JoinedStr)


def entries(node: ast.AST, methods: Set[str]) -> list[ast.expr]:
    """What a collection holds; nothing of a dispatch table."""
    if isinstance(node, (ast.Set, ast.Tuple, ast.List)):
        return list(node.elts)
    if not isinstance(node, ast.Dict) or all(is_code(value, methods) for value in node.values):
        return []
    keys = [key for key in node.keys if key is not None]
    return [*keys, *node.values]


def listed(source: str, other_words: Set[str], methods: Set[str]) -> Iterator[set[str]]:
    """The functions that each collection of a source lists, where they are several."""
    for node in ast.walk(ast.parse(source)):
        held = (e for e in entries(node, methods) if isinstance(e, ast.Constant))
        functions = {e.value for e in held if e.value in NAMES} - other_words
        if len(functions) > 1:
            yield functions


@pytest.mark.parametrize("path", sources())
def test_no_source_lists_functions(path: str) -> None:
    other_words = LEAVES | STEPS if path.startswith(PLANS) else LEAVES
    file = ROOT / path
    lists = listed(file.read_text(encoding="utf-8"), other_words, methods(file.parent))
    assert list(lists) == []


@pytest.mark.parametrize(
    ("source", "functions"),
    [
        ('POSITIVE = frozenset({"exp", "cosh"})', [{"exp", "cosh"}]),
        ('e.head in ("sinh", "cosh", "add")', [{"sinh", "cosh"}]),
        ('dict.fromkeys(["inv", "det"], "poles")', [{"inv", "det"}]),
        ('{"exp": "expm", "log": "logm"}', [{"exp", "expm", "log", "logm"}]),
        ('{"inv": _inverse, "det": lambda e: e}', []),
        ('{"inv": "inverse", "exp": "exponential"}', []),
        ('call("inv", call("tr", x))', []),
        ('e.head in ("eye", "inv")', []),
    ],
)
def test_lists_of_functions_are_seen(source: str, functions: list[set[str]]) -> None:
    assert list(listed(source, LEAVES, {"inverse", "exponential"})) == functions
