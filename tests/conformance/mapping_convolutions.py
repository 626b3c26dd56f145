"""PyTorch's convolutions and pools in bp. Images are [N, C, H, W] there, [N, H, W, C] in bp."""

from __future__ import annotations

import math
from typing import Any

from translate import Arg, Inexpressible, Row, number, reshaped, transposed

CONV = "x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1"
TRANSPOSE = "x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1"
MAX = "x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False"
AVG = "x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True"
INDICES = "the indices are not compared"


def pair(value: Any, rank: int) -> tuple[int, ...]:
    """An option for each axis of an image."""
    several = tuple(value) if isinstance(value, tuple | list) else (value,)
    return several * rank if len(several) == 1 else several


class Image:
    """An array [N, C, ...] or [C, ...], read as [N, ..., C]."""

    def __init__(self, x: Arg, rank: int) -> None:
        self.alone = x.rank == rank + 1
        self.shape = (1, *x.shape) if self.alone else x.shape
        text = f"{x}[new]" if self.alone else x.text
        self.text = transposed(text, (0, *range(2, rank + 2), 1))
        self.sides, self.rank = self.shape[2:], rank

    def back(self, text: str) -> str:
        """A result in PyTorch's order of axes."""
        text = transposed(f"({text})", (0, self.rank + 1, *range(1, self.rank + 1)))
        return f"({text})[0]" if self.alone else text


