"""Matrix expressions: frozen nodes, and the constructors that keep them in normal form.

``nodes`` holds what an expression is, ``algebra`` the normal forms of sums, products and
transposes, ``calls`` the functions of the table and the operators of the language, ``parts`` and
``blocks`` parts of matrices and matrices made of them, ``hints`` what to say when shapes do not
fit.
"""

from . import operators as _operators  # noqa: F401 (enters the operators of Python)
from .blocks import blocks, taken
from .calls import call, divide, power, product
from .mismatch import check_product
from .names import names_of, written_names
from .nodes import (
    ARRAY,
    HEADS,
    MINUS_ONE,
    ONE,
    PI,
    ZERO,
    Expr,
    array,
    as_expr,
    commutation,
    declared_text,
    eye,
    is_array,
    num,
    ones,
    own_axes,
    part,
    postorder,
    shape_text,
    shifts,
    sizes_of,
    split,
    var,
    variables,
    zeros,
)
from .normal import (
    add,
    broadcast,
    matmul,
    neg,
    pow_,
    scalars_and_array,
    scaled,
    size_number,
    spread,
    times,
    total,
    transpose,
)
from .rebuild import rebuild, substitute, substitute_all
from .signatures import DIGIT_LENGTHS, letter_sizes, result_shape, signature_axes

__all__ = [
    "ARRAY",
    "DIGIT_LENGTHS",
    "HEADS",
    "MINUS_ONE",
    "ONE",
    "PI",
    "ZERO",
    "Expr",
    "add",
    "array",
    "as_expr",
    "blocks",
    "broadcast",
    "call",
    "check_product",
    "commutation",
    "declared_text",
    "divide",
    "eye",
    "is_array",
    "letter_sizes",
    "matmul",
    "names_of",
    "neg",
    "num",
    "ones",
    "own_axes",
    "part",
    "postorder",
    "pow_",
    "power",
    "product",
    "rebuild",
    "result_shape",
    "scalars_and_array",
    "scaled",
    "shape_text",
    "shifts",
    "signature_axes",
    "size_number",
    "sizes_of",
    "split",
    "spread",
    "substitute",
    "substitute_all",
    "taken",
    "times",
    "total",
    "transpose",
    "var",
    "variables",
    "written_names",
    "zeros",
]
