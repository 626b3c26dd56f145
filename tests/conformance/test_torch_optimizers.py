"""The optimisers against torch.optim: 100 steps in float64, every option, to 1e-12."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

import bpc
from bpc.codegen.optimisers import OPTIMISERS

STEPS = 100
MODEL = bpc.load(
    "dim N\ninput x: [N, 3], y: [N, 2]\nparam W: [3, 2] ~ he, b: [2]\ncost J = mean((x @ W + b - y)^2)\n",
    emit=OPTIMISERS,
)
Options = dict[str, Any]


def table(**choices: list[Any]) -> list[Options]:
    return [dict(zip(choices, row)) for row in product(*choices.values())]


SGD = table(
    lr=[None, 0.05], momentum=[0.0, 0.8], dampening=[0.0, 0.3], nesterov=[False, True],
    weight_decay=[0.0, 0.01],
)  # fmt: skip
SGD = [o for o in SGD if not o["nesterov"] or (o["momentum"] and not o["dampening"])]
ADAM = table(
    lr=[None, 0.05], betas=[(0.9, 0.999), (0.5, 0.7)], eps=[1e-8, 1e-2],
    weight_decay=[None, 0.1], amsgrad=[False, True],
)  # fmt: skip
CASES = [
    *[("sgd", torch.optim.SGD, o) for o in SGD],
    *[("momentum", torch.optim.SGD, o) for o in SGD if o["momentum"]],
    *[("adam", torch.optim.Adam, o) for o in ADAM],
    *[("adamw", torch.optim.AdamW, o) for o in ADAM],
]


def given(options: Options) -> Options:
    """Those that are not left to their defaults."""
    return {k: v for k, v in options.items() if v is not None}


@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize(("name", "peer", "options"), CASES)
def test_as_torch(name: str, peer: Any, options: Options, clip: float | None) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 3)), 3 * rng.standard_normal((20, 2))
    params = MODEL.init(seed=1)
    tensors = {k: torch.tensor(v, requires_grad=True) for k, v in params.items()}
    optimiser = peer(tensors.values(), **given(options))
    state = getattr(MODEL, f"{name}_init")(params)
    step = getattr(MODEL, f"{name}_step")
    for number in range(STEPS):
        rows = rng.integers(0, 20, 5)
        _, grads = MODEL.value_and_grad(params, x[rows], y[rows])
        params, state = step(params, grads, state, **given(options), clip=clip)

        optimiser.zero_grad()
        error = torch.tensor(x[rows]) @ tensors["W"] + tensors["b"] - torch.tensor(y[rows])
        (error**2).mean().backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(tensors.values(), clip)
        optimiser.step()
        for key, tensor in tensors.items():
            np.testing.assert_allclose(
                params[key],
                tensor.detach().numpy(),
                rtol=1e-12,
                atol=1e-12,
                err_msg=f"{number} {key}",
            )
