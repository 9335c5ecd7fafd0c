"""Random cases over the whole table give no wrong answer, no crash and no self-refutation.

The oracle itself is tested.
"""

from __future__ import annotations

import os
from dataclasses import replace

import expressions
import fuzz
import meaning
import numpy as np
import pytest
from expressions import SCALAR, Case, Node, type_of
from fuzz import Question
from strategies import CASES

import matcalc as mc
from matcalc.api.derive import unverified
from matcalc.language.typed import typed
from matcalc.tables.functions import MACROS, visible

BLOCK = 25
# a case that is given up may be so inside of a destructor
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
SEED = int(os.environ.get("MATCALC_SEED", 20000))  # printed; any other finds other cases


def of_text(text: str, shapes: dict[str, str], types: dict[str, str]) -> Case:
    """A case that is typed by hand."""
    kinds = {name: type_of(t) for name, t in types.items()}
    return Case(Node(text, (), SCALAR), shapes, kinds, {letter: letter for letter in "mnkl"})


def test_every_function_has_a_meaning() -> None:
    missing = {row.name for row in visible()} | set(MACROS)
    assert not missing - meaning.names()


def test_every_alias_is_known() -> None:
    aliases = {alias: row.name for row in visible() for alias in row.aliases}
    assert aliases == meaning.ALIASES


NUMBERS = (
    ("1 + 2*3^2 - 4/2", 17.0),
    ("-2^2", -4.0),
    ("2^-1", 0.5),
    ("[1, 2; 3, 4]*[1; 1]", [[3.0], [7.0]]),
    ("[1, 2; 3, 4].*[1, 2; 3, 4]'", [[1.0, 6.0], [6.0, 16.0]]),
    ("[1, 2; 3, 4]^-1*[1, 2; 3, 4]", [[1.0, 0.0], [0.0, 1.0]]),
    ("vec([1, 2; 3, 4])'", [[1.0, 3.0, 2.0, 4.0]]),
    ("K(2,3)*vec([1, 2, 3; 4, 5, 6]) - vec([1, 2, 3; 4, 5, 6]')", [[0.0]] * 6),
    ("conv([1; 2], [1; 1; 1])'", [[1.0, 3.0, 3.0, 2.0]]),
    ("cumsum([1; 2; 3])[2:]", [[3.0], [6.0]]),
    ("r = 2; r*[1, 0; 0, r]", [[2.0, 0.0], [0.0, 4.0]]),
    ("eye + [1, 2; 3, 4]", [[2.0, 2.0], [3.0, 5.0]]),
    ("vector(2)'*[1; 2; 3]", 12.0),
    ("det(expm([1, 2; 3, -1]))", 1.0),
    ("logsumexp([0; 0])/log(2)", 1.0),
    ("sqrtm([4, 0; 0, 9])", [[2.0, 0.0], [0.0, 3.0]]),
    ("polygamma(0, 1) - digamma(1)", 0.0),
    ("norm2(skew([1; 2; 3])*[1; 1; 1] - cross([1; 2; 3], [1; 1; 1]))", 0.0),
)


@pytest.mark.parametrize(("text", "value"), NUMBERS)
def test_meaning(text: str, value: object) -> None:
    found = meaning.value(text, meaning.Point({}, {})).astype(float)
    np.testing.assert_allclose(found, np.reshape(value, found.shape), atol=1e-14)


def test_meaning_of_an_index_form() -> None:
    rng = np.random.default_rng(1)
    a, x, b = rng.normal(size=(2, 3)), rng.normal(size=(3, 4)), rng.normal(size=(4, 5))
    at = meaning.Point({"A": meaning.array(a), "X": meaning.array(x), "B": meaning.array(b)}, {})
    found = meaning.form_value("A[i,k]*B[l,j] + 2*I[i,k]*1[j]*(B*1)[l,j]", (2, 5, 3, 4), at)
    wanted = np.einsum("ik,lj->ijkl", a, b) + 2 * np.einsum("ik,lj->ijkl", np.eye(2, 3), b)
    np.testing.assert_allclose(found.astype(float), wanted)


WRONG = (  # a text, its variable, a derivative that is wrong, and what is declared
    ("norm2(X*w - y)^2", "w", "2*X'*(X*w + y)", {"X": "m,n", "w": "n", "y": "m"}),
    ("norm2(X*w - y)^2", "w", "1.0000001*(2*X'*(X*w - y))", {"X": "m,n", "w": "n", "y": "m"}),
    ("x'*A*x", "x", "2*A*x", {"A": "n,n", "x": "n"}),
    ("amax(A + A')", "A", "2*ismax(A + A')", {"A": "n,n"}),
    ("sum(abs(x).^3)", "x", "3*x.^2", {"x": "n"}),
    ("tr(A*X*B)", "X", "B'*A'", {"A": "n,n", "X": "n,n", "B": "n,n"}),
)


@pytest.mark.parametrize(("text", "wrt", "claim", "types"), WRONG)
def test_wrong_derivatives_are_seen(text: str, wrt: str, claim: str, types: dict[str, str]) -> None:
    """What would pass for right here would pass in every random case."""
    shapes = {n: t.replace(",", "×") for n, t in types.items()}
    program = typed(text, shapes)
    (d,) = unverified(program, [program.variables[wrt]])
    case, question = of_text(text, shapes, types), Question(wrt)

    def outcome(derivation: object) -> str:
        rng = np.random.default_rng(1)
        places = (fuzz.point(case, d.program, question, rng, k) for k in range(fuzz.TRIES))
        return fuzz.judged_by_differences(derivation, case, question, places, rng).label

    assert outcome(replace(d, result=mc.parse(claim, shapes))) == "WRONG"


def test_everything_occurs() -> None:
    """Every function, property and operation is in some of the cases that the next test may
    draw.
    """
    seen = set[str]()
    for seed in range(6000):
        seen |= fuzz.seen_in(expressions.case(seed))
        if seed % 500 == 0 and not fuzz.everything() - seen:
            break
    assert not fuzz.everything() - seen


@pytest.mark.parametrize("first", range(SEED, SEED + CASES, BLOCK))
def test_random_cases(first: int) -> None:
    fuzz.ready()
    report = fuzz.run(range(first, first + BLOCK))
    print(report.show())
    assert not report.defects, report.show()
