"""Loops that stay loops, as a specification: each has its meaning in NumPy beside it.

Every program is compiled at all levels; values are those of the Python loop, gradients those of
central differences. What is refused, and how it is said, is in tests/bad.
"""

from __future__ import annotations

import ast
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
from bpc.compiler import differentiate, front, simplified
from bpc.passes.turn_loops import turn_loops
from bpc.source import Source
from oracle import check_gradient
from test_ops import own, views

LEVELS = (0, 1, 2)
Arrays = dict[str, Any]
SIZES = {"T": 5, "N": 3, "S": 2, "D": 2, "H": 3}


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
    return {"a": np.array(squares[0]), "b": np.array(squares[1])}


def two_layers(X: Any, w: list[Any]) -> Arrays:
    rows = X
    for l in range(2):
        rows = steps(np.zeros(3), len(X), lambda t, h, l=l, r=rows: np.tanh(r[t] * w[l] + h))["hs"]
    return {"h2": rows}


def in_order(a: float, b: float) -> Arrays:
    for _ in range(3):
        a = a * b
        b = b + a
    return {"p": a, "q": b}


def guarded(X: Any, w: Any) -> Arrays:
    h, s = w, 0.0
    for t, x in enumerate(X):
        h = h + np.log(x * w**2) if x > 0 else h
        s += h / t if t else 0
    return {"h": h, "s": s}


def summed(X: Any, w: Any) -> Arrays:
    found = steps(w, len(X), lambda t, h: np.tanh(h + X[t]))
    return {"a": found["h"], "b": found["hs"].sum()}


def one_after_another(X: Any, w: Any) -> Arrays:
    hs = steps(w, len(X), lambda t, h: np.tanh(h + X[t]))["hs"]
    gs = steps(0.0, len(X), lambda t, g: np.sin(g + w * hs[::-1][t]))["hs"]
    return {"hs": hs, "gs": gs}


def passed_on(X: Any, u: Any, w: Any) -> Arrays:
    a = b = w
    for ut in u:
        a, b = ut, a + ut
    return {"a": a, "b": b, "e": u, "f": u}


def scaled_rows(W: Any, w: Any, X: Any) -> Arrays:
    scale = steps(w, len(X), lambda t, h: np.sin(h))["hs"]
    rows = (X * scale[:, None]) @ W
    return {"a": rows, "b": np.tanh(rows)}


def products(X: Any, y: Any, w: Any, h0: Any) -> Arrays:
    s, v, m, h = 0.0, np.zeros(2), np.zeros((2, 2)), h0
    for xt, yt in zip(X, y):
        h = np.tanh(h * w)
        s, v, m = s + h * yt @ yt, v + h * xt @ yt, m + h * xt @ xt.T
    return {"s": s, "v": v, "m": m}


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
        in_order,
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
output a = s[1] * 1, b = s[2] * 1""",
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
        "dim T\ninput x: [T]\nparam w\nscan t in 0..T-1 carry (flag = false, value = 0) {\n"
        "    flag = flag or x[t] > 0.5; value = value + w * x[t] * flag; emit flags = flag\n}\n"
        "cost J = value\noutput value, flag, flags",
        seen,
    ),
    "params as sequences": Loop(
        "dim T\nparam W: [T, 2, 2], w: [2]\nscan t in 0..T-1 carry (h = w) { h = tanh(h @ W[t]) }\n"
        "cost J = sum(h)\noutput h",
        lambda W, w: {"h": steps(w, len(W), lambda t, h: np.tanh(h @ W[t]))["h"]},
    ),
    "a guard": Loop(
        "dim T\ninput X: [T]\nparam w\nscan t in 0..T-1 carry (h = w, s = 0) {\n"
        "    h = where(X[t] > 0, h + log(X[t] * w^2), h); s = s + where(t > 0, h / t, 0)\n}\n"
        "cost J = h + s\noutput h, s",
        guarded,
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
        summed,
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
        one_after_another,
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
    "what is emitted alone has a gradient": Loop(
        "dim T, N\nparam u: [N, T], w\nscan t in 0..T-1 carry (c = 0) { emit e = w + u[:, t] }\n"
        "cost J = sum(e^2)\noutput e",
        lambda u, w: {"e": w + u.T},
    ),
    "what is emitted reads what is emitted": Loop(
        "dim T\nparam W: [2, 3], w, X: [T, 2]\nscan t in 0..T-1 carry (h = w) "
        "{ h = sin(h); z = (X[t] * h) @ W; emit a = z; emit b = tanh(z) }\ncost J = sum(a * b) + h\n"
        "output a, b",
        scaled_rows,
    ),
    "entries that are passed on": Loop(
        "dim T\ninput X: [T]\nparam u: [T], w\nscan t in 0..T-1 carry (a = w, b = w) "
        "{ b = a + u[t]; a = u[t]; emit e = u[t]; emit f = u[t] }\ncost J = a * b + sum(e * f * X)\n"
        "output a, b, e, f",
        passed_on,
    ),
    "sums of products": Loop(
        """dim T
