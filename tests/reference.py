"""The plain translation to NumPy: node by node, nothing rearranged.

The reference that plans are compared with in the tests.

Vectors are 1-D arrays, rows and columns alike; scalars are numbers. Products are ordered so that
matrices meet vectors first; a diagonal matrix is a scaling.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from matcalc.codegen.write.excerpts import excerpts
from matcalc.codegen.write.source import (
    ATOM,
    POWER,
    PRODUCT,
    SIGN,
    SUM,
    Code,
    Source,
    number,
    size_text,
)
from matcalc.expr import Expr, postorder, split, variables
from matcalc.expr.parts import range_of
from matcalc.expr.sizes import UNIT, Size, Sum, base_atoms
from matcalc.labels.bag import Factor, Term
from matcalc.labels.index_form import IndexForm, subscripts
from matcalc.labels.roots import Root, parts
from matcalc.tables.functions import BY_NAME

DEEPEST = 12  # nesting of brackets in one line of code
LONGEST = 40  # terms or factors in one line of code

NAMES = re.compile(r"(?<![\w.])\w+")  # no attributes
RESERVED = frozenset({"np", "dtype", "len"})  # names that the code itself uses
HELPERS = excerpts("common") | excerpts("plain")


@dataclass
class _Writer:
    names: dict[object, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    codes: dict[Expr, Code] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    uses_dtype: bool = False

    def fresh(self, wish: str) -> str:
        """A name that nothing else has: the wish, or with a number; t6 in place of t5."""
        name, i = wish, 1
        is_temporary = re.fullmatch(r"t\d+", wish) is not None
        while self._is_taken(name):
            name = f"t{int(wish[1:]) + i}" if is_temporary else f"{wish}_{i}"
            i += 1
        self.taken.add(name)
        return name

    def _is_taken(self, name: str) -> bool:
        return name in self.taken or keyword.iskeyword(name) or name in HELPERS or name in RESERVED

    def size(self, size: Size) -> str:
        return size_text(size, lambda a: self.names[a])


def emit(roots: Root | tuple[Root, ...], name: str = "f", known: Iterable[Expr] = ()) -> Source:
    """The source of a function of the variables of ``roots`` (and of ``known``), in alphabetical
    order.

    Several roots give a function that returns a tuple, with the parts they share computed once.
    """
    several = isinstance(roots, tuple)
    roots = roots if isinstance(roots, tuple) else (roots,)
    w = _Writer()
    evaluated = parts(*roots)
    used = sorted({*variables(*evaluated), *known}, key=lambda v: v.name)
    for v in used:
        w.names[v] = w.fresh(v.name)
    order = postorder(*evaluated)
    shown = _size_sources(used, w)
    mentioned = _mentioned(order, roots)
    hidden = _bind_sizes(mentioned, shown, w)
    uses = _use_counts(order, evaluated)
    for node in order:
        w.codes[node] = _line(node, _code(node, w), uses[node], w)
    values = [w.codes[r].text if isinstance(r, Expr) else _einsum(r, w) for r in roots]
    result = ", ".join(values) + "," * (several and len(roots) == 1)
    if w.uses_dtype:
        w.lines.insert(0, f"dtype = {_dtype(used, w)}")
    parameters = {w.names[v]: v.name for v in used} | {w.names[a]: a for a in hidden}
    signature = f"def {name}({', '.join(parameters)}):"
    lines = [*_size_lines(mentioned, shown, w), *w.lines, f"return {result}"]
    text = _module(signature, lines)
    return Source(text, name, parameters, roots, tuple(used), tuple(hidden))


def _module(signature: str, lines: list[str]) -> str:
    """The function with those that it calls, and what they import."""
    body = [f"    {line}" for line in lines]
    helpers, names = HELPERS.needed(NAMES.findall("\n".join(body)))
    imports = [line for name, line in HELPERS.imports.items() if name in names]
    functions = "".join(f"{helper}\n\n\n" for helper in helpers)
    head = "\n".join(["import numpy as np", *imports])
    return "\n".join([f"{head}\n\n\n{functions}{signature}", *body, ""])


def _dtype(used: list[Expr], w: _Writer) -> str:
    """The type of the arrays; of numbers alone, double precision for those of Python."""
    if not used:
        return "np.float64"
    numbers_only = all(v.is_scalar for v in used)
    names = [f"np.asarray({w.names[v]})" if numbers_only else w.names[v] for v in used]
    return f"np.result_type({', '.join([*names, 'np.float16'])})"


def _size_sources(used: Iterable[Expr], w: _Writer) -> dict[str, str]:
    """Where each named size can be read from."""
    shown: dict[str, str] = {}
    for v in used:
        rows, cols = v.shape_
        axes = [size for size in (rows, cols) if size]
        for i, size in enumerate(axes):
            if len(size) == 1 and isinstance(size[0], str) and not isinstance(size[0], Sum):
                shown.setdefault(
                    size[0], f"{w.names[v]}.shape[{i}]" if len(axes) > 1 else f"len({w.names[v]})"
                )
    return shown


def _bind_sizes(mentioned: Iterable[str], shown: Mapping[str, str], w: _Writer) -> list[str]:
    """Name the sizes that the code mentions; the ones that no argument shows become parameters."""
    hidden: list[str] = []
    for atom in mentioned:
        w.names[atom] = w.fresh(atom)
        if atom not in shown:
            hidden.append(atom)
    return hidden


def _mentioned(order: Iterable[Expr], roots: Iterable[Root]) -> list[str]:
    """The named sizes that the code needs."""
    sizes = [size for node in order for size in _sizes_of_node(node)]
    for r in roots:
        if not isinstance(r, Expr):
            sizes += _sizes_of_form(r)
    atoms = [a for size in sizes for a in base_atoms(size)]
    return list(dict.fromkeys(a for a in atoms if isinstance(a, str)))


def _sizes_of_node(node: Expr) -> list[Size]:
    """The sizes that the code of a node names."""
    if node.head in ("ones", "zeros", "eye", "part", "shifts", "commutation"):
        index = [(node.data,)] if isinstance(node.data, Sum) else []
        return [*node.shape_, *index]
    if node.head == "kron":
        return [size for a in node.args for size in a.shape_]
    return [(node.atom,)] if node.head == "size" else []


def _sizes_of_form(form: IndexForm) -> list[Size]:
    """The sizes that the code of an index form names."""
    if not form.bag.terms:
        return list(form.axes)
    if not _needs_reshape(form):
        return []
    labels = [i for t in form.bag.terms for f in t.factors for i in f.labels]
    return [*((i.size,) for i in labels), *form.axes]


def _needs_reshape(form: IndexForm) -> bool:
    """Whether an axis is a product of axes, in the result or in a factor."""
    return any(len(size) > 1 for size in form.axes) or any(
        len(size) > 1 for e in form.factors for size in e.shape_
    )


def _size_lines(mentioned: Iterable[str], shown: Mapping[str, str], w: _Writer) -> list[str]:
    return [f"{w.names[a]} = {shown[a]}" for a in mentioned if a in shown]


def _einsum(form: IndexForm, w: _Writer) -> str:
    """An index form as a sum of einsums."""
    if not form.bag.terms:
        w.uses_dtype = bool(form.axes)
        return f"np.zeros(({_lengths(form, w)},), dtype=dtype)" if form.axes else "0"
    total = " + ".join(_einsum_term(form, t, w) for t in form.bag.terms).replace("+ -", "- ")
    return (
        f"({total}).reshape({_lengths(form, w)})"
        if any(len(size) > 1 for size in form.axes)
        else total
    )


def _lengths(form: IndexForm, w: _Writer) -> str:
    return ", ".join(w.size(size) for size in form.axes)


def _einsum_term(form: IndexForm, t: Term, w: _Writer) -> str:
    scalars = [w.codes[f.expr].at(SIGN) for f in t.factors if not f.labels]
    arrays = [_array(f, w) for f in t.factors if f.labels]
    factor = [] if abs(t.coefficient) == 1 else [number(abs(t.coefficient))]
    sign = "-" if t.coefficient < 0 else ""
    if not arrays:
        return sign + ("*".join([*factor, *scalars]) or "1")
    optimize = ", optimize=True" if len(arrays) > 2 else ""
    return sign + "*".join(
        [*factor, *scalars, f"np.einsum('{subscripts(form, t)}', {', '.join(arrays)}{optimize})"]
    )


def _array(f: Factor, w: _Writer) -> str:
    """A factor with one axis for each label."""
    text = w.codes[f.expr].text
    if any(len(size) > 1 for size in f.expr.shape_):
        return f"np.reshape({text}, ({', '.join(w.size((i.size,)) for i in f.labels)}))"
    return text


def _use_counts(order: list[Expr], roots: Iterable[Expr]) -> dict[Expr, int]:
    uses = dict.fromkeys(order, 0)
    for root in roots:
        uses[root] += 1
    for node in order:
        for a in node.args:
            uses[a] += 1
    return uses


def _line(node: Expr, code: Code, uses: int, w: _Writer) -> Code:
    """Keep a node inline, or give it a line of its own if it is shared or deep."""
    if node.head in ("var", "num", "size") or (node.head == "T" and node.args[0].head == "var"):
        return code
    if uses < 2 and code.depth < DEEPEST and not code.text.startswith("!"):
        return code
    return Code(_kept(code.text, w), ATOM)


# ---- one node ------------------------------------------------------------------------------------


def _is_vector(e: Expr) -> bool:
    return UNIT in e.shape_ and not e.is_scalar


def _code(e: Expr, w: _Writer) -> Code:
    below = [w.codes[a] for a in e.args]
    depth = 1 + max((c.depth for c in below), default=0)
    write = _WRITERS.get(e.head)
    code = write(e, w) if write is not None else _call(e, w)
    return Code(code.text, code.level, depth if e.args else 0)


def _num(e: Expr, _: _Writer) -> Code:
    text = number(e.value)
    return Code(text, SIGN if text[0] == "-" else PRODUCT if "/" in text else ATOM)


def _filled(e: Expr, w: _Writer) -> Code:
    w.uses_dtype = True
    sizes = [w.size(s) for s in e.shape_ if s]
    if e.head == "eye":
        return Code(f"np.eye({sizes[0]}, dtype=dtype)", ATOM)
    return Code(
        f"np.{e.head}({sizes[0] if len(sizes) == 1 else '(' + ', '.join(sizes) + ')'}, "
        "dtype=dtype)",
        ATOM,
    )


def _part(e: Expr, w: _Writer) -> Code:
    """Columns of the identity, or one of them."""
    w.uses_dtype = True
    places = range_of(e)
    start, stop = w.size((places.start,)), w.size((places.stop,))
    return Code(
        f"np.eye({w.size(e.shape_[0])}, "
        f"dtype=dtype)[{f':, {start}:{stop}' if places.width else start}]",
        ATOM,
    )


def _shifts(e: Expr, w: _Writer) -> Code:
    w.uses_dtype = True
    return Code(f"shifts({', '.join(w.size((a,)) for a in e.shape_[1])}, dtype)", ATOM)


def _sum(e: Expr, w: _Writer) -> Code:
    out = ""
    for i, a in enumerate(sorted(e.args, key=lambda a: split(a)[0] < 0)):
        out = _kept(out, w) if i and i % LONGEST == 0 else out
        text = w.codes[a].at(PRODUCT if out else SUM)
        out += text if not out else f" - {text[1:]}" if text.startswith("-") else f" + {text}"
    return Code(out, SUM)


def _kept(text: str, w: _Writer) -> str:
    """Give a long partial result a line of its own."""
    name = w.fresh(f"t{len(w.lines) + 1}")
    w.lines.append(f"{name} = {text}")
    return name


def _times(e: Expr, w: _Writer) -> Code:
    """Scalars first, so that they meet before they meet an array."""
    above, below, sign = [], [], ""
    for a in e.args:
        if a.head == "num" and a.value == -1:
            sign = "-"
        elif a.head == "pow" and a.args[1].head == "num" and a.args[1].value < 0:
            below.append(_power(a.args[0], -a.args[1].value, w).at(SIGN))
        else:
            above.append(w.codes[a].at(SIGN))
    text = sign + "*".join(above or ["1"]) + "".join(f"/{b}" for b in below)
    return Code(text, PRODUCT)


def _power(base: Expr, k: Fraction, w: _Writer) -> Code:
    if k == 1:
        return w.codes[base]
    if k == Fraction(1, 2):
        return Code(f"np.sqrt({w.codes[base].text})", ATOM)
    exponent = number(k)
    return Code(
        f"{w.codes[base].at(ATOM)}**{exponent if exponent.isdigit() else '(' + exponent + ')'}",
        POWER,
    )


def _pow(e: Expr, w: _Writer) -> Code:
    base, exponent = e.args
    if exponent.head != "num":
        return Code(f"{w.codes[base].at(ATOM)}**{w.codes[exponent].at(ATOM)}", POWER)
    if exponent.value < 0:
        return Code(f"1/{_power(base, -exponent.value, w).at(SIGN)}", PRODUCT)
    return _power(base, exponent.value, w)


def _transpose(e: Expr, w: _Writer) -> Code:
    code = w.codes[e.args[0]]
    return code if _is_vector(e) else Code(f"{code.at(ATOM)}.T", ATOM)


def _matmul(e: Expr, w: _Writer) -> Code:
    """A chain, split where a column meets a row; vectors first within each part."""
    chain = list(e.args)
    cut = next((i for i in range(1, len(chain)) if chain[i].shape_[0] == UNIT), 0)
    if cut:
        left, right = _chain(chain[:cut], w), _chain(chain[cut:], w)
        return Code(f"np.outer({left.text}, {right.text})", ATOM)
    return _chain(chain, w)


def _chain(chain: list[Expr], w: _Writer) -> Code:
    ends_in_vector = chain[-1].shape_[1] == UNIT
    items = list(reversed(chain)) if ends_in_vector and chain[0].shape_[0] != UNIT else chain
    total, vector, diagonal = _item(items[0], w), _is_vector(items[0]), items[0].head == "diag"
    for i, item in enumerate(items[1:], 1):
        code = _item(item, w)
        backwards = items is not chain
        total = _joined(
            total, vector, diagonal, code, _is_vector(item), item.head == "diag", backwards
        )
        vector, diagonal = vector or _is_vector(item), False
        total = Code(_kept(total.text, w), ATOM) if i % LONGEST == 0 else total
    return total if not diagonal else Code(f"np.diag({total.text})", ATOM)


def _item(e: Expr, w: _Writer) -> Code:
    return w.codes[e.args[0]] if e.head == "diag" else w.codes[e]


def _joined(
    a: Code,
    a_vector: bool,
    a_diagonal: bool,
    b: Code,
    b_vector: bool,
    b_diagonal: bool,
    backwards: bool,
) -> Code:
    """``a`` times ``b``, or ``b`` times ``a`` when the chain is read backwards.

    Diagonal matrices scale.
    """
    if b_diagonal and a_vector:
        return Code(f"{b.at(SIGN)}*{a.at(SIGN)}", PRODUCT)
    if b_diagonal:
        return Code(f"{a.at(PRODUCT)}*{b.at(SIGN)}", PRODUCT)
    if a_diagonal:
        return Code(f"{a.at(ATOM)}[:, None]*{b.at(SIGN)}", PRODUCT)
    if backwards:
        return Code(f"{b.at(SIGN)} @ {a.at(SIGN)}", PRODUCT)
    return Code(f"{a.at(PRODUCT)} @ {b.at(SIGN)}", PRODUCT)


def _call(e: Expr, w: _Writer) -> Code:
    row = BY_NAME[e.head]
    template = row.numpy
    values = {}
    for key, a in row.named(e.args).items():
        code = w.codes[a]
        if template.count(f"{{{key}}}") > 1 and not code.text.isidentifier():
            code = w.codes[a] = Code(_kept(code.text, w), ATOM)
        template = template.replace(
            f"({{{key}}})", f"({code.text.replace('{', '{{').replace('}', '}}')})"
        )
        values[key] = code.at(ATOM)
    return Code(template.format(**values), ATOM if _IS_CALL.fullmatch(row.numpy) else SUM)


_IS_CALL = re.compile(r"[\w.{}]+\([^()]*\)(\[\d\])?")


def _kron(e: Expr, w: _Writer) -> Code:
    """Vectors are 1-D arrays, which the function would take for rows."""
    a, b = (
        f"np.reshape({w.codes[x].text}, ({w.size(x.shape_[0])}, {w.size(x.shape_[1])}))"
        for x in e.args
    )
    return Code(f"np.kron({a}, {b})" + ".ravel()" * (UNIT in e.shape_), ATOM)


def _commutation(e: Expr, w: _Writer) -> Code:
    return Code(f"commutation({', '.join(w.size((a,)) for a in e.shape_[0])})", ATOM)


_WRITERS = {
    "part": _part,
    "shifts": _shifts,
    "pi": lambda e, w: Code("np.pi", ATOM),
    "var": lambda e, w: Code(w.names[e], ATOM),
    "num": _num,
    "size": lambda e, w: Code(w.size((e.atom,)), ATOM),
    "ones": _filled,
    "zeros": _filled,
    "eye": _filled,
    "add": _sum,
    "times": _times,
    "pow": _pow,
    "T": _transpose,
    "matmul": _matmul,
    "commutation": _commutation,
    "kron": _kron,
}
