"""The gradient of d6_reciprocal.bp, written by bpc 0.3.0 at -O1.

sha256 of d6_reciprocal.bp:
f11bd4ea0297256d151cdfb909908f7c54ec00866f3c1665749fefa12e9c4555
1 nodes + 1 parameters = 2 steps
cost: 1 flops
gradient: 3 flops (3.0 times)
"""

import math

import numpy as np

PARAMS = {"w": "real"}
INPUTS = {}
OUTPUTS = {"J": "real"}
_KEYS = tuple(PARAMS)


def forward(params):
    """The cost: the model names no output."""
    return cost(params)


def cost(params):
    """The cost J, a float.

    params["w"]  real  the weight
    """
    try:
        w = params["w"]
        plain = type(w) is float
    except (LookupError, TypeError):
        plain = False
    if not plain or len(params) != 1 or type(params) is not dict:
        return _converted(cost, params)
    return _cost(w)


def value_and_grad(params):
    """The cost J, a float, and its gradient, like params.

    params["w"]  real  the weight
    """
    try:
        w = params["w"]
        plain = type(w) is float
    except (LookupError, TypeError):
        plain = False
    if not plain or len(params) != 1 or type(params) is not dict:
        return _converted(value_and_grad, params)
    return _value_and_grad(w)


def init(seed=0, dtype=np.float64):
    """Fresh params, drawn in declared order."""
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise TypeError(f"dtype is {dtype}, expected float32 or float64")
    params = {"w": 2.0}
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


def _cost(w):
    # forward, left to right
    J = _div(1.0, w)  # d6_reciprocal.bp:3
    return J


def _value_and_grad(w):
    # forward, left to right
    J = _div(1.0, w)  # d6_reciprocal.bp:3
    # backward, right to left
    dJ_dJ = 1.0  # d6_reciprocal.bp:3
    dJ_dw = -_div(J, w)  # d6_reciprocal.bp:3
    return J, {"w": dJ_dw}


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


# sha256 of the text above:
# ba03e48cfb13acf052706971647387a6eb4cb2e0aebc9e8a2cf92e2d31320ab8
