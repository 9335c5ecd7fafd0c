"""The table of identities from the literature, read."""

from __future__ import annotations

import csv
from pathlib import Path

Identity = dict[str, str]


def identities(*kinds: str) -> list[Identity]:
    lines = Path(__file__).with_name("identities.tsv").read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(
        (line for line in lines if not line.startswith("#")), delimiter="\t", quoting=csv.QUOTE_NONE
    )
    return [row for row in rows if row["kind"] in kinds]
