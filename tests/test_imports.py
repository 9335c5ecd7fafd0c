"""The structure: imports go one way, from the language to the command; heavy packages load in few places."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import matcalc

PACKAGE = Path(matcalc.__file__).parent
ORDER = """
options errors budget graph sizes functions
expr.nodes expr.hints expr.parts expr.names expr.algebra expr.powers expr.blocks expr.calls expr syntax declarations places kinds notes program
shapes extend labels chain arrange rules factoring simplify index indices unfold separate
printing printing.names printing.symbols printing.text printing.latex printing.indices printing.where
codegen.source codegen.definitions codegen.steps codegen.facts
codegen.scale codegen.limits codegen.stable codegen.order codegen.settle codegen.products codegen.plan codegen.congruence
codegen.cost codegen.fuse codegen.dialect codegen.write codegen.rowwise codegen.reuse codegen.plain
codegen.arrays codegen.compiled codegen.numpy codegen.numba codegen.jax codegen.torch codegen.array_api codegen
modular lengths dual exact decimal_matrices decimals points branches opaque verify differentiate
interop.arrays interop.entries interop.incoming interop.outgoing interop given derivation candidate explain build
descent longrun feasible linesearch minimum optimize objective rowblocks sharding distribution
network.tables network.recursion network.maps network.derived network.layer network.layers network.frequency network.network
network.program network.training network.pictures network.command network __init__ cli __main__
""".split()
NETWORK = {f"network.{n}" for n in ("maps", "layer", "layers", "frequency", "network", "program", "training")}
HEAVY = {
    "numpy": {
        "codegen.arrays", "codegen.compiled", "codegen.order", "descent", "feasible", "linesearch", "longrun", "minimum",
        "optimize", "rowblocks",
        *NETWORK,
    },
    "mpmath": {"decimals"},
    "dask": {"rowblocks"},
    "sympy": {"interop.incoming", "interop.outgoing"},
    "lark": {"syntax", "places", "kinds", "notes", "shapes", "indices"},
}  # fmt: skip
# methods of an expression that reach up to a later stage, when they are called
CONVENIENCES = {
    ("expr.nodes", "expr.algebra"),
    ("expr.hints", "expr.algebra"),
    ("expr.nodes", "expr.calls"),
    ("expr.nodes", "expr.blocks"),
    ("expr.nodes", "printing.text"),
    ("expr.nodes", "printing.latex"),
    ("expr.nodes", "codegen"),
    ("index", "printing.indices"),
    ("index", "codegen"),
}


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


def imported(path: Path, name: str, everywhere: bool) -> Iterator[str]:
    """The modules of the package, and the other packages, that a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree)) if everywhere else [n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))]
    package = name.split(".")[:-1] if path.name != "__init__.py" else ([] if name == "__init__" else name.split("."))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (f"/{alias.name.split('.')[0]}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield f"/{(node.module or '').split('.')[0]}"
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1]
            target = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            yield from ([target] if target else [alias.name for alias in node.names])


def test_every_module_has_its_place() -> None:
    assert set(modules()) == set(ORDER)


@pytest.mark.parametrize("name", ORDER)
def test_imports_go_one_way(name: str) -> None:
    for target in imported(modules()[name], name, everywhere=False):
        if not target.startswith("/"):
            assert ORDER.index(target) < ORDER.index(name), f"{name} imports {target}"


@pytest.mark.parametrize("name", [n for n in ORDER if ORDER.index(n) < ORDER.index("printing")])
def test_no_pass_imports_a_printer_or_a_compiler(name: str) -> None:
    for target in imported(modules()[name], name, everywhere=True):
        if target.startswith(("printing", "codegen")):  # methods of an expression reach up when they are called
            assert (name, target) in CONVENIENCES


@pytest.mark.parametrize("package", HEAVY)
def test_heavy_packages_load_in_few_places(package: str) -> None:
    users = {name for name, path in modules().items() if f"/{package}" in imported(path, name, everywhere=True)}
    assert users <= HEAVY[package]


def test_no_text_of_a_user_is_evaluated() -> None:
    """exec runs in one place, on generated source; nothing else evaluates text."""
    found = []
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
                called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                if called in {"eval", "exec", "sympify", "parse_expr", "lambdify"}:
                    found.append((name, called))
    assert found == [("codegen.compiled", "exec")]
