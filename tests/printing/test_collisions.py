"""Names that collide: whatever is printed parses back to the same value, or a name is changed
and that is said.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import points
import pytest

import matcalc as mc
from matcalc import expr as ex
from matcalc.api.derivation import Derivation
from matcalc.api.derive import unverified
from matcalc.cli import main
from matcalc.errors import MatcalcError, NameProblem
from matcalc.expr import Expr, declared_text
from matcalc.language.program import Program
from matcalc.language.syntax import syntax
from matcalc.language.typed import typed


def derived(text: str, wrt: str, shapes: str = "", **options: object) -> Derivation:
    program = typed(text, shapes)
    return unverified(program, [program.variables[wrt]], **options)[0]  # type: ignore[arg-type]


def declared(program: Program[Expr]) -> str:
    """The declarations that the command says."""
    return "; ".join(f"{name}: {declared_text(v)}" for name, v in program.variables.items())


def assert_reads_back(d: Derivation) -> None:
    """The answer means the same where it is typed by itself, with the declarations that are
    said.
    """
    said = "; ".join([declared(d.program), *(f"{name}: integer" for name in d.integers)])
    for text in (d.text, d.named.program(d.wrt.name)):
        back = typed(text, said).expr
        assert back is d.result or points.equal_everywhere(
            back, d.result, np.random.default_rng(0), points=2
        ), text


PI = "pi is a variable here (the number is written π)"
SIZE = "n is a variable here (the size n is written n1)"

# expression, variable, declarations, the answer, what is said
COLLISIONS: tuple[tuple[Any, ...], ...] = (
    ("pi*erf(a)", "a", "pi: scalar", "2*pi*exp(-a^2)/sqrt(π)", [PI]),
    ("π*erf(a)", "a", "π: scalar", "2*π*exp(-a^2)/sqrt(pi)", []),
    (
        "pi*π*erf(a)",
        "a",
        "pi: scalar; π: scalar",
        "2*pi*π*exp(-a^2)/sqrt(arccos(-1))",
        [PI.replace("π", "arccos(-1)")],
    ),
    ("sum(pi)*erf(a)", "a", "pi: n", "2*sum(pi)*exp(-a^2)/sqrt(π)", [PI]),
    # the answer does not hold the variable
    ("sum(pi) + erf(a)", "a", "pi: n", "2*exp(-a^2)/sqrt(π)", [PI]),
    (
        "pi = a^2; pi*b*erf(b)",
        "b",
        "a: scalar",
        "pi*(2*b*exp(-b^2)/sqrt(π) + erf(b))\nwhere pi = a^2",
        [PI],
    ),
    ("n*x'*x", "x", "x: n; n: scalar", "2*n*x", [SIZE]),
    ("n*sum(x)", "x", "x: n; n: scalar", "n*ones(n1)", [SIZE]),
    ("sum(n)*sum(x)", "x", "x: n; n: n", "sum(n)*ones(n1)", [SIZE]),
    ("n = x'*x; n*sum(x)", "x", "x: n", "n*ones(n1) + 2*sum(x)*x\nwhere n = x'*x", [SIZE]),
    (
        "n1*n*sum(x)",
        "x",
        "x: n; n: scalar; n1: scalar",
        "n*n1*ones(n2)",
        [SIZE.replace("n1", "n2")],
    ),
    ("n*sum(x)", "x", "x: n+1; n: scalar", "n*ones(n1+1)", [SIZE]),
    (
        "sum(x)",
        "x",
        "x: sum",
        "ones(sum1)",
        ["sum is a function here (the size sum is written sum1)"],
    ),
    ("sum(x)", "x", "x: pi", "ones(pi1)", ["pi is a number here (the size pi is written pi1)"]),
    ("k*m*sum(x)/p", "x", "x: p; k: scalar; m: scalar", "k*m*ones(p)/p", []),
)


@pytest.mark.parametrize(("text", "wrt", "shapes", "answer", "notes"), COLLISIONS)
def test_names_that_collide(
    text: str, wrt: str, shapes: str, answer: str, notes: list[str]
) -> None:
    d = derived(text, wrt, shapes)
    assert str(d) == answer
    assert list(d.notes) == notes
    assert_reads_back(d)


def test_an_answer_with_collisions_is_right_by_the_checker() -> None:
    assert mc.check("pi*erf(a)", "a", "2*pi*exp(-a^2)/sqrt(π)", "pi: scalar").ok
    assert not mc.check("pi*erf(a)", "a", "2*pi*exp(-a^2)/sqrt(pi)", "pi: scalar").ok


INDEX_FORMS = (
    ("X*I*B*X", "X", "I: n×n", "eye[i,k]"),
    ("X*B*X", "X", "", "I[i,k]"),
    ("sum(I)*X*X'", "X", "I: n×n", "eye["),
    ("i*A*X*B", "X", "i: scalar", "i*A[j,l]*B[p,k]"),
    ("sum(ones(i))*A*X*B", "X", "", "i*A[j,l]*B[p,k]"),
    ("sum(x[i])*A*X*B", "X", "x: n", "x[i]*A[j,l]*B[p,k]"),
    # i is a variable though the answer does not hold it
    ("sum(i) - sum(i) + A*X*B", "X", "", "A[j,l]*B[p,k]"),
)


@pytest.mark.parametrize(("text", "wrt", "shapes", "part"), INDEX_FORMS)
def test_letters_and_the_identity_of_index_forms(
    text: str, wrt: str, shapes: str, part: str
) -> None:
    d = derived(text, wrt, shapes)
    assert part in str(d), str(d)
    assert str(d) == d.text
    assert mc.check(text, wrt, d.text, shapes).ok
    assert bool(d.notes) == (part.startswith("eye"))


def test_the_commutation_matrix_beside_a_variable_of_its_name() -> None:
    assert (
        str(derived("X'*K", "X", "X: m×n; K: m×p").result.kronecker())
        == "kron(K', eye(n))*commutation(m,n)"
    )  # type: ignore[union-attr]
    assert mc.parse("commutation(m,n)*vec(X)", "X: m×n") is mc.parse("K(m,n)*vec(X)", "X: m×n")
    for name in ("commutation", "shifts"):
        with pytest.raises(NameProblem, match="function"):
            mc.parse(f"{name}*x")
        with pytest.raises(NameProblem, match="function"):
            mc.parse("x", {name: "n"})


NAMED = (
    ("norm2(r*exp(X*w - y))^2 + sum(r - r)", "w", "r: scalar"),
    ("x1 = A*x; norm2(tanh(x1) - y)^2*norm2(tanh(x1) - z)^2", "x", ""),
    ("logdet(X'*X + eye(n)) + tr(inv(X'*X + eye(n))*I*R)", "X", "R: n×n; I: n×n"),
    (
        "sum(s - s)*y'*log(softmax(relu(A*tanh(B*x + c) + d)))",
        "A",
        "c: k; d: m; x: n; s: n; r: n; t: n",
    ),
    (
        "y'*log(softmax(relu(A*tanh(B*x + c) + d))) + sum(t) + sum(r)",
        "B",
        "c: k; d: m; x: n; t: δ; r: s",
    ),
)


@pytest.mark.parametrize(("text", "wrt", "shapes"), NAMED)
def test_names_of_parts_are_new(text: str, wrt: str, shapes: str) -> None:
    d = derived(text, wrt, shapes)
    taken = d.program.names | ex.names_of(list(d.program.variables.values()))
    names = [name for name, _ in d.named.where if name not in d.program.definitions]
    assert not taken & set(names) and len(set(names)) == len(names)
    assert_reads_back(d)


def test_the_names_of_parts_are_used_and_come_before_what_they_use() -> None:
    d = derived("g.*(x - mean(x))/sqrt(var(x) + e) + b", "x", "x: n; g: n; b: n; e: scalar")
    texts = [d.named.texts["x"], *(body for _, body in d.named.where)]
    for i, (name, _) in enumerate(d.named.where):
        assert any(name in typed_names(body) for body in texts[: i + 1]), str(d)
        assert not any(name in typed_names(body) for body in texts[i + 1 :])
    assert_reads_back(d)


def typed_names(text: str) -> set[str]:
    return {str(node.children[0]) for node in syntax(text).find_data("name")}


def test_an_explanation_keeps_names_apart() -> None:
    shown = derived("i*norm2(A*X*B)^2*sum(r)/pi", "X", "i: scalar; pi: scalar; r: n").explain()
    assert "[i," not in shown and ",i]" not in shown
    assert " r = " not in shown
    assert "π" in derived("pi*erf(a)", "a", "pi: scalar").explain()


# ---- sizes ---------------------------------------------------------------------------------------

SIZES = (
    ("sum(exp(V))*numel(V)", "V", "V: m×p", ()),
    ("sum(ones(k,m)*x)/numel(x)", "x", "x: m", ("k",)),
    ("sum(ones(k,m)*x)", "x", "x: m; k: integer", ("k",)),
    ("tr(zeros(m,n)*X)", "X", "X: n×m", ()),
    ("sum(zeros(m,n)) + a", "a", "", ()),
    ("tr(X)*sum(ones(k,p))", "X", "X: n×n", ("k", "p")),
    ("tr(X^k)", "X", "X: n×n", ("k",)),
    ("x'*S^a*x", "x", "S: n×n spd", ("a",)),
    ("sum(X[:,j])*sum(ones(j))", "X", "X: m×n", ("j",)),
    ("sum(x)*numel(y)", "x", "x: n+1; y: m-1", ()),
    ("mean(conv(x,w))", "x", "x: n; w: m", ()),
    ("std([x; y])", "x", "x: n; y: m", ()),
    ("sum(kron(A,B))*sum(ones(l))", "A", "A: m×n; B: p×q", ("l",)),
    ("norm2(u - u)^2", "u", "u: n", ()),
    ("tr(kron(eye(k), X))", "X", "X: n×n", ("k",)),
)


@pytest.mark.parametrize(("text", "wrt", "shapes", "integers"), SIZES)
def test_sizes_are_numbers_where_an_answer_is_typed_again(
    text: str, wrt: str, shapes: str, integers: tuple[str, ...]
) -> None:
    d = derived(text, wrt, shapes)
    assert d.integers == integers
    assert_reads_back(d)
    assert mc.check(text, wrt, d.text, shapes).ok


def test_the_command_says_what_an_answer_needs(capsys: pytest.CaptureFixture[str]) -> None:
    main(["sum(ones(k,m)*x)", "x"])
    assert "assumed x: m, k: integer\n" in capsys.readouterr().err
    main(["sum(ones(k,m)*x)", "x", "-s", "x: m; k: integer"])
    assert "declared x: m, k: integer\n" in capsys.readouterr().err
    main(["pi*erf(a)", "a", "-s", "pi: scalar", "--to", "json"])
    printed = capsys.readouterr()
    assert '"derivative": "2*pi*exp(-a^2)/sqrt(π)"' in printed.out
    assert (
        '"pi is a variable here (the number is written π)"' in printed.out
        and "written π" in printed.err
    )


def test_a_variable_and_a_size_of_one_name_are_refused_where_nothing_can_be_renamed() -> None:
    x, n = mc.vector("x", "n"), mc.scalar("n")
    with pytest.raises(NameProblem, match="'n' is a variable and a size"):
        mc.derive(n * mc.sum(x), x)


# ---- what may have been meant otherwise ----------------------------------------------------------

NOTES: tuple[tuple[str, str, list[str]], ...] = (
    ("x'*I*x", "", ["I is a free matrix here (the identity is eye)"]),
    ("x'*I*x", "I: n×n", []),
    ("x'*E*x", "", ["E is a free matrix here (the identity is eye)"]),
    ("x'*X*T", "", ["T is a free matrix here (the transpose is ' or .T)"]),
    ("e^a", "", ["e is a scalar here (the exponential is exp)"]),
    ("e + a", "", []),
    ("e^a", "e: scalar", []),
    ("1'*x", "", ["1' is the number 1 (a row of ones is ones(n)')"]),
    ("sum(log(S))", "S: n×n spd", ["log(S) is entry by entry (logm is the matrix function)"]),
    ("sum(ln(S))", "S: n×n spd", ["ln(S) is entry by entry (logm is the matrix function)"]),
    ("sum(sqrt(A'*A))", "", ["sqrt(A'*A) is entry by entry (sqrtm is the matrix function)"]),
    ("tr(exp(S + S'))", "", ["exp(S + S') is entry by entry (expm is the matrix function)"]),
    ("tr(exp(D))", "D: n×n diagonal", ["exp(D) is entry by entry (expm is the matrix function)"]),
    ("sum(exp(X))", "X: n×n", []),
    ("sum(log(x)) + log(x'*S*x)", "S: n×n spd", []),
    ("tr(logm(S)) + tr(expm(S))", "S: n×n spd", []),
    ("mu*sum(x) + Sigma", "Sigma: scalar", []),
)


@pytest.mark.parametrize(("text", "shapes", "notes"), NOTES)
def test_notes(text: str, shapes: str, notes: list[str]) -> None:
    program = typed(text, shapes)
    assert list(program.notes) == notes
    d = unverified(program, [next(iter(program.variables.values()))])[0]
    assert [note for note in d.notes if "written" not in note] == notes


def test_notes_are_on_the_line_of_assumptions(capsys: pytest.CaptureFixture[str]) -> None:
    main(["x'*I*x + mu*sum(x)", "x"])
    line = capsys.readouterr().err.split("\n")[0]
    assert line == "assumed x: n, I: n×n, mu: scalar; I is a free matrix here (the identity is eye)"


def test_long_numbers_read_back() -> None:
    e = mc.parse("1e-30*x + 1e30*x + 0.1234567890123456789*x")
    assert mc.parse(str(e)) is e
    with pytest.raises(MatcalcError, match="digits"):
        mc.parse("1" * 5000)


@pytest.mark.parametrize(
    "text",
    [
        "q = x.^2; sum(q.*exp(y).*z)",
        "q = 1./x; sum(q.*exp(y).*z)",
        "q = 1/a; q*sum(exp(y))",
        "q = a^2; q*sum(y)",
    ],
)
def test_a_power_is_written_by_the_name_that_it_has(text: str) -> None:
    d = derived(text, "y")
    assert "q" in typed_names(d.named.texts["y"]), str(d)
    assert_reads_back(d)


def test_a_differential_beside_a_variable_of_its_name() -> None:
    assert (
        str(derived("tr(A*X*dX)*X", "X", "A: n×n; dX: n×n; X: n×n").differential())
        == "tr(A*X*dX)*dX1 + tr(A*dX1*dX)*X"
    )


@pytest.mark.parametrize("size", ["n*m", "m*n", "n*n", "2*n", "n*2"])
@pytest.mark.parametrize("text", ["sum(sign(v))", "0*sum(v)^2", "sum(v) + sum(kron(x, y))"])
def test_a_product_of_sizes_is_read_in_the_order_in_which_it_is_written(
    text: str, size: str
) -> None:
    d = derived(text, "v", f"v: {size}; x: n; y: m")
    assert mc.parse(str(d.result), {"v": size}) is d.result


CONSTANTS_OF_PRODUCTS = (
    ("ones({}) + kron(x, y)", "kron(x, y) + 1"),
    ("ones({}).*kron(x, y)", "kron(x, y)"),
    ("eye({})*kron(x, y)", "kron(x, y)"),
    ("zeros({}, k)*w + kron(x, y)", "kron(x, y)"),
    ("kron(x, y)'*ones({})", "sum(kron(x, y))"),
    ("0*v + kron(x, y)", "kron(x, y)"),
)


@pytest.mark.parametrize("size", ["n*m", "m*n"])
@pytest.mark.parametrize(("text", "means"), CONSTANTS_OF_PRODUCTS)
def test_constants_of_a_product_of_sizes_fit_it_in_any_order(
    text: str, means: str, size: str
) -> None:
    declared = {"x": "n", "y": "m", "w": "k", "v": size}
    assert str(mc.parse(text.format(size), declared)) == means
