"""ONNX's normalisations, attention and losses in bp."""

from __future__ import annotations

import math
from typing import Any

from mapping_losses import labels_of
from mapping_onnx_arrays import static
from translate import Inexpressible, Row, moved, number, reshaped

NORM = "x, scale, B=None, *, axis=-1, epsilon=1e-5, stash_type=1"


def _global(name: str) -> Any:
    return lambda a: f"{name}({a.x}, axis={number(tuple(range(2, a.x.rank)))}, keep=true)"


def _batch_norm(a: Any) -> list[str]:
    x, eps = moved(a.x.text, a.x.rank, 1, -1), f"eps={number(a.epsilon)}"
    if not a.training_mode:
        _ = a.momentum
        text = f"batch_norm({x}, {a.scale}, {a.B}, {a.mean}, {a.var}, {eps})"
        return [moved(text, a.x.rank, -1, 1)]
    y, mean, var = a.program.let_several(f"batch_norm({x}, {a.scale}, {a.B}, {eps})", 3)
    p = number(a.momentum)
    running = [f"{p} * {old} + (1 - {p}) * {new}" for old, new in ((a.mean, mean), (a.var, var))]
    return [moved(y, a.x.rank, -1, 1), *running]


def _instance_norm(a: Any) -> str:
    x = moved(a.x.text, a.x.rank, 1, -1)
    text = f"group_norm({x}, {a.scale}, {a.B}, {a.x.shape[1]}, eps={number(a.epsilon)})"
    return moved(text, a.x.rank, -1, 1)


def _group_norm(a: Any) -> str:
    x = moved(a.x.text, a.x.rank, 1, -1)
    text = f"group_norm({x}, {a.scale}, {a.bias}, {a.num_groups}, eps={number(a.epsilon)})"
    return moved(text, a.x.rank, -1, 1)


def _layer_norm(a: Any) -> list[str | None]:
    axis = a.axis % a.x.rank
    n = math.prod(a.x.shape[axis:])
    _ = a.stash_type
    x = reshaped(a.x.text, (*a.x.shape[:axis], n))
    bias = "0" if a.B is None else reshaped(a.B.text, (n,))
    text = f"layer_norm({x}, {reshaped(a.scale.text, (n,))}, {bias}, eps={number(a.epsilon)})"
    mean = a.let(f"mean({x}, axis=-1)")
    scale = f"1 / sqrt(var({x}, axis=-1) + {number(a.epsilon)})"
    more = [reshaped(t, o.shape) for t, o in zip((mean.text, scale), a.outputs[1:])]
    return [reshaped(text, a.x.shape), *more]


def _rms_norm(a: Any) -> str:
    axis = a.axis % a.x.rank
    n = math.prod(a.x.shape[axis:])
    _ = a.stash_type
    x, gain = reshaped(a.x.text, (*a.x.shape[:axis], n)), reshaped(a.scale.text, (n,))
    return reshaped(f"rms_norm({x}, {gain}, eps={number(a.epsilon)})", a.x.shape)


def _lp_norm(a: Any) -> str:
    length = f"norm({a.x}, axis={a.axis}, keep=true)"
    if a.p == 1:
        length = f"sum(abs({a.x}), axis={a.axis}, keep=true)"
    n = a.let(length)
    return f"where({n} == 0, 0, {a.x} / {n})"


def _mvn(a: Any) -> str:
    found = number(a.axes)
    middle = f"({a.x} - mean({a.x}, axis={found}, keep=true))"
    return f"{middle} / (std({a.x}, axis={found}, keep=true) + 1e-9)"


def _dropout(a: Any) -> list[str | None]:
    rate, training = static(a, a.ratio), static(a, a.training_mode)
    _ = a.seed
    if training and rate != 0:
        raise Inexpressible("random numbers")
    mask = [f"{a.x} == {a.x} or {a.x} != {a.x}"] if len(a.outputs) > 1 else []
    return [f"dropout({a.x}, {number(0.5 if rate is None else rate)})", *mask]


def _nll(a: Any) -> str:
    return weighed(a, f"nll({moved(a.x.text, a.x.rank, 1, -1)}, ")


