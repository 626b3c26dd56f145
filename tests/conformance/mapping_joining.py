"""PyTorch's functions that join, turn and repeat arrays, in bp."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mapping_shapes import flat_sizes, widened
from translate import Arg, Row, at, number, reshaped, sizes, transposed


def _cat(a: Any) -> str:
    rank = max(x.rank for x in a.xs)
    parts = [x for x in a.xs if x.rank == rank]  # PyTorch lets an empty vector join anything
    return f"concat({', '.join(map(str, parts))}, axis={a.dim % rank})"


def _stack(a: Any) -> str:
    return f"stack({', '.join(map(str, a.xs))}, axis={a.dim})"


def _stacked(rank: int, axis: int) -> Any:
    def rule(a: Any) -> str:
        at_axis = 0 if axis == 1 and a.xs[0].rank <= 1 and rank == 1 else axis
        return f"concat({', '.join(widened(x, rank) for x in a.xs)}, axis={at_axis})"

    return rule


def _column_stack(a: Any) -> str:
    parts = [
        reshaped(x.text, (max(math.prod(x.shape), 1), 1)) if x.rank < 2 else x.text for x in a.xs
    ]
    return f"concat({', '.join(parts)}, axis=1)"


def _block_diag(a: Any) -> str:
    blocks = [
        x if x.rank == 2 else Arg(widened(x, 2), (1, math.prod(x.shape))) for x in (a.x, *a.more)
    ]
    width, start, rows = sum(b.shape[1] for b in blocks), 0, []
    for b in blocks:
        after = width - start - b.shape[1]
        rows.append(f"pad({b}, ((0, 0), ({start}, {after})))")
        start += b.shape[1]
    return f"concat({', '.join(rows)}, axis=0)"


def _flip(a: Any) -> str:
    dims = a.dims if isinstance(a.dims, tuple) else (a.dims,)
    x = str(a.x)
    for d in dims:
        x = f"flip({x}, axis={d})"
    return x


def _roll(a: Any) -> str:
    shifts = a.shifts if isinstance(a.shifts, tuple) else (a.shifts,)
    if a.dims is None or a.dims == ():
        n = math.prod(a.x.shape)
        return reshaped(f"roll(reshape({a.x}, [{n}]), {number(shifts[0])}, axis=0)", a.x.shape)
    dims = a.dims if isinstance(a.dims, tuple) else (a.dims,)
    x = str(a.x)
    for n, d in zip(shifts, dims):
        x = f"roll({x}, {number(n)}, axis={d})"
    return x


def _rot90(a: Any) -> str:
    i, j = (d % a.x.rank for d in a.dims)
    order = list(range(a.x.rank))
    order[i], order[j] = j, i
    turned = transposed(a.x.text, order)
    return {
        0: str(a.x),
        1: f"flip({turned}, axis={i})",
        2: f"flip(flip({a.x}, axis={i}), axis={j})",
        3: f"flip({turned}, axis={j})",
    }[a.k % 4]


def _tile(a: Any) -> str:
    """Copies side by side: a new axis before each, stretched."""
    dims = flat_sizes(*a.dims)
    rank = max(len(dims), a.x.rank)
    counts = (1,) * (rank - len(dims)) + tuple(dims)
    shape = (1,) * (rank - a.x.rank) + a.x.shape
    pairs = [n for k, s in zip(counts, shape) for n in (k, s)]
    thin = [n for s in shape for n in (1, s)]
    if not pairs:
        return str(a.x)
    return reshaped(f"broadcast({reshaped(a.x.text, thin)}, {sizes(pairs)})", a.outputs[0].shape)


def _repeat_interleave(a: Any) -> str:
    x, dim = a.x, a.dim
    if dim is None:
        x, dim = Arg(f"reshape({x}, [-1])", (max(math.prod(x.shape), 1),)), 0
    axis = dim % x.rank
    repeats = a.repeats
    counts = a.program.inputs[repeats.text] if isinstance(repeats, Arg) else repeats
    _ = a.output_size
    index = np.repeat(np.arange(x.shape[axis]), counts)
    return f"{x}{at(x.rank, axis, a.given(index).text)}"


def _meshgrid(a: Any) -> list[str]:
    several = (*a.x, *a.more) if isinstance(a.x, tuple) else (a.x, *a.more)
    swap = a.indexing == "xy" and len(several) > 1
    found = []
    for k, x in enumerate(several):
        place = {0: 1, 1: 0}.get(k, k) if swap else k
        shape = [1] * len(several)
        shape[place] = math.prod(x.shape) if x.rank else 1
        found.append(f"broadcast({reshaped(x.text, shape)}, {sizes(a.outputs[0].shape)})")
    return found


def _cartesian(a: Any) -> str:
    several = (a.x, *a.more)
    if len(several) == 1:
        return str(a.x)
    whole = [math.prod(x.shape) for x in several]
    columns = []
    for k, x in enumerate(several):
        shape = [1] * len(several)
        shape[k] = whole[k]
        columns.append(f"broadcast({reshaped(x.text, shape)}, {sizes(whole)})")
    return reshaped(f"stack({', '.join(columns)}, axis={len(several)})", a.outputs[0].shape)


def _combinations(a: Any) -> str:
    from itertools import combinations, combinations_with_replacement

    pick = combinations_with_replacement if a.with_replacement else combinations
    rows = np.array(list(pick(range(a.x.shape[0]), a.r)), int).reshape(-1, a.r)
    return f"{a.x}[{a.given(rows)}]"


def shuffled(a: Any, grouped: list[int], order: list[int]) -> str:
    return reshaped(transposed(reshaped(a.x.text, grouped), order), a.outputs[0].shape)


def _pixel_shuffle(a: Any) -> str:
    *lead, c, h, w = a.x.shape
    r, k = a.upscale_factor, len(lead)
    grouped = [*lead, c // r**2, r, r, h, w]
    return shuffled(a, grouped, [*range(k), k, k + 3, k + 1, k + 4, k + 2])


def _pixel_unshuffle(a: Any) -> str:
    *lead, c, h, w = a.x.shape
    r, k = a.downscale_factor, len(lead)
    grouped = [*lead, c, h // r, r, w // r, r]
    return shuffled(a, grouped, [*range(k), k, k + 2, k + 4, k + 1, k + 3])


def _channel_shuffle(a: Any) -> str:
    n, c, *rest = a.x.shape
    g = a.groups
    order = [0, 2, 1, *range(3, 3 + len(rest))]
    return shuffled(a, [n, g, c // g, *rest], order)


ROWS: dict[str, Row] = {
    # joining
    "cat": Row("xs, dim=0", _cat),
    "stack": Row("xs, dim=0", _stack),
    "hstack": Row("xs", _stacked(1, 1)),
    "vstack": Row("xs", _stacked(2, 0)),
    "dstack": Row("xs", _stacked(3, 2)),
    "column_stack": Row("xs", _column_stack),
    "block_diag": Row("x, *more", _block_diag),
    "meshgrid.variadic_tensors": Row("x, *more, indexing='ij'", _meshgrid),
    "meshgrid.list_of_tensors": Row("x, *more, indexing='ij'", _meshgrid),
    "cartesian_prod": Row("x, *more", _cartesian),
    "combinations": Row("x, r=2, with_replacement=False", _combinations),
    # turning, repeating
    "flip": Row("x, dims", _flip),
    "fliplr": Row("x", "flip({x}, axis=1)"),
    "flipud": Row("x", "flip({x}, axis=0)"),
    "roll": Row("x, shifts, dims=None", _roll),
    "rot90": Row("x, k=1, dims=(0, 1)", _rot90),
    "tile": Row("x, *dims", _tile),
    "repeat": Row("x, *dims", _tile),
    "repeat_interleave": Row("x, repeats, dim=None, *, output_size=None", _repeat_interleave),
    "nn.functional.pixel_shuffle": Row("x, upscale_factor", _pixel_shuffle),
    "nn.functional.pixel_unshuffle": Row("x, downscale_factor", _pixel_unshuffle),
    "nn.functional.channel_shuffle": Row("x, groups", _channel_shuffle),
}  # fmt: skip
