r"""Names in LaTeX: ``\lambda`` for lambda, ``W_{1}`` for W1.

Two names never look alike, nor does a name look like a constant.

What a name would share with another is written as it is typed, ``\mathtt{a\_1}``; a function or a
constant that a name looks like is written by its word, ``\operatorname{sigmoid}``. Both are said.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable, Iterator
from functools import cached_property

from ..expr.sizes import unused

_LETTERS = {
    "α": r"\alpha",
    "β": r"\beta",
    "γ": r"\gamma",
    "δ": r"\delta",
    "ε": r"\epsilon",
    "ζ": r"\zeta",
    "η": r"\eta",
    "θ": r"\theta",
    "ι": r"\iota",
    "κ": r"\kappa",
    "λ": r"\lambda",
    "μ": r"\mu",
    "ν": r"\nu",
    "ξ": r"\xi",
    "ο": "o",
    "π": r"\pi",
    "ρ": r"\rho",
    "ς": r"\varsigma",
    "σ": r"\sigma",
    "τ": r"\tau",
    "υ": r"\upsilon",
    "φ": r"\phi",
    "χ": r"\chi",
    "ψ": r"\psi",
    "ω": r"\omega",
    "Γ": r"\Gamma",
    "Δ": r"\Delta",
    "Θ": r"\Theta",
    "Λ": r"\Lambda",
    "Ξ": r"\Xi",
    "Π": r"\Pi",
    "Σ": r"\Sigma",
    "Υ": r"\Upsilon",
    "Φ": r"\Phi",
    "Ψ": r"\Psi",
    "Ω": r"\Omega",
    # TeX has no command for these
    **{
        greek: rf"\mathrm{{{latin}}}"
        for greek, latin in zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧ", "ABEZHIKMNOPTX", strict=True)
    },
}
_SPELLED = {tex[1:]: tex for tex in _LETTERS.values() if tex[1:].isalpha()} | {"lam": r"\lambda"}
# the character that a command of LaTeX stands for
CHARACTERS = {tex: letter for letter, tex in _LETTERS.items() if tex[1:].isalpha()}
_FONTS = re.compile(r"\\math(?:it|rm)\{([^{}]*)\}")
_BASE = re.compile(r"\\?[A-Za-z]+")


def symbol(name: str) -> str:
    r"""The LaTeX of a matcalc name: subscripts for what follows ``_`` or for digits at the end,
    Greek where it is meant.

    >>> symbol("W1"), symbol("x_train"), symbol("lambda"), symbol("loss")
    ('W_{1}', 'x_{\\mathrm{train}}', '\\lambda', '\\mathit{loss}')
    """
    first, *below = name.split("_")
    letters, digits = re.fullmatch(r"(.+?)(\d*)", first, re.DOTALL).groups()  # type: ignore[union-attr]
    subscripts = [digits] * bool(digits) + [_word(part, "mathrm") or r"\_" for part in below]
    return _word(letters, "mathit") + (f"_{{{','.join(subscripts)}}}" if subscripts else "")


def _word(word: str, font: str) -> str:
    if word in _SPELLED or word.isdigit() or len(word) < 2:
        return _SPELLED.get(word) or _LETTERS.get(word, word)
    letters = "".join(f"{_LETTERS[c]} " if c in _LETTERS else c for c in word)
    return f"\\{font}{{{letters.strip()}}}"


class Symbols:
    r"""The LaTeX of the names of one text.

    >>> found = Symbols(["a1", "a_1", "λ", "lambda"])
    >>> found("a1"), found("a_1"), found("λ"), found("lambda")
    ('a_{1}', '\\mathtt{a\\_1}', '\\lambda', '\\mathtt{lambda}')
    """

    def __init__(
        self, names: Iterable[str], reserved: Iterable[str] = (), indexed: Container[str] = ()
    ) -> None:
        """``reserved`` is what constants look like; of ``indexed`` names there are entries."""
        self._names: dict[str, str] = {}
        heads: set[str] = set()
        seen = set(reserved)
        names = set(names)
        for name in sorted(names, key=lambda name: (len(name), name)):
            tex = symbol(name)
            if (
                _look(tex) in seen
                or _is_product(name, tex, names)
                or tex.partition("_{")[0] in heads
            ):
                tex = rf"\mathtt{{{_typed(name, seen)}}}"
            seen.add(_look(tex))
            self._names[name] = tex
            if name in indexed:
                heads.add(tex)

    def __call__(self, name: str) -> str:
        return self._names.get(name) or symbol(name)

    @cached_property
    def bases(self) -> frozenset[str]:
        """The letters that symbols begin with: a function or a constant that is one of them has
        another.
        """
        found = (_BASE.match(tex) for tex in self._names.values())
        return frozenset(base[0] for base in found if base)

    def spelled(self, usual: str, word: str) -> str:
        """A constant or a function: as usual, or by its word where a name looks like it."""
        letters = re.findall(r"\\?[A-Za-z]+", usual)
        return rf"\operatorname{{{word}}}" if self.bases.intersection(letters) else usual

    def changed(self, written: Container[str]) -> Iterator[tuple[str, str, str]]:
        """The written names that do not look as usual, with their LaTeX and the usual one."""
        for name, tex in self._names.items():
            if name in written and tex.startswith(r"\mathtt"):
                yield name, tex, symbol(name)


def _look(tex: str) -> str:
    """What a reader sees, whatever the font."""
    return _FONTS.sub(r"\1", tex)


def _is_product(name: str, tex: str, names: set[str]) -> bool:
    """Whether a word looks like a product of other names."""
    return tex == rf"\mathit{{{name}}}" and names.issuperset(name)


def _typed(name: str, seen: Iterable[str]) -> str:
    """A name as it is typed, Greek letters by their names, with a number if it needs one."""
    plain = "".join(_latin(c) for c in name).replace("_", r"\_")
    taken = {
        look.removeprefix(r"\mathtt{").removesuffix("}")
        for look in seen
        if look.startswith(r"\mathtt")
    }
    return plain if plain not in taken else unused(rf"{plain}\_", {*taken, rf"{plain}\_"})


def _latin(c: str) -> str:
    if c.isascii():
        return c
    if _LETTERS[c][1:].isalpha():
        return _LETTERS[c][1:]
    _, case, _, letter = unicodedata.name(c).split()
    return letter.lower() if case == "SMALL" else letter.capitalize()
