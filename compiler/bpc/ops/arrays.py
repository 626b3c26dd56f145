"""Operators that change the kind or the shape of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bpc.diagnostics import Problem
from bpc.ops.base import Op, register
from bpc.ops.build import Builder, Expr
from bpc.ops.roles import Axes, Axis, Shape, Static, Value
from bpc.ops.rows import Meets
from bpc.types import NEW, ONE, Mismatch, Size, Type, broadcast_shapes, product, show, size
from bpc.types import Axis as AxisType


def array(name: str, doc: str, **fields: Any) -> None:
    """Register an operator of this family."""
    register(Op(name, fields.pop("group", "arrays"), doc, **fields))


def internal(name: str, doc: str, **fields: Any) -> None:
    """Register an operator that only the IR has."""
    array(name, doc, group="internal", **fields)


# Kinds and shapes


def _unsafe(kind: str, target: str) -> list[str]:
    """Where NumPy would rather not."""
    ordered = ("bool", "int", "real")
    plain = ordered.index(kind) < ordered.index(target) and (kind, target) != ("int", "real")
    return [] if plain else ['casting="unsafe"']


def _cast_vjp(m: Builder, g: Expr, out: Expr, x: Expr, kind: str) -> Sequence[Any]:
    return (g if x.type.kind == "real" else None,)


internal(
    "cast",
    "The same entries of another kind.",
    aligned=True,
    stacks=True,
    infer=lambda t, kind: (t.with_kind(kind),),
    vjp=_cast_vjp,
    numpy=lambda c, x, kind: c.cast(x, kind),
    into=lambda c, out, x, kind: c.call("np.copyto", out, x, *_unsafe(x.type.kind, kind)),
    scalar=lambda c, x, kind: c.call({"real": "float", "int": "int", "bool": "bool"}[kind], x),
    moves=True,
)
internal(
    "identity",
    "The same value under a name of its own.",
    aligned=True,
    stacks=True,
    infer=lambda t: (t,),
    vjp=lambda m, g, out, x: (g,),
    numpy=lambda c, x: x,
    scalar=lambda c, x: x,
    view=True,
    moves=True,
)
internal(
    "copy",
    "The same value in memory of its own.",
    aligned=True,
    stacks=True,
    infer=lambda t: (t,),
    vjp=lambda m, g, out, x: (g,),
    numpy=lambda c, x: c.copy(x),
    into=lambda c, out, x: c.call("np.copyto", out, x),
    scalar=lambda c, x: x,
)
internal(
    "full",
    "An array of one number.",
    infer=lambda t, shape: (t.with_shape(shape),),
    numpy=lambda c, x, shape: c.full(x, shape),
    into=lambda c, out, x, shape: c.method(out, "fill", x),
    scalar=lambda c, x, shape: x,
)


def _unbroadcast(m: Builder, g: Expr, out: Expr, x: Expr, shape: Any) -> Sequence[Any]:
    """The one place where a gradient is summed back over the axes that were stretched.

    So is a condition, which is true where any of the copies is (see passes/guard.py).
    """
    lead = len(shape) - x.type.rank
    inner = tuple(
        i for i, a in enumerate(x.shape) if a.size == ONE.size and shape[lead + i].size != ONE.size
    )
    axes = tuple(range(lead)) + tuple(lead + i for i in inner)
    together = "any" if g.type.kind == "bool" else "sum"
    total = m.emit(together, g, axes=axes, keep=False)
    return (m.expand(total, axes=inner) if inner else total,)


def _broadcast(m: Builder, x: Value, shape: Shape) -> Expr:
    try:
        fits = broadcast_shapes((x.shape, shape)) == shape
    except Mismatch:
        fits = False
    if not fits:
        help = "trailing axes align, and axes of size 1 stretch"
        raise Problem("BP203", help, old=show(x.shape), new=show(shape))
    return m.broadcast_to(x, shape)


array(
    "broadcast",
    "Stretched to a shape: trailing axes align, axes of size 1 repeat.",
    linear=True,
    stacks=True,
    call=_broadcast,
    cases=((((3,),), {"shape": (2, 3)}), (((2, 1),), {"shape": (2, 3)})),
    rows=lambda types, places, shape: places[0] + len(shape) - types[0].rank,
    infer=lambda t, shape: (t.with_shape(shape),),
    vjp=_unbroadcast,
    numpy=lambda c, x, shape: c.call("np.broadcast_to", x, c.shape(shape)),
    view=True,
    moves=True,
)


def _expand(m: Builder, x: Value, axes: Any) -> Expr:
    return m.emit("expand_dims", x, axes=tuple(axes))


def _expanded(t: Type, axes: tuple[int, ...]) -> tuple[Type]:
    rest = iter(t.shape)
    return (t.with_shape(NEW if i in axes else next(rest) for i in range(t.rank + len(axes))),)


internal(
    "expand",
    "Shorthand of expand_dims for rules.",
    call=_expand,
)
internal(
    "expand_dims",
    "New axes of size 1.",
    linear=True,
    stacks=True,
    rows=lambda types, places, axes: [i for i in range(types[0].rank + len(axes)) if i not in axes][
        places[0]
    ],
    infer=_expanded,
    vjp=lambda m, g, out, x, axes: (m.reshape(g, x.shape),),
    numpy=lambda c, x, axes: c.expand(x, axes),
    view=True,
    moves=True,
)


def _reshape(m: Builder, x: Value, shape: Shape) -> Expr:
    known = product(a.size for a in shape if a is not None)
    if any(a is None for a in shape):
        rest = x.type.count / known if known.terms else size(0)
        if rest.constant is not None and rest.value is None:
            wanted = ", ".join("-1" if a is None else str(a) for a in shape)
            help = f"{x.type.count} entries are no multiple of {known}"
            raise Problem("BP203", help, old=show(x.shape), new=f"[{wanted}]")
        missing = AxisType(rest)
        shape = tuple(missing if a is None else a for a in shape)
    total = product(a.size for a in shape)
    if total != x.type.count:
        raise Problem(
            "BP203",
            help=f"{show(x.shape)} has {x.type.count} entries, {show(tuple(shape))} has {total}",
            old=show(x.shape),
            new=show(tuple(shape)),
        )
    return m.emit("reshape", x, shape=tuple(shape))


def _reshaped_rows(types: Sequence[Type], places: Sequence[int], shape: Shape) -> int:
    """The axis with as many entries before it: it may take in axes behind the rows, or let them go."""
    before = product(a.size for a in types[0].shape[: places[0]])
    for i, axis in enumerate(shape):
        if axis.size != ONE.size and product(a.size for a in shape[:i]) == before:
            return i
    raise Meets("`reshape` joins {dim} with another axis")


array(
    "reshape",
    "The same entries in row-major order in another shape; one axis may be -1.",
    linear=True,
    stacks=True,
    rows=_reshaped_rows,
    call=_reshape,
    infer=lambda t, shape: (t.with_shape(shape),),
    vjp=lambda m, g, out, x, shape: (m.emit("reshape", g, shape=x.shape),),
    numpy=lambda c, x, shape: c.method(x, "reshape", *(c.sizes(shape) or [c.shape(())])),
    view=True,
    moves=True,
    requires=lambda t, shape: [
        (a.size.floor() - a.size, f"{show(t.shape)} does not fit the shape {show(shape)}")
        for a in shape
    ],
    cases=(
        (((3, 4),), {"shape": (2, 6)}),
        (((3, 4),), {"shape": (-1,)}),
        (((3, 4),), {"shape": (4, -1)}),
    ),
)


def _transpose(m: Builder, x: Value, *axes: Static) -> Expr:
    order = axes[0] if len(axes) == 1 and isinstance(axes[0], tuple) else axes
    rank = x.type.rank
    order = tuple(range(rank))[::-1] if not order else order
    fixed = tuple(a + rank if isinstance(a, int) and a < 0 else a for a in order)
    if sorted(fixed, key=str) != sorted(range(rank), key=str):
        help = "name each axis once, as in `transpose(x, 2, 0, 1)`"
        raise Problem("BP204", help, order=", ".join(map(str, order)), rank=rank)
    return m.emit("transpose", x, order=fixed)


def _transpose_vjp(m: Builder, g: Expr, out: Expr, x: Expr, order: Any) -> Sequence[Any]:
    inverse = tuple(sorted(range(len(order)), key=lambda i: order[i]))
    return (m.emit("transpose", g, order=inverse),)


array(
    "transpose",
    "Axes in another order; without one, in reverse.",
    linear=True,
    stacks=True,
    rows=lambda types, places, order: order.index(places[0]),
    call=_transpose,
    infer=lambda t, order: (t.with_shape(t.shape[i] for i in order),),
    vjp=_transpose_vjp,
    numpy=lambda c, x, order: c.transpose(x, order),
    view=True,
    moves=True,
    cases=((((2, 3, 4),), {"*": (2, 0, 1)}), (((2, 3),), {})),
)


def _moveaxis(m: Builder, x: Expr, source: int, target: int) -> Expr:
    if source == target:
        return x
    order = [i for i in range(x.type.rank) if i != source]
    order.insert(target, source)
    return m.emit("transpose", x, order=tuple(order))


internal("moveaxis", "Shorthand of transpose for rules.", call=_moveaxis)


def _squeezed(m: Builder, x: Value, axes: Axes) -> Expr:
    shape = tuple(a for i, a in enumerate(x.shape) if i not in axes)
    return m.emit("reshape", x, shape=shape)


internal("squeeze", "Without axes of size 1, for rules.", call=_squeezed)


def _size(m: Builder, x: Value, axis: Axis) -> Size:
    length: Size = x.shape[axis].size
    return length


array(
    "size",
    "The size of an axis, as a number known at compile time.",
    call=_size,
    cases=((((3, 4),), {"axis": 1}), (((3, 4),), {"axis": 0})),
)
