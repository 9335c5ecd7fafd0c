"""What a target calls the operations of a plan: data for the writer, one object for each target.

In a template, ``{0}`` is an argument as it is, ``<0>`` one in brackets unless it is a name or a
call, ``«0»`` a factor; ``{shape}`` is the shape of the result, ``{data}`` the data of the step.
``functions`` names the column of the table of functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ...tables.functions import Row
from ..plan.planner import Plan
from .excerpts import Excerpts

IN_CALL = re.compile(r"(?<=[(,] )\{(\w)\}(?=[,)])|(?<=\()\{(\w)\}(?=[,)])")


@dataclass(frozen=True)
class Dialect:
    """A target: its imports, the spelling of every operation, and the functions that its source
    brings along.
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
    blocks: bool = False  # whether large matrices are worked on by blocks of rows
    every_axis: bool = False  # an index names every axis
    constant: str = "{0}"  # a number that a function of the target is applied to
    # makes what a function returns of numbers alone one of Python's, whose type decides nothing
    plain: str = ""
    number: str = "{0}"  # a result that hangs on no argument, of the type of the arrays
    copy: str = ""  # an array of its own with the same entries; "" where no array can be changed
    scalars: bool = False  # whether a scalar is an array, too
    spelling: Callable[[Row], str] = lambda row: row.numpy
    # name used in the source -> line that brings it
    imports: Mapping[str, str] = field(default_factory=dict)


def template(row: Row, dialect: Dialect) -> str:
    """A column of the table of functions as a template of the writer."""
    text = dialect.spelling(row).replace("{x}", "{0}").replace("{w}", "{1}").replace("{z}", "{2}")
    text = IN_CALL.sub(lambda found: f"\0{found[1] or found[2]}\0", text)
    text = re.sub(r"\{(\d)\}", r"<\1>", text)
    return re.sub("\0(.)\0", r"{\1}", text)
