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
from ..faces import CompiledFunction, face
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
HEADS = frozenset(
    "var num pi size ones zeros eye part shifts commutation add times matmul T pow".split()
)
SIGNATURE_LENGTH = 12  # names by which expressions are put in order before their digests are
ARGUMENTS = 8  # arguments that a node takes in the time of one step
MAX_BITS = 996  # 2^996 is just below 10^300
MAX_AXIS = 64  # sizes whose product one axis may be
ARRAY = "array"  # the property of a variable of three axes or more


class Expr:
    """A matrix expression; vectors are columns, a scalar has no axes.

    Build one with :func:`matcalc.parse`, or with :func:`matcalc.matrix` and its sisters and the
    operators ``+ - @ * / ** .T`` (``*`` is the matrix product, or a scalar times anything, as in
    the typed language) and ``[]``, which counts from 0 as Python does: ``x[0]``, ``X[:, 1:]``.
    Equal expressions are the same object.

    Operators raise ShapeProblem for sizes that do not fit, LimitProblem past a limit, and TypeError
    for what is no expression and no number.

    >>> import matcalc as mc
    >>> X, w = mc.matrix("X", "m", "n"), mc.vector("w", "n")
    >>> (X @ w)[0], (X @ w).T.shape
    (<X[1,:]*w : scalar>, (1, 'm'))
    """

    # numpy is to refuse an array and an expression, not to make an array of objects
    __array_ufunc__ = None
    __slots__ = (
        "__weakref__",
        "args",
        "count",
        "data",
        "functions",
        "has_unknown_sizes",
        "head",
        "known_transpose",
        "order",
        "shape_",
        "transposes",
    )

    head: str
    args: tuple[Expr, ...]
    data: Data
    shape_: Shape
    count: int  # nodes of the expression as a tree
    transposes: int  # how many of them are transposes
    known_transpose: Expr | None  # its transpose, once that has been asked for
    functions: frozenset[str]  # the functions of the table that occur in it
    has_unknown_sizes: bool  # some that unification may still bind
    order: tuple[int, tuple[str, ...], bytes]  # a total order that depends on structure alone

    @property
    def shape(self) -> tuple[str | int, ...]:
        """The lengths of the axes, names or integers.

        ``()`` for a scalar, ``(n,)`` for a column, ``(m, n)`` otherwise, every axis of an array.
        """
        return tuple(map(public_size, own_axes(self))) if is_array(self) else public(self.shape_)

    @property
    def is_scalar(self) -> bool:
        """Tell if it has no axes."""
        return self.shape_ == SCALAR

    @property
    def name(self) -> str:
        """The name of a variable; raises AttributeError for any other expression."""
        if not isinstance(self.data, tuple):
            raise AttributeError("only a variable has a name")
        return self.data[0]

    @property
    def properties(self) -> tuple[str, ...]:
        """The declared properties of a variable."""
        return self.data[1] if self.head == "var" and isinstance(self.data, tuple) else ()

    @property
    def value(self) -> Fraction:
        """The value of a number; raises AttributeError for any other expression."""
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
        """The transpose."""
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
    def compile(self, target: str = "numpy", reuse: bool = False) -> CompiledFunction:
        """A function of the variables, by keyword, that evaluates this expression.

        ``target`` is numpy, numba, jax, torch or array_api; ``.source`` of the function is its
        code. It keeps the type of its arrays, touches none of them and returns fresh ones, as the
        compiled derivatives do. With ``reuse`` (numpy and numba) the next call with the same shapes
        overwrites the array that was returned.

        Raises OptionProblem for a target that does not exist, Unsupported for one that is not
        installed or does not reuse arrays. The function raises MissingData for a missing argument
        and ShapeProblem for what does not fit.

        >>> import matcalc as mc
        >>> mc.parse("2*x").compile()(x=[3.0, 4.0])
        array([6., 8.])
        """
        function: CompiledFunction = face("compile")(self, target, reuse=reuse)
        return function

    def latex(self) -> str:
        """The expression in LaTeX, without dollar signs; raises LimitProblem for a large one."""
        return self.to("latex")

    @strict
    @within_limits("printing")
    def to(self, format: str) -> str:
        """The expression in a format: ``text``, ``latex``, ``typst`` or ``mathml``.

        Raises OptionProblem for any other format, LimitProblem for a large one.

        >>> import matcalc as mc
        >>> mc.parse("inv(X)'*y").to("typst")
        'X^(-⊤) y'
        """
        written: str = face("shown")(self, format)
        return written


