"""Every head of an expression, given to all that dispatches on heads: a forgotten one is loud."""

from __future__ import annotations

import ast
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import points
import pytest
from reference import emit

import matcalc as mc
from matcalc import expr as ex
from matcalc.api.derive import unverified
from matcalc.api.inputs import as_program
from matcalc.calculus.separate import separate
from matcalc.codegen import TARGETS, source
from matcalc.expr import Expr
from matcalc.expr.sizes import Sum, base_atoms, dims
from matcalc.interop import to_sympy
from matcalc.labels.bag import Bag, Factor, Term, fresh
from matcalc.labels.index_form import IndexForm
from matcalc.labels.meaning import meaning
from matcalc.printing.formats import FORMATS
from matcalc.proof.decimals import DecimalPoint
from matcalc.proof.dual import NoRoot, Point, Undecided
from matcalc.proof.lengths import work
from matcalc.proof.points import random_value
from matcalc.tables.functions import BY_NAME, ROWS

ROOT = Path(mc.__file__).parent
A, B = (ex.var(name, (("n",), ("n",))) for name in "AB")
x = ex.var("x", (("n",), ()))
# an expression of each head that is no function of the table
EXAMPLES = {
    "var": A,
    "num": ex.num(3),
    "size": ex.size_number(("n",)),
    "pi": ex.PI,
    "ones": ex.ones((("n",), ("n",))),
    "zeros": ex.zeros((("n",), ("n",))),
    "eye": ex.eye(("n",)),
    "part": ex.part(("n",), Sum({}, 0), (2,)),
    "shifts": ex.shifts(("m",), ("n",)),
    "commutation": ex.commutation(("m",), ("n",)),
    "add": ex.add(A, B),
    "times": ex.times(A, B),
    "matmul": ex.matmul(A, B),
    "T": ex.transpose(A),
    "pow": ex.pow_(A, ex.num(3)),
}


def called(name: str) -> Expr:
    return ex.call(name, *points.arguments(BY_NAME[name]), trusted=True)


ALL = EXAMPLES | {e.head: e for e in (called(row.name) for row in ROWS) if e.head in BY_NAME}
LENGTHS = {"m": 2, "n": 3, "p": 2, "q": 2, "k": 4, "l": 2}


def literal_heads() -> set[str]:
    """The heads with which the constructors of expressions make nodes."""
    heads: set[str] = set()
    for path in (ROOT / "expr").glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or getattr(call.func, "id", "") != "node":
                continue
            if isinstance(call.args[0], ast.Constant):
                heads.add(str(call.args[0].value))
    return heads


def test_there_is_an_example_of_every_head() -> None:
    assert literal_heads() - set(BY_NAME) == set(EXAMPLES) == ex.HEADS
    assert {head: e.head for head, e in EXAMPLES.items()} == {head: head for head in EXAMPLES}


def test_every_function_makes_a_node_of_its_name() -> None:
    """But for those that are something simpler whatever their arguments."""
    assert {row.name for row in ROWS} - set(ALL) <= {"diag"}


def lengths(*nodes: Expr) -> dict[Any, int]:
    """A length for every name of a size."""
    names = {atom for e in nodes for size in e.shape_ for atom in base_atoms(size)}
    return {name: LENGTHS.get(str(name), 3) for name in names if isinstance(name, str)} | LENGTHS


def written_back(e: Expr) -> None:
    back = mc.parse(str(e), as_program(e, None).declarations)
    assert back is e or points.equal_everywhere(back, e, np.random.default_rng(0))


def exact(e: Expr) -> None:
    row = BY_NAME.get(e.head)
    try:
        with suppress(NoRoot):
            Point(lengths(*ex.postorder(e)), "test").evaluate(ex.postorder(e), {})
    except Undecided:
        assert row is not None and not (row.exact or row.define)
        assert row.arity == 2 or not row.derivative


def in_decimals(e: Expr) -> None:
    sizes = lengths(*ex.postorder(e))
    values = {v: random_value(v, *dims(v.shape_, sizes), Random(1), 0) for v in ex.variables(e)}
    point = DecimalPoint(sizes, dict(values), 40)
    try:
        value = point.evaluate(ex.postorder(e))
    except ArithmeticError:  # outside of the domain of the function
        return
    assert all(isinstance(entry, Decimal) for line in value for entry in line)


def derived(e: Expr) -> None:
    scalar = ex.total(e)
    for v in ex.variables(e):
        unverified(as_program(scalar, None), [v])


def in_index_form(e: Expr) -> None:
    axes = fresh(e.shape_)
    form = IndexForm(Bag(axes, (Term(Fraction(1), (Factor(e, axes),)),)), (e.shape_,))
    assert all(form.to(format) for format in FORMATS)


def in_labels(e: Expr) -> None:
    meaning(e, fresh(e.shape_))


CONSUMERS: dict[str, Callable[[Expr], object]] = {
    "text": written_back,
    "formats": lambda e: [e.to(format) for format in FORMATS],
    "rebuild": lambda e: ex.rebuild(e, e.args),
    "transpose": lambda e: ex.transpose(ex.transpose(e)),
    "labels": in_labels,
    "index form": in_index_form,
    "derivative": derived,
    "exact check": exact,
    "decimals": in_decimals,
    "reference": lambda e: emit(e),
    "work": lambda e: work(ex.postorder(e), lengths(*ex.postorder(e))),
    "SymPy": to_sympy,
    "blocks of rows": lambda e: separate([ex.total(e)], "n"),
} | {target: lambda e, target=target: source(e, target).text for target in TARGETS}  # type: ignore[misc]


@pytest.mark.parametrize("consumer", CONSUMERS)
@pytest.mark.parametrize("head", ALL)
def test_every_head_is_known_everywhere(head: str, consumer: str) -> None:
    """It is taken, or refused by name: a forgotten head is a KeyError."""
    try:
        CONSUMERS[consumer](ALL[head])
    except mc.MatcalcError as problem:
        assert consumer in {"derivative", "SymPy", "blocks of rows", "text", *TARGETS}, problem
