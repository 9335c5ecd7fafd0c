"""Run the examples of README.md and docs/ against the matcalc that is installed: ``python
.ci/pages.py [EXTRA ...]``.

A page says what it needs by ``pip install '.[extra]'``; the pages that need just the named extras
are run. A console block prints what its command prints, with or without the lines on stderr; a
Python block is a doctest.
"""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def needs(text: str) -> set[str]:
    """The extras that a page of docs/ says it needs."""
    return {
        extra
        for names in re.findall(r"^pip install '\.\[(.*)\]'", text, re.M)
        for extra in names.split(",")
    }


def without_errors(text: str) -> str:
    """Rounding errors differ between machines."""
    return re.sub(r"relative error \d+e[+-]\d+", "relative error", text).strip()


def failures(page: Path) -> int:
    """How many examples of a page do not print what it shows."""
    text = page.read_text(encoding="utf-8")
    transcripts = re.findall(r"```console\n\$ ([^\n]*)\n(.*?)```", text, re.S)
    wrong = sum(not is_printed(command, shown) for command, shown in transcripts)
    found = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    count = f"{len(transcripts)} commands and {found.attempted} lines of Python"
    print(f"{page.relative_to(ROOT)}: {count}, {wrong + found.failed} wrong")
    return wrong + found.failed


def is_printed(command: str, shown: str) -> bool:
    """Whether a command prints what is shown; says so if not."""
    run = subprocess.run(["sh", "-c", command], capture_output=True, encoding="utf-8", check=False)
    outputs = [without_errors(run.stdout), without_errors(run.stdout + run.stderr)]
    if without_errors(shown) in outputs:
        return True
    print(f"$ {command}\n{run.stdout}{run.stderr}")
    return False


def main() -> None:
    pages = [page for page in PAGES if needs(page.read_text(encoding="utf-8")) == set(sys.argv[1:])]
    assert pages, f"no page needs {sys.argv[1:]}"
    sys.exit(sum(map(failures, pages)) > 0)


if __name__ == "__main__":
    main()
