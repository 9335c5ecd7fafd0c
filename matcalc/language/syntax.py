"""Text to syntax tree: the grammar, its limits and its error messages.

Nothing is evaluated, nothing recurses.

The tree is lark's; every node carries the range of characters it came from (:func:`span`). What the
names mean, and which sizes fit, is decided afterwards by :mod:`matcalc.language.elaborate`.
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

MAX_LENGTH = 400_000
MAX_DEPTH = 2_500
MAX_DIGITS = 1_000
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
    grammar = Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8")
    counted = dict.fromkeys(_COUNTED, _count)
    return Lark(
        grammar,
        parser="lalr",
        propagate_positions=True,
        maybe_placeholders=False,
        lexer_callbacks=counted,
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
    """Reading one token, which is where the time of parsing goes."""
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


def span(node: Syntax | Token) -> tuple[int, int] | None:
    """The half-open range of characters that a node came from."""
    if isinstance(node, Token):
        return (node.start_pos or 0, node.end_pos or 0)
    return None if node.meta.empty else (node.meta.start_pos, node.meta.end_pos)


def _check_limits(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise LimitProblem(f"the text has {len(text)} characters", f"the limit is {MAX_LENGTH}")
    if not text.strip("; \t\r\n"):
        raise SyntaxProblem("the text is empty", "type an expression, such as norm2(X*w - y)^2").at(
            text, (0, 0)
        )
    depth = signs = digits = bars = 0
    for i, c in enumerate(text):
        bars += c == "‖" or text.startswith("||", i)
        depth += (c in "([{") - (c in ")]}")
        signs = signs + 1 if c in "+-−" else 0 if not c.isspace() else signs
        digits = digits + 1 if c.isdigit() else 0
        if max(depth, signs, bars) > MAX_DEPTH:
            hint = "name parts with definitions: r = X*w; …"
            raise LimitProblem(f"more than {MAX_DEPTH} nested brackets, bars or signs", hint).at(
                text, (i, i + 1)
            )
        if digits > MAX_DIGITS:
            raise LimitProblem(f"a number of more than {MAX_DIGITS} digits").at(text, (i, i + 1))


def _explain(text: str, problem: UnexpectedInput) -> MatcalcError:
    if isinstance(problem, UnexpectedCharacters):
        at = problem.pos_in_stream or 0
        c = text[at]
        code = (
            ""
            if c.isascii() and c.isprintable()
            else f" (U+{ord(c):04X} {unicodedata.name(c, 'control character')})"
        )
        shown = c if c.isprintable() else "\N{REPLACEMENT CHARACTER}"
        return SyntaxProblem(f"unexpected character '{shown}'{code}", _character_hint(c)).at(
            text, (at, at + 1)
        )
    assert isinstance(problem, UnexpectedToken)
    token, accepted = problem.token, set(problem.accepts or problem.expected)
    unclosed = _unclosed(text[: token.start_pos if token.type != "$END" else len(text)])
    if token.type == "$END" and "BAR" in accepted and (opened := _unclosed_norm(text)) is not None:
        return SyntaxProblem("'‖' is never closed").at(text, (opened, opened + 1))
    if token.type == "$END":
        if unclosed is not None and _CLOSING[text[unclosed]] in accepted:
            return SyntaxProblem(f"'{text[unclosed]}' is never closed").at(
                text, (unclosed, unclosed + 1)
            )
        end = len(text.rstrip())
        return SyntaxProblem("the expression ends too early", "a value is missing").at(
            text, (end, end + 1)
        )
    place = (token.start_pos or 0, token.end_pos or 0)
    if token.type in ("RPAR", "RSQB") and unclosed is None:
        return SyntaxProblem(f"'{token}' closes nothing").at(text, place)
    if accepted >= _VALUE:
        return SyntaxProblem(f"unexpected '{token}'", "a value is missing before it").at(
            text, place
        )
    if token.type in _VALUE:
        return SyntaxProblem(
            f"unexpected '{_short(token)}'", "an operator is missing before it, such as *"
        ).at(text, place)
    wanted = " or ".join(sorted(_EXPECTED[t] for t in accepted if t in _EXPECTED))
    return SyntaxProblem(
        f"unexpected '{_short(token).strip() or 'end of line'}'",
        f"expected {wanted}" if wanted else "",
    ).at(text, place)


def _short(token: str) -> str:
    return token if len(token) <= 30 else token[:29] + "…"


def _character_hint(c: str) -> str:
    if c == "_":
        return "names begin with a letter"
    if c in "{}":
        return "use round brackets"
    if c in '"`´’‘':
        return "the transpose is '"
    if c in "&|<>!?:#$%\\~":
        return ""
    return "names are Latin or Greek letters" if c.isalpha() and not c.isascii() else ""


def _unclosed_norm(text: str) -> int | None:
    """The position of the last bar, if the bars do not pair."""
    bars = [
        i
        for i, c in enumerate(text)
        if c == "‖" or (text.startswith("||", i) and text[i - 1 : i] != "|")
    ]
    return bars[-1] if len(bars) % 2 else None


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
