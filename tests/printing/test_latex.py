"""LaTeX: what a mathematician would typeset, for every row of the table and of the identities."""

import csv
import re
from collections.abc import Mapping
from functools import reduce
from pathlib import Path

import points
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import matcalc as mc
from matcalc import expr as ex
from matcalc.cli import main
from matcalc.errors import MatcalcError
from matcalc.expr.sizes import UNIT
from matcalc.language.declarations import NAME
from matcalc.language.typed import typed
from matcalc.printing.show import notes, shown
from matcalc.printing.symbols import Symbols, symbol
from matcalc.tables.functions import ROWS


def latex(e: ex.Expr, names: Mapping[ex.Expr, str] | None = None) -> str:
    return shown(e, "latex", names)


TYPESET = (
    # products, transposes, inverses, powers
    ("2*X'*(X*w - y)", "", r"2X^{\top}\left(Xw - y\right)"),
    ("(A+B)'*(A-B)", "", r"\left(A + B\right)^{\top}\left(A - B\right)"),
    ("x*x'", "", r"xx^{\top}"),
    ("(x'*y)*z", "", r"\left(x^{\top}y\right)z"),
    ("x'*y*(z'*w)", "", r"\left(w^{\top}z\right)x^{\top}y"),
    ("inv(X)", "X: n×n", "X^{-1}"),
    ("inv(X)'*A*inv(X)'", "X: n×n", r"X^{-\top}AX^{-\top}"),
    ("inv(X)*inv(X)*A", "X: n×n", "X^{-2}A"),
    ("inv(A*B)'", "A: n×n; B: n×n", r"\left(AB\right)^{-\top}"),
    ("X^3*A", "X: n×n", "X^{3}A"),
    ("inv(X^2)", "X: n×n", r"\left(X^{2}\right)^{-1}"),
    ("(X')^2*A", "X: n×n", r"\left(X^{\top}\right)^{2}A"),
    ("alpha*x", "", r"\alpha x"),
    ("a*2^b", "", r"a \cdot 2^{b}"),
    # entry by entry
    ("x.*y", "", r"x \odot y"),
    ("(A*B).*C", "", r"C \odot \left(AB\right)"),
    ("(X.*Y)*z", "", r"\left(X \odot Y\right)z"),
    ("x./y", "", r"x \oslash y"),
    ("x.*y./(z.*w)", "", r"x \odot y \oslash \left(w \odot z\right)"),
    ("(A*x)./(B*y)", "", r"\left(Ax\right) \oslash \left(By\right)"),
    ("x.^(a-1)", "", r"x^{\odot \left(a - 1\right)}"),
    ("x.^2", "", r"x^{\odot 2}"),
    ("X.^a", "", r"X^{\odot a}"),
    ("1./x", "", r"x^{\odot -1}"),
    ("sqrt(x)", "", r"\sqrt{x}"),
    ("sqrt(X)", "", r"X^{\odot 1/2}"),
    ("exp(X)", "", r"\exp\left(X\right)"),
    ("tanh(x).^2", "", r"\tanh\left(x\right)^{\odot 2}"),
    # scalars and their quotients
    ("sqrt(a)", "", r"\sqrt{a}"),
    ("1/a", "", r"\frac{1}{a}"),
    ("(a+b)/(c+d)", "", r"\frac{a + b}{c + d}"),
    ("X/norm2(X)", "", r"\frac{X}{\lVert X\rVert_F}"),
    ("3*(x-y)/(2*norm2(x-y)^3)", "", r"\frac{3\left(x - y\right)}{2\lVert x - y\rVert_2^{3}}"),
    ("x/2", "", r"\tfrac{1}{2}x"),
    ("-A/3 + 0.25*B - 0.01*C", "", r"\tfrac{1}{4}B - \tfrac{1}{3}A - 0.01C"),
    ("exp(-c*norm2(x-y)^2)", "", r"e^{-c\lVert x - y\rVert_2^{2}}"),
    ("(-2)^b", "", r"\left(-2\right)^{b}"),
    ("abs(x'*y)", "", r"\left|x^{\top}y\right|"),
    ("abs(x)", "", r"\operatorname{abs}\left(x\right)"),
    # functions and constants
    ("norm2(X*w - y)^2", "", r"\lVert Xw - y\rVert_2^{2}"),
    ("norm2(X)", "", r"\lVert X\rVert_F"),
    ("norm1(x)", "", r"\lVert x\rVert_1"),
    ("tr(A*X)", "", r"\operatorname{tr}\left(AX\right)"),
    ("logdet(X)", "", r"\log\det\left(X\right)"),
    (
        "diag(x)*A + diag(diag(A))*A",
        "",
        (
            r"\operatorname{diag}\left(\operatorname{diag}\left(A\right)\right)A"
            r" + \operatorname{diag}\left(x\right)A"
        ),
    ),
    ("softmax_rows(X)", "", r"\operatorname{softmax\_rows}\left(X\right)"),
    ("kron(A,B)*C", "", r"\left(A \otimes B\right)C"),
    ("kron(A*C,B)", "", r"\left(AC\right) \otimes B"),
    ("ones(n)", "", r"\mathbf{1}_{n}"),
    ("ones(n)'", "", r"\mathbf{1}_{n}^{\top}"),
    ("ones(m,n)", "", r"\mathbf{1}_{m \times n}"),
    ("zeros(2,n1)", "", r"\mathbf{0}_{2 \times n_{1}}"),
    ("eye(n)", "", "I_{n}"),
    ("ones(m*n)", "", r"\mathbf{1}_{mn}"),
    # sums never broadcast silently
    ("X - 2", "X: m×n", r"X - 2 \cdot \mathbf{1}_{m \times n}"),
    ("1 - tanh(x)", "x: n", r"\mathbf{1}_{n} - \tanh\left(x\right)"),
    ("X + w'", "X: m×n; w: n", r"X + \mathbf{1}_{m}w^{\top}"),
    ("a - 1", "", "a - 1"),
    ("-x - y", "", "-x - y"),
    # names
    ("W1*x_train", "W1: m×n; x_train: n", r"W_{1}x_{\mathrm{train}}"),
    ("λ*lambda*Loss*X", "", r"\mathtt{lambda}\,\lambda\,\mathit{Loss}\,X"),
)

