"""Named arrays in .npz files: read without ever running what is in them, written whole or not at all."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bpc.output import write_data
from bpc.training.model import Arrays, TrainingError


def read_arrays(path: str) -> Arrays:
    """All arrays of an .npz file by name."""
    try:
        with open(path, "rb") as file:
            if not zipfile.is_zipfile(file):
                raise TrainingError(f"cannot read {path}: it is no .npz file")
            file.seek(0)
            with np.load(file, allow_pickle=False) as found:
                return {name: found[name] for name in found.files}
    except OSError as error:
        raise TrainingError(f"cannot read {path}: {reason(error)}") from None
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        why = "it holds Python objects" if "allow_pickle" in str(error) else str(error)
        raise TrainingError(f"cannot read {path}: {why}") from None


def write_arrays(path: str, arrays: Mapping[str, Any]) -> None:
    """An .npz file of the arrays, whatever their names; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
    write(path, buffer.getvalue())


def write(path: str, data: bytes) -> None:
    """The bytes in a file, whole or not at all; TrainingError where that cannot be."""
    try:
        write_data(Path(path), data)
    except OSError as error:
        raise TrainingError(f"cannot write {path}: {reason(error)}") from None


def reason(error: OSError) -> str:
    """What the system says, in lower case."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
