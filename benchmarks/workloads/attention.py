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
    u1, _ = normal(x)
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
    """Rows of all sequences in one product, one product for q, k and v; means as products.

    Scores are transposed, keys before queries: softmax reduces over the middle axis.
    """
    n, steps, d = x.shape
    width, real, rows = p["b1"].size, x.dtype, n * steps
    u1, n1, u2, n2, seen, r, error, dn, dr, by = np.empty((10, rows, d), real)
    qkv, by_qkv = np.empty((2, rows, 3 * d), real)
    a, da, products = np.empty((3, n, steps, steps), real)
    h, dh, zeros = np.zeros((3, rows, width), real)
    on = np.empty(h.shape, bool)
    mean, inner, scale1, scale2 = np.empty((4, rows, 1), real)
    top = np.empty((n, 1, steps), real)
    W = np.empty((d, 3 * d), real)
    share, ones = np.full(d, 1 / d, real), np.ones(rows, real)
    hidden = np.where(np.tri(steps, dtype=bool).T, 0, -np.inf).astype(real)
    zero, one, eps = np.zeros((), real), np.array(1, real), np.array(EPS, real)
    by_d, root = np.array(1 / d, real), np.array(d**-0.5, real)
    dot, add, multiply, subtract = np.dot, np.add, np.multiply, np.subtract
    stack = (n, steps, -1)
    q, k, v = np.split(qkv.reshape(stack), 3, axis=2)
    dq, dk, dv = np.split(by_qkv.reshape(stack), 3, axis=2)

    def norm(x, u, scale, out, gain, bias):
        dot(x, share, mean[:, 0])
        subtract(x, mean, u)
        np.einsum("ij,ij->i", u, u, out=scale[:, 0])
        multiply(scale, by_d, scale)
        add(scale, eps, scale)
        np.sqrt(scale, scale)
        np.divide(one, scale, scale)
        multiply(u, scale, u)
        multiply(u, gain, out)
        add(out, bias, out)

    def norm_back(g, u, scale, out):
        dot(g, share, mean[:, 0])
        np.einsum("ij,ij->i", g, u, out=inner[:, 0])
        multiply(inner, by_d, inner)
        multiply(u, inner, out)
        subtract(g, out, out)
        subtract(out, mean, out)
        multiply(out, scale, out)

    def run(p, x, y):
        x, y = x.reshape(rows, d), y.reshape(rows, d)
        grads = dict.fromkeys(p)
        np.concatenate((p["Wq"], p["Wk"], p["Wv"]), axis=1, out=W)
        multiply(W[:, :d], root, W[:, :d])
        norm(x, u1, scale1, n1, p["gain1"], p["bias1"])
        dot(n1, W, qkv)
        np.matmul(k, q.transpose(0, 2, 1), a)
        add(a, hidden, a)
        np.maximum.reduce(a, axis=1, keepdims=True, out=top)
        subtract(a, top, a)
        np.exp(a, a)
        np.add.reduce(a, axis=1, keepdims=True, out=top)
        np.divide(one, top, top)
        multiply(a, top, a)
        np.matmul(a.transpose(0, 2, 1), v, seen.reshape(stack))
        dot(seen, p["Wo"], r)
        add(r, x, r)
        norm(r, u2, scale2, n2, p["gain2"], p["bias2"])
        dot(n2, p["W1"], h)
        add(h, p["b1"], h)
        np.maximum(h, zeros, out=h)
        dot(h, p["W2"], error)
        add(error, p["b2"], error)
        add(error, r, error)
        subtract(error, y, error)
        flat = error.ravel()
        J = dot(flat, flat) / flat.size
        g = multiply(error, real.type(2 / flat.size), error)
        grads["W2"], grads["b2"] = dot(h.T, g), dot(ones, g)
        dot(g, p["W2"].T, dh)
        np.greater(h, zero, on)
        multiply(dh, on, dh)
        grads["W1"], grads["b1"] = dot(n2.T, dh), dot(ones, dh)
        dot(dh, p["W1"].T, dn)
        multiply(dn, u2, by)
        grads["gain2"], grads["bias2"] = dot(ones, by), dot(ones, dn)
        multiply(dn, p["gain2"], dn)
        norm_back(dn, u2, scale2, dr)
        add(dr, g, dr)
        grads["Wo"] = dot(seen.T, dr)
        dot(dr, p["Wo"].T, dn)
        by_seen = dn.reshape(stack)
        np.matmul(a, by_seen, dv)
        np.matmul(v, by_seen.transpose(0, 2, 1), da)
        multiply(da, a, products)
        np.add.reduce(products, axis=1, keepdims=True, out=top)
        subtract(da, top, da)
        multiply(da, a, da)
        np.matmul(da.transpose(0, 2, 1), k, dq)
        np.matmul(da, q, dk)
        by_W = dot(n1.T, by_qkv)
        multiply(by_W[:, :d], root, by_W[:, :d])
        for i, name in enumerate(("Wq", "Wk", "Wv")):
            grads[name] = by_W[:, i * d : (i + 1) * d].copy()
        dot(by_qkv, W.T, dn)
        multiply(dn, u1, by)
        grads["gain1"], grads["bias1"] = dot(ones, by), dot(ones, dn)
        return J, grads

    return run


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
    sizes={"n": 8, "t": 64, "d": 64, "f": 256},
    small={"n": 2, "t": 5, "d": 6, "f": 7},
    first=True,
)
