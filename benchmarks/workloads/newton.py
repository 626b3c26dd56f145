"""A Newton step by the Hessian: logistic regression of 1,000 rows of 20."""

import numpy as np

from benchmarks.workload import Workload

MODEL = """
dim N, D
input x: [N, D], y: [N]
param w: [D]
cost J = mean(bce_with_logits(x @ w, y)) + 0.005 * sum(w^2)
"""


def make(rng, n, d):
    y = (rng.random(n) < 0.5).astype(float)
    return {"w": rng.normal(size=d) / d**0.5}, {"x": rng.normal(size=(n, d)), "y": y}


def by_hand(p, x, y):
    w = p["w"]
    z = x @ w
    s = 1 / (1 + np.exp(-z))
    cost = np.mean(np.logaddexp(0, z) - y * z) + 0.005 * np.sum(w**2)
    grad = x.T @ (s - y) / len(y) + 0.01 * w
    hessian = x.T @ (x * (s * (1 - s))[:, None]) / len(y) + 0.01 * np.eye(len(w))
    return cost, {"w": np.linalg.solve(hessian, grad)}


def tuned(p, x, y):
    n, d = x.shape
    z, e, t = np.empty((3, n))
    scaled = np.empty_like(x)
    ones, one, ridge = np.ones(n), np.array(1.0), 0.01 * np.eye(d)

    def run(p, x, y):
        w = p["w"]
        np.dot(x, w, z)
        np.abs(z, e)
        np.negative(e, e)
        np.exp(e, e)
        total = np.maximum(z, 0.0, out=t).sum() - np.dot(y, z)
        np.greater(z, 0.0, t)
        np.maximum(t, e, out=t)
        np.add(e, one, e)
        np.divide(t, e, t)
        np.log(e, e)
        total += np.dot(e, ones)
        np.subtract(one, t, e)
        np.multiply(e, t, e)
        np.multiply(e, 1 / n, e)
        np.subtract(t, y, t)
        grad = np.dot(t, x) / n + 0.01 * w
        np.multiply(x, e[:, None], scaled)
        hessian = np.dot(scaled.T, x) + ridge
        return total / n + 0.005 * np.dot(w, w), {"w": np.linalg.solve(hessian, grad)}

    return run


def model(xp, p, x, y):
    z = x @ p["w"]
    softplus = xp.maximum(z, 0) + xp.log1p(xp.exp(-xp.abs(z)))
    return xp.mean(softplus - y * z) + 0.005 * xp.sum(p["w"] ** 2)


def jax(jax, p, x, y):
    z = x @ p["w"]
    return jax.numpy.mean(jax.nn.softplus(z) - y * z) + 0.005 * jax.numpy.sum(p["w"] ** 2)


def torch(torch, p, x, y):
    def cost(p, x, y):
        z = x @ p["w"]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(z, y)
        return loss + 0.005 * torch.sum(p["w"] ** 2)

    return p, (x, y), cost, None


def casadi(ca, p, x, y):
    z = ca.mtimes(x, p["w"])
    softplus = ca.fmax(z, 0) + ca.log1p(ca.exp(-ca.fabs(z)))
    return ca.sum1(softplus - y * z) / x.shape[0] + 0.005 * ca.sumsqr(p["w"])


NEWTON = Workload(
    name="newton",
    title="Newton step, logistic regression, 1,000 rows of 20",
    source=MODEL,
    dtype="float64",
    make=make,
    numpy=by_hand,
    tuned=tuned,
    model=model,
    jax=jax,
    torch=torch,
    tangent="no Hessians of NumPy code",
    casadi=casadi,
    newton=True,
    sizes={"n": 1000, "d": 20},
    small={"n": 50, "d": 4},
)
