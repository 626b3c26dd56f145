"""Which values of a function have rows along a dim, each of which depends on its own row alone.

    h = tanh(x @ W)         x: [N, 4]       h has rows along N, on axis 0
    s = sum(h, axis=0)                      s is a total: a sum over the rows
    e = exp(s)                              comes after: it needs the whole total
    r = sum(W^2)                            depends on no rows
    y = softmax(x, axis=0)                  Mixed: rows meet, and where

A loop over another axis is treated as what it computes in each step. There a total may be carried
from step to step, as long as what happens to it is linear.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import field

from bpc.ir import Atom, Equation, Literal, Var
from bpc.ops import OPS
from bpc.ops.loops import Loop
from bpc.ops.rows import BOTH, MEAN, SUM, Meets, Place, rows_of
from bpc.record import record
from bpc.source import Span
from bpc.types import Axis, Shape, Size, dim, product, size

#: a state: None (depends on no rows), the axis of the rows, a total, or after one
State = int | None
TOTAL, AFTER = SUM, -2
JOINS = "`reshape` joins {dim} with another axis"
#: operators that fill an axis with what depends on no rows
FILLING = ("broadcast", "full")
#: linear in one argument as long as the others are no totals (besides those whose entry says so)
SCALING = ("mul", "neg", "sum", "mean")
#: linear in all arguments together
ADDING = ("add", "sub", "concat", "stack")


class Mixed(Exception):
    """Where the rows of a dim meet, and how."""

    def __init__(self, why: str, span: Span | None) -> None:
        self.why, self.span = why, span
        super().__init__(why)


@record(frozen=True)
class Rows:
    """The dim that counts all rows, and the one that counts those at hand."""

    dim: str
    tile: str

    def within(self, shape: Shape) -> bool:
        """Whether a shape depends on how many rows there are."""
        return any(self.dim in a.size.dims() for a in shape)

    def axis(self, shape: Shape) -> Place:
        """The axis of the rows, if any; it may hold several entries of each. Raises Meets."""
        found = [i for i, a in enumerate(shape) if self.dim in a.size.dims()]
        if len(found) > 1:
            raise Meets(BOTH)
        if found:
            each = shape[found[0]].size / dim(self.dim)
            if not each.whole or self.dim in each.dims():
                raise Meets(f"an axis has the size {shape[found[0]].size}")
        return found[0] if found else None

    def plain(self, shape: Shape) -> Place:
        """The axis of the rows, where it is nothing else and there is no other."""
        found = [i for i, a in enumerate(shape) if self.dim in a.size.dims()]
        alone = len(found) == 1 and shape[found[0]].size == dim(self.dim)
        return found[0] if alone else None

    def count(self, length: Size) -> Size:
        """The size where there are only the rows at hand."""
        return length.substitute({self.dim: dim(self.tile)})

    def cut(self, axis: Axis) -> Axis:
        """The axis with the rows at hand."""
        if self.dim not in axis.size.dims():
            return axis
        label = self.tile if axis.label == self.dim else axis.label
        return Axis(self.count(axis.size), label, axis.stretch)


@record()
class Found:
    """What is known of the values of a function or of a loop's body."""

    rows: Rows
    states: dict[Var, State]
    #: whether this is the body of a loop
    inner: bool = False
    #: depend on no rows and are the same for each: a tile computes them as far as it needs them
    filled: set[Var] = field(default_factory=set)
    #: how many entries of an axis come before all rows, where it was joined: T in [T*N, 3]
    before: dict[Var, Size] = field(default_factory=dict)
    #: filled with one value along the axis of the rows
    even: set[Var] = field(default_factory=set)
    #: params, and ints and bools made of them: what can be checked before any rows are computed
    early: set[Var] = field(default_factory=set)
    #: where a value is made
    places: dict[Var, Span] = field(default_factory=dict)

    def run(self, body: Iterable[Equation]) -> None:
        """States of all results. Raises Mixed."""
        for e in body:
            self.places |= dict.fromkeys(e.outs, e.span)
            try:
                if e.op == "scan":
                    self.loop(e)
                else:
                    self.states[e.out] = self.state(e)
                    self.note(e)
            except Meets as error:
                why = error.why.format(op=_called(e), dim=self.rows.dim)
                raise Mixed(why, e.span) from None

    def of(self, atom: Atom) -> State:
        """The state of an atom."""
        return self.states[atom] if isinstance(atom, Var) else None

    def state(self, e: Equation) -> State:
        """The state of a result."""
        given = [self.of(a) for a in e.args]
        within = self.rows.within(e.out.type.shape)
        has_rows = any(s is not None and s >= 0 for s in given)
        if any(s is not None and s < 0 for s in given):
            if has_rows:
                raise Meets("`{op}` of rows needs a sum over all rows of {dim}")
            if not self.inner:
                return AFTER
            if within or not _linear(e, given):
                raise Meets("`{op}` of a sum over {dim} is no sum over {dim}")
            return TOTAL
        if self.checks(e):
            self.placed(e)  # it is cut after that
            return None
        if not has_rows:
            if within and self.fills(e):
                self.filled.add(e.out)
            elif self.inner and self.cut(e.args):
                return self.placed(e)
            elif self.inner and within:
                raise Meets("`{op}` numbers the entries of {dim}")
            return None
        return self.placed(e)

    def checks(self, e: Equation) -> bool:
        """Whether an equation only looks for wrong entries, and can do so before any rows.

        It then runs on all of them at once: an error says which entry of all it is.
        """
        op = OPS[e.op]
        return op.raises and op.aligned and self.known(e) and self.cut(e.args)

    def known(self, e: Equation) -> bool:
        """Whether all arguments are early, or depend on no rows."""
        if self.inner:
            return False
        return all(self.of(a) is None or a in self.early for a in e.args)

    def note(self, e: Equation) -> None:
        """Note a result that is early."""
        if e.out.type.kind != "real" and self.known(e):
            self.early.add(e.out)

    def cut(self, args: Iterable[Atom]) -> bool:
        """Whether a tile has a part of some of these values."""
        return any(self.rows.within(a.type.shape) for a in args)

    def placed(self, e: Equation) -> State:
        """Where the operator's entry leaves the rows. Raises Meets."""
        places = [self.rows.axis(a.type.shape) for a in e.args]
        ahead = self.ahead(e, places)
        if e.op == "reshape":
            return self.joined(e, places[0], ahead)
        place = rows_of(e.op, [a.type for a in e.args], places, e.attrs)
        axis = self.rows.axis(e.out.type.shape)
        if place in (SUM, MEAN):
            if place == MEAN and e.op != "mean":  # that `Cut` would not know
                raise Meets
            if axis is not None:
                raise Meets(BOTH)
            return TOTAL
        if axis != place:
            raise Meets
        if ahead != size(1):
            self.before[e.out] = ahead
        return place

    def ahead(self, e: Equation, places: Sequence[Place]) -> Size:
        """How many entries come before the rows, in all arguments. Raises Meets."""
        found = {
            self.before.get(a, size(1))
            for a, place in zip(e.args, places)
            if place is not None and isinstance(a, Var) and a not in self.even
        }
        if len(found) > 1:
            raise Meets(JOINS)
        return found.pop() if found else size(1)

    def joined(self, e: Equation, place: Place, ahead: Size) -> int:
        """A reshape: the rows may be joined with axes before and behind them, and parted again."""
        old, new, axis = e.args[0].type.shape, e.out.type.shape, self.rows.axis(e.out.type.shape)
        if place is None or axis is None:
            raise Meets(JOINS)
        ahead = product((ahead, *(a.size for a in old[:place])))
        ahead = ahead / product(a.size for a in new[:axis])
        each = new[axis].size / ahead / dim(self.rows.dim)
        if not ahead.whole or not each.whole or self.rows.dim in each.dims():
            raise Meets(JOINS)
        if ahead != size(1):
            self.before[e.out] = ahead
        return axis

    def apart(self, atoms: Iterable[Atom]) -> None:
        """Raise Meets where rows are joined with an axis before them: loops do not know of that."""
        if any(a in self.before for a in atoms):
            raise Meets(JOINS)

    def fills(self, e: Equation) -> bool:
        """Whether a result that depends on no rows can be computed for any of them."""
        if any(
            isinstance(a, Var) and a not in self.filled and self.rows.within(a.type.shape)
            for a in e.args
        ):
            return False
        try:
            if e.op in FILLING and not self.cut(e.args):
                self.even.add(e.out)
                return self.rows.axis(e.out.type.shape) is not None
            return self.cut(e.args) and self.placed(e) != TOTAL
        except Meets:
            return False

    # Loops

    def loop(self, e: Equation) -> None:
        """States of a loop's results."""
        loop = Loop.of(e)
        given = [self.of(a) for a in loop.args]
        totals = {p for p, s in zip(loop.body.params[1:], given) if s is not None and s < 0}
        has_rows = any(s is not None and s >= 0 for s in given)
        has_rows = has_rows or (self.inner and self.cut(loop.args))
        over = self.rows.dim in loop.length.dims()
        if not has_rows and not (totals and self.inner):
            if self.inner and (over or any(self.rows.within(o.type.shape) for o in e.outs)):
                raise Meets("`{op}` numbers the entries of {dim}")
            self.states |= dict.fromkeys(e.outs, AFTER if totals else None)
            return
        if over:
            raise Meets("`scan` runs over {dim}")
        inside = inner(loop, self.rows, totals if self.inner else set())
        self.apart(loop.args)
        inside.apart(loop.body.results)
        for i, (param, arg) in enumerate(zip(loop.body.params[1:], loop.args)):
            total = i < loop.carries and inside.states[param] == TOTAL
            if param in totals and not total and not self.inner:
                raise Meets("`{op}` of rows needs a sum over all rows of {dim}")
            starts = zero(arg) or (param in totals and self.inner)
            if total and not starts and (self.inner or not only_adds(loop, param)):
                raise Meets("`scan` adds up over {dim} from what is not 0")
        for i, (out, atom) in enumerate(zip(loop.outs, loop.body.results)):
            found = inside.of(atom)
            if found is None:
                found = self.rows.axis(atom.type.shape)
            stacked = i >= loop.carries and found is not None and found >= 0
            self.states[out] = found + 1 if stacked and found is not None else found


