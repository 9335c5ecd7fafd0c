"""Typst compiles, MathML is well formed, and no format lets two names look alike."""

from __future__ import annotations

import re
import runpy
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import points
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from identities import identities

import matcalc as mc
from matcalc import expr as ex
from matcalc.api.derive import unverified
from matcalc.cli import main
from matcalc.errors import OptionProblem
from matcalc.expr import Expr
from matcalc.labels.roots import Root
from matcalc.language.declarations import NAME
from matcalc.language.typed import typed
from matcalc.printing.formats import FORMATS, printer
from matcalc.printing.show import notes, shown
from matcalc.tables.functions import ROWS

GALLERY = Path(__file__).parents[2] / "docs" / "make_gallery.py"
TYPESET = [format for format in FORMATS if format != "text"]

# expression, declarations, its Typst
TYPST = (
    ("2*X'*(X*w - y)", "", "2 X^⊤ (X w - y)"),
    ("inv(X)'*A*inv(X)'", "X: n×n", "X^(-⊤) A X^(-⊤)"),
    ("inv(X)*inv(X)*A", "X: n×n", "X^(-2) A"),
    ("a*2^b", "", "a ⋅ 2^b"),
    ("x.*y./(z.*w)", "", "x ⊙ y ⊘ (w ⊙ z)"),
    ("x.^(a-1)", "", "x^(⊙ (a - 1))"),
    ("sqrt(X)", "", r"X^(⊙ 1\/2)"),
    ("(x - y)/norm2(x - y)^3*1.5", "", "frac(3 (x - y), 2 norm(x - y)_2^3)"),
    ("exp(-c*norm2(x-y)^2)", "", "e^(-c norm(x - y)_2^2)"),
    ("normnuc(X) + norm1(x)", "", "norm(x)_1 + norm(X)_(∗)"),
    ("logdet(X) + tr(X)", "", 'log det(X) + op("tr")(X)'),
    ("kron(A,B)*C", "", "(A ⊗ B) C"),
    ("conv(x, w)", "", "x ∗ w"),
    ("X - 2", "X: m×n", 'X - 2 ⋅ bold("1")_(m × n)'),
    (
        "W1*x_train*loss",
        "W1: m×n; x_train: n; loss: scalar",
        'italic("loss") thin W_1 x_(upright("train"))',
    ),
    ("softmax_rows(X)", "", 'op("softmax_rows")(X)'),
    ("a1*a_1", "", 'a_1 thin mono("a_1")'),
    ("[A, B; C, D]", "", 'mat(delim: "[", A, B; C, D)'),
    ("eye(n)[:,2:n]*x", "", "(I_n)_(:, 2 : n) x"),
)

# expression, declarations, its MathML; ¦ is a product that is not seen, · the application
MATHML = (
    ("X*w - y", "", "<mi>X</mi>¦<mi>w</mi><mo>−</mo><mi>y</mi>"),
    ("-x", "", "<mo>−</mo><mi>x</mi>"),
    ("X'", "", "<msup><mi>X</mi><mo>⊤</mo></msup>"),
    ("W1'", "W1: m×n", "<msubsup><mi>W</mi><mn>1</mn><mo>⊤</mo></msubsup>"),
    (
        "inv(X)'",
        "X: n×n",
        "<msup><mi>X</mi><mrow><mo>−</mo><mo>⊤</mo></mrow></msup>",
    ),
    ("1/a", "", "<mfrac><mn>1</mn><mi>a</mi></mfrac>"),
    ("sqrt(a)", "", "<msqrt><mi>a</mi></msqrt>"),
    (
        "abs(a)",
        "",
        "<mrow><mo>|</mo><mi>a</mi><mo>|</mo></mrow>",
    ),
    ("ones(n)", "", "<msub><mi>𝟏</mi><mi>n</mi></msub>"),
    ("hash", "hash: scalar", "<mi>ℎ𝑎𝑠ℎ</mi>"),
    (
        "sin(a)",
        "",
        "<mrow><mi>sin</mi>·<mrow><mo>(</mo><mi>a</mi><mo>)</mo></mrow></mrow>",
    ),
)


