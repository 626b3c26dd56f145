"""PyTorch's normalisations, attention and dropout in bp."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from translate import Inexpressible, Row, moved, number, reshaped, sizes

STATISTICS = "the statistics are not compared"


def eps_of(a: Any) -> str:
    if a.eps < 0:
        raise Inexpressible("an eps below 0")
    return f"eps={number(a.eps)}"


def one_or(value: Any, default: str) -> str:
    return default if value is None else str(value)


def _batch_norm(a: Any) -> list[str | None]:
    """Channels last; PyTorch also returns the mean and 1 / sqrt(var + eps) that it used."""
    training = a.training if "training" in a._values else True
    if a.x.rank < 2:
        raise Inexpressible("no examples: a vector where rows are due")
    _ = a.momentum, a.running_mean, a.running_var
    x = moved(a.x.text, a.x.rank, 1, -1)
    gain, bias = one_or(a.weight, "1"), one_or(a.bias, "0")
    eps = eps_of(a)
    more: list[str | None] = [None] * (len(a.outputs) - 1)
    if training:
        y, mean, var = a.program.let_several(f"batch_norm({x}, {gain}, {bias}, {eps})", 3)
        if len(more) >= 2:
            more[:2] = [mean, f"1 / sqrt({var} + {number(a.eps)})"]
    else:
        y = f"batch_norm({x}, {gain}, {bias}, {a.running_mean}, {a.running_var}, {eps})"
    return [moved(str(y), a.x.rank, -1, 1), *more]


def _group_norm(a: Any) -> str:
    x = moved(a.x.text, a.x.rank, 1, -1)
    gain, bias = one_or(a.weight, "1"), one_or(a.bias, "0")
    text = f"group_norm({x}, {gain}, {bias}, {a.groups}, {eps_of(a)})"
    return moved(text, a.x.rank, -1, 1)


def _native_group_norm(a: Any) -> list[str | None]:
    _ = a.N, a.C, a.HxW
    return [_group_norm(a), None, None]


def _instance_norm(a: Any) -> str:
    if not a.use_input_stats:
        raise Inexpressible("option use_input_stats")
    _ = a.running_mean, a.running_var, a.momentum
    x = moved(a.x.text, a.x.rank, 1, -1)
    gain, bias = one_or(a.weight, "1"), one_or(a.bias, "0")
    text = f"group_norm({x}, {gain}, {bias}, {a.x.shape[1]}, {eps_of(a)})"
    return moved(text, a.x.rank, -1, 1)


def along_last(a: Any, call: str, *vectors: tuple[Any, str]) -> str:
    """Normalised over several axes: they are laid out as one."""
    shape = a.x.shape
    keep = len(shape) - len(a.shape)
    n = math.prod(a.shape)
    flat = len(a.shape) > 1
    x = reshaped(a.x.text, (*shape[:keep], n)) if flat else a.x.text
    texts = [
        default if v is None else reshaped(v.text, (n,)) if flat else v.text
        for v, default in vectors
    ]
    text = f"{call}({x}, {', '.join(texts)}, {eps_of(a)})"
    return reshaped(text, shape) if flat else text


def _layer_norm(a: Any) -> str:
    return along_last(a, "layer_norm", (a.weight, "1"), (a.bias, "0"))


def _rms_norm(a: Any) -> str:
    if a.eps is None:
        a._values["eps"] = float(np.finfo(np.float64).eps)
    return along_last(a, "rms_norm", (a.weight, "1"))


def _native_layer_norm(a: Any) -> list[str | None]:
    return [_layer_norm(a), None, None]


def _attention(a: Any) -> str:
    """bp's own where its form fits, else written out with the mask."""
    if a.dropout_p:
        raise Inexpressible("random numbers")
    if a.enable_gqa:
        raise Inexpressible("option enable_gqa")
    several = (a.q, a.k, a.v)
    lead = np.broadcast_shapes(*(x.shape[:-2] for x in several))
    q, k, v = (
        x.text if x.shape[:-2] == lead else f"broadcast({x}, {sizes((*lead, *x.shape[-2:]))})"
        for x in several
    )
    causal, mask, scale = a.is_causal, a.attn_mask, a.scale
    if mask is None and scale is None:
        return f"attention({q}, {k}, {v}, causal={number(causal)})"
    factor = number(scale) if scale is not None else f"(1 / sqrt({a.q.shape[-1]}))"
    scores = a.let(f"{q} @ {k}.T * {factor}")
    if mask is not None and mask.kind == "bool":
        scores = a.let(f"where({mask}, {scores}, -inf)")
    elif mask is not None:
        scores = a.let(f"{scores} + {mask}")
    return f"softmax({scores}) @ {v}"


def _dropout(a: Any) -> str:
    if a.p == 1:
        raise Inexpressible("a dropout rate of 1")
    if a.training and a.p:
        raise Inexpressible("random numbers")
    return f"dropout({a.x}, {number(a.p)})"


ROWS: dict[str, Row] = {
    # normalisation
    "nn.functional.batch_norm": Row(
        "x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, "
        "eps=1e-5",
        _batch_norm,
    ),
    "native_batch_norm": Row(
        "x, weight, bias, running_mean, running_var, training, momentum, eps", _batch_norm
    ),
    "_native_batch_norm_legit": Row(
        "x, weight, bias, running_mean, running_var, training, momentum, eps", _batch_norm
    ),
    "nn.functional.group_norm": Row("x, groups, weight=None, bias=None, eps=1e-5", _group_norm),
    "native_group_norm": Row("x, weight, bias, N, C, HxW, groups, eps", _native_group_norm,
                             note=STATISTICS),
    "nn.functional.instance_norm": Row(
        "x, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, "
        "momentum=0.1, eps=1e-5",
        _instance_norm,
    ),
    "nn.functional.layer_norm": Row("x, shape, weight=None, bias=None, eps=1e-5", _layer_norm),
    "native_layer_norm": Row("x, shape, weight, bias, eps", _native_layer_norm, note=STATISTICS),
    "nn.functional.rms_norm": Row("x, shape, weight=None, eps=None", _rms_norm),
    "nn.functional.scaled_dot_product_attention": Row(
        "q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False",
        _attention,
    ),
    "nn.functional.dropout": Row("x, p=0.5, training=True", _dropout),
}  # fmt: skip
