"""The gradient of pinn.bp, written by bpc 0.3.0 at -O1.

sha256 of pinn.bp:
ded94926028fe59fe17d65f1b940ff71f9bb01a1294d8b4af1b710c1d914f753
26 nodes + 697 parameters = 723 steps
cost: 5737*N flops
gradient: 16933*N + 1944 flops (3.0 times)
peak: itemsize*(983*N + 1417) bytes
"""

import numpy as np

PARAMS = {
    "hidden1.W": "real [2, M]",
    "hidden1.b": "real [M]",
    "hidden2.W": "real [24, M]",
    "hidden2.b": "real [M]",
    "head.W": "real [24, 1]",
    "head.b": "real [1]",
}
INPUTS = {"x": "real [N]", "t": "real [N]"}
OUTPUTS = {"u": "real [N]", "residual": "real [N]"}
_KEYS = tuple(PARAMS)
_TYPES = {
    "hidden1.W": ("real", (2, 24)),
    "hidden1.b": ("real", (24,)),
    "hidden2.W": ("real", (24, 24)),
    "hidden2.b": ("real", (24,)),
    "head.W": ("real", (24, 1)),
    "head.b": ("real", (1,)),
    "x": ("real", ("N",)),
    "t": ("real", ("N",)),
}


def forward(params, x, t):
    """A dict of u, residual.

    params["hidden1.W"]  real [2, M]
    params["hidden1.b"]  real [M]
    params["hidden2.W"]  real [24, M]
    params["hidden2.b"]  real [M]
    params["head.W"]     real [24, 1]
    params["head.b"]     real [1]
    x                    real [N]      places from 0 to 1
    t                    real [N]      times from 0 to 1
    """
    arrays, dims = _bind(params, {"x": x, "t": t})
    results = _forward(*arrays, dims["N"])
    return dict(zip(OUTPUTS, map(np.ascontiguousarray, results)))


def cost(params, x, t):
    """The cost J, a float.

    params["hidden1.W"]  real [2, M]
    params["hidden1.b"]  real [M]
    params["hidden2.W"]  real [24, M]
    params["hidden2.b"]  real [M]
    params["head.W"]     real [24, 1]
    params["head.b"]     real [1]
    x                    real [N]      places from 0 to 1
    t                    real [N]      times from 0 to 1
    """
    arrays, dims = _bind(params, {"x": x, "t": t})
    _require(dims["N"] >= 1, "mean of no entries (pinn.bp:20)")
    return float(_cost(*arrays, dims["N"]))


def value_and_grad(params, x, t, out=None):
    """The cost J, a float, and its gradient, like params.

    params["hidden1.W"]  real [2, M]
    params["hidden1.b"]  real [M]
    params["hidden2.W"]  real [24, M]
    params["hidden2.b"]  real [M]
    params["head.W"]     real [24, 1]
    params["head.b"]     real [1]
    x                    real [N]      places from 0 to 1
    t                    real [N]      times from 0 to 1
    out                  dict          arrays for the derivatives; None makes them
    """
    arrays, dims = _bind(params, {"x": x, "t": t})
    _require(dims["N"] >= 1, "mean of no entries (pinn.bp:20)")
    value, *results = _value_and_grad(*arrays, dims["N"])
    grads = dict(zip(PARAMS, map(np.ascontiguousarray, results)))
    return float(value), grads if out is None else _written(out, grads, arrays)


