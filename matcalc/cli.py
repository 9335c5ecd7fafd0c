"""The command: a typed expression in, its verified gradient on stdout.

What was assumed and checked on stderr.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from .budget import as_limits, limited
from .errors import MatcalcError, MissingData, OptionProblem
from .faces import listed

if TYPE_CHECKING:
    from .api.derivation import Derivation
    from .api.options import Options

VERIFIED, UNVERIFIED, USAGE, UNDECIDED = 0, 1, 2, 3
WRONG = UNVERIFIED  # of a candidate
TARGETS = listed("codegen.targets")
FORMATS = ("text", *listed("printing.formats"), "json", *TARGETS)

EXAMPLES = """examples:
  matcalc "norm2(X*w - y)^2" w                        the gradient by w
  matcalc "norm2(X*w - y)^2"                          by each variable
  matcalc "x'*A*x" x -s "A: n×n symmetric" --explain  how the answer is found
  matcalc "logdet(X'*X)" X --to numpy                 as code; also jax, latex, typst, mathml, …
  matcalc "x'*A*x" x --order 2                        the Hessian
  matcalc "r = X*w - y; r'*r" w                       with a definition
  matcalc check "norm2(X*w - y)^2" w "2*X'*(X*w - y)" is my own gradient right?
  matcalc network 784-128-10 --activation relu        the back-propagation of a network
  echo "x'*A*x" | matcalc - x                         a line each

language: + -  * (matrix product)  .* ./ .^ (entry by entry)  ' or .T (transpose)  ^ (power)
  ones(n) eye(n)  a-g and Greek letters are scalars, h-z vectors, A-Z matrices, unless declared
  with -s "a: n; X: m×n; S: n×n spd"
  exp, log, … work entry by entry; expm is the matrix exponential
exit status: 0 verified, 1 derived but not verified, 2 an error
  of check: 0 equal, 1 not equal, 2 an error, 3 not decided"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status and never lets a traceback out."""
    for stream in (sys.stdout, sys.stderr):
        # what the terminal cannot show is spelled out, not lost
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except MatcalcError as problem:
        return _complain(problem)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return VERIFIED
    except KeyboardInterrupt:
        return 130
    except Exception as defect:
        return _complain(_defect(defect))


def _defect(problem: Exception) -> MatcalcError:
    return MatcalcError(
        f"internal error ({type(problem).__name__})",
        "please report this input as a defect of matcalc",
    )


def _run(argv: list[str]) -> int:
    if argv[:1] == ["check"]:
        return _check(_checker().parse_args(_shielded(argv[1:])))
    if argv[:1] == ["network"]:
        from .network.command import network

        return network(argv[1:])
    return _answer(_parser().parse_args(_shielded(argv)))


def _answer(options: argparse.Namespace) -> int:
    """Derive the expression, or one from each line of the input."""
    if options.expression is None:
        _parser().print_usage(sys.stderr)
        raise MissingData(
            "there is no expression", 'type one, such as "norm2(X*w - y)^2", or --help'
        )
    if options.explain and options.to != "text":
        raise OptionProblem(f"--explain writes text, not {options.to}", "leave out one of them")
    if options.expression == "-" and sys.stdin is None:
        raise MissingData("there is no input to read from")
    if options.expression == "-":
        return max((_line(line, options) for line in sys.stdin if line.strip()), default=VERIFIED)
    if options.to == "json":
        return _line(options.expression, options)
    return _derive(options.expression, options)


def _shielded(argv: list[str]) -> list[str]:
    """An expression may begin with a minus: keep argparse from reading it as an option."""
    return [
        f" {a}"
        if a.startswith("-") and not a.startswith("--") and a not in ("-", "-s", "-h")
        else a
        for a in argv
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="matcalc",
        usage="matcalc EXPRESSION [VARIABLE ...] [options]",
        description=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "expression", nargs="?", help="the expression, or - to read one from each line of the input"
    )
    parser.add_argument(
        "variables",
        nargs="*",
        metavar="VARIABLE",
        help="what to differentiate by; default: every variable",
    )
    _add_shapes(parser)
    parser.add_argument(
        "--to", choices=FORMATS, default="text", help="what to print (default: text)"
    )
    _add_kind(parser, "denominator", "numerator: the gradient as a row")
    parser.add_argument("--explain", action="store_true", help="show the derivation step by step")
    parser.add_argument(
        "--functions", action=_Functions, nargs=0, help="list the functions of the language"
    )
    parser.add_argument("--version", action="version", version=_version())
    return parser


