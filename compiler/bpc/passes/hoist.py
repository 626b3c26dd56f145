"""What depends on sequences and constants alone is computed before the loop.

    for t: z = X[t] @ W + h               XW = X @ W
                                  ->      for t: z = XW[t] + h

That is done where it makes one large product of many; of what is the same in all steps, always.
"""

from __future__ import annotations

from dataclasses import replace

from bpc.ir import Atom, Equation, Function, Var, variables
from bpc.ops import OPS
from bpc.ops.loops import Loop, close
from bpc.passes.lift import liftable
from bpc.passes.outside import HEAVY, Outside, cone


def hoist(function: Function) -> Function:
    """Move work before every loop of the function (loops in loops are another function's)."""
    if not any(e.op == "scan" for e in function.body):
        return function
    body: list[Equation] = []
    for e in function.body:
        if e.op == "scan":
            before, loop = _before(Loop.of(e))
            body += [*before, loop.equation()]
        else:
            body.append(e)
    return replace(function, body=tuple(body))


def _before(loop: Loop) -> tuple[list[Equation], Loop]:
    """What can be computed before the loop, where that is worth it."""
    outside = Outside(loop)
    level = {p: 0 for p in loop.shared} | {p: 1 for p in loop.entries}
    wanted: set[Var] = set()
    made: dict[Var, Equation] = {}
    for e in loop.body.body:
        high = max((level.get(v, 2) for v in variables(e.args)), default=0)
        stacked = [isinstance(a, Var) and level.get(a, 2) == 1 for a in e.args]
        if e.op == "scan" or e.adjoint and e.out.named or high == 1 and not liftable(e, stacked):
            high = 2
        if high == 0 and OPS[e.op].raises and not (loop.length.value or 0) > 0:
            high = 2  # without a step it must not be computed
        level |= dict.fromkeys(e.outs, high)
        made |= dict.fromkeys(e.outs, e)
        heavy = e.op in HEAVY or (OPS[e.op].elementwise and not wanted.isdisjoint(e.args))
        if (high == 1 and heavy) or (high == 0 and not OPS[e.op].moves):
            wanted.add(e.out)
    moved = cone(wanted, made)
    if not moved:
        return [], loop
    entries, sequences, constants = list(loop.entries), list(loop.sequences), {}
    for e in loop.body.body:
        if e.out in moved:
            value = outside.write(e)
            if outside.found[e.out][1]:
                entries.append(e.out)
                sequences.append(value.atom)
            else:
                constants[e.out] = value.atom
    rest = tuple(e for e in loop.body.body if e.out not in moved)
    return outside.m.body, _rebuilt(loop, rest, loop.body.results, entries, sequences, constants)


def _rebuilt(
    loop: Loop,
    equations: tuple[Equation, ...],
    results: tuple[Atom, ...],
    entries: list[Var],
    sequences: list[Atom],
    constants: dict[Var, Atom],
) -> Loop:
    """The loop over other equations; `constants` are new ones."""
    body, shared = close(
        loop.index, loop.states, tuple(entries), equations, results, loop.body.name
    )
    known = dict(zip(loop.shared, loop.constants)) | constants
    return replace(
        loop,
        body=body,
        sequences=tuple(sequences),
        constants=tuple(known[p] for p in shared),
    )