def init(seed=0, dtype=np.float64):
    """Fresh params, drawn in declared order."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise TypeError(f"dtype is {dtype}, expected float32 or float64")
    return {
        "hidden1.W": rng.normal(0.0, (2 / 26) ** 0.5, (2, 24)).astype(dtype),
        "hidden1.b": np.zeros(24, dtype),
        "hidden2.W": rng.normal(0.0, (2 / 48) ** 0.5, (24, 24)).astype(dtype),
        "hidden2.b": np.zeros(24, dtype),
        "head.W": rng.normal(0.0, (2 / 25) ** 0.5, (24, 1)).astype(dtype),
        "head.b": np.zeros(1, dtype),
    }


def ravel(params):
    """All parameters as one float64 vector."""
    values, _ = _bind(params, {})
    return np.concatenate([np.ravel(v) for v in values], dtype=float)


def unravel(vector):
    """Params from a vector as `ravel` gives it."""
    shapes = {
        "hidden1.W": (2, 24),
        "hidden1.b": (24,),
        "hidden2.W": (24, 24),
        "hidden2.b": (24,),
        "head.W": (24, 1),
        "head.b": (1,),
    }
    return _unravel(vector, shapes)


def _forward(hidden1_W, hidden1_b, hidden2_W, hidden2_b, head_W, head_b, x, t, N):
    dtype = hidden1_W.dtype
    # forward, left to right
    z1 = np.tanh(np.stack((x, t), axis=1) @ hidden1_W + hidden1_b)  # pinn.bp:9
    z2 = np.tanh(z1 @ hidden2_W + hidden2_b)  # pinn.bp:10
    net = (z2 @ head_W + head_b).reshape(N)  # pinn.bp:11
    u_sin = np.sin(3.141592653589793 * x)  # pinn.bp:12
    u_mul = t * x  # pinn.bp:12
    u_sub = 1.0 - x  # pinn.bp:12
    u_mul_2 = u_mul * u_sub  # pinn.bp:12
    u = u_sin + u_mul_2 * net  # pinn.bp:12
    du_dz2 = u_mul_2.reshape(N, 1) @ head_W.T  # nn.bp:10
    hidden2_sub = 1.0 - z2**2  # pinn.bp:10
    du_dz1 = du_dz2 * hidden2_sub @ hidden2_W.T  # nn.bp:10
    hidden1_sub = 1.0 - z1**2  # pinn.bp:9
    u_t = net * u_sub * x + (du_dz1 * hidden1_sub @ hidden1_W.T)[:, 1]  # pinn.bp:15
    ones = np.ones((N, 1), dtype)  # pinn.bp:9
    du_x_ddu_dhidden1 = _unslice(ones, (N, 2), np.s_[:, :1]) @ hidden1_W  # nn.bp:10
    du_x_ddu_dhidden2 = du_x_ddu_dhidden1 * hidden1_sub @ hidden2_W  # nn.bp:10
    du_x_ddu_dnet = (du_x_ddu_dhidden2 * hidden2_sub @ head_W).reshape(N)  # pinn.bp:11
    z2_matmul = (t * u_sub - u_mul).reshape(N, 1) @ head_W.T  # nn.bp:10
    sub = z2_matmul - 2.0 * (du_x_ddu_dhidden2 * du_dz2 * z2)  # nn.bp:10
    mul = 2.0 * (du_x_ddu_dhidden1 * du_dz1 * z1)  # nn.bp:10
    sub_2 = sub * hidden2_sub @ hidden2_W.T - mul  # nn.bp:10
    du_x_dx = (
        (du_x_ddu_dnet * u_sub - net) * t
        - (t * net + du_x_ddu_dnet * u_mul)
        - 9.869604401089358 * u_sin
        + (sub_2 * hidden1_sub @ hidden1_W.T)[:, 0]
    )  # pinn.bp:9
    u_xx = du_x_dx  # pinn.bp:17
    residual = u_t - 0.1 * u_xx  # pinn.bp:18
    return u, residual


def _cost(hidden1_W, hidden1_b, hidden2_W, hidden2_b, head_W, head_b, x, t, N):
    dtype = hidden1_W.dtype
    # forward, left to right
    z1 = np.tanh(np.stack((x, t), axis=1) @ hidden1_W + hidden1_b)  # pinn.bp:9
    z2 = np.tanh(z1 @ hidden2_W + hidden2_b)  # pinn.bp:10
    net = (z2 @ head_W + head_b).reshape(N)  # pinn.bp:11
    u_mul = t * x  # pinn.bp:12
    u_sub = 1.0 - x  # pinn.bp:12
    du_dz2 = (u_mul * u_sub).reshape(N, 1) @ head_W.T  # nn.bp:10
    hidden2_sub = 1.0 - z2**2  # pinn.bp:10
    du_dz1 = du_dz2 * hidden2_sub @ hidden2_W.T  # nn.bp:10
    hidden1_sub = 1.0 - z1**2  # pinn.bp:9
    u_t = net * u_sub * x + (du_dz1 * hidden1_sub @ hidden1_W.T)[:, 1]  # pinn.bp:15
    ones = np.ones((N, 1), dtype)  # pinn.bp:9
    du_x_ddu_dhidden1 = _unslice(ones, (N, 2), np.s_[:, :1]) @ hidden1_W  # nn.bp:10
    du_x_ddu_dhidden2 = du_x_ddu_dhidden1 * hidden1_sub @ hidden2_W  # nn.bp:10
    du_x_ddu_dnet = (du_x_ddu_dhidden2 * hidden2_sub @ head_W).reshape(N)  # pinn.bp:11
    z2_matmul = (t * u_sub - u_mul).reshape(N, 1) @ head_W.T  # nn.bp:10
    sub = z2_matmul - 2.0 * (du_x_ddu_dhidden2 * du_dz2 * z2)  # nn.bp:10
    mul = 2.0 * (du_x_ddu_dhidden1 * du_dz1 * z1)  # nn.bp:10
    sub_2 = sub * hidden2_sub @ hidden2_W.T - mul  # nn.bp:10
    du_x_dx = (
        (du_x_ddu_dnet * u_sub - net) * t
        - (t * net + du_x_ddu_dnet * u_mul)
        - 9.869604401089358 * np.sin(3.141592653589793 * x)
        + (sub_2 * hidden1_sub @ hidden1_W.T)[:, 0]
    )  # pinn.bp:9
    u_xx = du_x_dx  # pinn.bp:17
    residual = u_t - 0.1 * u_xx  # pinn.bp:18
    J = _mean(residual**2)  # pinn.bp:20
    return J


def _value_and_grad(
    hidden1_W, hidden1_b, hidden2_W, hidden2_b, head_W, head_b, x, t, N
):
    dtype = hidden1_W.dtype
    # forward, left to right
    z1_stack = np.stack((x, t), axis=1)  # pinn.bp:9
    z1 = np.tanh(z1_stack @ hidden1_W + hidden1_b)  # pinn.bp:9
    z2 = np.tanh(z1 @ hidden2_W + hidden2_b)  # pinn.bp:10
    net = (z2 @ head_W + head_b).reshape(N)  # pinn.bp:11
    u_mul = t * x  # pinn.bp:12
    u_sub = 1.0 - x  # pinn.bp:12
    du_dhead = (u_mul * u_sub).reshape(N, 1)  # pinn.bp:11
    du_dz2 = du_dhead @ head_W.T  # nn.bp:10
    hidden2_sub = 1.0 - z2**2  # pinn.bp:10
    du_dhidden2 = du_dz2 * hidden2_sub  # pinn.bp:10
    du_dz1 = du_dhidden2 @ hidden2_W.T  # nn.bp:10
    hidden1_sub = 1.0 - z1**2  # pinn.bp:9
    du_dhidden1 = du_dz1 * hidden1_sub  # pinn.bp:9
    u_t = net * u_sub * x + (du_dhidden1 @ hidden1_W.T)[:, 1]  # pinn.bp:15
    ones = np.ones((N, 1), dtype)  # pinn.bp:9
    du_x_ddu_dz1_stack = _unslice(ones, (N, 2), np.s_[:, :1])  # pinn.bp:9
    du_x_ddu_dhidden1 = du_x_ddu_dz1_stack @ hidden1_W  # nn.bp:10
    du_x_ddu_dz1 = du_x_ddu_dhidden1 * hidden1_sub  # pinn.bp:9
    du_x_dhidden1_sub = du_x_ddu_dhidden1 * du_dz1  # pinn.bp:9
    du_x_ddu_dhidden2 = du_x_ddu_dz1 @ hidden2_W  # nn.bp:10
    du_x_ddu_dz2 = du_x_ddu_dhidden2 * hidden2_sub  # pinn.bp:10
    du_x_dhidden2_sub = du_x_ddu_dhidden2 * du_dz2  # pinn.bp:10
    du_x_ddu_dnet = (du_x_ddu_dz2 @ head_W).reshape(N)  # pinn.bp:11
    du_x_dhead = (t * u_sub - u_mul).reshape(N, 1)  # pinn.bp:11
    sub = du_x_dhead @ head_W.T - 2.0 * (du_x_dhidden2_sub * z2)  # nn.bp:10
    du_x_dhidden2 = sub * hidden2_sub  # pinn.bp:10
    sub_2 = du_x_dhidden2 @ hidden2_W.T - 2.0 * (du_x_dhidden1_sub * z1)  # nn.bp:10
    du_x_dhidden1 = sub_2 * hidden1_sub  # pinn.bp:9
    du_x_dx = (
        (du_x_ddu_dnet * u_sub - net) * t
        - (t * net + du_x_ddu_dnet * u_mul)
        - 9.869604401089358 * np.sin(3.141592653589793 * x)
        + (du_x_dhidden1 @ hidden1_W.T)[:, 0]
    )  # pinn.bp:9
    u_xx = du_x_dx  # pinn.bp:17
    residual = u_t - 0.1 * u_xx  # pinn.bp:18
    J = _mean(residual**2)  # pinn.bp:20
    # backward, right to left
    dJ_dJ = 1.0  # pinn.bp:20
    dJ_dresidual = 2.0 * (residual / N)  # pinn.bp:20
    dJ_du_xx = -0.1 * dJ_dresidual  # pinn.bp:18
    dJ_ddu_x_dz1_stack = _unslice(dJ_du_xx, (N, 2), np.s_[:, 0])  # pinn.bp:9
    dJ_ddu_x_dhidden1 = dJ_ddu_x_dz1_stack @ hidden1_W  # nn.bp:10
    dJ_ddu_x_dz1 = dJ_ddu_x_dhidden1 * hidden1_sub  # pinn.bp:9
    dJ_ddu_x_dhidden2 = dJ_ddu_x_dz1 @ hidden2_W  # nn.bp:10
    dJ_ddu_x_dz2 = dJ_ddu_x_dhidden2 * hidden2_sub  # pinn.bp:10
    dJ_ddu_x_du_mul = dJ_du_xx * t  # pinn.bp:12
    sub_3 = dJ_ddu_x_du_mul * u_sub - dJ_du_xx * u_mul  # pinn.bp:12
    dJ_ddu_x_ddu_dhead = sub_3.reshape(N, 1)  # pinn.bp:11
    dJ_ddu_x_ddu_dz2 = dJ_ddu_x_ddu_dhead @ head_W.T  # nn.bp:10
    mul = dJ_ddu_x_dz2 * z2  # pinn.bp:10
    sub_4 = dJ_ddu_x_ddu_dz2 * hidden2_sub - 2.0 * (mul * du_dz2)  # pinn.bp:10
    dJ_ddu_x_ddu_dz1 = sub_4 @ hidden2_W.T  # nn.bp:10
    mul_2 = dJ_ddu_x_dz1 * z1  # pinn.bp:9
    transpose = (dJ_ddu_x_ddu_dz1 * hidden1_sub - 2.0 * (mul_2 * du_dz1)).T  # nn.bp:10
    matmul = transpose @ du_x_ddu_dz1_stack  # nn.bp:10
    dJ_du_t = dJ_dresidual  # pinn.bp:18
    dJ_ddu_dz1_stack = _unslice(dJ_du_t, (N, 2), np.s_[:, 1])  # pinn.bp:9
    dJ_ddu_dhidden1 = dJ_ddu_dz1_stack @ hidden1_W  # nn.bp:10
    dJ_dz1_stack_transpose = (
        du_x_dhidden1.T @ dJ_ddu_x_dz1_stack + matmul + du_dhidden1.T @ dJ_ddu_dz1_stack
    )  # nn.bp:10
    dJ_dhidden1_sub = (
        dJ_ddu_x_dhidden1 * sub_2
        + dJ_ddu_x_ddu_dz1 * du_x_ddu_dhidden1
        + dJ_ddu_dhidden1 * du_dz1
    )  # pinn.bp:9
    mul_3 = 2.0 * (mul_2 * du_x_ddu_dhidden1)  # pinn.bp:9
    sub_5 = dJ_ddu_dhidden1 * hidden1_sub - mul_3  # pinn.bp:9
    dJ_ddu_dhidden2 = sub_5 @ hidden2_W  # nn.bp:10
    dJ_dz1_transpose = (
        du_x_dhidden2.T @ dJ_ddu_x_dz1 + sub_4.T @ du_x_ddu_dz1 + du_dhidden2.T @ sub_5
    )  # nn.bp:10
    dJ_dhidden2_sub = (
        dJ_ddu_x_dhidden2 * sub
        + dJ_ddu_x_ddu_dz2 * du_x_ddu_dhidden2
        + dJ_ddu_dhidden2 * du_dz2
    )  # pinn.bp:10
    mul_4 = 2.0 * (mul * du_x_ddu_dhidden2)  # pinn.bp:10
    sub_6 = dJ_ddu_dhidden2 * hidden2_sub - mul_4  # pinn.bp:10
    z2_transpose_matmul = du_dhead.T @ sub_6  # nn.bp:10
    dJ_dz2_transpose = (
        du_x_dhead.T @ dJ_ddu_x_dz2
        + dJ_ddu_x_ddu_dhead.T @ du_x_ddu_dz2
        + z2_transpose_matmul
    )  # nn.bp:10
    dJ_dnet = dJ_du_t * x * u_sub - 2.0 * dJ_ddu_x_du_mul  # pinn.bp:12
    dJ_dhead = dJ_dnet.reshape(N, 1)  # pinn.bp:11
    dJ_dhead_b = _sum(dJ_dhead, axis=0)  # nn.bp:10
    dJ_dz2 = (
        -2.0 * (dJ_ddu_x_dz2 * du_x_dhidden2_sub)
        - 2.0 * (dJ_dhidden2_sub * z2)
        + dJ_dhead @ head_W.T
    )  # nn.bp:10
    dJ_dhidden2 = dJ_dz2 * hidden2_sub  # pinn.bp:10
    dJ_dhidden2_b = _sum(dJ_dhidden2, axis=0)  # nn.bp:10
    dJ_dz1 = (
        -2.0 * (dJ_ddu_x_dz1 * du_x_dhidden1_sub)
        - 2.0 * (dJ_dhidden1_sub * z1)
        + dJ_dhidden2 @ hidden2_W.T
    )  # nn.bp:10
    dJ_dhidden1 = dJ_dz1 * hidden1_sub  # pinn.bp:9
    dJ_dhidden1_b = _sum(dJ_dhidden1, axis=0)  # nn.bp:10
    dJ_dhidden1_W = dJ_dz1_stack_transpose.T + z1_stack.T @ dJ_dhidden1  # nn.bp:10
    dJ_dhidden2_W = dJ_dz1_transpose.T + z1.T @ dJ_dhidden2  # nn.bp:10
    dJ_dhead_W = dJ_dz2_transpose.T + z2.T @ dJ_dhead  # nn.bp:10
    return (
        J,
        dJ_dhidden1_W,
        dJ_dhidden1_b,
        dJ_dhidden2_W,
        dJ_dhidden2_b,
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
# 1ec6ef7f55de8cb63d2707999f52ca19912b186e40d67f4a0ec18336b9539486
