"""A block of a transformer: one causal head between layer norms, then a net of two layers."""

import numpy as np

from benchmarks.workload import Workload

MODEL = """
dim N, T, D, F
input x: [N, T, D], y: [N, T, D]
param gain[1]: [D] ~ ones, bias[1]: [D]
param Wq: [D, D] ~ glorot, Wk: [D, D] ~ glorot, Wv: [D, D] ~ glorot, Wo: [D, D] ~ glorot
param gain[2]: [D] ~ ones, bias[2]: [D]
param W[1]: [D, F] ~ he, b[1]: [F], W[2]: [F, D] ~ glorot, b[2]: [D]
n[1] = layer_norm(x, gain[1], bias[1])
r = x + attention(n[1] @ Wq, n[1] @ Wk, n[1] @ Wv, causal=true) @ Wo
n[2] = layer_norm(r, gain[2], bias[2])
out = r + relu(n[2] @ W[1] + b[1]) @ W[2] + b[2]
cost J = mean((out - y)^2)
"""
EPS = 1e-5


def make(rng, n, t, d, f):
    params = {"gain1": 1 + 0.1 * rng.normal(size=d), "bias1": 0.1 * rng.normal(size=d)}
    params |= {k: rng.normal(size=(d, d)) / d**0.5 for k in ("Wq", "Wk", "Wv", "Wo")}
    params |= {"gain2": 1 + 0.1 * rng.normal(size=d), "bias2": 0.1 * rng.normal(size=d)}
    params |= {"W1": rng.normal(size=(d, f)) * (2 / d) ** 0.5, "b1": 0.1 * rng.normal(size=f)}
    params |= {"W2": rng.normal(size=(f, d)) / f**0.5, "b2": 0.1 * rng.normal(size=d)}
    return params, {"x": rng.normal(size=(n, t, d)), "y": rng.normal(size=(n, t, d))}


def normal(x):
    mean = x.mean(axis=-1, keepdims=True)
    centred = x - mean
    scale = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPS)
    return centred * scale, scale


def normal_back(g, u, scale):
    """The adjoint of `normal`, whose results were u and scale."""
    inner = (g * u).mean(axis=-1, keepdims=True)
    return scale * (g - g.mean(axis=-1, keepdims=True) - u * inner)


def by_hand(p, x, y):
    steps, d = x.shape[1:]
    u1, scale1 = normal(x)
    n1 = u1 * p["gain1"] + p["bias1"]
    q, k, v = n1 @ p["Wq"], n1 @ p["Wk"], n1 @ p["Wv"]
    scores = q @ k.swapaxes(1, 2) / d**0.5
    scores = np.where(np.tri(steps, dtype=bool), scores, -np.inf)
    a = np.exp(scores - scores.max(axis=-1, keepdims=True))
    a /= a.sum(axis=-1, keepdims=True)
    seen = a @ v
    r = x + seen @ p["Wo"]
    u2, scale2 = normal(r)
    n2 = u2 * p["gain2"] + p["bias2"]
    h = np.maximum(n2 @ p["W1"] + p["b1"], 0)
    error = r + h @ p["W2"] + p["b2"] - y

    def rows(z):
        return z.reshape(-1, z.shape[-1])

    grads = dict.fromkeys(p)
    g = 2 * error / error.size
    grads["W2"], grads["b2"] = rows(h).T @ rows(g), rows(g).sum(axis=0)
    dh = (g @ p["W2"].T) * (h > 0)
    grads["W1"], grads["b1"] = rows(n2).T @ rows(dh), rows(dh).sum(axis=0)
    dn = dh @ p["W1"].T
    grads["gain2"], grads["bias2"] = rows(dn * u2).sum(axis=0), rows(dn).sum(axis=0)
    dr = g + normal_back(dn * p["gain2"], u2, scale2)
    grads["Wo"] = rows(seen).T @ rows(dr)
    dseen = dr @ p["Wo"].T
    dv = a.swapaxes(1, 2) @ dseen
    da = dseen @ v.swapaxes(1, 2)
    ds = a * (da - (da * a).sum(axis=-1, keepdims=True)) / d**0.5
    dq, dk = ds @ k, ds.swapaxes(1, 2) @ q
    for name, by in (("Wq", dq), ("Wk", dk), ("Wv", dv)):
        grads[name] = rows(n1).T @ rows(by)
    dn = dq @ p["Wq"].T + dk @ p["Wk"].T + dv @ p["Wv"].T
    grads["gain1"], grads["bias1"] = rows(dn * u1).sum(axis=0), rows(dn).sum(axis=0)
    return np.mean(error**2), grads


def tuned(p, x, y):
    return by_hand


def model(xp, p, x, y):
    def norm(z, gain, bias):
        z = z - xp.mean(z, axis=-1, keepdims=True)
        return z / xp.sqrt(xp.mean(z**2, axis=-1, keepdims=True) + EPS) * gain + bias

    steps, d = x.shape[1:]
    n1 = norm(x, p["gain1"], p["bias1"])
    q, k, v = n1 @ p["Wq"], n1 @ p["Wk"], n1 @ p["Wv"]
    scores = q @ xp.swapaxes(k, 1, 2) / d**0.5
    scores = xp.where(np.tri(steps, dtype=bool), scores, -np.inf)
    a = xp.exp(scores - xp.max(scores, axis=-1, keepdims=True))
    r = x + a / xp.sum(a, axis=-1, keepdims=True) @ v @ p["Wo"]
    h = xp.maximum(norm(r, p["gain2"], p["bias2"]) @ p["W1"] + p["b1"], 0)
    return xp.mean((r + h @ p["W2"] + p["b2"] - y) ** 2)


def torch(torch, p, x, y):
    f = torch.nn.functional

    def cost(p, x, y):
        d = x.shape[-1:]
        n1 = f.layer_norm(x, d, p["gain1"], p["bias1"], EPS)
        q, k, v = n1 @ p["Wq"], n1 @ p["Wk"], n1 @ p["Wv"]
        r = x + f.scaled_dot_product_attention(q, k, v, is_causal=True) @ p["Wo"]
        n2 = f.layer_norm(r, d, p["gain2"], p["bias2"], EPS)
        return torch.mean((r + torch.relu(n2 @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"] - y) ** 2)

    return p, (x, y), cost, None


BLOCK = Workload(
    name="attention",
    title="causal attention + MLP block, 8 x 64 x 64",
    source=MODEL,
    dtype="float32",
    make=make,
    numpy=by_hand,
    tuned=tuned,
    model=model,
    torch=torch,
    sizes=dict(n=8, t=64, d=64, f=256),
    small=dict(n=2, t=5, d=6, f=7),
    first=True,
)
