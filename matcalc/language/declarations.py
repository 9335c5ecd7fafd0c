"""Declarations: what a name is, as ``n``, ``m×n``, ``scalar``, with properties such as ``spd``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from ..errors import NameProblem, ShapeProblem, SyntaxProblem, described
from ..expr.sizes import (
    SCALAR,
    UNIT,
    Shape,
    Size,
    Sum,
    Unknown,
    resolve,
    shape_of,
    show_shape,
    total_of,
    unify,
)
from ..options import nearest
from ..tables import functions, properties
from ..tables.properties import BY_NAME, BY_WORD, Property, contradiction, properties_of

CONSTANTS = ("ones", "zeros", "eye", "vector", "matrix")
# constants that answers may hold, beside K, which may be a variable
OF_ANSWERS = ("commutation", "shifts")
NUMBERS = ("pi", "π")  # a number, unless they are declared or defined
SPELLED_GREEK = frozenset(
    (
        "alpha beta gamma delta epsilon zeta eta iota kappa lambda lam mu nu xi pi rho sigma "
        "tau phi "
        "chi psi omega"
    ).split()
)
NAME = r"[A-Za-zΑ-ΡΣ-Ωα-ω][A-Za-z0-9_Α-ΡΣ-Ωα-ω]*"
NUMBER = r"[0-9]{1,9}"
SUM = r"(.+)([+-])([^+-]+)"
SIZES = "sizes are positive integers or names"
BY_SIGNS = r"[0-9]+x\w+|[A-Za-z]x[A-Za-z]"  # 3x4, 3xn or mxn
KINDS = {"scalar": 0, "vector": 1, "matrix": 2, "row": 2}  # the sizes that each may be given with
Declaration = str | tuple[str | int, ...]


@dataclass(frozen=True)
class Declared:
    """What a declaration says about one name."""

    shape: Shape
    properties: tuple[str, ...] = ()

    @property
    def is_integer(self) -> bool:
        """Whether the name is a whole number, as sizes are, and no variable."""
        return properties.INTEGER in self.properties


INTEGER = Declared(SCALAR, (properties.INTEGER,))


def declarations(shapes: str | Mapping[str, Declaration | Declared] | None) -> dict[str, Declared]:
    """Read declarations, a text such as ``"X: m×n; S: n×n spd"`` or a mapping of names.

    The values of a mapping are texts, tuples of sizes, or declarations that were read before.
    Raises TypeError for anything else, and SyntaxProblem, NameProblem or ShapeProblem for a text
    that declares nothing, or what no matrix is.

    >>> declarations({"S": "n×n spd"})["S"].properties
    ('spd',)
    """
    if shapes is None:
        return {}
    if not isinstance(shapes, (str, Mapping)):
        raise TypeError(f"shapes are declared in a text or a mapping, not {type(shapes).__name__}")
    given = _parts(shapes) if isinstance(shapes, str) else shapes
    return {declared_name(name): _declared(name, text) for name, text in given.items()}


def _parts(text: str) -> dict[str, str]:
    """The declarations of a text by their names."""
    parts: dict[str, str] = {}
    for part in re.split(r"[;\n]|,(?=[^,:;]*:)", text):
        if not part.strip():
            continue
        name, colon, shape = part.partition(":")
        if not colon:
            raise SyntaxProblem(f"the declaration '{part.strip()[:60]}' has no ':'", "write X: m×n")
        if name.strip() in parts:
            raise SyntaxProblem(f"{name.strip()[:40]} is declared twice")
        parts[name.strip()] = shape.strip()
    return parts


def declared_name(name: str) -> str:
    """Return a name that may be declared; raises NameProblem for any other."""
    if not isinstance(name, str):
        raise TypeError(f"a name is a text, not {described(name)}")
    if not re.fullmatch(NAME, name):
        raise NameProblem(
            f"'{name[:40]}' is not a name",
            "names are letters, digits and _, and begin with a letter",
        )
    if is_function(name):
        raise NameProblem(f"'{name}' is a function and cannot be declared")
    return name


def is_function(name: str) -> bool:
    """Say whether a name is that of a function or a constant, which no variable can have."""
    return (
        name in functions.BY_NAME
        or name in functions.MACROS
        or name in CONSTANTS
        or name in OF_ANSWERS
    )


def _declared(name: str, given: Declaration | Declared) -> Declared:
    if isinstance(given, Declared):
        return given
    if isinstance(given, str):
        return _read(name, given)
    if isinstance(given, (tuple, list)):
        return Declared(declared_shape([_size(name, _size_text(s)) for s in given]))
    raise TypeError(
        f"the declaration of {name} is a text or a tuple of sizes, not {type(given).__name__}"
    )


class _Words(NamedTuple):
    """The words of one declaration, by what they are."""

    kinds: list[str]  # scalar, vector, matrix, row
    properties: list[str]
    sizes: list[str]  # of the axes


def _read(name: str, text: str) -> Declared:
    """The declaration that a text is."""
    words = _words(name, text)
    if text.count("(") != text.count(")"):
        raise SyntaxProblem(f"a bracket of the declaration of {name} is not closed")
    _check_words(name, text, words)
    if properties.INTEGER in words.properties:
        return INTEGER
    shape = _shape(name, words)
    return Declared(shape, _consistent(name, shape, words.properties))


def _words(name: str, text: str) -> _Words:
    words = _Words([], [], [])
    sizes = ""
    for word in _joined_by_crosses(text).split():
        if word in BY_WORD:
            words.properties.append(BY_WORD[word].name)
        elif word in KINDS:
            words.kinds.append(word)
        elif not sizes:
            sizes = word
        else:
            raise SyntaxProblem(
                f"'{word[:40]}' in the declaration of {name} is neither a size nor a property",
                nearest(word, BY_WORD) or "properties are " + ", ".join(sorted(BY_NAME)),
            )
    if "×" not in sizes and re.fullmatch(BY_SIGNS, sizes):
        sizes = sizes.replace("x", "×")
    return words._replace(sizes=sizes.split("×") if sizes else [])


def _joined_by_crosses(text: str) -> str:
    """A declaration with its sizes as one word: ``m×n spd`` from ``(m, n) spd``."""
    return re.sub(r"\s*[×,]\s*|\s+x\s+", "×", re.sub(r"[()]", " ", text).strip())


def _check_words(name: str, text: str, words: _Words) -> None:
    """Raise SyntaxProblem for words that do not go together, or say nothing."""
    kinds, declared, sizes = words
    problem = f"the declaration of {name} contradicts itself: {text.strip()[:60]}"
    if properties.INTEGER in declared and not _is_integer(words):
        raise SyntaxProblem(problem, "an integer is a number: 1, 2, 3, …")
    if len(kinds) > 1 or (kinds and sizes and len(sizes) != KINDS[kinds[0]]):
        raise SyntaxProblem(problem)
    if not (sizes or kinds or declared):
        raise SyntaxProblem(f"the declaration of {name} is empty", "write n, m×n or scalar")


def _is_integer(words: _Words) -> bool:
    """Whether nothing but a number is declared beside an integer."""
    return not words.sizes and words.kinds in ([], ["scalar"]) and len(words.properties) == 1


def _shape(name: str, words: _Words) -> Shape:
    if words.sizes or "scalar" in words.kinds:
        return declared_shape([_size(name, size) for size in words.sizes])
    return kind_shape(words.kinds[0] if words.kinds else default_kind(name))


def _consistent(name: str, shape: Shape, declared: Sequence[str]) -> tuple[str, ...]:
    """The properties, without those that others imply.

    Raises ShapeProblem for two that do not go together, or do not fit the shape.
    """
    rows = properties_of(declared)
    if square := [row.name for row in rows if row.square]:
        _check_square(name, shape, min(square))
    is_number = resolve(shape[0]) == UNIT == resolve(shape[1])
    if is_number:
        _check_number(name, rows)
    elif UNIT not in map(resolve, shape):
        _check_matrix(name, shape, rows)
    meant = _meant(rows, is_number)
    for a, b in combinations(meant, 2):
        why = contradiction(a, b)
        fact = "which contradict each other" if why else "which matcalc does not take together"
        raise ShapeProblem(
            f"{name} is declared {meant[a]} and {meant[b]}, {fact}", why or "declare one of them"
        )
    return tuple(meant)


def _meant(rows: Iterable[Property], is_number: bool) -> dict[str, str]:
    """The properties that no other one implies, each with the one that was declared."""
    meant: dict[str, str] = {}
    implied: set[str] = set()
    for row in rows:
        meant |= dict.fromkeys(row.of_number if is_number else (row.name,), row.name)
        implied |= {*row.implies}
    return {name: declared for name, declared in meant.items() if name not in implied}


def _check_square(name: str, shape: Shape, prop: str) -> None:
    """Raise ShapeProblem for a property of square matrices."""
    if not unify(*shape):
        raise ShapeProblem(
            f"{name} is declared {prop} but has shape {show_shape(shape)}", "it must be square"
        )


def _check_number(name: str, rows: Iterable[Property]) -> None:
    """Raise ShapeProblem for a property that leaves one number alone."""
    alone = {row.name: row.only_number for row in rows if row.only_number}
    if alone:
        prop, number = min(alone.items())
        raise ShapeProblem(f"{name} is declared {prop} but is a number", f"it would be {number}")


def _check_matrix(name: str, shape: Shape, rows: Iterable[Property]) -> None:
    """Raise ShapeProblem for a property of vectors."""
    for row in rows:
        if row.vector:
            raise ShapeProblem(
                f"{name} is declared {row.name} but has shape {show_shape(shape)}",
                "it must be a vector, whose entries sum to 1",
            )


def declared_shape(sizes: list[Size]) -> Shape:
    """The shape of some sizes; raises ShapeProblem if they are more than two."""
    if len(sizes) > 2:
        raise ShapeProblem("more than two axes", "matcalc knows scalars, vectors and matrices")
    return shape_of(sizes)


def _size_text(size: object) -> str:
    if isinstance(size, bool) or not (isinstance(size, (str, float)) or hasattr(size, "__index__")):
        raise TypeError(f"a size is a text or a whole number, not {described(size)}")
    return str(size)


def _size(name: str, text: str) -> Size:
    if not re.fullmatch(SUM, text):
        # its factors stay apart, as those of an axis that vec or kron make
        return _product(name, text)
    total = _sum(name, text)
    if total.is_empty:
        raise ShapeProblem(f"the size {text[:40]} of {name}", SIZES)
    return total.size()


def _sum(name: str, text: str) -> Sum:
    """A sum of products of sizes."""
    if parts := re.fullmatch(SUM, text):
        sign = 1 if parts[2] == "+" else -1
        return total_of([((_sum(name, parts[1]),), 1), ((_sum(name, parts[3]),), sign)])
    if re.fullmatch(NUMBER, text):
        return Sum({}, int(text))
    return total_of([(_product(name, text), 1)])


def _product(name: str, text: str) -> Size:
    return tuple(a for part in text.split("*") for a in _factor(name, part))


def _factor(name: str, text: str) -> Size:
    """A name, or a positive number."""
    if re.fullmatch(NUMBER, text):
        if int(text) == 0:
            raise ShapeProblem(f"the size 0 of {name}", SIZES)
        return () if int(text) == 1 else (int(text),)
    if re.fullmatch(NAME, text) and text not in ("nan", "inf"):
        return (text,)
    raise ShapeProblem(f"'{text[:40]}' is not a size of {name}", SIZES)


def kind_shape(kind: str) -> Shape:
    """The shape of a vector, matrix, row or scalar, of sizes that nothing says yet."""
    rows: Size = (Unknown(),) if kind in ("vector", "matrix") else UNIT
    cols: Size = (Unknown(),) if kind in ("matrix", "row") else UNIT
    return rows, cols


def default_kind(name: str) -> str:
    """The kind of a name that is not declared: a-g and Greek scalar, h-z vector, A-Z matrix."""
    first = name[0]
    if name in SPELLED_GREEK or "α" <= first <= "ω" or "a" <= first <= "g":
        return "scalar"
    return "vector" if first.islower() else "matrix"
