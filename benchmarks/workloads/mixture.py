"""The mixture of Gaussians of examples/: full covariances by a Cholesky factor of the inverse."""

import numpy as np

from benchmarks.workload import ROOT, Workload


def make(rng, n, d, k):
    root = 0.3 * rng.normal(size=(k, d, d))
    params = {"weight": 0.3 * rng.normal(size=k), "centre": rng.normal(size=(k, d)), "root": root}
    return params, {"x": 2 * rng.normal(size=(n, d))}


def by_hand(p, x):
    weight, centre, root = p["weight"], p["centre"], p["root"]
    n, d = x.shape
    diagonal = np.arange(d)
    lower = np.tril(root, -1)
    lower[:, diagonal, diagonal] = np.exp(root[:, diagonal, diagonal])
    from_centre = x[None] - centre[:, None]  # [K, N, D]
    apart = from_centre @ lower
    log_volume = d / 2 * np.log(2 * np.pi) - np.trace(root, axis1=1, axis2=2)
    top = weight.max()
    shares = np.exp(weight - top)
    log_weight = weight - top - np.log(shares.sum())
    log_p = (log_weight - log_volume)[:, None] - 0.5 * (apart**2).sum(axis=-1)
    best = log_p.max(axis=0)
    e = np.exp(log_p - best)
    total = e.sum(axis=0)
    cost = -np.mean(best + np.log(total))
    g = -e / total / n  # [K, N]
    by_k = g.sum(axis=1)
    by_apart = -g[:, :, None] * apart
    by_lower = from_centre.swapaxes(1, 2) @ by_apart
    by_root = np.tril(by_lower, -1)
    on = by_lower[:, diagonal, diagonal] * lower[:, diagonal, diagonal]
    by_root[:, diagonal, diagonal] = on + by_k[:, None]
    by_centre = -(by_apart @ lower.swapaxes(1, 2)).sum(axis=1)
    by_weight = by_k - shares / shares.sum() * by_k.sum()
    return cost, {"weight": by_weight, "centre": by_centre, "root": by_root}


def tuned(p, x, tile=512):
    """(x - centre) @ lower as x @ lower - centre @ lower: one product for all clusters.

    Points lie along the last axis, in tiles, so that all reductions are over leading axes.
    """
    n, d = x.shape
    k = len(p["weight"])
    diagonal = np.arange(d)
    spaces = {}
    for size in {min(tile, n), n % tile or tile}:
        big = np.empty((2, k * d, size))
        spaces[size] = (*big, np.empty((k, size)), *np.empty((2, 1, size)), np.ones(size))

    def run(p, x):
        weight, centre, root = p["weight"], p["centre"], p["root"]
        lower = np.tril(root, -1)
        lower[:, diagonal, diagonal] = np.exp(root[:, diagonal, diagonal])
        top = weight.max()
        shares = np.exp(weight - top)
        total = shares.sum()
        base = weight - top - np.log(total) - d / 2 * np.log(2 * np.pi)
        base = (base + np.trace(root, axis1=1, axis2=2))[:, None]
        across = lower.transpose(0, 2, 1).reshape(k * d, d)
        mean = (centre[:, None] @ lower).reshape(k * d, 1)
        J, by_k = 0.0, np.zeros(k)
        moments, sums = np.zeros((k * d, d)), np.zeros(k * d)
        for start in range(0, n, tile):
            part = x[start : start + tile]
            a, squares, log_p, best, scale, ones = spaces[len(part)]
            stacked = a.reshape(k, d, -1)
            np.dot(across, part.T, a)
            np.subtract(a, mean, a)
            np.multiply(a, a, squares)
            np.add.reduce(squares.reshape(stacked.shape), axis=1, out=log_p)
            np.multiply(log_p, -0.5, log_p)
            np.add(log_p, base, log_p)
            np.maximum.reduce(log_p, axis=0, keepdims=True, out=best)
            np.subtract(log_p, best, log_p)
            np.exp(log_p, log_p)
            np.add.reduce(log_p, axis=0, keepdims=True, out=scale)
            J -= best.sum() + np.log(scale).sum()
            np.divide(-1 / n, scale, scale)
            np.multiply(log_p, scale, log_p)
            by_k += np.dot(log_p, ones)
            np.multiply(stacked, log_p[:, None], stacked)
            moments -= np.dot(a, part)
            sums -= np.dot(a, ones)
        sums = sums.reshape(k, d)
        by_lower = moments.reshape(k, d, d).transpose(0, 2, 1) - centre[:, :, None] * sums[:, None]
        by_root = np.tril(by_lower, -1)
        on = by_lower[:, diagonal, diagonal] * lower[:, diagonal, diagonal]
        by_root[:, diagonal, diagonal] = on + by_k[:, None]
        by_centre = -(lower @ sums[:, :, None])[:, :, 0]
        by_weight = by_k - shares / total * by_k.sum()
        return J / n, {"weight": by_weight, "centre": by_centre, "root": by_root}

    return run


def model(xp, p, x):
    d = x.shape[1]
    lower = p["root"] * np.tri(d, k=-1) + xp.exp(p["root"]) * np.eye(d)
    apart = xp.einsum("nkd,kde->nke", x[:, None, :] - p["centre"], lower)
    log_volume = d / 2 * np.log(2 * np.pi) - xp.sum(p["root"] * np.eye(d), axis=(1, 2))
    top = xp.max(p["weight"])
    log_weight = p["weight"] - top - xp.log(xp.sum(xp.exp(p["weight"] - top)))
    log_p = log_weight - log_volume - 0.5 * xp.sum(apart**2, axis=-1)
    best = xp.max(log_p, axis=1, keepdims=True)
    return -xp.mean(best[:, 0] + xp.log(xp.sum(xp.exp(log_p - best), axis=1)))


def torch(torch, p, x):
    d = x.shape[1]
    eye = torch.eye(d, dtype=x.dtype)

    def cost(p, x):
        lower = torch.tril(p["root"], -1) + torch.exp(p["root"]) * eye
        apart = torch.einsum("nkd,kde->nke", x[:, None, :] - p["centre"], lower)
        log_volume = d / 2 * np.log(2 * np.pi) - torch.sum(p["root"] * eye, dim=(1, 2))
        log_p = torch.log_softmax(p["weight"], 0) - log_volume - 0.5 * torch.sum(apart**2, -1)
        return -torch.mean(torch.logsumexp(log_p, -1))

    return p, (x,), cost, None


MIXTURE = Workload(
    name="mixture",
    title="20 Gaussians, full covariances, 5,000 points of 10",
    source=ROOT / "examples" / "mixture.bp",
    settings={"K": 20},
    dtype="float64",
    make=make,
    numpy=by_hand,
    tuned=tuned,
    model=model,
    torch=torch,
    sizes={"n": 5000, "d": 10, "k": 20},
    small={"n": 40, "d": 3, "k": 20},
)
