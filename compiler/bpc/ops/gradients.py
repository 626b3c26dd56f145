"""Gradients in expressions: `stop` keeps one out, `grad` asks for one."""

from __future__ import annotations

from bpc.diagnostics import Problem
from bpc.ops.base import Op, register
from bpc.ops.build import Builder, Expr
from bpc.ops.roles import Name, Value
from bpc.types import show


def _stop(m: Builder, x: Value) -> Expr:
    return m.emit("stop", x)


register(
    Op(
        "stop",
        "gradient control",
        "Passes the value and no gradient.",
        aligned=True,
        stacks=True,
        call=_stop,
        infer=lambda t: (t,),
        numpy=lambda c, x: x,
        scalar=lambda c, x: x,
        view=True,
        moves=True,
        cases=((((3,),), {}), (((),), {})),
    )
)


def _grad(m: Builder, J: Value, x: Name) -> Expr:
    if J.type.rank or J.type.kind != "real":
        help = "sum it up first, as in `grad(sum(u), x)`: that is the slope of each u by its own x"
        what = J.type.kind if J.type.kind != "real" else f"shape {show(J.shape)}"
        raise Problem("BP145", help if J.type.rank else None, what=what)
    if x.type.kind != "real":
        raise Problem("BP146", what=f"{x.type.kind}s")
    return m.emit("grad", J, x)


register(
    Op(
        "grad",
        "gradient control",
        "The derivative of a real scalar J by a name defined before it, as an expression.",
        call=_grad,
        infer=lambda target, x: (x,),
    )
)
