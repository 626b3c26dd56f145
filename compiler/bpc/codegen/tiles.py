"""The text of a function that goes through its rows a tile at a time.

    def _cost(w, x, N, work):
        (tiles,) = work

        # No two rows of N meet: ...
        def tile(part, memory, into):
            return (_cost_tile(w, x[part], N, memory),)

        sums = _added_up(tile, N, tiles, None)
        (J_sum,) = sums
        J = J_sum / N
        return J

The mathematics of the rows stands in `_cost_tile`, for as many rows as it is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bpc.codegen import layout, workspaces
from bpc.codegen.context import Writer
from bpc.codegen.functions import Part, Text, rest, start, written
from bpc.codegen.workspaces import Call, Tiled
from bpc.codegen.wrappers import takes_rng
from bpc.ir import Function, Var, variables
from bpc.plan import Buffer, Plan, Tiling
from bpc.record import record
from bpc.types import Size, product, size


@record(frozen=True)
class Tile:
    """The function of one tile, printed."""

    lines: Sequence[str]
    #: its parameters that it reads, with the axes along which they are cut
    taken: Mapping[Var, int | None]
    #: the dims that it takes, by their Python names
    dims: Sequence[str]
    #: which results go to memory that is given
    given: Sequence[int]
    #: what its workspace is made of
    work: Sequence[str]


def in_tiles(w: Writer, plan: Plan) -> tuple[list[str], Call]:
    """The lines of a function that goes through its rows in tiles, and how it is called."""
    assert plan.tiling is not None
    function, tiling = plan.function, plan.tiling
    rows = w.speller.names.setdefault(tiling.rows, w.names.claim("rows"))
    tile = _tile(w, function, tiling)
    free, known, names = start(w, function)
    back = {name: d for d, name in w.speller.names.items()}
    w.speller.used |= {back[d] for d in tile.dims if d != rows} | {tiling.dim}
    called: dict[Var, str] = {}
    before = Part(w, tiling.before, free, known, called)
    before.kernel.section = 1
    first = before.body(w)
    extra = tiling.tile.function.params[len(function.params) :]
    values = [before.kernel.code(v).text for v in tiling.before.function.results]
    made = [v for v in variables(tiling.before.function.results)]
    totals = tiling.summed[: tiling.totals]
    known |= {v: before.kernel.known[v] for v in made} | {
        v: free.claim(v.name) for v in tiling.summed
    }
    after = Part(w, tiling.after, free, known, called)
    spare = [
        Buffer(v.type) for i, v in enumerate(totals) if i in tile.given and v not in tiling.order
    ]
    spare_names = list(workspaces.names(w, spare, free).values())
    left = iter(spare_names)
    into = [
        "None" if i not in tile.given else known[v] if v in tiling.order else next(left)
        for i, v in enumerate(totals)
    ]
    work, all_tiles, sums = (free.claim(n) for n in ("work", "tiles", "sums"))
    inner = [free.claim(n) for n in ("tile", "part", "memory", "into", "found")]
    arrays = {**known, **dict(zip(extra, values))}
    arrays |= dict(zip(tiling.tile.function.params, [known[p] for p in function.params]))
    after.kernel.section = 1
    last = after.body(w)
    dim = w.speller.names[tiling.dim]
    unpacked = layout.unpacked(4, [*before.memory, *after.memory, *spare_names, all_tiles], work)
    body = [*unpacked, *first]
    body += _inner(w, function, tiling, tile, arrays, known, inner)
    target = sums if totals else None
    body += layout.call_statement(
        4, target, "_added_up", [inner[0], dim, all_tiles, *into], modern=True
    )
    body += layout.unpacked(4, [known[v] for v in totals], sums) if totals else []
    body += last
    ends = [after.kernel.code(r).text for r in tiling.after.function.results]
    results = [ends[r] if isinstance(r, int) else known[r] for r in tiling.order]
    given, targets = _given(function, tiling, tile, after, known)
    loose = len(given) < len(rest(function))
    if function.name != "value_and_grad":
        for r, text in targets:
            body = [*layout.statement(4, text, w.speller.empty(r.type)), *body]
        given, targets = [], []
    whole = Text(
        function.name, names, body, results, [t for _, t in targets], takes_rng(w, function), work
    )
    lines, dims = written(w, whole)
    shapes = [w.speller.shape(v.type.shape).text for v in totals]
    maker = f"lambda {rows}: _{function.name}_tile_work({', '.join(tile.work)})"
    read = passing(tiling)
    used = {back[d] for d in tile.work if d in back and d != rows} | {tiling.dim} | read.dims()
    used |= {d for v in totals for a in v.type.shape for d in a.size.dims()}
    used |= {d for steps, _ in tiling.loops for d in steps.dims()}
    loops = [f"({w.speller.size(steps).text}, {arrays})" for steps, arrays in tiling.loops]
    by_step = [f"loops=[{', '.join(loops)}]"] if loops else []
    arguments = [dim, maker, w.speller.size(read).text, "dtype", *shapes, *by_step]
    tiled = Tiled(spare, arguments, sorted(used))
    plans = [tiling.before, tiling.after]
    made_by, sizes = workspaces.function(w, function.name, plans, w.program.dims, tiled)
    return [*lines, *tile.lines, *made_by], Call(dims, sizes, given, loose)


def _tile(w: Writer, function: Function, tiling: Tiling) -> Tile:
    """The function that does the mathematics for some rows."""
    free, known, _ = start(w, function)
    plan = tiling.tile
    cut = dict(zip(plan.function.params, function.params))
    arguments = {p: known[cut[p]] if p in cut else free.claim(p.name) for p in plan.function.params}
    taken = _taken(tiling)
    part = Part(w, plan, free, arguments, {})
    work = free.claim("work")
    body = layout.unpacked(4, part.memory, work) if part.memory else []
    body += part.body(w)
    found = part.given(plan.function.results)
    text = Text(
        f"{function.name}_tile", [arguments[p] for p in taken], body, part.kernel.results(),
        [part.kernel.known[r] for _, r in found], False, work, [tiling.rows],
    )  # fmt: skip
    lines, dims = written(w, text)
    every = (*w.program.dims, tiling.rows)
    maker, sizes = workspaces.function(w, text.name, [plan], every)
    return Tile([*lines, *maker], taken, dims, [i for i, _ in found], sizes)


def _taken(tiling: Tiling) -> dict[Var, int | None]:
    """The parameters that a tile reads, with the axes along which they are cut."""
    function = tiling.tile.function
    read = {v for e in function.body for v in e.args} | set(function.results)
    return {p: a for p, a in zip(function.params, tiling.sliced) if p in read}


def passing(tiling: Tiling) -> Size:
    """How many numbers of arguments and of stored results belong to a row."""
    cut = [(p.type, axis) for p, axis in _taken(tiling).items() if axis is not None]
    stored = [(v.type, 0) for v in tiling.summed[tiling.totals :]]
    each = [t.shape[:axis] + t.shape[axis + 1 :] for t, axis in (*cut, *stored)]
    return sum((product(a.size for a in shape) for shape in each), size(0))


def _inner(
    w: Writer, function: Function, tiling: Tiling, tile: Tile, arrays: Mapping[Var, str],
    known: Mapping[Var, str], inner: Sequence[str],
) -> list[str]:  # fmt: skip
    """The function in the function, which calls that of a tile for some rows."""
    own, part, memory, into, found = inner
    args = []
    for param, axis in tile.taken.items():
        cut = "" if axis is None else f"[{':, ' * axis}{part}]"
        args.append(f"{arrays[param]}{cut}")
    count = w.speller.names[tiling.rows]
    args += [f"{part}.stop - {part}.start" if d == count else d for d in tile.dims]
    args.append(memory)
    for i in tile.given:
        stored = i >= tiling.totals
        args.append(f"{known[tiling.summed[i]]}[{part}]" if stored else f"{into}[{i}]")
    call = f"_{function.name}_tile"
    several = len(tiling.tile.function.results) != 1
    what = "forward and backward run on" if function.name == "value_and_grad" else "this runs on"
    sums = ", and what the tiles give is added up" if tiling.totals else ""
    lines = [
        "",
        f"    # No two rows of {tiling.dim} meet: {what} a tile of them after the other, in",
        f"    # memory that stays in the cache{sums}.",
        f"    def {own}({part}, {memory}, {into}):",
    ]
    if several:
        return [*lines, *layout.returned(8, [f"{call}({', '.join(args)})"], modern=True), ""]
    lines += layout.call_statement(8, found, call, args)
    return [*lines, f"        return ({found},)", ""]


def _given(
    function: Function, tiling: Tiling, tile: Tile, after: Part, known: Mapping[Var, str]
) -> tuple[list[int], list[tuple[Var, str]]]:
    """Which results are written into given memory, and what it is called."""
    ends = dict(after.given(tiling.after.function.results))
    skipped = len(function.results) - len(rest(function))
    given, targets = [], []
    for i, r in enumerate(tiling.order[skipped:]):
        if isinstance(r, int):
            if r in ends:
                given.append(i)
                targets.append((ends[r], after.kernel.known[ends[r]]))
        elif tiling.summed.index(r) in tile.given:
            given.append(i)
            targets.append((r, known[r]))
    return given, targets
