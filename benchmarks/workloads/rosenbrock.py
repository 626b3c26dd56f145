"""Rosenbrock's function, of scalars and of a vector."""

import numpy as np

from benchmarks.workload import Workload

SCALARS = """
param x = -1.2, y = 1
cost J = 100 * (y - x^2)^2 + (1 - x)^2
"""
VECTOR = """
dim N
param x: [N]
cost J = sum(100 * (x[1:] - x[:-1]^2)^2 + (1 - x[:-1])^2)
"""


def make_two(rng):
    return {"x": -1.2, "y": 1.0}, {}


def make_vector(rng, n):
    return {"x": rng.normal(size=n)}, {}


def two_by_hand(p):
    x, y = p["x"], p["y"]
    r = y - x**2
    return 100 * r**2 + (1 - x) ** 2, {"x": -400 * x * r - 2 * (1 - x), "y": 200 * r}


def two_tuned(p):
    def run(p):
        x = p["x"]
        r = p["y"] - x * x
        q = 1.0 - x
        h = 200.0 * r
        return 0.5 * r * h + q * q, {"x": -2.0 * (h * x + q), "y": h}

    return run


def vector_by_hand(p):
    x = p["x"]
    r = x[1:] - x[:-1] ** 2
    q = 1 - x[:-1]
    grad = np.zeros_like(x)
    grad[:-1] = -400 * x[:-1] * r - 2 * q
    grad[1:] += 200 * r
    return np.sum(100 * r**2 + q**2), {"x": grad}


def vector_tuned(p):
    n = p["x"].size
    r, q = np.empty((2, n - 1))
    one, many, two = np.array(1.0), np.array(-400.0), np.array(200.0)

    def run(p):
        x = p["x"]
        low, high = x[:-1], x[1:]
        grad = np.empty(n)
        g = grad[:-1]
        np.multiply(low, low, r)
        np.subtract(high, r, r)
        np.subtract(low, one, q)
        J = 100.0 * np.dot(r, r) + np.dot(q, q)
        np.multiply(r, low, g)
        np.multiply(g, many, g)
        np.add(g, q, g)
        np.add(g, q, g)
        grad[-1] = 0.0
        np.multiply(r, two, r)
        g = grad[1:]
        np.add(g, r, g)
        return J, {"x": grad}

    return run


def two_model(xp, p):
    return 100 * (p["y"] - p["x"] ** 2) ** 2 + (1 - p["x"]) ** 2


def vector_model(xp, p):
    x = p["x"]
    return xp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def two_tangent(x, y):
    r = y - x * x
    q = 1.0 - x
    return 100.0 * (r * r) + q * q


def vector_casadi(ca, p):
    x = p["x"]
    n = x.shape[0]
    return 100 * ca.sumsqr(x[1:n] - x[0 : n - 1] ** 2) + ca.sumsqr(1 - x[0 : n - 1])


TWO = Workload(
    name="rosenbrock_2",
    title="Rosenbrock in 2 variables",
    source=SCALARS,
    dtype="float64",
    make=make_two,
    numpy=two_by_hand,
    tuned=two_tuned,
    model=two_model,
    tangent=two_tangent,
    casadi=lambda ca, p: two_model(ca, p),
)
THOUSAND = Workload(
    name="rosenbrock_1000",
    title="Rosenbrock in 1,000 variables",
    source=VECTOR,
    dtype="float64",
    make=make_vector,
    numpy=vector_by_hand,
    tuned=vector_tuned,
    model=vector_model,
    casadi=vector_casadi,
    sizes={"n": 1000},
    small={"n": 50},
)
