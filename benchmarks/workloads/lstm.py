"""An LSTM over sequences; the cost reads its last state."""

import numpy as np

from benchmarks.workload import Workload

MODEL = """
dim T, N, D, H
input X: [T, N, D], y: [N]
param Wx: [D, 4*H] ~ glorot, Wh: [H, 4*H] ~ orthogonal, bias: [4*H], v: [H] ~ glorot
scan t in 0..T-1 carry (h = zeros(N, H), c = zeros(N, H)) {
    i, f, o, g = split(X[t] @ Wx + h @ Wh + bias, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
}
cost J = mean((h @ v - y)^2)
"""


def make(rng, steps, batch, d, hidden):
    params = {
        "Wx": rng.normal(size=(d, 4 * hidden)) / d**0.5,
        "Wh": rng.normal(size=(hidden, 4 * hidden)) / hidden**0.5,
        "bias": 0.1 * rng.normal(size=4 * hidden),
        "v": rng.normal(size=hidden) / hidden**0.5,
    }
    return params, {"X": rng.normal(size=(steps, batch, d)), "y": rng.normal(size=batch)}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def by_hand(p, X, y):
    Wx, Wh, bias, v = p["Wx"], p["Wh"], p["bias"], p["v"]
    steps, batch = X.shape[:2]
    h = np.zeros((batch, len(v)), X.dtype)
    c = np.zeros_like(h)
    kept = []
    for t in range(steps):
        i, f, o, g = np.split(X[t] @ Wx + h @ Wh + bias, 4, axis=1)
        i, f, o, g = sigmoid(i), sigmoid(f), sigmoid(o), np.tanh(g)
        new = f * c + i * g
        squashed = np.tanh(new)
        kept.append((h, c, i, f, o, g, squashed))
        h, c = o * squashed, new
    error = h @ v - y
    de = 2 * error / batch
    grads = {k: np.zeros_like(a) for k, a in p.items()}
    grads["v"] = h.T @ de
    dh = de[:, None] * v
    dc = np.zeros_like(dh)
    for t in reversed(range(steps)):
        h, c, i, f, o, g, squashed = kept[t]
        dc = dc + dh * o * (1 - squashed**2)
        dz = np.concatenate(
            [
                dc * g * i * (1 - i),
                dc * c * f * (1 - f),
                dh * squashed * o * (1 - o),
                dc * i * (1 - g**2),
            ],
            axis=1,
        )
        dc = dc * f
        dh = dz @ Wh.T
        grads["Wx"] += X[t].T @ dz
        grads["Wh"] += h.T @ dz
        grads["bias"] += dz.sum(axis=0)
    return np.mean(error**2), grads


def tuned(p, X, y):
    """Examples along the last axis, so that each gate is a contiguous block of rows.

    The inputs' products stand before the loop, those of the gradients behind it, and so do the
    factors of the adjoints that no step waits for. A sigmoid is a tanh of the half, whose factor
    goes into the weights.
    """
    steps, batch, d = X.shape
    n, real = p["v"].size, X.dtype
    flat = (steps * batch, -1)
    Z, dZ, K = np.empty((3, steps, 4 * n, batch), real)
    hs, cs = np.zeros((2, steps + 1, n, batch), real)
    squashed, M, t1 = np.empty((3, steps, n, batch), real)
    small, dh, dc = np.empty((3, n, batch), real)
    product = np.empty((4 * n, batch), real)
    inputs = np.empty((steps, d, batch), real)
    by_rows, before = np.empty((steps, batch, 4 * n), real), np.empty((steps, batch, n), real)
    ones = np.ones(steps * batch, real)
    half, one = np.array(0.5, real), np.array(1, real)
    gates = dZ.reshape(steps, 4, n, batch)
    factors = K.reshape(steps, 4, n, batch)
    dot, add, multiply, subtract, tanh = np.dot, np.add, np.multiply, np.subtract, np.tanh

    def run(p, X, y):
        v = p["v"]
        across, again = np.ascontiguousarray(p["Wx"].T), np.ascontiguousarray(p["Wh"].T)
        bias = p["bias"].copy()
        for part in (across, again, bias):
            part[: 3 * n] *= half
        np.copyto(inputs, X.transpose(0, 2, 1))
        np.matmul(across, inputs, Z)
        add(Z, bias[:, None], Z)
        h, c = hs[0], cs[0]
        for t in range(steps):
            z = Z[t]
            dot(again, h, product)
            add(z, product, z)
            tanh(z, z)
            s = z[: 3 * n]
            multiply(s, half, s)
            add(s, half, s)
            new, q, h = cs[t + 1], squashed[t], hs[t + 1]
            multiply(z[n : 2 * n], c, new)
            multiply(z[:n], z[3 * n :], small)
            add(new, small, new)
            tanh(new, q)
            multiply(z[2 * n : 3 * n], q, h)
            c = new
        error = dot(v, h) - y
        by_error = (2 / batch) * error
        grads = dict.fromkeys(p)
        grads["v"] = dot(h, by_error)
        # What multiplies the adjoints of c and h, for all steps at once.
        i, f, o, g = Z[:, :n], Z[:, n : 2 * n], Z[:, 2 * n : 3 * n], Z[:, 3 * n :]
        s = K[:, : 3 * n]
        subtract(one, Z[:, : 3 * n], s)
        multiply(s, Z[:, : 3 * n], s)
        multiply(factors[:, 0], g, factors[:, 0])
        multiply(factors[:, 1], cs[:-1], factors[:, 1])
        multiply(factors[:, 2], squashed, factors[:, 2])
        multiply(g, g, t1)
        subtract(one, t1, t1)
        multiply(t1, i, factors[:, 3])
        multiply(squashed, squashed, M)
        subtract(one, M, M)
        multiply(M, o, M)
        multiply(v[:, None], by_error, dh)
        dc.fill(0)
        for t in range(steps - 1, -1, -1):
            k, by = factors[t], gates[t]
            multiply(dh, M[t], small)
            add(dc, small, dc)
            multiply(dc, k, by)
            multiply(dh, k[2], by[2])
            multiply(dc, f[t], dc)
            dot(p["Wh"], dZ[t], dh)
        np.copyto(by_rows, dZ.transpose(0, 2, 1))
        np.copyto(before, hs[:-1].transpose(0, 2, 1))
        rows = by_rows.reshape(flat)
        grads["Wx"] = dot(X.reshape(flat).T, rows)
        grads["Wh"] = dot(before.reshape(flat).T, rows)
        grads["bias"] = dot(ones, rows)
        return dot(error, error) / batch, grads

    return run


