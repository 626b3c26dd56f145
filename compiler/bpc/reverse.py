"""The reverse pass: from the cost to its gradient, right to left.

    t = w * x              dJ_dt = 2 * t
    J = t^2          ->    dJ_dw = dJ_dt * x

It walks the active equations, those that depend on a variable asked for and reach the cost, in
reverse, and asks each operator's VJP what it contributes to the cotangents of its arguments. Where
several contributions meet they are added explicitly. (Baydin et al., "Automatic differentiation in
machine learning: a survey", 2018.)
"""

from __future__ import annotations

from bpc.ir import Equation, Function, Literal, Var, variables
from bpc.ops import OPS, Builder, Expr
from bpc.source import Span


def gradient(cost: Function, wrt: tuple[Var, ...], start: Span, edges: bool = False) -> Function:
    """`value_and_grad`: the equations of the cost followed by the adjoints of `wrt`.

    Results are the cost and one cotangent for each of `wrt`, zero where the cost does not depend
    on it. With `edges` each contribution to a sum has a line of its own. `start` is the place that
    stands in for the declarations.
    """
    return _Reverse(cost, wrt, start, edges).run()


def _active(function: Function, wrt: tuple[Var, ...]) -> set[Var]:
    """Variables that depend on one of `wrt` through operators with a gradient, and are used."""
    depends = set(wrt)
    for equation in function.body:
        if OPS[equation.op].vjp is not None and not depends.isdisjoint(variables(equation.args)):
            depends.update(o for o in equation.outs if o.type.kind == "real")
    reaches = set(variables(function.results))
    for equation in reversed(function.body):
        if not reaches.isdisjoint(equation.outs):
            reaches.update(variables(equation.args))
    return depends & reaches


class _Reverse:
    """One run: the contributions that wait for each variable, and the names given on the way."""

    def __init__(self, cost: Function, wrt: tuple[Var, ...], start: Span, edges: bool) -> None:
        self.cost, self.wrt, self.edges = cost, wrt, edges
        self.name = cost.labels[0]
        self.active = _active(cost, wrt)
        self.m = Builder(start, adjoint=True)
        self.waiting: dict[Var, list[tuple[Expr, Span]]] = {}
        self.fresh: set[Var] = set()
        self.renamed: dict[Var, Var] = {}

    def run(self) -> Function:
        """The whole function."""
        target, start = self.cost.results[0], self.m.span
        if isinstance(target, Var) and target in self.active:
            made = next((e.span for e in self.cost.body if e.out is target), start)
            self.waiting[target] = [(self.m.expr(1.0, target.type), made)]
        for equation in reversed(self.cost.body):
            if equation.out in self.waiting:
                self.pull(equation)
        self.m.span = start
        grads = [self.gather(var) for var in self.wrt]
        results = [target, *(self.rename(g.atom) for g in grads)]
        labels = (self.name, *(f"d{self.name}_d{v.name}" for v in self.wrt))
        body = (*self.cost.body, *(self.renamed_equation(e) for e in self.m.body))
        return Function("value_and_grad", self.cost.params, body, tuple(results), labels)

    def pull(self, equation: Equation) -> None:
        """Ask the VJP of one equation for its contributions."""
        m = self.m
        g = self.gather(equation.out)
        m.span = equation.span
        m.active = tuple(isinstance(a, Var) and a in self.active for a in equation.args)
        hints = (f"d{a.name}" for a in variables(equation.args) if a in self.active)
        m.hint = next(hints, "")
        args = [Expr(m, a) for a in equation.args]
        vjp = OPS[equation.op].vjp
        assert vjp is not None
        mark = len(m.body)
        slopes = vjp(m, g, Expr(m, equation.out), *args, **dict(equation.attrs))
        self.fresh.update(e.out for e in m.body[mark:])
        for arg, active, slope in zip(equation.args, m.active, slopes):
            if active and slope is not None and isinstance(arg, Var):
                self.waiting.setdefault(arg, []).append((slope, m.span))

    def gather(self, var: Var) -> Expr:
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
        return self.called(total, name, var.named)

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

    def rename(self, atom: Var | Literal) -> Var | Literal:
        """The atom as it is called now."""
        return self.renamed.get(atom, atom) if isinstance(atom, Var) else atom

    def renamed_equation(self, e: Equation) -> Equation:
        """An equation with its variables as they are called now."""
        args = tuple(self.rename(a) for a in e.args)
        outs = tuple(self.renamed.get(o, o) for o in e.outs)
        return Equation(e.op, args, outs, e.span, e.attrs, e.adjoint)
