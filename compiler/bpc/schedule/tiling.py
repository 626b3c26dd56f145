"""A function as it runs in tiles of its rows: plans for what comes before, for a tile, and after.

What a tile adds up goes straight to the memory of a result, or into a buffer where more is to be done
with it after the last tile.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from bpc.ir import Atom, Equation, Function, Literal, Var
from bpc.ops import OPS
from bpc.ops.loops import Loop
from bpc.plan import Buffer, Plan, Tiling
from bpc.schedule.buffers import assign, direct, writes
from bpc.schedule.loosen import loosen
from bpc.schedule.tiles import Tiles, choose
from bpc.sizes import Size, dim
from bpc.source import Span


def tiled(
    function: Function, dims: Sequence[str], inputs: Collection[Var], start: Span
) -> Tiling | None:
    """The plans, or None where the function runs whole; `start` is the place of what none says."""
    found = choose(function, dims, inputs)
    if not isinstance(found, Tiles):
        return None
    summed = found.after.params[len(found.tile.params) :]
    found = _with_views(found)
    if any(found.stored) or any(v not in function.results for v in summed[found.totals :]):
        return None  # rows that are not the first axis of a result: no memory for a tile of them
    after, order = _without(found, summed)
    numbers: set[Var] = set()
    first = loosen(found.before, False, start, own=False, numbers=numbers)
    plain = [isinstance(r, Literal) or r in numbers for r in first.results]
    taken = found.tile.params[len(found.before.params) :]
    loose = loosen(found.tile, False, start, numbers=_marked(taken, plain))
    tile = assign(Plan(_copied(direct(loose), found.totals), False))
    if not tile.buffers and not any(isinstance(p, Var) for p in tile.places.values()):
        return None  # it goes through no memory twice that a cache could hold
    tile, loops = _by_steps(tile, dim(found.rows))
    before = assign(Plan(first, False), given=False)
    called = dict(zip(found.before.results, before.function.results))
    last = loosen(
        _with_names(after, called), False, start, numbers=_marked(before.function.results, plain)
    )
    return Tiling(
        dim=found.dim,
        rows=found.rows,
        before=before,
        tile=tile,
        after=assign(Plan(last, False)),
        sliced=found.sliced,
        summed=summed,
        totals=found.totals,
        order=order,
        loops=loops,
    )


def _marked(values: Sequence[Atom], plain: Sequence[bool]) -> set[Var]:
    """The variables that are Python's numbers, as is said for each value."""
    return {v for v, number in zip(values, plain) if number and isinstance(v, Var)}


def _with_names(after: Function, called: Mapping[Atom, Atom]) -> Function:
    """What reads values from before the tiles, under the names that the plan for those gives them."""
    body = (replace(e, args=tuple(called.get(a, a) for a in e.args)) for e in after.body)
    results = tuple(called.get(r, r) for r in after.results)
    params = dict.fromkeys(p for p in (called.get(p, p) for p in after.params))
    return replace(
        after,
        params=tuple(p for p in params if isinstance(p, Var)),
        body=tuple(body),
        results=results,
    )


def _with_views(found: Tiles) -> Tiles:
    """The same where a tile takes views of parameters by itself: `W.T` costs nothing."""
    count = len(found.before.params)
    inside = dict(zip(found.before.params, found.tile.params))
    whole = {p for p, axis in zip(found.before.params, found.sliced) if axis is None}
    made = {o: e for e in found.before.body for o in e.outs}
    views: list[tuple[Var, Equation]] = []
    for result, var in zip(found.before.results, found.tile.params[count:]):
        e = made.get(result) if isinstance(result, Var) else None
        source = e.args[0] if e and OPS[e.op].view else None
        if e and isinstance(source, Var) and source in whole:
            views.append((var, replace(e, args=(inside[source],), outs=(var,))))
    if not views:
        return found
    gone = {v for v, _ in views}
    kept = [i for i, p in enumerate(found.tile.params) if p not in gone]
    read = {a for e in found.after.body for a in e.args} | set(found.after.results)
    extra = list(enumerate(found.tile.params[count:]))
    back = [i for i, p in extra if p not in gone]
    back += [i for i, p in extra if p in gone and found.before.results[i] in read]
    tile = replace(
        found.tile,
        params=tuple(found.tile.params[i] for i in kept),
        body=(*(e for _, e in views), *found.tile.body),
    )
    results = tuple(found.before.results[i] for i in back)
    labels = tuple(found.before.labels[i] for i in back)
    before = replace(found.before, results=results, labels=labels)
    sliced = tuple(found.sliced[i] for i in kept)
    return replace(found, before=before, tile=tile, sliced=sliced)


def _by_steps(tile: Plan, rows: Size) -> tuple[Plan, tuple[tuple[Size, int], ...]]:
    """The plan with its stacks first, and for the steps of each loop how many have so many entries."""
    left, first = list(tile.buffers), list[Buffer]()
    loops = []
    for length in dict.fromkeys(Loop.of(e).length for e in tile.function.body if e.op == "scan"):
        stacks = [b for b in left if b.type.shape[0].size in (length, length * rows)]
        first += stacks
        left = [b for b in left if b not in stacks]
        loops.append((length, len(stacks)))
    return replace(tile, buffers=(*first, *left)), tuple(loops)


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
