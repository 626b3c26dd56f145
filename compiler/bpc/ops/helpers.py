"""Helpers that a generated NumPy module carries; the text of each goes there as it stands here."""

import math

import numpy as np


def _rows_product(a, b):
    """a.T @ b, all axes but the last taken as rows."""
    rows = math.prod(a.shape[:-1])
    return a.reshape(rows, a.shape[-1]).T @ b.reshape(rows, b.shape[-1])


def _power(x, n):
    """x**n for a whole n above 2, by squaring."""
    result = x if n % 2 else 1.0
    while n > 1:
        n, x = n // 2, x * x
        result = result * x if n % 2 else result
    return result


def _sum(x, axis=None, keepdims=False, out=None):
    """The sum; many float32 are added up in float64, so that no digits are lost."""
    many = x.size > 4096 and x.dtype == np.float32
    if many and (axis is None or np.take(x.shape, axis).prod() > 64):
        total = np.add.reduce(x, axis, np.float64, out, keepdims=keepdims)
        return total if out is not None else total.astype(np.float32)
    return np.add.reduce(x, axis, None, out, keepdims=keepdims)


def _stretched(x, out):
    """The entries laid out in memory; as they are where they are so many that NumPy is as quick."""
    if out.size > 8192:
        return x
    out[...] = x
    return out


def _mean(x, axis=None, keepdims=False):
    """The mean, from a sum that loses no digits."""
    total = _sum(x, axis, keepdims)
    return total / (x.size / max(total.size, 1))


def _centred(x, axis=None):
    """x minus its mean, twice: then equal entries give 0 exactly, and no digits are lost."""
    x = x - _mean(x, axis, True)
    return x - _mean(x, axis, True)


def _var(x, axis=None, keepdims=False):
    """The mean square of what deviates from the mean."""
    x = _centred(x, axis)
    return _mean(x * x, axis, keepdims)


def _std(x, axis=None, keepdims=False):
    """The square root of the variance."""
    return np.sqrt(_var(x, axis, keepdims))


def _norm(x, axis=None, keepdims=False):
    """The square root of the sum of squares."""
    return np.sqrt(_sum(x * x, axis, keepdims))


def _tie_share(x, top, axis=None, keepdims=False):
    """1 at the entries that equal the extremum, shared equally among several; 0 elsewhere."""
    ties = x == (top if keepdims or axis is None else np.expand_dims(top, axis))
    count = np.count_nonzero(ties, axis=axis, keepdims=True)
    return ties / np.maximum(count, 1).astype(x.dtype)


def _logsumexp(x, axis=None, keepdims=False):
    """log(sum(exp(x))), shifted by the maximum so that nothing overflows."""
    top = x.max(axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0.0)
    total = _sum(np.exp(x - top), axis, True)
    empty = total == 0.0
    result = np.where(empty, -np.inf, np.log(np.where(empty, 1.0, total)) + top)
    return result if keepdims else result.squeeze(axis)


def _softmax(x, axis=-1):
    """exp(x) / sum(exp(x)), shifted by the maximum so that nothing overflows."""
    e = np.exp(x - x.max(axis, keepdims=True, initial=-np.inf))
    return e / _sum(e, axis, True)


def _softmax_slope(g, y, axis=-1):
    """From the adjoint g of y = softmax(x), that of x."""
    return y * (g - _sum(g * y, axis, True))


def _log_softmax(x, axis=-1):
    """x - log(sum(exp(x))), shifted by the maximum so that nothing overflows."""
    z = x - x.max(axis, keepdims=True, initial=-np.inf)
    return z - np.log(_sum(np.exp(z), axis, True))


def _kept(x, mask, out):
    """x where the mask holds, 0 elsewhere: its bits times 0 or 1, whatever x is."""
    if out is x and out.size <= 512 and mask.shape == out.shape:
        out[~mask] = 0.0
        return out
    bits = np.int32 if out.dtype == np.float32 else np.int64
    np.multiply(np.asarray(x, out.dtype).view(bits), mask, out.view(bits))
    return out


def _chosen(mask, x, y, out):
    """x where the mask holds, y elsewhere, bit by bit; out may be x or y."""
    if out is y and not np.count_nonzero(mask):
        return out
    if out is y:
        mask, x, y = ~mask, y, x
    bits = np.int32 if out.dtype == np.float32 else np.int64
    x, y, whole = (np.asarray(a, out.dtype).view(bits) for a in (x, y, out))
    np.bitwise_xor(x, y, whole)
    np.multiply(whole, mask, whole)
    np.bitwise_xor(whole, y, whole)
    return out


@np.errstate(over="ignore")  # the result is 0 there
def _sigmoid(x, out=None):
    """1 / (1 + exp(-x))."""
    e = np.exp(np.negative(x, out), out)
    return np.divide(1.0, np.add(e, 1.0, out), out)


