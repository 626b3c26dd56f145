"""Parts that are laid in zeros and added up are added where they belong, in one array.

    a = unslice(x, [N], [0:N-1])
    b = unslice(y, [N], [1:N])
    z = add(a, b)                         ->    z = overlaid(x, y)

Such sums are what the adjoint of a difference `x[1:] - x[:-1]` is.
"""

from __future__ import annotations

from dataclasses import replace

from bpc.ir import Atom, Equation, Function, Var, uses
from bpc.ops.loops import map_bodies

MOST = 16  # parts


def overlaid(function: Function) -> Function:
    """The function, and its loops, with such sums in one go."""
    function = map_bodies(function, overlaid)
    parts: dict[Atom, tuple[tuple[Atom, object], ...]] = {}
    read = uses(function)
    body: list[Equation] = []
    for e in function.body:
        alike = e.op == "add" and all(a.type == e.out.type for a in e.args)  # NumPy stretches none
        found = [parts.get(a, ()) for a in e.args] if alike else []
        if len(found) == 2 and all(found) and len(found[0] + found[1]) <= MOST:
            both = found[0] + found[1]
            attrs = (("shape", e.out.type.shape), ("places", tuple(items for _, items in both)))
            e = replace(e, op="overlaid", args=tuple(a for a, _ in both), attrs=attrs)
            parts[e.out] = both
        elif e.op == "unslice":
            parts[e.out] = ((e.args[0], dict(e.attrs)["items"]),)
        if e.out in parts and (e.out.named or read.get(e.out, 0) != 1):
            del parts[e.out]
        body.append(e)
    return replace(function, body=_needed(body, function))


def _needed(body: list[Equation], function: Function) -> tuple[Equation, ...]:
    """The equations without parts and sums that went into larger ones."""
    left = {v for v in function.results if isinstance(v, Var)}
    kept: list[Equation] = []
    for e in reversed(body):
        if e.op in ("unslice", "overlaid") and e.out not in left:
            continue
        left.update(a for a in e.args if isinstance(a, Var))
        kept.append(e)
    return tuple(reversed(kept))
