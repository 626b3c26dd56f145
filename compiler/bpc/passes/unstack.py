"""What is stacked to be worked on entry by entry is worked on part by part, at -O2 alone.

    w = windows(x, sides=(2, 2))        a = window(x, place=(0, 0))    ... d = window(x, place=(1, 1))
    y = max(w, axes=(0,))         ->    y = maximum(maximum(maximum(a, b), c), d)

So pools and their adjoints copy no windows, and work on views of the images.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from bpc.ir import Atom, Equation, Function, Literal
from bpc.ops import OPS, Expr
from bpc.passes.rewrite import View, rewrite
from bpc.types import size

MOST = 16  # parts
REDUCED = {"max": "maximum", "min": "minimum", "sum": "add", "mean": "add"}


def unstack(function: Function) -> Function:
    """Take stacks apart where that leaves none."""
    if not any(e.op in ("windows", "stack") for e in function.body):
        return function
    return rewrite(function, _rule)


def _rule(view: View, e: Equation) -> Expr | None:
    attrs = dict(e.attrs)
    view.m.hint = e.out.name
    if e.op in REDUCED and attrs["axes"] == (0,):
        parts = _parts(view, e.args[0])
        return _kept(view, e, _reduced(view, e.op, parts)) if parts else None
    if e.op == "unwindows":
        parts = _parts(view, e.args[0])
        return view.m.emit("lay_windows", *parts, **attrs) if parts else None
    if e.op == "tie_share" and attrs["axes"] == (0,):
        parts = _parts(view, e.args[0])
        return _shares(view, parts, _flat(view, e.args[1], e.args[0].type.rank)) if parts else None
    if OPS[e.op].elementwise or e.op == "cast":
        return _entrywise(view, e, attrs)
    return None


def _kept(view: View, e: Equation, y: Expr) -> Expr:
    return y if y.shape == e.out.type.shape else view.m.emit("reshape", y, shape=e.out.type.shape)


def _reduced(view: View, op: str, parts: Sequence[Expr]) -> Expr:
    y = reduce(lambda a, b: view.m.elementwise(REDUCED[op], a, b), parts)
    return y / float(len(parts)) if op == "mean" else y


def _parts(view: View, atom: Atom) -> list[Expr]:
    """The parts along the first axis; none where it is no stack of a few."""
    stack = view.definition(atom, "stack")
    if stack is not None and dict(stack.attrs)["axis"] == 0 and len(stack.args) <= MOST:
        return [view.expr(a) for a in stack.args]
    windows = view.definition(atom, "windows")
    if windows is None:
        return []
    attrs = dict(windows.attrs)
    down, across = attrs["sides"]
    if down * across > MOST:
        return []
    x = view.expr(windows.args[0])
    places = [(i, j) for i in range(down) for j in range(across)]
    return [view.m.emit("window", x, place=place, **attrs) for place in places]


def _flat(view: View, atom: Atom, rank: int) -> Expr:
    """A value that is the same for all parts, without the first axis."""
    x = view.expr(atom)
    return x if x.type.rank < rank else view.m.emit("reshape", x, shape=x.shape[1:])


def _shares(view: View, parts: Sequence[Expr], top: Expr) -> Expr:
    """1 where a part is the extremum, shared among several: 0 where it is not, or all are NaN."""
    ties = [view.m.real(part.eq(top)) for part in parts]
    count = view.m.maximum(reduce(lambda a, b: a + b, ties), 1.0)
    return view.m.emit("stack", *(tie / count for tie in ties), axis=0)


def _entrywise(view: View, e: Equation, attrs: dict[str, Any]) -> Expr | None:
    """F(stack(a, b), broadcast(c)) is stack(f(a, c), f(b, c))."""
    split = [_parts(view, a) for a in e.args]
    counts = {len(parts) for parts in split if parts}
    if len(counts) != 1 or e.out.named:
        return None
    (count,) = counts
    columns: list[list[Expr]] = []
    for arg, parts in zip(e.args, split):
        same = parts or _same(view, arg, count)
        if not same:
            return None
        columns.append(same)
    if e.op == "cast":
        results = [view.m.emit("cast", x, **attrs) for x in columns[0]]
    else:
        results = [view.m.elementwise(e.op, *row) for row in zip(*columns)]
    return view.m.emit("stack", *results, axis=0)


def _same(view: View, arg: Atom, count: int) -> list[Expr]:
    """An argument that is the same for each part, once for each; none where it is not."""
    shape = arg.type.shape[1:]
    if isinstance(arg, Literal):
        return [view.expr(Literal(arg.value, arg.type.with_shape(shape)))] * count
    inner = view.arg(arg, "broadcast")
    if inner is None or (inner.type.rank == arg.type.rank and inner.type.shape[0].size != size(1)):
        return []
    x = _flat(view, inner, arg.type.rank)
    return [view.m.broadcast_to(x, shape)] * count
