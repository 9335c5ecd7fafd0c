"""Declarations, inference by unification, and what is said when sizes do not fit."""

from __future__ import annotations

import pytest

from matcalc import parse
from matcalc.errors import MatcalcError, NameProblem, ShapeProblem, SyntaxProblem
from matcalc.expr import declared_text, variables
from matcalc.expr.sizes import public
from matcalc.language.declarations import declarations
from matcalc.language.typed import typed


def shapes_of(text, shapes=None):
    """The shapes of the variables, as a user sees them."""
    return {name: public(v.shape_) for name, v in typed(text, shapes).variables.items()}


# ---- what a letter means -------------------------------------------------------------------------

KINDS = (
    *((letter, 0) for letter in "abcdefg"),
    *((letter, 1) for letter in "hijklmnopqrstuvwxyz"),
    *((letter, 2) for letter in "ABCEXYZ"),
    *((name, 0) for name in ("α", "λ", "ω", "alpha", "lambda", "beta", "a1", "c_x")),
    *((name, 1) for name in ("x1", "w_hat", "theta")),
    *((name, 2) for name in ("X1", "Sigma", "Σ", "Ω")),
)


@pytest.mark.parametrize(("name", "axes"), KINDS)
def test_letter_defaults(name, axes):
    assert len(parse(f"2*{name}").shape) == axes


USED_AS_VECTORS = (
    "b'*X",
    "b'*A*b",
    "norm2(b)",
    "‖b‖",
    "sum(b)",
    "softmax(b)",
    "diag(b)*x",
    "X*b - y",
    "A*x + b'*x*y",
)


@pytest.mark.parametrize("text", USED_AS_VECTORS)
def test_an_unambiguous_use_overrides_the_default(text):
    assert len(shapes_of(text)["b"]) == 1


def test_a_declaration_overrides_the_default():
    assert shapes_of("x*A*b", "x: scalar; b: vector")["x"] == ()
    assert parse("x*A", "x: scalar").shape == ("m", "n")
    assert shapes_of("λ'*x", "λ: n") == {"λ": ("n",), "x": ("n",)}


# ---- declarations --------------------------------------------------------------------------------

M_BY_N = (
    "X: m×n",
    "X: m × n",
    "X: m x n",
    "X: mxn",
    "X: (m,n)",
    "X:m,n",
    "X: m, n",
    "X: (m, n)",
    "X: m×n; w: n",
    "X: m×n, w: n",
    "X: m×n\nw: n",
    ";X: m×n;;",
    {"X": "m×n"},
    {"X": ("m", "n")},
    {"X": ["m", "n"]},
    {"X": "matrix m×n"},
    {"X": "m×n", "w": ("n",)},
    {"X": "m×n positive"},
)
THREE_BY_FOUR = ("X: 3x4", "X: 3×4", "X: 3 x 4", "X: 3,4", {"X": (3, 4)}, {"X": "3x4"})


@pytest.mark.parametrize("shapes", M_BY_N, ids=repr)
def test_named_sizes(shapes):
    assert shapes_of("X*w", shapes) == {"X": ("m", "n"), "w": ("n",)}


@pytest.mark.parametrize("shapes", THREE_BY_FOUR, ids=repr)
def test_numeric_sizes(shapes):
    assert shapes_of("X*w", shapes) == {"X": (3, 4), "w": (4,)}


@pytest.mark.parametrize(
    "shapes",
    ["x: scalar", "x: 1", "x: 1×1", {"x": ()}, {"x": (1,)}, {"x": (1, 1)}, "x: scalar positive"],
    ids=repr,
)
def test_scalars(shapes):
    assert shapes_of("x*A", shapes)["x"] == ()


@pytest.mark.parametrize(
    "shapes", ["x: row", "x: 1×m", {"x": (1, "m")}, "x: row positive"], ids=repr
)
def test_rows(shapes):
    rows, columns = shapes_of("x*A", shapes)["x"]
    assert (rows, parse("x*A", shapes).shape[0]) == (1, 1)
    assert columns == shapes_of("x*A", shapes)["A"][0]


PROPERTIES = {
    "S: symmetric": "symmetric",
    "S: n×n sym": "symmetric",
    "S: sym n×n": "symmetric",
    "S: n×n spd": "spd",
    "S: diagonal n×n": "diagonal",
    "S: diag": "diagonal",
    "S: positive": "positive",
    "S: m×n pos": "positive",
    "S: spos": "positive",
    "S: lower": "lower",
    "S: orthogonal": "orthogonal",
}


