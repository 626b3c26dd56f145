"""The options of `bpc train` that depend on one another, on the model, or on what a run began with."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpc.cli.training import check_out
from bpc.compiler import front
from bpc.diagnostics import UsageError, did_you_mean
from bpc.source import Source

if TYPE_CHECKING:
    from bpc.training.data import Data
    from bpc.training.loop import Plan
    from bpc.training.model import Model

_SGD = ("lr", "momentum", "dampening", "nesterov", "weight_decay", "clip")
_ADAM = ("lr", "betas", "eps", "weight_decay", "amsgrad", "clip")
#: the options that each optimiser takes
TAKES = {"sgd": _SGD, "momentum": _SGD, "adam": _ADAM, "adamw": _ADAM, "lbfgs": ()}


def check(given: Mapping[str, Any]) -> None:
    """UsageError for options that do not go with one another."""
    optimizer = given["optimizer"]
    names = {name for takes in TAKES.values() for name in takes}
    for name in sorted(names - set(TAKES[optimizer])):
        if given[name] is not None:
            takes = ", ".join(f"--{n.replace('_', '-')}" for n in TAKES[optimizer])
            raise UsageError(
                f"--{name.replace('_', '-')} does not go with --optimizer {optimizer}, "
                f"which takes {takes or 'none of these'}"
            )
    if given["patience"] and not given["valid"]:
        raise UsageError("--patience needs --valid")
    if given["nesterov"] and (given["dampening"] or (optimizer == "sgd" and not given["momentum"])):
        raise UsageError("--nesterov needs a momentum, and no dampening")
    if optimizer == "lbfgs":
        from bpc.training.lbfgs import available

        for name in ("checkpoint", "resume", "running"):
            if given[name]:
                raise UsageError(f"--{name} does not go with --optimizer lbfgs")
        available()


def checkpoint(given: Mapping[str, Any]) -> str:
    """Where an interrupted run is saved: beside `--out`, if nothing else is said."""
    name: str = given["checkpoint"] or os.path.splitext(given["out"])[0] + ".checkpoint.npz"
    return name


def check_files(model: str, saved: str, given: Mapping[str, Any]) -> None:
    """FileError for files that cannot be written, or that are read or written twice."""
    files = {"--out": given["out"], "--checkpoint": saved, "--plot": given["plot"]}
    written: dict[Path, str] = {}
    for option, path in files.items():
        if path:
            check_out(option, path, model, given["data"], given["valid"])
            other = written.setdefault(Path(path).resolve(), option)
            if other != option:
                raise UsageError(f"{other} and {option} are one file, {path}")


def trained(
    source: Source, settings: Mapping[str, int | float], running: Mapping[str, str]
) -> tuple[str, ...]:
    """The params that take gradient steps; () for all."""
    if not running:
        return ()
    program = front(source, settings)
    params = [a.key for a in program.params]
    known = {"output": program.outputs, "param": params}
    for output, param in running.items():
        for kind, name in (("output", output), ("param", param)):
            if name not in known[kind]:
                listed = f"there are {', '.join(known[kind])}" if known[kind] else "there is none"
                hint = did_you_mean(name, known[kind]) or listed
                raise UsageError(f"--running {output}={param}: no {kind} {name}; {hint}")
    if len(set(running.values())) < len(running):
        raise UsageError("--running: a param follows two outputs")
    rest = tuple(name for name in params if name not in running.values())
    if not rest:
        raise UsageError("--running: no param is left to train")
    return rest


def step_options(model: Model, given: Mapping[str, Any]) -> dict[str, Any]:
    """All options of the optimiser's step, those not given as it has them by default."""
    step = getattr(model.module, f"{given['optimizer']}_step", None)
    if step is None:
        return {}
    defaults = {n: p.default for n, p in signature(step).parameters.items()}
    return {
        name: defaults[name] if given[name] is None else given[name]
        for name in TAKES[given["optimizer"]]
    }


def config(
    source: Source, given: Mapping[str, Any], plan: Plan, dim: str | None, data: Data,
    valid: Data | None,
) -> dict[str, Any]:  # fmt: skip
    """All that the numbers depend on, by the options' names."""
    return {
        "model": hashlib.sha256(source.text.encode()).hexdigest(),
        "data": data.digest(),
        "valid": valid.digest() if valid else None,
        "set": dict(given["settings"]),
        "level": given["level"],
        "dtype": given["dtype"],
        "optimizer": plan.optimizer,
        **plan.options,
        "batch": plan.batch,
        "batch_dim": dim,
        "seed": plan.seed,
        "running": dict(plan.running),
        "running_momentum": plan.running_momentum,
    }
