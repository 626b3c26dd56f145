"""Whether a cost adds up examples that do not meet: then each has a gradient of its own.

    h = tanh(x @ W)        row n of h depends on row n of x alone: h has the examples on axis 0
    J = mean(h^2)          a total: the mean over the examples

Every variable depends on no example (None), has the examples along one axis, or is a total over them.
Totals may be added up and scaled, by the number of examples too, nothing else: then the cost of one
example is the cost itself where that example is all the data.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeGuard

from bpc.diagnostics import BpcError, Diagnostic, Problem
from bpc.ir import Atom, Equation, Function, Literal, Var
from bpc.ops import OPS
from bpc.ops.loops import Loop
from bpc.ops.rows import MEAN, SUM, Meets, rows_of
from bpc.record import record
from bpc.sizes import dim_of
from bpc.source import Span
from bpc.types import Shape, Size, dim

#: a state: None, an axis, a SUM or MEAN over the examples; their number (COUNT) or its inverse, each
#: times something else, or what else is computed of it (ODD)
State = int | None
COUNT, INVERSE, ODD = -3, -4, -5
TOTALS = (SUM, MEAN)
COUNTS = (COUNT, INVERSE, ODD)


class Mixed(Exception):
    """Where the examples of a dim meet, and how."""

    def __init__(self, why: str, span: Span) -> None:
        self.why, self.span = why, span
        super().__init__(why)


@record(frozen=True)
class _Axes:
    """The size that examples are counted by."""

    name: str

    def place(self, shape: Shape) -> State:
        """The axis of the examples in a shape that holds them."""
        return next((i for i, a in enumerate(shape) if a.size == dim(self.name)), None)

    def within(self, shape: Shape) -> bool:
        """Whether the size of a shape depends on how many examples there are."""
        return any(self.name in a.size.dims() for a in shape)

    def alone(self, shape: Shape, state: State) -> bool:
        """Whether no axis but that of the state depends on how many examples there are."""
        return not self.within(tuple(a for i, a in enumerate(shape) if i != state))

    def power(self, value: object) -> int | None:
        """The power of the number of examples that a size is, times something else; else None."""
        if not isinstance(value, Size) or len(value.terms) != 1:
            return None
        ((monomial, _),) = value.terms
        if any(a != self.name and self.name in dim_of(a).dims() for a, _ in monomial):
            return None
        return dict(monomial).get(self.name, 0)

    def counted(self, value: object) -> bool:
        """Whether a value of compile time depends on how many examples there are."""
        if isinstance(value, tuple):
            return any(self.counted(v) for v in value)
        return isinstance(value, Size) and self.name in value.dims()


def check(cost: Function, params: Iterable[Var], name: str, place: Span) -> None:
    """Raise Mixed unless the cost is a sum or mean over the dim `name`; `place` stands for it all."""
    axes = _Axes(name)
    states: dict[Var, State] = {}
    if not cost.body:  # a parameter itself
        raise Mixed(f"the cost is no sum or mean over {name}", place)
    start = cost.body[0].span
    for var in cost.params:
        states[var] = axes.place(var.type.shape)
        param = var in set(params)
        fits = axes.alone(var.type.shape, None if param else states[var])
        if not fits:
            what = "a param" if param else "an input"
            raise Mixed(f"`{var.name}` is {what} of {var.type}", start)
    _run(cost.body, states, axes)
    result = cost.results[0]
    state = states.get(result) if isinstance(result, Var) else None
    if state not in TOTALS:
        raise Mixed(f"the cost is no sum or mean over {name}", start)


def _run(body: Iterable[Equation], states: dict[Var, State], axes: _Axes) -> None:
    for e in body:
        given = [states[a] if isinstance(a, Var) else None for a in e.args]
        if e.op == "scan":
            states |= zip(e.outs, _loop(Loop.of(e), given, axes))
        else:
            states[e.out] = _state(e, given, axes)


def _state(e: Equation, given: list[State], axes: _Axes) -> State:
    """The state of a result."""
    rows = {s for s in given if _is_axis(s)}
    within = axes.within(e.out.type.shape)
    if (
        within
        and not rows
        and not any(s in TOTALS for s in given)
        and e.op not in FILLING
        and not OPS[e.op].moves
    ):
        raise Mixed(f"`{e.op}` numbers the entries of {axes.name}", e.span)
    counts = _counts(e, given, axes)
    counted = counts or any(s in COUNTS for s in given)
    if (counts and e.op not in ("mul", "div")) or (counted and (rows or within)):
        raise Mixed(f"the value of {axes.name} itself is computed with", e.span)
    if any(s in TOTALS for s in given):
        return _total(e, given, axes)
    if not rows:
        place = axes.place(e.out.type.shape)
        return _count(e, given, axes) if counted else _single(e, place, axes)
    state = _placed(e, given, axes)
    return state if OPS[e.op].elementwise else _single(e, state, axes)


def _is_axis(state: State) -> TypeGuard[int]:
    return state is not None and state >= 0


def _single(e: Equation, state: State, axes: _Axes) -> State:
    """The state, where the examples are on that axis of the result, all of them, and on no other."""
    shape = e.out.type.shape
    if not axes.alone(shape, state):
        raise Mixed(f"every example meets every other, along two axes {axes.name}", e.span)
    if _is_axis(state) and shape[state].size != dim(axes.name):
        raise Mixed(f"`{e.op}` mixes the entries of {axes.name}", e.span)
    return state


def _counts(e: Equation, given: list[State], axes: _Axes) -> bool:
    """Whether an argument or option is computed of the number of examples."""
    attrs = dict(e.attrs)
    items = attrs.pop("items", ())
    others = tuple(item for i, item in enumerate(items) if i != given[0])
    literals = tuple(a.value for a in e.args if isinstance(a, Literal))
    return axes.counted((literals, others, tuple(attrs.values())))


def _total(e: Equation, given: list[State], axes: _Axes) -> State:
    """What may be done with a sum or mean over the examples: what is linear in it."""
    found = [s for s in given if s in TOTALS]
    rows = any(_is_axis(s) for s in given)
    linear = e.op in LINEAR and not rows and not axes.within(e.out.type.shape)
    divides = e.op == "div" and given[0] not in TOTALS
    if not linear or divides or (len(found) > 1 and e.op not in ADDING):
        what = f"a {'sum' if SUM in found else 'mean'} over {axes.name}"
        raise Mixed(f"`{e.op}` of {what} is no {what[2:]}", e.span)
    if len(set(found)) > 1:
        raise Mixed(f"a sum over {axes.name} and a mean over {axes.name} meet", e.span)
    counts = [s for s in _counting(e, given, axes) if s in COUNTS]
    if not counts:
        return found[0]
    rescaled = RESCALED.get((e.op, found[0], counts[0]))
    if rescaled is None:
        raise Mixed(f"the value of {axes.name} itself is computed with", e.span)
    return rescaled


def _counting(e: Equation, given: list[State], axes: _Axes) -> list[State]:
    """The states of the arguments, those of sizes too."""
    found = []
    for arg, state in zip(e.args, given):
        if isinstance(arg, Literal) and axes.counted(arg.value):
            state = {1: COUNT, -1: INVERSE}.get(axes.power(arg.value) or 0, ODD)
        found.append(state)
    return found


def _count(e: Equation, given: list[State], axes: _Axes) -> State:
    """What is computed of the number of examples."""
    states = _counting(e, given, axes)
    (first, *more) = (s for s in states if s in COUNTS)
    if more or e.op not in ("mul", "div", "neg", "cast", "identity"):
        return ODD
    turned = e.op == "div" and states[0] is None
    return {COUNT: INVERSE, INVERSE: COUNT, ODD: ODD}[first] if turned else first


def _placed(e: Equation, given: list[State], axes: _Axes) -> State:
    """Where the examples are in the result, as the operator's entry says."""
    try:
        state = rows_of(e.op, [a.type for a in e.args], given, e.attrs)
    except Meets as error:
        raise Mixed(error.why.format(op=e.op, dim=axes.name), e.span) from None
    if e.op == "reshape" and e.out.type.shape[state].size != dim(axes.name):
        raise Mixed(f"`reshape` joins {axes.name} with another axis", e.span)
    return state


