"""Rules for an index into an array: slices, `new`, `...`, gather by int arrays."""

from __future__ import annotations

from typing import Any

from bpc import syntax
from bpc.lower.context import Context
from bpc.lower.steps import entry, stands_outside, step_position
from bpc.lower.values import describe, describe_kind, is_integer, is_number
from bpc.ops import Expr
from bpc.ops.cutting import cut
from bpc.types import Size, show, size

Item = tuple[Size, Size, int]


def subscript(c: Context, node: syntax.Index, x: Expr) -> Expr:
    """An array's index. Each item is planned as `new`, `slice`, `drop` (an integer) or `gather`."""
    plans: list[tuple[str, Any]] = []
    axis = 0
    for item in _full(c, node, x):
        if isinstance(item, syntax.New):
            plans.append(("new", None))
            continue
        length = x.shape[axis].size
        axis += 1
        if isinstance(item, syntax.Slice):
            plans.append(("slice", _slice(c, item, length)))
            continue
        value = c.evaluate(item)
        step = step_position(c, value) if isinstance(value, Expr) else None
        first = not any(kind == "entry" for kind, _ in plans)
        if step is not None and first and stands_outside(c, step[0], x):
            _check_step(c, item, step, length)
            plans.append(("entry", step))
        elif is_number(value):
            plans.append(("drop", (_position(c, item, value, length), size(1), 1)))
        elif isinstance(value, Expr) and value.type.kind == "int":
            plans.append(("gather", value))
        else:
            c.fail(item.span, "BP216", what=describe_kind(value))
    c.m.span = node.span
    x, plans = _entered(c, x, plans)
    _check_order(c, node, [kind for kind, _ in plans])
    c.m.span = node.span
    return _gather(c, _cut(c, x, plans), [p for p in plans if p[0] != "drop"])


def _entered(
    c: Context, x: Expr, plans: list[tuple[str, Any]]
) -> tuple[Expr, list[tuple[str, Any]]]:
    """The entry that a step of a loop reads, and what is left to do."""
    kinds = [kind for kind, _ in plans if kind != "new"]
    if "entry" in kinds:
        step = next(item for kind, item in plans if kind == "entry")
        x = entry(c, x, kinds.index("entry"), step)
    return x, [p for p in plans if p[0] != "entry"]


def _check_step(c: Context, node: syntax.Node, step: Any, length: Size) -> None:
    """Refuse an index that leaves the axis in the first or the last step."""
    frame, slope, start = step
    steps = frame.length - size(1)
    for when, position in (("first", start), ("last", start + steps * size(slope))):
        if frame.length != size(0) and _outside(position, size(0), length - size(1)):
            what = f"in the {when} step, `{node.span.text}` is {position}: it"
            c.fail(node.span, "BP219", what=what, length=length)


def _check_order(c: Context, node: syntax.Index, kinds: list[str]) -> None:
    """Index arrays stand side by side; integers count as such among them, as in NumPy."""
    places = [k for k, kind in enumerate(kinds) if kind in ("gather", "drop")]
    if "gather" in kinds and places[-1] - places[0] != len(places) - 1:
        help = "index in two steps, `x[0][:, ids]`"
        if "drop" not in kinds:
            help = "bring their axes together first: `transpose(x, 0, 2, 1)[i, j]`"
        c.fail(node.span, "BP217", help)


def _cut(c: Context, x: Expr, plans: list[tuple[str, Any]]) -> Expr:
    """Slices taken and integers' axes dropped."""
    old = [p for p in plans if p[0] != "new"]
    whole = [(size(0), a.size, 1) for a in x.shape]
    items = [w if kind == "gather" else item for (kind, item), w in zip(old, whole)]
    if items != whole:
        x = cut(c.m, x, items)
    if any(kind == "drop" for kind, _ in old):
        shape = tuple(a for a, (kind, _) in zip(x.shape, old) if kind != "drop")
        x = c.m.emit("reshape", x, shape=shape)
    return x


def _gather(c: Context, x: Expr, plans: list[tuple[str, Any]]) -> Expr:
    """Index arrays applied, together if there are several, and `new` axes made."""
    m = c.m
    ids = [item for kind, item in plans if kind == "gather"]
    if ids:
        kinds = [kind for kind, _ in plans if kind != "new"]
        if len(ids) > 1:
            common = sum(ids[1:], ids[0])
            ids = [m.broadcast_to(i, common.shape) for i in ids]
        x = m.emit("gather", x, *ids, axis=kinds.index("gather"))
    new, position = [], 0
    for kind, item in plans:
        if kind == "new":
            new.append(position)
        if kind != "gather":
            position += 1
        elif item is next(i for k, i in plans if k == "gather"):
            position += ids[0].type.rank
    return m.emit("expand_dims", x, axes=tuple(new)) if new else x


def _full(c: Context, node: syntax.Index, x: Expr) -> list[Any]:
    """The items with `...` and missing axes spelled out as full slices."""
    items = list(node.items)
    used = sum(1 for i in items if not isinstance(i, syntax.New | syntax.Ellipsis_))
    dots = [i for i, item in enumerate(items) if isinstance(item, syntax.Ellipsis_)]
    if used > x.type.rank or len(dots) > 1:
        what = "a second `...`" if len(dots) > 1 else "too many indices"
        c.fail(node.span, "BP218", what=what, shape=show(x.shape))
    at = dots[0] if dots else len(items)
    full = [syntax.Slice(node.span, None, None, None)] * (x.type.rank - used)
    items[at : at + len(dots)] = full
    return items


def _position(c: Context, node: syntax.Node, value: Any, length: Size) -> Size:
    """Where an integer points, counted from 0; out of range is an error where that is known."""
    if not is_integer(value) and not (isinstance(value, Size) and value.whole):
        c.fail(node.span, "BP216", what=describe(value))
    position = _from_start(value, length)
    if _outside(position, size(0), length - size(1)):
        c.fail(node.span, "BP219", what=f"index {describe(value)}", length=length)
    return position


def _from_start(value: int | Size, length: Size) -> Size:
    """An index counted from 0, where a negative number counts from the end."""
    position = value if isinstance(value, Size) else size(value)
    number = position.value
    return length + position if number is not None and number < 0 else position


def _outside(position: Size, low: Size, high: Size) -> bool:
    """Whether it is certain that a position is not in low..high."""
    gaps = (position - low).value, (high - position).value
    return any(gap is not None and gap < 0 for gap in gaps)


def _slice(c: Context, node: syntax.Slice, length: Size) -> Item:
    """(start, count, step) as NumPy reads start:stop:step, within the axis."""
    step = 1 if node.step is None else c.evaluate(node.step)
    if not is_integer(step) or step == 0:
        return c.fail(node.span, "BP220")
    first, last = (size(0), length) if step > 0 else (size(-1), length - size(1))
    start = _bound(c, node.start, length, first if step > 0 else last)
    stop = _bound(c, node.stop, length, last if step > 0 else first)
    if _outside(start, first, last) or _outside(stop, first, last):
        c.fail(node.span, "BP219", what=f"slice `{node.span.text}`", length=length)
    span = stop - start if step > 0 else start - stop
    count = ((span + size(abs(step) - 1)) / size(abs(step))).floor()
    negative = count.value is not None and count.value < 0
    return start, size(0) if negative else count, step


def _bound(c: Context, node: Any, length: Size, default: Size) -> Size:
    if node is None:
        return default
    value = c.evaluate(node)
    if not is_integer(value) and not (isinstance(value, Size) and value.whole):
        c.fail(node.span, "BP216", what=describe(value))
    return _from_start(value, length)
