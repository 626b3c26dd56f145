"""A function in three: before its rows, a tile of its rows, after all of them.

    s = 2 * w            before:  s = 2 * w
    h = s * x            tile:    h = s * x; m = sum(h) / N     for the rows at hand; m is added up
    J = mean(h) + w      after:   J = m + w

`before` and `after` run once, `tile` for one part of the rows after the other. What has rows and
depends on none, as a mask does, is made before, and cut; so are labels, which are checked there, all
at once. (`schedule/rows.py` says what has rows.)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from bpc.ir import Atom, Equation, Function, Var, variables
from bpc.ops.loops import Loop, trim
from bpc.record import record
from bpc.schedule.cut import Cut
from bpc.schedule.rows import AFTER, TOTAL, Found, Mixed, Rows, zero
from bpc.source import Span
from bpc.types import Axis, SizeTooLarge, dim, size


@record(frozen=True, eq=True)
class Tiles:
    """A function whose rows along `dim` can be gone through a part at a time.

    Parameters of all three are the function's, then the results of `before`; those of `tile` are cut
    along `sliced` (an axis for each, None: whole). `after` takes the results of `tile` besides: first
    `totals` of them that are added up over all tiles, then the others, put together along the axes
    `stored`. In `tile` the dim `rows` counts the rows at hand, and `dim` is still how many there are.
    """

    dim: str
    rows: str
    before: Function
    tile: Function
    after: Function
    sliced: tuple[int | None, ...]
    totals: int
    stored: tuple[int, ...]


@record(frozen=True, eq=True)
class Whole:
    """Why a function has to run with all rows along a dim at once, and where, if at some place."""

    dim: str
    why: str
    span: Span | None = None


def split(function: Function, dim: str) -> Tiles | Whole:
    """The function in three along a dim, or why it cannot be."""
    rows = Rows(dim, _fresh(function, dim))
    states = {p: rows.plain(p.type.shape) for p in function.params}
    found = Found(rows, states, early=set(function.params))
    try:
        found.run(function.body)
        if any(_has_rows(e, found) for e in function.body):
            return _in_three(function, found)
    except Mixed as error:
        return Whole(dim, error.why, error.span)
    except SizeTooLarge:
        return Whole(dim, "sizes are too long to compute with")
    return Whole(dim, f"nothing is computed for each of {dim}")


def choose(
    function: Function, dims: Sequence[str], inputs: Collection[Var] = ()
) -> Tiles | tuple[Whole, ...]:
    """The split along the first dim that has one; else why there is none, for each dim with rows.

    Dims that are the first axis of an input come first.
    """
    held = {d for p in function.params for a in p.type.shape for d in a.size.dims()}
    first = {
        d for p in function.params if p in inputs for a in p.type.shape[:1] for d in a.size.dims()
    }
    refused: dict[str, Whole] = {}
    for name in sorted((d for d in dims if d in held), key=lambda d: d not in first):
        found = split(function, name)
        if isinstance(found, Tiles):
            return found
        refused[name] = found
    return tuple(refused[d] for d in dims if d in refused)


def _fresh(function: Function, dim: str) -> str:
    """A name for the rows of a tile that no size of the function has."""
    types = [p.type for p in function.params]
    types += [v.type for e in function.body for v in (*e.outs, *e.args)]
    taken = {d for t in types for a in t.shape for d in a.size.dims()} | {dim}
    name = "rows"
    while name in taken:
        name += "_"
    return name


def _has_rows(e: Equation, found: Found) -> bool:
    """Whether an equation computes something of the rows."""
    return any((s := found.of(o)) is not None and s >= TOTAL for o in e.outs)


def _in_three(function: Function, found: Found) -> Tiles:
    """Before, tile and after, of a function whose rows are known. Raises Mixed."""
    params, results = function.params, tuple(variables(function.results))
    parts, ends = _ends(function, found)
    after = _needed(ends, results)
    read = _reads(after, results)
    origin = {part: out for out, part in parts.items()}
    made = [*(o for e in function.body for o in e.outs), *origin]
    totals = [v for v in made if v in read and (v in origin or found.of(v) == TOTAL)]
    stored = [v for v in made if v in read and v not in origin and (found.of(v) or 0) >= 0]
    stored = [v for v in stored if found.of(v) is not None]
    rows = _of_rows(function, found, {origin.get(v, v) for v in (*totals, *stored)})
    needed = _reads(rows, ())
    given = [v for v in made if v in needed | read and v not in origin and found.of(v) is None]
    before = _before(function, found, given)
    cut = Cut(found, parts=parts)
    apart = {v: _apart(v, found, rows[0]) for v in (*params, *given) if _joined(v, found, needed)}
    before += apart.values()
    made_apart = [e.out for e in apart.values()]
    given = [*(v for v in given if v not in apart or v in read), *made_apart]
    sliced = tuple(
        _axis(v, found, needed - apart.keys() | set(made_apart)) for v in (*params, *given)
    )
    taken = tuple(v if axis is None else cut.var(v) for v, axis in zip((*params, *given), sliced))
    body = (*(_together(e, cut) for e in apart.values()), *cut.equations(rows))
    places = tuple(_axis(v, found, set(stored)) or 0 for v in stored)
    made_here = (*totals, *map(cut.atom, stored))
    name = function.name
    return Tiles(
        found.rows.dim,
        found.rows.tile,
        Function(f"{name}_before", params, tuple(before), tuple(given), _labels(given)),
        Function(f"{name}_tile", taken, body, made_here, _labels(made_here)),
        Function(
            f"{name}_after",
            (*params, *given, *totals, *stored),
            tuple(after),
            function.results,
            function.labels,
        ),
        sliced,
        len(totals),
        places,
    )


def _labels(results: Iterable[Atom]) -> tuple[str, ...]:
    return tuple(r.name if isinstance(r, Var) else "" for r in results)


def _ends(function: Function, found: Found) -> tuple[dict[Var, Var], list[Equation]]:
    """What may come after: equations of totals, and what totals that loops add up started from."""
    parts: dict[Var, Var] = {}
    ends: list[Equation] = []
    for e in function.body:
        if found.of(e.outs[0]) == AFTER:
            ends.append(e)
        elif e.op == "scan":
            for out, init in zip(e.outs, Loop.of(e).inits):
                if found.of(out) == TOTAL and not zero(init):
                    parts[out] = Var(f"{out.name}_part", out.type)
                    ends.append(Equation("add", (init, parts[out]), (out,), e.span, (), e.adjoint))
    return parts, ends


def _needed(body: Sequence[Equation], wanted: Iterable[Var]) -> list[Equation]:
    """The equations that some values need."""
    needed, kept = set(wanted), []
    for e in reversed(body):
        if not needed.isdisjoint(e.outs):
            kept.append(e)
            needed.update(variables(e.args))
    return kept[::-1]


def _reads(body: Sequence[Equation], results: Iterable[Var]) -> set[Var]:
    """What equations and results take from elsewhere."""
    read = {*results, *(v for e in body for v in variables(e.args))}
    return read - {o for e in body for o in e.outs}


def _of_rows(function: Function, found: Found, wanted: set[Var]) -> list[Equation]:
    """The equations of a tile, which fill what is the same for all rows by themselves."""
    needed, kept = set(wanted), []
    for e in reversed(function.body):
        outs = {o for o in e.outs if o in needed and (found.of(o) is not None or o in found.filled)}
        if outs:
            e = trim(Loop.of(e), outs).equation() if e.op == "scan" else e
            kept.append(e)
            needed.update(variables(e.args))
    return kept[::-1]


def _before(function: Function, found: Found, wanted: Iterable[Var]) -> list[Equation]:
    """The equations that depend on no rows; of a loop, what does not. Raises Mixed."""
    needed, kept = set(wanted), []
    for e in reversed(function.body):
        outs = {o for o in e.outs if o in needed and (found.of(o) is None or o in found.early)}
        if not outs:
            continue
        if e.op == "scan" and _has_rows(e, found):
            loop = Loop.of(e)
            plain = tuple(replace(b, adjoint=False) for b in loop.body.body)
            e = trim(loop.with_body(replace(loop.body, body=plain)), outs).equation()
        kept.append(e)
        needed.update(variables(e.args))
    known = set(function.params).union(*(e.outs for e in kept))
    for e in kept:
        if any(v not in known for v in variables(e.args)):
            raise Mixed("`scan` computes rows and what depends on none together", e.span)
    return kept[::-1]


def _joined(var: Var, found: Found, cut: set[Var]) -> bool:
    """Whether a tile takes a part of a value in which the rows are joined with another axis."""
    rows, shape = found.rows, var.type.shape
    return var in cut and found.of(var) is None and rows.within(shape) and rows.plain(shape) is None


def _apart(var: Var, found: Found, reader: Equation) -> Equation:
    """Such a value with the rows on an axis of their own, so that it can be cut."""
    shape, rows = var.type.shape, dim(found.rows.dim)
    axis = found.rows.axis(shape)
    assert axis is not None, var
    ahead = found.before.get(var, size(1))
    behind = shape[axis].size / ahead / rows
    parts = [Axis(n) for n in (ahead, rows, behind) if n != size(1)]
    out = Var(var.name, var.type.with_shape((*shape[:axis], *parts, *shape[axis + 1 :])))
    span = found.places.get(var, reader.span)
    return Equation("reshape", (var,), (out,), span, (("shape", out.type.shape),))


def _together(apart: Equation, cut: Cut) -> Equation:
    """The way back, for the rows at hand."""
    (var,) = variables(apart.args)
    out = cut.var(var)
    return replace(
        apart, args=(cut.atom(apart.out),), outs=(out,), attrs=(("shape", out.type.shape),)
    )


def _axis(var: Var, found: Found, cut: set[Var]) -> int | None:
    """The axis that a value is cut along, if a tile takes its rows alone. Raises Mixed."""
    if not found.rows.within(var.type.shape) or (var not in cut and found.of(var) is None):
        return None
    axis = found.rows.plain(var.type.shape)
    if axis is None:
        raise Mixed(f"a value of {var.type} would have to be cut", found.places.get(var))
    return axis
