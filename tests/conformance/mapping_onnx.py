"""ONNX's operators in bp, for its node tests."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import mapping_linalg
from mapping_arrays import cut, grid, padded, scattered
from mapping_losses import labels_of
from mapping_networks import Image, as_images, overhang, pair, shifts
from translate import (
    Arg,
    Inexpressible,
    Row,
    at,
    axes,
    elementwise,
    moved,
    number,
    reshaped,
    sizes,
    transposed,
)


def static(a: Any, value: Any) -> Any:
    """The numbers of an input that says how: axes, a shape, pads. bp wants them in the text."""
    if isinstance(value, Arg):
        array = a.program.inputs.pop(value.text)
        return tuple(array.tolist()) if array.ndim else array.item()
    return value


def unary(template: str) -> Row:
    return elementwise("x", template)


def binary(template: str) -> Row:
    return elementwise("x, y", template)


def folded(template: str) -> Row:
    """Of any number of arrays, one after the other."""

    def rule(a: Any) -> str:
        text = str(a.xs[0])
        for x in a.xs[1:]:
            text = template.format(x=text, y=x)
        return f"({text}) / {len(a.xs)}" if "mean" in template else text

    return Row("*xs", rule, broadcasts=False)


def reduced(template: str) -> Row:
    """`keepdims` is 1 unless it is said, and no axes are all axes unless that is said."""

    def rule(a: Any) -> str:
        dims, noop = static(a, a.axes), a.noop_with_empty_axes
        if (dims is None or dims == ()) and noop:
            rest = None
        else:
            found = axes(dims, a.x.rank)
            if template[:3] in ("max", "min") and not math.prod(a.x.shape[i] for i in found):
                raise Inexpressible("nothing to reduce: bp raises on purpose")
            rest = f", axis={number(found)}" if a.x.rank else ""
            rest += ", keep=true" if a.keepdims and a.x.rank else ""
        if rest is None:
            return template.replace("{rest}", ", axis=()").format(x=a.x)
        x = f"1.0 * {a.x}" if a.x.kind == "bool" else a.x
        return template.format(x=x, rest=rest)

    return Row("x, axes=None, *, keepdims=1, noop_with_empty_axes=0", rule)


def _integer_div(a: Any) -> str:
    """Whole numbers are cut towards 0; bp's quotient of them is real."""
    q = f"{a.x} / {a.y}"
    return f"sign({q}) * floor(abs({q}))" if a.x.kind == "int" else q


def _mod(a: Any) -> str:
    q = f"{a.x} / {a.y}"
    whole = f"sign({q}) * floor(abs({q}))" if a.fmod else f"floor({q})"
    return f"{a.x} - {whole} * {a.y}"


def _pow(a: Any) -> str:
    return f"{a.x} ^ {a.y}"


def _clip(a: Any) -> str:
    text = str(a.x)
    if a.low is not None:
        text = f"max({text}, {a.low})"
    return f"min({text}, {a.high})" if a.high is not None else text


def _round(a: Any) -> str:
    down = a.let(f"floor({a.x})")
    even = f"where(2 * floor({down} / 2) == {down}, {down}, {down} + 1)"
    return f"where({a.x} - {down} == 0.5, {even}, floor({a.x} + 0.5))"


def _prelu(a: Any) -> str:
    return f"where({a.x} > 0, {a.x}, {a.slope} * {a.x})"


def _is_inf(a: Any) -> str:
    parts = [
        f"{a.x} == {s}inf" for s, on in (("-", a.detect_negative), ("", a.detect_positive)) if on
    ]
    return " or ".join(parts) if parts else f"{a.x} != {a.x} and {a.x} == {a.x}"


def _gelu(a: Any) -> str:
    return f"gelu({a.x})" if a.approximate == "none" else f"gelu_tanh({a.x})"


def _shrink(a: Any) -> str:
    l, b = number(a.lambd), number(a.bias)
    return f"where({a.x} < -{l}, {a.x} + {b}, where({a.x} > {l}, {a.x} - {b}, 0))"


def _arg(name: str) -> Any:
    def rule(a: Any) -> str:
        text = f"{name}({a.x}, axis={a.axis})"
        if a.select_last_index:
            last = a.x.shape[a.axis] - 1
            text = f"{last} - {name}(flip({a.x}, axis={a.axis}), axis={a.axis})"
        return reshaped(text, a.outputs[0].shape) if a.keepdims else text

    return rule


def _flat_softmax(name: str) -> Any:
    return lambda a: f"{name}({a.x}, axis={a.axis})"


