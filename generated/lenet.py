"""The gradient of lenet.bp, written by bpc 0.3.0 at -O1.

sha256 of lenet.bp:
e9542a7b7efc9df59d947274d904e471e3d46299a70f231a86b4d7ca609a8de5
19 nodes + 13706 parameters = 13725 steps
cost: 188605*N flops
gradient: 549911*N flops (2.9 times)
peak: itemsize*(11000*N + 13706) bytes
"""

import numpy as np

PARAMS = {
    "conv1.W": "real [3, 3, 1, F1]",
    "conv1.b": "real [F1]",
    "conv2.W": "real [3, 3, 16, F2]",
    "conv2.b": "real [F2]",
    "hidden.W": "real [128, 64]",
    "hidden.b": "real [64]",
    "head.W": "real [64, C]",
    "head.b": "real [C]",
}
INPUTS = {"image": "real [N, 8, 8, 1]", "label": "int [N]"}
OUTPUTS = {"p": "real [N, C]"}
_KEYS = tuple(PARAMS)
_TYPES = {
    "conv1.W": ("real", (3, 3, 1, 16)),
    "conv1.b": ("real", (16,)),
    "conv2.W": ("real", (3, 3, 16, 32)),
    "conv2.b": ("real", (32,)),
    "hidden.W": ("real", (128, 64)),
    "hidden.b": ("real", (64,)),
    "head.W": ("real", (64, 10)),
    "head.b": ("real", (10,)),
    "image": ("real", ("N", 8, 8, 1)),
    "label": ("int", ("N",)),
}


def forward(params, image):
    """The output p.

    params["conv1.W"]   real [3, 3, 1, F1]
    params["conv1.b"]   real [F1]
    params["conv2.W"]   real [3, 3, 16, F2]
    params["conv2.b"]   real [F2]
    params["hidden.W"]  real [128, 64]
    params["hidden.b"]  real [64]
    params["head.W"]    real [64, C]
    params["head.b"]    real [C]
    image               real [N, 8, 8, 1]    grey values from 0 to 1
    """
    arrays, dims = _bind(params, {"image": image})
    return np.ascontiguousarray(_forward(*arrays, dims["N"]))


def cost(params, image, label, rng=None):
    """The cost J, a float.

    params["conv1.W"]   real [3, 3, 1, F1]
    params["conv1.b"]   real [F1]
    params["conv2.W"]   real [3, 3, 16, F2]
    params["conv2.b"]   real [F2]
    params["hidden.W"]  real [128, 64]
    params["hidden.b"]  real [64]
    params["head.W"]    real [64, C]
    params["head.b"]    real [C]
    image               real [N, 8, 8, 1]    grey values from 0 to 1
    label               int [N]              what they show, 0 to C-1
    rng                 Generator            for dropout; None drops nothing
    """
    arrays, dims = _bind(params, {"image": image, "label": label})
    _require(dims["N"] >= 1, "mean of no entries (lenet.bp:14)")
    return float(_cost(*arrays, dims["N"], _seed(rng)))


def value_and_grad(params, image, label, rng=None, out=None):
    """The cost J, a float, and its gradient, like params.

    params["conv1.W"]   real [3, 3, 1, F1]
    params["conv1.b"]   real [F1]
    params["conv2.W"]   real [3, 3, 16, F2]
    params["conv2.b"]   real [F2]
    params["hidden.W"]  real [128, 64]
    params["hidden.b"]  real [64]
    params["head.W"]    real [64, C]
    params["head.b"]    real [C]
    image               real [N, 8, 8, 1]    grey values from 0 to 1
    label               int [N]              what they show, 0 to C-1
    rng                 Generator            for dropout; None drops nothing
    out                 dict                 arrays for the derivatives; None makes them
    """
    arrays, dims = _bind(params, {"image": image, "label": label})
    _require(dims["N"] >= 1, "mean of no entries (lenet.bp:14)")
    value, *results = _value_and_grad(*arrays, dims["N"], _seed(rng))
    grads = dict(zip(PARAMS, map(np.ascontiguousarray, results)))
    return float(value), grads if out is None else _written(out, grads, arrays)


