"""Declarations: which properties go together, which sizes there are, which names."""

from __future__ import annotations

from itertools import combinations

import pytest

import matcalc as mc
from matcalc.language.declarations import NAME, declarations
from matcalc.language.syntax import syntax
from matcalc.tables.properties import ROWS

KINDS = sorted(row.name for row in ROWS if row.variable)
SHAPES = ("n×n", "m×n", "n", "scalar", "1×1", "3×3", "1")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pair", [*combinations(KINDS, 2), *zip(KINDS, strict=True)], ids="-".join)
def test_properties_that_are_accepted_have_verified_answers(
    pair: tuple[str, ...], shape: str
) -> None:
    """Any others are refused where they are declared, by name."""
    shapes = {"X": f"{shape} {' '.join(pair)}"}
    try:
        declarations(shapes)
    except mc.ShapeProblem as problem:
        told = [p for p in pair if p in str(problem)]
        assert told and ("contradict" not in str(problem) or len(told) == 2)
        return
    for text in ("sum(X.^2 + exp(X))", "norm2(X)^2", "sum(X*X')"):
        assert mc.derive(text, "X", shapes).verification.ok


@pytest.mark.parametrize(
    "pair",
    [
        "symmetric lower",
        "pm1 symmetric",
        "spd orthogonal",
        "diagonal positive",
        "lower upper",
        "unit onehot",
    ],
)
def test_two_that_contradict_are_both_named(pair: str) -> None:
    first, second = pair.split()
    with pytest.raises(mc.ShapeProblem, match=rf"X is declared {first} and {second}"):
        declarations(f"X: n×n {pair}")


IMPLIED = {
    "symmetric spd": "spd",
    "diag sym": "diagonal",
    "pos unit": "unit",
    "sym symmetric": "symmetric",
}


@pytest.mark.parametrize(("declared", "kept"), IMPLIED.items())
def test_what_another_implies_is_dropped(declared: str, kept: str) -> None:
    assert declarations(f"X: n×n {declared}")["X"].properties == (kept,)


@pytest.mark.parametrize("shape", ["n×n", "m×n", "1×n", "n", "scalar"])
def test_single_property_says_what_it_needs(shape: str) -> None:
    refused = []
    for name in KINDS:
        try:
            declarations(f"X: {shape} {name}")
        except mc.ShapeProblem:
            refused.append(name)
    square = {row.name for row in ROWS if row.square}
    wanted = {
        "n×n": {"simplex"},
        "m×n": {"simplex", *square},
        "scalar": {row.name for row in ROWS if row.only_number},
    }
    assert set(refused) == wanted.get(shape, square)


# ---- sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size", ["0", "n-n", "1-1", "1-n", "n-n-1", "n+m-m-n", "0*n", "n*0", "-n", "2-2*n", "3-n-m-k"]
)
def test_a_size_that_is_never_positive_is_none(size: str) -> None:
    with pytest.raises(mc.ShapeProblem, match=r"size"):
        declarations(f"x: {size}")


SUMS = {
    "n-n+n": "n",
    "n-n+1": "scalar",
    "2*n-n-n+3": "3",
    "n+0": "n",
    "n+m-m": "n",
    "2-1": "scalar",
}


@pytest.mark.parametrize(("size", "shown"), SUMS.items())
def test_a_sum_is_what_is_left_of_it(size: str, shown: str) -> None:
    assert mc.parse("x", f"x: {size}").shape == mc.parse("x", f"x: {shown}").shape


PRODUCTS = {
    "vec(X) - x": "8*7",
    "vec(X') - x": "7*8",
    "kron(ones(8), ones(7)).*x": "8*7",
    "kron(y, ones(8)) + x": "n*8",
}


@pytest.mark.parametrize(("text", "size"), PRODUCTS.items())
def test_a_product_keeps_its_factors(text: str, size: str) -> None:
    assert mc.parse(f"sum(({text}).^2)", f"X: 7×8; y: n; x: {size}").shape == ()


@pytest.mark.parametrize(
    "text", ["ones(n-n)", "x[2:1]", "x[n+1:n]", "ones(1-n)", "conv(x,y)[k:k-1]", "zeros(2-2*n)"]
)
def test_an_empty_range_or_size_in_a_text_is_refused(text: str) -> None:
    with pytest.raises(mc.ShapeProblem, match=r"empty|not a size"):
        mc.parse(text)


# ---- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", range(0x370, 0x400))
def test_a_greek_letter_is_a_name_of_python_or_refused(code: int) -> None:
    letter = chr(code)
    try:
        syntax(letter)
    except mc.SyntaxProblem as problem:
        assert f"U+{code:04X}" in str(problem)
        with pytest.raises(mc.NameProblem):
            declarations({letter: "n"})
        return
    assert letter.isidentifier()
    assert declarations({letter: "n"})
    assert mc.parse(f"sum({letter})", {letter: "2"}).compile()(**{letter: [1.0, 2.0]}) == 3


def test_the_grammar_and_the_declarations_know_the_same_names() -> None:
    from pathlib import Path

    grammar = (
        Path(mc.__file__).parent.joinpath("language", "grammar.lark").read_text(encoding="utf-8")
    )
    assert f"NAME: /{NAME}/" in grammar
