"""Declarations: what a name is, as ``n``, ``m×n``, ``scalar``, with properties such as ``spd``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

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
from ..tables.functions import BY_NAME, MACROS

PROPERTIES = {
    "symmetric": "symmetric",
    "sym": "symmetric",
    "spd": "spd",
    "diagonal": "diagonal",
    "diag": "diagonal",
    "positive": "positive",
    "pos": "positive",
    "spos": "positive",
    "unit": "unit",
    "simplex": "simplex",
    "pm1": "pm1",
    "onehot": "onehot",
    "mask": "mask",
    "orthogonal": "orthogonal",
    "lower": "lower",
    "upper": "upper",
    "integer": "integer",
}
SQUARE_PROPERTIES = {"symmetric", "spd", "diagonal", "orthogonal", "lower", "upper"}
IMPLIED = {
    "spd": {"symmetric"},
    "diagonal": {"symmetric", "lower", "upper"},
    "unit": {"positive"},
    "simplex": {"positive", "unit"},
    "onehot": {"mask"},
}
OF_NUMBERS: dict[str, tuple[str, ...]] = {
    "symmetric": (),
    "diagonal": (),
    "lower": (),
    "upper": (),
    "spd": ("positive",),
    "orthogonal": ("pm1",),
}
ABOVE_ZERO = {"positive", "unit", "simplex"}
CONTRADICTIONS = (
    (
        ABOVE_ZERO,
        {"diagonal", "lower", "upper", "orthogonal", "pm1", "mask", "onehot"},
        "zeros and negative numbers are not positive",
    ),
    (
        {"pm1"},
        {"diagonal", "lower", "upper", "mask", "onehot", "spd"},
        "-1 and 1 leave no place for zeros, and none for a definite matrix",
    ),
    ({"symmetric", "spd"}, {"lower", "upper"}, "a triangle that is symmetric is diagonal"),
    ({"lower"}, {"upper"}, "a matrix that is both is diagonal"),
    (
        {"orthogonal"},
        {"spd", "diagonal", "lower", "upper"},
        "such a matrix is the identity, or has -1 and 1 on its diagonal",
    ),
)
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
    """Read declarations: ``"X: m×n.

    S: n×n spd"``, or a mapping from names to such strings or tuples of sizes.

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
                raise SyntaxProblem(
                    f"the declaration '{part.strip()[:60]}' has no ':'", "write X: m×n"
                )
            if name.strip() in pairs:
                raise SyntaxProblem(f"{name.strip()[:40]} is declared twice")
            pairs[name.strip()] = shape.strip()
        shapes = pairs
    return {
        declared_name(n): d if isinstance(d, Declared) else _declared(n, d)
        for n, d in shapes.items()
    }


def declared_name(name: str) -> str:
    """The name, if it may be declared; raises NameProblem."""
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
    """Whether a name is that of a function or a constant of the language, which no variable can
    have.
    """
    return name in BY_NAME or name in MACROS or name in CONSTANTS or name in OF_ANSWERS


def _declared(name: str, text: Declaration) -> Declared:
    if not isinstance(text, (str, tuple, list)):
        raise TypeError(
            f"the declaration of {name} is a text or a tuple of sizes, not {type(text).__name__}"
        )
    if not isinstance(text, str):
        return Declared(declared_shape([_size(name, _size_text(s)) for s in text]))
    kinds: list[str] = []
    properties: list[str] = []
    sizes = ""
    for word in re.split(
        r"\s+", re.sub(r"\s*[×,]\s*|\s+x\s+", "×", re.sub(r"[()]", " ", text).strip())
    ):
        if word in PROPERTIES:
            properties.append(PROPERTIES[word])
        elif word in ("scalar", "vector", "matrix", "row"):
            kinds.append(word)
        elif word and not sizes:
            sizes = word
        elif word:
            hint = nearest(word, PROPERTIES) or "properties are " + ", ".join(
                sorted(set(PROPERTIES.values()))
            )
            raise SyntaxProblem(
                f"'{word[:40]}' in the declaration of {name} is neither a size nor a property", hint
            )
    if sizes and "×" not in sizes and re.fullmatch(r"[0-9]+x\w+|[A-Za-z]x[A-Za-z]", sizes):
        sizes = sizes.replace("x", "×")
    parts = sizes.split("×") if sizes else []
    if text.count("(") != text.count(")"):
        raise SyntaxProblem(f"a bracket of the declaration of {name} is not closed")
    if len(kinds) > 1 or (
        kinds and parts and len(parts) != {"scalar": 0, "vector": 1}.get(kinds[0], 2)
    ):
        raise SyntaxProblem(f"the declaration of {name} contradicts itself: {text.strip()[:60]}")
    if not parts and not kinds and not properties:
        raise SyntaxProblem(f"the declaration of {name} is empty", "write n, m×n or scalar")
    if "integer" in properties:
        if parts or kinds not in ([], ["scalar"]) or len(properties) > 1:
            raise SyntaxProblem(
                f"the declaration of {name} contradicts itself: {text.strip()[:60]}",
                "an integer is a number: 1, 2, 3, …",
            )
        kinds = ["scalar"]
    shape = (
        declared_shape([_size(name, p) for p in parts])
        if parts or "scalar" in kinds
        else kind_shape(kinds[0] if kinds else default_kind(name))
    )
    return Declared(shape, _consistent(name, shape, properties))


def _consistent(name: str, shape: Shape, properties: Sequence[str]) -> tuple[str, ...]:
    """The properties, without those that others imply.

    Raises ShapeProblem for two that do not go together, or do not fit the shape.
    """
    if (square := SQUARE_PROPERTIES.intersection(properties)) and not unify(*shape):
        raise ShapeProblem(
            f"{name} is declared {min(square)} but has shape {show_shape(shape)}",
            "it must be square",
        )
    number = resolve(shape[0]) == UNIT == resolve(shape[1])
    if number:
        if one := {"simplex", "onehot"}.intersection(properties):
            raise ShapeProblem(f"{name} is declared {min(one)} but is a number", "it would be 1")
    elif "simplex" in properties and UNIT not in map(resolve, shape):
        raise ShapeProblem(
            f"{name} is declared simplex but has shape {show_shape(shape)}",
            "it must be a vector, whose entries sum to 1",
        )
    implied = {q for p in properties for q in IMPLIED.get(p, ())}
    declared = {
        meant: p for p in properties for meant in (OF_NUMBERS.get(p, (p,)) if number else (p,))
    }
    kept = [p for p in declared if p not in implied]
    for a, b in combinations(kept, 2):
        reasons = (
            why
            for some, others, why in CONTRADICTIONS
            if (a in some and b in others) or (b in some and a in others)
        )
        why = next(reasons, "")
        fact = "which contradict each other" if why else "which matcalc does not take together"
        raise ShapeProblem(
            f"{name} is declared {declared[a]} and {declared[b]}, {fact}",
            why or "declare one of them",
        )
    return tuple(kept)


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
    if found := re.fullmatch(SUM, text):
        sign = 1 if found[2] == "+" else -1
        return total_of([((_sum(name, found[1]),), 1), ((_sum(name, found[3]),), sign)])
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
    rows: Size = (Unknown(),) if kind in ("vector", "matrix") else UNIT
    cols: Size = (Unknown(),) if kind in ("matrix", "row") else UNIT
    return rows, cols


def default_kind(name: str) -> str:
    first = name[0]
    if name in SPELLED_GREEK or "α" <= first <= "ω" or "a" <= first <= "g":
        return "scalar"
    return "vector" if first.islower() else "matrix"
