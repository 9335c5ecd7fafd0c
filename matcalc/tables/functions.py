"""The one table of functions: name, meaning, derivative, domain, LaTeX and code, one row each.

Parser, shapes, chain, printers, code generators, help and tests all read this table; nothing else
names a function but the targets of code, each of which may have a spelling of its own.

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

``cost`` is the number of flops of the numpy column: a polynomial in the letters of the signature,
in ``min(i,j)``, and in ``products(w)``, how many products a power takes by squaring. A flop is one
of + - * / or a comparison; a square root counts 4 and any other function of an entry 8 (McMahon
1986, "The Livermore Fortran Kernels"); what only moves entries counts 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

INFINITY = float("inf")


@dataclass(frozen=True, slots=True)
class Row:
    """One function. ``{x}``, ``{w}`` and ``{z}`` in its code stand for the arguments."""

    name: str
    doc: str
    signature: str = "ij->ij"
    derivative: str = ""
    second: str = ""  # the derivative of an elementwise function of x and w by w
    define: str = ""
    entries: str = ""  # the axes that must not be empty, by their letters
    lengths: str = ""  # a length of the result that is a sum of others: k=i+j-1
    rule: str = ""
    # for a gradient only: the adjoint of the argument x, from that of the result, g
    adjoint: str = ""
    cost: str = ""  # flops: 2*i^3
    numpy: str = ""  # its code; other targets spell it alike, or say so in their own files
    smooth: bool = True  # False for what has kinks, branches, or values that may meet
    latex: str = ""
    aliases: tuple[str, ...] = ()
    square: bool = False
    symmetric: bool = False  # takes a matrix that can be seen to be symmetric
    matrix: bool = False  # takes a matrix (or a scalar) only
    vector: bool = False  # takes a vector (or a scalar) only
    domain: tuple[float, float] = (-INFINITY, INFINITY)
    # where an argument makes the function nonsmooth; the value used there is in the doc
    kinks: tuple[float, ...] = ()
    transpose: str = ""  # "commutes": f(x') = f(x)'; "invariant": f(x') = f(x)
    exact: str = ""  # definition by simpler functions, used by the exact check
    parity: str = ""  # f(-x) from f(x): odd, even, reciprocal; or "logarithm": f(1/x) = -f(x)
    hidden: bool = False  # used inside other rows only

    @property
    def elementwise(self) -> bool:
        return bool(self.derivative)

    @property
    def arity(self) -> int:
        return self.signature.split("->")[0].count(",") + 1


def _entry(
    name: str, derivative: str, numpy: str, doc: str, latex: str = "", each: int = 8, **more: object
) -> Row:
    """An elementwise function, of ``each`` flops an entry."""
    columns: dict[str, object] = {
        "latex": latex or rf"\operatorname{{{name}}}",
        "transpose": "commutes",
    }
    columns |= {"cost": f"{each}*i*j"} | more
    return Row(name=name, doc=doc, derivative=derivative, numpy=numpy, **columns)  # type: ignore[arg-type]


def _pair(
    name: str,
    first: str,
    second: str,
    numpy: str,
    doc: str,
    each: int,
    latex: str = "",
    **more: object,
) -> Row:
    """An elementwise function of two arguments; a scalar goes with any shape."""
    return _entry(
        name,
        first,
        numpy,
        doc,
        latex,
        each,
        signature="ij,ij->ij",
        second=second,
        smooth=False,
        **more,
    )


ROWS: tuple[Row, ...] = (
    # ---- elementwise -----------------------------------------------------------------------------
    _entry("exp", "exp(x)", "np.exp({x})", "e^x, entry by entry (expm is the matrix exponential)", r"\exp", parity="reciprocal"),
    _entry("log", "1./x", "np.log({x})", "natural logarithm, entry by entry", r"\log", aliases=("ln",), domain=(0, INFINITY), parity="logarithm"),
    _entry("sin", "cos(x)", "np.sin({x})", "sine", r"\sin", exact="2*tanhalf(x)./(1+tanhalf(x).^2)"),
    _entry("cos", "-sin(x)", "np.cos({x})", "cosine", r"\cos", exact="(1-tanhalf(x).^2)./(1+tanhalf(x).^2)"),
    _entry("tan", "1+tan(x).^2", "np.tan({x})", "tangent", r"\tan", domain=(-1.4, 1.4), exact="2*tanhalf(x)./(1-tanhalf(x).^2)"),
    _entry("arcsin", "1./sqrt(1-x.^2)", "np.arcsin({x})", "inverse sine", r"\arcsin", aliases=("asin",), domain=(-1, 1), parity="odd"),
    _entry("arccos", "-1./sqrt(1-x.^2)", "np.arccos({x})", "inverse cosine", r"\arccos", aliases=("acos",), domain=(-1, 1)),
    _entry("arctan", "1./(1+x.^2)", "np.arctan({x})", "inverse tangent", r"\arctan", aliases=("atan",), parity="odd"),
    _entry("sinh", "cosh(x)", "np.sinh({x})", "hyperbolic sine", r"\sinh", exact="(exp(x)-1./exp(x))/2"),
    _entry("cosh", "sinh(x)", "np.cosh({x})", "hyperbolic cosine", r"\cosh", exact="(exp(x)+1./exp(x))/2"),
    _entry("tanh", "1-tanh(x).^2", "np.tanh({x})", "hyperbolic tangent", r"\tanh", exact="(exp(x).^2-1)./(exp(x).^2+1)"),
    _entry("arcsinh", "1./sqrt(x.^2+1)", "np.arcsinh({x})", "inverse hyperbolic sine", aliases=("asinh",), parity="odd"),
    _entry("arccosh", "1./sqrt(x.^2-1)", "np.arccosh({x})", "inverse hyperbolic cosine", aliases=("acosh",), domain=(1, INFINITY)),
    _entry("arctanh", "1./(1-x.^2)", "np.arctanh({x})", "inverse hyperbolic tangent", aliases=("atanh",), domain=(-1, 1), parity="odd"),
    _entry("log1p", "1./(1+x)", "np.log1p({x})", "log(1 + x), accurate near 0", domain=(-1, INFINITY), exact="log(1+x)"),
    _entry("expm1", "exp(x)", "np.expm1({x})", "exp(x) - 1, accurate near 0", exact="exp(x)-1"),
    _entry("sigmoid", "sigmoid(x).*(1-sigmoid(x))", "sigmoid({x})", "1/(1 + exp(-x))", r"\sigma", aliases=("logistic",), exact="exp(x)./(1+exp(x))", each=11),
    _entry("softplus", "sigmoid(x)", "np.logaddexp(0, {x})", "log(1 + exp(x))", exact="log(1+exp(x))", each=20),
    _entry("relu", "step(x)", "np.maximum({x}, 0)", "max(x, 0); derivative 0 at 0", aliases=("pos",), smooth=False, kinks=(0,), exact="x.*step(x)", each=1),
    _entry("step", "0*x", "({x} > 0).astype(float)", "1 for x > 0, else 0", aliases=("heaviside",), smooth=False, kinks=(0,), exact="(sign(x)+sign(x).^2)/2", each=1),
    _entry("abs", "sign(x)", "np.abs({x})", "absolute value; derivative 0 at 0", r"\operatorname{abs}", smooth=False, kinks=(0,), exact="x.*sign(x)", each=1),
    _entry("sign", "0*x", "np.sign({x})", "-1, 0 or 1", aliases=("sgn",), smooth=False, kinks=(0,), parity="odd", each=2),
    _entry("leaky_relu", "step(x)+0.01*(1-step(x))", "np.where({x} > 0, {x}, 0.01*{x})", "x for x > 0, else x/100; derivative 1/100 at 0", smooth=False, kinks=(0,), exact="x.*step(x)+0.01*x.*(1-step(x))", each=2),
    _entry("elu", "exp(-relu(-x))", "np.where({x} > 0, {x}, np.expm1(np.minimum({x}, 0)))", "x for x > 0, else exp(x) - 1", smooth=False, kinks=(0,), exact="x.*step(x)+(exp(x)-1).*(1-step(x))", each=10),
    _entry("silu", "sigmoid(x).*(1+x.*(1-sigmoid(x)))", "{x}*sigmoid({x})", "x*sigmoid(x)", aliases=("swish",), exact="x.*exp(x)./(1+exp(x))", each=12),
    _entry("mish", "tanh(softplus(x))+x.*(1-tanh(softplus(x)).^2).*sigmoid(x)", "{x}*np.tanh(np.logaddexp(0, {x}))", "x*tanh(softplus(x))", exact="x.*tanh(log(1+exp(x)))", each=29),
    _entry("hardtanh", "step(x+1).*step(1-x)", "np.clip({x}, -1, 1)", "x between -1 and 1, else the nearer of them; derivative 0 at both", smooth=False, kinks=(-1, 1), exact="x.*step(x+1).*step(1-x)+step(1+x)-step(1-x)", each=2),
    _entry("erf", "2*pi^(-1/2)*exp(-x.^2)", "erf({x})", "error function", parity="odd"),
    _entry("normcdf", "exp(-x.^2/2)/(2*pi)^(1/2)", "normcdf({x})", "normal distribution function", r"\Phi", exact="(1 + erf(x/2^(1/2)))/2"),
    _entry("gelu", "normcdf(x) + x.*exp(-x.^2/2)/(2*pi)^(1/2)", "{x}*normcdf({x})", "x times the normal distribution function of x", exact="x.*(1 + erf(x/2^(1/2)))/2", each=9),
    _entry("erfc", "-2*pi^(-1/2)*exp(-x.^2)", "erfc({x})", "1 - erf(x), accurate where it is small", exact="1-erf(x)"),
    _entry("erfcx", "2*x.*erfcx(x)-2*pi^(-1/2)", "erfcx({x})", "exp(x^2)*erfc(x), which never underflows", exact="exp(x.^2).*(1-erf(x))"),
    _entry("log_normcdf", "(2/pi)^(1/2)./erfcx(-x/2^(1/2))", "log_normcdf({x})", "log of the normal distribution function", r"\log\Phi", exact="log((1+erf(x/2^(1/2)))/2)"),
    _entry("logcosh", "tanh(x)", "logcosh({x})", "log(cosh(x))", r"\log\cosh", exact="log((exp(x)+1./exp(x))/2)", each=30),
    _entry("lgamma", "digamma(x)", "lgamma({x})", "log of the gamma function, of positive numbers", r"\log\Gamma", aliases=("gammaln",), domain=(0, INFINITY)),
    _entry("digamma", "polygamma(1,x)", "polygamma(0, {x})", "derivative of lgamma", r"\psi", aliases=("psi",), domain=(0, INFINITY), exact="polygamma(0,x)"),
    _entry("tanhalf", "(1+tanhalf(x).^2)/2", "np.tan({x}/2)", "tan(x/2), of which sine and cosine are rational functions", parity="odd", hidden=True, each=9),
    # Abramowitz & Stegun 1964, 6.4.1
    Row("polygamma", "k-th derivative of digamma, entry by entry: polygamma(k, x) for a number k = 0, 1, 2, …", "11,ij->ij", rule="polygamma(x+1,w)[i,j] dw[i,j]", numpy="polygamma({x}, {w})", latex=r"\operatorname{polygamma}", domain=(0, INFINITY), cost="8*i*j"),
    # ---- elementwise, of two arguments -----------------------------------------------------------
    _pair("max", "step(x-w)", "1-step(x-w)", "np.maximum({x}, {w})", "max(x, w): the larger of two; where they are equal the derivative is that of the second", 1, exact="w+relu(x-w)"),
    _pair("min", "1-step(x-w)", "step(x-w)", "np.minimum({x}, {w})", "min(x, w): the smaller of two; where they are equal the derivative is that of the first", 1, exact="x-relu(x-w)"),
    # Huber 1964, "Robust estimation of a location parameter"
    _pair("huber", "x-sign(x).*relu(abs(x)-w)", "relu(abs(x)-w)", "huber({x}, {w})", "huber(x, w): x^2/2 near 0, w*abs(x) - w^2/2 beyond w", 5, exact="0.5*x.^2-0.5*relu(abs(x)-w).^2"),
    _pair("hypot", "x./hypot(x,w)", "w./hypot(x,w)", "np.hypot({x}, {w})", "hypot(x, w): sqrt(x^2 + w^2)", 7, exact="(x.^2+w.^2).^(1/2)"),
    _pair("atan2", "w./(x.^2+w.^2)", "-x./(x.^2+w.^2)", "np.arctan2({x}, {w})", "atan2(y, x): the angle of the point (x, y), off the negative half axis", 8, exact="2*arctan(x./((x.^2+w.^2).^(1/2)+w))"),
    # ---- structural: an entry of the result is a product of entries ------------------------------
    Row("tr", "trace of a square matrix", "ii->11", define="x[i,i]", numpy="np.trace({x})", latex=r"\operatorname{tr}", aliases=("trace",), square=True, transpose="invariant", cost="i"),
    Row("sum", "sum of all entries", "ij->11", define="x[i,j]", numpy="{x}.sum()", latex=r"\operatorname{sum}", transpose="invariant", cost="i*j"),
    Row("diag", "diagonal matrix of a vector; diagonal of a matrix", "i1->ii", define="x[i,1]", numpy="np.diag({x})", latex=r"\operatorname{diag}", cost="0"),
    Row("diagonal", "diagonal of a square matrix, as a vector", "ii->i1", define="x[i,i]", numpy="np.diag({x})", latex=r"\operatorname{diag}", square=True, transpose="invariant", hidden=True, cost="0"),
    Row("kron", "Kronecker product", "ij,kl->(ik)(jl)", define="x[i,j] w[k,l]", numpy="np.kron({x}, {w})", latex=r"\otimes", cost="i*j*k*l"),
    Row("vec", "columns of a matrix stacked into one vector", "ij->(ji)1", define="x[i,j]", numpy="{x}.ravel(order='F')", latex=r"\operatorname{vec}", cost="0"),
    Row("tril", "lower triangle of a matrix, the rest 0", matrix=True, adjoint="tril(g)", rule="tril(0*x+1)[i,j] dx[i,j]", numpy="np.tril({x})", latex=r"\operatorname{tril}", cost="0"),
    Row("triu", "upper triangle of a matrix, the rest 0", matrix=True, adjoint="triu(g)", rule="triu(0*x+1)[i,j] dx[i,j]", numpy="np.triu({x})", latex=r"\operatorname{triu}", cost="0"),
    # ---- matrix functions, by their differential -------------------------------------------------
    # Costs are leading terms. Golub & Van Loan 2013, "Matrix Computations": LU 3.2, Cholesky 4.2,
    # the symmetric eigenproblem 8.3, singular values alone and with thin U and V 8.6 (there of m×n,
    # m ≥ n); LAPACK Working Note 41: the inverse. expm, logm, sqrtm: products and inverses of their
    # code, 2 n^3 each. 24 steps of Newton (Higham 2008, eq. 6.29); 8 roots and 16 nodes (11.5); 18
    # terms and at norm 1 one squaring (10.3); a Fréchet derivative is the function in double the
    # order, 8 times that. d inv(X) = -inv(X) dX inv(X), from d(X inv(X)) = 0
    Row("inv", "inverse of a square matrix", "ij->ji", rule="- y[j,p] y[q,i] dx[p,q]", numpy="np.linalg.inv({x})", square=True, transpose="commutes", cost="2*i^3", entries="ij"),
    # Jacobi's formula, in the form that needs no adjugate
    Row("det", "determinant", "ij->11", rule="y inv(x)[q,p] dx[p,q]", numpy="np.linalg.det({x})", latex=r"\det", square=True, transpose="invariant", cost="2/3*i^3", entries="ij"),
    Row("logdet", "log of the absolute value of the determinant", "ij->11", rule="inv(x)[q,p] dx[p,q]", numpy="np.linalg.slogdet({x})[1]", latex=r"\log\det", square=True, transpose="invariant", exact="log(det(x))", cost="2/3*i^3", entries="ij"),
    # Golub & Pereyra 1973, eq. 4.12: at constant rank
    Row(
        "pinv", "Moore-Penrose inverse, at constant rank", "ij->ji",
        rule="- y[j,p] y[q,i] dx[p,q] + (y*y')[j,q] (eye-x*y)[p,i] dx[p,q] + (eye-y*x)[j,q] (y'*y)[p,i] dx[p,q]",
        numpy="np.linalg.pinv({x})", smooth=False, transpose="commutes", entries="ij",
        cost="16*i*j*min(i,j) + 8*min(i,j)^3",
    ),
    # Higham 2008, section 3.2: the adjoint of the Fréchet derivative of f at X is the Fréchet
    # derivative at X'
    Row("expm", "matrix exponential", "ij->ji", adjoint="expm_frechet(x',g)", numpy="expm({x})", square=True, transpose="commutes", cost="38*i^3", entries="ij"),
    Row("logm", "principal logarithm of a matrix (log is entry by entry)", "ij->ji", adjoint="logm_frechet(x',g)", numpy="logm({x})", square=True, transpose="commutes", cost="832*i^3", entries="ij"),
    Row("sqrtm", "principal square root of a matrix (sqrt is entry by entry)", "ij->ji", adjoint="sqrtm_frechet(x',g)", numpy="sqrtm({x})", square=True, transpose="commutes", cost="96*i^3", entries="ij"),
    *(Row(f"{f}_frechet", f"Fréchet derivative of {f} at the first argument, in the direction of the second", "ij,ij->ij", numpy=f"frechet({f}, {{x}}, {{w}})", square=True, entries="ij", cost=f"{flops}*i^3") for f, flops in (("expm", 304), ("logm", 6656), ("sqrtm", 768))),
    Row("powm", "power of a square matrix by a whole number, also written X^k", "ij,11->ij", adjoint="powm_frechet(x',g,w)", numpy="np.linalg.matrix_power({x}, {w})", square=True, transpose="commutes", cost="2*i^3*products(w)", entries="ij"),
    Row("powm_frechet", "Fréchet derivative of X^k in the direction of E: the sum of X^i*E*X^(k-1-i) for i = 0 to k-1; powm_frechet(X, E, k)", "ij,ij,11->ij", numpy="power_frechet({x}, {w}, {z})", square=True, cost="16*i^3*products(w)", entries="ij"),
    # Murray 2016, "Differentiation of the Cholesky decomposition", eq. 10
    Row("chol", "lower triangular L with L*L' = S, for a positive definite S", adjoint="inv(y)'*(tril(y'*g)+tril(y'*g)'-diag(diag(y'*g)))*inv(y)/2", numpy="np.linalg.cholesky({x})", smooth=False, square=True, symmetric=True, cost="1/3*i^3", entries="ij"),
    # Magnus 1985, "On differentiating eigenvalues and eigenvectors", theorem 1
    Row("eigvals", "eigenvalues of a symmetric matrix, ascending; gradients where they are distinct, or summed alike", "ii->i1", rule="eigvecs(x)[p,i] eigvecs(x)[q,i] dx[p,q]", numpy="np.linalg.eigvalsh({x})", smooth=False, latex=r"\lambda", square=True, symmetric=True, cost="4/3*i^3", entries="i"),
    Row("eigvecs", "unit eigenvectors of a symmetric matrix, its columns in the order of eigvals; gradients where those are distinct", rule="y[i,k] ((1-eye)./(vector(1)*eigvals(x)'-eigvals(x)*vector(1)'+eye))[k,j] y[p,k] y[q,j] dx[p,q]", numpy="np.linalg.eigh({x})[1]", smooth=False, square=True, symmetric=True, cost="9*i^3", entries="ij"),
    # Watson 1992, "Characterization of the subdifferential of some matrix norms"
    Row("normnuc", "nuclear norm: the sum of the singular values; gradient at full rank", "ij->11", rule="polar(x)[i,j] dx[i,j]", numpy="np.linalg.matrix_norm({x}, ord='nuc')", smooth=False, latex=r"\|\cdot\|_{*}", aliases=("norm_nuc",), matrix=True, transpose="invariant", cost="4*i*j*min(i,j) - 4/3*min(i,j)^3", entries="ij"),
    Row("normspec", "spectral norm: the largest singular value; gradient where it is simple", "ij->11", rule="leading(x)[i,j] dx[i,j]", numpy="np.linalg.matrix_norm({x}, ord=2)", smooth=False, latex=r"\|\cdot\|_{\sigma}", aliases=("norm_spec",), matrix=True, transpose="invariant", cost="4*i*j*min(i,j) - 4/3*min(i,j)^3", entries="ij"),
    Row("polar", "U*V' of the singular value decomposition U*diag(s)*V'", numpy="(lambda u, s, v: u @ v)(*np.linalg.svd({x}, full_matrices=False))", smooth=False, matrix=True, transpose="commutes", cost="16*i*j*min(i,j) + 8*min(i,j)^3", entries="ij"),
    Row("leading", "u*v' of the largest singular value", numpy="(lambda u, s, v: u[:, :1] @ v[:1, :])(*np.linalg.svd({x}, full_matrices=False))", smooth=False, matrix=True, transpose="commutes", cost="14*i*j*min(i,j) + 8*min(i,j)^3", entries="ij"),
    Row("norm2", "Euclidean norm of a vector, Frobenius norm of a matrix; gradient 0 at 0", "ij->11", rule="y^-1 x[i,j] dx[i,j]", numpy="np.linalg.norm({x})", latex=r"\|\cdot\|", aliases=("norm", "normF", "norm_F"), transpose="invariant", exact="sqrt(sum(x.^2))", cost="2*i*j"),
    Row("amax", "largest entry; where several are, they share the gradient alike", "ij->11", rule="(ismax(x)/sum(ismax(x)))[i,j] dx[i,j]", numpy="{x}.max()", smooth=False, latex=r"\max", transpose="invariant", cost="i*j", entries="ij"),
    Row("amin", "smallest entry; where several are, they share the gradient alike", "ij->11", rule="(ismax(-x)/sum(ismax(-x)))[i,j] dx[i,j]", numpy="{x}.min()", smooth=False, latex=r"\min", transpose="invariant", cost="i*j", entries="ij"),
    Row("ismax", "1 where the largest entry stands, else 0", rule="0 1[i] 1[j] dx[p,q]", numpy="({x} == {x}.max())*np.ones_like({x})", smooth=False, transpose="commutes", cost="2*i*j", entries="ij"),
    Row("norm1", "sum of the absolute values of the entries; sign(0) = 0", "ij->11", rule="sign(x)[i,j] dx[i,j]", numpy="np.abs({x}).sum()", smooth=False, latex=r"\|\cdot\|_1", kinks=(0,), transpose="invariant", exact="sum(x.*sign(x))", cost="2*i*j"),
    # ---- vectors of length 3 ---------------------------------------------------------------------
    Row("cross", "cross product of two vectors of length 3", "31,31->31", rule="skew(x)[3,j] dw[j,1] - skew(w)[3,j] dx[j,1]", numpy="cross({x}, {w})", latex=r"\times", cost="9"),
    Row("skew", "the matrix for which skew(x)*y is cross(x,y)", "31->33", adjoint="unskew(g)", numpy="skew({x})", latex=r"\operatorname{skew}", cost="3"),
    Row("unskew", "adjoint of skew: entry 1 is the entry (3,2) less the entry (2,3), and so on around", "33->31", adjoint="skew(g)", numpy="unskew({x})", latex=r"\operatorname{unskew}", cost="3"),
    # ---- convolution: entries are counted from 0 -------------------------------------------------
    Row("conv", "convolution of two vectors, of length n + m - 1", "i1,j1->k1", define="shift[k,i,j] x[i,1] w[j,1]", lengths="k=i+j-1", numpy="np.convolve({x}, {w})", latex="*", cost="2*i*j", entries="ij"),
    Row("corr", "correlation of a vector with a shorter one where they overlap wholly: the adjoint of conv", "k1,j1->i1", define="shift[k,i,j] x[k,1] w[j,1]", lengths="i=k-j+1", numpy="np.convolve({x}, {w}[::-1], 'valid')", latex=r"\star", cost="2*i*j", entries="jk"),
    Row("convmat", "the matrix for which convmat(x,y)*y is conv(x,y)", "i1,j1->kj", define="shift[k,i,j] x[i,1]", lengths="k=i+j-1", numpy="convmat({x}, {w})", cost="0", entries="ij"),
    Row("hankel", "the matrix for which hankel(x,y)*y is corr(x,y)", "k1,j1->ij", define="shift[k,i,j] x[k,1]", lengths="i=k-j+1", numpy="hankel({x}, {w})", cost="0", entries="jk"),
    # ---- softmax and its relatives ---------------------------------------------------------------
    Row("softmax", "exp(x)/sum(exp(x)) of a vector", rule="y[i,j] dx[i,j] - y[i,j] y[k,l] dx[k,l]", numpy="softmax({x})", latex=r"\operatorname{softmax}", vector=True, transpose="commutes", exact="exp(x)/sum(exp(x))", cost="12*i*j", entries="ij"),
    Row("logsoftmax", "log of softmax of a vector", rule="dx[i,j] - 1[i] 1[j] softmax(x)[k,l] dx[k,l]", numpy="{x} - logsumexp({x})", vector=True, transpose="commutes", exact="log(exp(x)/sum(exp(x)))", cost="12*i*j", entries="ij"),
    Row("logsumexp", "log(sum(exp(x))) of a vector", "ij->11", rule="softmax(x)[i,j] dx[i,j]", numpy="logsumexp({x})", aliases=("lse",), vector=True, transpose="invariant", exact="log(sum(exp(x)))", cost="11*i*j", entries="ij"),
    Row("softmax_rows", "softmax of each row", rule="y[i,j] dx[i,j] - y[i,j] y[i,k] dx[i,k]", numpy="softmax_rows({x})", exact="diag(1./(exp(x)*vector(1)))*exp(x)", cost="12*i*j", entries="j"),
    Row("logsoftmax_rows", "log of softmax of each row", rule="dx[i,j] - 1[j] softmax_rows(x)[i,k] dx[i,k]", numpy="logsoftmax_rows({x})", exact="log(diag(1./(exp(x)*vector(1)))*exp(x))", cost="12*i*j", entries="j"),
    Row("logsumexp_rows", "log(sum(exp(x))) of each row", "ij->i1", rule="softmax_rows(x)[i,j] dx[i,j]", numpy="logsumexp_rows({x})", exact="log(exp(x)*vector(1))", cost="11*i*j", entries="j"),
    # ---- what stable forms are made of: codegen/stable.py ----------------------------------------
    Row("top", "largest entry if that is finite, else 0: what is subtracted from exponents", "ij->11", numpy="top({x})", smooth=False, transpose="invariant", cost="i*j", entries="ij", hidden=True),
    Row("top_rows", "largest entry of each row if that is finite, else 0", "ij->i1", numpy="top_rows({x})", smooth=False, cost="i*j", entries="j", hidden=True),
    Row("masked", "x where w is not 0, else minus infinity", "ij,ij->ij", numpy="masked({x}, {w})", smooth=False, cost="0", hidden=True),
    Row("exp_below", "exp(x), and 1 where x is above 0", numpy="exp_below({x})", smooth=False, transpose="commutes", cost="9*i*j", hidden=True),
    Row("reciprocal", "1/x, and 0 at 0", numpy="reciprocal({x})", smooth=False, transpose="commutes", cost="2*i*j", hidden=True),
    Row("xlogy", "x*log(w), and 0 where x is 0", "ij,ij->ij", numpy="xlogy({x}, {w})", smooth=False, cost="10*i*j", hidden=True),
    Row("xlog1py", "x*log(1 + w), and 0 where x is 0", "ij,ij->ij", numpy="xlog1py({x}, {w})", smooth=False, cost="10*i*j", hidden=True),
    *(Row(f"{f}_frechet_symmetric", f"Fréchet derivative of {f} at a symmetric matrix", "ij,ij->ij", numpy=f"spectral_frechet({f}_slopes, {{x}}, {{w}})", square=True, symmetric=True, smooth=False, cost="18*i^3", entries="ij", hidden=True) for f in ("expm", "logm", "sqrtm")),
    Row("adjugate", "det(x)*inv(x), and the cofactors where x is singular", "ij->ji", numpy="adjugate({x}, {x})", square=True, smooth=False, transpose="commutes", cost="2*i^3", entries="ij", hidden=True),
    _entry("sech2", "-2*tanh(x).*sech2(x)", "sech2({x})", "1 - tanh(x)^2", exact="1-tanh(x).^2", each=14, hidden=True),
    Row("power_slope", "w*x^(w - 1), and 0 where w is 0", "ij,ij->ij", numpy="power_slope({x}, {w})", smooth=False, cost="11*i*j", hidden=True),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Macro:
    """A function that is only an abbreviation: its meaning in matcalc's own language."""

    parameters: tuple[str, ...]
    meaning: str
    doc: str