def _has_unknown_sizes(data: Data, shape: Shape) -> bool:
    sizes = (*shape, (data,)) if isinstance(data, (Unknown, Sum)) else shape
    return any(isinstance(a, Unknown) for size in sizes for a in base_atoms(size))


# entered by :mod:`matcalc.expr.operators`, which is made of nodes
OPERATORS: dict[str, Callable[..., Expr]] = {}
_NO_FUNCTIONS: frozenset[str] = frozenset()
_nodes: weakref.WeakValueDictionary[tuple[object, ...], Expr] = weakref.WeakValueDictionary()


def node(head: str, args: tuple[Expr, ...], data: Data, shape: Shape) -> Expr:
    """The one node with these parts; raises LimitProblem past a limit."""
    key = (head, args, data, shape)
    equal = _nodes.get(key)
    if equal is not None:
        return equal
    spend(len(args) // ARGUMENTS, nodes=1)
    axis = max(map(len, shape))
    if axis > MAX_AXIS:
        raise LimitProblem(
            f"an axis that is the product of {axis} sizes", f"the limit is {MAX_AXIS}"
        )
    self = object.__new__(Expr)
    self.head, self.args, self.data, self.shape_ = head, args, data, shape
    self.count = _count(head, args)
    self.transposes = sum(a.transposes for a in args) + (head == "T")
    self.known_transpose = None
    self.functions = _functions(head, args)
    self.has_unknown_sizes = _has_unknown_sizes(data, shape) or any(
        a.has_unknown_sizes for a in args
    )
    self.order = (self.count, _signature(head, args, data), _digest(head, args, data, shape))
    return _nodes.setdefault(key, self)


def _signature(head: str, args: tuple[Expr, ...], data: Data) -> tuple[str, ...]:
    """The first names and functions in an expression, as they stand in its text."""
    marks: tuple[str, ...] = ()
    if head not in ("matmul", "times", "T"):
        marks = (_name(head, data),)
    for a in args:
        if len(marks) >= SIGNATURE_LENGTH:
            break
        marks += a.order[1]
    if head == "T":
        marks += ("~",)  # after every letter: A before A', A*x before A'*x
    return marks[:SIGNATURE_LENGTH]


def _name(head: str, data: Data) -> str:
    if data is None:
        return head
    return str(data[0] if isinstance(data, tuple) else data)


def _digest(head: str, args: tuple[Expr, ...], data: Data, shape: Shape) -> bytes:
    """A hash of the structure."""
    digest = blake2b(repr((head, data, shape)).encode(), digest_size=8)
    for a in args:
        digest.update(a.order[2])
    return digest.digest()


def _functions(head: str, args: tuple[Expr, ...]) -> frozenset[str]:
    """The functions of the arguments and the head; one set serves many nodes."""
    functions = max((a.functions for a in args), key=len, default=_NO_FUNCTIONS)
    for a in args:
        if not a.functions <= functions:
            functions = functions | a.functions
    return functions | {head} if head in BY_NAME and head not in functions else functions


def _count(head: str, args: tuple[Expr, ...]) -> int:
    """The nodes of the expression as a tree, as a reader counts them in its text."""
    inside = sum(a.count for a in args)
    if head in ("add", "times", "matmul"):
        operators = len(args) - 1
        has_sign = head == "times" and args[0] is MINUS_ONE  # which is neither factor nor operator
        return inside + operators - (2 if has_sign else 0)
    if head == "pow":
        return inside if args[1] is MINUS_ONE else inside + 1  # 1/x has one operator
    return inside + _NODES_OF_CALL.get(head, 1)


# the argument that is a size counts too: ones(n), K(m,n)
_NODES_OF_CALL = {"ones": 2, "eye": 2, "zeros": 2, "commutation": 3, "shifts": 3}


# ---- leaves --------------------------------------------------------------------------------------


def var(name: str, shape: Shape = SCALAR, properties: Iterable[str] = ()) -> Expr:
    """A variable; its properties are kept sorted."""
    return node("var", (), (name, tuple(sorted(properties))), shape)


def array(name: str, sizes: Iterable[Size]) -> Expr:
    """A variable of three axes or more, as the matrix that it unfolds to.

    The first axis is the rows, the others, row by row, the columns.
    Kolda and Bader 2009, 2.4, unfold along the first axis too, with the columns in another order.
    """
    first, *others = sizes
    return var(name, (first, tuple(a for size in others for a in size)), (ARRAY,))


def is_array(e: Expr) -> bool:
    """Say if it is a variable of three axes or more."""
    return ARRAY in e.properties


def own_axes(e: Expr) -> tuple[Size, ...]:
    """The sizes of the axes longer than one.

    Of an array, which an expression holds unfolded, each axis apart.
    """
    if is_array(e):
        return tuple((a,) for size in e.shape_ for a in size)
    return tuple(filter(None, e.shape_))


def shape_text(e: Expr) -> str:
    """The shape as a reader writes it: ``m×n``, ``n``, ``m×n×p`` for an array."""
    return show_axes(own_axes(e)) if is_array(e) else show_shape(e.shape_)


def declared_text(v: Expr) -> str:
    """The shape and the properties of a variable, as they are declared: ``n×n spd``."""
    return " ".join([shape_text(v), *(p for p in v.properties if p != ARRAY)])


def num(value: int | Fraction) -> Expr:
    """A rational number; raises LimitProblem for one that floating-point numbers do not reach."""
    value = Fraction(value)
    if abs(value.numerator.bit_length() - value.denominator.bit_length()) > MAX_BITS:
        raise LimitProblem("a number beyond 10^300", "numbers stay between 10^-300 and 10^300")
    return node("num", (), value, SCALAR)


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
    """Neighbouring columns P of the identity, ``width`` of them after the first ``start``.

    P'*x is a part of x, and P*y is y among zeros.
    """
    return eye(whole) if whole == width else node("part", (), start, (whole, width))


def shifts(first: Size, second: Size) -> Expr:
    """The matrix S of zeros and ones for which S*kron(x, y) is the convolution of x and y.

    There is a 1 where the row is the sum of the two places that the column stands for, from 0.
    """
    if UNIT in (first, second):
        return eye(first + second)
    rows = total_of([(first, 1), (second, 1)], -1).size()
    return node("shifts", (), None, (rows, first + second))


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
    if e.head != "times" or e.args[0].head != "num":
        return Fraction(1), e
    number, *others = e.args
    rest = others[0] if len(others) == 1 else node("times", tuple(others), None, e.shape_)
    return number.value, rest


def postorder(*roots: Expr, skip: Callable[[Expr], bool] | None = None) -> list[Expr]:
    """Every node once, arguments before the nodes that use them.

    Nodes for which ``skip`` holds are left out, and so is what only they use.
    """
    return arguments_first(roots, _arguments, skip)


_arguments: Callable[[Expr], tuple[Expr, ...]] = attrgetter("args")


def sizes_of(nodes: Iterable[Expr]) -> list[Size]:
    """The sizes of the axes of nodes, and those that stand as numbers."""
    nodes = list(nodes)
    of_axes = [size for e in nodes for size in e.shape_]
    of_numbers: list[Size] = [(e.atom,) for e in nodes if e.head == "size"]
    return of_axes + of_numbers


def variables(*roots: Expr) -> list[Expr]:
    """The variables, in the order in which they are first met."""
    return [e for e in postorder(*roots) if e.head == "var"]
