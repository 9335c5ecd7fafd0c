"""The one table of functions: name, meaning, derivative, values, LaTeX and code, one row each.

Parser, shapes, chain, printers, code generators, proofs, help and tests all read this table; what
is known of a function stands here and nowhere else. Other files *use* functions: they call one
(``call("inv", x)``), recognise one (``e.head == "inv"``), or handle one that needs an algorithm of
its own, in a dispatch table of code by name. No collection elsewhere lists functions that have
something in common: that is a column. A test reads all sources for this rule.

A row has one kind of meaning:

* ``derivative`` — an elementwise function; the scalar derivative in matcalc's own language, with
  elementwise operators so that the same text serves scalars, vectors and matrices; ``second`` is
  that by a second argument, and either argument may be a scalar;
* ``define`` — a structural function: what an entry of the result *is*, as a product of entries of
  the arguments, in labels (``tr``: ``x[i,i]``); ``shift[k,i,j]`` is 1 where k = i + j, else 0. Its
  derivative is the cut: strike the argument out, its labels become outputs;
* ``adjoint`` — a function whose differential is no sum of products: the adjoint of its argument
  ``x`` as an expression in ``x``, the result ``y`` and the adjoint ``g`` of the result; good for
  gradients of scalars only, beside a ``rule`` for the rest;
* ``rule`` — any other function: its differential in labels, where ``x`` and ``w`` are the
  arguments, ``y`` the result, ``1[i]`` ones, ``I[i,j]`` the identity, and any other factor is an
  expression in matcalc's language followed by its labels.

``signature`` gives the axes of the arguments and of the result, one letter each: ``ij->ji``. ``1``
is an axis of length one, ``3`` one of length three, ``(ik)`` an axis that is the product of two. A
letter that stands for an axis of length one in a call simply disappears. A row without any of them
may be evaluated but not differentiated: it is refused by name.

All other columns have defaults, most of them "nothing is known"; a loop of tests/tables proves each.
The arguments are ``x``, ``w`` and ``z`` in every text.

*What it is elsewhere.* ``exact`` defines the function by simpler ones. ``scalar`` is its value at
1×1 arguments, ``column`` that at a single column: a call with such arguments becomes that value.
``values`` is the interval of its entries, as in ``[0, inf)``, for arguments inside of ``domain``,
between whose ends an entry must lie. ``beyond`` says how it goes on in the complex numbers, which
decides where an identity can be trusted: with ``branches``, from which it comes back another
function, or with ``poles``; "" is neither. ``parity`` gives f(-x) from f(x): odd, even, reciprocal;
or ``logarithm``: f(1/x) = -f(x). ``transpose`` is ``commutes``, f(x') = f(x)', or ``invariant``,
f(x') = f(x).

*Functions that belong to it.* ``each_row`` takes each row by itself, or is smooth and does so where
this function is not smooth; ``of_matrices`` is the function of matrices that an elementwise one is
mistaken for; ``weighted`` is the product of x and f(w), and 0 where x is; f(x) is exp(x - g) for the
function g that is the ``normalizer``.

``exponent`` is a t for which f(x) is exp(t) times something of moderate size, so that sums are
formed without overflow. A ``norm`` is 0 where its arguments are and nowhere else, and as large as
they are. ``of_vectors`` takes vectors first of all: an undeclared name a to g in it is one.

``cost`` is the number of flops of the numpy column: a polynomial in the letters of the signature,
in ``min(i,j)``, and in ``products(w)``, how many products a power takes by squaring. A flop is one
of + - * / or a comparison; a square root counts 4 and any other function of an entry 8 (McMahon
1986, "The Livermore Fortran Kernels"); what only moves entries counts 0.

*Spelling.* ``numpy`` is code, which a target spells alike or otherwise in its own file; ``sympy`` is
SymPy's name, with the numbers that follow the argument there: ``Max(x, 0)``. mpmath is asked for
the same name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

INFINITY = float("inf")
ARGUMENTS = "xwz"  # the names of the arguments in every text of the table

Argument = TypeVar("Argument")


@dataclass(frozen=True, slots=True)
class Row:
    """One function; the columns are explained at the head of this file."""

    name: str
    doc: str
    signature: str = "ij->ij"
    latex: str = ""
    aliases: tuple[str, ...] = ()
    hidden: bool = False  # used inside other rows only
    # its meaning and its differential
    derivative: str = ""
    second: str = ""
    define: str = ""
    rule: str = ""
    adjoint: str = ""
    smooth: bool = True  # False for what has kinks, branches, or values that may meet
    # where an argument makes the function nonsmooth; the value used there is in the doc
    kinks: tuple[float, ...] = ()
    # what it takes
    square: bool = False
    symmetric: bool = False  # a matrix that can be seen to be symmetric
    matrix: bool = False  # a matrix (or a scalar) only
    vector: bool = False  # a vector (or a scalar) only
    of_vectors: bool = False
    domain: tuple[float, float] = (-INFINITY, INFINITY)
    entries: str = ""  # the axes that must not be empty, by their letters
    lengths: str = ""  # a length of the result that is a sum of others: k=i+j-1
    # what it is elsewhere
    exact: str = ""
    scalar: str = ""
    column: str = ""
    values: str = "(-inf, inf)"
    beyond: str = ""
    parity: str = ""
    transpose: str = ""
    norm: bool = False
    exponent: str = ""
    # functions that belong to it, by name
    each_row: str = ""
    of_matrices: str = ""
    weighted: str = ""
    normalizer: str = ""
    # code, in which {x}, {w} and {z} stand for the arguments, and what it costs
    numpy: str = ""  # its code; other targets spell it alike, or say so in their own files
    sympy: str = ""
    cost: str = ""  # flops: 2*i^3

    @property
    def elementwise(self) -> bool:
        return bool(self.derivative)

    @property
    def structural(self) -> bool:
        """Whether every entry of the result is a sum of products of entries, or 0."""
        return bool(self.define) and not self.lengths

    @property
    def bounds(self) -> tuple[float, float]:
        """The ends of the interval of its values."""
        low, high = self.values[1:-1].split(", ")
        return float(low), float(high)

    @property
    def positive(self) -> bool:
        """Whether every entry of the result is above zero."""
        low = self.bounds[0]
        return low > 0 or (low == 0 and self.values[0] == "(")

    @property
    def arity(self) -> int:
        return self.signature.split("->")[0].count(",") + 1

    def named(self, arguments: Sequence[Argument]) -> dict[str, Argument]:
        """The arguments of a call by the names that they have in the texts of the row.

        >>> BY_NAME["kron"].named([1, 2])
        {'x': 1, 'w': 2}
        """
        return dict(zip(ARGUMENTS, arguments, strict=False))


def _entry(name: str, doc: str, derivative: str, each: int = 8, **more: object) -> Row:
    """An elementwise function, of ``each`` flops an entry."""
    columns: dict[str, object] = {
        "latex": rf"\operatorname{{{name}}}",
        "transpose": "commutes",
        "cost": f"{each}*i*j",
    }
    columns |= more
    return Row(name=name, doc=doc, derivative=derivative, **columns)  # type: ignore[arg-type]


def _pair(name: str, doc: str, first: str, second: str, each: int, **more: object) -> Row:
    """An elementwise function of two arguments; a scalar goes with any shape."""
    columns: dict[str, object] = {"signature": "ij,ij->ij", "second": second, "smooth": False}
    return _entry(name, doc, first, each, **(columns | more))


ROWS: tuple[Row, ...] = (
    # ---- elementwise -----------------------------------------------------------------------------
    _entry("exp", "e^x, entry by entry (expm is the matrix exponential)", "exp(x)", latex=r"\exp", parity="reciprocal", values="(0, inf)", of_matrices="expm", exponent="x",
        numpy="np.exp({x})", sympy="exp"),
    _entry("log", "natural logarithm, entry by entry", "1./x", latex=r"\log", aliases=("ln",), domain=(0, INFINITY), beyond="branches", parity="logarithm", of_matrices="logm", weighted="xlogy",
        numpy="np.log({x})", sympy="log"),
    _entry("sin", "sine", "cos(x)", latex=r"\sin", exact="2*tanhalf(x)./(1+tanhalf(x).^2)", numpy="np.sin({x})", sympy="sin"),
    _entry("cos", "cosine", "-sin(x)", latex=r"\cos", exact="(1-tanhalf(x).^2)./(1+tanhalf(x).^2)", numpy="np.cos({x})", sympy="cos"),
    _entry("tan", "tangent", "1+tan(x).^2", latex=r"\tan", domain=(-1.4, 1.4), beyond="poles", exact="2*tanhalf(x)./(1-tanhalf(x).^2)",
        numpy="np.tan({x})", sympy="tan"),
    _entry("arcsin", "inverse sine", "1./sqrt(1-x.^2)", latex=r"\arcsin", aliases=("asin",), domain=(-1, 1), beyond="branches", parity="odd",
        numpy="np.arcsin({x})", sympy="asin"),
    _entry("arccos", "inverse cosine", "-1./sqrt(1-x.^2)", latex=r"\arccos", aliases=("acos",), domain=(-1, 1), beyond="branches",
        numpy="np.arccos({x})", sympy="acos"),
    _entry("arctan", "inverse tangent", "1./(1+x.^2)", latex=r"\arctan", aliases=("atan",), beyond="branches", parity="odd",
        numpy="np.arctan({x})", sympy="atan"),
    _entry("sinh", "hyperbolic sine", "cosh(x)", latex=r"\sinh", exact="(exp(x)-1./exp(x))/2", exponent="abs(x)", numpy="np.sinh({x})", sympy="sinh"),
    _entry("cosh", "hyperbolic cosine", "sinh(x)", latex=r"\cosh", values="[1, inf)", exact="(exp(x)+1./exp(x))/2", exponent="abs(x)",
        numpy="np.cosh({x})", sympy="cosh"),
    _entry("tanh", "hyperbolic tangent", "1-tanh(x).^2", latex=r"\tanh", exact="(exp(x).^2-1)./(exp(x).^2+1)", numpy="np.tanh({x})", sympy="tanh"),
    _entry("arcsinh", "inverse hyperbolic sine", "1./sqrt(x.^2+1)", aliases=("asinh",), beyond="branches", parity="odd",
        numpy="np.arcsinh({x})", sympy="asinh"),
    _entry("arccosh", "inverse hyperbolic cosine", "1./sqrt(x.^2-1)", aliases=("acosh",), domain=(1, INFINITY), beyond="branches", values="[0, inf)",
        numpy="np.arccosh({x})", sympy="acosh"),
    _entry("arctanh", "inverse hyperbolic tangent", "1./(1-x.^2)", aliases=("atanh",), domain=(-1, 1), beyond="branches", parity="odd",
        numpy="np.arctanh({x})", sympy="atanh"),
    _entry("log1p", "log(1 + x), accurate near 0", "1./(1+x)", domain=(-1, INFINITY), beyond="branches", exact="log(1+x)", weighted="xlog1py",
        numpy="np.log1p({x})"),
    _entry("expm1", "exp(x) - 1, accurate near 0", "exp(x)", exact="exp(x)-1", numpy="np.expm1({x})"),
    _entry("sigmoid", "1/(1 + exp(-x))", "sigmoid(x).*(1-sigmoid(x))", latex=r"\sigma", aliases=("logistic",), values="(0, 1)", exact="1./(1+exp(-x))", each=11,
        numpy="sigmoid({x})"),
    _entry("softplus", "log(1 + exp(x))", "sigmoid(x)", values="(0, inf)", exact="log(1+exp(x))", each=20,
        numpy="np.logaddexp(0, {x})"),
    _entry("relu", "max(x, 0); derivative 0 at 0", "step(x)", aliases=("pos",), smooth=False, kinks=(0,), values="[0, inf)", exact="x.*step(x)", each=1,
        numpy="np.maximum({x}, 0)", sympy="Max(x, 0)"),
    _entry("step", "1 for x > 0, else 0", "0*x", aliases=("heaviside",), smooth=False, kinks=(0,), values="[0, 1]", exact="(sign(x)+sign(x).^2)/2", each=1,
        numpy="({x} > 0).astype(float)", sympy="Heaviside(x, 0)"),
    _entry("abs", "absolute value; derivative 0 at 0", "sign(x)", latex=r"\operatorname{abs}", smooth=False, kinks=(0,), values="[0, inf)", norm=True, exact="x.*sign(x)", each=1,
        numpy="np.abs({x})", sympy="Abs"),
    _entry("sign", "-1, 0 or 1", "0*x", aliases=("sgn",), smooth=False, kinks=(0,), parity="odd", each=2,
        numpy="np.sign({x})", sympy="sign"),
    _entry("leaky_relu", "x for x > 0, else x/100; derivative 1/100 at 0", "step(x)+0.01*(1-step(x))", smooth=False, kinks=(0,), exact="x.*step(x)+0.01*x.*(1-step(x))", each=2,
        numpy="np.where({x} > 0, {x}, 0.01*{x})"),
    _entry("elu", "x for x > 0, else exp(x) - 1", "exp(-relu(-x))", smooth=False, kinks=(0,), exact="x.*step(x)+(exp(x)-1).*(1-step(x))", each=10,
        numpy="np.where({x} > 0, {x}, np.expm1(np.minimum({x}, 0)))"),
    _entry("silu", "x*sigmoid(x)", "sigmoid(x).*(1+x.*(1-sigmoid(x)))", aliases=("swish",), exact="x.*exp(x)./(1+exp(x))", each=12, numpy="{x}*sigmoid({x})"),
    _entry("mish", "x*tanh(softplus(x))", "tanh(softplus(x))+x.*(1-tanh(softplus(x)).^2).*sigmoid(x)", exact="x.*tanh(log(1+exp(x)))", each=29,
        numpy="{x}*np.tanh(np.logaddexp(0, {x}))"),
    _entry("hardtanh", "x between -1 and 1, else the nearer of them; derivative 0 at both", "step(x+1).*step(1-x)",
        smooth=False, kinks=(-1, 1), exact="x.*step(x+1).*step(1-x)+step(1+x)-step(1-x)", each=2,
        numpy="np.clip({x}, -1, 1)"),
    _entry("erf", "error function", "2*pi^(-1/2)*exp(-x.^2)", parity="odd",
        numpy="erf({x})", sympy="erf"),
    _entry("normcdf", "normal distribution function", "exp(-x.^2/2)/(2*pi)^(1/2)", latex=r"\Phi", values="(0, 1)", exact="(1 + erf(x/2^(1/2)))/2",
        numpy="normcdf({x})"),
    _entry("gelu", "x times the normal distribution function of x", "normcdf(x) + x.*exp(-x.^2/2)/(2*pi)^(1/2)", exact="x.*(1 + erf(x/2^(1/2)))/2", each=9,
        numpy="{x}*normcdf({x})"),
    _entry("erfc", "1 - erf(x), accurate where it is small", "-2*pi^(-1/2)*exp(-x.^2)", values="(0, 2)", exact="1-erf(x)",
        numpy="erfc({x})"),
    _entry("erfcx", "exp(x^2)*erfc(x), which never underflows", "2*x.*erfcx(x)-2*pi^(-1/2)", values="(0, inf)", exact="exp(x.^2).*(1-erf(x))",
        numpy="erfcx({x})"),
    _entry("log_normcdf", "log of the normal distribution function", "(2/pi)^(1/2)./erfcx(-x/2^(1/2))", latex=r"\log\Phi", exact="log((1+erf(x/2^(1/2)))/2)",
        numpy="log_normcdf({x})"),
    _entry("logcosh", "log(cosh(x))", "tanh(x)", latex=r"\log\cosh", values="[0, inf)", exact="log((exp(x)+1./exp(x))/2)", each=30, numpy="logcosh({x})"),
    _entry("lgamma", "log of the gamma function, of positive numbers", "digamma(x)", latex=r"\log\Gamma", aliases=("gammaln",), domain=(0, INFINITY), beyond="branches",
        numpy="lgamma({x})", sympy="loggamma"),
    _entry("digamma", "derivative of lgamma", "polygamma(1,x)", latex=r"\psi", aliases=("psi",), domain=(0, INFINITY), beyond="branches", exact="polygamma(0,x)",
        numpy="polygamma(0, {x})", sympy="digamma"),
    _entry("tanhalf", "tan(x/2), of which sine and cosine are rational functions", "(1+tanhalf(x).^2)/2", hidden=True, parity="odd", each=9,
        numpy="np.tan({x}/2)"),
    # Abramowitz & Stegun 1964, 6.4.1
    Row("polygamma", "k-th derivative of digamma, entry by entry: polygamma(k, x) for a number k = 0, 1, 2, …", "11,ij->ij", latex=r"\operatorname{polygamma}",
        rule="polygamma(x+1,w)[i,j] dw[i,j]", domain=(0, INFINITY), beyond="branches", cost="8*i*j",
        numpy="polygamma({x}, {w})"),
    # ---- elementwise, of two arguments -----------------------------------------------------------
    _pair("max", "max(x, w): the larger of two; where they are equal the derivative is that of the second", "step(x-w)", "1-step(x-w)", exact="w+relu(x-w)", each=1,
        numpy="np.maximum({x}, {w})"),
    _pair("min", "min(x, w): the smaller of two; where they are equal the derivative is that of the first", "1-step(x-w)", "step(x-w)", exact="x-relu(x-w)", each=1,
        numpy="np.minimum({x}, {w})"),
    # Huber 1964, "Robust estimation of a location parameter"
    _pair("huber", "huber(x, w): x^2/2 near 0, w*abs(x) - w^2/2 beyond w", "x-sign(x).*relu(abs(x)-w)", "relu(abs(x)-w)", exact="0.5*x.^2-0.5*relu(abs(x)-w).^2", each=5,
        numpy="huber({x}, {w})"),
    _pair("hypot", "hypot(x, w): sqrt(x^2 + w^2)", "x./hypot(x,w)", "w./hypot(x,w)", values="[0, inf)", norm=True, exact="(x.^2+w.^2).^(1/2)", each=7,
        numpy="np.hypot({x}, {w})"),
    _pair("atan2", "atan2(y, x): the angle of the point (x, y), off the negative half axis", "w./(x.^2+w.^2)", "-x./(x.^2+w.^2)", exact="2*arctan(x./((x.^2+w.^2).^(1/2)+w))", each=8,
        numpy="np.arctan2({x}, {w})"),
    # ---- structural: an entry of the result is a product of entries ------------------------------
    Row("tr", "trace of a square matrix", "ii->11", latex=r"\operatorname{tr}", aliases=("trace",), define="x[i,i]", square=True, transpose="invariant", scalar="x", cost="i",
        numpy="np.trace({x})", sympy="Trace"),
    Row("sum", "sum of all entries", "ij->11", latex=r"\operatorname{sum}", define="x[i,j]", of_vectors=True, transpose="invariant", scalar="x", cost="i*j",
        numpy="{x}.sum()"),
    Row("diag", "diagonal matrix of a vector; diagonal of a matrix", "i1->ii", latex=r"\operatorname{diag}", define="x[i,1]", of_vectors=True, cost="0",
        numpy="np.diag({x})", sympy="DiagMatrix"),
    Row("diagonal", "diagonal of a square matrix, as a vector", "ii->i1", latex=r"\operatorname{diag}", hidden=True, define="x[i,i]", square=True, transpose="invariant", scalar="x", cost="0",
        numpy="np.diag({x})", sympy="DiagonalOf"),
    Row("kron", "Kronecker product", "ij,kl->(ik)(jl)", latex=r"\otimes", define="x[i,j] w[k,l]", cost="i*j*k*l",
        numpy="np.kron({x}, {w})", sympy="KroneckerProduct"),
    Row("vec", "columns of a matrix stacked into one vector", "ij->(ji)1", latex=r"\operatorname{vec}", define="x[i,j]", column="x", cost="0",
        numpy="{x}.ravel(order='F')"),
    Row("tril", "lower triangle of a matrix, the rest 0", latex=r"\operatorname{tril}", rule="tril(0*x+1)[i,j] dx[i,j]", adjoint="tril(g)", matrix=True, scalar="x", cost="0",
        numpy="np.tril({x})"),
    Row("triu", "upper triangle of a matrix, the rest 0", latex=r"\operatorname{triu}", rule="triu(0*x+1)[i,j] dx[i,j]", adjoint="triu(g)", matrix=True, scalar="x", cost="0",
        numpy="np.triu({x})"),
    # ---- matrix functions, by their differential -------------------------------------------------
    # Costs are leading terms. Golub & Van Loan 2013, "Matrix Computations": LU 3.2, Cholesky 4.2,
    # the symmetric eigenproblem 8.3, singular values alone and with thin U and V 8.6 (there of m×n,
    # m ≥ n); LAPACK Working Note 41: the inverse. expm, logm, sqrtm: products and inverses of their
    # code, 2 n^3 each. 24 steps of Newton (Higham 2008, eq. 6.29); 8 roots and 16 nodes (11.5); 18
    # terms and at norm 1 one squaring (10.3); a Fréchet derivative is the function in double the
    # order, 8 times that. d inv(X) = -inv(X) dX inv(X), from d(X inv(X)) = 0
    Row("inv", "inverse of a square matrix", "ij->ji", entries="ij", rule="- y[j,p] y[q,i] dx[p,q]", square=True, transpose="commutes", beyond="poles", scalar="x^-1", cost="2*i^3",
        numpy="np.linalg.inv({x})", sympy="Inverse"),
    # Jacobi's formula, in the form that needs no adjugate
    Row("det", "determinant", "ij->11", latex=r"\det", entries="ij", rule="y inv(x)[q,p] dx[p,q]", square=True, transpose="invariant", scalar="x", exponent="logdet(x)", cost="2/3*i^3",
        numpy="np.linalg.det({x})", sympy="Determinant"),
    Row("logdet", "log of the absolute value of the determinant", "ij->11", latex=r"\log\det",
        entries="ij", rule="inv(x)[q,p] dx[p,q]", square=True, transpose="invariant", beyond="poles", exact="log(det(x))", scalar="log(abs(x))", cost="2/3*i^3",
        numpy="np.linalg.slogdet({x})[1]"),
    # Golub & Pereyra 1973, eq. 4.12: at constant rank
    Row("pinv", "Moore-Penrose inverse, at constant rank", "ij->ji",
        entries="ij", rule="- y[j,p] y[q,i] dx[p,q] + (y*y')[j,q] (eye-x*y)[p,i] dx[p,q] + (eye-y*x)[j,q] (y'*y)[p,i] dx[p,q]", transpose="commutes", smooth=False, beyond="poles", scalar="x^-1", column="x'/norm2(x)^2", cost="16*i*j*min(i,j) + 8*min(i,j)^3",
        numpy="np.linalg.pinv({x})"),
    # Higham 2008, section 3.2: the adjoint of the Fréchet derivative of f at X is the Fréchet
    # derivative at X'
    Row("expm", "matrix exponential", "ij->ji", entries="ij", adjoint="expm_frechet(x',g)", square=True, transpose="commutes", scalar="exp(x)", cost="38*i^3",
        numpy="expm({x})"),
    Row("logm", "principal logarithm of a matrix (log is entry by entry)", "ij->ji", entries="ij", adjoint="logm_frechet(x',g)", square=True, transpose="commutes", scalar="log(x)", cost="832*i^3",
        numpy="logm({x})"),
    Row("sqrtm", "principal square root of a matrix (sqrt is entry by entry)", "ij->ji",
        entries="ij", adjoint="sqrtm_frechet(x',g)", square=True, transpose="commutes", scalar="x^(1/2)", cost="96*i^3",
        numpy="sqrtm({x})"),
    Row("expm_frechet", "Fréchet derivative of expm at the first argument, in the direction of the second", "ij,ij->ij", entries="ij", square=True, scalar="exp(x)*w", cost="304*i^3",
        numpy="frechet(expm, {x}, {w})"),
    Row("logm_frechet", "Fréchet derivative of logm at the first argument, in the direction of the second", "ij,ij->ij", entries="ij", square=True, scalar="w/x", cost="6656*i^3",
        numpy="frechet(logm, {x}, {w})"),
    Row("sqrtm_frechet", "Fréchet derivative of sqrtm at the first argument, in the direction of the second", "ij,ij->ij", entries="ij", square=True, scalar="x^(-1/2)*w/2", cost="768*i^3",
        numpy="frechet(sqrtm, {x}, {w})"),
    Row("powm", "power of a square matrix by a whole number, also written X^k", "ij,11->ij",
        entries="ij", adjoint="powm_frechet(x',g,w)", square=True, transpose="commutes", beyond="poles", cost="2*i^3*products(w)",
        numpy="np.linalg.matrix_power({x}, {w})", sympy="MatPow"),
    Row("powm_frechet", "Fréchet derivative of X^k in the direction of E: the sum of X^i*E*X^(k-1-i) for i = 0 to k-1; powm_frechet(X, E, k)", "ij,ij,11->ij",
        entries="ij", square=True, cost="16*i^3*products(w)",
        numpy="power_frechet({x}, {w}, {z})"),
    # Murray 2016, "Differentiation of the Cholesky decomposition", eq. 10
    Row("chol", "lower triangular L with L*L' = S, for a positive definite S",
        entries="ij", adjoint="inv(y)'*(tril(y'*g)+tril(y'*g)'-diag(diag(y'*g)))*inv(y)/2", square=True, symmetric=True, smooth=False, scalar="x^(1/2)", cost="1/3*i^3",
        numpy="np.linalg.cholesky({x})"),
    # Magnus 1985, "On differentiating eigenvalues and eigenvectors", theorem 1
    Row("eigvals", "eigenvalues of a symmetric matrix, ascending; gradients where they are distinct, or summed alike", "ii->i1", latex=r"\lambda",
        entries="i", rule="eigvecs(x)[p,i] eigvecs(x)[q,i] dx[p,q]", square=True, symmetric=True, smooth=False, scalar="x", cost="4/3*i^3",
        numpy="np.linalg.eigvalsh({x})"),
    Row("eigvecs", "unit eigenvectors of a symmetric matrix, its columns in the order of eigvals; gradients where those are distinct",
        entries="ij", rule="y[i,k] ((1-eye)./(vector(1)*eigvals(x)'-eigvals(x)*vector(1)'+eye))[k,j] y[p,k] y[q,j] dx[p,q]", square=True, symmetric=True, smooth=False, scalar="1", cost="9*i^3",
        numpy="np.linalg.eigh({x})[1]"),
    # Watson 1992, "Characterization of the subdifferential of some matrix norms"
    Row("normnuc", "nuclear norm: the sum of the singular values; gradient at full rank", "ij->11", latex=r"\|\cdot\|_{*}", aliases=("norm_nuc",),
        entries="ij", rule="polar(x)[i,j] dx[i,j]", matrix=True, transpose="invariant", smooth=False, values="[0, inf)", norm=True, scalar="abs(x)", cost="4*i*j*min(i,j) - 4/3*min(i,j)^3",
        numpy="np.linalg.matrix_norm({x}, ord='nuc')"),
    Row("normspec", "spectral norm: the largest singular value; gradient where it is simple", "ij->11", latex=r"\|\cdot\|_{\sigma}", aliases=("norm_spec",),
        entries="ij", rule="leading(x)[i,j] dx[i,j]", matrix=True, transpose="invariant", smooth=False, values="[0, inf)", norm=True, scalar="abs(x)", cost="4*i*j*min(i,j) - 4/3*min(i,j)^3",
        numpy="np.linalg.matrix_norm({x}, ord=2)"),
    Row("polar", "U*V' of the singular value decomposition U*diag(s)*V'", entries="ij", matrix=True, transpose="commutes", smooth=False, scalar="sign(x)", cost="16*i*j*min(i,j) + 8*min(i,j)^3",
        numpy="(lambda u, s, v: u @ v)(*np.linalg.svd({x}, full_matrices=False))"),
    Row("leading", "u*v' of the largest singular value", entries="ij", matrix=True, transpose="commutes", smooth=False, scalar="sign(x)", cost="14*i*j*min(i,j) + 8*min(i,j)^3",
        numpy="(lambda u, s, v: u[:, :1] @ v[:1, :])(*np.linalg.svd({x}, full_matrices=False))"),
    Row("norm2", "Euclidean norm of a vector, Frobenius norm of a matrix; gradient 0 at 0", "ij->11", latex=r"\|\cdot\|", aliases=("norm", "normF", "norm_F"),
        rule="y^-1 x[i,j] dx[i,j]", of_vectors=True, transpose="invariant", values="[0, inf)", norm=True, exact="sqrt(sum(x.^2))", scalar="abs(x)", cost="2*i*j",
        numpy="np.linalg.norm({x})"),
    Row("amax", "largest entry; where several are, they share the gradient alike", "ij->11", latex=r"\max",
        entries="ij", rule="(ismax(x)/sum(ismax(x)))[i,j] dx[i,j]", transpose="invariant", smooth=False, scalar="x", each_row="logsumexp_rows", cost="i*j",
        numpy="{x}.max()"),
    Row("amin", "smallest entry; where several are, they share the gradient alike", "ij->11", latex=r"\min",
        entries="ij", rule="(ismax(-x)/sum(ismax(-x)))[i,j] dx[i,j]", transpose="invariant", smooth=False, scalar="x", each_row="logsumexp_rows", cost="i*j",
        numpy="{x}.min()"),
    Row("ismax", "1 where the largest entry stands, else 0",
        entries="ij", rule="0 1[i] 1[j] dx[p,q]", transpose="commutes", smooth=False, values="[0, 1]", scalar="1", each_row="logsumexp_rows", cost="2*i*j",
        numpy="({x} == {x}.max())*np.ones_like({x})"),
    Row("norm1", "sum of the absolute values of the entries; sign(0) = 0", "ij->11", latex=r"\|\cdot\|_1",
        rule="sign(x)[i,j] dx[i,j]", of_vectors=True, transpose="invariant", smooth=False, kinks=(0,), values="[0, inf)", norm=True, exact="sum(abs(x))", scalar="abs(x)", cost="2*i*j",
        numpy="np.abs({x}).sum()"),
    # ---- vectors of length 3 ---------------------------------------------------------------------
    Row("cross", "cross product of two vectors of length 3", "31,31->31", latex=r"\times", rule="skew(x)[3,j] dw[j,1] - skew(w)[3,j] dx[j,1]", of_vectors=True, cost="9",
        numpy="cross({x}, {w})"),
    Row("skew", "the matrix for which skew(x)*y is cross(x,y)", "31->33", latex=r"\operatorname{skew}", adjoint="unskew(g)", of_vectors=True, cost="3",
        numpy="skew({x})"),
    Row("unskew", "adjoint of skew: entry 1 is the entry (3,2) less the entry (2,3), and so on around", "33->31", latex=r"\operatorname{unskew}", adjoint="skew(g)", cost="3",
        numpy="unskew({x})"),
    # ---- convolution: entries are counted from 0 -------------------------------------------------
    Row("conv", "convolution of two vectors, of length n + m - 1", "i1,j1->k1", latex="*", define="shift[k,i,j] x[i,1] w[j,1]", lengths="k=i+j-1", entries="ij", of_vectors=True, cost="2*i*j",
        numpy="np.convolve({x}, {w})"),
    Row("corr", "correlation of a vector with a shorter one where they overlap wholly: the adjoint of conv", "k1,j1->i1", latex=r"\star",
        define="shift[k,i,j] x[k,1] w[j,1]", lengths="i=k-j+1", entries="jk", of_vectors=True, cost="2*i*j",
        numpy="np.convolve({x}, {w}[::-1], 'valid')"),
    Row("convmat", "the matrix for which convmat(x,y)*y is conv(x,y)", "i1,j1->kj", define="shift[k,i,j] x[i,1]", lengths="k=i+j-1", entries="ij", cost="0",
        numpy="convmat({x}, {w})"),
    Row("hankel", "the matrix for which hankel(x,y)*y is corr(x,y)", "k1,j1->ij", define="shift[k,i,j] x[k,1]", lengths="i=k-j+1", entries="jk", cost="0",
        numpy="hankel({x}, {w})"),
    # ---- softmax and its relatives ---------------------------------------------------------------
    Row("softmax", "exp(x)/sum(exp(x)) of a vector", latex=r"\operatorname{softmax}",
        entries="ij", rule="y[i,j] dx[i,j] - y[i,j] y[k,l] dx[k,l]", vector=True, transpose="commutes", values="(0, 1]", exact="exp(x)/sum(exp(x))", scalar="1", each_row="softmax_rows", normalizer="logsumexp", cost="12*i*j",
        numpy="softmax({x})"),
    Row("logsoftmax", "log of softmax of a vector",
        entries="ij", rule="dx[i,j] - 1[i] 1[j] softmax(x)[k,l] dx[k,l]", vector=True, transpose="commutes", exact="log(exp(x)/sum(exp(x)))", scalar="0", each_row="logsoftmax_rows", cost="12*i*j",
        numpy="{x} - logsumexp({x})"),
    Row("logsumexp", "log(sum(exp(x))) of a vector", "ij->11", aliases=("lse",),
        entries="ij", rule="softmax(x)[i,j] dx[i,j]", vector=True, transpose="invariant", exact="log(sum(exp(x)))", scalar="x", each_row="logsumexp_rows", cost="11*i*j",
        numpy="logsumexp({x})"),
    Row("softmax_rows", "softmax of each row",
        entries="j", rule="y[i,j] dx[i,j] - y[i,j] y[i,k] dx[i,k]", values="(0, 1]", exact="diag(1./(exp(x)*vector(1)))*exp(x)", column="0*x+1", normalizer="logsumexp_rows", cost="12*i*j",
        numpy="softmax_rows({x})"),
    Row("logsoftmax_rows", "log of softmax of each row", entries="j", rule="dx[i,j] - 1[j] softmax_rows(x)[i,k] dx[i,k]", exact="log(diag(1./(exp(x)*vector(1)))*exp(x))", column="0*x", cost="12*i*j",
        numpy="logsoftmax_rows({x})"),
    Row("logsumexp_rows", "log(sum(exp(x))) of each row", "ij->i1", entries="j", rule="softmax_rows(x)[i,j] dx[i,j]", exact="log(exp(x)*vector(1))", column="x", cost="11*i*j",
        numpy="logsumexp_rows({x})"),
    # ---- what stable forms are made of: codegen/stable.py ----------------------------------------
    Row("top", "largest entry if that is finite, else 0: what is subtracted from exponents", "ij->11", hidden=True,
        entries="ij", transpose="invariant", smooth=False, scalar="x", each_row="top_rows", cost="i*j",
        numpy="top({x})"),
    Row("top_rows", "largest entry of each row if that is finite, else 0", "ij->i1", hidden=True, entries="j", smooth=False, column="x", cost="i*j",
        numpy="top_rows({x})"),
    Row("masked", "x where w is not 0, else minus infinity", "ij,ij->ij", hidden=True, smooth=False, cost="0", numpy="masked({x}, {w})"),
    Row("exp_below", "exp(x), and 1 where x is above 0", hidden=True, transpose="commutes", smooth=False, values="(0, 1]", cost="9*i*j",
        numpy="exp_below({x})"),
    Row("reciprocal", "1/x, and 0 at 0", hidden=True, transpose="commutes", smooth=False, cost="2*i*j", numpy="reciprocal({x})"),
    Row("xlogy", "x*log(w), and 0 where x is 0", "ij,ij->ij", hidden=True, smooth=False, cost="10*i*j", numpy="xlogy({x}, {w})"),
    Row("xlog1py", "x*log(1 + w), and 0 where x is 0", "ij,ij->ij", hidden=True, smooth=False, cost="10*i*j", numpy="xlog1py({x}, {w})"),
    *(
        Row(f"{f}_frechet_symmetric", f"Fréchet derivative of {f} at a symmetric matrix", "ij,ij->ij",
            hidden=True, entries="ij", square=True, symmetric=True, smooth=False, cost="18*i^3",
            numpy=f"spectral_frechet({f}_slopes, {{x}}, {{w}})")
        for f in ("expm", "logm", "sqrtm")
    ),
    Row("adjugate", "det(x)*inv(x), and the cofactors where x is singular", "ij->ji", hidden=True, entries="ij", square=True, transpose="commutes", smooth=False, cost="2*i^3",
        numpy="adjugate({x}, {x})"),
    _entry("sech2", "1 - tanh(x)^2", "-2*tanh(x).*sech2(x)", hidden=True, values="(0, 1]", exact="1-tanh(x).^2", each=14, numpy="sech2({x})"),
    Row("power_slope", "w*x^(w - 1), and 0 where w is 0", "ij,ij->ij", hidden=True, smooth=False, cost="11*i*j", numpy="power_slope({x}, {w})"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Macro:
    """A function that is only an abbreviation: its meaning in matcalc's own language."""

    parameters: tuple[str, ...]
    meaning: str
    doc: str
    of_vectors: bool = False
    of_matrices: str = ""


