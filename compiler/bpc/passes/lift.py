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
        return _matmul(m, e, args, stacked, steps)
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


def _matmul(
    m: Builder, e: Equation, args: list[Expr], stacked: Sequence[bool], steps: Size
) -> Expr:
    """Vectors become matrices where more than one axis comes before those of the product."""
    a, b = args
    ranks = [x.type.rank for x in e.args]
    if ranks[0] <= 2 and ranks[1] <= 2 and not stacked[1]:
        return m.matmul(a, b)
    if ranks == [2, 1] and not stacked[0]:  # A @ x[t] for all t is X @ A.T
        return m.matmul(b, m.emit("transpose", a, order=(1, 0)))
    rank = max(2, *ranks) + 1
    for i, x in enumerate(args):
        if stacked[i] or ranks[i] > max(2, ranks[1 - i]):
            x = _even(m, x, stacked[i], steps)
            shape = x.shape[1:]
        else:
            shape = x.shape
        if ranks[i] == 1:
            shape = (*shape, ONE) if i else (ONE, *shape)
        if x.type.rank > ranks[i]:
            shape = (Axis(steps), *(ONE,) * (rank - 1 - len(shape)), *shape)
        args[i] = x if shape == x.shape else m.emit("reshape", x, shape=shape)
    product = m.matmul(*args)
    shape = (Axis(steps), *e.out.type.shape)
    return product if 1 not in ranks else m.emit("reshape", product, shape=shape)
