"""PyTorch's losses in bp: one value an example there, then reduced as the sample says."""

from __future__ import annotations

import math
from typing import Any

from translate import Arg, Inexpressible, Row, moved, number, reshaped

REDUCTION = "reduction='mean'"


def loss(signature: str, template: Any) -> Row:
    """A loss whose reduction is a mean or a sum of all its values."""

    def rule(a: Any) -> str:
        reduction, weight = a.reduction, a._values.get("weight")
        text = template(a) if callable(template) else template.format_map(Texts(a))
        if weight is not None:
            text = f"{a.weight} * ({text})"
        return text if reduction == "none" else f"{reduction}({text})"

    return Row(f"{signature}, {REDUCTION}", rule, broadcasts=True)


class Texts(dict[str, str]):
    """The arguments of a call as texts."""

    def __init__(self, bound: Any) -> None:
        self.bound = bound

    def __missing__(self, name: str) -> str:
        return number(self.bound[name])


def classes_last(x: Arg) -> str:
    """PyTorch's class axis is the second one, where there are several examples."""
    return moved(x.text, x.rank, 1, -1) if x.rank > 2 else x.text


def labels_of(a: Any, label: Arg, ignore: int) -> tuple[str, str]:
    """Labels that are safe to look up, and which ones count."""
    kept = f"{label} != {number(ignore)}"
    return f"where({kept}, {label}, 0)", kept


def _nll(a: Any) -> str:
    return weighed(a, f"nll({classes_last(a.x)}, ", a.y)


def weighed(a: Any, call: str, label: Arg, more: str = "") -> str:
    """Losses of labels; the mean is over the weights of those that count."""
    ignore = -100 if a.ignore_index is None else a.ignore_index
    safe, kept = labels_of(a, label, ignore)
    weight = "1.0" if a.weight is None else f"{a.weight}[{safe}]"
    weights = a.let(f"where({kept}, {weight}, 0)", label.shape)
    values = a.let(f"{weights} * {call}{safe}{more})", label.shape)
    if a.reduction == "mean":
        return f"sum({values}) / sum({weights})"
    return f"sum({values})" if a.reduction == "sum" else str(values)


def _cross_entropy(a: Any) -> str:
    return entropy_of(a, a.x)


def entropy_of(a: Any, logits: Arg) -> str:
    """Of labels bp's own; of probabilities written out."""
    if a.label_smoothing:
        raise Inexpressible("option label_smoothing")
    if a.y.kind == "int":
        return weighed(a, f"cross_entropy({classes_last(logits)}, ", a.y)
    _ = a.ignore_index
    weight = "" if a.weight is None else f"{a.weight} * "
    terms = f"{weight}{classes_last(a.y)} * log_softmax({classes_last(logits)})"
    values = f"-sum({terms}, axis=-1)"
    if a.reduction == "mean":
        shape = logits.shape
        return f"sum({values}) / {shape[0] * math.prod(shape[2:]) if len(shape) > 1 else 1}"
    return f"sum({values})" if a.reduction == "sum" else values


def _linear_cross_entropy(a: Any) -> str:
    """The classes' weights may have more axes: one loss for each place of those."""
    *out, width = a.linear_weight.shape
    flat = reshaped(a.linear_weight.text, (math.prod(out), width))
    shape = (*a.x.shape[:-1], *out)
    text = reshaped(f"{a.x} @ {flat}.T", shape)
    if a.linear_bias is not None:
        text = f"{text} + {a.linear_bias}"
    _ = a.options
    return entropy_of(a, a.let(text, shape))


def _kl(a: Any) -> str:
    """PyTorch's takes log q, sums nothing, and the target is p (or log p)."""
    p = f"exp({a.y})" if a.log_target else str(a.y)
    term = f"{p} * ({a.y} - {a.x})" if a.log_target else f"xlogy({p}, {p}) - {p} * {a.x}"
    if a.reduction == "batchmean":
        return f"sum({term}) / {a.x.shape[0] if a.x.rank else 1}"
    return term if a.reduction == "none" else f"{a.reduction}({term})"