SYMBOLS = {
    "W1": "W_{1}",
    "W_1": "W_{1}",
    "W1_2": "W_{1,2}",
    "x_i": "x_{i}",
    "x_": r"x_{\_}",
    "x__a": r"x_{\_,a}",
    "theta": r"\theta",
    "lam": r"\lambda",
    "x_mu": r"x_{\mu}",
    "μ2": r"\mu_{2}",
    "Σ": r"\Sigma",
    "Α": r"\mathrm{A}",
    "Δx": r"\mathit{\Delta x}",
    "W1a": r"\mathit{W1a}",
    "varsigma": r"\varsigma",
}


def identities() -> list[dict[str, str]]:
    path = Path(__file__).parents[1] / "identities.tsv"
    lines = (
        line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    )
    return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def typeset(text: str, shapes: str) -> str | None:
    """The LaTeX, or None for text that is not matcalc's: the commutation matrix K is a notation
    of the table alone.
    """
    try:
        return latex(typed(text, shapes).expr)
    except MatcalcError:
        assert "K(" in text
        return None


def call(row) -> ex.Expr:
    return ex.call(row.name, *points.arguments(row, "XYZ"))


def everything() -> list[str]:
    texts = [
        typeset(row[column], row["vars"]) for row in identities() for column in ("expr", "gradient")
    ]
    return (
        [t for t in texts if t is not None]
        + [latex(call(row)) for row in ROWS]
        + [tex for _, _, tex in TYPESET]
    )


@pytest.mark.parametrize(("text", "shapes", "tex"), TYPESET)
def test_typeset(text: str, shapes: str, tex: str) -> None:
    assert latex(typed(text, shapes).expr) == tex


@pytest.mark.parametrize(("name", "tex"), SYMBOLS.items())
def test_symbol(name: str, tex: str) -> None:
    assert symbol(name) == tex


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_function_is_written_by_its_column(row) -> None:
    words = (
        re.findall(r"[A-Za-z]+", row.latex.replace(r"\cdot", ""))
        if row.latex
        else []
        if row.name in ("inv", "powm")
        else row.name.split("_")
    )
    assert all(word in latex(call(row)) for word in words)