def _hardmax(a: Any) -> str:
    axis = a.axis % a.x.rank
    n = a.x.shape[axis]
    return moved(f"one_hot(argmax({a.x}, axis={axis}), {n})", a.x.rank, -1, axis)


def _cumsum(a: Any) -> str:
    axis = static(a, a.axis)
    axis = (axis[0] if isinstance(axis, tuple) else axis) % a.x.rank
    x = f"flip({a.x}, axis={axis})" if a.reverse else str(a.x)
    text = f"cumsum({x}, axis={axis})"
    if a.exclusive:
        text = f"({text} - {x})"
    return f"flip({text}, axis={axis})" if a.reverse else text


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
    return mapping_linalg._einsum(a)


# Networks


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


def _global(name: str) -> Any:
    return lambda a: f"{name}({a.x}, axis={number(tuple(range(2, a.x.rank)))}, keep=true)"


def _batch_norm(a: Any) -> list[str]:
    x, eps = moved(a.x.text, a.x.rank, 1, -1), f"eps={number(a.epsilon)}"
    if not a.training_mode:
        _ = a.momentum
        text = f"batch_norm({x}, {a.scale}, {a.B}, {a.mean}, {a.var}, {eps})"
        return [moved(text, a.x.rank, -1, 1)]
    y, mean, var = a.program.let_several(f"batch_norm({x}, {a.scale}, {a.B}, {eps})", 3)
    p = number(a.momentum)
    running = [f"{p} * {old} + (1 - {p}) * {new}" for old, new in ((a.mean, mean), (a.var, var))]
    return [moved(y, a.x.rank, -1, 1), *running]


def _instance_norm(a: Any) -> str:
    x = moved(a.x.text, a.x.rank, 1, -1)
    text = f"group_norm({x}, {a.scale}, {a.B}, {a.x.shape[1]}, eps={number(a.epsilon)})"
    return moved(text, a.x.rank, -1, 1)


def _group_norm(a: Any) -> str:
    x = moved(a.x.text, a.x.rank, 1, -1)
    text = f"group_norm({x}, {a.scale}, {a.bias}, {a.num_groups}, eps={number(a.epsilon)})"
    return moved(text, a.x.rank, -1, 1)


def _layer_norm(a: Any) -> list[str | None]:
    axis = a.axis % a.x.rank
    n = math.prod(a.x.shape[axis:])
    _ = a.stash_type
    x = reshaped(a.x.text, (*a.x.shape[:axis], n))
    bias = "0" if a.B is None else reshaped(a.B.text, (n,))
    text = f"layer_norm({x}, {reshaped(a.scale.text, (n,))}, {bias}, eps={number(a.epsilon)})"
    mean = a.let(f"mean({x}, axis=-1)")
    scale = f"1 / sqrt(var({x}, axis=-1) + {number(a.epsilon)})"
    more = [reshaped(t, o.shape) for t, o in zip((mean.text, scale), a.outputs[1:])]
    return [reshaped(text, a.x.shape), *more]


def _rms_norm(a: Any) -> str:
    axis = a.axis % a.x.rank
    n = math.prod(a.x.shape[axis:])
    _ = a.stash_type
    x, gain = reshaped(a.x.text, (*a.x.shape[:axis], n)), reshaped(a.scale.text, (n,))
    return reshaped(f"rms_norm({x}, {gain}, eps={number(a.epsilon)})", a.x.shape)


def _lp_norm(a: Any) -> str:
    length = f"norm({a.x}, axis={a.axis}, keep=true)"
    if a.p == 1:
        length = f"sum(abs({a.x}), axis={a.axis}, keep=true)"
    n = a.let(length)
    return f"where({n} == 0, 0, {a.x} / {n})"


def _mvn(a: Any) -> str:
    found = number(a.axes)
    middle = f"({a.x} - mean({a.x}, axis={found}, keep=true))"
    return f"{middle} / (std({a.x}, axis={found}, keep=true) + 1e-9)"


def _dropout(a: Any) -> list[str | None]:
    rate, training = static(a, a.ratio), static(a, a.training_mode)
    _ = a.seed
    if training and rate != 0:
        raise Inexpressible("random numbers")
    mask = [f"{a.x} == {a.x} or {a.x} != {a.x}"] if len(a.outputs) > 1 else []
    return [f"dropout({a.x}, {number(0.5 if rate is None else rate)})", *mask]


def _nll(a: Any) -> str:
    return weighed(a, f"nll({moved(a.x.text, a.x.rank, 1, -1)}, ")


