"""One step's equation for all steps at once: each operator with one more axis in front.

    z = matmul(x, W)    with x: [N, D] in each of T steps    ->    z = matmul(x, W) with x: [T, N, D]

What an operator's attributes count, axes and places in shapes, moves by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product as pairs
from string import ascii_letters
from typing import Any

from bpc.ir import Equation, Literal
from bpc.ops import OPS, Builder, Expr
from bpc.ops.rows import Meets, rows_of
from bpc.types import ONE, Axis, Shape, Size, product, size


def liftable(e: Equation, stacked: Sequence[bool]) -> bool:
    """Whether there is a rule for an equation, some of whose arguments differ from step to step."""
    if e.op in ("gather", "scatter"):
        return _picked(e, stacked) is not None
    if e.op in MERGED:
        return next(_places(e, stacked), None) is not None
    if e.op == "einsum" and not _free_letter(e):
        return False
    op = OPS[e.op]
    return op.elementwise or op.stacks or e.op in RULES or e.op in STACKED


def lift(m: Builder, e: Equation, args: list[Expr], stacked: Sequence[bool], steps: Size) -> Expr:
    """The equation for all steps at once."""
    if e.op in RULES:
        return RULES[e.op](m, e, args, stacked, steps)
    if e.op in ("gather", "scatter"):
        return _pick(m, e, args, stacked, steps)
    if e.op in MERGED:
        return _merged(m, e, args, stacked, steps)
    if OPS[e.op].elementwise:
        return m.elementwise(e.op, *(_even(m, x, s, steps) for x, s in zip(args, stacked)))
    given = [_even(m, x, s, steps) for x, s in zip(args, stacked)]
    if e.op == "broadcast":
        given = [_aligned(m, given[0], e.out.type.rank + 1)]
    attrs = {k: MOVED[k](v, steps) if k in MOVED else v for k, v in e.attrs}
    return m.emit(e.op, *given, **attrs)


#: what becomes of attributes that count axes, or have an entry for each
MOVED: dict[str, Callable[[Any, Size], Any]] = {
    "axis": lambda axis, steps: axis + 1,
    "axes": lambda axes, steps: tuple(a + 1 for a in axes),
    "order": lambda order, steps: (0, *(a + 1 for a in order)),
    "shape": lambda shape, steps: (Axis(steps), *shape),
    "items": lambda items, steps: ((size(0), steps, 1), *items),
    "widths": lambda widths, steps: ((0, 0), *widths),
}
#: operators on the last two axes, and those whose attributes MOVED knows
STACKED = frozenset(
    ("inv", "det", "logdet", "cofactor", "cofactor_slope", "diagonal", "pad", "roll")
)
#: operators of a fixed rank, which take a stack as more rows or channels
MERGED = frozenset(("conv2d", "conv_transpose2d", "conv2d_kernel", "windows", "unwindows"))


def _even(m: Builder, x: Expr, stacked: bool, steps: Size) -> Expr:
    """An argument that has all steps: one that does not differ is stretched."""
    return x if stacked else even(m, x, steps)


def even(m: Builder, x: Expr, steps: Size) -> Expr:
    """What is the same in all steps, once for each."""
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
    if ranks == [1, 1] and not stacked[0]:
        return m.matmul(b, a)
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


def _rows_product(
    m: Builder, e: Equation, args: list[Expr], stacked: Sequence[bool], steps: Size
) -> Expr:
    """A product of matrices for each step: all axes but the last are rows."""
    laid = []
    for x, is_stacked in zip(args, stacked):
        lead = x.shape[:1] if is_stacked else ()
        rows = Axis(product(a.size for a in x.shape[len(lead) : -1]))
        laid.append(_reshaped(m, x, (*lead, rows, x.shape[-1])))
    a, b = laid
    turned = m.emit("transpose", a, order=(0, 2, 1) if stacked[0] else (1, 0))
    return m.matmul(turned, b if stacked[1] else even(m, b, steps))


def _einsum(
    m: Builder, e: Equation, args: list[Expr], stacked: Sequence[bool], steps: Size
) -> Expr:
    """One letter more."""
    operands, result = dict(e.attrs)["operands"], dict(e.attrs)["result"]
    letter = _free_letter(e)
    operands = tuple(letter + o if s else o for o, s in zip(operands, stacked))
    return m.emit("einsum", *args, operands=operands, result=letter + result)


def _free_letter(e: Equation) -> str:
    """A letter that an einsum does not use; none where it uses all."""
    used = {c for o in dict(e.attrs)["operands"] for c in o}
    return next((c for c in f"k{ascii_letters}" if c not in used), "")


def _solve(m: Builder, e: Equation, args: list[Expr], stacked: Sequence[bool], steps: Size) -> Expr:
    """Where all steps have one matrix, their right sides are columns."""
    a, b = args
    rank = e.args[1].type.rank
    if stacked[0]:
        b = _even(m, b, stacked[1], steps)
        x = m.emit("solve", a, _reshaped(m, b, (*b.shape, ONE)) if rank == 1 else b)
        return _reshaped(m, x, b.shape)
    if rank == 1:
        x = m.emit("solve", a, m.emit("transpose", b, order=(1, 0)))
        return m.emit("transpose", x, order=(1, 0))
    wide = m.emit("transpose", b, order=(*range(1, rank), 0, rank))
    columns = Axis(product(x.size for x in wide.shape[-2:]))
    x = m.emit("solve", a, m.emit("reshape", wide, shape=(*wide.shape[:-2], columns)))
    x = m.emit("reshape", x, shape=wide.shape)
    return m.emit("transpose", x, order=(rank - 1, *range(rank - 1), rank))


def _full(m: Builder, e: Equation, args: list[Expr], stacked: Sequence[bool], steps: Size) -> Expr:
    """Each step fills its own part."""
    shape = (Axis(steps), *dict(e.attrs)["shape"])
    return m.broadcast_to(_aligned(m, args[0], len(shape)), shape)


RULES: dict[str, Callable[[Builder, Equation, list[Expr], Sequence[bool], Size], Expr]] = {
    "matmul": _matmul,
    "rows_product": _rows_product,
    "einsum": _einsum,
    "solve": _solve,
    "full": _full,
}


# What integer arrays pick: along an axis more, which they name too where they differ


def _picked(e: Equation, stacked: Sequence[bool]) -> str | None:
    """How a gather or scatter is lifted: `whole` along one more axis, as `rows`, or by `both`."""
    axis, same = dict(e.attrs)["axis"], not any(stacked[1:])
    if same:
        return "whole"
    if not all(stacked[1:]):
        return None
    if e.op == "gather" and not stacked[0]:
        return "rows" if axis == 0 else None
    return "both" if axis == 0 else None


def _pick(m: Builder, e: Equation, args: list[Expr], stacked: Sequence[bool], steps: Size) -> Expr:
    x, *ids = args
    attrs = {k: MOVED[k](v, steps) for k, v in e.attrs}
    how = _picked(e, stacked)
    if how == "whole":
        return m.emit(e.op, x, *ids, **attrs)
    if how == "rows":
        return m.emit(e.op, x, *ids, axis=0)
    step = m.emit("arange", size=Axis(steps))
    step = m.broadcast_to(_aligned(m, step, ids[0].type.rank), ids[0].shape)
    x = _even(m, x, stacked[0], steps)
    return m.emit(e.op, x, step, *ids, **(attrs | {"axis": 0}))


# Operators of a fixed rank


def _places(e: Equation, stacked: Sequence[bool]) -> Iterator[tuple[tuple[int | None, ...], int]]:
    """Axes of the arguments that may have more entries, and that of the result which then has."""
    types = [a.type for a in e.args]
    for places in pairs(*(range(t.rank) if s else (None,) for t, s in zip(types, stacked))):
        try:
            found = rows_of(e.op, types, places, e.attrs)
        except Meets:
            continue
        if found >= 0:
            yield places, found


def _merged(
    m: Builder, e: Equation, args: list[Expr], stacked: Sequence[bool], steps: Size
) -> Expr:
    """The steps as more entries of an axis, of which the operator takes any number."""
    places, found = next(_places(e, stacked))
    given = []
    for x, place in zip(args, places):
        if place:
            order = list(range(1, x.type.rank))
            order.insert(place, 0)
            x = m.emit("transpose", x, order=tuple(order))
        given.append(x if place is None else _reshaped(m, x, _joined(x.shape, place)))
    full = list(e.out.type.shape)
    full.insert(found, Axis(steps))
    attrs = dict(e.attrs)
    if "shape" in attrs:
        attrs["shape"] = _joined(tuple(full), found)
    y = m.emit(e.op, *given, **attrs)
    y = _reshaped(m, y, tuple(full))
    order = [found, *(i for i in range(len(full)) if i != found)]
    return m.emit("transpose", y, order=tuple(order)) if found else y


def _joined(shape: Shape, place: int) -> Shape:
    """The shape with an axis and the next as one."""
    both = Axis(shape[place].size * shape[place + 1].size)
    return (*shape[:place], both, *shape[place + 2 :])


def _reshaped(m: Builder, x: Expr, shape: Shape) -> Expr:
    return x if x.shape == shape else m.emit("reshape", x, shape=shape)