@pytest.mark.parametrize("shapes", PROPERTIES)
def test_properties_and_their_aliases(shapes):
    (declared,) = declarations(shapes).values()
    assert declared.properties == (PROPERTIES[shapes],)
    assert len(shapes_of("S*x", shapes)["S"]) == 2


def test_square_properties_make_square():
    assert shapes_of("S*x", "S: spd") == {"S": ("n", "n"), "x": ("n",)}
    assert shapes_of("S*X", "S: sym; X: m×n")["S"] == ("m", "m")


JUNK = (
    ("X: 0×3", ShapeProblem, "size 0 of X"),
    ("X: -1×2", ShapeProblem, "'-1' is not a size of X"),
    ("X: 2.5×2", ShapeProblem, "'2.5' is not a size of X"),
    ("X: nan", ShapeProblem, "'nan'"),
    ("X: inf×n", ShapeProblem, "'inf'"),
    ("X: m×n×p", ShapeProblem, "two axes"),
    ("S: m×n spd", ShapeProblem, "square"),
    ("S: 3×4 sym", ShapeProblem, "square"),
    ("X", SyntaxProblem, "no ':'"),
    ("X:", SyntaxProblem, "empty"),
    ("X: m×n symetric", SyntaxProblem, "did you mean symmetric"),
    ("X: m×n; 1x: n", NameProblem, "'1x' is not a name"),
    ("x y: n", NameProblem, "'x y' is not a name"),
    ("__import__: n", NameProblem, "is not a name"),
    ("sin: n", NameProblem, "is a function"),
    ("sqrt: n", NameProblem, "is a function"),
    ("eye: n×n", NameProblem, "is a function"),
    ("X: ٣×٤", ShapeProblem, "is not a size"),
    ("X: m×n; X: n×m", MatcalcError, "X"),
    ("X: m×n matrix scalar", MatcalcError, "X"),
    ({"X": (0,)}, ShapeProblem, "size 0"),
    ({"X": (-1,)}, ShapeProblem, "'-1'"),
    ({"X": (2.5, 3)}, ShapeProblem, "'2.5'"),
    ({"X": (2, 3, 4)}, ShapeProblem, "two axes"),
    ({"X": (float("nan"),)}, ShapeProblem, "nan"),
    ({"X": ""}, SyntaxProblem, "empty"),
    ({"": "n"}, NameProblem, "not a name"),
)


@pytest.mark.parametrize(("shapes", "error", "message"), JUNK, ids=lambda value: ascii(value)[:40])
def test_junk_is_refused(shapes, error, message):
    with pytest.raises(error, match=message):
        parse("X*w", shapes)


@pytest.mark.parametrize("shapes", [5, ["X"], {"X": 5}, {"X": None}, {5: "n"}, b"X: n"], ids=repr)
def test_a_wrong_type_is_named(shapes):
    with pytest.raises((MatcalcError, TypeError), match=r"shape|declar|name"):
        parse("X*w", shapes)


# ---- inference -----------------------------------------------------------------------------------

INFERRED = (
    ("X*w - y", None, {"X": ("m", "n"), "w": ("n",), "y": ("m",)}),
    ("x'*A*x", None, {"x": ("n",), "A": ("n", "n")}),
    ("A*B*C", "A: 2×3; C: 4×5", {"A": (2, 3), "B": (3, 4), "C": (4, 5)}),
    ("tr(A*B)", "A: m×n", {"A": ("m", "n"), "B": ("n", "m")}),
    ("A.*B + C'", "C: p×q", {"A": ("q", "p"), "B": ("q", "p"), "C": ("p", "q")}),
    ("inv(A)*x", "x: p", {"A": ("p", "p"), "x": ("p",)}),
    ("A + x'", "A: m×n", {"A": ("m", "n"), "x": ("n",)}),
    ("diag(x)*A", "A: m×n", {"A": ("m", "n"), "x": ("m",)}),
    ("r = A*x; r'*y", "A: 3×n", {"A": (3, "n"), "x": ("n",), "y": (3,)}),
    ("ones(n)'*x", None, {"x": ("n",)}),
    ("A + eye", None, {"A": ("n", "n")}),
    ("x + y + z + w", "w: 7", {"x": (7,), "y": (7,), "z": (7,), "w": (7,)}),
)


@pytest.mark.parametrize(("text", "shapes", "expected"), INFERRED)
def test_inference(text, shapes, expected):
    assert shapes_of(text, shapes) == expected


def test_unknown_sizes_get_names_that_are_free():
    assert {"n", "m"}.isdisjoint(shapes_of("n'*X*m")["X"])
    assert shapes_of("X*w", "y: n")["X"][1] != "n"


