"""Rules for `x[...]`: superscripts, slices, `new`, gather by int arrays."""

from __future__ import annotations

from typing import Any

from bpc import syntax
from bpc.diagnostics import Problem
from bpc.lower import static
from bpc.lower.context import Context, DimValue, Failed, rule
from bpc.lower.expressions import describe, operand, superscript, unknown
from bpc.lower.scope import POISON, text
from bpc.ops import Expr
from bpc.types import Size, show, size

Item = tuple[Size, Size, int]


@rule(syntax.Index)
def _index(c: Context, node: syntax.Index) -> Any:
    if isinstance(node.base, syntax.Name) and c.scope.is_family(node.base.name):
        if len(node.items) != 1:
            c.fail(node.span, "BP103", name=node.base.name)
        key = superscript(c, node.base.name, node.items[0])
        value = c.scope.lookup(key)
        if value is POISON:
            raise Failed
        if value is None:
            unknown(c, text(key), node.span)
        return static.simplest(value.size) if isinstance(value, DimValue) else value
    value = c.evaluate(node.base)
    if isinstance(value, tuple):
        return _entry(c, node, value)
    if not isinstance(value, Expr):
        c.fail(node.base.span, "BP213", what=describe(value))
    return subscript(c, node, value)


def _entry(c: Context, node: syntax.Index, value: tuple[Any, ...]) -> Any:
    i = c.evaluate(node.items[0]) if len(node.items) == 1 else None
    if isinstance(i, bool) or not isinstance(i, int) or not -len(value) <= i < len(value):
        c.fail(node.span, "BP106", length=len(value))
    return value[i]  # type: ignore[index]


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
        value = operand(c, c.evaluate(item), item)
        if not isinstance(value, Expr):
            plans.append(("drop", (_position(c, item, value, length), size(1), 1)))
        elif value.type.kind == "int":
            plans.append(("gather", value))
        else:
            c.fail(item.span, "BP216", kind=value.type.kind)
    c.m.span = node.span
    return _gather(c, node, _cut(c, x, plans), [p for p in plans if p[0] != "drop"])


def _cut(c: Context, x: Expr, plans: list[tuple[str, Any]]) -> Expr:
    """Slices taken and integers' axes dropped."""
    old = [p for p in plans if p[0] != "new"]
    whole = [(size(0), a.size, 1) for a in x.shape]
    items = [w if kind == "gather" else item for (kind, item), w in zip(old, whole)]
    if items != whole:
        x = c.m.emit("slice", x, items=tuple(items))
    if any(kind == "drop" for kind, _ in old):
        shape = tuple(a for a, (kind, _) in zip(x.shape, old) if kind != "drop")
        x = c.m.emit("reshape", x, shape=shape)
    return x


def _gather(c: Context, node: syntax.Index, x: Expr, plans: list[tuple[str, Any]]) -> Expr:
    """Index arrays applied, together if there are several, and `new` axes made."""
    m = c.m
    ids = [item for kind, item in plans if kind == "gather"]
    if ids:
        places = [k for k, p in enumerate(p for p in plans if p[0] != "new") if p[0] == "gather"]
        if places[-1] - places[0] != len(places) - 1:
            c.fail(node.span, "BP217")
        if len(ids) > 1:
            try:
                common = sum(ids[1:], ids[0])
            except Problem as problem:
                c.record(problem, node.span)
                raise Failed from None
            ids = [m.broadcast_to(i, common.shape) for i in ids]
        x = m.emit("gather", x, *ids, axis=places[0])
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
        c.fail(node.span, "BP218", shape=show(x.shape), used=used)
    at = dots[0] if dots else len(items)
    full = [syntax.Slice(node.span, None, None, None)] * (x.type.rank - used)
    items[at : at + len(dots)] = full
    return items


def _position(c: Context, node: syntax.Node, value: Any, length: Size) -> Size:
    """Where an integer points, counted from 0; out of range is an error where that is known."""
    if isinstance(value, float | bool) or (isinstance(value, Size) and not value.whole):
        c.fail(node.span, "BP216", kind="real")
    position = value if isinstance(value, Size) else size(value)
    number, known = position.value, length.value
    if number is not None and number < 0:
        position = length + position
        number = position.value
    if number is not None and known is not None and not 0 <= number < known:
        c.fail(node.span, "BP219", what=f"index {value}", length=known)
    return position


def _slice(c: Context, node: syntax.Slice, length: Size) -> Item:
    """(start, count, step) as NumPy reads start:stop:step, within the axis."""
    step = 1 if node.step is None else c.evaluate(node.step)
    if isinstance(step, bool) or not isinstance(step, int) or step == 0:
        c.fail(node.span, "BP220")
    last = length - size(1)
    start = _bound(c, node.start, length, size(0) if step > 0 else last)
    stop = _bound(c, node.stop, length, length if step > 0 else size(-1))
    span = stop - start if step > 0 else start - stop
    count = ((span + size(abs(step) - 1)) / size(abs(step))).floor()
    if count.value is not None and count.value < 0:
        count = size(0)
    known = length.value
    for bound in (start, stop):
        number = bound.value
        if known is not None and number is not None and not -1 <= number <= known:
            c.fail(node.span, "BP219", what=f"slice {node.span.text}", length=known)
    return start, count, step


def _bound(c: Context, node: Any, length: Size, default: Size) -> Size:
    if node is None:
        return default
    value = c.evaluate(node)
    if isinstance(value, bool) or not isinstance(value, int | Size):
        c.fail(node.span, "BP216", kind="real")
    bound = value if isinstance(value, Size) else size(value)
    number = bound.value
    return length + bound if number is not None and number < 0 else bound