input X: [T, 2, 3], y: [T, 3]
param w, h0
scan t in 0..T-1 carry (s = 0, v = zeros(2), m = zeros(2, 2), h = h0) {
    h = tanh(h * w)
    s = s + (h * y[t]) @ y[t]
    v = v + X[t] @ (h * y[t])
    m = m + (h * X[t]) @ X[t].T
}
cost J = s^2 + sum(v^2) + sum(m^2)
output s, v, m""",
        products,
    ),
    "a guard around": Loop(
        "dim T\ninput X: [T]\nparam w\nu = log(w)\nscan t in 0..T-1 carry (h = u) { h = h * X[t]; emit e = h }\n"
        "cost J = where(w > 0, h + sum(e), w)\noutput safe = where(w > 0, h, 1)",
        lambda X, w: {"safe": np.log(w) * X.prod() if w > 0 else np.float64(1)},
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
        texts = [
            re.sub(r"[A-Z]\w*", lambda m: str(sizes[m[0]]), s)
            for s in re.findall(r"[^\[\], ]+(?: [+-] \d+)?", shape)
        ]
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


@pytest.mark.parametrize("name", LOOPS)
def test_values_and_gradients(name: str) -> None:
    """At all levels: the numbers of the loop in NumPy, central differences, the caller's own memory."""
    loop = LOOPS[name]
    for level in LEVELS:
        m = bpc.load(loop.text, level=level, verify_ir=True)
        for seed in (1, 2):
            params, inputs = draw(m, loop.sizes, seed)
            before = {k: v.tobytes() for k, v in (params | inputs).items()}
            expected = loop.meaning(**inputs, **params)
            found = outputs(m, params, inputs)
            assert set(found) == set(expected)
            for key, value in expected.items():
                assert np.shape(found[key]) == np.shape(value), (key, level)
                np.testing.assert_allclose(found[key], value, rtol=1e-10, atol=1e-12, err_msg=key)
            rng = np.random.default_rng(seed)
            check_gradient(m, params, inputs, rng, directions=1, step=0.01, context=f"-O{level}")
        given = [*params.items(), *inputs.items()]
        own(list(found.items()), given, name)
        own(list(m.value_and_grad(params, **inputs)[1].items()), given, name)
        assert {k: v.tobytes() for k, v in given} == before


FREE = [name for name, loop in LOOPS.items() if "dim T" in loop.text and "T = 4" not in loop.text]


@pytest.mark.parametrize("steps", [0, 1])
@pytest.mark.parametrize("name", FREE)
def test_few_steps(name: str, steps: int) -> None:
    """Without a step the carries keep what they start with, and stacks are empty."""
    loop = LOOPS[name]
    sizes = loop.sizes | {"T": steps}
    if name in ("what was before", "a shorter stretch"):
        sizes["T"] += 1  # fewer steps than T by one
    for level in LEVELS:
        m = bpc.load(loop.text, level=level)
        params, inputs = draw(m, sizes, 3)
        if re.search(r"mean\((hs|ss)", loop.text) and not steps:
            with pytest.raises(ValueError, match="^mean of no entries"):
                m.cost(params, **inputs)
            continue
        expected = loop.meaning(**inputs, **params)
        found = outputs(m, params, inputs)
        for key, value in expected.items():
            if steps or np.size(value):
                np.testing.assert_allclose(found[key], value, rtol=1e-10, atol=1e-12, err_msg=key)
            assert found[key].size == np.size(value), key
        check_gradient(m, params, inputs, np.random.default_rng(4), directions=1, context=name)


@pytest.mark.parametrize("name", ["the page's own", "a loop in a loop", "emit alone", "a guard"])
def test_any_layout(name: str) -> None:
    loop = LOOPS[name]
    m = bpc.load(loop.text)
    params, inputs = draw(m, loop.sizes, 5)
    cost, grads = m.value_and_grad(params, **inputs)
    for layout in ("backwards", "every other", "fortran", "read-only"):
        p = {k: views(v)[layout] for k, v in params.items()}
        i = {k: views(v)[layout] for k, v in inputs.items()}
        other, slopes = m.value_and_grad(p, **i)
        assert other == pytest.approx(cost, rel=1e-12)
        for key, slope in slopes.items():
            np.testing.assert_allclose(slope, grads[key], rtol=1e-11, atol=1e-13)
        own([*slopes.items(), *outputs(m, p, i).items()], [*p.items(), *i.items()], layout)


@pytest.mark.parametrize("name", LOOPS)
def test_float32(name: str) -> None:
    loop = LOOPS[name]
    for level in LEVELS:
        m = bpc.load(loop.text, level=level)
        params, inputs = draw(m, loop.sizes, 6)
        wide, slopes = outputs(m, params, inputs), m.value_and_grad(params, **inputs)[1]

        def narrow(arrays: Arrays) -> Arrays:
            return {k: v.astype(np.float32) if v.dtype == float else v for k, v in arrays.items()}

        few, data = narrow(params), narrow(inputs)
        for key, value in outputs(m, few, data).items():
            kind = m.OUTPUTS[key].partition(" ")[0]
            assert value.dtype == {"real": np.float32, "int": np.int64, "bool": bool}[kind], key
            np.testing.assert_allclose(value, wide[key], rtol=1e-3, atol=1e-4, err_msg=key)
        for key, value in m.value_and_grad(few, **data)[1].items():
            assert value.dtype == np.float32, key
            scale = np.abs(slopes[key]).max(initial=1.0)
            np.testing.assert_allclose(value, slopes[key], rtol=1e-3, atol=1e-3 * scale)


