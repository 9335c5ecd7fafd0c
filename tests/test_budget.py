"""The budget: what grows ends within its limits, with a LimitProblem that names them, and leaves
nothing half done.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
from time import monotonic

import pytest

import matcalc as mc
from matcalc.budget import (
    DEFAULT,
    PERIOD,
    UNLIMITED,
    as_limits,
    limited,
    room,
    seconds_left,
    share,
    spend,
)
from matcalc.calculus.simplify import _memo
from matcalc.cli import main

MEMORY = 3_000_000_000  # bytes of a process of a case
SECONDS = 2.0  # the limit of a case
START = 6.0  # for Python and the imports, on a busy machine
SLACK = 1.5  # nothing runs over its limit by more than half

HUGE = "999999999"
CASES = [  # expression, variable, declarations, order; each in a process of its own
    ("pinv(X)", "X", "", 4),
    ("x[999999999]", "x", "", 1),
    ("X[9,9999]", "X", "", 1),
    ("sum(X.^2)", "X", f"X: {HUGE}×{HUGE}", 1),
    (
        "tr((A+B)*(A+B)*(A+B)*(A+B)*(A+B)*(A+B)*(A+B)*(A+B)*(A+B)*(A+B)*(A+B)*(A+B)*(A+B)*(A+B)*(A+B)*(A+B))",
        "A",
        "",
        1,
    ),
]
MORE_CASES = [
    ("sum(norm2_cols(1.5 + C.^2)')", "C", "", 6),
    ("logdet(S) + tr(inv(S)*C)", "S", "", 6),
    ("logdet(S) + tr(inv(S)*C)", "S", "S: n×n spd; C: n×n symmetric", 6),
    ("log1p(huber(h,0.5).^2)", "h", "", 6),
    ("sum(gelu(gelu(gelu(gelu(gelu(gelu(x)))))))", "x", "", 6),
    ("sum(softmax(softmax(softmax(x))).^2)", "x", "", 4),
    ("kron(A,B)'*vec(C)", "A", "A: 4×3; B: 5×4; C: 5×4", 1),
    ("sum(kron(A,B).*kron(B,A))", "A", "", 1),
    ("sum(kron(A,B).*kron(B,A))", "A", "A: 8×8; B: 8×8", 1),
    ("sum(sqrt(inv(kron(A,B))))", "A", "A: 8×8; B: 8×8", 1),
    ("sum(kron(kron(A,B),kron(A,B)).^2)", "A", "", 1),
    ("sum(kron(kron(kron(A,A),A),A))", "A", "", 1),
    ("tr(X)", "X", f"X: {HUGE}×{HUGE}", 1),
    ("x[9999]", "x", "", 1),
    ("sum(" + "sigmoid(" * 30 + "x" + ")" * 30 + ")", "x", "", 3),
    ("sum(" + "sigmoid(" * 1000 + "x" + ")" * 1000 + ")", "x", "", 1),
    ("inv(" * 600 + "A" + ")" * 600, "A", "", 1),
    ("+".join(["a"] * 200_000), "a", "", 1),
    ("x" + "'" * 300_000, "x", "", 1),
    ("+".join(f"x[{i}]" for i in range(1, 30_000)), "x", "", 1),
    ("; ".join(f"r{i} = x.*x{i}" for i in range(20_000)) + "; sum(x)", "x", "", 1),
    ("sum(eye(2" + "*2" * 100_000 + "))*a", "a", "", 1),
]
SCRIPT = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
from time import monotonic
import matcalc as mc
expression, wrt, shapes, order = json.load(sys.stdin)
limit, took = float(sys.argv[2]), []
def timed(work):
    start = monotonic()
    try:
        return work()
    finally:
        took.append(monotonic() - start)
try:
    d = timed(lambda: mc.derive(expression, wrt, shapes, order=order, limit=limit))
    for work in (d.__str__, d.latex, d.compile):
        timed(work)
    said = "answered"
except mc.LimitProblem as problem:
    said = str(problem)
print(json.dumps([said, took]))
"""


def outcome(case, limit):
    """What a process says about a case, and how long deriving and each thing done with the
    answer took.
    """
    command = [sys.executable, "-c", SCRIPT, str(MEMORY), str(limit)]
    allowed = START + SLACK * limit * 4
    run = subprocess.run(
        command, input=json.dumps(case), capture_output=True, text=True, timeout=allowed
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout)


