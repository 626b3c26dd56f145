"""Writing a generated file: whole or not at all, and never over somebody's own work."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from bpc.codegen.module import SEAL


class Refused(Exception):
    """The file stands in the way: it says what to do."""


def is_sealed(data: bytes) -> bool:
    """Whether the text is as bpc wrote it: its last line is the sha256 of what is before the seal.

    Line ends may have become CRLF.
    """
    text, mark, digest = data.replace(b"\r\n", b"\n").rpartition(f"{SEAL}\n# ".encode())
    return bool(mark) and digest == hashlib.sha256(text).hexdigest().encode() + b"\n"


def write(path: Path, text: str, force: bool = False) -> None:
    """Put the text in a file: at any moment the old file or the new one is there whole.

    Raises Refused for a file that bpc did not write, or that was edited since, but with `force`;
    OSError. What is no regular file (a pipe, /dev/null) is written to as it is.
    """
    data = text.encode()
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    try:
        old = path.stat()
    except FileNotFoundError:
        _replace(path, data, None)
        return
    if stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(None, "is a directory", str(path))
    if not stat.S_ISREG(old.st_mode):
        path.write_bytes(data)
        return
    with open(path, "rb+") as file:  # an error where it may not be written
        found = b"" if force else file.read()
    if found and not is_sealed(found):
        edited = f"\n{SEAL}\n".encode() in found.replace(b"\r\n", b"\n")
        why = "was edited after bpc wrote it" if edited else "was not written by bpc"
        raise Refused(f"{why}; --force overwrites it")
    _replace(path, data, old)


def write_data(path: Path, data: bytes) -> None:
    """Put data in a file whole or not at all, whatever was there: trained parameters, plots.

    Raises OSError. What is no regular file (a pipe, /dev/null) is written to as it is.
    """
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    try:
        old = path.stat()
    except FileNotFoundError:
        _replace(path, data, None)
        return
    if stat.S_ISREG(old.st_mode):
        _replace(path, data, old)
    else:
        path.write_bytes(data)


def _replace(path: Path, data: bytes, old: os.stat_result | None) -> None:
    """Write beside the file, flush to the disk, rename; owner and permissions stay."""
    beside = path.with_name(f".bpc-{secrets.token_hex(8)}.tmp")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with open(os.open(beside, flags, 0o666), "wb") as file:
            if old is not None and hasattr(os, "fchmod"):
                with suppress(PermissionError):
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # so that the rename itself outlives a power cut
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
