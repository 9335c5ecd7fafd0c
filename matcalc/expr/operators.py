"""The operators of Python on expressions, which the nodes cannot import: they are made of nodes."""

from __future__ import annotations

from . import values as _values  # noqa: F401 (enters what calls are known to be)
from .blocks import sliced
from .calls import divide, power, product
from .nodes import OPERATORS
from .normal import add, neg, transpose

OPERATORS.update(
    add=add,
    neg=neg,
    transpose=transpose,
    product=product,
    divide=divide,
    power=power,
    sliced=sliced,
)
