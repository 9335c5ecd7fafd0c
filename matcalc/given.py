"""What a caller gives, as one typed program: a text, an expression, a program or a SymPy expression; and which variable is meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import expr as ex
from .errors import NameProblem, text_of
from .expr import Expr
from .index import IndexForm, Root, form_sizes, parts, replaced
from .printing.text import text
from .program import Program
from .shapes import Declaration, Declared, declarations, typed
from .sizes import base_atoms
from .syntax import nearest

Shapes = str | Mapping[str, Declaration | Declared] | None


def in_names_of(program: Program[Root], candidate: str) -> Expr:
    """A candidate may use the variables, the sizes and the definitions of the program."""
    prefix = "; ".join(f"{name} = {text(body)}" for name, body in program.definitions.items())
    return typed(f"{prefix}; {candidate}" if prefix else candidate, program.declarations).expr


def as_program(expr: Any, shapes: Shapes, wrt: Any = None) -> Program[Root]:
    """``wrt`` are the variables that are meant, whose dimensions SymPy's expression may hold as numbers."""
    if isinstance(expr, str):
        return typed(expr, shapes)
    if isinstance(expr, (Expr, IndexForm)):
        return _declared(expr, shapes)
    if isinstance(expr, Program):
        return expr
    from .interop import from_sympy

    targets = wrt if isinstance(wrt, (list, tuple, set, frozenset)) else [wrt]
    return _declared(from_sympy(expr, [w for w in targets if _is_symbol(w)]), shapes)


def _is_symbol(wrt: Any) -> bool:
    """Whether it is a symbol of SymPy, of a scalar, a matrix or an array."""
    return hasattr(wrt, "free_symbols") and bool(getattr(wrt, "name", None)) and not is_entry(wrt)


def _declared(expr: Root, shapes: Shapes) -> Program[Root]:
    """An expression as a program; a declaration adds properties to its variables."""
    declared = declarations(shapes)

    def leaf(node: Expr) -> Expr:
        d = declared.get(node.name) if node.head == "var" else None
        if d is not None and ex.is_array(node):
            raise NameProblem(f"{node.name} is an array of {len(ex.own_axes(node))} axes", "matrices, vectors and scalars can be declared")
        if d is not None and d.is_integer:
            return ex.size_number((node.name,))
        return node if d is None else ex.var(node.name, d.shape, d.properties)

    expr = replaced(expr, leaf) if declared else expr
    found: dict[str, Expr] = {}
    for v in ex.variables(*parts(expr)):
        if found.setdefault(v.name, v) is not v:
            raise NameProblem(f"'{v.name}' stands for two different variables", "they differ in shape or in properties")
    return Program(expr, {}, found)


def is_entry(wrt: Any) -> bool:
    """Whether it is an entry of a matrix, or of an array, of SymPy."""
    return hasattr(wrt, "free_symbols") and hasattr(wrt, "indices")


def matrix_and_entry(program: Program[Root], wrt: Any) -> tuple[Expr, Root]:
    """The variable that an entry of SymPy is of, and the entry as an expression in it and the unit vectors of its indices."""
    from .interop import from_sympy

    entry, matrix = from_sympy(wrt), variable_of(program, wrt.args[0])
    for v in ex.variables(*parts(entry)):
        if program.variables.get(v.name, v).shape_ != v.shape_:
            raise NameProblem(f"'{v.name}' stands for two different variables", "they differ in shape or in properties")
    return matrix, replaced(entry, lambda leaf: matrix if leaf.head == "var" and leaf.name == matrix.name else leaf)


def variable_of(program: Program[Root], wrt: Any) -> Expr:
    if isinstance(wrt, Expr) and wrt.head != "var":
        raise NameProblem(f"{str(wrt)[:40]} is not a variable", "differentiate by a variable")
    if isinstance(wrt, Expr) and program.variables.get(wrt.name, wrt) is not wrt:
        raise NameProblem(f"'{wrt.name}' stands for two different variables", "they differ in shape or in properties")
    if is_entry(wrt):
        raise NameProblem(f"{wrt} is an entry, not a variable", f"differentiate by {wrt.args[0]}, or by this entry alone")
    has_name = isinstance(wrt, Expr) or _is_symbol(wrt)
    name = str(wrt.name) if has_name else text_of(wrt, "a variable").strip()
    if name in program.variables:
        return program.variables[name]
    if name in program.definitions:
        raise NameProblem(f"'{name}' is a definition, not a variable", "differentiate by a variable, or remove the definition")
    if _is_symbol(wrt) and name not in _sizes(program.expr):
        return _absent(wrt)
    known = ", ".join(program.variables) or "none"
    raise NameProblem(f"'{name[:40]}' is not in the expression", nearest(name, program.variables) or f"its variables are {known}")


def _sizes(e: Root) -> set[object]:
    """The sizes that an expression has, or has as numbers."""
    return {atom for size in (*ex.sizes_of(ex.postorder(*parts(e))), *form_sizes(e)) for atom in base_atoms(size)}


def _absent(wrt: Any) -> Expr:
    """A symbol of SymPy says its shape itself, so a derivative by one that does not occur is known: zero."""
    from .interop import from_sympy

    return parts(from_sympy(wrt))[0]
