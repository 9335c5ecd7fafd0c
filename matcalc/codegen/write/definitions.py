"""Functions that array libraries lack, as source: written once for NumPy, in words that every
library knows.
"""

from __future__ import annotations

from collections.abc import Mapping

IMPORTS = {
    "factorial": "from math import factorial",
    "leggauss": "from numpy.polynomial.legendre import leggauss",
}
DEFINITIONS = {
    "inverse_or_nan": """def inverse_or_nan(x):
    try:
        return np.linalg.inv(x)
    except np.linalg.LinAlgError:
        return np.full_like(x, np.nan)""",
    "sqrtm": """def sqrtm(x):
    # Denman & Beavers 1976: Newton's iteration, in its product form (Higham 2008, eq. 6.29)
    y, m, unit = x, x, np.eye(x.shape[0], dtype=x.dtype)
    for k in range(24):
        inverse = np.linalg.inv(m) if k == 0 else inverse_or_nan(m)
        y, m = y @ (unit + inverse)/2, (unit + (m + inverse)/2)/2
    # nan where an eigenvalue is negative: there is no real root, and m becomes singular or never settles at the identity
    return np.where(np.max(np.abs(m - unit)) < 1e-3, y, np.full_like(y, np.nan))""",
    "logm": """def logm(x):
    # Higham 2008, section 11.5: eight square roots, then Padé's approximant as a Gauss quadrature of order 16
    for _ in range(8):
        x = sqrtm(x)
    unit = np.eye(x.shape[0], dtype=x.dtype)
    e = x - unit
    return sum(128*float(w)*e @ inverse_or_nan(unit + (1 + float(t))/2*e) for t, w in zip(*leggauss(16)))""",
    "frechet": """def frechet(f, x, e):
    # Mathias 1996: the upper right block of f of [x e; 0 x], of which e is not the larger part
    n, large = x.shape[0], np.max(np.abs(e))
    large = np.where(large > 0, large, np.ones_like(large))
    top = np.concat([x, e/large], axis=1)
    return large*f(np.concat([top, np.concat([np.zeros_like(x), x], axis=1)], axis=0))[:n, n:]""",
    "spectral_frechet": """def spectral_frechet(f, x, e):
    # Daleckii & Krein 1965: in the eigenvectors of x it multiplies e by divided differences; of equal eigenvalues
    # these are derivatives
    values, v = np.linalg.eigh(x)
    above, below = (g(values[:, None], values[None, :]) for g in (np.maximum, np.minimum))
    return v @ (f(above, below)*(v.T @ e @ v)) @ v.T""",
    "expm_slopes": """def expm_slopes(above, below):
    gap = above - below
    divisor = np.where(gap > 0, gap, np.ones_like(gap))
    return np.exp(above)*np.where(gap > 0, -np.expm1(-gap)/divisor, np.ones_like(gap))""",
    "logm_slopes": """def logm_slopes(above, below):
    gap = (above - below)/below
    divisor = np.where(gap == 0, np.ones_like(gap), gap)
    return np.where(gap == 0, np.ones_like(gap), np.log1p(gap)/divisor)/below""",
    "sqrtm_slopes": """def sqrtm_slopes(above, below):
    return 1/(np.sqrt(above) + np.sqrt(below))""",
    "matrix_power": """def matrix_power(x, k):
    # by squaring
    base, total = x if k >= 0 else np.linalg.inv(x), np.eye(x.shape[0], dtype=x.dtype)
    for bit in f"{abs(k):b}":
        total = total @ total
        total = total @ base if bit == "1" else total
    return total""",
    "power_frechet": """def power_frechet(x, e, k):
    return frechet(lambda y: np.linalg.matrix_power(y, k), x, e)""",
    "erf": """def erf(x):
    # Abramowitz & Stegun 1964, 7.1.6; beyond 6 it is 1 to double precision
    x = np.clip(x, -6, 6)
    term = total = 2/np.pi**0.5*x*np.exp(-x*x)
    for n in range(1, 120):
        term = term*(2*x*x/(2*n + 1))
        total = total + term
    return total""",
    "normcdf": """def normcdf(x):
    # Matta & Reichel 1971: erfc by the trapezoidal rule with steps of 1/2, to double precision from 1 on
    size = np.abs(x)/2**0.5
    z = np.clip(size, 1, 40)
    total, decay = 1/z**2, 0.7788007830714049  # exp(-1/4)
    for n in range(1, 13):
        total = total + 2*decay**(n*n)/(n*n/4 + z**2)
    pole = np.where(z < 6, 2/(1 - np.exp(4*np.pi*np.clip(z, 1, 6))), 0*z)
    tail = np.where(size < 1, 1 - erf(size), z/(2*np.pi)*np.exp(-z*z)*total + pole)/2
    return np.where(x < 0, tail, 1 - tail)""",
    "huber": """def huber(x, w):
    size = np.abs(x)
    near = np.minimum(size, w)
    return near*(size - near/2)""",
    "erfcx": """def erfcx(x):
    # Shepherd & Laframboise 1981: (1 + 2*x)*erfcx(x) is smooth in (x - 3.75)/(x + 3.75); by its Chebyshev series
    z = np.abs(x)
    t = 1 - 7.5/(z + 3.75)
    b, c = np.zeros_like(z), np.zeros_like(z)
    for a in (
        -2.187342944303018e-18, -2.2370566594359995e-18, 5.068148904796111e-17,
        7.418235256624044e-17, -1.2507950530688648e-15, -1.864562880419313e-15,
        3.3478119482868056e-14, 3.25254814814874e-14, -9.65469674843344e-13,
        1.9455868545777347e-13, 2.86879501093067e-11, -6.318088340886684e-11,
        -7.754400208831351e-10, 4.521959811218287e-09, 1.076499946567091e-08,
        -2.1886401049234397e-07, 7.74038306619849e-07, 4.13902798607301e-06,
        -6.916973302501207e-05, 0.0004907758365258086, -0.002413163540417608,
        0.009074997670705265, -0.026658668435305753, 0.05920993999819189, -0.08424913336651792,
        -0.004590054580646478,
    ):
        b, c = 2*t*b - c + a, b
    right = (t*b - c + 1.1775789345674017)/(1 + 2*z)
    return np.where(x < 0, 2*np.exp(np.minimum(x, np.zeros_like(x))**2) - right, right)""",
    "erfc": """def erfc(x):
    right = np.exp(-x*x)*erfcx(np.abs(x))
    return np.where(x < 0, 2 - right, right)""",
    "log_normcdf": """def log_normcdf(x):
    # by erfcx where the function would underflow, by log1p where its logarithm is near 0
    edge = -np.ones_like(x)
    low, high = np.minimum(x, edge), np.maximum(x, edge)
    left = np.log(erfcx(-low/2**0.5)/2) - low*low/2
    return np.where(x < edge, left, np.log1p(-erfc(high/2**0.5)/2))""",
    "logcosh": """def logcosh(x):
    # by q = exp(-z) - 1 cosh(z) is 1 + q^2/(2*(1 + q)) near 0, and exp(z)*(1 + q*(2 + q)/2) beyond 1
    z = np.abs(x)
    near, q = z < 1, np.expm1(-z)
    below = np.where(near, 1 + q, np.ones_like(z))
    excess = np.log1p(np.where(near, q*q/below, q*(2 + q))/2)
    return np.where(near, excess, z + excess)""",
    "sech2": """def sech2(x):
    e = np.exp(-2*np.abs(x))
    return 4*e/(1 + e)**2""",
    "logsoftmax_rows": """def logsoftmax_rows(x):
    y = x - np.amax(x, axis=-1, keepdims=True)
    return y - np.log(np.sum(np.exp(y), axis=-1, keepdims=True))""",
    "top": """def top(x):
    t = np.amax(x)
    return np.where(np.isfinite(t), t, np.zeros_like(t))""",
    "top_rows": """def top_rows(x):
    t = np.amax(x, axis=-1)
    return np.where(np.isfinite(t), t, np.zeros_like(t))""",
    "masked": """def masked(x, w):
    return np.where(w == 0, np.full_like(x, -np.inf), x)""",
    "exp_below": """def exp_below(x):
    return np.exp(np.minimum(x, np.zeros_like(x)))""",
    "reciprocal": """def reciprocal(x):
    # the slope of a norm at 0 is taken to be 0
    return np.where(x == 0, np.zeros_like(x), 1/np.where(x == 0, np.ones_like(x), x))""",
    "xlogy": """def xlogy(x, w):
    # nan stays nan
    none = (x == 0) & (w == w)
    return np.where(none, np.zeros_like(x), x*np.log(np.where(none, np.ones_like(w), w)))""",
    "xlog1py": """def xlog1py(x, w):
    none = (x == 0) & (w == w)
    return np.where(none, np.zeros_like(x), x*np.log1p(np.where(none, np.zeros_like(w), w)))""",
    "power_slope": """def power_slope(x, p):
    none = (p == 0) & (x == x)
    return np.where(none, np.zeros_like(x), p*np.where(none, np.ones_like(x), x)**(p - 1))""",
    "lgamma": """def lgamma(x):
    # Abramowitz & Stegun 1964, 6.1.41: Stirling's series, beyond 16
    z = x + 16
    shift = sum(np.log(x + k) for k in range(16))
    series = 1/(12*z) - 1/(360*z**3) + 1/(1260*z**5) - 1/(1680*z**7) + 1/(1188*z**9)
    half_log_two_pi = 0.9189385332046727
    return np.where(x < np.inf, (z - 0.5)*np.log(z) - z + half_log_two_pi + series - shift, x)""",
    "polygamma": """def polygamma(k, x):
    # Abramowitz & Stegun 1964, 6.3.18 and 6.4.11: the asymptotic series, beyond 16
    z, sign, bernoulli = x + 16, (-1)**(k + 1), (1/6, -1/30, 1/42, -1/30, 5/66, -691/2730, 7/6)
    total = np.log(z) if k == 0 else sign*factorial(k - 1)/z**k
    total = total + sign*factorial(k)/(2*z**(k + 1))
    for j, b in enumerate(bernoulli, 1):
        total = total + sign*b*factorial(2*j + k - 1)/(factorial(2*j)*z**(2*j + k))
    for j in range(16):
        total = total + sign*factorial(k)/(x + j)**(k + 1)
    return total""",
    "cofactors": """def cofactors(x):
    # det(x)*inv(x) by singular values, of which one may be 0: each is replaced by the product of the others
    u, s, v = np.linalg.svd(x)
    unit = np.eye(x.shape[0], dtype=x.dtype)
    others = np.prod(np.where(unit == 1, np.ones_like(unit), s[None, :]), axis=1)
    return np.linalg.det(u)*np.linalg.det(v)*(v.T*others) @ u.T""",
    "adjugate": """def adjugate(factor, x):
    # the factor is the matrix itself
    d = np.linalg.det(x)
    if d == 0:
        return cofactors(x)
    inverse = np.linalg.inv(x)
    regular = np.max(np.abs(x))*np.max(np.abs(inverse)) < 1e8
    return d*inverse if regular else cofactors(x)""",
    "embed": """def embed(x, start, length):
    # x among zeros, from a place of the first axis on
    shape = x.shape[1:]
    zeros = [np.zeros((n, *shape), dtype=x.dtype) for n in (start, length - start - x.shape[0])]
    return np.concat([zeros[0], x, zeros[1]], axis=0)""",
    "convmat": """def convmat(x, y):
    # the entry x[i] stands in row i + j of column j
    n, m = x.shape[0], y.shape[0]
    edge = np.zeros((m - 1,), dtype=x.dtype)
    padded = np.concat([edge, x, edge], axis=0)
    return padded[np.arange(n + m - 1)[:, None] - np.arange(m)[None, :] + (m - 1)]""",
    "hankel": """def hankel(x, y):
    m = y.shape[0]
    return x[np.arange(x.shape[0] - m + 1)[:, None] + np.arange(m)[None, :]]""",
    "shifts": """def shifts(n, m, dtype):
    # row i + j of column (i, j) is 1
    places = np.arange(n)[:, None] + np.arange(m)[None, :]
    return np.eye(n + m - 1, dtype=dtype)[np.reshape(places, (-1,))].T""",
    "cross": """def cross(x, y):
    return np.stack([x[1]*y[2] - x[2]*y[1], x[2]*y[0] - x[0]*y[2], x[0]*y[1] - x[1]*y[0]])""",
    "skew": """def skew(x):
    zero = 0*x[0]
    return np.reshape(np.stack([zero, -x[2], x[1], x[2], zero, -x[0], -x[1], x[0], zero]), (3, 3))""",
    "unskew": """def unskew(a):
    return np.stack([a[2, 1] - a[1, 2], a[0, 2] - a[2, 0], a[1, 0] - a[0, 1]])""",
}

