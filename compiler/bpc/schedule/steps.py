"""Which carries of a loop take their new values in the line that computes them.

    h = np.tanh(X[t] @ W + h)        instead of        h_2 = np.tanh(X[t] @ W + h)
                                                       h = h_2

That is right where no line after it reads the old value. A total, `S += x`, changes the array of the
old value too: that is right where no other carry holds it.
"""

from __future__ import annotations

from bpc.ir import Equation, Var, uses, variables
from bpc.ops import OPS
from bpc.ops.loops import Loop


def updated_in_place(loop: Loop) -> set[Var]:
    """The new values that may take the place of the old ones at once."""
    body = loop.body
    index = {o: i for i, e in enumerate(body.body) for o in e.outs}
    readers: dict[Var, list[Equation]] = {}
    for e in body.body:
        for arg in e.args:
            if isinstance(arg, Var):
                readers.setdefault(arg, []).append(e)
    count = uses(body)
    printed: dict[Var, int] = {}
    results = set(body.results)
    for e in reversed(body.body):
        out, alone = e.outs[0], len(e.outs) == 1 and not e.outs[0].named
        inside = alone and count.get(out, 0) == 1 and out not in results
        # Written where it is read, it is read when its reader is written.
        printed[out] = printed[readers[out][0].outs[0]] if inside else index[out]
    found = set()
    for state, update in zip(loop.states, loop.updates):
        once = isinstance(update, Var) and update in index and loop.updates.count(update) == 1
        if not once or state in loop.updates:
            continue
        assert isinstance(update, Var)
        own = body.body[index[update]]
        others = [e for e in readers.get(state, []) if own.op != "scan" or e is not own]
        last = max((printed[e.outs[0]] for e in others), default=-1)
        # A loop inside has many lines: it may read the old value as what its own result starts with.
        if own.op == "scan":
            fits = last < index[update] and _starts_alone(Loop.of(own), update, state)
        else:
            fits = last <= index[update]
        if fits:
            found.add(update)
    return found


def _starts_alone(loop: Loop, update: Var, state: Var) -> bool:
    """Whether a loop reads a value nowhere but, perhaps, as what one of its results starts with."""
    place = loop.outs.index(update)
    return all(a is not state or i == place < loop.carries for i, a in enumerate(loop.args))


def totals(loop: Loop) -> dict[Var, Var]:
    """New values that may be added to the array of the old one, which is given beside each."""
    made = {o: e for e in loop.body.body for o in e.outs}
    found = {}
    for state, update in zip(loop.states, loop.updates):
        if not isinstance(update, Var) or update not in made or made[update].op != "add":
            continue
        held = [u for u in loop.updates if u is not update and isinstance(u, Var)]
        if all(memory(u, made).isdisjoint((state, update)) for u in held):
            found[update] = state
    return found


def shows(e: Equation) -> bool:
    """Whether a result may show memory of the first argument: views, rows by a number, labels."""
    row = e.op == "gather" and e.out.type.rank and not any(a.type.rank for a in e.args[1:])
    return OPS[e.op].view or bool(row) or e.op == "checked_label"


def memory(var: Var, made: dict[Var, Equation]) -> set[Var]:
    """The values whose memory a value may share."""
    found: set[Var] = set()
    waiting = [var]
    while waiting:
        var = waiting.pop()
        if var in found:
            continue
        found.add(var)
        e = made.get(var)
        if e is not None and (e.op == "scan" or shows(e)):
            waiting += variables(e.args)
    return found
