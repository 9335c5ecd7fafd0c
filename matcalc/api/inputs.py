"""Normalise a caller's input (a text, an Expr, an IndexForm, a SymPy expression) to a Program, and
find the variable that is meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .. import expr as ex
from ..errors import MatcalcError, NameProblem, ShapeProblem, Unsupported, text_of
from ..expr import Expr
from ..expr.parts import index_names
from ..expr.sizes import Atom, Shape, base_atoms, show, show_shape
from ..labels.index_form import IndexForm
from ..labels.roots import Root, form_sizes, parts, replaced
from ..language.declarations import INTEGER, Declaration, Declared, declarations
from ..language.program import Program
from ..language.typed import typed
from ..options import nearest
from ..printing.text import text

Shapes = str | Mapping[str, Declaration | Declared] | None


def in_names_of(
    program: Program[Root], candidate: str, fitting: Sequence[Shape] = (), more: Sequence[Expr] = ()
) -> Expr:
    """A candidate in the variables, the sizes and the definitions of the program, and ``more``
    variables.

    Constants without a size, such as ``eye``, take it from the first of the shapes that fits.
    Raises NameProblem for a name that the program does not have.
    """
    prefix = "".join(
        f"{name} = {text(body, None, program.names)}; "
        for name, body in program.definitions.items()
    )
    known = {v.name: Declared(v.shape_, v.properties) for v in more}
    sizes = dict.fromkeys(size_names(program), INTEGER)
    try:
        claim = typed(f"{prefix}{candidate}", sizes | program.declarations | known, fitting).expr
    except MatcalcError as problem:
        raise _placed(problem, candidate, len(prefix)) from None
    own: Expr = claimed(program, claim, more, candidate)
    return own


def _new_names(program: Program[Root], claim: Root, more: Sequence[Expr]) -> list[str]:
    """The variables, sizes and indices of a claim that the program does not have."""
    variables = {*program.variables, *(v.name for v in more)}
    nodes = ex.postorder(*parts(claim))
    letters = {*index_names(nodes), *(show((a,)) for a in _sizes(claim) if not isinstance(a, int))}
    new = [v.name for v in ex.variables(*parts(claim)) if v.name not in variables]
    return new + sorted(letters - size_names(program) - named_indices(program))


def _placed(problem: MatcalcError, candidate: str, before: int) -> MatcalcError:
    """A problem with its position in the candidate, which stood after so many characters."""
    if problem.span is None:
        return problem
    start, stop = problem.span
    problem.text, problem.span = (
        (candidate, (start - before, stop - before)) if start >= before else (None, None)
    )
    return problem


def _with_variables_of(program: Program[Root], claim: Root) -> Any:
    """The claim in the variables of the program.

    Raises NameProblem for one that has another shape there.
    """

    def leaf(node: Expr) -> Expr:
        own = program.variables.get(node.name, node) if node.head == "var" else node
        if own.shape_ != node.shape_:
            sizes = [show_shape(v.shape_) for v in (own, node)]
            raise NameProblem(
                f"{own.name} is {sizes[0]} in the expression and {sizes[1]} in the candidate",
                "declare the sizes alike",
            )
        return own

    return replaced(claim, leaf)


def claimed(program: Program[Root], claim: Root, more: Sequence[Expr] = (), text: str = "") -> Any:
    """A candidate in the variables of the program.

    Raises NameProblem for a name that it does not have.
    """
    own = _with_variables_of(program, claim)
    for name in _new_names(program, own, more):
        known = [*program.variables, *(v.name for v in more)]
        hint = nearest(name, known) or f"its variables are {', '.join(known) or 'none'}"
        word = re.search(rf"\b{re.escape(name)}\b", text)
        if text and word is None:
            raise ShapeProblem(
                "nothing says how long a constant of the candidate is",
                "write its size, as in eye(n)",
            )
        raise NameProblem(f"'{name}' is not in the expression", hint).at(
            text, word.span() if word else None
        )
    return own


def as_program(expr: Any, shapes: Shapes, wrt: Any = None) -> Program[Root]:
    """The typed program of an input.

    ``wrt`` are the variables that are meant, whose dimensions SymPy's expression may hold as
    numbers.
    """
    if isinstance(expr, str):
        return typed(expr, shapes)
    if isinstance(expr, (Expr, IndexForm)):
        return _declared(expr, shapes)
    if isinstance(expr, Program):
        return expr
    from ..interop import from_sympy

    targets = wrt if isinstance(wrt, (list, tuple, set, frozenset)) else [wrt]
    return _declared(from_sympy(expr, [w for w in targets if _is_symbol(w)]), shapes)


def _is_symbol(wrt: Any) -> bool:
    """Tell if it is a symbol of SymPy, of a scalar, a matrix or an array."""
    return hasattr(wrt, "free_symbols") and bool(getattr(wrt, "name", None)) and not is_entry(wrt)


def _declared(expr: Root, shapes: Shapes) -> Program[Root]:
    """An expression as a program; a declaration adds properties to its variables."""
    declared = declarations(shapes)

    def leaf(node: Expr) -> Expr:
        d = declared.get(node.name) if node.head == "var" else None
        if d is not None and ex.is_array(node):
            raise Unsupported(
                f"{node.name} is an array of {len(ex.own_axes(node))} axes",
                "matrices, vectors and scalars can be declared",
            )
        if d is not None and d.is_integer:
            return ex.size_number((node.name,))
        return node if d is None else ex.var(node.name, d.shape, d.properties)

    expr = replaced(expr, leaf) if declared else expr
    found: dict[str, Expr] = {}
    for v in ex.variables(*parts(expr)):
        if found.setdefault(v.name, v) is not v:
            raise NameProblem(
                f"'{v.name}' stands for two different variables",
                "they differ in shape or in properties",
            )
    for name in sorted(_sizes(expr) & set(found), key=str):
        raise NameProblem(f"'{name}' is a variable and a size", "give one of them another name")
    return Program(expr, {}, found)


def is_entry(wrt: Any) -> bool:
    """Tell if it is an entry of a matrix, or of an array, of SymPy."""
    return hasattr(wrt, "free_symbols") and hasattr(wrt, "indices")


def matrix_and_entry(program: Program[Root], wrt: Any) -> tuple[Expr, Root]:
    """The variable that an entry of SymPy is of, and the entry as an expression in it and the
    unit vectors of its indices.
    """
    from ..interop import from_sympy

    entry, matrix = from_sympy(wrt), variable_of(program, wrt.args[0])
    for v in ex.variables(*parts(entry)):
        if program.variables.get(v.name, v).shape_ != v.shape_:
            raise NameProblem(
                f"'{v.name}' stands for two different variables",
                "they differ in shape or in properties",
            )
    return matrix, replaced(
        entry, lambda leaf: matrix if leaf.head == "var" and leaf.name == matrix.name else leaf
    )


def variable_of(program: Program[Root], wrt: Any) -> Expr:
    """The variable of a program that is meant; raises NameProblem if there is none."""
    name = _name_of_variable(program, wrt)
    if name in program.variables:
        return program.variables[name]
    if name in program.definitions:
        raise NameProblem(
            f"'{name}' is a definition, not a variable",
            "differentiate by a variable, or remove the definition",
        )
    if _is_symbol(wrt) and name not in _sizes(program.expr):
        return _absent(wrt)
    known = ", ".join(program.variables) or "none"
    raise NameProblem(
        f"'{name[:40]}' is not in the expression",
        nearest(name, program.variables) or f"its variables are {known}",
    )


def _name_of_variable(program: Program[Root], wrt: Any) -> str:
    """The name of a variable; raises NameProblem for what is none, or another of this name."""
    if isinstance(wrt, Expr):
        if wrt.head != "var":
            raise NameProblem(f"{str(wrt)[:40]} is not a variable", "differentiate by a variable")
        if program.variables.get(wrt.name, wrt) is not wrt:
            raise NameProblem(
                f"'{wrt.name}' stands for two different variables",
                "they differ in shape or in properties",
            )
        return wrt.name
    if is_entry(wrt):
        raise NameProblem(
            f"{wrt} is an entry, not a variable",
            f"differentiate by {wrt.args[0]}, or by this entry alone",
        )
    return str(wrt.name) if _is_symbol(wrt) else text_of(wrt, "a variable").strip()


def size_names(program: Program[Root]) -> set[str]:
    """The names of the sizes in a program."""
    atoms = _sizes(program.expr).union(
        *map(_sizes, program.definitions.values()), *map(_sizes, program.variables.values())
    )
    return {a for a in atoms if isinstance(a, str)}


def named_indices(program: Program[Root]) -> set[str]:
    """The names of indices, such as the j of X[:,j]."""
    return set(index_names(ex.postorder(*parts(program.expr), *program.definitions.values())))


def _sizes(e: Root) -> set[Atom]:
    """The sizes that an expression has, or has as numbers."""
    return {
        atom
        for size in (*ex.sizes_of(ex.postorder(*parts(e))), *form_sizes(e))
        for atom in base_atoms(size)
    }


def _absent(wrt: Any) -> Expr:
    """A symbol of SymPy says its shape itself, so a derivative by one that does not occur is
    known: zero.
    """
    from ..interop import from_sympy

    return parts(from_sympy(wrt))[0]
