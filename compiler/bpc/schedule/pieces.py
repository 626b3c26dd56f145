"""Joined arrays whose parts are computed where they belong.

    a = mul(x, y); b = tanh(z)              c = N_by_8
    c = concat(a, b, axis=1)         ->     np.multiply(x, y, c[:, :4])
                                            np.tanh(z, c[:, 4:])

A part is written into its slice if it is computed entry by entry and nothing else reads it; the
other parts are copied there. So are images laid out of parts, one for each place of windows that
stand side by side: `c[:, ::2, 1::2]`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

from bpc.ir import Equation, Function, Var, uses, variables
from bpc.ops import OPS
from bpc.ops.cutting import whole
from bpc.ops.loops import map_bodies
from bpc.plan import Slice
from bpc.types import Size, size

Items = tuple[tuple[Size, Size, int], ...]


def in_pieces(function: Function, kept: Iterable[Var] = ()) -> Function:
    """The function with copies of the parts that cannot be written where they belong.

    What `kept` holds is joined as before, and what few parts could be written to.
    """
    function = map_bodies(function, _of_body)
    count, kept = uses(function), set(kept)
    made = {o: e for e in function.body for o in e.outs}
    body: list[Equation] = []
    for e in function.body:
        if e.out not in kept and _slices(e):
            direct = [
                isinstance(a, Var) and count[a] == 1 and _written(made.get(a)) for a in e.args
            ]
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
        slices = _slices(e)
        if not slices or e.out in kept or len(parts) < len(e.args):
            continue
        if not all(count[p] == 1 and _written(made.get(p)) for p in parts):
            continue
        found |= {part: Slice(e.out, items) for part, items in zip(parts, slices)}
    return found


def _slices(e: Equation) -> list[Items]:
    """Where the parts of a joined array stand, if these are all of it."""
    if e.op == "concat":
        return _side_by_side(e, dict(e.attrs)["axis"])
    return _places(e) if e.op == "lay_windows" else []


def _side_by_side(e: Equation, axis: int) -> list[Items]:
    found, start = list[Items](), size(0)
    for part in e.args:
        items = whole(e.out.type.shape)
        items[axis] = (start, part.type.shape[axis].size, 1)
        start = start + part.type.shape[axis].size
        found.append(tuple(items))
    return found


def _places(e: Equation) -> list[Items]:
    attrs, shape, part = dict(e.attrs), e.out.type.shape, e.args[0].type.shape
    sides = attrs["sides"]
    covered = all(shape[i + 1].size == part[i + 1].size * size(n) for i, n in enumerate(sides))
    if attrs["stride"] != sides or attrs["dilation"] != (1, 1) or not covered:
        return []
    found = []
    for place in product(*map(range, sides)):
        items = whole(shape)
        for i, (start, step) in enumerate(zip(place, sides), 1):
            items[i] = (size(start), part[i].size, step)
        found.append(tuple(items))
    return found


def _written(e: Equation | None) -> bool:
    """Whether an equation can write its result between other entries of an array."""
    return e is not None and bool(OPS[e.op].into) and (OPS[e.op].elementwise or e.op == "copy")
