"""L-BFGS-B of SciPy on all of the data at once: an iteration of it is an epoch."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np

from bpc.training.data import Data
from bpc.training.loop import Diverged, Plan, Run, copied, cut_off, end_epoch, stopped_early
from bpc.training.model import Arrays, Model, TrainingError, calling

#: looser than this, SciPy takes slow progress for the end of it
OPTIONS = {"ftol": 1e-12, "gtol": 1e-8, "maxfun": 10**9}


def available() -> Any:
    """SciPy's `minimize`; TrainingError where SciPy is not installed."""
    try:
        from scipy.optimize import minimize
    except ImportError:
        raise TrainingError(
            "--optimizer lbfgs needs SciPy, which is not installed: pip install 'bpc[train]'"
        ) from None
    return minimize


def minimise(
    model: Model,
    plan: Plan,
    run: Run,
    data: Data,
    valid: Data | None,
    after: Callable[[], bool],
) -> str:
    """Go on from a run's params until the cost falls no further; how it ended, in a few words.

    `after` is called after each iteration, and stops it all by returning True. Raises Diverged.
    """
    inputs = data.take(slice(None))
    dims = {d: data.dims[d] for d in model.sizes}

    def params_of(vector: Any) -> Arrays:
        fresh = model.module.unravel(vector, **dims)
        return {k: np.array(v, data.dtype) if hasattr(run.params[k], "dtype") else v
                for k, v in fresh.items()}  # fmt: skip

    def objective(vector: Any) -> tuple[float, Any]:
        with cut_off(run):
            cost, grads = model.module.value_and_grad(params_of(vector), **inputs)
        return cost, model.module.ravel(grads)

    def iteration(intermediate_result: Any) -> None:
        cost, params = float(intermediate_result.fun), params_of(intermediate_result.x)
        if not isfinite(cost):
            raise Diverged(f"the cost is {cost} in epoch {run.epoch + 1}")
        run.previous, run.params = run.params, params
        end_epoch(model, plan, run, data, valid, cost)
        if after() or stopped_early(plan, run):
            raise StopIteration

    with calling("--optimizer lbfgs"):
        first, _ = objective(model.module.ravel(run.params))
        if not isfinite(first):
            raise Diverged(f"the cost is {first} in epoch 1")
        result = available()(
            objective, model.module.ravel(copied(run.params)), jac=True, method="L-BFGS-B",
            callback=iteration, options={**OPTIONS, "maxiter": plan.epochs},
        )  # fmt: skip
    if not isfinite(result.fun):
        raise Diverged(f"the cost is {result.fun} in epoch {run.epoch + 1}")
    if result.success:
        return f"converged after {run.epoch} iterations"
    return "" if run.epoch >= plan.epochs else f"L-BFGS-B ended: {result.message}"
