"""The reverse pass: from results to what they depend on, right to left.

    t = w * x              dJ_dt = 2 * t
    J = t^2          ->    dJ_dw = dJ_dt * x

It walks the active equations, those that depend on a variable asked for and reach a result, in
reverse, and asks each operator's VJP what it contributes to the cotangents of its arguments. Where
several contributions meet they are added explicitly. (Baydin et al., "Automatic differentiation in
machine learning: a survey", 2018.)
"""

from __future__ import annotations

from collections.abc import Sequence

from bpc.calculus import loops
from bpc.calculus.activity import active
from bpc.ir import Atom, Equation, Function, Literal, Var, variables
from bpc.ops import OPS, Builder, Expr
from bpc.ops.loops import Loop
from bpc.record import record
from bpc.source import Span


@record(frozen=True)
class Pullback:
    """A function and its adjoint: equations, and a cotangent for each variable asked for.

    The loops of the primal save what those of the adjoint read.
    """

    primal: tuple[Equation, ...]
    adjoint: tuple[Equation, ...]
    cotangents: tuple[Atom, ...]
    #: the seeds, some under other names
    seeds: tuple[Atom | None, ...]


def gradient(cost: Function, wrt: tuple[Var, ...], start: Span, edges: bool = False) -> Function:
    """`value_and_grad`: the equations of the cost followed by the adjoints of `wrt`.

    Results are the cost and one cotangent for each of `wrt`, zero where the cost does not depend
    on it. With `edges` each contribution to a sum has a line of its own. `start` is the place that
    stands in for the declarations.
    """
    seed = Literal(1.0, cost.results[0].type)
    name = cost.labels[0]
    pulled = pullback(cost, wrt, (seed,), start, name, edges)
    labels = (name, *(f"d{name}_d{v.name}" for v in wrt))
    body = (*pulled.primal, *pulled.adjoint)
    results = (cost.results[0], *pulled.cotangents)
    return Function("value_and_grad", cost.params, body, results, labels)


def pullback(
    function: Function,
    wrt: Sequence[Var],
    seeds: Sequence[Atom | None],
    start: Span,
    name: str,
    edges: bool = False,
    inner: bool = False,
) -> Pullback:
    """The cotangents of variables for given cotangents of the results (None: there is none).

    `name` is what adjoints are of: `dJ_dw`. In the body of a loop (then `inner`) the seeds may take
    the names of what they are cotangents of, and what is returned needs no line of its own.
    """
    return _Reverse(function, wrt, start, name, edges).run(seeds, inner)


