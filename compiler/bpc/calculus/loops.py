"""The adjoint of a loop is a loop that runs backwards over what the forward one saved.

    for t in 0..T-1:                    for t in T-1..0:
        z = X[t] @ W + h                    dJ_dz = dJ_dh * (1 - hs[t]^2)
        h = tanh(z)              ->         dJ_dX[t] = dJ_dz @ W.T
                                            dJ_dW += X[t].T @ dJ_dz
                                            dJ_dh = dJ_dz

Cotangents of the carries are carried, those of constants are added up, those of sequences stacked.
What only moves entries about is computed again instead of saved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from bpc.calculus.activity import loop_dependent
from bpc.ir import Atom, Equation, Literal, Var, variables
from bpc.ops import OPS, Builder, Expr
from bpc.ops.loops import Loop, close

#: what is computed again from saved values rather than saved
CHEAP = ("add", "sub", "mul", "neg")
#: (function, wrt, seeds, start, name, edges) -> Pullback: the reverse pass, for the body
Pull = Callable[..., Any]


def pull(
    m: Builder,
    loop: Loop,
    given: Sequence[Atom | None],
    wanted: tuple[bool, ...],
    name: str,
    edges: bool,
    pullback: Pull,
) -> tuple[Loop, list[Expr | None]]:
    """Write the reversed loop with `m`, from the cotangents given for the results.

    Returns the forward loop, which saves what the reversed one reads, and a cotangent for each
    argument that is wanted.
    """
    return _Pull(m, loop, given, wanted, name).run(edges, pullback)


class _Pull:
    """One loop being reversed."""

    def __init__(
        self, m: Builder, loop: Loop, given: Sequence[Atom | None], wanted: tuple[bool, ...],
        name: str,
    ) -> None:  # fmt: skip
        self.m, self.loop, self.name = m, loop, name
        sources, depends = loop_dependent(loop, wanted)
        self.sources = [p for p in loop.body.params[1:] if p in sources]
        #: (state, cotangent at the end) of each carry that has a gradient
        self.carried = [
            (s, g or Literal(0.0, s.type)) for s, g in zip(loop.states, given) if s in sources
        ]
        self.cotangents = {s: self.adjoint(s) for s, _ in self.carried}
        #: cotangents of what is emitted: the stack, and its entry in the body
        emitted = zip(loop.emits, given[loop.carries :], depends[loop.carries :])
        self.emitted = [
            (g, Var(g.name if isinstance(g, Var) else "one", atom.type))
            if g and is_active
            else None
            for atom, g, is_active in emitted
        ]
        self.totals = {p: self.adjoint(p) for p in loop.shared if p in sources}

    def adjoint(self, var: Var) -> Var:
        """The cotangent of a variable, as it comes into a step."""
        return Var(f"d{self.name}_d{var.name}", var.type, var.named)

    def run(self, edges: bool, pullback: Pull) -> tuple[Loop, list[Expr | None]]:
        """Both loops."""
        loop = self.loop
        seeds = [self.cotangents.get(s) for s in loop.states]
        seeds += [pair[1] if pair else None for pair in self.emitted]
        pulled = pullback(loop.body, self.sources, seeds, loop.span, self.name, edges, True)
        slopes = dict(zip(self.sources, pulled.cotangents))
        called = dict(zip(seeds, pulled.seeds))
        self.cotangents = {s: called.get(v, v) for s, v in self.cotangents.items()}
        self.emitted = [(p[0], called.get(p[1], p[1])) if p else None for p in self.emitted]
        forward = loop.with_body(replace(loop.body, body=pulled.primal))
        forward, backward, outs = self.reversed(forward, pulled.adjoint, slopes)
        self.m.body.append(backward.equation())
        found: list[Expr | None] = []
        for param in loop.body.params[1:]:
            out = outs.get(param)
            found.append(Expr(self.m, out) if out is not None else None)
        return forward, found

    def reversed(
        self, forward: Loop, adjoint: tuple[Equation, ...], slopes: dict[Var, Atom]
    ) -> tuple[Loop, Loop, dict[Var, Var]]:
        """The reversed loop around the body's adjoints; its results by the body's parameters."""
        loop = self.loop
        inner = Builder(loop.span, adjoint=True)
        entering = [s for s, _ in self.carried]
        sums = []
        places = {o: e.span for e in adjoint for o in e.outs}
        for p, total in self.totals.items():
            slope = slopes[p]
            inner.span = places.get(slope, loop.span) if isinstance(slope, Var) else loop.span
            sums.append((Expr(inner, total) + Expr(inner, slopes[p])).atom)
        entries = [p for p in loop.entries if p in slopes]
        results = (*(slopes[s] for s in entering), *sums, *(slopes[p] for p in entries))
        equations = (*adjoint, *inner.body)
        saved, again = self.residuals(forward, equations, results)
        forward, sequences = self.save(forward, saved)
        sequences += [pair for pair in self.emitted if pair]
        states = (*self.cotangents.values(), *self.totals.values())
        body, constants = close(
            loop.index,
            states,
            tuple(entry for _, entry in sequences),
            (*again, *equations),
            results,
            "step",
        )
        outs = {p: self.adjoint(p) for p in (*entering, *self.totals)}
        outs |= {p: Var(f"d{self.name}_d{p.name}", loop.stacked(p.type)) for p in entries}
        outer = dict(zip(loop.shared, loop.constants))
        backward = Loop(
            body,
            loop.length,
            (*(g for _, g in self.carried), *(Literal(0.0, p.type) for p in self.totals)),
            tuple(stack for stack, _ in sequences),
            tuple(outer.get(c, c) for c in constants),
            tuple(outs.values()),
            loop.span,
            not loop.reverse,
            adjoint=True,
        )
        return forward, backward, outs

    def residuals(
        self, forward: Loop, equations: tuple[Equation, ...], results: tuple[Atom, ...]
    ) -> tuple[list[Var], tuple[Equation, ...]]:
        """What the adjoints read of a step: what to save, and equations to compute again."""
        made = {o: e for e in forward.body.body for o in e.outs}
        own = {o for e in equations for o in e.outs}
        read = [v for e in equations for v in variables(e.args)] + list(variables(results))
        saved: dict[Var, None] = {}
        again: set[Equation] = set()
        known = {*forward.entries, *forward.states}
        seen: set[Var] = set()
        while read:
            var = read.pop()
            if var in own or var in seen:
                continue
            seen.add(var)
            e = made.get(var)
            if e is not None and OPS[e.op].moves:
                again.add(e)
                read += variables(e.args)
            elif e is not None or var in known:
                saved[var] = None
        for var in reversed([v for v in made if v in saved]):
            here = (*saved, *known, *forward.shared)
            if made[var].op in CHEAP and all(v in here for v in variables(made[var].args)):
                del saved[var]
                again.add(made[var])
                saved |= dict.fromkeys(v for v in variables(made[var].args) if v in known)
        order = [v for v in (*forward.states, *forward.entries, *made) if v in saved]
        return order, tuple(e for e in forward.body.body if e in again)

    def save(self, forward: Loop, saved: list[Var]) -> tuple[Loop, list[tuple[Atom, Var]]]:
        """The forward loop with stacks of what is saved; each stack with its entry.

        What the loop emits anyway, and entries of its own sequences, need no new stack.
        """
        stacks: dict[Atom, Atom] = dict(zip(forward.emits, forward.outs[forward.carries :]))
        stacks |= dict(zip(forward.entries, forward.sequences))
        results, outs = list(forward.body.results), list(forward.outs)
        sequences: list[tuple[Atom, Var]] = []
        for var in saved:
            if var not in stacks:
                stack = Var(f"{var.name}_steps", forward.stacked(var.type))
                stacks[var] = stack
                results.append(var)
                outs.append(stack)
            sequences.append((stacks[var], var))
        body = replace(forward.body, results=tuple(results), labels=())
        return replace(forward, body=body, outs=tuple(outs)), sequences
