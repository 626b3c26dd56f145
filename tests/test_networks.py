"""Network functions: what tests/test_ops.py cannot ask of a table. Masks, ties, checks when called."""

import inspect
import re
from typing import Any

import numpy as np
import pytest

import bpc

LEVELS = (0, 1, 2)

# Dropout

DROPS = """
dim N, T
input x: [N, 6], seed: [N], X: [T, N, 4]
param W: [6, 4], V: [4, 4]
h = dropout(tanh(x @ W), 0.5) + dropout(x @ W, 0.5) * dropout(x @ W, 0.5)
scan t in 0..T-1 carry (c = h) {
    c = dropout(tanh(X[t] @ V + c), 0.25)
}
cost J = sum(h^2 * c) + sum(seed)
output h, c
"""


def drawn(dtype: Any = float) -> tuple[dict[str, Any], dict[str, Any]]:
    rng = np.random.default_rng(0)
    shapes = {"W": (6, 4), "V": (4, 4), "x": (5, 6), "seed_": (5,), "X": (3, 5, 4)}
    arrays = {k: rng.normal(size=s).astype(dtype) for k, s in shapes.items()}
    return {k: arrays[k] for k in "WV"}, {k: v for k, v in arrays.items() if k not in "WV"}


@pytest.mark.parametrize("level", LEVELS)
def test_gradient_of_the_cost_with_the_same_seed(level: int) -> None:
    m = bpc.load(DROPS, level=level, verify_ir=True)
    params, inputs = drawn()

    def cost(p: dict[str, Any]) -> float:
        return float(m.cost(p, **inputs, rng=np.random.default_rng(7)))

    value, grads = m.value_and_grad(params, **inputs, rng=np.random.default_rng(7))
    assert value == pytest.approx(cost(params), rel=1e-14)
    assert value != pytest.approx(m.cost(params, **inputs, rng=np.random.default_rng(8)))
    assert value != pytest.approx(m.cost(params, **inputs))
    for key, p in params.items():
        for i in np.ndindex(p.shape):
            step = np.zeros_like(p)
            step[i] = 1e-6
            slope = (cost({**params, key: p + step}) - cost({**params, key: p - step})) / 2e-6
            assert grads[key][i] == pytest.approx(slope, rel=1e-6, abs=1e-7)


def test_levels_and_dtypes_drop_the_same() -> None:
    params, inputs = drawn()
    costs = [
        bpc.load(DROPS, level=level).cost(params, **inputs, rng=np.random.default_rng(1))
        for level in LEVELS
    ]
    narrow, narrow_inputs = drawn(np.float32)
    m = bpc.load(DROPS)
    value, grads = m.value_and_grad(narrow, **narrow_inputs, rng=np.random.default_rng(1))
    np.testing.assert_allclose([*costs[1:], value], costs[0], rtol=1e-5)
    assert {g.dtype for g in grads.values()} == {np.dtype(np.float32)}


def test_forward_never_drops() -> None:
    m = bpc.load(DROPS)
    assert list(inspect.signature(m.cost).parameters)[-1] == "rng"
    assert list(inspect.signature(m.value_and_grad).parameters)[-2:] == ["rng", "out"]
    assert list(inspect.signature(m.forward).parameters) == ["params", "x", "X"]
    params, inputs = drawn()
    h = np.tanh(inputs["x"] @ params["W"]) + (inputs["x"] @ params["W"]) ** 2
    found = m.forward(params, inputs["x"], inputs["X"])
    np.testing.assert_allclose(found["h"], h)
    without = bpc.load("param x: [3]\ncost J = sum(dropout(x, 0.5))")
    assert without.forward({"x": np.ones(3)}) == 3


def test_masks() -> None:
    """Each entry stays with the probability 1 - rate, and the mean stays; two masks differ."""
    m = bpc.load(
        "dim N\nparam x: [N]\na = dropout(x, 0.25)\nb = dropout(x, 0.25)\ncost J = sum(a * b)"
    )
    rng = np.random.default_rng(0)
    x = np.ones(100_000)
    _, grads = m.value_and_grad({"x": x}, rng=rng)
    values, counts = np.unique(np.round(grads["x"], 12), return_counts=True)
    np.testing.assert_allclose(values, [0, 2 * (4 / 3) ** 2])
    np.testing.assert_allclose(counts / len(x), [1 - 0.75**2, 0.75**2], atol=0.01)
    _, again = m.value_and_grad({"x": x}, rng=rng)
    assert (again["x"] != grads["x"]).any()


@pytest.mark.parametrize("rng", [0, np.random, "seed"])
def test_what_is_no_generator(rng: Any) -> None:
    m = bpc.load("param x: [3]\ncost J = sum(dropout(x, 0.5))")
    with pytest.raises(TypeError, match="^rng is <.*>, expected a NumPy Generator$"):
        m.cost({"x": np.ones(3)}, rng=rng)


def test_without_dropout_there_is_no_rng() -> None:
    m = bpc.load("param x: [3]\ncost J = sum(dropout(x, 0))")
    assert "rng" not in inspect.signature(m.cost).parameters


# Ties and masks


