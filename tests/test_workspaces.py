"""Memory that -O2 keeps between calls, and gradients that are written into arrays of the caller."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpc
from programs import draw

ROOT = Path(__file__).parents[1]
LEVELS = (0, 1, 2)
CURVE = """dim N
input x: [N], data: [N]
param a = 1.2, b = 0.7, c = 0.1
y = a * tanh(b * x + c) * exp(-0.3 * x^2)
cost J = mean(log(1 + (y - data)^2))
"""
WHOLE = """dim N, D
input x: [N, D]
param w: [D]
z = x * w
cost J = mean((z - mean(z, axis=0))^4)
"""
MODELS: dict[str, tuple[str, dict[str, int]]] = {
    "digits": ((ROOT / "examples/digits.bp").read_text(), {"N": 3000, "H": 64}),
    "adding": ((ROOT / "examples/adding.bp").read_text(), {"N": 512, "T": 20, "H": 32}),
    "logistic": ((ROOT / "examples/logistic_regression.bp").read_text(), {"N": 60_000, "D": 5}),
    "curve": (CURVE, {"N": 300_000}),
    "whole": (WHOLE, {"N": 20_000, "D": 20}),
}


def made(name: str, dtype: type = np.float64, level: int = 2) -> tuple[Any, Any, Any]:
    """A module, its params and its inputs."""
    text, sizes = MODELS[name]
    m = bpc.load(text, level=level)
    params, inputs = draw(m, sizes, 0)
    real = lambda v: np.asarray(v, dtype if v.dtype.kind == "f" else v.dtype)
    return m, *({k: real(np.asarray(v)) for k, v in d.items()} for d in (params, inputs))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", MODELS)
def test_a_step_with_out_allocates_no_arrays(name: str, dtype: type) -> None:
    """But sums of blocks of float32, and data that are transposed: see docs/speed.md.

    What NumPy itself buffers for a moment is made small.
    """
    m, params, inputs = made(name, dtype)
    out = {k: np.empty_like(v) for k, v in params.items()}
    before = np.setbufsize(32)
    try:
        for _ in range(2):
            m.value_and_grad(params, **inputs, out=out)
        tracemalloc.start()
        m.value_and_grad(params, **inputs, out=out)
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        np.setbufsize(before)
    kept = sum(m._size(work) for work in vars(m._WORK).values())
    blocks = 0 if dtype is np.float64 and name != "adding" else kept // 32
    assert kept > 3 * 10**5 and taken < blocks + 10_000, f"{taken} bytes beside {kept}"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_written_into_out(name: str, level: int) -> None:
    m, params, inputs = made(name, level=level)
    value, grads = m.value_and_grad(params, **inputs)
    flat = np.empty(sum(v.size for v in params.values()))  # as an optimiser of vectors has them
    ends = np.cumsum([v.size for v in params.values()])
    parts = zip(params.items(), np.split(flat, ends[:-1]))
    out = {k: part.reshape(v.shape) for (k, v), part in parts}
    again, same = m.value_and_grad(params, **inputs, out=out)
    assert (again, same is out) == (value, True)
    for k, v in grads.items():
        np.testing.assert_array_equal(out[k], v)
        assert np.shares_memory(out[k], flat)


@pytest.mark.parametrize("level", LEVELS)
def test_what_out_must_be(level: int) -> None:
    """The same at all levels; where it is not, nothing is written."""
    m, params, inputs = made("digits", level=level)
    out = {k: np.full_like(v, 7.0) for k, v in params.items()}
    shape = params["b1"].shape
    room = np.empty((2, *shape))
    array = rf"out\['b1'\] must be a contiguous float64 array of shape \({shape[0]},\)"
    shares = r"out\['b1'\] shares memory with another array"
    lacking = {k: v for k, v in out.items() if k != "b1"}
    for wrong, error, message in (
        ({"b1": np.empty((3, 3))}, ValueError, array),
        ({"b1": np.empty(shape, np.float32)}, ValueError, array),
        ({"b1": np.empty(2 * shape[0])[::2]}, ValueError, array),
        ({"b1": [0.0] * shape[0]}, ValueError, array),
        ({"b1": 0.0}, ValueError, array),
        ({"b1": params["b1"]}, ValueError, shares),
        ({"b1": out["W1"][0, : shape[0]]}, ValueError, shares),
        ({"b1": inputs["x"].reshape(-1)[: shape[0]]}, ValueError, shares),
        (
            {"b1": room[0], "b2": room[0][: params["b2"].size]},
            ValueError,
            shares.replace("b1", "b2"),
        ),
        (None, ValueError, "^out lacks b1$"),
        (list(out.values()), TypeError, "^out is <class 'list'>, expected a dict$"),
    ):
        given = {**out, **wrong} if isinstance(wrong, dict) else wrong or lacking
        with pytest.raises(error, match=message):
            m.value_and_grad(params, **inputs, out=given)
        assert all((v == 7.0).all() for v in out.values())


def test_a_thread_keeps_eight_workspaces_and_none_that_is_large() -> None:
    m, params, inputs = made("whole")
    kept = lambda: vars(m._WORK)
    for n in range(2, 14):
        m.value_and_grad(params, inputs["x"][:n])
    assert len(kept()) == 8
    m.value_and_grad({"w": np.ones(2000)}, np.ones((9000, 2000)))
    sizes = [m._size(work) for work in kept().values()]
    assert len(sizes) <= 8 and max(sizes) <= 2**27


def test_values_before_the_tiles_are_known_after_them_by_their_names() -> None:
    """A loop that follows the tiles starts with what has a name of the source before them."""
    text = """dim N, M
input x: [N, 3], y: [M]
param w = 0.4, v: [3]
g = sum(tanh(x @ v))
scan t in 0..M-1 carry (c = w * ones(3)) { c = tanh(0.5 * c + 0.1 * g * y[t]) }
s = w * ones(3)
cost J = mean(c) + sum(tanh(s) * v)
"""
    params = {"w": 0.3, "v": np.array([0.1, -0.2, 0.7])}
    inputs = {"x": np.linspace(-1, 1, 12).reshape(4, 3), "y": np.array([0.5, -1.0])}
    assert "_cost_tile" in bpc.compile_source(text, level=2)
    values = [bpc.load(text, level=level).cost(params, **inputs) for level in LEVELS]
    np.testing.assert_allclose(values, values[0], rtol=1e-13)
