"""The language: what binds how tightly, every spelling of every operator, and errors that point
at the place.
"""

from __future__ import annotations

import unicodedata
from fractions import Fraction

import pytest
from hypothesis import given, settings
from strategies import scalars

from matcalc import parse
from matcalc.errors import LimitProblem, MatcalcError, NameProblem, SyntaxProblem
from matcalc.language.syntax import MAX_DEPTH, MAX_LENGTH

SQUARE = "A: n×n; B: n×n; C: n×n"

MEANS_THE_SAME = (
    # signs are looser than powers and transposes, tighter than products
    ("-x'*y", "(-(x'))*y"),
    ("-x'*y", "-(x'*y)"),
    ("-x.^2", "-(x.^2)"),
    ("-a^2", "-(a^2)"),
    ("a*-b", "-(a*b)"),
    ("a--b", "a+b"),
    ("a-+-b", "a+b"),
    ("- - x", "x"),
    # powers to the right, with signed exponents
    ("2^-1", "1/2"),
    ("a^-b^2", "a^(-(b^2))"),
    ("a^b^c", "a^(b^c)"),
    ("2^3^2", "2^9"),
    ("2^+3", "8"),
    ("a^-1*b", "(1/a)*b"),
    # products of every kind to the left
    ("a/b/c", "a/(b*c)"),
    ("a/b*c", "(a/b)*c"),
    ("A*B.*C", "(A*B).*C"),
    ("A.*B*C", "(A.*B)*C"),
    ("x./y.*z", "(x./y).*z"),
    ("x'*y*z", "(x'*y)*z"),
    # transposes are the tightest
    ("A*B'", "A*(B')"),
    ("A^2'", "A^2"),
    ("A'^2", "(A')^2"),
    ("A''", "A"),
    ("A.T.T'", "A'"),
    ("a-b-c", "a-(b+c)"),
    ("a-b+c", "(a-b)+c"),
    ("((x))", "x"),
    ("x ' * y", "x'*y"),
)

SPELLINGS = (
    ("A@x", "A*x"),
    ("A·x", "A*x"),
    ("A.T*x", "A'*x"),
    ("Aᵀ*x", "A'*x"),
    ("a**2", "a^2"),
    ("a ** -2", "1/a^2"),
    ("A**2", "A^2"),
    ("x.T @ y", "x'*y"),
    ("A⊙B", "A.*B"),
    ("A∘B", "A.*B"),
    ("A⊗B", "kron(A,B)"),
    ("a²", "a^2"),
    ("a³", "a^3"),
    ("a − b", "a - b"),
    ("−x", "-x"),
    ("‖x‖", "norm2(x)"),
    ("‖X*w − y‖²", "norm2(X*w - y)^2"),
    ("||x||^2", "norm2(x)^2"),
    ("||x||*||y||", "norm2(x)*norm2(y)"),
    ("‖‖x‖*y‖", "norm2(norm2(x)*y)"),
    ("ln(x)", "log(x)"),
    ("trace(A)", "tr(A)"),
    ("norm(x)", "norm2(x)"),
    ("sqrt(x)", "x.^(1/2)"),
    ("norm2sq(x)", "norm2(x)^2"),
)

NUMBERS = {
    "7": 7,
    "1e3": 1000,
    "1E3": 1000,
    "1e+3": 1000,
    ".5": Fraction(1, 2),
    "0.1": Fraction(1, 10),
    "1.5e-3": Fraction(3, 2000),
    "0.1+0.2": Fraction(3, 10),
    "1/3": Fraction(1, 3),
}

PROGRAMS = (
    ("r = A*x; r'*r", "(A*x)'*(A*x)"),
    ("r = A*x\nr'*r", "(A*x)'*(A*x)"),
    ("\n;r = A*x ;;\n\n r'*r;\n", "(A*x)'*(A*x)"),
    ("r = A*x; s = r + y; s'*r", "(A*x + y)'*(A*x)"),
    ("r = x\r\nr'*r\r\n", "x'*x"),
)

# text, the marked characters, a word of the message, a word of the hint
PLACES = (
    ("x + ) + y", ")", "closes nothing", ""),
    ("2*(x + (y)", "(", "never closed", ""),
    ("x + ", " ", "too early", "value"),
    ("2x", "x", "unexpected 'x'", "*"),
    ("A x", "x", "unexpected 'x'", "*"),
    ("a, b", ",", "unexpected ','", ""),
    ("x +* y", "*", "unexpected '*'", "before"),
    ("x' * A{0}", "{", "'{'", "round brackets"),
    ("x’*y", "’", "U+2019", "'"),
    ("x + а", "а", "U+0430", "Latin or Greek"),
    ("x\u200b", "\u200b", "U+200B", ""),
    ("x\x00", "\x00", "U+0000", ""),
    ("x + 😀", "😀", "U+1F600", ""),
    ("sofmax(x)", "sofmax", "unknown function 'sofmax'", "softmax"),
    ("sin(x, y)", "sin(x, y)", "sin takes 1 argument, not 2", ""),
    ("1 + 1e999999999", "1e999999999", "out of range", ""),
    ("x + x^2", "x^2", "vector", ".^"),
    ("A^T", "A^T", "T", ".T"),
    ("a = 1; a = 2; a", "a = 2", "already has a meaning", ""),
)


@pytest.mark.parametrize(("one", "other"), MEANS_THE_SAME, ids=lambda text: text)
def test_precedence(one, other):
    assert parse(one, SQUARE) == parse(other, SQUARE)


