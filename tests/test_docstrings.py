"""Public names say what they compute, what they take, what they raise, by an example that runs.

That the examples run is seen when pytest collects them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from test_wrong_arguments import CALLS, POSITIONAL

import matcalc as mc

PUBLIC = {name: getattr(mc, name) for name in mc.__all__ if not name.startswith("_")}
LONG = 3  # arguments beyond which they stand in a list


def methods() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Public methods and properties of public classes, with those of their bases in matcalc."""
    for cls in filter(inspect.isclass, PUBLIC.values()):
        for base in cls.__mro__:
            if not base.__module__.startswith("matcalc."):
                continue
            for name, member in vars(base).items():
                function = getattr(member, "fget", None) or getattr(member, "func", member)
                if not name.startswith("_") and inspect.isfunction(function):
                    yield f"{base.__name__}.{name}", function


METHODS = dict(methods())
# their arguments come from matcalc itself
FROM_INSIDE = {
    "IndexForm.with_factors",
    "IndexForm.letters",
    "Layer.backward_names",
    "Layer.seeded",
    "Dropout.seeded",
    "Limits.after",
    "MatcalcError.at",
    "MatcalcError.caret",
    "Distributed.sorted",
    "Distributed.shape",
    "Distributed.axis",
}
RAISING = sorted({*CALLS, *POSITIONAL} - {"Residual", "Sequential"})


def parameters(function: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_an_example(name: str) -> None:
    doc = vars(PUBLIC[name]).get("__doc__") or PUBLIC[name].__doc__
    assert doc is not None
    assert ">>> " in doc


@pytest.mark.parametrize("name", RAISING)
def test_a_public_name_that_raises_says_what(name: str) -> None:
    assert "Raises " in (PUBLIC[name].__doc__ or "").replace("raises ", "Raises ")


@pytest.mark.parametrize("name", RAISING)
def test_many_arguments_stand_in_a_list(name: str) -> None:
    doc = PUBLIC[name].__doc__ or ""
    names = parameters(PUBLIC[name])
    if len(names) > LONG:
        assert "Arguments:\n" in doc
        assert [n for n in names if f"``{n}``" not in doc] == []


@pytest.mark.parametrize("name", METHODS)
def test_a_public_method_says_what_it_does(name: str) -> None:
    doc = inspect.getdoc(METHODS[name]) or ""  # with those of the methods that it overrides
    assert doc
    assert not doc.startswith(("What", "Whether", "Where", "Which", "How"))
    if parameters(METHODS[name]) and name not in FROM_INSIDE:
        assert "raise" in doc.lower()