@cache
def everything() -> list[Root]:
    """Textbook expressions with their derivatives, every function, blocks and index forms."""
    gallery = runpy.run_path(str(GALLERY))
    rows = identities(*gallery["TITLES"])
    texts = [(row["expr"], row["wrt"], row["vars"]) for row in rows]
    roots: list[Root] = []
    for text, wrt, shapes in (*texts, *gallery["MORE"]):
        program = typed(text, shapes)
        roots += [program.expr, unverified(program, [program.variables[wrt]])[0].result]
    return [*roots, *(ex.call(row.name, *points.arguments(row, "XYZ")) for row in ROWS)]


def large() -> Expr:
    """An expression that is written with definitions."""
    e, b = ex.var("a"), ex.var("b")
    for _ in range(20):
        e = ex.add(ex.call("sin", e), ex.times(ex.call("cos", e), b))
    return e


# ---- what there is -------------------------------------------------------------------------------


def test_a_format_is_a_file() -> None:
    assert set(FORMATS) == {"text", "latex", "typst", "mathml"}
    e = typed("2*X'*y").expr
    assert e.to("text") == str(e) and e.to("latex") == e.latex()
    for format in ("numpy", "LaTeX", "", "..layout"):
        with pytest.raises(OptionProblem, match="formats are text, latex, mathml, typst"):
            e.to(format)


@pytest.mark.parametrize("format", FORMATS)
def test_everything_is_written_in_every_format(format: str) -> None:
    for root in everything():
        assert root.to(format) == shown(root, format)


@pytest.mark.parametrize("format", FORMATS)
def test_the_command_writes_every_format(format: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["X*X'", "X", "--to", format]) == 0
    assert capsys.readouterr().out == mc.derive("X*X'", "X").to(format) + "\n"


# ---- Typst ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "shapes", "written"), TYPST)
def test_typst(text: str, shapes: str, written: str) -> None:
    assert typed(text, shapes).expr.to("typst") == written


@pytest.mark.needs("typst")
def test_typst_compiles_everything() -> None:
    import typst

    formulas = [root.to("typst") for root in (*everything(), large())]
    document = "\n\n".join(f"$ {formula} $" for formula in formulas)
    assert typst.compile(document.encode(), format="pdf").startswith(b"%PDF")
    with pytest.raises(typst.TypstError):
        typst.compile(b"$ frac(a, unknownword) $")


# ---- MathML --------------------------------------------------------------------------------------

NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"
CHILDREN = {"mfrac": 2, "msup": 2, "msub": 2, "msubsup": 3}
LEAVES = {"mi", "mn", "mo", "mspace"}
ROWS_OF_ELEMENTS = {"math", "mrow", "msqrt", "mtd", "mtr", "mtable"}
INSIDE = {"mtable": {"mtr"}, "mtr": {"mtd"}}
ATTRIBUTES = {"math": {"display"}, "mi": {"mathvariant"}, "mspace": {"width"}}


def elements(mathml: str) -> Iterator[tuple[str, ET.Element]]:
    for element in ET.fromstring(mathml).iter():
        assert element.tag.startswith(NAMESPACE)
        yield element.tag.removeprefix(NAMESPACE), element


def assert_is_core(mathml: str) -> None:
    """The elements of presentation MathML, each with the children that it must have."""
    for tag, element in elements(mathml):
        children = {child.tag.removeprefix(NAMESPACE) for child in element}
        assert tag in {*CHILDREN, *LEAVES, *ROWS_OF_ELEMENTS}, mathml
        assert set(element.attrib) <= ATTRIBUTES.get(tag, set())
        assert len(element) == CHILDREN.get(tag, len(element)), mathml
        assert not (tag in LEAVES and children)
        assert bool((element.text or "").strip()) == (tag in LEAVES - {"mspace"}), mathml
        assert not (element.tail or "").strip()
        assert children <= INSIDE.get(tag, children - {"mtr", "mtd", "math"})


