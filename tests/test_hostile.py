"""Bad and malicious input: refused in one line, at once, whatever it is.

Strange names work; nothing is evaluated.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
from command import matcalc
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import scalars

import matcalc as mc
from matcalc.cli import main
from matcalc.errors import LimitProblem, MatcalcError
from matcalc.tables.functions import BY_NAME, MACROS

SECONDS = 1.5  # of the processor, for one input; a good one takes a few hundredths


def complained(status, out, err):
    """The error of a command: one line, and perhaps two that show the place; nothing else."""
    first, *place = err.rstrip("\n").split("\n")
    assert status == 2
    assert out == ""
    assert first.startswith("matcalc: ")
    assert len(first) < 400
    assert len(place) in (0, 2)
    assert all(len(line) < 90 for line in place)
    assert "internal error" not in err
    assert "Traceback" not in err
    assert all(c.isprintable() or c == "\n" for c in err)
    return first


def quickly_complained(capsys, *arguments):
    start = time.process_time()
    status = main(arguments)
    assert time.process_time() - start < SECONDS
    return complained(status, *capsys.readouterr())


# ---- bad texts -----------------------------------------------------------------------------------

BROKEN = (
    "x +",
    "+",
    "*x",
    "x*",
    "2x",
    "A x",
    "x y'",
    "a, b",
    "()",
    "x()",
    "f()",
    "f(x)",
    "sin",
    "sin()",
    "sin(x,y)",
    "sin(,)",
    "norm2()",
    "x(1)",
    "x[0]",
    "A(1,2)",
    "(x",
    "x)",
    "((x)",
    "x))",
    ")(",
    "sin(x",
    "‖x",
    "‖",
    "‖‖",
    "x''' y",
    "'x",
    "''",
    ".T",
    "x..y",
    "x.y",
    "x.+y",
    "1..2",
    "x^",
    "^2",
    "x^^2",
    "x***2",
    "a=",
    "=a",
    "a=b",
    "a=b;",
    "a=1;;a=2;a",
    "a=a=a",
    "a==b",
    "2=x;x",
    "x'=y;x",
    "x+;y",
    "r=x+;r",
    "x;y",
    "x\ny",
    "x != y",
    "x<y",
    "x>y",
    "x&y",
    "x|y",
    "x:y",
    "x?y:z",
    "x#y",
    "x$y",
    "x%y",
    "x!",
    "~x",
    "@",
    "@x",
    "\\input{x}",
    "\\frac{1}{2}",
    "$x$",
    "{x}",
    "{}",
    "{{}}",
    "{0}",
    "{x!r}",
    "%s",
    "%(x)s",
    "%n",
    "$(id)",
    "`id`",
    '"x"',
    'r"x"',
    "[1,2]",
    "lambda x: x",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "__import__('os').system('x')",
    "x.__class__",
    "().__class__",
    "exec('1')",
    "eval(x)",
    "open(x)",
    "import os",
    "A^-B",
    "x^x",
    "unknownfunction(x)",
    "SIN(x)",
    "Exp(x)",
)
FOREIGN = {
    "NUL": "a\0b",
    "bell": "\a",
    "escape": "\x1b[31mx",
    "delete": "x\x7f",
    "line separator": "x\u2028y",
    "byte order": "\ufeffx",
    "bidi": "a\u202eb",
    "isolate": "\u2066x\u2069",
    "zero width": "a\u200bb",
    "joiner": "a\u200db",
    "soft hyphen": "a\xadb",
    "no-break space": "a\xa0+b",
    "combining": "a\u0301",
    "fullwidth": "ａ+1",
    "Cyrillic": "а+1",
    "mathematical": "𝐱'*𝐱",
    "surrogate": "\ud800",
    "surrogate in the middle": "x+\udfff*y",
    "emoji": "x+😀",
    "private": "\ue000",
    "unassigned": "\U000e0fff",
    "astral": "\U0010ffff",
    "Arabic digit": "x+٣",
    "fullwidth digit": "３*x",
    "superscript": "a⁴",
    "fraction": "½*x",
    "quote": "x’*y",
    "prime": "x′*y",
    "Angstrom": "\u212b*x",
    "micro": "µ*x",
    "Kelvin": "\u212a*x",
    "long s": "ſ+1",
}
NUMBERS = {
    "huge exponent": "1e999999999",
    "tiny": "1e-999999999",
    "1e9999": "x*1e9999",
    "many digits": "1" * 100_000,
    "many decimals": "0." + "3" * 100_000,
    "long exponent": "1e" + "9" * 100_000,
    "tower": "2^9^9^9^9",
    "tower of tens": "10^10^10^10",
    "negative tower": "2^-9^9^9",
    "matrix": "A^1e9",
    "product": "(1e300)^(1e300)",
    "zero": "1/0",
    "zero power": "0^-1",
    "hidden zero": "1/(a-a)",
    "factors": "((A^16)^16)^16",
    "long power": "(A*B)^64*(A^64)^64",
    "infinite": "1e400^1e400*x",
}


@pytest.mark.parametrize("text", BROKEN)
def test_broken_text(capsys, text):
    quickly_complained(capsys, text)


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_characters_are_named(capsys, kind):
    said = quickly_complained(capsys, FOREIGN[kind])
    foreign = next(c for c in FOREIGN[kind] if not c.isascii() or not c.isprintable())
    assert f"U+{ord(foreign):04X}" in said


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_out_of_range(capsys, kind):
    quickly_complained(capsys, NUMBERS[kind])


@pytest.mark.parametrize("text", ["", " ", "   \t ", ";", ";;;;", "\n\n"])
def test_nothing(capsys, text):
    assert "empty" in quickly_complained(capsys, text)


@pytest.mark.parametrize(
    "wrt",
    ["q", "X'", "x+y", "X;", "__class__", "{x}", "%s", "\0", "x" * 10_000, "sin", "2"],
    ids=lambda text: ascii(text)[:20],
)
def test_a_variable_that_is_not_there(capsys, wrt):
    quickly_complained(capsys, "norm2(X*w)", wrt)


DECLARED_JUNK = (
    "X",
    "X:",
    ":",
    "::",
    "X::n",
    ": n",
    "X: n: m",
    "X: 0",
    "X: 0×0",
    "X: -1",
    "X: 2.5",
    "X: nan",
    "X: inf",
    "X: 1e3",
    "X: m×",
    "X: ×",
    "X: m×n×p",
    "X: m n",
    "X: n+",
    "X: n'",
    "X: (m,n",
    "X: {n}",
    "X: %s",
    "X: \0",
    "X: 𝐧×𝐧",
    "X: " + "9" * 10_000,
    "sin: n",
    "eye: n×n",
    "X: m×n symetric",
    "S: 2×3 spd",
    "2: n",
    "x y: n",
    "X.T: n",
    "__class__: n",
    "X: m×n; X: p×q",
    "X: __import__('os')",
    "X: ×n",
    "X: m××n",
    "X: m×n*",
    "X: *n",
    "X: symmetric 2×3",
    "X: vector scalar",
)


@pytest.mark.parametrize("shapes", DECLARED_JUNK, ids=lambda text: ascii(text)[:30])
def test_junk_in_declarations(capsys, shapes):
    quickly_complained(capsys, "sum(X)", "-s", shapes)


UNFIT = (
    "X + x",
    "X - Y'",
    "X*Y",
    "X.*Y'",
    "X./x",
    "X.^x",
    "X/Y",
    "x/x",
    "x^2",
    "2^x",
    "2^X",
    "X^2",
    "X^0.5",
    "S^s",
    "x*x",
    "X*y",
    "tr(X)",
    "tr(x)",
    "det(X)",
    "det(x)",
    "inv(X)",
    "inv(x)",
    "logdet(X)",
    "expm(X)",
    "softmax(X)",
    "logsumexp(X)",
    "logsoftmax(X)",
    "kron(X)",
    "kron(X,Y,Z)",
    "vec(X,Y)",
    "ones(x,y,z)",
    "ones(0)",
    "ones(-1)",
    "ones(1.5)",
    "eye(0)",
    "eye(x')",
    "eye(m,n)",
    "zeros(n+1)",
    "vector()",
    "vector(1,2)",
    "vector(X)",
    "matrix(x)",
    "tr(sum(X)*X)",
    "x'*X*x",
    "kron(X,Y)*x",
    "vec(X)'*x",
    "diag(x)*y",
    "diag(X)",
    "inv(X')*x",
    "x' + x",
)


@pytest.mark.parametrize("text", UNFIT)
def test_shapes_that_do_not_fit(capsys, text):
    quickly_complained(capsys, text, "-s", "X: 3×4; Y: 3×4; Z: 3×4; x: 3; y: 5; s: scalar; S: 2×2")


# ---- large texts ---------------------------------------------------------------------------------


def chain(levels, step, last, first="x"):
    """Definitions, each of which uses the one before it twice."""
    return (
        f"r0 = {first}; "
        + "".join(f"r{i + 1} = {step.format(f'r{i}')}; " for i in range(levels))
        + last.format(f"r{levels}")
    )


REFUSED = {
    "a megabyte": "x+" * 500_000 + "x",
    "open brackets": "(" * 100_000,
    "nested brackets": "(" * 100_000 + "x" + ")" * 100_000,
    "closed brackets": ")" * 100_000,
    "quotes": "'" * 100_000,
    "minus signs": "-" * 100_000 + "x",
    "alternating signs": "+-" * 50_000 + "x",
    "norm bars": "‖" * 100_000,
    "nested norms": "‖" * 50_000 + "x" + "‖" * 50_000,
    "nested calls": "exp(" * 5_000 + "x" + ")" * 5_000,
    "commas": "f(" + "," * 100_000 + ")",
    "dots": "." * 100_000,
    "carets": "x" + "^" * 100_000,
    "an endless function name": "a" * 100_000 + "(x)",
    "an endless missing name": "exp(" + "a" * 100_000 + "(x))",
    "a tower": "^".join(["2"] * 3_000),
    "a matrix bomb": chain(40, "{0}*{0}", "tr({})", "A"),
    "a Kronecker bomb": chain(40, "kron({0},{0})", "sum({})", "A"),
}
ANSWERED = {
    "a power": ("(x'*x)^1e9", "x"),
    "transposes": ("A" + "'" * 3_000 + "*x", "x"),
    "100,000 transposes": ("norm2(x" + "'" * 100_000 + ")", "x"),
    "equal terms": ("sum(" + "+".join(["x"] * 10_000) + ")", "x"),
    "different terms": ("sum(" + "+".join(f"x{i}" for i in range(10_000)) + ")", "x0"),
    "equal factors": ("x'*" + "*".join(["A"] * 900) + "*x", "x"),
    "a trace of a power": ("tr(" + "*".join(["A"] * 900) + ")", "A"),
    "different factors": ("x'*" + "*".join(f"A{i}" for i in range(200)) + "*x", "A100"),
    "nested functions": ("sum(" + "tanh(" * 1_000 + "x" + ")" * 1_001, "x"),
    "functions nested to the limit": ("sum(" + "tanh(" * 2_490 + "x" + ")" * 2_491, "x"),
    "a scalar bomb": (chain(40, "{0}*{0}", "{}", "a"), "a"),
    "a bomb entry by entry": (chain(40, "{0}.*{0}", "sum({})"), "x"),
    "a bomb of sums": (chain(40, "{0}+{0}", "sum({})"), "x"),
    "shared functions": (chain(40, "tanh({0})+exp(-{0})", "sum({})"), "x"),
    "shared products": (chain(40, "tanh({0}).*sin({0})", "sum({})"), "x"),
    "400 levels": (chain(400, "{0}+tanh({0})", "sum({})"), "x"),
    "shared transposes": (chain(40, "tanh({0}+{0}')", "sum({})", "A"), "A"),
    "shared matrix products": (chain(40, "tanh({0}*{0}')", "sum({})", "A"), "A"),
    "nested inverses": ("tr(" + "inv(A+" * 60 + "A" + ")" * 61, "A"),
    "definitions": ("".join(f"r{i} = x+{i}\n" for i in range(3_000)) + "sum(x)", "x"),
    "a long name": ("a" * 50_000 + "^2", "a" * 50_000),
    "many powers": ("((a+b)^64)^64", "a"),
    "many divisions": ("a" + "/b" * 5_000, "a"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_large_texts_are_refused(kind):
    found = matcalc("-", stdin=" ".join(REFUSED[kind].split("\n")) + "\n", processor=4)
    complained(found.returncode, found.stdout, found.stderr)


@pytest.mark.parametrize("kind", ANSWERED)
def test_large_texts_end(kind):
    """An answer, or a limit that is named: within seconds, and never by accident."""
    text, wrt = ANSWERED[kind]
    found = matcalc("-", wrt, stdin=text.replace("\n", ";") + "\n", processor=20)
    assert found.returncode in (0, 1, 2), "it took too long"
    assert "internal error" not in found.stderr
    assert "Traceback" not in found.stderr
    if found.returncode == 2:
        complained(found.returncode, found.stdout, found.stderr)
        assert "limit" in found.stderr or "too" in found.stderr
    else:
        assert found.stdout.strip()


@pytest.mark.parametrize("kind", [k for k in ANSWERED if "bomb" in k])
def test_large_texts_that_share_are_right(kind):
    text, wrt = ANSWERED[kind]
    assert mc.derive(text, wrt).verification.exact


def test_a_limit_says_what_it_is():
    with pytest.raises(LimitProblem, match=r"1000001.*\d{6}"):
        mc.parse("x+" * 500_000 + "x")


# ---- nothing is evaluated ------------------------------------------------------------------------


def test_nothing_is_evaluated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ways = (
        mc.parse,
        lambda text: mc.derive("x'*x", text),
        lambda text: mc.parse("x", f"x: {text}"),
        lambda text: mc.parse("x", {text: "n"}),
        lambda text: mc.vector(text, "n"),
        lambda text: mc.vector("x", text),
        lambda text: mc.check("x'*x", "x", text),
    )
    for attack in (
        "open('f','w')",
        "__import__('pathlib').Path('f').touch()",
        "exec(\"open('f','w')\")",
        "(lambda: open('f','w'))()",
        "{open('f','w')}",
    ):
        for way in ways:
            with pytest.raises(MatcalcError):
                way(attack)
    assert list(tmp_path.iterdir()) == []


# ---- strange names that are names ----------------------------------------------------------------

WORDS = """
    lambda class None True False def if else for while import in is not and or return yield await async pass global try del with assert
    raise match case type self np numpy f gradient gradients value_and_gradient t t1 t2 t10 x_1 dtype len range float int print sigmoid_
    softmax_1 a m exec eval args kwargs arguments T E I
