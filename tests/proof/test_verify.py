"""The verification itself: it catches every mutant of a right answer, and refuses no right
answer.
"""

from __future__ import annotations

import decimal
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import points
import pytest
from identities import identities
from strategies import expression

import matcalc as mc
from matcalc import expr as ex
from matcalc.api.derivation import Derivation
from matcalc.errors import MatcalcError
from matcalc.expr import Expr
from matcalc.proof.verify import Verification, verify

SMALLEST = 1e-9  # a relative difference of values below which two expressions count as equal


# ---- mutation ------------------------------------------------------------------------------------


def replaced(root: Expr, old: Expr, new: Expr) -> Expr:
    """The expression with one of its nodes replaced, wherever it stands."""
    done: dict[Expr, Expr] = {}
    for node in ex.postorder(root):
        done[node] = (
            new
            if node is old
            else ex.rebuild(node, tuple(done[a] for a in node.args))
            if node.args
            else node
        )
    return done[root]


def square(e: Expr) -> bool:
    return e.shape_[0] == e.shape_[1] and not e.is_scalar


def signs(e: Expr, rng: random.Random) -> Expr | None:
    return ex.add(ex.neg(e.args[0]), *e.args[1:]) if e.head == "add" else None


def dropped_term(e: Expr, rng: random.Random) -> Expr | None:
    if e.head != "add":
        return None
    k = rng.randrange(len(e.args))
    rest = ex.add(*e.args[:k], *e.args[k + 1 :])
    return rest if rest.shape_ == e.shape_ else None


def transposed(e: Expr, rng: random.Random) -> Expr | None:
    return ex.transpose(e) if square(e) else None


def swapped(e: Expr, rng: random.Random) -> Expr | None:
    if e.head != "matmul":
        return None
    k = rng.randrange(len(e.args) - 1)
    return ex.matmul(*e.args[:k], e.args[k + 1], e.args[k], *e.args[k + 2 :])


def dropped_factor(e: Expr, rng: random.Random) -> Expr | None:
    if e.head != "times":
        return None
    k = rng.randrange(len(e.args))
    rest = ex.times(*e.args[:k], *e.args[k + 1 :])
    return rest if rest.shape_ == e.shape_ else None


def matrix_product_for_hadamard(e: Expr, rng: random.Random) -> Expr | None:
    arrays = [a for a in e.args if not a.is_scalar]
    return ex.matmul(*e.args) if e.head == "times" and len(arrays) > 1 and square(e) else None


def other_function(e: Expr, rng: random.Random) -> Expr | None:
    names = [n for n in ("sin", "cos", "tanh", "exp", "sigmoid") if n != e.head]
    return (
        ex.call(rng.choice(names), e.args[0])
        if e.head in ("sin", "cos", "tanh", "exp", "sigmoid")
        else None
    )


def other_exponent(e: Expr, rng: random.Random) -> Expr | None:
    return ex.pow_(e.args[0], ex.add(e.args[1], ex.ONE)) if e.head == "pow" else None


def scaled(k: Fraction) -> Callable[[Expr, random.Random], Expr | None]:
    return lambda e, rng: ex.scaled(k, e)


def shifted(e: Expr, rng: random.Random) -> Expr | None:
    return ex.add(e, ex.times(ex.num(Fraction(1, 1000)), ex.ones(e.shape_)))


def one_entry(e: Expr, rng: random.Random) -> Expr | None:
    """One diagonal's worth of entries changed: the smallest change that the language can write
    for a matrix.
    """
    return (
        ex.add(e, ex.times(ex.num(Fraction(1, 1000)), ex.eye(e.shape_[0]))) if square(e) else None
    )


MUTATIONS: dict[str, Callable[[Expr, random.Random], Expr | None]] = {
    "sign": scaled(Fraction(-1)),
    "sign of a term": signs,
    "factor 2": scaled(Fraction(2)),
    "factor 1.001": scaled(Fraction(1001, 1000)),
    "dropped term": dropped_term,
    "transpose": transposed,
    "swapped factors": swapped,
    "dropped factor": dropped_factor,
    "product for .*": matrix_product_for_hadamard,
    "other function": other_function,
    "other exponent": other_exponent,
    "ones/1000 added": shifted,
    "identity/1000 added": one_entry,
}


