"""The Octave dialect, which is MATLAB's, too: a file of functions that need no toolbox.

Vectors are columns, arguments are of real numbers, and their sizes are checked before any work.
Nothing of it runs in Python.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import cache

from ...errors import Unsupported
from ...expr import Expr, own_axes
from ...expr.sizes import UNIT, Size, base_atoms, linear
from ...tables.functions import BY_NAME
from ..plan.planner import Plan
from ..plan.steps import Axes, Step
from ..write.dialect import Dialect, template
from ..write.excerpts import Excerpts
from ..write.source import ATOM, POWER, PRODUCT, SIGN, SUM, Code, Source, number
from ..write.writer import Writer

KEYWORDS = frozenset(
    (
        "ans arguments break case catch classdef continue do else elseif end end_try_catch "
        "end_unwind_protect endclassdef endenumeration endevents endfor endfunction endif "
        "endmethods endparfor endproperties endswitch endwhile enumeration events for function "
        "global if methods otherwise parfor persistent properties return spmd switch try until "
        "unwind_protect unwind_protect_cleanup while"
    ).split()
)
# of both languages, as the code calls them
FUNCTIONS = frozenset(
    (
        "abs acos acosh asin asinh assert atan atan2 atanh chol conv cos cosh cross det diag "
        "double erf erfc erfcx exp expm expm1 eye gammaln hypot inv isequal isscalar kron log "
        "log1p logm max min mpower norm ones pi pinv prod psi reshape sign sin sinh size sqrt "
        "sqrtm sum svd tan tanh trace tril triu zeros"
    ).split()
)
CALLS = {
    "commutation": "commutation({sizes})",
    "shifts": "shifts({sizes})",
    "ones": "ones({shape})",
    "zeros": "zeros({shape})",
    "eye": "eye({length})",
    "shift": "{0} + «1»*eye({length})",
    "shift diag": "{0} + diag({1})",
    "sum": "sum(sum({0}))",
    "sum 0": "sum({0}, 1)'",
    "sum 1": "sum({0}, 2)",
    "vdot": "sum(sum(«0».*«1»))",
    "vdott": "sum(sum(«0».*<1>'))",
    "rowdot": "sum(«0».*«1», 2)",
    "trace": "trace({0})",
    "diag": "diag({0})",
    "diagonal": "diag({0})",
    "sqrt": "sqrt({0})",
    "factor": "{0}",
    "factor chol": "chol({0}, 'lower')",
    "solve": "<0>\\<1>",
    "solve lu True": "<0>'\\<1>",
    "solve chol": "<0>'\\(<0>\\<1>)",
    "inverse": "inv({0})",
    "inverse chol": "<0>'\\(<0>\\eye({length}))",
    "det": "det({0})",
    "det chol": "prod(diag({0}))^2",
    "logdet": "logdet({0})",
    "logdet lu signed": "signed_logdet({0})",
    "logdet symmetric signed": "signed_logdet({0})",
    "logdet chol": "2*sum(log(diag({0})))",
    "adjugate": "adjugate({1})",
}
SPELLINGS = {
    "arcsin": "asin({x})",
    "arccos": "acos({x})",
    "arctan": "atan({x})",
    "arcsinh": "asinh({x})",
    "arccosh": "acosh({x})",
    "arctanh": "atanh({x})",
    "softplus": "softplus({x})",
    "relu": "relu({x})",
    "step": "double({x} > 0)",
    "leaky_relu": "max({x}, 0.01*{x})",
    "elu": "elu({x})",
    "mish": "{x}.*tanh(softplus({x}))",
    "hardtanh": "min(max({x}, -1), 1)",
    "lgamma": "gammaln({x})",
    "digamma": "psi({x})",
    "polygamma": "psi({x}, {w})",
    "max": "max({x}, {w})",
    "min": "min({x}, {w})",
    "atan2": "atan2({x}, {w})",
    "sum": "sum(sum({x}))",
    "vec": "reshape({x}, [], 1)",
    "inv": "inv({x})",
    "det": "det({x})",
    "logdet": "logdet({x})",
    "pinv": "pinv({x})",
    "expm_frechet": "frechet(@expm, {x}, {w})",
    "logm_frechet": "frechet(@logm, {x}, {w})",
    "sqrtm_frechet": "frechet(@sqrtm, {x}, {w})",
    "expm_frechet_symmetric": "spectral_frechet(@expm_slopes, {x}, {w})",
    "logm_frechet_symmetric": "spectral_frechet(@logm_slopes, {x}, {w})",
    "sqrtm_frechet_symmetric": "spectral_frechet(@sqrtm_slopes, {x}, {w})",
    "powm": "mpower({x}, {w})",
    "chol": "chol({x}, 'lower')",
    "eigvals": "eigvals({x})",
    "eigvecs": "eigvecs({x})",
    "normnuc": "sum(svd({x}))",
    "normspec": "max(svd({x}))",
    "polar": "polar({x})",
    "leading": "leading({x})",
    "norm2": "norm({x}, 'fro')",
    "norm1": "sum(sum(abs({x})))",
    "amax": "max(max({x}))",
    "amin": "min(min({x}))",
    "ismax": "double({x} == max(max({x})))",
    "conv": "conv({x}, {w})",
    "corr": "correlation_matrix({x}, {w})*{w}",
    "convmat": "convolution_matrix({x}, {w})",
    "hankel": "correlation_matrix({x}, {w})",
    "adjugate": "adjugate({x})",
}
# functions that the code brings along, each after those that it calls
LIBRARY = """
function y = relu(x)
  % where x is NaN, so is the result
  y = x;
  y(x <= 0) = 0;
