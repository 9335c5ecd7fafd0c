"""Options that a public name does not have are refused by name, and the one that was meant is
named.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import matcalc as mc
from matcalc.tables.functions import BY_NAME, MACROS

SHORTEST = 4  # letters of an option of which one can be left out and it is still known
GIVEN_BACK = {"Verification", "Expr"}  # classes that a user is given and never makes


def callables() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function and class, and the public methods of the classes."""
    for name in mc.__all__:
        call = getattr(mc, name)
        if not callable(call):
            continue
        yield name, call
        methods = vars(call).items() if inspect.isclass(call) else ()
        for method, function in methods:
            if inspect.isfunction(function) and not method.startswith("_"):
                yield f"{name}.{method}", function


CALLABLES = dict(callables())


def takes_any(call: Callable[..., Any]) -> bool:
    """Whether the names of its arguments are those of a user's variables, or belong to another
    function.
    """
    return any(p.kind is p.VAR_KEYWORD for p in inspect.signature(call).parameters.values())


STRICT = [
    n
    for n, call in CALLABLES.items()
    if n not in GIVEN_BACK and (n == "Conv2d" or not takes_any(call))
]


def options_of(call: Callable[..., Any]) -> list[str]:
    call = call.__init__ if inspect.isclass(call) else call
    parameters = inspect.signature(call).parameters.values()
    return [
        p.name
        for p in parameters
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name != "self"
    ]


@pytest.mark.parametrize("name", STRICT)
def test_an_unknown_option_is_named(name: str) -> None:
    with pytest.raises(TypeError, match="unknown_option"):
        CALLABLES[name](unknown_option=1)


@pytest.mark.parametrize("name", STRICT)
def test_the_option_that_was_meant_is_named(name: str) -> None:
    for option in options_of(CALLABLES[name]):
        if len(option) >= SHORTEST:
            wrong = option[:-2] + option[-1]
            with pytest.raises(TypeError, match=rf"no option '{wrong}' — did you mean {option}\?"):
                CALLABLES[name](**{wrong: 1})


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: mc.derive("x'*x", "x", symetric="elements"),
            "derive() has no option 'symetric' — did you mean symmetric?",
        ),
        (
            lambda: mc.derive("x'*x", "x", Order=2),
            "derive() has no option 'Order' — did you mean order?",
        ),
        (lambda: mc.derive("x'*x", "x", verify=False), "derive() has no option 'verify'"),
        (
            lambda: mc.derive("x'*x", "x").compile(valeu=True),  # type: ignore[call-arg]
            "Derivation.compile() has no option 'valeu' — did you mean value?",
        ),
        (
            lambda: mc.derive("x'*x").compile(targt="numba"),  # type: ignore[call-arg]
            "Derivations.compile() has no option 'targt' — did you mean target?",
        ),
        (
            lambda: mc.Network("3-2", activaton="tanh"),  # type: ignore[call-arg]
            "Network() has no option 'activaton' — did you mean activation?",
        ),
        (
            lambda: mc.Network("3-2").fit([[1, 2, 3]], [[1, 2]], epoch=3),
            "fit() has no option 'epoch' — did you mean epochs?",
        ),
        (
            lambda: mc.Conv2d(1, 2, methd="fft"),  # type: ignore[call-arg]
            "Conv2d() has no option 'methd' — did you mean method?",
        ),
        (
            lambda: mc.Conv2d(1, 2, method="fft", strid=2),  # type: ignore[call-arg]
            "has no option 'strid' — did you mean stride?",
        ),
        (
            lambda: mc.Tanh(name="relu"),  # type: ignore[call-arg]
            "Tanh() has no option 'name' — it takes none",
        ),
        (
            lambda: mc.parse("x", shape="x: n"),  # type: ignore[call-arg]
            "parse() has no option 'shape' — did you mean shapes?",
        ),
        (lambda: mc.norm2(mc.vector("x", "n"), axis=1), "axis"),
        (lambda: mc.sqrt(mc.vector("x", "n"), axis=1), "axis"),
    ],
)
def test_what_is_said(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(TypeError) as caught:
        call()
    assert said in str(caught.value)


def test_functions_of_the_table_take_no_options() -> None:
    for name in (*BY_NAME, *MACROS):
        with pytest.raises(TypeError, match="unknown_option"):
            getattr(mc, name)(unknown_option=1)


def test_the_signatures_are_still_seen() -> None:
    assert list(inspect.signature(mc.derive).parameters) == [
        "expr",
        "wrt",
        "shapes",
        "order",
        "layout",
        "along",
        "symmetric",
        "limit",
    ]
    assert mc.check.__doc__.startswith("Decide if a claimed derivative")