def test_precedence_that_matters():
    assert parse("-a^2") != parse("(-a)^2")
    assert parse("a/b*c") != parse("a/(b*c)")
    assert parse("A*B.*C", SQUARE) != parse("A*(B.*C)", SQUARE)
    assert parse("a^b^c") != parse("(a^b)^c")
    assert parse("A'*B", SQUARE) != parse("(A*B)'", SQUARE)
    assert str(parse("x.^2'")) == "x.^2"  # the transpose is of the 2


@pytest.mark.parametrize(("typed", "plain"), SPELLINGS, ids=lambda text: text)
def test_spellings(typed, plain):
    assert parse(typed) == parse(plain)


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_are_exact(text):
    assert parse(text).value == NUMBERS[text]


@pytest.mark.parametrize("text", ["1e", "1.2.3", "0x10", "1_000", "1e5x", "1..2"])
def test_not_numbers(text):
    with pytest.raises(SyntaxProblem):
        parse(text)


@pytest.mark.parametrize("digit", "٣３߃")
def test_only_ascii_digits_are_digits(digit):
    with pytest.raises(SyntaxProblem, match=f"U\\+{ord(digit):04X}"):
        parse(f"{digit}*x")


@pytest.mark.parametrize(("program", "plain"), PROGRAMS)
def test_definitions(program, plain):
    assert parse(program) == parse(plain)


def test_a_definition_may_shadow_a_default_kind():
    assert parse("a = A*x; a").shape == ("m",)
    assert parse("T = x'*x; T").shape == ()


@pytest.mark.parametrize("text", ["r = r; r", "r = x + r; r'*r", "r = s; s = r; r"])
def test_a_definition_cannot_use_itself(text):
    with pytest.raises(NameProblem):
        parse(text)


@pytest.mark.parametrize("text", ["sum = x; sum", "exp = a; exp", "eye = A; eye", "sqrt = a; sqrt"])
def test_a_function_cannot_be_defined(text):
    with pytest.raises(NameProblem, match="already has a meaning"):
        parse(text)


@pytest.mark.parametrize("text", ["exp", "2*tr", "sum + 1", "x'*softmax", "sqrt"])
def test_a_function_is_not_a_name(text):
    with pytest.raises(NameProblem, match="is a function"):
        parse(text)


@pytest.mark.parametrize("text", ["x(1)", "A(1,2)", "x(y)", "A*x(y+1)"])
def test_a_variable_is_not_a_function(text):
    with pytest.raises(NameProblem):
        parse(text)


@pytest.mark.parametrize(
    ("text", "marked", "message", "hint"), PLACES, ids=lambda text: ascii(text)[:40]
)
def test_errors_point_at_the_place(text, marked, message, hint):
    with pytest.raises(MatcalcError) as caught:
        parse(text)
    problem = caught.value
    assert message in problem.message
    assert hint in problem.hint
    assert problem.span is not None
    start, stop = problem.span
    assert text[start:stop] == marked or text[start:stop].strip() == marked.strip()
    line, marks = problem.caret().split("\n")
    assert marks.index("^") == start
    assert marks.strip("^ ") == ""
    assert len(line) == len(text)


@pytest.mark.parametrize("text", ["‖x", "||x + y", "2*‖x‖ + ‖y"])
def test_an_unclosed_norm_is_called_unclosed(text):
    with pytest.raises(SyntaxProblem, match="never closed"):
        parse(text)


@pytest.mark.parametrize("c", "×÷√∑⊤⁴⁻′½∞←")
def test_a_foreign_operator_is_not_taken_for_a_letter(c):
    with pytest.raises(SyntaxProblem, match=f"U\\+{ord(c):04X}") as caught:
        parse(f"a {c} b")
    assert unicodedata.name(c) in caught.value.message
    assert "letters" not in caught.value.hint


@pytest.mark.parametrize("text", ["", "   ", "\t\n", ";;;", "\r\n ; \n"])
def test_empty(text):
    with pytest.raises(SyntaxProblem, match="empty"):
        parse(text)


def test_caret_of_a_long_line_is_cut():
    with pytest.raises(SyntaxProblem) as caught:
        parse("x + " * 500 + ")")
    line, marks = caught.value.caret().split("\n")
    assert len(line) <= 72
    assert line[marks.index("^")] == ")"


def test_caret_of_a_later_line():
    with pytest.raises(SyntaxProblem) as caught:
        parse("r = X*w\ns = r + )\ns")
    assert caught.value.caret() == "s = r + )\n        ^"


@pytest.mark.parametrize(
    "text",
    [
        "x" * (MAX_LENGTH + 1),
        "(" * (MAX_DEPTH + 1),
        "-" * (MAX_DEPTH + 1) + "x",
        "1" * 2_000,
        "a^" + "9" * 400,
    ],
    ids=["length", "depth", "signs", "digits", "exponent"],
)
def test_limits(text):
    with pytest.raises(LimitProblem, match=r"\d"):
        parse(text)


@pytest.mark.parametrize("name", ["alpha_1", "x1", "X_train", "α", "Ω2", "βx"])
def test_names(name):
    assert str(parse(f"2*{name}")) == f"2*{name}"


@settings(max_examples=60, deadline=None)
@given(scalars(depth=2))
def test_what_is_printed_parses_back(case):
    text, shapes = case
    e = parse(text, shapes)
    assert parse(str(e), shapes) == e
