"""Helpers of second derivatives that a generated module carries; their text goes there as it is."""

import numpy as np


def _like(what, given, keys, varied):
    """The arrays of a dict, each of the shape and dtype of what it goes with."""
    if not isinstance(given, dict) or set(given) != set(keys):
        raise ValueError(f"{what} has not exactly the names {', '.join(keys)}")
    found = [np.asarray(given[key]) for key in keys]
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
    """For each entry of some arrays: arrays like them of 0, with a 1 there."""
    for i, v in enumerate(varied):
        for j in range(np.size(v)):
            zeros = [np.zeros(np.shape(x), _dtype(x)) for x in varied]
            zeros[i].reshape(-1)[j] = 1
            yield [_plain_number(zero, x) for zero, x in zip(zeros, varied)]


def _matrix(columns):
    """Columns of several arrays as one matrix."""
    flat = [np.concatenate([np.ravel(part) for part in parts]) for parts in columns]
    return np.stack(flat, axis=-1) if flat else np.zeros((0, 0))


def _blocks(outputs, keys, varied, columns):
    """The derivatives of each output by each array, from one column for each entry."""
    result = {output: {} for output in outputs}
    for i, output in enumerate(outputs):
        start = 0
        for key, v in zip(keys, varied):
            stop = start + np.size(v)
            part = np.stack([np.asarray(c[i]) for c in columns[start:stop]], axis=-1)
            part = np.array(part.reshape(part.shape[:-1] + np.shape(v)), order="C")
            number = not part.shape and not hasattr(v, "dtype")
            result[output][key] = float(part) if number else part
            start = stop
    return result


def _examples(arrays, axes):
    """For each example: the arrays with just its entry on their axes of examples."""
    count = next(a.shape[axis] for a, axis in zip(arrays, axes) if axis is not None)
    for i in range(count):
        yield [
            a if axis is None else a[(slice(None),) * axis + (slice(i, i + 1),)]
            for a, axis in zip(arrays, axes)
        ]


def _rows(rows, varied):
    """Gradients of examples, stacked along a new first axis."""
    columns = zip(*rows)
    none = [np.zeros((0, *np.shape(v)), _dtype(v)) for v in varied]
    return [np.array(column, _dtype(v)) for column, v in zip(columns, varied)] or none
