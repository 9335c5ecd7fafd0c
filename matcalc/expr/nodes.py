"""The nodes of matrix expressions: frozen, interned, compared by identity.

There are few heads. ``var``, ``num``, ``pi``, ``size`` (n as a number), ``ones``, ``zeros``,
``eye``, ``part`` (columns of the identity), ``shifts`` and ``commutation`` are leaves. ``add`` is a
sum; ``times`` is the commutative product, scalars and entry-by-entry alike; ``matmul`` is the
matrix product; ``T`` the transpose and ``pow`` the entry-by-entry power. Every other head is the
name of a row of the table of functions.

Nodes are made by the constructors of :mod:`matcalc.expr.normal` and :mod:`matcalc.expr.calls`,
which keep them in normal form; equal expressions are then the same object.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from fractions import Fraction
from hashlib import blake2b
from numbers import Rational, Real
from operator import attrgetter

from ..budget import spend, within_limits
from ..errors import LimitProblem, described
from ..faces import face
from ..options import strict
from ..tables.functions import BY_NAME
from .sizes import (
    SCALAR,
    UNIT,
    Atom,
    Shape,
    Size,
    Sum,
    Unknown,
    base_atoms,
    public,
    public_size,
    show_axes,
    show_shape,
    total_of,
)
from .walk import arguments_first

Data = str | Fraction | Atom | tuple[str, tuple[str, ...]] | None
SIGNATURE_LENGTH = 12
MAX_BITS = 996
MAX_AXIS = 64  # sizes whose product one axis may be
ARRAY = "array"  # the property of a variable of three axes or more


class Expr:
    """A matrix expression; vectors are columns, a scalar has no axes.

    Build one with :func:`matcalc.parse`, or with :func:`matcalc.matrix` and its sisters and the
    operators ``+ - @ * / ** .T`` (``*`` is the matrix product, or a scalar times anything, as in
    the typed language) and ``[]``, which counts from 0 as Python does: ``x[0]``, ``X[:, 1:]``.
    """

    # numpy is to refuse an array and an expression, not to make an array of objects
    __array_ufunc__ = None
    __slots__ = (
        "__weakref__",
        "args",
        "count",
        "data",
        "flipped",
        "functions",
        "head",
        "order",
        "shape_",
        "transposes",
        "unsettled",
    )

    head: str
    args: tuple[Expr, ...]
    data: Data
    shape_: Shape
    count: int  # nodes of the expression as a tree
    transposes: int  # how many of them are transposes
    flipped: Expr | None  # its transpose, once that has been asked for
    functions: frozenset[str]  # the functions of the table that occur in it
    unsettled: bool  # a size in it is still unknown
    order: tuple[int, tuple[str, ...], bytes]  # a total order that depends on structure alone

    @property
    def shape(self) -> tuple[str | int, ...]:
        """``()`` for a scalar, ``(n,)`` for a column, ``(m, n)`` otherwise, every axis of an array.

        Names or integers.
        """
        return tuple(map(public_size, own_axes(self))) if is_array(self) else public(self.shape_)

    @property
    def is_scalar(self) -> bool:
        return self.shape_ == SCALAR

    @property
    def name(self) -> str:
        """The name of a variable."""
        if not isinstance(self.data, tuple):
            raise AttributeError("only a variable has a name")
        return self.data[0]

    @property
    def properties(self) -> tuple[str, ...]:
        """The declared properties of a variable."""
        return self.data[1] if self.head == "var" and isinstance(self.data, tuple) else ()

    @property
    def value(self) -> Fraction:
        """The value of a number."""
        if not isinstance(self.data, Fraction):
            raise AttributeError("only a number has a value")
        return self.data

    @property
    def atom(self) -> Atom:
        """The size that a size node stands for."""
        assert isinstance(self.data, (str, int, Unknown))
        return self.data

    @property
    def T(self) -> Expr:
        return OPERATORS["transpose"](self)

    def __copy__(self) -> Expr:
        return self

    def __deepcopy__(self, _: object) -> Expr:
        return self

    def __reduce__(self) -> tuple[Callable[..., Expr], tuple[object, ...]]:
        """Pickled as its parts, so that it comes back as the one node that is equal to it."""
        return node, (self.head, self.args, self.data, self.shape_)

    @within_limits("printing")
    def __str__(self) -> str:
        shown: str = face("text")(self)
        return shown

    def __repr__(self) -> str:
        return f"<{self} : {shape_text(self)}>"

    def __add__(self, other: object) -> Expr:
        return OPERATORS["add"](self, as_expr(other))

    def __radd__(self, other: object) -> Expr:
        return OPERATORS["add"](as_expr(other), self)

    def __sub__(self, other: object) -> Expr:
        return OPERATORS["add"](self, OPERATORS["neg"](as_expr(other)))

    def __rsub__(self, other: object) -> Expr:
        return OPERATORS["add"](as_expr(other), OPERATORS["neg"](self))

    def __neg__(self) -> Expr:
        return OPERATORS["neg"](self)

    def __matmul__(self, other: object) -> Expr:
        return OPERATORS["product"](self, as_expr(other))

    def __rmatmul__(self, other: object) -> Expr:
        return OPERATORS["product"](as_expr(other), self)

    def __mul__(self, other: object) -> Expr:
        return OPERATORS["product"](self, as_expr(other))

    def __rmul__(self, other: object) -> Expr:
        return OPERATORS["product"](as_expr(other), self)

    def __truediv__(self, other: object) -> Expr:
        return OPERATORS["divide"](self, as_expr(other))

    def __rtruediv__(self, other: object) -> Expr:
        return OPERATORS["divide"](as_expr(other), self)

    def __pow__(self, exponent: object) -> Expr:
        return OPERATORS["power"](self, as_expr(exponent))

    def __rpow__(self, base: object) -> Expr:
        return OPERATORS["power"](as_expr(base), self)

    __iter__ = None  # or Python would ask for one entry after another, for ever

    def __getitem__(self, key: object) -> Expr:
        return OPERATORS["sliced"](self, key)

    def __pos__(self) -> Expr:
        return self

    @strict
    def compile(self, target: str = "numpy", reuse: bool = False) -> Callable[..., object]:
        """A function of the variables, by keyword, that evaluates this expression.

        Its ``.source`` is the code.

        It keeps the type of its arrays, touches none of them and returns fresh ones, as the
        compiled derivatives do. With ``reuse`` (numpy and numba) the next call with the same shapes
        overwrites the array that was returned.
        """
        function: Callable[..., object] = face("compile")(self, target, reuse=reuse)
        return function

    @within_limits("printing")
    def latex(self) -> str:
        """The expression in LaTeX."""
        shown: str = face("latex")(self)
        return shown


def _is_open(data: Data, shape: Shape) -> bool:
    """Whether a size is still unknown, in the shape or in the data."""
    sizes = (*shape, (data,) if isinstance(data, (Unknown, Sum)) else ())
    return any(isinstance(a, Unknown) for size in sizes for a in base_atoms(size))


# entered by :mod:`matcalc.expr.operators`, which is made of nodes
OPERATORS: dict[str, Callable[..., Expr]] = {}
_NO_FUNCTIONS: frozenset[str] = frozenset()
_nodes: weakref.WeakValueDictionary[tuple[object, ...], Expr] = weakref.WeakValueDictionary()


def node(head: str, args: tuple[Expr, ...], data: Data, shape: Shape) -> Expr:
    key = (head, args, data, shape)
    found = _nodes.get(key)
    if found is not None:
        return found
    spend(len(args) >> 3, nodes=1)
    if max(map(len, shape)) > MAX_AXIS:
        raise LimitProblem(
            f"an axis that is the product of {max(map(len, shape))} sizes",
            f"the limit is {MAX_AXIS}",
        )
    self = object.__new__(Expr)
    self.head, self.args, self.data, self.shape_ = head, args, data, shape
    self.count = _count(head, args)
    self.unsettled = any(a.unsettled for a in args) or _is_open(data, shape)
    self.flipped = None
    self.functions = _functions(head, args)
    self.transposes = sum(a.transposes for a in args) + (head == "T")
    mark = str(data[0] if isinstance(data, tuple) else head if data is None else data)
    marks: tuple[str, ...] = () if head in ("matmul", "times", "T") else (mark,)
    for a in args:
        if len(marks) >= SIGNATURE_LENGTH:
            break
        marks += a.order[1]
    if head == "T":
        marks += ("~",)  # after every letter: A before A', A*x before A'*x
    digest = blake2b(repr((head, data, shape)).encode(), digest_size=8)
    for a in args:
        digest.update(a.order[2])
    self.order = (self.count, marks[:SIGNATURE_LENGTH], digest.digest())
    return _nodes.setdefault(key, self)


def _functions(head: str, args: tuple[Expr, ...]) -> frozenset[str]:
    """The functions of the arguments and the head; one set serves many nodes."""
    found = max((a.functions for a in args), key=len, default=_NO_FUNCTIONS)
    for a in args:
        if not a.functions <= found:
            found = found | a.functions
    return found | {head} if head in BY_NAME and head not in found else found


def _count(head: str, args: tuple[Expr, ...]) -> int:
    inside = sum(a.count for a in args)
    if head in ("add", "times", "matmul"):
        return (
            inside
            + len(args)
            - 1
            - (head == "times" and args[0].head == "num" and args[0].data == -1) * 2
        )
    if head == "pow":
        return inside + (0 if args[1].head == "num" and args[1].data == -1 else 1)
    return inside + {"ones": 2, "eye": 2, "zeros": 2, "commutation": 3, "shifts": 3}.get(head, 1)


# ---- leaves --------------------------------------------------------------------------------------


def var(name: str, shape: Shape = SCALAR, properties: Iterable[str] = ()) -> Expr:
    """A variable; its properties are kept sorted."""
    return node("var", (), (name, tuple(sorted(properties))), shape)


def array(name: str, sizes: Iterable[Size]) -> Expr:
    """A variable of three axes or more as the matrix that it unfolds to: the first axis is the
    rows, the others, row by row, the columns.

    Kolda and Bader 2009, 2.4, unfold along the first axis too, with the columns in another order.
    """
    first, *others = sizes
    return var(name, (first, tuple(a for size in others for a in size)), (ARRAY,))


def is_array(e: Expr) -> bool:
    """Whether it is a variable of three axes or more."""
    return ARRAY in e.properties


def own_axes(e: Expr) -> tuple[Size, ...]:
    """The sizes of the axes longer than one.

    Of an array, which an expression holds unfolded, each axis apart.
    """
    return (
        tuple((a,) for size in e.shape_ for a in size)
        if is_array(e)
        else tuple(size for size in e.shape_ if size)
    )


def shape_text(e: Expr) -> str:
    """The shape as a reader writes it: ``m×n``, ``n``, ``m×n×p`` for an array."""
    return show_axes(own_axes(e)) if is_array(e) else show_shape(e.shape_)


def declared_text(v: Expr) -> str:
    """The shape and the properties of a variable, as they are declared: ``n×n spd``."""
    return " ".join([shape_text(v), *(p for p in v.properties if p != ARRAY)])


def num(value: int | Fraction) -> Expr:
    """A rational number; raises LimitProblem for one that has no place among the floating-point
    numbers.
    """
    value = Fraction(value)
    if abs(value.numerator.bit_length() - value.denominator.bit_length()) > MAX_BITS:
        raise LimitProblem("a number beyond 10^300", "numbers stay between 10^-300 and 10^300")
    return node("num", (), Fraction(value), SCALAR)


def ones(shape: Shape) -> Expr:
    """All ones; the number 1 when there are no axes."""
    return ONE if shape == SCALAR else node("ones", (), None, shape)


def zeros(shape: Shape) -> Expr:
    """All zeros; the number 0 when there are no axes."""
    return ZERO if shape == SCALAR else node("zeros", (), None, shape)


def eye(size: Size) -> Expr:
    """The identity matrix."""
    return node("eye", (), None, (size, size)) if size else ONE


def part(whole: Size, start: Sum, width: Size) -> Expr:
    """Neighbouring columns of the identity, those after the first ``start``: P'*x is a part of
    x, and P*y is y among zeros.
    """
    return eye(whole) if whole == width else node("part", (), start, (whole, width))


def shifts(first: Size, second: Size) -> Expr:
    """The matrix of 1 where the place of the row is the sum of the two places that the column
    counts, from 0; zeros elsewhere.
    """
    if UNIT in (first, second):
        return eye(first + second)
    return node(
        "shifts", (), None, (total_of([(first, 1), (second, 1)], -1).size(), first + second)
    )


def commutation(rows: Size, cols: Size) -> Expr:
    """The matrix K(m,n) for which K(m,n)*vec(X) = vec(X'), for X m×n."""
    if UNIT in (rows, cols):
        return eye(rows + cols)
    return node("commutation", (), None, (rows + cols, cols + rows))


ONE, ZERO, MINUS_ONE = num(1), num(0), num(-1)
PI = node("pi", (), None, SCALAR)


def as_expr(value: object) -> Expr:
    """A Python number or an expression as an expression."""
    if isinstance(value, Expr):
        return value
    if isinstance(value, Rational) and not isinstance(value, bool):
        return num(Fraction(int(value.numerator), int(value.denominator)))
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return as_expr(value.item())  # an array of one number
    if isinstance(value, Real) and float(value) - float(value) == 0:  # neither infinite nor nan
        return num(Fraction(repr(float(value))))
    raise TypeError(f"a matcalc expression or a finite number is needed, not {described(value)}")


# ---- taking apart --------------------------------------------------------------------------------


def split(e: Expr) -> tuple[Fraction, Expr]:
    """The numeric coefficient of a term, and the rest."""
    if e.head == "num":
        return e.value, ONE
    if e.head == "times" and e.args[0].head == "num":
        return e.args[0].value, e.args[1] if len(e.args) == 2 else node(
            "times", e.args[1:], None, e.shape_
        )
    return Fraction(1), e


def postorder(*roots: Expr, skip: Callable[[Expr], bool] | None = None) -> list[Expr]:
    """Every node once, arguments before the nodes that use them.

    Without those for which ``skip`` holds and what only they use.
    """
    return arguments_first(roots, _arguments, skip)


_arguments: Callable[[Expr], tuple[Expr, ...]] = attrgetter("args")


def sizes_of(nodes: Iterable[Expr]) -> list[Size]:
    """The sizes of the axes of nodes, and those that stand as numbers."""
    nodes = list(nodes)
    return [
        *(size for e in nodes for size in e.shape_),
        *((e.atom,) for e in nodes if e.head == "size"),
    ]


def variables(*roots: Expr) -> list[Expr]:
    """The variables, in the order in which they are first met."""
    return [e for e in postorder(*roots) if e.head == "var"]
