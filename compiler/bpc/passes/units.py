"""Rows of the identity times a matrix are rows of the matrix; what is turned stays so.

    e = slice(eye(D), [first:first+K, :])
    Z = e @ x.T                                 y = x[:, first:first+K]
    H = (Z * s) @ x                      ->     H = (y * s[:, new]).T @ x

That is for stacks of columns alone (see columns.py), whose tangents are unit vectors: elsewhere 0 times
what is not finite is NaN.
"""

from __future__ import annotations

from bpc.ir import Atom, Equation, Function, Literal
from bpc.ops import OPS, Expr
from bpc.passes.rewrite import View, rewrite
from bpc.types import NEW, size


def units(function: Function) -> Function:
    """Write products with unit vectors as parts, and turn what comes of them as late as possible."""
    return rewrite(function, _rule)


def _rule(view: View, e: Equation) -> Expr | Atom | None:
    view.m.hint = e.out.name
    if e.op == "matmul":
        return _product(view, e)
    if OPS[e.op].elementwise and e.out.type.rank == 2:
        return _turned(view, e)
    return None


def _product(view: View, e: Equation) -> Expr | None:
    """Rows of the identity pick rows of what is on the right."""
    left, right = e.args
    rows = view.definition(left, "slice")
    if rows is None or right.type.rank > 2:
        return None
    if view.definition(rows.args[0], "eye") is None:
        return None
    down, across = dict(rows.attrs)["items"]
    if across != (size(0), rows.args[0].type.shape[1].size, 1):
        return None
    others = tuple((size(0), a.size, 1) for a in right.type.shape[1:])
    turned = view.definition(right, "transpose")
    if turned is None:
        return view.m.emit("slice", view.expr(right), items=(down, *others))
    part = view.m.emit("slice", view.expr(turned.args[0]), items=(*others, down))
    return view.m.emit("transpose", part, order=(1, 0))


def _turned(view: View, e: Equation) -> Expr | None:
    """What is done to entries of turned matrices, and to what stretches over them, is turned after."""
    found: list[Atom] = []
    turned = False
    shape = tuple(reversed(e.out.type.shape))
    for arg in e.args:
        inner = view.definition(arg, "transpose")
        stretched = view.arg(arg, "broadcast")
        if isinstance(arg, Literal):
            found.append(Literal(arg.value, arg.type.with_shape(shape)))
        elif inner is not None and dict(inner.attrs)["order"] == (1, 0):
            turned = True
            found.append(inner.args[0])
        elif stretched is not None and stretched.type.rank < 2:
            found.append(stretched)
        else:
            return None
    if not turned:
        return None
    given = []
    for x in found:
        expr = view.expr(x)
        if not isinstance(x, Literal) and x.type.rank < 2:
            if x.type.rank:
                expr = view.m.emit("reshape", expr, shape=(*x.type.shape, NEW))
            expr = view.m.broadcast_to(expr, shape)
        given.append(expr)
    made = view.m.called(view.m.elementwise(e.op, *given))
    return view.m.emit("transpose", made, order=(1, 0))