def mutant(g: Expr, kind: str, rng: random.Random) -> Expr | None:
    """The expression mutated at a random node where that makes sense.

    None if it cannot be built or is the same object.
    """
    nodes = ex.postorder(g)
    rng.shuffle(nodes)
    for node in nodes:
        try:
            new = MUTATIONS[kind](node, rng)
            if new is None or new.shape_ != node.shape_:
                continue
            out = replaced(g, node, new)
        except MatcalcError:
            continue
        return out if out is not g and out.shape_ == g.shape_ else None
    return None


def really_differs(a: Expr, b: Expr, seed: int) -> bool | None:
    """By values alone, at many points, since two sides of a kink may look alike.

    None where there is no point.
    """
    rng = np.random.default_rng(seed)
    seen = False
    for _, (_, values) in zip(range(40), points.settled((a, b), rng), strict=False):
        seen = True
        if points.gap(*values) > SMALLEST:
            return True
    return False if seen else None


# ---- a run ---------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What became of the mutants."""

    counts: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    survivors: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def add(
        self, d: Derivation, kind: str, wrong: Expr, found: Verification, differs: bool | None
    ) -> None:
        said = "caught" if found.wrong else "passed" if found.ok else "undecided"
        truth = {True: "wrong", False: "equivalent", None: "no point"}[differs]
        self.counts[f"{truth}, {said}"] += 1
        self.kinds[kind] += bool(differs)
        line = f"{d.program.text} by {d.wrt.name} [{kind}]: {wrong}; {found}"
        if differs and found.ok:
            self.survivors.append(line)
        if differs is False and found.wrong:
            self.refused.append(line)

    def __str__(self) -> str:
        return (
            f"{sum(self.counts.values())} mutants: {dict(self.counts)}; wrong ones by kind "
            f"{dict(self.kinds)}"
        )


def right_answers(seeds: range) -> Iterator[Derivation]:
    """Derivatives of the identities and of random expressions that are decided."""
    for row in identities("grad", "jac", "dscalar", "symgrad"):
        yield mc.derive(row["expr"], row["wrt"], row["vars"])
    for seed in seeds:
        text, shapes = expression(seed, depth=2)
        yield from (d for d in mc.derive(text, None, shapes).values() if d.verification.ok)


def some_mutant(
    answers: list[Derivation], kind: str, rng: random.Random
) -> tuple[Derivation, Expr]:
    """A mutant of one kind, of any answer that has one."""
    while True:
        d = rng.choice(answers)
        if (wrong := mutant(d.result, kind, rng)) is not None:
            return d, wrong


