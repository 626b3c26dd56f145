"""Normalisation: entries minus their mean, over their standard deviation, scaled and shifted.

    c = centred(x);  s = root_mean_square(c, eps);  y = normalise(c, s)

`normalise` divides c by s; it is an operator of its own for its VJP, in which s depends on c:

    dc = normalise_slope(g, y, s) = (g - y * mean(g * y)) / s

The VJP of `centred` takes the mean away, which makes it the known short formula.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bpc.diagnostics import Problem
from bpc.ops.arrays import array, internal
from bpc.ops.build import Builder, Expr
from bpc.ops.cost import arrays, per_entry
from bpc.ops.reductions import mean_of, nonempty, number_of, reduced, total
from bpc.ops.roles import Integer, Real, Value
from bpc.types import Axis, Shape, product, show, size

Axes = tuple[int, ...]


def _normalise_vjp(m: Builder, g: Expr, y: Expr, c: Expr, s: Expr, axes: Axes) -> Sequence[Any]:
    """By c alone: what comes of s is in it."""
    return (m.emit("normalise_slope", g, y, s, axes=axes), None)


def _slope_vjp(
    m: Builder, h: Expr, out: Expr, g: Expr, y: Expr, s: Expr, axes: Axes
) -> Sequence[Any]:
    """By g the operator again, as it is symmetric; by y and s, product and quotient rule."""
    dg = m.emit("normalise_slope", h, y, s, axes=axes)
    both = h * m.emit("mean", g * y, axes=axes, keep=True)
    both = both + g * m.emit("mean", h * y, axes=axes, keep=True)
    return dg, -both / s, -m.emit("sum", h * out, axes=axes, keep=True) / s


def _root_vjp(m: Builder, g: Expr, s: Expr, c: Expr, axes: Axes, eps: float) -> Sequence[Any]:
    """c / (n s), and 0 where s is 0."""
    zero = s.eq(0)
    n = m.real(product(c.shape[i].size for i in axes))
    return (c * m.select(zero, 0, g / (n * m.select(zero, 1, s))),)


def _root(m: Builder, c: Expr, axes: Axes, eps: float) -> Expr:
    n = number_of(m, c, axes, "mean")
    return m.sqrt(total(m, c * c, axes, True) / n + eps)


def _slope(m: Builder, g: Expr, y: Expr, s: Expr, axes: Axes) -> Expr:
    both = m.broadcast_to(mean_of(m, g * y, axes, True), g.shape)
    return (g - y * both) / m.broadcast_to(s, g.shape)


internal(
    "normalise",
    "c / s, where s is sqrt(mean(c * c) + eps) over the axes.",
    mixes=lambda c, s, axes: axes,
    stacks=True,
    infer=lambda c, s, axes: (c,),
    vjp=_normalise_vjp,
    flops=per_entry(1),
    expand=lambda m, c, s, axes: c / m.broadcast_to(s, c.shape),
    numpy=lambda c, x, s, axes: c.apply("/", (x, s), {}),
)


internal(
    "normalise_slope",
    "(g - y * mean(g * y)) / s, the mean over the axes.",
    mixes=lambda g, y, s, axes: axes,
    stacks=True,
    infer=lambda g, y, s, axes: (g,),
    vjp=_slope_vjp,
    expand=_slope,
    flops=per_entry(5),
    scratch=arrays(1),
    numpy=lambda c, g, y, s, axes: c.call("_normalise_slope", g, y, s, f"axis={_plain(axes)}"),
)
internal(
    "root_mean_square",
    "sqrt(mean(c * c) + eps) over the axes, which stay with size 1.",
    mixes=lambda c, axes, eps: axes,
    stacks=True,
    requires=lambda c, axes, eps: nonempty("mean")(c, axes, True),
    infer=lambda c, axes, eps: (reduced(c, axes, True),),
    vjp=_root_vjp,
    expand=_root,
    flops=per_entry(2),
    scratch=arrays(1),
    numpy=lambda c, x, axes, eps: c.call(
        "_root_mean_square", x, c.number(eps), f"axis={_plain(axes)}"
    ),
)


def _plain(axes: Axes) -> int | Axes:
    return axes[0] if len(axes) == 1 else axes


def _unit(m: Builder, name: str, c: Expr, axes: Axes, eps: float) -> Expr:
    """C over the root of its mean square."""
    if not eps >= 0:
        raise Problem("BP231", name=name, option="eps", wanted="a number from 0 on", found=eps)
    s = m.called(m.emit("root_mean_square", c, axes=axes, eps=eps), "scale")
    return m.called(m.emit("normalise", c, s, axes=axes), "unit")


def _check(name: str, x: Expr, least: int, **vectors: Expr) -> None:
    """X has enough axes, the others are vectors with an entry for each channel, or numbers."""
    if x.type.rank < least:
        raise Problem("BP206", name=name, shape=show(x.shape))
    for argument, vector in vectors.items():
        if vector.shape not in ((), x.shape[-1:]):
            what = f"a number or a vector {show(x.shape[-1:])} as `{argument}`"
            raise Problem("BP232", name=name, what=what, shape=show(vector.shape))


def _layer_norm(m: Builder, x: Value, gain: Value, bias: Value, eps: Real = 1e-5) -> Expr:
    _check("layer_norm", x, 1, gain=gain, bias=bias)
    last = (x.type.rank - 1,)
    y = _unit(m, "layer_norm", m.emit("centred", m.real(x), axes=last), last, eps)
    return gain * y + bias


def _rms_norm(m: Builder, x: Value, gain: Value, eps: Real = 1e-5) -> Expr:
    _check("rms_norm", x, 1, gain=gain)
    y = _unit(m, "rms_norm", m.real(x), (x.type.rank - 1,), eps)
    return gain * y


def _batch_norm(
    m: Builder,
    x: Value,
    gain: Value,
    bias: Value,
    mean: Value = None,  # type: ignore[assignment]
    var: Value = None,  # type: ignore[assignment]
    eps: Real = 1e-5,
) -> Any:
    name = "batch_norm"
    _check(name, x, 2, gain=gain, bias=bias)
    x = m.real(x)
    if mean is not None and var is not None:
        _check(name, x, 2, mean=mean, var=var)
        return gain * ((x - mean) / m.sqrt(var + eps)) + bias
    if mean is not None or var is not None:
        raise Problem("BP307", name=name, argument="mean" if mean is None else "var")
    axes = tuple(range(x.type.rank - 1))
    c = m.emit("centred", x, axes=axes)
    y = gain * _unit(m, name, c, axes, eps) + bias
    mean = m.emit("mean", x, axes=axes, keep=False)
    return y, mean, m.emit("mean", c * c, axes=axes, keep=False)


def _group_norm(
    m: Builder, x: Value, gain: Value, bias: Value, groups: Integer, eps: Real = 1e-5
) -> Expr:
    """Entries of one example and one group of channels have mean 0 and variance 1."""
    _check("group_norm", x, 2, gain=gain, bias=bias)
    parts = x.shape[-1].size / size(groups) if groups > 0 else size(0)
    if groups < 1 or (parts.constant is not None and parts.value is None):
        raise Problem("BP205", size=x.shape[-1], parts=groups)
    middle = product(a.size for a in x.shape[1:-1])
    shape: Shape = (x.shape[0], Axis(middle), Axis(size(groups)), Axis(parts))
    grouped = m.reshape(m.real(x), shape)
    y = _unit(m, "group_norm", m.emit("centred", grouped, axes=(1, 3)), (1, 3), eps)
    return gain * m.reshape(y, x.shape) + bias


_OPTION = {"eps": 0.1}
_DOMAIN = (*((-3.0, 3.0),) * 4, (0.5, 3.0))  # of the variance
DOCS = {
    "layer_norm": "Mean 0 and variance 1 along the last axis, times gain, plus bias.",
    "rms_norm": "Mean square 1 along the last axis, times gain.",
    "batch_norm": "`y, mean, var = batch_norm(x, gain, bias)`: mean 0 and variance 1 of each channel "
    "over all axes but the last, times gain, plus bias; with `mean` and `var` given, y of those.",
    "group_norm": "Mean 0 and variance 1 of each group of channels of an example [N, ..., C], times "
    "gain, plus bias.",
}
for _name, _call, _cases in (
    (
        "layer_norm",
        _layer_norm,
        (
            (((3, 4), (4,), (4,)), {}),
            (((2, 3, 4), (4,), (4,)), _OPTION),
            (((5,), (), ()), {}),
        ),
    ),
    (
        "rms_norm",
        _rms_norm,
        ((((3, 4), (4,)), {}), (((2, 3, 4), (4,)), _OPTION)),
    ),
    (
        "batch_norm",
        _batch_norm,
        (
            (((5, 3), (3,), (3,)), {}),
            (((2, 3, 2, 3), (3,), (3,)), _OPTION),
            (((5, 3), (3,), (3,), (3,), (3,)), _OPTION),
        ),
    ),
    (
        "group_norm",
        _group_norm,
        (
            (((2, 3, 2, 4), (4,), (4,)), {"groups": 2}),
            (((2, 6), (6,), (6,)), {"groups": 2, "eps": 0.1}),
            (((2, 3, 4), (4,), (4,)), {"groups": 1}),
        ),
    ),
):
    array(_name, DOCS[_name], call=_call, group="networks", cases=_cases, domain=_DOMAIN)
