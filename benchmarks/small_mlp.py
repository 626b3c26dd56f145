"""MLP 4-16-16-3 with tanh, batch 8, float32: value and gradient of the mean squared error."""

import numpy as np

import bpc

MODEL = """
dim N
input x: [N, 4], y: [N, 3]
param W[1]: [4, 16] ~ glorot, b[1]: [16]
param W[2]: [16, 16] ~ glorot, b[2]: [16]
param W[3]: [16, 3] ~ glorot, b[3]: [3]
h[1] = tanh(x @ W[1] + b[1])
h[2] = tanh(h[1] @ W[2] + b[2])
cost J = mean((h[2] @ W[3] + b[3] - y)^2)
"""


def _data():
    rng = np.random.default_rng(0)
    params = bpc.load(MODEL).init(dtype=np.float32)
    x = rng.normal(size=(8, 4)).astype(np.float32)
    return params, x, rng.normal(size=(8, 3)).astype(np.float32)


def contenders():
    """Name to a function that gives (J, {name: gradient})."""
    params, x, y = _data()
    found = {}
    for level in (0, 1, 2):
        module = bpc.load(MODEL, level=level)
        found[f"bpc -O{level}"] = lambda m=module: m.value_and_grad(params, x, y)
    found["NumPy by hand"] = lambda: _by_hand(params, x, y)
    try:
        import jax
    except ImportError:
        jax = None
    if jax is not None:
        found["JAX jit"] = _jax(jax, params, x, y)
    try:
        import torch
    except ImportError:
        torch = None
    if torch is not None:
        found["PyTorch"] = _torch(torch, params, x, y)
    try:
        import autograd
    except ImportError:
        autograd = None
    if autograd is not None:
        step = autograd.value_and_grad(lambda p: _model(autograd.numpy, p, x, y))
        found["autograd"] = lambda: step(params)
    return found


def _model(xp, p, x, y):
    h = xp.tanh(x @ p["W1"] + p["b1"])
    h = xp.tanh(h @ p["W2"] + p["b2"])
    return xp.mean((h @ p["W3"] + p["b3"] - y) ** 2)


def _by_hand(p, x, y):
    h1 = np.tanh(x @ p["W1"] + p["b1"])
    h2 = np.tanh(h1 @ p["W2"] + p["b2"])
    error = h2 @ p["W3"] + p["b3"] - y
    g = 2 * error / error.size
    grads = {"W3": h2.T @ g, "b3": np.sum(g, axis=0)}
    g = (g @ p["W3"].T) * (1 - h2**2)
    grads |= {"W2": h1.T @ g, "b2": np.sum(g, axis=0)}
    g = (g @ p["W2"].T) * (1 - h1**2)
    grads |= {"W1": x.T @ g, "b1": np.sum(g, axis=0)}
    return np.mean(error**2), {k: grads[k] for k in p}


def _jax(jax, params, x, y):
    step = jax.jit(jax.value_and_grad(lambda p, x, y: _model(jax.numpy, p, x, y)))
    params = {k: jax.numpy.asarray(v) for k, v in params.items()}
    x, y = jax.numpy.asarray(x), jax.numpy.asarray(y)
    return lambda: jax.block_until_ready(step(params, x, y))


def _torch(torch, params, x, y):
    params = {k: torch.tensor(v, requires_grad=True) for k, v in params.items()}
    x, y = torch.tensor(x), torch.tensor(y)

    def run():
        cost = _model(torch, params, x, y)
        return cost, dict(zip(params, torch.autograd.grad(cost, list(params.values()))))

    return run
