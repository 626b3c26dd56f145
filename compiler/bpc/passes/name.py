"""At -O0 every value has a line of its own, so every value has a name.

    z_mul = mul(w, x)                 z_mul = mul(w, x)     # named from here on
    z = add(z_mul, b)           ->    z = add(z_mul, b)

Broadcasts and the like, which NumPy makes by itself, stay as they are.
"""

from __future__ import annotations

from bpc.ir import Equation, Function, Var
from bpc.ops import OPS


def name(function: Function) -> Function:
    """Mark the results of all equations as named."""
    named: dict[Var, Var] = {}
    body = []
    for e in function.body:
        if not OPS[e.op].moves:
            named.update({o: Var(o.name, o.type, True) for o in e.outs if not o.named})
        args = tuple([named.get(a, a) if isinstance(a, Var) else a for a in e.args])
        outs = tuple([named.get(o, o) for o in e.outs])
        body.append(Equation(e.op, args, outs, e.span, e.attrs, e.adjoint))
    results = tuple(named.get(r, r) if isinstance(r, Var) else r for r in function.results)
    return Function(function.name, function.params, tuple(body), results, function.labels)
