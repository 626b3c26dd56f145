"""The lecture's two-layer net L4: scalars."""

import numpy as np

from benchmarks.workload import ROOT, Workload


def make(rng):
    return {"w1": 2.0, "b1": 0.0, "w2": 3.0, "b2": 1.0}, {"x": 1.0, "y": 5.0}


def by_hand(p, x, y):
    z1 = p["w1"] * x + p["b1"]
    a1 = np.maximum(z1, 0.0)
    z2 = p["w2"] * a1 + p["b2"]
    a2 = np.maximum(z2, 0.0)
    d2 = (a2 - y) * (z2 > 0)
    d1 = d2 * p["w2"] * (z1 > 0)
    return 0.5 * (a2 - y) ** 2, {"w1": d1 * x, "b1": d1, "w2": d2 * a1, "b2": d2}


def tuned(p, x, y):
    return on_floats


def on_floats(p, x, y):
    w2 = p["w2"]
    a1 = p["w1"] * x + p["b1"]
    on = a1 > 0.0
    if not on:
        a1 = 0.0
    a2 = w2 * a1 + p["b2"]
    d = max(a2, 0.0) - y
    d2 = d if a2 > 0.0 else 0.0
    d1 = d2 * w2 if on else 0.0
    return 0.5 * d * d, {"w1": d1 * x, "b1": d1, "w2": d2 * a1, "b2": d2}


def model(xp, p, x, y):
    def relu(z):
        return xp.relu(z) if hasattr(xp, "relu") else xp.maximum(z, 0.0)

    a1 = relu(p["w1"] * x + p["b1"])
    a2 = relu(p["w2"] * a1 + p["b2"])
    return 0.5 * (a2 - y) ** 2


def for_tangent(w1, b1, w2, b2, x, y):
    a1 = np.maximum(w1 * x + b1, 0.0)
    a2 = np.maximum(w2 * a1 + b2, 0.0)
    return 0.5 * (a2 - y) ** 2


def casadi(ca, p, x, y):
    a1 = ca.fmax(p["w1"] * x + p["b1"], 0)
    return 0.5 * (ca.fmax(p["w2"] * a1 + p["b2"], 0) - y) ** 2


LECTURE = Workload(
    name="lecture",
    title="two-layer net of scalars",
    source=ROOT / "examples" / "two_layer.bp",
    dtype="float64",
    make=make,
    numpy=by_hand,
    tuned=tuned,
    model=model,
    tangent=for_tangent,
    casadi=casadi,
    first=True,
)
