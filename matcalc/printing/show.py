"""Expressions and index forms in every format, and what is said of the names in them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..expr import Expr
from ..labels.roots import Root
from .formats import printer
from .text import Text


def shown(
    root: Root,
    format: str,
    names: Mapping[Expr, str] | None = None,
    taken: Collection[str] = (),
) -> str:
    r"""Write an expression or an index form in a format.

    Parts listed in ``names`` are written by their name. Nothing looks like another name, be it one
    that is ``taken`` elsewhere.

    >>> from matcalc.language.typed import typed
    >>> print(shown(typed("2*X'*(X*w - y)").expr, "latex"))
    2X^{\top}\left(Xw - y\right)
    """
    return printer(format)(root, names, taken).text()


def root_text(root: Root, taken: Collection[str] = ()) -> str:
    """The text of an expression or an index form beside the names that are ``taken``.

    An index form is written ``A[i,k]*B[l,j]``, with ``I`` for the identity and ``1`` for ones.
    """
    return Text(root, None, taken).text()


def notes(root: Root, format: str, taken: Collection[str] = ()) -> list[str]:
    """What is said of names and constants that are not spelled as usual in a format."""
    return printer(format)(root, None, taken).notes()
