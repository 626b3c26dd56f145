"""Data for a model: arrays found by the inputs' names, checked, and taken a batch at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bpc.diagnostics import did_you_mean
from bpc.training.arrays import read_arrays
from bpc.training.model import Arrays, Model, Spec, TrainingError
from bpc.training.table import SEPARATORS, read_table

KINDS = {"real": "iufb", "int": "iu", "bool": "b"}


@dataclass(frozen=True, slots=True)
class Data:
    """Arrays by input; `axes` has the axis of the batch dim for those that have one.

    `rows` is the size of the batch dim, 1 where there is none; `dims` are all free dims; `reals` are
    cast to the dtype as they are taken; `plain` where the model takes Python's own numbers.
    """

    arrays: Arrays
    axes: Mapping[str, int]
    rows: int
    dims: Mapping[str, int]
    dtype: Any
    reals: frozenset[str]
    plain: bool

    def take(self, rows: Any) -> Arrays:
        """The inputs of some examples: indices, or a slice. Reals have the dtype of training."""
        return {name: self._part(name, array, rows) for name, array in self.arrays.items()}

    def _part(self, name: str, array: Any, rows: Any) -> Any:
        if name in self.axes:
            array = array[(slice(None),) * self.axes[name] + (rows,)]
        if name in self.reals:
            array = array.astype(self.dtype, copy=False)
        return array.item() if self.plain else array

    def batches(self, size: int) -> Iterator[tuple[int, Arrays]]:
        """All examples in their order, at most `size` at a time, with their number."""
        for first in range(0, self.rows, size):
            last = min(first + size, self.rows)
            yield last - first, self.take(slice(first, last))

    def digest(self) -> str:
        """A hash of it all: a run goes on with the data that it began with."""
        state = hashlib.blake2b(digest_size=16)
        for name, array in self.arrays.items():
            state.update(f"{name} {array.dtype} {array.shape} ".encode())
            state.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
        return state.hexdigest()


def load(
    path: str | None,
    model: Model,
    dim: str | None,
    dtype: Any,
    columns: Mapping[str, str],
    needed: tuple[str, ...] | None = None,
) -> Data:
    """The data of a file, for the needed inputs (all of them, if None is given).

    `dim` is the batch dim. Inputs that the file lacks have their samples. Raises TrainingError.
    """
    wanted = {n: s for n, s in model.inputs.items() if needed is None or n in needed}
    suffix = Path(path).suffix.lower() if path else ""
    if path is None:
        found: Arrays = {}
    elif suffix in SEPARATORS:
        found = read_table(path, wanted, {k: v for k, v in columns.items() if k in wanted})
    elif suffix == ".npz":
        found = read_arrays(path)
    else:
        raise TrainingError(f"{path}: data are in an .npz, .csv or .tsv file")
    arrays: Arrays = {}
    for name, spec in wanted.items():
        if name in found:
            arrays[name] = _checked(path or "", name, spec, found[name])
        elif name not in model.optional:
            raise TrainingError(_missing(path, name, spec, found))
    dims = _dims(path or "", wanted, arrays)
    axes = {n: wanted[n].shape.index(dim) for n in arrays if dim in wanted[n].shape} if dim else {}
    rows = dims[dim] if dim is not None and axes else 1
    if not rows:
        raise TrainingError(f"{path}: there are no examples: {dim} = 0")
    reals = frozenset(n for n, s in wanted.items() if s.kind == "real")
    return Data(arrays, axes, rows, dims, dtype, reals, model.plain(dtype))


def agree(model: Model, first: Data, second: Data, names: tuple[str, str]) -> None:
    """TrainingError where the params that fit one of two data sets do not fit the other."""
    for dim in model.sizes:
        sizes = [data.dims.get(dim) for data in (first, second)]
        if sizes[0] != sizes[1]:
            raise TrainingError(
                f"{names[1]} has {dim} = {sizes[1]}, where {names[0]} has {dim} = {sizes[0]}"
            )


def batch_dim(model: Model, wanted: str | None) -> str | None:
    """The dim that counts examples: the one wanted, or the first axis of all inputs that have any.

    None where there is none, or where the params' own shapes depend on it: then the data are taken
    whole. Raises TrainingError where the inputs do not agree.
    """
    shapes = [spec.shape for spec in model.inputs.values()]
    free = list(dict.fromkeys(d for shape in shapes for d in shape if isinstance(d, str)))
    if wanted is not None:
        if wanted not in free:
            help = did_you_mean(wanted, free) or f"free are {', '.join(free) or 'none'}"
            raise TrainingError(f"--batch-dim {wanted}: no input has this free dim; {help}")
        if wanted in model.sizes:
            raise TrainingError(f"--batch-dim {wanted}: the params' shapes depend on it")
        for name, spec in model.inputs.items():
            if spec.shape.count(wanted) > 1:
                raise TrainingError(f"--batch-dim {wanted}: {name} has it twice, {spec.text}")
        return wanted
    first = [d for d in free if any(shape and shape[0] == d for shape in shapes)]
    if len(first) > 1:
        usual = max(first, key=lambda d: sum(d in shape for shape in shapes))
        names = f"{', '.join(first[:-1])} and {first[-1]}"
        raise TrainingError(
            f"which of {names} counts the examples? --batch-dim {usual} would say so"
        )
    single = [d for d in first if d not in model.sizes and all(s.count(d) < 2 for s in shapes)]
    return single[0] if single else None


def _missing(path: str | None, name: str, spec: Spec, found: Arrays) -> str:
    if path is None:
        return f"the input {name} ({spec.text}) has no sample: --data FILE is needed"
    listed = ", ".join(f"{k} {v.dtype} {v.shape}" for k, v in found.items()) or "nothing"
    return f"{path} has no {name} ({spec.text}); it has {listed}"


def _checked(path: str, name: str, spec: Spec, array: Any) -> Any:
    """The array if it is of the input's kind."""
    if array.dtype.kind not in KINDS[spec.kind]:
        expected = "numbers" if spec.kind == "real" else spec.kind
        raise TrainingError(f"{path}: {name} has dtype {array.dtype}, expected {expected}")
    return array


def _dims(path: str, inputs: Mapping[str, Spec], arrays: Arrays) -> dict[str, int]:
    """The free dims, by the arrays' shapes; TrainingError where two do not agree."""
    dims: dict[str, int] = {}
    source: dict[str, str] = {}
    for name, array in arrays.items():
        shape, text = inputs[name].shape, inputs[name].text.partition(" ")[2]
        known = ""
        fits = len(shape) == array.ndim
        for have, want, label in zip(array.shape, shape, text.strip("[]").split(", ")):
            if isinstance(want, int) and label != str(want):
                known += f", {label} = {want}"
            if isinstance(want, str):
                if want in source:
                    known += f", {want} = {dims[want]} as in {source[want]}"
                source.setdefault(want, name)
                want = dims.setdefault(want, have)
            fits = fits and want in (None, have)
        if not fits:
            wanted = f"{text or 'a scalar'}{known}"
            raise TrainingError(f"{path}: {name} has shape {array.shape}, expected {wanted}")
    return dims
