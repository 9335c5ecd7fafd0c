"""Functions that a user adds.

Their texts are read with a caret under what is wrong, and they are written out by what they mean
wherever they are evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .. import expr as ex
from ..errors import MatcalcError, NameProblem, ShapeProblem, SyntaxProblem, text_of
from ..expr import Expr
from ..expr.sizes import Size, show, show_shape
from ..tables.functions import ARGUMENTS, BY_NAME, Row
from .declarations import NUMBERS, declared_name
from .elaborate import template
from .indices import LENGTHS
from .labelled_text import DIFFERENTIALS, ONES, LabelledFactor, LabelledTerm, terms_of
from .names import OF_TWO_SIZES
from .syntax import syntax

USER: set[str] = set()
RESULT = "y"
# names that a text reads otherwise: a function of this name could never be called
MEANT_OTHERWISE = {
    **dict.fromkeys(ex.HEADS, "an operation of the language"),
    **dict.fromkeys((*ARGUMENTS, RESULT), "the name of an argument or a result in every rule"),
    **dict.fromkeys(NUMBERS, "a number"),
    **dict.fromkeys((*OF_TWO_SIZES, *LENGTHS, "numel"), "a function of sizes"),
}
# two axes for each argument, letters or lengths, and two for the result, which may join letters
_AXES = r"[a-z1-9]{2}"
_RESULT_AXIS = r"(?:[a-z1-9]|\([a-z]{2,}\))"
_SIGNATURE = re.compile(rf"{_AXES}(?:,{_AXES})?->{_RESULT_AXIS}{{2}}")


def register(row: Row) -> None:
    """Add a row to the table.

    Raises NameProblem if its name is taken or not a name, SyntaxProblem, NameProblem or
    ShapeProblem for a meaning, a signature or a rule that cannot be read, with a caret under it.
    """
    _check_name(row.name)
    if row.rule:
        _check_signature(row)
        _check_meaning_text(row)
    BY_NAME[row.name] = row
    USER.add(row.name)
    try:
        if row.rule:
            arguments = generic_arguments(row)
            result = ex.call(row.name, *arguments)
            _check_meaning(row, arguments, result)
            _check_rule(row, arguments, result)
    except BaseException:
        forget(row.name)
        raise


def forget(name: str) -> None:
    """Take a user's function out of the table again."""
    if text_of(name, "the name of a function") not in USER:
        raise NameProblem(f"'{name[:40]}' is not a function that was added")
    USER.remove(name)
    del BY_NAME[name]


def generic_arguments(row: Row) -> list[Expr]:
    """A variable for each argument, with a size of its own for each letter of the signature."""
    sizes: dict[str, Size] = {}
    arguments = []
    for number, (rows, columns) in enumerate(ex.signature_axes(row)[0]):
        shape = (_generic(row, rows, sizes), _generic(row, columns, sizes))
        arguments.append(ex.var(f"X{number}", shape))
    return arguments


def _generic(row: Row, letter: str, sizes: dict[str, Size]) -> Size:
    """The size of an axis: a number where a digit says it, or a name that no text of the row
    holds.
    """
    if letter.isdigit():
        return ex.DIGIT_LENGTHS[letter]
    name = f"n{letter}"
    while name in row.exact or name in row.rule:
        name += "_"
    return sizes.setdefault(letter, (name,))


# ---- what is wrong with a function ---------------------------------------------------------------


def _check_name(name: str) -> None:
    """Raise NameProblem for a name that is taken, or that a text would read as something else."""
    if name in MEANT_OTHERWISE:
        raise NameProblem(f"'{name}' is {MEANT_OTHERWISE[name]}", "choose another name")
    declared_name(name)


def _check_signature(row: Row) -> None:
    """Raise SyntaxProblem for a signature that does not give two axes to one or two arguments
    and to the result.
    """
    text = row.signature
    if not _SIGNATURE.fullmatch(text):
        hint = "write two letters for each argument and for the result, as in ij->11 or ij,jk->ik"
        raise SyntaxProblem(f"the signature of {row.name} cannot be read", hint).at(
            text, (0, len(text))
        )
    arguments, _, result = text.partition("->")
    for position, letter in enumerate(result, len(arguments) + 2):
        if letter.isalpha() and letter not in arguments:
            raise SyntaxProblem(
                f"no argument of {row.name} has the axis {letter}", "its length would be unknown"
            ).at(text, (position, position + 1))


def _check_meaning_text(row: Row) -> None:
    """Raise SyntaxProblem for a meaning with definitions, NameProblem for one by itself."""
    text = row.exact
    if len(syntax(text).children) > 1:
        raise SyntaxProblem(
            f"the meaning of {row.name} has definitions", "write one expression"
        ).at(text, (0, len(text)))
    if own := re.search(rf"\b{row.name}\b", text):
        raise NameProblem(
            f"the meaning of {row.name} contains {row.name}", "write it in functions that are there"
        ).at(text, own.span())


