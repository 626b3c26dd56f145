"""A training run from its first step to its files, whatever ends it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bpc.cli.app import ERRORS, INTERRUPTED
from bpc.cli.files import shown
from bpc.cli.progress import Display, Interrupts, display, number
from bpc.cli.show import say

if TYPE_CHECKING:
    from bpc.training.data import Data
    from bpc.training.loop import Plan, Run
    from bpc.training.model import Model


@dataclass(frozen=True)
class Job:
    """All that stays as it is from the first step to the last.

    `checkpoint` is where each epoch is saved, `saved` where an interrupted run is.
    """

    model: Model
    plan: Plan
    data: Data
    valid: Data | None
    config: Mapping[str, Any]
    out: str
    checkpoint: str | None
    saved: str
    plot: str | None
    title: str
    quiet: bool


def execute(job: Job, run: Run, interrupts: Interrupts) -> int:
    """Train, and write what came of it; the exit code."""
    from bpc.training.arrays import write_arrays
    from bpc.training.loop import Diverged, steps_of

    steps = 1 if job.plan.optimizer == "lbfgs" else steps_of(job.data, job.plan)
    try:
        with display(job.quiet, job.plan.epochs, steps, run) as show:
            ended = _fit(job, run, interrupts, show)
    except KeyboardInterrupt:
        ended = None
    except Diverged as error:
        if not run.epoch and not run.step:
            raise
        write_arrays(job.out, run.previous if run.best is None else run.best)
        _plot(job, run)
        say(f"{error}; {shown(job.out)} has {_what(run, 'the last params with a finite cost')}")
        return ERRORS
    if ended is None:
        _save(job, run, steps)
        return 128 + interrupts.number if interrupts.number else INTERRUPTED
    write_arrays(job.out, run.params if run.best is None else run.best)
    _plot(job, run)
    if not job.checkpoint:
        with suppress(OSError):
            Path(job.saved).unlink(missing_ok=True)
    if not job.quiet:
        if ended:
            click.echo(ended)
        click.echo(f"{shown(job.out)}: {_what(run, f'the params after epoch {run.epoch}')}")
    return 0


def _fit(job: Job, run: Run, interrupts: Interrupts, show: Display) -> str | None:
    """Train to the end; why it ended before the last epoch, or None where it was interrupted."""
    from bpc.training import checkpoint, lbfgs, loop

    def after() -> bool:
        show.epoch(run)
        return bool(interrupts.number)

    ended = ""
    if job.plan.optimizer == "lbfgs":
        ended = lbfgs.minimise(job.model, job.plan, run, job.data, job.valid, after)
        if interrupts.number:
            return None
    else:
        for end_of_epoch in loop.train(job.model, job.plan, run, job.data, job.valid):
            show.step(run)
            if end_of_epoch:
                show.epoch(run)
                if job.checkpoint:
                    checkpoint.save(job.checkpoint, run, job.config)
            if interrupts.number and not loop.finished(job.plan, run):
                return None
    if loop.stopped_early(job.plan, run):
        return f"no lower validation cost for {run.waited} epochs"
    return ended


def _save(job: Job, run: Run, steps: int) -> None:
    """Save an interrupted run, and say how it goes on."""
    from bpc.training import checkpoint
    from bpc.training.arrays import write_arrays

    where = f"interrupted in epoch {run.epoch + 1}"
    if job.plan.optimizer == "lbfgs":
        write_arrays(job.out, run.params)
        say(f"{where}; with --params {shown(job.out)} the same command goes on from there")
        return
    checkpoint.save(job.saved, run, job.config)
    say(
        f"{where}, after {run.step} of {steps} steps, and saved in {shown(job.saved)}: "
        "the same command with --resume goes on from there"
    )


def _what(run: Run, otherwise: str) -> str:
    """Which params are kept."""
    if run.best is None:
        return otherwise
    return f"the params of epoch {run.best_epoch}, validation cost {number(run.best_cost)}"


def _plot(job: Job, run: Run) -> None:
    from bpc.training import plot

    if job.plot:
        plot.draw(job.plot, run.history, job.title)
