"""`bpc completion`: the script that makes a shell complete bpc's commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

EXAMPLES = """
\b
Examples:
  bpc completion bash >> ~/.bashrc
  bpc completion zsh >> ~/.zshrc
  bpc completion fish > ~/.config/fish/completions/bpc.fish
"""


@click.command("completion", epilog=EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script for SHELL."""
    kind = get_completion_class(shell)
    assert kind is not None
    root = context.find_root().command
    click.echo(kind(root, {}, "bpc", "_BPC_COMPLETE").source())
