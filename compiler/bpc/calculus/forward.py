"""Forward mode: tangents from what is varied to the results, left to right.

    t = w * x              t_dot = w_dot * x
    J = t^2          ->    J_dot = t_dot * 2 * t

There is no second table of rules. The VJP of an operator is linear in its cotangent, so the tangent
of the result is the transpose of the VJP, and the reverse pass is what transposes it: the VJP is
written for a cotangent that stands for nothing, and differentiated by it. (Radul et al., "You only
linearize once", 2023, go the other way.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bpc.calculus.activity import loop_dependent
from bpc.calculus.reverse import pullback
from bpc.ir import Atom, Equation, Function, Literal, Var, live
from bpc.ops import OPS, Builder, Expr
from bpc.ops.loops import Loop, close


def dotted(var: Var) -> Var:
    """The tangent of a variable."""
    return Var(f"{var.name}_dot", var.type, var.named)


def jvp(function: Function, wrt: Sequence[Var], tangents: Sequence[Var], name: str) -> Function:
    """The function with the tangents of its results, for tangents of some of its variables.

    Parameters are those of the function and then the tangents; results are the function's and then
    their tangents, which are 0 where nothing varies.
    """
    run = _Forward(dict(zip(wrt, tangents)))
    for e in function.body:
        run.push(e)
    dots = tuple(run.tangent(r) for r in function.results)
    labels = (*function.labels, *(f"{label}_dot" for label in function.labels))
    params = (*function.params, *tangents)
    return Function(name, params, tuple(run.body), (*function.results, *dots), labels)


class _Forward:
    """One run: the equations so far, and the tangents of variables that vary."""

    def __init__(self, tangents: dict[Var, Var]) -> None:
        self.tangents: dict[Var, Atom] = dict(tangents)
        self.body: list[Equation] = []

    def tangent(self, atom: Atom) -> Atom:
        """The tangent of an atom: 0 where it does not vary."""
        zero = Literal(0.0, atom.type.with_kind("real"))
        return self.tangents.get(atom, zero) if isinstance(atom, Var) else zero

    def push(self, e: Equation) -> None:
        """An equation, and the tangents of its results."""
        if e.op == "scan":
            self.loop(Loop.of(e))
            return
        self.body.append(e)
        varies = tuple(isinstance(a, Var) and a in self.tangents for a in e.args)
        if OPS[e.op].vjp is not None and any(varies) and e.out.type.kind == "real":
            self.tangents[e.out] = self.transposed(e, varies)

    def transposed(self, e: Equation, varies: tuple[bool, ...]) -> Atom:
        """The tangent of the result, by transposing the VJP."""
        m = Builder(e.span, adjoint=e.adjoint)
        cotangent = Var("u", e.out.type)
        m.active = varies
        vjp = OPS[e.op].vjp
        assert vjp is not None
        args = [Expr(m, a) for a in e.args]
        slopes = vjp(m, Expr(m, cotangent), Expr(m, e.out), *args, **dict(e.attrs))
        pairs = [
            (slope.atom, self.tangents[arg])
            for arg, slope, active in zip(e.args, slopes, varies)
            if active and slope is not None and isinstance(arg, Var)
        ]
        results = tuple(slope for slope, _ in pairs)
        linear = Function("vjp", (cotangent,), tuple(m.body), results)
        seeds = [dot for _, dot in pairs]
        pulled = pullback(linear, (cotangent,), seeds, e.span, "u")
        both = (*pulled.primal, *(replace(a, adjoint=e.adjoint) for a in pulled.adjoint))
        kept = live(Function("jvp", (), both, pulled.cotangents)).body
        if any(cotangent in k.args for k in kept):
            raise AssertionError(f"the VJP of {e.op} is not linear")
        return self.named(kept, pulled.cotangents[0], e.out)

    def named(self, equations: tuple[Equation, ...], atom: Atom, of: Var) -> Atom:
        """Append equations; the last result takes the name of a tangent."""
        self.body += equations
        if equations and equations[-1].out is atom:
            out = dotted(of)
            self.body[-1] = replace(equations[-1], outs=(out,))
            return out
        return atom

    def loop(self, loop: Loop) -> None:
        """A loop that carries and stacks tangents too."""
        args = tuple(isinstance(a, Var) and a in self.tangents for a in loop.args)
        sources, depends = loop_dependent(loop, args)
        inside = {p: dotted(p) for p in loop.body.params[1:] if p in sources}
        run = _Forward(dict(inside))
        for e in loop.body.body:
            run.push(e)

        def dots(values: Sequence[Atom], which: Sequence[bool]) -> list[Atom]:
            return [run.tangent(v) for v, varies in zip(values, which) if varies]

        n = loop.carries
        updates = (*loop.updates, *dots(loop.updates, depends[:n]))
        emits = (*loop.emits, *dots(loop.emits, depends[n:]))
        varying = [s for s in loop.states if s in sources]
        states = (*loop.states, *(inside[s] for s in varying))
        inits = [self.tangent(a) for s, a in zip(loop.states, loop.inits) if s in sources]
        pairs = [(p, a) for p, a in zip(loop.entries, loop.sequences) if p in sources]
        entries = (*loop.entries, *(inside[p] for p, _ in pairs))
        sequences = (*loop.sequences, *(self.tangent(a) for _, a in pairs))
        body, shared = close(
            loop.index, states, entries, tuple(run.body), (*updates, *emits), loop.body.name
        )
        known: dict[Var, Atom] = dict(zip(loop.shared, loop.constants))
        known |= {inside[p]: self.tangent(a) for p, a in known.items() if p in sources}
        changed = {o: dotted(o) for o, varies in zip(loop.outs, depends) if varies}
        finals = [changed[o] for o in loop.outs[:n] if o in changed]
        stacks = [changed[o] for o in loop.outs[n:] if o in changed]
        self.tangents |= changed
        self.body.append(
            replace(
                loop,
                body=body,
                inits=(*loop.inits, *inits),
                sequences=sequences,
                constants=tuple(known[p] for p in shared),
                outs=(*loop.outs[:n], *finals, *loop.outs[n:], *stacks),
            ).equation()
        )
