"""What the network functions compute, by loops over places: the reference of tests/test_ops.py."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import special

Pair = tuple[int, int]


def pair(value: Any) -> Pair:
    return (value, value) if isinstance(value, int) else value


def windows(h: int, w: int, size: Pair, stride: Pair, dilation: Pair = (1, 1)) -> Iterator[Any]:
    """Each place of a window on an image, and its slices of the image."""
    reach = [d * (k - 1) + 1 for k, d in zip(size, dilation)]
    rows, columns = ((n - r) // s + 1 for n, r, s in zip((h, w), reach, stride))
    for i, j in itertools.product(range(rows), range(columns)):
        top, left = i * stride[0], j * stride[1]
        across = slice(left, left + reach[1], dilation[1])
        yield (slice(None), i, j), (slice(None), slice(top, top + reach[0], dilation[0]), across)


def conv2d(
    x: Any, W: Any, stride: Any = 1, pad: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    stride, (p, q), dilation = pair(stride), pair(pad), pair(dilation)
    x = np.pad(x, ((0, 0), (p, p), (q, q), (0, 0)))
    if groups > 1:
        parts = zip(np.split(x, groups, -1), np.split(W, groups, -1))
        return np.concatenate([conv2d(a, b, stride, 0, dilation) for a, b in parts], -1)
    places = list(windows(*x.shape[1:3], W.shape[:2], stride, dilation))
    rows, columns = places[-1][0][1] + 1, places[-1][0][2] + 1
    y = np.zeros((len(x), rows, columns, W.shape[-1]))
    for place, window in places:
        y[place] = np.einsum("nijc,ijco->no", x[window], W)
    return y


def conv1d(
    x: Any, W: Any, stride: int = 1, pad: int = 0, dilation: int = 1, groups: int = 1
) -> Any:
    y = conv2d(x[:, :, None], W[:, None], (stride, 1), (pad, 0), (dilation, 1), groups)
    return y[:, :, 0]


def conv_transpose2d(
    x: Any, W: Any, stride: Any = 1, pad: Any = 0, dilation: Any = 1, groups: int = 1,
    output_pad: Any = 0,
) -> Any:  # fmt: skip
    stride, (p, q), dilation = pair(stride), pair(pad), pair(dilation)
    if groups > 1:
        options = (stride, pad, dilation, 1, output_pad)
        parts = zip(np.split(x, groups, -1), np.split(W, groups, -1))
        return np.concatenate([conv_transpose2d(a, b, *options) for a, b in parts], -1)
    h, w = (
        s * (n - 1) + d * (k - 1) + 1 + extra
        for s, n, d, k, extra in zip(stride, x.shape[1:3], dilation, W.shape[:2], pair(output_pad))
    )
    y = np.zeros((len(x), h, w, W.shape[2]))
    for place, window in windows(h, w, W.shape[:2], stride, dilation):
        y[window] += np.einsum("no,ijco->nijc", x[place], W)
    return y[:, p : h - p, q : w - q]


def pool(reduce: Any, around: float) -> Callable[..., Any]:
    def value(x: Any, size: Any, stride: Any = None, pad: Any = 0) -> Any:
        size = pair(size)
        p, q = pair(pad)
        x = np.pad(x, ((0, 0), (p, p), (q, q), (0, 0)), constant_values=around)
        places = list(windows(*x.shape[1:3], size, pair(stride or size)))
        y = np.zeros((len(x), places[-1][0][1] + 1, places[-1][0][2] + 1, x.shape[-1]))
        for place, window in places:
            y[place] = reduce(x[window], axis=(1, 2))
        return y

    return value


def layer_norm(x: Any, gain: Any, bias: Any, eps: float = 1e-5) -> Any:
    return gain * (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps) + bias


def batch_norm(
    x: Any, gain: Any, bias: Any, mean: Any = None, var: Any = None, eps: float = 1e-5
) -> Any:
    if mean is not None:
        return gain * (x - mean) / np.sqrt(var + eps) + bias
    rows = x.reshape(-1, x.shape[-1])
    mean, var = rows.mean(0), rows.var(0)
    return batch_norm(x, gain, bias, mean, var, eps), mean, var


def group_norm(x: Any, gain: Any, bias: Any, groups: int, eps: float = 1e-5) -> Any:
    parts = []
    for part in np.split(x, groups, -1):
        axes = tuple(range(1, x.ndim))
        deviation = np.sqrt(part.var(axes, keepdims=True) + eps)
        parts.append((part - part.mean(axes, keepdims=True)) / deviation)
    return gain * np.concatenate(parts, -1) + bias


def attention(q: Any, k: Any, v: Any, causal: bool = False) -> Any:
    scores = np.einsum("...td,...sd->...ts", q, k) / np.sqrt(q.shape[-1])
    if causal:
        later = np.arange(k.shape[-2]) > np.arange(q.shape[-2])[:, None]
        scores = np.where(later, -np.inf, scores)
    return special.softmax(scores, -1) @ v


REFERENCE: dict[str, Callable[..., Any]] = {
    "conv1d": conv1d, "conv2d": conv2d, "conv_transpose2d": conv_transpose2d,
    "max_pool2d": pool(np.max, -np.inf), "avg_pool2d": pool(np.mean, 0.0),
    "layer_norm": layer_norm, "batch_norm": batch_norm, "group_norm": group_norm,
    "rms_norm": lambda x, gain, eps=1e-5: gain * x / np.sqrt((x**2).mean(-1, keepdims=True) + eps),
    "attention": attention, "dropout": lambda x, rate: x,
}  # fmt: skip
