"""The functions for Octave, run by Octave, give the values of the NumPy target."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import points
import pytest
from test_targets import CASES, regular_points, roots

import matcalc as mc
from matcalc import expr as ex
from matcalc.api.derive import unverified
from matcalc.api.inputs import as_program
from matcalc.codegen import compile_expr, source
from matcalc.codegen.targets import octave
from matcalc.tables.functions import ROWS

SHOW = """
function show(varargin)
  for i = 1:numel(varargin)
    a = varargin{i};
    printf(' | %s |', sprintf(' %d', size(a)));
    printf(' %.17g', a);
  end
  printf('\\n');
end
"""


@dataclass
class Case:
    """A function for Octave, a point, and the values of the NumPy target there."""

    name: str
    roots: tuple[Any, ...]
    at: Mapping[str, Any]

    def expected(self) -> list[np.ndarray]:
        with np.errstate(all="ignore"):
            return [np.asarray(a, dtype=float) for a in compile_expr(self.roots)(**self.at)]


def run(cases: Iterable[Case], folder: Path) -> dict[str, Any]:
    """The results of each case, or the message of its error, by one run of Octave."""
    (folder / "show.m").write_text(SHOW)
    lines = ["warning('off', 'all');"]
    for case in cases:
        found = source(case.roots, "octave", case.name)
        (folder / f"{case.name}.m").write_text(found.text, encoding="utf-8")
        rows = {v.name for v in found.variables if octave._is_row(v)}
        arguments = [literal(case.at[n], n in rows) for n in found.parameters.values()]
        results = ", ".join(f"r{i}" for i in range(len(case.roots)))
        lines += [
            "try",
            f"  [{results}] = {case.name}({', '.join(arguments)});",
            f"  printf('{case.name}'); show({results});",
            "catch problem",
            f"  printf('{case.name} error %s\\n', strrep(problem.message, \"\\n\", ' '));",
            "end",
        ]
    (folder / "main.m").write_text("\n".join(lines))
    command = ["octave", "--no-gui", "--norc", "--quiet", "main.m"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    return dict(map(read, done.stdout.splitlines()))


def literal(a: Any, is_row: bool = False) -> str:
    """A value as Octave reads it, with all its digits; a vector is a column."""
    a = np.asarray(a, dtype=float)
    if a.ndim < 2:
        a = a.reshape((1, -1) if is_row else (-1, 1))
    values = " ".join(map(repr, a.ravel("F").tolist()))
    return f"reshape([{values}], [{' '.join(map(str, a.shape))}])"


def read(line: str) -> tuple[str, Any]:
    name, _, rest = line.partition(" ")
    if rest.startswith("error"):
        return name, rest
    fields = [field.split() for field in rest.split("|")[1:]]
    shapes, values = fields[::2], fields[1::2]
    return name, [
        np.array([float(x) for x in numbers]).reshape([int(k) for k in shape], order="F")
        for shape, numbers in zip(shapes, values, strict=True)
    ]


def wrong(cases: list[Case], folder: Path, tolerance: float) -> Iterator[tuple[str, str]]:
    """Those that Octave refuses or has other values for."""
    results = run(cases, folder)
    for case in cases:
        got = results.get(case.name, "error: it did not run")
        if isinstance(got, str):
            yield str(case.roots[0]), got
            continue
        for expected, value in zip(case.expected(), got, strict=True):
            if not agree(expected, value, tolerance):
                yield str(case.roots[0]), f"{value} is not {expected}"


def agree(expected: np.ndarray, value: np.ndarray, tolerance: float) -> bool:
    """Tell whether a value is the expected one, but for axes of length one and rounding."""
    axes = [[n for n in a.shape if n > 1] for a in (expected, value)]
    if axes[0] != axes[1]:
        return False
    return points.gap(expected, value.reshape(expected.shape)) < tolerance


@pytest.mark.needs_program("octave")
def test_identities(tmp_path: Path) -> None:
    cases = []
    for k, case in enumerate(CASES):
        found = roots(*case)
        at = None if found is None else next(regular_points(found, 1), None)
        if at is not None:
            cases.append(Case(f"case_{k}", found, at))
    assert len(cases) > 0.9 * len(CASES)
    assert list(wrong(cases, tmp_path, 1e-9)) == []


@pytest.mark.needs_program("octave")
def test_every_function_and_its_derivative(tmp_path: Path) -> None:
    cases = []
    for row in ROWS:
        args = points.arguments(row)
        # the sign of an eigenvector is any library's own
        values = [ex.call("sum", ex.pow_(ex.call(row.name, *args), ex.num(4)))]
        if row.derivative or row.rule or row.define or row.adjoint:
            by = [x for x in args if x.head == "var" and x in ex.variables(values[0])]
            values += [d.result for d in unverified(as_program(values[0], None), by)]
        at = next(regular_points(tuple(values), 1), None)
        if at is not None:
            cases.append(Case(f"case_{row.name}", tuple(values), at))
    assert len(cases) > 0.9 * len(ROWS)
    assert list(wrong(cases, tmp_path, 1e-9)) == []


# ---- what the text says --------------------------------------------------------------------------


def test_least_squares() -> None:
    text = mc.derive("norm2(X*w - y)^2", "w").source("octave", value=True)
    assert (
        text
        == """\
function [f, g] = value_and_gradient(X, w, y)
  % norm2(X*w - y)^2
  % 2*X'*(X*w - y)
  %
  % X: m×n, w: n, y: m
  [m, n] = size(X);
  assert(isequal(size(w), [n, 1]), 'w must be n-by-1');
  assert(isequal(size(y), [m, 1]), 'y must be m-by-1');
  t1 = X*w - y;
  f = t1'*t1;
  g = 2*(X'*t1);
end
"""
    )


def test_matlab_reads_the_same() -> None:
    d = mc.derive("sum(softplus(X*w)) + logdet(S)", shapes="S: n×n spd")
    assert d.source("matlab") == d.source("octave")


def test_nothing_of_it_runs_in_python() -> None:
    with pytest.raises(mc.Unsupported, match="octave do not run in Python"):
        mc.derive("x'*x", "x").compile("octave")


@pytest.mark.parametrize("name", ["end", "size", "t1", "f", "g", "gradient", "α", "lambda", "e"])
@pytest.mark.needs_program("octave")
def test_names_that_the_code_uses_may_be_variables(name: str, tmp_path: Path) -> None:
    d = mc.derive(f"sum(({name}*x).^3) + {name}^2*exp(x[1])", "x", {name: "scalar", "x": "n"})
    case = Case("gradient", (d.expr, d.result), {name: 0.5, "x": np.array([0.3, -0.7])})
    assert list(wrong([case], tmp_path, 1e-12)) == []


@pytest.mark.needs_program("octave")
def test_wrong_sizes_are_refused(tmp_path: Path) -> None:
    d = mc.derive("norm2(X*w - y)^2", "w")
    at = {"X": np.ones((3, 2)), "w": np.ones(2), "y": np.ones(2)}
    ((_, message),) = wrong([Case("f", (d.result,), at)], tmp_path, 1e-12)
    assert "y must be m-by-1" in message


def test_every_function_has_code_or_is_refused_by_name() -> None:
    for row in ROWS:
        assert octave.dialect().spelling(row), row.name
