"""The gradient of b3_sigmoid.bp, written by bpc 0.3.0 at -O1.

sha256 of b3_sigmoid.bp:
111d1a6fd387ba983dd7c7e8879fe3cdbd82729d01e224905f9084c9dc7966bb
10 nodes + 3 parameters = 13 steps
cost: 10 flops
gradient: 19 flops (1.9 times)
"""

import math

import numpy as np

PARAMS = {"w0": "real", "w1": "real", "b": "real"}
INPUTS = {"x0": "real", "x1": "real", "y": "real"}
OUTPUTS = {"L": "real"}
_KEYS = tuple(PARAMS)


def forward(params, x0=1.0, x1=2.0, y=1.0):
    """The cost: the model names no output."""
    return cost(params, x0, x1, y)


def cost(params, x0=1.0, x1=2.0, y=1.0):
    """The cost L, a float.

    params["w0"]  real  the weight of the first input
    params["w1"]  real  the weight of the second input
    params["b"]   real  the bias
    x0            real  the first input
    x1            real  the second input
    y             real  the target
    """
    try:
        w0, w1, b = params["w0"], params["w1"], params["b"]
        plain = (
            type(w0) is type(w1) is type(b) is type(x0) is type(x1) is type(y) is float
        )
    except (LookupError, TypeError):
        plain = False
    if not plain or len(params) != 3 or type(params) is not dict:
        return _converted(cost, params, x0=x0, x1=x1, y=y)
    return _cost(w0, w1, b, x0, x1, y)


def value_and_grad(params, x0=1.0, x1=2.0, y=1.0):
    """The cost L, a float, and its gradient, like params.

    params["w0"]  real  the weight of the first input
    params["w1"]  real  the weight of the second input
    params["b"]   real  the bias
    x0            real  the first input
    x1            real  the second input
    y             real  the target
    """
    try:
        w0, w1, b = params["w0"], params["w1"], params["b"]
        plain = (
            type(w0) is type(w1) is type(b) is type(x0) is type(x1) is type(y) is float
        )
    except (LookupError, TypeError):
        plain = False
    if not plain or len(params) != 3 or type(params) is not dict:
        return _converted(value_and_grad, params, x0=x0, x1=x1, y=y)
    return _value_and_grad(w0, w1, b, x0, x1, y)


def init(seed=0, dtype=np.float64):
    """Fresh params, drawn in declared order."""
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise TypeError(f"dtype is {dtype}, expected float32 or float64")
    params = {"w0": -2.0, "w1": 3.0, "b": -4.0}
    if np.dtype(dtype) == np.float64:
        return params
    return {name: np.array(v, dtype) for name, v in params.items()}


def ravel(params):
    """All parameters as one float64 vector."""
    return np.concatenate([np.ravel(v) for v in _values(params)], dtype=float)


def unravel(vector):
    """Params from a vector as `ravel` gives it."""
    values = np.asarray(vector, float)
    if values.shape != (len(PARAMS),):
        raise ValueError(f"vector has shape {values.shape}, expected ({len(PARAMS)},)")
    return dict(zip(PARAMS, values.tolist()))


def _cost(w0, w1, b, x0, x1, y):
    # forward, left to right
    d = w0 * x0  # b3_sigmoid.bp:10
    e = w1 * x1  # b3_sigmoid.bp:11
    f = d + e + b  # b3_sigmoid.bp:12
    g = -f  # b3_sigmoid.bp:13
    h = _exp(g)  # b3_sigmoid.bp:14
    i = 1.0 + h  # b3_sigmoid.bp:15
    a = _div(1.0, i)  # b3_sigmoid.bp:16
    k = y - a  # b3_sigmoid.bp:17
    L = k * k  # b3_sigmoid.bp:18
    return L


