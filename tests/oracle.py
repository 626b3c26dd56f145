"""Derivatives without calculus: central differences of a compiled cost, sharpened by Richardson."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np

Arrays = dict[str, Any]
STEPS = 8


class Unsettled(Exception):
    """There is a kink or a pole too near: central differences say nothing."""


def slope(f: Callable[[float], float], step: float = 0.05) -> tuple[float, float]:
    """f'(0) and an estimate of its error, by Ridders' method.

    Central differences at steps that shrink by 1.6, extrapolated to step 0; the entry of the
    tableau whose neighbours agree best is the answer. (Ridders, "Accurate computation of F'(x) and
    F'(x) F''(x)", 1982.)
    """
    shrink = 1.6
    best, error = np.nan, np.inf
    previous: list[float] = []
    for k in range(STEPS):
        h = step / shrink**k
        row = [(f(h) - f(-h)) / (2 * h)]
        factor = 1.0
        for j, older in enumerate(previous):
            factor *= shrink**2
            row.append((row[j] * factor - older) / (factor - 1))
            spread = max(abs(row[-1] - row[-2]), abs(row[-1] - older))
            if spread <= error:
                best, error = row[-1], spread
        previous = row
    return best, error


def check_gradient(
    module: ModuleType,
    params: Mapping[str, Any],
    inputs: Mapping[str, Any],
    rng: np.random.Generator,
    *,
    directions: int = 2,
    tolerance: float = 1e-6,
    step: float = 0.05,
    context: str = "",
) -> None:
    """Assert that `value_and_grad` agrees with differences of `cost` in random directions.

    A direction moves all entries of all arrays with a gradient at once, so that one number tests
    them all. `tolerance` is relative to the size of the slope's terms.
    """
    value, grads = module.value_and_grad(dict(params), **inputs)
    # At -O2 sums of the one may be added up in another order than those of the other.
    assert np.isclose(value, module.cost(dict(params), **inputs), rtol=1e-13, atol=0), context
    given = {**params, **inputs}
    for name, grad in grads.items():
        assert grad is not given[name]
        assert np.shape(grad) == np.shape(given[name]), (context, name)
    for _ in range(directions):
        way = {name: rng.uniform(-1, 1, np.shape(given[name])) for name in grads}

        def moved(h: float, way: Arrays = way) -> float:
            point = {n: given[n] + h * way[n] if n in way else given[n] for n in given}
            new = {n: point[n] for n in params}, {n: point[n] for n in inputs}
            return float(module.cost(new[0], **new[1]))

        terms = [np.asarray(grads[n], float) * way[n] for n in grads]
        claimed = sum(float(t.sum()) for t in terms)
        measured, error = slope(moved, step)
        scale = 1.0 + abs(measured) + sum(float(np.abs(t).sum()) for t in terms)
        if not error < 1e-5 * scale:
            raise Unsettled(f"{context}: central differences do not settle: {error}")
        assert abs(claimed - measured) <= tolerance * scale + 2 * error, (
            f"{context}: by {', '.join(grads)}: the gradient gives {claimed!r}, "
            f"central differences give {measured!r} (± {error:.1e})"
        )
