"""Nets with tanh and a mean squared error: two hidden layers, and one for the tiny models."""

from itertools import pairwise

import numpy as np

from benchmarks.workload import Workload

TWO_HIDDEN = """
dim N, I, H, O
input x: [N, I], y: [N, O]
param W[1]: [I, H] ~ glorot, b[1]: [H]
param W[2]: [H, H] ~ glorot, b[2]: [H]
param W[3]: [H, O] ~ glorot, b[3]: [O]
h[1] = tanh(x @ W[1] + b[1])
h[2] = tanh(h[1] @ W[2] + b[2])
cost J = mean((h[2] @ W[3] + b[3] - y)^2)
"""
ONE_HIDDEN = """
dim N, I, H, O
input x: [N, I], y: [N, O]
param W[1]: [I, H] ~ glorot, b[1]: [H]
param W[2]: [H, O] ~ glorot, b[2]: [O]
h = tanh(x @ W[1] + b[1])
cost J = mean((h @ W[2] + b[2] - y)^2)
"""


def make(rng, widths, batch):
    params = {}
    for i, (before, after) in enumerate(pairwise(widths), 1):
        params[f"W{i}"] = rng.normal(size=(before, after)) / before**0.5
        params[f"b{i}"] = 0.1 * rng.normal(size=after)
    x, y = rng.normal(size=(batch, widths[0])), rng.normal(size=(batch, widths[-1]))
    return params, {"x": x, "y": y}


def two_by_hand(p, x, y):
    h1 = np.tanh(x @ p["W1"] + p["b1"])
    h2 = np.tanh(h1 @ p["W2"] + p["b2"])
    error = h2 @ p["W3"] + p["b3"] - y
    g3 = 2 * error / error.size
    g2 = (g3 @ p["W3"].T) * (1 - h2**2)
    g1 = (g2 @ p["W2"].T) * (1 - h1**2)
    return np.mean(error**2), {
        "W1": x.T @ g1,
        "b1": g1.sum(axis=0),
        "W2": h1.T @ g2,
        "b2": g2.sum(axis=0),
        "W3": h2.T @ g3,
        "b3": g3.sum(axis=0),
    }


def one_by_hand(p, x, y):
    h = np.tanh(x @ p["W1"] + p["b1"])
    error = h @ p["W2"] + p["b2"] - y
    g2 = 2 * error / error.size
    g1 = (g2 @ p["W2"].T) * (1 - h**2)
    grads = {"W1": x.T @ g1, "b1": g1.sum(axis=0), "W2": h.T @ g2, "b2": g2.sum(axis=0)}
    return np.mean(error**2), grads


def tuned(p, x, y):
    """Arrays of all layers in workspaces; calls without scalars, which NumPy converts each time."""
    layers = len(p) // 2
    real, rows = x.dtype, len(x)
    h = [x] + [np.empty((rows, p[f"b{i}"].size), real) for i in range(1, layers + 1)]
    g = [np.empty_like(a) for a in h]
    t = [np.empty_like(a) for a in h]
    ones = np.ones(rows, real)
    scale = np.array(2 / y.size, real)
    names = [(f"W{i}", f"b{i}") for i in range(1, layers + 1)]
    flat = h[-1].ravel()
    dot, add, multiply, subtract, tanh = np.dot, np.add, np.multiply, np.subtract, np.tanh

    def run(p, x, y):
        h[0] = x
        for i, (W, b) in enumerate(names, 1):
            a = h[i]
            dot(h[i - 1], p[W], a)
            add(a, p[b], a)
            if i < layers:
                tanh(a, a)
        subtract(a, y, a)
        J = dot(flat, flat) / flat.size
        grads = dict.fromkeys(p)
        d = g[layers]
        multiply(a, scale, d)
        for i in range(layers, 0, -1):
            W, b = names[i - 1]
            a = h[i - 1]
            grads[W] = dot(a.T, d)
            grads[b] = dot(ones, d)
            if i > 1:
                below, s = g[i - 1], t[i - 1]
                dot(d, p[W].T, below)
                multiply(below, a, s)
                multiply(s, a, s)
                d = subtract(below, s, below)
        return J, grads

    return run


def model(xp, p, x, y):
    h, layers = x, len(p) // 2
    for i in range(1, layers):
        h = xp.tanh(h @ p[f"W{i}"] + p[f"b{i}"])
    return xp.mean((h @ p[f"W{layers}"] + p[f"b{layers}"] - y) ** 2)


def two_tangent(W1, b1, W2, b2, W3, b3, x, y):
    h1 = np.tanh(np.dot(x, W1) + b1)
    h2 = np.tanh(np.dot(h1, W2) + b2)
    error = np.dot(h2, W3) + b3 - y
    return np.mean(error * error)


def one_tangent(W1, b1, W2, b2, x, y):
    h = np.tanh(np.dot(x, W1) + b1)
    error = np.dot(h, W2) + b2 - y
    return np.mean(error * error)


def casadi(ca, p, x, y):
    layers = len(p) // 2
    h = x
    for i in range(1, layers + 1):
        h = ca.mtimes(h, p[f"W{i}"]) + ca.repmat(p[f"b{i}"].T, x.shape[0], 1)
        h = ca.tanh(h) if i < layers else h
    return ca.sumsqr(h - y) / (y.shape[0] * y.shape[1])


SHARED = {"make": make, "tuned": tuned, "model": model, "casadi": casadi}
SMALL = Workload(
    name="mlp_small",
    title="MLP 4-16-16-3, batch 8",
    source=TWO_HIDDEN,
    dtype="float32",
    numpy=two_by_hand,
    tangent=two_tangent,
    sizes={"widths": (4, 16, 16, 3), "batch": 8},
    first=True,
    **SHARED,
)
MEDIUM = Workload(
    name="mlp_medium",
    title="MLP 10-32-32-3, batch 32",
    source=TWO_HIDDEN,
    dtype="float32",
    numpy=two_by_hand,
    tangent=two_tangent,
    sizes={"widths": (10, 32, 32, 3), "batch": 32},
    small={"widths": (10, 32, 32, 3), "batch": 32},
    **SHARED,
)
TINY = Workload(
    name="tiny",
    title="1,000 MLPs 2-4-1, batch 4, each",
    source=ONE_HIDDEN,
    dtype="float64",
    numpy=one_by_hand,
    tangent=one_tangent,
    sizes={"widths": (2, 4, 1), "batch": 4},
    many=1000,
    **SHARED,
)
