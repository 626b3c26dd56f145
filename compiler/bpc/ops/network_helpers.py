"""Helpers of network operators that a generated NumPy module carries, as helpers.py has others."""

import numpy as np

from bpc.ops.helpers import _mean


def _sliding(x, size, stride=(1, 1), pad=(0, 0), dilation=(1, 1)):
    """The windows of images [N, H, W, C], as a view [N, rows, columns, C, kh, kw]."""
    if any(pad):
        x = np.pad(x, ((0, 0), (pad[0], pad[0]), (pad[1], pad[1]), (0, 0)))
    (sh, sw), (dh, dw) = stride, dilation
    reach = (dh * (size[0] - 1) + 1, dw * (size[1] - 1) + 1)
    views = np.lib.stride_tricks.sliding_window_view(x, reach, (1, 2))
    return views[:, ::sh, ::sw, :, ::dh, ::dw]


def _overlap(x, parts, size, stride=(1, 1), dilation=(1, 1)):
    """Add to the images x one part [N, rows, columns, C] for each place in the window."""
    (sh, sw), (dh, dw) = stride, dilation
    for (i, j), part in zip(np.ndindex(size), parts):
        rows, columns = part.shape[1:3]
        x[:, i * dh :: sh, j * dw :: sw][:, :rows, :columns] += part


def _padded(x, widths, value, out):
    """x framed by a value."""
    out.fill(value)
    inner = zip(widths, x.shape)
    out[tuple(slice(before, before + n) for (before, _), n in inner)] = x
    return out


def _by_group(x, groups):
    """The last axis in groups, all others as rows: [groups, rows, channels of a group]."""
    rows, columns = int(np.prod(x.shape[:-1])), x.shape[-1] // groups
    return x.reshape(rows, groups, columns).swapaxes(0, 1)


def _window_rows(views, groups):
    """Each window of each group as a row, [groups, N * rows * columns, kh * kw * C / groups]."""
    n, rows, columns, channels, kh, kw = views.shape
    each = channels // groups
    split = views.reshape(n, rows, columns, groups, each, kh, kw)
    order = split.transpose(3, 0, 1, 2, 5, 6, 4)
    return order.reshape(groups, n * rows * columns, kh * kw * each)


def _conv2d(x, W, stride=(1, 1), pad=(0, 0), dilation=(1, 1), groups=1):
    """Images [N, H, W, C] times a kernel [kh, kw, C / groups, out] at each place of it."""
    views = _sliding(x, W.shape[:2], stride, pad, dilation)
    y = _window_rows(views, groups) @ _by_group(W, groups)
    return y.swapaxes(0, 1).reshape(*views.shape[:3], W.shape[-1])


def _conv_transpose2d(y, W, size, stride=(1, 1), pad=(0, 0), dilation=(1, 1), groups=1):
    """Images of a size to which each entry of y adds the kernel: from _conv2d back to x."""
    (n, rows, columns, _), (kh, kw, each, _) = y.shape, W.shape
    (ph, pw), channels = pad, groups * each
    x = np.zeros((n, size[0] + 2 * ph, size[1] + 2 * pw, channels), y.dtype)
    y = _by_group(y, groups)
    places = (_by_group(W[i, j], groups) for i, j in np.ndindex(kh, kw))
    parts = (y @ place.swapaxes(1, 2) for place in places)
    parts = (p.swapaxes(0, 1).reshape(n, rows, columns, channels) for p in parts)
    _overlap(x, parts, (kh, kw), stride, dilation)
    return x[:, ph : ph + size[0], pw : pw + size[1]]


