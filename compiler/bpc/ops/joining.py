"""Operators that put arrays together, frame or shift them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bpc.diagnostics import Problem
from bpc.ops.arrays import array
from bpc.ops.build import Builder, Expr
from bpc.ops.cost import NOTHING
from bpc.ops.cutting import part, take_one
from bpc.ops.roles import Axis, Integer, NewAxis, Real, Static, Value
from bpc.ops.rows import Meets, only
from bpc.types import Axis as AxisType
from bpc.types import Type, show, size

# Joining


def _joined(*types: Type, axis: int) -> tuple[Type]:
    first = types[0]
    total = first.shape[axis].size
    for other in types[1:]:
        rest = [a for i, a in enumerate(other.shape) if i != axis]
        if other.rank != first.rank or rest != [a for i, a in enumerate(first.shape) if i != axis]:
            help = f"`concat` wants equal sizes on all axes but axis {axis}"
            raise Problem("BP201", help, shapes=f"{show(first.shape)} and {show(other.shape)}")
        total = total + other.shape[axis].size
    shape = [AxisType(total) if i == axis else a for i, a in enumerate(first.shape)]
    return (first.with_shape(shape),)


def _concat_vjp(m: Builder, g: Expr, out: Expr, *xs: Expr, axis: int) -> Sequence[Any]:
    start, parts = size(0), []
    for x in xs:
        n = x.shape[axis].size
        parts.append(part(m, g, axis, start, n))
        start = start + n
    return parts


def _same_kind(m: Builder, xs: tuple[Any, ...]) -> list[Expr]:
    kinds = {x.type.kind for x in xs}
    return [m.real(x) for x in xs] if len(kinds) > 1 else list(xs)


def _concat(m: Builder, *xs: Value, axis: Axis = 0) -> Expr:
    return m.emit("concat", *_same_kind(m, xs), axis=axis)


def _joined_rows(_: Sequence[Type], places: Sequence[int | None], axis: int) -> int:
    place = only(places)
    if place == axis:
        raise Meets("`concat` along {dim} mixes its entries")
    return place


def _stacked_rows(_: Sequence[Type], places: Sequence[int | None], axis: int) -> int:
    place = only(places)
    return place + 1 if axis <= place else place


array(
    "concat",
    "Joined along an axis that all have.",
    linear=True,
    stacks=True,
    rows=_joined_rows,
    call=_concat,
    infer=_joined,
    vjp=_concat_vjp,
    numpy=lambda c, *xs, axis: c.call("np.concatenate", c.display(xs), *c.nonzero("axis", axis)),
    into=lambda c, out, *xs, axis: c.call("np.concatenate", c.display(xs), c.number(axis), out),
    cases=((((2, 3), (4, 3)), {"axis": 0}), (((2, 3), (2, 1)), {"axis": -1})),
)


def _stack(m: Builder, *xs: Value, axis: NewAxis = 0) -> Expr:
    return m.emit("stack", *_same_kind(m, xs), axis=axis)


def _stack_spelling(c: Any, *xs: Any, axis: int) -> Any:
    """Numbers among scalars must not decide the dtype."""
    given = c.nonzero("axis", axis)
    if xs[0].type.kind == "real" and not xs[0].type.rank:
        given.append(c.keyword("dtype", c.dtype()[0].text))
    return c.call("np.stack", c.display(xs), *given)


def _stacked(*types: Type, axis: int) -> tuple[Type]:
    first = types[0]
    for other in types[1:]:
        if other.shape != first.shape:
            help = "`stack` wants equal shapes"
            raise Problem("BP201", help, shapes=f"{show(first.shape)} and {show(other.shape)}")
    shape = [*first.shape[:axis], AxisType(size(len(types))), *first.shape[axis:]]
    return (first.with_shape(shape),)


array(
    "stack",
    "Joined along a new axis.",
    linear=True,
    stacks=True,
    rows=_stacked_rows,
    call=_stack,
    infer=_stacked,
    vjp=lambda m, g, out, *xs, axis: [take_one(m, g, axis, size(i)) for i in range(len(xs))],
    numpy=_stack_spelling,
    into=lambda c, out, *xs, axis: c.call("np.stack", c.display(xs), c.number(axis), out),
    cases=(
        (((3,), (3,)), {"axis": 0}),
        (((2, 3), (2, 3)), {"axis": 1}),
        (((2, 3), (2, 3)), {"axis": -1}),
        (((), ()), {}),
    ),
)


def _pad(m: Builder, x: Value, widths: Static, value: Real = 0.0) -> Expr:
    rank = x.type.rank
    both = (widths, widths) if isinstance(widths, int) else widths
    fixed = [both] * rank if all(isinstance(b, int) for b in both) else list(both)
    pairs = all(isinstance(pair, tuple) and len(pair) == 2 for pair in fixed)
    if len(fixed) != rank or not pairs or any(b < 0 for pair in fixed for b in pair):
        raise Problem("BP207", rank=rank, help="as in `pad(x, ((0, 0), (1, 1)))`")
    if not float(value).is_integer():
        x = m.real(x)
    return m.emit("pad", x, widths=tuple(fixed), value=float(value))


def _pad_spelling(c: Any, x: Any, widths: Any, value: float) -> Any:
    filler = c.number(value if x.type.kind == "real" else int(value)).text
    given = [c.keyword("constant_values", filler)] if value else []
    return c.call("np.pad", x, c.text(str(widths)), *given)


def _pad_vjp(m: Builder, g: Expr, out: Expr, x: Expr, widths: Any, value: float) -> Sequence[Any]:
    items = tuple((size(before), a.size, 1) for (before, _), a in zip(widths, x.shape))
    return (m.emit("slice", g, items=items),)


array(
    "pad",
    "Framed by a value: ((before, after), ...) for each axis.",
    linear=True,
    flops=NOTHING,
    mixes=lambda t, widths, value: tuple(i for i, w in enumerate(widths) if any(w)),
    call=_pad,
    infer=lambda t, widths, value: (
        t.with_shape(
            AxisType(a.size + size(b + e)) if b + e else a for a, (b, e) in zip(t.shape, widths)
        ),
    ),
    vjp=_pad_vjp,
    numpy=_pad_spelling,
    into=lambda c, out, x, widths, value: c.call(
        "_padded", x, c.text(str(widths)), c.number(value), out
    ),
    cases=(
        (((2, 3),), {"widths": ((0, 0), (1, 2))}),
        (((3,),), {"widths": ((1, 0),), "value": 2.5}),
        (((2, 3),), {"widths": 1}),
    ),
)


def _roll(m: Builder, x: Value, n: Integer, axis: Axis) -> Expr:
    return m.emit("roll", x, n=n, axis=axis)


array(
    "roll",
    "Shifted by n along an axis; what leaves at the end comes in at the start.",
    linear=True,
    mixes=lambda t, n, axis: (axis,),
    call=_roll,
    infer=lambda t, n, axis: (t,),
    vjp=lambda m, g, out, x, n, axis: (m.emit("roll", g, n=-n, axis=axis),),
    numpy=lambda c, x, n, axis: c.call("np.roll", x, c.number(n), c.number(axis)),
    moves=True,
    cases=((((3, 4),), {"n": 1, "axis": 0}), (((3, 4),), {"n": -2, "axis": 1})),
)
