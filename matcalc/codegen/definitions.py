"""Functions that array libraries lack, as source: written once for NumPy, in words that every library knows."""

from __future__ import annotations

from collections.abc import Mapping

IMPORTS = {"factorial": "from math import factorial", "leggauss": "from numpy.polynomial.legendre import leggauss"}
DEFINITIONS = {
    "sqrtm": """def sqrtm(x):
    # Denman & Beavers 1976: Newton's iteration, in its product form (Higham 2008, eq. 6.29)
    y, m, unit = x, x, np.eye(x.shape[0], dtype=x.dtype)
    for _ in range(24):
        inverse = np.linalg.inv(m)
        y, m = y @ (unit + inverse)/2, (unit + (m + inverse)/2)/2
    # nan where an eigenvalue is negative: there is no real root, and m does not settle at the identity
    return np.where(np.max(np.abs(m - unit)) < 1e-3, y, np.full_like(y, np.nan))""",
    "logm": """def logm(x):
    # Higham 2008, section 11.5: eight square roots, then Padé's approximant as a Gauss quadrature of order 16
    for _ in range(8):
        x = sqrtm(x)
    unit = np.eye(x.shape[0], dtype=x.dtype)
    e = x - unit
    return sum(128*float(w)*e @ np.linalg.inv(unit + (1 + float(t))/2*e) for t, w in zip(*leggauss(16)))""",
    "frechet": """def frechet(f, x, e):
    # Mathias 1996: the upper right block of f of [x e; 0 x]
    n = x.shape[0]
    return f(np.concat([np.concat([x, e], axis=1), np.concat([np.zeros_like(x), x], axis=1)], axis=0))[:n, n:]""",
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


def definitions(module: str, changes: Mapping[str, str] | None = None, opening: str = "") -> dict[str, str]:
    """The definitions in the words of a library; ``changes`` are words that it spells otherwise, ``opening`` a first line in terms of ``{0}``.

    >>> print(definitions("jnp")["unskew"])
    def unskew(a):
        return jnp.stack([a[2, 1] - a[1, 2], a[0, 2] - a[2, 0], a[1, 0] - a[0, 1]])
    """
    return {name: _translated(text, module, changes or {}, opening) for name, text in DEFINITIONS.items()}


def _translated(text: str, module: str, changes: Mapping[str, str], opening: str) -> str:
    text = text.replace("np.", f"{module}.")
    for word, other in changes.items():
        text = text.replace(word, other)
    if not opening:
        return text
    signature, body = text.split("\n", 1)
    array = next(name for name in signature[signature.index("(") + 1 : -2].split(", ") if name not in ("f", "k"))
    return f"{signature}\n    {opening.format(array)}\n{body}"
