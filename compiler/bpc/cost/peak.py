"""The most bytes of arrays that a function of a module takes, its workspace and results included.

With tiles they depend on the rows of a tile, which a module counts as a workspace is made:

    rows = max(2^21, 32*itemsize*(entries that are added up)) // (bytes a row)
    more = min(2^23 // (bytes a row), 32, N), where that is 8 or all
    rows = max(rows, more), then as many as make all tiles about equal
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bpc.codegen.tiles import passing
from bpc.cost.formula import ONE_ITEM, USUAL, WIDEST, Formula, largest
from bpc.cost.memory import Printed, fresh, given, workspace
from bpc.ir import Var
from bpc.ops.cost import ITEM, nbytes
from bpc.plan import Plan, Tiling
from bpc.record import record
from bpc.types import Size, dim, size

#: the rows of the last tile, where they are fewer: no name of the language is like this
REST = "last rows"


@record(frozen=True)
class Tiles:
    """How many rows a tile has."""

    dim: str
    rows: str
    #: bytes of memory for a row, and those of what is added up
    each: Formula
    sums: Formula
    #: what a tile may take
    most: int

    def count(self, dims: Mapping[str, int]) -> int:
        """The rows of a tile, for given dims and size of a float."""
        each = max(self.each.evaluate(dims), 1)
        rows = max(self.most, 32 * self.sums.evaluate(dims)) // each
        total = max(dims[self.dim], 1)
        more = min(4 * self.most // each, 32, total)
        rows = max(rows, more if more >= min(total, 8) else 1, 1)
        return -(-total // -(-total // rows))


@record(frozen=True)
class Peak:
    """The bytes at the moments that may be the worst."""

    moments: tuple[Formula, ...]
    tiles: Tiles | None = None
    #: the same where a tile has all rows
    whole: tuple[Formula, ...] = ()

    def text(self, width: int = WIDEST) -> str:
        """The formula of the moment that is the worst where dims are large; of all, if width is left."""
        text = self._text(width, width)
        room = width
        while len(text) > width and room > 20:  # the rows of the last tile are a longer word
            room -= 4
            text = self._text(room, width)
        return text

    def _text(self, room: int, width: int) -> str:
        texts = [m.text(room) for m in (self.moments if width == WIDEST else [self.usual])]
        text = texts[0] if len(texts) == 1 else f"max({', '.join(texts)})"
        if self.tiles is None:
            return text
        return text.replace(REST, f"({self.tiles.dim} % {self.tiles.rows})")

    def evaluate(self, dims: Mapping[str, int], itemsize: int) -> int:
        """The bytes for given dims."""
        known: dict[str, int] = {**dims, str(ONE_ITEM): itemsize}
        moments = self.moments
        if self.tiles is not None:
            total, rows = dims[self.tiles.dim], self.tiles.count(known)
            if rows >= total:
                moments, known = self.whole, {**known, self.tiles.rows: total, REST: 0}
            else:
                known |= {self.tiles.rows: rows, REST: total % rows}
        return max(m.evaluate(known) for m in moments)

    @property
    def usual(self) -> Formula:
        """The formula of the moment that is the worst where dims are large."""
        return max(self.moments, key=lambda m: _usual(m))


def _usual(moment: Formula) -> int:
    known = {d: 8 if d == ONE_ITEM else USUAL for d in moment.dims()}
    return moment.evaluate(known)


def peak(plan: Plan, printed: Printed, tile_bytes: int) -> Peak:
    """The peak of one function. Raises SizeTooLarge."""
    if plan.tiling is not None:
        return _tiled(plan.tiling, printed, tile_bytes)
    base = workspace(plan)
    for r in given(plan, plan.function.results):
        base.add(nbytes(r.type))
    return Peak(_above(base, fresh(plan, printed).moments))


def _tiled(tiling: Tiling, printed: Printed, most: int) -> Peak:
    before, tile, after = tiling.before, tiling.tile, tiling.after
    totals = tiling.summed[: tiling.totals]
    filled = set(given(tile, tile.function.results))
    memory = {s for s, r in zip(tiling.summed, tile.function.results) if r in filled}
    base = workspace(before).add(workspace(after))
    for v in totals:
        if v in memory and v not in tiling.order:
            base.add(nbytes(v.type))
    for r in tiling.order:
        if isinstance(r, Var):
            base.add(nbytes(r.type) if r in memory else size(0))
        else:
            for v in given(after, after.function.results[r : r + 1]):
                base.add(nbytes(v.type))
    first = fresh(before, printed)
    base_of_tiles = base.copy().add(first.live)
    one = workspace(tile)
    sums, exact = Formula(), Formula()
    loose = Formula()
    for v in totals:
        sums.add(nbytes(v.type) if v.type.shape else size(0))
        exact.add(v.type.count * size(8))
        if v not in memory:
            loose.add(nbytes(v.type))
    inner = fresh(tile, printed).moments
    last = [m.copy().add(loose) for m in fresh(after, printed).moments]
    rest = _rows(one, tiling.rows, dim(REST))
    spread = base.copy().add(one).add(rest).add(sums).add(exact)
    running = base_of_tiles.copy().add(one).add(rest).add(sums).add(exact)
    moments = [*_above(spread, first.moments), *_above(running, [*inner, *last])]
    whole = [
        *_above(base.copy().add(one), first.moments),
        *_above(base_of_tiles.copy().add(one), [*inner, *last]),
    ]
    at_once = one.copy()
    buffers = list(tile.buffers)
    for steps, count in tiling.loops:
        for buffer in buffers[:count]:
            at_once.add(nbytes(buffer.type), -1).add(nbytes(buffer.type) / steps)
        buffers = buffers[count:]
    each = _rows(at_once, tiling.rows, size(2)).add(_rows(at_once, tiling.rows, size(1)), -1)
    each.add(passing(tiling) * ITEM)
    tiles = Tiles(tiling.dim, tiling.rows, each, sums, most)
    return Peak(largest(moments), tiles, largest(whole))


def _above(base: Formula, moments: Iterable[Formula]) -> tuple[Formula, ...]:
    return tuple(m.copy().add(base) for m in moments)


def _rows(formula: Formula, rows: str, count: Size) -> Formula:
    """The formula with another number of rows. Raises SizeTooLarge."""
    result = Formula()
    for term in formula.terms.items():
        result.add(Size((term,)).substitute({rows: count}))
    return result
