"""One budget for seconds, nodes, terms and bytes, counted where the work is done.

A public entry opens a budget; every loop that may grow calls :func:`spend`, and whatever is about
to make one large thing asks :func:`room`. Past a limit they raise a LimitProblem that names it.
Without an open budget nothing is counted.

>>> with limited(Limits(nodes=1000), "counting"):  # doctest: +ELLIPSIS
...     spend(nodes=2000)
Traceback (most recent call last):
...
matcalc.errors.LimitProblem: counting needs more than 1000 nodes — ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import wraps
from math import inf, isnan
from time import monotonic
from typing import ParamSpec, TypeVar

from .errors import LimitProblem, OptionProblem, described
from .options import strict

PERIOD = 64  # steps between two looks at the clock; a step takes microseconds


@strict
@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a derivation; infinity is no limit.

    Arguments:

    * ``seconds`` of waiting;
    * ``nodes`` of expressions that are made;
    * ``terms`` of labelled products;
    * ``bytes`` of one text or array.

    Deriving has all of it, verifying what that left and at least a half, and printing or compiling
    an answer as much again. Raises OptionProblem for what is no number from 0 on.

    >>> Limits(seconds=2.5)
    Limits(seconds=2.5, nodes=1000000, terms=200000, bytes=536870912)
    """

    seconds: float = 10.0
    nodes: float = 1_000_000
    terms: float = 200_000
    bytes: float = 2**29

    def __post_init__(self) -> None:
        for name in RESOURCES:
            value = getattr(self, name)
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not is_number or isnan(value) or value < 0:
                raise OptionProblem(
                    f"the limit {name} is {described(value)}", "a limit is a number from 0 on"
                )

    def after(self, spent: float) -> Limits:
        """The limits of what follows, when some seconds are spent: those that are left, and at
        least a half.
        """
        return replace(self, seconds=max(self.seconds - spent, self.seconds / 2))


RESOURCES = ("seconds", "nodes", "terms", "bytes")
DEFAULT = Limits()
UNLIMITED = Limits(inf, inf, inf, inf)


def as_limits(limit: float | Limits | None) -> Limits:
    """The limits that a number of seconds stands for; 0 is no limit at all, None the default.

    >>> as_limits(2.5).seconds, as_limits(0).nodes
    (2.5, inf)
    """
    if isinstance(limit, Limits):
        return limit
    if limit is None:
        return DEFAULT
    return UNLIMITED if limit == 0 and not isinstance(limit, bool) else Limits(seconds=limit)


@dataclass(slots=True)
class _Spent:
    """The steps, nodes and terms that have been used since the outermost budget was opened."""

    nodes: int = 0
    terms: int = 0
    patience: int = PERIOD  # steps until the clock is read


class Budget:
    """An open budget: its limits, and the point of each resource at which it is exceeded."""

    __slots__ = ("began", "limits", "nodes", "outer", "seconds", "spent", "stage", "terms", "work")

    def __init__(self, limits: Limits, work: str, outer: Budget | None) -> None:
        self.limits, self.work, self.outer = limits, work, outer
        self.spent: _Spent = outer.spent if outer else _Spent()
        self.began = monotonic()
        self.stage = ""
        self.seconds: float = self.began + limits.seconds
        self.nodes: float = self.spent.nodes + limits.nodes
        self.terms: float = self.spent.terms + limits.terms
        if outer:
            self.seconds = min(self.seconds, outer.seconds)
            self.nodes = min(self.nodes, outer.nodes)
            self.terms = min(self.terms, outer.terms)

    @property
    def elapsed(self) -> float:
        """The seconds since it was opened."""
        return monotonic() - self.began

    def look(self) -> None:
        """Raise LimitProblem if a limit is exceeded."""
        self.spent.patience = PERIOD
        if self.spent.nodes > self.nodes:
            raise self.problem("nodes")
        if self.spent.terms > self.terms:
            raise self.problem("terms")
        if monotonic() > self.seconds:
            raise self.problem("seconds")

    def problem(self, resource: str) -> LimitProblem:
        """The error of the outermost budget that is exceeded."""
        budget = self
        while budget.outer and getattr(budget.outer, resource) <= getattr(budget, resource):
            budget = budget.outer
        return exceeded(resource, budget.limits, budget.work, self.stage or budget.stage)


_open: ContextVar[Budget | None] = ContextVar("budget", default=None)
_innermost = _open.get


@contextmanager
def limited(limits: Limits | None = None, work: str = "this") -> Iterator[Budget]:
    """Open a budget for some work, named for the message.

    Inside another one it can only be tighter.

    Without ``limits`` it is the default one, or as much as the open one allows. Each thread has its
    own. The stack of Python is a limit, too.
    """
    outer = _open.get()
    budget = Budget(limits or (outer.limits if outer else DEFAULT), work, outer)
    token = _open.set(budget)
    try:
        yield budget
    except RecursionError:
        raise LimitProblem(
            f"{work} goes deeper than Python's stack", "name parts with definitions: r = X*w; …"
        ) from None
    finally:
        _open.reset(token)


Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def within_limits(
    work: str,
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """A function that runs in a budget: the open one, or the default one."""

    def decorate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @wraps(function)
        def bounded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            with limited(None, work):
                return function(*args, **kwargs)

        return bounded

    return decorate


def spend(steps: int = 1, nodes: int = 0, terms: int = 0) -> None:
    """Count work that is being done, nodes or terms among it; raise LimitProblem past a limit.

    A step is what takes some microseconds: a loop over larger ones says how many there are in each.
    """
    budget = _innermost()
    if budget is not None:
        spent = budget.spent
        if nodes:
            spent.nodes += nodes
            steps += nodes
        elif terms:
            spent.terms += terms
            steps += terms
        spent.patience = patience = spent.patience - steps
        if patience < 0:
            budget.look()


def room(size: float) -> None:
    """Raise LimitProblem if a text or an array of so many bytes may not be made."""
    budget = _open.get()
    while budget is not None:
        if size > budget.limits.bytes:
            raise exceeded("bytes", budget.limits, budget.work, budget.stage)
        budget = budget.outer


def reached(stage: str) -> None:
    """Note how far the work has come, for the message: ``order 3 of 6``."""
    budget = _open.get()
    if budget is not None:
        budget.stage = stage


def seconds_left() -> float:
    """The seconds that the open budget lasts; infinity without one."""
    budget = _open.get()
    return inf if budget is None else budget.seconds - monotonic()


def share(parts: int) -> Limits:
    """The limits of one of so many parts of the remaining work: its share of the time left."""
    budget = _open.get()
    if budget is None:
        return DEFAULT
    return replace(budget.limits, seconds=max(seconds_left(), 0.0) / parts)


def exceeded(resource: str, limits: Limits, work: str, stage: str) -> LimitProblem:
    """The error for a limit that does not suffice, with what would."""
    limit = getattr(limits, resource)
    after = f", at {stage}" if stage else ""
    if resource == "seconds":
        more = f"limit={2 * limit:g}, or --limit {2 * limit:g}, allows more; 0 sets none"
    else:
        more = f"limit=Limits({resource}={2 * limit:.0f}) allows more; 0 sets none"
    problem = LimitProblem(f"{work} needs more than {limit:.12g} {resource}{after}", more)
    problem.resource = resource
    return problem
