"""One function of parts that lie side by side is computed once, of all of them, at -O2 alone.

    i = sigmoid(slice(z, [:, 0:2]))         s = sigmoid(slice(z, [:, 0:4]))
    f = sigmoid(slice(z, [:, 2:4]))   ->    i = slice(s, [:, 0:2])
                                            f = slice(s, [:, 2:4])

Such are the gates of an LSTM. It is done before the model is differentiated: then a loop keeps one
array of gates for the way back, and their slopes are one array too.
"""

from __future__ import annotations

from bpc.ir import Atom, Equation, Function, Literal, Var
from bpc.ops import OPS, Expr
from bpc.passes.rewrite import View, rewrite
from bpc.record import record
from bpc.types import Size, size

Key = tuple[str, Atom, int]


@record(frozen=True)
class Part:
    """A function of a part of an array: where it is along an axis, and the equation."""

    start: Size
    count: Size
    out: Var


def gates(function: Function) -> Function:
    """Join what is the same function of parts side by side."""
    runs = [run for parts in _parts(function).values() for run in _runs(parts)]
    if not runs:
        return function
    member = {part.out: run for run in runs for part in run}
    axis = {part.out: key[2] for key, parts in _parts(function).items() for part in parts}
    joint: dict[Var, Expr] = {}

    def rule(view: View, e: Equation) -> Expr | None:
        run = member.get(e.outs[0]) if e.outs else None
        if run is None:
            return None
        if run[0].out not in joint:
            joint[run[0].out] = _joined(view, e, run, axis[e.out])
        whole = joint[run[0].out]
        (part,) = (p for p in run if p.out is e.out)
        return _cut(view, whole, axis[e.out], part.start - run[0].start, part.count)

    return rewrite(function, rule)


def _parts(function: Function) -> dict[Key, list[Part]]:
    """The functions of parts, by operator, array and axis."""
    slices = {e.out: e for e in function.body if e.op == "slice"}
    found: dict[Key, list[Part]] = {}
    for e in function.body:
        part = slices.get(e.args[0]) if len(e.args) == 1 and isinstance(e.args[0], Var) else None
        if part is None or not OPS[e.op].elementwise or isinstance(part.args[0], Literal):
            continue
        axes = zip(part.args[0].type.shape, dict(part.attrs)["items"])
        cut = [(i, item) for i, (a, item) in enumerate(axes) if item != (size(0), a.size, 1)]
        if len(cut) == 1 and cut[0][1][2] == 1:
            i, (start, count, _) = cut[0]
            found.setdefault((e.op, part.args[0], i), []).append(Part(start, count, e.out))
    return found


def _runs(parts: list[Part]) -> list[list[Part]]:
    """The parts in rows in which one begins where the one before ends."""
    at = {part.start: part for part in parts}
    ends = {part.start + part.count for part in at.values()}
    if len(at) < len(parts):
        return []
    found = []
    for part in parts:
        if part.start in ends:
            continue
        run = [part]
        while len(run) <= len(parts) and (end := run[-1].start + run[-1].count) in at:
            run.append(at[end])
        if 1 < len(run) <= len(parts):
            found.append(run)
    return found


def _joined(view: View, e: Equation, run: list[Part], axis: int) -> Expr:
    """The function of all parts of a run."""
    part = view.defined[e.args[0]]  # type: ignore[index]
    x = view.expr(part.args[0])
    count = run[-1].start + run[-1].count - run[0].start
    return view.m.elementwise(e.op, _cut(view, x, axis, run[0].start, count))


def _cut(view: View, x: Expr, axis: int, start: Size, count: Size) -> Expr:
    """Some of the entries along an axis."""
    if (start, count) == (size(0), x.shape[axis].size):
        return x
    items = [(size(0), a.size, 1) for a in x.shape]
    items[axis] = (start, count, 1)
    return view.m.emit("slice", x, items=tuple(items))
