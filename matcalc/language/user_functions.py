"""Functions that a user adds: read with a caret under what is wrong, and written out by what
they mean wherever they are evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import expr as ex
from ..errors import NameProblem, SyntaxProblem, text_of
from ..expr import Expr
from ..tables.functions import BY_NAME, Row, words
from .declarations import declared_name
from .elaborate import template

USER: set[str] = set()


AXIS = r"(?:[a-z1-9]|\([a-z]{2,}\))"
SIGNATURE = re.compile(rf"{AXIS}{{2}}(?:,{AXIS}{{2}})?->{AXIS}{{2}}")
FACTOR = re.compile(r"(?P<text>.*?)(?:\[(?P<letters>[a-z1-9](?:,[a-z1-9])*)\])?$")
ARGUMENTS = "xw"


def register(row: Row) -> None:
    """Add a row to the table; raises NameProblem if its name is taken or not a name,
    SyntaxProblem for a text that cannot be read.
    """
    declared_name(row.name)
    if re.search(rf"\b{row.name}\b", row.exact):
        raise NameProblem(
            f"the meaning of {row.name} contains {row.name}", "write it in functions that are there"
        )
    if row.rule:
        _check_signature(row)
        _check_rule(row)
    BY_NAME[row.name] = row
    USER.add(row.name)


def _check_signature(row: Row) -> None:
    """Raise SyntaxProblem for a signature that does not give two axes to one or two arguments
    and to the result.
    """
    text = row.signature
    if not SIGNATURE.fullmatch(text):
        hint = "write two letters for each argument and for the result, as in ij->11 or ij,jk->ik"
        raise SyntaxProblem(f"the signature of {row.name} cannot be read", hint).at(
            text, (0, len(text))
        )
    arguments, _, result = text.partition("->")
    for k, letter in enumerate(result, len(arguments) + 2):
        if letter.isalnum() and letter != "1" and letter not in arguments:
            problem = SyntaxProblem(
                f"no argument of {row.name} has the axis {letter}", "its length would be unknown"
            )
            raise problem.at(text, (k, k + 1))


def _check_rule(row: Row) -> None:
    """Raise SyntaxProblem for a differential whose terms do not each hold one dx or dw with its
    two letters.
    """
    for term in _terms(row.rule):
        factors = [(place, FACTOR.match(row.rule[slice(*place)])) for place in term]
        read = [(place, f["text"], (f["letters"] or "").split(",")) for place, f in factors if f]
        known = {*filter(str.isalnum, row.signature)}
        known.update(letter for _, text, letters in read if text != "1" for letter in letters)
        if [text in ("dx", "dw") for _, text, _ in read].count(True) != 1:
            hint = "each term has one dx[i,j], or dw[k,l] for a second argument"
            whole = (term[0][0], term[-1][1])
            raise SyntaxProblem(f"a term of the rule of {row.name} has no differential", hint).at(
                row.rule, whole
            )
        for place, text, letters in read:
            _check_factor(row, place, text, letters, known)


def _check_factor(
    row: Row, place: tuple[int, int], text: str, letters: list[str], known: set[str]
) -> None:
    """Raise SyntaxProblem for a differential, or for ones, on axes that they do not have."""
    problem = None
    if text == "dw" and row.arity < 2:
        problem = SyntaxProblem(f"{row.name} has no second argument", "the first is x")
    elif text in ("dx", "dw") and len(letters) != 2:
        problem = SyntaxProblem(f"{text} has two axes", f"write {text}[i,j]")
    elif text == "1" and not set(letters) <= known:
        problem = SyntaxProblem(
            "ones along an axis that nothing else has", "name an axis of an argument"
        )
    if problem is not None:
        raise problem.at(row.rule, place)


def _terms(rule: str) -> Iterator[list[tuple[int, int]]]:
    """Where the words of each term of a rule stand; signs part the terms."""
    term: list[tuple[int, int]] = []
    for start, stop in words(rule):
        if rule[start:stop] not in ("+", "-"):
            term.append((start, stop))
        elif term:
            yield term
            term = []
    yield term or [(0, len(rule))]


def forget(name: str) -> None:
    """Take a user's function out of the table again."""
    if text_of(name, "the name of a function") not in USER:
        raise NameProblem(f"'{name[:40]}' is not a function that was added")
    USER.remove(name)
    del BY_NAME[name]


def written_out(e: Expr) -> Expr:
    """An expression with every user's function replaced by its meaning."""
    if not USER or not USER.intersection(e.functions):
        return e
    new: dict[Expr, Expr] = {}
    for node in ex.postorder(e, skip=lambda node: not USER.intersection(node.functions)):
        args = tuple(new.get(a, a) for a in node.args)
        new[node] = (
            written_out(_meaning(node.head, args)) if node.head in USER else ex.rebuild(node, args)
        )
    return new[e]


def _meaning(name: str, args: tuple[Expr, ...]) -> Expr:
    return template(BY_NAME[name].exact, dict(zip(ARGUMENTS, args, strict=False)))
