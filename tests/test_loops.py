"""Loops that stay loops, as a specification: each has its meaning in NumPy beside it.

Every program is compiled at all levels; values are those of the Python loop, gradients those of
central differences. What is refused, and how it is said, is in tests/bad.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import black
import numpy as np
import pytest

import bpc
from bpc.codegen.check import check_output
from oracle import check_gradient
from test_ops import own, views

LEVELS = (0, 1, 2)
Arrays = dict[str, Any]
SIZES = {"T": 5, "N": 3, "S": 2}


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


class Loop(NamedTuple):
    """A program, and a function that computes its outputs from params and inputs by name."""

    text: str
    meaning: Callable[..., Arrays]
    sizes: dict[str, int] = SIZES


LSTM = """dim T, N, D = 2, H = 3
input X: [T, N, D]
input y: [N]
param Wx: [D, 4*H] ~ glorot, Wh: [H, 4*H] ~ orthogonal, bias: [4*H] ~ zeros, v: [H] ~ glorot

scan t in 0..T-1 carry (h = zeros(N, H), c = zeros(N, H)) {
    z = X[t] @ Wx + h @ Wh + bias
    i, f, o, g = split(z, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)                   # in order: this reads the new c
    emit hs = h                                # afterwards hs: [T, N, H]
}
cost J = mean((h @ v - y)^2)                   # afterwards h, c hold the last step's values
output hs, h, c
"""


def lstm(X: Any, y: Any, Wx: Any, Wh: Any, bias: Any, v: Any) -> Arrays:
    h = c = np.zeros((X.shape[1], 3))
    hs = []
    for x in X:
        i, f, o, g = np.split(x @ Wx + h @ Wh + bias, 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        hs.append(h)
    return {"hs": np.array(hs).reshape(-1, X.shape[1], 3), "h": h, "c": c}


def steps(
    start: Any, T: int, step: Callable[[int, Any], Any], name: str = "h", stack: str = "hs"
) -> Arrays:
    """The last value of one carry, and all of them."""
    found, value = [], start
    for t in range(T):
        value = step(t, value)
        found.append(value)
    return {name: np.asarray(value), stack: np.array(found).reshape(len(found), *np.shape(start))}


def fibonacci(a: float, b: float) -> Arrays:
    xs = [a, b]
    for _ in range(4):
        xs.append(xs[-2] + xs[-1] ** 2)
    return {"x": xs[-2], "y": xs[-1]}


def swapped(a: Any, b: Any) -> Arrays:
    for _ in range(3):
        a, b = b, np.sin(a)
    return {"p": a, "q": b}


def counted(x: Any, w: Any) -> Arrays:
    total, n = 0.0, 0
    for xt in x:
        if xt > 0:
            n, total = n + 1, total + xt * w * (n + 1)
    return {"n": n, "total": total}


def seen(x: Any, w: Any) -> Arrays:
    value, flag, flags = 0.0, False, []
    for xt in x:
        flag = flag or bool(xt > 0.5)
        value += w * xt * flag
        flags.append(flag)
    return {"value": value, "flag": flag, "flags": np.array(flags, bool)}


def nested(A: Any, w: Any) -> Arrays:
    out, h = [], 0.0
    for row in A:
        s = h
        for a in row:
            s = np.tanh(s * w + a)
        h = s + h
        out.append(s)
    return {"h": h, "ss": np.array(out)}


def nested_emits(A: Any, w: Any) -> Arrays:
    h, all_ = w, []
    for row in A:
        rows = []
        for a in row:
            h = np.sin(h + a)
            rows.append(h)
        all_.append(rows)
    return {"all": np.array(all_)}


def many_emits(X: Any, w: Any) -> Arrays:
    h, squares = w, [[], []]
    for x in X:
        for k in (1, 2):
            squares[k - 1].append(np.sin(k * h + x))
        h = h + x
    return {"s1": np.array(squares[0]), "s2": np.array(squares[1])}


def two_layers(X: Any, w: list[Any]) -> Arrays:
    rows = X
    for l in range(2):
        rows = steps(np.zeros(3), len(X), lambda t, h, l=l, r=rows: np.tanh(r[t] * w[l] + h))["hs"]
    return {"h2": rows}


LOOPS: dict[str, Loop] = {
    "the page's own": Loop(LSTM, lstm),
    "one carry": Loop(
        """dim T