def test_what_was_assumed_is_told():
    assert set(typed("X*w - y", "X: m×n").assumed) == {"w", "y"}
    assert typed("X*w", "X: m×n; w: n").assumed == ()


# ---- sizes as numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("sum(x)/n", "x: n"),
        ("norm2(X*w)^2/m", "X: m×n"),
        ("n*x", "x: n"),
        ("A + n*eye(n)", "A: n×n"),
        ("ones(n)'*x/n", None),
    ],
)
def test_a_size_is_a_number(text, shapes):
    assert "n" not in shapes_of(text, shapes)
    assert "m" not in shapes_of(text, shapes)


def test_the_number_of_entries():
    assert str(parse("ones(n)'*ones(n)")) == "n"
    assert str(parse("tr(eye(n))")) == "n"
    assert parse("sum(ones(3,4))").value == 12


@pytest.mark.parametrize(
    ("text", "shapes"), [("vec(X) - y", "X: 3×4; y: 12"), ("kron(A,B)*x", "A: 2×2; B: 3×3; x: 6")]
)
def test_a_number_is_not_taken_apart(text, shapes):
    with pytest.raises(ShapeProblem):
        parse(text, shapes)
    assert len(parse(text, shapes.rpartition(";")[0]).shape) == 1


def test_products_of_sizes_commute():
    assert (
        parse("vec(X) - y", "X: m×n; y: m*n").shape == parse("vec(X) - y", "X: m×n; y: n*m").shape
    )


# ---- rows, scalars, broadcasting -----------------------------------------------------------------

SCALARS = (
    "x'*y",
    "x'*A*x",
    "(x'*y)*(z'*w)",
    "sum(A)",
    "tr(A)",
    "tr(x*y')",
    "norm2(A)",
    "eye(1)",
    "ones(1,1)",
    "x'*x/2",
    "(x'*y)'",
    "tr(a)",
    "det(x'*y)",
)
BROADCAST = (
    ("x + 1", ("n",)),
    ("1 - x", ("n",)),
    ("A + 1", ("m", "n")),
    ("A - a", ("m", "n")),
    ("A + x'", ("m", "n")),
    ("x' + A", ("m", "n")),
    ("x' + 1", (1, "n")),
    ("x + x'*y", ("n",)),
    ("a.*x", ("n",)),
    ("A./a", ("m", "n")),
    ("1./x", ("n",)),
    ("2.^x", ("n",)),
    ("a*A*b", ("m", "n")),
)


@pytest.mark.parametrize("text", SCALARS)
def test_one_by_one_results_are_scalars(text):
    assert parse(text).shape == ()
    assert len(parse(f"exp({text})*X*w + p").shape) == 1


@pytest.mark.parametrize(("text", "shape"), BROADCAST)
def test_broadcasting(text, shape):
    assert parse(text, "A: m×n" if "A" in text else None).shape == shape


CANCELLED = (
    "y - y + x",
    "zeros(n) + x",
    "0*y + x",
    "(y - y) + x",
    "x + y - y",
    "y.*z - z.*y + x",
    "-y + x + y",
)


@pytest.mark.parametrize("text", CANCELLED)
def test_what_cancels_leaves_the_rest(text):
    assert str(parse(text)) == "x"
    assert (
        str(
            parse(
                text.replace("zeros(n)", "zeros(m,n)")
                .replace("x", "X")
                .replace("y", "Y")
                .replace("z.", "Z.")
                .replace(".*z", ".*Z")
            )
        )
        == "X"
    )


def test_row_vector_products():
    assert parse("x'*A").shape == (1, "n")
    assert parse("x*y'").shape == ("n", "m")
    assert parse("x'*A*y*z'").shape[0] == 1


# ---- conflicts -----------------------------------------------------------------------------------

