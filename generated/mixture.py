"""The gradient of mixture.bp, written by bpc 0.3.0 at -O1.

sha256 of mixture.bp:
2bd4df6b12930f6fd281b40a8726886a2bdcc9a5708f4c281aee56f401377e89
21 nodes + 3*D*D + 3*D + 3 parameters = 3*D*D + 3*D + 24 steps
cost: 6*D*D*N + 18*D*D + 9*D*N + 19*N + 23 flops
gradient: 18*D*D*N + 36*D*D + 21*D*N + 42*N + 42 flops (3.0 times)
peak: itemsize*(16*D*D + 12*D*N + 10*N + 3*D + 19) + D*D bytes
"""

import math

import numpy as np

PARAMS = {"weight": "real [K]", "centre": "real [K, D]", "root": "real [K, D, D]"}
INPUTS = {"x": "real [N, D]"}
OUTPUTS = {"share": "real [N, K]"}
_KEYS = tuple(PARAMS)
_TYPES = {
    "weight": ("real", (3,)),
    "centre": ("real", (3, "D")),
    "root": ("real", (3, "D", "D")),
    "x": ("real", ("N", "D")),
}


def forward(params, x):
    """The output share.

    params["weight"]  real [K]        of each cluster: its logarithm, up to a number added to all
    params["centre"]  real [K, D]
    params["root"]    real [K, D, D]  Cholesky's factor of each inverse covariance, see below
    x                 real [N, D]     the points
    """
    arrays, dims = _bind(params, {"x": x})
    return np.ascontiguousarray(_forward(*arrays, dims["D"]))


def cost(params, x):
    """The cost J, a float.

    params["weight"]  real [K]        of each cluster: its logarithm, up to a number added to all
    params["centre"]  real [K, D]
    params["root"]    real [K, D, D]  Cholesky's factor of each inverse covariance, see below
    x                 real [N, D]     the points
    """
    arrays, dims = _bind(params, {"x": x})
    _require(dims["N"] >= 1, "mean of no entries (mixture.bp:14)")
    return float(_cost(*arrays, dims["D"]))


def value_and_grad(params, x, out=None):
    """The cost J, a float, and its gradient, like params.

    params["weight"]  real [K]        of each cluster: its logarithm, up to a number added to all
    params["centre"]  real [K, D]
    params["root"]    real [K, D, D]  Cholesky's factor of each inverse covariance, see below
    x                 real [N, D]     the points
    out               dict            arrays for the derivatives; None makes them
    """
    arrays, dims = _bind(params, {"x": x})
    _require(dims["N"] >= 1, "mean of no entries (mixture.bp:14)")
    value, *results = _value_and_grad(*arrays, dims["N"], dims["D"])
    grads = dict(zip(PARAMS, map(np.ascontiguousarray, results)))
    return float(value), grads if out is None else _written(out, grads, arrays)


