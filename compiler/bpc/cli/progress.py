"""How training is shown: a bar on a terminal, and a line for each epoch everywhere."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import click

from bpc.cli.show import coloured

if TYPE_CHECKING:
    from bpc.training.loop import Run

EVERY = 0.1  # seconds between two looks of the bar


def number(value: float) -> str:
    """A cost in a few digits: `0.0123`, `1.235e-05`."""
    return f"{value:.4f}" if value == 0 or 1e-2 <= abs(value) < 1e5 else f"{value:.3e}"


def line(epoch: int, epochs: int, row: Mapping[str, float]) -> str:
    """`epoch  3/20   cost 0.1234   valid 0.2345   accuracy 93.21%`."""
    parts = [f"epoch {str(epoch).rjust(len(str(epochs)))}/{epochs}"]
    for name, value in row.items():
        parts.append(f"{name} {f'{value:.2%}' if name == 'accuracy' else number(value)}")
    return "   ".join(parts)


class Display:
    """Lines on stdout, and below them a bar if that is a terminal; nothing where quiet."""

    def __init__(self, quiet: bool, epochs: int, steps: int) -> None:
        self.quiet, self.epochs, self.steps = quiet, epochs, steps
        self.bar: Any = None
        self.task: Any = None
        self.shown = 0.0

    def say(self, text: str) -> None:
        """A line, above the bar."""
        if self.quiet:
            return
        if self.bar is not None:
            self.bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            click.echo(text)

    def step(self, run: Run) -> None:
        """Move the bar."""
        now = time.monotonic()
        if self.bar is not None and now - self.shown > EVERY:
            self.shown = now
            cost = f"cost {number(run.total / run.seen)}" if run.seen else ""
            self.bar.update(
                self.task, completed=run.epoch * self.steps + run.step, cost=cost,
                epoch=min(run.epoch + 1, self.epochs), latest=_latest(run),
            )  # fmt: skip

    def epoch(self, run: Run) -> None:
        """The line of the epoch that has just ended."""
        self.say(line(run.epoch, self.epochs, run.history[-1]))
        self.shown = 0.0
        self.step(run)


def _latest(run: Run) -> str:
    """What the last epoch brought, but for its cost."""
    row = run.history[-1] if run.history else {}
    rest = {k: v for k, v in row.items() if k != "cost"}
    return "  ".join(line(0, 0, rest).split("   ")[1:])


@contextmanager
def display(quiet: bool, epochs: int, steps: int, run: Run) -> Iterator[Display]:
    """The display of a run that may have begun long ago."""
    shown = Display(quiet, epochs, steps)
    if quiet or not coloured(sys.stdout):
        yield shown
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("epoch {task.fields[epoch]}/" + str(epochs)), BarColumn(),
        TextColumn("{task.fields[cost]}  {task.fields[latest]}"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(file=sys.stdout), transient=True) as shown.bar:
        shown.task = shown.bar.add_task(
            "", total=epochs * steps, epoch=run.epoch + 1, cost="", latest=_latest(run),
            completed=run.epoch * steps + run.step,
        )  # fmt: skip
        yield shown


class Interrupts:
    """Ctrl-C and SIGTERM while training: noted, and heeded between two steps.

    A second one does not wait until the model has computed; nothing else is cut off by anything.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.number = run, 0

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()
        numbers = (signal.SIGINT, signal.SIGTERM) if main else ()
        self.before = {n: signal.signal(n, self._note) for n in numbers}
        return self

    def __exit__(self, *rest: object) -> None:
        for n, handler in self.before.items():
            signal.signal(n, handler)

    def _note(self, number: int, frame: object) -> None:
        again, self.number = bool(self.number), number
        if again and self.run.computing:
            raise KeyboardInterrupt
