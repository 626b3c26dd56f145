"""`grad(J, x)` in an expression: the adjoint equations take its place.

    u = tanh(w * x)                  u = tanh(w * x)
    v = grad(u, x)          ->       v = (1 - u^2) * w

It is done before anything else, from the first to the last, so that a gradient of a gradient finds
equations like any others. What leads from x to J is prepared as a model would be, with x as a
parameter: else a formula that is made stable might go past x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bpc.calculus.reverse import pullback
from bpc.diagnostics import MORE, BpcError, Problem
from bpc.ir import Equation, Function, Literal, Var, live, unnamed, variables
from bpc.ops.loops import Loop

Prepare = Callable[[Function], Function]


def expand(function: Function, prepare: Prepare, limit: int) -> Function:
    """The function with every `grad` written out; `prepare` are the passes on a primal.

    Raises BpcError where gradients of gradients come to more than `limit` equations.
    """
    body: list[Equation] = []
    for e in function.body:
        if e.op == "scan":
            loop = Loop.of(e)
            body.append(loop.with_body(expand(loop.body, prepare, limit)).equation())
        elif e.op == "grad":
            body += _written_out(e, body, function.params, prepare)
            if len(body) > limit:
                raise BpcError([Problem("BP405", MORE, limit=limit).at(e.span)])
        else:
            body.append(e)
    return replace(function, body=tuple(body))


def _written_out(
    e: Equation, before: list[Equation], params: tuple[Var, ...], prepare: Prepare
) -> list[Equation]:
    """The equations that compute one gradient; loops before it learn to save what they read."""
    target, x = e.args
    if not isinstance(target, Var) or not isinstance(x, Var):
        return [_identity(e, Literal(0.0, e.out.type))]
    cut = tuple(_without(b, x) for b in before)
    outer = tuple(dict.fromkeys((*params, x)))
    name = _called(target, before)
    primal = prepare(live(Function("inner", outer, cut, (target,), (name,))))
    pulled = pullback(primal, (x,), (Literal(1.0, target.type),), e.span, name)
    # A value that the program names has one adjoint; of several such gradients it has several.
    adjoint = Function("adjoint", (), pulled.adjoint, pulled.cotangents)
    adjoint = unnamed(adjoint, (o for b in pulled.adjoint for o in b.outs))
    known = {*params, *(o for b in before for o in b.outs)}
    written = []
    for b in (*pulled.primal, *adjoint.body):
        if known.isdisjoint(b.outs):
            written.append(replace(b, adjoint=e.adjoint))
        elif not known.issuperset(b.outs):
            written += _more(b, before, known)
        known.update(b.outs)
    return [*written, _identity(e, adjoint.results[0])]


def _identity(e: Equation, value: Var | Literal) -> Equation:
    return replace(e, op="identity", args=(value,), attrs=())


def _without(e: Equation, x: Var) -> Equation:
    """The equation without x among its results: x is a parameter."""
    outs = tuple(Var(o.name, o.type) if o is x else o for o in e.outs)
    return e if x not in e.outs else replace(e, outs=outs)


def _called(target: Var, before: list[Equation]) -> str:
    """The name of what is differentiated; of a sum, what is summed up."""
    made = {b.out: b for b in before}
    while not target.named and target in made:
        arg = made[target].args[0] if made[target].op in ("sum", "mean", "reshape") else None
        if not isinstance(arg, Var):
            break
        target = arg
    return target.name


def _more(e: Equation, before: list[Equation], known: set[Var]) -> list[Equation]:
    """A loop that has more results than it had: it takes the place of itself, if it can."""
    place = next(i for i, b in enumerate(before) if not set(b.outs).isdisjoint(e.outs))
    later = {o for b in before[place:] for o in b.outs}
    there = known - later
    if set(before[place].outs) <= set(e.outs) and there.issuperset(variables(e.args)):
        before[place] = e
        return []
    outs = tuple(Var(o.name, o.type) if o in known else o for o in e.outs)
    return [replace(e, outs=outs)]