@pytest.mark.parametrize("level", LEVELS)
def test_ties_in_a_window_share(level: int) -> None:
    m = bpc.load("param x: [1, 3, 3, 1]\ncost J = sum(max_pool2d(x, 2, stride=1))", level=level)
    _, grads = m.value_and_grad({"x": np.ones((1, 3, 3, 1))})
    expected = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
    np.testing.assert_array_equal(grads["x"][0, :, :, 0], expected)


@pytest.mark.parametrize("level", LEVELS)
def test_later_keys_do_not_count(level: int) -> None:
    """However large their scores are; and nothing warns."""
    m = bpc.load(
        "param q: [3, 2], k: [3, 2], v: [3, 2]\na = attention(q, k, v, causal=true)\ncost J = sum(a[0])\noutput a",
        level=level,
    )
    rng = np.random.default_rng(0)
    params = {name: rng.normal(size=(3, 2)) for name in "qkv"}
    params["k"][1:] = 1e300
    np.testing.assert_array_equal(m.forward(params)[0], params["v"][0])
    _, grads = m.value_and_grad({**params, "k": np.full((3, 2), 900.0)})
    np.testing.assert_array_equal(grads["v"], [[1, 1], [0, 0], [0, 0]])
    assert not grads["q"].any() and not grads["k"].any()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "branch",
    [
        "conv2d(log(x), ones(2, 2, 1, 1), pad=1)[:, 1:, 1:, :]",
        "conv_transpose2d(log(x), ones(1, 1, 1, 1))",
        "conv2d(ones(1, 2, 2, 1), log(x[0, 0, 0, 0]) * ones(1, 1, 1, 1))",
        "max_pool2d(log(x), 1)",
        "avg_pool2d(log(x), 2)",
        "layer_norm(log(x), 1, 0)",
        "rms_norm(log(x), 1)",
        "attention(log(x), log(x), log(x), causal=true)",
    ],
)
def test_a_branch_not_taken_sends_nothing(branch: str, level: int) -> None:
    text = f"param x: [1, 2, 2, 1]\ny = where(sum(x) > 0, {branch}, 0)\ncost J = sum(y)"
    m = bpc.load(text, level=level)
    cost, grads = m.value_and_grad({"x": -np.ones((1, 2, 2, 1))})
    assert cost == 0 and not grads["x"].any()


@pytest.mark.parametrize("level", LEVELS)
def test_entries_of_a_branch(level: int) -> None:
    """A window, or a row, is needed where its result is."""
    text = """
    param x: [1, 4, 2, 1], z: [2, 3]
    y = where(abs(avg_pool2d(x, 2)) < 4, conv2d(log(x), ones(2, 2, 1, 1), stride=2), 0)
    w = where(sum(z, axis=1, keep=true) > 0, layer_norm(log(z), 1, 0), 0)
    cost J = sum(y) + sum(w^3)
    """
    m = bpc.load(text, level=level)
    x, z = np.full((1, 4, 2, 1), 2.0), np.array([[1.0, 2.0, 4.0], [-1.0, -2.0, 0.0]])
    x[0, 2:] = -9.0
    _, grads = m.value_and_grad({"x": x, "z": z})
    np.testing.assert_allclose(grads["x"][0, :, :, 0], [[0.5, 0.5], [0.5, 0.5], [0, 0], [0, 0]])
    assert np.isfinite(grads["z"]).all() and grads["z"][0].any() and not grads["z"][1].any()


# What only the call can tell


@pytest.mark.parametrize(
    ("expression", "shape", "message"),
    [
        ("conv2d(x, ones(3, 3, 2, 1))", (1, 2, 5, 2), "a window of 3 does not fit an axis of size H"),
        ("conv2d(x, ones(3, 2, 2, 1), pad=(1, 0), dilation=3)", (1, 4, 5, 2),
         "a window of 3 at distance 3 does not fit an axis of size H padded by 1"),
        ("max_pool2d(x, 4)", (1, 3, 4, 2), "a window of 4 does not fit an axis of size H"),
        ("conv_transpose2d(x, ones(1, 1, 1, 2), pad=2)", (1, 3, 9, 2),
         "a pad that leaves nothing of the result"),
        ("conv2d(x, W, groups=2)", (1, 3, 9, 4), "F channels are not 2 equal groups"),
    ],
)  # fmt: skip
def test_sizes_are_checked_when_called(expression: str, shape: Any, message: str) -> None:
    channels = shape[-1]
    m = bpc.load(
        f"dim H, F\nparam x: [1, H, {shape[2]}, {channels}], W: [1, 1, {channels // 2}, F]\n"
        f"cost J = sum({expression}) + sum(W)"
    )
    params = {"x": np.ones(shape), "W": np.ones((1, 1, channels // 2, 3))}
    with pytest.raises(ValueError, match=f"^{re.escape(message)} \\(<text>:3\\)$"):
        m.cost(params)


# Numbers


def test_equal_entries_normalise_to_zero() -> None:
    """Two-pass: no digits are lost far from 0."""
    m = bpc.load("dim N\nparam x: [N, 64]\ncost J = sum(layer_norm(x, 1, 0)^2)\noutput y = x")
    for dtype in (np.float32, np.float64):
        cost, grads = m.value_and_grad({"x": np.full((3, 64), 1e4 + 0.1, dtype)})
        assert cost == 0 and not grads["x"].any()
    far = 1e4 + np.random.default_rng(0).normal(size=(3, 64))
    assert m.cost({"x": far}) == pytest.approx(3 * 64, rel=1e-3)
