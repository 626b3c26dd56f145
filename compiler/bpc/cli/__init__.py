"""The command line. Each command is a module; `app` has what they share: exit codes and errors."""

from bpc.cli import check, compile, completion, derive, dump, ops
from bpc.cli.app import app, main

for _module in (compile, check, dump, ops, derive, completion):
    app.add_command(_module.command)

__all__ = ["app", "main"]
