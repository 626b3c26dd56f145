"""The windows of images as an array, and their adjoint, which adds windows up to images.

    windows(x)[k, n, i, j, c]            place k of the window at (i, j)
    window(x, place=(a, b))[n, i, j, c]  the same for one place alone, as a view
    window_columns(x)[(k, c), i, j, n]   the same of images whose examples come last

Place by place, so that NumPy reduces along the first axis at full speed. Pools and convolutions of
each channel by itself are written with them; both are linear, and each the VJP of the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bpc.ops.arrays import internal
from bpc.ops.cost import NOTHING, per_entry
from bpc.ops.images import Needs, Pair, fit, places
from bpc.ops.rows import Meets, Place, moves, only
from bpc.types import Axis, Shape, Type, product, size


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


def _laid_rows(_: Sequence[Type], places: Sequence[Place], **options: Any) -> int:
    place = only(places)
    if place not in (0, 3):
        raise Meets
    return place


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
    flops=per_entry(1),
    vjp=lambda m, g, out, x, shape, **options: (m.emit("windows", g, **options),),
    numpy=lambda c, x, shape, **options: c.call(
        "_unwindows", x, c.shape(shape), *_options(c, **options)
    ),
)
internal(
    "window",
    "One place of each window of images.",
    linear=True,
    mixes=lambda x, **_: (1, 2),
    infer=lambda x, place, sides, stride, dilation: (
        Type("real", _windows_type(x, sides, stride, dilation)[0].shape[1:]),
    ),
    numpy=lambda c, x, place, **options: c.slice(x, _place(x.type, place, **options)),
    view=True,
    requires=lambda x, place, sides, dilation, **_: windows_needs(x, sides, dilation),
)
internal(
    "lay_windows",
    "Images to which arrays are added, one for each place of a window.",
    linear=True,
    rows=_laid_rows,
    infer=lambda *parts, shape, **options: (parts[0].with_shape(shape),),
    flops=lambda out, *parts, sides, stride, **options: (
        size(0) if stride == sides else parts[0].count * size(len(parts))
    ),
    numpy=lambda c, *parts, shape, **options: c.call(
        "_lay_windows", c.display(parts), c.shape(shape), *_options(c, **options)
    ),
    into=lambda c, out, *parts, shape, **options: c.call(
        "_lay_windows",
        c.display(parts),
        c.shape(shape),
        *_options(c, **options),
        f"out={out.code.text}",
    ),
)


def _place(x: Type, place: Pair, sides: Pair, stride: Pair, dilation: Pair) -> Any:
    """The slice that one place of all windows is."""
    found = [(size(0), a.size, 1) for a in x.shape]
    counts = _windows_type(x, sides, stride, dilation)[0].shape[2:4]
    for i, (at, count, step, apart) in enumerate(zip(place, counts, stride, dilation)):
        found[i + 1] = (size(at * apart), count.size, step)
    return tuple(found)


# Images [C, H, W, N] with the examples last, and their windows as what convolutions multiply: entries
# that NumPy copies and adds up then lie side by side, however few the channels. Sides are a kernel's.

#: the axes of images [N, H, W, C] with the examples last, and the way back
EXAMPLES_LAST = (3, 1, 2, 0)


def _columns_type(x: Type, sides: Shape, stride: Pair, dilation: Pair) -> tuple[Type]:
    down, across = map(places, x.shape[1:3], sides, stride, (0, 0), dilation)
    entries = Axis(product(a.size for a in (*sides, x.shape[0])))
    return (Type("real", (entries, down, across, x.shape[3])),)


def _column_options(c: Any, stride: Pair, dilation: Pair) -> list[str]:
    return [
        c.keyword(name, pair)
        for name, pair in (("stride", stride), ("dilation", dilation))
        if pair != (1, 1)
    ]


internal(
    "examples_last",
    "Images [N, H, W, C] laid out as [C, H, W, N].",
    linear=True,
    flops=NOTHING,
    rows=moves({(0,): 3, (3,): 0}),
    infer=lambda x: (x.with_shape(x.shape[i] for i in EXAMPLES_LAST),),
    numpy=lambda c, x: c.copy(type(x)(c.transpose(x, EXAMPLES_LAST), x.type)),
    into=lambda c, out, x: c.call("np.copyto", out, c.transpose(x, EXAMPLES_LAST)),
)
internal(
    "window_columns",
    "For each place of a kernel and channel, that entry of all windows of images [C, H, W, N].",
    linear=True,
    mixes=lambda x, **_: (0, 1, 2),
    flops=NOTHING,
    infer=_columns_type,
    numpy=lambda c, x, sides, stride, dilation: c.call(
        "_window_columns", x, c.shape(sides), *_column_options(c, stride, dilation)
    ),
    into=lambda c, out, x, sides, stride, dilation: c.call(
        "_window_columns",
        x,
        c.shape(sides),
        *_column_options(c, stride, dilation),
        f"out={out.code.text}",
    ),
    requires=lambda x, sides, stride, dilation: fit(x.shape[1:3], sides, (0, 0), dilation),
)
internal(
    "add_window_columns",
    "Images [C, H, W, N] of a shape to which windows are added: from window_columns back.",
    linear=True,
    rows=moves({(3,): 3}),
    infer=lambda columns, shape, **_: (columns.with_shape(shape),),
    flops=per_entry(1),
    numpy=lambda c, columns, shape, sides, stride, dilation: c.call(
        "_add_window_columns",
        columns,
        c.shape(shape),
        c.shape(sides),
        *_column_options(c, stride, dilation),
    ),
    into=lambda c, out, columns, shape, sides, stride, dilation: c.call(
        "_add_window_columns",
        columns,
        c.shape(shape),
        c.shape(sides),
        *_column_options(c, stride, dilation),
        f"out={out.code.text}",
    ),
    requires=lambda columns, shape, sides, stride, dilation: [
        *((a.size, "a pad that leaves nothing of the result") for a in shape[1:3]),
        *fit(shape[1:3], sides, (0, 0), dilation),
    ],
)
