"""The cost and the metrics of some params over all of the data, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import nan

import numpy as np

from bpc.diagnostics import did_you_mean
from bpc.training.data import Data
from bpc.training.model import Arrays, Model, TrainingError, forward


@dataclass(frozen=True, slots=True)
class Metrics:
    """Scalar outputs to show; and the output of scores with the input of labels that it predicts."""

    outputs: tuple[str, ...]
    classes: tuple[str, str] | None

    def __bool__(self) -> bool:
        return bool(self.outputs or self.classes)


def metrics(model: Model, wanted: Iterable[str]) -> Metrics:
    """The wanted outputs, and an accuracy where an output [N, C] fits an input int [N]."""
    names = tuple(dict.fromkeys(wanted))
    scalars = [name for name, text in model.outputs.items() if "[" not in text]
    for name in names:
        if name not in scalars:
            listed = f"there are {', '.join(scalars)}" if scalars else "there is none"
            help = did_you_mean(name, scalars) or listed
            raise TrainingError(f"--metric {name}: no scalar output of this name; {help}")
    if "valid" in names:
        raise TrainingError("--metric valid: this is how the validation cost is called")
    return Metrics(names, None if "accuracy" in names else _classes(model))


def axes_of(text: str) -> list[str]:
    """The axes of `real [N, 10]`: N and 10."""
    return text.partition(" ")[2].strip("[]").split(", ") if "[" in text else []


def _classes(model: Model) -> tuple[str, str] | None:
    for label, spec in model.inputs.items():
        for output, text in model.outputs.items():
            axes = axes_of(text)
            fits = len(axes) > 1 and axes[:-1] == axes_of(spec.text)
            if fits and spec.kind == "int" and text.startswith("real"):
                return output, label
    return None


def evaluate(
    model: Model, params: Arrays, data: Data, batch: int, wanted: Metrics, cost: bool
) -> dict[str, float]:
    """Means over the batches by their rows; `cost` too if asked for. Labels below 0 do not count."""
    totals = dict.fromkeys([*(["cost"] if cost else []), *wanted.outputs], 0.0)
    right = counted = 0
    for rows, inputs in data.batches(batch):
        if cost:
            totals["cost"] += rows * model.module.cost(params, **inputs)
        if not wanted:
            continue
        outputs = forward(model, params, inputs)
        for name in wanted.outputs:
            totals[name] += rows * float(outputs[name])
        if wanted.classes and wanted.classes[1] in inputs:
            label = inputs[wanted.classes[1]]
            hits = outputs[wanted.classes[0]].argmax(-1) == label
            right += int(np.count_nonzero(hits & (label >= 0)))
            counted += int(np.count_nonzero(label >= 0))
    found = {name: total / data.rows for name, total in totals.items()}
    if wanted.classes:
        found["accuracy"] = right / counted if counted else nan
    return found
