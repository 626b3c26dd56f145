"""The gradient of adding.bp, written by bpc 0.3.0 at -O1.

sha256 of adding.bp:
2623f8820f64cb32d8090bf4d2f9a617867209fcd641a2151cb7b751f2a5159b
6 nodes + 4513 parameters = 4519 steps
cost: 9248*N*T + 68*N flops
gradient: 27008*N*T + 199*N flops (2.9 times)
peak: itemsize*(544*N*T + 1027*N + 33) bytes
"""

import math

import numpy as np

PARAMS = {
    "memory.Wx": "real [2, 128]",
    "memory.Wh": "real [H, 128]",
    "memory.b": "real [128]",
    "head.W": "real [32, 1]",
    "head.b": "real [1]",
}
INPUTS = {"x": "real [T, N, 2]", "y": "real [N]"}
OUTPUTS = {"total": "real [N]"}
_KEYS = tuple(PARAMS)
_TYPES = {
    "memory.Wx": ("real", (2, 128)),
    "memory.Wh": ("real", (32, 128)),
    "memory.b": ("real", (128,)),
    "head.W": ("real", (32, 1)),
    "head.b": ("real", (1,)),
    "x": ("real", ("T", "N", 2)),
    "y": ("real", ("N",)),
}


def forward(params, x):
    """The output total.

    params["memory.Wx"]  real [2, 128]
    params["memory.Wh"]  real [H, 128]
    params["memory.b"]   real [128]
    params["head.W"]     real [32, 1]
    params["head.b"]     real [1]
    x                    real [T, N, 2]  at each step a number from 0 to 1 and a mark: 1 at two steps, else 0
    """
    arrays, dims = _bind(params, {"x": x})
    _require(dims["T"] >= 1, "an index leaves the axis of size T (adding.bp:9)")
    return np.ascontiguousarray(_forward(*arrays, dims["T"], dims["N"]))


def cost(params, x, y):
    """The cost J, a float.

    params["memory.Wx"]  real [2, 128]
    params["memory.Wh"]  real [H, 128]
    params["memory.b"]   real [128]
    params["head.W"]     real [32, 1]
    params["head.b"]     real [1]
    x                    real [T, N, 2]  at each step a number from 0 to 1 and a mark: 1 at two steps, else 0
    y                    real [N]        the sum of the two marked numbers
    """
    arrays, dims = _bind(params, {"x": x, "y": y})
    _require(dims["T"] >= 1, "an index leaves the axis of size T (adding.bp:9)")
    _require(dims["N"] >= 1, "mean of no entries (adding.bp:11)")
    return float(_cost(*arrays, dims["T"], dims["N"]))


def value_and_grad(params, x, y, out=None):
    """The cost J, a float, and its gradient, like params.

    params["memory.Wx"]  real [2, 128]
    params["memory.Wh"]  real [H, 128]
    params["memory.b"]   real [128]
    params["head.W"]     real [32, 1]
    params["head.b"]     real [1]
    x                    real [T, N, 2]  at each step a number from 0 to 1 and a mark: 1 at two steps, else 0
    y                    real [N]        the sum of the two marked numbers
    out                  dict            arrays for the derivatives; None makes them
    """
    arrays, dims = _bind(params, {"x": x, "y": y})
    _require(dims["T"] >= 1, "an index leaves the axis of size T (adding.bp:9)")
    _require(dims["N"] >= 1, "mean of no entries (adding.bp:11)")
    value, *results = _value_and_grad(*arrays, dims["T"], dims["N"])
    grads = dict(zip(PARAMS, map(np.ascontiguousarray, results)))
    return float(value), grads if out is None else _written(out, grads, arrays)


