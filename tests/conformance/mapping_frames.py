"""PyTorch's diagonals, triangles, frames, and arrays made of nothing, in bp."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mapping_shapes import flat_sizes
from translate import Row, at, number, transposed


def _diagonal(a: Any) -> str:
    i, j = a.dim1 % a.x.rank, a.dim2 % a.x.rank
    rest = [k for k in range(a.x.rank) if k not in (i, j)]
    x = transposed(a.x.text, [*rest, i, j])
    rows, columns = a.x.shape[i], a.x.shape[j]
    n = a.outputs[0].shape[-1]
    top, left = max(-a.offset, 0), max(a.offset, 0)
    lead = ":, " * len(rest)
    if (rows, columns) == (n, n):
        return f"diag({x})"
    return f"diag(({x})[{lead}{top}:{top + n}, {left}:{left + n}])"


def embedded(x: str, rank: int, n: int, offset: int) -> str:
    """Vectors of n entries on a diagonal: times the identity, framed by zeros."""
    matrix = f"{x}[{':, ' * rank}new] * eye({n})"
    if not offset:
        return matrix
    before, after = max(-offset, 0), max(offset, 0)
    frame = "(0, 0), " * (rank - 1) + f"({before}, {after}), ({after}, {before})"
    return f"pad({matrix}, ({frame}))"


def _diag_embed(a: Any) -> str:
    rank = a.x.rank + 1
    text = embedded(a.x.text, a.x.rank, a.x.shape[-1], a.offset)
    i, j = a.dim1 % rank, a.dim2 % rank
    if (i, j) == (rank - 2, rank - 1):
        return text
    order = [k for k in range(rank - 2)]
    for place, source in sorted([(i, rank - 2), (j, rank - 1)]):
        order.insert(place, source)
    return transposed(text, order)


def _diag(a: Any) -> str:
    if a.x.rank == 1:
        return embedded(a.x.text, 1, a.x.shape[0], a.diagonal)
    n = a.outputs[0].shape[-1]
    top, left = max(-a.diagonal, 0), max(a.diagonal, 0)
    return f"diag({a.x}[{top}:{top + n}, {left}:{left + n}])"


def _diagflat(a: Any) -> str:
    n = max(math.prod(a.x.shape), 1) if not a.x.rank else math.prod(a.x.shape)
    return embedded(f"reshape({a.x}, [{n}])", 1, n, a.offset)


def _triangle(name: str) -> Any:
    return lambda a: f"{name}({a.x}, k={number(a.diagonal)})"


def padded(x: str, widths: list[tuple[int, int]], shape: tuple[int, ...], value: float) -> str:
    """Frames by positive widths; negative ones cut."""
    cuts = [f"{max(-b, 0)}:{n - max(-e, 0)}" for (b, e), n in zip(widths, shape)]
    if any(b < 0 or e < 0 for b, e in widths):
        x = f"{x}[{', '.join(cuts)}]"
    grown = tuple((max(b, 0), max(e, 0)) for b, e in widths)
    if not any(b or e for b, e in grown):
        return x
    end = f", value={number(value)}" if value else ""
    return f"pad({x}, {number(grown)}{end})"


def _pad(a: Any) -> str:
    if a.mode != "constant":
        return _pad_by_index(a)
    pairs = list(zip(a.pad[::2], a.pad[1::2]))[::-1]
    widths = [(0, 0)] * (a.x.rank - len(pairs)) + pairs
    return padded(a.x.text, widths, a.x.shape, a.value or 0)


def _pad_by_index(a: Any) -> str:
    """Reflected, repeated or circular frames: a gather along each axis."""
    pairs = list(zip(a.pad[::2], a.pad[1::2]))[::-1]
    mode = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[a.mode]
    _ = a.value
    x = a.x.text
    first = a.x.rank - len(pairs)
    for k, (before, after) in enumerate(pairs):
        n = a.x.shape[first + k]
        index, first_cut, last_cut = np.arange(n), max(-before, 0), max(-after, 0)
        if mode == "wrap":  # what is cut is cut before the rest goes round
            index, first_cut, last_cut = index[first_cut : n - last_cut], 0, 0
        index = np.pad(index, (max(before, 0), max(after, 0)), mode=mode)  # type: ignore[call-overload]
        index = index[first_cut : len(index) - last_cut]
        x = f"{x}{at(a.x.rank, first + k, a.given(index).text)}"
    return x


def _one_hot(a: Any) -> str:
    classes = a.num_classes if a.num_classes >= 0 else a.outputs[0].shape[-1]
    return f"one_hot({a.x}, {classes})"


def _filled(word: str) -> Any:
    return lambda a: f"{word}{number(flat_sizes(*a.shape))}".replace(",)", ")")


def _full(a: Any) -> str:
    return f"{number(a.value)} * ones{number(flat_sizes(a.shape))}".replace(",)", ")")


def _eye(a: Any) -> str:
    rows, columns = a.n, a.n if a.m is None else a.m
    small = min(rows, columns)
    return padded(f"eye({small})", [(0, rows - small), (0, columns - small)], (small, small), 0)


ROWS: dict[str, Row] = {
    # diagonals, triangles, frames
    **{name: Row("x, offset=0, dim1=0, dim2=1", _diagonal) for name in ("diagonal", "diagonal_copy")},
    "linalg.diagonal": Row("x, *, offset=0, dim1=-2, dim2=-1", _diagonal),
    "diag": Row("x, diagonal=0", _diag),
    "diag_embed": Row("x, offset=0, dim1=-2, dim2=-1", _diag_embed),
    "diagflat": Row("x, offset=0", _diagflat),
    "tril": Row("x, diagonal=0", _triangle("tril")),
    "triu": Row("x, diagonal=0", _triangle("triu")),
    "constant_pad_nd": Row("x, pad, value=0, mode='constant'", _pad),
    "nn.functional.pad.constant": Row("x, pad, mode='constant', value=None", _pad),
    "nn.functional.pad.reflect": Row("x, pad, mode='constant', value=None", _pad),
    "nn.functional.pad.replicate": Row("x, pad, mode='constant', value=None", _pad),
    "nn.functional.pad.replicate_negative": Row("x, pad, mode='constant', value=None", _pad),
    "nn.functional.pad.circular": Row("x, pad, mode='constant', value=None", _pad),
    # making
    "zeros": Row("*shape, dtype=None", _filled("zeros")),
    "ones": Row("*shape, dtype=None", _filled("ones")),
    "full": Row("shape, value, *, dtype=None", _full),
    "eye": Row("n, m=None, *, dtype=None", _eye),
    "nn.functional.one_hot": Row("x, num_classes=-1", _one_hot),
}  # fmt: skip
