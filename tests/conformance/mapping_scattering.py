"""PyTorch's writes by index, in bp: it has none, so a mask of one-hot rows chooses the new value."""

from __future__ import annotations

from typing import Any

import numpy as np

from mapping_frames import padded
from translate import Arg, Inexpressible, Row, at, moved, number


def at_rows(a: Any, source: Arg | str, index: Arg, n: int, rank: int, axis: int) -> str:
    """`sum of source rows laid at the index`: a product with the one-hot rows of the index."""
    spot = f"one_hot({index}, {n})" if index.rank else f"reshape(one_hot({index}, {n}), [1, {n}])"
    moved_source = moved(str(source), rank, axis, rank - 1)
    return moved(f"(({moved_source}) @ {spot})", rank, rank - 1, axis)


def _index_add(a: Any) -> str:
    axis, _ = a.dim, a.index
    factor = "" if a.alpha == 1 else f"{number(a.alpha)} * "
    if not a.x.rank:
        return f"{a.x} + {factor}{a.source}"
    laid = at_rows(a, a.source, a.index, a.x.shape[axis], a.x.rank, axis % a.x.rank)
    return f"{a.x} + {factor}{laid}"


def mask_of(a: Any, index: Arg, n: int, rank: int, axis: int) -> str:
    hit = f"max(one_hot({index}, {n}), axis=0) > 0"
    tail = rank - 1 - axis
    return f"({hit})[:{', new' * tail}]"


def _index_fill(a: Any) -> str:
    axis = a.dim
    if not a.x.rank:
        _ = a.index
        return f"{number(a.value)} + 0 * {a.x}"
    mask = mask_of(a, a.index, a.x.shape[axis], a.x.rank, axis % a.x.rank)
    return f"where({mask}, {number(a.value)}, {a.x})"


def _index_copy(a: Any) -> str:
    axis = a.dim
    if not a.x.rank:
        _ = a.index
        return f"{a.source} + 0 * {a.x}"
    laid = at_rows(a, a.source, a.index, a.x.shape[axis], a.x.rank, axis % a.x.rank)
    mask = mask_of(a, a.index, a.x.shape[axis], a.x.rank, axis % a.x.rank)
    return f"where({mask}, {laid}, {a.x})"


def scattered(a: Any, source: str, index: Arg, n: int, axis: int) -> str:
    """Entries of a source laid along an axis where an index of its shape says: an einsum."""
    letters = "abcdefg"[: index.rank]
    target = letters.replace(letters[axis], "z")
    return f'einsum("{letters},{letters}z->{target}", {source}, one_hot({index}, {n}))'


def _scatter_add(a: Any) -> str:
    axis, index, source = a.dim, a.index, a.source
    if not a.x.rank:
        return f"{a.x} + {source}"
    axis %= a.x.rank
    part = f"{source}[{', '.join(f'0:{n}' for n in index.shape)}]"
    laid = scattered(a, part, index, a.x.shape[axis], axis)
    widths = [
        (0, 0 if k == axis else n - m) for k, (n, m) in enumerate(zip(a.x.shape, index.shape))
    ]
    shape = tuple(a.x.shape[k] if k == axis else m for k, m in enumerate(index.shape))
    return f"{a.x} + {padded(laid, widths, shape, 0)}"


def _scatter(a: Any) -> str:
    if a.reduce is not None:
        raise Inexpressible("option reduce")
    axis, index, source = a.dim, a.index, a.source
    if not a.x.rank:
        return f"{number(source)} + 0 * {a.x}"
    axis %= a.x.rank
    places = a.program.inputs[index.text]
    columns = np.moveaxis(places, axis, 0).reshape(places.shape[axis], -1).T
    if any(len(set(c)) < len(c) for c in columns.tolist()):
        raise Inexpressible("writes to one place twice: PyTorch leaves open which holds")
    part = f"{source}[{', '.join(f'0:{n}' for n in index.shape)}]"
    widths = [
        (0, 0 if k == axis else n - m) for k, (n, m) in enumerate(zip(a.x.shape, index.shape))
    ]
    shape = tuple(a.x.shape[k] if k == axis else m for k, m in enumerate(index.shape))
    n = a.x.shape[axis]
    laid = padded(scattered(a, part, index, n, axis), widths, shape, 0)
    hits = padded(scattered(a, f"ones{number(index.shape)}", index, n, axis), widths, shape, 0)
    return f"where(({hits}) > 0, {laid}, {a.x})"


def _select_scatter(a: Any) -> str:
    axis = a.dim % a.x.rank
    n, i = a.x.shape[axis], a.index % a.x.shape[axis]
    mask = f"(arange({n}) == {i})[:{', new' * (a.x.rank - 1 - axis)}]"
    if a.x.rank == 1:
        return f"where(arange({n}) == {i}, {a.source}, {a.x})"
    return f"where({mask}, {a.source}{at(a.x.rank, axis, 'new')}, {a.x})"


def _slice_scatter(a: Any) -> str:
    axis = a.dim % a.x.rank
    n = a.x.shape[axis]
    start, stop, step = slice(a.start, a.end, a.step).indices(n)
    places = np.arange(start, stop, step)
    index = a.given(places)
    laid = at_rows(a, a.source, index, n, a.x.rank, axis)
    return f"where({mask_of(a, index, n, a.x.rank, axis)}, {laid}, {a.x})"


ROWS: dict[str, Row] = {
    # scattering
    "index_add": Row("x, dim, index, source, *, alpha=1", _index_add),
    "index_fill": Row("x, dim, index, value", _index_fill),
    "index_copy": Row("x, dim, index, source", _index_copy),
    "scatter_add": Row("x, dim, index, source", _scatter_add),
    "scatter": Row("x, dim, index, source, *, reduce=None", _scatter),
    "select_scatter": Row("x, source, dim, index", _select_scatter),
    "slice_scatter": Row("x, source, dim=0, start=None, end=None, step=1", _slice_scatter),
}  # fmt: skip
