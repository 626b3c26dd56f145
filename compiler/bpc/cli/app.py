"""The group of commands, and what becomes of everything that can go wrong in them.

Exit codes: 0 fine, 1 the program has errors, 2 usage or files, 70 a bug in bpc, 130 interrupted.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any, NoReturn

import click

from bpc.cli.show import report, say
from bpc.diagnostics import BpcError, UsageError
from bpc.version import VERSION

ERRORS, USAGE, BUG, INTERRUPTED = 1, 2, 70, 130
EXAMPLES = """
\b
Examples:
  bpc compile model.bp -o model_grad.py
  bpc check *.bp
  bpc train model.bp --data train.npz --out params.npz
  bpc info model.bp --at N=128
  bpc derive "w^3" --wrt w --at w=2
  bpc ops softmax
"""


class FileError(Exception):
    """A file that cannot be read or written: one line that names it."""


class App(click.Group):
    """Turns exceptions into messages on stderr and an exit code."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run a command, and end the process."""
        extra["standalone_mode"] = False
        extra["prog_name"] = "bpc"
        try:
            code = super().main(*args, **extra)
            if sys.stdout is None:
                raise FileError("stdout is closed")
            sys.stdout.flush()
        except BpcError as error:
            report(error.diagnostics)
            code = ERRORS
        except click.ClickException as error:
            error.show()
            code = USAGE
        except (UsageError, FileError) as error:
            say(str(error))
            code = USAGE
        except OSError as error:
            say(f"cannot write the output: {error.strerror or error}")
            code = USAGE
        except (KeyboardInterrupt, click.Abort):
            say("interrupted")
            code = INTERRUPTED
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a bug
            code = _bug(error)
        sys.exit(code if isinstance(code, int) else 0)


def _bug(error: Exception) -> int:
    if os.environ.get("BPC_TRACEBACK"):
        import traceback

        traceback.print_exc()
    say(f"this is a bug in bpc: {type(error).__name__}: {error}")
    if not os.environ.get("BPC_TRACEBACK"):
        say("run it again with BPC_TRACEBACK=1 for the traceback, and report it with the model")
    return BUG


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def main() -> NoReturn:
    """Run the command line of this process."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `bpc ops | head` ends without a word
    signal.signal(signal.SIGTERM, _terminated)  # as an exception, so that temporary files go
    app.main()


@click.group(cls=App, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="bpc", message="%(prog)s %(version)s")
def app() -> None:
    """Compile the mathematics of a model to a plain NumPy module with its gradient."""
