"""The lecture's two-layer net L4: scalars, value and gradient."""

from pathlib import Path

import bpc

SOURCE = Path(__file__).parents[1] / "examples" / "two_layer.bp"
PARAMS = {"w1": 2.0, "b1": 0.0, "w2": 3.0, "b2": 1.0}


def contenders():
    """Name to a function that gives (J, {name: gradient})."""
    found = {}
    for level in (0, 1, 2):
        module = bpc.load(SOURCE, level=level)
        found[f"bpc -O{level}"] = lambda m=module: m.value_and_grad(PARAMS, 1.0, 5.0)
    try:
        import jax
    except ImportError:
        jax = None
    if jax is not None:
        found["JAX jit"] = _jax(jax)
    try:
        import torch
    except ImportError:
        torch = None
    if torch is not None:
        found["PyTorch"] = _torch(torch)
    try:
        import autograd
    except ImportError:
        autograd = None
    if autograd is not None:
        found["autograd"] = _autograd(autograd)
    return found


def _model(p, x, y, maximum):
    a1 = maximum(p["w1"] * x + p["b1"])
    a2 = maximum(p["w2"] * a1 + p["b2"])
    return 0.5 * (a2 - y) ** 2


def _jax(jax):
    step = jax.jit(
        jax.value_and_grad(lambda p: _model(p, 1.0, 5.0, lambda z: jax.numpy.maximum(z, 0.0)))
    )
    params = {k: jax.numpy.asarray(v) for k, v in PARAMS.items()}
    return lambda: jax.block_until_ready(step(params))


def _torch(torch):
    params = {k: torch.tensor(v, requires_grad=True) for k, v in PARAMS.items()}

    def run():
        cost = _model(params, 1.0, 5.0, torch.relu)
        return cost, dict(zip(params, torch.autograd.grad(cost, list(params.values()))))

    return run


def _autograd(autograd):
    step = autograd.value_and_grad(
        lambda p: _model(p, 1.0, 5.0, lambda z: autograd.numpy.maximum(z, 0.0))
    )
    return lambda: step(PARAMS)
