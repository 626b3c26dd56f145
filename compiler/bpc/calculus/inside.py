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
    #: where each value is made; -1 for those of the parameters
    place: dict[Var, int] = dict.fromkeys(function.params, -1)
    noted = 0
    for e in function.body:
        if e.op == "scan":
            loop = Loop.of(e)
            body.append(loop.with_body(expand(loop.body, prepare, limit)).equation())
        elif e.op == "grad":
            body += _written_out(e, body, place, prepare)
            if len(body) > limit:
                raise BpcError([Problem("BP405", MORE, limit=limit).at(e.span)])
        else:
            body.append(e)
        for i in range(noted, len(body)):
            place.update(dict.fromkeys(body[i].outs, i))
        noted = len(body)
    return replace(function, body=tuple(body))


def _written_out(
    e: Equation, body: list[Equation], place: dict[Var, int], prepare: Prepare
) -> list[Equation]:
    """The equations that compute one gradient; loops before it learn to save what they read.

    `place` is as in `expand`.
    """
    target, x = e.args
    if not isinstance(target, Var) or not isinstance(x, Var):
        return [_identity(e, Literal(0.0, e.out.type))]
    before = _leading(target, x, body, place)
    cut = tuple(_without(b, x) for b in before)
    made = {o for b in cut for o in b.outs}
    read = (v for b in cut for v in variables(b.args) if v not in made)
    outer = tuple(dict.fromkeys((*read, x)))
    name = _called(target, before)
    primal = prepare(live(Function("inner", outer, cut, (target,), (name,))))
    pulled = pullback(primal, (x,), (Literal(1.0, target.type),), e.span, name)
    # A value that the program names has one adjoint; of several such gradients it has several.
    adjoint = Function("adjoint", (), pulled.adjoint, pulled.cotangents)
    adjoint = unnamed(adjoint, (o for b in pulled.adjoint for o in b.outs))
    written: list[Equation] = []
    made = set()
    for b in (*pulled.primal, *adjoint.body):
        known = [o in place or o in made for o in b.outs]
        if not any(known):
            written.append(replace(b, adjoint=e.adjoint))
        elif not all(known):
            written += _more(b, body, place, known)
        made.update(b.outs)
    return [*written, _identity(e, adjoint.results[0])]


def _identity(e: Equation, value: Var | Literal) -> Equation:
    return replace(e, op="identity", args=(value,), attrs=())


def _without(e: Equation, x: Var) -> Equation:
    """The equation without x among its results: x is a parameter."""
    outs = tuple(Var(o.name, o.type) if o is x else o for o in e.outs)
    return e if x not in e.outs else replace(e, outs=outs)


def _leading(target: Var, x: Var, body: list[Equation], place: dict[Var, int]) -> list[Equation]:
    """The equations before that lead to the target, those that lead to x alone left out."""
    found: set[int] = set()
    waiting = [target]
    while waiting:
        var = waiting.pop()
        at = place.get(var, -1)
        if at >= 0 and at not in found and var is not x:
            found.add(at)
            waiting += variables(body[at].args)
    return [body[i] for i in sorted(found)]


def _called(target: Var, before: list[Equation]) -> str:
    """The name of what is differentiated; of a sum, what is summed up."""
    made = {b.out: b for b in before}
    while not target.named and target in made:
        arg = made[target].args[0] if made[target].op in ("sum", "mean", "reshape") else None
        if not isinstance(arg, Var):
            break
        target = arg
    return target.name


def _more(
    e: Equation, body: list[Equation], place: dict[Var, int], known: list[bool]
) -> list[Equation]:
    """A loop that has more results than those known: it takes the place of itself, if it can."""
    at = min(place.get(o, len(body)) for o in e.outs)
    there = all(place.get(a, at) < at for a in variables(e.args))
    if at < len(body) and there and set(body[at].outs) <= set(e.outs):
        body[at] = e
        place.update(dict.fromkeys(e.outs, at))
        return []
    outs = tuple(Var(o.name, o.type) if old else o for o, old in zip(e.outs, known))
    return [replace(e, outs=outs)]
