"""The loop that stays a loop: `scan`, an equation that holds a function, its body.

    hs[t], h = body(t, h, X[t], W)    for t in 0..T-1

Its arguments are the carries' first values, then sequences, which have the steps as their first
axis, then constants. Its results are the carries' last values, then what each step emits, stacked.
The body takes the index, the carries, an entry of each sequence, the constants; it returns the new
carries and what it emits. With `reverse` the steps run from last to first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bpc.ir import Atom, Attrs, Equation, Function, Literal, Var, live, uses, variables
from bpc.ops.base import Op, register
from bpc.record import record
from bpc.source import Span
from bpc.types import Axis, Size, Type


@record(frozen=True, eq=True)
class Loop:
    """A scan, taken apart."""

    body: Function
    length: Size
    inits: tuple[Atom, ...]
    sequences: tuple[Atom, ...]
    constants: tuple[Atom, ...]
    outs: tuple[Var, ...]
    span: Span
    reverse: bool = False
    adjoint: bool = False

    @staticmethod
    def of(e: Equation) -> Loop:
        """The loop that an equation is."""
        attrs = dict(e.attrs)
        carries, both = attrs["carries"], attrs["carries"] + attrs["sequences"]
        inits, sequences = e.args[:carries], e.args[carries:both]
        return Loop(
            attrs["body"], attrs["length"], inits, sequences, e.args[both:], e.outs, e.span,
            attrs["reverse"], e.adjoint,
        )  # fmt: skip

    def equation(self) -> Equation:
        """The equation that this loop is."""
        attrs: Attrs = (
            ("body", self.body),
            ("length", self.length),
            ("carries", len(self.inits)),
            ("sequences", len(self.sequences)),
            ("reverse", self.reverse),
        )
        return Equation("scan", self.args, self.outs, self.span, attrs, self.adjoint)

    @property
    def args(self) -> tuple[Atom, ...]:
        """All arguments in order: one for each parameter of the body but the index."""
        return (*self.inits, *self.sequences, *self.constants)

    @property
    def carries(self) -> int:
        """How many values go from step to step."""
        return len(self.inits)

    @property
    def index(self) -> Var:
        """The body's parameter that counts the steps."""
        return self.body.params[0]

    @property
    def states(self) -> tuple[Var, ...]:
        """The body's parameters that are carries."""
        return self.body.params[1 : 1 + self.carries]

    @property
    def entries(self) -> tuple[Var, ...]:
        """The body's parameters that are entries of sequences."""
        start = 1 + self.carries
        return self.body.params[start : start + len(self.sequences)]

    @property
    def shared(self) -> tuple[Var, ...]:
        """The body's parameters that are constants."""
        return self.body.params[1 + self.carries + len(self.sequences) :]

    @property
    def updates(self) -> tuple[Atom, ...]:
        """The body's results that are the new carries."""
        return self.body.results[: self.carries]

    @property
    def emits(self) -> tuple[Atom, ...]:
        """The body's results that are stacked."""
        return self.body.results[self.carries :]

    def with_body(self, body: Function) -> Loop:
        """The same loop over another body of the same parameters and results."""
        return replace(self, body=body)

    def stacked(self, type: Type) -> Type:
        """The type of a stack of what has this type in each step."""
        return stacked(type, self.length)


def stacked(type: Type, length: Size) -> Type:
    """The type with one more axis in front."""
    return type.with_shape((Axis(length), *type.shape))


def _types(
    *types: Type, body: Function, length: Size, carries: int, sequences: int, reverse: bool
) -> tuple[Type, ...]:
    emits = body.results[carries:]
    return (*types[:carries], *(stacked(atom.type, length) for atom in emits))


def map_bodies(function: Function, change: Callable[[Function], Function]) -> Function:
    """The function with the bodies of its loops changed, which keep parameters and results."""
    if not any(e.op == "scan" for e in function.body):
        return function
    body = tuple(
        Loop.of(e).with_body(change(Loop.of(e).body)).equation() if e.op == "scan" else e
        for e in function.body
    )
    return replace(function, body=body)


def close(
    index: Var,
    states: tuple[Var, ...],
    entries: tuple[Var, ...],
    equations: tuple[Equation, ...],
    results: tuple[Atom, ...],
    name: str,
    labels: tuple[str, ...] = (),
) -> tuple[Function, tuple[Var, ...]]:
    """The function of a loop's body, and the constants: what it reads that stands outside of it."""
    defined = {index, *states, *entries}
    free: dict[Var, None] = {}
    for e in equations:
        free.update((v, None) for v in variables(e.args) if v not in defined)
        defined.update(e.outs)
    free.update((v, None) for v in variables(results) if v not in defined)
    constants = tuple(free)
    params = (index, *states, *entries, *constants)
    return Function(name, params, equations, results, labels), constants


def trim(loop: Loop, needed: set[Var]) -> Loop:
    """The loop with those results that are needed, and what they need in turn."""
    keep = {i for i, out in enumerate(loop.outs) if out in needed}
    while True:
        results = tuple(r for i, r in enumerate(loop.body.results) if i in keep)
        body = live(replace(loop.body, results=results, labels=()))
        read = uses(body)
        more = {i for i, s in enumerate(loop.states) if s in read} - keep
        if not more:
            break
        keep |= more
    literals = {p: a for p, a in zip(loop.shared, loop.constants) if isinstance(a, Literal)}
    equations = tuple(_with(e, literals) for e in body.body) if literals else body.body
    states = tuple(s for i, s in enumerate(loop.states) if i in keep)
    entries = {p: a for p, a in zip(loop.entries, loop.sequences) if p in read}
    shared = {p: a for p, a in zip(loop.shared, loop.constants) if p in read and p not in literals}
    params = (loop.index, *states, *entries, *shared)
    results = tuple(literals.get(r, r) if isinstance(r, Var) else r for r in results)
    return replace(
        loop,
        body=replace(body, params=params, body=equations, results=results),
        inits=tuple(a for i, a in enumerate(loop.inits) if i in keep),
        sequences=tuple(entries.values()),
        constants=tuple(shared.values()),
        outs=tuple(o for i, o in enumerate(loop.outs) if i in keep),
    )


def _with(e: Equation, literals: dict[Var, Literal]) -> Equation:
    args = tuple(literals.get(a, a) if isinstance(a, Var) else a for a in e.args)
    return e if args == e.args else replace(e, args=args)


register(
    Op(
        "scan",
        "internal",
        "A loop over steps with values carried from one to the next.",
        infer=_types,
    )
)
