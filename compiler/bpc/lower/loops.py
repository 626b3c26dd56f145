"""Rules for `scan`: a loop that stays one. Its body becomes a function of its own."""

from __future__ import annotations

from typing import Any

from bpc import syntax
from bpc.ir import Atom, Equation, Var
from bpc.lower.context import Context, Failed, rule
from bpc.lower.expressions import operand
from bpc.lower.naming import define, key_of, use
from bpc.lower.scope import Scope, spelling, text
from bpc.lower.steps import Frame
from bpc.lower.values import describe, is_integer
from bpc.ops import Expr
from bpc.ops.loops import Loop, close, stacked
from bpc.types import INT, Size, Type, show, size

MOST_LOOPS = 16  # in one another: Python takes 20 blocks


@rule(syntax.Scan)
def _scan(c: Context, node: syntax.Scan) -> None:
    if len(c.frames) >= MOST_LOOPS:
        c.fail(node.span, "BP404", limit=MOST_LOOPS)
    low, high = (_bound(c, bound) for bound in (node.low, node.high))
    length = high - low + size(1)
    if length.value is not None and length.value < 0:
        c.fail(node.low.span.to(node.high.span), "BP142", low=low, high=high)
    carries = [(key_of(c, target), target, _init(c, value)) for target, value in node.carries]
    index = Var(node.variable.name, INT)
    prefix = c.owner.prefix
    states = tuple(Var(prefix + spelling(key), init.type) for key, _, init in carries)
    frame = Frame(index, node.variable.name, length, c.m.body, len(c.calls), states)
    equations, updates = _steps(c, node, frame, states, low)
    c.m.span = node.span
    entries = tuple(entry for _, entry in frame.entries.values())
    results = (*updates, *(value.atom for _, value in frame.emits.values()))
    body, constants = close(index, states, entries, equations, results, "step")
    outs = [(key, t, Var(prefix + spelling(key), init.type, True)) for key, t, init in carries]
    for key, (target, value) in frame.emits.items():
        type = stacked(value.type, length)
        outs.append((key, target, Var(prefix + spelling(key), type, named=True)))
    loop = Loop(
        body,
        length,
        tuple(init.atom for _, _, init in carries),
        tuple(sequence.atom for sequence, _ in frame.entries.values()),
        constants,
        tuple(out for _, _, out in outs),
        node.span,
    )
    if outs:
        c.m.body.append(loop.equation())
    for key, target, out in outs:
        define(c, c.scope.home(key), key, Expr(c.m, out), target.span)


def _bound(c: Context, node: Any) -> Size:
    value = c.evaluate(node)
    if is_integer(value):
        return size(value)
    if not isinstance(value, Size) or not value.whole:
        c.fail(node.span, "BP141", what=describe(value))
    return value


def _init(c: Context, node: Any) -> Expr:
    """What a carry starts with; a number is a real one, `true` and `false` are bools."""
    value = operand(c, c.evaluate(node), node)
    return c.m.expr(value) if isinstance(value, Expr | bool) else c.m.real(value)


def _steps(
    c: Context, node: syntax.Scan, frame: Frame, states: tuple[Var, ...], low: Size
) -> tuple[tuple[Equation, ...], tuple[Atom, ...]]:
    """The body's equations and the new carries."""
    m, outer, found = c.m, c.scope, len(c.diagnostics)
    around = Scope(outer, clock=outer.clock)
    for (target, _), state in zip(node.carries, states):
        define(c, around, key_of(c, target), Expr(m, state), target.span)
    body: list[Equation] = []
    c.frames.append(frame)
    m.body, c.scope = body, Scope(around, clock=outer.clock)
    try:
        counter = Expr(m, frame.index)
        t = counter if low == size(0) else counter + low
        around.define((node.variable.name, None), t)
        c.execute(node.body)
        if len(c.diagnostics) > found:
            raise Failed
        updates = tuple([_update(c, target, s) for (target, _), s in zip(node.carries, states)])
    finally:
        m.body, c.scope = frame.outside, outer
        c.frames.pop()
    return tuple(body), updates


def _update(c: Context, target: syntax.Target, state: Var) -> Atom:
    """What a carry is at the end of a step: of the same type as before."""
    key = key_of(c, target)
    value = c.m.expr(use(c.scope.lookup(key)))
    if value.type.kind != state.type.kind and state.type.kind == "real":
        value = c.m.real(value)
    if value.shape != state.type.shape and not value.shape:
        value = c.m.broadcast_to(value, state.type.shape)
    if value.type != state.type:
        sizes = ", ".join(str(axis) for axis in value.shape)
        help = f"start it with what it becomes, as in `{text(key)} = zeros({sizes})`"
        both = {"old": _shown(state.type), "new": _shown(value.type)}
        c.fail(target.span, "BP143", help if value.shape else None, name=text(key), **both)
    return value.atom


def _shown(type: Type) -> str:
    return show(type.shape) if type.kind == "real" else str(type)


@rule(syntax.Emit)
def _emit(c: Context, node: syntax.Emit) -> None:
    if not c.frames or c.frames[-1].calls != len(c.calls):
        c.fail(node.span, "BP120")
    frame, key = c.frames[-1], key_of(c, node.target)
    c.m.hint = spelling(key)
    value = operand(c, c.evaluate(node.value), node.value)
    if key in frame.emits:
        c.fail(node.target.span, "BP107", name=text(key))
    c.m.span = node.span
    frame.emits[key] = node.target, value if isinstance(value, Expr) else c.m.real(value)
