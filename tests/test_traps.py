"""Each row of the table of numerical traps, at every level; written-out forms at -O1 and above.

Warnings are errors in this suite: a case that passes has also warned of nothing.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

import mpmath
import numpy as np
import pytest

import bpc
from oracle import check_gradient

LEVELS = (0, 1, 2)
MAKERS: tuple[Callable[[float], Any], ...] = (float, lambda v: np.array([v]))
INF, NAN = math.inf, math.nan
each_level = pytest.mark.parametrize("level", LEVELS)
each_stable_level = pytest.mark.parametrize("level", (1, 2))


@cache
def load(text: str, level: int = 1, wrt: tuple[str, ...] = ()) -> ModuleType:
    return bpc.load(text, level=level, wrt=wrt)


def run(text: str, level: int, **point: Any) -> tuple[float, dict[str, Any]]:
    """Cost and gradient; lists become arrays."""
    m = load(text, level)
    values = {k: np.array(v) if isinstance(v, list) else v for k, v in point.items()}
    inputs = {k: values.pop(k) for k in m.INPUTS if k in values}
    found: tuple[float, dict[str, Any]] = m.value_and_grad(values, **inputs)
    assert m.cost(values, **inputs) == found[0] or math.isnan(found[0])
    return found


def shapes_of(expression: str) -> list[tuple[str, Callable[[float], Any]]]:
    """A function of x as a model of one scalar, and of an array of one entry."""
    return [
        (f"param x\ncost J = {expression}", lambda x: x),
        (f"param x: [1]\ncost J = sum({expression})", lambda x: np.array([x])),
    ]


def slope(expression: str, at: float, level: int) -> float:
    """d/dx, the same for a scalar and for an array."""
    found = []
    for text, make in shapes_of(expression):
        _, grads = run(text, level, x=make(float(at)))
        found.append(float(np.reshape(grads["x"], ())))
    np.testing.assert_allclose(found[0], found[1], rtol=4e-16)
    return found[0]


# Kinks: the subgradient of least norm


@each_level
@pytest.mark.parametrize(
    ("expression", "at", "expected"),
    [
        ("relu(x)", 0.0, 0.0),
        ("relu(x)", -0.0, 0.0),
        ("max(x, 0)", 0.0, 0.0),
        ("max(0, x)", 0.0, 0.0),
        ("min(x, 0)", 0.0, 0.0),
        ("abs(x)", 0.0, 0.0),
        ("hinge(x, 1)", 1.0, 0.0),
        ("hinge(x, -1)", -1.0, 0.0),
        ("absolute_error(x, 2)", 2.0, 0.0),
        ("huber(x, 0)", 0.0, 0.0),
        ("huber(x, 0)", 1.0, 1.0),
        ("leaky_relu(x)", 0.0, 0.01),
        ("elu(x)", 0.0, 1.0),
        ("elu(x, alpha=2)", 0.0, 1.0),
        ("elu(x, alpha=0.5)", 0.0, 0.5),
        ("selu(x)", 0.0, 1.0507009873554805),
        ("celu(x)", 0.0, 1.0),
        ("softsign(x)", 0.0, 1.0),
        ("hard_sigmoid(x)", 3.0, 0.0),
        ("hard_sigmoid(x)", -3.0, 0.0),
        ("clip(x, -1, 1)", 1.0, 0.0),
        ("clip(x, -1, 1)", -1.0, 0.0),
        ("clip(x, -1, 1)", 0.5, 1.0),
        ("clip(x, -1, 1)", 2.0, 0.0),
        ("sign(x)", 0.0, 0.0),
        ("floor(x)", 1.0, 0.0),
    ],
)
def test_kinks(expression: str, at: float, expected: float, level: int) -> None:
    assert slope(expression, at, level) == pytest.approx(expected, rel=1e-15, abs=0)


# Ties


@each_level
@pytest.mark.parametrize(
    ("text", "point", "expected"),
    [
        ("param x: [3]\ncost J = max(x)", {"x": [1.0, 3, 3]}, {"x": [0, 0.5, 0.5]}),
        ("param x: [3]\ncost J = min(x)", {"x": [3.0, 3, 3]}, {"x": [1 / 3] * 3}),
        ("param x: [2, 2]\ncost J = sum(max(x, axis=1))", {"x": [[1.0, 1], [2, 1]]},
         {"x": [[0.5, 0.5], [1, 0]]}),
        ("param x: [2, 2]\ncost J = sum(max(x, axis=0, keep=true))", {"x": [[1.0, 1], [1, 0]]},
         {"x": [[0.5, 1], [0.5, 0]]}),
        ("param x, y\ncost J = max(x, y)", {"x": 2.0, "y": 2.0}, {"x": 0.5, "y": 0.5}),
        ("param x, y\ninput c\ncost J = max(x, c, y)", {"x": 2.0, "y": 2.0, "c": 2.0},
         {"x": 0, "y": 0}),
        ("param x\ncost J = min(x, stop(x))", {"x": 2.0}, {"x": 0}),
        ("param x, y, z\ncost J = max(x, y, z)", {"x": 2.0, "y": 2.0, "z": 2.0},
         {"x": 1 / 3, "y": 1 / 3, "z": 1 / 3}),
        ("param x, y, z\ncost J = min(x, y, z)", {"x": 2.0, "y": 1.0, "z": 1.0},
         {"x": 0, "y": 0.5, "z": 0.5}),
        ("param x\ncost J = max(x, x)", {"x": 2.0}, {"x": 1}),
        ("param x: [2], y: [2]\ncost J = sum(max(x, y))", {"x": [1.0, 2], "y": [1.0, 1]},
         {"x": [0.5, 1], "y": [0.5, 0]}),
        ("param x\ninput c\ncost J = max(x, c)", {"x": 2.0, "c": 2.0}, {"x": 0}),
        ("param x: [1], y: [1]\ninput c\ncost J = sum(max(x, y, c))",
         {"x": [2.0], "y": [2.0], "c": 2.0}, {"x": [0], "y": [0]}),
        ("param x, y\ncost J = max(x, y, 2)", {"x": 2.0, "y": 1.0}, {"x": 0, "y": 0}),
        ("param x, y\ncost J = max(x, y, 1)", {"x": 2.0, "y": 2.0}, {"x": 0.5, "y": 0.5}),
        ("param x\ncost J = max(x, stop(x))", {"x": 2.0}, {"x": 0}),
    ],
)  # fmt: skip
def test_ties(text: str, point: dict[str, Any], expected: dict[str, Any], level: int) -> None:
    _, grads = run(text, level, **point)
    for name, value in expected.items():
        np.testing.assert_allclose(grads[name], value, rtol=1e-15)


@each_level
def test_extrema_propagate_nan(level: int) -> None:
    for f in ("max", "min"):
        assert math.isnan(run(f"param x: [3]\ncost J = {f}(x)", level, x=[1.0, NAN, 2])[0])
        for x, y in ((NAN, 1.0), (1.0, NAN)):
            assert math.isnan(run(f"param x, y\ncost J = {f}(x, y)", level, x=x, y=y)[0])
            text = f"param x: [1], y: [1]\ncost J = sum({f}(x, y))"
            assert math.isnan(run(text, level, x=[x], y=[y])[0])


# Roots, norms, powers


@each_level
def test_square_root_at_0(level: int) -> None:
    with np.errstate(divide="ignore"):
        assert slope("sqrt(x)", 0.0, level) == INF
        assert slope("x^0.5", 0.0, level) == INF


@each_level
@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e10 / 7, -7.3])
@pytest.mark.parametrize("n", [3, 7, 49, 1000])
def test_deviation_of_constants(value: float, n: int, level: int) -> None:
    """0 to the last bit, though the mean of equal numbers is often not that number."""
    text = "dim N\nparam x: [N]\ncost J = std(x)"
    for x in (np.full(n, value), np.full(n, value, np.float32)):
        assert run(text, level, x=x)[0] == 0
        assert not run(text, level, x=x)[1]["x"].any()
    text = "dim N\nparam x: [N, 2]\ncost J = sum(std(x, axis=0))"
    x = np.stack([np.full(n, value), np.arange(n)], 1)
    grads = run(text, level, x=x)[1]["x"]
    assert not grads[:, 0].any() and grads[:, 1].any()


@each_level
@pytest.mark.parametrize(
    "expression", ["norm(x)", "norm(x)^2", "norm(3 * x) + norm(x, keep=true)[0]",
                   "sum(hypot(x, 2 * x))", "std(x)", "sum(norm(stack(x, x), axis=0))"],
)  # fmt: skip
def test_norms_at_0(expression: str, level: int) -> None:
    text = f"param x: [3]\ncost J = {expression}"
    cost, grads = run(text, level, x=np.zeros(3))
    assert cost == 0 and not grads["x"].any()
    point = {"x": np.array([0.3, -1.0, 2.0])}
    check_gradient(load(text, level), point, {}, np.random.default_rng(0), step=0.01)


@each_level
def test_norm_of_rows_with_one_at_0(level: int) -> None:
    text = "param x: [2, 2]\ncost J = sum(norm(x, axis=1))"
    _, grads = run(text, level, x=[[0.0, 0], [3, 4]])
    np.testing.assert_allclose(grads["x"], [[0.0, 0.0], [0.6, 0.8]])
    assert run("param x, y\ncost J = hypot(x, y)", level, x=0.0, y=0.0) == (0, {"x": 0, "y": 0})


@each_stable_level
@pytest.mark.parametrize(
    "expression", ["sqrt(sum(x^2))", "sqrt(sum(x * x))", "sum(x^2)^0.5", "sqrt(x @ x)",
                   "sqrt(dot(x, x))", "sqrt(x[0]^2 + x[1]^2)", "sum(sqrt(x^2))"],
)  # fmt: skip
def test_norms_written_out(expression: str, level: int) -> None:
    text = f"param x: [3]\ncost J = {expression}"
    cost, grads = run(text, level, x=np.zeros(3))
    assert cost == 0 and not grads["x"].any()
    point = {"x": np.array([0.3, -1.0, 2.0])}
    check_gradient(load(text, level), point, {}, np.random.default_rng(0), step=0.01)


@each_level
@pytest.mark.parametrize(
    ("expression", "at", "value", "expected"),
    [
        ("x^0", 0.0, 1, 0), ("x^1", 0.0, 0, 1), ("x^2", 0.0, 0, 0), ("x^3", 0.0, 0, 0),
        ("x^1.5", 0.0, 0, 0), ("x^2", -3.0, 9, -6), ("x^3", -2.0, -8, 12), ("x^5", -3.0, -243, 405),
        ("x^-1", -2.0, -0.5, -0.25), ("x^-2", -2.0, 0.25, 0.25), ("x^4", -7.0, 2401, -1372),
        ("2^x", 3.0, 8, 8 * math.log(2)), ("0^x", 2.0, 0, 0), ("1^x", 2.0, 1, 0),
        ("x^2.0", 1e200, INF, 2e200),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:overflow")
def test_powers(expression: str, at: float, value: float, expected: float, level: int) -> None:
    assert slope(expression, at, level) == pytest.approx(expected, rel=1e-15, abs=0)
    for text, make in shapes_of(expression):
        assert run(text, level, x=make(at))[0] == value


@each_level
def test_powers_of_two_variables(level: int) -> None:
    texts = ["param x, y\ncost J = x^y", "param x: [1], y: [1]\ncost J = sum(x^y)"]
    for text, make in zip(texts, MAKERS):
        for (x, y), (value, by_x, by_y) in {
            (0.0, 2.0): (0, 0, 0),
            (0.0, 0.0): (1, 0, 0),
            (0.0, 1.0): (0, 1, 0),
            (2.0, 3.0): (8, 12, 8 * math.log(2)),
        }.items():
            cost, grads = run(text, level, x=make(x), y=make(y))
            slopes = [float(np.reshape(grads[v], ())) for v in "xy"]
            assert [cost, *slopes] == pytest.approx([value, by_x, by_y])
        with np.errstate(invalid="ignore"):
            cost, grads = run(text, level, x=make(-8.0), y=make(0.5))
            assert math.isnan(cost) and np.isnan(grads["x"]).all() and np.isnan(grads["y"]).all()
            cost, grads = run(text, level, x=make(-2.0), y=make(3.0))
            assert cost == -8 and grads["x"] == 12 and np.isnan(grads["y"]).all()
    one = load("param x: [2]\ninput y: [2]\ncost J = sum(x^y)", level)
    cost, grads = one.value_and_grad({"x": np.array([-2.0, -3])}, y=np.array([3.0, -1]))
    np.testing.assert_allclose(grads["x"], [12, -1 / 9])


@each_level
def test_xlogy(level: int) -> None:
    for text, make in zip(
        ["param x, y\ncost J = xlogy(x, y)", "param x: [1], y: [1]\ncost J = sum(xlogy(x, y))"],
        MAKERS,
    ):
        cost, grads = run(text, level, x=make(0.0), y=make(3.0))
        assert cost == 0 and grads["x"] == math.log(3) and grads["y"] == 0
        with np.errstate(divide="ignore"):
            cost, grads = run(text, level, x=make(0.0), y=make(0.0))
        assert cost == 0 and grads["x"] == -INF and grads["y"] == 0
    for text in ("sum(xlogy(0, x))", "sum(xlogy(2, x))"):
        _, grads = run(f"param x: [2]\ncost J = {text}", level, x=[1.0, 4])
        np.testing.assert_allclose(grads["x"], 0 if "0" in text else [2, 0.5])
    cost, _ = run(
        "param p: [2]\ninput q: [2]\ncost J = kl_div(p, q)", level, p=[1.0, 1], q=[1.0, 1]
    )
    assert cost == 0


# Guards


GUARDS = [
    # (declarations and statements, the point, the expected gradients)
    ("where(x > 0, log(x), 0)", [-1.0, 0, 2], [0, 0, 0.5]),
    ("where(x <= 0, 0, log(x))", [-1.0, 0, 2], [0, 0, 0.5]),
    ("where(not (x <= 0), log(x), 0)", [-1.0, 0, 2], [0, 0, 0.5]),
    ("where(x > 0 and x < 10, log(x), 0)", [-1.0, 0, 2], [0, 0, 0.5]),
    ("where(x > 0, sqrt(x), 0)", [-1.0, 0, 4], [0, 0, 0.25]),
    ("where(x > 0, x^0.5, 0)", [-1.0, 0, 4], [0, 0, 0.25]),
    ("where(x > 0, x^-1.5, 0)", [-1.0, 0, 1], [0, 0, -1.5]),
    ("where(x != 0, 1 / x, 0)", [0.0, 2], [0, -0.25]),
    ("where(x != 0, sin(x) / x, 1)", [0.0, math.pi], [0, -1 / math.pi]),
    ("where(x == 0, 1, sin(x) / x)", [0.0, math.pi], [0, -1 / math.pi]),
    ("where(x != 0, (exp(x) - 1) / x, 1)", [0.0, 1], [0, 1]),
    ("where(abs(x) < 1, asin(x), 0)", [-2.0, 1, 0], [0, 0, 1]),
    ("where(abs(x) < 1, acos(x), 0)", [-2.0, 1, 0], [0, 0, -1]),
    ("where(x > -1, log1p(x), 0)", [-2.0, -1, 1], [0, 0, 0.5]),
    ("where(x < 100, exp(x), 0)", [1000.0, 0], [0, 1]),
    ("where(x < 100, expm1(x), 0)", [1000.0, 0], [0, 1]),
    ("where(x < 100, sinh(x), 0)", [1000.0, 0], [0, 1]),
    ("where(x < 100, cosh(x), 0)", [1000.0, 0], [0, 0]),
    ("where(x > 0, lgamma(x), 0)", [0.0, 2], [0, 1 - 0.5772156649015329]),
    ("where(x > 0, digamma(x), 0)", [0.0, 1], [0, math.pi**2 / 6]),
    ("where(x > 0, atan2(x, x), 0)", [0.0, 1], [0, 0]),
    ("where(x > 0, xlogy(x, x), 0)", [0.0, 1], [0, 1]),
    ("where(x > 0, x^x, 0)", [-1.0, 0, 1], [0, 0, 1]),
    ("where(x > 0, log(log(x + 1)), 0)", [-5.0, 0, math.e - 1], [0, 0, 1 / math.e]),
    ("where(x > 0, 1 / sqrt(x), x)", [-1.0, 0, 4], [1, 1, -1 / 16]),
    ("where(x > 1, log(x), where(x > 0, sqrt(x), 0))", [-1.0, 0, 0.25, 2], [0, 0, 1, 0.5]),
    ("where(x > 0, where(x < 2, log(2 - x), log(x - 2)), 0)", [-1.0, 1, 3], [0, -1, 1]),
    ("where(x > 0, x * log(x) + sqrt(x), 0)", [-1.0, 0, 1], [0, 0, 1.5]),
    ("log(x) if x > 0 else 0", [-1.0, 0, 2], [0, 0, 0.5]),
    ("(log(x) if x > 1 else sqrt(x)) if x > 0 else 0", [-1.0, 0, 0.25, 2], [0, 0, 1, 0.5]),
    ("where(x > 0, log(x)^2, 0)", [-1.0, 0, math.e], [0, 0, 2 / math.e]),
    ("where(x > 0, exp(log(x)), 0)", [-1.0, 0, 3], [0, 0, 1]),
    ("where(x > 0, log(clip(x, 0, 9)), 0)", [-1.0, 0, 2], [0, 0, 0.5]),
    ("where(x > 0, log(max(x, 0)), 0)", [-1.0, 0, 2], [0, 0, 0.5]),
    ("where(x > 0, stop(log(x)) * x, 0)", [-1.0, 0, math.e], [0, 0, 1]),
    ("elu(x)", [1000.0, -1], [1, math.exp(-1)]),
    ("selu(x)", [1000.0, 1], [1.0507009873554805] * 2),
    ("celu(x)", [1000.0, -1], [1, math.exp(-1)]),
]  # fmt: skip


@each_level
@pytest.mark.parametrize(("expression", "x", "expected"), GUARDS, ids=[g[0] for g in GUARDS])
def test_guards(expression: str, x: list[float], expected: list[float], level: int) -> None:
    for text in (
        f"param x: [{len(x)}]\ncost J = sum({expression})",
        f"param x: [{len(x)}]\ny = {expression}\ncost J = sum(y)\noutput y",
        f"def f(x) = {expression}\nparam x: [{len(x)}]\ncost J = sum(f(x))",
        f"dim N\nparam x: [N]\ncost J = sum({expression})",
    ):
        cost, grads = run(text, level, x=x)
        np.testing.assert_allclose(grads["x"], expected, rtol=1e-14, atol=1e-15)
        assert math.isfinite(cost)
        _, grads = run(text, level, x=np.array(x, np.float32))
        assert grads["x"].dtype == np.float32
        np.testing.assert_allclose(grads["x"], expected, rtol=1e-5, atol=1e-6)
    for at, wanted in zip(x, expected):
        assert slope(expression, at, level) == pytest.approx(wanted, rel=1e-14, abs=1e-15)


PROGRAMS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "a name before the where": (
        "param x: [3]\nl = log(x)\ny = where(x > 0, l, 0)\ncost J = sum(y)\noutput y",
        {"x": [-1.0, 0, 2]}, {"x": [0, 0, 0.5]},
    ),
    "two names before the where": (
        "param x: [3]\nr = 1 / x\nl = log(r)\ncost J = sum(where(x > 0, l, 0) + where(x > 0, r, 0))",
        {"x": [-1.0, 0, 2]}, {"x": [0, 0, -0.75]},
    ),
    "a name used elsewhere too": (
        "param x: [2]\nl = log(x)\ncost J = sum(where(x > 1, l, 0)) + l[0]",
        {"x": [2.0, 0.5]}, {"x": [1, 0]},
    ),
    "a condition that is a name": (
        "param x: [3]\nc = x > 0\ncost J = sum(where(c, log(x), 0))",
        {"x": [-1.0, 0, 2]}, {"x": [0, 0, 0.5]},
    ),
    "missing data in a quotient": (
        "param x: [2]\ninput y: [2], m: bool[2]\ncost J = sum(where(m, x / y, x))",
        {"x": [2.0, 3], "y": [4.0, NAN], "m": [True, False]}, {"x": [0.25, 1]},
    ),
    "a quotient of two": (
        "param x: [2], y: [2]\ncost J = sum(where(y != 0, x / y, 0))",
        {"x": [1.0, 3], "y": [0.0, 2]}, {"x": [0, 0.5], "y": [0, -0.75]},
    ),
    "a scalar stretched": (
        "param x\ninput m: [3]\ncost J = sum(where(m > 0, m * log(x), 0))",
        {"x": 0.0, "m": [0.0, -1, -2]}, {"x": 0},
    ),
    "a row stretched": (
        "param x: [2]\ninput m: bool[3, 2]\ncost J = sum(where(m, log(x), 0))",
        {"x": [0.0, 2], "m": [[False, True], [False, False], [False, True]]}, {"x": [0, 1]},
    ),
    "a column stretched": (
        "param x: [2], y: [3]\ncost J = sum(where(x[:, new] > 0, sqrt(x)[:, new] * y[new, :], 0))",
        {"x": [0.0, 4], "y": [1.0, 2, 3]}, {"x": [0, 1.5], "y": [2, 2, 2]},
    ),
    "an index": (
        "param x: [3]\ncost J = where(x[0] > 0, log(x)[0], 0) + where(x[2] > 0, log(x[2]), 0)",
        {"x": [0.0, 0, 2]}, {"x": [0, 0, 0.5]},
    ),
    "a slice": (
        "param x: [4]\ncost J = sum(where(x[::-2] > 0, log(x)[::-2], 0))",
        {"x": [-1.0, 0, -1, 2]}, {"x": [0, 0, 0, 0.5]},
    ),
    "a gather": (
        "param x: [3]\ninput i: int[4]\ncost J = sum(where(x[i] > 0, log(x)[i], 0))",
        {"x": [0.0, 1, 2], "i": [0, 0, 2, 2]}, {"x": [0, 0, 1]},
    ),
    "a transpose": (
        "param x: [2, 2]\ncost J = sum(where(x.T > 0, log(x).T, 0))",
        {"x": [[0.0, 1], [-1, 2]]}, {"x": [[0, 1], [0, 0.5]]},
    ),
    "a reshape": (
        "param x: [2, 2]\ncost J = sum(where(reshape(x, [4]) > 0, reshape(log(x), [4]), 0))",
        {"x": [[0.0, 1], [-1, 2]]}, {"x": [[0, 1], [0, 0.5]]},
    ),
    "a sum inside": (
        "param x: [2, 2]\ncost J = sum(where(sum(x, axis=1) > 0, log(sum(x, axis=1)), 0))",
        {"x": [[0.0, 0], [1, 1]]}, {"x": [[0, 0], [0.5, 0.5]]},
    ),
    "a sum outside": (
        "param x: [2, 2]\ninput c: bool[2]\ncost J = sum(where(c, sum(log(x), axis=1), 0))",
        {"x": [[0.0, -1], [1, 2]], "c": [False, True]}, {"x": [[0, 0], [1, 0.5]]},
    ),
    "a mean, a norm and a maximum outside": (
        ("param x: [2, 2]\ninput c: bool[2]\n"
        "cost J = sum(where(c, mean(1/x, axis=1) + max(1/x, axis=1) + norm(1/x, axis=1), 0))"),
        {"x": [[0.0, -1], [1, 1]], "c": [False, True]},
        {"x": [[0, 0], [-1 - 2**-0.5, -1 - 2**-0.5]]},
    ),
    "a whole sum under one condition": (
        "param x: [2]\ninput c\ncost J = where(c > 0, sum(log(x)), sum(x))",
        {"x": [0.0, -1], "c": -1.0}, {"x": [1, 1]},
    ),
    "a product of matrices under one condition": (
        "param x: [2, 2]\ninput c\ncost J = where(c > 0, sum(log(x) @ x), sum(x))",
        {"x": [[0.0, -1], [1, 2]], "c": -1.0}, {"x": [[1, 1], [1, 1]]},
    ),
    "a product of matrices by rows": (
        "param x: [2, 2], v: [2]\ninput c: bool[2]\ncost J = sum(where(c, log(x) @ v, 0))",
        {"x": [[0.0, -1], [1, 2]], "v": [1.0, 1], "c": [False, True]},
        {"x": [[0, 0], [1, 0.5]], "v": [0, math.log(2)]},
    ),
    "a softmax and a running sum outside": (
        ("param x: [2, 2]\ninput c: bool[2]\n"
        "cost J = sum(where(c[:, new], softmax(1/x) + cumsum(1/x, axis=1), 0))"),
        {"x": [[0.0, -1], [1, 1]], "c": [False, True]}, {"x": [[0, 0], [-2, -1]]},
    ),
    "joined before the where": (
        ("param x: [2]\ny = concat(log(x), sqrt(x))\n"
        "cost J = sum(where(concat(x, x) > 0, y, 0)) + sum(where(stack(x, x) > 0, stack(1/x, x), 0))"),
        {"x": [0.0, 4]}, {"x": [0, 0.25 + 0.25 - 1 / 16 + 1]},
    ),
    "a function by name": (
        ("def safe(f, x) = where(x > 0, f(x), 0)\nparam x: [3]\n"
        "cost J = sum(safe(log, x)) + sum(safe(sqrt, x))"),
        {"x": [-1.0, 0, 4]}, {"x": [0, 0, 0.5]},
    ),
    "unrolled": (
        ("param x[0]: [2]\nfor l in 1..3 {\n x[l] = where(x[l-1] > 0, log(x[l-1]), 0)\n}\n"
        "cost J = sum(x[3])"),
        {"x0": [-1.0, math.exp(math.e)]}, {"x0": [0, 1 / math.e / math.exp(math.e)]},
    ),
    "guarded twice": (
        "param x: [2]\ns = where(x > 0, x, 1)\ncost J = sum(where(x > 0, log(s), 0))",
        {"x": [-1.0, 2]}, {"x": [0, 0.5]},
    ),
}  # fmt: skip


@each_level
@pytest.mark.parametrize("name", PROGRAMS)
def test_guards_in_programs(name: str, level: int) -> None:
    text, point, expected = PROGRAMS[name]
    cost, grads = run(text, level, **point)
    assert math.isfinite(cost)
    for key, value in expected.items():
        np.testing.assert_allclose(grads[key], value, rtol=1e-14, atol=1e-15, err_msg=key)


@each_level
@pytest.mark.parametrize(
    ("expression", "expected"),
    [("where(y < 9, x * y, x)", [3, 1]), ("where(y == y, (x - y)^2, 0)", [-2, 0]),
     ("where(m, (x - y)^2, 0)", [-2, 0])],
)  # fmt: skip
@pytest.mark.xfail(strict=True, reason="open: 0 * inf, where the data not taken are no numbers")
def test_data_that_are_no_numbers(expression: str, expected: list[float], level: int) -> None:
    """Missing data as NaN, masked: every function of them is left out, not the partial ones alone."""
    text = f"param x: [2]\ninput y: [2], m: bool[2]\ncost J = sum({expression})"
    for missing in (NAN, INF):
        with np.errstate(invalid="ignore"):
            _, grads = run(text, level, x=[2.0, 3], y=[3.0, missing], m=[True, False])
        np.testing.assert_allclose(grads["x"], expected)


# Stable forms


mpmath.mp.dps = 60
EXACT: dict[str, Callable[[Any], Any]] = {
    "log(1 + exp(x))": lambda x: mpmath.log1p(mpmath.exp(x)),
    "log(exp(x) + 1)": lambda x: mpmath.log1p(mpmath.exp(x)),
    "log1p(exp(x))": lambda x: mpmath.log1p(mpmath.exp(x)),
    "-log(1 + exp(-x))": lambda x: -mpmath.log1p(mpmath.exp(-x)),
    "log(exp(x) + exp(-x))": lambda x: mpmath.log(mpmath.exp(x) + mpmath.exp(-x)),
    "1 / (1 + exp(-x))": lambda x: 1 / (1 + mpmath.exp(-x)),
    "1 / (exp(-x) + 1)": lambda x: 1 / (1 + mpmath.exp(-x)),
    "exp(x) / (1 + exp(x))": lambda x: 1 / (1 + mpmath.exp(-x)),
    "log(sigmoid(x))": lambda x: -mpmath.log1p(mpmath.exp(-x)),
    "log(1 / (1 + exp(-x)))": lambda x: -mpmath.log1p(mpmath.exp(-x)),
    "log(1 - sigmoid(x))": lambda x: -mpmath.log1p(mpmath.exp(x)),
    "softplus(x)": lambda x: mpmath.log1p(mpmath.exp(x)),
    "sigmoid(x)": lambda x: 1 / (1 + mpmath.exp(-x)),
    "tanh(x)": mpmath.tanh,
    "bce_with_logits(x, 1)": lambda x: mpmath.log1p(mpmath.exp(-x)),
    "bce_with_logits(x, 0)": lambda x: mpmath.log1p(mpmath.exp(x)),
    "silu(x)": lambda x: x / (1 + mpmath.exp(-x)),
}
SMALL: dict[str, Callable[[Any], Any]] = {
    "exp(x) - 1": mpmath.expm1,
    "log(1 + x)": mpmath.log1p,
    "log(x + 1)": mpmath.log1p,
    "log(1 - x)": lambda x: mpmath.log1p(-x),
    "expm1(x)": mpmath.expm1,
    "log1p(x)": mpmath.log1p,
}
OPERATORS = ("softplus(x)", "sigmoid(x)", "tanh(x)", "expm1(x)", "log1p(x)", "silu(x)")


def check_stable(expression: str, exact: Callable[[Any], Any], points: tuple[float, ...]) -> None:
    for level in (0, 1, 2) if expression in OPERATORS else (1, 2):
        for at in points:
            value = float(exact(mpmath.mpf(at)))
            wanted = float(mpmath.diff(exact, mpmath.mpf(at), h=mpmath.mpf(10) ** -25))
            for text, make in shapes_of(expression):
                cost, grads = run(text, level, x=make(at))
                # bce(1000, 1) is 1000 - 1000 + log1p(exp(-1000))
                assert cost == pytest.approx(value, rel=1e-15, abs=1e-300), (text, at)
                found = float(np.reshape(grads["x"], ()))
                assert found == pytest.approx(wanted, rel=1e-14, abs=1e-16), (text, at)


@pytest.mark.parametrize("expression", EXACT)
def test_stable_forms(expression: str) -> None:
    check_stable(expression, EXACT[expression], (-1000.0, -3.0, -1e-18, 0.0, 1e-18, 3.0, 1000.0))


@pytest.mark.parametrize("expression", SMALL)
def test_stable_near_0(expression: str) -> None:
    check_stable(expression, SMALL[expression], (-1e-18, 0.0, 1e-18, 1e-9, -1e-9, 0.5))


@each_stable_level
@pytest.mark.parametrize(
    ("written", "operator"),
    [
        ("log(softmax(x))", "log_softmax(x)"),
        ("log(sum(exp(x)))", "logsumexp(x)"),
        ("log(sum(exp(x), axis=1))", "logsumexp(x, axis=1)"),
        ("log(sum(exp(x), axis=0, keep=true))", "logsumexp(x, axis=0, keep=true)"),
        ("exp(x) / sum(exp(x), axis=1, keep=true)", "softmax(x)"),
        ("x - log(sum(exp(x), axis=1, keep=true))", "log_softmax(x)"),
        ("log(softmax(x, axis=0))", "log_softmax(x, axis=0)"),
    ],
)
def test_stable_forms_of_arrays(written: str, operator: str, level: int) -> None:
    x = np.array([[1000.0, 999, -1000], [-1000, -1001, -1002], [1e-18, 0, -1e-18]])
    s = {"": 1.5, "axis=1": [1.0, 2, -1], "axis=0": [[1.0, -2, 0.5]]}
    kind = "" if "(x)))" in written else "axis=1" if "axis=1))" in written else "axis=0"
    seed = np.array(s[kind]) if "log(sum" in written and "x -" not in written else np.cos(x / 7)
    shape = f": [{', '.join(map(str, seed.shape))}]" if seed.shape else ""
    results = []
    for expression in (written, operator):
        text = f"param x: [3, 3]\ninput s{shape}\no = {expression}\ncost J = sum(s * o)\noutput o"
        cost, grads = run(text, level, x=x, s=seed)
        results.append((load(text, level).forward({"x": x}), cost, grads["x"]))
    for found, wanted in zip(*results):
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-15)


@each_stable_level
def test_names_that_are_read_elsewhere_do_not_hide_a_form(level: int) -> None:
    """A part with a name of its own is computed as written, but the form itself is stable."""
    text = "param x: [2]\np = sigmoid(x)\ncost J = sum(log(p)) + sum(p)"
    cost, grads = run(text, 2, x=[-1000.0, 3])
    assert math.isfinite(cost) and np.isfinite(grads["x"]).all()


@each_level
def test_softplus_to_4_ulp(level: int) -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate(
        [rng.uniform(-740, 740, 150), rng.uniform(-40, 40, 150), rng.normal(size=100)]
    )
    exact = np.array([float(mpmath.log1p(mpmath.exp(mpmath.mpf(v)))) for v in x])
    array = load("dim N\nparam x: [N]\ny = softplus(x)\ncost J = sum(y)\noutput y", level)
    scalar = load("param x\ncost J = softplus(x)", level)
    for found in (array.forward({"x": x}), np.array([scalar.cost({"x": v}) for v in x.tolist()])):
        assert (np.abs(found - exact) <= 4 * np.spacing(exact)).all()
    narrow = array.forward({"x": x.astype(np.float32)})
    exact32 = np.array(
        [float(mpmath.log1p(mpmath.exp(mpmath.mpf(float(np.float32(v)))))) for v in x]
    )
    normal = exact32 > 1e-37
    error = np.abs(narrow - exact32) / np.spacing(exact32.astype(np.float32))
    assert (error[normal] <= 4).all()


# Reductions


@each_level
@pytest.mark.parametrize(
    ("x", "expected"),
    [
        ([0.0, 2, 3], [6, 0, 0]), ([0.0, 0, 3], [0, 0, 0]), ([2.0, 3, 4], [12, 8, 6]),
        ([1e-200, 1e200, 5], [5e200, 5e-200, 1]), ([0.0], [1]), ([-0.0, INF], [INF, 0]),
    ],
)  # fmt: skip
def test_products_with_zeros(x: list[float], expected: list[float], level: int) -> None:
    with np.errstate(invalid="ignore"):
        _, grads = run("dim N\nparam x: [N]\ncost J = prod(x)", level, x=x)
    np.testing.assert_allclose(grads["x"], expected, rtol=1e-15)
    if len(x) == 3:
        text = "param x: [2, 3]\ninput s: [2]\ncost J = sum(s * prod(x, axis=1))"
        _, grads = run(text, level, x=[x, x[::-1]], s=[2.0, -1])
        np.testing.assert_allclose(grads["x"], [2 * np.array(expected), -np.array(expected[::-1])])


LARGEST = [
    # -O2 adds up or multiplies first what a number or a matrix scales
    ("param c\ninput x: [2]\ncost J = sum(c * x)", {"c": 0.0, "x": [1e308, 1e308]}, 0, NAN),
    ("param c\ninput x: [2]\ncost J = sum(c * x)", {"c": 1e-9, "x": [1e308, 1e308]}, 2e299, INF),
    (
        "param v: [2]\ninput A: [2, 2], B: [2, 2]\ncost J = sum((A @ B) @ v)",
        {"v": [1e200, 0.0], "A": [[1e-200, 0], [0, 1]], "B": [[1e200, 0], [0, 1]]},
        1e200,
        INF,
    ),
]


@each_level
@pytest.mark.parametrize(("text", "point", "value", "regrouped"), LARGEST)
def test_near_the_largest_number(
    text: str, point: dict[str, Any], value: float, regrouped: float, level: int
) -> None:
    """The one place where -O2 is not as good as -O0: README.md and docs/speed.md say so."""
    m = load(text, level)
    values = {k: np.array(v) for k, v in point.items()}
    inputs = {k: values.pop(k) for k in m.INPUTS}
    with np.errstate(all="ignore"):
        found = m.cost(values, **inputs)
    np.testing.assert_allclose(found, regrouped if level == 2 else value, rtol=1e-15)


@each_level
def test_products_that_overflow_beside_products_that_do_not(level: int) -> None:
    """`a * c` is inf and `a * b * c` 0: one is not computed by the other."""
    m = load("param a: [2], b: [2], c: [2]\ncost J = sum(tanh(a * c)) + sum(a * b * c)", level)
    values = {
        k: np.array(v, float) for k, v in (("a", [1e200, 1]), ("b", [0, 2]), ("c", [1e200, 3]))
    }
    with np.errstate(over="ignore"):
        assert m.value_and_grad(values)[0] == pytest.approx(7 + math.tanh(3), rel=1e-15)


@each_level
def test_product_of_a_matrix_with_zeros(level: int) -> None:
    _, grads = run("param x: [2, 2]\ncost J = prod(x)", level, x=[[0.0, 2], [3, 5]])
    np.testing.assert_allclose(grads["x"], [[30, 0], [0, 0]])


@each_level
def test_logsumexp_of_minus_infinity_only(level: int) -> None:
    cost, grads = run("param x: [2]\ncost J = logsumexp(x)", level, x=[-INF, -INF])
    assert cost == -INF and not grads["x"].any()
    cost, grads = run("param x: [2]\ncost J = logsumexp(x)", level, x=[-1e10, -INF])
    assert cost == -1e10 and grads["x"].tolist() == [1, 0]
    for keep in ("", ", keep=true"):
        text = f"param x: [3, 2]\no = logsumexp(x, axis=1{keep})\ncost J = sum(exp(o))\noutput o"
        x = np.array([[-INF, -INF], [0, -INF], [1, 1]])
        m = load(text, level)
        assert m.forward({"x": x}).ravel() == pytest.approx([-INF, 0, 1 + math.log(2)])
        _, grads = run(text, level, x=x)
        np.testing.assert_allclose(grads["x"], [[0.0, 0.0], [1.0, 0.0], [math.e, math.e]])


@each_level
@pytest.mark.parametrize("offset", [0.0, 1e4, -1e4, 1e300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logsumexp_under_a_common_offset(dtype: type, offset: float, level: int) -> None:
    """The gradient is a softmax: what all entries have in common takes no digits from it."""
    offset = dtype(min(offset, 1e30)) if dtype == np.float32 else offset
    x = (np.array([[0.0, 1, 2], [0, -1, -2]], dtype) + offset).astype(dtype)
    shares = np.exp(x - x.max(axis=1, keepdims=True), dtype=float)
    shares /= shares.sum(axis=1, keepdims=True)
    for options in ("axis=1", "axis=-1, keep=true"):
        text = f"param x: [2, 3]\ncost J = sum(logsumexp(x, {options}))"
        _, grads = run(text, level, x=x)
        np.testing.assert_allclose(grads["x"], shares, rtol=4 * np.finfo(dtype).eps)


@each_level
def test_kl_div_of_shares_that_underflow(level: int) -> None:
    for statement in ("", "s = softmax(p)\n"):
        s = "s" if statement else "softmax(p)"
        text = f"param p: [3]\ninput q: [3]\n{statement}cost J = kl_div({s}, q)"
        cost, grads = run(text, level, p=[0.0, -800, 0], q=[0.25, 0.25, 0.5])
        assert cost == pytest.approx(math.log(2) / 2)
        np.testing.assert_allclose(grads["p"], np.array([1, 0, -1]) * math.log(2) / 4, atol=1e-15)
    _, grads = run("param p: [2]\ncost J = kl_div(softmax(p), softmax(2*p))", level, p=[0.0, -INF])
    assert not grads["p"].any()
    _, grads = run("param p: [2], q: [2]\ncost J = kl_div(p, q)", level, p=[0.0, 1], q=[0.0, 0.5])
    np.testing.assert_allclose(grads["p"], [0, math.log(2) + 1])
    np.testing.assert_allclose(grads["q"], [0, -2])


@each_stable_level
def test_kl_div_from_shares_that_underflow(level: int) -> None:
    text = "input p: [2]\nparam z: [2]\ncost J = kl_div(p, softmax(z))"
    cost, grads = run(text, level, p=[0.5, 0.5], z=[0.0, -800])
    assert cost == pytest.approx(400 - math.log(2))
    np.testing.assert_allclose(grads["z"], [0.5, -0.5])


@each_level
@pytest.mark.parametrize(
    ("at", "expected"),
    [(1e300, 1), (1e154, 1), (1e20, 1), (11, 1), (-11, 0), (-1e154, 0), (-1e300, 0)],
)
def test_gelu_tanh_of_large_numbers(at: float, expected: float, level: int) -> None:
    assert slope("gelu_tanh(x)", at, level) == expected
    if abs(at) < 1e30:
        x = np.array([at], np.float32)
        assert run("param x: [1]\ncost J = sum(gelu_tanh(x))", level, x=x)[1]["x"] == expected


@each_level
def test_cross_entropy(level: int) -> None:
    for smoothing in ("", ", smoothing=0.1"):
        text = f"dim N\nparam z: [N, 3]\ninput y: int[N]\ncost J = mean(cross_entropy(z, y{smoothing}))"
        z = np.array([[1.0, 2, 3], [1000, -1000, 0]])
        cost, grads = run(text, level, z=z, y=[-1, -1])
        assert cost == 0 and not grads["z"].any()
        cost, grads = run(text, level, z=z, y=[2, 1])
        assert math.isfinite(cost) and np.isfinite(grads["z"]).all()
        for bad in (3, -2):
            with pytest.raises(ValueError, match=rf"^label\[1\] is {bad}, expected 0 to 2$"):
                load(text, level).value_and_grad({"z": z}, y=np.array([0, bad]))
            with pytest.raises(ValueError, match=rf"^label\[1\] is {bad}, expected 0 to 2$"):
                load(text, level).cost({"z": z}, y=np.array([0, bad]))
        cost, grads = run(text, level, z=[[-INF, 1.0, 2]], y=[1])
        assert not math.isnan(cost) and np.isfinite(grads["z"]).all()
        assert grads["z"][0].sum() == pytest.approx(0, abs=1e-15)
    text = "param z: [2, 2, 3]\ninput y: int[2, 2]\ncost J = sum(nll(z, y))"
    with pytest.raises(ValueError, match=r"^label\[1, 0\] is 5, expected 0 to 2$"):
        load(text, level).cost({"z": np.zeros((2, 2, 3))}, y=np.array([[0, 1], [5, 2]]))
    text = "param z: [2, 3]\ninput y: int[2]\ncost J = sum(cross_entropy(z, y, ignore=2))"
    _, grads = run(text, level, z=np.ones((2, 3)), y=[2, 0])
    np.testing.assert_allclose(grads["z"], [[0.0, 0.0, 0.0], [-2 / 3, 1 / 3, 1 / 3]])


# Precision


ROWS = 10**6


@pytest.fixture(scope="module")
def long() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.5, 1.5, (ROWS, 2)).astype(np.float32)


@each_level
@pytest.mark.parametrize("f", ["sum", "mean", "var", "std", "norm", "logsumexp"])
def test_long_float32_sums(long: np.ndarray, f: str, level: int) -> None:
    text = f"dim N\ninput x: [N, 2]\nparam w\ncost J = w\noutput a = {f}(x, axis=0), b = {f}(x)"
    m = load(text, level)
    x = long if f != "norm" else long + np.float32(0.25)
    found = m.forward({"w": np.float32(1)}, x)
    exact = load(text, level).forward({"w": 1.0}, x.astype(float))
    for key in "ab":
        assert found[key].dtype == np.float32
        np.testing.assert_allclose(found[key], exact[key], rtol=1e-6)


@each_level
def test_long_float32_gradients(long: np.ndarray, level: int) -> None:
    """Of a bias, of a gain, of a scalar, of a row that is gathered again and again."""
    text = """dim N
        input x: [N, 2]
        input i: int[N]
        param bias: [2], gain: [2], shift: [1], E: [3, 2]
        cost J = sum(x * (gain * x + bias + shift + E[i]))"""
    i = np.arange(ROWS) % 3
    params = {"bias": np.ones(2), "gain": np.ones(2), "shift": np.ones(1), "E": np.ones((3, 2))}
    m = load(text, level)
    _, exact = m.value_and_grad(params, long.astype(float), i)
    narrow = {k: v.astype(np.float32) for k, v in params.items()}
    _, found = m.value_and_grad(narrow, long, i)
    for key in params:
        assert found[key].dtype == np.float32
        np.testing.assert_allclose(found[key], exact[key], rtol=1e-6, err_msg=key)


@each_level
def test_variance_in_two_passes(level: int) -> None:
    x = 1e8 + np.arange(3.0)
    for f, value, slopes in (("var", 2 / 3, [-2 / 3, 0, 2 / 3]), ("std", (2 / 3) ** 0.5, None)):
        cost, grads = run(f"dim N\nparam x: [N]\ncost J = {f}(x)", level, x=x)
        assert cost == pytest.approx(value, rel=1e-14)
        if slopes:
            np.testing.assert_allclose(grads["x"], slopes, rtol=1e-14)
    narrow = (1e4 + np.arange(3)).astype(np.float32)
    cost, _ = run("dim N\nparam x: [N]\ncost J = var(x)", level, x=narrow)
    assert cost == pytest.approx(2 / 3, rel=1e-6)


# Dtypes


CONSTANTS = """dim N, H = 4
param x: [N, H], b, v: [3]
input label: int[N], flag: bool[N]
e = x / sqrt(N) + sqrt(N * 2) * log(N + 1) + exp(1 / N) + max(N, 3)
s = where(x > 0, 1.5, -2.5) * where(flag, 1, 0)[:, new] + where(flag, b, 2)[:, new]
k = stack(1, b, 2.5) + stack(b, 3, N) + v
o = one_hot(label, H) + eye(H)[label] + arange(H) * x + arange(N)[:, new] / 3
p = pad(x, ((0, 0), (0, 0)), value=2) + ones(N, H) + zeros(N, H) + 1/3 + pi
q = 2^x + x^2 + x^0.5 + 3^b + b^b + hypot(3, x) + xlogy(2, x) + atan2(1, x) + clip(x, 0.5, 2)
t = tril(x) + mean(x) + var(x) + std(x) + norm(x) + logsumexp(x) + prod(x) + max(x) + median(x)
def median(x) = where(sum(x) > 0, max(x), min(x)) if size(x, 0) > 0 else 0
g = flag[:, new] * x + (label > 1)[:, new] + label[:, new]
y = [REST]
cost J = sum(e + s + o + p + q + t + g) + sum(k) + mean(cross_entropy(x, label, smoothing=0.1)) + N
output e, s, k, o, p, q, t, g, c = stop(b) * 2, d = 3, n = label + 1, m = not flag, J
""".replace("y = [REST]\n", "")


@each_level
def test_float32_throughout(level: int) -> None:
    """Constants, sizes and masks do not widen anything."""
    text = CONSTANTS.splitlines()
    text.insert(3, text.pop(next(i for i, s in enumerate(text) if s.startswith("def "))))
    m = load("\n".join(text), level)
    rng = np.random.default_rng(0)
    params = {"x": rng.uniform(0.6, 1.9, (5, 4)), "b": np.array(1.5), "v": np.ones(3)}
    label, flag = np.array([0, 1, 2, 3, 1]), np.array([True, False] * 2 + [True])
    check_gradient(m, params, {"label": label, "flag": flag}, rng, step=0.01)
    outputs = m.forward(params, label, flag)
    narrow = {k: v.astype(np.float32) for k, v in params.items()}
    found = m.forward(narrow, label, flag)
    for key, value in found.items():
        kind = m.OUTPUTS[key].partition(" ")[0]
        expected = {"real": np.float32, "int": np.int64, "bool": np.bool_}[kind]
        assert type(value) is np.ndarray and value.dtype == expected, key
        np.testing.assert_allclose(value, outputs[key], rtol=1e-5)
    assert m.OUTPUTS["n"].startswith("int") and m.OUTPUTS["m"].startswith("bool")
    cost, grads = m.value_and_grad(narrow, label, flag)
    assert type(cost) is float and type(m.cost(narrow, label, flag)) is float
    for key, grad in grads.items():
        assert grad.dtype == np.float32 and grad.shape == params[key].shape
    small = m.value_and_grad(narrow, label.astype(np.int32), flag)
    assert small[0] == cost


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"x": np.arange(3)}, "x has dtype int64, expected float32 or float64"),
    ({"x": [1, 2, 3]}, "x has dtype int64, expected float32 or float64"),
    ({"w": np.array([1, 2, 3], np.float32)}, "w is float32 and x is float64; give one float dtype"),
    ({"x": np.array([1, 2, 3], np.float32)}, "w is float64 and x is float32; give one float dtype"),
    ({"x": np.array([1, 2, 3], np.float16)}, "x has dtype float16, expected float32 or float64"),
    ({"x": np.array([1, 2, 3], complex)}, "x has dtype complex128, expected float32 or float64"),
    ({"x": np.array(["a", "b", "c"])}, "x has dtype <U1, expected float32 or float64"),
    ({"x": np.array([None] * 3)}, "x has dtype object, expected float32 or float64"),
    ({"w": np.array([True] * 3)}, "w has dtype bool, expected float32 or float64"),
    ({"i": np.ones(3)}, "i has dtype float64, expected int"),
    ({"i": np.array([True] * 3)}, "i has dtype bool, expected int"),
    ({"f": np.arange(3)}, "f has dtype int64, expected bool"),
    ({"f": np.ones(3)}, "f has dtype float64, expected bool"),
]


@each_level
@pytest.mark.parametrize(("given", "message"), WRONG)
def test_type_errors_name_the_arguments(given: dict[str, Any], message: str, level: int) -> None:
    text = "dim N\nparam w: [3]\ninput x: [N], i: int[N], f: bool[N]\ncost J = sum(w[i] * x[i] * f)"
    m = load(text, level)
    point: dict[str, Any] = {
        "w": np.ones(3), "x": np.ones(3), "i": np.zeros(3, int), "f": np.ones(3, bool)
    } | given  # fmt: skip
    for function in (m.cost, m.value_and_grad):
        with pytest.raises(TypeError) as error:
            function({"w": point["w"]}, point["x"], point["i"], point["f"])
        assert str(error.value) == message


@each_level
def test_type_errors_of_scalars(level: int) -> None:
    m = load("param w, b\ninput n: int\ncost J = w * n + b", level)
    assert m.value_and_grad({"w": 2, "b": np.float32(1)}, 3) == (7, {"w": 3, "b": 1})
    assert m.value_and_grad({"w": 2.0, "b": np.float32(1)}, 3)[1]["b"].dtype == np.float32
    for params, n, message in (
        ({"w": np.float32(1), "b": np.float64(1)}, 1, "w is float32 and b is float64"),
        ({"w": np.int64(1), "b": 1.0}, 1, "w has dtype int64, expected real"),
        ({"w": True, "b": 1.0}, 1, "w has dtype bool, expected real"),
        ({"w": "1", "b": 1.0}, 1, "w has dtype <U1, expected real"),
        ({"w": 1j, "b": 1.0}, 1, "w has dtype complex128, expected real"),
        ({"w": 1.0, "b": 1.0}, 1.5, "n has dtype float64, expected int"),
    ):
        with pytest.raises(TypeError, match=message):
            m.value_and_grad(params, n)


@each_level
@pytest.mark.parametrize("shape", ["", ": [2]", ": [N]"])
def test_masks_are_refused(shape: str, level: int) -> None:
    """Where an entry is masked, no level could know what is meant."""
    m = load(f"dim N\ninput x: [N]\nparam w{shape}\ncost J = sum(w) * sum(x)", level)
    w, x = np.ones(() if not shape else 2), np.ones(2)
    for given, name in (((np.ma.array(w, mask=w > 0), x), "w"), ((w, np.ma.array(x)), "x")):
        for f in (m.cost, m.value_and_grad):
            with pytest.raises(TypeError, match=f"^{name} is a masked array; "):
                f({"w": given[0]}, given[1])
    m = load("input x\nparam w\ncost J = w * x", level)
    with pytest.raises(TypeError, match="^x is a masked array"):
        m.cost({"w": 1.0}, np.ma.array(1.0))


# Scalars on Python floats


@each_level
@pytest.mark.parametrize(
    ("expression", "point", "value"),
    [
        ("exp(x)", {"x": 1000.0}, INF), ("log(x)", {"x": 0.0}, -INF), ("log(x)", {"x": -1.0}, NAN),
        ("x^0.5", {"x": -8.0}, NAN), ("x^y", {"x": -8.0, "y": 1 / 3}, NAN), ("1/x", {"x": 0.0}, INF),
        ("1/x", {"x": -0.0}, -INF), ("x/y", {"x": 0.0, "y": 0.0}, NAN), ("x^2", {"x": 1e200}, INF),
        ("(x*y)^2", {"x": 1e200, "y": 1.0}, INF), ("x^3", {"x": -1e200}, -INF),
        ("x*y", {"x": 1e200, "y": 1e200}, INF), ("max(x, y)", {"x": NAN, "y": 1.0}, NAN),
        ("min(x, y)", {"x": 1.0, "y": NAN}, NAN), ("sqrt(x)", {"x": -1.0}, NAN),
        ("x - y", {"x": INF, "y": INF}, NAN), ("sinh(x)", {"x": -1000.0}, -INF),
        ("cosh(x)", {"x": -1000.0}, INF), ("asin(x)", {"x": 2.0}, NAN), ("sin(x)", {"x": INF}, NAN),
        ("x^-1", {"x": 0.0}, INF), ("0^x", {"x": -1.0}, INF), ("lgamma(x)", {"x": 0.0}, INF),
        ("floor(x)", {"x": INF}, INF), ("tan(x)", {"x": INF}, NAN), ("log1p(x)", {"x": -1.0}, -INF),
        ("expm1(x)", {"x": 1000.0}, INF), ("clip(x, 0, 1)", {"x": NAN}, NAN),
        ("x^y", {"x": 2.0, "y": 5000.0}, INF), ("relu(x)", {"x": NAN}, NAN),
    ],
)  # fmt: skip
def test_scalars_are_ieee(
    expression: str, point: dict[str, float], value: float, level: int
) -> None:
    text = f"param {', '.join(point)}\ncost J = {expression}"
    assert "_converted" in vars(load(text, level)), "not a module of scalars"
    cost, grads = run(text, level, **point)
    assert type(cost) is float and {type(g) for g in grads.values()} == {float}
    np.testing.assert_equal(cost, value)


# Empty batches, memory, threads


MODEL = """dim N
input x: [N, 3]
input label: int[N]
param W: [3, 4] ~ glorot, b: [4], E: [4, 4] ~ normal(1)
h = tanh(x @ W + b) + E[label]
cost J = sum(cross_entropy(h, label)) + 1e-3 * sum(W^2) + norm(E)
output h, p = softmax(h), t = h.T, W2 = W, i = label
"""


def arguments(n: int) -> dict[str, Any]:
    rng = np.random.default_rng(n)
    return {"x": rng.normal(size=(n, 3)), "label": rng.integers(0, 4, n)}


@each_level
def test_empty_batch(level: int) -> None:
    m = load(MODEL, level)
    params = m.init(0)
    cost, grads = m.value_and_grad(params, **arguments(0))
    assert cost == pytest.approx(1e-3 * (params["W"] ** 2).sum() + np.linalg.norm(params["E"]))
    assert not grads["b"].any()
    np.testing.assert_allclose(grads["W"], 2e-3 * params["W"])
    for f in ("mean", "max", "min", "var", "std"):
        m = load(f"dim N\ninput x: [N]\nparam w\ncost J = w * {f}(x)\noutput y = {f}(x)", level)
        for function in (m.cost, m.value_and_grad, m.forward):
            with pytest.raises(ValueError, match=rf"^{f} of no entries \(<text>:\d\)$"):
                function({"w": np.array(1.0)}, np.zeros(0))
    m = load("dim N\nparam x: [N]\ncost J = sum(x) + norm(x) + prod(x)", level)
    cost, grads = m.value_and_grad({"x": np.zeros(0)})
    assert cost == 1 and grads["x"].shape == (0,)
    m = load(
        "dim N, M\nparam x: [N, M]\ncost J = sum(mean(x, axis=1)) + sum(max(x, axis=1))", level
    )
    assert m.value_and_grad({"x": np.zeros((0, 2))})[0] == 0
    with pytest.raises(ValueError, match="of no entries"):
        m.value_and_grad({"x": np.zeros((2, 0))})


@each_level
def test_results_are_the_callers_own(level: int) -> None:
    m = load(MODEL, level)
    params, inputs = m.init(0), arguments(6)
    given = [*params.values(), *inputs.values()]
    for results in (m.forward(params, **inputs), m.value_and_grad(params, **inputs)[1]):
        values = list(results.values())
        for k, value in enumerate(values):
            assert value.flags.c_contiguous and value.flags.writeable and value.flags.owndata
            assert not any(np.shares_memory(value, other) for other in [*given, *values[:k]])
            value[...] = 0
    again = m.value_and_grad(params, **inputs)
    assert again[0] == m.cost(params, **inputs) and again[1]["W"].any()


@each_level
@pytest.mark.parametrize(
    "text",
    [
        "param x: [3]\ncost J = sum(x)\noutput a = x, b = x, c = x[::-1], d = reshape(x, [3, 1])",
        "param x: [1, 1]\ncost J = sum(x)\noutput a = diag(x), b = x.T, c = x[0], d = x[::-1]",
        "param x: [3, 3]\ncost J = sum(x)\noutput a = diag(x), b = x.T, c = x[1], d = stop(x)",
        'param x: [3, 3]\ncost J = trace(x)\noutput a = einsum("ii->i", x), b = einsum("ij->ji", x)',
        "param x: [3], y: [3]\ns = x + y\ncost J = sum(s)\noutput a = s, b = s, c = broadcast(x, [2, 3])",
        "param x: [3], y: [3]\ncost J = sum((x + y) * [C])\n".replace("[C]", "2"),
        "param x, y: [2]\ncost J = x + sum(y)\noutput a = x, b = zeros(3), c = ones(3), d = x[new]".replace(
            ", d = x[new]", ""
        ),
        "input z: [2]\nparam x: [2], y: [2], w: [2]\ncost J = sum(z * (x + y - w))",
    ],
)
def test_aliases(text: str, level: int) -> None:
    m = load(text, level)
    rng = np.random.default_rng(0)

    def fill(table: dict[str, str]) -> dict[str, Any]:
        shapes = [t.partition(" ")[2].strip("[]").split(",") for t in table.values()]
        return {k: rng.normal(size=tuple(int(n) for n in s if n)) for k, s in zip(table, shapes)}

    params, inputs = fill(m.PARAMS), fill(m.INPUTS)
    some = {k: v for k, v in inputs.items() if k in m.forward.__code__.co_varnames}
    outputs = m.forward(params, **some)
    outputs = outputs if isinstance(outputs, dict) else {}
    for results in (outputs, m.value_and_grad(params, **inputs)[1]):
        values = list(results.items())
        for k, (label, value) in enumerate(values):
            assert isinstance(value, np.ndarray), label
            assert value.flags.c_contiguous and value.flags.writeable, label
            others = [*params.items(), *inputs.items(), *values[:k]]
            assert not [n for n, other in others if np.shares_memory(value, other)], label


@each_level
def test_threads(level: int) -> None:
    """20 threads, 1000 calls each: bitwise the same."""
    m = load(MODEL, level)
    params, inputs = m.init(3), arguments(4)

    def bits() -> tuple[Any, ...]:
        cost, grads = m.value_and_grad(params, **inputs)
        return cost, *(g.tobytes() for g in grads.values())

    expected, wrong = bits(), []

    def work() -> None:
        for _ in range(1000):
            if bits() != expected:
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
