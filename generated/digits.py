"""The gradient of digits.bp, written by bpc 0.3.0 at -O1.

sha256 of digits.bp:
66e50225e87bdcf641f5cb4f120a75bf0ef60153dd28ff8ca210089585b3cd79
7 nodes + 4810 parameters = 4817 steps
cost: 9661*N flops
gradient: 20695*N flops (2.1 times)
peak: itemsize*(212*N + 650) + 64*N bytes
"""

import numpy as np

PARAMS = {
    "W1": "real [64, H]",
    "b1": "real [H]",
    "W2": "real [H, 10]",
    "b2": "real [10]",
}
INPUTS = {"x": "real [N, 64]", "label": "int [N]"}
OUTPUTS = {"p": "real [N, 10]"}
_KEYS = tuple(PARAMS)
_TYPES = {
    "W1": ("real", (64, 64)),
    "b1": ("real", (64,)),
    "W2": ("real", (64, 10)),
    "b2": ("real", (10,)),
    "x": ("real", ("N", 64)),
    "label": ("int", ("N",)),
}


def forward(params, x):
    """The output p.

    params["W1"]  real [64, H]
    params["b1"]  real [H]
    params["W2"]  real [H, 10]
    params["b2"]  real [10]
    x             real [N, 64]
    """
    arrays, _ = _bind(params, {"x": x})
    return np.ascontiguousarray(_forward(*arrays))


def cost(params, x, label):
    """The cost J, a float.

    params["W1"]  real [64, H]
    params["b1"]  real [H]
    params["W2"]  real [H, 10]
    params["b2"]  real [10]
    x             real [N, 64]
    label         int [N]
    """
    arrays, dims = _bind(params, {"x": x, "label": label})
    _require(dims["N"] >= 1, "mean of no entries (digits.bp:13)")
    return float(_cost(*arrays))


def value_and_grad(params, x, label, out=None):
    """The cost J, a float, and its gradient, like params.

    params["W1"]  real [64, H]
    params["b1"]  real [H]
    params["W2"]  real [H, 10]
    params["b2"]  real [10]
    x             real [N, 64]
    label         int [N]
    out           dict          arrays for the derivatives; None makes them
    """
    arrays, dims = _bind(params, {"x": x, "label": label})
    _require(dims["N"] >= 1, "mean of no entries (digits.bp:13)")
    value, *results = _value_and_grad(*arrays, dims["N"])
    grads = dict(zip(PARAMS, map(np.ascontiguousarray, results)))
    return float(value), grads if out is None else _written(out, grads, arrays)


def init(seed=0, dtype=np.float64):
    """Fresh params, drawn in declared order."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise TypeError(f"dtype is {dtype}, expected float32 or float64")
    return {
        "W1": rng.normal(0.0, (2 / 64) ** 0.5, (64, 64)).astype(dtype),
        "b1": np.zeros(64, dtype),
        "W2": rng.normal(0.0, (2 / 74) ** 0.5, (64, 10)).astype(dtype),
        "b2": np.zeros(10, dtype),
    }


def ravel(params):
    """All parameters as one float64 vector."""
    values, _ = _bind(params, {})
    return np.concatenate([np.ravel(v) for v in values], dtype=float)


def unravel(vector):
    """Params from a vector as `ravel` gives it."""
    shapes = {"W1": (64, 64), "b1": (64,), "W2": (64, 10), "b2": (10,)}
    return _unravel(vector, shapes)


def _forward(W1, b1, W2, b2, x):
    # forward, left to right
    h = np.maximum(x @ W1 + b1, 0.0)  # digits.bp:11
    logits = h @ W2 + b2  # digits.bp:12
    p = _softmax(logits)  # digits.bp:14
    return p


def _cost(W1, b1, W2, b2, x, label):
    # forward, left to right
    h = np.maximum(x @ W1 + b1, 0.0)  # digits.bp:11
    logits = h @ W2 + b2  # digits.bp:12
    J = _mean(_cross_entropy(logits, label))  # digits.bp:13
    return J


def _value_and_grad(W1, b1, W2, b2, x, label, N):
    # forward, left to right
    h = np.maximum(x @ W1 + b1, 0.0)  # digits.bp:11
    logits = h @ W2 + b2  # digits.bp:12
    J = _mean(_cross_entropy(logits, label))  # digits.bp:13
    # backward, right to left
    dJ_dJ = 1.0  # digits.bp:13
    dJ_dlogits = _cross_entropy_slope(logits, label) / N  # digits.bp:13
    dJ_db2 = _sum(dJ_dlogits, axis=0)  # digits.bp:12
    dJ_dh = dJ_dlogits @ W2.T  # digits.bp:12
    dJ_dW2 = h.T @ dJ_dlogits  # digits.bp:12
    dJ_dh_add = np.where(h > 0.0, dJ_dh, 0.0)  # digits.bp:11
    dJ_db1 = _sum(dJ_dh_add, axis=0)  # digits.bp:11
    dJ_dW1 = x.T @ dJ_dh_add  # digits.bp:11
    return J, dJ_dW1, dJ_db1, dJ_dW2, dJ_db2


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
# 0ee6fb95a2c2d8d72c783911e98f73112e52481d7e2665231df5f88a86d7bfb0
