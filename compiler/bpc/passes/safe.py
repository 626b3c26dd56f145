"""Safe values: what a partial function is given where its result is not needed."""

from __future__ import annotations

from dataclasses import replace

from bpc.ir import Atom, Equation, Literal, Var
from bpc.ops import OPS, Builder, Expr
from bpc.ops.loops import Loop, close
from bpc.types import BOOL, Shape

#: the safe value of matrices that must be regular
IDENTITY = "identity"


def safe_values(equation: Equation) -> tuple[float | str | None, ...]:
    """Safe values of the arguments that need one."""
    op = OPS[equation.op]
    values = op.safe
    if equation.op == "pow" and isinstance(equation.args[1], Literal):
        exponent = equation.args[1].value
        if exponent in (1.0, 2.0):
            return ()
    kept = [v if isinstance(a, Var) else None for a, v in zip(equation.args, values)]
    return tuple(kept) if any(v is not None for v in kept) else ()


def partial(equation: Equation) -> bool:
    """Whether an equation is partial, or a loop in which one is."""
    if equation.op == "scan":
        return any(map(partial, Loop.of(equation).body.body))
    return bool(safe_values(equation))


def exchanged(m: Builder, arg: Atom, condition: Expr, safe: float | str) -> Atom:
    """The argument where the condition holds, which has its shape, and the safe value elsewhere."""
    other = safe if safe != IDENTITY else identity(m, arg.type.shape)
    return m.select(condition, Expr(m, arg), other).atom


def identity(m: Builder, shape: Shape) -> Expr:
    """Matrices that are the identity."""
    return m.broadcast_to(m.emit("eye", size=shape[-1]), shape)


def guarded_loop(loop: Loop, condition: Atom) -> Loop:
    """The loop with its partial functions guarded by one condition for all steps."""
    m, needed = Builder(loop.span), Var("needed", BOOL)
    for e in loop.body.body:
        m.span, m.hint = e.span, ""
        args = list(e.args)
        for i, safe in enumerate(safe_values(e)):
            if safe is not None:
                wide = m.broadcast_to(Expr(m, needed), args[i].type.shape)
                args[i] = exchanged(m, args[i], wide, safe)
        e = replace(e, args=tuple(args))
        if e.op == "scan" and partial(e):
            e = guarded_loop(Loop.of(e), needed).equation()
        m.body.append(e)
    body, shared = close(
        loop.index, loop.states, loop.entries, tuple(m.body), loop.body.results, loop.body.name
    )
    known = {needed: condition, **dict(zip(loop.shared, loop.constants))}
    return replace(loop, body=body, constants=tuple(known[p] for p in shared))


def is_guarded(loop: Loop) -> bool:
    """Whether a loop has such a condition already."""
    return any(p.name == "needed" and p.type == BOOL for p in loop.shared)
