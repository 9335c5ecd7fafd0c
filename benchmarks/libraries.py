"""The automatic tools: the functions that a loss needs, and how a gradient, a Hessian and a
product with it are asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from .cases import Case

Array = Any
Run = Callable[[], Any]


def jax_run(case: Case, arguments: dict[str, Array]) -> Run:
    """jax.jit of jax.grad, jax.hessian, or the derivative of the gradient along a direction."""
    import jax
    import jax.numpy as jnp

    lib = SimpleNamespace(
        sum=jnp.sum,
        softplus=jax.nn.softplus,
        sigmoid=jax.nn.sigmoid,
        relu=jax.nn.relu,
        trace=jnp.trace,
        inv=jnp.linalg.inv,
        outer=jnp.outer,
        eye=jnp.eye,
        logdet=lambda S: jnp.linalg.slogdet(S)[1],
        logsumexp_rows=lambda Z: jax.nn.logsumexp(Z, 1),
    )
    rest = {n: jnp.asarray(a) for n, a in arguments.items() if n not in (*case.wrt, "H")}
    wrt = tuple(jnp.asarray(arguments[n]) for n in case.wrt)
    # the data are arguments, not constants: a compiler that folds them would measure nothing
    function = lambda wrt, rest: case.loss(lib, **dict(zip(case.wrt, wrt, strict=True)), **rest)  # noqa: E731
    if case.kind == "hvp":
        along = (jnp.asarray(arguments["H"]),)
        run = jax.jit(
            lambda wrt, rest, along: jax.jvp(
                lambda w: jax.grad(function)(w, rest), (wrt,), (along,)
            )[1]
        )
        return lambda: jax.block_until_ready(run(wrt, rest, along))
    run = jax.jit(jax.hessian(function) if case.kind == "hessian" else jax.grad(function))
    return lambda: jax.block_until_ready(run(wrt, rest))


def torch_run(case: Case, arguments: dict[str, Array]) -> Run:
    """torch.autograd.grad, torch.func.hessian, or torch.func.jvp of torch.func.grad."""
    import torch

    lib = SimpleNamespace(
        sum=torch.sum,
        softplus=torch.nn.functional.softplus,
        sigmoid=torch.sigmoid,
        relu=torch.relu,
        trace=torch.trace,
        inv=torch.linalg.inv,
        outer=torch.outer,
        eye=lambda n: torch.eye(n, dtype=torch.float64),
        logdet=torch.logdet,
        logsumexp_rows=lambda Z: torch.logsumexp(Z, 1),
    )
    tensors = {n: torch.as_tensor(a) for n, a in arguments.items()}
    rest = {n: a for n, a in tensors.items() if n not in (*case.wrt, "H")}
    wrt = tuple(tensors[n].clone().requires_grad_(case.kind == "gradient") for n in case.wrt)
    function = lambda *wrt: case.loss(lib, **dict(zip(case.wrt, wrt, strict=True)), **rest)  # noqa: E731
    if case.kind == "hvp":
        return lambda: torch.func.jvp(torch.func.grad(function), wrt, (tensors["H"],))[1]
    if case.kind == "hessian":
        return lambda: torch.func.hessian(function)(*wrt)
    return lambda: torch.autograd.grad(function(*wrt), wrt)


def autograd_run(case: Case, arguments: dict[str, Array]) -> Run:
    """autograd.grad, autograd.hessian or its Hessian-vector product."""
    import autograd
    import autograd.numpy as anp
    from autograd.differential_operators import make_hvp
    from autograd.scipy.special import logsumexp

    lib = SimpleNamespace(
        sum=anp.sum,
        softplus=lambda z: anp.logaddexp(0, z),
        sigmoid=lambda z: 0.5 * (anp.tanh(z / 2) + 1),
        relu=lambda z: anp.maximum(z, 0),
        trace=anp.trace,
        inv=anp.linalg.inv,
        outer=anp.outer,
        eye=anp.eye,
        logdet=lambda S: anp.linalg.slogdet(S)[1],
        logsumexp_rows=lambda Z: logsumexp(Z, 1),
    )
    rest = {n: a for n, a in arguments.items() if n not in (*case.wrt, "H")}
    function = lambda wrt: case.loss(lib, **dict(zip(case.wrt, wrt, strict=True)), **rest)  # noqa: E731
    wrt = tuple(arguments[n] for n in case.wrt)
    if case.kind == "hvp":
        alone = lambda U: function((U,))  # noqa: E731
        return lambda: make_hvp(alone)(wrt[0])[0](arguments["H"])
    if case.kind == "hessian":
        return lambda: autograd.hessian(lambda w: function((w,)))(wrt[0])
    return lambda: autograd.grad(function)(wrt)
