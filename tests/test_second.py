"""Derivatives of derivatives: `jvp`, `hvp`, `hessian`, `jacobian` and `grad` in expressions.

Every function with a gradient is driven by its entry in the registry, as in test_ops: what is along
a direction agrees with differences of the gradient, and the two ways to a second derivative, forward
over reverse and reverse over reverse, agree with each other.
"""

from __future__ import annotations

import inspect
import itertools
import re
from functools import cache
from types import ModuleType
from typing import Any

import black
import numpy as np
import pytest

import bpc
from bpc.codegen.check import check_output
from bpc.diagnostics import UsageError
from bpc.ops import OPS
from oracle import slope
from test_ops import (
    LANGUAGE,
    NO_GRADIENT,
    SCALARS,
    Arrays,
    Call,
    arity,
    calls,
    draw,
    own,
    scalar_call,
    source,
)

LEVELS = (0, 1, 2)
SMOOTH = [name for name in LANGUAGE if name not in NO_GRADIENT and name != "size"]
WIDE = (-3.0, 3.0)


@cache
def some(name: str) -> tuple[Call, ...]:
    """The cases of a function's entry, without those that only broadcast."""
    return tuple(c for c in calls(name) if not c.tag.startswith("b") or c.tag in ("b2", "b9"))


@cache
def program(name: str) -> str:
    return source(some(name))


def module(name: str, level: int) -> ModuleType:
    return bpc.load(program(name), level=level, emit=("jvp", "hvp"), verify_ir=level == 1)


def direction(params: Arrays, rng: np.random.Generator) -> Arrays:
    return {k: np.asarray(rng.uniform(-1, 1, np.shape(v))) for k, v in params.items()}


def inner(a: Arrays, b: Arrays) -> float:
    return sum(float(np.sum(np.asarray(a[k]) * b[k])) for k in b)


def moved(params: Arrays, way: Arrays, h: float) -> Arrays:
    return {k: v + h * way[k] for k, v in params.items()}


def size_of(products: Arrays, way: Arrays) -> float:
    """The scale of an inner product, by its terms."""
    return 1 + sum(float(np.abs(np.asarray(products[k]) * way[k]).sum()) for k in way)


# Every function


@pytest.mark.parametrize("name", SMOOTH)
def test_second_derivatives(name: str) -> None:
    """jvp is the gradient's inner product, hvp its slope; the Hessian is symmetric."""
    plain, short = module(name, 0), module(name, 1)
    check_along_directions(name, plain, "-O0")
    check_along_directions(name, short, "-O1")
    check_gradient_in_an_expression(name, short)


def check_along_directions(name: str, m: ModuleType, level: str) -> None:
    params, inputs = draw(some(name), m, np.random.default_rng(2))
    rng = np.random.default_rng(3)
    cost, grads = m.value_and_grad(params, **inputs)
    for _ in range(2):
        way, other = direction(params, rng), direction(params, rng)
        value, along = m.jvp(params, way, **inputs)
        assert type(value) is float and type(along) is float
        assert value == pytest.approx(cost, rel=1e-13)
        assert abs(along - inner(grads, way)) <= 1e-12 * size_of(grads, way), name
        products = m.hvp(params, way, **inputs)
        assert list(products) == list(params)
        own(list(products.items()), [*params.items(), *inputs.items(), *way.items()], name)

        def turned(h: float, way: Arrays = way, other: Arrays = other) -> float:
            return inner(m.value_and_grad(moved(params, way, h), **inputs)[1], other)

        measured, error = slope(turned, 0.01)
        claimed, scale = inner(products, other), size_of(products, other)
        assert error < 1e-6 * (scale + abs(measured)), f"{name}: differences do not settle: {error}"
        assert abs(claimed - measured) <= 1e-7 * (scale + abs(measured)) + 2 * error, (
            f"{name} at {level}: hvp gives {claimed!r}, differences {measured!r} (± {error:.1e})"
        )
        back = inner(m.hvp(params, other, **inputs), way)
        assert abs(claimed - back) <= 1e-10 * scale, f"{name}: {claimed!r} is not {back!r}"


@cache
def inside(name: str) -> str:
    """A program whose cost is the derivative of another's along inputs `v_`."""
    lines = program(name).split("\n")
    start = next(i for i, line in enumerate(lines) if line.startswith("cost J"))
    params = [line for line in lines if line.startswith("param")]
    terms = [
        f"sum(v_{p.split()[1].rstrip(':')} * grad(J, {p.split()[1].rstrip(':')}))" for p in params
    ]
    cost = lines[start].removeprefix("cost ")
    directions = [p.replace("param ", "input v_", 1) for p in params]
    return "\n".join([*lines[:start], *directions, cost, f"cost K = {' + '.join(terms)}"])


def check_gradient_in_an_expression(name: str, plain: ModuleType) -> None:
    """Reverse over reverse gives what forward over reverse does."""
    m = bpc.load(inside(name))
    params, inputs = draw(some(name), plain, np.random.default_rng(4))
    way = direction(params, np.random.default_rng(5))
    given = inputs | {f"v_{k}": v for k, v in way.items()}
    cost, grads = m.value_and_grad(params, **given)
    expected = plain.hvp(params, way, **inputs)
    assert cost == pytest.approx(plain.jvp(params, way, **inputs)[1], rel=1e-9, abs=1e-10)
    for key, product in expected.items():
        scale = 1 + np.abs(product).max(initial=0)
        np.testing.assert_allclose(grads[key], product, rtol=1e-9, atol=1e-11 * scale, err_msg=name)