@pytest.mark.parametrize(("text", "shapes", "written"), MATHML)
def test_mathml(text: str, shapes: str, written: str) -> None:
    mathml = typed(text, shapes).expr.to("mathml")
    inside = re.fullmatch(r"<math xmlns=\S+ display=\"block\">(.*)</math>", mathml)
    assert inside
    expected = written.replace("¦", "<mo>\u2062</mo>").replace("·", "<mo>\u2061</mo>")
    assert inside[1] == expected


def test_mathml_has_the_elements_of_the_standard() -> None:
    for root in (*everything(), large()):
        assert_is_core(root.to("mathml"))


@pytest.mark.parametrize(
    "broken", ["<mfrac><mi>a</mi></mfrac>", "<mi>a<mi>b</mi></mi>", "<mrow>a</mrow>", "<b>a</b>"]
)
def test_broken_mathml_is_seen(broken: str) -> None:
    with pytest.raises(AssertionError):
        assert_is_core(f'<math xmlns="{NAMESPACE[1:-1]}">{broken}</math>')


# ---- nothing looks like anything else ------------------------------------------------------------

ITALIC = {0x1D434 + i: chr(ord("A") + i) for i in range(26)}
ITALIC |= {0x1D44E + i: chr(ord("a") + i) for i in range(26)}
WORD = re.compile(r'\\math(?:it|rm)\{([^{}]*)\}|(?:italic|upright)\("([^"]*)"\)')

# expression, declarations, the names that do not look as usual
ALIKE: tuple[tuple[str, str, list[str]], ...] = (
    ("sigma*sigmoid(a)", "", []),
    ("λ*lambda", "", ["lambda"]),
    ("a1*a_1", "", ["a_1"]),
    ("ab*a*b", "ab: scalar", ["ab"]),
    ("pi*π*a", "π: scalar", ["π"]),
    ("x1*x[1]", "x1: scalar", ["x1"]),
)


def look(written: str) -> str:
    """What a reader sees, be it upright or in italics."""
    plain = WORD.sub(lambda word: word[1] or word[2], written)
    return plain.translate(ITALIC).replace("ℎ", "h").replace(' mathvariant="normal"', "")


@pytest.mark.parametrize("format", TYPESET)
@pytest.mark.parametrize(("text", "shapes", "changed"), ALIKE)
def test_what_looks_otherwise_is_said(
    format: str, text: str, shapes: str, changed: list[str]
) -> None:
    said = notes(typed(text, shapes).expr, format)
    assert [note.split()[2] for note in said] == changed


@pytest.mark.parametrize("format", TYPESET)
def test_a_function_that_a_name_looks_like_is_written_by_its_word(format: str) -> None:
    assert "sigmoid" in typed("sigma*sigmoid(a)").expr.to(format)
    assert "sigmoid" not in typed("s*sigmoid(a)", "s: scalar").expr.to(format)
    assert "eye" in typed("I + eye(n)", "I: n×n").expr.to(format)


LETTERS = st.sampled_from("a x A λ lambda lam o ο Α pi π W h 1 _ 2 i σ".split())


@pytest.mark.parametrize("format", TYPESET)
@settings(max_examples=100, deadline=None)
@given(
    names=st.sets(
        st.lists(LETTERS, min_size=1, max_size=4)
        .map("".join)
        .filter(lambda name: re.fullmatch(NAME, name)),
        min_size=2,
        max_size=8,
    )
)
def test_names_never_look_alike(format: str, names: set[str]) -> None:
    variables = [ex.var(name) for name in names]
    written = printer(format)(ex.ONE, taken=names)
    looks = {look(written.variable(v).text) for v in variables}
    assert len(looks) == len(names), sorted(looks)
