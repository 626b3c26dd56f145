"""What the forward part of a function computes and the backward part reads."""

from __future__ import annotations

from bpc.cost.formula import Formula
from bpc.ir import Equation, Function, Var, variables
from bpc.ops import OPS
from bpc.ops.cost import nbytes


def saved(function: Function) -> tuple[Var, ...]:
    """The values, in the order in which they are computed; of a view, what it shows."""
    made: dict[Var, Equation] = {}
    for e in function.body:
        if not e.adjoint:
            made |= dict.fromkeys(e.outs, e)
    read: set[Var] = set()
    for e in function.body:
        if e.adjoint:
            read |= {_shown(a, made) for a in variables(e.args) if a in made}
    return tuple(v for v in made if v in read and v.type.shape)


def _shown(var: Var, made: dict[Var, Equation]) -> Var:
    """The value whose memory a value shows."""
    while var in made and OPS[made[var].op].view:
        arg = made[var].args[0]
        if not isinstance(arg, Var):
            break
        var = arg
    return var


def bytes_of(values: tuple[Var, ...]) -> Formula:
    """Their bytes in all."""
    total = Formula()
    for value in values:
        total.add(nbytes(value.type))
    return total
