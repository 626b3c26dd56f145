"""Equations that no result needs go, and what loops carry, stack and read for nothing.

    t = gt(x, 0.0)
    return J           ->    return J

The adjoint of a name of the source stays, needed or not: it is what people read the output for.
"""

from __future__ import annotations

from dataclasses import replace

from bpc.ir import Equation, Function, Literal, Var, live, uses, variables
from bpc.ops.loops import Loop


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


def trim(loop: Loop, needed: set[Var]) -> Loop:
    """The loop with those results that are needed, and what they need in turn."""
    keep = {i for i, out in enumerate(loop.outs) if out in needed}
    while True:
        results = tuple(r for i, r in enumerate(loop.body.results) if i in keep)
        body = live(replace(loop.body, results=results, labels=()))
        read = uses(body)
        more = {i for i, s in enumerate(loop.states) if s in read} - keep
        if not more:
            break
        keep |= more
    literals = {p: a for p, a in zip(loop.shared, loop.constants) if isinstance(a, Literal)}
    equations = tuple(_with(e, literals) for e in body.body) if literals else body.body
    states = tuple(s for i, s in enumerate(loop.states) if i in keep)
    entries = {p: a for p, a in zip(loop.entries, loop.sequences) if p in read}
    shared = {p: a for p, a in zip(loop.shared, loop.constants) if p in read and p not in literals}
    params = (loop.index, *states, *entries, *shared)
    results = tuple(literals.get(r, r) if isinstance(r, Var) else r for r in results)
    return replace(
        loop,
        body=replace(body, params=params, body=equations, results=results),
        inits=tuple(a for i, a in enumerate(loop.inits) if i in keep),
        sequences=tuple(entries.values()),
        constants=tuple(shared.values()),
        outs=tuple(o for i, o in enumerate(loop.outs) if i in keep),
    )


def _with(e: Equation, literals: dict[Var, Literal]) -> Equation:
    args = tuple(literals.get(a, a) if isinstance(a, Var) else a for a in e.args)
    return e if args == e.args else replace(e, args=args)