# The text


def body(code: str) -> str:
    """The module without its header and without its seal, which name the source."""
    return code.split('"""', 2)[2].rpartition("# sha256")[0]


@pytest.mark.parametrize("level", LEVELS)
def test_code_does_not_depend_on_the_length(level: int) -> None:
    """The same lines for 10 steps and 10,000; a free length adds checks and the binding of it."""
    emit = ("jvp", "hvp")
    for text, length in ((LSTM, "T"), (LOOPS["a loop in a loop"].text, "S")):
        found = []
        for n in (10, 10_000):
            code = bpc.compile_source(text, level=level, settings={length: n}, emit=emit)
            found.append(re.sub(rf"(?<!\d){n}(?!\d)", "10", body(code)))
        # Where a line is broken does depend on it: memory is called after its size at -O2.
        trees = [re.sub(r"value=\d+", "", ast.dump(ast.parse(text))) for text in found]
        assert trees[0] == trees[1]
        free = bpc.compile_source(text, level=level, emit=emit)
        count, most = (len(ast.unparse(ast.parse(t)).split("\n")) for t in (body(free), found[0]))
        assert count <= most + 24


@pytest.mark.parametrize("name", LOOPS)
def test_module_is_what_bpc_writes(name: str) -> None:
    """check_output passes, Black has nothing to change, and the same text comes twice."""
    text = LOOPS[name].text
    for level in LEVELS if name in ("the page's own", "a loop in a loop") else (1,):
        code = bpc.compile_source(text, level=level)
        check_output(code)
        assert black.format_str(code, mode=black.Mode()) == code
        assert code == bpc.compile_source(text, level=level)


def test_the_loop_of_the_page_stays_small() -> None:
    """One loop forward, one backward, sums over all steps after it."""
    code = bpc.compile_source(LSTM, level=1)
    kernel = code[code.index("def _value_and_grad(") : code.index("def _values(")]
    assert len(re.findall(r"^    for t\w* in range\(T\):", kernel, re.MULTILINE)) == 1
    assert len(re.findall(r"^    for t\w* in reversed\(range\(T\)\):", kernel, re.MULTILINE)) == 1
    backward = kernel[kernel.index("reversed(range(T))") :]
    inside = [line for line in backward.split("\n")[1:] if line.startswith("        ")]
    assert not any("dJ_dWx" in line for line in inside), "a product for each step"


# Where names are known


def test_names_after_the_loop() -> None:
    """Carries and what is emitted; not the index, nor what a step names."""
    head = "dim T\ninput X: [T]\nparam w\nscan t in 0..T-1 carry (h = w) { u = X[t]; h = h + u; emit e = u }\n"
    assert bpc.load(f"{head}cost J = h + sum(e)").cost({"w": 1.0}, np.ones(3)) == 7.0
    for name in ("t", "u"):
        with pytest.raises(bpc.BpcError) as error:
            bpc.load(f"{head}cost J = h + {name}")
        assert [(d.code, d.message) for d in error.value.diagnostics] == [
            ("BP101", f"unknown name `{name}`")
        ]


def test_names_of_a_step_may_stand_outside() -> None:
    """What a step names, and its index, hide what is named so outside."""
    m = bpc.load("dim T\ninput X: [T]\nparam w\nt = 5\nu = 7\n"
                 "scan t in 0..T-1 carry (h = w) { u = X[t] * t; h = h + u }\ncost J = h + u * t")  # fmt: skip
    assert m.cost({"w": 1.0}, np.array([1.0, 2.0, 3.0])) == 1 + 8 + 35


ERRORS: dict[str, tuple[str, str]] = {
    "scan t in 0..T-1 carry (h = w) { h = h + X[t-1] }":
        ("BP219", "in the first step, `t-1` is -1: it leaves the axis of size T"),
    "scan t in 0..T-1 carry (h = w) { h = h + X[t+1] }":
        ("BP219", "in the last step, `t+1` is T: it leaves the axis of size T"),
    "scan t in 0..T carry (h = w) { h = h + X[t] }":
        ("BP219", "in the last step, `t` is T: it leaves the axis of size T"),
    "scan t in 0..T-1 carry (h = 0) { h = h * w + X }": ("BP143", "the carry `h` starts as "),
    "scan t in 5..2 carry (h = w) { h = h + 1 }": ("BP142", "a `scan` from 5 to 2 has no steps"),
    "scan t in 0..w carry (h = w) { h = h + 1 }": ("BP141", "the bounds of `scan` are whole numbers"),
    "scan t in 0..T-1 carry (h = w) { h = h + 1; emit h2 = h; emit h2 = h }":
        ("BP107", "`h2` is already defined"),
    "scan t in 0..T-1 carry (h = w, h = w) { h = h + 1 }": ("BP107", "`h` is already defined"),
    "scan t in 0..T-1 carry (h = w) { h = h + 1; param k }":
        ("BP144", "`param` cannot stand inside a `scan`"),
    "emit h = w": ("BP120", "`emit` outside a `scan`"),
}  # fmt: skip


