"""Derivatives by structured variables: on the space where the variable lives, at every order,
against numbers.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import matcalc as mc

N, STEP = 3, 1e-5
Array = Any


def space(structure: str) -> list[tuple[int, int]]:
    """The places of the entries that move freely."""
    free = {
        "lower": lambda i, j: i >= j,
        "upper": lambda i, j: i <= j,
        "diagonal": lambda i, j: i == j,
    }
    return [
        (i, j)
        for i, j in product(range(N), repeat=2)
        if free.get(structure, lambda i, j: i <= j)(i, j)
    ]


def mirrored(structure: str) -> bool:
    return structure in ("symmetric", "spd")


def unit(place: tuple[int, int], structure: str) -> Array:
    """The matrix in which one free entry is 1, and its mirror image where the structure asks for
    it.
    """
    e = np.zeros((N, N))
    e[place] = 1.0
    if mirrored(structure):
        e[place[::-1]] = 1.0
    return e


def on_space(f: Any, x: Array, structure: str) -> Array:
    """The derivative of f on the space by central differences: zero off the structure, its
    mirror images equal.
    """
    slopes = np.zeros((*np.shape(f(x)), N, N))
    for i, j in space(structure):
        e = unit((i, j), structure)
        slope = (
            (f(x + STEP * e) - f(x - STEP * e))
            / (2 * STEP)
            / (2 if mirrored(structure) and i != j else 1)
        )
        slopes[..., i, j] = slope
        if mirrored(structure):
            slopes[..., j, i] = slope
    return slopes


def elements(slopes: Array, pairs: int) -> Array:
    """Each pair of mirror images moved together: twice the entry off the diagonal."""
    twice = 2 - np.eye(N)
    for k in range(pairs):
        slopes = slopes * twice.reshape(N, N, *[1] * (2 * k))
    return slopes


def start(structure: str) -> Array:
    rng = np.random.default_rng(5)
    a = rng.uniform(-0.5, 0.5, (N, N)) + 1.5 * np.eye(N)
    shaped = {"lower": np.tril, "upper": np.triu, "diagonal": lambda a: np.diag(np.diag(a))}
    return shaped.get(structure, lambda a: (a + a.T) / 2)(a)


def numbers(f: Any, x: Array) -> Array:
    """A compiled function at the point x for S, with the constants that it asks for."""
    rng = np.random.default_rng(7)
    constants = {
        "A": rng.normal(size=(N, N)),
        "B": rng.normal(size=(N, N)),
        "u": rng.normal(size=N),
        "n": N,
    }
    given = {"S": x} | constants
    return np.asarray(f(**{n: given[n] for n in f.parameters}))


STRUCTURES = ("symmetric", "spd", "diagonal", "lower", "upper")
SCALARS = ("logdet(S)", "tr(A*S*B*S)", "norm2(S*u)^2*tr(A*S)", "sum(exp(A.*S))", "u'*inv(S)*u")
ARRAYS = ("S*u", "A*S*B", "inv(S)", "exp(S)", "tr(A*S)*S*u")


def cases(texts: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(text, structure) for text in texts for structure in STRUCTURES]


def declared(structure: str) -> str:
    return f"S: n×n {structure}; A: n×n; B: n×n; u: n"


@pytest.mark.parametrize(("text", "structure"), cases(SCALARS))
def test_hessians_are_second_derivatives_on_the_space(text: str, structure: str) -> None:
    d = mc.derive(text, "S", declared(structure), order=2)
    assert d.verification.ok
    gradient, x = mc.derive(text, "S", declared(structure)).compile(), start(structure)
    hessian = numbers(d.compile(), x)
    expected = on_space(lambda x: numbers(gradient, x), x, structure)
    np.testing.assert_allclose(hessian, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(hessian, hessian.transpose(2, 3, 0, 1), atol=1e-12)
    if mirrored(structure):
        np.testing.assert_allclose(hessian, hessian.transpose(1, 0, 2, 3), atol=1e-12)
        np.testing.assert_allclose(hessian, hessian.transpose(0, 1, 3, 2), atol=1e-12)


@pytest.mark.parametrize(("text", "structure"), cases(ARRAYS))
def test_jacobians_are_derivatives_on_the_space(text: str, structure: str) -> None:
    d, value = (
        mc.derive(text, "S", declared(structure)),
        mc.parse(text, declared(structure)).compile(),
    )
    assert d.verification.ok
    x = start(structure)
    np.testing.assert_allclose(
        numbers(d.compile(), x),
        on_space(lambda x: numbers(value, x), x, structure),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("structure", ["symmetric", "spd"])
@pytest.mark.parametrize(
    ("text", "order"),
    [*((t, k) for t in SCALARS for k in (1, 2)), *((t, 1) for t in ARRAYS), ("logdet(S)", 3)],
)
def test_elements_moved_together_at_every_order(text: str, order: int, structure: str) -> None:
    plain, moved = (
        mc.derive(text, "S", declared(structure), order=order, symmetric=convention)
        for convention in ("gradient", "elements")
    )
    assert moved.verification.ok
    x = start(structure)
    expected = elements(numbers(plain.compile(), x), order)
    np.testing.assert_allclose(numbers(moved.compile(), x), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("properties", ["symmetric diagonal", "diagonal lower"])
def test_structures_that_are_met_together(properties: str) -> None:
    d = mc.derive("tr(A*S)", "S", f"A: n×n; S: n×n {properties}")
    assert d.verification.ok
    at = np.arange(9.0).reshape(3, 3)
    np.testing.assert_allclose(numbers_of(d, at), np.diag(np.diag(at)))


def numbers_of(d: mc.Derivation, a: Array) -> Array:
    f = d.compile()
    return np.asarray(f(**{n: {"A": a, "n": len(a)}[n] for n in f.parameters}))


def test_a_structured_variable_whose_axes_are_products() -> None:
    d = mc.derive("norm2(S*x)^2", "S", "S: n*m×n*m symmetric; x: n*m", order=2)
    assert d.verification.ok


def test_like_terms_of_a_symmetric_factor_are_one() -> None:
    assert len(mc.derive("logdet(S)", "S", "S: n×n spd", order=2).result.bag.terms) == 2
    assert len(mc.derive("norm2(S)^2", "S", "S: n×n spd", order=2).result.bag.terms) == 2


def test_the_direction_of_a_product_along_a_symmetric_matrix() -> None:
    d = mc.derive("tr(A*S*B*S)", "S", declared("symmetric"), order=2, along="V")
    value = numbers(
        mc.derive("tr(A*S*B*S)", "S", declared("symmetric"), order=2).compile(), start("symmetric")
    )
    f, v = d.compile(), start("symmetric") + np.ones((N, N))
    rng = np.random.default_rng(7)
    given = {
        "A": rng.normal(size=(N, N)),
        "B": rng.normal(size=(N, N)),
        "S": start("symmetric"),
        "V": v,
    }
    np.testing.assert_allclose(
        f(**{n: given[n] for n in f.parameters}), np.einsum("ijkl,kl", value, v)
    )


@pytest.mark.parametrize(
    "text", ["sum(exp(M*ones(l)))", "sum(softplus(r.*rowsums(M)))", "norm2(M*ones(l) - r)^2"]
)
def test_rows_of_one_entry_keep_their_sum(text: str) -> None:
    """A matrix of one column is no column: each of its rows has the sum 1."""
    for along in (None, "V"):
        assert mc.derive(text, "M", {"M": "m×l onehot", "r": "m"}, along=along).verification.ok


# zeros that are differences of equal terms
ZEROS = (
    "inv(M)*M*inv(M) - inv(M)",
    "sqrtm(M)*M - M*sqrtm(M)",
    "expm(M)*M - M*expm(M)",
    "inv(M)*M - eye(n)",
)


@pytest.mark.parametrize("structure", ["symmetric", "spd"])
@pytest.mark.parametrize("zero", ZEROS)
@pytest.mark.parametrize("text", ["tr(M*inv(M))", "det(M)/det(M')"])
def test_rounding_has_no_structure(text: str, zero: str, structure: str) -> None:
    assert not mc.check(text, "M", zero, {"M": f"n×n {structure}"}).wrong


@pytest.mark.parametrize("structure", ["symmetric", "spd"])
def test_a_lack_of_structure_is_no_rounding(structure: str) -> None:
    wrong = mc.check("norm2(M)^2", "M", "2*M + 1e-15*triu(M)", {"M": f"n×n {structure}"})
    assert wrong.wrong
