"""The one namer: whatever is printed gives way to the names of the user.

A constant whose usual spelling is the name of a variable is spelled otherwise, and that is noted;
names for parts and letters for indices are chosen among those that are left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

# the spellings of a constant in the language, the usual one first; one of them is the name of no
# variable
SPELLINGS: dict[str, tuple[str, ...]] = {
    "pi": ("pi", "π", "arccos(-1)"),
    "commutation": ("K", "commutation"),
    "shifts": ("shifts",),
    "identity": ("I", "eye"),  # I[i,j] of index forms
}
MEANINGS = {"pi": "the number", "commutation": "the commutation matrix", "identity": "the identity"}


def spelling(constant: str, taken: Collection[str]) -> str:
    """The first spelling of a constant that is not taken.

    >>> spelling("pi", {"x"}), spelling("pi", {"pi"})
    ('pi', 'π')
    """
    return next(word for word in SPELLINGS[constant] if word not in taken)


def spelling_notes(constants: Iterable[str], taken: Collection[str]) -> Iterator[str]:
    """What is said of constants that are not spelled as usual."""
    for constant in dict.fromkeys(constants):
        usual, word = SPELLINGS[constant][0], spelling(constant, taken)
        if word != usual:
            yield f"{usual} is a variable here ({MEANINGS[constant]} is written {word})"
