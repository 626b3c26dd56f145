"""One step's equation for all steps at once: each operator with one more axis in front.

    z = matmul(x, W)    with x: [N, D] in each of T steps    ->    z = matmul(x, W) with x: [T, N, D]

What an operator's attributes count, axes and places in shapes, moves by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bpc.ir import Equation, Literal
from bpc.ops import OPS, Builder, Expr
from bpc.types import ONE, Axis, Size, size


def liftable(e: Equation, stacked: Sequence[bool]) -> bool:
    """Whether there is a rule for an equation, some of whose arguments differ from step to step."""
    if e.op == "matmul":
        ranks = [a.type.rank for a in e.args]
        return ranks[0] > 1 or not stacked[1] or (stacked[0] and ranks[1] > 1)
    if e.op == "gather":
        return dict(e.attrs)["axis"] == 0 and not stacked[0] and all(stacked[1:])
    return OPS[e.op].elementwise or OPS[e.op].stacks


def lift(m: Builder, e: Equation, args: list[Expr], stacked: Sequence[bool], steps: Size) -> Expr:
    """The equation for all steps at once."""
    if e.op == "matmul":
        return _matmul(m, e, args, stacked)
    if e.op == "gather":
        return m.emit("gather", *args, axis=0)
    if OPS[e.op].elementwise:
        return m.elementwise(e.op, *(_even(m, x, s, steps) for x, s in zip(args, stacked)))
    even = [_even(m, x, s, steps) for x, s in zip(args, stacked)]
    if e.op == "broadcast":
        even = [_aligned(m, even[0], e.out.type.rank + 1)]
    attrs = {k: MOVED[k](v, steps) if k in MOVED else v for k, v in e.attrs}
    return m.emit(e.op, *even, **attrs)


#: what becomes of attributes that count axes, or have an entry for each
MOVED: dict[str, Callable[[Any, Size], Any]] = {
    "axis": lambda axis, steps: axis + 1,
    "axes": lambda axes, steps: tuple(a + 1 for a in axes),
    "order": lambda order, steps: (0, *(a + 1 for a in order)),
    "shape": lambda shape, steps: (Axis(steps), *shape),
    "items": lambda items, steps: ((size(0), steps, 1), *items),
}


def _even(m: Builder, x: Expr, stacked: bool, steps: Size) -> Expr:
    """An argument that has all steps: one that does not differ is stretched."""
    if stacked:
        return x
    shape = (Axis(steps), *x.shape)
    if isinstance(x.atom, Literal):
        return Expr(m, Literal(x.atom.value, x.type.with_shape(shape)))
    return m.broadcast_to(x, shape)


def _aligned(m: Builder, x: Expr, rank: int) -> Expr:
    """A stack with axes of size 1 behind the steps, so that the others align at the end."""
    ones = (ONE,) * (rank - x.type.rank)
    return m.emit("reshape", x, shape=(x.shape[0], *ones, *x.shape[1:])) if ones else x


def _matmul(m: Builder, e: Equation, args: list[Expr], stacked: Sequence[bool]) -> Expr:
    a, b = args
    if not stacked[0] and e.args[1].type.rank == 1:  # A @ x[t] for all t is X @ A.T
        rank = a.type.rank
        return m.matmul(b, m.emit("transpose", a, order=(*range(rank - 2), rank - 1, rank - 2)))
    if all(stacked) and e.args[1].type.rank < e.args[0].type.rank:
        b = _aligned(m, b, a.type.rank)
    return m.matmul(a, b)
