"""What the schedule decides and codegen prints: where the values of a function are written.

h = np.tanh(x.dot(W))      x.dot(W) goes to a Buffer, and h takes its place there
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from bpc.ir import Equation, Function, Var
from bpc.record import record
from bpc.types import Size, Type


@record(frozen=True)
class Buffer:
    """Memory of a workspace, for one value of this type after the other."""

    type: Type


@record(frozen=True, eq=True)
class Given:
    """Memory that the caller gives for a result; where he gives none, NumPy makes it."""


@record(frozen=True, eq=True)
class Step:
    """The entry of a loop's step in one of the loop's stacks."""

    stack: Var


@record(frozen=True, eq=True)
class Slice:
    """Some entries of an array that is joined of parts: (start, count, step) along each axis."""

    whole: Var
    items: tuple[tuple[Size, Size, int], ...]


#: a variable is a place too: that of its own value, which nobody reads any more
Place = Buffer | Given | Step | Slice | Var


def home(places: Mapping[Var, Place], var: Var) -> Place | None:
    """The memory that a value is in, whose place may be that of another value."""
    place = places.get(var)
    while isinstance(place, Var):
        place = places.get(place)
    return place


@record(frozen=True, eq=True)
class Carries:
    """How a loop updates its carries."""

    #: new values that take the name of the old ones in the line that computes them
    direct: frozenset[Var] = frozenset()
    #: new values that may be added to the array of the old one, which is given beside each
    totals: Mapping[Var, Var] = field(default_factory=dict)


@record(frozen=True)
class Tiling:
    """A function that goes through its rows a tile at a time: see schedule/tiles.py."""

    dim: str
    #: the dim that counts the rows of a tile
    rows: str
    before: Plan
    tile: Plan
    after: Plan
    #: the axis along which each parameter of `tile` is cut
    sliced: tuple[int | None, ...]
    #: what `after` calls the results of `tile`: totals first, then what is stored row by row
    summed: tuple[Var, ...]
    totals: int
    #: for each result of the whole: one of `summed`, or the place of one of `after`
    order: tuple[Var | int, ...]
    #: the buffers of `tile` begin with what loops go through step by step: steps, and how many
    loops: tuple[tuple[Size, int], ...] = ()


@record(frozen=True)
class Plan:
    """A function as it is to be printed.

    Values without a place are written where they are read, or get fresh memory.
    """

    function: Function
    #: whether all values are Python floats
    scalars: bool
    #: by the bodies of the loops
    carries: Mapping[Function, Carries] = field(default_factory=dict)
    places: Mapping[Var, Place] = field(default_factory=dict)
    buffers: tuple[Buffer, ...] = ()
    #: values that depend on sizes alone: made with the workspace, never written again
    constants: tuple[Equation, ...] = ()
    #: whether each array is computed in a line of its own: memory is written more than once
    ordered: bool = False
    #: how the function goes through its rows, where it can
    tiling: Tiling | None = None
