"""SymPy's own matrix derivatives, by SymPy and by matcalc: ``python -m benchmarks.sympy_tests``
prints a table.

    python -m benchmarks.sympy_tests              the table of every case
    python -m benchmarks.sympy_tests --write      into benchmarks/sympy.md
    python -m benchmarks.sympy_tests --case norm  the cases whose test function has it in its name

Both get the same SymPy expression. matcalc's answer is verified by matcalc, and then judged like
SymPy's: as numbers at random points, against central differences of the expression. SymPy's answer
is right in either layout, with the axes of the variable last or first, and as a matrix also
transposed.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sympy
from sympy import Derivative, MatrixBase, NDimArray
from sympy.matrices.expressions.matexpr import MatrixElement
from sympy.tensor.array.expressions import ArrayElement, array_derive

import matcalc as mc
from matcalc.expr import variables
from matcalc.labels.index_form import IndexForm
from matcalc.labels.roots import parts

from .sympy_cases import CASES, Case
from .sympy_numbers import NoNumbers, Point, agree, derivative, points

PAGE = Path(__file__).parent / "sympy.md"
LONGEST = 110  # characters of an expression in the table


@dataclass(frozen=True)
class Answer:
    """An answer as text, and what became of it."""

    text: str
    verdict: str


# ---- matcalc -------------------------------------------------------------------------------------


def derived(case: Case) -> mc.Derivation:
    return (
        mc.derive(case.expression, case.wrt, order=case.order)
        if case.order > 1
        else mc.derive(case.expression, case.wrt)
    )


def ours(case: Case) -> Answer:
    try:
        d = derived(case)
    except mc.MatcalcError as problem:
        return Answer(str(problem), "refused")
    right = (
        d.verification is not None
        and d.verification.ok
        and all(_is_right(case, d, at) for at in points(case.expression, case.wrt))
    )
    return Answer(_text(d), "verified" if right else "wrong")


def _text(d: mc.Derivation) -> str:
    """The answer; a matrix by a matrix in index form and, where there is one, in Kronecker form."""
    try:
        return (
            f"{d.result}, as a matrix {d.kronecker()}"
            if isinstance(d.result, IndexForm)
            else str(d.result)
        )
    except mc.NoMatrixForm:
        return str(d.result)


def _is_right(case: Case, d: mc.Derivation, at: Mapping[str, Any]) -> bool:
    """The numbers of the compiled derivative, in the one layout that matcalc has."""
    found, wanted = np.squeeze(numbers(d, at)), np.squeeze(_differences(case, at))
    return bool(found.shape == wanted.shape and np.allclose(found, wanted, rtol=1e-5, atol=1e-6))


def numbers(d: mc.Derivation, at: Mapping[str, Any]) -> Any:
    """The compiled derivative at a point."""
    return np.asarray(d.compile()(**arguments(d, at)), dtype=float)


def arguments(d: mc.Derivation, at: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes and the variables of a derivation at a point."""
    sizes = {name: value for name, value in at.items() if isinstance(value, int)}
    return sizes | {
        v.name: _value(v, at, sizes) for v in (*variables(*parts(d.expr, d.result)), d.wrt)
    }


def _value(v: mc.Expr, at: Mapping[str, Any], sizes: Mapping[str, int]) -> Any:
    """The array of a variable; of an index its unit vector."""
    lengths = [sizes[size] if isinstance(size, str) else size for size in v.shape]
    value = at[v.name]
    return np.eye(lengths[0])[value] if isinstance(value, int) else np.reshape(value, lengths)


def _differences(case: Case, at: Mapping[str, Any]) -> Any:
    first = derivative(case.expression, case.wrt, at)
    # the case of order 2 is constant
    return first if case.order == 1 else np.zeros([*first.shape, *case.wrt.shape])


# ---- SymPy ---------------------------------------------------------------------------------------