MACROS: dict[str, Macro] = {
    "sqrt": Macro(("x",), "x.^(1/2)", "square root, entry by entry"),
    "square": Macro(("x",), "x.^2", "square, entry by entry"),
    "norm2sq": Macro(("x",), "norm2(x)^2", "squared norm"),
    "log2": Macro(("x",), "log(x)/log(2)", "logarithm to base 2"),
    "log10": Macro(("x",), "log(x)/log(10)", "logarithm to base 10"),
    # statistics
    "mean": Macro(("x",), "sum(x)/numel(x)", "mean of all entries"),
    "var": Macro(
        ("x",),
        "norm2(x - sum(x)/numel(x))^2/numel(x)",
        "variance of all entries, divided by their number",
    ),
    "std": Macro(
        ("x",),
        "norm2(x - sum(x)/numel(x))/numel(x)^(1/2)",
        "standard deviation of all entries, by their number; gradient 0 where they are equal",
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
    "dot": Macro(("x", "y"), "x'*y", "inner product"),
    "outer": Macro(("x", "y"), "x*y'", "outer product"),
    "adj": Macro(("X",), "det(X)*inv(X)", "adjugate of an invertible matrix"),
    "solve": Macro(("A", "b"), "inv(A)*b", "the x with A*x = b; also written A\\b"),
    "quadform": Macro(("A", "x"), "x'*A*x", "quadratic form"),
}

BY_NAME: dict[str, Row] = {name: row for row in ROWS for name in (row.name, *row.aliases)}


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