MACROS: dict[str, Macro] = {
    "sqrt": Macro(("x",), "x.^(1/2)", "square root, entry by entry", of_matrices="sqrtm"),
    "square": Macro(("x",), "x.^2", "square, entry by entry"),
    "norm2sq": Macro(("x",), "norm2(x)^2", "squared norm"),
    "log2": Macro(("x",), "log(x)/log(2)", "logarithm to base 2"),
    "log10": Macro(("x",), "log(x)/log(10)", "logarithm to base 10"),
    # statistics
    "mean": Macro(("x",), "sum(x)/numel(x)", "mean of all entries", of_vectors=True),
    "var": Macro(
        ("x",),
        "norm2(x - sum(x)/numel(x))^2/numel(x)",
        "variance of all entries, divided by their number",
        of_vectors=True,
    ),
    "std": Macro(
        ("x",),
        "norm2(x - sum(x)/numel(x))/numel(x)^(1/2)",
        "standard deviation of all entries, by their number; gradient 0 where they are equal",
        of_vectors=True,
    ),
    "rowsums": Macro(("X",), "X*ones(cols(X))", "sum of each row, a column"),
    "colsums": Macro(("X",), "ones(rows(X))'*X", "sum of each column, a row"),
    "norm2_rows": Macro(
        ("X",), "((X.^2)*ones(cols(X))).^(1/2)", "Euclidean norm of each row, a column"
    ),
    "norm2_cols": Macro(
        ("X",), "(ones(rows(X))'*(X.^2)).^(1/2)", "Euclidean norm of each column, a row"
    ),
    "lambda_max": Macro(("S",), "amax(eigvals(S))", "largest eigenvalue of a symmetric matrix"),
    "lambda_min": Macro(("S",), "amin(eigvals(S))", "smallest eigenvalue of a symmetric matrix"),
    "norminf": Macro(("x",), "amax(abs(x))", "largest absolute value of the entries"),
    "normp": Macro(("x", "p"), "sum(abs(x).^p)^(1/p)", "p-norm of the entries"),
    "cross_entropy": Macro(
        ("y", "p"), "-y'*log(p)", "cross entropy of the probabilities p, of the target y"
    ),
    "softmax_cols": Macro(("X",), "softmax_rows(X')'", "softmax of each column"),
    "logsumexp_cols": Macro(
        ("X",), "logsumexp_rows(X')'", "log(sum(exp(x))) of each column, a row"
    ),
    "cumsum": Macro(("X",), "tril(ones(rows(X), rows(X)))*X", "running sums down each column"),
    # products
    "dot": Macro(("x", "y"), "x'*y", "inner product", of_vectors=True),
    "outer": Macro(("x", "y"), "x*y'", "outer product", of_vectors=True),
    "adj": Macro(("X",), "det(X)*inv(X)", "adjugate of an invertible matrix"),
    "solve": Macro(("A", "b"), "inv(A)*b", "the x with A*x = b; also written A\\b"),
    "quadform": Macro(("A", "x"), "x'*A*x", "quadratic form"),
}