def _loop(loop: Loop, given: list[State], axes: _Axes) -> list[State]:
    """States of a loop's results: those of the carries are found by running it until they stay."""
    n = loop.carries
    if axes.name in loop.length.dims():
        raise Mixed(f"`scan` runs over {axes.name}", loop.span)
    states: dict[Var, State] = {loop.index: None}
    for entry, state in zip(loop.entries, given[n:]):
        states[entry] = state - 1 if _is_axis(state) else state
    states |= zip(loop.shared, given[n + len(loop.entries) :])
    carried = [axes.place(s.type.shape) if g is None else g for s, g in zip(loop.states, given[:n])]
    for _ in range(n + 1):
        inner = {**states, **dict(zip(loop.states, carried))}
        _run(loop.body.body, inner, axes)
        new = [_of(u, inner) for u in loop.updates]
        merged = [c if c is not None else u for c, u in zip(carried, new)]
        if merged == carried:
            break
        carried = merged
    if any(c != u and u is not None for c, u in zip(carried, new)):
        raise Mixed(f"`scan` adds up over {axes.name} and goes on", loop.span)
    emitted = [_of(x, inner) for x in loop.emits]
    return [*carried, *(s + 1 if _is_axis(s) else s for s in emitted)]


def _of(atom: Atom, states: dict[Var, State]) -> State:
    return states.get(atom) if isinstance(atom, Var) else None


#: linear operators, by which a total stays one
LINEAR = frozenset(
    ("add", "sub", "neg", "mul", "div", "sum", "mean", "matmul", "identity", "reshape", "cast")
) | frozenset(("transpose", "expand_dims", "slice", "broadcast", "select", "concat", "stack"))
#: what becomes of a total that is divided by the number of examples, and so on
RESCALED: dict[tuple[str, State, State], State] = {
    ("div", SUM, COUNT): MEAN,
    ("mul", SUM, INVERSE): MEAN,
    ("mul", MEAN, COUNT): SUM,
    ("div", MEAN, INVERSE): SUM,
}
ADDING = ("add", "sub", "concat", "stack")
#: operators that fill a shape
FILLING = ("broadcast", "full", "mask")


def batch(cost: Function, params: tuple[Var, ...], dims: Iterable[str], place: Span) -> str:
    """The first of some dims over which the cost adds up examples.

    Raises BpcError, which says why the first of all is none, where there is no such dim.
    """
    found: Diagnostic | None = None
    for name in dims:
        try:
            check(cost, params, name, place)
        except Mixed as error:
            problem = Problem("BP147", dim=name, why=error.why)
            found = found or problem.at(error.span)
        else:
            return name
    raise BpcError([found] if found is not None else [])