def _xlogy(x, y):
    """x * log(y), and 0 where x is 0."""
    zero = (x == 0.0) & ~np.isnan(y)
    return np.where(zero, 0.0, x * np.log(np.where(zero, 1.0, y)))


def _bce_with_logits(z, t):
    """log(1 + exp(z)) - z * t, never overflowing."""
    return np.maximum(z, 0.0) - z * t + np.log1p(np.exp(-np.abs(z)))


def _prod_others(x, axis):
    """For each entry the product of all the others along an axis, without division."""
    x = np.moveaxis(x, axis, 0)
    before, after = np.ones_like(x), np.ones_like(x)
    np.cumprod(x[:-1], 0, out=before[1:])
    np.cumprod(x[:0:-1], 0, out=after[-2::-1])
    return np.moveaxis(before * after, 0, axis).copy()


def _logdet(a):
    """log(det(a)), never overflowing; NaN where the determinant is negative."""
    sign, logarithm = np.linalg.slogdet(a)
    return np.where(sign < 0.0, np.nan, logarithm)


def _svd(a):
    """a = u @ (s[..., None] * w), det(u @ w), and where a is finite: else it counts as 0."""
    finite = np.isfinite(a).all((-2, -1), keepdims=True)
    u, s, w = np.linalg.svd(np.where(finite, a, 0.0))
    sign = np.sign(np.linalg.det(u) * np.linalg.det(w))
    return u, s, w, sign[..., None, None], finite


def _cofactor(a):
    """The derivative of det by each entry; by singular values: nothing is inverted."""
    u, s, w, sign, finite = _svd(a)
    minors = sign * _prod_others(s, -1)[..., None, :]
    return np.where(finite, (u * minors) @ w, np.nan)


def _cofactor_slope(a, v):
    """The derivative of the cofactors of a along v."""
    u, s, w, sign, finite = _svd(a)
    inner = u.swapaxes(-1, -2) @ v @ w.swapaxes(-1, -2)
    same = np.eye(a.shape[-1], dtype=bool)
    pairs = _prod_others(np.where(same, 1.0, s[..., None, :]), -1)
    pairs = np.where(same, 0.0, pairs)
    diagonal = pairs @ np.where(same, inner, 0.0).sum(-1)[..., None]
    slope = np.where(same, diagonal, -pairs * inner.swapaxes(-1, -2))
    return np.where(finite, sign * (u @ slope @ w), np.nan)


def _unslice(x, shape, index, out=None):
    """Zeros of a shape, with x in place of a slice."""
    if out is None:
        out = np.zeros(shape, x.dtype)
    else:
        out.fill(0.0)
    out[index] = x
    return out


def _overlaid(shape, first, *parts, out=None):
    """Zeros of a shape, to which values are added in place of slices."""
    index, x = first
    out = _unslice(x, shape, index, out)
    for index, x in parts:
        part = out[index]
        np.add(part, x, part)
    return out


def _scatter(x, shape, index):
    """Zeros of a shape, to which x is added where the index arrays point."""
    exact = x.size > 4096 and x.dtype == np.float32
    whole = np.zeros(shape, np.float64 if exact else x.dtype)
    np.add.at(whole, index, x.astype(whole.dtype, copy=False))
    return whole.astype(x.dtype, copy=False)


def _one_hot(label, classes, dtype):
    """1 at the label, 0 elsewhere, on a new last axis."""
    return (label[..., None] == np.arange(classes)).astype(dtype)


def _picked(scores, label, ignore):
    """scores[label] on the last axis; ValueError for a label that is out of range."""
    kept = label != ignore
    wrong = kept & ((label < 0) | (label >= scores.shape[-1]))
    if wrong.any():
        row = np.argwhere(wrong)[0]
        where = ", ".join(map(str, row))
        raise ValueError(
            f"label[{where}] is {label[tuple(row)]}, expected 0 to {scores.shape[-1] - 1}"
        )
    index = np.where(kept, label, 0)[..., None]
    return np.take_along_axis(scores, index, -1)[..., 0], kept


def _cross_entropy(logits, label, smoothing=0.0, ignore=-1):
    """-log softmax(logits)[label], and 0 where the label is to be ignored."""
    log_p = _log_softmax(logits)
    picked, kept = _picked(log_p, label, ignore)
    if smoothing:
        picked = (1.0 - smoothing) * picked + smoothing * log_p.mean(-1)
    return np.where(kept, -picked, 0.0)


def _cross_entropy_slope(logits, label, smoothing=0.0, ignore=-1):
    """The gradient of each row's cross entropy: softmax(logits) minus the target."""
    target = label[..., None] == np.arange(logits.shape[-1])
    if smoothing:
        target = (1.0 - smoothing) * target + smoothing / logits.shape[-1]
    slope = _softmax(logits) - target.astype(logits.dtype)
    return np.where((label == ignore)[..., None], 0.0, slope)