end

function y = elu(x)
  y = expm1(min(x, 0));
  y(x > 0) = x(x > 0);
end

function y = sigmoid(x)
  e = exp(-abs(x));
  y = e./(1 + e);
  y(x >= 0) = 1./(1 + e(x >= 0));
end

function y = softplus(x)
  y = max(x, 0) + log1p(exp(-abs(x)));
end

function y = sech2(x)
  e = exp(-2*abs(x));
  y = 4*e./(1 + e).^2;
end

function y = logcosh(x)
  % by q = exp(-z) - 1, cosh(z) is 1 + q^2/(2*(1 + q)) near 0, and exp(z)*(1 + q*(2 + q)/2) beyond 1
  z = abs(x);
  q = expm1(-z);
  y = z + log1p(q.*(2 + q)/2);
  near = z < 1;
  y(near) = log1p(q(near).^2./(1 + q(near))/2);
end

function y = normcdf(x)
  y = erfc(-x/sqrt(2))/2;
end

function y = log_normcdf(x)
  % by erfcx where the function would underflow, by log1p where its logarithm is near 0
  y = log1p(-erfc(x/sqrt(2))/2);
  low = x < -1;
  y(low) = log(erfcx(-x(low)/sqrt(2))/2) - x(low).^2/2;
end

function y = huber(x, w)
  near = min(abs(x), w);
  y = near.*(abs(x) - near/2);
end

function y = exp_below(x)
  y = exp(min(x, 0));
end

function y = reciprocal(x)
  % the slope of a norm at 0 is taken to be 0
  y = 1./x;
  y(x == 0) = 0;
end

function y = masked(x, w)
  y = x + zeros(size(w));
  y((w == 0) & true(size(y))) = -inf;
end

function y = xlogy(x, w)
  y = x.*log(w);
  y((x == 0) & (w == w)) = 0;
end

function y = xlog1py(x, w)
  y = x.*log1p(w);
  y((x == 0) & (w == w)) = 0;
end

function y = power_slope(x, p)
  y = p.*x.^(p - 1);
  y((p == 0) & (x == x)) = 0;
end

function t = top_rows(x)
  t = max(x, [], 2);
  t(~isfinite(t)) = 0;
end

function t = top(x)
  t = top_rows(reshape(x, 1, []));
end

