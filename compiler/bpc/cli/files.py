"""Reading models: every way in which that can fail is one line."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bpc.cli.app import FileError
from bpc.source import Source

LARGEST = 64 * 2**20  # bytes


def shown(path: str) -> str:
    """A path as messages show it: nothing in it that a terminal would obey."""
    name = "<stdin>" if path == "-" else click.format_filename(path)
    return "".join(c if c.isprintable() else "\ufffd" for c in name)


def read(path: str, short: bool = False) -> Source:
    """The text of a file, `-` being stdin; `short` names it without its directories.

    A byte order mark is skipped. Raises FileError.
    """
    name = shown(path)
    try:
        if path == "-":
            if sys.stdin is None:
                raise FileError("cannot read <stdin>: it is closed")
            data = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(LARGEST + 1)
    except OSError as error:
        raise FileError(f"cannot read {name}: {reason(error)}") from None
    except ValueError as error:  # a NUL in the name
        raise FileError(f"cannot read {name}: {error}") from None
    if len(data) > LARGEST:
        raise FileError(f"cannot read {name}: it is larger than {LARGEST >> 20} MiB")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        why = f"byte 0x{data[error.start]:02x} at offset {error.start} is not UTF-8"
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            why = f"it seems to be UTF-16 ({why})"
        raise FileError(f"cannot read {name}: {why}") from None
    if short and path != "-":
        name = shown(Path(path).name)
    return Source(name, text.removeprefix("\ufeff"))


def reason(error: OSError) -> str:
    """What the system says, in lower case."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