def _value_and_grad(w0, w1, b, x0, x1, y):
    # forward, left to right
    d = w0 * x0  # b3_sigmoid.bp:10
    e = w1 * x1  # b3_sigmoid.bp:11
    f = d + e + b  # b3_sigmoid.bp:12
    g = -f  # b3_sigmoid.bp:13
    h = _exp(g)  # b3_sigmoid.bp:14
    i = 1.0 + h  # b3_sigmoid.bp:15
    a = _div(1.0, i)  # b3_sigmoid.bp:16
    k = y - a  # b3_sigmoid.bp:17
    L = k * k  # b3_sigmoid.bp:18
    # backward, right to left
    dL_dL = 1.0  # b3_sigmoid.bp:18
    dL_dk = 2.0 * k  # b3_sigmoid.bp:18
    dL_da = -dL_dk  # b3_sigmoid.bp:17
    dL_di = -_div(dL_da * a, i)  # b3_sigmoid.bp:16
    dL_dh = dL_di  # b3_sigmoid.bp:15
    dL_dg = dL_dh * h  # b3_sigmoid.bp:14
    dL_df = -dL_dg  # b3_sigmoid.bp:13
    dL_de = dL_df  # b3_sigmoid.bp:12
    dL_dw1 = dL_de * x1  # b3_sigmoid.bp:11
    dL_dd = dL_df  # b3_sigmoid.bp:12
    dL_dw0 = dL_dd * x0  # b3_sigmoid.bp:10
    dL_db = dL_df  # b3_sigmoid.bp:12
    return L, {"w0": dL_dw0, "w1": dL_dw1, "b": dL_db}


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


def _array(name, value):
    """What is no plain array as one; TypeError where it is missing, or has a mask to lose."""
    if value is None:
        raise TypeError(f"missing the argument {name}")
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; give plain data, as its filled(0)")
    return np.asarray(value)


def _converted(function, params, **inputs):
    """Call with Python floats in place of other numbers; gradients take their dtypes."""
    named = {**dict(zip(PARAMS, _values(params))), **inputs}
    plain = {name: _plain(name, value) for name, value in named.items()}
    _one_dtype(named)
    result = function(
        {name: plain[name] for name in PARAMS}, *[plain[n] for n in inputs]
    )
    if not isinstance(result, tuple):
        return result
    grads = {
        name: (
            np.array(grad, named[name].dtype) if hasattr(named[name], "dtype") else grad
        )
        for name, grad in result[1].items()
    }
    return result[0], grads


def _plain(name, value):
    """The number as Python's own; TypeError or ValueError where it is none of its kind."""
    kind = PARAMS[name] if name in PARAMS else INPUTS[name]
    array = _array(name, value)
    if array.shape != ():
        raise ValueError(f"{name} has shape {array.shape}, expected a scalar")
    accepted = {"real": "f", "int": "iu", "bool": "b"}[kind]
    if type(value) is int and kind == "real":
        accepted = "iuf"
    if array.dtype.kind not in accepted or array.dtype in (np.float16, np.longdouble):
        raise TypeError(f"{name} has dtype {array.dtype}, expected {kind}")
    return {"real": float, "int": int, "bool": bool}[kind](value)


def _one_dtype(named):
    """TypeError where float32 meets float64."""
    found = {}
    for name, value in named.items():
        if getattr(value, "dtype", np.dtype(int)).kind == "f":
            found.setdefault(value.dtype, name)
    if len(found) > 1:
        (one, name), (two, other) = list(found.items())[:2]
        raise TypeError(f"{name} is {one} and {other} is {two}; give one float dtype")


def _div(x, y):
    """x / y; a division by zero gives inf or NaN."""
    if y:
        return x / y
    if x == 0.0 or math.isnan(x):
        return math.nan
    return math.copysign(math.inf, x) * math.copysign(1.0, y)


def _exp(x):
    """The exponential; inf on overflow."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


# sha256 of the text above:
# ceb20f6fa7c60bb1846ae30f85afd7db9dc6163f655ba7bcf9ecacda645c3f23
