"""The sum of exponentials of a logsumexp is written out before differentiation, at -O2 alone.

    y = logsumexp(x)    ->    e = exp(x - top(x))
                              y = log(sum(e)) + top(x)

Its gradient is then e / sum(e), in which the way back takes the exponentials of the way forward; that
of the operator computes them again. What is subtracted has no gradient, as it changes nothing.
"""

from __future__ import annotations

from bpc.ir import Equation, Function
from bpc.ops import Expr
from bpc.ops.reductions import logsumexp_parts
from bpc.passes.rewrite import View, rewrite


def share(function: Function) -> Function:
    """Write out what the gradient computes again."""
    return rewrite(function, _rule)


def _rule(view: View, e: Equation) -> Expr | None:
    if e.op != "logsumexp":
        return None
    view.m.hint = ""
    return logsumexp_parts(view.m, view.expr(e.args[0]), **dict(e.attrs))
