"""Workspaces as a generated -O2 module keeps them; the text of each goes there as it stands here."""

import threading

import numpy as np

# The generated module has its own.
_WORK = threading.local()


def _key(function, arrays):
    """What a workspace is kept by: shapes and dtypes; None unless all are plain arrays."""
    if {*map(type, arrays)} != {np.ndarray}:
        return None
    return (function, *[a.shape for a in arrays], *[a.dtype for a in arrays])


def _idle(key):
    """This thread's workspace for a key, which nobody else can use until `_keep`; or None."""
    return vars(_WORK).pop(key, None)


def _keep(key, workspace):
    """Put a workspace back; a thread has at most eight."""
    idle = vars(_WORK)
    if key is not None:
        idle[key] = workspace
    if len(idle) > 8:
        del idle[next(iter(idle))]


def _kept(key, work):
    """The key, if the memory is not too large to be kept: 128 MB."""
    return key if sum(memory.nbytes for memory in work) <= 2**27 else None


def _targets(out, names, likes, arrays):
    """The arrays of `out` for some results, or fresh ones; ValueError where one does not fit."""
    if out is None:
        return [np.empty(like.shape, like.dtype) for _, like in zip(names, likes)]
    owners = {id(a if a.base is None else a.base) for a in arrays}
    for name, like in zip(names, likes):
        target = out[name]
        fits = type(target) is np.ndarray and target.flags.carray
        if not fits or target.shape != like.shape or target.dtype != like.dtype:
            raise ValueError(
                f"out[{name!r}] must be a contiguous {like.dtype} array of shape {like.shape}"
            )
        owner = id(target if target.base is None else target.base)
        if owner in owners and any(np.may_share_memory(target, a) for a in arrays):
            raise ValueError(f"out[{name!r}] shares memory with an argument")
    return [out[name] for name in names]


def _stored(out, results):
    """The results; those that do not stand in `out` yet are copied there."""
    if out is None:
        return results
    for name, result in results.items():
        if out[name] is not result:
            out[name][...] = result
    return out
