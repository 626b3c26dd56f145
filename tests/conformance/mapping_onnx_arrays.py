"""ONNX's functions of arrays, and products of matrices, in bp."""

from __future__ import annotations

from typing import Any

import numpy as np

from mapping_cutting import cut, grid
from mapping_frames import padded
from mapping_products import einsum, matmul
from mapping_scattering import scattered
from translate import Arg, Inexpressible, Row, at, moved, number, reshaped, sizes, transposed


def static(a: Any, value: Any) -> Any:
    """The numbers of an input that says how: axes, a shape, pads. bp wants them in the text."""
    if isinstance(value, Arg):
        array = a.program.inputs.pop(value.text)
        return tuple(array.tolist()) if array.ndim else array.item()
    return value


def _as_due(a: Any) -> str:
    for name in ("axes", "shape"):
        if name in a._values:
            static(a, a[name])
    for name in ("allowzero", "axis"):
        if name in a._values:
            _ = a[name]
    return reshaped(a.x.text, a.outputs[0].shape)


def _expand(a: Any) -> str:
    static(a, a.shape)
    return f"broadcast({a.x}, {sizes(a.outputs[0].shape)})"


def _transpose(a: Any) -> str:
    return transposed(a.x.text, a.perm or range(a.x.rank)[::-1])


def _concat(a: Any) -> str:
    return f"concat({', '.join(map(str, a.xs))}, axis={a.axis})"


def _split(a: Any) -> list[str]:
    axis, start, found = a.axis % a.x.rank, 0, []
    static(a, a.split)
    _ = a.num_outputs
    for out in a.outputs:
        found.append(cut(a.x, axis, start, start + out.shape[axis]))
        start += out.shape[axis]
    return found


def _slice(a: Any) -> str:
    starts, ends, dims, by = (static(a, v) for v in (a.starts, a.ends, a.axes, a.steps))
    dims = range(len(starts)) if dims is None else dims
    items = [":"] * a.x.rank
    for k, (start, end, axis) in enumerate(zip(starts, ends, dims)):
        step = by[k] if by else 1
        first, last, step = slice(start, end, step).indices(a.x.shape[axis])
        count = len(range(first, last, step))
        if step < 0 and last < 0:
            items[axis] = f"{first}::{step}" if count else "0:0"
        else:
            items[axis] = f"{first}:{last}:{step}" if count else "0:0"
    return f"{a.x}[{', '.join(items)}]"


def _gather(a: Any) -> str:
    n = a.x.shape[a.axis]
    return f"{a.x}{at(a.x.rank, a.axis % a.x.rank, within(a, a.index, n).text)}"


def within(a: Any, index: Arg, n: int) -> Arg:
    """Indices counted from the start: bp's gather takes no negative ones from data."""
    return a.let(f"where({index} < 0, {index} + {n}, {index})", index.shape, "int")


def _gather_elements(a: Any) -> str:
    axis = a.axis % a.x.rank
    return f"{a.x}{grid(a, within(a, a.index, a.x.shape[axis]), axis)}"


def _gather_nd(a: Any) -> str:
    if a.batch_dims:
        raise Inexpressible("option batch_dims")
    depth = a.index.shape[-1]
    columns = [f"{a.index}[..., {k}]" for k in range(depth)]
    return f"{a.x}[{', '.join(columns)}]"


def _scatter_elements(a: Any) -> str:
    axis = a.axis % a.x.rank
    if a.reduction not in ("none", "add"):
        raise Inexpressible("reductions by index")
    n = a.x.shape[axis]
    index = within(a, a.index, n)
    widths = [
        (0, 0 if k == axis else s - m) for k, (s, m) in enumerate(zip(a.x.shape, index.shape))
    ]
    shape = tuple(n if k == axis else m for k, m in enumerate(index.shape))
    laid = padded(scattered(a, a.updates.text, index, n, axis), widths, shape, 0)
    if a.reduction == "add":
        return f"{a.x} + {laid}"
    hits = padded(scattered(a, f"ones{number(index.shape)}", index, n, axis), widths, shape, 0)
    return f"where(({hits}) > 0, {laid}, {a.x})"


def _tile(a: Any) -> str:
    counts = static(a, a.repeats)
    thin = [n for s in a.x.shape for n in (1, s)]
    pairs = [n for k, s in zip(counts, a.x.shape) for n in (k, s)]
    return reshaped(f"broadcast({reshaped(a.x.text, thin)}, {sizes(pairs)})", a.outputs[0].shape)