def test_brackets_are_balanced() -> None:
    for tex in everything():
        assert tex.count(r"\left") == tex.count(r"\right") and tex.count(r"\lVert") == tex.count(
            r"\rVert"
        ), tex
        depths = [0]
        for c in re.sub(r"\\[{}]", "", tex):
            depths.append(depths[-1] + (c == "{") - (c == "}"))
        assert min(depths) == 0 == depths[-1], tex
        assert not re.search(r"(?<!\\)_(?![{12F])", tex), tex


def test_no_double_scripts() -> None:
    for tex in everything():
        bare = tex
        while (inner := re.sub(r"\{[^{}]*\}", "@", bare)) != bare:
            bare = inner
        assert not re.search(r"\^@\^|_@_|\^@_", bare), tex


def test_mathtext_accepts_everything() -> None:
    parser = pytest.importorskip("matplotlib.mathtext").MathTextParser("path")
    for tex in everything():
        # not in mathtext, but in amsmath
        known = (
            tex.replace(r"\tfrac", r"\frac")
            .replace(r"\lVert", r"\Vert")
            .replace(r"\rVert", r"\Vert")
        )
        parser.parse(f"${known}$")


def test_named_parts_are_written_by_name() -> None:
    e = typed("2*X'*(X*w - y) + w").expr
    residual, gradient = typed("X*w - y").expr, e.args[0]
    assert latex(e, {residual: "delta"}) == r"2X^{\top}\delta + w"
    assert latex(e, {gradient: "delta1", residual: "r"}) == r"\delta_{1} + w"
    assert latex(residual, {residual: "delta"}) == "Xw - y", "the root is what the name stands for"


def test_depth_and_length_have_no_limit() -> None:
    x, w = ex.var("x", (("n",), UNIT)), ex.var("W", (("n",), ("n",)))
    deep = reduce(lambda e, _: ex.call("tanh", ex.matmul(w, e)), range(2000), x)
    assert latex(deep, {x: "x"}).count(r"\tanh") == 2000
    long = ex.add(*(ex.times(ex.var(f"a{i}"), x) for i in range(3000)))
    assert latex(long).count("x") == 3000


def test_a_large_expression_defines_its_shared_parts() -> None:
    a, b = ex.var("a"), ex.var("b")
    e = reduce(lambda e, _: ex.add(ex.call("sin", e), ex.times(ex.call("cos", e), b)), range(40), a)
    tex = latex(e)
    assert len(tex) < 5000 and r"t_{1} &= " in tex and tex.startswith(r"\begin{aligned}")


# ---- nothing looks like anything else ------------------------------------------------------------

# expression, declarations, its LaTeX, the names that do not look as usual
ALIKE = (
    ("sigma*sigmoid(a)", "", r"\sigma\operatorname{sigmoid}\left(a\right)", ""),
    ("σ_1*sigmoid(a)", "", r"\sigma_{1}\operatorname{sigmoid}\left(a\right)", ""),
    ("s*sigmoid(a)", "s: scalar", r"s\sigma\left(a\right)", ""),
    ("ψ*digamma(a)", "", r"\psi\operatorname{digamma}\left(a\right)", ""),
    ("Γ*lgamma(a)", "Γ: scalar", r"\Gamma\operatorname{lgamma}\left(a\right)", ""),
    ("λ*eigvals(S)", "S: n×n symmetric", r"\lambda\operatorname{eigvals}\left(S\right)", ""),
    ("σ*normspec(X)", "", r"\sigma\operatorname{normspec}\left(X\right)", ""),
    ("e^a*exp(b)", "", r"\exp\left(b\right)e^{a}", ""),
    ("a*exp(b)", "", r"ae^{b}", ""),
    ("pi*π*a", "π: scalar", r"a\pi\,\mathtt{pi}", "π"),
    ("pi*a", "pi: scalar", r"a\pi", ""),
    ("pi*a", "", r"a\pi", ""),
    ("a1*a_1", "", r"a_{1}\,\mathtt{a\_1}", "a_1"),
    ("λ*lambda", "", r"\mathtt{lambda}\,\lambda", "lambda"),
    ("ab*a*b", "ab: scalar", r"a\,\mathtt{ab}\,b", "ab"),
    ("ab*a", "ab: scalar", r"a\,\mathit{ab}", ""),
    ("x1*x[1]", "x1: scalar", r"\mathtt{x1}\,x_{1}", "x1"),
    ("x_i*x[i]", "x_i: scalar", r"\mathtt{x\_i}\,x_{i}", "x_i"),
    ("x1*y[1]", "x1: scalar", r"x_{1}y_{1}", ""),
    ("n_1*ones(n1)", "n_1: scalar", r"\mathtt{n\_1}\,\mathbf{1}_{n_{1}}", "n_1"),
    ("I*eye(n)*X", "I: m×n; X: n×n", "IX", ""),
    ("I + eye(n)", "I: n×n", r"\operatorname{eye}_{n} + I", ""),
    ("I_n + eye(n)", "I_n: n×n", r"\operatorname{eye}_{n} + I_{n}", ""),
    ("K*commutation(m,n)", "K: p×m*n", r"K\operatorname{commutation}_{m, n}", ""),
    ("S*shifts(m,n)", "S: p×m+n-1", r"S\operatorname{shifts}_{m, n}", ""),
    ("e*eye(n)[:,j]", "e: scalar", r"e\left(I_{n}\right)_{:, j}", ""),
    ("2*ones(n)", "", r"2 \cdot \mathbf{1}_{n}", ""),
    ("eye(n)[:,2:n]*x", "", r"\left(I_{n}\right)_{:, 2 : n}x", ""),
)