@pytest.mark.parametrize("level", [1, 2])  # -O0 has the columns of -O1
@pytest.mark.parametrize("name", SMOOTH)
def test_matrices(name: str, level: int) -> None:
    """hessian has hvp's columns; jacobian times a vector is the slope of the outputs."""
    call = some(name)[0]
    emit = ("hvp", "hessian", "jacobian")[: 2 if name == "arange" else 3]  # that has ints alone
    m = bpc.load(source((call,)), level=level, emit=emit, verify_ir=True)
    params, inputs = draw((call,), m, np.random.default_rng(6))
    hessian = m.hessian(params, **inputs)
    count = sum(v.size for v in params.values())
    own([("hessian", hessian)], [*params.items(), *inputs.items()], name)
    assert hessian.shape == (count, count)
    scale = 1 + np.abs(hessian).max(initial=0)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-10, atol=1e-12 * scale)
    for column, unit in zip(hessian.T, np.eye(count)):
        found = m.hvp(params, m.unravel(unit), **inputs)
        np.testing.assert_allclose(column, m.ravel(found), rtol=1e-12, atol=1e-13 * scale)
    if "jacobian" not in emit:
        return
    seen = read_by(m.forward, inputs)
    jacobian = m.jacobian(params, **read_by(m.jacobian, inputs))
    assert list(jacobian) == [k for k, kind in m.OUTPUTS.items() if kind.startswith("real")]
    way, rng = direction(params, np.random.default_rng(7)), np.random.default_rng(8)
    for output, blocks in jacobian.items():
        value = outputs(m, params, seen)[output]
        assert list(blocks) == list(params)
        own(list(blocks.items()), [*params.items(), *seen.items()], name)
        seed = rng.uniform(-1, 1, value.shape)

        def seeded(h: float, seed: Any = seed, output: str = output) -> float:
            return float((seed * outputs(m, moved(params, way, h), seen)[output]).sum())

        measured, error = slope(seeded, 0.01)
        claimed = 0.0
        for key, block in blocks.items():
            assert block.shape == value.shape + params[key].shape, (name, output, key)
            claimed += float((seed.ravel() @ block.reshape(seed.size, -1)) @ way[key].ravel())
        assert abs(claimed - measured) <= 1e-7 * (1 + abs(measured)) + 2 * error, (name, output)


def outputs(m: ModuleType, params: Arrays, inputs: Arrays) -> Arrays:
    found = m.forward(params, **inputs)
    return found if isinstance(found, dict) else dict(zip(m.OUTPUTS, [found]))


def read_by(function: Any, inputs: Arrays) -> Arrays:
    """Those inputs that a function takes."""
    return {k: v for k, v in inputs.items() if k in inspect.signature(function).parameters}


@pytest.mark.parametrize("name", [n for n in SCALARS if n in SMOOTH])
def test_second_derivative_of_scalars(name: str) -> None:
    """grad(grad(...)) on Python floats and on arrays is the Hessian."""
    names = ["x", "y", "z"][: OPS[name].domain and len(OPS[name].domain) or arity(OPS[name])]
    domain = OPS[name].domain or (WIDE,) * len(names)
    point = {
        v: low + (0.4 + k / 7) * (high - low)
        for k, (v, (low, high)) in enumerate(zip(names, domain))
    }
    head = f"param {', '.join(names)}\nu = {scalar_call(name)}\n"
    pairs = list(itertools.product(names, names))
    second = "".join(f"u_{a}{b} = grad(grad(u, {a}), {b})\n" for a, b in pairs)
    listed = ", ".join(f"u_{a}{b}" for a, b in pairs)
    for extra in ("", "output e = zeros(3)\n"):
        for level in LEVELS:
            plain = bpc.load(f"{head}{extra}cost J = u", level=level, emit=("hessian", "hvp"))
            nested = bpc.load(f"{head}{second}{extra}output {listed}\ncost J = u", level=level)
            assert ("_converted" in vars(plain)) == (not extra)
            hessian = plain.hessian(point)
            found = nested.forward(point)
            got = [
                float(found[f"u_{a}{b}"] if isinstance(found, dict) else found) for a, b in pairs
            ]
            np.testing.assert_allclose(got, hessian.ravel(), rtol=1e-9, atol=1e-12)

            def slopes(h: float, level: int = level, plain: ModuleType = plain) -> float:
                moved = {v: x + h * (1 + k) for k, (v, x) in enumerate(point.items())}
                return float(plain.value_and_grad(moved)[1][names[0]])

            measured, error = slope(slopes, 0.01)
            along = hessian[0] @ np.arange(1, len(names) + 1)
            assert abs(along - measured) <= 1e-7 * (1 + abs(measured)) + 2 * error, name


# Models of every kind

NET = """dim N
input x: [N, 3], y: [N], unused: [2]
param W: [3, 4] ~ glorot, b: [4], v: [4] ~ glorot
h = tanh(x @ W + b)
p = h @ v
cost J = mean((p - y)^2) + 0.01 * sum(W^2)
output p, h
"""
ALL = ("jvp", "hvp", "hessian", "jacobian", "per_example")


def net_data(seed: int = 0, n: int = 5) -> tuple[Arrays, Arrays]:
    rng = np.random.default_rng(seed)
    params = {"W": rng.normal(size=(3, 4)), "b": rng.normal(size=4), "v": rng.normal(size=4)}
    return params, {"x": rng.normal(size=(n, 3)), "y": rng.normal(size=n), "unused": np.ones(2)}


def test_polynomials_by_hand() -> None:
    """J = a^2 b + b^3: everything about it is known."""
    text = "param a, b\ncost J = a^2 * b + b^3\noutput p = a * b, q = a + 1"
    a, b = 2.0, 3.0
    point = {"a": a, "b": b}
    for level in LEVELS:
        for extra in ("", "\noutput e = zeros(2)"):
            m = bpc.load(text + extra, level=level, emit=ALL[:4])
            assert m.jvp(point, {"a": 1, "b": 10}) == (39.0, 2 * a * b + 10 * (a * a + 3 * b * b))
            assert m.hvp(point, {"a": 1.0, "b": 0.0}) == {"a": 2 * b, "b": 2 * a}
            assert m.hvp(point, {"a": 0.0, "b": 1.0}) == {"a": 2 * a, "b": 6 * b}
            assert m.hessian(point).tolist() == [[2 * b, 2 * a], [2 * a, 6 * b]]
            blocks = m.jacobian(point)
            assert blocks["p"] == {"a": b, "b": a} and blocks["q"] == {"a": 1.0, "b": 0.0}


def test_signatures_and_docs() -> None:
    """jvp and hvp take their direction second; jacobian takes what forward does; all have docs."""
    m = bpc.load(NET, emit=ALL)
    names = {f: list(inspect.signature(getattr(m, f)).parameters) for f in ALL}
    assert names["jvp"] == ["params", "tangents", "x", "y", "unused"]
    assert names["hvp"] == ["params", "vector", "x", "y", "unused"]
    assert names["hessian"] == names["per_example"] == ["params", "x", "y", "unused"]
    assert names["jacobian"] == ["params", "x"]
    assert all(getattr(m, f).__doc__ for f in ALL)
    assert not any(hasattr(bpc.load(NET), f) for f in ALL)
    with pytest.raises(UsageError, match=r"^--emit hvq: .*hvp"):
        bpc.load(NET, emit=("hvq",))
    for text in ("param w\ncost J = w^2", "param w\ncost J = w^2\noutput k = 3 > 2"):
        with pytest.raises(UsageError, match="^--emit jacobian: the program has no"):
            bpc.load(text, emit=("jacobian",))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("wrt", [("x",), ("y", "W"), ("b", "y", "x", "v"), ("unused", "b")])
