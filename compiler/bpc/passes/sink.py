"""What no later step reads is computed after the loop, for all steps at once.

    for t: hs[t] = h;                     for t: hs[t] = h; bs[t] = b
           S += h.T @ b           ->      S = sum of hs[t].T @ bs[t], one product

So are sums over the steps, such as the gradients of what all steps share, and products that are
emitted.
"""

from __future__ import annotations

from dataclasses import replace

from bpc.ir import Atom, Equation, Function, Literal, Var, variables
from bpc.ops import OPS, Expr
from bpc.ops.loops import Loop, close
from bpc.passes.lift import even, lift, liftable
from bpc.passes.outside import HEAVY, Outside, cone


def sink(function: Function) -> Function:
    """Move work after every loop of the function."""
    if not any(e.op == "scan" for e in function.body):
        return function
    body: list[Equation] = []
    for e in function.body:
        body += _After(Loop.of(e)).run() if e.op == "scan" else [e]
    return replace(function, body=tuple(body))


class _After:
    """One loop whose results are looked through for work that no later step reads."""

    def __init__(self, loop: Loop) -> None:
        self.loop, self.outside = loop, Outside(loop)
        self.made = {o: e for e in loop.body.body for o in e.outs}
        self.index = {o: i for i, e in enumerate(loop.body.body) for o in e.outs}
        self.count: dict[Var, int] = {}
        for v in (v for e in loop.body.body for v in variables(e.args)):
            self.count[v] = self.count.get(v, 0) + 1
        #: accumulators: what each step adds
        self.added = {
            i: x
            for i, (s, u) in enumerate(zip(loop.states, loop.updates))
            if (x := self.addend(s, u)) is not None
        }
        kept = [u for i, u in enumerate(loop.updates) if i not in self.added]
        self.core = cone({u for u in kept if isinstance(u, Var) and u in self.made}, self.made)
        self.stacks: dict[Var, Var] = {}
        #: results that have their equation
        self.taken: set[Var] = set()

    def addend(self, state: Var, update: Atom) -> Var | None:
        """X where the update is state + x, and nothing else reads either."""
        e = self.made.get(update) if isinstance(update, Var) else None
        if e is None or e.op != "add" or self.count.get(state, 0) != 1 or e.out in self.count:
            return None
        results = self.loop.body.results
        if state not in e.args or state in results or results.count(e.out) != 1:
            return None
        other = next((a for a in e.args if a is not state), None)
        return other if isinstance(other, Var) and other in self.made else None

    def run(self) -> list[Equation]:
        """The loop, and the equations after it."""
        loop = self.loop
        totals = {i: x for i, x in self.added.items() if self.worth_adding(x)}
        emitted = {
            k: r
            for k, r in enumerate(loop.emits, loop.carries)
            if isinstance(r, Var) and self.outer(r) and self.heavy(r)
        }
        if not totals and not emitted:
            return [loop.equation()]
        #: stacks that the loop goes on to make
        for k, r in enumerate(loop.emits, loop.carries):
            if isinstance(r, Var) and k not in emitted:
                self.stacks.setdefault(r, loop.outs[k])
        for i, x in totals.items():
            self.finish(self.total(x, loop.inits[i]), loop.outs[i])
        for k, r in emitted.items():
            self.finish(self.value(r)[0], loop.outs[k])
        gone = {*totals, *emitted}
        left = self.remaining(gone)
        return [left, *self.outside.m.body] if left.outs else self.outside.m.body

    def remaining(self, gone: set[int]) -> Equation:
        """The loop without some of its results, and with stacks of what is read after it."""
        loop = self.loop
        kept = [i for i in range(len(loop.outs)) if i not in gone]
        carried = [i for i in kept if i < loop.carries]
        results = [loop.body.results[i] for i in kept]
        outs = [loop.outs[i] for i in kept]
        for var, stack in self.stacks.items():
            if stack not in outs:
                results.append(var)
                outs.append(stack)
        states = tuple(loop.states[i] for i in carried)
        dropped = {loop.body.results[i] for i in gone if i < loop.carries}
        equations = tuple(e for e in loop.body.body if e.out not in dropped)
        body, shared = close(
            loop.index, states, loop.entries, equations, tuple(results), loop.body.name
        )
        known = dict(zip(loop.shared, loop.constants))
        inits = tuple(loop.inits[i] for i in carried)
        constants = tuple(known[p] for p in shared)
        return replace(
            loop, body=body, inits=inits, constants=constants, outs=tuple(outs)
        ).equation()

    # What can be computed outside

    def outer(self, var: Var) -> bool:
        """Whether a value is computed in the body, can be lifted, and no later step needs it."""
        e = self.made.get(var)
        if e is None or var in self.core or e.op == "scan" or not e.args:
            return False
        if e.op in ("scatter", "full"):
            return False
        stacked = [isinstance(a, Var) and not self.is_constant(a) for a in e.args]
        return any(stacked) and liftable(e, stacked)

    def is_constant(self, var: Var) -> bool:
        """Whether a value is the same in all steps."""
        return var in self.outside.found and not self.outside.found[var][1]

    def heavy(self, var: Var) -> bool:
        """Whether a matrix product is among what a value that can be lifted is computed of."""
        waiting, seen = [var], {var}
        while waiting:
            e = self.made[waiting.pop()]
            if e.op in HEAVY:
                return True
            more = [v for v in variables(e.args) if v not in seen and self.outer(v)]
            seen.update(more)
            waiting += more
        return False

    def worth_adding(self, x: Var) -> bool:
        """Whether what is added up in the loop is better added up at once."""
        e = self.made[x]
        if e.op == "scatter" and dict(e.attrs)["axis"]:
            return False
        if e.op in ("matmul", "scatter"):
            return x not in self.core and all(isinstance(a, Var) for a in e.args)
        if e.op == "reshape" or OPS[e.op].elementwise:
            return x.type.rank < 2 and self.outer(x)
        return e.op in ("sum", "mean") and self.outer(x)

    def value(self, atom: Atom) -> tuple[Expr, bool]:
        """A value of the body, outside: known, computed again for all steps, or stacked."""
        if not isinstance(atom, Var):
            return self.outside.read(atom)
        waiting, again = [atom], set[Var]()
        while waiting:
            var = waiting.pop()
            if var in self.outside.found or var in again:
                continue
            if var not in self.stacks and self.outer(var):
                again.add(var)
                waiting += variables(self.made[var].args)
            else:
                self.stack(var)
        for var in sorted(again, key=self.index.__getitem__):
            self.outside.write(self.made[var])
        return self.outside.found[atom]

    def stack(self, var: Var) -> None:
        """Let the loop stack a value, if it does not do so already, to be read outside."""
        if var not in self.stacks:
            self.stacks[var] = Var(f"{var.name}_steps", self.loop.stacked(var.type))
        self.outside.found[var] = Expr(self.outside.m, self.stacks[var]), True

    def total(self, x: Var, init: Atom) -> Expr:
        """The sum over all steps of what each adds, from what the sum starts with."""
        m, e = self.outside.m, self.made[x]
        m.span, m.hint = e.span, ""
        if e.op == "scatter":
            total = self.scattered(e)
        elif e.op == "matmul" and all(not self.is_constant(v) for v in variables(e.args)):
            total = self.product(e)
        else:
            value, _ = self.value(x)
            total = m.emit("sum", value, axes=(0,), keep=False)
        zero = isinstance(init, Literal) and init.value == 0
        return total if zero else Expr(m, init) + total

    def scattered(self, e: Equation) -> Expr:
        """What all steps add at entries: where these are the same in all, the sum is added once."""
        m, steps = self.outside.m, self.loop.length
        (x, *ids), (x_stacked, *stacked) = zip(*(self.value(a) for a in e.args))
        x = x if x_stacked else even(m, x, steps)
        if any(stacked):
            ids = [i if s else even(m, i, steps) for i, s in zip(ids, stacked)]
        else:
            x = m.emit("sum", x, axes=(0,), keep=False)
        return m.emit("scatter", x, *ids, **dict(e.attrs))

    def product(self, e: Equation) -> Expr:
        """The sum over t of a[t] @ b[t] as one product: steps and inner axes are its rows."""
        m = self.outside.m
        (a, b), stacked = zip(*(self.value(v) for v in e.args))
        if any(v.type.rank != 2 for v in e.args) or not all(stacked):
            product = lift(m, e, [a, b], stacked, self.loop.length)
            return m.emit("sum", product, axes=(0,), keep=False)
        return m.emit("rows_product", m.emit("transpose", a, order=(0, 2, 1)), b)

    def finish(self, value: Expr, out: Var) -> None:
        """Let a value be the result that the loop had."""
        m = self.outside.m
        if m.body and m.body[-1].out is value.atom and value.atom not in self.taken:
            self.taken.add(out)
            m.body[-1] = replace(m.body[-1], outs=(out,))
            for var, (known, stacked) in self.outside.found.items():
                if known.atom is value.atom:
                    self.outside.found[var] = Expr(m, out), stacked
        else:
            m.emit("identity", value)
            m.body[-1] = replace(m.body[-1], outs=(out,))
