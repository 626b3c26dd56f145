"""What `bpc train` and `bpc predict` share: options, and the way from a file to a module."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bpc.cli.app import FileError
from bpc.cli.files import reason, shown
from bpc.cli.show import renamed
from bpc.codegen.check import check_output
from bpc.compiler import compile_source, execute
from bpc.diagnostics import BpcError
from bpc.source import Source

if TYPE_CHECKING:
    from bpc.training.model import Model

Command = TypeVar("Command", bound=Callable[..., Any])


def pairs(
    context: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """`a=b,c=d`, given once or several times."""
    found: dict[str, str] = {}
    for part in (part for value in values for part in value.split(",")):
        name, equals, text = (piece.strip() for piece in part.partition("="))
        if not (name and equals and text):
            raise click.BadParameter(f"{part!r} is not NAME=VALUE", context, param)
        if name in found:
            raise click.BadParameter(f"{name} is given twice", context, param)
        found[name] = text
    return found


def columns(command: Command) -> Command:
    """Add `--columns`."""
    return click.option(
        "--columns", multiple=True, callback=pairs, metavar="NAME=COLUMNS",
        help="Where inputs stand in a .csv: x=0:64,label=64 or x=age+height,y=price.",
    )(command)  # fmt: skip


def batch_dim(command: Command) -> Command:
    """Add `--batch-dim`."""
    return click.option(
        "--batch-dim", metavar="DIM", help="The dim that counts examples, where it is in doubt."
    )(command)


def batch(size: int) -> Callable[[Command], Command]:
    """Add `--batch`."""
    return click.option(
        "--batch", type=click.IntRange(min=1), default=size, show_default=True, metavar="N",
        help="Examples taken at once.",
    )  # fmt: skip


def compiled(
    source: Source, path: str, level: str, settings: Mapping[str, int | float], **options: Any
) -> Model:
    """The model's module, loaded."""
    from bpc.training.model import describe

    try:
        text = compile_source(
            source.text, source.name, level=int(level), settings=settings, **options
        )
    except BpcError as error:
        raise BpcError(renamed(error.diagnostics, shown(path))) from None
    check_output(text)
    try:
        return describe(execute(text, source.name))
    except ImportError as error:
        raise FileError(f"{shown(path)} needs a package that is not installed: {error}") from None


def printable(error: Exception) -> str:
    """The message without what a terminal would obey: names in data are anybody's."""
    return "".join(c if c.isprintable() else "\ufffd" for c in str(error))


def check_columns(model: Model, columns: Mapping[str, str], *paths: str | None) -> None:
    """FileError where `--columns` has nothing to say, or names what is no input."""
    from bpc.diagnostics import did_you_mean

    if columns and not any(p and Path(p).suffix.lower() in (".csv", ".tsv") for p in paths):
        raise FileError("--columns is for .csv and .tsv files")
    for name in columns:
        if name not in model.inputs:
            known = ", ".join(model.inputs) or "none"
            hint = did_you_mean(name, model.inputs) or f"its inputs are {known}"
            raise FileError(f"--columns {name}: the model has no such input; {hint}")


def check_out(option: str, path: str, *read: str | None) -> None:
    """FileError where the file could not be written, or is one that is read."""
    for other in read:
        with suppress(OSError, ValueError):
            if other and other != "-" and os.path.samefile(path, other):
                raise FileError(f"{option} {shown(path)}: it is a file that is read")
    directory = Path(path).parent
    if Path(path).is_dir():
        raise FileError(f"cannot write {shown(path)}: is a directory")
    try:
        os.stat(directory)
    except OSError as error:
        raise FileError(f"cannot write {shown(path)}: {reason(error)}") from None
    if not os.access(directory, os.W_OK):
        raise FileError(f"cannot write {shown(path)}: permission denied")
