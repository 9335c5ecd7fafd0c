"""Functions of modules as text, for generated source to bring along.

A module is read, not imported: its library need not be there. Its functions are written as ``ruff
format`` leaves them, two empty lines apart, with a docstring each; annotations stay behind.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from functools import cache
from pathlib import Path

RUNTIME = Path(__file__).parent.parent / "runtime"
# a function or a constant at the left margin, after its comments and decorators
START = re.compile(r"^(?:[#@].*\n)*(?:def (\w+)\(|([A-Za-z]\w*)(?:: .*)? = )", re.M)
ANNOTATED = re.compile(r"^(\w+): .*? = ", re.M)  # a constant
IMPORT = re.compile(r"^from (\w[\w.]*) import (.*)$", re.M)
FOR_TYPES = frozenset({"__future__", "collections.abc", "typing"})
# a function with a docstring of one line, and its first array
FUNCTION = re.compile(r'^def \w+\(.*?(\w+): Array[,)].*\n    """.*"""\n', re.M)


class Excerpts(Mapping[str, str]):
    """The functions and constants of modules by name, as text without annotations.

    ``imports`` are the names that the modules import, with the line that brings each; ``read``
    gives the text and the names of a piece, in another language than Python, too. Where two modules
    define or import a name, the union ``a | b`` has that of ``b``.

    >>> print(excerpts("common")["sech2"])
    def sech2(x):
        \"""1/cosh(x)^2, where cosh(x) may overflow.\"""
        e = np.exp(-2 * np.abs(x))
        return 4 * e / (1 + e) ** 2
    """

    def __init__(
        self,
        pieces: Mapping[str, str] | None = None,
        imports: Mapping[str, str] | None = None,
        read: Callable[[str], tuple[str, frozenset[str]]] | None = None,
    ) -> None:
        self.pieces, self.imports = dict(pieces or {}), dict(imports or {})
        self.read = read or unannotated

    def __getitem__(self, name: str) -> str:
        return self.read(self.pieces[name])[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self.pieces)

    def __len__(self) -> int:
        return len(self.pieces)

    def __or__(self, other: Excerpts) -> Excerpts:
        pieces = {n: text for n, text in self.pieces.items() if n not in other.imports}
        imports = {n: line for n, line in self.imports.items() if n not in other.pieces}
        return Excerpts(pieces | other.pieces, imports | other.imports, other.read)

    def needed(self, names: Iterable[str]) -> tuple[list[str], set[str]]:
        """The texts that bring some names, each after those that it uses, and all their names."""
        texts: dict[str, str] = {}
        used = set(names)
        self._bring(used & self.pieces.keys(), texts, used)
        return list(texts.values()), used

    def _bring(self, names: Set[str], texts: dict[str, str], used: set[str]) -> None:
        for name in self.pieces:
            if name in names and name not in texts:
                text, below = self.read(self.pieces[name])
                used |= below
                self._bring(below & self.pieces.keys() - {name}, texts, used)
                texts[name] = text


def excerpts(
    module: str, words: Mapping[str, str] | None = None, opening: str = "", folder: Path = RUNTIME
) -> Excerpts:
    """The functions of a module, in the words of a library.

    ``words`` are those that it spells otherwise, ``opening`` a first line of every function in
    terms of ``{0}``, its first array.

    >>> print(excerpts("common", {"np.": "xp."}, "xp = namespace({0})")["unskew"])
    def unskew(a):
        \"""The adjoint of skew.\"""
        xp = namespace(a)
        return xp.stack([a[2, 1] - a[1, 2], a[0, 2] - a[2, 0], a[1, 0] - a[0, 1]])
    """
    text = (folder / f"{module}.py").read_text(encoding="utf-8")
    imports = dict(_imports(text))
    for word, other in (words or {}).items():
        text = text.replace(word, other)
    if opening:
        text = FUNCTION.sub(lambda head: f"{head[0]}    {opening.format(head[1])}\n", text)
    return Excerpts(cut(text), imports)


def cut(text: str) -> dict[str, str]:
    """The functions and constants of a module by name, each with the comments above it."""
    starts = list(START.finditer(text))
    ends = [*(start.start() for start in starts[1:]), len(text)]
    return {
        start[1] or start[2]: text[start.start() : end].rstrip()
        for start, end in zip(starts, ends, strict=True)
    }


def _imports(text: str) -> Iterator[tuple[str, str]]:
    """The names that a module takes from others, and the line that brings each."""
    for module, names in IMPORT.findall(text):
        if module not in FOR_TYPES:
            for name in names.split(", "):
                yield name.split(" as ")[-1], f"from {module} import {name}"


@cache
def unannotated(piece: str) -> tuple[str, frozenset[str]]:
    """A function or a constant of Python without annotations, and the names that it uses."""
    statement = ast.parse(piece).body[0]
    lines = piece.split("\n")[: statement.end_lineno]
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        assert statement.value is not None
        return ANNOTATED.sub(r"\1 = ", "\n".join(lines)), _names(statement.value)
    assert isinstance(statement, ast.FunctionDef)
    for a in ast.walk(statement.args):
        if isinstance(a, ast.arg):
            a.annotation = None
    statement.returns = None
    above, body = lines[: statement.lineno - 1], lines[statement.body[0].lineno - 1 :]
    signature = f"def {statement.name}({ast.unparse(statement.args)}):"
    return "\n".join([*above, signature, *body]), _names(statement)


def _names(code: ast.AST) -> frozenset[str]:
    """The names that some code reads and neither takes nor sets itself."""
    read, own = set[str](), set[str]()
    for node in ast.walk(code):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else own).add(node.id)
        elif isinstance(node, ast.arg):
            own.add(node.arg)
    return frozenset(read - own)