class _Reverse:
    """One run: the contributions that wait for each variable, and the names given on the way."""

    def __init__(
        self, function: Function, wrt: Sequence[Var], start: Span, name: str, edges: bool
    ) -> None:
        self.function, self.wrt, self.name, self.edges = function, wrt, name, edges
        self.active = active(function.body, wrt, function.results)
        self.m = Builder(start, adjoint=True)
        self.waiting: dict[Var, list[tuple[Expr, Span]]] = {}
        self.fresh: set[Var] = set()
        self.renamed: dict[Var, Var] = {}

    def run(self, seeds: Sequence[Atom | None], inner: bool) -> Pullback:
        """The whole pass."""
        if inner:
            self.fresh.update(variables(tuple(s for s in seeds if s is not None)))
        start = self.m.span
        made = {o: e.span for e in self.function.body for o in e.outs}
        for result, seed in zip(self.function.results, seeds):
            if seed is not None and isinstance(result, Var) and result in self.active:
                waiting = self.waiting.setdefault(result, [])
                waiting.append((Expr(self.m, seed), made.get(result, start)))
        primal = []
        for equation in reversed(self.function.body):
            if not self.waiting.keys().isdisjoint(equation.outs):
                pull = self.loop if equation.op == "scan" else self.pull
                equation = pull(equation)
            primal.append(equation)
        self.m.span = start
        grads = [self.gather(var, var.named and not inner) for var in self.wrt]
        return Pullback(
            tuple(reversed(primal)),
            tuple(self.renamed_equation(e) for e in self.m.body),
            tuple(self.rename(g.atom) for g in grads),
            tuple(None if s is None else self.rename(s) for s in seeds),
        )

    def pull(self, equation: Equation) -> Equation:
        """Ask the VJP of one equation for its contributions."""
        m = self.m
        g = self.gather(equation.out)
        m.span = equation.span
        m.active = tuple([isinstance(a, Var) and a in self.active for a in equation.args])
        m.hint, args = "", []
        for a, is_active in zip(equation.args, m.active):
            args.append(Expr(m, a))
            if is_active and isinstance(a, Var) and not m.hint:
                m.hint = a.name
        vjp = OPS[equation.op].vjp
        assert vjp is not None
        mark = len(m.body)
        slopes = vjp(m, g, Expr(m, equation.out), *args, **dict(equation.attrs))
        self.fresh.update(e.out for e in m.body[mark:])
        self.contribute(equation.args, m.active, slopes)
        return equation

    def loop(self, equation: Equation) -> Equation:
        """Write the reversed loop; the forward one, which now saves what that reads."""
        loop = Loop.of(equation)
        given = [self.gather(o).atom if o in self.waiting else None for o in equation.outs]
        wanted = tuple(isinstance(a, Var) and a in self.active for a in loop.args)
        self.m.span = equation.span
        mark = len(self.m.body)
        forward, slopes = loops.pull(self.m, loop, given, wanted, self.name, self.edges, pullback)
        self.fresh.update(o for e in self.m.body[mark:] for o in e.outs)
        self.contribute(loop.args, wanted, slopes)
        return forward.equation()

    def contribute(
        self, args: tuple[Atom, ...], wanted: tuple[bool, ...], slopes: Sequence[Expr | None]
    ) -> None:
        """Let contributions wait for the arguments that are active."""
        for arg, is_wanted, slope in zip(args, wanted, slopes):
            if is_wanted and slope is not None and isinstance(arg, Var):
                self.waiting.setdefault(arg, []).append((slope, self.m.span))

    def gather(self, var: Var, own_line: bool | None = None) -> Expr:
        """The cotangent of a variable, all contributions being known, under its name."""
        waiting = self.waiting.pop(var, None)
        if waiting is None:
            return self.m.expr(0.0, var.type)
        name = f"d{self.name}_d{var.name}"
        self.m.span = waiting[-1][1]
        found = [slope for slope, _ in waiting]
        if self.edges and len(found) > 1:
            found = [self.called(x, f"{name}_{k}", True) for k, x in enumerate(found, 1)]
        total = found[0]
        for x in found[1:]:
            total = total + x
            self.fresh.add(self.m.body[-1].out)
        return self.called(total, name, var.named if own_line is None else own_line)

    def called(self, value: Expr, name: str, named: bool) -> Expr:
        """The value under a name: a fresh variable is renamed, for others there is `identity`."""
        atom = value.atom
        if isinstance(atom, Literal) or atom not in self.fresh:
            if not named:
                return value
            atom = self.m.emit("identity", value).atom
        assert isinstance(atom, Var)
        self.fresh.discard(atom)
        self.renamed[atom] = Var(name, atom.type, named)
        return Expr(self.m, self.renamed[atom])

    def rename(self, atom: Atom) -> Atom:
        """The atom as it is called now."""
        return self.renamed.get(atom, atom) if isinstance(atom, Var) else atom

    def renamed_equation(self, e: Equation) -> Equation:
        """An equation with its variables as they are called now."""
        renamed = self.renamed
        if renamed.keys().isdisjoint(e.args) and renamed.keys().isdisjoint(e.outs):
            return e
        args = tuple([self.rename(a) for a in e.args])
        outs = tuple([renamed.get(o, o) for o in e.outs])
        return Equation(e.op, args, outs, e.span, e.attrs, e.adjoint)