class _Functions(argparse.Action):
    """Prints the table of functions and leaves, as --version does."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from .tables.functions import described

        rows = list(described())
        width = max(len(name) for name, _ in rows)
        print("\n".join(f"{name:{width}}  {doc}" for name, doc in rows))
        parser.exit()


def _checker() -> argparse.ArgumentParser:
    about = """Is a derivative right? Compares it exactly and with finite differences. A candidate
is typed in matrix notation, in Kronecker form, or as an index form, as matcalc prints it.

exit status: 0 equal, 1 not equal, 2 an error, 3 not decided"""
    parser = argparse.ArgumentParser(
        prog="matcalc check",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("expression")
    parser.add_argument("variable")
    parser.add_argument("candidate", help="the derivative to check")
    _add_shapes(parser)
    _add_kind(
        parser, None, "accept the gradient in this layout only (default: in either, and say which)"
    )
    return parser


def _add_kind(parser: argparse.ArgumentParser, layout: str | None, about_layout: str) -> None:
    """The options that say which derivative is meant."""
    along = "contract the last derivative with a direction V: Jacobian- or Hessian-vector product"
    order = "2 for the Hessian; 3 and above as index forms"
    parser.add_argument(
        "--order", type=int, default=1, choices=range(1, 7), metavar="N", help=order
    )
    parser.add_argument("--along", metavar="V", help=along)
    parser.add_argument(
        "--layout", choices=("denominator", "numerator"), default=layout, help=about_layout
    )
    elements = "elements: S[i,j] and S[j,i] moved together"
    parser.add_argument(
        "--symmetric", choices=("gradient", "elements"), default="gradient", help=elements
    )
    limit = "how long it may take (default: 10); 0 sets no limit"
    parser.add_argument("--limit", type=float, metavar="SECONDS", help=limit)


def _add_shapes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-s",
        "--shapes",
        action="append",
        default=[],
        metavar="SHAPES",
        help='declarations, such as "X: m×n; S: n×n spd; b: scalar"',
    )


def _version() -> str:
    from . import __version__

    return f"matcalc {__version__}"


# ---- deriving ------------------------------------------------------------------------------------


def _line(line: str, options: argparse.Namespace) -> int:
    """One line of input; an error is said, in JSON as an object, and the next line goes on."""
    source = line.strip()
    try:
        return _derive(source, options)
    except MatcalcError as problem:
        return _failed(problem, source, options)
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except Exception as defect:
        return _failed(_defect(defect), source, options)


def _failed(problem: MatcalcError, source: str, options: argparse.Namespace) -> int:
    if options.to == "json":
        place = problem.span if problem.text == source else None
        span = None if place is None else list(place)
        record = {
            "expression": source,
            "error": problem.message,
            "hint": problem.hint,
            "span": span,
        }
        _print_json(record, options)
    return _complain(problem)


def _print_json(record: object, options: argparse.Namespace) -> None:
    """A line for each line of a pipe, so that the k-th answer is that of the k-th input."""
    import json

    print(json.dumps(record, ensure_ascii=False, indent=None if options.expression == "-" else 2))


def _derive(source: str, options: argparse.Namespace) -> int:
    from .api.derive import derive

    wanted = [v for name in options.variables for v in name.replace(",", " ").split()]
    shapes = "; ".join(options.shapes) or None
    asked: Options = {
        "order": options.order,
        "layout": options.layout,
        "along": options.along,
        "symmetric": options.symmetric,
    }
    asked["limit"] = options.limit
    found = derive(source.strip(), wanted or None, shapes, **asked)
    derivations = list(found.values())
    with limited(as_limits(options.limit), "printing"):
        if options.to == "text" and not options.explain:
            print(derivations[0] if len(wanted) == 1 else found)
        else:
            _print(derivations, options)
    _report(derivations)
    return VERIFIED if all(d.verification for d in derivations) else UNVERIFIED


def _print(derivations: list[Derivation], options: argparse.Namespace) -> None:
    """The explanations, the records, or the answers in another format than text."""
    if options.explain:
        print("\n\n".join(map(_explained, derivations)))
    elif options.to == "json":
        rows = [_record(d) for d in derivations]
        _print_json(rows[0] if len(rows) == 1 else rows, options)
    else:
        _print_as(options.to, derivations)


def _explained(d: Derivation) -> str:
    """The explanation, then the order in which the numbers are computed and what that costs."""
    f = d.compile("numpy")
    steps = f.steps.replace("\n", "\n         ")
    costs = str(f.cost()).replace("\n", "\n         ")
    return f"{d.explain()}\n\nSteps    {steps}\n\nCost     {costs}"


def _print_as(form: str, derivations: list[Derivation]) -> None:
    from .api.derivation import Derivations

    if form in TARGETS:
        several = Derivations({d.wrt.name: d for d in derivations})
        print((derivations[0] if len(derivations) == 1 else several).source(form), end="")
        return
    print("\n".join(d.to(form) for d in derivations))
    for note in dict.fromkeys(note for d in derivations for note in d.notes_of(form)):
        _say(note)


def _record(d: Derivation) -> dict[str, Any]:
    """The answer as data."""
    v = d.verification
    assert v is not None
    return {
        "expression": d.program.text,
        "variable": d.wrt.name,
        "order": d.order,
        "derivative": d.text,
        "shape": list(d.result.shape),
        "latex": d.latex(),
        "shapes": {n: list(e.shape) for n, e in d.program.variables.items()},
        "integers": list(d.integers),
        "assumed": _assumed(d),
        "notes": [*d.notes, *d.latex_notes],
        "verified": v.ok,
        "exact": v.exact,
        "numeric": v.numeric,
        "max_error": v.max_error if v.max_error == v.max_error else None,
    }


def _assumed(d: Derivation) -> list[str]:
    """The names that nobody has declared."""
    return [*d.program.assumed, *(n for n in d.integers if n not in d.program.integers)]


def _report(derivations: list[Derivation]) -> None:
    """Write what was assumed and what was checked, on stderr."""
    _say(_shapes_line(derivations))
    for d in derivations:
        _say(f"∂/∂{d.wrt.name}: {d.shape_text}, {d.verification}")


def _shapes_line(derivations: list[Derivation]) -> str:
    """The shape of every name, then remarks on names that may be taken for something else."""
    from .expr import declared_text
    from .tables.properties import INTEGER

    program = derivations[0].program
    integers = dict.fromkeys((n for d in derivations for n in d.integers), INTEGER)
    kinds = {n: declared_text(v) for n, v in program.variables.items()} | integers
    guessed = {n for d in derivations for n in _assumed(d)}
    listed: dict[str, list[str]] = {"assumed ": [], "declared ": []}
    for n, kind in kinds.items():
        listed["assumed " if n in guessed else "declared "].append(f"{n}: {kind}")
    listed["not in the expression: "] = list(program.unused)
    shown = [said + ", ".join(names) for said, names in listed.items() if names]
    return "; ".join([*shown, *_notes(derivations)])


def _notes(derivations: list[Derivation]) -> dict[str, None]:
    """The remarks of all derivations, each once."""
    return dict.fromkeys(note for d in derivations for note in d.notes)


def _check(options: argparse.Namespace) -> int:
    from .api.candidate import examined

    asked: Options = {
        "order": options.order,
        "along": options.along,
        "symmetric": options.symmetric,
        "limit": options.limit,
    }
    expression, variable, candidate = (
        text.strip() for text in (options.expression, options.variable, options.candidate)
    )
    found = examined(
        expression, variable, candidate, "; ".join(options.shapes) or None, options.layout, asked
    )
    verdict = found.verdict
    if verdict.ok:
        print(f"equal, as {found.claim.reading}" if found.claim.reading else "equal")
    else:
        print("not equal" if verdict.wrong else "not decided")
    _say(str(verdict))
    if verdict.wrong:
        for line in filter(None, (found.diagnosis, found.answer)):
            _say(line)
    return VERIFIED if verdict.ok else WRONG if verdict.wrong else UNDECIDED


# ---- saying --------------------------------------------------------------------------------------


def _say(line: str, stream: TextIO | None = None) -> None:
    """A note on stderr, dimmed on a terminal that has not refused colour."""
    stream = stream or sys.stderr
    dim = stream.isatty() and "NO_COLOR" not in os.environ
    print(f"\x1b[2m{line}\x1b[0m" if dim else line, file=stream)


def _complain(problem: MatcalcError) -> int:
    """One line that says what is wrong, then the position."""
    message = " ".join(str(problem).split())
    print(f"matcalc: {''.join(c if c.isprintable() else '�' for c in message)}", file=sys.stderr)
    if caret := problem.caret():
        print("\n".join(f"  {line}" for line in caret.split("\n")), file=sys.stderr)
    return USAGE