def model(xp, p, X, y):
    h = c = xp.zeros((X.shape[1], len(p["v"])), dtype=X.dtype)
    n = len(p["v"])
    for x in X:
        z = x @ p["Wx"] + h @ p["Wh"] + p["bias"]
        gates = 0.5 * (xp.tanh(0.5 * z[:, : 3 * n]) + 1)
        c = gates[:, n : 2 * n] * c + gates[:, :n] * xp.tanh(z[:, 3 * n :])
        h = gates[:, 2 * n :] * xp.tanh(c)
    return xp.mean((h @ p["v"] - y) ** 2)


def jax(jax, p, X, y):
    def step(carry, z):
        h, c = carry
        i, f, o, g = jax.numpy.split(z + h @ p["Wh"], 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jax.numpy.tanh(g)
        return (jax.nn.sigmoid(o) * jax.numpy.tanh(c), c), None

    zero = jax.numpy.zeros((X.shape[1], p["v"].size), X.dtype)
    (h, _), _ = jax.lax.scan(step, (zero, zero), X @ p["Wx"] + p["bias"])
    return jax.numpy.mean((h @ p["v"] - y) ** 2)


def torch(torch, p, X, y):
    """nn.LSTM, with its gates in the order i f g o, its weights transposed and its two biases."""
    hidden = p["v"].numel()
    net = torch.nn.LSTM(X.shape[2], hidden)
    order = torch.arange(4 * hidden).reshape(4, hidden)[[0, 1, 3, 2]].flatten()
    with torch.no_grad():
        net.weight_ih_l0.copy_(p["Wx"].T[order])
        net.weight_hh_l0.copy_(p["Wh"].T[order])
        net.bias_ih_l0.copy_(p["bias"][order])
        net.bias_hh_l0.zero_()
    leaves = {"Wx": net.weight_ih_l0, "Wh": net.weight_hh_l0, "bias": net.bias_ih_l0, "v": p["v"]}

    def cost(p, X, y):
        h = net(X)[0][-1]
        return torch.mean((h @ p["v"] - y) ** 2)

    def back(grads):
        return {k: g if k == "v" else g[order.numpy()].T for k, g in grads.items()}

    return leaves, (X, y), cost, back


LSTM = Workload(
    name="lstm",
    title="LSTM, 50 steps, batch 32, 32 to 64",
    source=MODEL,
    dtype="float32",
    make=make,
    numpy=by_hand,
    tuned=tuned,
    model=model,
    jax=jax,
    torch=torch,
    sizes={"steps": 50, "batch": 32, "d": 32, "hidden": 64},
    small={"steps": 4, "batch": 3, "d": 5, "hidden": 6},
    first=True,
)