def run(wanted: int, seed: int) -> Tally:
    """So many mutants of right answers, each kind as often."""
    rng, tally = random.Random(seed), Tally()
    answers = list(right_answers(range(seed, seed + max(60, wanted // 20))))
    for k in range(wanted):
        kind = list(MUTATIONS)[k % len(MUTATIONS)]
        d, wrong = some_mutant(answers, kind, rng)
        tally.add(
            d, kind, wrong, verify(d.expr, d.wrt, wrong, seed=k), really_differs(d.result, wrong, k)
        )
    return tally


def assert_sharp(tally: Tally, record_property: Callable[[str, object], None]) -> None:
    record_property("mutants", str(tally))
    print("", tally, *tally.survivors[:20], *tally.refused[:20], sep="\n")
    assert not tally.survivors, tally.survivors
    assert not tally.refused, tally.refused
    # claims that are defined nowhere
    assert tally.counts["wrong, undecided"] <= 0.01 * sum(tally.counts.values())
    assert all(tally.kinds[kind] for kind in MUTATIONS), tally.kinds


def test_mutants(record_property: Callable[[str, object], None]) -> None:
    assert_sharp(run(400, seed=5000), record_property)


@pytest.mark.slow
def test_many_mutants(record_property: Callable[[str, object], None]) -> None:
    assert_sharp(run(10_000, seed=9000), record_property)


def test_right_answers_pass_at_other_points() -> None:
    for k, d in enumerate(right_answers(range(7000, 7020))):
        assert verify(d.expr, d.wrt, d.result, seed=k).ok, f"{d.program.text} by {d.wrt.name}"


# ---- single claims -------------------------------------------------------------------------------

CLAIMS = (
    # expression, variable, shapes, claim, whether it is right
    ("x'*A*x", "x", "A: n×n", "(A+A')*x", True),
    ("x'*A*x", "x", "A: n×n", "2*A*x", False),
    ("x'*A*x", "x", "A: n×n symmetric", "2*A*x", True),
    ("x'*S*x", "S", "S: n×n symmetric", "x*x'", True),
    ("x'*S*y", "S", "S: n×n symmetric", "x*y'", False),
    ("x'*S*y", "S", "S: n×n symmetric", "0.5*(x*y' + y*x')", True),
    ("tr(A*D)", "D", "A: n×n; D: n×n diagonal", "A'", False),
    ("tr(A*D)", "D", "A: n×n; D: n×n diagonal", "diag(diag(A))", True),
    ("sum(A + s)", "s", "A: m×n; s: scalar", "m*n", True),
    ("sum(A + s)", "s", "A: m×n; s: scalar", "m*m", False),
    ("sum(A + s)", "s", "A: m×n; s: scalar", "n", False),
    ("sum(A + s)", "s", "A: 3×4; s: scalar", "12", True),
    ("sum(A + s)", "s", "A: 3×4; s: scalar", "7", False),
    ("tr(A*X) - tr(A)*tr(X)", "X", "A: n×n; X: n×n", "zeros(n,n)", False),
    ("sum(exp(x)./(1+exp(x)))", "x", "x: n", "sigmoid(x).*sigmoid(-x)", True),
    ("sum(log(cosh(x)))", "x", "x: n", "tanh(x)", True),
    ("sum(sin(x).^2)", "x", "x: n", "sin(2*x)", True),
    ("sum(sin(x).^2)", "x", "x: n", "1.000001*sin(2*x)", False),
    ("sum(relu(x))", "x", "x: n", "step(x)", True),
    ("sum(relu(x))", "x", "x: n", "0.5 + 0.5*sign(x)", True),
    ("sum(relu(x))", "x", "x: n", "ones(n)", False),
    ("sum(abs(x))", "x", "x: n", "x./abs(x)", True),
    ("logdet(X)", "X", "X: n×n", "inv(X)'", True),
    ("logdet(X)", "X", "X: n×n", "inv(X)", False),
    ("logdet(X)", "X", "X: n×n spd", "inv(X)", True),
    ("norm2(x)", "x", "x: n", "x/norm2(x)", True),
    ("norm2(x)", "x", "x: n", "x", False),
    ("a^b", "b", "a: scalar positive; b: scalar", "log(a)*a^b", True),
    ("a^b", "b", "a: scalar positive; b: scalar", "b*a^(b-1)", False),
    ("tr(expm(X))", "X", "X: n×n", "expm(X)'", True),
    ("tr(expm(X))", "X", "X: n×n", "expm(X)", False),
    ("sum(exp(X))", "X", "X: n×n", "expm(X)", False),
    ("A*x", "x", "A: m×n; x: n", "A", True),
    ("A*x", "x", "A: n×n; x: n", "A'", False),
    ("softmax(x)", "x", "x: n", "diag(softmax(x)) - softmax(x)*softmax(x)'", True),
    ("softmax(x)", "x", "x: n", "diag(softmax(x))", False),
    ("t*A", "t", "A: m×n; t: scalar", "A", True),
    ("t^2*A", "t", "A: m×n; t: scalar", "A", False),
)


@pytest.mark.parametrize(("text", "wrt", "shapes", "claim", "right"), CLAIMS)
def test_claim(text: str, wrt: str, shapes: str, claim: str, right: bool) -> None:
    found = mc.check(text, wrt, claim, shapes)
    assert found.ok is right, found
    assert found.wrong is not right


LUCKY = (
    # wrong, but right at many points: for even sizes, or on one side of a kink
    ("det(diag(x))", "x", "x: n", "det(-diag(x))./x"),
    ("abs(tr(A) - a*n)", "A", "A: n×n; a: scalar", "eye(n)"),
    ("abs(tr(A) - a*n)", "A", "A: n×n; a: scalar", "sign(n*a + tr(A))*eye(n)"),
    ("norm1(A*x - y)", "x", "A: m×n; x: n; y: m", "A'*sign(2*A*x - y)"),
    ("norm1(x + y)", "y", "x: n; y: n", "sign(x)"),
    ("abs(a + b)", "b", "a: scalar; b: scalar", "sign(a)"),
    ("sum(relu(1 - y.*(X*w)))", "w", "X: m×n; w: n; y: pm1 m", "-X'*(y.*step(1 - 2*y.*(X*w)))"),
    ("softplus(relu(a))", "a", "a: scalar", "step(a)*tanh(relu(a))"),
)


@pytest.mark.parametrize(("text", "wrt", "shapes", "claim"), LUCKY)
def test_claim_that_is_right_at_many_points_is_caught(
    text: str, wrt: str, shapes: str, claim: str
) -> None:
    e, g = mc.parse(text, shapes), mc.parse(claim, shapes)
    v = next(v for v in ex.variables(e) if v.name == wrt)
    passed = [seed for seed in range(20) if verify(e, v, g, seed=seed).ok]
    assert not passed, f"passes with the seeds {passed}"


UNDECIDED = ("logdet(x*x')", "sum(inv(x*y'))", "log(0*sum(x))", "det(x*y')^(1/2)")


@pytest.mark.parametrize("text", UNDECIDED)
def test_what_is_singular_everywhere_is_not_verified(text: str) -> None:
    e, g = mc.parse(text, "x: n; y: n"), mc.parse("y", "x: n; y: n")
    found = verify(e, ex.variables(e)[0] if ex.variables(e) else g, g)
    assert not found.ok


def test_wrong_claims_say_where_and_by_how_much() -> None:
    found = mc.check("norm2(X*w - y)^2", "w", "X'*(X*w - y)")
    assert found.wrong
    assert "w[" in found.worst
    assert "DISAGREE" in str(found)
    assert not found
    assert found.max_error > 0.1


def test_the_same_seed_gives_the_same_verdict() -> None:
    e, g = mc.parse("x'*A*x", "A: n×n; x: n"), mc.parse("A*x + A'*x", "A: n×n; x: n")
    x = next(v for v in ex.variables(e) if v.name == "x")
    assert verify(e, x, g, seed=3) == verify(e, x, g, seed=3)


def test_a_claim_of_another_shape_is_refused() -> None:
    with pytest.raises(mc.ShapeProblem):
        mc.check("x'*A*x", "x", "A", "A: n×n; x: n")


@pytest.mark.parametrize("seed", [0, 279])  # at the second, two eigenvalues meet at the first point
def test_eigenvalues_that_meet_at_a_point_do_not_make_an_answer_wrong(seed: int) -> None:
    d = mc.derive("tr(A*eigvecs(S).^3)", "S", "A: n×n; S: n×n symmetric")
    assert verify(d.expr, d.wrt, d.result, seed=seed).ok


def test_numbers_beyond_those_of_double_precision_are_compared() -> None:
    d = mc.derive("n^10000*sum(x)", "x", "x: n")
    assert d.verification.ok and d.verification.numeric
    assert mc.check("n^10000*sum(x)", "x", "n^9999*ones(n)", "x: n").wrong


SUBTLE = (
    # expression, variable, shapes, a claim that is wrong in a part that is easily overlooked
    ("exp(-100-a)", "a", "a: scalar", "exp(-100-a)"),
    ("1e12*sin(x[1]) + cos(x[2])", "x", "x: 2", "[1e12*cos(x[1]); sin(x[2])]"),
    ("sum(exp(100*(x-10)))", "x", "x: n", "0*x"),
    ("abs(c)*normnuc(X)", "c", "c: scalar; X: m×n", "normnuc(X)"),
    ("amax(A)", "A", "A: n×n", "diag(ismax(diag(A)))"),
    ("amax(A + A')", "A", "A: n×n", "2*ismax(A + A')"),
    ("norm2(x)^2", "x", "x: n", "(2 + 1e-9)*x"),
    ("tr(expm(X))", "X", "X: n×n", "(1 + 1e-12)*expm(X)'"),
    ("sum(relu(x - 5))", "x", "x: n", "0*x"),
    ("sqrt(a^2)", "a", "a: scalar", "1"),
    ("lambda_max(S)", "S", "S: n×n symmetric", "eigvecs(S)*diag(ismax(-eigvals(S)))*eigvecs(S)'"),
    ("1e-15*sum(exp(x))", "x", "x: n", "-1e-15*exp(x)"),
    ("norm2(x)^2 + 1e-9*sum(sin(x))", "x", "x: n", "2*x"),
    ("sum(x.^2)", "x", "x: n", "2*x*(1 + relu(2 - n))"),  # wrong where n = 1 alone
    ("norm2(X*w - y)^2", "w", "X: m×n; w: n; y: m", "2*X'*(X*w - y)*(1 + relu(2 - m))"),
    ("trace(expm(Q))", "Q", "Q: m×m positive", "expm(Q)' + exp(40*(Q - 4))"),
    ("sum(U.^2)", "U", "U: 10×10 onehot", "2*U*(1 + relu(sum(U) - 4))"),  # right at sizes up to 4
    # right on one branch of a root or a logarithm
    ("norm2(vec(U))^2", "U", "U: 11×4 pm1", "(2*U)*sqrt(sum(U)^2)/sum(U)"),
    ("norm2(x)^2", "x", "x: n", "2*x.*exp(log(x.^2)/2)./x"),
    ("norm2(x)^2", "x", "x: n mask", "2*x + (2 - sqrt((sum(x) - 2)^2) - sum(x))"),
)


@pytest.mark.parametrize(("text", "wrt", "shapes", "claim"), SUBTLE)
def test_subtly_wrong_claims_are_wrong(text: str, wrt: str, shapes: str, claim: str) -> None:
    assert mc.check(text, wrt, claim, shapes).wrong


FAR_BRANCHES = (
    "2*x + (sqrt((x - 1000).^2) + x - 1000)",
    "2*x + exp(log((x - 1000).^2)/2) + x - 1000",
    "2*x + arctan(1./(x - 1000)) + arctan(x - 1000) + pi/2",
)


def test_a_difference_among_values_that_are_too_large_is_a_doubt() -> None:
    assert not mc.check("y*sum(x)", "y", "sum(x) + exp(40*(y - 4))", "y: scalar; x: n")


@pytest.mark.parametrize("claim", FAR_BRANCHES)
def test_claims_that_are_right_on_a_wide_branch_are_not_verified(claim: str) -> None:
    assert not mc.check("norm2(x)^2", "x", claim, "x: n")


ONE_BRANCH = (
    # no argument of a root or a logarithm passes zero
    ("a*log(a^2)", "a", "a: scalar positive", "2*log(a) + 2"),
    ("(a*b)^(1/3)", "a", "a: scalar positive; b: scalar positive", "b^(1/3)/3*a^(-2/3)"),
    ("arctan(a)", "a", "a: scalar positive", "1/(1 + a^2) + arctan(a) + arctan(1/a) - pi/2"),
    ("sin(a)^2", "a", "a: scalar", "sin(2*a)"),
    ("logsumexp(x)", "x", "x: n", "exp(x - log(sum(exp(x))))"),
    (
        "a*log(1 + a^2)",
        "a",
        "a: scalar",
        "log(1 + a^2) + log((1 + a^2)^3)/3 - log(1 + a^2) + 2*a^2/(1 + a^2)",
    ),
)


@pytest.mark.parametrize(("text", "wrt", "shapes", "claim"), ONE_BRANCH)
def test_identities_on_one_branch_are_verified(
    text: str, wrt: str, shapes: str, claim: str
) -> None:
    assert mc.check(text, wrt, claim, shapes)


@pytest.mark.parametrize(
    ("text", "claim"), [("amax(x)", "ismax(x)"), ("norm2(x)^2", "(2 + 1e-9)*x")]
)
def test_the_decimal_context_of_the_caller_changes_nothing(text: str, claim: str) -> None:
    with decimal.localcontext(prec=3) as context:
        context.traps[decimal.Inexact] = True
        assert mc.check(text, "x", claim, "x: n").wrong


NOISY: tuple[tuple[Any, ...], ...] = (
    # derivatives that are right, and are lost in the rounding of double precision
    ("det(X)", "X", None, {"order": 4}),
    ("std(x)", "x", None, {"order": 3, "along": "v"}),
    ("sum(exp(x)) - sum(exp(x))", "x", None, {"order": 2}),
    ("norm2(softmax(x))^2 - sum(softmax(x).^2)", "x", None, {}),
    ("sum(sin(1e6*x))", "x", None, {}),
    ("amax(x)", "x", "x: n pm1", {}),
    ("amin(elu(x))", "x", None, {}),
    ("sum(log(x - 3))", "x", None, {}),
    ("sum(arccosh(x) + log(x - 5))", "x", None, {}),
    # noise where a value is zero whatever the variable, where eigenvalues meet, and where zeros lie
    # on kinks
    ("normnuc(S)", "S", "S: n×n symmetric", {}),
    ("normnuc(S.^2)", "S", "S: n×n symmetric", {}),
    ("eigvals(x*x')[2]", "x", "x: n", {}),
    ("lambda_min([S, S; S, S])", "S", "S: n×n symmetric", {}),
    ("sum(eigvecs(x*x').^4)", "x", "x: n", {}),
    ("sum(relu(y) - relu(-y))", "y", "y: n mask", {}),
    # slopes that are lost in the rounding of values, and poles
    ("erf(a^-2)", "a", None, {}),
    ("sum(1 - erf(100*x))", "x", None, {}),
    ("sum(digamma(s).^2)", "s", "s: n pm1", {}),
)


@pytest.mark.parametrize(("text", "wrt", "shapes", "options"), NOISY)
def test_noise_makes_no_right_answer_wrong(
    text: str, wrt: str, shapes: str | None, options: dict[str, object]
) -> None:
    assert mc.derive(text, wrt, shapes, **options).verification.ok


SIZES = (
    ("-sum(Y.*log(softmax_rows(X*W)))", "W", "X: {a}×{b}; W: {b}×{c}; Y: {a}×{c}"),
    ("var(v)", "v", "v: {a}"),
    ("sum(norm2_cols(X))", "X", "X: {b}×{b}"),
    ("sum(min(V, V*U))", "V", "V: {b}×{c}"),
    ("norm2(X*w - y)^2/{a}", "w", "X: {a}×{b}; w: {b}; y: {a}"),
    ("norm2(conv(x, w) - y)^2", "w", "x: {a}; w: {b}; y: {a}+{b}-1"),
    ("norm2([x; y] - z)^2", "x", "x: {a}; y: {b}; z: {a}+{b}"),
    ("sum(x[2:{a}])", "x", "x: {a}"),
    ("tr(X*eye({b}))*numel(X)", "X", "X: {b}×{b}"),
)


@pytest.mark.parametrize(("a", "b", "c"), [(2, 2, 2), (7, 5, 3), (12, 12, 12), (100, 20, 10)])
@pytest.mark.parametrize(("text", "wrt", "shapes"), SIZES)
def test_declared_numbers_of_any_size_are_verified(
    text: str, wrt: str, shapes: str, a: int, b: int, c: int
) -> None:
    sizes = {"a": a, "b": b, "c": c}
    d = mc.derive(text.format(**sizes), wrt, shapes.format(**sizes))
    assert d.verification.ok, d.verification


def test_indices_far_away_are_checked_at_small_lengths() -> None:
    for text, wrt in (("x[9999]", "x"), ("x[999999999]*x[3]", "x"), ("X[9,9999]^2", "X")):
        assert mc.derive(text, wrt).verification.ok
    assert mc.check(
        "x[9999]*x[9998]", "x", "x[9999]*eye(n)[:,9999] + x[9998]*eye(n)[:,9998]", "x: n"
    ).wrong


ON_A_SET = (
    ("exp(sum(y))", "y", "y: n simplex", "exp(1)*ones(n, n)"),
    ("sum(y)*norm2(y)^2", "y", "y: n simplex", "2*(ones(n)*y' + y*ones(n)' + eye(n))"),
)


@pytest.mark.parametrize(("text", "wrt", "shapes", "hessian"), ON_A_SET)
def test_a_declared_set_says_nothing_of_what_lies_around_it(
    text: str, wrt: str, shapes: str, hessian: str
) -> None:
    assert str(mc.derive(text, wrt, shapes, order=2)) == hessian


def test_hessian_along_a_direction_by_an_orthogonal_matrix() -> None:
    d = mc.derive("norm2(Q'*Q)^2", "Q", "Q: n×n orthogonal", order=2, along="V")
    assert str(d) == "4*(Q*V'*Q + 2*V)"


def test_a_power_of_a_power_with_a_real_exponent_is_seen_by_the_numbers():
    d = mc.derive("(a^b)^2", "a", "a: scalar positive; b: scalar")
    assert d.verification.ok
    assert not mc.check("(a^b)^2", "a", "2*b*a^(2*b)", "a: scalar positive; b: scalar").ok


def test_numbers_that_are_not_accurate_do_not_make_an_exact_answer_wrong():
    d = mc.derive("cos(exp(2*kron(F, diag(Q))))", "Q", "F: 3×3; Q: 3×3")
    assert d.verification.exact and not d.verification.wrong
