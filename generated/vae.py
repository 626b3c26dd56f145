"""The gradient of vae.bp, written by bpc 0.3.0 at -O1.

sha256 of vae.bp:
e5eb945c0318dc8bbcd122f020e8ace1ee5f25f789004b8337295d245bc86bcb
27 nodes + 17476 parameters = 17503 steps
cost: 35035*N flops
gradient: 88435*N + 1 flops (2.5 times)
peak: itemsize*(916*N + 9156) + 256*N bytes
"""

import numpy as np

PARAMS = {
    "encoder.W": "real [64, H]",
    "encoder.b": "real [H]",
    "mu.W": "real [128, Z]",
    "mu.b": "real [Z]",
    "log_var.W": "real [128, Z]",
    "log_var.b": "real [Z]",
    "W1": "real [Z, H]",
    "b1": "real [H]",
    "W2": "real [H, 64]",
    "b2": "real [64]",
}
INPUTS = {"x": "real [N, 64]", "noise": "real [N, Z]"}
OUTPUTS = {"code": "real [N, Z]", "drawn": "real [N, 64]"}
_KEYS = tuple(PARAMS)
_TYPES = {
    "encoder.W": ("real", (64, 128)),
    "encoder.b": ("real", (128,)),
    "mu.W": ("real", (128, 2)),
    "mu.b": ("real", (2,)),
    "log_var.W": ("real", (128, 2)),
    "log_var.b": ("real", (2,)),
    "W1": ("real", (2, 128)),
    "b1": ("real", (128,)),
    "W2": ("real", (128, 64)),
    "b2": ("real", (64,)),
    "x": ("real", ("N", 64)),
    "noise": ("real", ("N", 2)),
}


def forward(params, x, noise):
    """A dict of code, drawn.

    params["encoder.W"]  real [64, H]
    params["encoder.b"]  real [H]
    params["mu.W"]       real [128, Z]
    params["mu.b"]       real [Z]
    params["log_var.W"]  real [128, Z]
    params["log_var.b"]  real [Z]
    params["W1"]         real [Z, H]
    params["b1"]         real [H]
    params["W2"]         real [H, 64]
    params["b2"]         real [64]
    x                    real [N, 64]   pixels from 0 to 1
    noise                real [N, Z]    standard normal; with zeros the code is its mean
    """
    arrays, _ = _bind(params, {"x": x, "noise": noise})
    results = _forward(*arrays)
    return dict(zip(OUTPUTS, map(np.ascontiguousarray, results)))


def cost(params, x, noise):
    """The cost J, a float.

    params["encoder.W"]  real [64, H]
    params["encoder.b"]  real [H]
    params["mu.W"]       real [128, Z]
    params["mu.b"]       real [Z]
    params["log_var.W"]  real [128, Z]
    params["log_var.b"]  real [Z]
    params["W1"]         real [Z, H]
    params["b1"]         real [H]
    params["W2"]         real [H, 64]
    params["b2"]         real [64]
    x                    real [N, 64]   pixels from 0 to 1
    noise                real [N, Z]    standard normal; with zeros the code is its mean
    """
    arrays, dims = _bind(params, {"x": x, "noise": noise})
    _require(dims["N"] >= 1, "mean of no entries (vae.bp:20)")
    return float(_cost(*arrays))


def value_and_grad(params, x, noise, out=None):
    """The cost J, a float, and its gradient, like params.

    params["encoder.W"]  real [64, H]
    params["encoder.b"]  real [H]
    params["mu.W"]       real [128, Z]
    params["mu.b"]       real [Z]
    params["log_var.W"]  real [128, Z]
    params["log_var.b"]  real [Z]
    params["W1"]         real [Z, H]
    params["b1"]         real [H]
    params["W2"]         real [H, 64]
    params["b2"]         real [64]
    x                    real [N, 64]   pixels from 0 to 1
    noise                real [N, Z]    standard normal; with zeros the code is its mean
    out                  dict           arrays for the derivatives; None makes them
    """
    arrays, dims = _bind(params, {"x": x, "noise": noise})
    _require(dims["N"] >= 1, "mean of no entries (vae.bp:20)")
    value, *results = _value_and_grad(*arrays, dims["N"])
    grads = dict(zip(PARAMS, map(np.ascontiguousarray, results)))
    return float(value), grads if out is None else _written(out, grads, arrays)


