"""Loops whose carries can be updated in memory of their own.

    h, g = g, h + x        h' = copy(g); h, g = copy(h'), h + x

The new value of a carry is either stacked, or computed by a line after which nobody reads the old
one: it can be written in its place. Others are copied there when the step is done.
"""

from __future__ import annotations

from dataclasses import replace

from bpc.ir import Equation, Function, Var, variables
from bpc.ops import OPS
from bpc.ops.loops import Loop, map_bodies
from bpc.schedule.steps import shows


def settled(function: Function) -> Function:
    """The function with its loops, and those in them, made so."""
    function = map_bodies(function, settled)
    body = tuple(_settled(Loop.of(e)).equation() if e.op == "scan" else e for e in function.body)
    return replace(function, body=body)


def _settled(loop: Loop) -> Loop:
    """The loop with copies of new values that are shared, or come too early."""
    body = list(loop.body.body)
    made = {o: i for i, e in enumerate(body) for o in e.outs}
    roots = _roots(body)
    last: dict[Var, int] = {}
    for i, e in enumerate(body):
        last |= {roots.get(a, a): i for a in variables(e.args)}
    early: list[Equation] = []
    late: list[Equation] = []
    updates = list(loop.updates)
    for k, (state, update) in enumerate(zip(loop.states, loop.updates)):
        if not isinstance(update, Var) or not update.type.shape or update is state:
            continue
        root = roots.get(update, update)
        if root not in made and root not in loop.states:
            continue  # an argument of the loop, which nobody writes
        first = loop.updates.index(update) == k
        own = root is update and update in made and first
        if own and update in loop.emits:
            continue
        maker = body[made[update]] if own else None
        if maker and not OPS[maker.op].into and maker.op != "scan":
            continue  # fresh memory in each step
        if maker and OPS[maker.op].into and _dead(body, made[update], state, last, loop, roots):
            continue
        out = update
        if root in loop.states:  # which may be written before the copy is made
            out = Var(update.name, update.type)
            early.append(_copy(update, out, loop))
        final = Var(update.name, update.type)
        late.append(_copy(out, final, loop))
        updates[k] = final
    if not late:
        return loop
    results = (*updates, *loop.emits)
    return loop.with_body(replace(loop.body, body=(*body, *early, *late), results=results))


def _copy(value: Var, out: Var, loop: Loop) -> Equation:
    return Equation("copy", (value,), (out,), loop.span, (), loop.adjoint)


def _roots(body: list[Equation]) -> dict[Var, Var]:
    """What each view is taken of."""
    roots: dict[Var, Var] = {}
    for e in body:
        if shows(e) and isinstance(e.args[0], Var):
            roots[e.out] = roots.get(e.args[0], e.args[0])
    return roots


def _dead(
    body: list[Equation],
    at: int,
    state: Var,
    last: dict[Var, int],
    loop: Loop,
    roots: dict[Var, Var],
) -> bool:
    """Whether nobody reads a state after the equation at a place, which may read it entry by entry."""
    held = {roots.get(r, r) for r in variables(loop.updates)}
    if state in held or any(roots.get(x) is state for x in variables(loop.emits)):
        return False
    e = body[at]
    seen = last.get(state, -1)
    if seen < at:
        return True
    plain = all(a is state or roots.get(a, a) is not state for a in variables(e.args))
    return seen == at and plain and OPS[e.op].elementwise and e.out.type == state.type