def test_by_inputs_too(wrt: tuple[str, ...], level: int) -> None:
    """With `wrt` all of them go by exactly what it names."""
    m = bpc.load(NET, level=level, wrt=wrt, emit=ALL)
    params, inputs = net_data()
    given = params | inputs
    rng = np.random.default_rng(1)
    way = {k: rng.normal(size=given[k].shape) for k in wrt}
    _, grads = m.value_and_grad(params, **inputs)
    assert list(grads) == list(wrt)
    assert m.jvp(params, way, **inputs)[1] == pytest.approx(inner(grads, way), rel=1e-12)
    products = m.hvp(params, way, **inputs)
    assert [(k, v.shape) for k, v in products.items()] == [(k, given[k].shape) for k in wrt]
    flat = np.concatenate([way[k].ravel() for k in wrt])
    hessian = m.hessian(params, **inputs)
    np.testing.assert_allclose(
        hessian @ flat, np.concatenate([products[k].ravel() for k in wrt]), atol=1e-12
    )
    for output, blocks in m.jacobian(params, **read_by(m.jacobian, inputs)).items():
        assert list(blocks) == list(wrt)
        expected = bpc.load(NET, wrt=wrt).forward(params, x=inputs["x"])[output]
        assert all(b.shape == expected.shape + given[k].shape for k, b in blocks.items())
        assert ("unused" not in wrt) or not blocks["unused"].any()
        if "x" in wrt and output == "p":
            h = np.tanh(inputs["x"] @ params["W"] + params["b"])
            rows = ((1 - h**2) * params["v"]) @ params["W"].T
            assert np.allclose(blocks["x"][range(5), range(5)], rows)
            assert np.allclose(blocks["x"].sum(1), rows)


@pytest.mark.parametrize("level", LEVELS)
def test_float32(level: int) -> None:
    m = bpc.load(NET, level=level, emit=ALL)
    params, inputs = net_data()
    narrow = {k: v.astype(np.float32) for k, v in params.items()}
    few = {k: v.astype(np.float32) for k, v in inputs.items()}
    way = {k: np.ones_like(v) for k, v in narrow.items()}
    wide = {k: np.ones_like(v) for k, v in params.items()}
    found, expected = m.hvp(narrow, way, **few), m.hvp(params, wide, **inputs)
    assert {v.dtype for v in found.values()} == {np.dtype(np.float32)}
    for key in expected:
        np.testing.assert_allclose(found[key], expected[key], rtol=1e-3, atol=1e-4)
    assert m.hessian(narrow, **few).dtype == np.float32
    per = m.per_example(narrow, **few)
    assert {v.dtype for v in per.values()} == {np.dtype(np.float32)}
    for blocks in m.jacobian(narrow, x=few["x"]).values():
        assert {v.dtype for v in blocks.values()} == {np.dtype(np.float32)}


def test_what_does_not_vary() -> None:
    """Outputs and gradients that are constant: zeros of the right shape and dtype."""
    text = "dim N\ninput i: int[N]\nparam a: [2], b: [3]\no = one_hot(i, 3)\n"
    text += "c = 5\ncost J = 3 * sum(a) + 0 * sum(o)\noutput o, c, a"
    for level in LEVELS:
        for dtype in (np.float64, np.float32):
            m = bpc.load(text, level=level, emit=("jvp", "hvp", "hessian", "jacobian"))
            params, i = {"a": np.ones(2, dtype), "b": np.ones(3, dtype)}, np.array([0, 2])
            products = m.hvp(params, params, i)
            assert [(v.shape, v.dtype) for v in products.values()] == [((2,), dtype), ((3,), dtype)]
            assert not any(v.any() for v in products.values())
            assert m.jvp(params, params, i) == (6.0, 6.0)
            assert m.hessian(params, i).tolist() == np.zeros((5, 5)).tolist()
            blocks = m.jacobian(params, i)
            assert {k: v.shape for k, v in blocks["o"].items()} == {"a": (2, 3, 2), "b": (2, 3, 3)}
            assert {v.dtype for b in blocks.values() for v in b.values()} == {np.dtype(dtype)}
            assert blocks["a"]["a"].tolist() == np.eye(2).tolist()
            assert not any(v.any() for k in ("o",) for v in blocks[k].values())