@pytest.mark.parametrize("loop", ERRORS)
def test_errors(loop: str) -> None:
    code, message = ERRORS[loop]
    with pytest.raises(bpc.BpcError) as error:
        bpc.load(f"dim T\ninput X: [T]\nparam w\n{loop}\ncost J = w * sum(X)")
    first = error.value.diagnostics[0]
    assert first.code == code and first.message.startswith(message), first.message


def test_entries_that_are_checked_when_called() -> None:
    """What is not known at compile time: an index that data give, a length that does not fit."""
    m = bpc.load("dim T\ninput X: [T], k: int[T]\nparam w\n"
                 "scan t in 0..T-1 carry (h = w) { h = h + X[k[t]] }\ncost J = h")  # fmt: skip
    x = np.arange(3.0)
    assert m.cost({"w": 1.0}, x, np.array([2, 2, 0])) == 5.0
    with pytest.raises((ValueError, IndexError)):
        m.cost({"w": 1.0}, x, np.array([0, 3, 0]))
    m = bpc.load("dim T, S\ninput X: [S], Y: [T]\nparam w\n"
                 "scan t in 0..T-1 carry (h = w) { h = h + X[t] * Y[t] }\ncost J = h")  # fmt: skip
    assert m.cost({"w": 1.0}, np.ones(5), np.ones(3)) == 4.0
    with pytest.raises(ValueError, match=r"<text>:4"):
        m.cost({"w": 1.0}, np.ones(2), np.ones(3))


def test_layers_inside() -> None:
    """A layer called in a step owns its parameters once: all steps share them."""
    text = """use nn
dim T, N
input X: [T, N, 2]
scan t in 0..T-1 carry (h = zeros(N, 3)) {
    h = tanh(nn.dense(h, 3) as back + nn.dense(X[t], 3) as fore)
    emit hs = h
}
cost J = mean(hs^2) + sum(back.W^2)
output hs"""
    for level in LEVELS:
        m = bpc.load(text, level=level, verify_ir=True)
        assert list(m.PARAMS) == ["back.W", "back.b", "fore.W", "fore.b"]
        params, inputs = draw(m, SIZES, 7)
        X, rows, h = inputs["X"], [], np.zeros((3, 3))
        for x in X:
            h = np.tanh(
                h @ params["back.W"] + params["back.b"] + x @ params["fore.W"] + params["fore.b"]
            )
            rows.append(h)
        np.testing.assert_allclose(m.forward(params, X), rows, rtol=1e-12)
        check_gradient(m, params, inputs, np.random.default_rng(8))


def test_guards_in_every_step() -> None:
    """No NaN from what a step does not take, in values or gradients, and no warning."""
    text = """dim T, N
input X: [T, N]
param w: [N]
scan t in 0..T-1 carry (h = w, s = zeros(N)) {
    r = where(X[t] > 0, sqrt(X[t]) * log(X[t]), 0)
    h = where(h != 0, sin(h) / h, 1) + r
    s = s + norm(stack(h - h, X[t] * w)) + where(X[t] > 0, w / X[t], 0)
}
cost J = sum(h) + sum(s)
output h, s"""
    X = np.array([[0.0, -1.0, 2.0], [3.0, 0.0, -2.0], [0.0, 0.0, 0.0]])
    for level in LEVELS:
        m = bpc.load(text, level=level, wrt=("w", "X"), verify_ir=True)
        for w in (np.zeros(3), np.array([0.0, 1.0, -2.0])):
            cost, grads = m.value_and_grad({"w": w}, X)
            assert np.isfinite(cost) and all(np.isfinite(g).all() for g in grads.values()), grads


def test_reverse_of_inputs() -> None:
    """The gradient by a sequence is laid together: all uses of X add up."""
    text = """dim T
input X: [T+2]
param w
scan t in 0..T-1 carry (h = w) { h = sin(h * X[t] + X[t+1] * X[2]) }
cost J = h + X[-1]^2"""
    rng = np.random.default_rng(9)
    for level, n in itertools.product(LEVELS, (1, 2, 4)):
        m = bpc.load(text, level=level, wrt=("X", "w"))
        X = rng.normal(size=n + 2)
        check_gradient(m, {"w": np.float64(0.7)}, {"X": X}, rng, context=f"-O{level}, {n}")