function [y, s] = softmax_logsumexp_rows(x)
  t = top_rows(x);
  e = exp(x - t);
  total = sum(e, 2);
  y = e./total;
  s = t + log(total);
end

function [y, s] = softmax_logsumexp(x)
  [y, s] = softmax_logsumexp_rows(reshape(x, 1, []));
  y = reshape(y, size(x));
end

function y = softmax_rows(x)
  e = exp(x - max(x, [], 2));
  y = e./sum(e, 2);
end

function s = logsumexp_rows(x)
  [~, s] = softmax_logsumexp_rows(x);
end

function y = logsoftmax_rows(x)
  y = x - max(x, [], 2);
  y = y - log(sum(exp(y), 2));
end

function y = softmax(x)
  y = reshape(softmax_rows(reshape(x, 1, [])), size(x));
end

function s = logsumexp(x)
  s = logsumexp_rows(reshape(x, 1, []));
end

function y = logdet(x)
  [~, u] = lu(x);
  y = sum(log(abs(diag(u))));
end

function y = signed_logdet(x)
  % of a negative determinant NaN
  y = logdet(x);
  if det(x/max(max(abs(x)))) < 0
    y = nan;
  end
end

function y = adjugate(x)
  % det(x)*inv(x) by singular values, of which one may be 0: each is replaced by the product of the
  % others
  [u, s, v] = svd(x);
  n = size(x, 1);
  others = repmat(diag(s), 1, n);
  others(eye(n) == 1) = 1;
  y = det(u)*det(v)*(v.*prod(others, 1))*u';
end