def init(seed=0, dtype=np.float64):
    """Fresh params, drawn in declared order."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise TypeError(f"dtype is {dtype}, expected float32 or float64")
    return {
        "encoder.W": rng.normal(0.0, (2 / 192) ** 0.5, (64, 128)).astype(dtype),
        "encoder.b": np.zeros(128, dtype),
        "mu.W": rng.normal(0.0, (2 / 130) ** 0.5, (128, 2)).astype(dtype),
        "mu.b": np.zeros(2, dtype),
        "log_var.W": rng.normal(0.0, (2 / 130) ** 0.5, (128, 2)).astype(dtype),
        "log_var.b": np.zeros(2, dtype),
        "W1": rng.normal(0.0, (2 / 2) ** 0.5, (2, 128)).astype(dtype),
        "b1": np.zeros(128, dtype),
        "W2": rng.normal(0.0, (2 / 192) ** 0.5, (128, 64)).astype(dtype),
        "b2": np.zeros(64, dtype),
    }


def ravel(params):
    """All parameters as one float64 vector."""
    values, _ = _bind(params, {})
    return np.concatenate([np.ravel(v) for v in values], dtype=float)


def unravel(vector):
    """Params from a vector as `ravel` gives it."""
    shapes = {
        "encoder.W": (64, 128),
        "encoder.b": (128,),
        "mu.W": (128, 2),
        "mu.b": (2,),
        "log_var.W": (128, 2),
        "log_var.b": (2,),
        "W1": (2, 128),
        "b1": (128,),
        "W2": (128, 64),
        "b2": (64,),
    }
    return _unravel(vector, shapes)


def _forward(
    encoder_W, encoder_b, mu_W, mu_b, log_var_W, log_var_b, W1, b1, W2, b2, x, noise
):
    # forward, left to right
    hidden = np.maximum(x @ encoder_W + encoder_b, 0.0)  # vae.bp:8
    mu = hidden @ mu_W + mu_b  # vae.bp:9
    log_var = hidden @ log_var_W + log_var_b  # vae.bp:10
    code = mu + np.exp(log_var / 2.0) * noise  # vae.bp:11
    drawn = _sigmoid(np.maximum(noise @ W1 + b1, 0.0) @ W2 + b2)  # vae.bp:22
    return code, drawn


def _cost(
    encoder_W, encoder_b, mu_W, mu_b, log_var_W, log_var_b, W1, b1, W2, b2, x, noise
):
    # forward, left to right
    hidden = np.maximum(x @ encoder_W + encoder_b, 0.0)  # vae.bp:8
    mu = hidden @ mu_W + mu_b  # vae.bp:9
    log_var = hidden @ log_var_W + log_var_b  # vae.bp:10
    code = mu + np.exp(log_var / 2.0) * noise  # vae.bp:11
    pixels_add = np.maximum(code @ W1 + b1, 0.0) @ W2 + b2  # vae.bp:15
    pixels = _sum(_bce_with_logits(pixels_add, x), axis=1)  # vae.bp:18
    place = 0.5 * _sum(np.exp(log_var) + mu**2 - 1.0 - log_var, axis=1)  # vae.bp:19
    J = _mean(pixels + place)  # vae.bp:20
    return J


def _value_and_grad(
    encoder_W, encoder_b, mu_W, mu_b, log_var_W, log_var_b, W1, b1, W2, b2, x, noise, N
):
    dtype = encoder_W.dtype
    # forward, left to right
    hidden = np.maximum(x @ encoder_W + encoder_b, 0.0)  # vae.bp:8
    mu = hidden @ mu_W + mu_b  # vae.bp:9
    log_var = hidden @ log_var_W + log_var_b  # vae.bp:10
    code_exp = np.exp(log_var / 2.0)  # vae.bp:11
    code = mu + code_exp * noise  # vae.bp:11
    pixels_maximum = np.maximum(code @ W1 + b1, 0.0)  # vae.bp:15
    pixels_add = pixels_maximum @ W2 + b2  # vae.bp:15
    pixels = _sum(_bce_with_logits(pixels_add, x), axis=1)  # vae.bp:18
    place_exp = np.exp(log_var)  # vae.bp:19
    place = 0.5 * _sum(place_exp + mu**2 - 1.0 - log_var, axis=1)  # vae.bp:19
    J = _mean(pixels + place)  # vae.bp:20
    # backward, right to left
    dJ_dJ = 1.0  # vae.bp:20
    broadcast = np.full((N,), 1.0 / N, dtype)  # vae.bp:20
    dJ_dplace = broadcast  # vae.bp:20
    place_sub_expand_dims = (0.5 * dJ_dplace)[:, None]  # vae.bp:19
    dJ_dpixels = broadcast  # vae.bp:20
    dJ_dpixels_add = dJ_dpixels[:, None] * (_sigmoid(pixels_add) - x)  # vae.bp:18
    dJ_db2 = _sum(dJ_dpixels_add, axis=0)  # vae.bp:15
    dJ_dW2 = pixels_maximum.T @ dJ_dpixels_add  # vae.bp:15
    dJ_dpixels_maximum = dJ_dpixels_add @ W2.T  # vae.bp:15
    gt = pixels_maximum > 0.0  # vae.bp:15
    dJ_dpixels_add_2 = np.where(gt, dJ_dpixels_maximum, 0.0)  # vae.bp:15
    dJ_db1 = _sum(dJ_dpixels_add_2, axis=0)  # vae.bp:15
    dJ_dcode = dJ_dpixels_add_2 @ W1.T  # vae.bp:15
    dJ_dW1 = code.T @ dJ_dpixels_add_2  # vae.bp:15
    dJ_dlog_var = (
        -place_sub_expand_dims
        + place_sub_expand_dims * place_exp
        + dJ_dcode * noise * code_exp / 2.0
    )  # vae.bp:11
    dJ_dlog_var_b = _sum(dJ_dlog_var, axis=0)  # nn.bp:10
    dJ_dlog_var_W = hidden.T @ dJ_dlog_var  # nn.bp:10
    dJ_dmu = 2.0 * (place_sub_expand_dims * mu) + dJ_dcode  # vae.bp:11
    dJ_dmu_b = _sum(dJ_dmu, axis=0)  # nn.bp:10
    dJ_dmu_W = hidden.T @ dJ_dmu  # nn.bp:10
    dJ_dhidden = dJ_dlog_var @ log_var_W.T + dJ_dmu @ mu_W.T  # nn.bp:10
    dJ_dencoder = np.where(hidden > 0.0, dJ_dhidden, 0.0)  # vae.bp:8
    dJ_dencoder_b = _sum(dJ_dencoder, axis=0)  # nn.bp:10
    dJ_dencoder_W = x.T @ dJ_dencoder  # nn.bp:10
    return (
        J,
        dJ_dencoder_W,
        dJ_dencoder_b,
        dJ_dmu_W,
        dJ_dmu_b,
        dJ_dlog_var_W,
        dJ_dlog_var_b,
        dJ_dW1,
        dJ_db1,
        dJ_dW2,
        dJ_db2,
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


@np.errstate(over="ignore")  # the result is 0 there
def _sigmoid(x, out=None):
    """1 / (1 + exp(-x))."""
    e = np.exp(np.negative(x, out), out)
    return np.divide(1.0, np.add(e, 1.0, out), out)


def _bce_with_logits(z, t):
    """log(1 + exp(z)) - z * t, never overflowing."""
    return np.maximum(z, 0.0) - z * t + np.log1p(np.exp(-np.abs(z)))


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
# 4a469b836de9c3a51efb25bbf46f62de98d1834af8335670199cc7c079116bb9