input X: [T]
param w, h0
scan t in 0..T-1 carry (h = h0) { h = tanh(w * h + X[t]); emit hs = h }
cost J = h + sum(hs^2)
output h, hs""",
        lambda X, w, h0: steps(h0, len(X), lambda t, h: np.tanh(w * h + X[t])),
    ),
    "a fixed length": Loop(
        "dim T = 4\nparam a, b\nscan t in 1..T carry (x = a, y = b) { z = x + y^2; x = y; y = z }\n"
        "cost J = x * y\noutput x, y",
        fibonacci,
    ),
    "carries that swap": Loop(
        "param a, b\nscan t in 1..3 carry (p = a, q = b) { old = p; p = q; q = sin(old) }\n"
        "cost J = p * p + q\noutput p, q",
        swapped,
    ),
    "in order": Loop(
        "param a, b\nscan t in 0..2 carry (p = a, q = b) { p = p * q; q = q + p }\n"
        "cost J = p + q^2\noutput p, q",
        lambda a, b: dict(zip("pq", (a * b * (b + a * b) * (b + a * b + a * b * (b + a * b)),
            (lambda p1, q1: (lambda p2, q2: q2 + p2 * q2)(p1 * q1, q1 + p1 * q1))(a * b, b + a * b)))),
    ),
    "a carry that is not assigned": Loop(
        "dim T\ninput X: [T]\nparam k, a\nscan t in 0..T-1 carry (c = k, h = a) { h = h * c + X[t] }\n"
        "cost J = h + c^2\noutput h, c",
        lambda X, k, a: {"c": k, "h": steps(a, len(X), lambda t, h: h * k + X[t])["h"]},
    ),
    "a number to start with": Loop(
        "dim T\ninput X: [T]\nparam w\nscan t in 0..T-1 carry (h = 0) { h = h + w * X[t] }\n"
        "cost J = h^2\noutput h",
        lambda X, w: {"h": w * X.sum()},
    ),
    "a number that becomes an array by its shape": Loop(
        "dim T, N\ninput X: [T, N]\nparam w\nscan t in 0..T-1 carry (h = zeros(N)) { h = w }\n"
        "cost J = sum(h^2) + sum(X)\noutput h",
        lambda X, w: {"h": np.full(X.shape[1], w if len(X) else 0.0)},
    ),
    "emit alone": Loop(
        "dim T\ninput X: [T]\nparam w\nscan t in 0..T-1 carry () { emit s = sin(w * X[t]) }\n"
        "cost J = sum(s^2)\noutput s",
        lambda X, w: {"s": np.sin(w * X)},
    ),
    "several emits": Loop(
        """dim T
