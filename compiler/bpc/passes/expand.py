"""Composite operators written out in simpler ones, at -O2 alone.

    y = softmax(x, axis=1)    ->    z = sub(x, top(x, axis=1))
                                    e = exp(z)
                                    y = div(e, sum(e, axes=(1,), keep=True))

What forward and backward have in common is then found by `cse`, and each equation is one call of
NumPy, which can write into memory that is there already. How an operator is written out is the field
`expand` of its entry. Scalars stay: a call on a number costs what the call costs.
"""

from __future__ import annotations

from bpc.ir import Equation, Function
from bpc.ops import OPS, Expr
from bpc.passes.rewrite import View, rewrite

ROUNDS = 4  # what is written out may be written with what is written out


def expand(function: Function) -> Function:
    """Write out each operator whose entry says how."""
    for _ in range(ROUNDS):
        if not any(_applies(e) for e in function.body):
            break
        function = rewrite(function, _rule)
    return function


def _applies(e: Equation) -> bool:
    rule = OPS[e.op].expand if e.op != "sum" else None  # that has a pass of its own
    return rule is not None and any(a.type.rank for a in e.args)


def _rule(view: View, e: Equation) -> Expr | None:
    rule = OPS[e.op].expand
    if rule is None or not _applies(e):
        return None
    view.m.hint = ""  # short names: what is written out is many lines
    mark = len(view.m.body)
    found: Expr | None = rule(view.m, *(view.expr(a) for a in e.args), **dict(e.attrs))
    if found is None:
        del view.m.body[mark:]
    return found
