"""What the language's functions take: each role reads an argument and checks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bpc import syntax
from bpc.lower.context import Context
from bpc.lower.expressions import operand, truth
from bpc.lower.values import DimValue, all_known, describe, is_integer
from bpc.ops import Expr
from bpc.source import Span
from bpc.types import Axis, Size, Type, show, size

LARGEST = 2**63 - 1
MOST_AXES = 64


def value(c: Context, name: str, node: Any, first: Expr | None) -> Expr:
    """An array or a number."""
    return c.m.expr(operand(c, c.evaluate(node), node))


def name(c: Context, function: str, node: Any, first: Expr | None) -> Expr:
    """An array under a name: `x`, `w[1]`, `conv1.W`."""
    head = node
    while isinstance(head, syntax.Index | syntax.Attribute):
        head = head.base
    mark = len(c.m.body)
    found = c.evaluate(node)
    made = {o for e in c.m.body[mark:] for o in e.outs}
    if not isinstance(found, Expr) or not isinstance(head, syntax.Name):
        return c.fail(node.span, "BP146", "name it first: `y = ...`", what=describe(found))
    plain = isinstance(node, syntax.Name)
    if plain or found.atom not in made or found.atom in c.names:
        return found
    return c.fail(node.span, "BP146", "name it first: `y = ...`", what=describe(found))


def condition(c: Context, name: str, node: Any, first: Expr | None) -> Expr:
    """A bool array."""
    return c.m.expr(truth(c, c.evaluate(node), node, name))


def flag(c: Context, name: str, node: Any, first: Expr | None) -> bool:
    """True or false."""
    found = c.evaluate(node)
    if not isinstance(found, bool):
        _reject(c, node.span, name, "`true` or `false`", found)
    return bool(found)


def integer(c: Context, name: str, node: Any, first: Expr | None) -> int:
    """An integer known at compile time."""
    found = c.evaluate(node)
    if not is_integer(found):
        _reject(c, node.span, name, "an integer here", found)
    return int(found)


def real(c: Context, name: str, node: Any, first: Expr | None) -> float:
    """A number known at compile time."""
    found = c.evaluate(node)
    if isinstance(found, bool) or not isinstance(found, int | float):
        _reject(c, node.span, name, "a number known at compile time here", found)
    return float(found)


def static(c: Context, name: str, node: Any, first: Expr | None) -> Any:
    """Integers known at compile time, in tuples or alone."""
    found = all_known(c.meaning(node))
    for leaf in _leaves(found):
        if not is_integer(leaf):
            _reject(c, node.span, name, "integers known at compile time here", leaf)
    return found


def _leaves(found: Any) -> Iterator[Any]:
    if not isinstance(found, tuple):
        yield found
        return
    for item in found:
        yield from _leaves(item)


def text(c: Context, name: str, node: Any, first: Expr | None) -> str:
    """A text in quotes."""
    found = c.evaluate(node)
    if not isinstance(found, str):
        _reject(c, node.span, name, 'a text first, such as `"ij,jk->ik"`', found)
    return str(found)


def _reject(c: Context, span: Span, name: str, what: str, found: Any) -> Any:
    return c.fail(span, "BP311", name=name, what=what, found=describe(found))


# Sizes and shapes


def length(c: Context, name: str, node: Any, first: Expr | None) -> Size:
    """A size."""
    return axis_of(c, node).size


def shape(c: Context, name: str, node: Any, first: Expr | None) -> tuple[Axis | None, ...]:
    """The axes of a shape, given as a tuple or one by one; for `reshape` -1 becomes None."""
    found = c.meaning(node)
    rest = name == "reshape"
    if not isinstance(found, tuple):
        return (_axis(c, found, node.span, rest),)
    spans = [item.span for item in node.items] if isinstance(node, syntax.Tuple) else []
    spans = spans or [node.span] * len(found)
    check_rank(c, len(found), node.span)
    axes = tuple([_axis(c, item, span, rest) for item, span in zip(found, spans)])
    if axes.count(None) > 1:
        last = max(i for i, a in enumerate(axes) if a is None)
        c.fail(spans[last], "BP402", "one axis may be -1, the rest", what="a second `-1`")
    return axes


def check_rank(c: Context, rank: int, span: Span) -> None:
    """Refuse a shape that NumPy cannot have."""
    if rank > MOST_AXES:
        c.fail(span, "BP226", limit=MOST_AXES, rank=rank)


def axis_of(c: Context, node: Any) -> Axis:
    """One entry of a shape: a dim with its label, or a size that is computed."""
    axis = _axis(c, c.meaning(node), node.span)
    assert axis is not None
    return axis


def _axis(c: Context, found: Any, span: Span, rest: bool = False) -> Axis | None:
    if isinstance(found, DimValue):
        return Axis(found.size, found.label)
    if isinstance(found, Size):
        return Axis(found)
    if rest and found == -1 and is_integer(found):
        return None
    return Axis(size(checked_size(c, found, span)))


def checked_size(c: Context, found: Any, span: Span) -> int:
    """A number that can be a size."""
    if not is_integer(found) or not 0 <= found <= LARGEST:
        help = "the largest is 2^63 - 1" if is_integer(found) and found > 0 else None
        c.fail(span, "BP402", help, what=describe(found))
    return int(found)


# Axes


def axis(c: Context, name: str, node: Any, first: Expr | None) -> int:
    """One axis of the first value, counted from 0."""
    return place(c, name, c.meaning(node), first, node.span)


def new_axis(c: Context, name: str, node: Any, first: Expr | None) -> int:
    """One axis of a result that has one axis more than the first value."""
    return place(c, name, c.meaning(node), first, node.span, extra=1)


def axes(c: Context, name: str, node: Any, first: Expr | None) -> tuple[int, ...]:
    """Several axes, sorted."""
    found = c.meaning(node)
    items = found if isinstance(found, tuple) else (found,)
    spans = [item.span for item in node.items] if isinstance(node, syntax.Tuple) else []
    places = [
        place(c, name, item, first, span)
        for item, span in zip(items, spans or [node.span] * len(items))
    ]
    if len(set(places)) != len(places):
        c.fail(node.span, "BP223")
    return tuple(sorted(places))


def place(c: Context, name: str, found: Any, first: Expr | None, span: Span, extra: int = 0) -> int:
    """The axis that a number or a dim's label means."""
    type = first.type if first is not None else Type("real")
    if isinstance(found, DimValue):
        return _labelled(c, found, type, span)
    if not is_integer(found):
        _reject(c, span, name, "an axis here", found)
    rank = type.rank + extra
    if not -rank <= found < rank:
        help = None if type.shape else "it is a number, without axes"
        c.fail(span, "BP221", help, axis=found, shape=show(type.shape))
    return int(found) % rank


def _labelled(c: Context, named: DimValue, type: Type, span: Span) -> int:
    fits = [i for i, a in enumerate(type.shape) if a.label == named.label]
    if len(fits) != 1:
        what = "no axis" if not fits else f"{len(fits)} axes"
        help = "give the axis by its number" if fits else None
        values = {"label": named.label, "what": what, "shape": show(type.shape)}
        c.fail(span, "BP222", help, **values)
    return fits[0]


def default(c: Context, role: str, name: str, found: Any, first: Expr | None, span: Span) -> Any:
    """What a missing argument stands for: all axes for None, an axis of the first value."""
    if found is None:
        return tuple(range(first.type.rank)) if role == "Axes" and first is not None else None
    return place(c, name, found, first, span, extra=role == "NewAxis")


ROLES: dict[str, Callable[..., Any]] = {
    "Value": value,
    "Name": name,
    "Factor": value,
    "Bool": condition,
    "Flag": flag,
    "Integer": integer,
    "Real": real,
    "Static": static,
    "Text": text,
    "Length": length,
    "Shape": shape,
    "Axis": axis,
    "NewAxis": new_axis,
    "Axes": axes,
    "GivenAxes": axes,
}