@pytest.mark.parametrize("level", LEVELS)
def test_a_guard_around_a_loop_reaches_into_its_steps(level: int) -> None:
    """A loop whose result is not needed computes no logarithm of -1, in no loop inside of it."""
    m = bpc.load(
        "dim T\ninput x: [T]\nparam w\n"
        "scan t in 0..T-1 carry (h = 0) {\n"
        "    scan k in 0..1 carry (g = h) { g = g * x[t] + log(w) }\n"
        "    h = g + sqrt(w)\n    emit hs = h\n}\n"
        "cost J = where(w > 0, h + sum(hs), 1)",
        level=level,
        verify_ir=True,
    )
    for w in (-1.0, 0.0):
        value, grads = m.value_and_grad({"w": w}, np.ones(3))
        assert (value, grads["w"]) == (1.0, 0.0)
    check_gradient(m, {"w": 2.0}, {"x": np.ones(3)}, np.random.default_rng(0))


#: loops that a review found computed wrongly, or not at all, each with its meaning
FOUND: dict[str, tuple[str, Callable[[Any, Any], float]]] = {
    "a total that another carry holds": (
        (
            "scan t in 0..T-1 carry (s = zeros(N), before = zeros(N)) {\n"
            "    s = s + X[t] * w\n    emit step = sum(s - before)\n    before = s\n}\ncost J = sum(step^2)"
        ),
        lambda X, w: float(sum(((x * w).sum()) ** 2 for x in X)),
    ),
    "a total of which another carry holds a part": (
        (
            "scan t in 0..T-1 carry (s = zeros(N), p = zeros(2)) {\n"
            "    emit r = sum(p^2)\n    s = s + X[t] * w\n    p = s[0:2]\n}\ncost J = sum(r) + sum(s)"
        ),
        lambda X, w: float(
            sum(((np.cumsum(X * w, 0)[t - 1, :2]) ** 2).sum() for t in range(1, len(X)))
            + (X * w).sum()
        ),
    ),
    "a loop in a function makes the carry": (
        (
            "def inner(h) {\n    scan s in 0..1 carry (g = 0.1 * w) { g = tanh(g * h) + w }\n    return g\n}\n"
            "scan t in 0..T-1 carry (h = w) { h = inner(h) + 0 * X[t] }\ncost J = sum(h^2)"
        ),
        lambda X, w: _nested(X, w),
    ),
    "a carry that is never read": (
        (
            "scan t in 0..T-1 carry (h = zeros(N), c = zeros(N)) {\n"
            "    c = h + X[t]\n    h = tanh(w * c)\n}\ncost J = sum(h) + sum(c)"
        ),
        lambda X, w: _unread(X, w),
    ),
    "a sum before each step": (
        (
            "scan t in 0..T-1 carry (s = zeros(N)) {\n    emit before = s\n    s = s + X[t] * w\n}\n"
            "cost J = sum(before^2) + sum(s)"
        ),
        lambda X, w: float(
            (np.vstack([0 * w, np.cumsum(X * w, 0)[:-1]]) ** 2).sum() + (X * w).sum()
        ),
    ),
    "equal values emitted twice": (
        (
            "scan t in 0..T-1 carry (h = zeros(N)) {\n    h = tanh(X[t] * w + h)\n"
            "    emit a = h @ stack(w, w).T\n    emit b = h @ stack(w, w).T\n    emit c = X[t]\n    emit d = X[t]\n}\n"
            "cost J = sum(a * b) + sum(c * d)"
        ),
        lambda X, w: _twice(X, w),
    ),
    "a gradient by what a loop leaves": (
        (
            "scan t in 0..T-1 carry (h = w) {\n    h = tanh(h * X[t])\n    emit hs = h\n}\n"
            "g = grad(sum(h^3), h)\nk = grad(sum(hs^2), hs)\ncost J = sum(g * w) + sum(k)"
        ),
        lambda X, w: _left(X, w),
    ),
}


def _nested(X: Any, w: Any) -> float:
    h = w
    for _ in X:
        g = 0.1 * w
        for _ in range(2):
            g = np.tanh(g * h) + w
        h = g
    return float((h**2).sum())


def _unread(X: Any, w: Any) -> float:
    h = 0 * w
    for x in X:
        c = h + x
        h = np.tanh(w * c)
    return float(h.sum() + c.sum())


def _twice(X: Any, w: Any) -> float:
    h, total = 0 * w, 0.0
    for x in X:
        h = np.tanh(x * w + h)
        total += 2 * (h @ w) ** 2 + (x * x).sum()
    return float(total)


def _left(X: Any, w: Any) -> float:
    h, total = w, 0.0
    for x in X:
        h = np.tanh(h * x)
        total += (2 * h).sum()
    return float((3 * h**2 * w).sum() + total)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", FOUND)
def test_what_a_review_found(name: str, level: int) -> None:
    text, meaning = FOUND[name]
    m = bpc.load(
        f"dim T\ninput X: [T, 3]\nparam w: [3]\nconst N = 3\n{text}",
        level=level, emit=("jvp",), verify_ir=True,
    )  # fmt: skip
    rng = np.random.default_rng(5)
    X, w, way = rng.normal(size=(4, 3)), rng.normal(size=3), rng.normal(size=3)
    assert np.isclose(m.cost({"w": w}, X), meaning(X, w), rtol=1e-12)
    check_gradient(m, {"w": w}, {"X": X}, rng, context=name)
    _, slope = m.jvp({"w": w}, {"w": way}, X)
    assert np.isclose(slope, m.value_and_grad({"w": w}, X)[1]["w"] @ way, rtol=1e-9)