input X: [T]
param w
scan t in 0..T-1 carry (h = w) {
    for k in 1..2 { emit s[k] = sin(k * h + X[t]) }
    h = h + X[t]
}
cost J = sum(s[1] * s[2])
output s1 = s[1] * 1, s2 = s[2] * 1""",
        many_emits,
    ),
    "what was before": Loop(
        "dim T, N\ninput X: [T, N]\nparam w: [N]\nscan t in 1..T-1 carry (h = w) "
        "{ h = tanh(h + X[t] * X[t-1]) }\ncost J = sum(h^2)\noutput h",
        lambda X, w: {"h": steps(w, len(X) - 1, lambda t, h: np.tanh(h + X[t + 1] * X[t]))["h"]},
    ),
    "backwards": Loop(
        "dim T\ninput X: [T]\nparam w\nscan t in 0..T-1 carry (h = w) { h = tanh(2 * h + X[T-1-t]); "
        "emit hs = h }\ncost J = h + mean(hs)\noutput h, hs",
        lambda X, w: steps(w, len(X), lambda t, h: np.tanh(2 * h + X[::-1][t])),
    ),
    "every other": Loop(
        "dim T\ninput X: [2*T]\nparam w\nscan t in 0..T-1 carry (h = w) "
        "{ h = h * X[2*t] + X[2*t + 1] }\ncost J = h^2\noutput h",
        lambda X, w: {"h": steps(w, len(X) // 2, lambda t, h: h * X[2 * t] + X[2 * t + 1])["h"]},
    ),
    "columns": Loop(
        "dim T, N\ninput X: [N, T]\nparam w: [N]\nscan t in 0..T-1 carry (h = w) "
        "{ h = tanh(h + X[:, t]); emit hs = h }\ncost J = sum(hs^2)\noutput h, hs",
        lambda X, w: steps(w, X.shape[1], lambda t, h: np.tanh(h + X[:, t])),
    ),
    "a middle axis": Loop(
        "dim T, N\ninput X: [N, T, 2]\nparam w: [N, 2]\nscan t in 0..T-1 carry (h = w) "
        "{ h = tanh(h + X[:, t] * X[:, t, 0][:, new]) }\ncost J = sum(h)\noutput h",
        lambda X, w: {
            "h": steps(w, X.shape[1], lambda t, h: np.tanh(h + X[:, t] * X[:, t, :1]))["h"]
        },
    ),
    "the index in arithmetic": Loop(
        "dim T\ninput X: [T]\nparam w\nscan t in 0..T-1 carry (h = 0) { h = h + w^t * X[t] / (t + 1) }\n"
        "cost J = h\noutput h",
        lambda X, w: {"h": sum(w**t * x / (t + 1) for t, x in enumerate(X))},
    ),
    "the index in conditions": Loop(
        "dim T\ninput X: [T]\nparam w\nscan t in 0..T-1 carry (h = w) "
        "{ h = where(t > 1 and t < T-1, h * X[t], h + (X[t] if t == 0 else 0)) }\n"
        "cost J = h^2\noutput h",
        lambda X, w: {"h": steps(w, len(X), lambda t, h: h * X[t] if 1 < t < len(X) - 1 else
            h + X[t] * (t == 0))["h"]},
    ),
    "the index as an index": Loop(
        "dim T\ninput k: int[T]\nparam E: [7], w\nscan t in 0..T-1 carry (h = w) "
        "{ h = tanh(h * E[k[t]] + E[t]) }\ncost J = h\noutput h",
        lambda k, E, w: {"h": steps(w, len(k), lambda t, h: np.tanh(h * E[k[t]] + E[t]))["h"]},
    ),
    "an int as a carry": Loop(
        "dim T\ninput x: [T]\nparam w\nscan t in 0..T-1 carry (n = sum(where(x > 9, 1, 0)), total = 0) "
        "{ n = where(x[t] > 0, n + 1, n); total = total + where(x[t] > 0, x[t] * w * n, 0) }\n"
        "cost J = total^2 + n\noutput n, total",
        counted,
    ),
    "a bool as a carry": Loop(
        "dim T\ninput x: [T]\nparam w\nscan t in 0..T-1 carry (flag = 1 > 2, value = 0) {\n"
        "    flag = flag or x[t] > 0.5; value = value + w * x[t] * flag; emit flags = flag\n}\n"
        "cost J = value\noutput value, flag, flags",
        seen,
    ),
    "params as sequences": Loop(
        "dim T\nparam W: [T, 2, 2], w: [2]\nscan t in 0..T-1 carry (h = w) { h = tanh(h @ W[t]) }\n"
        "cost J = sum(h)\noutput h",
        lambda W, w: {"h": steps(w, len(W), lambda t, h: np.tanh(h @ W[t]))["h"]},
    ),
    "parameters inside": Loop(
        "dim T\ninput X: [T]\nscan t in 0..T-1 carry (h = 1) { param w, b = 2; h = tanh(w * h + b * X[t]) }\n"
        "cost J = h * w\noutput h",
        lambda X, w, b: {"h": steps(1.0, len(X), lambda t, h: np.tanh(w * h + b * X[t]))["h"]},
    ),
    "a guard": Loop(
        "dim T\ninput X: [T]\nparam w\nscan t in 0..T-1 carry (h = w, s = 0) {\n"
        "    h = where(X[t] > 0, h + log(X[t] * w^2), h); s = s + where(t > 0, h / t, 0)\n}\n"
        "cost J = h + s\noutput h, s",
        lambda X, w: (lambda hs: {"h": hs[-1] if len(hs) else np.asarray(w), "s": sum(
            h / t for t, h in enumerate(hs) if t)})(steps(w, len(X), lambda t, h:
            h + np.log(X[t] * w**2) if X[t] > 0 else h)["hs"]),
    ),
    "functions and for": Loop(
        """dim T
