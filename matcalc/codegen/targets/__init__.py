"""The targets of generated code: each file of this folder is one, and is read when it is asked
for.

Such a file has a function ``dialect``, which gives the spelling of the operations, how arguments
become arrays, and what the target can do. A new target is a new file.
"""

from __future__ import annotations

from importlib import import_module

from ...errors import OptionProblem, text_of
from ...faces import listed
from ..write.dialect import Dialect

DEFAULT = "numpy"
TARGETS = (DEFAULT, *(name for name in listed("codegen.targets") if name != DEFAULT))


def dialect(target: str) -> Dialect:
    """The dialect of a target; raises OptionProblem for a target that does not exist.

    >>> dialect("torch").module
    'torch'
    """
    if text_of(target, "the target") not in TARGETS:
        raise OptionProblem(f"unknown target '{target[:40]}'", f"targets are {', '.join(TARGETS)}")
    found: Dialect = import_module(f".{target}", __name__).dialect()
    return found