@pytest.mark.parametrize("level", LEVELS)
def test_a_transposed_total(level: int) -> None:
    """The reversed loop adds to S while it holds S.T."""
    m = bpc.load(
        "dim T\ninput X: [T, 3, 3]\nparam w: [3, 3]\n"
        "scan t in 0..T-1 carry (S = zeros(3, 3), V = zeros(3, 3)) {\n"
        "    S = S + V.T\n    V = tanh(X[t] * w)\n    emit Ss = S\n}\ncost J = sum(Ss^2)",
        level=level,
    )
    rng = np.random.default_rng(6)
    check_gradient(m, {"w": rng.normal(size=(3, 3))}, {"X": rng.normal(size=(4, 3, 3))}, rng)


def test_without_steps_nothing_raises() -> None:
    """What can raise stays in a loop that may have no steps."""
    text = "dim T\ninput X: [T, 2]\nparam w: [2, 2]\n"
    text += "scan t in 0..T-1 carry (h = zeros(2)) { h = h + inv(w) @ X[t] }\ncost J = sum(h)"
    for level in LEVELS:
        m = bpc.load(text, level=level)
        value, grads = m.value_and_grad({"w": np.ones((2, 2))}, np.zeros((0, 2)))
        assert value == 0 and not grads["w"].any()


def test_loops_in_loops_compile_soon() -> None:
    """What is asked of a loop is asked once: 14 deep is no matter."""
    depth = 14
    lines = ["param a, b"]
    for k in range(depth):
        start = f"h{k - 1} * a" if k else "b"
        carries = f"h{k} = {start}, p{k} = a, q{k} = b"
        lines.append(f"scan t{k} in 0..1 carry ({carries}) {{ p{k} = q{k} * a; q{k} = h{k}")
    lines.append(f"h{depth - 1} = tanh(h{depth - 1} * a + q0)")
    for k in reversed(range(depth)):
        lines.append(f"h{k} = h{k + 1} + p{k + 1}\n}}" if k < depth - 1 else "}")
    assert "def value_and_grad" in bpc.compile_source("\n".join([*lines, "cost J = h0"]))


@pytest.mark.parametrize("steps", [3, 5])
@pytest.mark.parametrize("level", LEVELS)
def test_entries_of_other_axes(level: int, steps: int) -> None:
    """A gather along another axis than the first, also of what is computed in the step."""
    rng = np.random.default_rng(7)
    text = """dim T, S = 3, V = 5
input obs: int[T], Q: [S, T, 2]
param B: [S, V], W: [2, 2]
scan t in 0..T-1 carry (al = zeros(S), h = zeros(S, 2)) {
    al = tanh(al + B[:, obs[t]])
    h = tanh(h + (Q @ W)[:, t] + (2 * Q)[:, T-1-t])
}
cost J = sum(al) + sum(h^2)"""
    m = bpc.load(text, level=level, wrt=("B", "W", "Q"), verify_ir=True)
    params = {"B": rng.normal(size=(3, 5)), "W": rng.normal(size=(2, 2))}
    inputs = {"obs": rng.integers(0, 5, steps), "Q": rng.normal(size=(3, steps, 2))}
    check_gradient(m, params, inputs, rng)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("index,bounds,length", [
    ("T-1-t", "0..2", 3), ("T-1-t", "0..2", 5), ("2-t", "0..T-1", 3), ("T-t", "1..2", 2),
    ("T-1-2*t", "0..T-1", 1), ("1-t", "1..T-1", 2), ("-t", "0..T-1", 1), ("2*t", "0..0", 4),
])  # fmt: skip
def test_indices_that_fit(index: str, bounds: str, length: int, level: int) -> None:
    text = f"dim T\ninput x: [T]\nparam w\nscan t in {bounds} carry (h = 0) {{\n"
    m = bpc.load(
        f"{text}    h = h * 2 + x[{index}] * w\n}}\ncost J = h", level=level, wrt=("x", "w")
    )
    x, w = np.arange(1.0, length + 1), 1.5
    low, high = (eval(b, {"T": length}) for b in bounds.split(".."))
    h = 0.0
    for t in range(low, high + 1):
        h = h * 2 + x[eval(index, {"T": length, "t": t})] * w
    assert np.isclose(m.cost({"w": w}, x), h)
    check_gradient(m, {"w": np.float64(w)}, {"x": x}, np.random.default_rng(8))


