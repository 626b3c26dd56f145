"""The training loop: steps of an optimiser over shuffled batches, and what is kept between them.

A Run is the whole state. Between two steps it is consistent, and all that follows depends on it, on
the plan and on the data alone: a run that goes on from a saved one gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any

import numpy as np

from bpc.training.data import Data
from bpc.training.evaluation import Metrics, evaluate
from bpc.training.model import Arrays, Model, TrainingError, calling, forward


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train: `options` are those of the optimiser, `running` has the output for a param."""

    epochs: int
    batch: int
    seed: int
    optimizer: str
    options: Mapping[str, Any]
    running: Mapping[str, str]
    running_momentum: float
    patience: int | None
    metrics: Metrics


@dataclass(slots=True)
class Run:
    """Where training is: `epoch` are finished ones, `step` the finished steps of the next.

    `previous` are the params one step ago, `total` the sum of the costs of `seen` examples.
    `computing` is true while the model computes and nothing changes: there a run may be cut off.
    """

    params: Arrays
    previous: Arrays
    state: dict[str, Any]
    rng: np.random.Generator | None = None
    rng_state: Any = None
    epoch: int = 0
    step: int = 0
    total: float = 0.0
    seen: int = 0
    best: Arrays | None = None
    best_cost: float = inf
    best_epoch: int = 0
    waited: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    computing: bool = False


class Diverged(Exception):
    """The cost is no finite number any more: what, and in which epoch and step."""


@contextmanager
def cut_off(run: Run) -> Iterator[None]:
    """Where a KeyboardInterrupt may come, with the run as the last step left it."""
    run.computing = True
    try:
        yield
    finally:
        run.computing = False


def begin(model: Model, plan: Plan, params: Arrays) -> Run:
    """A run before its first step."""
    init = getattr(model.module, f"{plan.optimizer}_init", None)
    rng = np.random.default_rng([plan.seed, 0, 1]) if model.draws else None
    run = Run(copied(params), copied(params), init(params) if init else {}, rng)
    run.rng_state = rng and rng.bit_generator.state
    return run


def copied(params: Arrays) -> Arrays:
    """The same params in arrays of their own."""
    return {k: np.array(v) if hasattr(v, "dtype") else v for k, v in params.items()}


def steps_of(data: Data, plan: Plan) -> int:
    """The number of steps of an epoch; the last batch may be smaller."""
    return -(-data.rows // plan.batch)


def finished(plan: Plan, run: Run) -> bool:
    """Whether all epochs are done, or enough of them brought nothing."""
    return run.epoch >= plan.epochs or stopped_early(plan, run)


def stopped_early(plan: Plan, run: Run) -> bool:
    """Whether the validation cost fell no further for as long as `--patience` says."""
    return plan.patience is not None and run.waited >= plan.patience


def train(model: Model, plan: Plan, run: Run, data: Data, valid: Data | None) -> Iterator[bool]:
    """Go on with a run, and yield after each step: True where an epoch ended with it.

    Raises Diverged, TrainingError.
    """
    while not finished(plan, run):
        order = np.random.default_rng([plan.seed, run.epoch]).permutation(data.rows)
        for number in range(run.step, steps_of(data, plan)):
            rows = order[number * plan.batch : (number + 1) * plan.batch]
            _step(model, plan, run, data.take(rows), len(rows))
            yield False
        end_epoch(model, plan, run, data, valid, run.total / run.seen)
        yield True


def _step(model: Model, plan: Plan, run: Run, inputs: Arrays, rows: int) -> None:
    """One step: the new params are written to the arrays of those before the last step."""
    where = f"epoch {run.epoch + 1}, step {run.step + 1}"
    extra = {} if run.rng is None else {"rng": run.rng}
    with calling(where), cut_off(run):
        cost, grads = model.module.value_and_grad(run.params, **inputs, **extra)
        outputs = forward(model, run.params, inputs) if plan.running else {}
    if not isfinite(cost):
        raise Diverged(f"the cost is {cost} in {where}")
    averages = _averages(plan, run.params, outputs)
    update = getattr(model.module, f"{plan.optimizer}_step")
    update(run.params, grads, run.state, **plan.options, out=run.previous)
    run.previous.update(averages)
    run.params, run.previous = run.previous, run.params
    run.total += cost * rows
    run.seen += rows
    run.step += 1
    run.rng_state = run.rng and run.rng.bit_generator.state


def _averages(plan: Plan, params: Arrays, outputs: Arrays) -> Arrays:
    """The params that follow outputs: m * output + (1 - m) * param."""
    found: Arrays = {}
    for output, name in plan.running.items():
        old, new, m = params[name], outputs[output], plan.running_momentum
        if np.shape(new) != np.shape(old):
            raise TrainingError(
                f"--running {output}={name}: the output has shape {np.shape(new)}, "
                f"the param {np.shape(old)}"
            )
        average = (1 - m) * old + m * new
        found[name] = np.array(average, old.dtype) if hasattr(old, "dtype") else float(average)
    return found


def end_epoch(
    model: Model, plan: Plan, run: Run, data: Data, valid: Data | None, cost: float
) -> None:
    """Measure the params, keep them if they are the best, and count the epoch."""
    epoch = f"epoch {run.epoch + 1}"
    for name, value in run.params.items():
        if not np.isfinite(value).all():
            raise Diverged(f"{name} is not finite after step {run.step} of {epoch}")
    judged, alone = (data, True) if valid is None else (valid, False)
    with cut_off(run), calling(f"after {epoch}"):
        found = evaluate(model, run.params, judged, plan.batch, plan.metrics, not alone)
    judgement = found.pop("cost", None)
    if judgement is not None and not isfinite(judgement):
        raise Diverged(f"the validation cost is {judgement} after {epoch}")
    better = judgement is not None and judgement < run.best_cost
    best = copied(run.params) if better else run.best
    row = {"cost": cost, **({} if judgement is None else {"valid": judgement}), **found}
    run.history.append(row)
    run.best = best
    run.epoch, run.step, run.total, run.seen = run.epoch + 1, 0, 0.0, 0
    if better and judgement is not None:
        run.best_cost, run.best_epoch = judgement, run.epoch
    run.waited = 0 if better else run.waited + 1
