"""The arguments of a call, matched with the names that they are for."""

from __future__ import annotations

from bpc import syntax
from bpc.diagnostics import did_you_mean
from bpc.lower.context import Context


def bind(
    c: Context, node: syntax.Call, name: str, names: list[str], rest: int | None = None
) -> dict[str, syntax.Argument]:
    """Arguments by the names of the parameters; positional ones from `rest` on are left out."""
    given: dict[str, syntax.Argument] = {}
    named = False
    for position, argument in enumerate(node.arguments):
        key = argument.name
        if key is None:
            if named:
                c.fail(argument.span, "BP308")
            if rest is not None and position >= rest:
                continue
            if position >= len(names):
                takes = f"{len(names)} argument{'' if len(names) == 1 else 's'}"
                span = argument.span.to(node.arguments[-1].span)
                help = f"it takes {', '.join(names)}" if names else None
                c.fail(span, "BP306", help, name=name, takes=takes, given=len(node.arguments))
            key = names[position]
        elif key not in names:
            help = did_you_mean(key, names) or f"it takes {', '.join(names) or 'no names'}"
            c.fail(argument.span, "BP309", help, name=name, argument=key)
        named = named or argument.name is not None
        if key in given:
            c.fail(argument.span, "BP310", name=name, argument=key)
        given[key] = argument
    return given