BAD_DIRECTIONS: dict[str, tuple[Any, str]] = {
    "lacks one": ({"W": np.ones((3, 4))}, "{} has not exactly the names W, b, v"),
    "one too many": (dict.fromkeys("Wbvx", np.ones(4)), "{} has not exactly the names W, b, v"),
    "no dict": ([1, 2, 3], "{} has not exactly the names W, b, v"),
    "shape": ({"W": np.ones((4, 3)), "b": np.ones(4), "v": np.ones(4)},
              r"{} of W has shape (4, 3), expected (3, 4)"),
    "scalar": ({"W": np.ones((3, 4)), "b": 1.0, "v": np.ones(4)},
               r"{} of b has shape (), expected (4,)"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_DIRECTIONS)
def test_directions_are_checked(case: str) -> None:
    given, message = BAD_DIRECTIONS[case]
    m = bpc.load(NET, emit=("jvp", "hvp"))
    params, inputs = net_data()
    for function, what in ((m.jvp, "tangents"), (m.hvp, "vector")):
        with pytest.raises(ValueError) as error:
            function(params, given, **inputs)
        assert str(error.value) == message.format(what)


def test_directions_of_any_kind() -> None:
    """Lists, ints, views and the order of names do not matter; nothing given is changed."""
    m = bpc.load(NET, emit=("hvp", "jvp"))
    params, inputs = net_data()
    way = {"v": [1, 2, 3, 4], "b": np.arange(8)[::-2], "W": np.ones((4, 3)).T}
    before = {k: np.array(v) for k, v in way.items()}
    plain = {k: np.array(way[k], float) for k in params}
    expected = m.hvp(params, plain, **inputs)
    for key, value in m.hvp(params, way, **inputs).items():
        assert np.array_equal(value, expected[key])
    assert m.jvp(params, way, **inputs) == m.jvp(params, plain, **inputs)
    assert all(np.array_equal(before[k], way[k]) for k in way)


def test_dropout_is_the_same_mask() -> None:
    """Equal generators give equal masks in all functions; none, no mask."""
    text = NET.replace("tanh(x @ W + b)", "dropout(tanh(x @ W + b), 0.5)")
    m = bpc.load(text, emit=("jvp", "hvp", "hessian", "per_example"), level=1)
    params, inputs = net_data()
    way = direction(params, np.random.default_rng(1))
    quiet = m.hvp(params, way, **inputs)
    for number in (None, 7):

        def drawn(number: int | None = number) -> Any:
            return None if number is None else np.random.default_rng(number)

        cost, grads = m.value_and_grad(params, **inputs, rng=drawn())
        value, along = m.jvp(params, way, **inputs, rng=drawn())
        assert (value, along) == (pytest.approx(cost), pytest.approx(inner(grads, way)))
        products = m.hvp(params, way, **inputs, rng=drawn())

        def turned(h: float, drawn: Any = drawn) -> float:
            return inner(m.value_and_grad(moved(params, way, h), **inputs, rng=drawn())[1], way)

        measured, error = slope(turned, 0.01)
        assert inner(products, way) == pytest.approx(measured, rel=1e-7, abs=10 * error)
        hessian = m.hessian(params, **inputs, rng=drawn())
        assert np.allclose(hessian @ m.ravel(way), m.ravel(products))
        same = all(np.allclose(products[k], quiet[k]) for k in products)
        assert same == (number is None)


LOOP = """dim T, N
input X: [T, N, 2]
param W: [2, 3], U: [3, 3], h0: [3]
scan t in 0..T-1 carry (h = broadcast(h0, [N, 3])) {
    h = tanh(X[t] @ W + h @ U)
    emit hs = h
}
cost J = sum(h^2) / N + mean(sin(hs))
output h, hs
"""


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("steps", [0, 1, 4])
def test_loops(steps: int, level: int) -> None:
    """Second derivatives through a scan, with T = 0 too."""
    text = LOOP if steps else LOOP.replace("mean(sin(hs))", "sum(sin(hs))")
    m = bpc.load(text, level=level, emit=ALL[:4], verify_ir=True)
    rng = np.random.default_rng(9)
    params = {k: rng.normal(size=s) for k, s in (("W", (2, 3)), ("U", (3, 3)), ("h0", (3,)))}
    X = rng.normal(size=(steps, 2, 2))
    way, other = direction(params, rng), direction(params, rng)
    _, grads = m.value_and_grad(params, X)
    assert m.jvp(params, way, X)[1] == pytest.approx(inner(grads, way), rel=1e-12, abs=1e-14)
    products = m.hvp(params, way, X)

    def turned(h: float) -> float:
        return inner(m.value_and_grad(moved(params, way, h), X)[1], other)

    measured, error = slope(turned, 0.02)
    assert inner(products, other) == pytest.approx(measured, rel=1e-7, abs=10 * error + 1e-10)
    hessian = m.hessian(params, X)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-12)
    np.testing.assert_allclose(hessian @ m.ravel(way), m.ravel(products), atol=1e-12)
    blocks = m.jacobian(params, X)
    assert blocks["hs"]["U"].shape == (steps, 2, 3, 3, 3)
    along = np.tensordot(blocks["h"]["h0"], way["h0"], 1)

    def last(h: float) -> float:
        return float(m.forward(params | {"h0": params["h0"] + h * way["h0"]}, X)["h"].sum())

    assert along.sum() == pytest.approx(slope(last, 0.02)[0], rel=1e-7)


def test_names_of_the_wrappers() -> None:
    """A model may use any of the names that stand in the functions."""
    names = ["tangents", "vector", "varied", "dots", "columns", "outputs", "products", "unit", "seed",
             "axes", "examples", "rows", "one", "value", "slope", "jvp", "hvp", "hessian", "rng",
             "jacobian", "per_example", "w_dot", "u", "arrays"]  # fmt: skip
    inputs = "".join(f"input {n}: [N]\n" for n in names)
    text = f"dim N\n{inputs}param w\np = w * ({' + '.join(names)})\noutput p\ncost J = mean(sin(p))"
    m = bpc.load(text, emit=ALL)
    given = [np.full(2, 0.1)] * len(names)
    total = 0.1 * len(names)
    point, way = {"w": np.float64(0.5)}, {"w": np.float64(1)}
    second = pytest.approx(-(total**2) * np.sin(0.5 * total))
    assert m.jvp(point, way, *given)[1] == pytest.approx(total * np.cos(0.5 * total))
    assert m.hvp(point, way, *given)["w"] == m.hessian(point, *given) == second
    assert np.allclose(m.jacobian(point, *given)["p"]["w"], total)
    assert m.per_example(point, *given)["w"].shape == (2,)


# One example at a time