@pytest.mark.parametrize(("text", "shapes", "tex", "changed"), ALIKE)
def test_nothing_looks_like_anything_else(text: str, shapes: str, tex: str, changed: str) -> None:
    e = typed(text, shapes).expr
    assert latex(e) == tex
    assert [note.split()[2] for note in notes(e, "latex")] == ([changed] if changed else [])


def test_the_identity_of_index_forms_beside_a_delta() -> None:
    d = mc.derive("δ*X*X'", "X")
    assert (
        d.latex()
        == r"\delta\,X_{jl}\,\operatorname{eye}_{ik} + \delta\,X_{il}\,\operatorname{eye}_{jk}"
    )
    assert mc.derive("X*X'", "X").latex() == r"X_{jl}\,\delta_{ik} + X_{il}\,\delta_{jk}"
    assert mc.derive("a1*A_1*X*A1*a", "X").latex_notes == (
        r"in LaTeX A_1 is written \mathtt{A\_1}, since A_{1} is something else",
    )


def test_the_index_of_a_product_is_not_that_of_its_last_factor() -> None:
    assert mc.derive("A*C*B", "B").latex() == r"\left[AC\right]_{ik}\,\delta_{jl}"


def test_a_name_keeps_its_look_where_only_the_expression_has_its_double() -> None:
    d = mc.derive("a_1*sum(a1*x)/a1", "x")
    assert d.latex() == r"\mathtt{a\_1}\,\mathbf{1}_{n}"


LETTERS = st.sampled_from(
    ["a", "x", "A", "λ", "lambda", "lam", "o", "ο", "Α", "pi", "π", "W", "1", "_", "2", "i", "σ"]
)


@settings(max_examples=300, deadline=None)
@given(
    st.sets(
        st.lists(LETTERS, min_size=1, max_size=4)
        .map("".join)
        .filter(lambda name: re.fullmatch(NAME, name)),
        min_size=2,
        max_size=8,
    )
)
def test_names_never_look_alike(names: set[str]) -> None:
    symbols = Symbols(names)
    looks = [re.sub(r"\\math(?:it|rm)\{([^{}]*)\}", r"\1", symbols(name)) for name in names]
    assert len(set(looks)) == len(names), sorted(map(symbols, names))


def test_the_command_says_which_names_look_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    main(["a1*a_1*sum(x)", "x", "--to", "latex"])
    printed = capsys.readouterr()
    assert printed.out == "a_{1}\\,\\mathtt{a\\_1}\\,\\mathbf{1}_{n}\n"
    assert r"in LaTeX a_1 is written \mathtt{a\_1}, since a_{1} is something else" in printed.err
    main(["a1*a_1*sum(x)", "x", "--to", "json"])
    assert "in LaTeX a_1 is written" in capsys.readouterr().out
