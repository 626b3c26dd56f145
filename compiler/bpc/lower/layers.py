"""Layers: how their calls get names, own params, and are read afterwards.

logits = nn.dense(h, 10) as head
cost J = mean(cross_entropy(logits, label)) + 1e-4 * sum(head.W^2)
"""

from __future__ import annotations

from typing import Any, NamedTuple

from bpc import syntax
from bpc.diagnostics import Problem, clip, did_you_mean
from bpc.lower.context import DEPTH, Context, Failed
from bpc.lower.instances import Instance
from bpc.lower.naming import MOST_SHOWN, NO_EXPRESSION, again, use
from bpc.lower.scope import Key, Scope, spelling, text
from bpc.lower.values import Function, is_integer
from bpc.ops import Expr
from bpc.source import Span


class CallName(NamedTuple):
    """The name that a call is given, and where; `explicit` if by `as`."""

    key: Key
    span: Span
    explicit: bool = False


def layers_of(model: syntax.Model) -> list[syntax.Def]:
    """What a library has."""
    return [d for d in model.statements if isinstance(d, syntax.Def)]


# Naming and owning


def begin(c: Context, function: Function, node: syntax.Call, name: CallName | None) -> Instance:
    """The instance of a call of a layer that is about to run."""
    key, span, explicit = name or (None, node.span, False)
    calls = tuple(place for _, place in c.calls)
    instance = Instance([], c.scope, c.owner, key, explicit, function.name, span, calls)
    if explicit:
        settle(c, instance)
    return instance


def settle(c: Context, instance: Instance) -> None:
    """Give a call its place among those of its owner, where its params can be told apart."""
    owner, key, span = instance.owner, instance.key, instance.span
    if owner is None or span is None or instance.settled:
        return
    settle(c, owner)
    problem = _unnamed(instance, span) if key is None else _conflict(c, owner, instance, key, span)
    if key is None or problem is not None:
        if problem is not None:
            c.record(problem, span, calls=instance.calls)
        raise Failed
    owner.add(key, instance)
    for scope in (instance.place, *owner.scopes):
        scope.name_instance(key, instance)
    instance.settled = True


def own(c: Context, key: Key, param: Expr, span: Span) -> None:
    """Let the layer whose call runs own a param; at the level of the file nothing does."""
    if c.owner.owner is None:
        return
    settle(c, c.owner)
    other = c.owner.spellings.get(spelling(key))
    if other is not None:
        help = "a call in this layer has the name"
        c.fail(span, "BP107", help, name=text(other))
    mixed = _mixed(c.owner, key)
    if mixed is not None:
        c.give_up(mixed, span)
    c.owner.add(key, param)


def _unnamed(instance: Instance, span: Span) -> Problem:
    call = clip(" ".join(span.text.split()))
    help = f"name it: `{call} as name`; or let it be a whole right side: `name = {call}`"
    return Problem("BP132", help, name=instance.function)


def _conflict(
    c: Context, owner: Instance, instance: Instance, key: Key, span: Span
) -> Problem | None:
    """What is wrong with the name of a call, if anything is."""
    name = text(key)
    if c.is_module(key[0]):
        return Problem("BP107", "the library has the name", name=key[0])
    other = owner.spellings.get(spelling(key))
    if other is None:
        return _mixed(owner, key)
    if other != key:
        return Problem("BP109", name=name, other=text(other), spelling=spelling(key))
    first = owner.members[other]
    if not isinstance(first, Instance):
        return Problem("BP107", "a param of the layer has the name", name=name)
    if not instance.explicit and any(key in s.values for s in (instance.place, *owner.scopes)):
        return Problem("BP107", again(c, key, span), name=name)
    return Problem("BP131", _twice(c, instance, first, key), name=name)


def _mixed(owner: Instance, key: Key) -> Problem | None:
    """What is wrong with `up` where there is `up[1]`, or the reverse."""
    if owner.families.get(key[0], key[1] is not None) is not (key[1] is not None):
        return Problem("BP108", "give one of the two another name", name=key[0])
    return None