def init(seed=0, dtype=np.float64):
    """Fresh params, drawn in declared order."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise TypeError(f"dtype is {dtype}, expected float32 or float64")
    return {
        "memory.Wx": rng.normal(0.0, (2 / 130) ** 0.5, (2, 128)).astype(dtype),
        "memory.Wh": _orthogonal(rng, (32, 128)).astype(dtype),
        "memory.b": np.zeros(128, dtype),
        "head.W": rng.normal(0.0, (2 / 33) ** 0.5, (32, 1)).astype(dtype),
        "head.b": np.zeros(1, dtype),
    }


def ravel(params):
    """All parameters as one float64 vector."""
    values, _ = _bind(params, {})
    return np.concatenate([np.ravel(v) for v in values], dtype=float)


def unravel(vector):
    """Params from a vector as `ravel` gives it."""
    shapes = {
        "memory.Wx": (2, 128),
        "memory.Wh": (32, 128),
        "memory.b": (128,),
        "head.W": (32, 1),
        "head.b": (1,),
    }
    return _unravel(vector, shapes)


def _forward(memory_Wx, memory_Wh, memory_b, head_W, head_b, x, T, N):
    dtype = memory_Wx.dtype
    # forward, left to right
    memory_zi_matmul = x @ memory_Wx  # nn.bp:78
    memory_h = np.zeros((N, 32), dtype)  # nn.bp:77
    memory_c = np.zeros((N, 32), dtype)  # nn.bp:77
    memory_hs = np.empty((T, N, 32), dtype)  # nn.bp:77
    for t in range(T):  # nn.bp:77
        memory_zi_add = (
            memory_zi_matmul[t] + memory_h @ memory_Wh + memory_b
        )  # nn.bp:78
        memory_zi = memory_zi_add[:, :32]  # nn.bp:78
        memory_zf = memory_zi_add[:, 32:64]  # nn.bp:78
        memory_zo = memory_zi_add[:, 64:96]  # nn.bp:78
        memory_zg = memory_zi_add[:, 96:]  # nn.bp:78
        memory_i = _sigmoid(memory_zi)  # nn.bp:79
        memory_f = _sigmoid(memory_zf)  # nn.bp:80
        memory_o = _sigmoid(memory_zo)  # nn.bp:81
        memory_g = np.tanh(memory_zg)  # nn.bp:82
        memory_c = memory_f * memory_c + memory_i * memory_g  # nn.bp:83
        memory_h = memory_o * np.tanh(memory_c)  # nn.bp:84
        memory_hs[t] = memory_h
    h = memory_hs  # adding.bp:8
    total = (h[-1] @ head_W + head_b).reshape(N)  # adding.bp:9
    return total


def _cost(memory_Wx, memory_Wh, memory_b, head_W, head_b, x, y, T, N):
    dtype = memory_Wx.dtype
    # forward, left to right
    memory_zi_matmul = x @ memory_Wx  # nn.bp:78
    memory_h = np.zeros((N, 32), dtype)  # nn.bp:77
    memory_c = np.zeros((N, 32), dtype)  # nn.bp:77
    memory_hs = np.empty((T, N, 32), dtype)  # nn.bp:77
    for t in range(T):  # nn.bp:77
        memory_zi_add = (
            memory_zi_matmul[t] + memory_h @ memory_Wh + memory_b
        )  # nn.bp:78
        memory_zi = memory_zi_add[:, :32]  # nn.bp:78
        memory_zf = memory_zi_add[:, 32:64]  # nn.bp:78
        memory_zo = memory_zi_add[:, 64:96]  # nn.bp:78
        memory_zg = memory_zi_add[:, 96:]  # nn.bp:78
        memory_i = _sigmoid(memory_zi)  # nn.bp:79
        memory_f = _sigmoid(memory_zf)  # nn.bp:80
        memory_o = _sigmoid(memory_zo)  # nn.bp:81
        memory_g = np.tanh(memory_zg)  # nn.bp:82
        memory_c = memory_f * memory_c + memory_i * memory_g  # nn.bp:83
        memory_h = memory_o * np.tanh(memory_c)  # nn.bp:84
        memory_hs[t] = memory_h
    h = memory_hs  # adding.bp:8
    total = (h[-1] @ head_W + head_b).reshape(N)  # adding.bp:9
    J = _mean((total - y) ** 2)  # adding.bp:11
    return J


def _value_and_grad(memory_Wx, memory_Wh, memory_b, head_W, head_b, x, y, T, N):
    dtype = memory_Wx.dtype
    # forward, left to right
    memory_zi_matmul = x @ memory_Wx  # nn.bp:78
    memory_h = np.zeros((N, 32), dtype)  # nn.bp:77
    memory_c = np.zeros((N, 32), dtype)  # nn.bp:77
    memory_hs = np.empty((T, N, 32), dtype)  # nn.bp:77
    memory_h_steps = np.empty((T, N, 32), dtype)  # nn.bp:77
    memory_c_steps = np.empty((T, N, 32), dtype)  # nn.bp:77
    memory_i_steps = np.empty((T, N, 32), dtype)  # nn.bp:77
    memory_f_steps = np.empty((T, N, 32), dtype)  # nn.bp:77
    memory_o_steps = np.empty((T, N, 32), dtype)  # nn.bp:77
    memory_g_steps = np.empty((T, N, 32), dtype)  # nn.bp:77
    memory_h_tanh_steps = np.empty((T, N, 32), dtype)  # nn.bp:77
    for t in range(T):  # nn.bp:77
        memory_h_steps[t] = memory_h
        memory_c_steps[t] = memory_c
        memory_zi_add = (
            memory_zi_matmul[t] + memory_h @ memory_Wh + memory_b
        )  # nn.bp:78
        memory_zi = memory_zi_add[:, :32]  # nn.bp:78
        memory_zf = memory_zi_add[:, 32:64]  # nn.bp:78
        memory_zo = memory_zi_add[:, 64:96]  # nn.bp:78
        memory_zg = memory_zi_add[:, 96:]  # nn.bp:78
        memory_i = _sigmoid(memory_zi)  # nn.bp:79
        memory_i_steps[t] = memory_i
        memory_f = _sigmoid(memory_zf)  # nn.bp:80
        memory_f_steps[t] = memory_f
        memory_o = _sigmoid(memory_zo)  # nn.bp:81
        memory_o_steps[t] = memory_o
        memory_g = np.tanh(memory_zg)  # nn.bp:82
        memory_g_steps[t] = memory_g
        memory_c = memory_f * memory_c + memory_i * memory_g  # nn.bp:83
        memory_h_tanh = np.tanh(memory_c)  # nn.bp:84
        memory_h_tanh_steps[t] = memory_h_tanh
        memory_h = memory_o * memory_h_tanh  # nn.bp:84
        memory_hs[t] = memory_h
    h = memory_hs  # adding.bp:8
    total_reshape = h[-1]  # adding.bp:9
    total = (total_reshape @ head_W + head_b).reshape(N)  # adding.bp:9
    J_sub = total - y  # adding.bp:11
    J = _mean(J_sub**2)  # adding.bp:11
    # backward, right to left
    dJ_dJ = 1.0  # adding.bp:11
    dJ_dtotal = 2.0 * (J_sub / N)  # adding.bp:11
    dJ_dhead = dJ_dtotal.reshape(N, 1)  # adding.bp:9
    dJ_dhead_b = _sum(dJ_dhead, axis=0)  # nn.bp:10
    dJ_dhead_W = total_reshape.T @ dJ_dhead  # nn.bp:10
    dJ_dh = _unslice(dJ_dhead @ head_W.T, (T, N, 32), -1)  # adding.bp:9
    dJ_dmemory_hs = dJ_dh  # adding.bp:8
    dJ_dmemory_h = np.zeros((N, 32), dtype)  # nn.bp:77
    dJ_dmemory_c = np.zeros((N, 32), dtype)  # nn.bp:77
    dJ_dmemory_zi_matmul = np.empty((T, N, 128), dtype)  # nn.bp:77
    for t in reversed(range(T)):  # nn.bp:77
        dJ_dmemory_h_2 = dJ_dmemory_h + dJ_dmemory_hs[t]  # nn.bp:84
        memory_h_tanh = memory_h_tanh_steps[t]
        dJ_dmemory_o = dJ_dmemory_h_2 * memory_h_tanh  # nn.bp:84
        memory_o = memory_o_steps[t]
        memory_c_mul = dJ_dmemory_h_2 * memory_o * (1.0 - memory_h_tanh**2)  # nn.bp:84
        dJ_dmemory_c_2 = dJ_dmemory_c + memory_c_mul  # nn.bp:84
        memory_g = memory_g_steps[t]
        dJ_dmemory_i = dJ_dmemory_c_2 * memory_g  # nn.bp:83
        memory_i = memory_i_steps[t]
        dJ_dmemory_g = dJ_dmemory_c_2 * memory_i  # nn.bp:83
        dJ_dmemory_f = dJ_dmemory_c_2 * memory_c_steps[t]  # nn.bp:83
        memory_f = memory_f_steps[t]
        dJ_dmemory_c = dJ_dmemory_c_2 * memory_f  # nn.bp:83
        dJ_dmemory_zg = dJ_dmemory_g * (1.0 - memory_g**2)  # nn.bp:82
        dJ_dmemory_zo = dJ_dmemory_o * (memory_o * (1.0 - memory_o))  # nn.bp:81
        dJ_dmemory_zf = dJ_dmemory_f * (memory_f * (1.0 - memory_f))  # nn.bp:80
        dJ_dmemory_zi = dJ_dmemory_i * (memory_i * (1.0 - memory_i))  # nn.bp:79
        concat = np.concatenate(
            (dJ_dmemory_zi, dJ_dmemory_zf, dJ_dmemory_zo, dJ_dmemory_zg), axis=1
        )  # nn.bp:78
        dJ_dmemory_zi_matmul[t] = concat
        dJ_dmemory_h = concat @ memory_Wh.T  # nn.bp:78
    dJ_dmemory_Wh = _rows_product(memory_h_steps, dJ_dmemory_zi_matmul)  # nn.bp:78
    dJ_dmemory_b = _sum(dJ_dmemory_zi_matmul, axis=(0, 1))  # nn.bp:78
    dJ_dmemory_Wx = _rows_product(x, dJ_dmemory_zi_matmul)  # nn.bp:78
    return J, dJ_dmemory_Wx, dJ_dmemory_Wh, dJ_dmemory_b, dJ_dhead_W, dJ_dhead_b


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


def _orthogonal(rng, shape):
    """A matrix (or a stack of them) with orthonormal rows or columns."""
    *lead, rows, columns = shape
    flat = rng.normal(size=(*lead, max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(flat)
    q = q * np.sign(np.diagonal(r, axis1=-2, axis2=-1))[..., None, :]
    return q if rows >= columns else np.swapaxes(q, -1, -2)


def _require(holds, message):
    """ValueError with a message where a condition on the sizes does not hold."""
    if not holds:
        raise ValueError(message)


def _rows_product(a, b):
    """a.T @ b, all axes but the last taken as rows."""
    rows = math.prod(a.shape[:-1])
    return a.reshape(rows, a.shape[-1]).T @ b.reshape(rows, b.shape[-1])


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


def _unslice(x, shape, index, out=None):
    """Zeros of a shape, with x in place of a slice."""
    if out is None:
        out = np.zeros(shape, x.dtype)
    else:
        out.fill(0.0)
    out[index] = x
    return out


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
# 56433aedac2db46cd7cb5cdd9dcf1b27f104f7e0b27d86d000993f8de5cbeb3e
