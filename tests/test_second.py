"""Derivatives of derivatives: `jvp`, `hvp`, `hessian`, `jacobian` and `grad` in expressions.

Every function with a gradient is driven by its entry in the registry, as in test_ops: what is along
a direction agrees with differences of the gradient, and the two ways to a second derivative, forward
over reverse and reverse over reverse, agree with each other.
"""

from __future__ import annotations

import itertools
import math
from functools import cache
from types import ModuleType
from typing import Any

import black
import numpy as np
import pytest

import bpc
from bpc.codegen.check import check_output
from bpc.compiler import UsageError
from bpc.ops import OPS
from oracle import slope
from test_ops import (
    LANGUAGE,
    NO_GRADIENT,
    SCALARS,
    Arrays,
    Call,
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


@cache
def module(name: str, level: int) -> ModuleType:
    return bpc.load(program(name), level=level, emit=("jvp", "hvp"), verify_ir=True)


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


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("name", SMOOTH)
def test_along_directions(name: str, level: int) -> None:
    """jvp is the gradient's inner product, hvp its slope; the Hessian is symmetric."""
    m = module(name, level)
    params, inputs = draw(some(name), m, np.random.default_rng(2))
    rng = np.random.default_rng(3)
    cost, grads = m.value_and_grad(params, **inputs)
    for turn in range(2):
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
            f"{name} at -O{level}: hvp gives {claimed!r}, differences {measured!r} (± {error:.1e})"
        )
        back = inner(m.hvp(params, other, **inputs), way)
        assert abs(claimed - back) <= 1e-10 * scale, f"{name}: {claimed!r} is not {back!r}"


@cache
def inside(name: str) -> str:
    """A program whose cost is the derivative of another's along inputs `v_`."""
    lines = program(name).split("\n")
    start = next(i for i, line in enumerate(lines) if line.startswith("cost J"))
    params = [line for line in lines if line.startswith("param")]
    terms = [f"sum(v_{p.split()[1].rstrip(':')} * grad(J, {p.split()[1].rstrip(':')}))" for p in params]
    cost = lines[start].removeprefix("cost ")
    directions = [p.replace("param ", "input v_", 1) for p in params]
    return "\n".join([*lines[:start], *directions, cost, f"cost K = {' + '.join(terms)}"])


@pytest.mark.parametrize("name", SMOOTH)
def test_gradient_in_an_expression(name: str) -> None:
    """Reverse over reverse gives what forward over reverse does."""
    m, plain = bpc.load(inside(name), verify_ir=True), module(name, 1)
    params, inputs = draw(some(name), plain, np.random.default_rng(4))
    way = direction(params, np.random.default_rng(5))
    given = inputs | {f"v_{k}": v for k, v in way.items()}
    cost, grads = m.value_and_grad(params, **given)
    expected = plain.hvp(params, way, **inputs)
    assert cost == pytest.approx(plain.jvp(params, way, **inputs)[1], rel=1e-9, abs=1e-10)
    for key, product in expected.items():
        scale = 1 + np.abs(product).max(initial=0)
        np.testing.assert_allclose(grads[key], product, rtol=1e-9, atol=1e-11 * scale, err_msg=name)


@pytest.mark.parametrize("name", SMOOTH)
def test_matrices(name: str) -> None:
    """hessian has hvp's columns; jacobian times a vector is the slope of the outputs."""
    call = some(name)[0]
    m = bpc.load(source((call,)), emit=("hvp", "hessian", "jacobian"), verify_ir=True)
    params, inputs = draw((call,), m, np.random.default_rng(6))
    hessian = m.hessian(params, **inputs)
    count = sum(v.size for v in params.values())
    assert hessian.shape == (count, count) and hessian.flags.writeable
    scale = 1 + np.abs(hessian).max(initial=0)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-10, atol=1e-12 * scale)
    for j, column in enumerate(hessian.T):
        unit = m.unravel(np.eye(count)[j], **{}) if False else unravelled(params, np.eye(count)[j])
        found = m.hvp(params, unit, **inputs)
        flat = np.concatenate([found[k].ravel() for k in params])
        np.testing.assert_allclose(column, flat, rtol=1e-12, atol=1e-13 * scale)
    some_inputs = {k: v for k, v in inputs.items() if not k.startswith("s_")}
    jacobian = m.jacobian(params, **some_inputs)
    reals = [k for k, kind in m.OUTPUTS.items() if kind.startswith("real")]
    assert list(jacobian) == reals
    way = direction(params, np.random.default_rng(7))
    for output, blocks in jacobian.items():
        value = outputs(m, params, some_inputs)[output]
        assert list(blocks) == list(params)
        assert all(b.shape == value.shape + params[k].shape for k, b in blocks.items())
        seed = np.random.default_rng(8).uniform(-1, 1, value.shape)

        def seeded(h: float, seed: Any = seed, output: str = output) -> float:
            return float((seed * outputs(m, moved(params, way, h), some_inputs)[output]).sum())

        measured, error = slope(seeded, 0.01)
        claimed = sum(
            float((seed * (b * way[k]).sum(tuple(range(value.ndim, b.ndim)))).sum())
            for k, b in blocks.items()
        )
        assert abs(claimed - measured) <= 1e-7 * (1 + abs(measured)) + 2 * error, (name, output)


def unravelled(params: Arrays, vector: np.ndarray) -> Arrays:
    parts = np.split(vector, np.cumsum([v.size for v in params.values()])[:-1])
    return {k: part.reshape(v.shape) for (k, v), part in zip(params.items(), parts)}


def outputs(m: ModuleType, params: Arrays, inputs: Arrays) -> Arrays:
    found = m.forward(params, **inputs)
    return found if isinstance(found, dict) else dict(zip(m.OUTPUTS, [found]))
