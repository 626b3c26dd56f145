"""What only passes a value on is looked through; after the reverse pass `stop` is such a thing too.

    y = stop(x)
    dJ_dJ = identity(1.0)             dJ_dJ = identity(1.0)
    z = mul(dJ_dJ, y)           ->    z = mul(1.0, x)

An identity under a name of the source is looked through only if it is a number: its readers name it.
"""

from __future__ import annotations

from operator import is_

from bpc.ir import Atom, Equation, Function, Literal, Var


def propagate(function: Function) -> Function:
    """Replace what is passed on by what it was."""
    behind: dict[Atom, Atom] = {}
    body = []
    for old in function.body:
        args = old.args
        if not behind.keys().isdisjoint(args):
            args = tuple([behind.get(a, a) for a in args])
        op = "identity" if old.op == "stop" else old.op
        equation = old
        if args is not old.args or op != old.op:
            equation = Equation(op, args, old.outs, old.span, old.attrs, old.adjoint)
        if op == "identity" and (isinstance(args[0], Literal) or not old.out.named):
            behind[old.out] = args[0]
            if not old.out.named:
                continue
        body.append(equation)
    results = tuple(
        behind.get(r, r) if isinstance(r, Var) and not r.named else r for r in function.results
    )
    if len(body) == len(function.body) and all(map(is_, body, function.body)):
        return function
    return Function(function.name, function.params, tuple(body), results, function.labels)
