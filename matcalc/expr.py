"""Matrix expressions: frozen, interned nodes, and the constructors that keep them in normal form.

There are few heads. ``var``, ``num``, ``size`` (n as a number), ``ones``, ``zeros`` and ``eye`` are leaves. ``add`` is a sum;
``times`` is the commutative product, scalars and entry-by-entry alike; ``matmul`` is the matrix product; ``T`` the transpose
and ``pow`` the entry-by-entry power. Every other head is the name of a row of the table of functions.

Equal expressions are the same object: constructors flatten, sort, collect like terms and powers, pull scalars out of
products and push transposes towards the leaves. Sums that are smaller than their terms broadcast, as in ``X + 1``.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from hashlib import blake2b

from .errors import LimitProblem, NameProblem, ShapeProblem
from .functions import BY_NAME, Row
from .sizes import SCALAR, UNIT, Atom, Shape, Size, Unknown, resolve, same, show_shape, unify

Data = str | Fraction | Atom | tuple[str, tuple[str, ...]] | None
SELF_TRANSPOSED = frozenset({"symmetric", "spd", "diagonal"})
MAX_EXPONENT = 64
MAX_FACTORS = 2000
SIGNATURE_LENGTH = 12
TRANSPOSE_LIMIT = 400  # a sum larger than this is transposed as a whole, without looking inside


class Expr:
    """A matrix expression; vectors are columns, a scalar has no axes.

    Build one with :func:`matcalc.parse`, or with :func:`matcalc.matrix` and its sisters and the operators
    ``+ - @ * / ** .T`` (``*`` is the matrix product, or a scalar times anything, as in the typed language).
    """

    __slots__ = ("__weakref__", "args", "count", "data", "functions", "head", "order", "shape_", "transposes", "unsettled")

    head: str
    args: tuple[Expr, ...]
    data: Data
    shape_: Shape
    count: int  # nodes of the expression as a tree
    transposes: int  # how many of them are transposes
    functions: frozenset[str]  # the functions of the table that occur in it
    unsettled: bool  # a size in it is still unknown
    order: tuple[int, tuple[str, ...], bytes]  # a total order that depends on structure alone

    @property
    def shape(self) -> tuple[str | int, ...]:
        """``()`` for a scalar, ``(n,)`` for a column, ``(m, n)`` otherwise; names or integers."""
        from .sizes import public

        return public(self.shape_)

    @property
    def is_scalar(self) -> bool:
        return self.shape_ == SCALAR

    @property
    def name(self) -> str:
        """The name of a variable."""
        assert self.head == "var" and isinstance(self.data, tuple)
        return self.data[0]

    @property
    def properties(self) -> tuple[str, ...]:
        """The declared properties of a variable."""
        return self.data[1] if self.head == "var" and isinstance(self.data, tuple) else ()

    @property
    def value(self) -> Fraction:
        """The value of a number."""
        assert self.head == "num" and isinstance(self.data, Fraction)
        return self.data

    @property
    def atom(self) -> Atom:
        """The size that a size node stands for."""
        assert self.head == "size" and isinstance(self.data, (str, int, Unknown))
        return self.data

    @property
    def T(self) -> Expr:
        return transpose(self)

    def __str__(self) -> str:
        from .printing.text import text

        return text(self)

    def __repr__(self) -> str:
        return f"<{self} : {show_shape(self.shape_)}>"

    def __add__(self, other: object) -> Expr:
        return add(self, as_expr(other))

    def __radd__(self, other: object) -> Expr:
        return add(as_expr(other), self)

    def __sub__(self, other: object) -> Expr:
        return add(self, neg(as_expr(other)))

    def __rsub__(self, other: object) -> Expr:
        return add(as_expr(other), neg(self))

    def __neg__(self) -> Expr:
        return neg(self)

    def __matmul__(self, other: object) -> Expr:
        return product(self, as_expr(other))

    def __rmatmul__(self, other: object) -> Expr:
        return product(as_expr(other), self)

    def __mul__(self, other: object) -> Expr:
        return product(self, as_expr(other))

    def __rmul__(self, other: object) -> Expr:
        return product(as_expr(other), self)

    def __truediv__(self, other: object) -> Expr:
        return divide(self, as_expr(other))

    def __rtruediv__(self, other: object) -> Expr:
        return divide(as_expr(other), self)

    def __pow__(self, exponent: object) -> Expr:
        return power(self, as_expr(exponent))

    def compile(self, target: str = "numpy") -> Callable[..., object]:
        """A function of the variables, by keyword, that evaluates this expression; its ``.source`` is the code."""
        from .codegen import compile_expr

        return compile_expr(self, target)

    def latex(self) -> str:
        """The expression in LaTeX."""
        from .printing.latex import latex

        return latex(self)


_NO_FUNCTIONS: frozenset[str] = frozenset()
_nodes: weakref.WeakValueDictionary[tuple[object, ...], Expr] = weakref.WeakValueDictionary()


def _node(head: str, args: tuple[Expr, ...], data: Data, shape: Shape) -> Expr:
    key = (head, args, data, shape)
    found = _nodes.get(key)
    if found is not None:
        return found
    self = object.__new__(Expr)
    self.head, self.args, self.data, self.shape_ = head, args, data, shape
    self.count = _count(head, args)
    self.unsettled = any(a.unsettled for a in args) or any(isinstance(a, Unknown) for size in shape for a in size) or isinstance(data, Unknown)
    self.functions = _functions(head, args)
    self.transposes = sum(a.transposes for a in args) + (head == "T")
    marks: tuple[str, ...] = () if head in ("matmul", "times", "T") else (str(data[0] if isinstance(data, tuple) else head if data is None else data),)
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
        return inside + len(args) - 1 - (head == "times" and args[0].head == "num" and args[0].data == -1) * 2
    if head == "pow":
        return inside + (0 if args[1].head == "num" and args[1].data == -1 else 1)
    return inside + {"ones": 2, "eye": 2, "zeros": 2, "commutation": 3}.get(head, 1)


# ---- leaves -----------------------------------------------------------------------------------------------------------


def var(name: str, shape: Shape = SCALAR, properties: Iterable[str] = ()) -> Expr:
    """A variable; its properties are kept sorted."""
    return _node("var", (), (name, tuple(sorted(properties))), shape)


def num(value: int | Fraction) -> Expr:
    """A rational number."""
    return _node("num", (), Fraction(value), SCALAR)


def size_number(size: Size) -> Expr:
    """The length of an axis, as a number."""
    return times(*(num(a) if isinstance(a, int) else _node("size", (), a, SCALAR) for a in size))


def ones(shape: Shape) -> Expr:
    """All ones; the number 1 when there are no axes."""
    return ONE if shape == SCALAR else _node("ones", (), None, shape)


def zeros(shape: Shape) -> Expr:
    """All zeros; the number 0 when there are no axes."""
    return ZERO if shape == SCALAR else _node("zeros", (), None, shape)


def eye(size: Size) -> Expr:
    """The identity matrix."""
    return _node("eye", (), None, (size, size)) if size else ONE


def commutation(rows: Size, cols: Size) -> Expr:
    """The matrix K(m,n) for which K(m,n)*vec(X) = vec(X'), for X m×n."""
    return _node("commutation", (), None, (rows + cols, cols + rows))


ONE, ZERO, MINUS_ONE, TWO = num(1), num(0), num(-1), num(2)


def as_expr(value: object) -> Expr:
    """A Python number or an expression as an expression."""
    if isinstance(value, Expr):
        return value
    if isinstance(value, (int, Fraction)) and not isinstance(value, bool):
        return num(value)
    if isinstance(value, float) and value == value and abs(value) != float("inf"):
        return num(Fraction(repr(value)))
    raise TypeError(f"a matcalc expression or a finite number is needed, not {value!r}")


# ---- sums -------------------------------------------------------------------------------------------------------------


def split(e: Expr) -> tuple[Fraction, Expr]:
    """The numeric coefficient of a term, and the rest."""
    if e.head == "num":
        return e.value, ONE
    if e.head == "times" and e.args[0].head == "num":
        return e.args[0].value, e.args[1] if len(e.args) == 2 else _node("times", e.args[1:], None, e.shape_)
    return Fraction(1), e


def scaled(coefficient: Fraction, e: Expr) -> Expr:
    """A number times an expression."""
    return e if coefficient == 1 else times(num(coefficient), e)


def neg(e: Expr) -> Expr:
    return times(MINUS_ONE, e)


def broadcast(shapes: Iterable[Shape]) -> Shape:
    """The shape that scalars, rows and equal shapes are added to."""
    out = SCALAR
    for shape in shapes:
        if shape in (SCALAR, out):
            continue
        if out == SCALAR:
            out = shape
            continue
        row_below = shape[0] == UNIT != out[0] and out[1] != UNIT
        row_above = out[0] == UNIT != shape[0] and shape[1] != UNIT
        fits = unify(out[1], shape[1]) and (row_below or row_above or unify(out[0], shape[0]))
        if not fits:
            raise ShapeProblem(f"cannot add {show_shape(out)} and {show_shape(shape)}", _add_hint(out, shape))
        out = shape if row_above else out
    return out


def _add_hint(a: Shape, b: Shape) -> str:
    if same(a[0], b[1]) and same(a[1], b[0]):
        return "did you mean to transpose one of them?"
    if UNIT in (a[1], b[1]) and same(a[0], b[0]):
        return "a column is added to every column by writing v*ones(n)'"
    return ""


def _terms(args: Iterable[Expr]) -> Iterator[tuple[Fraction, Expr]]:
    for arg in args:
        coefficient, core = split(arg)
        if core.head == "add":
            for k, inner in map(split, core.args):
                yield coefficient * k, inner
        else:
            yield coefficient, core


def add(*args: Expr) -> Expr:
    """The sum, with like terms collected; a scalar is added to every entry, a row to every row."""
    if len(args) == 1:
        return args[0]
    shape = broadcast(a.shape_ for a in args)
    total: dict[Expr, Fraction] = {}
    for coefficient, core in _terms(args):
        if core.head != "zeros":
            total[core] = total.get(core, Fraction(0)) + coefficient
    full = ones(shape)
    if full is not ONE and full in total and any(c.shape_ == shape and k for c, k in total.items() if c is not full):
        total[ONE] = total.get(ONE, Fraction(0)) + total.pop(full)
    parts = [scaled(k, core) for core, k in total.items() if k]
    if not parts:
        return zeros(shape)
    if all(p.shape_ != shape for p in parts):
        if len(parts) == 1:
            return spread(parts[0], shape)
        parts = [spread(p, shape) if p is parts[0] else p for p in parts]
    if len(parts) == 1:
        return parts[0]
    if shape[0] == UNIT != shape[1]:
        return transpose(add(*map(transpose, parts)))
    parts.sort(key=_sum_order)
    return _balanced(_node("add", tuple(parts), None, shape))


def _sum_order(term: Expr) -> tuple[object, ...]:
    coefficient, core = split(term)
    return (core is ONE, core.transposes - core.count, core.order[1], core.order[2], coefficient)


def spread(e: Expr, shape: Shape) -> Expr:
    """A scalar, or a row, repeated to fill a shape."""
    if e.shape_ == shape:
        return e
    return times(e, ones(shape)) if e.is_scalar else matmul(ones((shape[0], UNIT)), e)


def _balanced(e: Expr) -> Expr:
    """A sum or entry-by-entry product whose parts are mostly transposed is the transpose of the plain one."""
    if e.transposes == 0 or e.count > TRANSPOSE_LIMIT or UNIT in e.shape_ or _repeats_rows(e):
        return e
    inside = [transpose(a) for a in e.args]
    if sum(a.transposes for a in inside) + 1 < e.transposes:
        flipped = sorted(inside, key=_sum_order if e.head == "add" else _times_order)
        return _node("T", (_node(e.head, tuple(flipped), None, e.shape_[::-1]),), None, e.shape_)
    return e


def _repeats_rows(e: Expr) -> bool:
    """A sum in which a row is added to every row: its transpose cannot be written part by part."""
    return any(a.shape_ not in (e.shape_, SCALAR) for a in e.args)


# ---- commutative products ---------------------------------------------------------------------------------------------


def _times_order(e: Expr) -> tuple[object, ...]:
    return (not e.is_scalar, *e.order)


def times(*args: Expr) -> Expr:
    """The commutative product: scalars, and matrices of one shape entry by entry; equal bases merge their powers."""
    coefficient, shape = Fraction(1), SCALAR
    powers: dict[Expr, Expr] = {}
    queue = list(reversed(args))
    while queue:
        e = queue.pop()
        if e.head == "num":
            coefficient *= e.value
            continue
        if not e.is_scalar and e.shape_ != shape:
            if shape != SCALAR:
                if not (unify(shape[0], e.shape_[0]) and unify(shape[1], e.shape_[1])):
                    raise ShapeProblem(f"entry-by-entry product of {show_shape(shape)} and {show_shape(e.shape_)}", "the shapes must be equal")
            shape = e.shape_
        if e.head == "times":
            queue += reversed(e.args)
        elif len(args) > 1 and _all_negative(e):
            queue += (_flipped(e), MINUS_ONE)
        elif e.head == "zeros":
            coefficient = Fraction(0)
        elif e.head != "ones":
            base, exponent = e.args if e.head == "pow" else (e, ONE)
            powers[base] = add(powers[base], exponent) if base in powers else exponent
    if coefficient == 0:
        return zeros(shape)
    parts = [pow_(base, exponent) for base, exponent in powers.items() if exponent is not ZERO]
    if any(p.head in ("num", "times") for p in parts):
        return times(num(coefficient), ones(shape), *parts)
    return _times_node(coefficient, parts, shape)


def _times_node(coefficient: Fraction, parts: list[Expr], shape: Shape) -> Expr:
    if shape != SCALAR and all(p.is_scalar for p in parts):
        parts.append(ones(shape))
    arrays = [p for p in parts if not p.is_scalar]
    if shape[0] == UNIT != shape[1] and any(a.head != "ones" for a in arrays):
        scalars = [p for p in parts if p.is_scalar]
        row = transpose(times(*map(transpose, arrays)))
        parts = [*scalars, row]
    elif len(arrays) > 1:
        parts = [p for p in parts if p.is_scalar] + _hadamard(arrays, shape)
    parts.sort(key=_times_order)
    if coefficient != 1 or not parts:
        if len(parts) == 1 and parts[0].head == "add" and coefficient == -1:
            return _flipped(parts[0])
        parts.insert(0, num(coefficient))
    return parts[0] if len(parts) == 1 else _node("times", tuple(parts), None, shape)


def _hadamard(arrays: list[Expr], shape: Shape) -> list[Expr]:
    """The factors, or one transposed factor where that takes fewer transposes."""
    arrays.sort(key=_times_order)
    whole = _balanced(_node("times", tuple(arrays), None, shape))
    return [whole] if whole.head == "T" else arrays


def pow_(base: Expr, exponent: Expr) -> Expr:
    """Entry-by-entry power with a scalar exponent (or one of the same shape)."""
    if exponent.head == "num":
        k = exponent.value
        if k == 1:
            return base
        if k == 0:
            return ones(base.shape_)
        if base.head in ("ones", "zeros") and k > 0:
            return base
        if base.head == "num":
            return _number_power(base.value, k)
        whole = k.denominator == 1
        if base.head == "times" and (whole or base.args[0].head != "num"):
            if whole:
                return times(*(pow_(a, exponent) for a in base.args))
        if base.head == "pow" and base.args[1].head == "num" and whole:
            return pow_(base.args[0], num(base.args[1].value * k))
        if base.head == "add" and whole and k % 2 == 0 and split(base.args[0])[0] < 0:
            return pow_(neg(base), exponent)
    if not exponent.is_scalar and base.is_scalar:
        base = times(base, ones(exponent.shape_))
    if not exponent.is_scalar:
        times(base, exponent)  # the shapes must be equal
    if base.head == "T" and exponent.is_scalar:
        return transpose(pow_(base.args[0], exponent))
    return _node("pow", (base, exponent), None, base.shape_)


def _number_power(base: Fraction, k: Fraction) -> Expr:
    if base == 0 and k < 0:
        raise ShapeProblem("division by zero")
    if k.denominator == 1:
        bits = max(base.numerator.bit_length(), base.denominator.bit_length()) * abs(k)
        if bits > 4096:
            raise LimitProblem(f"the power {base}^{k} is too large".replace("/1", "")[:60], "numbers stay below 2^4096")
        return num(base ** int(k))
    return _node("pow", (num(base), num(k)), None, SCALAR)


# ---- matrix products and transposes ------------------------------------------------------------------------------------


def matmul(*args: Expr) -> Expr:
    """The matrix product of any number of factors, scalars among them."""
    scalars: list[Expr] = []
    chain: list[Expr] = []
    stack = list(reversed(args))
    while stack:
        e = stack.pop()
        if e.is_scalar:
            scalars.append(e)
        elif e.head == "matmul":
            stack += reversed(e.args)
        elif e.head == "times" and e.args[0].is_scalar:
            scalars += (a for a in e.args if a.is_scalar)
            stack.append(times(*(a for a in e.args if not a.is_scalar)))
        else:
            negative = _all_negative(e)
            scalars += [MINUS_ONE] * negative
            chain.append(_flipped(e) if negative else e)
    if not chain:
        return times(*scalars)
    for a, b in zip(chain, chain[1:], strict=False):
        check_product(a, b)
    shape = (chain[0].shape_[0], chain[-1].shape_[1])
    if any(e.head == "zeros" for e in chain):
        return times(*scalars, zeros(shape))
    segments, start = [], 0
    for i in range(1, len(chain) + 1):
        if i == len(chain) or chain[i].shape_[0] == UNIT:
            segments.append(_absorb(chain[start:i]))
            start = i
    pieces: list[Expr] = []
    for segment in segments:
        closed = segment[0].shape_[0] == UNIT == segment[-1].shape_[1]
        (scalars if closed else pieces).append(_inner(segment)) if closed else pieces.extend(segment)
    if not pieces:
        return times(*scalars)
    joined = _outer_of_ones(pieces)
    body = joined[0] if len(joined) == 1 else _node("matmul", tuple(joined), None, (joined[0].shape_[0], joined[-1].shape_[1]))
    return times(*scalars, body) if scalars else body


def _all_negative(e: Expr) -> bool:
    return e.head == "add" and all(split(a)[0] < 0 for a in e.args)


def _flipped(e: Expr) -> Expr:
    """A sum with every sign changed."""
    return add(*(neg(a) for a in e.args))


def check_product(a: Expr, b: Expr) -> None:
    """Raise ShapeProblem unless the columns of a are the rows of b."""
    if not unify(a.shape_[1], b.shape_[0]):
        raise ShapeProblem(f"{_brief(a)}: {show_shape(a.shape_)} times {_brief(b)}: {show_shape(b.shape_)}", _product_hint(a, b))


def _brief(e: Expr) -> str:
    return str(e) if e.count < 12 else f"a {e.head} expression"


def _product_hint(a: Expr, b: Expr) -> str:
    (r, c), (p, q) = a.shape_, b.shape_
    x, y = (f"({s})" if e.head in ("add", "times", "matmul") else s for e, s in ((a, _brief(a)), (b, _brief(b))))
    if c == UNIT == q and same(r, p):
        return f"did you mean {x}'*{y}, {x}*{y}' or {x}.*{y}?"
    if same(r, p):
        return f"did you mean {x}'*{y}?"
    if same(c, q):
        return f"did you mean {x}*{y}'?"
    if same(r, q):
        return f"did you mean {y}*{x}?"
    return "the inner sizes must agree"


def _absorb(segment: list[Expr]) -> list[Expr]:
    """Drop identities; a diagonal matrix beside a vector is an entry-by-entry product."""
    chain = [e for e in segment if e.head != "eye"] or segment[:1]
    changed = True
    while changed and len(chain) > 1:
        changed = False
        for i, e in enumerate(chain):
            if e.head != "diag":
                continue
            if i + 1 < len(chain) and chain[i + 1].shape_[1] == UNIT:
                chain[i : i + 2] = [times(e.args[0], chain[i + 1])]
            elif i and chain[i - 1].shape_[0] == UNIT:
                chain[i - 1 : i + 1] = [transpose(times(e.args[0], transpose(chain[i - 1])))]
            elif i + 1 < len(chain) and chain[i + 1].head == "diag":
                chain[i : i + 2] = [call("diag", times(e.args[0], chain[i + 1].args[0]))]
            else:
                continue
            changed = True
            break
    return chain


def _inner(segment: list[Expr]) -> Expr:
    """A product that is a number, read in the better of its two directions."""
    first, last = segment[0], segment[-1]
    if len(segment) == 1:
        return first
    if first.head == "ones" and last.head == "ones" and len(segment) == 2:
        return size_number(last.shape_[0])
    if first.head == "ones":
        return call("sum", matmul(*segment[1:-1]) if last.head == "ones" else matmul(*segment[1:]))
    if last.head == "ones":
        return call("sum", matmul(*segment[:-1]))
    flipped = [transpose(e) for e in reversed(segment)]
    best = min(segment, flipped, key=lambda chain: (sum(e.transposes for e in chain), [e.order for e in chain]))
    return _node("matmul", tuple(best), None, SCALAR)


def _outer_of_ones(chain: list[Expr]) -> list[Expr]:
    """``ones(m)*ones(n)'`` is ``ones(m,n)``."""
    for i in range(len(chain) - 1):
        a, b = chain[i : i + 2]
        if a.head == "ones" == b.head and a.shape_[1] == UNIT:
            return [*chain[:i], ones((a.shape_[0], b.shape_[1])), *chain[i + 2 :]]
    return chain


def transpose(e: Expr) -> Expr:
    """The transpose, pushed through products to the leaves."""
    if e.is_scalar:
        return e
    if e.head == "T":
        return e.args[0]
    if e.head in ("eye", "diag") or SELF_TRANSPOSED.intersection(e.properties):
        return e
    flipped = e.shape_[::-1]
    if e.head == "ones":
        return ones(flipped)
    if e.head == "commutation":
        return commutation((e.shape_[1][0],), (e.shape_[1][1],)) if len(e.shape_[0]) == 2 else _node("T", (e,), None, flipped)
    if e.head == "kron":
        return call("kron", *map(transpose, e.args))
    if e.head == "zeros":
        return zeros(flipped)
    if e.head == "matmul":
        return _node("matmul", tuple(map(transpose, reversed(e.args))), None, flipped)
    if e.head == "times" and e.args[0].is_scalar:
        return times(*(a if a.is_scalar else _bare(e) for a in (*[a for a in e.args if a.is_scalar],)), transpose(_bare(e)))
    if e.head in ("add", "times") and e.count <= TRANSPOSE_LIMIT and UNIT not in e.shape_ and not _repeats_rows(e):
        return _transposed_parts(e)
    if _commutes(e) and e.args[0].count <= TRANSPOSE_LIMIT and transpose(e.args[0]) is e.args[0]:
        return e
    return _node("T", (e,), None, flipped)


def _bare(e: Expr) -> Expr:
    """A product without its scalar factors."""
    arrays = tuple(a for a in e.args if not a.is_scalar)
    return arrays[0] if len(arrays) == 1 else _node("times", arrays, None, e.shape_)


def _transposed_parts(e: Expr) -> Expr:
    """The transpose of a sum or an entry-by-entry product: inside or outside, whichever has fewer transposes."""
    order = _sum_order if e.head == "add" else _times_order
    inside = _node(e.head, tuple(sorted(map(transpose, e.args), key=order)), None, e.shape_[::-1])
    return inside if inside is e or inside.transposes <= e.transposes else _node("T", (e,), None, e.shape_[::-1])


def _commutes(e: Expr) -> bool:
    return e.head == "pow" or (e.head in BY_NAME and BY_NAME[e.head].transpose == "commutes")


# ---- the operators of the language --------------------------------------------------------------------------------------


def product(a: Expr, b: Expr) -> Expr:
    """``*``: the matrix product, or a scalar times anything."""
    return times(a, b) if a.is_scalar or b.is_scalar else matmul(a, b)


def divide(a: Expr, b: Expr) -> Expr:
    """``/``: division by a scalar."""
    if not b.is_scalar:
        raise ShapeProblem(f"division by {_brief(b)}: {show_shape(b.shape_)}", "use ./ for entries or inv() for matrices")
    return times(a, pow_(b, MINUS_ONE))


def power(base: Expr, exponent: Expr) -> Expr:
    """``^``: a power of a scalar, or an integer power of a square matrix."""
    if base.is_scalar and exponent.is_scalar:
        return pow_(base, exponent)
    if not exponent.is_scalar:
        raise ShapeProblem(f"the exponent {_brief(exponent)} is not a scalar", "A' is the transpose, .^ the entry-by-entry power")
    if base.shape_[1] == UNIT or base.shape_[0] == UNIT:
        raise ShapeProblem(f"{_brief(base)} is a vector and has no power", "use .^ for the power of each entry")
    if exponent.head != "num" or exponent.value.denominator != 1:
        raise ShapeProblem("a matrix power needs an integer exponent", "use .^ for the power of each entry")
    k = int(exponent.value)
    if not unify(*base.shape_):
        raise ShapeProblem(f"power of {_brief(base)}: {show_shape(base.shape_)}", "only a square matrix has powers")
    if abs(k) > MAX_EXPONENT or abs(k) * base.count > MAX_FACTORS:
        raise LimitProblem(f"the power ^{k} would write out {abs(k) * base.count} nodes", f"the limit is {MAX_FACTORS}, and ^{MAX_EXPONENT}")
    if k == 0:
        return eye(base.shape_[0])
    return matmul(*[base if k > 0 else call("inv", base)] * abs(k))


# ---- calls of functions -----------------------------------------------------------------------------------------------


def call(name: str, *args: Expr) -> Expr:
    """A function of the table applied to arguments.

    Raises NameProblem for a name or a number of arguments that the table does not have, ShapeProblem for a wrong shape.
    """
    row = BY_NAME.get(name)
    if row is None:
        raise NameProblem(f"unknown function '{name}'")
    if len(args) != row.arity:
        raise NameProblem(f"{row.name} takes {row.arity} argument{'s' * (row.arity > 1)}, not {len(args)}")
    x = args[0]
    if row.name == "diag":
        if x.shape_[0] == UNIT != x.shape_[1]:
            x = transpose(x)
        if x.shape_[1] != UNIT:
            return call("diagonal", x)
        args = (x,)
    if row.square and not unify(*x.shape_):
        raise ShapeProblem(f"{row.name}({_brief(x)}) of {show_shape(x.shape_)}", f"{row.name} needs a square matrix")
    if row.vector and UNIT not in x.shape_:
        raise ShapeProblem(f"{row.name}({_brief(x)}) of {show_shape(x.shape_)} is ambiguous", f"write {row.name}_rows({_brief(x)}) for each row")
    known = _known_value(row, args)
    return known if known is not None else _function_node(row, args)


def _function_node(row: Row, args: tuple[Expr, ...]) -> Expr:
    x = args[0]
    if row.transpose and x.shape_[1] != UNIT and x.count <= TRANSPOSE_LIMIT:
        flipped = transpose(x)
        if flipped is not x and (x.head == "T" or flipped.transposes < x.transposes):
            plain = call(row.name, flipped)
            return plain if row.transpose == "invariant" else transpose(plain)
    if row.name == "tr" and x.head == "matmul":
        return _cycle(x)
    return _node(row.name, args, None, result_shape(row, args))


def _cycle(product: Expr) -> Expr:
    """The trace of a product, which may begin anywhere and run backwards: the way with the fewest transposes."""
    chain = product.args
    for i, e in enumerate(chain):
        if e.shape_[0] == UNIT:
            return matmul(*chain[i:], *chain[:i])
    turns = [chain[i:] + chain[:i] for i in range(len(chain))]
    turns += [tuple(transpose(e) for e in reversed(turn)) for turn in turns]
    best = min(turns, key=lambda turn: (sum(e.transposes for e in turn), [e.order for e in turn]))
    return _node("tr", (_node("matmul", best, None, (best[0].shape_[0], best[-1].shape_[1])),), None, SCALAR)


def _sum_of_product(chain: tuple[Expr, ...]) -> Expr | None:
    """sum(1'*A) and sum(A*1) are sum(A); sum(u*v') is sum(u)*sum(v)."""
    for i in range(1, len(chain)):
        if chain[i].shape_[0] == UNIT:
            return times(call("sum", matmul(*chain[:i])), call("sum", matmul(*chain[i:])))
    if chain[0].head == "ones":
        return times(size_number(chain[0].shape_[0]), call("sum", matmul(*chain[1:])))
    if chain[-1].head == "ones":
        return times(size_number(chain[-1].shape_[1]), call("sum", matmul(*chain[:-1])))
    return None


def _known_value(row: Row, args: tuple[Expr, ...]) -> Expr | None:
    """Values that need no function: a function of a 1×1 matrix or of ones, the diagonal of a diagonal matrix."""
    x = args[0]
    if x.is_scalar and row.name in ("tr", "sum", "det", "diag", "diagonal", "vec"):
        return x
    if x.is_scalar and row.name == "inv":
        return pow_(x, MINUS_ONE)
    if row.name == "sum" and x.head == "ones":
        return times(size_number(x.shape_[0]), size_number(x.shape_[1]))
    if row.name == "sum" and x.head == "matmul":
        return _sum_of_product(x.args)
    if row.name == "tr" and x.head == "eye":
        return size_number(x.shape_[0])
    if row.name == "diagonal" and x.head == "diag":
        return x.args[0]
    if row.name == "diagonal" and x.head == "eye":
        return ones((x.shape_[0], UNIT))
    if row.name == "kron" and x.head == "eye" == args[1].head:
        return eye(x.shape_[0] + args[1].shape_[0])
    if row.name == "vec" and x.shape_[1] == UNIT:
        return x
    if row.name == "diag" and x.head == "ones":
        return eye(x.shape_[0])
    if row.name in ("tr", "sum", "diagonal") and x.head == "times" and x.args[0].is_scalar:
        return times(*(a for a in x.args if a.is_scalar), call(row.name, _bare(x)))
    return zeros(result_shape(row, (x,))) if row.define and x.head == "zeros" and row.arity == 1 else None


def signature_axes(row: Row) -> tuple[list[list[str]], list[str]]:
    """The letters of each axis: ``ij,kl->(ik)(jl)`` gives [["i", "j"], ["k", "l"]] and ["ik", "jl"]."""
    inputs, output = row.signature.split("->")

    def axes(side: str) -> list[str]:
        out: list[str] = []
        while side:
            stop = side.index(")") if side[0] == "(" else 0
            out.append(side[1:stop] if stop else side[0])
            side = side[stop + 1 :]
        return out

    return [axes(side) for side in inputs.split(",")], axes(output)


def letter_sizes(row: Row, args: tuple[Expr, ...]) -> dict[str, Size]:
    """The size that each letter of the signature has in a call; letters that meet twice are unified."""
    sizes: dict[str, Size] = {"1": UNIT}
    for letters, arg in zip(signature_axes(row)[0], args, strict=True):
        for letter, size in zip(letters, arg.shape_, strict=True):
            if letter in sizes and not unify(sizes[letter], size):
                raise ShapeProblem(f"{row.name}({_brief(arg)}) of {show_shape(arg.shape_)}")
            sizes[letter] = resolve(size)
    return sizes


def result_shape(row: Row, args: tuple[Expr, ...]) -> Shape:
    """The shape of a call, from the signature."""
    sizes = letter_sizes(row, args)
    rows, cols = (tuple(a for letter in axis for a in sizes[letter]) for axis in signature_axes(row)[1])
    return rows, cols


# ---- walking ------------------------------------------------------------------------------------------------------------


def postorder(*roots: Expr, skip: Callable[[Expr], bool] | None = None) -> list[Expr]:
    """Every node once, arguments before the nodes that use them; no recursion, whatever the depth.

    Nodes for which ``skip`` holds are left out, and so is what only they use.
    """
    done: dict[Expr, None] = {}
    stack: list[tuple[Expr, bool]] = [(r, False) for r in reversed(roots)]
    while stack:
        e, ready = stack.pop()
        if e in done or (skip is not None and skip(e)):
            continue
        if ready or not e.args:
            done[e] = None
        else:
            stack.append((e, True))
            stack += [(a, False) for a in reversed(e.args) if a not in done]
    return list(done)


def variables(*roots: Expr) -> list[Expr]:
    """The variables, in the order in which they are first met."""
    return [e for e in postorder(*roots) if e.head == "var"]


def rebuild(e: Expr, args: tuple[Expr, ...]) -> Expr:
    """The same operation on other arguments, in normal form."""
    if e.head == "add":
        out = add(*args)
        return spread(out, e.shape_) if e.shape_ != out.shape_ and not e.unsettled else out
    if e.head in _BUILD:
        return _BUILD[e.head](*args)
    return call(e.head, *args) if e.head in BY_NAME else e


_BUILD: dict[str, Callable[..., Expr]] = {"times": times, "matmul": matmul, "T": transpose, "pow": pow_}


def substitute(e: Expr, leaf: Callable[[Expr], Expr], skip: Callable[[Expr], bool] | None = None) -> Expr:
    """Replace every leaf and rebuild what stands above it; nodes for which ``skip`` holds stay as they are."""
    new: dict[Expr, Expr] = {}
    for node in postorder(e, skip=skip):
        new[node] = leaf(node) if not node.args else rebuild(node, tuple(new.get(a, a) for a in node.args))
    return new.get(e, e)
