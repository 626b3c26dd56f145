"""A run in a file, and back: the arrays as they are, all else as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from bpc.training.arrays import read_arrays, write_arrays
from bpc.training.loop import Run
from bpc.training.model import Arrays, Model, TrainingError, like

NUMBERS = ("epoch", "step", "total", "seen", "best_cost", "best_epoch", "waited", "history")
#: what a checkpoint holds only the hash of
HASHED = ("model", "data", "valid")


def save(path: str, run: Run, config: Mapping[str, Any]) -> None:
    """Write a run; `config` is what the numbers depend on."""
    facts = {name: getattr(run, name) for name in NUMBERS}
    facts |= {"rng": run.rng_state, "config": config, "numbers": {}}
    arrays = _under("params", run.params) | _under("previous", run.previous)
    if run.best is not None:
        arrays |= _under("best", run.best)
    for key, value in run.state.items():
        if isinstance(value, dict):
            arrays |= _under(f"state/{key}", value)
        else:
            facts["numbers"][key] = value
    write_arrays(path, {"run": np.array(json.dumps(facts)), **arrays})


def restore(path: str, model: Model, run: Run, config: Mapping[str, Any]) -> None:
    """Fill a run that has just begun from a file; TrainingError where it is of another one."""
    arrays = read_arrays(path)
    try:
        facts = json.loads(str(arrays.pop("run")))
        _same(path, facts["config"], json.loads(json.dumps(config)))
        values = {name: facts[name] for name in NUMBERS}
        state = {**run.state, **facts["numbers"]}
        for key, value in state.items():
            if isinstance(value, dict):
                state[key] = _alike(value, _below(f"state/{key}", arrays))
        rng_state = facts["rng"]
    except (KeyError, ValueError, AttributeError, TypeError):
        raise TrainingError(f"cannot resume from {path}: it is no checkpoint of bpc") from None
    for part in ("params", "previous", "best"):
        found = _below(part, arrays)
        if found or part != "best":
            setattr(run, part, like(model, found, f"{path}: {part}"))
    for name, value in values.items():
        setattr(run, name, value)
    run.state, run.rng_state = state, rng_state
    if run.rng is not None:
        run.rng.bit_generator.state = rng_state


def _under(head: str, arrays: Arrays) -> Arrays:
    return {f"{head}/{name}": array for name, array in arrays.items()}


def _below(head: str, arrays: Arrays) -> Arrays:
    """The arrays whose names begin so, without that."""
    return {k[len(head) + 1 :]: v for k, v in arrays.items() if k.startswith(f"{head}/")}


def _alike(fresh: Arrays, found: Arrays) -> Arrays:
    """What an optimiser keeps; ValueError where it has not the names and shapes that it begins with."""
    if fresh and {k: np.shape(v) for k, v in fresh.items()} != {
        k: np.shape(v) for k, v in found.items()
    }:
        raise ValueError
    return found


def _same(path: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """TrainingError that names what is not as it was when the run began."""
    wrong = []
    for name in now:
        if then.get(name) != now[name]:
            hashed = name in HASHED
            option = name if name == "model" else f"--{name.replace('_', '-')}"
            was = f"another {option}" if hashed else f"{option} {_shown(then.get(name))}"
            wrong.append(was if hashed else f"{was}, not {_shown(now[name])}")
    if wrong:
        raise TrainingError(f"cannot resume from {path}: it was made with {'; '.join(wrong)}")


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{k}={v}" for k, v in value.items()) or "nothing"
    return "nothing" if value is None else str(value)
