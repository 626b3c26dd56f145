"""A function as it runs in tiles of its rows: plans for what comes before, for a tile, and after.

What a tile adds up goes straight to the memory of a result, or into a buffer where more is to be done
with it after the last tile.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from bpc.ir import Atom, Equation, Function, Var
from bpc.plan import Plan, Tiling
from bpc.schedule.buffers import assign, direct, writes
from bpc.schedule.loosen import loosen
from bpc.schedule.tiles import Tiles, choose
from bpc.source import Span


def tiled(
    function: Function, dims: Sequence[str], inputs: Collection[Var], start: Span
) -> Tiling | None:
    """The plans, or None where the function runs whole; `start` is the place of what none says."""
    found = choose(function, dims, inputs)
    if not isinstance(found, Tiles):
        return None
    summed = found.after.params[len(found.tile.params) :]
    if any(found.stored) or any(v not in function.results for v in summed[found.totals :]):
        return None  # rows that are not the first axis of a result: no memory for a tile of them
    after, order = _without(found, summed)
    tile = assign(Plan(_copied(direct(loosen(found.tile, False, start)), found.totals), False))
    if not tile.buffers:
        return None  # it keeps nothing that a cache could hold
    before = loosen(found.before, False, start, own=False)
    return Tiling(
        dim=found.dim,
        rows=found.rows,
        before=assign(Plan(before, False), given=False),
        tile=tile,
        after=assign(Plan(loosen(after, False, start), False)),
        sliced=found.sliced,
        summed=summed,
        totals=found.totals,
        order=order,
    )


def _copied(function: Function, totals: int) -> Function:
    """The function with copies of rows that no operator can write where they belong."""
    made = {o: e for e in function.body for o in e.outs}
    body, results = list(function.body), list(function.results)
    for i, r in enumerate(results[totals:], totals):
        if isinstance(r, Var) and (r not in made or not writes(made[r])):
            results[i] = copy = Var(r.name, r.type)
            span = made[r].span if r in made else body[-1].span
            body.append(Equation("copy", (r,), (copy,), span))
    return replace(function, body=tuple(body), results=tuple(results))


def _without(found: Tiles, summed: Sequence[Var]) -> tuple[Function, tuple[Var | int, ...]]:
    """`after` without results that tiles give as they are, and where each result comes from.

    What stands there twice is a result of `after` the second time, which copies it.
    """
    left = set(summed)
    results, labels = list[Atom](), list[str]()
    order: list[Var | int] = []
    for label, result in zip(found.after.labels, found.after.results):
        if isinstance(result, Var) and result in left:
            left.remove(result)
            order.append(result)
            continue
        order.append(len(results))
        results.append(result)
        labels.append(label)
    after = replace(found.after, results=tuple(results), labels=tuple(labels))
    return after, tuple(order)