USE = "use nn\ndim N\n"
ACCEPTED: dict[str, str] = {
    "a net": USE + """input x: [N, 4], label: int[N]
h = relu(nn.dense(x, 8) as up)
logits = nn.dense(h, 3) as head
cost J = mean(cross_entropy(logits, label, smoothing=0.1)) + 0.01 * sum(head.W^2)""",
    "sum / N": USE + """input x: [N, 4], y: [N]
p = (nn.dense(tanh(nn.dense(x, 5) as up), 1) as down)[:, 0]
cost J = sum((p - y)^2) / N""",
    "sum": "dim N\ninput x: [N, 3], l: int[N]\nparam W: [3, 5]\ncost J = sum(nll(log_softmax(x @ W), l))",
    "1/N": "dim N\ninput x: [N]\nparam w\ncost J = -(1/N) * sum(bce_with_logits(w * x, sigmoid(x)))",
    "images": USE + """input im: [N, 12, 12, 1], label: int[N]
h = max_pool2d(relu(nn.conv2d(im, 4, 3) as c[1]), 2)
h2 = avg_pool2d(relu(nn.conv2d(h, 4, 3, pad=1, stride=2) as c[2]), 3)
cost J = mean(cross_entropy(nn.dense(reshape(h2, [N, -1]), 3) as head, label))""",
    "sounds": USE + """input s: [N, 9, 2], y: [N]
param K: [3, 2, 4], w: [4]
h = group_norm(conv1d(s, K, pad=1), 1, 0, 2)
cost J = mean((mean(h, axis=1) @ w - y)^2)""",
    "attention": USE + """dim T
input x: [N, T, 8], y: [N]
h = x + (nn.attention(nn.layer_norm(x) as n[1], 2, causal=true) as at)
cost J = mean((max(h, axis=(1, 2)) - y)^2)""",
    "text": USE + """dim T
input t: int[N, T], next: int[N, T]
param pos: [20, 8]
h = nn.rms_norm((nn.embedding(t, 7, 8) as e) + pos[:T])
cost J = sum(cross_entropy(nn.dense(h, 7) as head, next)) / N""",
    "lstm": USE + """dim T
input x: [T, N, 4], y: [N]
h = nn.lstm(x, 3)
param v: [3]
cost J = mean((h[-1] @ v - y)^2)""",
    "gru, a loss each step": USE + """dim T
input x: [T, N, 4], label: int[T, N]
cost J = mean(cross_entropy(nn.dense(nn.gru(x, 3) as g, 3) as head, label))""",
    "a loss in the loop": """dim N, T
input x: [T, N, 3], y: [N]
param w: [3]
scan t in 0..T-1 carry (s = 0, h = zeros(N)) { h = tanh(h + x[t] @ w); s = s + mean((h - y)^2) }
cost J = s""",
    "a mixture": """dim N, D = 2, K = 3
input x: [N, D]
param mu: [K, D], lp: [K]
d = x[:, new, :] - mu[new, :, :]
cost J = -mean(logsumexp(log_softmax(lp) - sum(d^2, axis=-1) / 2, axis=1))""",
    "a masked softmax": """dim N, T
input x: [N, T, 3], m: bool[N, T], y: [N]
param w: [3]
s = softmax(where(m, x @ w, -1e9), axis=1)
cost J = mean(huber(sum(s[:, :, new] * x, axis=(1, 2)), y))""",
    "matrices": """dim N
input A: [N, 3, 3], b: [N, 3]
param w: [3, 3]
S = A @ w @ w.T @ A.T + 3 * eye(3)
cost J = mean(solve(S, b[:, :, new])^2) + mean(logdet(S)) + mean(tril(inv(S)))""",
    "an equation": """dim N
input x: [N]
param w: [5], b: [5], v: [5]
u = tanh(x[:, new] * w[new, :] + b) @ v
ux = grad(sum(u), x)
cost J = mean((grad(sum(ux), x) + sin(x))^2)""",
    "einsum": """dim N, T
input x: [N, T, 3]
param q: [3]
cost J = mean(einsum("nt,ntd->nd", softmax(x @ q), x)^2)""",
    "columns": "dim N\ninput x: [4, N]\nparam W: [2, 4], b: [2]\ncost J = mean(tanh(W @ x + b[:, new]))",
    "the second dim": "dim T, N\ninput x: [T, N]\nparam w\ncost J = mean(max(w * x, axis=0))",
}  # fmt: skip


def sample(m: ModuleType, sizes: dict[str, int], seed: int) -> tuple[Arrays, Arrays]:
    rng = np.random.default_rng(seed)

    def draw(text: str) -> Any:
        kind, _, shape = text.partition(" ")
        dims = tuple(sizes.get(s.strip()) or int(s) for s in shape.strip("[]").split(",") if s)
        if kind == "real":
            return np.asarray(rng.normal(size=dims))
        return rng.integers(0, 3, dims) if kind == "int" else rng.uniform(size=dims) > 0.3

    sized = {k: draw(v) for k, v in m.PARAMS.items()}
    return sized, {k: draw(v) for k, v in m.INPUTS.items()}


def example_axis(kind: str, dim: str) -> int | None:
    names = [s.strip() for s in kind.partition(" ")[2].strip("[]").split(",")]
    return names.index(dim) if dim in names else None


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("case", ACCEPTED)
def test_each_example(case: str, level: int) -> None:
    """What per_example says is the gradient where one example is all the data."""
    text = ACCEPTED[case]
    m = bpc.load(text, level=level, emit=("per_example",))
    sizes = {"N": 4, "T": 3, "D": 2, "K": 3}
    params, inputs = sample(m, sizes, 10)
    dim = "T" if case == "no such" else "N"
    each = m.per_example(params, **inputs)
    assert list(each) == list(params)
    own(list(each.items()), [*params.items(), *inputs.items()], case)
    for i in range(sizes[dim]):
        one = {}
        for key, value in inputs.items():
            axis = example_axis(m.INPUTS[key], dim)
            one[key] = value if axis is None else np.take(value, [i], axis)
        _, grads = m.value_and_grad(params, **one)
        for key, grad in grads.items():
            assert each[key].shape == (sizes[dim], *grad.shape)
            np.testing.assert_allclose(each[key][i], grad, rtol=1e-12, atol=1e-13)
    _, grads = m.value_and_grad(params, **inputs)
    total = "sum" if case == "sum" else "mean"
    for key, grad in grads.items():
        np.testing.assert_allclose(
            getattr(each[key], total)(0), grad, rtol=1e-9, atol=1e-12, err_msg=key
        )


def test_no_examples() -> None:
    m = bpc.load(ACCEPTED["sum"], emit=("per_example",))
    found = m.per_example({"W": np.ones((3, 5))}, np.ones((0, 3)), np.ones(0, int))
    assert found["W"].shape == (0, 3, 5) and found["W"].dtype == float


def test_each_example_by_its_own_entries() -> None:
    """By an input, the gradient is by that example's part of it."""
    m = bpc.load(NET, wrt=("x", "b"), emit=("per_example",))
    params, inputs = net_data()
    each = m.per_example(params, **inputs)
    assert each["x"].shape == (5, 1, 3) and each["b"].shape == (5, 4)
    _, grads = m.value_and_grad(params, **inputs)
    np.testing.assert_allclose(each["x"][:, 0] / 5, grads["x"], rtol=1e-12)