def _checked_label(label, classes, ignore):
    """Labels, 0 where they are ignored; ValueError for one that is out of range."""
    if not label.size or label.view(np.uint64).max() < classes:  # below 0 is large then
        return label
    kept = label != ignore
    wrong = kept & ((label < 0) | (label >= classes))
    if wrong.any():
        row = np.argwhere(wrong)[0]
        where = ", ".join(map(str, row))
        raise ValueError(
            f"label[{where}] is {label[tuple(row)]}, expected 0 to {classes - 1}"
        )
    return np.where(kept, label, 0)


def _at_place(x, places, out=None):
    """Entries by their places, counted through all rows."""
    return x.reshape(-1).take(places, None, out, "clip")


def _put_at(x, places, entries, ignored, out=None):
    """x with other entries at places, counted through all rows; 0 in ignored rows."""
    if out is None:
        out = np.empty(x.shape, x.dtype)
    np.copyto(out, x)
    out.reshape(-1)[places] = entries
    if np.count_nonzero(ignored):
        out[ignored] = 0.0
    return out


def _add_rows(x, ones, out=None):
    """The sum of the rows of x: of blocks, by products with ones, and of these in float64."""
    n = len(x)
    if n == len(ones) <= 64:
        return ones.dot(x, out)
    block = min(len(ones), 64 if x.dtype == np.float32 else 256)
    if n <= block:
        return ones[:n].dot(x, out)
    cut = n - n % block
    parts = np.matmul(ones[:block], x[:cut].reshape(-1, block, x.shape[1]))
    if cut < n:
        parts[0] += np.dot(ones[: n - cut], x[cut:])
    total = np.add.reduce(parts, 0, np.float64, out)
    return total if out is not None else total.astype(x.dtype, copy=False)


def _add_all(x, ones):
    """The sum of all entries of x; float32 in blocks, by products with ones, these in float64."""
    if x.size < 4096 or x.dtype != np.float32 or not x.flags.c_contiguous:
        return _sum(x)
    x, cut = x.reshape(-1), x.size - x.size % ones.size
    parts = x[:cut].reshape(-1, ones.size).dot(ones)
    total = np.add.reduce(parts, 0, np.float64) + np.add.reduce(x[cut:])
    return total.astype(np.float32)


def _sum_product(x, y):
    """The sum of the entries of x times those of y; float32 in blocks, these in float64."""
    x, y = x.reshape(-1), y.reshape(-1)
    if x.size <= 256 or x.dtype != np.float32:
        return x.dot(y)
    cut = x.size - x.size % 256
    parts = np.vecdot(x[:cut].reshape(-1, 256), y[:cut].reshape(-1, 256))
    total = np.add.reduce(parts, 0, np.float64) + x[cut:].dot(y[cut:])
    return total.astype(np.float32)


def _turned(x, out=None):
    """The last two axes swapped: 64 columns after the other, whose rows stay in the cache."""
    x = x.swapaxes(-1, -2)
    if out is None:
        out = np.empty(x.shape, x.dtype)
    for i in range(0, x.shape[-1], 64):
        np.copyto(out[..., i : i + 64], x[..., i : i + 64])
    return out


def _exp_less(x, shift, out=None):
    """exp(x - shift), in one sweep into memory that is there where the shift is 0."""
    if out is None or np.count_nonzero(shift):  # else the result has the shape of both
        x = np.subtract(x, shift, out)
    return np.exp(x, out)


def _shift(x, axis, finite=False, out=None):
    """What keeps exp(x - shift) in range: the largest along an axis, or 0 if no entry is large."""
    most = 64.0 if x.dtype == np.float32 else 512.0
    if x.size <= 1024:
        small = np.vdot(x, x) < most * most
    else:
        small = np.maximum.reduce(x, None) < most and np.minimum.reduce(x, None) > -most
    if small and out is not None:
        out.fill(0.0)
        return out
    out = _top(x, axis, out)
    if finite and not math.isfinite(np.vdot(out, out)):
        np.copyto(out, 0.0, where=~np.isfinite(out))
    return out


def _top(x, axis, out=None):
    """The largest entry along an axis that stays, -inf of none."""
    rows = x.size // max(x.shape[-1], 1)
    # The place of the largest is found faster where there are many short rows.
    if axis == x.ndim - 1 and x.shape[-1] > 4 and rows > 32:
        if out is None:
            out = np.empty((*x.shape[:-1], 1), x.dtype)
        places = x.argmax(-1, keepdims=True)
        places += np.arange(0, x.size, x.shape[-1]).reshape(places.shape)
        return _at_place(x, places, out)
    return np.maximum.reduce(x, axis, out=out, keepdims=True, initial=-np.inf)


def _nll(log_p, label):
    """-log_p[label]; ValueError for a label that is out of range."""
    return -_picked(log_p, label, None)[0]
