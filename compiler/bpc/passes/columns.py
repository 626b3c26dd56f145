"""A loop that carries nothing is no loop: its steps are done at once, as far as operators can.

    for k: z = x @ V[k]                   Z = V @ x.T
           hs[k] = s * z         ->       hs = s * Z

What is the same in all steps is computed once. An operator that takes no stack stays in a loop of its
own, with those behind it that take none either; a loop in the loop goes on for all steps at once. So
columns of a Hessian are computed together, and gradients of examples.
"""

from __future__ import annotations

from dataclasses import replace

from bpc.ir import Atom, Equation, Function, Var, live, variables
from bpc.ops import Builder, Expr
from bpc.ops.loops import Loop, close, stacked
from bpc.passes.lift import even, lift, liftable
from bpc.types import INT, Axis, Size


def columns(function: Function) -> Function:
    """Do without the loops of a function that carry nothing, but not in other loops."""
    body: list[Equation] = []
    changed: dict[Var, Atom] = {}
    for e in function.body:
        if changed:
            e = replace(
                e, args=tuple(changed.get(a, a) if isinstance(a, Var) else a for a in e.args)
            )
        if e.op != "scan" or Loop.of(e).carries or Loop.of(e).reverse:
            body.append(e)
            continue
        loop = Loop.of(e)
        wide = _Wide(Builder(loop.span), loop.length)
        wide.know(loop.shared, loop.constants, False)
        wide.know(loop.entries, loop.sequences, True)
        wide.know((loop.index,), (wide.counted(),) if _reads(loop.body, loop.index) else (), True)
        wide.run(loop.body)
        changed |= zip(loop.outs, (wide.whole(r) for r in loop.emits))
        body += wide.m.body
    if not changed:
        return function
    results = tuple(changed.get(r, r) if isinstance(r, Var) else r for r in function.results)
    return live(replace(function, body=tuple(body), results=results), strict=True)


def _reads(function: Function, var: Var) -> bool:
    return var in function.results or any(var in e.args for e in function.body)