MIX = "dim N\ninput x: [N, 4], y: [N], label: int[N], four: int[4]\nparam w: [4], b, E: [9, 4]\n"
BOTH = "every example meets every other, along two axes N"
SUM = "`{}` of a sum over N is no sum over N"
MEAN = "`{}` of a mean over N is no mean over N"
OWN = "`{}` mixes the entries of N"
COUNTED = "the value of N itself is computed with"
REFUSED: dict[str, str] = {
    "mean(y * b) + 0.1 * sum(y * b)": "a sum over N and a mean over N meet",
    "sum(y * b) * N": "the value of N itself is computed with",
    "mean(y * b) + mean(y * b) / N": "the value of N itself is computed with",
    "sum((y * b)^2) / (N - 1)": "the value of N itself is computed with",
    "exp(mean(y * b))": MEAN.format("exp"),
    "sum(y * b) / sum(y)": SUM.format("div"),
    "mean(y * b) * mean(y)": MEAN.format("mul"),
    "mean((y * b - mean(y * b))^2)": MEAN.format("broadcast"),
    "mean(y * b) * stop(mean(y))": MEAN.format("stop"),
    "where(mean(y) > 0, mean(y * b), 0)": MEAN.format("gt"),
    "sum((x.T @ (x * w))^2)": SUM.format("pow"),
    "dot(y * b, y)^2": SUM.format("pow"),
    "det(x.T @ (x * w))": SUM.format("det"),
    "mean(y * b) + sum(E[sum(label)])": SUM.format("gather"),
    "sum(grad(mean((x @ w - y)^2), w)^2)": COUNTED,
    "sum(grad(sum((x @ w - y)^2), w)^2)": SUM.format("pow"),
    "mean(softmax(y * b, axis=0) * y)": OWN.format("softmax"),
    "mean(log_softmax(y * b)^2)": OWN.format("log_softmax"),
    "mean(cumsum(y * b, axis=0)^2)": OWN.format("cumsum"),
    "mean(roll(y * b, 1, 0) * y)": OWN.format("roll"),
    "prod(y * b)": OWN.format("prod"),
    "mean(x * w) * argmax(y * b)": OWN.format("argmax"),
    "sum(batch_norm(x * w, 1, 0)^2)": "",
    "mean(layer_norm(y * b, 1, 0)^2)": OWN.format("centred"),
    "exp(sum(pad(y * b, 1))) + mean(y)": OWN.format("pad"),
    "mean(tril(x * w))": OWN.format("tril"),
    "mean(triu(x * w)^2)": OWN.format("triu"),
    "mean(y * b) + sum(cross_entropy((x * w).T, four))": OWN.format("cross_entropy"),
    "mean(y * b) + sum(nll((x * w).T, four))": OWN.format("nll"),
    "mean(conv1d((x * b)[new, :, :], ones(3, 4, 2), pad=1)^2)": OWN.format("conv2d"),
    "mean(max_pool2d((x * b)[new, :, :, new], (3, 1), stride=1, pad=(1, 0)))": OWN.format("pad"),
    "mean(avg_pool2d((x * b)[new, :, :, new], (1, 2)))": OWN.format("windows"),
    "mean(attention(x * w, x, x))": BOTH,
    "sum(diag(y * b))": "`eye` numbers the entries of N",
    "max(y * b)": "`max` mixes the entries of N",
    "min(x * w)": "`min` mixes the entries of N",
    "var(y * b)": "`var` mixes the entries of N",
    "std(x * w)": "`std` mixes the entries of N",
    "norm(y * b)": "`norm` mixes the entries of N",
    "logsumexp(y * b)": "`logsumexp` mixes the entries of N",
    "where(any(y > 0), b, 0) * sum(y)": "`any` mixes the entries of N",
    "cosine_similarity(y * b, y)": "`norm` mixes the entries of N",
    "sum((x * w) @ x.T)": BOTH,
    "mean((y[:, new] * b - y[new, :])^2)": BOTH,
    "sum(outer(y * b, y))": BOTH,
    'sum(einsum("nd,md->nm", x, x * w))': BOTH,
    "mean(y * b) + sum(ones(N, N) * b)": BOTH,
    "sum(one_hot(label, N) * b)": BOTH,
    "mean(y * b) + mean(x * w) * (x * w)[0, 0]": "a part of the axis N is taken",
    "mean((y * b)[1:] * (y * b)[:-1])": "a part of the axis N is taken",
    "mean(flip(y, 0) * y * b)": "a part of the axis N is taken",
    "mean((y * b)[label] * y)": "an index picks among the entries of N",
    "mean(reshape(x * w, [4, N])^2)": "`reshape` joins N with another axis",
    "mean(reshape(x * w, [-1])^2)": "`reshape` joins N with another axis",
    "mean(concat(y * b, y)^2)": "`concat` along N mixes its entries",
    "sum(y @ (x * w) * w)": None,  # type: ignore[dict-item]
    "mean(y * b * arange(N))": "`arange` numbers the entries of N",
    "sum(eye(N) * b)": "`eye` numbers the entries of N",
    "mean(y * b) - log(N)": COUNTED,
    "mean((y * b / N)^2)": COUNTED,
    "mean(tanh(x @ (w / N)))": COUNTED,
    "mean(y) * w[N - 1]": COUNTED,
    "mean(x[:, N] * b)": COUNTED,
    "mean(y * clip(b * N, 0, 1))": COUNTED,
    "sum(w)": "the cost is no sum or mean over N",
    "b": "the cost is no sum or mean over N",
    "b + 0 * sum(y[0])": "a part of the axis N is taken",
}


@pytest.mark.parametrize("cost", REFUSED)
def test_examples_that_mix(cost: str) -> None:
    """Refused, with the reason, at the place."""
    if REFUSED[cost] is None:
        bpc.load(f"{MIX}cost J = {cost}", emit=("per_example",))
        return
    if "batch_norm" in cost:
        text, reason = (
            f"{MIX}h, m, v = batch_norm(x * w, 1, 0)\ncost J = sum(h^2)",
            OWN.format("centred"),
        )
    else:
        text, reason = f"{MIX}cost J = {cost}", REFUSED[cost]
    bpc.load(text)
    with pytest.raises(bpc.BpcError) as error:
        bpc.load(text, emit=("per_example",))
    (found,) = error.value.diagnostics
    assert found.code == "BP147"
    assert found.message == f"the cost has no gradient for each example of `N`: {reason}"


