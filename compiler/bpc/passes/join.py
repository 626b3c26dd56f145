"""Parts that are laid in zeros side by side and added up are joined.

    a = unslice(x, [N, 6], [:, 0:2])
    b = unslice(y, [N, 6], [:, 2:6])
    z = add(a, b)                         ->    z = concat(x, y, axis=1)

Such sums are what the adjoint of `split` is.
"""

from __future__ import annotations

from bpc.ir import Atom, Equation, Function, Var
from bpc.ops import Expr
from bpc.passes.rewrite import View, rewrite
from bpc.types import Size, size

MOST = 64  # parts


def join(function: Function) -> Function:
    """Join every sum of parts that fill a shape along one axis."""
    if sum(1 for e in function.body if e.op == "unslice") < 2:
        return function
    return rewrite(function, _rule)


def _rule(view: View, e: Equation) -> Expr | None:
    if e.op != "add":
        return None
    parts = _parts(view, e)
    if not parts:
        return None
    shape = e.out.type.shape
    whole = [(size(0), axis.size, 1) for axis in shape]
    places: dict[Size, Atom] = {}
    axes = set()
    for part in parts:
        items = dict(part.attrs)["items"]
        differ = [i for i, item in enumerate(items) if item != whole[i]]
        if len(differ) != 1 or items[differ[0]][2] != 1:
            return None
        axes.add(differ[0])
        places[items[differ[0]][0]] = part.args[0]
    if len(axes) != 1 or len(places) != len(parts):
        return None
    (axis,) = axes
    start, order = size(0), []
    while start in places:
        order.append(places.pop(start))
        start = start + order[-1].type.shape[axis].size
        if order[-1].type.shape[axis].size == size(0):
            return None
    if places or start != shape[axis].size:
        return None
    return view.m.emit("concat", *(view.expr(a) for a in order), axis=axis)


def _parts(view: View, e: Equation) -> list[Equation]:
    """The parts that are added up; none where something else is among them."""
    found: list[Equation] = []
    waiting = list(e.args)
    while waiting:
        atom = waiting.pop()
        part = view.definition(atom, "unslice")
        total = view.definition(atom, "add")
        if part is not None and len(found) < MOST:
            found.append(part)
        elif total is not None and isinstance(atom, Var):
            waiting += total.args
        else:
            return []
    return found
