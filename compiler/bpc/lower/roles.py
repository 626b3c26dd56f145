"""What the language's functions take: each role reads an argument and checks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bpc import syntax
from bpc.lower.context import Context, DimValue
from bpc.lower.expressions import describe, named_dim, operand, truth
from bpc.ops import Expr
from bpc.source import Span
from bpc.types import Axis, Size, Type, show, size

LARGEST = 2**63 - 1


def value(c: Context, name: str, node: Any, first: Expr | None) -> Expr:
    """An array or a number."""
    return c.m.expr(operand(c, c.evaluate(node), node))


def condition(c: Context, name: str, node: Any, first: Expr | None) -> Expr:
    """A bool array."""
    return c.m.expr(truth(c, c.evaluate(node), node, name))


def flag(c: Context, name: str, node: Any, first: Expr | None) -> bool:
    """True or false."""
    found = c.evaluate(node)
    if not isinstance(found, bool):
        c.fail(node.span, "BP311", name=name, what="true or false", found=describe(found))
    return bool(found)


def integer(c: Context, name: str, node: Any, first: Expr | None) -> int:
    """An integer known at compile time."""
    found = c.evaluate(node)
    if isinstance(found, bool) or not isinstance(found, int):
        c.fail(node.span, "BP311", name=name, what="an integer here", found=describe(found))
    return int(found)


def real(c: Context, name: str, node: Any, first: Expr | None) -> float:
    """A number known at compile time."""
    found = c.evaluate(node)
    if isinstance(found, bool) or not isinstance(found, int | float):
        c.fail(node.span, "BP311", name=name, what="a number known here", found=describe(found))
    return float(found)


def anything(c: Context, name: str, node: Any, first: Expr | None) -> Any:
    """What is known at compile time."""
    found = c.evaluate(node)
    if isinstance(found, Expr):
        c.fail(node.span, "BP311", name=name, what="a value known here", found=describe(found))
    return found


def length(c: Context, name: str, node: Any, first: Expr | None) -> Size:
    """A size."""
    return axis_of(c, node).size


def shape(c: Context, name: str, node: Any, first: Expr | None) -> tuple[Any, ...]:
    """The axes of a shape; -1 becomes None."""
    if isinstance(node, syntax.Tuple):
        return tuple(_axis_or_rest(c, item) for item in node.items)
    found = c.evaluate(node)
    if isinstance(found, tuple):
        return tuple(_as_axis(c, item, node.span, name == "reshape") for item in found)
    return (_axis_or_rest(c, node),)


def _axis_or_rest(c: Context, node: Any) -> Axis | None:
    named = named_dim(c, node)
    if named is not None:
        return Axis(named.size, named.label)
    return _as_axis(c, c.evaluate(node), node.span, rest=True)


def axis_of(c: Context, node: Any) -> Axis:
    """One entry of a shape: a dim with its label, or a size that is computed."""
    named = named_dim(c, node)
    if named is not None:
        return Axis(named.size, named.label)
    axis = _as_axis(c, c.evaluate(node), node.span, rest=False)
    assert axis is not None
    return axis


def _as_axis(c: Context, found: Any, span: Span, rest: bool) -> Axis | None:
    if rest and found == -1 and isinstance(found, int):
        return None
    if isinstance(found, Size):
        return Axis(found)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= LARGEST:
        c.fail(span, "BP402", what=describe(found))
    return Axis(size(found))


def axis(
    c: Context, name: str, node: Any, first: Expr | None, span: Span | None = None, extra: int = 0
) -> int | None:
    """One axis of the first value, counted from 0; without a node the default stands in."""
    if node is None:
        return None
    type = first.type if first is not None else Type("real")
    rank = type.rank + extra
    if isinstance(node, int):
        found: Any = node
        place = span
    else:
        place = node.span
        named = named_dim(c, node)
        if named is not None:
            return _labelled(c, named, type, place)
        found = c.evaluate(node)
    if isinstance(found, bool) or not isinstance(found, int):
        c.fail(place, "BP311", name=name, what="an axis", found=describe(found))  # type: ignore[arg-type]
    if not -rank <= found < rank:
        c.fail(place, "BP221", axis=found, shape=show(type.shape))  # type: ignore[arg-type]
    return int(found) % rank


def _labelled(c: Context, named: DimValue, type: Type, span: Span) -> int:
    fits = [i for i, a in enumerate(type.shape) if a.label == named.label]
    if len(fits) != 1:
        what = "no axis" if not fits else f"{len(fits)} axes"
        c.fail(span, "BP222", label=named.label, what=what, shape=show(type.shape))
    return fits[0]


def new_axis(c: Context, name: str, node: Any, first: Expr | None, span: Any = None) -> int | None:
    """One axis of a result that has one axis more than the first value."""
    return axis(c, name, node, first, span, extra=1)


def axes(
    c: Context, name: str, node: Any, first: Expr | None, span: Span | None = None
) -> tuple[int, ...]:
    """Several axes, sorted; None stands for all."""
    if node is None:
        return tuple(range(first.type.rank)) if first is not None else ()
    if isinstance(node, syntax.Tuple):
        found = [axis(c, name, item, first) for item in node.items]
    else:
        known = None if named_dim(c, node) else c.evaluate(node)
        if isinstance(known, tuple):
            found = [axis(c, name, i, first, node.span) for i in known]
        else:
            found = [axis(c, name, node, first)]
    if len(set(found)) != len(found):
        c.fail(node.span, "BP223")
    return tuple(sorted(i for i in found if i is not None))


ROLES: dict[str, Callable[..., Any]] = {
    "Value": value,
    "Bool": condition,
    "Flag": flag,
    "Integer": integer,
    "Real": real,
    "Static": anything,
    "Length": length,
    "Shape": shape,
    "Axis": axis,
    "NewAxis": new_axis,
    "Axes": axes,
}
