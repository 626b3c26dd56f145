"""Products of three are computed by a product of two that is there already, at -O2 alone.

    p = mul(g, e)            p = mul(g, e)
    a = mul(g, u)      ->
    b = mul(a, e)            b = mul(p, u)

Such are the ways back through a product of three factors. It is done where nobody else needs `a`, and for
adjoints alone: where `p` overflows, so does the adjoint that it is, and nothing finite is lost.
"""

from __future__ import annotations

from bpc.ir import Atom, Equation, Function, Var, live, uses
from bpc.ops import Expr
from bpc.passes.rewrite import View, rewrite


def regroup(function: Function) -> Function:
    """Write products by the products that are known."""
    read = uses(live(function, strict=True))
    known: dict[frozenset[Atom], Var] = {}

    def rule(view: View, e: Equation) -> Expr | None:
        if e.op != "mul" or not e.adjoint or not e.out.type.shape or e.out.type.kind != "real":
            return None
        known.setdefault(frozenset(e.args), e.out)
        for product, factor in (e.args, e.args[::-1]):
            parts = view.definition(product, "mul")
            if parts is None or read.get(parts.out, 0) != 1:
                continue
            for one, other in (parts.args, parts.args[::-1]):
                found = known.get(frozenset((one, factor)))
                if found is not None and found is not product and found in view.defined:
                    return view.expr(found) * view.expr(other)
        return None

    return rewrite(function, rule)