def weighed(a: Any, call: str) -> str:
    ignore = a.ignore_index
    safe, kept = (str(a.y), None) if ignore is None else labels_of(a, a.y, ignore)
    weight = "1.0" if a.w is None else f"{a.w}[{safe}]"
    weights = a.let(f"where({kept}, {weight}, 0)" if kept else f"{weight} + 0 * {a.y}", a.y.shape)
    values = a.let(f"{weights} * {call}{safe})", a.y.shape)
    if a.reduction == "mean":
        return f"sum({values}) / sum({weights})"
    return f"sum({values})" if a.reduction == "sum" else str(values)


def _softmax_loss(a: Any) -> list[str]:
    scores = moved(a.x.text, a.x.rank, 1, -1)
    loss = weighed(a, f"cross_entropy({scores}, ")
    return [loss, f"log_softmax({a.x}, axis=1)"][: len(a.outputs)]


def _attention(a: Any) -> str:
    """Four axes, as many heads everywhere, no past: else it is another operator."""
    if a.q.rank != 4 or a.q.shape[1] != a.k.shape[1]:
        raise Inexpressible("heads in one axis, or shared heads")
    for name in ("past_key", "past_value", "nonpad", "softmax_precision"):
        if a[name] is not None:
            raise Inexpressible(f"option {name}")
    if a.softcap or len(a.outputs) > 1:
        raise Inexpressible("option softcap, or inner results")
    _ = a.q_num_heads, a.kv_num_heads, a.qk_matmul_output_mode
    scale, mask = a.scale, a.mask
    if mask is None and scale is None:
        return f"attention({a.q}, {a.k}, {a.v}, causal={number(bool(a.is_causal))})"
    factor = number(scale) if scale is not None else f"(1 / sqrt({a.q.shape[-1]}))"
    scores = a.let(f"{a.q} @ {a.k}.T * {factor}")
    if a.is_causal:
        rows, columns = a.q.shape[2], a.k.shape[2]
        early = f"arange({columns})[new, :] <= arange({rows})[:, new]"
        scores = a.let(f"where({early}, {scores}, -inf)")
    if mask is not None and mask.kind == "bool":
        scores = a.let(f"where({mask}, {scores}, -inf)")
    elif mask is not None:
        scores = a.let(f"{scores} + {mask}")
    return f"softmax({scores}) @ {a.v}"


ROWS: dict[str, Row] = {
    # layers
    "GlobalAveragePool": Row("x", _global("mean")),
    "GlobalMaxPool": Row("x", _global("max")),
    "BatchNormalization": Row(
        "x, scale, B, mean, var, *, epsilon=1e-5, momentum=0.9, training_mode=0", _batch_norm
    ),
    "InstanceNormalization": Row("x, scale, B, *, epsilon=1e-5", _instance_norm),
    "GroupNormalization": Row("x, scale, bias, *, num_groups, epsilon=1e-5, stash_type=1",
                              _group_norm),
    "LayerNormalization": Row(NORM, _layer_norm),
    "RMSNormalization": Row(
        "x, scale, *, axis=-1, epsilon=1e-5, stash_type=1", _rms_norm
    ),
    "LpNormalization": Row("x, *, axis=-1, p=2", _lp_norm),
    "MeanVarianceNormalization": Row("x, *, axes=(0, 2, 3)", _mvn),
    "Dropout": Row("x, ratio=None, training_mode=None, *, seed=None", _dropout),
    "NegativeLogLikelihoodLoss": Row("x, y, w=None, *, reduction='mean', ignore_index=None", _nll),
    "SoftmaxCrossEntropyLoss": Row(
        "x, y, w=None, *, reduction='mean', ignore_index=None", _softmax_loss
    ),
    "Attention": Row(
        "q, k, v, mask=None, past_key=None, past_value=None, nonpad=None, *, is_causal=0, "
        "kv_num_heads=None, q_num_heads=None, qk_matmul_output_mode=0, scale=None, softcap=0.0, "
        "softmax_precision=None",
        _attention,
    ),
}  # fmt: skip