def pads(padding: Any, image: Image, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> Any:
    """(before, after) for each side: `same` may be uneven."""
    if padding == "valid":
        return [(0, 0)] * image.rank
    if padding == "same":
        total = [d * (k - 1) for k, d in zip(kernel, dilation)]
        return [(t // 2, t - t // 2) for t in total]
    return [(p, p) for p in pair(padding, image.rank)]


def _conv(rank: int) -> Any:
    def rule(a: Any) -> str:
        x = Image(a.x, rank)
        kernel = a.weight.shape[2:]
        stride, dilation = pair(a.stride, rank), pair(a.dilation, rank)
        around = pads(a.padding, x, kernel, dilation)
        text = x.text
        if any(b != e for b, e in around):
            text = f"pad({text}, {number(((0, 0), *around, (0, 0)))})"
            around = [(0, 0)] * rank
        weight = transposed(a.weight.text, (*range(2, rank + 2), 1, 0))
        pad = tuple(b for b, _ in around)
        options = [(k, v[0] if rank == 1 else v) for k, v in
                   (("stride", stride), ("pad", pad), ("dilation", dilation))]  # fmt: skip
        named = "".join(f", {k}={number(v)}" for k, v in options)
        text = f"conv{rank}d({text}, {weight}{named}, groups={a.groups})"
        return x.back(text + (f" + {a.bias}" if a.bias is not None else ""))

    return rule


def _conv_transpose(rank: int) -> Any:
    """Of rows by images of one row; a kernel's groups are along its first axis in PyTorch."""

    def rule(a: Any) -> str:
        x, g = Image(a.x, rank), a.groups
        shape = a.weight.shape
        stride, pad, extra, dilation = (
            pair(v, rank) for v in (a.stride, a.padding, a.output_padding, a.dilation)
        )
        text, weight = x.text, transposed(a.weight.text, (*range(2, rank + 2), 1, 0))
        if any(e >= s for e, s in zip(extra, stride)):
            raise Inexpressible("output_padding as large as the stride: rows that nothing reaches")
        if rank == 1:
            n, c, length = x.shape
            text = reshaped(text, (n, 1, length, c))
            weight = reshaped(weight, (1, shape[2], shape[1], shape[0]))
            stride, pad, extra, dilation = (1, *stride), (0, *pad), (0, *extra), (1, *dilation)
        named = f"stride={number(stride)}, pad={number(pad)}, dilation={number(dilation)}"
        text = (
            f"conv_transpose2d({text}, {weight}, {named}, groups={g}, output_pad={number(extra)})"
        )
        text += f" + {a.bias}" if a.bias is not None else ""
        if rank == 1:
            text = f"({text})[:, 0]"
        return x.back(text)

    return rule


def steps(a: Any, rank: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    kernel = pair(a.kernel_size, rank)
    stride = kernel if a.stride in (None, (), []) else pair(a.stride, rank)
    return kernel, stride, pair(a.padding, rank)


def overhang(sides: Any, out: Any, kernel: Any, stride: Any, pad: Any, dilation: Any) -> list[int]:
    """How far the last windows reach beyond the pad."""
    rows = zip(sides, out, kernel, stride, pad, dilation)
    return [max(0, (o - 1) * s + d * (k - 1) + 1 - n - 2 * p) for n, o, k, s, p, d in rows]


def _max_pool(rank: int) -> Any:
    def rule(a: Any) -> list[str | None]:
        x = Image(a.x, rank)
        kernel, stride, pad = steps(a, rank)
        dilation = pair(a.dilation, rank)
        _ = a.ceil_mode, a.return_indices
        out = a.outputs[0].shape[-rank:]
        extra = overhang(x.sides, out, kernel, stride, pad, dilation)
        text = as_images(x)
        if rank == 1:
            kernel, stride, pad, dilation = (1, *kernel), (1, *stride), (0, *pad), (1, *dilation)
            extra, out = [0, *extra], (1, *out)
        if any(extra) or any(d > 1 for d in dilation):
            around = ((0, 0), *((p, p + e) for p, e in zip(pad, extra)), (0, 0))
            text, pad = f"pad({text}, {number(around)}, value=-inf)", (0, 0)
        if any(d > 1 for d in dilation):
            t = a.let(text)
            text = f"max(stack({', '.join(shifts(t, out, kernel, stride, dilation))}), axis=0)"
        else:
            options = f"stride={number(stride)}, pad={number(pad)}"
            text = f"max_pool2d({text}, {number(kernel)}, {options})"
        found = x.back(f"({text})[:, 0]" if rank == 1 else text)
        return [found, None][: len(a.outputs)]

    return rule


def as_images(x: Image) -> str:
    """Rows as images of one row."""
    if x.rank == 2:
        return x.text
    n, c, length = x.shape
    return reshaped(x.text, (n, 1, length, c))


def shifts(t: Arg, out: Any, kernel: Any, stride: Any, dilation: Any) -> list[str]:
    """For each place of the window the entries that stand there."""
    found = []
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            cuts = []
            for k, o, s, d in zip((i, j), out, stride, dilation):
                start = k * d
                cuts.append(f"{start}:{start + (o - 1) * s + 1}:{s}")
            found.append(f"{t}[:, {', '.join(cuts)}]")
    return found


def _avg_pool(rank: int) -> Any:
    """bp counts the zeros of the pad; other divisors are written out."""

    def rule(a: Any) -> str:
        x = Image(a.x, rank)
        kernel, stride, pad = steps(a, rank)
        override = a.divisor_override if "divisor_override" in a._values else None
        _ = a.ceil_mode
        extra = overhang(x.sides, a.outputs[0].shape[-rank:], kernel, stride, pad, (1,) * rank)
        sides, text = x.sides, as_images(x)
        if rank == 1:
            kernel, stride, pad = (1, *kernel), (1, *stride), (0, *pad)
            extra, sides = [0, *extra], (1, *sides)
        options = f"{number(kernel)}, stride={number(stride)}"

        def pooled(images: str) -> str:
            if not any(extra):
                return f"avg_pool2d({images}, {options}, pad={number(pad)})"
            around = ((0, 0), *((p, p + e) for p, e in zip(pad, extra)), (0, 0))
            return f"avg_pool2d(pad({images}, {number(around)}), {options})"

        text, padded = pooled(text), a.count_include_pad
        area = math.prod(kernel)
        if override is not None:
            text = f"{text} * {area} / {number(override)}"
        elif not padded:
            text = f"{text} / {pooled(f'ones(1, {sides[0]}, {sides[1]}, 1)')}"
        elif any(extra):
            high, wide = (n + 2 * p for n, p in zip(sides, pad))
            count = f"pad(ones(1, {high}, {wide}, 1), ((0, 0), (0, {extra[0]}), (0, {extra[1]}), (0, 0)))"
            text = f"{text} / avg_pool2d({count}, {options})"
        return x.back(f"({text})[:, 0]" if rank == 1 else text)

    return rule


ROWS: dict[str, Row] = {
    # convolutions and pools
    "nn.functional.conv1d": Row(CONV, _conv(1)),
    "nn.functional.conv2d": Row(CONV, _conv(2)),
    "nn.functional.conv_transpose1d": Row(TRANSPOSE, _conv_transpose(1)),
    "nn.functional.conv_transpose2d": Row(TRANSPOSE, _conv_transpose(2)),
    "nn.functional.max_pool1d": Row(MAX, _max_pool(1), note=INDICES),
    "nn.functional.max_pool2d": Row(MAX, _max_pool(2), note=INDICES),
    "nn.functional.avg_pool1d": Row(AVG, _avg_pool(1)),
    "nn.functional.avg_pool2d": Row(f"{AVG}, divisor_override=None", _avg_pool(2)),
}  # fmt: skip
