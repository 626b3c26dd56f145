"""`bpc dump`: what a model looks like on its way through the compiler."""

from __future__ import annotations

import click

from bpc.cli import options
from bpc.cli.app import ERRORS
from bpc.cli.files import read
from bpc.cli.show import report
from bpc.cli.tree import tree
from bpc.compiler import STAGES, differentiate, front, optimise
from bpc.parser import parse
from bpc.printer import print_program

EXAMPLES = """
\b
Stages:
  ast   the syntax tree
  ir    the equations, typed and shaped
  grad  the same with the gradient
  opt   the same after the passes of the level
"""


@click.command("dump", epilog=EXAMPLES)
@options.model
@click.option("--stage", type=click.Choice(STAGES), required=True, help="Which form to show.")
@options.level
@options.settings
@options.wrt
@options.limit
@click.pass_context
def command(
    context: click.Context,
    model: str,
    stage: str,
    level: str,
    settings: tuple[tuple[str, int | float], ...],
    wrt: list[str],
    limit: int,
) -> None:
    """Show MODEL (a .bp file, or - for stdin) as one stage of the compiler has it."""
    source = read(model)
    if stage == "ast":
        parsed, diagnostics = parse(source)
        for row in tree(parsed):
            click.echo(row)
        report(diagnostics)
        context.exit(ERRORS if diagnostics else 0)
    program = front(source, dict(settings), limit)
    if stage != "ir":
        program = differentiate(program, source, tuple(wrt), int(level))
    if stage == "opt":
        program = optimise(program, int(level))
    click.echo(print_program(program), nl=False)
