"""Random well-typed programs: the levels agree with each other and with central differences.

`BPC_PROGRAMS=5000 pytest tests/test_random_programs.py` runs longer, on other programs each time.
"""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np

import bpc
from oracle import Unsettled, check_gradient
from programs import Maker, Program, agree, draw, everything, taken

WANTED = int(os.environ.get("BPC_PROGRAMS", "0"))
COUNT = WANTED or 40
settled: list[bool] = []


def levels_and_differences_agree(program: Program, seed: int) -> None:
    """Warnings are errors, so nothing may overflow either."""
    modules = [bpc.load(program.text, level=level, verify_ir=True) for level in (0, 1, 2)]
    params, inputs = draw(modules[0], program.sizes, seed)
    if seed % 3 == 0:
        wrt = ["x", "y", *params]
        modules[1:] = [bpc.load(program.text, level=level, wrt=wrt) for level in (1, 2)]
    results = [everything(m, params, inputs) for m in modules]
    copies = [{k: np.array(v) for k, v in found.items()} for found in results]
    other = draw(modules[0], program.sizes, seed + 1)
    for level, m in enumerate(modules):
        agree(results[level], results[0], 1e-9, f"-O{level} against -O0")
        everything(m, *other)
        for key, before in copies[level].items():
            assert np.array_equal(results[level][key], before), f"-O{level} changed {key} later"
    if seed % 4 == 0:
        with_derivatives(program, params, inputs, seed)
    if seed % 5 == 0:
        halves = single(params), single(inputs)
        plain, quick = everything(modules[0], *halves), everything(modules[2], *halves)
        assert {np.asarray(quick[k]).dtype for k in params} == {np.dtype("float32")}
        agree(quick, plain, 2e-3, "float32")
    rng = np.random.default_rng(seed)
    try:
        try:
            check_gradient(modules[1], params, inputs, rng, directions=1, step=1e-3)
        except AssertionError:
            if not program.kinked:
                raise
            rng = np.random.default_rng(seed)  # was there a kink within the step?
            check_gradient(modules[1], params, inputs, rng, directions=1, step=3e-5)
        settled.append(True)
    except Unsettled:
        settled.append(False)
        assert program.kinked, "central differences do not settle, and there is no kink"


def single(arrays: dict[str, Any]) -> dict[str, Any]:
    """The same with reals in float32."""
    return {k: v.astype("float32") if v.dtype == float else v for k, v in arrays.items()}


def with_derivatives(
    program: Program, params: dict[str, Any], inputs: dict[str, Any], seed: int
) -> None:
    """Derivatives by directions, or all of them at once, at -O0 and -O2."""
    emit = [("jvp", "hvp"), ("hessian",), ("jacobian",)][seed % 3]
    emit = emit if "output" in program.text or seed % 3 < 2 else ("hessian",)
    plain, m = (bpc.load(program.text, level=n, emit=emit, verify_ir=n > 0) for n in (0, 2))
    way = [{k: np.ones_like(v) for k, v in params.items()}] if "jvp" in emit else []
    for name in emit:
        given = taken(plain, name, inputs)
        found = [flat(getattr(x, name)(params, *way, **given)) for x in (m, plain)]
        agree(found[0], found[1], 1e-8, name)
    if way:
        along_directions(m, params, inputs, seed)


def flat(found: Any, name: str = "") -> dict[str, Any]:
    """The arrays in a tuple or in a dict of dicts, by names."""
    if isinstance(found, tuple):
        found = dict(zip("ab", found))
    if not isinstance(found, dict):
        return {name: np.asarray(found)}
    return {k: v for key in found for k, v in flat(found[key], f"{name} {key}").items()}


def along_directions(m: Any, params: dict[str, Any], inputs: dict[str, Any], seed: int) -> None:
    """jvp is the gradient's inner product, and the Hessian, by hvp, is symmetric."""
    rng = np.random.default_rng(seed)
    one, other = (
        {k: np.asarray(rng.uniform(-1, 1, v.shape)) for k, v in params.items()} for _ in "ab"
    )
    pairs = [
        (m.value_and_grad(params, **inputs)[1], one, m.jvp(params, one, **inputs)[1]),
        (m.hvp(params, one, **inputs), other, None),
        (m.hvp(params, other, **inputs), one, None),
    ]
    sums = [[float((slopes[k] * way[k]).sum()) for k in params] for slopes, way, _ in pairs]
    scales = [1 + sum(map(abs, terms)) for terms in sums]
    assert abs(sum(sums[0]) - pairs[0][2]) <= 1e-9 * scales[0]
    assert abs(sum(sums[1]) - sum(sums[2])) <= 1e-8 * max(scales)


def test_levels_and_differences_agree() -> None:
    """And the programs were a test: few had kinks near their data."""
    settled.clear()
    first = random.randrange(10**9) if WANTED else 0
    for seed in range(first, first + COUNT):
        program = Maker(random.Random(seed)).program()
        try:
            levels_and_differences_agree(program, seed)
        except Exception as error:
            raise AssertionError(f"{program.text}\n# {program.sizes}, seed {seed}") from error
    assert sum(settled) >= 0.8 * COUNT
