"""What convolutions and pools share: options that are numbers or pairs, windows that must fit."""

from __future__ import annotations

from typing import Any

from bpc.diagnostics import Problem
from bpc.ops.build import Expr
from bpc.types import Axis, Shape, Size, show, size

Pair = tuple[int, int]
Needs = list[tuple[Size, str]]  # sizes that must not be negative, and what is wrong else
LARGEST = 2**31  # what an option can be at most


def pair(name: str, option: str, value: Any, least: int) -> Pair:
    """An option that is a number or a pair, (down, across)."""
    both = (value, value) if isinstance(value, int) else value
    if len(both) != 2 or not all(isinstance(v, int) and least <= v < LARGEST for v in both):
        two = "" if name == "conv1d" else ", or a pair of such"
        wanted = f"a whole number from {least} on{two}"
        raise Problem("BP231", name=name, option=option, wanted=wanted, found=value)
    return both[0], both[1]


def check_axes(name: str, what: str, wanted: str, value: Expr) -> None:
    """The value has as many axes as `[N, H, W, C]` names."""
    if value.type.rank != wanted.count(",") + 1:
        raise Problem("BP232", name=name, what=f"{what} {wanted}", shape=show(value.shape))


def refuse(name: str, needs: Needs) -> None:
    """A message for what is known to be wrong already."""
    for length, what in needs:
        known = length.constant
        if known is not None and known < 0:
            raise Problem("BP233", name=name, what=what)


def places(axis: Axis, window: Axis, stride: int, pad: int = 0, dilation: int = 1) -> Axis:
    """Where along an axis a window can stand."""
    count = (_room(axis, window, pad, dilation) / size(stride)).floor() + size(1)
    return axis if count == axis.size else Axis(count)


def _room(axis: Axis, window: Axis, pad: int, dilation: int) -> Size:
    """How far a window can be moved along an axis."""
    return axis.size + size(2 * pad) - size(dilation) * (window.size - size(1)) - size(1)


def fit(image: Shape, window: Shape, pad: Pair, dilation: Pair = (1, 1)) -> Needs:
    """A window has entries, and the padded image has room for it."""
    found: Needs = []
    for axis, side, p, d in zip(image, window, pad, dilation):
        padded = f" padded by {p}" if p else ""
        spread = f" at distance {d}" if d > 1 else ""
        what = f"a window of {side}{spread} does not fit an axis of size {axis}{padded}"
        found.append((side.size - size(1), "a window of no entries"))
        found.append((_room(axis, side, p, d), what))
    return found
