"""How much a function computes, in flops: see ops/cost.py for what one is."""

from __future__ import annotations

from collections import Counter
from functools import cache

from bpc.cost.formula import Formula
from bpc.ir import Equation, Function
from bpc.ops import OPS
from bpc.ops.loops import Loop
from bpc.types import Shape, Size, product, size

ONE_FLOP = size(1)


def flops(function: Function) -> Formula:
    """The flops of a function. Raises SizeTooLarge."""
    total = Formula()
    for loop in (Loop.of(e) for e in function.body if e.op == "scan"):
        total.add(flops(loop.body).times(loop.length))
    amounts = [flops_of(e) for e in function.body if e.op != "scan"]
    times = Counter(map(id, amounts))  # most are one object: to compare them would take longer
    for amount in {id(a): a for a in amounts}.values():
        total.add(amount, times[id(amount)])
    return total


def flops_of(e: Equation) -> Size:
    """The flops of an equation that is no loop.

    Where its operator's entry does not say: one for each entry of an elementwise result; one for each
    entry that is read, where entries meet; nothing where they are moved alone.
    """
    op = OPS[e.op]
    if op.flops is not None:
        return op.flops(e.out.type, *(a.type for a in e.args), **dict(e.attrs))
    if op.elementwise:
        return _count(e.out.type.shape) if e.out.type.shape else ONE_FLOP
    if op.mixes is None or op.moves or op.view:
        return size(0)
    return _count(e.args[0].type.shape)


@cache
def _count(shape: Shape) -> Size:
    return product(a.size for a in shape)
