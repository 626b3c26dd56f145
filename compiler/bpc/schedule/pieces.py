"""Joined arrays whose parts are computed where they belong.

    a = mul(x, y); b = tanh(z)              c = N_by_8
    c = concat(a, b, axis=1)         ->     np.multiply(x, y, c[:, :4])
                                            np.tanh(z, c[:, 4:])

A part is written into its slice if it is computed entry by entry and nothing else reads it; the other
parts are copied there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bpc.ir import Equation, Function, Var, uses, variables
from bpc.ops import OPS
from bpc.ops.cutting import whole
from bpc.ops.loops import map_bodies
from bpc.plan import Slice
from bpc.types import size


def in_pieces(function: Function, kept: Iterable[Var] = ()) -> Function:
    """The function with copies of the parts that cannot be written where they belong.

    What `kept` holds is joined as before, and what few parts could be written to.
    """
    function = map_bodies(function, _of_body)
    count, kept = uses(function), set(kept)
    made = {o: e for e in function.body for o in e.outs}
    body: list[Equation] = []
    for e in function.body:
        if e.op == "concat" and e.out not in kept:
            direct = [isinstance(a, Var) and count[a] == 1 and _written(made.get(a)) for a in e.args]
            if 2 * sum(direct) >= len(direct):
                args = list(e.args)
                for i, (arg, fits) in enumerate(zip(e.args, direct)):
                    if not fits:
                        args[i] = copy = Var("part", arg.type)
                        body.append(Equation("copy", (arg,), (copy,), e.span, (), e.adjoint))
                e = replace(e, args=tuple(args))
        body.append(e)
    return replace(function, body=tuple(body))


def _of_body(body: Function) -> Function:
    """The same for the body of a loop."""
    return in_pieces(body)


def pieces(function: Function, kept: Iterable[Var] = ()) -> dict[Var, Slice]:
    """The slices that parts are written into, after `in_pieces`."""
    count, kept = uses(function), set(kept)
    made = {o: e for e in function.body for o in e.outs}
    found: dict[Var, Slice] = {}
    for e in function.body:
        parts = list(variables(e.args))
        if e.op != "concat" or e.out in kept or len(parts) < len(e.args):
            continue
        if not all(count[p] == 1 and _written(made.get(p)) for p in parts):
            continue
        axis, start = dict(e.attrs)["axis"], size(0)
        for part in parts:
            items = whole(e.out.type.shape)
            items[axis] = (start, part.type.shape[axis].size, 1)
            start = start + part.type.shape[axis].size
            found[part] = Slice(e.out, tuple(items))
    return found


def _written(e: Equation | None) -> bool:
    """Whether an equation can write its result between other entries of an array."""
    return e is not None and bool(OPS[e.op].into) and (OPS[e.op].elementwise or e.op == "copy")
