"""SymPy in and out: SymPy's matrix expressions as expressions of matcalc, and back.

Nothing passes through text: a SymPy class is looked up in a table, a name becomes a symbol. What
one side cannot say is refused by name, never approximated. The two sides differ in two points: a
1×1 matrix of SymPy is a scalar of matcalc, and comes back as a scalar, the trace of the 1×1 matrix
where it is a product; and ``step(0)`` is 0 whatever Heaviside says of 0.
"""

from .incoming import from_sympy
from .outgoing import to_sympy

__all__ = ["from_sympy", "to_sympy"]
