"""Dropout: some entries become 0, the others grow so that the mean stays.

The mask is an operator without arguments. It has a number, so that two masks of one shape differ; it
is the same wherever and however often it is computed in a call, which has one seed for all masks:
then the gradient is that of the cost with the same seed, in whatever order lines are written, and
all steps of a `scan` share a mask. (Srivastava and others 2014; Gal and Ghahramani 2016.)
"""

from __future__ import annotations

from dataclasses import replace

from bpc.diagnostics import Problem
from bpc.ir import Equation, Function, Var
from bpc.ops.arrays import array, internal
from bpc.ops.build import Builder, Expr
from bpc.ops.cost import per_result
from bpc.ops.loops import map_bodies
from bpc.ops.roles import Real, Value
from bpc.types import Type, size

internal(
    "mask",
    "1 / (1 - rate) where an entry stays and 0 where it is dropped; without a seed, 1.",
    infer=lambda shape, rate, number: (Type("real", shape),),
    flops=per_result(3),
    scratch=lambda into, out, shape, rate, number: out.count * size(5),
    numpy=lambda c, shape, rate, number: c.call(
        "_mask", "seed", c.number(number), c.shape(shape), c.number(rate), *c.dtype()
    ),
)


def _dropout(m: Builder, x: Value, rate: Real) -> Expr:
    if not 0 <= rate < 1:
        wanted = "a number from 0 on and less than 1"
        raise Problem("BP231", name="dropout", option="rate", wanted=wanted, found=rate)
    x = m.real(x)
    if not rate:
        return x
    m.masks += 1
    return x * m.emit("mask", shape=x.shape, rate=rate, number=m.masks)


array(
    "dropout",
    "Entries dropped with the probability `rate` (known at compile time), the others scaled by "
    "1 / (1 - rate). `cost` and `value_and_grad` drop where they are given `rng`, a NumPy Generator; "
    "`forward` never does. In a `scan` all steps share one mask.",
    call=_dropout,
    group="networks",
    cases=((((3, 4),), {"rate": 0.25}), (((2, 3, 4),), {"rate": 0})),
)


def drops(function: Function) -> bool:
    """Whether a function has a mask, in a loop or not."""
    return any(
        e.op == "mask" or (e.op == "scan" and drops(dict(e.attrs)["body"])) for e in function.body
    )


def certain(function: Function) -> Function:
    """The function, as lowering wrote it, without dropout."""
    function = map_bodies(function, certain)
    masks: set[Var] = {e.out for e in function.body if e.op == "mask"}
    body = tuple(_kept(e, masks) for e in function.body)
    return replace(function, body=body) if masks else function


def _kept(e: Equation, masks: set[Var]) -> Equation:
    if masks.isdisjoint(a for a in e.args if isinstance(a, Var)):
        return e
    return replace(e, op="identity", args=e.args[:1], attrs=())
