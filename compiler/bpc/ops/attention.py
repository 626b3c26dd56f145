"""Scaled dot-product attention. (Vaswani and others, "Attention is all you need", 2017.)"""

from __future__ import annotations

import math

from bpc.diagnostics import Problem
from bpc.ops.arrays import array, internal
from bpc.ops.build import Builder, Expr
from bpc.ops.linalg import swap
from bpc.ops.making import triangle
from bpc.ops.roles import Flag, Value
from bpc.types import show

internal(
    "past",
    "Scores of the keys up to the query's own place; -inf, which is the weight 0, for later ones.",
    aligned=True,
    stacks=True,
    mixes=lambda t: (t.rank - 2, t.rank - 1),
    infer=lambda t: (t,),
    scratch=lambda into, out, t: out.shape[-1].size * out.shape[-2].size,
    vjp=lambda m, g, out, x: (m.emit("tril", g, k=0),),
    expand=lambda m, x: m.select(
        m.broadcast_to(triangle(m, x.shape[-2], x.shape[-1]), x.shape), x, float("-inf")
    ),
    numpy="_past",
)


def _attention(m: Builder, q: Value, k: Value, v: Value, causal: Flag = False) -> Expr:
    _check(q, k, v)
    width = q.shape[-1].size
    root = math.sqrt(width.value) if width.value else m.sqrt(m.real(width))
    scores = m.called(m.matmul(m.real(q) / root, swap(m, m.real(k))), "scores")
    if causal:
        scores = m.called(m.emit("past", scores), "past")
    weights = m.called(m.emit("softmax", scores, axis=scores.type.rank - 1), "weights")
    result: Expr = m.matmul(weights, v)
    return result


def _check(q: Expr, k: Expr, v: Expr) -> None:
    """Queries and keys are equally long, there are as many values as keys, batches are equal."""
    for x in (q, k, v):
        if x.type.rank < 2:
            raise Problem("BP206", name="attention", shape=show(x.shape))
    batches = {x.shape[:-2] for x in (q, k, v)}
    if len(batches) > 1 or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        shapes = ", ".join(show(x.shape) for x in (q, k, v))
        help = "`attention` takes q [..., T, D], k [..., S, D], v [..., S, E]"
        raise Problem("BP201", help, shapes=shapes)


array(
    "attention",
    "softmax(q @ k.T / sqrt(D)) @ v for q [..., T, D], k [..., S, D], v [..., S, E]; causal: query "
    "t sees the keys 0 to t.",
    call=_attention,
    group="networks",
    cases=(
        (((3, 4), (5, 4), (5, 2)), {}),
        (((2, 3, 4), (2, 3, 4), (2, 3, 2)), {"causal": True}),
        (((2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 2)), {"causal": True}),
    ),
)
