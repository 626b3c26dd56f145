"""The gradient of linear_regression.bp, written by bpc 0.3.0 at -O1.

sha256 of linear_regression.bp:
b18b90d838afbecee99a3d7ddbcb13934f0f996b7d5dab151169ec5178561488
5 nodes + D + 1 parameters = D + 6 steps
cost: 2*D*N + 4*N flops
gradient: 4*D*N + 7*N flops (2.0 times)
peak: itemsize*(3*N + D) bytes
"""

import numpy as np

PARAMS = {"w": "real [D]", "b": "real"}
INPUTS = {"x": "real [N, D]", "y": "real [N]"}
OUTPUTS = {"fit": "real [N]"}
_KEYS = tuple(PARAMS)
_TYPES = {
    "w": ("real", ("D",)),
    "b": ("real", ()),
    "x": ("real", ("N", "D")),
    "y": ("real", ("N",)),
}


def forward(params, x):
    """The output fit.

    params["w"]  real [D]     slopes, in units of y per unit of the feature
    params["b"]  real         intercept, in units of y
    x            real [N, D]  the features, one row each
    """
    arrays, _ = _bind(params, {"x": x})
    return np.ascontiguousarray(_forward(*arrays))


def cost(params, x, y):
    """The cost J, a float.

    params["w"]  real [D]     slopes, in units of y per unit of the feature
    params["b"]  real         intercept, in units of y
    x            real [N, D]  the features, one row each
    y            real [N]     the measured values, in any unit
    """
    arrays, dims = _bind(params, {"x": x, "y": y})
    _require(dims["N"] >= 1, "mean of no entries (linear_regression.bp:9)")
    return float(_cost(*arrays))


def value_and_grad(params, x, y, out=None):
    """The cost J, a float, and its gradient, like params.

    params["w"]  real [D]     slopes, in units of y per unit of the feature
    params["b"]  real         intercept, in units of y
    x            real [N, D]  the features, one row each
    y            real [N]     the measured values, in any unit
    out          dict         arrays for the derivatives; None makes them
    """
    arrays, dims = _bind(params, {"x": x, "y": y})
    _require(dims["N"] >= 1, "mean of no entries (linear_regression.bp:9)")
    value, *results = _value_and_grad(*arrays, dims["N"])
    results = [np.asarray(r, arrays[0].dtype, order="C") for r in results]
    grads = dict(zip(PARAMS, results))
    return float(value), grads if out is None else _written(out, grads, arrays)


def init(seed=0, dtype=np.float64, *, D):
    """Fresh params, drawn in declared order."""
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise TypeError(f"dtype is {dtype}, expected float32 or float64")
    return {"w": np.zeros(D, dtype), "b": np.zeros((), dtype)}


def ravel(params):
    """All parameters as one float64 vector."""
    values, _ = _bind(params, {})
    return np.concatenate([np.ravel(v) for v in values], dtype=float)


def unravel(vector, *, D):
    """Params from a vector as `ravel` gives it."""
    shapes = {"w": (D,), "b": ()}
    return _unravel(vector, shapes)


def _forward(w, b, x):
    # forward, left to right
    fit = x @ w + b  # linear_regression.bp:8
    return fit


def _cost(w, b, x, y):
    # forward, left to right
    fit = x @ w + b  # linear_regression.bp:8
    J = _mean((fit - y) ** 2)  # linear_regression.bp:9
    return J


def _value_and_grad(w, b, x, y, N):
    # forward, left to right
    fit = x @ w + b  # linear_regression.bp:8
    J_sub = fit - y  # linear_regression.bp:9
    J = _mean(J_sub**2)  # linear_regression.bp:9
    # backward, right to left
    dJ_dJ = 1.0  # linear_regression.bp:9
    dJ_dfit = 2.0 * (J_sub / N)  # linear_regression.bp:9
    dJ_db = _sum(dJ_dfit)  # linear_regression.bp:8
    dJ_dw = dJ_dfit @ x  # linear_regression.bp:8
    return J, dJ_dw, dJ_db


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
# 2fc206bf0d0d894e7be72789bb4928ee1a9e9039ef30582c9ec365b3698c04bb
