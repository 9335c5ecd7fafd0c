"""The table of identities from the literature: our derivatives are the stated ones, and are not
longer.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import points
import pytest
from identities import Identity, identities
from lark import Token

import matcalc as mc
from matcalc.api.derivation import Derivation
from matcalc.language.syntax import Syntax, syntax

FIRST_ORDER = ("grad", "dscalar", "jac", "symgrad", "diaggrad")
KRONECKER = ("vecjac", "vechess")


def each(*kinds: str) -> Callable[..., object]:
    return pytest.mark.parametrize(
        "row", identities(*kinds), ids=lambda row: f"{row['id']} {row['expr']}"
    )


def derived(row: Identity) -> Derivation:
    return mc.derive(row["expr"], row["wrt"], row["vars"], order=2 if row["kind"] == "hess" else 1)


def stated(row: Identity, d: Derivation) -> mc.Expr:
    return mc.parse(row["gradient"], d.program.declarations)


@each(*FIRST_ORDER, "hess")
def test_derivative_is_the_stated_one(row: Identity) -> None:
    d = derived(row)
    assert d.verification.ok, d.verification
    assert points.equal_everywhere(d.result, stated(row, d), np.random.default_rng(1)), d.result


@each(*FIRST_ORDER)
def test_stated_derivative_passes_as_a_candidate(row: Identity) -> None:
    found = mc.check(row["expr"], row["wrt"], row["gradient"], row["vars"])
    assert found.ok, found


@each(*FIRST_ORDER, "hess")
def test_altered_derivative_does_not_pass(row: Identity) -> None:
    expr = (
        str(mc.derive(row["expr"], row["wrt"], row["vars"]).result)
        if row["kind"] == "hess"
        else row["expr"]
    )
    found = mc.check(expr, row["wrt"], f"1.001*({row['gradient']})", row["vars"])
    assert found.wrong, found


@each("grad", "dscalar")
def test_derivative_is_the_slope(row: Identity) -> None:
    d = derived(row)
    off = points.differs_from_slope(d.expr, d.wrt, d.result, np.random.default_rng(2))
    assert off is not None
    assert off < 1e-6


@each("grad", "jac")
def test_compiled_derivative_is_of_double_precision(row: Identity) -> None:
    d = derived(row)
    at, _ = next(points.settled((d.expr, d.result), np.random.default_rng(4)))
    assert np.asarray(d.compile()(**at)).dtype == np.float64


@each(*KRONECKER)
def test_kronecker_form_is_the_stated_one(row: Identity) -> None:
    d = mc.derive(row["expr"], row["wrt"], row["vars"], order=2 if row["kind"] == "vechess" else 1)
    assert d.verification.ok, d.verification
    assert points.equal_everywhere(d.kronecker(), stated(row, d), np.random.default_rng(5)), (
        d.kronecker()
    )


@each("symelem")
def test_entries_that_move_together(row: Identity) -> None:
    """Where the book moves both entries of a pair, its table is G + G' with the diagonal once:
    not the gradient.
    """
    d = derived(row)
    ours, book = d.result, stated(row, d)
    assert points.equal_everywhere(
        book,
        mc.parse(f"2*({ours}) - ({ours}).*eye(n)", d.program.declarations),
        np.random.default_rng(3),
    )
    assert mc.check(row["expr"], row["wrt"], row["gradient"], row["vars"]).wrong


@each(*FIRST_ORDER, "hess")
def test_text_parses_back(row: Identity) -> None:
    d = derived(row)
    assert mc.parse(str(d.result), d.program.declarations) is d.result


# ---- length --------------------------------------------------------------------------------------


def length(text: str) -> int:
    """The nodes of the binary syntax tree: names, numbers, calls, signs, transposes, and an
    operator between each two operands.
    """
    return sum(_nodes(node) for node in syntax(text).iter_subtrees())


def _nodes(node: Syntax) -> int:
    """What a node counts besides its children."""
    if node.data in ("start", "definition"):
        return 0
    operators = sum(
        isinstance(child, Token) and child.type in ("SIGN", "TIMES") for child in node.children
    )
    return operators if node.data in ("sum", "product") else {"superscript": 2}.get(node.data, 1)


COUNTS = {
    "x": 1,
    "2": 1,
    "-x": 2,
    "A'": 2,
    "(A)": 1,
    "A*x": 3,
    "A*B*x": 5,
    "a - b + c": 5,
    "x^2": 3,
    "x²": 3,
    "sin(x)": 2,
    "ones(m,n)": 3,
    "‖x‖": 2,
    "2*X'*(X*w - y)": 10,
    "-inv(X)'*a*b'*inv(X)'": 13,
}


@pytest.mark.parametrize(("text", "nodes"), COUNTS.items())
def test_length(text: str, nodes: int) -> None:
    assert length(text) == nodes


def test_gradients_are_no_longer_than_the_books(
    record_property: Callable[[str, object], None],
) -> None:
    rows = [
        (row, length(str(derived(row).result)), length(row["gradient"]))
        for row in identities("grad")
    ]
    shorter, ratios = (
        sum(ours <= book for _, ours, book in rows),
        [ours / book for _, ours, book in rows],
    )
    figure = (
        f"{shorter} of {len(rows)} gradients at or below the table, median ratio "
        f"{np.median(ratios):.2f}, worst {max(ratios):.2f}"
    )
    longer = [
        f"{row['id']} {row['expr']}: {derived(row).result} ({ours}) for {row['gradient']} ({book})"
        for row, ours, book in rows
        if ours > book
    ]
    record_property("nodes", figure)
    print("", figure, *longer, sep="\n")
    assert shorter >= 0.9 * len(rows), longer
    assert max(ratios) <= 1.5, longer


def test_every_kind_is_tested() -> None:
    kinds = {"symelem", "hess", *FIRST_ORDER, *KRONECKER}
    lines = (Path(__file__).parents[1] / "identities.tsv").read_text(encoding="utf-8").splitlines()
    assert {line.split("\t")[2] for line in lines if not line.startswith("#")} - {"kind"} == kinds
