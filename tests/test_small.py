"""What -O2 does for small arrays: numbers as arrays, entries laid out, workspaces that are kept."""

import re
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import bpc

NET = """
dim N, D, H
input x: [N, D], y: [N]
param W: [D, H], b: [H], v: [H]
cost J = sum(2 * (relu(x @ W + b) @ v - y)^2) / N
"""
NAMED = """
dim N, D
input key: [N, D], found: [N]
param work: [D], parts: [D]
cost J = sum((tanh(key @ work * (key @ parts)) - found)^2) / N
"""


def made(shapes: dict[str, tuple[int, ...]], dtype: str = "float64") -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {k: rng.normal(size=s).astype(dtype) for k, s in shapes.items()}


def kernel(code: str, name: str) -> str:
    return code.partition(f"def _{name}(")[2].partition("\n\n\n")[0]


def test_numbers_and_what_is_stretched_stand_in_the_workspace() -> None:
    code = bpc.compile_source(NET, "n.bp", level=2)
    lines = kernel(code, "value_and_grad_tile")
    assert not re.search(r"(?<![\w.])\d+\.\d", lines), "numbers of Python's in calls of NumPy"
    assert "b_rows = _stretched(b, " in lines


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [1, 7, 3000])
def test_the_same_on_both_sides_of_what_is_few(rows: int, dtype: str) -> None:
    """8,192 entries are laid out, 1,024 are multiplied at once, 64 rows are added up at once."""
    params = made({"W": (4, 6), "b": (6,), "v": (6,)}, dtype)
    inputs = made({"x": (rows, 4), "y": (rows,)}, dtype)
    kept = {k: v.copy() for k, v in params.items()}
    value, grads = bpc.load(NET, level=2).value_and_grad(params, **inputs)
    expected, plain = bpc.load(NET, level=1).value_and_grad(params, **inputs)
    near = 1e-5 if dtype == "float32" else 1e-12
    assert value == pytest.approx(expected, rel=near)
    for k in params:
        np.testing.assert_allclose(grads[k], plain[k], rtol=10 * near, atol=10 * near)
        np.testing.assert_array_equal(params[k], kept[k])


def test_a_size_that_is_divided_by_is_checked_where_it_is_part_of_a_factor() -> None:
    m = bpc.load(NET, level=2)
    params = made({"W": (4, 6), "b": (6,), "v": (6,)})
    with pytest.raises(ValueError, match="division by a size that is 0"):
        m.value_and_grad(params, **made({"x": (0, 4), "y": (0,)}))


def test_columns_have_memory_that_is_kept() -> None:
    m = bpc.load(NAMED, level=2, emit=("hessian",))
    plain = bpc.load(NAMED, level=1, emit=("hessian",))
    params = made({"work": (3,), "parts": (3,)})
    for n in (5, 9, 5):
        inputs = made({"key": (n, 3), "found": (n,)})
        H = m.hessian(params, **inputs)
        first = H.copy()
        np.testing.assert_allclose(H, plain.hessian(params, **inputs), rtol=1e-10, atol=1e-12)
        m.hessian({k: 2 * v for k, v in params.items()}, **inputs)
        np.testing.assert_array_equal(H, first)  # it shows no memory of the workspace
        assert m.value_and_grad(params, **inputs)[0] == pytest.approx(
            plain.value_and_grad(params, **inputs)[0]
        )
    assert len(vars(m._WORK)) == 4
    with pytest.raises(ValueError, match=r"found has shape \(5,\), expected \[N\], N = 4"):
        m.hessian(params, **made({"key": (4, 3), "found": (5,)}))


def test_results_show_no_memory_of_the_workspace() -> None:
    """Numbers, too: of logsumexp, entries, and what is left of an axis of size 1."""
    text = """
param w: [3], s
output a = logsumexp(w), b = softmax(w)[1], c = (w * 2)[:1][0], d = s * logsumexp(w)
output e = softmax(w), f = max(exp(w))
cost J = s * a + b * c + d
"""
    m = bpc.load(text, level=2, emit=("jacobian", "hessian", "jvp", "hvp"))
    params = made({"w": (3,), "s": ()})

    def results(scale: float) -> list[Any]:
        given = {k: scale * v for k, v in params.items()}
        J, grads = m.value_and_grad(given)
        slope = m.jvp(given, params)
        rows = [row.values() for row in m.jacobian(given).values()]
        found = [J, *grads.values(), *m.forward(given).values(), *slope]
        found += [*m.hvp(given, params).values(), m.hessian(given), m.cost(given)]
        return [*found, *(x for row in rows for x in row)]

    found = results(1)
    kept = [np.array(x) for x in found]
    results(9)
    for before, after in zip(kept, found):
        np.testing.assert_array_equal(after, before)


