"""Names where they are used: superscripts, and what to say of a name that nothing has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bpc import syntax
from bpc.lower.context import Context, Failed, Place, targets
from bpc.lower.scope import POISON, Key, Scope, spelling, text
from bpc.lower.values import Module, is_integer
from bpc.source import Span

MOST_SHOWN = 4
NO_EXPRESSION = (syntax.Slice, syntax.New, syntax.Ellipsis_)  # what only an array's index can be
#: what people write who think of Python
FOREIGN = dict.fromkeys(("np", "numpy", "math", "torch"), "functions need no module: `exp(x)`")
FOREIGN["nn"] = "`use nn` brings in the layer library"
FOREIGN |= {"T": "`x.T` is x transposed", "range": "`for l in 1..3` counts from 1 to 3"}


def superscript(c: Context, base: str, node: Any) -> Key:
    """The key of `base[node]`, where node must be an integer known at compile time."""
    value: Any = None if isinstance(node, NO_EXPRESSION) else c.evaluate(node)
    if not is_integer(value) or value < 0:
        c.fail(node.span, "BP103", name=base)
    return base, value


def key_of(c: Context, target: syntax.Target) -> Key:
    """The name that a target defines."""
    if target.superscript is None:
        return target.name, None
    return superscript(c, target.name, target.superscript)


def define(c: Context, scope: Scope, key: Key, value: Any, span: Span) -> None:
    """Define a name once in its scope."""
    name = text(key)
    if c.scope.both_ways(key):
        c.fail(span, "BP108", "give one of the two another name", name=key[0])
    there = scope.define(key, value)
    if there == name:
        library = isinstance(value, Module) or isinstance(scope.values[key], Module)
        help = f"`use {name}` defines it too" if library else again(c, key, span)
        c.fail(span, "BP107", help, name=name)
    if there is not None:
        c.fail(span, "BP109", name=name, other=there, spelling=spelling(key))


def again(c: Context, key: Key, span: Span) -> str:
    """What to do about a name that is defined for a second time."""
    first, loop = places(c).get(key[0], (None, None))
    if first is not None and first.span == span and loop is not None:
        return f"each round of the `for` does it: write `{key[0]}[{loop.variable.name}]`"
    if key[1] is None and first is not None:
        return f"the first is in line {first.span.line}; `{key[0]}[1]`, `{key[0]}[2]` are two names"
    return "each name is assigned once"


def use(value: Any) -> Any:
    """A value that was looked up; Failed where its definition failed."""
    if value is POISON:
        raise Failed
    return value


def unknown(c: Context, key: Key, span: Span) -> Any:
    """Report a name that nothing visible has, but not one of a statement that could not be read."""
    if key[0] in c.model.lost:
        raise Failed
    return c.fail(span, "BP101", _family(c, key) or elsewhere(c, key[0], span), name=text(key))


def _family(c: Context, key: Key) -> str | None:
    """The superscripts that there are, for one that there is not."""
    if key[1] is None:
        return None
    there = [n for n in c.scope.visible() if n.startswith(f"{key[0]}[")]
    shown = ", ".join(f"`{n}`" for n in there[:MOST_SHOWN])
    return f"there is {shown}{', ...' if len(there) > MOST_SHOWN else ''}"


def elsewhere(c: Context, name: str, span: Span) -> str | None:
    """Where else the file defines a name; or a name that is spelled alike."""
    target, loop = places(c).get(name, (None, None))
    if target is None:
        return FOREIGN.get(name) or c.suggest(name, {*c.scope.visible(), "true", "false"})
    if target.span.start > span.start:
        return f"it is defined below, in line {target.span.line}"
    if loop is not None:
        return (
            f"it is local to a round of the `for` in line {loop.span.line}; "
            f"with a superscript, `{name}[{loop.variable.name}]`, it stays"
        )
    return None


def places(c: Context) -> dict[str, Place]:
    """Where the file first defines each name."""
    if not c.places:
        for target, loop in _places(c.model.statements, None):
            c.places.setdefault(target.name, (target, loop))
    return c.places


def _places(statements: tuple[Any, ...], loop: syntax.For | None) -> Iterator[Place]:
    for statement in statements:
        if isinstance(statement, syntax.For):
            yield from _places(statement.body, statement)
        else:
            for target in targets(statement):
                yield target, loop
