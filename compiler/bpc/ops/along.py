"""Operators that work along one axis: argmax, running sums, products, normalised exponentials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bpc.ops.base import Expand, Op, register
from bpc.ops.build import Builder, Expr
from bpc.ops.cost import Flops, Scratch, arrays, nbytes, per_entry
from bpc.ops.reductions import exponentials, reduced, total
from bpc.ops.roles import Axes, Axis, Flag, Value
from bpc.types import Axis as AxisType
from bpc.types import Size, Type, size


def along(
    name: str,
    doc: str,
    call: Callable[..., Any] | None,
    numpy: Callable[..., Any],
    vjp: Callable[..., Sequence[Any]] | None,
    infer: Callable[..., tuple[Type, ...]] = lambda t, axis: (t,),
    requires: Callable[..., list[tuple[Size, str]]] | None = None,
    group: str = "reductions",
    safe: tuple[float | str | None, ...] = (),
    expand: Expand | None = None,
    flops: Flops | None = None,
    scratch: Scratch | None = None,
) -> None:
    """Register an operator that works along one axis."""
    cases = ((((3, 4),), {"axis": 0}), (((3, 4),), {"axis": -1}))
    register(
        Op(
            name,
            group,
            doc,
            call=call,
            mixes=lambda t, axis: (axis,),
            stacks=True,
            infer=infer,
            vjp=vjp,
            expand=expand,
            numpy=numpy,
            requires=requires,
            safe=safe,
            flops=flops,
            scratch=scratch,
            cases=cases if call else (),
        )
    )


def _arg(name: str) -> Callable[..., Any]:
    def call(m: Builder, x: Value, axis: Axis = None) -> Expr:
        if axis is None:
            x, axis = m.reshape(x, shape=(AxisType(x.type.count),)), 0
        return m.emit(name, x, axis=axis)

    return call


for _name, _word in (("argmax", "largest"), ("argmin", "smallest")):
    along(
        _name,
        f"Index of the {_word} entry, the first of equal ones; without axis of all entries.",
        _arg(_name),
        lambda c, x, axis, name=_name: c.method(x, name, c.axis(x, axis)),
        None,
        lambda t, axis: (reduced(t, (axis,), False, "int"),),
        lambda t, axis: [(t.shape[axis].size - size(1), "argmax or argmin of no entries")],
    )


def _cumsum(m: Builder, x: Value, axis: Axis) -> Expr:
    return m.emit("cumsum", m.real(x) if x.type.kind == "bool" else x, axis=axis)


along(
    "cumsum",
    "Running sum along an axis.",
    _cumsum,
    lambda c, x, axis: c.method(x, "cumsum", c.keyword("axis", axis)),
    lambda m, g, out, x, axis: (m.flip(m.emit("cumsum", m.flip(g, axis), axis=axis), axis),),
)


def _prod(m: Builder, x: Value, axis: Axes = None, keep: Flag = False) -> Expr:
    """One axis after the other."""
    x = m.real(x)
    for i in sorted(axis, reverse=True):
        x = m.emit("prod", x, axis=i)
    return m.expand(x, axes=axis) if keep and axis else x


register(
    Op(
        "prod",
        "reductions",
        "Product; its derivative divides by nothing, so zeros are fine.",
        mixes=lambda t, axis: (axis,),
        stacks=True,
        call=_prod,
        infer=lambda t, axis: (reduced(t, (axis,), False),),
        vjp=lambda m, g, out, x, axis: (
            m.broadcast_to(m.expand(g, axes=(axis,)), x.shape) * m.prod_others(x, axis=axis),
        ),
        numpy=lambda c, x, axis: c.method(x, "prod", c.axis(x, axis)),
        cases=((((3, 4),), {}), (((3, 4),), {"axis": 0}), (((2, 3),), {"axis": -1, "keep": True})),
    )
)


def _prod_others(m: Builder, g: Expr, out: Expr, x: Expr, axis: int) -> Sequence[Any]:
    """d out_i / d x_j is the product of all entries but i and j: one more prod_others a column.

    Entry i of the result is a product over x with entry i set to 1; so for all i at once, take x
    with its diagonal set to 1 on two copies of the axis.
    """
    n = x.type.shape[axis]
    last = m.moveaxis(x, axis, x.type.rank - 1)
    others = m.broadcast_to(m.expand(last, axes=(x.type.rank - 1,)), (*last.shape, n))
    eye = m.broadcast_to(m.emit("eye", size=n), others.shape).eq(1)
    pairs = m.prod_others(m.select(eye, 1, others), axis=x.type.rank)
    columns = m.expand(m.moveaxis(g, axis, x.type.rank - 1), axes=(x.type.rank,))
    slope = m.select(eye, 0, pairs * m.broadcast_to(columns, pairs.shape))
    total = m.emit("sum", slope, axes=(x.type.rank - 1,), keep=False)
    return (m.moveaxis(total, x.type.rank - 1, axis),)


along(
    "prod_others",
    "For each entry the product of all the others along an axis, without division.",
    None,
    lambda c, x, axis: c.call("_prod_others", x, c.number(axis)),
    _prod_others,
    group="internal",
    flops=per_entry(3),
    scratch=arrays(3),
)


# Normalised exponentials


def _sums(type: Type, axis: int) -> Size:
    """The bytes of what stands once along an axis."""
    return nbytes(type) / type.shape[axis].size if type.count.terms else size(0)


def _softmax(m: Builder, x: Value, axis: Axis = -1) -> Expr:
    return m.emit("softmax", m.real(x), axis=axis)


def _log_softmax(m: Builder, x: Value, axis: Axis = -1) -> Expr:
    return m.emit("log_softmax", m.real(x), axis=axis)


def _softmax_parts(m: Builder, x: Expr, axis: int) -> Expr:
    _, e, added = exponentials(m, x, (axis,))
    return e / m.broadcast_to(added, x.shape)


def _log_softmax_parts(m: Builder, x: Expr, axis: int) -> Expr:
    shift, _, added = exponentials(m, x, (axis,))
    return x - m.broadcast_to(shift, x.shape) - m.broadcast_to(m.log(added), x.shape)


def _slope_parts(m: Builder, g: Expr, y: Expr, axis: int) -> Expr:
    return y * (g - m.broadcast_to(total(m, g * y, (axis,), True), g.shape))


def _softmax_slope_vjp(
    m: Builder, h: Expr, out: Expr, g: Expr, y: Expr, axis: int
) -> Sequence[Any]:
    """By g the operator again, as it is symmetric."""
    both = m.emit("sum", g * y, axes=(axis,), keep=True)
    other = m.emit("sum", h * y, axes=(axis,), keep=True)
    return m.emit("softmax_slope", h, y, axis=axis), h * (g - both) - g * other


along(
    "softmax",
    "exp(x) / sum(exp(x)) along an axis.",
    _softmax,
    lambda c, x, axis: c.call("_softmax", x, *c.last(x, axis)),
    lambda m, g, y, x, axis: (m.emit("softmax_slope", g, y, axis=axis),),
    group="activations",
    safe=(0.0,),
    expand=_softmax_parts,
    flops=per_entry(5),
    scratch=lambda into, out, x, axis: nbytes(out) + _sums(out, axis),
)
register(
    Op(
        "softmax_slope",
        "internal",
        "y * (g - sum(g * y)): the adjoint g of y = softmax(x) becomes that of x.",
        mixes=lambda g, y, axis: (axis,),
        stacks=True,
        infer=lambda g, y, axis: (g,),
        vjp=_softmax_slope_vjp,
        expand=_slope_parts,
        flops=per_entry(4),
        scratch=lambda into, out, g, y, axis: _sums(out, axis),
        numpy=lambda c, g, y, axis: c.call("_softmax_slope", g, y, *c.last(g, axis)),
    )
)
along(
    "log_softmax",
    "x - logsumexp(x) along an axis.",
    _log_softmax,
    lambda c, x, axis: c.call("_log_softmax", x, *c.last(x, axis)),
    lambda m, g, y, x, axis: (g - m.exp(y) * m.emit("sum", g, axes=(axis,), keep=True),),
    group="activations",
    safe=(0.0,),
    expand=_log_softmax_parts,
    flops=per_entry(5),
    scratch=lambda into, out, x, axis: nbytes(out) + _sums(out, axis),
)
