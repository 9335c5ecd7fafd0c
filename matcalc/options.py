"""Options by name: one that a function does not have is refused, and the one that was meant is
named.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from functools import wraps
from types import FunctionType
from typing import Any, TypeVar

Call = TypeVar("Call", bound=Callable[..., Any])
TAKES_ANY = 0x08  # the flag of code with **options (inspect.CO_VARKEYWORDS)


def strict(call: Call) -> Call:
    """A function that refuses options which it does not have, or a class whose constructor and
    methods do.

    >>> @strict
    ... def derive(expression, order=1): ...
    >>> derive("x'*A*x", oder=2)
    Traceback (most recent call last):
      ...
    TypeError: derive() has no option 'oder' — did you mean order?
    """
    if isinstance(call, type):
        _make_strict(call)
        return call
    checked: Call = _strict_function(call)
    return checked


def _make_strict(cls: type) -> None:
    """Make the constructor and the public methods of a class refuse unknown options."""
    for name, method in list(vars(cls).items()):
        if isinstance(method, FunctionType) and (name == "__init__" or not name.startswith("_")):
            setattr(cls, name, _strict_function(method))


def _strict_function(call: Any) -> Any:
    code = _own(call).__code__
    if code.co_flags & TAKES_ANY:
        return call
    names = code.co_varnames[code.co_posonlyargcount : code.co_argcount + code.co_kwonlyargcount]
    known = frozenset(names)

    @wraps(call)
    def checked(*given: Any, **options: Any) -> Any:
        if not known.issuperset(options):
            title = call.__qualname__
            if call.__name__ == "__init__" and given:
                title = type(given[0]).__name__
            unknown = next(name for name in options if name not in known)
            raise TypeError(_message(title, unknown, [n for n in names if n != "self"]))
        return call(*given, **options)

    return checked


def _own(call: Any) -> Any:
    """A function without its wrappers."""
    while hasattr(call, "__wrapped__"):
        call = call.__wrapped__
    return call


def _message(title: str, unknown: str, names: Iterable[str]) -> str:
    listed = ", ".join(names)
    hint = nearest(unknown, names) or (f"its options are {listed}" if listed else "it takes none")
    return f"{title}() has no option '{unknown}' — {hint}"


def nearest(name: str, known: Iterable[str]) -> str:
    """A did-you-mean hint, or nothing."""
    close = difflib.get_close_matches(name[:40], list(known), 1, 0.6)
    return f"did you mean {close[0]}?" if close else ""
