"""What a step of a `scan` reads: entries of arrays that stand outside of the loop.

`X[t]` becomes an entry of a sequence: a part of X, cut before the loop, of which each step reads one
entry. The gradient of X is then laid together once, after the loop. Any other use of `t` counts the
steps when called.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from typing import Any

from bpc import syntax
from bpc.ir import Atom, Equation, Literal, Var
from bpc.lower.context import Context
from bpc.lower.scope import Key
from bpc.ops import Expr
from bpc.ops.cutting import cut
from bpc.record import record
from bpc.types import Size, size


@record(eq=True)
class Frame:
    """A loop whose body is being read."""

    index: Var
    variable: str
    length: Size
    outside: list[Equation]  # the equations before the loop
    calls: int  # how many calls were open where the loop stands
    states: tuple[Var, ...]
    entries: dict[Any, tuple[Expr, Var]] = field(default_factory=dict)
    emits: dict[Key, tuple[syntax.Target, Expr]] = field(default_factory=dict)


def step_position(c: Context, value: Expr) -> tuple[Frame, int, Size] | None:
    """(loop, a, b) where an int is a*index + b; None where it is no such thing."""
    if not c.frames or value.shape or value.type.kind != "int":
        return None
    made: dict[Var, Equation] = {}
    for body in (c.m.body, *(f.outside for f in c.frames[1:])):
        made.update((e.outs[0], e) for e in body)
    found = _affine(value.atom, made)
    if found is None or len(found[0]) != 1:
        return None
    ((index, slope),) = found[0].items()
    frame = next((f for f in c.frames if f.index is index), None)
    return (frame, slope, found[1]) if frame is not None else None


def _affine(atom: Atom, made: dict[Var, Equation]) -> tuple[dict[Var, int], Size] | None:
    """The slopes by variables, and the offset, of an int that is computed by + - and *."""
    if isinstance(atom, Literal):
        value = atom.value
        return ({}, value) if isinstance(value, Size) else ({}, size(int(value)))
    e = made.get(atom)
    if e is None or e.op not in ("add", "sub", "neg", "mul", "identity"):
        return {atom: 1}, size(0)
    parts = [_affine(a, made) for a in e.args]
    if any(p is None for p in parts):
        return None
    (slopes, offset), *others = [p for p in parts if p is not None]
    if e.op == "identity":
        return slopes, offset
    if e.op == "neg":
        return {v: -s for v, s in slopes.items()}, -offset
    ((more, other),) = others
    if e.op == "mul":
        if slopes and not more:
            slopes, offset, more, other = more, other, slopes, offset
        factor = offset.value
        if slopes or factor is None:
            return None
        return {v: factor * s for v, s in more.items()}, offset * other
    sign = -1 if e.op == "sub" else 1
    total = {v: slopes.get(v, 0) + sign * more.get(v, 0) for v in (*slopes, *more)}
    return {v: s for v, s in total.items() if s}, offset + other * size(sign)


def stands_outside(c: Context, frame: Frame, x: Expr) -> bool:
    """Whether an array is computed before the loop."""
    inner = c.frames[c.frames.index(frame) :]
    params = {v for f in inner for v in (*f.states, *(entry for _, entry in f.entries.values()))}
    bodies = (c.m.body, *(f.outside for f in inner[1:]))
    made = {o for body in bodies for e in body for o in e.outs}
    return x.atom not in params and x.atom not in made


def entry(c: Context, x: Expr, axis: int, position: tuple[Frame, int, Size]) -> Expr:
    """The entry of an array along an axis that a step reads."""
    frame, slope, start = position
    key = x.atom, axis, slope, start
    if key not in frame.entries:
        with _before(c, frame):
            items = [(size(0), a.size, 1) for a in x.shape]
            whole = tuple(items)
            items[axis] = start, frame.length, slope
            part = x if tuple(items) == whole else cut(c.m, x, items)
            sequence = c.m.moveaxis(part, axis, 0)
        name = x.atom.name if isinstance(x.atom, Var) else "entry"
        shape = sequence.shape[1:]
        made = Var(f"{name}_{frame.variable}", sequence.type.with_shape(shape))
        frame.entries[key] = sequence, made
    return Expr(c.m, frame.entries[key][1])


@contextmanager
def _before(c: Context, frame: Frame) -> Iterator[None]:
    """What is computed here stands before the loop."""
    inside, c.m.body = c.m.body, frame.outside
    try:
        yield
    finally:
        c.m.body = inside