def weighed(a: Any, call: str) -> str:
    ignore = a.ignore_index
    safe, kept = (str(a.y), None) if ignore is None else labels_of(a, a.y, ignore)
    weight = "1.0" if a.w is None else f"{a.w}[{safe}]"
    weights = a.let(f"where({kept}, {weight}, 0)" if kept else f"{weight} + 0 * {a.y}", a.y.shape)
    values = a.let(f"{weights} * {call}{safe})", a.y.shape)
    if a.reduction == "mean":
        return f"sum({values}) / sum({weights})"
    return f"sum({values})" if a.reduction == "sum" else str(values)


def _softmax_loss(a: Any) -> list[str]:
    scores = moved(a.x.text, a.x.rank, 1, -1)
    loss = weighed(a, f"cross_entropy({scores}, ")
    return [loss, f"log_softmax({a.x}, axis=1)"][: len(a.outputs)]


def _attention(a: Any) -> str:
    """Four axes, as many heads everywhere, no past: else it is another operator."""
    if a.q.rank != 4 or a.q.shape[1] != a.k.shape[1]:
        raise Inexpressible("heads in one axis, or shared heads")
    for name in ("past_key", "past_value", "nonpad", "softmax_precision"):
        if a[name] is not None:
            raise Inexpressible(f"option {name}")
    if a.softcap or len(a.outputs) > 1:
        raise Inexpressible("option softcap, or inner results")
    _ = a.q_num_heads, a.kv_num_heads, a.qk_matmul_output_mode
    scale, mask = a.scale, a.mask
    if mask is None and scale is None:
        return f"attention({a.q}, {a.k}, {a.v}, causal={number(bool(a.is_causal))})"
    factor = number(scale) if scale is not None else f"(1 / sqrt({a.q.shape[-1]}))"
    scores = a.let(f"{a.q} @ {a.k}.T * {factor}")
    if a.is_causal:
        rows, columns = a.q.shape[2], a.k.shape[2]
        early = f"arange({columns})[new, :] <= arange({rows})[:, new]"
        scores = a.let(f"where({early}, {scores}, -inf)")
    if mask is not None and mask.kind == "bool":
        scores = a.let(f"where({mask}, {scores}, -inf)")
    elif mask is not None:
        scores = a.let(f"{scores} + {mask}")
    return f"softmax({scores}) @ {a.v}"


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


