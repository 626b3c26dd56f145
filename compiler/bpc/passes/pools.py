"""The largest entry of a window is found before `max(x, 0)` is taken of it, at -O2 alone.

    h = maximum(z, 0.0)                 p = max(windows(z))
    p = max(windows(h))         ->      h = maximum(p, 0.0)

The values are the same, NaN and all, of fewer entries; and where entries tie for 0 there is no
gradient to be shared. (Where a window has a NaN there is no gradient at all.)
"""

from __future__ import annotations

from bpc.ir import Equation, Function, Literal, Var, uses, variables
from bpc.ops import Expr
from bpc.passes.rewrite import View, rewrite

LOWEST = float("-inf")


def pools(function: Function) -> Function:
    """Let `max(x, number)` follow the pool that alone reads it."""
    if not any(e.op == "windows" for e in function.body):
        return function
    once = {v for v, n in uses(function).items() if n == 1} - set(variables(function.results))
    return rewrite(function, lambda view, e: _rule(view, e, once))


def _rule(view: View, e: Equation, once: set[Var]) -> Expr | None:
    if e.op != "max" or dict(e.attrs)["axes"] != (0,):
        return None
    view.through_names = True
    windows = view.definition(e.args[0], "windows")
    if windows is None or e.args[0] not in once:
        return None
    inner = view.made(windows.args[0])
    pad = inner if inner is not None and inner.op == "pad" else None
    if pad is not None:  # a window has entries of the image too
        fits = dict(pad.attrs)["value"] == LOWEST and windows.args[0] in once
        inner = view.made(pad.args[0]) if fits else None
    if inner is None or inner.op != "maximum" or inner.out not in once:
        return None
    x, number = inner.args
    if isinstance(x, Literal):
        x, number = number, x
    if not isinstance(number, Literal) or isinstance(x, Literal):
        return None
    view.m.hint = e.out.name
    image = view.expr(x)
    if pad is not None:
        image = view.m.emit("pad", image, **dict(pad.attrs))
    placed = view.m.emit("windows", image, **dict(windows.attrs))
    pooled = view.m.emit("max", placed, **dict(e.attrs))
    return view.m.elementwise("maximum", pooled, view.m.fill(number.value, pooled))
