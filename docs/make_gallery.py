"""Write docs/gallery.md: textbook derivatives, each derived and verified as the page is made.

Run ``python docs/make_gallery.py``.
"""

from __future__ import annotations

from pathlib import Path

import matcalc as mc

HERE = Path(__file__).parent
IDENTITIES = HERE.parent / "tests" / "identities.tsv"
TITLES = {
    "grad": "Gradients of scalars",
    "dscalar": "Derivatives by a scalar",
    "jac": "Jacobians of vectors",
    "hess": "Hessians",
    "vecjac": "Matrices by matrices, in Kronecker form",
    "vechess": "Hessians by a matrix, in Kronecker form",
    "symgrad": "Gradients by a symmetric matrix",
    "diaggrad": "Gradients by a diagonal matrix",
    "symelem": "Symmetric, entry by entry",
}
# expressions of more than the textbooks: parts, blocks, matrix functions, eigenvalues, convolution
MORE = (
    ("norm2(X[:,j] - y)^2", "X", "X: m×n"),
    ("norm2(x[2:] - x[:n-1])^2", "x", "x: n"),
    ("norm2([A, B; C, D]*x)^2", "B", ""),
    ("logdet([A, B; B', C])", "A", "A: n×n sym; B: n×m; C: m×m sym"),
    ("sum(gelu(X*w))", "w", ""),
    ("sum(lgamma(x)) - lgamma(sum(x))", "x", "x: n positive"),
    ("sum(log(eigvals(S)))", "S", "S: n×n spd"),
    ("lambda_max(S)", "S", "S: n×n sym"),
    ("normnuc(X)", "X", "X: m×n"),
    ("normspec(A*X)", "X", "A: k×m; X: m×n"),
    ("tr(X^k)", "X", ""),
    ("tr(A*X^k)", "X", ""),
    ("det(X^k)", "X", ""),
    ("tr(logm(A))", "A", ""),
    ("tr(B*sqrtm(A))", "A", "B: n×n"),
    ("norm2(chol(S)*x)^2", "S", "S: n×n spd"),
    ("a'*cross(b, c)", "b", ""),
    ("norm2(expm(skew(x))*y)^2 + z'*expm(skew(x))*y", "x", "x: 3; y: 3; z: 3"),
    ("norm2(conv(x, w) - y)^2", "w", ""),
    ("sum(relu(conv(x, w)))", "x", ""),
)
HEAD = """# Gallery

Textbook derivatives as matcalc prints them. Each was derived and verified in two ways when this page was made
(`python docs/make_gallery.py`); a test makes it again. Sources: the Matrix Cookbook (MC), Magnus and Neudecker (M&N), Minka's
notes, the matrix calculus page of Wikipedia, and examples from statistics and machine learning.
"""


def derived(kind: str, text: str, wrt: str, shapes: str) -> str:
    """The printed answer of one row; raises if it is not verified."""
    d = mc.derive(
        text,
        wrt,
        shapes,
        order=2 if "hess" in kind else 1,
        symmetric="elements" if kind == "symelem" else "gradient",
    )
    assert d.verification is not None
    assert d.verification.ok, text
    return str(d.kronecker() if kind.startswith("vec") else d.result)


def page() -> str:
    rows = [
        line.split("\t")
        for line in IDENTITIES.read_text(encoding="utf-8").splitlines()
        if line[:1].isdigit()
    ]
    out = [HEAD]
    for kind, title in TITLES.items():
        out.append(f"## {title}\n\n| expression | by | derivative | where |\n|---|---|---|---|")
        out += [
            f"| `{_cell(r[3])}` | `{r[4]}` | `{_cell(derived(kind, *r[3:6]))}` | {_cell(r[5])} |"
            for r in rows
            if r[2] == kind
        ]
        out.append("")
    out.append(
        "## Parts, blocks, matrix functions, convolution\n\n| expression | by | derivative | "
        "where |\n|---|---|---|---|"
    )
    out += [
        (
            f"| `{_cell(text)}` | `{wrt}` | `{_cell(derived('grad', text, wrt, shapes))}` | "
            f"{_cell(shapes)} |"
        )
        for text, wrt, shapes in MORE
    ]
    return "\n".join([*out, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    (HERE / "gallery.md").write_text(page(), encoding="utf-8")
