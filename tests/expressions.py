"""Random typed expressions over the whole table: functions and operations are rows of
:data:`RULES`.

A rule is a type, a mode and a template. ``m,n`` is the type of a matrix, ``m`` of a vector, ``1,n``
of a row, ``s`` of a number; its letters stand for any sizes. ``<m,n pos>`` in a template is a part
of that type and mode, ``{m}`` the text of a size.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count

from matcalc.tables.functions import ROWS

Size = tuple[object, ...]  # ("m",) a letter, ("+", a, b), ("-", a, b), ("*", a, b), ("1",)
Type = tuple[Size, Size]
ONE: Size = ("1",)
SCALAR: Type = (ONE, ONE)

RULES = """
s: tr(<n,n>) | sum(<m,n>) | sum(<m>) | sum(<1,n>) | <m>'*<m> | <m>'*<m,n>*<n> | dot(<m>, <m>)
s: quadform(<n,n>, <n>)
s: norm2(<m>)^2 | norm2(<m,n>)^2 | norm2(<m>) | norm2(<m,n>) | ‖<m>‖ | ‖<m,n>‖² | norm2sq(<m,n>)
s: norm1(<m,n>) | norm1(<m>)
s: norminf(<m>) | norminf(<m,n>) | normp(<m>, 3) | normp(<m>, <s big>) | normnuc(<m,n>)
s: normspec(<m,n>)
s: det(<n,n>) | logdet(<n,n dom>) | logdet(<n,n spd>) | tr(inv(<n,n dom>)*<n,n>)
s: <m>'*inv(<m,m dom>)*<m> | tr(<n,n>^3)
s: <m>'*(<m,m dom> \\ <m>) | sum(solve(<m,m dom>, <m>)) | tr(adj(<n,n dom>)*<n,n>)
s: tr(pinv(<m,n>)*<m,n>) | sum(pinv(<m,n>))
s: amax(<m>) | amin(<m>) | amax(<m,n>) | amin(<m,n>) | lambda_max(<n,n sym>)
s: lambda_min(<n,n sym>) | sum(<m>.*ismax(<m>))
s: mean(<m,n>) | var(<m>) | std(<m>) | var(<m,n>) | std(<m,n>) | mean(<m>) | sum(<m>)/{m}
s: sum(<m,n>)/({m}*{n}) | numel(<m,n>)*<s>
s: cross_entropy(<m simplex>, <m simplex>) | logsumexp(<m>) | -<m simplex>'*logsoftmax(<m>)
s: sum(log(<m pos>)) | <m>'*log(<m pos>)
s: <s>*<s> | <s> + <s> | <s> - <s> | <s>/<s big> | <s>^2 | <s>^3 | <s pos>^<s> | <s big>^-1
s: <s pos>^(1/2) | -<s> | <s>² | pi*<s>
s: 2*<s> | 0.5*<s> | 1e3*<s> | <s>*1e-3 | <s>.*<s> | <s>./<s big> | 3 - <s> | <s>**2 | <s>*{n}
s: sum(kron(<m,n>, <k,l>)) | norm2(kron(<m,n>, <m,n>))^2 | vec(<m,n>)'*vec(<m,n>)
s: norm2(vec(<m,n>))^2 | tr(<m>*<m>')
s: vec(<m,n>)'*kron(<n,n>, <m,m>)*vec(<m,n>) | vec(<n,m>)'*K({m},{n})*vec(<m,n>) | sum(<m>⊗<n>)
s: kron(<m>, <n>)'*vec(<n,m>)
s: sum(<m,n>.*<m,n>) | tr(<m,n>'*<m,n>) | tr(<m,n>*<n,m>) | norm2(<m,n>*<n> - <m>)^2
s: sum(-<m,n>.*log(softmax_rows(<m,n>)))
s: sum(log(1 + exp(-<m>.*(<m,n>*<n>)))) | norm2(<m,n> - <m>*<n>')^2 | tr(expm(<n,n>))
s: sum(expm(<n,n>)*<n,n>)
s: tr(logm(<n,n spd>)*<n,n sym>) | tr(sqrtm(<n,n spd>)) | tr(<n,n>*expm_frechet(<n,n>, <n,n>))
s: sum(logm_frechet(<n,n spd>, <n,n sym>))
s: sum(sqrtm_frechet(<n,n spd>, <n,n sym>)) | tr(powm(<n,n>, 3)) | tr(<n,n>^q)
s: sum(powm_frechet(<n,n>, <n,n>, 2))
s: norm2(chol(<n,n spd>)*<n>)^2 | sum(log(diag(chol(<n,n spd>)))) | sum(exp(eigvals(<n,n sym>)))
s: <n>'*eigvals(<n,n sym>)
s: tr(eigvecs(<n,n sym>)*diag(<n>)*eigvecs(<n,n sym>)') | sum(eigvecs(<n,n sym>).^2*<n>)
s: tr(<m,n>'*polar(<m,n>)) | sum(leading(<m,n>).*<m,n>)
s: <3>'*cross(<3>, <3>) | norm2(cross(<3>, <3>))^2 | sum(skew(<3>)*<3>) | norm2(unskew(<3,3>))^2
s: tr(skew(<3>)*<3,3>)
s: norm2(conv(<m>, <k>))^2 | <m+k-1>'*conv(<m>, <k>) | norm2(corr(<m+k-1>, <k>))^2
s: sum(convmat(<m>, <k>)*<k>) | sum(hankel(<m+k-1>, <k>))
s: <m>[1] | <m>[2] | <m,n>[1,2] | <m>[{m}] | <m>[i] | <m,n>[i,1] | sum(<m>[2:]) | sum(<m>[:1])
s: <1,n>[1] | norm2(<m+1>[2:{m}+1])
s: [<m>; <k>]'*[<m>; <k>] | det([<n,n>, <n>; <1,n>, <s>]) | norm2([<m,n>, <m,k>])^2
s: tr([<n,n>, 0; 0, <k,k>])^2 | sum([<m>; 1])
s: <m>'*ones({m}) | ones({m})'*<m,n>*ones({n}) | tr(eye({n}) + <n,n>) | norm2(zeros({m}) + <m>)
s: vector(1)'*<m> | sum(<m,n>*vector(1))
s: norm2(<m,n>'*<m,n> - eye)^2 | sum(matrix(1).*<m,n>) | sum(ones({m},{n}).*<m,n>)
s: norm2(<m,n> + zeros({m},{n})) | norminf(<n,n> - eye({n}))
s: sum(shifts({m},{k})*kron(<m>, <k>)) | sum(huber(<m> - <m>, 1)) | sum(cumsum(<m,n>).^2)
s: <m>'*cumsum(<m>)
s: sum(gelu(<m,n>)) | sum(tril(<n,n>).*<n,n>) | sum(triu(<n,n>)*<n>) | sum(rowsums(<m,n>).^2)
s: sum(colsums(<m,n>).^2)
s: logdet(<n,n spd>) + tr(inv(<n,n spd>)*<n,n sym>) | sum(norm2_rows(<m,n>))
s: sum(norm2_cols(<m,n>)) | norm2(<m,n>*<n,n> - <m,n>)
s: amax(<n,n sym>) | amin(<n,n sym>) | norminf(<n,n sym>) | norminf(<m,n>'*<m,n> - eye) | amax([<m>; <m>])
s: exp(sum(<m simplex>)) | sum(<m>)*norm2(<m>)^2 | norm2(<n,n dom>'*<n,n dom>)^2 | lambda_max([<n,n sym>, 0; 0, <n,n sym>])
s: sum(rowsums(<s>)) | cumsum(<s>) | norm2_rows(<s>) | amax(<s>) | std([<s>; <s>])
s: sum(polygamma(2, <m pos>)) | polygamma(1, <s pos>)
m: <m,n>*<n> | <m,n>*<n> + <m> | <m> + <m> | <m> - <m> | <m>.*<m> | <m>./<m big> | <m>.^2
m: <m pos>.^<s> | <s>*<m> | <m>/<s big> | <m>.^3
m: <n,m>'*<n> | diag(<m,m>) | softmax(<m>) | logsoftmax(<m>) | logsumexp_rows(<m,n>)
m: rowsums(<m,n>) | norm2_rows(<m,n>) | -<m>
m: inv(<m,m dom>)*<m> | <m,m dom>\\<m> | solve(<m,m dom>, <m>) | eigvals(<m,m sym>) | cumsum(<m>)
m: <1,m>' | <1,m>ᵀ | <1,m>.T | <m>⊙<m>
m: <m> - <s> | <s> - <m> | <m>*<n>'*<n> | <m,n>[:,1] | <m,n>[:,j] | <m+k>[:{m}] | <m+1>[2:]
m: max(<m>, <m>) | min(<m>, <s>) | <m>∘<m>
m: hypot(<m>, <m big>) | atan2(<m>, <m pos>) | huber(<m>, 1.5) | corr(<m+k-1>, <k>) | ones({m})*<s>
m: chol(<m,m spd>)*<m> | <m,n>@<n>
m: diag(<m>)*<m> | ismax(<m>).*<m> | abs(eigvecs(<m,m sym>))*<m> | <m,m>^2*<m> | <m pos>.^<m>
m: 2.^<m> | <s pos>.^<m> | <m>.^-2 | 3*<m>
m: <m> - sum(<m>)/{m} | <m>/norm2(<m>) | <m,n>*softmax(<n,m>*<m>) | colsums(<n,m>)'
m: pinv(<m,n>)'*<n> | polygamma(1, <m pos>)
m*n: vec(<n,m>) | kron(<m>, <n>) | <m>⊗<n> | K({m},{n})*<n*m> | kron(<m,m>, <n,n>)*<m*n>
m+n: [<m>; <n>] | [<m,k>*<k>; <n>]
m+1: [<m>; <s>] | [1; <m>]
m+k-1: conv(<m>, <k>) | convmat(<m>, <k>)*<k>
3: cross(<3>, <3>) | skew(<3>)*<3> | unskew(<3,3>) | <3,3>*<3>
3,3: skew(<3>) | <3>*<3>'
1,n: <n>' | <m>'*<m,n> | colsums(<m,n>) | norm2_cols(<m,n>) | logsumexp_cols(<m,n>) | <m,n>[1,:]
1,n: <m,n>[i,:] | <1,n> + <1,n> | <s>*<1,n> | <1,n>.^2
1,n: <m,n>[{m},:] | <1,n>*<n,n>
m,n: <m,k>*<k,n> | <m,n> + <m,n> | <m,n> - <m,n> | <n,m>' | <m,n>.*<m,n> | <m>*<n>'
m,n: outer(<m>, <n>) | <m,n> + <1,n> | <m,n> - <s> | <s>*<m,n>
m,n: <m,n>./<m,n big> | diag(<m>)*<m,n> | <m,n>*diag(<n>) | softmax_rows(<m,n>) | logsoftmax_rows(<m,n>)
m,n: softmax_cols(<m,n>) | <m,n>.^2 | <m>*ones({n})' + <m,n> | -<m,n>
m,n: inv(<m,m dom>)*<m,n> | <m,m dom>\\<m,n> | solve(<m,m dom>, <m,n>) | cumsum(<m,n>)
m,n: max(<m,n>, <m,n>) | min(<m,n>, <s>) | hypot(<m,n>, <m,n big>)
m,n: <m,n>*<n,n>*<n,m>*<m,n> | pinv(<n,m>) | polar(<m,n>) | leading(<m,n>) | <m,n>/<s big>
m,n: <m,n>.^<s> | <m,n pos>.^<s> | tril(<m,n>) | triu(<m,n>)
m,n: ismax(<m,n>).*<m,n> | <m+k,n>[:{m},:] | <m,n+1>[:,2:] | expm(<m,m>)*<m,n>
m,n: sqrtm(<m,m spd>)*<m,n> | powm(<m,m>, 2)*<m,n> | <m,n>@<n,n>
m,n: hankel(<m+n-1>, <n>) | huber(<m,n>, <s big>) | atan2(<m,n>, <m,n pos>) | adj(<m,m dom>)*<m,n>
m,n: <m,m>^3*<m,n> | <m,m dom>^-1*<m,n> | <n,m>ᵀ
m,n: <m,n> - ones({m})*colsums(<m,n>)/{m} | <m,n>.*(<m>*ones({n})') | logm(<m,m spd>)*<m,n>
m,n: <s> - <m,n> | <m,n>·<n,n> | <m,m>^q*<m,n>
m+k,n: [<m,n>; <k,n>]
m,n+k: [<m,n>, <m,k>]
m+1,n+1: [<m,n>, <m>; <1,n>, <s>] | [<m,n>, 0; 0, 1]
m*k,n*l: kron(<m,n>, <k,l>) | <m,n>⊗<k,l>
m+k-1,k: convmat(<m>, <k>)
n,n: diag(<n>) | <n>*<n>' | <n,m>*<m,n> | expm(<n,n>) | inv(<n,n dom>) | <n,n>^2 | <n,n>'
n,n: adj(<n,n dom>) | powm(<n,n>, 2) | eye({n}) - <n,n> | <n,n>^q
n,n: expm_frechet(<n,n>, <n,n>) | powm_frechet(<n,n>, <n,n>, 3) | tril(<n,n>) | triu(<n,n>)
n,n: <n,n> + <n,n>' | <n,n dom>^-2 | eye + <n,n> | <n,n>*eye
n,n: <n,n sym> | <n,n spd> | <n,n dom> | logm(<n,n spd>) | sqrtm(<n,n spd>) | chol(<n,n spd>)
n,n: logm_frechet(<n,n spd>, <n,n>) | sqrtm_frechet(<n,n spd>, <n,n>)
n,n: sqrtm(2*eye({n}) + tanh(<n,n>)/4) | logm(2*eye({n}) + tanh(<n,n>)/4)
n,n: eigvecs(<n,n sym>)*diag(<n>)*eigvecs(<n,n sym>)'
n,n sym: <n,n> + <n,n>' | <n,m>*<n,m>' | <m,n>'*<m,n> | <n,n sym> + <n,n sym> | diag(<n>)
n,n sym: <n,n spd> | <n>*<n>' | inv(<n,n spd>) | <s>*<n,n sym> | <n,n sym>^2
n,n spd: eye({n}) + <n,m>*<n,m>' | <m,n>'*<m,n> + eye({n}) | <n,n spd> + <n,n spd> | 2*<n,n spd>
n,n spd: expm(<n,n sym>) | diag(<n pos>) | inv(<n,n spd>)
n,n dom: 3*eye({n}) + tanh(<n,n>) | <n,n spd> | eye({n}) + <n>*<n>' | <n,n dom>' | diag(<n pos>)
n,n dom: diag(<n big>) | expm(<n,n>) | 2*eye + sigmoid(<n,n>)/4
s pos: exp(<s>) | 1 + <s>^2 | <s pos>*<s pos> | norm2(<m>)^2 + 1 | sum(<m pos>)
m pos: exp(<m>) | 1 + <m>.^2 | <m pos>.*<m pos> | softmax(<m>) | <m pos> + 1 | sigmoid(<m>)
m pos: abs(<m>) + 0.1 | <m pos>.^(1/2)
m,n pos: exp(<m,n>) | 1 + <m,n>.^2 | <m,n pos>.*<m,n pos> | softmax_rows(<m,n>) | <m,n pos> + 1
m,n pos: sigmoid(<m,n>)
s big: 2 + <s>^2 | 1 + exp(<s>) | 3 | cosh(<s>) + 1
m big: 2 + <m>.^2 | 1 + exp(<m>) | 1 + <m pos>
m,n big: 2 + <m,n>.^2 | 1 + exp(<m,n>) | 1 + <m,n pos>
s unit: tanh(<s>)/2 | sin(<s>)/2
m unit: tanh(<m>)/2 | sigmoid(<m>) | softmax(<m>)/2
m,n unit: tanh(<m,n>)/2 | sigmoid(<m,n>)
m simplex: softmax(<m>) | <m pos>/sum(<m pos>)
"""

# of variables, by their kind or by the mode that wants them
PROPERTIES: Mapping[str, Sequence[str]] = {
    "scalar": ("", "", "", "positive", "unit"),
    "vector": ("", "", "", "", "positive", "unit", "simplex", "pm1", "onehot", "mask"),
    "matrix": ("", "", "", "", "positive", "unit", "pm1", "onehot", "mask"),
    "square": (
        "",
        "",
        "",
        "symmetric",
        "spd",
        "diagonal",
        "orthogonal",
        "lower",
        "upper",
        "positive",
        "unit",
        "pm1",
        "mask",
        "onehot",
    ),
    "sym": ("symmetric", "symmetric", "spd", "diagonal"),
    "spd": ("spd",),
    "dom": ("", "spd", "orthogonal", "lower", "upper"),
    "pos": ("positive",),
    "big": ("positive",),
    "unit": ("unit",),
    "simplex": ("simplex",),
}
DOMAINS = {
    (0, float("inf")): "pos",
    (-1, 1): "unit",
    (-1.4, 1.4): "unit",
    (1, float("inf")): "big",
    (-1, float("inf")): "pos",
}
ALIASES = {row.name: row.aliases for row in ROWS if row.aliases}
ELEMENTWISE = {
    row.name: DOMAINS.get(row.domain, "") for row in ROWS if row.elementwise and not row.hidden
}
MACROS_OF_ENTRIES = {
    "sqrt": "pos",
    "square": "",
    "log2": "pos",
    "log10": "pos",
    "gelu": "",
    "normcdf": "",
}
FUNCTIONS_OF_ENTRIES = ELEMENTWISE | MACROS_OF_ENTRIES
NAMES = {"scalar": "abcdefg", "vector": "xyzuvwhrst", "matrix": "ABCDEFGHMNPQRSUVWXYZ"}
ODD_NAMES = {  # that are a constant, a size, a keyword, a module or a letter elsewhere
    "scalar": (
        "pi",
        "e",
        "lambda",
        "λ",
        "σ",
        "self",
        "n",
        "np",
        "float",
        "alpha",
        "a1",
        "a_1",
        "α",
        "d",
        "step1",
        "dtype",
        "i",
        "j",
    ),
    "vector": (
        "n",
        "jax",
        "self",
        "torch",
        "x1",
        "x_1",
        "xp",
        "k",
        "pi",
        "r",
        "numba",
        "one",
        "out",
        "t",
        "s",
        "δ",
        "j",
        "dx",
    ),
    "matrix": (
        "I",
        "T",
        "K1",
        "X1",
        "Σ",
        "Λ",
        "J",
        "L",
        "O",
        "jnp",
        "self",
        "E",
        "dX",
        "N",
        "Id",
        "R",
        "G",
        "g",
        "y1",
    ),
}


@dataclass(frozen=True)
class Node:
    """A template with its parts filled in: what is generated, and cut down when it fails."""

    template: str
    parts: tuple[Node, ...]
    type: Type
    mode: str = ""

    @property
    def text(self) -> str:
        pieces = re.split(r"(<\d+>)", self.template)
        out = ""
        for k, piece in enumerate(pieces):
            if not re.fullmatch(r"<\d+>", piece):
                out += piece
                continue
            part = self.parts[int(piece[1:-1])].text
            before, after = out.rstrip()[-1:], pieces[k + 1].lstrip()[:1]
            alone = before in ("(", "[", ",", ";", "") and after in (")", "]", ",", ";", "")
            out += part if alone or is_atom(part) else f"({part})"
        return out

    def walk(self) -> Iterator[tuple[tuple[int, ...], Node]]:
        """Every node with the way to it, the root first."""
        yield (), self
        for k, part in enumerate(self.parts):
            for way, node in part.walk():
                yield (k, *way), node

    def put(self, way: Sequence[int], node: Node) -> Node:
        if not way:
            return node
        parts = list(self.parts)
        parts[way[0]] = parts[way[0]].put(way[1:], node)
        return replace(self, parts=tuple(parts))


def is_atom(text: str) -> bool:
    """Whether a text needs no brackets: a name, a number, or a call up to its last character."""
    if re.fullmatch(r"\w+(\.\d+)?", text):
        return True
    if not re.match(r"\w+\(", text) or not text.endswith(")"):
        return False
    depth = 0
    for k, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if c == ")" and depth == 0:
            return k == len(text) - 1
    return False


# ---- rules --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    type: Type
    mode: str
    template: str
    parts: tuple[tuple[Type, str], ...]


def size(text: str) -> Size:
    for operator in "-+*":
        first, sign, second = text.rpartition(operator)
        if sign:
            return (operator, size(first), size(second))
    return (text,)


def type_of(text: str) -> Type:
    if text == "s":
        return SCALAR
    rows, _, cols = text.partition(",")
    return size(rows), size(cols or "1")


@cache
def rules() -> dict[str, list[Rule]]:
    """The rules by their mode."""
    found: dict[str, list[Rule]] = {}
    for line in RULES.strip().splitlines():
        head, _, templates = line.partition(": ")
        kind, _, mode = head.partition(" ")
        for template in templates.split(" | "):
            parts: list[tuple[Type, str]] = []
            numbered = re.sub(
                r"<([^<>]+)>", lambda hole, parts=parts: _numbered(hole[1], parts), template.strip()
            )
            found.setdefault(mode, []).append(Rule(type_of(kind), mode, numbered, tuple(parts)))
    return found


def _numbered(hole: str, parts: list[tuple[Type, str]]) -> str:
    kind, _, mode = hole.partition(" ")
    parts.append((type_of(kind), mode))
    return f"<{len(parts) - 1}>"


def matched(pattern: Size, wanted: Size, bound: dict[str, Size]) -> bool:
    """Bind the letters of a pattern so that it is the size that is wanted."""
    if len(pattern) == 1:
        letter = str(pattern[0])
        if letter.isdigit():
            return pattern == wanted
        return wanted != ONE and bound.setdefault(letter, wanted) == wanted
    if len(wanted) != 3 or pattern[0] != wanted[0]:
        return False
    return all(matched(p, w, bound) for p, w in zip(pattern[1:], wanted[1:], strict=True))  # type: ignore[arg-type]


def put(pattern: Size, bound: dict[str, Size], fresh: Callable[[], Size]) -> Size:
    if len(pattern) == 1:
        letter = str(pattern[0])
        if letter.isdigit():
            return pattern
        if letter not in bound:
            bound[letter] = fresh()
        return bound[letter]
    return (pattern[0], *(put(p, bound, fresh) for p in pattern[1:]))  # type: ignore[arg-type]


# ---- cases --------------------------------------------------------------------------------------


@dataclass
class Variable:
    name: str
    type: Type
    properties: str = ""


@dataclass
class Generator:
    """Expressions of typed parts; ``sizes`` are the texts of the letters m, n, k, l."""

    rng: random.Random
    sizes: dict[str, str]
    odd_names: bool = False
    variables: dict[str, Variable] = field(default_factory=dict)
    places: dict[str, Size] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)

    def size_text(self, size: Size) -> str:
        """A size as a declaration has it; numbers are computed."""
        if len(size) == 1:
            return self.sizes.get(str(size[0]), str(size[0]))
        operator, a, b = size[0], self.size_text(size[1]), self.size_text(size[2])  # type: ignore[arg-type]
        if a.isdigit() and b.isdigit():
            return str(
                {"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b)}[str(operator)]
            )
        if operator == "*":
            return "*".join(f"({t})" if re.search(r"[+-]", t) else t for t in (a, b) if t != "1")
        return f"{a}{operator}{b}"

    def fresh(self) -> Size:
        first, second = self.letter(), self.letter()
        sums: list[Size] = [("+", first, ONE), ("+", first, second), ("*", first, second)]
        return self.rng.choice(sums) if self.rng.random() < 0.1 else first

    def letter(self) -> Size:
        """One of the letters, the first of those that are declared alike."""
        text = self.sizes[self.rng.choice("mnkl")]
        return (next(letter for letter in "mnkl" if self.sizes[letter] == text),)

    def expression(self, type_: Type, depth: int, mode: str = "") -> Node:
        if depth <= 0 or (mode and self.rng.random() < 0.35):
            return self.leaf(type_, mode)
        options: list[tuple[Rule, dict[str, Size]]] = []
        for rule in rules().get(mode, ()):
            bound: dict[str, Size] = {}
            if all(matched(p, w, bound) for p, w in zip(rule.type, type_, strict=True)):
                options.append((rule, bound))
        of_entries = self.rng.random() < (0.22 if not mode else 0.0)
        if of_entries or not options:
            return self.entrywise(type_, depth) if not mode else self.leaf(type_, mode)
        rule, bound = self.rng.choice(options)
        return self.applied(rule, bound, type_, depth)

    def applied(self, rule: Rule, bound: dict[str, Size], type_: Type, depth: int) -> Node:
        shapes = [
            ((put(t[0], bound, self.fresh), put(t[1], bound, self.fresh)), mode)
            for t, mode in rule.parts
        ]
        left = depth - 1 - (self.rng.random() < 0.3)
        parts = tuple(
            self.expression(shape, left - (k > 0 and self.rng.random() < 0.4), mode)
            for k, (shape, mode) in enumerate(shapes)
        )
        template = re.sub(
            r"\{(\w)\}",
            lambda hole: self.size_text(put((hole[1],), bound, self.letter)),
            rule.template,
        )
        template = re.sub(r"\b([a-z]\w+)\(", lambda called: f"{self.spelled(called[1])}(", template)
        if re.search(r"\^q\b", template):
            self.whole.add("q")
        for place, axis in (("i", 0), ("j", 1)):
            if re.search(rf"\[[^]]*\b{place}\b[^]]*\]", template):
                self.bound_place(place, shapes[0][0][axis])
        return Node(template, parts, type_, rule.mode)

    def bound_place(self, place: str, size: Size) -> None:
        """Let a place lie within the axis that it is used on.

        The first place will do for several.
        """
        self.places[place] = size if self.places.get(place, size) == size else ONE

    def spelled(self, name: str) -> str:
        return (
            self.rng.choice(ALIASES[name]) if name in ALIASES and self.rng.random() < 0.15 else name
        )

    def entrywise(self, type_: Type, depth: int) -> Node:
        name = self.rng.choice(sorted(FUNCTIONS_OF_ENTRIES))
        mode = FUNCTIONS_OF_ENTRIES[name] if self.rng.random() < 0.85 else ""
        return Node(f"{self.spelled(name)}(<0>)", (self.expression(type_, depth - 1, mode),), type_)

    def leaf(self, type_: Type, mode: str = "") -> Node:
        if not mode and self.rng.random() < 0.06:
            return Node(self.constant(type_), (), type_)
        allowed = PROPERTIES.get(mode) or PROPERTIES[self.kind(type_)]
        if mode and type_[0] != type_[1]:
            allowed = PROPERTIES[mode]
        known = [v for v in self.variables.values() if v.type == type_ and v.properties in allowed]
        if known and self.rng.random() < 0.6:
            return Node(self.rng.choice(known).name, (), type_, mode)
        properties = self.rng.choice(allowed)
        if mode == "dom" and not properties:
            properties = "spd"
        if type_ == SCALAR and mode in ("simplex", "sym", "spd", "dom"):
            properties = ""
        name = self.new_name(
            "scalar" if type_ == SCALAR else "vector" if ONE in type_ else "matrix"
        )
        self.variables[name] = Variable(name, type_, properties)
        text = f"(1 + {name})" if mode == "big" else name
        return Node(text, (), type_, mode)

    def kind(self, type_: Type) -> str:
        if type_ == SCALAR:
            return "scalar"
        texts = [self.size_text(s) for s in type_]
        return "vector" if ONE in type_ else "square" if texts[0] == texts[1] else "matrix"

    def constant(self, type_: Type) -> str:
        rows, cols = map(self.size_text, type_)
        if type_ == SCALAR:
            return self.rng.choice(["2", "0.5", "1", "3", "pi", "0", "1e-3"])
        if type_[1] == ONE:
            return self.rng.choice([f"ones({rows})", f"zeros({rows})", f"2*ones({rows})"])
        if type_[0] == type_[1]:
            return self.rng.choice(
                [f"eye({rows})", f"ones({rows},{cols})", f"zeros({rows},{cols})"]
            )
        return self.rng.choice([f"ones({rows},{cols})", f"zeros({rows},{cols})"])

    def new_name(self, kind: str) -> str:
        taken = {*self.variables, *self.sizes.values(), *self.places, "q", "i", "j"}
        options = [n for n in NAMES[kind] if n not in taken]
        odd = [n for n in ODD_NAMES[kind] if n not in {*self.variables, *self.places, "q"}]
        if self.odd_names and odd and self.rng.random() < 0.5:
            return self.rng.choice(odd)
        return (
            self.rng.choice(options)
            if options
            else next(
                f"{NAMES[kind][0]}{k}" for k in count(1) if f"{NAMES[kind][0]}{k}" not in taken
            )
        )

    def declaration(self, v: Variable) -> str:
        rows, cols = map(self.size_text, v.type)
        shape = "scalar" if v.type == SCALAR else rows if v.type[1] == ONE else f"{rows}×{cols}"
        return f"{shape} {v.properties}".strip()


@dataclass(frozen=True)
class Case:
    """A text with its declarations, the tree it was made of, and its sizes and places."""

    tree: Node
    shapes: Mapping[str, str]
    types: Mapping[str, Type]
    letters: Mapping[str, str]
    places: Mapping[str, Size] = field(default_factory=dict)
    whole: frozenset[str] = frozenset()
    defined: tuple[int, ...] | None = None
    undeclared: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        if self.defined is None:
            return self.tree.text
        node = dict(self.tree.walk()).get(self.defined)
        if node is None or not node.parts:
            return self.tree.text
        name = next(n for n in ("part", "rest", "inner", "Part1") if n not in self.shapes)
        return (
            f"{name} = {node.text}; {self.tree.put(self.defined, Node(name, (), node.type)).text}"
        )

    @property
    def declared(self) -> dict[str, str]:
        """The declarations; a size that no variable has is a whole number."""
        used = set(re.findall(r"[^\W\d]\w*", self.text))
        found = {n: d for n, d in self.shapes.items() if n in used and n not in self.undeclared}
        whole = {n for n in self.whole if n in used}
        if not self.undeclared:
            sized = set(re.findall(r"[^\W\d]\w*", " ".join(found.values())))
            whole |= {n for n in self.letters.values() if n in used - sized - set(found)}
        return found | {n: "integer" for n in sorted(whole) if not n.isdigit()}

    @property
    def declared_variables(self) -> list[str]:
        """The names of the text that are no whole numbers."""
        return [n for n in self.declared if n in self.types]


SIZES = (  # how the letters m, n, k, l are declared, and how often
    ("names", 40),
    ("equal", 15),
    ("numbers", 18),
    ("large", 4),
    ("one", 8),
    ("equal numbers", 6),
    ("mixed", 9),
)


def letters(rng: random.Random, manner: str) -> dict[str, str]:
    if manner == "equal":
        return dict.fromkeys("mnkl", "n")
    if manner == "numbers":
        return dict(zip("mnkl", map(str, rng.sample(range(2, 13), 4)), strict=True))
    if manner == "equal numbers":
        return dict.fromkeys("mnkl", str(rng.randint(2, 12)))
    if manner == "large":
        found = dict(zip("mnkl", map(str, rng.sample(range(2, 6), 4)), strict=True))
        return found | {rng.choice("mnkl"): "100"}
    found = {letter: letter for letter in "mnkl"}
    if manner == "one":
        found[rng.choice("mnkl")] = "1"
        return found
    if manner == "mixed":
        return found | {rng.choice("mnkl"): str(rng.randint(2, 12))}
    return found


def case(seed: int, depth: int | None = None) -> Case:
    """The case of a seed."""
    rng = random.Random(seed)
    manner = rng.choices([m for m, _ in SIZES], [w for _, w in SIZES])[0]
    generator = Generator(rng, letters(rng, manner), odd_names=rng.random() < 0.12)
    kind = rng.choices("svmr", [60, 18, 15, 7])[0]
    m, n = generator.fresh(), generator.fresh()
    type_ = {"s": SCALAR, "v": (m, ONE), "m": (m, n if rng.random() < 0.6 else m), "r": (ONE, n)}[
        kind
    ]
    limit = depth if depth is not None else rng.choice((1, 2, 2, 3, 3, 4))
    tree = generator.expression(type_, limit if kind == "s" else min(limit, 3))
    shapes = {v.name: generator.declaration(v) for v in generator.variables.values()}
    types = {v.name: v.type for v in generator.variables.values()}
    inner = [way for way, node in tree.walk() if way and node.parts]
    defined = rng.choice(inner) if inner and rng.random() < 0.12 else None
    undeclared = (
        frozenset(shapes)
        if rng.random() < 0.08 and manner == "names" and _plain(shapes)
        else frozenset()
    )
    return Case(
        tree,
        shapes,
        types,
        generator.sizes,
        dict(generator.places),
        frozenset(generator.whole),
        defined,
        undeclared,
    )


def _plain(shapes: Mapping[str, str]) -> bool:
    """Whether every name is what its first letter says, without properties."""
    usual = {"scalar": "abcdefg", "vector": "xyzuvwhrst", "matrix": "ABCDEFGHMNPQRSUVWXYZ"}
    return all(
        re.fullmatch(r"scalar|[mnkl]|[mnkl]×[mnkl]", d)
        and n in usual["scalar" if d == "scalar" else "matrix" if "×" in d else "vector"]
        for n, d in shapes.items()
    )
