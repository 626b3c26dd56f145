"""A syntax tree as indented text, one node a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from bpc import syntax

#: deeper nodes are not indented further, but say how deep they are
DEEPEST = 40
#: operators of one precedence: a chain of them is shown flat, from left to right
LEVELS = {"+": 1, "-": 1, "*": 2, "/": 2, "@": 2, "and": 3, "or": 4}


def tree(model: syntax.Model) -> Iterator[str]:
    """The lines of a tree; `a + b - c` is a Chain of a, + b, - c.

    Cost 7:1
      target: Target J 7:6
      value: Name w 7:10
    """
    yield f"Model {model.source.name}"
    waiting: list[tuple[str, Any, int]] = [("", s, 1) for s in reversed(model.statements)]
    while waiting:
        label, value, depth = waiting.pop()
        inline, children = _parts(value)
        words = [label, *inline]
        margin = "  " * depth if depth <= DEEPEST else "  " * DEEPEST + f"[{depth}] "
        yield margin + " ".join(w for w in words if w)
        waiting += [(name, child, depth + 1) for name, child in reversed(children)]


def _parts(value: Any) -> tuple[list[str], list[tuple[str, Any]]]:
    """What stands on the node's own line, and what stands below it."""
    if isinstance(value, tuple):  # an item of `output`: a target and perhaps a value
        return ["Item"], [("", v) for v in value if v is not None]
    where = f"{value.span.line}:{value.span.column}"
    if isinstance(value, syntax.Binary) and value.op in LEVELS:
        chain = _chain(value)
        if len(chain) > 2:
            return ["Chain", where], chain
    inline, children = [type(value).__name__.rstrip("_")], []
    for field in fields(value)[1:]:
        part = getattr(value, field.name)
        if isinstance(part, syntax.Node):
            children.append((f"{field.name}:", part))
        elif isinstance(part, tuple):
            children += [(f"{field.name}:", item) for item in part]
        elif isinstance(part, bool):
            inline.append(f"{field.name}={str(part).lower()}")
        elif part is not None:
            inline.append(_shown(part))
    return [*inline, where], children


def _shown(part: Any) -> str:
    return part if isinstance(part, str) and part.isprintable() else repr(part)


def _chain(node: syntax.Binary) -> list[tuple[str, Any]]:
    """Operands of a chain, each with the operator before it."""
    level = LEVELS[node.op]
    parts: list[tuple[str, Any]] = []
    left: Any = node
    while isinstance(left, syntax.Binary) and LEVELS.get(left.op) == level:
        parts.append((left.op, left.right))
        left = left.left
    return [("", left), *reversed(parts)]
