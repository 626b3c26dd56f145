"""Equations that no result needs go, and what loops carry, stack and read for nothing.

    t = gt(x, 0.0)
    return J           ->    return J

The adjoint of a name of the source stays, needed or not: it is what people read the output for.
"""

from __future__ import annotations

from dataclasses import replace

from bpc.ir import Equation, Function, live, variables
from bpc.ops.loops import Loop, trim


def dce(function: Function) -> Function:
    """Keep what results need, and named adjoints with what they need."""
    if not any(e.op == "scan" for e in function.body):
        return live(function)
    needed = set(variables(function.results))
    kept = []
    for e in reversed(function.body):
        named = e.adjoint and e.out.named and e.op != "scan"
        if named or not needed.isdisjoint(e.outs):
            for part in reversed(still(trim(Loop.of(e), needed)) if e.op == "scan" else [e]):
                kept.append(part)
                needed.update(variables(part.args))
    kept.reverse()
    return replace(function, body=tuple(kept))


def still(loop: Loop) -> list[Equation]:
    """The loop without carries that no step changes: those are what they start with."""
    stay = [i for i, (s, u) in enumerate(zip(loop.states, loop.updates)) if u is s]
    if not stay:
        return [loop.equation()]
    same = [Equation("identity", (loop.inits[i],), (loop.outs[i],), loop.span) for i in stay]
    same = [replace(e, adjoint=loop.adjoint) for e in same]
    go = [i for i in range(len(loop.outs)) if i not in stay]
    if not go:
        return same
    states = [loop.states[i] for i in go if i < loop.carries]
    constant = [loop.states[i] for i in stay]
    params = (loop.index, *states, *loop.entries, *loop.shared, *constant)
    results = tuple(loop.body.results[i] for i in go)
    rest = replace(
        loop,
        body=replace(loop.body, params=params, results=results, labels=()),
        inits=tuple(loop.inits[i] for i in go if i < loop.carries),
        constants=(*loop.constants, *(loop.inits[i] for i in stay)),
        outs=tuple(loop.outs[i] for i in go),
    )
    return [*same, rest.equation()]