BY_NAME: dict[str, Row] = {name: row for row in ROWS for name in (row.name, *row.aliases)}
# functions that take each row by itself
EACH_ROW = frozenset(row.each_row for row in ROWS if row.each_row)


def described() -> Iterator[tuple[str, str]]:
    """Every function that a user may call, with its other names, and what it is."""
    for row in visible():
        yield ", ".join((row.name, *row.aliases)), row.doc
    for name, macro in MACROS.items():
        yield f"{name}({', '.join(macro.parameters)})", macro.doc
    yield "numel(X)", "number of entries"
    yield "rows(X), cols(X)", "number of rows, of columns; also as a size: ones(rows(X))"


def visible() -> Iterator[Row]:
    """The rows that a user may call."""
    return (row for row in dict.fromkeys(BY_NAME.values()) if not row.hidden)


def words(rule: str) -> Iterator[tuple[int, int]]:
    """Where the words of a rule stand: what spaces outside of brackets part.

    >>> [rule[i:j] for rule in ["- (1 - y)[i] dx[i,j]"] for i, j in words(rule)]
    ['-', '(1 - y)[i]', 'dx[i,j]']
    """
    depth, start = 0, None
    for k, c in enumerate(rule + " "):
        depth += (c in "([") - (c in ")]")
        if c.isspace() and depth <= 0:
            if start is not None:
                yield start, k
            start = None
        elif start is None:
            start = k
    if start is not None:  # a bracket is not closed
        yield start, len(rule)
