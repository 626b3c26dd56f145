"""Activity: what depends on the variables asked for, and what leads to the results.

Only what does both has an adjoint. Through a loop both travel along the carries, from step to step.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from bpc.ir import Atom, Equation, Var, variables
from bpc.ops import OPS
from bpc.ops.loops import Loop

MEMORY = 4096  # answers about loops that are remembered


def active(
    equations: tuple[Equation, ...], sources: Iterable[Var], results: Iterable[Atom]
) -> set[Var]:
    """Variables that depend on a source through operators with a gradient, and lead to a result."""
    targets = {r for r in results if isinstance(r, Var)}
    return dependent(equations, set(sources)) & leading(equations, targets)


def dependent(equations: tuple[Equation, ...], sources: set[Var]) -> set[Var]:
    """The sources and what depends on them."""
    found = set(sources)
    for e in equations:
        if e.op == "scan":
            loop = Loop.of(e)
            _, outs = loop_dependent(loop, tuple(a in found for a in loop.args))
            found.update(o for o, depends in zip(e.outs, outs) if depends)
        elif OPS[e.op].vjp is not None and not found.isdisjoint(variables(e.args)):
            found.update(o for o in e.outs if o.type.kind == "real")
    return found


@lru_cache(maxsize=MEMORY)
def loop_dependent(loop: Loop, args: tuple[bool, ...]) -> tuple[frozenset[Var], tuple[bool, ...]]:
    """The body's parameters that depend on arguments, some of which do; and which results do.

    It is remembered: loops in loops would be asked again and again.
    """
    sources = {p for p, depends in zip(loop.body.params[1:], args) if depends}
    while True:
        found = dependent(loop.body.body, sources)
        carried = {s for s, u in zip(loop.states, loop.updates) if u in found}
        if carried <= sources:
            break
        sources |= carried
    finals = [s in sources for s in loop.states]
    return frozenset(sources), (*finals, *(e in found for e in loop.emits))


def leading(equations: tuple[Equation, ...], targets: set[Var]) -> set[Var]:
    """The targets and what leads to them."""
    found = set(targets)
    for e in reversed(equations):
        if found.isdisjoint(e.outs):
            continue
        if e.op == "scan":
            loop = Loop.of(e)
            args = loop_leading(loop, tuple(o in found for o in e.outs))
            found.update(a for a, leads in zip(loop.args, args) if leads and isinstance(a, Var))
        else:
            found.update(variables(e.args))
    return found


@lru_cache(maxsize=MEMORY)
def loop_leading(loop: Loop, outs: tuple[bool, ...]) -> tuple[bool, ...]:
    """Which arguments lead to those results that are wanted."""
    wanted = [r for r, is_wanted in zip(loop.body.results, outs) if is_wanted]
    states = {s for s, is_wanted in zip(loop.states, outs) if is_wanted}
    while True:
        found = leading(loop.body.body, {r for r in wanted if isinstance(r, Var)})
        more = [(s, u) for s, u in zip(loop.states, loop.updates) if s in found and s not in states]
        if not more:
            break
        states |= {s for s, _ in more}
        wanted += [u for _, u in more]
    return tuple(p in found or p in states for p in loop.body.params[1:])
