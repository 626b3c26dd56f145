"""ONNX's convolutions and pools in bp."""

from __future__ import annotations

import math
from typing import Any

from mapping_convolutions import Image, as_images, overhang, pair, shifts
from translate import Inexpressible, Row, number, reshaped, transposed

WINDOWS = "pads=None, strides=None, dilations=None, auto_pad='NOTSET'"


def around(a: Any, x: Image, kernel: Any, stride: Any, dilation: Any) -> list[tuple[int, int]]:
    """Pads before and after, as `auto_pad` or `pads` say."""
    if a.auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        found = []
        for n, k, s, d in zip(x.sides, kernel, stride, dilation):
            total = max((math.ceil(n / s) - 1) * s + d * (k - 1) + 1 - n, 0)
            small, large = total // 2, total - total // 2
            found.append((small, large) if a.auto_pad == "SAME_UPPER" else (large, small))
        return found
    pads = a.pads or (0,) * (2 * x.rank)
    return list(zip(pads[: x.rank], pads[x.rank :]))


def framed(text: str, pads: list[tuple[int, int]], value: str = "") -> str:
    if not any(b or e for b, e in pads):
        return text
    return f"pad({text}, {number(((0, 0), *pads, (0, 0)))}{value})"


def sides_of(a: Any) -> Image:
    rank = a.x.rank - 2
    if rank not in (1, 2):
        raise Inexpressible("images of three dimensions")
    return Image(a.x, rank)


def _conv(a: Any) -> str:
    x = sides_of(a)
    kernel = a.W.shape[2:]
    _ = a.kernel_shape
    stride, dilation = (pair(v or 1, x.rank) for v in (a.strides, a.dilations))
    text = framed(x.text, around(a, x, kernel, stride, dilation))
    weight = transposed(a.W.text, (*range(2, x.rank + 2), 1, 0))
    one = x.rank == 1
    options = f"stride={number(stride[0] if one else stride)}, "
    options += f"dilation={number(dilation[0] if one else dilation)}, groups={a.group}"
    text = f"conv{x.rank}d({text}, {weight}, {options})"
    return x.back(text + (f" + {a.B}" if a.B is not None else ""))


def _conv_transpose(a: Any) -> str:
    """The whole result, then cut by the pads: these may be uneven."""
    x = sides_of(a)
    _ = a.auto_pad, a.output_shape, a.kernel_shape
    stride, dilation = (pair(v or 1, x.rank) for v in (a.strides, a.dilations))
    out = a.outputs[0].shape[2:]
    extra = a.output_padding or (0,) * x.rank
    kernel = a.W.shape[2:]
    full = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(x.sides, stride, dilation, kernel)]
    if a.output_shape is not None or a.auto_pad not in ("NOTSET", ""):
        totals = [f + e - o for f, e, o in zip(full, extra, out)]
        upper = a.auto_pad == "SAME_UPPER"
        starts = [0 if t < 0 else t // 2 if upper else t - t // 2 for t in totals]
    else:
        starts = list((a.pads or (0,) * (2 * x.rank))[: x.rank])
    text, weight = x.text, transposed(a.W.text, (*range(2, x.rank + 2), 1, 0))
    frame = tuple((0, max(0, s + o - f)) for s, o, f in zip(starts, out, full))
    if x.rank == 1:
        text = reshaped(text, (x.shape[0], 1, x.sides[0], x.shape[1]))
        weight = f"{weight}[new]"
        stride, dilation, frame = (1, *stride), (1, *dilation), ((0, 0), *frame)
        starts, out = [0, *starts], (1, *out)
    options = f"stride={number(stride)}, dilation={number(dilation)}, groups={a.group}"
    text = f"conv_transpose2d({text}, {weight}, {options})"
    text = framed(text, list(frame))
    cuts = ", ".join(f"{s}:{s + o}" for s, o in zip(starts, out))
    text = f"({text})[:, {cuts}]"
    if x.rank == 1:
        text = f"({text})[:, 0]"
    return x.back(text + (f" + {a.B}" if a.B is not None else ""))


def _max_pool(a: Any) -> list[str | None]:
    x = sides_of(a)
    if a.x.kind != "real":
        raise Inexpressible("dtype uint8")
    kernel = a.kernel_shape
    stride, dilation = (pair(v or 1, x.rank) for v in (a.strides, a.dilations))
    pads = around(a, x, kernel, stride, dilation)
    _ = a.ceil_mode, a.storage_order
    out = a.outputs[0].shape[2:]
    extra = overhang([n + b + e for n, (b, e) in zip(x.sides, pads)], out, kernel, stride,
                     (0,) * x.rank, dilation)  # fmt: skip
    pads = [(b, e + more) for (b, e), more in zip(pads, extra)]
    text = as_images(x)
    if x.rank == 1:
        kernel, stride, dilation, out = (1, *kernel), (1, *stride), (1, *dilation), (1, *out)
        pads = [(0, 0), *pads]
    t = a.let(framed(text, pads, ", value=-inf"))
    if any(d > 1 for d in dilation):
        text = f"max(stack({', '.join(shifts(t, out, kernel, stride, dilation))}), axis=0)"
    else:
        text = f"max_pool2d({t}, {number(kernel)}, stride={number(stride)})"
    found = x.back(f"({text})[:, 0]" if x.rank == 1 else text)
    return [found, None][: len(a.outputs)]


def _average_pool(a: Any) -> str:
    """Sums of windows over how many places of each window count."""
    x = sides_of(a)
    kernel = a.kernel_shape
    stride, dilation = (pair(v or 1, x.rank) for v in (a.strides, a.dilations))
    if any(d > 1 for d in dilation):
        raise Inexpressible("option dilations")
    pads = around(a, x, kernel, stride, dilation)
    _ = a.ceil_mode
    out = a.outputs[0].shape[2:]
    extra = overhang([n + b + e for n, (b, e) in zip(x.sides, pads)], out, kernel, stride,
                     (0,) * x.rank, dilation)  # fmt: skip
    text, sides = as_images(x), x.sides
    if x.rank == 1:
        kernel, stride, sides = (1, *kernel), (1, *stride), (1, *sides)
        pads, extra = [(0, 0), *pads], [0, *extra]
    ends = [(0, more) for more in extra]
    inside = framed(f"ones(1, {sides[0]}, {sides[1]}, 1)", pads)
    if a.count_include_pad:
        inside = f"ones(1, {', '.join(str(n + b + e) for n, (b, e) in zip(sides, pads))}, 1)"
    options = f"{number(kernel)}, stride={number(stride)}"
    text = framed(framed(text, pads), ends)
    text = f"avg_pool2d({text}, {options}) / avg_pool2d({framed(inside, ends)}, {options})"
    return x.back(f"({text})[:, 0]" if x.rank == 1 else text)


ROWS: dict[str, Row] = {
    # convolutions
    "Conv": Row(f"x, W, B=None, *, {WINDOWS}, kernel_shape=None, group=1", _conv),
    "ConvTranspose": Row(
        f"x, W, B=None, *, {WINDOWS}, kernel_shape=None, group=1, output_padding=None, "
        "output_shape=None",
        _conv_transpose,
    ),
    "MaxPool": Row(
        f"x, *, kernel_shape, {WINDOWS}, ceil_mode=0, storage_order=0", _max_pool,
        note="the indices are not compared",
    ),
    "AveragePool": Row(
        f"x, *, kernel_shape, {WINDOWS}, ceil_mode=0, count_include_pad=0", _average_pool
    ),
}  # fmt: skip
