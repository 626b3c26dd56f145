"""The command line. Each command is a module; `app` has what they share: exit codes and errors."""

from bpc.cli.app import app, main
from bpc.cli.check import command as _check
from bpc.cli.compile import command as _compile
from bpc.cli.completion import command as _completion
from bpc.cli.derive import command as _derive
from bpc.cli.dump import command as _dump
from bpc.cli.info import command as _info
from bpc.cli.ops import command as _ops
from bpc.cli.predict import command as _predict
from bpc.cli.train import command as _train

for _command in (_compile, _check, _train, _predict, _info, _dump, _ops, _derive, _completion):
    app.add_command(_command)

__all__ = ["app", "main"]