def _huber(a: Any) -> str:
    return f"huber({a.x}, {a.y}, delta={number(a.delta)})"


def _smooth_l1(a: Any) -> str:
    if a.beta == 0:
        return f"absolute_error({a.x}, {a.y})"
    return f"huber({a.x}, {a.y}, delta={number(a.beta)}) / {number(a.beta)}"


def _bce_logits(a: Any) -> str:
    if a.pos_weight is None:
        return f"bce_with_logits({a.x}, {a.y})"
    p = a.pos_weight
    return f"{p} * {a.y} * softplus(-{a.x}) + (1 - {a.y}) * softplus({a.x})"


def _poisson(a: Any) -> str:
    eps = number(a.eps)
    if a.log_input:
        text = f"exp({a.x}) - {a.y} * {a.x}"
    else:
        text = f"{a.x} - {a.y} * log({a.x} + {eps})"
    if a.full:
        y = a.y
        stirling = f"{y} * log({y}) - {y} + 0.5 * log(2 * pi * {y})"
        text = f"{text} + where({y} > 1, {stirling}, 0)"
    return text


def _gaussian(a: Any) -> str:
    """PyTorch's clamp of the variance passes no gradient beside it."""
    var, y = a.var, a.y
    if isinstance(var, Arg) and var.rank == a.x.rank - 1:
        var = f"{var}[..., new]"
    if isinstance(var, float | int):
        safe = str(max(var, a.eps))
    else:
        v = a.let(f"1 * {var}")
        safe = str(a.let(f"{v} + stop(max({v}, {number(a.eps)}) - {v})"))
    d = f"{a.x} - {y}"
    text = f"0.5 * (log({safe}) + ({d})^2 / {safe})"
    return f"{text} + {0.5 * math.log(2 * math.pi)!r}" if a.full else text


def _cosine_embedding(a: Any) -> str:
    if a.x.rank == 1:
        parts = [f"sum({p})" for p in (f"{a.x} * {a.y}", f"{a.x}^2", f"{a.y}^2")]
    else:
        parts = [f"sum({p}, axis=1)" for p in (f"{a.x} * {a.y}", f"{a.x}^2", f"{a.y}^2")]
    cosine = a.let(f"{parts[0]} / sqrt(({parts[1]} + 1e-12) * ({parts[2]} + 1e-12))")
    far = f"max({cosine} - {number(a.margin)}, 0)"
    return f"where({a.target} == 1, 1 - {cosine}, where({a.target} == -1, {far}, 0))"


def _triplet(a: Any) -> str:
    p, eps = getattr(a, "p", 2.0) if "p" in a._values else 2.0, 1e-6
    if "eps" in a._values:
        eps = a.eps
    if "distance_function" in a._values:
        _ = a.distance_function
    if p != 2:
        raise Inexpressible("option p")

    def distance(x: Arg, y: Arg) -> Arg:
        return a.let(f"norm({x} - {y} + {number(eps)}, axis=-1)")

    near, far = distance(a.x, a.y), distance(a.x, a.z)
    if a.swap:
        far = a.let(f"min({far}, {distance(a.y, a.z)})")
    return f"max({near} - {far} + {number(a.margin)}, 0)"


def _multi_margin(a: Any) -> str:
    """Each class's margin to the right one; that one itself costs nothing."""
    n = a.x.shape[-1] if a.x.rank else 1
    x = a.x.text if a.x.rank > 1 else f"reshape({a.x}, [1, {n}])"
    label = a.y.text if a.y.rank else f"reshape({a.y}, [1])"
    hot = f"one_hot({label}, {n})"
    right = f"sum({x} * {hot}, axis=1, keep=true)"
    terms = f"max({number(a.margin)} - {right} + {x}, 0)" + ("^2" if a.p == 2 else "")
    if a.weight is not None:
        terms = f"{a.weight}[{label}][:, new] * {terms}"
    values = f"sum((1 - {hot}) * {terms}, axis=1) / {n}"
    if a.reduction == "none":
        return values if a.outputs[0].ndim else f"({values})[0]"
    return f"{a.reduction}({values})"