SHAPES = {
    "dim N\ninput q: [N, N]\nparam b\ncost J = mean(q * b)": "`q` is an input of [N, N]",
    "dim N\ninput y: [N], z: [2*N]\nparam b\ncost J = mean(z * b) + mean(y)": "`z` is an input of [2*N]",
    "dim N\ninput y: [N, N+1]\nparam b\ncost J = mean(y * b)": "`y` is an input of [N, N + 1]",
    "dim N\ninput y: [N]\nparam b: [N]\ncost J = mean(y * b)": "`b` is a param of [N]",
    "dim N\ninput y: [N]\nparam b\nscan t in 0..N-1 carry (s = 0) { s = s + y[t] * b }\ncost J = s":
        "`scan` runs over N",
    "dim N\ninput y: [3, N]\nparam b\nscan t in 0..2 carry (s = 0) { s = tanh(s + sum(y[t] * b)) }\n"
    "cost J = s": "`tanh` of a sum over N is no sum over N",
    "dim N\ninput y: [3, N]\nparam b\nscan t in 0..2 carry (h = zeros(N)) { h = h + softmax(y[t]*b) }\n"
    "cost J = mean(h)": "`softmax` mixes the entries of N",
}  # fmt: skip


@pytest.mark.parametrize("text", SHAPES)
def test_examples_that_mix_by_their_shapes(text: str) -> None:
    with pytest.raises(bpc.BpcError) as error:
        bpc.load(text, emit=("per_example",))
    reason = f"the cost has no gradient for each example of `N`: {SHAPES[text]}"
    assert [d.message for d in error.value.diagnostics] == [reason]


def test_no_dim_of_examples() -> None:
    for text in ("param w\ncost J = w^2", "dim N\nparam w: [N]\ninput a\ncost J = a * sum(w)"):
        with pytest.raises(UsageError, match="^--emit per_example: no input has a free dim"):
            bpc.load(text, emit=("per_example",))
    with pytest.raises(UsageError, match="^--emit per_example: no input has a free dim"):
        bpc.load(NET, settings={"N": 3}, emit=("per_example",))


# Stacks of columns, and of examples


def by_columns(m: ModuleType, params: Arrays, inputs: Arrays) -> Any:
    """The Hessian, one `hvp` a column."""
    columns = []
    for key in params:
        for entry in np.ndindex(params[key].shape):
            unit = {k: np.zeros_like(v) for k, v in params.items()}
            unit[key][entry] = 1.0
            products = m.hvp(params, unit, **inputs)
            columns.append(np.concatenate([np.ravel(products[k]) for k in params]))
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("case", [c for c in ACCEPTED if c != "images"])
def test_hessian_of_nets(case: str, level: int) -> None:
    """Columns together are what they are one by one, however many fit into memory."""
    m = bpc.load(ACCEPTED[case], level=level, emit=("hvp", "hessian"), verify_ir=level == 1)
    params, inputs = sample(m, {"N": 3, "T": 2, "D": 2, "K": 3}, 11)
    expected = by_columns(m, params, inputs)
    scale = 1 + np.abs(expected).max()
    found = m.hessian(params, **inputs)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12 * scale)
    own([("hessian", found)], [*params.items(), *inputs.items()], case)
    for size in (1, 2**14):
        m.STACK_BYTES = size
        again = m.hessian(params, **inputs)
        np.testing.assert_allclose(again, expected, rtol=1e-10, atol=1e-12 * scale)


@pytest.mark.parametrize("level", LEVELS)
def test_hessian_of_images(level: int) -> None:
    """Convolutions take columns as images or channels, or one by one where they are in groups."""
    for groups in (1, 2):
        text = f"""dim N
input im: [N, 6, 6, 2], label: int[N]
param K: [3, 3, {2 // groups}, 4], W: [9, 3], c: [2, 2, 1, 4]
h = tanh(conv2d(im, K, groups={groups}, pad=1, stride=2))
p = reshape(max_pool2d(conv_transpose2d(h, c, stride=2), 2), [N, 9])
cost J = mean(cross_entropy(p @ W, label)) + mean(avg_pool2d(h, 3)^3)"""
        m = bpc.load(text, level=level, emit=("hvp", "hessian", "per_example"), verify_ir=True)
        params, inputs = sample(m, {"N": 2}, 12)
        expected = by_columns(m, params, inputs)
        np.testing.assert_allclose(m.hessian(params, **inputs), expected, atol=1e-11)
        each, (_, grads) = m.per_example(params, **inputs), m.value_and_grad(params, **inputs)
        for key, grad in grads.items():
            np.testing.assert_allclose(each[key].mean(0), grad, atol=1e-12)


@pytest.mark.parametrize("level", LEVELS)
def test_parts_of_the_work(level: int) -> None:
    """However little memory there is for stacks, results are the same, of any size of the data."""
    m = bpc.load(NET.replace("mean(", "sum("), level=level, emit=ALL)
    for n in (0, 1, 7):
        params, inputs = net_data(3, n)
        seen = {"x": inputs["x"]}
        calls = (
            lambda p=params, i=inputs: {"H": m.hessian(p, **i)},
            lambda p=params, i=inputs: m.per_example(p, **i),
            lambda p=params, i=seen: m.jacobian(p, **i)["p"],
            lambda p=params, i=seen: m.jacobian(p, **i)["h"],
        )
        for call in calls:
            m.STACK_BYTES = 2**24
            expected = call()
            for size in (0, 1000, 3000):
                m.STACK_BYTES = size
                found = call()
                assert list(found) == list(expected)
                for key, value in expected.items():
                    assert found[key].shape == value.shape and found[key].dtype == value.dtype
                    np.testing.assert_allclose(found[key], value, rtol=1e-12, atol=1e-13)
                own(list(found.items()), [*params.items(), *inputs.items()], "parts")


@pytest.mark.parametrize("level", LEVELS)
def test_one_param(level: int) -> None:
    """Where one array alone is varied its unit vectors are not given: parts of it, of any rank."""
    for shape in ("", ": [1]", ": [5]", ": [2, 3]", ": [D, 2]"):
        text = f"dim N, D\ninput x: [N], m: [D]\nparam w{shape}\nq = x * sum(w^2) + sum(sin(w))\n"
        text += "output q\ncost J = mean(exp(q / 20)) + sum(m)"
        m = bpc.load(text, level=level, emit=("hvp", "hessian", "jacobian"), verify_ir=True)
        w = np.random.default_rng(0).normal(size=eval(shape[2:].replace("D", "4") or "()"))
        params, inputs = {"w": w}, {"x": np.linspace(-1, 1, 3), "m": np.ones(4)}
        expected = by_columns(m, params, inputs)
        slopes = 2 * inputs["x"].reshape((3,) + (1,) * w.ndim) * w + np.cos(w)
        for size in (2**24, 0, 600):
            m.STACK_BYTES = size
            np.testing.assert_allclose(m.hessian(params, **inputs), expected, atol=1e-13)
            given = read_by(m.jacobian, inputs)
            np.testing.assert_allclose(m.jacobian(params, **given)["q"]["w"], slopes, atol=1e-13)