input X: [T]
param w, a[1], a[2]
def cell(h, x, f) { y = f(w * h + x); return y * y + y }
scan t in 0..T-1 carry (h = 0.1) {
    u[0] = cell(h, X[t], tanh)
    for l in 1..2 { u[l] = sin(a[l] * u[l-1]) }
    h = u[2]
}
cost J = h^2
output h""",
        lambda X, w, a1, a2: {"h": steps(0.1, len(X), lambda t, h: np.sin(a2 * np.sin(a1 * (
            np.tanh(w * h + X[t]) ** 2 + np.tanh(w * h + X[t])))))["h"]},
    ),
    "a loop in a function": Loop(
        """dim T, S
input X: [T], Y: [S]
param w
def run(x, n) { scan t in 0..n-1 carry (h = w) { h = tanh(h + x[t]) }; return h }
a = run(X, T)
b = run(Y, S)
cost J = a * b
output a, b""",
        lambda X, Y, w: {"a": steps(w, len(X), lambda t, h: np.tanh(h + X[t]))["h"],
                         "b": steps(w, len(Y), lambda t, h: np.tanh(h + Y[t]))["h"]},
    ),
    "loops in a for": Loop(
        """dim T
input X: [T, 3]
rows[0] = X
for l in 1..2 {
    param w[l]: [3]
    scan t in 0..T-1 carry (h = zeros(3)) { h = tanh(rows[l-1][t] * w[l] + h); emit out = h }
    rows[l] = out
}
cost J = sum(rows[2]^2)
output h2 = rows[2] * 1""",
        lambda X, w1, w2: two_layers(X, [w1, w2]),
    ),
    "superscripts as carries": Loop(
        "dim T\ninput X: [T]\nparam w\nscan t in 0..T-1 carry (h[1] = w, h[2] = 0) "
        "{ h[1] = tanh(h[1] + X[t]); h[2] = h[2] + h[1] }\ncost J = h[1] + h[2]\n"
        "output a = h[1] * 1, b = h[2] * 1",
        lambda X, w: (lambda hs: {"a": hs["h"], "b": hs["hs"].sum()})(
            steps(w, len(X), lambda t, h: np.tanh(h + X[t]))),
    ),
    "a loop in a loop": Loop(
        """dim T, S
input A: [T, S]
param w
scan t in 0..T-1 carry (h = 0) {
    scan k in 0..S-1 carry (s = h) { s = tanh(s * w + A[t, k]) }
    h = s + h
    emit ss = s
}
cost J = h + mean(ss^2)
output h, ss""",
        nested,
    ),
    "a loop in a loop that stacks": Loop(
        """dim T, S
input A: [T, S]
param w
scan t in 0..T-1 carry (h = w) {
    scan k in 0..S-1 carry (g = h) { g = sin(g + A[t][k]); emit row = g }
    h = g
    emit all = row
}
cost J = sum(all^2)
output all""",
        nested_emits,
    ),
    "after another": Loop(
        """dim T
