"""A curve of five scalars through many points, with a robust cost."""

import numpy as np

from benchmarks.workload import Workload

MODEL = """
dim N
input x: [N], data: [N]
param a, b, c, d, s
y = a * tanh(b * x + c) * exp(-d * x^2) + s
cost J = mean(log(1 + (y - data)^2))
"""
TILE = 16384


def make(rng, n):
    x, data = rng.uniform(-2, 2, n), rng.normal(size=n)
    return {"a": 1.5, "b": 0.8, "c": 0.1, "d": 0.3, "s": 0.2}, {"x": x, "data": data}


def by_hand(p, x, data):
    u = np.tanh(p["b"] * x + p["c"])
    e = np.exp(-p["d"] * x**2)
    r = p["a"] * u * e + p["s"] - data
    cost = np.mean(np.log(1 + r**2))
    g = 2 * r / (1 + r**2) / r.size
    t = g * p["a"] * e * (1 - u**2)
    return cost, {
        "a": np.sum(g * u * e),
        "b": np.sum(t * x),
        "c": np.sum(t),
        "d": np.sum(-g * p["a"] * u * e * x**2),
        "s": np.sum(g),
    }


def tuned(p, x, data):
    """Tiles that stay in the cache; what is constant comes out of the sums, which are products."""
    u, e, r, q, t, w = np.empty((6, TILE), x.dtype)
    ones = np.ones(TILE, x.dtype)

    def run(p, x, data):
        a, b, c, d, s = (np.asarray(v, x.dtype) for v in p.values())
        sums = np.zeros(6)
        for start in range(0, len(x), TILE):
            X, D = x[start : start + TILE], data[start : start + TILE]
            n = len(X)
            U, E, R, Q, T, one = u[:n], e[:n], r[:n], q[:n], t[:n], ones[:n]
            np.multiply(X, b, U)
            np.add(U, c, U)
            np.tanh(U, U)
            np.multiply(X, X, Q)  # x^2
            np.multiply(Q, -d, E)
            np.exp(E, E)
            np.multiply(U, E, T)  # u e
            np.multiply(T, a, R)
            np.add(R, s, R)
            np.subtract(R, D, R)
            np.multiply(T, Q, Q)  # u e x^2
            square = w[:n]
            np.multiply(R, R, square)
            np.add(square, one, square)
            np.divide(R, square, R)
            np.log(square, square)
            sums[0] += np.dot(square, one)
            sums[1] += np.dot(R, T)
            sums[4] += np.dot(R, Q)
            sums[5] += np.dot(R, one)
            np.multiply(U, U, U)
            np.subtract(one, U, U)
            np.multiply(U, E, U)
            np.multiply(U, R, T)
            sums[2] += np.dot(T, X)
            sums[3] += np.dot(T, one)
        two = 2 / len(x)
        names = ("a", "b", "c", "d", "s")
        factors = (two, two * a, two * a, -two * a, two)
        return sums[0] / len(x), {
            k: x.dtype.type(f * v) for k, f, v in zip(names, factors, sums[1:], strict=True)
        }

    return run


def model(xp, p, x, data):
    y = p["a"] * xp.tanh(p["b"] * x + p["c"]) * xp.exp(-p["d"] * x**2) + p["s"]
    return xp.mean(xp.log(1 + (y - data) ** 2))


def for_tangent(a, b, c, d, s, x, data):
    y = a * np.tanh(b * x + c) * np.exp(-d * (x * x)) + s
    r = y - data
    return np.mean(np.log(1.0 + r * r))


SHARED = {
    "source": MODEL,
    "make": make,
    "numpy": by_hand,
    "tuned": tuned,
    "model": model,
    "tangent": for_tangent,
    "small": {"n": 20_001},
}
CURVE_F64 = Workload(
    name="curve_f64",
    title="curve of 5 scalars, n = 1e6, float64",
    dtype="float64",
    sizes={"n": 1_000_000},
    first=True,
    **SHARED,
)
CURVE_F32 = Workload(
    name="curve_f32",
    title="curve of 5 scalars, n = 4e6",
    dtype="float32",
    sizes={"n": 4_000_000},
    **SHARED,
)
