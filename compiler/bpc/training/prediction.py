"""The outputs of a model for all of the data, and the files that they go to."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from bpc.training.arrays import write, write_arrays
from bpc.training.data import Data
from bpc.training.evaluation import axes_of
from bpc.training.model import Arrays, Model, TrainingError, calling, forward


def predict(
    model: Model, params: Arrays, data: Data, batch: int, dim: str | None, what: str
) -> Arrays:
    """The outputs; batches of them are joined along the batch dim.

    All data are taken at once where an output does not have that dim just once.
    """
    axes = {name: axes_of(text) for name, text in model.outputs.items()}
    whole = not data.axes or any(a.count(str(dim)) != 1 for a in axes.values())
    with calling(what):
        if whole:
            found = forward(model, params, data.take(slice(None)))
            return {name: np.asarray(found[name]) for name in axes}
        parts = [forward(model, params, inputs) for _, inputs in data.batches(batch)]
    return {
        name: np.concatenate([part[name] for part in parts], axes[name].index(str(dim)))
        for name in axes
    }


def check(path: str) -> None:
    """TrainingError where the name does not say what the file is to be."""
    if Path(path).suffix.lower() not in (".npz", ".csv"):
        raise TrainingError(f"--out {path}: a name that ends in .npz or .csv is expected")


def save(path: str, outputs: Arrays) -> None:
    """Write the outputs by name, or as a table: a row an example, a column a number of it."""
    if Path(path).suffix.lower() == ".npz":
        write_arrays(path, outputs)
        return
    if not any(a.ndim for a in outputs.values()):  # of an only example
        outputs = {name: array[None] for name, array in outputs.items()}
    lengths = {a.shape[0] if a.ndim else None for a in outputs.values()}
    if len(lengths) != 1 or None in lengths:
        shapes = ", ".join(f"{name} {a.shape}" for name, a in outputs.items())
        raise TrainingError(
            f"cannot write {path}: a table has a row for each example, and the outputs are "
            f"{shapes}; .npz holds them"
        )
    names = [n for name, array in outputs.items() for n in _names(name, array.shape[1:])]
    columns = [_texts(array) for array in outputs.values()]
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\n")
    table.writerow(names)
    table.writerows([text for texts in row for text in texts] for row in zip(*columns))
    write(path, buffer.getvalue().encode())


def _names(name: str, shape: tuple[int, ...]) -> list[str]:
    """p[0], p[1], ...; just p for a number."""
    return [f"{name}{''.join(f'[{i}]' for i in index)}" for index in np.ndindex(shape)]


def _texts(array: Any) -> list[list[str]]:
    """The numbers of each example, in as many digits as their dtype needs."""
    flat = array.reshape(len(array), -1)
    flat = flat.astype(int) if flat.dtype == bool else flat
    texts: list[list[str]] = flat.astype(str).tolist()
    return texts
