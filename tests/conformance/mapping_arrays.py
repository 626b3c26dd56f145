"""PyTorch's functions that shape, cut, join and make arrays, in bp."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from translate import (
    Arg,
    Inexpressible,
    Row,
    at,
    moved,
    number,
    reshaped,
    sizes,
    transposed,
)

SCALAR = "a scalar where an axis is due"


def as_shaped(a: Any) -> str:
    """The entries in the shape that is due; rules that do not name their options read them here."""
    return reshaped(a.x.text, a.outputs[0].shape)


def shaped(signature: str) -> Row:
    """A function that only shapes: the result says how."""

    def rule(a: Any) -> str:
        for name in signature.replace("*", "").split(","):
            a[name.partition("=")[0].strip()]
        return as_shaped(a)

    return Row(signature, rule)


def _stretch(a: Any) -> str:
    for name in ("shape", "other"):
        if name in a._values:
            a[name]
    return f"broadcast({a.x}, {sizes(a.outputs[0].shape)})"


def flat_sizes(*shape: Any) -> tuple[int, ...]:
    return tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], tuple) else shape


def _permute(a: Any) -> str:
    return transposed(a.x.text, [d % a.x.rank for d in flat_sizes(*a.dims)])


def _swap(a: Any) -> str:
    i, j = a.i, a.j
    if not a.x.rank:
        return str(a.x)
    order = list(range(a.x.rank))
    i, j = i % a.x.rank, j % a.x.rank
    order[i], order[j] = j, i
    return transposed(a.x.text, order)


def _mirror(a: Any) -> str:
    """All axes in reverse."""
    return transposed(a.x.text, range(a.x.rank)[::-1])


def _matrix_transpose(a: Any) -> str:
    return f"{a.x}.T" if a.x.rank > 1 else str(a.x)


def _movedim(a: Any) -> str:
    source = a.source if isinstance(a.source, tuple) else (a.source,)
    target = a.target if isinstance(a.target, tuple) else (a.target,)
    marks = np.moveaxis(np.zeros(tuple(range(1, a.x.rank + 1))), source, target).shape
    order = [n - 1 for n in marks]
    return transposed(a.x.text, order)


# Cutting


def cut(x: Arg, axis: int, start: int, stop: int, step: int = 1) -> str:
    end = f":{step}" if step != 1 else ""
    return f"{x}{at(x.rank, axis, f'{start}:{stop}{end}')}"


def _split(a: Any) -> list[str]:
    """Parts of given sizes, or of one size, the last one perhaps smaller."""
    axis = a.dim % a.x.rank
    n = a.x.shape[axis]
    each = a.parts
    lengths = [o.shape[axis] for o in a.outputs] if isinstance(each, int) else list(each)
    starts = np.cumsum([0, *lengths])
    assert starts[-1] == n
    return [cut(a.x, axis, s, s + k) for s, k in zip(starts, lengths)]


def _split_on(default: int) -> Any:
    """hsplit, vsplit, dsplit, tensor_split, chunk: the parts are as PyTorch has them."""

    def rule(a: Any) -> list[str]:
        _ = a.parts
        axis = default if default >= 0 else a.dim % a.x.rank
        if default == 1 and a.x.rank == 1:
            axis = 0
        found, start = [], 0
        for out in a.outputs:
            found.append(cut(a.x, axis, start, start + out.shape[axis]))
            start += out.shape[axis]
        if start != a.x.shape[axis]:
            raise Inexpressible("parts that overlap")
        return found

    return rule


def _unbind(a: Any) -> list[str]:
    axis = a.dim % a.x.rank
    return [f"{a.x}{at(a.x.rank, axis, str(i))}" for i in range(a.x.shape[axis])]


def _narrow(a: Any) -> str:
    axis = a.dim % a.x.rank
    start = a.start
    if isinstance(start, Arg):
        start = int(a.program.inputs[start.text])
    start %= max(a.x.shape[axis], 1)
    return cut(a.x, axis, start, start + a.length)


def _select(a: Any) -> str:
    return f"{a.x}{at(a.x.rank, a.dim % a.x.rank, number(a.index).strip('()'))}"


def _slice(a: Any) -> str:
    axis = a.dim % a.x.rank
    start, stop, step = slice(a.start, a.end, a.step).indices(a.x.shape[axis])
    return cut(a.x, axis, start, max(start, stop), step)


def _getitem(a: Any) -> str:
    """The index as bp writes it: lists are int arrays, and those of rank 1 must be as long."""
    items, arrays = [], []
    for item in a.index if isinstance(a.index, tuple) else (a.index,):
        if isinstance(item, Arg):
            if item.kind == "bool":
                raise Inexpressible("a bool mask as index: the size depends on data")
            arrays.append(len(items))
            items.append(item.text)
        elif isinstance(item, list):
            arrays.append(len(items))
            items.append(a.given(np.array(item)).text)
        elif isinstance(item, slice):
            parts = ["" if p is None else str(p) for p in (item.start, item.stop)]
            items.append(":".join(parts + ([str(item.step)] if item.step else [])))
        elif item is None:
            items.append("new")
        elif item is Ellipsis:
            items.append("...")
        else:
            items.append(str(item))
    if len(arrays) < 2 or arrays[-1] - arrays[0] == len(arrays) - 1:
        return f"{a.x}[{', '.join(items)}]"
    items += [":"] * (a.x.rank - len(items))
    order = [*arrays, *(k for k in range(a.x.rank) if k not in arrays)]
    return f"{transposed(a.x.text, order)}[{', '.join(items[k] for k in order)}]"


def _index_select(a: Any) -> str:
    if not a.x.rank:
        _ = a.dim
        return f"reshape({a.x}, [1])[{a.index}]{'' if a.outputs[0].ndim else '[0]'}"
    return f"{a.x}{at(a.x.rank, a.dim % a.x.rank, a.index.text)}"


def grid(a: Any, index: Arg, axis: int) -> str:
    """Index arrays for `gather`: all axes by their own place, one by the index."""
    items = []
    for k in range(index.rank):
        if k == axis:
            items.append(index.text)
        else:
            places = np.broadcast_to(
                np.arange(index.shape[k]).reshape([-1 if i == k else 1 for i in range(index.rank)]),
                index.shape,
            )
            items.append(a.given(places.copy()).text)
    return f"[{', '.join(items)}]"


def _gather(a: Any) -> str:
    axis, index = a.dim, a.index
    if not a.x.rank:
        return f"reshape({a.x}, [1])[{index}]"
    if index.rank != a.x.rank:
        raise Inexpressible("an empty index with other axes than the array")
    return f"{a.x}{grid(a, index, axis % a.x.rank)}"


def _take_along(a: Any) -> str:
    if a.dim is None:
        x = Arg(f"reshape({a.x}, [-1])", (math.prod(a.x.shape),))
        index = f"reshape({a.index}, [-1])" if a.index.rank != 1 else a.index.text
        return f"{x}[{index}]"
    axis = a.dim % a.x.rank
    full = list(
        np.broadcast_shapes(*[s[:axis] + s[axis + 1 :] for s in (a.x.shape, a.index.shape)])
    )
    whole = (*full[:axis], a.index.shape[axis], *full[axis:])
    index = Arg(f"broadcast({a.index}, {sizes(whole)})", whole, "int")
    source = (*full[:axis], a.x.shape[axis], *full[axis:])
    x = a.x if source == a.x.shape else Arg(f"broadcast({a.x}, {sizes(source)})", source)
    return f"{x}{grid(a, index, axis)}"


def _take(a: Any) -> str:
    return f"reshape({a.x}, [-1])[{a.index}]"


def _embedding(a: Any) -> str:
    for name in ("max_norm", "scale_grad_by_freq", "sparse"):
        if a[name]:
            raise Inexpressible(f"option {name}")
    if a.padding_idx is not None:
        raise Inexpressible("option padding_idx: a row without gradient")
    return f"{a.weight}[{a.x}]"


# Joining


def _cat(a: Any) -> str:
    rank = max(x.rank for x in a.xs)
    parts = [x for x in a.xs if x.rank == rank]  # PyTorch lets an empty vector join anything
    return f"concat({', '.join(map(str, parts))}, axis={a.dim % rank})"


def _stack(a: Any) -> str:
    return f"stack({', '.join(map(str, a.xs))}, axis={a.dim})"


def widened(x: Arg, rank: int) -> str:
    """atleast_1d, 2d, 3d."""
    shape = x.shape
    if rank == 3 and x.rank == 2:
        return reshaped(x.text, (*shape, 1))
    if rank == 3 and x.rank == 1:
        return reshaped(x.text, (1, *shape, 1))
    return reshaped(x.text, (*[1] * (rank - x.rank), *shape)) if x.rank < rank else x.text


def _atleast(rank: int) -> Any:
    def rule(a: Any) -> list[str]:
        several = (*a.x, *a.more) if isinstance(a.x, tuple) else (a.x, *a.more)
        return [widened(x, rank) for x in several]

    return rule


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


# Diagonals, triangles, frames


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


# Products of places


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


def _broadcast_tensors(a: Any) -> list[str]:
    shape = sizes(a.outputs[0].shape)
    return [f"broadcast({x}, {shape})" for x in (a.x, *a.more)]


def _sum_to_size(a: Any) -> str:
    target = flat_sizes(*a.shape)
    lead = a.x.rank - len(target)
    gone = [i for i in range(a.x.rank) if i < lead or target[i - lead] != a.x.shape[i]]
    if not gone:
        return str(a.x)
    return reshaped(f"sum({a.x}, axis={number(tuple(gone))})", target)


# Scattering: bp has no writes, so a new value is chosen where a mask of one-hot rows says so


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


def _unfold(a: Any) -> str:
    if not a.x.rank:
        _ = a.dim, a.size, a.step
        return f"reshape({a.x}, [1])"
    axis = a.dim % a.x.rank
    count = a.outputs[0].shape[axis]
    index = np.arange(count)[:, None] * a.step + np.arange(a.size)
    gathered = f"{a.x}{at(a.x.rank, axis, a.given(index).text)}"
    return moved(gathered, a.x.rank + 1, axis + 1, a.x.rank)


def _one_hot(a: Any) -> str:
    classes = a.num_classes if a.num_classes >= 0 else a.outputs[0].shape[-1]
    return f"one_hot({a.x}, {classes})"


def _glu(a: Any) -> str:
    axis = a.dim % a.x.rank
    n = a.x.shape[axis] // 2
    return f"{cut(a.x, axis, 0, n)} * sigmoid({cut(a.x, axis, n, 2 * n)})"


def _filled(word: str) -> Any:
    return lambda a: f"{word}{number(flat_sizes(*a.shape))}".replace(",)", ")")


def _full(a: Any) -> str:
    return f"{number(a.value)} * ones{number(flat_sizes(a.shape))}".replace(",)", ")")


def _eye(a: Any) -> str:
    rows, columns = a.n, a.n if a.m is None else a.m
    small = min(rows, columns)
    return padded(f"eye({small})", [(0, rows - small), (0, columns - small)], (small, small), 0)


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
    # shapes
    **{name: shaped("x, shape") for name in ("reshape", "view", "view_copy")},
    **{name: shaped("x, other") for name in ("reshape_as", "view_as")},
    **{name: Row("x, shape", _stretch) for name in ("broadcast_to", "expand", "expand_copy")},
    "expand_as": Row("x, other", _stretch),
    "flatten": shaped("x, start_dim=0, end_dim=-1"),
    "unflatten": shaped("x, dim, sizes"),
    "ravel": shaped("x"),
    "squeeze": shaped("x, dim=None"),
    "squeeze_copy": shaped("x, dim=None"),
    "squeeze.multiple": shaped("x, dim"),
    "unsqueeze": shaped("x, dim"),
    "unsqueeze_copy": shaped("x, dim"),
    "atleast_1d": Row("x, *more", _atleast(1)),
    "atleast_2d": Row("x, *more", _atleast(2)),
    "atleast_3d": Row("x, *more", _atleast(3)),
    "broadcast_tensors": Row("x, *more", _broadcast_tensors),
    "sum_to_size": Row("x, *shape", _sum_to_size),
    # order of axes
    **{name: Row("x, i, j", _swap) for name in ("transpose", "transpose_copy")},
    **{name: Row("x, *dims", _permute) for name in ("permute", "permute_copy")},
    "movedim": Row("x, source, target", _movedim),
    "T": Row("x", _mirror),
    "t": Row("x", _mirror),
    "t_copy": Row("x", _mirror),
    "mT": Row("x", _matrix_transpose),
    "H": Row("x", _matrix_transpose),
    "mH": Row("x", _matrix_transpose),
    # copies
    **{
        name: Row("x", "1 * {x}")
        for name in ("clone", "contiguous", "alias_copy", "conj", "conj_physical", "real",
                     "resolve_conj", "resolve_neg", "double")
    },
    # cutting
    **{name: Row("x, parts, dim=0", _split)
       for name in ("split", "split.list_args", "split_with_sizes", "split_with_sizes_copy",
                    "unsafe_split")},
    "chunk": Row("x, parts, dim=0", _split_on(-1)),
    "unsafe_chunk": Row("x, parts, dim=0", _split_on(-1)),
    "tensor_split": Row("x, parts, dim=0", _split_on(-1)),
    "hsplit": Row("x, parts", _split_on(1)),
    "vsplit": Row("x, parts", _split_on(0)),
    "dsplit": Row("x, parts", _split_on(2)),
    **{name: Row("x, dim=0", _unbind) for name in ("unbind", "unbind_copy")},
    **{name: Row("x, dim, start, length", _narrow) for name in ("narrow", "narrow_copy")},
    "select": Row("x, dim, index", _select),
    "slice": Row("x, dim=0, start=None, end=None, step=None", _slice),
    "__getitem__": Row("x, index", _getitem, lists=True),
    "index_select": Row("x, dim, index", _index_select),
    "gather": Row("x, dim, index, *, sparse_grad=False", _gather),
    "take_along_dim": Row("x, index, dim=None", _take_along),
    "take": Row("x, index", _take),
    "nn.functional.embedding": Row(
        "weight, x, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, "
        "sparse=False",
        _embedding,
    ),
    **{name: Row("x, dim, size, step", _unfold) for name in ("unfold", "unfold_copy")},
    "nn.functional.glu": Row("x, dim=-1", _glu),
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
    # scattering
    "index_add": Row("x, dim, index, source, *, alpha=1", _index_add),
    "index_fill": Row("x, dim, index, value", _index_fill),
    "index_copy": Row("x, dim, index, source", _index_copy),
    "scatter_add": Row("x, dim, index, source", _scatter_add),
    "scatter": Row("x, dim, index, source, *, reduce=None", _scatter),
    "select_scatter": Row("x, source, dim, index", _select_scatter),
    "slice_scatter": Row("x, source, dim=0, start=None, end=None, step=1", _slice_scatter),
    # making
    "zeros": Row("*shape, dtype=None", _filled("zeros")),
    "ones": Row("*shape, dtype=None", _filled("ones")),
    "full": Row("shape, value, *, dtype=None", _full),
    "eye": Row("n, m=None, *, dtype=None", _eye),
    "nn.functional.one_hot": Row("x, num_classes=-1", _one_hot),
}  # fmt: skip
