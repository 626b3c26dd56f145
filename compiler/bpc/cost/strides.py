"""How values lie in memory: whether a reshape shows what is there, or has to copy it.

A layout is the distance between neighbours along each axis, in entries. The rule is NumPy's own: axes
that are joined must lie one in the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from bpc.ir import Equation, Function, Var
from bpc.ops import OPS
from bpc.ops.loops import Loop
from bpc.types import ONE, Shape, Size, size

Layout = tuple[Size, ...]
ZERO = size(0)
#: operators whose results need not be row-major
MAKES = ("transpose", "slice", "pick", "broadcast", "windows", "window", "diagonal")


def rowwise(shape: Shape) -> Layout:
    """The layout of an array in row-major order."""
    found, each = list[Size](), size(1)
    for axis in reversed(shape):
        found.append(each)
        each = each * axis.size
    return tuple(reversed(found))


class Layouts(dict[Var, Layout]):
    """The layouts that are not row-major, of the values of a function; and reshapes that copy."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.copies: set[Var] = set()
        #: those of them that hold all entries of a piece of memory, in another order
        self.dense: set[Var] = set()
        self._go(function)

    def __missing__(self, var: Var) -> Layout:
        return rowwise(var.type.shape)

    def _go(self, function: Function) -> None:
        for e in function.body:
            if e.op == "scan":
                self._go(Loop.of(e).body)
            elif e.op in MAKES or (e.args and any(a in self for a in e.args)):
                self._one(e)

    def _one(self, e: Equation) -> None:
        """One equation: a view, or an elementwise function that keeps the order of its arguments."""
        attrs, arg = dict(e.attrs), e.args[0]
        if OPS[e.op].elementwise:
            same = [a for a in e.args if isinstance(a, Var) and a.type.shape == e.out.type.shape]
            if not self.dense.isdisjoint(same) and len({self[a] for a in same}) == 1:
                self[e.out] = self[same[0]]
                self.dense.add(e.out)
            return
        if not OPS[e.op].view or not isinstance(arg, Var):
            return
        old = self[arg]
        if e.op == "transpose":
            self[e.out] = tuple(old[i] for i in attrs["order"])
            if arg not in self or arg in self.dense:
                self.dense.add(e.out)
        elif e.op == "slice":
            self[e.out] = tuple(o * size(step) for o, (_, _, step) in zip(old, attrs["items"]))
        elif e.op == "pick":
            kept = [o * size(i[2]) for o, i in zip(old, attrs["items"])]
            self[e.out] = tuple(o for i, o in enumerate(kept) if i not in attrs["dropped"])
        elif e.op == "broadcast":
            lead = e.out.type.rank - arg.type.rank
            pairs = zip(arg.type.shape, e.out.type.shape[lead:], old)
            self[e.out] = (*[ZERO] * lead, *(o if a == b else ZERO for a, b, o in pairs))
        elif e.op == "expand_dims":
            rest = iter(old)
            ranks = range(e.out.type.rank)
            self[e.out] = tuple(ZERO if i in attrs["axes"] else next(rest) for i in ranks)
        elif e.op == "reshape":
            found = reshaped(arg.type.shape, old, e.out.type.shape)
            if found is None:
                self.copies.add(e.out)
            else:
                self[e.out] = found
        elif e.op == "windows":
            self.copies.add(e.out)
        elif e.op not in ("identity", "stop"):
            self[e.out] = (ZERO,) * e.out.type.rank
        else:
            self[e.out] = old


def reshaped(old: Shape, layout: Layout, new: Shape) -> Layout | None:
    """The layout of a view of another shape; None where there is none."""
    axes = [(a.size, d) for a, d in zip(old, layout) if a.size != ONE.size]
    targets = [a.size for a in new if a.size != ONE.size]
    found: list[Size] = []
    i = j = 0
    while i < len(axes) and j < len(targets):
        first, start = i, j
        here, there = axes[i][0], targets[j]
        i, j = i + 1, j + 1
        while here != there:
            # Which side lacks an axis cannot be told from sizes alone: take what is left over.
            if i < len(axes) and (j == len(targets) or _short(here, there, axes[i][0])):
                here, i = here * axes[i][0], i + 1
            elif j < len(targets):
                there, j = there * targets[j], j + 1
            else:
                return None
        joined = axes[first:i]
        if any(a[1] != b[0] * b[1] for a, b in pairwise(joined)):
            return None
        each = joined[-1][1]
        group = list[Size]()
        for length in reversed(targets[start:j]):
            group.append(each)
            each = each * length
        found += reversed(group)
    rest = iter(found)
    return tuple(ZERO if a.size == ONE.size else next(rest, size(1)) for a in new)


def _short(here: Size, there: Size, following: Size) -> bool:
    """Whether the axes gathered so far are fewer entries than those of the other side."""
    quotient: Sequence[object] = (there / here).terms
    whole = (there / here).whole
    return whole if quotient else following is not here
