"""Where -O2 writes each value: into buffers that live on from call to call, in place where it can.

    z = matmul(x, W)      z = x.dot(W, N_by_16)      the first buffer of this type
    z' = add(z, b)        z += b                     nobody reads z again: its memory is taken over
    h = tanh(z')          h = np.tanh(z, z)

A value keeps its memory until its last reader, or that of a view of it, is done; then a value of
the same type may have it. In a loop, what is stacked is written into the stack.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field, replace

from bpc.ir import Atom, Equation, Function, Literal, Var, live, renamed, variables
from bpc.ops import OPS
from bpc.ops.loops import Loop, map_bodies
from bpc.plan import Buffer, Given, Place, Plan, Step
from bpc.record import record
from bpc.schedule.carried import settled
from bpc.schedule.filled import filled
from bpc.schedule.labels import pointed
from bpc.schedule.numbers import numbers
from bpc.schedule.overlay import overlaid
from bpc.schedule.pieces import in_pieces, pieces
from bpc.schedule.steps import shows
from bpc.schedule.stretch import stretched
from bpc.types import Type

#: what always stays: results and arguments
FOREVER = 10**9


def assign(plan: Plan, given: bool = True) -> Plan:
    """The plan with a place for each value that an operator can write into memory.

    With `given` the caller gives the memory of results.
    """
    function = _distinct(direct(live(plan.function, strict=True)), set())
    function = settled(in_pieces(_own_results(function) if given else function))
    function = numbers(stretched(filled(pointed(overlaid(function)))))
    function, constants = _constants(function, given)
    memory = _Memory()
    wanted: dict[Var, Place] = {r: Given() for r in variables(function.results) if given}
    _place(function, memory, wanted)
    return replace(
        plan,
        function=function,
        places=memory.places,
        buffers=tuple(memory.buffers),
        constants=constants,
        ordered=True,
    )


@record()
class _Memory:
    """Buffers made so far, those that nobody uses, and the places of values."""

    places: dict[Var, Place] = field(default_factory=dict)
    buffers: list[Buffer] = field(default_factory=list)
    free: dict[Type, list[Buffer]] = field(default_factory=dict)

    def take(self, type: Type) -> Buffer:
        """A buffer that nobody uses."""
        waiting = self.free.get(type)
        if waiting:
            return waiting.pop()
        self.buffers.append(Buffer(type))
        return self.buffers[-1]

    def give(self, buffer: Buffer) -> None:
        """Let others use a buffer."""
        self.free.setdefault(buffer.type, []).append(buffer)


def _place(function: Function, memory: _Memory, wanted: dict[Var, Place]) -> None:
    """Find places for what a function computes; some places are wanted already."""
    owners = _owners(function.body)
    last = _last_readers(function, owners)
    made = {o: e for e in function.body for o in e.outs}
    holds: dict[Var, Buffer] = {}
    _handed_back(function, owners, last, made, wanted)
    slices = pieces(function, {v for v, place in wanted.items() if isinstance(place, Var)})
    for i, e in enumerate(function.body):
        ending = {o for a in variables(e.args) for o in owners[a] if last[o] == i}
        if e.op == "scan":
            holds |= _loop(Loop.of(e), memory)
        elif writes(e):
            taken = _taken_over(e, owners, ending, made)
            if e.out in slices:
                memory.places[e.out] = slices[e.out]
                joined = slices[e.out].whole
                if joined in wanted:
                    memory.places[joined] = wanted[joined]
                elif joined not in holds:
                    memory.places[joined] = holds[joined] = memory.take(joined.type)
            elif e.out in memory.places:
                pass  # joined of parts, the first of which was given memory
            elif e.out in wanted:
                memory.places[e.out] = wanted[e.out]
            elif taken is not None:
                memory.places[e.out] = taken
                ending.discard(taken)
                if taken in holds:
                    holds[e.out] = holds.pop(taken)
            else:
                memory.places[e.out] = holds[e.out] = memory.take(e.out.type)
        ending.update(o for o in e.outs if o not in last)
        for var in [v for v in holds if v in ending]:
            memory.give(holds.pop(var))
    for buffer in holds.values():
        memory.give(buffer)


def _handed_back(
    function: Function,
    owners: _Owners,
    last: dict[Var, int],
    made: dict[Var, Equation],
    wanted: dict[Var, Place],
) -> None:
    """Let values be computed in the memory of the results that take their place."""
    at = {o: i for i, e in enumerate(function.body) for o in e.outs}
    for result in [v for v, place in wanted.items() if isinstance(place, Given) and v in at]:
        first = var = result
        while True:
            e, i = made[var], at[var]
            ending = {o for a in variables(e.args) for o in owners[a] if last[o] == i}
            taken = _taken_over(e, owners, ending, made) if writes(e) else None
            if taken is None or taken.named or taken in wanted or not writes(made[taken]):
                break
            first = var = taken
        if first is not result:
            wanted[first] = wanted.pop(result)


def _loop(loop: Loop, memory: _Memory) -> dict[Var, Buffer]:
    """Places in the body of a loop; what its results hold."""
    held: dict[Var, Buffer] = {}
    wanted: dict[Var, Place] = {}
    for stack, atom in zip(loop.outs[loop.carries :], loop.emits):
        memory.places[stack] = held[stack] = memory.take(stack.type)
        if isinstance(atom, Var):
            wanted.setdefault(atom, Step(stack))
    made = {o: e for e in loop.body.body for o in e.outs}
    for out, state, update in zip(loop.outs, loop.states, loop.updates):
        # `settled` made sure that nobody reads the state after its new value is written.
        new = isinstance(update, Var) and update not in wanted
        if isinstance(update, Var) and new and update in made and writes(made[update]):
            memory.places[out] = held[out] = memory.take(out.type)
            wanted[update] = state
    _place(loop.body, memory, wanted)
    return held


def writes(e: Equation) -> bool:
    """Whether an equation computes an array that it can write anywhere."""
    return bool(OPS[e.op].into) and len(e.outs) == 1 and bool(e.out.type.shape)


def direct(function: Function) -> Function:
    """The function, and its loops, with values under the name that they are given next.

    u = mul(g, x); dw = u    ->    dw = mul(g, x)
    """
    function = map_bodies(function, direct)
    made = {o for e in function.body for o in e.outs}
    called: dict[Atom, Var] = {}
    for e in reversed(function.body):
        if e.op != "identity" or e.args[0] not in made or e.args[0] in called:
            continue
        (source,) = e.args
        if isinstance(source, Var) and not source.named and source.type == e.out.type:
            called[source] = called.get(e.out, e.out)
    if not called:
        return function
    left = tuple(
        e
        for e in function.body
        if e.op != "identity" or called.get(e.args[0]) is not called.get(e.out, e.out)
    )
    return renamed(replace(function, body=left), called)


def _distinct(function: Function, seen: set[Var]) -> Function:
    """The function, and its loops, in which no value is made twice: a reversed loop makes some again."""
    called: dict[Atom, Var] = {}
    body = []
    for e in function.body:
        e = replace(e, args=tuple(called.get(a, a) for a in e.args))
        if e.op == "scan":
            loop = Loop.of(e)
            e = loop.with_body(_distinct(loop.body, seen)).equation()
        called |= {o: Var(o.name, o.type, o.named) for o in e.outs if o in seen}
        e = replace(e, outs=tuple(called.get(o, o) for o in e.outs))
        seen.update(e.outs)
        body.append(e)
    results = tuple(called.get(r, r) for r in function.results)
    return replace(function, body=tuple(body), results=results)


def _own_results(function: Function) -> Function:
    """The function with copies of results that show memory of the workspace."""
    made = {o: e for e in function.body for o in e.outs}
    body, results = list(function.body), []
    for r in function.results:
        maker = made.get(r) if isinstance(r, Var) else None
        shared = maker is not None and (maker.op == "scan" or shows(maker))
        if isinstance(r, Var) and shared and r.type.shape:
            copy = Var(r.name, r.type)
            span = body[-1].span
            body.append(Equation("copy", (r,), (copy,), span, (), body[-1].adjoint))
            r = copy
        results.append(r)
    return replace(function, body=tuple(body), results=tuple(results))


def _constants(function: Function, given: bool) -> tuple[Function, tuple[Equation, ...]]:
    """The function without what depends on sizes alone, and that; results that are given stay."""
    owners = _owners(function.body)
    kept = {o for r in variables(function.results) for o in owners[r] if given}

    def constant(e: Equation) -> bool:
        sizes = all(isinstance(a, Literal) for a in e.args) and e.op not in ("mask", "scan")
        array = bool(e.out.type.shape) or e.op == "number"
        return sizes and array and e.out not in kept

    found = tuple(e for e in function.body if constant(e))
    body = tuple(e for e in function.body if not constant(e))
    return replace(function, body=body), found


class _Owners(dict[Var, frozenset[Var]]):
    """Whose memory a variable may show: its own, unless something else is known."""

    def __missing__(self, var: Var) -> frozenset[Var]:
        return frozenset((var,))


def _owners(body: Iterable[Equation]) -> _Owners:
    """Views show what they are taken of; what a loop leaves, perhaps all that it read."""
    owners = _Owners()
    for e in body:
        if e.op == "scan":
            loop = Loop.of(e)
            stacks = frozenset(loop.outs[loop.carries :])
            made = {o: b for b in loop.body.body for o in b.outs}
            for out, init, update in zip(loop.outs, loop.inits, loop.updates):
                if update in loop.emits and update in made:
                    read = variables((init,))  # where there are no steps
                elif update in made and writes(made[update]):
                    continue  # memory of its own
                else:
                    read = variables(e.args)
                owners[out] = stacks.union((out,), *(owners[a] for a in read))
        elif shows(e) and isinstance(e.args[0], Var):
            owners[e.out] = owners[e.args[0]]
    return owners


def _last_readers(function: Function, owners: _Owners) -> dict[Var, int]:
    """The place of the last equation that reads the memory of a variable."""
    last: dict[Var, int] = {}
    for i, e in enumerate(function.body):
        for arg in variables(e.args):
            last |= dict.fromkeys(owners[arg], i)
    for var in (*variables(function.results), *function.params):
        last |= dict.fromkeys(owners[var], FOREVER)
    return last


def _taken_over(
    e: Equation, owners: _Owners, ending: set[Var], made: dict[Var, Equation]
) -> Var | None:
    """An argument whose memory the result may have: read whole, for the last time, and our own."""
    if not OPS[e.op].elementwise:
        return None
    for arg in variables(e.args):
        same = arg in ending and arg.type == e.out.type and arg in made
        alone = all(arg not in owners[a] or a is arg for a in variables(e.args))
        fresh = made[arg].op not in ("scan", "stretch") if arg in made else False
        if same and alone and fresh and not shows(made[arg]):
            return arg
    return None
