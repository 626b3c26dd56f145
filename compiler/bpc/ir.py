"""The intermediate representation: typed SSA, one form for the primal and its adjoints.

A function is a list of equations. Nothing is ever updated in place, a variable is equal only to itself,
and broadcasting is explicit: elementwise equations see arguments of one shape. Literals fit any shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from typing import Any

from bpc.record import record
from bpc.source import Span
from bpc.types import Size, Type

Attrs = tuple[tuple[str, Any], ...]


@record(frozen=True)
class Var:
    """A value. `name` is how a person would call it, and need not be unique.

    A `named` one has a name of the source (or is the adjoint of one): at -O0 and -O1 it keeps a
    line of its own in the output.
    """

    name: str
    type: Type
    named: bool = False


@record(frozen=True, eq=True)
class Literal:
    """A number known at compile time, or a size known when called, filling `type`'s shape."""

    value: float | int | bool | Size
    type: Type


Atom = Var | Literal


@record(frozen=True)
class Equation:
    """`outs = op[attrs](args)`, written at `span`; `adjoint` where the reverse pass wrote it."""

    op: str
    args: tuple[Atom, ...]
    outs: tuple[Var, ...]
    span: Span
    attrs: Attrs = ()
    adjoint: bool = False

    @property
    def out(self) -> Var:
        """The only result."""
        return self.outs[0]


@record(frozen=True)
class Function:
    """Equations from parameters to results; `labels` name the results."""

    name: str
    params: tuple[Var, ...]
    body: tuple[Equation, ...]
    results: tuple[Atom, ...]
    labels: tuple[str, ...] = ()


@record(frozen=True, eq=True)
class Initialiser:
    """How `init` fills a parameter: `zeros`, `he`, ... with its numbers."""

    name: str
    numbers: tuple[float, ...] = ()


@record(frozen=True, eq=True)
class Argument:
    """A parameter or an input of the model: its key, variable, default and place."""

    key: str
    var: Var
    span: Span
    initialiser: Initialiser = Initialiser("zeros")
    sample: float | int | bool | None = None


@record(frozen=True)
class Program:
    """A model: its arguments, free dims in declared order, and its functions by name.

    After lowering there is `cost` and, where there are outputs, `forward`; the reverse pass adds
    `value_and_grad`.
    """

    params: tuple[Argument, ...]
    inputs: tuple[Argument, ...]
    dims: tuple[str, ...]
    cost: str
    outputs: tuple[str, ...]
    functions: dict[str, Function] = field(default_factory=dict)
    nodes: int = 0
    #: the free dim over which the cost adds up examples, where that was asked for
    batch: str = ""
    #: dims that count columns of derivatives: how many at once, the first of them, and all
    columns: tuple[str, ...] = ()
    #: functions whose memory the caller bounds: they never run in tiles
    whole: frozenset[str] = frozenset()


def variables(atoms: tuple[Atom, ...]) -> Iterator[Var]:
    """The variables among atoms."""
    return (a for a in atoms if isinstance(a, Var))


def uses(function: Function) -> dict[Var, int]:
    """How often each variable is read, results included."""
    count: dict[Var, int] = {}
    for equation in function.body:
        for arg in equation.args:
            if isinstance(arg, Var):
                count[arg] = count.get(arg, 0) + 1
    for result in variables(function.results):
        count[result] = count.get(result, 0) + 1
    return count


def live(function: Function, strict: bool = False) -> Function:
    """The function without what its results do not need.

    The adjoint of a name of the source stays, needed or not: it is what people read the output for.
    With `strict` it goes too.
    """
    needed: set[Var] = set(variables(function.results))
    kept = []
    for equation in reversed(function.body):
        wanted = equation.adjoint and equation.out.named and not strict
        if wanted or not needed.isdisjoint(equation.outs):
            kept.append(equation)
            needed.update([a for a in equation.args if isinstance(a, Var)])
    if len(kept) == len(function.body):
        return function
    kept.reverse()
    return Function(function.name, function.params, tuple(kept), function.results, function.labels)


def unnamed(function: Function, atoms: Iterable[Atom]) -> Function:
    """The function with some variables that need no line of their own any more; parameters stay."""
    params = set(function.params)
    quiet: dict[Atom, Var] = {
        a: Var(a.name, a.type) for a in atoms if isinstance(a, Var) and a.named and a not in params
    }
    return renamed(function, quiet)


def renamed(function: Function, called: Mapping[Atom, Var]) -> Function:
    """The function with other variables in place of some that it computes."""
    body = tuple(
        replace(
            e,
            args=tuple(called.get(a, a) for a in e.args),
            outs=tuple(called.get(o, o) for o in e.outs),
        )
        for e in function.body
    )
    results = tuple(called.get(r, r) for r in function.results)
    return replace(function, body=body, results=results)