def inner(loop: Loop, rows: Rows, known: Collection[Var] = ()) -> Found:
    """What is known of a loop's body, some of whose arguments have rows or are totals.

    `known` are parameters that are totals; carries without rows are, where they depend on any.
    Raises Mixed, Meets.
    """
    params = loop.body.params
    reached = _reached(loop, {*known, *(p for p in params if rows.within(p.type.shape))})
    totals = {*known, *(s for s in loop.states if s in reached and not rows.within(s.type.shape))}
    states = {p: TOTAL if p in totals else rows.axis(p.type.shape) for p in params}
    found = Found(rows, states, inner=True)
    found.run(loop.body.body)
    if any(s in totals and found.of(u) != TOTAL for s, u in zip(loop.states, loop.updates)):
        raise Mixed(f"`scan` adds up over {rows.dim} and goes on", loop.span)
    return found


def _reached(loop: Loop, start: set[Var]) -> set[Var]:
    """What depends on some parameters in some step."""
    reached, before = set(start), -1
    while len(reached) != before:
        before = len(reached)
        for e in loop.body.body:
            if not reached.isdisjoint(e.args):
                reached.update(e.outs)
        reached |= {s for s, u in zip(loop.states, loop.updates) if u in reached}
    return reached


def zero(atom: Atom) -> bool:
    """Whether it is the number 0."""
    return isinstance(atom, Literal) and atom.value == 0