class _Wide:
    """Equations for all steps at once."""

    def __init__(self, m: Builder, steps: Size) -> None:
        self.m, self.steps = m, steps
        #: what a value is for all steps, and whether that is a stack
        self.found: dict[Var, tuple[Atom, bool]] = {}
        #: equations that wait to go into one loop, and what they compute
        self.waiting: list[Equation] = []
        self.late: set[Var] = set()
        #: stacks that are others times what does not differ
        self.products: dict[Atom, tuple[Expr, Expr]] = {}

    def know(self, inner: tuple[Var, ...], outer: tuple[Atom, ...], differs: bool) -> None:
        """Let variables of the body be some values."""
        self.found |= {v: (a, differs) for v, a in zip(inner, outer)}

    def counted(self) -> Atom:
        """The number of each step."""
        return self.m.emit("arange", size=Axis(self.steps)).atom

    def run(self, body: Function) -> None:
        """All equations."""
        for e in body.body:
            self.push(e)
        self.flush()

    def read(self, atom: Atom) -> tuple[Atom, bool]:
        """A value for all steps, and whether it differs from step to step."""
        return self.found[atom] if isinstance(atom, Var) else (atom, False)

    def whole(self, atom: Atom) -> Atom:
        """A value for all steps, as a stack."""
        found, differs = self.read(atom)
        return found if differs else even(self.m, Expr(self.m, found), self.steps).atom

    def push(self, e: Equation) -> None:
        """One equation."""
        late = not self.late.isdisjoint(variables(e.args))
        differs = [late and a in self.late or self.read(a)[1] for a in e.args]
        if not any(differs):
            self.same(e)
        elif e.op != "scan" and not liftable(e, differs):
            self.waiting.append(e)
            self.late.update(e.outs)
        else:
            if late:
                self.flush()
            if e.op == "scan":
                self.loop(Loop.of(e), differs)
            else:
                self.lifted(e, differs)

    def same(self, e: Equation) -> None:
        """What does not differ is computed once."""
        args = tuple(self.read(a)[0] for a in e.args)
        self.m.body.append(replace(e, args=args))
        self.found |= {o: (o, False) for o in e.outs}

    def lifted(self, e: Equation, differs: list[bool]) -> None:
        """What an operator does for all steps, under the name of what it does for one."""
        self.m.span, self.m.hint, self.m.adjoint = e.span, "", e.adjoint
        args = [Expr(self.m, self.read(a)[0]) for a in e.args]
        if self.scaled(e, args, differs):
            return
        atom = lift(self.m, e, args, differs, self.steps).atom
        last = self.m.body[-1] if self.m.body else None
        if last is not None and last.outs == (atom,):
            atom = Var(e.out.name, atom.type)
            self.m.body[-1] = replace(last, outs=(atom,))
        self.found[e.out] = atom, True
        if e.op == "mul" and not all(differs):
            stack, factor = args if differs[0] else reversed(args)
            self.products[e.out] = stack, factor

    def scaled(self, e: Equation, args: list[Expr], differs: list[bool]) -> bool:
        """Whether it is a stack times factors that do not differ: these are multiplied first."""
        product = self.products.get(e.args[0] if differs[0] else e.args[-1])
        if product is None or e.op not in ("mul", "div", "neg") or all(differs) > (e.op == "neg"):
            return False
        if e.op == "div" and not differs[0]:
            return False
        stack, factor = product
        if e.op == "neg":
            factor = -factor
        else:
            other = args[1] if differs[0] else args[0]
            factor = factor * other if e.op == "mul" else factor / other
        self.m.hint = e.out.name
        scaled = self.m.called(stack * even(self.m, factor, self.steps))
        self.found[e.out] = scaled.atom, True
        self.products[e.out] = stack, factor
        return True

    def flush(self) -> None:
        """A loop over the steps for what waits for one."""
        if not self.waiting:
            return
        outs = tuple(o for e in self.waiting for o in e.outs)
        index = Var("k", INT)
        read = dict.fromkeys(v for e in self.waiting for v in variables(e.args) if v not in outs)
        entries = tuple(v for v in read if self.found[v][1])
        body, shared = close(index, (), entries, tuple(self.waiting), outs, "column")
        first = self.waiting[0]
        stacks = tuple(Var(o.name, stacked(o.type, self.steps)) for o in outs)
        loop = Loop(
            body,
            self.steps,
            (),
            tuple(self.found[v][0] for v in entries),
            tuple(self.found[v][0] for v in shared),
            stacks,
            first.span,
            adjoint=first.adjoint,
        )
        self.m.body.append(loop.equation())
        self.know(outs, stacks, True)
        self.waiting.clear()
        self.late.clear()

    def loop(self, loop: Loop, differs: list[bool]) -> None:
        """A loop in the loop: its values are stacks where they differ, steps of its own in front."""
        n, many = loop.carries, len(loop.entries)
        self.m.span, self.m.hint, self.m.adjoint = loop.span, "", loop.adjoint
        known = dict(zip(loop.body.params[1:], differs))
        carried = _differing(loop, known)
        inits = tuple(
            self.whole(a) if s in carried else self.read(a)[0]
            for s, a in zip(loop.states, loop.inits)
        )
        sequences = [self.read(a)[0] for a in loop.sequences]
        for i, is_stack in enumerate(differs[n : n + many]):
            if is_stack:
                sequences[i] = self.swapped(sequences[i])
        params = {
            p: Var(p.name, stacked(p.type, self.steps), p.named) if p in carried else p
            for p in loop.body.params[1:]
        }
        inner = _Wide(Builder(loop.span), self.steps)
        inner.know((loop.index,), (loop.index,), False)
        inner.found |= {p: (stack, p in carried) for p, stack in params.items()}
        inner.run(loop.body)
        updates = [
            inner.whole(u) if s in carried else inner.read(u)[0]
            for s, u in zip(loop.states, loop.updates)
        ]
        emits = [inner.read(x) for x in loop.emits]
        states = tuple(params[s] for s in loop.states)
        entries = tuple(params[p] for p in loop.entries)
        results = (*updates, *(a for a, _ in emits))
        body, shared = close(
            loop.index, states, entries, tuple(inner.m.body), results, loop.body.name
        )
        constants = {params[p]: self.read(a)[0] for p, a in zip(loop.shared, loop.constants)}
        outs = [Var(o.name, u.type, o.named) for o, u in zip(loop.outs, updates)]
        outs += [
            Var(o.name, stacked(a.type, loop.length), o.named)
            for o, (a, _) in zip(loop.outs[n:], emits)
        ]
        new = replace(
            loop,
            body=body,
            inits=inits,
            sequences=tuple(sequences),
            constants=tuple(constants[p] for p in shared),
            outs=tuple(outs),
        )
        self.m.body.append(new.equation())
        for old, out, s in zip(loop.outs, outs, loop.states):
            self.found[old] = out, s in carried
        for old, out, (_, is_stack) in zip(loop.outs[n:], outs[n:], emits):
            self.found[old] = self.swapped(out) if is_stack else out, is_stack

    def swapped(self, atom: Atom) -> Atom:
        """A stack of stacks, the other way round."""
        order = (1, 0, *range(2, atom.type.rank))
        return self.m.emit("transpose", Expr(self.m, atom), order=order).atom


def _differing(loop: Loop, known: dict[Var, bool]) -> set[Var]:
    """The parameters of a loop's body that differ, some being known: carries until they stay so."""
    found = {p for p, differs in known.items() if differs}
    while True:
        inside = set(found)
        for e in loop.body.body:
            if not inside.isdisjoint(variables(e.args)):
                inside.update(e.outs)
        new = {s for s, u in zip(loop.states, loop.updates) if u in inside} - found
        if not new:
            return found
        found |= new
