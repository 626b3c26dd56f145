"""Workspaces as a generated -O2 module keeps them; the text of each goes there as it stands here."""

import math
import threading

import numpy as np

# The generated module has its own.
_WORK = threading.local()
_ARRAYS = {np.ndarray}
TILE_BYTES = 0
TILE_ROWS: int | None = None


def _key(function, arrays):
    """What a workspace is kept by: shapes and dtypes; None unless all are plain arrays."""
    if set(map(type, arrays)) != _ARRAYS:
        return None
    return function, *[a.shape for a in arrays], *[a.dtype for a in arrays]


def _keepable(key, work):
    """The key, unless the memory is too large to be kept: 128 MB. A thread keeps at most eight."""
    idle = vars(_WORK)
    while len(idle) >= 8:
        del idle[next(iter(idle))]
    return key if _size(work) <= 2**27 else None


def _size(work):
    """How many bytes a workspace has."""
    parts = work if isinstance(work, (tuple, list)) else ()
    return sum(map(_size, parts)) + getattr(work, "nbytes", 0)


def _targets(out, names, shapes, dtype, arrays):
    """The arrays of `out` for some results, or fresh ones; an error where one does not fit."""
    if out is None:
        return [np.empty(shape, dtype) for shape in shapes]
    if not isinstance(out, dict):
        raise TypeError(f"out is {type(out)}, expected a dict")
    others = [*arrays]
    owners = {id(a if a.base is None else a.base) for a in arrays}
    for name, shape in zip(names, shapes):
        if name not in out:
            raise ValueError(f"out lacks {name}")
        target = out[name]
        fits = type(target) is np.ndarray and target.flags.carray
        if not fits or target.shape != shape or target.dtype != dtype:
            raise ValueError(
                f"out[{name!r}] must be a contiguous {dtype} array of shape {shape}"
            )
        owner = id(target if target.base is None else target.base)
        if owner in owners and any(np.may_share_memory(target, a) for a in others):
            raise ValueError(f"out[{name!r}] shares memory with another array")
        owners.add(owner)
        others.append(target)
    return [out[name] for name in names]


def _written(out, results, arrays):
    """`out` with the results in its arrays; an error before any is written where one does not fit."""
    shapes = [result.shape for result in results.values()]
    _targets(out, results, shapes, next(iter(results.values())).dtype, arrays)
    return _stored(out, results)


def _stored(out, results):
    """`out`, with results that do not stand there yet copied."""
    for name, result in results.items():
        if out[name] is not result:
            out[name][...] = result
    return out


def _tiles(count, memory, passing, dtype, *shapes, loops=()):
    """The rows of a tile, memory for one and for the rest, and arrays to add up in.

    The memory of a tile, or of a step of the loops in it, and the `passing` numbers of each of its
    rows that are read or stored take about TILE_BYTES; more where the sums are so large that it takes
    long to add them up, or where a tile would have too few rows for the products that give them; and
    up to four times that where it has 8 to 32 rows then. All tiles are about equal.
    """
    each = _at_once(memory(2), loops) - _at_once(memory(1), loops)
    each = max(each + passing * dtype.itemsize, 1)
    summed = sum(math.prod(shape) for shape in shapes)
    rows = max(TILE_BYTES, 32 * dtype.itemsize * summed) // each
    more = min(4 * TILE_BYTES // each, 32, count)
    rows = max(rows, more if more >= min(count, 8) else 1, 1)
    rows = TILE_ROWS or -(-count // max(-(-count // rows), 1))
    if rows >= count:
        return count, memory(count), (), (), ()
    spare = [np.empty(shape, dtype) for shape in shapes]
    sums = [np.empty(shape) for shape in shapes]
    return rows, memory(rows), memory(count % rows), spare, sums


def _at_once(work, loops):
    """Bytes of a workspace, whose first arrays loops go through: (steps, arrays) for each."""
    total = 0
    for steps, arrays in loops:
        total += _size(work[:arrays]) // max(steps, 1)
        work = work[arrays:]
    return total + _size(work)


def _added_up(tile, count, tiles, *into):
    """The sums of what `tile` gives for all rows; float32 is added up in float64."""
    rows, memory, rest, spare, sums = tiles
    if rows >= count:
        return tile(slice(0, count), memory, into)[: len(into)]
    for total in sums:
        total.fill(0.0)
    for start in range(0, count, rows):
        part = slice(start, min(start + rows, count))
        found = tile(part, memory if part.stop - start == rows else rest, spare)
        for total, value in zip(sums, found):
            total += value
    return [_summed(s, f, t) for s, f, t in zip(sums, found, into)]


def _summed(total, value, target):
    """A sum in the dtype of what was added up, in memory that is there for it."""
    if target is None:
        return total.astype(value.dtype)[()]
    np.copyto(target, total, casting="same_kind")
    return target