def theirs(case: Case) -> Answer:
    try:
        answer = (
            array_derive(case.expression, case.wrt)
            if "array_derive" in case.test
            else case.expression.diff(case.wrt, case.order)
        )
        answer = answer.doit() if isinstance(case.wrt, MatrixElement | ArrayElement) else answer
    except Exception as problem:  # whatever SymPy does
        return Answer(type(problem).__name__, "crash")
    return Answer(str(answer), judged(case, answer))


def judged(case: Case, answer: Any) -> str:
    """Right or wrong by numbers, and in which form."""
    if answer.has(Derivative):
        return "unevaluated"
    try:
        right = all(
            agree(
                Point(at).number(answer),
                _differences(case, at),
                len(getattr(case.expression, "shape", ())),
            )
            for at in points(case.expression, case.wrt)
        )
    except NoNumbers as problem:
        return f"no numbers: {problem}"
    except ValueError:
        return "wrong: its shapes do not fit"
    return ("right as an array" if _is_array(answer) else "right") if right else "wrong"


def _is_array(answer: Any) -> bool:
    """Whether an answer is an expression of arrays, and not of matrices."""
    kinds = {
        kind.__module__ for node in sympy.preorder_traversal(answer) for kind in type(node).__mro__
    }
    return any("array_expressions" in kind for kind in kinds) or isinstance(
        answer, (NDimArray, MatrixBase)
    )


# ---- the table -----------------------------------------------------------------------------------


def rows(cases: Iterable[Case]) -> list[tuple[Case, Answer, Answer]]:
    return [(case, ours(case), theirs(case)) for case in cases]


def table(found: Sequence[tuple[Case, Answer, Answer]]) -> str:
    """One line a case, grouped by the tests of SymPy."""
    lines: list[str] = []
    for test in dict.fromkeys(case.test for case, _, _ in found):
        lines += [
            "",
            f"**{test}**",
            "",
            "| expression | by | matcalc | | SymPy | |",
            "|---|---|---|---|---|---|",
        ]
        lines += (_line(*row) for row in found if row[0].test == test)
    return "\n".join(lines)


def _line(case: Case, mine: Answer, other: Answer) -> str:
    by = str(case.wrt) if case.order == 1 else f"{case.wrt}, {case.order} times"
    return (
        f"| {_code(case.expression)} | {_code(by)} | {_code(mine.text)} | {mine.verdict} | "
        f"{_code(other.text)} | {other.verdict} |"
    )


def _code(answer: Any) -> str:
    """One line of code, functions of entries by their names alone."""
    text = re.sub(r"Lambda\(_d, (\w+)\(_d\)\)", r"\1", " ".join(str(answer).split())).replace(
        "|", "∣"
    )
    return f"`{text if len(text) <= LONGEST else text[: LONGEST - 1] + '…'}`"


def summary(found: Sequence[tuple[Case, Answer, Answer]]) -> str:
    mine, other = (Counter(row[k].verdict.split(":")[0] for row in found) for k in (1, 2))
    return (
        f"{len(found)} cases. matcalc: {_counted(mine)}. SymPy {sympy.__version__}: "
        f"{_counted(other)}."
    )


def _counted(verdicts: Counter[str]) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())


def page(found: Sequence[tuple[Case, Answer, Answer]]) -> str:
    return f"{_HEAD}\n{summary(found)}\n{table(found)}\n"


_HEAD = """# SymPy's own matrix derivatives

Every expression that SymPy's tests differentiate by a matrix, by an entry of one, or as a matrix by a scalar, given to both as the
same SymPy expression. Written by `python -m benchmarks.sympy_tests --write`; `tests/interop/test_sympy_cases.py` holds the column of matcalc.

* *verified*: by matcalc itself, and by finite differences of the SymPy expression.
* *right*, *wrong*: SymPy's answer as numbers against the same finite differences, in either layout or transposed; *right as an array*: but not
  in matrix notation; *unevaluated*: a Derivative is left; *crash*: an exception, by its name.
* An index that no sum binds is a unit vector in matcalc, `i`.
"""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.sympy_tests",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--case", default="")
    options = parser.parse_args(argv)
    found = rows(case for case in CASES if options.case in case.test)
    print(page(found))
    if options.write:
        PAGE.write_text(page(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