def _check_meaning(row: Row, arguments: list[Expr], result: Expr) -> None:
    """Raise ShapeProblem if a meaning has another shape than the signature says, NameProblem for
    a size in it that is none of an argument.
    """
    meaning = template(row.exact, dict(zip(ARGUMENTS, arguments, strict=False)))
    _check_names(meaning, arguments, row.exact, (0, len(row.exact)))
    if meaning.shape_ != result.shape_:
        stated, own = show_shape(result.shape_), show_shape(meaning.shape_)
        raise ShapeProblem(
            f"the meaning of {row.name} is {own}, its signature says {stated}",
            "letters of the signature name axes, 1 is an axis of length one",
        ).at(row.signature, (0, len(row.signature)))


def _check_names(e: Expr, arguments: list[Expr], text: str, span: tuple[int, int]) -> None:
    """Raise NameProblem for a size or an index in an expression that no argument gives."""
    unknown = sorted(ex.names_of(ex.postorder(e)) - ex.names_of(arguments))
    if unknown:
        name = unknown[0]
        word = re.compile(rf"\b{re.escape(name)}\b").search(text, *span)
        raise NameProblem(
            f"'{name}' is no size of an argument", "write rows(x) or cols(x) for a size"
        ).at(text, word.span() if word else span)


# ---- what is wrong with a rule -------------------------------------------------------------------


def _check_rule(row: Row, arguments: list[Expr], result: Expr) -> None:
    """Raise a MatcalcError with a caret for a rule whose terms are not each a differential times
    factors, all with the letters of their axes.
    """
    names = dict(zip(ARGUMENTS, arguments, strict=False)) | {RESULT: result}
    sizes = ex.letter_sizes(row, tuple(arguments))
    for term in terms_of(row.rule):
        _check_differential(row, term)
        lengths = dict(sizes)  # of each letter, where one factor of the term has it
        for factor in term.factors:
            _check_factor(row, factor, names, lengths)


def _check_differential(row: Row, term: LabelledTerm) -> None:
    """Raise SyntaxProblem unless one factor of a term is the differential of an argument."""
    differentials = [f for f in term.factors if f.text in DIFFERENTIALS]
    if len(differentials) != 1:
        number = "two differentials" if differentials else "no differential"
        raise SyntaxProblem(
            f"a term of the rule of {row.name} has {number}",
            "each term has one dx[i,j], or dw[k,l] for a second argument, with spaces around it",
        ).at(row.rule, term.span)
    factor = differentials[0]
    if factor.text == "dw" and row.arity < 2:
        raise SyntaxProblem(f"{row.name} has no second argument", "the first is x").at(
            row.rule, factor.span
        )
    if len(factor.letters) != 2:
        raise SyntaxProblem(f"{factor.text} has two axes", f"write {factor.text}[i,j]").at(
            row.rule, factor.span
        )


def _check_factor(
    row: Row, factor: LabelledFactor, names: Mapping[str, Expr], lengths: dict[str, Size]
) -> None:
    """Raise an error for letters that do not fit the axes of a factor; note their lengths."""
    if factor.text == ONES:
        if not set(factor.letters) <= set(lengths):
            raise SyntaxProblem(
                "ones along an axis that nothing else has", "name an axis of an argument"
            ).at(row.rule, factor.span)
        return
    if factor.text in DIFFERENTIALS:
        value = names[factor.text[1]]
    else:
        value = _factor_value(row, factor, names)
    letters = factor.letters
    if len(letters) > 2 or any(value.shape_[len(letters) :]):
        raise ShapeProblem(
            f"{len(letters)} letters for a factor of size {show_shape(value.shape_)}",
            "each axis has its letter: x[i,j], or x[i] for a vector",
        ).at(row.rule, factor.span)
    for letter, size in zip(letters, value.shape_, strict=False):
        if lengths.setdefault(letter, size) != size:
            other = show(lengths[letter])
            raise ShapeProblem(
                f"the letter {letter} has the lengths {other} and {show(size)}",
                "one letter is one axis, of one length",
            ).at(row.rule, factor.span)


def _factor_value(row: Row, factor: LabelledFactor, names: Mapping[str, Expr]) -> Expr:
    """The expression of a factor; an error is shown where it stands in the rule."""
    start = factor.span[0]
    text_span = (start, start + len(factor.text))
    try:
        value = template(factor.text, names)
    except MatcalcError as problem:
        if problem.span is None:
            raise problem.at(row.rule, text_span) from None
        first, last = problem.span
        problem.text, problem.span = row.rule, (start + first, start + last)
        raise
    _check_names(value, list(names.values()), row.rule, text_span)
    return value


# ---- what a function means -----------------------------------------------------------------------


def written_out(e: Expr) -> Expr:
    """An expression with every user's function replaced by its meaning."""
    if not USER or not USER.intersection(e.functions):
        return e
    new: dict[Expr, Expr] = {}
    for node in ex.postorder(e, skip=lambda node: not USER.intersection(node.functions)):
        args = tuple(new.get(a, a) for a in node.args)
        if node.head in USER:
            new[node] = written_out(_meaning(node.head, args))
        else:
            new[node] = ex.rebuild(node, args)
    return new[e]


def _meaning(name: str, args: tuple[Expr, ...]) -> Expr:
    row = BY_NAME[name]
    return template(row.exact, row.named(args))