def _pad(a: Any) -> str:
    pads, dims = static(a, a.pads), static(a, a.axes)
    dims = range(a.x.rank) if dims is None else [d % a.x.rank for d in dims]
    widths = [(0, 0)] * a.x.rank
    for k, d in enumerate(dims):
        widths[d] = (pads[k], pads[k + len(widths if a.axes is None else dims)])
    if a.mode == "constant":
        value = 0.0 if a.value is None else static(a, a.value)
        return padded(a.x.text, widths, a.x.shape, value)
    text = a.x.text
    for k, (before, after) in enumerate(widths):
        if before or after:
            index = np.pad(np.arange(a.x.shape[k]), (before, after), mode=a.mode)
            text = f"{text}{at(a.x.rank, k, a.given(index).text)}"
    return text


def _trilu(a: Any) -> str:
    k = static(a, a.k) or 0
    k = k[0] if isinstance(k, tuple) else k
    return f"{'triu' if a.upper else 'tril'}({a.x}, k={number(k)})"


def _eye_like(a: Any) -> str:
    if a.dtype not in (None, 1, 11):
        raise Inexpressible("dtype")
    rows, columns = a.x.shape
    n = min(rows, columns)
    text = padded(f"eye({n})", [(0, rows - n), (0, columns - n)], (n, n), 0)
    if not a.k:
        return text
    raise Inexpressible("option k")


def _one_hot(a: Any) -> str:
    depth, values = static(a, a.depth), static(a, a.values)
    depth = int(depth[0] if isinstance(depth, tuple) else depth)
    off, on = values
    index = a.index
    if index.kind != "int":
        raise Inexpressible("indices that are no whole numbers")
    index = within(a, index, depth)
    text = f"{number(off)} + {number(on - off)} * one_hot({index}, {depth})"
    rank = index.rank + 1
    return moved(f"({text})", rank, -1, a.axis % rank)


def _gemm(a: Any) -> str:
    x = f"{a.x}.T" if a.transA else str(a.x)
    y = f"{a.y}.T" if a.transB else str(a.y)
    text = f"{number(a.alpha)} * ({x} @ {y})"
    return text if a.z is None else f"{text} + {number(a.beta)} * {a.z}"


def _einsum(a: Any) -> str:
    left, arrow, right = a.equation.replace(" ", "").partition("->")
    if not arrow:
        letters = left.replace("...", "").replace(",", "")
        right = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
        right = "..." * ("..." in left) + right
    a._values["spec"] = f"{left}->{right}"
    return einsum(a)


def _depth_to_space(a: Any) -> str:
    n, c, h, w = a.x.shape
    b = a.blocksize
    if a.mode == "CRD":
        grouped, order = (n, c // b**2, b, b, h, w), (0, 1, 4, 2, 5, 3)
    else:
        grouped, order = (n, b, b, c // b**2, h, w), (0, 3, 4, 1, 5, 2)
    return reshaped(transposed(reshaped(a.x.text, grouped), order), a.outputs[0].shape)


def _space_to_depth(a: Any) -> str:
    n, c, h, w = a.x.shape
    b = a.blocksize
    grouped = reshaped(a.x.text, (n, c, h // b, b, w // b, b))
    return reshaped(transposed(grouped, (0, 3, 5, 1, 2, 4)), a.outputs[0].shape)


ROWS: dict[str, Row] = {
    # arrays
    "Reshape": Row("x, shape, *, allowzero=0", _as_due),
    "Flatten": Row("x, *, axis=1", _as_due),
    "Squeeze": Row("x, axes=None", _as_due),
    "Unsqueeze": Row("x, axes", _as_due),
    "Expand": Row("x, shape", _expand),
    "Transpose": Row("x, *, perm=None", _transpose),
    "Concat": Row("*xs, axis", _concat),
    "Split": Row("x, split=None, *, axis=0, num_outputs=None", _split),
    "Slice": Row("x, starts, ends, axes=None, steps=None", _slice),
    "Gather": Row("x, index, *, axis=0", _gather),
    "GatherElements": Row("x, index, *, axis=0", _gather_elements),
    "GatherND": Row("x, index, *, batch_dims=0", _gather_nd),
    "Scatter": Row("x, index, updates, *, axis=0, reduction='none'", _scatter_elements),
    "ScatterElements": Row("x, index, updates, *, axis=0, reduction='none'", _scatter_elements),
    "Tile": Row("x, repeats", _tile),
    "Pad": Row("x, pads, value=None, axes=None, *, mode='constant'", _pad),
    "Trilu": Row("x, k=None, *, upper=1", _trilu),
    "EyeLike": Row("x, *, dtype=None, k=0", _eye_like),
    "OneHot": Row("index, depth, values, *, axis=-1", _one_hot),
    "DepthToSpace": Row("x, *, blocksize, mode='DCR'", _depth_to_space),
    "SpaceToDepth": Row("x, *, blocksize", _space_to_depth),
    # linear algebra
    "MatMul": Row("x, y", matmul),
    "Gemm": Row("x, y, z=None, *, alpha=1.0, beta=1.0, transA=0, transB=0", _gemm),
    "Einsum": Row("*xs, equation", _einsum),
    "Det": Row("x", "det({x})"),
}  # fmt: skip