def init(seed=0, dtype=np.float64):
    """Fresh params, drawn in declared order."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise TypeError(f"dtype is {dtype}, expected float32 or float64")
    return {
        "conv1.W": rng.normal(0.0, (2 / 9) ** 0.5, (3, 3, 1, 16)).astype(dtype),
        "conv1.b": np.zeros(16, dtype),
        "conv2.W": rng.normal(0.0, (2 / 144) ** 0.5, (3, 3, 16, 32)).astype(dtype),
        "conv2.b": np.zeros(32, dtype),
        "hidden.W": rng.normal(0.0, (2 / 192) ** 0.5, (128, 64)).astype(dtype),
        "hidden.b": np.zeros(64, dtype),
        "head.W": rng.normal(0.0, (2 / 74) ** 0.5, (64, 10)).astype(dtype),
        "head.b": np.zeros(10, dtype),
    }


def ravel(params):
    """All parameters as one float64 vector."""
    values, _ = _bind(params, {})
    return np.concatenate([np.ravel(v) for v in values], dtype=float)


def unravel(vector):
    """Params from a vector as `ravel` gives it."""
    shapes = {
        "conv1.W": (3, 3, 1, 16),
        "conv1.b": (16,),
        "conv2.W": (3, 3, 16, 32),
        "conv2.b": (32,),
        "hidden.W": (128, 64),
        "hidden.b": (64,),
        "head.W": (64, 10),
        "head.b": (10,),
    }
    return _unravel(vector, shapes)


def _forward(
    conv1_W, conv1_b, conv2_W, conv2_b, hidden_W, hidden_b, head_W, head_b, image, N
):
    # forward, left to right
    conv1 = _conv2d(image, conv1_W, pad=(1, 1)) + conv1_b  # nn.bp:19
    map1_windows = _windows(np.maximum(conv1, 0.0), (2, 2), (2, 2))  # lenet.bp:9
    map1 = map1_windows.max(axis=0)  # lenet.bp:9
    conv2 = _conv2d(map1, conv2_W, pad=(1, 1)) + conv2_b  # nn.bp:19
    map2_windows = _windows(np.maximum(conv2, 0.0), (2, 2), (2, 2))  # lenet.bp:10
    map2 = map2_windows.max(axis=0)  # lenet.bp:10
    h = np.maximum(map2.reshape(N, 128) @ hidden_W + hidden_b, 0.0)  # lenet.bp:11
    logits = h @ head_W + head_b  # lenet.bp:12
    p = _softmax(logits)  # lenet.bp:15
    return p


def _cost(
    conv1_W,
    conv1_b,
    conv2_W,
    conv2_b,
    hidden_W,
    hidden_b,
    head_W,
    head_b,
    image,
    label,
    N,
    seed,
):
    dtype = conv1_W.dtype
    # forward, left to right
    conv1 = _conv2d(image, conv1_W, pad=(1, 1)) + conv1_b  # nn.bp:19
    map1_windows = _windows(np.maximum(conv1, 0.0), (2, 2), (2, 2))  # lenet.bp:9
    map1 = map1_windows.max(axis=0)  # lenet.bp:9
    conv2 = _conv2d(map1, conv2_W, pad=(1, 1)) + conv2_b  # nn.bp:19
    map2_windows = _windows(np.maximum(conv2, 0.0), (2, 2), (2, 2))  # lenet.bp:10
    map2 = map2_windows.max(axis=0)  # lenet.bp:10
    hidden = map2.reshape(N, 128) @ hidden_W + hidden_b  # nn.bp:10
    h = np.maximum(hidden, 0.0) * _mask(seed, 1, (N, 64), 0.25, dtype)  # lenet.bp:11
    logits = h @ head_W + head_b  # lenet.bp:12
    J = _mean(_cross_entropy(logits, label))  # lenet.bp:14
    return J


def _value_and_grad(
    conv1_W,
    conv1_b,
    conv2_W,
    conv2_b,
    hidden_W,
    hidden_b,
    head_W,
    head_b,
    image,
    label,
    N,
    seed,
):
    dtype = conv1_W.dtype
    # forward, left to right
    conv1 = _conv2d(image, conv1_W, pad=(1, 1)) + conv1_b  # nn.bp:19
    map1_maximum = np.maximum(conv1, 0.0)  # lenet.bp:9
    map1_windows = _windows(map1_maximum, (2, 2), (2, 2))  # lenet.bp:9
    map1 = map1_windows.max(axis=0)  # lenet.bp:9
    conv2 = _conv2d(map1, conv2_W, pad=(1, 1)) + conv2_b  # nn.bp:19
    map2_maximum = np.maximum(conv2, 0.0)  # lenet.bp:10
    map2_windows = _windows(map2_maximum, (2, 2), (2, 2))  # lenet.bp:10
    map2 = map2_windows.max(axis=0)  # lenet.bp:10
    h_reshape = map2.reshape(N, 128)  # lenet.bp:11
    h_maximum = np.maximum(h_reshape @ hidden_W + hidden_b, 0.0)  # lenet.bp:11
    h_mask = _mask(seed, 1, (N, 64), 0.25, dtype)  # lenet.bp:11
    h = h_maximum * h_mask  # lenet.bp:11
    logits = h @ head_W + head_b  # lenet.bp:12
    J = _mean(_cross_entropy(logits, label))  # lenet.bp:14
    # backward, right to left
    dJ_dJ = 1.0  # lenet.bp:14
    dJ_dlogits = _cross_entropy_slope(logits, label) / N  # lenet.bp:14
    dJ_dhead_b = _sum(dJ_dlogits, axis=0)  # nn.bp:10
    dJ_dh = dJ_dlogits @ head_W.T  # nn.bp:10
    dJ_dhead_W = h.T @ dJ_dlogits  # nn.bp:10
    dJ_dhidden = np.where(h_maximum > 0.0, dJ_dh * h_mask, 0.0)  # lenet.bp:11
    dJ_dhidden_b = _sum(dJ_dhidden, axis=0)  # nn.bp:10
    dJ_dhidden_W = h_reshape.T @ dJ_dhidden  # nn.bp:10
    dJ_dmap2 = (dJ_dhidden @ hidden_W.T).reshape(N, 2, 2, 32)  # lenet.bp:11
    dJ_dmap2_windows = dJ_dmap2 * _tie_share(map2_windows, map2, axis=0)  # lenet.bp:10
    dJ_dmap2_maximum = _unwindows(
        dJ_dmap2_windows, (N, 4, 4, 32), (2, 2), (2, 2)
    )  # lenet.bp:10
    dJ_dconv2 = np.where(map2_maximum > 0.0, dJ_dmap2_maximum, 0.0)  # lenet.bp:10
    dJ_dconv2_b = _sum(dJ_dconv2, axis=(0, 1, 2))  # nn.bp:19
    dJ_dmap1 = _conv_transpose2d(dJ_dconv2, conv2_W, (4, 4), pad=(1, 1))  # nn.bp:19
    dJ_dconv2_W = _conv2d_kernel(map1, dJ_dconv2, (3, 3), pad=(1, 1))  # nn.bp:19
    dJ_dmap1_windows = dJ_dmap1 * _tie_share(map1_windows, map1, axis=0)  # lenet.bp:9
    dJ_dmap1_maximum = _unwindows(
        dJ_dmap1_windows, (N, 8, 8, 16), (2, 2), (2, 2)
    )  # lenet.bp:9
    dJ_dconv1 = np.where(map1_maximum > 0.0, dJ_dmap1_maximum, 0.0)  # lenet.bp:9
    dJ_dconv1_b = _sum(dJ_dconv1, axis=(0, 1, 2))  # nn.bp:19
    dJ_dconv1_W = _conv2d_kernel(image, dJ_dconv1, (3, 3), pad=(1, 1))  # nn.bp:19
    return (
        J,
        dJ_dconv1_W,
        dJ_dconv1_b,
        dJ_dconv2_W,
        dJ_dconv2_b,
        dJ_dhidden_W,
        dJ_dhidden_b,
        dJ_dhead_W,
        dJ_dhead_b,
    )


def _values(params):
    """The parameters in declared order; ValueError where a name is missing or unknown."""
    if not isinstance(params, dict):
        raise TypeError(f"params is {type(params)}, expected a dict")
    if tuple(params) == _KEYS:
        return params.values()
    wrong = [f"lacks {name}" for name in PARAMS if name not in params]
    wrong += [f"has the unknown {name}" for name in params if name not in PARAMS]
    if wrong:
        raise ValueError(f"params {', '.join(wrong)}")
    return [params[name] for name in PARAMS]


def _bind(params, inputs):
    """The arrays, parameters first, and the free dims; an error where one does not fit."""
    arrays, dims, numbers, dtype = [], {}, [], None
    for name, value in zip((*PARAMS, *inputs), (*_values(params), *inputs.values())):
        kind, shape = _TYPES[name]
        if type(value) is not np.ndarray:
            if kind == "real" and type(value) in (float, int) and shape == ():
                numbers.append(len(arrays))
                arrays.append(value)
                continue
            value = _array(name, value)
        if kind != "real":
            value = _of_kind(name, value, kind)
        elif value.dtype is not dtype:
            dtype = _float_type(name, value, dtype, params, inputs)
        if value.shape != shape:
            _fit(name, value, shape, dims)
        arrays.append(value)
    for i in numbers:
        arrays[i] = np.asarray(arrays[i], dtype or np.float64)
    return arrays, dims


def _array(name, value):
    """What is no plain array as one; TypeError where it is missing, or has a mask to lose."""
    if value is None:
        raise TypeError(f"missing the argument {name}")
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; give plain data, as its filled(0)")
    return np.asarray(value)


def _of_kind(name, value, kind):
    """An array of bools, or of ints in 64 bits; TypeError where it is of something else."""
    if value.dtype.kind not in {"int": "iu", "bool": "b"}[kind]:
        raise TypeError(f"{name} has dtype {value.dtype}, expected {kind}")
    return value.astype(np.int64, copy=False) if kind == "int" else value


def _float_type(name, value, dtype, params, inputs):
    """The float dtype that all real arguments share; TypeError where there is none."""
    if value.dtype not in (np.float32, np.float64):
        raise TypeError(f"{name} has dtype {value.dtype}, expected float32 or float64")
    if dtype is not None and value.dtype != dtype:
        named = {**params, **inputs}
        other = next(n for n in named if getattr(named[n], "dtype", None) == dtype)
        raise TypeError(
            f"{other} is {dtype} and {name} is {value.dtype}; give one float dtype"
        )
    return value.dtype


def _fit(name, value, shape, dims):
    """Bind the free dims of a shape, or raise ValueError where the value has another."""
    fits, before = len(value.shape) == len(shape), dict(dims)
    for have, want in zip(value.shape, shape):
        if isinstance(want, str):
            want = dims.setdefault(want, have)
        fits = fits and (want is None or have == want)
    if not fits:
        text = {**PARAMS, **INPUTS}[name].partition(" ")[2] or "a scalar"
        known = {want: before[want] for want in shape if want in before}
        for label, want in zip(text.strip("[]").split(", "), shape):
            if isinstance(want, int) and label != str(want):
                known[label] = want
        text += "".join(f", {dim} = {size}" for dim, size in known.items())
        raise ValueError(f"{name} has shape {value.shape}, expected {text}")


def _unravel(vector, shapes):
    """Arrays of the given shapes, cut from a vector one after the other."""
    vector = np.array(vector, float)
    params, start = {}, 0
    for name, shape in shapes.items():
        stop = start + int(np.prod(shape))
        params[name] = vector[start:stop]
        start = stop
    if vector.shape != (start,):
        raise ValueError(f"vector has shape {vector.shape}, expected ({start},)")
    return {name: part.reshape(shapes[name]).copy() for name, part in params.items()}


def _require(holds, message):
    """ValueError with a message where a condition on the sizes does not hold."""
    if not holds:
        raise ValueError(message)


def _sum(x, axis=None, keepdims=False, out=None):
    """The sum; many float32 are added up in float64, so that no digits are lost."""
    many = x.size > 4096 and x.dtype == np.float32
    if many and (axis is None or np.take(x.shape, axis).prod() > 64):
        total = np.add.reduce(x, axis, np.float64, out, keepdims=keepdims)
        return total if out is not None else total.astype(np.float32)
    return np.add.reduce(x, axis, None, out, keepdims=keepdims)


def _mean(x, axis=None, keepdims=False):
    """The mean, from a sum that loses no digits."""
    total = _sum(x, axis, keepdims)
    return total / (x.size / max(total.size, 1))


def _tie_share(x, top, axis=None, keepdims=False):
    """1 at the entries that equal the extremum, shared equally among several; 0 elsewhere."""
    ties = x == (top if keepdims or axis is None else np.expand_dims(top, axis))
    count = np.count_nonzero(ties, axis=axis, keepdims=True)
    return ties / np.maximum(count, 1).astype(x.dtype)


def _softmax(x, axis=-1):
    """exp(x) / sum(exp(x)), shifted by the maximum so that nothing overflows."""
    e = np.exp(x - x.max(axis, keepdims=True, initial=-np.inf))
    return e / _sum(e, axis, True)


def _log_softmax(x, axis=-1):
    """x - log(sum(exp(x))), shifted by the maximum so that nothing overflows."""
    z = x - x.max(axis, keepdims=True, initial=-np.inf)
    return z - np.log(_sum(np.exp(z), axis, True))


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


def _targets(out, names, shapes, dtype, arrays):
    """The arrays of `out` for some results, or fresh ones; an error where one does not fit."""
    if out is None:
        return [np.empty(shape, dtype) for shape in shapes]
    if not isinstance(out, dict):
        raise TypeError(f"out is {type(out)}, expected a dict")
    others = [*arrays]
    owners = {id(a if a.base is None else a.base) for a in arrays}
    for name, shape in zip(names, shapes):
        if name not in out:
            raise ValueError(f"out lacks {name}")
        target = out[name]
        fits = type(target) is np.ndarray and target.flags.carray
        if not fits or target.shape != shape or target.dtype != dtype:
            raise ValueError(
                f"out[{name!r}] must be a contiguous {dtype} array of shape {shape}"
            )
        owner = id(target if target.base is None else target.base)
        if owner in owners and any(np.may_share_memory(target, a) for a in others):
            raise ValueError(f"out[{name!r}] shares memory with another array")
        owners.add(owner)
        others.append(target)
    return [out[name] for name in names]


def _written(out, results, arrays):
    """`out` with the results in its arrays; an error before any is written where one does not fit."""
    shapes = [result.shape for result in results.values()]
    _targets(out, results, shapes, next(iter(results.values())).dtype, arrays)
    return _stored(out, results)


def _stored(out, results):
    """`out`, with results that do not stand there yet copied."""
    for name, result in results.items():
        if out[name] is not result:
            out[name][...] = result
    return out


# sha256 of the text above:
# 46182e9dc2c13f2a748e64a3f73ad166dbc5c8ad7b20b13547d6c1cc6c36e1ea
