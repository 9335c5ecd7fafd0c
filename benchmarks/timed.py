"""Times the matcalc that it imports: reads a JSON list a line from its input, and answers with
seconds.

The first entry names a function below, the others are its arguments. So one run can ask two
checkouts in turn. Seconds are those of the processor: what else the machine does is not counted.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import matcalc
from matcalc.api.derive import unverified
from matcalc.language.typed import typed


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def derivation(text: str, wrt: list[str], shapes: str | None) -> float:
    """Parsing, deriving, arranging and simplifying, without verification."""

    def work() -> None:
        program = typed(text, shapes)
        unverified(program, [program.variables[name] for name in wrt])

    return seconds(work)


def verification(text: str, wrt: list[str], shapes: str | None) -> tuple[float, float]:
    """A derivation, and what its verification adds to the same derivation once more."""
    first = derivation(text, wrt, shapes)
    again = derivation(text, wrt, shapes)
    verified = seconds(lambda: matcalc.derive(text, wrt, shapes))
    return first, max(verified - again, 0.0)


MEASURES = {"derivation": derivation, "verification": verification}


def main() -> None:
    # the grammar is read and the modules are loaded once, as in any session
    matcalc.derive("x'*x", "x")
    print(json.dumps(matcalc.__file__), flush=True)
    for line in sys.stdin:
        measure, *arguments = json.loads(line)
        print(json.dumps(MEASURES[measure](*arguments)), flush=True)


if __name__ == "__main__":
    main()