CONFLICTS = (
    ("X*y", "X: m×n; y: m", "X: m×n times y: m", "X'*y"),
    ("x*X", "x: m; X: m×n", "x: m times X: m×n", "x'*X"),
    ("x*y", "x: n; y: n", "x: n times y: n", "x'*y"),
    ("x*y", None, "times", "x'*y"),
    ("X*Y", "X: m×n; Y: p×n", "X: m×n times Y: p×n", "X*Y'"),
    ("X*Y", "X: m×n; Y: p×m", "X: m×n times Y: p×m", "Y*X"),
    ("A*x'", None, "times", "A*x"),
    ("x + X", None, "cannot add", ""),
    ("x + x'", "x: n", "cannot add n and 1×n", "transpose"),
    ("X + Y", "X: m×n; Y: n×m", "cannot add m×n and n×m", "transpose"),
    ("X + x", "X: m×n; x: m", "cannot add m×n and m", "ones(n)'"),
    ("x.*y", "x: m; y: n", "entry-by-entry", "equal"),
    ("x./y", "x: m; y: n", "entry-by-entry", "equal"),
    ("x.^y", "x: m; y: n", "", ""),
    ("X.*x", None, "entry-by-entry", "equal"),
    ("a/x", None, "division by x", "./"),
    ("A/B", None, "division by B", "inv()"),
    ("x^2", None, "x is a vector", ".^"),
    ("X^2", "X: m×n", "X: m×n", "square"),
    ("A^a", None, "integer exponent", ".^"),
    ("A^0.5", None, "integer exponent", ".^"),
    ("2^A", None, "exponent A", ".^"),
    ("2^x", None, "exponent x", ".^"),
    ("A^T", None, "T", ".T"),
    ("tr(X)", "X: m×n", "m×n", "square"),
    ("det(X)", "X: m×n", "m×n", "square"),
    ("inv(x)", None, "vector", "square"),
    ("logdet(X)", "X: 2×3", "2×3", "square"),
    ("expm(x)", None, "vector", "square"),
    ("softmax(A)", None, "ambiguous", "softmax_rows"),
    ("logsumexp(A)", None, "ambiguous", "logsumexp_rows"),
    ("1/0", None, "zero", ""),
    (
        "vec(X) - y",
        {"X": "3×4", "y": "12"},
        "cannot add 4*3 and 12",
        "declare the length 12 as 4*3",
    ),
    ("y'*vec(X)", {"X": "3×4", "y": "12"}, "times", "declare the length 12 as 4*3"),
    ("ones(0)", None, "not a size", "positive"),
    ("ones(n/2)", None, "not a size", ""),
    ("eye(2.5)", None, "not a size", ""),
    ("sum(x)/n", None, "division by n", ""),
)


@pytest.mark.parametrize(("text", "shapes", "message", "hint"), CONFLICTS)
def test_conflicts_say_what_where_and_what_would_be_right(text, shapes, message, hint):
    padded = f"tanh(a) + sum(exp({text}))"
    with pytest.raises(MatcalcError) as caught:
        parse(padded, shapes)
    problem = caught.value
    assert message in problem.message
    assert hint in problem.hint
    assert problem.span is not None
    start, stop = problem.span
    offset = padded.index(text)
    assert offset <= start < stop <= offset + len(text)
    assert "^" in problem.caret()
    assert "?" not in problem.message


def test_the_conflict_is_the_smallest_part_that_is_wrong():
    with pytest.raises(ShapeProblem) as caught:
        parse("x'*A*x + tr(B*(A*C)*y*y')", "A: 3×3; B: 3×3; C: 4×4")
    problem = caught.value
    assert problem.text is not None and problem.span is not None
    assert problem.text[slice(*problem.span)] == "A*C"


def test_a_hint_is_right():
    for _, shapes, _, hint in CONFLICTS:
        if hint and "*" in hint and "(" not in hint and not hint.startswith("declare"):
            assert parse(hint, shapes).shape is not None


@pytest.mark.parametrize("size", ["2*n", "n*2", "n+n"])
@pytest.mark.parametrize(
    "text", ["[x; y]'*z", "[x; y] - z", "z", "z'*[eye(n), eye(n)]'", "kron(c, x)'*z", "sum(z[2:n])"]
)
def test_a_multiple_of_a_size_is_what_it_meets(text: str, size: str) -> None:
    """2*n is the length of [x; y] and of kron(c, x), and what is printed as 2*n is 2*n."""
    if size == "n+n" and "kron" in text:
        return
    e = parse(text, {"x": "n", "y": "n", "c": "2", "z": size})
    declared = {v.name: declared_text(v) for v in variables(e)}
    assert parse(str(e), declared) is e


def test_a_multiple_of_another_size_is_refused() -> None:
    with pytest.raises(ShapeProblem):
        parse("[x; y] - z", {"x": "n", "y": "n", "z": "3*n"})
    with pytest.raises(ShapeProblem):
        parse("[x; y]'*z", {"x": "n", "y": "n", "z": "2*m"})


@pytest.mark.parametrize(
    "text", ["1./zeros(n)", "zeros(n).^-2", "x./(y - y)", "zeros(n, n).^(-1/2)", "x/(a - a)"]
)
def test_division_by_zeros_is_refused(text: str) -> None:
    with pytest.raises(ShapeProblem, match="division by zero"):
        typed(text, "x: n; y: n; a: scalar")
