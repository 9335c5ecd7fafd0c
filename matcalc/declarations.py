"""Declarations: what a name is, as ``n``, ``m×n``, ``scalar``, with properties such as ``spd``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import NameProblem, ShapeProblem, SyntaxProblem
from .functions import BY_NAME, MACROS
from .sizes import SCALAR, UNIT, Shape, Size, Unknown, shape_of, show_shape, total_of, unify
from .syntax import nearest

PROPERTIES = {
    "symmetric": "symmetric", "sym": "symmetric", "spd": "spd", "diagonal": "diagonal", "diag": "diagonal",
    "positive": "positive", "pos": "positive", "spos": "positive", "unit": "unit", "simplex": "simplex", "pm1": "pm1",
    "onehot": "onehot", "mask": "mask", "orthogonal": "orthogonal", "lower": "lower", "upper": "upper", "integer": "integer",
}  # fmt: skip
SQUARE_PROPERTIES = {"symmetric", "spd", "diagonal", "orthogonal", "lower", "upper"}
CONSTANTS = ("ones", "zeros", "eye", "vector", "matrix")
NUMBERS = ("pi", "π")  # a number, unless they are declared or defined
SPELLED_GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta iota kappa lambda lam mu nu xi pi rho sigma tau phi chi psi omega".split()
)
NAME = r"[A-Za-zΑ-Ωα-ω][A-Za-z0-9_Α-Ωα-ω]*"
Declaration = str | tuple[str | int, ...]


@dataclass(frozen=True)
class Declared:
    """What a declaration says about one name."""

    shape: Shape
    properties: tuple[str, ...] = ()

    @property
    def is_integer(self) -> bool:
        """Whether the name is a whole number, as sizes are, and no variable."""
        return "integer" in self.properties


INTEGER = Declared(SCALAR, ("integer",))


def declarations(shapes: str | Mapping[str, Declaration | Declared] | None) -> dict[str, Declared]:
    """Read declarations: ``"X: m×n; S: n×n spd"``, or a mapping from names to such strings or tuples of sizes.

    >>> declarations({"S": "n×n spd"})["S"].properties
    ('spd',)
    """
    if shapes is None:
        return {}
    if not isinstance(shapes, (str, Mapping)):
        raise TypeError(f"shapes are declared in a text or a mapping, not {type(shapes).__name__}")
    if isinstance(shapes, str):
        pairs: dict[str, Declaration | Declared] = {}
        for part in re.split(r"[;\n]|,(?=[^,:;]*:)", shapes):
            if not part.strip():
                continue
            name, colon, shape = part.partition(":")
            if not colon:
                raise SyntaxProblem(f"the declaration '{part.strip()[:60]}' has no ':'", "write X: m×n")
            if name.strip() in pairs:
                raise SyntaxProblem(f"{name.strip()[:40]} is declared twice")
            pairs[name.strip()] = shape.strip()
        shapes = pairs
    return {declared_name(n): d if isinstance(d, Declared) else _declared(n, d) for n, d in shapes.items()}


def declared_name(name: str) -> str:
    """The name, if it may be declared; raises NameProblem."""
    if not isinstance(name, str):
        raise TypeError(f"the name {name!r} is not a text")
    if not re.fullmatch(NAME, name):
        raise NameProblem(f"'{name[:40]}' is not a name", "names are letters, digits and _, and begin with a letter")
    if name in BY_NAME or name in MACROS or name in CONSTANTS:
        raise NameProblem(f"'{name}' is a function and cannot be declared")
    return name


def _declared(name: str, text: Declaration) -> Declared:
    if not isinstance(text, (str, tuple, list)):
        raise TypeError(f"the declaration of {name} is a text or a tuple of sizes, not {type(text).__name__}")
    if not isinstance(text, str):
        return Declared(declared_shape([_size(name, str(s)) for s in text]))
    kinds: list[str] = []
    properties: list[str] = []
    sizes = ""
    for word in re.split(r"\s+", re.sub(r"\s*[×,]\s*|\s+x\s+", "×", re.sub(r"[()]", " ", text).strip())):
        if word in PROPERTIES:
            properties.append(PROPERTIES[word])
        elif word in ("scalar", "vector", "matrix", "row"):
            kinds.append(word)
        elif word and not sizes:
            sizes = word
        elif word:
            hint = nearest(word, PROPERTIES) or "properties are " + ", ".join(sorted(set(PROPERTIES.values())))
            raise SyntaxProblem(f"'{word[:40]}' in the declaration of {name} is neither a size nor a property", hint)
    if sizes and "×" not in sizes and re.fullmatch(r"[0-9]+x\w+|[A-Za-z]x[A-Za-z]", sizes):
        sizes = sizes.replace("x", "×")
    parts = sizes.split("×") if sizes else []
    if text.count("(") != text.count(")"):
        raise SyntaxProblem(f"a bracket of the declaration of {name} is not closed")
    if len(kinds) > 1 or (kinds and parts and len(parts) != {"scalar": 0, "vector": 1}.get(kinds[0], 2)):
        raise SyntaxProblem(f"the declaration of {name} contradicts itself: {text.strip()[:60]}")
    if not parts and not kinds and not properties:
        raise SyntaxProblem(f"the declaration of {name} is empty", "write n, m×n or scalar")
    if "integer" in properties:
        if parts or kinds not in ([], ["scalar"]) or len(properties) > 1:
            raise SyntaxProblem(f"the declaration of {name} contradicts itself: {text.strip()[:60]}", "an integer is a number: 1, 2, 3, …")
        kinds = ["scalar"]
    shape = declared_shape([_size(name, p) for p in parts]) if parts or "scalar" in kinds else kind_shape(kinds[0] if kinds else default_kind(name))
    if SQUARE_PROPERTIES.intersection(properties) and not unify(*shape):
        raise ShapeProblem(f"{name} is declared {properties[0]} but has shape {show_shape(shape)}", "it must be square")
    return Declared(shape, tuple(properties))


def declared_shape(sizes: list[Size]) -> Shape:
    """The shape of some sizes; raises ShapeProblem if they are more than two."""
    if len(sizes) > 2:
        raise ShapeProblem("more than two axes", "matcalc knows scalars, vectors and matrices")
    return shape_of(sizes)


def _size(name: str, text: str) -> Size:
    if re.fullmatch(r"[0-9]{1,9}", text):
        if int(text) == 0:
            raise ShapeProblem(f"the size 0 of {name}", "sizes are positive integers or names")
        return () if int(text) == 1 else (int(text),)
    if found := re.fullmatch(r"(.+)([+-])([^+-]+)", text):
        return total_of([(_size(name, found[1]), 1), (_size(name, found[3]), 1 if found[2] == "+" else -1)]).size()
    if "*" in text:
        return tuple(a for part in text.split("*") for a in _size(name, part))
    if re.fullmatch(NAME, text) and text not in ("nan", "inf"):
        return (text,)
    raise ShapeProblem(f"'{text[:40]}' is not a size of {name}", "sizes are positive integers or names")


def kind_shape(kind: str) -> Shape:
    rows: Size = (Unknown(),) if kind in ("vector", "matrix") else UNIT
    cols: Size = (Unknown(),) if kind in ("matrix", "row") else UNIT
    return rows, cols


def default_kind(name: str) -> str:
    first = name[0]
    if name in SPELLED_GREEK or "α" <= first <= "ω" or "a" <= first <= "g":
        return "scalar"
    return "vector" if first.islower() else "matrix"


