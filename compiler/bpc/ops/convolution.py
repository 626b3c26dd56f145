"""Convolutions: one sum of products of images x, a kernel W and images y, in three parts.

    sum(conv2d(x, W) * y)  =  sum(x * conv_transpose2d(y, W))  =  sum(W * conv2d_kernel(x, y))

Each is linear in both arguments, and what follows by one of them is one of the other two: so are
all higher derivatives. (Dumoulin, Visin, "A guide to convolution arithmetic for deep learning".)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bpc.diagnostics import Problem
from bpc.ops.arrays import array, internal
from bpc.ops.build import Builder, Expr
from bpc.ops.cost import ITEM, nbytes
from bpc.ops.images import Needs, check_axes, fit, pair, places, refuse
from bpc.ops.linalg import swap
from bpc.ops.roles import Integer, Static, Value
from bpc.ops.rows import SUM, moves
from bpc.ops.windows import EXAMPLES_LAST
from bpc.types import Axis, Shape, Size, Type, product, show, size

Options = dict[str, Any]  # stride, pad, dilation, which are pairs, and groups
DEFAULTS: Options = {"stride": (1, 1), "pad": (0, 0), "dilation": (1, 1), "groups": 1}
KERNELS = {
    "conv1d": "[k, C/groups, out]",
    "conv2d": "[kh, kw, C/groups, out]",
    "conv_transpose2d": "[kh, kw, out/groups, C]",
}


def _spelled(name: str) -> Any:
    """`_conv2d(x, W, stride=(2, 2))`: only what differs from the defaults is written."""

    def spell(c: Any, a: Any, b: Any, sides: Shape = (), **options: Any) -> Any:
        given = [c.shape(sides)] if sides else []
        named = [c.keyword(k, v) for k, v in options.items() if v != DEFAULTS[k]]
        return c.call(name, a, b, *given, *named)

    return spell


# The three parts: sides are those of the images x, or of the kernel


def _conv2d_type(x: Type, W: Type, stride: Any, pad: Any, dilation: Any, groups: int) -> Any:
    sides = zip(x.shape[1:3], W.shape[:2], stride, pad, dilation)
    return (Type("real", (x.shape[0], *(places(*side) for side in sides), W.shape[3])),)


def _transpose_type(y: Type, W: Type, sides: Shape, groups: int, **_: Any) -> Any:
    each = W.shape[2]
    channels = each if groups == 1 else Axis(each.size * size(groups))
    return (Type("real", (y.shape[0], *sides, channels)),)


def _kernel_type(x: Type, y: Type, sides: Shape, groups: int, **_: Any) -> Any:
    channels = x.shape[3]
    each = channels if groups == 1 else Axis(channels.size / size(groups))
    return (Type("real", (*sides, each, y.shape[3])),)


def _conv2d_needs(x: Type, W: Type, pad: Any, dilation: Any, groups: int, **_: Any) -> Needs:
    each = W.shape[3].size / size(groups)
    equal = (each.floor() - each, f"{W.shape[3]} channels are not {groups} equal groups")
    return [*fit(x.shape[1:3], W.shape[:2], pad, dilation), equal]


def _transpose_needs(y: Type, W: Type, sides: Shape, **options: Any) -> Needs:
    cut = [(a.size, "a pad that leaves nothing of the result") for a in sides]
    x = _transpose_type(y, W, sides, **options)[0]
    return cut + _conv2d_needs(x, W, **options)


def _conv2d_vjp(m: Builder, g: Expr, out: Expr, x: Expr, W: Expr, **options: Any) -> Sequence[Any]:
    by_x, by_W = m.active
    return (
        m.emit("conv_transpose2d", g, W, sides=x.shape[1:3], **options) if by_x else None,
        m.emit("conv2d_kernel", x, g, sides=W.shape[:2], **options) if by_W else None,
    )


def _transpose_vjp(
    m: Builder, g: Expr, out: Expr, y: Expr, W: Expr, sides: Shape, **options: Any
) -> Sequence[Any]:
    by_y, by_W = m.active
    return (
        m.emit("conv2d", g, W, **options) if by_y else None,
        m.emit("conv2d_kernel", g, y, sides=W.shape[:2], **options) if by_W else None,
    )


def _kernel_vjp(
    m: Builder, g: Expr, out: Expr, x: Expr, y: Expr, sides: Shape, **options: Any
) -> Sequence[Any]:
    by_x, by_y = m.active
    return (
        m.emit("conv_transpose2d", y, g, sides=x.shape[1:3], **options) if by_x else None,
        m.emit("conv2d", x, g, **options) if by_y else None,
    )


# What they cost


def _multiplied(y: Type, window: Shape) -> Size:
    """Each entry of y is a sum of products over a window, or goes into one."""
    return size(2) * y.count * product(a.size for a in window)


def _window_bytes(
    x: Type, y: Type, sides: Shape, stride: Any, pad: Any, groups: int, **_: Any
) -> Size:
    """The padded images, and all windows of them in rows."""
    n, height, width, channels = (a.size for a in x.shape)
    found = size(0)
    if any(pad):
        found = n * (height + size(2 * pad[0])) * (width + size(2 * pad[1])) * channels
    if groups > 1 or stride != (1, 1) or any(a.size.value != 1 for a in sides):
        found = found + product(a.size for a in (*y.shape[:3], *sides)) * channels
    return found * ITEM


def _conv2d_scratch(into: bool, out: Type, x: Any, W: Any, **options: Any) -> Size:
    return _window_bytes(x.type, out, W.type.shape[:2], **options)


def _transpose_scratch(
    into: bool, out: Type, y: Any, W: Any, sides: Shape, pad: Any, groups: int, **_: Any
) -> Size:
    """What is padded, and two parts: one is made while the one before is still at hand."""
    n, height, width, channels = (a.size for a in out.shape)
    whole = n * (height + size(2 * pad[0])) * (width + size(2 * pad[1])) * channels
    part = product(a.size for a in y.type.shape[:3]) * channels
    return whole * ITEM - nbytes(out) + part * ITEM * size(2 if groups == 1 else 3)


# Written out: products of matrices, on images with the examples last


def _matrix(m: Builder, x: Expr, rows: int) -> Expr:
    """The first axes as rows, the others as columns."""
    shape = (x.shape[:rows], x.shape[rows:])
    return m.emit("reshape", x, shape=tuple(Axis(product(a.size for a in p)) for p in shape))


def _laid(m: Builder, x: Expr) -> Expr:
    """Images as a matrix: a row for each channel."""
    return _matrix(m, m.emit("examples_last", x), 1)


def _columns(m: Builder, x: Expr, sides: Shape, pad: Any, **options: Any) -> Expr:
    """The windows of images as the columns of a matrix. Those of a single entry are the images."""
    x = m.called(m.emit("examples_last", x), "images")
    if any(pad):
        widths = ((0, 0), *((p, p) for p in pad), (0, 0))
        x = m.called(m.emit("pad", x, widths=widths, value=0.0), "padded")
    if any(a.size.value != 1 for a in sides) or options["stride"] != (1, 1):
        x = m.called(m.emit("window_columns", x, sides=sides, **options), "windows")
    return _matrix(m, x, 1)


def _conv2d_parts(m: Builder, x: Expr, W: Expr, groups: int, **options: Any) -> Expr | None:
    if groups > 1:
        return None
    (shape,) = (t.shape for t in _conv2d_type(x.type, W.type, groups=groups, **options))
    y = m.emit("matmul", swap(m, _matrix(m, W, 3)), _columns(m, x, W.shape[:2], **options))
    y = m.emit("reshape", y, shape=tuple(shape[i] for i in EXAMPLES_LAST))
    return m.emit("transpose", y, order=EXAMPLES_LAST)


def _transpose_parts(
    m: Builder, y: Expr, W: Expr, sides: Shape, groups: int, pad: Any, **options: Any
) -> Expr | None:
    if groups > 1:
        return None
    columns = m.emit("matmul", _matrix(m, W, 3), _laid(m, y))
    places = (columns.shape[0], *y.shape[1:3], y.shape[0])
    columns = m.emit("reshape", columns, shape=places)
    wide = [Axis(a.size + size(2 * p)) if p else a for a, p in zip(sides, pad)]
    shape = (W.shape[2], *wide, y.shape[0])
    x = m.emit("add_window_columns", columns, shape=shape, sides=W.shape[:2], **options)
    if any(pad):
        inner = zip((size(0), *map(size, pad), size(0)), (W.shape[2], *sides, y.shape[0]))
        x = m.emit("slice", x, items=tuple((start, a.size, 1) for start, a in inner))
    return m.emit("transpose", x, order=EXAMPLES_LAST)


def _kernel_parts(
    m: Builder, x: Expr, y: Expr, sides: Shape, groups: int, **options: Any
) -> Expr | None:
    if groups > 1:
        return None
    W = m.emit("matmul", _columns(m, x, sides, **options), swap(m, _laid(m, y)))
    return m.emit("reshape", W, shape=(*sides, x.shape[3], y.shape[3]))


# As the language calls them


def _options(name: str, stride: Any, pad: Any, dilation: Any, groups: int) -> Options:
    if groups < 1:
        wanted = "a whole number from 1 on"
        raise Problem("BP231", name=name, option="groups", wanted=wanted, found=groups)
    return {
        "stride": pair(name, "stride", stride, 1),
        "pad": pair(name, "pad", pad, 0),
        "dilation": pair(name, "dilation", dilation, 1),
        "groups": groups,
    }


def _check_channels(name: str, channels: Axis, wanted: Size, W: Expr, groups: int) -> None:
    each = (W.shape[-1].size / size(groups)).constant
    if channels.size == wanted and (each is None or each.denominator == 1):
        return
    help = f"a kernel is {KERNELS[name]}, and the groups are equal"
    raise Problem("BP234", help, name=name, channels=channels, kernel=show(W.shape), groups=groups)


def _convolved(m: Builder, name: str, x: Expr, W: Expr, options: Options) -> Expr:
    groups = options["groups"]
    _check_channels(name, x.shape[-1], W.shape[-2].size * size(groups), W, groups)
    x, W = m.real(x), m.real(W)
    if name == "conv1d":
        x, W = m.expand(x, axes=(1,)), m.expand(W, axes=(0,))
    refuse(name, _conv2d_needs(x.type, W.type, **options))
    y = _by_channel(m, x, W, **options)
    if y is None:
        y = m.emit("conv2d", x, W, **options)
    return m.squeeze(y, axes=(1,)) if name == "conv1d" else y


def _by_channel(
    m: Builder, x: Expr, W: Expr, stride: Any, pad: Any, dilation: Any, groups: int
) -> Expr | None:
    """Of each channel by itself: without products of matrices, which would have one column."""
    kh, kw, each, out = (a.size.value for a in W.shape)
    if kh is None or kw is None or each != 1 or out != groups or groups == 1:
        return None
    if any(pad):
        x = m.pad(x, ((0, 0), *((p, p) for p in pad), (0, 0)))
    windows = m.emit("windows", x, sides=(kh, kw), stride=stride, dilation=dilation)
    kernel = m.emit("reshape", W, shape=(windows.shape[0], W.shape[3]))
    y: Expr = m.emit("einsum", windows, kernel, operands=("knijc", "kc"), result="nijc")
    return y


def _conv2d(
    m: Builder,
    x: Value,
    W: Value,
    stride: Static = 1,
    pad: Static = 0,
    dilation: Static = 1,
    groups: Integer = 1,
) -> Expr:
    check_axes("conv2d", "images", "[N, H, W, C]", x)
    check_axes("conv2d", "a kernel", KERNELS["conv2d"], W)
    return _convolved(m, "conv2d", x, W, _options("conv2d", stride, pad, dilation, groups))


def _conv1d(
    m: Builder,
    x: Value,
    W: Value,
    stride: Integer = 1,
    pad: Integer = 0,
    dilation: Integer = 1,
    groups: Integer = 1,
) -> Expr:
    """A convolution of images of one row."""
    check_axes("conv1d", "rows", "[N, L, C]", x)
    check_axes("conv1d", "a kernel", KERNELS["conv1d"], W)
    options = _options("conv1d", stride, pad, dilation, groups)
    along = {k: (DEFAULTS[k][0], v[1]) for k, v in options.items() if k != "groups"}
    return _convolved(m, "conv1d", x, W, {**along, "groups": groups})


def _conv_transpose2d(
    m: Builder,
    x: Value,
    W: Value,
    stride: Static = 1,
    pad: Static = 0,
    dilation: Static = 1,
    groups: Integer = 1,
    output_pad: Static = 0,
) -> Expr:
    """The images have the least size that conv2d makes of size x, and `output_pad` more."""
    name = "conv_transpose2d"
    check_axes(name, "images", "[N, H, W, C]", x)
    check_axes(name, "a kernel", KERNELS[name], W)
    options = _options(name, stride, pad, dilation, groups)
    _check_channels(name, x.shape[-1], W.shape[-1].size, W, groups)
    extra = pair(name, "output_pad", output_pad, 0)
    sides = []
    rows = zip(x.shape[1:3], W.shape[:2], extra, *(options[k] for k in list(options)[:3]))
    for axis, window, more, step, around, distance in rows:
        if more >= step:
            raise Problem("BP235", more=more, stride=step)
        least = size(step) * (axis.size - size(1)) + size(distance) * (window.size - size(1))
        sides.append(Axis(least + size(more + 1 - 2 * around)))
    x, W = m.real(x), m.real(W)
    refuse(name, _transpose_needs(x.type, W.type, tuple(sides), **options))
    return m.emit(name, x, W, sides=tuple(sides), **options)


array(
    "conv1d",
    "Rows [N, L, C] convolved with a kernel [k, C/groups, out]; options are numbers.",
    call=_conv1d,
    group="networks",
    cases=(
        (((2, 5, 3), (2, 3, 4)), {}),
        (((2, 7, 4), (3, 2, 6)), {"stride": 2, "pad": 1, "dilation": 2, "groups": 2}),
    ),
)
array(
    "conv2d",
    "Images [N, H, W, C] convolved with a kernel [kh, kw, C/groups, out] (the "
    "cross-correlation, as in PyTorch); stride, pad, dilation are numbers or pairs.",
    linear=True,
    mixes=lambda x, W, **_: (1, 2, 3),
    rows=moves({(0, None): 0, (None, 3): 3, (3, 2): SUM}),
    call=_conv2d,
    group="networks",
    infer=_conv2d_type,
    vjp=_conv2d_vjp,
    flops=lambda out, x, W, **options: _multiplied(out, W.shape[:3]),
    scratch=_conv2d_scratch,
    expand=_conv2d_parts,
    numpy=_spelled("_conv2d"),
    requires=_conv2d_needs,
    cases=(
        (((2, 5, 4, 3), (3, 2, 3, 4)), {}),
        (((2, 5, 6, 2), (3, 3, 2, 2)), {"stride": 2, "pad": 1}),
        (((1, 7, 6, 2), (2, 3, 2, 2)), {"stride": (3, 2), "pad": (0, 2), "dilation": (2, 1)}),
        (((2, 4, 4, 4), (2, 3, 2, 6)), {"groups": 2}),
        (((2, 4, 4, 4), (2, 3, 2, 2)), {"groups": 2}),
        (((2, 4, 5, 3), (2, 2, 1, 6)), {"groups": 3, "stride": 2, "dilation": (1, 2), "pad": 1}),
        (((2, 3, 3, 2), (1, 1, 2, 3)), {"pad": (1, 0)}),
        (((2, 5, 4, 3), (2, 3, 1, 3)), {"groups": 3, "pad": 1, "dilation": (2, 1)}),
    ),
)
array(
    "conv_transpose2d",
    "The adjoint of conv2d: images [N, H, W, C] each of whose entries adds the kernel "
    "[kh, kw, out/groups, C]; `output_pad`, less than the stride, makes the result larger.",
    linear=True,
    mixes=lambda x, W, **_: (1, 2, 3),
    rows=moves({(0, None): 0, (None, 2): 3, (3, 3): SUM}),
    call=_conv_transpose2d,
    group="networks",
    infer=_transpose_type,
    vjp=_transpose_vjp,
    flops=lambda out, y, W, **options: _multiplied(y, W.shape[:3]),
    scratch=_transpose_scratch,
    expand=_transpose_parts,
    numpy=_spelled("_conv_transpose2d"),
    requires=_transpose_needs,
    cases=(
        (((2, 3, 4, 3), (3, 2, 4, 3)), {}),
        (((2, 3, 2, 2), (3, 3, 2, 2)), {"stride": 2, "pad": 1, "output_pad": 1}),
        (((1, 2, 3, 2), (2, 3, 2, 2)), {"stride": (3, 2), "pad": (0, 2), "output_pad": (2, 1)}),
        (((2, 3, 2, 6), (2, 3, 2, 6)), {"groups": 2, "dilation": (2, 1)}),
    ),
)
internal(
    "conv2d_kernel",
    "Images x times the images y that a convolution makes of them, for each entry of its kernel.",
    linear=True,
    rows=moves({(0, 0): SUM, (3, None): 2, (None, 3): 3}),
    infer=_kernel_type,
    vjp=_kernel_vjp,
    flops=lambda out, x, y, **options: _multiplied(y, out.shape[:3]),
    scratch=lambda into, out, x, y, sides, **options: _window_bytes(
        x.type, y.type, sides, **options
    ),
    expand=_kernel_parts,
    numpy=_spelled("_conv2d_kernel"),
    requires=lambda x, y, sides, pad, dilation, **_: fit(x.shape[1:3], sides, pad, dilation),
)