input X: [T]
param w
scan t in 0..T-1 carry (h = w) { h = tanh(h + X[t]); emit hs = h }
scan t in 0..T-1 carry (g = 0) { g = sin(g + w * hs[T-1-t]); emit gs = g }
cost J = sum(gs * hs)
output hs, gs""",
        lambda X, w: (lambda hs: {"hs": hs, "gs": steps(0.0, len(X), lambda t, g: np.sin(
            g + w * hs[::-1][t]))["hs"]})(steps(w, len(X), lambda t, h: np.tanh(h + X[t]))["hs"]),
    ),
    "a gradient inside": Loop(
        """dim T
input X: [T]
param w, k
scan t in 0..T-1 carry (x = w) {
    energy = cos(k * x) + X[t] * x^2 / 2
    x = x - 0.1 * grad(energy, x)
    emit xs = x
}
cost J = x^2 + sum(xs)
output x, xs""",
        lambda X, w, k: steps(w, len(X), lambda t, x: x - 0.1 * (X[t] * x - k * np.sin(k * x)),
                              "x", "xs"),
    ),
    "a gradient around": Loop(
        """dim T
input X: [T]
param w, h0
scan t in 0..T-1 carry (h = h0) { h = w * h + X[t] }
slope = grad(h, h0)
second = grad(grad(h, w), h0)
cost J = slope^2 + h * second
output slope, second""",
        lambda X, w, h0: {"slope": w ** len(X), "second": len(X) * w ** max(len(X) - 1, 0)},
    ),
    "losses that add up": Loop(
        "dim T, N\ninput X: [T, N], l: int[T, N]\nparam W: [1, 4]\n"
        "scan t in 0..T-1 carry (s = 0) { s = s + sum(cross_entropy(X[t][:, new] @ W, l[t])) }\n"
        "cost J = s / (T * N + 1)\noutput s",
        lambda X, l, W: {"s": sum(
            np.log(np.exp(x * W[0]).sum()) - x * W[0][k] for x, k in zip(X.ravel(), l.ravel()))},
    ),
    "a matrix as a carry": Loop(
        "dim T\ninput X: [T, 2, 2]\nparam A: [2, 2]\nscan t in 0..T-1 carry (P = A) "
        "{ P = P @ X[t] / (1 + norm(P)^2) }\ncost J = sum(P^2)\noutput P",
        lambda X, A: {"P": steps(A, len(X), lambda t, P: P @ X[t] / (1 + (P**2).sum()))["h"]},
    ),
    "a shorter stretch": Loop(
        "dim T\ninput X: [T+2]\nparam w\nscan t in 2..T carry (h = w) { h = h * X[t-2] + X[t+1] * t }\n"
        "cost J = h\noutput h",
        lambda X, w: {"h": steps(w, len(X) - 3, lambda t, h: h * X[t] + X[t + 3] * (t + 2))["h"]},
    ),
}  # fmt: skip


def draw(m: ModuleType, sizes: dict[str, int], seed: int) -> tuple[Arrays, Arrays]:
    rng = np.random.default_rng(seed)

    def value(text: str) -> Any:
        kind, _, shape = text.partition(" ")
        texts = [re.sub(r"[A-Z]\w*", lambda m: str(sizes[m[0]]), s) for s in re.findall(r"[^\[\], ]+(?: [+-] \d+)?", shape)]
        dims = tuple(eval(s) for s in texts)
        if kind == "int":
            return rng.integers(0, 4, dims)
        return np.asarray(rng.uniform(-1.2, 1.2, dims))

    params = {k: value(v) for k, v in m.PARAMS.items()}
    return params, {k: value(v) for k, v in m.INPUTS.items()}


def outputs(m: ModuleType, params: Arrays, inputs: Arrays) -> Arrays:
    names = m.forward.__code__.co_varnames[: m.forward.__code__.co_argcount]
    found = m.forward(params, **{k: v for k, v in inputs.items() if k in names})
    return found if isinstance(found, dict) else dict(zip(m.OUTPUTS, [found]))
