"""Logistic regression with an L2 term."""

import numpy as np

from benchmarks.workload import ROOT, Workload

DECAY = 1e-3


def make(rng, n, d):
    x = rng.normal(size=(n, d))
    y = (rng.random(n) < 0.5).astype(float)
    return {"w": rng.normal(size=d) / d**0.5, "b": 0.1}, {"x": x, "y": y}


def by_hand(p, x, y):
    w, b = p["w"], p["b"]
    z = x @ w + b
    g = (1 / (1 + np.exp(-z)) - y) / len(y)
    cost = np.mean(np.logaddexp(0, z) - y * z) + DECAY / 2 * np.sum(w**2)
    return cost, {"w": x.T @ g + DECAY * w, "b": np.sum(g)}


def tuned(p, x, y, tile=1024):
    """Tiles of rows are read once for both products; one exp serves the value and the gradient."""
    z, e, t = np.empty((3, tile), x.dtype)
    one = np.ones(tile, x.dtype)

    def run(p, x, y):
        w, b = p["w"], p["b"]
        total, slope, by_b = 0.0, np.zeros_like(w), 0.0
        n = len(y)
        for i in range(0, n, tile):
            X, Y = x[i : i + tile], y[i : i + tile]
            k = len(Y)
            Z, E, T, ones = z[:k], e[:k], t[:k], one[:k]
            np.dot(X, w, Z)
            np.add(Z, b, Z)
            np.abs(Z, E)
            np.negative(E, E)
            np.exp(E, E)  # exp(-|z|)
            np.maximum(Z, 0.0, out=T)
            total += np.dot(T, ones) - np.dot(Y, Z)
            np.greater(Z, 0.0, T)  # sigmoid(z) = (1 if z > 0 else e) / (1 + e)
            np.maximum(T, E, out=T)
            np.add(E, ones, E)
            np.divide(T, E, T)
            np.log(E, E)
            total += np.dot(E, ones)
            np.subtract(T, Y, T)
            slope += np.dot(T, X)
            by_b += np.dot(T, ones)
        slope /= n
        slope += DECAY * w
        return total / n + DECAY / 2 * np.dot(w, w), {"w": slope, "b": by_b / n}

    return run


def model(xp, p, x, y):
    z = x @ p["w"] + p["b"]
    softplus = xp.maximum(z, 0) + xp.log1p(xp.exp(-xp.abs(z)))
    return xp.mean(softplus - y * z) + DECAY / 2 * xp.sum(p["w"] ** 2)


def jax(jax, p, x, y):
    z = x @ p["w"] + p["b"]
    return jax.numpy.mean(jax.nn.softplus(z) - y * z) + DECAY / 2 * jax.numpy.sum(p["w"] ** 2)


def torch(torch, p, x, y):
    def cost(p, x, y):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(x @ p["w"] + p["b"], y)
        return loss + DECAY / 2 * torch.sum(p["w"] ** 2)

    return p, (x, y), cost, None


def for_tangent(w, b, x, y):
    z = np.dot(x, w) + b
    return np.mean(np.log(1.0 + np.exp(z)) - y * z) + 0.0005 * np.sum(w * w)


LOGISTIC = Workload(
    name="logistic",
    title="logistic regression, 1e5 rows of 50",
    source=ROOT / "examples" / "logistic_regression.bp",
    dtype="float64",
    make=make,
    numpy=by_hand,
    tuned=tuned,
    model=model,
    jax=jax,
    torch=torch,
    tangent=for_tangent,
    sizes={"n": 100_000, "d": 50},
    small={"n": 2500, "d": 5},
)
