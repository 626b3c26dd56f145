"""Checks that a generated module of scalars carries; the text of each goes there as it stands."""

import numpy as np

from bpc.codegen.binding import _array, _values

# The generated module has its own.
PARAMS: dict[str, str] = {}
INPUTS: dict[str, str] = {}


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


def _numbers(params, inputs):
    """All arguments as Python's numbers, parameters first."""
    named = {**dict(zip(PARAMS, _values(params))), **inputs}
    _one_dtype(named)
    return [_plain(name, value) for name, value in named.items()]


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