def _multilabel_soft(a: Any) -> str:
    terms = f"-({a.y} * log(sigmoid({a.x})) + (1 - {a.y}) * log(sigmoid(-{a.x})))"
    if a.weight is not None:
        terms = f"{a.weight} * ({terms})"
    values = f"mean({terms}, axis=-1)"
    return values if a.reduction == "none" else f"{a.reduction}({values})"


ROWS: dict[str, Row] = {
    "nn.functional.mse_loss": loss("x, y, weight=None", "squared_error({x}, {y})"),
    "nn.functional.l1_loss": loss("x, y, weight=None", "absolute_error({x}, {y})"),
    "nn.functional.huber_loss": Row(
        f"x, y, {REDUCTION}, delta=1.0, weight=None",
        lambda a: _huber(a) if a.reduction == "none" else f"{a.reduction}({_huber(a)})",
    ),
    "nn.functional.smooth_l1_loss": Row(
        f"x, y, {REDUCTION}, beta=1.0",
        lambda a: _smooth_l1(a) if a.reduction == "none" else f"{a.reduction}({_smooth_l1(a)})",
    ),
    "nn.functional.binary_cross_entropy_with_logits": loss(
        "x, y, weight=None, pos_weight=None", _bce_logits
    ),
    "nn.functional.binary_cross_entropy": loss(
        "x, y, weight=None", "-(xlogy({y}, {x}) + xlogy(1 - {y}, 1 - {x}))"
    ),
    "nn.functional.nll_loss": Row(f"x, y, weight=None, {REDUCTION}, ignore_index=-100", _nll),
    "nn.functional.cross_entropy": Row(
        f"x, y, weight=None, {REDUCTION}, ignore_index=-100, label_smoothing=0.0", _cross_entropy
    ),
    **{
        f"nn.functional.linear_cross_entropy{variant}": Row(
            f"x, linear_weight, y, *, linear_bias=None, weight=None, {REDUCTION}, "
            "ignore_index=None, label_smoothing=0.0, options=None",
            _linear_cross_entropy,
        )
        for variant in ("", ".chunked", ".chunked_none")
    },
    "nn.functional.kl_div": Row(f"x, y, {REDUCTION}, log_target=False", _kl),
    "nn.functional.poisson_nll_loss": loss("x, y, log_input=True, full=False, eps=1e-8", _poisson),
    "nn.functional.gaussian_nll_loss": loss("x, y, var, full=False, eps=1e-6", _gaussian),
    "nn.functional.hinge_embedding_loss": loss(
        "x, y, margin=1.0",
        "where({y} != 1, max({margin} - {x}, 0), 0) + where({y} != -1, {x}, 0)",
    ),
    "nn.functional.margin_ranking_loss": loss(
        "x, y, target, margin=0.0", "max(-{target} * ({x} - {y}) + {margin}, 0)"
    ),
    "nn.functional.soft_margin_loss": loss("x, y", "log(1 + exp(-{y} * {x}))"),
    "nn.functional.cosine_embedding_loss": Row(
        f"x, y, target, margin=0.0, {REDUCTION}",
        lambda a: (
            _cosine_embedding(a)
            if a.reduction == "none"
            else f"{a.reduction}({_cosine_embedding(a)})"
        ),
    ),
    "nn.functional.triplet_margin_loss": Row(
        f"x, y, z, margin=1.0, p=2.0, eps=1e-6, swap=False, {REDUCTION}",
        lambda a: _triplet(a) if a.reduction == "none" else f"{a.reduction}({_triplet(a)})",
    ),
    "nn.functional.triplet_margin_with_distance_loss": Row(
        f"x, y, z, *, distance_function=None, margin=1.0, swap=False, {REDUCTION}",
        lambda a: _triplet(a) if a.reduction == "none" else f"{a.reduction}({_triplet(a)})",
    ),
    "nn.functional.multi_margin_loss": Row(
        f"x, y, p=1, margin=1.0, weight=None, {REDUCTION}", _multi_margin
    ),
    "nn.functional.multilabel_soft_margin_loss": Row(
        f"x, y, weight=None, {REDUCTION}", _multilabel_soft
    ),
}
