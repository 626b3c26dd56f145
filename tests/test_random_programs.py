"""Random well-typed programs: the levels agree with each other and with central differences.

`BPC_PROGRAMS=5000 pytest tests/test_random_programs.py` runs longer, on other programs each time.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

import bpc
from oracle import Unsettled, check_gradient
from programs import Maker, Program, draw

WANTED = int(os.environ.get("BPC_PROGRAMS", "0"))
SETTINGS = settings(
    max_examples=WANTED or 40,
    derandomize=not WANTED,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    # A program is drawn from random numbers at once: to shrink these takes long, and makes it no shorter.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
settled: list[bool] = []


@st.composite
def programs(draw: st.DrawFn) -> Program:
    return Maker(draw(st.randoms(use_true_random=False))).program()


@SETTINGS
@given(programs(), st.integers(0, 2**32 - 1))
def levels_and_differences_agree(program: Program, seed: int) -> None:
    """Warnings are errors, so nothing may overflow either."""
    note(f"{program.text}\n# sizes {program.sizes}, data of seed {seed}")
    modules = [bpc.load(program.text, level=level, verify_ir=True) for level in (0, 1, 2)]
    params, inputs = draw(modules[0], program.sizes, seed)
    if seed % 3 == 0:
        wrt = ["x", "y", *params]
        modules[1:] = [bpc.load(program.text, level=level, wrt=wrt) for level in (1, 2)]
    results = [everything(m, params, inputs) for m in modules]
    for level in (1, 2):
        assert set(results[0]) <= set(results[level])
        for key, expected in results[0].items():
            scale = 1.0 + np.abs(expected).max(initial=0.0)
            np.testing.assert_allclose(
                results[level][key], expected, rtol=1e-9, atol=1e-11 * scale,
                err_msg=f"{key}: -O{level} against -O0",
            )  # fmt: skip
    if seed % 4 == 0:
        along_directions(program, params, inputs, seed)
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


def along_directions(
    program: Program, params: dict[str, Any], inputs: dict[str, Any], seed: int
) -> None:
    """jvp is the gradient's inner product, and the Hessian, by hvp, is symmetric."""
    m = bpc.load(program.text, emit=("jvp", "hvp"), verify_ir=True)
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


def everything(m: Any, params: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
    """Outputs, cost and gradients of a module by name."""
    cost, grads = m.value_and_grad(params, **inputs)
    names = m.forward.__code__.co_varnames[: m.forward.__code__.co_argcount]
    found = m.forward(params, **{k: v for k, v in inputs.items() if k in names})
    outputs: dict[str, Any] = found if isinstance(found, dict) else dict(zip(m.OUTPUTS, [found]))
    slopes: dict[str, Any] = grads
    return {f"output {k}": v for k, v in outputs.items()} | {"cost": np.asarray(cost)} | slopes


def test_levels_and_differences_agree() -> None:
    """And the programs were a test: few had kinks near their data."""
    settled.clear()
    levels_and_differences_agree()
    assert len(settled) >= SETTINGS.max_examples // 2
    assert sum(settled) >= 0.8 * len(settled)
