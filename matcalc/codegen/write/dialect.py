"""What a target calls the operations of a plan: data for the writer, one object for each target.

In a template, ``{0}`` is an argument as it is, ``<0>`` one in brackets unless it is a name or a
call, ``«0»`` a factor; ``{shape}`` is the shape of the result, ``{data}`` the data of the step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...tables.functions import Row
from ..arrays import is_python_number, to_numpy
from ..plan.planner import Plan
from .excerpts import Excerpts
from .source import Source

IN_CALL = re.compile(r"(?<=[(,] )\{(\w)\}(?=[,)])|(?<=\()\{(\w)\}(?=[,)])")
# what most libraries of arrays have, in the words of the Python array API standard
STANDARD_CALLS = {
    "commutation": "commutation({sizes}, dtype)",
    "shifts": "shifts({sizes}, dtype)",
    "ones": "xp.ones({shape}, dtype=dtype)",
    "zeros": "xp.zeros({shape}, dtype=dtype)",
    "eye": "xp.eye({length}, dtype=dtype)",
    "concat": "xp.concat([{arrays}], axis={data})",
    "einsum": "xp.einsum('{data}', {arrays})",
    "reshape": "xp.reshape({0}, {shape})",
    "fill": "xp.full({shape}, {0}, dtype=dtype)",
    "shift": "{0} + «1»*xp.eye({length}, dtype=dtype)",
    "shift diag": "{0} + xp.diag({1})",
    "sum": "xp.sum({0})",
    "sum 0": "xp.sum({0}, axis=0)",
    "sum 1": "xp.sum({0}, axis=1)",
    "vdot": "xp.sum(«0»*«1»)",
    "vdott": "xp.sum(«0»*<1>.T)",
    "rowdot": "xp.sum(«0»*«1», axis=1)",
    "trace": "xp.trace({0})",
    "diag": "xp.diag({0})",
    "diagonal": "xp.diag({0})",
    "sqrt": "xp.sqrt({0})",
    "softmax_logsumexp": "softmax_logsumexp({0})",
    "softmax_logsumexp_rows": "softmax_logsumexp({0})",
}


def standard_calls(module: str, words: Mapping[str, str] | None = None) -> dict[str, str]:
    """The calls of the standard by the module of a library, and by ``words`` that it has instead.

    >>> standard_calls("torch", {"axis=": "dim="})["sum 0"]
    'torch.sum({0}, dim=0)'
    """
    return {
        operation: translated(call, {"xp.": f"{module}.", **(words or {})})
        for operation, call in STANDARD_CALLS.items()
    }


def translated(text: str, words: Mapping[str, str]) -> str:
    """A text with some words replaced, one after the other."""
    for word, other in words.items():
        text = text.replace(word, other)
    return text


def number_as_it_is(value: float, arrays: list[Any]) -> Any:
    """A number of Python's where it takes the type of the arrays beside it by itself."""
    return value


@dataclass(frozen=True)
class Dialect:
    """A target: its imports, the spelling of every operation, the functions that its source brings
    along, how arguments become arrays, and what it can do.
    """

    name: str
    module: str
    head: tuple[str, ...]  # lines before the function
    calls: Mapping[str, str]
    helpers: Excerpts = field(default_factory=Excerpts)  # functions that the source may call
    opening: str = ""  # the first line of the function
    dtype: str = ""  # the line that finds the dtype of the result
    lone: str = "{0}"  # a number, in that line, where there is no array beside it
    no_dtype: str = ""  # the same where there are no arrays
    # what the target does to a plan before it is written
    change: Callable[[Plan], Plan] | None = None
    # the part of that which is done also where arrays are kept from call to call
    kernels: Callable[[Plan], Plan] | None = None
    power: str = ""  # a function for the power of two numbers; "" where they are arrays
    vector_first: bool = False  # r @ X rather than X.T @ r
    in_place: bool = False
    every_axis: bool = False  # an index names every axis
    constant: str = "{0}"  # a number that a function of the target is applied to
    # makes what a function returns of numbers alone one of Python's, whose type decides nothing
    plain: str = ""
    number: str = "{0}"  # a result that hangs on no argument, of the type of the arrays
    copy: str = ""  # an array of its own with the same entries; "" where no array can be changed
    scalars: bool = False  # whether a scalar is an array, too
    # functions of the table that the target spells in a way of its own, by name, and what makes
    # its spelling of the others out of NumPy's
    spellings: Mapping[str, str] = field(default_factory=dict)
    adapted: Callable[[str], str] = str
    # name used in the source -> line that brings it
    imports: Mapping[str, str] = field(default_factory=dict)

    # ---- arguments: lists, numbers and arrays of integers become arrays of floating point numbers

    to_array: Callable[[Any], Any] = to_numpy
    # whether a scalar is a number that takes the type of the arrays, and how it does
    is_number: Callable[[Any], bool] = is_python_number
    number_beside: Callable[[float, list[Any]], Any] = number_as_it_is
    # a number that is infinite where Python's raises an error
    lone_number: Callable[[float], Any] = to_numpy
    # makes arrays of different types alike, where the target does not take them together
    of_one_type: Callable[[list[Any]], list[Any]] | None = None

    # ---- abilities

    # writes a function where the language is not Python; such a function does not run here
    write: Callable[[Plan, Dialect, str, bool], Source] | None = None
    of_numpy: bool = False  # its arrays are NumPy's
    reuses: bool = False  # arrays can be kept from call to call
    blocks: bool = False  # large matrices are worked on by blocks of rows
    congruences: bool = False  # LAPACK multiplies from both sides at once

    def spelling(self, row: Row) -> str:
        """The code of a function, with ``{x}``, ``{w}`` and ``{z}`` for its arguments."""
        return self.spellings.get(row.name) or self.adapted(row.numpy)


def template(row: Row, dialect: Dialect) -> str:
    """A column of the table of functions as a template of the writer."""
    text = dialect.spelling(row).replace("{x}", "{0}").replace("{w}", "{1}").replace("{z}", "{2}")
    text = IN_CALL.sub(lambda found: f"\0{found[1] or found[2]}\0", text)
    text = re.sub(r"\{(\d)\}", r"<\1>", text)
    return re.sub("\0(.)\0", r"{\1}", text)
