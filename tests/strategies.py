"""Random matrix expressions as text: every operation of the language, weighted to what goes wrong.

:class:`Generator` takes its choices from any source: a seeded ``random.Random`` for long runs,
hypothesis for shrinking. Half of the expressions have all sizes equal, where a wrong arrangement
would still be legal; broadcasts under sums are frequent, because lost ones are the mistake that the
eye does not see; variables repeat; some square ones have a structure. Entries, ranges and blocks
make and take apart axes whose length is a sum, such as ``n+1``; ``i`` and ``j`` are places.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Choose(Protocol):
    """One of several, drawn at random or by hypothesis."""

    def __call__(self, options: Sequence[T], /) -> T: ...


# of a test that draws from seeds; the gate takes more
CASES = int(os.environ.get("MATCALC_CASES", 100))
ELEMENTWISE = (
    "exp",
    "sin",
    "cos",
    "tanh",
    "sigmoid",
    "softplus",
    "arctan",
    "log1p_exp",
    "relu",
    "abs",
)
NORMAL = ("erf", "gelu", "normcdf")
POSITIVE = ("lgamma", "digamma", "polygamma(0,", "polygamma(1,", "polygamma(2,")
PLACES = ("1", "2", "i", "j")
STRUCTURES = ("symmetric", "spd", "diagonal")
SIZES = ("m", "n", "p")


class Generator:
    """Type-directed: ``scalar``, ``vector(size)`` and ``matrix(rows, columns)`` return texts of
    that shape, in brackets where needed.
    """

    def __init__(self, choose: Choose, equal: bool, wide: bool = False) -> None:
        # a wide one draws parts, blocks, and functions of eigenvalues and factors, too
        self.choose, self.wide = choose, wide
        self.sizes: tuple[str, ...] = ("n",) if equal else SIZES
        self.declared: dict[str, str] = {}

    @property
    def shapes(self) -> dict[str, str]:
        return dict(self.declared)

    def size(self) -> str:
        return self.choose(self.sizes)

    def variable(self, prefix: str, shape: str, structure: str = "") -> str:
        sizes = shape.translate({ord("×"): "", ord("+"): "p"})
        name = f"{prefix}{sizes}{structure[:2]}{self.choose((0, 1))}"
        self.declared[name] = f"{shape} {structure}".strip()
        return name

    def pick(self, *options: tuple[int, Callable[[], str]]) -> str:
        return self.choose([option for weight, option in options for _ in range(weight)])()

    def longer(self, size: str) -> str:
        """A longer axis, of which this one is the first or the last part."""
        return f"{size}+{self.choose(('1', *self.sizes))}"

    def positive(self, argument: str) -> str:
        name = self.choose(POSITIVE)
        return f"{name}{'' if '(' in name else '('}2 + ({argument}).^2)"

    def elementwise(self, argument: str) -> str:
        name = self.choose(ELEMENTWISE + NORMAL * self.wide)
        return f"log1p(exp({argument}))" if name == "log1p_exp" else f"{name}({argument})"

    def scalar(self, depth: int) -> str:
        if depth <= 0:
            return self.variable("s", "scalar")
        m, n, d = self.size(), self.size(), depth - 1
        return self.pick(
            (4, lambda: f"tr({self.matrix(m, m, d)})"),
            (4, lambda: f"({self.vector(m, d)})'*({self.vector(m, d)})"),
            (3, lambda: f"norm2({self.matrix(m, n, d)})"),
            (3, lambda: f"norm2({self.vector(m, d)})^2"),
            (6, lambda: f"sum({self.matrix(m, n, d)})"),
            (4, lambda: f"sum({self.vector(m, d)} + {self.scalar(d)})"),
            (3, lambda: f"sum({self.matrix(m, n, d)} + ({self.vector(n, d)})')"),
            (2, lambda: f"sum({self.vector(m, d)})*sum({self.vector(n, d)})"),
            (2, lambda: f"logdet({self.dominant(m, d)})"),
            (1, lambda: f"det({self.dominant(m, d)})"),
            (3, lambda: f"({self.scalar(d)} + {self.scalar(d)})"),
            (2, lambda: f"(tr({self.matrix(m, m, d)}) - {self.scalar(d)}*{m})"),
            (2, lambda: f"({self.scalar(d)})*({self.scalar(d)})"),
            (1, lambda: f"({self.scalar(d)})/(1 + ({self.scalar(d)})^2)"),
            (2, lambda: self.elementwise(self.scalar(d))),
            (1, lambda: f"sqrt(1 + ({self.scalar(d)})^2)"),
            (1, lambda: f"logsumexp({self.vector(m, d)})"),
            (1, lambda: f"norm1({self.vector(m, d)})"),
            (1, lambda: f"sum(kron({self.matrix(m, n, d - 1)}, {self.vector(n, d - 1)}))"),
            (1, lambda: f"norm2(vec({self.matrix(m, n, d)}))^2"),
            (self.wide * 2, lambda: f"({self.vector(m, d)})[{self.choose(PLACES)}]"),
            (
                self.wide * 2,
                lambda: f"({self.matrix(m, n, d)})[{self.choose(PLACES)},{self.choose(PLACES)}]",
            ),
            (self.wide * 1, lambda: f"(i*({self.vector(m, d)})[i])"),
            (self.wide * 1, lambda: f"logdet({self.blocks(m, n, d)})"),
            (self.wide * 1, lambda: f"det({self.blocks(m, '1', d)})"),
            (self.wide * 1, lambda: f"pi*({self.scalar(d)})"),
            (self.wide * 1, lambda: self.positive(self.scalar(d))),
            (
                self.wide * 1,
                lambda: f"cross_entropy({self.vector(m, d)}, softmax({self.vector(m, d)}))",
            ),
            (
                self.wide * 1,
                lambda: (
                    f"({self.vector('3', d)})'*cross({self.vector('3', d)}, {self.vector('3', d)})"
                ),
            ),
            (self.wide * 1, lambda: f"sum(skew({self.vector('3', d)})*{self.matrix('3', m, d)})"),
            (self.wide * 1, lambda: f"({self.vector(m, d)})'*eigvals({self.mirrored(m)})"),
            (self.wide * 1, lambda: f"{self.choose(('normnuc', 'normspec'))}({self.leaf(m, n)})"),
            (
                self.wide * 1,
                lambda: f"{self.choose(('lambda_max', 'lambda_min'))}({self.mirrored(m)})",
            ),
        )

    def vector(self, n: str, depth: int) -> str:
        if depth <= 0:
            return self.variable("x", n)
        m, d = self.size(), depth - 1
        first, _, rest = n.partition("+")
        plain, joined = (0, 4) if rest else (1, 0)
        return self.pick(
            (
                self.wide * joined,
                lambda: (
                    f"[{self.vector(first, d)}; "
                    f"{self.vector(rest, d) if rest != '1' else self.scalar(d)}]"
                ),
            ),
            (self.wide * 2 * plain, lambda: f"({self.vector(self.longer(n), d)})[:{n}]"),
            (self.wide * plain, lambda: f"({self.vector(n + '+1', d)})[2:]"),
            (self.wide * plain, lambda: f"({self.vector(n + '+1', d)})[2:{n}+1]"),
            (self.wide * 2, lambda: f"({self.matrix(n, m, d)})[:,{self.choose(PLACES)}]"),
            (self.wide * 1, lambda: f"({self.matrix(m, n, d)})[{self.choose(PLACES)},:]'"),
            (self.wide * 1, lambda: self.positive(self.vector(n, d))),
            (self.wide * plain, lambda: f"eigvals({self.mirrored(n)})"),
            (self.wide * plain, lambda: f"(eigvecs({self.mirrored(n)}).^2*({self.vector(n, d)}))"),
            (6, lambda: f"({self.matrix(n, m, d)}*({self.vector(m, d)}))"),
            (3, lambda: f"({self.vector(n, d)} + {self.vector(n, d)})"),
            (2, lambda: f"({self.vector(n, d)} - {self.scalar(d)})"),
            (3, lambda: self.elementwise(self.vector(n, d))),
            (2, lambda: f"(({self.vector(n, d)}).*({self.vector(n, d)}))"),
            (1, lambda: f"(({self.vector(n, d)})./(2 + ({self.vector(n, d)}).^2))"),
            (2, lambda: f"({self.matrix(n, m, d)}*ones({m}))"),
            (1, lambda: f"({self.matrix(m, n, d)}'*ones({m}))"),
            (2, lambda: f"diag({self.matrix(n, n, d)})"),
            (1, lambda: f"softmax({self.vector(n, d)})"),
            (1, lambda: f"logsoftmax({self.vector(n, d)})"),
            (1, lambda: f"logsumexp_rows({self.matrix(n, m, d)})"),
            (2, lambda: f"({self.scalar(d)})*({self.vector(n, d)})"),
            (1, lambda: f"({self.vector(n, d)})/(1 + norm2({self.vector(n, d)})^2)"),
            (1, lambda: f"(inv({self.dominant(n, d)})*({self.vector(n, d)}))"),
        )

    def dominant(self, n: str, depth: int) -> str:
        """A matrix that can be inverted at some point of the domain, whatever is in it."""
        inner = self.matrix(n, n, depth)
        return self.choose(
            [f"(2*eye({n}) + {inner})", f"({inner})", f"(eye({n}) + ({inner})*({inner})')"]
        )

    def gram(self, n: str, depth: int) -> str:
        """A positive definite matrix."""
        inner = self.matrix(n, self.size(), depth)
        return f"(eye({n}) + {inner}*({inner})')"

    def mirrored(self, n: str) -> str:
        """A symmetric matrix, by its declaration or by its form."""
        name = self.variable("M", f"{n}×{n}")
        return self.choose(
            [
                self.variable("M", f"{n}×{n}", "symmetric"),
                f"({name} + {name}')",
                f"(diag({self.variable('x', n)}) + {name}.*{name}')",
            ]
        )

    def blocks(self, m: str, n: str, depth: int) -> str:
        """A square matrix made of four blocks, which can be inverted at some point of the
        domain.
        """
        b, c = (
            (self.matrix(m, n, depth), f"({self.matrix(m, n, depth)})'")
            if n != "1"
            else (self.vector(m, depth), f"({self.vector(m, depth)})'")
        )
        last = self.dominant(n, depth) if n != "1" else self.scalar(depth)
        return (
            f"[{self.dominant(m, depth)}, {self.choose((b, '0'))}; {self.choose((c, '0'))}, {last}]"
        )

    def leaf(self, m: str, n: str) -> str:
        structure = self.choose((*STRUCTURES, *[""] * 9)) if m == n else ""
        name = self.variable("M", f"{m}×{n}", structure)
        return f"{name}'" if m == n and self.choose((True, False, False)) else name

    def matrix(self, m: str, n: str, depth: int) -> str:
        if depth <= 0:
            return self.leaf(m, n)
        k, d = self.size(), depth - 1
        square = 2 if m == n else 0
        (top, _, below), (left, _, right) = m.partition("+"), n.partition("+")
        return self.pick(
            (
                self.wide * (4 if below else 0),
                lambda: (
                    f"[{self.matrix(top, n, d)}; "
                    f"{self.matrix(below, n, d) if below != '1' else self.vector(n, d) + chr(39)}]"
                ),
            ),
            (
                self.wide * (4 if right else 0),
                lambda: (
                    f"[{self.matrix(m, left, d)}, "
                    f"{self.matrix(m, right, d) if right != '1' else self.vector(m, d)}]"
                ),
            ),
            (
                self.wide * (0 if below else 1),
                lambda: f"({self.matrix(self.longer(m), n, d)})[:{m},:]",
            ),
            (self.wide * (0 if below else 1), lambda: f"({self.matrix(m + '+1', n, d)})[2:,:]"),
            (
                self.wide * (0 if right else 1),
                lambda: f"({self.matrix(m, self.longer(n), d)})[:,:{n}]",
            ),
            (self.wide * 1, lambda: self.positive(self.matrix(m, n, d))),
            (
                self.wide * square,
                lambda: (
                    f"{self.choose(('expm', 'sqrtm', 'logm'))}(2*eye({n}) + "
                    f"tanh({self.matrix(n, n, d)})/4)"
                ),
            ),
            (self.wide * square // 2, lambda: f"chol({self.gram(n, d)})"),
            (6, lambda: f"({self.matrix(m, k, d)}*{self.matrix(k, n, d)})"),
            (3, lambda: f"({self.matrix(m, n, d)} + {self.matrix(m, n, d)})"),
            (3, lambda: f"({self.matrix(n, m, d)})'"),
            (3, lambda: f"(({self.matrix(m, n, d)}).*({self.matrix(m, n, d)}))"),
            (3, lambda: self.elementwise(self.matrix(m, n, d))),
            (2, lambda: f"(({self.vector(m, d)})*({self.vector(n, d)})')"),
            (2, lambda: f"({self.matrix(m, n, d)} + ({self.vector(n, d)})')"),
            (2, lambda: f"({self.matrix(m, n, d)} - {self.scalar(d)})"),
            (1, lambda: f"({self.matrix(m, n, d)} + ({self.vector(m, d)})*ones({n})')"),
            (2, lambda: f"(({self.scalar(d)})*({self.matrix(m, n, d)}))"),
            (1, lambda: f"(({self.matrix(m, n, d)})./(1 + ({self.matrix(m, n, d)}).^2))"),
            (1, lambda: f"softmax_rows({self.matrix(m, n, d)})"),
            (1, lambda: f"(diag({self.vector(m, d)})*{self.matrix(m, n, d)})"),
            (square, lambda: f"inv({self.dominant(n, d)})"),
            (square, lambda: f"diag({self.vector(n, d)})"),
            (square // 2, lambda: f"({self.matrix(n, n, d)})^{self.choose((2, 3))}"),
        )


def expression(seed: int, depth: int = 3, wide: bool = False) -> tuple[str, dict[str, str]]:
    """A reproducible scalar expression with its declarations.

    Every second seed has all sizes equal.
    """
    rng = random.Random(seed)
    generator = Generator(rng.choice, equal=seed % 2 == 0, wide=wide)
    return generator.scalar(depth), generator.shapes


@st.composite
def scalars(draw: st.DrawFn, depth: int = 2, wide: bool = False) -> tuple[str, dict[str, str]]:
    """Scalar expressions with their declarations, for hypothesis."""
    generator = Generator(
        lambda options: draw(st.sampled_from(list(options))), equal=draw(st.booleans()), wide=wide
    )
    return generator.scalar(depth), generator.shapes