def only_adds(loop: Loop, state: Var) -> bool:
    """Whether the steps do nothing with a carry but add to it: then its start can be added last."""
    update = loop.updates[loop.states.index(state)]
    readers = [e for e in loop.body.body if state in e.args or update in e.args]
    if len(readers) != 1 or readers[0].op != "add" or readers[0].out is not update:
        return False
    results = loop.body.results
    return readers[0].args.count(state) == 1 and state not in results and results.count(update) == 1


def _called(e: Equation) -> str:
    """What the source calls an equation: `batch_norm` where the operator is a part of it."""
    part = OPS[e.op].group == "internal"
    # A part may have the place of a whole statement.
    call = re.match(r"(?:[^=(]*= *)?(\w+)\(" if part else r"(\w+)\(", e.span.text)
    op = OPS.get(call[1]) if call else None
    return op.name if op is not None and (part or op.infer is None) else e.op


def _linear(e: Equation, given: Sequence[State]) -> bool:
    """Whether what an equation does to the totals among its arguments is linear."""
    totals = [s is not None for s in given]
    if e.op in ADDING:
        return all(t or zero(a) for t, a in zip(totals, e.args))
    if e.op == "select":
        return not totals[0] and all(t or zero(a) for t, a in zip(totals[1:], e.args[1:]))
    if e.op == "div":
        return totals == [True, False]
    if e.op in ("gather", "scatter"):
        return totals[0] and not any(totals[1:])
    if e.op == "pad" and dict(e.attrs)["value"]:
        return False
    op = OPS[e.op]
    same = e.out.type.kind == e.args[0].type.kind
    return sum(totals) == 1 and (e.op in SCALING or op.linear or (op.moves and same))