"""
NAMES = [name for name in WORDS.split() if name not in BY_NAME and name not in MACROS]
LONG = ["x" * 1_000, "lambda" * 50]


@pytest.mark.parametrize("name", [*NAMES, *LONG], ids=lambda name: name[:20])
def test_any_name_is_a_variable(name):
    text = f"sum(sigmoid({name}).*exp({name}) + softmax({name})) + sum({name})/rows"
    x = np.array([0.1, -0.2, 0.3])
    d = mc.derive(text, name, {name: "rows"})
    s = 1 / (1 + np.exp(-x))
    np.testing.assert_allclose(
        d.compile(value=True)(**{name: x})[1], s * (1 - s) * np.exp(x) + s * np.exp(x) + 1 / 3
    )
    assert mc.parse(str(d.gradient), {name: "rows"}) == d.gradient
    assert isinstance(d.latex(), str)


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_a_size(name):
    e = mc.parse(f"sum(x)/{name} + sum(tanh(x) + tanh(x).^2) + ones({name})'*x", {"x": name})
    x = np.array([1.0, 2, 6])
    np.testing.assert_allclose(e.compile()(x=x), 12 + (np.tanh(x) + np.tanh(x) ** 2).sum())


def test_names_that_differ_by_the_marks_of_the_code():
    values = {
        "lambda": 1.0,
        "lambda_": 2.0,
        "lambda_1": 3.0,
        "t1": 4.0,
        "t2": 5.0,
        "np": 6.0,
        "np_1": 7.0,
    }
    e = mc.parse(
        "+".join(f"{i + 1}*exp({n})*exp({n})" for i, n in enumerate(values)),
        dict.fromkeys(values, "scalar"),
    )
    expected = sum((i + 1) * np.exp(2 * v) for i, v in enumerate(values.values()))
    assert e.compile()(**values) == pytest.approx(expected)


def test_a_name_that_is_also_a_size():
    d = mc.derive("n'*n + sum(n)/m", "n", {"n": "m"})
    np.testing.assert_allclose(d.compile()(n=np.array([1.0, 3])), [2.5, 6.5])


# ---- fuzz ----------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *"xyAabn'()*+-/^.,;=‖²ᵀ⊙⊗·−1 0\n",
        ".*",
        "./",
        ".^",
        "**",
        ".T",
        "1e3",
        "sin(",
        "inv(",
        "tr(",
        "ones(n)",
        "eye",
        "diag(",
        "sum(",
        "kron(",
        "r=",
        "||",
        "\0",
        "é",
        "{x}",
    ]
)


def only_our_errors(text, shapes=None):
    try:
        e = mc.parse(text, shapes)
    except MatcalcError as problem:
        assert str(problem)
        assert problem.caret() == "" or "^" in problem.caret()
    else:
        assert str(e)


@settings(max_examples=300, deadline=None)
@given(st.text())
@example("x = x; x")
@example("‖")
def test_any_text(text):
    only_our_errors(text)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join))
@example("y-y+x")
@example("0*x+A")
@example("x.^x'")
def test_any_pieces(text):
    only_our_errors(text)


@settings(max_examples=100, deadline=None)
@given(scalars(depth=2), st.data())
def test_expressions_with_a_mistake(case, data):
    text, shapes = case
    at = data.draw(st.integers(0, len(text)))
    piece = data.draw(PIECES)
    only_our_errors(
        text[:at] + piece + text[data.draw(st.integers(at, min(at + 3, len(text)))) :], shapes
    )


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.text(max_size=30),
        st.lists(
            st.sampled_from(
                [
                    "X",
                    "x",
                    ":",
                    "m",
                    "n",
                    "×",
                    " x ",
                    ",",
                    ";",
                    "3",
                    "spd",
                    "row",
                    "(",
                    ")",
                    "*",
                    "-",
                    ".",
                    " ",
                ]
            ),
            max_size=12,
        ).map("".join),
    )
)
def test_any_declaration(shapes):
    only_our_errors("X*x", shapes)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=3),
        st.one_of(
            st.text(max_size=6),
            st.tuples(st.integers(-2, 5), st.text(max_size=2)),
            st.lists(st.integers(-1, 3), max_size=3),
        ),
        max_size=3,
    )
)
def test_any_declarations(shapes):
    only_our_errors("X*x", shapes)
