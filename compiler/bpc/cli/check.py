"""`bpc check`: all that is wrong with some models."""

from __future__ import annotations

import json

import click

from bpc.cli.app import ERRORS, USAGE, FileError
from bpc.cli.files import read
from bpc.cli.show import report, say
from bpc.compiler import differentiate, front
from bpc.diagnostics import BpcError, Diagnostic


@click.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="text: messages on stderr; json: one list on stdout.",
)  # fmt: skip
@click.pass_context
def command(context: click.Context, files: tuple[str, ...], form: str) -> None:
    """Report all errors in FILES, - being stdin."""
    code, wrong = 0, 0
    found: list[Diagnostic] = []
    for file in files:
        try:
            source = read(file)
        except FileError as error:
            say(str(error))
            code = USAGE
            continue
        try:
            differentiate(front(source, {}), source, (), 1)
        except BpcError as error:
            if form == "text":
                report(error.diagnostics)
            found += error.diagnostics
            wrong += 1
            code = code or ERRORS
    if form == "json":
        click.echo(json.dumps([d.as_dict() for d in found], indent=2))
    elif found:
        say(f"{_count(len(found), 'error')} in {wrong} of {_count(len(files), 'file')}")
    context.exit(code)


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