NORM = "x, scale, B=None, *, axis=-1, epsilon=1e-5, stash_type=1"
WINDOWS = "pads=None, strides=None, dilations=None, auto_pad='NOTSET'"
ROWS: dict[str, Row] = {
    # elementwise
    **{
        name: unary(template)
        for name, template in {
            "Abs": "abs({x})", "Acos": "acos({x})", "Asin": "asin({x})", "Atan": "atan({x})",
            "Acosh": "log({x} + sqrt({x} - 1) * sqrt({x} + 1))",
            "Asinh": "sign({x}) * log1p(abs({x}) + {x}^2 / (1 + sqrt({x}^2 + 1)))",
            "Atanh": "(log1p({x}) - log1p(-{x})) / 2", "Ceil": "-floor(-{x})", "Cos": "cos({x})",
            "Cosh": "cosh({x})", "Erf": "erf({x})", "Exp": "exp({x})", "Floor": "floor({x})",
            "Identity": "1 * {x}", "IsNaN": "{x} != {x}", "Log": "log({x})", "Mish": "mish({x})",
            "HardSwish": "{x} * hard_sigmoid({x})", "Neg": "-{x}", "Not": "not {x}",
            "Reciprocal": "1 / {x}", "Relu": "relu({x})", "Sigmoid": "sigmoid({x})",
            "Sign": "sign({x})", "Sin": "sin({x})", "Sinh": "sinh({x})",
            "Softplus": "softplus({x})", "Softsign": "softsign({x})", "Sqrt": "sqrt({x})",
            "Tan": "tan({x})", "Tanh": "tanh({x})",
        }.items()
    },
    **{
        name: binary(template)
        for name, template in {
            "Add": "{x} + {y}", "Sub": "{x} - {y}", "Mul": "{x} * {y}", "And": "{x} and {y}",
            "Or": "{x} or {y}", "Xor": "{x} != {y}", "Equal": "{x} == {y}", "Less": "{x} < {y}",
            "LessOrEqual": "{x} <= {y}", "Greater": "{x} > {y}", "GreaterOrEqual": "{x} >= {y}",
        }.items()
    },
    "Div": elementwise("x, y", _integer_div),
    "Mod": elementwise("x, y, *, fmod=0", _mod),
    "Pow": elementwise("x, y", _pow),
    "Max": folded("max({x}, {y})"),
    "Min": folded("min({x}, {y})"),
    "Sum": folded("{x} + {y}"),
    "Where": elementwise("c, x, y", "where({c}, {x}, {y})"),
    "Clip": elementwise("x, low=None, high=None", _clip),
    "Round": elementwise("x", _round),
    "IsInf": elementwise("x, *, detect_negative=1, detect_positive=1", _is_inf),
    "PRelu": Row("x, slope", _prelu),
    "LeakyRelu": elementwise("x, *, alpha=0.01", "leaky_relu({x}, slope={alpha})"),
    "Elu": elementwise("x, *, alpha=1.0", "elu({x}, alpha={alpha})"),
    "Celu": elementwise("x, *, alpha=1.0", "celu({x}, alpha={alpha})"),
    "Selu": elementwise(
        "x, *, alpha=1.67326319217681884765625, gamma=1.05070102214813232421875",
        "{gamma} * where({x} > 0, {x}, {alpha} * expm1({x}))",
    ),
    "HardSigmoid": elementwise("x, *, alpha=0.2, beta=0.5", "clip({alpha} * {x} + {beta}, 0, 1)"),
    "Gelu": elementwise("x, *, approximate='none'", _gelu),
    "Swish": elementwise("x, *, alpha=1.0", "{x} * sigmoid({alpha} * {x})"),
    "Shrink": elementwise("x, *, bias=0.0, lambd=0.5", _shrink),
    "ThresholdedRelu": elementwise("x, *, alpha=1.0", "where({x} > {alpha}, {x}, 0)"),
    # reductions
    "ReduceSum": reduced("sum({x}{rest})"),
    "ReduceMean": reduced("mean({x}{rest})"),
    "ReduceMax": reduced("max({x}{rest})"),
    "ReduceMin": reduced("min({x}{rest})"),
    "ReduceProd": reduced("prod({x}{rest})"),
    "ReduceL1": reduced("sum(abs({x}){rest})"),
    "ReduceL2": reduced("norm({x}{rest})"),
    "ReduceSumSquare": reduced("sum({x}^2{rest})"),
    "ReduceLogSum": reduced("log(sum({x}{rest}))"),
    "ReduceLogSumExp": reduced("logsumexp({x}{rest})"),
    "ArgMax": Row("x, *, axis=0, keepdims=1, select_last_index=0", _arg("argmax")),
    "ArgMin": Row("x, *, axis=0, keepdims=1, select_last_index=0", _arg("argmin")),
    "Softmax": Row("x, *, axis=-1", _flat_softmax("softmax")),
    "LogSoftmax": Row("x, *, axis=-1", _flat_softmax("log_softmax")),
    "Hardmax": Row("x, *, axis=-1", _hardmax),
    "CumSum": Row("x, axis, *, exclusive=0, reverse=0", _cumsum),
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
    "MatMul": Row("x, y", mapping_linalg._matmul),
    "Gemm": Row("x, y, z=None, *, alpha=1.0, beta=1.0, transA=0, transB=0", _gemm),
    "Einsum": Row("*xs, equation", _einsum),
    "Det": Row("x", "det({x})"),
    # networks
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
    "GlobalAveragePool": Row("x", _global("mean")),
    "GlobalMaxPool": Row("x", _global("max")),
    "BatchNormalization": Row(
        "x, scale, B, mean, var, *, epsilon=1e-5, momentum=0.9, training_mode=0", _batch_norm
    ),
    "InstanceNormalization": Row("x, scale, B, *, epsilon=1e-5", _instance_norm),
    "GroupNormalization": Row("x, scale, bias, *, num_groups, epsilon=1e-5, stash_type=1",
                              _group_norm),
    "LayerNormalization": Row(NORM, _layer_norm),
    "RMSNormalization": Row(
        "x, scale, *, axis=-1, epsilon=1e-5, stash_type=1", _rms_norm
    ),
    "LpNormalization": Row("x, *, axis=-1, p=2", _lp_norm),
    "MeanVarianceNormalization": Row("x, *, axes=(0, 2, 3)", _mvn),
    "Dropout": Row("x, ratio=None, training_mode=None, *, seed=None", _dropout),
    "NegativeLogLikelihoodLoss": Row("x, y, w=None, *, reduction='mean', ignore_index=None", _nll),
    "SoftmaxCrossEntropyLoss": Row(
        "x, y, w=None, *, reduction='mean', ignore_index=None", _softmax_loss
    ),
    "Attention": Row(
        "q, k, v, mask=None, past_key=None, past_value=None, nonpad=None, *, is_causal=0, "
        "kv_num_heads=None, q_num_heads=None, qk_matmul_output_mode=0, scale=None, softcap=0.0, "
        "softmax_precision=None",
        _attention,
    ),
}  # fmt: skip
