"""Operators that take parts of arrays, and their adjoints, which lay the parts back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bpc.diagnostics import Problem
from bpc.ops.arrays import array, internal
from bpc.ops.build import Builder, Expr
from bpc.ops.cost import ITEM, per_entry
from bpc.ops.roles import Axis, Integer, Value
from bpc.ops.rows import SUM, Meets, only
from bpc.types import Axis as AxisType
from bpc.types import Size, Type, size

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
        if count == axis.size and (start, step) in ((size(0), 1), (axis.size - size(1), -1)):
            continue
        last = start + (count - size(1)) * size(step)
        low, high = (start, last) if step > 0 else (last, start)
        for bound in (low, axis.size - high - size(1), count):
            found.append((bound, f"an index leaves the axis of size {axis}"))
        found.append((count.floor() - count, f"the axis of size {axis} has no parts of {count}"))
    return found


def _sliced_rows(
    types: Sequence[Type], places: Sequence[int], items: Any, shape: Any = None
) -> int:
    """All of the rows are taken, in their order; and laid back so, as the adjoint does."""
    length = (shape or types[0].shape)[places[0]].size
    if items[places[0]] != (size(0), length, 1):
        raise Meets("a part of the axis {dim} is taken")
    return places[0]


internal(
    "slice",
    "Every step-th entry from start on, on each axis.",
    linear=True,
    stacks=True,
    rows=_sliced_rows,
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
    "entry",
    "One entry of an array as a number, no view; made by codegen alone.",
    infer=lambda t, items: (t.with_shape(()),),
    numpy=lambda c, x, items: c.slice(x, items, range(x.type.rank)),
    requires=_slice_requires,
)
internal(
    "unpick",
    "Zeros of a shape with the value in place of a pick; made by codegen alone.",
    infer=lambda t, shape, items, dropped: (t.with_shape(shape),),
    numpy=lambda c, x, shape, items, dropped: c.call(
        "_unslice", x, c.shape(shape), c.index(shape, items, dropped)
    ),
    into=lambda c, out, x, shape, items, dropped: c.call(
        "_unslice", x, c.shape(shape), c.index(shape, items, dropped), out
    ),
)
internal(
    "unslice",
    "Zeros of a shape with the value in place of a slice.",
    linear=True,
    stacks=True,
    rows=_sliced_rows,
    infer=lambda t, shape, items: (t.with_shape(shape),),
    vjp=lambda m, g, out, x, shape, items: (m.emit("slice", g, items=items),),
    numpy=lambda c, x, shape, items: c.call("_unslice", x, c.shape(shape), c.index(shape, items)),
    into=lambda c, out, x, shape, items: c.call(
        "_unslice", x, c.shape(shape), c.index(shape, items), out
    ),
)


def _parts(c: Any, xs: Sequence[Any], shape: Any, places: Any) -> list[Any]:
    """Each index and what goes there."""
    return [c.display((c.index(shape, items), x)) for x, items in zip(xs, places)]


internal(
    "overlaid",
    "Zeros of a shape to which values are added in place of slices; made by codegen alone.",
    infer=lambda t, *types, shape, places: (t.with_shape(shape),),
    flops=per_entry(1),
    numpy=lambda c, *xs, shape, places: c.call(
        "_overlaid", c.shape(shape), *_parts(c, xs, shape, places)
    ),
    into=lambda c, out, *xs, shape, places: c.call(
        "_overlaid",
        c.shape(shape),
        *_parts(c, xs, shape, places),
        c.keyword("out", out.code.text),
    ),
)


def cut(m: Builder, x: Expr, items: Any) -> Expr:
    """The slice; backwards, in two where an end could become -1, which NumPy takes for the last.

    That is an end which only the call knows, and the start of what may be empty.
    """
    items = tuple(items)
    forward, turned = list(items), whole(x.shape)
    for i, (start, count, step) in enumerate(items):
        end = start + (count - size(1)) * size(step)
        flips = (end, step, count) == (size(0), -1, x.shape[i].size)
        if step < 0 and not flips and (end.value is None or not count.value):
            forward[i] = end, count, -step
            turned[i] = count - size(1), count, -1
    if tuple(forward) == items:
        return m.emit("slice", x, items=items)
    first = m.emit("slice", x, items=tuple(forward))
    back = [t if t[2] < 0 else w for t, w in zip(turned, whole(first.shape))]
    return m.emit("slice", first, items=tuple(back))


def whole(shape: Any) -> list[tuple[Size, Size, int]]:
    """Slices that take all of a shape."""
    return [(size(0), axis.size, 1) for axis in shape]


def part(m: Builder, x: Expr, axis: int, start: Size, count: Size, step: int = 1) -> Expr:
    """A slice along one axis."""
    items = whole(x.shape)
    items[axis] = (start, count, step)
    return m.emit("slice", x, items=tuple(items))


def take_one(m: Builder, x: Expr, axis: int, i: Size) -> Expr:
    """One entry of an axis, the axis dropped."""
    taken = part(m, x, axis, i, size(1))
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    return m.emit("reshape", taken, shape=shape)


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


# Gather and scatter: integer arrays index neighbouring axes from `axis` on, together


def _gathered(t: Type, *indices: Type, axis: int) -> tuple[Type]:
    shape = (*t.shape[:axis], *indices[0].shape, *t.shape[axis + len(indices) :])
    return (t.with_shape(shape),)


def _gathered_rows(types: Sequence[Type], places: Sequence[int | None], axis: int) -> int:
    """The rows are those of the indices, or of axes that are not indexed."""
    table, ids = places[0], places[1:]
    if table is None:
        return axis + only(ids)
    if any(p is not None for p in ids) or axis <= table < axis + len(ids):
        raise Meets("an index picks among the entries of {dim}")
    return table if table < axis else table - len(ids) + types[1].rank


def _scattered_rows(
    types: Sequence[Type], places: Sequence[int | None], shape: Any, axis: int
) -> int:
    """Values of each row go where its indices say, and are added up; or each row is by itself."""
    place, ids, rank = places[0], places[1:], types[1].rank
    if any(p is not None for p in ids):
        if place != axis + only(ids):
            raise Meets
        return SUM
    if place is None or axis <= place < axis + rank:
        raise Meets
    return place if place < axis else place - rank + len(ids)


internal(
    "gather",
    "Entries picked by integer arrays of one shape.",
    linear=True,
    raises=True,
    rows=_gathered_rows,
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
    linear=True,
    raises=True,
    rows=_scattered_rows,
    infer=lambda t, *ids, shape, axis: (t.with_shape(shape),),
    flops=per_entry(1),
    # float32 is added up as float64: the whole, and the entries.
    scratch=lambda into, out, t, *ids, shape, axis: (
        (out.count + size(2) * t.type.count) * (size(8) - ITEM)
    ),
    vjp=lambda m, g, out, x, *ids, shape, axis: [
        m.emit("gather", g, *ids, axis=axis),
        *(None for _ in ids),
    ],
    numpy=lambda c, x, *ids, shape, axis: c.call(
        "_scatter", x, c.shape(shape), c.gather_index(ids, axis)
    ),
)
