"""What the passes on loops share: the equations of a body, written outside of it."""

from __future__ import annotations

from dataclasses import replace

from bpc.ir import Atom, Equation, Var, variables
from bpc.ops import Builder, Expr
from bpc.ops.loops import Loop
from bpc.passes.lift import lift

#: operators that are worth a stack of their arguments
HEAVY = frozenset(("matmul", "gather", "scatter"))


class Outside:
    """Equations written outside of a loop for values inside of it."""

    def __init__(self, loop: Loop) -> None:
        self.loop, self.m = loop, Builder(loop.span, adjoint=loop.adjoint)
        #: what a value is outside, and whether that is a stack over the steps
        self.found: dict[Var, tuple[Expr, bool]] = {}
        for p, a in zip(loop.shared, loop.constants):
            self.found[p] = Expr(self.m, a), False
        for p, a in zip(loop.entries, loop.sequences):
            self.found[p] = Expr(self.m, a), True

    def read(self, atom: Atom) -> tuple[Expr, bool]:
        """A value of the body, outside."""
        return self.found[atom] if isinstance(atom, Var) else (Expr(self.m, atom), False)

    def write(self, e: Equation) -> Expr:
        """An equation of the body, outside."""
        self.m.span, self.m.hint = e.span, ""
        found = [self.read(a) for a in e.args]
        args, stacked = [x for x, _ in found], [is_stack for _, is_stack in found]
        if any(stacked):
            made: Expr = lift(self.m, e, args, stacked, self.loop.length)
            made = self.named(made, e.out)
        else:
            out = Var(e.out.name, e.out.type, e.out.named)
            atoms = tuple(x.atom for x in args)
            self.m.body.append(replace(e, args=atoms, outs=(out,)))
            made = Expr(self.m, out)
        self.found[e.out] = made, any(stacked)
        return made

    def named(self, value: Expr, like: Var) -> Expr:
        """The last result under the name of what it is a stack of."""
        last = self.m.body[-1]
        if last.out is not value.atom:
            return value
        out = Var(like.name, value.type)
        self.m.body[-1] = replace(last, outs=(out,))
        return Expr(self.m, out)


def cone(wanted: set[Var], made: dict[Var, Equation]) -> set[Var]:
    """Some values and what they are computed of."""
    found, waiting = set(wanted), list(wanted)
    while waiting:
        for v in variables(made[waiting.pop()].args):
            if v in made and v not in found:
                found.add(v)
                waiting.append(v)
    return found