STEPS: dict[str, Callable[..., Any]] = {
    "c + s * sin({x})": lambda c, x, s, W: c + s * np.sin(x),
    "s * softmax({x})": lambda c, x, s, W: s * np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True),
    "c + s * ({x} @ W)": lambda c, x, s, W: c + s * (x @ W),
    "tanh(c @ W + {x})": lambda c, x, s, W: np.tanh(c @ W + x),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("index,bounds,axis", [
    ("T-1-t", "1..T-1", "T"), ("T-t", "1..T-1", "T"), ("t-1", "1..T", "T+1"), ("t+1", "0..T-2", "T"),
    ("T-2-t", "0..T-2", "T"), ("2*t", "1..T-1", "2*T"), ("2*t", "0..T-1", "2*T+1"),
    ("2*T-2*t", "1..T-1", "2*T"), ("2*T-1-2*t", "1..T-1", "2*T"), ("2*T-2-2*t", "0..T-1", "2*T"),
])  # fmt: skip
def test_indices_where_there_may_be_no_step(
    index: str, bounds: str, axis: str, step: str, level: int
) -> None:
    """An index that would be -1 before the first step reads nothing where there is no step."""
    text = f"dim T, N\ninput X: [{axis}, N, 3]\nparam W: [3, 3], s = 1\n"
    text += f"scan t in {bounds} carry (c = zeros(N, 3)) {{ c = {step.format(x=f'X[{index}]')} }}\n"
    m = bpc.load(text + "cost J = sum(c^2)", level=level, wrt=("W", "s", "X"), verify_ir=True)
    rng = np.random.default_rng(9)
    for length in (1, 2, 3):
        X = rng.standard_normal((eval(axis, {"T": length}), 2, 3))
        W, s, c = rng.standard_normal((3, 3)), 1.3, np.zeros((2, 3))
        low, high = (eval(b, {"T": length}) for b in bounds.split(".."))
        for t in range(low, high + 1):
            c = STEPS[step](c, X[eval(index, {"T": length, "t": t})], s, W)
        assert np.isclose(m.cost({"W": W, "s": s}, X), np.sum(c**2))
        check_gradient(m, {"W": W, "s": np.float64(s)}, {"X": X}, rng)
        if high < low:
            grads = m.value_and_grad({"W": W, "s": s}, X)[1]
            assert not any(g.any() for g in grads.values())


@pytest.mark.parametrize("index,length", [("-t", 3), ("2*t", 2), ("T-1+t", 2), ("2*t+T-1", 2)])
def test_indices_that_do_not_fit(index: str, length: int) -> None:
    text = "dim T\ninput x: [T]\nparam w\nscan t in 0..T-1 carry (h = 0) { h = h + x[%s] * w }\n"
    for level in LEVELS:
        m = bpc.load(text % index + "cost J = h", level=level)
        with pytest.raises(ValueError, match="an index leaves the axis of size T"):
            m.cost({"w": 1.0}, np.ones(length))


@pytest.mark.parametrize("level", LEVELS)
def test_what_loops_leave_has_memory_of_its_own(level: int) -> None:
    """Two carries that end as one array, and one that is the input where there is no step."""
    m = bpc.load(
        "dim T\ninput X: [T, 3], y: [3]\nparam w: [3]\n"
        "scan t in 0..T-1 carry (s = y, p = zeros(3)) {\n    s = s + X[t] * w\n    p = s\n}\n"
        "q = s\ncost J = sum(s * p) + sum(q)\noutput q, s, p",
        level=level,
    )
    for steps in (0, 2):
        X, y = np.ones((steps, 3)), np.ones(3)
        found = [*m.forward({"w": np.ones(3)}, X, y).values(), X, y]
        for one, other in itertools.combinations(found, 2):
            assert not np.shares_memory(one, other)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "read",
    ["c[at]", "c[at] * w[at]", "(c * h)[at]", "w[at] * h", "c[at[t]] + h", "(c * X[t])[at[t]] + h",
     "V[at[t], at]", "V[at, at[t]] * h", "V[at, at]", "V[t, at]"],
)  # fmt: skip
def test_entries_picked_in_steps(read: str, level: int) -> None:
    """The same entries in all steps, others in each, and both."""
    m = bpc.load(
        "dim T\ninput X: [T, 4], at: int[4]\nparam w: [4], V: [4, 4]\nc = tanh(w * 0.7)\n"
        f"scan t in 0..T-1 carry (h = 0.1 * w) {{ h = tanh(h / 2 + ({read})^2 / 4) }}\n"
        "cost J = sum(h * h)",
        level=level,
        verify_ir=True,
    )
    rng = np.random.default_rng(7)
    params = {"w": rng.normal(size=4), "V": rng.normal(size=(4, 4))}
    data = {"X": rng.normal(size=(4, 4)), "at": np.array([0, 2, 2, 3])}
    check_gradient(m, params, data, rng, context=read)


# Loops that are turned: see passes/turn.py

