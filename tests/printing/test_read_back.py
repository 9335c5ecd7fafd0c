"""What is printed of a derivation parses back to the same node, over random expressions, sizes,
orders and names.
"""

from __future__ import annotations

import random
import re

import numpy as np
import points
import pytest
from strategies import expression

from matcalc import expr as ex
from matcalc.api.derivation import Derivation
from matcalc.api.derive import unverified
from matcalc.codegen import compile_expr
from matcalc.errors import NoMatrixForm, NotDifferentiable
from matcalc.expr import Expr, declared_text
from matcalc.expr.sizes import length, names_of_sizes
from matcalc.labels.index_form import LETTERS, IndexForm
from matcalc.language.typed import typed

EXPRESSIONS = 60
# names that collide with constants, functions of the index forms, letters, parts and other names
HOSTILE = "pi π I K T E e r r1 s t δ i j k l n1 m1 R S λ lambda a1 a_1 t1 t0".split()


def with_hostile_names(
    text: str, shapes: dict[str, str], rng: random.Random
) -> tuple[str, dict[str, str]]:
    """The same expression in other names."""
    free = [name for name in HOSTILE if name not in re.findall(r"\w+", text)]
    new = (
        dict(zip(shapes, rng.sample(free, len(shapes)), strict=True))
        if len(shapes) <= len(free)
        else {}
    )
    return re.sub(r"[A-Za-z]\w*", lambda word: new.get(word[0], word[0]), text), {
        new.get(n, n): s for n, s in shapes.items()
    }


def cases() -> list[tuple[str, dict[str, str]]]:
    found = []
    for seed in range(EXPRESSIONS):
        text, shapes = expression(seed, 2 + seed % 2, wide=seed % 3 == 0)
        found.append((text, shapes))
        found.append(with_hostile_names(text, shapes, random.Random(seed)))
    return found


def declarations(d: Derivation) -> dict[str, str]:
    """What the command says of the names."""
    along = [] if d.along is None else [d.along]
    return {
        v.name: declared_text(v) for v in [*d.program.variables.values(), *along]
    } | dict.fromkeys(d.integers, "integer")


def assert_reads_back(d: Derivation) -> None:
    assert isinstance(d.result, Expr)
    for shown in (d.text, d.named.program(d.wrt.name)):
        back = typed(shown, declarations(d)).expr
        assert back is d.result or points.equal_everywhere(
            back, d.result, np.random.default_rng(0), points=2
        ), shown


@pytest.mark.parametrize("case", cases(), ids=lambda case: case[0])
def test_what_is_printed_of_a_derivation_parses_back(case: tuple[str, dict[str, str]]) -> None:
    program = typed(*case)
    for wrt in program.variables.values():
        for options in ({}, {"order": 2}, {"order": 2, "along": "direction"}):
            try:
                (d,) = unverified(program, [wrt], **options)  # type: ignore[arg-type]
            except (NoMatrixForm, NotDifferentiable):
                continue
            if isinstance(d.result, Expr):
                assert_reads_back(d)
            else:
                assert_index_form_reads_back(d)


# ---- index forms, as a reader reads them ---------------------------------------------------------


def assert_index_form_reads_back(d: Derivation) -> None:
    """Letters that are no names stand for axes, in the order of the axes of the answer.

    The others are summed.
    """
    assert isinstance(d.result, IndexForm)
    taken = d.names | {
        name
        for f in d.result.factors
        for name in ex.written_names(ex.postorder(f))
        if f.head not in ("eye", "ones")
    }
    letters = [letter for letter in LETTERS if letter not in taken]
    at = points.point(d.result.factors, np.random.default_rng(1))
    at |= {name: 3 for size in d.result.axes for name in names_of_sizes([size]) if name not in at}
    with np.errstate(all="ignore"):
        expected = np.asarray(d.result.compile()(**at))
        if np.isfinite(expected).all():
            found = sum(
                sign * term_value(term, letters, d, at)
                for sign, term in split_at(d.text, " + ", " - ")
            )
            every_entry = found + np.zeros(expected.shape) if d.text == "0" else np.asarray(found)
            assert points.gap(expected, every_entry) < 1e-8, d.text


def term_value(term: str, letters: list[str], d: Derivation, at: points.Point) -> points.Array:
    axes = d.result.axes  # type: ignore[union-attr]
    out = letters[: len(axes)]
    lengths = {letter: length(size, at) for letter, size in zip(out, axes, strict=True)}
    operands: list[tuple[str, points.Array | None]] = []
    number = 1.0
    for _, factor in split_at(term, "*"):
        body, brackets = re.fullmatch(
            r"(.*?)(?:\[([A-Za-z](?:,[A-Za-z])*)\])?", factor, re.DOTALL
        ).groups()  # type: ignore[union-attr]
        if brackets is None or not set(brackets.split(",")) <= set(letters):
            number *= float(value(factor, d, at))
        else:
            identity = body == ("eye" if "I" in d.names else "I")
            array = None if identity or body == "1" else value(body, d, at)
            operands.append((brackets.replace(",", ""), array))
            # vec and kron make one axis of two
            wide = array is not None and array.ndim < len(operands[-1][0])
            if wide:
                raise pytest.skip.Exception("an axis that is a product")
            lengths |= (
                dict(zip(operands[-1][0], np.shape(array), strict=False))
                if array is not None
                else {}
            )
    arrays = [
        np.ones(lengths[k])
        if a is None and len(k) == 1
        else np.eye(lengths[k[0]])
        if a is None
        else a
        for k, a in operands
    ]
    return (
        number * np.einsum(f"{','.join(k for k, _ in operands)}->{''.join(out)}", *arrays)
        if operands
        else number
    )


def value(text: str, d: Derivation, at: points.Point) -> points.Array:
    return np.asarray(compile_expr(typed(text, declarations(d)).expr)(**at), dtype=float)


def split_at(text: str, *signs: str) -> list[tuple[int, str]]:
    """The parts between signs that stand in no brackets, with the sign before each."""
    parts, sign, depth, start = [], 1, 0, 0
    if text.startswith("-") and len(signs) > 1:
        sign, start = -1, 1
    for i, c in enumerate(text):
        depth += (c in "([") - (c in ")]")
        mark = next(
            (
                s
                for s in signs
                if depth == 0
                and i > start
                and text.startswith(s, i)
                and text[i - 1 : i + 1] != ".*"
            ),
            None,
        )
        if mark is not None and text[i + 1 : i + 2] not in ("'",):
            parts.append((sign, text[start:i]))
            sign, start = -1 if "-" in mark else 1, i + len(mark)
    return [*parts, (sign, text[start:])]
