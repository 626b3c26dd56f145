"""Where labels point, counted through all rows, is computed once, in memory that is there.

    y = at_label(x, k)                     starts = row_starts()        made with the workspace
    d = off_label(p, k, ignored)    ->     places = add(starts, k)
                                           y = at_place(x, places)
                                           d = put_at(p, places, sub(at_place(p, places), 1), ignored)

It is done when the tiles are known: places count from the first row of a tile.
"""

from __future__ import annotations

from dataclasses import replace

from bpc.ir import Atom, Equation, Function, Literal, Var
from bpc.ops.loops import map_bodies
from bpc.types import Axis, Type


def pointed(function: Function) -> Function:
    """The function, and its loops, with places for labels."""
    function = map_bodies(function, pointed)
    known: dict[tuple[Atom, Axis], Var] = {}
    body: list[Equation] = []
    for e in function.body:
        if e.op in ("at_label", "off_label"):
            scores, label, *rest = e.args
            key = label, scores.type.shape[-1]
            if not label.type.rank and isinstance(label, Var):
                known[key] = label
            elif key not in known:
                starts, known[key] = Var("starts", label.type), Var("places", label.type)
                shape = (("shape", label.type.shape), ("classes", key[1]))
                body.append(Equation("row_starts", (), (starts,), e.span, shape))
                body.append(Equation("add", (starts, label), (known[key],), e.span))
            picked = (scores, known[key])
            if e.op == "at_label":
                e = replace(e, op="at_place", args=picked)
            else:
                old, new = (
                    Var(name, Type("real", label.type.shape)) for name in ("picked", "less")
                )
                amount = Literal(dict(e.attrs)["amount"], Type("real"))
                body.append(Equation("at_place", picked, (old,), e.span, (), e.adjoint))
                body.append(Equation("sub", (old, amount), (new,), e.span, (), e.adjoint))
                e = replace(e, op="put_at", args=(*picked, new, *rest), attrs=())
        body.append(e)
    return replace(function, body=tuple(body))
