"""Options that several commands take."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from bpc.emit import EMIT
from bpc.lower import LIMIT

Command = TypeVar("Command", bound=Callable[..., Any])
NAME = re.compile(r"[A-Za-z_]\w*(\[\d+\])*", re.ASCII)


class Setting(click.ParamType):  # type: ignore[type-arg]
    """`NAME=VALUE`, the value an int or a float: `H=64`, `H[1]=64`, `eps=1e-6`."""

    name = "NAME=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int | float]:
        """The name and the number."""
        if isinstance(value, tuple):
            return value
        name, equals, text = (part.strip() for part in value.partition("="))
        name = re.sub(r"\s", "", name)
        if not equals or not NAME.fullmatch(name):
            self.fail(f"{value!r} is not NAME=VALUE, as in H=64 or H[1]=64", param, ctx)
        number = number_of(text)
        if number is None:
            self.fail(f"{text[:40]!r} is no finite number", param, ctx)
        return name, number


def number_of(text: str) -> int | float | None:
    """The int or finite float that a text is."""
    for kind in (int, float):
        try:
            number: int | float = kind(text)
        except ValueError:
            continue
        return number if abs(number) < math.inf and abs(number) <= 2**1023 else None
    return None


def listed(context: click.Context, param: click.Parameter, values: tuple[str, ...]) -> list[str]:
    """Names given one by one or with commas, each once; `w[1]` is `w1`, its key in params."""
    names = [name.strip() for value in values for name in value.split(",")]
    if not all(names):
        raise click.BadParameter("a name is missing", context, param)
    return list(dict.fromkeys(re.sub(r"\[(\d+)\]", r"\1", name) for name in names))


def level(command: Command) -> Command:
    """Add `-O`."""
    return click.option(
        "-O", "--level", "level", type=click.Choice(["0", "1", "2"]), default="1", show_default=True,
        help="Level: 0 one line per step, 1 simplified, 2 as fast as can be.",
    )(command)  # fmt: skip


def settings(command: Command) -> Command:
    """Add `--set`."""
    return click.option(
        "--set", "settings", type=Setting(), multiple=True,
        help="Give a dim or const another value, as in --set H=64.",
    )(command)  # fmt: skip


def wrt(command: Command) -> Command:
    """Add `--wrt`."""
    return click.option(
        "--wrt", multiple=True, callback=listed, metavar="NAMES",
        help="What the gradient is by, as in --wrt w,x; a name counts once. Default: all params.",
    )(command)  # fmt: skip


def emit(command: Command) -> Command:
    """Add `--emit`."""
    return click.option(
        "--emit", multiple=True, callback=listed, metavar="NAMES",
        help=f"Further functions to write: {', '.join(EMIT)}.",
    )(command)  # fmt: skip


def limit(command: Command) -> Command:
    """Add `--limit`."""
    return click.option(
        "--limit", type=click.IntRange(min=1), default=LIMIT, show_default=True,
        help="The most steps that def and for may expand to.",
    )(command)  # fmt: skip


model = click.argument("model", type=click.Path(allow_dash=True))
