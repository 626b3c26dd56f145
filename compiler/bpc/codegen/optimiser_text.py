"""Optimisers that a generated module carries; the text of each goes there as it stands here.

Rules and defaults are those of torch.optim. Each step works in place: on copies of what it is given,
or with `out` on the arrays themselves.
"""

import math

import numpy as np


def sgd_init(params):
    """The state that sgd_step starts from."""
    return {"velocity": {}}


def sgd_step(
    params,
    grads,
    state,
    lr=1e-3,
    momentum=0.0,
    dampening=0.0,
    nesterov=False,
    weight_decay=0.0,
    clip=None,
    out=None,
):
    """Params and state after a step of gradient descent, as torch.optim.SGD has it.

    clip   the most that the norm of all gradients together may be
    out    params, to change its arrays and those of state in place: nothing given is
           changed without it. Params that grads lacks stay as they are.
    """
    options = lr, momentum, dampening, nesterov, weight_decay, clip, out
    return _sgd(params, grads, state, *options)


def momentum_init(params):
    """The state that momentum_step starts from."""
    return {"velocity": {}}


def momentum_step(
    params,
    grads,
    state,
    lr=1e-3,
    momentum=0.9,
    dampening=0.0,
    nesterov=False,
    weight_decay=0.0,
    clip=None,
    out=None,
):
    """Params and state after a step of gradient descent with momentum, as torch.optim.SGD.

    clip   the most that the norm of all gradients together may be
    out    params, to change its arrays and those of state in place: nothing given is
           changed without it. Params that grads lacks stay as they are.
    """
    options = lr, momentum, dampening, nesterov, weight_decay, clip, out
    return _sgd(params, grads, state, *options)


def adam_init(params):
    """The state that adam_step starts from."""
    return {"step": 0, "m": _zeros(params), "v": _zeros(params), "v_max": {}}


def adam_step(
    params,
    grads,
    state,
    lr=1e-3,
    betas=(0.9, 0.999),
    eps=1e-8,
    weight_decay=0.0,
    amsgrad=False,
    clip=None,
    out=None,
):
    """Params and state after a step of Adam (Kingma, Ba 2015), as torch.optim.Adam has it.

    clip   the most that the norm of all gradients together may be
    out    params, to change its arrays and those of state in place: nothing given is
           changed without it. Params that grads lacks stay as they are.
    """
    options = lr, betas, eps, weight_decay, 0.0, amsgrad, clip, out
    return _adam(params, grads, state, *options)


def adamw_init(params):
    """The state that adamw_step starts from."""
    return {"step": 0, "m": _zeros(params), "v": _zeros(params), "v_max": {}}


def adamw_step(
    params,
    grads,
    state,
    lr=1e-3,
    betas=(0.9, 0.999),
    eps=1e-8,
    weight_decay=1e-2,
    amsgrad=False,
    clip=None,
    out=None,
):
    """Params and state after a step of AdamW, as torch.optim.AdamW has it.

    The decay is of the params themselves, not of the gradient (Loshchilov, Hutter 2019).
    clip   the most that the norm of all gradients together may be
    out    params, to change its arrays and those of state in place: nothing given is
           changed without it. Params that grads lacks stay as they are.
    """
    options = lr, betas, eps, 0.0, weight_decay, amsgrad, clip, out
    return _adam(params, grads, state, *options)


def _sgd(
    params, grads, state, lr, momentum, dampening, nesterov, weight_decay, clip, out
):
    """A step of gradient descent; the first velocity is the gradient, never dampened."""
    if nesterov and (momentum <= 0 or dampening != 0):
        raise ValueError("nesterov needs a momentum, and no dampening")
    arrays, state = _begin(params, state, out)
    for name, w, g in _descent(arrays, grads, clip, weight_decay):
        if momentum:
            velocity = state.setdefault("velocity", {})
            if name in velocity:
                velocity[name] *= momentum
                velocity[name] += g if dampening == 0 else (1 - dampening) * g
            else:
                velocity[name] = np.array(g, w.dtype)
            g = g + momentum * velocity[name] if nesterov else velocity[name]
        w -= lr * g
    return _finish(params, arrays, out), state


def _adam(
    params, grads, state, lr, betas, eps, weight_decay, shrink, amsgrad, clip, out
):
    """A step of Adam; weight_decay is added to the gradient, shrink takes off the params."""
    arrays, state = _begin(params, state, out)
    step = state["step"] = int(state["step"]) + 1
    rate = lr / (1 - betas[0] ** step)
    root = math.sqrt(1 - betas[1] ** step)
    for name, w, g in _descent(arrays, grads, clip, weight_decay):
        m, v, t = state["m"][name], state["v"][name], np.empty_like(w)
        m *= betas[0]
        m += np.multiply(g, 1 - betas[0], out=t)
        v *= betas[1]
        np.multiply(g, g, out=t)
        v += np.multiply(t, 1 - betas[1], out=t)
        if amsgrad:
            largest = state.setdefault("v_max", {})
            if name not in largest:
                largest[name] = np.zeros_like(v)
            v = np.maximum(v, largest[name], out=largest[name])
        np.sqrt(v, out=t)
        t /= root
        t += eps
        np.divide(m, t, out=t)
        if shrink:
            w *= 1 - lr * shrink
        w -= np.multiply(t, rate, out=t)
    return _finish(params, arrays, out), state


def _zeros(params):
    """An array of zeros for each of the params."""
    return {
        name: np.zeros(np.shape(value), getattr(value, "dtype", np.float64))
        for name, value in params.items()
    }


def _begin(params, state, out):
    """The arrays that a step changes, and the state: fresh ones, or those given as `out`."""
    if out is None:
        state = {key: _copy(value) for key, value in state.items()}
    arrays = {}
    for name, value in params.items():
        array = None if out is None else out[name]
        if not isinstance(array, np.ndarray):
            array = np.array(value, getattr(value, "dtype", np.float64))
        elif array is not value:
            array[...] = value
        arrays[name] = array
    return arrays, state


def _copy(value):
    """A number, or a dict of arrays that share nothing with the given ones."""
    if not isinstance(value, dict):
        return value
    return {name: np.array(array) for name, array in value.items()}


def _descent(arrays, grads, clip, weight_decay):
    """Name, array and gradient of each: clipped by the norm of all, and with the decay."""
    names = [name for name in arrays if name in grads]
    scale = 1.0
    if clip is not None:
        norm = math.hypot(*(np.linalg.norm(grads[name]) for name in names))
        scale = clip / (norm + 1e-6)
    for name in names:
        w, g = arrays[name], grads[name]
        if not scale >= 1.0:  # also where it is NaN
            g = g * scale
        if weight_decay:
            g = g + weight_decay * w
        yield name, w, g


def _finish(params, arrays, out):
    """The new params: numbers for numbers, and in `out` if it is given."""
    new = {n: a if hasattr(params[n], "dtype") else a.item() for n, a in arrays.items()}
    if out is None:
        return new
    out.update(new)
    return out
