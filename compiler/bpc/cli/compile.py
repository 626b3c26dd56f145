"""`bpc compile`: a model's file in, the Python file of its gradient out."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import click

from bpc.cli import options
from bpc.cli.app import FileError
from bpc.cli.files import read, reason, shown
from bpc.cli.show import renamed, say, tiles
from bpc.cli.timings import Timings
from bpc.codegen.check import OutputError, check_output
from bpc.compiler import compile_source
from bpc.diagnostics import BpcError
from bpc.output import Refused, write
from bpc.reports import tilings

EXAMPLES = """
\b
Examples:
  bpc compile model.bp -o model_grad.py
  bpc compile digits.bp --set H=128 -O0 | less
  bpc compile - < model.bp > model_grad.py
"""


@click.command("compile", epilog=EXAMPLES)
@options.model
@click.option(
    "-o", "--output", type=click.Path(allow_dash=True), default="-", metavar="FILE",
    help="Where the Python goes. Default: -, stdout.",
)  # fmt: skip
@options.level
@options.settings
@options.wrt
@options.emit
@options.limit
@click.option("--force", is_flag=True, help="Overwrite a file that bpc did not write.")
@click.option("--verify-ir", is_flag=True, help="Check the program after each pass.")
@click.option("--report", is_flag=True, help="Say on stderr what runs in tiles at -O2, or why not.")
@click.option(
    "--tile", type=click.IntRange(min=1), metavar="ROWS",
    help="How many rows a tile has at -O2. Default: as many as 2 MB of memory hold.",
)  # fmt: skip
@click.option("--check-format", is_flag=True, help="Check that Black would change nothing.")
@click.option("--timings", is_flag=True, help="Show on stderr what each stage took and made.")
def command(
    model: str,
    output: str,
    level: str,
    settings: tuple[tuple[str, int | float], ...],
    wrt: list[str],
    emit: list[str],
    limit: int,
    force: bool,
    verify_ir: bool,
    report: bool,
    tile: int | None,
    check_format: bool,
    timings: bool,
) -> None:
    """Compile MODEL (a .bp file, or - for stdin) to a Python module."""
    done = Timings()
    with suppress(OSError, ValueError):
        if "-" not in (model, output) and os.path.samefile(model, output):
            raise FileError(f"cannot write {shown(output)}: it is the model itself")
    source = read(model, short=True)
    done("read", _count(source.text.encode()))
    try:
        text = compile_source(
            source.text, source.name, level=int(level), settings=dict(settings), wrt=wrt,
            emit=emit, limit=limit, verify_ir=verify_ir, tile=tile, timings=done,
        )  # fmt: skip
        if report:
            if level != "2":
                say(f"at -O{level} all functions run whole; at -O2:")
            tiles(tilings(source, settings=dict(settings), wrt=wrt, emit=emit, limit=limit))
    except BpcError as error:
        raise BpcError(renamed(error.diagnostics, shown(model))) from None
    check_output(text)
    done("check", "")
    if check_format:
        _check_format(text)
        done("check format", "")
    _write(output, text, force)
    done("write", _count(text.encode()))
    if timings:
        click.echo("\n".join(done.table()), err=True)


def _count(data: bytes) -> str:
    return f"{len(data):,} bytes"


def _write(output: str, text: str, force: bool) -> None:
    """Put the text where it goes; FileError."""
    if output == "-":
        click.echo(text.encode(), nl=False)
        return
    try:
        write(Path(output), text, force)
    except Refused as refusal:
        raise FileError(f"cannot write {shown(output)}: it {refusal}") from None
    except OSError as error:
        raise FileError(f"cannot write {shown(output)}: {reason(error)}") from None
    except ValueError as error:  # a NUL in the name
        raise FileError(f"cannot write {shown(output)}: {error}") from None


def _check_format(text: str) -> None:
    """OutputError where Black would write other bytes."""
    import black

    formatted = black.format_str(text, mode=black.Mode())
    pairs = zip(text.split("\n"), formatted.split("\n"))
    for number, (ours, blacks) in enumerate(pairs, 1):
        if ours != blacks:
            raise OutputError(f"line {number} is {ours!r}, Black writes {blacks!r}")
    if text != formatted:
        raise OutputError("Black writes more or fewer lines")
