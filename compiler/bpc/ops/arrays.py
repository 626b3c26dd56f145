"""Operators that make, shape, cut and join arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bpc.diagnostics import Problem
from bpc.ops.base import Op, register
from bpc.ops.build import Builder, Expr
from bpc.ops.roles import Axes, Axis, Integer, Length, NewAxis, Real, Shape, Static, Value
from bpc.types import NEW, ONE, Mismatch, Size, Type, broadcast_shapes, product, show, size
from bpc.types import Axis as AxisType


def array(name: str, doc: str, **fields: Any) -> None:
    """Register an operator of this family."""
    register(Op(name, fields.pop("group", "arrays"), doc, **fields))


def internal(name: str, doc: str, **fields: Any) -> None:
    """Register an operator that only the IR has."""
    array(name, doc, group="internal", **fields)


# Kinds and shapes


def _cast_vjp(m: Builder, g: Expr, out: Expr, x: Expr, kind: str) -> Sequence[Any]:
    return (g if x.type.kind == "real" else None,)


internal(
    "cast",
    "The same entries of another kind.",
    infer=lambda t, kind: (t.with_kind(kind),),
    vjp=_cast_vjp,
    numpy=lambda c, x, kind: c.cast(x, kind),
    scalar=lambda c, x, kind: c.call({"real": "float", "int": "int", "bool": "bool"}[kind], x),
    moves=True,
)
internal(
    "identity",
    "The same value under a name of its own.",
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
    infer=lambda t: (t,),
    vjp=lambda m, g, out, x: (g,),
    numpy=lambda c, x: c.copy(x),
    scalar=lambda c, x: x,
)
internal(
    "full",
    "An array of one number.",
    infer=lambda t, shape: (t.with_shape(shape),),
    numpy=lambda c, x, shape: c.full(x, shape),
    scalar=lambda c, x, shape: x,
)


def _stop(m: Builder, x: Value) -> Expr:
    return m.emit("stop", x)


array(
    "stop",
    "Passes the value and no gradient.",
    call=_stop,
    group="gradient control",
    infer=lambda t: (t,),
    numpy=lambda c, x: x,
    scalar=lambda c, x: x,
    view=True,
    moves=True,
    cases=((((3,),), {}), (((),), {})),
)


def _unbroadcast(m: Builder, g: Expr, out: Expr, x: Expr, shape: Any) -> Sequence[Any]:
    """The one place where a gradient is summed back over the axes that were stretched."""
    lead = len(shape) - x.type.rank
    inner = tuple(
        i for i, a in enumerate(x.shape) if a.size == ONE.size and shape[lead + i].size != ONE.size
    )
    axes = tuple(range(lead)) + tuple(lead + i for i in inner)
    total = m.emit("sum", g, axes=axes, keep=False)
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
    call=_broadcast,
    cases=((((3,),), {"shape": (2, 3)}), (((2, 1),), {"shape": (2, 3)})),
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
    infer=_expanded,
    vjp=lambda m, g, out, x, axes: (m.reshape(g, x.shape),),
    numpy=lambda c, x, axes: c.expand(x, axes),
    view=True,
    moves=True,
)


def _reshape(m: Builder, x: Value, shape: Shape) -> Expr:
    known = product(a.size for a in shape if a is not None)
    if any(a is None for a in shape):
        missing = AxisType(x.type.count / known if known.terms else size(0))
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


array(
    "reshape",
    "The same entries in row-major order in another shape; one axis may be -1.",
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


# Cutting: a slice is (start, count, step) for each axis


def _sliced(t: Type, items: Any) -> tuple[Type]:
    return (
        t.with_shape(
            a if (start, count, step) == (size(0), a.size, 1) else AxisType(count)
            for a, (start, count, step) in zip(t.shape, items)
        ),
    )


def _slice_requires(t: Type, items: Any) -> list[tuple[Size, str]]:
    found = []
    for axis, (start, count, step) in zip(t.shape, items):
        if count == axis.size and start in (size(0), axis.size - size(1)):
            continue
        last = start + (count - size(1)) * size(step)
        low, high = (start, last) if step > 0 else (last, start)
        for bound in (low, axis.size - high - size(1), count):
            found.append((bound, f"an index leaves the axis of size {axis}"))
        found.append((count.floor() - count, f"the axis of size {axis} has no parts of {count}"))
    return found


internal(
    "slice",
    "Every step-th entry from start on, on each axis.",
    infer=_sliced,
    vjp=lambda m, g, out, x, items: (m.emit("unslice", g, shape=x.shape, items=items),),
    numpy=lambda c, x, items: c.slice(x, items),
    view=True,
    moves=True,
    requires=_slice_requires,
)
internal(
    "pick",
    "A slice without the axes of which it takes one entry; made by codegen alone.",
    infer=lambda t, items, dropped: (
        t.with_shape(a for i, a in enumerate(_sliced(t, items)[0].shape) if i not in dropped),
    ),
    numpy=lambda c, x, items, dropped: c.slice(x, items, dropped),
    view=True,
    requires=lambda t, items, dropped: _slice_requires(t, items),
)
internal(
    "unpick",
    "Zeros of a shape with the value in place of a pick; made by codegen alone.",
    infer=lambda t, shape, items, dropped: (t.with_shape(shape),),
    numpy=lambda c, x, shape, items, dropped: c.call(
        "_unslice", x, c.shape(shape), c.index(shape, items, dropped)
    ),
)
internal(
    "unslice",
    "Zeros of a shape with the value in place of a slice.",
    infer=lambda t, shape, items: (t.with_shape(shape),),
    vjp=lambda m, g, out, x, shape, items: (m.emit("slice", g, items=items),),
    numpy=lambda c, x, shape, items: c.call("_unslice", x, c.shape(shape), c.index(shape, items)),
)


def whole(shape: Any) -> list[tuple[Size, Size, int]]:
    """Slices that take all of a shape."""
    return [(size(0), axis.size, 1) for axis in shape]


def part(m: Builder, x: Expr, axis: int, start: Size, count: Size, step: int = 1) -> Expr:
    """A slice along one axis."""
    items = whole(x.shape)
    items[axis] = (start, count, step)
    return m.emit("slice", x, items=tuple(items))


def _flip(m: Builder, x: Value, axis: Axis) -> Expr:
    n = x.shape[axis].size
    return part(m, x, axis, n - size(1), n, -1)


array("flip", "Reversed along an axis.", call=_flip, cases=((((3, 4),), {"axis": 0}),))


MOST_PIECES = 1000  # parts that an array can be split into: each is a value of its own


def _split(m: Builder, x: Value, parts: Integer, axis: Axis) -> tuple[Expr, ...]:
    n = x.shape[axis].size
    if parts > MOST_PIECES:
        raise Problem("BP205", f"at most {MOST_PIECES} parts", size=x.shape[axis], parts=parts)
    each = n / size(parts) if parts > 0 else None
    if each is None or (each.constant is not None and each.value is None):
        raise Problem("BP205", size=x.shape[axis], parts=parts)
    return tuple(part(m, x, axis, each * size(i), each) for i in range(parts))


array(
    "split",
    "Equal parts along an axis: `i, f = split(z, 2, axis=-1)`.",
    call=_split,
    cases=((((4, 6),), {"parts": 3, "axis": 1}),),
)


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


array(
    "concat",
    "Joined along an axis that all have.",
    call=_concat,
    infer=_joined,
    vjp=_concat_vjp,
    numpy=lambda c, *xs, axis: c.call("np.concatenate", c.display(xs), *c.nonzero("axis", axis)),
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


def take_one(m: Builder, x: Expr, axis: int, i: Size) -> Expr:
    """One entry of an axis, the axis dropped."""
    taken = part(m, x, axis, i, size(1))
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    return m.emit("reshape", taken, shape=shape)


array(
    "stack",
    "Joined along a new axis.",
    call=_stack,
    infer=_stacked,
    vjp=lambda m, g, out, *xs, axis: [take_one(m, g, axis, size(i)) for i in range(len(xs))],
    numpy=_stack_spelling,
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
    call=_pad,
    infer=lambda t, widths, value: (
        t.with_shape(
            AxisType(a.size + size(b + e)) if b + e else a for a, (b, e) in zip(t.shape, widths)
        ),
    ),
    vjp=_pad_vjp,
    numpy=_pad_spelling,
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
    call=_roll,
    infer=lambda t, n, axis: (t,),
    vjp=lambda m, g, out, x, n, axis: (m.emit("roll", g, n=-n, axis=axis),),
    numpy=lambda c, x, n, axis: c.call("np.roll", x, c.number(n), c.number(axis)),
    moves=True,
    cases=((((3, 4),), {"n": 1, "axis": 0}), (((3, 4),), {"n": -2, "axis": 1})),
)


# Gather and scatter: integer arrays index neighbouring axes from `axis` on, together


def _gathered(t: Type, *indices: Type, axis: int) -> tuple[Type]:
    shape = (*t.shape[:axis], *indices[0].shape, *t.shape[axis + len(indices) :])
    return (t.with_shape(shape),)


internal(
    "gather",
    "Entries picked by integer arrays of one shape.",
    infer=_gathered,
    vjp=lambda m, g, out, x, *ids, axis: [
        m.emit("scatter", g, *ids, shape=x.shape, axis=axis),
        *(None for _ in ids),
    ],
    numpy=lambda c, x, *ids, axis: c.gather(x, ids, axis),
)
internal(
    "scatter",
    "Zeros of a shape to which values are added at the entries that integer arrays name.",
    infer=lambda t, *ids, shape, axis: (t.with_shape(shape),),
    vjp=lambda m, g, out, x, *ids, shape, axis: [
        m.emit("gather", g, *ids, axis=axis),
        *(None for _ in ids),
    ],
    numpy=lambda c, x, *ids, shape, axis: c.call(
        "_scatter", x, c.shape(shape), c.gather_index(ids, axis)
    ),
)


# Making


def _filled(name: str, number: float) -> None:
    def call(m: Builder, *shape: Shape) -> Expr:
        return m.expr(number, Type("real", shape))

    array(name, f"An array of {name}: `{name}(N, H)`.", call=call, cases=(((), {"*": (3, 4)}),))


_filled("zeros", 0.0)
_filled("ones", 1.0)


def _eye(m: Builder, n: Length) -> Expr:
    return m.emit("eye", size=AxisType(n))


array(
    "eye",
    "The identity matrix.",
    call=_eye,
    infer=lambda size: (Type("real", (size, size)),),
    numpy=lambda c, size: c.call(
        "np.eye", *c.sizes((size,)), c.keyword("dtype", c.dtype()[0].text)
    ),
    cases=(((), {"*": (3,)}),),
)


def _arange(m: Builder, n: Length) -> Expr:
    return m.emit("arange", size=AxisType(n))


array(
    "arange",
    "The integers 0 to n - 1.",
    call=_arange,
    infer=lambda size: (Type("int", (size,)),),
    numpy=lambda c, size: c.call("np.arange", *c.sizes((size,))),
    cases=(((), {"*": (5,)}),),
)


def _one_hot(m: Builder, label: Value, classes: Length) -> Expr:
    if label.type.kind != "int":
        raise Problem("BP212", name="one_hot", kind=label.type.kind)
    return m.emit("one_hot", label, classes=AxisType(classes))


array(
    "one_hot",
    "1 at the label and 0 elsewhere on a new last axis; no 1 where the label is out of range.",
    call=_one_hot,
    infer=lambda t, classes: (Type("real", (*t.shape, classes)),),
    numpy=lambda c, x, classes: c.call("_one_hot", x, *c.sizes((classes,)), *c.dtype()),
    cases=(((("int<5", 3),), {"classes": 4}), ((("int<4", 2, 3),), {"classes": 4})),
)


def _triangle(name: str) -> Any:
    def call(m: Builder, x: Value, k: Integer = 0) -> Expr:
        if x.type.rank < 2:
            raise Problem("BP206", name=name, shape=show(x.shape))
        return m.emit(name, m.real(x), k=k)

    return call


for _name, _word in (("tril", "below"), ("triu", "above")):
    array(
        _name,
        f"The entries on and {_word} the k-th diagonal, 0 elsewhere.",
        call=_triangle(_name),
        infer=lambda t, k: (t,),
        vjp=lambda m, g, out, x, k, name=_name: (m.emit(name, g, k=k),),
        numpy=lambda c, x, k, name=_name: c.call(f"np.{name}", x, *c.nonzero("k", k)),
        cases=((((3, 4),), {}), (((3, 3),), {"k": -1})),
    )


def _diag(m: Builder, x: Value) -> Expr:
    if x.type.rank == 1:
        eye = m.emit("eye", size=x.shape[0])
        return m.select(eye.eq(1), m.expand(x, axes=(0,)), 0)
    if x.type.rank < 2 or x.shape[-1] != x.shape[-2]:
        raise Problem("BP208", name="diag", shape=show(x.shape))
    return m.emit("diagonal", x)


array(
    "diag",
    "The matrix with a vector on its diagonal, or the diagonal of (a batch of) square matrices.",
    call=_diag,
    cases=((((3,),), {}), (((3, 3),), {}), (((2, 3, 3),), {})),
)


def _diagonal_vjp(m: Builder, g: Expr, out: Expr, x: Expr) -> Sequence[Any]:
    eye = m.broadcast_to(m.emit("eye", size=x.shape[-1]), x.shape)
    return (m.select(eye.eq(1), m.expand(g, axes=(g.type.rank - 1,)), 0),)


internal(
    "diagonal",
    "The diagonal of the last two axes.",
    infer=lambda t: (t.with_shape(t.shape[:-1]),),
    vjp=_diagonal_vjp,
    numpy=lambda c, x: c.diagonal(x),
    view=True,
)


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
