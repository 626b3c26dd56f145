"""Pools: the largest entry, or the mean, of each window of images."""

from __future__ import annotations

from typing import Any

from bpc.diagnostics import Problem
from bpc.ops.arrays import array
from bpc.ops.build import Builder, Expr
from bpc.ops.images import check_axes, pair, refuse
from bpc.ops.roles import Static, Value
from bpc.ops.windows import windows_needs


def _pool(name: str, reduce: str, around: float) -> Any:
    def call(m: Builder, x: Value, size: Static, stride: Static = None, pad: Static = 0) -> Expr:
        check_axes(name, "images", "[N, H, W, C]", x)
        sides = pair(name, "size", size, 1)
        steps = sides if stride is None else pair(name, "stride", stride, 1)
        border = pair(name, "pad", pad, 0)
        if any(2 * p > side for p, side in zip(border, sides)):
            raise Problem("BP236", name=name, pad=border, size=sides)
        x = m.real(x)
        if any(border):
            widths = tuple((p, p) for p in (0, *border, 0))
            x = m.emit("pad", x, widths=widths, value=around)
        refuse(name, windows_needs(x.type, sides))
        windows = m.emit("windows", x, sides=sides, stride=steps, dilation=(1, 1))
        pooled: Expr = m.emit(reduce, windows, axes=(0,), keep=False)
        return pooled

    return call


for _name, _reduce, _around, _doc in (
    (
        "max_pool2d",
        "max",
        float("-inf"),
        "The largest entry of each window of images [N, H, W, C]; ties share the gradient.",
    ),
    (
        "avg_pool2d",
        "mean",
        0.0,
        "The mean of each window of images [N, H, W, C]; zeros of the pad count.",
    ),
):
    array(
        _name,
        f"{_doc} Size, stride (without one, the size) and pad are numbers or pairs.",
        call=_pool(_name, _reduce, _around),
        group="networks",
        cases=(
            (((2, 4, 6, 3),), {"size": 2}),
            (((2, 5, 4, 3),), {"size": (2, 3)}),
            (((2, 7, 7, 2),), {"size": 3, "stride": 2, "pad": 1}),
            (((1, 5, 6, 2),), {"size": (2, 3), "stride": (1, 2), "pad": (1, 0)}),
            (((2, 4, 4, 2),), {"size": 1, "stride": 2}),
        ),
    )
