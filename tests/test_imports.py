"""The structure: packages stand in layers, imports of every kind go down, and heavy packages
load in few places.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import matcalc

ROOT = Path(matcalc.__file__).parent
# From the lowest to the highest; a file imports files of lower lines, and of its own package.
LAYERS = """
options tables faces
errors
budget
expr
language
labels
calculus
printing
codegen
proof interop
api
numeric
distribution network
__init__
cli
__main__
"""
LEVEL = {
    package: level
    for level, line in enumerate(LAYERS.strip().splitlines())
    for package in line.split()
}
NETWORK = {
    f"network.{name}"
    for name in (
        "runtime.numpy",
        "maps",
        "layer",
        "layers",
        "convolution",
        "network",
        "module",
        "training",
    )
}
NUMERIC = {
    f"numeric.{name}"
    for name in ("feasible", "linesearch", "minimize", "minimum", "objective", "optimizers", "runs")
}
# read as text for generated source, imported by tests alone
RUNTIME = {f"codegen.runtime.{name}" for name in ("common", "plain", "numpy", "scipy", "reusing")}
HEAVY = {
    "numpy": {
        "codegen.arrays",
        "codegen.compiled",
        "codegen.targets.numpy",
        "codegen.plan.order",
        "distribution.on_dask",
        *NUMERIC,
        *NETWORK,
        *RUNTIME,
    },
    "mpmath": {"proof.decimals"},
    "dask": {"distribution.on_dask"},
    "jax": {
        "distribution.on_mesh",
        "codegen.targets.jax",
        "codegen.runtime.jax",
        "network.runtime.jax",
    },
    "sympy": {"interop.incoming", "interop.outgoing"},
    "lark": {f"language.{name}" for name in ("syntax", "indices", "names", "notes")},
}


@cache
def modules() -> dict[str, Path]:
    """The files of the package, by their dotted names."""
    files = {}
    for path in ROOT.rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        files[name.removesuffix(".__init__")] = path
    return files


def nodes(name: str) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(modules()[name].read_text(encoding="utf-8")))


@cache
def imports(name: str) -> frozenset[str]:
    """The files of the package that a file imports anywhere: at its top, in a function, or for
    types.
    """
    package = [] if name == "__init__" else name.split(".")
    if modules()[name].name != "__init__.py":
        package = package[:-1]
    targets = set()
    for node in nodes(name):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        above = package[: len(package) - node.level + 1]
        source = ".".join([*above, *(node.module or "").split(".")]).strip(".")
        for alias in node.names:
            full = f"{source}.{alias.name}".strip(".")
            targets.add(full if full in modules() else source or "__init__")
    return frozenset(targets - {name})


def packages_used(name: str) -> set[str]:
    """The packages beside this one that a file names: imported, or loaded by ``import_module``."""
    used = set()
    for node in nodes(name):
        if isinstance(node, ast.Import):
            used |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            used.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_module":
            used |= {str(a.value).split(".")[0] for a in node.args if isinstance(a, ast.Constant)}
    return used


def level(name: str) -> int:
    return LEVEL[name.split(".")[0]]


@pytest.mark.parametrize("name", modules())
def test_imports_go_down(name: str) -> None:
    package = name.split(".")[0]
    for target in imports(name):
        assert target in modules()
        assert target.split(".")[0] == package or level(target) < level(name), (
            f"{name} imports {target}"
        )


def test_no_file_imports_itself_in_a_circle() -> None:
    TopologicalSorter({name: imports(name) for name in modules()}).prepare()


@pytest.mark.parametrize("package", HEAVY)
def test_heavy_packages_load_in_few_places(package: str) -> None:
    assert {name for name in modules() if package in packages_used(name)} <= HEAVY[package]


@pytest.mark.parametrize("package", HEAVY)
def test_the_places_of_heavy_packages_are_true(package: str) -> None:
    """A package that nothing loads any more would make its line say nothing."""
    assert HEAVY[package] <= {name for name in modules() if package in packages_used(name)}


def test_no_text_of_a_user_is_evaluated() -> None:
    """exec runs in one place, on generated source; nothing else evaluates text."""
    evaluated = []
    for name in modules():
        for node in nodes(name):
            if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
                called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                if called in {"eval", "exec", "sympify", "parse_expr", "lambdify"}:
                    evaluated.append((name, called))
    assert evaluated == [("codegen.compiled", "exec")]
