"""Helpers of second derivatives that a generated module carries; their text goes there as it is."""

import numpy as np

from bpc.codegen.binding import _array

# The generated module has its own.
STACK_BYTES = 0


def _directions(what, given, keys, varied):
    """The arrays of a dict, each of the shape and dtype of what it goes with."""
    if not isinstance(given, dict) or set(given) != set(keys):
        raise ValueError(f"{what} has not exactly the names {', '.join(keys)}")
    found = [_array(f"{what} of {key}", given[key]) for key in keys]
    for key, array, v in zip(keys, found, varied):
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{what} of {key} has dtype {array.dtype}, expected reals")
        if array.shape != np.shape(v):
            raise ValueError(
                f"{what} of {key} has shape {array.shape}, expected {np.shape(v)}"
            )
    return [_plain_number(a.astype(_dtype(v)), v) for a, v in zip(found, varied)]


def _dtype(value):
    """The dtype of an array; float64 for a number of Python's."""
    return getattr(value, "dtype", np.dtype(np.float64))


def _plain_number(array, like):
    """A number of Python's where its like is one."""
    return array if hasattr(like, "dtype") else float(array)


def _formed(values, varied):
    """Fresh arrays like those they go with, numbers for numbers."""
    return [
        np.array(value, _dtype(v), order="C") if hasattr(v, "dtype") else float(value)
        for value, v in zip(values, varied)
    ]


def _units(varied):
    """For each of some numbers: as many of 0, with a 1 there."""
    for i in range(len(varied)):
        yield [float(i == j) for j in range(len(varied))]


def _matrix(columns):
    """Columns of numbers as a matrix."""
    return np.array(columns, dtype=float).T.copy() if columns else np.zeros((0, 0))


def _blocks(outputs, keys, columns):
    """The derivatives of each output by each number, from one column for each number."""
    return {
        output: {key: column[i] for key, column in zip(keys, columns)}
        for i, output in enumerate(outputs)
    }


def _parts(count, entries, like):
    """Parts of a range, equally long, that fit into memory: what each starts at, and its length."""
    itemsize = np.dtype(getattr(like, "dtype", float)).itemsize
    most = max(1, STACK_BYTES // (itemsize * max(1, int(entries))))
    length = -(-count // max(1, -(-count // most)))
    starts = range(0, max(1, count), max(1, length))
    return [(i, min(length, count - i)) for i in starts]


def _stacks(varied, first, columns):
    """Stacks of arrays like some, of 0, with a 1 at each entry of all in turn, from `first` on."""
    count = sum(v.size for v in varied)
    units = np.eye(columns, count, first, varied[0].dtype)
    ends = np.cumsum([v.size for v in varied])[:-1]
    split = np.split(units, ends, axis=1)
    return [part.reshape((columns, *v.shape)) for part, v in zip(split, varied)]


def _square(varied, stacks):
    """The matrix of which stacks of arrays like some hold the columns."""
    if len(stacks) == len(varied) == 1:
        ((part,),) = stacks
        return part.reshape(len(part), varied[0].size).T.copy()
    count = sum(v.size for v in varied)
    matrix = np.empty((count, count), varied[0].dtype if varied else float)
    column = 0
    for parts in stacks:
        row = 0
        for part, v in zip(parts, varied):
            place = matrix[row : row + v.size, column : column + len(part)]
            place[...] = part.reshape(len(part), v.size).T
            row += v.size
        column += len(parts[0])
    return matrix


def _derivatives(outputs, keys, varied, stacks):
    """The derivatives of each output by each array, from stacks of them for all entries."""
    ends = np.cumsum([v.size for v in varied])
    result = {}
    for output, parts in zip(outputs, zip(*stacks)):
        whole = np.concatenate(parts) if len(parts) > 1 else parts[0]
        result[output] = {
            key: np.array(
                np.moveaxis(part, 0, -1).reshape(part.shape[1:] + v.shape), order="C"
            )
            for key, v, part in zip(keys, varied, np.split(whole, ends[:-1]))
        }
    return result


def _gradients(outputs, likes, keys, varied, stacks):
    """The derivatives of each output by each array, from stacks of them for all outputs."""
    ends = np.cumsum([like.size for like in likes])[:-1]
    result = {output: {} for output in outputs}
    for key, v, parts in zip(keys, varied, zip(*stacks)):
        whole = np.concatenate(parts) if len(parts) > 1 else parts[0]
        for output, like, part in zip(outputs, likes, np.split(whole, ends)):
            result[output][key] = np.array(
                part.reshape(like.shape + v.shape), order="C"
            )
    return result


def _examples(arrays, axes, first, count):
    """The arrays with just some entries on their axes of examples."""
    return [
        a if axis is None else a[(slice(None),) * axis + (slice(first, first + count),)]
        for a, axis in zip(arrays, axes)
    ]


def _rows(parts):
    """Gradients of examples, put together along their first axis."""
    if len(parts) == 1:
        return map(np.ascontiguousarray, parts[0])
    return [np.concatenate(stacks) for stacks in zip(*parts)]
