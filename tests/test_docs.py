"""The documents tell the truth: the gallery is what is derived, the README's transcripts are
what is printed.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

import matcalc as mc
from matcalc.cli import main
from matcalc.tables.functions import described

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TRANSCRIPTS = [
    block for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL) if "matcalc" in block
]


def test_the_gallery_is_what_is_derived() -> None:
    spec = importlib.util.spec_from_file_location("make_gallery", ROOT / "docs" / "make_gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8") == module.page()


def without_errors(text: str) -> str:
    """Rounding errors differ between machines."""
    return re.sub(r"relative error \d+(e[+-]\d+)?", "relative error", text)


@pytest.mark.parametrize("transcript", TRANSCRIPTS)
def test_transcripts_are_what_is_printed(
    transcript: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command, _, expected = transcript.partition("\n")
    main(shlex.split(command.removeprefix("$ "))[1:])
    printed = capsys.readouterr()
    shown = (
        printed.out + printed.err
        if "verified:" in expected or "DISAGREE" in expected
        else printed.out
    )
    if "--explain" in command:
        shown = printed.out
    assert without_errors(shown).strip() == without_errors(expected).strip()


def test_every_function_is_in_the_reference() -> None:
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    for name, doc in described():
        assert f"| `{name}` | {doc} |" in reference


def test_every_error_is_in_the_reference() -> None:
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    public = (getattr(mc, name) for name in mc.__all__)
    errors = [e for e in public if isinstance(e, type) and issubclass(e, mc.MatcalcError)]
    for error in errors:
        row = f"| `{error.__name__}` | "
        assert row in reference or error is mc.MatcalcError