def test_a_thread_keeps_eight_workspaces() -> None:
    m = bpc.load(NET, level=2)
    params = made({"W": (4, 6), "b": (6,), "v": (6,)})
    for n in range(1, 20):
        m.cost(params, **made({"x": (n, 4), "y": (n,)}))
    assert len(vars(m._WORK)) == 8
    assert {k[4][0] for k in vars(m._WORK)} == set(range(12, 20))


SCALARS = "param x = -1.2, y = 1\ncost J = 100 * (y - x^2)^2 + (1 - x)^2"


@pytest.mark.parametrize("level", [0, 1, 2])
def test_what_is_wrong_with_numbers_is_said(level: int) -> None:
    m: ModuleType = bpc.load(SCALARS, level=level)
    assert m.value_and_grad({"y": 1.0, "x": 1.0}) == (0.0, {"x": 0.0, "y": 0.0})
    for params, error, text in (
        ({"x": 1.0}, ValueError, "lacks y"),
        ({"x": 1.0, "y": 1.0, "z": 1.0}, ValueError, "has the unknown z"),
        ([1.0, 2.0], TypeError, "expected a dict"),
        (None, TypeError, "expected a dict"),
        ({"x": "a", "y": 1.0}, TypeError, "x has dtype"),
        ({"x": np.ones(2), "y": 1.0}, ValueError, "expected a scalar"),
    ):
        for f in (m.value_and_grad, m.cost):
            with pytest.raises(error, match=text) as found:
                f(params)
            assert found.value.__context__ is None
    value, grads = m.value_and_grad({"x": np.float32(1), "y": np.float32(2)})
    assert value == 100.0 and {g.dtype for g in grads.values()} == {np.dtype("float32")}


PARTS = """
dim N
input y: [N]
param x: [N], w: [3]
cost J = sum((x[1:] - x[:-1]^2)^2) + sum(x[::-2] * y[::-2]) + x[0] * x[2] + w[0] * w[2]
"""


def test_parts_of_a_gradient_are_added_where_they_belong() -> None:
    params, inputs = made({"x": (7,), "w": (3,)}), made({"y": (7,)})
    value, grads = bpc.load(PARTS, level=2).value_and_grad(params, **inputs)
    expected, plain = bpc.load(PARTS, level=1).value_and_grad(params, **inputs)
    assert value == pytest.approx(expected)
    for k in params:
        np.testing.assert_allclose(grads[k], plain[k], rtol=1e-12)
    lines = kernel(bpc.compile_source(PARTS, "n.bp", level=2), "value_and_grad")
    assert lines.count("_overlaid(") == 2


def test_helpers_do_the_same_for_few_and_for_many() -> None:
    text = """
dim N, C
input x: [N, C], label: int[N]
param W: [C, C]
z = relu(x @ W)
cost J = mean(cross_entropy(z, label)) + mean(logsumexp(z, axis=1))
"""
    m, plain = bpc.load(text, level=2), bpc.load(text, level=1)
    params = made({"W": (6, 6)})
    for n in (1, 40, 900):
        x = made({"x": (n, 6)})["x"]
        label = np.arange(n) % 6
        label[-1] = -1
        value, grads = m.value_and_grad(params, x, label)
        expected, right = plain.value_and_grad(params, x, label)
        assert value == pytest.approx(expected)
        np.testing.assert_allclose(grads["W"], right["W"], rtol=1e-10, atol=1e-14)
        for wrong in (6, -2):
            label[0] = wrong
            with pytest.raises(ValueError, match=rf"label\[0\] is {wrong}, expected 0 to 5"):
                m.value_and_grad(params, x, label)
            label[0] = 0
    rows = bpc.load("dim N, M\nparam x: [N, M]\ncost J = max(logsumexp(x, axis=1))", level=2)
    x = np.full((3, 5), -np.inf)
    assert rows.cost({"x": x}) == -np.inf
    x[1] = 2.0
    assert rows.cost({"x": x}) == pytest.approx(2 + np.log(5))