HEAD = """dim T, N, H
input x: [T, N, 2*H], weight: [N, H], mark: [N]
param W: [H, 2*H], b: [2*H], u: [H], h0: [N, H]
scan t in 0..T-1 carry (h = h0) {
    z = x[t] + h @ W + b
"""
#: bodies of a step, and whether all of its matrices can be turned
TURNED = {
    "gates": ("h = tanh(z[:, :H]) * sigmoid(z[:, H:])", True),
    "constants": ("h = weight * tanh(z[:, :H]) + u * z[:, H:] / (1 + mark[:, new]^2)", True),
    "along rows": ("h = softmax(z[:, :H], axis=1) * max(z[:, H:], axis=1, keep=true)", True),
    "down columns": (
        "h = tanh(z[:, :H] - mean(z[:, :H], axis=0)) * (z[:, H:] @ u)[:, new] / 9",
        True,
    ),
    "parts": ("h = tanh(concat(z[:, 1:H], mark[:, new], axis=1)) * (z[:, H:] > 0)", True),
    "products": ("h = tanh(z[:, :H] @ (W[:, :H].T @ W[:, H:])) + outer(mark, u)", True),
    "both ways": ("h = tanh(z[:, :H] @ (z[:, :H].T @ z[:, H:]) / N)", True),
    "stacked": ("h = tanh(sum(stack(z[:, :H], z[:, H:], axis=0), axis=0))", False),
    "nothing cut": ("h = tanh(z @ W.T)", False),
}


@pytest.mark.parametrize("name", TURNED)
def test_turned_loops(name: str) -> None:
    """They compute what the loop of -O1 does, whatever reads the states, and cut no rows."""
    step, turned = TURNED[name]
    text = f"{HEAD}    {step}\n    emit hs = h\n}}\ncost J = mean(hs^2) + sum(h * weight)\noutput hs, h"
    rng = np.random.default_rng(0)
    params = {"W": (3, 6), "b": (6,), "u": (3,), "h0": (4, 3)}
    inputs = {"x": (5, 4, 6), "weight": (4, 3), "mark": (4,)}
    values = {k: rng.normal(size=s) for k, s in (params | inputs).items()}
    given = [{k: values[k] for k in names} for names in (params, inputs)]
    plain, fast = (bpc.load(text, level=level) for level in (1, 2))
    wanted, slopes = plain.value_and_grad(given[0], **given[1])
    value, found = fast.value_and_grad(given[0], **given[1])
    np.testing.assert_allclose(value, wanted, rtol=1e-12)
    for key, slope in slopes.items():
        np.testing.assert_allclose(found[key], slope, rtol=1e-9, atol=1e-12, err_msg=key)
    expected = outputs(plain, given[0], given[1])
    for key, array in outputs(fast, given[0], given[1]).items():
        np.testing.assert_allclose(array, expected[key], rtol=1e-12, err_msg=key)
    source = Source("m.bp", text)
    program = simplified(differentiate(front(source, {}), source, (), 2), 2)
    function = program.functions["value_and_grad"]
    assert (turn_loops(function) is not function) == turned


def test_numbers_in_loops_are_arrays() -> None:
    """Made once with the workspace, also for loops in loops; the results are those of -O1."""
    text = """dim T, N
input x: [T, N, 2]
param w: [2, 2]
scan t in 0..T-1 carry (h = zeros(N, 2)) {
    scan k in 0..2 carry (g = h) { g = tanh(g @ w + x[t]) * 0.75 }
    h = 0.5 * h + tanh(g)
}
cost J = mean(h^2)
"""
    code = bpc.compile_source(text, level=2)
    assert "np.subtract(one, " in code and "np.subtract(1.0" not in code
    rng = np.random.default_rng(0)
    p, x = {"w": rng.normal(size=(2, 2))}, rng.normal(size=(4, 3, 2))
    plain, fast = (bpc.load(text, level=level).value_and_grad(p, x) for level in (1, 2))
    np.testing.assert_allclose(fast[0], plain[0], rtol=1e-12)
    np.testing.assert_allclose(fast[1]["w"], plain[1]["w"], rtol=1e-10)


@pytest.mark.parametrize("level", LEVELS)
def test_the_index_does_not_widen_float32(level: int) -> None:
    """It is an int of Python's, also where it stands for a real in loops in loops."""
    text = """dim T, N
input X: [T, N]
param k: [N]
scan t in 0..T-1 carry (s = zeros(N)) {
    scan j in 0..2 carry (r = s) { r = r * k + j * sin(r + t) }
    s = tanh(r + t * X[t]) * t + X[T-1-t] / (t + 1)
    emit rows = s * t
}
cost J = sum(s^2) + sum(rows)
output s, rows
"""
    m = bpc.load(text, level=level, emit=("hvp", "jacobian"))
    k, X = np.linspace(0.5, 1, 3, dtype=np.float32), np.ones((4, 3), np.float32)
    results = [*m.forward({"k": k}, X).values(), m.value_and_grad({"k": k}, X)[1]["k"]]
    results += [m.hvp({"k": k}, {"k": k}, X)["k"]]
    results += [block["k"] for block in m.jacobian({"k": k}, X).values()]
    assert [r.dtype for r in results] == [np.float32] * 6
    check_gradient(m, {"k": k.astype(float)}, {"X": X.astype(float)}, np.random.default_rng(1))
