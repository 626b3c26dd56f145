"""Tables: .csv and .tsv files, with or without a line of names, cut into inputs by columns."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from bpc.diagnostics import did_you_mean
from bpc.training.arrays import reason
from bpc.training.model import Arrays, Spec, TrainingError

SEPARATORS = {".csv": ",", ".tsv": "\t"}


def read_table(path: str, inputs: Mapping[str, Spec], columns: Mapping[str, str]) -> Arrays:
    """The inputs that `columns` names (`0:64`, `64`, `-1`, `age+height`), a row an example.

    Without columns each input is the column of its name.
    """
    try:
        first = next((row for _, row in _rows(path) if row), None)
    except OSError as error:
        raise TrainingError(f"cannot read {path}: {reason(error)}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"cannot read {path}: {error}") from None
    if first is None:
        raise TrainingError(f"cannot read {path}: it is empty")
    names = [cell.strip() for cell in first]
    if not columns:
        columns = {name: name for name in inputs if name in names}
        if not columns:
            example = ",".join(f"{name}={i}" for i, name in enumerate(inputs))
            raise TrainingError(f"{path}: say which columns are which, as in --columns {example}")
    places = {k: _places(path, k, text, names) for k, text in columns.items()}
    used = sorted({i for places_ in places.values() for i in places_})
    heading = any(_number(first[i]) is None for i in used)
    values = _numbers(path, used, heading)
    where = {column: i for i, column in enumerate(used)}
    found: Arrays = {}
    for name, columns_ in places.items():
        # Picked columns come in Fortran order, in which products round otherwise than an .npz file's.
        picked = np.ascontiguousarray(values[:, [where[i] for i in columns_]])
        found[name] = _array(path, name, inputs[name], picked)
    return found


def _rows(path: str) -> Any:
    """Number and cells of each line."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=SEPARATORS[Path(path).suffix.lower()])
        for row in reader:
            yield reader.line_num, row


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _places(path: str, name: str, text: str, names: Sequence[str]) -> list[int]:
    """The columns that `0:64`, `-1` or `age+height` means."""
    found: list[int] = []
    every = range(len(names))
    for part in text.split("+"):
        start, colon, stop = part.strip().partition(":")
        try:
            if colon:
                ends = [int(end) if end else None for end in (start, stop)]
                found += every[slice(*ends)]
                if ends[1] is not None and not -len(names) <= ends[1] <= len(names):
                    raise IndexError
            else:
                found.append(every[int(start)])
        except IndexError:
            raise TrainingError(
                f"--columns {name}={text}: {path} has {len(names)} columns, 0 to {len(names) - 1}"
            ) from None
        except ValueError:
            if part.strip() not in names:
                help = did_you_mean(part.strip(), names) or "its first line has no such name"
                raise TrainingError(
                    f"--columns {name}={text}: {path} has no column {part.strip()!r}; {help}"
                ) from None
            found.append(names.index(part.strip()))
    if not found:
        raise TrainingError(f"--columns {name}={text}: this is no column at all")
    return found


def _numbers(path: str, used: Sequence[int], heading: bool) -> Any:
    """The used columns as float64, [rows, columns]."""
    separator = SEPARATORS[Path(path).suffix.lower()]
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = (line for line in file if line.strip())
            return np.loadtxt(
                islice(lines, int(heading), None), delimiter=separator, usecols=used, ndmin=2,
                comments=None, quotechar='"',
            )  # fmt: skip
    except (ValueError, UnicodeDecodeError) as error:
        raise TrainingError(_complaint(path, used, heading) or f"{path}: {error}") from None


def _complaint(path: str, used: Sequence[int], heading: bool) -> str | None:
    """What is wrong with the first line that is."""
    rows = ((number, row) for number, row in _rows(path) if row)
    for number, row in islice(rows, int(heading), None):
        if len(row) <= used[-1]:
            return f"{path}:{number}: {len(row)} columns, where column {used[-1]} is needed"
        for i in used:
            if _number(row[i]) is None:
                return f"{path}:{number}: column {i} is {row[i]!r}, no number"
    return None


def _array(path: str, name: str, spec: Spec, values: Any) -> Any:
    """The columns in an input's kind and shape; further axes are cut from a row's columns."""
    if spec.kind != "real":
        whole = values.round()
        if not np.array_equal(whole, values):
            wrong = values[whole != values].ravel()[0]
            raise TrainingError(f"{path}: {name} is int, and one of its values is {wrong}")
        values = whole.astype(np.int64 if spec.kind == "int" else np.bool_)
    if len(spec.shape) == 1 and values.shape[1] == 1:
        return values[:, 0]
    rest = spec.shape[1:]
    known = [n for n in rest if isinstance(n, int)]
    if len(rest) > 1 and len(known) == len(rest) and np.prod(known) == values.shape[1]:
        return values.reshape(len(values), *known)
    return values
