"""The gradient of two_layer.bp, written by bpc 0.3.0 at -O1.

sha256 of two_layer.bp:
9494cd27714f11aa7850b9b41659ace63da933b1a4f049b51ac61308038d8247
9 nodes + 4 parameters = 13 steps
cost: 9 flops
gradient: 16 flops (1.8 times)
"""

import math

import numpy as np

PARAMS = {"w1": "real", "b1": "real", "w2": "real", "b2": "real"}
INPUTS = {"x": "real", "y": "real"}
OUTPUTS = {"J": "real"}
_KEYS = tuple(PARAMS)


def forward(params, x=1.0, y=5.0):
    """The cost: the model names no output."""
    return cost(params, x, y)


def cost(params, x=1.0, y=5.0):
    """The cost J, a float.

    params["w1"]  real
    params["b1"]  real
    params["w2"]  real
    params["b2"]  real
    x             real
    y             real
    """
    try:
        w1, b1, w2, b2 = params["w1"], params["b1"], params["w2"], params["b2"]
        plain = (
            type(w1) is type(b1) is type(w2) is type(b2) is type(x) is type(y) is float
        )
    except (LookupError, TypeError):
        plain = False
    if not plain or len(params) != 4 or type(params) is not dict:
        return _converted(cost, params, x=x, y=y)
    return _cost(w1, b1, w2, b2, x, y)


def value_and_grad(params, x=1.0, y=5.0):
    """The cost J, a float, and its gradient, like params.

    params["w1"]  real
    params["b1"]  real
    params["w2"]  real
    params["b2"]  real
    x             real
    y             real
    """
    try:
        w1, b1, w2, b2 = params["w1"], params["b1"], params["w2"], params["b2"]
        plain = (
            type(w1) is type(b1) is type(w2) is type(b2) is type(x) is type(y) is float
        )
    except (LookupError, TypeError):
        plain = False
    if not plain or len(params) != 4 or type(params) is not dict:
        return _converted(value_and_grad, params, x=x, y=y)
    return _value_and_grad(w1, b1, w2, b2, x, y)


def init(seed=0, dtype=np.float64):
    """Fresh params, drawn in declared order."""
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise TypeError(f"dtype is {dtype}, expected float32 or float64")
    params = {"w1": 2.0, "b1": 0.0, "w2": 3.0, "b2": 1.0}
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


def _cost(w1, b1, w2, b2, x, y):
    # forward, left to right
    z1 = w1 * x + b1  # two_layer.bp:7
    a1 = max(z1, 0.0)  # two_layer.bp:8
    t2 = w2 * a1  # two_layer.bp:9
    z2 = t2 + b2  # two_layer.bp:10
    a2 = max(z2, 0.0)  # two_layer.bp:11
    J = 0.5 * _pow(a2 - y, 2.0)  # two_layer.bp:12
    return J


def _value_and_grad(w1, b1, w2, b2, x, y):
    # forward, left to right
    z1 = w1 * x + b1  # two_layer.bp:7
    a1 = max(z1, 0.0)  # two_layer.bp:8
    t2 = w2 * a1  # two_layer.bp:9
    z2 = t2 + b2  # two_layer.bp:10
    a2 = max(z2, 0.0)  # two_layer.bp:11
    J_sub = a2 - y  # two_layer.bp:12
    J = 0.5 * (J_sub * J_sub)  # two_layer.bp:12
    # backward, right to left
    dJ_dJ = 1.0  # two_layer.bp:12
    dJ_da2 = J_sub  # two_layer.bp:12
    dJ_dz2 = dJ_da2 if z2 > 0.0 else 0.0  # two_layer.bp:11
    dJ_dt2 = dJ_dz2  # two_layer.bp:10
    dJ_dw2 = dJ_dt2 * a1  # two_layer.bp:9
    dJ_da1 = dJ_dt2 * w2  # two_layer.bp:9
    dJ_dz1 = dJ_da1 if z1 > 0.0 else 0.0  # two_layer.bp:8
    dJ_dw1 = dJ_dz1 * x  # two_layer.bp:7
    dJ_db1 = dJ_dz1  # two_layer.bp:7
    dJ_db2 = dJ_dz2  # two_layer.bp:10
    return J, {"w1": dJ_dw1, "b1": dJ_db1, "w2": dJ_dw2, "b2": dJ_db2}


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


def _pow(x, y):
    """x**y; inf on overflow, NaN where the result would be complex."""
    try:
        return math.pow(x, y)
    except OverflowError:
        return -math.inf if x < 0.0 and y % 2.0 == 1.0 else math.inf
    except ValueError:
        if x != 0.0:
            return math.nan
        return math.copysign(math.inf, x) if y % 2.0 == 1.0 else math.inf


# sha256 of the text above:
# ff6e0d0933d4f5f156705e4dbb100c288a3604380f43ea7ba1eab1a3967fa828
