"""log(sum(exp(x))) of a vector and of rows, by x."""

import numpy as np

from benchmarks.workload import Workload


def make_vector(rng, n):
    return {"x": rng.normal(size=n) * 3}, {}


def make_rows(rng, n, m):
    return {"x": rng.normal(size=(n, m)) * 3}, {}


def vector_by_hand(p):
    x = p["x"]
    top = np.max(x)
    e = np.exp(x - top)
    total = np.sum(e)
    return top + np.log(total), {"x": e / total}


def rows_by_hand(p):
    x = p["x"]
    top = x.max(axis=1, keepdims=True)
    e = np.exp(x - top)
    total = e.sum(axis=1, keepdims=True)
    return np.mean(top + np.log(total)), {"x": e / total / len(x)}


def vector_tuned(p, tile=16384):
    n = p["x"].size

    def run(p):
        x = p["x"]
        top = np.maximum.reduce(x)
        e = np.empty_like(x)
        total = 0.0
        for i in range(0, n, tile):
            part = e[i : i + tile]
            np.subtract(x[i : i + tile], top, part)
            np.exp(part, part)
            total += np.add.reduce(part)
        np.multiply(e, 1 / total, e)
        return float(top + np.log(total)), {"x": e}

    return run


def rows_tuned(p, tile=16):
    n = len(p["x"])
    column = np.empty((tile, 1), p["x"].dtype)

    def run(p):
        x = p["x"]
        e = np.empty_like(x)
        total = 0.0
        for i in range(0, n, tile):
            part, here = e[i : i + tile], x[i : i + tile]
            c = column[: len(part)]
            np.maximum.reduce(here, axis=1, keepdims=True, out=c)
            total += c.sum()
            np.subtract(here, c, part)
            np.exp(part, part)
            np.add.reduce(part, axis=1, keepdims=True, out=c)
            total += np.log(c).sum()
            np.divide(1 / n, c, c)
            np.multiply(part, c, part)
        return total / n, {"x": e}

    return run


def vector_model(xp, p):
    x = p["x"]
    top = xp.max(x)
    return top + xp.log(xp.sum(xp.exp(x - top)))


def rows_model(xp, p):
    x = p["x"]
    top = xp.max(x, axis=1, keepdims=True)
    return xp.mean(top + xp.log(xp.sum(xp.exp(x - top), axis=1, keepdims=True)))


def vector_torch(torch, p):
    return p, (), lambda p: torch.logsumexp(p["x"], 0), None


def rows_torch(torch, p):
    return p, (), lambda p: torch.logsumexp(p["x"], 1).mean(), None


VECTOR = Workload(
    name="logsumexp",
    title="log-sum-exp of 1e6 numbers",
    source="dim N\nparam x: [N]\ncost J = logsumexp(x)\n",
    dtype="float64",
    make=make_vector,
    numpy=vector_by_hand,
    tuned=vector_tuned,
    model=vector_model,
    jax=lambda jax, p: jax.nn.logsumexp(p["x"]),
    torch=vector_torch,
    sizes={"n": 1_000_000},
    small={"n": 20_001},
)
ROWS = Workload(
    name="logsumexp_rows",
    title="log-sum-exp of 1,000 rows of 1,000",
    source="dim N, M\nparam x: [N, M]\ncost J = mean(logsumexp(x, axis=1))\n",
    dtype="float64",
    make=make_rows,
    numpy=rows_by_hand,
    tuned=rows_tuned,
    model=rows_model,
    jax=lambda jax, p: jax.numpy.mean(jax.nn.logsumexp(p["x"], axis=1)),
    torch=rows_torch,
    sizes={"n": 1000, "m": 1000},
    small={"n": 37, "m": 21},
)
