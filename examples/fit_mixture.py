"""Fits examples/mixture.bp to the 150 irises of scikit-learn, with SciPy's L-BFGS.

    python examples/fit_mixture.py

Beside it stands scikit-learn's GaussianMixture, which maximises the same likelihood by expectation
and maximisation; both start from the centres of k-means. Exits with 1 if the log likelihoods are
further apart than 0.001 for each flower.
"""

import sys
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

import bpc

MODEL = Path(__file__).with_name("mixture.bp")
GOAL = 1e-3


def fit(model, points, clusters=3):
    """Params of the greatest likelihood that is reached from k-means, and SciPy's result."""
    size = {"D": points.shape[1]}

    def objective(vector):
        cost, grads = model.value_and_grad(model.unravel(vector, **size), points)
        return cost, model.ravel(grads)

    params = model.init(**size)
    params["centre"] = KMeans(clusters, n_init=5, random_state=0).fit(points).cluster_centers_
    options = {"maxiter": 1000, "ftol": 1e-12}
    start = model.ravel(params)
    result = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    return model.unravel(result.x, **size), result


def compare(model):
    """Fit twice, print both; mean log likelihoods of ours and of scikit-learn's."""
    points, species = load_iris(return_X_y=True)
    params, result = fit(model, points)
    peer = GaussianMixture(3, tol=1e-8, max_iter=1000, random_state=0).fit(points)
    ours, theirs = -result.fun, peer.score(points)
    clusters = model.forward(params, points).argmax(axis=1)
    for name, value, found, rounds in (
        ("L-BFGS", ours, clusters, result.nit),
        ("scikit-learn", theirs, peer.predict(points), peer.n_iter_),
    ):
        agree = adjusted_rand_score(species, found)
        print(f"{name:13} log likelihood {value:.4f} for each flower, after {rounds} iterations")
        print(f"{'':13} adjusted Rand index with the species {agree:.3f}")
    weights = np.exp(params["weight"])
    print("weights      ", np.round(weights / weights.sum(), 3))
    return ours, theirs


def main():
    """Compile, fit and compare."""
    ours, theirs = compare(bpc.load(MODEL))
    return 0 if abs(ours - theirs) < GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