def _twice(c: Context, instance: Instance, first: Instance, key: Key) -> str:
    """How two calls get names of their own."""
    if first.span is None or first.span != instance.span:
        where = f"the first is in line {first.span.line}; " if first.span else ""
        return f"{where}`as` gives this one another name"
    caller = c.calls[len(instance.calls) - 1][0] if instance.calls else None
    if instance.place.local and key[1] is None:
        variable = next(iter(instance.place.values))[0]  # each round defines it first
        return f"each round of the `for` makes it again: write `as {key[0]}[{variable}]`"
    if isinstance(caller, Function) and not caller.is_layer:
        return (
            f"each call of `{caller.name}` makes it again: as `layer {caller.name}`, not `def`, "
            "each call has a name and owns its own"
        )
    return "each time that this runs it needs another superscript"


# Reading


def resolve(c: Context, node: Any) -> Any:
    """The param or the call that `block[1].up.W` names, or None where it means something else."""
    links: list[Any] = []
    while not isinstance(node, syntax.Name):
        if not isinstance(node, syntax.Attribute | syntax.Index) or len(links) > DEPTH:
            return None
        links.append(node)
        node = node.base
    found = _step(c, c.scope, node.name, links)
    while links and isinstance(found, Instance):
        link = links.pop()
        if not isinstance(link, syntax.Attribute):
            return None
        found = _step(c, found, link.name, links)
    return None if links else found


def _step(c: Context, space: Scope | Instance, name: str, links: list[Any]) -> Any:
    """What a name means in a space, together with its superscript, which it takes off the links."""
    if links and isinstance(links[-1], syntax.Index) and space.instance_keys(name):
        items = links[-1].items
        plain = len(items) == 1 and not isinstance(items[0], NO_EXPRESSION)
        value = c.evaluate(items[0]) if plain else None
        if is_integer(value):
            links.pop()
            return use(space.instance((name, value)))
    return use(space.instance((name, None)))


def attribute(c: Context, node: syntax.Attribute) -> Expr | None:
    """`conv1.W`, where the base is the name of a call and not only a value; else None."""
    found = resolve(c, node)
    if isinstance(found, Expr):
        return found
    if isinstance(found, Instance):
        no_value(c, found, node.span)
    owner = resolve(c, node.base)
    if not isinstance(owner, Instance) or node.name in ("T", "shape"):
        return None
    if owner.instance_keys(node.name):
        first = text(owner.instance_keys(node.name)[0])
        help = f"write the superscript, as in `{owner.text}.{first}`"
        c.fail(node.span, "BP102", help, name=f"{owner.text}.{node.name}")
    if owner.failed:
        raise Failed
    names = [name for name, superscript in owner.members if superscript is None]
    help = did_you_mean(node.name, names) or _parameters(owner)
    return c.fail(node.span, "BP104", help, name=node.name, what=f"`{owner.text}`")


def missing(c: Context, node: syntax.Index) -> None:
    """Report `block[7]`, or `f.w[7]`, where there are others with superscripts but not this one."""
    base = node.base
    if not isinstance(base, syntax.Name | syntax.Attribute):
        return
    space = c.scope if isinstance(base, syntax.Name) else resolve(c, base.base)
    if not isinstance(space, Scope | Instance):
        return
    if isinstance(space, Instance) and space.failed:
        raise Failed
    keys = space.instance_keys(base.name)
    before = f"{space.text}." if isinstance(space, Instance) else ""
    shown = ", ".join(f"`{before}{text(k)}`" for k in keys[:MOST_SHOWN])
    if keys and not isinstance(space.instance((base.name, None)), Expr):
        help = f"there is {shown}{', ...' if len(keys) > MOST_SHOWN else ''}"
        c.fail(node.span, "BP101", help, name=clip(node.span.text))


def no_value(c: Context, instance: Instance, span: Span) -> Any:
    """Report the name of a call where a value is due."""
    return c.fail(span, "BP133", _parameters(instance), name=instance.text)


def _parameters(instance: Instance) -> str:
    names = [f"`{name}`" for name in instance.parameters()]
    if not names:
        return "it has no parameters"
    return f"its parameters are {', '.join(names[:MOST_SHOWN])}" + (
        ", ..." if len(names) > MOST_SHOWN else ""
    )