function y = eigvals(x)
  y = sort(eig(tril(x) + tril(x, -1)'));
end

function v = eigvecs(x)
  [v, d] = eig(tril(x) + tril(x, -1)');
  [~, order] = sort(diag(d));
  v = v(:, order);
end

function y = polar(x)
  [u, ~, v] = svd(x, 'econ');
  y = u*v';
end

function y = leading(x)
  [u, ~, v] = svd(x, 'econ');
  y = u(:, 1)*v(:, 1)';
end

function y = frechet(f, x, e)
  % Mathias 1996: the upper right block of f of [x e; 0 x], of which e is not the larger part
  n = size(x, 1);
  large = max(max(abs(e)));
  if large == 0
    large = 1;
  end
  y = f([x, e/large; zeros(n), x]);
  y = large*y(1:n, n + 1:2*n);
end

function y = power_frechet(x, e, k)
  y = frechet(@(z) mpower(z, k), x, e);
end

function y = spectral_frechet(f, x, e)
  % Daleckii & Krein 1965: in the eigenvectors of x it multiplies e by divided differences; of equal
  % eigenvalues these are derivatives
  [v, d] = eig((x + x')/2);
  d = diag(d);
  y = v*(f(max(d, d'), min(d, d')).*(v'*e*v))*v';
end

function y = expm_slopes(above, below)
  gap = above - below;
  y = -expm1(-gap)./gap;
  y(gap == 0) = 1;
  y = exp(above).*y;
end

function y = logm_slopes(above, below)
  gap = (above - below)./below;
  y = log1p(gap)./gap;
  y(gap == 0) = 1;
  y = y./below;
end

function y = sqrtm_slopes(above, below)
  y = 1./(sqrt(above) + sqrt(below));
end

function y = convolution_matrix(x, w)
  % the entry x(i) stands in row i + j - 1 of column j
  edge = zeros(numel(w) - 1, 1);
  y = toeplitz([x; edge], [x(1); edge]);
end

function y = correlation_matrix(x, w)
  n = numel(x) - numel(w) + 1;
  y = hankel(x(1:n), x(n:end));
end

function y = skew(x)
  y = [0, -x(3), x(2); x(3), 0, -x(1); -x(2), x(1), 0];
end

function y = unskew(a)
  y = [a(3, 2) - a(2, 3); a(1, 3) - a(3, 1); a(2, 1) - a(1, 2)];
end

function y = embed(x, start, len)
  % x among zeros, after some rows of them
  y = [zeros(start, size(x, 2)); x; zeros(len - start - size(x, 1), size(x, 2))];
end

function y = commutation(m, n)
  % K*vec(X) = vec(X') for X m-by-n
  y = eye(m*n);
  order = reshape(1:m*n, m, n)';
  y = y(order, :);
end

function y = shifts(n, m)
  % row i + j - 1 of column (i, j) is 1
  y = eye(n + m - 1);
  order = ((1:n)' + (0:m - 1))';
  y = y(:, order);
end

function y = by_rows(x, before, after)
  % the same entries with other axes, the last of which counts first
  k = numel(before);
  x = permute(reshape(x, [before, 1, 1]), [k:-1:1, k + 1, k + 2]);
  k = numel(after);
  y = permute(reshape(x, [flip(after), 1, 1]), [k:-1:1, k + 1, k + 2]);
end

function y = einsum(text, varargin)
  % every array gets all axes, the summed ones last
  [inputs, outer] = strtok(text, '-');
  outer = outer(3:end);
  inputs = strsplit(inputs, ',');
  letters = [outer, setdiff(unique([inputs{:}]), outer)];
  k = numel(letters);
  y = 1;
  for i = 1:numel(inputs)
    axes = inputs{i};
    lengths = size(varargin{i});
    lengths(end + 1:numel(axes)) = 1;
    [names, first, which] = unique(axes);
    lengths = lengths(first);
    lengths = reshape(lengths, 1, []);
    % an axis that occurs twice is read along the diagonal
    steps = cumprod([1, size(varargin{i})]);
    steps(end + 1:numel(axes)) = 1;
    at = 0;
    for j = 1:numel(names)
      stride = sum(steps(which == j));
      at = at + stride*reshape(0:lengths(j) - 1, [ones(1, j - 1), lengths(j), 1]);
    end
    a = reshape(varargin{i}(at + 1), [lengths, 1, 1]);
    places = zeros(1, k);
    [~, position] = ismember(names, letters);
    places(position) = 1:numel(names);
    places(places == 0) = numel(names) + 1:k;
    y = y.*permute(a, [places, k + 1, k + 2]);
  end
  for j = numel(outer) + 1:k
    y = sum(y, j);
  end
end
"""


def _called(piece: str) -> tuple[str, frozenset[str]]:
    """A function, and the words in it, among them the functions that it calls."""
    return piece, frozenset(re.findall(r"\w+", piece))


HELPERS = Excerpts(
    {
        name: text
        for text in re.findall(r"^function .*?^end$", LIBRARY, re.MULTILINE | re.DOTALL)
        for name in re.findall(r"^function (?:[^=\n]*= )?(\w+)\(", text)
    },
    read=_called,
)
IN_ROWS = "_rows"  # how the names of functions of each row end
WORD = re.compile(r"[A-Za-z_][\w.]*")
OPERATORS = {"**": ".^", "*": ".*", "/": "./"}


@cache
def dialect() -> Dialect:
    """Octave's dialect."""
    return Dialect(
        name="octave",
        module="pi",
        head=(),
        calls=CALLS,
        helpers=HELPERS,
        spellings=SPELLINGS,
        adapted=_adapted,
        write=_written,
    )


def _adapted(text: str) -> str:
    """NumPy's code where it calls nothing but functions that are called alike here; else nothing.

    >>> _adapted("{x}*sigmoid({x})"), _adapted("np.clip({x}, -1, 1)")
    ('{x}.*sigmoid({x})', '')
    """
    text = text.replace("np.", "")
    words = WORD.findall(re.sub(r"\{\w\}", "", text))
    if not FUNCTIONS.union(HELPERS).issuperset(words) or "}." in text or "[" in text:
        return ""
    return re.sub(r"\*\*|[*/]", lambda found: OPERATORS[found[0]], text)


def _written(plan: Plan, dialect: Dialect, name: str, several: bool) -> Source:
    return _Writer(plan, dialect).source(name, several)


def _latin(name: str) -> str:
    """A name in ASCII letters, Greek ones by their names."""
    return "".join(c if c.isascii() else _spelled(c) for c in name)


def _spelled(letter: str) -> str:
    _, case, _, name = unicodedata.name(letter).split()[:4]
    return name.lower() if case == "SMALL" else name.capitalize()


class _Writer(Writer):
    """Writes one file: a function, then those that it brings along."""

    def __init__(self, plan: Plan, dialect: Dialect) -> None:
        super().__init__(plan, dialect)
        self.pairs: dict[Step, tuple[str, str]] = {}

    # ---- names -----------------------------------------------------------------------------------

    def fresh(self, wish: str) -> str:
        return super().fresh(_latin(wish))

    def has_meaning(self, name: str) -> bool:
        return name in KEYWORDS or name in FUNCTIONS or name in HELPERS

    def shape(self, axes: Iterable[Size]) -> str:
        """Lengths as arguments; a vector is a column."""
        return ", ".join(self._lengths(tuple(axes)))

    def _lengths(self, axes: Axes) -> list[str]:
        lengths = [self.length(size) for size in axes]
        return lengths + ["1"] * (2 - len(lengths))

    # ---- the file --------------------------------------------------------------------------------

    def source(self, name: str, several: bool) -> Source:
        self.taken.add(name)
        for step in self.order:
            self.codes[step] = self._placed(step, self.code(step))
        results = list(self._results())
        outputs = [self.fresh(wish) for wish in _outputs(name, len(results))]
        self._find_sizes()
        checks = list(self._checks())
        shown = self._shown()
        hidden = [a for a in self.mentioned if a not in shown]
        parameters = {self.names[v]: v.name for v in self.variables}
        parameters |= {self.names[a]: a for a in hidden}
        left = outputs[0] if len(outputs) == 1 else f"[{', '.join(outputs)}]"
        last = [f"{a} = {text};" for a, text in zip(outputs, results, strict=True)]
        body = [*self._sizes(), *checks, *self.lines, *last]
        text = self._file(f"function {left} = {name}({', '.join(parameters)})", body)
        return Source(text, name, parameters, self.plan.exprs, tuple(self.variables), tuple(hidden))

    def _file(self, signature: str, body: list[str]) -> str:
        """The function, then those that it calls."""
        about = [f"  % {line}".rstrip() for line in self._about()]
        function = "\n".join([signature, *about, *(f"  {line}" for line in body), "end"])
        _, words = _called("\n".join(body))
        helpers, _ = self.dialect.helpers.needed(words)
        return "\n\n".join([function, *helpers]) + "\n"

    def _results(self) -> Iterator[str]:
        """The results; a vector that is a row in the mathematics is one."""
        for e, step in zip(self.plan.exprs, self.plan.roots, strict=True):
            code = self.of(step)
            yield f"{code.at(ATOM)}'" if isinstance(e, Expr) and _is_row(e) else code.text

    def _about(self) -> list[str]:
        """The lines of the docstring that the other targets have, without its quotes."""
        return [line.strip('"') for line in self._doc() if line.strip('"') or line == ""]

    def _shown(self) -> dict[str, str]:
        """Where each named size can be read from: n itself before n + 1."""
        plain: dict[str, str] = {}
        solved: dict[str, str] = {}
        for v in self.variables:
            for i, size in enumerate(own_axes(v), 1 + _is_row(v)):
                found = linear(size)
                if found is None:
                    continue
                name, k, constant = found
                length = f"size({self.names[v]}, {i})"
                if (k, constant) == (1, 0):
                    plain.setdefault(name, length)
                else:
                    solved.setdefault(name, _solved(length, k, constant))
        return solved | plain

    def _sizes(self) -> list[str]:
        """Lines that read the sizes off the arguments, both of a matrix at once."""
        shown = self._shown()
        unread = [a for a in self.mentioned if a in shown]
        lines = []
        for name, pair in self._pairs().items():
            if self.mentioned.keys() >= {*pair}:
                lines.append(f"[{', '.join(self.names[a] for a in pair)}] = size({name});")
                unread = [a for a in unread if a not in pair]
        return lines + [f"{self.names[a]} = {shown[a]};" for a in unread]

    def _pairs(self) -> dict[str, tuple[str, ...]]:
        """The matrices from which both of their sizes are read."""
        shown = self._shown()
        pairs = {}
        for v in self.variables:
            name = self.names[v]
            pair = tuple(a for size in own_axes(v) for a in base_atoms(size) if isinstance(a, str))
            read = [f"size({name}, {i})" for i in (1, 2)]
            if len(own_axes(v)) == 2 and [shown.get(a) for a in pair] == read:
                pairs[name] = pair
        return pairs

    def _checks(self) -> Iterator[str]:
        """A line for each argument that says which size it must have; then rows become columns."""
        known, read = {*self._shown(), *self.mentioned}, self._pairs()
        for v in self.variables:
            atoms = {a for size in own_axes(v) for a in base_atoms(size) if isinstance(a, str)}
            if atoms <= known and self.names[v] not in read:
                yield self._check(v)
        for v in self.variables:
            if _is_row(v):
                yield f"{self.names[v]} = {self.names[v]}';"

    def _check(self, v: Expr) -> str:
        name, axes = self.names[v], own_axes(v)
        if not axes:
            return f"assert(isscalar({name}), '{name} must be a number');"
        lengths = self._lengths(axes)
        if _is_row(v):
            lengths.reverse()
        size = f"size({name})"
        if len(axes) > 2:  # which drops axes of length one at the end
            size = f"[{', '.join(f'size({name}, {i})' for i in range(1, len(axes) + 1))}]"
        shown = "-by-".join(lengths)
        return f"assert(isequal({size}, [{', '.join(lengths)}]), '{name} must be {shown}');"

    # ---- placing ---------------------------------------------------------------------------------

    def _placed(self, step: Step, code: Code) -> Code:
        if step.op == "T" and step.args[0].op == "arg":
            return code
        return super()._placed(step, code)

    def keep(self, text: str) -> str:
        name = self.temporary()
        self.lines.append(f"{name} = {text};")
        return name

    # ---- one step --------------------------------------------------------------------------------

    def code(self, step: Step) -> Code:
        special = _SPECIAL.get(step.op)
        code = super().code(step) if special is None else special(self, step)
        depth = 1 + max((self.codes[a].depth for a in step.args if a in self.codes), default=0)
        return Code(code.text, code.level, depth if step.args else 0)

    def filled(self, text: str, step: Step) -> Code:
        """A template with the codes of the arguments, and how tightly that binds."""
        code = super().filled(text, step)
        return code if text == "{0}" else Code(code.text, _level(text))

    def beside(self, a: Step, axes: Axes) -> Code:
        """An argument of what is done entry by entry: a vector beside a matrix is a row of it."""
        code = self.of(a)
        return Code(f"{code.at(ATOM)}'", POWER) if len(a.axes) == 1 < len(axes) else code

    def term(self, k: Fraction, a: Step, total: Step) -> Code:
        code = self.beside(a, total.axes)
        if k == 1:
            return code
        if a.op == "num":
            return Code(number(k * a.data), PRODUCT)
        return Code(f"{number(k)}*{code.at(SIGN)}", PRODUCT)

    def mul(self, step: Step) -> Code:
        """Numbers first; a dot stands between two arrays."""
        coefficient, above = step.data
        over, under = step.args[:above], step.args[above:]
        factor = {a: self.beside(a, step.axes).at(SIGN) for a in step.args}
        parts = [number(abs(coefficient))] if abs(coefficient) != 1 else []
        parts += [factor[a] for a in over if a.is_scalar]
        if arrays := [factor[a] for a in over if not a.is_scalar]:
            parts.append(".*".join(arrays))
        text = "*".join(parts) or "1"
        sign = "-" if coefficient < 0 else ""
        return Code("".join([sign, text, *(_divided(b, factor[b]) for b in under)]), PRODUCT)

    def pow(self, step: Step) -> Code:
        base, exponent = step.args[0], number(step.data)
        if exponent == "0.5":
            return self.filled(CALLS["sqrt"], step)
        exponent = exponent if exponent.isdigit() else f"({exponent})"
        return Code(f"{self.of(base).at(ATOM)}{'.^' if step.axes else '^'}{exponent}", POWER)

    def number_power(self, step: Step) -> Code:
        base, exponent = (self.beside(a, step.axes).at(ATOM) for a in step.args)
        return Code(f"{base}{'.^' if step.axes else '^'}{exponent}", POWER)

    def fn(self, step: Step) -> Code:
        """A function of the table, or the pair of softmax and logsumexp."""
        by_rows = step.data.endswith(IN_ROWS) and len(step.args[0].axes) == 1  # of a single row
        row = BY_NAME.get(step.data)
        if row is None:
            return self._pair(step, by_rows)
        text = template(row, self.dialect)
        if not text:
            raise Unsupported(
                f"{row.name} has no code for {self.dialect.name}",
                "it is none of its functions, and none that comes with the code",
            )
        if by_rows:
            text = text.replace("{0}", "<0>'") + ("'" if step.axes else "")
        for i, a in enumerate(step.args):
            if self._is_row(step, a):
                text = text.replace(f"{{{i}}}", f"<{i}>'").replace(f"«{i}»", f"<{i}>'")
        return self.filled(text, step)

    def _is_row(self, step: Step, a: Step) -> bool:
        """Tell whether a vector is meant along the second axis of what a function makes."""
        row = BY_NAME[step.data]
        by_entries = row.signature == "ij,ij->ij" or step.data == "kron"
        return by_entries and len(a.axes) == 1 < len(step.axes)

    def _pair(self, step: Step, by_rows: bool) -> Code:
        if step not in self.pairs:
            self.pairs[step] = (self.temporary(), self.temporary())
            argument = (
                f"{self.of(step.args[0]).at(ATOM)}'" if by_rows else self.of(step.args[0]).text
            )
            self.lines.append(f"[{', '.join(self.pairs[step])}] = {step.data}({argument});")
            if by_rows:
                self.lines.append(f"{self.pairs[step][0]} = {self.pairs[step][0]}';")
        return Code(self.pairs[step][0], ATOM)

    # ---- what the sizes decide -------------------------------------------------------------------

    def choose(self, step: Step) -> Code:
        """The cheapest order for the sizes at hand, as a statement."""
        for part in self.shared.get(step, ()):
            if part not in self.codes:
                tests = dict.fromkeys(self._tests(other)[i] for other, i in self.shared[step][part])
                code, name = self.of(part).text, self.temporary()
                self.lines += [f"if {' || '.join(tests)}", f"  {name} = {code};", "end"]
                self.codes[part] = Code(name, ATOM)
        texts, name = [self.of(a).text for a in step.args], self.temporary()
        first, *others = self._tests(step)[:-1]
        heads = [f"if {first}", *(f"elseif {test}" for test in others), "else"]
        for head, text in zip(heads, texts, strict=True):
            self.lines += [head, f"  {name} = {text};"]
        self.lines.append("end")
        return Code(name, ATOM)

    def _tests(self, step: Step) -> list[str]:
        return [
            test.replace(" and ", " && ").replace(" or ", " || ").replace("not (", "~(")
            for test in super()._tests(step)
        ]


def _is_row(e: Expr) -> bool:
    """Tell whether an expression is a row, which the steps of a plan hold as a column."""
    return len(own_axes(e)) == 1 and e.shape_[0] == UNIT


def _outputs(name: str, count: int) -> list[str]:
    """The names of the results."""
    if name == "value_and_gradient":
        return ["f", "g"]
    return ["g"] if count == 1 else [f"g{i}" for i in range(1, count + 1)]


def _divided(b: Step, factor: str) -> str:
    return f"/{factor}" if b.is_scalar else f"./{factor}"


def _solved(length: str, k: int, constant: int) -> str:
    """The n of an axis of length k*n + constant."""
    rest = f"{length} {'-' if constant > 0 else '+'} {abs(constant)}" if constant else length
    if k == 1:
        return rest
    return f"({rest})/{k}" if constant else f"{rest}/{k}"


def _level(text: str) -> int:
    """How tightly a template binds."""
    bare, inner = text, ""
    while bare != inner:
        bare, inner = re.sub(r"\([^()]*\)|\[[^\[\]]*\]", "", bare), bare
    if re.search(r" [-+<>=]+ ", bare) or bare.startswith("-"):
        return SUM
    if re.search(r"[*/\\]", bare):
        return PRODUCT
    return POWER if re.search(r"['^]", bare) else ATOM


# ---- operations that are no call ----------------------------------------------------------------


def _dot(w: _Writer, s: Step) -> Code:
    a, b = s.args
    left = f"{w.of(a).at(ATOM)}'" if len(a.axes) == 1 else w.of(a).at(PRODUCT)
    return Code(f"{left}*{w.of(b).at(SIGN)}", PRODUCT)


def _outer(w: _Writer, s: Step) -> Code:
    u, v = s.args
    return Code(f"{w.of(u).at(PRODUCT)}*{w.of(v).at(ATOM)}'", PRODUCT)


def _transpose(w: _Writer, s: Step) -> Code:
    return Code(f"{w.of(s.args[0]).at(ATOM)}'", POWER)


def _rows(w: _Writer, s: Step) -> Code:
    """Neighbouring rows, counted from 1; a single one is a vector, and those are columns."""
    (a,) = s.args
    first, last = w.length((s.data.first,)), w.length((s.data.stop,))
    code = w.of(a).text
    name = code if code.isidentifier() else w.keep(code)
    index = f"{first}:{last}" if s.data.width else first
    text = f"{name}({', '.join([index, *':' * (len(a.axes) - 1)])})"
    if s.data.width or len(a.axes) == 1:
        return Code(text, ATOM)
    if len(a.axes) == 2:
        return Code(f"{text}'", POWER)
    return Code(f"reshape({text}, [{w.shape(s.axes)}])", ATOM)


def _embedded(w: _Writer, s: Step) -> Code:
    arguments = [w.of(s.args[0]).text, w.length((s.data.start,)), w.length(s.axes[0])]
    return Code(f"embed({', '.join(arguments)})", ATOM)


def _concatenated(w: _Writer, s: Step) -> Code:
    between = "; " if s.data == 0 else ", "
    return Code(f"[{between.join(w.of(a).text for a in s.args)}]", ATOM)


def _reshaped(w: _Writer, s: Step) -> Code:
    (a,) = s.args
    before, after = (", ".join(w.length(size) for size in x.axes) for x in (a, s))
    return Code(f"by_rows({w.of(a).text}, [{before}], [{after}])", ATOM)


def _einsum(w: _Writer, s: Step) -> Code:
    arrays = ", ".join(w.of(a).text for a in s.args)
    return Code(f"einsum('{s.data}', {arrays})", ATOM)


def _item(w: _Writer, s: Step) -> Code:
    w.of(s.args[0])
    return Code(w.pairs[s.args[0]][s.data], ATOM)


def _filled(w: _Writer, s: Step) -> Code:
    code = w.beside(s.args[0], s.axes)
    return Code(f"{code.text} + zeros({w.shape(s.axes)})", SUM)


def _as_it_is(w: _Writer, s: Step) -> Code:
    return w.of(s.args[0])


_SPECIAL: dict[str, Callable[[_Writer, Step], Code]] = {
    "dot": _dot,
    "outer": _outer,
    "T": _transpose,
    "col": _as_it_is,
    "rows": _rows,
    "embed": _embedded,
    "concat": _concatenated,
    "reshape": _reshaped,
    "einsum": _einsum,
    "item": _item,
    "fill": _filled,
    "pi": lambda w, s: Code("pi", ATOM),
    "fn": _Writer.fn,
    "mul": _Writer.mul,
    "pow": _Writer.pow,
    "power": _Writer.number_power,
    "choose": _Writer.choose,
}
