"""Which carries of a loop take their new values in the line that computes them.

    h = np.tanh(X[t] @ W + h)        instead of        h_2 = np.tanh(X[t] @ W + h)
                                                       h = h_2

That is right where no line after it reads the old value.
"""

from __future__ import annotations

from bpc.ir import Equation, Var, uses
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
        last = max((printed[e.outs[0]] for e in readers.get(state, [])), default=-1)
        if last <= index[update]:
            found.add(update)
    return found
