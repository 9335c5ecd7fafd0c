"""Text to syntax tree: the grammar, its limits and its error messages.

Nothing is evaluated, nothing recurses. The tree is lark's; every node carries the range of
characters it came from (:func:`span`). What the names mean, and which sizes fit, is decided
afterwards by :mod:`matcalc.language.elaborate`.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from ..budget import spend
from ..errors import LimitProblem, MatcalcError, SyntaxProblem

Syntax = Tree[Token]

MAX_LENGTH = 400_000  # characters; the budget of seconds mostly ends before so many are read
MAX_DEPTH = 2_500  # far beyond what is written by hand; what follows walks trees without recursion
MAX_DIGITS = 1_000  # of a number, whose arithmetic is exact
LONGEST_SHOWN = 30  # characters of a token in a message
TOKEN = 8  # steps that reading a token and building its part of the tree take

_EXPECTED = {
    "NAME": "a name",
    "NUMBER": "a number",
    "LPAR": "'('",
    "RPAR": "')'",
    "COMMA": "','",
    "SIGN": "'+' or '-'",
    "LSQB": "'['",
    "RSQB": "']'",
    "COLON": "':'",
    "TIMES": "'*'",
    "POWER": "'^'",
    "QUOTE": "a transpose",
    "BAR": "'‖'",
    "_END": "';'",
    "EQUAL": "'='",
    "$END": "the end",
}
_VALUE = {"NAME", "NUMBER", "LPAR"}


@cache
def _lark() -> Lark:
    """The parser of the grammar, made when it is used first."""
    return Lark(
        Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8"),
        parser="lalr",
        propagate_positions=True,
        maybe_placeholders=False,
        lexer_callbacks=dict.fromkeys(_COUNTED, _count),
    )


_COUNTED = (
    "NAME",
    "NUMBER",
    "SIGN",
    "TIMES",
    "POWER",
    "QUOTE",
    "SUPERSCRIPT",
    "BAR",
    "_END",
    "COMMA",
    "LPAR",
)


def _count(token: Token) -> Token:
    """Spend the steps of one token, since reading tokens is where the time of parsing goes."""
    spend(TOKEN)
    return token


def syntax(text: str) -> Syntax:
    """The syntax tree of a program; raises SyntaxProblem or LimitProblem with the place."""
    _check_limits(text)
    try:
        return _lark().parse(text)
    except UnexpectedInput as unexpected:
        problem = _explain(text, unexpected)
    # not above, where it would keep the parser as its context: dask pickles an error with its
    # context
    raise problem


def subtrees(node: Syntax) -> list[Syntax]:
    """The parts of a node, without the names, numbers and operators beside them."""
    return [c for c in node.children if not isinstance(c, Token)]


def tokens(node: Syntax) -> list[str]:
    """The names, numbers and operators of a node."""
    return [str(c) for c in node.children if isinstance(c, Token)]


def span(node: Syntax | Token) -> tuple[int, int] | None:
    """The half-open range of characters that a node came from."""
    if isinstance(node, Token):
        return (node.start_pos or 0, node.end_pos or 0)
    return None if node.meta.empty else (node.meta.start_pos, node.meta.end_pos)


# ---- limits --------------------------------------------------------------------------------------


def _check_limits(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise LimitProblem(f"the text has {len(text)} characters", f"the limit is {MAX_LENGTH}")
    if not text.strip("; \t\r\n"):
        raise SyntaxProblem("the text is empty", "type an expression, such as norm2(X*w - y)^2").at(
            text, (0, 0)
        )
    _check_nesting(text)


def _check_nesting(text: str) -> None:
    """Raise LimitProblem where brackets, bars or signs are nested, or a number is long."""
    depth = bars = signs = digits = 0
    for i, c in enumerate(text):
        depth += (c in "([{") - (c in ")]}")
        bars += c == "‖" or text.startswith("||", i)
        digits = digits + 1 if c.isdigit() else 0
        if c in "+-−":
            signs += 1
        elif not c.isspace():
            signs = 0
        if max(depth, signs, bars) > MAX_DEPTH:
            fact = f"more than {MAX_DEPTH} nested brackets, bars or signs"
            hint = "name parts with definitions: r = X*w; …"
            raise LimitProblem(fact, hint).at(text, (i, i + 1))
        if digits > MAX_DIGITS:
            raise LimitProblem(f"a number of more than {MAX_DIGITS} digits").at(text, (i, i + 1))


# ---- messages ------------------------------------------------------------------------------------


def _explain(text: str, unexpected: UnexpectedInput) -> MatcalcError:
    """The error of the parser in the words of a reader."""
    if isinstance(unexpected, UnexpectedCharacters):
        return _unexpected_character(text, unexpected.pos_in_stream or 0)
    assert isinstance(unexpected, UnexpectedToken)
    token, accepted = unexpected.token, set(unexpected.accepts or unexpected.expected)
    if token.type == "$END":
        return _early_end(text, accepted)
    return _unexpected_token(text, token, accepted)


def _unexpected_character(text: str, at: int) -> MatcalcError:
    c = text[at]
    shown = c if c.isprintable() else "\N{REPLACEMENT CHARACTER}"
    fact = f"unexpected character '{shown}'"
    if not (c.isascii() and c.isprintable()):
        fact += f" (U+{ord(c):04X} {unicodedata.name(c, 'control character')})"
    return SyntaxProblem(fact, _character_hint(c)).at(text, (at, at + 1))


def _character_hint(c: str) -> str:
    if c in _CHARACTER_HINTS:
        return _CHARACTER_HINTS[c]
    return "names are Latin or Greek letters" if c.isalpha() and not c.isascii() else ""


_CHARACTER_HINTS = {
    "_": "names begin with a letter",
    **dict.fromkeys("{}", "use round brackets"),
    **dict.fromkeys('"`´’‘', "the transpose is '"),
}


def _early_end(text: str, accepted: set[str]) -> MatcalcError:
    """The error of a text after which more is needed: a bracket, a bar or a value."""
    bar = _unclosed_norm(text)
    if bar is not None and "BAR" in accepted:
        return SyntaxProblem("'‖' is never closed").at(text, (bar, bar + 1))
    bracket = _unclosed(text)
    if bracket is not None and _CLOSING[text[bracket]] in accepted:
        fact = f"'{text[bracket]}' is never closed"
        return SyntaxProblem(fact).at(text, (bracket, bracket + 1))
    end = len(text.rstrip())
    return SyntaxProblem("the expression ends too early", "a value is missing").at(
        text, (end, end + 1)
    )


def _unexpected_token(text: str, token: Token, accepted: set[str]) -> MatcalcError:
    place = span(token)
    shown = _shortened(token)
    if token.type in _CLOSING.values() and _unclosed(text[: token.start_pos]) is None:
        return SyntaxProblem(f"'{token}' closes nothing").at(text, place)
    if accepted >= _VALUE:
        hint = "a value is missing before it"
        return SyntaxProblem(f"unexpected '{token}'", hint).at(text, place)
    if token.type in _VALUE:
        hint = "an operator is missing before it, such as *"
        return SyntaxProblem(f"unexpected '{shown}'", hint).at(text, place)
    expected = " or ".join(sorted(_EXPECTED[t] for t in accepted if t in _EXPECTED))
    fact = f"unexpected '{shown.strip() or 'end of line'}'"
    return SyntaxProblem(fact, f"expected {expected}" if expected else "").at(text, place)


def _shortened(token: str) -> str:
    return token if len(token) <= LONGEST_SHOWN else token[: LONGEST_SHOWN - 1] + "…"


def _unclosed_norm(text: str) -> int | None:
    """The position of the last bar, if the bars do not pair."""
    bars = [i for i in range(len(text)) if _is_bar(text, i)]
    return bars[-1] if len(bars) % 2 else None


def _is_bar(text: str, i: int) -> bool:
    if text[i] == "‖":
        return True
    return text.startswith("||", i) and text[i - 1 : i] != "|"


_CLOSING = {"(": "RPAR", "[": "RSQB"}


def _unclosed(text: str) -> int | None:
    """The position of the innermost bracket that is still open."""
    opened: list[int] = []
    for i, c in enumerate(text):
        if c in "([":
            opened.append(i)
        elif c in ")]" and opened:
            opened.pop()
    return opened[-1] if opened else None
