"""PyTorch's functions that cut, index and gather, in bp."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from translate import Arg, Inexpressible, Row, at, moved, number, sizes, transposed


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


def _unfold(a: Any) -> str:
    if not a.x.rank:
        _ = a.dim, a.size, a.step
        return f"reshape({a.x}, [1])"
    axis = a.dim % a.x.rank
    count = a.outputs[0].shape[axis]
    index = np.arange(count)[:, None] * a.step + np.arange(a.size)
    gathered = f"{a.x}{at(a.x.rank, axis, a.given(index).text)}"
    return moved(gathered, a.x.rank + 1, axis + 1, a.x.rank)


def _glu(a: Any) -> str:
    axis = a.dim % a.x.rank
    n = a.x.shape[axis] // 2
    return f"{cut(a.x, axis, 0, n)} * sigmoid({cut(a.x, axis, n, 2 * n)})"


ROWS: dict[str, Row] = {
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
}  # fmt: skip