def _conv2d_kernel(x, y, size, stride=(1, 1), pad=(0, 0), dilation=(1, 1), groups=1):
    """The kernel to which each window of x adds itself times y: from _conv2d back to W."""
    rows = _window_rows(_sliding(x, size, stride, pad, dilation), groups)
    W = rows.swapaxes(1, 2) @ _by_group(y, groups)
    return W.swapaxes(0, 1).reshape(*size, x.shape[-1] // groups, y.shape[-1])


def _windows(x, size, stride, dilation=(1, 1)):
    """The windows of images [N, H, W, C], place by place: [kh * kw, N, rows, columns, C]."""
    views = _sliding(x, size, stride, (0, 0), dilation).transpose(4, 5, 0, 1, 2, 3)
    return views.reshape(size[0] * size[1], *views.shape[2:])


def _unwindows(y, shape, size, stride, dilation=(1, 1)):
    """Images to which each window is added: from _windows back to x."""
    x = np.zeros(shape, y.dtype)
    _overlap(x, y, size, stride, dilation)
    return x


def _lay_windows(parts, shape, size, stride, dilation=(1, 1), out=None):
    """Images to which one part is added for each place in the window."""
    apart = dilation == (1, 1) and stride[0] >= size[0] and stride[1] >= size[1]
    if out is None:
        out = np.empty(shape, parts[0].dtype)
    rows, columns = parts[0].shape[1:3]
    if not apart or size != stride or (rows * size[0], columns * size[1]) != shape[1:3]:
        out.fill(0.0)
    if not apart:
        _overlap(out, parts, size, stride, dilation)
        return out
    for (i, j), part in zip(np.ndindex(size), parts):
        out[:, i :: stride[0], j :: stride[1]][:, :rows, :columns] = part
    return out


def _window_columns(x, size, stride=(1, 1), dilation=(1, 1), out=None):
    """For each place in the window that entry of all: images [C, H, W, N] to [kh * kw * C, ...]."""
    channels, n = x.shape[0], x.shape[3]
    sides = zip(x.shape[1:3], size, stride, dilation)
    rows, columns = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in sides]
    channel, down, across, image = x.strides
    shape = (*size, channels, rows, columns, n)
    places = (down * dilation[0], across * dilation[1])
    steps = (*places, channel, down * stride[0], across * stride[1], image)
    views = np.lib.stride_tricks.as_strided(x, shape, steps, writeable=False)
    if out is None:
        out = np.empty((size[0] * size[1] * channels, rows, columns, n), x.dtype)
    np.copyto(out.reshape(shape), views)
    return out


def _add_window_columns(parts, shape, size, stride=(1, 1), dilation=(1, 1), out=None):
    """Images of a shape to which each window is added: from _window_columns back."""
    if out is None:
        out = np.empty(shape, parts.dtype)
    out.fill(0.0)
    _, rows, columns, n = parts.shape
    parts = parts.reshape(*size, shape[0], rows, columns, n)
    for i, j in np.ndindex(*size):
        at = out[:, i * dilation[0] :: stride[0], j * dilation[1] :: stride[1]]
        at = at[:, :rows, :columns]
        at += parts[i, j]
    return out


def _past(scores):
    """The scores of keys up to the query's own place, -inf for later ones."""
    seen = np.tri(*scores.shape[-2:], dtype=np.bool_)
    return np.where(seen, scores, -np.inf)


def _seed(rng):
    """A seed for all masks of a call; None, so that nothing is dropped, without rng."""
    if rng is None:
        return None
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng is {type(rng)}, expected a NumPy Generator")
    return int(rng.integers(2**63))


def _mask(seed, number, shape, rate, dtype):
    """1 / (1 - rate) where an entry stays, 0 where it is dropped; without a seed all stay."""
    if seed is None:
        return np.ones(shape, dtype)
    drawn = np.random.default_rng((seed, number)).random(shape, np.float32)
    return (drawn >= rate).astype(dtype) / (1.0 - rate)


def _root_mean_square(x, eps, axis):
    """The root of the mean square plus eps, with axes of size 1 for those that go."""
    return np.sqrt(_mean(x * x, axis, True) + eps)


def _normalise_slope(g, y, s, axis):
    """From the adjoint g of y = x / s, where s is the root mean square of x, that of x."""
    return (g - y * _mean(g * y, axis, True)) / s
