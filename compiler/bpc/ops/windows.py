"""The windows of images as an array, and their adjoint, which adds windows up to images.

    windows(x)[k, n, i, j, c]      place k of the window at (i, j)

Place by place, so that NumPy reduces along the first axis at full speed. Pools and convolutions of
each channel by itself are written with them; both are linear, and each the VJP of the other.
"""

from __future__ import annotations

from typing import Any

from bpc.ops.arrays import internal
from bpc.ops.images import Needs, Pair, fit, places
from bpc.ops.rows import moves
from bpc.types import Axis, Shape, Type, size


def _window(sides: Pair) -> Shape:
    return tuple(Axis(size(n)) for n in sides)


def _windows_type(x: Type, sides: Pair, stride: Pair, dilation: Pair) -> tuple[Type]:
    down, across = map(places, x.shape[1:3], _window(sides), stride, (0, 0), dilation)
    count = Axis(size(sides[0] * sides[1]))
    return (Type("real", (count, x.shape[0], down, across, x.shape[3])),)


def windows_needs(x: Type, sides: Pair, dilation: Pair = (1, 1), stride: Pair = (1, 1)) -> Needs:
    """What the sizes must be."""
    return fit(x.shape[1:3], _window(sides), (0, 0), dilation)


def _options(c: Any, sides: Pair, stride: Pair, dilation: Pair) -> list[Any]:
    spread = [] if dilation == (1, 1) else [str(dilation)]
    return [c.text(str(pair)) for pair in (sides, stride, *spread)]


internal(
    "windows",
    "The windows of images, place by place on a new first axis.",
    linear=True,
    mixes=lambda x, **_: (1, 2),
    rows=moves({(0,): 1, (3,): 4}),
    infer=_windows_type,
    vjp=lambda m, g, out, x, **options: (m.emit("unwindows", g, shape=x.shape, **options),),
    numpy=lambda c, x, **options: c.call("_windows", x, *_options(c, **options)),
    view=True,
    requires=windows_needs,
)
internal(
    "unwindows",
    "Images to which windows are added where they stand.",
    linear=True,
    rows=moves({(1,): 0, (4,): 3}),
    infer=lambda t, shape, **options: (t.with_shape(shape),),
    vjp=lambda m, g, out, x, shape, **options: (m.emit("windows", g, **options),),
    numpy=lambda c, x, shape, **options: c.call(
        "_unwindows", x, c.shape(shape), *_options(c, **options)
    ),
)