NUMPY_ONLY = {  # other libraries have these, or spell them otherwise
    "softmax": "def softmax(x):\n    e = np.exp(x - x.max())\n    return e/e.sum()",
    "logsumexp": "def logsumexp(x):\n    top = x.max()\n"
    "    top = top if np.isfinite(top) else x.dtype.type(0)\n"
    "    return top + np.log(np.exp(x - top).sum())",
    "expm": (
        "def expm(x):\n    # Higham 2005: scaling and squaring, here with a Taylor polynomial of "
        "degree 18 below norm 1/2\n"
        "    norm = np.abs(x).sum(0).max()\n    if not norm < np.inf:\n        return "
        "np.full_like(x, np.nan)\n"
        "    halvings = max(0, int(np.ceil(np.log2(max(norm, 1e-300)))) + 1)\n"
        "    a = x*0.5**halvings\n    term = total = np.eye(len(x), dtype=a.dtype)\n"
        "    for k in range(1, 19):\n        term = term @ a/k\n        total = total + term\n"
        "    for _ in range(halvings):\n        total = total @ total\n    return total"
    ),
}


def definitions(
    module: str, changes: Mapping[str, str] | None = None, opening: str = ""
) -> dict[str, str]:
    """The definitions in the words of a library.

    ``changes`` are words that it spells otherwise, ``opening`` a first line in terms of ``{0}``.

    >>> print(definitions("jnp")["unskew"])
    def unskew(a):
        return jnp.stack([a[2, 1] - a[1, 2], a[0, 2] - a[2, 0], a[1, 0] - a[0, 1]])
    """
    return {
        name: _translated(text, module, changes or {}, opening)
        for name, text in DEFINITIONS.items()
    }


def _translated(text: str, module: str, changes: Mapping[str, str], opening: str) -> str:
    text = text.replace("np.", f"{module}.")
    for word, other in changes.items():
        text = text.replace(word, other)
    if not opening:
        return text
    signature, body = text.split("\n", 1)
    array = next(
        name
        for name in signature[signature.index("(") + 1 : -2].split(", ")
        if name not in ("f", "k")
    )
    return f"{signature}\n    {opening.format(array)}\n{body}"