@pytest.mark.parametrize("level", LEVELS)
def test_few_outputs(level: int) -> None:
    """Where the outputs have fewer entries, each is differentiated backwards: the same Jacobian."""
    text = """dim N
input x: [N, 3], i: int
param W: [3, 4], b: [4], unused: [2]
h = mean(tanh(x @ W + b), axis=0)
s = sum(h^2)
k = i + 1
cost J = s
"""
    params, inputs = net_data(4)
    params = {"W": params["W"], "b": params["b"], "unused": np.ones(2)}
    given = {"x": inputs["x"], "i": np.array(3)}
    rest = "output h, s, k, b\n"
    forward = bpc.load(text + "output h, s, k, b, x\n", level=level, emit=("jacobian",))
    expected = forward.jacobian(params, **read_by(forward.jacobian, given))
    for outputs in (rest, "output h, k\n", "output s\n"):
        code = bpc.compile_source(text + outputs, level=level, emit=("jacobian",))
        assert "def _vjps(" in code and "def _jacobians(" not in code
        m = bpc.load(text + outputs, level=level, emit=("jacobian",), verify_ir=True)
        for size in (2**24, 0):
            m.STACK_BYTES = size
            found = m.jacobian(params, **read_by(m.jacobian, given))
            assert list(found) == [x for x in "hsb" if x in outputs.partition(" ")[2]]
            for output, blocks in found.items():
                own(list(blocks.items()), [*params.items(), *given.items()], output)
                for key, block in blocks.items():
                    assert block.shape == expected[output][key].shape
                    np.testing.assert_allclose(block, expected[output][key], atol=1e-13)


@pytest.mark.parametrize("level", LEVELS)
def test_no_params(level: int) -> None:
    """Nothing to be varied: a matrix without entries."""
    m = bpc.load("dim N\ninput x: [N]\ncost J = sum(x^2)\noutput y = 2 * x", level=level,
                 emit=("hessian", "jacobian", "per_example"))  # fmt: skip
    assert m.hessian({}, np.ones(3)).shape == (0, 0)
    assert m.jacobian({}, np.ones(3)) == {"y": {}}
    assert m.per_example({}, np.ones(3)) == {}
    m = bpc.load("cost J = 2\noutput y = 3.0, k = 1", level=level, emit=("hessian", "jacobian"))
    assert m.hessian({}).shape == (0, 0) and m.jacobian({}) == {"y": {}}
    m = bpc.load("dim D\nparam w: [D]\ncost J = sum(w^3)\noutput y = sum(w)", level=level,
                 emit=("hessian", "jacobian"))  # fmt: skip
    empty = {"w": np.ones(0)}
    assert m.hessian(empty).shape == (0, 0)
    assert m.jacobian(empty)["y"]["w"].shape == (0,)


@pytest.mark.parametrize("level", LEVELS)
def test_dropout_of_each_example(level: int) -> None:
    """Each example has its own part of the mask that all have: the mean is the gradient."""
    for h in ("dropout(tanh(x @ W + b), 0.5)", "dropout(tanh(x @ W + b).T, 0.5).T", LOOPED):
        head, _, last = h.rpartition("\n")
        text = NET.replace("h = tanh(x @ W + b)", f"{head}\nh = {last}")
        m = bpc.load(text, level=level, emit=("per_example",), verify_ir=True)
        params, inputs = net_data()
        _, grads = m.value_and_grad(params, **inputs, rng=np.random.default_rng(5))
        for size in (2**24, 0, 1500):
            m.STACK_BYTES = size
            each = m.per_example(params, **inputs, rng=np.random.default_rng(5))
            for key, grad in grads.items():
                np.testing.assert_allclose(each[key].mean(0), grad, rtol=1e-9, atol=1e-12)


LOOPED = """scan t in 0..2 carry (s = zeros(N, 4)) { s = dropout(tanh(x @ W + b + s), 0.5) }
s"""


def test_columns_share_what_they_can() -> None:
    """The Hessian of a regression is two lines: no column is computed by itself."""
    text = "dim N, D\ninput x: [N, D], y: [N]\nparam w: [D]\n"
    code = bpc.compile_source(f"{text}cost J = sum((x @ w - y)^2)", emit=("hessian",))
    kernel = code[code.index("def _hvps(") :].partition("\n\n\n")[0]
    assert "for " not in kernel and kernel.count(" = ") == 1 and "np.eye" not in kernel, kernel
    code = bpc.compile_source(NET, emit=ALL)
    assert "    for k in" not in code and "    for n in" not in code


# The text


@pytest.mark.parametrize("level", LEVELS)
def test_text_of_the_module(level: int) -> None:
    """What is written is checked, laid out as Black does, and the same each time."""
    texts = [NET, "param a, b\ncost J = a^2 * b\noutput p = a * b", *[LOOP][: level == 1]]
    for text in texts:
        emit = ALL if text == NET else ALL[:4]
        code = bpc.compile_source(text, level=level, emit=emit)
        assert code == bpc.compile_source(text, level=level, emit=tuple(reversed(emit)))
        check_output(code)
        assert black.format_str(code, mode=black.Mode()) == code
        code = re.sub(r"^STACK_BYTES = .*\n", "", code, flags=re.MULTILINE)
        plain = bpc.compile_source(text, level=level)
        assert plain.split("\n\n\ndef init")[0] in code or text.startswith("param")


@pytest.mark.parametrize("divisor", ["N", "(N - 20)", "(N - 20)^2", "(N * 3)"])
def test_weights_that_a_size_may_make_negative(divisor: str) -> None:
    """The Hessian of a linear model whose rows are weighted, at -O2."""
    text = "dim N\ninput x: [N, 3], y: [N]\nparam w: [3]\n"
    text += f"cost J = sum(bce_with_logits(x @ w, y)) / {divisor}"
    rng = np.random.default_rng(0)
    x, y, params = rng.normal(size=(8, 3)), rng.uniform(size=8), {"w": rng.normal(size=3)}
    plain, fast = (
        bpc.load(text, level=level, emit=("hessian",)).hessian(params, x, y) for level in (1, 2)
    )
    np.testing.assert_allclose(fast, plain, rtol=1e-12, atol=1e-15)