def assert_bounded(case):
    said, took = outcome(case, SECONDS)
    assert max(took) <= SLACK * SECONDS + 0.5, took
    assert said == "answered" or "limit" in said, said


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0][:40]} {case[3]}")
def test_what_grows_ends_in_time(case):
    assert_bounded(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", MORE_CASES, ids=lambda case: f"{case[0][:40]} {case[2]} {case[3]}")
def test_more_that_grows_ends_in_time(case):
    assert_bounded(case)


@pytest.mark.parametrize("resource", ["nodes", "terms", "seconds"])
def test_a_limit_names_what_ran_out_how_far_it_came_and_how_to_raise_it(resource):
    limits = mc.Limits(**{resource: {"nodes": 500, "terms": 400, "seconds": 0.02}[resource]})
    with pytest.raises(
        mc.LimitProblem,
        match=rf"^deriving needs more than \S+ {resource}, at order \d of 4 — .*allows more",
    ) as caught:
        mc.derive("sum(pinv(X)*pinv(X)')", "X", order=4, limit=limits)
    assert caught.value.resource == resource


def test_what_is_printed_is_counted_in_bytes():
    d = mc.derive("pinv(X)", "X", order=2, limit=mc.Limits(bytes=20))
    for work in (d.__str__, d.latex):
        with pytest.raises(mc.LimitProblem, match=r"^printing needs more than 20 bytes") as caught:
            work()
        assert caught.value.resource == "bytes"
    assert str(d.result).startswith("pinv(X)")


def test_an_answer_that_is_not_verified_in_time_is_no_error():
    d = mc.derive("sum(norm2_cols(1.5 + C.^2)')", "C", order=4, limit=1.5)
    v = d.verification
    assert v is not None
    assert v.ok or (not v.wrong and ("time" in str(v) or "seconds" in str(v))), str(v)


def test_a_broken_off_derivation_leaves_nothing_half_done():
    expression, broken_off = "sum(sigmoid(A*sigmoid(A*x)).^3)", 0
    for nodes in range(20, 400, 20):
        try:
            mc.derive(expression, "x", order=2, limit=mc.Limits(nodes=nodes, seconds=math.inf))
        except mc.LimitProblem:
            broken_off += 1
    assert broken_off > 2
    kept = dict(_memo)
    after = mc.derive(expression, "x", order=2)
    assert after.verification
    _memo.clear()
    assert mc.derive(expression, "x", order=2).result is after.result
    assert all(kept[node] is better for node, better in _memo.items() if node in kept)


# ---- the budget itself ---------------------------------------------------------------------------


def test_an_inner_budget_can_only_be_tighter():
    with (
        limited(mc.Limits(seconds=0.05, nodes=100), "the outer one"),
        limited(mc.Limits(nodes=1000), "the inner one"),
    ):
        assert seconds_left() <= 0.05
        with pytest.raises(mc.LimitProblem, match=r"^the outer one needs more than 100 nodes"):
            spend(nodes=200)


def test_the_budget_that_is_exceeded_is_named():
    with limited(mc.Limits(nodes=10_000), "the outer one"):
        with (
            pytest.raises(mc.LimitProblem, match=r"^the inner one needs more than 100 nodes"),
            limited(mc.Limits(nodes=100), "the inner one"),
        ):
            spend(nodes=200)
        spend(nodes=200)  # the outer one goes on, and has counted what was spent in the inner one
        with pytest.raises(mc.LimitProblem, match=r"^the outer one"):
            spend(nodes=9_700)


def test_without_limits_an_inner_budget_is_the_outer_one():
    with limited(mc.Limits(seconds=100.0), "outside"), limited(None, "inside"):
        assert 99 < seconds_left() <= 100
    with limited(None, "alone"):
        assert DEFAULT.seconds - 1 < seconds_left() <= DEFAULT.seconds


def test_without_a_budget_nothing_is_counted():
    spend(nodes=10**12)
    spend(terms=10**12)
    room(10**18)
    assert seconds_left() == math.inf


def test_each_thread_has_its_own_budget():
    seen = []
    with limited(mc.Limits(seconds=1.0)):
        thread = threading.Thread(target=lambda: seen.append(seconds_left()))
        thread.start()
        thread.join()
    assert seen == [math.inf]


def test_time_is_seen_between_steps():
    start = monotonic()
    with (
        pytest.raises(mc.LimitProblem, match=r"0.05 seconds"),
        limited(mc.Limits(seconds=0.05), "waiting"),
    ):
        while monotonic() - start < 5:
            spend()
    assert monotonic() - start < 1


def test_a_large_amount_is_seen_at_once():
    with limited(mc.Limits(terms=10)), pytest.raises(mc.LimitProblem, match=r"10 terms"):
        spend(terms=10 + PERIOD)
    with limited(mc.Limits(bytes=10)), pytest.raises(mc.LimitProblem, match=r"10 bytes"):
        room(11)


def test_parts_share_what_is_left():
    with limited(mc.Limits(seconds=4.0)):
        assert 1.5 < share(2).seconds <= 2.0
    assert share(2) == DEFAULT


def test_verifying_has_what_deriving_left_and_at_least_a_half():
    limits = mc.Limits(seconds=4.0)
    assert [limits.after(spent).seconds for spent in (0.0, 1.0, 3.0, 9.0)] == [4.0, 3.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("limit", "limits"),
    [(None, DEFAULT), (0, UNLIMITED), (3, mc.Limits(seconds=3)), (DEFAULT, DEFAULT)],
)
def test_a_limit_is_seconds_or_limits(limit, limits):
    assert as_limits(limit) == limits


@pytest.mark.parametrize("wrong", [-1, math.nan, "10", True, 1j])
def test_a_wrong_limit_is_refused(wrong):
    with pytest.raises(mc.OptionProblem, match=r"a limit is a number from 0 on"):
        mc.derive("x'*x", "x", limit=wrong)


def test_the_command_takes_a_limit(capsys):
    assert main(["x'*A*x", "x", "--limit", "0"]) == 0
    assert main(["pinv(X)", "X", "--order", "5", "--limit", "0.05"]) == 2
    out = capsys.readouterr()
    assert "needs more than 0.05 seconds" in out.err
    assert "--limit 0.1" in out.err


def test_a_product_of_sums_is_not_multiplied_out_to_a_million_terms():
    product = "*".join(f"(A+B{i})" for i in range(14))
    with limited(mc.Limits(nodes=100_000), "deriving"):
        assert mc.derive(f"tr({product})", "A").gradient


def test_what_is_too_deep_is_refused():
    with (
        pytest.raises(mc.LimitProblem, match=r"^walking goes deeper than Python's stack"),
        limited(None, "walking"),
    ):
        endless()


def endless():
    return endless()


def test_declared_sizes_that_take_too_long_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matcalc.proof.numeric.MUCH_WORK", 10**9)
    d = mc.derive("norm2(exp(X))^2", "X", "X: 150×150", limit=1)
    assert d.verification.ok
