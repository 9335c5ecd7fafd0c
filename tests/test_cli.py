"""The command: what it prints where, and with which exit status."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from command import PYTHON, ROOT, matcalc, shell

from matcalc import __version__, parse
from matcalc.api import derive as entry
from matcalc.cli import EXAMPLES, FORMATS, main

LEAST_SQUARES = "norm2(X*w - y)^2"
COMMANDS = re.findall(r"^  ((?:echo|matcalc) .*?)(?=  | is my |$)", EXAMPLES, re.MULTILINE)


def run(capsys, *arguments):
    """The command in this process: status, stdout, stderr."""
    status = main(arguments)
    return (status, *capsys.readouterr())


# ---- the help ------------------------------------------------------------------------------------


def test_the_help_begins_with_examples():
    found = matcalc("--help")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.index("examples:") < found.stdout.index("options:")
    assert len(COMMANDS) == EXAMPLES.split("\n\n")[0].count("matcalc ")


@pytest.mark.parametrize("line", COMMANDS)
def test_every_example_of_the_help_works(line):
    found = shell(line)
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip()
    assert "verified" in found.stderr


def test_version():
    found = matcalc("--version")
    assert (found.returncode, found.stdout) == (0, f"matcalc {__version__}\n")


def test_no_argument_is_an_error_that_shows_the_usage():
    found = matcalc()
    assert (found.returncode, found.stdout) == (2, "")
    assert "usage" in found.stderr
    assert "[VARIABLE ...]" in found.stderr  # it is optional


# ---- streams and statuses ------------------------------------------------------------------------


def test_the_answer_is_all_that_stdout_has():
    found = matcalc(LEAST_SQUARES, "w")
    assert (found.returncode, found.stdout) == (0, "2*X'*(X*w - y)\n")
    assumed, verified = found.stderr.splitlines()
    assert assumed == "assumed X: m×n, w: n, y: m"
    assert verified.startswith("∂/∂w: n, verified")


def test_without_a_variable_every_one(capsys):
    status, out, err = run(capsys, LEAST_SQUARES)
    assert status == 0
    assert re.findall("^∂/∂. = ", out, re.MULTILINE) == ["∂/∂X = ", "∂/∂w = ", "∂/∂y = "]
    assert err.count("verified") == 3


@pytest.mark.parametrize("variables", [["X", "w"], ["X,w"], ["X w"], ["X, w"]])
def test_several_variables(capsys, variables):
    assert (
        run(capsys, LEAST_SQUARES, *variables)[1]
        == "∂/∂X = 2*(X*w - y)*w'\n∂/∂w = 2*X'*(X*w - y)\n"
    )


def test_declared_and_assumed_are_told_apart(capsys):
    _, out, err = run(capsys, "x'*A*x", "x", "-s", "A: n×n symmetric")
    assert out == "2*A*x\n"
    assert err.startswith("assumed x: n; declared A: n×n symmetric\n")


def test_shapes_may_be_repeated(capsys):
    status, _, err = run(
        capsys, "a*x + A*b", "x", "-s", "A: 3×4", "--shapes", "b: 4; a: scalar", "-s", "x: 3"
    )
    assert status == 0
    assert set(err.splitlines()[0].removeprefix("declared ").split(", ")) == {
        "a: scalar",
        "x: 3",
        "A: 3×4",
        "b: 4",
    }


def test_not_verified_is_status_one(capsys):
    status, out, err = run(capsys, "sqrt(-1)*a", "a")
    assert (status, out) == (1, "sqrt(-1)\n")
    assert "not verified" in err


WRONG = (
    ("x +",),
    ("A*x", "q"),
    ("A*x", "x", "-s", "x: 0"),
    ("x", "--to", "fortran"),
    ("x", "--bogus"),
    ("x", "--order", "no"),
    ("x", "--order", "-1"),
    ("5",),
)


@pytest.mark.parametrize("arguments", WRONG)
def test_errors_are_status_two(arguments):
    found = matcalc(*arguments)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr
    assert "Traceback" not in found.stderr


def test_an_error_shows_the_place(capsys):
    status, out, err = run(capsys, "tanh(x) + sofmax(y)", "x")
    assert (status, out) == (2, "")
    assert err == (
        "matcalc: unknown function 'sofmax' — did you mean softmax?\n  tanh(x) + sofmax(y)\n  "
        "          ^^^^^^\n"
    )


def test_help_beats_the_expression(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["x'*x", "-h"])
    assert stop.value.code == 0
    assert "examples:" in capsys.readouterr().out


# ---- what is printed -----------------------------------------------------------------------------


def test_latex(capsys):
    assert (
        run(capsys, LEAST_SQUARES, "w", "--to", "latex")[1] == "2X^{\\top}\\left(Xw - y\\right)\n"
    )


def test_json(capsys):
    found = json.loads(run(capsys, LEAST_SQUARES, "w", "--to", "json")[1])
    assert parse(found["derivative"]) == parse("2*X'*(X*w - y)")
    assert (found["variable"], found["shape"], found["verified"], found["order"]) == (
        "w",
        ["n"],
        True,
        1,
    )
    assert found["shapes"] == {"X": ["m", "n"], "w": ["n"], "y": ["m"]}
    assert found["max_error"] < 1e-9


@pytest.mark.parametrize("variables", [[], ["X", "w"]])
def test_json_of_several_is_a_list(capsys, variables):
    found = json.loads(run(capsys, LEAST_SQUARES, *variables, "--to", "json")[1])
    assert [one["variable"] for one in found] == (variables or ["X", "w", "y"])


def test_json_of_a_number_that_is_not_decided_is_json(capsys):
    out = run(capsys, "sqrt(-1)*a", "a", "--to", "json")[1]
    found = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert found["verified"] is False


def test_printed_code_runs():
    source = matcalc("tanh(X*w)'*y + sum(w)", "w", "--to", "numpy").stdout
    X, w, y = np.arange(6.0).reshape(3, 2) / 7, np.array([0.5, -1]), np.array([1.0, 2, 3])
    values = f"X=np.array({X.tolist()}), w=np.array({w.tolist()}), y=np.array({y.tolist()})"
    program = f"{source}\nprint(gradient({values}).tolist())\n"
    found = subprocess.run(
        [PYTHON, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert found.returncode == 0, found.stderr
    np.testing.assert_allclose(json.loads(found.stdout), X.T @ ((1 - np.tanh(X @ w) ** 2) * y) + 1)


def test_printed_code_of_several_is_one_program(capsys):
    scope: dict[str, Any] = {}
    exec(run(capsys, LEAST_SQUARES, "X", "w", "--to", "numpy")[1], scope)
    values = {"X": np.eye(2), "w": np.array([1.0, 2]), "y": np.zeros(2)}
    found = [f(**values) for name, f in scope.items() if name.startswith("gradient")]
    found = list(found[0]) if isinstance(found[0], tuple) else found
    assert [f.shape for f in found] == [(2, 2), (2,)]


def test_the_hessian(capsys):
    status, out, err = run(capsys, "x'*A*x", "x", "--order", "2")
    assert (status, out) == (0, "A + A'\n")
    assert "n×n, verified" in err


def test_the_numerator_layout(capsys):
    assert run(capsys, "x'*A*y", "x", "--layout", "numerator")[1] == "y'*A'\n"


def test_explain(capsys):
    status, out, _ = run(capsys, LEAST_SQUARES, "w", "--explain")
    assert status == 0
    for part in ("Step 1", "Step 2", "Answer   2*X'*(X*w - y)", "verified"):
        assert part in out


def test_definitions_are_used_in_the_answer(capsys):
    assert run(capsys, "r = X*w - y; r'*r", "w")[1] == "2*X'*r\nwhere r = X*w - y\n"


@pytest.mark.parametrize("target", FORMATS)
def test_formats_that_the_help_names_exist(capsys, monkeypatch, target):
    """Code for a target is printed where that target is not installed."""
    for package in ("jax", "numba", "torch"):
        monkeypatch.setitem(sys.modules, package, None)
    assert run(capsys, "x'*x", "x", "--to", target)[0] == 0
    assert run(capsys, "x'*y", "x", "y", "--to", target)[0] == 0


# ---- input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("-x'*x", "-2*x"),
        ("- x'*x", "-2*x"),
        ("−x'*x", "-2*x"),
        ("-x", "-eye(n)"),
        ("-3*sum(x)", "-3*ones(n)"),
    ],
)
def test_an_expression_may_begin_with_a_minus(capsys, expression, answer):
    assert run(capsys, expression, "x")[:2] == (0, f"{answer}\n")


@pytest.mark.parametrize("expression", ["-s*s", "-h*h'", "-s'*h"])
def test_even_if_it_looks_like_an_option(capsys, expression):
    assert (
        run(
            capsys,
            expression,
            expression[1],
            "-s",
            "s: 3; h: 3" if "'" in expression else "s: scalar",
        )[0]
        == 0
    )


def test_two_minus_signs_after_the_end_of_options():
    assert matcalc("--", "--x'*x", "x").stdout == "2*x\n"


def test_each_line_of_a_pipe():
    found = matcalc("-", "x", stdin="x'*A*x\n\nx + \n  \nz'*z\nx'*y\r\n")
    assert found.stdout == "(A + A')*x\ny\n"
    assert found.returncode == 2
    assert "too early" in found.stderr
    assert "'x' is not in the expression" in found.stderr


def test_a_defect_on_one_line_does_not_lose_the_others(monkeypatch, capsys):
    derive = entry.derive
    monkeypatch.setattr(
        entry,
        "derive",
        lambda source, *a, **k: 1 / 0 if source == "y" else derive(source, *a, **k),
    )
    monkeypatch.setattr(sys, "stdin", io.StringIO("x'*x\ny\nx'*z\n"))
    status, out, err = run(capsys, "-", "x")
    assert (status, out) == (2, "2*x\nz\n")
    assert "internal error" in err


def test_an_empty_pipe():
    assert matcalc("-", "x").returncode == 0


def test_bytes_that_are_not_text():
    found = subprocess.run(
        [PYTHON, "-m", "matcalc", "-", "x"],
        input=b"\xff\xfe*x\nx'*x\n",
        capture_output=True,
        cwd=ROOT,
        timeout=30,
        check=False,
    )
    assert found.stdout.split() == [b"2*x"]
    assert found.returncode == 2
    assert b"Traceback" not in found.stderr


@pytest.mark.parametrize(
    "line", ["matcalc - x 0<&-", 'matcalc "x\'*x" x 1>&-', 'matcalc "x\'*x" x 2>&-']
)
def test_a_closed_stream_is_no_internal_error(line):
    found = shell(line)
    assert "internal error" not in found.stderr
    assert "Traceback" not in found.stderr


def test_a_full_disk_is_an_error_and_no_traceback():
    if not os.path.exists("/dev/full"):
        pytest.skip("no full device")
    found = shell('matcalc "x\'*x" x > /dev/full')
    assert found.returncode != 0
    assert "Traceback" not in found.stderr


def test_a_reader_that_stops_is_no_error():
    found = shell(
        'for i in 1 2 3 4 5 6 7 8 9; do echo "x\'*A*x"; done | matcalc - x --explain | head -1'
    )
    assert found.stdout.startswith("Step 1")
    assert "Traceback" not in found.stderr
    assert "error" not in found.stderr.replace("relative error", "")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_a_terminal_without_unicode(encoding):
    found = matcalc(LEAST_SQUARES, encoding=encoding)
    assert "internal error" not in found.stderr
    assert "2*X'*r" in found.stdout
    assert found.returncode == 0


# ---- colour --------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


@pytest.mark.parametrize("refused", [True, False])
def test_no_color(monkeypatch, refused):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("NO_COLOR", "1") if refused else monkeypatch.delenv(
        "NO_COLOR", raising=False
    )
    main(["x'*x", "x"])
    assert ("\x1b" not in screen.getvalue()) == refused


def test_no_escape_codes_in_a_pipe():
    found = matcalc("x'*x", "x")
    assert "\x1b" not in found.stdout + found.stderr


# ---- check ---------------------------------------------------------------------------------------


def test_check_equal(capsys):
    status, out, err = run(capsys, "check", LEAST_SQUARES, "w", "2*X'*(X*w - y)")
    assert (status, out) == (0, "equal\n")
    assert "verified" in err


@pytest.mark.parametrize("candidate", ["2*X'*X*w - 2*X'*y", "2*(X*w - y)'*X", "X'*(X*w - y)*2"])
def test_check_accepts_another_form_and_the_row(capsys, candidate):
    assert run(capsys, "check", LEAST_SQUARES, "w", candidate)[0] == 0


def test_check_not_equal_says_where_and_by_how_much(capsys):
    status, out, err = run(capsys, "check", LEAST_SQUARES, "w", "X'*(X*w - y)")
    assert (status, out) == (1, "not equal\n")
    place = re.search(r"at w\[\d+\] the candidate says (\S+), the numbers say (\S+)", err)
    assert place
    assert float(place[2]) == pytest.approx(2 * float(place[1]), rel=1e-4)


def test_check_uses_declarations(capsys):
    assert run(capsys, "check", "x'*A*x", "x", "2*A*x")[0] == 1
    assert run(capsys, "check", "x'*A*x", "x", "2*A*x", "-s", "A: symmetric")[0] == 0


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        ("X", "the derivative by w is n"),
        ("2*X'*(", "too early"),
        ("X*w", "the derivative by w is n"),
    ],
)
def test_check_of_what_does_not_fit(capsys, candidate, message):
    status, out, err = run(capsys, "check", LEAST_SQUARES, "w", candidate, "-s", "X: m×n")
    assert (status, out) == (2, "")
    assert message in err


def test_check_by_a_name_that_is_not_there(capsys):
    assert run(capsys, "check", LEAST_SQUARES, "v", "X")[0] == 2


def test_check_of_a_negative_candidate(capsys):
    assert run(capsys, "check", "-x'*x", "x", "-2*x")[:2] == (0, "equal\n")


# ---- errors as data ------------------------------------------------------------------------------


def test_an_error_is_json_as_well(capsys):
    status, out, err = run(capsys, "sum(sofmax(x))", "x", "--to", "json")
    assert status == 2
    assert json.loads(out) == {
        "expression": "sum(sofmax(x))",
        "error": "unknown function 'sofmax'",
        "hint": "did you mean softmax?",
        "span": [4, 10],
    }
    assert "sofmax" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["x'*x", "z"],
        ["x'*x", "x", "--along", "n"],
        ["x'*x", "x", "-s", "x: ;"],
        ["", "x"],
        ["x*y*A", "x"],
    ],
)
def test_every_failure_is_json(capsys, arguments):
    status, out, _ = run(capsys, *arguments, "--to", "json")
    assert status == 2
    record = json.loads(out)
    assert record["expression"] == arguments[0]
    assert record["error"]


def test_a_line_of_json_for_each_line_of_input(capsys, monkeypatch):
    lines = ["x'*x", "sofmax(x)", "", "x'*(x", "sum(x) "]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines)))
    status, out, _ = run(capsys, "-", "x", "--to", "json")
    assert status == 2
    records = [json.loads(line) for line in out.splitlines()]
    assert [r["expression"] for r in records] == [line.strip() for line in lines if line]
    assert [r.get("derivative") for r in records] == ["2*x", None, None, "ones(n)"]


@pytest.mark.parametrize(
    "target", ["text", "latex", "json", "numpy", "numba", "jax", "torch", "array_api"]
)
def test_a_direction_that_is_called_self(capsys, target):
    assert run(capsys, "x'*A*x", "x", "--along", "self", "--to", target)[0] == 0