def init(seed=0, dtype=np.float64, *, D):
    """Fresh params, drawn in declared order."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise TypeError(f"dtype is {dtype}, expected float32 or float64")
    return {
        "weight": np.zeros(3, dtype),
        "centre": rng.normal(0.0, 1.0, (3, D)).astype(dtype),
        "root": np.zeros((3, D, D), dtype),
    }


def ravel(params):
    """All parameters as one float64 vector."""
    values, _ = _bind(params, {})
    return np.concatenate([np.ravel(v) for v in values], dtype=float)


def unravel(vector, *, D):
    """Params from a vector as `ravel` gives it."""
    shapes = {"weight": (3,), "centre": (3, D), "root": (3, D, D)}
    return _unravel(vector, shapes)


def _forward(weight, centre, root, x, D):
    dtype = weight.dtype
    # forward, left to right
    lower_eye = np.eye(D, dtype=dtype)  # mixture.bp:9
    lower = np.tril(root, k=-1) + np.exp(root) * lower_eye  # mixture.bp:9
    apart = np.einsum("nkd,kde->nke", x[:, None] - centre, lower)  # mixture.bp:10
    log_volume_sum = _sum(root * lower_eye, axis=(1, 2))  # mixture.bp:11
    log_volume = 1.8378770664093453 * (D / 2) - log_volume_sum  # mixture.bp:11
    log_p = (
        _log_softmax(weight) - log_volume - 0.5 * _sum(apart**2, axis=2)
    )  # mixture.bp:12
    share = _softmax(log_p)  # mixture.bp:15
    return share


def _cost(weight, centre, root, x, D):
    dtype = weight.dtype
    # forward, left to right
    lower_eye = np.eye(D, dtype=dtype)  # mixture.bp:9
    lower = np.tril(root, k=-1) + np.exp(root) * lower_eye  # mixture.bp:9
    apart = np.einsum("nkd,kde->nke", x[:, None] - centre, lower)  # mixture.bp:10
    log_volume_sum = _sum(root * lower_eye, axis=(1, 2))  # mixture.bp:11
    log_volume = 1.8378770664093453 * (D / 2) - log_volume_sum  # mixture.bp:11
    log_p = (
        _log_softmax(weight) - log_volume - 0.5 * _sum(apart**2, axis=2)
    )  # mixture.bp:12
    J = -_mean(_logsumexp(log_p, axis=1))  # mixture.bp:14
    return J


def _value_and_grad(weight, centre, root, x, N, D):
    dtype = weight.dtype
    # forward, left to right
    lower_exp = np.exp(root)  # mixture.bp:9
    lower_eye = np.eye(D, dtype=dtype)  # mixture.bp:9
    lower = np.tril(root, k=-1) + lower_exp * lower_eye  # mixture.bp:9
    apart_sub = x[:, None] - centre  # mixture.bp:10
    apart = np.einsum("nkd,kde->nke", apart_sub, lower)  # mixture.bp:10
    log_volume_sum = _sum(root * lower_eye, axis=(1, 2))  # mixture.bp:11
    log_volume = 1.8378770664093453 * (D / 2) - log_volume_sum  # mixture.bp:11
    log_p_log_softmax = _log_softmax(weight)  # mixture.bp:12
    log_p = (
        log_p_log_softmax - log_volume - 0.5 * _sum(apart**2, axis=2)
    )  # mixture.bp:12
    J = -_mean(_logsumexp(log_p, axis=1))  # mixture.bp:14
    # backward, right to left
    dJ_dJ = 1.0  # mixture.bp:14
    log_p_exp = _exp_less(log_p, _shift(log_p, 1, finite=True))  # mixture.bp:14
    log_p_sum = _sum(log_p_exp, axis=1, keepdims=True)  # mixture.bp:14
    dJ_dlog_p = (
        -1.0 / N * (log_p_exp / (log_p_sum + (log_p_sum == 0.0)))
    )  # mixture.bp:14
    dJ_dlog_p_sub = _sum(dJ_dlog_p, axis=0)  # mixture.bp:12
    dJ_dapart = 2.0 * ((-0.5 * dJ_dlog_p)[:, :, None] * apart)  # mixture.bp:12
    dJ_dlog_volume = -dJ_dlog_p_sub  # mixture.bp:12
    weight_sum = _sum(dJ_dlog_p_sub, keepdims=True)  # mixture.bp:12
    dJ_dweight = dJ_dlog_p_sub - np.exp(log_p_log_softmax) * weight_sum  # mixture.bp:12
    dJ_dlower = np.einsum("nke,nkd->kde", dJ_dapart, apart_sub)  # mixture.bp:10
    dJ_dapart_broadcast = -np.einsum("nke,kde->nkd", dJ_dapart, lower)  # mixture.bp:10
    dJ_dcentre = _sum(dJ_dapart_broadcast, axis=0)  # mixture.bp:10
    dJ_droot = (
        (-dJ_dlog_volume)[:, None, None] * lower_eye
        + dJ_dlower * lower_eye * lower_exp
        + np.tril(dJ_dlower, k=-1)
    )  # mixture.bp:9
    return J, dJ_dweight, dJ_dcentre, dJ_droot


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


def _log_softmax(x, axis=-1):
    """x - log(sum(exp(x))), shifted by the maximum so that nothing overflows."""
    z = x - x.max(axis, keepdims=True, initial=-np.inf)
    return z - np.log(_sum(np.exp(z), axis, True))


def _at_place(x, places, out=None):
    """Entries by their places, counted through all rows."""
    return x.reshape(-1).take(places, None, out, "clip")


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
# 2204f8eb984a20b92545b12e28e5244437f326dae0155d6101b9cf5fba276278
